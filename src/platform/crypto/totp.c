/* totp.c — RFC 6238 over RFC 4226: HMAC-SHA-1, 30 seconds, six digits. */
#include "crypto-private.h"

#include <openssl/hmac.h>
#include <string.h>

enum { STEP_S = 30 };

void th_totp_code(th_str secret, int64_t step, char ret_code[7])
{
    uint8_t counter[8], mac[20];
    unsigned n = sizeof mac;
    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    TH_ASSERT(HMAC(EVP_sha1(), secret.p, (int)secret.n, counter, sizeof counter, mac, &n) != NULL);
    unsigned at = mac[19] & 15;
    uint32_t code = ((uint32_t)(mac[at] & 0x7F) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3]) %
                    1000000;
    for (int i = 5; i >= 0; i--) {
        ret_code[i] = (char)('0' + code % 10);
        code /= 10;
    }
    ret_code[6] = 0;
}

th_status th_totp_check(th_str secret, th_str code, int64_t now_us, int skew, int64_t *ret_step)
{
    int64_t now_step = now_us / TH_SECOND_US / STEP_S, found = -1;
    char expected[7];
    if (code.n != 6)
        return TH_FORBIDDEN;
    for (int64_t step = now_step - skew; step <= now_step + skew; step++) {
        th_totp_code(secret, step, expected);
        if (th_equal_secret(expected, code.p, 6))
            found = step;
    }
    if (found < 0)
        return TH_FORBIDDEN;
    *ret_step = found;
    return TH_OK;
}

th_str th_base32(th_arena *arena, const void *bytes, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const uint8_t *b = bytes;
    char *text = th_alloc(arena, (n * 8 + 4) / 5 + 1);
    size_t length = 0;
    uint32_t held = 0;
    int bits = 0;
    if (!text)
        return (th_str){NULL, 0};
    for (size_t i = 0; i < n; i++) {
        held = (held << 8 | b[i]) & 0xFFFF;
        for (bits += 8; bits >= 5; bits -= 5)
            text[length++] = letters[held >> (bits - 5) & 31];
    }
    if (bits)
        text[length++] = letters[held << (5 - bits) & 31];
    return (th_str){text, length};
}
