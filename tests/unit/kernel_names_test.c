/* names.h's promises. */
#include "kernel/records/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static th_arena arena;

static void one_form(void **state)
{
    static const struct { const char *written, *name; } cases[] = {
        {"张三", "张三"},
        {" 张 三　", "张三"},
        {"张\xC2\xA0三", "张三"},
        {"迪丽热巴·迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴•迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴‧迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴・迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴･迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴⋅迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴.迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴．迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"迪丽热巴 · 迪力木拉提", "迪丽热巴·迪力木拉提"},
        {"J. R. O'Neil-Smith", "J. R. O'Neil-Smith"},
        {"ＳＭＩＴＨ　  JOHN", "SMITH JOHN"},
        {"㐂𠮷𪚥", "㐂𠮷𪚥"},                       /* extension A, B */
        {"\xF0\xB0\x80\x80\xF0\xB1\x8D\x90", "\xF0\xB0\x80\x80\xF0\xB1\x8D\x90"}, /* extension G, H */
        {"\xEF\xA4\xAD", "來"},                       /* U+F92D, canonical */
        {"\xEF\xA8\x8E", "\xEF\xA8\x8E"},             /* U+FA0E is a unified character in spite of its place */
        {"\xE2\xBC\xA5", "女"},                       /* U+2F25, a radical */
        {"\xEE\xA0\x9E", "龴"},                       /* U+E81E of GB 18030-2005 */
        {"王〇", "王〇"},
        {"José", "José"}};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_str name;
        th_name_fault fault = th_name_normalise(th_str_of(cases[i].written), &arena, &name);
        if (fault || !th_str_is(name, cases[i].name))
            fail_msg("%s: %s %.*s", cases[i].written, th_name_fault_code(fault), fault ? 0 : (int)name.n, fault ? "" : name.p);
        th_str again;
        assert_int_equal(th_name_normalise(name, &arena, &again), TH_NAME_OK);
        assert_true(th_str_eq(name, again));
    }
}

static void refused(void **state)
{
    static const struct { const char *written; size_t n; th_name_fault fault; } cases[] = {
        {"", 0, TH_NAME_EMPTY}, {"  　", 5, TH_NAME_EMPTY}, {"张\0三", 7, TH_NAME_CONTROL}, {"张\n三", 7, TH_NAME_CONTROL},
        {"\xE2\x80\xAE三张", 9, TH_NAME_CONTROL}, {"张\xE2\x80\x8B三", 9, TH_NAME_CONTROL}, {"\xEF\xBB\xBF张三", 9, TH_NAME_CONTROL},
        {"张\xEE\x80\x80", 6, TH_NAME_PRIVATE}, {"\xF3\xB0\x80\x80", 4, TH_NAME_PRIVATE}, {"Jose\xCC\x81", 6, TH_NAME_COMBINING},
        {"葛\xF3\xA0\x84\x80", 7, TH_NAME_COMBINING}, {"<script>", 8, TH_NAME_CHARACTER}, {"=1+1", 4, TH_NAME_CHARACTER}, {"张😀", 7, TH_NAME_CHARACTER},
        {"张\xE4\xB8", 5, TH_NAME_ENCODING}, {"\xC0\x80", 2, TH_NAME_ENCODING}, {"\xED\xA0\x80", 3, TH_NAME_ENCODING}};
    char longest[15001];
    th_str name;
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_name_fault fault = th_name_normalise((th_str){cases[i].written, cases[i].n}, &arena, &name);
        if (fault != cases[i].fault)
            fail_msg("%zu: %s", i, th_name_fault_code(fault));
    }
    for (size_t i = 0; i < sizeof longest - 1; i += 3)
        memcpy(longest + i, "张", 3);
    assert_int_equal(th_name_normalise((th_str){longest, 15000}, &arena, &name), TH_NAME_LENGTH);
    assert_int_equal(th_name_normalise((th_str){longest, 303}, &arena, &name), TH_NAME_LENGTH);
    assert_int_equal(th_name_normalise((th_str){longest, 300}, &arena, &name), TH_NAME_OK);
    for (size_t cut = 1; cut < 300; cut++) /* cut anywhere: whole characters or refused */
        assert_int_equal(th_name_normalise((th_str){longest, cut}, &arena, &name), cut % 3 ? TH_NAME_ENCODING : TH_NAME_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_form), cmocka_unit_test(refused)};
    th_arena_open(&arena, 16u << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    th_arena_close(&arena);
    return failed;
}
