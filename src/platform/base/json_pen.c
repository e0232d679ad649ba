/* json_pen.c — writing JSON by appending; the pen only remembers where a comma is due. */
#include "platform/base/json.h"

#include <string.h>

th_pen th_pen_on(th_buf *buf)
{
    return (th_pen){.buf = buf};
}

static void value_begin(th_pen *pen)
{
    uint64_t bit = UINT64_C(1) << pen->depth;
    if (pen->has_member & bit)
        th_buf_char(pen->buf, ',');
    pen->has_member |= bit;
}

static void deeper(th_pen *pen, char bracket)
{
    value_begin(pen);
    th_buf_char(pen->buf, bracket);
    TH_ASSERT(pen->depth < 62);
    pen->depth++;
    pen->has_member &= ~(UINT64_C(1) << pen->depth);
}

void th_pen_object(th_pen *pen)
{
    deeper(pen, '{');
}

void th_pen_array(th_pen *pen)
{
    deeper(pen, '[');
}

void th_pen_end(th_pen *pen, char bracket)
{
    th_buf_char(pen->buf, bracket);
    TH_ASSERT(pen->depth > 0);
    pen->depth--;
}

/* A key takes the comma of its member; the value that follows must not take another. */
static void key_done(th_pen *pen)
{
    th_buf_char(pen->buf, ':');
    pen->has_member &= ~(UINT64_C(1) << pen->depth);
}

void th_pen_key_plain(th_pen *pen, const char *key, size_t n)
{
    uint64_t bit = UINT64_C(1) << pen->depth;
    th_buf *buf = pen->buf;
    if (!th_buf_reserve(buf, n + 4))
        return;
    char *to = buf->p + buf->n;
    if (pen->has_member & bit)
        *to++ = ',';
    *to++ = '"';
    memcpy(to, key, n);
    to += n;
    *to++ = '"';
    *to++ = ':';
    buf->n = (size_t)(to - buf->p);
    pen->has_member &= ~bit;
}

void th_pen_key_str(th_pen *pen, th_str key)
{
    value_begin(pen);
    th_json_quote(pen->buf, key);
    key_done(pen);
}

void th_pen_str(th_pen *pen, th_str value)
{
    if (!value.p) {
        th_pen_null(pen);
        return;
    }
    value_begin(pen);
    th_json_quote(pen->buf, value);
}

void th_pen_base64url(th_pen *pen, const void *bytes, size_t n)
{
    th_buf *buf = pen->buf;
    value_begin(pen);
    if (!th_buf_reserve(buf, (n * 4 + 2) / 3 + 2))
        return;
    buf->p[buf->n++] = '"';
    buf->n += th_base64url_to(bytes, n, buf->p + buf->n);
    buf->p[buf->n++] = '"';
}

void th_pen_int(th_pen *pen, int64_t value)
{
    value_begin(pen);
    th_buf_int(pen->buf, value);
}

void th_pen_bool(th_pen *pen, bool value)
{
    value_begin(pen);
    th_buf_text(pen->buf, value ? "true" : "false");
}

void th_pen_null(th_pen *pen)
{
    value_begin(pen);
    th_buf_put(pen->buf, "null", 4);
}

void th_pen_raw(th_pen *pen, th_str json)
{
    if (!json.n) {
        th_pen_null(pen);
        return;
    }
    value_begin(pen);
    th_buf_str(pen->buf, json);
}

void th_pen_members(th_pen *pen, th_str object)
{
    object = th_str_trim(object);
    if (object.n < 2)
        return;
    th_str inner = th_str_trim((th_str){object.p + 1, object.n - 2});
    if (!inner.n)
        return;
    value_begin(pen);
    th_buf_str(pen->buf, inner);
}

void th_pen_time(th_pen *pen, int64_t at_us)
{
    char text[TH_TIME_TEXT];
    if (at_us == 0) {
        th_pen_null(pen);
        return;
    }
    th_time_utc(at_us, text);
    th_pen_str(pen, th_str_of(text));
}

void th_pen_kwords(th_pen *pen, const char *key, const char *zh, const char *en)
{
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_ktext(pen, "zh", zh);
    th_pen_ktext(pen, "en", en);
    th_pen_end(pen, '}');
}

/* How a byte below 0x20, a quote or a backslash is written; returns how many bytes. */
static size_t escape_put(char *to, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", from[] = "\n\r\t\b\f\"\\", names[] = "nrtbf\"\\";
    const char *found = c ? strchr(from, c) : NULL;
    to[0] = '\\';
    if (found) {
        to[1] = names[found - from];
        return 2;
    }
    to[1] = 'u';
    to[2] = to[3] = '0';
    to[4] = hex[c >> 4];
    to[5] = hex[c & 15];
    return 6;
}

static bool is_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* Eight bytes at a time: copied as they are when none needs an escape, else one by one. There is room for six times `n`. */
static char *quoted(char *to, const char *p, size_t n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    const char *end = p + n;
    while (p < end) {
        size_t piece = 1;
        if (end - p >= 8) {
            uint64_t v;
            memcpy(&v, p, 8);
            uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
            uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((v - ones * 0x20) & ~v);
            if (!(hit & highs)) {
                memcpy(to, p, 8);
                to += 8;
                p += 8;
                continue;
            }
            piece = 8;
        }
        for (const char *stop = p + piece; p < stop; p++) {
            unsigned char c = (unsigned char)*p;
            if (is_special(c))
                to += escape_put(to, c);
            else
                *to++ = (char)c;
        }
    }
    return to;
}

void th_json_quote(th_buf *buf, th_str s)
{
    enum { PIECE = 64 };
    th_buf_char(buf, '"');
    while (s.n) {
        size_t n = s.n < PIECE ? s.n : PIECE;
        if (6 * PIECE <= buf->max - buf->n && th_buf_reserve(buf, 6 * PIECE)) {
            buf->n = (size_t)(quoted(buf->p + buf->n, s.p, n) - buf->p);
        } else { /* near the maximum nothing is asked for that is not needed */
            char one[6];
            n = 1;
            one[0] = *s.p;
            th_buf_put(buf, one, is_special((unsigned char)*s.p) ? escape_put(one, (unsigned char)*s.p) : 1);
        }
        s.p += n;
        s.n -= n;
    }
    th_buf_char(buf, '"');
}
