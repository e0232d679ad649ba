/* records.h — registers with one owner, and the catalogue of what the region holds.
 *
 * A register is a file of the region (fields, keys, what may be verified or queried); its entries are here (versioned rows), in an
 * existing SQL database, or behind an HTTP upstream. verify compares and never tells a value; query tells granted fields.
 * Promises  verify answers match | mismatch | no_record | indeterminate per claim; to a caller without the right to tell mismatch and
 *           no_record apart both, and a field that is empty, read "mismatch", in the same bytes and the same time. Person keys are stored as keyed pseudonyms,
 *           entries sealed. Budgets per subject and per caller stop guessing. An import is one version: all of its good rows or,
 *           when it dies, none; bad rows are reported with line, field and reason.
 * Limits    TH_CLAIMS_MAX claims a verify; an entry ≤ 16 KiB.
 * Tables    records_*. First key column: register, then subject.
 * Source    GB/T 38664, GB/T 21063 (catalogue fields), DCAT-AP 3; GB 11643, GB 32100, GB 11714 (check characters).
 */
#ifndef TH_KERNEL_RECORDS_H
#define TH_KERNEL_RECORDS_H
#include "kernel/exchange/exchange.h"
#include "platform/base/pool.h"

enum { TH_CLAIMS_MAX = 32 };

typedef struct th_records th_records;

typedef struct th_records_options {
    const char *code;       /* this node */
    const char *region_dir; /* region/jingjinji */
    th_store *store;
    th_writer *writer;
    th_pool *pool;
    const th_env *env;
    uint8_t secret[32];
    /* How an upstream register is asked: blocking, on an I/O or pool thread. NULL = no HTTP upstreams. The answer lives in the arena. */
    th_status (*http_get)(void *ctx, const char *url, const char *authorization, int timeout_ms, th_arena *arena,
                          th_str *ret_body, th_error *error);
    void *http_ctx;
} th_records_options;

TH_MUST_USE th_status th_records_open(const th_records_options *options, th_records **ret_records, th_error *error);
void th_records_close(th_records *records);
/* Another process imported: read again which versions are live. */
TH_MUST_USE th_status th_records_reload(th_records *records, th_error *error);
const char *th_records_schema(void);
const th_route *th_records_routes(size_t *ret_n);
const char *th_records_schemas(void);
/* Register "verify" and "query" with the exchange. */
TH_MUST_USE th_status th_records_attach(th_records *records, th_exchange *exchange, th_error *error);

/* Where a register of this node gets its entries: {"register","source":"local"} or {"source":"sql","database":"postgresql://…",
 * "verify_query":"SELECT … WHERE id_number = $1", "fields":{…}} or {"source":"http","url":"https://…/{key}", …}. */
TH_MUST_USE th_status th_records_source_set(th_records *records, th_str json, th_error *error);

/* Command line and set-up; blocking. `report` gets one JSON line per bad row, then a summary line. */
typedef void (*th_report_line)(void *ctx, th_str json);
TH_MUST_USE th_status th_records_import(th_records *records, th_str reg, const char *file, const char *format /* csv jsonl */,
                                        th_report_line report, void *ctx, th_error *error);
TH_MUST_USE th_status th_records_export(th_records *records, th_str reg, const char *file, const char *format, th_error *error);
TH_MUST_USE th_status th_records_list(th_records *records, th_db *db, th_arena *arena, th_str *ret_json, th_error *error);

/* Demonstration people, companies and degrees: seeded, valid numbers, marked simulated. Writes `dir`/<register>.jsonl. The i-th
 * person of a seed is the same for every node and count, so that a degree in Beijing and a household in Hebei are one person. */
TH_MUST_USE th_status th_records_generate(const char *region_dir, const char *code, uint64_t seed, int64_t people, const char *dir,
                                          th_error *error);
/* The nth demonstration person of a household's node; `degree` (may be NULL) asks for one whose degree stands at that node. */
typedef struct th_person {
    th_str id_number, name, certificate, level; /* arena */
} th_person;
TH_MUST_USE th_status th_records_person(const char *region_dir, const char *household, const char *degree, uint64_t seed, int64_t nth,
                                        th_arena *arena, th_person *ret_person, th_error *error);
/* The nth demonstration company of a node, as its register's JSON. */
TH_MUST_USE th_status th_records_company(const char *region_dir, const char *code, uint64_t seed, int64_t nth, th_arena *arena,
                                         th_str *ret_json, th_error *error);
#endif
