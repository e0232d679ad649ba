/* act.c — what people do with a case. At its owner: one step of the fold, one event, and everybody concerned hears. Elsewhere: a request to
 * the owner, noted here until the owner's event or refusal comes back. */
#include "cases-private.h"

#include <string.h>

unsigned th_case_by(const th_cases *cases, const th_case *c, const th_who *who)
{
    bool owner = th_str_is(c->owner, cases->code), origin = th_str_is(c->origin, cases->code);
    unsigned by = 0;
    if (who->subject.n && c->subject.n && th_str_eq(who->subject, c->subject))
        by |= TH_BY_APPLICANT;
    if ((who->roles & (TH_ROLE_CLERK | TH_ROLE_HEAD)) && owner)
        by |= TH_BY_CLERK;
    if ((who->roles & TH_ROLE_HEAD) && owner)
        by |= TH_BY_HEAD;
    if ((who->roles & TH_ROLE_CLERK) && origin)
        by |= TH_BY_COLLECTOR;
    return by;
}

/* ---- the event's words ---- */

static th_status event_compose(th_acting *a, const th_case *c, th_error *error)
{
    th_buf buf;
    th_buf_open(&buf, a->arena, 32 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "kind", a->action->kind);
    th_pen_kstr(&pen, "by", th_by_name(a->by));
    if (a->request[0])
        th_pen_ktext(&pen, "request", a->request);
    for (const th_json *m = th_json_first(a->body); m; m = th_json_next(a->body, m)) {
        th_pen_key_str(&pen, m->key);
        th_pen_raw(&pen, m->raw);
    }
    if (th_str_is(a->action->name, "consult")) {
        char id[TH_ID_TEXT];
        th_uuid7(&a->cases->env, id);
        th_pen_ktext(&pen, "consult", id);
    }
    /* A refusal that does not say where to appeal is none: the item's route, or the region's. */
    if ((a->action->guards & TH_GUARD_APPEAL_ROUTE) && th_str_is(th_json_str(a->body, "outcome"), "refused")) {
        const th_case_item *item = th_case_item_of(a->cases, c);
        const th_json *route = item ? th_json_get(item->json, "appeal") : NULL;
        if (!route)
            route = a->cases->machine->appeal;
        if (!route)
            return th_fail(error, TH_UNPROCESSABLE, "appeal-route", "不予决定须告知复议与诉讼途径，而本事项没有",
                           "A refusal must name the route of appeal, and this item has none");
        th_pen_kraw(&pen, "appeal", route->raw);
    }
    th_pen_end(&pen, '}');
    a->event_json = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : th_fail(error, TH_TOO_LARGE, "too-long", "内容过长", "Too long");
}

/* ---- at the owner ---- */

static th_status effects_run(th_acting *a, th_db *db, const th_case *c, const th_case_event *event, th_error *error)
{
    const th_json *secret, *body;
    th_status status = TH_OK;
    if (!a->cases->effect_count)
        return TH_OK;
    status = th_case_secret_open(a->cases, c->id, c->secret, a->arena, &secret, error);
    if (!status)
        status = th_json_parse(event->json, a->arena, &body, error);
    th_case_brief brief = {.id = th_str_of(c->id), .number = c->number, .item = c->item, .item_then = th_case_item_of(a->cases, c), .origin = c->origin,
                           .subject = c->subject, .outcome = c->outcome, .state = c->state->id, .at_us = event->at_us, .secret = secret};
    for (size_t i = 0; !status && i < a->cases->effect_count; i++)
        status = a->cases->effects[i].effect(a->cases->effects[i].ctx, db, &brief, event->kind, body, a->arena, error);
    return status;
}

/* Nothing is granted while a paper is still on its way or was let follow later and has not come. */
static th_status papers_check(th_db *db, const th_case *c, th_arena *arena, th_error *error)
{
    const th_value *row;
    th_value key = th_v_text(th_str_of(c->id));
    th_status status = th_db_one(db, "SELECT COUNT(*) FROM cases_material WHERE case_id = ?1 AND state <> 'here'", &key, 1, arena, &row, error);
    if (!status && row[0].i)
        status = th_fail(error, TH_CONFLICT, "materials-missing", "还有容缺或未到齐的材料，不能准予", "Papers are still to follow; it cannot be granted yet");
    return status;
}

th_status th_act_owned(th_acting *a, th_db *db, th_case *c, th_error *error)
{
    th_fold *fold = th_alloc(a->arena, sizeof *fold);
    if (!fold)
        return TH_NO_MEMORY;
    th_status status = th_case_fold(a->cases, db, c, a->arena, fold, error);
    if (!status && a->action->clock == TH_CLOCK_DECIDED && th_str_is(th_json_str(a->body, "outcome"), "approved"))
        status = papers_check(db, c, a->arena, error);
    if (!status)
        status = event_compose(a, c, error);
    th_case_event event = {.kind = a->action->kind, .actor = a->account, .json = a->event_json, .at_us = th_now_us(&a->cases->env),
                           .by = a->by};
    if (event.at_us <= fold->last_us) /* a clock that was set back must not reorder what happened */
        event.at_us = fold->last_us + 1;
    if (!status)
        status = th_case_append(a->cases, db, c, fold, &event, error);
    if (!status && th_str_is(c->owner, a->cases->code)) /* before the hand-over nobody else has heard of the case */
        status = th_case_event_send(a->cases, db, c, c->origin, &event, error);
    if (!status)
        status = effects_run(a, db, c, &event, error);
    if (!status && th_str_is(a->action->name, "consult"))
        status = th_consult_send(a, db, c, error);
    return status;
}

/* ---- elsewhere ---- */

static th_status request_send(th_acting *a, th_db *db, const th_case *c, th_error *error)
{
    const th_json *secret;
    th_buf buf;
    th_status status = th_case_secret_open(a->cases, c->id, c->secret, a->arena, &secret, error);
    if (status)
        return status;
    th_buf_open(&buf, a->arena, TH_LINE_MAX - 2048);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "case", c->id);
    th_pen_ktext(&pen, "request", a->request);
    th_pen_kstr(&pen, "action", a->action->name);
    th_pen_kstr(&pen, "by", th_by_name(a->by));
    th_pen_kstr(&pen, "id_number", th_json_str(secret, "id_number"));
    th_pen_kraw(&pen, "body", a->body->raw);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "too-long", "内容过长", "Too long");
    return th_outbox_put(a->cases->exchange, db, c->owner, "case.request", th_str_of(c->id), c->item, th_str_of(c->id), (th_str){NULL, 0},
                         th_buf_view(&buf), error);
}

th_status th_act_requested(th_acting *a, th_db *db, th_case *c, th_error *error)
{
    bool fresh;
    if (!(a->action->by & a->by))
        return th_fail(error, TH_FORBIDDEN, "not-yours-to-do", "这一步不由您办理", "This step is not yours to do");
    th_status status = th_machine_allows(a->cases->machine, c->state, a->action, error);
    if (status)
        return status;
    th_uuid7(&a->cases->env, a->request);
    a->event_json = th_strf(a->arena, "{\"kind\":\"requested\",\"action\":\"%.*s\",\"by\":\"%.*s\",\"request\":\"%s\"}",
                            TH_FMT(a->action->name), TH_FMT(th_by_name(a->by)), a->request);
    th_case_event event = {.kind = TH_STR("requested"), .actor = a->account, .json = a->event_json, .at_us = th_now_us(&a->cases->env)};
    c->updated_us = event.at_us;
    status = th_case_copy(a->cases, db, c, &event, &fresh, error);
    return status ? status : request_send(a, db, c, error);
}

/* ---- the door ---- */

typedef struct knocking {
    th_acting a;
    th_str case_id;
    const th_who *who;
} knocking;

static th_status act_write(void *ctx, th_db *db, th_error *error)
{
    knocking *k = ctx;
    th_case c;
    th_acting *a = &k->a;
    th_status status = th_case_get(a->cases, db, k->case_id, a->arena, &c, error);
    if (status)
        return status;
    unsigned by = th_case_by(a->cases, &c, k->who);
    bool owner = th_str_is(c.owner, a->cases->code), before = c.state->phase == TH_PHASE_COLLECTING;
    if (!by)
        return th_fail(error, TH_NOT_FOUND, "no-case", "没有这个办件", "There is no such case");
    if (!(a->action->by & by))
        return !owner && (k->who->roles & TH_ROLE_CLERK)
                   ? th_fail(error, TH_FORBIDDEN, "not-the-owner", "该办件由另一节点决定", "Another node decides this case")
                   : th_fail(error, TH_FORBIDDEN, "not-yours-to-do", "这一步不由您办理", "This step is not yours to do");
    a->by = a->action->by & by;
    /* Until it is handed over, the node where it was started writes it. */
    status = owner || before ? th_act_owned(a, db, &c, error) : th_act_requested(a, db, &c, error);
    /* Whoever withdraws ends every agreement given for the case at once, whatever the owner will say. */
    if (!status && th_str_is(a->action->name, "withdraw"))
        status = th_consents_end(a->cases, db, &c, th_now_us(&a->cases->env), a->arena, error);
    return status;
}

th_status th_cases_act(th_cases *cases, th_str case_id, th_str action, th_str json, const th_who *who, th_error *error)
{
    th_arena arena;
    th_error local = {0};
    if (!error)
        error = &local;
    const th_action *known = th_machine_action(cases->machine, action);
    if (!known || (known->by & (TH_BY_NODE | TH_BY_TIMER | TH_BY_ASSIST)))
        return th_fail(error, TH_NOT_FOUND, "no-action", "没有这个操作", "There is no such action");
    th_arena_open(&arena, 8u << 20);
    knocking k = {.a = {.cases = cases, .action = known, .account = who->account, .arena = &arena}, .case_id = case_id, .who = who};
    th_status status = th_json_parse(json.n ? json : TH_STR("{}"), &arena, &k.a.body, error);
    if (!status)
        status = th_action_body_check(known, cases->rules, k.a.body, error);
    if (!status)
        status = th_cases_write(cases, act_write, &k, error);
    if (!status)
        th_case_told(cases, case_id, k.a.event_json);
    th_arena_close(&arena);
    return status;
}
