/* items.c — items listed, found and shown. */
#include "government-private.h"


enum { LIMIT_MAX = 500, FOUND_MAX = 1000 };

static void place_write(th_pen *pen, const char *key, const th_trust *trust, th_str code)
{
    const th_member *m = trust ? th_trust_member(trust, code) : NULL;
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_kstr(pen, "code", code);
    th_pen_kstr(pen, "zh", m ? m->name_zh : code);
    th_pen_kstr(pen, "en", m ? m->name_en : code);
    th_pen_end(pen, '}');
}

static void raw_member(th_pen *pen, const th_json *from, const char *key)
{
    const th_json *value = th_json_get(from, key);
    th_pen_kraw(pen, key, value ? value->raw : TH_STR("null"));
}

/* What all fees of an item come to; an item may say one sum instead. */
static int64_t fee_of(const th_case_item *item)
{
    const th_json *fees = th_json_get(item->json, "fees");
    int64_t sum = th_json_int(item->json, "fee_fen", 0);
    for (const th_json *f = th_json_first(fees); f; f = th_json_next(fees, f))
        sum += th_json_int(f, "fen", 0);
    return sum;
}

static bool lists(const th_case_item *item, const char *member, th_str wanted)
{
    const th_json *list = th_json_get(item->json, member);
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v))
        if (th_str_eq(v->text, wanted))
            return true;
    return false;
}

static void brief_write(th_pen *pen, const th_trust *trust, const th_case_item *item)
{
    th_pen_kstr(pen, "code", item->code);
    raw_member(pen, item->json, "title");
    if (item->owner_from.n) {
        th_pen_key(pen, "owner");
        th_pen_null(pen); /* the form says which */
    } else {
        place_write(pen, "owner", trust, item->owner);
    }
    const th_json *office = th_json_get(item->json, "office_name");
    th_pen_key(pen, "office");
    th_pen_object(pen);
    th_pen_kstr(pen, "code", item->office);
    th_pen_kstr(pen, "zh", office ? th_json_str(office, "zh") : item->office);
    th_pen_kstr(pen, "en", office ? th_json_str(office, "en") : item->office);
    th_pen_end(pen, '}');
    th_pen_kint(pen, "limit_days", item->limit_days);
    const th_json *modes = th_json_get(item->json, "modes");
    th_pen_kint(pen, "fee_fen", fee_of(item));
    th_pen_kbool(pen, "anywhere", modes ? modes->count > 0 : th_json_bool(item->json, "anywhere", false));
    th_pen_kbool(pen, "simulated", th_json_bool(item->json, "simulated", false));
    th_pen_kbool(pen, "illustrative", th_json_get(item->json, "illustrative") != NULL);
    th_pen_kstr(pen, "kind", item->kind);
    th_pen_kstr(pen, "topic", item->topic);
    raw_member(pen, item->json, "target");
    raw_member(pen, item->json, "modes");
    th_pen_kint(pen, "version", item->version);
}

/* What the query narrows the list to. */
typedef struct narrowing {
    th_str owner, kind, target, mode;
} narrowing;

static bool fits(const th_case_item *item, const narrowing *n)
{
    if ((n->owner.n && !th_str_eq(n->owner, item->owner)) || (n->kind.n && !th_str_eq(n->kind, item->kind)))
        return false;
    return (!n->target.n || lists(item, "target", n->target)) && (!n->mode.n || lists(item, "modes", n->mode));
}

/* What is searched for, the best first; else all, by code. */
static size_t candidates(th_government *g, th_request *rq, th_str q, const th_case_item **found)
{
    size_t n = 0, all = th_search_size(g->search);
    if (q.n) {
        th_search_hit *hits = th_alloc_array(&rq->arena, FOUND_MAX, sizeof *hits);
        size_t hit_n = hits ? th_search_find(g->search, q, th_str_of(g->code), &rq->arena, hits, FOUND_MAX) : 0;
        for (size_t i = 0; i < hit_n; i++)
            found[n++] = g->items[hits[i].index];
        return n;
    }
    for (size_t i = 0; i < all; i++)
        found[n++] = g->items[i];
    return n;
}

th_handled th_items_get(th_request *rq)
{
    th_government *g = rq->module;
    int64_t cursor, limit, at = 0, written = 0;
    narrowing want = {th_request_query(rq, "owner"), th_request_query(rq, "kind"), th_request_query(rq, "target"), th_request_query(rq, "mode")};
    if (th_request_query_int(rq, "cursor", 0, INT64_MAX, 0, &cursor) || th_request_query_int(rq, "limit", 1, LIMIT_MAX, LIMIT_MAX, &limit))
        return th_reply_problem(rq, TH_INVALID, NULL);
    const th_case_item **found = th_alloc_array(&rq->arena, th_search_size(g->search) + FOUND_MAX, sizeof *found);
    if (!found)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    size_t n = candidates(g, rq, th_str_trim(th_request_query(rq, "q")), found);
    th_trust *trust = th_exchange_trust(g->exchange);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < n && written < limit; i++) {
        if (!fits(found[i], &want) || at++ < cursor)
            continue;
        th_pen_object(&pen);
        brief_write(&pen, trust, found[i]);
        th_pen_end(&pen, '}');
        written++;
    }
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "next");
    if (written == limit)
        th_pen_int(&pen, cursor + written);
    else
        th_pen_null(&pen);
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}

static void evidence_write(th_pen *pen, const th_trust *trust, const th_item_evidence *e)
{
    th_pen_object(pen);
    th_pen_kstr(pen, "id", e->id);
    raw_member(pen, e->json, "title");
    place_write(pen, "provider", trust, e->provider);
    th_pen_kstr(pen, "register", e->reg);
    th_pen_ktext(pen, "operation", "verify");
    raw_member(pen, e->json, "fields");
    th_pen_kbool(pen, "consent", e->consent);
    th_pen_end(pen, '}');
}

static th_handled item_reply(th_request *rq, const th_case_item *item)
{
    static const char *const parts[] = {"conditions",  "materials",    "basis",  "process",      "form",   "statutory_days", "promised_days", "day_unit",
                                        "special",     "joint",        "handle", "fees",         "result", "visits",         "visit_reason",  "depth",
                                        "window",      "mail",         "pay",    "contact",      "appeal", "quota",          "intermediary",  "basic_code",
                                        "impl_code",   "level",        "state",  "power_source", "valid_from", "valid_to"};
    th_government *g = rq->module;
    if (!item)
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-item", "没有这个事项", "There is no such item"), NULL);
    th_trust *trust = th_exchange_trust(g->exchange);
    const th_json *named = th_json_get(item->json, "illustrative");
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    brief_write(&pen, trust, item);
    for (size_t i = 0; i < TH_COUNT(parts); i++)
        raw_member(&pen, item->json, parts[i]);
    th_pen_kraw(&pen, "illustrative_parts", named && named->type == TH_JSON_ARRAY ? named->raw : TH_STR("[]"));
    th_pen_ktext(&pen, "hash", item->hash);
    th_pen_key(&pen, "evidence");
    th_pen_array(&pen);
    for (size_t i = 0; i < item->evidence_count; i++)
        evidence_write(&pen, trust, &item->evidence[i]);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}

th_handled th_item_get(th_request *rq)
{
    th_government *g = rq->module;
    return item_reply(rq, th_cases_item(g->cases, rq->params[0]));
}

th_handled th_item_version_get(th_request *rq)
{
    th_government *g = rq->module;
    int64_t version;
    bool number = th_parse_i64(rq->params[1], 1, INT32_MAX, &version);
    return item_reply(rq, number ? th_cases_item_version(g->cases, rq->params[0], version) : NULL);
}
