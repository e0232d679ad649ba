/* source.c — registers that stay where they are: an existing SQL database behind a configured query, or an HTTP upstream. */
#include "records-private.h"

#include <stdio.h>
#include <string.h>

enum { UPSTREAM_TIMEOUT_MS = 3000 };

/* Columns arrive in the order of the query; "columns" of the configuration names the register's field of each. */
static void sql_read(th_records *records, th_lookup *l, th_arena *arena)
{
    th_db *db;
    const th_value *row;
    th_value values[TH_REGISTER_KEYS_MAX];
    th_buf buf;
    (void)records;
    for (size_t i = 0; i < l->reg->key_count; i++)
        values[i] = th_v_text(l->keys[i]);
    l->status = l->reg->database ? th_store_acquire(l->reg->database, &db, NULL) : TH_UNAVAILABLE;
    if (l->status)
        return;
    l->status = th_db_one(db, l->reg->sql, values, l->reg->key_count, arena, &row, NULL);
    th_store_release(l->reg->database, db);
    if (l->status) {
        l->status = l->status == TH_NOT_FOUND ? TH_OK : TH_UNAVAILABLE;
        return;
    }
    th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    size_t i = 0;
    for (const th_json *c = th_json_first(l->reg->columns); c; c = th_json_next(l->reg->columns, c), i++) {
        th_pen_key_str(&pen, c->text);
        if (row[i].type == TH_VALUE_INT)
            th_pen_int(&pen, row[i].i);
        else
            th_pen_str(&pen, row[i].type == TH_VALUE_NULL ? (th_str){NULL, 0} : row[i].s);
    }
    th_pen_end(&pen, '}');
    l->status = th_buf_ok(&buf) ? th_json_parse(th_buf_view(&buf), arena, &l->entry, NULL) : TH_TOO_LARGE;
}

/* Key values go into the address percent-encoded, byte by byte. */
static void percent(th_buf *buf, th_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
        if (plain)
            th_buf_char(buf, (char)c);
        else
            th_buff(buf, "%%%02X", c);
    }
}

static void url_make(const th_lookup *l, th_buf *buf)
{
    for (const char *p = l->reg->url; *p;) {
        const char *open = strchr(p, '{'), *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            th_buf_text(buf, p);
            return;
        }
        th_buf_put(buf, p, (size_t)(open - p));
        th_str name = {open + 1, (size_t)(close - open - 1)};
        for (size_t i = 0; i < l->reg->key_count; i++)
            if (th_str_eq(name, l->reg->keys[i]->name))
                percent(buf, l->keys[i]);
        p = close + 1;
    }
}

static void http_read(th_records *records, th_lookup *l, th_arena *arena)
{
    th_buf buf;
    th_str body;
    th_error error = {0};
    if (!records->options.http_get) {
        l->status = TH_UNAVAILABLE;
        return;
    }
    th_buf_open(&buf, arena, 2048);
    url_make(l, &buf);
    th_buf_char(&buf, 0);
    l->status = !th_buf_ok(&buf) ? TH_TOO_LARGE
                                 : records->options.http_get(records->options.http_ctx, buf.p, l->reg->authorization, UPSTREAM_TIMEOUT_MS,
                                                             arena, &body, &error);
    if (l->status == TH_NOT_FOUND)
        l->status = TH_OK;
    else if (!l->status)
        l->status = th_json_parse(body, arena, &l->entry, &error);
    if (l->status)
        l->status = TH_UNAVAILABLE;
}

void th_source_read(th_records *records, th_lookup *l, th_arena *arena)
{
    if (th_register_live(records, l->reg).source == TH_SOURCE_SQL)
        sql_read(records, l, arena);
    else
        http_read(records, l, arena);
}

/* ---- configuration ---- */

static th_status sql_open(th_register *reg, const th_json *root, th_error *error)
{
    th_str database, query;
    const th_json *columns;
    if (!th_json_want_str(root, "", "database", 400, &database, error) || !th_json_want_str(root, "", "verify_query", 2000, &query, error) ||
        !th_json_want_array(root, "", "columns", TH_REGISTER_FIELDS_MAX, &columns, error))
        return TH_INVALID;
    for (const th_json *c = th_json_first(columns); c; c = th_json_next(columns, c))
        if (!th_field_find(reg, c->text))
            return th_fail_field(error, "/columns", "field", "其中有登记簿没有的字段", "Names a field that the register does not have");
    char *url = th_new_copy(database), *sql = th_new_copy(query);
    th_store *store = NULL;
    th_status status = url && sql ? th_store_open(url, NULL, &store, error) : TH_NO_MEMORY;
    th_free(url);
    if (status) {
        th_free(sql);
        return status;
    }
    reg->sql = sql;
    reg->database = store;
    reg->columns = columns;
    reg->source = TH_SOURCE_SQL;
    return TH_OK;
}

static th_status http_open(th_register *reg, const th_json *root, th_error *error)
{
    th_str url;
    if (!th_json_want_str(root, "", "url", 600, &url, error))
        return TH_INVALID;
    if (!th_str_starts(url, "https://") && !th_str_starts(url, "http://127.0.0.1"))
        return th_fail_field(error, "/url", "url", "须为 https:// 地址", "Must be an https:// address");
    reg->url = th_new_copy(url);
    th_str authorization = th_json_str(root, "authorization");
    reg->authorization = authorization.p ? th_new_copy(authorization) : NULL;
    reg->source = TH_SOURCE_HTTP;
    return reg->url ? TH_OK : TH_NO_MEMORY;
}

static th_status source_open(th_records *records, th_str json, th_register **ret_reg, th_error *error)
{
    static const char *const allowed[] = {"register", "source", "database", "verify_query", "columns", "url", "authorization", "simulated", NULL};
    const th_json *root;
    th_str name, source, kept = th_str_keep(&records->arena, json);
    th_status status = kept.p ? th_json_parse(kept, &records->arena, &root, error) : TH_NO_MEMORY;
    if (status)
        return status;
    if (!th_json_only(root, "", allowed, error) || !th_json_want_str(root, "", "register", 64, &name, error) ||
        !th_json_want_str(root, "", "source", 10, &source, error))
        return TH_INVALID;
    th_register *reg = th_register_find(records, name);
    if (!reg)
        return th_fail_field(error, "/register", "no-register", "没有这个登记簿", "There is no such register");
    *ret_reg = reg;
    if (th_str_is(source, "local")) {
        reg->source = TH_SOURCE_LOCAL;
        return TH_OK;
    }
    if (th_json_get(root, "simulated"))
        reg->simulated = th_json_bool(root, "simulated", false);
    if (th_str_is(source, "sql"))
        return sql_open(reg, root, error);
    if (th_str_is(source, "http"))
        return http_open(reg, root, error);
    return th_fail_field(error, "/source", "enum", "须为 local、sql 或 http", "Must be local, sql or http");
}

typedef struct source_write {
    th_str name, json;
} source_write;

static th_status source_apply(void *ctx, th_db *db, th_error *error)
{
    source_write *w = ctx;
    th_value values[] = {th_v_text(w->name), th_v_text(w->json)};
    return th_db_exec(db, "INSERT INTO records_source (register, json) VALUES (?1, ?2) ON CONFLICT (register) DO UPDATE SET json = excluded.json",
                      values, 2, NULL, error);
}

th_status th_records_source_set(th_records *records, th_str json, th_error *error)
{
    th_register *reg;
    th_error own = {0};
    th_status status = source_open(records, json, &reg, error ? error : &own);
    if (status)
        return status;
    source_write write = {reg->name, json};
    return th_records_write(records, source_apply, &write, error);
}

th_status th_sources_load(th_records *records, th_error *error)
{
    th_db *db;
    th_rows rows;
    th_status status = th_store_acquire(records->options.store, &db, error);
    if (status)
        return status;
    status = th_db_select(db, "SELECT register, json FROM records_source ORDER BY register", NULL, 0, &records->arena, &rows, error);
    th_store_release(records->options.store, db);
    for (size_t i = 0; !status && i < rows.n; i++) {
        th_register *reg = NULL;
        th_error why = {0};
        /* A database that is away does not keep the node from starting: its register answers that it is unavailable. */
        if (source_open(records, th_row(&rows, i)[1].s, &reg, &why)) {
            th_log(TH_LOG_WARN, "source-unavailable", "type", why.type, "en", why.en, NULL);
            if (reg)
                reg->source = TH_SOURCE_SQL;
        }
    }
    return status;
}
