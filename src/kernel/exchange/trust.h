/* trust.h — the region's one signed document: who the members are, which keys speak for them, who governs.
 *
 * Promises  A th_trust is immutable and only exists when its own governors' threshold signed it over RFC 8785 canonical bytes. A
 *           successor is accepted only at version n + 1 with the thresholds of both versions; never a lower one. Reading keys asks
 *           for a use and an instant: an expired, future or foreign key is not found.
 * Ownership Counted references; everything a th_trust points to lives as long as it does. Threads: any.
 * Source    The Update Framework §5.3 (root rotation), RFC 8785; protocol: docs/protocol.md §1.
 * Shape     {"signed":{region,name:{zh,en},version,issued,expires,governors:{threshold,keys:[{kid,suite,public,holder}]},
 *           members:[{code,name:{zh,en},peer,portal,keys:[{kid,suite,public,use,not_before,not_after}],tls:["sha256/…"]}],
 *           suspended:[code…]},"signatures":[{kid,sig}]}; public and sig are base64url; kid is the first 16 hex digits of the
 *           SHA-256 of the public key bytes; instants are RFC 3339 UTC. A p256-sha256 key may have the use certificate only.
 */
#ifndef TH_EXCHANGE_TRUST_H
#define TH_EXCHANGE_TRUST_H
#include "platform/base/base.h"
#include "platform/base/json.h"
#include "platform/crypto/crypto.h"

enum { TH_CODE_TEXT = 7, TH_KID_TEXT = 17, TH_MEMBERS_MAX = 64, TH_KEYS_MAX = 32, TH_PINS_MAX = 4 };

typedef enum th_key_use { TH_USE_MESSAGE = 1, TH_USE_JOURNAL = 2, TH_USE_CERTIFICATE = 4 } th_key_use;

typedef struct th_member_key {
    th_str kid;
    th_key *key; /* public half */
    unsigned use;
    int64_t not_before_us, not_after_us;
} th_member_key;

typedef struct th_member {
    char code[TH_CODE_TEXT]; /* GB/T 2260 */
    th_str name_zh, name_en;
    th_str peer, portal; /* base URLs without a slash at the end */
    const th_member_key *keys;
    size_t key_count;
    const th_str *pins; /* "sha256/…" */
    size_t pin_count;
    bool suspended;
} th_member;

typedef struct th_governor {
    th_str kid, holder;
    th_key *key;
} th_governor;

typedef struct th_trust {
    th_str document; /* the bytes as received */
    th_hash digest;  /* SHA-256 of the canonical signed part */
    th_str region, name_zh, name_en;
    int64_t version;
    int64_t issued_us, expires_us;
    int64_t threshold;
    const th_governor *governors;
    size_t governor_count;
    const th_member *members;
    size_t member_count;
    const th_json *root;
} th_trust;

/* Parse and check structure and the document's own threshold. TH_INVALID (pointer in *error), TH_FORBIDDEN
 * "trust-threshold". Does not look at the clock. The reference is the caller's. */
TH_MUST_USE th_status th_trust_read(th_str document, th_trust **ret_trust, th_error *error);
th_trust *th_trust_retain(const th_trust *trust);
void th_trust_release(th_trust *trust); /* NULL is allowed */

/* May `next` replace `current`? TH_CONFLICT "trust-rollback" (version ≤), "trust-gap" (version > n + 1), "trust-other-region";
 * TH_FORBIDDEN "trust-threshold" (too few of the current governors signed); TH_INVALID "trust-expired". */
TH_MUST_USE th_status th_trust_succeeds(const th_trust *current, const th_trust *next, int64_t now_us, th_error *error);
/* Exchange is allowed now? TH_UNAVAILABLE "trust-expired" / "trust-not-yet". */
TH_MUST_USE th_status th_trust_live(const th_trust *trust, int64_t now_us, th_error *error);

const th_member *th_trust_member(const th_trust *trust, th_str code); /* NULL when unknown */
const th_member *th_trust_member_by_pin(const th_trust *trust, th_str pin);
/* TH_FORBIDDEN with "unknown-member", "suspended-member", "unknown-key", "expired-key", "early-key", "key-use". */
TH_MUST_USE th_status th_trust_key(const th_trust *trust, th_str code, th_str kid, th_key_use use, int64_t at_us,
                                   const th_member_key **ret_key, th_error *error);

/* Making documents (command line). `signed_part` is JSON; the result is the whole document with the signatures so far. */
void th_kid_of(const th_key *key, char ret_kid[TH_KID_TEXT]);
TH_MUST_USE th_status th_trust_propose(th_str signed_part, th_arena *arena, th_str *ret_document, th_error *error);
/* Add (or replace) the signature of `key`, which need not be a governor of this version: it may be one of the former. */
TH_MUST_USE th_status th_trust_sign(th_str document, const th_key *key, th_arena *arena, th_str *ret_document, th_error *error);
/* The same under another tag (agreement.h). */
TH_MUST_USE th_status th_document_sign(th_str document, const char *tag, const th_key *key, th_arena *arena, th_str *ret_document, th_error *error);
/* What changed, as JSON [{path, before, after, zh, en}] for people to read before they sign. */
TH_MUST_USE th_status th_trust_diff(const th_trust *before, const th_trust *after, th_arena *arena, th_str *ret_json);
#endif
