/* up-private.h — what making and running a whole region on one machine share. */
#ifndef TH_NODE_UP_PRIVATE_H
#define TH_NODE_UP_PRIVATE_H
/* `up` speaks both languages to whoever started it, whatever was chosen. */
#define TH_BOTH(text) text, text
#include "node/cmd.h"

enum { TH_UP_MAX = 16 };

typedef struct th_up_node {
    char code[TH_CODE_TEXT], dir[TH_PATH_TEXT];
    char zh[128], en[128];
    char portal[256];
    uint16_t portal_port, peer_port;
    th_suite suite;
    int pid;
    int64_t started_us;
    int pause_s; /* before the next restart; grows while it falls again and again */
    int64_t restart_at_us;
} th_up_node;

typedef struct th_up {
    const th_args *args;
    char dir[TH_PATH_TEXT], region[TH_PATH_TEXT], console[TH_PATH_TEXT]; /* console "" = none */
    const char *store, *front;
    int64_t people, seed, port_base, life;
    th_arena arena;
    const th_json *root; /* region.json of the region's folder */
    th_up_node nodes[TH_UP_MAX];
    size_t n;
    th_str lists[2]; /* signed by all, made when the first node knows its items */
    int lock_fd;
} th_up;

/* up_make.c */
TH_MUST_USE th_status th_up_make(th_up *up, th_error *error); /* first use: keys, trust, people, registers */
bool th_up_is_made(const th_up *up);
/* An option that only counts when a region is made differs from what this one was made with: TH_CONFLICT, with the remedy. */
TH_MUST_USE th_status th_up_same(const th_up *up, th_error *error);

/* up_guard.c: what would go wrong later, found before anything starts. */
TH_MUST_USE th_status th_up_lock(th_up *up, th_error *error); /* one `up` a directory */
TH_MUST_USE th_status th_up_ports(const th_up *up, th_error *error);

/* up_greet.c */
void th_up_greet(const th_up *up, int64_t took_us);
#endif
