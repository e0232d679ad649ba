/* certificates.h — electronic certificates: issued at the moment of decision, kept by the citizen, shown in part, checked by anybody.
 *
 * One record, three carriers: a token (SD-JWT VC, sdjwt.h), a page (PDF, signed), a square (QR, offline.h). Types, their fields and who may
 * issue them are data of the region. Every certificate has a place in a status list (statuslist.h) of its issuer.
 * Promises  Issuing happens in the writer's transaction of the decision: both or neither. A change of status reaches every member by
 *           outbox, exactly once and in order, and is the first thing that any member's check looks at. A check that cannot learn the
 *           status says no, and why. Nothing that a type marks `never` leaves the issuer; nothing `selective` leaves the wallet unasked.
 * Honest    The wallet is the node's: it keeps a holder's key for each citizen, sealed, and signs when she says so after signing in. That
 *           spares her a device key and trusts the node with it. A wallet of her own can hold certificates too: issue to its key.
 * Tables    certificates_*. First key column: certificate, list, uri or subject.
 * Source    GB/T 36901–36906-2018 (e-certificates; numbers: GB/T 36904), RFC 9901, draft-ietf-oauth-sd-jwt-vc, Token Status List,
 *           OpenID4VP 1.0.
 */
#ifndef TH_KERNEL_CERTIFICATES_H
#define TH_KERNEL_CERTIFICATES_H
#include "kernel/certificates/dcql.h"
#include "kernel/certificates/offline.h"
#include "kernel/certificates/sdjwt.h"
#include "kernel/certificates/statuslist.h"
#include "kernel/records/ids.h"
#include "kernel/records/records.h"
#include "platform/people/people.h"

typedef struct th_certificates th_certificates;

typedef struct th_certificate_file { /* one file of region/<region>/certificates/, read by whoever may read files */
    th_str name, text;
} th_certificate_file;

/* One HTTP exchange with a member's portal, for lists and requests; blocking, on a pool thread. No redirect is followed. */
typedef struct th_certificate_call {
    const char *method, *url, *accept, *content_type; /* content_type NULL = no body */
    th_str body;
    size_t answer_max;
    int timeout_ms;
    int http_status; /* the outcome, in the arena given */
    th_str answer_type, answer;
} th_certificate_call;

typedef struct th_certificates_options {
    const char *code;   /* this node */
    const char *portal; /* its public address, as the trust document has it; no slash at the end */
    const th_certificate_file *types; /* copied */
    size_t type_count;
    th_store *store;
    th_writer *writer;
    th_pool *pool;
    const th_env *env;
    th_exchange *exchange;
    th_key *key;      /* of the node's own suite; kept by the caller */
    th_key *key_p256; /* NULL = none: then everything is signed with the first */
    th_str x509;      /* DER, self-signed, of key_p256: names it in requests and pages; absent = none. Copied */
    uint8_t secret[32];
    /* NULL = no network: certificates of other members then cannot be checked. */
    th_status (*call)(void *ctx, th_certificate_call *call, th_arena *arena, th_error *error);
    void *call_ctx;
} th_certificates_options;

TH_MUST_USE th_status th_certificates_open(const th_certificates_options *options, th_certificates **ret_certificates, th_error *error);
void th_certificates_close(th_certificates *certificates);
const char *th_certificates_schema(void);
const th_route *th_certificates_routes(size_t *ret_n);
const char *th_certificates_schemas(void);

/* ---- issuing ---------------------------------------------------------------------------------------------------------------- */

typedef struct th_certificate_order {
    th_str type;                   /* code of the type */
    th_str holder_id, holder_name; /* a person's number or an organisation's code, as the type says */
    const th_json *fields;         /* object; those that the type fills in by itself (name, number, dates) need not be there */
    th_str item, case_id;          /* what it comes from; may be absent */
    th_str office, actor;
    /* Where it is kept. Both absent: in this node's wallet. A member: in the wallet there, bound to the key that came from there. A key
     * alone: in a wallet of the holder's own; whoever asked hands the token over. */
    th_str wallet;
    const th_json *holder_key; /* JWK */
    th_str previous;               /* id of the certificate that this one replaces: it becomes invalid */
} th_certificate_order;

typedef struct th_certificate {
    char id[TH_ID_TEXT];
    char number[TH_ECERT_ID_MAX];
    th_str token; /* arena */
    int64_t issued_us, expires_us; /* expires 0 = never */
} th_certificate;

/* In the writer's transaction. TH_UNPROCESSABLE "certificate-type" (unknown, or not issued by this member), TH_INVALID with pointers
 * below /fields. Where the wallet is elsewhere the token travels by outbox in the same transaction. */
TH_MUST_USE th_status th_certificates_issue(th_certificates *certificates, th_db *db, const th_certificate_order *order, th_arena *arena,
                                            th_certificate *ret_certificate, th_error *error);
/* In the writer's transaction: this node's key for a citizen's wallet, made when there is none, as a JWK. To go with a case to the node
 * that will issue. */
TH_MUST_USE th_status th_certificates_holder(th_certificates *certificates, th_db *db, th_str subject, th_arena *arena, th_str *ret_jwk,
                                             th_error *error);
/* Is there such a type, and may this member issue it? */
bool th_certificates_issues(const th_certificates *certificates, th_str type);

/* ---- status ------------------------------------------------------------------------------------------------------------------- */

typedef enum th_certificate_action { TH_CERTIFICATE_SUSPEND, TH_CERTIFICATE_RESTORE, TH_CERTIFICATE_REVOKE } th_certificate_action;
/* In the writer's transaction. TH_CONFLICT "certificate-state"; revoking is for good. Tells all members by outbox. */
TH_MUST_USE th_status th_certificates_status(th_certificates *certificates, th_db *db, th_str id, th_certificate_action action, th_str reason,
                                             th_str law, th_str actor, th_error *error);
/* The decision fell: whatever was issued for the case and is not revoked yet is revoked. */
TH_MUST_USE th_status th_certificates_of_case_end(th_certificates *certificates, th_db *db, th_str case_id, th_str reason, th_str law, th_arena *arena,
                                                  th_error *error);

/* A page of another service (platform/page), sealed by the key that seals this member's certificates. TH_UNAVAILABLE "no-page-key". */
TH_MUST_USE th_status th_certificates_page_seal(th_certificates *certificates, th_str pdf, th_str name, th_str reason, th_arena *arena, th_str *ret_pdf,
                                                th_error *error);

/* ---- checking ------------------------------------------------------------------------------------------------------------------ */

typedef enum th_certificate_carrier { TH_CARRIER_TOKEN = 1, TH_CARRIER_SQUARE, TH_CARRIER_PAGE } th_certificate_carrier;
typedef struct th_certificate_check {
    th_certificate_carrier carrier;
    bool valid;
    th_error reason;    /* when not valid */
    const char *type;   /* code, "" when unknown */
    th_str issuer;      /* member's code */
    th_str number;
    const th_json *claims;
    bool status_known;
    unsigned status;
    const char *status_from; /* "issuer", "told", "list", "" */
    int64_t status_at_us;    /* when the source of it was made */
    bool accepted;      /* the type names this member among those that accept it */
    bool bound;         /* the holder signed, for this audience and nonce when they were given */
    int64_t issued_us, expires_us;
} th_certificate_check;

/* A token, the text of a square, or the bytes of a page. May block on the network (a pool's or a command's thread). Returns TH_OK whenever an
 * answer could be given, valid or not. `audience` absent: no holder's signature is demanded. */
TH_MUST_USE th_status th_certificates_check(th_certificates *certificates, th_str presented, th_str audience, th_str nonce, th_arena *arena,
                                            th_certificate_check *ret_check, th_error *error);

#endif
