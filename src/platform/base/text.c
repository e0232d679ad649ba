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

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool th_unhex(th_str text, void *ret_bytes, size_t n)
{
    uint8_t *b = ret_bytes;
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (hex_value(text.p[i]) < 0)
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

static int letter_value(const char *alphabet, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

/* Canonical only: the unused low bits of the last letter must be zero. */
static th_status decode(const char *alphabet, th_arena *arena, th_str text, th_str *ret_bytes)
{
    if (text.n % 4 == 1)
        return TH_INVALID;
    uint8_t *b = th_alloc(arena, text.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t v = 0;
    int bits = 0;
    if (!b)
        return TH_TOO_LARGE;
    for (size_t i = 0; i < text.n; i++) {
        int value = letter_value(alphabet, text.p[i]);
        if (value < 0)
            return TH_INVALID;
        v = (v << 6 | (uint32_t)value) & 0xFFFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            b[n++] = (uint8_t)(v >> bits);
        }
    }
    if (bits && (v & ((1u << bits) - 1)))
        return TH_INVALID;
    *ret_bytes = (th_str){(const char *)b, n};
    return TH_OK;
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
    return decode(standard, arena, text, ret_bytes);
}

th_status th_unbase64url(th_arena *arena, th_str text, th_str *ret_bytes)
{
    return decode(url_safe, arena, text, ret_bytes);
}

bool th_equal_secret(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t different = 0;
    for (size_t i = 0; i < n; i++)
        different |= (uint8_t)(x[i] ^ y[i]);
    return different == 0;
}
