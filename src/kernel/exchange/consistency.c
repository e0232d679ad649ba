/* consistency.c — does a peer's newest head continue the one we verified last, and any other head of it that was shown to us or to others?
 * Asked when something happened, as an ordinary message, so that the question and the answer are journaled too; a proof that fails is a
 * split history. */
#include "exchange-private.h"

#include <stdlib.h>
#include <string.h>

/* ---- the provider's side ---- */

static th_status proof_answer(th_db *db, const th_message *m, th_arena *arena, th_answer *answer)
{
    th_str log = th_json_str(m->body, "log");
    int64_t first = th_json_int(m->body, "first", -1), second = th_json_int(m->body, "second", -1);
    th_hash path[2 * TH_MERKLE_DEPTH];
    size_t n = 0;
    th_head last;
    th_error error = {0};
    th_buf buf;
    char text[44];
    th_status status = TH_OK;
    answer->error = th_alloc(arena, sizeof *answer->error);
    if (!answer->error)
        return TH_NO_MEMORY;
    if (!log.n || log.n >= TH_LOG_TEXT || first < 1 || second < first)
        status = th_fail_field(&error, "/body/first", "range", "须有 log，且 1 ≤ first ≤ second", "Needs log and 1 ≤ first ≤ second");
    if (!status)
        status = th_journal_head_last(db, log, &last, &error);
    if (!status && (uint64_t)second > last.size)
        status = th_fail(&error, TH_NOT_FOUND, "beyond-log", "日志没有这么长", "The log is not that long");
    if (!status)
        status = th_journal_consistency(db, log, (uint64_t)first, (uint64_t)second, path, &n, &error);
    *answer->error = error;
    if (status)
        return status;
    th_buf_open(&buf, arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "path");
    th_pen_array(&pen);
    for (size_t i = 0; i < n; i++) {
        size_t length = th_base64url_to(path[i].b, TH_HASH_SIZE, text);
        th_pen_str(&pen, (th_str){text, length});
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    answer->body = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

void th_consistency_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        answers[i]->status = proof_answer(db, messages[i], arena, answers[i]);
}

/* ---- the consumer's side ---- */

typedef struct question {
    th_ask ask;
    th_arena arena;
    th_exchange *ex;
    th_head old, new;
    bool aside; /* `old` is no step of the way: the peer's `unproved` */
    char peer[TH_CODE_TEXT];
} question;

/* A proved step is kept: after a restart the member's history has to continue it. */
typedef struct keeping {
    th_change change;
    th_head newest, verified;
} keeping;

static th_status keeping_apply(th_change *change, th_db *db, th_error *error)
{
    const keeping *k = change->ctx;
    return th_log_keep(db, &k->newest, &k->verified, error);
}

static void keeping_reply(th_change *change, th_status status, const th_error *error)
{
    (void)status; /* not kept: a later step will be */
    (void)error;
    th_free(change->ctx);
}

static void verified_keep(th_exchange *ex, const th_head *newest, const th_head *verified)
{
    keeping *k = th_new(sizeof *k);
    if (!k)
        return;
    k->newest = *newest;
    k->verified = *verified;
    k->change = (th_change){.apply = keeping_apply, .reply = keeping_reply, .ctx = k};
    if (th_writer_submit(ex->writer, &k->change))
        th_free(k);
}

static bool path_read(const question *q, th_arena *arena, th_hash *path, size_t max, size_t *ret_n)
{
    const th_json *root, *list;
    size_t n = 0;
    if (th_json_parse(q->ask.answer, arena, &root, NULL) || !(list = th_json_get(root, "path")) || list->count > max)
        return false;
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v)) {
        th_str bytes;
        if (th_unbase64url(arena, v->text, &bytes) || bytes.n != TH_HASH_SIZE)
            return false;
        memcpy(path[n++].b, bytes.p, TH_HASH_SIZE);
    }
    *ret_n = n;
    return true;
}

static void split_history(question *q)
{
    th_alarm_raise(q->ex, "inconsistent-heads", q->peer, "该节点无法证明新树头是旧树头的延续：历史可能被改写",
                   "This node cannot prove that its newer head continues the older one: its history may have been rewritten",
                   th_heads_text(&q->old, &q->new, &q->arena));
}

static bool same_head(const th_head *a, const th_head *b)
{
    return a->size == b->size && strcmp(a->log, b->log) == 0 && th_hash_eq(&a->root, &b->root);
}

static void question_done(th_ask *ask)
{
    question *q = ask->ctx;
    th_exchange *ex = q->ex;
    th_hash path[2 * TH_MERKLE_DEPTH];
    size_t n = 0;
    bool answered = ask->status == TH_OK && path_read(q, &q->arena, path, TH_COUNT(path), &n);
    bool held = answered && th_merkle_check_consistency(q->old.suite, q->old.size, &q->old.root, q->new.size, &q->new.root, path,
                                                        n) == TH_OK;
    bool settled = answered || ask->status == TH_NOT_FOUND || ask->status == TH_INVALID, renewed = false, keep = false;
    th_head newest = {0};
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(q->peer));
    if (peer) {
        newest = peer->state.head;
        /* A new log since the question: the old one may have lost its end, and says so in the new one's first entry. */
        renewed = th_log_generation(th_str_of(newest.log)) > th_log_generation(th_str_of(q->new.log));
        /* Alarmed once; from here on the new history is what later heads are held against. */
        peer->wants_consistency = peer->wants_consistency || !settled;
        if (q->aside) {
            peer->asking_unproved = false;
            if (settled && same_head(&peer->unproved, &q->old))
                peer->unproved = (th_head){0};
        } else {
            peer->asking_consistency = false;
            keep = settled && !renewed;
            if (keep)
                peer->verified = q->new;
        }
    }
    pthread_mutex_unlock(&ex->lock);
    if (settled && !held && !renewed)
        split_history(q);
    if (keep)
        verified_keep(ex, &newest, &q->new);
    th_arena_close(&q->arena);
    th_free(q);
}

static void question_ask(th_exchange *ex, const char *code, const th_head *old, const th_head *new, bool aside)
{
    question *q = th_new(sizeof *q);
    th_error error = {0};
    if (!q)
        return;
    th_arena_open(&q->arena, 1 << 20);
    q->ex = ex;
    q->old = *old;
    q->new = *new;
    q->aside = aside;
    memcpy(q->peer, code, sizeof q->peer);
    q->ask = (th_ask){.provider = th_str_of(q->peer),
                      .type = TH_STR("consistency"),
                      .body = th_strf(&q->arena, "{\"log\":\"%s\",\"first\":%llu,\"second\":%llu}", old->log,
                                      (unsigned long long)old->size, (unsigned long long)new->size),
                      .done = question_done,
                      .arena = &q->arena,
                      .ctx = q};
    if (q->ask.body.p && th_exchange_ask(ex, &q->ask, 1, &error) == TH_OK)
        return;
    q->ask.status = TH_UNAVAILABLE;
    question_done(&q->ask);
}

/* What to ask of one peer now; under lock. */
typedef struct wanted_proofs {
    bool step, aside, first;
    th_head verified, unproved, newest;
} wanted_proofs;

static void proofs_choose(th_peer *peer, int64_t now, int64_t gossip_us, wanted_proofs *w)
{
    w->newest = peer->state.head;
    w->verified = peer->verified;
    w->unproved = peer->unproved;
    if (w->newest.size && (!w->verified.size || strcmp(w->verified.log, w->newest.log) != 0)) {
        w->verified = peer->verified = w->newest; /* the first head of a log: everything later must continue it */
        w->first = true;
        return;
    }
    if (w->unproved.size && strcmp(w->unproved.log, w->newest.log) != 0)
        peer->unproved = w->unproved = (th_head){0};
    if (!peer->wants_consistency || !peer->state.up || llabs(now - peer->consistency_at_us) < gossip_us)
        return;
    w->step = w->newest.size > w->verified.size && !peer->asking_consistency;
    w->aside = w->unproved.size && w->unproved.size < w->newest.size && !peer->asking_unproved;
    if (!w->step && !w->aside)
        return;
    peer->wants_consistency = false;
    peer->consistency_at_us = now;
    peer->asking_consistency = peer->asking_consistency || w->step;
    peer->asking_unproved = peer->asking_unproved || w->aside;
}

void th_consistency_tick(th_exchange *ex)
{
    int64_t now = th_now_us(&ex->env);
    for (size_t i = 0; i < ex->peer_count; i++) {
        wanted_proofs w = {0};
        th_peer *peer = &ex->peers[i];
        pthread_mutex_lock(&ex->lock);
        proofs_choose(peer, now, ex->gossip_us, &w);
        pthread_mutex_unlock(&ex->lock);
        if (w.first)
            verified_keep(ex, &w.newest, &w.newest);
        if (w.step)
            question_ask(ex, peer->code, &w.verified, &w.newest, false);
        if (w.aside)
            question_ask(ex, peer->code, &w.unproved, &w.newest, true);
    }
}
