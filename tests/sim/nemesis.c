/* nemesis.c — what goes wrong: deaths, cuts, clogs, loss, full disks, failing syncs, wrong clocks. Each is taken back after a while. */
#include "sim.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static sim_node *node_any(sim *s)
{
    sim_node *n = &s->nodes[chance_below(&s->chance, s->nodes[NODES - 1].exists ? NODES : MEMBERS)];
    return n->exists ? n : &s->nodes[0];
}

/* ---- deaths ---- */

static void die(void *ctx)
{
    sim_node *n = ctx;
    sim_say(n->sim, "%s: dies while it writes", n->code);
    n->sim->counts.buried_inside++;
    n->dying = true;
}

static void kill_some(sim *s)
{
    sim_node *n = node_any(s);
    bool power = s->features.power && chance_of(&s->chance, 700);
    unsigned more = chance_of(&s->chance, 150) ? MEMBERS : 0; /* all of them */
    if (s->features.die_inside && chance_of(&s->chance, 600) && sim_node_runs(n)) {
        n->power = power;
        disk_die_at(n->disk, 1 + chance_below(&s->chance, 60), chance_of(&s->chance, 500), die, n);
        return;
    }
    sim_node_kill(n, power);
    for (unsigned i = 0; i < more; i++)
        sim_node_kill(&s->nodes[i], power);
}

static void restart_some(sim *s)
{
    sim_node *n = node_any(s);
    if (!sim_node_runs(n))
        return;
    sim_node_stop(s, n);
    sim_node_start_later(n, chance_wait(&s->chance, 5 * TH_SECOND_US));
}

/* ---- the net ---- */

static void uncut(sim *s, void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
    memset(s->net.cut, 0, sizeof s->net.cut);
    sim_say(s, "net: whole again");
}

static void cut_some(sim *s)
{
    unsigned side = (unsigned)chance_between(&s->chance, 1, (1 << NODES) - 2);
    bool one_way = chance_of(&s->chance, 200);
    for (unsigned a = 0; a < NODES; a++)
        for (unsigned b = 0; b < NODES; b++)
            if ((side >> a & 1) != (side >> b & 1) && (!one_way || (side >> a & 1)))
                s->net.cut[a][b] = true;
    sim_say(s, "net: cut into %#x%s", side, one_way ? ", one way" : "");
    sim_after(s, chance_wait(&s->chance, 40 * TH_SECOND_US), uncut, NULL, 0);
}

static void clog_set(sim *s, void *ctx, uint64_t tag)
{
    unsigned node = (unsigned)(tag >> 1);
    (void)ctx;
    for (unsigned i = 0; i < NODES; i++)
        s->net.clogged[node][i] = s->net.clogged[i][node] = (tag & 1) && i != node;
}

/* Swizzle: nodes are clogged one after the other and freed in another order. */
static void swizzle(sim *s)
{
    int64_t last = 0;
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (!chance_of(&s->chance, 600))
            continue;
        int64_t from = chance_between(&s->chance, 0, 10 * TH_SECOND_US), until = from + chance_wait(&s->chance, 20 * TH_SECOND_US);
        sim_after(s, from, clog_set, NULL, i << 1 | 1);
        sim_after(s, until, clog_set, NULL, i << 1);
        last = until > last ? until : last;
    }
    sim_say(s, "net: clogs for %lld s", (long long)(last / TH_SECOND_US));
}

static void calm(sim *s, void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
    s->net.loss = s->net.slow = 0;
    s->net.delay_us = 2000;
}

static void weather(sim *s)
{
    s->net.loss = s->features.loss ? (unsigned)chance_below(&s->chance, 200) : 0;
    s->net.slow = s->features.slow ? (unsigned)chance_below(&s->chance, 300) : 0;
    s->net.delay_us = chance_wait(&s->chance, 20000);
    sim_after(s, chance_wait(&s->chance, 60 * TH_SECOND_US), calm, NULL, 0);
}

/* ---- disks ---- */

static void disk_mend(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    (void)s;
    (void)tag;
    if (n->exists) {
        disk_quota(n->disk, 0);
        disk_syncs_fail(n->disk, 0, NULL);
    }
}

static void disk_spoil(sim *s, bool full)
{
    sim_node *n = node_any(s);
    if (full)
        disk_quota(n->disk, (int64_t)disk_used(n->disk) + chance_between(&s->chance, 1, 200000));
    else
        disk_syncs_fail(n->disk, (unsigned)chance_between(&s->chance, 50, 1000), &n->chance);
    sim_say(s, "%s: %s", n->code, full ? "disk is nearly full" : "syncs fail");
    sim_after(s, chance_wait(&s->chance, 20 * TH_SECOND_US), disk_mend, n, 0);
}

/* The writer's log is written back into the main file while others read. */
static void checkpoint(sim *s)
{
    sim_node *n = node_any(s);
    char path[48];
    sqlite3 *db = NULL;
    if (!sim_node_runs(n))
        return;
    snprintf(path, sizeof path, "/%u/store.sqlite", n->slot);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "sim") == SQLITE_OK)
        sqlite3_exec(db, chance_of(&s->chance, 500) ? "PRAGMA wal_checkpoint(PASSIVE)" : "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    sqlite3_close(db);
}

/* ---- clocks: off by up to five minutes, forwards or back ---- */

static void clock_mend(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    (void)s;
    (void)tag;
    n->clock_us = 0;
    n->clock_sets++;
}

static void clock_spoil(sim *s)
{
    sim_node *n = node_any(s);
    int64_t most = chance_of(&s->chance, 500) ? 5 * TH_MINUTE_US : 20 * TH_SECOND_US;
    n->clock_us = chance_between(&s->chance, -most, most);
    n->clock_sets++;
    sim_say(s, "%s: clock off by %lld s", n->code, (long long)(n->clock_us / TH_SECOND_US));
    sim_after(s, chance_wait(&s->chance, 2 * TH_MINUTE_US), clock_mend, n, 0);
}

/* ---- choosing ---- */

static void strike(sim *s)
{
    const sim_features *f = &s->features;
    switch (chance_below(&s->chance, 11)) {
    case 0:
    case 1:
    case 2:
        if (f->kills)
            kill_some(s);
        break;
    case 3:
        if (f->restarts)
            restart_some(s);
        break;
    case 4:
        if (f->cuts)
            cut_some(s);
        break;
    case 5:
        if (f->clogs)
            swizzle(s);
        break;
    case 6:
        if (f->loss || f->slow)
            weather(s);
        break;
    case 7:
        if (f->full)
            disk_spoil(s, true);
        break;
    case 8:
        if (f->bad_syncs)
            disk_spoil(s, false);
        break;
    case 9:
        if (f->clocks)
            clock_spoil(s);
        break;
    default:
        if (f->checkpoints)
            checkpoint(s);
    }
}

static void nemesis(sim *s, void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
    if (!s->working)
        return;
    strike(s);
    sim_after(s, sim_pause(s, 3 * TH_SECOND_US, 40 * TH_MINUTE_US), nemesis, NULL, 0);
}

void sim_nemesis_open(sim *s)
{
    s->net.delay_us = 2000;
    s->net.slow_us = 4 * TH_SECOND_US;
    s->net.duplicates = s->features.duplicates ? 100 : 0;
    sim_after(s, chance_wait(&s->chance, 20 * TH_SECOND_US), nemesis, NULL, 0);
}

void sim_nemesis_heal(sim *s)
{
    uncut(s, NULL, 0);
    memset(s->net.clogged, 0, sizeof s->net.clogged);
    calm(s, NULL, 0);
    s->net.duplicates = 0;
    for (unsigned i = 0; i < NODES; i++) {
        sim_node *n = &s->nodes[i];
        if (!n->exists)
            continue;
        disk_mend(s, n, 0);
        disk_die_at(n->disk, 0, false, NULL, NULL);
        n->clock_us = 0;
        n->clock_sets++;
        if (!n->up)
            sim_node_start_later(n, TH_SECOND_US);
    }
}
