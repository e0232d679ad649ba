/* key.c — signing keys: Ed25519 by libsodium (2.9 times OpenSSL's speed here); SM2 and P-256 by OpenSSL, SM2 with the identity that
 * GB/T 35276 gives as default. Signatures of both curves travel as raw r and s of 32 bytes each. */
#include "crypto-private.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <string.h>

static const char sm2_identity[] = "1234567812345678";

struct th_key {
    th_suite suite;
    bool has_secret;
    uint8_t open[TH_PUBLIC_MAX];
    size_t open_n;
    uint8_t secret[TH_SECRET_MAX]; /* what th_key_secret gives: seed or scalar, 32 bytes */
    uint8_t expanded[64];          /* Ed25519: libsodium's secret key */
    EVP_PKEY *pkey;                /* the curves */
    EVP_PKEY_CTX *signing, *checking; /* P-256, ready to be copied: looking the algorithm up again would cost a tenth of a signature */
};

static bool on_curve_suite(th_suite suite)
{
    return suite == TH_SUITE_SM2 || suite == TH_SUITE_P256;
}

void th_key_close(th_key *key)
{
    if (!key)
        return;
    EVP_PKEY_CTX_free(key->signing);
    EVP_PKEY_CTX_free(key->checking);
    EVP_PKEY_free(key->pkey);
    sodium_memzero(key, sizeof *key);
    th_free(key);
}

th_suite th_key_suite(const th_key *key)
{
    return key->suite;
}

th_str th_key_public(const th_key *key)
{
    return (th_str){(const char *)key->open, key->open_n};
}

th_str th_key_secret(const th_key *key)
{
    return key->has_secret ? (th_str){(const char *)key->secret, 32} : (th_str){NULL, 0};
}

EVP_PKEY *th_key_pkey(const th_key *key)
{
    return key->pkey;
}

/* ---- keys on curves ---- */

static bool curve_public_of(th_suite suite, const uint8_t scalar[32], uint8_t ret_open[65])
{
    bool ok = false;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(suite == TH_SUITE_SM2 ? NID_sm2 : NID_X9_62_prime256v1);
    BIGNUM *k = BN_bin2bn(scalar, 32, NULL);
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    const BIGNUM *order = group ? EC_GROUP_get0_order(group) : NULL;
    if (group && k && point && !BN_is_zero(k) && BN_cmp(k, order) < 0)
        ok = EC_POINT_mul(group, point, k, NULL, NULL, NULL) == 1 &&
             EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret_open, 65, NULL) == 65;
    EC_POINT_free(point);
    BN_clear_free(k);
    EC_GROUP_free(group);
    return ok;
}

static EVP_PKEY *curve_build(th_suite suite, const uint8_t open[65], const uint8_t *scalar)
{
    const char *type = suite == TH_SUITE_SM2 ? "SM2" : "EC", *curve = suite == TH_SUITE_SM2 ? "SM2" : "P-256";
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *k = scalar ? BN_bin2bn(scalar, 32, NULL) : NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    bool ok = build && c && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, open, 65) == 1 &&
              (!k || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, k) == 1);
    if (ok && (params = OSSL_PARAM_BLD_to_param(build)) && EVP_PKEY_fromdata_init(c) == 1 &&
        EVP_PKEY_fromdata(c, &pkey, k ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(c);
    BN_clear_free(k);
    return pkey;
}

/* A point that is not on the curve is refused when the key is opened, not when it is used. */
static bool point_holds(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = c && EVP_PKEY_public_check(c) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

/* ---- opening ---- */

static bool p256_ready(th_key *key)
{
    key->checking = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (!key->checking || EVP_PKEY_verify_init(key->checking) != 1)
        return false;
    if (!key->has_secret)
        return true;
    key->signing = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    return key->signing && EVP_PKEY_sign_init(key->signing) == 1;
}

static th_status ed25519_secret(th_key *key, th_str secret)
{
    memcpy(key->secret, secret.p, 32);
    key->open_n = 32;
    return crypto_sign_seed_keypair(key->open, key->expanded, key->secret) == 0 ? TH_OK : TH_IO;
}

static th_status curve_secret(th_key *key, th_str secret)
{
    memcpy(key->secret, secret.p, 32);
    key->open_n = 65;
    if (!curve_public_of(key->suite, key->secret, key->open))
        return TH_INVALID;
    key->pkey = curve_build(key->suite, key->open, key->secret);
    return key->pkey && (key->suite != TH_SUITE_P256 || p256_ready(key)) ? TH_OK : TH_IO;
}

th_status th_key_from_secret(th_suite suite, th_str secret, th_key **ret_key)
{
    if (secret.n != 32)
        return TH_INVALID;
    th_key *key = th_new(sizeof *key);
    if (!key)
        return TH_NO_MEMORY;
    key->suite = suite;
    key->has_secret = true;
    th_status status = on_curve_suite(suite) ? curve_secret(key, secret) : ed25519_secret(key, secret);
    if (status)
        th_key_close(key);
    else
        *ret_key = key;
    return status;
}

th_status th_key_make(th_suite suite, th_key **ret_key)
{
    th_status status = TH_INVALID;
    uint8_t secret[32];
    /* A scalar outside [1, n) is refused; chance gives one less than once in 2^32. */
    for (int tries = 0; status == TH_INVALID && tries < 8; tries++) {
        randombytes_buf(secret, sizeof secret);
        status = th_key_from_secret(suite, (th_str){(const char *)secret, 32}, ret_key);
    }
    sodium_memzero(secret, sizeof secret);
    return status;
}

th_status th_key_from_public(th_suite suite, th_str open, th_key **ret_key)
{
    size_t wanted = on_curve_suite(suite) ? 65 : 32;
    if (open.n != wanted || (on_curve_suite(suite) && open.p[0] != 4))
        return TH_INVALID;
    th_key *key = th_new(sizeof *key);
    if (!key)
        return TH_NO_MEMORY;
    key->suite = suite;
    key->open_n = wanted;
    memcpy(key->open, open.p, wanted);
    bool ok = !on_curve_suite(suite) || ((key->pkey = curve_build(suite, key->open, NULL)) && point_holds(key->pkey));
    ok = ok && (suite != TH_SUITE_P256 || p256_ready(key));
    if (!ok) {
        th_key_close(key);
        return TH_INVALID;
    }
    *ret_key = key;
    return TH_OK;
}

/* ---- signing ---- */

static bool identity_set(EVP_PKEY_CTX *c)
{
    return EVP_PKEY_CTX_set1_id(c, sm2_identity, sizeof sm2_identity - 1) == 1;
}

/* OpenSSL speaks DER; the wire speaks r and s. */
static bool raw_of(const uint8_t *der, size_t n, uint8_t ret_signature[64])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_signature, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_signature + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok;
}

enum { DER_MAX = 80 };

static size_t der_integer(const uint8_t raw[32], uint8_t *to)
{
    size_t skip = 0, n;
    while (skip < 31 && raw[skip] == 0)
        skip++;
    bool pad = raw[skip] & 0x80;
    n = 32 - skip;
    to[0] = 2;
    to[1] = (uint8_t)(n + pad);
    to[2] = 0;
    memcpy(to + 2 + pad, raw + skip, n);
    return 2 + pad + n;
}

static size_t der_of(const uint8_t signature[64], uint8_t ret_der[DER_MAX])
{
    size_t n = der_integer(signature, ret_der + 2);
    n += der_integer(signature + 32, ret_der + 2 + n);
    ret_der[0] = 0x30;
    ret_der[1] = (uint8_t)n;
    return n + 2;
}

static th_status sm2_sign(const th_key *key, th_str message, uint8_t ret_signature[64])
{
    uint8_t der[DER_MAX];
    size_t n = sizeof der;
    bool ok = false;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (md && c && identity_set(c)) {
        EVP_MD_CTX_set_pkey_ctx(md, c);
        ok = EVP_DigestSignInit(md, NULL, th_md_sm3, NULL, key->pkey) == 1 &&
             EVP_DigestSign(md, der, &n, (const uint8_t *)message.p, message.n) == 1 && raw_of(der, n, ret_signature);
    }
    EVP_MD_CTX_free(md);
    EVP_PKEY_CTX_free(c);
    return ok ? TH_OK : TH_IO;
}

static th_status sm2_verify(const th_key *key, th_str message, const uint8_t signature[64])
{
    uint8_t der[DER_MAX];
    bool held = false;
    size_t n = der_of(signature, der);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (md && c && identity_set(c)) {
        EVP_MD_CTX_set_pkey_ctx(md, c);
        held = EVP_DigestVerifyInit(md, NULL, th_md_sm3, NULL, key->pkey) == 1 &&
               EVP_DigestVerify(md, der, n, (const uint8_t *)message.p, message.n) == 1;
    }
    EVP_MD_CTX_free(md);
    EVP_PKEY_CTX_free(c);
    return held ? TH_OK : TH_FORBIDDEN;
}

/* The digest is made here, so that no algorithm has to be looked up for each signature. */
static th_status p256_sign(const th_key *key, th_str message, uint8_t ret_signature[64])
{
    uint8_t der[DER_MAX];
    size_t n = sizeof der;
    th_hash hash = th_hash_str(TH_SUITE_P256, message);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_dup(key->signing);
    bool ok = c && EVP_PKEY_sign(c, der, &n, hash.b, sizeof hash.b) == 1 && raw_of(der, n, ret_signature);
    EVP_PKEY_CTX_free(c);
    return ok ? TH_OK : TH_IO;
}

static th_status p256_verify(const th_key *key, th_str message, const uint8_t signature[64])
{
    uint8_t der[DER_MAX];
    size_t n = der_of(signature, der);
    th_hash hash = th_hash_str(TH_SUITE_P256, message);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_dup(key->checking);
    bool held = c && EVP_PKEY_verify(c, der, n, hash.b, sizeof hash.b) == 1;
    EVP_PKEY_CTX_free(c);
    return held ? TH_OK : TH_FORBIDDEN;
}

th_status th_sign(const th_key *key, th_str message, uint8_t ret_signature[TH_SIGNATURE_SIZE])
{
    if (!key->has_secret)
        return TH_INVALID;
    switch (key->suite) {
    case TH_SUITE_SM2:
        return sm2_sign(key, message, ret_signature);
    case TH_SUITE_P256:
        return p256_sign(key, message, ret_signature);
    case TH_SUITE_ED25519:
        break;
    }
    return crypto_sign_detached(ret_signature, NULL, (const uint8_t *)message.p, message.n, key->expanded) == 0 ? TH_OK : TH_IO;
}

th_status th_verify(const th_key *key, th_str message, th_str signature)
{
    if (signature.n != TH_SIGNATURE_SIZE)
        return TH_INVALID;
    const uint8_t *s = (const uint8_t *)signature.p;
    switch (key->suite) {
    case TH_SUITE_SM2:
        return sm2_verify(key, message, s);
    case TH_SUITE_P256:
        return p256_verify(key, message, s);
    case TH_SUITE_ED25519:
        break;
    }
    return crypto_sign_verify_detached(s, (const uint8_t *)message.p, message.n, key->open) == 0 ? TH_OK : TH_FORBIDDEN;
}
