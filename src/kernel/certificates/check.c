/* check.c — is this certificate genuine, in force, and of a type that is accepted here? Whatever cannot be learnt is a no with its reason. */
#include "certificates-private.h"
#include "platform/page/page.h"

#include <string.h>

typedef struct checking {
    th_certificates *certs;
    const th_trust *trust;
    th_arena *arena;
    th_certificate_check *out;
    const th_member *issuer;
    const th_certificate_type *type;
    th_str uri;
    int64_t place;
    th_error error;
} checking;

static th_status issuer_entitled(checking *c, const char *member)
{
    if (!c->type)
        return th_fail(&c->error, TH_FORBIDDEN, "certificate-type", "本区域没有这种证照", "The region has no such type of certificate");
    c->out->type = c->type->code;
    c->out->accepted = th_certificate_type_accepted(c->type, c->certs->code);
    if (!th_certificate_type_issuer(c->type, th_str_of(member)))
        return th_fail(&c->error, TH_FORBIDDEN, "issuer-not-entitled", "该成员无权签发这种证照", "This member may not issue such a certificate");
    return TH_OK;
}

/* The issuer's address in the token must be that of the member whose key signed it. */
static th_status key_find(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret_key, th_error *error)
{
    checking *c = ctx;
    int64_t issued, at;
    if (!th_json_is_int(th_json_get(payload, "iat"), &issued) || !th_mul_i64(issued, TH_SECOND_US, &at))
        return th_fail(error, TH_INVALID, "sdjwt-time", "令牌中的时间不合法", "A time in the token is not acceptable");
    th_status status = th_certificate_key(c->trust, jws->kid, at, &c->issuer, ret_key, error);
    if (!status && !th_str_eq(th_json_str(payload, "iss"), c->issuer->portal))
        status = th_fail(error, TH_FORBIDDEN, "issuer-address", "签发方地址与密钥所属成员不符", "The issuer's address is not that of the key's member");
    return status;
}

static th_status token_check(checking *c, th_str text, th_str audience, th_str nonce)
{
    th_sdjwt token;
    th_certificate_check *out = c->out;
    th_sdjwt_policy policy = {.key = key_find, .ctx = c, .now_us = th_now_us(c->certs->options.env), .holder = audience.n > 0, .audience = audience, .nonce = nonce};
    th_status status = th_sdjwt_verify(text, &policy, c->arena, &token, &c->error);
    if (c->issuer)
        out->issuer = th_str_keep(c->arena, th_str_of(c->issuer->code));
    if (status)
        return status;
    out->claims = token.claims;
    out->number = th_json_str(token.claims, "number");
    out->bound = token.bound;
    out->issued_us = th_json_int(token.claims, "iat", 0) * TH_SECOND_US;
    out->expires_us = th_json_int(token.claims, "exp", 0) * TH_SECOND_US;
    c->type = th_certificate_type_by_vct(c->certs, th_json_str(token.claims, "vct"));
    status = issuer_entitled(c, c->issuer->code);
    return status ? status : th_status_reference(th_json_get(token.payload, "status"), &c->uri, &c->place, &c->error);
}

static th_status square_check(checking *c, th_str text)
{
    th_offline o;
    const th_key *key;
    th_certificate_check *out = c->out;
    int64_t now = th_now_us(c->certs->options.env);
    th_status status = th_offline_read(text, c->arena, &o, &c->error);
    if (!status)
        status = th_certificate_key(c->trust, o.cose.kid, o.issued_us, &c->issuer, &key, &c->error);
    if (!status)
        status = th_cose_check(&o.cose, key, &c->error);
    if (status)
        return status;
    out->issuer = th_str_keep(c->arena, th_str_of(c->issuer->code));
    if (!th_str_is(o.issuer, c->issuer->code))
        return th_fail(&c->error, TH_FORBIDDEN, "issuer-address", "签发方与密钥所属成员不符", "The issuer is not the key's member");
    out->claims = o.fields;
    out->number = o.number;
    out->issued_us = o.issued_us;
    out->expires_us = o.expires_us;
    c->type = th_certificate_type_find(c->certs, o.type);
    status = issuer_entitled(c, c->issuer->code);
    if (status)
        return status;
    if (o.expires_us && now >= o.expires_us)
        return th_fail(&c->error, TH_FORBIDDEN, "sdjwt-expired", "证照已过有效期", "The certificate has expired");
    if (o.issued_us > now + TH_SDJWT_SKEW_S * TH_SECOND_US)
        return th_fail(&c->error, TH_FORBIDDEN, "sdjwt-early", "证照尚未生效", "The certificate is not valid yet");
    c->uri = th_strf(c->arena, "%.*s/certificates/v1/statuslists/%lld", TH_FMT(c->issuer->portal), (long long)o.list);
    c->place = o.index;
    return c->uri.p ? TH_OK : TH_NO_MEMORY;
}

/* Sealed as a whole by a member; every certificate attached is that member's and says the same. */
static th_status page_check(checking *c, th_str pdf)
{
    th_page_seen seen;
    th_key *key;
    char kid[TH_KID_TEXT];
    const th_member *sealer;
    const th_key *known;
    size_t tokens = 0;
    th_str number = {NULL, 0}, none = {NULL, 0};
    th_status status = th_page_read(pdf, c->arena, &seen, &c->error);
    if (!status && th_x509_key(seen.x509, &key))
        status = th_fail(&c->error, TH_FORBIDDEN, "unknown-key", "签章证书不合法", "The seal's certificate is not acceptable");
    if (status)
        return status;
    th_kid_of(key, kid);
    th_key_close(key);
    for (size_t i = 0; !status && i < seen.file_count; i++) {
        if (strcmp(seen.files[i].type, "application/dc+sd-jwt") != 0)
            continue;
        status = token_check(c, seen.files[i].bytes, none, none);
        if (!status)
            status = th_certificate_key(c->trust, th_str_of(kid), c->out->issued_us, &sealer, &known, &c->error);
        if (!status && (sealer != c->issuer || (tokens && !th_str_eq(number, c->out->number))))
            status = th_fail(&c->error, TH_FORBIDDEN, "page-signature", "签章与所附证照不属于同一签发方", "The seal and the certificate attached are not one issuer's");
        number = c->out->number;
        tokens++;
    }
    return status || tokens ? status : th_fail(&c->error, TH_INVALID, "page-unsigned", "这个文件没有附带证照", "This file has no certificate attached");
}

static th_status status_check(checking *c)
{
    th_status_found found;
    th_certificate_check *out = c->out;
    th_status status = th_status_find(c->certs, c->trust, c->issuer, c->uri, c->place, c->arena, &found, &c->error);
    if (status)
        return status;
    out->status_known = true;
    out->status = found.value;
    out->status_from = found.from;
    out->status_at_us = found.at_us;
    if (found.value == TH_STATUS_INVALID)
        return th_fail(&c->error, TH_FORBIDDEN, "certificate-revoked", "证照已被撤销或注销", "The certificate has been revoked");
    if (found.value == TH_STATUS_SUSPENDED)
        return th_fail(&c->error, TH_FORBIDDEN, "certificate-suspended", "证照已被暂扣", "The certificate is suspended");
    if (found.value != TH_STATUS_VALID)
        return th_fail(&c->error, TH_FORBIDDEN, "certificate-status", "证照处于未知状态", "The certificate has an unknown status");
    return TH_OK;
}

th_status th_certificates_check(th_certificates *certs, th_str presented, th_str audience, th_str nonce, th_arena *arena, th_certificate_check *ret_check,
                                th_error *error)
{
    th_certificate_check out = {.type = "", .status_from = ""};
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    checking c = {.certs = certs, .trust = trust, .arena = arena, .out = &out};
    bool page = th_str_starts(presented, "%PDF-");
    presented = page ? presented : th_str_trim(presented);
    bool square = th_str_starts(presented, TH_OFFLINE_PREFIX);
    out.carrier = page ? TH_CARRIER_PAGE : square ? TH_CARRIER_SQUARE : TH_CARRIER_TOKEN;
    th_status status = trust ? th_trust_live(trust, th_now_us(certs->options.env), &c.error)
                             : th_fail(&c.error, TH_UNAVAILABLE, "no-trust", "尚未启用信任文件", "No trust document is in force yet");
    if (!status && (square || page) && audience.n)
        status = th_fail(&c.error, TH_FORBIDDEN, "holder-missing", "二维码和页面没有持有人签名", "Squares and pages carry no holder's signature");
    if (!status)
        status = page ? page_check(&c, presented) : square ? square_check(&c, presented) : token_check(&c, presented, audience, nonce);
    if (!status)
        status = status_check(&c);
    out.valid = status == TH_OK;
    out.reason = c.error;
    th_trust_release(trust);
    if (status == TH_NO_MEMORY || status == TH_IO || status == TH_CORRUPT) { /* nothing was learnt about the certificate */
        if (error)
            *error = c.error;
        return status;
    }
    *ret_check = out;
    return TH_OK;
}

/* ---- as JSON ---- */

void th_member_write(th_pen *pen, const char *key, const th_trust *trust, th_str code)
{
    const th_member *m = trust ? th_trust_member(trust, code) : NULL;
    th_pen_key(pen, key);
    if (!m) {
        th_pen_null(pen);
        return;
    }
    th_pen_object(pen);
    th_pen_kstr(pen, "code", code);
    th_pen_kstr(pen, "zh", m->name_zh);
    th_pen_kstr(pen, "en", m->name_en);
    th_pen_end(pen, '}');
}

static void fields_write(th_pen *pen, const th_certificate_type *type, const th_json *claims)
{
    th_pen_key(pen, "fields");
    th_pen_array(pen);
    for (size_t i = 0; type && i < type->field_count; i++) {
        const th_certificate_field *f = &type->fields[i];
        const th_json *value = th_json_get_str(claims, f->name);
        if (!value)
            continue;
        th_pen_object(pen);
        th_pen_kstr(pen, "name", f->name);
        th_pen_key(pen, "title");
        th_pen_object(pen);
        th_pen_kstr(pen, "zh", f->title_zh);
        th_pen_kstr(pen, "en", f->title_en);
        th_pen_end(pen, '}');
        th_pen_key(pen, "value");
        if (value->type == TH_JSON_STRING)
            th_pen_str(pen, value->text);
        else
            th_pen_raw(pen, value->raw);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
}

void th_check_write(th_pen *pen, const th_certificates *certs, const th_trust *trust, const th_certificate_check *check)
{
    static const char *const carriers[] = {"", "token", "square", "page"}, *const statuses[] = {"valid", "revoked", "suspended"};
    const th_certificate_type *type = th_certificate_type_find(certs, th_str_of(check->type));
    th_pen_object(pen);
    th_pen_kbool(pen, "valid", check->valid);
    th_pen_ktext(pen, "carrier", carriers[check->carrier]);
    th_pen_key(pen, "reason");
    if (check->valid) {
        th_pen_null(pen);
    } else {
        th_pen_object(pen);
        th_pen_ktext(pen, "type", check->reason.type);
        th_pen_ktext(pen, "zh", check->reason.zh);
        th_pen_ktext(pen, "en", check->reason.en);
        th_pen_end(pen, '}');
    }
    th_pen_key(pen, "type");
    if (type) {
        th_pen_object(pen);
        th_pen_ktext(pen, "code", type->code);
        th_pen_kstr(pen, "zh", type->title_zh);
        th_pen_kstr(pen, "en", type->title_en);
        th_pen_end(pen, '}');
    } else {
        th_pen_null(pen);
    }
    th_member_write(pen, "issuer", trust, check->issuer);
    th_pen_kstr(pen, "number", check->number);
    th_pen_kbool(pen, "accepted", check->accepted);
    th_pen_kbool(pen, "holder_signed", check->bound);
    th_pen_kbool(pen, "simulated", type && th_json_bool(type->json, "simulated", false));
    th_pen_ktime(pen, "issued", check->issued_us);
    th_pen_ktime(pen, "expires", check->expires_us);
    th_pen_key(pen, "status");
    th_pen_object(pen);
    th_pen_kstr(pen, "value", !check->status_known ? (th_str){NULL, 0} : th_str_of(check->status < TH_COUNT(statuses) ? statuses[check->status] : "other"));
    th_pen_ktext(pen, "from", check->status_from);
    th_pen_ktime(pen, "at", check->status_at_us);
    th_pen_end(pen, '}');
    fields_write(pen, type, check->claims);
    th_pen_end(pen, '}');
}
