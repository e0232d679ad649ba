/* government.c — opening and closing the service, and its routes. */
#include "government-private.h"

#include <string.h>

enum { LIST_MAX = 32 << 20 };

extern const char th_government_schema_sql[];

const char *th_government_schema(void)
{
    return th_government_schema_sql;
}

/* Every listed item in force, as it is searched. */
static th_status search_open(th_government *g, const th_government_options *o, th_error *error)
{
    const th_case_item *all;
    size_t n = th_cases_items(g->cases, &all), k = 0;
    g->entries = th_new((n + 1) * sizeof *g->entries);
    g->items = th_new((n + 1) * sizeof *g->items);
    if (!g->entries || !g->items)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!all[i].listed || th_cases_item(g->cases, all[i].code) != &all[i])
            continue;
        g->items[k] = &all[i];
        g->entries[k++] = (th_search_entry){all[i].code, all[i].title_zh, all[i].title_en, all[i].owner};
    }
    return th_search_open(g->entries, k, o->pinyin, o->everyday, &g->search, error);
}

th_status th_government_open(const th_government_options *o, th_government **ret_government, th_error *error)
{
    th_government *g = th_new(sizeof *g);
    if (!g)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    memcpy(g->code, o->code, strnlen(o->code, sizeof g->code - 1));
    g->cases = o->cases;
    g->exchange = o->exchange;
    g->certificates = o->certificates;
    g->store = o->store;
    g->writer = o->writer;
    g->env = *o->env;
    th_status status = search_open(g, o, error);
    if (!status && g->certificates && th_cases_on_event(g->cases, th_government_certify, g))
        status = th_fail(error, TH_TOO_LARGE, "effects", "办件的后续处理过多", "There are too many effects of cases");
    if (status)
        th_government_close(g);
    else
        *ret_government = g;
    return status;
}

void th_government_close(th_government *g)
{
    if (!g)
        return;
    th_search_close(g->search);
    th_free(g->entries);
    th_free(g->items);
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
    {"POST", "/government/v1/items:import", TH_ROLE_OPERATOR, TH_BODY_BYTES, LIST_MAX, th_items_import, "importItems",
     "An office's own list of items: every row is kept, what is in doubt is marked and told", NULL, "{\"type\":\"object\"}",
     "format:string:csv (unless said) or json", false},
    {"GET", "/government/v1/imported-items", TH_ROLE_OPERATOR | TH_ROLE_AUDITOR, TH_BODY_NONE, 0, th_imported_get, "importedItems",
     "Imported items by state", NULL, "{\"type\":\"object\"}", "state:string:pending, draft or settled;cursor:string:from the answer before", false},
    {"POST", "/government/v1/imported-items/{key}/versions/{version}:settle", TH_ROLE_OPERATOR, TH_BODY_JSON, 4096, th_imported_settle,
     "settleImportedItem", "Say what was found about an item in doubt",
     "{\"type\":\"object\",\"required\":[\"note\"],\"properties\":{\"note\":{\"type\":\"string\"}}}", "{\"type\":\"object\"}", NULL, false},
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
