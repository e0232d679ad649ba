/* life.c — the demonstration's quiet life: a few labelled questions a minute, and a clerk of straw for cases that the simulation
 * itself began (their note says 模拟 simulated), so that a visitor's own cases stay for the visitor. */
#include "operations-private.h"

#include <stdio.h>
#include <string.h>

/* The first thirty people are the demonstration's sign-ins and the tour's: what is known of them is left to visitors. */
enum { FIRST_PERSON = 30, KNOWN_PEOPLE = 40, OPEN_MAX = 8, ROBOT_PAUSE_MS = 1500 };

uint64_t th_life_random(th_operations *o)
{
    /* splitmix64, as in the generator */
    uint64_t x = o->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* ---- the clerk of straw ---- */

static void robot_put(th_operations *o, const char *case_id, int step)
{
    pthread_mutex_lock(&o->lock);
    size_t i = 0;
    while (i < o->robot_count && strcmp(o->robot[i].case_id, case_id) != 0)
        i++;
    if (i == o->robot_count && i < TH_ROBOT_MAX) {
        memcpy(o->robot[i].case_id, case_id, TH_ID_TEXT);
        o->robot[i].step = step;
        o->robot[i].due_us = th_now_us(o->options.env) + ROBOT_PAUSE_MS * 1000;
        o->robot_count++;
    }
    pthread_mutex_unlock(&o->lock);
}

void th_life_case_event(void *ctx, th_str case_id, th_str event_json)
{
    char id[TH_ID_TEXT] = "";
    (void)event_json;
    if (case_id.n == TH_ID_TEXT - 1) {
        memcpy(id, case_id.p, case_id.n);
        robot_put(ctx, id, 0);
    }
}

static bool robot_take(th_operations *o, int64_t now, char ret_id[TH_ID_TEXT])
{
    bool any = false;
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < o->robot_count && !any; i++)
        if (o->robot[i].due_us <= now) {
            memcpy(ret_id, o->robot[i].case_id, TH_ID_TEXT);
            o->robot[i] = o->robot[--o->robot_count];
            any = true;
        }
    pthread_mutex_unlock(&o->lock);
    return any;
}

static const char *next_action(const th_json *actions)
{
    static const char *const order[] = {"accept", "decide", "deliver"};
    for (size_t i = 0; i < TH_COUNT(order); i++)
        for (const th_json *a = th_json_first(actions); a; a = th_json_next(actions, a))
            if (th_str_is(a->text, order[i]))
                return order[i];
    return NULL;
}

static void robot_act(th_operations *o, const char *case_id)
{
    static const th_who clerk = {.roles = TH_ROLE_CLERK, .account = {"simulation", 10}, .name = {"模拟窗口 simulated", 22}, .office = {"SIM", 3}};
    th_db *db;
    th_arena arena;
    th_str json;
    const th_json *root;
    if (th_store_acquire(o->options.store, &db, NULL))
        return;
    th_arena_open(&arena, 8u << 20);
    th_status status = th_cases_show(o->options.cases, db, th_str_of(case_id), &clerk, &arena, &json, NULL);
    th_store_release(o->options.store, db);
    if (!status && th_json_parse(json, &arena, &root, NULL) == TH_OK &&
        th_str_starts(th_json_str(th_json_get(root, "form"), "note"), TH_ROBOT_NOTE)) {
        const char *action = next_action(th_json_get(root, "actions"));
        th_error error = {0};
        th_str body = action && strcmp(action, "decide") == 0 ? TH_STR("{\"outcome\":\"approved\",\"note\":\"模拟数据 simulated\"}")
                                                              : TH_STR("{\"note\":\"模拟数据 simulated\"}");
        if (action && th_cases_act(o->options.cases, th_str_of(case_id), th_str_of(action), body, &clerk, &error))
            th_log(TH_LOG_INFO, "simulation", "type", error.type, NULL);
    }
    th_arena_close(&arena);
}

/* ---- questions ---- */

typedef struct question {
    th_ask ask;
    th_arena arena;
    th_operations *operations;
} question;

static void question_done(th_ask *ask)
{
    question *q = ask->ctx;
    atomic_fetch_sub(&q->operations->life_open, 1);
    th_arena_close(&q->arena);
    th_free(q);
}

static const char *some_member(th_operations *o, th_arena *arena)
{
    const th_json *members = th_json_get(o->region, "members");
    for (int tries = 0; members && members->count > 1 && tries < 20; tries++) {
        th_str code = th_json_str(th_json_at(members, (size_t)(th_life_random(o) % members->count)), "code");
        if (!th_str_is(code, o->code))
            return th_str_keep(arena, code).p;
    }
    return NULL;
}

static th_status company_question(th_operations *o, question *q, const char *provider)
{
    th_str json;
    const th_json *company;
    th_status status = th_records_company(o->options.region_dir, provider, o->options.seed, (int64_t)(th_life_random(o) % KNOWN_PEOPLE), &q->arena,
                                          &json, NULL);
    if (!status)
        status = th_json_parse(json, &q->arena, &company, NULL);
    if (status)
        return status;
    th_buf buf;
    th_buf_open(&buf, &q->arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "register", "legal-persons");
    th_pen_key(&pen, "key");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "uscc", th_json_str(company, "uscc"));
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "claims");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "name", th_json_str(company, "name"));
    th_pen_ktext(&pen, "status", "existing");
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    q->ask.body = th_buf_view(&buf);
    q->ask.item = TH_STR("business-check");
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

static th_status person_question(th_operations *o, question *q, const char *provider)
{
    th_person person;
    th_buf buf;
    th_status status = th_records_person(o->options.region_dir, provider, NULL, o->options.seed,
                                         FIRST_PERSON + (int64_t)(th_life_random(o) % KNOWN_PEOPLE), &q->arena, &person, NULL);
    if (status)
        return status;
    th_buf_open(&buf, &q->arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "register", "population");
    th_pen_key(&pen, "key");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id_number", person.id_number);
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "claims");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "name", person.name);
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    q->ask.body = th_buf_view(&buf);
    q->ask.item = TH_STR("identity-check");
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

static void question_ask(th_operations *o)
{
    th_error error = {0};
    question *q = th_new(sizeof *q);
    if (!q)
        return;
    th_arena_open(&q->arena, 8u << 20);
    q->operations = o;
    const char *provider = some_member(o, &q->arena);
    th_status status = !provider ? TH_NOT_FOUND
                                 : th_life_random(o) % 3 ? person_question(o, q, provider) : company_question(o, q, provider);
    q->ask.provider = th_str_of(provider);
    q->ask.type = TH_STR("verify");
    q->ask.office = TH_STR("SIM");
    q->ask.operator_account = TH_STR("simulation");
    q->ask.arena = &q->arena;
    q->ask.done = question_done;
    q->ask.ctx = q;
    atomic_fetch_add(&o->life_open, 1);
    if (!status)
        status = th_exchange_ask(o->options.exchange, &q->ask, 1, &error);
    if (status)
        question_done(&q->ask);
}

void th_life_tick(th_operations *o, int64_t now)
{
    char id[TH_ID_TEXT];
    while (robot_take(o, now, id))
        robot_act(o, id);
    /* Every second is worth its part of a minute's questions; chance rounds it. */
    int64_t per_second = atomic_load(&o->life_per_minute);
    o->life_credit_us += per_second * (int64_t)(th_life_random(o) % 201) / 100;
    while (o->life_credit_us >= 60 && atomic_load(&o->life_open) < OPEN_MAX) {
        o->life_credit_us -= 60;
        question_ask(o);
    }
    if (o->life_credit_us > 600)
        o->life_credit_us = 600;
}
