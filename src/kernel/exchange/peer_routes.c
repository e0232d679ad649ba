/* peer_routes.c — the peers' listener: batches from other nodes, and our grants for them to read. */
#include "routes-private.h"

#include <string.h>

typedef struct arrival {
    th_incoming incoming;
    th_request *rq;
} arrival;

static th_handled arrival_reply(th_request *rq)
{
    arrival *a = rq->ctx;
    th_exchange *ex = rq->module;
    th_incoming *in = &a->incoming;
    th_incoming_finish(ex, in);
    const th_wire *w = &in->answer;
    if (w->signature.n) {
        th_reply_header(rq, "Content-Digest", w->content_digest);
        th_reply_header(rq, "Signature-Input", w->signature_input);
        th_reply_header(rq, "Signature", w->signature);
    }
    const char *type = w->signature.n ? "application/x-ndjson" : "application/problem+json";
    th_handled handled = th_reply_bytes(rq, w->status, type, th_str_keep(&rq->arena, w->body));
    th_arena_close(&in->arena);
    return handled;
}

static void arrival_done(th_incoming *incoming)
{
    arrival *a = incoming->ctx;
    a->rq->then = arrival_reply;
    th_request_finish(a->rq);
}

th_handled th_exchange_batch_post(th_request *rq)
{
    th_exchange *ex = rq->module;
    arrival *a = th_alloc(&rq->arena, sizeof *a);
    th_trust *trust = th_exchange_trust(ex);
    const th_member *self = trust ? th_trust_member(trust, th_str_of(ex->code)) : NULL;
    if (!a) {
        th_trust_release(trust);
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    }
    a->rq = rq;
    rq->ctx = a;
    /* The target that the peer signed must be the address that the trust document gives for us, whatever Host it sent. */
    a->incoming.request = (th_wire){
        .target_uri = self ? th_strf(&rq->arena, "%.*s/exchange/v1/batch", TH_FMT(self->peer)) : (th_str){NULL, 0},
        .content_type = th_request_header(rq, "Content-Type"),
        .content_digest = th_request_header(rq, "Content-Digest"),
        .batch = th_request_header(rq, "Tonghui-Batch"),
        .signature_input = th_request_header(rq, "Signature-Input"),
        .signature = th_request_header(rq, "Signature"),
        .body = rq->body,
    };
    memcpy(a->incoming.request.pin, rq->peer_pin, sizeof a->incoming.request.pin);
    th_trust_release(trust);
    th_arena_open(&a->incoming.arena, 96u << 20);
    a->incoming.done = arrival_done;
    a->incoming.ctx = a;
    th_exchange_receive(ex, &a->incoming);
    return TH_LATER;
}
