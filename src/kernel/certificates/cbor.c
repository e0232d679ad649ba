/* cbor.c — the part of RFC 8949 that signed tokens need, written shortest-first and read within bounds. */
#include "kernel/certificates/offline.h"

#include <string.h>

enum { UNSIGNED = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, SIMPLE = 7, KEYS_MAX = 256 };

/* ---- writing ---- */

static void head(th_buf *buf, unsigned major, uint64_t value)
{
    uint8_t b[9];
    unsigned extra = value < 24 ? 0 : value < 256 ? 1 : value < 65536 ? 2 : value <= UINT32_MAX ? 4 : 8;
    b[0] = (uint8_t)(major << 5 | (extra == 0 ? value : extra == 1 ? 24u : extra == 2 ? 25u : extra == 4 ? 26u : 27u));
    for (unsigned i = 0; i < extra; i++)
        b[1 + i] = (uint8_t)(value >> 8 * (extra - 1 - i));
    th_buf_put(buf, b, 1 + extra);
}

void th_cbor_int(th_buf *buf, int64_t value)
{
    if (value < 0)
        head(buf, NEGATIVE, (uint64_t)(-1 - value));
    else
        head(buf, UNSIGNED, (uint64_t)value);
}

void th_cbor_text(th_buf *buf, th_str text)
{
    head(buf, TEXT, text.n);
    th_buf_str(buf, text);
}

void th_cbor_bytes(th_buf *buf, th_str bytes)
{
    head(buf, BYTES, bytes.n);
    th_buf_str(buf, bytes);
}

void th_cbor_array(th_buf *buf, size_t n)
{
    head(buf, ARRAY, n);
}

void th_cbor_map(th_buf *buf, size_t pairs)
{
    head(buf, MAP, pairs);
}

void th_cbor_tag(th_buf *buf, uint64_t tag)
{
    head(buf, TAG, tag);
}

th_status th_cbor_of_json(const th_json *value, th_buf *buf)
{
    th_status status = TH_OK;
    int64_t number;
    switch (value->type) {
    case TH_JSON_NULL:
        th_buf_char(buf, (char)0xF6);
        break;
    case TH_JSON_FALSE:
        th_buf_char(buf, (char)0xF4);
        break;
    case TH_JSON_TRUE:
        th_buf_char(buf, (char)0xF5);
        break;
    case TH_JSON_NUMBER:
        if (!th_json_is_int(value, &number))
            return TH_INVALID;
        th_cbor_int(buf, number);
        break;
    case TH_JSON_STRING:
        th_cbor_text(buf, value->text);
        break;
    case TH_JSON_ARRAY:
        th_cbor_array(buf, value->count);
        for (const th_json *e = th_json_first(value); !status && e; e = th_json_next(value, e))
            status = th_cbor_of_json(e, buf);
        break;
    case TH_JSON_OBJECT:
        th_cbor_map(buf, value->count);
        for (const th_json *m = th_json_first(value); !status && m; m = th_json_next(value, m)) {
            th_cbor_text(buf, m->key);
            status = th_cbor_of_json(m, buf);
        }
        break;
    }
    return status ? status : th_buf_ok(buf) ? TH_OK : TH_TOO_LARGE;
}

/* ---- reading ---- */

typedef struct reader {
    const uint8_t *at, *end;
    th_buf out;
    th_arena *arena;
} reader;

static bool head_read(reader *r, unsigned *ret_major, uint64_t *ret_value)
{
    if (r->at == r->end)
        return false;
    unsigned first = *r->at++, extra = first & 31;
    *ret_major = first >> 5;
    if (extra < 24) {
        *ret_value = extra;
        return true;
    }
    if (extra > 27 || *ret_major == SIMPLE) /* indefinite lengths, reserved values, floats */
        return false;
    size_t n = (size_t)1 << (extra - 24);
    if ((size_t)(r->end - r->at) < n)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | *r->at++;
    *ret_value = value;
    return true;
}

static bool string_read(reader *r, uint64_t n, th_str *ret)
{
    if (n > (uint64_t)(r->end - r->at))
        return false;
    *ret = (th_str){(const char *)r->at, (size_t)n};
    r->at += n;
    return true;
}

/* A key's text: itself, or the number in decimal. */
static bool key_read(reader *r, th_str *ret)
{
    unsigned major;
    uint64_t value;
    if (!head_read(r, &major, &value))
        return false;
    if (major == TEXT)
        return string_read(r, value, ret) && th_utf8_valid(*ret);
    if ((major != UNSIGNED && major != NEGATIVE) || value > INT64_MAX)
        return false;
    *ret = th_strf(r->arena, "%lld", (long long)(major == UNSIGNED ? (int64_t)value : -1 - (int64_t)value));
    return ret->p != NULL;
}

static bool value_read(reader *r, int depth);

static bool map_read(reader *r, uint64_t pairs, int depth)
{
    if (pairs > KEYS_MAX)
        return false;
    th_str *keys = th_alloc_array(r->arena, (size_t)pairs + 1, sizeof *keys);
    if (!keys)
        return false;
    th_buf_char(&r->out, '{');
    for (uint64_t i = 0; i < pairs; i++) {
        if (!key_read(r, &keys[i]))
            return false;
        for (uint64_t k = 0; k < i; k++)
            if (th_str_eq(keys[k], keys[i]))
                return false;
        if (i)
            th_buf_char(&r->out, ',');
        th_json_quote(&r->out, keys[i]);
        th_buf_char(&r->out, ':');
        if (!value_read(r, depth + 1))
            return false;
    }
    th_buf_char(&r->out, '}');
    return true;
}

static bool array_read(reader *r, uint64_t n, int depth)
{
    if (n > (uint64_t)(r->end - r->at))
        return false;
    th_buf_char(&r->out, '[');
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            th_buf_char(&r->out, ',');
        if (!value_read(r, depth + 1))
            return false;
    }
    th_buf_char(&r->out, ']');
    return true;
}

static bool bytes_put(reader *r, uint64_t n)
{
    th_str bytes;
    if (!string_read(r, n, &bytes))
        return false;
    th_str text = th_base64url(r->arena, bytes.p, bytes.n);
    th_json_quote(&r->out, text);
    return text.p != NULL;
}

static bool text_put(reader *r, uint64_t n)
{
    th_str text;
    if (!string_read(r, n, &text) || !th_utf8_valid(text))
        return false;
    th_json_quote(&r->out, text);
    return true;
}

static bool value_read(reader *r, int depth)
{
    unsigned major;
    uint64_t value;
    if (depth > TH_CBOR_DEPTH_MAX || !head_read(r, &major, &value))
        return false;
    switch (major) {
    case UNSIGNED:
    case NEGATIVE:
        if (value > INT64_MAX)
            return false;
        th_buf_int(&r->out, major == UNSIGNED ? (int64_t)value : -1 - (int64_t)value);
        return true;
    case BYTES:
        return bytes_put(r, value);
    case TEXT:
        return text_put(r, value);
    case ARRAY:
        return array_read(r, value, depth);
    case MAP:
        return map_read(r, value, depth);
    case TAG:
        return value_read(r, depth + 1);
    default:
        if (value < 20 || value > 22)
            return false;
        th_buf_text(&r->out, value == 20 ? "false" : value == 21 ? "true" : "null");
        return true;
    }
}

th_status th_cbor_to_json(th_str bytes, th_arena *arena, th_str *ret_json, th_error *error)
{
    reader r = {.at = (const uint8_t *)bytes.p, .end = (const uint8_t *)bytes.p + bytes.n, .arena = arena};
    th_buf_open(&r.out, arena, bytes.n * 6 + 1024);
    if (!bytes.n || !value_read(&r, 0) || r.at != r.end || !th_buf_ok(&r.out))
        return th_fail(error, TH_INVALID, "cbor", "CBOR 内容不合法", "The CBOR content is not acceptable");
    *ret_json = th_buf_view(&r.out);
    return TH_OK;
}
