/* operator.c — those who govern: trust documents signed and handed to the nodes one by one, members suspended and taken back, keys
 * exchanged while everything goes on, backups made and played back, and a member whose machine is copied and leads two lives. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { BACKUP_SLOT = 6 };

/* ---- handing documents out ---- */

static int64_t version_of(sim_node *n)
{
    th_trust *trust = th_exchange_trust(n->exchange);
    int64_t version = trust ? trust->version : 0;
    th_trust_release(trust);
    return version;
}

static void document_apply(sim *s, sim_node *n)
{
    th_error error = {0};
    int64_t version = version_of(n) + 1;
    if (version > s->version)
        return;
    th_status status = th_exchange_trust_apply(n->exchange, s->documents[version], &error);
    if (!sim_node_runs(n))
        return;
    sim_check_commit(n);
    if (status == TH_OK) {
        sim_say(s, "%s: trust document %lld", n->code, (long long)version);
        sim_fact_add(n, FACT_TRUST, NULL, NULL, version, NULL);
    } else if (status != TH_NO_SPACE && status != TH_IO && status != TH_BUSY) {
        sim_fail(s, "%s refused trust document %lld: %s %s", n->code, (long long)version, error.type, error.en);
    }
}

static void documents_hand_out(sim *s, void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
    for (unsigned i = 0; i < NODES; i++) {
        sim_node *n = &s->nodes[i];
        if (n->exists && sim_node_runs(n) && version_of(n) < s->version && (s->healing || chance_of(&s->chance, 400)))
            document_apply(s, n);
    }
    sim_after(s, s->healing ? TH_SECOND_US : chance_wait(&s->chance, 20 * TH_SECOND_US), documents_hand_out, NULL, 0);
}

/* ---- suspending ---- */

static void readmit(sim *s, void *ctx, uint64_t member)
{
    (void)ctx;
    if (!s->members[member].suspended)
        return;
    s->members[member].suspended = false;
    sim_region_issue(s);
    sim_say(s, "region: %s taken back by version %lld", sim_codes[member], (long long)s->version);
}

static void suspend(sim *s, void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
    unsigned m = (unsigned)chance_below(&s->chance, MEMBERS);
    if (!s->working)
        return;
    if (!s->members[m].suspended) {
        s->members[m].suspended = true;
        sim_region_issue(s);
        sim_say(s, "region: %s suspended by version %lld", sim_codes[m], (long long)s->version);
        sim_after(s, chance_wait(&s->chance, 5 * TH_MINUTE_US), readmit, NULL, m);
    }
    sim_after(s, chance_wait(&s->chance, 90 * TH_MINUTE_US), suspend, NULL, 0);
}

/* ---- exchanging keys: listed in a document, used once the node itself has it, the old one ended by a later document ---- */

/* Somebody puts the old key back when it has ended: whatever the node signs with it is refused, and nobody asks it in vain for long. */

static void key_lapse_end(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    (void)s;
    (void)tag;
    if (!n->lapsed)
        return;
    if (!sim_node_runs(n)) {
        sim_after(s, TH_SECOND_US, key_lapse_end, n, 0);
        return;
    }
    n->lapsed = false;
    n->message_generation = s->members[n->member].message_generations - 1;
    n->message_sm2 = s->members[n->member].message_sm2[n->message_generation];
    sim_say(s, "%s: signs with message key %d again", n->code, n->message_generation);
    sim_node_stop(s, n);
    sim_node_start_later(n, 300000);
}

static void lapsed_ask(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    (void)tag;
    if (n->lapsed && sim_node_runs(n))
        sim_ask(s, n);
}

static void key_lapse(sim *s, void *ctx, uint64_t version)
{
    sim_node *n = ctx;
    const sim_member_state *state = &s->members[n->member];
    if (!s->working || n->lapsed || n->message_generation != state->message_generations - 1)
        return;
    if (!sim_node_runs(n)) {
        sim_after(s, 10 * TH_SECOND_US, key_lapse, n, version);
        return;
    }
    n->lapsed = true;
    n->lapsed_version = (int64_t)version;
    n->message_generation = 0;
    n->message_sm2 = state->message_sm2[0];
    s->counts.lapses++;
    sim_say(s, "%s: signs with message key 0, which has ended", n->code);
    sim_node_stop(s, n);
    sim_node_start_later(n, 300000);
    for (int i = 1; i <= 6; i++)
        sim_after(s, i * 10 * TH_SECOND_US, lapsed_ask, n, 0);
    sim_after(s, chance_between(&s->chance, 60, 120) * TH_SECOND_US, key_lapse_end, n, 0);
}

bool sim_key_ended(sim_node *n, sim_node *provider)
{
    return n->lapsed && n != provider && sim_node_runs(provider) && !n->sim->features.restores && version_of(provider) >= n->lapsed_version;
}

static void key_end(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    sim_member_state *state = &s->members[n->member];
    sim_use use = (sim_use)tag;
    int current = use == USE_MESSAGE ? n->message_generation : n->journal_generation;
    int64_t *ends = use == USE_MESSAGE ? state->message_ends_us : state->journal_ends_us;
    for (int g = 0; g < current; g++)
        if (ends[g] > s->now_us + TH_DAY_US)
            ends[g] = s->now_us + 10 * TH_MINUTE_US;
    if (s->working) {
        sim_region_issue(s);
        sim_say(s, "region: old keys of %s end by version %lld", n->code, (long long)s->version);
        if (use == USE_MESSAGE && chance_of(&s->chance, 500)) /* its clock and others' may be off */
            sim_after(s, (s->features.clocks ? 16 : 11) * TH_MINUTE_US + chance_wait(&s->chance, 3 * TH_MINUTE_US), key_lapse, n, (uint64_t)s->version);
    }
}

static void key_use(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    sim_member_state *state = &s->members[n->member];
    sim_use use = (sim_use)(tag & 1);
    int64_t version = (int64_t)(tag >> 1);
    int newest = (use == USE_MESSAGE ? state->message_generations : state->journal_generations) - 1;
    if (!sim_node_runs(n) || n->lapsed || version_of(n) < version || sim_node_now(n) < state->begins_us[use][newest]) {
        if (!s->healing)
            sim_after(s, 5 * TH_SECOND_US, key_use, n, tag);
        return;
    }
    if (!n->calls && !s->healing && chance_of(&s->chance, 990)) { /* better with something in flight */
        sim_after(s, 50000, key_use, n, tag);
        return;
    }
    sim_say(s, "%s: signs with %s key %d", n->code, use == USE_MESSAGE ? "message" : "journal", newest);
    if (use == USE_MESSAGE) {
        n->message_generation = newest;
        n->message_sm2 = state->message_sm2[newest];
    } else {
        n->journal_generation = newest;
    }
    s->counts.rotations++;
    if (chance_of(&s->chance, 500)) {
        sim_node_stop(s, n);
        sim_node_start_later(n, 300000);
    } else {
        sim_node_kill(n, chance_of(&s->chance, 500));
    }
    sim_after(s, chance_wait(&s->chance, 10 * TH_MINUTE_US), key_end, n, use);
}

static void rotate(sim *s, void *ctx, uint64_t tag)
{
    (void)ctx;
    (void)tag;
    if (!s->working)
        return;
    unsigned m = (unsigned)chance_below(&s->chance, MEMBERS);
    sim_member_state *state = &s->members[m];
    sim_use use = chance_of(&s->chance, 600) ? USE_MESSAGE : USE_JOURNAL;
    int *generations = use == USE_MESSAGE ? &state->message_generations : &state->journal_generations;
    const sim_node *n = &s->nodes[m];
    bool settled = (use == USE_MESSAGE ? n->message_generation : n->journal_generation) == *generations - 1;
    if (*generations < GENERATIONS && settled && s->equivocator != (int)m) {
        int g = (*generations)++;
        state->begins_us[use][g] = s->now_us;
        if (use == USE_MESSAGE) {
            state->message_ends_us[g] = SIM_EPOCH_US + 1000 * TH_DAY_US;
            state->message_sm2[g] = s->suites == SUITES_ED25519 ? false : s->suites == SUITES_SM2 ? true : chance_of(&s->chance, 500);
        } else {
            state->journal_ends_us[g] = SIM_EPOCH_US + 1000 * TH_DAY_US;
        }
        sim_region_issue(s);
        sim_say(s, "region: new %s key of %s by version %lld", use == USE_MESSAGE ? "message" : "journal", n->code, (long long)s->version);
        sim_after(s, chance_wait(&s->chance, chance_of(&s->chance, 500) ? 4 * TH_SECOND_US : 2 * TH_MINUTE_US), key_use, &s->nodes[m], (uint64_t)s->version << 1 | use);
    }
    sim_after(s, sim_pause(s, 10 * TH_SECOND_US, 60 * TH_MINUTE_US), rotate, NULL, 0); /* mostly while people work */
}

/* ---- backup and restore ---- */

static void restore(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    (void)tag;
    if (!s->working)
        return;
    if (!sim_node_runs(n)) {
        sim_after(s, 10 * TH_SECOND_US, restore, n, 0);
        return;
    }
    sim_node_stop(s, n);
    disk_copy(n->disk, s->backup);
    sim_facts_excuse(n, s->backup_us);
    for (sim_case *c = s->cases; c; c = c->next)
        c->excused = c->excused || c->origin == n->member || c->owner == n->member;
    n->epoch++;
    n->restored_us = s->backup_us;
    n->head = (th_head){0};
    n->restored = true;
    s->counts.restores++;
    sim_say(s, "%s: restored from its backup of +%lld s", n->code, (long long)((s->backup_us - SIM_START_US) / TH_SECOND_US));
    sim_node_start_later(n, chance_wait(&s->chance, 5 * TH_SECOND_US));
}

static void backup_make(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx;
    (void)tag;
    if (!s->working)
        return;
    if (!sim_node_runs(n)) {
        sim_after(s, 10 * TH_SECOND_US, backup_make, n, 0);
        return;
    }
    s->backup = disk_open(BACKUP_SLOT);
    disk_snapshot(s->backup, n->disk);
    s->backup_us = s->now_us;
    sim_say(s, "%s: backup", n->code);
    sim_after(s, chance_between(&s->chance, TH_MINUTE_US, s->hours_us / 3), restore, n, 0);
}

/* ---- two lives ---- */

static void fork_make(sim *s, void *ctx, uint64_t tag)
{
    sim_node *n = ctx, *second = &s->nodes[NODES - 1];
    (void)tag;
    if (!s->working)
        return;
    if (!sim_node_runs(n)) {
        sim_after(s, 10 * TH_SECOND_US, fork_make, n, 0);
        return;
    }
    sim_node_make(s, NODES - 1, n->member);
    disk_snapshot(second->disk, n->disk);
    second->message_generation = n->message_generation;
    second->journal_generation = n->journal_generation;
    second->message_sm2 = n->message_sm2;
    s->net.heads_two = true;
    unsigned with = (n->member + 1 + (unsigned)chance_below(&s->chance, MEMBERS - 1)) % MEMBERS, count = 0;
    for (unsigned m = 0; m < MEMBERS; m++)
        if (m != n->member && (m == with || (count == 0 && chance_of(&s->chance, 300)))) {
            s->net.meets_second[m] = true;
            count += m != with;
        }
    s->net.deaf = chance_of(&s->chance, 500);
    s->forked_us = s->now_us;
    sim_say(s, "%s: leads two lives%s", n->code, s->net.deaf ? " and hears no gossip" : "");
    sim_node_start(s, second);
}

/* ---- beginning and ending ---- */

void sim_operator_open(sim *s)
{
    sim_after(s, TH_SECOND_US, documents_hand_out, NULL, 0);
    if (s->features.suspends)
        sim_after(s, chance_between(&s->chance, TH_MINUTE_US, s->hours_us / 2), suspend, NULL, 0);
    if (s->features.rotates)
        sim_after(s, chance_between(&s->chance, TH_MINUTE_US, s->hours_us / 2), rotate, NULL, 0);
    if (s->features.restores) {
        sim_node *n = &s->nodes[chance_below(&s->chance, MEMBERS)];
        sim_after(s, chance_between(&s->chance, TH_MINUTE_US, s->hours_us / 2), backup_make, n, 0);
    }
    if (s->equivocator >= 0)
        sim_after(s, chance_between(&s->chance, TH_MINUTE_US, s->hours_us / 2), fork_make, &s->nodes[s->equivocator], 0);
}

void sim_operator_heal(sim *s)
{
    for (unsigned m = 0; m < MEMBERS; m++)
        readmit(s, NULL, m);
    for (unsigned m = 0; m < MEMBERS; m++)
        key_lapse_end(s, &s->nodes[m], 0);
}
