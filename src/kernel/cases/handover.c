/* handover.c — from the node where a case was started to the one that decides it, and events back, through the outbox.
 *
 * The message "case.submitted" carries the case whole; "case.event" carries one later event. Both are admitted once by the exchange's
 * inbox, and a second time harmless here: (node, origin_seq) of an event is unique. */
#include "cases-private.h"

#include <string.h>

/* ---- leaving ---- */

/* The lines themselves go along: with the receipt they prove to the owner what was asked and answered. */
static void lines_write(th_cases *cases, th_db *db, th_str message, th_pen *pen, th_arena *arena)
{
    th_str question, answer;
    if (!message.n || th_exchange_lines(cases->exchange, db, message, arena, &question, &answer, NULL))
        return; /* erased by now: then it is not proved */
    th_pen_kstr(pen, "question", question);
    th_pen_kstr(pen, "answer", answer);
}

static th_status evidence_write(th_cases *cases, th_db *db, const char *case_id, th_pen *pen, th_arena *arena, bool *ret_complete, th_error *error)
{
    th_rows rows;
    th_value key = th_v_text(th_str_of(case_id));
    th_status status = th_db_select(db,
                                    "SELECT evidence, provider, register, state, results, message, receipt, problem, answered_at "
                                    "FROM cases_evidence WHERE case_id = ?1 ORDER BY evidence",
                                    &key, 1, arena, &rows, error);
    if (status)
        return status;
    *ret_complete = true;
    th_pen_key(pen, "evidence");
    th_pen_array(pen);
    for (size_t i = 0; i < rows.n; i++) {
        static const char *const texts[] = {"evidence", "provider", "register", "state", NULL, "message", NULL, "problem"};
        const th_value *row = th_row(&rows, i);
        if (th_str_is(row[3].s, "waiting"))
            *ret_complete = false;
        th_pen_object(pen);
        for (size_t k = 0; k < TH_COUNT(texts); k++)
            if (texts[k])
                th_pen_kstr(pen, texts[k], row[k].s);
        if (row[4].s.n)
            th_pen_kraw(pen, "results", row[4].s);
        if (row[6].s.n)
            th_pen_kraw(pen, "receipt", row[6].s);
        if (th_str_is(row[3].s, "answered"))
            lines_write(cases, db, row[5].s, pen, arena);
        th_pen_kint(pen, "answered_us", row[8].i);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    return TH_OK;
}

/* What was handed in goes along by name and hash; the owner fetches the bytes. Papers that the item needs and that are neither here nor deferred
 * keep the case from leaving. */
static th_status materials_write(th_cases *cases, th_db *db, const th_case *c, th_pen *pen, th_arena *arena, bool *ret_complete,
                                 th_error *error)
{
    th_rows rows;
    const th_case_item *item = th_case_item_of(cases, c);
    const th_json *needed = item ? th_json_get(item->json, "materials") : NULL;
    th_value key = th_v_text(th_str_of(c->id));
    th_status status = th_db_select(db, "SELECT code, name, mime, size, sha256, state FROM cases_material WHERE case_id = ?1 ORDER BY code", &key, 1,
                                    arena, &rows, error);
    if (status)
        return status;
    th_pen_key(pen, "materials");
    th_pen_array(pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        bool deferred = th_str_is(row[5].s, "deferred");
        if (!deferred && !th_str_is(row[5].s, "here"))
            continue;
        th_pen_object(pen);
        th_pen_kstr(pen, "code", row[0].s);
        th_pen_kstr(pen, "name", row[1].s);
        th_pen_kstr(pen, "mime", row[2].s);
        th_pen_kint(pen, "size", deferred ? 0 : row[3].i);
        th_pen_kstr(pen, "sha256", row[4].s);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    for (const th_json *m = th_json_first(needed); m; m = th_json_next(needed, m)) {
        bool found = !th_str_is(th_json_str(m, "obtain"), "upload") || !th_json_bool(m, "required", true);
        for (size_t i = 0; !found && i < rows.n; i++)
            found = th_str_eq(th_row(&rows, i)[0].s, th_json_str(m, "id")) && !th_str_is(th_row(&rows, i)[5].s, "uploading");
        *ret_complete = *ret_complete && found;
    }
    return TH_OK;
}

static th_status submission_write(th_cases *cases, th_db *db, const th_case *c, th_pen *pen, th_arena *arena, bool *ret_complete,
                                  th_error *error)
{
    const th_json *secret;
    th_status status = th_case_secret_open(cases, c->id, c->secret, arena, &secret, error);
    if (status)
        return status;
    th_pen_object(pen);
    th_pen_ktext(pen, "case", c->id);
    th_pen_kstr(pen, "number", c->number);
    th_pen_kstr(pen, "item", c->item);
    th_pen_kstr(pen, "office", c->office);
    th_pen_kstr(pen, "channel", c->channel);
    th_pen_kint(pen, "created_us", c->created_us);
    int64_t now = th_now_us(&cases->env); /* a clock that was put back since does not stamp a case before it began */
    th_pen_kint(pen, "stamp_us", now > c->created_us ? now : c->created_us);
    th_pen_kraw(pen, "secret", secret->raw);
    status = evidence_write(cases, db, c->id, pen, arena, ret_complete, error);
    if (!status)
        status = materials_write(cases, db, c, pen, arena, ret_complete, error);
    th_pen_end(pen, '}');
    return status;
}

/* Leaving, and when it is decided here too, arriving in the same commit. */
static th_status handed_over(th_cases *cases, th_db *db, th_case *c, th_arena *arena, th_error *error)
{
    int64_t now = th_now_us(&cases->env);
    th_fold fold;
    th_case_event left = {.kind = TH_STR("handed_over"), .json = TH_STR("{\"kind\":\"handed_over\"}"), .at_us = now};
    th_case_event received = {.kind = TH_STR("received"), .json = TH_STR("{\"kind\":\"received\"}"), .at_us = now};
    th_status status = th_case_fold(cases, db, c, arena, &fold, error);
    if (!status)
        status = th_case_append(cases, db, c, &fold, &left, error);
    if (!status && th_str_is(c->owner, cases->code))
        status = th_case_append(cases, db, c, &fold, &received, error);
    return status;
}

th_status th_handover_when_ready(th_cases *cases, th_db *db, const char *case_id, th_error *error)
{
    th_arena arena;
    th_case c;
    th_buf buf;
    bool complete = false;
    th_arena_open(&arena, 4u << 20);
    th_status status = th_case_get(cases, db, th_str_of(case_id), &arena, &c, error);
    if (status || c.state->phase != TH_PHASE_COLLECTING)
        goto out;
    th_buf_open(&buf, &arena, TH_LINE_MAX - 2048);
    th_pen pen = th_pen_on(&buf);
    status = submission_write(cases, db, &c, &pen, &arena, &complete, error);
    if (status || !complete)
        goto out;
    if (!th_buf_ok(&buf)) {
        status = th_fail(error, TH_TOO_LARGE, "case-too-large", "办件内容过大，无法移交", "The case is too large to hand over");
        goto out;
    }
    if (!th_str_is(c.owner, cases->code))
        status = th_outbox_put(cases->exchange, db, c.owner, "case.submitted", th_str_of(c.id), c.item, th_str_of(c.id), c.office,
                               th_buf_view(&buf), error);
    if (!status)
        status = handed_over(cases, db, &c, &arena, error);
out:
    th_arena_close(&arena);
    return status;
}

th_status th_case_event_send(th_cases *cases, th_db *db, const th_case *c, th_str to, const th_case_event *event, th_error *error)
{
    th_arena arena;
    th_buf buf;
    th_case row;
    if (th_str_is(to, cases->code))
        return TH_OK;
    th_arena_open(&arena, 256 * 1024);
    th_buf_open(&buf, &arena, TH_LINE_MAX - 2048);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "case", c->id);
    th_pen_kint(&pen, "seq", event->origin_seq);
    th_pen_kint(&pen, "at_us", event->at_us);
    th_pen_kstr(&pen, "kind", event->kind);
    th_pen_kstr(&pen, "state", c->state->id);
    th_pen_kstr(&pen, "outcome", c->outcome);
    th_pen_kint(&pen, "due_us", c->due_us);
    if (th_case_get(cases, db, th_str_of(c->id), &arena, &row, NULL) == TH_OK && row.clock.n)
        th_pen_kraw(&pen, "clock", row.clock);
    th_pen_kraw(&pen, "event", event->json);
    th_pen_end(&pen, '}');
    th_status status = th_buf_ok(&buf) ? th_outbox_put(cases->exchange, db, to, "case.event", th_str_of(c->id), c->item,
                                                       th_str_of(c->id), (th_str){NULL, 0}, th_buf_view(&buf), error)
                                       : th_fail(error, TH_TOO_LARGE, "event-too-large", "事件内容过大", "The event is too large");
    th_arena_close(&arena);
    return status;
}

/* ---- arriving ---- */

/* The stamp of another node starts the clock of the law here, so it must be a time that can be: not before the case was begun, not ahead by
 * more than clocks are ever off. Each may be off by five minutes, and was perhaps put right in between; the law counts days, so an hour is
 * plenty. A node may be cut off for weeks before its outbox gets through, hence sixty days; a case may wait at its window for papers much
 * longer before it is handed over, hence two years. */
static th_status times_read(const th_message *m, int64_t now_us, int64_t *ret_created, int64_t *ret_stamp, th_error *error)
{
    static const int64_t day_us = INT64_C(86400) * TH_SECOND_US, ahead_us = 3600 * TH_SECOND_US, cut_off_days = 60, collecting_days = 730;
    int64_t created = th_json_int(m->body, "created_us", m->at_us), stamp = th_json_int(m->body, "stamp_us", created);
    if (stamp > now_us + ahead_us || stamp < now_us - cut_off_days * day_us)
        return th_fail_field(error, "/body/stamp_us", "range", "收件时间须在近六十日内，且不晚于现在", "The stamp must lie within the last sixty days and not ahead");
    if (created > stamp + ahead_us || created < stamp - collecting_days * day_us)
        return th_fail_field(error, "/body/created_us", "range", "提交时间不得晚于收件时间，也不得早于其前两年",
                             "A case is begun before its stamp, and not more than two years before");
    *ret_created = created < stamp ? created : stamp;
    *ret_stamp = stamp;
    return TH_OK;
}

/* What a deciding node says of times only moves its own case's copy here, but must be one that a calendar has. */
static bool time_said_ok(int64_t us)
{
    return us >= 0 && us < INT64_C(4102444800) * TH_SECOND_US; /* the year 2100 */
}

static th_status arrival_read(th_cases *cases, const th_message *m, const th_case_item **ret_item, th_case *c, int64_t *ret_stamp,
                              th_arena *arena, th_error *error)
{
    const th_json *b = m->body, *secret;
    th_str id, number, code, name, id_number;
    char masked[24];
    bool ok = th_json_want_str(b, "/body", "case", TH_ID_TEXT - 1, &id, error);
    ok = th_json_want_str(b, "/body", "number", 40, &number, error) && ok;
    ok = th_json_want_str(b, "/body", "item", 64, &code, error) && ok;
    ok = th_json_want_object(b, "/body", "secret", &secret, error) && ok;
    ok = ok && th_json_want_str(secret, "/body/secret", "id_number", 32, &id_number, error);
    ok = ok && th_json_want_str(secret, "/body/secret", "name", 200, &name, error);
    if (!ok)
        return TH_INVALID;
    const th_case_item *item = th_cases_item(cases, code);
    if (!th_uuid_valid(id))
        return th_fail_field(error, "/body/case", "format", "编号须为 UUIDv7", "The id must be a UUIDv7");
    if (!item || !th_str_is(th_item_owner(item, th_json_get(secret, "form")), cases->code))
        return th_fail(error, TH_UNPROCESSABLE, "not-our-item", "该事项不由本节点决定", "This item is not decided at this node");
    th_str channel = th_str_is(th_json_str(b, "channel"), "counter") ? TH_STR("counter") : TH_STR("citizen");
    th_status allowed = th_list_allows(cases, item, m->from, channel, error);
    if (allowed)
        return allowed;
    memcpy(c->id, id.p, id.n);
    c->number = number;
    c->item = code;
    c->item_version = item->version;
    c->origin = th_str_keep(arena, th_str_of(m->from));
    c->owner = th_str_keep(arena, th_str_of(cases->code));
    c->state = th_machine_state(cases->machine, TH_STR("evidence"));
    c->office = item->office;
    c->channel = channel;
    c->applicant_name = name;
    th_id_mask(id_number, masked);
    c->id_masked = th_str_keep(arena, th_str_of(masked));
    char subject[TH_SUBJECT_TEXT];
    th_people_subject(cases->secret, id_number, subject);
    c->subject = th_str_keep(arena, th_str_of(subject));
    c->updated_us = th_now_us(&cases->env);
    allowed = times_read(m, c->updated_us, &c->created_us, ret_stamp, error);
    if (allowed)
        return allowed;
    c->due_us = th_case_due_us(cases, item, c->updated_us);
    *ret_item = item;
    return th_case_secret_seal(cases, c->id, secret->raw, arena, &c->secret);
}

/* The owner's first two events: that it was submitted, as the origin says, and that it arrived. By agreement the clock of the law runs from the
 * stamp of the window that collected it. */
static th_status arrival_keep(th_cases *cases, th_db *db, th_case *c, const th_case_item *item, int64_t stamp, const th_message *m,
                              th_arena *arena, th_error *error)
{
    th_fold fold = {0};
    th_case_event submitted = {.node = c->origin, .origin_seq = 1, .kind = TH_STR("submitted"), .json = TH_STR("{\"kind\":\"submitted\"}"),
                               .at_us = c->created_us};
    th_str json = th_strf(arena, "{\"kind\":\"received\",\"stamp_us\":%lld,\"item_version\":%lld}",
                         (long long)stamp, (long long)c->item_version);
    th_case_event received = {.kind = TH_STR("received"), .json = json, .message = th_str_of(m->id), .at_us = c->updated_us};
    th_status status = json.p ? th_case_insert(db, c, error) : TH_NO_MEMORY;
    if (!status)
        status = th_evidence_arrived(cases, db, c, item, m->body, arena, error);
    const th_json *papers = th_json_get(m->body, "materials");
    for (const th_json *p = th_json_first(papers); !status && p; p = th_json_next(papers, p))
        status = th_material_wanted(cases, db, th_str_of(c->id), th_str_of(m->from), p, error);
    if (!status)
        status = th_case_append(cases, db, c, &fold, &submitted, error);
    if (!status)
        status = th_case_append(cases, db, c, &fold, &received, error);
    if (!status)
        status = th_case_event_send(cases, db, c, c->origin, &received, error);
    return status;
}

th_status th_case_submitted_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_cases *cases = ctx;
    th_case c = {0}, known;
    const th_case_item *item = NULL;
    int64_t stamp = 0;
    th_status status = arrival_read(cases, m, &item, &c, &stamp, arena, error);
    if (status)
        return status;
    status = th_case_get(cases, db, th_str_of(c.id), arena, &known, NULL);
    if (status == TH_OK) /* the same case again under another message: nothing more happens */
        return th_str_eq(known.origin, c.origin) ? TH_OK
                                                 : th_fail(error, TH_CONFLICT, "case-exists", "办件编号已被另一节点使用",
                                                           "Another node's case has this id");
    if (status != TH_NOT_FOUND)
        return status;
    status = arrival_keep(cases, db, &c, item, stamp, m, arena, error);
    answer->body = TH_STR("{\"received\":true}");
    memcpy(answer->subject, c.subject.p, 32);
    answer->subject[32] = 0;
    answer->reg = TH_STR("case");
    answer->fields = TH_STR("submission");
    return status;
}

/* One event of a case that another node owns: the copy here follows. */
th_status th_case_event_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_cases *cases = ctx;
    th_case c;
    th_str id, kind;
    const th_json *b = m->body, *json = th_json_get(b, "event"), *clock = th_json_get(b, "clock");
    bool fresh = false;
    bool ok = th_json_want_str(b, "/body", "case", TH_ID_TEXT - 1, &id, error);
    ok = th_json_want_str(b, "/body", "kind", 32, &kind, error) && ok;
    if (!ok)
        return TH_INVALID;
    int64_t seq = th_json_int(b, "seq", 0), at = th_json_int(b, "at_us", m->at_us);
    const th_case_state *state = th_machine_state(cases->machine, th_json_str(b, "state"));
    if (seq < 1 || !state)
        return th_fail_field(error, "/body/state", "enum", "未知的办件状态", "Unknown state of a case");
    if (!time_said_ok(at) || !time_said_ok(th_json_int(b, "due_us", 0)))
        return th_fail_field(error, "/body/at_us", "range", "不是可能的时间", "Not a time that can be");
    th_status status = th_case_get(cases, db, id, arena, &c, error);
    if (status == TH_NOT_FOUND && th_consult_known(db, id, th_str_of(m->from))) {
        answer->body = TH_STR("{}"); /* our opinion came too late: there is no copy here to follow */
        answer->quiet = true;
        return TH_OK;
    }
    if (status)
        return status;
    if (!th_str_is(c.owner, m->from) || th_str_is(c.owner, cases->code))
        return th_fail(error, TH_FORBIDDEN, "not-the-owner", "只有决定该办件的节点可以改变其状态",
                       "Only the node that decides this case may change its state");
    th_case_event event = {.node = th_str_of(m->from), .origin_seq = seq, .kind = kind, .at_us = at,
                           .json = json ? json->raw : TH_STR("{}"), .message = th_str_of(m->id)};
    c.state = state;
    c.outcome = th_json_str(b, "outcome");
    c.due_us = th_json_int(b, "due_us", c.due_us);
    c.updated_us = at;
    c.clock = clock ? clock->raw : (th_str){NULL, 0};
    status = th_case_copy(cases, db, &c, &event, &fresh, error);
    answer->body = TH_STR("{}");
    answer->quiet = !fresh;
    if (!status && !fresh && !th_case_event_same(db, c.id, &event))
        return th_fail(error, TH_CONFLICT, "case-diverged", "决定节点的办件历史与本节点所存不同（该节点可能自备份恢复过），须由人核对",
                       "The deciding node tells another history of this case than the one that stands here (it may have been restored): people must look");
    return status;
}

/* ---- telling, once it is committed ---- */

void th_case_submitted_told(void *ctx, const th_message *m)
{
    th_case_told(ctx, th_json_str(m->body, "case"), TH_STR("{\"kind\":\"received\"}"));
}

void th_case_moved_told(void *ctx, const th_message *m)
{
    th_case_told(ctx, th_json_str(m->body, "case"), TH_STR("{}"));
}

void th_case_event_told(void *ctx, const th_message *m)
{
    const th_json *json = th_json_get(m->body, "event");
    th_case_told(ctx, th_json_str(m->body, "case"), json ? json->raw : TH_STR("{}"));
}
