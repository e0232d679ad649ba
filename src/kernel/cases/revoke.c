/* revoke.c — the applicant takes back an agreement: the provider is told, a question still open is closed, and the timeline says so.
 * Answers that came before stand (个人信息保护法 article 15). */
#include "cases-private.h"

#include <string.h>

/* One evidence of a case at the node that signed its consent. */
static th_status one_revoke(th_cases *cases, th_db *db, const th_case *c, const th_value *row, const char *problem, int64_t now,
                            th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(c->id)), th_v_text(row[0].s), th_v_int(now), th_v_text(th_str_of(problem))};
    th_status status = th_consent_revoke(cases->exchange, db, row[1].s, error);
    if (!status)
        status = th_db_exec(db, "UPDATE cases_evidence SET revoked_at = ?3 WHERE case_id = ?1 AND evidence = ?2", values, 3, NULL, error);
    if (!status)
        status = th_db_exec(db,
                            "UPDATE cases_evidence SET state = 'refused', problem = ?4, answered_at = ?3 WHERE case_id = ?1 AND "
                            "evidence = ?2 AND state = 'waiting'",
                            values, 4, NULL, error);
    return status;
}

th_status th_consents_end(th_cases *cases, th_db *db, const th_case *c, int64_t now, th_arena *arena, th_error *error)
{
    th_rows rows;
    th_value key = th_v_text(th_str_of(c->id));
    th_status status = th_db_select(db,
                                    "SELECT evidence, consent FROM cases_evidence WHERE case_id = ?1 AND consent IS NOT NULL AND "
                                    "revoked_at IS NULL ORDER BY evidence",
                                    &key, 1, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++)
        status = one_revoke(cases, db, c, th_row(&rows, i), "withdrawn", now, error);
    /* What is verified by law needs no consent, but nobody needs the answer any more. */
    th_value values[] = {key, th_v_int(now)};
    if (!status)
        status = th_db_exec(db,
                            "UPDATE cases_evidence SET state = 'refused', problem = 'withdrawn', answered_at = ?2 WHERE case_id = ?1 AND "
                            "state = 'waiting'",
                            values, 2, NULL, error);
    return status;
}

typedef struct revoking {
    th_cases *cases;
    th_str case_id, evidence, event_json;
    const th_who *who;
    th_arena *arena;
} revoking;

static th_status revoke_write(void *ctx, th_db *db, th_error *error)
{
    revoking *r = ctx;
    th_case c;
    const th_value *row;
    int64_t now = th_now_us(&r->cases->env);
    th_status status = th_case_get(r->cases, db, r->case_id, r->arena, &c, error);
    if (status)
        return status;
    if (!r->who->subject.n || !th_str_eq(r->who->subject, c.subject))
        return th_fail(error, TH_NOT_FOUND, "no-case", "没有这个办件", "There is no such case");
    th_value keys[] = {th_v_text(r->case_id), th_v_text(r->evidence)};
    status = th_db_one(db, "SELECT evidence, consent FROM cases_evidence WHERE case_id = ?1 AND evidence = ?2 AND consent IS NOT NULL AND "
                           "revoked_at IS NULL",
                       keys, 2, r->arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, TH_CONFLICT, "no-consent", "这项材料没有可以撤回的同意", "There is no agreement to take back for this evidence");
    if (!status)
        status = one_revoke(r->cases, db, &c, row, "consent-revoked", now, error);
    th_case_event event = {.kind = TH_STR("consent_revoked"), .actor = r->who->account, .json = r->event_json, .at_us = now};
    if (!status)
        status = th_case_note(r->cases, db, &c, &event, r->arena, error);
    return status ? status : th_handover_when_ready(r->cases, db, c.id, error);
}

static th_status revoke(th_cases *cases, th_request *rq)
{
    static const char *const allowed[] = {"evidence", NULL};
    revoking r = {.cases = cases, .case_id = rq->params[0], .who = &rq->who, .arena = &rq->arena};
    if (!th_json_only(rq->json, "", allowed, &rq->error) || !th_json_want_str(rq->json, "", "evidence", 64, &r.evidence, &rq->error))
        return TH_INVALID;
    th_buf buf;
    th_buf_open(&buf, &rq->arena, 512);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "kind", "consent_revoked");
    th_pen_kstr(&pen, "evidence", r.evidence);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    r.event_json = th_buf_view(&buf);
    th_status status = th_cases_write(cases, revoke_write, &r, &rq->error);
    if (!status)
        th_case_told(cases, r.case_id, r.event_json);
    return status;
}

th_handled th_cases_revoke(th_request *rq)
{
    th_status status = revoke(rq->module, rq);
    return status ? th_reply_problem(rq, status, NULL) : th_cases_get(rq);
}
