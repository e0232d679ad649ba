/* main.c — seeds in, verdicts out. Each run of a seed is the same; some are run twice to see that it is so. */
#include "workers.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct options {
    uint64_t from, to;
    int64_t hours;
    unsigned twice; /* every n-th seed is run a second time; 0 = none */
    unsigned jobs;
    bool verbose;
    const char *program;
} options;

static char crash_words[160];

/* A failed assertion or a wild pointer still says which seed it was. */
static void crashed(int signal_number)
{
    size_t n = strlen(crash_words);
    if (write(STDERR_FILENO, crash_words, n) < 0)
        _exit(3);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int usage(const options *o)
{
    fprintf(stderr,
            "usage: %s [--seed N | --seeds A..B] [--hours H] [--twice N] [--jobs J] [--verbose]\n"
            "  --hours H   simulated hours of trouble per seed before everything heals (default 2)\n"
            "  --twice N   run every N-th seed twice and compare all journals (default 1; 0 = never)\n"
            "  --jobs J    processes that share the seeds (default 1)\n",
            o->program);
    return 2;
}

static bool options_read(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        th_str text = th_str_of(i + 1 < argc ? argv[i + 1] : ""), first;
        int64_t a = 0, b = 0;
        if (strcmp(argv[i], "--verbose") == 0) {
            o->verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--seeds") == 0) {
            bool ok = th_str_cut(&text, '.', &first) && text.n && text.p[0] == '.' && th_parse_i64(first, 0, INT64_MAX, &a) &&
                      th_parse_i64((th_str){text.p + 1, text.n - 1}, a, INT64_MAX, &b);
            if (!ok)
                return false;
            o->from = (uint64_t)a;
            o->to = (uint64_t)b;
        } else if (!th_parse_i64(text, 0, INT64_MAX, &a)) {
            return false;
        } else if (strcmp(argv[i], "--seed") == 0) {
            o->from = o->to = (uint64_t)a;
        } else if (strcmp(argv[i], "--hours") == 0 && a > 0 && a < 10000) {
            o->hours = a;
        } else if (strcmp(argv[i], "--twice") == 0) {
            o->twice = (unsigned)a;
        } else if (strcmp(argv[i], "--jobs") == 0 && a > 0 && a <= 256) {
            o->jobs = (unsigned)a;
        } else {
            return false;
        }
        i++;
    }
    return true;
}

static void failure_print(const options *o, uint64_t seed, const char *words)
{
    printf("seed %llu failed: %s\n  replay: %s --seed %llu --hours %lld --verbose\n", (unsigned long long)seed, words, o->program,
           (unsigned long long)seed, (long long)o->hours);
    fflush(stdout);
}

static bool seed_run(void *ctx, uint64_t seed, sim_tally *tally)
{
    const options *o = ctx;
    sim_outcome first, second;
    snprintf(crash_words, sizeof crash_words, "\nseed %llu crashed\n  replay: %s --seed %llu --hours %lld --verbose\n", (unsigned long long)seed, o->program,
             (unsigned long long)seed, (long long)o->hours);
    sim_run(seed, o->hours * TH_HOUR_US, o->verbose, &first);
    sim_tally_add(tally, &first);
    if (first.failed) {
        failure_print(o, seed, first.failure);
        return false;
    }
    if (o->twice && seed % o->twice == 0) {
        sim_run(seed, o->hours * TH_HOUR_US, o->verbose, &second);
        sim_tally_add(tally, &second);
        if (second.failed || strcmp(first.hash, second.hash) != 0) {
            failure_print(o, seed, second.failed ? second.failure : "the same seed left other journals the second time");
            return false;
        }
    }
    if (o->from == o->to)
        printf("seed %llu: journals %s\n", (unsigned long long)seed, first.hash);
    return true;
}

static void tally_print(const sim_tally *tally, double took)
{
    const sim_counts *c = &tally->counts;
    double hours = (double)tally->simulated_us / (double)TH_HOUR_US;
    printf("%llu events, %llu batches (%llu of heads and proofs only), %llu messages; %llu cases (%llu delivered), %llu asks (%llu answered), "
           "%llu effects (%llu refused for the moment)\n",
           (unsigned long long)c->events, (unsigned long long)c->batches, (unsigned long long)c->quiet, (unsigned long long)c->messages,
           (unsigned long long)c->cases, (unsigned long long)c->delivered, (unsigned long long)c->asks, (unsigned long long)c->asks_ok,
           (unsigned long long)c->effects, (unsigned long long)c->refused);
    printf("%llu deaths (%llu while writing), %llu restores, %llu trust documents, %llu key rotations (%llu taken back); longest way from a fork to its alarm %.0f s\n",
           (unsigned long long)c->kills, (unsigned long long)c->buried_inside, (unsigned long long)c->restores,
           (unsigned long long)c->documents, (unsigned long long)c->rotations, (unsigned long long)c->lapses, (double)tally->fork_us / 1e6);
    printf("%.0f region-hours in %.1f s: %.0f region-hours a minute\n", hours, took, hours / took * 60);
    printf("%llu passed, %llu failed\n", (unsigned long long)tally->passed, (unsigned long long)tally->failed);
}

int main(int argc, char **argv)
{
    options o = {.from = 1, .to = 1, .hours = 2, .twice = 1, .jobs = 1, .program = argv[0]};
    double begun = seconds();
    if (!options_read(argc, argv, &o))
        return usage(&o);
    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* runs come one after the other: the memory of one serves the next */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    signal(SIGABRT, crashed);
    signal(SIGSEGV, crashed);
    sim_must(th_crypto_start(), NULL, "crypto");
    disk_vfs_register(sim_time_zero, NULL);
    const sim_tally *tally = sim_workers_run(o.from, o.to, o.jobs, seed_run, &o);
    sim_region_close();
    tally_print(tally, seconds() - begun);
    return tally->failed ? 1 : 0;
}
