/* evidence.c — facts fetched instead of papers carried: each evidence of a case is asked at its register, and asked again until it is
 * answered; the answer with its receipt is an event; when all are there the case is handed over, in the same commit. */
#include "cases-private.h"

#include <string.h>

enum { EVIDENCE_MAX = 16, RETRY_S = 3, DEADLINE_S = 8, UNREACHABLE_AFTER = 1000, UNKEPT_MAX = 256 };

typedef struct th_asking {
    th_ask ask;
    th_change change;
    th_arena arena;
    th_cases *cases;
    char case_id[TH_ID_TEXT];
    th_str evidence, event_json;
    bool is_event; /* the answer became an event of the case */
    struct th_asking *next; /* of those that the store could not take */
} asking;

/* {"id_number":"$id_number","name":"$name","certificate":"certificate_number"}: $ names the applicant's own, others form fields. */
static th_status map_write(th_pen *pen, const th_json *map, const th_json *secret, th_error *error)
{
    const th_json *form = th_json_get(secret, "form");
    th_pen_object(pen);
    for (const th_json *m = th_json_first(map); m; m = th_json_next(map, m)) {
        th_str source = m->text;
        const th_json *value = th_str_starts(source, "$") ? th_json_get_str(secret, (th_str){source.p + 1, source.n - 1})
                                                          : th_json_get_str(form, source);
        if (!value)
            return th_failf(error, TH_UNPROCESSABLE, "evidence-map", "材料所需的表单项 %.*s 缺失",
                            "The form field %.*s that the evidence needs is missing", TH_FMT(source));
        th_pen_key_str(pen, m->key);
        th_pen_raw(pen, value->raw);
    }
    th_pen_end(pen, '}');
    return TH_OK;
}

/* What the register is asked: from the item's definition and what the applicant said. */
th_status th_evidence_question(const th_item_evidence *e, const th_json *secret, th_pen *pen, th_error *error)
{
    th_pen_object(pen);
    th_pen_kstr(pen, "register", e->reg);
    th_pen_key(pen, "key");
    th_status status = map_write(pen, th_json_get(e->json, "key"), secret, error);
    th_pen_key(pen, "claims");
    if (!status)
        status = map_write(pen, th_json_get(e->json, "claims"), secret, error);
    th_pen_end(pen, '}');
    return status;
}

const th_item_evidence *th_evidence_of(const th_case_item *item, th_str id)
{
    for (size_t i = 0; i < item->evidence_count; i++)
        if (th_str_eq(item->evidence[i].id, id))
            return &item->evidence[i];
    return NULL;
}

/* ---- the answer ---- */

static void event_compose(asking *a, const char *state)
{
    th_buf buf;
    const th_json *root = NULL;
    th_buf_open(&buf, &a->arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "kind", "evidence");
    th_pen_kstr(&pen, "evidence", a->evidence);
    th_pen_ktext(&pen, "state", state);
    if (a->ask.status == TH_OK && th_json_parse(a->ask.answer, &a->arena, &root, NULL) == TH_OK && th_json_get(root, "results"))
        th_pen_kraw(&pen, "results", th_json_get(root, "results")->raw);
    if (a->ask.status)
        th_pen_ktext(&pen, "problem", a->ask.error.type);
    th_pen_end(&pen, '}');
    a->event_json = th_buf_view(&buf);
}

/* Of the moment, not about the person: asked again, not written down as the register's answer. */
static bool is_temporary(th_status status, const th_error *error)
{
    th_error e = *error;
    e.status = status;
    return status && th_refusal_passes(&e);
}

static th_status row_update(asking *a, th_db *db, const char *state, int64_t now, bool *ret_changed, th_error *error)
{
    int64_t changed;
    const th_json *root = NULL;
    th_str results = {NULL, 0};
    if (a->ask.status == TH_OK && th_json_parse(a->ask.answer, &a->arena, &root, NULL) == TH_OK && th_json_get(root, "results"))
        results = th_json_get(root, "results")->raw;
    th_str problem = a->ask.status ? th_str_of(a->ask.error.type) : (th_str){NULL, 0};
    th_value values[] = {th_v_text(th_str_of(a->case_id)), th_v_text(a->evidence), th_v_text(th_str_of(state)), th_v_text(results),
                         th_v_text(th_str_of(a->ask.id)), th_v_text(a->ask.receipt), th_v_text(problem), th_v_int(now)};
    /* Only a waiting row takes an answer: a second answer to the same question changes nothing. */
    th_status status = th_db_exec(db,
                                  "UPDATE cases_evidence SET state = ?3, results = ?4, message = ?5, receipt = ?6, problem = ?7, "
                                  "answered_at = ?8 WHERE case_id = ?1 AND evidence = ?2 AND state = 'waiting'",
                                  values, TH_COUNT(values), &changed, error);
    *ret_changed = changed == 1;
    return status;
}

static th_status answer_apply(th_change *change, th_db *db, th_error *error)
{
    asking *a = change->ctx;
    int64_t now = th_now_us(&a->cases->env);
    bool changed;
    a->is_event = false;
    if (is_temporary(a->ask.status, &a->ask.error)) {
        th_value values[] = {th_v_text(th_str_of(a->case_id)), th_v_text(a->evidence), th_v_int(now + RETRY_S * TH_SECOND_US),
                             th_v_text(th_str_of(a->ask.error.type))};
        return th_db_exec(db,
                          "UPDATE cases_evidence SET attempts = attempts + 1, next_at = ?3, problem = ?4 "
                          "WHERE case_id = ?1 AND evidence = ?2 AND state = 'waiting'",
                          values, 4, NULL, error);
    }
    const char *state = a->ask.status == TH_OK ? "answered" : "refused";
    th_status status = row_update(a, db, state, now, &changed, error);
    if (status || !changed)
        return status;
    th_case_event event = {.kind = TH_STR("evidence"), .json = a->event_json, .message = th_str_of(a->ask.id), .at_us = now};
    th_case c;
    status = th_case_get(a->cases, db, th_str_of(a->case_id), &a->arena, &c, error);
    if (!status)
        status = th_case_note(a->cases, db, &c, &event, &a->arena, error);
    if (!status)
        status = th_handover_when_ready(a->cases, db, a->case_id, error);
    a->is_event = status == TH_OK;
    return status;
}

static void asking_free(asking *a)
{
    th_arena_close(&a->arena);
    th_free(a);
}

/* The store could not take it, full or failing at the moment: the answer is kept for the next tick. Asking again would be another look. */
static bool unkept_put(asking *a, th_status status)
{
    th_cases *cases = a->cases;
    if (status != TH_IO && status != TH_NO_SPACE && status != TH_BUSY)
        return false;
    pthread_mutex_lock(&cases->lock);
    bool room = cases->unkept_count < UNKEPT_MAX;
    if (room) {
        a->next = cases->unkept;
        cases->unkept = a;
        cases->unkept_count++;
    }
    pthread_mutex_unlock(&cases->lock);
    return room;
}

static asking *unkept_take(th_cases *cases)
{
    pthread_mutex_lock(&cases->lock);
    asking *all = cases->unkept;
    cases->unkept = NULL;
    cases->unkept_count = 0;
    pthread_mutex_unlock(&cases->lock);
    return all;
}

void th_evidence_drop(th_cases *cases)
{
    for (asking *a = unkept_take(cases), *next; a; a = next) {
        next = a->next;
        asking_free(a);
    }
}

static void answer_reply(th_change *change, th_status status, const th_error *error)
{
    asking *a = change->ctx;
    (void)error;
    if (status && unkept_put(a, status))
        return;
    if (status)
        th_log(TH_LOG_ERROR, "evidence-not-kept", "status", th_status_name(status), NULL);
    else if (a->is_event)
        th_case_told(a->cases, th_str_of(a->case_id), a->event_json);
    asking_free(a);
}

static void unkept_again(th_cases *cases)
{
    for (asking *a = unkept_take(cases), *next; a; a = next) {
        next = a->next;
        if (th_writer_submit(cases->writer, &a->change))
            answer_reply(&a->change, TH_BUSY, NULL);
    }
}

static void asked_done(th_ask *ask)
{
    asking *a = ask->ctx;
    event_compose(a, ask->status == TH_OK ? "answered" : "refused");
    a->change = (th_change){.apply = answer_apply, .reply = answer_reply, .ctx = a};
    th_status status = th_writer_submit(a->cases->writer, &a->change);
    if (status)
        answer_reply(&a->change, status, NULL);
}

/* ---- asking ---- */

static th_status one_ask(th_cases *cases, const th_case *c, const th_case_item *item, const th_json *secret, const th_value *row,
                         th_error *error)
{
    const th_item_evidence *e = th_evidence_of(item, row[0].s);
    if (!e)
        return TH_OK;
    asking *a = th_new(sizeof *a);
    if (!a)
        return TH_NO_MEMORY;
    th_arena_open(&a->arena, 4u << 20);
    a->cases = cases;
    memcpy(a->case_id, c->id, sizeof a->case_id);
    a->evidence = th_str_keep(&a->arena, row[0].s);
    th_buf buf;
    th_buf_open(&buf, &a->arena, 32 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_status status = th_evidence_question(e, secret, &pen, error);
    th_str office = th_json_str(e->json, "asking_office");
    a->ask = (th_ask){.provider = e->provider,
                      .type = TH_STR("verify"),
                      .item = item->code,
                      .case_id = th_str_of(a->case_id),
                      .office = th_str_keep(&a->arena, office.n ? office : item->office),
                      .operator_account = c->account.n ? th_str_keep(&a->arena, c->account) : c->account,
                      .consent = row[1].s.n ? th_str_keep(&a->arena, row[1].s) : (th_str){NULL, 0},
                      .body = th_buf_view(&buf),
                      .deadline_us = th_now_us(&cases->env) + DEADLINE_S * TH_SECOND_US,
                      .done = asked_done,
                      .ctx = a,
                      .arena = &a->arena};
    if (c->subject.n == 32)
        memcpy(a->ask.subject, c->subject.p, 32);
    if (!status)
        status = th_exchange_ask(cases->exchange, &a->ask, 1, error);
    if (status && error && error->status && is_temporary(status, error)) {
        th_arena_close(&a->arena);
        th_free(a);
        return status;
    }
    if (status) { /* refused here already: that is the answer */
        a->ask.status = status;
        if (error)
            a->ask.error = *error;
        asked_done(&a->ask);
    }
    return TH_OK;
}

/* Waiting rows are claimed by moving their next try, so that the tick and the start do not both ask. */

static th_status rows_claim(th_cases *cases, th_db *db, th_str case_id, int64_t now, th_arena *arena, th_rows *ret_rows,
                            th_error *error)
{
    (void)cases;
    th_value values[] = {th_v_text(case_id), th_v_int(now)};
    return th_db_select(db,
                        "SELECT evidence, consent FROM cases_evidence WHERE case_id = ?1 AND state = 'waiting' AND next_at <= ?2 "
                        "ORDER BY evidence",
                        values, 2, arena, ret_rows, error);
}

typedef struct claiming {
    th_change change;
    th_arena arena;
    th_cases *cases;
    char case_id[TH_ID_TEXT];
    th_rows rows;
    th_case c;
} claiming;

static th_status claim_apply(th_change *change, th_db *db, th_error *error)
{
    claiming *k = change->ctx;
    int64_t now = th_now_us(&k->cases->env);
    th_status status = th_case_get(k->cases, db, th_str_of(k->case_id), &k->arena, &k->c, error);
    if (!status)
        status = rows_claim(k->cases, db, th_str_of(k->case_id), now, &k->arena, &k->rows, error);
    if (!status && k->rows.n) {
        th_value values[] = {th_v_text(th_str_of(k->case_id)), th_v_int(now), th_v_int(now + (DEADLINE_S + RETRY_S) * TH_SECOND_US)};
        status = th_db_exec(db,
                            "UPDATE cases_evidence SET next_at = ?3 WHERE case_id = ?1 AND state = 'waiting' AND next_at <= ?2",
                            values, 3, NULL, error);
    }
    return status;
}

static void claim_reply(th_change *change, th_status status, const th_error *unused)
{
    claiming *k = change->ctx;
    th_error error = {0};
    const th_json *secret;
    (void)unused;
    const th_case_item *item = status ? NULL : th_case_item_of(k->cases, &k->c);
    if (item && th_case_secret_open(k->cases, k->case_id, k->c.secret, &k->arena, &secret, &error) == TH_OK)
        for (size_t i = 0; i < k->rows.n; i++) {
            th_error why = {0};
            if (one_ask(k->cases, &k->c, item, secret, th_row(&k->rows, i), &why))
                th_log(TH_LOG_INFO, "evidence-later", "type", why.type, NULL);
        }
    th_arena_close(&k->arena);
    th_free(k);
}

th_status th_evidence_ask(th_cases *cases, th_str case_id, th_error *error)
{
    claiming *k = th_new(sizeof *k);
    if (!k || case_id.n >= TH_ID_TEXT) {
        th_free(k);
        return TH_NO_MEMORY;
    }
    th_arena_open(&k->arena, 4u << 20);
    k->cases = cases;
    memcpy(k->case_id, case_id.p, case_id.n);
    k->change = (th_change){.apply = claim_apply, .reply = claim_reply, .ctx = k};
    th_status status = th_writer_submit(cases->writer, &k->change);
    if (status) {
        th_arena_close(&k->arena);
        th_free(k);
        return th_fail(error, status, "writer-busy", "本节点繁忙，请稍后再试", "This node is busy; try again shortly");
    }
    return TH_OK;
}

/* After a start, a crash or a cut: whatever still waits and is due. */
void th_cases_tick(th_cases *cases)
{
    th_case_recount_tick(cases);
    th_case_timers_tick(cases);
    th_material_tick(cases);
    unkept_again(cases);
    th_db *db;
    th_arena arena;
    th_rows rows = {0};
    if (th_store_acquire(cases->store, &db, NULL))
        return;
    th_arena_open(&arena, 4u << 20);
    th_value now = th_v_int(th_now_us(&cases->env));
    th_status status = th_db_select(db,
                                    "SELECT DISTINCT case_id FROM cases_evidence WHERE state = 'waiting' AND next_at <= ?1 LIMIT 200",
                                    &now, 1, &arena, &rows, NULL);
    th_store_release(cases->store, db);
    for (size_t i = 0; !status && i < rows.n; i++)
        status = th_evidence_ask(cases, th_row(&rows, i)[0].s, NULL);
    th_arena_close(&arena);
}
