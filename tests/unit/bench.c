/* bench.c — stores, clock and small assertions of the unit tests. */
#include "bench.h"

#include <libpq-fe.h>
#include <unistd.h>

static int64_t now(void *ctx)
{
    return ((bench_clock *)ctx)->now_us;
}

/* xorshift64: the same bytes in every run, so that a failing test fails again. */
static void chance(void *ctx, void *bytes, size_t n)
{
    bench_clock *clock = ctx;
    for (size_t i = 0; i < n; i++) {
        clock->seed ^= clock->seed << 13;
        clock->seed ^= clock->seed >> 7;
        clock->seed ^= clock->seed << 17;
        ((uint8_t *)bytes)[i] = (uint8_t)(clock->seed >> 24);
    }
}

th_env bench_env(bench_clock *clock)
{
    if (!clock->now_us)
        clock->now_us = BENCH_NOW_US;
    if (!clock->seed)
        clock->seed = 88172645463325252u;
    return (th_env){now, chance, clock};
}

void bench_must(th_status status, const th_error *error, const char *file, int line)
{
    if (!status)
        return;
    for (size_t i = 0; error && i < error->field_count; i++)
        print_message("  %s %s: %s\n", error->fields[i].pointer, error->fields[i].code, error->fields[i].en);
    print_message("%s:%d: %s %s: %s\n", file, line, th_status_name(status), error ? error->type : "", error ? error->en : "");
    fail();
}

void bench_refused(th_status status, const th_error *error, th_status want, const char *type, const char *file, int line)
{
    if (status == want && strcmp(error->type, type) == 0 && (!want || (error->zh[0] && error->en[0])))
        return;
    print_message("%s:%d: wanted %s \"%s\", got %s \"%s\": %s\n", file, line, th_status_name(want), type, th_status_name(status),
                  error->type, error->en);
    fail();
}

void bench_text(th_str got, const char *want, const char *file, int line)
{
    if (th_str_is(got, want))
        return;
    print_message("%s:%d: got  %.*s\n%s:%d: want %s\n", file, line, TH_FMT(got), file, line, want);
    fail();
}

bool bench_holds(th_str text, const char *part)
{
    return text.n && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

const th_json *bench_json(th_arena *arena, th_str text)
{
    const th_json *root = NULL;
    th_error error = {0};
    if (th_json_parse(text, arena, &root, &error))
        fail_msg("%s: %.*s", error.en, TH_FMT(text));
    return root;
}

void bench_shell(const char *format, ...)
{
    char command[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* ---- stores ---- */

bool bench_has_pg(void)
{
    if (getenv("TONGHUI_TEST_PG"))
        return true;
    print_message("SKIP: TONGHUI_TEST_PG names no PostgreSQL\n");
    return false;
}

static void schema_make(const char *name, bool make)
{
    char sql[200];
    PGconn *connection = PQconnectdb(getenv("TONGHUI_TEST_PG"));
    snprintf(sql, sizeof sql, "SET client_min_messages = error; DROP SCHEMA IF EXISTS %s CASCADE;%s%s", name,
             make ? " CREATE SCHEMA " : "", make ? name : "");
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("PostgreSQL: %s", PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

static void schema_name(const bench *b, const char *name, char text[64])
{
    snprintf(text, 64, "u_%.6s_%.40s", b->dir + strlen(b->dir) - 6, name);
    for (char *p = text; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
}

void bench_url(const bench *b, const char *name, char *ret_url, size_t room)
{
    char schema[64];
    if (!b->pg) {
        snprintf(ret_url, room, "sqlite:%s/%s.sqlite", b->dir, name);
        return;
    }
    schema_name(b, name, schema);
    schema_make(schema, true);
    snprintf(ret_url, room, "%s&options=-csearch_path%%3D%s", getenv("TONGHUI_TEST_PG"), schema);
}

void bench_open(bench *b, bool pg)
{
    *b = (bench){.pg = pg};
    b->env = bench_env(&b->clock);
    th_arena_open(&b->arena, 256u << 20);
    /* In memory where there is such a folder: these tests ask what is kept, not whether the disk keeps it (platform_store_test does). */
    snprintf(b->dir, sizeof b->dir, "%s/tonghui-unit.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    bench_url(b, "store", b->url, sizeof b->url);
    MUST(th_store_open(b->url, NULL, &b->store, &b->error), &b->error);
}

void bench_close(bench *b)
{
    char schema[64];
    th_store_close(b->store);
    if (b->pg) {
        schema_name(b, "store", schema);
        schema_make(schema, false);
    }
    th_arena_close(&b->arena);
    bench_shell("rm -rf %s", b->dir);
}

void bench_file(const bench *b, const char *name, const char *text, char *ret_path, size_t room)
{
    snprintf(ret_path, room, "%s/%s", b->dir, name);
    FILE *file = fopen(ret_path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

th_str bench_read(bench *b, const char *path)
{
    th_buf buf;
    char piece[4096];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    th_buf_open(&buf, &b->arena, 64u << 20);
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
        th_buf_put(&buf, piece, n);
    fclose(file);
    assert_true(th_buf_ok(&buf));
    return th_buf_view(&buf);
}

/* The store keeps prepared statements by the address of their text: one text, one address, for ever. */
static const char *kept(const char *sql)
{
    static char *texts[1000];
    size_t i = 0;
    while (i < TH_COUNT(texts) && texts[i] && strcmp(texts[i], sql) != 0)
        i++;
    assert_true(i < TH_COUNT(texts));
    if (!texts[i])
        texts[i] = th_new_copy(th_str_of(sql));
    return texts[i];
}

int64_t bench_count(th_store *store, const char *sql)
{
    th_db *db;
    th_arena arena;
    const th_value *row;
    th_error error = {0};
    th_arena_open(&arena, 1 << 20);
    MUST(th_store_acquire(store, &db, &error), &error);
    MUST(th_db_one(db, kept(sql), NULL, 0, &arena, &row, &error), &error);
    int64_t n = row[0].i;
    th_store_release(store, db);
    th_arena_close(&arena);
    return n;
}
