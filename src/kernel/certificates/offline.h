/* offline.h — a certificate small enough for a printed square, checked without a network: CBOR, signed by COSE, packed, Base45.
 *
 * Shape     "TH1:" base45(zlib(COSE_Sign1)). Payload {1: issuer's code, 4: expires, 6: issued, -65537: {"t": type, "n": number,
 *           "s": [list, index], "f": {printed fields}}}. The chain is that of the EU's digital certificates; the content is our own.
 * Promises  Reading bounds everything: text TH_OFFLINE_TEXT_MAX, unpacked TH_OFFLINE_BYTES_MAX, nesting TH_CBOR_DEPTH_MAX; only definite lengths,
 *           integers, text, bytes, lists, maps, booleans and null; a key twice, a wrong tag or bytes left over are refused.
 * Honest    What it proves is the issuer's signature and the dates. Whether it was revoked since needs the status list; whether the
 *           bearer is the holder needs a look at the person: no holder's key takes part.
 * Source    RFC 8949 (CBOR), 9052 (COSE_Sign1), 9053 (ES256 -7, EdDSA -8), 9285 (Base45). SM2 has no registered number: -65537 here.
 */
#ifndef TH_CERTIFICATES_OFFLINE_H
#define TH_CERTIFICATES_OFFLINE_H
#include "platform/base/json.h"
#include "platform/crypto/crypto.h"

/* A QR code of version 25 and level M holds 1,451 letters of its alphanumeric alphabet. */
enum { TH_OFFLINE_TEXT_MAX = 1451, TH_OFFLINE_BYTES_MAX = 8192, TH_CBOR_DEPTH_MAX = 16, TH_COSE_BYTES_MAX = 4 << 20 };
#define TH_OFFLINE_PREFIX "TH1:"

/* ---- Base45: letters of the QR alphabet, two bytes in three letters */
th_str th_base45(th_arena *arena, th_str bytes);
TH_MUST_USE th_status th_unbase45(th_arena *arena, th_str text, th_str *ret_bytes); /* TH_INVALID */

/* ---- CBOR: writing */
void th_cbor_int(th_buf *buf, int64_t value);
void th_cbor_text(th_buf *buf, th_str text);
void th_cbor_bytes(th_buf *buf, th_str bytes);
void th_cbor_array(th_buf *buf, size_t n);
void th_cbor_map(th_buf *buf, size_t pairs);
void th_cbor_tag(th_buf *buf, uint64_t tag);
/* TH_INVALID for numbers that are no int64. */
TH_MUST_USE th_status th_cbor_of_json(const th_json *value, th_buf *buf);
/* CBOR as JSON text: keys that are numbers become their decimal text, bytes become base64url. TH_INVALID "cbor". */
TH_MUST_USE th_status th_cbor_to_json(th_str bytes, th_arena *arena, th_str *ret_json, th_error *error);

/* ---- COSE_Sign1 */
typedef struct th_cose {
    th_str payload, signature, signed_bytes; /* signed_bytes: the Sig_structure, in the arena */
    int64_t alg;
    th_str kid; /* as hex */
    th_str typ;
} th_cose;
/* `kid` is hex text; `typ` may be NULL. */
TH_MUST_USE th_status th_cose_sign1(const th_key *key, th_str kid, const char *typ, th_str payload, th_arena *arena, th_str *ret_bytes, th_error *error);
TH_MUST_USE th_status th_cose_read(th_str bytes, th_arena *arena, th_cose *ret_cose, th_error *error);     /* "cose-malformed" */
TH_MUST_USE th_status th_cose_check(const th_cose *cose, const th_key *key, th_error *error); /* "cose-alg", "cose-signature" */

/* ---- the whole chain */
typedef struct th_offline {
    th_str issuer, type, number;
    int64_t issued_us, expires_us; /* expires 0 = never */
    int64_t list, index;
    const th_json *fields; /* an object of texts, numbers, booleans */
    th_cose cose;          /* reading only */
} th_offline;
/* TH_TOO_LARGE "offline-too-large" when it would need a larger square. */
TH_MUST_USE th_status th_offline_make(const th_offline *offline, const th_key *key, th_str kid, th_arena *arena, th_str *ret_text, th_error *error);
/* offline-prefix, offline-base45, status-encoding, status-too-large, cose-malformed, cbor, offline-malformed. Checks no signature: take the
 * key of `cose.kid` from the trust document and th_cose_check. */
TH_MUST_USE th_status th_offline_read(th_str text, th_arena *arena, th_offline *ret_offline, th_error *error);

#endif
