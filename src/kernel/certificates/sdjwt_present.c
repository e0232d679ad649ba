/* sdjwt_present.c — the holder's part: which disclosures go along, and her signature over the whole. */
#include "sdjwt-private.h"

#include <string.h>

enum { PATHS_MAX = 64 };

typedef struct chooser {
    const th_json *const *paths;
    size_t n;
    const th_sdjwt_disclosure *disclosures;
    size_t disclosure_count;
    th_arena *arena;
    bool *chosen; /* beside disclosures */
} chooser;

/* Which paths still lead on: a bit each. `all` once one of them has ended above. */
typedef struct leading {
    uint64_t bits;
    bool all;
} leading;

static leading step(const chooser *c, leading from, int depth, th_str name, int64_t index)
{
    leading to = {.all = from.all};
    for (size_t i = 0; i < c->n && !to.all; i++) {
        const th_json *part = from.bits >> i & 1 ? th_json_at(c->paths[i], (size_t)depth) : NULL;
        int64_t number;
        bool fits = part && (name.p ? part->type == TH_JSON_STRING && th_str_eq(part->text, name)
                                    : part->type == TH_JSON_NULL || (th_json_is_int(part, &number) && number == index));
        if (!fits)
            continue;
        if (c->paths[i]->count == (uint32_t)depth + 1)
            to.all = true;
        to.bits |= UINT64_C(1) << i;
    }
    return to;
}

static void choose(const chooser *c, const th_json *value, leading at, int depth);

static void disclosure_choose(const chooser *c, const th_json *digest, leading at, int depth, int64_t index)
{
    const th_sdjwt_disclosure *d = th_sdjwt_find(c->disclosures, c->disclosure_count, digest->text);
    if (!d)
        return;
    leading on = step(c, at, depth, d->name, index);
    if (!on.all && !on.bits)
        return;
    c->chosen[d - c->disclosures] = true;
    choose(c, d->value, on, depth + 1);
}

static void choose(const chooser *c, const th_json *value, leading at, int depth)
{
    if (depth > TH_SDJWT_DEPTH_MAX || (!at.all && !at.bits))
        return;
    if (value->type == TH_JSON_OBJECT) {
        for (const th_json *m = th_json_first(value); m; m = th_json_next(value, m))
            if (th_str_is(m->key, "_sd"))
                for (const th_json *d = th_json_first(m); d; d = th_json_next(m, d))
                    disclosure_choose(c, d, at, depth, 0);
            else
                choose(c, m, step(c, at, depth, m->key.p ? m->key : TH_STR(""), 0), depth + 1);
    } else if (value->type == TH_JSON_ARRAY) {
        int64_t index = 0;
        for (const th_json *e = th_json_first(value); e; e = th_json_next(value, e), index++) {
            const th_json *digest = e->type == TH_JSON_OBJECT ? th_json_get(e, "...") : NULL;
            if (digest)
                disclosure_choose(c, digest, at, depth, index);
            else
                choose(c, e, step(c, at, depth, (th_str){NULL, 0}, index), depth + 1);
        }
    }
}

th_status th_sdjwt_select(th_str text, const th_json *const *paths, size_t n, th_arena *arena, th_str *ret_text, th_error *error)
{
    th_sdjwt token;
    th_sdjwt_parts parts;
    th_buf buf;
    if (n > PATHS_MAX)
        return th_fail(error, TH_TOO_LARGE, "sdjwt-paths", "要求的项目过多", "Too many claims are asked for");
    th_status status = th_sdjwt_read(text, true, arena, &token, error);
    if (!status)
        status = th_sdjwt_split(text, arena, &parts, error);
    if (status)
        return status;
    chooser c = {paths, n, token.disclosures, token.disclosure_count, arena, th_alloc_array(arena, token.disclosure_count + 1, sizeof(bool))};
    if (!c.chosen)
        return TH_NO_MEMORY;
    choose(&c, token.payload, (leading){.bits = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1}, 0);
    th_buf_open(&buf, arena, TH_SDJWT_MAX);
    th_buf_str(&buf, parts.jwt);
    th_buf_char(&buf, '~');
    for (size_t i = 0; i < parts.n; i++) { /* in the order of issue */
        char digest[TH_DIGEST_TEXT];
        th_sdjwt_digest(token.hash, parts.disclosures[i].text, digest);
        const th_sdjwt_disclosure *d = th_sdjwt_find(token.disclosures, token.disclosure_count, (th_str){digest, sizeof digest});
        if (!d || !c.chosen[d - token.disclosures])
            continue;
        th_buf_str(&buf, parts.disclosures[i].text);
        th_buf_char(&buf, '~');
    }
    *ret_text = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

th_status th_sdjwt_bind(th_str presentation, const th_key *holder, th_str audience, th_str nonce, int64_t now_us, th_arena *arena, th_str *ret_text,
                        th_error *error)
{
    th_sdjwt token;
    th_buf said, buf;
    char digest[TH_DIGEST_TEXT];
    if (!presentation.n || presentation.p[presentation.n - 1] != '~')
        return th_fail(error, TH_INVALID, "sdjwt-malformed", "证照令牌格式有误", "The certificate token is malformed");
    th_status status = th_sdjwt_read(presentation, true, arena, &token, error);
    if (status)
        return status;
    th_sdjwt_digest(token.hash, presentation, digest);
    th_buf_open(&said, arena, 8192);
    th_pen pen = th_pen_on(&said);
    th_pen_object(&pen);
    th_pen_kint(&pen, "iat", now_us / TH_SECOND_US);
    th_pen_kstr(&pen, "aud", audience);
    th_pen_kstr(&pen, "nonce", nonce);
    th_pen_kstr(&pen, "sd_hash", (th_str){digest, sizeof digest});
    th_pen_end(&pen, '}');
    th_str header = th_jws_header(holder, "kb+jwt", (th_str){NULL, 0}, arena);
    th_buf_open(&buf, arena, TH_SDJWT_MAX + 16384);
    th_buf_str(&buf, presentation);
    if (!th_buf_ok(&said) || !header.p || !th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "sdjwt-too-large", "内容过大", "The content is too large");
    status = th_jws_make(holder, header, th_buf_view(&said), &buf);
    *ret_text = th_buf_view(&buf);
    return status;
}
