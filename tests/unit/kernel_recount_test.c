/* recount.c's promises: another calendar, or other limits of the law, and what becomes of the cases that are open; and th_cases_check. */
#include "region.h"

#include "cases-private.h"

static bench files; /* the folders of three small regions: one item, and calendars that differ */
static char plain[128], later[128], spaced[128];
static region r;
static node origin, owner; /* 120000 and 130000; the item is the second's */
static th_error error;

static const char item[] = "{\"code\":\"HE-X\",\"title\":{\"zh\":\"事项\",\"en\":\"Item\"},\"kind\":\"01\",\"basis\":[{\"zh\":\"法\",\"en\":\"law\"}],\"owner\":\"130000\",\"office\":\"HE-X\","
                           "\"statutory_days\":20,\"promised_days\":10,\"extend_days\":10,\"form\":{\"type\":\"object\",\"properties\":{}},\"evidence\":[]}";

static void folder_write(const char *name, const char *calendar, char ret_dir[128])
{
    char path[200], file[80];
    snprintf(ret_dir, 128, "%s/%s", files.dir, name);
    bench_shell("mkdir -p %s/items %s/calendar", ret_dir, ret_dir);
    snprintf(file, sizeof file, "%s/items/HE-X.json", name);
    bench_file(&files, file, item, path, sizeof path);
    snprintf(file, sizeof file, "%s/calendar/working-days.json", name);
    bench_file(&files, file, calendar, path, sizeof path);
}

static int open_files(void **state)
{
    (void)state;
    bench_open(&files, false);
    folder_write("plain", "{\"years\":{\"2026\":{\"rest\":[\"10-01\"]}}}", plain);
    folder_write("later", "{\"years\":{\"2026\":{\"rest\":[\"10-01\",\"12-01\",\"12-02\"]}}}", later); /* a Tuesday and a Wednesday */
    folder_write("spaced", "{\"years\": {\"2026\": {\"rest\": [\"10-01\"]}}}", spaced);
    return 0;
}

static int close_files(void **state)
{
    (void)state;
    bench_close(&files);
    return 0;
}

static void set_up_region(bool pg, const char *dir)
{
    memset(&error, 0, sizeof error);
    th_log_level_set(TH_LOG_ERROR);
    region_open(&r, 3);
    node_open_whole(&origin, &r, 1, pg, dir, false);
    node_open_whole(&owner, &r, 2, pg, dir, false);
    th_cases_tick(owner.cases); /* counted by this calendar */
}

static void tear_down_region(void)
{
    node_close(&origin);
    node_close(&owner);
    region_close(&r);
}

static void carry_all(void)
{
    node *nodes[] = {&origin, &owner};
    settle(nodes, 2);
}

/* Ten in the morning of that day in Shanghai, at both. */
static void day_is(const char *day)
{
    int32_t d;
    assert_true(th_day_parse(th_str_of(day), &d));
    origin.b.clock.now_us = owner.b.clock.now_us = th_day_start_us(d) + 10 * TH_HOUR_US;
}

static void started(th_case_start *start)
{
    assert_int_equal(start->status, TH_OK);
    *(int *)start->ctx += 1;
}

static th_str begun(node *at)
{
    static th_case_start start;
    int done = 0;
    start = (th_case_start){.json = TH_STR("{\"item\":\"HE-X\",\"form\":{},\"consents\":[]}"), .applicant_id_number = TH_STR("110101199003070011"),
                            .applicant_name = TH_STR("张三"), .account = TH_STR("citizen"), .done = started, .ctx = &done};
    MUST(th_cases_start(at->cases, &start, &error), &error);
    node_settle(at);
    assert_int_equal(done, 1);
    carry_all();
    return th_str_keep(&r.arena, th_str_of(start.case_id));
}

static void acts(th_str id, const char *action, const char *json)
{
    const th_who who = {.account = TH_STR("head"), .roles = TH_ROLE_CLERK | TH_ROLE_HEAD};
    MUST(th_cases_act(owner.cases, id, th_str_of(action), th_str_of(json), &who, &error), &error);
}

static th_case row_of(node *n, th_str id)
{
    th_db *db;
    th_case c;
    MUST(th_store_acquire(n->b.store, &db, &error), &error);
    MUST(th_case_get(n->cases, db, id, &r.arena, &c, &error), &error);
    th_store_release(n->b.store, db);
    return c;
}

static void due_is(node *n, th_str id, const char *day)
{
    int32_t d;
    th_case c = row_of(n, id);
    TEXT(th_json_str(bench_json(&r.arena, c.clock), "next_due"), day);
    assert_true(th_day_parse(th_str_of(day), &d));
    assert_int_equal(c.due_us, th_day_end_us(d)); /* what the work-list goes by */
}

static int64_t recounted_at(node *n)
{
    return bench_count(n->b.store, "SELECT COUNT(*) FROM cases_event WHERE kind = 'recounted'");
}

static bool counted_by(node *n, const char *basis)
{
    return bench_count(n->b.store, th_strf(&r.arena, "SELECT COUNT(*) FROM cases_basis WHERE hash = '%s'", basis).p) == 1;
}

static void all_fold(void)
{
    int64_t cases, events;
    MUST(th_cases_check(owner.cases, &cases, &events, &error), &error);
    assert_int_equal(cases, bench_count(owner.b.store, "SELECT COUNT(*) FROM cases_case WHERE owner = '130000'"));
}

/* ---- the promises ---- */

static void cases_whose_days_move_say_so_once(bool pg)
{
    char before[sizeof owner.cases->basis];
    set_up_region(pg, plain);
    th_str waiting = begun(&origin), running = begun(&origin), decided = begun(&origin), over = begun(&origin);
    acts(running, "accept", "{}");
    acts(decided, "accept", "{}");
    acts(decided, "decide", "{\"outcome\":\"approved\"}");
    acts(over, "accept", "{}");
    acts(over, "decide", "{\"outcome\":\"approved\"}");
    acts(over, "deliver", "{}");
    carry_all();
    due_is(&owner, waiting, "2026-12-01"); /* five days to say what is missing */
    due_is(&owner, running, "2026-12-22"); /* twenty to decide */
    due_is(&owner, decided, "2026-12-08"); /* ten to deliver */
    assert_true(counted_by(&owner, owner.cases->basis));
    memcpy(before, owner.cases->basis, sizeof before);

    node_reopen_cases(&owner, later);
    assert_string_not_equal(before, owner.cases->basis);
    th_cases_tick(owner.cases);
    due_is(&owner, waiting, "2026-12-03");
    due_is(&owner, running, "2026-12-24");
    due_is(&owner, decided, "2026-12-10");
    assert_int_equal(recounted_at(&owner), 3); /* what is over is over */
    assert_true(counted_by(&owner, owner.cases->basis));
    th_cases_tick(owner.cases);
    node_reopen_cases(&owner, later);
    th_cases_tick(owner.cases);
    assert_int_equal(recounted_at(&owner), 3);
    all_fold();

    carry_all(); /* every copy follows */
    assert_int_equal(recounted_at(&origin), 3);
    due_is(&origin, running, "2026-12-24");
    th_db *db;
    const th_value *row;
    th_value key = th_v_text(running);
    MUST(th_store_acquire(origin.b.store, &db, &error), &error);
    MUST(th_db_one(db, "SELECT json FROM cases_event WHERE case_id = ?1 AND kind = 'recounted'", &key, 1, &r.arena, &row, &error), &error);
    TEXT(row[0].s, "{\"kind\":\"recounted\",\"was\":\"2026-12-22\",\"due\":\"2026-12-24\"}");
    th_store_release(origin.b.store, db);

    /* What comes by itself comes by the new days. */
    day_is("2026-12-02");
    th_cases_tick(owner.cases);
    TEXT(row_of(&owner, waiting).state->id, "received");
    day_is("2026-12-04");
    th_cases_tick(owner.cases);
    TEXT(row_of(&owner, waiting).state->id, "accepted");
    tear_down_region();
}
ON_BOTH(cases_whose_days_move_say_so_once)

static void nothing_changes_where_no_day_moves(bool pg)
{
    char before[sizeof owner.cases->basis];
    set_up_region(pg, plain);
    th_str id = begun(&origin);
    acts(id, "accept", "{}");
    th_case was = row_of(&owner, id);
    memcpy(before, owner.cases->basis, sizeof before);
    int64_t events = bench_count(owner.b.store, "SELECT COUNT(*) FROM cases_event");
    node_reopen_cases(&owner, plain); /* the same file */
    th_cases_tick(owner.cases);
    assert_string_equal(before, owner.cases->basis);
    assert_true(owner.cases->recounted);
    node_reopen_cases(&owner, spaced); /* another file with the same days */
    th_cases_tick(owner.cases);
    assert_string_not_equal(before, owner.cases->basis);
    assert_true(counted_by(&owner, owner.cases->basis));
    th_case now = row_of(&owner, id);
    assert_true(th_str_eq(was.clock, now.clock) && was.updated_us == now.updated_us && was.due_us == now.due_us);
    assert_int_equal(bench_count(owner.b.store, "SELECT COUNT(*) FROM cases_event"), events);
    assert_int_equal(bench_count(owner.b.store, "SELECT COUNT(*) FROM cases_basis"), 1);
    tear_down_region();
}
ON_BOTH(nothing_changes_where_no_day_moves)

static int64_t hurrying(void *ctx)
{
    return ((bench_clock *)ctx)->now_us += 100000; /* so that a tick's quarter of a second is over after its first page */
}

static void ended_half_way_it_begins_again(bool pg)
{
    enum { MANY = 130 };
    char before[sizeof owner.cases->basis];
    set_up_region(pg, plain);
    for (int i = 0; i < MANY; i++)
        acts(begun(&owner), "accept", "{}");
    memcpy(before, owner.cases->basis, sizeof before);
    node_reopen_cases(&owner, later);
    owner.cases->env.now_us = hurrying;
    th_cases_tick(owner.cases);
    int64_t first = recounted_at(&owner);
    assert_true(first > 0 && first < MANY);
    assert_false(owner.cases->recounted);
    assert_true(counted_by(&owner, before)); /* not before the last */
    node_reopen_cases(&owner, later);        /* it died there */
    th_cases_tick(owner.cases);
    assert_int_equal(recounted_at(&owner), MANY);
    assert_int_equal(bench_count(owner.b.store, "SELECT COUNT(DISTINCT case_id) FROM cases_event WHERE kind = 'recounted'"), MANY);
    assert_true(owner.cases->recounted && counted_by(&owner, owner.cases->basis));
    all_fold();
    tear_down_region();
}
ON_BOTH(ended_half_way_it_begins_again)

/* With rest on the first two days of December the limits lie two days later: what was in time then is late by the other calendar. */
static void what_happened_stays_as_it_happened(bool pg)
{
    set_up_region(pg, later);
    th_str told = begun(&origin), extended = begun(&origin), suspended = begun(&origin);
    acts(extended, "accept", "{}");
    acts(suspended, "accept", "{}");
    acts(suspended, "suspend", "{\"reason\":\"review\",\"days\":10}");
    day_is("2026-12-03"); /* the last day by this calendar; by the other 1 December was */
    acts(told, "correct", "{\"missing\":\"证明\"}");
    day_is("2026-12-24");
    acts(extended, "extend", "{\"reason\":\"复杂\"}");
    acts(suspended, "resume", "{}");
    node_reopen_cases(&owner, plain);
    th_cases_tick(owner.cases);
    all_fold();
    TEXT(row_of(&owner, told).state->id, "correction");
    TEXT(row_of(&owner, extended).state->id, "accepted");
    assert_true(th_json_bool(bench_json(&r.arena, row_of(&owner, extended).clock), "extended", false));
    due_is(&owner, extended, "2027-01-05"); /* thirty days by the days as they are known now */
    acts(extended, "decide", "{\"outcome\":\"approved\"}"); /* and it goes on */
    carry_all();
    assert_true(recounted_at(&origin) >= 1);
    tear_down_region();

    /* Accepted by silence, and then the days were fewer. */
    set_up_region(pg, plain);
    th_str silent = begun(&origin);
    day_is("2026-12-02");
    th_cases_tick(owner.cases);
    TEXT(row_of(&owner, silent).state->id, "accepted");
    node_reopen_cases(&owner, later); /* by which there are two days left to speak */
    th_cases_tick(owner.cases);
    all_fold();
    TEXT(row_of(&owner, silent).state->id, "accepted");
    assert_true(th_json_bool(bench_json(&r.arena, row_of(&owner, silent).clock), "deemed", false));
    TEXT(th_json_str(bench_json(&r.arena, row_of(&owner, silent).clock), "start"), "2026-11-24");
    tear_down_region();
}
ON_BOTH(what_happened_stays_as_it_happened)

static th_status chain_break(void *ctx, th_db *db, th_error *why)
{
    th_value values[] = {th_v_text(*(th_str *)ctx), th_v_blob("no hash", 7)};
    return th_db_exec(db, "UPDATE cases_event SET chain = ?2 WHERE case_id = ?1", values, 2, NULL, why);
}

static void a_damaged_case_holds_up_no_other(bool pg)
{
    set_up_region(pg, plain);
    th_str ids[3];
    for (size_t i = 0; i < TH_COUNT(ids); i++) {
        ids[i] = begun(&origin);
        acts(ids[i], "accept", "{}");
    }
    MUST(th_cases_write(owner.cases, chain_break, &ids[1], &error), &error);
    node_reopen_cases(&owner, later);
    th_cases_tick(owner.cases); /* and says so in the log */
    assert_int_equal(recounted_at(&owner), 2);
    due_is(&owner, ids[0], "2026-12-24");
    due_is(&owner, ids[1], "2026-12-22");
    due_is(&owner, ids[2], "2026-12-24");
    assert_true(owner.cases->recounted);
    tear_down_region();
}
ON_BOTH(a_damaged_case_holds_up_no_other)

/* ---- `tonghui cases check` ---- */

typedef struct damage { const char *sql; th_str id; } damage;

static th_status damage_write(void *ctx, th_db *db, th_error *why)
{
    const damage *d = ctx;
    th_value key = th_v_text(d->id);
    return th_db_exec(db, d->sql, &key, 1, NULL, why);
}

static void checking_names_the_case_that_is_not_what_its_events_say(bool pg)
{
    static const struct { const char *sql, *type; } damages[] = {
        {"UPDATE cases_case SET state = 'review' WHERE id = ?1", "case-fold"}, {"UPDATE cases_case SET outcome = 'approved' WHERE id = ?1", "case-fold"},
        {"UPDATE cases_event SET json = '{\"kind\":\"accepted\",\"by\":\"head\"}' WHERE case_id = ?1 AND kind = 'accepted'", "case-chain"},
        {"DELETE FROM cases_event WHERE case_id = ?1 AND kind = 'accepted'", "case-fold"}, {"DELETE FROM cases_event WHERE case_id = ?1", "case-fold"}};
    for (size_t i = 0; i < TH_COUNT(damages); i++) {
        int64_t cases, events, copies;
        th_str ids[3];
        set_up_region(pg, plain);
        for (size_t k = 0; k < TH_COUNT(ids); k++) {
            ids[k] = begun(k == 1 ? &owner : &origin);
            acts(ids[k], "accept", "{}");
        }
        carry_all();
        MUST(th_cases_check(owner.cases, &cases, &events, &error), &error);
        assert_true(cases == 3 && events == 10); /* three of a case that arrived, one more of the one that began here */
        MUST(th_cases_check(origin.cases, &cases, &events, &error), &error);
        assert_true(cases == 0 && events == 0); /* copies follow, they are not folded */
        MUST(th_cases_copies(origin.cases, &copies, &error), &error);
        assert_int_equal(copies, 2);
        MUST(th_cases_copies(owner.cases, &copies, &error), &error);
        assert_int_equal(copies, 0);
        damage d = {damages[i].sql, ids[1]};
        MUST(th_cases_write(owner.cases, damage_write, &d, &error), &error);
        REFUSED(th_cases_check(owner.cases, &cases, &events, &error), &error, TH_CORRUPT, damages[i].type);
        assert_true(bench_holds(th_str_of(error.en), ids[1].p));
        tear_down_region();
    }
}
ON_BOTH(checking_names_the_case_that_is_not_what_its_events_say)

/* A store from before there was a basis: what stands in it stays, and its cases are looked through once. */
static void an_older_store_moves_up(bool pg)
{
    static const char insert[] = "-- migration 1: of the test\nINSERT INTO cases_case (id, number, item, origin, owner, state, applicant_name, id_masked, secret, open, channel, created_at, updated_at) "
                                 "VALUES ('0', 'N', 'I', '130000', '130000', 'received', 'x', 'x', '', 1, 'citizen', 1, 1);\n";
    bench b;
    bench_open(&b, pg);
    th_str whole = th_str_of(th_cases_schema());
    const char *third = strstr(whole.p, "-- migration 3");
    assert_non_null(third);
    th_str older = th_strf(&b.arena, "%.*s\n", TH_FMT(th_str_trim((th_str){whole.p, (size_t)(third - whole.p)}))); /* as its file ended */
    MUST(th_store_migrate(b.store, "cases", older.p, &b.error), &b.error);
    MUST(th_store_migrate(b.store, "test", insert, &b.error), &b.error);
    MUST(th_store_migrate(b.store, "cases", whole.p, &b.error), &b.error);
    MUST(th_store_migrate(b.store, "cases", whole.p, &b.error), &b.error);
    assert_int_equal(bench_count(b.store, "SELECT COUNT(*) FROM cases_case"), 1);
    assert_int_equal(bench_count(b.store, "SELECT COUNT(*) FROM cases_basis"), 0);
    bench_close(&b);
}
ON_BOTH(an_older_store_moves_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(cases_whose_days_move_say_so_once),
        BOTH(nothing_changes_where_no_day_moves),
        BOTH(ended_half_way_it_begins_again),
        BOTH(what_happened_stays_as_it_happened),
        BOTH(a_damaged_case_holds_up_no_other),
        BOTH(checking_names_the_case_that_is_not_what_its_events_say),
        BOTH(an_older_store_moves_up),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, open_files, close_files);
}
