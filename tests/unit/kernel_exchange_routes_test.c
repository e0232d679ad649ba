/* The exchange as a portal shows it: the region, grants, links, journal, receipts, alarms; asking over HTTP, alone and many at once; and the lists
 * that all members signed. */
#include "pair.h"

#include <unistd.h>

static browser ops, clerk, auditor, provider; /* three at 110000, the provider's operator at 120000 */

static void account_add(node *at, const char *login, unsigned roles)
{
    char id[TH_ID_TEXT];
    th_account_new account = {.login = th_str_of(login), .password = TH_STR("correct horse"), .name = TH_STR("李雷"), .roles = roles, .office = TH_STR("gov")};
    MUST(th_people_add_account(at->people, &account, id, &error), &error);
}

static void set_up_pair(bool pg)
{
    node *nodes[] = {&a, &b};
    memset(&error, 0, sizeof error);
    th_log_level_set(TH_LOG_ERROR);
    region_open(&r, 3);
    node_open_whole(&a, &r, 0, pg, fixture_dir, true);
    node_open_whole(&b, &r, 1, pg, fixture_dir, true);
    account_add(&a, "ops", TH_ROLE_OPERATOR);
    account_add(&a, "clerk", TH_ROLE_CLERK);
    account_add(&a, "auditor", TH_ROLE_AUDITOR);
    account_add(&b, "ops", TH_ROLE_OPERATOR);
    sign_in(&ops, &a, "ops", "correct horse");
    sign_in(&clerk, &a, "clerk", "correct horse");
    sign_in(&auditor, &a, "auditor", "correct horse");
    sign_in(&provider, &b, "ops", "correct horse");
    MUST(th_exchange_grant_add(b.ex, region_grant(&r, "companies-to-beijing", 1, 0, "companies", "verify", "[\"name\",\"capital\"]", "[\"A\"]", "none"), &error), &error);
    grants_share(&b, &a);
    HTTP(call_as(&provider, "POST", "/records/v1/registers/companies:import", "uscc,name,capital\n91110108551385082Q,甲,100\n", "text/csv"), 200, NULL);
    pump_start(nodes, 2);
}

static void tear_down_pair(void)
{
    pump_end();
    node_close(&a);
    node_close(&b);
    region_close(&r);
}

#define ASK "{\"provider\":\"120000\",\"register\":\"companies\",\"operation\":\"verify\",\"key\":{\"uscc\":\"91110108551385082Q\"},\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"A\"}}"
#define OTHER(what) "{\"provider\":\"120000\",\"register\":\"companies\",\"key\":{\"uscc\":\"91110108551385082Q\"}," what "}"

/* ---- asking ---- */

static void pointer_is(const th_json *problem, const char *pointer)
{
    const th_json *errors = th_json_get(problem, "errors");
    for (const th_json *e = th_json_first(errors); e; e = th_json_next(errors, e))
        if (th_str_is(th_json_str(e, "pointer"), pointer))
            return;
    fail_msg("nothing is said of %s: %.*s", pointer, TH_FMT(problem->raw));
}

static void one_ask_is_answered_with_its_receipts(bool pg)
{
    set_up_pair(pg);
    reply got = HTTP(call(&clerk, "POST", "/exchange/v1/ask", ASK), 200, NULL);
    TEXT(th_json_get(got.json, "results")->raw, "{\"name\":\"match\"}");
    th_trust *trust = th_exchange_trust(a.ex);
    th_receipt receipt;
    MUST(th_receipt_read(th_json_get(got.json, "receipt")->raw, &r.arena, &receipt, &error), &error);
    MUST(th_receipt_check(&receipt, trust, &error), &error);
    th_str path = th_strf(&r.arena, "/exchange/v1/receipts/%.*s", TH_FMT(th_json_str(got.json, "id")));
    got = HTTP(call(&clerk, "GET", path.p, NULL), 200, NULL);
    TEXT(th_json_str(got.json, "direction"), "asked");
    assert_int_equal(th_json_get(got.json, "receipts")->count, 2); /* one's own and the provider's */
    const th_json *receipts = th_json_get(got.json, "receipts");
    for (const th_json *one = th_json_first(receipts); one; one = th_json_next(receipts, one)) {
        MUST(th_receipt_read(one->raw, &r.arena, &receipt, &error), &error);
        MUST(th_receipt_check(&receipt, trust, &error), &error);
    }
    assert_null(th_json_get(got.json, "message")); /* what was asked about a person is the auditor's to see */
    got = HTTP(call(&auditor, "GET", path.p, NULL), 200, NULL);
    assert_true(bench_holds(th_json_str(got.json, "message"), "91110108551385082Q"));
    assert_true(bench_holds(th_json_str(got.json, "answer"), "match"));
    got = HTTP(call(&provider, "GET", path.p, NULL), 200, NULL); /* the provider has its own half */
    TEXT(th_json_str(got.json, "direction"), "answered");
    assert_int_equal(th_json_get(got.json, "receipts")->count, 1);
    HTTP(call(&clerk, "GET", "/exchange/v1/receipts/01a20c91-a000-7018-8a18-b7ed7a2d8c9e", NULL), 404, "no-message");
    HTTP(call(&clerk, "GET", "/exchange/v1/receipts/x", NULL), 404, "no-message");
    th_trust_release(trust);
    tear_down_pair();
}
ON_BOTH(one_ask_is_answered_with_its_receipts)

static void a_malformed_ask_says_where(bool pg)
{
    static const struct { const char *body, *pointer; } wrong[] = {
        {OTHER("\"operation\":\"peek\",\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"A\"}"), "/operation"},
        {OTHER("\"operation\":\"verify\",\"purpose\":{\"item\":\"A\"}"), "/claims"},
        {OTHER("\"operation\":\"verify\",\"claims\":[\"name\"],\"purpose\":{\"item\":\"A\"}"), "/claims"},
        {OTHER("\"operation\":\"query\",\"fields\":{},\"purpose\":{\"item\":\"A\"}"), "/fields"},
        {OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"}"), "/purpose"},
        {OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"},\"purpose\":{}"), "/purpose/item"},
        {OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"A\",\"why\":\"x\"}"), "/purpose/why"},
        {OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"A\"},\"deadline_ms\":5"), "/deadline_ms"},
        {OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"A\"},\"more\":1"), "/more"},
        {"{\"provider\":120000,\"register\":\"companies\",\"operation\":\"verify\",\"key\":{},\"claims\":{},\"purpose\":{\"item\":\"A\"}}", "/provider"},
        {"{}", "/key"}};
    browser nobody = {0};
    set_up_pair(pg);
    nobody.n = &a;
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        pointer_is(HTTP(call(&clerk, "POST", "/exchange/v1/ask", wrong[i].body), 400, NULL).json, wrong[i].pointer);
        th_str many = th_strf(&r.arena, "{\"asks\":[" ASK ",%s]}", wrong[i].body), path = th_strf(&r.arena, "/asks/1%s", wrong[i].pointer);
        pointer_is(HTTP(call(&clerk, "POST", "/exchange/v1/ask:batch", many.p), 400, NULL).json, path.p); /* and nothing of it is asked */
    }
    th_str *entries;
    size_t n;
    entries_of(&b, &entries, &n);
    for (size_t i = 0; i < n; i++)
        assert_false(bench_holds(entries[i], "companies-to-beijing"));
    HTTP(call(&nobody, "POST", "/exchange/v1/ask", ASK), 401, "sign-in");
    HTTP(call(&ops, "POST", "/exchange/v1/ask", ASK), 403, "role");
    tear_down_pair();
}
ON_SQLITE(a_malformed_ask_says_where)

static void of_many_asks_each_has_its_own_outcome(bool pg)
{
    set_up_pair(pg);
    reply got = HTTP(call(&clerk, "POST", "/exchange/v1/ask:batch", "{\"asks\":[]}"), 200, NULL);
    TEXT(got.body, "{\"items\":[]}");
    got = HTTP(call(&clerk, "POST", "/exchange/v1/ask:batch",
                    "{\"asks\":[" ASK ",{\"provider\":\"120000\",\"register\":\"companies\",\"operation\":\"verify\",\"key\":{\"uscc\":\"91110108551385082Q\"},\"claims\":{\"name\":\"乙\",\"capital\":100},"
                    "\"purpose\":{\"item\":\"A\"}}," OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"B\"}") ","
                    "{\"provider\":\"990000\",\"register\":\"companies\",\"operation\":\"verify\",\"key\":{\"uscc\":\"9\"},\"claims\":{\"name\":\"x\"},\"purpose\":{\"item\":\"A\"}}]}"), 200, NULL);
    const th_json *items = th_json_get(got.json, "items");
    assert_int_equal(items->count, 4);
    TEXT(th_json_get(th_json_at(items, 0), "results")->raw, "{\"name\":\"match\"}");
    TEXT(th_json_get(th_json_at(items, 1), "results")->raw, "{\"name\":\"mismatch\",\"capital\":\"match\"}");
    assert_non_null(th_json_get(th_json_at(items, 1), "receipt"));
    TEXT(th_json_str(th_json_get(th_json_at(items, 2), "problem"), "type"), "urn:tonghui:problem:grant-purpose");
    TEXT(th_json_str(th_json_get(th_json_at(items, 3), "problem"), "type"), "urn:tonghui:problem:unknown-member");
    /* One is answered in the shape of many, also when it is refused at once. */
    got = HTTP(call(&clerk, "POST", "/exchange/v1/ask:batch", "{\"asks\":[" OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"B\"}") "]}"), 200, NULL);
    TEXT(th_json_str(th_json_get(th_json_at(th_json_get(got.json, "items"), 0), "problem"), "type"), "urn:tonghui:problem:grant-purpose");
    HTTP(call(&clerk, "POST", "/exchange/v1/ask", OTHER("\"operation\":\"verify\",\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"B\"}")), 403, "grant-purpose");
    tear_down_pair();
}
ON_BOTH(of_many_asks_each_has_its_own_outcome)

/* ---- what is shown ---- */

static void the_region_is_shown_with_what_is_to_be_done(bool pg)
{
    browser w = {0};
    set_up_pair(pg);
    w.n = &a; /* nobody signed in */
    reply got = HTTP(call(&w, "GET", "/exchange/v1/region", NULL), 200, NULL);
    assert_int_equal(th_json_int(got.json, "version", 0), 1);
    assert_true(th_json_bool(got.json, "live", false));
    assert_int_equal(th_json_get(got.json, "members")->count, 3);
    assert_int_equal(th_json_get(got.json, "warnings")->count, 0);
    const th_json *keys = th_json_get(th_json_get(got.json, "governors"), "keys");
    assert_int_equal(keys->count, 3);
    assert_true(th_json_bool(th_json_at(keys, 2), "signed", false));
    static const struct { int days; const char *type, *said; } ends[] = {{29, "trust-expires", "30 days"}, {6, "trust-expires", "7 days"}, {1, "trust-expires", "1 days"}, {-1, "trust-expired", "expired"}};
    for (size_t i = 0; i < TH_COUNT(ends); i++) {
        terms t = {.version = 2 + (int64_t)i, .expires_us = BENCH_NOW_US + 40 * TH_DAY_US};
        a.b.clock.now_us = BENCH_NOW_US;
        MUST(th_exchange_trust_apply(a.ex, region_document(&r, &t, 7), &error), &error);
        a.b.clock.now_us = t.expires_us - ends[i].days * TH_DAY_US;
        got = HTTP(call(&w, "GET", "/exchange/v1/region", NULL), 200, NULL);
        const th_json *warning = th_json_at(th_json_get(got.json, "warnings"), 0);
        assert_non_null(warning);
        TEXT(th_json_str(warning, "type"), ends[i].type);
        assert_true(bench_holds(th_json_str(warning, "en"), ends[i].said) && th_json_str(warning, "zh").n > 0);
        assert_int_equal(th_json_bool(got.json, "live", false), ends[i].days > 0);
    }
    a.b.clock.now_us = BENCH_NOW_US;
    tear_down_pair();
}
ON_SQLITE(the_region_is_shown_with_what_is_to_be_done)

static void grants_are_given_and_taken_back_by_the_operator(bool pg)
{
    browser w = {0};
    set_up_pair(pg);
    w.n = &a;
    th_str grant = region_grant(&r, "g-1", 0, 1, "persons", "verify", "[\"name\"]", "[\"A\"]", "none");
    HTTP(call(&clerk, "POST", "/exchange/v1/grants", grant.p), 403, "role");
    HTTP(call(&ops, "POST", "/exchange/v1/grants", "{\"id\":\"g-1\"}"), 400, NULL);
    HTTP(call(&ops, "POST", "/exchange/v1/grants", grant.p), 201, NULL);
    reply got = HTTP(call(&w, "GET", "/exchange/v1/grants", NULL), 200, NULL);
    assert_int_equal(th_json_get(got.json, "items")->count, 1);
    got = HTTP(call(&w, "GET", "/exchange/v1/grants?provider=120000", NULL), 200, NULL);
    TEXT(th_json_str(th_json_at(th_json_get(got.json, "items"), 0), "id"), "companies-to-beijing");
    got = HTTP(call(&w, "GET", "/exchange/v1/grants?provider=990000", NULL), 200, NULL);
    assert_int_equal(th_json_get(got.json, "items")->count, 0);
    HTTP(call(&ops, "DELETE", "/exchange/v1/grants/g-1", NULL), 200, NULL);
    HTTP(call(&ops, "DELETE", "/exchange/v1/grants/g-1", NULL), 404, "no-grant");
    /* Taken back where it was given: the next ask is refused, whatever the asker still believes. */
    HTTP(call(&provider, "DELETE", "/exchange/v1/grants/companies-to-beijing", NULL), 200, NULL);
    HTTP(call(&clerk, "POST", "/exchange/v1/ask", ASK), 403, NULL);
    tear_down_pair();
}
ON_SQLITE(grants_are_given_and_taken_back_by_the_operator)

static void links_and_journal_show_what_went_over_them(bool pg)
{
    set_up_pair(pg);
    for (int i = 0; i < 3; i++)
        HTTP(call(&clerk, "POST", "/exchange/v1/ask", ASK), 200, NULL);
    HTTP(call(&clerk, "GET", "/exchange/v1/links", NULL), 403, "role");
    reply got = HTTP(call(&ops, "GET", "/exchange/v1/links", NULL), 200, NULL);
    const th_json *items = th_json_get(got.json, "items"), *link = NULL;
    for (const th_json *i = th_json_first(items); i; i = th_json_next(items, i))
        link = th_str_is(th_json_str(i, "peer"), "120000") ? i : link;
    assert_non_null(link);
    assert_true(th_json_bool(link, "up", false) && th_json_int(link, "messages", 0) >= 3 && th_json_int(link, "failures", -1) == 0);
    TEXT(th_json_str(th_json_get(link, "name"), "en"), "Tianjin");
    assert_int_equal(th_json_get(link, "head")->type, TH_JSON_OBJECT);
    HTTP(call(&clerk, "GET", "/exchange/v1/journal", NULL), 403, "role");
    got = HTTP(call(&auditor, "GET", "/exchange/v1/journal?limit=2", NULL), 200, NULL);
    TEXT(th_json_str(got.json, "log"), "110000.1");
    items = th_json_get(got.json, "items");
    assert_int_equal(items->count, 2);
    int64_t newest = th_json_int(th_json_at(items, 0), "index", -1), size = th_json_int(th_json_get(got.json, "head"), "size", 0);
    assert_int_equal(newest, size - 1);
    got = HTTP(call(&auditor, "GET", "/exchange/v1/journal?limit=200&before=2", NULL), 200, NULL);
    assert_int_equal(th_json_get(got.json, "items")->count, 2);
    assert_int_equal(th_json_int(th_json_at(th_json_get(got.json, "items"), 1), "index", -1), 0);
    assert_int_equal(th_json_get(HTTP(call(&auditor, "GET", "/exchange/v1/journal?before=0", NULL), 200, NULL).json, "items")->count, 0);
    HTTP(call(&auditor, "GET", "/exchange/v1/journal?limit=201", NULL), 400, NULL);
    HTTP(call(&auditor, "GET", "/exchange/v1/journal?before=-1", NULL), 400, NULL);
    tear_down_pair();
}
ON_BOTH(links_and_journal_show_what_went_over_them)

static void an_alarm_stands_until_somebody_says_what_was_done(bool pg)
{
    set_up_pair(pg);
    th_alarm_raise(a.ex, "clock-skew", "120000", "时钟相差过大", "The clocks differ too much", TH_STR("40 s"));
    for (int i = 0; i < 300 && !bench_count(a.b.store, "SELECT COUNT(*) FROM exchange_alarm"); i++)
        usleep(10000);
    reply got = HTTP(call(&ops, "GET", "/exchange/v1/alarms", NULL), 200, NULL);
    const th_json *alarm = th_json_at(th_json_get(got.json, "items"), 0);
    TEXT(th_json_str(alarm, "kind"), "clock-skew");
    TEXT(th_json_str(alarm, "detail"), "40 s");
    th_str path = th_strf(&r.arena, "/exchange/v1/alarms/%.*s:handle", TH_FMT(th_json_str(alarm, "id")));
    HTTP(call(&auditor, "POST", path.p, "{\"note\":\"x\"}"), 403, "role");
    HTTP(call(&ops, "POST", path.p, "{}"), 400, NULL);
    HTTP(call(&ops, "POST", path.p, "{\"note\":\"a\\u0007b\"}"), 400, NULL);
    HTTP(call(&ops, "POST", path.p, "{\"note\":\"对时\"}"), 200, NULL);
    HTTP(call(&ops, "POST", path.p, "{\"note\":\"again\"}"), 409, "alarm-handled");
    got = HTTP(call(&ops, "GET", "/exchange/v1/alarms", NULL), 200, NULL);
    alarm = th_json_at(th_json_get(got.json, "items"), 0);
    TEXT(th_json_str(alarm, "note"), "对时");
    TEXT(th_json_str(alarm, "handled_by"), "李雷");
    tear_down_pair();
}
ON_SQLITE(an_alarm_stands_until_somebody_says_what_was_done)

/* ---- lists that all members signed ---- */

static th_str list_of(const char *name, int version, const char *where, unsigned signers)
{
    th_str document, part = th_strf(&r.arena, "{\"agreement\":\"%s\",\"region\":\"%s\",\"version\":%d,\"issued\":\"2026-11-24T08:00:00Z\",\"rows\":[{\"item\":\"A\"},{\"item\":\"B\"}]}", name, where, version);
    MUST(th_agreement_propose(part, &r.arena, &document, &error), &error);
    for (size_t i = 0; i < r.n; i++)
        if (signers >> i & 1)
            MUST(th_agreement_sign(document, r.members[i].governor, &r.arena, &document, &error), &error);
    return document;
}

static void a_list_is_in_force_when_every_member_signed_it(bool pg)
{
    open_pair(pg);
    assert_null(th_exchange_agreement(a.ex, "items"));
    for (unsigned signers = 0; signers < 7; signers++) /* one missing is one too few: nobody is outvoted */
        REFUSED(th_exchange_agreement_apply(a.ex, list_of("items", 1, "jingjinji", signers), &error), &error, TH_FORBIDDEN, "agreement-unsigned");
    MUST(th_exchange_agreement_apply(a.ex, list_of("items", 2, "jingjinji", 7), &error), &error);
    th_agreement *list = th_exchange_agreement(a.ex, "items");
    assert_true(list->version == 2 && list->rows->count == 2 && strlen(list->hash) == 64);
    MUST(th_exchange_agreement_apply(a.ex, list->document, &error), &error); /* the same again is no change */
    REFUSED(th_exchange_agreement_apply(a.ex, list_of("items", 1, "jingjinji", 7), &error), &error, TH_CONFLICT, "agreement-rollback");
    REFUSED(th_exchange_agreement_apply(a.ex, list_of("items", 3, "elsewhere", 7), &error), &error, TH_INVALID, "invalid-request");
    MUST(th_exchange_agreement_apply(a.ex, list_of("ecerts", 1, "jingjinji", 7), &error), &error); /* another list has its own versions */
    /* One word changed after the signing. */
    th_str forged = th_str_keep(&r.arena, list_of("items", 3, "jingjinji", 7));
    char *at = memmem(forged.p, forged.n, "\"B\"", 3);
    assert_non_null(at);
    at[1] = 'C';
    REFUSED(th_exchange_agreement_apply(a.ex, forged, &error), &error, TH_FORBIDDEN, "agreement-unsigned");
    static const char *const wrong[] = {"", "[]", "{\"signed\":[]}", "{\"signed\":{\"agreement\":\"items\",\"version\":0,\"issued\":\"2026-11-24T08:00:00Z\",\"rows\":[]}}",
                                        "{\"signed\":{\"agreement\":\"items\",\"version\":3,\"issued\":\"yesterday\",\"rows\":[]}}", "{\"signed\":{\"agreement\":\"items\",\"version\":3,\"issued\":\"2026-11-24T08:00:00Z\"}}"};
    for (size_t i = 0; i < TH_COUNT(wrong); i++)
        assert_int_equal(th_exchange_agreement_apply(a.ex, th_str_of(wrong[i]), &error), TH_INVALID);
    /* It outlives a restart; who held it meanwhile still does. */
    node_reopen(&a);
    types_add(&a);
    th_agreement *kept = th_exchange_agreement(a.ex, "items");
    assert_true(kept && strcmp(kept->hash, list->hash) == 0);
    th_agreement_release(kept);
    /* A suspended member's signature is not waited for. */
    MUST(th_exchange_trust_apply(a.ex, region_document(&r, &(terms){.version = 2, .suspended = "[\"130000\"]"}, 7), &error), &error);
    MUST(th_exchange_agreement_apply(a.ex, list_of("items", 4, "jingjinji", 3), &error), &error);
    assert_int_equal(list->version, 2);
    th_agreement_release(list);
    th_agreement_release(NULL);
    close_pair();
}
ON_BOTH(a_list_is_in_force_when_every_member_signed_it)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(one_ask_is_answered_with_its_receipts),
        ONE(a_malformed_ask_says_where),
        BOTH(of_many_asks_each_has_its_own_outcome),
        ONE(the_region_is_shown_with_what_is_to_be_done),
        ONE(grants_are_given_and_taken_back_by_the_operator),
        BOTH(links_and_journal_show_what_went_over_them),
        ONE(an_alarm_stands_until_somebody_says_what_was_done),
        BOTH(a_list_is_in_force_when_every_member_signed_it),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
