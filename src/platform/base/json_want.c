/* json_want.c — reading members with a fallback, and demanding them with every fault named. */
#include "platform/base/json.h"

#include <stdio.h>
#include <string.h>

enum { KEY_SHOWN_MAX = 64 };

bool th_json_is_int(const th_json *value, int64_t *ret)
{
    return value && value->type == TH_JSON_NUMBER && th_parse_i64(value->text, INT64_MIN, INT64_MAX, ret);
}

int64_t th_json_int(const th_json *object, const char *key, int64_t fallback)
{
    int64_t value;
    return th_json_is_int(th_json_get(object, key), &value) ? value : fallback;
}

bool th_json_bool(const th_json *object, const char *key, bool fallback)
{
    const th_json *m = th_json_get(object, key);
    if (!m || (m->type != TH_JSON_TRUE && m->type != TH_JSON_FALSE))
        return fallback;
    return m->type == TH_JSON_TRUE;
}

void th_json_pointer_to(char to[TH_POINTER_TEXT], const char *path, th_str key)
{
    size_t n = 0, room = TH_POINTER_TEXT;
    if (key.n > KEY_SHOWN_MAX)
        key = TH_STR("…");
    for (const char *p = path; *p && n + 1 < room; p++)
        to[n++] = *p;
    if (n + 1 < room)
        to[n++] = '/';
    for (size_t i = 0; i < key.n && n + 2 < room; i++) {
        if (key.p[i] == '~' || key.p[i] == '/') {
            to[n++] = '~';
            to[n++] = key.p[i] == '~' ? '0' : '1';
        } else {
            to[n++] = key.p[i];
        }
    }
    to[n] = 0;
}

static bool blame(th_error *error, const char *path, const char *key, const char *code, const char *zh, const char *en)
{
    char pointer[TH_POINTER_TEXT];
    th_json_pointer_to(pointer, path, th_str_of(key));
    th_fail_field(error, pointer, code, zh, en);
    return false;
}

static const th_json *want(const th_json *object, const char *path, const char *key, th_error *error)
{
    const th_json *m = th_json_get(object, key);
    if (!m)
        blame(error, path, key, "required", "缺少此项", "This member is required");
    return m;
}

bool th_json_want_str(const th_json *object, const char *path, const char *key, size_t max, th_str *ret, th_error *error)
{
    const th_json *m = want(object, path, key, error);
    if (!m)
        return false;
    if (m->type != TH_JSON_STRING)
        return blame(error, path, key, "type", "须为文字", "Must be text");
    if (m->text.n == 0)
        return blame(error, path, key, "empty", "不能为空", "Must not be empty");
    if (m->text.n > max)
        return blame(error, path, key, "too-long", "过长", "Too long");
    if (th_str_has_controls(m->text))
        return blame(error, path, key, "controls", "含有控制字符或方向控制符", "Has control or direction characters");
    *ret = m->text;
    return true;
}

bool th_json_want_int(const th_json *object, const char *path, const char *key, int64_t min, int64_t max, int64_t *ret,
                      th_error *error)
{
    int64_t value;
    const th_json *m = want(object, path, key, error);
    if (!m)
        return false;
    if (!th_json_is_int(m, &value))
        return blame(error, path, key, "type", "须为整数", "Must be a whole number");
    if (value < min || value > max)
        return blame(error, path, key, "range", "超出范围", "Out of range");
    *ret = value;
    return true;
}

bool th_json_want_object(const th_json *object, const char *path, const char *key, const th_json **ret, th_error *error)
{
    const th_json *m = want(object, path, key, error);
    if (!m)
        return false;
    if (m->type != TH_JSON_OBJECT)
        return blame(error, path, key, "type", "须为对象", "Must be an object");
    *ret = m;
    return true;
}

bool th_json_want_array(const th_json *object, const char *path, const char *key, size_t max, const th_json **ret, th_error *error)
{
    const th_json *m = want(object, path, key, error);
    if (!m)
        return false;
    if (m->type != TH_JSON_ARRAY)
        return blame(error, path, key, "type", "须为列表", "Must be a list");
    if (m->count > max)
        return blame(error, path, key, "too-many", "项目过多", "Too many elements");
    *ret = m;
    return true;
}

bool th_json_only(const th_json *object, const char *path, const char *const *allowed, th_error *error)
{
    bool ok = true;
    if (!object || object->type != TH_JSON_OBJECT) {
        th_fail_field(error, path, "type", "须为对象", "Must be an object");
        return false;
    }
    for (const th_json *m = th_json_first(object); m; m = th_json_next(object, m)) {
        const char *const *name = allowed;
        while (*name && !th_str_is(m->key, *name))
            name++;
        if (*name)
            continue;
        char pointer[TH_POINTER_TEXT];
        th_json_pointer_to(pointer, path, m->key);
        th_fail_field(error, pointer, "unknown-field", "未知的项", "This member is not known");
        ok = false;
    }
    return ok;
}
