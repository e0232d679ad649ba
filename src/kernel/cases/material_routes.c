/* material_routes.c — handing a paper in: said first (name, size, hash), then sent in pieces from where it stopped, then checked as a whole. */
#include "material.h"

#include <string.h>

typedef struct handing {
    th_cases *cases;
    th_str case_id;
    const th_who *who;
    th_arena *arena;
    th_material m;
    bool defer, whole, all; /* whole: checked and here; all: every piece came, not yet checked */
    int64_t offset, received;
    th_str bytes, event_json;
} handing;

static th_status right_check(handing *h, th_db *db, th_case *ret_case, th_error *error)
{
    th_status status = th_case_get(h->cases, db, h->case_id, h->arena, ret_case, error);
    if (!status && !(th_case_by(h->cases, ret_case, h->who) & (TH_BY_APPLICANT | TH_BY_COLLECTOR)))
        status = th_fail(error, TH_NOT_FOUND, "no-case", "没有这个办件", "There is no such case");
    return status;
}

static const th_json *material_of_item(const th_cases *cases, const th_case *c, th_str code)
{
    const th_case_item *item = th_case_item_of(cases, c);
    const th_json *list = item ? th_json_get(item->json, "materials") : NULL;
    for (const th_json *m = th_json_first(list); m; m = th_json_next(list, m))
        if (th_str_eq(th_json_str(m, "id"), code))
            return m;
    return NULL;
}

/* ---- saying what comes ---- */

static th_status said_read(th_request *rq, handing *h)
{
    static const char *const members[] = {"code", "name", "mime", "size", "sha256", "defer", NULL};
    th_error *error = &rq->error;
    h->defer = th_json_bool(rq->json, "defer", false);
    bool ok = th_json_only(rq->json, "", members, error);
    ok = th_json_want_str(rq->json, "", "code", TH_MATERIAL_CODE_MAX, &h->m.code, error) && ok;
    if (ok && !th_material_code_ok(h->m.code))
        ok = th_fail_field(error, "/code", "pattern", "材料编号只含字母、数字、- 与 _", "A code has letters, digits, - and _ only") == TH_OK;
    if (h->defer)
        return ok ? TH_OK : TH_INVALID;
    ok = th_json_want_str(rq->json, "", "name", 200, &h->m.name, error) && ok;
    ok = th_json_want_str(rq->json, "", "mime", 60, &h->m.mime, error) && ok;
    ok = th_json_want_str(rq->json, "", "sha256", 64, &h->m.sha256, error) && ok;
    ok = th_json_want_int(rq->json, "", "size", 1, TH_MATERIAL_MAX, &h->m.size, error) && ok;
    uint8_t hash[TH_HASH_SIZE];
    if (ok && !th_unhex(h->m.sha256, hash, sizeof hash))
        ok = th_fail_field(error, "/sha256", "format", "须为 64 位小写十六进制", "Must be 64 hex digits") == TH_OK;
    return ok ? TH_OK : TH_INVALID;
}

static th_status event_note(handing *h, th_db *db, th_case *c, const char *kind, th_error *error)
{
    h->event_json = th_material_event_json(kind, &h->m, h->arena);
    if (!h->event_json.p)
        return TH_TOO_LARGE;
    th_case_event event = {.kind = th_str_of(kind), .actor = h->who->account, .json = h->event_json, .at_us = th_now_us(&h->cases->env)};
    return th_case_note(h->cases, db, c, &event, h->arena, error);
}

/* What stands under the code; one that is here gives way only while it may, and not without a trace. NULL: nothing stands there. */
static th_status known_read(handing *h, th_db *db, th_material *known, const th_material **ret_known, th_error *error)
{
    th_error none = {0};
    th_status status = th_material_get(db, h->case_id, h->m.code, h->arena, known, &none);
    *ret_known = status ? NULL : known;
    if (status == TH_NOT_FOUND)
        return TH_OK;
    if (status)
        *error = none;
    return status;
}

static th_status give_way(handing *h, th_db *db, th_case *c, const th_material *known, th_error *error)
{
    th_status status = th_material_replace_check(c, known, error);
    if (!status && known && th_str_is(known->state, "here"))
        status = th_material_replaced_note(h->cases, db, c, known, h->who->account, (th_str){NULL, 0}, h->arena, error);
    return status;
}

/* Where the item does not allow it, the applicant's standing may: so many papers in all. */
static th_status deferral_earned(handing *h, th_db *db, const th_case *c, bool *ret_allowed, th_error *error)
{
    const th_json *secret;
    const th_value *row;
    *ret_allowed = false;
    if (!h->cases->deferral)
        return TH_OK;
    th_status status = th_case_secret_open(h->cases, c->id, c->secret, h->arena, &secret, error);
    th_value key = th_v_text(h->case_id);
    if (!status)
        status = th_db_one(db, "SELECT COUNT(*) FROM cases_material WHERE case_id = ?1 AND state = 'deferred'", &key, 1, h->arena, &row, error);
    if (!status)
        *ret_allowed = row[0].i < h->cases->deferral(h->cases->deferral_ctx, db, secret, h->arena);
    return status;
}

static th_status deferred_write(handing *h, th_db *db, th_case *c, const th_material *known, th_error *error)
{
    const th_json *wanted = material_of_item(h->cases, c, h->m.code);
    bool allowed = th_json_int(wanted, "defer_days", 0) > 0;
    th_status status = allowed || !wanted ? TH_OK : deferral_earned(h, db, c, &allowed, error);
    if (status)
        return status;
    if (!allowed)
        return th_fail(error, TH_UNPROCESSABLE, "no-deferral", "本事项不允许容缺这份材料", "This item does not let this paper follow later");
    h->m = (th_material){.code = h->m.code, .name = TH_STR(""), .mime = TH_STR(""), .sha256 = TH_STR(""), .state = TH_STR("deferred"),
                         .source = th_str_of(h->cases->code), .at_us = th_now_us(&h->cases->env)};
    status = give_way(h, db, c, known, error);
    if (!status)
        status = th_material_put(db, h->case_id, &h->m, error);
    if (!status)
        status = event_note(h, db, c, "material_deferred", error);
    return status ? status : th_handover_when_ready(h->cases, db, c->id, error);
}

/* How much of the paper is here; is it whole, or does it only want its check? */
static th_status progress_read(handing *h, th_db *db, const th_material *m, th_error *error)
{
    int64_t n;
    th_status status = th_pieces_count(db, h->case_id, m->code, h->arena, &n, error);
    h->whole = th_str_is(m->state, "here");
    h->all = th_str_is(m->state, "uploading") && n >= th_pieces_of(m->size);
    h->received = h->whole || n * TH_PIECE > m->size ? m->size : n * TH_PIECE;
    return status;
}

static th_status said_write(void *ctx, th_db *db, th_error *error)
{
    handing *h = ctx;
    th_case c;
    th_material row;
    const th_material *known;
    h->whole = h->all = false;
    th_status status = right_check(h, db, &c, error);
    if (!status)
        status = th_material_replace_check(&c, NULL, error);
    if (!status)
        status = known_read(h, db, &row, &known, error);
    if (status)
        return status;
    if (h->defer)
        return deferred_write(h, db, &c, known, error);
    if (known && th_str_eq(known->sha256, h->m.sha256) && known->size == h->m.size) {
        h->m = *known;
        return progress_read(h, db, known, error);
    }
    status = give_way(h, db, &c, known, error);
    if (status)
        return status;
    h->m.state = TH_STR("uploading");
    h->m.source = th_str_of(h->cases->code);
    h->m.at_us = th_now_us(&h->cases->env);
    return th_material_put(db, h->case_id, &h->m, error);
}

/* ---- the whole ---- */

/* The whole paper, checked piece by piece before anybody relies on it. */
static th_status whole_check(handing *h, th_error *error)
{
    th_db *db;
    th_material_look look;
    th_status status = th_store_acquire(h->cases->store, &db, error);
    if (status)
        return status;
    status = th_material_verify(h->cases, db, h->case_id, &h->m, &look, error);
    th_store_release(h->cases->store, db);
    return status ? status : th_material_look_judge(&look, h->m.mime, error);
}

/* Only the paper that was looked at: another may have been announced in the meantime, or the same request may have been quicker elsewhere. */
static th_status whole_write(void *ctx, th_db *db, th_error *error)
{
    handing *h = ctx;
    th_case c;
    th_material now;
    bool arrived = false;
    h->event_json = (th_str){NULL, 0};
    th_status status = right_check(h, db, &c, error);
    if (!status)
        status = th_material_replace_check(&c, NULL, error);
    if (!status)
        status = th_material_arrive(db, h->case_id, &h->m, &arrived, error);
    if (!status && !arrived)
        status = th_material_get(db, h->case_id, h->m.code, h->arena, &now, error);
    if (status)
        return status;
    if (!arrived)
        return th_str_is(now.state, "here") && th_str_eq(now.sha256, h->m.sha256) && now.size == h->m.size
                   ? TH_OK
                   : th_fail(error, TH_CONFLICT, "material-changed", "这份材料已另行申报，请重新上传", "Another paper was announced in the meantime; send it again");
    status = event_note(h, db, &c, "material", error);
    if (!status && !th_case_written_here(h->cases, &c)) {
        th_str body = th_strf(h->arena, "{\"case\":\"%s\",\"material\":%.*s}", c.id, TH_FMT(h->event_json));
        status = body.p ? th_outbox_put(h->cases->exchange, db, c.owner, "case.material", th_str_of(c.id), c.item, th_str_of(c.id),
                                        (th_str){NULL, 0}, body, error)
                        : TH_NO_MEMORY;
    }
    return status ? status : th_handover_when_ready(h->cases, db, c.id, error);
}

/* What is not right is forgotten, and the case stays; another paper that was announced in the meantime stays too. */
static th_status forget_write(void *ctx, th_db *db, th_error *error)
{
    handing *h = ctx;
    int64_t gone = 0;
    th_value keys[] = {th_v_text(h->case_id), th_v_text(h->m.code), th_v_text(h->m.sha256), th_v_int(h->m.size), th_v_int(h->m.at_us)};
    th_status status = th_db_exec(db,
                                  "DELETE FROM cases_material WHERE case_id = ?1 AND code = ?2 AND sha256 = ?3 AND size = ?4 AND at = ?5 "
                                  "AND state = 'uploading'",
                                  keys, TH_COUNT(keys), &gone, error);
    if (!status && gone)
        status = th_db_exec(db, "DELETE FROM cases_piece WHERE case_id = ?1 AND code = ?2", keys, 2, NULL, error);
    return status;
}

/* Every piece is here. Two commits lie between that and a paper that counts: whoever died or was turned away in between comes back by the next
 * announcement, or the next piece. */
static th_status whole_take(handing *h, th_error *error)
{
    th_status status = whole_check(h, error);
    if (status == TH_UNPROCESSABLE) {
        th_error ignored = {0};
        TH_IGNORE(th_cases_write(h->cases, forget_write, h, &ignored));
    }
    if (!status)
        status = th_cases_write(h->cases, whole_write, h, error);
    if (status)
        return status;
    h->whole = true;
    h->received = h->m.size;
    if (h->event_json.n)
        th_case_told(h->cases, h->case_id, h->event_json);
    return TH_OK;
}

static th_handled received_reply(th_request *rq, const handing *h)
{
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kint(&pen, "received", h->received < h->m.size ? h->received : h->m.size);
    th_pen_kint(&pen, "size", h->m.size);
    th_pen_kint(&pen, "piece", TH_PIECE);
    th_pen_kbool(&pen, "whole", h->whole);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

th_handled th_material_post(th_request *rq)
{
    handing h = {.cases = rq->module, .case_id = rq->params[0], .who = &rq->who, .arena = &rq->arena};
    th_status status = said_read(rq, &h);
    if (!status)
        status = th_cases_write(h.cases, said_write, &h, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    if (h.event_json.n)
        th_case_told(h.cases, h.case_id, h.event_json);
    if (h.all && (status = whole_take(&h, &rq->error)))
        return th_reply_problem(rq, status, NULL);
    return received_reply(rq, &h);
}

/* ---- sending ---- */

static th_status pieces_write(void *ctx, th_db *db, th_error *error)
{
    handing *h = ctx;
    th_case c;
    th_str code = h->m.code;
    h->all = false;
    th_status status = right_check(h, db, &c, error);
    if (!status)
        status = th_material_get(db, h->case_id, code, h->arena, &h->m, error);
    if (!status)
        status = progress_read(h, db, &h->m, error);
    if (status || h->all)
        return status;
    if (!th_str_is(h->m.state, "uploading"))
        return th_fail(error, TH_CONFLICT, "material-state", "这份材料已收齐", "This paper is here already");
    bool last = h->offset + (int64_t)h->bytes.n == h->m.size;
    if (h->offset != h->received || (!last && h->bytes.n % TH_PIECE) || h->offset + (int64_t)h->bytes.n > h->m.size)
        return th_failf(error, TH_CONFLICT, "material-offset", "请从第 %lld 字节起发送，除最后一段外为 32 KiB 的整数倍",
                        "Send from byte %lld on, whole pieces of 32 KiB but for the last", (long long)h->received);
    status = th_pieces_put(h->cases, db, h->case_id, h->m.code, h->offset / TH_PIECE, h->bytes, h->arena, error);
    h->received += (int64_t)h->bytes.n;
    h->all = h->received == h->m.size;
    return status;
}

th_handled th_material_put_bytes(th_request *rq)
{
    handing h = {.cases = rq->module, .case_id = rq->params[0], .who = &rq->who, .arena = &rq->arena, .bytes = rq->body,
                 .m = {.code = rq->params[1]}};
    th_status status = th_request_query_int(rq, "offset", 0, TH_MATERIAL_MAX, 0, &h.offset);
    if (!status && !rq->body.n)
        status = th_fail(&rq->error, TH_INVALID, "material-empty", "没有内容", "There is nothing in it");
    if (!status)
        status = th_cases_write(h.cases, pieces_write, &h, &rq->error);
    if (!status && h.all)
        status = whole_take(&h, &rq->error);
    return status ? th_reply_problem(rq, status, NULL) : received_reply(rq, &h);
}

/* ---- reading ---- */

th_handled th_material_get_bytes(th_request *rq)
{
    th_cases *cases = rq->module;
    th_db *db;
    th_case c;
    th_material m;
    th_str bytes;
    th_status status = th_store_acquire(cases->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_case_get(cases, db, rq->params[0], &rq->arena, &c, &rq->error);
    if (!status && !th_case_by(cases, &c, &rq->who))
        status = th_fail(&rq->error, TH_NOT_FOUND, "no-case", "没有这个办件", "There is no such case");
    if (!status)
        status = th_material_get(db, rq->params[0], rq->params[1], &rq->arena, &m, &rq->error);
    if (!status && !th_str_is(m.state, "here"))
        status = th_fail(&rq->error, TH_NOT_FOUND, "material-not-here", "这份材料尚未到齐", "This paper is not here yet");
    if (!status)
        status = th_material_bytes(cases, db, rq->params[0], &m, &rq->arena, &bytes, &rq->error);
    th_store_release(cases->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    /* Never shown inside the page's own origin. */
    th_reply_header(rq, "Content-Disposition", TH_STR("attachment"));
    th_reply_header(rq, "X-Content-Type-Options", TH_STR("nosniff"));
    return th_reply_bytes(rq, 200, "application/octet-stream", bytes);
}
