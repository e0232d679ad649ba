/* Promises of the machine of cases: kernel/cases/machine.h, fold.h, material.h — against the region's own rows. */
#include "kernel/cases/fold.h"
#include "kernel/cases/material.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define REGION TH_REGION_DIR "/"

static th_arena arena;
static th_fold_in in;
static th_clock_terms terms;
static th_str machine_text;

static th_str file(const char *path)
{
    FILE *f = fopen(path, "rb");
    th_buf buf;
    char piece[4096];
    size_t n;
    assert_non_null(f);
    th_buf_open(&buf, &arena, 4u << 20);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        th_buf_put(&buf, piece, n);
    fclose(f);
    assert_true(th_buf_ok(&buf));
    return th_buf_view(&buf);
}

static int open_region(void **state)
{
    (void)state;
    th_arena_open(&arena, 64u << 20);
    machine_text = file(REGION "cases.json");
    assert_int_equal(th_crypto_start(), TH_OK);
    assert_int_equal(th_calendar_read(file(REGION "calendar/working-days.json"), &arena, &in.clock.calendar, NULL), TH_OK);
    assert_int_equal(th_clock_rules_read(file(REGION "clocks.json"), &arena, &in.clock.rules, NULL), TH_OK);
    assert_int_equal(th_machine_read(machine_text, &arena, &in.machine, NULL), TH_OK);
    assert_int_equal(th_clock_terms_read(in.clock.rules, NULL, &terms, NULL), TH_OK);
    in.clock.terms = &terms;
    in.rate = th_limit_find(in.clock.rules, "rate");
    in.reconsideration = th_limit_find(in.clock.rules, "reconsideration");
    return 0;
}

static int close_region(void **state)
{
    (void)state;
    th_arena_close(&arena);
    return 0;
}

static int64_t day(const char *text)
{
    int32_t d;
    assert_true(th_day_parse(th_str_of(text), &d));
    return th_day_start_us(d) + 10 * TH_HOUR_US;
}

static th_status step(th_fold *fold, const char *kind, unsigned by, const char *at, const char *json, th_error *error)
{
    th_fold_event event = {.kind = th_str_of(kind), .by = by, .at_us = day(at), .json = th_str_of(json)};
    assert_int_equal(th_json_parse(event.json, &arena, &event.body, NULL), TH_OK);
    return th_fold_step(&in, fold, &event, error);
}

static void goes(th_fold *fold, const char *kind, unsigned by, const char *at, const char *json)
{
    th_error error = {0};
    if (step(fold, kind, by, at, json, &error))
        fail_msg("%s: %s %s", kind, error.type, error.en);
}

static void refused(th_fold *fold, const char *kind, unsigned by, const char *at, const char *json, const char *type)
{
    th_error error = {0};
    th_fold before = *fold;
    th_status status = step(fold, kind, by, at, json, &error);
    assert_int_not_equal(status, TH_OK);
    assert_string_equal(error.field_count ? error.fields[0].code : error.type, type);
    assert_memory_equal(&before, fold, sizeof before); /* changes nothing */
}

static th_fold received(const char *at)
{
    th_fold fold = {0};
    goes(&fold, "submitted", TH_BY_NODE, at, "{}");
    goes(&fold, "received", TH_BY_NODE, at, "{}");
    return fold;
}

static bool is(const th_fold *fold, const char *state)
{
    return th_str_is(fold->state->id, state);
}

static void a_case_goes_from_receipt_to_delivery(void **state)
{
    (void)state;
    th_fold fold = received("2026-11-02");
    goes(&fold, "accepted", TH_BY_CLERK, "2026-11-03", "{}");
    goes(&fold, "reviewing", TH_BY_CLERK, "2026-11-03", "{}");
    goes(&fold, "decided", TH_BY_CLERK, "2026-11-05", "{\"outcome\":\"approved\"}");
    assert_string_equal(fold.outcome, "approved");
    goes(&fold, "delivered", TH_BY_CLERK, "2026-11-06", "{}");
    assert_true(is(&fold, "delivered"));
    assert_int_equal(fold.count, 6);
}

static void who_may_not_may_not(void **state)
{
    (void)state;
    th_fold fold = received("2026-11-02");
    refused(&fold, "accepted", TH_BY_APPLICANT, "2026-11-03", "{}", "not-yours-to-do");
    refused(&fold, "deemed_accepted", TH_BY_CLERK, "2026-11-20", "{}", "not-yours-to-do");
    goes(&fold, "accepted", TH_BY_CLERK, "2026-11-03", "{}");
    refused(&fold, "extended", TH_BY_CLERK, "2026-11-04", "{}", "not-yours-to-do");
    refused(&fold, "accepted", TH_BY_CLERK, "2026-11-04", "{}", "case-state");
    refused(&fold, "submitted", TH_BY_NODE, "2026-11-04", "{}", "case-state");
}

static void correction_is_told_once_and_lapses(void **state)
{
    const char *timer = NULL;
    (void)state;
    th_fold fold = received("2026-11-02");
    goes(&fold, "correction", TH_BY_CLERK, "2026-11-03", "{}");
    th_fold late = fold;
    assert_int_equal(th_fold_timer(&in, &fold, &timer), day("2026-12-04") - 10 * TH_HOUR_US); /* 30 days, to the end of 12-03 */
    assert_string_equal(timer, "lapse");
    refused(&late, "lapsed", TH_BY_TIMER, "2026-11-30", "{}", "not-yet");
    goes(&late, "lapsed", TH_BY_TIMER, "2026-12-10", "{}");
    assert_true(is(&late, "lapsed"));
    goes(&fold, "supplied", TH_BY_APPLICANT, "2026-11-10", "{}");
    refused(&fold, "correction", TH_BY_CLERK, "2026-11-11", "{}", "correction-already-told");
}

static void silence_is_acceptance_from_the_day_of_receipt(void **state)
{
    const char *timer = NULL;
    (void)state;
    th_fold fold = received("2026-02-13"); /* before the Spring Festival: five working days end on 02-27 */
    assert_int_equal(th_fold_timer(&in, &fold, &timer), day("2026-02-28") - 10 * TH_HOUR_US);
    assert_string_equal(timer, "deem-accept");
    refused(&fold, "deemed_accepted", TH_BY_TIMER, "2026-02-27", "{}", "not-yet");
    goes(&fold, "deemed_accepted", TH_BY_TIMER, "2026-02-28", "{}");
    assert_true(fold.clock.deemed);
    assert_int_equal(fold.clock.start_day, th_day_of(day("2026-02-13")));
}

static void the_stamp_of_the_collecting_window_counts(void **state)
{
    char json[64];
    (void)state;
    th_fold fold = {0};
    goes(&fold, "submitted", TH_BY_NODE, "2026-11-02", "{}");
    snprintf(json, sizeof json, "{\"stamp_us\":%lld}", (long long)day("2026-11-02"));
    goes(&fold, "received", TH_BY_NODE, "2026-11-05", json);
    assert_int_equal(fold.clock.receipt_day, th_day_of(day("2026-11-02")));
}

static void every_office_that_was_asked_is_waited_for(void **state)
{
    (void)state;
    th_fold fold = received("2026-11-02");
    goes(&fold, "accepted", TH_BY_CLERK, "2026-11-03", "{}");
    goes(&fold, "consulted", TH_BY_CLERK, "2026-11-03", "{}");
    goes(&fold, "consulted", TH_BY_CLERK, "2026-11-03", "{}");
    refused(&fold, "decided", TH_BY_CLERK, "2026-11-04", "{\"outcome\":\"approved\"}", "case-state");
    goes(&fold, "consult_answered", TH_BY_ASSIST, "2026-11-04", "{}");
    assert_true(is(&fold, "consulting"));
    goes(&fold, "consult_answered", TH_BY_ASSIST, "2026-11-05", "{}");
    assert_true(is(&fold, "review"));
    refused(&fold, "consult_answered", TH_BY_ASSIST, "2026-11-06", "{}", "case-state");
}

static th_fold decided(const char *outcome)
{
    char json[48];
    th_fold fold = received("2026-03-02");
    goes(&fold, "accepted", TH_BY_CLERK, "2026-03-03", "{}");
    snprintf(json, sizeof json, "{\"outcome\":\"%s\"}", outcome);
    goes(&fold, "decided", TH_BY_CLERK, "2026-03-05", json);
    return fold;
}

static void an_appeal_may_be_late_with_a_reason_and_sets_a_decision_aside(void **state)
{
    (void)state;
    th_fold fold = decided("refused");
    refused(&fold, "appealed", TH_BY_APPLICANT, "2026-06-30", "{}", "appeal-late");
    goes(&fold, "appealed", TH_BY_APPLICANT, "2026-06-30", "{\"late_reason\":\"住院\"}");
    assert_true(fold.appeal_late);
    th_fold upheld = fold, changed = fold;
    goes(&upheld, "appeal_decided", TH_BY_HEAD, "2026-07-10", "{\"result\":\"uphold\"}");
    assert_true(is(&upheld, "decided"));
    assert_string_equal(upheld.outcome, "refused");
    goes(&changed, "appeal_decided", TH_BY_HEAD, "2026-07-10", "{\"result\":\"change\",\"outcome\":\"approved\"}");
    assert_string_equal(changed.outcome, "approved");
    goes(&fold, "appeal_decided", TH_BY_HEAD, "2026-07-10", "{\"result\":\"revoke\"}");
    assert_true(is(&fold, "accepted"));
    assert_string_equal(fold.outcome, "");
    assert_int_equal(fold.clock.start_day, th_day_of(day("2026-07-10")));
}

static void ratings_have_their_time_and_their_order(void **state)
{
    (void)state;
    th_fold fold = decided("approved");
    refused(&fold, "rating_checked", TH_BY_CLERK, "2026-03-06", "{}", "no-bad-rating");
    goes(&fold, "rated", TH_BY_APPLICANT, "2026-03-06", "{\"level\":2}");
    refused(&fold, "rating_rectified", TH_BY_CLERK, "2026-03-06", "{}", "rating-not-checked");
    goes(&fold, "rating_checked", TH_BY_CLERK, "2026-03-07", "{}");
    goes(&fold, "rating_rectified", TH_BY_CLERK, "2026-03-08", "{}");
    refused(&fold, "rating_rectified", TH_BY_CLERK, "2026-03-09", "{}", "rating-not-checked");
    goes(&fold, "rated", TH_BY_APPLICANT, "2026-03-09", "{\"level\":5}");
    refused(&fold, "rated", TH_BY_APPLICANT, "2026-03-10", "{\"level\":5}", "already-rated");
    th_fold late = decided("approved");
    refused(&late, "rated", TH_BY_APPLICANT, "2026-05-20", "{\"level\":5}", "rating-late");
    th_fold no = decided("refused");
    refused(&no, "annulled", TH_BY_HEAD, "2026-03-09", "{}", "not-approved");
}

static void the_chain_covers_every_byte_and_the_order(void **state)
{
    (void)state;
    th_fold a = received("2026-11-02"), b = received("2026-11-02"), c = received("2026-11-02");
    assert_memory_equal(&a, &b, sizeof a);
    goes(&a, "accepted", TH_BY_CLERK, "2026-11-03", "{\"note\":\"x\"}");
    goes(&b, "accepted", TH_BY_CLERK, "2026-11-03", "{\"note\":\"y\"}");
    assert_memory_not_equal(a.chain.b, b.chain.b, TH_HASH_SIZE);
    goes(&c, "somebody_passed", 0, "2026-11-03", "{}"); /* no action of the machine: moves nothing, is counted */
    assert_true(is(&c, "received"));
    assert_int_equal(c.count, 3);
}

static th_str changed(const char *from, const char *to)
{
    th_buf buf;
    const char *at = memmem(machine_text.p, machine_text.n, from, strlen(from));
    assert_non_null(at);
    th_buf_open(&buf, &arena, 1u << 20);
    th_buf_put(&buf, machine_text.p, (size_t)(at - machine_text.p));
    th_buf_text(&buf, to);
    th_buf_put(&buf, at + strlen(from), machine_text.n - (size_t)(at - machine_text.p) - strlen(from));
    return th_buf_view(&buf);
}

static void a_machine_that_does_not_hold_together_is_refused_whole(void **state)
{
    static const char *const faults[][2] = {{"\"to\": \"accepted\"", "\"to\": \"acepted\""},
                                            {"\"by\": [\"clerk\"]", "\"by\": [\"king\"]"},
                                            {"\"clock\": \"accepted\"", "\"clock\": \"acceptd\""},
                                            {"\"guards\": [\"rating\"]", "\"guards\": [\"ratings\"]"},
                                            {"\"action\": \"lapse\"", "\"action\": \"accept\""},
                                            {"\"from\": [\"received\"]", "\"from\": [\"recieved\"]"},
                                            {"\"phase\": \"open\"", "\"phase\": \"ajar\""},
                                            {"\"action\": \"deem-accept\"", "\"action\": \"deem\""}};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(faults); i++) {
        const th_machine *m = NULL;
        th_error error = {0};
        assert_int_not_equal(th_machine_read(changed(faults[i][0], faults[i][1]), &arena, &m, &error), TH_OK);
        assert_null(m);
        assert_true(error.type[0] != 0);
    }
}

static void words_are_checked_against_the_fields_of_the_action(void **state)
{
    static const struct { const char *action, *body, *code; } rows[] = {
        {"decide", "{}", "required"},
        {"decide", "{\"outcome\":\"maybe\"}", "enum"},
        {"decide", "{\"outcome\":\"refused\"}", "required"},
        {"decide", "{\"outcome\":\"approved\",\"king\":1}", "unknown-field"},
        {"suspend", "{\"reason\":\"rain\",\"days\":3}", "enum"},
        {"suspend", "{\"reason\":\"review\",\"days\":\"3\"}", "range"},
        {"suspend", "{\"reason\":\"review\",\"days\":0}", "range"},
        {"rate", "{\"level\":6}", "range"},
        {"consult", "{\"member\":\"11\",\"question\":\"?\"}", "enum"},
        {"withdraw", "{\"reason\":\"\"}", "required"},
        {"withdraw", "{\"reason\":\"a\\u202eb\"}", "text"},
        {"withdraw", "{\"reason\":\"x\"}", NULL},
        {"decide", "{\"outcome\":\"refused\",\"reason\":\"r\",\"law\":\"l\"}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < TH_COUNT(rows); i++) {
        th_error error = {0};
        const th_json *body;
        const th_action *action = th_machine_action(in.machine, th_str_of(rows[i].action));
        assert_non_null(action);
        assert_int_equal(th_json_parse(th_str_of(rows[i].body), &arena, &body, NULL), TH_OK);
        th_status status = th_action_body_check(action, in.clock.rules, body, &error);
        if (!rows[i].code) {
            assert_int_equal(status, TH_OK);
            continue;
        }
        assert_int_equal(status, TH_INVALID);
        assert_string_equal(error.fields[0].code, rows[i].code);
    }
}

static void papers_are_what_their_bytes_say(void **state)
{
    static const struct { const char *bytes, *mime, *type; } rows[] = {
        {"%PDF-1.7\nplain\n", "application/pdf", NULL},
        {"\x89PNG\r\n\x1a\n....", "image/png", NULL},
        {"\xff\xd8\xff\xe0....", "image/jpeg", NULL},
        {"PK\x03\x04....OFD.xml....", "application/ofd", NULL},
        {"PK\x03\x04....word/document.xml", "application/ofd", "material-type"},
        {"MZ....", "application/pdf", "material-type"},
        {"%PDF-1.7\n", "image/png", "material-type"},
        {"", "application/pdf", "material-empty"},
        {"%PDF-1.4 /JavaScript", "application/pdf", "material-active"},
        {"%PDF-1.4 /Launch", "application/pdf", "material-active"},
        {"%PDF-1.4 EICAR-STANDARD-ANTIVIRUS-TEST-FILE", "application/pdf", "material-virus"},
    };
    (void)state;
    for (size_t i = 0; i < TH_COUNT(rows); i++) {
        th_str all = th_str_of(rows[i].bytes);
        th_hash hash = th_hash_str(TH_SUITE_ED25519, all);
        /* However it is cut: what is looked for lies across the border of two pieces as often as not. */
        for (size_t cut = 8; cut == 8 || cut < all.n; cut++) {
            th_error error = {0};
            th_material_look look;
            size_t first = cut < all.n ? cut : all.n;
            th_material_look_open(&look);
            th_material_look_at(&look, (th_str){all.p, first});
            for (size_t at = first; at < all.n; at += cut)
                th_material_look_at(&look, (th_str){all.p + at, all.n - at < cut ? all.n - at : cut});
            th_status status = th_material_look_judge(&look, th_str_of(rows[i].mime), &error);
            th_hash pieced = th_hasher_done(&look.hasher);
            assert_int_equal(status, rows[i].type ? TH_UNPROCESSABLE : TH_OK);
            assert_string_equal(error.type, rows[i].type ? rows[i].type : "");
            assert_true(th_hash_eq(&hash, &pieced));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_goes_from_receipt_to_delivery),
        cmocka_unit_test(who_may_not_may_not),
        cmocka_unit_test(correction_is_told_once_and_lapses),
        cmocka_unit_test(silence_is_acceptance_from_the_day_of_receipt),
        cmocka_unit_test(the_stamp_of_the_collecting_window_counts),
        cmocka_unit_test(every_office_that_was_asked_is_waited_for),
        cmocka_unit_test(an_appeal_may_be_late_with_a_reason_and_sets_a_decision_aside),
        cmocka_unit_test(ratings_have_their_time_and_their_order),
        cmocka_unit_test(the_chain_covers_every_byte_and_the_order),
        cmocka_unit_test(a_machine_that_does_not_hold_together_is_refused_whole),
        cmocka_unit_test(words_are_checked_against_the_fields_of_the_action),
        cmocka_unit_test(papers_are_what_their_bytes_say),
    };
    return cmocka_run_group_tests(tests, open_region, close_region);
}
