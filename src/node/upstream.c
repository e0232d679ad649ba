/* upstream.c — how a register behind HTTP is asked. */
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
