/* cases.c — citizens who apply, clerks who decide, and what they were told. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

/* ---- starting ---- */

typedef struct starting {
    th_case_start start;
    sim_node *n;
    th_arena arena;
    unsigned owner, person;
} starting;

static void case_keep(sim_node *n, const char *id, unsigned owner, unsigned person)
{
    sim *s = n->sim;
    sim_case *c = th_new(sizeof *c);
    TH_ASSERT(c != NULL);
    *c = (sim_case){.origin = n->member, .owner = owner, .person = person, .started_us = s->now_us, .next = s->cases};
    memcpy(c->id, id, sizeof c->id);
    c->excused = s->equivocator >= 0 && (n->member == (unsigned)s->equivocator || owner == (unsigned)s->equivocator || s->equivocator == 0 ||
                                         s->equivocator == 2);
    s->cases = c;
    s->counts.cases++;
}

static void started(th_case_start *start)
{
    starting *st = start->ctx;
    sim_node *n = st->n;
    sim *s = n->sim;
    if (sim_node_runs(n)) {
        if (!start->status) {
            sim_say(s, "%s: case %s for %s", n->code, start->case_id, sim_codes[st->owner]);
            sim_fact_add(n, FACT_CASE, start->case_id, NULL, 0, NULL);
            case_keep(n, start->case_id, st->owner, st->person);
        } else if (start->status != TH_NO_SPACE && start->status != TH_IO) {
            sim_fail(s, "%s: a case could not be started: %s %s", n->code, start->error.type, start->error.en);
        }
    }
    th_arena_close(&st->arena);
    th_free(st);
}

void sim_case_start(sim *s, sim_node *n)
{
    static const char *const codes[MEMBERS] = {"BJ-RESIDENCE-POINTS", "TJ-SKILL-SUBSIDY", "HE-TALENT-CARD", "XA-HOUSING-RESERVE"};
    char subject[TH_SUBJECT_TEXT];
    uint8_t secret[32];
    th_error error = {0};
    starting *st = th_new(sizeof *st);
    TH_ASSERT(st != NULL);
    st->n = n;
    st->owner = (unsigned)chance_below(&s->chance, MEMBERS);
    st->person = (unsigned)chance_below(&s->chance, PERSONS);
    const sim_person *p = sim_person_at(st->person);
    th_arena_open(&st->arena, 1 << 20);
    sim_node_secret(n, secret);
    th_people_subject(secret, p->id_number, subject);
    bool household = st->owner != 0;
    st->start = (th_case_start){
        .json = th_strf(&st->arena, "{\"item\":\"%s\",\"form\":{\"certificate_number\":\"%.*s\",\"level\":\"%.*s\",%s\"phone\":\"13800000000\"},"
                                    "\"consents\":[\"degree\"%s]}",
                        codes[st->owner], TH_FMT(p->certificate), TH_FMT(p->level), household ? "\"household_region\":\"130000\"," : "",
                        household ? ",\"household\"" : ""),
        .applicant_id_number = p->id_number,
        .applicant_name = p->name,
        .subject = th_str_keep(&st->arena, th_str_of(subject)),
        .account = TH_STR("citizen"),
        .office = chance_of(&s->chance, 500) ? TH_STR("HALL") : (th_str){NULL, 0},
        .done = started,
        .ctx = st};
    sim_node_busy(n);
    th_status status = th_cases_start(n->cases, &st->start, &error);
    if (status && status != TH_BUSY)
        sim_fail(s, "%s: a case could not be begun: %s %s %s", n->code, error.type, error.en, error.field_count ? error.fields[0].pointer : "");
    if (status) {
        th_arena_close(&st->arena);
        th_free(st);
    }
}

/* ---- acting ---- */

static bool act(sim_node *n, const char *id, const char *action, const char *kind, const char *json, const th_who *who)
{
    sim *s = n->sim;
    th_error error = {0};
    th_status status = th_cases_act(n->cases, th_str_of(id), th_str_of(action), th_str_of(json), who, &error);
    if (!sim_node_runs(n))
        return false;
    sim_check_commit(n);
    if (status == TH_OK) {
        sim_say(s, "%s: %s %s", n->code, kind, id);
        sim_fact_add(n, FACT_EVENT, id, kind, 0, NULL);
        return true;
    }
    if (status != TH_CONFLICT && status != TH_NO_SPACE && status != TH_IO && status != TH_BUSY)
        sim_fail(s, "%s: %s of %s refused: %s %s", n->code, action, id, error.type, error.en);
    return false;
}

/* One of the node's cases that fits, chosen by chance. */
static bool case_choose(sim *s, sim_node *n, const char *sql, th_arena *arena, const th_value **ret_row)
{
    th_db *db;
    th_rows rows = {0};
    th_value code = th_v_text(th_str_of(n->code));
    if (th_store_acquire(n->store, &db, NULL))
        return false;
    th_status status = th_db_select(db, sql, &code, 1, arena, &rows, NULL);
    th_store_release(n->store, db);
    if (status || !rows.n)
        return false;
    *ret_row = th_row(&rows, (size_t)chance_below(&s->chance, rows.n));
    return true;
}

void sim_case_clerk(sim *s, sim_node *n)
{
    static const th_who clerk = {.roles = TH_ROLE_CLERK, .account = {"clerk", 5}, .name = {"clerk", 5}, .office = {"HALL", 4}};
    th_arena arena;
    const th_value *row;
    char id[TH_ID_TEXT];
    th_arena_open(&arena, 4u << 20);
    if (case_choose(s, n, "SELECT id, state FROM cases_case WHERE owner = ?1 AND state IN ('received', 'accepted', 'decided') ORDER BY id LIMIT 40",
                    &arena, &row)) {
        snprintf(id, sizeof id, "%.*s", TH_FMT(row[0].s));
        if (th_str_is(row[1].s, "received"))
            act(n, id, "accept", "accepted", "{\"note\":\"simulated\"}", &clerk);
        else if (th_str_is(row[1].s, "accepted"))
            act(n, id, "decide", "decided",
                chance_of(&s->chance, 800) ? "{\"outcome\":\"approved\"}" : "{\"outcome\":\"refused\",\"reason\":\"simulated\",\"law\":\"simulated\"}",
                &clerk);
        else if (act(n, id, "deliver", "delivered", "{}", &clerk))
            s->counts.delivered++;
    }
    th_arena_close(&arena);
    sim_node_busy(n);
}

void sim_case_withdraw(sim *s, sim_node *n)
{
    th_arena arena;
    const th_value *row;
    char id[TH_ID_TEXT];
    th_arena_open(&arena, 4u << 20);
    if (case_choose(s, n, "SELECT id, subject FROM cases_case WHERE origin = ?1 AND state IN ('received', 'accepted') ORDER BY id LIMIT 40", &arena,
                    &row)) {
        th_who citizen = {.roles = TH_ROLE_CITIZEN, .account = TH_STR("citizen"), .subject = row[1].s};
        snprintf(id, sizeof id, "%.*s", TH_FMT(row[0].s));
        act(n, id, "withdraw", "withdrawn", "{\"reason\":\"simulated\"}", &citizen);
    }
    th_arena_close(&arena);
    sim_node_busy(n);
}

/* ---- being told: what a watcher hears has happened ---- */

void sim_case_told(void *node, th_str case_id, th_str event_json)
{
    sim_node *n = node;
    th_arena arena;
    const th_json *event;
    char id[TH_ID_TEXT], kind[40] = "";
    if (!sim_node_runs(n))
        return;
    th_arena_open(&arena, 1 << 20);
    snprintf(id, sizeof id, "%.*s", TH_FMT(case_id));
    if (th_json_parse(event_json, &arena, &event, NULL) == TH_OK) {
        th_str named = th_json_str(event, "kind");
        snprintf(kind, sizeof kind, "%.*s", TH_FMT(named));
        if (!named.n && th_json_get(event, "evidence"))
            snprintf(kind, sizeof kind, "evidence");
    }
    sim_fact_add(n, kind[0] ? FACT_TOLD : FACT_CASE, id, kind, 0, NULL);
    th_arena_close(&arena);
}

void sim_cases_close(sim *s)
{
    while (s->cases) {
        sim_case *c = s->cases;
        s->cases = c->next;
        th_free(c);
    }
}
