/* consent.c — the citizen's agreement as a token: made by the home node, checked by the provider. */
#include "kernel/exchange/consent.h"

#include <string.h>

enum { TOKEN_MAX = 16 * 1024, FIELDS_MAX = 64 };

static const char signing_tag[] = "tonghui/v1/consent\n";

static th_str person_hash(th_str salt, th_str id_number, char text[TH_HEX_HASH])
{
    th_str pieces[] = {salt, id_number};
    th_hash hash = th_hash_of(TH_SUITE_ED25519, pieces, 2);
    th_hex(hash.b, TH_HASH_SIZE, text);
    return th_str_of(text);
}

static void body_write(th_pen *pen, const th_consent *c)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "id", c->id);
    th_pen_kstr(pen, "home", c->home);
    th_pen_kstr(pen, "kid", c->kid);
    th_pen_kstr(pen, "provider", c->provider);
    th_pen_kstr(pen, "register", c->reg);
    th_pen_key(pen, "fields");
    th_pen_array(pen);
    for (size_t i = 0; i < c->field_count; i++)
        th_pen_str(pen, c->fields[i]);
    th_pen_end(pen, ']');
    th_pen_kstr(pen, "item", c->item);
    th_pen_kstr(pen, "case", c->case_id);
    th_pen_key(pen, "person");
    th_pen_object(pen);
    th_pen_kstr(pen, "salt", c->salt);
    th_pen_kstr(pen, "hash", c->hash);
    th_pen_end(pen, '}');
    th_pen_ktime(pen, "issued", c->issued_us);
    th_pen_ktime(pen, "expires", c->expires_us);
    th_pen_kstr(pen, "text", c->text_hash);
    th_pen_kstr(pen, "lang", c->lang);
    th_pen_end(pen, '}');
}

th_status th_consent_make(th_consent *c, th_str id_number, const th_key *key, const th_env *env, th_arena *arena, th_str *ret_token,
                          th_error *error)
{
    uint8_t salt[16], signature[TH_SIGNATURE_SIZE];
    char hash[TH_HEX_HASH], salt_text[33], kid[TH_KID_TEXT];
    const th_json *json;
    th_buf plain, message;
    if (c->expires_us <= c->issued_us || c->expires_us - c->issued_us > TH_CONSENT_DAYS_MAX * TH_DAY_US)
        return th_failf(error, TH_INVALID, "consent-expires", "同意的期限须在 %d 天之内", "Consent may last at most %d days",
                        TH_CONSENT_DAYS_MAX);
    th_uuid7(env, c->id);
    env->random(env->ctx, salt, sizeof salt);
    th_hex(salt, sizeof salt, salt_text);
    th_kid_of(key, kid);
    c->kid = th_str_keep(arena, th_str_of(kid));
    c->salt = th_str_keep(arena, th_str_of(salt_text));
    c->hash = th_str_keep(arena, person_hash(c->salt, id_number, hash));
    th_buf_open(&plain, arena, TOKEN_MAX);
    th_pen pen = th_pen_on(&plain);
    body_write(&pen, c);
    th_status status = th_buf_ok(&plain) ? th_json_parse(th_buf_view(&plain), arena, &json, error) : TH_TOO_LARGE;
    if (status)
        return status;
    th_buf_open(&message, arena, TOKEN_MAX);
    th_buf_text(&message, signing_tag);
    status = th_json_canonical(json, &message);
    if (!status && !th_buf_ok(&message))
        status = TH_TOO_LARGE;
    if (!status)
        status = th_sign(key, th_buf_view(&message), signature);
    if (status)
        return status;
    size_t tag = sizeof signing_tag - 1;
    th_str body = th_base64url(arena, message.p + tag, message.n - tag), sig = th_base64url(arena, signature, sizeof signature);
    *ret_token = th_strf(arena, "%.*s.%.*s", TH_FMT(body), TH_FMT(sig));
    return ret_token->p ? TH_OK : TH_NO_MEMORY;
}

/* ---- reading ---- */

static th_status malformed(th_error *error)
{
    return th_fail(error, TH_INVALID, "consent-malformed", "同意凭证格式不符", "The consent token is malformed");
}

static bool body_read(const th_json *json, th_arena *arena, th_consent *c)
{
    const th_json *fields = th_json_get(json, "fields"), *person = th_json_get(json, "person");
    th_str id = th_json_str(json, "id");
    if (!th_uuid_valid(id) || !fields || fields->type != TH_JSON_ARRAY || fields->count > FIELDS_MAX)
        return false;
    memcpy(c->id, id.p, id.n);
    c->id[id.n] = 0;
    c->home = th_json_str(json, "home");
    c->kid = th_json_str(json, "kid");
    c->provider = th_json_str(json, "provider");
    c->reg = th_json_str(json, "register");
    c->item = th_json_str(json, "item");
    c->case_id = th_json_str(json, "case");
    c->salt = th_json_str(person, "salt");
    c->hash = th_json_str(person, "hash");
    c->text_hash = th_json_str(json, "text");
    c->lang = th_json_str(json, "lang");
    th_str *texts = th_alloc_array(arena, fields->count + 1, sizeof *texts);
    if (!texts)
        return false;
    c->fields = texts;
    for (const th_json *f = th_json_first(fields); f; f = th_json_next(fields, f)) {
        if (f->type != TH_JSON_STRING)
            return false;
        texts[c->field_count++] = f->text;
    }
    return c->home.n && c->kid.n && c->provider.n && c->reg.n && c->item.n && c->salt.n && c->hash.n == TH_HEX_HASH - 1 &&
           th_time_parse(th_json_str(json, "issued"), &c->issued_us) && th_time_parse(th_json_str(json, "expires"), &c->expires_us) &&
           c->expires_us - c->issued_us <= TH_CONSENT_DAYS_MAX * TH_DAY_US;
}

static th_status token_read(th_str token, th_arena *arena, th_consent *ret_consent, th_str *ret_body, th_str *ret_signature, th_error *error)
{
    th_str rest = token, body64, sig64;
    const th_json *json;
    if (token.n > TOKEN_MAX || !th_str_cut(&rest, '.', &body64) || !th_str_cut(&rest, '.', &sig64) || rest.n ||
        th_unbase64url(arena, body64, ret_body) || th_unbase64url(arena, sig64, ret_signature) ||
        th_json_parse(*ret_body, arena, &json, NULL) || !body_read(json, arena, ret_consent))
        return malformed(error);
    return TH_OK;
}

th_status th_consent_look(th_str token, th_arena *arena, th_consent *ret_consent, th_error *error)
{
    th_str body, signature;
    *ret_consent = (th_consent){0};
    return token_read(token, arena, ret_consent, &body, &signature, error);
}

th_status th_consent_read(th_str token, const th_trust *trust, th_arena *arena, th_consent *ret_consent, th_error *error)
{
    th_str body, signature;
    th_consent c = {0};
    const th_member_key *key;
    th_status status = token_read(token, arena, &c, &body, &signature, error);
    if (!status)
        status = th_trust_key(trust, c.home, c.kid, TH_USE_MESSAGE, c.issued_us, &key, error);
    if (status)
        return status;
    th_buf message;
    th_buf_open(&message, arena, TOKEN_MAX);
    th_buf_text(&message, signing_tag);
    th_buf_str(&message, body);
    if (!th_buf_ok(&message) || th_verify(key->key, th_buf_view(&message), signature))
        return th_fail(error, TH_FORBIDDEN, "consent-signature", "同意凭证的签名不成立", "The consent's signature does not hold");
    *ret_consent = c;
    return TH_OK;
}

th_status th_consent_check(const th_consent *c, th_str consumer, th_str provider, th_str reg, const th_str *fields,
                           size_t field_count, th_str item, th_str case_id, th_str id_number, int64_t now_us, th_error *error)
{
    char hash[TH_HEX_HASH];
    if (!th_str_eq(c->home, consumer))
        return th_fail(error, TH_FORBIDDEN, "consent-home", "同意凭证不是由请求方签发的", "The consent was not issued by the asking member");
    if (!th_str_eq(c->provider, provider))
        return th_fail(error, TH_FORBIDDEN, "consent-provider", "本人没有同意本节点提供", "The consent names another provider");
    if (!th_str_eq(c->reg, reg))
        return th_fail(error, TH_FORBIDDEN, "consent-register", "本人没有同意查验该登记簿", "The consent names another register");
    for (size_t i = 0; i < field_count; i++) {
        bool agreed = false;
        for (size_t k = 0; k < c->field_count; k++)
            agreed = agreed || th_str_eq(fields[i], c->fields[k]);
        if (!agreed)
            return th_failf(error, TH_FORBIDDEN, "consent-field", "本人没有同意字段 %.*s", "The consent does not cover the field %.*s",
                            TH_FMT(fields[i]));
    }
    if (!th_str_eq(c->item, item) || (c->case_id.n && !th_str_eq(c->case_id, case_id)))
        return th_fail(error, TH_FORBIDDEN, "consent-purpose", "本人同意的是另一事项或另一办件", "The consent is for another item or case");
    th_str made = person_hash(c->salt, id_number, hash);
    if (!th_equal_secret(made.p, c->hash.p, TH_HEX_HASH - 1))
        return th_fail(error, TH_FORBIDDEN, "consent-person", "同意凭证不是被查验人的", "The consent is not of the person asked about");
    if (now_us > c->expires_us || now_us < c->issued_us - 5 * TH_MINUTE_US)
        return th_fail(error, TH_FORBIDDEN, "consent-expired", "同意凭证已过期", "The consent has expired");
    return TH_OK;
}
