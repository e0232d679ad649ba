/* hash.c — SHA-256 and SM3 over pieces.
 *
 * A message is hashed some twenty times on its way between two nodes, mostly a block or two. OpenSSL's EVP spends a
 * third of such a hash on its own machinery (234 against 143 ns for a node of the tree), so SHA-256 goes through the older interface,
 * which is deprecated and runs the same code. SM3 has only EVP: one context per thread, made at its first hash and freed with the thread. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto-private.h"

#include <openssl/sha.h>
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

static th_hash sha256_of(const th_str *pieces, size_t n)
{
    th_hash hash;
    SHA256_CTX c;
    SHA256_Init(&c);
    for (size_t i = 0; i < n; i++)
        SHA256_Update(&c, pieces[i].p, pieces[i].n);
    SHA256_Final(hash.b, &c);
    return hash;
}

static th_hash sm3_of(const th_str *pieces, size_t n)
{
    th_hash hash;
    EVP_MD_CTX *c = context();
    bool ok = EVP_DigestInit_ex2(c, th_md_sm3, NULL) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(c, pieces[i].p, pieces[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(c, hash.b, NULL) == 1;
    TH_ASSERT(ok);
    return hash;
}

th_hash th_hash_of(th_suite suite, const th_str *pieces, size_t n)
{
    return suite == TH_SUITE_SM2 ? sm3_of(pieces, n) : sha256_of(pieces, n);
}

th_hash th_hash_str(th_suite suite, th_str bytes)
{
    return th_hash_of(suite, &bytes, 1);
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(th_hasher), "a hasher holds its context");

void th_hasher_open(th_hasher *hasher)
{
    SHA256_Init((SHA256_CTX *)hasher->state);
}

void th_hasher_add(th_hasher *hasher, th_str bytes)
{
    SHA256_Update((SHA256_CTX *)hasher->state, bytes.p, bytes.n);
}

th_hash th_hasher_done(th_hasher *hasher)
{
    th_hash hash;
    SHA256_Final(hash.b, (SHA256_CTX *)hasher->state);
    return hash;
}

bool th_hash_eq(const th_hash *a, const th_hash *b)
{
    return memcmp(a->b, b->b, TH_HASH_SIZE) == 0;
}

/* RFC 2104 with a 32-byte key, which is shorter than a block. A node has one secret: each thread keeps what the key alone makes, two
 * of the four blocks. */
th_hash th_hmac(const uint8_t key[32], const th_str *pieces, size_t n)
{
    static __thread struct { uint8_t key[32]; bool known; SHA256_CTX inner, outer; } kept;
    th_hash hash;
    if (!kept.known || memcmp(kept.key, key, sizeof kept.key) != 0) {
        uint8_t block[64];
        for (int pad = 0; pad < 2; pad++) {
            memset(block, pad ? 0x5c : 0x36, sizeof block);
            for (size_t i = 0; i < sizeof kept.key; i++)
                block[i] ^= key[i];
            SHA256_CTX *c = pad ? &kept.outer : &kept.inner;
            SHA256_Init(c);
            SHA256_Update(c, block, sizeof block);
        }
        memcpy(kept.key, key, sizeof kept.key);
        kept.known = true;
    }
    SHA256_CTX c = kept.inner;
    for (size_t i = 0; i < n; i++)
        SHA256_Update(&c, pieces[i].p, pieces[i].n);
    SHA256_Final(hash.b, &c);
    c = kept.outer;
    SHA256_Update(&c, hash.b, sizeof hash.b);
    SHA256_Final(hash.b, &c);
    return hash;
}
