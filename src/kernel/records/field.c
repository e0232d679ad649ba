/* field.c — one value of a register's field: brought to its stored form, and checked. */
#include "records-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t characters(th_str text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

bool th_date_fits(th_str text)
{
    int64_t year, month, day;
    return text.n == 10 && text.p[4] == '-' && text.p[7] == '-' && th_parse_i64((th_str){text.p, 4}, 1000, 9999, &year) &&
           text.p[5] <= '1' && text.p[8] <= '3' && text.p[6] >= '0' && text.p[6] <= '9' && text.p[9] >= '0' && text.p[9] <= '9' &&
           (month = (text.p[5] - '0') * 10 + text.p[6] - '0', day = (text.p[8] - '0') * 10 + text.p[9] - '0', true) &&
           th_date_valid((int)year, (int)month, (int)day);
}

static bool id_fits(th_id_fault fault, const char **code, const char **zh, const char **en)
{
    if (fault == TH_ID_OK)
        return true;
    *code = th_id_fault_code(fault);
    th_id_fault_words(fault, zh, en);
    return false;
}

static bool says(const char **code, const char **zh, const char **en, const char *c, const char *z, const char *e)
{
    *code = c;
    *zh = z;
    *en = e;
    return false;
}

static bool choice_listed(const th_json *choices, th_str text)
{
    for (const th_json *c = th_json_first(choices); c; c = th_json_next(choices, c))
        if (th_str_eq(c->text, text))
            return true;
    return false;
}

static bool text_fits(const th_field *f, th_str text, int64_t today_us, const char **code, const char **zh, const char **en)
{
    int64_t number, n;
    char zero_terminated[512];
    if (f->integer)
        return th_parse_i64(text, f->minimum, f->maximum, &number) ||
               says(code, zh, en, "range", "须为范围内的整数", "Must be a whole number within the range");
    if (!th_utf8_valid(text) || th_str_has_controls(text))
        return says(code, zh, en, "characters", "含有控制字符或编码错误", "Holds control characters or broken UTF-8");
    n = characters(text);
    if (n < f->min_length || n > f->max_length || text.n >= sizeof zero_terminated)
        return says(code, zh, en, "length", "长度不符", "Too long or too short");
    if (f->choices && !choice_listed(f->choices, text))
        return says(code, zh, en, "enum", "不在代码表内", "Not in the list of codes");
    if (f->has_pattern) {
        memcpy(zero_terminated, text.p, text.n);
        zero_terminated[text.n] = 0;
        if (regexec(&f->pattern, zero_terminated, 0, NULL, 0))
            return says(code, zh, en, "pattern", "格式不符", "Does not have the right form");
    }
    switch (f->format) {
    case TH_FORMAT_CITIZEN:
        return id_fits(th_citizen_id_check(text, today_us), code, zh, en);
    case TH_FORMAT_USCC:
        return id_fits(th_uscc_check(text), code, zh, en);
    case TH_FORMAT_DATE:
        return th_date_fits(text) || says(code, zh, en, "date", "须为 YYYY-MM-DD 的真实日期", "Must be a real date YYYY-MM-DD");
    case TH_FORMAT_REGION:
        return th_division_exists(f->divisions, text) ||
               says(code, zh, en, "region", "不是现行的行政区划代码", "Not the code of an administrative division of today");
    case TH_FORMAT_ECERT:
        return id_fits(th_ecert_id_check(text, NULL), code, zh, en);
    case TH_FORMAT_NAME:
    case TH_FORMAT_NONE:
        break;
    }
    return true;
}

/* ---- as people write it ---- */

/* The name's faults are said where names are brought to one form, so that they are looked for once. */
static bool name_take(const th_field *f, th_str written, th_arena *arena, th_str *ret, const char **code, const char **zh, const char **en)
{
    th_name_fault fault = th_name_normalise(written, arena, ret);
    if (fault) {
        *code = th_name_fault_code(fault);
        th_name_fault_words(fault, zh, en);
        return false;
    }
    return text_fits(f, *ret, 0, code, zh, en);
}

static th_str code_form(const th_field *f, th_str written, th_arena *arena, unsigned *ret_changes)
{
    char narrow[TH_ID_WRITTEN_MAX + 1], number[19];
    th_str trimmed = th_str_trim(written);
    bool fits = f->format == TH_FORMAT_CITIZEN ? th_citizen_id_normalise(trimmed, number, ret_changes)
                                               : th_code_normalise(trimmed, narrow, sizeof narrow, ret_changes);
    th_str form = th_str_of(f->format == TH_FORMAT_CITIZEN ? number : narrow);
    return !fits || th_str_eq(form, trimmed) ? trimmed : th_str_keep(arena, form);
}

bool th_field_take(const th_field *f, th_str written, int64_t today_us, th_arena *arena, th_str *ret_text, unsigned *ret_changes,
                   const char **code, const char **zh, const char **en)
{
    *ret_changes = 0;
    *ret_text = th_str_trim(written);
    if (f->format == TH_FORMAT_NAME)
        return name_take(f, written, arena, ret_text, code, zh, en);
    if (f->format == TH_FORMAT_CITIZEN || f->format == TH_FORMAT_USCC)
        *ret_text = code_form(f, written, arena, ret_changes);
    return text_fits(f, *ret_text, today_us, code, zh, en);
}

void th_field_pointer(char ret_pointer[96], const char *path, th_str name)
{
    th_json_pointer_to(ret_pointer, path, name);
}

bool th_field_check(const th_field *f, const th_json *value, const char *path, int64_t today_us, th_arena *arena, th_str *ret_text,
                    th_error *error)
{
    char pointer[96];
    unsigned changes;
    const char *code, *zh, *en;
    if (!value || value->type != (f->integer ? TH_JSON_NUMBER : TH_JSON_STRING)) {
        th_field_pointer(pointer, path, f->name);
        th_fail_field(error, pointer, value ? "type" : "required", value ? "类型不符" : "缺少此项", value ? "Wrong type" : "This is missing");
        return false;
    }
    if (th_field_take(f, value->text, today_us, arena, ret_text, &changes, &code, &zh, &en))
        return true;
    th_field_pointer(pointer, path, f->name);
    th_fail_field(error, pointer, code, zh, en);
    return false;
}

/* ---- masks: what may be shown of a value that may not be told ---- */

static size_t character_bytes(th_str s, size_t at)
{
    size_t n = 1;
    while (at + n < s.n && ((unsigned char)s.p[at + n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* A name keeps its first character, a number of a person four at each end, anything else its first third. */
th_str th_field_masked(const th_field *f, th_str text, th_arena *arena)
{
    th_buf buf;
    int64_t n = characters(text), i = 0;
    int64_t front = f->format == TH_FORMAT_NAME ? 1 : f->format == TH_FORMAT_CITIZEN ? 4 : n / 3, back = f->format == TH_FORMAT_CITIZEN ? 4 : 0;
    th_buf_open(&buf, arena, text.n + 1);
    for (size_t at = 0; at < text.n; i++) {
        size_t bytes = character_bytes(text, at);
        if (i < front || i >= n - back)
            th_buf_put(&buf, text.p + at, bytes);
        else
            th_buf_char(&buf, '*');
        at += bytes;
    }
    return th_buf_view(&buf);
}
