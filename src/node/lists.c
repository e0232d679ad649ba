/* lists.c — the region's two lists drafted from what a node knows: items handled anywhere, certificates shared. */
#include "node/lists.h"

#include <string.h>

enum { LIST_MAX = 4 << 20 };

static void head_write(th_node *node, th_pen *pen, const char *name, int64_t version, const th_trust *trust)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "agreement", name);
    th_pen_kstr(pen, "region", trust->region);
    th_pen_kint(pen, "version", version);
    th_pen_ktime(pen, "issued", th_now_us(&node->env));
    th_pen_key(pen, "rows");
    th_pen_array(pen);
}

static void others_write(th_pen *pen, const th_trust *trust, th_str owner)
{
    th_pen_key(pen, "members");
    th_pen_array(pen);
    for (size_t i = 0; i < trust->member_count; i++)
        if (!th_str_is(owner, trust->members[i].code) && !trust->members[i].suspended)
            th_pen_text(pen, trust->members[i].code);
    th_pen_end(pen, ']');
}

/* In how many ways an item may be begun elsewhere; an older file says only that it may. */
static th_str modes_of(const th_case_item *item)
{
    const th_json *modes = th_json_get(item->json, "modes");
    if (modes && modes->type == TH_JSON_ARRAY)
        return modes->count ? modes->raw : (th_str){NULL, 0};
    return th_json_bool(item->json, "anywhere", false) ? TH_STR("[\"online\",\"collect\",\"joint\"]") : (th_str){NULL, 0};
}

static void items_write(th_node *node, th_pen *pen, const th_trust *trust)
{
    const th_case_item *items;
    size_t n = th_cases_items(node->cases, &items);
    for (size_t i = 0; i < n; i++) {
        th_str modes = modes_of(&items[i]);
        if (th_cases_item(node->cases, items[i].code) != &items[i] || !items[i].listed || items[i].owner_from.n || !modes.n)
            continue;
        th_pen_object(pen);
        th_pen_kstr(pen, "item", items[i].code);
        th_pen_kraw(pen, "title", th_json_get(items[i].json, "title")->raw);
        th_pen_kstr(pen, "owner", items[i].owner);
        th_pen_kint(pen, "version", items[i].version);
        th_pen_ktext(pen, "hash", items[i].hash);
        th_pen_kraw(pen, "modes", modes);
        others_write(pen, trust, items[i].owner);
        th_pen_end(pen, '}');
    }
}

/* ---- certificates ---- */

static bool uses(const th_case_item *item, th_str code, th_str title)
{
    const th_json *materials = th_json_get(item->json, "materials");
    for (const th_json *m = th_json_first(materials); m; m = th_json_next(materials, m)) {
        th_str named = th_json_str(m, "ecert");
        if (named.n && (th_str_eq(named, code) || th_str_eq(named, title)))
            return true;
    }
    return false;
}

static void raw_member(th_pen *pen, const th_json *from, const char *key)
{
    const th_json *value = th_json_get(from, key);
    th_pen_kraw(pen, key, value ? value->raw : TH_STR("[]"));
}

static void type_write(th_node *node, th_pen *pen, const th_json *type)
{
    const th_case_item *items;
    size_t n = th_cases_items(node->cases, &items);
    th_str code = th_json_str(type, "code"), title = th_json_str(th_json_get(type, "title"), "zh");
    th_pen_object(pen);
    th_pen_kstr(pen, "type", th_json_str(type, "type_code"));
    th_pen_kstr(pen, "code", code);
    raw_member(pen, type, "title");
    raw_member(pen, type, "issuers");
    raw_member(pen, type, "accepting");
    th_pen_key(pen, "items");
    th_pen_array(pen);
    for (size_t i = 0; i < n; i++)
        if (th_cases_item(node->cases, items[i].code) == &items[i] && uses(&items[i], code, title))
            th_pen_str(pen, items[i].code);
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

static th_status ecerts_write(th_node *node, th_pen *pen, th_arena *arena, th_error *error)
{
    char dir[TH_PATH_TEXT], path[TH_PATH_TEXT];
    char **names;
    size_t n = 0;
    th_status status = th_path_join(dir, node->config.region_dir, "certificates") ? th_dir_list(dir, ".json", arena, &names, &n, error) : TH_TOO_LARGE;
    for (size_t i = 0; !status && i < n; i++) {
        th_str text;
        const th_json *type;
        status = th_path_join(path, dir, names[i]) ? th_file_read(path, 1 << 20, arena, &text, error) : TH_TOO_LARGE;
        if (!status)
            status = th_json_parse(text, arena, &type, error);
        if (!status)
            type_write(node, pen, type);
    }
    return status;
}

th_status th_list_compose(th_node *node, const char *name, int64_t version, th_arena *arena, th_str *ret_document, th_error *error)
{
    th_buf buf;
    bool items = strcmp(name, "items") == 0;
    th_trust *trust = th_exchange_trust(node->exchange);
    if (!trust)
        return th_fail(error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    th_buf_open(&buf, arena, LIST_MAX);
    th_pen pen = th_pen_on(&buf);
    head_write(node, &pen, name, version, trust);
    th_status status = TH_OK;
    if (items)
        items_write(node, &pen, trust);
    else
        status = ecerts_write(node, &pen, arena, error);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    if (!status && !th_buf_ok(&buf))
        status = th_fail(error, TH_TOO_LARGE, "list-size", "清单过大", "The list is too large");
    return status ? status : th_agreement_propose(th_buf_view(&buf), arena, ret_document, error);
}
