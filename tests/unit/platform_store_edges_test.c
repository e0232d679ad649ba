/* store.h's promises where things go wrong: addresses that are none, too much asked at once, copies that are not whole, connections that are cut. */
#include "bench.h"

#include <stdatomic.h>
#include <unistd.h>

static const char schema[] = "-- migration 1: things\n-- distribute: k\nCREATE TABLE t_thing (\n    k TEXT PRIMARY KEY,\n    n BIGINT,\n    b BLOB\n);\n";

static void open_store(bench *b, bool pg)
{
    bench_open(b, pg);
    MUST(th_store_migrate(b->store, "t", schema, &b->error), &b->error);
}

/* ---- changes of the tests ---- */

typedef struct put { th_change change; int64_t from, n; th_status outcome; int replies; } put;

static th_status put_apply(th_change *change, th_db *db, th_error *error)
{
    put *p = change->ctx;
    th_arena arena;
    th_arena_open(&arena, 64u << 20);
    th_value *values = th_alloc_array(&arena, (size_t)p->n * 2, sizeof *values);
    for (int64_t i = 0; i < p->n; i++) {
        values[2 * i] = th_v_text(th_strf(&arena, "k%lld", (long long)(p->from + i)));
        values[2 * i + 1] = th_v_int(p->from + i);
    }
    th_status status = th_db_exec_many(db, "INSERT INTO t_thing (k, n) VALUES (?1, ?2)", values, 2, (size_t)p->n, error);
    th_arena_close(&arena);
    return status;
}

static void put_reply(th_change *change, th_status status, const th_error *error)
{
    put *p = change->ctx;
    (void)error;
    p->outcome = status;
    p->replies++;
}

static void put_make(put *p, int64_t from, int64_t n)
{
    *p = (put){.from = from, .n = n};
    p->change = (th_change){.apply = put_apply, .reply = put_reply, .ctx = p};
}

static void rows_put(bench *b, th_writer *w, int64_t from, int64_t n)
{
    put p;
    put_make(&p, from, n);
    MUST(th_writer_run(w, &p.change, &b->error), &b->error);
}

/* ---- addresses ---- */

static void a_store_that_cannot_be_opened_says_why(void **state)
{
    bench b;
    char path[200], url[300];
    th_store *store;
    (void)state;
    bench_open(&b, false);
    REFUSED(th_store_open("mysql://host/db", NULL, &store, &b.error), &b.error, TH_INVALID, "store-url");
    REFUSED(th_store_open("", NULL, &store, &b.error), &b.error, TH_INVALID, "store-url");
    snprintf(url, sizeof url, "sqlite:%s/no/such/folder/store.sqlite", b.dir);
    REFUSED(th_store_open(url, NULL, &store, &b.error), &b.error, TH_IO, "store-open");
    REFUSED(th_store_open("postgresql:///x?host=/nowhere", NULL, &store, &b.error), &b.error, TH_UNAVAILABLE, "store-open");
    bench_file(&b, "text.sqlite", "This is a text of more than sixteen bytes, and no database at all.", path, sizeof path);
    snprintf(url, sizeof url, "sqlite:%s", path);
    REFUSED(th_store_open(url, NULL, &store, &b.error), &b.error, TH_CORRUPT, "store-corrupt");
    bench_close(&b);
}

static void a_store_in_memory_is_one_connection(void **state)
{
    bench b;
    th_store *store;
    th_writer *w;
    th_db *db, *again;
    put p;
    (void)state;
    bench_open(&b, false);
    MUST(th_store_open("sqlite::memory:", NULL, &store, &b.error), &b.error);
    MUST(th_store_migrate(store, "t", schema, &b.error), &b.error);
    MUST(th_writer_open(store, NULL, false, 0, &w, &b.error), &b.error);
    put_make(&p, 0, 3);
    MUST(th_writer_run(w, &p.change, &b.error), &b.error);
    MUST(th_store_acquire(store, &db, &b.error), &b.error);
    MUST(th_store_acquire(store, &again, &b.error), &b.error);
    assert_ptr_equal(db, again);
    MUST(th_db_snapshot_begin(db), &b.error);
    th_db_snapshot_end(db);
    th_store_release(store, db);
    assert_int_equal(bench_count(store, "SELECT COUNT(*) FROM t_thing"), 3);
    th_writer_close(w);
    th_store_close(store);
    bench_close(&b);
}

/* ---- too much ---- */

static void readers_have_an_end(bool pg)
{
    enum { MORE = 200 };
    bench b;
    th_db *held[MORE];
    int n = 0;
    open_store(&b, pg);
    th_status status;
    while (n < MORE && !(status = th_store_acquire(b.store, &held[n], &b.error)))
        n++;
    assert_int_equal(status, TH_BUSY);
    assert_string_equal(b.error.type, "store-busy");
    th_store_release(b.store, held[--n]);
    MUST(th_store_acquire(b.store, &held[n], &b.error), &b.error);
    for (n++; n > 0; n--)
        th_store_release(b.store, held[n - 1]);
    MUST(th_store_acquire(b.store, &held[0], &b.error), &b.error);
    th_store_release(b.store, held[0]);
    bench_close(&b);
}
ON_BOTH(readers_have_an_end)

static bool to_ten(void *ctx, const th_value *row, int columns)
{
    (void)row;
    (void)columns;
    return ++*(int *)ctx < 10;
}

static bool all_of_them(void *ctx, const th_value *row, int columns)
{
    assert_int_equal(columns, 1);
    *(int64_t *)ctx += row[0].i;
    return true;
}

static void too_many_rows_are_refused_and_can_be_gone_through(bool pg)
{
    bench b;
    th_writer *w;
    th_db *db;
    th_rows rows;
    th_arena small;
    int ten = 0;
    int64_t sum = 0;
    open_store(&b, pg);
    MUST(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b.error);
    rows_put(&b, w, 0, TH_ROWS_MAX + 1);
    MUST(th_store_acquire(b.store, &db, &b.error), &b.error);
    REFUSED(th_db_select(db, "SELECT n FROM t_thing", NULL, 0, &b.arena, &rows, &b.error), &b.error, TH_TOO_LARGE, "too-many-rows");
    MUST(th_db_select(db, "SELECT n FROM t_thing LIMIT 1000", NULL, 0, &b.arena, &rows, &b.error), &b.error);
    assert_int_equal(rows.n, 1000);
    th_arena_open(&small, 8192);
    REFUSED(th_db_select(db, "SELECT k FROM t_thing LIMIT 90000", NULL, 0, &small, &rows, &b.error), &b.error, TH_TOO_LARGE, "too-many-rows");
    th_arena_close(&small);
    MUST(th_db_each(db, "SELECT n FROM t_thing", NULL, 0, all_of_them, &sum, &b.error), &b.error);
    assert_int_equal(sum, (int64_t)TH_ROWS_MAX * (TH_ROWS_MAX + 1) / 2);
    MUST(th_db_each(db, "SELECT n FROM t_thing ORDER BY n", NULL, 0, to_ten, &ten, &b.error), &b.error); /* stopped half-way, it can be used again */
    assert_int_equal(ten, 10);
    ten = 0;
    MUST(th_db_each(db, "SELECT n FROM t_thing ORDER BY n", NULL, 0, to_ten, &ten, &b.error), &b.error);
    assert_int_equal(ten, 10);
    th_store_release(b.store, db);
    th_writer_close(w);
    bench_close(&b);
}
ON_BOTH(too_many_rows_are_refused_and_can_be_gone_through)

static void the_writers_queue_takes_all_of_a_list_or_nothing(void **state)
{
    enum { LIST = TH_WRITER_QUEUE_MAX };
    bench b;
    th_writer *w;
    put *puts = th_new((LIST + 1) * sizeof *puts);
    (void)state;
    open_store(&b, false);
    MUST(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b.error);
    for (int i = 0; i <= LIST; i++) {
        put_make(&puts[i], i, 0);
        puts[i].change.apply = NULL; /* only asked to be answered */
        puts[i].change.next = i < LIST ? &puts[i + 1].change : NULL;
    }
    assert_int_equal(th_writer_submit_list(w, &puts[0].change, LIST + 1), TH_BUSY);
    assert_int_equal(th_writer_step(w), 0);
    for (int i = 0; i < LIST; i++)
        puts[i].change.next = i < LIST - 1 ? &puts[i + 1].change : NULL;
    MUST(th_writer_submit_list(w, &puts[0].change, LIST), &b.error);
    assert_int_equal(th_writer_submit(w, &puts[LIST].change), TH_BUSY); /* it is the caller's still */
    assert_int_equal(th_writer_step(w), TH_WRITER_BATCH_MAX);
    MUST(th_writer_submit(w, &puts[LIST].change), &b.error);
    while (th_writer_step(w)) {
    }
    for (int i = 0; i <= LIST; i++)
        assert_true(puts[i].replies == 1 && puts[i].outcome == TH_OK);
    th_writer_close(w);
    th_free(puts);
    bench_close(&b);
}

static void a_batch_has_its_bound(bool pg)
{
    bench b;
    th_writer *w;
    put puts[7];
    open_store(&b, pg);
    MUST(th_writer_open(b.store, NULL, false, 3, &w, &b.error), &b.error);
    for (int i = 0; i < 7; i++) {
        put_make(&puts[i], i, 1);
        MUST(th_writer_submit(w, &puts[i].change), &b.error);
    }
    assert_int_equal(th_writer_step(w), 3);
    assert_int_equal(bench_count(b.store, "SELECT COUNT(*) FROM t_thing"), 3);
    th_writer_close(w); /* what was accepted is finished */
    assert_int_equal(bench_count(b.store, "SELECT COUNT(*) FROM t_thing"), 7);
    bench_close(&b);
}
ON_BOTH(a_batch_has_its_bound)

/* ---- one state ---- */

static void a_snapshot_does_not_see_what_comes_later(bool pg)
{
    bench b;
    th_writer *w;
    th_db *db;
    const th_value *row;
    open_store(&b, pg);
    MUST(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b.error);
    rows_put(&b, w, 0, 2);
    MUST(th_store_acquire(b.store, &db, &b.error), &b.error);
    MUST(th_db_snapshot_begin(db), &b.error);
    static const char sql[] = "SELECT COUNT(*) FROM t_thing";
    MUST(th_db_one(db, sql, NULL, 0, &b.arena, &row, &b.error), &b.error);
    assert_int_equal(row[0].i, 2);
    rows_put(&b, w, 2, 3);
    MUST(th_db_one(db, sql, NULL, 0, &b.arena, &row, &b.error), &b.error);
    assert_int_equal(row[0].i, 2);
    th_db_snapshot_end(db);
    MUST(th_db_one(db, sql, NULL, 0, &b.arena, &row, &b.error), &b.error);
    assert_int_equal(row[0].i, 5);
    MUST(th_db_snapshot_begin(db), &b.error);
    th_store_release(b.store, db); /* forgotten in the middle: such a connection is not lent again */
    assert_int_equal(bench_count(b.store, sql), 5);
    rows_put(&b, w, 5, 1);
    assert_int_equal(bench_count(b.store, sql), 6);
    th_writer_close(w);
    bench_close(&b);
}
ON_BOTH(a_snapshot_does_not_see_what_comes_later)

static void wrong_words_are_the_stores_error_and_break_nothing(bool pg)
{
    bench b;
    th_db *db;
    const th_value *row;
    th_rows rows[2];
    th_value keys[] = {th_v_text(TH_STR("a")), th_v_text(TH_STR("b"))};
    open_store(&b, pg);
    MUST(th_store_acquire(b.store, &db, &b.error), &b.error);
    REFUSED(th_db_one(db, "SELECT nothing FROM nowhere", NULL, 0, &b.arena, &row, &b.error), &b.error, TH_IO, "store");
    REFUSED(th_db_select_many(db, "SELECT nothing FROM nowhere WHERE k = ?1", keys, 1, 2, &b.arena, rows, &b.error), &b.error, TH_IO, "store");
    assert_int_not_equal(th_db_exec_many(db, "INSERT INTO t_thing (k) VALUES (?1)", keys, 1, 2, &b.error), TH_OK); /* a reader does not write */
    MUST(th_db_select_many(db, "SELECT k FROM t_thing WHERE k = ?1", keys, 1, 2, &b.arena, rows, &b.error), &b.error);
    assert_true(rows[0].n == 0 && rows[1].n == 0);
    th_store_release(b.store, db);
    bench_close(&b);
}
ON_BOTH(wrong_words_are_the_stores_error_and_break_nothing)

/* ---- what fails a batch ---- */

/* A change that wrote and then found what cannot be right: by its status alone it looks as if the store were damaged. */
static th_status found_wrong(th_change *change, th_db *db, th_error *error)
{
    put *p = change->ctx;
    th_status status = put_apply(change, db, error);
    return status ? status : th_fail(error, (th_status)p->outcome, "found-wrong", "数据有误", "The data cannot be right");
}

/* One that was refused a row and goes on all the same. */
static th_status went_on(th_change *change, th_db *db, th_error *error)
{
    put *p = change->ctx;
    th_value taken[] = {th_v_text(TH_STR("k0")), th_v_int(0)}, none[] = {th_v_null(), th_v_int(0)};
    TH_IGNORE(th_db_exec(db, "INSERT INTO t_thing (k, n) VALUES (?1, ?2)", taken, 2, NULL, NULL));
    TH_IGNORE(th_db_exec(db, "INSERT INTO t_thing (k, n) VALUES (?1, ?2)", none, 2, NULL, NULL));
    th_status status = put_apply(change, db, error);
    return status ? status : th_fail(error, (th_status)p->outcome, "found-wrong", "数据有误", "The data cannot be right");
}

static void a_change_that_finds_damage_fails_alone(bool pg)
{
    static const th_status own[] = {TH_CORRUPT, TH_IO, TH_NO_SPACE};
    bench b;
    th_writer *w;
    th_db *db;
    th_rows rows;
    put puts[8];
    open_store(&b, pg);
    MUST(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b.error);
    rows_put(&b, w, 0, 1);
    for (int i = 0; i < 8; i++) {
        put_make(&puts[i], 1 + i, 1);
        if (i % 2) {
            puts[i].outcome = i == 7 ? TH_CORRUPT : own[i / 2];
            puts[i].change.apply = i == 7 ? went_on : found_wrong;
        }
        MUST(th_writer_submit(w, &puts[i].change), &b.error);
    }
    assert_int_equal(th_writer_step(w), 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(puts[i].replies, 1);
        assert_true(i % 2 ? puts[i].outcome != TH_OK : puts[i].outcome == TH_OK);
    }
    assert_int_equal(puts[1].outcome, TH_CORRUPT);
    MUST(th_store_acquire(b.store, &db, &b.error), &b.error);
    MUST(th_db_select(db, "SELECT k FROM t_thing", NULL, 0, &b.arena, &rows, &b.error), &b.error);
    assert_int_equal(rows.n, 5);
    th_store_release(b.store, db);
    th_writer_close(w);
    bench_close(&b);
}
ON_BOTH(a_change_that_finds_damage_fails_alone)

/* ---- copies ---- */

static void manifest_write(const bench *b, const char *text)
{
    char path[200];
    bench_file(b, "copy/manifest.json", text, path, sizeof path);
}

static void copies_that_are_not_whole_are_refused(bool pg)
{
    bench b;
    th_writer *w;
    char to[160], path[200], into[400], whole[200];
    open_store(&b, pg);
    MUST(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b.error);
    rows_put(&b, w, 0, 20);
    th_writer_close(w);
    bench_file(&b, "file", "x", path, sizeof path);
    snprintf(to, sizeof to, "%s/file/copy", b.dir); /* a folder below a file */
    REFUSED(th_store_backup(b.store, to, &b.error), &b.error, TH_IO, "backup-file");
    snprintf(to, sizeof to, "%s/empty", b.dir);
    bench_shell("mkdir %s", to);
    bench_url(&b, "into", into, sizeof into);
    REFUSED(th_store_restore(to, into, &b.error), &b.error, TH_NOT_FOUND, "no-backup");
    snprintf(to, sizeof to, "%s/copy", b.dir);
    MUST(th_store_backup(b.store, to, &b.error), &b.error);
    snprintf(whole, sizeof whole, "%s/manifest.whole", b.dir);
    bench_shell("cp %s/manifest.json %s", to, whole);
    /* Of the other kind of store. */
    REFUSED(th_store_restore(to, pg ? "sqlite:/nowhere/store.sqlite" : "postgresql:///nowhere", &b.error), &b.error, TH_INVALID, "backup-kind");
    /* A manifest that leads out of its folder, that is cut, that names what is not there. */
    manifest_write(&b, "{\"files\":[{\"name\":\"../file\",\"bytes\":1,\"sha256\":\"x\"}]}");
    REFUSED(th_store_restore(to, into, &b.error), &b.error, TH_CORRUPT, "backup-altered");
    manifest_write(&b, "{\"files\":[{\"name\":\"a/b.copy\",\"bytes\":1,\"sha256\":\"x\"}]}");
    REFUSED(th_store_restore(to, into, &b.error), &b.error, TH_CORRUPT, "backup-altered");
    manifest_write(&b, "{\"files\":[{\"name\":\"gone.copy\",\"bytes\":1,\"sha256\":\"x\"}]}");
    REFUSED(th_store_restore(to, into, &b.error), &b.error, TH_IO, "backup-file");
    manifest_write(&b, "{\"files\":[");
    assert_int_equal(th_store_restore(to, into, &b.error), TH_INVALID);
    /* One byte more in one file. */
    bench_shell("cp %s %s/manifest.json && for f in %s/*; do case $f in */manifest.json) ;; *) printf x >>$f; break ;; esac; done", whole, to, to);
    REFUSED(th_store_restore(to, into, &b.error), &b.error, TH_CORRUPT, "backup-altered");
    bench_close(&b);
}
ON_BOTH(copies_that_are_not_whole_are_refused)

static void a_copy_comes_back_where_nothing_is(bool pg)
{
    bench b;
    th_writer *w;
    th_store *back;
    char to[160], into[400];
    open_store(&b, pg);
    MUST(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b.error);
    rows_put(&b, w, 0, 20);
    snprintf(to, sizeof to, "%s/copy", b.dir);
    MUST(th_store_backup(b.store, to, &b.error), &b.error);
    rows_put(&b, w, 20, 5); /* later than the copy */
    bench_url(&b, "back", into, sizeof into);
    MUST(th_store_restore(to, into, &b.error), &b.error);
    MUST(th_store_open(into, NULL, &back, &b.error), &b.error);
    MUST(th_store_migrate(back, "t", schema, &b.error), &b.error);
    assert_int_equal(bench_count(back, "SELECT COUNT(*) FROM t_thing"), 20);
    th_store_close(back);
    REFUSED(th_store_restore(to, into, &b.error), &b.error, TH_CONFLICT, "store-exists");
    REFUSED(th_store_backup(b.store, to, &b.error), &b.error, TH_CONFLICT, "backup-exists");
    th_writer_close(w);
    bench_close(&b);
}
ON_BOTH(a_copy_comes_back_where_nothing_is)

/* ---- PostgreSQL: a connection that is cut ---- */

static void a_cut_reader_is_not_lent_again(bool pg)
{
    bench b;
    th_db *db;
    const th_value *row;
    th_rows rows[300];
    th_value keys[300];
    open_store(&b, pg);
    for (size_t i = 0; i < TH_COUNT(keys); i++)
        keys[i] = th_v_text(TH_STR("a"));
    static const char count[] = "SELECT COUNT(*) FROM t_thing", one[] = "SELECT n FROM t_thing WHERE k = ?1", mine[] = "SELECT pg_backend_pid()";
    for (int round = 0; round < 2; round++) {
        MUST(th_store_acquire(b.store, &db, &b.error), &b.error);
        MUST(th_db_one(db, mine, NULL, 0, &b.arena, &row, &b.error), &b.error);
        bench_shell("psql -q '%s' -c 'SELECT pg_terminate_backend(%lld)' >/dev/null", getenv("TONGHUI_TEST_PG"), (long long)row[0].i);
        usleep(50000);
        th_status status = round ? th_db_select_many(db, one, keys, 1, TH_COUNT(keys), &b.arena, rows, &b.error) : th_db_one(db, count, NULL, 0, &b.arena, &row, &b.error);
        assert_int_equal(status, TH_IO);
        th_store_release(b.store, db);
        assert_int_equal(bench_count(b.store, count), 0); /* the next one is whole */
    }
    bench_close(&b);
}

static void cut_on_postgresql(void **state)
{
    (void)state;
    if (!bench_has_pg())
        skip();
    a_cut_reader_is_not_lent_again(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_cannot_be_opened_says_why),
        cmocka_unit_test(a_store_in_memory_is_one_connection),
        BOTH(readers_have_an_end),
        BOTH(too_many_rows_are_refused_and_can_be_gone_through),
        cmocka_unit_test(the_writers_queue_takes_all_of_a_list_or_nothing),
        BOTH(a_batch_has_its_bound),
        BOTH(a_snapshot_does_not_see_what_comes_later),
        BOTH(wrong_words_are_the_stores_error_and_break_nothing),
        BOTH(a_change_that_finds_damage_fails_alone),
        BOTH(copies_that_are_not_whole_are_refused),
        BOTH(a_copy_comes_back_where_nothing_is),
        cmocka_unit_test(cut_on_postgresql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
