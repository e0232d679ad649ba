/* consistency.c — does a peer's newest head continue the one we verified last? Asked now and then as an ordinary message, so that the
 * question and the answer are journaled too; a proof that fails is a split history. */
#include "exchange-private.h"

#include <stdlib.h>
#include <string.h>

enum { ASK_EVERY_S = 10 };

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
    char peer[TH_CODE_TEXT];
} question;

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
    th_buf buf;
    th_buf_open(&buf, &q->arena, 8192);
    th_pen pen = th_pen_on(&buf);
    th_pen_array(&pen);
    th_head_write(&pen, &q->old);
    th_head_write(&pen, &q->new);
    th_pen_end(&pen, ']');
    th_alarm_raise(q->ex, "inconsistent-heads", q->peer, "该节点无法证明新树头是旧树头的延续：历史可能被改写",
                   "This node cannot prove that its newer head continues the older one: its history may have been rewritten",
                   th_buf_view(&buf));
}

static void question_done(th_ask *ask)
{
    question *q = ask->ctx;
    th_hash path[2 * TH_MERKLE_DEPTH];
    size_t n = 0;
    bool answered = ask->status == TH_OK && path_read(q, &q->arena, path, TH_COUNT(path), &n);
    bool held = answered && th_merkle_check_consistency(q->old.suite, q->old.size, &q->old.root, q->new.size, &q->new.root, path,
                                                        n) == TH_OK;
    bool refused = ask->status == TH_NOT_FOUND || ask->status == TH_INVALID;
    if ((answered && !held) || refused)
        split_history(q);
    pthread_mutex_lock(&q->ex->lock);
    th_peer *peer = th_peer_find(q->ex, th_str_of(q->peer));
    if (peer) {
        peer->asking_consistency = false;
        peer->wants_consistency = peer->wants_consistency || !(answered || refused);
        /* Alarmed once; from here on the new history is what later heads are held against. */
        if (answered || refused)
            peer->verified = q->new;
    }
    pthread_mutex_unlock(&q->ex->lock);
    th_arena_close(&q->arena);
    th_free(q);
}

static void question_ask(th_exchange *ex, const char *code, const th_head *old, const th_head *new)
{
    question *q = th_new(sizeof *q);
    th_error error = {0};
    if (!q)
        return;
    th_arena_open(&q->arena, 1 << 20);
    q->ex = ex;
    q->old = *old;
    q->new = *new;
    memcpy(q->peer, code, sizeof q->peer);
    q->ask = (th_ask){.provider = th_str_of(q->peer),
                      .type = TH_STR("consistency"),
                      .body = th_strf(&q->arena, "{\"log\":\"%s\",\"first\":%llu,\"second\":%llu}", old->log,
                                      (unsigned long long)old->size, (unsigned long long)new->size),
                      .done = question_done,
                      .arena = &q->arena,
                      .ctx = q};
    if (!q->ask.body.p || th_exchange_ask(ex, &q->ask, 1, &error)) {
        pthread_mutex_lock(&ex->lock);
        th_peer *peer = th_peer_find(ex, th_str_of(code));
        if (peer) {
            peer->asking_consistency = false;
            peer->wants_consistency = true;
        }
        pthread_mutex_unlock(&ex->lock);
        th_arena_close(&q->arena);
        th_free(q);
    }
}

void th_consistency_tick(th_exchange *ex)
{
    int64_t now = th_now_us(&ex->env);
    for (size_t i = 0; i < ex->peer_count; i++) {
        th_head old, new;
        bool ask = false;
        th_peer *peer = &ex->peers[i];
        pthread_mutex_lock(&ex->lock);
        new = peer->state.head;
        old = peer->verified;
        if (new.size && (!old.size || strcmp(old.log, new.log) != 0)) {
            peer->verified = new; /* the first head of a log: everything later must continue it */
        } else if (new.size > old.size && peer->wants_consistency && peer->state.up && !peer->asking_consistency &&
                   llabs(now - peer->consistency_at_us) >= ASK_EVERY_S * TH_SECOND_US) {
            ask = peer->asking_consistency = true;
            peer->wants_consistency = false;
            peer->consistency_at_us = now;
        }
        pthread_mutex_unlock(&ex->lock);
        if (ask)
            question_ask(ex, peer->code, &old, &new);
    }
}
