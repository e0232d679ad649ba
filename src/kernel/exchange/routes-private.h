/* routes-private.h — the handlers behind the route table. */
#ifndef TH_EXCHANGE_ROUTES_PRIVATE_H
#define TH_EXCHANGE_ROUTES_PRIVATE_H
#include "exchange-private.h"

th_handled th_exchange_region_get(th_request *rq);
th_handled th_exchange_grants_get(th_request *rq);
th_handled th_exchange_grants_published(th_request *rq);
th_handled th_exchange_grant_post(th_request *rq);
th_handled th_exchange_grant_delete(th_request *rq);
th_handled th_exchange_links_get(th_request *rq);
th_handled th_exchange_journal_get(th_request *rq);
/* alarms.c */
th_handled th_exchange_alarms_get(th_request *rq);
th_handled th_exchange_alarm_handle(th_request *rq);
/* receipt_routes.c */
th_handled th_exchange_receipt_get(th_request *rq);
/* ask_routes.c */
th_handled th_exchange_ask_post(th_request *rq);
th_handled th_exchange_ask_batch_post(th_request *rq);
/* looks_routes.c */
th_handled th_exchange_looks_get(th_request *rq);
/* peer_routes.c */
th_handled th_exchange_batch_post(th_request *rq);
#endif
