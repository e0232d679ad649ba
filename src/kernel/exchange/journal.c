/* journal.c — appending: what the writer's batch staged becomes one segment, the subtrees it completed, and one signed head. */
#include "journal-private.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

extern const char th_journal_schema_sql[];

enum { STAGED_BYTES_MAX = 512u << 20, CHECK_MEMORY = 64 << 20 };

typedef struct state { /* where the log stands */
    char log[TH_LOG_TEXT];
    int64_t generation;
    bool is_new; /* no row of journal_log yet */
    th_frontier frontier;
    int64_t last_at_us;
} state;

typedef struct node_staged {
    int level;
    uint64_t index;
    th_hash hash;
    struct node_staged *next;
} node_staged;

struct th_journal {
    char code[TH_CODE_TEXT];
    const th_key *key;
    th_env env;
    state committed, now;
    th_arena arena; /* of what is staged; reset by begin */
    th_buf bytes;
    th_hash *leaves;
    size_t staged, leaves_room;
    node_staged *nodes;
    int64_t batch_at_us;
    bool node_lost; /* an allocation failed while a leaf was added */
    uint64_t base;  /* index of the first staged entry */
    th_head sealed; /* made by seal, current after settled */
    bool has_sealed;
    pthread_mutex_t lock; /* guards head */
    th_head head;
    char head_log[TH_LOG_TEXT];
    bool has_head;
};

const char *th_journal_schema(void)
{
    return th_journal_schema_sql;
}

static void log_name(state *s, const char *code, int64_t generation)
{
    s->generation = generation;
    snprintf(s->log, sizeof s->log, "%.6s.%llu", code, (unsigned long long)generation % (TH_GENERATION_MAX + 1));
}

/* ---- staging ---- */

static void log_show(th_journal *j)
{
    pthread_mutex_lock(&j->lock);
    memcpy(j->head_log, j->now.log, TH_LOG_TEXT);
    pthread_mutex_unlock(&j->lock);
}

void th_journal_begin(th_journal *j)
{
    th_arena_reset(&j->arena);
    th_buf_open(&j->bytes, &j->arena, STAGED_BYTES_MAX);
    j->now = j->committed;
    j->leaves = NULL;
    j->staged = j->leaves_room = 0;
    j->nodes = NULL;
    j->node_lost = false;
    j->batch_at_us = 0;
    j->base = j->now.frontier.size;
    j->has_sealed = false;
    log_show(j);
}

void th_journal_log(const th_journal *j, char ret_log[TH_LOG_TEXT])
{
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&j->lock);
    memcpy(ret_log, j->head_log, TH_LOG_TEXT);
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&j->lock);
}

uint64_t th_journal_next(const th_journal *j)
{
    return j->now.frontier.size;
}

int64_t th_journal_batch_time(th_journal *j)
{
    if (!j->batch_at_us) {
        int64_t now = th_now_us(&j->env);
        j->batch_at_us = now > j->now.last_at_us ? now : j->now.last_at_us + 1;
    }
    return j->batch_at_us;
}

static bool leaves_grow(th_journal *j)
{
    if (j->staged < j->leaves_room)
        return true;
    size_t room = j->leaves_room ? 2 * j->leaves_room : 256;
    th_hash *leaves = th_alloc_array(&j->arena, room, sizeof *leaves);
    if (!leaves)
        return false;
    if (j->staged)
        memcpy(leaves, j->leaves, j->staged * sizeof *leaves);
    j->leaves = leaves;
    j->leaves_room = room;
    return true;
}

static void node_completed(void *ctx, int level, uint64_t index, const th_hash *hash)
{
    th_journal *j = ctx;
    if (level % TH_TREE_STEP)
        return;
    node_staged *node = th_alloc(&j->arena, sizeof *node);
    if (!node) {
        j->node_lost = true;
        return;
    }
    *node = (node_staged){level, index, *hash, j->nodes};
    j->nodes = node;
}

th_status th_journal_stage(th_journal *j, th_str entry, th_frontier *ret_frontier, th_error *error)
{
    if (entry.n > TH_ENTRY_MAX || memchr(entry.p, '\n', entry.n))
        return th_fail(error, TH_INVALID, "entry-malformed", "日志条目过长或含换行", "The journal entry is too long or holds a line end");
    if (ret_frontier)
        *ret_frontier = j->now.frontier;
    th_buf_str(&j->bytes, entry);
    th_buf_char(&j->bytes, '\n');
    if (!th_buf_ok(&j->bytes) || !leaves_grow(j))
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_hash leaf = th_merkle_leaf(th_key_suite(j->key), entry);
    j->leaves[j->staged++] = leaf;
    th_frontier_add(&j->now.frontier, &leaf, node_completed, j);
    return j->node_lost ? th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory") : TH_OK;
}

/* A change whose later steps failed takes its entries back; the tree is grown again from what was committed. */
void th_journal_unstage(th_journal *j, uint64_t from)
{
    if (from >= j->now.frontier.size || from < j->base)
        return;
    size_t keep = (size_t)(from - j->base), bytes = 0;
    for (size_t i = 0; i < keep; i++)
        bytes += (size_t)((char *)memchr(j->bytes.p + bytes, '\n', j->bytes.n - bytes) - (j->bytes.p + bytes)) + 1;
    j->bytes.n = bytes;
    j->staged = keep;
    j->nodes = NULL;
    j->now.frontier = j->committed.frontier;
    if (strcmp(j->now.log, j->committed.log) != 0)
        th_frontier_open(&j->now.frontier, th_key_suite(j->key));
    for (size_t i = 0; i < keep; i++)
        th_frontier_add(&j->now.frontier, &j->leaves[i], node_completed, j);
}

/* ---- sealing ---- */

static th_status log_row(th_journal *j, th_db *db, th_error *error)
{
    if (!j->now.is_new)
        return TH_OK;
    th_value values[] = {th_v_text(th_str_of(j->now.log)), th_v_text(th_str_of(j->code)), th_v_int(j->now.generation),
                         th_v_int(j->batch_at_us)};
    th_status status = th_db_exec(db, "INSERT INTO journal_log (log, code, generation, opened_at) VALUES (?1, ?2, ?3, ?4)", values,
                                  4, NULL, error);
    j->now.is_new = status != TH_OK;
    return status;
}

static th_status node_rows(th_journal *j, th_db *db, th_error *error)
{
    size_t n = 0, k = 0;
    for (const node_staged *node = j->nodes; node; node = node->next)
        n++;
    if (!n)
        return TH_OK;
    th_value *values = th_alloc_array(&j->arena, n * 4, sizeof *values);
    if (!values)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (const node_staged *node = j->nodes; node; node = node->next) {
        values[k++] = th_v_text(th_str_of(j->now.log));
        values[k++] = th_v_int(node->level);
        values[k++] = th_v_int((int64_t)node->index);
        values[k++] = th_v_blob(node->hash.b, TH_HASH_SIZE);
    }
    return th_db_exec_many(db, "INSERT INTO journal_node (log, level, idx, hash) VALUES (?1, ?2, ?3, ?4)", values, 4, n, error);
}

static th_status head_row(th_db *db, const th_head *head, th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(head->log)),      th_v_int((int64_t)head->size),
                         th_v_blob(head->root.b, TH_HASH_SIZE), th_v_int(head->at_us),
                         th_v_int(head->suite),                 th_v_text(th_str_of(head->kid)),
                         th_v_blob(head->signature, TH_SIGNATURE_SIZE)};
    return th_db_exec(db, "INSERT INTO journal_head (log, size, root, at, suite, kid, sig) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                      values, TH_COUNT(values), NULL, error);
}

th_status th_journal_seal(th_journal *j, th_db *db, th_error *error)
{
    if (!j->staged)
        return TH_OK;
    th_value segment[] = {th_v_text(th_str_of(j->now.log)), th_v_int((int64_t)j->base), th_v_int((int64_t)j->staged),
                          th_v_blob(j->bytes.p, j->bytes.n), th_v_blob(j->leaves, j->staged * sizeof *j->leaves)};
    th_head head = {.size = j->now.frontier.size, .root = th_frontier_root(&j->now.frontier), .at_us = th_journal_batch_time(j)};
    memcpy(head.log, j->now.log, sizeof head.log);
    th_status status = th_head_sign(&head, j->key);
    if (!status)
        status = log_row(j, db, error);
    if (!status)
        status = th_db_exec(db, "INSERT INTO journal_segment (log, first, n, bytes, leaves) VALUES (?1, ?2, ?3, ?4, ?5)", segment, 5,
                            NULL, error);
    if (!status)
        status = node_rows(j, db, error);
    if (!status)
        status = head_row(db, &head, error);
    if (status)
        return status;
    j->now.last_at_us = head.at_us;
    j->sealed = head;
    j->has_sealed = true;
    return TH_OK;
}

void th_journal_settled(th_journal *j, th_status status)
{
    if (status != TH_OK)
        return;
    bool renewed = strcmp(j->committed.log, j->now.log) != 0;
    j->committed = j->now;
    if (!j->has_sealed && !renewed)
        return;
    pthread_mutex_lock(&j->lock);
    j->has_head = j->has_sealed && strcmp(j->sealed.log, j->now.log) == 0;
    if (j->has_head)
        j->head = j->sealed;
    pthread_mutex_unlock(&j->lock);
}

th_status th_journal_right(th_journal *j, uint64_t first, uint64_t end, th_hash ret_right[TH_MERKLE_DEPTH], size_t *ret_n)
{
    return th_merkle_right(th_key_suite(j->key), first, end, j->now.frontier.size, j->base, j->leaves, ret_right, ret_n);
}

bool th_journal_head_now(th_journal *j, th_head *ret_head)
{
    pthread_mutex_lock(&j->lock);
    bool has = j->has_head;
    if (has)
        *ret_head = j->head;
    pthread_mutex_unlock(&j->lock);
    return has;
}

th_status th_journal_renew(th_journal *j, th_db *db, int64_t seen, th_error *error)
{
    if (j->staged) /* the batch's earlier entries belong under a head of the old log: come again in the next batch */
        return th_fail(error, TH_BUSY, "journal-busy", "请稍后重试", "Try again");
    int64_t at = th_journal_batch_time(j);
    th_value values[] = {th_v_text(th_str_of(j->now.log)), th_v_int(at)};
    th_status status = log_row(j, db, error);
    if (!status)
        status = th_db_exec(db, "UPDATE journal_log SET sealed_at = ?2 WHERE log = ?1", values, 2, NULL, error);
    if (status)
        return status;
    log_name(&j->now, j->code, (seen > j->now.generation ? seen : j->now.generation) + 1);
    th_frontier_open(&j->now.frontier, th_key_suite(j->key));
    j->now.is_new = true;
    j->base = 0;
    j->bytes.n = 0;
    j->nodes = NULL;
    log_show(j);
    return log_row(j, db, error);
}

/* ---- opening ---- */

static th_status state_load(th_journal *j, th_db *db, th_arena *arena, th_error *error)
{
    const th_value *row;
    th_head head;
    th_value code = th_v_text(th_str_of(j->code));
    log_name(&j->committed, j->code, 1);
    th_frontier_open(&j->committed.frontier, th_key_suite(j->key));
    th_status status = th_db_one(db, "SELECT log, generation, opened_at FROM journal_log WHERE code = ?1 ORDER BY generation DESC LIMIT 1",
                                 &code, 1, arena, &row, error);
    j->committed.is_new = status == TH_NOT_FOUND;
    if (status)
        return status == TH_NOT_FOUND ? TH_OK : status;
    log_name(&j->committed, j->code, row[1].i);
    j->committed.last_at_us = row[2].i;
    th_str log = th_str_of(j->committed.log);
    status = th_journal_head_last(db, log, &head, error);
    if (status)
        return status == TH_NOT_FOUND ? TH_OK : status;
    if (head.suite != th_key_suite(j->key))
        return th_fail(error, TH_CONFLICT, "journal-suite", "日志的算法套件与密钥不同；更换套件须启用新日志",
                       "The log's suite is not the key's; a new suite needs a new log");
    th_tree_reader reader = {.db = db, .log = log, .suite = head.suite, .arena = arena, .error = error};
    th_frontier *f = &j->committed.frontier;
    uint64_t at = 0;
    int k = 0;
    for (int level = TH_MERKLE_DEPTH - 1; !status && level >= 0; level--)
        if (head.size >> level & 1) {
            status = th_tree_read(&reader, level, at >> level, &f->peaks[k++]);
            at += (uint64_t)1 << level;
        }
    if (status)
        return status;
    f->size = head.size;
    th_hash root = th_frontier_root(f);
    if (!th_hash_eq(&root, &head.root))
        return th_fail(error, TH_CORRUPT, "journal-corrupt", "日志与其签名树头不符", "The journal does not match its signed tree head");
    j->committed.last_at_us = head.at_us;
    j->head = head;
    j->has_head = true;
    return TH_OK;
}

th_status th_journal_open(th_store *store, const char *code, const th_key *key, const th_env *env, th_journal **ret_journal,
                          th_error *error)
{
    th_db *db;
    th_arena arena;
    th_journal *j = th_new(sizeof *j);
    if (!j)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    snprintf(j->code, sizeof j->code, "%s", code);
    j->key = key;
    j->env = *env;
    pthread_mutex_init(&j->lock, NULL);
    th_arena_open(&j->arena, 2u * STAGED_BYTES_MAX);
    th_arena_open(&arena, CHECK_MEMORY);
    th_status status = th_store_acquire(store, &db, error);
    if (!status) {
        status = state_load(j, db, &arena, error);
        th_store_release(store, db);
    }
    th_arena_close(&arena);
    th_journal_begin(j);
    if (status)
        th_journal_close(j);
    else
        *ret_journal = j;
    return status;
}

void th_journal_close(th_journal *j)
{
    if (!j)
        return;
    th_arena_close(&j->arena);
    pthread_mutex_destroy(&j->lock);
    th_free(j);
}
