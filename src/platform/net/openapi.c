/* openapi.c — the route tables as OpenAPI 3.1. What is served and what is described cannot differ: both are the same rows. */
#include "net-private.h"

#include <string.h>

typedef struct role_name {
    unsigned role;
    const char *name;
} role_name;

static const role_name role_names[] = {
    {TH_ROLE_CITIZEN, "citizen"}, {TH_ROLE_CLERK, "clerk"},     {TH_ROLE_DUTY, "duty"},     {TH_ROLE_ACCOUNTANT, "accountant"},
    {TH_ROLE_OPERATOR, "operator"}, {TH_ROLE_AUDITOR, "auditor"}, {TH_ROLE_SYSTEM, "system"}, {TH_ROLE_PEER, "peer"},
    {TH_ROLE_HEAD, "head"},
};

static void schema_member(th_pen *pen, const char *key, const char *schema)
{
    th_pen_kraw(pen, key, schema ? th_str_of(schema) : TH_STR("{}"));
}

/* {name} of the path, in order. */
static void path_parameters(th_pen *pen, const char *pattern)
{
    for (const char *p = strchr(pattern, '{'); p; p = strchr(p + 1, '{')) {
        const char *end = strchr(p, '}');
        th_pen_object(pen);
        th_pen_kstr(pen, "name", (th_str){p + 1, (size_t)(end - p - 1)});
        th_pen_ktext(pen, "in", "path");
        th_pen_kbool(pen, "required", true);
        th_pen_kraw(pen, "schema", TH_STR("{\"type\":\"string\"}"));
        th_pen_end(pen, '}');
    }
}

/* "name:string:description;name:integer:description" */
static void query_parameters(th_pen *pen, const char *query, th_arena *arena)
{
    th_str rest = th_str_of(query), one, name, type;
    while (rest.n && th_str_cut(&rest, ';', &one)) {
        th_str words = one;
        if (!th_str_cut(&words, ':', &name) || !th_str_cut(&words, ':', &type))
            continue;
        th_pen_object(pen);
        th_pen_kstr(pen, "name", name);
        th_pen_ktext(pen, "in", "query");
        th_pen_kstr(pen, "description", words);
        th_pen_kraw(pen, "schema", th_strf(arena, "{\"type\":\"%.*s\"}", TH_FMT(type)));
        th_pen_end(pen, '}');
    }
}

static void problem_response(th_pen *pen, const char *status, const char *description)
{
    th_pen_key(pen, status);
    th_pen_object(pen);
    th_pen_ktext(pen, "description", description);
    th_pen_kraw(pen, "content", TH_STR("{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}"));
    th_pen_end(pen, '}');
}

/* `response` is a JSON Schema, or the media type of what is no JSON; NULL = says only that it is done. */
static void content(th_pen *pen, const char *response)
{
    bool json = response[0] == '{';
    th_pen_key(pen, "content");
    th_pen_object(pen);
    th_pen_key(pen, json ? "application/json" : response);
    th_pen_object(pen);
    schema_member(pen, "schema", json ? response : "{\"type\":\"string\"}");
    th_pen_end(pen, '}');
    th_pen_end(pen, '}');
}

static bool is_read(const th_route *route)
{
    return strcmp(route->method, "GET") == 0;
}

static void responses(th_pen *pen, const th_route *route)
{
    th_pen_key(pen, "responses");
    th_pen_object(pen);
    th_pen_key(pen, is_read(route) ? "200" : "2XX"); /* a write answers 200 or 201 */
    th_pen_object(pen);
    th_pen_ktext(pen, "description", "Done");
    if (route->response)
        content(pen, route->response);
    th_pen_end(pen, '}');
    problem_response(pen, "400", "Malformed");
    if (route->roles != TH_ROLE_ANYONE)
        problem_response(pen, "401", "Not signed in");
    problem_response(pen, "default", "Any other problem");
    th_pen_end(pen, '}');
}

static void security(th_pen *pen, const th_route *route)
{
    th_pen_key(pen, "security");
    th_pen_array(pen);
    if (route->roles & TH_ROLE_PEER)
        th_pen_raw(pen, TH_STR("{\"peer\":[]}"));
    else if (route->roles) {
        th_pen_raw(pen, TH_STR("{\"session\":[]}"));
        if (route->roles & TH_ROLE_SYSTEM)
            th_pen_raw(pen, TH_STR("{\"key\":[]}"));
    }
    th_pen_end(pen, ']');
    if (!route->roles)
        return;
    th_pen_key(pen, "x-roles");
    th_pen_array(pen);
    for (size_t i = 0; i < TH_COUNT(role_names); i++)
        if (route->roles & role_names[i].role)
            th_pen_text(pen, role_names[i].name);
    th_pen_end(pen, ']');
}

static void operation(th_pen *pen, const th_mounted *m, th_arena *arena)
{
    const th_route *route = m->route;
    char method[8] = {0};
    for (size_t i = 0; i + 1 < sizeof method && route->method[i]; i++)
        method[i] = (char)(route->method[i] | 0x20);
    th_pen_key(pen, method);
    th_pen_object(pen);
    th_pen_ktext(pen, "operationId", route->operation);
    th_pen_ktext(pen, "summary", route->summary);
    th_pen_key(pen, "tags");
    th_pen_array(pen);
    th_pen_text(pen, m->tag);
    th_pen_end(pen, ']');
    security(pen, route);
    bool once = !is_read(route) && route->roles && !(route->roles & TH_ROLE_PEER);
    if (strchr(route->pattern, '{') || route->query || once) {
        th_pen_key(pen, "parameters");
        th_pen_array(pen);
        path_parameters(pen, route->pattern);
        if (route->query)
            query_parameters(pen, route->query, arena);
        if (once)
            th_pen_raw(pen, TH_STR("{\"$ref\":\"#/components/parameters/IdempotencyKey\"}"));
        th_pen_end(pen, ']');
    }
    if (route->body != TH_BODY_NONE) {
        th_pen_key(pen, "requestBody");
        th_pen_object(pen);
        th_pen_kbool(pen, "required", true);
        th_pen_key(pen, "content");
        th_pen_object(pen);
        th_pen_key(pen, route->body == TH_BODY_JSON ? "application/json" : "application/octet-stream");
        th_pen_object(pen);
        schema_member(pen, "schema", route->body == TH_BODY_JSON ? route->request : "{\"type\":\"string\",\"format\":\"binary\"}");
        th_pen_end(pen, '}');
        th_pen_end(pen, '}');
        th_pen_end(pen, '}');
    }
    responses(pen, route);
    th_pen_end(pen, '}');
}

/* ---- what every listener has without a module ---- */

static void built_in(th_pen *pen)
{
    static const struct { const char *path, *operation, *summary, *type, *busy; } all[] = {
        {"/healthz", "alive", "The process answers", "application/json", NULL},
        {"/readyz", "ready", "It can do its work: 503 says why not", "application/json", "503"},
        {"/metrics", "metrics", "Counters and times for Prometheus", "text/plain", NULL},
        {"/openapi.json", "description", "This description", "application/json", NULL},
    };
    for (size_t i = 0; i < TH_COUNT(all); i++) {
        bool json = strcmp(all[i].type, "application/json") == 0;
        th_pen_key(pen, all[i].path);
        th_pen_object(pen);
        th_pen_key(pen, "get");
        th_pen_object(pen);
        th_pen_ktext(pen, "operationId", all[i].operation);
        th_pen_ktext(pen, "summary", all[i].summary);
        th_pen_kraw(pen, "tags", TH_STR("[\"listener\"]"));
        th_pen_kraw(pen, "security", TH_STR("[]"));
        th_pen_key(pen, "responses");
        th_pen_object(pen);
        th_pen_key(pen, "200");
        th_pen_object(pen);
        th_pen_ktext(pen, "description", "Done");
        content(pen, json ? "{\"type\":\"object\"}" : all[i].type);
        th_pen_end(pen, '}');
        if (all[i].busy)
            th_pen_kraw(pen, all[i].busy, TH_STR("{\"description\":\"Not now\",\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\"}}}}"));
        problem_response(pen, "4XX", "Malformed");
        th_pen_end(pen, '}');
        th_pen_end(pen, '}');
        th_pen_end(pen, '}');
    }
}

static void paths(th_server *server, th_pen *pen, th_arena *arena)
{
    th_pen_key(pen, "paths");
    th_pen_object(pen);
    built_in(pen);
    for (size_t i = 0; i < server->route_count; i++) {
        const char *pattern = server->routes[i].route->pattern;
        size_t earlier = 0;
        while (earlier < i && strcmp(server->routes[earlier].route->pattern, pattern) != 0)
            earlier++;
        if (earlier < i)
            continue;
        th_pen_key(pen, pattern);
        th_pen_object(pen);
        for (size_t k = i; k < server->route_count; k++)
            if (strcmp(server->routes[k].route->pattern, pattern) == 0)
                operation(pen, &server->routes[k], arena);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, '}');
}

static void tags(th_server *server, th_pen *pen)
{
    th_pen_key(pen, "tags");
    th_pen_array(pen);
    th_pen_raw(pen, TH_STR("{\"name\":\"listener\",\"description\":\"What every listener answers\"}"));
    for (size_t i = 0; i < server->route_count; i++) {
        size_t earlier = 0;
        while (earlier < i && strcmp(server->routes[earlier].tag, server->routes[i].tag) != 0)
            earlier++;
        if (earlier < i)
            continue;
        th_pen_object(pen);
        th_pen_ktext(pen, "name", server->routes[i].tag);
        th_pen_ktext(pen, "description", "Operations of this part");
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
}

/* ---- components: only those that something on this listener refers to ---- */

static const char problem_schema[] =
    "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\"],\"properties\":{\"type\":{\"type\":\"string\"},"
    "\"title\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"},\"title_zh\":{\"type\":\"string\"},\"title_en\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"instance\":{\"type\":\"string\"},\"retry_after\":{\"type\":\"integer\"},"
    "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"pointer\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"},"
    "\"message\":{\"type\":\"string\"},\"message_zh\":{\"type\":\"string\"},\"message_en\":{\"type\":\"string\"}}}}}}";

enum { SCHEMAS_MAX = 256 };
typedef struct schema_set {
    const th_json *all[SCHEMAS_MAX];
    bool used[SCHEMAS_MAX];
    size_t n;
} schema_set;

static bool text_refers(th_str text, th_str name)
{
    static const char prefix[] = "#/components/schemas/";
    for (const char *p = text.p, *end = text.p + text.n; p < end;) {
        const char *at = memmem(p, (size_t)(end - p), prefix, sizeof prefix - 1);
        if (!at)
            return false;
        p = at + sizeof prefix - 1;
        if ((size_t)(end - p) > name.n && memcmp(p, name.p, name.n) == 0 && p[name.n] == '"')
            return true;
    }
    return false;
}

static bool routes_refer(const th_server *server, th_str name)
{
    bool found = false;
    for (size_t i = 0; i < server->route_count && !found; i++) {
        const th_route *r = server->routes[i].route;
        found = (r->request && text_refers(th_str_of(r->request), name)) || (r->response && text_refers(th_str_of(r->response), name));
    }
    return found;
}

static bool schemas_refer(const schema_set *set, th_str name)
{
    bool found = false;
    for (size_t i = 0; i < set->n && !found; i++)
        found = set->used[i] && text_refers(set->all[i]->raw, name);
    return found;
}

static void schemas_gather(const th_server *server, schema_set *set, th_arena *arena)
{
    for (size_t i = 0; i < server->schema_count; i++) {
        const th_json *root;
        TH_ASSERT(th_json_parse(th_str_of(server->schemas[i]), arena, &root, NULL) == TH_OK);
        for (const th_json *s = th_json_first(root); s; s = th_json_next(root, s)) {
            TH_ASSERT(set->n < SCHEMAS_MAX);
            set->used[set->n] = routes_refer(server, s->key);
            set->all[set->n++] = s;
        }
    }
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < set->n; i++)
            if (!set->used[i] && schemas_refer(set, set->all[i]->key))
                set->used[i] = more = true;
    }
}

static bool any_role(const th_server *server, unsigned roles)
{
    for (size_t i = 0; i < server->route_count; i++)
        if (server->routes[i].route->roles & roles)
            return true;
    return false;
}

static void schemes(const th_server *server, th_pen *pen)
{
    th_pen_key(pen, "securitySchemes");
    th_pen_object(pen);
    if (any_role(server, ~(unsigned)TH_ROLE_PEER))
        th_pen_kraw(pen, "session",
                    TH_STR("{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"tonghui\",\"description\":\"Set by POST /people/v1/session, under this name "
                           "and the node's code; writes also carry X-CSRF-Token with the token that it answered\"}"));
    if (any_role(server, TH_ROLE_SYSTEM))
        th_pen_kraw(pen, "key", TH_STR("{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"An outside system's API key\"}"));
    if (any_role(server, TH_ROLE_PEER))
        th_pen_kraw(pen, "peer", TH_STR("{\"type\":\"mutualTLS\",\"description\":\"A key that the region's trust document pins\"}"));
    th_pen_end(pen, '}');
}

static void components(th_server *server, th_pen *pen, th_arena *arena)
{
    schema_set *set = th_alloc(arena, sizeof *set);
    th_pen_key(pen, "components");
    th_pen_object(pen);
    th_pen_key(pen, "schemas");
    th_pen_object(pen);
    th_pen_kraw(pen, "Problem", th_str_of(problem_schema));
    if (set)
        schemas_gather(server, set, arena);
    for (size_t i = 0; set && i < set->n; i++)
        if (set->used[i]) {
            th_pen_key_str(pen, set->all[i]->key);
            th_pen_raw(pen, set->all[i]->raw);
        }
    th_pen_end(pen, '}');
    if (!server->options.peers)
        th_pen_kraw(pen, "parameters",
                    TH_STR("{\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"required\":false,\"description\":\"A write sent again under the "
                           "same key within 24 hours gets the first answer\",\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128}}}"));
    schemes(server, pen);
    th_pen_end(pen, '}');
}

th_status th_openapi_write(th_server *server, th_buf *buf)
{
    th_arena arena;
    th_arena_open(&arena, 16u << 20);
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "openapi", "3.1.0");
    th_pen_kraw(&pen, "info",
                TH_STR("{\"title\":\"Tonghui 通惠\",\"version\":\"0.1.0\",\"description\":\"One administration's node of a region.\","
                       "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}}"));
    th_pen_kraw(&pen, "servers", TH_STR("[{\"url\":\"/\"}]"));
    tags(server, &pen);
    paths(server, &pen, &arena);
    components(server, &pen, &arena);
    th_pen_end(&pen, '}');
    th_arena_close(&arena);
    return th_buf_ok(buf) ? TH_OK : TH_TOO_LARGE;
}
