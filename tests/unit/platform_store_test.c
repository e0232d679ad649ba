/* store.h's promises, on SQLite and, where TONGHUI_TEST_PG names a cluster, on PostgreSQL. */
#include "platform/store/store.h"
#include "platform/crypto/crypto.h"

#include <pthread.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char schema[] = "-- migration 1: things\n-- distribute: k\nCREATE TABLE t_thing (k TEXT PRIMARY KEY, n BIGINT, b BLOB);\n"
                             "-- migration 2: more\nALTER TABLE t_thing ADD COLUMN note TEXT;\n";

typedef struct bench {
    char dir[64], url[256];
    th_store *store;
    th_arena arena;
    th_error error;
} bench;

static void must(th_status status, const bench *b)
{
    if (status)
        fail_msg("%s: %s", th_status_name(status), b->error.en);
}

/* A schema of its own for every test, so that tests do not see each other. */
static void pg_schema(const char *name)
{
    char command[512];
    snprintf(command, sizeof command, "psql -q '%s' -c 'DROP SCHEMA IF EXISTS %s CASCADE' -c 'CREATE SCHEMA %s' >/dev/null 2>&1",
             getenv("TONGHUI_TEST_PG"), name, name);
    assert_int_equal(system(command), 0);
}

static void open_bench(bench *b, bool pg)
{
    static int number;
    *b = (bench){0};
    th_arena_open(&b->arena, 64u << 20);
    snprintf(b->dir, sizeof b->dir, "/tmp/tonghui-store.XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    if (pg) {
        char name[32];
        snprintf(name, sizeof name, "t%d_%d", (int)getpid(), number++);
        pg_schema(name);
        snprintf(b->url, sizeof b->url, "%s&options=-csearch_path%%3D%s", getenv("TONGHUI_TEST_PG"), name);
    } else {
        snprintf(b->url, sizeof b->url, "sqlite:%s/store.sqlite", b->dir);
    }
    must(th_store_open(b->url, NULL, &b->store, &b->error), b);
    must(th_store_migrate(b->store, "t", schema, &b->error), b);
}

static void close_bench(bench *b)
{
    char command[128];
    th_store_close(b->store);
    th_arena_close(&b->arena);
    snprintf(command, sizeof command, "rm -rf %s", b->dir);
    assert_int_equal(system(command), 0);
}

/* ---- changes for the tests ---- */

typedef struct put {
    th_change change;
    char key[24];
    int64_t n;
    th_status fail_with, outcome;
    atomic_int *replies;
    int applied;
} put;

static th_status put_apply(th_change *change, th_db *db, th_error *error)
{
    put *p = change->ctx;
    p->applied++;
    th_value values[] = {th_v_text(th_str_of(p->key)), th_v_int(p->n), th_v_blob("\0\xff", 2)};
    th_status status = th_db_exec(db, "INSERT INTO t_thing (k, n, b) VALUES (?1, ?2, ?3)", values, 3, NULL, error);
    return status ? status : p->fail_with ? th_fail(error, p->fail_with, "wanted", "要失败", "Wanted to fail") : TH_OK;
}

static void put_reply(th_change *change, th_status status, const th_error *error)
{
    put *p = change->ctx;
    (void)error;
    p->outcome = status;
    if (p->replies)
        (*p->replies)++;
}

static void put_make(put *p, const char *key, int64_t n)
{
    *p = (put){.n = n};
    snprintf(p->key, sizeof p->key, "%s", key);
    p->change = (th_change){.apply = put_apply, .reply = put_reply, .ctx = p};
}

static int64_t count(bench *b)
{
    th_db *db;
    const th_value *row;
    must(th_store_acquire(b->store, &db, &b->error), b);
    must(th_db_one(db, "SELECT COUNT(*) FROM t_thing", NULL, 0, &b->arena, &row, &b->error), b);
    int64_t n = row[0].i;
    th_store_release(b->store, db);
    return n;
}

/* ---- the promises ---- */

static void values_come_back_as_they_went(bool pg)
{
    bench b;
    th_writer *w;
    put one;
    th_db *db;
    th_rows rows[3];
    open_bench(&b, pg);
    must(th_writer_open(b.store, NULL, true, 0, &w, &b.error), &b);
    put_make(&one, "键", INT64_MIN);
    must(th_writer_run(w, &one.change, &b.error), &b);
    must(th_store_acquire(b.store, &db, &b.error), &b);
    th_value keys[] = {th_v_text(TH_STR("键")), th_v_text(TH_STR("absent")), th_v_text(TH_STR("键"))};
    must(th_db_select_many(db, "SELECT k, n, b, note FROM t_thing WHERE k = ?1", keys, 1, 3, &b.arena, rows, &b.error), &b);
    assert_int_equal(rows[0].n, 1);
    assert_int_equal(rows[1].n, 0);
    assert_int_equal(rows[2].n, 1);
    const th_value *row = th_row(&rows[2], 0);
    assert_true(th_str_is(row[0].s, "键"));
    assert_int_equal(row[1].i, INT64_MIN);
    assert_int_equal(row[2].type, TH_VALUE_BLOB);
    assert_int_equal(row[2].s.n, 2);
    assert_memory_equal(row[2].s.p, "\0\xff", 2);
    assert_int_equal(row[3].type, TH_VALUE_NULL);
    const th_value *none;
    assert_int_equal(th_db_one(db, "SELECT k FROM t_thing WHERE k = ?1", &keys[1], 1, &b.arena, &none, &b.error), TH_NOT_FOUND);
    assert_int_not_equal(th_db_exec(db, "DELETE FROM t_thing", NULL, 0, NULL, &b.error), TH_OK); /* readers cannot write */
    th_store_release(b.store, db);
    th_writer_close(w);
    close_bench(&b);
}

static void migrations_are_applied_once_and_never_changed(bool pg)
{
    bench b;
    open_bench(&b, pg);
    must(th_store_migrate(b.store, "t", schema, &b.error), &b);
    static const char changed[] = "-- migration 1: things\nCREATE TABLE t_other (k TEXT);\n-- migration 2: more\nSELECT 1;\n";
    assert_int_equal(th_store_migrate(b.store, "t", changed, &b.error), TH_CORRUPT);
    assert_string_equal(b.error.type, "migration-changed");
    assert_int_equal(th_store_migrate(b.store, "u", "-- migration 2: gap\nSELECT 1;\n", &b.error), TH_CORRUPT);
    assert_int_not_equal(th_store_migrate(b.store, "v", "-- migration 1: bad\nCREATE TABLE t_v (k TEXT); NONSENSE;\n", &b.error), TH_OK);
    must(th_store_migrate(b.store, "v", "-- migration 1: good\nCREATE TABLE t_v (k TEXT);\n", &b.error), &b); /* nothing was left */
    /* A release adds a section, and an empty line before it: the store that knows the others moves up. */
    must(th_store_migrate(b.store, "v", "-- migration 1: good\nCREATE TABLE t_v (k TEXT);\n\n-- migration 2: more\nCREATE TABLE t_w (k TEXT);\n", &b.error), &b);
    must(th_store_migrate(b.store, "v", "-- migration 1: good\nCREATE TABLE t_v (k TEXT);\n\n-- migration 2: more\nCREATE TABLE t_w (k TEXT);\n\n-- migration 3: last\nCREATE TABLE t_x (k TEXT);\n", &b.error), &b);
    assert_int_equal(th_store_migrate(b.store, "v", "-- migration 1: good\nCREATE TABLE t_v (k  TEXT);\n", &b.error), TH_CORRUPT);
    close_bench(&b);
}

static void a_failing_change_is_undone_alone(bool pg)
{
    enum { N = 20 };
    bench b;
    th_writer *w;
    put puts[N];
    open_bench(&b, pg);
    must(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b);
    for (int i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        put_make(&puts[i], i == 7 ? "k3" : key, i); /* the eighth repeats a key */
        puts[i].fail_with = i == 11 ? TH_UNPROCESSABLE : TH_OK;
        must(th_writer_submit(w, &puts[i].change), &b);
    }
    assert_int_equal(th_writer_step(w), N);
    for (int i = 0; i < N; i++)
        assert_int_equal(puts[i].outcome, i == 7 ? TH_CONFLICT : i == 11 ? TH_UNPROCESSABLE : TH_OK);
    assert_int_equal(count(&b), N - 2);
    assert_int_equal(th_writer_read_stats(w).batches, 1);
    th_writer_close(w);
    close_bench(&b);
}

typedef struct hooked { int begins, seals, settled; th_status last; th_status seal_with; } hooked;

static void hook_begin(void *ctx, th_db *db)
{
    (void)db;
    ((hooked *)ctx)->begins++;
}

static th_status hook_seal(void *ctx, th_db *db, th_error *error)
{
    hooked *h = ctx;
    (void)db;
    h->seals++;
    return h->seal_with ? th_fail(error, h->seal_with, "seal", "封存失败", "Sealing failed") : TH_OK;
}

static void hook_settled(void *ctx, th_status status)
{
    ((hooked *)ctx)->settled++;
    ((hooked *)ctx)->last = status;
}

static void the_seal_belongs_to_the_batch(bool pg)
{
    bench b;
    th_writer *w;
    put one, two;
    hooked h = {0};
    th_writer_hooks hooks = {hook_begin, hook_seal, hook_settled, &h};
    open_bench(&b, pg);
    must(th_writer_open(b.store, &hooks, false, 0, &w, &b.error), &b);
    put_make(&one, "a", 1);
    put_make(&two, "b", 2);
    must(th_writer_submit(w, &one.change), &b);
    must(th_writer_submit(w, &two.change), &b);
    th_writer_step(w);
    assert_int_equal(h.begins, 1);
    assert_int_equal(h.seals, 1);
    assert_int_equal(h.last, TH_OK);
    h.seal_with = TH_IO;
    put_make(&one, "c", 3);
    must(th_writer_submit(w, &one.change), &b);
    th_writer_step(w);
    assert_int_equal(one.outcome, TH_IO);
    assert_int_equal(h.last, TH_IO);
    assert_int_equal(h.settled, 2);
    assert_int_equal(count(&b), 2);
    th_writer_close(w);
    close_bench(&b);
}

typedef struct submitter { th_writer *writer; put puts[200]; int from; atomic_int *replies; } submitter;

static void *submit_many(void *arg)
{
    submitter *s = arg;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", s->from + i);
        put_make(&s->puts[i], key, i);
        s->puts[i].replies = s->replies;
        while (th_writer_submit(s->writer, &s->puts[i].change) == TH_BUSY)
            usleep(100);
    }
    return NULL;
}

static void many_submitters_share_commits(bool pg)
{
    bench b;
    th_writer *w;
    pthread_t threads[4];
    submitter *s = calloc(4, sizeof *s);
    atomic_int replies = 0;
    open_bench(&b, pg);
    must(th_writer_open(b.store, NULL, true, 0, &w, &b.error), &b);
    for (int i = 0; i < 4; i++) {
        s[i].writer = w;
        s[i].from = i * 1000;
        s[i].replies = &replies;
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &s[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    th_writer_stats stats = th_writer_read_stats(w);
    th_writer_close(w); /* finishes what was accepted */
    assert_int_equal(replies, 800);
    assert_int_equal(count(&b), 800);
    assert_true(stats.batches < 800);
    free(s);
    close_bench(&b);
}

/* ---- rows that no store can keep ---- */

typedef struct odd { th_change change; int kind; th_status outcome; char type[48]; } odd;

static th_status odd_apply(th_change *change, th_db *db, th_error *error)
{
    odd *o = change->ctx;
    static const char insert[] = "INSERT INTO t_strict (k, n) VALUES (?1, ?2)";
    th_value values[4] = {th_v_text(TH_STR("fine")), th_v_int(1), th_v_text(TH_STR("second")), th_v_int(2)};
    if (o->kind == 0)
        values[0].s = (th_str){"a\0b", 3};
    if (o->kind == 1)
        values[0].s = TH_STR("\xff");
    if (o->kind == 2)
        values[1] = th_v_null();
    if (o->kind < 3)
        return th_db_exec(db, insert, values, 2, NULL, error);
    values[3] = th_v_null(); /* the second of two rows in one go */
    return th_db_exec_many(db, insert, values, 2, 2, error);
}

static void odd_reply(th_change *change, th_status status, const th_error *error)
{
    odd *o = change->ctx;
    o->outcome = status;
    snprintf(o->type, sizeof o->type, "%s", error ? error->type : "");
}

static void a_row_that_cannot_be_kept_fails_alone(bool pg)
{
    static const char strict[] = "-- migration 1: strict\nCREATE TABLE t_strict (k TEXT PRIMARY KEY, n BIGINT NOT NULL);\n";
    bench b;
    th_writer *w;
    put good[2];
    odd odds[4];
    open_bench(&b, pg);
    must(th_store_migrate(b.store, "strict", strict, &b.error), &b);
    must(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b);
    put_make(&good[0], "before", 1);
    put_make(&good[1], "after", 2);
    must(th_writer_submit(w, &good[0].change), &b);
    for (int i = 0; i < 4; i++) {
        odds[i] = (odd){.kind = i};
        odds[i].change = (th_change){.apply = odd_apply, .reply = odd_reply, .ctx = &odds[i]};
        must(th_writer_submit(w, &odds[i].change), &b);
    }
    must(th_writer_submit(w, &good[1].change), &b);
    th_writer_step(w);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(odds[i].outcome, TH_UNPROCESSABLE);
        assert_string_equal(odds[i].type, i < 2 ? "store-text" : "store-refused");
    }
    assert_int_equal(good[0].outcome, TH_OK);
    assert_int_equal(good[1].outcome, TH_OK);
    assert_int_equal(count(&b), 2);
    th_db *db;
    const th_value *row;
    must(th_store_acquire(b.store, &db, &b.error), &b);
    must(th_db_one(db, "SELECT COUNT(*) FROM t_strict", NULL, 0, &b.arena, &row, &b.error), &b);
    assert_int_equal(row[0].i, 0);
    /* Asking for such a text finds nothing and breaks nothing: the reader goes on in its snapshot. */
    th_value nul = th_v_text((th_str){"a\0b", 3});
    must(th_db_snapshot_begin(db), &b);
    assert_int_equal(th_db_one(db, "SELECT n FROM t_thing WHERE k = ?1", &nul, 1, &b.arena, &row, &b.error), TH_UNPROCESSABLE);
    must(th_db_one(db, "SELECT COUNT(*) FROM t_thing", NULL, 0, &b.arena, &row, &b.error), &b);
    assert_int_equal(row[0].i, 2);
    th_db_snapshot_end(db);
    th_store_release(b.store, db);
    th_writer_close(w);
    close_bench(&b);
}

static void acknowledged_rows_survive_kill(bool pg)
{
    bench b;
    int pipes[2];
    open_bench(&b, pg);
    assert_int_equal(pipe(pipes), 0);
    for (int round = 0; round < 5; round++) {
        pid_t child = fork();
        if (child == 0) {
            th_store *store;
            th_writer *w;
            if (th_store_open(b.url, NULL, &store, NULL) || th_writer_open(store, NULL, true, 0, &w, NULL))
                _exit(1);
            for (int i = 0;; i++) {
                put one;
                char key[24];
                snprintf(key, sizeof key, "r%d-%d", round, i);
                put_make(&one, key, i);
                if (th_writer_run(w, &one.change, NULL))
                    _exit(2);
                if (write(pipes[1], "x", 1) != 1)
                    _exit(3);
            }
        }
        usleep(60000 + (useconds_t)round * 17000);
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        assert_true(WIFSIGNALED(how));
        if (pg)
            usleep(200000); /* the server notices the dead client and frees its lock */
    }
    close(pipes[1]);
    int acknowledged = 0;
    char piece[4096];
    for (ssize_t n; (n = read(pipes[0], piece, sizeof piece)) > 0;)
        acknowledged += (int)n;
    close(pipes[0]);
    assert_true(acknowledged > 0);
    assert_true(count(&b) >= acknowledged);
    assert_true(count(&b) <= acknowledged + 5);
    close_bench(&b);
}

static void a_copy_is_whole_or_refused(bool pg)
{
    bench b;
    th_writer *w;
    put one;
    char to[128], url[300], command[600];
    th_store *restored;
    open_bench(&b, pg);
    must(th_writer_open(b.store, NULL, true, 0, &w, &b.error), &b);
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        put_make(&one, key, i);
        must(th_writer_run(w, &one.change, &b.error), &b);
    }
    snprintf(to, sizeof to, "%s/copy", b.dir);
    must(th_store_backup(b.store, to, &b.error), &b);
    assert_int_equal(th_store_backup(b.store, to, &b.error), TH_CONFLICT);
    if (pg) {
        char name[32];
        snprintf(name, sizeof name, "restored%d", (int)getpid());
        pg_schema(name);
        snprintf(url, sizeof url, "%s&options=-csearch_path%%3D%s", getenv("TONGHUI_TEST_PG"), name);
    } else {
        snprintf(url, sizeof url, "sqlite:%s/restored.sqlite", b.dir);
    }
    must(th_store_restore(to, url, &b.error), &b);
    assert_int_equal(th_store_restore(to, url, &b.error), TH_CONFLICT); /* not over an existing store */
    must(th_store_open(url, NULL, &restored, &b.error), &b);
    must(th_store_migrate(restored, "t", schema, &b.error), &b);
    bench view = b;
    view.store = restored;
    assert_int_equal(count(&view), 50);
    th_store_close(restored);
    snprintf(command, sizeof command, "f=$(ls %s/* | grep -v manifest | tail -n 1); printf x >> $f", to);
    assert_int_equal(system(command), 0);
    snprintf(url, sizeof url, "sqlite:%s/again.sqlite", b.dir);
    if (!pg)
        assert_int_equal(th_store_restore(to, url, &b.error), TH_CORRUPT);
    th_writer_close(w);
    close_bench(&b);
}

/* PostgreSQL: one process writes. */
static void a_writer_that_lost_its_connection_writes_only_with_its_lock(void **state)
{
    bench b;
    th_writer *w, *other;
    th_store *second;
    put one;
    char command[900];
    (void)state;
    if (!getenv("TONGHUI_TEST_PG"))
        skip();
    open_bench(&b, true);
    must(th_store_open(b.url, NULL, &second, &b.error), &b);
    for (int i = 0; i < 5; i++) { /* started again at once: the server may still hold the lock of the one before */
        must(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b);
        th_writer_close(w);
    }
    must(th_writer_open(b.store, NULL, false, 0, &w, &b.error), &b);
    assert_int_equal(th_writer_open(second, NULL, false, 0, &other, &b.error), TH_CONFLICT);
    assert_string_equal(b.error.type, "store-taken");
    put_make(&one, "a", 1);
    must(th_writer_run(w, &one.change, &b.error), &b);
    /* Its connection is cut, and another process takes over before it notices. */
    snprintf(command, sizeof command,
             "psql -q '%s' -c \"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1953853288 AND classid = "
             "hashtext(current_schema())::bigint & 4294967295\" >/dev/null",
             b.url);
    assert_int_equal(system(command), 0);
    must(th_writer_open(second, NULL, false, 0, &other, &b.error), &b);
    put_make(&one, "b", 2);
    assert_int_not_equal(th_writer_run(w, &one.change, &b.error), TH_OK); /* the cut is noticed */
    put_make(&one, "c", 3);
    assert_int_equal(th_writer_run(w, &one.change, &b.error), TH_CONFLICT);
    assert_int_equal(count(&b), 1);
    th_writer_close(other);
    th_status status = TH_CONFLICT;
    for (int i = 0; i < 100 && status; i++, usleep(20000)) {
        put_make(&one, "d", 4);
        status = th_writer_run(w, &one.change, &b.error);
    }
    assert_int_equal(status, TH_OK);
    assert_int_equal(count(&b), 2);
    th_writer_close(w);
    th_store_close(second);
    close_bench(&b);
}

static void a_full_disk_refuses_writes_and_recovers(void **state)
{
    (void)state;
    char dir[] = "/tmp/tonghui-full.XXXXXX", url[128], filler[128], command[256];
    bench b = {0};
    th_writer *w;
    put one;
    assert_non_null(mkdtemp(dir));
    if (geteuid() != 0 || mount("tmpfs", dir, "tmpfs", 0, "size=2m") != 0) {
        rmdir(dir);
        print_message("SKIP: mounting a small tmpfs needs root\n");
        skip();
    }
    th_arena_open(&b.arena, 8u << 20);
    snprintf(url, sizeof url, "sqlite:%s/store.sqlite", dir);
    must(th_store_open(url, NULL, &b.store, &b.error), &b);
    must(th_store_migrate(b.store, "t", schema, &b.error), &b);
    must(th_writer_open(b.store, NULL, true, 0, &w, &b.error), &b);
    put_make(&one, "before", 1);
    must(th_writer_run(w, &one.change, &b.error), &b);
    snprintf(filler, sizeof filler, "%s/filler", dir);
    snprintf(command, sizeof command, "dd if=/dev/zero of=%s bs=4k >/dev/null 2>&1; true", filler);
    assert_int_equal(system(command), 0);
    th_status status = TH_OK;
    for (int i = 0; i < 200 && status == TH_OK; i++) {
        char key[16];
        snprintf(key, sizeof key, "full%d", i);
        put_make(&one, key, i);
        status = th_writer_run(w, &one.change, &b.error);
    }
    assert_int_equal(status, TH_NO_SPACE);
    int64_t held = count(&b); /* reads go on */
    assert_true(held >= 1);
    unlink(filler);
    put_make(&one, "after", 2);
    must(th_writer_run(w, &one.change, &b.error), &b);
    assert_int_equal(count(&b), held + 1);
    th_writer_close(w);
    th_store_close(b.store);
    th_arena_close(&b.arena);
    umount(dir);
    rmdir(dir);
}

#define ON_BOTH(test)                                                                                                              \
    static void test##_sqlite(void **state)                                                                                        \
    {                                                                                                                              \
        (void)state;                                                                                                               \
        test(false);                                                                                                               \
    }                                                                                                                              \
    static void test##_postgresql(void **state)                                                                                    \
    {                                                                                                                              \
        (void)state;                                                                                                               \
        if (!getenv("TONGHUI_TEST_PG")) {                                                                                          \
            print_message("SKIP: TONGHUI_TEST_PG names no PostgreSQL\n");                                                        \
            skip();                                                                                                                \
        }                                                                                                                          \
        test(true);                                                                                                                \
    }
ON_BOTH(values_come_back_as_they_went)
ON_BOTH(migrations_are_applied_once_and_never_changed)
ON_BOTH(a_failing_change_is_undone_alone)
ON_BOTH(the_seal_belongs_to_the_batch)
ON_BOTH(many_submitters_share_commits)
ON_BOTH(a_row_that_cannot_be_kept_fails_alone)
ON_BOTH(acknowledged_rows_survive_kill)
ON_BOTH(a_copy_is_whole_or_refused)
#define BOTH(test) cmocka_unit_test(test##_sqlite), cmocka_unit_test(test##_postgresql)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(values_come_back_as_they_went),
        BOTH(migrations_are_applied_once_and_never_changed),
        BOTH(a_failing_change_is_undone_alone),
        BOTH(the_seal_belongs_to_the_batch),
        BOTH(many_submitters_share_commits),
        BOTH(a_row_that_cannot_be_kept_fails_alone),
        BOTH(acknowledged_rows_survive_kill),
        BOTH(a_copy_is_whole_or_refused),
        cmocka_unit_test(a_writer_that_lost_its_connection_writes_only_with_its_lock),
        cmocka_unit_test(a_full_disk_refuses_writes_and_recovers),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
