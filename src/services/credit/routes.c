/* routes.c — opening, and credit over HTTP: read by anybody, recognised and repaired by the recogniser's staff, objected to by a clerk for whom it concerns. */
#include "credit-private.h"

#include <string.h>

extern const char th_credit_schema_sql[];

const char *th_credit_schema(void)
{
    return th_credit_schema_sql;
}

th_status th_credit_open(const th_credit_options *o, th_credit **ret_credit, th_error *error)
{
    th_credit *c = th_new(sizeof *c);
    if (!c)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    memcpy(c->code, o->code, TH_CODE_TEXT);
    c->store = o->store;
    c->writer = o->writer;
    c->env = *o->env;
    c->exchange = o->exchange;
    c->cases = o->cases;
    th_arena_open(&c->arena, 8u << 20);
    const th_message_type types[] = {{.type = "credit.event", .apply = th_credit_event_apply, .ctx = c},
                                     {.type = "credit.ack", .apply = th_credit_ack_apply, .ctx = c}};
    th_status status = th_lists_read(c, o->lists, error);
    for (size_t i = 0; !status && i < TH_COUNT(types); i++)
        status = th_exchange_type_add(c->exchange, &types[i]);
    if (!status)
        status = th_cases_on_event(c->cases, th_credit_case_effect, c);
    if (!status)
        th_cases_on_deferral(c->cases, th_credit_deferral, c);
    if (status)
        th_credit_close(c);
    else
        *ret_credit = c;
    return status;
}

void th_credit_close(th_credit *c)
{
    if (!c)
        return;
    th_arena_close(&c->arena);
    th_free(c);
}

/* ---- reading ---- */

static th_handled lists_get(th_request *rq)
{
    th_credit *c = rq->module;
    th_buf_str(&rq->out, c->root->raw);
    return th_reply_json(rq, 200);
}

static th_handled subject_get(th_request *rq)
{
    th_credit *c = rq->module;
    th_db *db;
    th_record *all;
    size_t n;
    th_str subject = rq->params[0];
    if (th_uscc_check(subject))
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "uscc", "不是合法的统一社会信用代码；信用名单只涉及单位，不涉及个人",
                                            "Not a valid unified social credit code; lists are of organisations, never of persons"), NULL);
    th_status status = th_store_acquire(c->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_records_of(db, subject, &rq->arena, &all, &n, &rq->error);
    th_store_release(c->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    int32_t today = th_day_of(th_now_us(&c->env));
    bool staff = (rq->who.roles & TH_ROLE_STAFF) != 0;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "subject", subject);
    th_pen_key(&pen, "records");
    th_pen_array(&pen);
    for (size_t i = 0; i < n; i++) /* what is over is published no more; staff see it with its state */
        if (staff || th_record_counts(c, &all[i], today))
            th_record_write(c, &all[i], today, &pen);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

/* ---- writing ---- */

typedef struct writing {
    th_credit *credit;
    th_request *rq;
    th_record record;
    th_str id, action;
} writing;

static th_handled record_reply(writing *w, th_status status, int http)
{
    if (status)
        return th_reply_problem(w->rq, status, NULL);
    th_pen pen = th_pen_on(&w->rq->out);
    th_record_write(w->credit, &w->record, th_day_of(th_now_us(&w->credit->env)), &pen);
    return th_reply_json(w->rq, http);
}

typedef struct change {
    th_change change;
    th_status (*apply)(writing *w, th_db *db, th_error *error);
    writing *w;
} change;

static th_status change_apply(th_change *base, th_db *db, th_error *error)
{
    change *k = base->ctx;
    return k->apply(k->w, db, error);
}

static th_status write_run(writing *w, th_status (*apply)(writing *w, th_db *db, th_error *error))
{
    change k = {.apply = apply, .w = w};
    k.change = (th_change){.apply = change_apply, .ctx = &k};
    return th_writer_run(w->credit->writer, &k.change, &w->rq->error);
}

static th_status published_apply(writing *w, th_db *db, th_error *error)
{
    const th_value *row;
    th_record *r = &w->record;
    th_value keys[] = {th_v_text(r->subject), th_v_text(r->list), th_v_text(r->owner), th_v_text(r->doc_no)};
    th_status status = th_db_one(db, "SELECT state FROM credit_record WHERE subject = ?1 AND list = ?2 AND owner = ?3 AND doc_no = ?4", keys, 4,
                                 &w->rq->arena, &row, error);
    if (status == TH_OK)
        return th_str_is(row[0].s, "repaired") || th_str_is(row[0].s, "withdrawn")
                   ? th_fail(error, TH_CONFLICT, "credit-tombstone", "该文书认定的记录已修复或撤销，不得再次公示",
                             "What this document recognised was repaired or withdrawn; it is not published again")
                   : th_fail(error, TH_CONFLICT, "credit-exists", "该文书认定的记录已存在", "This document's record exists already");
    if (status != TH_NOT_FOUND)
        return status;
    r->version = 0;
    return th_record_change(w->credit, db, r, "published", w->rq->who.account, TH_STR("{}"), &w->rq->arena, error);
}

static th_status record_want(writing *w, int32_t *ret_day)
{
    static const char *const members[] = {"subject", "name", "list", "fact", "doc_no", "doc_date", NULL};
    th_record *r = &w->record;
    th_error *error = &w->rq->error;
    const th_json *b = w->rq->json;
    th_str day;
    bool ok = th_json_only(b, "", members, error);
    ok = th_json_want_str(b, "", "subject", 18, &r->subject, error) && ok;
    ok = th_json_want_str(b, "", "name", 400, &r->name, error) && ok;
    ok = th_json_want_str(b, "", "list", 64, &r->list, error) && ok;
    ok = th_json_want_str(b, "", "fact", 4000, &r->fact, error) && ok;
    ok = th_json_want_str(b, "", "doc_no", 200, &r->doc_no, error) && ok;
    ok = th_json_want_str(b, "", "doc_date", 10, &day, error) && ok;
    if (!ok)
        return TH_INVALID;
    if (th_uscc_check(r->subject))
        return th_fail_field(error, "/subject", "uscc", "须为合法的统一社会信用代码；个人不列入", "Must be a valid unified social credit code; persons are not listed");
    if (!th_day_parse(day, ret_day) || *ret_day > th_day_of(th_now_us(&w->credit->env)))
        return th_fail_field(error, "/doc_date", "date", "须为不晚于今天的日期", "Must be a date not after today");
    return TH_OK;
}

static th_handled record_post(th_request *rq)
{
    writing w = {.credit = rq->module, .rq = rq};
    th_record *r = &w.record;
    int32_t day = 0;
    char id[TH_ID_TEXT];
    th_status status = record_want(&w, &day);
    const th_list *list = status ? NULL : th_list_find(w.credit, r->list);
    if (!status && !list)
        status = th_fail_field(&rq->error, "/list", "no-list", "没有这个名单：没有法律依据的名单不得设立", "There is no such list: none is made without a law");
    if (!status && !th_names(list->recognisers, th_str_of(w.credit->code)))
        status = th_fail(&rq->error, TH_FORBIDDEN, "not-the-recogniser", "本成员不是这个名单的认定方", "This member does not recognise this list");
    if (!status) {
        th_uuid7(&w.credit->env, id);
        r->id = th_str_keep(&rq->arena, th_str_of(id));
        r->owner = th_str_of(w.credit->code);
        r->state = TH_STR("published");
        r->doc_day = day;
        r->min_until = th_months_after(day, list->min_months);
        r->max_until = th_months_after(day, list->max_months);
        status = write_run(&w, published_apply);
    }
    return record_reply(&w, status, 201);
}

/* What may be done to a record, in which state, and what comes of it. */
static const struct step { const char *action, *from, *to, *kind; bool head; } steps[] = {
    {"object", "published", "objection", "objected", false},
    {"reject-objection", "objection", "published", "objection-rejected", true},
    {"withdraw", "objection", "withdrawn", "withdrawn", true},
    {"withdraw", "published", "withdrawn", "withdrawn", true},
    {"repair", "published", "repair", "repair-applied", false},
    {"grant-repair", "repair", "repaired", "repaired", true},
    {"refuse-repair", "repair", "published", "repair-refused", true},
};

static th_status step_apply(writing *w, th_db *db, th_error *error)
{
    const struct step *step = NULL;
    th_str words;
    bool known = false;
    th_record *r = &w->record;
    th_status status = th_record_get(db, w->id, &w->rq->arena, r, error);
    if (status)
        return status;
    if (!th_str_is(r->owner, w->credit->code))
        return th_fail(error, TH_FORBIDDEN, "not-the-owner", "谁认定谁修复：请到认定地办理", "Whoever recognised repairs: go to the member that did");
    for (size_t i = 0; i < TH_COUNT(steps); i++) {
        known = known || th_str_is(w->action, steps[i].action);
        if (th_str_is(w->action, steps[i].action) && th_str_is(r->state, steps[i].from))
            step = &steps[i];
    }
    if (!known)
        return th_fail(error, TH_NOT_FOUND, "no-action", "没有这个操作", "There is no such action");
    if (!step)
        return th_fail(error, TH_CONFLICT, "credit-state", "记录目前的状态不允许这一步", "The record's state does not allow this step");
    if (step->head && !(w->rq->who.roles & TH_ROLE_HEAD))
        return th_fail(error, TH_FORBIDDEN, "not-yours-to-do", "须由负责人决定", "The head of the office decides this");
    if (!th_json_want_str(w->rq->json, "", "reason", 4000, &words, error))
        return TH_INVALID;
    const th_list *list = th_list_find(w->credit, r->list);
    if (strcmp(step->action, "repair") == 0 && list && th_str_is(list->kind, "incentive"))
        return th_fail(error, TH_CONFLICT, "credit-state", "守信激励名单无须修复", "An incentive needs no repair");
    if (strcmp(step->action, "repair") == 0 && th_day_of(th_now_us(&w->credit->env)) < r->min_until)
        return th_fail(error, TH_CONFLICT, "repair-too-early", "未满最短公示期，不能申请修复", "The shortest time of publication is not over");
    r->state = th_str_of(step->to);
    return th_record_change(w->credit, db, r, step->kind, w->rq->who.account, w->rq->json->raw, &w->rq->arena, error);
}

static th_handled record_step(th_request *rq)
{
    static const char *const members[] = {"reason", "proof", "commitment", NULL};
    writing w = {.credit = rq->module, .rq = rq, .id = rq->params[0], .action = rq->params[1]};
    th_status status = th_json_only(rq->json, "", members, &rq->error) ? write_run(&w, step_apply) : TH_INVALID;
    return record_reply(&w, status, 200);
}

#define DESK (TH_ROLE_CLERK | TH_ROLE_HEAD)
static const th_route routes[] = {
    {"GET", "/credit/v1/lists", TH_ROLE_ANYONE, TH_BODY_NONE, 0, lists_get, "creditLists", "Lists, their law and their measures", NULL,
     "{\"type\":\"object\"}", NULL, false},
    {"GET", "/credit/v1/subjects/{uscc}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, subject_get, "creditSubject", "What is published about one organisation", NULL,
     "{\"type\":\"object\"}", NULL, false},
    {"POST", "/credit/v1/records", DESK, TH_BODY_JSON, 0, record_post, "publishCredit", "Put an organisation on a list that this member recognises",
     "{\"type\":\"object\",\"required\":[\"subject\",\"name\",\"list\",\"fact\",\"doc_no\",\"doc_date\"],\"properties\":{"
     "\"subject\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},\"list\":{\"type\":\"string\"},\"fact\":{\"type\":\"string\"},"
     "\"doc_no\":{\"type\":\"string\"},\"doc_date\":{\"type\":\"string\",\"format\":\"date\"}}}", "{\"type\":\"object\"}", NULL, false},
    {"POST", "/credit/v1/records/{id}:{action}", DESK, TH_BODY_JSON, 0, record_step, "changeCredit",
     "object, reject-objection, withdraw, repair, grant-repair, refuse-repair; each says its reason",
     "{\"type\":\"object\",\"required\":[\"reason\"],\"properties\":{\"reason\":{\"type\":\"string\"},\"proof\":{\"type\":\"string\"},"
     "\"commitment\":{\"type\":\"string\"}}}",
     "{\"type\":\"object\"}", NULL, false},
    {"GET", "/credit/v1/propagation", TH_ROLE_STAFF, TH_BODY_NONE, 0, th_credit_propagation, "creditPropagation",
     "Copies that are not up to date yet, and a digest of all records to compare between members", NULL, "{\"type\":\"object\"}", NULL, false},
};

const th_route *th_credit_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_credit_schemas(void)
{
    return NULL;
}
