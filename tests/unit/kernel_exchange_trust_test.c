/* trust.h's, grant.h's and consent.h's promises. */
#include "region.h"

static region r;
static th_arena arena;
static th_error error;

static int set_up(void **state)
{
    (void)state;
    region_open(&r, 3);
    th_arena_open(&arena, 64u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    th_arena_close(&arena);
    region_close(&r);
    return 0;
}

static th_trust *read_as(const terms *t, unsigned signers)
{
    th_trust *trust;
    memset(&error, 0, sizeof error);
    MUST(th_trust_read(region_document(&r, t, signers), &trust, &error), &error);
    return trust;
}

static void refused_as(const terms *t, unsigned signers, th_status want, const char *type)
{
    th_trust *trust;
    REFUSED(th_trust_read(region_document(&r, t, signers), &trust, &error), &error, want, type);
}

/* ---- reading ---- */

static void a_document_exists_only_when_its_own_threshold_signed_it(void **state)
{
    (void)state;
    refused_as(NULL, 0, TH_FORBIDDEN, "trust-threshold");
    refused_as(NULL, 1, TH_FORBIDDEN, "trust-threshold");
    th_trust_release(read_as(NULL, 3));
    th_trust_release(read_as(NULL, 6)); /* any two of the three */
    refused_as(&(terms){.threshold = 3}, 3, TH_FORBIDDEN, "trust-threshold");
    th_trust_release(read_as(&(terms){.threshold = 3}, 7));
    refused_as(&(terms){.governors = 2}, 5, TH_FORBIDDEN, "trust-threshold"); /* the third signature is nobody's */
}

static void one_governor_signing_twice_counts_once(void **state)
{
    th_str document = region_document(&r, NULL, 1);
    const th_json *root = bench_json(&arena, document);
    th_str signature = th_json_pointer(root, "/signatures/0")->raw, part = th_json_get(root, "signed")->raw;
    th_trust *trust;
    (void)state;
    th_str twice = th_strf(&arena, "{\"signed\":%.*s,\"signatures\":[%.*s,%.*s]}", TH_FMT(part), TH_FMT(signature), TH_FMT(signature));
    REFUSED(th_trust_read(twice, &trust, &error), &error, TH_FORBIDDEN, "trust-threshold");
}

static void what_is_in_a_document_is_found_in_it(void **state)
{
    th_trust *t = read_as(&(terms){.suspended = "[\"120000\"]"}, 7);
    (void)state;
    assert_int_equal(t->version, 1);
    assert_int_equal(t->threshold, 2);
    assert_int_equal(t->member_count, 3);
    assert_int_equal(t->governor_count, 3);
    TEXT(t->region, "jingjinji");
    const th_member *m = th_trust_member(t, TH_STR("130000"));
    TEXT(m->name_zh, "河北省");
    TEXT(m->peer, "https://peer.130000.test");
    assert_int_equal(m->key_count, 2);
    assert_false(m->suspended);
    assert_true(th_trust_member(t, TH_STR("120000"))->suspended);
    assert_ptr_equal(th_trust_member_by_pin(t, th_str_of(r.members[2].pin)), m);
    assert_null(th_trust_member(t, TH_STR("310000")));
    assert_null(th_trust_member_by_pin(t, TH_STR("sha256/AAAA")));
    assert_null(th_trust_member_by_pin(t, TH_STR("")));
    th_trust *again = th_trust_retain(t);
    th_trust_release(t);
    TEXT(again->region, "jingjinji"); /* still there for the other holder */
    th_trust_release(again);
    th_trust_release(NULL);
}

/* Put `with` for `what` in the signed part, sign as everybody, and read. */
static th_status read_changed(const char *what, const char *with)
{
    th_str part = region_signed(&r, NULL), document;
    th_trust *trust;
    const char *at = memmem(part.p, part.n, what, strlen(what));
    if (!at)
        fail_msg("the document does not hold %s", what);
    th_str changed = th_strf(&arena, "%.*s%s%.*s", (int)(at - part.p), part.p, with, (int)(part.n - strlen(what) - (size_t)(at - part.p)), at + strlen(what));
    memset(&error, 0, sizeof error);
    th_status status = th_trust_propose(changed, &arena, &document, &error);
    for (size_t i = 0; !status && i < 3; i++)
        status = th_trust_sign(document, r.members[i].governor, &arena, &document, &error);
    if (status)
        return status;
    status = th_trust_read(document, &trust, &error);
    if (!status)
        th_trust_release(trust);
    return status;
}

static void a_malformed_document_is_refused_with_the_place(void **state)
{
    static const struct { const char *what, *with, *pointer; } cases[] = {
        {"\"region\":\"jingjinji\",", "", "/signed/region"},
        {"\"version\":1", "\"version\":0", "/signed/version"},
        {"\"version\":1", "\"version\":\"1\"", "/signed/version"},
        {"\"version\":1", "\"version\":1.5", "/signed/version"},
        {"\"version\":1", "\"version\":1,\"more\":1", "/signed/more"},
        {"\"expires\":\"2027", "\"expires\":\"20x7", "/signed/expires"},
        {"\"threshold\":2", "\"threshold\":0", "/signed/governors/threshold"},
        {"\"threshold\":2", "\"threshold\":4", "/signed/governors/threshold"},
        {"\"holder\":\"110000\"", "\"holder\":7", "/signed/governors/keys/0/holder"},
        {"\"code\":\"110000\"", "\"code\":\"11000\"", "/signed/members/0/code"},
        {"\"code\":\"110000\"", "\"code\":\"11000x\"", "/signed/members/0/code"},
        {"\"code\":\"120000\"", "\"code\":\"110000\"", "/signed/members/1/code"},
        {"\"peer\":\"https://peer.110000.test\"", "\"peer\":\"http://peer.110000.test\"", "/signed/members/0/peer"},
        {"\"peer\":\"https://peer.110000.test\"", "\"peer\":\"https://peer.110000.test/\"", "/signed/members/0/peer"},
        {"\"portal\":\"https://portal.110000.test\"", "\"portal\":\"ftp://portal.110000.test\"", "/signed/members/0/portal"},
        {"\"use\":\"message\"", "\"use\":\"everything\"", "/signed/members/0/keys/0/use"},
        {"\"use\":\"message\"", "\"use\":\"\"", "/signed/members/0/keys/0/use"},
        {"\"use\":\"message\",\"not_before\":\"2", "\"use\":\"message\",\"not_before\":\"x", "/signed/members/0/keys/0/not_before"},
        {"\"tls\":[\"sha256/", "\"tls\":[\"sha512/", "/signed/members/0/tls"},
        {"\"tls\":[\"", "\"tls\":[7,\"", "/signed/members/0/tls"},
        {"\"suspended\":[]", "\"suspended\":[\"310000\"]", "/signed/suspended"},
        {"\"suspended\":[]", "\"suspended\":[130000]", "/signed/suspended"},
        {"\"suspended\":[]", "\"suspended\":{}", "/signed/suspended"},
        {"\"zh\":\"北京市\"", "\"zh\":\"\"", "/signed/members/0/name/zh"},
        {"\"zh\":\"北京市\"", "\"zh\":\"北\u202e京\"", "/signed/members/0/name/zh"},
        {"\"suite\":\"sm2-sm3\"", "\"suite\":\"rsa\"", "/signed/governors/keys/0/suite"},
        {"\"members\":[", "\"members\":[5,", "/signed/members/0/code"},
    };
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_status status = read_changed(cases[i].what, cases[i].with);
        if (status != TH_INVALID || strcmp(error.fields[0].pointer, cases[i].pointer) != 0)
            fail_msg("%s: %s at %s (%s)", cases[i].with, th_status_name(status), error.field_count ? error.fields[0].pointer : "nowhere", error.en);
    }
    assert_int_equal(read_changed("\"use\":\"message\"", "\"use\":\"message|certificate\""), TH_OK); /* several uses of one key */
}

static void a_key_cannot_pass_under_anothers_name(void **state)
{
    char kid[TH_KID_TEXT], other[TH_KID_TEXT], what[60], with[60];
    (void)state;
    th_kid_of(r.members[0].message, kid);
    th_kid_of(r.members[1].message, other);
    snprintf(what, sizeof what, "\"kid\":\"%s\"", kid);
    snprintf(with, sizeof with, "\"kid\":\"%s\"", other);
    assert_int_equal(read_changed(what, with), TH_INVALID);
    assert_string_equal(error.fields[0].code, "kid");
    th_kid_of(r.members[0].governor, kid);
    th_kid_of(r.members[1].governor, other);
    /* The same governor listed twice would make one person two. */
    th_str part = region_signed(&r, NULL);
    const th_json *root = bench_json(&arena, part);
    th_str first = th_json_pointer(root, "/governors/keys/0")->raw, second = th_json_pointer(root, "/governors/keys/1")->raw;
    char *a = th_new_copy(second), *b = th_new_copy(first);
    assert_int_equal(read_changed(a, b), TH_INVALID);
    assert_string_equal(error.fields[0].code, "duplicate");
    th_free(a);
    th_free(b);
}

static void what_is_no_document_is_refused(void **state)
{
    static const char *const texts[] = {"", "{", "[]", "{}", "{\"signed\":{}}", "{\"signed\":[],\"signatures\":[]}", "{\"signed\":{},\"signatures\":{}}", "null", "{\"signed\":1,\"signatures\":[]}"};
    th_trust *trust;
    (void)state;
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        assert_int_equal(th_trust_read(th_str_of(texts[i]), &trust, NULL), TH_INVALID);
    char *huge = th_new((4 << 20) + 1);
    memset(huge, ' ', (4 << 20) + 1);
    REFUSED(th_trust_read((th_str){huge, (4 << 20) + 1}, &trust, &error), &error, TH_TOO_LARGE, "trust-too-large");
    th_free(huge);
}

static void any_changed_byte_of_the_signed_part_undoes_the_signatures(void **state)
{
    th_str document = region_document(&r, NULL, 7);
    th_trust *trust;
    const char *at = memmem(document.p, document.n, "Beijing-Tianjin", 15);
    (void)state;
    ((char *)(uintptr_t)at)[0] = 'b';
    REFUSED(th_trust_read(document, &trust, &error), &error, TH_FORBIDDEN, "trust-threshold");
    /* Other spelling of the same value is the same document: signatures are over the canonical bytes. */
    ((char *)(uintptr_t)at)[0] = 'B';
    th_str spaced = th_strf(&arena, " {\"signatures\" : %.*s ,\n \"signed\": %.*s}", TH_FMT(th_json_get(bench_json(&arena, document), "signatures")->raw),
                            TH_FMT(th_json_get(bench_json(&arena, document), "signed")->raw));
    MUST(th_trust_read(spaced, &trust, &error), &error);
    th_trust_release(trust);
}

/* ---- succession ---- */

static void a_successor_is_version_n_plus_1_signed_by_both_thresholds(void **state)
{
    th_trust *one = read_as(NULL, 7);
    static const struct { terms t; unsigned signers; th_status want; const char *type; } cases[] = {
        {{.version = 2}, 3, TH_OK, ""},
        {{.version = 1}, 7, TH_CONFLICT, "trust-rollback"},
        {{.version = 3}, 7, TH_CONFLICT, "trust-gap"},
        {{.version = 2, .region = "changsanjiao"}, 7, TH_CONFLICT, "trust-other-region"},
        {{.version = 2, .expires_us = BENCH_NOW_US}, 7, TH_INVALID, "trust-expired"},
        {{.version = 2, .governors = 1, .first_governor = 2, .threshold = 1}, 4, TH_FORBIDDEN, "trust-threshold"}, /* new governors alone */
        {{.version = 2, .governors = 1, .first_governor = 2, .threshold = 1}, 7, TH_OK, ""},
    };
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_trust *next = read_as(&cases[i].t, cases[i].signers);
        memset(&error, 0, sizeof error);
        bench_refused(th_trust_succeeds(one, next, BENCH_NOW_US, &error), &error, cases[i].want, cases[i].type, __FILE__, (int)i);
        th_trust_release(next);
    }
    /* Removed governors count no more. */
    th_trust *two = read_as(&(terms){.version = 2, .governors = 1, .first_governor = 2, .threshold = 1}, 7);
    th_trust *three = read_as(&(terms){.version = 3, .governors = 2, .threshold = 2}, 3);
    REFUSED(th_trust_succeeds(two, three, BENCH_NOW_US, &error), &error, TH_FORBIDDEN, "trust-threshold");
    th_trust_release(three);
    three = read_as(&(terms){.version = 3, .governors = 2, .threshold = 2}, 7);
    MUST(th_trust_succeeds(two, three, BENCH_NOW_US, &error), &error);
    th_trust_release(three);
    th_trust_release(two);
    th_trust_release(one);
}

static void exchange_lives_between_issue_and_expiry(void **state)
{
    th_trust *t = read_as(&(terms){.issued_us = BENCH_NOW_US, .expires_us = BENCH_NOW_US + TH_DAY_US}, 7);
    (void)state;
    MUST(th_trust_live(t, BENCH_NOW_US, &error), &error);
    MUST(th_trust_live(t, BENCH_NOW_US - 4 * TH_MINUTE_US, &error), &error); /* clocks differ a little */
    REFUSED(th_trust_live(t, BENCH_NOW_US - 6 * TH_MINUTE_US, &error), &error, TH_UNAVAILABLE, "trust-not-yet");
    MUST(th_trust_live(t, BENCH_NOW_US + TH_DAY_US - 1, &error), &error);
    REFUSED(th_trust_live(t, BENCH_NOW_US + TH_DAY_US, &error), &error, TH_UNAVAILABLE, "trust-expired");
    assert_true(bench_holds(th_str_of(error.zh), "2026-11-25T16:00:00+08:00"));
    th_trust_release(t);
}

static void a_key_is_found_only_for_its_member_use_and_time(void **state)
{
    th_trust *t = read_as(&(terms){.suspended = "[\"130000\"]", .key_until_us = BENCH_NOW_US + TH_DAY_US}, 7);
    char message[TH_KID_TEXT], journal[TH_KID_TEXT], hebei[TH_KID_TEXT], hebei_journal[TH_KID_TEXT];
    const th_member_key *key;
    (void)state;
    th_kid_of(r.members[0].message, message);
    th_kid_of(r.members[0].journal, journal);
    th_kid_of(r.members[2].message, hebei);
    th_kid_of(r.members[2].journal, hebei_journal);
    const struct { const char *code, *kid; th_key_use use; int64_t at; th_status want; const char *type; } cases[] = {
        {"110000", message, TH_USE_MESSAGE, BENCH_NOW_US, TH_OK, ""},
        {"110000", journal, TH_USE_JOURNAL, BENCH_NOW_US, TH_OK, ""},
        {"110000", journal, TH_USE_MESSAGE, BENCH_NOW_US, TH_FORBIDDEN, "key-use"},
        {"110000", message, TH_USE_CERTIFICATE, BENCH_NOW_US, TH_FORBIDDEN, "key-use"},
        {"120000", message, TH_USE_MESSAGE, BENCH_NOW_US, TH_FORBIDDEN, "unknown-key"},
        {"310000", message, TH_USE_MESSAGE, BENCH_NOW_US, TH_FORBIDDEN, "unknown-member"},
        {"110000", message, TH_USE_MESSAGE, BENCH_NOW_US + TH_DAY_US, TH_OK, ""},
        {"110000", message, TH_USE_MESSAGE, BENCH_NOW_US + TH_DAY_US + 1, TH_FORBIDDEN, "expired-key"},
        {"110000", message, TH_USE_MESSAGE, BENCH_NOW_US - 2 * TH_DAY_US, TH_FORBIDDEN, "early-key"},
        {"130000", hebei, TH_USE_MESSAGE, BENCH_NOW_US, TH_FORBIDDEN, "suspended-member"},
        {"130000", hebei_journal, TH_USE_JOURNAL, BENCH_NOW_US, TH_OK, ""}, /* what it signed before stays provable */
    };
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        memset(&error, 0, sizeof error);
        bench_refused(th_trust_key(t, th_str_of(cases[i].code), th_str_of(cases[i].kid), cases[i].use, cases[i].at, &key, &error), &error, cases[i].want, cases[i].type,
                      __FILE__, (int)i);
    }
    th_trust_release(t);
}

static void signing_replaces_ones_own_signature_and_proposing_checks_the_text(void **state)
{
    th_str once = region_document(&r, NULL, 1), twice;
    (void)state;
    MUST(th_trust_sign(once, r.members[0].governor, &arena, &twice, &error), &error);
    assert_int_equal(th_json_get(bench_json(&arena, twice), "signatures")->count, 1);
    assert_int_equal(th_trust_propose(TH_STR("{"), &arena, &twice, NULL), TH_INVALID);
    assert_int_equal(th_trust_sign(TH_STR("{}"), r.members[0].governor, &arena, &twice, NULL), TH_INVALID);
    assert_int_equal(th_trust_sign(TH_STR("["), r.members[0].governor, &arena, &twice, NULL), TH_INVALID);
}

static void differences_are_told_by_member_and_key(void **state)
{
    th_trust *one = read_as(&(terms){.members = 2, .governors = 2}, 3), *two = read_as(&(terms){.version = 2, .threshold = 3, .suspended = "[\"120000\"]", .key_until_us = BENCH_NOW_US}, 7);
    th_str json;
    (void)state;
    MUST(th_trust_diff(one, two, &arena, &json), &error);
    const th_json *list = bench_json(&arena, json);
    static const char *const wanted[] = {"/version", "/suspended", "/governors/threshold", "/members/130000"};
    for (size_t i = 0; i < TH_COUNT(wanted); i++) {
        bool found = false;
        for (const th_json *d = th_json_first(list); d; d = th_json_next(list, d))
            found = found || th_str_is(th_json_str(d, "path"), wanted[i]);
        if (!found)
            fail_msg("%s is not told in %.*s", wanted[i], TH_FMT(json));
    }
    assert_true(bench_holds(json, "/members/110000/keys/")); /* its keys now end earlier */
    assert_true(bench_holds(json, "added"));
    assert_true(bench_holds(json, "key changed"));
    MUST(th_trust_diff(two, one, &arena, &json), &error);
    assert_true(bench_holds(json, "removed"));
    MUST(th_trust_diff(one, one, &arena, &json), &error);
    TEXT(json, "[]");
    th_trust_release(one);
    th_trust_release(two);
}

/* ---- grants ---- */

static th_grant grant_of(const char *json)
{
    th_grant grant;
    memset(&error, 0, sizeof error);
    MUST(th_grant_read(bench_json(&arena, th_str_of(json)), &arena, &grant, &error), &error);
    return grant;
}

#define GRANT                                                                                                                              \
    "{\"id\":\"g1\",\"provider\":\"110000\",\"register\":\"degrees\",\"operation\":\"verify\",\"fields\":[\"name\",\"level\"],"           \
    "\"consumer\":{\"member\":\"130000\",\"office\":\"HE-HR\"},\"purposes\":[\"HE-TALENT\"],\"basis\":{\"zh\":\"协议第三条\",\"en\":\"agreement\"}," \
    "\"consent\":\"citizen\",\"rate\":60,\"not_before\":\"2026-11-01T00:00:00Z\",\"not_after\":\"2026-12-01T00:00:00Z\"}"

static void every_part_of_a_grant_is_checked(void **state)
{
    th_grant g = grant_of(GRANT);
    static const th_str covered[] = {{"name", 4}, {"level", 5}}, wider[] = {{"name", 4}, {"school", 6}};
    const th_wanted good = {.consumer_member = TH_STR("130000"), .consumer_office = TH_STR("HE-HR"), .reg = TH_STR("degrees"), .item = TH_STR("HE-TALENT"),
                            .operation = TH_VERIFY, .fields = covered, .field_count = 2, .has_consent = true};
    (void)state;
    MUST(th_grant_check(&g, &good, BENCH_NOW_US, &error), &error);
    th_wanted w;
#define BUT(change, type)                                                                                                                  \
    w = good;                                                                                                                              \
    change;                                                                                                                                \
    REFUSED(th_grant_check(&g, &w, BENCH_NOW_US, &error), &error, TH_FORBIDDEN, type)
    BUT(w.consumer_member = TH_STR("120000"), "grant-consumer");
    BUT(w.consumer_office = TH_STR("HE-TAX"), "grant-consumer");
    BUT(w.consumer_office = ((th_str){NULL, 0}), "grant-consumer");
    BUT(w.reg = TH_STR("population"), "grant-register");
    BUT(w.operation = TH_QUERY, "grant-operation");
    BUT(w.fields = wider, "grant-field");
    assert_true(bench_holds(th_str_of(error.en), "school")); /* names it */
    BUT(w.item = TH_STR("OTHER"), "grant-purpose");
    BUT(w.has_consent = false, "consent-required");
#undef BUT
    REFUSED(th_grant_check(&g, &good, th_date_us(2026, 12, 1) + 1, &error), &error, TH_FORBIDDEN, "grant-expired");
    REFUSED(th_grant_check(&g, &good, th_date_us(2026, 11, 1) - 1, &error), &error, TH_FORBIDDEN, "grant-not-yet");
    MUST(th_grant_check(&g, &good, th_date_us(2026, 12, 1), &error), &error);
}

static void a_malformed_grant_is_refused_with_the_place(void **state)
{
    static const struct { const char *what, *with, *pointer; } cases[] = {
        {"\"id\":\"g1\"", "\"id\":\"\"", "/id"}, {"\"id\":\"g1\",", "", "/id"}, {"\"operation\":\"verify\"", "\"operation\":\"delete\"", "/operation"},
        {"\"fields\":[\"name\",\"level\"]", "\"fields\":\"name\"", "/fields"}, {"\"fields\":[\"name\"", "\"fields\":[7", "/fields/0"}, {"\"fields\":[\"name\"", "\"fields\":[\"\"", "/fields/0"},
        {"\"member\":\"130000\"", "\"member\":\"1300000\"", "/consumer/member"}, {"\"office\":\"HE-HR\"", "\"office\":5", "/consumer/office"},
        {"\"consumer\":{\"member\":\"130000\",\"office\":\"HE-HR\"}", "\"consumer\":\"130000\"", "/consumer"}, {"\"purposes\":[\"HE-TALENT\"]", "\"purposes\":{}", "/purposes"},
        {"\"consent\":\"citizen\"", "\"consent\":\"maybe\"", "/consent"}, {"\"rate\":60", "\"rate\":-1", "/rate"}, {"\"rate\":60", "\"rate\":\"60\"", "/rate"},
        {"\"not_before\":\"2026-11-01T00:00:00Z\"", "\"not_before\":\"yesterday\"", "/not_before"}, {"\"not_after\":\"2026-12-01", "\"not_after\":\"2026-10-01", "/not_after"},
        {"\"zh\":\"协议第三条\"", "\"zh\":\"\"", "/basis/zh"}, {"\"rate\":60", "\"rate\":60,\"extra\":1", "/extra"}};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        const char *at = strstr(GRANT, cases[i].what);
        assert_non_null(at);
        th_grant grant;
        th_str text = th_strf(&arena, "%.*s%s%s", (int)(at - GRANT), GRANT, cases[i].with, at + strlen(cases[i].what));
        memset(&error, 0, sizeof error);
        th_status status = th_grant_read(bench_json(&arena, text), &arena, &grant, &error);
        if (status != TH_INVALID || strcmp(error.fields[0].pointer, cases[i].pointer) != 0)
            fail_msg("%s: %s at %s", cases[i].with, th_status_name(status), error.field_count ? error.fields[0].pointer : "nowhere");
    }
    th_grant grant;
    assert_int_equal(th_grant_read(bench_json(&arena, TH_STR("[]")), &arena, &grant, NULL), TH_INVALID);
    assert_int_equal(th_grant_read(NULL, &arena, &grant, NULL), TH_INVALID);
}

static void the_fitting_grant_is_chosen_or_the_nearest_refusal_told(void **state)
{
    static const th_str name[] = {{"name", 4}}, number[] = {{"id_number", 9}};
    th_str jsons[] = {region_grant(&r, "other", 0, 1, "degrees", "verify", "[\"name\"]", "[\"*\"]", "none"),
                      region_grant(&r, "narrow", 0, 2, "degrees", "verify", "[\"name\"]", "[\"A\"]", "none"),
                      region_grant(&r, "wide", 0, 2, "degrees", "verify", "[\"name\",\"level\"]", "[\"*\"]", "citizen")};
    th_grants *grants;
    const th_grant *chosen;
    (void)state;
    MUST(th_grants_make(jsons, 3, &grants, &error), &error);
    assert_int_equal(th_grants_count(grants), 3);
    TEXT(th_grants_at(grants, 0)->id, "other");
    assert_null(th_grants_at(grants, 3));
    assert_ptr_equal(th_grants_find(grants, TH_STR("wide")), th_grants_at(grants, 2));
    assert_null(th_grants_find(grants, TH_STR("none")));
    th_wanted w = {.consumer_member = TH_STR("130000"), .reg = TH_STR("degrees"), .item = TH_STR("A"), .operation = TH_VERIFY, .fields = name, .field_count = 1};
    MUST(th_grants_choose(grants, &w, BENCH_NOW_US, &chosen, &error), &error);
    TEXT(chosen->id, "narrow");
    w.item = TH_STR("B");
    REFUSED(th_grants_choose(grants, &w, BENCH_NOW_US, &chosen, &error), &error, TH_FORBIDDEN, "consent-required");
    w.has_consent = true;
    MUST(th_grants_choose(grants, &w, BENCH_NOW_US, &chosen, &error), &error);
    TEXT(chosen->id, "wide");
    w.fields = number;
    REFUSED(th_grants_choose(grants, &w, BENCH_NOW_US, &chosen, &error), &error, TH_FORBIDDEN, "grant-field");
    w.reg = TH_STR("population");
    REFUSED(th_grants_choose(grants, &w, BENCH_NOW_US, &chosen, &error), &error, TH_FORBIDDEN, "no-grant");
    th_grants *held = th_grants_retain(grants);
    th_grants_release(grants);
    assert_int_equal(th_grants_count(held), 3);
    th_grants_release(held);
    th_grants_release(NULL);
    jsons[2] = jsons[1];
    REFUSED(th_grants_make(jsons, 3, &grants, &error), &error, TH_CONFLICT, "grant-duplicate");
    jsons[2] = TH_STR("{");
    assert_int_equal(th_grants_make(jsons, 3, &grants, NULL), TH_INVALID);
    assert_int_equal(th_grants_make(NULL, 20001, &grants, NULL), TH_TOO_LARGE);
}

static void a_publication_is_believed_only_under_its_providers_key(void **state)
{
    th_trust *trust = region_trust(&r);
    th_str json = region_grant(&r, "g", 0, 2, "degrees", "verify", "[\"name\"]", "[\"*\"]", "none"), document;
    th_grants *grants, *read;
    (void)state;
    MUST(th_grants_make(&json, 1, &grants, &error), &error);
    MUST(th_grants_publish(grants, TH_STR("110000"), r.members[0].message, BENCH_NOW_US, &arena, &document), &error);
    MUST(th_grants_read(document, trust, TH_STR("110000"), BENCH_NOW_US, &read, &error), &error);
    assert_int_equal(th_grants_count(read), 1);
    assert_true(th_str_eq(th_grants_at(read, 0)->json, th_grants_at(grants, 0)->json));
    th_grants_release(read);
    REFUSED(th_grants_read(document, trust, TH_STR("120000"), BENCH_NOW_US, &read, &error), &error, TH_INVALID, "grants-malformed");
    MUST(th_grants_publish(grants, TH_STR("110000"), r.members[1].message, BENCH_NOW_US, &arena, &document), &error);
    REFUSED(th_grants_read(document, trust, TH_STR("110000"), BENCH_NOW_US, &read, &error), &error, TH_FORBIDDEN, "unknown-key");
    MUST(th_grants_publish(grants, TH_STR("110000"), r.members[0].journal, BENCH_NOW_US, &arena, &document), &error);
    REFUSED(th_grants_read(document, trust, TH_STR("110000"), BENCH_NOW_US, &read, &error), &error, TH_FORBIDDEN, "key-use");
    MUST(th_grants_publish(grants, TH_STR("110000"), r.members[0].message, BENCH_NOW_US, &arena, &document), &error);
    ((char *)memmem(document.p, document.n, "\"name\"", 6))[1] = 'N';
    REFUSED(th_grants_read(document, trust, TH_STR("110000"), BENCH_NOW_US, &read, &error), &error, TH_FORBIDDEN, "grants-signature");
    assert_int_equal(th_grants_read(TH_STR("{}"), trust, TH_STR("110000"), BENCH_NOW_US, &read, NULL), TH_INVALID);
    assert_int_equal(th_grants_read(TH_STR("nonsense"), trust, TH_STR("110000"), BENCH_NOW_US, &read, NULL), TH_INVALID);
    th_grants_release(grants);
    th_trust_release(trust);
}

/* ---- consents ---- */

static const th_str consent_fields[] = {{"name", 4}, {"level", 5}};
static const char person[] = "110101199003070011";

static th_consent consent_usual(void)
{
    return (th_consent){.home = TH_STR("120000"), .provider = TH_STR("110000"), .reg = TH_STR("degrees"), .fields = consent_fields, .field_count = 2, .item = TH_STR("A"),
                        .case_id = TH_STR("019ab2c3-0000-7000-8000-000000000000"), .lang = TH_STR("zh"), .issued_us = BENCH_NOW_US, .expires_us = BENCH_NOW_US + 30 * TH_DAY_US};
}

static void a_consent_speaks_of_one_person_provider_register_and_case(void **state)
{
    bench_clock clock = {0};
    th_env env = bench_env(&clock);
    th_trust *trust = region_trust(&r);
    th_consent made = consent_usual(), c;
    th_str token;
    static const th_str school[] = {{"school", 6}};
    (void)state;
    MUST(th_consent_make(&made, th_str_of(person), r.members[1].message, &env, &arena, &token, &error), &error);
    assert_false(bench_holds(token, person)); /* who steals a token learns no number */
    MUST(th_consent_read(token, trust, &arena, &c, &error), &error);
    assert_string_equal(c.id, made.id);
    TEXT(c.home, "120000");
    assert_int_equal(c.field_count, 2);
#define CHECK(consumer, provider, reg, fields, n, item, case_id, id, at)                                                                    \
    th_consent_check(&c, TH_STR(consumer), TH_STR(provider), TH_STR(reg), fields, n, TH_STR(item), TH_STR(case_id), th_str_of(id), at, &error)
#define CASE "019ab2c3-0000-7000-8000-000000000000"
    MUST(CHECK("120000", "110000", "degrees", consent_fields, 2, "A", CASE, person, BENCH_NOW_US), &error);
    REFUSED(CHECK("130000", "110000", "degrees", consent_fields, 2, "A", CASE, person, BENCH_NOW_US), &error, TH_FORBIDDEN, "consent-home");
    REFUSED(CHECK("120000", "130000", "degrees", consent_fields, 2, "A", CASE, person, BENCH_NOW_US), &error, TH_FORBIDDEN, "consent-provider");
    REFUSED(CHECK("120000", "110000", "population", consent_fields, 2, "A", CASE, person, BENCH_NOW_US), &error, TH_FORBIDDEN, "consent-register");
    REFUSED(CHECK("120000", "110000", "degrees", school, 1, "A", CASE, person, BENCH_NOW_US), &error, TH_FORBIDDEN, "consent-field");
    REFUSED(CHECK("120000", "110000", "degrees", consent_fields, 2, "B", CASE, person, BENCH_NOW_US), &error, TH_FORBIDDEN, "consent-purpose");
    REFUSED(CHECK("120000", "110000", "degrees", consent_fields, 2, "A", "another", person, BENCH_NOW_US), &error, TH_FORBIDDEN, "consent-purpose");
    REFUSED(CHECK("120000", "110000", "degrees", consent_fields, 2, "A", CASE, "110101199003070012", BENCH_NOW_US), &error, TH_FORBIDDEN, "consent-person");
    REFUSED(CHECK("120000", "110000", "degrees", consent_fields, 2, "A", CASE, person, BENCH_NOW_US + 31 * TH_DAY_US), &error, TH_FORBIDDEN, "consent-expired");
    REFUSED(CHECK("120000", "110000", "degrees", consent_fields, 2, "A", CASE, person, BENCH_NOW_US - 6 * TH_MINUTE_US), &error, TH_FORBIDDEN, "consent-expired");
    th_trust_release(trust);
}

static void a_consent_token_is_its_homes_signature_or_nothing(void **state)
{
    bench_clock clock = {0};
    th_env env = bench_env(&clock);
    th_trust *trust = region_trust(&r);
    th_consent made = consent_usual(), c;
    th_str token, part;
    (void)state;
    MUST(th_consent_make(&made, th_str_of(person), r.members[1].message, &env, &arena, &token, &error), &error);
    /* Every letter of the signature and the body counts. */
    for (size_t i = 0; i < token.n; i += 7) {
        char *changed = th_new_copy(token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (th_consent_read(th_str_of(changed), trust, &arena, &c, NULL) == TH_OK)
            fail_msg("letter %zu may be changed", i);
        th_free(changed);
    }
    static const char *const bad[] = {"", ".", "a", "a.b.c", "e30.e30", "!!.!!"};
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        REFUSED(th_consent_read(th_str_of(bad[i]), trust, &arena, &c, &error), &error, TH_INVALID, "consent-malformed");
    made = consent_usual();
    MUST(th_consent_make(&made, th_str_of(person), r.members[0].message, &env, &arena, &token, &error), &error); /* not the home's key */
    REFUSED(th_consent_read(token, trust, &arena, &c, &error), &error, TH_FORBIDDEN, "unknown-key");
    made = consent_usual();
    made.expires_us = made.issued_us + (TH_CONSENT_DAYS_MAX + 1) * TH_DAY_US;
    REFUSED(th_consent_make(&made, th_str_of(person), r.members[1].message, &env, &arena, &token, &error), &error, TH_INVALID, "consent-expires");
    made.expires_us = made.issued_us;
    REFUSED(th_consent_make(&made, th_str_of(person), r.members[1].message, &env, &arena, &token, &error), &error, TH_INVALID, "consent-expires");
    /* Two tokens of one person share nothing to link them by. */
    th_consent one = consent_usual(), two = consent_usual();
    MUST(th_consent_make(&one, th_str_of(person), r.members[1].message, &env, &arena, &token, &error), &error);
    MUST(th_consent_make(&two, th_str_of(person), r.members[1].message, &env, &arena, &part, &error), &error);
    assert_false(th_str_eq(one.hash, two.hash));
    assert_string_not_equal(one.id, two.id);
    th_trust_release(trust);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_document_exists_only_when_its_own_threshold_signed_it),
        T(one_governor_signing_twice_counts_once),
        T(what_is_in_a_document_is_found_in_it),
        T(a_malformed_document_is_refused_with_the_place),
        T(a_key_cannot_pass_under_anothers_name),
        T(what_is_no_document_is_refused),
        T(any_changed_byte_of_the_signed_part_undoes_the_signatures),
        T(a_successor_is_version_n_plus_1_signed_by_both_thresholds),
        T(exchange_lives_between_issue_and_expiry),
        T(a_key_is_found_only_for_its_member_use_and_time),
        T(signing_replaces_ones_own_signature_and_proposing_checks_the_text),
        T(differences_are_told_by_member_and_key),
        T(every_part_of_a_grant_is_checked),
        T(a_malformed_grant_is_refused_with_the_place),
        T(the_fitting_grant_is_chosen_or_the_nearest_refusal_told),
        T(a_publication_is_believed_only_under_its_providers_key),
        T(a_consent_speaks_of_one_person_provider_register_and_case),
        T(a_consent_token_is_its_homes_signature_or_nothing),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
