/* ask_routes.c — the one plain JSON call by which an outside system, or a clerk's page, asks any node through its own. */
#include "routes-private.h"

#include <stdio.h>
#include <string.h>

enum { ASKS_MAX = 1000, DEADLINE_MIN_MS = 100, DEADLINE_MAX_MS = 30000 };

typedef struct asked { /* one HTTP request with its asks */
    th_request *rq;
    th_ask *asks;
    size_t n;
    atomic_size_t open;
    bool batch;
} asked;

static void answer_write(th_pen *pen, const th_ask *ask)
{
    th_pen_ktext(pen, "id", ask->id);
    th_pen_members(pen, ask->answer); /* {"results":{…}} or {"record":{…}}: what it holds stands beside the id */
    th_pen_kraw(pen, "receipt", ask->receipt);
}

static void one_reply(asked *a)
{
    th_request *rq = a->rq;
    const th_ask *ask = &a->asks[0];
    if (ask->status) {
        (void)th_reply_problem(rq, ask->status, &ask->error);
        return;
    }
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    answer_write(&pen, ask);
    th_pen_end(&pen, '}');
    (void)th_reply_json(rq, 200);
}

/* What is said of one ask points into that ask; the caller's body holds it behind /asks. */
static void pointers_move(th_error *error, size_t i)
{
    for (size_t f = 0; f < error->field_count; f++) {
        char moved[TH_POINTER_TEXT + 32];
        snprintf(moved, sizeof moved, "/asks/%zu%s", i, error->fields[f].pointer);
        if (strlen(moved) < TH_POINTER_TEXT)
            memcpy(error->fields[f].pointer, moved, strlen(moved) + 1);
    }
}

static void many_reply(asked *a)
{
    th_request *rq = a->rq;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < a->n; i++) {
        const th_ask *ask = &a->asks[i];
        th_pen_object(&pen);
        if (ask->status == TH_OK) {
            answer_write(&pen, ask);
        } else {
            th_error error = ask->error;
            error.status = ask->status;
            pointers_move(&error, i);
            th_pen_key(&pen, "problem");
            th_problem_write(&rq->out, &error, rq->lang, (th_str){NULL, 0});
        }
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    (void)th_reply_json(rq, 200);
}

/* Runs on the I/O thread once all answers are there: texts are built where the socket is. */
static th_handled reply_now(th_request *rq)
{
    asked *a = rq->ctx;
    if (a->batch)
        many_reply(a);
    else
        one_reply(a);
    return TH_DONE;
}

static void ask_done(th_ask *ask)
{
    asked *a = ask->ctx;
    if (atomic_fetch_sub(&a->open, 1) == 1) {
        a->rq->then = reply_now;
        th_request_finish(a->rq);
    }
}

/* How long the caller waits; the exchange's own when it does not say. */
static bool deadline_read(th_request *rq, const th_json *json, const char *path, th_ask *ask, th_error *e)
{
    const th_exchange *ex = rq->module;
    int64_t ms;
    if (!th_json_get(json, "deadline_ms"))
        return true;
    if (!th_json_want_int(json, path, "deadline_ms", DEADLINE_MIN_MS, DEADLINE_MAX_MS, &ms, e))
        return false;
    ask->deadline_us = th_now_us(&ex->env) + ms * 1000;
    return true;
}

/* A text that may be missing or null. */
static bool text_read(const th_json *json, const char *path, const char *key, size_t max, th_str *ret, th_error *e)
{
    const th_json *m = th_json_get(json, key);
    *ret = (th_str){NULL, 0};
    return !m || m->type == TH_JSON_NULL || th_json_want_str(json, path, key, max, ret, e);
}

/* One ask from JSON. When it is not well formed and `e` is given: what is wrong, `path` being the ask's pointer in the body. */
static bool ask_read(th_request *rq, const th_json *json, const char *path, th_ask *ask, th_error *e)
{
    static const char *const members[] = {"provider", "register", "operation", "key", "claims", "fields",
                                          "grant",    "purpose",  "consent",   "deadline_ms", NULL};
    static const char *const purposes[] = {"item", "case", NULL};
    th_str reg, operation;
    const th_json *key, *purpose;
    th_ask_clear(ask);
    bool ok = th_json_only(json, path, members, e);
    ok = th_json_want_str(json, path, "provider", TH_CODE_TEXT - 1, &ask->provider, e) && ok;
    ok = th_json_want_str(json, path, "register", 64, &reg, e) && ok;
    ok = th_json_want_str(json, path, "operation", 16, &operation, e) && ok;
    ok = th_json_want_object(json, path, "key", &key, e) && ok;
    ok = th_json_want_object(json, path, "purpose", &purpose, e) && ok;
    if (!ok)
        return false;
    const char *where = e ? th_strf(&rq->arena, "%s/purpose", path).p : "";
    if (!th_json_only(purpose, where, purposes, e) || !th_json_want_str(purpose, where, "item", 64, &ask->item, e))
        return false;
    bool verify = th_str_is(operation, "verify");
    if (!verify && !th_str_is(operation, "query")) {
        th_str pointer = th_strf(&rq->arena, "%s/operation", path);
        th_fail_field(e, pointer.p, "enum", "须为 verify 或 query", "Must be verify or query");
        return false;
    }
    const th_json *what = th_json_get(json, verify ? "claims" : "fields");
    if (!what || what->type != (verify ? TH_JSON_OBJECT : TH_JSON_ARRAY)) {
        th_str pointer = th_strf(&rq->arena, "%s/%s", path, verify ? "claims" : "fields");
        th_fail_field(e, pointer.p, what ? "type" : "required", "核验须给出 claims 对象，查询须给出 fields 列表",
                      "verify needs an object of claims, query a list of fields");
        return false;
    }
    if (th_json_get(json, verify ? "fields" : "claims")) {
        th_str pointer = th_strf(&rq->arena, "%s/%s", path, verify ? "fields" : "claims");
        th_fail_field(e, pointer.p, "unknown-field", "核验只用 claims，查询只用 fields", "verify takes claims only, query fields only");
        return false;
    }
    if (th_json_get(json, "grant") && !th_json_want_str(json, path, "grant", TH_GRANT_TEXT_MAX, &ask->grant, e))
        return false;
    if (!deadline_read(rq, json, path, ask, e))
        return false;
    if (!text_read(json, path, "consent", TH_LINE_MAX, &ask->consent, e) || !text_read(purpose, where, "case", TH_MESSAGE_TEXT_MAX, &ask->case_id, e))
        return false;
    ask->type = verify ? TH_STR("verify") : TH_STR("query");
    th_buf buf;
    th_buf_open(&buf, &rq->arena, TH_LINE_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "register", reg);
    th_pen_kraw(&pen, "key", key->raw);
    th_pen_kraw(&pen, verify ? "claims" : "fields", what->raw);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf)) {
        th_fail_field(e, path, "too-long", "请求过长", "The ask is too long");
        return false;
    }
    ask->body = th_buf_view(&buf);
    ask->parsed = json;
    ask->office = rq->who.office;
    ask->operator_account = rq->who.account;
    ask->arena = &rq->arena;
    ask->done = ask_done;
    return true;
}

static th_handled asks_start(th_request *rq, asked *a)
{
    th_exchange *ex = rq->module;
    for (size_t i = 0; i + 1 < a->n; i++)
        a->asks[i].next = &a->asks[i + 1];
    for (size_t i = 0; i < a->n; i++)
        a->asks[i].ctx = a;
    atomic_store(&a->open, a->n);
    rq->ctx = a;
    th_status status = th_exchange_ask(ex, a->asks, a->n, &rq->error);
    if (status && a->batch && a->n == 1) { /* a batch of one is answered in the shape of a batch */
        a->asks[0].status = status;
        a->asks[0].error = rq->error;
        return reply_now(rq);
    }
    return status ? th_reply_problem(rq, status, NULL) : TH_LATER;
}

th_handled th_exchange_ask_post(th_request *rq)
{
    asked *a = th_alloc(&rq->arena, sizeof *a);
    th_ask *ask = th_arena_room(&rq->arena, sizeof *ask);
    if (!a || !ask)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    *a = (asked){.rq = rq, .asks = ask, .n = 1};
    if (!ask_read(rq, rq->json, "", ask, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    return asks_start(rq, a);
}

th_handled th_exchange_ask_batch_post(th_request *rq)
{
    static const char *const members[] = {"asks", NULL};
    const th_json *list;
    if (!th_json_only(rq->json, "", members, &rq->error) ||
        !th_json_want_array(rq->json, "", "asks", ASKS_MAX, &list, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    asked *a = th_alloc(&rq->arena, sizeof *a);
    th_ask *asks = th_arena_room(&rq->arena, (list->count + 1) * sizeof *asks); /* at most ASKS_MAX */
    if (!a || !asks)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    *a = (asked){.rq = rq, .asks = asks, .n = list->count, .batch = true};
    size_t i = 0;
    bool ok = true;
    for (const th_json *j = th_json_first(list); j; j = th_json_next(list, j), i++) {
        if (ask_read(rq, j, "", &asks[i], NULL))
            continue;
        const char *path = th_strf(&rq->arena, "/asks/%zu", i).p;
        TH_IGNORE(ask_read(rq, j, path ? path : "", &asks[i], &rq->error));
        ok = false;
    }
    if (!ok)
        return th_reply_problem(rq, TH_INVALID, NULL);
    if (a->n == 0)
        return th_reply_bytes(rq, 200, "application/json", TH_STR("{\"items\":[]}"));
    return asks_start(rq, a);
}
