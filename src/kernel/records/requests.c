/* requests.c — asking for a dataset: a request reaches its owner, an operator decides, and a granted one becomes a grant. */
#include "records-private.h"

#include <stdio.h>
#include <string.h>

enum { REASON_MAX = 1000, GRANT_DAYS = 365 };

typedef struct wanted {
    char id[TH_ID_TEXT];
    th_str dataset, provider, consumer, office, by, item, fields, reason;
    int64_t at_us;
} wanted;

/* provider: whose register it is. At the asking node too, so that it sees what became of what it asked for. */
static th_status request_insert(th_db *db, const wanted *w, th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(w->id)), th_v_text(w->dataset), th_v_text(w->consumer), th_v_text(w->office), th_v_text(w->by),
                         th_v_text(w->item),          th_v_text(w->fields),  th_v_text(w->reason),   th_v_int(w->at_us), th_v_text(w->provider)};
    return th_db_exec(db,
                      "INSERT INTO records_request (id, dataset, consumer, office, by_name, item, fields, reason, at, state, provider) VALUES "
                      "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'waiting', ?10) ON CONFLICT (id) DO NOTHING",
                      values, TH_COUNT(values), NULL, error);
}

static th_register *register_of(th_records *records, th_str dataset)
{
    return th_str_starts(dataset, "register-") ? th_register_find(records, (th_str){dataset.p + 9, dataset.n - 9}) : NULL;
}

/* What may be granted is asked for: fields and conditions that the register lets others verify, for one item or purpose. */
static th_status wanted_check(const th_register *reg, const th_json *fields, th_str item, th_error *error)
{
    size_t before = error->field_count, n = 0;
    char pointer[TH_POINTER_TEXT];
    if (!fields->count)
        th_fail_field(error, "/fields", "required", "请至少选择一个字段", "Choose at least one field");
    for (const th_json *f = th_json_first(fields); f; f = th_json_next(fields, f)) {
        const th_predicate *condition = f->type == TH_JSON_STRING ? th_predicate_find(reg, f->text) : NULL;
        bool known = condition && condition->verify;
        for (size_t i = 0; f->type == TH_JSON_STRING && i < reg->field_count; i++)
            known = known || (th_str_eq(reg->fields[i].name, f->text) && reg->fields[i].verify);
        bool twice = false;
        for (const th_json *b = th_json_first(fields); b != f; b = th_json_next(fields, b))
            twice = twice || th_str_eq(b->text, f->text);
        snprintf(pointer, sizeof pointer, "/fields/%zu", n++);
        if (!known)
            th_fail_field(error, pointer, "field", "该登记簿没有可核验的这一项", "The register has no such field that can be verified");
        else if (twice)
            th_fail_field(error, pointer, "repeated", "字段重复", "The field is named twice");
    }
    if (!item.n)
        th_fail_field(error, "/item", "required", "请选择用于哪个事项", "Choose the service it is for");
    return error->field_count > before ? TH_INVALID : TH_OK;
}

/* ---- from a page of this node ---- */

typedef struct posting {
    th_change change;
    th_request *rq;
    wanted w;
} posting;

static th_status request_tell(th_records *records, th_db *db, posting *p, th_error *error)
{
    th_buf buf;
    th_buf_open(&buf, &p->rq->arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "request", p->w.id);
    th_pen_kstr(&pen, "dataset", p->w.dataset);
    th_pen_kstr(&pen, "office", p->w.office);
    th_pen_kstr(&pen, "by", p->w.by);
    th_pen_kraw(&pen, "fields", p->w.fields);
    th_pen_kstr(&pen, "item", p->w.item);
    th_pen_kstr(&pen, "reason", p->w.reason);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    return th_outbox_put(records->exchange, db, p->w.provider, "records.request", p->w.dataset, p->w.item, (th_str){NULL, 0}, p->w.office,
                         th_buf_view(&buf), error);
}

static th_status post_apply(th_change *change, th_db *db, th_error *error)
{
    posting *p = change->ctx;
    th_records *records = p->rq->module;
    th_status status = request_insert(db, &p->w, error);
    return status || th_str_is(p->w.provider, records->code) ? status : request_tell(records, db, p, error);
}

static void post_reply(th_change *change, th_status status, const th_error *error)
{
    posting *p = change->ctx;
    if (status)
        (void)th_reply_problem(p->rq, status, error);
    th_request_finish(p->rq);
}

static th_status post_check(th_records *records, posting *p)
{
    static const char *const allowed[] = {"reason", "fields", "item", "provider", NULL};
    th_request *rq = p->rq;
    const th_json *fields;
    bool ok = th_json_only(rq->json, "", allowed, &rq->error);
    ok = th_json_want_str(rq->json, "", "reason", REASON_MAX, &p->w.reason, &rq->error) && ok;
    ok = th_json_want_array(rq->json, "", "fields", TH_CLAIMS_MAX, &fields, &rq->error) && ok;
    const th_register *reg = register_of(records, rq->params[0]);
    if (!reg && th_dataset_find(records, rq->params[0]))
        return th_fail(&rq->error, TH_UNPROCESSABLE, "not-a-register", "开放数据集可直接下载，无须申请", "An open dataset needs no request");
    if (!reg)
        return th_fail(&rq->error, TH_NOT_FOUND, "no-dataset", "目录中没有这个数据集", "The catalogue has no such dataset");
    p->w.item = th_json_str(rq->json, "item");
    p->w.provider = th_json_str(rq->json, "provider");
    if (!p->w.provider.n)
        p->w.provider = th_str_of(records->code);
    th_status status = ok ? wanted_check(reg, fields, p->w.item, &rq->error) : TH_INVALID;
    th_trust *trust = th_exchange_trust(records->exchange);
    if (!trust || !th_trust_member(trust, p->w.provider))
        status = th_fail_field(&rq->error, "/provider", "unknown-member", "不是区域成员", "Not a member of the region");
    th_trust_release(trust);
    p->w.fields = ok ? fields->raw : TH_STR("[]");
    return status;
}

th_handled th_request_post(th_request *rq)
{
    th_records *records = rq->module;
    posting *p = th_alloc(&rq->arena, sizeof *p);
    if (!p)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    p->rq = rq;
    th_status status = post_check(records, p);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_uuid7(records->options.env, p->w.id);
    p->w.dataset = rq->params[0];
    p->w.consumer = th_str_of(records->code);
    p->w.office = rq->who.office;
    p->w.by = rq->who.name;
    p->w.at_us = th_now_us(records->options.env);
    p->change = (th_change){.apply = post_apply, .reply = post_reply, .ctx = p};
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "request", p->w.id);
    th_pen_ktext(&pen, "state", "waiting");
    th_pen_end(&pen, '}');
    (void)th_reply_json(rq, 200);
    return th_writer_submit(records->options.writer, &p->change) ? th_reply_problem(rq, TH_BUSY, NULL) : TH_LATER;
}

/* ---- from another node, through its outbox ---- */

th_status th_request_arrived(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_records *records = ctx;
    const th_json *fields = th_json_get(m->body, "fields");
    th_str id = th_json_str(m->body, "request");
    (void)arena;
    wanted w = {.dataset = th_json_str(m->body, "dataset"),
                .provider = th_str_of(records->code),
                .consumer = th_str_of(m->from),
                .office = th_json_str(m->body, "office"),
                .by = th_json_str(m->body, "by"),
                .item = th_json_str(m->body, "item"),
                .reason = th_json_str(m->body, "reason"),
                .fields = fields ? fields->raw : TH_STR("[]"),
                .at_us = th_now_us(records->options.env)};
    const th_register *reg = register_of(records, w.dataset);
    if (!th_uuid_valid(id) || !reg || !w.by.n || w.by.n > 200 || w.reason.n > REASON_MAX || th_str_has_controls(w.reason) || !fields ||
        fields->type != TH_JSON_ARRAY || wanted_check(reg, fields, w.item, error))
        return th_fail(error, TH_UNPROCESSABLE, "request-malformed", "申请内容不完整", "The request is incomplete");
    memcpy(w.id, id.p, id.n);
    w.id[id.n] = 0;
    answer->body = TH_STR("{}");
    return request_insert(db, &w, error);
}

/* What became of a request that this node had sent; only its provider may say. */
th_status th_request_answered(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_str id = th_json_str(m->body, "request"), state = th_json_str(m->body, "state"), reason = th_json_str(m->body, "reason");
    (void)ctx;
    (void)arena;
    if (!th_uuid_valid(id) || (!th_str_is(state, "granted") && !th_str_is(state, "refused")) || reason.n > REASON_MAX)
        return th_fail(error, TH_UNPROCESSABLE, "answer-malformed", "答复内容不完整", "The answer is incomplete");
    answer->body = TH_STR("{}");
    th_value values[] = {th_v_text(id), th_v_text(th_str_of(m->from)), th_v_text(state), th_v_text(reason)};
    return th_db_exec(db, "UPDATE records_request SET state = ?3, outcome = ?4 WHERE id = ?1 AND provider = ?2 AND state = 'waiting'", values,
                      TH_COUNT(values), NULL, error);
}

/* ---- the operator's side ---- */

th_handled th_requests_get(th_request *rq)
{
    static const char *const names[] = {"id", "dataset", "consumer", "office", "by", "item", NULL, "reason", NULL, "state", "outcome", NULL};
    th_records *records = rq->module;
    th_db *db;
    th_rows rows;
    th_status status = th_store_acquire(records->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_select(db,
                          "SELECT id, dataset, consumer, office, by_name, item, fields, reason, at, state, outcome, provider FROM records_request "
                          "ORDER BY at DESC LIMIT 200",
                          NULL, 0, &rq->arena, &rows, &rq->error);
    th_store_release(records->options.store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_pen_object(&pen);
        for (size_t k = 0; k < TH_COUNT(names); k++)
            if (names[k])
                th_pen_kstr(&pen, names[k], row[k].s);
        const th_register *reg = register_of(records, row[1].s);
        th_pen_key(&pen, "title");
        if (reg)
            th_pen_raw(&pen, th_json_get(reg->json, "title")->raw);
        else
            th_pen_null(&pen);
        th_pen_kraw(&pen, "fields", row[6].s);
        th_pen_kstr(&pen, "provider", row[11].s.n ? row[11].s : th_str_of(records->code));
        th_pen_ktime(&pen, "at", row[8].i);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

typedef struct settling {
    th_records *records;
    th_str id, outcome;
    const char *state;
    th_arena *arena;
    th_str grant; /* given with it, or absent */
} settling;

static th_status answer_tell(settling *s, th_db *db, th_str consumer, th_str dataset, th_error *error)
{
    th_buf buf;
    th_buf_open(&buf, s->arena, 8 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "request", s->id);
    th_pen_ktext(&pen, "state", s->state);
    th_pen_kstr(&pen, "reason", s->outcome);
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_outbox_put(s->records->exchange, db, consumer, "records.answer", dataset, (th_str){NULL, 0},
                                           (th_str){NULL, 0}, (th_str){NULL, 0}, th_buf_view(&buf), error)
                           : TH_TOO_LARGE;
}

static th_status settle_apply(void *ctx, th_db *db, th_error *error)
{
    settling *s = ctx;
    const th_value *row;
    th_value values[] = {th_v_text(s->id), th_v_text(th_str_of(s->state)), th_v_text(s->outcome)};
    th_value own[] = {th_v_text(s->id), th_v_text(th_str_of(s->records->code))};
    th_status status = th_db_one(db,
                                 "SELECT consumer, dataset FROM records_request WHERE id = ?1 AND state = 'waiting' AND "
                                 "(provider = ?2 OR provider IS NULL)",
                                 own, 2, s->arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, TH_CONFLICT, "request-settled", "没有待处理的这项申请", "There is no such request waiting");
    if (!status)
        status = th_db_exec(db, "UPDATE records_request SET state = ?2, outcome = ?3 WHERE id = ?1", values, 3, NULL, error);
    if (!status && s->grant.n) /* one change: who refuses meanwhile leaves no grant behind */
        status = th_exchange_grant_put(s->records->exchange, db, s->grant, error);
    if (!status && !th_str_is(row[0].s, s->records->code))
        status = answer_tell(s, db, row[0].s, row[1].s, error);
    return status;
}

static th_handled settle(th_request *rq, const char *state, th_str outcome, th_str grant)
{
    settling s = {rq->module, rq->params[0], outcome, state, &rq->arena, grant};
    th_status status = th_records_write(rq->module, settle_apply, &s, &rq->error);
    if (!status && grant.n)
        status = th_exchange_grants_renew(s.records->exchange, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id", rq->params[0]);
    th_pen_ktext(&pen, "state", state);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

th_handled th_request_refuse(th_request *rq)
{
    th_str reason;
    if (!th_json_want_str(rq->json, "", "reason", REASON_MAX, &reason, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    return settle(rq, "refused", reason, (th_str){NULL, 0});
}

static th_status request_read(th_request *rq, const th_value **ret_row)
{
    th_records *records = rq->module;
    th_db *db;
    th_value values[] = {th_v_text(rq->params[0]), th_v_text(th_str_of(records->code))};
    th_status status = th_store_acquire(records->options.store, &db, &rq->error);
    if (status)
        return status;
    status = th_db_one(db, "SELECT dataset, consumer, office, item, fields, reason, state FROM records_request WHERE id = ?1 AND "
                           "(provider = ?2 OR provider IS NULL)",
                       values, 2, &rq->arena, ret_row, &rq->error);
    th_store_release(records->options.store, db);
    if (status == TH_NOT_FOUND)
        return th_fail(&rq->error, TH_NOT_FOUND, "no-request", "没有这项申请", "There is no such request");
    return status;
}

/* The narrowest grant that serves: verify, for one item, with the person's consent when the register is about persons. */
static void grant_write(th_records *records, th_request *rq, const th_value *row, const th_register *reg, th_str reason, th_buf *buf)
{
    int64_t now = th_now_us(records->options.env);
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id", th_strf(&rq->arena, "request-%.*s", TH_FMT(rq->params[0])));
    th_pen_ktext(&pen, "provider", records->code);
    th_pen_kstr(&pen, "register", reg->name);
    th_pen_ktext(&pen, "operation", "verify");
    th_pen_kraw(&pen, "fields", row[4].s);
    th_pen_key(&pen, "consumer");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "member", row[1].s);
    if (row[2].s.n)
        th_pen_kstr(&pen, "office", row[2].s);
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "purposes");
    th_pen_array(&pen);
    th_pen_str(&pen, row[3].s);
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "basis");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "zh", reason);
    th_pen_kstr(&pen, "en", reason);
    th_pen_end(&pen, '}');
    th_pen_ktext(&pen, "consent", reg->person ? "citizen" : "none");
    th_pen_kint(&pen, "rate", 6000);
    th_pen_ktime(&pen, "not_before", now - TH_MINUTE_US);
    th_pen_ktime(&pen, "not_after", now + GRANT_DAYS * TH_DAY_US);
    th_pen_end(&pen, '}');
}

th_handled th_request_grant(th_request *rq)
{
    th_records *records = rq->module;
    const th_value *row;
    th_str reason;
    th_buf buf;
    if (!th_json_want_str(rq->json, "", "reason", 300, &reason, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    th_status status = request_read(rq, &row);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_register *reg = register_of(records, row[0].s);
    if (!th_str_is(row[6].s, "waiting"))
        status = th_fail(&rq->error, TH_CONFLICT, "request-settled", "该申请已处理", "This request was settled already");
    else if (!reg)
        status = th_fail(&rq->error, TH_UNPROCESSABLE, "not-a-register", "开放数据集可直接下载，无须授权", "An open dataset needs no grant");
    else if (!row[3].s.n)
        status = th_fail_field(&rq->error, "/item", "required", "申请未写明事项，不能授权", "The request names no item; it cannot be granted");
    if (!status) {
        th_buf_open(&buf, &rq->arena, 32 * 1024);
        grant_write(records, rq, row, reg, reason, &buf);
        status = th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
    }
    return status ? th_reply_problem(rq, status, NULL) : settle(rq, "granted", reason, th_buf_view(&buf));
}
