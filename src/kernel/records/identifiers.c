/* identifiers.c — one identifier checked for a counter or an outside system: its stored form and what was changed, or what is wrong with it. Pure:
 * it says whether a number could have been issued, never whether it was. */
#include "records-private.h"

#include <string.h>

typedef struct checking {
    th_request *rq;
    th_str written, value;
    char text[TH_ID_WRITTEN_MAX + TH_ECERT_ID_MAX];
    unsigned changes;
    bool doubtful;
    th_item_code item;
    th_ecert_id ecert;
} checking;

static th_id_fault citizen_check(checking *c)
{
    char number[19];
    if (!th_citizen_id_normalise(c->written, number, &c->changes))
        return TH_ID_LENGTH;
    memcpy(c->text, number, sizeof number);
    c->value = th_str_of(c->text);
    return th_citizen_id_check(c->value, th_now_us(((th_records *)c->rq->module)->options.env));
}

static bool code_take(checking *c)
{
    bool fits = th_code_normalise(c->written, c->text, sizeof c->text, &c->changes);
    c->value = th_str_of(c->text);
    return fits;
}

static th_id_fault uscc_check(checking *c)
{
    th_id_fault fault = code_take(c) ? th_uscc_check(c->value) : TH_ID_LENGTH;
    c->doubtful = !fault && th_uscc_doubtful(c->value);
    return fault;
}

static th_id_fault organisation_check(checking *c)
{
    return code_take(c) ? th_org_code_check(c->value) : TH_ID_LENGTH;
}

static th_id_fault item_check(checking *c)
{
    return code_take(c) ? th_item_code_check(c->value, &c->item) : TH_ID_LENGTH;
}

static th_id_fault ecert_check(checking *c)
{
    c->value = th_str_trim(c->written);
    return th_ecert_id_check(c->value, &c->ecert);
}

static const struct { const char *kind; th_id_fault (*check)(checking *c); } kinds[] = {
    {"citizen", citizen_check}, {"uscc", uscc_check}, {"organisation", organisation_check}, {"item", item_check}, {"ecert", ecert_check}};

static void changes_write(const checking *c, th_pen *pen)
{
    static const struct { unsigned bit; const char *name; } names[] = {{TH_ID_WAS_FULL_WIDTH, "full-width"}, {TH_ID_WAS_LOWER, "lower-case"},
                                                                       {TH_ID_WAS_SPACED, "spaces"},         {TH_ID_WAS_OLD, "fifteen-digits"}};
    th_pen_key(pen, "changes");
    th_pen_array(pen);
    for (size_t i = 0; i < TH_COUNT(names); i++)
        if (c->changes & names[i].bit)
            th_pen_text(pen, names[i].name);
    th_pen_end(pen, ']');
}

static void parts_write(const checking *c, th_pen *pen)
{
    if (c->item.kind) {
        th_pen_kint(pen, "item_kind", c->item.kind);
        th_pen_kstr(pen, "basic_code", c->item.basic);
        th_pen_kstr(pen, "office_code", c->item.uscc);
    }
    if (c->ecert.check) {
        th_pen_kstr(pen, "type", c->ecert.type);
        th_pen_kstr(pen, "issuer", c->ecert.issuer);
        th_pen_kstr(pen, "version", c->ecert.version);
    }
}

th_handled th_identifier_check(th_request *rq)
{
    static const char *const members[] = {"kind", "value", NULL};
    th_str kind;
    checking c = {.rq = rq};
    th_id_fault fault = TH_ID_OK;
    bool known = false;
    if (!th_json_only(rq->json, "", members, &rq->error) || !th_json_want_str(rq->json, "", "kind", 20, &kind, &rq->error) ||
        !th_json_want_str(rq->json, "", "value", 400, &c.written, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    for (size_t i = 0; i < TH_COUNT(kinds); i++)
        if (th_str_is(kind, kinds[i].kind)) {
            known = true;
            fault = kinds[i].check(&c);
        }
    if (!known)
        return th_reply_problem(rq, th_fail_field(&rq->error, "/kind", "enum", "没有这一类", "There is no such kind"), NULL);
    if (fault) {
        const char *zh, *en;
        th_id_fault_words(fault, &zh, &en);
        th_fail_field(&rq->error, "/value", th_id_fault_code(fault), zh, en);
        rq->error.status = TH_UNPROCESSABLE;
        return th_reply_problem(rq, TH_UNPROCESSABLE, NULL);
    }
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "value", c.value);
    changes_write(&c, &pen);
    th_pen_kbool(&pen, "doubtful", c.doubtful);
    parts_write(&c, &pen);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}
