/* printed_routes.c — pages and squares: for the issuing office, for the wallet, for whoever checks. */
#include "certificates-private.h"
#include "platform/page/page.h"

#include <string.h>

enum { PAGE_MS = 8000 };

static th_status issued_read(th_request *rq, th_str id, th_issued *ret)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_status status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return status;
    status = th_issued_get(certs, db, id, &rq->arena, ret, &rq->error);
    th_store_release(certs->options.store, db);
    return status;
}

static th_status page_reply(th_request *rq, th_str pdf)
{
    th_reply_header(rq, "Content-Disposition", TH_STR("inline; filename=\"certificate.pdf\""));
    (void)th_reply_bytes(rq, 200, "application/pdf", pdf);
    return TH_OK;
}

static th_status issued_page(th_request *rq, const th_issued *issued)
{
    th_str pdf;
    th_status status = th_certificate_page(rq->module, issued, &rq->arena, &pdf, &rq->error);
    return status ? status : page_reply(rq, pdf);
}

static th_status svg_reply(th_request *rq, th_str text)
{
    th_str svg;
    th_status status = text.n ? th_square_svg(text, &rq->arena, &svg) : TH_NOT_FOUND;
    if (status)
        return th_fail(&rq->error, status, "no-square", "没有二维码", "There is no square");
    (void)th_reply_bytes(rq, 200, "image/svg+xml", svg);
    return TH_OK;
}

static th_handled handled(th_request *rq, th_status status)
{
    return status ? th_reply_problem(rq, status, NULL) : TH_DONE;
}

/* ---- the issuing office ---- */

static th_status office_page_job(th_request *rq)
{
    th_issued issued;
    th_status status = issued_read(rq, rq->params[0], &issued);
    if (!status && !th_office_may(rq->module, th_certificate_type_find(rq->module, issued.type), &rq->who))
        status = th_fail(&rq->error, TH_FORBIDDEN, "not-the-issuer", "您所在的部门不签发这种证照", "Your office does not issue this type of certificate");
    return status ? status : issued_page(rq, &issued);
}

th_handled th_certificates_page(th_request *rq)
{
    return th_on_pool(rq, office_page_job);
}

/* ---- the wallet of another node, by the key that came with the certificate ---- */

static th_status keyed_page_job(th_request *rq)
{
    th_issued issued;
    char wanted[TH_HEX_HASH];
    th_str given = th_json_str(rq->json, "key");
    th_page_key(rq->module, rq->params[0], wanted);
    bool known = given.n == TH_HEX_HASH - 1 && th_equal_secret(given.p, wanted, TH_HEX_HASH - 1);
    th_status status = known ? issued_read(rq, rq->params[0], &issued) : th_fail(&rq->error, TH_NOT_FOUND, "no-certificate", "没有这份证照", "There is no such certificate");
    return status ? status : issued_page(rq, &issued);
}

th_handled th_pages_post(th_request *rq)
{
    static const char *const members[] = {"key", NULL};
    return th_json_only(rq->json, "", members, &rq->error) ? th_on_pool(rq, keyed_page_job) : th_reply_problem(rq, TH_INVALID, NULL);
}

/* ---- the citizen ---- */

static th_status held_read(th_request *rq, th_held *ret)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_status status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return status;
    status = th_held_get(certs, db, rq->who.subject, rq->params[0], &rq->arena, ret, &rq->error);
    th_store_release(certs->options.store, db);
    return status;
}

static th_status page_fetch(th_request *rq, const th_held *held)
{
    th_certificates *certs = rq->module;
    th_arena *arena = &rq->arena;
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    const th_member *issuer = trust ? th_trust_member(trust, held->issuer) : NULL;
    th_str url = issuer ? th_strf(arena, "%.*s/certificates/v1/pages/%.*s", TH_FMT(issuer->portal), TH_FMT(held->id)) : (th_str){NULL, 0};
    th_trust_release(trust);
    if (!url.p || !certs->options.call)
        return th_fail(&rq->error, TH_UNAVAILABLE, "issuer-unavailable", "无法联系签发方", "The issuer cannot be reached");
    th_certificate_call call = {.method = "POST", .url = url.p, .accept = "application/pdf", .content_type = "application/json",
                                .body = th_strf(arena, "{\"key\":\"%.*s\"}", TH_FMT(held->page_key)), .answer_max = TH_PAGE_BYTES_MAX, .timeout_ms = PAGE_MS};
    th_status status = certs->options.call(certs->options.call_ctx, &call, arena, &rq->error);
    if (status)
        return status;
    if (call.http_status == 409)
        return th_fail(&rq->error, TH_CONFLICT, "certificate-state", "证照已被暂扣或撤销，不能打印", "The certificate is suspended or revoked and is not printed");
    if (call.http_status != 200 || !th_str_starts(call.answer, "%PDF-"))
        return th_failf(&rq->error, TH_UNAVAILABLE, "issuer-unavailable", "签发方没有给出页面（%d）", "The issuer gave no page (%d)", call.http_status);
    return page_reply(rq, call.answer);
}

static th_status wallet_page_job(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_held held;
    th_issued issued;
    th_status status = held_read(rq, &held);
    if (status)
        return status;
    if (!th_str_is(held.issuer, certs->code))
        return page_fetch(rq, &held);
    status = issued_read(rq, held.id, &issued);
    return status ? status : issued_page(rq, &issued);
}

th_handled th_wallet_page(th_request *rq)
{
    return th_on_pool(rq, wallet_page_job);
}

th_handled th_wallet_square(th_request *rq)
{
    th_held held;
    th_status status = held_read(rq, &held);
    return handled(rq, status ? status : svg_reply(rq, held.square));
}

/* ---- whoever asks ---- */

th_handled th_asked_square(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_asked asked;
    th_status status = th_asked_read(certs, rq->params[0], &rq->arena, &asked, &rq->error);
    return handled(rq, status ? status : svg_reply(rq, th_asked_link(certs, &asked, &rq->arena)));
}

static th_status check_page_job(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_certificate_check check;
    th_str none = {NULL, 0};
    th_status status = th_certificates_check(certs, rq->body, none, none, &rq->arena, &check, &rq->error);
    if (status)
        return status;
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    th_pen pen = th_pen_on(&rq->out);
    th_check_write(&pen, certs, trust, &check);
    th_trust_release(trust);
    (void)th_reply_json(rq, 200);
    return TH_OK;
}

th_handled th_check_page_post(th_request *rq)
{
    return th_on_pool(rq, check_page_job);
}
