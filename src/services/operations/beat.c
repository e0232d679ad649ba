/* beat.c — what this node did each second, told to members; and theirs, asked for. */
#include "operations-private.h"

#include <stdlib.h>
#include <string.h>

/* ---- counting ---- */

static void flow_add(th_beat *b, th_str to, int64_t count)
{
    size_t i = 0;
    while (i < b->flow_count && !th_str_is(to, b->flows[i].to))
        i++;
    if (i == TH_MEMBERS_MAX || to.n >= TH_CODE_TEXT)
        return;
    if (i == b->flow_count) {
        memset(b->flows[i].to, 0, sizeof b->flows[i].to);
        memcpy(b->flows[i].to, to.p, to.n);
        b->flows[i].count = 0;
        b->flow_count++;
    }
    b->flows[i].count += count;
}

static void message_count(th_operations *o, const th_json *json)
{
    int64_t count = th_json_int(json, "count", 0), failed = th_json_int(json, "failed", 0);
    th_str type = th_json_str(json, "type");
    if (th_str_is(type, "heads"))
        return; /* the nodes' own small talk */
    o->own_now.messages += count;
    if (th_str_is(type, "ask"))
        o->own_now.verifies += count;
    o->own_now.faults += failed;
    flow_add(&o->own_now, th_json_str(json, "to"), count);
    o->samples[o->sample_count++ % TH_BEAT_SAMPLES] = th_json_int(json, "us", 0);
}

void th_beat_watch(void *ctx, const char *event, th_str text)
{
    th_operations *o = ctx;
    th_arena arena;
    const th_json *json;
    th_arena_open(&arena, 64 * 1024);
    if (th_json_parse(text, &arena, &json, NULL) == TH_OK) {
        bool message = strcmp(event, "message") == 0;
        if (message) {
            pthread_mutex_lock(&o->lock);
            message_count(o, json);
            pthread_mutex_unlock(&o->lock);
        }
        if (!message || !th_str_is(th_json_str(json, "type"), "heads"))
            th_topic_publish(o->topic, event, text);
    }
    th_arena_close(&arena);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void latency_fill(th_operations *o, th_beat *b)
{
    int64_t sorted[TH_BEAT_SAMPLES];
    size_t n = o->sample_count < TH_BEAT_SAMPLES ? o->sample_count : TH_BEAT_SAMPLES;
    memcpy(sorted, o->samples, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    b->p50_us = n ? sorted[n / 2] : 0;
    b->p99_us = n ? sorted[(n * 99) / 100 < n ? (n * 99) / 100 : n - 1] : 0;
}

/* Under the lock: this minute's sums, of whoever told them. */
static void minute_add(th_operations *o, int64_t now, const th_beat *b)
{
    int64_t minute = now / TH_MINUTE_US;
    th_minute *m = &o->minutes[minute % TH_MINUTES];
    if (m->minute != minute)
        *m = (th_minute){.minute = minute};
    m->messages += b->messages;
    m->verifies += b->verifies;
    m->faults += b->faults;
}

void th_beat_turn(th_operations *o, int64_t now)
{
    th_head head;
    int64_t waiting = th_gauges_set(o, now);
    bool any = th_journal_head_now(th_exchange_journal(o->options.exchange), &head);
    pthread_mutex_lock(&o->lock);
    th_beat *b = &o->own_now;
    b->at_us = now;
    b->outbox = waiting;
    b->head_size = any ? (int64_t)head.size : 0;
    latency_fill(o, b);
    o->beats[0] = *b;
    minute_add(o, now, b);
    memset(b, 0, sizeof *b);
    memcpy(b->code, o->code, sizeof b->code);
    pthread_mutex_unlock(&o->lock);
}

/* ---- telling ---- */

void th_beat_write(th_pen *pen, const th_beat *b)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "code", b->code);
    th_pen_ktime(pen, "at", b->at_us);
    th_pen_kint(pen, "verifies", b->verifies);
    th_pen_kint(pen, "messages", b->messages);
    th_pen_kint(pen, "faults", b->faults);
    th_pen_kint(pen, "p50_us", b->p50_us);
    th_pen_kint(pen, "p99_us", b->p99_us);
    th_pen_kint(pen, "outbox", b->outbox);
    th_pen_kint(pen, "head_size", b->head_size);
    th_pen_key(pen, "flows");
    th_pen_array(pen);
    for (size_t i = 0; i < b->flow_count; i++) {
        th_pen_object(pen);
        th_pen_ktext(pen, "to", b->flows[i].to);
        th_pen_kint(pen, "count", b->flows[i].count);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

th_handled th_beat_get(th_request *rq)
{
    th_operations *o = rq->module;
    th_trust *trust = th_exchange_trust(o->options.exchange);
    bool member = trust && th_trust_member_by_pin(trust, th_str_of(rq->peer_pin));
    th_trust_release(trust);
    if (!member)
        return th_reply_problem(rq, th_fail(&rq->error, TH_FORBIDDEN, "unknown-member", "这把 TLS 密钥不属于任何成员", "This TLS key belongs to no member"),
                                NULL);
    pthread_mutex_lock(&o->lock);
    th_beat beat = o->beats[0];
    pthread_mutex_unlock(&o->lock);
    th_pen pen = th_pen_on(&rq->out);
    th_beat_write(&pen, &beat);
    return th_reply_json(rq, 200);
}

/* ---- asking ---- */

typedef struct polling {
    th_call call;
    th_operations *operations;
    char code[TH_CODE_TEXT], url[400], pins[400];
} polling;

static void beat_take(th_operations *o, const char *code, const th_json *json)
{
    int64_t now = th_now_us(o->options.env);
    th_beat b = {.at_us = now,
                 .verifies = th_json_int(json, "verifies", 0),
                 .messages = th_json_int(json, "messages", 0),
                 .faults = th_json_int(json, "faults", 0),
                 .p50_us = th_json_int(json, "p50_us", 0),
                 .p99_us = th_json_int(json, "p99_us", 0),
                 .outbox = th_json_int(json, "outbox", 0),
                 .head_size = th_json_int(json, "head_size", 0)};
    memcpy(b.code, code, sizeof b.code);
    const th_json *flows = th_json_get(json, "flows");
    for (const th_json *f = th_json_first(flows); f; f = th_json_next(flows, f))
        flow_add(&b, th_json_str(f, "to"), th_json_int(f, "count", 0));
    pthread_mutex_lock(&o->lock);
    size_t i = 1;
    while (i < o->beat_count && strcmp(o->beats[i].code, code) != 0)
        i++;
    if (i < TH_MEMBERS_MAX) {
        o->beats[i] = b;
        if (i == o->beat_count)
            o->beat_count++;
        minute_add(o, now, &b);
    }
    pthread_mutex_unlock(&o->lock);
}

static void polled(th_call *call)
{
    polling *p = call->ctx;
    th_operations *o = p->operations;
    th_arena arena;
    const th_json *json;
    th_arena_open(&arena, 256 * 1024);
    if (call->status == TH_OK && call->http_status == 200 && th_json_parse(call->response, &arena, &json, NULL) == TH_OK)
        beat_take(o, p->code, json);
    th_arena_close(&arena);
    th_free(p);
    atomic_fetch_sub(&o->polling, 1);
}

static void poll_one(th_operations *o, const th_member *m)
{
    polling *p = th_new(sizeof *p);
    th_arena arena;
    if (!p)
        return;
    th_arena_open(&arena, 4096);
    th_str url = th_strf(&arena, "%.*s/operations/v1/beat", TH_FMT(m->peer));
    th_buf pins;
    th_buf_open(&pins, &arena, sizeof p->pins - 1);
    for (size_t i = 0; i < m->pin_count; i++)
        th_buff(&pins, "%ssha256//%.*s", i ? ";" : "", (int)m->pins[i].n - 7, m->pins[i].p + 7);
    bool ok = url.n < sizeof p->url && th_buf_ok(&pins);
    if (ok) {
        memcpy(p->url, url.p, url.n);
        memcpy(p->pins, pins.p, pins.n);
    }
    th_arena_close(&arena);
    p->operations = o;
    memcpy(p->code, m->code, sizeof p->code);
    p->call = (th_call){.method = "GET", .url = p->url, .pins = p->pins, .connect_timeout_ms = 800, .timeout_ms = 1500, .done = polled, .ctx = p};
    atomic_fetch_add(&o->polling, 1);
    if (!ok || th_client_start(o->client, &p->call)) {
        th_free(p);
        atomic_fetch_sub(&o->polling, 1);
    }
}

void th_beat_poll(th_operations *o)
{
    th_trust *trust = th_exchange_trust(o->options.exchange);
    for (size_t i = 0; trust && i < trust->member_count; i++)
        if (strcmp(trust->members[i].code, o->code) != 0 && !trust->members[i].suspended && atomic_load(&o->polling) < 2 * (int)trust->member_count)
            poll_one(o, &trust->members[i]);
    th_trust_release(trust);
}
