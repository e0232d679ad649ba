/* asks.c — questions to registers, whose answers are known: each that is answered is checked, its receipt too. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { SEVERAL = 6, AHEAD_S = TH_SKEW_FUTURE_S + 20 /* a call takes 15 at most */, BEHIND_S = TH_SKEW_PAST_S + 5 };

typedef enum ask_kind { ASK_PERSON, ASK_LIE, ASK_COMPANY, ASK_QUERY, ASK_DEGREE, ASK_LOOKS, ASK_KINDS } ask_kind;

typedef struct asking {
    th_ask ask;
    th_arena arena;
    sim_node *n;
    uint64_t life;
    unsigned provider;
    ask_kind kind;
    bool key_ended; /* whoever is asked knows that */
    bool clocks_differ; /* by more than may be; until one of them is set: */
    uint32_t clock_sets;
    th_str expected; /* of the queried name */
} asking;

/* ---- answers ---- */

static bool all_are(const th_json *results, const char *word)
{
    for (const th_json *r = th_json_first(results); r; r = th_json_next(results, r))
        if (!th_str_is(r->text, word))
            return false;
    return results && results->count > 0;
}

static bool answer_fits(const asking *a, th_arena *arena)
{
    const th_json *root;
    if (th_json_parse(a->ask.answer, arena, &root, NULL))
        return false;
    switch (a->kind) {
    case ASK_PERSON:
    case ASK_COMPANY:
    case ASK_DEGREE:
        return all_are(th_json_get(root, "results"), "match");
    case ASK_LIE:
        return th_str_is(th_json_str(th_json_get(root, "results"), "name"), "mismatch");
    case ASK_QUERY:
        return th_str_eq(th_json_str(th_json_get(root, "record"), "name"), a->expected);
    case ASK_LOOKS:
        return th_json_get(root, "items") != NULL;
    case ASK_KINDS:
        break;
    }
    return false;
}

/* What an honest region may answer in bad times, and nothing else. */
static bool is_excusable(const sim *s, th_status status, const th_error *error)
{
    static const char *const of_trust[] = {"unknown-key", "early-key", "expired-key", "suspended-member", "head-signature", "answer-invalid"};
    if (status == TH_UNAVAILABLE || status == TH_TIMEOUT || status == TH_BUSY || status == TH_NO_SPACE || status == TH_IO)
        return strcmp(error->type, "answer-invalid") != 0 || s->features.rotates || s->equivocator >= 0;
    if (status != TH_FORBIDDEN)
        return false;
    if (s->features.clocks && (strcmp(error->type, "clock-skew") == 0 || strcmp(error->type, "consent-expired") == 0 ||
                               strcmp(error->type, "early-key") == 0))
        return true;
    for (size_t i = 0; i < TH_COUNT(of_trust); i++)
        if (strcmp(error->type, of_trust[i]) == 0)
            return s->features.rotates || s->features.suspends;
    return false;
}

static void ask_done(th_ask *ask)
{
    asking *a = ask->ctx;
    sim_node *n = a->n;
    sim *s = n->sim;
    th_arena scratch;
    th_arena_open(&scratch, 1 << 20);
    if (!sim_node_runs(n) || n->life != a->life) {
        /* nobody is left to hear it */
    } else if (ask->status == TH_OK) {
        s->counts.asks_ok++;
        if (a->clocks_differ && a->clock_sets == n->clock_sets + s->nodes[a->provider].clock_sets)
            sim_fail(s, "%s asked %s, whose clock is another by more than may be, and was answered", n->code, sim_codes[a->provider]);
        if (a->key_ended)
            sim_fail(s, "%s asked %s with a key that had ended and was answered", n->code, sim_codes[a->provider]);
        if (!answer_fits(a, &scratch))
            sim_fail(s, "%s asked %s (%d) and was told %.*s", n->code, sim_codes[a->provider], (int)a->kind, TH_FMT(ask->answer));
        sim_check_receipt(n, ask->receipt, ask->id, a->provider);
        sim_fact_add(n, FACT_ASKED, ask->id, NULL, 0, NULL);
        if (s->equivocator != (int)a->provider)
            sim_fact_add(&s->nodes[a->provider], FACT_ANSWERED, ask->id, NULL, 0, NULL);
    } else if (!is_excusable(s, ask->status, &ask->error)) {
        sim_fail(s, "%s asked %s (%d) and was refused: %s %s", n->code, sim_codes[a->provider], (int)a->kind, ask->error.type, ask->error.en);
    }
    th_arena_close(&scratch);
    th_arena_close(&a->arena);
    th_free(a);
}

/* ---- questions ---- */

static th_str consent_make(asking *a, const sim_person *p, th_str reg, const th_str *fields, size_t n, th_str item)
{
    th_str token = {NULL, 0};
    int64_t now = sim_node_now(a->n);
    th_consent consent = {.home = th_str_of(a->n->code),
                          .provider = th_str_of(sim_codes[a->provider]),
                          .reg = reg,
                          .fields = fields,
                          .field_count = n,
                          .item = item,
                          .lang = TH_STR("zh"),
                          .issued_us = now,
                          .expires_us = now + 10 * TH_MINUTE_US};
    sim_must(th_consent_make(&consent, p->id_number, sim_node_key(a->n), &a->n->env, &a->arena, &token, NULL), NULL, "consent");
    return token;
}

static void question_write(sim *s, asking *a)
{
    static const th_str degree_fields[] = {{"name", 4}, {"level", 5}}, looks_fields[] = {{"looks", 5}};
    const sim_person *p = sim_person_at((size_t)chance_below(&s->chance, PERSONS));
    const sim_company *c = sim_company_at(a->provider, (size_t)chance_below(&s->chance, COMPANIES));
    th_ask *ask = &a->ask;
    ask->type = TH_STR("verify");
    switch (a->kind) {
    case ASK_PERSON:
    case ASK_LIE:
        ask->item = TH_STR("identity-check");
        ask->body = th_strf(&a->arena, "{\"register\":\"population\",\"key\":{\"id_number\":\"%.*s\"},\"claims\":{\"name\":\"%.*s%s\",\"status\":\"normal\"}}",
                            TH_FMT(p->id_number), TH_FMT(p->name), a->kind == ASK_LIE ? "x" : "");
        break;
    case ASK_COMPANY:
        ask->item = TH_STR("business-check");
        ask->body = th_strf(&a->arena, "{\"register\":\"legal-persons\",\"key\":{\"uscc\":\"%.*s\"},\"claims\":{\"name\":\"%.*s\",\"status\":\"existing\"}}",
                            TH_FMT(c->uscc), TH_FMT(c->name));
        break;
    case ASK_QUERY:
        ask->type = TH_STR("query");
        ask->item = TH_STR("business-check");
        ask->body = th_strf(&a->arena, "{\"register\":\"legal-persons\",\"key\":{\"uscc\":\"%.*s\"},\"fields\":[\"name\",\"status\"]}", TH_FMT(c->uscc));
        a->expected = c->name;
        break;
    case ASK_DEGREE:
        ask->item = TH_STR("HE-TALENT-CARD");
        ask->body = th_strf(&a->arena, "{\"register\":\"degrees\",\"key\":{\"id_number\":\"%.*s\",\"certificate_number\":\"%.*s\"},"
                                       "\"claims\":{\"name\":\"%.*s\",\"level\":\"%.*s\"}}",
                            TH_FMT(p->id_number), TH_FMT(p->certificate), TH_FMT(p->name), TH_FMT(p->level));
        ask->consent = consent_make(a, p, TH_STR("degrees"), degree_fields, 2, ask->item);
        break;
    case ASK_LOOKS:
    case ASK_KINDS:
        ask->type = TH_STR("looks");
        ask->item = TH_STR("citizen-view");
        ask->body = th_strf(&a->arena, "{\"id_number\":\"%.*s\"}", TH_FMT(p->id_number));
        ask->consent = consent_make(a, p, TH_STR("access-log"), looks_fields, 1, ask->item);
        break;
    }
}

static asking *asking_make(sim *s, sim_node *n)
{
    asking *a = th_new(sizeof *a);
    TH_ASSERT(a != NULL);
    a->n = n;
    a->life = n->life;
    a->kind = (ask_kind)chance_below(&s->chance, ASK_KINDS);
    if (a->kind == ASK_LIE && chance_of(&s->chance, 800)) /* few: wrong claims use up budgets */
        a->kind = ASK_PERSON;
    a->provider = a->kind == ASK_PERSON || a->kind == ASK_LIE ? 2 : a->kind == ASK_DEGREE ? 0 : (unsigned)chance_below(&s->chance, MEMBERS);
    th_arena_open(&a->arena, 1 << 20);
    question_write(s, a);
    const sim_node *provider = &s->nodes[a->provider];
    a->key_ended = sim_key_ended(n, &s->nodes[a->provider]);
    int64_t ahead_us = n->clock_us - provider->clock_us;
    a->clocks_differ = s->equivocator != (int)a->provider && (ahead_us > AHEAD_S * TH_SECOND_US || ahead_us < -BEHIND_S * TH_SECOND_US);
    a->clock_sets = n->clock_sets + provider->clock_sets;
    a->ask.provider = th_str_of(sim_codes[a->provider]);
    a->ask.office = TH_STR("HALL");
    a->ask.operator_account = TH_STR("clerk");
    a->ask.arena = &a->arena;
    a->ask.done = ask_done;
    a->ask.ctx = a;
    s->counts.asks++;
    return a;
}

void sim_ask(sim *s, sim_node *n)
{
    th_error error = {0};
    asking *first = NULL, *last = NULL;
    size_t several = chance_of(&s->chance, 200) ? (size_t)chance_between(&s->chance, 2, SEVERAL) : 1;
    if (chance_of(&s->chance, 10))
        several = 40;
    for (size_t i = 0; i < several; i++) {
        asking *a = asking_make(s, n);
        if (last)
            last->ask.next = &a->ask;
        else
            first = a;
        last = a;
    }
    sim_node_busy(n);
    th_status status = th_exchange_ask(n->exchange, &first->ask, several, &error);
    if (!status)
        return;
    if (!is_excusable(s, status, &error))
        sim_fail(s, "%s could not ask: %s %s", n->code, error.type, error.en);
    for (th_ask *ask = &first->ask; ask;) { /* refused at once: done was not called */
        asking *a = ask->ctx;
        ask = ask->next;
        th_arena_close(&a->arena);
        th_free(a);
    }
}
