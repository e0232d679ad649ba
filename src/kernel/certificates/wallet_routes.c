/* wallet_routes.c — the citizen's own certificates: look, take along, show in part. */
#include "certificates-private.h"

#include <stdio.h>
#include <string.h>

enum { CLAIMS_MAX = 64, TEXT_MAX = 500 };

static const char *const states[] = {"valid", "revoked", "suspended"};
static const char *const disclosures[] = {[TH_DISCLOSE_ALWAYS] = "always", [TH_DISCLOSE_SELECTIVE] = "selective", [TH_DISCLOSE_NEVER] = "never"};

static th_status held_write(th_certificates *certs, th_pen *pen, const th_trust *trust, const th_held *h, bool whole, th_arena *arena, th_error *error)
{
    const th_certificate_type *type = th_certificate_type_find(certs, h->type);
    th_sdjwt token;
    th_status status = th_sdjwt_read(h->token, false, arena, &token, error);
    if (status)
        return status;
    bool expired = h->expires_us && th_now_us(certs->options.env) >= h->expires_us;
    th_pen_object(pen);
    th_pen_kstr(pen, "id", h->id);
    th_pen_kstr(pen, "number", h->number);
    th_pen_key(pen, "type");
    th_pen_object(pen);
    th_pen_kstr(pen, "code", h->type);
    th_pen_kstr(pen, "zh", type ? type->title_zh : h->type);
    th_pen_kstr(pen, "en", type ? type->title_en : h->type);
    th_pen_end(pen, '}');
    th_member_write(pen, "issuer", trust, h->issuer);
    const th_certificate_issuer *office = type ? th_certificate_type_issuer(type, h->issuer) : NULL;
    if (office)
        th_words_write(pen, "office", office->zh, office->en);
    th_pen_ktext(pen, "status", expired && h->status == TH_STATUS_VALID ? "expired" : h->status < (int64_t)TH_COUNT(states) ? states[h->status] : "other");
    th_pen_ktime(pen, "issued", h->issued_us);
    th_pen_ktime(pen, "expires", h->expires_us);
    th_pen_kbool(pen, "simulated", type && th_json_bool(type->json, "simulated", false));
    th_pen_kbool(pen, "square", h->square.n > 0);
    th_pen_key(pen, "fields");
    th_pen_array(pen);
    for (size_t i = 0; type && i < type->field_count; i++) {
        const th_certificate_field *f = &type->fields[i];
        const th_json *value = th_json_get_str(token.claims, f->name);
        if (!value)
            continue;
        th_pen_object(pen);
        th_pen_kstr(pen, "name", f->name);
        th_words_write(pen, "title", f->title_zh, f->title_en);
        th_pen_key(pen, "value");
        if (value->type == TH_JSON_STRING)
            th_pen_str(pen, value->text);
        else
            th_pen_raw(pen, value->raw);
        th_pen_ktext(pen, "disclosure", disclosures[f->disclosure]);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    if (whole && h->square.n)
        th_pen_kstr(pen, "square_text", h->square);
    th_pen_end(pen, '}');
    return TH_OK;
}

th_handled th_wallet_get(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_held *held;
    size_t n = 0;
    th_status status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_held_list(certs, db, rq->who.subject, &rq->arena, &held, &n, &rq->error);
    th_store_release(certs->options.store, db);
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; !status && i < n; i++)
        status = held_write(certs, &pen, trust, &held[i], false, &rq->arena, &rq->error);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return status ? th_reply_problem(rq, status, NULL) : th_reply_json(rq, 200);
}

static th_status held_find(th_request *rq, th_held *ret_held)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_status status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return status;
    status = th_held_get(certs, db, rq->who.subject, rq->params[0], &rq->arena, ret_held, &rq->error);
    th_store_release(certs->options.store, db);
    return status;
}

th_handled th_wallet_one(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_held held;
    th_status status = held_find(rq, &held);
    if (!status) {
        th_trust *trust = th_exchange_trust(certs->options.exchange);
        th_pen pen = th_pen_on(&rq->out);
        status = held_write(certs, &pen, trust, &held, true, &rq->arena, &rq->error);
        th_trust_release(trust);
    }
    return status ? th_reply_problem(rq, status, NULL) : th_reply_json(rq, 200);
}

th_handled th_wallet_token(th_request *rq)
{
    th_held held;
    th_status status = held_find(rq, &held);
    return status ? th_reply_problem(rq, status, NULL) : th_reply_bytes(rq, 200, "application/dc+sd-jwt", held.token);
}

/* ---- showing ---- */

typedef struct presenting {
    th_request *rq;
    th_shown shown;
} presenting;

static th_status shown_write(void *ctx, th_db *db, th_error *error)
{
    presenting *p = ctx;
    return th_shown_put(p->rq->module, db, p->rq->who.subject, &p->shown, error);
}

/* A type that left the region's list cannot say what it has. */
static bool type_has(const th_certificate_type *type, th_str name)
{
    for (size_t i = 0; type && i < type->field_count; i++)
        if (th_str_eq(type->fields[i].name, name))
            return true;
    return !type;
}

/* ["name","level"] → the paths [["name"],["level"]] and "name,level". */
static th_status claims_read(th_request *rq, const th_held *held, const th_json *list, const th_json ***ret_paths, size_t *ret_n, th_str *ret_names)
{
    th_buf names;
    const th_json **paths = th_alloc_array(&rq->arena, list->count + 1, sizeof *paths);
    const th_certificate_type *type = th_certificate_type_find(rq->module, held->type);
    char pointer[TH_POINTER_TEXT];
    size_t n = 0;
    th_buf_open(&names, &rq->arena, 8192);
    for (const th_json *c = th_json_first(list); paths && c; c = th_json_next(list, c)) {
        snprintf(pointer, sizeof pointer, "/claims/%zu", n);
        if (c->type != TH_JSON_STRING || !c->text.n || c->text.n > 64)
            return th_fail_field(&rq->error, pointer, "type", "须为字段名称", "Must be the name of a field");
        if (!type_has(type, c->text))
            return th_fail_field(&rq->error, pointer, "no-field", "该证照没有这一项", "The certificate has no such field");
        th_str text = th_strf(&rq->arena, "[%.*s]", TH_FMT(c->raw));
        if (!text.p || th_json_parse(text, &rq->arena, &paths[n], NULL))
            return TH_NO_MEMORY;
        n++;
        if (names.n)
            th_buf_char(&names, ',');
        th_buf_str(&names, c->text);
    }
    *ret_paths = paths;
    *ret_n = n;
    *ret_names = th_buf_view(&names);
    return paths && th_buf_ok(&names) ? TH_OK : TH_NO_MEMORY;
}

static th_status present(th_request *rq, const th_held *held, const th_json *claims, th_str audience, th_str nonce, th_str *ret_text, th_str *ret_names)
{
    const th_json **paths = NULL;
    size_t n = 0;
    th_status status = claims_read(rq, held, claims, &paths, &n, ret_names);
    return status ? status : th_held_show(rq->module, rq->who.subject, held, paths, n, audience, nonce, &rq->arena, ret_text, &rq->error);
}

th_handled th_wallet_present(th_request *rq)
{
    static const char *const members[] = {"claims", "audience", "nonce", "purpose", NULL};
    const th_json *claims;
    th_held held;
    th_str audience = th_json_str(rq->json, "audience"), nonce = th_json_str(rq->json, "nonce"), purpose = th_json_str(rq->json, "purpose"), text, names;
    bool ok = th_json_only(rq->json, "", members, &rq->error);
    ok = th_json_want_array(rq->json, "", "claims", CLAIMS_MAX, &claims, &rq->error) && ok;
    if (audience.n > TEXT_MAX || nonce.n > TEXT_MAX || purpose.n > TEXT_MAX || th_str_has_controls(audience) || th_str_has_controls(nonce) || th_str_has_controls(purpose))
        ok = th_fail_field(&rq->error, "/audience", "text", "过长，或含有控制字符", "Too long, or with control characters") == TH_OK;
    if (ok && audience.n && !nonce.n)
        ok = th_fail_field(&rq->error, "/nonce", "required", "指定对象时须有随机数", "An audience needs a nonce") == TH_OK;
    if (!ok)
        return th_reply_problem(rq, TH_INVALID, NULL);
    th_status status = held_find(rq, &held);
    if (!status)
        status = present(rq, &held, claims, audience, nonce, &text, &names);
    if (!status) {
        presenting p = {rq, {.certificate = held.id, .verifier = audience.n ? audience : TH_STR("-"), .purpose = purpose, .claims = names}};
        status = th_certificates_write(rq->module, shown_write, &p, &rq->error);
    }
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "presentation", text);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

th_handled th_wallet_shown(th_request *rq)
{
    th_certificates *certs = rq->module;
    th_db *db;
    th_rows rows;
    th_value subject = th_v_text(rq->who.subject);
    th_status status = th_store_acquire(certs->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_select(db, "SELECT id, certificate, verifier, purpose, claims, at FROM certificates_shown WHERE subject = ?1 ORDER BY id DESC LIMIT 200",
                          &subject, 1, &rq->arena, &rows, &rq->error);
    th_store_release(certs->options.store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_str rest = row[4].s, name;
        th_pen_object(&pen);
        th_pen_kstr(&pen, "id", row[0].s);
        th_pen_kstr(&pen, "certificate", row[1].s);
        th_pen_kstr(&pen, "verifier", row[2].s);
        th_pen_kstr(&pen, "purpose", row[3].s);
        th_pen_key(&pen, "claims");
        th_pen_array(&pen);
        while (rest.n && th_str_cut(&rest, ',', &name))
            th_pen_str(&pen, name);
        th_pen_end(&pen, ']');
        th_pen_ktime(&pen, "at", row[5].i);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}
