/* statuslist.h — one small number a certificate, in a signed, compressed list that everybody may fetch and that tells nobody apart.
 *
 * Promises  Reading fails closed: a list that is unsigned, signed by another's key, expired, about another address, of another width than
 *           1, 2, 4 or 8 bits, not zlib, larger than TH_STATUS_BYTES_MAX when unpacked, or too short for the index gives no status, but
 *           its reason. Status values: 0 valid, 1 invalid (revoked), 2 suspended; others are the issuer's own.
 * Ownership Bytes live in the arena given. Threads: any.
 * Source    IETF Token Status List (draft-ietf-oauth-status-list): §4 (bits, zlib), §5 (JWT and CWT), §6 (reference), §8 (fetching).
 */
#ifndef TH_CERTIFICATES_STATUSLIST_H
#define TH_CERTIFICATES_STATUSLIST_H
#include "kernel/certificates/jose.h"

enum { TH_STATUS_VALID = 0, TH_STATUS_INVALID = 1, TH_STATUS_SUSPENDED = 2 };
enum { TH_STATUS_BYTES_MAX = 16 << 20, TH_STATUS_URI_MAX = 512 };

typedef struct th_status_list {
    int bits;         /* 1, 2, 4, 8 */
    th_str bytes;     /* packed, least significant bits first */
    th_str sub;       /* its address */
    int64_t issued_us, expires_us, ttl_us; /* 0 = says nothing of it */
    int64_t version;  /* the issuer's own counter ("tonghui_version"); -1 = none */
} th_status_list;

/* ---- bits */
size_t th_status_bytes(int bits, uint64_t entries);
void th_status_put(uint8_t *bytes, int bits, uint64_t index, unsigned value);
unsigned th_status_at(const uint8_t *bytes, int bits, uint64_t index);
/* TH_FORBIDDEN "status-index" beyond the end. */
TH_MUST_USE th_status th_status_get(const th_status_list *list, int64_t index, unsigned *ret_value, th_error *error);

/* ---- packed */
/* `level` 1 to 9 as zlib has them; TH_PACK_RUNS only looks for runs, of which a list is full: 10,000,000 places in 10 ms instead of 660, a tenth
 * larger. Tokens of lists beyond TH_PACK_WHOLE bytes are packed so. */
enum { TH_PACK_RUNS = 0, TH_PACK_WHOLE = 64 * 1024 };
TH_MUST_USE th_status th_status_pack(th_str bytes, int level, th_arena *arena, th_str *ret_zlib);
/* TH_INVALID "status-encoding"; TH_TOO_LARGE "status-too-large" (never more than `max` bytes are made). */
TH_MUST_USE th_status th_status_unpack(th_str zlib, size_t max, th_arena *arena, th_str *ret_bytes, th_error *error);

/* ---- tokens */
/* application/statuslist+jwt; `aggregation` may be absent. */
TH_MUST_USE th_status th_status_token(const th_status_list *list, const th_key *key, th_str kid, th_str aggregation, th_arena *arena, th_str *ret_token,
                                      th_error *error);
/* application/statuslist+cwt: the bytes of a COSE_Sign1. */
TH_MUST_USE th_status th_status_cwt(const th_status_list *list, const th_key *key, th_str kid, th_str aggregation, th_arena *arena, th_str *ret_bytes,
                                    th_error *error);

typedef struct th_status_policy {
    th_status (*key)(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret_key, th_error *error);
    void *ctx;
    th_str uri;    /* must be the token's sub */
    int64_t now_us;
} th_status_policy;
/* status-malformed, status-type, jws-*, status-address, status-expired, status-early, status-bits, status-encoding, status-too-large. */
TH_MUST_USE th_status th_status_token_read(th_str token, const th_status_policy *policy, th_arena *arena, th_status_list *ret_list, th_error *error);

/* {"status_list":{"idx":…,"uri":…}} of a credential: TH_INVALID "status-reference" for a negative, broken or textual index, or no https
 * (or http) address. */
TH_MUST_USE th_status th_status_reference(const th_json *status, th_str *ret_uri, int64_t *ret_index, th_error *error);

#endif
