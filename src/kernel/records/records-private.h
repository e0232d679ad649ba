/* records-private.h — what the files of this part share. */
#ifndef TH_RECORDS_PRIVATE_H
#define TH_RECORDS_PRIVATE_H
#include "kernel/records/ids.h"
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
    TH_ENTRY_JSON_MAX = 16 * 1024,
    TH_RECORD_KEY = 16,
    TH_BUDGET_SLOTS = 1 << 16,
};

typedef enum th_format { TH_FORMAT_NONE, TH_FORMAT_CITIZEN, TH_FORMAT_USCC, TH_FORMAT_DATE, TH_FORMAT_REGION } th_format;

typedef struct th_field {
    th_str name, zh, en;
    bool integer, required, verify, query, sensitive;
    th_format format;
    int64_t min_length, max_length, minimum, maximum; /* lengths in characters */
    const th_json *choices;
    regex_t pattern;
    bool has_pattern;
} th_field;

typedef enum th_source { TH_SOURCE_LOCAL, TH_SOURCE_SQL, TH_SOURCE_HTTP } th_source;

typedef struct th_register {
    th_str name;
    const th_json *json;
    th_field fields[TH_REGISTER_FIELDS_MAX];
    size_t field_count;
    const th_field *keys[TH_REGISTER_KEYS_MAX];
    size_t key_count;
    const th_field *person; /* the key field that is a citizen number; NULL when the register is not about persons */
    bool tells_absence;     /* callers may tell no_record from mismatch */
    int64_t subject_mismatches, caller_mismatches; /* per hour and per minute */
    th_str decoy;           /* a sealed entry that is read when there is none, so that time tells nothing */
    /* under records->lock */
    int64_t version, entries, made_us;
    bool simulated;
    th_source source;
    char *sql;        /* kept for ever: prepared statements are cached by the text's address */
    th_store *database;
    char *url, *authorization;
    const th_json *columns; /* of the source's answer, for HTTP: register field → member; NULL = same names */
    char *source_json;
} th_register;

typedef struct th_budget_slot {
    uint64_t who;
    int64_t since_us;
    int64_t count;
} th_budget_slot;

struct th_records {
    th_records_options options;
    char code[8];
    th_arena arena; /* files of the region */
    th_register *registers;
    size_t register_count;
    const th_json **datasets;
    size_t dataset_count;
    th_exchange *exchange;
    pthread_mutex_t lock;
    th_budget_slot *budget;
    _Atomic bool importing;
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
/* Adds a field error under `path` when the value does not fit. `text` is what was meant, normalised (arena). */
bool th_field_check(const th_field *field, const th_json *value, const char *path, int64_t today_us, th_arena *arena, th_str *ret_text,
                    th_error *error);
bool th_text_fits(const th_field *field, th_str text, int64_t today_us, const char **ret_code, const char **ret_zh, const char **ret_en);
TH_MUST_USE th_status th_directory_read(const char *dir, const char *sub, th_arena *arena, th_str **ret_texts, th_str **ret_names,
                                        size_t *ret_n, th_error *error);

/* entry.c */
void th_record_key(const th_records *records, const th_register *reg, const th_str *keys, uint8_t ret_key[TH_RECORD_KEY]);
TH_MUST_USE th_status th_entry_seal(const th_records *records, const th_register *reg, const uint8_t key[TH_RECORD_KEY], th_str json,
                                    th_arena *arena, th_str *ret_sealed);
TH_MUST_USE th_status th_entry_open(const th_records *records, const th_register *reg, const uint8_t key[TH_RECORD_KEY], th_str sealed,
                                    th_arena *arena, const th_json **ret_entry);
/* One look-up and what came of it. `entry` NULL = no such record; status TH_UNAVAILABLE = the source does not answer. */
typedef struct th_lookup {
    th_register *reg;
    th_str keys[TH_REGISTER_KEYS_MAX];
    uint8_t key[TH_RECORD_KEY];
    const th_json *entry;
    th_status status;
} th_lookup;
void th_lookups_read(th_records *records, th_db *db, th_lookup **lookups, size_t n, th_arena *arena);

/* source.c */
void th_source_read(th_records *records, th_lookup *lookup, th_arena *arena);
TH_MUST_USE th_status th_sources_load(th_records *records, th_error *error);

/* verify.c */
TH_MUST_USE th_status th_records_wanted(void *ctx, const th_message *message, th_arena *arena, th_wanted *ret_wanted, th_str *ret_id_number,
                                        th_error *error);
void th_verify_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers);
void th_query_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers);

/* budget.c */
bool th_budget_allows(th_records *records, const th_register *reg, const th_message *message, const uint8_t key[TH_RECORD_KEY]);
void th_budget_mismatch(th_records *records, const th_register *reg, const th_message *message, const uint8_t key[TH_RECORD_KEY]);

/* import.c: one import from bytes in pieces. */
typedef struct th_import th_import;
TH_MUST_USE th_status th_import_open(th_records *records, th_register *reg, bool csv, th_report_line report, void *ctx,
                                     th_import **ret_import, th_error *error);
TH_MUST_USE th_status th_import_feed(th_import *import, th_str bytes, th_error *error);
TH_MUST_USE th_status th_import_end(th_import *import, th_arena *arena, th_str *ret_summary, th_error *error); /* closes it */
void th_import_abandon(th_import *import);

/* catalogue.c, requests.c */
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
