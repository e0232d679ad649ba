/* form.c — a form against its item's JSON Schema: the page checks for comfort, this checks for truth.
 *
 * What is known of draft 2020-12: type string, integer, boolean; required, enum, minLength, maxLength (characters), minimum, maximum, pattern (the part
 * that POSIX extended expressions share with ECMAScript), format of the house. An item whose schema needs more is refused when it is loaded. */
#include "cases-private.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

enum { PATTERN_MAX = 200 };

static size_t characters(th_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

static bool pattern_compile(th_str pattern, regex_t *ret)
{
    char text[PATTERN_MAX + 1];
    if (pattern.n > PATTERN_MAX)
        return false;
    memcpy(text, pattern.p, pattern.n);
    text[pattern.n] = 0;
    return regcomp(ret, text, REG_EXTENDED | REG_NOSUB) == 0;
}

static bool pattern_holds(th_str pattern, th_str value)
{
    regex_t re;
    char text[4 * 1024];
    if (value.n >= sizeof text || !pattern_compile(pattern, &re))
        return false;
    memcpy(text, value.p, value.n);
    text[value.n] = 0;
    bool holds = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return holds;
}

/* ---- formats ---- */

static bool is_member(const th_cases *cases, th_str value)
{
    th_trust *trust = th_exchange_trust(cases->exchange);
    bool known = trust && th_trust_member(trust, value);
    th_trust_release(trust);
    return known;
}

static bool is_digits(th_str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
    return value.n > 0;
}

static const char *const formats[] = {"citizen-id", "uscc", "date", "date-time", "member-code", "message-id", "phone"};

static bool format_known(th_str format)
{
    for (size_t i = 0; i < TH_COUNT(formats); i++)
        if (th_str_is(format, formats[i]))
            return true;
    return false;
}

static bool format_holds(const th_cases *cases, th_str format, th_str value)
{
    int32_t day;
    int64_t at;
    if (th_str_is(format, "citizen-id"))
        return th_citizen_id_ok(value);
    if (th_str_is(format, "uscc"))
        return th_uscc_check(value) == TH_ID_OK;
    if (th_str_is(format, "date"))
        return th_day_parse(value, &day);
    if (th_str_is(format, "date-time"))
        return th_time_parse(value, &at);
    if (th_str_is(format, "member-code"))
        return is_member(cases, value);
    if (th_str_is(format, "message-id"))
        return th_uuid_valid(value);
    return value.n == 11 && value.p[0] == '1' && is_digits(value); /* phone */
}

/* ---- one field ---- */

typedef struct place { /* where a fault is said */
    char pointer[96];
    th_error *error;
} place;

static bool fault(place *at, const char *code, const char *zh, const char *en)
{
    th_fail_field(at->error, at->pointer, code, zh, en);
    return false;
}

static bool text_check(const th_cases *cases, const th_json *schema, const th_json *value, place *at)
{
    th_str pattern = th_json_str(schema, "pattern"), format = th_json_str(schema, "format");
    if (value->type != TH_JSON_STRING)
        return fault(at, "type", "须为文字", "Must be text");
    if (th_str_has_controls(value->text))
        return fault(at, "controls", "含有不可见的控制字符", "Holds control characters that cannot be seen");
    int64_t n = (int64_t)characters(value->text);
    if (n > th_json_int(schema, "maxLength", 200))
        return fault(at, "too-long", "过长", "Too long");
    if (n < th_json_int(schema, "minLength", 0))
        return fault(at, "too-short", "过短", "Too short");
    if (pattern.n && !pattern_holds(pattern, value->text))
        return fault(at, "pattern", "格式不符", "Not of the form that is asked for");
    if (format.n && !format_holds(cases, format, value->text))
        return fault(at, "format", "不合规定或校验位有误，请核对", "Not as it must be, or its check digit is wrong; please check");
    return true;
}

static bool choice_check(const th_json *schema, const th_json *value, place *at)
{
    const th_json *choices = th_json_get(schema, "enum");
    bool found = choices == NULL;
    for (const th_json *c = th_json_first(choices); c; c = th_json_next(choices, c))
        found = found || (value->type == TH_JSON_STRING ? th_str_eq(c->text, value->text) : th_str_eq(c->raw, value->raw));
    return found || fault(at, "enum", "不在可选范围内", "Not one of the choices");
}

static void field_check(const th_cases *cases, const th_json *schema, const th_json *value, th_str name, th_error *error)
{
    place at = {.error = error};
    th_str type = th_json_str(schema, "type");
    int64_t number;
    bool ok = true;
    snprintf(at.pointer, sizeof at.pointer, "/form/%.*s", (int)(name.n < 80 ? name.n : 80), name.p);
    if (th_str_is(type, "string"))
        ok = text_check(cases, schema, value, &at);
    else if (th_str_is(type, "integer"))
        ok = (th_json_is_int(value, &number) && number >= th_json_int(schema, "minimum", INT64_MIN) &&
              number <= th_json_int(schema, "maximum", INT64_MAX)) ||
             fault(&at, "range", "须为范围内的整数", "Must be a whole number within the range");
    else if (th_str_is(type, "boolean"))
        ok = value->type == TH_JSON_TRUE || value->type == TH_JSON_FALSE || fault(&at, "type", "须为是或否", "Must be true or false");
    if (ok)
        TH_IGNORE(choice_check(schema, value, &at));
}

static void unknown(th_str name, th_error *error)
{
    char pointer[TH_POINTER_TEXT];
    th_json_pointer_to(pointer, "/form", name);
    th_fail_field(error, pointer, "unknown-field", "表单中没有这一项", "The form has no such field");
}

th_status th_form_check(const th_cases *cases, const th_case_item *item, const th_json *form, th_error *error)
{
    const th_json *schema = th_json_get(item->json, "form"), *properties = th_json_get(schema, "properties");
    const th_json *required = th_json_get(schema, "required");
    size_t before = error->field_count;
    for (const th_json *f = th_json_first(form); f; f = th_json_next(form, f)) {
        const th_json *property = th_json_get_str(properties, f->key);
        if (property)
            field_check(cases, property, f, f->key, error);
        else
            unknown(f->key, error);
    }
    for (const th_json *r = th_json_first(required); r; r = th_json_next(required, r)) {
        const th_json *given = th_json_get_str(form, r->text);
        place at = {.error = error};
        snprintf(at.pointer, sizeof at.pointer, "/form/%.*s", (int)(r->text.n < 80 ? r->text.n : 80), r->text.p);
        if (!given || (given->type == TH_JSON_STRING && !given->text.n))
            fault(&at, "required", "请填写此项", "This field is needed");
    }
    return error->field_count > before ? TH_INVALID : TH_OK;
}

/* ---- the schema itself, when an item is loaded ---- */

th_status th_form_schema_check(const th_json *schema, th_error *error)
{
    const th_json *properties = th_json_get(schema, "properties"), *required = th_json_get(schema, "required");
    for (const th_json *p = th_json_first(properties); p; p = th_json_next(properties, p)) {
        th_str type = th_json_str(p, "type"), pattern = th_json_str(p, "pattern"), format = th_json_str(p, "format");
        regex_t re;
        char pointer[120];
        snprintf(pointer, sizeof pointer, "/form/properties/%.*s", (int)(p->key.n < 80 ? p->key.n : 80), p->key.p);
        if (!th_str_is(type, "string") && !th_str_is(type, "integer") && !th_str_is(type, "boolean"))
            return th_fail_field(error, pointer, "type", "类型须为 string、integer 或 boolean", "The type is string, integer or boolean");
        if (format.n && !format_known(format))
            return th_fail_field(error, pointer, "format", "未知的格式", "Unknown format");
        if (pattern.n) {
            if (!pattern_compile(pattern, &re))
                return th_fail_field(error, pointer, "pattern", "正则表达式不可用", "The pattern cannot be used");
            regfree(&re);
        }
    }
    for (const th_json *r = th_json_first(required); r; r = th_json_next(required, r))
        if (!th_json_get_str(properties, r->text))
            return th_fail_field(error, "/form/required", "unknown-field", "必填项未定义", "A required field is not defined");
    return TH_OK;
}
