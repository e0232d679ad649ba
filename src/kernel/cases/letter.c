/* letter.c — a step of a case as a letter on paper: what was decided, on what grounds, under which law, where to appeal. Which steps have a
 * letter, and what it is called and says, stands in the rows of the machine; the words of who decided stand below as they were written.
 *
 * The record is the event; a letter is drawn from it whenever it is asked for. It is sealed by the member that decides; the others, which keep
 * a copy of the event, print it without a seal and say where the sealed one is.
 * Source  行政许可法 §32(2): a dated document under the office's seal; §38(2): refusals in writing. */
#include "cases-private.h"
#include "kernel/certificates/certificates.h"
#include "platform/page/page.h"

#include <string.h>

enum { PARTS_MAX = 40 };

typedef struct letter {
    th_cases *cases;
    const th_case *c;
    const th_case_item *item;
    const th_action *action;
    const th_json *row, *detail;
    char day[TH_TIME_TEXT];
    bool seals;    /* this member decides */
    th_str sender;
    th_arena *arena;
    th_page_part parts[PARTS_MAX];
    size_t n;
} letter;

/* A row's `when` names members of the event; the first letter whose all hold is the one. */
const th_json *th_letter_of(const th_action *action, const th_json *detail)
{
    const th_json *letters = action ? th_json_get(action->json, "letters") : NULL;
    for (const th_json *row = th_json_first(letters); row; row = th_json_next(letters, row)) {
        const th_json *when = th_json_get(row, "when");
        bool fits = true;
        for (const th_json *w = th_json_first(when); w; w = th_json_next(when, w)) {
            const th_json *said = th_json_get_str(detail, w->key);
            fits = fits && said && th_str_eq(said->text, w->text);
        }
        if (fits)
            return row;
    }
    return NULL;
}

static void part(letter *l, th_page_kind kind, th_str text, th_str other)
{
    if (l->n < PARTS_MAX)
        l->parts[l->n++] = (th_page_part){kind, text, other};
}

static void row_part(letter *l, const char *zh_en, th_str value)
{
    if (value.n)
        part(l, TH_PAGE_ROW, th_str_of(zh_en), value);
}

static th_str both(letter *l, th_str zh, th_str en)
{
    return th_str_eq(zh, en) ? zh : th_strf(l->arena, "%.*s\n%.*s", TH_FMT(zh), TH_FMT(en));
}

static th_str words_of(letter *l, const th_json *words)
{
    return words ? both(l, th_json_str(words, "zh"), th_json_str(words, "en")) : (th_str){NULL, 0};
}

/* {item} and {day}: all that a letter's sentence needs; everything else is a row of its own. */
static th_str sentence(letter *l, const char *language)
{
    bool zh = strcmp(language, "zh") == 0;
    th_str text = th_json_str(th_json_get(l->row, "body"), language), day = {l->day, 10};
    th_str item = l->item ? (zh ? l->item->title_zh : l->item->title_en) : l->c->item;
    th_buf buf;
    th_buf_open(&buf, l->arena, 4096);
    for (size_t i = 0; i < text.n; i++) {
        th_str rest = {text.p + i, text.n - i};
        if (th_str_starts(rest, "{item}"))
            th_buf_str(&buf, item), i += 5;
        else if (th_str_starts(rest, "{day}"))
            th_buf_str(&buf, day), i += 4;
        else
            th_buf_char(&buf, text.p[i]);
    }
    return th_buf_ok(&buf) ? th_buf_view(&buf) : text;
}

/* What was said, by the name of its field; a choice by its words. */
static th_str said_of(letter *l, const th_action_field *f, const th_json *value)
{
    th_str text = value->type == TH_JSON_STRING ? value->text : value->raw;
    if (f->kind == TH_FIELD_SUSPENSION)
        for (size_t i = 0; i < l->cases->rules->reason_count; i++)
            if (th_str_eq(text, l->cases->rules->reasons[i].name))
                return words_of(l, th_json_get(l->cases->rules->reasons[i].json, "title"));
    const th_json *options = f->kind == TH_FIELD_CHOICE ? th_json_get(f->json, "options") : NULL;
    for (const th_json *o = th_json_first(options); o; o = th_json_next(options, o))
        if (th_str_eq(th_json_str(o, "value"), text))
            return words_of(l, o);
    return text;
}

static void appeal_part(letter *l)
{
    const th_json *route = th_json_get(l->detail, "appeal");
    const th_json *organ = th_json_get(route, "organ"), *court = th_json_get(route, "court");
    long long days = th_json_int(route, "reconsideration_days", 0), months = th_json_int(route, "litigation_months", 0);
    if (!route || !days || !months)
        return;
    part(l, TH_PAGE_PARAGRAPH,
         th_strf(l->arena, "如不服本决定，可以自收到之日起 %lld 日内向%.*s申请行政复议，或者在 %lld 个月内向%.*s提起行政诉讼。", days, TH_FMT(th_json_str(organ, "zh")), months,
                 TH_FMT(th_json_str(court, "zh"))),
         (th_str){NULL, 0});
    part(l, TH_PAGE_NOTE,
         th_strf(l->arena, "If you disagree: within %lld days of receiving this, reconsideration: %.*s; or within %lld months, a lawsuit: %.*s.", days,
                 TH_FMT(th_json_str(organ, "en")), months, TH_FMT(th_json_str(court, "en"))),
         (th_str){NULL, 0});
    row_part(l, "救济依据 Under", words_of(l, th_json_get(route, "law")));
}

static void seal_part(letter *l, const th_member *owner, const th_json *office)
{
    th_str zh = th_json_str(office, "zh"), en = th_json_str(office, "en");
    if (!zh.n && owner) {
        zh = owner->name_zh;
        en = owner->name_en;
    }
    l->sender = zh.n ? zh : l->c->owner;
    if (l->seals)
        part(l, TH_PAGE_SEAL, th_strf(l->arena, "（电子签章）%.*s", TH_FMT(l->sender)), th_strf(l->arena, "Sealed electronically: %.*s", TH_FMT(en)));
    else
        part(l, TH_PAGE_NOTE,
             TH_STR("本页按办件记录打印，未加盖电子签章；盖章的文书由决定机关出具。\n"
                    "Printed from the record of the case, without a seal; the deciding office gives the sealed letter."),
             (th_str){NULL, 0});
}

static void parts_make(letter *l)
{
    const th_str none = {NULL, 0};
    const th_json *office = l->item ? th_json_get(l->item->json, "office_name") : NULL;
    th_trust *trust = th_exchange_trust(l->cases->exchange);
    const th_member *m = trust ? th_trust_member(trust, l->c->owner) : NULL;
    if (l->item && th_json_bool(l->item->json, "simulated", false))
        part(l, TH_PAGE_BANNER, TH_STR("模拟数据 simulated：演示用，不具法律效力 for demonstration only, without legal effect"), none);
    part(l, TH_PAGE_HEADING, th_json_str(l->row, "zh"), th_json_str(l->row, "en"));
    row_part(l, "办件编号 Case number", l->c->number);
    row_part(l, "申请人 Applicant", th_strf(l->arena, "%.*s（%.*s）", TH_FMT(l->c->applicant_name), TH_FMT(l->c->id_masked)));
    row_part(l, "事项 Service", l->item ? both(l, l->item->title_zh, l->item->title_en) : l->c->item);
    part(l, TH_PAGE_SPACE, none, none);
    part(l, TH_PAGE_PARAGRAPH, sentence(l, "zh"), none);
    part(l, TH_PAGE_NOTE, sentence(l, "en"), none);
    part(l, TH_PAGE_SPACE, none, none);
    for (size_t i = 0; i < l->action->field_count; i++) {
        const th_action_field *f = &l->action->fields[i];
        const th_json *value = th_json_get_str(l->detail, f->name), *title = th_json_get(f->json, "title");
        if (value && value->type != TH_JSON_NULL)
            part(l, TH_PAGE_ROW, th_strf(l->arena, "%.*s %.*s", TH_FMT(th_json_str(title, "zh")), TH_FMT(th_json_str(title, "en"))), said_of(l, f, value));
    }
    row_part(l, "办理依据 Under", words_of(l, th_json_get(l->action->json, "law")));
    part(l, TH_PAGE_SPACE, none, none);
    appeal_part(l);
    row_part(l, "决定机关 Office", m ? both(l, th_strf(l->arena, "%.*s %.*s", TH_FMT(m->name_zh), TH_FMT(th_json_str(office, "zh"))),
                                         th_strf(l->arena, "%.*s: %.*s", TH_FMT(m->name_en), TH_FMT(th_json_str(office, "en"))))
                                     : l->c->owner);
    row_part(l, "日期 Date", (th_str){l->day, 10});
    part(l, TH_PAGE_SPACE, none, none);
    seal_part(l, m, office);
    th_trust_release(trust);
}

static th_status letter_draw(th_request *rq, th_db *db, th_str *ret_pdf)
{
    th_cases *cases = rq->module;
    th_case c;
    int64_t seq;
    const th_value *row;
    letter l = {.cases = cases, .c = &c, .arena = &rq->arena};
    th_status status = th_case_get(cases, db, rq->params[0], &rq->arena, &c, &rq->error);
    if (status)
        return status;
    if (!th_case_shown_to(&c, &rq->who))
        return th_fail(&rq->error, TH_NOT_FOUND, "no-case", "没有这个办件", "There is no such case");
    if (!th_parse_i64(rq->params[1], 0, INT64_MAX, &seq))
        return th_fail(&rq->error, TH_NOT_FOUND, "no-letter", "没有这份文书", "There is no such letter");
    th_value key[] = {th_v_text(th_str_of(c.id)), th_v_int(seq)};
    status = th_db_one(db, "SELECT kind, json, at FROM cases_event WHERE case_id = ?1 AND seq = ?2", key, 2, &rq->arena, &row, &rq->error);
    if (!status && row)
        status = th_json_parse(row[1].s, &rq->arena, &l.detail, &rq->error);
    if (status && status != TH_NOT_FOUND)
        return status;
    l.action = !status && row ? th_machine_kind(cases->machine, row[0].s) : NULL;
    l.row = th_letter_of(l.action, l.detail);
    if (!l.row)
        return th_fail(&rq->error, TH_NOT_FOUND, "no-letter", "没有这份文书", "There is no such letter");
    l.item = th_case_item_of(cases, &c);
    th_time_shanghai(row[2].i, l.day);
    l.seals = cases->certificates && th_str_is(c.owner, cases->code);
    parts_make(&l);
    const th_page page = {.title = th_json_str(l.row, "zh"), .parts = l.parts, .count = l.n};
    status = th_page_pdf(&page, &rq->arena, ret_pdf, &rq->error);
    if (!status && l.seals)
        status = th_certificates_page_seal(cases->certificates, *ret_pdf, l.sender, TH_STR("文书签章 seal of a letter"), &rq->arena, ret_pdf, &rq->error);
    return status;
}

static th_status letter_answer(th_request *rq)
{
    th_cases *cases = rq->module;
    th_db *db;
    th_str pdf;
    th_status status = th_store_acquire(cases->store, &db, &rq->error);
    if (status)
        return status;
    status = letter_draw(rq, db, &pdf);
    th_store_release(cases->store, db);
    if (status)
        return status;
    th_reply_header(rq, "Content-Disposition", TH_STR("inline; filename=\"letter.pdf\""));
    (void)th_reply_bytes(rq, 200, "application/pdf", pdf);
    return TH_OK;
}

/* Drawing takes tens of milliseconds: not on the threads that everybody waits for. */
th_handled th_cases_letter(th_request *rq)
{
    th_cases *cases = rq->module;
    return th_request_on_pool(rq, cases->pool, letter_answer);
}
