/* outbox.c — effects that must reach another node: put in the transaction that causes them, drained by the link in order per
 * subject, admitted once at the receiver. */
#include "exchange-private.h"

#include <string.h>

enum { RETRY_FIRST_MS = 200, RETRY_MAX_MS = 30000 };

static void staged_note(th_exchange *ex, th_str to)
{
    for (size_t i = 0; i < ex->outbox_staged_count; i++)
        if (th_str_is(to, ex->outbox_staged[i]))
            return;
    if (ex->outbox_staged_count < TH_MEMBERS_MAX) {
        memcpy(ex->outbox_staged[ex->outbox_staged_count], to.p, to.n);
        ex->outbox_staged[ex->outbox_staged_count++][to.n] = 0;
    }
}

static th_status line_build(th_exchange *ex, th_str to, const char *type, const char *id, int64_t seq, th_str item,
                            th_str case_id, th_str office, th_str body, th_buf *buf)
{
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", id);
    th_pen_ktext(&pen, "type", type);
    th_pen_kstr(&pen, "to", to);
    th_pen_ktime(&pen, "at", th_now_us(&ex->env));
    th_pen_kint(&pen, "seq", seq);
    th_pen_key(&pen, "purpose");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "item", item);
    th_pen_kstr(&pen, "case", case_id);
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "actor");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "office", office);
    th_pen_end(&pen, '}');
    th_pen_kraw(&pen, "body", body);
    th_pen_end(&pen, '}');
    return th_buf_ok(buf) ? TH_OK : TH_TOO_LARGE;
}

th_status th_outbox_put(th_exchange *ex, th_db *db, th_str to, const char *type, th_str subject_key, th_str item, th_str case_id,
                        th_str office, th_str body, th_error *error)
{
    th_arena arena;
    const th_value *row;
    th_buf buf;
    char id[TH_ID_TEXT];
    pthread_mutex_lock(&ex->lock);
    bool member = th_peer_find(ex, to) != NULL;
    pthread_mutex_unlock(&ex->lock);
    if (!member) /* it would wait for ever for nobody */
        return th_fail(error, TH_INVALID, "unknown-member", "接收方不是区域成员", "The receiver is not a member of the region");
    th_arena_open(&arena, 8 * TH_LINE_MAX);
    th_value key = th_v_text(to);
    th_status status = th_db_one(db,
                                 "INSERT INTO exchange_outbox_sequence (peer, last) VALUES (?1, 1) "
                                 "ON CONFLICT (peer) DO UPDATE SET last = exchange_outbox_sequence.last + 1 RETURNING last",
                                 &key, 1, &arena, &row, error);
    if (status)
        goto out;
    int64_t seq = row[0].i;
    th_uuid7(&ex->env, id);
    th_buf_open(&buf, &arena, TH_LINE_MAX);
    status = line_build(ex, to, type, id, seq, item, case_id, office, body, &buf);
    if (status) {
        th_fail(error, status, "line-too-long", "报文超过 64 KiB", "The message is longer than 64 KiB");
        goto out;
    }
    int64_t now = th_now_us(&ex->env);
    th_value values[] = {th_v_text(to),        th_v_int(seq), th_v_text(th_str_of(id)), th_v_text(subject_key),
                         th_v_null(), th_v_int(now)};
    status = th_body_seal(ex, "line", th_str_of(id), th_buf_view(&buf), &arena, &values[4], error);
    if (status)
        goto out;
    status = th_db_exec(db,
                        "INSERT INTO exchange_outbox (peer, seq, id, subject_key, line, state, attempts, next_at, put_at) "
                        "VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?6)",
                        values, TH_COUNT(values), NULL, error);
    if (!status)
        staged_note(ex, to);
out:
    th_arena_close(&arena);
    return status;
}

/* Rows in order; a subject whose earlier row is held back (in backoff, in flight elsewhere or dead) waits with all that follows. */
th_status th_outbox_take(th_exchange *ex, th_peer *peer, size_t max, th_arena *arena, th_item **ret_items, size_t *ret_n,
                         int64_t *ret_due_us)
{
    th_db *db;
    th_rows rows;
    const th_value *due;
    th_status status = th_store_acquire(ex->store, &db, NULL);
    if (status)
        return status;
    int64_t now = th_now_us(&ex->env);
    th_value values[] = {th_v_text(th_str_of(peer->code)), th_v_int(now), th_v_int((int64_t)max)};
    status = th_db_select(db,
                          "SELECT o.seq, o.id, o.line, o.attempts FROM exchange_outbox o WHERE o.peer = ?1 AND o.state = 0 AND "
                          "o.next_at <= ?2 AND NOT EXISTS (SELECT 1 FROM exchange_outbox e WHERE e.peer = ?1 AND "
                          "e.subject_key = o.subject_key AND e.seq < o.seq AND (e.state = 2 OR e.next_at > ?2)) "
                          "ORDER BY o.seq LIMIT ?3",
                          values, 3, arena, &rows, NULL);
    *ret_due_us = INT64_MAX;
    if (!status)
        status = th_db_one(db, "SELECT MIN(next_at) FROM exchange_outbox WHERE peer = ?1 AND state = 0 AND next_at > ?2", values, 2, arena,
                           &due, NULL);
    if (!status && due[0].type == TH_VALUE_INT)
        *ret_due_us = due[0].i;
    th_store_release(ex->store, db);
    if (status)
        return status;
    th_item *items = th_alloc_array(arena, rows.n ? rows.n : 1, sizeof *items);
    if (!items)
        return TH_NO_MEMORY;
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_message message;
        items[i] = (th_item){.outbox_seq = row[0].i, .attempts = row[3].i};
        status = th_body_open(ex, "line", row[1].s, row[2].s, arena, &items[i].line, NULL);
        if (status)
            return status;
        if (th_message_read(items[i].line, arena, &message, NULL) == TH_OK) {
            items[i].item = message.item;
            items[i].case_id = message.case_id;
        }
        memcpy(items[i].id, row[1].s.p, row[1].s.n < TH_ID_TEXT ? row[1].s.n : TH_ID_TEXT - 1);
    }
    *ret_items = items;
    *ret_n = rows.n;
    return TH_OK;
}

/* Answered: gone when it was accepted; kept as dead, and shown, when the receiver refuses it for good. */
th_status th_outbox_settle(th_db *db, const char *peer, int64_t seq, const th_error *refusal, int64_t now_us, th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(peer)), th_v_int(seq), th_v_text(th_str_of(refusal ? refusal->type : NULL)),
                         th_v_int(now_us)};
    if (!refusal)
        return th_db_exec(db, "DELETE FROM exchange_outbox WHERE peer = ?1 AND seq = ?2", values, 2, NULL, error);
    return th_db_exec(db,
                      "UPDATE exchange_outbox SET state = 2, attempts = attempts + 1, error = ?3, next_at = ?4 "
                      "WHERE peer = ?1 AND seq = ?2",
                      values, 4, NULL, error);
}

/* Not this time: again later, ever later, and not all at one moment. */
th_status th_outbox_retry(th_exchange *ex, th_db *db, const char *peer, const th_item *item, int64_t now_us, th_error *error)
{
    uint16_t jitter;
    int64_t pause_ms = (int64_t)RETRY_FIRST_MS << (item->attempts < 8 ? item->attempts : 8);
    ex->env.random(ex->env.ctx, &jitter, sizeof jitter);
    pause_ms = pause_ms > RETRY_MAX_MS ? RETRY_MAX_MS : pause_ms;
    th_value values[] = {th_v_text(th_str_of(peer)), th_v_int(item->outbox_seq),
                         th_v_int(now_us + pause_ms * 1000 * (768 + jitter % 512) / 1024)};
    return th_db_exec(db,
                      "UPDATE exchange_outbox SET attempts = attempts + 1, next_at = ?3 WHERE peer = ?1 AND seq = ?2", values, 3,
                      NULL, error);
}

th_status th_outbox_backlog(th_db *db, th_arena *arena, th_backlog **ret_backlogs, size_t *ret_n)
{
    th_rows rows;
    th_status status = th_db_select(db,
                                    "SELECT peer, SUM(CASE WHEN state < 2 THEN 1 ELSE 0 END), "
                                    "SUM(CASE WHEN state = 2 THEN 1 ELSE 0 END), MIN(put_at) FROM exchange_outbox GROUP BY peer",
                                    NULL, 0, arena, &rows, NULL);
    if (status)
        return status;
    th_backlog *all = th_alloc_array(arena, rows.n ? rows.n : 1, sizeof *all);
    if (!all)
        return TH_NO_MEMORY;
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        memcpy(all[i].peer, row[0].s.p, row[0].s.n < TH_CODE_TEXT ? row[0].s.n : TH_CODE_TEXT - 1);
        all[i].waiting = row[1].i;
        all[i].dead = row[2].i;
        all[i].oldest_us = row[3].i;
    }
    *ret_backlogs = all;
    *ret_n = rows.n;
    return TH_OK;
}

th_status th_inbox_admit(th_db *db, const th_message *m, int64_t now_us, bool *ret_new, th_error *error)
{
    int64_t changed = 0;
    th_value values[] = {th_v_text(th_str_of(m->from)), th_v_int(m->sequence), th_v_text(th_str_of(m->id)), th_v_int(now_us)};
    th_status status = th_db_exec(db,
                                  "INSERT INTO exchange_inbox (origin, seq, id, at) VALUES (?1, ?2, ?3, ?4) "
                                  "ON CONFLICT (origin, seq, id) DO NOTHING",
                                  values, 4, &changed, error);
    if (!status)
        *ret_new = changed == 1;
    return status;
}
