/* seal.c — AES-256-GCM for what lies at rest: nonce (12) ‖ ciphertext ‖ tag (16), bound to a context. */
#include "crypto-private.h"

#include <pthread.h>
#include <string.h>

enum { NONCE = 12, TAG = 16 };

static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_free(void *context)
{
    EVP_CIPHER_CTX_free(context);
}

static void context_key_make(void)
{
    TH_ASSERT(pthread_key_create(&context_key, context_free) == 0);
}

/* One context a thread; EVP_aes_256_gcm() is looked up once inside it. */
static EVP_CIPHER_CTX *context(void)
{
    static __thread EVP_CIPHER_CTX *mine;
    if (!mine) {
        pthread_once(&context_once, context_key_make);
        mine = EVP_CIPHER_CTX_new();
        TH_ASSERT(mine != NULL);
        pthread_setspecific(context_key, mine);
        TH_ASSERT(EVP_CipherInit_ex(mine, EVP_aes_256_gcm(), NULL, NULL, NULL, 1) == 1);
    }
    return mine;
}

th_status th_seal(const th_env *env, const uint8_t key[32], th_str plain, th_str bound, th_arena *arena, th_str *ret_sealed)
{
    if (plain.n > INT32_MAX - TH_SEAL_EXTRA || bound.n > INT32_MAX)
        return TH_TOO_LARGE;
    uint8_t *out = th_alloc(arena, plain.n + TH_SEAL_EXTRA);
    int n = 0;
    if (!out)
        return TH_TOO_LARGE;
    env->random(env->ctx, out, NONCE);
    EVP_CIPHER_CTX *c = context();
    bool ok = EVP_EncryptInit_ex(c, NULL, NULL, key, out) == 1 &&
              (!bound.n || EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)bound.p, (int)bound.n) == 1) &&
              (!plain.n || EVP_EncryptUpdate(c, out + NONCE, &n, (const uint8_t *)plain.p, (int)plain.n) == 1) &&
              EVP_EncryptFinal_ex(c, out + NONCE + plain.n, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + plain.n) == 1;
    if (!ok)
        return TH_IO;
    *ret_sealed = (th_str){(const char *)out, plain.n + TH_SEAL_EXTRA};
    return TH_OK;
}

th_status th_unseal(const uint8_t key[32], th_str sealed, th_str bound, th_arena *arena, th_str *ret_plain)
{
    if (sealed.n < TH_SEAL_EXTRA || sealed.n > INT32_MAX || bound.n > INT32_MAX)
        return TH_INVALID;
    const uint8_t *in = (const uint8_t *)sealed.p;
    size_t length = sealed.n - TH_SEAL_EXTRA;
    uint8_t *out = th_alloc(arena, length + 1), tag[TAG];
    int n = 0;
    if (!out)
        return TH_TOO_LARGE;
    memcpy(tag, in + NONCE + length, TAG);
    EVP_CIPHER_CTX *c = context();
    bool ok = EVP_DecryptInit_ex(c, NULL, NULL, key, in) == 1 &&
              (!bound.n || EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)bound.p, (int)bound.n) == 1) &&
              (!length || EVP_DecryptUpdate(c, out, &n, in + NONCE, (int)length) == 1) &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 && EVP_DecryptFinal_ex(c, out + length, &n) == 1;
    if (!ok)
        return TH_FORBIDDEN;
    *ret_plain = (th_str){(const char *)out, length};
    return TH_OK;
}
