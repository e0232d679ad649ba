/* start.c — a case begins: the form is checked, consents are signed, evidence is noted as wanted, all in one commit; asking follows. */
#include "cases-private.h"
#include "kernel/certificates/certificates.h"

#include <stdio.h>
#include <string.h>

enum { CONSENT_DAYS = 30, NUMBER_TEXT = 40 };

typedef struct starting {
    th_change change;
    th_arena arena;
    th_cases *cases;
    th_case_start *start;
    const th_case_item *item;
    const th_json *form;
    th_case c;
    th_str *consents; /* one an evidence, absent when none is needed */
    th_str event_json;
} starting;

/* ---- the form: required, type, enum, maxLength of the item's JSON Schema; the rest of the schema is the page's comfort ---- */

static void field_check(const th_json *schema, const th_json *value, th_str name, th_error *error)
{
    char pointer[96];
    th_arena arena;
    th_arena_open(&arena, 8192);
    th_str text = th_strf(&arena, "/form/%.*s", TH_FMT(name));
    size_t n = text.n < sizeof pointer - 1 ? text.n : sizeof pointer - 1;
    memcpy(pointer, text.p, n);
    pointer[n] = 0;
    th_arena_close(&arena);
    th_str type = th_json_str(schema, "type");
    const th_json *choices = th_json_get(schema, "enum");
    if (th_str_is(type, "string")) {
        int64_t most = th_json_int(schema, "maxLength", 200), least = th_json_int(schema, "minLength", 0);
        if (value->type != TH_JSON_STRING) {
            th_fail_field(error, pointer, "type", "须为文字", "Must be text");
            return;
        }
        if ((int64_t)value->text.n > most * 4 || (int64_t)value->text.n < least || th_str_has_controls(value->text)) {
            th_fail_field(error, pointer, "length", "长度不符，或含有控制字符", "Too long, too short, or with control characters");
            return;
        }
    } else if (th_str_is(type, "integer")) {
        int64_t number;
        if (!th_json_is_int(value, &number) || number < th_json_int(schema, "minimum", INT64_MIN) ||
            number > th_json_int(schema, "maximum", INT64_MAX)) {
            th_fail_field(error, pointer, "range", "须为范围内的整数", "Must be a whole number within the range");
            return;
        }
    } else if (th_str_is(type, "boolean") && value->type != TH_JSON_TRUE && value->type != TH_JSON_FALSE) {
        th_fail_field(error, pointer, "type", "须为是或否", "Must be true or false");
        return;
    }
    bool found = choices == NULL;
    for (const th_json *c = th_json_first(choices); c; c = th_json_next(choices, c))
        found = found || th_str_eq(c->raw, value->raw);
    if (!found)
        th_fail_field(error, pointer, "enum", "不在可选范围内", "Not one of the choices");
}

static th_status form_check(const th_case_item *item, const th_json *form, th_error *error)
{
    const th_json *schema = th_json_get(item->json, "form"), *properties = th_json_get(schema, "properties");
    const th_json *required = th_json_get(schema, "required");
    size_t before = error->field_count;
    for (const th_json *f = th_json_first(form); f; f = th_json_next(form, f)) {
        const th_json *property = th_json_get_str(properties, f->key);
        if (property)
            field_check(property, f, f->key, error);
        else
            th_fail_field(error, "/form", "unknown-field", "表单中有未定义的项目", "The form has a field that is not defined");
    }
    for (const th_json *r = th_json_first(required); r; r = th_json_next(required, r))
        if (!th_json_get_str(form, r->text)) {
            th_arena arena;
            th_arena_open(&arena, 8192);
            th_str pointer = th_strf(&arena, "/form/%.*s", TH_FMT(r->text));
            th_fail_field(error, pointer.p ? pointer.p : "/form", "required", "请填写此项", "This field is needed");
            th_arena_close(&arena);
        }
    return error->field_count > before ? TH_INVALID : TH_OK;
}

/* ---- consents ---- */

static bool consented(const th_json *consents, th_str evidence)
{
    for (const th_json *c = th_json_first(consents); c; c = th_json_next(consents, c))
        if (th_str_eq(c->text, evidence))
            return true;
    return false;
}

static th_status consent_sign(starting *s, const th_item_evidence *e, th_str *ret_token, th_error *error)
{
    const th_json *claims = th_json_get(e->json, "claims");
    th_str *fields = th_alloc_array(&s->arena, claims->count ? claims->count : 1, sizeof *fields);
    size_t n = 0;
    if (!fields)
        return TH_NO_MEMORY;
    for (const th_json *f = th_json_first(claims); f; f = th_json_next(claims, f))
        fields[n++] = f->key;
    th_consent consent = {.home = th_str_of(s->cases->code),
                          .provider = e->provider,
                          .reg = e->reg,
                          .fields = fields,
                          .field_count = n,
                          .item = s->item->code,
                          .case_id = th_str_of(s->c.id),
                          .lang = TH_STR("zh"),
                          .issued_us = s->c.created_us,
                          .expires_us = s->c.created_us + CONSENT_DAYS * TH_DAY_US};
    return th_consent_make(&consent, s->start->applicant_id_number, s->cases->message_key, &s->cases->env, &s->arena, ret_token,
                           error);
}

static th_status consents_sign(starting *s, const th_json *given, th_error *error)
{
    th_status status = TH_OK;
    s->consents = th_alloc_array(&s->arena, s->item->evidence_count + 1, sizeof *s->consents);
    if (!s->consents)
        return TH_NO_MEMORY;
    for (size_t i = 0; !status && i < s->item->evidence_count; i++) {
        const th_item_evidence *e = &s->item->evidence[i];
        if (!e->consent)
            continue;
        if (!consented(given, e->id))
            status = th_fail_field(error, "/consents", "consent-required", "需要本人同意核验这项材料",
                                   "This evidence can only be verified with the person's agreement");
        else
            status = consent_sign(s, e, &s->consents[i], error);
    }
    return status;
}

/* ---- the change ---- */

static th_status evidence_insert(starting *s, th_db *db, size_t i, th_error *error)
{
    const th_item_evidence *e = &s->item->evidence[i];
    th_value values[] = {th_v_text(th_str_of(s->c.id)), th_v_text(e->id), th_v_text(e->provider), th_v_text(e->reg),
                         th_v_text(TH_STR("waiting")), th_v_text(s->consents[i]), th_v_int(s->c.created_us)};
    return th_db_exec(db,
                      "INSERT INTO cases_evidence (case_id, evidence, provider, register, state, consent, attempts, next_at) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
                      values, TH_COUNT(values), NULL, error);
}

static th_status secret_make(starting *s, th_str holder, th_error *error);

/* Where a certificate may come of it, the key of the applicant's wallet goes along, for the deciding node to bind it to. */
static th_status holder_add(starting *s, th_db *db, th_error *error)
{
    th_str holder;
    if (!s->cases->certificates || !th_json_get(th_json_get(s->item->json, "result"), "certificate"))
        return TH_OK;
    th_status status = th_certificates_holder(s->cases->certificates, db, s->c.subject, &s->arena, &holder, error);
    return status ? status : secret_make(s, holder, error);
}

static th_status start_apply(th_change *change, th_db *db, th_error *error)
{
    starting *s = change->ctx;
    th_case_event event = {.kind = TH_STR("submitted"), .actor = s->start->account, .json = s->event_json, .at_us = s->c.created_us};
    th_fold fold = {0};
    th_status status = holder_add(s, db, error);
    if (!status)
        status = th_case_insert(db, &s->c, error);
    if (!status)
        status = th_case_append(s->cases, db, &s->c, &fold, &event, error);
    for (size_t i = 0; !status && i < s->item->evidence_count; i++)
        status = evidence_insert(s, db, i, error);
    if (!status && s->item->evidence_count == 0)
        status = th_handover_when_ready(s->cases, db, s->c.id, error);
    return status;
}

static void start_reply(th_change *change, th_status status, const th_error *error)
{
    starting *s = change->ctx;
    th_cases *cases = s->cases;
    th_case_start *start = s->start;
    char id[TH_ID_TEXT];
    start->status = status;
    if (error)
        start->error = *error;
    memcpy(start->case_id, s->c.id, sizeof start->case_id);
    memcpy(id, s->c.id, sizeof id);
    if (!status)
        th_case_told(cases, th_str_of(id), s->event_json);
    th_arena_close(&s->arena);
    th_free(s);
    start->done(start);
    if (!status) {
        th_error why = {0};
        if (th_evidence_ask(cases, th_str_of(id), &why))
            th_log(TH_LOG_INFO, "evidence-later", "type", why.type, NULL); /* the tick asks again */
    }
}

static th_status secret_make(starting *s, th_str holder, th_error *error)
{
    th_buf buf;
    th_buf_open(&buf, &s->arena, 2 * TH_FORM_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id_number", s->start->applicant_id_number);
    th_pen_kstr(&pen, "name", s->start->applicant_name);
    th_pen_kraw(&pen, "form", s->form->raw);
    if (holder.n)
        th_pen_kraw(&pen, "holder", holder);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "form-too-long", "表单内容过长", "The form is too long");
    return th_case_secret_seal(s->cases, s->c.id, th_buf_view(&buf), &s->arena, &s->c.secret);
}

static th_status case_make(starting *s, const th_json *form, th_error *error)
{
    th_cases *cases = s->cases;
    char masked[24];
    th_case *c = &s->c;
    th_uuid7(&cases->env, c->id);
    c->created_us = c->updated_us = th_now_us(&cases->env);
    int year, month, day;
    th_date_of(c->created_us + TH_SHANGHAI_US, &year, &month, &day);
    /* 120000-20261123-0A1B2C3D: the node, the day, and the id's random tail. */
    c->number = th_strf(&s->arena, "%s-%04d%02d%02d-%.8s", cases->code, year, month, day, c->id + 28);
    c->item = s->item->code;
    c->origin = th_str_keep(&s->arena, th_str_of(cases->code));
    c->owner = th_item_owner(s->item, form);
    c->state = th_machine_state(cases->machine, TH_STR("evidence"));
    c->subject = s->start->subject;
    c->account = s->start->account;
    c->office = s->start->office;
    c->channel = c->office.n ? TH_STR("counter") : TH_STR("citizen");
    c->applicant_name = s->start->applicant_name;
    th_id_mask(s->start->applicant_id_number, masked);
    c->id_masked = th_str_keep(&s->arena, th_str_of(masked));
    c->due_us = th_case_due_us(cases, s->item, c->created_us);
    s->event_json = th_strf(&s->arena, "{\"kind\":\"submitted\",\"channel\":\"%.*s\"}", TH_FMT(c->channel));
    s->form = form;
    return secret_make(s, (th_str){NULL, 0}, error);
}

/* An item whose owner stands in the form goes to a member of the region, or nowhere. */
static th_status owner_check(const starting *s, const th_json *form, th_error *error)
{
    char pointer[96];
    th_trust *trust = th_exchange_trust(s->cases->exchange);
    bool known = trust && th_trust_member(trust, th_item_owner(s->item, form));
    th_trust_release(trust);
    if (known || !s->item->owner_from.n)
        return TH_OK;
    snprintf(pointer, sizeof pointer, "/form/%.*s", TH_FMT(s->item->owner_from));
    return th_fail_field(error, pointer, "unknown-member", "不是区域成员的代码", "Not the code of a member of the region");
}

static th_status start_prepare(starting *s, th_error *error)
{
    static const char *const members[] = {"item", "form", "consents", "applicant", NULL};
    const th_json *root, *form, *consents;
    th_str code;
    th_status status = th_json_parse(s->start->json, &s->arena, &root, error);
    if (status)
        return status;
    bool ok = th_json_only(root, "", members, error);
    ok = th_json_want_str(root, "", "item", 64, &code, error) && ok;
    ok = th_json_want_object(root, "", "form", &form, error) && ok;
    ok = th_json_want_array(root, "", "consents", 16, &consents, error) && ok;
    if (!ok)
        return TH_INVALID;
    s->item = th_cases_item(s->cases, code);
    if (!s->item)
        return th_fail_field(error, "/item", "no-item", "区域清单中没有这个事项", "The region's list has no such item");
    if (form->raw.n > TH_FORM_MAX)
        return th_fail_field(error, "/form", "too-long", "表单内容过长", "The form is too long");
    if (!s->start->applicant_id_number.n || !s->start->applicant_name.n)
        return th_fail_field(error, "/applicant", "required", "须有申请人的姓名和身份号码",
                             "The applicant's name and identity number are needed");
    status = form_check(s->item, form, error);
    if (!status)
        status = owner_check(s, form, error);
    if (!status)
        status = case_make(s, form, error);
    if (!status)
        status = consents_sign(s, consents, error);
    return status;
}

th_status th_cases_start(th_cases *cases, th_case_start *start, th_error *error)
{
    th_error local = {0};
    starting *s = th_new(sizeof *s);
    if (!s)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_arena_open(&s->arena, 4u << 20);
    s->cases = cases;
    s->start = start;
    if (!error)
        error = &local;
    th_status status = start_prepare(s, error);
    if (!status) {
        s->change = (th_change){.apply = start_apply, .reply = start_reply, .ctx = s};
        status = th_writer_submit(cases->writer, &s->change);
        if (status)
            th_fail(error, status, "writer-busy", "本节点繁忙，请稍后再试", "This node is busy; try again shortly");
    }
    if (status) {
        th_arena_close(&s->arena);
        th_free(s);
    }
    return status;
}
