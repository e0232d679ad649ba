/* cases-private.h — what the files of this part share. */
#ifndef TH_CASES_PRIVATE_H
#define TH_CASES_PRIVATE_H
#include "kernel/cases/cases.h"
#include "kernel/cases/fold.h"
#include "kernel/records/ids.h"

#include <pthread.h>

enum { TH_CASE_WATCHERS_MAX = 8, TH_FORM_MAX = 32 * 1024, TH_NOTE_MAX = 2000 };

struct th_cases {
    char code[TH_CODE_TEXT];
    th_store *store;
    th_writer *writer;
    th_env env;
    th_key *message_key;
    uint8_t secret[32], seal_key[32];
    th_exchange *exchange;
    th_certificates *certificates;
    th_pool *pool;
    th_arena arena; /* items live here */
    th_case_item *items;
    size_t item_count;
    bool any_item;
    const th_calendar *calendar;
    const th_clock_rules *rules;
    const th_machine *machine;
    th_clock_terms law_terms; /* of items that are not listed any more */
    struct { th_case_effect effect; void *ctx; } effects[TH_CASE_WATCHERS_MAX];
    size_t effect_count;
    th_case_deferral deferral;
    void *deferral_ctx;
    struct { th_case_watcher watcher; void *ctx; } watchers[TH_CASE_WATCHERS_MAX];
    size_t watcher_count;
    th_topic *topic; /* every event, for the pages that follow a case */
    pthread_mutex_t lock;
    int64_t ticked_at_us;
    char basis[2 * TH_HASH_SIZE + 1];  /* of the calendar and the clock's rules */
    char recounted_to[TH_ID_TEXT];     /* the case that was counted again last; used by the tick alone */
    bool recounted;
    struct th_asking *unkept; /* answers of registers that the store could not take yet; under lock */
    size_t unkept_count;
};

/* One row of cases_case. */
typedef struct th_case {
    char id[TH_ID_TEXT];
    th_str number, item, origin, owner, outcome, subject, account, office, applicant_name, id_masked, secret, clock, channel;
    const th_case_state *state;
    int64_t due_us, created_us, updated_us;
    int64_t item_version; /* that it was begun under at this node; 0: unknown */
} th_case;

/* load.c */
int64_t th_case_due_us(const th_cases *cases, const th_case_item *item, int64_t accepted_us); /* what the item promises, from that day on */
/* Which member decides: the item's owner, or the one that the form names. Absent when the form names none. */
th_str th_item_owner(const th_case_item *item, const th_json *form);
TH_MUST_USE th_status th_items_load(th_cases *cases, const th_case_file *files, size_t n, th_error *error);

/* item_merge.c: a row of a member's list over the basic catalogue; the item lives in the arena. */
TH_MUST_USE th_status th_item_merge(const th_json *basic, const th_json *list, const th_json *row, th_arena *arena, const th_json **ret_item,
                                    th_error *error);

/* list.c: "item-not-on-list", "item-changed". `channel` as of a case: counter or citizen. */
TH_MUST_USE th_status th_list_allows(th_cases *cases, const th_case_item *item, const char *origin, th_str channel, th_error *error);

/* form.c */
TH_MUST_USE th_status th_form_check(const th_cases *cases, const th_case_item *item, const th_json *form, th_error *error);
TH_MUST_USE th_status th_form_schema_check(const th_json *schema, th_error *error); /* is it one that th_form_check knows whole? */

/* rows.c: the tables, inside the writer's transaction or on a reader */
TH_MUST_USE th_status th_case_get(th_cases *cases, th_db *db, th_str id, th_arena *arena, th_case *ret_case, th_error *error);
TH_MUST_USE th_status th_case_insert(th_db *db, const th_case *c, th_error *error);
typedef struct th_case_event {
    th_str node, kind, actor, json, message;
    int64_t origin_seq; /* 0 = this node's next */
    int64_t at_us;
    unsigned by;
} th_case_event;
/* What a case's fold needs of its item; a case of an item that is no longer listed keeps the law's own terms. */
/* The item as it was when the case was begun, whatever was published since; NULL when the region has no such item any more. */
const th_case_item *th_case_item_of(const th_cases *cases, const th_case *c);
th_fold_in th_case_fold_in(const th_cases *cases, const th_case *c);
th_str th_case_clock_text(const th_cases *cases, const th_case *c, const th_fold *fold, int64_t now_us, th_arena *arena); /* as the row keeps it */
/* All events of the case, folded: as things that happened, not held against limits again. */
TH_MUST_USE th_status th_case_fold(th_cases *cases, th_db *db, const th_case *c, th_arena *arena, th_fold *ret_fold, th_error *error);
/* The writing owner's one way to change a case: step, append, and bring the row up to date; *c and *fold follow. */
TH_MUST_USE th_status th_case_append(th_cases *cases, th_db *db, th_case *c, th_fold *fold, th_case_event *event, th_error *error);
/* What happened at this node and moves nothing (an agreement taken back): through the fold while this node writes the case, else on the copy. */
TH_MUST_USE th_status th_case_note(th_cases *cases, th_db *db, th_case *c, th_case_event *event, th_arena *arena, th_error *error);
/* Does this node write the case? Its owner does; until it is handed over, the node where it was started. */
bool th_case_written_here(const th_cases *cases, const th_case *c);
/* A copy's way: an event that the owner (or this node) noted, and the state as the owner says it. *ret_new false: it stands already. */
TH_MUST_USE th_status th_case_copy(th_cases *cases, th_db *db, th_case *c, th_case_event *event, bool *ret_new, th_error *error);

bool th_case_event_same(th_db *db, const char *id, const th_case_event *event); /* does this very event stand at its node and sequence? */

/* {"number","item","form":{…},"id_number","name"} sealed for this node. */
TH_MUST_USE th_status th_case_secret_seal(th_cases *cases, const char *id, th_str json, th_arena *arena, th_str *ret_sealed);
TH_MUST_USE th_status th_case_secret_open(th_cases *cases, const char *id, th_str sealed, th_arena *arena, const th_json **ret_json,
                                          th_error *error);
void th_id_mask(th_str id_number, char ret_masked[24]);

/* start.c, evidence.c, handover.c, act.c, request.c, consult.c, show.c */
const th_item_evidence *th_evidence_of(const th_case_item *item, th_str id); /* NULL = the item has none such */
TH_MUST_USE th_status th_evidence_question(const th_item_evidence *e, const th_json *secret, th_pen *pen, th_error *error);
/* arrived.c: evidence that comes with a case: what its register's receipt proves is kept, the rest as not verified. */
TH_MUST_USE th_status th_evidence_arrived(th_cases *cases, th_db *db, const th_case *c, const th_case_item *item, const th_json *body, th_arena *arena,
                                          th_error *error);
bool th_case_shown_to(const th_case *c, const th_who *who); /* the applicant, and whoever works here */
TH_MUST_USE th_status th_evidence_ask(th_cases *cases, th_str case_id, th_error *error);
void th_evidence_drop(th_cases *cases); /* at the end: answers that were never kept; the next start asks again */
TH_MUST_USE th_status th_handover_when_ready(th_cases *cases, th_db *db, const char *case_id, th_error *error);
TH_MUST_USE th_status th_case_submitted_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                              th_error *error);
TH_MUST_USE th_status th_case_event_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                          th_error *error);
TH_MUST_USE th_status th_case_request_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                            th_error *error);
TH_MUST_USE th_status th_case_consult_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                            th_error *error);

typedef struct th_acting { /* one action by somebody, on its way into a case */
    th_cases *cases;
    const th_action *action;
    const th_json *body;   /* what was said, checked */
    th_str account;        /* absent: a timer, or a person at another node */
    unsigned by;
    char request[TH_ID_TEXT]; /* "" or the request that asked for it */
    th_arena *arena;
    th_str event_json;     /* made by th_act_owned */
} th_acting;
/* Who is `who` to this case, here? Bits of TH_BY_…; 0 = nobody. */
unsigned th_case_by(const th_cases *cases, const th_case *c, const th_who *who);
/* In the owner's transaction: do it, tell the origin and whom it concerns. */
TH_MUST_USE th_status th_act_owned(th_acting *a, th_db *db, th_case *c, th_error *error);
/* In the transaction of a node that is not the owner: note that it was asked, and ask. */
TH_MUST_USE th_status th_act_requested(th_acting *a, th_db *db, th_case *c, th_error *error);
/* The owner asks another administration. */
bool th_consult_known(th_db *db, th_str case_id, th_str asker); /* was this node asked by `asker` about the case? */
TH_MUST_USE th_status th_consult_send(th_acting *a, th_db *db, const th_case *c, th_error *error);
void th_case_timers_tick(th_cases *cases);

/* recount.c: once after another calendar or other limits; the tick does it, slice by slice */
void th_case_count_basis(th_cases *cases, th_str calendar, th_str clocks);
void th_case_recount_tick(th_cases *cases);

/* material_routes.c, material_fetch.c: papers */
th_handled th_material_post(th_request *rq);
th_handled th_material_put_bytes(th_request *rq);
th_handled th_material_get_bytes(th_request *rq);
void th_material_tick(th_cases *cases);
/* A paper that `from` has and this node's case needs. */
TH_MUST_USE th_status th_material_wanted(th_cases *cases, th_db *db, th_str case_id, th_str from, const th_json *said, th_error *error);
TH_MUST_USE th_status th_case_material_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                             th_error *error);
void th_case_piece_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers);

void th_case_submitted_told(void *ctx, const th_message *message);
void th_case_moved_told(void *ctx, const th_message *message); /* it says which case, not what of it */
void th_case_event_told(void *ctx, const th_message *message);
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
th_handled th_cases_action(th_request *rq);
th_handled th_cases_events(th_request *rq);
th_handled th_cases_one_events(th_request *rq);
th_handled th_cases_statistics(th_request *rq); /* statistics.c */
th_handled th_cases_letter(th_request *rq);     /* letter.c */
/* The letter that an event of this action has, with its words; NULL when it has none. */
const th_json *th_letter_of(const th_action *action, const th_json *detail);
th_handled th_consults_list(th_request *rq);
th_handled th_consult_answer(th_request *rq);
void th_case_action_write(const th_cases *cases, const th_action *action, th_pen *pen);
#endif
