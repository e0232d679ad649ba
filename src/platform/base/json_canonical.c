/* json_canonical.c — RFC 8785: one spelling for every JSON value, so that a signature has one thing to sign. */
#include "platform/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next UTF-16 code unit of valid UTF-8; *pending keeps a low surrogate. */
static int32_t utf16_next(const unsigned char **p, const unsigned char *end, uint32_t *pending)
{
    if (*pending) {
        uint32_t low = *pending;
        *pending = 0;
        return (int32_t)low;
    }
    if (*p == end)
        return -1;
    uint32_t c = *(*p)++;
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    if (more)
        c &= 0x3Fu >> more;
    while (more-- && *p < end)
        c = c << 6 | (*(*p)++ & 0x3Fu);
    if (c < 0x10000)
        return (int32_t)c;
    *pending = 0xDC00 + ((c - 0x10000) & 0x3FF);
    return (int32_t)(0xD800 + ((c - 0x10000) >> 10));
}

static int key_order(const void *a, const void *b)
{
    th_str x = (*(const th_json *const *)a)->key, y = (*(const th_json *const *)b)->key;
    const unsigned char *p = (const unsigned char *)x.p, *q = (const unsigned char *)y.p;
    const unsigned char *p_end = p + x.n, *q_end = q + y.n;
    uint32_t p_low = 0, q_low = 0;
    size_t both = x.n < y.n ? x.n : y.n, same = 0;
    while (same < both && p[same] == q[same])
        same++;
    if (same == both)
        return x.n == y.n ? 0 : x.n < y.n ? -1 : 1;
    /* Bytes of UTF-8 stand in the order of code points; UTF-16 differs only where one side is beyond the surrogates, and the other too. */
    if (p[same] < 0xEE || q[same] < 0xEE)
        return p[same] < q[same] ? -1 : 1;
    for (;;) {
        int32_t u = utf16_next(&p, p_end, &p_low), v = utf16_next(&q, q_end, &q_low);
        if (u != v)
            return u < v ? -1 : 1;
        if (u < 0)
            return 0;
    }
}

/* One more in the last digit of "d.ddde±x"; false when that would carry out of the first digit. */
static bool last_digit_up(char *text)
{
    char *p = text + strcspn(text, "e") - 1;
    for (; p >= text && (*p == '9' || *p == '.'); p--)
        if (*p == '9')
            *p = '0';
    if (p < text)
        return false;
    ++*p;
    return true;
}

/* The shortest digits that read back as the same double, without point: 1e23 gives "1", exponent 23. At a power of two the doubles
 * below lie closer than those above, so that the nearest decimal of some length may read back as the neighbour below while the next
 * decimal up reads back right: both are tried before one digit more. */
static int shortest(double value, char digits[20], int *ret_exponent)
{
    char text[40], up[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
        memcpy(up, text, sizeof up);
        if (last_digit_up(up) && strtod(up, NULL) == value) {
            memcpy(text, up, sizeof text);
            break;
        }
    }
    int n = 0;
    char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    *ret_exponent = *p == 'e' ? (int)strtol(p + 1, NULL, 10) : 0;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
    return n;
}

/* ECMAScript's Number::toString (ECMA-262 §6.1.6.1.20). */
static th_status number_write(double value, th_buf *buf)
{
    char digits[20];
    int exponent;
    if (!isfinite(value))
        return TH_INVALID;
    if (value == 0) {
        th_buf_char(buf, '0');
        return TH_OK;
    }
    if (value < 0) {
        th_buf_char(buf, '-');
        value = -value;
    }
    int k = shortest(value, digits, &exponent), n = exponent + 1;
    if (k <= n && n <= 21) {
        th_buf_put(buf, digits, (size_t)k);
        for (int i = k; i < n; i++)
            th_buf_char(buf, '0');
    } else if (0 < n && n <= 21) {
        th_buf_put(buf, digits, (size_t)n);
        th_buf_char(buf, '.');
        th_buf_put(buf, digits + n, (size_t)(k - n));
    } else if (-6 < n && n <= 0) {
        th_buf_text(buf, "0.");
        for (int i = n; i < 0; i++)
            th_buf_char(buf, '0');
        th_buf_put(buf, digits, (size_t)k);
    } else {
        th_buf_char(buf, digits[0]);
        if (k > 1) {
            th_buf_char(buf, '.');
            th_buf_put(buf, digits + 1, (size_t)(k - 1));
        }
        th_buff(buf, "e%c%d", n > 0 ? '+' : '-', abs(n - 1));
    }
    return TH_OK;
}

/* Digits without a sign or a leading zero, few enough to be exact: their own shortest spelling. */
static bool is_small_integer(th_str text)
{
    if (!text.n || text.n > 15 || (text.p[0] == '0' && text.n > 1))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return true;
}

static th_status object_write(const th_json *value, th_buf *buf)
{
    const th_json **members = th_alloc_array(buf->arena, value->count ? value->count : 1, sizeof(const th_json *));
    size_t n = 0;
    if (!members)
        return TH_TOO_LARGE;
    bool sorted = true; /* as it mostly is: what is checked was written so */
    for (const th_json *m = th_json_first(value); m; m = th_json_next(value, m)) {
        members[n++] = m;
        sorted = sorted && (n < 2 || key_order(&members[n - 2], &members[n - 1]) <= 0);
    }
    if (!sorted)
        qsort(members, n, sizeof *members, key_order);
    th_buf_char(buf, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            th_buf_char(buf, ',');
        th_json_quote(buf, members[i]->key);
        th_buf_char(buf, ':');
        th_status status = th_json_canonical(members[i], buf);
        if (status)
            return status;
    }
    th_buf_char(buf, '}');
    return TH_OK;
}

static th_status array_write(const th_json *value, th_buf *buf)
{
    th_status status = TH_OK;
    th_buf_char(buf, '[');
    for (const th_json *e = th_json_first(value); e && !status; e = th_json_next(value, e)) {
        if (e != value + 1)
            th_buf_char(buf, ',');
        status = th_json_canonical(e, buf);
    }
    th_buf_char(buf, ']');
    return status;
}

th_status th_json_canonical(const th_json *value, th_buf *buf)
{
    th_status status = TH_OK;
    char text[64];
    switch (value->type) {
    case TH_JSON_OBJECT:
        status = object_write(value, buf);
        break;
    case TH_JSON_ARRAY:
        status = array_write(value, buf);
        break;
    case TH_JSON_STRING:
        th_json_quote(buf, value->text);
        break;
    case TH_JSON_NUMBER:
        if (value->text.n >= sizeof text)
            return TH_INVALID;
        if (is_small_integer(value->text)) {
            th_buf_str(buf, value->text);
            break;
        }
        memcpy(text, value->text.p, value->text.n);
        text[value->text.n] = 0;
        status = number_write(strtod(text, NULL), buf);
        break;
    default:
        th_buf_str(buf, value->raw);
    }
    if (status)
        return status;
    return th_buf_ok(buf) ? TH_OK : TH_TOO_LARGE;
}
