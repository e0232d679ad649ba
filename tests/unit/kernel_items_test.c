/* items.h's promises: the region's own 208 items, and what no item may be. */
#include "region.h"

#include "cases-private.h"

static bench b;
static const th_clock_rules *rules;

static th_str region_file(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", region_dir(), name);
    return bench_read(&b, path);
}

static int set_up(void **state)
{
    (void)state;
    bench_open(&b, false);
    MUST(th_clock_rules_read(region_file("clocks.json"), &b.arena, &rules, &b.error), &b.error);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bench_close(&b);
    return 0;
}

/* ---- checking one ---- */

#define GOOD                                                                                                                       \
    "\"code\":\"X-1\",\"title\":{\"zh\":\"事项\",\"en\":\"Item\"},\"kind\":\"01\",\"basis\":[{\"zh\":\"行政许可法第十二条\",\"en\":\"Law, article 12\"}]"

static void checked(const char *more, const char *pointer, const char *code)
{
    th_error error = {0};
    th_str text = th_strf(&b.arena, "{%s}", more);
    th_status status = th_item_check(rules, bench_json(&b.arena, text), "/items/3", &error);
    if (!pointer) {
        if (status)
            fail_msg("%s: %s %s", more, error.fields[0].pointer, error.fields[0].en);
        return;
    }
    for (size_t i = 0; i < error.field_count; i++)
        if (strcmp(error.fields[i].pointer, pointer) == 0 && strcmp(error.fields[i].code, code) == 0)
            return;
    fail_msg("%s: %s %s", more, error.field_count ? error.fields[0].pointer : "no fault", error.field_count ? error.fields[0].code : "");
}

static void what_an_item_must_be(void **state)
{
    (void)state;
    checked(GOOD, NULL, NULL);
    checked("\"title\":{\"zh\":\"事项\",\"en\":\"Item\"},\"kind\":\"01\",\"basis\":[{\"zh\":\"法\",\"en\":\"law\"}]", "/items/3/code", "code");
    checked("\"code\":\"X 1\",\"title\":{\"zh\":\"a\",\"en\":\"b\"},\"kind\":\"01\",\"basis\":[{\"zh\":\"法\",\"en\":\"law\"}]", "/items/3/code", "code");
    checked("\"code\":\"X\",\"title\":{\"zh\":\"事项\"},\"kind\":\"01\",\"basis\":[{\"zh\":\"法\",\"en\":\"law\"}]", "/items/3/title", "language");
    checked("\"code\":\"X\",\"title\":{\"zh\":\"事项\",\"en\":\"Item\"},\"kind\":\"01\"", "/items/3/basis", "law");
    checked("\"code\":\"X\",\"title\":{\"zh\":\"事项\",\"en\":\"Item\"},\"kind\":\"01\",\"basis\":[]", "/items/3/basis", "law");
    checked("\"code\":\"X\",\"title\":{\"zh\":\"事项\",\"en\":\"Item\"},\"kind\":\"11\",\"basis\":[{\"zh\":\"法\",\"en\":\"law\"}]", "/items/3/kind", "kind");
    checked(GOOD ",\"statutory_days\":10,\"promised_days\":11", "/items/3/promised_days", "promised-over-statutory");
    checked(GOOD ",\"special\":[{\"reason\":\"lunch\"}]", "/items/3/special", "suspension-reason");
    checked(GOOD ",\"state\":\"maybe\"", "/items/3/state", "enum");
    checked(GOOD ",\"version\":0", "/items/3/version", "range");
    checked(GOOD ",\"valid_from\":\"2026-02-30\"", "/items/3/valid_from", "date");
    checked(GOOD ",\"valid_from\":\"2026-02-03\",\"valid_to\":\"2026-02-01\"", "/items/3/valid_to", "range");
    checked(GOOD ",\"modes\":[\"online\",\"by-pigeon\"]", "/items/3/modes", "enum");
    checked(GOOD ",\"target\":[\"8\"]", "/items/3/target", "enum");
    checked(GOOD ",\"fees\":[{\"title\":{\"zh\":\"费\",\"en\":\"fee\"},\"fen\":100}]", "/items/3/fees", "fee");
    checked(GOOD ",\"visits\":1", "/items/3/visits", "visit-reason");
    checked(GOOD ",\"visits\":1,\"visit_reason\":{\"zh\":\"须采集指纹\",\"en\":\"fingerprints\"}", NULL, NULL);
    checked(GOOD ",\"result\":{\"type\":\"paper\",\"title\":{\"zh\":\"证\",\"en\":\"c\"}}", "/items/3/result/type", "enum");
    checked(GOOD ",\"appeal\":{\"organ\":{\"zh\":\"政府\",\"en\":\"gov\"}}", "/items/3/appeal", "appeal");
}

#define M(id, rest) "{\"id\":\"" id "\",\"title\":{\"zh\":\"材料\",\"en\":\"paper\"}," rest "}"

static void materials_say_how_they_are_obtained(void **state)
{
    (void)state;
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"upload\"") "," M("b", "\"obtain\":\"register\",\"register\":\"population\",\"provider\":\"110000\"") "," M("c", "\"obtain\":\"ecert\",\"ecert\":\"x\"") "," M("d", "\"obtain\":\"promise\",\"promise\":{\"zh\":\"承诺\",\"en\":\"p\"}") "," M("e", "\"obtain\":\"defer\",\"defer_days\":5") "]", NULL, NULL);
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"somehow\"") "]", "/items/3/materials", "obtain");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"register\"") "]", "/items/3/materials", "obtain");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"ecert\"") "]", "/items/3/materials", "obtain");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"defer\"") "]", "/items/3/materials", "obtain");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"upload\"") "," M("a", "\"obtain\":\"upload\"") "]", "/items/3/materials", "duplicate-id");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"upload\",\"when\":{\"material\":\"b\"}") "," M("b", "\"obtain\":\"upload\",\"when\":{\"material\":\"a\"}") "]", "/items/3/materials", "cycle");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"upload\",\"when\":{\"material\":\"a\"}") "]", "/items/3/materials", "cycle");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"upload\",\"when\":{\"material\":\"z\"}") "]", "/items/3/materials", "unknown-material");
    checked(GOOD ",\"materials\":[" M("a", "\"obtain\":\"upload\",\"when\":{\"material\":\"b\"}") "," M("b", "\"obtain\":\"upload\"") "]", NULL, NULL);
}

/* ---- the region's own ---- */

static th_cases cases;

static th_status loaded(const th_case_file *files, size_t n)
{
    memset(&cases, 0, sizeof cases);
    memset(&b.error, 0, sizeof b.error);
    cases.rules = rules;
    cases.env = b.env;
    th_arena_open(&cases.arena, 128u << 20);
    MUST(th_calendar_read(region_file("calendar/working-days.json"), &cases.arena, &cases.calendar, &b.error), &b.error);
    return th_items_load(&cases, files, n, &b.error);
}

static void the_regions_items(void **state)
{
    static const char *const names[] = {"110000", "120000", "130000", "133100", "basic", "BJ-RESIDENCE-POINTS", "HE-TALENT-CARD", "TJ-SKILL-SUBSIDY", "XA-HOUSING-RESERVE", "LOOK-OBJECTION"};
    static const struct { const char *member; size_t items; } published[] = {{"110000", 60}, {"120000", 80}, {"130000", 58}, {"133100", 10}};
    th_case_file files[TH_COUNT(names)];
    char path[80];
    (void)state;
    for (size_t i = 0; i < TH_COUNT(names); i++) {
        snprintf(path, sizeof path, "items/%s.json", names[i]);
        files[i] = (th_case_file){th_str_of(names[i]), region_file(path)};
    }
    MUST(loaded(files, TH_COUNT(names)), &b.error);
    for (size_t k = 0; k < TH_COUNT(published); k++) {
        size_t n = 0;
        for (size_t i = 0; i < cases.item_count; i++)
            n += cases.items[i].listed && th_str_is(cases.items[i].owner, published[k].member);
        assert_int_equal(n, published[k].items);
    }
    for (size_t i = 0; i < cases.item_count; i++) {
        const th_case_item *item = &cases.items[i];
        th_item_code code;
        th_str impl = th_json_str(item->json, "impl_code"), basic = th_json_str(item->json, "basic_code");
        if (impl.n && th_item_code_check(impl, &code)) /* made up, but as they would be made */
            fail_msg("%.*s: %s", TH_FMT(item->code), th_id_fault_code(th_item_code_check(impl, NULL)));
        if (impl.n)
            assert_true(th_str_eq(code.basic, basic) && code.kind == atoi(item->kind.p));
        assert_true(th_json_get(item->json, "illustrative") != NULL);
        assert_ptr_equal(th_cases_item(&cases, item->code), item);
        assert_int_equal(strlen(item->hash), 64);
        for (size_t e = 0; e < item->evidence_count; e++)
            assert_int_equal(item->evidence[e].provider.n, 6);
    }
    const th_case_item *birth = th_cases_item(&cases, TH_STR("HE-BIRTH"));
    assert_non_null(birth);
    TEXT(birth->owner, "130000");
    TEXT(birth->office, "HE-PS");
    TEXT(birth->topic, "BIRTH");
    TEXT(birth->evidence[0].provider, "130000");
    assert_true(bench_holds(birth->json->raw, "户口登记条例第七条"));
    th_arena_close(&cases.arena);
}

static void rows_over_the_catalogue(void **state)
{
    static const char basic[] = "{\"profiles\":{\"p\":{\"form\":{\"type\":\"object\",\"properties\":{}},\"evidence\":[],\"visits\":0}},\"illustrative\":[\"form\"],"
                                "\"items\":[{\"topic\":\"T\",\"profile\":\"p\",\"sector\":\"S\",\"kind\":\"20\",\"title\":{\"zh\":\"通\",\"en\":\"t\"},\"basis\":[{\"zh\":\"法\",\"en\":\"law\"}],\"promised_days\":5}]}";
    static const char list[] = "{\"member\":\"110000\",\"illustrative\":[\"window\",\"form\"],\"defaults\":{\"version\":1,\"state\":\"published\"},\"offices\":{\"S\":{\"code\":\"BJ-S\",\"zh\":\"局\",\"en\":\"bureau\",\"uscc\":\"x\"}},"
                               "\"items\":[{\"code\":\"BJ-T\",\"topic\":\"T\"},{\"code\":\"BJ-T2\",\"topic\":\"T\",\"promised_days\":2}%s]}";
    static const struct { const char *more, *code; } wrong[] = {
        {",{\"code\":\"BJ-U\",\"topic\":\"U\"}", "topic"}, {",{\"code\":\"BJ-V\",\"topic\":\"T\",\"kind\":\"11\"}", "kind"},
        {",{\"code\":\"BJ-T\",\"topic\":\"T\"}", "duplicate-version"}, {",{\"code\":\"BJ-T\",\"topic\":\"T\",\"version\":2}", "two-versions"},
        {",{\"code\":\"BJ-V\",\"topic\":\"T\",\"promised_days\":21}", "promised-over-statutory"}, {",{\"code\":\"BJ-V\",\"topic\":\"T\",\"basis\":[]}", "law"}};
    th_case_file files[2] = {{TH_STR("basic"), th_str_of(basic)}};
    (void)state;
    files[1] = (th_case_file){TH_STR("list"), th_strf(&b.arena, list, "")};
    MUST(loaded(files, 2), &b.error);
    assert_int_equal(cases.item_count, 2);
    assert_int_equal(th_cases_item(&cases, TH_STR("BJ-T"))->limit_days, 5);
    assert_int_equal(th_cases_item(&cases, TH_STR("BJ-T2"))->limit_days, 2); /* the row wins */
    TEXT(th_json_get(th_cases_item(&cases, TH_STR("BJ-T"))->json, "illustrative")->raw, "[\"form\",\"window\"]");
    th_arena_close(&cases.arena);
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        files[1] = (th_case_file){TH_STR("list"), th_strf(&b.arena, list, wrong[i].more)};
        assert_int_equal(loaded(files, 2), TH_INVALID);
        assert_string_equal(b.error.type, "item-file");
        assert_string_equal(b.error.fields[0].code, wrong[i].code);
        th_arena_close(&cases.arena);
    }
    /* One version after the other is as it should be; the one in force is found. */
    files[1] = (th_case_file){TH_STR("list"), th_strf(&b.arena, list, ",{\"code\":\"BJ-W\",\"topic\":\"T\",\"valid_to\":\"2026-11-24\"},{\"code\":\"BJ-W\",\"topic\":\"T\",\"version\":2,\"valid_from\":\"2026-11-25\"}")};
    MUST(loaded(files, 2), &b.error);
    assert_int_equal(th_cases_item(&cases, TH_STR("BJ-W"))->version, 1);
    cases.env.ctx = &b.clock;
    b.clock.now_us += TH_DAY_US;
    assert_int_equal(th_cases_item(&cases, TH_STR("BJ-W"))->version, 2);
    assert_int_equal(th_cases_item_version(&cases, TH_STR("BJ-W"), 1)->version, 1);
    assert_null(th_cases_item_version(&cases, TH_STR("BJ-W"), 3));
    assert_null(th_cases_item(&cases, TH_STR("BJ-X")));
    th_arena_close(&cases.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_an_item_must_be), cmocka_unit_test(materials_say_how_they_are_obtained),
                                       cmocka_unit_test(the_regions_items), cmocka_unit_test(rows_over_the_catalogue)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
