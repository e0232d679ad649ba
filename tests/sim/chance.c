/* chance.c — xoshiro256**, and OpenSSL's random source replaced by it. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "chance.h"

#include <math.h>
#include <openssl/rand.h>
#include <string.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void chance_open(chance *c, uint64_t seed, uint64_t stream)
{
    uint64_t x = seed * UINT64_C(0xd1342543de82ef95) + stream * UINT64_C(0xaf251af3b0f025b5) + 1;
    for (int i = 0; i < 4; i++)
        c->s[i] = splitmix(&x);
}

static uint64_t rotated(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t chance_next(chance *c)
{
    uint64_t *s = c->s, result = rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 45);
    return result;
}

uint64_t chance_below(chance *c, uint64_t n)
{
    return chance_next(c) % n; /* the bias is below 2^-40 for every n used here */
}

int64_t chance_between(chance *c, int64_t low, int64_t high)
{
    return low + (int64_t)chance_below(c, (uint64_t)(high - low) + 1);
}

bool chance_of(chance *c, unsigned in_thousand)
{
    return chance_below(c, 1000) < in_thousand;
}

void chance_bytes(chance *c, void *bytes, size_t n)
{
    unsigned char *p = bytes;
    while (n) {
        uint64_t word = chance_next(c);
        size_t some = n < sizeof word ? n : sizeof word;
        memcpy(p, &word, some);
        p += some;
        n -= some;
    }
}

int64_t chance_wait(chance *c, int64_t mean)
{
    double u = (double)(chance_next(c) >> 11) * 0x1.0p-53, wait = -log1p(-u) * (double)mean;
    double most = 20.0 * (double)mean;
    return 1 + (int64_t)(wait < most ? wait : most);
}

/* ---- OpenSSL ---- */

static chance openssl_chance;

chance chance_of_openssl(void)
{
    return openssl_chance;
}

void chance_set_openssl(chance c)
{
    openssl_chance = c;
}

static int openssl_bytes(unsigned char *bytes, int n)
{
    chance_bytes(&openssl_chance, bytes, (size_t)n);
    return 1;
}

static int openssl_status(void)
{
    return 1;
}

void chance_feeds_openssl(uint64_t seed)
{
    static const RAND_METHOD method = {.bytes = openssl_bytes, .pseudorand = openssl_bytes, .status = openssl_status};
    chance_open(&openssl_chance, seed, 0x0551);
    TH_ASSERT(RAND_set_rand_method(&method) == 1);
}
