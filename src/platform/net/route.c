/* route.c — finding the row of the table: literal text, {name} for one segment or up to the ':' that follows it. */
#include "net-private.h"

#include <string.h>

static bool matches(const char *pattern, th_str path, th_str params[4])
{
    size_t at = 0, k = 0;
    for (const char *p = pattern; *p;) {
        if (*p != '{') {
            if (at == path.n || path.p[at] != *p)
                return false;
            at++;
            p++;
            continue;
        }
        const char *end = strchr(p, '}');
        char stop = end[1];
        size_t from = at;
        while (at < path.n && path.p[at] != '/' && !(stop == ':' && path.p[at] == ':'))
            at++;
        if (stop != 0 && stop != ':' && stop != '/') { /* a literal tail such as ".json": given back from the end */
            size_t tail = strlen(end + 1);
            if (at - from <= tail || at < path.n)
                return false;
            at -= tail;
        }
        if (at == from || k == 4)
            return false;
        params[k++] = (th_str){path.p + from, at - from};
        p = end + 1;
    }
    return at == path.n;
}

const th_mounted *th_route_find(th_server *server, th_str method, th_str path, th_str params[4], th_buf *ret_methods)
{
    for (size_t i = 0; i < server->route_count; i++) {
        const th_mounted *m = &server->routes[i];
        th_str found[4] = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
        if (!matches(m->route->pattern, path, found))
            continue;
        bool head = th_str_is(method, "HEAD") && strcmp(m->route->method, "GET") == 0;
        if (!head && !th_str_is(method, m->route->method)) {
            bool get = strcmp(m->route->method, "GET") == 0;
            th_buff(ret_methods, "%s%s%s", ret_methods->n ? ", " : "", m->route->method, get ? ", HEAD" : "");
            continue;
        }
        memcpy(params, found, sizeof found);
        return m;
    }
    return NULL;
}

th_status th_server_mount(th_server *server, const char *tag, const th_route *routes, size_t n, void *module, const char *schemas,
                          th_error *error)
{
    TH_ASSERT(!server->port);
    for (size_t i = 0; i < n; i++) {
        if (routes[i].peer_listener != server->options.peers)
            continue;
        if (server->route_count == TH_ROUTES_MAX)
            return th_fail(error, TH_TOO_LARGE, "routes", "路由过多", "There are too many routes");
        th_arena arena;
        th_arena_open(&arena, 16384);
        th_str labels = th_strf(&arena, "operation=\"%s\"", routes[i].operation);
        th_str ok = th_strf(&arena, "operation=\"%s\",outcome=\"ok\"", routes[i].operation);
        th_str bad = th_strf(&arena, "operation=\"%s\",outcome=\"problem\"", routes[i].operation);
        server->routes[server->route_count++] = (th_mounted){
            .route = &routes[i],
            .module = module,
            .tag = tag,
            .seconds = th_histogram("http_request_seconds", "Time from a whole request to its answer", labels.p),
            .ok = th_counter("http_requests_total", "Requests answered", ok.p),
            .failed = th_counter("http_requests_total", "Requests answered", bad.p),
        };
        th_arena_close(&arena);
    }
    if (schemas && server->schema_count < TH_MOUNTS_MAX)
        server->schemas[server->schema_count++] = schemas;
    return TH_OK;
}
