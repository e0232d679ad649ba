/* once.c — Idempotency-Key: a write that was sent twice happens once, and both senders hear the first answer.
 *
 * The key is claimed in a commit of its own before the handler runs; the answer is kept before it is sent. What dies in between leaves a claim
 * without an answer: whoever asks again is told that it may have happened, and nothing is done twice. Temporary failures give the key back.
 * What a full disk kept from being written then, the next claim writes. Answers hold personal data: they are sealed under the node's secret.
 * Of an answer that is told once (th_request.told_once) only the fact is kept. */
#include "people-private.h"

#include <string.h>

enum { KEPT_HOURS = 24, ANSWER_MAX = 256 * 1024, KEY_MAX = 128, LATE_MAX = 256 };
#define SWEEP_EVERY_US (10 * TH_MINUTE_US)

typedef struct once {
    th_people *people;
    th_request *rq;
    th_str key, content_type, answer;
    th_hash hash;
    bool is_new, give_back, told_once;
    uint64_t late_to; /* late endings before this one were written with the claim */
    const th_value *known; /* hash, boot, status, content_type, answer */
} once;

/* Where an answer's media type stands: there was one, and it is not to be had again. */
static const char told_once_mark[] = "told-once";

static th_str seal_context(const once *o)
{
    return th_strf(&o->rq->arena, "once\n%.*s\n%.*s", TH_FMT(o->rq->who.account), TH_FMT(o->key));
}

/* ---- endings that the store could not take ---- */

typedef struct th_once_late {
    char account[TH_ID_TEXT], key[KEY_MAX + 1];
    int64_t at_us; /* of the claim: the key may be claimed anew */
    int status;
    bool give_back;
} th_once_late;

static void late_add(th_people *people, const once *o)
{
    th_db *db;
    const th_value *row;
    th_value values[] = {th_v_text(o->rq->who.account), th_v_text(o->key)};
    if (o->rq->who.account.n >= TH_ID_TEXT || th_store_acquire(people->options.store, &db, NULL))
        return;
    th_status status = th_db_one(db, "SELECT at FROM people_once WHERE account = ?1 AND key = ?2", values, 2, &o->rq->arena, &row, NULL);
    th_store_release(people->options.store, db);
    pthread_mutex_lock(&people->late_lock);
    if (!people->late)
        people->late = th_new(LATE_MAX * sizeof *people->late);
    if (!status && people->late && people->late_count < LATE_MAX) {
        th_once_late *l = &people->late[people->late_count++];
        *l = (th_once_late){.at_us = row[0].i, .status = o->rq->status, .give_back = o->give_back};
        memcpy(l->account, o->rq->who.account.p, o->rq->who.account.n);
        memcpy(l->key, o->key.p, o->key.n);
    }
    pthread_mutex_unlock(&people->late_lock);
}

/* On the writer's thread. What was written already is not there any more under its time: nothing happens twice. */
static th_status late_apply(once *o, th_db *db, th_error *error)
{
    th_people *people = o->people;
    th_status status = TH_OK;
    pthread_mutex_lock(&people->late_lock);
    for (size_t i = 0; i < people->late_count && !status; i++) {
        const th_once_late *l = &people->late[i];
        th_value values[] = {th_v_text(th_str_of(l->account)), th_v_text(th_str_of(l->key)), th_v_int(l->at_us), th_v_int(l->status)};
        status = l->give_back
                     ? th_db_exec(db, "DELETE FROM people_once WHERE account = ?1 AND key = ?2 AND at = ?3 AND status IS NULL", values, 3, NULL, error)
                     : th_db_exec(db, "UPDATE people_once SET status = ?4 WHERE account = ?1 AND key = ?2 AND at = ?3 AND status IS NULL", values, 4, NULL,
                                  error);
    }
    o->late_to = people->late_first + people->late_count;
    pthread_mutex_unlock(&people->late_lock);
    return status;
}

static void late_forget(th_people *people, uint64_t to)
{
    pthread_mutex_lock(&people->late_lock);
    size_t n = to > people->late_first ? (size_t)(to - people->late_first) : 0;
    if (n) {
        people->late_count -= n;
        people->late_first = to;
        memmove(people->late, people->late + n, people->late_count * sizeof *people->late);
    }
    pthread_mutex_unlock(&people->late_lock);
}

/* ---- forgetting ---- */

static th_status sweep_apply(void *ctx, th_db *db, th_error *error)
{
    th_people *people = ctx;
    th_value old = th_v_int(th_now_us(people->options.env) - KEPT_HOURS * TH_HOUR_US);
    return th_db_exec(db, "DELETE FROM people_once WHERE at < ?1", &old, 1, NULL, error);
}

void th_people_tick(th_people *people)
{
    th_error error = {0};
    int64_t now = th_now_us(people->options.env);
    if (now < people->sweep_at_us && people->sweep_at_us - now <= SWEEP_EVERY_US) /* a clock set back is no reason to wait */
        return;
    people->sweep_at_us = now + SWEEP_EVERY_US;
    if (th_people_write(people, sweep_apply, people, &error))
        th_log(TH_LOG_WARN, "idempotency-not-swept", "type", error.type, NULL);
}

/* ---- the claim ---- */

static th_hash request_hash(const th_request *rq)
{
    th_str pieces[] = {rq->method, TH_STR("\n"), rq->path, TH_STR("\n"), rq->body};
    return th_hash_of(TH_SUITE_ED25519, pieces, TH_COUNT(pieces));
}

static th_status claim_apply(void *ctx, th_db *db, th_error *error)
{
    once *o = ctx;
    int64_t changed = 0, now = th_now_us(o->people->options.env);
    th_status status = late_apply(o, db, error);
    if (!status)
        status = sweep_apply(o->people, db, error);
    th_value values[] = {th_v_text(o->rq->who.account), th_v_text(o->key), th_v_blob(o->hash.b, TH_HASH_SIZE),
                         th_v_text(th_str_of(o->people->boot)), th_v_int(now)};
    if (!status)
        status = th_db_exec(db,
                            "INSERT INTO people_once (account, key, hash, boot, at) VALUES (?1, ?2, ?3, ?4, ?5) "
                            "ON CONFLICT (account, key) DO NOTHING",
                            values, TH_COUNT(values), &changed, error);
    o->is_new = changed == 1;
    if (!status && !o->is_new)
        status = th_db_one(db, "SELECT hash, boot, status, content_type, answer FROM people_once WHERE account = ?1 AND key = ?2", values, 2,
                           &o->rq->arena, &o->known, error);
    return status;
}

static th_status conflict(th_request *rq, const char *type, const char *zh, const char *en)
{
    return th_fail(&rq->error, TH_CONFLICT, type, zh, en);
}

static void answer_again(once *o)
{
    th_request *rq = o->rq;
    const th_value *row = o->known;
    bool same = row[0].s.n == TH_HASH_SIZE && memcmp(row[0].s.p, o->hash.b, TH_HASH_SIZE) == 0;
    th_str answer = {NULL, 0};
    th_status status = TH_OK;
    if (!same)
        status = th_fail(&rq->error, TH_UNPROCESSABLE, "idempotency-mismatch", "同一 Idempotency-Key 曾用于不同的请求",
                         "This Idempotency-Key was used for another request");
    else if (row[2].type == TH_VALUE_NULL && th_str_is(row[1].s, o->people->boot))
        status = conflict(rq, "idempotency-running", "同一请求正在处理", "The same request is being worked on");
    else if (th_str_is(row[3].s, told_once_mark))
        status = conflict(rq, "told-once", "该请求已经执行；其答复含有密钥，只告知一次，不再保留",
                          "This request was carried out; its answer held a secret, was told once and is not kept");
    else if (row[2].type == TH_VALUE_NULL || row[4].type == TH_VALUE_NULL ||
             th_unseal(o->people->options.secret, row[4].s, seal_context(o), &rq->arena, &answer))
        status = conflict(rq, "idempotency-unknown", "该请求可能已经执行，但答复已丢失；请先查看结果，再决定是否用新的键重发",
                          "This request may have been carried out, but its answer is lost; look before you send it again under a new key");
    if (status) {
        (void)th_reply_problem(rq, status, NULL);
        return;
    }
    th_reply_header(rq, "Idempotency-Replayed", TH_STR("true"));
    (void)th_reply_bytes(rq, (int)row[2].i, th_str_is(row[3].s, "application/problem+json") ? "application/problem+json" : "application/json", answer);
}

bool th_people_once_begin(void *ctx, th_request *rq, th_str key)
{
    once o = {.people = ctx, .rq = rq, .key = key, .hash = request_hash(rq)};
    bool ok = key.n >= 1 && key.n <= KEY_MAX;
    for (size_t i = 0; ok && i < key.n; i++)
        ok = key.p[i] > ' ' && key.p[i] < 127;
    if (!ok) {
        (void)th_reply_problem(rq, th_fail(&rq->error, TH_INVALID, "idempotency-key", "Idempotency-Key 须为 1 至 128 个可见字符",
                                           "Idempotency-Key must be 1 to 128 visible characters"), NULL);
        return false;
    }
    th_status status = th_people_write(o.people, claim_apply, &o, &rq->error);
    if (!status)
        late_forget(o.people, o.late_to);
    if (status)
        (void)th_reply_problem(rq, status, NULL);
    else if (!o.is_new)
        answer_again(&o);
    return !status && o.is_new;
}

/* ---- the end ---- */

static th_status end_apply(void *ctx, th_db *db, th_error *error)
{
    once *o = ctx;
    th_value values[] = {th_v_text(o->rq->who.account), th_v_text(o->key), th_v_int(o->rq->status), th_v_text(o->content_type),
                         o->answer.p ? th_v_blob(o->answer.p, o->answer.n) : th_v_null()};
    if (o->give_back)
        return th_db_exec(db, "DELETE FROM people_once WHERE account = ?1 AND key = ?2", values, 2, NULL, error);
    return th_db_exec(db, "UPDATE people_once SET status = ?3, content_type = ?4, answer = ?5 WHERE account = ?1 AND key = ?2", values,
                      TH_COUNT(values), NULL, error);
}

void th_people_once_end(void *ctx, th_request *rq, th_str key)
{
    th_error ignored = {0};
    once o = {.people = ctx, .rq = rq, .key = key, .content_type = th_str_of(rq->content_type),
              .give_back = rq->status >= 500 || rq->status == 429, .told_once = rq->told_once && rq->status < 400};
    th_str plain = th_buf_view(&rq->out);
    if (!o.content_type.n)
        o.content_type = TH_STR("application/json");
    if (o.told_once)
        o.content_type = th_str_of(told_once_mark);
    else if (!o.give_back && plain.n <= ANSWER_MAX &&
             th_seal(o.people->options.env, o.people->options.secret, plain, seal_context(&o), &rq->arena, &o.answer))
        o.answer = (th_str){NULL, 0}; /* then it is lost, and a repeat is told so */
    th_status status = th_people_write(o.people, end_apply, &o, &ignored);
    if (status) {
        late_add(o.people, &o);
        th_log(TH_LOG_WARN, "idempotency-not-kept", "status", th_status_name(status), NULL);
    }
}
