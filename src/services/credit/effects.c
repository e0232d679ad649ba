/* effects.c — what lists mean for a case, looked at when it is accepted and when it is granted, and noted there with their law. */
#include "credit-private.h"

#include <stdio.h>
#include <string.h>

static th_str organisation_of(const th_json *secret)
{
    return th_json_str(th_json_get(secret, "form"), "uscc");
}

/* The measures of every record that counts here and today; `each` false ends. */
typedef bool (*measure_seen)(void *ctx, const th_list *list, const th_record *record, const th_measure *measure);

static th_status measures_each(th_credit *c, th_db *db, th_str subject, th_arena *arena, measure_seen each, void *ctx, th_error *error)
{
    th_record *all;
    size_t n;
    int32_t today = th_day_of(th_now_us(&c->env));
    th_status status = th_records_of(db, subject, arena, &all, &n, error);
    for (size_t i = 0; !status && i < n; i++) {
        const th_list *list = th_list_find(c, all[i].list);
        if (!th_record_counts(c, &all[i], today) || !th_names(list->scope, th_str_of(c->code)))
            continue;
        for (const th_json *m = th_json_first(list->measures); m; m = th_json_next(list->measures, m))
            if (!each(ctx, list, &all[i], th_measure_find(c, m->text)))
                return TH_OK;
    }
    return status;
}

typedef struct noting {
    th_pen pen;
    size_t n;
    const th_measure *denied;
    const th_list *denied_by;
} noting;

static bool note(void *ctx, const th_list *list, const th_record *r, const th_measure *m)
{
    noting *k = ctx;
    k->n++;
    if (th_str_is(m->effect, "deny") && !k->denied) {
        k->denied = m;
        k->denied_by = list;
    }
    th_pen_object(&k->pen);
    th_pen_kstr(&k->pen, "list", list->code);
    th_pen_kraw(&k->pen, "list_title", th_json_get(list->json, "title")->raw);
    th_pen_kstr(&k->pen, "record", r->id);
    th_pen_kstr(&k->pen, "effect", m->effect);
    th_pen_kraw(&k->pen, "title", th_json_get(m->json, "title")->raw);
    th_pen_kraw(&k->pen, "law", th_json_get(m->json, "law")->raw);
    th_pen_end(&k->pen, '}');
    return true;
}

th_status th_credit_case_effect(void *ctx, th_db *db, const th_case_brief *brief, th_str kind, const th_json *body, th_arena *arena, th_error *error)
{
    th_credit *c = ctx;
    th_buf buf;
    noting k = {0};
    th_str subject = organisation_of(brief->secret);
    bool grants = th_str_is(kind, "decided") && th_str_is(th_json_str(body, "outcome"), "approved");
    if (!subject.n || (!grants && !th_str_is(kind, "accepted") && !th_str_is(kind, "deemed_accepted")))
        return TH_OK;
    th_buf_open(&buf, arena, 32 * 1024);
    k.pen = th_pen_on(&buf);
    th_pen_object(&k.pen);
    th_pen_ktext(&k.pen, "kind", "credit");
    th_pen_kstr(&k.pen, "at", kind);
    th_pen_key(&k.pen, "effects");
    th_pen_array(&k.pen);
    th_status status = measures_each(c, db, subject, arena, note, &k, error);
    th_pen_end(&k.pen, ']');
    th_pen_end(&k.pen, '}');
    if (status || !k.n)
        return status;
    if (grants && k.denied) {
        th_str zh = th_json_str(th_json_get(k.denied->json, "law"), "zh"), en = th_json_str(th_json_get(k.denied->json, "law"), "en");
        char words_zh[280], words_en[280];
        snprintf(words_zh, sizeof words_zh, "申请单位在“%.*s”内，不得准予：%.*s", TH_FMT(th_json_str(th_json_get(k.denied_by->json, "title"), "zh")), TH_FMT(zh));
        snprintf(words_en, sizeof words_en, "The organisation is on “%.*s”; it cannot be granted: %.*s",
                 TH_FMT(th_json_str(th_json_get(k.denied_by->json, "title"), "en")), TH_FMT(en));
        return th_fail(error, TH_CONFLICT, "credit-denied", words_zh, words_en);
    }
    return th_buf_ok(&buf) ? th_cases_remark(c->cases, db, brief->id, TH_STR("credit"), th_buf_view(&buf), arena, error) : TH_TOO_LARGE;
}

static bool deferral_count(void *ctx, const th_list *list, const th_record *r, const th_measure *m)
{
    int64_t *most = ctx;
    (void)list;
    (void)r;
    if (th_str_is(m->effect, "defer_materials") && m->n > *most)
        *most = m->n;
    return true;
}

int64_t th_credit_deferral(void *ctx, th_db *db, const th_json *secret, th_arena *arena)
{
    int64_t most = 0;
    th_str subject = organisation_of(secret);
    if (subject.n)
        TH_IGNORE(measures_each(ctx, db, subject, arena, deferral_count, &most, NULL));
    return most;
}
