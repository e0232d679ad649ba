/* calendar.h's and clock.h's promises, with the region's own calendar and limits. */
#include "kernel/cases/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static th_arena arena;
static const th_calendar *calendar;
static const th_clock_rules *rules;

static th_str file(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, TH_SOURCE_ROOT "/region/jingjinji/%s", name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char *text = th_alloc(&arena, 1 << 20);
    size_t n = fread(text, 1, 1 << 20, f);
    fclose(f);
    return (th_str){text, n};
}

static int set_up(void **state)
{
    th_error error = {0};
    (void)state;
    th_arena_open(&arena, 64u << 20);
    assert_int_equal(th_calendar_read(file("calendar/working-days.json"), &arena, &calendar, &error), TH_OK);
    assert_int_equal(th_clock_rules_read(file("clocks.json"), &arena, &rules, &error), TH_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    th_arena_close(&arena);
    return 0;
}

static int32_t day(const char *text)
{
    int32_t d;
    assert_true(th_day_parse(th_str_of(text), &d));
    return d;
}

/* Ten in the morning in Shanghai. */
static int64_t at(const char *text)
{
    return th_day_start_us(day(text)) + 10 * TH_HOUR_US;
}

#define assert_day(number, text)                                                                                                    \
    do {                                                                                                                           \
        char shown[TH_DAY_TEXT];                                                                                                   \
        th_day_text(number, shown);                                                                                                \
        assert_string_equal(shown, text);                                                                                          \
    } while (0)

/* ---- the calendar ---- */

static void dated_vectors(void **state)
{
    static const struct { const char *start; int n; const char *end; bool provisional; } vectors[] = {
        {"2026-02-13", 5, "2026-02-27", false},  {"2026-02-13", 20, "2026-03-19", false}, {"2026-09-18", 5, "2026-09-24", false},
        {"2026-09-25", 10, "2026-10-15", false}, {"2026-09-30", 20, "2026-11-03", false}, {"2026-04-30", 10, "2026-05-18", false},
        {"2026-12-25", 20, "2027-01-22", true},
        /* and at the edges */
        {"2026-12-25", 4, "2026-12-31", false}, {"2026-12-25", 5, "2027-01-01", true}, {"2026-11-24", 0, "2026-11-24", false},
        {"2026-02-14", 1, "2026-02-24", false}, {"2026-02-28", 1, "2026-03-02", false}};
    static const char *const worked[] = {"2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10", "2026-11-24"};
    static const char *const off[] = {"2026-01-01", "2026-10-01", "2026-11-22", "2026-11-21", "2026-02-17"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(vectors); i++) {
        bool provisional;
        assert_day(th_calendar_add(calendar, day(vectors[i].start), vectors[i].n, &provisional), vectors[i].end);
        assert_int_equal(provisional, vectors[i].provisional);
    }
    for (size_t i = 0; i < TH_COUNT(worked); i++)
        assert_true(th_calendar_works(calendar, day(worked[i])));
    for (size_t i = 0; i < TH_COUNT(off); i++)
        assert_false(th_calendar_works(calendar, day(off[i])));
}

/* Counting by the table is walking day by day, both ways. */
static void counting_is_walking(void **state)
{
    (void)state;
    for (int32_t start = day("2024-12-20"); start < day("2026-12-31"); start += 3) {
        int32_t walked = start;
        for (int n = 1; n <= 70; n++) {
            bool provisional;
            do
                walked++;
            while (!th_calendar_works(calendar, walked));
            assert_int_equal(th_calendar_add(calendar, start, n, &provisional), walked);
            assert_int_equal(th_calendar_between(calendar, start, walked), n);
            assert_int_equal(th_calendar_between(calendar, walked, start), -n);
            assert_int_equal(provisional, walked > day("2026-12-31"));
        }
    }
}

static void days_are_shanghais(void **state)
{
    int64_t us;
    int first, last;
    int32_t d;
    static const char *const wrong[] = {"2026-02-29", "2026-13-01", "2026-1-1", "2026-01-01 ", "20260101xx", "二〇二六年", ""};
    (void)state;
    assert_true(th_time_parse(TH_STR("2026-11-24T15:59:59.999999Z"), &us));
    assert_day(th_day_of(us), "2026-11-24");
    assert_day(th_day_of(us + 1), "2026-11-25");
    assert_int_equal(th_day_end_us(day("2026-11-24")), us + 1);
    assert_day(th_day_of(-9 * TH_HOUR_US), "1969-12-31");
    for (size_t i = 0; i < TH_COUNT(wrong); i++)
        assert_false(th_day_parse(th_str_of(wrong[i]), &d));
    th_calendar_years(calendar, &first, &last);
    assert_int_equal(first, 2004);
    assert_int_equal(last, 2026);
}

static void calendar_days_end_on_a_working_day(void **state)
{
    bool provisional;
    (void)state;
    assert_day(th_calendar_add_natural(calendar, day("2026-09-02"), 30, &provisional), "2026-10-08"); /* 10-02 is a holiday */
    assert_day(th_calendar_add_natural(calendar, day("2026-11-02"), 30, &provisional), "2026-12-02");
    assert_day(th_calendar_add_months(calendar, day("2026-08-31"), 6, &provisional), "2027-03-01"); /* 2027-02-28 is a Sunday */
    assert_true(provisional);
    assert_day(th_calendar_add_months(calendar, day("2025-11-24"), 6, &provisional), "2026-05-25"); /* 05-24 is a Sunday */
    assert_false(provisional);
}

static void wrong_calendars_are_refused(void **state)
{
    static const char *const wrong[] = {
        "{}", "{\"years\":{}}", "{\"years\":{\"2025\":{},\"2027\":{}}}", "{\"years\":{\"2026\":{\"rest\":[\"02-30\"]}}}",
        "{\"years\":{\"2026\":{\"rest\":[\"01-03\"]}}}", /* a Saturday is off anyway */
        "{\"years\":{\"2026\":{\"work\":[\"01-05\"]}}}", /* a Monday is worked anyway */
        "{\"years\":{\"1\":{}}}", "{\"years\":{\"2026\":[]}}", "{\"years\":{\"2026\":{\"rest\":[101]}}}"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        const th_calendar *c;
        th_error error = {0};
        assert_int_equal(th_calendar_read(th_str_of(wrong[i]), &arena, &c, &error), TH_INVALID);
    }
}

/* ---- the clock ---- */

static th_clock_terms terms(const char *item)
{
    const th_json *json;
    th_clock_terms t;
    th_error error = {0};
    assert_int_equal(th_json_parse(th_str_of(item), &arena, &json, &error), TH_OK);
    assert_int_equal(th_clock_terms_read(rules, json, &t, &error), TH_OK);
    return t;
}

typedef struct happening { th_clock_event event; const char *on; const char *reason; int days; const char *refused; } happening;

/* Plays a story; each refused event must leave the clock as it was. */
static th_clock played(const th_clock_terms *t, const happening *all, size_t n, const char *looked_on)
{
    th_clock_in in = {.calendar = calendar, .rules = rules, .terms = t};
    th_clock clock;
    memset(&clock, 0, sizeof clock);
    for (size_t i = 0; i < n; i++) {
        th_error error = {0};
        th_clock before = clock;
        th_status status = th_clock_step(&in, &clock, all[i].event, at(all[i].on), th_str_of(all[i].reason), all[i].days, &error);
        if (!all[i].refused) {
            if (status)
                fail_msg("%s on %s: %s", th_clock_event_name(all[i].event), all[i].on, error.type);
            continue;
        }
        assert_int_equal(status, TH_CONFLICT);
        assert_string_equal(error.type, all[i].refused);
        if (before.state != TH_CLOCK_WAITING) /* silence may have been noticed */
            assert_memory_equal(&before, &clock, sizeof clock);
    }
    th_clock_look(&in, &clock, at(looked_on));
    return clock;
}

static void starts_the_day_after_acceptance(void **state)
{
    const th_clock_terms t = terms("{\"promised_days\":5}");
    const happening story[] = {{.event = TH_CLOCK_DECIDED, .on = "2026-02-12", .refused = "not-accepted"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-02-12", .refused = "clock-not-received"},
                               {.event = TH_CLOCK_RECEIVED, .on = "2026-02-12"},
                               {.event = TH_CLOCK_RECEIVED, .on = "2026-02-12", .refused = "already-received"},
                               {.event = TH_CLOCK_DECIDED, .on = "2026-02-12", .refused = "not-accepted"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-02-13"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-02-13", .refused = "already-accepted"}};
    (void)state;
    th_clock c = played(&t, story, TH_COUNT(story), "2026-02-25");
    assert_int_equal(c.state, TH_CLOCK_RUNNING);
    assert_day(c.promised_due, "2026-02-27");
    assert_day(c.statutory_due, "2026-03-19");
    assert_int_equal(c.spent_days, 3); /* 02-14, 02-24, 02-25 */
    assert_int_equal(c.left_days, 17);
    assert_int_equal(c.load_percent, 60);
    assert_false(c.provisional || c.deemed);
}

static void silence_is_acceptance(void **state)
{
    const th_clock_terms t = terms("{}");
    const happening story[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-09-18"}};
    const happening late[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-09-18"},
                              {.event = TH_CLOCK_CORRECT, .on = "2026-09-28", .refused = "correction-too-late"},
                              {.event = TH_CLOCK_ACCEPTED, .on = "2026-09-28"}};
    (void)state;
    th_clock c = played(&t, story, 1, "2026-09-24"); /* the fifth working day; Sunday the 20th was worked */
    assert_int_equal(c.state, TH_CLOCK_WAITING);
    assert_day(c.next_due, "2026-09-24");
    c = played(&t, story, 1, "2026-09-28");
    assert_int_equal(c.state, TH_CLOCK_RUNNING);
    assert_true(c.deemed);
    assert_day(c.start_day, "2026-09-18");
    c = played(&t, late, TH_COUNT(late), "2026-09-28");
    assert_day(c.start_day, "2026-09-18"); /* a late receipt does not win days */
    assert_true(c.deemed);
}

static void correction_is_told_once(void **state)
{
    const th_clock_terms t = terms("{}");
    const happening story[] = {{.event = TH_CLOCK_SUPPLIED, .on = "2026-11-02", .refused = "not-in-correction"},
                               {.event = TH_CLOCK_RECEIVED, .on = "2026-11-02"},
                               {.event = TH_CLOCK_CORRECT, .on = "2026-11-04"},
                               {.event = TH_CLOCK_CORRECT, .on = "2026-11-04", .refused = "correction-already-told"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-11-04", .refused = "not-supplied"},
                               {.event = TH_CLOCK_DECIDED, .on = "2026-11-04", .refused = "not-accepted"},
                               {.event = TH_CLOCK_SUPPLIED, .on = "2026-11-12"},
                               {.event = TH_CLOCK_CORRECT, .on = "2026-11-13", .refused = "correction-already-told"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-11-13"}};
    (void)state;
    th_clock c = played(&t, story, 7, "2026-11-24"); /* silence after the supply */
    assert_true(c.deemed && c.state == TH_CLOCK_RUNNING);
    assert_day(c.start_day, "2026-11-12");
    c = played(&t, story, 3, "2026-11-10");
    assert_int_equal(c.state, TH_CLOCK_CORRECTING);
    assert_day(c.next_due, "2026-12-04");
    c = played(&t, story, TH_COUNT(story), "2026-11-24");
    assert_day(c.start_day, "2026-11-13");
    assert_day(c.statutory_due, "2026-12-11");
}

static void stands_still_for_the_laws_reasons_only(void **state)
{
    const th_clock_terms t = terms("{\"special\":[{\"reason\":\"review\",\"days\":10}]}");
    const happening story[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-11-02"},
                               {TH_CLOCK_SUSPENDED, "2026-11-03", "review", 5, "not-accepted"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-11-03"},
                               {TH_CLOCK_SUSPENDED, "2026-11-06", "holiday", 5, "suspension-reason"},
                               {TH_CLOCK_SUSPENDED, "2026-11-06", "hearing", 5, "suspension-reason"}, /* the law's, not this item's */
                               {TH_CLOCK_SUSPENDED, "2026-11-06", "review", 11, "suspension-days"},
                               {TH_CLOCK_SUSPENDED, "2026-11-06", "review", 0, "suspension-days"},
                               {.event = TH_CLOCK_RESUMED, .on = "2026-11-06", .refused = "not-suspended"},
                               {.event = TH_CLOCK_SUSPENDED, .on = "2026-11-06", .reason = "review", .days = 6},
                               {TH_CLOCK_SUSPENDED, "2026-11-09", "review", 1, "already-suspended"},
                               {.event = TH_CLOCK_DECIDED, .on = "2026-11-09", .refused = "suspended"},
                               {.event = TH_CLOCK_EXTENDED, .on = "2026-11-09", .refused = "suspended"},
                               {.event = TH_CLOCK_RESUMED, .on = "2026-11-11"}, /* 11-06, 09, 10 did not count */
                               {TH_CLOCK_SUSPENDED, "2026-11-12", "review", 8, "suspension-days"}, /* seven are left */
                               {.event = TH_CLOCK_SUSPENDED, .on = "2026-11-12", .reason = "review", .days = 2},
                               {.event = TH_CLOCK_RESUMED, .on = "2026-11-20"}}; /* six working days, told two */
    (void)state;
    th_clock c = played(&t, story, 9, "2026-11-10");
    assert_int_equal(c.state, TH_CLOCK_STANDING);
    assert_int_equal(c.spent_days, 2); /* 11-04 and 05 */
    assert_day(c.statutory_due, "2026-12-04"); /* 12-01 and the three days so far */
    c = played(&t, story, 13, "2026-11-11");
    assert_int_equal(c.excluded, 3);
    assert_int_equal(c.spent_days, 3);
    c = played(&t, story, TH_COUNT(story), "2026-11-24");
    assert_int_equal(c.excluded, 5);
    assert_day(c.statutory_due, "2026-12-08");
}

static void a_clock_that_has_run_out_is_not_saved_by_standing_still(void **state)
{
    const th_clock_terms t = terms("{\"statutory_days\":5}");
    const happening story[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-11-02"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-11-02"},
                               {.event = TH_CLOCK_EXTENDED, .on = "2026-11-10", .refused = "extension-too-late"},
                               {.event = TH_CLOCK_SUSPENDED, .on = "2026-11-16", .reason = "hearing", .days = 10},
                               {.event = TH_CLOCK_RESUMED, .on = "2026-11-20"}};
    (void)state;
    th_clock c = played(&t, story, TH_COUNT(story), "2026-11-24");
    assert_day(c.statutory_due, "2026-11-09");
    assert_int_equal(c.left_days, -11);
}

static void extended_once_and_in_time(void **state)
{
    const th_clock_terms one = terms("{}"), many = terms("{\"joint\":[{\"office\":\"x\"}],\"promised_days\":30}"), none = terms("{\"extend_days\":0}");
    const happening story[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-02-13"},
                               {.event = TH_CLOCK_EXTENDED, .on = "2026-02-13", .refused = "not-accepted"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-02-13"},
                               {.event = TH_CLOCK_EXTENDED, .on = "2026-03-19"}, /* the last day */
                               {.event = TH_CLOCK_EXTENDED, .on = "2026-03-19", .refused = "already-extended"}};
    const happening never[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-02-13"}, {.event = TH_CLOCK_ACCEPTED, .on = "2026-02-13"}, {.event = TH_CLOCK_EXTENDED, .on = "2026-03-02", .refused = "already-extended"}};
    (void)state;
    th_clock c = played(&one, story, TH_COUNT(story), "2026-03-20");
    assert_day(c.statutory_due, "2026-04-02");
    assert_int_equal(c.left_days, 9);
    assert_int_equal(many.statutory_days, 45);
    c = played(&many, story, 3, "2026-03-20");
    assert_day(c.statutory_due, "2026-04-24");
    c = played(&many, story, TH_COUNT(story), "2026-03-20");
    assert_day(c.statutory_due, "2026-05-19");
    played(&none, never, TH_COUNT(never), "2026-03-20");
}

static void ten_days_to_deliver_and_a_new_clock_when_reopened(void **state)
{
    const th_clock_terms t = terms("{}");
    const happening story[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-04-20"},
                               {.event = TH_CLOCK_ACCEPTED, .on = "2026-04-20"},
                               {.event = TH_CLOCK_DELIVERED, .on = "2026-04-30", .refused = "not-decided"},
                               {.event = TH_CLOCK_DECIDED, .on = "2026-04-30"},
                               {.event = TH_CLOCK_DECIDED, .on = "2026-04-30", .refused = "already-decided"},
                               {TH_CLOCK_SUSPENDED, "2026-04-30", "hearing", 5, "not-accepted"},
                               {.event = TH_CLOCK_ENDED, .on = "2026-04-30", .refused = "already-decided"},
                               {.event = TH_CLOCK_DELIVERED, .on = "2026-05-18"},
                               {.event = TH_CLOCK_DELIVERED, .on = "2026-05-18", .refused = "not-decided"},
                               {.event = TH_CLOCK_REOPENED, .on = "2026-06-01"}};
    (void)state;
    th_clock c = played(&t, story, 4, "2026-05-06");
    assert_int_equal(c.state, TH_CLOCK_STOPPED);
    assert_day(c.next_due, "2026-05-18");
    assert_int_equal(c.spent_days, 8);
    c = played(&t, story, TH_COUNT(story), "2026-06-02");
    assert_int_equal(c.state, TH_CLOCK_RUNNING);
    assert_int_equal(c.spent_days, 1);
    assert_day(c.statutory_due, "2026-06-30");
}

static void provisional_is_said(void **state)
{
    const th_clock_terms t = terms("{}");
    const happening story[] = {{.event = TH_CLOCK_RECEIVED, .on = "2026-12-25"}, {.event = TH_CLOCK_ACCEPTED, .on = "2026-12-25"}};
    th_clock_in in = {.calendar = calendar, .rules = rules, .terms = &t};
    th_buf buf;
    const th_json *json;
    (void)state;
    th_clock c = played(&t, story, 2, "2026-12-28");
    assert_true(c.provisional);
    th_buf_open(&buf, &arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_clock_write(&in, &c, &pen);
    assert_int_equal(th_json_parse(th_buf_view(&buf), &arena, &json, NULL), TH_OK);
    assert_true(th_json_bool(json, "provisional", false));
    assert_true(th_str_is(th_json_str(json, "statutory_due"), "2027-01-22"));
    assert_int_equal(th_json_int(json, "left_days", 0), 19);
    c = played(&t, story, 2, "2026-12-28");
}

static void renewal_is_granted_by_silence(void **state)
{
    const th_clock_terms t = terms("{}");
    th_clock_in in = {.calendar = calendar, .rules = rules, .terms = &t};
    int32_t expiry = day("2026-12-31");
    (void)state;
    th_renewal r = th_clock_renewal(&in, day("2026-12-01"), expiry, 0, day("2026-12-31"));
    assert_day(r.apply_by, "2026-12-01");
    assert_true(r.in_time && !r.deemed);
    assert_true(th_clock_renewal(&in, day("2026-12-01"), expiry, 0, day("2027-01-01")).deemed);
    assert_false(th_clock_renewal(&in, day("2026-12-01"), expiry, day("2026-12-31"), day("2027-01-05")).deemed);
    assert_true(th_clock_renewal(&in, day("2026-12-01"), expiry, day("2027-01-04"), day("2027-01-05")).deemed);
    r = th_clock_renewal(&in, day("2026-12-02"), expiry, 0, day("2027-01-05"));
    assert_true(!r.in_time && !r.deemed);
}

static void wrong_terms_are_refused(void **state)
{
    static const struct { const char *item, *pointer; } wrong[] = {
        {"{\"statutory_days\":10,\"promised_days\":11}", "/promised_days"}, {"{\"promised_days\":21}", "/promised_days"},
        {"{\"statutory_days\":-1}", "/statutory_days"}, {"{\"day_unit\":\"weeks\"}", "/day_unit"}, {"{\"day_unit\":\"month\"}", "/day_unit"},
        {"{\"extend_days\":11}", "/extend_days"}, {"{\"special\":[{\"reason\":\"lunch\"}]}", "/special"},
        {"{\"special\":[{\"reason\":\"hearing\",\"days\":99}]}", "/special"}};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        const th_json *json;
        th_clock_terms t;
        th_error error = {0};
        assert_int_equal(th_json_parse(th_str_of(wrong[i].item), &arena, &json, NULL), TH_OK);
        assert_int_equal(th_clock_terms_read(rules, json, &t, &error), TH_INVALID);
        assert_string_equal(error.fields[0].pointer, wrong[i].pointer);
    }
    assert_true(th_limit_find(rules, "reconsideration") && !th_limit_find(rules, "lunch"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dated_vectors),
        cmocka_unit_test(counting_is_walking),
        cmocka_unit_test(days_are_shanghais),
        cmocka_unit_test(calendar_days_end_on_a_working_day),
        cmocka_unit_test(wrong_calendars_are_refused),
        cmocka_unit_test(starts_the_day_after_acceptance),
        cmocka_unit_test(silence_is_acceptance),
        cmocka_unit_test(correction_is_told_once),
        cmocka_unit_test(stands_still_for_the_laws_reasons_only),
        cmocka_unit_test(a_clock_that_has_run_out_is_not_saved_by_standing_still),
        cmocka_unit_test(extended_once_and_in_time),
        cmocka_unit_test(ten_days_to_deliver_and_a_new_clock_when_reopened),
        cmocka_unit_test(provisional_is_said),
        cmocka_unit_test(renewal_is_granted_by_silence),
        cmocka_unit_test(wrong_terms_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
