/* material.h's promises about the rows of papers: what arrives is what was looked at, and what is wrong is paused longer each time. */
#include "bench.h"

#include "kernel/cases/material.h"

typedef struct step {
    th_change change;
    th_status (*run)(struct step *step, th_db *db, th_error *error);
    th_material m;
    int64_t now_us;
    bool arrived;
} step;

static const char case_id[] = "01a21080-338e-7001-a9af-71a694426c01";

static th_status step_apply(th_change *change, th_db *db, th_error *error)
{
    step *s = change->ctx;
    return s->run(s, db, error);
}

static th_status announce(step *s, th_db *db, th_error *error) { return th_material_put(db, th_str_of(case_id), &s->m, error); }
static th_status arrive(step *s, th_db *db, th_error *error) { return th_material_arrive(db, th_str_of(case_id), &s->m, &s->arrived, error); }
static th_status again(step *s, th_db *db, th_error *error) { return th_material_again(db, th_str_of(case_id), &s->m, s->now_us, error); }

static bool go(bench *b, th_writer *w, th_status (*run)(step *, th_db *, th_error *), const th_material *m)
{
    step s = {.run = run, .m = *m, .now_us = BENCH_NOW_US};
    s.change = (th_change){.apply = step_apply, .ctx = &s};
    MUST(th_writer_run(w, &s.change, &b->error), &b->error);
    return s.arrived;
}

static th_material row_of(bench *b)
{
    th_db *db;
    th_material m;
    MUST(th_store_acquire(b->store, &db, &b->error), &b->error);
    MUST(th_material_get(db, th_str_of(case_id), TH_STR("contract"), &b->arena, &m, &b->error), &b->error);
    th_store_release(b->store, db);
    return m;
}

static th_writer *open_papers(bench *b, bool pg)
{
    th_writer *w;
    bench_open(b, pg);
    MUST(th_store_migrate(b->store, "cases", th_cases_schema(), &b->error), &b->error);
    MUST(th_writer_open(b->store, NULL, false, 0, &w, &b->error), &b->error);
    return w;
}

static const th_material paper = {.code = {"contract", 8}, .name = {"c.pdf", 5}, .mime = {"application/pdf", 15}, .sha256 = {"aa", 2},
                                  .state = {"uploading", 9}, .source = {"120000", 6}, .size = 40000, .at_us = BENCH_NOW_US};

static void only_what_was_looked_at_arrives(bool pg)
{
    bench b;
    th_writer *w = open_papers(&b, pg);
    th_material looked_at = paper, others[3] = {paper, paper, paper};
    others[0].sha256 = TH_STR("bb");
    others[1].size = 39999;
    others[2].at_us++; /* the same again: its pieces are gone, and what comes may be anything */
    for (size_t i = 0; i < TH_COUNT(others); i++) {
        go(&b, w, announce, &others[i]);
        assert_false(go(&b, w, arrive, &looked_at));
        TEXT(row_of(&b).state, "uploading");
    }
    go(&b, w, announce, &paper);
    assert_true(go(&b, w, arrive, &looked_at));
    TEXT(row_of(&b).state, "here");
    assert_false(go(&b, w, arrive, &looked_at)); /* once */
    th_writer_close(w);
    bench_close(&b);
}
ON_BOTH(only_what_was_looked_at_arrives)

static void what_is_wrong_is_paused_longer_each_time(bool pg)
{
    bench b;
    th_writer *w = open_papers(&b, pg);
    th_material m = paper;
    int64_t pause = 0;
    m.state = TH_STR("wanted");
    go(&b, w, announce, &m);
    for (int i = 0; i < 14; i++) {
        m = row_of(&b);
        go(&b, w, again, &m);
        int64_t next = row_of(&b).next_us - BENCH_NOW_US;
        assert_true(i < 10 ? next > pause : next == pause);
        assert_true(next >= 60 * TH_SECOND_US && next <= 9 * TH_HOUR_US);
        pause = next;
    }
    assert_int_equal(row_of(&b).tries, 14);
    go(&b, w, announce, &m); /* said anew: from the beginning */
    m = row_of(&b);
    assert_true(m.tries == 0 && m.next_us == 0);
    th_writer_close(w);
    bench_close(&b);
}
ON_BOTH(what_is_wrong_is_paused_longer_each_time)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(only_what_was_looked_at_arrives),
        BOTH(what_is_wrong_is_paused_longer_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
