/* government.c — the kernel's part of a service: lives of cases, their events replayed, days counted again; and what a store holds.
 *
 *   government lives DIR SECONDS CALLERS BATCH   cases from their start to delivery, CALLERS at once, at most BATCH changes a commit
 *   government replay DIR SECONDS                the events of the store that `lives` left, folded again: from the store, and from memory
 *   government recount DIR CASES                 so many open cases counted again by another calendar: as a restart with it does
 *   government fill URL CODE CASES               open cases into a node's store, as its work-list shows them (only their rows: they do not open)
 *   government told URL                          every case of a store, a line `name owner state`, and `received ID` where one arrived twice
 *   government waiting URL                       what has not left yet: rows of the outbox and cases that still collect
 * A case of `lives` is one of the region's items, handed in and decided at one node: six events in four changes (submitted, handed over and
 * received; accepted; decided; delivered), each through the store's writer, the law's clock and the fold, on the disk of DIR. Prints JSON. */
#include "cases-private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CALLERS_MAX = 4096, STEPS = 4, FILL_AT_ONCE = 1000 };
#define CODE "130000"
#define START "{\"item\":\"HE-NO-CRIME\",\"form\":{\"phone\":\"13800000000\"},\"consents\":[]}"

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what, const th_error *error)
{
    fprintf(stderr, "government: %s: %s %s\n", what, error ? error->type : "", error ? error->en : "");
    exit(1);
}

static void must(th_status status, const char *what, const th_error *error)
{
    if (status)
        die(what, error);
}

static int64_t number(const char *text, int64_t most)
{
    int64_t n;
    if (!th_parse_i64(th_str_of(text), 1, most, &n))
        die(text, NULL);
    return n;
}

/* ---- a node without a network ---- */

typedef struct office {
    th_arena arena;
    th_env env;
    th_key *message, *journal;
    th_store *store;
    th_writer *writer;
    th_exchange *exchange;
    th_cases *cases;
} office;

static th_str file_read(const char *path, th_arena *arena)
{
    FILE *file = fopen(path, "re");
    char *text = file ? th_alloc(arena, 2u << 20) : NULL;
    size_t n = text ? fread(text, 1, 2u << 20, file) : 0;
    if (!n)
        die(path, NULL);
    fclose(file);
    return (th_str){text, n};
}

static th_str region_file(const char *name, th_arena *arena)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", TH_REGION_DIR, name);
    return file_read(path, arena);
}

static void nobody_waits(void *ctx, const char *peer)
{
    (void)ctx;
    (void)peer;
}

/* `calendar` absent: the region's. */
static void office_open(office *o, const char *dir, size_t batch, th_str calendar)
{
    th_error error = {0};
    char url[600];
    *o = (office){.env = th_env_real()};
    th_arena_open(&o->arena, 256u << 20);
    snprintf(url, sizeof url, "sqlite:%s/store.sqlite", dir);
    must(th_store_open(url, NULL, &o->store, &error), "store", &error);
    const struct { const char *name, *schema; } schemas[] = {
        {"journal", th_journal_schema()}, {"people", th_people_schema()}, {"exchange", th_exchange_schema()}, {"records", th_records_schema()}, {"cases", th_cases_schema()}};
    for (size_t i = 0; i < TH_COUNT(schemas); i++)
        must(th_store_migrate(o->store, schemas[i].name, schemas[i].schema, &error), schemas[i].name, &error);
    must(th_key_make(TH_SUITE_SM2, &o->message), "key", NULL);
    must(th_key_make(TH_SUITE_SM2, &o->journal), "key", NULL);
    th_exchange_options exchange = {.code = CODE, .store = o->store, .env = &o->env, .message_key = o->message, .journal_key = o->journal, .wake = nobody_waits};
    must(th_exchange_open(&exchange, &o->exchange, &error), "exchange", &error);
    th_writer_hooks hooks = th_exchange_hooks(o->exchange);
    must(th_writer_open(o->store, &hooks, true, batch, &o->writer, &error), "writer", &error);
    th_exchange_writer_set(o->exchange, o->writer);
    th_case_file items[] = {{TH_STR("basic"), region_file("items/basic.json", &o->arena)}, {TH_STR(CODE), region_file("items/" CODE ".json", &o->arena)}};
    th_cases_options cases = {.code = CODE, .items = items, .item_count = TH_COUNT(items), .any_item = true,
                              .calendar = calendar.n ? calendar : region_file("calendar/working-days.json", &o->arena), .clocks = region_file("clocks.json", &o->arena),
                              .machine = region_file("cases.json", &o->arena), .store = o->store, .writer = o->writer, .env = &o->env, .message_key = o->message,
                              .exchange = o->exchange};
    must(th_cases_open(&cases, &o->cases, &error), "cases", &error);
}

static void office_close(office *o)
{
    th_exchange_stop(o->exchange);
    th_writer_close(o->writer);
    th_cases_close(o->cases);
    th_exchange_close(o->exchange);
    th_store_close(o->store);
    th_key_close(o->message);
    th_key_close(o->journal);
    th_arena_close(&o->arena);
}

/* ---- lives ---- */

typedef struct crowd crowd;
typedef struct life {
    crowd *of;
    int step; /* what is done next: 0 = its start */
    th_case_start start;
    th_change change;
    th_arena arena;
    char id[TH_ID_TEXT];
    struct life *next;
} life;

struct crowd {
    office *o;
    const char *const *actions; /* after the start; NULL ends a life */
    const th_json *bodies[STEPS];
    life lives[CALLERS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t some;
    life *ready; /* whose last step is committed */
    atomic_long ended, steps;
    long most; /* begin no more than so many; 0 = no end */
    long begun;
};

static void ready_put(life *l)
{
    crowd *c = l->of;
    pthread_mutex_lock(&c->lock);
    l->next = c->ready;
    if (!c->ready)
        pthread_cond_signal(&c->some);
    c->ready = l;
    pthread_mutex_unlock(&c->lock);
}

static void step_over(life *l)
{
    crowd *c = l->of;
    atomic_fetch_add(&c->steps, 1);
    if (!c->actions[l->step]) {
        l->step = 0;
        atomic_fetch_add(&c->ended, 1);
    } else {
        l->step++;
    }
    ready_put(l);
}

static void started(th_case_start *start)
{
    life *l = start->ctx;
    must(start->status, "start", &start->error);
    memcpy(l->id, start->case_id, sizeof l->id);
    step_over(l);
}

static th_status step_apply(th_change *change, th_db *db, th_error *error)
{
    life *l = change->ctx;
    th_case c;
    th_cases *cases = l->of->o->cases;
    th_arena_reset(&l->arena);
    th_acting acting = {.cases = cases, .action = th_machine_action(cases->machine, th_str_of(l->of->actions[l->step - 1])), .body = l->of->bodies[l->step - 1],
                        .account = TH_STR("clerk"), .by = TH_BY_CLERK, .arena = &l->arena};
    th_status status = th_case_get(cases, db, th_str_of(l->id), &l->arena, &c, error);
    return status ? status : th_act_owned(&acting, db, &c, error);
}

static void step_reply(th_change *change, th_status status, const th_error *error)
{
    must(status, "step", error);
    step_over(change->ctx);
}

static void step_begin(life *l)
{
    crowd *c = l->of;
    th_error error = {0};
    if (!l->step) {
        if (c->most && c->begun == c->most)
            return;
        c->begun++;
        l->start = (th_case_start){.json = TH_STR(START), .applicant_id_number = TH_STR("110101199003070011"), .applicant_name = TH_STR("模拟"),
                                   .account = TH_STR("bench"), .done = started, .ctx = l};
        must(th_cases_start(c->o->cases, &l->start, &error), "start", &error);
        return;
    }
    l->change = (th_change){.apply = step_apply, .reply = step_reply, .ctx = l};
    must(th_writer_submit(c->o->writer, &l->change), "submit", NULL);
}

/* The callers' thread: whoever is answered goes on at once. Ends at `until_s`, or when all that were wanted are through. */
static void crowd_run(crowd *c, double until_s)
{
    for (;;) {
        pthread_mutex_lock(&c->lock);
        while (!c->ready && (!c->most || atomic_load(&c->ended) < c->most))
            pthread_cond_wait(&c->some, &c->lock);
        life *l = c->ready, *next;
        c->ready = NULL;
        pthread_mutex_unlock(&c->lock);
        bool over = c->most ? atomic_load(&c->ended) >= c->most : clock_s(CLOCK_MONOTONIC) >= until_s;
        for (; l; l = next) {
            next = l->next;
            if (over)
                ready_put(l); /* for whoever runs the crowd next */
            else
                step_begin(l);
        }
        if (over)
            return;
    }
}

static crowd *crowd_open(office *o, size_t callers, const char *const *actions, const char *const *bodies, long most)
{
    crowd *c = th_new(sizeof *c);
    if (!c)
        die("memory", NULL);
    c->o = o;
    c->actions = actions;
    c->most = most;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->some, NULL);
    for (size_t i = 0; actions[i]; i++)
        must(th_json_parse(th_str_of(bodies[i]), &o->arena, &c->bodies[i], NULL), "body", NULL);
    for (size_t i = 0; i < callers; i++) {
        c->lives[i].of = c;
        th_arena_open(&c->lives[i].arena, 4u << 20);
        ready_put(&c->lives[i]);
    }
    return c;
}

static const char *const whole[] = {"accept", "decide", "deliver", NULL}, *const whole_bodies[] = {"{}", "{\"outcome\":\"approved\"}", "{}"};
static const char *const begun[] = {"accept", NULL}, *const begun_bodies[] = {"{}"};

static int64_t count(office *o, const char *sql)
{
    th_db *db;
    const th_value *row;
    th_error error = {0};
    must(th_store_acquire(o->store, &db, &error), "reader", &error);
    must(th_db_one(db, sql, NULL, 0, &o->arena, &row, &error), sql, &error);
    int64_t n = row[0].i;
    th_store_release(o->store, db);
    return n;
}

static void lives_measure(const char *dir, double seconds, size_t callers, size_t batch)
{
    office o;
    office_open(&o, dir, batch, (th_str){NULL, 0});
    crowd *c = crowd_open(&o, callers, whole, whole_bodies, 0);
    double from = clock_s(CLOCK_MONOTONIC);
    crowd_run(c, from + seconds / 4); /* warm */
    long ended = atomic_load(&c->ended), steps = atomic_load(&c->steps);
    th_writer_stats before = th_writer_read_stats(o.writer);
    double at = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    crowd_run(c, at + seconds);
    th_writer_stats after = th_writer_read_stats(o.writer);
    double took = clock_s(CLOCK_MONOTONIC) - at;
    cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    ended = atomic_load(&c->ended) - ended;
    steps = atomic_load(&c->steps) - steps;
    th_writer_close(o.writer); /* what is under way ends */
    int64_t odd = count(&o, "SELECT COUNT(*) FROM cases_case WHERE state = 'delivered' AND (SELECT COUNT(*) FROM cases_event e WHERE e.case_id = cases_case.id) <> 6");
    printf("{\"lives\":%ld,\"seconds\":%.3f,\"lives_per_second\":%.1f,\"steps\":%ld,\"commits\":%llu,\"largest_batch\":%llu,\"cpu_us_per_life\":%.1f,\"not_six_events\":%lld}\n", ended,
           took, (double)steps / 4 / took, steps, (unsigned long long)(after.batches - before.batches), (unsigned long long)after.largest_batch, steps ? cpu * 1e6 / ((double)steps / 4) : 0,
           (long long)odd);
    _exit(fflush(stdout) != 0); /* lives are left in the middle: nothing is waited for */
}

/* ---- replay ---- */

static void replay_measure(const char *dir, double seconds)
{
    office o;
    int64_t cases = 0, events = 0, checked = 0;
    th_error error = {0};
    office_open(&o, dir, 0, (th_str){NULL, 0});
    double at = clock_s(CLOCK_MONOTONIC), took;
    do { /* as `tonghui cases check` does, as often as fits */
        must(th_cases_check(o.cases, &cases, &events, &error), "check", &error);
        checked += events;
        took = clock_s(CLOCK_MONOTONIC) - at;
    } while (took < seconds);
    th_db *db;
    th_rows rows;
    th_arena each;
    th_arena_open(&each, 8u << 20);
    must(th_store_acquire(o.store, &db, &error), "reader", &error);
    must(th_db_select(db, "SELECT case_id, kind, at, json FROM cases_event ORDER BY case_id, seq LIMIT 12000", NULL, 0, &o.arena, &rows, &error), "events", &error);
    th_store_release(o.store, db);
    th_case any = {.item = TH_STR("HE-NO-CRIME"), .item_version = 1};
    th_fold_in in = th_case_fold_in(o.cases, &any);
    in.clock.recorded = true;
    int64_t folded = 0;
    double from = clock_s(CLOCK_THREAD_CPUTIME_ID), used;
    do {
        th_fold fold = {0};
        th_str id = {NULL, 0};
        for (size_t i = 0; i < rows.n; i++) {
            const th_value *row = th_row(&rows, i);
            if (!th_str_eq(row[0].s, id)) {
                fold = (th_fold){0};
                id = row[0].s;
                th_arena_reset(&each);
            }
            th_fold_event event = {.kind = row[1].s, .at_us = row[2].i, .json = row[3].s};
            must(th_json_parse(row[3].s, &each, &event.body, &error), "event", &error);
            must(th_fold_step(&in, &fold, &event, &error), "fold", &error);
        }
        folded += (int64_t)rows.n;
        used = clock_s(CLOCK_THREAD_CPUTIME_ID) - from;
    } while (used < seconds && rows.n);
    printf("{\"cases\":%lld,\"events\":%lld,\"store_per_second\":%.0f,\"memory_per_cpu_second\":%.0f}\n", (long long)cases, (long long)events, (double)checked / took,
           (double)folded / used);
    th_arena_close(&each);
    office_close(&o);
}

/* ---- counting again ---- */

static int year_of(const char *text)
{
    return (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0';
}

/* This year and the next without holidays, and `rest` worked days less from a few days on. */
static th_str calendar_of(th_arena *arena, int rest, const char *space)
{
    char days[2][200] = {"", ""}, text[TH_DAY_TEXT];
    th_env env = th_env_real();
    int32_t day = th_day_of(th_now_us(&env));
    th_day_text(day, text);
    int first = year_of(text);
    for (day += 3; rest; day++) {
        if ((day + 3) % 7 >= 5)
            continue;
        th_day_text(day, text);
        int year = year_of(text) - first;
        size_t n = strlen(days[year]);
        snprintf(days[year] + n, sizeof days[year] - n, "%s\"%s\"", n ? "," : "", text + 5);
        rest--;
    }
    return th_strf(arena, "{\"years\":%s{\"%d\":{\"rest\":[%s]},\"%d\":{\"rest\":[%s]}}}", space, first, days[0], first + 1, days[1]);
}

static double recounted(const char *dir, int rest, const char *space)
{
    office o;
    th_arena arena;
    th_arena_open(&arena, 1 << 20);
    office_open(&o, dir, 0, calendar_of(&arena, rest, space));
    double at = clock_s(CLOCK_MONOTONIC);
    while (!o.cases->recounted)
        th_case_recount_tick(o.cases);
    double took = clock_s(CLOCK_MONOTONIC) - at;
    office_close(&o);
    th_arena_close(&arena);
    return took;
}

static void recount_measure(const char *dir, long cases)
{
    office o;
    th_arena arena;
    th_arena_open(&arena, 1 << 20);
    office_open(&o, dir, 0, calendar_of(&arena, 0, ""));
    th_case_recount_tick(o.cases);
    crowd *c = crowd_open(&o, 500, begun, begun_bodies, cases);
    crowd_run(c, 0);
    office_close(&o);
    double looked = recounted(dir, 0, " "), moved = recounted(dir, 2, "");
    office_open(&o, dir, 0, calendar_of(&arena, 2, ""));
    printf("{\"cases\":%ld,\"looked_s\":%.3f,\"moved_s\":%.3f,\"recounted\":%lld}\n", cases, looked, moved,
           (long long)count(&o, "SELECT COUNT(*) FROM cases_event WHERE kind = 'recounted'"));
    office_close(&o);
    th_arena_close(&arena);
}

/* ---- what a node's store holds ---- */

static void store_open(const char *url, th_store **ret)
{
    th_error error = {0};
    must(th_store_open(url, NULL, ret, &error), url, &error);
}

typedef struct filling {
    th_change change;
    th_env env;
    const char *code;
    int64_t from, now_us;
} filling;

static th_status fill_apply(th_change *change, th_db *db, th_error *error)
{
    enum { COLUMNS = 12 };
    filling *f = change->ctx;
    th_arena arena;
    th_arena_open(&arena, 16u << 20);
    th_value *values = th_alloc_array(&arena, FILL_AT_ONCE * COLUMNS, sizeof *values);
    for (int i = 0; values && i < FILL_AT_ONCE; i++) {
        char id[TH_ID_TEXT];
        uint64_t at = (uint64_t)(f->from + i) * UINT64_C(0x9E3779B97F4A7C15) >> 40; /* due here and there, as cases are */
        th_uuid7(&f->env, id);
        const th_value row[COLUMNS] = {th_v_text(th_str_keep(&arena, th_str_of(id))), th_v_text(th_strf(&arena, "%s-20261125-%08lld", f->code, (long long)(f->from + i))),
                                       th_v_text(TH_STR("HE-NO-CRIME")), th_v_text(TH_STR("120000")), th_v_text(th_str_of(f->code)), th_v_text(TH_STR("accepted")),
                                       th_v_text(TH_STR("模拟")), th_v_text(TH_STR("1101**********0011")), th_v_blob("none", 4),
                                       th_v_int(f->now_us + (int64_t)(at % 60) * TH_DAY_US), th_v_int(f->now_us), th_v_text(TH_STR("citizen"))};
        memcpy(values + i * COLUMNS, row, sizeof row);
    }
    th_status status = values ? th_db_exec_many(db,
                                                "INSERT INTO cases_case (id, number, item, origin, owner, state, applicant_name, id_masked, secret, due_at, created_at, channel, open, updated_at) "
                                                "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, ?11)",
                                                values, COLUMNS, FILL_AT_ONCE, error)
                              : TH_NO_MEMORY;
    th_arena_close(&arena);
    return status;
}

static void store_fill(const char *url, const char *code, int64_t cases)
{
    th_store *store;
    th_writer *writer;
    th_error error = {0};
    store_open(url, &store);
    must(th_writer_open_beside(store, &writer, &error), "writer", &error);
    filling f = {.env = th_env_real(), .code = code};
    f.now_us = th_now_us(&f.env);
    f.change = (th_change){.apply = fill_apply, .ctx = &f};
    for (f.from = 0; f.from < cases; f.from += FILL_AT_ONCE)
        must(th_writer_run(writer, &f.change, &error), "fill", &error);
    th_writer_close(writer);
    th_store_close(store);
    printf("{\"cases\":%lld}\n", (long long)f.from);
}

static bool row_tell(void *ctx, const th_value *row, int columns)
{
    (void)ctx;
    for (int i = 0; i < columns; i++)
        printf("%s%.*s", i ? " " : "", TH_FMT(row[i].s));
    putchar('\n');
    return true;
}

static void each(th_db *db, const char *sql)
{
    th_error error = {0};
    must(th_db_each(db, sql, NULL, 0, row_tell, NULL, &error), sql, &error);
}

static void store_tell(const char *url)
{
    th_store *store;
    th_db *db;
    th_error error = {0};
    store_open(url, &store);
    must(th_store_acquire(store, &db, &error), "reader", &error);
    each(db, "SELECT applicant_name, owner, state FROM cases_case");
    each(db, "SELECT 'received', case_id FROM cases_event WHERE kind = 'received' GROUP BY case_id HAVING COUNT(*) > 1");
    th_store_release(store, db);
    th_store_close(store);
}

static void store_waiting(const char *url)
{
    th_store *store;
    th_db *db;
    th_arena arena;
    const th_value *row;
    th_error error = {0};
    th_arena_open(&arena, 1 << 20);
    store_open(url, &store);
    must(th_store_acquire(store, &db, &error), "reader", &error);
    must(th_db_one(db, "SELECT (SELECT COUNT(*) FROM exchange_outbox WHERE state < 2) + (SELECT COUNT(*) FROM cases_case WHERE state = 'evidence')", NULL, 0, &arena, &row, &error),
         "waiting", &error);
    printf("%lld\n", (long long)row[0].i);
    th_store_release(store, db);
    th_store_close(store);
    th_arena_close(&arena);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    th_log_level_set(TH_LOG_ERROR);
    if (th_crypto_start())
        die("crypto", NULL);
    if (strcmp(mode, "lives") == 0 && argc == 6)
        lives_measure(argv[2], strtod(argv[3], NULL), (size_t)number(argv[4], CALLERS_MAX), (size_t)number(argv[5], TH_WRITER_BATCH_MAX));
    else if (strcmp(mode, "replay") == 0 && argc == 4)
        replay_measure(argv[2], strtod(argv[3], NULL));
    else if (strcmp(mode, "recount") == 0 && argc == 4)
        recount_measure(argv[2], (long)number(argv[3], 10000000));
    else if (strcmp(mode, "fill") == 0 && argc == 5)
        store_fill(argv[2], argv[3], number(argv[4], 100000000));
    else if (strcmp(mode, "told") == 0 && argc == 3)
        store_tell(argv[2]);
    else if (strcmp(mode, "waiting") == 0 && argc == 3)
        store_waiting(argv[2]);
    else
        die("lives|replay|recount|fill|told|waiting; see the head of the source", NULL);
    return 0;
}
