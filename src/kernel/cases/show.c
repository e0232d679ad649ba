/* show.c — a case as people see it: the timeline, evidence beside what was claimed, and what the viewer may do next. */
#include "cases-private.h"

#include <string.h>

/* Events that are no action of the machine. */
static const struct { const char *kind, *zh, *en; } words[] = {
    {"consent_revoked", "申请人撤回了一项同意", "The applicant took back an agreement"},
    {"material", "已提交材料", "A paper was handed in"},
    {"material_replaced", "材料被更换；此为原材料", "A paper gave way to another; this is the earlier one"},
    {"material_deferred", "一份材料容缺，待补", "A paper will follow later"},
    {"credit", "信用名单的效果", "What credit lists mean here"},
    {"requested", "已向决定机关提出请求", "Asked the deciding office"},
    {"recounted", "工作日安排公布，期限已重新计算", "The working days were published; the days were counted again"},
    {"request_refused", "决定机关未接受该请求", "The deciding office did not take up the request"},
};

static void kind_words(const th_cases *cases, th_pen *pen, th_str kind)
{
    const th_action *action = th_machine_kind(cases->machine, kind);
    const th_json *done = action ? th_json_get(action->json, "done") : NULL, *law = action ? th_json_get(action->json, "law") : NULL;
    if (done) {
        th_pen_kstr(pen, "zh", th_json_str(done, "zh"));
        th_pen_kstr(pen, "en", th_json_str(done, "en"));
    }
    if (law)
        th_pen_kraw(pen, "law", law->raw);
    for (size_t i = 0; !done && i < TH_COUNT(words); i++)
        if (th_str_is(kind, words[i].kind)) {
            th_pen_ktext(pen, "zh", words[i].zh);
            th_pen_ktext(pen, "en", words[i].en);
        }
}

/* What it is called on paper, where it has a letter. */
static void letter_words(const th_cases *cases, th_pen *pen, th_str kind, th_str json, th_arena *arena)
{
    const th_action *action = th_machine_kind(cases->machine, kind);
    const th_json *detail;
    if (!action || !th_json_get(action->json, "letters") || th_json_parse(json, arena, &detail, NULL))
        return;
    const th_json *letter = th_letter_of(action, detail);
    if (!letter)
        return;
    th_pen_key(pen, "letter");
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", th_json_str(letter, "zh"));
    th_pen_kstr(pen, "en", th_json_str(letter, "en"));
    th_pen_end(pen, '}');
}

static void place_write(th_cases *cases, th_pen *pen, const char *key, th_str code)
{
    th_trust *trust = th_exchange_trust(cases->exchange);
    const th_member *m = trust ? th_trust_member(trust, code) : NULL;
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_kstr(pen, "code", code);
    th_pen_kstr(pen, "zh", m ? m->name_zh : code);
    th_pen_kstr(pen, "en", m ? m->name_en : code);
    th_pen_end(pen, '}');
    th_trust_release(trust);
}

static th_status events_write(th_cases *cases, th_db *db, const th_case *c, th_arena *arena, th_pen *pen, th_error *error)
{
    th_rows rows;
    th_value key = th_v_text(th_str_of(c->id));
    th_status status = th_db_select(db, "SELECT seq, node, at, kind, json, message FROM cases_event WHERE case_id = ?1 ORDER BY at, seq",
                                    &key, 1, arena, &rows, error);
    if (status)
        return status;
    th_pen_key(pen, "events");
    th_pen_array(pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_pen_object(pen);
        th_pen_kint(pen, "seq", row[0].i);
        th_pen_ktime(pen, "at", row[2].i);
        place_write(cases, pen, "node", row[1].s);
        th_pen_kstr(pen, "kind", row[3].s);
        kind_words(cases, pen, row[3].s);
        letter_words(cases, pen, row[3].s, row[4].s, arena);
        th_pen_kraw(pen, "detail", row[4].s);
        th_pen_kstr(pen, "message", row[5].s);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    return TH_OK;
}

static void evidence_title(const th_case_item *item, th_str id, th_pen *pen)
{
    for (size_t i = 0; item && i < item->evidence_count; i++)
        if (th_str_eq(item->evidence[i].id, id)) {
            th_pen_key(pen, "title");
            th_pen_object(pen);
            th_pen_kstr(pen, "zh", item->evidence[i].title_zh);
            th_pen_kstr(pen, "en", item->evidence[i].title_en);
            th_pen_end(pen, '}');
            return;
        }
}

static th_status evidence_write(th_cases *cases, th_db *db, const th_case *c, const th_case_item *item, th_arena *arena, th_pen *pen,
                                th_error *error)
{
    th_rows rows;
    th_value key = th_v_text(th_str_of(c->id));
    th_status status = th_db_select(db,
                                    "SELECT evidence, provider, register, state, results, message, receipt, problem, answered_at, "
                                    "attempts, consent, revoked_at FROM cases_evidence WHERE case_id = ?1 ORDER BY evidence",
                                    &key, 1, arena, &rows, error);
    if (status)
        return status;
    th_pen_key(pen, "evidence");
    th_pen_array(pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        bool unreachable = th_str_is(row[3].s, "waiting") && row[9].i > 0;
        th_pen_object(pen);
        th_pen_kstr(pen, "id", row[0].s);
        evidence_title(item, row[0].s, pen);
        place_write(cases, pen, "provider", row[1].s);
        th_pen_kstr(pen, "register", row[2].s);
        th_pen_kstr(pen, "state", unreachable ? TH_STR("unreachable") : row[3].s);
        if (row[4].s.n)
            th_pen_kraw(pen, "results", row[4].s);
        th_pen_kstr(pen, "message", row[5].s);
        if (row[6].s.n)
            th_pen_kraw(pen, "receipt", row[6].s);
        th_pen_kstr(pen, "problem", row[7].s);
        th_pen_ktime(pen, "at", row[8].i);
        if (row[10].s.n) {
            th_pen_key(pen, "consent");
            th_pen_object(pen);
            th_pen_ktime(pen, "revoked", row[11].i);
            th_pen_end(pen, '}');
        }
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    return TH_OK;
}

static th_status materials_write(th_db *db, const th_case *c, const th_case_item *item, th_arena *arena, th_pen *pen, th_error *error)
{
    th_rows rows;
    const th_json *needed = item ? th_json_get(item->json, "materials") : NULL;
    th_value key = th_v_text(th_str_of(c->id));
    th_status status = th_db_select(db, "SELECT code, name, mime, size, sha256, state, at FROM cases_material WHERE case_id = ?1 ORDER BY code", &key,
                                    1, arena, &rows, error);
    if (status)
        return status;
    th_pen_key(pen, "materials");
    th_pen_array(pen);
    for (size_t i = 0; i < rows.n; i++) {
        static const char *const names[] = {"code", "name", "mime", NULL, "sha256", "state"};
        const th_value *row = th_row(&rows, i);
        th_pen_object(pen);
        for (size_t k = 0; k < TH_COUNT(names); k++)
            if (names[k])
                th_pen_kstr(pen, names[k], row[k].s);
        th_pen_kint(pen, "size", row[3].i);
        th_pen_ktime(pen, "at", row[6].i);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    /* What the item wants uploaded and nobody has yet. */
    th_pen_key(pen, "missing");
    th_pen_array(pen);
    for (const th_json *m = th_json_first(needed); m; m = th_json_next(needed, m)) {
        bool found = !th_str_is(th_json_str(m, "obtain"), "upload");
        for (size_t i = 0; !found && i < rows.n; i++)
            found = th_str_eq(th_row(&rows, i)[0].s, th_json_str(m, "id")) && th_str_is(th_row(&rows, i)[5].s, "here");
        if (!found)
            th_pen_raw(pen, m->raw);
    }
    th_pen_end(pen, ']');
    return TH_OK;
}

/* ---- what the viewer may do next ---- */

void th_case_action_write(const th_cases *cases, const th_action *action, th_pen *pen)
{
    static const char *const parts[] = {"title", "law", "fields"};
    th_pen_object(pen);
    th_pen_kstr(pen, "action", action->name);
    for (size_t i = 0; i < TH_COUNT(parts); i++) {
        const th_json *part = th_json_get(action->json, parts[i]);
        if (part)
            th_pen_kraw(pen, parts[i], part->raw);
    }
    for (size_t i = 0; i < action->field_count; i++)
        if (action->fields[i].kind == TH_FIELD_SUSPENSION) {
            th_pen_key(pen, "reasons");
            th_pen_array(pen);
            for (size_t k = 0; k < cases->rules->reason_count; k++) {
                const th_reason *reason = &cases->rules->reasons[k];
                const th_json *title = th_json_get(reason->json, "title");
                th_pen_object(pen);
                th_pen_kstr(pen, "value", reason->name);
                th_pen_kstr(pen, "zh", th_json_str(title, "zh"));
                th_pen_kstr(pen, "en", th_json_str(title, "en"));
                th_pen_kint(pen, "days", reason->days);
                th_pen_end(pen, '}');
            }
            th_pen_end(pen, ']');
        }
    th_pen_end(pen, '}');
}

/* Would the step be taken, its words apart? A trial on a copy of the fold; at a copy of the case only the state is known. */
static bool possible(const th_cases *cases, const th_case *c, const th_fold *fold, const th_action *a, int64_t now_us)
{
    th_error why = {0};
    if (th_machine_allows(cases->machine, c->state, a, NULL))
        return false;
    if (!th_case_written_here(cases, c))
        return true;
    th_fold trial = *fold;
    th_fold_in in = th_case_fold_in(cases, c);
    th_fold_event event = {.kind = a->kind, .at_us = now_us, .json = TH_STR("{}")};
    /* Missing words are faults of the words, not of the moment. */
    th_status status = th_fold_step(&in, &trial, &event, &why);
    return !status || status == TH_INVALID || strcmp(why.type, "suspension-reason") == 0 || strcmp(why.type, "suspension-days") == 0;
}

static void actions_write(th_cases *cases, const th_case *c, const th_fold *fold, const th_who *who, th_pen *pen)
{
    unsigned by = th_case_by(cases, c, who);
    int64_t now = th_now_us(&cases->env);
    bool may[TH_ROWS_OF_MACHINE_MAX] = {0};
    for (size_t i = 0; i < cases->machine->action_count; i++) {
        const th_action *a = &cases->machine->actions[i];
        may[i] = (a->by & by) && possible(cases, c, fold, a, now);
    }
    th_pen_key(pen, "actions");
    th_pen_array(pen);
    for (size_t i = 0; i < cases->machine->action_count; i++)
        if (may[i])
            th_pen_str(pen, cases->machine->actions[i].name);
    th_pen_end(pen, ']');
    th_pen_key(pen, "steps");
    th_pen_array(pen);
    for (size_t i = 0; i < cases->machine->action_count; i++)
        if (may[i])
            th_case_action_write(cases, &cases->machine->actions[i], pen);
    th_pen_end(pen, ']');
}

static void clock_member(th_cases *cases, const th_case *c, const th_fold *fold, th_pen *pen)
{
    th_fold_in in = th_case_fold_in(cases, c);
    th_clock clock = fold->clock;
    if (th_str_is(c->owner, cases->code) && clock.state != TH_CLOCK_NOTHING) {
        th_clock_look(&in.clock, &clock, th_now_us(&cases->env));
        th_pen_key(pen, "clock");
        th_clock_write(&in.clock, &clock, pen);
    } else if (c->clock.n) {
        th_pen_kraw(pen, "clock", c->clock);
    }
}

bool th_case_shown_to(const th_case *c, const th_who *who)
{
    return (who->subject.n && th_str_eq(who->subject, c->subject)) || (who->roles & (TH_ROLE_CLERK | TH_ROLE_HEAD | TH_ROLE_AUDITOR));
}

th_status th_cases_show(th_cases *cases, th_db *db, th_str case_id, const th_who *who, th_arena *arena, th_str *ret_json,
                        th_error *error)
{
    th_case c;
    th_buf buf;
    const th_json *secret;
    th_fold fold = {0};
    th_status status = th_case_get(cases, db, case_id, arena, &c, error);
    if (status)
        return status;
    if (!th_case_shown_to(&c, who))
        return th_fail(error, TH_NOT_FOUND, "no-case", "没有这个办件", "There is no such case");
    status = th_case_secret_open(cases, c.id, c.secret, arena, &secret, error);
    if (!status && th_case_written_here(cases, &c))
        status = th_case_fold(cases, db, &c, arena, &fold, error);
    if (status)
        return status;
    const th_case_item *item = th_case_item_of(cases, &c);
    th_buf_open(&buf, arena, 512 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", c.id);
    th_pen_kstr(&pen, "number", c.number);
    th_pen_key(&pen, "item");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "code", c.item);
    th_pen_kstr(&pen, "zh", item ? item->title_zh : c.item);
    th_pen_kstr(&pen, "en", item ? item->title_en : c.item);
    th_pen_kint(&pen, "version", item ? item->version : c.item_version);
    th_pen_end(&pen, '}');
    th_pen_kstr(&pen, "state", th_str_is(c.state->id, "decided") && th_str_is(c.outcome, "refused") ? c.outcome : c.state->id);
    th_pen_key(&pen, "state_words");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "zh", c.state->zh);
    th_pen_kstr(&pen, "en", c.state->en);
    th_pen_end(&pen, '}');
    th_pen_kstr(&pen, "outcome", c.outcome.n ? c.outcome : (th_str){NULL, 0});
    place_write(cases, &pen, "origin", c.origin);
    place_write(cases, &pen, "owner", c.owner);
    th_pen_key(&pen, "applicant");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "name", c.applicant_name);
    th_pen_kstr(&pen, "id_masked", c.id_masked);
    th_pen_end(&pen, '}');
    const th_json *form = th_json_get(secret, "form");
    if (form)
        th_pen_kraw(&pen, "form", form->raw);
    status = evidence_write(cases, db, &c, item, arena, &pen, error);
    if (!status)
        status = materials_write(db, &c, item, arena, &pen, error);
    if (!status)
        status = events_write(cases, db, &c, arena, &pen, error);
    th_pen_ktime(&pen, "created", c.created_us);
    th_pen_ktime(&pen, "updated", c.updated_us);
    th_pen_ktime(&pen, "due", c.due_us);
    th_pen_kbool(&pen, "simulated", item && th_json_bool(item->json, "simulated", false));
    clock_member(cases, &c, &fold, &pen);
    actions_write(cases, &c, &fold, who, &pen);
    th_pen_end(&pen, '}');
    if (!status && !th_buf_ok(&buf))
        status = TH_TOO_LARGE;
    if (!status)
        *ret_json = th_buf_view(&buf);
    return status;
}
