/* json.h's promises, with jansson as the oracle of what is JSON. */
#include "platform/base/json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

static const th_json *parsed(const char *text)
{
    const th_json *root = NULL;
    th_error error = {0};
    if (th_json_parse(th_str_of(text), &arena, &root, &error))
        print_message("%s: %s\n", text, error.en);
    assert_non_null(root);
    return root;
}

static void accepts_and_refuses_what_jansson_does(void **state)
{
    static const char *const texts[] = {
        "{}", "[]", "[1,2]", "{\"a\":1}", "[-0]", "[0]", "[01]", "[1.]", "[.5]", "[1e5]", "[1E+5]", "[1e]", "[-]", "[+1]", "[1,]",
        "[,1]", "{\"a\":1,}", "{,}", "{\"a\"}", "{\"a\":}", "{a:1}", "['a']", "[\"a\"", "[\"\\u00e9\"]", "[\"\\ud83d\\ude00\"]",
        "[\"\\ud83d\"]", "[\"\\ude00\"]", "[\"\\ud83d\\u0041\"]", "[\"\\x\"]", "[\"\\u12\"]", "[\"\t\"]", "[\"\\t\"]", "[true]",
        "[True]", "[nul]", "[null]", "[] []", " [] ", "\xEF\xBB\xBF[]", "[\"\xC3\xA9\"]", "[\"\xC3\"]", "[\"\xC0\x80\"]",
        "[\"\xED\xA0\x80\"]", "[\"\xF4\x90\x80\x80\"]", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "[[[[]]]]", "[1 2]",
        "{\"a\":1 \"b\":2}", "[\"\x7f\"]", "[1e400]", "\"x\"", "1", "true", "[\"\\/\"]", "{\"\":0}", "[1]x", "[\"abc\"\"d\"]",
        "{\"a\":{\"b\":[1,{\"c\":null}]}}", "[1.0E-2,3]", "", " ", "[\"中文\"]", "{\"名\":\"值\"}"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(texts); i++) {
        const th_json *root;
        json_error_t why;
        json_t *theirs = json_loads(texts[i], JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
        th_status ours = th_json_parse(th_str_of(texts[i]), &arena, &root, NULL);
        /* jansson reads numbers into doubles and refuses what overflows them; the text is JSON all the same. */
        bool overflow = strcmp(texts[i], "[1e400]") == 0;
        if ((theirs != NULL || overflow) != (ours == TH_OK))
            fail_msg("%s: jansson %s, ours %d", texts[i], theirs ? "accepts" : "refuses", ours);
        json_decref(theirs);
    }
}

static void walks_members_in_order(void **state)
{
    (void)state;
    const th_json *root = parsed("{\"a\":[1,{\"x\":2},3],\"b\":\"t\\n\\u4e2d\",\"c\":{\"d~/\":true}}");
    assert_int_equal(root->count, 3);
    const th_json *a = th_json_get(root, "a");
    assert_int_equal(a->count, 3);
    int64_t n;
    assert_true(th_json_is_int(th_json_at(a, 2), &n));
    assert_int_equal(n, 3);
    assert_null(th_json_at(a, 3));
    assert_string_equal(th_json_str(root, "b").p, "t\n中");
    assert_int_equal(th_json_pointer(root, "/c/d~0~1")->type, TH_JSON_TRUE);
    assert_int_equal(th_json_pointer(root, "/a/1/x")->type, TH_JSON_NUMBER);
    assert_null(th_json_pointer(root, "/a/9"));
    assert_null(th_json_pointer(root, "a"));
    assert_true(th_str_is(th_json_get(root, "c")->raw, "{\"d~/\":true}"));
}

static void refuses_depth_and_duplicates_in_large_objects(void **state)
{
    (void)state;
    const th_json *root;
    char deep[2 * 10000 + 1];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    deep[20000] = 0;
    assert_int_equal(th_json_parse(th_str_of(deep), &arena, &root, NULL), TH_INVALID);
    th_buf buf;
    th_buf_open(&buf, &arena, 1 << 20);
    th_buf_char(&buf, '{');
    for (int i = 0; i < 5000; i++)
        th_buff(&buf, "%s\"k%d\":%d", i ? "," : "", i, i);
    size_t good = buf.n;
    th_buf_char(&buf, '}');
    assert_int_equal(th_json_parse(th_buf_view(&buf), &arena, &root, NULL), TH_OK);
    assert_int_equal(th_json_int(root, "k4999", -1), 4999);
    buf.n = good;
    th_buf_text(&buf, ",\"k17\":0}");
    assert_int_equal(th_json_parse(th_buf_view(&buf), &arena, &root, NULL), TH_INVALID);
}

static void canonical_form_is_rfc8785(void **state)
{
    static const struct { const char *in, *out; } cases[] = {
        /* RFC 8785 §3.2.2 and §3.2.3 */
        {"{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],\"string\":"
         "\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}",
         "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":"
         "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
        {"{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
         "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
         "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":"
         "\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}"},
        {"[-0, 1e21, 1e20, 123456789012345680000, 1e-7, 0.000001, 9007199254740993, 5e-324, 1.7976931348623157e308, 295147905179352830000]",
         "[0,1e+21,100000000000000000000,123456789012345680000,1e-7,0.000001,9007199254740992,5e-324,1.7976931348623157e+308,"
         "295147905179352830000]"},
    };
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_buf buf;
        th_buf_open(&buf, &arena, 1 << 16);
        assert_int_equal(th_json_canonical(parsed(cases[i].in), &buf), TH_OK);
        th_str got = th_buf_view(&buf);
        if (!th_str_is(got, cases[i].out))
            fail_msg("got %.*s\nwant %s", TH_FMT(got), cases[i].out);
    }
}

static void the_pen_writes_what_the_reader_reads(void **state)
{
    (void)state;
    th_buf buf;
    th_buf_open(&buf, &arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "a", "\"\\\n\x01中");
    th_pen_kint(&pen, "n", INT64_MIN);
    th_pen_key(&pen, "list");
    th_pen_array(&pen);
    th_pen_int(&pen, 1);
    th_pen_object(&pen);
    th_pen_end(&pen, '}');
    th_pen_null(&pen);
    th_pen_end(&pen, ']');
    th_pen_kstr(&pen, "absent", (th_str){NULL, 0});
    th_pen_kbool(&pen, "yes", true);
    th_pen_end(&pen, '}');
    assert_true(th_buf_ok(&buf));
    const th_json *root;
    assert_int_equal(th_json_parse(th_buf_view(&buf), &arena, &root, NULL), TH_OK);
    assert_true(th_str_is(th_json_str(root, "a"), "\"\\\n\x01中"));
    assert_int_equal(th_json_int(root, "n", 0), INT64_MIN);
    assert_int_equal(th_json_get(root, "list")->count, 3);
    assert_int_equal(th_json_get(root, "absent")->type, TH_JSON_NULL);
}

static void faults_are_named_by_pointer(void **state)
{
    static const char *const allowed[] = {"name", "age", "tags", NULL};
    (void)state;
    const th_json *root = parsed("{\"name\":5,\"age\":200,\"tags\":[1,2,3],\"other\":1,\"a/b\":2}");
    th_error error = {0};
    th_str name;
    int64_t age;
    const th_json *tags;
    assert_false(th_json_want_str(root, "", "name", 10, &name, &error));
    assert_false(th_json_want_int(root, "", "age", 0, 150, &age, &error));
    assert_false(th_json_want_array(root, "", "tags", 2, &tags, &error));
    assert_false(th_json_only(root, "", allowed, &error));
    assert_int_equal(error.status, TH_INVALID);
    assert_int_equal(error.field_count, 5);
    assert_string_equal(error.fields[0].pointer, "/name");
    assert_string_equal(error.fields[0].code, "type");
    assert_string_equal(error.fields[1].code, "range");
    assert_string_equal(error.fields[2].code, "too-many");
    assert_string_equal(error.fields[3].pointer, "/other");
    assert_string_equal(error.fields[4].pointer, "/a~1b");
    root = parsed("{\"name\":\"a\xE2\x80\xAE" "b\"}");
    assert_false(th_json_want_str(root, "", "name", 10, &name, &error));
    assert_string_equal(error.fields[5].code, "controls");
}

/* Mutations of a real message: whatever jansson accepts we accept, and the other way round. */
static void agrees_with_jansson_on_mutations(void **state)
{
    static const char seed_text[] = "{\"id\":\"0192f0c1\",\"n\":[1,2.5e3,-0.1],\"人\":\"张三\\u00e9\\n\",\"o\":{\"a\":true,\"b\":null}}";
    uint64_t x = 88172645463325252u;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof seed_text];
        memcpy(text, seed_text, sizeof text);
        for (int k = 0; k < 1 + round % 3; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            static const char letters[] = "{}[]\",:\\0123456789eE+-.tfnu \n\x80\xe4\xff" "a";
            text[x % (sizeof text - 1)] = letters[(x >> 32) % (sizeof letters - 1)];
        }
        const th_json *root;
        json_error_t why;
        json_t *theirs = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
        th_status ours = th_json_parse(th_str_of(text), &arena, &root, NULL);
        bool number_range = !theirs && json_error_code(&why) == json_error_numeric_overflow;
        /* jansson, asked so, still refuses an escaped NUL in names; we read it. */
        bool nul = !theirs && (json_error_code(&why) == json_error_null_byte_in_key || json_error_code(&why) == json_error_null_character);
        if (!number_range && !nul && (theirs != NULL) != (ours == TH_OK))
            fail_msg("%s: jansson %s (%s), ours %d", text, theirs ? "accepts" : "refuses", theirs ? "" : why.text, ours);
        json_decref(theirs);
        th_arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepts_and_refuses_what_jansson_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(walks_members_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_depth_and_duplicates_in_large_objects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(canonical_form_is_rfc8785, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_pen_writes_what_the_reader_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_are_named_by_pointer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agrees_with_jansson_on_mutations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
