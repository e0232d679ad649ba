/* statustoken.c — a status list as a signed token, and reading one that somebody else made. */
#include "kernel/certificates/offline.h"
#include "kernel/certificates/statuslist.h"

enum { TOKEN_MAX = TH_JWS_MAX + TH_STATUS_BYTES_MAX * 2 };

static th_status list_write(const th_status_list *list, th_str aggregation, th_arena *arena, th_buf *buf)
{
    th_str packed;
    th_status status = th_status_pack(list->bytes, list->bytes.n > TH_PACK_WHOLE ? TH_PACK_RUNS : 9, arena, &packed);
    th_str text = status ? (th_str){NULL, 0} : th_base64url(arena, packed.p, packed.n);
    if (status || !text.p)
        return status ? status : TH_TOO_LARGE;
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "sub", list->sub);
    th_pen_kint(&pen, "iat", list->issued_us / TH_SECOND_US);
    if (list->expires_us)
        th_pen_kint(&pen, "exp", list->expires_us / TH_SECOND_US);
    if (list->ttl_us)
        th_pen_kint(&pen, "ttl", list->ttl_us / TH_SECOND_US);
    if (list->version >= 0)
        th_pen_kint(&pen, "tonghui_version", list->version);
    th_pen_key(&pen, "status_list");
    th_pen_object(&pen);
    th_pen_kint(&pen, "bits", list->bits);
    th_pen_kstr(&pen, "lst", text);
    if (aggregation.n)
        th_pen_kstr(&pen, "aggregation_uri", aggregation);
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    return th_buf_ok(buf) ? TH_OK : TH_TOO_LARGE;
}

th_status th_status_token(const th_status_list *list, const th_key *key, th_str kid, th_str aggregation, th_arena *arena, th_str *ret_token,
                          th_error *error)
{
    th_buf payload, token;
    th_buf_open(&payload, arena, TOKEN_MAX);
    th_buf_open(&token, arena, TOKEN_MAX);
    th_str header = th_jws_header(key, "statuslist+jwt", kid, arena);
    th_status status = header.p ? list_write(list, aggregation, arena, &payload) : TH_TOO_LARGE;
    if (!status)
        status = th_jws_make(key, header, th_buf_view(&payload), &token);
    if (status)
        return th_fail(error, status, "status-signing", "无法签发状态列表", "The status list cannot be signed");
    *ret_token = th_buf_view(&token);
    return TH_OK;
}

th_status th_status_cwt(const th_status_list *list, const th_key *key, th_str kid, th_str aggregation, th_arena *arena, th_str *ret_bytes,
                        th_error *error)
{
    th_str packed;
    th_buf claims;
    th_status status = th_status_pack(list->bytes, list->bytes.n > TH_PACK_WHOLE ? TH_PACK_RUNS : 9, arena, &packed);
    if (status)
        return th_fail(error, status, "status-signing", "无法签发状态列表", "The status list cannot be signed");
    th_buf_open(&claims, arena, TOKEN_MAX);
    th_cbor_map(&claims, 3u + (list->expires_us > 0) + (list->ttl_us > 0));
    th_cbor_int(&claims, 2);
    th_cbor_text(&claims, list->sub);
    th_cbor_int(&claims, 6);
    th_cbor_int(&claims, list->issued_us / TH_SECOND_US);
    if (list->expires_us) {
        th_cbor_int(&claims, 4);
        th_cbor_int(&claims, list->expires_us / TH_SECOND_US);
    }
    if (list->ttl_us) {
        th_cbor_int(&claims, 65534);
        th_cbor_int(&claims, list->ttl_us / TH_SECOND_US);
    }
    th_cbor_int(&claims, 65533);
    th_cbor_map(&claims, 2u + (aggregation.n > 0));
    th_cbor_text(&claims, TH_STR("bits"));
    th_cbor_int(&claims, list->bits);
    th_cbor_text(&claims, TH_STR("lst"));
    th_cbor_bytes(&claims, packed);
    if (aggregation.n) {
        th_cbor_text(&claims, TH_STR("aggregation_uri"));
        th_cbor_text(&claims, aggregation);
    }
    return th_buf_ok(&claims) ? th_cose_sign1(key, kid, "application/statuslist+cwt", th_buf_view(&claims), arena, ret_bytes, error) : TH_TOO_LARGE;
}

/* ---- reading ---- */

static th_status malformed(th_error *error)
{
    return th_fail(error, TH_INVALID, "status-malformed", "状态列表格式有误", "The status list is malformed");
}

/* NumericDate, whole seconds; absent gives 0. */
static bool instant(const th_json *payload, const char *name, bool needed, int64_t *ret_us)
{
    int64_t seconds;
    const th_json *value = th_json_get(payload, name);
    *ret_us = 0;
    if (!value)
        return !needed;
    return th_json_is_int(value, &seconds) && seconds > 0 && th_mul_i64(seconds, TH_SECOND_US, ret_us);
}

static th_status times_check(const th_status_list *list, int64_t now_us, th_error *error)
{
    if (list->expires_us && now_us >= list->expires_us)
        return th_fail(error, TH_FORBIDDEN, "status-expired", "状态列表已过期", "The status list has expired");
    if (list->issued_us > now_us + TH_MINUTE_US)
        return th_fail(error, TH_FORBIDDEN, "status-early", "状态列表的签发时间在将来", "The status list was issued in the future");
    return TH_OK;
}

static th_status list_read(const th_json *payload, th_arena *arena, th_status_list *list, th_error *error)
{
    int64_t bits;
    th_str packed;
    const th_json *object = th_json_get(payload, "status_list"), *lst = th_json_get(object, "lst");
    if (!object || object->type != TH_JSON_OBJECT || !lst || lst->type != TH_JSON_STRING)
        return malformed(error);
    if (!th_json_is_int(th_json_get(object, "bits"), &bits) || (bits != 1 && bits != 2 && bits != 4 && bits != 8))
        return th_fail(error, TH_INVALID, "status-bits", "状态位数须为 1、2、4 或 8", "A status must have 1, 2, 4 or 8 bits");
    list->bits = (int)bits;
    if (th_unbase64url(arena, lst->text, &packed))
        return th_fail(error, TH_INVALID, "status-encoding", "压缩内容有误", "The compressed content is broken");
    return th_status_unpack(packed, TH_STATUS_BYTES_MAX, arena, &list->bytes, error);
}

th_status th_status_token_read(th_str token, const th_status_policy *policy, th_arena *arena, th_status_list *ret_list, th_error *error)
{
    th_jws jws;
    th_status_list list = {0};
    const th_json *payload, *version;
    const th_key *key = NULL;
    th_status status = th_jws_read(token, arena, &jws, error);
    if (status)
        return status;
    if (!th_str_is(jws.typ, "statuslist+jwt"))
        return th_fail(error, TH_INVALID, "status-type", "不是状态列表（typ）", "This is no status list (typ)");
    if (th_json_parse(jws.payload, arena, &payload, NULL) || payload->type != TH_JSON_OBJECT)
        return malformed(error);
    status = policy->key(policy->ctx, &jws, payload, &key, error);
    if (!status)
        status = th_jws_check(&jws, key, error);
    if (status)
        return status;
    list.sub = th_json_str(payload, "sub");
    if (!th_str_eq(list.sub, policy->uri))
        return th_fail(error, TH_FORBIDDEN, "status-address", "状态列表属于另一地址", "The status list is of another address");
    if (!instant(payload, "iat", true, &list.issued_us) || !instant(payload, "exp", false, &list.expires_us) ||
        !instant(payload, "ttl", false, &list.ttl_us))
        return malformed(error);
    version = th_json_get(payload, "tonghui_version");
    if (!th_json_is_int(version, &list.version))
        list.version = -1;
    status = times_check(&list, policy->now_us, error);
    if (!status)
        status = list_read(payload, arena, &list, error);
    if (!status)
        *ret_list = list;
    return status;
}

th_status th_status_reference(const th_json *status, th_str *ret_uri, int64_t *ret_index, th_error *error)
{
    const th_json *list = th_json_get(status, "status_list");
    int64_t index;
    th_str uri = th_json_str(list, "uri");
    if (!th_json_is_int(th_json_get(list, "idx"), &index) || index < 0 || !uri.n || uri.n > TH_STATUS_URI_MAX ||
        !(th_str_starts(uri, "https://") || th_str_starts(uri, "http://")))
        return th_fail(error, TH_INVALID, "status-reference", "证照中的状态位置不合法", "The certificate's place in a status list is not acceptable");
    *ret_uri = uri;
    *ret_index = index;
    return TH_OK;
}
