/* workers.c — processes that share the seeds of a call. */
#include "workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void sim_tally_add(sim_tally *tally, const sim_outcome *outcome)
{
    const uint64_t *from = (const uint64_t *)&outcome->counts;
    uint64_t *to = (uint64_t *)&tally->counts;
    for (size_t i = 0; i < sizeof tally->counts / sizeof *to; i++)
        __atomic_fetch_add(&to[i], from[i], __ATOMIC_RELAXED);
    __atomic_fetch_add(&tally->simulated_us, outcome->simulated_us, __ATOMIC_RELAXED);
    int64_t longest = __atomic_load_n(&tally->fork_us, __ATOMIC_RELAXED);
    while (outcome->fork_us > longest &&
           !__atomic_compare_exchange_n(&tally->fork_us, &longest, outcome->fork_us, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void seeds_take(sim_tally *tally, sim_seed each, void *ctx)
{
    for (;;) {
        uint64_t seed = __atomic_fetch_add(&tally->next, 1, __ATOMIC_RELAXED);
        if (seed > tally->last)
            return;
        bool passed = each(ctx, seed, tally);
        __atomic_fetch_add(passed ? &tally->passed : &tally->failed, 1, __ATOMIC_RELAXED);
    }
}

static void worker_begin(sim_tally *tally, sim_seed each, void *ctx)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        perror("simulation: fork");
        exit(2);
    }
    if (pid)
        return;
    seeds_take(tally, each, ctx);
    fflush(stdout);
    _exit(0);
}

sim_tally *sim_workers_run(uint64_t from, uint64_t to, unsigned jobs, sim_seed each, void *ctx)
{
    sim_tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    TH_ASSERT(tally != MAP_FAILED);
    tally->next = from;
    tally->last = to;
    if (jobs <= 1 || from == to) {
        seeds_take(tally, each, ctx);
        return tally;
    }
    sim_region_found();
    for (unsigned i = 0; i < jobs; i++)
        worker_begin(tally, each, ctx);
    for (int state; wait(&state) > 0;) {
        if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
            continue;
        __atomic_fetch_add(&tally->failed, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&tally->next, __ATOMIC_RELAXED) <= to)
            worker_begin(tally, each, ctx);
    }
    return tally;
}
