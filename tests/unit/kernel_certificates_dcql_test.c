/* The promises of dcql.h: which certificates a verifier's question means. */
#include "kernel/certificates/dcql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static th_arena arena;

static int set_up(void **state)
{
    (void)state;
    th_arena_open(&arena, 64u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    th_arena_close(&arena);
    return 0;
}

static const th_json *json(const char *text)
{
    const th_json *root;
    th_str kept = th_str_keep(&arena, th_str_of(text));
    assert_int_equal(th_json_parse(kept, &arena, &root, NULL), TH_OK);
    return root;
}

static void queries_are_read_by_the_rules(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}", "{\"credentials\":[]}", "{\"credentials\":[{}]}", "{\"credentials\":[{\"id\":\"a b\",\"format\":\"dc+sd-jwt\",\"meta\":{\"vct_values\":[\"t\"]}}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"dc+sd-jwt\",\"meta\":{}}]}", "{\"credentials\":[{\"id\":\"a\",\"format\":\"dc+sd-jwt\"}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{}},{\"id\":\"a\",\"format\":\"x\",\"meta\":{}}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"claims\":[]}]}", "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"claims\":[{\"path\":[]}]}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"claims\":[{\"path\":[-1]}]}]}", "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"claims\":[{\"path\":[1.5]}]}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"claims\":[{\"path\":[\"p\"],\"values\":[]}]}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"claims\":[{\"id\":\"c\",\"path\":[\"p\"]}],\"claim_sets\":[[\"d\"]]}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"claim_sets\":[[\"d\"]]}]}", "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{},\"multiple\":1}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{}}],\"credential_sets\":[]}", "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{}}],\"credential_sets\":[{\"options\":[[\"b\"]]}]}",
        "{\"credentials\":[{\"id\":\"a\",\"format\":\"x\",\"meta\":{}}],\"credential_sets\":[{\"options\":[[]]}]}", "[]", "7",
    };
    th_dcql q;
    for (size_t i = 0; i < TH_COUNT(bad); i++) {
        th_error error = {0};
        if (th_dcql_read(json(bad[i]), &arena, &q, &error) != TH_INVALID || !error.field_count)
            fail_msg("accepted: %s", bad[i]);
    }
}

static bool fits(const char *query, const char *claims, size_t *ret_n)
{
    th_dcql q;
    const th_json **paths;
    th_error error = {0};
    assert_int_equal(th_dcql_read(json(query), &arena, &q, &error), TH_OK);
    return th_dcql_fits(&q.credentials[0], TH_STR("dc+sd-jwt"), json(claims), &arena, &paths, ret_n);
}

static void credentials_fit_by_type_path_and_value(void **state)
{
    (void)state;
    size_t n;
    static const char claims[] = "{\"vct\":\"t\",\"name\":\"张\",\"age\":30,\"adult\":true,\"a\":{\"b\":[{\"c\":1},{\"c\":2}]},\"list\":[\"x\",\"y\"]}";
#define Q(rest) "{\"credentials\":[{\"id\":\"a\",\"format\":\"dc+sd-jwt\",\"meta\":{\"vct_values\":[\"u\",\"t\"]}" rest "}]}"
    assert_true(fits(Q(""), claims, &n));
    assert_int_equal(n, 0);
    assert_true(fits(Q(",\"claims\":[{\"path\":[\"name\"]},{\"path\":[\"a\",\"b\",null,\"c\"]},{\"path\":[\"list\",1]}]"), claims, &n));
    assert_int_equal(n, 3);
    assert_false(fits(Q(",\"claims\":[{\"path\":[\"list\",2]}]"), claims, &n));
    assert_false(fits(Q(",\"claims\":[{\"path\":[\"name\",\"x\"]}]"), claims, &n));
    assert_false(fits(Q(",\"claims\":[{\"path\":[\"nobody\"]}]"), claims, &n));
    assert_true(fits(Q(",\"claims\":[{\"path\":[\"age\"],\"values\":[29,30]}]"), claims, &n));
    assert_false(fits(Q(",\"claims\":[{\"path\":[\"age\"],\"values\":[\"30\"]}]"), claims, &n));
    assert_true(fits(Q(",\"claims\":[{\"path\":[\"adult\"],\"values\":[true]}]"), claims, &n));
    assert_false(fits(Q(",\"claims\":[{\"path\":[\"adult\"],\"values\":[false]}]"), claims, &n));
    assert_true(fits(Q(",\"claims\":[{\"path\":[\"a\",\"b\",null,\"c\"],\"values\":[2]}]"), claims, &n));
    /* the first set that can be met */
    assert_true(fits(Q(",\"claims\":[{\"id\":\"x\",\"path\":[\"zip\"]},{\"id\":\"y\",\"path\":[\"name\"]},{\"id\":\"z\",\"path\":[\"age\"]}],\"claim_sets\":[[\"x\"],[\"y\",\"z\"]]"), claims, &n));
    assert_int_equal(n, 2);
    assert_false(fits(Q(",\"claims\":[{\"id\":\"x\",\"path\":[\"zip\"]}],\"claim_sets\":[[\"x\"]]"), claims, &n));
    assert_false(fits("{\"credentials\":[{\"id\":\"a\",\"format\":\"dc+sd-jwt\",\"meta\":{\"vct_values\":[\"u\"]}}]}", claims, &n));
    assert_false(fits("{\"credentials\":[{\"id\":\"a\",\"format\":\"mso_mdoc\",\"meta\":{\"doctype_value\":\"x\"}}]}", claims, &n));
    assert_false(fits(Q(",\"trusted_authorities\":[{\"type\":\"aki\",\"values\":[\"x\"]}]"), claims, &n));
}

static void sets_have_options_and_may_be_optional(void **state)
{
    (void)state;
    th_dcql q;
    bool chosen[3];
#define C(id) "{\"id\":\"" id "\",\"format\":\"dc+sd-jwt\",\"meta\":{\"vct_values\":[\"t\"]}}"
    assert_int_equal(th_dcql_read(json("{\"credentials\":[" C("a") "," C("b") "," C("c") "],\"credential_sets\":[{\"options\":[[\"a\",\"b\"],[\"c\"]]},{\"options\":[[\"b\"]],\"required\":false}]}"), &arena, &q, NULL), TH_OK);
    assert_true(th_dcql_choose(&q, (bool[]){true, true, true}, chosen));
    assert_true(chosen[0] && chosen[1] && !chosen[2]);
    assert_true(th_dcql_choose(&q, (bool[]){true, false, true}, chosen));
    assert_true(!chosen[0] && !chosen[1] && chosen[2]);
    assert_false(th_dcql_choose(&q, (bool[]){true, false, false}, chosen));
    assert_int_equal(th_dcql_read(json("{\"credentials\":[" C("a") "," C("b") "]}"), &arena, &q, NULL), TH_OK);
    assert_true(th_dcql_answered(&q, (bool[]){true, true}));
    assert_false(th_dcql_answered(&q, (bool[]){true, false}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_read_by_the_rules),
        cmocka_unit_test(credentials_fit_by_type_path_and_value),
        cmocka_unit_test(sets_have_options_and_may_be_optional),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
