/* clock.c — the queue of events: a binary heap by time and order of making, so that equal times keep one order for ever. */
#include "sim.h"

#include <string.h>

static bool before(const sim_event *a, const sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(sim_event *a, sim_event *b)
{
    sim_event kept = *a;
    *a = *b;
    *b = kept;
}

void sim_after(sim *s, int64_t delay_us, sim_step step, void *ctx, uint64_t tag)
{
    sim_queue *q = &s->queue;
    if (q->n == q->room) {
        size_t room = q->room ? 2 * q->room : 256;
        sim_event *heap = th_new(room * sizeof *heap);
        TH_ASSERT(heap != NULL);
        if (q->n)
            memcpy(heap, q->heap, q->n * sizeof *heap);
        th_free(q->heap);
        q->heap = heap;
        q->room = room;
    }
    size_t i = q->n++;
    q->heap[i] = (sim_event){s->now_us + (delay_us > 0 ? delay_us : 0), q->order++, step, ctx, tag};
    for (; i && before(&q->heap[i], &q->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&q->heap[i], &q->heap[(i - 1) / 2]);
}

bool sim_queue_next(sim_queue *q, sim_event *ret_event)
{
    if (!q->n)
        return false;
    *ret_event = q->heap[0];
    q->heap[0] = q->heap[--q->n];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t k = left; k < left + 2 && k < q->n; k++)
            if (before(&q->heap[k], &q->heap[least]))
                least = k;
        if (least == i)
            return true;
        swap(&q->heap[i], &q->heap[least]);
        i = least;
    }
}

void sim_queue_close(sim_queue *q)
{
    th_free(q->heap);
    *q = (sim_queue){0};
}
