/* dcql.c — reading and answering queries for credentials. */
#include "kernel/certificates/dcql.h"

#include <stdio.h>
#include <string.h>

typedef struct reader {
    th_arena *arena;
    th_error *error;
    char path[72];
} reader;

static bool wrong(reader *r, const char *member, const char *code, const char *zh, const char *en)
{
    char pointer[96];
    snprintf(pointer, sizeof pointer, "%s%s", r->path, member);
    th_fail_field(r->error, pointer, code, zh, en);
    return false;
}

static bool name_ok(th_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return id.n > 0 && id.n <= 64;
}

static bool path_ok(const th_json *path)
{
    int64_t number;
    if (!path || path->type != TH_JSON_ARRAY || !path->count || path->count > 32)
        return false;
    for (const th_json *p = th_json_first(path); p; p = th_json_next(path, p))
        if (p->type != TH_JSON_STRING && p->type != TH_JSON_NULL && !(th_json_is_int(p, &number) && number >= 0))
            return false;
    return true;
}

static bool values_ok(const th_json *values)
{
    int64_t number;
    if (values->type != TH_JSON_ARRAY || !values->count)
        return false;
    for (const th_json *v = th_json_first(values); v; v = th_json_next(values, v))
        if (v->type != TH_JSON_STRING && v->type != TH_JSON_TRUE && v->type != TH_JSON_FALSE && !th_json_is_int(v, &number))
            return false;
    return true;
}

static bool claims_read(reader *r, const th_json *json, th_dcql_credential *c)
{
    const th_json *list = th_json_get(json, "claims");
    if (!list)
        return true;
    if (list->type != TH_JSON_ARRAY || !list->count || list->count > TH_DCQL_CLAIMS_MAX)
        return wrong(r, "/claims", "type", "须为非空列表", "Must be a list with something in it");
    th_dcql_claim *claims = th_alloc_array(r->arena, list->count, sizeof *claims);
    if (!claims)
        return wrong(r, "/claims", "too-large", "过大", "Too large");
    c->claims = claims;
    for (const th_json *j = th_json_first(list); j; j = th_json_next(list, j)) {
        th_dcql_claim *claim = &claims[c->claim_count];
        const th_json *id = th_json_get(j, "id");
        claim->path = th_json_get(j, "path");
        claim->values = th_json_get(j, "values");
        if (!path_ok(claim->path))
            return wrong(r, "/claims", "path", "path 须为名称、序号或 null 的非空列表", "A path must be a list of names, indexes or null");
        if (claim->values && !values_ok(claim->values))
            return wrong(r, "/claims", "values", "values 须为文字、整数或布尔值的非空列表", "Values must be a list of texts, whole numbers or booleans");
        if (id && (id->type != TH_JSON_STRING || !name_ok(id->text)))
            return wrong(r, "/claims", "id", "id 只能含字母、数字、_ 和 -", "An id has letters, digits, _ and - only");
        for (size_t i = 0; id && i < c->claim_count; i++)
            if (th_str_eq(claims[i].id, id->text))
                return wrong(r, "/claims", "duplicate", "id 重复", "An id stands twice");
        claim->id = id ? id->text : (th_str){NULL, 0};
        c->claim_count++;
    }
    return true;
}

static const th_dcql_claim *claim_by(const th_dcql_credential *c, th_str id)
{
    for (size_t i = 0; i < c->claim_count; i++)
        if (c->claims[i].id.p && th_str_eq(c->claims[i].id, id))
            return &c->claims[i];
    return NULL;
}

static bool claim_sets_read(reader *r, const th_json *json, th_dcql_credential *c)
{
    const th_json *sets = th_json_get(json, "claim_sets");
    if (!sets)
        return true;
    if (sets->type != TH_JSON_ARRAY || !sets->count || !c->claim_count)
        return wrong(r, "/claim_sets", "type", "须为非空列表，且须有 claims", "Must be a list with something in it, beside claims");
    for (const th_json *s = th_json_first(sets); s; s = th_json_next(sets, s)) {
        if (s->type != TH_JSON_ARRAY || !s->count)
            return wrong(r, "/claim_sets", "type", "每项须为非空列表", "Each must be a list with something in it");
        for (const th_json *id = th_json_first(s); id; id = th_json_next(s, id))
            if (id->type != TH_JSON_STRING || !claim_by(c, id->text))
                return wrong(r, "/claim_sets", "unknown", "引用了不存在的 claims 标识", "Names a claim that is not there");
    }
    c->claim_sets = sets;
    return true;
}

static bool flag_read(reader *r, const th_json *json, const char *name, bool fallback, bool *ret)
{
    const th_json *value = th_json_get(json, name);
    *ret = th_json_bool(json, name, fallback);
    return !value || value->type == TH_JSON_TRUE || value->type == TH_JSON_FALSE || wrong(r, "", "type", "须为布尔值", "Must be true or false");
}

static bool types_read(reader *r, const th_json *json, th_dcql_credential *c)
{
    const th_json *meta = th_json_get(json, "meta");
    if (!meta || meta->type != TH_JSON_OBJECT)
        return wrong(r, "/meta", "required", "缺少 meta", "The meta object is missing");
    /* A format that is never held here, or an authority outside the region: it just finds nothing. */
    if (!th_str_is(c->format, "dc+sd-jwt") || th_json_get(json, "trusted_authorities"))
        return true;
    c->types = th_json_get(meta, "vct_values");
    if (!c->types || c->types->type != TH_JSON_ARRAY || !c->types->count)
        return wrong(r, "/meta/vct_values", "required", "须列出证照类型", "The types must be listed");
    for (const th_json *t = th_json_first(c->types); t; t = th_json_next(c->types, t))
        if (t->type != TH_JSON_STRING)
            return wrong(r, "/meta/vct_values", "type", "须为文字", "Must be texts");
    return true;
}

static bool credential_read(reader *r, const th_json *json, th_dcql_credential *c)
{
    c->id = th_json_str(json, "id");
    c->format = th_json_str(json, "format");
    if (!name_ok(c->id))
        return wrong(r, "/id", "id", "id 只能含字母、数字、_ 和 -", "An id has letters, digits, _ and - only");
    if (!c->format.n)
        return wrong(r, "/format", "required", "缺少 format", "The format is missing");
    return types_read(r, json, c) && flag_read(r, json, "multiple", false, &c->multiple) &&
           flag_read(r, json, "require_cryptographic_holder_binding", true, &c->holder) && claims_read(r, json, c) && claim_sets_read(r, json, c);
}

static const th_dcql_credential *credential_by(const th_dcql *q, th_str id, size_t *ret_index)
{
    for (size_t i = 0; i < q->credential_count; i++)
        if (th_str_eq(q->credentials[i].id, id)) {
            *ret_index = i;
            return &q->credentials[i];
        }
    return NULL;
}

static bool sets_read(reader *r, const th_json *query, th_dcql *q)
{
    const th_json *sets = th_json_get(query, "credential_sets");
    bool required;
    size_t index;
    if (!sets)
        return true;
    snprintf(r->path, sizeof r->path, "/credential_sets");
    if (sets->type != TH_JSON_ARRAY || !sets->count || sets->count > TH_DCQL_CREDENTIALS_MAX)
        return wrong(r, "", "type", "须为非空列表", "Must be a list with something in it");
    for (const th_json *s = th_json_first(sets); s; s = th_json_next(sets, s)) {
        const th_json *options = th_json_get(s, "options");
        if (!options || options->type != TH_JSON_ARRAY || !options->count || !flag_read(r, s, "required", true, &required))
            return wrong(r, "/options", "type", "须为非空列表", "Must be a list with something in it");
        for (const th_json *o = th_json_first(options); o; o = th_json_next(options, o)) {
            if (o->type != TH_JSON_ARRAY || !o->count)
                return wrong(r, "/options", "type", "每项须为非空列表", "Each must be a list with something in it");
            for (const th_json *id = th_json_first(o); id; id = th_json_next(o, id))
                if (id->type != TH_JSON_STRING || !credential_by(q, id->text, &index))
                    return wrong(r, "/options", "unknown", "引用了不存在的证照标识", "Names a credential that is not there");
        }
    }
    q->sets = sets;
    return true;
}

th_status th_dcql_read(const th_json *query, th_arena *arena, th_dcql *ret_query, th_error *error)
{
    reader r = {.arena = arena, .error = error};
    th_dcql q = {0};
    const th_json *list = th_json_get(query, "credentials");
    size_t known;
    if (!list || list->type != TH_JSON_ARRAY || !list->count || list->count > TH_DCQL_CREDENTIALS_MAX) {
        (void)wrong(&r, "/credentials", "type", "须为非空列表", "Must be a list with something in it");
        return TH_INVALID;
    }
    th_dcql_credential *all = th_alloc_array(arena, list->count, sizeof *all);
    if (!all)
        return TH_NO_MEMORY;
    q.credentials = all;
    for (const th_json *c = th_json_first(list); c; c = th_json_next(list, c)) {
        snprintf(r.path, sizeof r.path, "/credentials/%zu", q.credential_count);
        if (!credential_read(&r, c, &all[q.credential_count]))
            return TH_INVALID;
        if (credential_by(&q, all[q.credential_count].id, &known)) {
            (void)wrong(&r, "/id", "duplicate", "id 重复", "An id stands twice");
            return TH_INVALID;
        }
        q.credential_count++;
    }
    if (!sets_read(&r, query, &q))
        return TH_INVALID;
    *ret_query = q;
    return TH_OK;
}

/* ---- matching ---- */

static bool value_among(const th_json *value, const th_json *values)
{
    int64_t a, b;
    if (!values)
        return true;
    for (const th_json *v = th_json_first(values); v; v = th_json_next(values, v)) {
        if (v->type != value->type)
            continue;
        if (v->type == TH_JSON_STRING ? th_str_eq(v->text, value->text)
                                      : v->type != TH_JSON_NUMBER || (th_json_is_int(v, &a) && th_json_is_int(value, &b) && a == b))
            return true;
    }
    return false;
}

/* Does the path lead to a value (one of `values`) below `at`? */
static bool leads(const th_json *at, const th_json *path, size_t depth, const th_json *values)
{
    int64_t index;
    const th_json *part = th_json_at(path, depth);
    if (!at)
        return false;
    if (!part)
        return value_among(at, values);
    if (part->type == TH_JSON_STRING)
        return at->type == TH_JSON_OBJECT && leads(th_json_get_str(at, part->text), path, depth + 1, values);
    if (at->type != TH_JSON_ARRAY)
        return false;
    if (th_json_is_int(part, &index))
        return leads(th_json_at(at, (size_t)index), path, depth + 1, values);
    for (const th_json *e = th_json_first(at); e; e = th_json_next(at, e))
        if (leads(e, path, depth + 1, values))
            return true;
    return false;
}

static bool type_among(const th_json *types, th_str type)
{
    for (const th_json *t = th_json_first(types); t; t = th_json_next(types, t))
        if (th_str_eq(t->text, type))
            return true;
    return false;
}

static bool all_lead(const th_dcql_credential *wanted, const th_json *set, const th_json *claims, const th_json **paths, size_t *ret_n)
{
    size_t n = 0;
    if (!set) {
        for (size_t i = 0; i < wanted->claim_count; i++) {
            if (!leads(claims, wanted->claims[i].path, 0, wanted->claims[i].values))
                return false;
            paths[n++] = wanted->claims[i].path;
        }
    } else {
        for (const th_json *id = th_json_first(set); id; id = th_json_next(set, id)) {
            const th_dcql_claim *claim = claim_by(wanted, id->text);
            if (!claim || n == wanted->claim_count || !leads(claims, claim->path, 0, claim->values))
                return false;
            paths[n++] = claim->path;
        }
    }
    *ret_n = n;
    return true;
}

bool th_dcql_fits(const th_dcql_credential *wanted, th_str format, const th_json *claims, th_arena *arena, const th_json ***ret_paths, size_t *ret_n)
{
    if (!th_str_eq(wanted->format, format) || !type_among(wanted->types, th_json_str(claims, "vct")))
        return false;
    const th_json **paths = th_alloc_array(arena, wanted->claim_count + 1, sizeof *paths);
    if (!paths)
        return false;
    *ret_paths = paths;
    if (!wanted->claim_sets)
        return all_lead(wanted, NULL, claims, paths, ret_n);
    for (const th_json *s = th_json_first(wanted->claim_sets); s; s = th_json_next(wanted->claim_sets, s))
        if (all_lead(wanted, s, claims, paths, ret_n))
            return true;
    return false;
}

/* ---- the whole ---- */

static bool option_there(const th_dcql *q, const th_json *option, const bool *there, bool *chosen)
{
    size_t index = 0;
    for (const th_json *id = th_json_first(option); id; id = th_json_next(option, id))
        if (!credential_by(q, id->text, &index) || !there[index])
            return false;
    for (const th_json *id = th_json_first(option); chosen && id; id = th_json_next(option, id))
        if (credential_by(q, id->text, &index))
            chosen[index] = true;
    return true;
}

bool th_dcql_choose(const th_dcql *q, const bool *there, bool *chosen)
{
    if (chosen)
        memset(chosen, 0, q->credential_count * sizeof *chosen);
    if (!q->sets) {
        for (size_t i = 0; i < q->credential_count; i++) {
            if (!there[i])
                return false;
            if (chosen)
                chosen[i] = true;
        }
        return true;
    }
    for (const th_json *s = th_json_first(q->sets); s; s = th_json_next(q->sets, s)) {
        const th_json *options = th_json_get(s, "options");
        bool met = false;
        for (const th_json *o = th_json_first(options); !met && o; o = th_json_next(options, o))
            met = option_there(q, o, there, chosen);
        if (!met && th_json_bool(s, "required", true))
            return false;
    }
    return true;
}

bool th_dcql_answered(const th_dcql *q, const bool *there)
{
    return th_dcql_choose(q, there, NULL);
}
