/* The outbox where things go wrong: changes that fail, lines that are too long, receivers that cannot now, wires that are cut. */
#include "pair.h"

typedef struct putting { th_change change; const char *key; int n; size_t body_n; th_status fail_with; th_status outcome; char type[48]; } putting;

static th_status putting_apply(th_change *change, th_db *db, th_error *why)
{
    putting *p = change->ctx;
    th_arena arena;
    th_arena_open(&arena, 1 << 20);
    char *filler = th_alloc(&arena, p->body_n + 1);
    memset(filler, 'x', p->body_n);
    filler[p->body_n] = 0;
    th_str body = th_strf(&arena, "{\"n\":\"%d\",\"filler\":\"%s\"}", p->n, filler);
    th_status status = th_outbox_put(a.ex, db, TH_STR("120000"), "effect", th_str_of(p->key), TH_STR("A"), TH_STR("case-1"), TH_STR("BJ-HR"), body, why);
    th_arena_close(&arena);
    return status ? status : p->fail_with ? th_fail(why, p->fail_with, "wanted", "要失败", "Wanted to fail") : TH_OK;
}

static void putting_reply(th_change *change, th_status status, const th_error *why)
{
    putting *p = change->ctx;
    p->outcome = status;
    snprintf(p->type, sizeof p->type, "%s", why ? why->type : "");
}

static void put(putting *p, const char *key, int n, size_t body_n, th_status fail_with)
{
    *p = (putting){.key = key, .n = n, .body_n = body_n, .fail_with = fail_with};
    p->change = (th_change){.apply = putting_apply, .reply = putting_reply, .ctx = p};
    assert_int_equal(th_writer_submit(a.writer, &p->change), TH_OK);
}

static void what_was_put_goes_with_its_commit_or_not_at_all(bool pg)
{
    putting p[3];
    open_pair(pg);
    put(&p[0], "case-1", 1, 0, TH_CONFLICT);
    node_settle(&a);
    assert_int_equal(p[0].outcome, TH_CONFLICT);
    assert_int_equal(backlog_of(&a).waiting, 0);
    assert_int_equal(bench_count(a.b.store, "SELECT COUNT(*) FROM exchange_outbox_sequence"), 0); /* no number is used up, or the receiver would miss it */
    put(&p[0], "case-1", 2, 0, TH_OK); /* three in one batch; the middle one fails alone */
    put(&p[1], "case-1", 3, 0, TH_CONFLICT);
    put(&p[2], "case-1", 4, 0, TH_OK);
    node_settle(&a);
    assert_true(p[0].outcome == TH_OK && p[1].outcome == TH_CONFLICT && p[2].outcome == TH_OK);
    assert_int_equal(backlog_of(&a).waiting, 2);
    assert_int_equal(bench_count(a.b.store, "SELECT last FROM exchange_outbox_sequence"), 2);
    while (carry(&a, &b, NULL, NULL)) {
    }
    assert_string_equal(effect_order, "2 4 ");
    close_pair();
}
ON_BOTH(what_was_put_goes_with_its_commit_or_not_at_all)

static void a_line_that_is_too_long_is_refused_before_it_is_put(bool pg)
{
    putting p;
    open_pair(pg);
    put(&p, "case-1", 1, TH_LINE_MAX, TH_OK);
    node_settle(&a);
    assert_int_equal(p.outcome, TH_TOO_LARGE);
    assert_string_equal(p.type, "line-too-long");
    assert_int_equal(backlog_of(&a).waiting, 0);
    put(&p, "case-1", 2, TH_LINE_MAX - 2048, TH_OK); /* what the parts of the kernel keep to */
    node_settle(&a);
    assert_int_equal(p.outcome, TH_OK);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_string_equal(effect_order, "2 ");
    close_pair();
}
ON_SQLITE(a_line_that_is_too_long_is_refused_before_it_is_put)

/* Each pause is twice the one before, a quarter more or less, up to half a minute; and it never gives up. */
static void pauses_grow_to_half_a_minute(bool pg)
{
    open_pair(pg);
    effect_outcome = TH_BUSY;
    tell("case-1", 1);
    for (int i = 0; i < 14; i++) {
        int64_t usual = INT64_C(200000) << (i < 8 ? i : 8);
        usual = usual > 30000000 ? 30000000 : usual;
        int tries = 0;
        while (bench_count(a.b.store, "SELECT attempts FROM exchange_outbox") == i && tries++ < 10) {
            th_exchange_tick(a.ex);
            if (!carry(&a, &b, NULL, NULL))
                pass(TH_SECOND_US);
        }
        assert_int_equal(bench_count(a.b.store, "SELECT attempts FROM exchange_outbox"), i + 1);
        int64_t pause = bench_count(a.b.store, "SELECT next_at FROM exchange_outbox") - a.b.clock.now_us;
        if (pause < usual * 3 / 4 || pause > usual * 5 / 4)
            fail_msg("attempt %d: %lld µs instead of %lld", i + 1, (long long)pause, (long long)usual);
        assert_false(carry(&a, &b, NULL, NULL)); /* not before */
        pass(pause + 1000);
    }
    assert_int_equal(backlog_of(&a).dead, 0);
    effect_outcome = TH_OK;
    th_exchange_tick(a.ex);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_string_equal(effect_order, "1 ");
    close_pair();
}
ON_BOTH(pauses_grow_to_half_a_minute)

static bool cut(void *ctx, th_wire *request, th_wire *answer)
{
    (void)request;
    (void)answer;
    return (*(int *)ctx)-- <= 0;
}

static void a_cut_wire_costs_no_attempt_and_loses_nothing(bool pg)
{
    enum { MANY = 1100 }; /* more than a batch holds */
    int cuts = 1;
    char key[16];
    open_pair(pg);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "case-%d", i % 7);
        tell(key, i);
    }
    assert_true(carry(&a, &b, cut, &cuts));
    assert_int_equal(effects_done, 0);
    assert_int_equal(backlog_of(&a).waiting, MANY);
    assert_int_equal(bench_count(a.b.store, "SELECT MAX(attempts) FROM exchange_outbox"), 0);
    for (int i = 0; i < 20 && backlog_of(&a).waiting; i++) {
        pass(2 * TH_SECOND_US);
        th_exchange_tick(a.ex);
        while (carry(&a, &b, NULL, NULL)) {
        }
    }
    assert_int_equal(backlog_of(&a).waiting, 0);
    assert_int_equal(effects_done, MANY);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_inbox"), MANY);
    assert_int_equal(bench_count(b.b.store, "SELECT MAX(seq) FROM exchange_inbox"), MANY);
    int last[7];
    memset(last, -1, sizeof last);
    const char *at = effect_order; /* as far as it was written down */
    for (int n, used, seen = 0; sscanf(at, "%d %n", &n, &used) == 1 && seen < 700; at += used, seen++) {
        assert_true(n > last[n % 7]); /* in order within each case */
        last[n % 7] = n;
    }
    close_pair();
}
ON_SQLITE(a_cut_wire_costs_no_attempt_and_loses_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(what_was_put_goes_with_its_commit_or_not_at_all),
        ONE(a_line_that_is_too_long_is_refused_before_it_is_put),
        BOTH(pauses_grow_to_half_a_minute),
        ONE(a_cut_wire_costs_no_attempt_and_loses_nothing),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
