/* gossip.c — everybody remembers everybody's tree heads, so that nobody can show two histories.
 *
 * Two heads of one log with the same size and different roots, or a head smaller than one its owner signed later, are an
 * equivocation: alarmed, journaled by the message that brought it, and shown to governors. Heads of different sizes are held
 * together by consistency proofs (consistency.c). */
#include "exchange-private.h"

#include <string.h>

enum { HEADS_IN_A_LINE = 64 };

static int member_index(th_exchange *ex, const char *code)
{
    for (size_t i = 0; i < ex->peer_count; i++)
        if (strcmp(ex->peers[i].code, code) == 0)
            return (int)i;
    return -1;
}

/* ---- heads seen ---- */

typedef struct head_change {
    th_change change;
    th_exchange *ex;
    th_head head, other; /* other: of the same size, with another root */
    char told_by[TH_CODE_TEXT];
    bool conflict;
} head_change;

static th_str head_text(const th_head *head, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 2048);
    th_pen pen = th_pen_on(&buf);
    th_head_write(&pen, head);
    return th_buf_view(&buf);
}

/* In one order whichever came first: the same evidence is the same text. */
th_str th_heads_text(const th_head *a, const th_head *b, th_arena *arena)
{
    th_buf buf;
    bool in_order = a->size != b->size ? a->size < b->size : memcmp(a->root.b, b->root.b, TH_HASH_SIZE) <= 0;
    th_buf_open(&buf, arena, 2048);
    th_pen pen = th_pen_on(&buf);
    th_pen_array(&pen);
    th_head_write(&pen, in_order ? a : b);
    th_head_write(&pen, in_order ? b : a);
    th_pen_end(&pen, ']');
    return th_buf_view(&buf);
}

th_status th_log_keep(th_db *db, const th_head *newest, const th_head *verified, th_error *error)
{
    th_arena arena;
    char member[TH_CODE_TEXT];
    if (!th_log_member(th_str_of(newest->log), member))
        return TH_OK;
    th_arena_open(&arena, 64 * 1024);
    th_value values[] = {th_v_text(th_str_of(newest->log)), th_v_text(th_str_of(member)), th_v_text(head_text(newest, &arena)),
                         th_v_text(verified ? head_text(verified, &arena) : (th_str){NULL, 0})};
    th_status status = th_db_exec(db,
                                  "INSERT INTO exchange_log (log, member, newest, verified) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (log) DO "
                                  "UPDATE SET newest = excluded.newest, verified = COALESCE(excluded.verified, exchange_log.verified)",
                                  values, TH_COUNT(values), NULL, error);
    th_arena_close(&arena);
    return status;
}

/* Any other root at this size is the proof of two histories: both signed heads stay in the table. */
static th_status head_apply(th_change *change, th_db *db, th_error *error)
{
    head_change *h = change->ctx;
    th_arena arena;
    const th_value *row;
    th_arena_open(&arena, 64 * 1024);
    th_str text = head_text(&h->head, &arena);
    th_value values[] = {th_v_text(th_str_of(h->head.log)), th_v_int((int64_t)h->head.size),
                         th_v_blob(h->head.root.b, TH_HASH_SIZE), th_v_text(th_str_of(h->told_by)),
                         th_v_int(h->head.at_us), th_v_text(text)};
    int64_t changed = 0;
    th_status status = th_db_exec(db,
                                  "INSERT INTO exchange_head (log, size, root, told_by, at, head) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
                                  "ON CONFLICT (log, size, root) DO NOTHING",
                                  values, 6, &changed, error);
    h->conflict = false;
    if (!status && changed) {
        const th_json *json;
        status = th_db_one(db, "SELECT head FROM exchange_head WHERE log = ?1 AND size = ?2 AND root <> ?3 LIMIT 1", values, 3,
                           &arena, &row, error);
        h->conflict = status == TH_OK && th_json_parse(row[0].s, &arena, &json, NULL) == TH_OK && th_head_read(json, &h->other, NULL) == TH_OK;
        if (status == TH_NOT_FOUND)
            status = TH_OK;
    }
    th_arena_close(&arena);
    return status;
}

static void head_reply(th_change *change, th_status status, const th_error *error)
{
    head_change *h = change->ctx;
    char member[TH_CODE_TEXT];
    (void)error;
    if (status == TH_OK && h->conflict && th_log_member(th_str_of(h->head.log), member)) {
        th_arena arena;
        th_arena_open(&arena, 16 * 1024);
        th_alarm_raise(h->ex, "equivocation", member, "同一日志出现两个互相矛盾的签名树头：该节点出示了两份历史",
                       "Two signed heads of one log contradict each other: this node showed two histories",
                       th_heads_text(&h->other, &h->head, &arena));
        th_arena_close(&arena);
    }
    th_free(h);
}

static void head_keep(th_exchange *ex, const th_head *head, const char *told_by)
{
    head_change *h = th_new(sizeof *h);
    if (!h)
        return;
    h->ex = ex;
    h->head = *head;
    memcpy(h->told_by, told_by, strlen(told_by) < TH_CODE_TEXT ? strlen(told_by) + 1 : 0);
    h->change = (th_change){.apply = head_apply, .reply = head_reply, .ctx = h};
    if (th_writer_submit(ex->writer, &h->change))
        th_free(h);
}

static bool same_root(const th_head *a, const th_head *b)
{
    return th_hash_eq(&a->root, &b->root);
}

/* `head` was checked: its signature is its member's. */
void th_gossip_saw(th_exchange *ex, const th_head *head, const char *told_by, bool by_its_owner)
{
    char member[TH_CODE_TEXT];
    bool newer = false, contradiction = false, shrunk = false, renewed = false;
    th_head ours = {0}; /* what it is held against */
    if (!th_log_member(th_str_of(head->log), member))
        return;
    if (strcmp(member, ex->code) == 0) {
        TH_IGNORE(th_exchange_own_head_seen(ex, head, NULL));
        return;
    }
    pthread_mutex_lock(&ex->lock);
    int i = member_index(ex, member);
    if (i >= 0) {
        th_peer *peer = &ex->peers[i];
        th_head *known = &peer->state.head;
        bool same_log = strcmp(known->log, head->log) == 0, proved = peer->verified.size && strcmp(peer->verified.log, head->log) == 0;
        int64_t generation = th_log_generation(th_str_of(head->log)), before = th_log_generation(th_str_of(known->log));
        newer = !known->size || generation > before || (same_log && head->size > known->size);
        renewed = known->size && generation > before;
        const th_head *held[] = {known, &peer->verified, &peer->former};
        for (size_t k = 0; k < TH_COUNT(held) && !contradiction; k++) {
            ours = *held[k];
            contradiction = head->size == ours.size && strcmp(head->log, ours.log) == 0 && !same_root(head, &ours);
        }
        ours = contradiction ? ours : *known;
        /* A smaller tree signed later by its owner: the log went back. An older head told by another is only late. */
        shrunk = same_log && by_its_owner && head->size < known->size && head->at_us > known->at_us;
        /* What is not on the way from the proved head to the newest is held against it on its own: others' heads, and ours that are
         * overtaken before anybody proved them. One at a time is enough: a second history shows sooner or later; what others tell goes
         * before what is ours. */
        const th_head *aside = newer ? known : by_its_owner ? NULL : head;
        bool told = !newer, room = !peer->unproved.size || (told && !peer->unproved_told);
        if (aside && same_log && room && aside->size && aside->size != (proved ? peer->verified.size : 0) &&
            (newer || aside->size != known->size)) {
            peer->unproved = *aside;
            peer->unproved_told = told;
            peer->wants_consistency = peer->wants_consistency || !by_its_owner;
        }
        if (renewed)
            peer->former = *known;
        if (newer) {
            *known = *head;
            peer->wants_consistency = peer->wants_consistency || !by_its_owner;
        }
    }
    pthread_mutex_unlock(&ex->lock);
    if (contradiction || shrunk)
        head_keep(ex, head, told_by);
    if (contradiction)
        head_keep(ex, &ours, member);
    if (renewed)
        th_alarm_raise(ex, "log-renewed", member, "该节点启用了新日志：它自备份恢复，旧日志末尾的条目可能已丢失",
                       "This node began a new log: it was restored from a backup, and the last entries of its old log may be lost",
                       th_str_of(head->log));
    if (shrunk) {
        th_arena arena;
        th_arena_open(&arena, 16 * 1024);
        th_alarm_raise(ex, "head-shrunk", member, "该节点的日志比它此前签名的更短", "This node's log is shorter than it signed before",
                       th_heads_text(&ours, head, &arena));
        th_arena_close(&arena);
    }
}

/* ---- when to talk: soon after anything happened, seldom otherwise, or two idle nodes would fill their journals with each other's
 * heads: telling a head makes a new one ---- */

bool th_gossip_is_news(th_str type)
{
    return !th_str_is(type, "heads") && !th_str_is(type, "consistency");
}

void th_gossip_news(th_exchange *ex, const char *code)
{
    pthread_mutex_lock(&ex->lock);
    ex->news++;
    th_peer *peer = th_peer_find(ex, th_str_of(code));
    if (peer)
        peer->wants_consistency = true;
    pthread_mutex_unlock(&ex->lock);
}

void th_gossip_lost(th_exchange *ex, const char *code)
{
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(code));
    if (peer)
        peer->news_told = ex->news - 1;
    pthread_mutex_unlock(&ex->lock);
}

bool th_gossip_due(const th_exchange *ex, const th_peer *peer, int64_t now_us)
{
    if (strcmp(peer->code, ex->code) == 0)
        return false;
    int64_t past = now_us - peer->gossip_at_us;
    if (!peer->gossip_at_us || past < 0) /* never yet, or the clock was set back */
        return true;
    return past >= (ex->news != peer->news_told ? ex->gossip_us : TH_GOSSIP_IDLE_S * TH_SECOND_US);
}

/* The heads line: own newest head and those of others; bounded. */
void th_gossip_line(th_exchange *ex, th_peer *peer, th_arena *arena, th_str *ret_body)
{
    th_head heads[HEADS_IN_A_LINE];
    size_t n = 0;
    int64_t now = th_now_us(&ex->env);
    th_buf buf;
    pthread_mutex_lock(&ex->lock);
    bool due = th_gossip_due(ex, peer, now);
    pthread_mutex_unlock(&ex->lock);
    if (!due)
        return;
    if (th_journal_head_now(ex->journal, &heads[n]))
        n++;
    pthread_mutex_lock(&ex->lock);
    peer->gossip_at_us = now;
    peer->news_told = ex->news;
    for (size_t i = 0; i < ex->peer_count && n < HEADS_IN_A_LINE; i++)
        if (ex->peers[i].state.head.size && strcmp(ex->peers[i].code, peer->code) != 0)
            heads[n++] = ex->peers[i].state.head;
    /* The peer's own head as we know it: it learns of its own future after a restore. */
    if (peer->state.head.size && n < HEADS_IN_A_LINE)
        heads[n++] = peer->state.head;
    for (size_t i = 0; i < ex->peer_count && n < HEADS_IN_A_LINE; i++)
        if (ex->peers[i].former.size && strcmp(ex->peers[i].code, peer->code) != 0)
            heads[n++] = ex->peers[i].former;
    pthread_mutex_unlock(&ex->lock);
    th_buf_open(&buf, arena, 48 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "heads");
    th_pen_array(&pen);
    for (size_t i = 0; i < n; i++)
        th_head_write(&pen, &heads[i]);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (th_buf_ok(&buf))
        *ret_body = th_buf_view(&buf);
}

/* A peer told us heads: remembered after the commit that journals the message. */
th_status th_gossip_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer, th_error *error)
{
    th_exchange *ex = ctx;
    const th_json *heads = th_json_get(message->body, "heads");
    th_buf buf;
    th_head own;
    th_status status = TH_OK;
    if (!heads || heads->type != TH_JSON_ARRAY || heads->count > HEADS_IN_A_LINE)
        return th_fail_field(error, "/body/heads", "type", "须为树头列表", "Must be a list of tree heads");
    th_trust *trust = th_exchange_trust(ex);
    for (const th_json *h = th_json_first(heads); trust && h && !status; h = th_json_next(heads, h)) {
        th_head head, newest = {0};
        char owner[TH_CODE_TEXT];
        if (th_head_read(h, &head, NULL) || th_head_check(&head, trust, NULL) || !th_log_member(th_str_of(head.log), owner))
            continue; /* unsigned gossip is no evidence of anything */
        th_gossip_saw(ex, &head, message->from, strcmp(owner, message->from) == 0);
        pthread_mutex_lock(&ex->lock);
        int i = member_index(ex, owner);
        if (i >= 0)
            newest = ex->peers[i].state.head;
        pthread_mutex_unlock(&ex->lock);
        if (newest.size)
            status = th_log_keep(db, &newest, NULL, error);
    }
    th_trust_release(trust);
    if (status)
        return status;
    th_buf_open(&buf, arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    if (th_journal_head_now(ex->journal, &own)) {
        th_pen_key(&pen, "head");
        th_head_write(&pen, &own);
    }
    th_pen_end(&pen, '}');
    answer->body = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

/* ---- our own log as others saw it ---- */

/* The first entry of the new log: which log ended where, and what was seen beyond it by others. */
static th_status statement_stage(th_exchange *ex, const char *old_log, uint64_t old_size, const th_head *seen, th_error *error)
{
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 16 * 1024);
    th_buf_open(&buf, &arena, TH_ENTRY_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kint(&pen, "index", (int64_t)th_journal_next(ex->journal));
    th_pen_ktime(&pen, "at", th_journal_batch_time(ex->journal));
    th_pen_ktext(&pen, "direction", "note");
    th_pen_kwords(&pen, "loss", "本节点自备份恢复：旧日志至此封存，其后的条目可能已丢失，由本日志接续",
                  "This node was restored from a backup: the old log ends here, later entries of it may be lost, this log continues");
    th_pen_key(&pen, "seals");
    th_pen_object(&pen);
    th_pen_ktext(&pen, "log", old_log);
    th_pen_kint(&pen, "size", (int64_t)old_size);
    th_pen_end(&pen, '}');
    if (seen) {
        th_pen_key(&pen, "seen");
        th_head_write(&pen, seen);
    }
    th_pen_end(&pen, '}');
    th_status status = th_buf_ok(&buf) ? th_journal_stage(ex->journal, th_buf_view(&buf), NULL, error) : TH_TOO_LARGE;
    th_arena_close(&arena);
    return status;
}

static th_status log_renew(th_exchange *ex, th_db *db, int64_t beyond, const th_head *seen, th_error *error)
{
    char log[TH_LOG_TEXT];
    th_journal_log(ex->journal, log);
    uint64_t size = th_journal_next(ex->journal);
    th_status status = th_journal_renew(ex->journal, db, beyond, error);
    return status ? status : statement_stage(ex, log, size, seen, error);
}

static th_status restored_apply(void *ctx, th_db *db, th_error *error)
{
    th_exchange *ex = ctx;
    return log_renew(ex, db, th_now_us(&ex->env) / TH_SECOND_US, NULL, error);
}

th_status th_exchange_restored(th_exchange *ex, th_error *error)
{
    return th_exchange_write(ex, restored_apply, ex, error);
}

/* Has `head`, signed by this node once, seen more than this node's log has? A later generation was opened by what is now lost; an
 * earlier one was sealed. */
static bool outrun(th_exchange *ex, const th_head *head, uint64_t size)
{
    char log[TH_LOG_TEXT];
    th_journal_log(ex->journal, log);
    int64_t seen = th_log_generation(th_str_of(head->log)), ours = th_log_generation(th_str_of(log));
    return seen > ours || (seen == ours && head->size > size);
}

typedef struct renew_change {
    th_change change;
    th_exchange *ex;
    th_head head;
} renew_change;

static th_status renew_change_apply(th_change *change, th_db *db, th_error *error)
{
    renew_change *r = change->ctx;
    if (!outrun(r->ex, &r->head, th_journal_next(r->ex->journal)))
        return TH_OK; /* renewed already, or the log has grown past it honestly */
    return log_renew(r->ex, db, th_log_generation(th_str_of(r->head.log)), &r->head, error);
}

static void renew_reply(th_change *change, th_status status, const th_error *error)
{
    (void)error;
    if (status)
        th_log(TH_LOG_ERROR, "journal-not-renewed", "status", th_status_name(status), NULL);
    th_free(change->ctx);
}

th_status th_exchange_own_head_seen(th_exchange *ex, const th_head *head, th_error *error)
{
    th_head own = {0};
    (void)error;
    bool any = th_journal_head_now(ex->journal, &own);
    if (!outrun(ex, head, any ? own.size : 0))
        return TH_OK;
    renew_change *r = th_new(sizeof *r);
    if (!r)
        return TH_NO_MEMORY;
    r->ex = ex;
    r->head = *head;
    r->change = (th_change){.apply = renew_change_apply, .reply = renew_reply, .ctx = r};
    th_status status = th_writer_submit(ex->writer, &r->change);
    if (status) {
        th_free(r);
        return status;
    }
    th_alarm_raise(ex, "own-log-behind", ex->code, "其他节点见过本节点更长的日志：本节点曾从备份恢复，已封存旧日志并启用新日志",
                   "Other nodes saw more of this node's log than it has: it was restored; the old log is sealed and a new one opened",
                   (th_str){NULL, 0});
    return TH_OK;
}

static bool head_of_text(th_str text, th_arena *arena, th_head *ret_head)
{
    const th_json *json;
    return text.n && th_json_parse(text, arena, &json, NULL) == TH_OK && th_head_read(json, ret_head, NULL) == TH_OK;
}

th_status th_gossip_open(th_exchange *ex, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_rows rows;
    th_status status = th_store_acquire(ex->store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 16u << 20);
    status = th_db_select(db, "SELECT member, newest, verified FROM exchange_log ORDER BY log", NULL, 0, &arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_head newest, verified;
        char member[TH_CODE_TEXT];
        if (!head_of_text(row[1].s, &arena, &newest) || !th_log_member(th_str_of(newest.log), member))
            continue;
        int k = member_index(ex, member);
        th_peer *peer = k >= 0 ? &ex->peers[k] : NULL;
        if (!peer)
            continue;
        int64_t generation = th_log_generation(th_str_of(newest.log)), ahead = th_log_generation(th_str_of(peer->state.head.log));
        const th_head *older = generation < ahead ? &newest : &peer->state.head; /* rows are in the order of text, where 10 comes before 2 */
        if (older->size && th_log_generation(th_str_of(older->log)) > th_log_generation(th_str_of(peer->former.log)))
            peer->former = *older;
        if (generation < ahead)
            continue;
        peer->state.head = newest;
        peer->verified = head_of_text(row[2].s, &arena, &verified) ? verified : newest;
    }
    th_arena_close(&arena);
    th_store_release(ex->store, db);
    return status;
}
