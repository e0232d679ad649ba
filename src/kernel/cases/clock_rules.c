/* clock_rules.c — the law's limits and an item's terms, read and checked. */
#include "kernel/cases/clock.h"

#include <stdio.h>
#include <string.h>

static bool unit_parse(th_str name, th_unit *ret)
{
    static const char *const names[] = {"working", "natural", "month"};
    for (size_t i = 0; i < TH_COUNT(names); i++)
        if (th_str_is(name, names[i])) {
            *ret = (th_unit)i;
            return true;
        }
    return false;
}

static bool cited(const th_json *row)
{
    const th_json *law = th_json_get(row, "law"), *title = th_json_get(row, "title");
    return th_json_str(law, "zh").n && th_json_str(law, "en").n && th_json_str(title, "zh").n && th_json_str(title, "en").n;
}

static th_status row_fault(th_str name, const char *code, const char *zh, const char *en, th_error *error)
{
    char pointer[96];
    snprintf(pointer, sizeof pointer, "/%.*s", (int)(name.n < 60 ? name.n : 60), name.p);
    return th_fail_field(error, pointer, code, zh, en);
}

static th_status limit_read(const th_json *row, th_limit *limit, th_error *error)
{
    *limit = (th_limit){.name = row->key, .json = row, .days = (int)th_json_int(row, "days", 0), .extend = (int)th_json_int(row, "extend", 0)};
    if (!unit_parse(th_json_str(row, "unit"), &limit->unit) || limit->days < 1 || limit->days > 3650 || limit->extend < 0 || limit->extend > 3650)
        return row_fault(row->key, "range", "期限须有 days（1–3650）与 unit（working、natural、month）", "A limit has days (1–3650) and a unit", error);
    return cited(row) ? TH_OK : row_fault(row->key, "law", "期限须有标题与依据，中英文", "A limit has a title and its law, in both languages", error);
}

const th_limit *th_limit_find(const th_clock_rules *rules, const char *name)
{
    for (size_t i = 0; i < rules->limit_count; i++)
        if (th_str_is(rules->limits[i].name, name))
            return &rules->limits[i];
    return NULL;
}

static th_status needed_find(th_clock_rules *rules, th_error *error)
{
    const struct { const char *name; const th_limit **at; } needed[] = {{"correction", &rules->correction}, {"supply", &rules->supply},
                                                                        {"decision", &rules->decision},     {"joint", &rules->joint},
                                                                        {"deliver", &rules->deliver},       {"renewal", &rules->renewal}};
    for (size_t i = 0; i < TH_COUNT(needed); i++)
        if (!(*needed[i].at = th_limit_find(rules, needed[i].name)))
            return th_failf(error, TH_INVALID, "clocks", "缺少期限 %s", "The limit %s is missing", needed[i].name);
    return TH_OK;
}

th_status th_clock_rules_read(th_str json, th_arena *arena, const th_clock_rules **ret_rules, th_error *error)
{
    const th_json *root, *limits, *reasons;
    th_clock_rules *rules = th_alloc(arena, sizeof *rules);
    if (!rules)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_status status = th_json_parse(json, arena, &root, error);
    if (!status && (!th_json_want_object(root, "", "limits", &limits, error) || !th_json_want_object(root, "", "suspensions", &reasons, error)))
        status = TH_INVALID;
    if (!status && (limits->count > TH_LIMITS_MAX || reasons->count > TH_REASONS_MAX))
        status = th_fail(error, TH_TOO_LARGE, "clocks", "期限过多", "There are too many limits");
    for (const th_json *row = status ? NULL : th_json_first(limits); row && !status; row = th_json_next(limits, row))
        status = limit_read(row, &rules->limits[rules->limit_count++], error);
    for (const th_json *row = status ? NULL : th_json_first(reasons); row && !status; row = th_json_next(reasons, row)) {
        th_reason *reason = &rules->reasons[rules->reason_count++];
        *reason = (th_reason){.name = row->key, .json = row, .days = (int)th_json_int(row, "days", 0)};
        if (reason->days < 1 || reason->days > 3650 || !cited(row))
            status = row_fault(row->key, "range", "中止事由须有 days、标题与依据", "A reason to suspend has days, title and law", error);
    }
    if (!status)
        status = needed_find(rules, error);
    if (!status)
        *ret_rules = rules;
    return status;
}

int32_t th_limit_due(const th_calendar *calendar, const th_limit *limit, int32_t start, bool extended, bool *ret_provisional)
{
    int n = limit->days + (extended ? limit->extend : 0);
    if (limit->unit == TH_UNIT_WORKING)
        return th_calendar_add(calendar, start, n, ret_provisional);
    return limit->unit == TH_UNIT_NATURAL ? th_calendar_add_natural(calendar, start, n, ret_provisional)
                                          : th_calendar_add_months(calendar, start, n, ret_provisional);
}

/* ---- an item's terms ---- */

static th_status special_read(const th_clock_rules *rules, const th_json *list, th_clock_terms *terms, th_error *error)
{
    for (const th_json *s = th_json_first(list); s; s = th_json_next(list, s)) {
        th_str name = th_json_str(s, "reason");
        int found = -1;
        for (size_t i = 0; i < rules->reason_count; i++)
            found = th_str_eq(rules->reasons[i].name, name) ? (int)i : found;
        if (found < 0 || terms->special_count == TH_REASONS_MAX)
            return th_fail_field(error, "/special", "suspension-reason", "特殊环节不在法定事由之内", "A special step is none of the law's reasons");
        int64_t days = th_json_int(s, "days", rules->reasons[found].days);
        if (days < 1 || days > rules->reasons[found].days)
            return th_fail_field(error, "/special", "range", "特殊环节的天数超过规定", "A special step takes more days than the rules allow");
        terms->special[terms->special_count].rule = (int8_t)found;
        terms->special[terms->special_count++].days = (int16_t)days;
    }
    return TH_OK;
}

th_status th_clock_terms_read(const th_clock_rules *rules, const th_json *item, th_clock_terms *ret, th_error *error)
{
    const th_json *joint = th_json_get(item, "joint");
    const th_limit *law = joint && joint->count ? rules->joint : rules->decision;
    th_str unit = th_json_str(item, "day_unit");
    th_clock_terms terms = {.unit = TH_UNIT_WORKING};
    int64_t statutory = th_json_int(item, "statutory_days", law->days), promised = th_json_int(item, "promised_days", statutory);
    if (unit.n && (!unit_parse(unit, &terms.unit) || terms.unit == TH_UNIT_MONTH))
        return th_fail_field(error, "/day_unit", "enum", "计时单位须为 working 或 natural", "The unit is working or natural");
    if (statutory < 0 || statutory > 3650)
        return th_fail_field(error, "/statutory_days", "range", "法定办结时限不合理", "Not a possible statutory limit");
    int64_t extend = th_json_int(item, "extend_days", law->extend);
    if (extend < 0 || extend > law->extend)
        return th_fail_field(error, "/extend_days", "range", "延长不得超过法律规定", "No longer extension than the law's");
    if (promised < 0 || promised > statutory)
        return th_fail_field(error, "/promised_days", "promised-over-statutory", "承诺办结时限不得长于法定办结时限",
                             "What is promised must not be longer than the statutory limit");
    terms.statutory_days = (int)statutory;
    terms.promised_days = (int)promised;
    terms.extend_days = (int)extend;
    th_status status = special_read(rules, th_json_get(item, "special"), &terms, error);
    if (!status)
        *ret = terms;
    return status;
}
