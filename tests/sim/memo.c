/* memo.c — a signature that was made in this process need not be computed again by each of four nodes to be believed.
 *
 * The program is linked with th_sign and th_verify wrapped. What was signed here is remembered by the hash of key, message and
 * signature; a verification that finds it holds, anything else is computed by the real function. Both are pure, so that no verdict
 * changes; runs of every eighth seed compute all of them. */
#include "sim.h"

#include <string.h>

th_status __real_th_sign(const th_key *key, th_str message, uint8_t ret_signature[TH_SIGNATURE_SIZE]);
th_status __wrap_th_sign(const th_key *key, th_str message, uint8_t ret_signature[TH_SIGNATURE_SIZE]);
th_status __real_th_verify(const th_key *key, th_str message, th_str signature);
th_status __wrap_th_verify(const th_key *key, th_str message, th_str signature);

enum { PLACES = 1 << 16 };

static struct { uint64_t run; th_hash hash; } known[PLACES]; /* a newer one takes the place of an older */
static uint64_t run;
static bool used;

void sim_memo_begin(bool use)
{
    run++;
    used = use;
}

static th_hash hash_of(const th_key *key, th_str message, const uint8_t *signature)
{
    th_str pieces[] = {th_key_public(key), message, {(const char *)signature, TH_SIGNATURE_SIZE}};
    return th_hash_of(TH_SUITE_ED25519, pieces, TH_COUNT(pieces));
}

static size_t place_of(const th_hash *hash)
{
    size_t at;
    memcpy(&at, hash->b, sizeof at);
    return at % PLACES;
}

th_status __wrap_th_sign(const th_key *key, th_str message, uint8_t ret_signature[TH_SIGNATURE_SIZE])
{
    th_status status = __real_th_sign(key, message, ret_signature);
    if (!status && used) {
        th_hash hash = hash_of(key, message, ret_signature);
        size_t at = place_of(&hash);
        known[at].run = run;
        known[at].hash = hash;
    }
    return status;
}

th_status __wrap_th_verify(const th_key *key, th_str message, th_str signature)
{
    if (used && signature.n == TH_SIGNATURE_SIZE) {
        th_hash hash = hash_of(key, message, (const uint8_t *)signature.p);
        size_t at = place_of(&hash);
        if (known[at].run == run && th_hash_eq(&known[at].hash, &hash))
            return TH_OK;
    }
    return __real_th_verify(key, message, signature);
}
