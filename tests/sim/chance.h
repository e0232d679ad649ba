/* chance.h — all chance of a run comes from its seed, split into streams so that one part's draws do not shift another's.
 *
 * xoshiro256** (Blackman and Vigna, 2018) seeded by splitmix64. Not cryptographic: keys of a simulation protect nothing.
 */
#ifndef SIM_CHANCE_H
#define SIM_CHANCE_H
#include "platform/base/base.h"

typedef struct chance {
    uint64_t s[4];
} chance;

void chance_open(chance *c, uint64_t seed, uint64_t stream);
uint64_t chance_next(chance *c);
uint64_t chance_below(chance *c, uint64_t n);              /* 0 … n-1; n > 0 */
int64_t chance_between(chance *c, int64_t low, int64_t high); /* both may come */
bool chance_of(chance *c, unsigned in_thousand);
void chance_bytes(chance *c, void *bytes, size_t n);
/* Waiting times between events that happen `mean` apart on average: never 0, at most twenty times the mean. */
int64_t chance_wait(chance *c, int64_t mean);

/* OpenSSL draws nonces of SM2 from its own source: from here on it is this stream. */
void chance_feeds_openssl(uint64_t seed);
/* Around what happens once a process and not once a run: the stream goes on afterwards as if it had not happened. */
chance chance_of_openssl(void);
void chance_set_openssl(chance c);
#endif
