/* record.c — records, their changes, their copies. */
#include "credit-private.h"

#include <string.h>

#define RECORD_COLUMNS "subject, id, list, owner, name, fact, doc_no, state, doc_day, min_until, max_until, version, updated_at"

static void record_read(const th_value *row, th_record *r)
{
    *r = (th_record){.subject = row[0].s, .id = row[1].s, .list = row[2].s, .owner = row[3].s, .name = row[4].s, .fact = row[5].s,
                     .doc_no = row[6].s, .state = row[7].s, .doc_day = row[8].i, .min_until = row[9].i, .max_until = row[10].i,
                     .version = row[11].i, .updated_us = row[12].i};
}

th_status th_record_get(th_db *db, th_str id, th_arena *arena, th_record *ret, th_error *error)
{
    const th_value *row;
    th_value key = th_v_text(id);
    th_status status = th_db_one(db, "SELECT " RECORD_COLUMNS " FROM credit_record WHERE id = ?1", &key, 1, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-record", "没有这条信用记录", "There is no such record");
    if (!status)
        record_read(row, ret);
    return status;
}

th_status th_records_of(th_db *db, th_str subject, th_arena *arena, th_record **ret, size_t *ret_n, th_error *error)
{
    th_rows rows;
    th_value values[] = {th_v_text(subject), th_v_int(TH_SUBJECT_RECORDS_MAX)};
    th_status status = th_db_select(db, "SELECT " RECORD_COLUMNS " FROM credit_record WHERE subject = ?1 ORDER BY id LIMIT ?2", values, 2, arena,
                                    &rows, error);
    th_record *all = status ? NULL : th_alloc_array(arena, rows.n ? rows.n : 1, sizeof *all);
    if (!status && !all)
        status = TH_NO_MEMORY;
    for (size_t i = 0; !status && i < rows.n; i++)
        record_read(th_row(&rows, i), &all[i]);
    *ret = all;
    *ret_n = status ? 0 : rows.n;
    return status;
}

bool th_record_counts(const th_credit *c, const th_record *r, int32_t today)
{
    const th_list *list = th_list_find(c, r->list);
    bool live = th_str_is(r->state, "published") || th_str_is(r->state, "repair");
    if (th_str_is(r->state, "objection"))
        live = list && th_str_is(list->kind, "incentive"); /* only what harms rests while it is doubted */
    return list && live && today <= r->max_until;
}

static const char *state_shown(const th_record *r, int32_t today)
{
    static const char *const names[] = {"published", "objection", "repair", "repaired", "withdrawn"};
    bool over = th_str_is(r->state, "repaired") || th_str_is(r->state, "withdrawn");
    for (size_t i = 0; i < TH_COUNT(names); i++)
        if (th_str_is(r->state, names[i]))
            return !over && today > r->max_until ? "ended" : names[i];
    return "published";
}

void th_record_write(const th_credit *c, const th_record *r, int32_t today, th_pen *pen)
{
    char day[TH_DAY_TEXT];
    const struct { const char *name; th_str value; } texts[] = {{"id", r->id}, {"subject", r->subject}, {"name", r->name}, {"list", r->list},
                                                                {"owner", r->owner}, {"fact", r->fact}, {"doc_no", r->doc_no}};
    const struct { const char *name; int64_t value; } days[] = {{"doc_date", r->doc_day}, {"min_until", r->min_until}, {"max_until", r->max_until}};
    const th_list *list = th_list_find(c, r->list);
    th_pen_object(pen);
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        th_pen_kstr(pen, texts[i].name, texts[i].value);
    for (size_t i = 0; i < TH_COUNT(days); i++) {
        th_day_text((int32_t)days[i].value, day);
        th_pen_ktext(pen, days[i].name, day);
    }
    th_pen_ktext(pen, "state", state_shown(r, today));
    th_pen_kint(pen, "version", r->version);
    th_pen_kbool(pen, "in_force", th_record_counts(c, r, today));
    if (list) {
        th_pen_kstr(pen, "kind", list->kind);
        th_pen_kraw(pen, "title", th_json_get(list->json, "title")->raw);
        th_pen_kraw(pen, "law", th_json_get(list->json, "law")->raw);
    }
    th_pen_end(pen, '}');
}

/* ---- own records: every change is a version that everybody hears of ---- */

static th_status row_put(th_db *db, const th_record *r, th_error *error)
{
    th_value values[] = {th_v_text(r->subject), th_v_text(r->id),      th_v_text(r->list),    th_v_text(r->owner),   th_v_text(r->name),
                         th_v_text(r->fact),    th_v_text(r->doc_no),  th_v_text(r->state),   th_v_int(r->doc_day),  th_v_int(r->min_until),
                         th_v_int(r->max_until), th_v_int(r->version), th_v_int(r->updated_us)};
    return th_db_exec(db,
                      "INSERT INTO credit_record (" RECORD_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "
                      "ON CONFLICT (subject, id) DO UPDATE SET name = excluded.name, fact = excluded.fact, state = excluded.state, "
                      "min_until = excluded.min_until, max_until = excluded.max_until, version = excluded.version, "
                      "updated_at = excluded.updated_at WHERE credit_record.version < excluded.version",
                      values, TH_COUNT(values), NULL, error);
}

static void message_write(const th_record *r, th_pen *pen)
{
    const struct { const char *name; th_str value; } texts[] = {{"subject", r->subject}, {"id", r->id}, {"list", r->list}, {"name", r->name},
                                                                {"fact", r->fact}, {"doc_no", r->doc_no}, {"state", r->state}};
    const struct { const char *name; int64_t value; } numbers[] = {{"doc_day", r->doc_day}, {"min_until", r->min_until}, {"max_until", r->max_until},
                                                                   {"version", r->version}, {"updated_us", r->updated_us}};
    th_pen_object(pen);
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        th_pen_kstr(pen, texts[i].name, texts[i].value);
    for (size_t i = 0; i < TH_COUNT(numbers); i++)
        th_pen_kint(pen, numbers[i].name, numbers[i].value);
    th_pen_end(pen, '}');
}

static th_status tell_all(th_credit *c, th_db *db, const th_record *r, th_arena *arena, th_error *error)
{
    th_buf buf;
    th_status status = TH_OK;
    th_trust *trust = th_exchange_trust(c->exchange);
    th_buf_open(&buf, arena, 32 * 1024);
    th_pen pen = th_pen_on(&buf);
    message_write(r, &pen);
    if (!trust || !th_buf_ok(&buf))
        status = th_fail(error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    for (size_t i = 0; !status && i < trust->member_count; i++)
        if (strcmp(trust->members[i].code, c->code) != 0)
            status = th_outbox_put(c->exchange, db, th_str_of(trust->members[i].code), "credit.event", r->id, TH_STR("credit"), (th_str){NULL, 0},
                                   (th_str){NULL, 0}, th_buf_view(&buf), error);
    th_trust_release(trust);
    return status;
}

th_status th_record_change(th_credit *c, th_db *db, th_record *r, const char *kind, th_str actor, th_str json, th_arena *arena, th_error *error)
{
    r->version++;
    r->updated_us = th_now_us(&c->env);
    th_value values[] = {th_v_text(r->id), th_v_int(r->version), th_v_int(r->updated_us), th_v_text(th_str_of(kind)), th_v_text(actor), th_v_text(json)};
    th_status status = row_put(db, r, error);
    if (!status)
        status = th_db_exec(db, "INSERT INTO credit_event (id, version, at, kind, actor, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values,
                            TH_COUNT(values), NULL, error);
    return status ? status : tell_all(c, db, r, arena, error);
}

/* ---- copies ---- */

static th_status copy_read(const th_message *m, th_record *r, th_error *error)
{
    static const char *const states[] = {"published", "objection", "repair", "repaired", "withdrawn"};
    const th_json *b = m->body;
    bool known = false;
    bool ok = th_json_want_str(b, "/body", "subject", 18, &r->subject, error);
    ok = th_json_want_str(b, "/body", "id", TH_ID_TEXT - 1, &r->id, error) && ok;
    ok = th_json_want_str(b, "/body", "list", 64, &r->list, error) && ok;
    ok = th_json_want_str(b, "/body", "name", 400, &r->name, error) && ok;
    ok = th_json_want_str(b, "/body", "fact", 4000, &r->fact, error) && ok;
    ok = th_json_want_str(b, "/body", "doc_no", 200, &r->doc_no, error) && ok;
    ok = th_json_want_str(b, "/body", "state", 16, &r->state, error) && ok;
    ok = th_json_want_int(b, "/body", "version", 1, INT32_MAX, &r->version, error) && ok;
    ok = th_json_want_int(b, "/body", "doc_day", 0, 100000, &r->doc_day, error) && ok;
    ok = th_json_want_int(b, "/body", "min_until", 0, 100000, &r->min_until, error) && ok;
    ok = th_json_want_int(b, "/body", "max_until", 0, 100000, &r->max_until, error) && ok;
    r->updated_us = th_json_int(b, "updated_us", m->at_us);
    r->owner = th_str_of(m->from);
    for (size_t i = 0; i < TH_COUNT(states); i++)
        known = known || th_str_is(r->state, states[i]);
    if (ok && (!known || !th_uuid_valid(r->id) || th_uscc_check(r->subject)))
        return th_fail_field(error, "/body/subject", "format", "记录不合规定", "The record is not as it must be");
    return ok ? TH_OK : TH_INVALID;
}

th_status th_credit_event_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_credit *c = ctx;
    th_record r = {0}, known;
    th_error none = {0};
    answer->body = TH_STR("{}");
    th_status status = copy_read(m, &r, error);
    if (status)
        return status;
    const th_list *list = th_list_find(c, r.list);
    if (!list || !th_names(list->recognisers, r.owner)) /* nobody speaks for a list that is not theirs */
        return th_fail(error, TH_FORBIDDEN, "not-the-recogniser", "该成员不是这个名单的认定方", "That member does not recognise this list");
    if (th_record_get(db, r.id, arena, &known, &none) == TH_OK && !th_str_eq(known.owner, r.owner))
        return th_fail(error, TH_FORBIDDEN, "not-the-owner", "这条记录属于另一成员", "The record is another member's");
    status = row_put(db, &r, error);
    if (status)
        return status;
    th_str body = th_strf(arena, "{\"id\":\"%.*s\",\"version\":%lld}", TH_FMT(r.id), (long long)r.version);
    return body.p ? th_outbox_put(c->exchange, db, r.owner, "credit.ack", r.id, TH_STR("credit"), (th_str){NULL, 0}, (th_str){NULL, 0}, body, error)
                  : TH_NO_MEMORY;
}

th_status th_credit_ack_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_credit *c = ctx;
    th_record known;
    th_str id;
    int64_t version;
    answer->body = TH_STR("{}");
    if (!th_json_want_str(m->body, "/body", "id", TH_ID_TEXT - 1, &id, error) ||
        !th_json_want_int(m->body, "/body", "version", 1, INT32_MAX, &version, error))
        return TH_INVALID;
    th_status status = th_record_get(db, id, arena, &known, error);
    if (!status && !th_str_is(known.owner, c->code))
        status = th_fail(error, TH_FORBIDDEN, "not-the-owner", "这条记录属于另一成员", "The record is another member's");
    th_value values[] = {th_v_text(id), th_v_text(th_str_of(m->from)), th_v_int(version), th_v_int(th_now_us(&c->env))};
    if (!status)
        status = th_db_exec(db,
                            "INSERT INTO credit_ack (id, member, version, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id, member) DO UPDATE SET "
                            "version = excluded.version, at = excluded.at WHERE credit_ack.version < excluded.version",
                            values, 4, NULL, error);
    return status;
}
