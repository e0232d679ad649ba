/* effects.c — the plainest effect there is: numbered messages of a few subjects, which must arrive all, once, and in order.
 *
 * Some are put by changes that write everything and then fail: of those nothing may be found, at home or at the receiver.
 * A subject's numbers count up at their origin in the transaction that puts the message. The receiver may refuse for the moment, as a
 * real service can; a later number must not overtake then. After a restore an origin counts on from what its backup knew, in the next
 * epoch. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { SUBJECTS = 3 };

static const char undone[] = "undone"; /* the subject of what failed after it wrote */

const char *sim_effect_schema(void)
{
    return "-- migration 1: counters of the simulation\n"
           "CREATE TABLE sim_put (peer TEXT NOT NULL, subject TEXT NOT NULL, n BIGINT NOT NULL, epoch BIGINT NOT NULL, "
           "PRIMARY KEY (peer, subject, n));\n"
           "CREATE TABLE sim_got (origin TEXT NOT NULL, subject TEXT NOT NULL, epoch BIGINT NOT NULL, n BIGINT NOT NULL, "
           "PRIMARY KEY (origin, subject, epoch, n));\n";
}

/* ---- arriving ---- */

static th_status count_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    sim_node *n = ctx;
    sim *s = n->sim;
    const th_value *row;
    th_str subject = th_json_str(m->body, "subject");
    int64_t number = th_json_int(m->body, "n", 0), epoch = th_json_int(m->body, "epoch", 0);
    if (th_str_is(subject, undone))
        sim_fail(s, "%s got from %s what its change had failed to put", n->code, m->from);
    if (s->features.refusals && !s->healing && chance_of(&n->chance, 80)) {
        s->counts.refused++;
        return th_fail(error, TH_UNAVAILABLE, "simulated-refusal", "暂时不能处理", "Not now");
    }
    th_value values[] = {th_v_text(th_str_of(m->from)), th_v_text(subject), th_v_int(epoch), th_v_int(number)};
    th_status status = th_db_one(db, "SELECT COALESCE(MAX(n), 0), COUNT(*) FROM sim_got WHERE origin = ?1 AND subject = ?2 AND epoch = ?3",
                                 values, 3, arena, &row, error);
    if (status)
        return status;
    bool first_of_epoch = epoch > 0 && row[1].i == 0;
    const sim_node *origin = NULL;
    for (unsigned i = 0; i < MEMBERS; i++)
        if (strcmp(s->nodes[i].code, m->from) == 0)
            origin = &s->nodes[i];
    bool excused = n->epoch > 0 || (origin && origin->epoch > epoch) || (s->equivocator >= 0 && (origin->member == (unsigned)s->equivocator ||
                                                                                                  n->member == (unsigned)s->equivocator));
    bool fits = number == row[0].i + 1 || first_of_epoch || (excused && number > row[0].i);
    bool twice = s->equivocator >= 0 && m->from[0] && strcmp(m->from, sim_codes[s->equivocator]) == 0; /* two lives count apart */
    if (!fits && !twice && !(excused && number <= row[0].i && epoch < origin->epoch))
        sim_fail(s, "%s got number %lld of %.*s from %s after %lld", n->code, (long long)number, TH_FMT(subject), m->from, (long long)row[0].i);
    answer->body = TH_STR("{}");
    return th_db_exec(db, "INSERT INTO sim_got (origin, subject, epoch, n) VALUES (?1, ?2, ?3, ?4)", values, 4, NULL, error);
}

th_status sim_effect_types(sim_node *n)
{
    th_message_type type = {.type = "sim.count", .apply = count_apply, .ctx = n};
    return th_exchange_type_add(n->exchange, &type);
}

/* ---- putting ---- */

typedef struct putting {
    th_change change;
    sim_node *n;
    uint64_t life;
    unsigned peer;
    char subject[8];
    bool fails;
    size_t padding;
    int64_t number;
} putting;

static th_status put_apply(th_change *change, th_db *db, th_error *error)
{
    putting *p = change->ctx;
    th_arena arena;
    th_buf body;
    const th_value *row;
    th_str peer = th_str_of(sim_codes[p->peer]), subject = th_str_of(p->subject);
    th_arena_open(&arena, 1 << 20);
    th_value values[] = {th_v_text(peer), th_v_text(subject), th_v_int(0), th_v_int(p->n->epoch)};
    th_status status = th_db_one(db, "SELECT COALESCE(MAX(n), 0) FROM sim_put WHERE peer = ?1 AND subject = ?2", values, 2, &arena, &row, error);
    if (!status) {
        p->number = row[0].i + 1;
        values[2] = th_v_int(p->number);
        status = th_db_exec(db, "INSERT INTO sim_put (peer, subject, n, epoch) VALUES (?1, ?2, ?3, ?4)", values, 4, NULL, error);
    }
    th_buf_open(&body, &arena, 64 * 1024);
    th_pen pen = th_pen_on(&body);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "subject", subject);
    th_pen_kint(&pen, "n", p->number);
    th_pen_kint(&pen, "epoch", p->n->epoch);
    if (p->padding) {
        char *padding = th_alloc(&arena, p->padding);
        memset(padding, 'x', p->padding);
        th_pen_kstr(&pen, "padding", (th_str){padding, p->padding});
    }
    th_pen_end(&pen, '}');
    if (!status)
        status = th_outbox_put(p->n->exchange, db, peer, "sim.count", subject, (th_str){NULL, 0}, (th_str){NULL, 0}, (th_str){NULL, 0},
                               th_buf_view(&body), error);
    th_arena_close(&arena);
    return !status && p->fails ? th_fail(error, TH_CONFLICT, "simulated-failure", "模拟的失败", "A simulated failure") : status;
}

static void put_reply(th_change *change, th_status status, const th_error *error)
{
    putting *p = change->ctx;
    (void)error;
    if (!status && p->fails)
        sim_fail(p->n->sim, "%s: a change failed and was told that it is done", p->n->code);
    if (!status && sim_node_runs(p->n)) {
        sim_fact_add(p->n, FACT_PUT, sim_codes[p->peer], p->subject, p->number, NULL);
        p->n->sim->counts.effects++;
    }
    th_free(p);
}

void sim_effect_put(sim *s, sim_node *n)
{
    unsigned several = chance_of(&s->chance, 300) ? (unsigned)chance_between(&s->chance, 2, 12) : 1;
    if (chance_of(&s->chance, 10))
        several = 150;
    unsigned peer = (n->member + 1 + (unsigned)chance_below(&s->chance, MEMBERS - 1)) % MEMBERS;
    for (unsigned i = 0; i < several; i++) {
        putting *p = th_new(sizeof *p);
        TH_ASSERT(p != NULL);
        *p = (putting){.n = n, .life = n->life, .peer = peer};
        snprintf(p->subject, sizeof p->subject, "s%u", (unsigned)chance_below(&s->chance, SUBJECTS));
        p->fails = chance_of(&s->chance, 30);
        if (p->fails)
            memcpy(p->subject, undone, sizeof undone);
        p->padding = chance_of(&s->chance, 50) ? (size_t)chance_below(&s->chance, 40000) : 0;
        p->change = (th_change){.apply = put_apply, .reply = put_reply, .ctx = p};
        if (th_writer_submit(n->writer, &p->change))
            th_free(p);
    }
    sim_node_busy(n);
}

void sim_effects_check(sim_node *n, th_db *db)
{
    th_arena arena;
    const th_value *row;
    th_value subject = th_v_text(th_str_of(undone));
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_db_one(db, "SELECT (SELECT COUNT(*) FROM sim_put WHERE subject = ?1) + (SELECT COUNT(*) FROM exchange_outbox WHERE "
                                     "subject_key = ?1)", &subject, 1, &arena, &row, NULL);
    if (!status && row[0].i)
        sim_fail(n->sim, "%s kept %lld rows of changes that failed", n->code, (long long)row[0].i);
    th_arena_close(&arena);
}
