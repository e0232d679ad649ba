/* grants.c — one provider's grants as an immutable set, and their signed publication. */
#include "kernel/exchange/grant.h"

#include <stdatomic.h>
#include <string.h>

enum { GRANTS_MAX = 20000, PUBLICATION_MAX = 64 << 20 };

static const char publication_tag[] = "tonghui/v1/grants\n";

struct th_grants {
    th_arena arena;
    atomic_int references;
    th_grant *all;
    size_t n;
    uint32_t *slots; /* open addressing by id; index + 1, 0 = empty */
    size_t mask;
};

static size_t id_hash(th_str id)
{
    size_t h = 14695981039346656037u;
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * 1099511628211u;
    return h;
}

th_grants *th_grants_retain(const th_grants *grants)
{
    th_grants *g = (th_grants *)(uintptr_t)grants;
    atomic_fetch_add(&g->references, 1);
    return g;
}

void th_grants_release(th_grants *grants)
{
    if (!grants || atomic_fetch_sub(&grants->references, 1) != 1)
        return;
    th_arena_close(&grants->arena);
    th_free(grants);
}

const th_grant *th_grants_find(const th_grants *grants, th_str id)
{
    for (size_t i = id_hash(id) & grants->mask; grants->slots[i]; i = (i + 1) & grants->mask)
        if (th_str_eq(grants->all[grants->slots[i] - 1].id, id))
            return &grants->all[grants->slots[i] - 1];
    return NULL;
}

size_t th_grants_count(const th_grants *grants)
{
    return grants->n;
}

const th_grant *th_grants_at(const th_grants *grants, size_t index)
{
    return index < grants->n ? &grants->all[index] : NULL;
}

static th_status grants_fill(th_grants *g, const th_str *jsons, size_t n, th_error *error)
{
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    g->mask = slots - 1;
    g->all = th_alloc_array(&g->arena, n + 1, sizeof *g->all);
    g->slots = th_alloc_array(&g->arena, slots, sizeof *g->slots);
    if (!g->all || !g->slots)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (size_t i = 0; i < n; i++) {
        const th_json *json;
        th_str text = th_str_keep(&g->arena, jsons[i]);
        th_status status = text.p ? th_json_parse(text, &g->arena, &json, error) : TH_NO_MEMORY;
        if (!status)
            status = th_grant_read(json, &g->arena, &g->all[g->n], error);
        if (status)
            return status;
        if (th_grants_find(g, g->all[g->n].id))
            return th_failf(error, TH_CONFLICT, "grant-duplicate", "授权编号 %.*s 重复", "The grant id %.*s occurs twice",
                            TH_FMT(g->all[g->n].id));
        size_t slot = id_hash(g->all[g->n].id) & g->mask;
        while (g->slots[slot])
            slot = (slot + 1) & g->mask;
        g->slots[slot] = (uint32_t)++g->n;
    }
    return TH_OK;
}

th_status th_grants_make(const th_str *jsons, size_t n, th_grants **ret_grants, th_error *error)
{
    if (n > GRANTS_MAX)
        return th_fail(error, TH_TOO_LARGE, "too-many-grants", "授权过多", "Too many grants");
    th_grants *g = th_new(sizeof *g);
    if (!g)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_arena_open(&g->arena, 256u << 20);
    atomic_init(&g->references, 1);
    th_status status = grants_fill(g, jsons, n, error);
    if (status)
        th_grants_release(g);
    else
        *ret_grants = g;
    return status;
}

/* How near a refusal came: the later the check that refused, the more it tells the caller. */
static int nearness(const th_error *error)
{
    static const char *const order[] = {"grant-consumer", "grant-register", "grant-operation", "grant-field",
                                        "grant-purpose",  "grant-not-yet",  "grant-expired",   "consent-required"};
    for (size_t i = 0; i < TH_COUNT(order); i++)
        if (strcmp(error->type, order[i]) == 0)
            return (int)i;
    return -1;
}

static th_status grants_refuse(const th_grants *grants, const th_wanted *wanted, int64_t now_us, th_error *error)
{
    th_error best = {0}, one;
    int best_nearness = 1; /* of other consumers or registers: as good as none */
    for (size_t i = 0; i < grants->n; i++) {
        th_error_clear(&one);
        TH_IGNORE(th_grant_check(&grants->all[i], wanted, now_us, &one));
        if (nearness(&one) > best_nearness) {
            best_nearness = nearness(&one);
            best = one;
        }
    }
    if (best_nearness > 1) {
        if (error)
            *error = best;
        return TH_FORBIDDEN;
    }
    return th_failf(error, TH_FORBIDDEN, "no-grant", "没有查验 %.*s 的授权", "No grant covers the register %.*s", TH_FMT(wanted->reg));
}

th_status th_grants_choose(const th_grants *grants, const th_wanted *wanted, int64_t now_us, const th_grant **ret_grant,
                           th_error *error)
{
    /* Nearly always one fits: no refusals are written until none does. */
    for (size_t i = 0; i < grants->n; i++) {
        const th_grant *g = &grants->all[i];
        if (g->operation == wanted->operation && th_str_eq(g->reg, wanted->reg) &&
            th_str_eq(g->consumer_member, wanted->consumer_member) && th_grant_check(g, wanted, now_us, NULL) == TH_OK) {
            *ret_grant = g;
            return TH_OK;
        }
    }
    return grants_refuse(grants, wanted, now_us, error);
}

/* ---- publication ---- */

static th_status signed_part(const th_grants *grants, th_str provider, int64_t now_us, th_arena *arena, th_str *ret_part)
{
    th_buf buf;
    const th_json *json;
    th_buf_open(&buf, arena, PUBLICATION_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "provider", provider);
    th_pen_ktime(&pen, "issued", now_us);
    th_pen_key(&pen, "grants");
    th_pen_array(&pen);
    for (size_t i = 0; i < grants->n; i++)
        th_pen_raw(&pen, grants->all[i].json);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    th_status status = th_json_parse(th_buf_view(&buf), arena, &json, NULL);
    if (status)
        return status;
    th_buf canonical;
    th_buf_open(&canonical, arena, PUBLICATION_MAX);
    th_buf_text(&canonical, publication_tag);
    status = th_json_canonical(json, &canonical);
    *ret_part = th_buf_view(&canonical);
    return status ? status : th_buf_ok(&canonical) ? TH_OK : TH_TOO_LARGE;
}

th_status th_grants_publish(const th_grants *grants, th_str provider, const th_key *key, int64_t now_us, th_arena *arena,
                            th_str *ret_document)
{
    th_str part;
    uint8_t signature[TH_SIGNATURE_SIZE];
    char kid[TH_KID_TEXT];
    th_buf buf;
    th_status status = signed_part(grants, provider, now_us, arena, &part);
    if (!status)
        status = th_sign(key, part, signature);
    if (status)
        return status;
    th_kid_of(key, kid);
    size_t tag = sizeof publication_tag - 1;
    th_buf_open(&buf, arena, PUBLICATION_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kraw(&pen, "signed", (th_str){part.p + tag, part.n - tag});
    th_pen_key(&pen, "signatures");
    th_pen_array(&pen);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "kid", kid);
    th_pen_kstr(&pen, "sig", th_base64url(arena, signature, sizeof signature));
    th_pen_end(&pen, '}');
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    *ret_document = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

static th_status signature_check(const th_json *root, const th_trust *trust, th_str provider, int64_t now_us, th_arena *arena,
                                 th_error *error)
{
    const th_json *signature = th_json_first(th_json_get(root, "signatures"));
    const th_member_key *key;
    th_buf buf;
    th_str bytes;
    th_status status = th_trust_key(trust, provider, th_json_str(signature, "kid"), TH_USE_MESSAGE, now_us, &key, error);
    if (status)
        return status;
    th_buf_open(&buf, arena, PUBLICATION_MAX);
    th_buf_text(&buf, publication_tag);
    status = th_json_canonical(th_json_get(root, "signed"), &buf);
    if (status || !th_buf_ok(&buf))
        return status ? status : TH_TOO_LARGE;
    if (th_unbase64url(arena, th_json_str(signature, "sig"), &bytes) || th_verify(key->key, th_buf_view(&buf), bytes))
        return th_fail(error, TH_FORBIDDEN, "grants-signature", "授权公告的签名不成立",
                       "The signature of the published grants does not hold");
    return TH_OK;
}

th_status th_grants_read(th_str document, const th_trust *trust, th_str provider, int64_t now_us, th_grants **ret_grants,
                         th_error *error)
{
    th_arena arena;
    const th_json *root = NULL;
    if (document.n > PUBLICATION_MAX)
        return th_fail(error, TH_TOO_LARGE, "grants-too-large", "授权公告过大", "The published grants are too large");
    th_arena_open(&arena, 4u * PUBLICATION_MAX);
    th_status status = th_json_parse(document, &arena, &root, error);
    const th_json *part = th_json_get(root, "signed"), *list = th_json_get(part, "grants");
    if (!status && (!th_str_eq(th_json_str(part, "provider"), provider) || !list || list->type != TH_JSON_ARRAY))
        status = th_fail(error, TH_INVALID, "grants-malformed", "授权公告格式不符", "The published grants are malformed");
    if (!status)
        status = signature_check(root, trust, provider, now_us, &arena, error);
    th_str *jsons = status ? NULL : th_alloc_array(&arena, list->count + 1, sizeof *jsons);
    size_t n = 0;
    for (const th_json *g = jsons ? th_json_first(list) : NULL; g; g = th_json_next(list, g))
        jsons[n++] = g->raw;
    if (!status)
        status = jsons ? th_grants_make(jsons, n, ret_grants, error) : TH_NO_MEMORY;
    th_arena_close(&arena);
    return status;
}
