/* act.c — what people at a node do with a case: accept, decide, deliver, withdraw. One transition of the table each, as one event. */
#include "cases-private.h"

#include <string.h>

typedef struct acting {
    th_cases *cases;
    th_str case_id, action, json, account;
    const th_who *who;
    const th_json *body;
    th_arena *arena;
    th_str event_json;
} acting;

static const struct { const char *action, *kind; } kinds[] = {
    {"accept", "accepted"}, {"decide", "decided"}, {"deliver", "delivered"}, {"withdraw", "withdrawn"}};

/* A refusal says why and by which law; a withdrawal says why. */
static th_status words_check(const acting *a, th_error *error)
{
    static const char *const members[] = {"note", "outcome", "reason", "law", NULL};
    th_str text;
    if (!th_json_only(a->body, "", members, error))
        return TH_INVALID;
    if (th_str_is(a->action, "decide")) {
        if (!th_json_want_str(a->body, "", "outcome", 16, &text, error))
            return TH_INVALID;
        bool refused = th_str_is(text, "refused");
        if (!refused && !th_str_is(text, "approved"))
            return th_fail_field(error, "/outcome", "enum", "须为 approved 或 refused", "Must be approved or refused");
        if (refused && (!th_json_want_str(a->body, "", "reason", TH_NOTE_MAX, &text, error) ||
                        !th_json_want_str(a->body, "", "law", TH_NOTE_MAX, &text, error)))
            return TH_INVALID;
    }
    if (th_str_is(a->action, "withdraw") && !th_json_want_str(a->body, "", "reason", TH_NOTE_MAX, &text, error))
        return TH_INVALID;
    for (const th_json *m = th_json_first(a->body); m; m = th_json_next(a->body, m))
        if (m->type != TH_JSON_STRING || m->text.n > TH_NOTE_MAX * 4 || th_str_has_controls(m->text))
            return th_fail_field(error, "", "text", "说明须为不含控制字符的文字", "Words must be text without control characters");
    return TH_OK;
}

static th_status right_check(const acting *a, const th_case *c, th_error *error)
{
    bool owner_here = th_str_is(c->owner, a->cases->code);
    if (th_str_is(a->action, "withdraw")) {
        bool applicant = a->who->subject.n && th_str_eq(a->who->subject, c->subject);
        if (!applicant && !(a->who->roles & TH_ROLE_CLERK))
            return th_fail(error, TH_FORBIDDEN, "not-yours", "只有申请人可以撤回", "Only the applicant may withdraw");
        return TH_OK;
    }
    if (!owner_here)
        return th_fail(error, TH_FORBIDDEN, "not-the-owner", "该办件由另一节点决定", "Another node decides this case");
    if (!(a->who->roles & TH_ROLE_CLERK))
        return th_fail(error, TH_FORBIDDEN, "role", "须由经办人员办理", "A clerk must do this");
    return TH_OK;
}

static const char *kind_of(th_str action)
{
    for (size_t i = 0; i < TH_COUNT(kinds); i++)
        if (th_str_is(action, kinds[i].action))
            return kinds[i].kind;
    return NULL;
}

static th_status act_write(void *ctx, th_db *db, th_error *error)
{
    acting *a = ctx;
    th_case c;
    th_case_state next;
    char action[16] = "";
    int64_t now = th_now_us(&a->cases->env);
    const char *kind = kind_of(a->action);
    th_status status = th_case_get(db, a->case_id, a->arena, &c, error);
    if (!status)
        status = right_check(a, &c, error);
    if (status)
        return status;
    memcpy(action, a->action.p, a->action.n);
    status = th_case_transition(c.state, action, &next, error);
    if (status)
        return status;
    bool known_there = c.state != TH_CASE_EVIDENCE; /* before the hand-over the other node has never heard of the case */
    th_case_event event = {.kind = th_str_of(kind), .actor = a->who->account, .json = a->event_json, .at_us = now};
    c.state = next;
    th_str outcome = th_json_str(a->body, "outcome");
    if (outcome.n)
        c.outcome = outcome;
    status = th_case_event_put(a->cases, db, c.id, &event, NULL, error);
    if (!status)
        status = th_case_state_set(db, c.id, next, outcome.n ? outcome : (th_str){NULL, 0}, c.due_us, now, error);
    /* The other copy: the owner tells the origin, and the origin (a withdrawal) tells the owner. */
    th_str other = th_str_is(c.owner, a->cases->code) ? c.origin : c.owner;
    if (!status && known_there)
        status = th_case_event_send(a->cases, db, &c, other, &event, error);
    if (!status && next == TH_CASE_WITHDRAWN)
        status = th_consents_end(a->cases, db, &c, now, a->arena, error);
    return status;
}

th_status th_cases_act(th_cases *cases, th_str case_id, th_str action, th_str json, const th_who *who, th_error *error)
{
    th_arena arena;
    th_error local = {0};
    acting a = {.cases = cases, .case_id = case_id, .action = action, .json = json.n ? json : TH_STR("{}"), .who = who,
                .arena = &arena};
    const char *kind = kind_of(action);
    if (!error)
        error = &local;
    if (!kind || action.n >= 16)
        return th_fail(error, TH_NOT_FOUND, "no-action", "没有这个操作", "There is no such action");
    th_arena_open(&arena, 4u << 20);
    th_status status = th_json_parse(a.json, &arena, &a.body, error);
    if (!status)
        status = words_check(&a, error);
    if (!status) {
        th_buf buf;
        th_buf_open(&buf, &arena, 16 * 1024);
        th_pen pen = th_pen_on(&buf);
        th_pen_object(&pen);
        th_pen_ktext(&pen, "kind", kind);
        for (const th_json *m = th_json_first(a.body); m; m = th_json_next(a.body, m)) {
            th_pen_key_str(&pen, m->key);
            th_pen_str(&pen, m->text);
        }
        th_pen_end(&pen, '}');
        a.event_json = th_buf_view(&buf);
        status = th_buf_ok(&buf) ? th_cases_write(cases, act_write, &a, error) : TH_TOO_LARGE;
    }
    if (!status)
        th_case_told(cases, case_id, a.event_json);
    th_arena_close(&arena);
    return status;
}
