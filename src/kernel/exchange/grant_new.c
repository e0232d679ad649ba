/* grant_new.c — a grant that is to be entered names what there is. What was entered once is read without these questions: time passes it, and
 * members leave. Items and offices are named by others, so that only their shape is looked at. */
#include "kernel/exchange/grant.h"

#include <stdio.h>
#include <string.h>

enum { CODE_MAX = 64 };

static bool code_fits(th_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-')
            return false;
    }
    return text.n && text.n <= CODE_MAX;
}

static bool listed_before(const th_str *list, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (th_str_eq(list[k], list[i]))
            return true;
    return false;
}

static void list_check(const th_str *list, size_t n, const char *key, bool codes, th_error *error)
{
    char pointer[TH_POINTER_TEXT];
    snprintf(pointer, sizeof pointer, "/%s", key);
    if (!n)
        th_fail_field(error, pointer, "empty", "不能为空", "Must not be empty");
    for (size_t i = 0; i < n; i++) {
        snprintf(pointer, sizeof pointer, "/%s/%zu", key, i);
        if (listed_before(list, i))
            th_fail_field(error, pointer, "repeated", "重复", "This stands twice");
        else if (codes && !code_fits(list[i]) && !th_str_is(list[i], "*"))
            th_fail_field(error, pointer, "pattern", "须为事项代码（字母、数字和 . _ -）或 *", "Must be an item's code (letters, digits and . _ -) or *");
    }
}

static void consumer_check(const th_json *consumer, const th_grant *g, const th_trust *trust, th_error *error)
{
    static const char *const members[] = {"member", "office", NULL};
    TH_IGNORE(th_json_only(consumer, "/consumer", members, error));
    if (trust && !th_trust_member(trust, g->consumer_member))
        th_fail_field(error, "/consumer/member", "unknown-member", "不是区域成员的代码", "Not the code of a member of the region");
    if (g->consumer_office.n && !code_fits(g->consumer_office))
        th_fail_field(error, "/consumer/office", "pattern", "须为机构代码（字母、数字和 . _ -）", "Must be an office's code (letters, digits and . _ -)");
}

th_status th_grant_check_new(const th_json *json, const th_grant *g, const th_trust *trust, int64_t now_us, th_error *error)
{
    static const char *const words[] = {"zh", "en", NULL};
    const th_json *tells = th_json_get(json, "tells_absence");
    th_error own = {0};
    if (!error)
        error = &own;
    size_t before = error->field_count;
    /* An id stands in the address by which the grant is taken back: "." and ".." do not survive there. */
    if (!code_fits(g->id) || g->id.n > TH_GRANT_ID_MAX || g->id.p[0] == '.')
        th_fail_field(error, "/id", "pattern", "须为 1–64 个字母、数字或 . _ -，且不以 . 开头",
                      "Must be 1 to 64 letters, digits or . _ -, and not begin with a dot");
    consumer_check(th_json_get(json, "consumer"), g, trust, error);
    TH_IGNORE(th_json_only(th_json_get(json, "basis"), "/basis", words, error));
    list_check(g->fields, g->field_count, "fields", false, error);
    list_check(g->purposes, g->purpose_count, "purposes", true, error);
    if (tells && tells->type != TH_JSON_TRUE && tells->type != TH_JSON_FALSE)
        th_fail_field(error, "/tells_absence", "type", "须为 true 或 false", "Must be true or false");
    if (g->not_after_us <= now_us)
        th_fail_field(error, "/not_after", "past", "已经过去", "This is over already");
    return error->field_count > before ? TH_INVALID : TH_OK;
}
