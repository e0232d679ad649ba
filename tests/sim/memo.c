/* memo.c — a signature that was made in this process need not be computed again by each of four nodes to be believed, nor a public key be
 * found to lie on its curve whenever a trust document is read.
 *
 * The program is linked with th_sign and th_verify wrapped. What was signed here is remembered by the hash of key, message and
 * signature; a verification that finds it holds, anything else is computed by the real function. Both are pure, so that no verdict
 * changes; runs of every eighth seed compute all of them. */
#include "sim.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
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

/* ---- points that lie on SM2's curve ---- */

int __real_EVP_PKEY_public_check(EVP_PKEY_CTX *context);
int __wrap_EVP_PKEY_public_check(EVP_PKEY_CTX *context);

enum { POINTS = 256, POINT_SIZE = 65 };

int __wrap_EVP_PKEY_public_check(EVP_PKEY_CTX *context)
{
    static uint8_t points[POINTS][POINT_SIZE];
    static size_t count;
    uint8_t point[POINT_SIZE];
    size_t n = 0;
    bool read = EVP_PKEY_get_octet_string_param(EVP_PKEY_CTX_get0_pkey(context), OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) == 1 &&
                n == sizeof point;
    for (size_t i = 0; used && read && i < count; i++)
        if (memcmp(points[i], point, sizeof point) == 0)
            return 1;
    chance before = chance_of_openssl(); /* the next run does not come here */
    int holds = __real_EVP_PKEY_public_check(context);
    chance_set_openssl(before);
    if (holds == 1 && read && count < POINTS)
        memcpy(points[count++], point, sizeof point);
    return holds;
}
