/* built_in.c — what every listener answers without a module: health, readiness, metrics, and its own description. */
#include "net-private.h"

#include <string.h>

static void ready_answer(th_rq *r)
{
    th_server *server = r->server;
    th_buf why;
    th_buf_open(&why, &r->rq.arena, 4096);
    bool ready = !atomic_load(&server->draining) && (!server->ready || server->ready(server->ready_ctx, &why));
    th_pen pen = th_pen_on(&r->rq.out);
    th_pen_object(&pen);
    th_pen_kbool(&pen, "ready", ready);
    if (!ready)
        th_pen_kstr(&pen, "why", why.n ? th_buf_view(&why) : TH_STR("draining"));
    th_pen_end(&pen, '}');
    (void)th_reply_json(&r->rq, ready ? 200 : 503);
}

bool th_built_in(th_rq *r)
{
    th_request *rq = &r->rq;
    if (!th_str_is(rq->method, "GET") && !th_str_is(rq->method, "HEAD"))
        return false;
    if (th_str_is(rq->path, "/healthz")) {
        (void)th_reply_bytes(rq, 200, "application/json", TH_STR("{\"alive\":true}"));
    } else if (th_str_is(rq->path, "/readyz")) {
        ready_answer(r);
    } else if (th_str_is(rq->path, "/metrics")) {
        th_metrics_write(&rq->out);
        rq->content_type = "text/plain; version=0.0.4; charset=utf-8";
    } else if (th_str_is(rq->path, "/openapi.json") && r->server->openapi) {
        (void)th_reply_bytes(rq, 200, "application/json", (th_str){r->server->openapi, r->server->openapi_n});
    } else {
        return false;
    }
    return true;
}
