/* gauges.c — the node's queues and links as metrics: what an operator alarms on. */
#include "operations-private.h"

#include <string.h>

static void set(const char *name, const char *help, const char *labels, int64_t value)
{
    th_metric_set(th_gauge(name, help, labels), value);
}

static void link_show(const th_link_state *s, const th_backlog *b, int64_t now, th_arena *arena)
{
    th_str labels = th_strf(arena, "peer=\"%s\"", s->peer);
    if (!labels.p)
        return;
    set("peer_up", "1 when the last batch to this member was answered", labels.p, s->up);
    set("peer_skew_microseconds", "How far this member's clock is behind ours, as its last batch was signed", labels.p, s->skew_us);
    set("peer_round_trip_microseconds", "The last batch to this member, there and back", labels.p, s->round_trip_us);
    set("peer_asks_waiting", "Asks that wait to be sent to this member", labels.p, (int64_t)s->waiting);
    set("peer_failures", "Batches to this member that failed", labels.p, (int64_t)s->failures);
    set("outbox_waiting", "Effects that wait to reach this member", labels.p, b ? b->waiting : 0);
    set("outbox_dead", "Effects that this member refused for good", labels.p, b ? b->dead : 0);
    set("outbox_oldest_seconds", "Age of the oldest effect that waits for this member", labels.p,
        b && b->waiting ? (now - b->oldest_us) / TH_SECOND_US : 0);
}

int64_t th_gauges_set(th_operations *o, int64_t now)
{
    th_db *db;
    th_arena arena;
    th_backlog *backlogs = NULL;
    size_t n = 0;
    int64_t waiting = 0;
    if (th_store_acquire(o->options.store, &db, NULL))
        return 0;
    th_arena_open(&arena, 1 << 20);
    th_status status = th_outbox_backlog(db, &arena, &backlogs, &n);
    th_store_release(o->options.store, db);
    th_link_state *states = status ? NULL : th_alloc_array(&arena, TH_MEMBERS_MAX, sizeof *states);
    size_t count = states ? th_exchange_links(o->options.exchange, states, TH_MEMBERS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        const th_backlog *mine = NULL;
        for (size_t k = 0; k < n; k++)
            if (strcmp(backlogs[k].peer, states[i].peer) == 0)
                mine = &backlogs[k];
        waiting += mine ? mine->waiting : 0;
        link_show(&states[i], mine, now, &arena);
    }
    th_head head;
    if (th_journal_head_now(th_exchange_journal(o->options.exchange), &head))
        set("journal_entries", "Entries of this node's journal", NULL, (int64_t)head.size);
    th_trust *trust = th_exchange_trust(o->options.exchange);
    if (trust)
        set("trust_expires_seconds", "Until the trust document expires", NULL, (trust->expires_us - now) / TH_SECOND_US);
    th_trust_release(trust);
    th_arena_close(&arena);
    return waiting;
}
