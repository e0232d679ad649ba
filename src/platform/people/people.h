/* people.h — who may do what: offices, accounts, roles, sessions, API keys, lock-out, CSRF, TOTP.
 *
 * Promises  Passwords are argon2id (worker pool, bounded); sessions are random 256-bit tokens stored hashed, HttpOnly, SameSite=Lax,
 *           Secure under TLS; five wrong passwords lock an account for a growing while; staff roles operator and auditor need TOTP
 *           once enrolled. No personal data in logs. Every sign-in and change is a row of people_event.
 * Needs     platform/store, platform/crypto, platform/net.
 * Tables    people_* only.
 * Source    OWASP ASVS 4 (sessions, lock-out), RFC 6238 (TOTP).
 */
#ifndef TH_PLATFORM_PEOPLE_H
#define TH_PLATFORM_PEOPLE_H
#include "platform/base/pool.h"
#include "platform/crypto/crypto.h"
#include "platform/net/net.h"
#include "platform/store/store.h"

typedef struct th_people th_people;

typedef struct th_people_options {
    th_store *store;
    th_writer *writer;
    th_pool *pool;
    const th_env *env;
    uint8_t secret[32];       /* the node's key for pseudonyms and sealing */
    bool secure_cookies;      /* the portal is served over TLS */
    const char *cookie_suffix; /* nodes on one host must not share cookies: the node's code */
    bool (*id_number_ok)(th_str id_number); /* NULL = any */
} th_people_options;

typedef struct th_account_new {
    th_str login;    /* unique in the node; citizens: any chosen name */
    th_str password; /* ≥ 8 characters */
    th_str name;
    unsigned roles;
    th_str office;   /* code, absent for citizens */
    th_str id_number; /* citizens: sealed, and its pseudonym kept as subject */
} th_account_new;

TH_MUST_USE th_status th_people_open(const th_people_options *options, th_people **ret_people, th_error *error);
void th_people_close(th_people *people);
const char *th_people_schema(void);
const th_route *th_people_routes(size_t *ret_n);
const char *th_people_schemas(void); /* component schemas for OpenAPI */

unsigned th_role_of(th_str name); /* "clerk"; 0 = unknown */

/* For th_server_options.authenticate, ctx = th_people. Session cookie or `Authorization: Bearer <API key>`. */
th_status th_people_authenticate(void *people, th_request *rq);
/* For th_server_options.once_begin and once_end, ctx = th_people: answers are kept for a day, sealed; of one with
 * rq->told_once only the fact. */
bool th_people_once_begin(void *people, th_request *rq, th_str key);
void th_people_once_end(void *people, th_request *rq, th_str key);

/* From a thread that may block, now and then: forgets kept answers that are older than a day. */
void th_people_tick(th_people *people);

/* Blocking forms for the command line, set-up and tests. */
TH_MUST_USE th_status th_people_add_office(th_people *people, th_str code, th_str name_zh, th_str name_en, th_str uscc,
                                           th_error *error);
TH_MUST_USE th_status th_people_add_account(th_people *people, const th_account_new *account, char ret_id[TH_ID_TEXT],
                                            th_error *error);
TH_MUST_USE th_status th_people_set_password(th_people *people, th_str login, th_str password, th_error *error);
TH_MUST_USE th_status th_people_disable(th_people *people, th_str login, th_error *error);
/* The account asks for no one-time code until its owner enrols anew; whoever is signed in with it is not any more. */
TH_MUST_USE th_status th_people_reset_totp(th_people *people, th_str login, th_error *error);
/* A new API key for an outside system acting for `office`; the text is shown once: "thk_<id>_<secret>". */
TH_MUST_USE th_status th_people_add_key(th_people *people, th_str name, th_str office, th_arena *arena, th_str *ret_key,
                                        th_error *error);
/* From now on the key opens nothing. TH_NOT_FOUND when no key in force has this id. */
TH_MUST_USE th_status th_people_revoke_key(th_people *people, th_str id, th_error *error);
TH_MUST_USE th_status th_people_list(th_people *people, th_arena *arena, th_str *ret_json, th_error *error);

/* The identity number of a citizen's account, unsealed: only for acting on that citizen's own request. */
TH_MUST_USE th_status th_people_id_number(th_people *people, th_db *db, th_str account, th_arena *arena, th_str *ret_id,
                                          th_error *error);
/* The same for those who hold the node's secret but not the th_people: reads people_account through this part's own code. */
TH_MUST_USE th_status th_people_id_number_read(const uint8_t secret[32], th_db *db, th_str account, th_arena *arena,
                                               th_str *ret_id, th_error *error);
/* The node's keyed pseudonym of an identity number: 32 hex digits. */
enum { TH_SUBJECT_TEXT = 33 };
void th_people_subject(const uint8_t secret[32], th_str id_number, char ret_subject[TH_SUBJECT_TEXT]);

#endif
