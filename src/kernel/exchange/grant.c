/* grant.c — one grant: reading it, and whether it allows what a message asks for. */
#include "kernel/exchange/grant.h"

#include <stdio.h>
#include <string.h>

enum { GRANT_FIELDS_MAX = 64, GRANT_PURPOSES_MAX = 256, GRANT_BASIS_MAX = 400 };

static bool texts_read(const th_json *json, const char *key, size_t max, th_arena *arena, const th_str **ret, size_t *ret_n,
                       th_error *error)
{
    const th_json *list;
    if (!th_json_want_array(json, "", key, max, &list, error))
        return false;
    th_str *texts = th_alloc_array(arena, list->count + 1, sizeof *texts);
    size_t n = 0;
    if (!texts)
        return false;
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v)) {
        if (v->type != TH_JSON_STRING || !v->text.n || v->text.n > 80) {
            char pointer[40];
            snprintf(pointer, sizeof pointer, "/%s/%zu", key, n);
            th_fail_field(error, pointer, "type", "须为 80 字节以内的非空文字", "Must be a text of 80 bytes at most that is not empty");
            return false;
        }
        texts[n++] = v->text;
    }
    *ret = texts;
    *ret_n = n;
    return true;
}

/* 第十三条 · 国务院令第654号 · 〔2020〕35号: what a citation has and a phrase has not. */
static bool law_cited(th_str text)
{
    static const char *const signs[] = {"条", "号"};
    for (size_t i = 0; i < TH_COUNT(signs); i++)
        if (memmem(text.p, text.n, signs[i], strlen(signs[i])))
            return true;
    return false;
}

static bool rest_read(const th_json *json, th_grant *g, th_error *error)
{
    static const char *const allowed[] = {"id",    "provider", "register", "operation",  "fields",    "consumer", "purposes",
                                          "basis", "consent",  "rate",     "not_before", "not_after", "tells_absence", NULL};
    const th_json *consumer, *basis;
    th_str operation, consent;
    if (!th_json_only(json, "", allowed, error) || !th_json_want_str(json, "", "id", TH_GRANT_TEXT_MAX, &g->id, error) ||
        !th_json_want_str(json, "", "provider", 6, &g->provider, error) ||
        !th_json_want_str(json, "", "register", 80, &g->reg, error) ||
        !th_json_want_str(json, "", "operation", 10, &operation, error) ||
        !th_json_want_object(json, "", "consumer", &consumer, error) ||
        !th_json_want_str(consumer, "/consumer", "member", 6, &g->consumer_member, error) ||
        !th_json_want_object(json, "", "basis", &basis, error) ||
        !th_json_want_str(basis, "/basis", "zh", GRANT_BASIS_MAX, &g->basis_zh, error) ||
        !th_json_want_str(basis, "/basis", "en", GRANT_BASIS_MAX, &g->basis_en, error) ||
        !th_json_want_str(json, "", "consent", 10, &consent, error))
        return false;
    if (th_json_get(consumer, "office") &&
        !th_json_want_str(consumer, "/consumer", "office", 40, &g->consumer_office, error))
        return false;
    g->operation = th_str_is(operation, "verify") ? TH_VERIFY : TH_QUERY;
    if (g->operation == TH_QUERY && !th_str_is(operation, "query")) {
        th_fail_field(error, "/operation", "enum", "须为 verify 或 query", "Must be verify or query");
        return false;
    }
    g->consent_needed = th_str_is(consent, "citizen");
    if (!g->consent_needed && !th_str_is(consent, "none")) {
        th_fail_field(error, "/consent", "enum", "须为 none 或 citizen", "Must be none or citizen");
        return false;
    }
    if (!g->consent_needed && !law_cited(g->basis_zh)) {
        th_fail_field(error, "/basis/zh", "law", "不凭本人同意的读取须写明法律依据的条款或文号",
                      "A read without the person's consent must cite the article or number of the law that makes it a duty");
        return false;
    }
    g->tells_absence = th_json_bool(json, "tells_absence", false);
    return !th_json_get(json, "rate") || th_json_want_int(json, "", "rate", 0, 100000000, &g->rate_per_minute, error);
}

th_status th_grant_read(const th_json *json, th_arena *arena, th_grant *ret_grant, th_error *error)
{
    th_grant g = {0};
    th_error own = {0};
    th_buf buf;
    if (!error)
        error = &own;
    if (!json || json->type != TH_JSON_OBJECT)
        return th_fail_field(error, "", "type", "授权须为对象", "A grant must be an object");
    if (!rest_read(json, &g, error) ||
        !texts_read(json, "fields", GRANT_FIELDS_MAX, arena, &g.fields, &g.field_count, error) ||
        !texts_read(json, "purposes", GRANT_PURPOSES_MAX, arena, &g.purposes, &g.purpose_count, error))
        return TH_INVALID;
    if (!th_time_parse(th_json_str(json, "not_before"), &g.not_before_us))
        return th_fail_field(error, "/not_before", "time", "须为 RFC 3339 时间", "Must be an RFC 3339 instant");
    if (!th_time_parse(th_json_str(json, "not_after"), &g.not_after_us) || g.not_after_us <= g.not_before_us)
        return th_fail_field(error, "/not_after", "time", "须为晚于 not_before 的 RFC 3339 时间",
                             "Must be an RFC 3339 instant after not_before");
    th_buf_open(&buf, arena, 64 * 1024);
    th_status status = th_json_canonical(json, &buf);
    if (status || !th_buf_ok(&buf))
        return status ? status : TH_TOO_LARGE;
    g.json = th_buf_view(&buf);
    *ret_grant = g;
    return TH_OK;
}

static bool listed(const th_str *list, size_t n, th_str text)
{
    for (size_t i = 0; i < n; i++)
        if (th_str_eq(list[i], text))
            return true;
    return false;
}

th_status th_grant_check(const th_grant *g, const th_wanted *w, int64_t now_us, th_error *error)
{
    char text[TH_TIME_TEXT];
    if (!th_str_eq(g->consumer_member, w->consumer_member) ||
        (g->consumer_office.n && !th_str_eq(g->consumer_office, w->consumer_office)))
        return th_fail(error, TH_FORBIDDEN, "grant-consumer", "该授权不属于这个成员或机构", "This grant is not for that member or office");
    if (!th_str_eq(g->reg, w->reg))
        return th_fail(error, TH_FORBIDDEN, "grant-register", "该授权不含这个登记簿", "This grant does not cover that register");
    if (g->operation != w->operation)
        return th_fail(error, TH_FORBIDDEN, "grant-operation", "该授权不含这种操作", "This grant does not cover that operation");
    for (size_t i = 0; i < w->field_count; i++)
        if (!listed(g->fields, g->field_count, w->fields[i]))
            return th_failf(error, TH_FORBIDDEN, "grant-field", "该授权不含字段 %.*s", "This grant does not cover the field %.*s",
                            TH_FMT(w->fields[i]));
    if (!listed(g->purposes, g->purpose_count, w->item) && !listed(g->purposes, g->purpose_count, TH_STR("*")))
        return th_failf(error, TH_FORBIDDEN, "grant-purpose", "该授权不用于事项 %.*s", "This grant is not for the item %.*s",
                        TH_FMT(w->item));
    if (now_us > g->not_after_us) {
        th_time_shanghai(g->not_after_us, text);
        return th_failf(error, TH_FORBIDDEN, "grant-expired", "该授权已于 %s 到期", "This grant expired at %s", text);
    }
    if (now_us < g->not_before_us) {
        th_time_shanghai(g->not_before_us, text);
        return th_failf(error, TH_FORBIDDEN, "grant-not-yet", "该授权自 %s 起生效", "This grant is valid from %s", text);
    }
    if (g->consent_needed && !w->has_consent)
        return th_fail(error, TH_FORBIDDEN, "consent-required", "该授权须有本人同意", "This grant needs the person's consent");
    return TH_OK;
}
