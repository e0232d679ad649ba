/* reply.c — answers: one place that writes headers. */
#include "net-private.h"

#include <stdio.h>
#include <string.h>

void th_reply_header(th_request *rq, const char *name, th_str value)
{
    th_rq *r = (th_rq *)rq;
    TH_ASSERT(r->header_count < TH_REPLY_HEADERS_MAX);
    th_str kept = th_str_keep(&rq->arena, value);
    if (kept.p) {
        r->headers[r->header_count].name = name;
        r->headers[r->header_count++].value = kept;
    }
}

th_handled th_reply_problem(th_request *rq, th_status status, const th_error *error)
{
    th_error e = error ? *error : rq->error;
    e.status = status;
    rq->status = e.http ? e.http : th_status_http(status);
    rq->content_type = "application/problem+json";
    th_buf_open(&rq->out, &rq->arena, 64 * 1024);
    th_problem_write(&rq->out, &e, rq->lang, th_str_of(rq->id));
    if (e.retry_after_s > 0) {
        th_arena small;
        th_arena_open(&small, 4096);
        th_reply_header(rq, "Retry-After", th_strf(&small, "%d", e.retry_after_s));
        th_arena_close(&small);
    }
    return TH_DONE;
}

th_handled th_reply_json(th_request *rq, int http_status)
{
    if (!th_buf_ok(&rq->out)) {
        th_fail(&rq->error, TH_TOO_LARGE, "answer-too-large", "答复过大，请缩小范围", "The answer is too large; ask for less");
        return th_reply_problem(rq, TH_TOO_LARGE, NULL);
    }
    rq->status = http_status;
    rq->content_type = "application/json";
    return TH_DONE;
}

th_handled th_reply_bytes(th_request *rq, int http_status, const char *content_type, th_str bytes)
{
    th_buf_open(&rq->out, &rq->arena, 64u << 20);
    th_buf_str(&rq->out, bytes);
    if (!th_buf_ok(&rq->out))
        return th_reply_json(rq, http_status);
    rq->status = http_status;
    rq->content_type = content_type;
    return TH_DONE;
}

/* FNV-1a over eight bytes at a time: an ETag tells versions apart, it does not prove anything. */
static uint64_t tag_of(th_str body)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325), piece;
    size_t i = 0;
    for (; i + 8 <= body.n; i += 8) {
        memcpy(&piece, body.p + i, 8);
        h = (h ^ piece) * UINT64_C(0x100000001b3);
        h ^= h >> 32;
    }
    for (; i < body.n; i++)
        h = (h ^ (unsigned char)body.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void etag_apply(th_rq *r, struct MHD_Response **response)
{
    char tag[24];
    th_request *rq = &r->rq;
    bool get = th_str_is(rq->method, "GET") && rq->status == 200;
    if (!get)
        return;
    snprintf(tag, sizeof tag, "W/\"%016llx\"", (unsigned long long)tag_of(th_buf_view(&rq->out)));
    th_str known = th_request_header(rq, "If-None-Match");
    if (th_str_is(known, tag)) {
        MHD_destroy_response(*response);
        *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        rq->status = 304;
    }
    if (*response)
        MHD_add_response_header(*response, "ETag", tag);
}

enum MHD_Result th_send(th_rq *r)
{
    th_request *rq = &r->rq;
    struct MHD_Response *response = r->response;
    if (!response) {
        th_str body = th_buf_view(&rq->out);
        /* The bytes lie in the request's arena, which lives until the answer is sent. */
        response = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_PERSISTENT);
        if (!response)
            return MHD_NO;
        etag_apply(r, &response);
        MHD_add_response_header(response, "Cache-Control", "no-store");
    }
    if (rq->content_type)
        MHD_add_response_header(response, "Content-Type", rq->content_type);
    MHD_add_response_header(response, "X-Request-Id", rq->id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (rq->status == 401) /* no scheme that makes a browser ask for a password */
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"tonghui\"");
    for (size_t i = 0; i < r->header_count; i++)
        MHD_add_response_header(response, r->headers[i].name, r->headers[i].value.p);
    if (r->refused || atomic_load(&r->server->draining))
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(r->connection, (unsigned)rq->status, response);
    MHD_destroy_response(response);
    r->response = NULL;
    return result;
}
