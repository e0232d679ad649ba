/* load.c — the region's items: one JSON text each, checked when the node opens; a wrong one stops the node with its name. */
#include "cases-private.h"

static bool words_want(const th_json *json, const char *key, th_str *ret_zh, th_str *ret_en, th_error *error)
{
    const th_json *words;
    if (!th_json_want_object(json, "", key, &words, error))
        return false;
    return th_json_want_str(words, "/title", "zh", 200, ret_zh, error) && th_json_want_str(words, "/title", "en", 300, ret_en, error);
}

static bool evidence_read(const th_json *json, th_item_evidence *e, th_error *error)
{
    const th_json *map;
    *e = (th_item_evidence){.json = json};
    bool ok = th_json_want_str(json, "/evidence", "id", 64, &e->id, error);
    ok = words_want(json, "title", &e->title_zh, &e->title_en, error) && ok;
    ok = th_json_want_str(json, "/evidence", "provider", TH_CODE_TEXT - 1, &e->provider, error) && ok;
    ok = th_json_want_str(json, "/evidence", "register", 64, &e->reg, error) && ok;
    ok = th_json_want_object(json, "/evidence", "key", &map, error) && ok;
    ok = th_json_want_object(json, "/evidence", "claims", &map, error) && ok;
    e->consent = th_json_bool(json, "consent", true);
    return ok;
}

static th_status item_read(th_cases *cases, const th_json *root, th_case_item *item, th_error *error)
{
    const th_json *form, *list;
    *item = (th_case_item){.json = root};
    bool ok = th_json_want_str(root, "", "code", 64, &item->code, error);
    ok = words_want(root, "title", &item->title_zh, &item->title_en, error) && ok;
    item->owner_from = th_json_str(root, "owner_from");
    if (!item->owner_from.n)
        ok = th_json_want_str(root, "", "owner", TH_CODE_TEXT - 1, &item->owner, error) && ok;
    ok = th_json_want_str(root, "", "office", 64, &item->office, error) && ok;
    ok = th_json_want_object(root, "", "form", &form, error) && ok;
    ok = th_json_want_array(root, "", "evidence", 16, &list, error) && ok;
    if (ok && th_form_schema_check(form, error))
        return TH_INVALID;
    if (!ok || th_clock_terms_read(cases->rules, root, &item->terms, error))
        return TH_INVALID;
    item->limit_days = item->terms.promised_days;
    th_item_evidence *all = th_alloc_array(&cases->arena, list->count ? list->count : 1, sizeof *all);
    if (!all)
        return TH_NO_MEMORY;
    for (const th_json *e = th_json_first(list); e; e = th_json_next(list, e))
        if (!evidence_read(e, &all[item->evidence_count++], error))
            return TH_INVALID;
    item->evidence = all;
    return TH_OK;
}

static th_status text_load(th_cases *cases, th_str name, th_str text, th_error *error)
{
    const th_json *root;
    th_error why = {0};
    th_str kept = th_str_keep(&cases->arena, text);
    th_status status = kept.p ? th_json_parse(kept, &cases->arena, &root, &why) : TH_NO_MEMORY;
    if (!status)
        status = item_read(cases, root, &cases->items[cases->item_count], &why);
    if (status)
        return th_failf(error, TH_INVALID, "item-file", "事项文件 %.*s 不合规定：%s %s",
                        "The item file %.*s is not acceptable: %s %s", TH_FMT(name),
                        why.field_count ? why.fields[0].pointer : "", why.en);
    cases->item_count++;
    return TH_OK;
}

th_status th_items_load(th_cases *cases, const th_case_file *files, size_t n, th_error *error)
{
    th_status status = TH_OK;
    cases->items = th_alloc_array(&cases->arena, n ? n : 1, sizeof *cases->items);
    if (!cases->items)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (size_t i = 0; !status && i < n; i++)
        status = text_load(cases, files[i].name, files[i].text, error);
    return status;
}

int64_t th_case_due_us(const th_cases *cases, const th_case_item *item, int64_t accepted_us)
{
    bool provisional;
    int32_t start = th_day_of(accepted_us);
    int32_t due = item->terms.unit == TH_UNIT_NATURAL ? th_calendar_add_natural(cases->calendar, start, item->terms.promised_days, &provisional)
                                                      : th_calendar_add(cases->calendar, start, item->terms.promised_days, &provisional);
    return th_day_end_us(due);
}

const th_case_item *th_cases_item(const th_cases *cases, th_str code)
{
    for (size_t i = 0; i < cases->item_count; i++)
        if (th_str_eq(cases->items[i].code, code))
            return &cases->items[i];
    return NULL;
}

th_str th_item_owner(const th_case_item *item, const th_json *form)
{
    if (!item->owner_from.n)
        return item->owner;
    const th_json *code = th_json_get_str(form, item->owner_from);
    return code && code->type == TH_JSON_STRING ? code->text : (th_str){NULL, 0};
}

size_t th_cases_items(const th_cases *cases, const th_case_item **ret_items)
{
    *ret_items = cases->items;
    return cases->item_count;
}
