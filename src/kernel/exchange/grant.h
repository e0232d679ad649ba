/* grant.h — an owner's permission: who may verify or query which fields of which register, for which items, until when.
 *
 * Promises  th_grant_check is pure and complete: consumer, office or role, operation, register, fields, purpose, time and consent
 *           are all checked by the provider; nothing that the consumer says about itself is believed beyond its signature.
 *           A read stands on one of two: the person's consent, or a duty of the consumer's by law ("consent":"none"), and then the law is
 *           cited: a basis without article or document number is refused.
 * Shape     {"id","provider","register","operation":"verify|query","fields":[…],"consumer":{"member","office"?},"purposes":[item…
 *           or "*"],"basis":{"zh","en"},"consent":"none|citizen","tells_absence"?,"rate":n per minute,"not_before","not_after"};
 *           published as {"signed":{"provider","issued","grants":[…]},"signatures":[{kid,sig}]} over canonical bytes, tag
 *           "tonghui/v1/grants".
 * Source    docs/protocol.md §2.
 */
#ifndef TH_EXCHANGE_GRANT_H
#define TH_EXCHANGE_GRANT_H
#include "kernel/exchange/trust.h"

enum { TH_GRANT_ID_MAX = 64, TH_GRANT_TEXT_MAX = 80 /* of one that was entered before */ };

typedef enum th_operation { TH_VERIFY = 1, TH_QUERY = 2 } th_operation;

typedef struct th_grant {
    th_str id, provider, reg; /* reg: register name */
    th_operation operation;
    const th_str *fields;
    size_t field_count;
    th_str consumer_member, consumer_office; /* office absent = any office of the member */
    const th_str *purposes;
    size_t purpose_count;
    th_str basis_zh, basis_en;
    bool consent_needed;
    bool tells_absence; /* the consumer may tell no_record from mismatch */
    int64_t rate_per_minute; /* 0 = no limit of its own */
    int64_t not_before_us, not_after_us;
    th_str json; /* the grant's own canonical text */
} th_grant;

typedef struct th_wanted { /* what one message asks for */
    th_str consumer_member, consumer_office, reg, item;
    th_operation operation;
    const th_str *fields;
    size_t field_count;
    bool has_consent;
    int64_t consent_age_us; /* the consent may be this old at most; 0 = as it says itself */
} th_wanted;

/* Read one grant (file or API). TH_INVALID with pointers. The grant lives in the arena. */
TH_MUST_USE th_status th_grant_read(const th_json *json, th_arena *arena, th_grant *ret_grant, th_error *error);
/* More is asked of a grant that is to be entered: its id can stand in an address, its consumer is a member (of `trust`, unless NULL), nothing in
 * it is unknown, empty or named twice, and it is not over. Whether the register has such fields is for its message type (`grant_fits`). */
TH_MUST_USE th_status th_grant_check_new(const th_json *json, const th_grant *grant, const th_trust *trust, int64_t now_us, th_error *error);
/* TH_FORBIDDEN: "grant-consumer", "grant-operation", "grant-register", "grant-field" (names it), "grant-purpose",
 * "consent-required", "grant-expired", "grant-not-yet". */
TH_MUST_USE th_status th_grant_check(const th_grant *grant, const th_wanted *wanted, int64_t now_us, th_error *error);

/* An immutable set of one provider's grants, for quick look-up; counted references. */
typedef struct th_grants th_grants;
TH_MUST_USE th_status th_grants_make(const th_str *grant_jsons, size_t n, th_grants **ret_grants, th_error *error);
th_grants *th_grants_retain(const th_grants *grants);
void th_grants_release(th_grants *grants);
const th_grant *th_grants_find(const th_grants *grants, th_str id); /* NULL when unknown */
/* The first grant that allows `wanted`; otherwise the most telling refusal ("no-grant" when none even fits the register). */
TH_MUST_USE th_status th_grants_choose(const th_grants *grants, const th_wanted *wanted, int64_t now_us,
                                       const th_grant **ret_grant, th_error *error);
size_t th_grants_count(const th_grants *grants);
const th_grant *th_grants_at(const th_grants *grants, size_t index);
/* The signed publication, and its reading by a consumer (signature by a message key of `provider` valid at now). */
TH_MUST_USE th_status th_grants_publish(const th_grants *grants, th_str provider, const th_key *key, int64_t now_us,
                                        th_arena *arena, th_str *ret_document);
TH_MUST_USE th_status th_grants_read(th_str document, const th_trust *trust, th_str provider, int64_t now_us,
                                     th_grants **ret_grants, th_error *error);
#endif
