/* crypto-private.h — shared by the files of this part only. */
#ifndef TH_CRYPTO_PRIVATE_H
#define TH_CRYPTO_PRIVATE_H
#include "platform/crypto/crypto.h"

#include <openssl/evp.h>

/* Fetched once: looking an algorithm up by name costs more than hashing a leaf. */
extern const EVP_MD *th_md_sm3;

EVP_PKEY *th_key_pkey(const th_key *key); /* a key on a curve as OpenSSL knows it; the key's own */

#endif
