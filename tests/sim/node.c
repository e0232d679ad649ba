/* node.c — one administration's installation, as src/node assembles it, but for listeners and people: opened, ticked, killed, buried. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { TICK_US = 500000, IDLE_TICK_US = 30000000, CASES_EVERY_US = 1000000, GRANTS_EVERY_S = 1800 };

static const char schema_of_effects[] = "effects";

int64_t sim_node_now(const sim_node *n)
{
    return n->sim->now_us + n->clock_us;
}

static int64_t env_now(void *ctx)
{
    return sim_node_now(ctx);
}

static void env_random(void *ctx, void *bytes, size_t size)
{
    sim_node *n = ctx;
    chance_bytes(&n->chance, bytes, size);
}

void sim_node_make(sim *s, unsigned slot, unsigned member)
{
    sim_node *n = &s->nodes[slot];
    *n = (sim_node){.sim = s, .slot = slot, .member = member, .exists = true};
    memcpy(n->code, sim_codes[member], sizeof n->code);
    chance_open(&n->chance, s->seed, 100 + slot);
    n->env = (th_env){env_now, env_random, n};
    n->disk = disk_open(slot);
}

void sim_node_free(sim_node *n)
{
    disk_close(n->disk);
    n->disk = NULL;
    n->exists = false;
}

const th_key *sim_node_key(const sim_node *n)
{
    return sim_key(n->member, USE_MESSAGE, n->message_generation, n->message_sm2);
}

/* ---- opening ---- */

void sim_node_secret(const sim_node *n, uint8_t ret_secret[32])
{
    th_str pieces[] = {TH_STR("simulation secret "), th_str_of(n->code)};
    th_hash hash = th_hash_of(TH_SUITE_ED25519, pieces, 2);
    memcpy(ret_secret, hash.b, sizeof hash.b);
}

static th_status schemas_migrate(sim_node *n, th_error *error)
{
    const struct { const char *name, *sql; } all[] = {{"journal", th_journal_schema()},
                                                      {"exchange", th_exchange_schema()},
                                                      {"records", th_records_schema()},
                                                      {"cases", th_cases_schema()},
                                                      {schema_of_effects, sim_effect_schema()}};
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < TH_COUNT(all); i++)
        status = th_store_migrate(n->store, all[i].name, all[i].sql, error);
    return status;
}

static th_status exchange_open(sim_node *n, th_error *error)
{
    bool sm2 = n->sim->suites == SUITES_SM2 || (n->sim->suites == SUITES_MIXED && n->member == 2);
    th_exchange_options options = {
        .code = n->code,
        .store = n->store,
        .env = &n->env,
        .message_key = (th_key *)(uintptr_t)sim_node_key(n),
        .journal_key = (th_key *)(uintptr_t)sim_key(n->member, USE_JOURNAL, n->journal_generation, sm2),
        .batch_lines = n->sim->batch_lines,
        .wake = sim_net_wake,
        .wake_ctx = n};
    sim_node_secret(n, options.secret);
    th_status status = th_exchange_open(&options, &n->exchange, error);
    if (status)
        return status;
    th_writer_hooks hooks = th_exchange_hooks(n->exchange);
    status = th_writer_open(n->store, &hooks, false, 0, &n->writer, error);
    if (!status)
        th_exchange_writer_set(n->exchange, n->writer);
    return status;
}

static th_status records_open(sim_node *n, th_error *error)
{
    th_records_options options = {.code = n->code, .region_dir = SIM_REGION, .store = n->store, .writer = n->writer, .env = &n->env};
    sim_node_secret(n, options.secret);
    th_status status = th_records_open(&options, &n->records, error);
    return status ? status : th_records_attach(n->records, n->exchange, error);
}

static th_status cases_open(sim_node *n, th_error *error)
{
    size_t count;
    const th_case_file *items = sim_items(&count);
    th_cases_options options = {.code = n->code,
                                .calendar = sim_file("calendar/working-days.json"),
                                .clocks = sim_file("clocks.json"),
                                .machine = sim_file("cases.json"),
                                .items = items,
                                .item_count = count,
                                .any_item = true,
                                .store = n->store,
                                .writer = n->writer,
                                .env = &n->env,
                                .message_key = (th_key *)(uintptr_t)sim_node_key(n),
                                .exchange = n->exchange};
    sim_node_secret(n, options.secret);
    th_status status = th_cases_open(&options, &n->cases, error);
    return status ? status : th_cases_watch(n->cases, sim_case_told, n);
}

static th_status parts_open(sim_node *n, th_error *error)
{
    char url[48];
    snprintf(url, sizeof url, "sqlite:/%u/store.sqlite", n->slot);
    th_status status = th_store_open(url, "sim", &n->store, error);
    if (!status)
        status = schemas_migrate(n, error);
    if (!status)
        status = exchange_open(n, error);
    if (!status)
        status = records_open(n, error);
    if (!status)
        status = cases_open(n, error);
    if (!status)
        status = sim_effect_types(n);
    if (!status && n->restored) { /* as the command line does before the node serves */
        status = th_exchange_restored(n->exchange, error);
        n->restored = status != TH_OK || n->dying;
    }
    return status;
}

/* As th_node_stop and th_node_close: calls first, then what still waits, the writer, the modules backwards. */
static void parts_close(sim_node *n)
{
    if (n->exchange) {
        sim_net_calls_end(n);
        th_exchange_stop(n->exchange);
    }
    if (n->writer)
        th_writer_close(n->writer);
    if (n->exchange)
        sim_net_letters_end(n);
    th_cases_close(n->cases);
    th_records_close(n->records);
    th_exchange_close(n->exchange);
    th_store_close(n->store);
    n->cases = NULL;
    n->records = NULL;
    n->exchange = NULL;
    n->writer = NULL;
    n->store = NULL;
}

/* ---- ticking ---- */

static void tick(sim *s, void *ctx, uint64_t tag);

static void tick_after(sim_node *n, int64_t us)
{
    sim_after(n->sim, us, tick, n, n->life << 32 | ++n->ticks);
}

static void grants_refresh(sim_node *n)
{
    int64_t now = n->sim->now_us;
    th_trust *trust = th_exchange_trust(n->exchange);
    for (unsigned m = 0; trust && m < MEMBERS; m++) {
        const th_member *member = th_trust_member(trust, th_str_of(sim_codes[m]));
        if (m == n->member || !member || member->suspended || now - n->grants_at_us[m] < GRANTS_EVERY_S * TH_SECOND_US)
            continue;
        n->grants_at_us[m] = now;
        sim_net_ask_grants(n, m);
    }
    th_trust_release(trust);
}

static void tick(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    if (!sim_node_runs(n) || tag != (n->life << 32 | n->ticks))
        return;
    th_exchange_tick(n->exchange);
    grants_refresh(n);
    if (s->now_us - n->cases_at_us >= CASES_EVERY_US) {
        n->cases_at_us = s->now_us;
        th_cases_tick(n->cases);
    }
    tick_after(n, s->now_us < n->busy_until_us ? TICK_US : IDLE_TICK_US);
}

void sim_node_busy(sim_node *n)
{
    sim *s = n->sim;
    bool was = s->now_us < n->busy_until_us;
    n->busy_until_us = s->now_us + 15 * TH_SECOND_US;
    if (!was && sim_node_runs(n))
        tick_after(n, TICK_US);
}

/* ---- the writer's thread ---- */

static void writer_step(sim *s, void *ctx, uint64_t life)
{
    sim_node *n = ctx;
    (void)s;
    if (!sim_node_runs(n) || n->life != life)
        return;
    n->step_due = false;
    th_writer_step(n->writer);
    if (sim_node_runs(n))
        sim_check_commit(n);
}

static void writer_begin(sim_node *n)
{
    if (!sim_node_runs(n) || n->step_due || !th_writer_read_stats(n->writer).waiting)
        return;
    n->step_due = true;
    sim_after(n->sim, chance_of(&n->chance, 5) ? chance_between(&n->chance, 20000, 800000) : chance_between(&n->chance, 150, 1500),
              writer_step, n, n->life);
}

/* ---- lives ---- */

static void start_again(sim *s, void *ctx, uint64_t life)
{
    sim_node *n = ctx;
    if (n->exists && !n->up && n->life == life)
        sim_node_start(s, n);
}

void sim_node_start_later(sim_node *n, int64_t delay_us)
{
    sim_after(n->sim, delay_us, start_again, n, n->life);
}

static void bury(sim *s, sim_node *n)
{
    parts_close(n);
    disk_crash(n->disk, n->power, &s->chance);
    n->up = n->dying = false;
    n->life++;
    s->counts.kills++;
    sim_node_start_later(n, s->healing ? TH_SECOND_US : chance_wait(&s->chance, 6 * TH_SECOND_US));
}

void sim_node_start(sim *s, sim_node *n)
{
    th_error error = {0};
    TH_ASSERT(!n->up && !n->dying);
    n->life++;
    n->drain_due = n->step_due = false;
    memset(n->woken, 0, sizeof n->woken);
    n->up = true;
    th_status status = parts_open(n, &error);
    if (status && !n->dying) { /* a full or failing disk: it tries again, as systemd would */
        sim_say(s, "%s: does not open: %s", n->code, error.type);
        if (status != TH_NO_SPACE && status != TH_IO && status != TH_BUSY)
            sim_fail(s, "%s does not open again: %s %s", n->code, error.type, error.en);
        parts_close(n);
        n->up = false;
        sim_node_start_later(n, 5 * TH_SECOND_US);
        return;
    }
    if (n->dying)
        return; /* killed while it opened: buried after this event */
    sim_say(s, "%s: up, life %llu", n->code, (unsigned long long)n->life);
    sim_facts_check(n, false);
    sim_check_commit(n);
    n->busy_until_us = s->now_us + 15 * TH_SECOND_US;
    tick_after(n, TICK_US / 5);
}

void sim_node_stop(sim *s, sim_node *n)
{
    if (!sim_node_runs(n))
        return;
    parts_close(n);
    sim_say(s, "%s: stopped", n->code);
    n->up = false;
    n->life++;
    if (n->dying) { /* killed while it stopped */
        disk_crash(n->disk, n->power, &s->chance);
        n->dying = false;
    }
}

void sim_node_kill(sim_node *n, bool power)
{
    if (!sim_node_runs(n))
        return;
    sim_say(n->sim, "%s: %s", n->code, power ? "power fails" : "killed");
    n->dying = true;
    n->power = power;
    disk_freeze(n->disk);
}

void sim_nodes_settle(sim *s)
{
    for (unsigned i = 0; i < NODES; i++) {
        sim_node *n = &s->nodes[i];
        if (!n->exists)
            continue;
        if (n->dying)
            bury(s, n);
        writer_begin(n);
    }
}
