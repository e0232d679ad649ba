/* types.c — the region's types of certificate: one JSON text each, checked when the node opens; a wrong one stops the node with its name. */
#include "certificates-private.h"

#include <stdio.h>
#include <string.h>

static bool words_want(const th_json *json, const char *path, const char *key, th_str *ret_zh, th_str *ret_en, th_error *error)
{
    const th_json *words;
    return th_json_want_object(json, path, key, &words, error) && th_json_want_str(words, path, "zh", 300, ret_zh, error) &&
           th_json_want_str(words, path, "en", 400, ret_en, error);
}

/* Names that the token uses itself are not free for fields. */
static bool name_ok(th_str name)
{
    static const char *const taken[] = {"iss", "sub", "aud", "iat", "nbf", "exp", "jti", "vct", "cnf", "status", "number", "simulated", "_sd", "_sd_alg", "..."};
    bool ok = name.n > 0 && name.n <= 40;
    for (size_t i = 0; ok && i < name.n; i++) {
        char c = name.p[i];
        ok = (c >= 'a' && c <= 'z') || (i && c >= '0' && c <= '9') || (i && c == '_');
    }
    for (size_t i = 0; ok && i < TH_COUNT(taken); i++)
        ok = !th_str_is(name, taken[i]);
    return ok;
}

static bool from_ok(th_str from)
{
    static const char *const sources[] = {"holder_name", "holder_id", "holder_id_masked", "number", "issued", "expires"};
    for (size_t i = 0; i < TH_COUNT(sources); i++)
        if (th_str_is(from, sources[i]))
            return true;
    return !from.p;
}

static bool field_read(const th_json *json, th_certificate_field *f, th_error *error)
{
    th_str disclosure, type = th_json_str(json, "type");
    *f = (th_certificate_field){.from = th_json_str(json, "from"),
                                .square = th_json_bool(json, "square", false),
                                .page = th_json_bool(json, "page", true),
                                .integer = th_str_is(type, "integer"),
                                .needed = th_json_bool(json, "needed", true)};
    bool ok = th_json_want_str(json, "/fields", "name", 40, &f->name, error);
    ok = words_want(json, "/fields", "title", &f->title_zh, &f->title_en, error) && ok;
    ok = th_json_want_str(json, "/fields", "disclosure", 16, &disclosure, error) && ok;
    if (!ok)
        return false;
    if (!name_ok(f->name) || !from_ok(f->from))
        return th_fail_field(error, "/fields/name", "name", "字段名称或来源不合法", "A field's name or source is not acceptable") == TH_OK;
    f->disclosure = th_str_is(disclosure, "always") ? TH_DISCLOSE_ALWAYS : th_str_is(disclosure, "never") ? TH_DISCLOSE_NEVER : TH_DISCLOSE_SELECTIVE;
    if (!th_str_is(disclosure, "always") && !th_str_is(disclosure, "never") && !th_str_is(disclosure, "selective"))
        return th_fail_field(error, "/fields/disclosure", "enum", "须为 always、selective 或 never", "Must be always, selective or never") == TH_OK;
    if (f->disclosure == TH_DISCLOSE_NEVER && (f->square || th_json_bool(json, "page", false)))
        return th_fail_field(error, "/fields/disclosure", "never", "不得出示的字段不能印在证照上", "A field that is never shown cannot be printed") == TH_OK;
    if (f->disclosure == TH_DISCLOSE_NEVER)
        f->page = false;
    return true;
}

static bool fields_read(th_certificates *certs, const th_json *root, th_certificate_type *t, th_error *error)
{
    const th_json *list;
    if (!th_json_want_array(root, "", "fields", TH_CERTIFICATE_FIELDS_MAX, &list, error))
        return false;
    th_certificate_field *all = th_alloc_array(&certs->arena, list->count + 1, sizeof *all);
    if (!all)
        return false;
    t->fields = all;
    for (const th_json *f = th_json_first(list); f; f = th_json_next(list, f)) {
        if (!field_read(f, &all[t->field_count], error))
            return false;
        for (size_t i = 0; i < t->field_count; i++)
            if (th_str_eq(all[i].name, all[t->field_count].name))
                return th_fail_field(error, "/fields/name", "duplicate", "字段重复", "A field stands twice") == TH_OK;
        t->field_count++;
    }
    return true;
}

static bool issuers_read(th_certificates *certs, const th_json *root, th_certificate_type *t, th_error *error)
{
    const th_json *list;
    if (!th_json_want_array(root, "", "issuers", TH_CERTIFICATE_ISSUERS_MAX, &list, error))
        return false;
    th_certificate_issuer *all = th_alloc_array(&certs->arena, list->count + 1, sizeof *all);
    if (!all)
        return false;
    t->issuers = all;
    for (const th_json *i = th_json_first(list); i; i = th_json_next(list, i)) {
        th_certificate_issuer *issuer = &all[t->issuer_count];
        issuer->office = th_json_str(i, "office");
        if (!th_json_want_str(i, "/issuers", "member", TH_CODE_TEXT - 1, &issuer->member, error) ||
            !th_json_want_str(i, "/issuers", "uscc", 18, &issuer->uscc, error) || !words_want(i, "/issuers", "name", &issuer->zh, &issuer->en, error))
            return false;
        if (th_uscc_check(issuer->uscc) != TH_ID_OK)
            return th_fail_field(error, "/issuers/uscc", "check-digit", "统一社会信用代码有误", "The credit code is wrong") == TH_OK;
        t->issuer_count++;
    }
    return true;
}

static bool validity_read(const th_json *root, th_certificate_type *t, th_error *error)
{
    const th_json *v;
    if (!th_json_want_object(root, "", "validity", &v, error))
        return false;
    t->years = th_json_int(v, "years", 0);
    t->months = th_json_int(v, "months", 0);
    t->days = th_json_int(v, "days", 0);
    if (t->years < 0 || t->months < 0 || t->days < 0 || t->years > 100 || t->months > 1200 || t->days > 36500)
        return th_fail_field(error, "/validity", "range", "有效期超出范围", "The validity is out of range") == TH_OK;
    return true;
}

static th_status type_read(th_certificates *certs, const th_json *root, th_certificate_type *t, th_error *error)
{
    th_str code, holder;
    const th_json *accepting, *template;
    char id[TH_ECERT_ID_MAX];
    *t = (th_certificate_type){.json = root, .ttl_s = th_json_int(root, "ttl_seconds", TH_LIST_TTL_S)};
    bool ok = th_json_want_str(root, "", "code", sizeof t->code - 1, &code, error);
    ok = th_json_want_str(root, "", "type_code", 21, &t->type_code, error) && ok;
    ok = th_json_want_str(root, "", "vct", 200, &t->vct, error) && ok;
    ok = th_json_want_str(root, "", "holder", 16, &holder, error) && ok;
    ok = th_json_want_array(root, "", "accepting", 64, &accepting, error) && ok;
    ok = th_json_want_object(root, "", "template", &template, error) && ok;
    ok = words_want(root, "", "title", &t->title_zh, &t->title_en, error) && ok;
    ok = ok && fields_read(certs, root, t, error) && issuers_read(certs, root, t, error) && validity_read(root, t, error);
    if (!ok)
        return TH_INVALID;
    memcpy(t->code, code.p, code.n);
    t->organisation = th_str_is(holder, "organisation");
    if (!t->organisation && !th_str_is(holder, "person"))
        return th_fail_field(error, "/holder", "enum", "须为 person 或 organisation", "Must be person or organisation");
    if (t->issuer_count) { /* the type's code must make a good identifier */
        th_str parts = th_strf(&certs->arena, "%.*s.%.*s.20260000000001.001", TH_FMT(t->type_code), TH_FMT(t->issuers[0].uscc));
        snprintf(id, sizeof id, "1.2.156.3005.2.%s.%c", parts.p ? parts.p : "", th_ecert_id_digit(parts));
        if (th_ecert_id_check(th_str_of(id), NULL) != TH_ID_OK)
            return th_fail_field(error, "/type_code", "check-digit", "证照类型代码不合 GB/T 36904", "The type's code is not of GB/T 36904");
    }
    return TH_OK;
}

th_status th_certificate_types_load(th_certificates *certs, const th_certificate_file *files, size_t n, th_error *error)
{
    certs->types = th_alloc_array(&certs->arena, n + 1, sizeof *certs->types);
    th_status status = certs->types ? TH_OK : TH_NO_MEMORY;
    for (size_t i = 0; !status && i < n; i++) {
        const th_json *root;
        th_error why = {0};
        th_certificate_type *t = &certs->types[certs->type_count];
        th_str text = th_str_keep(&certs->arena, files[i].text);
        status = text.p ? th_json_parse(text, &certs->arena, &root, &why) : TH_NO_MEMORY;
        if (!status)
            status = type_read(certs, root, t, &why);
        if (!status && th_certificate_type_find(certs, th_str_of(t->code)))
            status = th_fail_field(&why, "/code", "duplicate", "类型重复", "This type is there already");
        if (!status && th_certificate_type_by_vct(certs, t->vct))
            status = th_fail_field(&why, "/vct", "duplicate", "类型标识重复", "This type's identifier is there already");
        if (status)
            return th_failf(error, status, "certificate-type", "证照类型 %.*s 有误：%s %s", "The type of certificate %.*s is wrong: %s %s", TH_FMT(files[i].name),
                            why.field_count ? why.fields[0].pointer : "", why.field_count ? why.fields[0].en : why.en);
        certs->type_count++;
    }
    return status;
}

const th_certificate_type *th_certificate_type_find(const th_certificates *certs, th_str code)
{
    for (size_t i = 0; i < certs->type_count; i++)
        if (th_str_is(code, certs->types[i].code))
            return &certs->types[i];
    return NULL;
}

const th_certificate_type *th_certificate_type_by_vct(const th_certificates *certs, th_str vct)
{
    for (size_t i = 0; i < certs->type_count; i++)
        if (th_str_eq(vct, certs->types[i].vct))
            return &certs->types[i];
    return NULL;
}

const th_certificate_issuer *th_certificate_type_issuer(const th_certificate_type *t, th_str member)
{
    for (size_t i = 0; i < t->issuer_count; i++)
        if (th_str_eq(member, t->issuers[i].member))
            return &t->issuers[i];
    return NULL;
}

bool th_certificates_issues(const th_certificates *certs, th_str type)
{
    const th_certificate_type *t = th_certificate_type_find(certs, type);
    return t && th_certificate_type_issuer(t, th_str_of(certs->code));
}

bool th_certificate_type_accepted(const th_certificate_type *t, const char *member)
{
    const th_json *list = th_json_get(t->json, "accepting");
    for (const th_json *a = th_json_first(list); a; a = th_json_next(list, a))
        if (th_str_is(a->text, "*") || th_str_is(a->text, member))
            return true;
    return false;
}

/* ---- SD-JWT VC type metadata, and our own words beside it ---- */

static void display_write(th_pen *pen, const char *key, const char *label, th_str zh, th_str en)
{
    th_pen_key(pen, key);
    th_pen_array(pen);
    th_pen_object(pen);
    th_pen_ktext(pen, "lang", "zh-CN");
    th_pen_kstr(pen, label, zh);
    th_pen_end(pen, '}');
    th_pen_object(pen);
    th_pen_ktext(pen, "lang", "en");
    th_pen_kstr(pen, label, en);
    th_pen_end(pen, '}');
    th_pen_end(pen, ']');
}

void th_certificate_type_write(th_pen *pen, const th_certificate_type *t)
{
    static const char *const copied[] = {"issuers", "accepting", "validity", "template", "source", "definer"};
    /* The standard's word for what is always in the open is that it is never selectively disclosable. */
    static const char *const sd[] = {[TH_DISCLOSE_ALWAYS] = "never", [TH_DISCLOSE_SELECTIVE] = "always", [TH_DISCLOSE_NEVER] = NULL};
    static const char *const ours[] = {[TH_DISCLOSE_ALWAYS] = "always", [TH_DISCLOSE_SELECTIVE] = "selective", [TH_DISCLOSE_NEVER] = "never"};
    th_pen_object(pen);
    th_pen_kstr(pen, "vct", t->vct);
    th_pen_kstr(pen, "name", t->title_en);
    display_write(pen, "display", "name", t->title_zh, t->title_en);
    th_pen_ktext(pen, "code", t->code);
    th_pen_kstr(pen, "type_code", t->type_code);
    th_pen_key(pen, "title");
    th_pen_raw(pen, th_json_get(t->json, "title")->raw);
    th_pen_ktext(pen, "holder", t->organisation ? "organisation" : "person");
    th_pen_kbool(pen, "simulated", th_json_bool(t->json, "simulated", false));
    th_pen_key(pen, "claims");
    th_pen_array(pen);
    for (size_t i = 0; i < t->field_count; i++) {
        const th_certificate_field *f = &t->fields[i];
        if (f->disclosure == TH_DISCLOSE_NEVER)
            continue;
        th_pen_object(pen);
        th_pen_key(pen, "path");
        th_pen_array(pen);
        th_pen_str(pen, f->name);
        th_pen_end(pen, ']');
        display_write(pen, "display", "label", f->title_zh, f->title_en);
        th_pen_ktext(pen, "sd", sd[f->disclosure]);
        th_pen_ktext(pen, "disclosure", ours[f->disclosure]);
        th_pen_kbool(pen, "square", f->square);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    for (size_t i = 0; i < TH_COUNT(copied); i++) {
        const th_json *value = th_json_get(t->json, copied[i]);
        if (value)
            th_pen_kraw(pen, copied[i], value->raw);
    }
    th_pen_end(pen, '}');
}
