/* government.c — items listed and shown. */
#include "government-private.h"

#include <ctype.h>
#include <string.h>

th_status th_government_open(th_cases *cases, th_exchange *exchange, th_certificates *certificates, th_government **ret_government, th_error *error)
{
    th_government *g = th_new(sizeof *g);
    if (!g)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    g->cases = cases;
    g->exchange = exchange;
    g->certificates = certificates;
    if (certificates && th_cases_on_event(cases, th_government_certify, g)) {
        th_free(g);
        return th_fail(error, TH_TOO_LARGE, "effects", "办件的后续处理过多", "There are too many effects of cases");
    }
    *ret_government = g;
    return TH_OK;
}

void th_government_close(th_government *g)
{
    th_free(g);
}

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
    th_pen_kint(pen, "fee_fen", th_json_int(item->json, "fee_fen", 0));
    th_pen_kbool(pen, "anywhere", th_json_bool(item->json, "anywhere", false));
    th_pen_kbool(pen, "simulated", th_json_bool(item->json, "simulated", false));
}

static bool holds(th_str text, th_str wanted)
{
    for (size_t i = 0; i + wanted.n <= text.n; i++) {
        size_t k = 0;
        while (k < wanted.n && tolower((unsigned char)text.p[i + k]) == tolower((unsigned char)wanted.p[k]))
            k++;
        if (k == wanted.n)
            return true;
    }
    return false;
}

static th_handled items_get(th_request *rq)
{
    th_government *g = rq->module;
    const th_case_item *items;
    size_t n = th_cases_items(g->cases, &items);
    th_str q = th_request_query(rq, "q"), owner = th_request_query(rq, "owner");
    th_trust *trust = th_exchange_trust(g->exchange);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < n; i++) {
        const th_json *title = th_json_get(items[i].json, "title");
        if (!th_json_bool(items[i].json, "listed", true))
            continue; /* begun from another page, not looked for */
        if ((owner.n && !th_str_eq(owner, items[i].owner)) || (q.n && !holds(title->raw, q) && !holds(items[i].code, q)))
            continue;
        th_pen_object(&pen);
        brief_write(&pen, trust, &items[i]);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "next");
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

static th_handled item_get(th_request *rq)
{
    static const char *const parts[] = {"conditions", "materials", "basis", "process", "form"};
    th_government *g = rq->module;
    const th_case_item *item = th_cases_item(g->cases, rq->params[0]);
    if (!item)
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-item", "没有这个事项", "There is no such item"), NULL);
    th_trust *trust = th_exchange_trust(g->exchange);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    brief_write(&pen, trust, item);
    for (size_t i = 0; i < TH_COUNT(parts); i++)
        raw_member(&pen, item->json, parts[i]);
    th_pen_key(&pen, "evidence");
    th_pen_array(&pen);
    for (size_t i = 0; i < item->evidence_count; i++)
        evidence_write(&pen, trust, &item->evidence[i]);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}

static const th_route routes[] = {
    {"GET", "/government/v1/items", TH_ROLE_ANYONE, TH_BODY_NONE, 0, items_get, "items", "Items that can be applied for", NULL,
     "{\"type\":\"object\"}", "q:string:words;owner:string:member code", false},
    {"GET", "/government/v1/items/{code}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, item_get, "item", "One item with its form and evidence", NULL,
     "{\"type\":\"object\"}", NULL, false},
};

const th_route *th_government_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_government_schemas(void)
{
    return NULL;
}
