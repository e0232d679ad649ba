/* budget.c — guessing costs tries: mismatches are counted per caller and person, and per caller. Memory only: a restart forgives.
 * A caller is a member, whose key signed: which of its offices asks is the member's own word, and must not buy new tries.
 *
 * So many mismatches about one person within a window lock that caller out for that person, for a while; so many a minute in all lock the
 * caller out of the register for the rest of the minute, whomever it asks about. */
#include "records-private.h"

#include <stdio.h>
#include <string.h>

enum { PROBES = 8 };

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* A subject key narrows a caller to one person. */
static uint64_t who_of(const th_message *m, const th_register *reg, const uint8_t *key)
{
    uint64_t h = mix(UINT64_C(0xcbf29ce484222325), m->from, strlen(m->from));
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
            if (now - s->since_us > window && now >= s->until_us)
                *s = (th_budget_slot){who, now, 0, 0};
            return s;
        }
        /* A lock is kept longer than a count. */
        if (!oldest || (s->until_us > now ? s->until_us : s->since_us) < (oldest->until_us > now ? oldest->until_us : oldest->since_us))
            oldest = s;
    }
    if (!make)
        return NULL;
    *oldest = (th_budget_slot){who, now, 0, 0};
    return oldest;
}

static int seconds_left(int64_t until_us, int64_t now)
{
    return (int)((until_us - now + TH_SECOND_US - 1) / TH_SECOND_US);
}

bool th_budget_allows(th_records *records, const th_register *reg, const th_message *m, const uint8_t key[TH_RECORD_KEY], int *ret_retry_s)
{
    int64_t now = th_now_us(records->options.env);
    bool allowed = true;
    pthread_mutex_lock(&records->lock);
    const th_budget_slot *subject = slot_of(records, who_of(m, reg, key), false, now, reg->subject_window_us);
    const th_budget_slot *caller = slot_of(records, who_of(m, reg, NULL), false, now, TH_MINUTE_US);
    if (subject && subject->until_us > now) {
        allowed = false;
        *ret_retry_s = seconds_left(subject->until_us, now);
    } else if (caller && caller->count >= reg->caller_mismatches) {
        allowed = false;
        *ret_retry_s = seconds_left(caller->since_us + TH_MINUTE_US, now);
    }
    pthread_mutex_unlock(&records->lock);
    return allowed;
}

void th_budget_mismatch(th_records *records, const th_register *reg, const th_message *m, const uint8_t key[TH_RECORD_KEY])
{
    int64_t now = th_now_us(records->options.env);
    pthread_mutex_lock(&records->lock);
    th_budget_slot *subject = slot_of(records, who_of(m, reg, key), true, now, reg->subject_window_us);
    th_budget_slot *caller;
    bool locked = ++subject->count >= reg->subject_mismatches;
    if (locked)
        subject->until_us = now + reg->subject_lock_us;
    caller = slot_of(records, who_of(m, reg, NULL), true, now, TH_MINUTE_US);
    bool stopped = ++caller->count == reg->caller_mismatches;
    pthread_mutex_unlock(&records->lock);
    if (locked || stopped) {
        char name[65];
        snprintf(name, sizeof name, "%.*s", TH_FMT(reg->name));
        th_metric_add(th_counter("tonghui_verify_locked_total", "Callers locked out of verifying", locked ? "by=\"person\"" : "by=\"caller\""), 1);
        th_log(TH_LOG_WARN, "verify-locked", "by", locked ? "person" : "caller", "from", m->from, "register", name, NULL);
    }
}
