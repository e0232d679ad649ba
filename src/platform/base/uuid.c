/* uuid.c — UUIDv7: 48 bits of milliseconds, then a counter that keeps ids of one process ascending, then chance. */
#include "platform/base/base.h"

#include <stdatomic.h>
#include <string.h>

/* Milliseconds shifted by 12 with the counter below: the last one given; the next is greater, always. */
static _Atomic uint64_t last_given;

void th_uuid7(const th_env *env, char ret_text[TH_ID_TEXT])
{
    uint8_t b[16];
    uint64_t wanted = (uint64_t)(th_now_us(env) / 1000) << 12, given, last = atomic_load(&last_given);
    /* A clock of another kind (a simulation's) may run far behind: then order within it is its own affair. */
    do {
        given = wanted > last || last - wanted > ((uint64_t)600000 << 12) ? wanted : last + 1;
    } while (!atomic_compare_exchange_weak(&last_given, &last, given));
    env->random(env->ctx, b + 8, 8);
    uint64_t ms = given >> 12;
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | ((given >> 8) & 0x0F));
    b[7] = (uint8_t)given;
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3F));
    char hex[33];
    th_hex(b, 16, hex);
    static const int starts[] = {0, 8, 12, 16, 20, 32};
    char *p = ret_text;
    for (int i = 0; i < 5; i++) {
        size_t n = (size_t)(starts[i + 1] - starts[i]);
        memcpy(p, hex + starts[i], n);
        p += n;
        *p++ = i < 4 ? '-' : 0;
    }
}

bool th_uuid_valid(th_str text)
{
    if (text.n != TH_ID_TEXT - 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text.p[14] == '7' && (text.p[19] == '8' || text.p[19] == '9' || text.p[19] == 'a' || text.p[19] == 'b');
}

bool th_uuid_bytes(th_str text, uint8_t ret_bytes[TH_ID_BYTES])
{
    char hex[2 * TH_ID_BYTES];
    if (!th_uuid_valid(text))
        return false;
    memcpy(hex, text.p, 8);
    memcpy(hex + 8, text.p + 9, 4);
    memcpy(hex + 12, text.p + 14, 4);
    memcpy(hex + 16, text.p + 19, 4);
    memcpy(hex + 20, text.p + 24, 12);
    return th_unhex((th_str){hex, sizeof hex}, ret_bytes, TH_ID_BYTES);
}
