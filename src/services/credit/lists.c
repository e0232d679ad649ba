/* lists.c — the region's lists and measures, read once. A list that names no law is refused, and with it the file. */
#include "credit-private.h"

#include <stdio.h>

static th_status wrong(const char *part, size_t i, const char *member, const char *zh, const char *en, th_error *error)
{
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/%s/%zu/%s", part, i, member);
    return th_fail_field(error, pointer, "credit", zh, en);
}

static bool has_words(const th_json *row, const char *key)
{
    const th_json *words = th_json_get(row, key);
    return th_json_str(words, "zh").n && th_json_str(words, "en").n;
}

bool th_names(const th_json *list, th_str text)
{
    for (const th_json *e = th_json_first(list); e; e = th_json_next(list, e))
        if (th_str_eq(e->text, text))
            return true;
    return false;
}

const th_list *th_list_find(const th_credit *c, th_str code)
{
    for (size_t i = 0; i < c->list_count; i++)
        if (th_str_eq(c->lists[i].code, code))
            return &c->lists[i];
    return NULL;
}

const th_measure *th_measure_find(const th_credit *c, th_str code)
{
    for (size_t i = 0; i < c->measure_count; i++)
        if (th_str_eq(c->measures[i].code, code))
            return &c->measures[i];
    return NULL;
}

static th_status measure_read(th_credit *c, const th_json *json, th_error *error)
{
    static const char *const effects[] = {"defer_materials", "fast_lane", "manual_review", "deny", "promise_allowed", "inspect_ratio"};
    th_measure *m = &c->measures[c->measure_count];
    *m = (th_measure){.code = th_json_str(json, "code"), .effect = th_json_str(json, "effect"), .n = th_json_int(json, "n", 0), .json = json};
    bool known = false;
    for (size_t i = 0; i < TH_COUNT(effects); i++)
        known = known || th_str_is(m->effect, effects[i]);
    if (!m->code.n || !known)
        return wrong("measures", c->measure_count, "effect", "措施没有编号，或效果未知", "The measure has no code, or its effect is unknown", error);
    if (!has_words(json, "title") || !has_words(json, "law"))
        return wrong("measures", c->measure_count, "law", "措施须有标题与依据，中英文", "A measure has a title and a law, in both languages", error);
    c->measure_count++;
    return TH_OK;
}

static const th_json *severity_find(const th_credit *c, th_str code)
{
    const th_json *all = th_json_get(c->root, "severities");
    for (const th_json *s = th_json_first(all); s; s = th_json_next(all, s))
        if (th_str_eq(th_json_str(s, "code"), code))
            return s;
    return NULL;
}

static th_status list_read(th_credit *c, const th_json *json, th_error *error)
{
    size_t i = c->list_count;
    th_list *l = &c->lists[i];
    *l = (th_list){.code = th_json_str(json, "code"), .kind = th_json_str(json, "kind"), .recognisers = th_json_get(json, "recognisers"),
                   .scope = th_json_get(json, "scope"), .measures = th_json_get(json, "measures"), .json = json};
    bool incentive = th_str_is(l->kind, "incentive");
    const th_json *severity = severity_find(c, th_json_str(json, "severity"));
    if (!l->code.n || th_list_find(c, l->code))
        return wrong("lists", i, "code", "名单编号缺失或重复", "The list's code is missing or taken", error);
    if (!has_words(json, "title") || !has_words(json, "law"))
        return wrong("lists", i, "law", "没有法律依据的名单不予设立", "A list without a law is not made", error);
    if (!incentive && !th_str_is(l->kind, "breach") && !th_str_is(l->kind, "serious"))
        return wrong("lists", i, "kind", "名单类别未知", "Unknown kind of list", error);
    if (!incentive && !severity)
        return wrong("lists", i, "severity", "失信名单须有严重程度", "A negative list has a severity", error);
    for (const th_json *m = th_json_first(l->measures); m; m = th_json_next(l->measures, m))
        if (!th_measure_find(c, m->text))
            return wrong("lists", i, "measures", "措施未定义", "The measure is not defined", error);
    l->min_months = incentive ? 0 : (int)th_json_int(severity, "min_months", 0);
    l->max_months = (int)(incentive ? th_json_int(json, "months", 12) : th_json_int(severity, "max_months", 0));
    if (l->max_months < 1 || l->max_months > 120 || l->min_months < 0 || l->min_months > l->max_months)
        return wrong("lists", i, "months", "公示期限不合理", "Not a possible time of publication", error);
    c->list_count++;
    return TH_OK;
}

th_status th_lists_read(th_credit *c, th_str json, th_error *error)
{
    const th_json *lists, *measures;
    th_str kept = th_str_keep(&c->arena, json);
    th_status status = kept.p ? th_json_parse(kept, &c->arena, &c->root, error) : TH_NO_MEMORY;
    if (!status && (!th_json_want_array(c->root, "", "lists", TH_LISTS_MAX, &lists, error) ||
                    !th_json_want_array(c->root, "", "measures", TH_MEASURES_MAX, &measures, error)))
        status = TH_INVALID;
    for (const th_json *m = status ? NULL : th_json_first(measures); m && !status; m = th_json_next(measures, m))
        status = measure_read(c, m, error);
    for (const th_json *l = status ? NULL : th_json_first(lists); l && !status; l = th_json_next(lists, l))
        status = list_read(c, l, error);
    return status;
}

int32_t th_months_after(int32_t day, int months)
{
    int year, month, date;
    th_date_of((int64_t)day * TH_DAY_US, &year, &month, &date);
    int total = year * 12 + month - 1 + months;
    year = total / 12;
    month = total % 12 + 1;
    while (!th_date_valid(year, month, date))
        date--;
    return (int32_t)(th_date_us(year, month, date) / TH_DAY_US);
}
