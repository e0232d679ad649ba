/* certify.c — the result of an item, where it is a certificate: issued with the decision, revoked when the decision falls. */
#include "government-private.h"

/* {"card_level":{"value":"B"},"education":{"form":"level"}}: fixed words, or what the applicant's form says. */
static th_status fields_make(const th_json *wanted, const th_json *form, th_arena *arena, const th_json **ret_fields, th_error *error)
{
    th_buf buf;
    th_buf_open(&buf, arena, 32 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (const th_json *w = th_json_first(wanted); w; w = th_json_next(wanted, w)) {
        const th_json *fixed = th_json_get(w, "value"), *said = th_json_get_str(form, th_json_str(w, "form"));
        const th_json *value = fixed ? fixed : said;
        if (!value)
            continue;
        th_pen_key_str(&pen, w->key);
        th_pen_raw(&pen, value->raw);
    }
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_json_parse(th_buf_view(&buf), arena, ret_fields, error) : TH_TOO_LARGE;
}

static th_status issue(th_government *g, th_db *db, const th_case_brief *brief, const th_case_item *item, const th_json *result, th_arena *arena,
                       th_error *error)
{
    th_certificate made;
    const th_json *holder = th_json_get(brief->secret, "holder");
    th_certificate_order order = {.type = th_json_str(result, "certificate"),
                                  .holder_id = th_json_str(brief->secret, "id_number"),
                                  .holder_name = th_json_str(brief->secret, "name"),
                                  .item = brief->item,
                                  .case_id = brief->id,
                                  .office = item->office,
                                  .wallet = holder ? brief->origin : (th_str){NULL, 0},
                                  .holder_key = holder};
    th_status status = fields_make(th_json_get(result, "fields"), th_json_get(brief->secret, "form"), arena, &order.fields, error);
    return status ? status : th_certificates_issue(g->certificates, db, &order, arena, &made, error);
}

th_status th_government_certify(void *ctx, th_db *db, const th_case_brief *brief, th_str kind, const th_json *body, th_arena *arena, th_error *error)
{
    th_government *g = ctx;
    const th_case_item *item = brief->item_then;
    const th_json *result = item ? th_json_get(item->json, "result") : NULL;
    if (!th_json_get(result, "certificate"))
        return TH_OK;
    bool approved = th_str_is(th_json_str(body, "outcome"), "approved"), changed = th_str_is(th_json_str(body, "result"), "change");
    bool decided = th_str_is(kind, "decided"), appealed = th_str_is(kind, "appeal_decided") && !th_str_is(th_json_str(body, "result"), "uphold");
    th_status status = TH_OK;
    if (th_str_is(kind, "annulled") || th_str_is(kind, "cancelled") || appealed)
        status = th_certificates_of_case_end(g->certificates, db, brief->id, th_json_str(body, "reason"), th_json_str(body, "law"), arena, error);
    if (!status && approved && (decided || (appealed && changed)))
        status = issue(g, db, brief, item, result, arena, error);
    return status;
}
