/* writer.c — the single writer: whatever has gathered goes into one transaction, one commit, then everybody hears.
 *
 * Changes are applied without savepoints. Only when one of them fails after writing may have begun is the batch rolled back and run
 * once more with a savepoint around each, so that the failing one alone is undone: the usual case pays nothing for the rare one. */
#include "store-private.h"

#include <string.h>

enum { LOCK_WAIT_MS = 2000 };

struct th_writer {
    th_store *store;
    th_db *db;
    th_writer_hooks hooks;
    size_t batch_max;
    bool threaded, closing, sleeping, beside;
    bool unlocked; /* PostgreSQL: a new connection that does not hold the writer's lock yet */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    th_change *first, **last;
    size_t waiting;
    th_writer_stats stats;
    th_arena arena; /* errors of the batch */
    th_env env;
};

/* ---- one batch ---- */

static void note(th_writer *w, th_change *change, th_status status, const th_error *why)
{
    change->status = status;
    change->error = NULL;
    if (status && (change->error = th_alloc(&w->arena, sizeof *change->error)))
        *change->error = *why;
}

/* The whole store failed, not this one change: the batch cannot go on. Only the store itself can say so: a change that finds data which
 * cannot be right (a peer may have sent it) returns the same statuses, and fails alone. */
static bool is_fatal(const th_writer *w, th_status status)
{
    return status && w->db->failed;
}

static th_status change_run(th_writer *w, th_change *change, bool savepoint, bool *ret_wrote)
{
    th_error why = {0};
    w->db->failed = false;
    th_status status = change->check ? change->check(change, w->db, &why) : TH_OK;
    if (status || !change->apply) {
        note(w, change, status, &why);
        *ret_wrote = false;
        return status;
    }
    *ret_wrote = true;
    if (savepoint)
        status = th_db_script(w->db, "SAVEPOINT change", &why);
    if (!status)
        status = change->apply(change, w->db, &why);
    if (savepoint && !is_fatal(w, status)) {
        th_status undo = status ? th_db_script(w->db, "ROLLBACK TO SAVEPOINT change", &why) : TH_OK;
        if (!undo)
            undo = th_db_script(w->db, "RELEASE SAVEPOINT change", &why);
        if (undo)
            status = undo;
    }
    note(w, change, status, &why);
    return status;
}

/* Without the lock nothing is written, or two processes would append to one log. */
static th_status lock_again(th_writer *w, th_error *error)
{
    th_status status = th_pg_writer_lock(w->db, 0, error);
    w->unlocked = status != TH_OK;
    if (status)
        th_log(TH_LOG_ERROR, "store-taken", NULL);
    return status;
}

static th_status batch_begin(th_writer *w, th_error *error)
{
    th_status status = w->unlocked ? lock_again(w, error) : TH_OK;
    if (status)
        return status;
    status = th_db_script(w->db, w->store->backend->begin_write, error);
    if (!status && w->hooks.begin)
        w->hooks.begin(w->hooks.ctx, w->db);
    return status;
}

/* TH_CONFLICT here means: something failed after writing, run again with savepoints. */
static th_status changes_run(th_writer *w, th_change *batch, bool savepoints, th_error *error)
{
    for (th_change *c = batch; c; c = c->next) {
        bool wrote;
        th_status status = change_run(w, c, savepoints, &wrote);
        if (status && wrote && !savepoints)
            return TH_CONFLICT;
        if (is_fatal(w, status) && savepoints) {
            if (c->error)
                *error = *c->error;
            return status;
        }
    }
    return TH_OK;
}

static th_status batch_commit(th_writer *w, th_change *batch, th_error *error)
{
    th_status status = batch_begin(w, error);
    if (status)
        return status;
    status = changes_run(w, batch, false, error);
    if (status == TH_CONFLICT) {
        status = th_db_script(w->db, "ROLLBACK", error);
        if (!status)
            status = batch_begin(w, error);
        if (!status)
            status = changes_run(w, batch, true, error);
    }
    if (!status && w->hooks.seal)
        status = w->hooks.seal(w->hooks.ctx, w->db, error);
    if (!status)
        status = th_db_script(w->db, "COMMIT", error);
    if (status)
        TH_IGNORE(th_db_script(w->db, "ROLLBACK", NULL));
    return status;
}

/* A PostgreSQL connection may have gone away: one fresh one is tried for the next batch. */
static void connection_mend(th_writer *w)
{
    if (w->store->shared || w->store->backend->usable(w->db))
        return;
    th_db *fresh;
    if (th_store_writer_db(w->store, &fresh, NULL))
        return;
    th_store_writer_db_close(w->store, w->db);
    w->db = fresh;
    w->unlocked = !w->beside && th_store_is_postgresql(w->store);
}

static size_t batch_run(th_writer *w, th_change *batch, size_t n)
{
    th_error error = {0};
    int64_t from = th_now_us(&w->env);
    th_status status = batch_commit(w, batch, &error);
    if (w->hooks.settled)
        w->hooks.settled(w->hooks.ctx, status);
    pthread_mutex_lock(&w->lock);
    w->stats.batches++;
    w->stats.changes += n;
    for (const th_change *c = batch; c; c = c->next)
        w->stats.failed += status || c->status ? 1 : 0;
    if (n > w->stats.largest_batch)
        w->stats.largest_batch = n;
    w->stats.last_commit_us = th_now_us(&w->env) - from;
    pthread_mutex_unlock(&w->lock);
    for (th_change *c = batch, *next; c; c = next) {
        next = c->next; /* reply may free the change */
        th_status outcome = status ? status : c->status;
        const th_error *why = status ? &error : c->error;
        if (c->reply)
            c->reply(c, outcome, why);
    }
    th_arena_reset(&w->arena);
    if (status)
        connection_mend(w);
    return n;
}

/* ---- the queue ---- */

static th_change *gathered(th_writer *w, size_t *ret_n)
{
    th_change *batch = w->first, **at = &w->first;
    size_t n = 0;
    while (*at && n < w->batch_max) {
        at = &(*at)->next;
        n++;
    }
    w->first = *at;
    *at = NULL;
    if (!w->first)
        w->last = &w->first;
    w->waiting -= n;
    *ret_n = n;
    return n ? batch : NULL;
}

static void *writer_thread(void *arg)
{
    th_writer *w = arg;
    size_t n;
    pthread_setname_np(pthread_self(), "writer");
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->closing) {
            w->sleeping = true;
            pthread_cond_wait(&w->work, &w->lock);
            w->sleeping = false;
        }
        th_change *batch = gathered(w, &n);
        if (!batch)
            break;
        pthread_mutex_unlock(&w->lock);
        batch_run(w, batch, n);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

size_t th_writer_step(th_writer *w)
{
    size_t n;
    pthread_mutex_lock(&w->lock);
    th_change *batch = gathered(w, &n);
    pthread_mutex_unlock(&w->lock);
    return batch ? batch_run(w, batch, n) : 0;
}

th_status th_writer_submit_list(th_writer *w, th_change *changes, size_t n)
{
    th_change *tail = changes;
    for (size_t i = 1; i < n; i++)
        tail = tail->next;
    tail->next = NULL;
    pthread_mutex_lock(&w->lock);
    bool accepted = !w->closing && w->waiting + n <= TH_WRITER_QUEUE_MAX;
    if (accepted) {
        *w->last = changes;
        w->last = &tail->next;
        w->waiting += n;
        if (w->sleeping)
            pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    return accepted ? TH_OK : TH_BUSY;
}

th_status th_writer_submit(th_writer *w, th_change *change)
{
    return th_writer_submit_list(w, change, 1);
}

/* ---- waiting for one change ---- */

typedef struct waiting {
    th_change *inner;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
    th_status status;
    th_error *error;
} waiting;

static th_status waiting_check(th_change *change, th_db *db, th_error *error)
{
    th_change *inner = ((waiting *)change->ctx)->inner;
    return inner->check ? inner->check(inner, db, error) : TH_OK;
}

static th_status waiting_apply(th_change *change, th_db *db, th_error *error)
{
    th_change *inner = ((waiting *)change->ctx)->inner;
    return inner->apply ? inner->apply(inner, db, error) : TH_OK;
}

static void waiting_reply(th_change *change, th_status status, const th_error *error)
{
    waiting *wait = change->ctx;
    if (wait->inner->reply)
        wait->inner->reply(wait->inner, status, error);
    pthread_mutex_lock(&wait->lock);
    wait->status = status;
    if (wait->error && error)
        *wait->error = *error;
    wait->finished = true;
    pthread_cond_signal(&wait->done);
    pthread_mutex_unlock(&wait->lock);
}

th_status th_writer_run(th_writer *w, th_change *change, th_error *error)
{
    waiting wait = {.inner = change, .error = error};
    th_change outer = {.check = waiting_check, .apply = waiting_apply, .reply = waiting_reply, .ctx = &wait};
    pthread_mutex_init(&wait.lock, NULL);
    pthread_cond_init(&wait.done, NULL);
    th_status status = th_writer_submit(w, &outer);
    if (status) {
        th_fail(error, status, "writer-busy", "本节点繁忙，请稍后再试", "This node is busy; try again shortly");
    } else {
        while (!w->threaded && !wait.finished)
            th_writer_step(w);
        pthread_mutex_lock(&wait.lock);
        while (!wait.finished)
            pthread_cond_wait(&wait.done, &wait.lock);
        pthread_mutex_unlock(&wait.lock);
        status = wait.status;
    }
    pthread_cond_destroy(&wait.done);
    pthread_mutex_destroy(&wait.lock);
    return status;
}

/* ---- opening and closing ---- */

static th_status writer_open(th_store *store, const th_writer_hooks *hooks, bool threaded, bool beside, size_t batch_max,
                             th_writer **ret_writer, th_error *error)
{
    th_writer *w = th_new(sizeof *w);
    if (!w)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    w->store = store;
    if (hooks)
        w->hooks = *hooks;
    w->threaded = threaded;
    w->beside = beside;
    w->batch_max = batch_max ? batch_max : TH_WRITER_BATCH_MAX;
    w->last = &w->first;
    w->env = th_env_real();
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    th_arena_open(&w->arena, 64u << 20);
    th_status status = th_store_writer_db(store, &w->db, error);
    if (!status && !beside && th_store_is_postgresql(store))
        status = th_pg_writer_lock(w->db, LOCK_WAIT_MS, error);
    if (!status && threaded && pthread_create(&w->thread, NULL, writer_thread, w) != 0) {
        w->threaded = false;
        status = th_fail(error, TH_NO_MEMORY, "no-thread", "无法启动写线程", "The writer's thread cannot be started");
    }
    if (status) {
        w->threaded = false;
        th_writer_close(w);
    } else {
        *ret_writer = w;
    }
    return status;
}

th_status th_writer_open(th_store *store, const th_writer_hooks *hooks, bool threaded, size_t batch_max, th_writer **ret_writer,
                         th_error *error)
{
    return writer_open(store, hooks, threaded, false, batch_max, ret_writer, error);
}

th_status th_writer_open_beside(th_store *store, th_writer **ret_writer, th_error *error)
{
    return writer_open(store, NULL, true, true, 0, ret_writer, error);
}

th_writer_stats th_writer_read_stats(th_writer *w)
{
    pthread_mutex_lock(&w->lock);
    th_writer_stats stats = w->stats;
    stats.waiting = w->waiting;
    pthread_mutex_unlock(&w->lock);
    return stats;
}

void th_writer_close(th_writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    if (w->threaded)
        pthread_join(w->thread, NULL);
    else if (w->db)
        while (th_writer_step(w)) {
        }
    th_store_writer_db_close(w->store, w->db);
    th_arena_close(&w->arena);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    th_free(w);
}
