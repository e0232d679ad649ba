/* import.c — an office's own list kept row by row: what is in doubt is marked (待核) and stays, nothing is dropped and no code invented. */
#include "import-private.h"

#include <string.h>

enum { PIECE = 500, PAGE = 200, BODY_ARENA = 512 << 20 };

typedef struct keeping {
    th_government *g;
    th_office_list *in;
    size_t from, until;
    char import[TH_ID_TEXT];
    th_str account;
    int64_t now_us;
    th_government_list *told;
} keeping;

static th_str doubts_json(const th_office_row *row, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_array(&pen);
    for (size_t i = 0; i < row->doubt_count; i++) {
        const th_doubt *d = &row->doubts[i];
        th_pen_object(&pen);
        th_pen_ktext(&pen, "field", th_column_name(d->column));
        th_pen_ktext(&pen, "code", d->code);
        th_pen_ktext(&pen, "zh", d->zh);
        th_pen_ktext(&pen, "en", d->en);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    return th_buf_ok(&buf) ? th_buf_view(&buf) : TH_STR("[]");
}

/* The same row again is no new version. */
static th_status row_keep(keeping *k, th_db *db, const th_office_row *row, th_arena *arena, th_error *error)
{
    const th_value *found;
    th_value key = th_v_text(th_str_of(row->key));
    int64_t version = 1;
    th_status status = th_db_one(db, "SELECT version, hash FROM government_item WHERE key = ?1 ORDER BY version DESC LIMIT 1", &key, 1, arena, &found, error);
    if (status == TH_OK && th_str_is(found[1].s, row->hash))
        return TH_OK;
    if (status == TH_OK)
        version = found[0].i + 1;
    else if (status != TH_NOT_FOUND)
        return status;
    th_value values[] = {key,
                         th_v_int(version),
                         th_v_text(th_str_of(k->import)),
                         th_v_int(row->line),
                         th_v_text(row->doubt_count ? TH_STR("pending") : TH_STR("draft")),
                         th_v_text(row->values[TH_COLUMN_NAME]),
                         th_v_text(th_str_of(row->hash)),
                         th_v_text(doubts_json(row, arena)),
                         th_v_text(th_office_row_json(row, arena)),
                         th_v_int(k->now_us),
                         th_v_text(k->account)};
    return th_db_exec(db,
                      "INSERT INTO government_item (key, version, import, line, state, name, hash, doubts, row, at, by_account) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                      values, TH_COUNT(values), NULL, error);
}

static th_status piece_apply(th_change *change, th_db *db, th_error *error)
{
    keeping *k = change->ctx;
    th_status status = TH_OK;
    for (size_t i = k->from; !status && i < k->until; i++) {
        th_arena arena;
        th_arena_open(&arena, 1 << 20);
        status = row_keep(k, db, &k->in->rows[i], &arena, error);
        th_arena_close(&arena);
    }
    return status;
}

static void line_tell(const keeping *k, const th_office_row *row, th_report_line report, void *ctx)
{
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 256 * 1024);
    th_buf_open(&buf, &arena, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    (void)k;
    th_pen_object(&pen);
    th_pen_kint(&pen, "line", row->line);
    th_pen_kstr(&pen, "name", row->values[TH_COLUMN_NAME]);
    th_pen_kstr(&pen, "impl_code", row->values[TH_COLUMN_IMPL]);
    th_pen_ktext(&pen, "key", row->key);
    th_pen_ktext(&pen, "state", "pending");
    th_pen_kraw(&pen, "doubts", doubts_json(row, &arena));
    th_pen_end(&pen, '}');
    if (th_buf_ok(&buf))
        report(ctx, th_buf_view(&buf));
    th_arena_close(&arena);
}

th_status th_government_list_import(th_government *g, th_str bytes, bool csv, th_str account, th_report_line report, void *ctx,
                                    th_government_list *ret_told, th_error *error)
{
    th_arena arena;
    th_error local = {0};
    if (!error)
        error = &local;
    th_arena_open(&arena, BODY_ARENA);
    th_office_list in = {.arena = &arena};
    keeping k = {.g = g, .in = &in, .account = account, .now_us = th_now_us(&g->env)};
    th_uuid7(&g->env, k.import);
    th_status status = th_office_list_read(&in, bytes, csv, error);
    if (!status)
        status = th_office_list_look(&in, error);
    /* Pieces, so that nobody waits long behind them; a death half-way leaves rows that the next import finds again. */
    for (size_t i = 0; !status && i < in.n; i += PIECE) {
        k.from = i;
        k.until = i + PIECE < in.n ? i + PIECE : in.n;
        th_change change = {.apply = piece_apply, .ctx = &k};
        status = th_writer_run(g->writer, &change, error);
    }
    *ret_told = (th_government_list){.rows = (int64_t)in.n};
    for (size_t i = 0; !status && i < in.n; i++) {
        ret_told->pending += in.rows[i].doubt_count > 0;
        if (in.rows[i].doubt_count && report)
            line_tell(&k, &in.rows[i], report, ctx);
    }
    memcpy(ret_told->import, k.import, sizeof k.import);
    th_arena_close(&arena);
    return status;
}

/* ---- over HTTP ---- */

typedef struct telling {
    th_buf lines;
    size_t n;
} telling;

static void line_take(void *ctx, th_str json)
{
    telling *t = ctx;
    if (t->n++)
        th_buf_char(&t->lines, ',');
    th_buf_str(&t->lines, json);
}

th_handled th_items_import(th_request *rq)
{
    th_government_list told;
    telling t = {.n = 0};
    th_str format = th_request_query(rq, "format");
    if (format.n && !th_str_is(format, "csv") && !th_str_is(format, "json"))
        return th_reply_problem(rq, th_fail_field(&rq->error, "?format", "enum", "须为 csv 或 json", "Must be csv or json"), NULL);
    th_buf_open(&t.lines, &rq->arena, 16u << 20);
    th_status status = th_government_list_import(rq->module, rq->body, !th_str_is(format, "json"), rq->who.account, line_take, &t, &told, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "import", told.import);
    th_pen_kint(&pen, "rows", told.rows);
    th_pen_kint(&pen, "kept", told.rows);
    th_pen_kint(&pen, "pending", told.pending);
    th_pen_key(&pen, "report");
    th_pen_array(&pen);
    if (t.n)
        th_pen_raw(&pen, th_buf_view(&t.lines));
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_buf_ok(&t.lines) ? th_reply_json(rq, 200) : th_reply_problem(rq, TH_TOO_LARGE, NULL);
}

th_handled th_imported_get(th_request *rq)
{
    th_government *g = rq->module;
    th_db *db;
    th_rows rows;
    th_str state = th_request_query(rq, "state"), cursor = th_request_query(rq, "cursor");
    th_value values[] = {th_v_text(state.n ? state : TH_STR("pending")), th_v_text(cursor.p ? cursor : TH_STR("")), th_v_int(PAGE)};
    th_status status = th_store_acquire(g->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_select(db,
                          "SELECT key, version, line, state, name, doubts, row, at, note FROM government_item "
                          "WHERE state = ?1 AND key > ?2 ORDER BY key, version LIMIT ?3",
                          values, TH_COUNT(values), &rq->arena, &rows, &rq->error);
    th_store_release(g->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_pen_object(&pen);
        th_pen_kstr(&pen, "key", row[0].s);
        th_pen_kint(&pen, "version", row[1].i);
        th_pen_kint(&pen, "line", row[2].i);
        th_pen_kstr(&pen, "state", row[3].s);
        th_pen_kstr(&pen, "name", row[4].s);
        th_pen_kraw(&pen, "doubts", row[5].s);
        th_pen_kraw(&pen, "row", row[6].s);
        th_pen_ktime(&pen, "at", row[7].i);
        th_pen_kstr(&pen, "note", row[8].s);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_kstr(&pen, "next", rows.n == PAGE ? th_row(&rows, rows.n - 1)[0].s : (th_str){NULL, 0});
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

/* ---- a person has looked ---- */

static th_status settle_apply(th_change *change, th_db *db, th_error *error)
{
    th_request *rq = change->ctx;
    int64_t changed, version = 0;
    TH_IGNORE(!th_parse_i64(rq->params[1], 1, INT32_MAX, &version));
    th_value values[] = {th_v_text(rq->params[0]), th_v_int(version), th_v_text(th_json_str(rq->json, "note")), th_v_text(rq->who.account)};
    th_status status = th_db_exec(db, "UPDATE government_item SET state = 'settled', note = ?3, by_account = ?4 WHERE key = ?1 AND version = ?2 AND state = 'pending'",
                                  values, TH_COUNT(values), &changed, error);
    if (!status && !changed)
        status = th_fail(error, TH_NOT_FOUND, "no-pending-item", "没有这条待核的事项", "There is no such item waiting to be looked into");
    return status;
}

th_handled th_imported_settle(th_request *rq)
{
    static const char *const members[] = {"note", NULL};
    th_government *g = rq->module;
    th_str note;
    if (!th_json_only(rq->json, "", members, &rq->error) || !th_json_want_str(rq->json, "", "note", 400, &note, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    if (!note.n)
        return th_reply_problem(rq, th_fail_field(&rq->error, "/note", "required", "请写明核对的结论", "Say what was found"), NULL);
    th_change change = {.apply = settle_apply, .ctx = rq};
    th_status status = th_writer_run(g->writer, &change, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_bytes(rq, 200, "application/json", TH_STR("{\"state\":\"settled\"}"));
}
