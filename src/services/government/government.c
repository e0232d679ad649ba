/* government.c — opening and closing the service, and its routes. */
#include "government-private.h"


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

static const th_route routes[] = {
    {"GET", "/government/v1/items", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_items_get, "items", "Items that can be applied for", NULL,
     "{\"type\":\"object\"}", "q:string:words;owner:string:member code;kind:string:01 to 10 or 20;target:string:1 a person, 2 a company …;mode:string:online, collect or joint;"
     "cursor:integer:where to go on;limit:integer:at most 500",
     false},
    {"GET", "/government/v1/items/{code}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_item_get, "item", "One item with its form and evidence", NULL,
     "{\"type\":\"object\"}", NULL, false},
    {"GET", "/government/v1/items/{code}/versions/{version}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_item_version_get, "itemVersion",
     "One version of an item, also one that is not in force any more", NULL, "{\"type\":\"object\"}", NULL, false},
    {"GET", "/government/v1/lists/{name}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_signed_list_get, "signedList",
     "A list that all members signed: items (handled anywhere) or ecerts (certificates shared)", NULL, "{\"type\":\"object\"}", NULL, false},
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
