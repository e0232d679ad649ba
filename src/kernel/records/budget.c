/* budget.c — guessing costs tries: mismatches are counted per caller and person, and per caller. Memory only: a restart forgives. */
#include "records-private.h"

#include <string.h>

enum { PROBES = 8 };

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* A caller is a member's office; a subject key narrows it to one person. */
static uint64_t who_of(const th_message *m, const th_register *reg, const uint8_t *key)
{
    uint64_t h = mix(UINT64_C(0xcbf29ce484222325), m->from, strlen(m->from));
    h = mix(h, m->office.p, m->office.n);
    h = mix(h, reg->name.p, reg->name.n);
    if (key)
        h = mix(h, key, TH_RECORD_KEY);
    return h | 1;
}

static th_budget_slot *slot_of(th_records *records, uint64_t who, bool make, int64_t now, int64_t window)
{
    th_budget_slot *oldest = NULL;
    for (uint64_t i = 0; i < PROBES; i++) {
        th_budget_slot *s = &records->budget[((who >> 16) + i) & (TH_BUDGET_SLOTS - 1)];
        if (s->who == who) {
            if (now - s->since_us > window)
                *s = (th_budget_slot){who, now, 0};
            return s;
        }
        if (!oldest || s->since_us < oldest->since_us)
            oldest = s;
    }
    if (!make)
        return NULL;
    *oldest = (th_budget_slot){who, now, 0};
    return oldest;
}

bool th_budget_allows(th_records *records, const th_register *reg, const th_message *m, const uint8_t key[TH_RECORD_KEY])
{
    int64_t now = th_now_us(records->options.env);
    pthread_mutex_lock(&records->lock);
    const th_budget_slot *subject = slot_of(records, who_of(m, reg, key), false, now, TH_HOUR_US);
    const th_budget_slot *caller = slot_of(records, who_of(m, reg, NULL), false, now, TH_MINUTE_US);
    bool allowed = (!subject || subject->count < reg->subject_mismatches) && (!caller || caller->count < reg->caller_mismatches);
    pthread_mutex_unlock(&records->lock);
    return allowed;
}

void th_budget_mismatch(th_records *records, const th_register *reg, const th_message *m, const uint8_t key[TH_RECORD_KEY])
{
    int64_t now = th_now_us(records->options.env);
    pthread_mutex_lock(&records->lock);
    slot_of(records, who_of(m, reg, key), true, now, TH_HOUR_US)->count++;
    slot_of(records, who_of(m, reg, NULL), true, now, TH_MINUTE_US)->count++;
    pthread_mutex_unlock(&records->lock);
}
