/* item_merge.c — one item out of a row of a member's list, the basic catalogue and its profile.
 *
 * Whoever is nearer wins: the row, then the catalogue's item of the row's topic, then that item's profile, then the list's defaults. What
 * "illustrative" names is gathered from the catalogue and the list. "$owner" in a profile is the member's code. */
#include "cases-private.h"

#include <string.h>

enum { MEMBERS_MAX = 96, ITEM_MAX = 128 * 1024 };

typedef struct merging {
    th_pen pen;
    th_str seen[MEMBERS_MAX];
    size_t n;
} merging;

static bool seen_before(merging *m, th_str key)
{
    for (size_t i = 0; i < m->n; i++)
        if (th_str_eq(m->seen[i], key))
            return true;
    if (m->n < MEMBERS_MAX)
        m->seen[m->n++] = key;
    return false;
}

static void text_member(merging *m, const char *key, th_str value)
{
    if (value.n && !seen_before(m, th_str_of(key)))
        th_pen_kstr(&m->pen, key, value);
}

static void members_copy(merging *m, const th_json *from)
{
    static const char *const inner[] = {"topic", "sector", "profile", NULL};
    for (const th_json *v = th_json_first(from); v; v = th_json_next(from, v)) {
        bool skip = false;
        for (size_t i = 0; inner[i]; i++)
            skip = skip || th_str_is(v->key, inner[i]);
        if (skip || seen_before(m, v->key))
            continue;
        th_pen_key_str(&m->pen, v->key);
        th_pen_raw(&m->pen, v->raw);
    }
}

static void office_write(merging *m, const th_json *office)
{
    text_member(m, "office", th_json_str(office, "code"));
    text_member(m, "office_code", th_json_str(office, "uscc"));
    if (!seen_before(m, TH_STR("office_name"))) {
        th_pen_key(&m->pen, "office_name");
        th_pen_object(&m->pen);
        th_pen_kstr(&m->pen, "zh", th_json_str(office, "zh"));
        th_pen_kstr(&m->pen, "en", th_json_str(office, "en"));
        th_pen_end(&m->pen, '}');
    }
}

static void illustrative_write(merging *m, const th_json *a, const th_json *b)
{
    const th_json *both[] = {a, b};
    if (seen_before(m, TH_STR("illustrative")) || (!a && !b))
        return;
    th_pen_key(&m->pen, "illustrative");
    th_pen_array(&m->pen);
    for (size_t i = 0; i < 2; i++)
        for (const th_json *v = th_json_first(both[i]); v; v = th_json_next(both[i], v)) {
            bool again = false;
            for (const th_json *w = th_json_first(a); i && w; w = th_json_next(a, w))
                again = again || th_str_eq(w->text, v->text);
            if (!again)
                th_pen_str(&m->pen, v->text);
        }
    th_pen_end(&m->pen, ']');
}

/* Every "$owner" becomes the member's code. */
static th_str owner_put(th_str text, th_str owner, th_arena *arena)
{
    static const char mark[] = "\"$owner\"";
    th_buf buf;
    th_buf_open(&buf, arena, text.n + 16);
    for (size_t at = 0; at < text.n;) {
        const char *found = memmem(text.p + at, text.n - at, mark, sizeof mark - 1);
        size_t n = found ? (size_t)(found - text.p) - at : text.n - at;
        th_buf_put(&buf, text.p + at, n);
        at += n;
        if (found) {
            th_buff(&buf, "\"%.*s\"", TH_FMT(owner));
            at += sizeof mark - 1;
        }
    }
    return th_buf_view(&buf);
}

static const th_json *topic_find(const th_json *basic, th_str topic)
{
    const th_json *items = th_json_get(basic, "items");
    for (const th_json *i = th_json_first(items); i; i = th_json_next(items, i))
        if (th_str_eq(th_json_str(i, "topic"), topic))
            return i;
    return NULL;
}

th_status th_item_merge(const th_json *basic, const th_json *list, const th_json *row, th_arena *arena, const th_json **ret_item,
                        th_error *error)
{
    th_buf buf;
    merging m = {.n = 0};
    th_str topic = th_json_str(row, "topic"), owner = th_json_str(list, "member");
    const th_json *item = topic.n ? topic_find(basic, topic) : NULL;
    if (topic.n && !item)
        return th_fail_field(error, "/topic", "topic", "基本目录中没有这个事项", "The basic catalogue has no such item");
    th_str sector = th_json_str(item ? item : row, "sector");
    const th_json *offices = th_json_get(list, "offices"), *office = th_json_get_str(offices, sector);
    th_buf_open(&buf, arena, ITEM_MAX);
    m.pen = th_pen_on(&buf);
    th_pen_object(&m.pen);
    members_copy(&m, row);
    text_member(&m, "owner", owner);
    text_member(&m, "topic_code", topic);
    if (office)
        office_write(&m, office);
    members_copy(&m, item);
    members_copy(&m, th_json_get_str(th_json_get(basic, "profiles"), th_json_str(item ? item : row, "profile")));
    illustrative_write(&m, th_json_get(basic, "illustrative"), th_json_get(list, "illustrative"));
    members_copy(&m, th_json_get(list, "defaults"));
    th_pen_end(&m.pen, '}');
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "item-too-long", "事项内容过长", "The item is too long");
    th_str text = owner_put(th_buf_view(&buf), owner, arena);
    return text.p ? th_json_parse(text, arena, ret_item, error) : TH_NO_MEMORY;
}
