/* dcql.h — what a verifier asks of a wallet, and whether what is there, or what came, answers it.
 *
 * Promises  A query that breaks a rule of the standard is refused whole, with a pointer. Matching is the standard's: exact types and
 *           values, claim sets in the order of preference, credential sets with required and optional options. A claim that was not asked
 *           for is never among those to disclose.
 * Limits    TH_DCQL_CREDENTIALS_MAX credentials and sets, TH_DCQL_CLAIMS_MAX claims each. Only the format dc+sd-jwt can match.
 * Ownership Views into the query's JSON and the arena. Threads: any.
 * Source    OpenID for Verifiable Presentations 1.0 §6 (DCQL) and §7 (claims path pointer).
 */
#ifndef TH_CERTIFICATES_DCQL_H
#define TH_CERTIFICATES_DCQL_H
#include "platform/base/json.h"

enum { TH_DCQL_CREDENTIALS_MAX = 16, TH_DCQL_CLAIMS_MAX = 64, TH_DCQL_HELD_MAX = 256 };

typedef struct th_dcql_claim {
    th_str id;             /* absent = none */
    const th_json *path;   /* names, indexes, null */
    const th_json *values; /* NULL = any */
} th_dcql_claim;

typedef struct th_dcql_credential {
    th_str id, format;
    const th_json *types;      /* vct_values */
    const th_dcql_claim *claims;
    size_t claim_count;
    const th_json *claim_sets; /* NULL = all claims */
    bool multiple, holder;     /* holder: with her signature (the default) */
} th_dcql_credential;

typedef struct th_dcql {
    const th_dcql_credential *credentials;
    size_t credential_count;
    const th_json *sets; /* credential_sets; NULL = every credential */
} th_dcql;

TH_MUST_USE th_status th_dcql_read(const th_json *query, th_arena *arena, th_dcql *ret_query, th_error *error);

/* The first set of claims of `wanted` that `claims` can satisfy: their paths, to be given to th_sdjwt_select. False when none. */
bool th_dcql_fits(const th_dcql_credential *wanted, th_str format, const th_json *claims, th_arena *arena, const th_json ***ret_paths, size_t *ret_n);
/* Do the credentials at hand (`there[i]` beside query->credentials[i]) answer the query? */
bool th_dcql_answered(const th_dcql *query, const bool *there);
/* Of a set with options: the first option for which all are there; without sets every credential. `ret_chosen` beside credentials. False when a
 * required set cannot be met. */
bool th_dcql_choose(const th_dcql *query, const bool *there, bool *ret_chosen);

#endif
