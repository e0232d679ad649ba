/* request.c — an action asked for at another node arrives at the owner, or is refused there in words that go back; and what happens by itself. */
#include "cases-private.h"

#include <string.h>

/* The asker hears why, as an event of the case that moves nothing. */
static th_status refusal_send(th_cases *cases, th_db *db, th_case *c, th_str to, const char *request, const th_error *why, th_arena *arena,
                              th_error *error)
{
    th_buf buf;
    th_fold fold;
    th_buf_open(&buf, arena, 8 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "kind", "request_refused");
    th_pen_ktext(&pen, "request", request);
    th_pen_ktext(&pen, "problem", why->type);
    th_pen_ktext(&pen, "zh", why->field_count ? why->fields[0].zh : why->zh);
    th_pen_ktext(&pen, "en", why->field_count ? why->fields[0].en : why->en);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    th_case_event event = {.kind = TH_STR("request_refused"), .json = th_buf_view(&buf), .at_us = th_now_us(&cases->env)};
    th_status status = th_case_fold(cases, db, c, arena, &fold, error);
    if (!status)
        status = th_case_append(cases, db, c, &fold, &event, error);
    /* An office that was asked hears it too, though it keeps no copy. */
    if (!status && !th_str_eq(to, c->origin))
        status = th_case_event_send(cases, db, c, to, &event, error);
    return status ? status : th_case_event_send(cases, db, c, c->origin, &event, error);
}

typedef struct asked {
    th_str case_id, request, action, by, id_number;
    const th_json *body;
} asked;

static th_status asked_read(const th_json *b, asked *r, th_error *error)
{
    bool ok = th_json_want_str(b, "/body", "case", TH_ID_TEXT - 1, &r->case_id, error);
    ok = th_json_want_str(b, "/body", "request", TH_ID_TEXT - 1, &r->request, error) && ok;
    ok = th_json_want_str(b, "/body", "action", TH_ACTION_TEXT - 1, &r->action, error) && ok;
    ok = th_json_want_str(b, "/body", "by", 16, &r->by, error) && ok;
    ok = th_json_want_object(b, "/body", "body", &r->body, error) && ok;
    r->id_number = th_json_str(b, "id_number");
    if (ok && !th_uuid_valid(r->request))
        return th_fail_field(error, "/body/request", "format", "编号须为 UUIDv7", "The id must be a UUIDv7");
    return ok ? TH_OK : TH_INVALID;
}

/* Another node may speak for the applicant and for its counter only where it collected the case, and for her with her number besides: the number
 * alone is known to many registers. For an office it speaks only where it was asked (assist_check). */
static unsigned speaker(th_cases *cases, const th_message *m, const th_case *c, const asked *r)
{
    char subject[TH_SUBJECT_TEXT];
    unsigned by = th_by_parse(r->by);
    if ((by & (TH_BY_APPLICANT | TH_BY_COLLECTOR)) && !th_str_is(c->origin, m->from))
        return 0;
    if (by == TH_BY_APPLICANT && r->id_number.n) {
        th_people_subject(cases->secret, r->id_number, subject);
        return th_str_is(c->subject, subject) ? by : 0;
    }
    if (by == TH_BY_COLLECTOR)
        return by;
    return by == TH_BY_ASSIST ? by : 0;
}

/* The office that answers must be one that was asked, once for each question. */
static th_status assist_check(th_cases *cases, th_db *db, const th_message *m, const asked *r, th_arena *arena, th_error *error)
{
    th_rows rows;
    bool was_asked = false, answered = false;
    (void)cases;
    th_str consult = th_json_str(r->body, "consult");
    th_value key = th_v_text(r->case_id);
    th_status status = th_db_select(db,
                                    "SELECT kind, json FROM cases_event WHERE case_id = ?1 AND kind IN ('consulted', 'consult_answered')",
                                    &key, 1, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_json *json;
        const th_value *row = th_row(&rows, i);
        if (th_json_parse(row[1].s, arena, &json, NULL) || !th_str_eq(th_json_str(json, "consult"), consult))
            continue;
        answered = answered || th_str_is(row[0].s, "consult_answered");
        was_asked = was_asked || (th_str_is(row[0].s, "consulted") && th_str_is(th_json_str(json, "member"), m->from));
    }
    if (!status && (!was_asked || answered))
        status = th_fail(error, TH_CONFLICT, "no-open-consult", "没有这项待答复的征求意见", "There is no such open question");
    return status;
}

static th_status asked_act(th_cases *cases, th_db *db, const th_message *m, th_case *c, const asked *r, th_arena *arena, th_acting *ret_acting,
                           th_error *error)
{
    th_acting a = {.cases = cases, .action = th_machine_action(cases->machine, r->action), .body = r->body, .arena = arena};
    memcpy(a.request, r->request.p, r->request.n);
    if (!a.action || !(a.action->by & (TH_BY_APPLICANT | TH_BY_COLLECTOR | TH_BY_ASSIST)))
        return th_fail(error, TH_NOT_FOUND, "no-action", "没有这个操作", "There is no such action");
    a.by = speaker(cases, m, c, r);
    if (!a.by)
        return th_fail(error, TH_FORBIDDEN, "not-yours-to-do", "这一步不由您办理", "This step is not yours to do");
    th_status status = th_action_body_check(a.action, cases->rules, r->body, error);
    if (!status && a.by == TH_BY_ASSIST)
        status = assist_check(cases, db, m, r, arena, error);
    if (!status)
        status = th_act_owned(&a, db, c, error);
    *ret_acting = a;
    return status;
}

static bool is_the_store(const th_db *db, th_status status)
{
    return status && (th_db_failed(db) || status == TH_NO_MEMORY || status == TH_BUSY);
}

th_status th_case_request_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_cases *cases = ctx;
    th_case c;
    asked r;
    th_acting a = {0};
    th_error why = {0};
    th_status status = asked_read(m->body, &r, error);
    if (!status)
        status = th_case_get(cases, db, r.case_id, arena, &c, error);
    if (status)
        return status;
    if (!th_str_is(c.owner, cases->code))
        return th_fail(error, TH_FORBIDDEN, "not-the-owner", "该办件由另一节点决定", "Another node decides this case");
    answer->body = TH_STR("{}");
    status = th_db_exec(db, "SAVEPOINT asked", NULL, 0, NULL, error);
    if (status)
        return status;
    th_status outcome = asked_act(cases, db, m, &c, &r, arena, &a, &why);
    if (is_the_store(db, outcome)) {
        *error = why;
        return outcome;
    }
    if (outcome)
        status = th_db_exec(db, "ROLLBACK TO SAVEPOINT asked", NULL, 0, NULL, error);
    if (!status)
        status = th_db_exec(db, "RELEASE SAVEPOINT asked", NULL, 0, NULL, error);
    if (!status && outcome) { /* the message itself was right: what it asked for is answered in the case */
        status = th_case_get(cases, db, r.case_id, arena, &c, error);
        char request[TH_ID_TEXT] = "";
        memcpy(request, r.request.p, r.request.n);
        if (!status)
            status = refusal_send(cases, db, &c, th_str_of(m->from), request, &why, arena, error);
    }
    return status;
}

/* ---- what happens by itself ---- */

typedef struct ringing {
    th_acting a;
    char case_id[TH_ID_TEXT];
    bool rang;
} ringing;

static th_status timer_write(void *ctx, th_db *db, th_error *error)
{
    ringing *r = ctx;
    th_case c;
    th_fold fold;
    const char *action = NULL;
    th_cases *cases = r->a.cases;
    th_status status = th_case_get(cases, db, th_str_of(r->case_id), r->a.arena, &c, error);
    if (!status)
        status = th_case_fold(cases, db, &c, r->a.arena, &fold, error);
    if (status)
        return status;
    th_fold_in in = th_case_fold_in(cases, &c);
    int64_t at = th_fold_timer(&in, &fold, &action);
    if (!at || at > th_now_us(&cases->env))
        return TH_OK; /* somebody was quicker */
    r->a.action = th_machine_action(cases->machine, th_str_of(action));
    r->a.by = TH_BY_TIMER;
    r->rang = true;
    return th_act_owned(&r->a, db, &c, error);
}

void th_case_timers_tick(th_cases *cases)
{
    enum { AT_ONCE = 100 };
    th_db *db;
    th_arena arena, each;
    th_rows rows = {0};
    if (th_store_acquire(cases->store, &db, NULL))
        return;
    th_arena_open(&arena, 1u << 20);
    th_arena_open(&each, 8u << 20);
    th_value values[] = {th_v_int(th_now_us(&cases->env)), th_v_int(AT_ONCE)};
    th_status status = th_db_select(db, "SELECT id FROM cases_case WHERE timer_at <= ?1 ORDER BY timer_at LIMIT ?2", values, 2, &arena, &rows,
                                    NULL);
    th_store_release(cases->store, db);
    for (size_t i = 0; !status && i < rows.n; i++) {
        ringing r = {.a = {.cases = cases, .arena = &each}};
        th_error error = {0};
        th_str id = th_row(&rows, i)[0].s;
        memcpy(r.case_id, id.p, id.n < TH_ID_TEXT ? id.n : TH_ID_TEXT - 1);
        th_arena_reset(&each);
        if (th_json_parse(TH_STR("{}"), &each, &r.a.body, NULL) || th_cases_write(cases, timer_write, &r, &error))
            th_log(TH_LOG_WARN, "case-timer", "type", error.type, NULL);
        else if (r.rang)
            th_case_told(cases, id, r.a.event_json);
    }
    th_arena_close(&each);
    th_arena_close(&arena);
}
