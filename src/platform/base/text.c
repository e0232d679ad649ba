/* text.c — bytes as hex, base64 and base64url; comparing secrets. */
#include "platform/base/base.h"

#include <string.h>

void th_hex(const void *bytes, size_t n, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++) {
        ret_text[2 * i] = digits[b[i] >> 4];
        ret_text[2 * i + 1] = digits[b[i] & 15];
    }
    ret_text[2 * n] = 0;
}

/* One more than a digit is worth; 0 = no digit. */
static const uint8_t hex_values[256] = {
    ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ['A'] = 11, 12, 13, 14, 15, 16, ['a'] = 11, 12, 13, 14, 15, 16,
};

static uint8_t hex_value(char c)
{
    return (uint8_t)(hex_values[(uint8_t)c] - 1);
}

bool th_unhex(th_str text, void *ret_bytes, size_t n)
{
    uint8_t *b = ret_bytes, wrong = 0;
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < text.n; i++)
        wrong |= hex_value(text.p[i]);
    if (wrong & 0xF0)
        return false;
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(hex_value(text.p[2 * i]) << 4 | hex_value(text.p[2 * i + 1]));
    return true;
}

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(const char *alphabet, const uint8_t *b, size_t n, char *p)
{
    char *start = p;
    size_t i = 0;
    for (; i + 3 <= n; i += 3) {
        uint32_t v = (uint32_t)b[i] << 16 | (uint32_t)b[i + 1] << 8 | b[i + 2];
        *p++ = alphabet[v >> 18];
        *p++ = alphabet[v >> 12 & 63];
        *p++ = alphabet[v >> 6 & 63];
        *p++ = alphabet[v & 63];
    }
    if (i < n) {
        uint32_t v = (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0);
        *p++ = alphabet[v >> 18];
        *p++ = alphabet[v >> 12 & 63];
        if (i + 1 < n)
            *p++ = alphabet[v >> 6 & 63];
    }
    return (size_t)(p - start);
}

th_str th_base64(th_arena *arena, const void *bytes, size_t n)
{
    char *text = th_alloc(arena, (n + 2) / 3 * 4 + 1);
    if (!text)
        return (th_str){NULL, 0};
    size_t length = encode(standard, bytes, n, text);
    while (length % 4)
        text[length++] = '=';
    return (th_str){text, length};
}

th_str th_base64url(th_arena *arena, const void *bytes, size_t n)
{
    char *text = th_alloc(arena, (n * 4 + 2) / 3 + 1);
    return text ? (th_str){text, encode(url_safe, bytes, n, text)} : (th_str){NULL, 0};
}

size_t th_base64url_to(const void *bytes, size_t n, char *ret_text)
{
    return encode(url_safe, bytes, n, ret_text);
}

/* Values of letters, 64 for what is none: four look-ups a group instead of four chains of comparisons. */
#define NONE16 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64
#define VALUES(c43, c45, c47, c95)                                                                                                \
    {NONE16, NONE16, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, c43, 64, c45, 64, c47, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61,   \
     64, 64, 64, 64, 64, 64, 64, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,    \
     64, 64, 64, 64, c95, 64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, \
     51, 64, 64, 64, 64, 64, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16}
static const uint8_t standard_values[256] = VALUES(62, 64, 63, 64), url_safe_values[256] = VALUES(64, 62, 64, 63);

/* Into text.n / 4 * 3 + 2 bytes at most. Canonical only: the unused low bits of the last letter must be zero. */
static bool decode_to(const uint8_t values[256], th_str text, uint8_t *b, size_t *ret_n)
{
    const uint8_t *t = (const uint8_t *)text.p;
    size_t n = 0, i = 0, left = text.n % 4;
    unsigned wrong = left == 1 ? 64 : 0;
    for (; i + 4 <= text.n; i += 4) {
        unsigned v0 = values[t[i]], v1 = values[t[i + 1]], v2 = values[t[i + 2]], v3 = values[t[i + 3]];
        wrong |= v0 | v1 | v2 | v3;
        b[n++] = (uint8_t)(v0 << 2 | v1 >> 4);
        b[n++] = (uint8_t)(v1 << 4 | v2 >> 2);
        b[n++] = (uint8_t)(v2 << 6 | v3);
    }
    if (left > 1) { /* two or three letters for one or two bytes */
        unsigned v0 = values[t[i]], v1 = values[t[i + 1]], v2 = left == 3 ? values[t[i + 2]] : 0;
        wrong |= v0 | v1 | v2 | (left == 3 ? (v2 & 3) << 6 : (v1 & 15) << 6);
        b[n++] = (uint8_t)(v0 << 2 | v1 >> 4);
        if (left == 3)
            b[n++] = (uint8_t)(v1 << 4 | v2 >> 2);
    }
    *ret_n = n;
    return !(wrong & ~63u);
}

static th_status decode(const uint8_t values[256], th_arena *arena, th_str text, th_str *ret_bytes)
{
    size_t n;
    uint8_t *b = th_alloc(arena, text.n / 4 * 3 + 3);
    if (!b)
        return TH_TOO_LARGE;
    if (!decode_to(values, text, b, &n))
        return TH_INVALID;
    *ret_bytes = (th_str){(const char *)b, n};
    return TH_OK;
}

bool th_unbase64url_to(th_str text, void *ret_bytes, size_t n)
{
    size_t got;
    return text.n == (n * 4 + 2) / 3 && decode_to(url_safe_values, text, ret_bytes, &got) && got == n;
}

th_status th_unbase64(th_arena *arena, th_str text, th_str *ret_bytes)
{
    if (text.n % 4)
        return TH_INVALID;
    size_t padding = 0;
    while (padding < 2 && text.n && text.p[text.n - 1] == '=') {
        text.n--;
        padding++;
    }
    if ((text.n + padding) % 4 || (padding && text.n % 4 != 4 - padding))
        return TH_INVALID;
    return decode(standard_values, arena, text, ret_bytes);
}

th_status th_unbase64url(th_arena *arena, th_str text, th_str *ret_bytes)
{
    return decode(url_safe_values, arena, text, ret_bytes);
}

bool th_equal_secret(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t different = 0;
    for (size_t i = 0; i < n; i++)
        different |= (uint8_t)(x[i] ^ y[i]);
    return different == 0;
}
