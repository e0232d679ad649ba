/* x509.c — a certificate for a signing key, and detached signatures with it. */
#include "crypto-private.h"

#include <openssl/cms.h>
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

static bool fill(X509 *cert, EVP_PKEY *pkey, const char *common_name, int days)
{
    uint8_t serial[16];
    th_env env = th_env_real();
    env.random(env.ctx, serial, sizeof serial);
    serial[0] = (uint8_t)(serial[0] & 0x7F) | 1;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    X509_NAME *name = X509_get_subject_name(cert);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) && X509_set_version(cert, 2) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -86400) && X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) &&
              X509_set_pubkey(cert, pkey) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, name) == 1 && extension_add(cert, NID_basic_constraints, "critical,CA:FALSE") &&
              extension_add(cert, NID_key_usage, "critical,digitalSignature,nonRepudiation") && X509_sign(cert, pkey, EVP_sha256()) > 0;
    BN_free(number);
    return ok;
}

static th_status der_keep(uint8_t *der, int n, th_arena *arena, th_str *ret)
{
    if (n <= 0)
        return TH_IO;
    *ret = th_str_keep(arena, (th_str){(const char *)der, (size_t)n});
    OPENSSL_free(der);
    return ret->p ? TH_OK : TH_NO_MEMORY;
}

th_status th_x509_make(const th_key *key, const char *common_name, int days, th_arena *arena, th_str *ret_der)
{
    uint8_t *der = NULL;
    if (th_key_suite(key) != TH_SUITE_P256)
        return TH_INVALID;
    X509 *cert = X509_new();
    int n = cert && fill(cert, th_key_pkey(key), common_name, days) ? i2d_X509(cert, &der) : -1;
    X509_free(cert);
    return der_keep(der, n, arena, ret_der);
}

static X509 *x509_of(th_str der)
{
    const uint8_t *at = (const uint8_t *)der.p;
    return der.n && der.n <= 16 * TH_X509_MAX ? d2i_X509(NULL, &at, (long)der.n) : NULL;
}

th_status th_x509_key(th_str der, th_key **ret_key)
{
    uint8_t open[TH_PUBLIC_MAX];
    size_t n = 0;
    X509 *cert = x509_of(der);
    EVP_PKEY *pkey = cert ? X509_get0_pubkey(cert) : NULL;
    char group[32] = "";
    bool ok = pkey && EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 && strcmp(group, "prime256v1") == 0 &&
              EVP_PKEY_get_octet_string_param(pkey, "pub", open, sizeof open, &n) == 1 && n == sizeof open;
    X509_free(cert);
    return ok ? th_key_from_public(TH_SUITE_P256, (th_str){(const char *)open, n}, ret_key) : TH_INVALID;
}

th_status th_cms_sign(const th_key *key, th_str x509, th_str content, th_arena *arena, th_str *ret_der)
{
    uint8_t *der = NULL;
    const unsigned flags = CMS_DETACHED | CMS_BINARY | CMS_NOSMIMECAP;
    X509 *cert = x509_of(x509);
    BIO *in = content.n <= INT32_MAX ? BIO_new_mem_buf(content.p, (int)content.n) : NULL;
    EVP_PKEY *pkey = th_key_pkey(key);
    CMS_ContentInfo *cms = cert && in && pkey ? CMS_sign(cert, pkey, NULL, in, flags) : NULL;
    int n = cms ? i2d_CMS_ContentInfo(cms, &der) : -1;
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    X509_free(cert);
    return der_keep(der, n, arena, ret_der);
}

th_status th_cms_check(th_str der, th_str content, th_arena *arena, th_str *ret_x509)
{
    const uint8_t *at = (const uint8_t *)der.p;
    uint8_t *signer = NULL;
    int n = -1;
    CMS_ContentInfo *cms = der.n && der.n <= 16 * TH_CMS_MAX ? d2i_CMS_ContentInfo(NULL, &at, (long)der.n) : NULL;
    BIO *in = content.n <= INT32_MAX ? BIO_new_mem_buf(content.p, (int)content.n) : NULL;
    if (!cms || !in) {
        CMS_ContentInfo_free(cms);
        BIO_free(in);
        return TH_INVALID;
    }
    bool held = CMS_verify(cms, NULL, NULL, in, NULL, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY | CMS_DETACHED) == 1;
    STACK_OF(X509) *signers = held ? CMS_get0_signers(cms) : NULL;
    if (signers && sk_X509_num(signers) == 1) /* one signer, or nobody knows whose word it is */
        n = i2d_X509(sk_X509_value(signers, 0), &signer);
    sk_X509_free(signers);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    return held && n > 0 ? der_keep(signer, n, arena, ret_x509) : TH_FORBIDDEN;
}
