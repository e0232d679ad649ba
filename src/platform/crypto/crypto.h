/* crypto.h — two suites behind one interface, a third for certificates, and the few other primitives the house needs.
 *
 * Suites    ed25519-sha256 (libsodium, SHA-256 of OpenSSL) and sm2-sm3 (OpenSSL 3; GB/T 32918, 32905; user id
 *           "1234567812345678"); and p256-sha256 (ES256 of RFC 7518), which signs certificates that people show outside the region
 *           and nothing else. On both curves signatures are raw r‖s of 64 bytes, not DER; public keys are 65 bytes 04‖x‖y.
 * Ownership th_key is closed with th_key_close. Outputs go to fixed arrays or the arena.
 * Threads   Keys are immutable after opening and may be used from any thread.
 * Errors    TH_INVALID for malformed input, TH_FORBIDDEN for a signature or tag that does not hold, TH_IO when the library
 *           itself fails.
 */
#ifndef TH_PLATFORM_CRYPTO_H
#define TH_PLATFORM_CRYPTO_H
#include "platform/base/base.h"

typedef enum th_suite { TH_SUITE_ED25519 = 1, TH_SUITE_SM2 = 2, TH_SUITE_P256 = 3 } th_suite;
enum { TH_HASH_SIZE = 32, TH_SIGNATURE_SIZE = 64, TH_PUBLIC_MAX = 65, TH_SECRET_MAX = 64, TH_HEX_HASH = 65 };

const char *th_suite_name(th_suite suite); /* "ed25519-sha256", "sm2-sm3", "p256-sha256" */
TH_MUST_USE bool th_suite_parse(th_str name, th_suite *ret_suite);
TH_MUST_USE th_status th_crypto_start(void); /* once per process before anything else */

/* ---- hashes */
typedef struct th_hash { uint8_t b[TH_HASH_SIZE]; } th_hash;

/* Hash of the concatenation of `n` pieces with the suite's hash function (SHA-256 or SM3). */
th_hash th_hash_of(th_suite suite, const th_str *pieces, size_t n);
th_hash th_hash_str(th_suite suite, th_str bytes);
/* SHA-256 of what comes piece by piece. */
typedef struct th_hasher { uint64_t state[16]; } th_hasher;
void th_hasher_open(th_hasher *hasher);
void th_hasher_add(th_hasher *hasher, th_str bytes);
th_hash th_hasher_done(th_hasher *hasher);
bool th_hash_eq(const th_hash *a, const th_hash *b);

/* Keyed pseudonyms and request authentication: HMAC-SHA-256. */
th_hash th_hmac(const uint8_t key[32], const th_str *pieces, size_t n);

/* ---- signing keys */
typedef struct th_key th_key;

TH_MUST_USE th_status th_key_make(th_suite suite, th_key **ret_key);
/* Ed25519: 32-byte seed; SM2, P-256: 32-byte scalar. */
TH_MUST_USE th_status th_key_from_secret(th_suite suite, th_str secret, th_key **ret_key);
TH_MUST_USE th_status th_key_from_public(th_suite suite, th_str public_bytes, th_key **ret_key);
th_suite th_key_suite(const th_key *key);
th_str th_key_public(const th_key *key); /* lives as long as the key */
th_str th_key_secret(const th_key *key); /* {NULL,0} for a public key */
void th_key_close(th_key *key);

TH_MUST_USE th_status th_sign(const th_key *key, th_str message, uint8_t ret_signature[TH_SIGNATURE_SIZE]);
TH_MUST_USE th_status th_verify(const th_key *key, th_str message, th_str signature);

/* ---- encryption at rest: AES-256-GCM, 12-byte random nonce in front, 16-byte tag behind */
enum { TH_SEAL_EXTRA = 28 };
TH_MUST_USE th_status th_seal(const th_env *env, const uint8_t key[32], th_str plain, th_str context, th_arena *arena,
                              th_str *ret_sealed);
TH_MUST_USE th_status th_unseal(const uint8_t key[32], th_str sealed, th_str context, th_arena *arena, th_str *ret_plain);

/* ---- passwords: argon2id t=2 m=19 MiB, PHC string; ~30 ms: worker pool only */
enum { TH_PASSWORD_HASH = 128 };
TH_MUST_USE th_status th_password_hash(th_str password, char ret_hash[TH_PASSWORD_HASH]);
TH_MUST_USE th_status th_password_check(th_str password, const char *hash); /* TH_FORBIDDEN */

/* ---- TOTP, RFC 6238: SHA-1, 30 s, 6 digits; `skew` steps either side. ret_step lets the caller refuse a second use. */
TH_MUST_USE th_status th_totp_check(th_str secret, th_str code, int64_t now_us, int skew, int64_t *ret_step);
void th_totp_code(th_str secret, int64_t step, char ret_code[7]);
th_str th_base32(th_arena *arena, const void *bytes, size_t n); /* RFC 4648 §6 without padding, for otpauth:// */

/* ---- TLS identities: a self-signed ECDSA P-256 certificate and its key as PEM; peers pin the SPKI, names do not matter */
TH_MUST_USE th_status th_tls_make(const char *common_name, int days, th_arena *arena, th_str *ret_cert_pem, th_str *ret_key_pem);
/* "sha256/" + base64(SHA-256(SubjectPublicKeyInfo)): 7 + 44 characters. */
enum { TH_PIN_TEXT = 52 };
TH_MUST_USE th_status th_tls_pin_of_pem(th_str cert_pem, char ret_pin[TH_PIN_TEXT]);
TH_MUST_USE th_status th_tls_pin_of_der(th_str cert_der, char ret_pin[TH_PIN_TEXT]);

/* ---- certificates of X.509 and detached signatures (CMS), where others' software expects them: requests and signed pages. P-256 keys. */
enum { TH_X509_MAX = 1024 };
/* Self-signed, DER. Names prove nothing: whoever reads it looks the key up in the trust document. */
TH_MUST_USE th_status th_x509_make(const th_key *key, const char *common_name, int days, th_arena *arena, th_str *ret_der);
/* The public key of a certificate; TH_INVALID when it is none of P-256. */
TH_MUST_USE th_status th_x509_key(th_str der, th_key **ret_key);
/* SignedData without the content, SHA-256, with signing time and certificate (RFC 5652); `size_max` is a bound for its length. */
enum { TH_CMS_MAX = 4096 };
TH_MUST_USE th_status th_cms_sign(const th_key *key, th_str x509, th_str content, th_arena *arena, th_str *ret_der);
/* TH_FORBIDDEN when the signature over `content` does not hold. The signer's certificate is given back; whether it is to be believed is the
 * caller's to find out. */
TH_MUST_USE th_status th_cms_check(th_str der, th_str content, th_arena *arena, th_str *ret_x509);

#endif
