/* run.c — one seed from beginning to end. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_EVERY_US = 2000000, SETTLE_MINUTES = 60, FORK_MINUTES = 20 };

/* ---- words ---- */

void sim_fail(sim *s, const char *format, ...)
{
    va_list list;
    if (s->failed)
        return;
    s->failed = true;
    int n = snprintf(s->failure, sizeof s->failure, "+%.3f s: ", (double)(s->now_us - SIM_START_US) / 1e6);
    va_start(list, format);
    vsnprintf(s->failure + n, sizeof s->failure - (size_t)n, format, list);
    va_end(list);
}

void sim_say(sim *s, const char *format, ...)
{
    va_list list;
    if (!s->verbose)
        return;
    printf("%12.6f  ", (double)(s->now_us - SIM_START_US) / 1e6);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
}

void sim_must(th_status status, const th_error *error, const char *what)
{
    if (!status)
        return;
    fprintf(stderr, "simulation: %s: %s %s\n", what, th_status_name(status), error ? error->en : "");
    exit(2);
}

static void log_line(void *ctx, th_str line)
{
    sim_say(ctx, "  log %.*s", TH_FMT(line));
}

/* ---- what a seed does ---- */

static void features_draw(sim *s)
{
    chance c;
    chance_open(&c, s->seed, 7);
    sim_features *f = &s->features;
    f->kills = chance_of(&c, 800);
    f->power = chance_of(&c, 800);
    f->die_inside = chance_of(&c, 700);
    f->restarts = chance_of(&c, 500);
    f->cuts = chance_of(&c, 500);
    f->loss = chance_of(&c, 500);
    f->duplicates = chance_of(&c, 500);
    f->slow = chance_of(&c, 500);
    f->clogs = chance_of(&c, 400);
    f->full = chance_of(&c, 300);
    f->bad_syncs = chance_of(&c, 200);
    f->clocks = chance_of(&c, 350);
    f->suspends = chance_of(&c, 250);
    f->rotates = chance_of(&c, 300);
    f->refusals = chance_of(&c, 400);
    f->checkpoints = chance_of(&c, 500);
    f->withdraws = chance_of(&c, 500);
    f->restores = chance_of(&c, 120);
    f->equivocates = !f->restores && chance_of(&c, 100);
    uint64_t suites = chance_below(&c, 100);
    s->suites = suites < 82 ? SUITES_ED25519 : suites < 97 ? SUITES_MIXED : SUITES_SM2;
    f->rotates = f->rotates || s->suites == SUITES_MIXED; /* from one suite to the other, too */
    static const size_t lines[] = {0, 0, 0, 0, 2, 5, 20};
    s->batch_lines = lines[chance_below(&c, TH_COUNT(lines))];
    s->equivocator = f->equivocates ? (int)chance_below(&c, MEMBERS) : -1;
}

/* Whatever a process keeps outside the region's objects starts over, so that a seed does the same in any company. */
void sim_process_reset(uint64_t seed)
{
    char id[TH_ID_TEXT];
    th_env zero = th_env_real();
    zero.now_us = sim_time_zero;
    th_uuid7(&zero, id);
    disk_vfs_seed(seed);
    chance_feeds_openssl(seed);
}

int64_t sim_time_zero(void *ctx)
{
    (void)ctx;
    return 0;
}

/* ---- a run ---- */

static void steps_run(sim *s, int64_t until_us)
{
    sim_event e;
    while (!s->failed && s->queue.n && s->queue.heap[0].at_us <= until_us) {
        TH_ASSERT(sim_queue_next(&s->queue, &e));
        s->now_us = e.at_us;
        s->counts.events++;
        e.step(s, e.ctx, e.tag);
        sim_nodes_settle(s);
    }
    if (!s->failed && s->now_us < until_us)
        s->now_us = until_us;
}

static void open_all(sim *s)
{
    sim_region_open(s);
    sim_process_reset(s->seed);
    sim_memo_begin(s->seed % 8 != 0);
    chance_open(&s->chance, s->seed, 1);
    chance_open(&s->net.chance, s->seed, 2);
    for (unsigned m = 0; m < MEMBERS; m++) {
        sim_node_make(s, m, m);
        sim_region_disk(s, m, s->nodes[m].disk);
        s->nodes[m].message_sm2 = s->members[m].message_sm2[0];
        for (unsigned k = 0; k < MEMBERS; k++)
            s->nodes[m].grants_at_us[k] = s->now_us;
        sim_node_start(s, &s->nodes[m]);
    }
    sim_operator_open(s);
    sim_nemesis_open(s);
    sim_work_open(s);
}

static void heal_and_settle(sim *s)
{
    s->working = false;
    s->healing = true;
    sim_say(s, "healing");
    sim_nemesis_heal(s);
    sim_operator_heal(s);
    int64_t end = s->now_us + SETTLE_MINUTES * TH_MINUTE_US, fork_end = s->now_us + FORK_MINUTES * TH_MINUTE_US;
    bool settled = false;
    while (!s->failed && !settled && s->now_us < end) {
        steps_run(s, s->now_us + SETTLE_EVERY_US);
        settled = sim_settled(s);
    }
    if (!s->failed && !settled)
        sim_not_settled(s);
    /* A liar is found out by what it shows: from here on both its lives do something every minute. */
    while (!s->failed && s->forked_us && s->now_us < fork_end && !sim_fork_seen(s)) {
        sim_node *lives[] = {&s->nodes[s->equivocator], &s->nodes[NODES - 1]};
        for (size_t i = 0; i < TH_COUNT(lives); i++)
            if (sim_node_runs(lives[i]))
                sim_ask(s, lives[i]);
        steps_run(s, s->now_us + TH_MINUTE_US);
    }
}

static void close_all(sim *s)
{
    for (unsigned i = 0; i < NODES; i++) {
        if (!s->nodes[i].exists)
            continue;
        if (s->nodes[i].up)
            sim_node_stop(s, &s->nodes[i]);
        sim_node_free(&s->nodes[i]);
    }
    disk_close(s->backup);
    sim_net_close(s);
    sim_queue_close(&s->queue);
    sim_facts_close(s);
    sim_cases_close(s);
    sim_answers_close(s);
    th_arena_close(&s->arena);
}

void sim_run(uint64_t seed, int64_t hours_us, bool verbose, sim_outcome *ret)
{
    static sim the_run;
    sim *s = &the_run;
    memset(s, 0, sizeof *s);
    *s = (sim){.seed = seed, .hours_us = hours_us, .verbose = verbose, .now_us = SIM_START_US};
    s->facts_last = &s->facts;
    th_arena_open(&s->arena, 256u << 20);
    th_log_sink_set(log_line, s);
    th_log_level_set(verbose ? TH_LOG_INFO : TH_LOG_ERROR);
    features_draw(s);
    sim_say(s, "suites %s", s->suites == SUITES_ED25519 ? "ed25519" : s->suites == SUITES_SM2 ? "sm2" : "mixed");
    open_all(s);
    steps_run(s, SIM_START_US + hours_us);
    if (!s->failed)
        heal_and_settle(s);
    *ret = (sim_outcome){.simulated_us = s->now_us - SIM_START_US};
    if (!s->failed)
        sim_checks_end(s);
    if (!s->failed)
        sim_journals_hash(s, ret->hash);
    ret->failed = s->failed;
    memcpy(ret->failure, s->failure, sizeof ret->failure);
    ret->counts = s->counts;
    ret->fork_us = s->forked_us ? s->fork_seen_us - s->forked_us : 0;
    close_all(s);
}
