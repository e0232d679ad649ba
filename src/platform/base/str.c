/* str.c — views of text. */
#include "platform/base/base.h"

#include <stdio.h>
#include <string.h>

int th_str_cmp(th_str a, th_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool th_str_starts(th_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

th_str th_str_trim(th_str s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool th_str_cut(th_str *rest, char separator, th_str *ret_part)
{
    if (!rest->p)
        return false;
    const char *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    if (at) {
        size_t n = (size_t)(at - rest->p);
        *ret_part = (th_str){rest->p, n};
        *rest = (th_str){at + 1, rest->n - n - 1};
    } else {
        *ret_part = *rest;
        *rest = (th_str){NULL, 0};
    }
    return true;
}

/* The length of the well-formed character at p (Unicode table 3-7), 0 when there is none; ret_code gets its code point. */
static size_t utf8_char(const unsigned char *p, size_t n, uint32_t *ret_code)
{
    if (p[0] < 0x80) {
        *ret_code = p[0];
        return 1;
    }
    size_t want = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || n < want)
        return 0;
    uint32_t code = p[0] & (0xFFu >> (want + 1));
    for (size_t i = 1; i < want; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    if ((want == 3 && code < 0x800) || (want == 4 && code < 0x10000) || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *ret_code = code;
    return want;
}

bool th_utf8_valid(th_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n;) {
        uint64_t eight;
        uint32_t code;
        if (i + 8 <= s.n) {
            memcpy(&eight, p + i, 8);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += 8;
                continue;
            }
        }
        size_t length = utf8_char(p + i, s.n - i, &code);
        if (!length)
            return false;
        i += length;
    }
    return true;
}

/* True when one of eight bytes is below 0x20, 0x7F or not ASCII. */
static bool any_unusual(const unsigned char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t v;
    memcpy(&v, p, 8);
    uint64_t delete = v ^ (ones * 0x7F);
    return ((((v - ones * 0x20) & ~v) | ((delete - ones) & ~delete) | v) & highs) != 0;
}

bool th_str_has_controls(th_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n;) {
        uint32_t code;
        if (i + 8 <= s.n && !any_unusual(p + i)) {
            i += 8;
            continue;
        }
        size_t length = utf8_char(p + i, s.n - i, &code);
        if (!length || code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x202A && code <= 0x202E) ||
            (code >= 0x2066 && code <= 0x2069))
            return true;
        i += length;
    }
    return false;
}

th_str th_str_keep(th_arena *arena, th_str s)
{
    char *copy = s.p ? th_alloc(arena, s.n + 1) : NULL;
    if (!copy)
        return (th_str){NULL, 0};
    memcpy(copy, s.p, s.n);
    return (th_str){copy, s.n};
}

th_str th_strf(th_arena *arena, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int n = vsnprintf(NULL, 0, format, list);
    char *text = n >= 0 ? th_alloc(arena, (size_t)n + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(list);
    return text ? (th_str){text, (size_t)n} : (th_str){NULL, 0};
}
