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

/* ---- acting: what may be done in which state, and how likely; the machine of region/ says what becomes of it ---- */

typedef struct doing {
    const char *state, *action, *kind;
    unsigned weight;
    const char *json;
} doing;

static const doing staff[] = {
    {"received", "accept", "accepted", 8, "{\"note\":\"simulated\"}"},
    {"received", "correct", "correction", 2, "{\"missing\":\"simulated\"}"},
    {"received", "decline", "out_of_scope", 1, "{\"right_office\":\"simulated\",\"reason\":\"simulated\"}"},
    {"accepted", "decide", "decided", 4, "{\"outcome\":\"approved\"}"},
    {"accepted", "decide", "decided", 1, "{\"outcome\":\"refused\",\"reason\":\"simulated\",\"law\":\"simulated\"}"},
    {"accepted", "review", "reviewing", 2, "{}"},
    {"accepted", "consult", "consulted", 2, "{\"member\":\"%s\",\"question\":\"simulated\"}"},
    {"accepted", "suspend", "suspended", 1, "{\"reason\":\"hearing\",\"days\":5}"},
    {"review", "propose", "proposed", 3, "{\"note\":\"simulated\"}"},
    {"review", "decide", "decided", 2, "{\"outcome\":\"approved\"}"},
    {"review", "consult", "consulted", 1, "{\"member\":\"%s\",\"question\":\"simulated\"}"},
    {"consulting", "terminate", "terminated", 1, "{\"ground\":\"other\",\"law\":\"simulated\"}"},
    {"consulting", "consult", "consulted", 1, "{\"member\":\"%s\",\"question\":\"simulated\"}"},
    {"suspended", "resume", "resumed", 3, "{}"},
    {"proposed", "decide", "decided", 3, "{\"outcome\":\"approved\"}"},
    {"decided", "deliver", "delivered", 4, "{}"},
    {"reconsideration", "decide-appeal", "appeal_decided", 2, "{\"result\":\"uphold\",\"reason\":\"simulated\",\"law\":\"simulated\"}"},
    {"reconsideration", "decide-appeal", "appeal_decided", 1, "{\"result\":\"revoke\",\"reason\":\"simulated\",\"law\":\"simulated\"}"},
};
static const doing citizen[] = {
    {"evidence", "withdraw", "withdrawn", 1, "{\"reason\":\"simulated\"}"},
    {"received", "withdraw", "withdrawn", 1, "{\"reason\":\"simulated\"}"},
    {"accepted", "withdraw", "withdrawn", 1, "{\"reason\":\"simulated\"}"},
    {"correction", "supply", "supplied", 5, "{\"note\":\"simulated\"}"},
    {"consulting", "withdraw", "withdrawn", 1, "{\"reason\":\"simulated\"}"},
    {"decided", "rate", "rated", 2, "{\"level\":4}"},
    {"delivered", "rate", "rated", 2, "{\"level\":1,\"note\":\"simulated\"}"},
    {"delivered", "appeal", "appealed", 1, "{\"reason\":\"simulated\"}"},
};

static bool act(sim_node *n, const char *id, const doing *d, const char *json, const char *kind, const th_who *who)
{
    sim *s = n->sim;
    th_error error = {0};
    th_status status = th_cases_act(n->cases, th_str_of(id), th_str_of(d->action), th_str_of(json), who, &error);
    if (!sim_node_runs(n))
        return false;
    sim_check_commit(n);
    if (status == TH_OK) {
        sim_say(s, "%s: %s %s", n->code, kind, id);
        sim_fact_add(n, FACT_EVENT, id, kind, !(who->roles & TH_ROLE_CLERK), NULL);
        return true;
    }
    if (status != TH_CONFLICT && status != TH_NO_SPACE && status != TH_IO && status != TH_BUSY)
        sim_fail(s, "%s: %s of %s refused: %s %s", n->code, d->action, id, error.type, error.en);
    return false;
}

/* One of the node's rows that fit, chosen by chance. */
static bool row_choose(sim *s, sim_node *n, const char *sql, th_arena *arena, const th_value **ret_row)
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

static const doing *doing_choose(sim *s, const doing *all, size_t n, th_str state)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += th_str_is(state, all[i].state) ? all[i].weight : 0;
    if (!sum)
        return NULL;
    uint64_t at = chance_below(&s->chance, sum);
    for (size_t i = 0; i < n; i++) {
        uint64_t weight = th_str_is(state, all[i].state) ? all[i].weight : 0;
        if (at < weight)
            return &all[i];
        at -= weight;
    }
    return NULL;
}

void sim_case_clerk(sim *s, sim_node *n)
{
    static const th_who clerk = {.roles = TH_ROLE_CLERK | TH_ROLE_HEAD, .account = {"clerk", 5}, .name = {"clerk", 5}, .office = {"HALL", 4}};
    th_arena arena;
    const th_value *row;
    char id[TH_ID_TEXT], json[200];
    th_arena_open(&arena, 4u << 20);
    if (row_choose(s, n, "SELECT id, state FROM cases_case WHERE owner = ?1 AND state NOT IN ('evidence', 'delivered') ORDER BY id DESC LIMIT 30",
                   &arena, &row)) {
        const doing *d = doing_choose(s, staff, TH_COUNT(staff), row[1].s);
        snprintf(id, sizeof id, "%.*s", TH_FMT(row[0].s));
        if (d) {
            const char *at = strstr(d->json, "%s");
            unsigned other = (n->member + 1 + (unsigned)chance_below(&s->chance, MEMBERS - 1)) % MEMBERS;
            if (at)
                snprintf(json, sizeof json, "%.*s%s%s", (int)(at - d->json), d->json, sim_codes[other], at + 2);
            if (act(n, id, d, at ? json : d->json, d->kind, &clerk) && strcmp(d->action, "deliver") == 0)
                s->counts.delivered++;
        }
    }
    th_arena_close(&arena);
    sim_node_busy(n);
}

/* At the node where it was started; what the owner must do is asked of it. */
void sim_case_citizen(sim *s, sim_node *n)
{
    th_arena arena;
    const th_value *row;
    char id[TH_ID_TEXT];
    th_arena_open(&arena, 4u << 20);
    if (row_choose(s, n, "SELECT id, state, subject, owner FROM cases_case WHERE origin = ?1 ORDER BY id DESC LIMIT 30", &arena, &row)) {
        th_who who = {.roles = TH_ROLE_CITIZEN, .account = TH_STR("citizen"), .subject = row[2].s};
        const doing *d = doing_choose(s, citizen, TH_COUNT(citizen), row[1].s);
        bool asks = !th_str_is(row[3].s, n->code) && !th_str_is(row[1].s, "evidence");
        snprintf(id, sizeof id, "%.*s", TH_FMT(row[0].s));
        if (d && (strcmp(d->action, "withdraw") != 0 || s->features.withdraws))
            act(n, id, d, d->json, asks ? "requested" : d->kind, &who);
    }
    th_arena_close(&arena);
    sim_node_busy(n);
}

/* An office of another node that was asked for its opinion. */
void sim_case_consulted(sim *s, sim_node *n)
{
    th_arena arena;
    const th_value *row;
    th_error error = {0};
    th_arena_open(&arena, 4u << 20);
    if (row_choose(s, n, "SELECT case_id, consult FROM cases_consult WHERE state = 'open' AND ?1 <> '' ORDER BY case_id, consult LIMIT 30", &arena,
                   &row)) {
        th_status status = th_cases_consult_answer(n->cases, row[0].s, row[1].s, chance_of(&s->chance, 500) ? TH_STR("agree") : TH_STR("disagree"),
                                                   TH_STR("simulated"), &error);
        if (sim_node_runs(n)) {
            sim_check_commit(n);
            if (status && status != TH_NO_SPACE && status != TH_IO && status != TH_BUSY)
                sim_fail(s, "%s: an opinion was refused: %s %s", n->code, error.type, error.en);
        }
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
