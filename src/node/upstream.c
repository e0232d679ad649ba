/* upstream.c — how a register behind HTTP is asked, and another member's portal. */
#include "node/node.h"

th_status th_upstream_get(void *ctx, const char *url, const char *authorization, int timeout_ms, th_arena *arena, th_str *ret_body,
                          th_error *error)
{
    (void)ctx;
    th_str header = authorization ? th_strf(arena, "Authorization: %s", authorization) : (th_str){NULL, 0};
    const char *headers[] = {"Accept: application/json", header.p, NULL};
    th_client_options options = {.response_max = 64 * 1024};
    th_call call = {.method = "GET", .url = url, .headers = headers, .connect_timeout_ms = timeout_ms, .timeout_ms = timeout_ms};
    th_status status = th_client_once(&options, &call, arena);
    if (status) {
        if (error)
            *error = call.error;
        return status;
    }
    if (call.http_status == 404)
        return TH_NOT_FOUND;
    if (call.http_status != 200)
        return th_failf(error, TH_UNAVAILABLE, "upstream", "上游系统回应 %d", "The upstream answered %d", call.http_status);
    *ret_body = call.response;
    return TH_OK;
}

th_status th_portal_call(void *ctx, th_certificate_call *c, th_arena *arena, th_error *error)
{
    (void)ctx;
    th_str accept = th_strf(arena, "Accept: %s", c->accept ? c->accept : "*/*"), type = th_strf(arena, "Content-Type: %s", c->content_type ? c->content_type : "");
    const char *headers[] = {accept.p, c->content_type ? type.p : NULL, NULL};
    th_client_options options = {.response_max = c->answer_max};
    th_call call = {.method = c->method, .url = c->url, .headers = headers, .body = c->body, .connect_timeout_ms = c->timeout_ms, .timeout_ms = c->timeout_ms};
    th_status status = th_client_once(&options, &call, arena);
    if (status) {
        if (error)
            *error = call.error;
        return status;
    }
    c->http_status = call.http_status;
    c->answer = call.response;
    c->answer_type = call.content_type;
    return TH_OK;
}
