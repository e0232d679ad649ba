/* bench.h — what the unit tests share: a clock that stands still, seeded chance, and stores of both kinds.
 *
 * A bench is one test's own world: a temporary folder, an arena, and a store of its own in it (SQLite), or a schema of its own in the
 * throw-away cluster that TONGHUI_TEST_PG names (PostgreSQL). Everything goes when it is closed.
 */
#ifndef TH_TESTS_BENCH_H
#define TH_TESTS_BENCH_H
#include "platform/base/json.h"
#include "platform/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-24T08:00:00Z: the hour at which a bench's clock stands until a test moves it. */
#define BENCH_NOW_US INT64_C(1795507200000000)

typedef struct bench_clock {
    int64_t now_us;
    uint64_t seed;
} bench_clock;
th_env bench_env(bench_clock *clock);

typedef struct bench {
    char dir[64], url[400];
    bool pg;
    bench_clock clock;
    th_env env;
    th_store *store;
    th_arena arena;
    th_error error;
} bench;

void bench_open(bench *b, bool pg);
void bench_close(bench *b);
/* The URL of another store beside the bench's own: "restored", "second" … */
void bench_url(const bench *b, const char *name, char *ret_url, size_t room);
void bench_shell(const char *format, ...) TH_PRINTF(1, 2); /* must succeed */
void bench_file(const bench *b, const char *name, const char *text, char *ret_path, size_t room);
th_str bench_read(bench *b, const char *path);

/* One number from the store: "SELECT COUNT(*) …". */
int64_t bench_count(th_store *store, const char *sql);

const th_json *bench_json(th_arena *arena, th_str text); /* must parse */
void bench_must(th_status status, const th_error *error, const char *file, int line);
#define MUST(call, error) bench_must((call), (error), __FILE__, __LINE__)
/* The call must fail with this status and problem type. */
void bench_refused(th_status status, const th_error *error, th_status want, const char *type, const char *file, int line);
#define REFUSED(call, error, want, type)                                                                                          \
    do {                                                                                                                          \
        memset((error), 0, sizeof *(error));                                                                                      \
        bench_refused((call), (error), (want), (type), __FILE__, __LINE__);                                                       \
    } while (0)
void bench_text(th_str got, const char *want, const char *file, int line);
#define TEXT(got, want) bench_text((got), (want), __FILE__, __LINE__)
bool bench_holds(th_str text, const char *part);

/* The same test on SQLite and, where there is one, on PostgreSQL. */
bool bench_has_pg(void);
#define ON_BOTH(test)                                                                                                             \
    static void test##_sqlite(void **state)                                                                                       \
    {                                                                                                                             \
        (void)state;                                                                                                              \
        test(false);                                                                                                              \
    }                                                                                                                             \
    static void test##_postgresql(void **state)                                                                                   \
    {                                                                                                                             \
        (void)state;                                                                                                              \
        if (!bench_has_pg())                                                                                                      \
            skip();                                                                                                               \
        test(true);                                                                                                               \
    }
/* What does not depend on the store is tested on one. */
#define ON_SQLITE(test)                                                                                                           \
    static void test##_sqlite(void **state)                                                                                       \
    {                                                                                                                             \
        (void)state;                                                                                                              \
        test(false);                                                                                                              \
    }
#define ONE(test) cmocka_unit_test(test##_sqlite)
#define BOTH(test) cmocka_unit_test(test##_sqlite), cmocka_unit_test(test##_postgresql)
#endif
