/* machine.c — reading the rows, and holding actions and their words against them. */
#include "kernel/cases/machine.h"

#include <stdio.h>
#include <string.h>

/* ---- names ---- */

typedef struct named {
    const char *name;
    unsigned bit;
} named;

static const named actors[] = {{"applicant", TH_BY_APPLICANT}, {"collector", TH_BY_COLLECTOR}, {"clerk", TH_BY_CLERK}, {"head", TH_BY_HEAD},
                               {"assist", TH_BY_ASSIST},       {"timer", TH_BY_TIMER},         {"node", TH_BY_NODE}};
static const named guards[] = {{"last-consult", TH_GUARD_LAST_CONSULT},   {"appeal-route", TH_GUARD_APPEAL_ROUTE},
                               {"rating", TH_GUARD_RATING},               {"bad-rating", TH_GUARD_BAD_RATING},
                               {"checked-rating", TH_GUARD_CHECKED_RATING}, {"appeal-window", TH_GUARD_APPEAL_WINDOW},
                               {"appeal-result", TH_GUARD_APPEAL_RESULT}, {"approved", TH_GUARD_APPROVED}};
static const char *const phases[] = {"collecting", "waiting", "open", "final"};
static const char *const field_kinds[] = {"text", "choice", "number", "member", "suspension"};

th_str th_by_name(unsigned by)
{
    for (size_t i = 0; i < TH_COUNT(actors); i++)
        if (by & actors[i].bit)
            return th_str_of(actors[i].name);
    return (th_str){NULL, 0};
}

unsigned th_by_parse(th_str name)
{
    for (size_t i = 0; i < TH_COUNT(actors); i++)
        if (th_str_is(name, actors[i].name))
            return actors[i].bit;
    return 0;
}

static int index_of(const char *const *names, size_t n, th_str name)
{
    for (size_t i = 0; i < n; i++)
        if (th_str_is(name, names[i]))
            return (int)i;
    return -1;
}

static bool has_words(const th_json *row, const char *key)
{
    const th_json *words = th_json_get(row, key);
    return th_json_str(words, "zh").n && th_json_str(words, "en").n;
}

/* ---- reading ---- */

static th_status wrong(const char *list, size_t i, const char *member, th_error *error)
{
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/%s/%zu/%s", list, i, member);
    return th_fail_field(error, pointer, "machine", "这一项缺失或未知", "This member is missing or unknown");
}

static th_status state_read(th_machine *m, const th_json *json, th_error *error)
{
    th_case_state *s = &m->states[m->state_count];
    int phase = index_of(phases, TH_COUNT(phases), th_json_str(json, "phase"));
    *s = (th_case_state){.id = th_json_str(json, "id"), .zh = th_json_str(json, "zh"), .en = th_json_str(json, "en"), .index = (int)m->state_count};
    if (!s->id.n || !s->zh.n || !s->en.n || th_machine_state(m, s->id))
        return wrong("states", m->state_count, "id", error);
    if (phase < 0)
        return wrong("states", m->state_count, "phase", error);
    s->phase = (th_phase)phase;
    m->state_count++;
    return TH_OK;
}

static bool bits_read(const th_json *list, const named *names, size_t n, unsigned *ret)
{
    *ret = 0;
    for (const th_json *e = th_json_first(list); e; e = th_json_next(list, e)) {
        unsigned bit = 0;
        for (size_t i = 0; i < n; i++)
            if (th_str_is(e->text, names[i].name))
                bit = names[i].bit;
        if (!bit)
            return false;
        *ret |= bit;
    }
    return true;
}

static bool field_read(const th_json *json, th_action_field *f)
{
    int kind = index_of(field_kinds, TH_COUNT(field_kinds), th_json_str(json, "type"));
    const th_json *when = th_json_get(json, "required_when"), *pair = th_json_first(when);
    *f = (th_action_field){.name = th_json_str(json, "name"),
                           .kind = (th_field_kind)kind,
                           .min = th_json_int(json, "min", 0),
                           .max = th_json_int(json, "max", 200),
                           .required = th_json_bool(json, "required", false),
                           .when_name = pair ? pair->key : (th_str){NULL, 0},
                           .when_value = pair ? pair->text : (th_str){NULL, 0},
                           .json = json};
    return kind >= 0 && f->name.n && has_words(json, "title") && (kind != TH_FIELD_CHOICE || th_json_first(th_json_get(json, "options")));
}

static bool from_read(const th_machine *m, const th_json *list, uint32_t *ret)
{
    if (!list || list->type != TH_JSON_ARRAY)
        return false;
    for (const th_json *e = th_json_first(list); e; e = th_json_next(list, e)) {
        const th_case_state *s = th_machine_state(m, e->text);
        if (!s)
            return false;
        *ret |= UINT32_C(1) << s->index;
    }
    return true;
}

static bool clock_read(const th_json *row, int *ret)
{
    const th_json *name = th_json_get(row, "clock");
    *ret = -1;
    for (int i = 0; name && i <= TH_CLOCK_REOPENED; i++)
        if (th_str_is(name->text, th_clock_event_name((th_clock_event)i)))
            *ret = i;
    return !name || *ret >= 0;
}

static th_status action_read(th_machine *m, const th_json *json, th_error *error)
{
    size_t i = m->action_count;
    th_action *a = &m->actions[i];
    const th_json *to = th_json_get(json, "to"), *fields = th_json_get(json, "fields");
    *a = (th_action){.name = th_json_str(json, "action"), .kind = th_json_str(json, "kind"), .json = json};
    if (!a->name.n || a->name.n >= TH_ACTION_TEXT || th_machine_action(m, a->name))
        return wrong("rows", i, "action", error);
    if (!a->kind.n || !has_words(json, "title") || !has_words(json, "done"))
        return wrong("rows", i, "kind", error);
    if (!from_read(m, th_json_get(json, "from"), &a->from))
        return wrong("rows", i, "from", error);
    if (to && to->type == TH_JSON_STRING && !(a->to = th_machine_state(m, to->text)))
        return wrong("rows", i, "to", error);
    if (!bits_read(th_json_get(json, "by"), actors, TH_COUNT(actors), &a->by) || !a->by)
        return wrong("rows", i, "by", error);
    if (!bits_read(th_json_get(json, "guards"), guards, TH_COUNT(guards), &a->guards))
        return wrong("rows", i, "guards", error);
    if (!clock_read(json, &a->clock))
        return wrong("rows", i, "clock", error);
    for (const th_json *f = th_json_first(fields); f; f = th_json_next(fields, f))
        if (a->field_count == TH_FIELDS_MAX || !field_read(f, &a->fields[a->field_count++]))
            return wrong("rows", i, "fields", error);
    m->action_count++;
    return TH_OK;
}

/* What the mechanism itself goes through must be in every machine. */
static th_status own_rows_check(const th_machine *m, th_error *error)
{
    static const char *const states[] = {"evidence", "handed_over", "received", "accepted", "correction", "decided", "delivered"};
    static const char *const actions[] = {"submit", "evidence", "hand-over", "receive", "deem-accept", "lapse", "answer-consult"};
    for (size_t i = 0; i < TH_COUNT(states); i++)
        if (!th_machine_state(m, th_str_of(states[i])))
            return th_failf(error, TH_INVALID, "machine", "缺少状态 %s", "The state %s is missing", states[i]);
    for (size_t i = 0; i < TH_COUNT(actions); i++)
        if (!th_machine_action(m, th_str_of(actions[i])))
            return th_failf(error, TH_INVALID, "machine", "缺少操作 %s", "The action %s is missing", actions[i]);
    return TH_OK;
}

th_status th_machine_read(th_str json, th_arena *arena, const th_machine **ret_machine, th_error *error)
{
    const th_json *root, *states, *rows;
    th_machine *m = th_alloc(arena, sizeof *m);
    th_str kept = th_str_keep(arena, json);
    if (!m || !kept.p)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_status status = th_json_parse(kept, arena, &root, error);
    if (!status && (!th_json_want_array(root, "", "states", TH_STATES_MAX, &states, error) ||
                    !th_json_want_array(root, "", "rows", TH_ROWS_OF_MACHINE_MAX, &rows, error)))
        status = TH_INVALID;
    for (const th_json *s = status ? NULL : th_json_first(states); s && !status; s = th_json_next(states, s))
        status = state_read(m, s, error);
    for (const th_json *r = status ? NULL : th_json_first(rows); r && !status; r = th_json_next(rows, r))
        status = action_read(m, r, error);
    if (!status)
        status = own_rows_check(m, error);
    if (status)
        return status;
    m->appeal = th_json_get(root, "appeal");
    *ret_machine = m;
    return TH_OK;
}

/* ---- looking up ---- */

const th_case_state *th_machine_state(const th_machine *m, th_str id)
{
    for (size_t i = 0; i < m->state_count; i++)
        if (th_str_eq(m->states[i].id, id))
            return &m->states[i];
    return NULL;
}

const th_action *th_machine_action(const th_machine *m, th_str name)
{
    for (size_t i = 0; i < m->action_count; i++)
        if (th_str_eq(m->actions[i].name, name))
            return &m->actions[i];
    return NULL;
}

const th_action *th_machine_kind(const th_machine *m, th_str kind)
{
    for (size_t i = 0; i < m->action_count; i++)
        if (th_str_eq(m->actions[i].kind, kind))
            return &m->actions[i];
    return NULL;
}

th_status th_machine_allows(const th_machine *m, const th_case_state *state, const th_action *action, th_error *error)
{
    (void)m;
    if (state ? (action->from >> state->index & 1) != 0 : action->from == 0)
        return TH_OK;
    char zh[240], en[240];
    const th_json *title = th_json_get(action->json, "title");
    snprintf(zh, sizeof zh, "办件现为“%.*s”，不能“%.*s”", TH_FMT(state ? state->zh : TH_STR("尚未提交")), TH_FMT(th_json_str(title, "zh")));
    snprintf(en, sizeof en, "The case is “%.*s”; “%.*s” cannot be done now", TH_FMT(state ? state->en : TH_STR("not submitted")),
             TH_FMT(th_json_str(title, "en")));
    return th_fail(error, TH_CONFLICT, "case-state", zh, en);
}

/* ---- what was said ---- */

static th_status field_fault(const th_action_field *f, const char *code, const char *zh, const char *en, th_error *error)
{
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/%.*s", (int)(f->name.n < 60 ? f->name.n : 60), f->name.p);
    return th_fail_field(error, pointer, code, zh, en);
}

static bool option_known(const th_action_field *f, th_str value)
{
    const th_json *options = th_json_get(f->json, "options");
    for (const th_json *o = th_json_first(options); o; o = th_json_next(options, o))
        if (th_str_eq(th_json_str(o, "value"), value))
            return true;
    return false;
}

static bool reason_known(const th_clock_rules *rules, th_str value)
{
    for (size_t i = 0; i < rules->reason_count; i++)
        if (th_str_eq(rules->reasons[i].name, value))
            return true;
    return false;
}

static th_status value_check(const th_action_field *f, const th_clock_rules *rules, const th_json *v, th_error *error)
{
    int64_t number;
    if (f->kind == TH_FIELD_NUMBER)
        return th_json_is_int(v, &number) && number >= f->min && number <= f->max
                   ? TH_OK
                   : field_fault(f, "range", "须为范围内的整数", "Must be a whole number within the range", error);
    if (v->type != TH_JSON_STRING || th_str_has_controls(v->text))
        return field_fault(f, "text", "须为不含控制字符的文字", "Must be text without control characters", error);
    if (f->kind == TH_FIELD_WORDS && v->text.n > (size_t)f->max * 4)
        return field_fault(f, "too-long", "文字过长", "Too long", error);
    if (f->kind == TH_FIELD_CHOICE && !option_known(f, v->text))
        return field_fault(f, "enum", "不在可选范围内", "Not one of the choices", error);
    if (f->kind == TH_FIELD_SUSPENSION && !reason_known(rules, v->text))
        return field_fault(f, "enum", "不是法定的中止事由", "Not a reason that the law knows", error);
    if (f->kind == TH_FIELD_MEMBER && v->text.n != 6)
        return field_fault(f, "enum", "须为成员代码", "Must be a member's code", error);
    return TH_OK;
}

th_status th_action_body_check(const th_action *a, const th_clock_rules *rules, const th_json *body, th_error *error)
{
    size_t before = error->field_count;
    for (const th_json *m = th_json_first(body); m; m = th_json_next(body, m)) {
        const th_action_field *f = NULL;
        for (size_t i = 0; i < a->field_count; i++)
            if (th_str_eq(a->fields[i].name, m->key))
                f = &a->fields[i];
        if (f)
            TH_IGNORE(value_check(f, rules, m, error));
        else
            th_fail_field(error, "", "unknown-field", "含有这一步没有的项目", "Has a member that this step does not have");
    }
    for (size_t i = 0; i < a->field_count; i++) {
        const th_action_field *f = &a->fields[i];
        const th_json *v = th_json_get_str(body, f->name), *when = f->when_name.n ? th_json_get_str(body, f->when_name) : NULL;
        bool needed = f->required || (when && th_str_eq(when->text, f->when_value));
        if (needed && (!v || (v->type == TH_JSON_STRING && !v->text.n)))
            field_fault(f, "required", "请填写此项", "This field is needed", error);
    }
    return error->field_count > before ? TH_INVALID : TH_OK;
}
