/* base.h's, csv.h's and pool.h's promises. */
#include "bench.h"
#include "platform/base/csv.h"
#include "platform/base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- arenas ---- */

static void an_arena_never_holds_more_than_its_maximum(void **state)
{
    th_arena arena;
    size_t got = 0;
    (void)state;
    th_arena_open(&arena, 100000);
    while (th_alloc(&arena, 1000))
        got += 1000;
    assert_true(got > 50000 && got <= 100000);
    assert_true(arena.used <= 100000);
    assert_null(th_alloc(&arena, 100001));
    assert_null(th_alloc(&arena, SIZE_MAX));
    assert_null(th_alloc(&arena, SIZE_MAX - 8));
    th_arena_close(&arena);
    assert_non_null(th_alloc(&arena, 10)); /* closed and open again under the same maximum */
    th_arena_close(&arena);
}

static void what_an_arena_gives_is_zeroed_and_aligned(void **state)
{
    th_arena arena;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 300; n++) {
            unsigned char *p = th_alloc(&arena, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xA5, n);
        }
        th_arena_reset(&arena);
    }
    assert_null(th_alloc_array(&arena, SIZE_MAX / 2, 3));
    assert_non_null(th_alloc_array(&arena, 10, 10));
    th_arena_close(&arena);
}

static void a_reset_arena_keeps_one_block_for_the_next_use(void **state)
{
    th_arena arena;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    th_arena_reset(&arena); /* nothing yet: nothing to do */
    for (int i = 0; i < 100; i++)
        assert_non_null(th_alloc(&arena, 1000));
    th_arena_reset(&arena);
    size_t kept = arena.used;
    for (int round = 0; round < 50; round++) {
        assert_non_null(th_alloc(&arena, 30000));
        th_arena_reset(&arena);
    }
    assert_int_equal(arena.used, kept);
    th_arena_close(&arena);
}

/* ---- strings ---- */

static void strings_compare_trim_and_cut(void **state)
{
    th_str rest = TH_STR("a,b,,c"), part;
    static const char *const want[] = {"a", "b", "", "c"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(th_str_cut(&rest, ',', &part));
        TEXT(part, want[i]);
    }
    assert_false(th_str_cut(&rest, ',', &part));
    rest = TH_STR("a,");
    assert_true(th_str_cut(&rest, ',', &part) && th_str_is(part, "a"));
    assert_true(th_str_cut(&rest, ',', &part) && part.n == 0); /* what stands behind the last separator is a part too */
    assert_false(th_str_cut(&rest, ',', &part));
    TEXT(th_str_trim(TH_STR(" \t\r\n a b \v\f")), "a b");
    TEXT(th_str_trim(TH_STR("  ")), "");
    assert_true(th_str_eq((th_str){NULL, 0}, TH_STR("")));
    assert_true(th_str_of(NULL).p == NULL);
    assert_true(th_str_cmp(TH_STR("a"), TH_STR("b")) < 0 && th_str_cmp(TH_STR("ab"), TH_STR("a")) > 0 &&
                th_str_cmp(TH_STR("a"), TH_STR("ab")) < 0 && th_str_cmp(TH_STR("a"), TH_STR("a")) == 0 &&
                th_str_cmp((th_str){NULL, 0}, TH_STR("a")) < 0);
    assert_true(th_str_starts(TH_STR("abc"), "ab") && !th_str_starts(TH_STR("a"), "ab") && th_str_starts((th_str){NULL, 0}, ""));
}

static void utf8_is_what_unicode_says_and_nothing_else(void **state)
{
    static const char *const good[] = {"", "abc", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "中文字符超过八个字节", "12345678中"};
    static const char *const bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE0\x80\x80", "\xED\xA0\x80",
                                      "\xED\xBF\xBF", "\xE4\xB8", "\xE4\xB8\x41", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                                      "\xF0\x90\x80", "\xFE", "\xFF", "12345678\x80", "1234567\xE4\xB8"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(good); i++)
        if (!th_utf8_valid(th_str_of(good[i])))
            fail_msg("refused good text %zu", i);
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        if (th_utf8_valid(th_str_of(bad[i])))
            fail_msg("accepted bad text %zu", i);
    assert_true(th_utf8_valid((th_str){"a\0b", 3}));
}

static void controls_and_direction_overrides_are_seen(void **state)
{
    static const char *const bad[] = {"a\nb", "\t", "\x7F", "\xC2\x80", "\xC2\x9F", "a\xE2\x80\xAA", "b\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9", "\xFF"};
    static const char *const good[] = {"", "张三·买买提", "a b", "\xE2\x80\x99", "\xC2\xA0", "𠮷", "\xE2\x81\xAA"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        if (!th_str_has_controls(th_str_of(bad[i])))
            fail_msg("missed control %zu", i);
    for (size_t i = 0; i < TH_COUNT(good); i++)
        if (th_str_has_controls(th_str_of(good[i])))
            fail_msg("refused good text %zu", i);
    assert_true(th_str_has_controls((th_str){"a\0b", 3}));
}

/* ---- buffers ---- */

static void a_buffer_fails_at_its_maximum_and_stays_failed(void **state)
{
    th_arena arena;
    th_buf buf;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 10);
    TEXT(th_buf_view(&buf), "");
    th_buf_text(&buf, "12345");
    th_buf_char(&buf, '6');
    th_buf_put(&buf, "7890", 4);
    assert_true(th_buf_ok(&buf));
    TEXT(th_buf_view(&buf), "1234567890");
    th_buf_char(&buf, 'x');
    assert_false(th_buf_ok(&buf));
    th_buf_put(&buf, "", 0);
    assert_false(th_buf_ok(&buf));
    TEXT(th_buf_view(&buf), "1234567890");
    th_buf_open(&buf, &arena, SIZE_MAX);
    volatile size_t much = SIZE_MAX / 2; /* more than the arena will ever hold; nothing the compiler may know */
    th_buf_put(&buf, "a", much);
    assert_false(th_buf_ok(&buf));
    th_arena_close(&arena);
}

static void buffers_format_numbers_and_texts_of_any_length(void **state)
{
    th_arena arena;
    th_buf buf;
    char want[3000];
    (void)state;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 100000);
    th_buf_int(&buf, INT64_MIN);
    th_buf_char(&buf, ' ');
    th_buf_int(&buf, INT64_MAX);
    th_buf_char(&buf, ' ');
    th_buf_int(&buf, 0);
    TEXT(th_buf_view(&buf), "-9223372036854775808 9223372036854775807 0");
    memset(want, 'y', sizeof want - 1);
    want[sizeof want - 1] = 0;
    th_buf_open(&buf, &arena, 100000);
    th_buff(&buf, "%s", want); /* longer than its inner scratch */
    TEXT(th_buf_view(&buf), want);
    th_buff(&buf, "%d-%s", 7, "x");
    assert_int_equal(buf.n, sizeof want - 1 + 3);
    /* Two buffers that grow in turn in one arena do not tread on each other. */
    th_buf one, two;
    th_buf_open(&one, &arena, 5000);
    th_buf_open(&two, &arena, 5000);
    for (int i = 0; i < 400; i++) {
        th_buff(&one, "%d,", i % 10);
        th_buff(&two, "%d;", i % 10);
    }
    for (int i = 0; i < 400; i++) {
        assert_int_equal(one.p[2 * i], '0' + i % 10);
        assert_int_equal(two.p[2 * i + 1], ';');
    }
    TEXT(th_strf(&arena, "%s/%d", "a", 5), "a/5");
    th_arena_close(&arena);
    th_arena_open(&arena, 64);
    assert_null(th_strf(&arena, "%s", want).p);
    assert_null(th_str_keep(&arena, th_str_of(want)).p);
    assert_null(th_str_keep(&arena, (th_str){NULL, 0}).p);
    th_arena_close(&arena);
}

static void bytes_become_text_and_come_back_only_from_the_canonical_spelling(void **state)
{
    /* RFC 4648 §10. */
    static const struct { const char *plain, *base64; } vectors[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", "Zm 9", "Zm9v=", "Zm9vZg", "Zm9_", "="};
    static const char *const bad_url[] = {"Zg==", "Zh", "Zm9+", "Zm9", "Z", "Zm9vY"};
    th_arena arena;
    th_str bytes;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    for (size_t i = 0; i < TH_COUNT(vectors); i++) {
        th_str plain = th_str_of(vectors[i].plain);
        TEXT(th_base64(&arena, plain.p, plain.n), vectors[i].base64);
        assert_int_equal(th_unbase64(&arena, th_str_of(vectors[i].base64), &bytes), TH_OK);
        TEXT(bytes, vectors[i].plain);
        th_str url = th_base64url(&arena, plain.p, plain.n);
        assert_int_equal(th_unbase64url(&arena, url, &bytes), TH_OK);
        TEXT(bytes, vectors[i].plain);
        assert_null(memchr(url.p, '=', url.n));
    }
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        if (th_unbase64(&arena, th_str_of(bad[i]), &bytes) != TH_INVALID)
            fail_msg("base64 accepted %s", bad[i]);
    for (size_t i = 0; i < TH_COUNT(bad_url); i++)
        if (th_unbase64url(&arena, th_str_of(bad_url[i]), &bytes) != TH_INVALID)
            fail_msg("base64url accepted %s", bad_url[i]);
    TEXT(th_base64url(&arena, "\xFB\xFF\xBF", 3), "-_-_");
    TEXT(th_base64(&arena, "\xFB\xFF\xBF", 3), "+/+/");
    char hex[9];
    uint8_t raw[4];
    th_hex("\x01\xAB\x00\xFF", 4, hex);
    assert_string_equal(hex, "01ab00ff");
    assert_true(th_unhex(TH_STR("01AB00ff"), raw, 4));
    assert_memory_equal(raw, "\x01\xAB\x00\xFF", 4);
    assert_false(th_unhex(TH_STR("01AB00f"), raw, 4));
    assert_false(th_unhex(TH_STR("01AB00fg"), raw, 4));
    assert_true(th_equal_secret("abcd", "abcd", 4));
    assert_false(th_equal_secret("abcd", "abce", 4));
    th_arena_close(&arena);
}

/* ---- numbers ---- */

static void integers_say_when_they_do_not_fit(void **state)
{
    int64_t i = 7;
    size_t s = 7;
    (void)state;
    assert_true(th_add_i64(INT64_MAX - 1, 1, &i) && i == INT64_MAX);
    assert_false(th_add_i64(INT64_MAX, 1, &i));
    assert_false(th_add_i64(INT64_MIN, -1, &i));
    assert_int_equal(i, INT64_MAX); /* untouched */
    assert_true(th_mul_i64(-3, 5, &i) && i == -15);
    assert_false(th_mul_i64(INT64_MIN, -1, &i));
    assert_true(th_add_size(1, 2, &s) && s == 3);
    assert_false(th_add_size(SIZE_MAX, 1, &s));
    assert_true(th_mul_size(4, 5, &s) && s == 20);
    assert_false(th_mul_size(SIZE_MAX, 2, &s));
}

static void whole_numbers_have_one_spelling(void **state)
{
    static const struct { const char *text; int64_t value; } good[] = {{"0", 0}, {"-1", -1}, {"42", 42}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "１"};
    int64_t value = 5;
    (void)state;
    for (size_t i = 0; i < TH_COUNT(good); i++) {
        assert_true(th_parse_i64(th_str_of(good[i].text), INT64_MIN, INT64_MAX, &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        if (th_parse_i64(th_str_of(bad[i]), INT64_MIN, INT64_MAX, &value))
            fail_msg("accepted %s", bad[i]);
    assert_false(th_parse_i64(TH_STR("11"), 1, 10, &value));
    assert_false(th_parse_i64(TH_STR("0"), 1, 10, &value));
    assert_true(value == INT64_MIN);
}

/* ---- time ---- */

static void instants_are_written_in_utc_and_at_the_shanghai_edge(void **state)
{
    static const struct { int64_t at; const char *utc, *shanghai; } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z", "1970-01-01T08:00:00+08:00"},
        {-1, "1969-12-31T23:59:59.999999Z", "1970-01-01T07:59:59+08:00"},
        {INT64_C(1763910245123456), "2025-11-23T15:04:05.123456Z", "2025-11-23T23:04:05+08:00"},
        {INT64_C(1798732799999999), "2026-12-31T15:59:59.999999Z", "2026-12-31T23:59:59+08:00"},
        {INT64_C(1798732800000000), "2026-12-31T16:00:00.000000Z", "2027-01-01T00:00:00+08:00"}, /* the year turns at 16:00 UTC */
        {INT64_C(1709164799000000), "2024-02-28T23:59:59.000000Z", "2024-02-29T07:59:59+08:00"},
        {INT64_C(-2208988800000000), "1900-01-01T00:00:00.000000Z", "1900-01-01T08:00:00+08:00"},
    };
    char text[TH_TIME_TEXT];
    int64_t back;
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_time_utc(cases[i].at, text);
        assert_string_equal(text, cases[i].utc);
        assert_true(th_time_parse(th_str_of(text), &back) && back == cases[i].at);
        th_time_shanghai(cases[i].at, text);
        assert_string_equal(text, cases[i].shanghai);
        int64_t second = cases[i].at - ((cases[i].at % TH_SECOND_US) + TH_SECOND_US) % TH_SECOND_US;
        assert_true(th_time_parse(th_str_of(text), &back) && back == second);
    }
}

static void instants_are_read_by_rfc3339_and_nothing_looser(void **state)
{
    static const struct { const char *text; int64_t at; } good[] = {
        {"2026-11-24T08:00:00Z", BENCH_NOW_US}, {"2026-11-24t08:00:00z", BENCH_NOW_US}, {"2026-11-24T16:00:00+08:00", BENCH_NOW_US},
        {"2026-11-24T00:30:00-07:30", BENCH_NOW_US}, {"2026-11-24T08:00:00.5Z", BENCH_NOW_US + 500000},
        {"2026-11-24T08:00:00.000001Z", BENCH_NOW_US + 1}, {"2026-11-24T07:59:60Z", BENCH_NOW_US}, {"2026-11-24T08:00:00-00:00", BENCH_NOW_US}};
    static const char *const bad[] = {
        "", "2026-11-24", "2026-11-24T08:00:00", "2026-11-24 08:00:00Z", "2026-11-24T08:00Z", "2026-11-24T08:00:00.Z", "2026-11-24T08:00:00.1234567Z",
        "2026-13-24T08:00:00Z", "2026-00-24T08:00:00Z", "2026-02-29T08:00:00Z", "1900-02-29T00:00:00Z", "2026-11-31T08:00:00Z", "2026-11-24T24:00:00Z",
        "2026-11-24T08:60:00Z", "2026-11-24T08:00:61Z", "2026-11-24T08:00:00+8:00", "2026-11-24T08:00:00+0800", "2026-11-24T08:00:00+24:00",
        "2026-11-24T08:00:00+08:60", "1899-12-31T23:59:59Z", "2026-11-24T08:00:00Zx", "2026-1-24T08:00:00Z", "20261124T080000Z", "2026-11-24T08:00:00+08:00:00"};
    int64_t at = 1;
    (void)state;
    for (size_t i = 0; i < TH_COUNT(good); i++)
        if (!th_time_parse(th_str_of(good[i].text), &at) || at != good[i].at)
            fail_msg("%s gave %lld", good[i].text, (long long)at);
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        if (th_time_parse(th_str_of(bad[i]), &at))
            fail_msg("accepted %s", bad[i]);
}

static void dates_follow_the_calendar_for_every_day_of_four_centuries(void **state)
{
    int year = 1900, month = 1, day = 1;
    (void)state;
    for (int64_t at = th_date_us(1900, 1, 1), end = th_date_us(2300, 1, 1); at < end; at += TH_DAY_US) {
        int y, m, d;
        th_date_of(at + TH_DAY_US - 1, &y, &m, &d);
        if (y != year || m != month || d != day || th_date_us(y, m, d) != at)
            fail_msg("%d-%d-%d is not %d-%d-%d", y, m, d, year, month, day);
        assert_true(th_date_valid(y, m, d));
        if (!th_date_valid(year, month, ++day)) {
            day = 1;
            if (++month == 13) {
                month = 1;
                year++;
            }
        }
    }
    assert_true(th_date_valid(2000, 2, 29) && !th_date_valid(2100, 2, 29) && !th_date_valid(2001, 2, 29));
    assert_false(th_date_valid(0, 1, 1) || th_date_valid(10000, 1, 1) || th_date_valid(2026, 0, 1) || th_date_valid(2026, 1, 0));
}

/* ---- ids ---- */

static void ids_are_uuidv7_and_ascend_within_a_millisecond(void **state)
{
    bench_clock clock = {.now_us = BENCH_NOW_US + 100 * TH_DAY_US};
    th_env env = bench_env(&clock);
    char last[TH_ID_TEXT] = "", id[TH_ID_TEXT];
    (void)state;
    for (int i = 0; i < 10000; i++) { /* more than the counter's 4096 in one millisecond, and a clock that steps back a little */
        if (i == 6000)
            clock.now_us -= 5000000;
        th_uuid7(&env, id);
        assert_true(th_uuid_valid(th_str_of(id)));
        if (strcmp(id, last) <= 0)
            fail_msg("%s does not follow %s", id, last);
        memcpy(last, id, sizeof last);
    }
    static const char *const bad[] = {"", "019AB2C3-0000-7000-8000-000000000000", "019ab2c3-0000-4000-8000-000000000000", "019ab2c3-0000-7000-c000-000000000000",
                                      "019ab2c3000070008000000000000000", "019ab2c3-0000-7000-8000-00000000000g", "019ab2c3-0000-7000-8000-0000000000000"};
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        assert_false(th_uuid_valid(th_str_of(bad[i])));
    /* Its first 48 bits are the millisecond (RFC 9562 §5.7). */
    bench_clock first = {.now_us = BENCH_NOW_US + 400 * TH_DAY_US};
    env = bench_env(&first);
    th_uuid7(&env, id);
    char want[14];
    snprintf(want, sizeof want, "%012llx", (unsigned long long)(first.now_us / 1000));
    char got[14] = {0};
    memcpy(got, id, 8);
    memcpy(got + 8, id + 9, 4);
    assert_string_equal(got, want);
}

static void the_real_clock_and_chance_are_alive(void **state)
{
    th_env env = th_env_real();
    uint8_t a[600], b[600];
    (void)state;
    assert_true(th_now_us(&env) > th_date_us(2024, 1, 1));
    for (size_t n = 16; n <= sizeof a; n += 584) {
        env.random(env.ctx, a, n);
        env.random(env.ctx, b, n);
        assert_memory_not_equal(a, b, n);
    }
}

/* ---- errors, statuses, assertions ---- */

static void errors_carry_both_languages_cut_at_a_character(void **state)
{
    th_error error = {0};
    char zh[400] = "", en[400] = "";
    (void)state;
    for (size_t i = 0; i + 3 < sizeof zh - 1; i += 3)
        memcpy(zh + i, "中", 4);
    memset(en, 'e', sizeof en - 1);
    assert_int_equal(th_fail(&error, TH_CONFLICT, "case-state", zh, en), TH_CONFLICT);
    assert_true(th_utf8_valid(th_str_of(error.zh)) && strlen(error.zh) > 280);
    assert_int_equal(strlen(error.en), sizeof error.en - 1);
    assert_int_equal(error.status, TH_CONFLICT);
    for (int shift = 0; shift < 8; shift++) { /* the cut falls on every byte of two-, three- and four-byte characters */
        static const char *const letters[] = {"é", "中", "𠮷"};
        for (size_t k = 0; k < 3; k++) {
            th_buf buf;
            th_arena arena;
            th_arena_open(&arena, 1 << 16);
            th_buf_open(&buf, &arena, 4000);
            for (int i = 0; i < shift; i++)
                th_buf_char(&buf, 'a');
            for (int i = 0; i < 300; i++)
                th_buf_text(&buf, letters[k]);
            th_buf_char(&buf, 0);
            th_failf(&error, TH_IO, "x", "%s", "%.1s", buf.p);
            assert_true(th_utf8_valid(th_str_of(error.zh)));
            assert_true(strlen(error.zh) >= sizeof error.zh - 5);
            th_arena_close(&arena);
        }
    }
    assert_int_equal(th_fail(NULL, TH_BUSY, "x", "x", "x"), TH_BUSY);
    assert_int_equal(th_failf(NULL, TH_BUSY, "x", "x", "x"), TH_BUSY);
}

static void field_errors_gather_up_to_their_room(void **state)
{
    th_error error = {0};
    (void)state;
    assert_int_equal(th_fail_field(NULL, "/a", "type", "x", "x"), TH_INVALID);
    for (int i = 0; i < 20; i++)
        assert_int_equal(th_fail_field(&error, "/a", "type", "不对", "wrong"), TH_INVALID);
    assert_int_equal(error.field_count, TH_ERROR_FIELDS_MAX);
    assert_string_equal(error.type, "invalid-request");
    assert_string_equal(error.fields[7].zh, "不对");
}

static void problems_are_rfc9457_in_the_asked_language(void **state)
{
    th_arena arena;
    th_buf buf;
    th_error error = {.retry_after_s = 3};
    (void)state;
    th_arena_open(&arena, 1 << 20);
    th_fail_field(&error, "/a/0", "range", "超出", "out");
    for (int english = 0; english < 2; english++) {
        th_buf_open(&buf, &arena, 10000);
        th_problem_write(&buf, &error, english ? "en" : "zh", TH_STR("019ab2c3-0000-7000-8000-000000000000"));
        const th_json *j = bench_json(&arena, th_buf_view(&buf));
        TEXT(th_json_str(j, "type"), "urn:tonghui:problem:invalid-request");
        assert_int_equal(th_json_int(j, "status", 0), 400);
        TEXT(th_json_str(j, "instance"), "urn:uuid:019ab2c3-0000-7000-8000-000000000000");
        assert_int_equal(th_json_int(j, "retry_after", 0), 3);
        TEXT(th_json_str(th_json_pointer(j, "/errors/0"), "pointer"), "/a/0");
        TEXT(th_json_str(th_json_pointer(j, "/errors/0"), "message"), english ? "out" : "超出");
        TEXT(th_json_str(j, "title"), english ? error.en : error.zh);
    }
    th_error bare = {.status = TH_NOT_FOUND, .http = 405};
    th_buf_open(&buf, &arena, 10000);
    th_problem_write(&buf, &bare, NULL, (th_str){NULL, 0});
    const th_json *j = bench_json(&arena, th_buf_view(&buf));
    TEXT(th_json_str(j, "type"), "urn:tonghui:problem:not-found");
    assert_int_equal(th_json_int(j, "status", 0), 405);
    assert_null(th_json_get(j, "errors"));
    assert_null(th_json_get(j, "instance"));
    th_arena_close(&arena);
}

static void every_status_has_a_name_and_an_http_code(void **state)
{
    (void)state;
    for (int s = TH_OK; s <= TH_NO_MEMORY; s++) {
        assert_in_range(th_status_http((th_status)s), 200, 599);
        assert_string_not_equal(th_status_name((th_status)s), "unknown");
    }
    assert_int_equal(th_status_http((th_status)99), 500);
    assert_string_equal(th_status_name((th_status)99), "unknown");
}

static void a_broken_invariant_ends_the_process(void **state)
{
    int how;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        TH_ASSERT(1 + 1 == 3);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}

/* ---- logs ---- */

static char lines[4][8192];
static int line_count;

static void keep_line(void *ctx, th_str line)
{
    (void)ctx;
    if (line_count < 4)
        snprintf(lines[line_count++], sizeof lines[0], "%.*s", TH_FMT(line));
}

static void a_log_line_is_one_json_object_whatever_is_in_it(void **state)
{
    th_arena arena;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    th_log_sink_set(keep_line, NULL);
    line_count = 0;
    th_log(TH_LOG_INFO, "link-up", "peer", "130000", "note", "a\"b\n{}\\", "none", (const char *)NULL, NULL);
    th_log(TH_LOG_DEBUG, "hidden", NULL);
    th_log_level_set(TH_LOG_DEBUG);
    th_log(TH_LOG_DEBUG, "shown", NULL);
    th_log_level_set(TH_LOG_INFO);
    assert_int_equal(line_count, 2);
    const th_json *j = bench_json(&arena, th_str_of(lines[0]));
    TEXT(th_json_str(j, "event"), "link-up");
    TEXT(th_json_str(j, "level"), "info");
    TEXT(th_json_str(j, "note"), "a\"b\n{}\\");
    assert_int_equal(th_json_get(j, "none")->type, TH_JSON_NULL);
    assert_null(strchr(lines[0], '\n'));
    int64_t at;
    assert_true(th_time_parse(th_json_str(j, "at"), &at));
    TEXT(th_json_str(bench_json(&arena, th_str_of(lines[1])), "level"), "debug");
    th_log_sink_set(NULL, NULL);
    th_arena_close(&arena);
}

static void a_log_line_that_is_too_long_is_left_out_whole(void **state)
{
    char huge[20000];
    (void)state;
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    th_log_sink_set(keep_line, NULL);
    line_count = 0;
    th_log(TH_LOG_WARN, "too-long", "text", huge, NULL);
    assert_int_equal(line_count, 0); /* never half a line: a reader of logs would choke on it */
    th_log_sink_set(NULL, NULL);
}

/* ---- CSV ---- */

typedef struct seen_records { th_buf buf; } seen_records;

static void note_record(void *ctx, uint64_t line, const th_str *fields, size_t n, th_status status, const char *problem)
{
    seen_records *s = ctx;
    th_buff(&s->buf, "%llu:", (unsigned long long)line);
    if (status)
        th_buff(&s->buf, "!%s", problem);
    for (size_t i = 0; !status && i < n; i++)
        th_buff(&s->buf, "[%.*s]", TH_FMT(fields[i]));
    th_buf_char(&s->buf, ' ');
}

static th_str csv_read(th_arena *arena, th_str text, size_t piece)
{
    seen_records s;
    th_csv *csv;
    th_buf_open(&s.buf, arena, 1 << 20);
    assert_int_equal(th_csv_open(note_record, &s, &csv), TH_OK);
    for (size_t i = 0; i < text.n; i += piece)
        assert_int_equal(th_csv_feed(csv, (th_str){text.p + i, text.n - i < piece ? text.n - i : piece}), TH_OK);
    assert_int_equal(th_csv_end(csv), TH_OK);
    th_csv_close(csv);
    return th_buf_view(&s.buf);
}

static void csv_is_read_alike_from_any_pieces(void **state)
{
    static const struct { const char *text, *want; } cases[] = {
        {"", ""},
        {"a,b\n1,2\n", "1:[a][b] 2:[1][2] "},
        {"a,b\r\n1,2", "1:[a][b] 2:[1][2] "},
        {"\xEF\xBB\xBF" "a\n", "1:[a] "},
        {"\xEF\xBB" "a\n", "1:!not-utf8 "},
        {"\xEF", "1:!not-utf8 "},
        {"a,\n,b\n", "1:[a][] 2:[][b] "},
        {"\"a,b\",\"c\"\"d\"\n", "1:[a,b][c\"d] "},
        {"\"two\nlines\",x\nnext\n", "1:[two\nlines][x] 3:[next] "},
        {"\"two\r\nlines\"\r\n", "1:[two\r\nlines] "},
        {"a\"b,c\nd\n", "1:!stray-quote 2:[d] "},
        {"\"a\"b\nc\n", "1:!stray-quote 2:[c] "},
        {"\"unfinished\nx\n", "1:!unfinished-quote "},
        {"a\n\n\nb\n", "1:[a] 4:[b] "},
        {"\"\"\n", "1:[] "},
        {"a\rb\n", "1:[a\rb] "},
        {"\xFF,a\nb\n", "1:!not-utf8 2:[b] "},
        {"中,文\n", "1:[中][文] "},
        {"\xE4,\xB8\xAD\nb\n", "1:!not-utf8 2:[b] "}, /* halves of one character in two fields */
        {"\"a\"\r\n\"b\"", "1:[a] 2:[b] "},
    };
    th_arena arena;
    (void)state;
    th_arena_open(&arena, 16 << 20);
    for (size_t i = 0; i < TH_COUNT(cases); i++)
        for (size_t piece = 1; piece < 6; piece++)
            TEXT(csv_read(&arena, th_str_of(cases[i].text), piece), cases[i].want);
    th_arena_close(&arena);
}

static void a_csv_record_over_a_limit_is_named_and_the_next_is_good_again(void **state)
{
    th_arena arena;
    th_buf buf;
    (void)state;
    th_arena_open(&arena, 16 << 20);
    th_buf_open(&buf, &arena, 1 << 20);
    for (int i = 0; i < TH_CSV_RECORD_MAX + 1; i++)
        th_buf_char(&buf, 'x');
    th_buf_text(&buf, "\nnext\n");
    TEXT(csv_read(&arena, th_buf_view(&buf), 4096), "1:!too-long 2:[next] ");
    th_buf_open(&buf, &arena, 1 << 20);
    for (int i = 0; i < TH_CSV_FIELDS_MAX + 10; i++)
        th_buf_text(&buf, "1,");
    th_buf_text(&buf, "1\nnext\n");
    TEXT(csv_read(&arena, th_buf_view(&buf), 4096), "1:!too-many-fields 2:[next] ");
    th_arena_close(&arena);
}

static void csv_fields_are_quoted_only_when_needed(void **state)
{
    static const struct { const char *field, *want; } cases[] = {{"", ""}, {"a b", "a b"}, {"a,b", "\"a,b\""}, {"a\"b", "\"a\"\"b\""}, {"a\nb", "\"a\nb\""}, {"\r", "\"\r\""}};
    th_arena arena;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_buf buf;
        th_buf_open(&buf, &arena, 100);
        th_csv_quote(&buf, th_str_of(cases[i].field));
        TEXT(th_buf_view(&buf), cases[i].want);
    }
    th_arena_close(&arena);
}

/* ---- pool ---- */

typedef struct gate { pthread_mutex_t lock; int done; } gate;

static void wait_at_gate(void *arg)
{
    gate *g = arg;
    pthread_mutex_lock(&g->lock);
    g->done++;
    pthread_mutex_unlock(&g->lock);
}

static void a_full_pool_refuses_at_once_and_closing_runs_what_was_accepted(void **state)
{
    th_pool *pool;
    gate g = {.lock = PTHREAD_MUTEX_INITIALIZER};
    int accepted = 0;
    (void)state;
    assert_int_equal(th_pool_open(0, 5, &pool), TH_INVALID);
    assert_int_equal(th_pool_open(2, 0, &pool), TH_INVALID);
    assert_int_equal(th_pool_open(2, 5, &pool), TH_OK);
    pthread_mutex_lock(&g.lock); /* both threads will wait here */
    th_status status = TH_OK;
    for (int i = 0; i < 100 && !status; i++) {
        status = th_pool_submit(pool, wait_at_gate, &g);
        accepted += status == TH_OK;
        if (i < 2)
            usleep(20000); /* let a thread take it */
    }
    assert_int_equal(status, TH_BUSY);
    assert_true(accepted >= 5 && accepted <= 7);
    assert_int_equal(th_pool_waiting(pool), 5);
    pthread_mutex_unlock(&g.lock);
    th_pool_close(pool);
    assert_int_equal(g.done, accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_never_holds_more_than_its_maximum),
        cmocka_unit_test(what_an_arena_gives_is_zeroed_and_aligned),
        cmocka_unit_test(a_reset_arena_keeps_one_block_for_the_next_use),
        cmocka_unit_test(strings_compare_trim_and_cut),
        cmocka_unit_test(utf8_is_what_unicode_says_and_nothing_else),
        cmocka_unit_test(controls_and_direction_overrides_are_seen),
        cmocka_unit_test(a_buffer_fails_at_its_maximum_and_stays_failed),
        cmocka_unit_test(buffers_format_numbers_and_texts_of_any_length),
        cmocka_unit_test(bytes_become_text_and_come_back_only_from_the_canonical_spelling),
        cmocka_unit_test(integers_say_when_they_do_not_fit),
        cmocka_unit_test(whole_numbers_have_one_spelling),
        cmocka_unit_test(instants_are_written_in_utc_and_at_the_shanghai_edge),
        cmocka_unit_test(instants_are_read_by_rfc3339_and_nothing_looser),
        cmocka_unit_test(dates_follow_the_calendar_for_every_day_of_four_centuries),
        cmocka_unit_test(ids_are_uuidv7_and_ascend_within_a_millisecond),
        cmocka_unit_test(the_real_clock_and_chance_are_alive),
        cmocka_unit_test(errors_carry_both_languages_cut_at_a_character),
        cmocka_unit_test(field_errors_gather_up_to_their_room),
        cmocka_unit_test(problems_are_rfc9457_in_the_asked_language),
        cmocka_unit_test(every_status_has_a_name_and_an_http_code),
        cmocka_unit_test(a_broken_invariant_ends_the_process),
        cmocka_unit_test(a_log_line_is_one_json_object_whatever_is_in_it),
        cmocka_unit_test(a_log_line_that_is_too_long_is_left_out_whole),
        cmocka_unit_test(csv_is_read_alike_from_any_pieces),
        cmocka_unit_test(a_csv_record_over_a_limit_is_named_and_the_next_is_good_again),
        cmocka_unit_test(csv_fields_are_quoted_only_when_needed),
        cmocka_unit_test(a_full_pool_refuses_at_once_and_closing_runs_what_was_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
