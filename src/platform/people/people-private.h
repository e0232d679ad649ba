/* people-private.h — what the files of this part share. */
#ifndef TH_PEOPLE_PRIVATE_H
#define TH_PEOPLE_PRIVATE_H
#include "platform/people/people.h"

#include <pthread.h>

enum { TH_SESSION_HOURS = 12, TH_LOGIN_MAX = 64, TH_PASSWORD_MAX = 200, TH_LOCK_AFTER = 5 };

typedef struct th_key_cache th_key_cache;
typedef struct th_guesses th_guesses;

struct th_people {
    th_people_options options;
    th_key_cache *keys;
    th_guesses *guesses;
    char boot[TH_ID_TEXT]; /* of this process */
    char cookie[40]; /* "tonghui-110000" */
    char nobody[TH_PASSWORD_HASH]; /* checked when there is no such login, so that time tells nothing */
    pthread_mutex_t late_lock;
    struct th_once_late *late; /* once.c; NULL until there was one */
    uint64_t late_first;       /* the number of late[0] */
    size_t late_count;
    int64_t sweep_at_us;       /* once.c, the ticking thread's */
};

typedef struct th_account_row {
    th_str id, login, name, office, subject, password, totp, totp_pending;
    unsigned roles;
    int64_t totp_step, failed, locked_until;
    bool disabled;
} th_account_row;

/* account.c */
TH_MUST_USE th_status th_account_by_login(th_db *db, th_str login, th_arena *arena, th_account_row *ret_row, th_error *error);
TH_MUST_USE th_status th_account_by_id(th_db *db, th_str id, th_arena *arena, th_account_row *ret_row, th_error *error);
void th_account_write(th_pen *pen, th_db *db, const th_account_row *row, th_arena *arena);
TH_MUST_USE th_status th_people_event_add(th_people *people, th_db *db, th_str account, const char *kind, th_error *error);
typedef th_status (*th_people_apply)(void *ctx, th_db *db, th_error *error);
TH_MUST_USE th_status th_people_write(th_people *people, th_people_apply apply, void *ctx, th_error *error);
void th_roles_write(th_pen *pen, unsigned roles);
/* key_cache.c */
TH_MUST_USE th_key_cache *th_key_cache_open(void);
void th_key_cache_close(th_key_cache *cache);
/* Who shows the key whose secret hashes to `hash`; the generation goes to put after the store was read. */
bool th_key_cache_find(th_key_cache *cache, th_str id, const char hash[TH_HEX_HASH], int64_t now_us, th_arena *arena, th_who *ret_who,
                       uint64_t *ret_generation);
void th_key_cache_put(th_key_cache *cache, uint64_t generation, const char hash[TH_HEX_HASH], const th_who *who, int64_t now_us);
void th_key_cache_forget(th_key_cache *cache); /* after the commit that revokes */
/* guesses.c: of logins without an account in force */
TH_MUST_USE th_guesses *th_guesses_open(void);
void th_guesses_close(th_guesses *guesses);
int64_t th_guesses_locked_until(th_people *people, th_str login);
void th_guesses_count(th_people *people, th_str login);
/* How long the wrong try locks that is `over` beyond the fifth: 1, 2, 4 … 64 minutes. */
static inline int64_t th_lock_us(int64_t over) { return TH_MINUTE_US << (over > 6 ? 6 : over); }
/* session.c */
th_handled th_session_post(th_request *rq);
th_handled th_session_get(th_request *rq);
th_handled th_session_delete(th_request *rq);
/* On the writer's thread: one wrong try more, and the lock after five. */
TH_MUST_USE th_status th_account_failed(th_people *people, th_db *db, th_str account, th_arena *arena, th_error *error);
bool th_account_locked(const th_people *people, const th_account_row *account, th_error *error); /* then *error says TH_BUSY and for how long */
void th_session_csrf(const th_people *people, th_str session_hash, char ret_token[33]);
/* key_routes.c */
th_handled th_keys_get(th_request *rq);
th_handled th_keys_post(th_request *rq);
th_handled th_keys_revoke(th_request *rq);
/* totp_routes.c */
th_handled th_totp_post(th_request *rq);
th_handled th_totp_confirm(th_request *rq);
th_handled th_totp_delete(th_request *rq);
th_handled th_accounts_get(th_request *rq);
/* A reply on the writer's thread that ends a request. */
void th_people_finish(th_change *change, th_status status, const th_error *error);
#endif
