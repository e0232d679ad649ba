/* records-private.h — what the files of this part share. */
#ifndef TH_RECORDS_PRIVATE_H
#define TH_RECORDS_PRIVATE_H
#include "kernel/records/ids.h"
#include "kernel/records/names.h"
#include "kernel/records/records.h"

#include "platform/base/csv.h"
#include "platform/people/people.h"

#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>

enum {
    TH_REGISTERS_MAX = 64,
    TH_REGISTER_FIELDS_MAX = 48,
    TH_REGISTER_KEYS_MAX = 3,
    TH_PREDICATES_MAX = 12,
    TH_ENTRY_JSON_MAX = 16 * 1024,
    TH_RECORD_KEY = 16,
    TH_BUDGET_SLOTS = 1 << 16,
};

typedef enum th_format {
    TH_FORMAT_NONE, TH_FORMAT_CITIZEN, TH_FORMAT_USCC, TH_FORMAT_DATE, TH_FORMAT_REGION, TH_FORMAT_NAME, TH_FORMAT_ECERT,
} th_format;

typedef struct th_divisions { /* codes of six digits that exist, ascending */
    int32_t *codes;
    size_t n;
} th_divisions;

typedef struct th_field {
    th_str name, zh, en;
    bool integer, required, verify, query, query_masked, sensitive;
    th_format format;
    int64_t min_length, max_length, minimum, maximum; /* lengths in characters */
    const th_json *choices;
    const th_divisions *divisions;
    regex_t pattern;
    bool has_pattern;
} th_field;

typedef enum th_result { TH_RESULT_MATCH, TH_RESULT_MISMATCH, TH_RESULT_NO_RECORD, TH_RESULT_INDETERMINATE } th_result;

typedef enum th_predicate_kind { TH_PREDICATE_AGE, TH_PREDICATE_ORDER, TH_PREDICATE_VALID, TH_PREDICATE_WITHIN } th_predicate_kind;
typedef struct th_predicate {
    th_str name, zh, en;
    th_predicate_kind kind;
    bool verify;
    const th_field *fields[2];                     /* age, order, within; the second may be absent */
    const th_field *from, *to, *state, *since;     /* valid: to, state and since may be absent */
    const th_json *order, *states;
} th_predicate;

typedef enum th_source { TH_SOURCE_LOCAL, TH_SOURCE_SQL, TH_SOURCE_HTTP } th_source;

typedef struct th_register {
    th_str name;
    const th_json *json;
    const th_divisions *divisions;
    th_field fields[TH_REGISTER_FIELDS_MAX];
    size_t field_count;
    const th_field *keys[TH_REGISTER_KEYS_MAX];
    size_t key_count;
    const th_field *person; /* the key field that is a citizen number; NULL when the register is not about persons */
    th_predicate predicates[TH_PREDICATES_MAX];
    size_t predicate_count;
    bool tells_absence;     /* callers may tell no_record from mismatch */
    bool one_owner;         /* a record at two nodes is a conflict in itself */
    bool duplicates_conflict; /* two different rows of one key are a conflict, not a slip of the file's maker */
    int64_t subject_mismatches, subject_window_us, subject_lock_us; /* so many within the window lock the caller out for that person */
    int64_t caller_mismatches;                                      /* a minute */
    th_str last;            /* a sealed entry behind all others: a search for a key that is not there ends at it or before */
    const th_json *stand_in; /* the same, plain: compared when an outside source has no record */
    /* under records->lock */
    int64_t version, entries, made_us;
    bool simulated;
    struct th_upstream *upstream; /* NULL = local */
} th_register;

typedef struct th_budget_slot {
    uint64_t who;
    int64_t since_us, until_us; /* until_us: locked */
    int64_t count;
} th_budget_slot;

struct th_records {
    th_records_options options;
    char code[8];
    th_arena arena; /* files of the region */
    th_divisions divisions;
    th_register *registers;
    size_t register_count;
    const th_json **datasets;
    size_t dataset_count;
    th_exchange *exchange;
    pthread_mutex_t lock;
    th_budget_slot *budget;
    _Atomic bool importing;
    uint8_t (*conflicts)[TH_RECORD_KEY]; /* keys in dispute, ascending; under lock */
    atomic_size_t conflict_count;
};

/* The live version and source of a register, as they were at one moment. */
typedef struct th_live {
    int64_t version, made_us;
    bool simulated;
    th_source source;
} th_live;
th_live th_register_live(th_records *records, th_register *reg);

/* register.c */
TH_MUST_USE th_status th_registers_load(th_records *records, th_error *error);
th_register *th_register_find(th_records *records, th_str name);
const th_field *th_field_find(const th_register *reg, th_str name);

/* field.c: a value as people write it, brought to the form that is stored. False with code and words when it does not fit. `changes`: TH_ID_WAS_… */
bool th_field_take(const th_field *field, th_str written, int64_t today_us, th_arena *arena, th_str *ret_text, unsigned *ret_changes,
                   const char **ret_code, const char **ret_zh, const char **ret_en);
/* The same for a JSON value; adds a field error under `path`. */
bool th_field_check(const th_field *field, const th_json *value, const char *path, int64_t today_us, th_arena *arena, th_str *ret_text,
                    th_error *error);
bool th_date_fits(th_str text); /* YYYY-MM-DD, a real one */
void th_field_pointer(char ret_pointer[96], const char *path, th_str name);
th_str th_field_masked(const th_field *field, th_str text, th_arena *arena);

/* divisions.c */
TH_MUST_USE th_status th_divisions_load(th_records *records, th_error *error);
bool th_division_exists(const th_divisions *divisions, th_str text);

/* predicate.c */
TH_MUST_USE th_status th_predicates_read(th_register *reg, th_error *error);
const th_predicate *th_predicate_find(const th_register *reg, th_str name);
bool th_predicate_check(const th_predicate *predicate, const th_json *operand, const char *path, th_error *error);
th_result th_predicate_holds(const th_predicate *predicate, const th_json *entry, const th_json *operand, th_str today /* YYYY-MM-DD */);

/* register.c */
TH_MUST_USE th_status th_directory_read(const char *dir, const char *sub, th_arena *arena, th_str **ret_texts, th_str **ret_names,
                                        size_t *ret_n, th_error *error);

/* entry.c */
void th_record_key(const th_records *records, const th_register *reg, const th_str *keys, uint8_t ret_key[TH_RECORD_KEY]);
TH_MUST_USE th_status th_entry_seal(const th_records *records, const th_register *reg, const uint8_t key[TH_RECORD_KEY], th_str json,
                                    th_arena *arena, th_str *ret_sealed);
TH_MUST_USE th_status th_entry_open(const th_records *records, const th_register *reg, const uint8_t key[TH_RECORD_KEY], th_str sealed,
                                    th_arena *arena, const th_json **ret_entry);
/* One look-up and what came of it. `entry` is never NULL when status is TH_OK: where there is no such record (`present` false) it is another
 * one, so that what follows takes as long; it must be compared only, and the outcome thrown away. TH_UNAVAILABLE = the source does not
 * answer. */
typedef struct th_lookup {
    th_register *reg;
    th_str keys[TH_REGISTER_KEYS_MAX];
    uint8_t key[TH_RECORD_KEY];
    int64_t until_us; /* an outside source is asked no more from then on; 0 = no bound */
    const th_json *entry;
    bool present;
    th_status status;
} th_lookup;
extern const uint8_t th_record_key_last[TH_RECORD_KEY]; /* all ones: nobody's */
void th_lookups_read(th_records *records, th_db *db, th_lookup **lookups, size_t n, th_arena *arena);

/* source.c */
bool th_source_read(th_records *records, th_lookup *lookup, th_arena *arena); /* false, and nothing done: the register is local */
TH_MUST_USE th_status th_sources_load(th_records *records, th_error *error); /* also again: what changed is taken over */
th_source th_upstream_kind(const struct th_upstream *upstream);
bool th_upstream_simulated(const struct th_upstream *upstream, bool otherwise); /* as it says, or as the local entries are */
void th_upstream_release(struct th_upstream *upstream);

/* verify.c */
TH_MUST_USE th_status th_records_grant_fits(void *ctx, const th_grant *grant, th_error *error);
TH_MUST_USE th_status th_records_wanted(void *ctx, const th_message *message, th_arena *arena, th_wanted *ret_wanted, th_str *ret_id_number,
                                        th_error *error);
bool th_records_waits(void *ctx, const th_message *message); /* its register is outside: answering may take a while */
void th_verify_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers);
void th_query_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers);

/* budget.c */
bool th_budget_allows(th_records *records, const th_register *reg, const th_message *message, const uint8_t key[TH_RECORD_KEY],
                      int *ret_retry_s);
void th_budget_mismatch(th_records *records, const th_register *reg, const th_message *message, const uint8_t key[TH_RECORD_KEY]);

/* conflicts.c */
typedef struct th_ticket {
    th_str reg;
    int64_t version;
    uint8_t key[TH_RECORD_KEY];
    const char *kind;  /* "duplicate", "nodes" */
    th_str detail;     /* JSON, no values of the record */
    th_str keys_json;  /* {"id_number": …} */
} th_ticket;
bool th_conflict_open(th_records *records, const uint8_t key[TH_RECORD_KEY]);
TH_MUST_USE th_status th_conflicts_load(th_records *records, th_error *error);
TH_MUST_USE th_status th_conflict_put(th_records *records, th_db *db, const th_ticket *ticket, th_error *error);
TH_MUST_USE th_status th_conflicts_supersede(th_records *records, th_db *db, th_str reg, int64_t version, th_error *error);
TH_MUST_USE th_status th_conflict_arrived(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                          th_error *error);
th_handled th_identifier_check(th_request *rq);  /* identifiers.c */
th_handled th_verify_everywhere(th_request *rq); /* everywhere.c */
th_handled th_conflicts_get(th_request *rq);
th_handled th_conflict_close(th_request *rq);

/* import.c: one import from bytes in pieces. */
typedef struct th_import th_import;
TH_MUST_USE th_status th_import_open(th_records *records, th_register *reg, bool csv, th_report_line report, void *ctx,
                                     th_import **ret_import, th_error *error);
TH_MUST_USE th_status th_import_feed(th_import *import, th_str bytes, th_error *error);
TH_MUST_USE th_status th_import_end(th_import *import, th_arena *arena, th_str *ret_summary, th_error *error); /* closes it */
void th_import_abandon(th_import *import);

/* catalogue.c, requests.c */
typedef struct th_dataset { /* one of both: a file of the region's catalogue, or a register of this node */
    const th_json *file;
    th_register *reg;
} th_dataset;
size_t th_dataset_count(const th_records *records);
th_dataset th_dataset_at(const th_records *records, size_t i);
const th_json *th_dataset_json(th_dataset dataset);
th_str th_dataset_id(th_dataset dataset, th_arena *arena);
TH_MUST_USE th_status th_catalogue_load(th_records *records, th_error *error);
const th_json *th_dataset_find(const th_records *records, th_str id);
th_handled th_catalogue_get(th_request *rq);
th_handled th_catalogue_one(th_request *rq);
th_handled th_catalogue_jsonld(th_request *rq);
th_handled th_dataset_get(th_request *rq);
th_handled th_request_post(th_request *rq);
th_handled th_requests_get(th_request *rq);
th_handled th_request_grant(th_request *rq);
th_handled th_request_refuse(th_request *rq);
TH_MUST_USE th_status th_request_answered(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                          th_error *error);
TH_MUST_USE th_status th_request_arrived(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                         th_error *error);
typedef th_status (*th_records_apply)(void *ctx, th_db *db, th_error *error);
TH_MUST_USE th_status th_records_write(th_records *records, th_records_apply apply, void *ctx, th_error *error);
#endif
