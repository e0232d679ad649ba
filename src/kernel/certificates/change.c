/* change.c — suspend, restore, revoke: one row here, one message to every member. */
#include "certificates-private.h"

#include <string.h>

static const struct { const char *name, *operation; unsigned from, status; } actions[] = {
    /* from: which states allow it, a bit each */
    [TH_CERTIFICATE_SUSPEND] = {"suspend", "03", 1u << TH_STATUS_VALID, TH_STATUS_SUSPENDED},
    [TH_CERTIFICATE_RESTORE] = {"restore", "06", 1u << TH_STATUS_SUSPENDED, TH_STATUS_VALID},
    [TH_CERTIFICATE_REVOKE] = {"revoke", "05", 1u << TH_STATUS_VALID | 1u << TH_STATUS_SUSPENDED, TH_STATUS_INVALID},
};

typedef struct changing {
    int64_t list, place, version, at_us, status;
    th_str uri;
} changing;

static th_status members_tell(th_certificates *certs, th_db *db, const changing *c, th_str item, th_str case_id, th_str office, th_arena *arena,
                              th_error *error)
{
    th_status status = TH_OK;
    th_buf body;
    th_buf_open(&body, arena, 4096);
    th_pen pen = th_pen_on(&body);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "uri", c->uri);
    th_pen_kint(&pen, "place", c->place);
    th_pen_kint(&pen, "status", c->status);
    th_pen_kint(&pen, "version", c->version);
    th_pen_kint(&pen, "at_us", c->at_us);
    th_pen_end(&pen, '}');
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    for (size_t i = 0; trust && !status && i < trust->member_count; i++) {
        const char *member = trust->members[i].code;
        if (strcmp(member, certs->code) != 0)
            status = th_outbox_put(certs->options.exchange, db, th_str_of(member), "certificate.status", c->uri, item, case_id, office, th_buf_view(&body), error);
    }
    th_trust_release(trust);
    return status;
}

static th_status rows_change(th_db *db, const changing *c, th_str id, const char *operation, th_str reason, th_str law, th_str actor, th_error *error)
{
    th_value issued[] = {th_v_text(id), th_v_int(c->status), th_v_text(th_str_of(operation))};
    th_value place[] = {th_v_int(c->list), th_v_int(c->place), th_v_int(c->status)};
    th_value change[] = {th_v_int(c->list), th_v_int(c->version), th_v_int(c->place), th_v_int(c->status), th_v_int(c->at_us),
                         th_v_text(th_str_of(operation)), th_v_text(reason), th_v_text(law), th_v_text(actor)};
    th_status status = th_db_exec(db, "UPDATE certificates_issued SET status = ?2, operation = ?3 WHERE id = ?1", issued, 3, NULL, error);
    if (!status)
        status = th_db_exec(db, "UPDATE certificates_place SET status = ?3 WHERE list = ?1 AND place = ?2", place, 3, NULL, error);
    if (!status)
        status = th_db_exec(db,
                            "INSERT INTO certificates_change (list, version, place, status, at, operation, reason, law, actor) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                            change, TH_COUNT(change), NULL, error);
    return status;
}

static th_status held_change(th_db *db, th_str uri, int64_t place, int64_t status, th_error *error)
{
    th_value values[] = {th_v_text(uri), th_v_int(place), th_v_int(status)};
    return th_db_exec(db, "UPDATE certificates_held SET status = ?3 WHERE uri = ?1 AND place = ?2", values, 3, NULL, error);
}

static bool text_ok(th_str text)
{
    return text.n > 0 && text.n <= TH_CERTIFICATE_TEXT_MAX && !th_str_has_controls(text);
}

th_status th_certificates_status(th_certificates *certs, th_db *db, th_str id, th_certificate_action action, th_str reason, th_str law, th_str actor,
                                 th_error *error)
{
    th_arena arena;
    const th_value *row, *version;
    changing c = {.at_us = th_now_us(certs->options.env), .status = actions[action].status};
    if (!text_ok(reason))
        return th_fail_field(error, "/reason", "required", "须写明原因", "The reason is needed");
    if (law.n && !text_ok(law))
        return th_fail_field(error, "/law", "text", "法律依据过长，或含有控制字符", "The law is too long, or holds control characters");
    if (action != TH_CERTIFICATE_RESTORE && !law.n)
        return th_fail_field(error, "/law", "required", "须写明法律依据", "The law is needed");
    th_arena_open(&arena, 256 * 1024);
    th_value key = th_v_text(id);
    th_status status = th_db_one(db, "SELECT status, list, place, item, case_id, office FROM certificates_issued WHERE id = ?1", &key, 1, &arena, &row, error);
    if (status == TH_NOT_FOUND)
        th_fail(error, status, "no-certificate", "没有这份证照", "There is no such certificate");
    if (!status && !(actions[action].from >> row[0].i & 1))
        status = th_fail(error, TH_CONFLICT, "certificate-state", "证照的当前状态不允许此操作", "The certificate's state does not allow it");
    if (!status) {
        c.list = row[1].i;
        c.place = row[2].i;
        c.uri = th_list_uri(certs, c.list, &arena);
        th_value list = th_v_int(c.list);
        status = th_db_one(db, "UPDATE certificates_list SET version = version + 1 WHERE list = ?1 RETURNING version", &list, 1, &arena, &version, error);
    }
    if (!status) {
        c.version = version[0].i;
        status = rows_change(db, &c, id, actions[action].operation, reason, law, actor, error);
    }
    if (!status)
        status = held_change(db, c.uri, c.place, c.status, error);
    if (!status)
        status = members_tell(certs, db, &c, row[3].s, row[4].s, row[5].s, &arena, error);
    th_arena_close(&arena);
    return status;
}

th_status th_certificates_of_case_end(th_certificates *certs, th_db *db, th_str case_id, th_str reason, th_str law, th_arena *arena, th_error *error)
{
    th_rows rows;
    th_value value = th_v_text(case_id);
    th_status status = th_db_select(db, "SELECT id FROM certificates_issued WHERE case_id = ?1 AND status <> 1", &value, 1, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++)
        status = th_certificates_status(certs, db, th_row(&rows, i)[0].s, TH_CERTIFICATE_REVOKE, reason, law, (th_str){NULL, 0}, error);
    return status;
}

/* ---- what others tell ---- */

static th_status teller_check(th_certificates *certs, const th_message *m, th_str uri, th_error *error)
{
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    const th_member *owner = th_member_by_url(trust, uri);
    bool own = owner && th_str_is(th_str_of(m->from), owner->code);
    th_trust_release(trust);
    return own ? TH_OK : th_fail(error, TH_FORBIDDEN, "not-the-issuer", "只有签发方可以改变证照状态", "Only the issuer may change a status");
}

th_status th_status_told_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_certificates *certs = ctx;
    th_str uri;
    int64_t place, value, version, at;
    bool ok = th_json_want_str(m->body, "/body", "uri", TH_STATUS_URI_MAX, &uri, error);
    ok = th_json_want_int(m->body, "/body", "place", 0, INT64_MAX, &place, error) && ok;
    ok = th_json_want_int(m->body, "/body", "status", 0, 255, &value, error) && ok;
    ok = th_json_want_int(m->body, "/body", "version", 1, INT64_MAX, &version, error) && ok;
    ok = th_json_want_int(m->body, "/body", "at_us", 1, INT64_MAX, &at, error) && ok;
    (void)arena;
    if (!ok)
        return TH_INVALID;
    th_status status = teller_check(certs, m, uri, error);
    th_value values[] = {th_v_text(uri), th_v_int(place), th_v_int(value), th_v_int(version), th_v_int(at)};
    int64_t changed = 0;
    if (!status)
        status = th_db_exec(db,
                            "INSERT INTO certificates_told (uri, place, status, version, at) VALUES (?1, ?2, ?3, ?4, ?5) "
                            "ON CONFLICT (uri, place) DO UPDATE SET status = excluded.status, version = excluded.version, at = excluded.at "
                            "WHERE certificates_told.version < excluded.version",
                            values, TH_COUNT(values), &changed, error);
    if (!status && changed)
        status = held_change(db, uri, place, value, error);
    answer->body = TH_STR("{}");
    return status;
}
