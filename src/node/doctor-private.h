/* doctor-private.h — one examination, shared by its two halves: what is wrong at home, and what is wrong between members. */
#ifndef TH_NODE_DOCTOR_PRIVATE_H
#define TH_NODE_DOCTOR_PRIVATE_H
#include "node/cmd.h"

typedef struct th_exam {
    const th_args *args;
    const char *dir;
    th_config config;
    th_store *store; /* NULL until it could be opened */
    th_trust *trust; /* NULL until there is one */
    th_arena arena;
    th_pen pen; /* of the JSON report */
    th_buf buf;
    int checks, faults;
} th_exam;

/* One finding. The words say what is wrong and how to put it right; they are shown only when it is wrong. */
void th_exam_say(th_exam *x, const char *check, bool ok, th_str zh, th_str en);
void th_exam_region(th_exam *x); /* doctor_region.c */
#endif
