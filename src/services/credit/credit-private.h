/* credit-private.h — what the files of this service share. */
#ifndef TH_CREDIT_PRIVATE_H
#define TH_CREDIT_PRIVATE_H
#include "kernel/records/ids.h"
#include "services/credit/credit.h"

enum { TH_LISTS_MAX = 64, TH_MEASURES_MAX = 64, TH_LIST_MEMBERS_MAX = 64, TH_SUBJECT_RECORDS_MAX = 200 };

typedef struct th_measure {
    th_str code, effect;
    int64_t n;
    const th_json *json; /* title, law */
} th_measure;

typedef struct th_list {
    th_str code, kind; /* incentive, breach, serious */
    int min_months, max_months;
    const th_json *recognisers, *scope, *measures; /* arrays of texts */
    const th_json *json;
} th_list;

struct th_credit {
    char code[TH_CODE_TEXT];
    th_store *store;
    th_writer *writer;
    th_env env;
    th_exchange *exchange;
    th_cases *cases;
    th_arena arena; /* lists live here */
    th_list lists[TH_LISTS_MAX];
    size_t list_count;
    th_measure measures[TH_MEASURES_MAX];
    size_t measure_count;
    const th_json *root;
};

typedef struct th_record {
    th_str subject, id, list, owner, name, fact, doc_no, state;
    int64_t doc_day, min_until, max_until, version, updated_us;
} th_record;

/* lists.c */
TH_MUST_USE th_status th_lists_read(th_credit *credit, th_str json, th_error *error);
const th_list *th_list_find(const th_credit *credit, th_str code);
const th_measure *th_measure_find(const th_credit *credit, th_str code);
bool th_names(const th_json *list, th_str text);
/* The day `months` after `day`; the 31st becomes the month's last. */
int32_t th_months_after(int32_t day, int months);

/* record.c */
TH_MUST_USE th_status th_record_get(th_db *db, th_str id, th_arena *arena, th_record *ret_record, th_error *error);
TH_MUST_USE th_status th_records_of(th_db *db, th_str subject, th_arena *arena, th_record **ret_records, size_t *ret_n, th_error *error);
/* Does it count today, and for effects? An objection rests what is negative; the end of publication ends all. */
bool th_record_counts(const th_credit *credit, const th_record *record, int32_t today);
void th_record_write(const th_credit *credit, const th_record *record, int32_t today, th_pen *pen);
/* One change of an own record: row, event, and the word to every member; in the owner's transaction. */
TH_MUST_USE th_status th_record_change(th_credit *credit, th_db *db, th_record *record, const char *kind, th_str actor, th_str json, th_arena *arena,
                                       th_error *error);
TH_MUST_USE th_status th_credit_event_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer, th_error *error);
TH_MUST_USE th_status th_credit_ack_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer, th_error *error);

/* effects.c */
TH_MUST_USE th_status th_credit_case_effect(void *ctx, th_db *db, const th_case_brief *brief, th_str kind, const th_json *body, th_arena *arena,
                                            th_error *error);
int64_t th_credit_deferral(void *ctx, th_db *db, const th_json *secret, th_arena *arena);

/* routes.c, propagation.c */
th_handled th_credit_propagation(th_request *rq);
#endif
