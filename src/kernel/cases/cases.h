/* cases.h — one application for an item, from start to delivery, across nodes.
 *
 * A case has one writing owner at a time: the node where it was started until it is handed over, then the item's owner. Everything that
 * happens is an event of the case; the state is what its events say. Events that another node must know travel by outbox, and each
 * node keeps the same timeline. Evidence is asked at registers (verify) instead of uploaded; each answer keeps its receipt.
 * Promises  A committed event is never lost and never doubled, whatever dies when. A transition that the table does not allow is
 *           TH_CONFLICT "case-state" and changes nothing. Replaying the events gives the state that is stored.
 * States    Rows of data: region/<region>/cases.json (machine.h). Only the writing owner changes a case; others ask it to ("case.request")
 *           and keep a copy that follows its events.
 * Tables    cases_*. First key column: the case.
 */
#ifndef TH_KERNEL_CASES_H
#define TH_KERNEL_CASES_H
#include "kernel/cases/items.h"
#include "kernel/records/records.h"
#include "platform/people/people.h"

typedef struct th_cases th_cases;
typedef struct th_certificates th_certificates; /* kernel/certificates/certificates.h */

typedef struct th_case_file { /* one file of region/<region>/items/, read by whoever may read files */
    th_str name, text;
} th_case_file;

typedef struct th_cases_options {
    const char *code;
    const th_case_file *items; /* copied */
    size_t item_count;
    th_str calendar, clocks, machine; /* region/<region>/calendar/working-days.json, clocks.json and cases.json; read when opening */
    th_store *store;
    th_writer *writer;
    const th_env *env;
    th_key *message_key; /* consents */
    uint8_t secret[32];
    th_exchange *exchange;
    bool any_item; /* a region without lists (tests): any item may be begun at any member */
    th_certificates *certificates; /* NULL = none: then no holder's key goes with a case, and letters are not sealed */
    th_pool *pool; /* letters are drawn there; NULL = where they are asked for */
} th_cases_options;

TH_MUST_USE th_status th_cases_open(const th_cases_options *options, th_cases **ret_cases, th_error *error);
void th_cases_close(th_cases *cases);
const char *th_cases_schema(void);
const th_route *th_cases_routes(size_t *ret_n);
const char *th_cases_schemas(void);

/* Items of the region. */
typedef struct th_item_evidence {
    th_str id, title_zh, title_en, provider, reg;
    bool consent;
    const th_json *json; /* the whole definition: key and claims map form fields to register fields */
} th_item_evidence;
typedef struct th_case_item {
    th_str code, title_zh, title_en, office;
    th_str kind;       /* "01" … "10", "20" */
    th_str topic;      /* of the basic catalogue: the same item at several members; absent for an item of its own */
    bool listed;       /* shown among what can be applied for */
    int64_t version;
    bool published;
    int32_t valid_from, valid_to; /* days */
    char hash[2 * TH_HASH_SIZE + 1]; /* SHA-256 of the canonical definition: what the region's list signs */
    th_str owner;      /* the member that decides; absent when the form says which: */
    th_str owner_from; /* name of the form's field that holds the member's code */
    int64_t limit_days; /* promised */
    th_clock_terms terms;
    const th_json *json; /* everything else: conditions, materials, basis, process, form */
    const th_item_evidence *evidence;
    size_t evidence_count;
} th_case_item;
const th_case_item *th_cases_item(const th_cases *cases, th_str code); /* the version in force, else the newest; NULL when unknown */
const th_case_item *th_cases_item_version(const th_cases *cases, th_str code, int64_t version);
bool th_item_in_force(const th_case_item *item, int32_t day);
/* All, every version, by code and then the newest first. */
size_t th_cases_items(const th_cases *cases, const th_case_item **ret_items);
const th_calendar *th_cases_calendar(const th_cases *cases);
const th_clock_rules *th_cases_clock_rules(const th_cases *cases);

/* Starting a case without HTTP: the tour, the simulation of life, tests. `json` is the body of POST /cases/v1/cases. `done` is called
 * once with the new case's id, after the start was committed (evidence and hand-over go on by themselves). */
typedef struct th_case_start {
    th_str json;
    th_str applicant_id_number, applicant_name; /* from the account or the counter */
    th_str subject, account, office;            /* office absent: the citizen herself; subject absent: made from the number */
    void (*done)(struct th_case_start *start);
    void *ctx;
    th_status status;
    th_error error;
    char case_id[TH_ID_TEXT];
    void *priv;
} th_case_start;
TH_MUST_USE th_status th_cases_start(th_cases *cases, th_case_start *start, th_error *error);
/* Any action of the machine, as the routes do; blocking. At a node that is not the owner it becomes a request to it. */
TH_MUST_USE th_status th_cases_act(th_cases *cases, th_str case_id, th_str action, th_str json, const th_who *who, th_error *error);
/* An office that was asked answers: opinion "agree" or "disagree". Blocking; its words go to the owner through the outbox. */
TH_MUST_USE th_status th_cases_consult_answer(th_cases *cases, th_str case_id, th_str consult, th_str opinion, th_str words, th_error *error);
/* The case as JSON, as the route shows it to staff. */
TH_MUST_USE th_status th_cases_show(th_cases *cases, th_db *db, th_str case_id, const th_who *who, th_arena *arena, th_str *ret_json,
                                    th_error *error);
/* Told of every committed event of any case (writer's thread; short). */
typedef void (*th_case_watcher)(void *ctx, th_str case_id, th_str event_json);
TH_MUST_USE th_status th_cases_watch(th_cases *cases, th_case_watcher watcher, void *ctx);
/* Called in the owner's transaction for every event that it appends: what must be true at the same moment (a certificate issued with the
 * decision). Failing undoes the event. Register before the node serves. */
typedef struct th_case_brief {
    th_str id, number, item, origin, subject, outcome, state;
    int64_t at_us;
    const th_case_item *item_then; /* as it was when the case was begun; NULL when the region has none any more */
    const th_json *secret; /* {"id_number","name","form"}, and "holder": the public key of the applicant's wallet, where a certificate may come of it */
} th_case_brief;
typedef th_status (*th_case_effect)(void *ctx, th_db *db, const th_case_brief *brief, th_str kind, const th_json *body, th_arena *arena,
                                    th_error *error);
/* How many papers the applicant may let follow later beyond what the item allows (credit incentives). One asker. */
typedef int64_t (*th_case_deferral)(void *ctx, th_db *db, const th_json *secret, th_arena *arena);
void th_cases_on_deferral(th_cases *cases, th_case_deferral deferral, void *ctx);
/* Inside an effect: one more event that moves nothing, on the timeline of every copy. */
TH_MUST_USE th_status th_cases_remark(th_cases *cases, th_db *db, th_str case_id, th_str kind, th_str json, th_arena *arena, th_error *error);
TH_MUST_USE th_status th_cases_on_event(th_cases *cases, th_case_effect effect, void *ctx);
/* Fold every case that this node owns again from its events and compare with its row, its chain with the stored one. TH_CORRUPT names the first
 * that differs. */
TH_MUST_USE th_status th_cases_check(th_cases *cases, int64_t *ret_cases, int64_t *ret_events, th_error *error);
/* Copies of cases that other members own: they follow their owner, where alone they are checked. */
TH_MUST_USE th_status th_cases_copies(th_cases *cases, int64_t *ret_copies, th_error *error);
/* Once a second or so: evidence that was not answered is asked again, timers ring, and after another calendar open cases are counted again. */
void th_cases_tick(th_cases *cases);
#endif
