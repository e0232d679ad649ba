/* government.h — government services handled anywhere: the items that people can apply for.
 *
 * Items are listed, found by what people type (search.h), and shown; the two lists that all members signed are served as signed; an office's own
 * list is imported with a report. Cases are the kernel's. Where an item's result is a certificate, it is issued in the transaction of the
 * decision and revoked in that of its annulment.
 * Tables    government_*. First key column: the item.
 */
#ifndef TH_SERVICES_GOVERNMENT_H
#define TH_SERVICES_GOVERNMENT_H
#include "kernel/cases/cases.h"

typedef struct th_government th_government;
typedef struct th_government_options {
    const char *code;           /* this node: its items come first among equals */
    th_str pinyin, everyday;    /* region/<region>/words/pinyin.txt and everyday.json; read when opening */
    th_cases *cases;
    th_exchange *exchange;
    th_certificates *certificates; /* NULL = none are issued */
    th_store *store;
    th_writer *writer;
    const th_env *env;
} th_government_options;
TH_MUST_USE th_status th_government_open(const th_government_options *options, th_government **ret_government, th_error *error);
void th_government_close(th_government *government);
const char *th_government_schema(void);
const th_route *th_government_routes(size_t *ret_n);
const char *th_government_schemas(void);

/* An office's own list, CSV or JSON: every row is kept; rows with something in doubt are `pending` (待核) and told to `report`, one JSON line each.
 * TH_UNPROCESSABLE "item-list": the list contradicts itself (no name or law, an unknown kind, more promised than allowed, one code twice);
 * nothing is kept then. Blocks (writer). */
typedef struct th_government_list {
    int64_t rows, pending;
    char import[TH_ID_TEXT];
} th_government_list;
TH_MUST_USE th_status th_government_list_import(th_government *government, th_str bytes, bool csv, th_str account, th_report_line report, void *ctx,
                                                th_government_list *ret_told, th_error *error);
#endif
