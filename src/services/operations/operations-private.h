/* operations-private.h — what the files of this part share. `lock` guards beats, minutes and tours. */
#ifndef TH_OPERATIONS_PRIVATE_H
#define TH_OPERATIONS_PRIVATE_H
#include "services/operations/operations.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    TH_BEAT_SAMPLES = 512,
    TH_MINUTES = 1440,
    TH_TOURS_MAX = 8,
    TH_ROBOT_MAX = 64,
    TH_BEAT_FRESH_US = 5000000,
};

/* What one node did, as it told. Counts are of the last whole second. */
typedef struct th_beat {
    char code[TH_CODE_TEXT];
    int64_t at_us; /* when it was heard, by our clock; 0 = never */
    int64_t verifies, messages, faults, p50_us, p99_us, outbox, head_size;
    struct { char to[TH_CODE_TEXT]; int64_t count; } flows[TH_MEMBERS_MAX];
    size_t flow_count;
} th_beat;

typedef struct th_minute {
    int64_t minute; /* since 1970 */
    int64_t messages, verifies, faults;
} th_minute;

typedef struct th_tour {
    char id[TH_ID_TEXT];
    th_operations *operations;
    th_topic *topic;
    pthread_t thread;
    _Atomic bool running;
    bool joinable;
    int64_t begun_us;
} th_tour;

struct th_operations {
    th_operations_options options;
    char code[TH_CODE_TEXT];
    char *region_dir;
    th_arena arena; /* region.json */
    const th_json *region;
    th_topic *topic;
    th_client *client;
    pthread_t thread;
    bool threaded;
    _Atomic bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t bell;
    th_beat own_now;  /* counting */
    th_beat beats[TH_MEMBERS_MAX]; /* [0] is our own last second */
    size_t beat_count;
    int64_t samples[TH_BEAT_SAMPLES];
    size_t sample_count;
    th_minute minutes[TH_MINUTES];
    int64_t opened_us;
    int64_t minute_saved; /* the beating thread's */
    th_tour tours[TH_TOURS_MAX];
    int64_t tours_begun;
    struct { char case_id[TH_ID_TEXT]; int64_t due_us; int step; } robot[TH_ROBOT_MAX];
    size_t robot_count;
    uint64_t random;
    int64_t life_credit_us;
    atomic_int polling, life_open, life_per_minute;
};

/* beat.c */
void th_beat_watch(void *ctx, const char *event, th_str json);
void th_beat_turn(th_operations *operations, int64_t now_us); /* a second is over */
void th_beat_poll(th_operations *operations);
void th_beat_write(th_pen *pen, const th_beat *beat);
th_handled th_beat_get(th_request *rq);
/* gauges.c */
int64_t th_gauges_set(th_operations *operations, int64_t now_us); /* returns how many effects wait in the outbox */
/* wall.c */
th_handled th_wall_get(th_request *rq);
th_handled th_wall_stream(th_request *rq);
th_handled th_node_get(th_request *rq);
void th_wall_publish(th_operations *operations, int64_t now_us);
/* minutes.c */
TH_MUST_USE th_status th_minutes_load(th_operations *operations, th_error *error);
void th_minutes_turn(th_operations *operations, int64_t now_us);
/* tour.c */
bool th_tour_there(const th_operations *operations); /* a demonstration whose region plans a tour that can be played */
th_handled th_tour_post(th_request *rq);
th_handled th_tour_get(th_request *rq);
void th_tours_stop(th_operations *operations);
/* life.c */
void th_life_tick(th_operations *operations, int64_t now_us);
void th_life_case_event(void *ctx, th_str case_id, th_str event_json);
uint64_t th_life_random(th_operations *operations);
#define TH_ROBOT_NOTE "模拟 simulated"
#endif
