/* send.c — what waits for a peer becomes signed batches; deadlines, the window, and what happens after a failure.
 *
 * No timers: an idle link takes what is there at once. While batches are in flight another one starts only when enough waits to be
 * worth its two signatures, so that batches grow with the load by themselves. */
#include "ask-private.h"

#include <string.h>

/* What a second batch costs both nodes (signatures, commits, wakes) and what it gains (no node waits for the other) are even at about so
 * many lines: four signatures and three checks take 0.4 ms with Ed25519, 4 ms with SM2. */
enum { WORTH_ED25519 = 16, WORTH_SM2 = 128, SETTLING_MAX = 2 * TH_WINDOW };
/* After a failure the link pauses, longer each time; asks are tried at least every second as long as somebody waits. A peer that has
 * not been there for PATIENCE_MS is down, not restarting: its asks are told so instead of waiting for their deadlines. */
enum { RETRY_FIRST_MS = 100, RETRY_MAX_MS = 5000, RETRY_ASKS_MAX_MS = 1000, PATIENCE_MS = 2000, RETRY_AFTER_S = 2 };

/* ---- deadlines ---- */

static th_item *overdue_take(th_exchange *ex, th_peer *peer)
{
    int64_t now = th_now_us(&ex->env);
    th_item *late = NULL;
    for (th_item **at = &peer->first; *at;) {
        th_item *item = *at;
        if (item->deadline_us > now) {
            at = &item->next;
            continue;
        }
        *at = item->next;
        item->next = late;
        late = item;
        peer->waiting--;
    }
    peer->last = &peer->first;
    while (*peer->last)
        peer->last = &(*peer->last)->next;
    return late;
}

static void too_late(th_error *error)
{
    th_fail(error, TH_UNAVAILABLE, "peer-unavailable", "对方节点在限期内没有回应", "The peer did not answer in time");
    error->retry_after_s = RETRY_AFTER_S;
}

static void overdue_end(th_item *late)
{
    while (late) {
        th_item *item = late;
        th_error error = {0};
        late = item->next;
        too_late(&error);
        th_item_done(item, error.status, &error);
    }
}

/* Asks that are under way and overdue. Only the link's thread touches a batch before it is settling, so they stay while it looks. */
static th_item *flying_overdue(th_exchange *ex, th_peer *peer)
{
    int64_t now = th_now_us(&ex->env);
    th_item *late = NULL;
    for (th_batch_out *b = peer->flying; b; b = b->next_flying) {
        if (b->settling || b->first_deadline_us > now)
            continue;
        b->first_deadline_us = INT64_MAX;
        for (size_t i = 0; i < b->n; i++) {
            th_item *item = b->items[i];
            if (!item->ask)
                continue;
            if (item->deadline_us <= now) {
                item->batch = b;
                item->next = late;
                late = item;
            } else if (item->deadline_us < b->first_deadline_us) {
                b->first_deadline_us = item->deadline_us;
            }
        }
    }
    return late;
}

/* The line went out and may yet be answered and journaled: what its entry says is kept, for the asker's texts go with done. */
static void orphan_make(th_item *item)
{
    th_ask *ask = item->ask;
    th_str *texts[] = {&item->office, &item->operator_account, &item->item, &item->case_id};
    th_error error = {0};
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        if (texts[i]->p)
            *texts[i] = th_str_keep(&item->own, *texts[i]);
    item->arena = &item->own;
    item->ask = NULL;
    item->orphan = true;
    item->next = item->batch->orphans;
    item->batch->orphans = item;
    too_late(&error);
    ask->status = error.status;
    ask->error = error;
    ask->done(ask);
}

static void deadlines_tick(th_exchange *ex)
{
    pthread_mutex_lock(&ex->lock);
    size_t n = ex->peer_count;
    pthread_mutex_unlock(&ex->lock);
    for (size_t i = 0; i < n; i++) {
        th_peer *peer = &ex->peers[i];
        pthread_mutex_lock(&ex->lock);
        th_item *late = overdue_take(ex, peer), *flying = flying_overdue(ex, peer), *next;
        pthread_mutex_unlock(&ex->lock);
        overdue_end(late);
        for (; flying; flying = next) {
            next = flying->next;
            orphan_make(flying);
        }
    }
}

/* ---- the next batch ---- */

static void items_take(th_exchange *ex, th_peer *peer, th_batch_out *b)
{
    size_t bytes = 0;
    while (peer->first && b->n < ex->batch_lines) {
        th_item *item = peer->first;
        if (bytes + item->line.n + 1 > TH_BATCH_BYTES_MAX)
            break;
        bytes += item->line.n + 1;
        peer->first = item->next;
        if (!peer->first)
            peer->last = &peer->first;
        peer->waiting--;
        b->items[b->n++] = item;
    }
}

static void gossip_take(th_exchange *ex, th_peer *peer, th_batch_out *b)
{
    th_str body = {NULL, 0};
    th_gossip_line(ex, peer, &b->arena, &body);
    th_item *item = body.p ? th_alloc(&b->arena, sizeof *item) : NULL;
    if (!item)
        return;
    char at[TH_TIME_TEXT];
    th_uuid7(&ex->env, item->id);
    th_time_utc(th_now_us(&ex->env), at);
    item->line = th_strf(&b->arena, "{\"id\":\"%s\",\"type\":\"heads\",\"to\":\"%s\",\"at\":\"%s\",\"body\":%.*s}", item->id,
                         peer->code, at, TH_FMT(body));
    if (item->line.p) {
        b->items[b->n++] = item;
        b->has_gossip = true;
    }
}

/* Whether there are more; *ret_due_us when those that are held back, or a store that was not to be had, are to be looked at again. */
static bool outbox_take(th_exchange *ex, th_peer *peer, th_batch_out *b, int64_t *ret_due_us)
{
    th_item *rows;
    size_t n, bytes = 0;
    size_t room = ex->batch_lines - b->n;
    if (!room)
        return true;
    if (th_outbox_take(ex, peer, room < 500 ? room : 500, &b->outbox_arena, &rows, &n, ret_due_us)) {
        *ret_due_us = th_now_us(&ex->env) + TH_SECOND_US;
        return false;
    }
    for (size_t i = 0; i < b->n; i++)
        bytes += b->items[i]->line.n + 1;
    size_t taken = 0;
    for (; taken < n && bytes + rows[taken].line.n + 1 <= TH_BATCH_BYTES_MAX; taken++) {
        bytes += rows[taken].line.n + 1;
        b->items[b->n++] = &rows[taken];
        b->has_outbox = true;
    }
    return taken < n || n == room || n == 500;
}

static th_status batch_sign(th_exchange *ex, th_peer *peer, const th_member *member, th_batch_out *b)
{
    th_buf buf;
    size_t bytes = 1;
    th_suite suite = th_key_suite(ex->message_key);
    b->leaves = th_alloc_array(&b->arena, b->n, sizeof *b->leaves);
    for (size_t i = 0; i < b->n; i++)
        bytes += b->items[i]->line.n + 1;
    th_buf_open(&buf, &b->arena, bytes);
    for (size_t i = 0; b->leaves && i < b->n; i++) {
        b->leaves[i] = th_merkle_leaf(suite, b->items[i]->line);
        th_buf_str(&buf, b->items[i]->line);
        th_buf_char(&buf, '\n');
    }
    if (!b->leaves || !th_buf_ok(&buf))
        return TH_NO_MEMORY;
    b->envelope = (th_envelope){.n = (int64_t)b->n, .sequence = (int64_t)peer->sequence, .suite = suite};
    memcpy(b->envelope.from, ex->code, sizeof b->envelope.from);
    memcpy(b->envelope.to, peer->code, sizeof b->envelope.to);
    b->envelope.root = th_merkle_root(suite, b->leaves, b->n);
    th_wire *w = &b->outgoing.wire;
    w->body = th_buf_view(&buf);
    w->target_uri = th_strf(&b->arena, "%.*s/exchange/v1/batch", TH_FMT(member->peer));
    th_status status = th_envelope_write(&b->envelope, &b->arena, &w->batch);
    if (!status)
        status = th_wire_sign_request(w, ex->message_key, &ex->env, &b->arena);
    return status;
}

/* "sha256//…;sha256//…": the form that libcurl takes. */
static th_str pins_write(const th_member *member, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 512);
    for (size_t i = 0; i < member->pin_count; i++) {
        th_str pin = member->pins[i];
        th_buff(&buf, "%ssha256//%.*s", i ? ";" : "", (int)(pin.n - 7), pin.p + 7);
    }
    return th_buf_ok(&buf) ? th_str_keep(arena, th_buf_view(&buf)) : (th_str){NULL, 0};
}

static th_batch_out *batch_open(th_exchange *ex)
{
    th_batch_out *b = th_new(sizeof *b);
    if (!b)
        return NULL;
    b->ex = ex;
    th_arena_open(&b->arena, 64u << 20);
    th_arena_open(&b->outbox_arena, 64u << 20);
    b->items = th_alloc_array(&b->arena, TH_BATCH_LINES_MAX + 1, sizeof(th_item *));
    th_uuid7(&ex->env, b->batch_id);
    if (!b->items) {
        th_batch_out_close(b);
        return NULL;
    }
    return b;
}

void th_batch_out_close(th_batch_out *b)
{
    for (th_item *item = b->orphans, *next; item; item = next) {
        next = item->next;
        th_item_close(item);
    }
    th_trust_release(b->trust);
    th_arena_close(&b->outbox_arena);
    th_arena_close(&b->arena);
    th_free(b);
}

/* Under lock: is it worth sending now? Beside what is under way only as much again. */
static bool may_send(const th_exchange *ex, const th_peer *peer, int64_t now)
{
    if (ex->stopped || peer->in_flight >= TH_WINDOW || peer->settling >= SETTLING_MAX ||
        now < (peer->waiting ? peer->ask_after_us : peer->not_before_us))
        return false;
    if (peer->in_flight == 0)
        return true;
    size_t worth = th_key_suite(ex->message_key) == TH_SUITE_SM2 ? WORTH_SM2 : WORTH_ED25519;
    worth = worth > peer->lines_in_flight ? worth : peer->lines_in_flight;
    return peer->waiting >= (worth < ex->batch_lines ? worth : ex->batch_lines);
}

th_status th_peer_queue(th_exchange *ex, const char *code, th_item **items, size_t n)
{
    th_status status = TH_OK;
    bool wake = false;
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(code));
    if (ex->stopped)
        status = TH_UNAVAILABLE;
    else if (!peer)
        status = TH_FORBIDDEN;
    size_t room = status || peer->waiting > TH_PEER_QUEUE_MAX ? 0 : TH_PEER_QUEUE_MAX - peer->waiting;
    if (!status && n > room)
        status = TH_BUSY;
    for (size_t i = 0; i < n && i < room; i++) {
        th_item *item = *items;
        *items = item->next;
        item->next = NULL;
        *peer->last = item;
        peer->last = &item->next;
        peer->waiting++;
    }
    if (room && !peer->woken && may_send(ex, peer, th_now_us(&ex->env)))
        wake = peer->woken = true;
    pthread_mutex_unlock(&ex->lock);
    if (wake && ex->wake)
        ex->wake(ex->wake_ctx, code);
    return status;
}

/* When the last of those who wait for this batch gives up. */
static void deadlines_set(th_batch_out *b)
{
    int64_t last = b->has_outbox || !b->items[0]->ask ? b->sent_us + TH_ASK_DEADLINE_S * TH_SECOND_US : 0;
    b->first_deadline_us = INT64_MAX;
    for (size_t i = 0; i < b->n; i++) {
        const th_item *item = b->items[i];
        if (!item->ask)
            continue;
        last = item->deadline_us > last ? item->deadline_us : last;
        b->first_deadline_us = item->deadline_us < b->first_deadline_us ? item->deadline_us : b->first_deadline_us;
    }
    b->outgoing.deadline_us = last;
}

static th_batch_out *gather(th_exchange *ex, th_peer *peer, const th_member *member, bool *ret_again)
{
    *ret_again = false;
    int64_t now = th_now_us(&ex->env);
    pthread_mutex_lock(&ex->lock);
    bool send = may_send(ex, peer, now) && member && !member->suspended;
    peer->woken = peer->woken && send;
    pthread_mutex_unlock(&ex->lock);
    th_batch_out *b = send ? batch_open(ex) : NULL;
    if (!b)
        return NULL;
    b->sent_us = now;
    pthread_mutex_lock(&ex->lock);
    bool outbox = peer->outbox_waits && !peer->outbox_in_flight && now >= peer->not_before_us;
    items_take(ex, peer, b);
    if (outbox)
        peer->outbox_waits = false;
    pthread_mutex_unlock(&ex->lock);
    int64_t due_us = INT64_MAX;
    bool more = outbox && outbox_take(ex, peer, b, &due_us);
    if (b->n < ex->batch_lines)
        gossip_take(ex, peer, b);
    pthread_mutex_lock(&ex->lock);
    if (more)
        peer->outbox_waits = true;
    if (outbox)
        peer->outbox_due_us = due_us;
    if (b->n) {
        b->only_gossip = b->n == 1 && b->has_gossip;
        b->has_news = b->has_outbox;
        for (size_t i = 0; i < b->n && !b->has_news; i++)
            b->has_news = b->items[i]->ask && th_gossip_is_news(b->items[i]->ask->type);
        deadlines_set(b);
        b->next_flying = peer->flying;
        peer->flying = b;
        peer->in_flight++;
        peer->lines_in_flight += b->n;
        b->lines_sent = b->n;
        peer->sequence++;
        peer->outbox_in_flight |= b->has_outbox;
    } else {
        /* Who queued while gossip was looked up saw the link awake and did not wake it. */
        peer->woken = *ret_again = peer->waiting > 0;
    }
    pthread_mutex_unlock(&ex->lock);
    if (b->n)
        return b;
    th_batch_out_close(b);
    return NULL;
}

th_outgoing *th_exchange_next(th_exchange *ex, const char *code)
{
    th_trust *trust = th_exchange_trust(ex);
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(code));
    pthread_mutex_unlock(&ex->lock);
    if (!peer || !trust) {
        th_trust_release(trust);
        return NULL;
    }
    bool live = th_trust_live(trust, th_now_us(&ex->env), NULL) == TH_OK;
    const th_member *member = live ? th_trust_member(trust, th_str_of(code)) : NULL; /* nothing goes out under an expired document */
    th_batch_out *b;
    bool again;
    do
        b = gather(ex, peer, member, &again);
    while (!b && again);
    if (!b) {
        th_trust_release(trust);
        return NULL;
    }
    b->trust = trust;
    memcpy(b->outgoing.peer, peer->code, sizeof b->outgoing.peer);
    b->outgoing.pins = pins_write(member, &b->arena);
    b->outgoing.lines = b->n;
    b->outgoing.priv = b;
    th_error error = {0};
    th_status status = batch_sign(ex, peer, member, b);
    if (status) {
        th_fail(&error, status, "sign-failed", "批次签名失败", "Signing the batch failed");
        th_exchange_failed(ex, &b->outgoing, status, &error);
        return NULL;
    }
    return &b->outgoing;
}

/* Under no lock. Asks go back to the front, in order, for another try within their deadlines; outbox rows are still in the store. */
void th_items_requeue(th_exchange *ex, const char *code, th_batch_out *b)
{
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(code));
    for (size_t i = b->n; peer && i-- > 0;) {
        th_item *item = b->items[i];
        if (!item->ask)
            continue;
        item->next = peer->first;
        if (!peer->first)
            peer->last = &item->next;
        peer->first = item;
        peer->waiting++;
    }
    if (peer && b->has_outbox)
        peer->outbox_waits = true;
    pthread_mutex_unlock(&ex->lock);
}

static void flying_remove(th_peer *peer, const th_batch_out *b)
{
    th_batch_out **at = &peer->flying;
    while (*at && *at != b)
        at = &(*at)->next_flying;
    if (*at)
        *at = b->next_flying;
}

static void under_way_leave(th_peer *peer, const th_batch_out *b)
{
    if (b->settling)
        return;
    peer->in_flight--;
    peer->lines_in_flight -= b->lines_sent;
}

void th_peer_answered(th_batch_out *b)
{
    th_exchange *ex = b->ex;
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(b->outgoing.peer));
    if (peer) {
        under_way_leave(peer, b);
        peer->settling++;
        b->settling = true;
    }
    pthread_mutex_unlock(&ex->lock);
}

static int64_t pause_us(th_exchange *ex, int failures, int64_t max_ms)
{
    uint16_t jitter;
    int64_t pause_ms = RETRY_FIRST_MS << (failures < 6 ? failures : 6);
    ex->env.random(ex->env.ctx, &jitter, sizeof jitter);
    pause_ms = pause_ms > max_ms ? max_ms : pause_ms;
    return pause_ms * 1000 * (768 + jitter % 512) / 1024;
}

/* Window, health, backoff. */
bool th_peer_settle(th_batch_out *b, bool ok, const th_error *error)
{
    th_exchange *ex = b->ex;
    int64_t now = th_now_us(&ex->env);
    bool given_up = false;
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(b->outgoing.peer));
    if (peer) {
        th_link_state *s = &peer->state;
        under_way_leave(peer, b);
        peer->settling -= b->settling;
        flying_remove(peer, b);
        if (b->has_outbox)
            peer->outbox_in_flight = false;
        s->batches++;
        s->messages += b->n;
        if (ok) {
            s->up = true;
            s->last_ok_us = now;
            s->round_trip_us = now - b->sent_us;
            s->error_type[0] = 0;
            peer->failures = 0;
            peer->not_before_us = peer->ask_after_us = peer->down_since_us = 0;
        } else {
            peer->not_before_us = now + pause_us(ex, peer->failures, RETRY_MAX_MS);
            peer->ask_after_us = now + pause_us(ex, peer->failures, RETRY_ASKS_MAX_MS);
            if (error->status == TH_BUSY) /* there, and will answer */
                peer->down_since_us = 0;
            else if (!peer->down_since_us)
                peer->down_since_us = now;
            given_up = peer->down_since_us && now - peer->down_since_us >= PATIENCE_MS * 1000;
            peer->failures++;
            s->up = false;
            s->failures++;
            s->last_error_us = now;
            memcpy(s->error_type, error->type, sizeof s->error_type);
        }
    }
    pthread_mutex_unlock(&ex->lock);
    return given_up;
}

bool th_refusal_passes(const th_error *e)
{
    static const char *const types[] = {"clock-skew", "unknown-key", "early-key", "expired-key", "head-signature", "suspended-member"};
    if (e->status == TH_BUSY || e->status == TH_UNAVAILABLE || e->status == TH_TIMEOUT || e->status == TH_NO_SPACE || e->status == TH_IO ||
        e->status == TH_NO_MEMORY)
        return true;
    for (size_t i = 0; i < TH_COUNT(types); i++)
        if (strcmp(e->type, types[i]) == 0)
            return true;
    return false;
}

/* A batch refused for keys or membership is refused the same a moment later: those who ask need not wait for that. */
static bool ends_asks(const th_error *e)
{
    return e->status == TH_FORBIDDEN ? strcmp(e->type, "clock-skew") != 0 : !th_refusal_passes(e);
}

/* Every ask of the batch hears `error`. */
void th_asks_end(th_batch_out *b, th_status status, const th_error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++) {
        th_item *item = b->items[i];
        if (item->ask)
            th_item_done(item, status, error);
        else if (item->outbox_seq)
            b->items[kept++] = item;
    }
    b->n = kept;
}

void th_exchange_failed(th_exchange *ex, th_outgoing *outgoing, th_status status, const th_error *error)
{
    th_batch_out *b = outgoing->priv;
    th_error e = {0};
    char peer[TH_CODE_TEXT];
    if (error)
        e = *error;
    if (!e.status)
        th_fail(&e, status, "peer-unavailable", "对方节点暂时无法连接", "The peer cannot be reached at the moment");
    if (e.status == TH_TIMEOUT) /* to whoever waits a peer that does not answer is as good as one that is not there */
        th_fail(&e, TH_UNAVAILABLE, "peer-unavailable", "对方节点没有回应", "The peer does not answer");
    if (e.status == TH_UNAVAILABLE && !e.retry_after_s)
        e.retry_after_s = RETRY_AFTER_S;
    memcpy(peer, b->outgoing.peer, sizeof peer);
    if (th_peer_settle(b, false, &e) || ends_asks(&e))
        th_asks_end(b, e.status, &e);
    th_items_requeue(ex, peer, b);
    if (b->has_gossip)
        th_gossip_lost(ex, peer);
    th_batch_out_close(b);
}

void th_exchange_stop(th_exchange *ex)
{
    th_item *all = NULL;
    pthread_mutex_lock(&ex->lock);
    ex->stopped = true;
    for (size_t i = 0; i < ex->peer_count; i++) {
        th_peer *peer = &ex->peers[i];
        *peer->last = all;
        all = peer->first;
        peer->first = NULL;
        peer->last = &peer->first;
        peer->waiting = 0;
    }
    pthread_mutex_unlock(&ex->lock);
    while (all) {
        th_error error = {0};
        th_item *item = all;
        all = item->next;
        th_fail(&error, TH_UNAVAILABLE, "closing", "本节点正在停止", "This node is stopping");
        th_item_done(item, TH_UNAVAILABLE, &error);
    }
}

bool th_exchange_waits(th_exchange *ex)
{
    bool waits = false;
    pthread_mutex_lock(&ex->lock);
    for (size_t i = 0; i < ex->peer_count; i++)
        waits = waits || ex->peers[i].waiting || ex->peers[i].in_flight || ex->peers[i].settling;
    pthread_mutex_unlock(&ex->lock);
    return waits;
}

void th_exchange_tick(th_exchange *ex)
{
    char codes[TH_MEMBERS_MAX][TH_CODE_TEXT];
    size_t n = 0;
    int64_t now = th_now_us(&ex->env);
    deadlines_tick(ex);
    pthread_mutex_lock(&ex->lock);
    for (size_t i = 0; i < ex->peer_count; i++) {
        th_peer *peer = &ex->peers[i];
        if (peer->outbox_due_us <= now) {
            peer->outbox_due_us = INT64_MAX;
            peer->outbox_waits = true;
        }
        if (peer->waiting || peer->outbox_waits || th_gossip_due(ex, peer, now)) {
            memcpy(codes[n++], peer->code, TH_CODE_TEXT);
            peer->woken = false;
        }
    }
    pthread_mutex_unlock(&ex->lock);
    for (size_t i = 0; i < n; i++)
        th_peer_wake(ex, codes[i]);
    th_consistency_tick(ex);
    th_retention_tick(ex);
    th_alarms_tick(ex);
}
