/* arrived.c — evidence that arrives with a case. The origin says what a register answered; the decision will rest on it, so the origin's word is
 * not enough: the register's own receipt has to name the question, which must be the one that the item defines for what this applicant said,
 * and the answer. What is not proved stands in the case as not verified, and the clerk sees that. */
#include "cases-private.h"

#include <string.h>

static bool same_json(const th_json *a, const th_json *b, th_arena *arena)
{
    th_buf left, right;
    th_buf_open(&left, arena, 64 * 1024);
    th_buf_open(&right, arena, 64 * 1024);
    return a && b && th_json_canonical(a, &left) == TH_OK && th_json_canonical(b, &right) == TH_OK && th_str_eq(th_buf_view(&left), th_buf_view(&right));
}

static bool question_fits(const th_item_evidence *defined, const th_json *secret, const th_message *question, th_arena *arena)
{
    th_buf buf;
    const th_json *wanted;
    th_buf_open(&buf, arena, 32 * 1024);
    th_pen pen = th_pen_on(&buf);
    return th_str_is(question->type, "verify") && th_evidence_question(defined, secret, &pen, NULL) == TH_OK && th_buf_ok(&buf) &&
           th_json_parse(th_buf_view(&buf), arena, &wanted, NULL) == TH_OK && same_json(wanted, question->body, arena);
}

/* The results as the register gave them; NULL when they are not proved. */
static const th_json *proved_results(th_cases *cases, const th_case *c, const th_item_evidence *defined, const th_json *secret, const th_json *e,
                                     th_arena *arena)
{
    th_message question;
    const th_json *answer, *receipt = th_json_get(e, "receipt");
    th_told told = {.provider = defined->provider, .consumer = c->origin, .id = th_json_str(e, "message"), .item = c->item,
                    .case_id = th_str_of(c->id), .question = th_json_str(e, "question"), .answer = th_json_str(e, "answer"),
                    .receipt = receipt ? receipt->raw : (th_str){NULL, 0}};
    if (th_exchange_proved(cases->exchange, &told, arena, &question, &answer, NULL) || !question_fits(defined, secret, &question, arena))
        return NULL;
    return th_json_get(answer, "results");
}

static th_status row_keep(th_db *db, const th_case *c, const th_item_evidence *defined, const th_json *e, const th_json *results, th_error *error)
{
    const th_json *receipt = th_json_get(e, "receipt");
    bool told = e && th_str_is(th_json_str(e, "state"), "answered");
    th_str problem = told ? TH_STR("unproved") : e ? th_json_str(e, "problem") : TH_STR("not-asked");
    th_value values[] = {th_v_text(th_str_of(c->id)), th_v_text(defined->id), th_v_text(defined->provider), th_v_text(defined->reg),
                         th_v_text(results ? TH_STR("answered") : TH_STR("refused")), th_v_text(results ? results->raw : (th_str){NULL, 0}),
                         th_v_text(th_json_str(e, "message")), th_v_text(results && receipt ? receipt->raw : (th_str){NULL, 0}),
                         th_v_text(results ? (th_str){NULL, 0} : problem), th_v_int(th_json_int(e, "answered_us", 0))};
    return th_db_exec(db,
                      "INSERT INTO cases_evidence (case_id, evidence, provider, register, state, results, message, receipt, "
                      "problem, attempts, next_at, answered_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, ?10) "
                      "ON CONFLICT (case_id, evidence) DO NOTHING",
                      values, TH_COUNT(values), NULL, error);
}

/* The item says which evidence there is, not the message. */
th_status th_evidence_arrived(th_cases *cases, th_db *db, const th_case *c, const th_case_item *item, const th_json *body, th_arena *arena, th_error *error)
{
    th_status status = TH_OK;
    const th_json *list = th_json_get(body, "evidence"), *secret = th_json_get(body, "secret");
    for (size_t i = 0; !status && i < item->evidence_count; i++) {
        const th_item_evidence *defined = &item->evidence[i];
        const th_json *e = th_json_first(list), *results = NULL;
        while (e && !th_str_eq(th_json_str(e, "evidence"), defined->id))
            e = th_json_next(list, e);
        bool answered = e && th_str_is(th_json_str(e, "state"), "answered");
        if (answered)
            results = proved_results(cases, c, defined, secret, e, arena);
        if (answered && !results)
            th_log(TH_LOG_WARN, "evidence-unproved", "case", c->id, NULL);
        status = row_keep(db, c, defined, e, results, error);
    }
    return status;
}
