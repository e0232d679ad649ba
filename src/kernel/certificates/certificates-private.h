/* certificates-private.h — what the files of this part share. */
#ifndef TH_CERTIFICATES_PRIVATE_H
#define TH_CERTIFICATES_PRIVATE_H
#include "kernel/certificates/certificates.h"

#include <pthread.h>

enum {
    TH_LIST_PLACES = 1 << 17,    /* of a status list; half of them are given away, then the next list begins */
    TH_LIST_BITS = 2,
    TH_LIST_DAYS = 1,            /* a list token is good for this long */
    TH_LIST_TTL_S = 300,
    TH_CERTIFICATE_TEXT_MAX = 2000,
    TH_CERTIFICATE_FIELDS_MAX = 40,
    TH_CERTIFICATE_ISSUERS_MAX = 16,
    TH_LIST_CACHE = 32,
    TH_ASKED_MINUTES = 10,
};

/* ---- types.c */
typedef enum th_disclosure { TH_DISCLOSE_ALWAYS, TH_DISCLOSE_SELECTIVE, TH_DISCLOSE_NEVER } th_disclosure;
typedef struct th_certificate_field {
    th_str name, title_zh, title_en, from; /* from: holder_name, holder_id, holder_id_masked, number, issued, expires; absent = given */
    th_disclosure disclosure;
    bool square, page, integer, needed;
} th_certificate_field;
typedef struct th_certificate_issuer {
    th_str member, office, uscc, zh, en; /* office: whose clerks may; absent = any of the member's */
} th_certificate_issuer;
typedef struct th_certificate_type {
    char code[65];
    th_str type_code, vct, title_zh, title_en;
    const th_json *json;
    bool organisation;
    const th_certificate_field *fields;
    size_t field_count;
    const th_certificate_issuer *issuers;
    size_t issuer_count;
    int64_t years, months, days; /* validity; all 0 = for ever */
    int64_t ttl_s;
} th_certificate_type;

/* A status list of another member, unpacked and kept until its ttl is over. */
typedef struct th_list_kept {
    char uri[TH_STATUS_URI_MAX + 1];
    th_arena arena;
    th_status_list list;
    int64_t fetched_us, used_us;
} th_list_kept;
/* A list token of this node, signed again when a status changed or it grew old. */
typedef struct th_list_signed {
    int64_t list, version, signed_us;
    th_arena arena;
    th_str token;
} th_list_signed;

struct th_certificates {
    char code[TH_CODE_TEXT];
    char portal[256];
    th_certificates_options options;
    uint8_t seal_key[32];
    char kid[TH_KID_TEXT], kid_p256[TH_KID_TEXT];
    th_arena arena; /* types live here */
    th_certificate_type *types;
    size_t type_count;
    pthread_mutex_t lock; /* both caches */
    th_list_kept kept[TH_LIST_CACHE];
    th_list_signed own[TH_LIST_CACHE];
};

TH_MUST_USE th_status th_certificate_types_load(th_certificates *certs, const th_certificate_file *files, size_t n, th_error *error);
const th_certificate_type *th_certificate_type_find(const th_certificates *certs, th_str code);
const th_certificate_type *th_certificate_type_by_vct(const th_certificates *certs, th_str vct);
const th_certificate_issuer *th_certificate_type_issuer(const th_certificate_type *type, th_str member);
bool th_certificate_type_accepted(const th_certificate_type *type, const char *member);
void th_certificate_type_write(th_pen *pen, const th_certificate_type *type);

/* ---- certificates.c */
/* The key that signs what outsiders read, and its id. */
const th_key *th_signing_key(const th_certificates *certs, th_str *ret_kid);
TH_MUST_USE th_status th_certificate_seal(th_certificates *certs, th_str id, th_str plain, th_arena *arena, th_str *ret_sealed);
TH_MUST_USE th_status th_certificate_unseal(th_certificates *certs, th_str id, th_str sealed, th_arena *arena, th_str *ret_plain, th_error *error);
typedef th_status (*th_certificate_write)(void *ctx, th_db *db, th_error *error);
TH_MUST_USE th_status th_certificates_write(th_certificates *certs, th_certificate_write write, void *ctx, th_error *error);
/* Whose address is it? NULL when no member's portal begins it so. `trust` lives on. */
const th_member *th_member_by_url(const th_trust *trust, th_str url);
/* A member's certificate key by its id, at an instant: see th_trust_key; finds the member too. */
TH_MUST_USE th_status th_certificate_key(const th_trust *trust, th_str kid, int64_t at_us, const th_member **ret_member, const th_key **ret_key,
                                         th_error *error);

/* ---- places.c, lists.c: this node's status lists */
TH_MUST_USE th_status th_place_take(th_certificates *certs, th_db *db, const char *certificate, int64_t *ret_list, int64_t *ret_place, th_error *error);
th_str th_list_uri(const th_certificates *certs, int64_t list, th_arena *arena);
/* The number of a list in an address of this node; false when it is none. */
bool th_list_of_uri(const th_certificates *certs, th_str uri, int64_t *ret_list);
/* The list as it stands or, with `at_us`, as it stood. */
TH_MUST_USE th_status th_list_read(th_certificates *certs, th_db *db, int64_t list, int64_t at_us, th_arena *arena, th_status_list *ret_list,
                                   th_error *error);
TH_MUST_USE th_status th_list_token(th_certificates *certs, th_db *db, int64_t list, int64_t at_us, th_arena *arena, th_str *ret_token, th_error *error);
void th_lists_close(th_certificates *certs);

/* ---- change.c */
TH_MUST_USE th_status th_status_told_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer, th_error *error);

/* ---- status.c: what is the status of this place, wherever it is? */
typedef struct th_status_found {
    unsigned value;
    const char *from;
    int64_t at_us;
} th_status_found;
TH_MUST_USE th_status th_status_find(th_certificates *certs, const th_trust *trust, const th_member *issuer, th_str uri, int64_t place, th_arena *arena,
                                     th_status_found *ret_found, th_error *error);

/* ---- holder.c */
TH_MUST_USE th_status th_holder_key(th_certificates *certs, th_db *db, th_str subject, th_suite suite, bool make, th_key **ret_key, th_error *error);

/* ---- wallet.c */
typedef struct th_held {
    th_str id, issuer, type, number, uri;
    int64_t place, status, issued_us, expires_us, received_us;
    th_str token, square, page_key; /* kept sealed */
} th_held;
TH_MUST_USE th_status th_held_put(th_certificates *certs, th_db *db, th_str subject, const th_held *held, th_error *error);
TH_MUST_USE th_status th_held_list(th_certificates *certs, th_db *db, th_str subject, th_arena *arena, th_held **ret_held, size_t *ret_n, th_error *error);
TH_MUST_USE th_status th_held_get(th_certificates *certs, th_db *db, th_str subject, th_str id, th_arena *arena, th_held *ret_held, th_error *error);
/* A presentation of the chosen claims; with an audience also signed by the wallet's key for it. */
TH_MUST_USE th_status th_held_show(th_certificates *certs, th_str subject, const th_held *held, const th_json *const *paths, size_t n, th_str audience,
                                   th_str nonce, th_arena *arena, th_str *ret_text, th_error *error);
TH_MUST_USE th_status th_issued_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer, th_error *error);
typedef struct th_shown {
    th_str certificate, verifier, purpose, claims;
} th_shown;
TH_MUST_USE th_status th_shown_put(th_certificates *certs, th_db *db, th_str subject, const th_shown *shown, th_error *error);

/* ---- issued.c: what this node issued */
typedef struct th_issued {
    th_str id, number, type, wallet, office;
    int64_t status, issued_us, expires_us, list, place;
    const th_json *content; /* holder_id, holder_name, fields, token, square */
} th_issued;
TH_MUST_USE th_status th_issued_get(th_certificates *certs, th_db *db, th_str id, th_arena *arena, th_issued *ret_issued, th_error *error);
/* What opens the page of a certificate for the wallet that holds it. */
void th_page_key(const th_certificates *certs, th_str id, char ret_key[TH_HEX_HASH]);
/* printed.c: its page, drawn and sealed now. TH_CONFLICT when it is not in force. */
TH_MUST_USE th_status th_certificate_page(th_certificates *certs, const th_issued *issued, th_arena *arena, th_str *ret_pdf, th_error *error);
bool th_office_may(const th_certificates *certs, const th_certificate_type *type, const th_who *who);

/* ---- asked.c: a verifier's question (OpenID4VP) */
typedef struct th_asked {
    char id_text[TH_ID_TEXT];
    th_str account, office, purpose, nonce, query, state, result;
    int64_t made_us, expires_us, answered_us;
} th_asked;
th_str th_client_id(const th_certificates *certs, th_arena *arena);
void th_asked_state(const th_certificates *certs, th_str id, char ret_state[44]);
TH_MUST_USE th_status th_asked_put(th_certificates *certs, th_db *db, th_asked *asked, th_error *error); /* fills in id and times */
TH_MUST_USE th_status th_asked_get(th_certificates *certs, th_db *db, th_str id, th_arena *arena, th_asked *ret_asked, th_error *error);
TH_MUST_USE th_status th_asked_read(th_certificates *certs, th_str id, th_arena *arena, th_asked *ret_asked, th_error *error); /* with a reader of its own */
th_str th_asked_link(const th_certificates *certs, const th_asked *asked, th_arena *arena); /* openid4vp://?… */
TH_MUST_USE th_status th_asked_object(th_certificates *certs, const th_asked *asked, th_arena *arena, th_str *ret_token, th_error *error);
TH_MUST_USE th_status th_asked_settle(th_certificates *certs, th_db *db, th_str id, const char *state, th_str result, th_arena *arena, th_error *error);
/* Check what came and keep it; `refusal` given: the holder declined. Blocks (network, writer). */
TH_MUST_USE th_status th_asked_answer(th_certificates *certs, th_str id, th_str tokens, th_str state, th_str refusal, th_arena *arena, th_error *error);

/* ---- url.c */
void th_url_encode(th_buf *buf, th_str text);
th_str th_form_value(th_str form, const char *name, th_arena *arena); /* absent when not there or badly coded */

/* ---- routes */
/* Run on a pool thread what may wait for the network or draws a page. */
th_handled th_on_pool(th_request *rq, th_request_job job);
void th_words_write(th_pen *pen, const char *key, th_str zh, th_str en);
void th_member_write(th_pen *pen, const char *key, const th_trust *trust, th_str code);
th_handled th_certificates_issue_post(th_request *rq);
th_handled th_certificates_list(th_request *rq);
th_handled th_certificates_get(th_request *rq);
th_handled th_certificates_suspend(th_request *rq);
th_handled th_certificates_restore(th_request *rq);
th_handled th_certificates_revoke(th_request *rq);
th_handled th_check_post(th_request *rq);
th_handled th_certificate_types_get(th_request *rq);
th_handled th_certificate_type_get(th_request *rq);
th_handled th_lists_get(th_request *rq);
th_handled th_list_get(th_request *rq);
th_handled th_issuer_get(th_request *rq);
th_handled th_wallet_get(th_request *rq);
th_handled th_wallet_one(th_request *rq);
th_handled th_wallet_token(th_request *rq);
th_handled th_wallet_present(th_request *rq);
th_handled th_wallet_shown(th_request *rq);
th_handled th_wallet_resolve(th_request *rq);
th_handled th_wallet_answer(th_request *rq);
th_handled th_asked_post(th_request *rq);
th_handled th_asked_object_get(th_request *rq);
th_handled th_asked_answer_post(th_request *rq);
th_handled th_asked_result_get(th_request *rq);
th_handled th_certificates_page(th_request *rq);
th_handled th_pages_post(th_request *rq);
th_handled th_wallet_page(th_request *rq);
th_handled th_wallet_square(th_request *rq);
th_handled th_asked_square(th_request *rq);
th_handled th_check_page_post(th_request *rq);

/* ---- check.c */
void th_check_write(th_pen *pen, const th_certificates *certs, const th_trust *trust, const th_certificate_check *check);
#endif
