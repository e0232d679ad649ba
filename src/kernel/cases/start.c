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

/* ---- consents ---- */

static bool consented(const th_json *consents, th_str evidence)
{
    for (const th_json *c = th_json_first(consents); c; c = th_json_next(consents, c))
        if (th_str_eq(c->text, evidence))
            return true;
    return false;
}

/* Each is the id of an evidence of the item, once. */
static th_status consents_check(const th_case_item *item, const th_json *consents, th_error *error)
{
    char pointer[TH_POINTER_TEXT];
    size_t n = 0, before = error->field_count;
    for (const th_json *c = th_json_first(consents); c; c = th_json_next(consents, c), n++) {
        bool known = false, twice = false;
        snprintf(pointer, sizeof pointer, "/consents/%zu", n);
        for (size_t i = 0; i < item->evidence_count; i++)
            known = known || th_str_eq(item->evidence[i].id, c->text);
        for (const th_json *b = th_json_first(consents); b != c; b = th_json_next(consents, b))
            twice = twice || th_str_eq(b->text, c->text);
        if (c->type != TH_JSON_STRING)
            th_fail_field(error, pointer, "type", "须为文字", "Must be text");
        else if (!known)
            th_fail_field(error, pointer, "no-evidence", "该事项没有这项材料", "The service has no such evidence");
        else if (twice)
            th_fail_field(error, pointer, "repeated", "重复", "This stands twice");
    }
    return error->field_count > before ? TH_INVALID : TH_OK;
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
    c->item_version = s->item->version;
    c->origin = th_str_keep(&s->arena, th_str_of(cases->code));
    c->owner = th_item_owner(s->item, form);
    c->state = th_machine_state(cases->machine, TH_STR("evidence"));
    c->subject = s->start->subject;
    if (!c->subject.n) { /* begun without HTTP: the person is who the number says */
        char subject[TH_SUBJECT_TEXT];
        th_people_subject(cases->secret, s->start->applicant_id_number, subject);
        c->subject = th_str_keep(&s->arena, th_str_of(subject));
    }
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
    status = th_list_allows(s->cases, s->item, s->cases->code, s->start->office.n ? TH_STR("counter") : TH_STR("citizen"), error);
    if (!status)
        status = th_form_check(s->cases, s->item, form, error);
    if (!status)
        status = consents_check(s->item, consents, error);
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
