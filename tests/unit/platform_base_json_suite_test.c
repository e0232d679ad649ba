/* json.h against other people's judgement: a list of what is JSON and what is not, ECMAScript's numbers, and jansson over documents that
 * are made and then damaged. */
#include "bench.h"

#include <jansson.h>

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

/* ---- the list: y_ must be accepted, n_ must be refused ---- */

#define CASE(name, text) {name, text, sizeof(text) - 1}
static const struct { const char *name, *text; size_t n; } cases[] = {
    CASE("y_array_empty", "[]"), CASE("y_array_spaces", "[ ]"), CASE("y_array_nested_empty", "[[]   ]"), CASE("y_array_ending_newline", "[\"a\"]\n"),
    CASE("y_array_false", "[false]"), CASE("y_array_mixed", "[null, 1, \"1\", {}]"), CASE("y_array_nulls", "[1,null,null,null,2]"),
    CASE("y_array_leading_space", " [1]"), CASE("y_array_trailing_space", "[2] "), CASE("y_array_newline_inside", "[1\n]"),
    CASE("y_number", "[123e65]"), CASE("y_number_0e+1", "[0e+1]"), CASE("y_number_0e1", "[0e1]"), CASE("y_number_after_space", "[ 4]"),
    CASE("y_number_close_to_zero", "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"),
    CASE("y_number_int_exp", "[20e1]"), CASE("y_number_minus_zero", "[-0]"), CASE("y_number_negative_int", "[-123]"), CASE("y_number_minus_one", "[-1]"),
    CASE("y_number_capital_e", "[1E22]"), CASE("y_number_capital_e_minus", "[1E-2]"), CASE("y_number_capital_e_plus", "[1E+2]"),
    CASE("y_number_fraction_exp", "[123.456e78]"), CASE("y_number_real", "[123.456789]"), CASE("y_number_simple", "[123]"),
    CASE("y_number_huge_exponent", "[1e9999]"), CASE("y_number_tiny_exponent", "[1e-9999]"), CASE("y_number_long_int", "[100000000000000000000000000000]"),
    CASE("y_object", "{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), CASE("y_object_basic", "{\"asd\":\"sdf\"}"), CASE("y_object_empty", "{}"),
    CASE("y_object_empty_key", "{\"\":0}"), CASE("y_object_escaped_null_in_key", "{\"foo\\u0000bar\": 42}"), CASE("y_object_long_strings", "{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"),
    CASE("y_object_newlines", "{\n\"a\": \"b\"\n}"), CASE("y_object_unicode_key", "{\"\\u043f\\u043e\": 0}"),
    CASE("y_string_1_2_3_bytes", "[\"\\u0060\\u012a\\u12AB\"]"), CASE("y_string_surrogate_pair", "[\"\\uD801\\udc37\"]"),
    CASE("y_string_pairs", "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"), CASE("y_string_allowed_escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    CASE("y_string_backslash_and_u0000", "[\"\\\\u0000\"]"), CASE("y_string_backslash_doublequote", "[\"\\\"\"]"), CASE("y_string_comments", "[\"a/*b*/c/*d//e\"]"),
    CASE("y_string_double_escape_a", "[\"\\\\a\"]"), CASE("y_string_escaped_control", "[\"\\u0012\"]"), CASE("y_string_escaped_noncharacter", "[\"\\uFFFF\"]"),
    CASE("y_string_in_array", "[\"asd\"]"), CASE("y_string_noncharacter_utf8", "[\"\xEF\xBF\xBF\"]"), CASE("y_string_last_surrogates", "[\"\\uDBFF\\uDFFE\"]"),
    CASE("y_string_null_escape", "[\"\\u0000\"]"), CASE("y_string_one_byte_utf8", "[\"\\u002c\"]"), CASE("y_string_pi", "[\"\xCF\x80\"]"),
    CASE("y_string_reserved_utf8", "[\"\xF0\x9B\xBF\xBF\"]"), CASE("y_string_space", "\" \""), CASE("y_string_two_byte", "[\"\\u0123\"]"),
    CASE("y_string_u2028", "[\"\xE2\x80\xA8\"]"), CASE("y_string_u2029", "[\"\xE2\x80\xA9\"]"), CASE("y_string_uescaped_newline", "[\"new\\u000Aline\"]"),
    CASE("y_string_del", "[\"\x7f\"]"), CASE("y_string_unescaped_utf8", "[\"\xE2\x82\xAC\xF0\x9D\x84\x9E\"]"), CASE("y_string_with_del", "[\"a\x7f" "a\"]"),
    CASE("y_structure_lonely_false", "false"), CASE("y_structure_lonely_int", "42"), CASE("y_structure_lonely_negative", "-0.1"), CASE("y_structure_lonely_null", "null"),
    CASE("y_structure_lonely_string", "\"asd\""), CASE("y_structure_lonely_true", "true"), CASE("y_structure_string_empty", "\"\""),
    CASE("y_structure_trailing_newline", "[\"a\"]\r\n"), CASE("y_structure_whitespace_array", " \t[] "),
    CASE("n_array_1_true_without_comma", "[1 true]"), CASE("n_array_invalid_utf8", "[a\xE5]"), CASE("n_array_colon_instead_of_comma", "[\"\": 1]"),
    CASE("n_array_comma_after_close", "[\"\"],"), CASE("n_array_comma_and_number", "[,1]"), CASE("n_array_double_comma", "[1,,2]"),
    CASE("n_array_double_extra_comma", "[\"x\",,]"), CASE("n_array_extra_close", "[\"x\"]]"), CASE("n_array_extra_comma", "[\"\",]"),
    CASE("n_array_incomplete", "[\"x\""), CASE("n_array_incomplete_invalid_value", "[x"), CASE("n_array_inner_no_comma", "[3[4]]"), CASE("n_array_just_comma", "[,]"),
    CASE("n_array_just_minus", "[-]"), CASE("n_array_missing_value", "[   , \"\"]"), CASE("n_array_newlines_unclosed", "[\"a\",\n4\n,1,"),
    CASE("n_array_number_and_comma", "[1,]"), CASE("n_array_spaces_vertical_tab", "[\"\v" "a\"\\f]"), CASE("n_array_star_inside", "[*]"), CASE("n_array_unclosed", "[\"\""),
    CASE("n_array_unclosed_trailing_comma", "[1,"), CASE("n_array_unclosed_with_object", "[{}"), CASE("n_incomplete_false", "[fals]"), CASE("n_incomplete_null", "[nul]"),
    CASE("n_incomplete_true", "[tru]"), CASE("n_nul_outside", "123\0"), CASE("n_number_++", "[++1234]"), CASE("n_number_+1", "[+1]"), CASE("n_number_+Inf", "[+Inf]"),
    CASE("n_number_-01", "[-01]"), CASE("n_number_-1.0.", "[-1.0.]"), CASE("n_number_-2.", "[-2.]"), CASE("n_number_-NaN", "[-NaN]"), CASE("n_number_.-1", "[.-1]"),
    CASE("n_number_.2e-3", "[.2e-3]"), CASE("n_number_0.1.2", "[0.1.2]"), CASE("n_number_0.3e", "[0.3e]"), CASE("n_number_0.3e+", "[0.3e+]"), CASE("n_number_0.e1", "[0.e1]"),
    CASE("n_number_0E", "[0E]"), CASE("n_number_0E+", "[0E+]"), CASE("n_number_1.0e", "[1.0e]"), CASE("n_number_1.0e-", "[1.0e-]"), CASE("n_number_1_000", "[1 000.0]"),
    CASE("n_number_1eE2", "[1eE2]"), CASE("n_number_2.e+3", "[2.e+3]"), CASE("n_number_9.e", "[9.e]"), CASE("n_number_Inf", "[Inf]"), CASE("n_number_NaN", "[NaN]"),
    CASE("n_number_fullwidth_one", "[\xEF\xBC\x91]"), CASE("n_number_expression", "[1+2]"), CASE("n_number_hex", "[0x1]"), CASE("n_number_infinity", "[Infinity]"),
    CASE("n_number_invalid_plus_minus", "[0e+-1]"), CASE("n_number_invalid_negative", "[-123.123foo]"), CASE("n_number_minus_infinity", "[-Infinity]"),
    CASE("n_number_minus_space", "[- 1]"), CASE("n_number_neg_int_leading_zero", "[-012]"), CASE("n_number_neg_real_no_int", "[-.123]"), CASE("n_number_with_alpha", "[1.2a-3]"),
    CASE("n_number_leading_zero", "[012]"), CASE("n_number_two_points", "[1..2]"),
    CASE("n_object_bad_value", "[\"x\", truth]"), CASE("n_object_bracket_key", "{[: \"x\"}\n"), CASE("n_object_comma_instead_of_colon", "{\"x\", null}"),
    CASE("n_object_double_colon", "{\"x\"::\"b\"}"), CASE("n_object_emoji", "{\xF0\x9F\x87\xA8}"), CASE("n_object_garbage_at_end", "{\"a\":\"a\" 123}"),
    CASE("n_object_key_single_quotes", "{key: 'value'}"), CASE("n_object_missing_colon", "{\"a\" b}"), CASE("n_object_missing_key", "{:\"b\"}"),
    CASE("n_object_missing_semicolon", "{\"a\" \"b\"}"), CASE("n_object_missing_value", "{\"a\":"), CASE("n_object_no_colon", "{\"a\""), CASE("n_object_non_string_key", "{1:1}"),
    CASE("n_object_repeated_null", "{null:null,null:null}"), CASE("n_object_several_commas", "{\"id\":0,,,,,}"), CASE("n_object_single_quote", "{'a':0}"),
    CASE("n_object_trailing_comma", "{\"id\":0,}"), CASE("n_object_trailing_comment", "{\"a\":\"b\"}/**/"), CASE("n_object_two_commas", "{\"a\":\"b\",,\"c\":\"d\"}"),
    CASE("n_object_unquoted_key", "{a: \"b\"}"), CASE("n_object_unterminated_value", "{\"a\":\"a"), CASE("n_object_with_single_string", "{ \"foo\" : \"bar\", \"a\" }"),
    CASE("n_object_trailing_garbage", "{\"a\":\"b\"}#"), CASE("n_object_duplicated_key", "{\"a\":\"b\",\"a\":\"c\"}"), CASE("n_object_duplicated_key_and_value", "{\"a\":\"b\",\"a\":\"b\"}"),
    CASE("n_object_duplicated_escaped_key", "{\"\\u0061\":1,\"a\":2}"),
    CASE("n_single_space", " "), CASE("n_empty", ""), CASE("n_string_1_surrogate_then_escape", "[\"\\uD800\\\"]"), CASE("n_string_1_surrogate_then_u", "[\"\\uD800\\u\"]"),
    CASE("n_string_1_surrogate_u1", "[\"\\uD800\\u1\"]"), CASE("n_string_1_surrogate_u1x", "[\"\\uD800\\u1x\"]"), CASE("n_string_lone_first", "[\"\\ud800\"]"),
    CASE("n_string_lone_second", "[\"\\uDC00\"]"), CASE("n_string_inverted_surrogates", "[\"\\uDd1e\\uD834\"]"), CASE("n_string_first_and_invalid_second", "[\"\\ud83d\\u0041\"]"),
    CASE("n_string_accentuated_no_quotes", "[\xC3\xA9]"), CASE("n_string_backslash_00", "[\"\\\0\"]"), CASE("n_string_escape_x", "[\"\\x00\"]"), CASE("n_string_escaped_backslash_bad", "[\"\\\\\\\"]"),
    CASE("n_string_escaped_tab", "[\"\\\t\"]"), CASE("n_string_escaped_emoji", "[\"\\\xF0\x9F\x8C\x80\"]"), CASE("n_string_incomplete_escape", "[\"\\\"]"),
    CASE("n_string_incomplete_escape_u", "[\"\\u00A\"]"), CASE("n_string_incomplete_surrogate", "[\"\\uD834\\uDd\"]"), CASE("n_string_invalid_backslash", "[\"\\a\"]"),
    CASE("n_string_invalid_unicode_escape", "[\"\\uqqqq\"]"), CASE("n_string_invalid_utf8_after_escape", "[\"\\\xE5\"]"), CASE("n_string_leading_escaped_thinspace", "[\\u0020\"asd\"]"),
    CASE("n_string_no_quotes_bad_escape", "[\\n]"), CASE("n_string_single_doublequote", "\""), CASE("n_string_single_quote", "['single quote']"), CASE("n_string_start_escape_unclosed", "[\"\\"),
    CASE("n_string_unescaped_control", "[\"a\0a\"]"), CASE("n_string_unescaped_newline", "[\"new\nline\"]"), CASE("n_string_unescaped_tab", "[\"\t\"]"),
    CASE("n_string_capital_u_escape", "\"\\UA66D\""), CASE("n_string_with_trailing_garbage", "\"\"x"), CASE("n_string_overlong", "[\"\xC0\xAF\"]"), CASE("n_string_overlong_six_bytes", "[\"\xFC\x83\xBF\xBF\xBF\xBF\"]"),
    CASE("n_string_surrogate_in_utf8", "[\"\xED\xA0\x80\"]"), CASE("n_string_lone_continuation", "[\"\x81\"]"), CASE("n_string_iso_latin_1", "[\"\xE9\"]"), CASE("n_string_not_in_unicode", "[\"\xF4\xBF\xBF\xBF\"]"),
    CASE("n_string_truncated_utf8", "[\"\xE0\xFF\"]"), CASE("n_string_utf16le", "[\0\"\0\xE9\0\"\0]\0"),
    CASE("n_structure_angle_bracket", "<.>"), CASE("n_structure_angle_null", "[<null>]"), CASE("n_structure_array_trailing_garbage", "[1]x"), CASE("n_structure_array_with_extra_close", "[1]]"),
    CASE("n_structure_array_unclosed_string", "[\"asd]"), CASE("n_structure_ascii_unicode_identifier", "a\xC3\xA5"), CASE("n_structure_capitalized_true", "[True]"), CASE("n_structure_close_unopened", "1]"),
    CASE("n_structure_comma_instead_of_closing", "{\"x\": true,"), CASE("n_structure_double_array", "[][]"), CASE("n_structure_end_array", "]"), CASE("n_structure_incomplete_bom", "\xEF\xBB{}"),
    CASE("n_structure_bom", "\xEF\xBB\xBF{}"), CASE("n_structure_lone_invalid_utf8", "\xE5"), CASE("n_structure_lone_open_bracket", "["), CASE("n_structure_nul", "\0"), CASE("n_structure_number_garbage", "2@"),
    CASE("n_structure_object_followed_by_close", "{}}"), CASE("n_structure_object_unclosed", "{\"\":"), CASE("n_structure_object_comment", "{\"a\":/*comment*/\"b\"}"), CASE("n_structure_object_at", "{\"a\": true} \"x\""),
    CASE("n_structure_open_array_apostrophe", "['"), CASE("n_structure_open_array_comma", "[,"), CASE("n_structure_open_array_object", "[{"), CASE("n_structure_open_object", "{"), CASE("n_structure_open_object_close_array", "{]"),
    CASE("n_structure_open_object_string", "{\"a"), CASE("n_structure_open_open", "[\"\\{[\"\\{[\"\\{[\"\\{"), CASE("n_structure_single_star", "*"), CASE("n_structure_trailing_hash", "{\"a\":\"b\"}#{}"),
    CASE("n_structure_u2060", "[\xE2\x81\xA0]"), CASE("n_structure_escaped_open", "[\\u000A\"\"]"), CASE("n_structure_unclosed_array", "[1"), CASE("n_structure_whitespace_formfeed", "[\f]"),
    CASE("n_structure_unicode_nbsp", "[\xC2\xA0]"), CASE("n_structure_null_capital", "[NULL]"),
};

static void what_is_json_is_accepted_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        const th_json *root;
        th_error error = {0};
        /* A copy that ends where the text ends: a reader that looks behind it is caught by the sanitizer. */
        char *copy = malloc(cases[i].n ? cases[i].n : 1);
        memcpy(copy, cases[i].text, cases[i].n);
        th_status status = th_json_parse((th_str){copy, cases[i].n}, &arena, &root, &error);
        if ((status == TH_OK) != (cases[i].name[0] == 'y') || (status && (!error.en[0] || !error.zh[0])))
            fail_msg("%s: %s (%s)", cases[i].name, th_status_name(status), error.en);
        free(copy);
    }
}

static void depth_is_bounded_exactly(void **state)
{
    const th_json *root;
    (void)state;
    for (int depth = TH_JSON_DEPTH_MAX - 1; depth <= TH_JSON_DEPTH_MAX + 1; depth++) {
        th_buf buf;
        th_buf_open(&buf, &arena, 1 << 16);
        for (int i = 0; i < depth; i++)
            th_buf_text(&buf, i % 2 ? "{\"a\":" : "[");
        th_buf_text(&buf, "1");
        for (int i = depth; i-- > 0;)
            th_buf_char(&buf, i % 2 ? '}' : ']');
        assert_int_equal(th_json_parse(th_buf_view(&buf), &arena, &root, NULL), depth <= TH_JSON_DEPTH_MAX ? TH_OK : TH_INVALID);
    }
}

static void a_document_over_the_arena_is_too_large_and_says_so(void **state)
{
    th_arena small;
    const th_json *root;
    th_error error;
    th_buf buf;
    (void)state;
    th_buf_open(&buf, &arena, 1 << 20);
    th_buf_char(&buf, '[');
    for (int i = 0; i < 5000; i++)
        th_buf_text(&buf, "\"\\u0041\",");
    th_buf_text(&buf, "0]");
    th_arena_open(&small, 100000);
    REFUSED(th_json_parse(th_buf_view(&buf), &small, &root, &error), &error, TH_TOO_LARGE, "json-too-large");
    th_arena_close(&small);
}

static void keys_made_to_collide_do_not_buy_a_quadratic_walk(void **state)
{
    const th_json *root;
    th_buf buf;
    (void)state;
    th_buf_open(&buf, &arena, 16 << 20);
    th_buf_char(&buf, '{');
    for (int i = 0; i < 100000; i++)
        th_buff(&buf, "%s\"%d\":0", i ? "," : "", i);
    th_buf_char(&buf, '}');
    assert_int_equal(th_json_parse(th_buf_view(&buf), &arena, &root, NULL), TH_OK);
    assert_int_equal(root->count, 100000);
    assert_non_null(th_json_get(root, "99999"));
}

static void pointers_are_rfc6901(void **state)
{
    /* RFC 6901 §5. */
    static const struct { const char *pointer, *raw; } samples[] = {
        {"/foo", "[\"bar\",\"baz\"]"}, {"/foo/0", "\"bar\""}, {"/", "0"}, {"/a~1b", "1"}, {"/c%d", "2"}, {"/e^f", "3"}, {"/g|h", "4"}, {"/i\\j", "5"}, {"/k\"l", "6"}, {"/ ", "7"}, {"/m~0n", "8"}};
    static const char *const absent[] = {"/foo/2", "/foo/00", "/foo/-", "/foo/0/x", "/nothing", "foo", "/a~1b/x", "/foo/01"};
    const th_json *root = bench_json(&arena, TH_STR("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}"));
    (void)state;
    assert_ptr_equal(th_json_pointer(root, ""), root);
    for (size_t i = 0; i < TH_COUNT(samples); i++) {
        const th_json *found = th_json_pointer(root, samples[i].pointer);
        if (!found)
            fail_msg("%s is not found", samples[i].pointer);
        TEXT(found->raw, samples[i].raw);
    }
    for (size_t i = 0; i < TH_COUNT(absent); i++)
        if (th_json_pointer(root, absent[i]))
            fail_msg("%s is found", absent[i]);
}

static void walking_takes_null_and_other_types_for_absent(void **state)
{
    const th_json *root = bench_json(&arena, TH_STR("{\"s\":\"x\",\"n\":1,\"b\":true,\"f\":1.5,\"e\":{},\"l\":[]}"));
    int64_t n;
    (void)state;
    assert_null(th_json_get(NULL, "a"));
    assert_null(th_json_first(NULL));
    assert_null(th_json_at(NULL, 0));
    assert_null(th_json_pointer(NULL, "/a"));
    assert_null(th_json_get(th_json_get(root, "s"), "x"));
    assert_null(th_json_at(root, 0));
    assert_null(th_json_first(th_json_get(root, "e")));
    assert_null(th_json_first(th_json_get(root, "l")));
    assert_null(th_json_str(root, "n").p);
    assert_int_equal(th_json_int(root, "s", -7), -7);
    assert_int_equal(th_json_int(root, "f", -7), -7);
    assert_true(th_json_bool(root, "b", false));
    assert_true(th_json_bool(root, "s", true));
    assert_false(th_json_is_int(NULL, &n));
}

static void wanting_names_the_fault_of_each_member(void **state)
{
    static const struct { const char *member, *code; int kind; } faults[] = {
        {"absent", "required", 0}, {"number", "type", 0}, {"empty", "empty", 0}, {"long", "too-long", 0}, {"absent", "required", 1}, {"empty", "type", 1}, {"fraction", "type", 1},
        {"number", "range", 1}, {"huge", "type", 1}, {"absent", "required", 2}, {"number", "type", 2}, {"absent", "required", 3}, {"number", "type", 3}, {"list", "too-many", 3}};
    const th_json *root = bench_json(&arena, TH_STR("{\"number\":50,\"empty\":\"\",\"long\":\"123456\",\"fraction\":1.5,\"huge\":99999999999999999999,\"list\":[1,2,3]}")), *j;
    (void)state;
    for (size_t i = 0; i < TH_COUNT(faults); i++) {
        th_error error = {0};
        th_str s;
        int64_t n;
        bool ok = faults[i].kind == 0   ? th_json_want_str(root, "/x", faults[i].member, 5, &s, &error)
                  : faults[i].kind == 1 ? th_json_want_int(root, "/x", faults[i].member, 0, 10, &n, &error)
                  : faults[i].kind == 2 ? th_json_want_object(root, "/x", faults[i].member, &j, &error)
                                        : th_json_want_array(root, "/x", faults[i].member, 2, &j, &error);
        char pointer[40];
        snprintf(pointer, sizeof pointer, "/x/%s", faults[i].member);
        assert_false(ok);
        assert_string_equal(error.fields[0].code, faults[i].code);
        assert_string_equal(error.fields[0].pointer, pointer);
    }
    th_error error = {0};
    static const char *const allowed[] = {"a", NULL};
    assert_false(th_json_only(th_json_get(root, "list"), "/l", allowed, &error));
    assert_string_equal(error.fields[0].code, "type");
}

/* ---- RFC 8785 ---- */

static th_str canonical(const char *text)
{
    th_buf buf;
    th_buf_open(&buf, &arena, 1 << 20);
    assert_int_equal(th_json_canonical(bench_json(&arena, th_str_of(text)), &buf), TH_OK);
    return th_str_keep(&arena, th_buf_view(&buf));
}

static const struct { uint64_t bits; const char *text; } es6[] = {
#include "es6_numbers.inc"
};

static void numbers_are_printed_as_ecmascript_prints_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < TH_COUNT(es6); i++) {
        double value;
        char text[40];
        memcpy(&value, &es6[i].bits, sizeof value);
        snprintf(text, sizeof text, "%.17g", value);
        TEXT(canonical(text), es6[i].text);
        TEXT(canonical(es6[i].text), es6[i].text); /* and are a fixed point */
        th_arena_reset(&arena);
    }
}

static void what_is_no_finite_double_has_no_canonical_form(void **state)
{
    static const char *const texts[] = {"1e400", "-1e400", "[1e309]", "{\"a\":{\"b\":[1e999]}}"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(texts); i++) {
        th_buf buf;
        th_buf_open(&buf, &arena, 1000);
        assert_int_equal(th_json_canonical(bench_json(&arena, th_str_of(texts[i])), &buf), TH_INVALID);
    }
    th_buf small;
    th_buf_open(&small, &arena, 4);
    assert_int_equal(th_json_canonical(bench_json(&arena, TH_STR("[1,2,3]")), &small), TH_TOO_LARGE);
}

static void canonical_text_is_a_fixed_point_and_ignores_spelling(void **state)
{
    (void)state;
    th_str one = canonical("{ \"b\" : [1.0, 2e0, \"\\u00e9\\u000a/\"], \"a\":{\"y\":null,\"x\":true} }");
    TEXT(one, "{\"a\":{\"x\":true,\"y\":null},\"b\":[1,2,\"é\\n/\"]}");
    TEXT(canonical(one.p), "{\"a\":{\"x\":true,\"y\":null},\"b\":[1,2,\"é\\n/\"]}");
    TEXT(canonical("\"\\u0001\\b\\t\\f\\r\\u001f\\u007f\""), "\"\\u0001\\b\\t\\f\\r\\u001f\x7f\"");
    /* Sorted by UTF-16 code units: U+1F600 (D83D DE00) stands before U+FB33. */
    TEXT(canonical("{\"\\ufb33\":1,\"\\ud83d\\ude00\":2,\"a\":3,\"aa\":4,\"\":5}"), "{\"\":5,\"a\":3,\"aa\":4,\"😀\":2,\"\xEF\xAC\xB3\":1}");
}

/* ---- jansson as oracle ---- */

static uint64_t x = 88172645463325252u;

static uint64_t next(uint64_t below)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (x >> 20) % below;
}

static json_t *make(int depth)
{
    static const char *const texts[] = {"", "a", "北京", "\"quoted\"", "back\\slash", "line\nend", "\x01", "😀", "é", "a/b~c", "0123456789012345678901234567890123456789", "\x7f"};
    static const double reals[] = {0.5, -1.25, 1e21, 1e-7, 123456.789, 5e-324, 1.7976931348623157e308, 0.1};
    static const json_int_t integers[] = {0, -1, 42, INT64_MAX, INT64_MIN, 1000000};
    uint64_t kind = next(depth > 4 ? 6 : 9);
    json_t *value;
    switch (kind) {
    case 0: return json_null();
    case 1: return json_true();
    case 2: return json_false();
    case 3: return json_integer(integers[next(TH_COUNT(integers))]);
    case 4: return json_real(reals[next(TH_COUNT(reals))]);
    case 5: return json_string(texts[next(TH_COUNT(texts))]);
    case 6:
        value = json_array();
        for (uint64_t n = next(5); n; n--)
            json_array_append_new(value, make(depth + 1));
        return value;
    default:
        value = json_object();
        for (uint64_t n = next(20); n; n--) {
            char key[80];
            snprintf(key, sizeof key, "%s%d", texts[next(TH_COUNT(texts))], (int)next(30));
            json_object_set_new(value, key, make(depth + 1));
        }
        return value;
    }
}

static bool same(const th_json *ours, json_t *theirs)
{
    int64_t n;
    switch (json_typeof(theirs)) {
    case JSON_NULL: return ours->type == TH_JSON_NULL;
    case JSON_TRUE: return ours->type == TH_JSON_TRUE;
    case JSON_FALSE: return ours->type == TH_JSON_FALSE;
    case JSON_INTEGER: return th_str_is(ours->text, "-0") || (th_json_is_int(ours, &n) && n == json_integer_value(theirs)); /* -0 is no whole number to us */
    case JSON_REAL: return ours->type == TH_JSON_NUMBER && strtod(th_str_keep(&arena, ours->text).p, NULL) == json_real_value(theirs);
    case JSON_STRING:
        return ours->type == TH_JSON_STRING && th_str_eq(ours->text, (th_str){json_string_value(theirs), json_string_length(theirs)});
    case JSON_ARRAY:
        if (ours->type != TH_JSON_ARRAY || ours->count != json_array_size(theirs))
            return false;
        for (size_t i = 0; i < ours->count; i++)
            if (!same(th_json_at(ours, i), json_array_get(theirs, i)))
                return false;
        return th_json_at(ours, ours->count) == NULL;
    case JSON_OBJECT:
        if (ours->type != TH_JSON_OBJECT || ours->count != json_object_size(theirs))
            return false;
        for (const th_json *m = th_json_first(ours); m; m = th_json_next(ours, m)) {
            json_t *other = json_object_getn(theirs, m->key.p, m->key.n);
            if (!other || !same(m, other))
                return false;
        }
        return true;
    }
    return false;
}

static void reads_every_made_document_as_jansson_does(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        json_t *theirs = make(0);
        size_t flags = JSON_ENCODE_ANY | (round % 2 ? JSON_INDENT(3) : JSON_COMPACT) | (round % 3 ? 0 : JSON_ENSURE_ASCII) | (round % 5 ? 0 : JSON_ESCAPE_SLASH);
        char *text = json_dumps(theirs, flags);
        const th_json *ours;
        th_error error = {0};
        if (th_json_parse(th_str_of(text), &arena, &ours, &error) || !same(ours, theirs))
            fail_msg("%s\n%s", error.en, text);
        /* What we write canonically jansson reads as the same value; and writing it again gives the same bytes. */
        th_buf buf, again;
        th_buf_open(&buf, &arena, 8 << 20);
        assert_int_equal(th_json_canonical(ours, &buf), TH_OK);
        json_t *back = json_loadb(buf.p, buf.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
        if (!back)
            fail_msg("jansson refuses %.*s", TH_FMT(th_buf_view(&buf)));
        th_buf_open(&again, &arena, 8 << 20);
        assert_int_equal(th_json_canonical(bench_json(&arena, th_buf_view(&buf)), &again), TH_OK);
        assert_true(th_str_eq(th_buf_view(&buf), th_buf_view(&again)));
        json_decref(back);
        json_decref(theirs);
        free(text);
        th_arena_reset(&arena);
    }
}

static void agrees_with_jansson_on_damaged_documents(void **state)
{
    static const char letters[] = "{}[]\",:\\/bnu0123456789eE+-.tfal \n\t\x00\x01\x80\xe4\xb8\xad\xed\xa0\xff";
    int accepted = 0;
    (void)state;
    for (int round = 0; round < 40000; round++) {
        json_t *made = make(2);
        char *text = json_dumps(made, JSON_ENCODE_ANY | JSON_COMPACT);
        size_t n = strlen(text);
        json_decref(made);
        for (uint64_t k = 1 + next(3); n && k; k--) {
            size_t at = next(n);
            switch (next(3)) {
            case 0:
                text[at] = letters[next(sizeof letters - 1)];
                break;
            case 1:
                memmove(text + at, text + at + 1, n - at - 1);
                n--;
                break;
            default:
                n = at + 1;
            }
        }
        const th_json *ours;
        json_error_t why;
        json_t *theirs = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
        th_status status = th_json_parse((th_str){text, n}, &arena, &ours, NULL);
        bool range = !theirs && json_error_code(&why) == json_error_numeric_overflow; /* a double's range, not JSON's */
        bool nul = !theirs && json_error_code(&why) == json_error_null_byte_in_key;   /* an escaped NUL in a name is JSON */
        accepted += status == TH_OK;
        if (memchr(text, 0, n)) /* jansson takes a NUL for the end; to JSON it is nothing at all */
            assert_int_equal(status, TH_INVALID);
        else if (!range && !nul && (theirs != NULL) != (status == TH_OK))
            fail_msg("%.*s: jansson %s %s, ours %s", (int)n, text, theirs ? "accepts" : "refuses", theirs ? "" : why.text, th_status_name(status));
        if (theirs && status == TH_OK && !same(ours, theirs))
            fail_msg("%.*s: read as something else", (int)n, text);
        json_decref(theirs);
        free(text);
        th_arena_reset(&arena);
    }
    assert_true(accepted > 1000 && accepted < 39000); /* both kinds were met */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_json_is_accepted_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_is_bounded_exactly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_document_over_the_arena_is_too_large_and_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_made_to_collide_do_not_buy_a_quadratic_walk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pointers_are_rfc6901, set_up, tear_down),
        cmocka_unit_test_setup_teardown(walking_takes_null_and_other_types_for_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wanting_names_the_fault_of_each_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_printed_as_ecmascript_prints_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_finite_double_has_no_canonical_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(canonical_text_is_a_fixed_point_and_ignores_spelling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_every_made_document_as_jansson_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agrees_with_jansson_on_damaged_documents, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
