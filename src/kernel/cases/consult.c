/* consult.c — joint handling (多地联办): the owner asks another administration's office; its opinion comes back as a request to the owner. */
#include "cases-private.h"

#include <string.h>

th_status th_consult_send(th_acting *a, th_db *db, const th_case *c, th_error *error)
{
    th_buf buf;
    const th_json *event;
    th_str member = th_json_str(a->body, "member");
    th_trust *trust = th_exchange_trust(a->cases->exchange);
    bool known = trust && th_trust_member(trust, member) && !th_str_is(member, a->cases->code);
    th_trust_release(trust);
    if (!known)
        return th_fail_field(error, "/member", "unknown-member", "不是区域内的另一成员", "Not another member of the region");
    th_status status = th_json_parse(a->event_json, a->arena, &event, error);
    if (status)
        return status;
    th_buf_open(&buf, a->arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "case", c->id);
    th_pen_kstr(&pen, "consult", th_json_str(event, "consult"));
    th_pen_kstr(&pen, "number", c->number);
    th_pen_kstr(&pen, "item", c->item);
    th_pen_kstr(&pen, "applicant", c->applicant_name);
    th_pen_kstr(&pen, "question", th_json_str(a->body, "question"));
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "too-long", "内容过长", "Too long");
    return th_outbox_put(a->cases->exchange, db, member, "case.consult", th_str_of(c->id), c->item, th_str_of(c->id), c->office,
                         th_buf_view(&buf), error);
}

th_status th_case_consult_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_cases *cases = ctx;
    bool provisional;
    th_str id, consult, number, item, question;
    const th_json *b = m->body;
    (void)arena;
    bool ok = th_json_want_str(b, "/body", "case", TH_ID_TEXT - 1, &id, error);
    ok = th_json_want_str(b, "/body", "consult", TH_ID_TEXT - 1, &consult, error) && ok;
    ok = th_json_want_str(b, "/body", "number", 40, &number, error) && ok;
    ok = th_json_want_str(b, "/body", "item", 64, &item, error) && ok;
    ok = th_json_want_str(b, "/body", "question", 8000, &question, error) && ok;
    if (!ok)
        return TH_INVALID;
    if (!th_uuid_valid(id) || !th_uuid_valid(consult))
        return th_fail_field(error, "/body/consult", "format", "编号须为 UUIDv7", "The id must be a UUIDv7");
    const th_limit *limit = th_limit_find(cases->rules, "consult");
    int64_t now = th_now_us(&cases->env);
    int32_t due = th_limit_due(cases->calendar, limit ? limit : cases->rules->decision, th_day_of(now), false, &provisional);
    th_str applicant = th_json_str(b, "applicant");
    th_value values[] = {th_v_text(id), th_v_text(consult), th_v_text(th_str_of(m->from)), th_v_text(number), th_v_text(item),
                         th_v_text(question), th_v_text(applicant.p ? applicant : TH_STR("")), th_v_int(th_day_end_us(due)), th_v_int(now)};
    answer->body = TH_STR("{}");
    return th_db_exec(db,
                      "INSERT INTO cases_consult (case_id, consult, asker, number, item, question, applicant, state, due_at, created_at) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'open', ?8, ?9) ON CONFLICT (case_id, consult) DO NOTHING",
                      values, TH_COUNT(values), NULL, error);
}

bool th_consult_known(th_db *db, th_str case_id, th_str asker)
{
    th_arena arena;
    const th_value *row;
    th_value values[] = {th_v_text(case_id), th_v_text(asker)};
    th_arena_open(&arena, 16 * 1024);
    bool known = th_db_one(db, "SELECT consult FROM cases_consult WHERE case_id = ?1 AND asker = ?2 LIMIT 1", values, 2, &arena, &row, NULL) == TH_OK;
    th_arena_close(&arena);
    return known;
}

/* ---- the asked office's list and answer ---- */

th_handled th_consults_list(th_request *rq)
{
    th_cases *cases = rq->module;
    th_db *db;
    th_rows rows;
    static const char *const texts[] = {"case", "consult", "asker", "number", "item", "question", "applicant", "state", "opinion", "words"};
    th_status status = th_store_acquire(cases->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_select(db,
                          "SELECT case_id, consult, asker, number, item, question, applicant, state, opinion, words, due_at, created_at "
                          "FROM cases_consult ORDER BY CASE WHEN state = 'open' THEN 0 ELSE 1 END, due_at LIMIT 200",
                          NULL, 0, &rq->arena, &rows, &rq->error);
    th_store_release(cases->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        const th_case_item *item = th_cases_item(cases, row[4].s);
        th_pen_object(&pen);
        for (size_t k = 0; k < TH_COUNT(texts); k++)
            th_pen_kstr(&pen, texts[k], row[k].s);
        th_pen_key(&pen, "title");
        th_pen_object(&pen);
        th_pen_kstr(&pen, "zh", item ? item->title_zh : row[4].s);
        th_pen_kstr(&pen, "en", item ? item->title_en : row[4].s);
        th_pen_end(&pen, '}');
        th_pen_ktime(&pen, "due", row[10].i);
        th_pen_ktime(&pen, "created", row[11].i);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

typedef struct answering {
    th_cases *cases;
    th_str case_id, consult, opinion, words;
    th_arena *arena;
} answering;

static th_status answer_write(void *ctx, th_db *db, th_error *error)
{
    answering *a = ctx;
    const th_value *row;
    th_buf buf;
    char request[TH_ID_TEXT];
    th_value key[] = {th_v_text(a->case_id), th_v_text(a->consult)};
    th_status status = th_db_one(db, "SELECT case_id, asker, item, state FROM cases_consult WHERE case_id = ?1 AND consult = ?2", key, 2,
                                 a->arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-consult", "没有这项征求意见", "There is no such question");
    if (!status && !th_str_is(row[3].s, "open"))
        return th_fail(error, TH_CONFLICT, "no-open-consult", "已经答复", "Answered already");
    if (status)
        return status;
    th_value values[] = {key[0], key[1], th_v_text(a->opinion), th_v_text(a->words)};
    status = th_db_exec(db, "UPDATE cases_consult SET state = 'answered', opinion = ?3, words = ?4 WHERE case_id = ?1 AND consult = ?2", values,
                        4, NULL, error);
    if (status)
        return status;
    th_uuid7(&a->cases->env, request);
    th_buf_open(&buf, a->arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "case", row[0].s);
    th_pen_ktext(&pen, "request", request);
    th_pen_ktext(&pen, "action", "answer-consult");
    th_pen_ktext(&pen, "by", "assist");
    th_pen_key(&pen, "body");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "consult", a->consult);
    th_pen_kstr(&pen, "opinion", a->opinion);
    th_pen_kstr(&pen, "text", a->words);
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "too-long", "内容过长", "Too long");
    return th_outbox_put(a->cases->exchange, db, row[1].s, "case.request", row[0].s, row[2].s, row[0].s, (th_str){NULL, 0},
                         th_buf_view(&buf), error);
}

th_status th_cases_consult_answer(th_cases *cases, th_str case_id, th_str consult, th_str opinion, th_str words, th_error *error)
{
    th_arena arena;
    if (!th_str_is(opinion, "agree") && !th_str_is(opinion, "disagree"))
        return th_fail_field(error, "/opinion", "enum", "须为 agree 或 disagree", "Must be agree or disagree");
    th_arena_open(&arena, 1 << 20);
    answering a = {.cases = cases, .case_id = case_id, .consult = consult, .opinion = opinion, .words = words, .arena = &arena};
    th_status status = th_cases_write(cases, answer_write, &a, error);
    th_arena_close(&arena);
    return status;
}

th_handled th_consult_answer(th_request *rq)
{
    static const char *const members[] = {"opinion", "text", NULL};
    th_str opinion, words;
    if (!th_json_only(rq->json, "", members, &rq->error) || !th_json_want_str(rq->json, "", "opinion", 16, &opinion, &rq->error) ||
        !th_json_want_str(rq->json, "", "text", 8000, &words, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    th_status status = th_cases_consult_answer(rq->module, rq->params[0], rq->params[1], opinion, words, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_buf_text(&rq->out, "{}");
    return th_reply_json(rq, 200);
}
