/* retention.c — what is kept only for a while: the bodies of batches, and which ids were answered.
 *
 * A body names people; its hash in the journal does not. So bodies go when their time is over, and every receipt keeps its proof. Ids of
 * answered messages go after TH_ANSWER_DAYS: what comes again later is refused by its age. Work is done in small changes, a few a
 * second while there is some, so that nobody waits behind a spring clean. Batch ids are UUIDv7 of this node's own clock and message ids of
 * their sender's: both ascend with time, so the oldest are the first of the primary key. */
#include "exchange-private.h"

#include <string.h>

enum { BODIES_A_CHANGE = 100, ID_ROWS_A_CHANGE = 20, REST_S = 60 };

typedef struct sweeping {
    th_change change;
    th_exchange *ex;
    th_arena arena;
    char origins[TH_MEMBERS_MAX][TH_CODE_TEXT];
    size_t origin_count;
    int64_t swept;
} sweeping;

/* The smallest UUIDv7 of a moment; enough of it to compare. */
static th_value id_floor(int64_t at_us, uint8_t bytes[6])
{
    uint64_t ms = at_us > 0 ? (uint64_t)at_us / 1000 : 0;
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return th_v_blob(bytes, 6);
}

static th_status bodies_erase(sweeping *s, th_db *db, int64_t now_us, th_error *error)
{
    const th_value *row;
    uint8_t floor[6];
    int64_t changed = 0;
    th_status status = th_db_one(db, "SELECT id FROM exchange_erased WHERE what = 'bodies'", NULL, 0, &s->arena, &row, error);
    if (status && status != TH_NOT_FOUND)
        return status;
    th_value range[] = {status ? th_v_blob("", 0) : row[0], id_floor(now_us - s->ex->body_days * TH_DAY_US, floor),
                        th_v_int(BODIES_A_CHANGE)};
    th_rows rows;
    status = th_db_select(db, "SELECT id FROM exchange_batch WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3", range, 3, &s->arena, &rows,
                          error);
    if (status || !rows.n)
        return status;
    th_value reached[] = {range[0], th_row(&rows, rows.n - 1)[0]};
    status = th_db_exec(db, "UPDATE exchange_batch SET request = NULL, answer = NULL WHERE id > ?1 AND id <= ?2", reached, 2, &changed,
                        error);
    if (!status)
        status = th_db_exec(db,
                            "INSERT INTO exchange_erased (what, id) VALUES ('bodies', ?1) "
                            "ON CONFLICT (what) DO UPDATE SET id = excluded.id",
                            &reached[1], 1, NULL, error);
    s->swept += changed;
    return status;
}

static th_status ids_forget(sweeping *s, th_db *db, int64_t now_us, th_error *error)
{
    uint8_t floor[6];
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < s->origin_count; i++) {
        int64_t changed = 0;
        th_value values[] = {th_v_text(th_str_of(s->origins[i])), id_floor(now_us - TH_ANSWER_DAYS * TH_DAY_US, floor), th_v_int(ID_ROWS_A_CHANGE)};
        status = th_db_exec(db,
                            "DELETE FROM exchange_seen WHERE origin = ?1 AND last IN "
                            "(SELECT last FROM exchange_seen WHERE origin = ?1 AND last < ?2 ORDER BY last LIMIT ?3)",
                            values, 3, &changed, error);
        s->swept += changed;
    }
    return status;
}

static th_status sweep_apply(th_change *change, th_db *db, th_error *error)
{
    sweeping *s = change->ctx;
    int64_t now = th_now_us(&s->ex->env);
    s->swept = 0;
    th_status status = bodies_erase(s, db, now, error);
    return status ? status : ids_forget(s, db, now, error);
}

static void sweep_reply(th_change *change, th_status status, const th_error *error)
{
    sweeping *s = change->ctx;
    th_exchange *ex = s->ex;
    (void)error;
    if (status)
        th_log(TH_LOG_WARN, "retention", "status", th_status_name(status), NULL);
    pthread_mutex_lock(&ex->lock);
    ex->sweeping = false;
    ex->sweep_at_us = th_now_us(&ex->env) + (status || !s->swept ? REST_S * TH_SECOND_US : 0);
    pthread_mutex_unlock(&ex->lock);
    th_arena_close(&s->arena);
    th_free(s);
}

void th_retention_tick(th_exchange *ex)
{
    pthread_mutex_lock(&ex->lock);
    bool due = !ex->sweeping && th_now_us(&ex->env) >= ex->sweep_at_us;
    sweeping *s = due ? th_new(sizeof *s) : NULL;
    if (s) {
        ex->sweeping = true;
        for (size_t i = 0; i < ex->peer_count; i++)
            memcpy(s->origins[s->origin_count++], ex->peers[i].code, TH_CODE_TEXT);
    }
    pthread_mutex_unlock(&ex->lock);
    if (!s)
        return;
    s->ex = ex;
    th_arena_open(&s->arena, 1u << 20);
    s->change = (th_change){.apply = sweep_apply, .reply = sweep_reply, .ctx = s};
    if (th_writer_submit(ex->writer, &s->change))
        sweep_reply(&s->change, TH_BUSY, NULL);
}
