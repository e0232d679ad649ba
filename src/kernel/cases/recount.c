/* recount.c — another calendar, or other limits of the law: every open case that this node decides is counted again, once.
 *
 * A year that was not published when a case was accepted counted Monday to Friday (`provisional`). When its days are known the region's file
 * changes; a node that starts with it finds that its cases were counted by another file and folds them anew, a page at a time beside its
 * other work. A case whose days have moved gets an event "recounted" that says what was due and what is, so that its timeline says why and
 * every copy follows. What happened stays as it happened (th_clock_in.recorded). Ended half-way, it begins again: a case that is counted
 * already is left alone. */
#include "cases-private.h"

#include <string.h>

enum { PAGE = 100, SLICE_US = 250000 };

void th_case_count_basis(th_cases *cases, th_str calendar, th_str clocks)
{
    th_str parts[] = {calendar, TH_STR("\n"), clocks};
    th_hash hash = th_hash_of(TH_SUITE_ED25519, parts, TH_COUNT(parts));
    th_hex(hash.b, TH_HASH_SIZE, cases->basis);
}

static th_status basis_same(th_cases *cases, th_db *db, th_arena *arena, bool *ret_same, th_error *error)
{
    const th_value *row;
    th_status status = th_db_one(db, "SELECT hash FROM cases_basis WHERE name = 'clock'", NULL, 0, arena, &row, error);
    *ret_same = status == TH_OK && th_str_is(row[0].s, cases->basis);
    return status == TH_NOT_FOUND ? TH_OK : status;
}

static th_status basis_write(void *ctx, th_db *db, th_error *error)
{
    th_cases *cases = ctx;
    th_value hash = th_v_text(th_str_of(cases->basis));
    return th_db_exec(db, "INSERT INTO cases_basis (name, hash) VALUES ('clock', ?1) ON CONFLICT (name) DO UPDATE SET hash = ?1", &hash, 1, NULL, error);
}

/* ---- one case ---- */

/* *ret_now: its clock as its row would keep it today; absent when the row keeps just that. */
static th_status moved_look(th_cases *cases, th_db *db, th_str id, th_arena *arena, th_case *c, th_fold *fold, th_str *ret_now, th_error *error)
{
    *ret_now = (th_str){NULL, 0};
    th_status status = th_case_get(cases, db, id, arena, c, error);
    if (status || c->state->phase != TH_PHASE_OPEN)
        return status;
    status = th_case_fold(cases, db, c, arena, fold, error);
    if (status)
        return status;
    th_str now = th_case_clock_text(cases, c, fold, c->updated_us, arena);
    if (!th_str_eq(now, c->clock))
        *ret_now = now;
    return TH_OK;
}

static th_str due_in(th_str clock, th_arena *arena)
{
    const th_json *json;
    return clock.n && th_json_parse(clock, arena, &json, NULL) == TH_OK ? th_json_str(json, "next_due") : (th_str){NULL, 0};
}

static th_status moved_write(th_cases *cases, th_db *db, th_str id, th_arena *arena, th_error *error)
{
    th_case c;
    th_fold fold;
    th_str now;
    th_status status = moved_look(cases, db, id, arena, &c, &fold, &now, error); /* it may have moved on since the reader looked */
    if (status || !now.n)
        return status;
    th_str was = due_in(c.clock, arena), due = due_in(now, arena);
    th_str json = th_strf(arena, "{\"kind\":\"recounted\",\"was\":\"%.*s\",\"due\":\"%.*s\"}", TH_FMT(was), TH_FMT(due));
    if (!json.p)
        return TH_NO_MEMORY;
    th_case_event event = {.kind = TH_STR("recounted"), .json = json, .at_us = th_now_us(&cases->env)};
    if (event.at_us <= fold.last_us) /* a clock that was set back must not reorder what happened */
        event.at_us = fold.last_us + 1;
    status = th_case_append(cases, db, &c, &fold, &event, error);
    return status ? status : th_case_event_send(cases, db, &c, c.origin, &event, error);
}

/* ---- a page ---- */

typedef struct page {
    th_cases *cases;
    const th_str *moved;
    size_t n;
    th_arena *arena; /* of one case; reset after each */
} page;

static th_status page_write(void *ctx, th_db *db, th_error *error)
{
    page *p = ctx;
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < p->n; i++) {
        th_arena_reset(p->arena);
        status = moved_write(p->cases, db, p->moved[i], p->arena, error);
    }
    return status;
}

/* The store's own trouble passes, and the next tick goes on; anything else is this one case's. */
static bool passes(th_status status)
{
    return status == TH_IO || status == TH_NO_SPACE || status == TH_BUSY || status == TH_NO_MEMORY || status == TH_UNAVAILABLE;
}

/* A case that cannot be counted is told in the log and left to `tonghui cases check`; the others go on. */
static void fault_tell(th_str id, const th_error *error)
{
    char text[TH_ID_TEXT] = "";
    memcpy(text, id.p, id.n < TH_ID_TEXT ? id.n : TH_ID_TEXT - 1);
    th_log(TH_LOG_ERROR, "case-not-recounted", "case", text, "type", error->type, NULL);
}

/* All of a page in one commit; where one of them fails, each in its own, so that it fails alone. */
static th_status moved_write_all(page *p)
{
    th_error error = {0};
    th_status status = p->n ? th_cases_write(p->cases, page_write, p, &error) : TH_OK;
    for (size_t i = 0; i < p->n && !passes(status); i++) {
        page one = {.cases = p->cases, .moved = &p->moved[i], .n = 1, .arena = p->arena};
        th_error why = {0};
        th_status outcome = status ? th_cases_write(p->cases, page_write, &one, &why) : TH_OK;
        if (passes(outcome))
            return outcome;
        if (outcome)
            fault_tell(p->moved[i], &why);
        else
            th_case_told(p->cases, p->moved[i], TH_STR("{\"kind\":\"recounted\"}"));
    }
    return passes(status) ? status : TH_OK;
}

static th_status page_recount(th_cases *cases, th_db *db, th_arena *arena, th_arena *each, bool *ret_more)
{
    th_rows rows;
    th_error error = {0};
    th_str *moved = th_alloc_array(arena, PAGE, sizeof *moved);
    page p = {.cases = cases, .moved = moved, .arena = each};
    th_value values[] = {th_v_text(th_str_of(cases->recounted_to)), th_v_text(th_str_of(cases->code)), th_v_int(PAGE)};
    th_status status = moved ? th_db_select(db, "SELECT id FROM cases_case WHERE id > ?1 AND open = 1 AND owner = ?2 ORDER BY id LIMIT ?3", values, 3, arena,
                                            &rows, &error)
                             : TH_NO_MEMORY;
    for (size_t i = 0; !status && i < rows.n; i++) {
        th_case c;
        th_fold fold;
        th_str id = th_row(&rows, i)[0].s, now;
        th_arena_reset(each);
        status = moved_look(cases, db, id, each, &c, &fold, &now, &error);
        if (!status && now.n)
            moved[p.n++] = id;
        if (status && !passes(status)) {
            fault_tell(id, &error);
            status = TH_OK;
        }
    }
    if (!status)
        status = moved_write_all(&p);
    if (!status && rows.n) {
        th_str last = th_row(&rows, rows.n - 1)[0].s;
        memcpy(cases->recounted_to, last.p, last.n < TH_ID_TEXT ? last.n : TH_ID_TEXT - 1);
    }
    *ret_more = !status && rows.n == PAGE;
    return status;
}

void th_case_recount_tick(th_cases *cases)
{
    th_db *db;
    th_arena arena, each;
    bool same = false, more = true;
    if (cases->recounted || th_store_acquire(cases->store, &db, NULL))
        return;
    th_arena_open(&arena, 1u << 20);
    th_arena_open(&each, 8u << 20);
    int64_t until = th_now_us(&cases->env) + SLICE_US;
    th_status status = basis_same(cases, db, &arena, &same, NULL);
    while (!status && !same && more && th_now_us(&cases->env) < until) {
        th_arena_reset(&arena);
        status = page_recount(cases, db, &arena, &each, &more);
    }
    th_store_release(cases->store, db);
    if (!status && !same && !more)
        status = th_cases_write(cases, basis_write, cases, NULL);
    cases->recounted = !status && (same || !more);
    th_arena_close(&each);
    th_arena_close(&arena);
}
