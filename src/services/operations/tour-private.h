/* tour-private.h — what the steps of a tour share. */
#ifndef TH_TOUR_PRIVATE_H
#define TH_TOUR_PRIVATE_H
#include "operations-private.h"

typedef struct playing {
    th_tour *tour;
    th_operations *o;
    th_arena arena;
    int step;
    char case_id[TH_ID_TEXT];
    th_str id_number;     /* of the invented person */
    const th_json *shown; /* the case as last seen */
    th_str own_zh, own_en;
} playing;

typedef struct words {
    const char *zh, *en;
} words;

/* Tell the visitors one step. `crossed` and `looks` are JSON arrays, `proof` a receipt; each may be absent. */
void th_tour_step(playing *p, const char *state, words title, words text, th_str crossed, const words *kept, size_t kept_n, th_str proof,
                  th_str looks);
/* {label, from, to, json} of a message and of its answer, absent when this node does not have them. */
th_str th_tour_lines(playing *p, th_str message_id, th_str from, th_str to);
/* tour_looks.c: the last step */
void th_tour_looks(playing *p);
#endif
