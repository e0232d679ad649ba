/* facts.c — what a node acknowledged, or showed to anyone, must be found in its store after every kill and at the end. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

void sim_fact_add(sim_node *n, sim_fact_kind kind, const char *id, const char *text, int64_t number, const th_hash *hash)
{
    sim *s = n->sim;
    sim_fact *f = th_new(sizeof *f);
    TH_ASSERT(f != NULL);
    *f = (sim_fact){.kind = kind, .slot = n->slot, .at_us = s->now_us, .n = number};
    if (id)
        snprintf(f->id, sizeof f->id, "%s", id);
    if (text)
        snprintf(f->text, sizeof f->text, "%s", text);
    if (hash)
        f->hash = *hash;
    *s->facts_last = f;
    s->facts_last = &f->next;
}

void sim_facts_excuse(sim_node *n, int64_t since_us)
{
    for (sim_fact *f = n->sim->facts; f; f = f->next)
        if (f->slot == n->slot && f->at_us >= since_us)
            f->excused = true;
}

void sim_facts_close(sim *s)
{
    while (s->facts) {
        sim_fact *f = s->facts;
        s->facts = f->next;
        th_free(f);
    }
    s->facts_last = &s->facts;
}

/* ---- looking ---- */

static th_status row_of(th_db *db, const char *sql, const th_value *values, size_t n, th_arena *arena, const th_value **ret_row)
{
    th_error error = {0};
    return th_db_one(db, sql, values, n, arena, ret_row, &error);
}

/* The journal's entry of a message, reached the way a receipt is: by the stored batch. */
static bool entry_is(th_db *db, const char *origin, const sim_fact *f, const char *direction, th_arena *arena)
{
    th_str log, line;
    th_entry entry;
    uint64_t index;
    if (th_exchange_place(db, origin, th_str_of(f->id), arena, &log, &index, NULL) || th_journal_entry(db, log, index, arena, &line, NULL) ||
        th_entry_read(line, arena, &entry, NULL))
        return false;
    return th_str_is(entry.id, f->id) && th_str_is(entry.direction, direction) && entry.index == index;
}

static bool found(th_db *db, const sim_node *n, const sim_fact *f, th_arena *arena)
{
    const th_value *row;
    th_value text = th_v_text(th_str_of(f->text));
    th_value values[] = {th_v_text(th_str_of(f->id)), text, th_v_text(th_str_of(n->code))};
    switch (f->kind) {
    case FACT_CASE:
        return row_of(db, "SELECT id FROM cases_case WHERE id = ?1", values, 1, arena, &row) == TH_OK;
    case FACT_EVENT: { /* done here, or asked of the owner, who took the case in the same moment */
        th_value event[] = {values[0], text, values[2], th_v_int(f->n)};
        return row_of(db, "SELECT seq FROM cases_event WHERE case_id = ?1 AND (kind = ?2 OR (kind = 'requested' AND ?4 = 1)) AND node = ?3", event, 4,
                      arena, &row) == TH_OK;
    }
    case FACT_TOLD:
        return row_of(db, "SELECT seq FROM cases_event WHERE case_id = ?1 AND kind = ?2", values, 2, arena, &row) == TH_OK;
    case FACT_ASKED:
        return entry_is(db, NULL, f, "asked", arena);
    case FACT_ANSWERED:
        for (size_t i = 0; i < MEMBERS; i++)
            if (entry_is(db, sim_codes[i], f, "answered", arena))
                return true;
        return false;
    case FACT_PUT: {
        th_value put[] = {th_v_text(th_str_of(f->id)), text, th_v_int(f->n), th_v_int(n->epoch)};
        return row_of(db, "SELECT n FROM sim_put WHERE peer = ?1 AND subject = ?2 AND n = ?3", put, 3, arena, &row) == TH_OK;
    }
    case FACT_TRUST: {
        th_value version = th_v_int(f->n);
        return row_of(db, "SELECT version FROM exchange_trust WHERE version = ?1", &version, 1, arena, &row) == TH_OK;
    }
    case FACT_HEAD: {
        th_value head[] = {text, th_v_int(f->n)};
        return row_of(db, "SELECT root FROM journal_head WHERE log = ?1 AND size = ?2", head, 2, arena, &row) == TH_OK &&
               row[0].s.n == TH_HASH_SIZE && memcmp(row[0].s.p, f->hash.b, TH_HASH_SIZE) == 0;
    }
    }
    return false;
}

void sim_facts_check(sim_node *n, bool all)
{
    static const char *const words[] = {"case started", "act on a case", "told event", "answered ask", "answer given", "effect put",
                                        "trust document applied", "tree head shown"};
    sim *s = n->sim;
    th_db *db;
    th_arena arena;
    int64_t since = all ? 0 : n->facts_seen_us;
    if (th_store_acquire(n->store, &db, NULL))
        return;
    sim_effects_check(n, db);
    th_arena_open(&arena, 64u << 20);
    for (const sim_fact *f = s->facts; f && !s->failed; f = f->next) {
        if (f->slot != n->slot || f->excused || f->at_us < since)
            continue;
        if (!found(db, n, f, &arena) && sim_node_runs(n))
            sim_fail(s, "%s lost what it acknowledged: %s %s %s %lld, at +%lld s", n->code, words[f->kind], f->id, f->text, (long long)f->n,
                     (long long)((f->at_us - SIM_START_US) / TH_SECOND_US));
        th_arena_reset(&arena);
    }
    th_arena_close(&arena);
    th_store_release(n->store, db);
    n->facts_seen_us = s->now_us;
}
