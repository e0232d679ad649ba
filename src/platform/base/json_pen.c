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

void th_pen_key(th_pen *pen, const char *key)
{
    value_begin(pen);
    th_buf_char(pen->buf, '"');
    th_buf_text(pen->buf, key);
    th_buf_char(pen->buf, '"');
    key_done(pen);
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

void th_pen_text(th_pen *pen, const char *value)
{
    th_pen_str(pen, th_str_of(value));
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

void th_pen_kstr(th_pen *pen, const char *key, th_str value)
{
    th_pen_key(pen, key);
    th_pen_str(pen, value);
}

void th_pen_ktext(th_pen *pen, const char *key, const char *value)
{
    th_pen_kstr(pen, key, th_str_of(value));
}

void th_pen_kint(th_pen *pen, const char *key, int64_t value)
{
    th_pen_key(pen, key);
    th_pen_int(pen, value);
}

void th_pen_kbool(th_pen *pen, const char *key, bool value)
{
    th_pen_key(pen, key);
    th_pen_bool(pen, value);
}

void th_pen_kraw(th_pen *pen, const char *key, th_str json)
{
    th_pen_key(pen, key);
    th_pen_raw(pen, json);
}

void th_pen_ktime(th_pen *pen, const char *key, int64_t at_us)
{
    char text[TH_TIME_TEXT];
    th_pen_key(pen, key);
    if (at_us == 0) {
        th_pen_null(pen);
        return;
    }
    th_time_utc(at_us, text);
    th_pen_text(pen, text);
}

void th_pen_kwords(th_pen *pen, const char *key, const char *zh, const char *en)
{
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_ktext(pen, "zh", zh);
    th_pen_ktext(pen, "en", en);
    th_pen_end(pen, '}');
}

void th_json_quote(th_buf *buf, th_str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t from = 0;
    th_buf_char(buf, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        th_buf_put(buf, s.p + from, i - from);
        from = i + 1;
        char two[2] = {'\\', (char)c};
        switch (c) {
        case '\n':
            two[1] = 'n';
            break;
        case '\r':
            two[1] = 'r';
            break;
        case '\t':
            two[1] = 't';
            break;
        case '\b':
            two[1] = 'b';
            break;
        case '\f':
            two[1] = 'f';
            break;
        case '"':
        case '\\':
            break;
        default: {
            char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            th_buf_put(buf, six, 6);
            continue;
        }
        }
        th_buf_put(buf, two, 2);
    }
    th_buf_put(buf, s.p + from, s.n - from);
    th_buf_char(buf, '"');
}
