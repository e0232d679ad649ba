/* cose.c — COSE_Sign1 with one protected header: algorithm, key id, type. */
#include "kernel/certificates/offline.h"

#include <string.h>

enum { LABEL_ALG = 1, LABEL_KID = 4, LABEL_TYP = 16, TAG_SIGN1 = 18, KID_BYTES_MAX = 32 };

static int64_t alg_of(th_suite suite)
{
    return suite == TH_SUITE_P256 ? -7 : suite == TH_SUITE_ED25519 ? -8 : -65537;
}

static th_str signed_bytes(th_str header, th_str payload, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, TH_COSE_BYTES_MAX);
    th_cbor_array(&buf, 4);
    th_cbor_text(&buf, TH_STR("Signature1"));
    th_cbor_bytes(&buf, header);
    th_cbor_bytes(&buf, TH_STR(""));
    th_cbor_bytes(&buf, payload);
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}

th_status th_cose_sign1(const th_key *key, th_str kid, const char *typ, th_str payload, th_arena *arena, th_str *ret_bytes, th_error *error)
{
    th_buf header, out;
    uint8_t id[KID_BYTES_MAX], signature[TH_SIGNATURE_SIZE];
    if (kid.n % 2 || kid.n / 2 > sizeof id || !th_unhex(kid, id, kid.n / 2))
        return th_fail(error, TH_INVALID, "cose-malformed", "密钥标识须为十六进制", "The key's id must be hex");
    th_buf_open(&header, arena, 256);
    th_cbor_map(&header, typ ? 3 : 2);
    th_cbor_int(&header, LABEL_ALG);
    th_cbor_int(&header, alg_of(th_key_suite(key)));
    th_cbor_int(&header, LABEL_KID);
    th_cbor_bytes(&header, (th_str){(const char *)id, kid.n / 2});
    if (typ) {
        th_cbor_int(&header, LABEL_TYP);
        th_cbor_text(&header, th_str_of(typ));
    }
    th_str message = signed_bytes(th_buf_view(&header), payload, arena);
    th_status status = message.p ? th_sign(key, message, signature) : TH_TOO_LARGE;
    if (status)
        return th_fail(error, status, "cose-signing", "无法签名", "Signing failed");
    th_buf_open(&out, arena, TH_COSE_BYTES_MAX);
    th_cbor_tag(&out, TAG_SIGN1);
    th_cbor_array(&out, 4);
    th_cbor_bytes(&out, th_buf_view(&header));
    th_cbor_map(&out, 0);
    th_cbor_bytes(&out, payload);
    th_cbor_bytes(&out, (th_str){(const char *)signature, sizeof signature});
    *ret_bytes = th_buf_view(&out);
    return th_buf_ok(&out) ? TH_OK : TH_TOO_LARGE;
}

/* ---- reading: [protected, {}, payload, signature] ---- */

static th_status malformed(th_error *error)
{
    return th_fail(error, TH_INVALID, "cose-malformed", "离线凭证结构有误", "The signed structure is malformed");
}

static bool header_read(th_str bytes, th_arena *arena, th_cose *cose)
{
    th_str json, kid;
    const th_json *header;
    if (th_cbor_to_json(bytes, arena, &json, NULL) || th_json_parse(json, arena, &header, NULL) || header->type != TH_JSON_OBJECT ||
        !th_json_is_int(th_json_get(header, "1"), &cose->alg) || th_json_get(header, "2")) /* 2: critical headers */
        return false;
    cose->typ = th_json_str(header, "16");
    if (th_unbase64url(arena, th_json_str(header, "4"), &kid) || !kid.n || kid.n > KID_BYTES_MAX)
        return false;
    char *hex = th_alloc(arena, 2 * kid.n + 1);
    if (!hex)
        return false;
    th_hex(kid.p, kid.n, hex);
    cose->kid = (th_str){hex, 2 * kid.n};
    return true;
}

th_status th_cose_read(th_str bytes, th_arena *arena, th_cose *ret_cose, th_error *error)
{
    th_cose cose = {0};
    th_str json, header;
    const th_json *array;
    static const uint8_t tag = 0xC0 | TAG_SIGN1;
    if (bytes.n > TH_COSE_BYTES_MAX)
        return malformed(error);
    if (bytes.n && (uint8_t)bytes.p[0] == tag)
        bytes = (th_str){bytes.p + 1, bytes.n - 1};
    if (!bytes.n || (uint8_t)bytes.p[0] != 0x84 || th_cbor_to_json(bytes, arena, &json, NULL) || th_json_parse(json, arena, &array, NULL))
        return malformed(error);
    const th_json *open = th_json_at(array, 1);
    if (open->type != TH_JSON_OBJECT || th_unbase64url(arena, th_json_at(array, 0)->text, &header) ||
        th_unbase64url(arena, th_json_at(array, 2)->text, &cose.payload) || th_unbase64url(arena, th_json_at(array, 3)->text, &cose.signature) ||
        !header_read(header, arena, &cose))
        return malformed(error);
    cose.signed_bytes = signed_bytes(header, cose.payload, arena);
    if (!cose.signed_bytes.p)
        return TH_TOO_LARGE;
    *ret_cose = cose;
    return TH_OK;
}

th_status th_cose_check(const th_cose *cose, const th_key *key, th_error *error)
{
    if (cose->alg != alg_of(th_key_suite(key)))
        return th_fail(error, TH_FORBIDDEN, "cose-alg", "签名算法与密钥不符", "The signature algorithm is not the key's");
    if (th_verify(key, cose->signed_bytes, cose->signature))
        return th_fail(error, TH_FORBIDDEN, "cose-signature", "签名不成立", "The signature does not hold");
    return TH_OK;
}
