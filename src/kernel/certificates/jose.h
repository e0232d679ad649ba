/* jose.h — compact JSON Web Signatures and public keys as JSON, for the three suites and nothing else.
 *
 * Promises  The algorithm follows from the key, never from the token: a token that names another algorithm than its key's, none, a
 *           critical extension or an unencoded payload is refused before any signature is tried. base64url is read strictly.
 * Limits    TH_JWS_MAX bytes a token, a header of TH_JWS_HEADER_MAX.
 * Ownership Views into the text given, or the arena. Threads: any.
 * Source    RFC 7515 (JWS), 7517 (JWK), 7518 §3.4 (ES256), 8037 (EdDSA). SM2 has no registered name: `SGD_SM3_SM2` is the algorithm's
 *           name in GM/T 0006, curve name `SM2`; both are this region's profile.
 */
#ifndef TH_CERTIFICATES_JOSE_H
#define TH_CERTIFICATES_JOSE_H
#include "platform/base/json.h"
#include "platform/crypto/crypto.h"

enum { TH_JWS_MAX = 1 << 20, TH_JWS_HEADER_MAX = 8192 };

const char *th_jose_alg(th_suite suite); /* "ES256", "EdDSA", "SGD_SM3_SM2" */

typedef struct th_jws {
    th_str signing_input; /* header "." payload as they stand */
    th_str payload;       /* decoded */
    th_str signature;     /* decoded */
    const th_json *header;
    th_str alg, kid, typ; /* from the header; absent when not there */
} th_jws;

/* Take a compact token apart. TH_INVALID "jws-malformed" (parts, base64url, header), "jws-alg" (none or unknown), "jws-critical";
 * TH_TOO_LARGE. Checks no signature. */
TH_MUST_USE th_status th_jws_read(th_str token, th_arena *arena, th_jws *ret_jws, th_error *error);
/* TH_FORBIDDEN "jws-alg" when the header's algorithm is not the key's, "jws-signature" when it does not hold. */
TH_MUST_USE th_status th_jws_check(const th_jws *jws, const th_key *key, th_error *error);
/* Append header.payload.signature. `header` is a JSON object that names the key's algorithm: see th_jws_header. */
TH_MUST_USE th_status th_jws_make(const th_key *key, th_str header, th_str payload, th_buf *buf);
/* {"alg":…,"typ":…,"kid":…}; typ and kid may be absent. */
th_str th_jws_header(const th_key *key, const char *typ, th_str kid, th_arena *arena);

/* The public half as a JWK object; read refuses private members ("d") and other kinds of key: TH_INVALID "jwk". */
void th_jwk_write(th_pen *pen, const th_key *key, th_str kid);
TH_MUST_USE th_status th_jwk_read(const th_json *jwk, th_arena *arena, th_key **ret_key, th_error *error);

#endif
