/* work.c — what people do, in bursts of a few minutes with quiet hours between, as offices do. */
#include "sim.h"

enum { BURST_S = 30, BURST_IN_THOUSAND = 350 };

/* In most hours there is a burst, at a place that the seed decides; in it things happen `busy_us` apart, else `quiet_us`. */
int64_t sim_pause(sim *s, int64_t busy_us, int64_t quiet_us)
{
    int64_t since = s->now_us - SIM_START_US, hour = since / TH_HOUR_US, at = since % TH_HOUR_US;
    chance place;
    chance_open(&place, s->seed, 1000 + (uint64_t)hour);
    int64_t begins = chance_between(&place, 0, TH_HOUR_US - 3 * BURST_S * TH_SECOND_US);
    bool bursts = hour == 0 || chance_of(&place, BURST_IN_THOUSAND);
    if (bursts && at >= begins && at < begins + BURST_S * TH_SECOND_US)
        return chance_wait(&s->chance, busy_us);
    int64_t quiet = chance_wait(&s->chance, quiet_us), left = bursts && at < begins ? begins - at : TH_HOUR_US - at;
    return quiet < left ? quiet : left + chance_wait(&s->chance, busy_us);
}

static void work(sim *s, void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
    if (!s->working)
        return;
    unsigned nodes = s->nodes[NODES - 1].exists ? NODES : MEMBERS;
    sim_node *n = &s->nodes[chance_below(&s->chance, nodes)];
    uint64_t what = chance_below(&s->chance, 100);
    if (sim_node_runs(n)) {
        if (what < 18 && !n->lapsed) /* its consents would be worth nothing */
            sim_case_start(s, n);
        else if (what < 48)
            sim_case_clerk(s, n);
        else if (what < 55)
            sim_case_citizen(s, n);
        else if (what < 60)
            sim_case_consulted(s, n);
        else if (what < 80)
            sim_effect_put(s, n);
        else
            sim_ask(s, n);
    }
    sim_after(s, sim_pause(s, 600000, 30 * TH_MINUTE_US), work, NULL, 0);
}

void sim_work_open(sim *s)
{
    s->working = true;
    sim_after(s, TH_SECOND_US, work, NULL, 0);
}
