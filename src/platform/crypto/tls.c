/* tls.c — a node's TLS identity: a self-signed P-256 certificate. Peers pin its public key; the names on it prove nothing. */
#include "crypto-private.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static bool extension_add(X509 *cert, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool ok = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool certificate_fill(X509 *cert, EVP_PKEY *pkey, const char *common_name, int days)
{
    uint8_t serial[16];
    th_env env = th_env_real();
    env.random(env.ctx, serial, sizeof serial);
    serial[0] = (uint8_t)(serial[0] & 0x7F) | 1;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    X509_NAME *name = X509_get_subject_name(cert);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) && X509_set_version(cert, 2) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -86400) &&
              X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) && X509_set_pubkey(cert, pkey) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, name) == 1 && extension_add(cert, NID_basic_constraints, "critical,CA:FALSE") &&
              extension_add(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1") &&
              extension_add(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
              X509_sign(cert, pkey, EVP_sha256()) > 0;
    BN_free(number);
    return ok;
}

static bool pem_take(BIO *bio, th_arena *arena, th_str *ret)
{
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    *ret = n > 0 ? th_str_keep(arena, (th_str){bytes, (size_t)n}) : (th_str){NULL, 0};
    return ret->p != NULL;
}

th_status th_tls_make(const char *common_name, int days, th_arena *arena, th_str *ret_cert_pem, th_str *ret_key_pem)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    th_str cert_pem, key_pem;
    bool ok = pkey && cert && cert_bio && key_bio && certificate_fill(cert, pkey, common_name, days) &&
              PEM_write_bio_X509(cert_bio, cert) == 1 &&
              PEM_write_bio_PrivateKey(key_bio, pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
              pem_take(cert_bio, arena, &cert_pem) && pem_take(key_bio, arena, &key_pem);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    X509_free(cert);
    EVP_PKEY_free(pkey);
    if (!ok)
        return TH_IO;
    *ret_cert_pem = cert_pem;
    *ret_key_pem = key_pem;
    return TH_OK;
}

static th_status pin_of(X509 *cert, char ret_pin[TH_PIN_TEXT])
{
    uint8_t *der = NULL;
    int n = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : -1;
    X509_free(cert);
    if (n <= 0)
        return TH_INVALID;
    th_hash hash = th_hash_str(TH_SUITE_ED25519, (th_str){(const char *)der, (size_t)n});
    OPENSSL_free(der);
    th_arena arena;
    th_arena_open(&arena, 8192);
    th_str text = th_base64(&arena, hash.b, sizeof hash.b);
    if (text.n == 44) {
        memcpy(ret_pin, "sha256/", 7);
        memcpy(ret_pin + 7, text.p, 44);
        ret_pin[51] = 0;
    }
    th_arena_close(&arena);
    return text.n == 44 ? TH_OK : TH_NO_MEMORY;
}

th_status th_tls_pin_of_pem(th_str cert_pem, char ret_pin[TH_PIN_TEXT])
{
    if (cert_pem.n > INT32_MAX)
        return TH_INVALID;
    BIO *bio = BIO_new_mem_buf(cert_pem.p, (int)cert_pem.n);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return pin_of(cert, ret_pin);
}

th_status th_tls_pin_of_der(th_str cert_der, char ret_pin[TH_PIN_TEXT])
{
    const uint8_t *at = (const uint8_t *)cert_der.p;
    return cert_der.n > INT32_MAX ? TH_INVALID : pin_of(d2i_X509(NULL, &at, (long)cert_der.n), ret_pin);
}
