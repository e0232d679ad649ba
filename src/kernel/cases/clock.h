/* clock.h — the statutory clock of a case, folded from its events.
 *
 * The clock starts on the day after acceptance and counts what the item's terms say (working or calendar days). It stands still for the
 * reasons that the law names, no longer than was told in writing; it is extended at most once, before it has run out. Not accepting in
 * time is accepting. Everything is a function of calendar, rules, terms and events: the same events give the same clock.
 * Promises  An event that may not happen changes nothing and is TH_CONFLICT, with one of: already-received, clock-not-received,
 *           correction-already-told, correction-too-late, not-in-correction, not-supplied, already-accepted, not-accepted,
 *           already-suspended, not-suspended, suspended, suspension-reason, suspension-days (beyond what the item or the law
 *           allows), already-extended, extension-too-late, already-decided, not-decided.
 * Choices   The day of the notice that stops the clock does not count, the day it runs again does. What a reason took beyond its days counts.
 *           After a supply the five days begin anew, and silence again is acceptance, from the day of the supply.
 * Threads   Plain values. Nothing allocates but reading the rules.
 * Source    行政许可法 §26, 32, 42–45, 47, 48, 50, 82; region/<region>/clocks.json.
 */
#ifndef TH_CASES_CLOCK_H
#define TH_CASES_CLOCK_H
#include "kernel/cases/calendar.h"
#include "platform/base/json.h"

/* ---- rules: what the law says, read once ---- */

enum { TH_LIMITS_MAX = 32, TH_REASONS_MAX = 16 };
typedef enum th_unit { TH_UNIT_WORKING, TH_UNIT_NATURAL, TH_UNIT_MONTH } th_unit;

typedef struct th_limit {
    th_str name;
    int days, extend; /* extend 0 = never */
    th_unit unit;
    const th_json *json; /* title, law, illustrative */
} th_limit;
typedef struct th_reason {
    th_str name;
    int days; /* at most, all notices of one case together */
    const th_json *json;
} th_reason;
typedef struct th_clock_rules {
    th_limit limits[TH_LIMITS_MAX];
    size_t limit_count;
    th_reason reasons[TH_REASONS_MAX];
    size_t reason_count;
    const th_limit *correction, *supply, *decision, *joint, *deliver, *renewal; /* of the above; all are there */
} th_clock_rules;
TH_MUST_USE th_status th_clock_rules_read(th_str json, th_arena *arena, const th_clock_rules **ret_rules, th_error *error);
const th_limit *th_limit_find(const th_clock_rules *rules, const char *name); /* NULL when there is none */
/* The last day of a limit that began on `start`; `extended` adds its extension. */
int32_t th_limit_due(const th_calendar *calendar, const th_limit *limit, int32_t start, bool extended, bool *ret_provisional);

/* ---- terms: what one item says ---- */

typedef struct th_clock_terms {
    int statutory_days, promised_days; /* promised ≤ statutory */
    int extend_days;                   /* 0 = no extension for this item */
    th_unit unit;                      /* of the days of decision */
    struct { int8_t rule; int16_t days; } special[TH_REASONS_MAX]; /* rule: index of the reason; days at most */
    int special_count;                 /* 0 = any reason of the law, with the law's days */
} th_clock_terms;
/* From an item's members {"statutory_days", "promised_days", "extend_days", "day_unit", "joint": […], "special": [{"reason", "days"}]}:
 * days that the item does not say are those of the law, for joint handling those of joint handling. TH_INVALID with the pointer. */
TH_MUST_USE th_status th_clock_terms_read(const th_clock_rules *rules, const th_json *item, th_clock_terms *ret_terms, th_error *error);

/* ---- the clock ---- */

typedef enum th_clock_event {
    TH_CLOCK_RECEIVED,   /* by the office that decides, or by the collecting window where the agreement says that its stamp counts */
    TH_CLOCK_CORRECT,    /* told once what is missing */
    TH_CLOCK_SUPPLIED,
    TH_CLOCK_ACCEPTED,
    TH_CLOCK_SUSPENDED,  /* reason, days */
    TH_CLOCK_RESUMED,
    TH_CLOCK_EXTENDED,
    TH_CLOCK_DECIDED,
    TH_CLOCK_DELIVERED,
    TH_CLOCK_ENDED,      /* withdrawn, terminated, out of scope */
    TH_CLOCK_REOPENED,   /* a decision was set aside: a new clock, as from acceptance that day */
} th_clock_event;
const char *th_clock_event_name(th_clock_event event); /* "received" … */

typedef enum th_clock_state {
    TH_CLOCK_NOTHING, TH_CLOCK_WAITING /* for acceptance */, TH_CLOCK_CORRECTING, TH_CLOCK_RUNNING, TH_CLOCK_STANDING, TH_CLOCK_STOPPED /* decided */,
    TH_CLOCK_DONE, TH_CLOCK_GONE /* ended */,
} th_clock_state;

typedef struct th_clock {
    th_clock_state state;
    bool deemed;        /* accepted by silence */
    bool told;          /* the one correction is used */
    bool extended;
    int32_t receipt_day, told_day, start_day /* acceptance */, decided_day, delivered_day;
    int32_t standing_since;
    int8_t standing_reason;           /* index of the rules' reasons */
    int16_t standing_days;            /* told for this notice */
    int16_t taken[TH_REASONS_MAX];    /* working days that each reason has taken off */
    int32_t excluded;                 /* working (or calendar) days that did not count, so far */
    int32_t statutory_due, promised_due; /* of a standing clock: if it ran again now */
    int32_t next_due;                 /* whatever is due next: telling or accepting, supplying, deciding, delivering; 0 = nothing */
    int spent_days, left_days;        /* of the statutory budget; left < 0 = overdue */
    int load_percent;                 /* spent of the promised budget: warn from 70, red from 100 */
    bool provisional;                 /* some due day lies in an unpublished year */
} th_clock;

typedef struct th_clock_in { /* what a clock is a function of, besides events */
    const th_calendar *calendar;
    const th_clock_rules *rules;
    const th_clock_terms *terms;
    bool recorded; /* what is stepped has happened: it is not held against limits again, which another calendar may put elsewhere */
} th_clock_in;

/* Apply one event. `reason` and `days` are for TH_CLOCK_SUSPENDED. Silence is noticed first: a clock five days without an answer is running
 * when the event comes. On TH_CONFLICT the clock is as it was. */
TH_MUST_USE th_status th_clock_step(const th_clock_in *in, th_clock *clock, th_clock_event event, int64_t at_us, th_str reason, int days,
                                    th_error *error);
/* A waiting clock is taken as accepted by silence, on the word of a recorded event. */
void th_clock_deem(th_clock *clock);
/* Bring the derived members (due days, spent, left, silence) to `now`. After the last step; may be called again at any later time. */
void th_clock_look(const th_clock_in *in, th_clock *clock, int64_t now_us);
/* {"state","deemed","extended","start","promised_due","statutory_due","next_due","spent_days","left_days","excluded_days","load_percent",
 * "provisional","standing":{"reason","since","days"}} — one object on the pen. */
void th_clock_write(const th_clock_in *in, const th_clock *clock, th_pen *pen);

/* Renewal: applied for on `applied`, a licence that is valid up to and including `expiry`. */
typedef struct th_renewal {
    int32_t apply_by;   /* last day to apply in time */
    bool in_time;
    bool deemed;        /* in time, and not decided by the end of `expiry`: renewed, when looked at after it */
} th_renewal;
th_renewal th_clock_renewal(const th_clock_in *in, int32_t applied, int32_t expiry, int32_t decided /* 0 = not */, int32_t today);
#endif
