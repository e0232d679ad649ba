/* consent.h — a citizen's agreement that one provider may answer certain fields for one case, until a day, revocable.
 *
 * The home node, where the citizen is signed in, signs the token with its message key after the citizen has agreed on the page; the
 * provider checks that signature, the purpose, the fields, the time, and that the token speaks of the very person asked about:
 * the token holds SHA-256(salt ‖ id number), so that who steals a token learns no number.
 * Shape     compact: base64url(canonical JSON) "." base64url(signature over "tonghui/v1/consent" ‖ 0x0A ‖ the JSON). JSON:
 *           {"id","home","kid","provider","register","fields":[…],"item","case","person":{"salt","hash"},"issued","expires",
 *           "text":"sha256 of the words shown","lang"}. At most 90 days.
 * Source    docs/protocol.md §2; 个人信息保护法 articles 14, 15 and 23 (agreement, withdrawal, separate agreement).
 */
#ifndef TH_EXCHANGE_CONSENT_H
#define TH_EXCHANGE_CONSENT_H
#include "kernel/exchange/trust.h"

enum { TH_CONSENT_DAYS_MAX = 90 };

typedef struct th_consent {
    char id[TH_ID_TEXT];
    th_str home, kid, provider, reg, item, case_id, salt, hash, text_hash, lang;
    const th_str *fields;
    size_t field_count;
    int64_t issued_us, expires_us;
} th_consent;

/* `consent` filled in but for id, salt and hash, which are made here from `id_number`. */
TH_MUST_USE th_status th_consent_make(th_consent *consent, th_str id_number, const th_key *key, const th_env *env,
                                      th_arena *arena, th_str *ret_token, th_error *error);
/* What a token of this node's own says, its signature not looked at. */
TH_MUST_USE th_status th_consent_look(th_str token, th_arena *arena, th_consent *ret_consent, th_error *error);
/* Structure and signature. TH_INVALID "consent-malformed"; TH_FORBIDDEN "consent-signature" and the key errors of trust. */
TH_MUST_USE th_status th_consent_read(th_str token, const th_trust *trust, th_arena *arena, th_consent *ret_consent,
                                      th_error *error);
/* Fit for this request? TH_FORBIDDEN "consent-provider", "consent-register", "consent-field", "consent-purpose" (item or case),
 * "consent-person", "consent-expired", "consent-home" (home is not `consumer`). Revocation is the caller's to check. */
TH_MUST_USE th_status th_consent_check(const th_consent *consent, th_str consumer, th_str provider, th_str reg,
                                       const th_str *fields, size_t field_count, th_str item, th_str case_id,
                                       th_str id_number, int64_t now_us, th_error *error);
#endif
