/* base45.c — RFC 9285. */
#include "kernel/certificates/offline.h"

#include <string.h>

static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

th_str th_base45(th_arena *arena, th_str bytes)
{
    char *text = th_alloc(arena, bytes.n / 2 * 3 + 3), *p = text;
    const uint8_t *b = (const uint8_t *)bytes.p;
    if (!text)
        return (th_str){NULL, 0};
    for (size_t i = 0; i + 1 < bytes.n; i += 2) {
        unsigned v = (unsigned)b[i] * 256 + b[i + 1];
        *p++ = letters[v % 45];
        *p++ = letters[v / 45 % 45];
        *p++ = letters[v / (45 * 45)];
    }
    if (bytes.n % 2) {
        unsigned v = b[bytes.n - 1];
        *p++ = letters[v % 45];
        *p++ = letters[v / 45];
    }
    return (th_str){text, (size_t)(p - text)};
}

static int value_of(char c)
{
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? (int)(at - letters) : -1;
}

th_status th_unbase45(th_arena *arena, th_str text, th_str *ret_bytes)
{
    if (text.n % 3 == 1)
        return TH_INVALID;
    uint8_t *b = th_alloc(arena, text.n / 3 * 2 + 2);
    size_t n = 0;
    if (!b)
        return TH_TOO_LARGE;
    for (size_t i = 0; i < text.n; i += 3) {
        bool pair = text.n - i == 2;
        int c = value_of(text.p[i]), d = value_of(text.p[i + 1]), e = pair ? 0 : value_of(text.p[i + 2]);
        if (c < 0 || d < 0 || e < 0)
            return TH_INVALID;
        int v = c + d * 45 + e * 45 * 45;
        if (v > (pair ? 0xFF : 0xFFFF))
            return TH_INVALID;
        if (!pair)
            b[n++] = (uint8_t)(v >> 8);
        b[n++] = (uint8_t)(v & 0xFF);
    }
    *ret_bytes = (th_str){(const char *)b, n};
    return TH_OK;
}
