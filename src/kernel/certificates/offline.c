/* offline.c — the chain from fields to the text of a square and back. */
#include "kernel/certificates/offline.h"
#include "kernel/certificates/statuslist.h"

enum { LABEL_ISSUER = 1, LABEL_EXPIRES = 4, LABEL_ISSUED = 6, LABEL_CONTENT = -65537 };

th_status th_offline_make(const th_offline *o, const th_key *key, th_str kid, th_arena *arena, th_str *ret_text, th_error *error)
{
    th_buf claims;
    th_str cose, packed;
    th_buf_open(&claims, arena, TH_OFFLINE_BYTES_MAX);
    th_cbor_map(&claims, 3u + (o->expires_us > 0));
    th_cbor_int(&claims, LABEL_ISSUER);
    th_cbor_text(&claims, o->issuer);
    if (o->expires_us) {
        th_cbor_int(&claims, LABEL_EXPIRES);
        th_cbor_int(&claims, o->expires_us / TH_SECOND_US);
    }
    th_cbor_int(&claims, LABEL_ISSUED);
    th_cbor_int(&claims, o->issued_us / TH_SECOND_US);
    th_cbor_int(&claims, LABEL_CONTENT);
    th_cbor_map(&claims, 4);
    th_cbor_text(&claims, TH_STR("t"));
    th_cbor_text(&claims, o->type);
    th_cbor_text(&claims, TH_STR("n"));
    th_cbor_text(&claims, o->number);
    th_cbor_text(&claims, TH_STR("s"));
    th_cbor_array(&claims, 2);
    th_cbor_int(&claims, o->list);
    th_cbor_int(&claims, o->index);
    th_cbor_text(&claims, TH_STR("f"));
    th_status status = th_cbor_of_json(o->fields, &claims);
    if (status || !th_buf_ok(&claims))
        return th_fail(error, status ? status : TH_TOO_LARGE, "offline-too-large", "内容放不进二维码", "The content does not fit the square");
    status = th_cose_sign1(key, kid, NULL, th_buf_view(&claims), arena, &cose, error);
    if (!status)
        status = th_status_pack(cose, 9, arena, &packed);
    th_str text = status ? (th_str){NULL, 0} : th_base45(arena, packed);
    if (status)
        return status;
    if (!text.p || text.n + sizeof TH_OFFLINE_PREFIX - 1 > TH_OFFLINE_TEXT_MAX)
        return th_fail(error, TH_TOO_LARGE, "offline-too-large", "内容放不进二维码", "The content does not fit the square");
    *ret_text = th_strf(arena, TH_OFFLINE_PREFIX "%.*s", TH_FMT(text));
    return ret_text->p ? TH_OK : TH_NO_MEMORY;
}

static th_status malformed(th_error *error)
{
    return th_fail(error, TH_INVALID, "offline-malformed", "二维码内容缺项或类型不符", "The square's content lacks something or is of the wrong type");
}

static bool instant(const th_json *claims, const char *label, bool needed, int64_t *ret_us)
{
    int64_t seconds;
    const th_json *value = th_json_get(claims, label);
    *ret_us = 0;
    if (!value)
        return !needed;
    return th_json_is_int(value, &seconds) && seconds > 0 && th_mul_i64(seconds, TH_SECOND_US, ret_us);
}

static th_status claims_read(const th_json *claims, th_offline *o, th_error *error)
{
    const th_json *content = th_json_get(claims, "-65537"), *place = th_json_get(content, "s");
    o->issuer = th_json_str(claims, "1");
    o->type = th_json_str(content, "t");
    o->number = th_json_str(content, "n");
    o->fields = th_json_get(content, "f");
    bool ok = o->issuer.n && o->type.n && o->number.n && o->fields && o->fields->type == TH_JSON_OBJECT &&
              instant(claims, "4", false, &o->expires_us) && instant(claims, "6", true, &o->issued_us) && place && place->count == 2 &&
              th_json_is_int(th_json_at(place, 0), &o->list) && th_json_is_int(th_json_at(place, 1), &o->index) && o->list >= 0 && o->index >= 0;
    return ok ? TH_OK : malformed(error);
}

th_status th_offline_read(th_str text, th_arena *arena, th_offline *ret_offline, th_error *error)
{
    static const char prefix[] = TH_OFFLINE_PREFIX;
    th_offline o = {0};
    th_str packed, bytes, json;
    const th_json *claims;
    if (!th_str_starts(text, prefix))
        return th_fail(error, TH_INVALID, "offline-prefix", "不是本区域的证照二维码", "This is no certificate square of the region");
    if (text.n > 4 * TH_OFFLINE_TEXT_MAX)
        return th_fail(error, TH_TOO_LARGE, "offline-too-large", "二维码内容过长", "The square's content is too long");
    th_str body = {text.p + sizeof prefix - 1, text.n - (sizeof prefix - 1)};
    if (th_unbase45(arena, body, &packed))
        return th_fail(error, TH_INVALID, "offline-base45", "二维码内容不是 Base45", "The square's content is not Base45");
    th_status status = th_status_unpack(packed, TH_OFFLINE_BYTES_MAX, arena, &bytes, error);
    if (!status)
        status = th_cose_read(bytes, arena, &o.cose, error);
    if (!status)
        status = th_cbor_to_json(o.cose.payload, arena, &json, error);
    if (!status && (th_json_parse(json, arena, &claims, NULL) || claims->type != TH_JSON_OBJECT))
        status = malformed(error);
    if (!status)
        status = claims_read(claims, &o, error);
    if (!status)
        *ret_offline = o;
    return status;
}
