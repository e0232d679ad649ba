/* alarms.c — what governors and operators must look at: raised once, kept until a person has dealt with it, shown on the wall.
 *
 * An alarm is a change of its own that nobody waits for. The same alarm is not raised again while it is open, and one whose detail
 * names the occurrence never again. Two watches run at every tick: the clocks of peers, and the days that the trust document has. */
#include "routes-private.h"

#include <stdlib.h>
#include <string.h>

enum { SKEW_RAISE_S = 10, SKEW_CALM_S = 5, NOTE_MAX = 500 };

typedef struct alarm_change {
    th_change change;
    th_arena arena;
    th_exchange *ex;
    char id[TH_ID_TEXT];
    int64_t at_us;
    th_str kind, peer, zh, en, detail;
    bool is_new;
} alarm_change;

/* Evidence against a member stands in our own journal too: a head signed later covers it, whatever becomes of this store. */
static bool is_evidence(const alarm_change *a)
{
    return th_str_is(a->kind, "equivocation") || th_str_is(a->kind, "inconsistent-heads") || th_str_is(a->kind, "head-shrunk");
}

static th_status evidence_stage(alarm_change *a, th_error *error)
{
    th_buf buf;
    th_journal *journal = a->ex->journal;
    th_buf_open(&buf, &a->arena, TH_ENTRY_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kint(&pen, "index", (int64_t)th_journal_next(journal));
    th_pen_ktime(&pen, "at", th_journal_batch_time(journal));
    th_pen_ktext(&pen, "direction", "note");
    th_pen_kstr(&pen, "peer", a->peer);
    th_pen_kstr(&pen, "alarm", a->kind);
    th_pen_kraw(&pen, "evidence", a->detail);
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_journal_stage(journal, th_buf_view(&buf), NULL, error) : TH_TOO_LARGE;
}

static th_status alarm_apply(th_change *change, th_db *db, th_error *error)
{
    alarm_change *a = change->ctx;
    const th_value *row;
    th_value same[] = {th_v_text(a->kind), th_v_text(a->peer), th_v_text(a->detail)};
    th_status status = th_db_one(db,
                                 "SELECT id FROM exchange_alarm WHERE kind = ?1 AND peer = ?2 AND detail = ?3 AND (handled_at IS NULL OR detail <> '') "
                                 "LIMIT 1",
                                 same, TH_COUNT(same), &a->arena, &row, error);
    a->is_new = status == TH_NOT_FOUND;
    if (status != TH_NOT_FOUND)
        return status;
    th_value values[] = {th_v_text(th_str_of(a->id)), th_v_int(a->at_us), th_v_text(a->kind), th_v_text(a->peer),
                         th_v_text(a->zh), th_v_text(a->en), th_v_text(a->detail)};
    status = th_db_exec(db, "INSERT INTO exchange_alarm (id, at, kind, peer, zh, en, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                        values, TH_COUNT(values), NULL, error);
    return !status && is_evidence(a) ? evidence_stage(a, error) : status;
}

static void alarm_tell(alarm_change *a)
{
    th_buf buf;
    th_buf_open(&buf, &a->arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", a->id);
    th_pen_ktime(&pen, "at", a->at_us);
    th_pen_kstr(&pen, "kind", a->kind);
    th_pen_kstr(&pen, "peer", a->peer);
    th_pen_kstr(&pen, "zh", a->zh);
    th_pen_kstr(&pen, "en", a->en);
    th_pen_end(&pen, '}');
    if (th_buf_ok(&buf))
        th_exchange_notify(a->ex, "alarm", th_buf_view(&buf));
}

static void alarm_reply(th_change *change, th_status status, const th_error *error)
{
    alarm_change *a = change->ctx;
    (void)error;
    if (status)
        th_log(TH_LOG_ERROR, "alarm-not-kept", "status", th_status_name(status), NULL);
    else if (a->is_new)
        alarm_tell(a);
    th_arena_close(&a->arena);
    th_free(a);
}

void th_alarm_raise(th_exchange *ex, const char *kind, const char *peer, const char *zh, const char *en, th_str detail)
{
    th_log(TH_LOG_ERROR, "alarm", "kind", kind, "peer", peer, NULL);
    alarm_change *a = th_new(sizeof *a);
    if (!a)
        return;
    th_arena_open(&a->arena, 64 * 1024);
    a->ex = ex;
    th_uuid7(&ex->env, a->id);
    a->at_us = th_now_us(&ex->env);
    a->kind = th_str_keep(&a->arena, th_str_of(kind));
    a->peer = th_str_keep(&a->arena, th_str_of(peer));
    a->zh = th_str_keep(&a->arena, th_str_of(zh));
    a->en = th_str_keep(&a->arena, th_str_of(en));
    a->detail = th_str_keep(&a->arena, detail.p ? detail : TH_STR(""));
    a->change = (th_change){.apply = alarm_apply, .reply = alarm_reply, .ctx = a};
    if (th_writer_submit(ex->writer, &a->change))
        alarm_reply(&a->change, TH_BUSY, NULL);
}

/* ---- the watches ---- */

static void skew_watch(th_exchange *ex)
{
    struct { char code[TH_CODE_TEXT]; int64_t skew_us; } off[TH_MEMBERS_MAX];
    size_t n = 0;
    pthread_mutex_lock(&ex->lock);
    for (size_t i = 0; i < ex->peer_count; i++) {
        th_peer *peer = &ex->peers[i];
        int64_t size = llabs(peer->state.skew_us);
        if (size < SKEW_CALM_S * TH_SECOND_US)
            peer->skew_alarmed = false;
        if (size < SKEW_RAISE_S * TH_SECOND_US || peer->skew_alarmed)
            continue;
        peer->skew_alarmed = true;
        memcpy(off[n].code, peer->code, TH_CODE_TEXT);
        off[n++].skew_us = peer->state.skew_us;
    }
    pthread_mutex_unlock(&ex->lock);
    for (size_t i = 0; i < n; i++) {
        th_arena arena;
        th_arena_open(&arena, 4096);
        int64_t s = off[i].skew_us / TH_SECOND_US;
        th_str zh = th_strf(&arena, "时钟比本节点%s %lld 秒，请校时；相差过大时报文会被拒绝", s > 0 ? "慢" : "快", (long long)llabs(s));
        th_str en = th_strf(&arena, "Its clock is %lld s %s ours: set the time. Beyond the limit its messages are refused",
                            (long long)llabs(s), s > 0 ? "behind" : "ahead of");
        if (zh.p && en.p)
            th_alarm_raise(ex, "clock-skew", off[i].code, zh.p, en.p, (th_str){NULL, 0});
        th_arena_close(&arena);
    }
}

/* 30, 7 and 1 days before the end, and at the end: each once a document. */
static void expiry_watch(th_exchange *ex)
{
    static const int days[] = {0, 1, 7, 30};
    th_trust *trust = th_exchange_trust(ex);
    if (!trust)
        return;
    int64_t left = trust->expires_us - th_now_us(&ex->env), version = trust->version;
    th_trust_release(trust);
    int mark = -1;
    for (size_t i = 0; mark < 0 && i < TH_COUNT(days); i++)
        if (left <= days[i] * TH_DAY_US)
            mark = days[i];
    int64_t key = mark < 0 ? -1 : version * 100 + mark;
    if (key == ex->expiry_alarmed)
        return;
    ex->expiry_alarmed = key;
    if (mark < 0)
        return;
    th_arena arena;
    th_arena_open(&arena, 4096);
    th_str zh = mark ? th_strf(&arena, "信任文件将在 %d 天内到期，请治理者签发新版本", mark) : TH_STR("信任文件已到期，节点之间已停止交换；请治理者签发新版本");
    th_str en = mark ? th_strf(&arena, "The trust document expires within %d days: the governors must sign a new version", mark)
                     : TH_STR("The trust document has expired and exchange has stopped: the governors must sign a new version");
    th_str detail = th_strf(&arena, "version %lld, %d days", (long long)version, mark);
    if (zh.p && en.p)
        th_alarm_raise(ex, mark ? "trust-expires" : "trust-expired", ex->code, zh.p, en.p, detail);
    th_arena_close(&arena);
}

void th_alarms_tick(th_exchange *ex)
{
    skew_watch(ex);
    expiry_watch(ex);
}

/* ---- reading and dealing with ---- */

th_status th_exchange_alarms(th_db *db, th_arena *arena, th_alarm **ret_alarms, size_t *ret_n, th_error *error)
{
    th_rows rows;
    th_status status = th_db_select(db,
                                    "SELECT id, at, kind, peer, zh, en FROM exchange_alarm WHERE handled_at IS NULL ORDER BY at DESC, id DESC "
                                    "LIMIT 50",
                                    NULL, 0, arena, &rows, error);
    th_alarm *alarms = status ? NULL : th_alloc_array(arena, rows.n ? rows.n : 1, sizeof *alarms);
    if (!alarms)
        return status ? status : TH_NO_MEMORY;
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        alarms[i] = (th_alarm){.id = row[0].s, .at_us = row[1].i, .kind = row[2].s, .peer = row[3].s, .zh = row[4].s, .en = row[5].s};
    }
    *ret_alarms = alarms;
    *ret_n = rows.n;
    return TH_OK;
}

th_handled th_exchange_alarms_get(th_request *rq)
{
    static const char *const names[] = {"id", NULL, "kind", "peer", "zh", "en", "detail", NULL, "handled_by", "note"};
    th_exchange *ex = rq->module;
    th_db *db;
    th_rows rows = {0};
    th_status status = th_store_acquire(ex->store, &db, &rq->error);
    if (!status) {
        status = th_db_select(db,
                              "SELECT id, at, kind, peer, zh, en, detail, handled_at, handled_by, note FROM exchange_alarm "
                              "ORDER BY CASE WHEN handled_at IS NULL THEN 0 ELSE 1 END, at DESC, id DESC LIMIT 100",
                              NULL, 0, &rq->arena, &rows, &rq->error);
        th_store_release(ex->store, db);
    }
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_pen_object(&pen);
        for (size_t k = 0; k < TH_COUNT(names); k++)
            if (names[k])
                th_pen_kstr(&pen, names[k], row[k].s);
        th_pen_ktime(&pen, "at", row[1].i);
        th_pen_ktime(&pen, "handled", row[7].i);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

typedef struct handling {
    th_str id, by, note;
    int64_t at_us;
} handling;

static th_status handle_apply(void *ctx, th_db *db, th_error *error)
{
    handling *h = ctx;
    int64_t changed;
    th_value values[] = {th_v_text(h->id), th_v_int(h->at_us), th_v_text(h->by), th_v_text(h->note)};
    th_status status = th_db_exec(db,
                                  "UPDATE exchange_alarm SET handled_at = ?2, handled_by = ?3, note = ?4 WHERE id = ?1 AND handled_at IS NULL",
                                  values, TH_COUNT(values), &changed, error);
    if (!status && !changed) {
        const th_value *row;
        th_arena arena;
        th_arena_open(&arena, 4096);
        status = th_db_one(db, "SELECT 1 FROM exchange_alarm WHERE id = ?1", values, 1, &arena, &row, error);
        th_arena_close(&arena);
        if (status == TH_NOT_FOUND)
            return th_fail(error, TH_NOT_FOUND, "no-alarm", "没有这条告警", "There is no such alarm");
        if (status)
            return status;
        return th_fail(error, TH_CONFLICT, "alarm-handled", "这条告警已处理", "This alarm was handled already");
    }
    return status;
}

th_handled th_exchange_alarm_handle(th_request *rq)
{
    static const char *const allowed[] = {"note", NULL};
    th_exchange *ex = rq->module;
    handling h = {.id = rq->params[0], .by = rq->who.name, .at_us = th_now_us(&ex->env)};
    bool ok = th_json_only(rq->json, "", allowed, &rq->error) &&
              th_json_want_str(rq->json, "", "note", NOTE_MAX, &h.note, &rq->error);
    if (ok && th_str_has_controls(h.note))
        ok = !th_fail_field(&rq->error, "/note", "text", "说明不能含有控制字符", "The note must not hold control characters");
    th_status status = ok ? th_exchange_write(ex, handle_apply, &h, &rq->error) : TH_INVALID;
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_bytes(rq, 200, "application/json", TH_STR("{}"));
}
