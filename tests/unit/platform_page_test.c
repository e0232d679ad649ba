/* page.h's promises: text stays text, squares read back, a signature holds until one byte is touched. */
#include "platform/page/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static th_arena arena;
static th_key *key;
static th_str x509;

static int set_up(void **state)
{
    (void)state;
    th_arena_open(&arena, 1024u << 20);
    return th_crypto_start() || th_key_make(TH_SUITE_P256, &key) || th_x509_make(key, "Tonghui", 30, &arena, &x509);
}

static int tear_down(void **state)
{
    (void)state;
    th_key_close(key);
    th_arena_close(&arena);
    return 0;
}

static th_str drawn(const char *words)
{
    th_str pdf;
    const th_page_part parts[] = {
        {TH_PAGE_BANNER, TH_STR("模拟数据 simulated"), {NULL, 0}},
        {TH_PAGE_HEADING, TH_STR("引进人才服务卡"), TH_STR("Talent service card")},
        {TH_PAGE_PARAGRAPH, th_str_of(words), {NULL, 0}},
        {TH_PAGE_ROW, TH_STR("学历 Education"), TH_STR("硕士研究生")},
        {TH_PAGE_SEAL, TH_STR("河北省人力资源和社会保障厅"), TH_STR("Hebei")},
        {TH_PAGE_SQUARE, TH_STR("TH1:ABC"), TH_STR("扫码核验 Scan to check")},
    };
    const th_page page = {.title = TH_STR("服务卡"), .frame = true, .parts = parts, .count = TH_COUNT(parts)};
    assert_int_equal(th_page_pdf(&page, &arena, &pdf, NULL), TH_OK);
    return pdf;
}

static th_str sealed(void)
{
    th_str pdf;
    const th_page_signer signer = {.key = key, .x509 = x509, .name = TH_STR("河北省 (Hebei) \\)"), .reason = TH_STR("核发"), .at_us = INT64_C(1795000000000000)};
    const th_page_file files[] = {{"certificate.sdjwt", "application/dc+sd-jwt", TH_STR("a.b.c~d~")}, {"two.txt", "text/plain", TH_STR("two")}};
    assert_int_equal(th_page_sign(drawn("兹证明"), &signer, files, 2, &arena, &pdf, NULL), TH_OK);
    return pdf;
}

static void pages_are_made_and_flow(void **state)
{
    (void)state;
    th_str short_page = drawn("一行"), pdf;
    assert_true(th_str_starts(short_page, "%PDF-1.5"));
    th_buf words;
    th_buf_open(&words, &arena, 1 << 20);
    for (int i = 0; i < 3000; i++)
        th_buf_text(&words, "京津冀协同发展。");
    th_buf_char(&words, 0);
    pdf = drawn(words.p);
    assert_null(memmem(pdf.p, pdf.n, "/Count 1\n", 9)); /* more than one page */
    drawn("<b>not bold</b> =HYPERLINK(\"x\") <script>alert(1)</script> \xf0\xa0\xae\xb7 张·三 \xe2\x80\xa2");
    drawn("");
}

static void controls_are_refused(void **state)
{
    (void)state;
    static const th_str bad[] = {{"a\0b", 3}, {"\xff", 1}, {"a\xe2\x80\xae" "b", 5}, {"\x1b[31m", 5}};
    for (size_t i = 0; i < TH_COUNT(bad); i++) {
        th_str pdf;
        th_error error = {0};
        const th_page_part part = {TH_PAGE_PARAGRAPH, bad[i], {NULL, 0}};
        const th_page page = {.title = TH_STR("t"), .parts = &part, .count = 1};
        assert_int_equal(th_page_pdf(&page, &arena, &pdf, &error), TH_INVALID);
        assert_string_equal(error.type, "page-text");
    }
}

static void a_signature_holds_until_a_byte_is_touched(void **state)
{
    (void)state;
    th_str pdf = sealed();
    th_page_seen seen;
    th_error error = {0};
    assert_int_equal(th_page_read(pdf, &arena, &seen, &error), TH_OK);
    assert_true(th_str_eq(seen.x509, x509));
    assert_int_equal(seen.file_count, 2);
    assert_string_equal(seen.files[0].type, "application/dc+sd-jwt");
    assert_true(th_str_is(seen.files[0].bytes, "a.b.c~d~"));
    assert_true(th_str_is(seen.files[1].bytes, "two"));
    const char *contents = memmem(pdf.p, pdf.n, "/Contents <", 11);
    size_t gap = (size_t)(contents - pdf.p) + 11;
    size_t tried = 0;
    for (size_t i = 0; i < pdf.n; i += 97) {
        if (i >= gap && i < gap + 2 * TH_CMS_MAX)
            continue; /* the signature's own room: its padding says nothing */
        char *copy = th_alloc(&arena, pdf.n);
        memcpy(copy, pdf.p, pdf.n);
        copy[i] = (char)(copy[i] ^ 1);
        assert_int_not_equal(th_page_read((th_str){copy, pdf.n}, &arena, &seen, NULL), TH_OK);
        tried++;
    }
    assert_true(tried > 50);
    /* appended to, cut off, without any, and no page at all */
    char *more = th_alloc(&arena, pdf.n + 1);
    memcpy(more, pdf.p, pdf.n);
    more[pdf.n] = '\n';
    assert_int_equal(th_page_read((th_str){more, pdf.n + 1}, &arena, &seen, &error), TH_FORBIDDEN);
    assert_string_equal(error.type, "page-signature");
    assert_int_equal(th_page_read((th_str){pdf.p, pdf.n - 1}, &arena, &seen, NULL), TH_FORBIDDEN);
    assert_int_equal(th_page_read(drawn("x"), &arena, &seen, &error), TH_INVALID);
    assert_string_equal(error.type, "page-unsigned");
    assert_int_equal(th_page_read(TH_STR("MZ\x90"), &arena, &seen, NULL), TH_INVALID);
    assert_int_equal(th_page_read(TH_STR(""), &arena, &seen, NULL), TH_INVALID);
}

/* Another reader of PDF says the same, where one is installed. */
static void poppler_agrees(void **state)
{
    (void)state;
    char path[] = "/tmp/tonghui-page-XXXXXX", command[200], out[2000] = "";
    th_str pdf = sealed();
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "wb");
    assert_int_equal(fwrite(pdf.p, 1, pdf.n, file), pdf.n);
    fclose(file);
    if (system("command -v pdfsig >/dev/null 2>&1") != 0) {
        print_message("skipped: poppler-utils is not installed\n");
        remove(path);
        skip();
    }
    snprintf(command, sizeof command, "pdfsig -nocert %s 2>/dev/null; pdfdetach -list %s; pdftotext %s -", path, path, path);
    FILE *said = popen(command, "r");
    size_t n = fread(out, 1, sizeof out - 1, said);
    pclose(said);
    remove(path);
    assert_true(n > 0);
    assert_non_null(strstr(out, "Signature is Valid."));
    assert_non_null(strstr(out, "Total document signed"));
    assert_non_null(strstr(out, "certificate.sdjwt"));
    assert_non_null(strstr(out, "引进人才服务卡"));
}

static void squares_have_their_size(void **state)
{
    (void)state;
    const uint8_t *modules;
    int side, version;
    th_str svg;
    char text[2000];
    memset(text, 'A', sizeof text);
    assert_int_equal(th_square(TH_STR("TH1:ABC"), &arena, &modules, &side, &version), TH_OK);
    assert_int_equal(version, 1);
    assert_int_equal(side, 21);
    assert_int_equal(modules[0] & modules[6] & modules[20], 1); /* finder patterns in three corners */
    assert_int_equal(th_square((th_str){text, 1451}, &arena, &modules, &side, &version), TH_OK); /* all that version 25 M holds */
    assert_int_equal(version, 25);
    assert_int_equal(th_square((th_str){text, 1452}, &arena, &modules, &side, &version), TH_TOO_LARGE);
    assert_int_equal(th_square(TH_STR(""), &arena, &modules, &side, &version), TH_INVALID);
    assert_int_equal(th_square_svg(TH_STR("TH1:<script>"), &arena, &svg), TH_OK);
    assert_null(memmem(svg.p, svg.n, "script", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_made_and_flow),
        cmocka_unit_test(controls_are_refused),
        cmocka_unit_test(a_signature_holds_until_a_byte_is_touched),
        cmocka_unit_test(poppler_agrees),
        cmocka_unit_test(squares_have_their_size),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
