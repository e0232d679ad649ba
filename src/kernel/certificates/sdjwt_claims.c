/* sdjwt_claims.c — what the issuer signed, with what the holder disclosed put into its place: RFC 9901 §7.1 step 3 to 5. */
#include "sdjwt-private.h"

#include <stdlib.h>
#include <string.h>

typedef struct walker {
    th_arena *arena;
    th_sdjwt_disclosure *disclosures;
    size_t n;
    th_str *digests; /* every digest met, decoys too */
    size_t digest_count, digest_room;
    bool plain;
    th_buf out;
    th_error *error;
    th_status status;
} walker;

static bool refuse(walker *w, const char *type, const char *zh, const char *en)
{
    if (!w->status)
        w->status = th_fail(w->error, TH_INVALID, type, zh, en);
    return false;
}

static bool name_wrong(walker *w)
{
    return refuse(w, "sdjwt-name", "声明使用了保留名称", "A claim uses a reserved name");
}

static bool digest_note(walker *w, const th_json *digest)
{
    if (digest->type != TH_JSON_STRING)
        return refuse(w, "sdjwt-digest", "摘要须为文字", "A digest must be text");
    if (w->digest_count == TH_SDJWT_DIGESTS_MAX)
        return refuse(w, "sdjwt-digest", "摘要过多", "There are too many digests");
    if (w->digest_count == w->digest_room) {
        size_t room = w->digest_room ? w->digest_room * 2 : 32;
        th_str *more = th_alloc_array(w->arena, room, sizeof *more);
        if (!more) {
            w->status = TH_NO_MEMORY;
            return false;
        }
        if (w->digest_count)
            memcpy(more, w->digests, w->digest_count * sizeof *more);
        w->digests = more;
        w->digest_room = room;
    }
    w->digests[w->digest_count++] = digest->text;
    return true;
}

static th_sdjwt_disclosure *disclosed(walker *w, const th_json *digest, bool named)
{
    th_sdjwt_disclosure *d = th_sdjwt_find(w->disclosures, w->n, digest->text);
    if (!d)
        return NULL;
    if ((d->name.p != NULL) != named) {
        (void)refuse(w, "sdjwt-kind", "披露项的种类与其位置不符", "A disclosure is of the wrong kind for its place");
        return NULL;
    }
    if (d->used) {
        (void)refuse(w, "sdjwt-digest-twice", "同一摘要出现两次", "A digest stands twice");
        return NULL;
    }
    d->used = true;
    return d;
}

/* A value without any digest in it goes over as it is. An escape could hide a name, so such values are walked. */
static bool untouched(th_str raw)
{
    return !memchr(raw.p, '\\', raw.n) && !memmem(raw.p, raw.n, "\"_sd", 4) && !memmem(raw.p, raw.n, "\"...\"", 5);
}

static bool value_walk(walker *w, const th_json *value, int depth);

static void comma(walker *w, bool *first)
{
    if (!*first)
        th_buf_char(&w->out, ',');
    *first = false;
}

/* At the top of a verifiable credential these stand in the open or not at all. */
static bool must_be_open(th_str name)
{
    static const char *const names[] = {"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"};
    for (size_t i = 0; i < TH_COUNT(names); i++)
        if (th_str_is(name, names[i]))
            return true;
    return false;
}

static bool named_twice(const th_json *object, th_sdjwt_disclosure *const *earlier, size_t n, th_str name)
{
    if (th_json_get_str(object, name))
        return true;
    for (size_t i = 0; i < n; i++)
        if (th_str_eq(earlier[i]->name, name))
            return true;
    return false;
}

static bool digests_walk(walker *w, const th_json *object, const th_json *list, int depth, bool *first)
{
    if (list->type != TH_JSON_ARRAY)
        return refuse(w, "sdjwt-digest", "_sd 须为列表", "_sd must be a list");
    th_sdjwt_disclosure **here = th_alloc_array(w->arena, list->count + 1, sizeof *here);
    size_t n = 0;
    if (!here) {
        w->status = TH_NO_MEMORY;
        return false;
    }
    for (const th_json *digest = th_json_first(list); digest; digest = th_json_next(list, digest)) {
        if (!digest_note(w, digest))
            return false;
        th_sdjwt_disclosure *d = disclosed(w, digest, true);
        if (w->status)
            return false;
        if (!d)
            continue;
        if (named_twice(object, here, n, d->name))
            return refuse(w, "sdjwt-conflict", "披露项与已有声明同名", "A disclosed claim has the name of another claim");
        if (!w->plain && depth == 0 && must_be_open(d->name))
            return refuse(w, "sdjwt-not-selective", "该声明不得选择性披露", "This claim may not be disclosed selectively");
        here[n++] = d;
        comma(w, first);
        th_json_quote(&w->out, d->name);
        th_buf_char(&w->out, ':');
        if (!value_walk(w, d->value, depth + 1))
            return false;
    }
    return true;
}

static bool object_walk(walker *w, const th_json *object, int depth)
{
    bool first = true;
    const th_json *list = NULL;
    th_buf_char(&w->out, '{');
    for (const th_json *m = th_json_first(object); m; m = th_json_next(object, m)) {
        if (th_str_is(m->key, "_sd")) {
            list = m;
            continue;
        }
        if (depth == 0 && th_str_is(m->key, "_sd_alg"))
            continue;
        if (th_sdjwt_reserved(m->key))
            return name_wrong(w);
        comma(w, &first);
        th_json_quote(&w->out, m->key);
        th_buf_char(&w->out, ':');
        if (!value_walk(w, m, depth + 1))
            return false;
    }
    if (list && !digests_walk(w, object, list, depth, &first))
        return false;
    th_buf_char(&w->out, '}');
    return true;
}

static bool array_walk(walker *w, const th_json *array, int depth)
{
    bool first = true;
    th_buf_char(&w->out, '[');
    for (const th_json *e = th_json_first(array); e; e = th_json_next(array, e)) {
        const th_json *digest = e->type == TH_JSON_OBJECT ? th_json_get(e, "...") : NULL;
        const th_json *value = e;
        if (digest) {
            if (e->count != 1)
                return name_wrong(w);
            if (!digest_note(w, digest))
                return false;
            th_sdjwt_disclosure *d = disclosed(w, digest, false);
            if (w->status)
                return false;
            if (!d)
                continue;
            value = d->value;
        }
        comma(w, &first);
        if (!value_walk(w, value, depth + 1))
            return false;
    }
    th_buf_char(&w->out, ']');
    return true;
}

static bool value_walk(walker *w, const th_json *value, int depth)
{
    if (depth > TH_SDJWT_DEPTH_MAX)
        return refuse(w, "sdjwt-depth", "嵌套过深", "Nested too deeply");
    if (depth > 0 && untouched(value->raw)) {
        th_buf_str(&w->out, value->raw);
        return true;
    }
    if (value->type == TH_JSON_OBJECT)
        return object_walk(w, value, depth);
    if (value->type == TH_JSON_ARRAY)
        return array_walk(w, value, depth);
    th_buf_str(&w->out, value->raw);
    return true;
}

static int by_text(const void *a, const void *b)
{
    return th_str_cmp(*(const th_str *)a, *(const th_str *)b);
}

static bool digests_check(walker *w)
{
    if (w->digest_count > 1)
        qsort(w->digests, w->digest_count, sizeof *w->digests, by_text);
    for (size_t i = 1; i < w->digest_count; i++)
        if (th_str_eq(w->digests[i - 1], w->digests[i]))
            return refuse(w, "sdjwt-digest-twice", "同一摘要出现两次", "A digest stands twice");
    for (size_t i = 0; i < w->n; i++)
        if (!w->disclosures[i].used)
            return refuse(w, "sdjwt-unreferenced", "有披露项未被令牌引用", "Nothing in the token refers to one of the disclosures");
    return true;
}

th_status th_sdjwt_claims(const th_json *payload, th_sdjwt_disclosure *disclosures, size_t n, bool plain, th_arena *arena, th_str *ret_json,
                          th_error *error)
{
    walker w = {.arena = arena, .disclosures = disclosures, .n = n, .plain = plain, .error = error};
    th_buf_open(&w.out, arena, 2 * TH_SDJWT_MAX);
    if (!value_walk(&w, payload, 0) || !digests_check(&w))
        return w.status;
    if (!th_buf_ok(&w.out))
        return TH_TOO_LARGE;
    *ret_json = th_buf_view(&w.out);
    return TH_OK;
}
