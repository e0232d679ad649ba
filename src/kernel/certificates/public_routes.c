/* public_routes.c — what anybody may ask: types, status lists, keys, and whether a certificate is good. */
#include "certificates-private.h"

#include <string.h>

th_handled th_certificate_types_get(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < certs->type_count; i++)
        th_certificate_type_write(&pen, &certs->types[i]);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

th_handled th_certificate_type_get(th_request *rq)
{
    const th_certificate_type *type = th_certificate_type_find(rq->module, rq->params[0]);
    th_pen pen = th_pen_on(&rq->out);
    if (!type)
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "certificate-type", "没有这种证照", "There is no such type of certificate"), NULL);
    th_certificate_type_write(&pen, type);
    return th_reply_json(rq, 200);
}

/* ---- status lists ---- */

th_handled th_lists_get(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_rows rows;
    th_status status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_select(db, "SELECT list FROM certificates_list ORDER BY list", NULL, 0, &rq->arena, &rows, &rq->error);
    th_store_release(certs->options.store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "status_lists");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++)
        th_pen_str(&pen, th_list_uri(certs, th_row(&rows, i)[0].i, &rq->arena));
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

static th_status list_bytes(th_request *rq, th_db *db, int64_t list, int64_t at_us, bool cwt, th_str *ret_bytes)
{
    th_certificates *certs = rq->module;
    th_status_list read;
    th_str kid;
    if (!cwt)
        return th_list_token(certs, db, list, at_us, &rq->arena, ret_bytes, &rq->error);
    const th_key *key = th_signing_key(certs, &kid);
    th_status status = th_list_read(certs, db, list, at_us, &rq->arena, &read, &rq->error);
    return status ? status : th_status_cwt(&read, key, kid, (th_str){NULL, 0}, &rq->arena, ret_bytes, &rq->error);
}

th_handled th_list_get(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_str bytes, accept = th_request_header(rq, "Accept");
    int64_t list, at_s;
    bool cwt = accept.n && memmem(accept.p, accept.n, "statuslist+cwt", 14) && !memmem(accept.p, accept.n, "statuslist+jwt", 14);
    int64_t now_s = th_now_us(certs->options.env) / TH_SECOND_US;
    th_status status = th_request_query_int(rq, "time", 1, now_s, 0, &at_s);
    if (!status && !th_parse_i64(rq->params[0], 1, INT64_MAX, &list))
        status = th_fail(&rq->error, TH_NOT_FOUND, "no-list", "没有这个状态列表", "There is no such status list");
    if (!status)
        status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = list_bytes(rq, db, list, at_s * TH_SECOND_US, cwt, &bytes);
    th_store_release(certs->options.store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_bytes(rq, 200, cwt ? "application/statuslist+cwt" : "application/statuslist+jwt", bytes);
}

/* ---- keys: those that the trust document gives this member for certificates ---- */

th_handled th_issuer_get(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    const th_member *me = trust ? th_trust_member(trust, th_str_of(certs->code)) : NULL;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "issuer", certs->portal);
    th_pen_key(&pen, "jwks");
    th_pen_object(&pen);
    th_pen_key(&pen, "keys");
    th_pen_array(&pen);
    for (size_t i = 0; me && i < me->key_count; i++)
        if (me->keys[i].use & TH_USE_CERTIFICATE)
            th_jwk_write(&pen, me->keys[i].key, me->keys[i].kid);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}

/* ---- checking ---- */

static th_status check_job(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_certificate_check check;
    th_status status = th_certificates_check(certs, th_json_str(rq->json, "presented"), th_json_str(rq->json, "audience"), th_json_str(rq->json, "nonce"),
                                             &rq->arena, &check, &rq->error);
    if (status)
        return status;
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    th_pen pen = th_pen_on(&rq->out);
    th_check_write(&pen, certs, trust, &check);
    th_trust_release(trust);
    (void)th_reply_json(rq, 200);
    return TH_OK;
}

th_handled th_check_post(th_request *rq)
{
    static const char *const members[] = {"presented", "audience", "nonce", NULL};
    th_str presented;
    bool ok = th_json_only(rq->json, "", members, &rq->error);
    ok = th_json_want_str(rq->json, "", "presented", TH_SDJWT_MAX, &presented, &rq->error) && ok;
    return ok ? th_on_pool(rq, check_job) : th_reply_problem(rq, TH_INVALID, NULL);
}
