/* item_check.c — an item against what every item must be, fault by fault. */
#include "kernel/cases/items.h"

#include <stdio.h>
#include <string.h>

enum { POINTER = 96, MATERIALS_MAX = 64, WORDS_MAX = 4000 };

typedef struct checking {
    const char *path;
    th_error *error;
    bool ok;
} checking;

static void fault(checking *c, const char *member, const char *code, const char *zh, const char *en)
{
    char pointer[POINTER];
    snprintf(pointer, sizeof pointer, "%.60s%.34s", c->path, member);
    th_fail_field(c->error, pointer, code, zh, en);
    c->ok = false;
}

static bool among(th_str text, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        if (th_str_is(text, list[i]))
            return true;
    return false;
}

/* Words in both languages, neither empty. */
static bool words_whole(const th_json *words)
{
    th_str zh = th_json_str(words, "zh"), en = th_json_str(words, "en");
    return zh.n && en.n && zh.n <= WORDS_MAX && en.n <= WORDS_MAX && !th_str_has_controls(zh) && !th_str_has_controls(en);
}

static void words_check(checking *c, const th_json *item, const char *key, bool needed)
{
    const th_json *words = th_json_get(item, key);
    char member[POINTER];
    snprintf(member, sizeof member, "/%s", key);
    if (!words && needed)
        fault(c, member, "required", "缺少此项", "This is missing");
    else if (words && words->type != TH_JSON_NULL && !words_whole(words))
        fault(c, member, "language", "须有中文与英文", "Needs Chinese and English");
}

/* A list whose elements are words. */
static void list_check(checking *c, const th_json *item, const char *key)
{
    const th_json *list = th_json_get(item, key);
    char member[POINTER];
    snprintf(member, sizeof member, "/%s", key);
    if (!list)
        return;
    if (list->type != TH_JSON_ARRAY)
        fault(c, member, "type", "须为列表", "Must be a list");
    for (const th_json *w = th_json_first(list); w; w = th_json_next(list, w))
        if (!words_whole(w)) {
            fault(c, member, "language", "每项须有中文与英文", "Each needs Chinese and English");
            return;
        }
}

static void choice_check(checking *c, const th_json *item, const char *key, const char *const *choices)
{
    const th_json *value = th_json_get(item, key);
    char member[POINTER];
    snprintf(member, sizeof member, "/%s", key);
    if (value && !among(value->text, choices))
        fault(c, member, "enum", "不在可选范围内", "Not one of the choices");
}

static void choices_check(checking *c, const th_json *item, const char *key, const char *const *choices)
{
    const th_json *list = th_json_get(item, key);
    char member[POINTER];
    snprintf(member, sizeof member, "/%s", key);
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v))
        if (!among(v->text, choices)) {
            fault(c, member, "enum", "其中有不在可选范围内的值", "Holds one that is not among the choices");
            return;
        }
}

/* ---- the law, the kind, the days ---- */

static void law_check(checking *c, const th_json *item)
{
    static const char *const kinds[] = {"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "20", NULL};
    const th_json *basis = th_json_get(item, "basis"), *kind = th_json_get(item, "kind");
    if (!basis || basis->type != TH_JSON_ARRAY || !basis->count)
        fault(c, "/basis", "law", "事项须有设定依据", "An item needs a legal basis");
    list_check(c, item, "basis");
    if (!kind)
        fault(c, "/kind", "required", "缺少事项类型", "The kind is missing");
    else if (!among(kind->text, kinds))
        fault(c, "/kind", "kind", "没有这种事项类型", "There is no such kind of item");
}

static void days_check(checking *c, const th_clock_rules *rules, const th_json *item)
{
    th_clock_terms terms;
    th_error why = {0};
    if (th_clock_terms_read(rules, item, &terms, &why) == TH_OK)
        return;
    for (size_t i = 0; i < why.field_count; i++)
        fault(c, why.fields[i].pointer, why.fields[i].code, why.fields[i].zh, why.fields[i].en);
}

static void version_check(checking *c, const th_json *item)
{
    static const char *const states[] = {"draft", "review", "published", "stopped", NULL};
    int32_t from, to;
    th_str a = th_json_str(item, "valid_from"), b = th_json_str(item, "valid_to");
    bool has_a = a.n > 0, has_b = b.n > 0;
    choice_check(c, item, "state", states);
    if (th_json_get(item, "version") && th_json_int(item, "version", 0) < 1)
        fault(c, "/version", "range", "版本须为正整数", "The version is a whole number from 1");
    if ((has_a && !th_day_parse(a, &from)) || (has_b && !th_day_parse(b, &to)))
        fault(c, has_a ? "/valid_from" : "/valid_to", "date", "须为 YYYY-MM-DD 的真实日期", "Must be a real date YYYY-MM-DD");
    else if (has_a && has_b && to < from)
        fault(c, "/valid_to", "range", "有效期止早于有效期起", "Ends before it begins");
}

/* ---- fees, visits, result ---- */

static void fees_check(checking *c, const th_json *item)
{
    const th_json *fees = th_json_get(item, "fees");
    for (const th_json *f = th_json_first(fees); f; f = th_json_next(fees, f))
        if (!words_whole(th_json_get(f, "title")) || !words_whole(th_json_get(f, "basis")) || th_json_int(f, "fen", -1) < 0) {
            fault(c, "/fees", "fee", "每项收费须有名称、金额（分）与依据", "Each fee needs a title, an amount in fen and its basis");
            return;
        }
}

static void visits_check(checking *c, const th_json *item)
{
    int64_t visits = th_json_int(item, "visits", 0);
    if (visits < 0 || visits > 9)
        fault(c, "/visits", "range", "到现场次数不合理", "Not a possible number of visits");
    else if (visits > 0 && !words_whole(th_json_get(item, "visit_reason")))
        fault(c, "/visits", "visit-reason", "须到现场的，要说明原因", "A visit that is needed must be explained");
}

static void result_check(checking *c, const th_json *item)
{
    static const char *const types[] = {"certificate", "document", "other", NULL};
    const th_json *result = th_json_get(item, "result");
    if (!result || result->type == TH_JSON_NULL)
        return;
    if (!words_whole(th_json_get(result, "title")))
        fault(c, "/result/title", "language", "须有中文与英文", "Needs Chinese and English");
    if (!among(th_json_str(result, "type"), types))
        fault(c, "/result/type", "enum", "须为 certificate、document 或 other", "Must be certificate, document or other");
}

static void appeal_check(checking *c, const th_json *item)
{
    const th_json *appeal = th_json_get(item, "appeal");
    if (appeal && appeal->type != TH_JSON_NULL && (!words_whole(th_json_get(appeal, "organ")) || !words_whole(th_json_get(appeal, "court"))))
        fault(c, "/appeal", "appeal", "救济途径须写明复议机关与法院", "The route of appeal names the organ and the court");
}

/* ---- materials ---- */

static void obtain_check(checking *c, const th_json *m)
{
    static const char *const ways[] = {"upload", "register", "ecert", "promise", "defer", NULL};
    th_str way = th_json_str(m, "obtain");
    bool whole = among(way, ways);
    whole = whole && (!th_str_is(way, "register") || (th_json_str(m, "register").n && th_json_get(m, "provider")));
    whole = whole && (!th_str_is(way, "ecert") || th_json_str(m, "ecert").n);
    whole = whole && (!th_str_is(way, "promise") || words_whole(th_json_get(m, "promise")));
    whole = whole && (!th_str_is(way, "defer") || th_json_int(m, "defer_days", 0) > 0);
    if (!whole)
        fault(c, "/materials", "obtain", "材料须写明获取方式：上传、登记库、电子证照、告知承诺或容缺，并有相应内容",
              "A material says how it is obtained (upload, register, ecert, promise, defer) and what that needs");
}

static int index_of(th_str const *ids, int n, th_str id)
{
    for (int i = 0; i < n; i++)
        if (th_str_eq(ids[i], id))
            return i;
    return -1;
}

/* A material may be needed only beside another: those chains must end. */
static void chains_check(checking *c, const th_json *list, th_str const *ids, int n)
{
    int next[MATERIALS_MAX], i = 0;
    for (const th_json *m = th_json_first(list); m && i < n; m = th_json_next(list, m), i++) {
        const th_json *when = th_json_get(m, "when");
        th_str other = th_json_str(when, "material");
        next[i] = other.n ? index_of(ids, n, other) : -1;
        if (other.n && next[i] < 0)
            fault(c, "/materials", "unknown-material", "所依据的材料不存在", "Depends on a material that is not there");
    }
    for (i = 0; i < n; i++) {
        int at = i;
        for (int steps = 0; at >= 0; steps++) {
            at = next[at];
            if (steps > n) {
                fault(c, "/materials", "cycle", "材料之间循环依赖", "Materials need each other in a circle");
                return;
            }
        }
    }
}

static void materials_check(checking *c, const th_json *item)
{
    const th_json *list = th_json_get(item, "materials");
    th_str ids[MATERIALS_MAX];
    int n = 0;
    if (!list)
        return;
    if (list->type != TH_JSON_ARRAY || list->count > MATERIALS_MAX) {
        fault(c, "/materials", "type", "须为列表，至多 64 项", "Must be a list of at most 64");
        return;
    }
    for (const th_json *m = th_json_first(list); m; m = th_json_next(list, m)) {
        th_str id = th_json_str(m, "id");
        if (!id.n || index_of(ids, n, id) >= 0)
            fault(c, "/materials", "duplicate-id", "材料编号缺失或重复", "A material's id is missing or stands twice");
        ids[n++] = id;
        if (!words_whole(th_json_get(m, "title")))
            fault(c, "/materials", "language", "材料名称须有中文与英文", "A material's title needs Chinese and English");
        obtain_check(c, m);
    }
    chains_check(c, list, ids, n);
}

/* ---- all of it ---- */

static bool code_whole(th_str code)
{
    bool ok = code.n > 0 && code.n <= 64;
    for (size_t i = 0; ok && i < code.n; i++)
        ok = (code.p[i] >= 'A' && code.p[i] <= 'Z') || (code.p[i] >= 'a' && code.p[i] <= 'z') || (code.p[i] >= '0' && code.p[i] <= '9') ||
             code.p[i] == '-' || code.p[i] == '.';
    return ok;
}

th_status th_item_check(const th_clock_rules *rules, const th_json *item, const char *path, th_error *error)
{
    static const char *const modes[] = {"online", "collect", "joint", NULL}, *const handles[] = {"instant", "promise", NULL};
    static const char *const targets[] = {"1", "2", "3", "4", "5", "6", "9", NULL}, *const depths[] = {"I", "II", "III", "IV", NULL};
    static const char *const powers[] = {"statutory", "authorised", "entrusted", NULL};
    static const char *const lists[] = {"conditions", "process", "joint", "intermediary"};
    checking c = {.path = path, .error = error, .ok = true};
    if (item->type != TH_JSON_OBJECT) {
        fault(&c, "", "type", "事项须为对象", "An item is an object");
        return TH_INVALID;
    }
    if (!code_whole(th_json_str(item, "code")))
        fault(&c, "/code", "code", "编号须为字母、数字、- 与 .", "A code has letters, digits, - and .");
    words_check(&c, item, "title", true);
    words_check(&c, item, "sub_title", false);
    words_check(&c, item, "visit_reason", false);
    words_check(&c, item, "quota", false);
    law_check(&c, item);
    days_check(&c, rules, item);
    version_check(&c, item);
    for (size_t i = 0; i < TH_COUNT(lists); i++)
        list_check(&c, item, lists[i]);
    choices_check(&c, item, "modes", modes);
    choices_check(&c, item, "target", targets);
    choice_check(&c, item, "handle", handles);
    choice_check(&c, item, "depth", depths);
    choice_check(&c, item, "power_source", powers);
    fees_check(&c, item);
    visits_check(&c, item);
    result_check(&c, item);
    appeal_check(&c, item);
    materials_check(&c, item);
    return c.ok ? TH_OK : TH_INVALID;
}
