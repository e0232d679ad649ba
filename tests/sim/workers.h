/* workers.h — the seeds of one call spread over processes, and what came of them all.
 *
 * The region is founded once, before the processes part; each then takes the next seed that nobody has. A seed does the same in any
 * company, so that it does not matter who takes it. A process that dies has failed its seed; another one takes its place.
 */
#ifndef SIM_WORKERS_H
#define SIM_WORKERS_H
#include "sim.h"

typedef struct sim_tally { /* shared by all processes; each figure is added to as a seed ends */
    uint64_t next, last;   /* seeds to come */
    uint64_t passed, failed;
    sim_counts counts;
    int64_t simulated_us, fork_us; /* fork_us: the longest way from a fork to its alarm */
} sim_tally;

void sim_tally_add(sim_tally *tally, const sim_outcome *outcome);
/* `each` runs one seed: true when it passed. `jobs` = 1: in this process. Returns the tally; it lasts as long as the process. */
typedef bool (*sim_seed)(void *ctx, uint64_t seed, sim_tally *tally);
sim_tally *sim_workers_run(uint64_t from, uint64_t to, unsigned jobs, sim_seed each, void *ctx);
#endif
