/* issue.c — from an order to a certificate: fields, number, place, token, rows, in one transaction. */
#include "certificates-private.h"

#include <stdio.h>
#include <string.h>

typedef struct issuing {
    th_certificates *certs;
    th_db *db;
    const th_certificate_order *order;
    const th_certificate_type *type;
    const th_certificate_issuer *issuer;
    th_arena *arena;
    th_certificate made;
    char subject[TH_SUBJECT_TEXT], masked[24];
    const char *wallet;
    int64_t list, place;
    th_str uri, holder_jwk, content, square;
    th_error *error;
} issuing;

/* ---- dates: whole days of the Shanghai calendar ---- */

static int64_t day_start(int64_t at_us)
{
    return (at_us + TH_SHANGHAI_US) / TH_DAY_US * TH_DAY_US - TH_SHANGHAI_US;
}

static int64_t expiry_of(const th_certificate_type *t, int64_t now_us)
{
    int year, month, day;
    if (!t->years && !t->months && !t->days)
        return 0;
    th_date_of(now_us + TH_SHANGHAI_US, &year, &month, &day);
    int64_t months = (int64_t)year * 12 + month - 1 + t->years * 12 + t->months;
    year = (int)(months / 12);
    month = (int)(months % 12) + 1;
    while (!th_date_valid(year, month, day)) /* the 29th of February, five years on */
        day--;
    return th_date_us(year, month, day) - TH_SHANGHAI_US + t->days * TH_DAY_US;
}

static th_str date_text(int64_t at_us, th_arena *arena)
{
    int year, month, day;
    th_date_of(at_us + TH_SHANGHAI_US, &year, &month, &day);
    return th_strf(arena, "%04d-%02d-%02d", year, month, day);
}

/* ---- fields ---- */

static void field_wrong(issuing *s, const th_certificate_field *f, const char *code, const char *zh, const char *en)
{
    th_str pointer = th_strf(s->arena, "/fields/%.*s", TH_FMT(f->name));
    th_fail_field(s->error, pointer.p ? pointer.p : "/fields", code, zh, en);
}

static th_str filled(issuing *s, const th_certificate_field *f)
{
    if (th_str_is(f->from, "holder_name"))
        return s->order->holder_name;
    if (th_str_is(f->from, "holder_id"))
        return s->order->holder_id;
    if (th_str_is(f->from, "holder_id_masked"))
        return th_str_of(s->masked);
    if (th_str_is(f->from, "number"))
        return th_str_of(s->made.number);
    if (th_str_is(f->from, "issued"))
        return date_text(s->made.issued_us, s->arena);
    return s->made.expires_us ? date_text(s->made.expires_us - TH_DAY_US, s->arena) : TH_STR(""); /* the last day that it is good */
}

static bool given_ok(issuing *s, const th_certificate_field *f, const th_json *value)
{
    int64_t number;
    if (f->integer && th_json_is_int(value, &number))
        return true;
    if (!f->integer && value->type == TH_JSON_STRING && value->text.n && value->text.n <= TH_CERTIFICATE_TEXT_MAX && !th_str_has_controls(value->text))
        return true;
    field_wrong(s, f, "type", f->integer ? "须为整数" : "须为文字，不能为空或含控制字符", f->integer ? "Must be a whole number" : "Must be text, not empty and without control characters");
    return false;
}

enum { FIELDS_TOKEN, FIELDS_SQUARE, FIELDS_ALL };

static void fields_write(issuing *s, th_pen *pen, int which)
{
    for (size_t i = 0; i < s->type->field_count; i++) {
        const th_certificate_field *f = &s->type->fields[i];
        const th_json *value = th_json_get_str(s->order->fields, f->name);
        if ((which == FIELDS_TOKEN && f->disclosure == TH_DISCLOSE_NEVER) || (which == FIELDS_SQUARE && !f->square))
            continue;
        if (f->from.p) {
            th_str text = filled(s, f);
            if (text.n) {
                th_pen_key_str(pen, f->name);
                th_pen_str(pen, text);
            }
        } else if (value) {
            th_pen_key_str(pen, f->name);
            if (f->integer)
                th_pen_raw(pen, value->raw);
            else
                th_pen_str(pen, value->text);
        }
    }
}

static th_status fields_check(issuing *s)
{
    size_t before = s->error->field_count;
    for (size_t i = 0; i < s->type->field_count; i++) {
        const th_certificate_field *f = &s->type->fields[i];
        const th_json *value = th_json_get_str(s->order->fields, f->name);
        if (f->from.p)
            continue;
        if (value)
            (void)given_ok(s, f, value);
        else if (f->needed)
            field_wrong(s, f, "required", "缺少此项", "This field is missing");
    }
    for (const th_json *v = th_json_first(s->order->fields); v; v = th_json_next(s->order->fields, v)) {
        bool known = false;
        for (size_t i = 0; i < s->type->field_count; i++)
            known = known || (!s->type->fields[i].from.p && th_str_eq(v->key, s->type->fields[i].name));
        if (!known)
            th_fail_field(s->error, "/fields", "unknown-field", "证照类型没有这一项", "The type has no such field");
    }
    return s->error->field_count > before ? TH_INVALID : TH_OK;
}

static th_status order_check(issuing *s)
{
    const th_certificate_order *o = s->order;
    s->type = th_certificate_type_find(s->certs, o->type);
    s->issuer = s->type ? th_certificate_type_issuer(s->type, th_str_of(s->certs->code)) : NULL;
    if (!s->issuer)
        return th_fail(s->error, TH_UNPROCESSABLE, "certificate-type", "本节点不签发这种证照", "This node issues no such certificate");
    bool good = s->type->organisation ? th_uscc_check(o->holder_id) == TH_ID_OK : th_citizen_id_ok(o->holder_id);
    if (!good)
        return th_fail_field(s->error, "/holder/id", "check-digit", "持有人号码有误", "The holder's number is wrong");
    if (!o->holder_name.n || o->holder_name.n > 300 || th_str_has_controls(o->holder_name))
        return th_fail_field(s->error, "/holder/name", "required", "须有持有人姓名或名称", "The holder's name is needed");
    if (o->fields && o->fields->type != TH_JSON_OBJECT)
        return th_fail_field(s->error, "/fields", "type", "须为对象", "Must be an object");
    s->wallet = o->wallet.n ? th_str_keep(s->arena, o->wallet).p : s->certs->code;
    if (strcmp(s->wallet, s->certs->code) != 0 && !o->holder_key)
        return th_fail_field(s->error, "/holder/key", "required", "卡包在另一节点时须有持有人公钥", "A wallet at another node needs the holder's key");
    return fields_check(s);
}

/* 张三 1101**********002X; a company's code is public. */
static void holder_mask(issuing *s)
{
    th_str id = s->order->holder_id;
    if (s->type->organisation || id.n != 18)
        snprintf(s->masked, sizeof s->masked, "%.*s", TH_FMT(id));
    else
        snprintf(s->masked, sizeof s->masked, "%.4s**********%.4s", id.p, id.p + 14);
}

/* ---- number, holder ---- */

static th_status number_make(issuing *s)
{
    const th_value *row;
    int year, month, day;
    th_value code = th_v_text(th_str_of(s->type->code));
    th_status status = th_db_one(s->db,
                                 "INSERT INTO certificates_serial (type, last) VALUES (?1, 1) "
                                 "ON CONFLICT (type) DO UPDATE SET last = certificates_serial.last + 1 RETURNING last",
                                 &code, 1, s->arena, &row, s->error);
    if (status)
        return status;
    th_date_of(s->made.issued_us + TH_SHANGHAI_US, &year, &month, &day);
    th_str parts = th_strf(s->arena, "%.*s.%.*s.%04d%010lld.001", TH_FMT(s->type->type_code), TH_FMT(s->issuer->uscc), year, (long long)row[0].i);
    int n = parts.p ? snprintf(s->made.number, sizeof s->made.number, "1.2.156.3005.2.%s.%c", parts.p, th_ecert_id_digit(parts)) : -1;
    return n > 0 && n < (int)sizeof s->made.number ? TH_OK : TH_TOO_LARGE;
}

static th_status holder_find(issuing *s)
{
    th_key *given;
    if (!s->order->holder_key || (s->order->wallet.n && strcmp(s->wallet, s->certs->code) == 0))
        return th_certificates_holder(s->certs, s->db, th_str_of(s->subject), s->arena, &s->holder_jwk, s->error);
    th_status status = th_jwk_read(s->order->holder_key, s->arena, &given, s->error); /* only keys that can be checked later */
    if (status)
        return th_fail_field(s->error, "/holder/key", "key", "持有人公钥不合法", "The holder's key is not acceptable");
    th_buf buf;
    th_buf_open(&buf, s->arena, 1024);
    th_pen pen = th_pen_on(&buf);
    th_jwk_write(&pen, given, (th_str){NULL, 0});
    th_key_close(given);
    s->holder_jwk = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_NO_MEMORY;
}

/* ---- token ---- */

static void claims_write(issuing *s, th_pen *pen)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "iss", s->certs->portal);
    th_pen_kint(pen, "iat", s->made.issued_us / TH_SECOND_US);
    if (s->made.expires_us)
        th_pen_kint(pen, "exp", s->made.expires_us / TH_SECOND_US);
    th_pen_kstr(pen, "vct", s->type->vct);
    th_pen_ktext(pen, "number", s->made.number);
    if (th_json_bool(s->type->json, "simulated", false))
        th_pen_kbool(pen, "simulated", true);
    th_pen_key(pen, "cnf");
    th_pen_object(pen);
    th_pen_kraw(pen, "jwk", s->holder_jwk);
    th_pen_end(pen, '}');
    th_pen_key(pen, "status");
    th_pen_object(pen);
    th_pen_key(pen, "status_list");
    th_pen_object(pen);
    th_pen_kint(pen, "idx", s->place);
    th_pen_kstr(pen, "uri", s->uri);
    th_pen_end(pen, '}');
    th_pen_end(pen, '}');
    fields_write(s, pen, FIELDS_TOKEN);
    th_pen_end(pen, '}');
}

static void frame_write(issuing *s, th_pen *pen)
{
    th_pen_object(pen);
    th_pen_key(pen, "_sd");
    th_pen_array(pen);
    for (size_t i = 0; i < s->type->field_count; i++)
        if (s->type->fields[i].disclosure == TH_DISCLOSE_SELECTIVE)
            th_pen_str(pen, s->type->fields[i].name);
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

static th_status token_make(issuing *s)
{
    th_buf claims, frame;
    th_str kid;
    th_sdjwt_order order = {.key = th_signing_key(s->certs, &kid), .kid = kid, .env = s->certs->options.env};
    order.kid = kid;
    th_buf_open(&claims, s->arena, TH_LINE_MAX);
    th_buf_open(&frame, s->arena, 8192);
    th_pen pen = th_pen_on(&claims), frame_pen = th_pen_on(&frame);
    claims_write(s, &pen);
    frame_write(s, &frame_pen);
    if (!th_buf_ok(&claims) || !th_buf_ok(&frame))
        return th_fail(s->error, TH_TOO_LARGE, "certificate-too-large", "证照内容过大", "The certificate's content is too large");
    th_status status = th_json_parse(th_buf_view(&claims), s->arena, &order.claims, s->error);
    if (!status)
        status = th_json_parse(th_buf_view(&frame), s->arena, &order.frame, s->error);
    return status ? status : th_sdjwt_issue(&order, s->arena, &s->made.token, s->error);
}

/* The printed fields again, small. One that does not fit is no reason not to issue: the token is the certificate, the square a copy. */
static th_status square_make(issuing *s)
{
    th_buf fields;
    th_str kid;
    const th_key *key = th_signing_key(s->certs, &kid);
    th_offline o = {.issuer = th_str_of(s->certs->code), .type = th_str_of(s->type->code), .number = th_str_of(s->made.number), .issued_us = s->made.issued_us,
                    .expires_us = s->made.expires_us, .list = s->list, .index = s->place};
    th_buf_open(&fields, s->arena, 8192);
    th_pen pen = th_pen_on(&fields);
    th_pen_object(&pen);
    fields_write(s, &pen, FIELDS_SQUARE);
    th_pen_end(&pen, '}');
    th_status status = th_buf_ok(&fields) ? th_json_parse(th_buf_view(&fields), s->arena, &o.fields, s->error) : TH_TOO_LARGE;
    if (!status)
        status = th_offline_make(&o, key, kid, s->arena, &s->square, s->error);
    if (status == TH_TOO_LARGE) {
        th_log(TH_LOG_WARN, "square-too-large", "type", s->type->code, NULL);
        s->square = (th_str){NULL, 0};
        status = TH_OK;
    }
    return status;
}

/* ---- rows ---- */

static th_status content_seal(issuing *s)
{
    th_buf plain;
    th_buf_open(&plain, s->arena, 2 * TH_LINE_MAX);
    th_pen pen = th_pen_on(&plain);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "holder_id", s->order->holder_id);
    th_pen_kstr(&pen, "holder_name", s->order->holder_name);
    th_pen_key(&pen, "fields");
    th_pen_object(&pen);
    fields_write(s, &pen, FIELDS_ALL);
    th_pen_end(&pen, '}');
    th_pen_kstr(&pen, "token", s->made.token);
    th_pen_kstr(&pen, "square", s->square);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&plain))
        return th_fail(s->error, TH_TOO_LARGE, "certificate-too-large", "证照内容过大", "The certificate's content is too large");
    return th_certificate_seal(s->certs, th_str_of(s->made.id), th_buf_view(&plain), s->arena, &s->content);
}

static th_status row_insert(issuing *s)
{
    const th_certificate_order *o = s->order;
    th_hash hash = th_hash_str(TH_SUITE_P256, s->made.token);
    th_value values[] = {th_v_text(th_str_of(s->made.id)), th_v_text(th_str_of(s->made.number)), th_v_text(th_str_of(s->type->code)),
                         th_v_text(th_str_of(s->subject)), th_v_text(th_str_of(s->masked)), th_v_text(o->item), th_v_text(o->case_id), th_v_text(o->office),
                         th_v_text(o->actor), th_v_text(th_str_of(s->wallet)), th_v_int(TH_STATUS_VALID),
                         th_v_text(th_str_of(o->previous.n ? "02" : "01")), th_v_int(s->made.issued_us), th_v_int(s->made.issued_us),
                         s->made.expires_us ? th_v_int(s->made.expires_us) : th_v_null(), th_v_int(s->list), th_v_int(s->place),
                         th_v_text(o->previous.n ? o->previous : (th_str){NULL, 0}), th_v_text(th_base64url(s->arena, hash.b, sizeof hash.b)),
                         th_v_blob(s->content.p, s->content.n)};
    return th_db_exec(s->db,
                      "INSERT INTO certificates_issued (id, number, type, subject, holder_masked, item, case_id, office, actor, wallet, status, operation, "
                      "issued_at, valid_from, expires_at, list, place, previous, digest, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                      "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
                      values, TH_COUNT(values), NULL, s->error);
}

static th_status wallet_send(issuing *s)
{
    th_buf body;
    char page_key[TH_HEX_HASH];
    th_page_key(s->certs, th_str_of(s->made.id), page_key);
    th_buf_open(&body, s->arena, TH_LINE_MAX - 2048);
    th_pen pen = th_pen_on(&body);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", s->made.id);
    th_pen_kstr(&pen, "token", s->made.token);
    th_pen_kstr(&pen, "square", s->square);
    th_pen_ktext(&pen, "page_key", page_key);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&body))
        return th_fail(s->error, TH_TOO_LARGE, "certificate-too-large", "证照内容过大", "The certificate's content is too large");
    return th_outbox_put(s->certs->options.exchange, s->db, th_str_of(s->wallet), "certificate.issued", th_str_of(s->made.id), s->order->item,
                         s->order->case_id, s->order->office, th_buf_view(&body), s->error);
}

static th_status wallet_put(issuing *s)
{
    if (strcmp(s->wallet, s->certs->code) != 0)
        return wallet_send(s);
    if (s->order->holder_key && !s->order->wallet.n) /* a wallet of the holder's own: whoever asked hands the token over */
        return TH_OK;
    th_held held = {.id = th_str_of(s->made.id), .issuer = th_str_of(s->certs->code), .type = th_str_of(s->type->code), .number = th_str_of(s->made.number),
                    .uri = s->uri, .place = s->place, .issued_us = s->made.issued_us, .expires_us = s->made.expires_us, .token = s->made.token,
                    .square = s->square};
    return th_held_put(s->certs, s->db, th_str_of(s->subject), &held, s->error);
}

th_status th_certificates_issue(th_certificates *certs, th_db *db, const th_certificate_order *order, th_arena *arena, th_certificate *ret_certificate,
                                th_error *error)
{
    th_error local = {0};
    issuing s = {.certs = certs, .db = db, .order = order, .arena = arena, .error = error ? error : &local};
    int64_t now = th_now_us(certs->options.env);
    th_status status = order_check(&s);
    if (status)
        return status;
    th_uuid7(certs->options.env, s.made.id);
    s.made.issued_us = now / TH_SECOND_US * TH_SECOND_US;
    s.made.expires_us = expiry_of(s.type, day_start(now));
    th_people_subject(certs->options.secret, order->holder_id, s.subject);
    holder_mask(&s);
    status = number_make(&s);
    if (!status)
        status = th_place_take(certs, db, s.made.id, &s.list, &s.place, s.error);
    s.uri = th_list_uri(certs, s.list, arena);
    if (!status)
        status = holder_find(&s);
    if (!status)
        status = token_make(&s);
    if (!status)
        status = square_make(&s);
    if (!status)
        status = content_seal(&s);
    if (!status)
        status = row_insert(&s);
    if (!status)
        status = wallet_put(&s);
    if (!status && order->previous.n)
        status = th_certificates_status(certs, db, order->previous, TH_CERTIFICATE_REVOKE, TH_STR("换发新证照 Replaced by a new certificate"),
                                        TH_STR("行政许可法第五十条（延续） Administrative Licensing Law, article 50 (renewal)"), order->actor, s.error);
    if (!status)
        *ret_certificate = s.made;
    return status;
}
