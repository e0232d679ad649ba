/* journal_check.c — the whole log against itself: every entry's hash, every stored subtree, every signed head. */
#include "journal-private.h"

#include <string.h>

typedef struct checking {
    th_str log;
    const th_trust *trust;
    th_frontier frontier;
    th_error *error;
    th_status status;
    th_hash *roots;  /* of heads, ascending by size */
    uint64_t *sizes;
    size_t heads, head_at;
} checking;

static bool bad(checking *c, const char *zh, const char *en)
{
    c->status = th_failf(c->error, TH_CORRUPT, "journal-corrupt", "条目 %llu：%s%.0s", "Entry %llu: %.0s%s",
                         (unsigned long long)c->frontier.size, zh, en);
    return false;
}

static bool segment_check(void *ctx, const th_value *row, int columns)
{
    checking *c = ctx;
    th_str rest = row[2].s, line;
    (void)columns;
    if ((uint64_t)row[0].i != c->frontier.size)
        return bad(c, "日志有缺口", "there is a gap");
    for (int64_t i = 0; i < row[1].i; i++) {
        if (!th_str_cut(&rest, '\n', &line) || row[3].s.n < (size_t)(i + 1) * TH_HASH_SIZE)
            return bad(c, "条目缺失", "the entry is missing");
        th_hash leaf = th_merkle_leaf(c->frontier.suite, line);
        if (memcmp(leaf.b, row[3].s.p + (size_t)i * TH_HASH_SIZE, TH_HASH_SIZE) != 0)
            return bad(c, "条目内容与其哈希不符", "its bytes do not match its hash");
        th_frontier_add(&c->frontier, &leaf, NULL, NULL);
        if (c->head_at < c->heads && c->sizes[c->head_at] == c->frontier.size) {
            th_hash root = th_frontier_root(&c->frontier);
            if (!th_hash_eq(&root, &c->roots[c->head_at]))
                return bad(c, "树根与签名树头不符", "the tree does not match the signed head");
            c->head_at++;
        }
    }
    return true;
}

/* Signatures of all heads; their sizes and roots are kept for the walk. */
static th_status heads_load(checking *c, th_db *db, th_arena *arena, th_error *error)
{
    th_value values[] = {th_v_text(c->log), th_v_int(0)};
    th_value count_of = th_v_text(c->log);
    const th_value *count;
    th_status status = th_db_one(db, "SELECT COUNT(*) FROM journal_head WHERE log = ?1", &count_of, 1, arena, &count, error);
    if (status)
        return status;
    size_t n = (size_t)count[0].i;
    c->roots = th_alloc_array(arena, n + 1, sizeof *c->roots);
    c->sizes = th_alloc_array(arena, n + 1, sizeof *c->sizes);
    if (!c->roots || !c->sizes)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    while (!status) {
        th_arena page;
        th_rows rows;
        th_arena_open(&page, 64u << 20);
        status = th_db_select(db,
                              "SELECT size, root, at, suite, kid, sig FROM journal_head WHERE log = ?1 AND size > ?2 "
                              "ORDER BY size LIMIT 5000",
                              values, 2, &page, &rows, error);
        for (size_t i = 0; !status && i < rows.n; i++) {
            th_head head;
            if (th_head_of_row(th_row(&rows, i), c->log, &head) || c->heads == n)
                status = th_fail(error, TH_CORRUPT, "journal-corrupt", "树头记录不完整", "A stored tree head is incomplete");
            else if (c->trust)
                status = th_head_check(&head, c->trust, error);
            if (status)
                break;
            c->sizes[c->heads] = head.size;
            c->roots[c->heads++] = head.root;
            values[1] = th_v_int((int64_t)head.size);
        }
        size_t got = status ? 0 : rows.n;
        th_arena_close(&page);
        if (!got)
            break;
    }
    return status;
}

static th_status whole_check(th_db *db, th_str log, const th_trust *trust, uint64_t *ret_entries, th_error *error)
{
    th_head last;
    th_arena arena;
    th_status status = th_journal_head_last(db, log, &last, error);
    if (status)
        return status;
    checking c = {.log = log, .trust = trust, .error = error};
    th_frontier_open(&c.frontier, last.suite);
    th_arena_open(&arena, 2048u << 20);
    status = heads_load(&c, db, &arena, error);
    th_value value = th_v_text(log);
    if (!status)
        status = th_db_each(db, "SELECT first, n, bytes, leaves FROM journal_segment WHERE log = ?1 ORDER BY first", &value, 1,
                            segment_check, &c, error);
    if (!status)
        status = c.status;
    if (!status && (c.head_at != c.heads || c.frontier.size != last.size))
        status = bad(&c, "日志与最后的树头不等长", "the log and its last head differ in length") ? TH_CORRUPT : c.status;
    *ret_entries = c.frontier.size;
    th_arena_close(&arena);
    return status;
}

/* A node that writes on meanwhile is looked at as it was at one moment. */
th_status th_journal_check(th_db *db, th_str log, const th_trust *trust, uint64_t *ret_entries, th_error *error)
{
    th_status status = th_db_snapshot_begin(db);
    if (status)
        return th_fail(error, status, "store", "读取日志失败", "The journal cannot be read");
    status = whole_check(db, log, trust, ret_entries, error);
    th_db_snapshot_end(db);
    return status;
}
