/* clock.c — the fold: each event moves the clock or is refused; looking at it brings the days up to now. */
#include "kernel/cases/clock.h"

static const char *const event_names[] = {"received", "correct", "supplied", "accepted", "suspended", "resumed",
                                          "extended", "decided", "delivered", "ended", "reopened"};
static const char *const state_names[] = {"nothing", "waiting", "correcting", "running", "standing", "stopped", "done", "gone"};

const char *th_clock_event_name(th_clock_event event)
{
    return event_names[event];
}

static th_status refused(th_error *error, const char *type, const char *zh, const char *en)
{
    return th_fail(error, TH_CONFLICT, type, zh, en);
}

/* ---- counting in the item's unit ---- */

static int32_t due_of(const th_clock_in *in, const th_clock *clock, int budget, bool *provisional)
{
    int n = budget + (clock->extended ? in->terms->extend_days : 0) + clock->excluded;
    return in->terms->unit == TH_UNIT_NATURAL ? th_calendar_add_natural(in->calendar, clock->start_day, n, provisional)
                                              : th_calendar_add(in->calendar, clock->start_day, n, provisional);
}

/* Days of the item's unit among (from, to]. */
static int32_t between(const th_clock_in *in, int32_t from, int32_t to)
{
    return in->terms->unit == TH_UNIT_NATURAL ? to - from : th_calendar_between(in->calendar, from, to);
}

/* What standing still from its notice until `day` (when the clock runs again) takes off: the notice's days and the reason's budget bound it;
 * a clock that had run out before the notice gains nothing. */
static int32_t standing_excludes(const th_clock_in *in, const th_clock *clock, int32_t day)
{
    bool provisional;
    if (clock->standing_since > due_of(in, clock, in->terms->statutory_days, &provisional))
        return 0;
    int32_t days = between(in, clock->standing_since - 1, day - 1);
    if (days < 0)
        days = 0;
    return days < clock->standing_days ? days : clock->standing_days;
}

/* ---- silence ---- */

/* Five days without a word: accepted, from the day of receipt (or of the supply). */
static void silence(const th_clock_in *in, th_clock *clock, int32_t today)
{
    bool provisional;
    if (clock->state != TH_CLOCK_WAITING || today <= th_limit_due(in->calendar, in->rules->correction, clock->receipt_day, false, &provisional))
        return;
    th_clock_deem(clock);
}

/* ---- events ---- */

static th_status begin(th_clock *clock, int32_t day, th_error *error)
{
    if (clock->state != TH_CLOCK_NOTHING)
        return refused(error, "already-received", "已经收件", "Received already");
    clock->state = TH_CLOCK_WAITING;
    clock->receipt_day = day;
    return TH_OK;
}

static th_status correct(const th_clock_in *in, th_clock *clock, int32_t day, th_error *error)
{
    if (in->recorded && !clock->told && clock->state == TH_CLOCK_RUNNING && clock->deemed) { /* it was in time when it was told */
        clock->state = TH_CLOCK_WAITING;
        clock->deemed = false;
        clock->start_day = 0;
    }
    if (clock->told)
        return refused(error, "correction-already-told", "补正只能一次告知，已经告知过", "What is missing may be told once, and was");
    if (clock->state == TH_CLOCK_RUNNING && clock->deemed)
        return refused(error, "correction-too-late", "逾期未告知补正，自收到材料之日起已视为受理",
                       "Not told in time: accepted by silence from the day of receipt");
    if (clock->state != TH_CLOCK_WAITING)
        return refused(error, clock->state == TH_CLOCK_NOTHING ? "clock-not-received" : "already-accepted", "现在不能告知补正",
                       "A correction cannot be asked for now");
    clock->told = true;
    clock->told_day = day;
    clock->state = TH_CLOCK_CORRECTING;
    return TH_OK;
}

static th_status supplied(th_clock *clock, int32_t day, th_error *error)
{
    if (clock->state != TH_CLOCK_CORRECTING)
        return refused(error, "not-in-correction", "没有待补正的材料", "Nothing is waiting to be supplied");
    clock->state = TH_CLOCK_WAITING;
    clock->receipt_day = day;
    return TH_OK;
}

static th_status accepted(th_clock *clock, int32_t day, th_error *error)
{
    if (clock->state == TH_CLOCK_RUNNING && clock->deemed)
        return TH_OK; /* the written receipt comes late (or does by the days as they are known now): the clock has been running since the law said so */
    if (clock->state != TH_CLOCK_WAITING)
        return refused(error,
                       clock->state == TH_CLOCK_NOTHING      ? "clock-not-received"
                       : clock->state == TH_CLOCK_CORRECTING ? "not-supplied"
                                                             : "already-accepted",
                       "现在不能受理", "It cannot be accepted now");
    clock->state = TH_CLOCK_RUNNING;
    clock->start_day = day;
    return TH_OK;
}

static th_status reason_find(const th_clock_in *in, th_str reason, int *ret_rule, int *ret_most, th_error *error)
{
    for (size_t i = 0; i < in->rules->reason_count; i++) {
        if (!th_str_eq(in->rules->reasons[i].name, reason))
            continue;
        *ret_rule = (int)i;
        *ret_most = in->rules->reasons[i].days;
        if (!in->terms->special_count)
            return TH_OK;
        for (int k = 0; k < in->terms->special_count; k++)
            if (in->terms->special[k].rule == (int)i) {
                *ret_most = in->terms->special[k].days;
                return TH_OK;
            }
    }
    return refused(error, "suspension-reason", "不是法定的、或本事项可用的中止事由", "Not a reason that the law or this item knows");
}

static th_status suspended(const th_clock_in *in, th_clock *clock, int32_t day, th_str reason, int days, th_error *error)
{
    int rule = 0, most = 0;
    if (clock->state != TH_CLOCK_RUNNING)
        return refused(error, clock->state == TH_CLOCK_STANDING ? "already-suspended" : "not-accepted", "现在不能中止计时", "The clock cannot be stopped now");
    th_status status = reason_find(in, reason, &rule, &most, error);
    if (status)
        return status;
    int left = most > clock->taken[rule] ? most - clock->taken[rule] : 0; /* by another calendar it may have taken more than it had */
    if (days < 1 || (!in->recorded && days > left))
        return th_failf(error, TH_CONFLICT, "suspension-days", "须书面告知所需天数，本事由还可用 %d 天", "Say the days needed; this reason has %d left", left);
    clock->state = TH_CLOCK_STANDING;
    clock->standing_since = day;
    clock->standing_reason = (int8_t)rule;
    clock->standing_days = (int16_t)days;
    return TH_OK;
}

static th_status resumed(const th_clock_in *in, th_clock *clock, int32_t day, th_error *error)
{
    if (clock->state != TH_CLOCK_STANDING)
        return refused(error, "not-suspended", "没有中止计时", "The clock was not stopped");
    int32_t took = standing_excludes(in, clock, day);
    clock->taken[clock->standing_reason] = (int16_t)(clock->taken[clock->standing_reason] + took);
    clock->excluded += took;
    clock->state = TH_CLOCK_RUNNING;
    clock->standing_since = 0;
    return TH_OK;
}

static th_status extended(const th_clock_in *in, th_clock *clock, int32_t day, th_error *error)
{
    bool provisional;
    if (clock->state != TH_CLOCK_RUNNING)
        return refused(error, clock->state == TH_CLOCK_STANDING ? "suspended" : "not-accepted", "现在不能延长", "It cannot be extended now");
    if (clock->extended || !in->terms->extend_days)
        return refused(error, "already-extended", "只能延长一次", "It may be extended once only");
    if (!in->recorded && day > due_of(in, clock, in->terms->statutory_days, &provisional))
        return refused(error, "extension-too-late", "期限已过，不能延长", "The limit has passed; it can no longer be extended");
    clock->extended = true;
    return TH_OK;
}

static th_status decided(th_clock *clock, int32_t day, th_error *error)
{
    if (clock->state != TH_CLOCK_RUNNING)
        return refused(error,
                       clock->state == TH_CLOCK_STANDING  ? "suspended"
                       : clock->state == TH_CLOCK_STOPPED ? "already-decided"
                                                          : "not-accepted",
                       "现在不能作出决定", "It cannot be decided now");
    clock->state = TH_CLOCK_STOPPED;
    clock->decided_day = day;
    return TH_OK;
}

static th_status delivered(th_clock *clock, int32_t day, th_error *error)
{
    if (clock->state != TH_CLOCK_STOPPED)
        return refused(error, "not-decided", "尚未决定，或已送达", "Not decided, or delivered already");
    clock->state = TH_CLOCK_DONE;
    clock->delivered_day = day;
    return TH_OK;
}

static th_status ended(th_clock *clock, th_error *error)
{
    if (clock->state == TH_CLOCK_NOTHING || clock->state >= TH_CLOCK_STOPPED)
        return refused(error, clock->state == TH_CLOCK_NOTHING ? "clock-not-received" : "already-decided", "已经办结", "It has ended already");
    clock->state = TH_CLOCK_GONE;
    return TH_OK;
}

static th_status reopened(th_clock *clock, int32_t day, th_error *error)
{
    if (clock->state != TH_CLOCK_STOPPED && clock->state != TH_CLOCK_DONE)
        return refused(error, "not-decided", "尚未决定", "Not decided yet");
    *clock = (th_clock){.state = TH_CLOCK_RUNNING, .told = true, .receipt_day = clock->receipt_day, .told_day = clock->told_day, .start_day = day};
    return TH_OK;
}

th_status th_clock_step(const th_clock_in *in, th_clock *clock, th_clock_event event, int64_t at_us, th_str reason, int days, th_error *error)
{
    int32_t day = th_day_of(at_us);
    silence(in, clock, day);
    switch (event) {
    case TH_CLOCK_RECEIVED:
        return begin(clock, day, error);
    case TH_CLOCK_CORRECT:
        return correct(in, clock, day, error);
    case TH_CLOCK_SUPPLIED:
        return supplied(clock, day, error);
    case TH_CLOCK_ACCEPTED:
        return accepted(clock, day, error);
    case TH_CLOCK_SUSPENDED:
        return suspended(in, clock, day, reason, days, error);
    case TH_CLOCK_RESUMED:
        return resumed(in, clock, day, error);
    case TH_CLOCK_EXTENDED:
        return extended(in, clock, day, error);
    case TH_CLOCK_DECIDED:
        return decided(clock, day, error);
    case TH_CLOCK_DELIVERED:
        return delivered(clock, day, error);
    case TH_CLOCK_ENDED:
        return ended(clock, error);
    case TH_CLOCK_REOPENED:
        return reopened(clock, day, error);
    }
    return refused(error, "clock-event", "没有这种事件", "There is no such event");
}

void th_clock_deem(th_clock *clock)
{
    if (clock->state != TH_CLOCK_WAITING)
        return;
    clock->state = TH_CLOCK_RUNNING;
    clock->deemed = true;
    clock->start_day = clock->receipt_day;
}

/* ---- looking ---- */

void th_clock_look(const th_clock_in *in, th_clock *clock, int64_t now_us)
{
    bool a = false, b = false, c = false;
    int32_t today = th_day_of(now_us);
    silence(in, clock, today);
    clock->next_due = 0;
    clock->provisional = false;
    if (clock->state == TH_CLOCK_WAITING)
        clock->next_due = th_limit_due(in->calendar, in->rules->correction, clock->receipt_day, false, &a);
    else if (clock->state == TH_CLOCK_CORRECTING)
        clock->next_due = th_limit_due(in->calendar, in->rules->supply, clock->told_day, false, &a);
    else if (clock->state == TH_CLOCK_STOPPED)
        clock->next_due = th_limit_due(in->calendar, in->rules->deliver, clock->decided_day, false, &a);
    clock->provisional = a;
    if (!clock->start_day)
        return;
    th_clock as_if = *clock; /* a standing clock: what its days would be if it ran again today */
    if (clock->state == TH_CLOCK_STANDING)
        as_if.excluded += standing_excludes(in, clock, today + 1);
    clock->statutory_due = due_of(in, &as_if, in->terms->statutory_days, &b);
    clock->promised_due = due_of(in, &as_if, in->terms->promised_days, &c);
    clock->provisional = a || b || c;
    int32_t until = clock->state >= TH_CLOCK_STOPPED && clock->decided_day ? clock->decided_day : today;
    clock->spent_days = between(in, clock->start_day, until) - as_if.excluded;
    if (clock->spent_days < 0)
        clock->spent_days = 0;
    int more = clock->extended ? in->terms->extend_days : 0;
    clock->left_days = in->terms->statutory_days + more - clock->spent_days;
    int promised = in->terms->promised_days + more;
    clock->load_percent = promised ? clock->spent_days * 100 / promised : clock->spent_days ? 100 : 0;
    if (clock->state == TH_CLOCK_RUNNING || clock->state == TH_CLOCK_STANDING)
        clock->next_due = clock->statutory_due;
}

static void day_member(th_pen *pen, const char *key, int32_t day)
{
    char text[TH_DAY_TEXT];
    if (!day)
        return;
    th_day_text(day, text);
    th_pen_ktext(pen, key, text);
}

void th_clock_write(const th_clock_in *in, const th_clock *clock, th_pen *pen)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "state", state_names[clock->state]);
    th_pen_kbool(pen, "deemed", clock->deemed);
    th_pen_kbool(pen, "extended", clock->extended);
    day_member(pen, "received", clock->receipt_day);
    day_member(pen, "start", clock->start_day);
    day_member(pen, "promised_due", clock->promised_due);
    day_member(pen, "statutory_due", clock->statutory_due);
    day_member(pen, "decided", clock->decided_day);
    day_member(pen, "delivered", clock->delivered_day);
    day_member(pen, "next_due", clock->next_due);
    if (clock->start_day) {
        th_pen_kint(pen, "spent_days", clock->spent_days);
        th_pen_kint(pen, "left_days", clock->left_days);
        th_pen_kint(pen, "excluded_days", clock->excluded);
        th_pen_kint(pen, "load_percent", clock->load_percent);
    }
    th_pen_kbool(pen, "provisional", clock->provisional);
    if (clock->state == TH_CLOCK_STANDING) {
        th_pen_key(pen, "standing");
        th_pen_object(pen);
        th_pen_kstr(pen, "reason", in->rules->reasons[clock->standing_reason].name);
        day_member(pen, "since", clock->standing_since);
        th_pen_kint(pen, "days", clock->standing_days);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, '}');
}

/* ---- renewal ---- */

th_renewal th_clock_renewal(const th_clock_in *in, int32_t applied, int32_t expiry, int32_t decided, int32_t today)
{
    th_renewal r = {.apply_by = expiry - in->rules->renewal->days};
    r.in_time = applied <= r.apply_by;
    r.deemed = r.in_time && today > expiry && (!decided || decided > expiry);
    return r;
}
