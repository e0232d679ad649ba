/* region.h — one fixed region of two members for the targets that need trust: keys from fixed secrets, so that seeds stay good. */
#ifndef TH_TESTS_FUZZ_REGION_H
#define TH_TESTS_FUZZ_REGION_H
#include "exchange-private.h"
#include "fuzz.h"

typedef struct fuzz_region {
    th_key *message[2], *journal[2], *governor;
    th_str document; /* signed */
    th_arena arena;
} fuzz_region;
fuzz_region *fuzz_region_open(void); /* once */
th_str fuzz_region_sign(fuzz_region *r, th_str signed_part, th_arena *arena); /* absent when it is no JSON */
#endif
