/* jose.c — taking compact tokens apart and putting them together. */
#include "kernel/certificates/jose.h"

#include <string.h>

static const struct { th_suite suite; const char *alg, *kty, *crv; } kinds[] = {
    {TH_SUITE_P256, "ES256", "EC", "P-256"},
    {TH_SUITE_ED25519, "EdDSA", "OKP", "Ed25519"},
    {TH_SUITE_SM2, "SGD_SM3_SM2", "EC", "SM2"},
};

static size_t kind_of(th_suite suite)
{
    size_t i = 0;
    while (kinds[i].suite != suite)
        i++;
    return i;
}

const char *th_jose_alg(th_suite suite)
{
    return kinds[kind_of(suite)].alg;
}

static th_status malformed(th_error *error)
{
    return th_fail(error, TH_INVALID, "jws-malformed", "签名令牌格式有误", "The signed token is malformed");
}

static bool alg_known(th_str alg)
{
    for (size_t i = 0; i < TH_COUNT(kinds); i++)
        if (th_str_is(alg, kinds[i].alg))
            return true;
    return false;
}

static th_status header_read(th_str text, th_arena *arena, th_jws *jws, th_error *error)
{
    th_str bytes;
    if (text.n > TH_JWS_HEADER_MAX || th_unbase64url(arena, text, &bytes) || th_json_parse(bytes, arena, &jws->header, NULL) ||
        jws->header->type != TH_JSON_OBJECT)
        return malformed(error);
    jws->alg = th_json_str(jws->header, "alg");
    jws->kid = th_json_str(jws->header, "kid");
    jws->typ = th_json_str(jws->header, "typ");
    if (!alg_known(jws->alg))
        return th_fail(error, TH_INVALID, "jws-alg", "不接受该签名算法", "This signature algorithm is not accepted");
    if (th_json_get(jws->header, "crit") || th_json_get(jws->header, "b64"))
        return th_fail(error, TH_INVALID, "jws-critical", "令牌要求不支持的扩展", "The token demands an extension that is not supported");
    return TH_OK;
}

th_status th_jws_read(th_str token, th_arena *arena, th_jws *ret_jws, th_error *error)
{
    th_jws jws = {0};
    th_str rest = token, header, payload, signature;
    if (token.n > TH_JWS_MAX)
        return th_fail(error, TH_TOO_LARGE, "jws-malformed", "签名令牌过长", "The signed token is too long");
    if (!th_str_cut(&rest, '.', &header) || !th_str_cut(&rest, '.', &payload) || !th_str_cut(&rest, '.', &signature) || rest.p ||
        !header.n || !signature.n)
        return malformed(error);
    th_status status = header_read(header, arena, &jws, error);
    if (status)
        return status;
    if (th_unbase64url(arena, payload, &jws.payload) || th_unbase64url(arena, signature, &jws.signature))
        return malformed(error);
    jws.signing_input = (th_str){token.p, header.n + 1 + payload.n};
    *ret_jws = jws;
    return TH_OK;
}

th_status th_jws_check(const th_jws *jws, const th_key *key, th_error *error)
{
    if (!th_str_is(jws->alg, th_jose_alg(th_key_suite(key))))
        return th_fail(error, TH_FORBIDDEN, "jws-alg", "签名算法与密钥不符", "The signature algorithm is not the key's");
    if (th_verify(key, jws->signing_input, jws->signature))
        return th_fail(error, TH_FORBIDDEN, "jws-signature", "签名不成立", "The signature does not hold");
    return TH_OK;
}

static void base64url_put(th_buf *buf, const void *bytes, size_t n)
{
    char text[1024];
    const uint8_t *b = bytes;
    for (size_t at = 0; at < n; at += 768) {
        size_t take = n - at < 768 ? n - at : 768; /* 768 is a whole number of threes: pieces join without padding */
        th_buf_put(buf, text, th_base64url_to(b + at, take, text));
    }
}

th_status th_jws_make(const th_key *key, th_str header, th_str payload, th_buf *buf)
{
    uint8_t signature[TH_SIGNATURE_SIZE];
    size_t from = buf->n;
    base64url_put(buf, header.p, header.n);
    th_buf_char(buf, '.');
    base64url_put(buf, payload.p, payload.n);
    if (!th_buf_ok(buf))
        return TH_TOO_LARGE;
    th_status status = th_sign(key, (th_str){buf->p + from, buf->n - from}, signature);
    if (status)
        return status;
    th_buf_char(buf, '.');
    base64url_put(buf, signature, sizeof signature);
    return th_buf_ok(buf) ? TH_OK : TH_TOO_LARGE;
}

th_str th_jws_header(const th_key *key, const char *typ, th_str kid, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, TH_JWS_HEADER_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "alg", th_jose_alg(th_key_suite(key)));
    if (typ)
        th_pen_ktext(&pen, "typ", typ);
    if (kid.n)
        th_pen_kstr(&pen, "kid", kid);
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}

/* ---- keys ---- */

static void coordinate(th_pen *pen, const char *name, const char *bytes)
{
    char text[48];
    th_pen_kstr(pen, name, (th_str){text, th_base64url_to(bytes, 32, text)});
}

void th_jwk_write(th_pen *pen, const th_key *key, th_str kid)
{
    size_t kind = kind_of(th_key_suite(key));
    th_str open = th_key_public(key);
    bool point = open.n == 65;
    th_pen_object(pen);
    th_pen_ktext(pen, "kty", kinds[kind].kty);
    th_pen_ktext(pen, "crv", kinds[kind].crv);
    coordinate(pen, "x", point ? open.p + 1 : open.p);
    if (point)
        coordinate(pen, "y", open.p + 33);
    if (kid.n) {
        th_pen_kstr(pen, "kid", kid);
        th_pen_ktext(pen, "alg", kinds[kind].alg);
        th_pen_ktext(pen, "use", "sig");
    }
    th_pen_end(pen, '}');
}

th_status th_jwk_read(const th_json *jwk, th_arena *arena, th_key **ret_key, th_error *error)
{
    char open[65] = {4};
    th_str x, y = {NULL, 0};
    for (size_t i = 0; i < TH_COUNT(kinds); i++) {
        bool point = kinds[i].suite != TH_SUITE_ED25519;
        if (!th_str_is(th_json_str(jwk, "kty"), kinds[i].kty) || !th_str_is(th_json_str(jwk, "crv"), kinds[i].crv))
            continue;
        if (th_json_get(jwk, "d") || th_unbase64url(arena, th_json_str(jwk, "x"), &x) || x.n != 32 ||
            (point && (th_unbase64url(arena, th_json_str(jwk, "y"), &y) || y.n != 32)))
            break;
        memcpy(open + 1, x.p, 32);
        if (point)
            memcpy(open + 33, y.p, 32);
        if (th_key_from_public(kinds[i].suite, point ? (th_str){open, 65} : (th_str){open + 1, 32}, ret_key))
            break;
        return TH_OK;
    }
    return th_fail(error, TH_INVALID, "jwk", "公钥（JWK）不合法", "The public key (JWK) is not acceptable");
}
