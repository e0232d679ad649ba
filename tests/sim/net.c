/* net.c — the carrier between nodes, as src/node/link.c is one: calls with time limits, letters that wander.
 *
 * A call is what the sender waits for; a letter is one copy of its request, then of the answer. Letters may be late, lost, doubled,
 * overtaken, held back (clogged) or dropped (cut); a call ends by an answer, a reset or its time limit, and only once. */
#include "sim.h"

#include <string.h>

static const char proof_mark[] = "\"type\":\"consistency\"";
static const char gossip_mark[] = "\"type\":\"heads\"";

enum { CONNECT_MS = 2000, CALL_MAX_MS = 15000, INCOMING_MAX = 96 << 20 };

struct sim_call {
    uint64_t id;
    th_outgoing *outgoing; /* NULL: asks for grants */
    unsigned member;
    sim_call *next;
};

struct sim_letter {
    sim *sim;
    uint64_t id, call, from_life;
    unsigned from, to;
    bool is_grants, handled, quiet; /* quiet: nothing but heads and proofs */
    th_arena bytes; /* of request and answer */
    th_wire wire;
    th_incoming incoming;
    sim_letter *older, *newer;  /* all of the net */
    sim_letter *next_at_node;
};

/* ---- letters ---- */

static th_str kept(th_arena *arena, th_str s)
{
    th_str copy = s.p ? th_str_keep(arena, s) : s;
    TH_ASSERT(!s.p || copy.p);
    return copy;
}

static void wire_copy(th_arena *arena, const th_wire *from, th_wire *to)
{
    *to = (th_wire){.target_uri = kept(arena, from->target_uri),
                    .status = from->status,
                    .content_type = kept(arena, from->content_type),
                    .content_digest = kept(arena, from->content_digest),
                    .batch = kept(arena, from->batch),
                    .signature_input = kept(arena, from->signature_input),
                    .signature = kept(arena, from->signature),
                    .body = kept(arena, from->body)};
}

static bool is_quiet(th_str body)
{
    th_str line;
    while (body.n && th_str_cut(&body, '\n', &line))
        if (!memmem(line.p, line.n, gossip_mark, sizeof gossip_mark - 1) && !memmem(line.p, line.n, proof_mark, sizeof proof_mark - 1))
            return false;
    return true;
}

static sim_letter *letter_make(sim_node *from, unsigned to, uint64_t call, const th_wire *wire)
{
    sim *s = from->sim;
    sim_letter *l = th_new(sizeof *l);
    TH_ASSERT(l != NULL);
    *l = (sim_letter){.sim = s, .id = ++s->net.next_letter, .call = call, .from = from->slot, .from_life = from->life, .to = to, .is_grants = !wire};
    th_arena_open(&l->bytes, INCOMING_MAX);
    if (wire) {
        wire_copy(&l->bytes, wire, &l->wire);
        l->quiet = is_quiet(wire->body);
    }
    l->older = s->net.letters;
    if (l->older)
        l->older->newer = l;
    s->net.letters = l;
    return l;
}

static void letter_free(sim_letter *l)
{
    if (l->older)
        l->older->newer = l->newer;
    if (l->newer)
        l->newer->older = l->older;
    else
        l->sim->net.letters = l->older;
    th_arena_close(&l->bytes);
    th_free(l);
}

static int64_t delay(sim *s, const sim_letter *l)
{
    sim_net *net = &s->net;
    int64_t us = l->from == l->to ? 50 : chance_between(&net->chance, net->delay_us / 2, net->delay_us * 3 / 2);
    if (l->from != l->to && chance_of(&net->chance, net->slow))
        us += chance_wait(&net->chance, net->slow_us);
    return us;
}

/* ---- calls ---- */

static sim_call *call_take(sim_node *n, uint64_t id)
{
    for (sim_call **at = &n->calls; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            sim_call *call = *at;
            *at = call->next;
            return call;
        }
    return NULL;
}

static void wake(sim_node *n, unsigned member);

static void call_fail(sim_node *n, sim_call *call, th_status status)
{
    if (call->outgoing) {
        th_error error = {0};
        th_fail(&error, status, status == TH_TIMEOUT ? "peer-timeout" : "peer-unavailable", "对方节点无法连接", "The peer cannot be reached");
        th_exchange_failed(n->exchange, call->outgoing, status, &error);
        wake(n, call->member);
    } else {
        n->grants_at_us[call->member] = 0; /* the next tick asks again */
    }
    th_free(call);
}

static void call_broken(sim *s, void *ctx, uint64_t id)
{
    sim_node *n = ctx;
    (void)s;
    sim_call *call = sim_node_runs(n) ? call_take(n, id) : NULL;
    if (call)
        call_fail(n, call, TH_UNAVAILABLE);
}

static void call_late(sim *s, void *ctx, uint64_t id)
{
    sim_node *n = ctx;
    (void)s;
    sim_call *call = sim_node_runs(n) ? call_take(n, id) : NULL;
    if (call)
        call_fail(n, call, TH_TIMEOUT);
}

/* ---- waking, as th_link_wake and the client's loop ---- */

static void drain(sim *s, void *ctx, uint64_t life)
{
    sim_node *n = ctx;
    (void)s;
    if (!sim_node_runs(n) || n->life != life)
        return;
    n->drain_due = false;
    for (unsigned m = 0; m < MEMBERS; m++) {
        th_outgoing *outgoing;
        if (!n->woken[m])
            continue;
        n->woken[m] = false;
        while (sim_node_runs(n) && (outgoing = th_exchange_next(n->exchange, sim_codes[m])))
            sim_net_send(n, outgoing);
    }
}

static void wake(sim_node *n, unsigned member)
{
    n->woken[member] = true;
    if (!n->drain_due) {
        n->drain_due = true;
        sim_after(n->sim, 10, drain, n, n->life);
    }
}

void sim_net_wake(void *ctx, const char *peer)
{
    sim_node *n = ctx;
    for (unsigned m = 0; m < MEMBERS; m++)
        if (strcmp(sim_codes[m], peer) == 0)
            wake(n, m);
}

/* ---- coming back ---- */

static void letter_returns(sim *s, void *ctx, uint64_t tag)
{
    sim_letter *l = ctx;
    sim_node *n = &s->nodes[l->from];
    if (l->from != l->to && s->net.clogged[l->to][l->from]) {
        sim_after(s, chance_between(&s->net.chance, 100000, 600000), letter_returns, l, tag);
        return;
    }
    bool reaches = sim_node_runs(n) && n->life == l->from_life && !s->net.cut[l->to][l->from];
    sim_call *call = reaches ? call_take(n, l->call) : NULL;
    if (call && l->is_grants) {
        th_error error = {0};
        if (l->wire.body.n && th_exchange_grants_learn(n->exchange, th_str_of(sim_codes[call->member]), l->wire.body, &error))
            sim_say(s, "%s: grants of %s not learnt: %s", n->code, sim_codes[call->member], error.type);
        th_free(call);
    } else if (call) {
        unsigned member = call->member;
        s->counts.batches++;
        s->counts.quiet += l->quiet;
        s->counts.messages += call->outgoing->lines;
        th_outgoing *outgoing = call->outgoing;
        th_free(call);
        th_exchange_answered(n->exchange, outgoing, &l->wire);
        wake(n, member);
    }
    letter_free(l);
}

static void letter_send_back(sim *s, sim_letter *l)
{
    if (l->from != l->to && chance_of(&s->net.chance, s->net.loss)) {
        sim_after(s, chance_between(&s->net.chance, 1000, 5000000), call_broken, &s->nodes[l->from], l->call);
        letter_free(l);
        return;
    }
    sim_after(s, delay(s, l), letter_returns, l, 0);
}

/* ---- being handled ---- */

static sim_letter *letter_take(sim_node *n, uint64_t id)
{
    for (sim_letter **at = &n->letters; *at; at = &(*at)->next_at_node)
        if ((*at)->id == id) {
            sim_letter *l = *at;
            *at = l->next_at_node;
            return l;
        }
    return NULL;
}

static void letter_finish(sim *s, void *ctx, uint64_t id)
{
    sim_node *n = ctx;
    sim_letter *l = letter_take(n, id);
    if (!l)
        return; /* its node closed in between */
    th_str request = l->wire.body;
    th_incoming_finish(n->exchange, &l->incoming);
    th_wire answer;
    wire_copy(&l->bytes, &l->incoming.answer, &answer);
    l->wire = answer;
    th_arena_close(&l->incoming.arena);
    if (answer.status == 200)
        sim_check_answers(n, request, answer.body);
    letter_send_back(s, l);
}

/* May be called within th_exchange_receive, or by the writer, or while its node is closed. */
static void letter_done(th_incoming *incoming)
{
    sim_letter *l = incoming->ctx;
    sim_node *n = &l->sim->nodes[l->to];
    l->handled = true;
    if (sim_node_runs(n))
        sim_after(l->sim, 20, letter_finish, n, l->id);
}

static void grants_publish(sim *s, sim_node *n, sim_letter *l)
{
    th_grants *grants = th_exchange_grants(n->exchange, th_str_of(n->code));
    if (grants && th_grants_publish(grants, th_str_of(n->code), sim_node_key(n), sim_node_now(n), &l->bytes, &l->wire.body))
        l->wire.body = (th_str){NULL, 0};
    th_grants_release(grants);
    letter_send_back(s, l);
}

static void letter_arrives(sim *s, void *ctx, uint64_t tag)
{
    sim_letter *l = ctx;
    sim_node *n = &s->nodes[l->to];
    if (l->from != l->to && s->net.clogged[l->from][l->to]) {
        sim_after(s, chance_between(&s->net.chance, 100000, 600000), letter_arrives, l, tag);
        return;
    }
    if (s->net.cut[l->from][l->to]) {
        letter_free(l);
        return;
    }
    if (!sim_node_runs(n)) {
        sim_after(s, 1000, call_broken, &s->nodes[l->from], l->call);
        letter_free(l);
        return;
    }
    if (s->net.deaf && (int)n->member == s->equivocator && l->wire.body.n &&
        memmem(l->wire.body.p, l->wire.body.n, gossip_mark, sizeof gossip_mark - 1) &&
        !memmem(l->wire.body.p, l->wire.body.n, proof_mark, sizeof proof_mark - 1)) {
        letter_free(l); /* what it does not hear it need not answer; who answers no proofs is not found out, only silent */
        return;
    }
    sim_node_busy(n);
    if (l->is_grants) {
        grants_publish(s, n, l);
        return;
    }
    l->incoming = (th_incoming){.request = l->wire, .done = letter_done, .ctx = l};
    sim_pin(s->nodes[l->from].member, l->incoming.request.pin);
    th_arena_open(&l->incoming.arena, INCOMING_MAX);
    l->next_at_node = n->letters;
    n->letters = l;
    th_exchange_receive(n->exchange, &l->incoming);
}

/* ---- going ---- */

/* Whom `from` meets under a member's address: of two lives of one member, always the same one, and each life itself. */
static unsigned slot_met(const sim *s, const sim_node *from, unsigned member)
{
    if (!s->net.heads_two || (int)member != s->equivocator)
        return member;
    if (from->member == member)
        return from->slot;
    return s->net.meets_second[from->slot] ? NODES - 1 : member;
}

static void go(sim_node *from, unsigned member, th_outgoing *outgoing, int64_t limit_us)
{
    sim *s = from->sim;
    sim_net *net = &s->net;
    sim_call *call = th_new(sizeof *call);
    TH_ASSERT(call != NULL);
    *call = (sim_call){.id = ++net->next_call, .outgoing = outgoing, .member = member, .next = from->calls};
    from->calls = call;
    sim_after(s, limit_us, call_late, from, call->id);
    unsigned to = slot_met(s, from, member);
    if (net->cut[from->slot][to]) {
        sim_after(s, CONNECT_MS * 1000, call_broken, from, call->id);
        return;
    }
    if (!sim_node_runs(&s->nodes[to])) {
        sim_after(s, chance_between(&net->chance, 500, 3000), call_broken, from, call->id);
        return;
    }
    const th_wire *wire = outgoing ? &outgoing->wire : NULL;
    if (from->slot != to && chance_of(&net->chance, net->loss)) {
        sim_after(s, chance_between(&net->chance, 1000, 5000000), call_broken, from, call->id);
        return;
    }
    sim_letter *l = letter_make(from, to, call->id, wire);
    sim_after(s, delay(s, l), letter_arrives, l, 0);
    if (wire && from->slot != to && chance_of(&net->chance, net->duplicates)) {
        sim_letter *again = letter_make(from, to, call->id, wire);
        sim_after(s, delay(s, again) + chance_wait(&net->chance, 2 * TH_SECOND_US), letter_arrives, again, 0);
    }
}

void sim_net_send(sim_node *from, th_outgoing *outgoing)
{
    int64_t left = outgoing->deadline_us - sim_node_now(from), most = CALL_MAX_MS * INT64_C(1000);
    for (unsigned m = 0; m < MEMBERS; m++)
        if (strcmp(sim_codes[m], outgoing->peer) == 0)
            go(from, m, outgoing, left < 250000 ? 250000 : left > most ? most : left);
}

void sim_net_ask_grants(sim_node *from, unsigned member)
{
    go(from, member, NULL, CALL_MAX_MS * INT64_C(1000));
}

/* ---- ends ---- */

void sim_net_calls_end(sim_node *n)
{
    while (n->calls) {
        sim_call *call = n->calls;
        n->calls = call->next;
        call_fail(n, call, TH_UNAVAILABLE);
    }
}

void sim_net_letters_end(sim_node *n)
{
    sim *s = n->sim;
    while (n->letters) {
        sim_letter *l = n->letters;
        n->letters = l->next_at_node;
        TH_ASSERT(l->handled); /* the writer has replied to everything it took */
        th_incoming_finish(n->exchange, &l->incoming);
        th_arena_close(&l->incoming.arena);
        sim_after(s, 1000, call_broken, &s->nodes[l->from], l->call);
        letter_free(l);
    }
}

void sim_net_close(sim *s)
{
    while (s->net.letters)
        letter_free(s->net.letters);
}
