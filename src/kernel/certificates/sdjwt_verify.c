/* sdjwt_verify.c — is it genuine, in time, and shown by its holder?
 *
 * Reasons, beside those of jose.h: sdjwt-malformed, sdjwt-type (typ or vct), sdjwt-hash, sdjwt-name, sdjwt-digest, sdjwt-digest-twice,
 * sdjwt-disclosure-twice, sdjwt-unreferenced, sdjwt-kind, sdjwt-conflict, sdjwt-not-selective, sdjwt-depth, sdjwt-time, sdjwt-expired,
 * sdjwt-early; holder-missing, holder-key, holder-type, holder-signature, holder-audience, holder-nonce, holder-hash, holder-time; and what
 * the policy's key function says. */
#include "sdjwt-private.h"

#include <string.h>

/* ---- times ---- */

static th_status number_at(const th_json *claims, const char *name, int64_t *ret, bool *ret_there, th_error *error)
{
    const th_json *value = th_json_get(claims, name);
    *ret_there = value != NULL;
    if (value && !th_json_is_int(value, ret))
        return th_fail(error, TH_INVALID, "sdjwt-time", "令牌中的时间不合法", "A time in the token is not acceptable");
    return TH_OK;
}

static th_status times_check(const th_json *claims, int64_t now_us, th_error *error)
{
    int64_t expires, from, issued, now = now_us / TH_SECOND_US;
    bool has_expires, has_from, has_issued;
    th_status status = number_at(claims, "exp", &expires, &has_expires, error);
    if (!status)
        status = number_at(claims, "nbf", &from, &has_from, error);
    if (!status)
        status = number_at(claims, "iat", &issued, &has_issued, error);
    if (status)
        return status;
    if (has_expires && now >= expires)
        return th_fail(error, TH_FORBIDDEN, "sdjwt-expired", "证照已过有效期", "The certificate has expired");
    if ((has_from && now + TH_SDJWT_SKEW_S < from) || (has_issued && now + TH_SDJWT_SKEW_S < issued))
        return th_fail(error, TH_FORBIDDEN, "sdjwt-early", "证照尚未生效", "The certificate is not valid yet");
    return TH_OK;
}

/* ---- the holder ---- */

static th_status holder_claims_check(const th_json *said, const th_sdjwt_policy *policy, th_str digest, int64_t *ret_at_us, th_error *error)
{
    int64_t issued, age = policy->holder_age_us ? policy->holder_age_us : 5 * TH_MINUTE_US;
    const th_json *hash = th_json_get(said, "sd_hash");
    if (!hash || hash->type != TH_JSON_STRING || !th_str_eq(hash->text, digest))
        return th_fail(error, TH_FORBIDDEN, "holder-hash", "持有人签名不属于这次出示的内容", "The holder's signature is over another presentation");
    if (!th_json_is_int(th_json_get(said, "iat"), &issued) || issued > INT64_MAX / TH_SECOND_US || issued < 0)
        return th_fail(error, TH_INVALID, "holder-time", "持有人签名缺少时间", "The holder's signature has no time");
    *ret_at_us = issued * TH_SECOND_US;
    if (!policy->holder)
        return TH_OK;
    if (!th_str_eq(th_json_str(said, "aud"), policy->audience))
        return th_fail(error, TH_FORBIDDEN, "holder-audience", "持有人签名是给另一方的", "The holder's signature is meant for somebody else");
    if (!th_str_eq(th_json_str(said, "nonce"), policy->nonce))
        return th_fail(error, TH_FORBIDDEN, "holder-nonce", "持有人签名与本次请求的随机数不符", "The holder's signature answers another request");
    if (*ret_at_us > policy->now_us + TH_SDJWT_SKEW_S * TH_SECOND_US || *ret_at_us < policy->now_us - age)
        return th_fail(error, TH_FORBIDDEN, "holder-time", "持有人签名的时间过早或在将来", "The holder's signature is too old or from the future");
    return TH_OK;
}

static th_status holder_check(const th_sdjwt_parts *parts, const th_sdjwt_policy *policy, th_sdjwt *token, th_arena *arena, th_error *error)
{
    th_jws jws;
    th_key *key;
    const th_json *said;
    char digest[TH_DIGEST_TEXT];
    const th_json *jwk = th_json_get(th_json_get(token->payload, "cnf"), "jwk");
    if (!jwk)
        return th_fail(error, TH_INVALID, "holder-key", "证照没有绑定持有人密钥", "The certificate is bound to no holder's key");
    th_status status = th_jws_read(parts->holder, arena, &jws, error);
    if (status)
        return status;
    if (!th_str_is(jws.typ, "kb+jwt"))
        return th_fail(error, TH_INVALID, "holder-type", "持有人签名类型不符", "The holder's signature is of another type");
    status = th_jwk_read(jwk, arena, &key, error);
    if (status)
        return th_fail(error, TH_INVALID, "holder-key", "证照绑定的持有人密钥不合法", "The holder's key in the certificate is not acceptable");
    status = th_jws_check(&jws, key, error);
    th_key_close(key);
    if (status)
        return th_fail(error, TH_FORBIDDEN, "holder-signature", "持有人签名不成立", "The holder's signature does not hold");
    if (th_json_parse(jws.payload, arena, &said, NULL) || said->type != TH_JSON_OBJECT)
        return th_fail(error, TH_INVALID, "holder-type", "持有人签名内容有误", "The holder's signature says nothing readable");
    th_sdjwt_digest(token->hash, parts->presented, digest);
    status = holder_claims_check(said, policy, (th_str){digest, sizeof digest}, &token->bound_at_us, error);
    token->bound = !status;
    return status;
}

/* ---- all of it ---- */

static th_status typed(const th_sdjwt *token, const char *typ, th_error *error)
{
    const th_json *vct = th_json_get(token->payload, "vct");
    if (!th_str_is(token->jws.typ, typ ? typ : "dc+sd-jwt") || !vct || vct->type != TH_JSON_STRING || !vct->text.n)
        return th_fail(error, TH_INVALID, "sdjwt-type", "不是可验证证照（typ、vct）", "This is no verifiable credential (typ, vct)");
    return TH_OK;
}

static th_status head_read(th_str text, th_arena *arena, th_sdjwt_parts *parts, th_sdjwt *token, th_error *error)
{
    *token = (th_sdjwt){0};
    th_status status = th_sdjwt_split(text, arena, parts, error);
    if (!status)
        status = th_jws_read(parts->jwt, arena, &token->jws, error);
    if (!status && (th_json_parse(token->jws.payload, arena, &token->payload, NULL) || token->payload->type != TH_JSON_OBJECT))
        status = th_fail(error, TH_INVALID, "sdjwt-malformed", "证照内容不是合法的 JSON 对象", "The certificate's content is no JSON object");
    return status;
}

static th_status body_read(th_sdjwt_parts *parts, bool plain, th_arena *arena, th_sdjwt *token, th_error *error)
{
    th_status status = th_sdjwt_hash_of(token->payload, &token->hash, error);
    if (!status)
        status = th_sdjwt_open(parts, token->hash, arena, error);
    if (!status)
        status = th_sdjwt_claims(token->payload, parts->disclosures, parts->n, plain, arena, &token->claims_json, error);
    if (!status)
        status = th_json_parse(token->claims_json, arena, &token->claims, error);
    token->disclosures = parts->disclosures;
    token->disclosure_count = parts->n;
    return status;
}

th_status th_sdjwt_verify(th_str text, const th_sdjwt_policy *policy, th_arena *arena, th_sdjwt *ret_sdjwt, th_error *error)
{
    th_sdjwt_parts parts;
    th_sdjwt token;
    const th_key *key = NULL;
    th_status status = head_read(text, arena, &parts, &token, error);
    if (!status && !policy->plain)
        status = typed(&token, policy->typ, error);
    if (!status)
        status = policy->key(policy->ctx, &token.jws, token.payload, &key, error);
    if (!status)
        status = th_jws_check(&token.jws, key, error);
    if (!status)
        status = body_read(&parts, policy->plain, arena, &token, error);
    if (!status)
        status = times_check(token.claims, policy->now_us, error);
    if (!status && parts.holder.p)
        status = holder_check(&parts, policy, &token, arena, error);
    else if (!status && policy->holder)
        status = th_fail(error, TH_FORBIDDEN, "holder-missing", "出示时没有持有人签名", "It was shown without the holder's signature");
    if (!status)
        *ret_sdjwt = token;
    return status;
}

th_status th_sdjwt_read(th_str text, bool plain, th_arena *arena, th_sdjwt *ret_sdjwt, th_error *error)
{
    th_sdjwt_parts parts;
    th_sdjwt token;
    th_status status = head_read(text, arena, &parts, &token, error);
    if (!status)
        status = body_read(&parts, plain, arena, &token, error);
    if (!status)
        *ret_sdjwt = token;
    return status;
}
