/* government.h — government services handled anywhere: the items that people can apply for.
 *
 * First form: the list of items and one item's whole page, read from the region's data. Cases are the kernel's. Where an item's result is a
 * certificate, it is issued in the transaction of the decision and revoked in that of its annulment.
 */
#ifndef TH_SERVICES_GOVERNMENT_H
#define TH_SERVICES_GOVERNMENT_H
#include "kernel/cases/cases.h"

typedef struct th_government th_government;
TH_MUST_USE th_status th_government_open(th_cases *cases, th_exchange *exchange, th_certificates *certificates, th_government **ret_government,
                                         th_error *error);
void th_government_close(th_government *government);
const th_route *th_government_routes(size_t *ret_n);
const char *th_government_schemas(void);
#endif
