/* load.c — the region's items: files of one item, and members' lists over the basic catalogue. All are checked when the node opens; a wrong one
 * stops the node, and all faults are named. */
#include "cases-private.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEM_MAX = 256 * 1024 };

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

static th_status hash_make(th_case_item *item, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, ITEM_MAX);
    th_status status = th_json_canonical(item->json, &buf);
    if (!status && !th_buf_ok(&buf))
        status = TH_TOO_LARGE;
    if (status)
        return status;
    th_hash hash = th_hash_str(TH_SUITE_ED25519, th_buf_view(&buf));
    th_hex(hash.b, sizeof hash.b, item->hash);
    return TH_OK;
}

static bool published_between(th_case_item *item, const th_json *root)
{
    th_str from = th_json_str(root, "valid_from"), to = th_json_str(root, "valid_to"), state = th_json_str(root, "state");
    item->version = th_json_int(root, "version", 1);
    item->published = !state.n || th_str_is(state, "published");
    item->valid_from = INT32_MIN;
    item->valid_to = INT32_MAX;
    return (!from.n || th_day_parse(from, &item->valid_from)) && (!to.n || th_day_parse(to, &item->valid_to));
}

static th_status item_read(th_cases *cases, const th_json *root, th_case_item *item, th_error *error)
{
    const th_json *form, *list;
    *item = (th_case_item){.json = root, .kind = th_json_str(root, "kind"), .topic = th_json_str(root, "topic_code"),
                           .listed = th_json_bool(root, "listed", true)};
    bool ok = th_json_want_str(root, "", "code", 64, &item->code, error);
    ok = words_want(root, "title", &item->title_zh, &item->title_en, error) && ok;
    item->owner_from = th_json_str(root, "owner_from");
    if (!item->owner_from.n)
        ok = th_json_want_str(root, "", "owner", TH_CODE_TEXT - 1, &item->owner, error) && ok;
    ok = th_json_want_str(root, "", "office", 64, &item->office, error) && ok;
    ok = th_json_want_object(root, "", "form", &form, error) && ok;
    ok = th_json_want_array(root, "", "evidence", 16, &list, error) && ok;
    if (!ok || th_form_schema_check(form, error) || th_item_check(cases->rules, root, "", error) || !published_between(item, root) ||
        th_clock_terms_read(cases->rules, root, &item->terms, error))
        return TH_INVALID;
    item->limit_days = item->terms.promised_days;
    th_item_evidence *all = th_alloc_array(&cases->arena, list->count ? list->count : 1, sizeof *all);
    if (!all)
        return TH_NO_MEMORY;
    for (const th_json *e = th_json_first(list); e; e = th_json_next(list, e))
        if (!evidence_read(e, &all[item->evidence_count++], error))
            return TH_INVALID;
    item->evidence = all;
    return hash_make(item, &cases->arena);
}

/* ---- the region's files ---- */

typedef struct source { /* one file */
    th_str name;
    const th_json *root, *rows; /* rows NULL: the file is one item */
} source;

/* One fault of one row, under the file's name. */
static void fault_tell(th_error *error, th_str file, th_str code, const th_error *why)
{
    char pointer[96];
    snprintf(pointer, sizeof pointer, "%.*s/%.*s%.40s", (int)(file.n < 24 ? file.n : 24), file.p ? file.p : "", (int)(code.n < 28 ? code.n : 28),
             code.p ? code.p : "", why->field_count ? why->fields[0].pointer : "");
    if (!error->status)
        th_failf(error, TH_INVALID, "item-file", "事项文件 %.*s 不合规定：%s %s", "The item file %.*s is not acceptable: %s %s", TH_FMT(file),
                 why->field_count ? why->fields[0].pointer : "", why->field_count ? why->fields[0].en : why->en);
    if (error->field_count == TH_ERROR_FIELDS_MAX)
        return;
    th_error one = {0};
    th_fail_field(&one, pointer, why->field_count ? why->fields[0].code : why->type, why->field_count ? why->fields[0].zh : why->zh,
                  why->field_count ? why->fields[0].en : why->en);
    error->fields[error->field_count++] = one.fields[0];
}

static void row_load(th_cases *cases, const source *s, const th_json *basic, const th_json *row, th_error *error)
{
    th_error why = {0};
    const th_json *item = row;
    th_status status = s->rows ? th_item_merge(basic, s->root, row, &cases->arena, &item, &why) : TH_OK;
    if (!status)
        status = item_read(cases, item, &cases->items[cases->item_count], &why);
    if (status)
        fault_tell(error, s->name, th_json_str(row, "code"), &why);
    else
        cases->item_count++;
}

static int by_code_and_version(const void *a, const void *b)
{
    const th_case_item *x = a, *y = b;
    int order = th_str_cmp(x->code, y->code);
    return order ? order : (x->version < y->version) - (x->version > y->version); /* the newest first */
}

/* A version stands once, and no two that are in force on one day. */
static void versions_check(th_cases *cases, th_error *error)
{
    for (size_t i = 1; i < cases->item_count; i++) {
        const th_case_item *a = &cases->items[i - 1], *b = &cases->items[i];
        th_error why = {0};
        if (!th_str_eq(a->code, b->code))
            continue;
        if (a->version == b->version)
            th_fail_field(&why, "/version", "duplicate-version", "同一版本出现两次", "The version stands twice");
        else if (a->published && b->published && a->valid_from <= b->valid_to && b->valid_from <= a->valid_to)
            th_fail_field(&why, "/version", "two-versions", "两个版本同时有效", "Two versions are in force at the same time");
        if (why.status)
            fault_tell(error, TH_STR("items"), b->code, &why);
    }
}

static th_status sources_read(th_cases *cases, const th_case_file *files, size_t n, source *sources, const th_json **ret_basic, size_t *ret_rows,
                              th_error *error)
{
    *ret_basic = NULL;
    *ret_rows = 0;
    for (size_t i = 0; i < n; i++) {
        th_error why = {0};
        source *s = &sources[i];
        th_str kept = th_str_keep(&cases->arena, files[i].text);
        s->name = files[i].name;
        th_status status = kept.p ? th_json_parse(kept, &cases->arena, &s->root, &why) : TH_NO_MEMORY;
        if (status) {
            fault_tell(error, s->name, (th_str){NULL, 0}, &why);
            return TH_INVALID;
        }
        bool is_basic = th_json_get(s->root, "profiles") != NULL;
        if (is_basic)
            *ret_basic = s->root;
        s->rows = is_basic ? NULL : th_json_get(s->root, "items");
        *ret_rows += s->rows ? s->rows->count : !is_basic;
    }
    return TH_OK;
}

th_status th_items_load(th_cases *cases, const th_case_file *files, size_t n, th_error *error)
{
    const th_json *basic;
    size_t rows;
    th_error own = {0};
    th_arena arena;
    if (!error)
        error = &own;
    th_arena_open(&arena, 1 << 20);
    source *sources = th_alloc_array(&arena, n + 1, sizeof *sources);
    th_status status = sources ? sources_read(cases, files, n, sources, &basic, &rows, error) : TH_NO_MEMORY;
    if (!status) {
        cases->items = th_alloc_array(&cases->arena, rows + 1, sizeof *cases->items);
        status = cases->items ? TH_OK : th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    }
    for (size_t i = 0; !status && i < n; i++) {
        const source *s = &sources[i];
        if (s->root == basic)
            continue;
        if (!s->rows)
            row_load(cases, s, basic, s->root, error);
        for (const th_json *row = th_json_first(s->rows); row; row = th_json_next(s->rows, row))
            row_load(cases, s, basic, row, error);
    }
    if (!status && cases->item_count)
        qsort(cases->items, cases->item_count, sizeof *cases->items, by_code_and_version);
    if (!status)
        versions_check(cases, error);
    th_arena_close(&arena);
    return status ? status : error->status;
}

int64_t th_case_due_us(const th_cases *cases, const th_case_item *item, int64_t accepted_us)
{
    bool provisional;
    int32_t start = th_day_of(accepted_us);
    int32_t due = item->terms.unit == TH_UNIT_NATURAL ? th_calendar_add_natural(cases->calendar, start, item->terms.promised_days, &provisional)
                                                      : th_calendar_add(cases->calendar, start, item->terms.promised_days, &provisional);
    return th_day_end_us(due);
}

/* Of several versions the one in force; else the newest. */
const th_case_item *th_cases_item(const th_cases *cases, th_str code)
{
    size_t low = 0, high = cases->item_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (th_str_cmp(cases->items[middle].code, code) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == cases->item_count || !th_str_eq(cases->items[low].code, code))
        return NULL;
    int32_t today = th_day_of(th_now_us(&cases->env));
    for (size_t i = low; i < cases->item_count && th_str_eq(cases->items[i].code, code); i++)
        if (th_item_in_force(&cases->items[i], today))
            return &cases->items[i];
    return &cases->items[low];
}

const th_case_item *th_cases_item_version(const th_cases *cases, th_str code, int64_t version)
{
    for (size_t i = 0; i < cases->item_count; i++)
        if (cases->items[i].version == version && th_str_eq(cases->items[i].code, code))
            return &cases->items[i];
    return NULL;
}

bool th_item_in_force(const th_case_item *item, int32_t day)
{
    return item->published && item->valid_from <= day && day <= item->valid_to;
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
