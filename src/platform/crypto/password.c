/* password.c — argon2id by libsodium. Slow on purpose: worker pool only. */
#include "crypto-private.h"

#include <sodium.h>
#include <string.h>

enum { PASSES = 2, MEMORY_BYTES = 19 * 1024 * 1024 };

_Static_assert((int)TH_PASSWORD_HASH >= (int)crypto_pwhash_STRBYTES, "room for a PHC string");

th_status th_password_hash(th_str password, char ret_hash[TH_PASSWORD_HASH])
{
    return crypto_pwhash_str_alg(ret_hash, password.p, password.n, PASSES, MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13) == 0
               ? TH_OK
               : TH_NO_MEMORY;
}

th_status th_password_check(th_str password, const char *hash)
{
    return crypto_pwhash_str_verify(hash, password.p, password.n) == 0 ? TH_OK : TH_FORBIDDEN;
}
