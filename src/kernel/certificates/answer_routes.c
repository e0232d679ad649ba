/* answer_routes.c — OpenID4VP, the wallet's side: read a verifier's request, see what fits, show what the citizen agrees to.
 *
 * A wallet that a node keeps could be made to call any address. So only members' portals are called: the request must be signed by a member's
 * certificate key of the trust document, and its addresses must be that member's. */
#include "certificates-private.h"

#include <string.h>

enum { CALL_MS = 6000, OBJECT_MAX = 64 * 1024 };

typedef struct question {
    th_request *rq;
    th_trust *trust;
    const th_member *verifier;
    th_str object; /* the signed request */
    th_jws jws;
    const th_json *payload;
    th_str client, nonce, state, response_uri;
    th_dcql query;
    th_held *held;
    size_t held_count;
    const th_json **claims; /* of each certificate held */
} question;

/* ---- the request ---- */

static const char object_path[] = "/certificates/v1/oid4vp/request/";
static const char response_path[] = "/certificates/v1/oid4vp/response/";

/* The id in one of this node's own addresses: then nobody has to be called. */
static bool own_id(const th_certificates *certs, th_str url, const char *path, th_str *ret_id)
{
    size_t portal = strlen(certs->portal), whole = portal + strlen(path);
    if (url.n <= whole || memcmp(url.p, certs->portal, portal) != 0 || memcmp(url.p + portal, path, strlen(path)) != 0)
        return false;
    *ret_id = (th_str){url.p + whole, url.n - whole};
    return true;
}

static th_status object_fetch(question *q, th_str url)
{
    th_certificates *certs = q->rq->module;
    th_arena *arena = &q->rq->arena;
    th_error *error = &q->rq->error;
    th_asked asked;
    th_str id;
    if (own_id(certs, url, object_path, &id)) {
        th_status status = th_asked_read(certs, id, arena, &asked, error);
        return status ? status : th_asked_object(certs, &asked, arena, &q->object, error);
    }
    if (!th_member_by_url(q->trust, url))
        return th_fail(error, TH_FORBIDDEN, "unknown-verifier", "请求地址不属于本区域成员", "The request's address is not a member's of the region");
    th_certificate_call call = {.method = "GET", .url = th_str_keep(arena, url).p, .accept = "application/oauth-authz-req+jwt", .answer_max = OBJECT_MAX,
                                .timeout_ms = CALL_MS};
    th_status status = certs->options.call && call.url ? certs->options.call(certs->options.call_ctx, &call, arena, error) : TH_UNAVAILABLE;
    if (status)
        return status;
    if (call.http_status != 200)
        return th_failf(error, TH_UNPROCESSABLE, "request-gone", "请求已失效（%d）", "The request is gone (%d)", call.http_status);
    q->object = call.answer;
    return TH_OK;
}

/* A link "openid4vp://?…request_uri=…", the address itself, or the signed object. */
static th_status object_find(question *q, th_str given)
{
    given = th_str_trim(given);
    if (th_str_starts(given, "ey")) {
        q->object = given;
        return TH_OK;
    }
    if (th_str_starts(given, "http://") || th_str_starts(given, "https://"))
        return object_fetch(q, given);
    const char *at = given.n ? memchr(given.p, '?', given.n) : NULL;
    th_str query = at ? (th_str){at + 1, given.n - (size_t)(at + 1 - given.p)} : (th_str){NULL, 0};
    th_str uri = th_form_value(query, "request_uri", &q->rq->arena);
    if (!uri.n)
        return th_fail_field(&q->rq->error, "/request", "format", "不是证照出示请求", "This is no request for a certificate");
    return object_fetch(q, uri);
}

/* The certificate in the header, where there is one. */
static th_status chain_read(question *q, th_str *ret_der, th_key **ret_key)
{
    const th_json *first = th_json_at(th_json_get(q->jws.header, "x5c"), 0);
    if (!first || first->type != TH_JSON_STRING || th_unbase64(&q->rq->arena, first->text, ret_der))
        return TH_NOT_FOUND;
    return th_x509_key(*ret_der, ret_key);
}

/* The key is looked up by its id; a header with a certificate alone names it by that. */
static th_str kid_find(question *q)
{
    char kid[TH_KID_TEXT];
    th_str der;
    th_key *named;
    if (q->jws.kid.n || chain_read(q, &der, &named))
        return q->jws.kid;
    th_kid_of(named, kid);
    th_key_close(named);
    return th_str_keep(&q->rq->arena, th_str_of(kid));
}

/* x509_hash names a certificate: it must be the one in the header, and its key the member's. */
static th_status client_check(question *q, const th_key *key)
{
    th_error *error = &q->rq->error;
    char text[48];
    th_str der;
    th_key *named;
    if (!th_str_starts(q->client, "x509_hash:"))
        return th_str_is(q->client, q->verifier->code) ? TH_OK : th_fail(error, TH_FORBIDDEN, "unknown-verifier", "验证方身份不明", "The verifier is not known");
    if (chain_read(q, &der, &named))
        return th_fail(error, TH_FORBIDDEN, "unknown-verifier", "验证方证书不合法", "The verifier's certificate is not acceptable");
    bool same = th_str_eq(th_key_public(named), th_key_public(key));
    th_key_close(named);
    th_hash hash = th_hash_str(TH_SUITE_P256, der);
    th_str digest = {text, th_base64url_to(hash.b, sizeof hash.b, text)}, told = {q->client.p + 10, q->client.n - 10};
    return same && th_str_eq(digest, told) ? TH_OK
                                           : th_fail(error, TH_FORBIDDEN, "unknown-verifier", "验证方证书与其标识不符", "The verifier's certificate does not fit its name");
}

static th_status times_check(question *q)
{
    int64_t expires, now = th_now_us(((th_certificates *)q->rq->module)->options.env) / TH_SECOND_US;
    if (!th_json_is_int(th_json_get(q->payload, "exp"), &expires) || now >= expires)
        return th_fail(&q->rq->error, TH_CONFLICT, "request-expired", "该请求已过期", "This request has expired");
    return TH_OK;
}

static th_status object_check(question *q)
{
    th_error *error = &q->rq->error;
    th_arena *arena = &q->rq->arena;
    const th_key *key;
    th_certificates *certs = q->rq->module;
    th_status status = th_jws_read(q->object, arena, &q->jws, error);
    if (!status && !th_str_is(q->jws.typ, "oauth-authz-req+jwt"))
        status = th_fail(error, TH_INVALID, "request-type", "不是证照出示请求（typ）", "This is no request for a certificate (typ)");
    if (!status)
        status = th_certificate_key(q->trust, kid_find(q), th_now_us(certs->options.env), &q->verifier, &key, error);
    if (!status)
        status = th_jws_check(&q->jws, key, error);
    if (!status && (th_json_parse(q->jws.payload, arena, &q->payload, NULL) || q->payload->type != TH_JSON_OBJECT))
        status = th_fail(error, TH_INVALID, "request-malformed", "请求内容有误", "The request's content is malformed");
    if (status)
        return status;
    q->client = th_json_str(q->payload, "client_id");
    q->nonce = th_json_str(q->payload, "nonce");
    q->state = th_json_str(q->payload, "state");
    q->response_uri = th_json_str(q->payload, "response_uri");
    if (!q->client.n || !q->nonce.n || !th_str_is(th_json_str(q->payload, "response_type"), "vp_token") ||
        !th_str_is(th_json_str(q->payload, "response_mode"), "direct_post"))
        return th_fail(error, TH_INVALID, "request-malformed", "请求缺项，或要求不支持的应答方式", "The request lacks something, or wants a mode that is not supported");
    if (th_member_by_url(q->trust, q->response_uri) != q->verifier)
        return th_fail(error, TH_FORBIDDEN, "unknown-verifier", "应答地址不属于验证方", "The address for the answer is not the verifier's");
    status = client_check(q, key);
    if (!status)
        status = times_check(q);
    return status ? status : th_dcql_read(th_json_get(q->payload, "dcql_query"), arena, &q->query, error);
}

static th_status wallet_open(question *q)
{
    th_db *db;
    th_certificates *certs = q->rq->module;
    th_arena *arena = &q->rq->arena;
    th_status status = th_store_acquire(certs->options.store, &db, &q->rq->error);
    if (status)
        return status;
    status = th_held_list(certs, db, q->rq->who.subject, arena, &q->held, &q->held_count, &q->rq->error);
    th_store_release(certs->options.store, db);
    q->claims = status ? NULL : th_alloc_array(arena, q->held_count + 1, sizeof *q->claims);
    for (size_t i = 0; !status && q->claims && i < q->held_count; i++) {
        th_sdjwt token;
        status = th_sdjwt_read(q->held[i].token, false, arena, &token, &q->rq->error);
        q->claims[i] = status ? NULL : token.claims;
    }
    return status ? status : q->claims ? TH_OK : TH_NO_MEMORY;
}

static th_status question_open(question *q, th_str given)
{
    th_certificates *certs = q->rq->module;
    q->trust = th_exchange_trust(certs->options.exchange);
    th_status status = object_find(q, given);
    if (!status)
        status = object_check(q);
    return status ? status : wallet_open(q);
}

/* ---- what fits ---- */

static bool usable(const question *q, size_t i)
{
    th_certificates *certs = q->rq->module;
    return q->held[i].status == TH_STATUS_VALID && (!q->held[i].expires_us || th_now_us(certs->options.env) < q->held[i].expires_us);
}

static void match_write(question *q, th_pen *pen, size_t i, const th_json **paths, size_t n)
{
    const th_certificate_type *type = th_certificate_type_find(q->rq->module, q->held[i].type);
    th_pen_object(pen);
    th_pen_kstr(pen, "certificate", q->held[i].id);
    th_words_write(pen, "type", type ? type->title_zh : q->held[i].type, type ? type->title_en : q->held[i].type);
    th_pen_kstr(pen, "number", q->held[i].number);
    th_member_write(pen, "issuer", q->trust, q->held[i].issuer);
    th_pen_key(pen, "discloses");
    th_pen_array(pen);
    for (size_t k = 0; type && k < type->field_count; k++) {
        const th_certificate_field *f = &type->fields[k];
        const th_json *value = th_json_get_str(q->claims[i], f->name);
        bool asked = f->disclosure == TH_DISCLOSE_ALWAYS;
        for (size_t p = 0; p < n; p++)
            asked = asked || th_str_eq(th_json_at(paths[p], 0)->text, f->name);
        if (!asked || !value)
            continue;
        th_pen_object(pen);
        th_pen_kstr(pen, "name", f->name);
        th_words_write(pen, "title", f->title_zh, f->title_en);
        th_pen_key(pen, "value");
        if (value->type == TH_JSON_STRING)
            th_pen_str(pen, value->text);
        else
            th_pen_raw(pen, value->raw);
        th_pen_kbool(pen, "always", f->disclosure == TH_DISCLOSE_ALWAYS);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

static void wanted_write(question *q, th_pen *pen, bool *there)
{
    th_pen_key(pen, "wanted");
    th_pen_array(pen);
    for (size_t c = 0; c < q->query.credential_count; c++) {
        const th_dcql_credential *wanted = &q->query.credentials[c];
        th_pen_object(pen);
        th_pen_kstr(pen, "query", wanted->id);
        th_pen_key(pen, "types");
        th_pen_array(pen);
        for (const th_json *t = th_json_first(wanted->types); t; t = th_json_next(wanted->types, t)) {
            const th_certificate_type *type = th_certificate_type_by_vct(q->rq->module, t->text);
            th_pen_object(pen);
            th_pen_kstr(pen, "vct", t->text);
            th_pen_kstr(pen, "zh", type ? type->title_zh : t->text);
            th_pen_kstr(pen, "en", type ? type->title_en : t->text);
            th_pen_end(pen, '}');
        }
        th_pen_end(pen, ']');
        th_pen_key(pen, "matches");
        th_pen_array(pen);
        for (size_t i = 0; i < q->held_count; i++) {
            const th_json **paths;
            size_t n;
            if (!usable(q, i) || !th_dcql_fits(wanted, TH_STR("dc+sd-jwt"), q->claims[i], &q->rq->arena, &paths, &n))
                continue;
            there[c] = true;
            match_write(q, pen, i, paths, n);
        }
        th_pen_end(pen, ']');
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
}

static th_status resolve_job(th_request *rq)
{
    question q = {.rq = rq};
    th_status status = question_open(&q, th_json_str(rq->json, "request"));
    bool *there = status ? NULL : th_alloc_array(&rq->arena, q.query.credential_count + 1, sizeof *there);
    if (!status && there) {
        th_pen pen = th_pen_on(&rq->out);
        th_pen_object(&pen);
        th_member_write(&pen, "verifier", q.trust, th_str_of(q.verifier->code));
        th_pen_kstr(&pen, "office", th_json_str(q.payload, "tonghui_office"));
        th_pen_kstr(&pen, "purpose", th_json_str(q.payload, "tonghui_purpose"));
        th_pen_ktime(&pen, "expires", th_json_int(q.payload, "exp", 0) * TH_SECOND_US);
        th_pen_kstr(&pen, "request", q.object);
        wanted_write(&q, &pen, there);
        th_pen_kbool(&pen, "can_answer", th_dcql_answered(&q.query, there));
        th_pen_end(&pen, '}');
        (void)th_reply_json(rq, 200);
    }
    th_trust_release(q.trust);
    return status;
}

th_handled th_wallet_resolve(th_request *rq)
{
    static const char *const members[] = {"request", NULL};
    th_str given;
    bool ok = th_json_only(rq->json, "", members, &rq->error);
    ok = th_json_want_str(rq->json, "", "request", OBJECT_MAX, &given, &rq->error) && ok;
    return ok ? th_on_pool(rq, resolve_job) : th_reply_problem(rq, TH_INVALID, NULL);
}

/* ---- showing ---- */

typedef struct showing {
    question *q;
    th_shown shown[TH_DCQL_CREDENTIALS_MAX];
    size_t n;
} showing;

static th_status shown_write(void *ctx, th_db *db, th_error *error)
{
    showing *s = ctx;
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < s->n; i++)
        status = th_shown_put(s->q->rq->module, db, s->q->rq->who.subject, &s->shown[i], error);
    return status;
}

static size_t held_by_id(const question *q, th_str id)
{
    size_t i = 0;
    while (i < q->held_count && !th_str_eq(q->held[i].id, id))
        i++;
    return i;
}

static th_str names_of(const th_json **paths, size_t n, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 4096);
    for (size_t i = 0; i < n; i++) {
        th_buf_text(&buf, i ? "," : "");
        th_buf_str(&buf, th_json_at(paths[i], 0)->text);
    }
    return th_buf_view(&buf);
}

/* One query answered by the certificate that the citizen chose for it. */
static th_status one_show(showing *s, size_t c, th_str id, th_pen *pen)
{
    question *q = s->q;
    th_request *rq = q->rq;
    const th_dcql_credential *wanted = &q->query.credentials[c];
    const th_json **paths;
    size_t n, i = held_by_id(q, id);
    th_str text, none = {NULL, 0};
    if (i == q->held_count || !usable(q, i) || !th_dcql_fits(wanted, TH_STR("dc+sd-jwt"), q->claims[i], &rq->arena, &paths, &n))
        return th_fail_field(&rq->error, "/choices", "does-not-fit", "所选证照不符合请求", "The certificate chosen does not fit the request");
    th_status status = th_held_show(rq->module, rq->who.subject, &q->held[i], paths, n, wanted->holder ? q->client : none, q->nonce, &rq->arena, &text, &rq->error);
    if (status)
        return status;
    th_pen_key_str(pen, wanted->id);
    th_pen_array(pen);
    th_pen_str(pen, text);
    th_pen_end(pen, ']');
    s->shown[s->n++] = (th_shown){.certificate = q->held[i].id, .verifier = th_str_of(q->verifier->code), .purpose = th_json_str(q->payload, "tonghui_purpose"),
                                  .claims = names_of(paths, n, &rq->arena)};
    return TH_OK;
}

static th_status tokens_make(showing *s, const th_json *choices, th_buf *buf)
{
    question *q = s->q;
    bool there[TH_DCQL_CREDENTIALS_MAX] = {false};
    th_status status = TH_OK;
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    for (size_t c = 0; !status && c < q->query.credential_count; c++) {
        th_str id = th_json_str(choices, th_strf(&q->rq->arena, "%.*s", TH_FMT(q->query.credentials[c].id)).p);
        if (!id.n)
            continue;
        status = one_show(s, c, id, &pen);
        there[c] = !status;
    }
    th_pen_end(&pen, '}');
    if (!status && !th_dcql_answered(&q->query, there))
        status = th_fail_field(&q->rq->error, "/choices", "required", "还有必须出示的证照没有选择", "Something that must be shown was not chosen");
    return status ? status : th_buf_ok(buf) ? TH_OK : TH_TOO_LARGE;
}

static th_status answer_send(question *q, th_str tokens, th_str refusal)
{
    th_certificates *certs = q->rq->module;
    th_arena *arena = &q->rq->arena;
    th_error *error = &q->rq->error;
    th_buf body;
    th_str id;
    if (own_id(certs, q->response_uri, response_path, &id))
        return th_asked_answer(certs, id, tokens, q->state, refusal, arena, error);
    th_buf_open(&body, arena, 1 << 20);
    th_buf_text(&body, refusal.n ? "error=" : "vp_token=");
    th_url_encode(&body, refusal.n ? refusal : tokens);
    th_buf_text(&body, "&state=");
    th_url_encode(&body, q->state);
    if (!th_buf_ok(&body))
        return TH_TOO_LARGE;
    th_certificate_call call = {.method = "POST", .url = th_str_keep(arena, q->response_uri).p, .accept = "application/json",
                                .content_type = "application/x-www-form-urlencoded", .body = th_buf_view(&body), .answer_max = OBJECT_MAX, .timeout_ms = 2 * CALL_MS};
    th_status status = certs->options.call && call.url ? certs->options.call(certs->options.call_ctx, &call, arena, error) : TH_UNAVAILABLE;
    if (!status && call.http_status != 200)
        status = th_failf(error, TH_UNPROCESSABLE, "verifier-refused", "验证方没有接受（%d）", "The verifier did not accept it (%d)", call.http_status);
    return status;
}

static th_status answer_job(th_request *rq)
{
    question q = {.rq = rq};
    showing s = {.q = &q};
    th_buf tokens;
    bool declined = th_json_bool(rq->json, "decline", false);
    th_buf_open(&tokens, &rq->arena, 512 * 1024);
    th_status status = question_open(&q, th_json_str(rq->json, "request"));
    if (!status && !declined)
        status = tokens_make(&s, th_json_get(rq->json, "choices"), &tokens);
    if (!status && !declined) /* noted first: what is sent was noted, whatever becomes of the connection */
        status = th_certificates_write(rq->module, shown_write, &s, &rq->error);
    if (!status)
        status = answer_send(&q, th_buf_view(&tokens), declined ? TH_STR("access_denied") : (th_str){NULL, 0});
    if (!status) {
        th_pen pen = th_pen_on(&rq->out);
        th_pen_object(&pen);
        th_pen_kbool(&pen, "answered", !declined);
        th_pen_end(&pen, '}');
        (void)th_reply_json(rq, 200);
    }
    th_trust_release(q.trust);
    return status;
}

th_handled th_wallet_answer(th_request *rq)
{
    static const char *const members[] = {"request", "choices", "decline", NULL};
    th_str given;
    const th_json *choices;
    bool ok = th_json_only(rq->json, "", members, &rq->error);
    ok = th_json_want_str(rq->json, "", "request", OBJECT_MAX, &given, &rq->error) && ok;
    if (!th_json_bool(rq->json, "decline", false))
        ok = th_json_want_object(rq->json, "", "choices", &choices, &rq->error) && ok;
    return ok ? th_on_pool(rq, answer_job) : th_reply_problem(rq, TH_INVALID, NULL);
}
