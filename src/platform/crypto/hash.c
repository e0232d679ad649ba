/* hash.c — SHA-256 and SM3 over pieces; one context per thread, made at its first hash and freed with the thread. */
#include "crypto-private.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_free(void *context)
{
    EVP_MD_CTX_free(context);
}

static void context_key_make(void)
{
    TH_ASSERT(pthread_key_create(&context_key, context_free) == 0);
}

static EVP_MD_CTX *context(void)
{
    static __thread EVP_MD_CTX *mine;
    if (!mine) {
        pthread_once(&context_once, context_key_make);
        mine = EVP_MD_CTX_new();
        TH_ASSERT(mine != NULL);
        pthread_setspecific(context_key, mine);
    }
    return mine;
}

th_hash th_hash_of(th_suite suite, const th_str *pieces, size_t n)
{
    th_hash hash;
    EVP_MD_CTX *c = context();
    bool ok = EVP_DigestInit_ex2(c, suite == TH_SUITE_SM2 ? th_md_sm3 : th_md_sha256, NULL) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(c, pieces[i].p, pieces[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(c, hash.b, NULL) == 1;
    TH_ASSERT(ok);
    return hash;
}

th_hash th_hash_str(th_suite suite, th_str bytes)
{
    return th_hash_of(suite, &bytes, 1);
}

bool th_hash_eq(const th_hash *a, const th_hash *b)
{
    return memcmp(a->b, b->b, TH_HASH_SIZE) == 0;
}

/* RFC 2104 with a 32-byte key, which is shorter than a block. */
th_hash th_hmac(const uint8_t key[32], const th_str *pieces, size_t n)
{
    uint8_t inner[64], outer[64];
    th_hash hash;
    EVP_MD_CTX *c = context();
    memset(inner, 0x36, sizeof inner);
    memset(outer, 0x5c, sizeof outer);
    for (size_t i = 0; i < 32; i++) {
        inner[i] ^= key[i];
        outer[i] ^= key[i];
    }
    bool ok = EVP_DigestInit_ex2(c, th_md_sha256, NULL) == 1 && EVP_DigestUpdate(c, inner, sizeof inner) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(c, pieces[i].p, pieces[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(c, hash.b, NULL) == 1 && EVP_DigestInit_ex2(c, th_md_sha256, NULL) == 1 &&
         EVP_DigestUpdate(c, outer, sizeof outer) == 1 && EVP_DigestUpdate(c, hash.b, sizeof hash.b) == 1 &&
         EVP_DigestFinal_ex(c, hash.b, NULL) == 1;
    TH_ASSERT(ok);
    return hash;
}
