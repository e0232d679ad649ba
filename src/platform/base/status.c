/* status.c — names and HTTP codes of statuses, and the assertion that ends a process that has lost its own promises. */
#include "platform/base/base.h"

#include <stdio.h>
#include <stdlib.h>

static const struct { int http; const char *name; } table[] = {
    [TH_OK] = {200, "ok"},
    [TH_INVALID] = {400, "invalid"},
    [TH_UNAUTHENTICATED] = {401, "unauthenticated"},
    [TH_FORBIDDEN] = {403, "forbidden"},
    [TH_NOT_FOUND] = {404, "not-found"},
    [TH_CONFLICT] = {409, "conflict"},
    [TH_TOO_LARGE] = {413, "too-large"},
    [TH_UNPROCESSABLE] = {422, "unprocessable"},
    [TH_BUSY] = {429, "busy"},
    [TH_UNAVAILABLE] = {503, "unavailable"},
    [TH_TIMEOUT] = {504, "timeout"},
    [TH_NO_SPACE] = {507, "out-of-space"},
    [TH_IO] = {500, "io"},
    [TH_CORRUPT] = {500, "corrupt"},
    [TH_NO_MEMORY] = {500, "no-memory"},
};

int th_status_http(th_status status)
{
    return (size_t)status < TH_COUNT(table) ? table[status].http : 500;
}

const char *th_status_name(th_status status)
{
    return (size_t)status < TH_COUNT(table) ? table[status].name : "unknown";
}

void th_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "{\"level\":\"error\",\"event\":\"assertion-failed\",\"at\":\"%s:%d\",\"condition\":\"%s\"}\n", file, line,
            condition);
    fflush(stderr);
    abort();
}
