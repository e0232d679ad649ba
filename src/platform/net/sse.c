/* sse.c — topics fan out to connections: each subscriber has a bounded queue; a connection with nothing to send is suspended, and
 * resumed by the next event. A subscriber that cannot keep up is ended: its browser reconnects and reads the present state. */
#include "net-private.h"

#include <string.h>

enum { KEY_MAX = 64 };

typedef struct subscriber {
    th_topic *topic;
    char key[KEY_MAX]; /* hears only events of this key; "" hears all */
    th_server *server;
    struct MHD_Connection *connection;
    char *queue;
    size_t n, max;
    bool waiting, ended;
    struct subscriber *previous, *next;
} subscriber;

struct th_topic {
    pthread_mutex_t lock;
    subscriber *first;
    size_t count, queue_max;
    bool closed;
    th_topic *next;
};

static pthread_mutex_t topics_lock = PTHREAD_MUTEX_INITIALIZER;
static th_topic *topics; /* all of the process, so that a closing server finds its streams */

th_status th_topic_open(size_t queue_max, th_topic **ret_topic)
{
    th_topic *topic = th_new(sizeof *topic);
    if (!topic)
        return TH_NO_MEMORY;
    pthread_mutex_init(&topic->lock, NULL);
    topic->queue_max = queue_max;
    pthread_mutex_lock(&topics_lock);
    topic->next = topics;
    topics = topic;
    pthread_mutex_unlock(&topics_lock);
    *ret_topic = topic;
    return TH_OK;
}

/* Under the topic's lock. */
static void wake(subscriber *s)
{
    if (!s->waiting)
        return;
    s->waiting = false;
    MHD_resume_connection(s->connection);
}

static void push(subscriber *s, th_str text)
{
    if (s->ended)
        return;
    if (text.n > s->max - s->n) {
        s->ended = true;
    } else {
        memcpy(s->queue + s->n, text.p, text.n);
        s->n += text.n;
    }
    wake(s);
}

void th_topic_publish_for(th_topic *topic, th_str key, const char *event, th_str json)
{
    th_arena arena;
    th_arena_open(&arena, json.n + 16384);
    th_str text = th_strf(&arena, "event: %s\ndata: %.*s\n\n", event, TH_FMT(json));
    pthread_mutex_lock(&topic->lock);
    for (subscriber *s = topic->first; s && text.p; s = s->next)
        if (!s->key[0] || th_str_is(key, s->key))
            push(s, text);
    pthread_mutex_unlock(&topic->lock);
    th_arena_close(&arena);
}

void th_topic_publish(th_topic *topic, const char *event, th_str json)
{
    th_topic_publish_for(topic, (th_str){NULL, 0}, event, json);
}

size_t th_topic_subscribers(th_topic *topic)
{
    pthread_mutex_lock(&topic->lock);
    size_t n = topic->count;
    pthread_mutex_unlock(&topic->lock);
    return n;
}

static ssize_t stream_read(void *cls, uint64_t position, char *to, size_t room)
{
    subscriber *s = cls;
    (void)position;
    pthread_mutex_lock(&s->topic->lock);
    ssize_t given = 0;
    if (s->n) {
        size_t n = s->n < room ? s->n : room;
        memcpy(to, s->queue, n);
        memmove(s->queue, s->queue + n, s->n - n);
        s->n -= n;
        given = (ssize_t)n;
    } else if (s->ended) {
        given = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        s->waiting = true;
        MHD_suspend_connection(s->connection);
    }
    pthread_mutex_unlock(&s->topic->lock);
    return given;
}

static void stream_free(void *cls)
{
    subscriber *s = cls;
    th_topic *topic = s->topic;
    pthread_mutex_lock(&topic->lock);
    if (s->previous)
        s->previous->next = s->next;
    else
        topic->first = s->next;
    if (s->next)
        s->next->previous = s->previous;
    topic->count--;
    bool last = topic->closed && topic->count == 0;
    pthread_mutex_unlock(&topic->lock);
    th_free(s->queue);
    th_free(s);
    if (last) {
        pthread_mutex_destroy(&topic->lock);
        th_free(topic);
    }
}

static subscriber *subscribe(th_rq *r, th_topic *topic, th_str key)
{
    subscriber *s = th_new(sizeof *s);
    char *queue = th_new(topic->queue_max);
    if (!s || !queue || key.n >= KEY_MAX) {
        th_free(s);
        th_free(queue);
        return NULL;
    }
    *s = (subscriber){.topic = topic, .server = r->server, .connection = r->connection, .queue = queue, .max = topic->queue_max};
    if (key.n)
        memcpy(s->key, key.p, key.n);
    pthread_mutex_lock(&topic->lock);
    s->next = topic->first;
    if (s->next)
        s->next->previous = s;
    topic->first = s;
    topic->count++;
    s->ended = topic->closed || atomic_load(&r->server->draining);
    pthread_mutex_unlock(&topic->lock);
    return s;
}

th_handled th_reply_events(th_request *rq, th_topic *topic, th_str hello)
{
    return th_reply_events_for(rq, topic, (th_str){NULL, 0}, hello);
}

th_handled th_reply_events_for(th_request *rq, th_topic *topic, th_str key, th_str hello)
{
    th_rq *r = (th_rq *)rq;
    subscriber *s = subscribe(r, topic, key);
    if (!s)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    pthread_mutex_lock(&topic->lock);
    push(s, TH_STR("retry: 2000\n\n"));
    if (hello.n) {
        push(s, TH_STR("event: hello\ndata: "));
        push(s, hello);
        push(s, TH_STR("\n\n"));
    }
    pthread_mutex_unlock(&topic->lock);
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_read, s, stream_free);
    if (!r->response) {
        stream_free(s);
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    }
    MHD_add_response_header(r->response, "Cache-Control", "no-store");
    MHD_add_response_header(r->response, "X-Accel-Buffering", "no");
    rq->status = 200;
    rq->content_type = "text/event-stream";
    return TH_DONE;
}

/* Every stream of `server` (all of them when NULL) ends; suspended connections come back to hear it. */
static void topic_end(th_topic *topic, const th_server *server)
{
    pthread_mutex_lock(&topic->lock);
    for (subscriber *s = topic->first; s; s = s->next)
        if (!server || s->server == server) {
            s->ended = true;
            wake(s);
        }
    pthread_mutex_unlock(&topic->lock);
}

void th_streams_end(th_server *server)
{
    pthread_mutex_lock(&topics_lock);
    for (th_topic *topic = topics; topic; topic = topic->next)
        topic_end(topic, server);
    pthread_mutex_unlock(&topics_lock);
}

void th_streams_beat(th_server *server)
{
    pthread_mutex_lock(&topics_lock);
    for (th_topic *topic = topics; topic; topic = topic->next) {
        pthread_mutex_lock(&topic->lock);
        for (subscriber *s = topic->first; s; s = s->next)
            if (s->server == server && s->waiting)
                push(s, TH_STR(":\n\n"));
        pthread_mutex_unlock(&topic->lock);
    }
    pthread_mutex_unlock(&topics_lock);
}

void th_topic_close(th_topic *topic)
{
    if (!topic)
        return;
    pthread_mutex_lock(&topics_lock);
    th_topic **at = &topics;
    while (*at && *at != topic)
        at = &(*at)->next;
    if (*at)
        *at = topic->next;
    pthread_mutex_unlock(&topics_lock);
    topic_end(topic, NULL);
    pthread_mutex_lock(&topic->lock);
    topic->closed = true;
    bool last = topic->count == 0;
    pthread_mutex_unlock(&topic->lock);
    if (last) {
        pthread_mutex_destroy(&topic->lock);
        th_free(topic);
    }
}
