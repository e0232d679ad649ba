/* client.c — the node's one client thread: libcurl's multi interface, so that connections to peers stay open between batches. */
#include "client-private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { RUNNING_MAX = 512, WAITING_MAX = 4096, IDLE_DEFAULT_MS = 1000 };

struct th_client {
    th_client_options options;
    char *cert_file, *key_file;
    CURLM *multi;
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock; /* guards waiting */
    th_call *waiting, **waiting_last;
    size_t waiting_n;
    size_t running;
    th_transfer *spare;
    th_transfer *active[RUNNING_MAX];
    int (*idle)(void *ctx);
    void *idle_ctx;
    atomic_bool closing;
    th_client_identity identity; /* under lock */
};

static void call_end(th_call *call, th_status status, const char *zh, const char *en)
{
    call->status = th_fail(&call->error, status, "peer-unavailable", zh, en);
    call->done(call);
}

static th_transfer *transfer_take(th_client *c)
{
    th_transfer *t = c->spare;
    if (t)
        c->spare = t->next;
    else
        t = th_new(sizeof *t);
    return t;
}

static void transfer_give(th_client *c, th_transfer *t)
{
    th_transfer_clear(t);
    t->next = c->spare;
    c->spare = t;
}

static void call_begin(th_client *c, th_call *call)
{
    th_transfer *t = transfer_take(c);
    pthread_mutex_lock(&c->lock);
    th_status status = t ? th_transfer_prepare(t, &c->options, &c->identity, call) : TH_NO_MEMORY;
    pthread_mutex_unlock(&c->lock);
    if (status || curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
        if (t)
            transfer_give(c, t);
        call_end(call, TH_NO_MEMORY, "内存不足", "Out of memory");
        return;
    }
    c->active[c->running++] = t;
}

static void waiting_begin(th_client *c)
{
    while (c->running < RUNNING_MAX) {
        pthread_mutex_lock(&c->lock);
        th_call *call = c->waiting;
        if (call) {
            c->waiting = call->next;
            c->waiting_n--;
            if (!c->waiting)
                c->waiting_last = &c->waiting;
        }
        pthread_mutex_unlock(&c->lock);
        if (!call)
            return;
        call->next = NULL;
        call_begin(c, call);
    }
}

static void active_remove(th_client *c, const th_transfer *t)
{
    for (size_t i = 0; i < c->running; i++)
        if (c->active[i] == t) {
            c->active[i] = c->active[--c->running];
            return;
        }
}

static void finished_end(th_client *c)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(c->multi, &left))) {
        th_transfer *t = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        curl_multi_remove_handle(c->multi, t->easy);
        active_remove(c, t);
        th_transfer_outcome(t, code);
        t->call->done(t->call);
        transfer_give(c, t);
    }
}

static void *client_run(void *arg)
{
    th_client *c = arg;
    int running, pause_ms = IDLE_DEFAULT_MS;
    pthread_setname_np(pthread_self(), "link");
    while (!atomic_load(&c->closing)) {
        waiting_begin(c);
        curl_multi_perform(c->multi, &running);
        finished_end(c);
        if (c->idle)
            pause_ms = c->idle(c->idle_ctx);
        pthread_mutex_lock(&c->lock);
        bool more = c->waiting != NULL && c->running < RUNNING_MAX;
        pthread_mutex_unlock(&c->lock);
        if (!more)
            curl_multi_poll(c->multi, NULL, 0, pause_ms, NULL);
    }
    return NULL;
}

th_status th_client_open(const th_client_options *options, th_client **ret_client, th_error *error)
{
    th_curl_start();
    th_client *c = th_new(sizeof *c);
    if (!c)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    c->options = *options;
    if (options->cert_file) {
        c->options.cert_file = c->cert_file = th_new_copy(th_str_of(options->cert_file));
        c->options.key_file = c->key_file = th_new_copy(th_str_of(options->key_file));
    }
    c->waiting_last = &c->waiting;
    pthread_mutex_init(&c->lock, NULL);
    c->multi = curl_multi_init();
    if (!c->multi || (options->cert_file && (!c->cert_file || !c->key_file))) {
        th_client_close(c);
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    }
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 128L);
    th_status status = th_client_identity_read(&c->options, &c->identity, error);
    if (status)
        th_client_close(c);
    else
        *ret_client = c;
    return status;
}

/* The thread starts with the first use, so that idle_set may come before it without a lock. */
static th_status thread_start(th_client *c)
{
    th_status status = TH_OK;
    pthread_mutex_lock(&c->lock);
    if (!c->threaded) {
        c->threaded = pthread_create(&c->thread, NULL, client_run, c) == 0;
        status = c->threaded ? TH_OK : TH_NO_MEMORY;
    }
    pthread_mutex_unlock(&c->lock);
    return status;
}

th_status th_client_start(th_client *c, th_call *call)
{
    th_status status = thread_start(c);
    if (status)
        return status;
    call->next = NULL;
    pthread_mutex_lock(&c->lock);
    bool taken = c->waiting_n < WAITING_MAX && !atomic_load(&c->closing);
    if (taken) {
        *c->waiting_last = call;
        c->waiting_last = &call->next;
        c->waiting_n++;
    }
    pthread_mutex_unlock(&c->lock);
    if (!taken)
        return TH_BUSY;
    curl_multi_wakeup(c->multi);
    return TH_OK;
}

void th_client_wake(th_client *c)
{
    if (thread_start(c) == TH_OK)
        curl_multi_wakeup(c->multi);
}

void th_client_idle_set(th_client *c, int (*idle)(void *ctx), void *ctx)
{
    c->idle = idle;
    c->idle_ctx = ctx;
    th_client_wake(c);
}

th_status th_client_reload(th_client *c, th_error *error)
{
    th_client_identity fresh, old;
    th_status status = th_client_identity_read(&c->options, &fresh, error);
    if (status)
        return status;
    pthread_mutex_lock(&c->lock);
    old = c->identity;
    c->identity = fresh;
    pthread_mutex_unlock(&c->lock);
    th_client_identity_free(&old);
    return TH_OK;
}

void th_client_close(th_client *c)
{
    if (!c)
        return;
    atomic_store(&c->closing, true);
    if (c->threaded) {
        curl_multi_wakeup(c->multi);
        pthread_join(c->thread, NULL);
    }
    while (c->running) {
        th_transfer *t = c->active[--c->running];
        curl_multi_remove_handle(c->multi, t->easy);
        call_end(t->call, TH_UNAVAILABLE, "本节点正在停止", "This node is stopping");
        transfer_give(c, t);
    }
    while (c->waiting) {
        th_call *call = c->waiting;
        c->waiting = call->next;
        call_end(call, TH_UNAVAILABLE, "本节点正在停止", "This node is stopping");
    }
    while (c->spare) {
        th_transfer *t = c->spare;
        c->spare = t->next;
        curl_easy_cleanup(t->easy);
        th_free(t);
    }
    if (c->multi)
        curl_multi_cleanup(c->multi);
    pthread_mutex_destroy(&c->lock);
    th_client_identity_free(&c->identity);
    th_free(c->cert_file);
    th_free(c->key_file);
    th_free(c);
}
