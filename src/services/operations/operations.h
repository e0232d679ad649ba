/* operations.h — the region seen whole: the wall, its live stream, the tour, and the demonstration's quiet life.
 *
 * Promises  Shows counts, times and states, never a person's data. Each node publishes a beat once a second (what it did) to its
 *           peers' walls through the exchange's own links; the node that serves the wall puts them together. The tour and the
 *           simulated life exist only where the configuration says `demonstration`, and everything they make is marked simulated.
 */
#ifndef TH_SERVICES_OPERATIONS_H
#define TH_SERVICES_OPERATIONS_H
#include "kernel/cases/cases.h"

typedef struct th_operations th_operations;
typedef struct th_operations_options {
    const char *code, *region_dir;
    const th_env *env;
    th_exchange *exchange;
    th_cases *cases;
    th_people *people;
    bool demonstration;
} th_operations_options;

TH_MUST_USE th_status th_operations_open(const th_operations_options *options, th_operations **ret_operations, th_error *error);
TH_MUST_USE th_status th_operations_start(th_operations *operations, th_error *error); /* its thread: beats once a second */
void th_operations_stop(th_operations *operations);
void th_operations_close(th_operations *operations);
const th_route *th_operations_routes(size_t *ret_n);
const char *th_operations_schemas(void);
#endif
