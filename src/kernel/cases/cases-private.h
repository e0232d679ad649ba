/* cases-private.h — what the files of this part share. */
#ifndef TH_CASES_PRIVATE_H
#define TH_CASES_PRIVATE_H
#include "kernel/cases/cases.h"
#include "kernel/records/ids.h"

#include <pthread.h>

enum { TH_CASE_WATCHERS_MAX = 8, TH_FORM_MAX = 32 * 1024, TH_NOTE_MAX = 2000 };

typedef enum th_case_state {
    TH_CASE_DRAFT, TH_CASE_EVIDENCE, TH_CASE_HANDED_OVER, TH_CASE_RECEIVED, TH_CASE_ACCEPTED, TH_CASE_DECIDED, TH_CASE_DELIVERED,
    TH_CASE_WITHDRAWN,
} th_case_state;

struct th_cases {
    char code[TH_CODE_TEXT];
    th_store *store;
    th_writer *writer;
    th_env env;
    th_key *message_key;
    uint8_t secret[32], seal_key[32];
    th_exchange *exchange;
    th_arena arena; /* items live here */
    th_case_item *items;
    size_t item_count;
    const th_calendar *calendar;
    const th_clock_rules *rules;
    struct { th_case_watcher watcher; void *ctx; } watchers[TH_CASE_WATCHERS_MAX];
    size_t watcher_count;
    th_topic *topic; /* every event, for the pages that follow a case */
    pthread_mutex_t lock;
    int64_t ticked_at_us;
};

/* One row of cases_case. */
typedef struct th_case {
    char id[TH_ID_TEXT];
    th_str number, item, origin, owner, outcome, subject, account, office, applicant_name, id_masked, secret;
    th_case_state state;
    int64_t due_us, created_us, updated_us;
} th_case;

const char *th_case_state_name(th_case_state state);
TH_MUST_USE bool th_case_state_parse(th_str name, th_case_state *ret_state);
/* May `action` happen in `state`, at which node, and what comes of it? TH_CONFLICT "case-state". */
TH_MUST_USE th_status th_case_transition(th_case_state state, const char *action, th_case_state *ret_next, th_error *error);

/* load.c */
int64_t th_case_due_us(const th_cases *cases, const th_case_item *item, int64_t accepted_us); /* what the item promises, from that day on */
/* Which member decides: the item's owner, or the one that the form names. Absent when the form names none. */
th_str th_item_owner(const th_case_item *item, const th_json *form);
TH_MUST_USE th_status th_items_load(th_cases *cases, const th_case_file *files, size_t n, th_error *error);

/* rows.c: the tables, inside the writer's transaction or on a reader */
TH_MUST_USE th_status th_case_get(th_db *db, th_str id, th_arena *arena, th_case *ret_case, th_error *error);
TH_MUST_USE th_status th_case_insert(th_db *db, const th_case *c, th_error *error);
TH_MUST_USE th_status th_case_state_set(th_db *db, const char *id, th_case_state state, th_str outcome, int64_t due_us,
                                        int64_t now_us, th_error *error);
/* Append an event of this node; false in *ret_new when (node, origin_seq) stands already (a copy arrived again). */
typedef struct th_case_event {
    th_str node, kind, actor, json, message;
    int64_t origin_seq; /* 0 = this node's next */
    int64_t at_us;
} th_case_event;
TH_MUST_USE th_status th_case_event_put(th_cases *cases, th_db *db, const char *id, th_case_event *event, bool *ret_new,
                                        th_error *error);
/* {"number","item","form":{…},"id_number","name"} sealed for this node. */
TH_MUST_USE th_status th_case_secret_seal(th_cases *cases, const char *id, th_str json, th_arena *arena, th_str *ret_sealed);
TH_MUST_USE th_status th_case_secret_open(th_cases *cases, const char *id, th_str sealed, th_arena *arena, const th_json **ret_json,
                                          th_error *error);
void th_id_mask(th_str id_number, char ret_masked[24]);

/* start.c, evidence.c, handover.c, act.c, show.c */
TH_MUST_USE th_status th_evidence_ask(th_cases *cases, th_str case_id, th_error *error);
TH_MUST_USE th_status th_handover_when_ready(th_cases *cases, th_db *db, const char *case_id, th_error *error);
TH_MUST_USE th_status th_case_submitted_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                              th_error *error);
TH_MUST_USE th_status th_case_event_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                          th_error *error);
/* Tell the other node (origin or owner) of an event, in the same transaction. */
TH_MUST_USE th_status th_case_event_send(th_cases *cases, th_db *db, const th_case *c, th_str to, const th_case_event *event,
                                         th_error *error);
void th_case_told(th_cases *cases, th_str case_id, th_str event_json);

/* Blocking write from a function. */
typedef th_status (*th_case_write)(void *ctx, th_db *db, th_error *error);
TH_MUST_USE th_status th_cases_write(th_cases *cases, th_case_write write, void *ctx, th_error *error);

/* revoke.c: a case is withdrawn, so every agreement given for it ends and no register is asked any more */
TH_MUST_USE th_status th_consents_end(th_cases *cases, th_db *db, const th_case *c, int64_t now_us, th_arena *arena, th_error *error);
th_handled th_cases_revoke(th_request *rq);

/* routes.c */
th_handled th_cases_post(th_request *rq);
th_handled th_cases_list(th_request *rq);
th_handled th_cases_get(th_request *rq);
th_handled th_cases_accept(th_request *rq);
th_handled th_cases_decide(th_request *rq);
th_handled th_cases_deliver(th_request *rq);
th_handled th_cases_withdraw(th_request *rq);
th_handled th_cases_events(th_request *rq);
th_handled th_cases_one_events(th_request *rq);
#endif
