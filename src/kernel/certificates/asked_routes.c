/* asked_routes.c — OpenID4VP, the verifier's side: ask, hand out the request object, take the answer, look at it. */
#include "certificates-private.h"

#include <string.h>

enum { CLAIMS_MAX = 32, PURPOSE_MAX = 200 };

/* {"type":…,"claims":[…]}: the usual question, without the grammar. */
static th_status query_make(th_request *rq, th_str *ret_query)
{
    th_str code = th_json_str(rq->json, "type");
    const th_json *claims = th_json_get(rq->json, "claims");
    const th_certificate_type *type = th_certificate_type_find(rq->module, code);
    th_buf buf;
    if (!type)
        return th_fail_field(&rq->error, "/type", "unknown", "本区域没有这种证照", "The region has no such type of certificate");
    if (claims && (claims->type != TH_JSON_ARRAY || claims->count > CLAIMS_MAX))
        return th_fail_field(&rq->error, "/claims", "type", "须为字段名称的列表", "Must be a list of names of fields");
    th_buf_open(&buf, &rq->arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "credentials");
    th_pen_array(&pen);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", "certificate");
    th_pen_ktext(&pen, "format", "dc+sd-jwt");
    th_pen_key(&pen, "meta");
    th_pen_object(&pen);
    th_pen_key(&pen, "vct_values");
    th_pen_array(&pen);
    th_pen_str(&pen, type->vct);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (claims && claims->count) {
        th_pen_key(&pen, "claims");
        th_pen_array(&pen);
        for (const th_json *c = th_json_first(claims); c; c = th_json_next(claims, c)) {
            th_pen_object(&pen);
            th_pen_key(&pen, "path");
            th_pen_array(&pen);
            th_pen_raw(&pen, c->raw);
            th_pen_end(&pen, ']');
            th_pen_end(&pen, '}');
        }
        th_pen_end(&pen, ']');
    }
    th_pen_end(&pen, '}');
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    *ret_query = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

static th_status question_read(th_request *rq, th_asked *a)
{
    static const char *const members[] = {"purpose", "type", "claims", "dcql_query", NULL};
    const th_json *query = th_json_get(rq->json, "dcql_query"), *parsed;
    th_dcql checked;
    th_status status = TH_OK;
    bool ok = th_json_only(rq->json, "", members, &rq->error);
    ok = th_json_want_str(rq->json, "", "purpose", PURPOSE_MAX * 3, &a->purpose, &rq->error) && ok;
    if (!ok)
        return TH_INVALID;
    if (query)
        a->query = query->raw;
    else
        status = query_make(rq, &a->query);
    if (!status)
        status = th_json_parse(a->query, &rq->arena, &parsed, &rq->error);
    if (!status)
        status = th_dcql_read(parsed, &rq->arena, &checked, &rq->error);
    a->account = rq->who.account;
    a->office = rq->who.office;
    return status;
}

typedef struct asking {
    th_certificates *certs;
    th_asked asked;
} asking;

static th_status asked_write(void *ctx, th_db *db, th_error *error)
{
    asking *a = ctx;
    return th_asked_put(a->certs, db, &a->asked, error);
}

th_handled th_asked_post(th_request *rq)
{
    th_certificates *certs = rq->module;
    asking a = {.certs = certs};
    th_status status = question_read(rq, &a.asked);
    if (!status)
        status = th_certificates_write(certs, asked_write, &a, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", a.asked.id_text);
    th_pen_kstr(&pen, "client_id", th_client_id(certs, &rq->arena));
    th_pen_kstr(&pen, "request_uri", th_strf(&rq->arena, "%s/certificates/v1/oid4vp/request/%s", certs->portal, a.asked.id_text));
    th_pen_kstr(&pen, "link", th_asked_link(certs, &a.asked, &rq->arena));
    th_pen_ktime(&pen, "expires", a.asked.expires_us);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 201);
}

th_status th_asked_read(th_certificates *certs, th_str id, th_arena *arena, th_asked *ret_asked, th_error *error)
{
    th_db *db;
    th_status status = th_store_acquire(certs->options.store, &db, error);
    if (status)
        return status;
    status = th_asked_get(certs, db, id, arena, ret_asked, error);
    th_store_release(certs->options.store, db);
    return status;
}

th_handled th_asked_object_get(th_request *rq)
{
    th_asked asked;
    th_str token;
    th_status status = th_asked_read(rq->module, rq->params[0], &rq->arena, &asked, &rq->error);
    if (!status)
        status = th_asked_object(rq->module, &asked, &rq->arena, &token, &rq->error);
    return status ? th_reply_problem(rq, status, NULL) : th_reply_bytes(rq, 200, "application/oauth-authz-req+jwt", token);
}

static th_status answer_job(th_request *rq)
{
    th_str tokens = th_form_value(rq->body, "vp_token", &rq->arena), state = th_form_value(rq->body, "state", &rq->arena);
    th_str refusal = th_form_value(rq->body, "error", &rq->arena);
    th_status status = th_asked_answer(rq->module, rq->params[0], tokens, state, refusal, &rq->arena, &rq->error);
    if (status)
        return status;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_end(&pen, '}');
    (void)th_reply_json(rq, 200);
    return TH_OK;
}

th_handled th_asked_answer_post(th_request *rq)
{
    if (!th_str_starts(th_request_header(rq, "Content-Type"), "application/x-www-form-urlencoded")) {
        rq->error.http = 415;
        return th_reply_problem(rq, th_fail(&rq->error, TH_INVALID, "content-type", "须为 application/x-www-form-urlencoded", "Must be application/x-www-form-urlencoded"), NULL);
    }
    return th_on_pool(rq, answer_job);
}

th_handled th_asked_result_get(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_asked asked;
    th_status status = th_asked_read(certs, rq->params[0], &rq->arena, &asked, &rq->error);
    if (!status && !th_str_eq(asked.account, rq->who.account)) /* what a citizen showed is for whom she showed it to */
        status = th_fail(&rq->error, TH_NOT_FOUND, "no-request", "没有这个出示请求", "There is no such request");
    if (status)
        return th_reply_problem(rq, status, NULL);
    bool expired = th_str_is(asked.state, "asked") && th_now_us(certs->options.env) >= asked.expires_us;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", asked.id_text);
    th_pen_kstr(&pen, "state", expired ? TH_STR("expired") : asked.state);
    th_pen_kstr(&pen, "purpose", asked.purpose);
    th_pen_ktime(&pen, "expires", asked.expires_us);
    th_pen_ktime(&pen, "answered", asked.answered_us);
    th_pen_key(&pen, "result");
    if (asked.result.n)
        th_pen_raw(&pen, asked.result);
    else
        th_pen_null(&pen);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}
