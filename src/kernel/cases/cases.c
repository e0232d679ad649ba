/* cases.c — opening, watchers, and the message types of cases. */
#include "cases-private.h"

#include <string.h>

extern const char th_cases_schema_sql[];
enum { TOPIC_QUEUE = 256 * 1024 };

const char *th_cases_schema(void)
{
    return th_cases_schema_sql;
}

static th_status types_add(th_cases *cases, th_error *error)
{
    const th_message_type types[] = {
        {.type = "case.submitted", .apply = th_case_submitted_apply, .applied = th_case_submitted_told, .ctx = cases},
        {.type = "case.event", .apply = th_case_event_apply, .applied = th_case_event_told, .ctx = cases},
        {.type = "case.request", .apply = th_case_request_apply, .applied = th_case_moved_told, .ctx = cases},
        {.type = "case.material", .apply = th_case_material_apply, .applied = th_case_moved_told, .ctx = cases},
        {.type = "case.piece", .read = th_case_piece_read, .ctx = cases},
        {.type = "case.consult", .apply = th_case_consult_apply, .ctx = cases},
    };
    for (size_t i = 0; i < TH_COUNT(types); i++)
        if (th_exchange_type_add(cases->exchange, &types[i]))
            return th_fail(error, TH_CONFLICT, "message-type", "报文类型已登记", "The message type is registered already");
    return TH_OK;
}

th_status th_cases_open(const th_cases_options *o, th_cases **ret_cases, th_error *error)
{
    th_cases *cases = th_new(sizeof *cases);
    if (!cases)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    memcpy(cases->code, o->code, TH_CODE_TEXT);
    cases->store = o->store;
    cases->writer = o->writer;
    cases->env = *o->env;
    cases->message_key = o->message_key;
    cases->exchange = o->exchange;
    cases->certificates = o->certificates;
    cases->pool = o->pool;
    cases->any_item = o->any_item;
    memcpy(cases->secret, o->secret, sizeof cases->secret);
    th_str label = TH_STR("tonghui/v1/cases");
    th_hash seal = th_hmac(o->secret, &label, 1);
    memcpy(cases->seal_key, seal.b, sizeof cases->seal_key);
    th_arena_open(&cases->arena, 512u << 20);
    pthread_mutex_init(&cases->lock, NULL);
    th_status status = th_calendar_read(th_str_keep(&cases->arena, o->calendar), &cases->arena, &cases->calendar, error);
    if (!status)
        status = th_clock_rules_read(th_str_keep(&cases->arena, o->clocks), &cases->arena, &cases->rules, error);
    th_case_count_basis(cases, o->calendar, o->clocks);
    if (!status)
        status = th_clock_terms_read(cases->rules, NULL, &cases->law_terms, error);
    if (!status)
        status = th_machine_read(o->machine, &cases->arena, &cases->machine, error);
    if (!status)
        status = th_items_load(cases, o->items, o->item_count, error);
    if (!status)
        status = th_topic_open(TOPIC_QUEUE, &cases->topic);
    if (!status)
        status = types_add(cases, error);
    if (status)
        th_cases_close(cases);
    else
        *ret_cases = cases;
    return status;
}

const th_calendar *th_cases_calendar(const th_cases *cases)
{
    return cases->calendar;
}

const th_clock_rules *th_cases_clock_rules(const th_cases *cases)
{
    return cases->rules;
}

void th_cases_close(th_cases *cases)
{
    if (!cases)
        return;
    if (cases->topic)
        th_topic_close(cases->topic);
    th_evidence_drop(cases);
    th_arena_close(&cases->arena);
    pthread_mutex_destroy(&cases->lock);
    th_free(cases);
}

th_status th_cases_watch(th_cases *cases, th_case_watcher watcher, void *ctx)
{
    th_status status = TH_TOO_LARGE;
    pthread_mutex_lock(&cases->lock);
    if (cases->watcher_count < TH_CASE_WATCHERS_MAX) {
        cases->watchers[cases->watcher_count].watcher = watcher;
        cases->watchers[cases->watcher_count++].ctx = ctx;
        status = TH_OK;
    }
    pthread_mutex_unlock(&cases->lock);
    return status;
}

void th_cases_on_deferral(th_cases *cases, th_case_deferral deferral, void *ctx)
{
    cases->deferral = deferral;
    cases->deferral_ctx = ctx;
}

th_status th_cases_remark(th_cases *cases, th_db *db, th_str case_id, th_str kind, th_str json, th_arena *arena, th_error *error)
{
    th_case c;
    th_case_event event = {.kind = kind, .json = json, .at_us = th_now_us(&cases->env)};
    th_status status = th_case_get(cases, db, case_id, arena, &c, error);
    if (!status)
        status = th_case_note(cases, db, &c, &event, arena, error);
    return status ? status : th_case_event_send(cases, db, &c, c.origin, &event, error);
}

th_status th_cases_on_event(th_cases *cases, th_case_effect effect, void *ctx)
{
    if (cases->effect_count == TH_CASE_WATCHERS_MAX)
        return TH_TOO_LARGE;
    cases->effects[cases->effect_count].effect = effect;
    cases->effects[cases->effect_count++].ctx = ctx;
    return TH_OK;
}

/* Subscribers of the topic learn only which case moved; what it says they ask for with their own rights. */
void th_case_told(th_cases *cases, th_str case_id, th_str event_json)
{
    th_arena arena;
    for (size_t i = 0; i < cases->watcher_count; i++)
        cases->watchers[i].watcher(cases->watchers[i].ctx, case_id, event_json);
    th_arena_open(&arena, 4096);
    th_str json = th_strf(&arena, "{\"case\":\"%.*s\"}", TH_FMT(case_id));
    if (json.p)
        th_topic_publish_for(cases->topic, case_id, "case", json);
    th_arena_close(&arena);
}
