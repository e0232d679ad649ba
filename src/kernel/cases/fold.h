/* fold.h — the state of a case is what its events say: one pure step an event.
 *
 * Promises  A step that may not happen is TH_CONFLICT (or TH_INVALID with the pointer of the missing word) and changes nothing. The same events
 *           give the same fold, byte for byte, wherever and whenever they are folded: rows of cases_case are only its copy for lists.
 * Threads   Plain values; nothing allocates.
 * Source    region/<region>/cases.json, clocks.json.
 */
#ifndef TH_CASES_FOLD_H
#define TH_CASES_FOLD_H
#include "kernel/cases/machine.h"
#include "platform/crypto/crypto.h"

typedef struct th_fold_in {
    const th_machine *machine;
    th_clock_in clock; /* `recorded` in it: the events are being folded again, not taken */
    const th_limit *rate, *reconsideration; /* windows after the end; NULL = none */
} th_fold_in;

typedef struct th_fold {
    const th_case_state *state;  /* NULL before the first event */
    const th_case_state *before; /* where reconsideration left from */
    char outcome[12];            /* "", "approved", "refused" */
    th_clock clock;
    int asked, answered;         /* offices */
    int rating, ratings;         /* 1…5; how often said */
    bool rating_checked, rating_rectified, appealed, appeal_late;
    int32_t ended_day;           /* decided or declined: windows run from here */
    int64_t count, last_us;
    th_hash chain;               /* over every event, in order */
} th_fold;

typedef struct th_fold_event {
    th_str kind;
    unsigned by;
    int64_t at_us;
    th_str json;          /* exact bytes, for the chain */
    const th_json *body;  /* the same, read */
} th_fold_event;

/* Kinds that are no action of the machine (a material came, a request is on its way) only lengthen the chain. */
TH_MUST_USE th_status th_fold_step(const th_fold_in *in, th_fold *fold, const th_fold_event *event, th_error *error);
/* The chain alone, for copies that follow another's fold. */
void th_fold_chain(th_fold *fold, const th_fold_event *event);
/* When the next timer fires (microseconds; 0 = none), and which action it is. */
int64_t th_fold_timer(const th_fold_in *in, const th_fold *fold, const char **ret_action);
/* What is due next, end of that day in Shanghai; 0 = nothing. */
int64_t th_fold_due_us(const th_fold_in *in, const th_fold *fold, int64_t now_us);
#endif
