/* link.c — the exchange's legs: takes batches from it and carries them with the HTTP client, one thread for all peers.
 *
 * The client's thread drains every woken peer as long as the exchange gives batches. Grants of peers are fetched when a peer is first
 * reached, and again every few minutes or when a provider refused one. */
#include "node/node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { TICK_MS = 500, TICK_WAITED_MS = 50, CALL_TIMEOUT_MS = 60000, CONNECT_TIMEOUT_MS = 2000 };
enum { GRANTS_EVERY_S = 300, GRANTS_RETRY_FIRST_MS = 250, GRANTS_RETRY_MAX_MS = 8000 };

typedef struct grants_state {
    char peer[TH_CODE_TEXT];
    int64_t due_us;
    int failures; /* in a row */
    bool asking;
} grants_state;

struct th_link {
    th_exchange *exchange;
    th_client *client;
    pthread_mutex_t lock;
    char woken[TH_MEMBERS_MAX][TH_CODE_TEXT];
    size_t woken_count;
    int64_t tick_at_us;
    th_env env;
    grants_state grants[TH_MEMBERS_MAX];
    size_t grants_count;
    atomic_bool closing;
};

typedef struct carried {
    th_call call;
    th_link *link;
    th_outgoing *outgoing;
    char headers[4][1400];
    const char *header_list[6];
} carried;

/* With link->lock held. */
static void woken_add(th_link *link, const char *peer)
{
    size_t i = 0;
    while (i < link->woken_count && strcmp(link->woken[i], peer) != 0)
        i++;
    if (i == link->woken_count && i < TH_MEMBERS_MAX)
        memcpy(link->woken[link->woken_count++], peer, TH_CODE_TEXT);
}

/* ---- batches ---- */

static void carried_done(th_call *call)
{
    carried *c = call->ctx;
    th_link *link = c->link;
    th_outgoing *outgoing = c->outgoing;
    char peer[TH_CODE_TEXT];
    memcpy(peer, outgoing->peer, sizeof peer);
    if (call->status == TH_OK) {
        th_wire answer = {
            .status = call->http_status,
            .content_type = th_call_header(call, "Content-Type"),
            .content_digest = th_call_header(call, "Content-Digest"),
            .signature_input = th_call_header(call, "Signature-Input"),
            .signature = th_call_header(call, "Signature"),
            .body = call->response,
        };
        th_exchange_answered(link->exchange, outgoing, &answer);
    } else {
        th_exchange_failed(link->exchange, outgoing, call->status, &call->error);
    }
    th_free(c);
    /* A place in the window is free; this thread looks before it sleeps. */
    pthread_mutex_lock(&link->lock);
    woken_add(link, peer);
    pthread_mutex_unlock(&link->lock);
}

static bool header_set(carried *c, size_t i, const char *name, th_str value)
{
    size_t n = strlen(name);
    if (n + 2 + value.n + 1 > sizeof c->headers[i])
        return false;
    memcpy(c->headers[i], name, n);
    memcpy(c->headers[i] + n, ": ", 2);
    memcpy(c->headers[i] + n + 2, value.p, value.n);
    c->headers[i][n + 2 + value.n] = 0;
    c->header_list[i] = c->headers[i];
    return true;
}

/* Until the last of those who wait for this batch gives up. */
static int time_left_ms(th_link *link, const th_outgoing *outgoing)
{
    int64_t left = (outgoing->deadline_us - th_now_us(&link->env)) / 1000;
    return left < 250 ? 250 : left > CALL_TIMEOUT_MS ? CALL_TIMEOUT_MS : (int)left;
}

static void carry(th_link *link, th_outgoing *outgoing)
{
    carried *c = th_new(sizeof *c);
    const th_wire *w = &outgoing->wire;
    th_status status = c ? TH_OK : TH_NO_MEMORY;
    if (c) {
        c->link = link;
        c->outgoing = outgoing;
        bool ok = header_set(c, 0, "Tonghui-Batch", w->batch) && header_set(c, 1, "Content-Digest", w->content_digest) &&
                  header_set(c, 2, "Signature-Input", w->signature_input) && header_set(c, 3, "Signature", w->signature);
        c->header_list[4] = "Content-Type: application/x-ndjson";
        c->call = (th_call){.method = "POST",
                            .url = w->target_uri.p,
                            .pins = outgoing->pins.p,
                            .headers = c->header_list,
                            .body = w->body,
                            .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                            .timeout_ms = time_left_ms(link, outgoing),
                            .done = carried_done,
                            .ctx = c};
        status = ok ? th_client_start(link->client, &c->call) : TH_TOO_LARGE;
    }
    if (status) {
        th_free(c);
        th_exchange_failed(link->exchange, outgoing, status, NULL);
    }
}

/* ---- grants of peers ---- */

typedef struct fetching {
    th_call call;
    th_link *link;
    th_trust *trust;
    char peer[TH_CODE_TEXT], url[512], pins[512];
} fetching;

static void grants_learnt(th_link *link, const char *peer, bool ok)
{
    pthread_mutex_lock(&link->lock);
    for (size_t i = 0; i < link->grants_count; i++)
        if (strcmp(link->grants[i].peer, peer) == 0) {
            grants_state *g = &link->grants[i];
            int64_t pause_ms = (int64_t)GRANTS_RETRY_FIRST_MS << (g->failures < 6 ? g->failures : 6);
            pause_ms = pause_ms > GRANTS_RETRY_MAX_MS ? GRANTS_RETRY_MAX_MS : pause_ms;
            g->asking = false;
            g->failures = ok ? 0 : g->failures + 1;
            g->due_us = th_now_us(&link->env) + (ok ? GRANTS_EVERY_S * TH_SECOND_US : pause_ms * 1000);
        }
    pthread_mutex_unlock(&link->lock);
}

static void grants_done(th_call *call)
{
    fetching *f = call->ctx;
    th_error error = {0};
    th_status status = call->status;
    if (!status && call->http_status != 200)
        status = TH_UNAVAILABLE;
    if (!status)
        status = th_exchange_grants_learn(f->link->exchange, th_str_of(f->peer), call->response, &error);
    if (status)
        th_log(TH_LOG_INFO, "grants-not-fetched", "peer", f->peer, "status", th_status_name(status), "type", error.type, NULL);
    grants_learnt(f->link, f->peer, status == TH_OK);
    th_trust_release(f->trust);
    th_free(f);
}

static void pins_join(char *to, size_t room, const th_member *member)
{
    size_t n = 0;
    to[0] = 0;
    for (size_t i = 0; i < member->pin_count; i++) {
        th_str pin = member->pins[i]; /* "sha256/…", for the client "sha256//…" */
        if (n + pin.n + 3 >= room)
            return;
        if (i)
            to[n++] = ';';
        memcpy(to + n, "sha256//", 8);
        memcpy(to + n + 8, pin.p + 7, pin.n - 7);
        n += pin.n + 1;
        to[n] = 0;
    }
}

static void grants_fetch(th_link *link, const th_member *member)
{
    fetching *f = th_new(sizeof *f);
    if (!f)
        return;
    f->link = link;
    memcpy(f->peer, member->code, sizeof f->peer);
    static const char path[] = "/exchange/v1/grants:published";
    if (member->peer.n + sizeof path > sizeof f->url) {
        th_free(f);
        return;
    }
    memcpy(f->url, member->peer.p, member->peer.n);
    memcpy(f->url + member->peer.n, path, sizeof path);
    pins_join(f->pins, sizeof f->pins, member);
    f->call = (th_call){.method = "GET",
                        .url = f->url,
                        .pins = f->pins,
                        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                        .timeout_ms = CALL_TIMEOUT_MS,
                        .done = grants_done,
                        .ctx = f};
    if (th_client_start(link->client, &f->call)) {
        grants_learnt(link, member->code, false);
        th_free(f);
    }
}

static bool grants_due(th_link *link, const char *peer)
{
    int64_t now = th_now_us(&link->env);
    bool due = false;
    pthread_mutex_lock(&link->lock);
    size_t i = 0;
    while (i < link->grants_count && strcmp(link->grants[i].peer, peer) != 0)
        i++;
    if (i == link->grants_count && i < TH_MEMBERS_MAX) {
        memcpy(link->grants[i].peer, peer, TH_CODE_TEXT);
        link->grants_count++;
    }
    if (i < TH_MEMBERS_MAX && !link->grants[i].asking && now >= link->grants[i].due_us)
        due = link->grants[i].asking = true;
    pthread_mutex_unlock(&link->lock);
    return due;
}

static void grants_refresh(th_link *link)
{
    th_trust *trust = th_exchange_trust(link->exchange);
    for (size_t i = 0; trust && i < trust->member_count; i++) {
        const th_member *member = &trust->members[i];
        if (strcmp(member->code, th_exchange_code(link->exchange)) != 0 && !member->suspended && grants_due(link, member->code))
            grants_fetch(link, member);
    }
    th_trust_release(trust);
}

/* ---- the loop on the client's thread ---- */

static bool woken_take(th_link *link, char ret_peer[TH_CODE_TEXT])
{
    pthread_mutex_lock(&link->lock);
    bool any = link->woken_count > 0;
    if (any)
        memcpy(ret_peer, link->woken[--link->woken_count], TH_CODE_TEXT);
    pthread_mutex_unlock(&link->lock);
    return any;
}

static int link_idle(void *ctx)
{
    th_link *link = ctx;
    char peer[TH_CODE_TEXT];
    int64_t now = th_now_us(&link->env);
    if (link->closing)
        return TICK_MS;
    bool ticked = now - link->tick_at_us < TICK_WAITED_MS * 1000 && now >= link->tick_at_us;
    if (!ticked) {
        link->tick_at_us = now;
        th_exchange_tick(link->exchange);
        grants_refresh(link);
    }
    while (woken_take(link, peer)) {
        th_outgoing *outgoing;
        while ((outgoing = th_exchange_next(link->exchange, peer)))
            carry(link, outgoing);
    }
    return th_exchange_waits(link->exchange) ? TICK_WAITED_MS : TICK_MS;
}

void th_link_wake(void *slot, const char *peer)
{
    th_link *link = *(th_link **)slot;
    if (!link)
        return;
    pthread_mutex_lock(&link->lock);
    woken_add(link, peer);
    bool closing = link->closing;
    if (!closing)
        th_client_wake(link->client);
    pthread_mutex_unlock(&link->lock);
}

void th_link_stop(th_link *link)
{
    if (!link)
        return;
    pthread_mutex_lock(&link->lock);
    link->closing = true;
    pthread_mutex_unlock(&link->lock);
}

th_status th_link_open(th_exchange *exchange, th_client *client, th_link **ret_link)
{
    th_link *link = th_new(sizeof *link);
    if (!link)
        return TH_NO_MEMORY;
    link->exchange = exchange;
    link->client = client;
    link->env = th_env_real();
    pthread_mutex_init(&link->lock, NULL);
    *ret_link = link;
    th_client_idle_set(client, link_idle, link);
    th_client_wake(client);
    return TH_OK;
}

/* After the client was closed: no call of its thread is under way any more. */
void th_link_close(th_link *link)
{
    if (!link)
        return;
    pthread_mutex_destroy(&link->lock);
    th_free(link);
}
