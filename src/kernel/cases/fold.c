/* fold.c — guards and effects of one event. */
#include "kernel/cases/fold.h"

#include <string.h>

static th_status refused(th_error *error, const char *type, const char *zh, const char *en)
{
    return th_fail(error, TH_CONFLICT, type, zh, en);
}

/* ---- guards ---- */

static bool past(const th_fold_in *in, const th_limit *limit, int32_t from, int64_t at_us)
{
    bool provisional;
    return limit && from && th_day_of(at_us) > th_limit_due(in->clock.calendar, limit, from, false, &provisional);
}

/* Held against a step that is to be taken; what is recorded was in time when it was. */
static bool too_late(const th_fold_in *in, const th_limit *limit, int32_t from, int64_t at_us)
{
    return !in->clock.recorded && past(in, limit, from, at_us);
}

static th_status rating_guard(const th_fold_in *in, const th_fold *fold, const th_action *a, const th_fold_event *event, th_error *error)
{
    bool bad = fold->rating == 1 || fold->rating == 2;
    if (a->guards & TH_GUARD_RATING) {
        if (fold->ratings >= 2)
            return refused(error, "already-rated", "已经评价并修改过一次", "Rated already, and amended once");
        if (too_late(in, in->rate, fold->ended_day, event->at_us))
            return refused(error, "rating-late", "已过评价期限", "The time for rating is over");
    }
    if ((a->guards & TH_GUARD_BAD_RATING) && (!bad || fold->rating_checked))
        return refused(error, "no-bad-rating", "没有待核实的差评", "There is no bad rating to look into");
    if ((a->guards & TH_GUARD_CHECKED_RATING) && (!bad || !fold->rating_checked || fold->rating_rectified))
        return refused(error, "rating-not-checked", "差评须先核实；已整改的不再重复", "A bad rating is looked into first, and put right once");
    return TH_OK;
}

static th_status guards_check(const th_fold_in *in, const th_fold *fold, const th_action *a, const th_fold_event *event, th_error *error)
{
    th_status status = rating_guard(in, fold, a, event, error);
    if (status)
        return status;
    if ((a->guards & TH_GUARD_APPROVED) && strcmp(fold->outcome, "approved") != 0)
        return refused(error, "not-approved", "只有准予的决定可以撤销或注销", "Only an approval can be revoked or cancelled");
    if ((a->guards & TH_GUARD_APPEAL_WINDOW) && too_late(in, in->reconsideration, fold->ended_day, event->at_us) &&
        !th_json_str(event->body, "late_reason").n)
        return th_fail_field(error, "/late_reason", "appeal-late", "已过六十日申请期限，请说明逾期的正当理由",
                             "The sixty days are over; say why it is late");
    if ((a->guards & TH_GUARD_LAST_CONSULT) && fold->answered >= fold->asked)
        return refused(error, "no-open-consult", "没有待答复的征求意见", "No office was asked that has not answered");
    if ((a->by & TH_BY_TIMER) && th_str_is(a->name, "lapse") && !in->clock.recorded &&
        !past(in, in->clock.rules->supply, fold->clock.told_day, event->at_us))
        return refused(error, "not-yet", "补正期限未到", "The time to supply is not over");
    return TH_OK;
}

/* ---- effects ---- */

static th_status clock_apply(const th_fold_in *in, th_fold *fold, const th_action *a, const th_fold_event *event, th_error *error)
{
    int64_t at = event->at_us;
    if (a->by & TH_BY_TIMER && th_str_is(a->name, "deem-accept")) {
        if (in->clock.recorded)
            th_clock_deem(&fold->clock);
        th_clock_look(&in->clock, &fold->clock, at);
        return fold->clock.deemed ? TH_OK : refused(error, "not-yet", "告知补正的期限未到", "The time to tell what is missing is not over");
    }
    if (a->clock < 0 || (a->clock == TH_CLOCK_ENDED && fold->clock.state == TH_CLOCK_NOTHING)) /* ended before any clock began */
        return TH_OK;
    if (a->clock == TH_CLOCK_RECEIVED) /* the collecting window's stamp counts */
        at = th_json_int(event->body, "stamp_us", at);
    return th_clock_step(&in->clock, &fold->clock, (th_clock_event)a->clock, at, th_json_str(event->body, "reason"),
                         (int)th_json_int(event->body, "days", 0), error);
}

static void outcome_set(th_fold *fold, th_str outcome)
{
    if (outcome.n >= sizeof fold->outcome)
        return;
    memset(fold->outcome, 0, sizeof fold->outcome);
    if (outcome.n)
        memcpy(fold->outcome, outcome.p, outcome.n);
}

static th_status appeal_decided(const th_fold_in *in, th_fold *fold, const th_fold_event *event, th_error *error)
{
    th_str result = th_json_str(event->body, "result");
    if (th_str_is(result, "revoke")) {
        fold->state = th_machine_state(in->machine, TH_STR("accepted"));
        outcome_set(fold, (th_str){"", 0});
        return th_clock_step(&in->clock, &fold->clock, TH_CLOCK_REOPENED, event->at_us, (th_str){NULL, 0}, 0, error);
    }
    fold->state = fold->before;
    if (th_str_is(result, "change"))
        outcome_set(fold, th_json_str(event->body, "outcome"));
    return TH_OK;
}

static th_status state_apply(const th_fold_in *in, th_fold *fold, const th_action *a, const th_fold_event *event, th_error *error)
{
    th_str outcome = th_json_str(event->body, "outcome");
    if (a->guards & TH_GUARD_APPEAL_RESULT)
        return appeal_decided(in, fold, event, error);
    if (th_str_is(a->name, "consult"))
        fold->asked++;
    if (a->guards & TH_GUARD_LAST_CONSULT && ++fold->answered < fold->asked)
        return TH_OK;
    if (a->guards & TH_GUARD_RATING) {
        fold->rating = (int)th_json_int(event->body, "level", 0);
        fold->ratings++;
    }
    fold->rating_checked = fold->rating_checked || (a->guards & TH_GUARD_BAD_RATING);
    fold->rating_rectified = fold->rating_rectified || (a->guards & TH_GUARD_CHECKED_RATING);
    if (a->guards & TH_GUARD_APPEAL_WINDOW) {
        fold->before = fold->state;
        fold->appealed = true;
        fold->appeal_late = past(in, in->reconsideration, fold->ended_day, event->at_us);
    }
    if (a->clock == TH_CLOCK_DECIDED)
        outcome_set(fold, outcome);
    if (a->clock == TH_CLOCK_DECIDED || a->clock == TH_CLOCK_ENDED)
        fold->ended_day = th_day_of(event->at_us);
    if (a->to)
        fold->state = a->to;
    return TH_OK;
}

void th_fold_chain(th_fold *fold, const th_fold_event *event)
{
    char at[TH_TIME_TEXT];
    th_time_utc(event->at_us, at);
    th_str parts[] = {{(const char *)fold->chain.b, TH_HASH_SIZE}, event->kind, TH_STR("\n"), th_str_of(at), TH_STR("\n"), event->json};
    fold->chain = th_hash_of(TH_SUITE_ED25519, parts, TH_COUNT(parts));
    fold->count++;
    fold->last_us = event->at_us;
}

th_status th_fold_step(const th_fold_in *in, th_fold *fold, const th_fold_event *event, th_error *error)
{
    th_fold next = *fold;
    const th_action *a = th_machine_kind(in->machine, event->kind);
    if (a) {
        th_status status = th_machine_allows(in->machine, fold->state, a, error);
        if (!status && event->by && !(a->by & event->by))
            status = th_fail(error, TH_FORBIDDEN, "not-yours-to-do", "这一步不由您办理", "This step is not yours to do");
        if (!status)
            status = guards_check(in, &next, a, event, error);
        if (!status)
            status = clock_apply(in, &next, a, event, error);
        if (!status)
            status = state_apply(in, &next, a, event, error);
        if (status)
            return status;
    }
    th_fold_chain(&next, event);
    *fold = next;
    return TH_OK;
}

/* ---- what comes by itself ---- */

int64_t th_fold_due_us(const th_fold_in *in, const th_fold *fold, int64_t now_us)
{
    th_clock clock = fold->clock;
    if (!fold->state || clock.state == TH_CLOCK_NOTHING)
        return 0;
    th_clock_look(&in->clock, &clock, now_us);
    return clock.next_due ? th_day_end_us(clock.next_due) : 0;
}

int64_t th_fold_timer(const th_fold_in *in, const th_fold *fold, const char **ret_action)
{
    bool provisional;
    if (!fold->state)
        return 0;
    if (fold->clock.state == TH_CLOCK_WAITING) {
        *ret_action = "deem-accept";
        return th_day_end_us(th_limit_due(in->clock.calendar, in->clock.rules->correction, fold->clock.receipt_day, false, &provisional));
    }
    if (fold->clock.state == TH_CLOCK_CORRECTING) {
        *ret_action = "lapse";
        return th_day_end_us(th_limit_due(in->clock.calendar, in->clock.rules->supply, fold->clock.told_day, false, &provisional));
    }
    return 0;
}
