/* government-private.h — what the files of this service share. */
#ifndef TH_GOVERNMENT_PRIVATE_H
#define TH_GOVERNMENT_PRIVATE_H
#include "kernel/certificates/certificates.h"
#include "services/government/government.h"
#include "services/government/search.h"

struct th_government {
    char code[TH_CODE_TEXT];
    th_store *store;
    th_writer *writer;
    th_env env;
    th_search_entry *entries; /* of the search; `items` beside them */
    const th_case_item **items;
    th_search *search;
    th_cases *cases;
    th_exchange *exchange;
    th_certificates *certificates;
};

/* items.c */
th_handled th_items_get(th_request *rq);
th_handled th_item_get(th_request *rq);
th_handled th_item_version_get(th_request *rq);

th_handled th_signed_list_get(th_request *rq); /* lists.c */

/* import.c */
th_handled th_items_import(th_request *rq);
th_handled th_imported_get(th_request *rq);
th_handled th_imported_settle(th_request *rq);

/* certify.c: th_case_effect. */
th_status th_government_certify(void *ctx, th_db *db, const th_case_brief *brief, th_str kind, const th_json *body, th_arena *arena, th_error *error);
#endif
