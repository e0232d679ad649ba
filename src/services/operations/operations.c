/* operations.c — opening, the thread that beats once a second, and the route table. */
#include "operations-private.h"
#include "platform/people/people.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REGION_FILE_MAX = 1 << 20, TOPIC_QUEUE = 256 * 1024 };

static th_status region_read(th_operations *o, th_error *error)
{
    char path[1200], bytes[8192];
    th_buf buf;
    snprintf(path, sizeof path, "%s/region.json", o->region_dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return th_failf(error, TH_IO, "region-file", "无法读取 %s", "Cannot read %s", path);
    th_buf_open(&buf, &o->arena, REGION_FILE_MAX);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;)
        th_buf_put(&buf, bytes, n);
    fclose(file);
    return th_buf_ok(&buf) ? th_json_parse(th_buf_view(&buf), &o->arena, &o->region, error) : TH_TOO_LARGE;
}

th_status th_operations_open(const th_operations_options *options, th_operations **ret_operations, th_error *error)
{
    th_operations *o = th_new(sizeof *o);
    if (!o)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    o->options = *options;
    snprintf(o->code, sizeof o->code, "%s", options->code);
    o->region_dir = th_new_copy(th_str_of(options->region_dir));
    o->random = options->seed ^ (uint64_t)th_now_us(options->env);
    o->opened_us = th_now_us(options->env);
    th_operations_life_set(o, options->life_per_minute);
    th_arena_open(&o->arena, 16u << 20);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->bell, NULL);
    snprintf(o->own_now.code, sizeof o->own_now.code, "%s", o->code);
    o->beats[0] = o->own_now;
    o->beat_count = 1;
    th_status status = o->region_dir ? region_read(o, error) : TH_NO_MEMORY;
    if (!status)
        status = th_topic_open(TOPIC_QUEUE, &o->topic);
    if (!status)
        status = th_minutes_load(o, error);
    if (status) {
        th_operations_close(o);
        return status;
    }
    th_exchange_watch(o->options.exchange, th_beat_watch, o);
    if (o->options.demonstration)
        TH_IGNORE(th_cases_watch(o->options.cases, th_life_case_event, o));
    *ret_operations = o;
    return TH_OK;
}

void th_operations_close(th_operations *o)
{
    if (!o)
        return;
    th_operations_stop(o);
    th_exchange_watch(o->options.exchange, NULL, NULL);
    if (o->topic)
        th_topic_close(o->topic);
    pthread_cond_destroy(&o->bell);
    pthread_mutex_destroy(&o->lock);
    th_arena_close(&o->arena);
    th_free(o->region_dir);
    th_free(o);
}

/* ---- the thread ---- */

static bool second_wait(th_operations *o)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&o->lock);
    while (!atomic_load(&o->stopping) && pthread_cond_timedwait(&o->bell, &o->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&o->lock);
    return !atomic_load(&o->stopping);
}

static void *beat_run(void *arg)
{
    th_operations *o = arg;
    while (second_wait(o)) {
        int64_t now = th_now_us(o->options.env);
        th_cases_tick(o->options.cases);
        th_people_tick(o->options.people);
        th_beat_turn(o, now);
        th_minutes_turn(o, now);
        th_wall_publish(o, now);
        th_beat_poll(o);
        if (o->options.demonstration)
            th_life_tick(o, now);
    }
    return NULL;
}

th_status th_operations_start(th_operations *o, th_client *client, th_error *error)
{
    o->client = client;
    atomic_store(&o->stopping, false);
    if (pthread_create(&o->thread, NULL, beat_run, o))
        return th_fail(error, TH_NO_MEMORY, "thread", "无法启动线程", "A thread cannot be started");
    o->threaded = true;
    return TH_OK;
}

void th_operations_life_set(th_operations *o, int per_minute)
{
    atomic_store(&o->life_per_minute, o->options.demonstration ? per_minute : 0);
}

void th_operations_stop(th_operations *o)
{
    if (!o->threaded)
        return;
    pthread_mutex_lock(&o->lock);
    atomic_store(&o->stopping, true);
    pthread_cond_broadcast(&o->bell);
    pthread_mutex_unlock(&o->lock);
    pthread_join(o->thread, NULL);
    o->threaded = false;
    th_tours_stop(o);
}

#define OBJECT "{\"type\":\"object\"}"

static const th_route routes[] = {
    {"GET", "/operations/v1/node", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_node_get, "node", "This node", NULL, OBJECT, NULL, false},
    {"GET", "/operations/v1/wall", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_wall_get, "wall", "The region now", NULL, OBJECT, NULL, false},
    {"GET", "/operations/v1/stream", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_wall_stream, "wallStream", "The region live (server-sent events)",
     NULL, "text/event-stream", NULL, false},
    {"POST", "/operations/v1/tour", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_tour_post, "beginTour", "Begin a tour (demonstration only)", NULL,
     OBJECT, NULL, false},
    {"GET", "/operations/v1/tour/{id}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_tour_get, "tour", "A tour's steps (server-sent events)", NULL,
     "text/event-stream", NULL, false},
    {"GET", "/operations/v1/beat", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_beat_get, "beat", "What this node did in the last second", NULL, OBJECT,
     NULL, true},
};

const th_route *th_operations_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_operations_schemas(void)
{
    return NULL;
}
