/* issue_routes.c — the issuing office: issue, list, look, suspend, restore, revoke. */
#include "certificates-private.h"

#include <string.h>

static th_status office_check(th_request *rq, const th_certificate_type *type)
{
    return th_office_may(rq->module, type, &rq->who) ? TH_OK
                                                     : th_fail(&rq->error, TH_FORBIDDEN, "not-the-issuer", "您所在的部门不签发这种证照",
                                                               "Your office does not issue this type of certificate");
}

/* ---- issuing ---- */

typedef struct posting {
    th_certificates *certs;
    th_certificate_order order;
    th_arena *arena;
    th_certificate made;
} posting;

static th_status post_write(void *ctx, th_db *db, th_error *error)
{
    posting *p = ctx;
    return th_certificates_issue(p->certs, db, &p->order, p->arena, &p->made, error);
}

static th_status order_read(th_request *rq, th_certificate_order *o)
{
    static const char *const members[] = {"type", "holder", "fields", "item", "case", "previous", NULL}, *const holder_members[] = {"id", "name", "key", NULL};
    const th_json *holder;
    th_error *error = &rq->error;
    bool ok = th_json_only(rq->json, "", members, error);
    ok = th_json_want_str(rq->json, "", "type", 64, &o->type, error) && ok;
    ok = th_json_want_object(rq->json, "", "fields", &o->fields, error) && ok;
    ok = th_json_want_object(rq->json, "", "holder", &holder, error) && ok;
    ok = ok && th_json_only(holder, "/holder", holder_members, error);
    ok = ok && th_json_want_str(holder, "/holder", "id", 18, &o->holder_id, error);
    ok = ok && th_json_want_str(holder, "/holder", "name", 300, &o->holder_name, error);
    if (!ok)
        return TH_INVALID;
    o->holder_key = th_json_get(holder, "key");
    o->item = th_json_str(rq->json, "item");
    o->case_id = th_json_str(rq->json, "case");
    o->previous = th_json_str(rq->json, "previous");
    o->office = rq->who.office;
    o->actor = rq->who.account;
    return TH_OK;
}

th_handled th_certificates_issue_post(th_request *rq)
{
    th_certificates *certs = rq->module;
    posting p = {.certs = certs, .arena = &rq->arena};
    th_status status = order_read(rq, &p.order);
    const th_certificate_type *type = status ? NULL : th_certificate_type_find(certs, p.order.type);
    if (!status && !type)
        status = th_fail(&rq->error, TH_UNPROCESSABLE, "certificate-type", "本区域没有这种证照", "The region has no such type of certificate");
    if (!status)
        status = office_check(rq, type);
    if (!status)
        status = th_certificates_write(certs, post_write, &p, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", p.made.id);
    th_pen_ktext(&pen, "number", p.made.number);
    th_pen_kstr(&pen, "type", p.order.type);
    th_pen_ktime(&pen, "issued", p.made.issued_us);
    th_pen_ktime(&pen, "expires", p.made.expires_us);
    if (p.order.holder_key) /* for a wallet of the holder's own; otherwise it is in the wallet and nowhere else */
        th_pen_kstr(&pen, "token", p.made.token);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 201);
}

/* ---- looking ---- */

static const char *const states[] = {"valid", "revoked", "suspended"};

static void row_write(th_certificates *certs, th_pen *pen, const th_value *row)
{
    const th_certificate_type *type = th_certificate_type_find(certs, row[2].s);
    th_pen_kstr(pen, "id", row[0].s);
    th_pen_kstr(pen, "number", row[1].s);
    th_pen_key(pen, "type");
    th_pen_object(pen);
    th_pen_kstr(pen, "code", row[2].s);
    th_pen_kstr(pen, "zh", type ? type->title_zh : row[2].s);
    th_pen_kstr(pen, "en", type ? type->title_en : row[2].s);
    th_pen_end(pen, '}');
    th_pen_kstr(pen, "holder_masked", row[3].s);
    th_pen_ktext(pen, "status", row[4].i < (int64_t)TH_COUNT(states) ? states[row[4].i] : "other");
    th_pen_kstr(pen, "operation", row[5].s);
    th_pen_ktime(pen, "issued", row[6].i);
    th_pen_ktime(pen, "expires", row[7].type == TH_VALUE_INT ? row[7].i : 0);
    th_pen_kstr(pen, "wallet", row[8].s);
    th_pen_kstr(pen, "item", row[9].s);
    th_pen_kstr(pen, "case", row[10].s);
}

#define COLUMNS "SELECT id, number, type, holder_masked, status, operation, issued_at, expires_at, wallet, item, case_id, list, place FROM certificates_issued "

th_handled th_certificates_list(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_rows rows;
    int64_t limit;
    th_str number = th_request_query(rq, "number"), cursor = th_request_query(rq, "cursor");
    th_status status = th_request_query_int(rq, "limit", 1, 200, 50, &limit);
    if (!status && cursor.n && !th_uuid_valid(cursor))
        status = th_fail_field(&rq->error, "?cursor", "format", "翻页标记有误", "The cursor is wrong");
    if (!status)
        status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_value by_number = th_v_text(number), page[] = {th_v_text(cursor.n ? cursor : (th_str){NULL, 0}), th_v_int(limit)};
    status = number.n ? th_db_select(db, COLUMNS "WHERE number = ?1", &by_number, 1, &rq->arena, &rows, &rq->error)
                      : th_db_select(db, COLUMNS "WHERE (id < ?1 OR ?1 IS NULL) ORDER BY id DESC LIMIT ?2", page, 2, &rq->arena, &rows, &rq->error);
    th_store_release(certs->options.store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++) {
        th_pen_object(&pen);
        row_write(certs, &pen, th_row(&rows, i));
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_kstr(&pen, "next", !number.n && (int64_t)rows.n == limit ? th_row(&rows, rows.n - 1)[0].s : (th_str){NULL, 0});
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

static th_status history_write(th_request *rq, th_db *db, th_pen *pen, int64_t list, int64_t place)
{
    th_rows rows;
    th_value values[] = {th_v_int(list), th_v_int(place)};
    th_status status = th_db_select(db,
                                    "SELECT at, operation, status, reason, law FROM certificates_change WHERE list = ?1 AND place = ?2 ORDER BY version",
                                    values, 2, &rq->arena, &rows, &rq->error);
    if (status)
        return status;
    th_pen_key(pen, "changes");
    th_pen_array(pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_pen_object(pen);
        th_pen_ktime(pen, "at", row[0].i);
        th_pen_kstr(pen, "operation", row[1].s);
        th_pen_ktext(pen, "status", row[2].i < (int64_t)TH_COUNT(states) ? states[row[2].i] : "other");
        th_pen_kstr(pen, "reason", row[3].s);
        th_pen_kstr(pen, "law", row[4].s);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    return TH_OK;
}

static th_handled one_reply(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_db *db;
    const th_value *row;
    th_value id = th_v_text(rq->params[0]);
    th_status status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    status = th_db_one(db, COLUMNS "WHERE id = ?1", &id, 1, &rq->arena, &row, &rq->error);
    if (!status) {
        th_pen_object(&pen);
        row_write(certs, &pen, row);
        status = history_write(rq, db, &pen, row[11].i, row[12].i);
        th_pen_end(&pen, '}');
    }
    th_store_release(certs->options.store, db);
    if (status == TH_NOT_FOUND)
        th_fail(&rq->error, status, "no-certificate", "没有这份证照", "There is no such certificate");
    return status ? th_reply_problem(rq, status, NULL) : th_reply_json(rq, 200);
}

th_handled th_certificates_get(th_request *rq)
{
    return one_reply(rq);
}

/* ---- changing ---- */

typedef struct changing {
    th_request *rq;
    th_certificate_action action;
    th_str reason, law;
} changing;

static th_status change_write(void *ctx, th_db *db, th_error *error)
{
    changing *c = ctx;
    th_certificates *certs = c->rq->module;
    th_issued issued;
    th_status status = th_issued_get(certs, db, c->rq->params[0], &c->rq->arena, &issued, error);
    if (!status && !th_office_may(certs, th_certificate_type_find(certs, issued.type), &c->rq->who))
        status = th_fail(error, TH_FORBIDDEN, "not-the-issuer", "您所在的部门不签发这种证照", "Your office does not issue this type of certificate");
    return status ? status : th_certificates_status(certs, db, c->rq->params[0], c->action, c->reason, c->law, c->rq->who.account, error);
}

static th_handled change(th_request *rq, th_certificate_action action)
{
    static const char *const members[] = {"reason", "law", NULL};
    changing c = {.rq = rq, .action = action, .reason = th_json_str(rq->json, "reason"), .law = th_json_str(rq->json, "law")};
    th_status status = th_json_only(rq->json, "", members, &rq->error) ? TH_OK : TH_INVALID;
    if (!status)
        status = th_certificates_write(rq->module, change_write, &c, &rq->error);
    return status ? th_reply_problem(rq, status, NULL) : one_reply(rq);
}

th_handled th_certificates_suspend(th_request *rq)
{
    return change(rq, TH_CERTIFICATE_SUSPEND);
}

th_handled th_certificates_restore(th_request *rq)
{
    return change(rq, TH_CERTIFICATE_RESTORE);
}

th_handled th_certificates_revoke(th_request *rq)
{
    return change(rq, TH_CERTIFICATE_REVOKE);
}
