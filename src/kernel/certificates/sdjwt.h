/* sdjwt.h — selectively disclosable tokens: issue, present, bind to a holder, verify.
 *
 * Promises  A verified token's claims are those that the issuer signed and the holder disclosed, and no others. Whatever RFC 9901 §7
 *           says must be rejected is rejected, with a reason of its own: a digest twice, a disclosure that nothing refers to, `_sd` or
 *           `...` as a claim's name, a disclosed claim beside a plain one of the same name, a missing or forged holder's signature, a
 *           wrong audience or nonce, an algorithm that is not the key's. Decoys are accepted and never made.
 * Limits    TH_SDJWT_MAX bytes, TH_SDJWT_DISCLOSURES_MAX disclosures, TH_SDJWT_DIGESTS_MAX digests, nesting TH_SDJWT_DEPTH_MAX over all
 *           disclosures together.
 * Ownership Everything returned lives in the arena given or in the texts given; keys are the caller's. Threads: any.
 * Source    RFC 9901 (SD-JWT), draft-ietf-oauth-sd-jwt-vc (type, claims that may not be disclosed selectively). SM2/SM3 profile: algorithm
 *           as in jose.h, `_sd_alg` "sm3"; not registered anywhere, for use inside the region.
 */
#ifndef TH_CERTIFICATES_SDJWT_H
#define TH_CERTIFICATES_SDJWT_H
#include "kernel/certificates/jose.h"

enum {
    TH_SDJWT_MAX = 256 * 1024,
    TH_SDJWT_DISCLOSURES_MAX = 512,
    TH_SDJWT_DIGESTS_MAX = 4096,
    TH_SDJWT_DEPTH_MAX = 48,
    TH_SDJWT_SALT = 16,
};

/* ---- issuing */
typedef struct th_sdjwt_order {
    const th_key *key;
    th_str kid;           /* absent = none in the header */
    const char *typ;      /* NULL = "dc+sd-jwt" */
    const th_json *claims; /* an object: the whole payload before disclosures are taken out */
    /* Which claims become disclosures: {"_sd":["name"],"address":{"_sd":["street"]},"list":{"_sd":[0,2]}}; NULL = none. */
    const th_json *frame;
    const th_env *env;    /* salts */
} th_sdjwt_order;
/* jwt~disclosure~…~, digests sorted so that they tell no order. TH_INVALID "sdjwt-name" for reserved names among the claims. */
TH_MUST_USE th_status th_sdjwt_issue(const th_sdjwt_order *order, th_arena *arena, th_str *ret_text, th_error *error);

/* ---- presenting (the holder). `paths` are JSON arrays of names and indexes as in DCQL ("null" = every element). */
TH_MUST_USE th_status th_sdjwt_select(th_str text, const th_json *const *paths, size_t n, th_arena *arena, th_str *ret_text, th_error *error);
/* Append the holder's signature over audience, nonce and the presentation. */
TH_MUST_USE th_status th_sdjwt_bind(th_str presentation, const th_key *holder, th_str audience, th_str nonce, int64_t now_us, th_arena *arena,
                                    th_str *ret_text, th_error *error);

/* ---- verifying */
typedef struct th_sdjwt_policy {
    /* The issuer's key for this header and payload; the key must live until verify returns. */
    th_status (*key)(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret_key, th_error *error);
    void *ctx;
    int64_t now_us;
    const char *typ;      /* NULL = "dc+sd-jwt" */
    bool plain;           /* any SD-JWT: no type, no rules of verifiable credentials */
    bool holder;          /* the holder's signature is demanded */
    th_str audience, nonce; /* then: exactly these */
    int64_t holder_age_us;  /* and not older than this; 0 = 5 minutes */
} th_sdjwt_policy;

typedef struct th_sdjwt_disclosure {
    th_str text;   /* as sent */
    th_str digest; /* base64url */
    th_str name;   /* absent for an element of a list */
    const th_json *value;
    bool used;
} th_sdjwt_disclosure;

typedef struct th_sdjwt {
    th_jws jws;
    const th_json *payload;   /* as signed */
    const th_json *claims;    /* with what was disclosed in its place, without _sd, _sd_alg and ... */
    th_str claims_json;
    th_suite hash;            /* of the digests: P-256 or SM2 */
    const th_sdjwt_disclosure *disclosures; /* sorted by digest */
    size_t disclosure_count;
    bool bound;               /* the holder's signature was there and held */
    int64_t bound_at_us;
} th_sdjwt;

enum { TH_SDJWT_SKEW_S = 60 }; /* grace on exp, nbf and iat */
/* Everything; TH_FORBIDDEN or TH_INVALID with one of: sdjwt-malformed, jws-*, sdjwt-type, sdjwt-hash, sdjwt-signature … see sdjwt_verify.c. */
TH_MUST_USE th_status th_sdjwt_verify(th_str text, const th_sdjwt_policy *policy, th_arena *arena, th_sdjwt *ret_sdjwt, th_error *error);
/* The same without signatures, times and holder: for the holder's own look at what she holds. */
TH_MUST_USE th_status th_sdjwt_read(th_str text, bool plain, th_arena *arena, th_sdjwt *ret_sdjwt, th_error *error);

#endif
