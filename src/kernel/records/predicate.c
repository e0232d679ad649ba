/* predicate.c — questions about a record that tell less than its values: of age, at least this level, valid on that day, within this region.
 *
 * A predicate stands in the register's file: {"age>=": {"kind": "age", "field": "birth_date", "title", "x-en"}, …}. It is asked as a claim
 * whose name is the predicate's and whose value is the operand: {"age>=": 18}. */
#include "records-private.h"

#include <string.h>

enum { AGE_MAX = 150 };

static bool words_read(th_predicate *p, const th_json *json)
{
    p->name = json->key;
    p->zh = th_json_str(json, "title");
    p->en = th_json_str(json, "x-en");
    return p->zh.n && p->en.n;
}

static const th_field *field_of(const th_register *reg, const th_json *json, const char *member)
{
    return th_field_find(reg, th_json_str(json, member));
}

static bool kind_read(const th_register *reg, th_predicate *p, const th_json *json)
{
    th_str kind = th_json_str(json, "kind");
    p->fields[0] = field_of(reg, json, "field");
    if (th_str_is(kind, "age")) {
        p->kind = TH_PREDICATE_AGE;
        return p->fields[0] && p->fields[0]->format == TH_FORMAT_DATE;
    }
    if (th_str_is(kind, "order")) {
        p->kind = TH_PREDICATE_ORDER;
        p->order = th_json_get(json, "order");
        return p->fields[0] && p->order && p->order->type == TH_JSON_ARRAY && p->order->count;
    }
    if (th_str_is(kind, "valid")) {
        p->kind = TH_PREDICATE_VALID;
        p->from = field_of(reg, json, "from");
        p->to = field_of(reg, json, "to");
        p->state = field_of(reg, json, "state");
        p->since = field_of(reg, json, "since");
        p->states = th_json_get(json, "in");
        return p->from && (!p->state || (p->states && p->states->count));
    }
    if (th_str_is(kind, "within")) {
        p->kind = TH_PREDICATE_WITHIN;
        p->fields[1] = field_of(reg, json, "or");
        return p->fields[0] && p->fields[0]->format == TH_FORMAT_REGION;
    }
    return false;
}

th_status th_predicates_read(th_register *reg, th_error *error)
{
    const th_json *all = th_json_get(reg->json, "predicates"), *verifiable = th_json_get(reg->json, "verifiable");
    for (const th_json *json = th_json_first(all); json; json = th_json_next(all, json)) {
        th_predicate *p = &reg->predicates[reg->predicate_count];
        if (reg->predicate_count == TH_PREDICATES_MAX || !words_read(p, json) || !kind_read(reg, p, json))
            return th_fail_field(error, "/predicates", "predicate", "谓词定义不合规定", "A predicate is not defined as it should be");
        for (const th_json *v = th_json_first(verifiable); v; v = th_json_next(verifiable, v))
            p->verify = p->verify || th_str_eq(v->text, p->name);
        reg->predicate_count++;
    }
    return TH_OK;
}

const th_predicate *th_predicate_find(const th_register *reg, th_str name)
{
    for (size_t i = 0; i < reg->predicate_count; i++)
        if (th_str_eq(reg->predicates[i].name, name))
            return &reg->predicates[i];
    return NULL;
}

/* ---- operands ---- */

/* Ranks count from 0; a rank is one code or a list of codes that mean the same. −1 = not among them. */
static int rank_of(const th_json *order, th_str code)
{
    int rank = 0;
    for (const th_json *r = th_json_first(order); r; r = th_json_next(order, r), rank++) {
        if (th_str_eq(r->text, code))
            return rank;
        for (const th_json *same = r->type == TH_JSON_ARRAY ? th_json_first(r) : NULL; same; same = th_json_next(r, same))
            if (th_str_eq(same->text, code))
                return rank;
    }
    return -1;
}

bool th_predicate_check(const th_predicate *p, const th_json *operand, const char *path, th_error *error)
{
    char pointer[96];
    int64_t number;
    th_field_pointer(pointer, path, p->name);
    bool text = operand->type == TH_JSON_STRING;
    switch (p->kind) {
    case TH_PREDICATE_AGE:
        if (th_json_is_int(operand, &number) && number >= 0 && number <= AGE_MAX)
            return true;
        th_fail_field(error, pointer, "range", "须为 0–150 的整数", "Must be a whole number from 0 to 150");
        return false;
    case TH_PREDICATE_ORDER:
        if (text && rank_of(p->order, operand->text) >= 0)
            return true;
        th_fail_field(error, pointer, "enum", "不在等级表内", "Not one of the ranks");
        return false;
    case TH_PREDICATE_VALID:
        if (text && th_date_fits(operand->text))
            return true;
        th_fail_field(error, pointer, "date", "须为 YYYY-MM-DD 的真实日期", "Must be a real date YYYY-MM-DD");
        return false;
    case TH_PREDICATE_WITHIN:
        if (text && th_division_exists(p->fields[0]->divisions, operand->text))
            return true;
        th_fail_field(error, pointer, "region", "不是现行的行政区划代码", "Not the code of an administrative division of today");
        return false;
    }
    return false;
}

/* ---- evaluating ---- */

static th_str value_of(const th_json *entry, const th_field *f)
{
    const th_json *value = f ? th_json_get_str(entry, f->name) : NULL;
    return value && value->type == TH_JSON_STRING ? value->text : (th_str){NULL, 0};
}

static th_result result_of(bool holds)
{
    return holds ? TH_RESULT_MATCH : TH_RESULT_MISMATCH;
}

/* The day n years after `born` has come: dates compare as their texts. Who was born on 29 February comes of age on 1 March. */
static th_result age_at_least(th_str born, const th_json *operand, th_str today)
{
    int64_t years = 0, year = 0;
    char text[11] = "0000";
    if (!th_date_fits(born) || !th_json_is_int(operand, &years) || !th_parse_i64((th_str){born.p, 4}, 0, 9999, &year))
        return TH_RESULT_INDETERMINATE;
    year += years;
    if (year > 9999)
        return TH_RESULT_MISMATCH;
    for (int i = 3; i >= 0; i--, year /= 10)
        text[i] = (char)('0' + year % 10);
    memcpy(text + 4, born.p + 4, 6);
    return result_of(th_str_cmp((th_str){text, 10}, today) <= 0);
}

static bool state_stands(const th_predicate *p, th_str state)
{
    for (const th_json *s = th_json_first(p->states); s; s = th_json_next(p->states, s))
        if (th_str_eq(s->text, state))
            return true;
    return false;
}

/* Whether it stood on `day`: begun, not ended, and in a state that stands — or one that began to fall only after that day. */
static th_result valid_on(const th_predicate *p, const th_json *entry, th_str day, th_str today)
{
    th_str from = value_of(entry, p->from), to = value_of(entry, p->to), since = value_of(entry, p->since);
    if (!from.n)
        return TH_RESULT_INDETERMINATE;
    if (th_str_cmp(day, from) < 0 || (to.n && th_str_cmp(day, to) > 0))
        return TH_RESULT_MISMATCH;
    if (!p->state || state_stands(p, value_of(entry, p->state)))
        return TH_RESULT_MATCH;
    if (since.n)
        return result_of(th_str_cmp(day, since) < 0);
    return th_str_cmp(day, today) < 0 ? TH_RESULT_INDETERMINATE : TH_RESULT_MISMATCH;
}

/* A code with zeros at its end holds all that begin as it does. */
static bool within(th_str code, th_str wide)
{
    size_t n = wide.n;
    while (n > 2 && wide.p[n - 1] == '0' && wide.p[n - 2] == '0')
        n -= 2;
    return code.n >= n && memcmp(code.p, wide.p, n) == 0;
}

th_result th_predicate_holds(const th_predicate *p, const th_json *entry, const th_json *operand, th_str today)
{
    th_str value = value_of(entry, p->fields[0]), other = value_of(entry, p->fields[1]);
    int wanted, has;
    switch (p->kind) {
    case TH_PREDICATE_AGE:
        return age_at_least(value, operand, today);
    case TH_PREDICATE_ORDER:
        wanted = rank_of(p->order, operand->text);
        has = value.n ? rank_of(p->order, value) : -1;
        return has < 0 ? TH_RESULT_INDETERMINATE : result_of(has >= wanted);
    case TH_PREDICATE_VALID:
        return valid_on(p, entry, operand->text, today);
    case TH_PREDICATE_WITHIN:
        return value.n || other.n ? result_of((value.n && within(value, operand->text)) || (other.n && within(other, operand->text)))
                                  : TH_RESULT_INDETERMINATE;
    }
    return TH_RESULT_INDETERMINATE;
}
