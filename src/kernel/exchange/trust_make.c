/* trust_make.c — proposing and signing trust documents, and telling people what a new one changes. */
#include "kernel/exchange/trust.h"

#include <string.h>

enum { DOCUMENT_MAX = 4 << 20 };

static th_status parsed(th_str document, th_arena *arena, const th_json **ret_part, const th_json **ret_signatures, th_error *error)
{
    const th_json *root;
    th_status status = th_json_parse(document, arena, &root, error);
    if (status)
        return status;
    *ret_part = th_json_get(root, "signed");
    *ret_signatures = th_json_get(root, "signatures");
    return *ret_part ? TH_OK : th_fail_field(error, "/signed", "required", "缺少签名内容", "The signed part is missing");
}

th_status th_trust_propose(th_str signed_part, th_arena *arena, th_str *ret_document, th_error *error)
{
    const th_json *part;
    th_buf buf;
    th_status status = th_json_parse(signed_part, arena, &part, error);
    if (status)
        return status;
    th_buf_open(&buf, arena, DOCUMENT_MAX);
    th_buf_text(&buf, "{\"signed\":");
    status = th_json_canonical(part, &buf);
    th_buf_text(&buf, ",\"signatures\":[]}");
    *ret_document = th_buf_view(&buf);
    return status ? status : th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

th_status th_trust_sign(th_str document, const th_key *key, th_arena *arena, th_str *ret_document, th_error *error)
{
    return th_document_sign(document, "tonghui/v1/trust\n", key, arena, ret_document, error);
}

th_status th_document_sign(th_str document, const char *tag, const th_key *key, th_arena *arena, th_str *ret_document, th_error *error)
{
    const th_json *part, *signatures;
    th_buf message, buf;
    uint8_t signature[TH_SIGNATURE_SIZE];
    char kid[TH_KID_TEXT];
    th_status status = parsed(document, arena, &part, &signatures, error);
    if (status)
        return status;
    th_kid_of(key, kid);
    th_buf_open(&message, arena, DOCUMENT_MAX);
    th_buf_text(&message, tag);
    status = th_json_canonical(part, &message);
    if (!status && !th_buf_ok(&message))
        status = TH_TOO_LARGE;
    if (!status)
        status = th_sign(key, th_buf_view(&message), signature);
    if (status)
        return status;
    th_buf_open(&buf, arena, DOCUMENT_MAX + 65536);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_str view = th_buf_view(&message);
    size_t tag_n = strlen(tag);
    th_pen_kraw(&pen, "signed", (th_str){view.p + tag_n, view.n - tag_n});
    th_pen_key(&pen, "signatures");
    th_pen_array(&pen);
    for (const th_json *s = th_json_first(signatures); s; s = th_json_next(signatures, s))
        if (!th_str_is(th_json_str(s, "kid"), kid))
            th_pen_raw(&pen, s->raw);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "kid", kid);
    th_pen_kstr(&pen, "sig", th_base64url(arena, signature, sizeof signature));
    th_pen_end(&pen, '}');
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    *ret_document = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

/* ---- differences ---- */

static void change(th_pen *pen, th_arena *arena, const char *path, th_str key, th_str before, th_str after, const char *zh,
                   const char *en)
{
    if (before.p == after.p || (before.p && after.p && th_str_eq(before, after)))
        return;
    th_pen_object(pen);
    th_pen_kstr(pen, "path", th_strf(arena, "%s%s%.*s", path, key.n ? "/" : "", TH_FMT(key)));
    th_pen_kraw(pen, "before", before.p ? before : TH_STR("null"));
    th_pen_kraw(pen, "after", after.p ? after : TH_STR("null"));
    th_pen_ktext(pen, "zh", !before.p ? "新增" : !after.p ? "移除" : zh);
    th_pen_ktext(pen, "en", !before.p ? "added" : !after.p ? "removed" : en);
    th_pen_end(pen, '}');
}

static const th_json *item_by(const th_json *list, const char *id, th_str value)
{
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v))
        if (th_str_eq(th_json_str(v, id), value))
            return v;
    return NULL;
}

static th_str raw(const th_json *value)
{
    return value ? value->raw : (th_str){NULL, 0};
}

/* Lists whose elements have an id are compared by it, so that an inserted member is one line and not a different list. */
static void list_changes(th_pen *pen, th_arena *arena, const char *path, const char *id, const th_json *before, const th_json *after,
                         const char *zh, const char *en)
{
    for (const th_json *v = th_json_first(before); v; v = th_json_next(before, v))
        change(pen, arena, path, th_json_str(v, id), raw(v), raw(item_by(after, id, th_json_str(v, id))), zh, en);
    for (const th_json *v = th_json_first(after); v; v = th_json_next(after, v))
        if (!item_by(before, id, th_json_str(v, id)))
            change(pen, arena, path, th_json_str(v, id), (th_str){NULL, 0}, raw(v), zh, en);
}

static void member_changes(th_pen *pen, th_arena *arena, const th_json *before, const th_json *after)
{
    static const char *const parts[] = {"name", "peer", "portal", "tls"};
    th_str code = th_json_str(before, "code");
    th_str path = th_strf(arena, "/members/%.*s", TH_FMT(code)), keys = th_strf(arena, "/members/%.*s/keys", TH_FMT(code));
    for (size_t i = 0; i < TH_COUNT(parts); i++)
        change(pen, arena, path.p, th_str_of(parts[i]), raw(th_json_get(before, parts[i])), raw(th_json_get(after, parts[i])),
               "成员信息变更", "member changed");
    list_changes(pen, arena, keys.p, "kid", th_json_get(before, "keys"), th_json_get(after, "keys"), "密钥变更", "key changed");
}

th_status th_trust_diff(const th_trust *before, const th_trust *after, th_arena *arena, th_str *ret_json)
{
    static const char *const plain[] = {"region", "name", "version", "issued", "expires", "suspended"};
    const th_json *a = th_json_get(before->root, "signed"), *b = th_json_get(after->root, "signed");
    const th_json *ma = th_json_get(a, "members"), *mb = th_json_get(b, "members");
    const th_json *ga = th_json_get(a, "governors"), *gb = th_json_get(b, "governors");
    th_buf buf;
    th_buf_open(&buf, arena, DOCUMENT_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_array(&pen);
    for (size_t i = 0; i < TH_COUNT(plain); i++)
        change(&pen, arena, "", th_str_of(plain[i]), raw(th_json_get(a, plain[i])), raw(th_json_get(b, plain[i])), "变更", "changed");
    change(&pen, arena, "/governors", TH_STR("threshold"), raw(th_json_get(ga, "threshold")), raw(th_json_get(gb, "threshold")),
           "治理门限变更", "threshold changed");
    list_changes(&pen, arena, "/governors", "kid", th_json_get(ga, "keys"), th_json_get(gb, "keys"), "治理密钥变更",
                 "governor changed");
    for (const th_json *m = th_json_first(ma); m; m = th_json_next(ma, m)) {
        const th_json *now = item_by(mb, "code", th_json_str(m, "code"));
        if (now)
            member_changes(&pen, arena, m, now);
        else
            change(&pen, arena, "/members", th_json_str(m, "code"), m->raw, (th_str){NULL, 0}, "", "");
    }
    for (const th_json *m = th_json_first(mb); m; m = th_json_next(mb, m))
        if (!item_by(ma, "code", th_json_str(m, "code")))
            change(&pen, arena, "/members", th_json_str(m, "code"), (th_str){NULL, 0}, m->raw, "", "");
    th_pen_end(&pen, ']');
    *ret_json = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}
