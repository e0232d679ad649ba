/* httpsig.h — RFC 9421 signatures over HTTP messages and RFC 9530 digests, without any HTTP library.
 *
 * Promises  The signature base is built from named components in the order given; a verifier rebuilds it from the received
 *           Signature-Input, and fails on unknown components, duplicates, missing ones, or parameters out of place. The algorithm
 *           never comes from the message ("alg" present → TH_INVALID).
 * Source    RFC 9421 §2 (components, ;req), §2.5 (base), §3; RFC 9530 §2; RFC 8941 structured fields.
 */
#ifndef TH_PLATFORM_HTTPSIG_H
#define TH_PLATFORM_HTTPSIG_H
#include "platform/crypto/crypto.h"

/* A component of the message and its value: name "@method", "@target-uri", "@status", "content-digest", "tonghui-batch". */
typedef struct th_component {
    th_str name;
    th_str value;
    bool of_request; /* the ;req flag: the value is of the request that is answered */
} th_component;

typedef struct th_sig_params {
    int64_t created_s, expires_s; /* seconds since 1970; 0 = absent */
    th_str nonce, keyid, tag;     /* absent when p is NULL */
} th_sig_params;

/* Values for the headers Signature-Input and Signature under `label`. */
TH_MUST_USE th_status th_httpsig_sign(const th_key *key, const char *label, const th_component *components, size_t n,
                                      const th_sig_params *params, th_arena *arena, th_str *ret_input, th_str *ret_signature);

/* Read a Signature-Input member: which components, which parameters. No trust yet. */
enum { TH_COMPONENTS_MAX = 16 };
typedef struct th_sig_input {
    th_component components[TH_COMPONENTS_MAX]; /* names and flags; values absent */
    size_t n;
    th_sig_params params;
    th_str params_text; /* the inner list and parameters exactly as received: the base ends with it */
} th_sig_input;
TH_MUST_USE th_status th_httpsig_read(th_str input_header, const char *label, th_arena *arena, th_sig_input *ret_input,
                                      th_error *error);
/* Check `signature_header` under `label`. `components` are the values at hand; every component that the input names must be
 * among them, and every one in `required` (NULL-terminated, "name" or "name;req") must be named by the input. */
TH_MUST_USE th_status th_httpsig_check(const th_key *key, const th_sig_input *input, th_str signature_header, const char *label,
                                       const th_component *components, size_t n, const char *const *required, th_arena *arena,
                                       th_error *error);

/* Content-Digest: `sha-256=:…:`. SM3 has no registered name; the digest header is always SHA-256. */
th_str th_digest_header(th_arena *arena, th_str body);
TH_MUST_USE th_status th_digest_check(th_str header, th_str body); /* TH_INVALID, TH_FORBIDDEN */

#endif
