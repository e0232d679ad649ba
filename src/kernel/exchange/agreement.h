/* agreement.h — a list that all members of the region signed: the items handled anywhere, the certificates shared.
 *
 * Like the trust document one signed text over RFC 8785 bytes, but by every member and not by a threshold: what is not on the list does not
 * cross a border, so nobody can be outvoted on it. A version follows a lower one only.
 * Promises  A th_agreement is immutable and only exists when a governor's key of each member that is not suspended signed it.
 * Ownership Counted references; rows live as long as it does. Threads: any.
 * Shape     {"signed":{"agreement":"items|ecerts","region","version","issued","rows":[…]},"signatures":[{kid,sig}]}; tag "tonghui/v1/agreement".
 * Source    国办发〔2020〕35号 (跨省通办事项清单); docs/services/government.md.
 */
#ifndef TH_EXCHANGE_AGREEMENT_H
#define TH_EXCHANGE_AGREEMENT_H
#include "kernel/exchange/trust.h"

typedef struct th_agreement {
    th_str document; /* the bytes as received */
    char hash[2 * TH_HASH_SIZE + 1]; /* SHA-256 of the canonical signed part: the ETag */
    th_str name;
    int64_t version, issued_us;
    const th_json *root, *rows;
} th_agreement;

/* TH_INVALID with pointers; TH_FORBIDDEN "agreement-unsigned" names the first member that has not signed. */
TH_MUST_USE th_status th_agreement_read(th_str document, const th_trust *trust, th_agreement **ret_agreement, th_error *error);
th_agreement *th_agreement_retain(const th_agreement *agreement);
void th_agreement_release(th_agreement *agreement); /* NULL is allowed */
/* Making one: `signed_part` is JSON; each member adds a signature. */
TH_MUST_USE th_status th_agreement_propose(th_str signed_part, th_arena *arena, th_str *ret_document, th_error *error);
TH_MUST_USE th_status th_agreement_sign(th_str document, const th_key *key, th_arena *arena, th_str *ret_document, th_error *error);
#endif
