/* statistics.c — what the evaluation and the head of an office need of the cases that this node decides, per item: what is open, overdue or
 * extended, time taken against promised, papers avoided, visits, ratings. Counted from rows, never kept beside them. */
#include "cases-private.h"

#include <string.h>

typedef struct figures {
    th_str item;
    int64_t cases, decided, approved, on_time, taken, promised, counter, rated, satisfied, rating_sum, verified, uploaded, open, overdue, extended;
} figures;

static figures *figures_of(figures *all, size_t *n, size_t max, th_str item)
{
    for (size_t i = 0; i < *n; i++)
        if (th_str_eq(all[i].item, item))
            return &all[i];
    if (*n == max)
        return NULL;
    all[*n].item = item;
    return &all[(*n)++];
}

static th_status rows_count(th_db *db, const th_value range[4], th_arena *arena, figures *all, size_t *n, size_t max, th_error *error)
{
    th_rows rows;
    th_status status = th_db_select(db,
                                    "SELECT item, COUNT(*), COUNT(taken_days), SUM(CASE WHEN outcome = 'approved' THEN 1 ELSE 0 END), "
                                    "SUM(CASE WHEN taken_days <= promised_days THEN 1 ELSE 0 END), COALESCE(SUM(taken_days), 0), "
                                    "COALESCE(SUM(promised_days), 0), SUM(CASE WHEN channel = 'counter' THEN 1 ELSE 0 END), COUNT(rating), "
                                    "SUM(CASE WHEN rating >= 3 THEN 1 ELSE 0 END), COALESCE(SUM(rating), 0), "
                                    "SUM(CASE WHEN open = 1 THEN 1 ELSE 0 END), "
                                    "SUM(CASE WHEN open = 1 AND due_at <= ?4 THEN 1 ELSE 0 END) "
                                    "FROM cases_case WHERE owner = ?1 AND created_at >= ?2 AND created_at < ?3 GROUP BY item ORDER BY item",
                                    range, 4, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_value *r = th_row(&rows, i);
        figures *f = figures_of(all, n, max, r[0].s);
        if (f)
            *f = (figures){.item = r[0].s, .cases = r[1].i, .decided = r[2].i, .approved = r[3].i, .on_time = r[4].i, .taken = r[5].i,
                           .promised = r[6].i, .counter = r[7].i, .rated = r[8].i, .satisfied = r[9].i, .rating_sum = r[10].i,
                           .open = r[11].i, .overdue = r[12].i};
    }
    return status;
}

/* Papers, and terms that were extended, stand in tables of their own. */
static th_status others_count(th_db *db, const th_value range[4], th_arena *arena, figures *all, size_t *n, size_t max, th_error *error)
{
    static const char *const sql[] = {
        "SELECT c.item, COUNT(*) FROM cases_evidence e JOIN cases_case c ON c.id = e.case_id WHERE c.owner = ?1 AND c.created_at >= ?2 AND "
        "c.created_at < ?3 AND e.state = 'answered' GROUP BY c.item",
        "SELECT c.item, COUNT(*) FROM cases_material m JOIN cases_case c ON c.id = m.case_id WHERE c.owner = ?1 AND c.created_at >= ?2 AND "
        "c.created_at < ?3 AND m.state = 'here' GROUP BY c.item",
        "SELECT c.item, COUNT(*) FROM cases_event e JOIN cases_case c ON c.id = e.case_id WHERE c.owner = ?1 AND c.created_at >= ?2 AND "
        "c.created_at < ?3 AND e.kind = 'extended' GROUP BY c.item"};
    th_status status = TH_OK;
    for (size_t k = 0; !status && k < TH_COUNT(sql); k++) {
        th_rows rows;
        status = th_db_select(db, sql[k], range, 3, arena, &rows, error);
        for (size_t i = 0; !status && i < rows.n; i++) {
            figures *f = figures_of(all, n, max, th_row(&rows, i)[0].s);
            if (f)
                *(k == 0 ? &f->verified : k == 1 ? &f->uploaded : &f->extended) = th_row(&rows, i)[1].i;
        }
    }
    return status;
}

/* Hundredths, so that no fraction is lost on the way to whoever rounds. */
static void share_write(th_pen *pen, const char *key, int64_t part, int64_t whole)
{
    th_pen_key(pen, key);
    if (whole)
        th_pen_int(pen, part * 10000 / whole);
    else
        th_pen_null(pen);
}

static void figures_write(const th_cases *cases, th_pen *pen, const figures *f)
{
    const th_case_item *item = th_cases_item(cases, f->item);
    th_pen_object(pen);
    th_pen_kstr(pen, "item", f->item);
    th_pen_key(pen, "title");
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", item ? item->title_zh : f->item);
    th_pen_kstr(pen, "en", item ? item->title_en : f->item);
    th_pen_end(pen, '}');
    const struct { const char *name; int64_t value; } counts[] = {
        {"cases", f->cases}, {"decided", f->decided}, {"approved", f->approved}, {"days_taken", f->taken}, {"days_promised", f->promised},
        {"at_counter", f->counter}, {"rated", f->rated}, {"papers_verified", f->verified}, {"papers_uploaded", f->uploaded},
        {"open", f->open}, {"overdue", f->overdue}, {"extended", f->extended}};
    for (size_t i = 0; i < TH_COUNT(counts); i++)
        th_pen_kint(pen, counts[i].name, counts[i].value);
    share_write(pen, "on_time_e4", f->on_time, f->decided);
    share_write(pen, "papers_avoided_e4", f->verified, f->verified + f->uploaded);
    share_write(pen, "no_visit_e4", f->cases - f->counter, f->cases);
    share_write(pen, "satisfied_e4", f->satisfied, f->rated);
    th_pen_end(pen, '}');
}

static th_status range_read(th_request *rq, th_value range[4])
{
    static const char *const names[] = {NULL, "from", "to"};
    const int64_t open[] = {0, 0, INT64_MAX};
    for (int i = 1; i < 3; i++) {
        int32_t day;
        th_str text = th_request_query(rq, names[i]);
        range[i] = th_v_int(open[i]);
        if (!text.p)
            continue;
        if (!th_day_parse(text, &day))
            return th_fail_field(&rq->error, i == 1 ? "?from" : "?to", "date", "须为 YYYY-MM-DD", "Must be YYYY-MM-DD");
        range[i] = th_v_int(i == 1 ? th_day_start_us(day) : th_day_end_us(day));
    }
    return TH_OK;
}

th_handled th_cases_statistics(th_request *rq)
{
    enum { ITEMS_MAX = 4000 };
    th_cases *cases = rq->module;
    th_db *db;
    size_t n = 0;
    th_value range[4] = {th_v_text(th_str_of(cases->code)), [3] = th_v_int(th_now_us(&cases->env))};
    figures *all = th_alloc_array(&rq->arena, ITEMS_MAX, sizeof *all);
    th_status status = all ? range_read(rq, range) : TH_NO_MEMORY;
    if (!status)
        status = th_store_acquire(cases->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_snapshot_begin(db);
    if (!status) {
        status = rows_count(db, range, &rq->arena, all, &n, ITEMS_MAX, &rq->error);
        if (!status)
            status = others_count(db, range, &rq->arena, all, &n, ITEMS_MAX, &rq->error);
        th_db_snapshot_end(db);
    }
    th_store_release(cases->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "member", cases->code);
    th_pen_ktime(&pen, "at", th_now_us(&cases->env));
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < n; i++)
        figures_write(cases, &pen, &all[i]);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}
