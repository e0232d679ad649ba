/* up-private.h — what making and running a whole region on one machine share. */
#ifndef TH_NODE_UP_PRIVATE_H
#define TH_NODE_UP_PRIVATE_H
#include "node/cmd.h"

enum { TH_UP_MAX = 16, TH_UP_WORDS = 512 };

typedef struct th_up_node {
    char code[TH_CODE_TEXT], dir[TH_PATH_TEXT];
    char zh[128], en[128];
    char portal[256];
    uint16_t portal_port, peer_port;
    th_suite suite;
    int pid;
    int64_t restart_at_us;
    int restarts;
} th_up_node;

typedef struct th_up {
    const th_args *args;
    const char *dir, *region, *console, *store, *front;
    int64_t people, seed, port_base, life;
    th_arena arena;
    const th_json *root; /* region.json of the region's folder */
    th_up_node nodes[TH_UP_MAX];
    size_t n;
} th_up;

/* up_make.c */
TH_MUST_USE th_status th_up_make(th_up *up, th_error *error);  /* first use: keys, trust, people, registers */
bool th_up_is_made(const th_up *up);
#endif
