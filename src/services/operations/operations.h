/* operations.h — the region seen whole: the wall, its live stream, the tour, and the demonstration's quiet life.
 *
 * Promises  Shows counts, times and states, never a person's data. Each node tells its own beat (what it did in the last second) to
 *           members on the peers' listener; the node that serves the wall asks for them once a second and puts them together. The
 *           tour and the simulated life exist only where the configuration says `demonstration`, and all they make is marked.
 * Tables    operations_* only.
 * Threads   One thread of its own from start to stop; a tour has one more while it plays.
 */
#ifndef TH_SERVICES_OPERATIONS_H
#define TH_SERVICES_OPERATIONS_H
#include "kernel/cases/cases.h"

typedef struct th_operations th_operations;
typedef struct th_operations_options {
    const char *code, *region_dir;
    const th_env *env;
    th_store *store;
    th_writer *writer;
    th_exchange *exchange;
    th_cases *cases;
    struct th_people *people;
    bool demonstration;
    int life_per_minute; /* simulated messages a minute; 0 = none. Only with demonstration. */
    uint64_t seed;       /* of the simulated data */
} th_operations_options;

TH_MUST_USE th_status th_operations_open(const th_operations_options *options, th_operations **ret_operations, th_error *error);
TH_MUST_USE th_status th_operations_start(th_operations *operations, th_client *client, th_error *error);
void th_operations_life_set(th_operations *operations, int per_minute); /* any thread */
void th_operations_stop(th_operations *operations); /* before the client closes */
void th_operations_close(th_operations *operations);
const char *th_operations_schema(void);
const th_route *th_operations_routes(size_t *ret_n);
const char *th_operations_schemas(void);
#endif
