/* government-private.h — what the files of this service share. */
#ifndef TH_GOVERNMENT_PRIVATE_H
#define TH_GOVERNMENT_PRIVATE_H
#include "kernel/certificates/certificates.h"
#include "services/government/government.h"

struct th_government {
    th_cases *cases;
    th_exchange *exchange;
    th_certificates *certificates;
};

/* items.c */
th_handled th_items_get(th_request *rq);
th_handled th_item_get(th_request *rq);
th_handled th_item_version_get(th_request *rq);

th_handled th_signed_list_get(th_request *rq); /* lists.c */

/* certify.c: th_case_effect. */
th_status th_government_certify(void *ctx, th_db *db, const th_case_brief *brief, th_str kind, const th_json *body, th_arena *arena, th_error *error);
#endif
