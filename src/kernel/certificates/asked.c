/* asked.c — a verifier's question: kept, signed as a request object, answered once. */
#include "certificates-private.h"

#include <string.h>

enum { NONCE_BYTES = 24 };

static th_str context_of(th_str id, th_arena *arena)
{
    return th_strf(arena, "asked/%.*s", TH_FMT(id));
}

/* "x509_hash:…" where there is a certificate to name the key; else the member's code, which wallets of the region know. */
th_str th_client_id(const th_certificates *certs, th_arena *arena)
{
    char text[48];
    if (!certs->options.x509.n)
        return th_str_of(certs->code);
    th_hash hash = th_hash_str(TH_SUITE_P256, certs->options.x509);
    return th_strf(arena, "x509_hash:%.*s", (int)th_base64url_to(hash.b, sizeof hash.b, text), text);
}

/* Ties an answer to its question without a column for it. */
void th_asked_state(const th_certificates *certs, th_str id, char ret_state[44])
{
    th_str pieces[] = {TH_STR("tonghui/v1/certificate-request\n"), id};
    th_hash hash = th_hmac(certs->seal_key, pieces, TH_COUNT(pieces));
    ret_state[th_base64url_to(hash.b, sizeof hash.b, ret_state)] = 0;
}

th_status th_asked_put(th_certificates *certs, th_db *db, th_asked *a, th_error *error)
{
    uint8_t chance[NONCE_BYTES];
    char nonce[NONCE_BYTES * 2];
    th_uuid7(certs->options.env, a->id_text);
    certs->options.env->random(certs->options.env->ctx, chance, sizeof chance);
    a->made_us = th_now_us(certs->options.env);
    a->expires_us = a->made_us + TH_ASKED_MINUTES * TH_MINUTE_US;
    th_value values[] = {th_v_text(th_str_of(a->id_text)), th_v_text(a->account), th_v_text(a->office), th_v_text(a->purpose),
                         th_v_text((th_str){nonce, th_base64url_to(chance, sizeof chance, nonce)}), th_v_text(a->query), th_v_int(a->made_us),
                         th_v_int(a->expires_us)};
    return th_db_exec(db,
                      "INSERT INTO certificates_asked (id, account, office, purpose, nonce, query, state, made_at, expires_at) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'asked', ?7, ?8)",
                      values, TH_COUNT(values), NULL, error);
}

th_status th_asked_get(th_certificates *certs, th_db *db, th_str id, th_arena *arena, th_asked *ret, th_error *error)
{
    const th_value *row;
    th_value value = th_v_text(id);
    th_status status = th_db_one(db,
                                 "SELECT account, office, purpose, nonce, query, state, made_at, expires_at, result, answered_at FROM certificates_asked "
                                 "WHERE id = ?1",
                                 &value, 1, arena, &row, error);
    if (status == TH_NOT_FOUND || id.n >= TH_ID_TEXT)
        return th_fail(error, TH_NOT_FOUND, "no-request", "没有这个出示请求", "There is no such request");
    if (status)
        return status;
    *ret = (th_asked){.account = row[0].s, .office = row[1].s, .purpose = row[2].s, .nonce = row[3].s, .query = row[4].s, .state = row[5].s,
                      .made_us = row[6].i, .expires_us = row[7].i, .answered_us = row[9].type == TH_VALUE_INT ? row[9].i : 0};
    memcpy(ret->id_text, id.p, id.n);
    return row[8].type == TH_VALUE_BLOB ? th_certificate_unseal(certs, context_of(id, arena), row[8].s, arena, &ret->result, error) : TH_OK;
}

static th_status open_check(th_certificates *certs, const th_asked *a, th_error *error)
{
    if (!th_str_is(a->state, "asked"))
        return th_fail(error, TH_CONFLICT, "request-answered", "该请求已经答复过", "This request has been answered");
    if (th_now_us(certs->options.env) >= a->expires_us)
        return th_fail(error, TH_CONFLICT, "request-expired", "该请求已过期", "This request has expired");
    return TH_OK;
}

/* Answered or refused, once: whoever comes second is told so. */
th_status th_asked_settle(th_certificates *certs, th_db *db, th_str id, const char *state, th_str result, th_arena *arena, th_error *error)
{
    th_asked a;
    th_str sealed;
    th_status status = th_asked_get(certs, db, id, arena, &a, error);
    if (!status)
        status = open_check(certs, &a, error);
    if (!status)
        status = th_certificate_seal(certs, context_of(id, arena), result, arena, &sealed);
    if (status)
        return status;
    th_value values[] = {th_v_text(id), th_v_text(th_str_of(state)), th_v_int(th_now_us(certs->options.env)), th_v_blob(sealed.p, sealed.n)};
    return th_db_exec(db, "UPDATE certificates_asked SET state = ?2, answered_at = ?3, result = ?4 WHERE id = ?1", values, 4, NULL, error);
}

th_str th_asked_link(const th_certificates *certs, const th_asked *a, th_arena *arena)
{
    th_buf link;
    th_buf_open(&link, arena, 4096);
    th_buf_text(&link, "openid4vp://?client_id=");
    th_url_encode(&link, th_client_id(certs, arena));
    th_buf_text(&link, "&request_uri=");
    th_url_encode(&link, th_strf(arena, "%s/certificates/v1/oid4vp/request/%s", certs->portal, a->id_text));
    return th_buf_ok(&link) ? th_buf_view(&link) : (th_str){NULL, 0};
}

/* ---- the request object (RFC 9101) ---- */

static void metadata_write(const th_certificates *certs, const th_trust *trust, th_pen *pen)
{
    static const char *const algorithms[] = {"ES256", "EdDSA", "SGD_SM3_SM2"};
    const th_member *me = trust ? th_trust_member(trust, th_str_of(certs->code)) : NULL;
    th_pen_key(pen, "client_metadata");
    th_pen_object(pen);
    th_pen_kstr(pen, "client_name", me ? me->name_zh : th_str_of(certs->code));
    th_pen_key(pen, "vp_formats_supported");
    th_pen_object(pen);
    th_pen_key(pen, "dc+sd-jwt");
    th_pen_object(pen);
    for (int i = 0; i < 2; i++) {
        th_pen_key(pen, i ? "kb-jwt_alg_values" : "sd-jwt_alg_values");
        th_pen_array(pen);
        for (size_t k = 0; k < TH_COUNT(algorithms); k++)
            th_pen_text(pen, algorithms[k]);
        th_pen_end(pen, ']');
    }
    th_pen_end(pen, '}');
    th_pen_end(pen, '}');
    th_pen_end(pen, '}');
}

static th_str header_make(const th_certificates *certs, const th_key *key, th_str kid, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, TH_JWS_HEADER_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "alg", th_jose_alg(th_key_suite(key)));
    th_pen_ktext(&pen, "typ", "oauth-authz-req+jwt");
    th_pen_kstr(&pen, "kid", kid);
    if (certs->options.x509.n) {
        th_pen_key(&pen, "x5c");
        th_pen_array(&pen);
        th_pen_str(&pen, th_base64(arena, certs->options.x509.p, certs->options.x509.n));
        th_pen_end(&pen, ']');
    }
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}

th_status th_asked_object(th_certificates *certs, const th_asked *a, th_arena *arena, th_str *ret_token, th_error *error)
{
    th_buf payload, token;
    th_str kid;
    char state[44];
    const th_key *key = th_signing_key(certs, &kid);
    th_status status = open_check(certs, a, error);
    if (status)
        return status;
    th_asked_state(certs, th_str_of(a->id_text), state);
    th_str client = th_client_id(certs, arena), header = header_make(certs, key, kid, arena);
    th_buf_open(&payload, arena, 64 * 1024);
    th_buf_open(&token, arena, 128 * 1024);
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    th_pen pen = th_pen_on(&payload);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "iss", client);
    th_pen_ktext(&pen, "aud", "https://self-issued.me/v2");
    th_pen_kstr(&pen, "client_id", client);
    th_pen_ktext(&pen, "response_type", "vp_token");
    th_pen_ktext(&pen, "response_mode", "direct_post");
    th_pen_kstr(&pen, "response_uri", th_strf(arena, "%s/certificates/v1/oid4vp/response/%s", certs->portal, a->id_text));
    th_pen_kstr(&pen, "nonce", a->nonce);
    th_pen_ktext(&pen, "state", state);
    th_pen_kraw(&pen, "dcql_query", a->query);
    metadata_write(certs, trust, &pen);
    th_pen_kint(&pen, "iat", th_now_us(certs->options.env) / TH_SECOND_US);
    th_pen_kint(&pen, "exp", a->expires_us / TH_SECOND_US);
    th_pen_kstr(&pen, "tonghui_purpose", a->purpose);
    th_pen_kstr(&pen, "tonghui_office", a->office);
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    if (!client.p || !header.p || !th_buf_ok(&payload))
        return TH_NO_MEMORY;
    status = th_jws_make(key, header, th_buf_view(&payload), &token);
    *ret_token = th_buf_view(&token);
    return status;
}

/* ---- what came ---- */

typedef struct answering {
    th_certificates *certs;
    th_asked asked;
    th_dcql query;
    const th_json *tokens; /* {"query id": ["presentation", …]} */
    th_arena *arena;
    bool *there;
    th_pen *pen;
    const th_trust *trust;
    th_error *error;
} answering;

static th_status wrong(answering *a, const char *type, const char *zh, const char *en)
{
    return th_fail(a->error, TH_UNPROCESSABLE, type, zh, en);
}

static th_status presentation_check(answering *a, const th_dcql_credential *wanted, const th_json *text)
{
    th_certificate_check check;
    const th_json **paths;
    size_t n;
    th_str none = {NULL, 0};
    if (text->type != TH_JSON_STRING)
        return wrong(a, "vp-token", "vp_token 的内容须为文字", "The vp_token must hold texts");
    th_status status = th_certificates_check(a->certs, text->text, wanted->holder ? th_client_id(a->certs, a->arena) : none,
                                             wanted->holder ? a->asked.nonce : none, a->arena, &check, a->error);
    if (status)
        return status;
    if (!check.valid) {
        *a->error = check.reason;
        a->error->status = TH_UNPROCESSABLE;
        return TH_UNPROCESSABLE;
    }
    if (check.carrier != TH_CARRIER_TOKEN || !th_dcql_fits(wanted, TH_STR("dc+sd-jwt"), check.claims, a->arena, &paths, &n))
        return wrong(a, "not-what-was-asked", "出示的证照不符合请求", "What was shown is not what was asked for");
    th_pen_object(a->pen);
    th_pen_kstr(a->pen, "query", wanted->id);
    th_pen_key(a->pen, "check");
    th_check_write(a->pen, a->certs, a->trust, &check);
    th_pen_end(a->pen, '}');
    return TH_OK;
}

static th_status query_check(answering *a, const th_json *list)
{
    size_t i = 0;
    th_status status = TH_OK;
    while (i < a->query.credential_count && !th_str_eq(a->query.credentials[i].id, list->key))
        i++;
    if (i == a->query.credential_count || list->type != TH_JSON_ARRAY || !list->count)
        return wrong(a, "vp-token", "vp_token 中有未请求的证照", "The vp_token holds a credential that was not asked for");
    if (list->count > 1 && !a->query.credentials[i].multiple)
        return wrong(a, "vp-token", "只请求了一份证照", "One credential was asked for");
    for (const th_json *text = th_json_first(list); !status && text; text = th_json_next(list, text))
        status = presentation_check(a, &a->query.credentials[i], text);
    a->there[i] = !status;
    return status;
}

static th_status tokens_check(answering *a, th_buf *result)
{
    th_status status = TH_OK;
    th_pen pen = th_pen_on(result);
    a->pen = &pen;
    th_pen_object(&pen);
    th_pen_key(&pen, "credentials");
    th_pen_array(&pen);
    for (const th_json *list = th_json_first(a->tokens); !status && list; list = th_json_next(a->tokens, list))
        status = query_check(a, list);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (!status && !th_dcql_answered(&a->query, a->there))
        status = wrong(a, "not-what-was-asked", "出示的证照不齐全", "Not all that was asked for was shown");
    return status ? status : th_buf_ok(result) ? TH_OK : TH_TOO_LARGE;
}

typedef struct settling {
    th_certificates *certs;
    th_str id, result;
    const char *state;
    th_arena *arena;
} settling;

static th_status settle_write(void *ctx, th_db *db, th_error *error)
{
    settling *s = ctx;
    return th_asked_settle(s->certs, db, s->id, s->state, s->result, s->arena, error);
}

static th_status asked_open(answering *a, th_str id, th_str state)
{
    th_db *db;
    char wanted[44];
    const th_json *query;
    th_status status = th_store_acquire(a->certs->options.store, &db, a->error);
    if (status)
        return status;
    status = th_asked_get(a->certs, db, id, a->arena, &a->asked, a->error);
    th_store_release(a->certs->options.store, db);
    if (!status)
        status = open_check(a->certs, &a->asked, a->error);
    if (status)
        return status;
    th_asked_state(a->certs, id, wanted);
    if (state.n != strlen(wanted) || !th_equal_secret(state.p, wanted, state.n))
        return th_fail(a->error, TH_FORBIDDEN, "request-state", "答复与请求不符（state）", "The answer does not belong to the request (state)");
    status = th_json_parse(a->asked.query, a->arena, &query, a->error);
    return status ? status : th_dcql_read(query, a->arena, &a->query, a->error);
}

th_status th_asked_answer(th_certificates *certs, th_str id, th_str tokens, th_str state, th_str refusal, th_arena *arena, th_error *error)
{
    answering a = {.certs = certs, .arena = arena, .error = error};
    settling s = {.certs = certs, .id = id, .state = "answered", .arena = arena};
    th_buf result;
    th_status status = asked_open(&a, id, state);
    if (status)
        return status;
    th_buf_open(&result, arena, 1 << 20);
    if (refusal.n) {
        th_pen pen = th_pen_on(&result);
        th_pen_object(&pen);
        th_pen_kstr(&pen, "refused", refusal);
        th_pen_end(&pen, '}');
        s.state = "refused";
    } else {
        a.there = th_alloc_array(arena, a.query.credential_count + 1, sizeof *a.there);
        if (!tokens.n || !a.there || th_json_parse(tokens, arena, &a.tokens, NULL) || a.tokens->type != TH_JSON_OBJECT || !a.tokens->count)
            return wrong(&a, "vp-token", "vp_token 须为 JSON 对象", "The vp_token must be a JSON object");
        th_trust *trust = th_exchange_trust(certs->options.exchange);
        a.trust = trust;
        status = tokens_check(&a, &result);
        th_trust_release(trust);
    }
    if (status)
        return status;
    s.result = th_buf_view(&result);
    return th_certificates_write(certs, settle_write, &s, error);
}
