/* routes.c — cases over HTTP. */
#include "cases-private.h"

#include <string.h>

/* ---- starting ---- */

typedef struct posting {
    th_case_start start;
    th_request *rq;
} posting;

static th_handled case_reply(th_request *rq, th_str id, int http_status)
{
    th_cases *cases = rq->module;
    th_db *db;
    th_str json;
    th_status status = th_store_acquire(cases->store, &db, &rq->error);
    if (!status) {
        status = th_cases_show(cases, db, id, &rq->who, &rq->arena, &json, &rq->error);
        th_store_release(cases->store, db);
    }
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_buf_str(&rq->out, json);
    return th_reply_json(rq, http_status);
}

static th_handled posted_reply(th_request *rq)
{
    posting *p = rq->ctx;
    if (p->start.status)
        return th_reply_problem(rq, p->start.status, &p->start.error);
    return case_reply(rq, th_str_of(p->start.case_id), 201);
}

static void posted(th_case_start *start)
{
    posting *p = start->ctx;
    p->rq->then = posted_reply;
    th_request_finish(p->rq);
}

/* The citizen applies for herself; the clerk for the person at the counter, whose number and name stand in the body. */
static th_status applicant_read(th_request *rq, th_case_start *start)
{
    th_cases *cases = rq->module;
    th_db *db;
    if (rq->who.roles & TH_ROLE_CITIZEN) {
        if (th_json_get(rq->json, "applicant"))
            return th_fail_field(&rq->error, "/applicant", "unknown-field", "本人申请时没有此项", "Who applies for herself does not bring this");
        th_status status = th_store_acquire(cases->store, &db, &rq->error);
        if (status)
            return status;
        status = th_people_id_number_read(cases->secret, db, rq->who.account, &rq->arena, &start->applicant_id_number, &rq->error);
        th_store_release(cases->store, db);
        start->applicant_name = rq->who.name;
        start->subject = rq->who.subject;
        return status;
    }
    const th_json *applicant;
    char subject[TH_SUBJECT_TEXT];
    if (!th_json_want_object(rq->json, "", "applicant", &applicant, &rq->error) ||
        !th_json_want_str(applicant, "/applicant", "id_number", 18, &start->applicant_id_number, &rq->error) ||
        !th_json_want_str(applicant, "/applicant", "name", 100, &start->applicant_name, &rq->error))
        return TH_INVALID;
    if (!th_citizen_id_ok(start->applicant_id_number))
        return th_fail_field(&rq->error, "/applicant/id_number", "check-digit", "身份号码有误，请核对",
                             "The identity number is wrong; please check it");
    th_people_subject(cases->secret, start->applicant_id_number, subject);
    start->subject = th_str_keep(&rq->arena, th_str_of(subject));
    start->office = rq->who.office;
    return TH_OK;
}

th_handled th_cases_post(th_request *rq)
{
    posting *p = th_alloc(&rq->arena, sizeof *p);
    if (!p)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    p->rq = rq;
    rq->ctx = p;
    p->start = (th_case_start){.json = rq->body, .account = rq->who.account, .done = posted, .ctx = p};
    th_status status = applicant_read(rq, &p->start);
    if (!status)
        status = th_cases_start(rq->module, &p->start, &rq->error);
    return status ? th_reply_problem(rq, status, NULL) : TH_LATER;
}

/* ---- lists ---- */

static void row_write(th_cases *cases, th_pen *pen, const th_value *row)
{
    const th_case_item *item = th_cases_item(cases, row[2].s);
    th_pen_object(pen);
    th_pen_kstr(pen, "id", row[0].s);
    th_pen_kstr(pen, "number", row[1].s);
    th_pen_key(pen, "item");
    th_pen_object(pen);
    th_pen_kstr(pen, "code", row[2].s);
    th_pen_kstr(pen, "zh", item ? item->title_zh : row[2].s);
    th_pen_kstr(pen, "en", item ? item->title_en : row[2].s);
    th_pen_end(pen, '}');
    th_pen_kstr(pen, "origin", row[3].s);
    th_pen_kstr(pen, "owner", row[4].s);
    th_pen_kstr(pen, "state", th_str_is(row[5].s, "decided") && th_str_is(row[6].s, "refused") ? row[6].s : row[5].s);
    th_pen_kstr(pen, "applicant_name", row[7].s);
    th_pen_ktime(pen, "due", row[8].i);
    th_pen_ktime(pen, "updated", row[9].i);
    th_pen_end(pen, '}');
}

#define LIST_COLUMNS "SELECT id, number, item, origin, owner, state, outcome, applicant_name, due_at, updated_at FROM cases_case "

static const char *list_sql(th_request *rq, th_str view, th_value *ret_key, int *ret_n, th_status *ret_status)
{
    th_cases *cases = rq->module;
    *ret_status = TH_OK;
    bool clerk = (rq->who.roles & (TH_ROLE_CLERK | TH_ROLE_HEAD | TH_ROLE_AUDITOR)) != 0;
    if (!view.n)
        view = clerk ? TH_STR("worklist") : TH_STR("mine");
    if (th_str_is(view, "mine") && rq->who.subject.n) {
        *ret_key = th_v_text(rq->who.subject);
        /* The comparison first: it tells PostgreSQL the type of an absent cursor. */
        return LIST_COLUMNS "WHERE subject = ?1 AND (id < ?2 OR ?2 IS NULL) ORDER BY id DESC LIMIT ?3";
    }
    if (th_str_is(view, "worklist") && clerk) {
        *ret_key = th_v_text(th_str_of(cases->code));
        *ret_n = 4;
        return LIST_COLUMNS "WHERE open = 1 AND owner = ?1 AND (due_at, id) > (?4, ?2) ORDER BY due_at, id LIMIT ?3";
    }
    if (th_str_is(view, "collected") && clerk) {
        *ret_key = th_v_text(th_str_of(cases->code));
        return LIST_COLUMNS "WHERE origin = ?1 AND owner <> ?1 AND (id < ?2 OR ?2 IS NULL) ORDER BY id DESC LIMIT ?3";
    }
    if (th_str_is(view, "all") && clerk) {
        *ret_key = th_v_text(th_str_of(cases->code));
        return LIST_COLUMNS "WHERE (origin = ?1 OR owner = ?1) AND (id < ?2 OR ?2 IS NULL) ORDER BY id DESC LIMIT ?3";
    }
    *ret_status = th_fail_field(&rq->error, "?view", "enum", "没有这个视图，或无权查看", "There is no such view, or it is not yours");
    return NULL;
}

/* A cursor is the last row's id; of the work-list, which goes by what is due, "due~id". */
static th_status cursor_read(th_request *rq, th_value values[4], int *ret_n)
{
    th_str cursor = th_request_query(rq, "cursor"), id = cursor, due = {NULL, 0};
    int64_t due_us = INT64_MIN;
    bool ok = true;
    if (*ret_n == 4 && cursor.n)
        ok = th_str_cut(&id, '~', &due) && th_parse_i64(due, 0, INT64_MAX, &due_us);
    if (!ok || (cursor.n && !th_uuid_valid(id)))
        return th_fail_field(&rq->error, "?cursor", "format", "翻页标记有误", "The cursor is wrong");
    values[1] = th_v_text(cursor.n ? id : *ret_n == 4 ? TH_STR("") : (th_str){NULL, 0});
    values[3] = th_v_int(due_us);
    return TH_OK;
}

th_handled th_cases_list(th_request *rq)
{
    th_cases *cases = rq->module;
    th_db *db;
    th_rows rows;
    int64_t limit;
    int n = 3;
    th_value values[4];
    th_status status;
    const char *sql = list_sql(rq, th_request_query(rq, "view"), &values[0], &n, &status);
    if (!status)
        status = cursor_read(rq, values, &n);
    if (!status)
        status = th_request_query_int(rq, "limit", 1, 200, 50, &limit);
    if (!status)
        status = th_store_acquire(cases->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    values[2] = th_v_int(limit);
    status = th_db_select(db, sql, values, (size_t)n, &rq->arena, &rows, &rq->error);
    th_store_release(cases->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++)
        row_write(cases, &pen, th_row(&rows, i));
    th_pen_end(&pen, ']');
    const th_value *last = (int64_t)rows.n == limit ? th_row(&rows, rows.n - 1) : NULL;
    th_str next = {NULL, 0};
    if (last)
        next = n == 4 ? th_strf(&rq->arena, "%lld~%.*s", (long long)last[8].i, TH_FMT(last[0].s)) : last[0].s;
    th_pen_kstr(&pen, "next", next);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

th_handled th_cases_get(th_request *rq)
{
    return case_reply(rq, rq->params[0], 200);
}

/* ---- acting: blocking writes happen on the pool of I/O threads; the writer's commit is the wait ---- */

th_handled th_cases_action(th_request *rq)
{
    th_status status = th_cases_act(rq->module, rq->params[0], rq->params[1], rq->body, &rq->who, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    return case_reply(rq, rq->params[0], 200);
}

th_handled th_cases_events(th_request *rq)
{
    th_cases *cases = rq->module;
    return th_reply_events(rq, cases->topic, (th_str){NULL, 0});
}

/* Who may read the case may follow it, and it alone: when other people's cases move is nobody's business. */
th_handled th_cases_one_events(th_request *rq)
{
    th_cases *cases = rq->module;
    th_db *db;
    th_str json;
    th_status status = th_store_acquire(cases->store, &db, &rq->error);
    if (!status) {
        status = th_cases_show(cases, db, rq->params[0], &rq->who, &rq->arena, &json, &rq->error);
        th_store_release(cases->store, db);
    }
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_events_for(rq, cases->topic, rq->params[0], (th_str){NULL, 0});
}

#define PEOPLE (TH_ROLE_CITIZEN | TH_ROLE_CLERK | TH_ROLE_HEAD | TH_ROLE_AUDITOR)
#define CASE_REF "{\"$ref\":\"#/components/schemas/Case\"}"
#define DOERS (TH_ROLE_CITIZEN | TH_ROLE_CLERK | TH_ROLE_HEAD)

static const th_route routes[] = {
    {"POST", "/cases/v1/cases", TH_ROLE_CITIZEN | TH_ROLE_CLERK, TH_BODY_JSON, 64 * 1024, th_cases_post, "startCase",
     "Start a case: evidence is verified at its registers, then the case goes to the deciding node",
     "{\"$ref\":\"#/components/schemas/CaseStart\"}", CASE_REF, NULL, false},
    {"GET", "/cases/v1/cases", PEOPLE, TH_BODY_NONE, 0, th_cases_list, "listCases", "My cases, the work-list, or cases collected here",
     NULL, "{\"type\":\"object\"}",
     "view:string:mine, worklist, collected or all;cursor:string:From the answer before;limit:integer:1 to 200", false},
    {"GET", "/cases/v1/cases/{id}", PEOPLE, TH_BODY_NONE, 0, th_cases_get, "getCase", "One case with its timeline and evidence", NULL,
     CASE_REF, NULL, false},
    {"POST", "/cases/v1/cases/{id}/materials", DOERS, TH_BODY_JSON, 4096, th_material_post, "announceMaterial",
     "Say which paper comes: code, name, mime, size, sha256; answers from which byte to send on. {code, defer: true}: it will follow later",
     "{\"type\":\"object\",\"required\":[\"code\"],\"properties\":{\"code\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"
     "\"mime\":{\"type\":\"string\"},\"size\":{\"type\":\"integer\"},\"sha256\":{\"type\":\"string\"},\"defer\":{\"type\":\"boolean\"}}}",
     "{\"type\":\"object\"}", NULL, false},
    {"PUT", "/cases/v1/cases/{id}/materials/{code}", DOERS, TH_BODY_BYTES, 128 * 32 * 1024, th_material_put_bytes, "sendMaterial",
     "Send the next bytes of an announced paper, in pieces of 32 KiB, at most 4 MiB a call", NULL, "{\"type\":\"object\"}",
     "offset:integer:where these bytes begin", false},
    {"GET", "/cases/v1/cases/{id}/materials/{code}", PEOPLE, TH_BODY_NONE, 0, th_material_get_bytes, "getMaterial", "One paper's bytes", NULL, NULL,
     NULL, false},
    {"GET", "/cases/v1/cases/{id}/letters/{seq}", PEOPLE, TH_BODY_NONE, 0, th_cases_letter, "getLetter",
     "The letter of a step (an event that names its `letter`), as PDF", NULL, NULL, NULL, false},
    {"GET", "/cases/v1/statistics", TH_ROLE_STAFF, TH_BODY_NONE, 0, th_cases_statistics, "caseStatistics",
     "Per item that this node decides: open, overdue, extended, time taken against promised, papers avoided, visits, ratings; "
     "shares in hundredths of a percent", NULL,
     "{\"type\":\"object\"}", "from:string:YYYY-MM-DD;to:string:YYYY-MM-DD, that day included", false},
    {"GET", "/cases/v1/consults", TH_ROLE_CLERK | TH_ROLE_HEAD, TH_BODY_NONE, 0, th_consults_list, "consults",
     "What other administrations ask this one about their cases", NULL, "{\"type\":\"object\"}", NULL, false},
    {"POST", "/cases/v1/cases/{id}/consults/{consult}:answer", TH_ROLE_CLERK | TH_ROLE_HEAD, TH_BODY_JSON, 32 * 1024, th_consult_answer,
     "answerConsult", "Answer what another administration asked",
     "{\"type\":\"object\",\"required\":[\"opinion\",\"text\"],\"properties\":{\"opinion\":{\"enum\":[\"agree\",\"disagree\"]},"
     "\"text\":{\"type\":\"string\"}}}",
     "{\"type\":\"object\"}", NULL, false},
    {"POST", "/cases/v1/cases/{id}:revoke", TH_ROLE_CITIZEN, TH_BODY_JSON, 1024, th_cases_revoke, "revokeConsent",
     "Take back the agreement to one evidence",
     "{\"type\":\"object\",\"required\":[\"evidence\"],\"properties\":{\"evidence\":{\"type\":\"string\"}}}", CASE_REF, NULL, false},
    {"POST", "/cases/v1/cases/{id}:{action}", DOERS, TH_BODY_JSON, 64 * 1024, th_cases_action, "actOnCase",
     "Any step that the case's `steps` offer, with the fields that the step names: accept, correct, decide, deliver, withdraw, rate, appeal …",
     "{\"type\":\"object\"}", CASE_REF, NULL, false},
    {"GET", "/cases/v1/cases/{id}/events", PEOPLE, TH_BODY_NONE, 0, th_cases_one_events, "streamCase",
     "Server-sent events: this case moved", NULL, "text/event-stream", NULL, false},
    {"GET", "/cases/v1/events", TH_ROLE_CLERK | TH_ROLE_HEAD | TH_ROLE_AUDITOR, TH_BODY_NONE, 0, th_cases_events, "streamCases",
     "Server-sent events: which case moved", NULL, "text/event-stream", NULL, false},
};

const th_route *th_cases_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_cases_schemas(void)
{
    return "{\"CaseStart\":{\"type\":\"object\",\"required\":[\"item\",\"form\",\"consents\"],\"properties\":{"
           "\"item\":{\"type\":\"string\"},\"form\":{\"type\":\"object\"},\"consents\":{\"type\":\"array\",\"items\":{"
           "\"type\":\"string\"},\"description\":\"Ids of the evidence that the person agrees to\"},"
           "\"applicant\":{\"type\":\"object\",\"description\":\"At the counter only\",\"properties\":{\"id_number\":{"
           "\"type\":\"string\"},\"name\":{\"type\":\"string\"}}}}},"
           "\"Case\":{\"type\":\"object\",\"required\":[\"id\",\"number\",\"state\"],\"properties\":{\"id\":{\"type\":\"string\"},"
           "\"number\":{\"type\":\"string\"},\"item\":{\"type\":\"object\"},\"state\":{\"type\":\"string\"},"
           "\"origin\":{\"type\":\"object\"},\"owner\":{\"type\":\"object\"},\"applicant\":{\"type\":\"object\"},"
           "\"form\":{\"type\":\"object\"},\"evidence\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
           "\"events\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"actions\":{\"type\":\"array\",\"items\":{"
           "\"type\":\"string\"}},\"due\":{\"type\":[\"string\",\"null\"]}}}}";
}
