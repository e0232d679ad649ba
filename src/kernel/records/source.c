/* source.c — registers that stay where they are: an existing SQL database behind a configured query, or an HTTP upstream. */
#include "records-private.h"

#include <stdio.h>
#include <string.h>

enum { UPSTREAM_TIMEOUT_MS = 3000, AGAIN_US = 10 * 1000000 };

/* ---- what they say, in the form that entries of our own have ---- */

/* A value is brought to its stored form, so that 11010119900307001x there is 11010119900307001X here. One that is absent there is absent here;
 * so is one that the register's rules refuse: nobody is told "mismatch" because a column holds something else than it should. */
static void value_write(const th_lookup *l, th_pen *pen, const th_field *f, th_str text, th_arena *arena)
{
    th_str taken;
    unsigned changes;
    const char *code = "", *zh, *en;
    if (!text.n)
        return;
    if (!th_field_take(f, text, INT64_MAX / 2, arena, &taken, &changes, &code, &zh, &en)) {
        char reg[65], name[65];
        snprintf(reg, sizeof reg, "%.*s", TH_FMT(l->reg->name));
        snprintf(name, sizeof name, "%.*s", TH_FMT(f->name));
        th_log(TH_LOG_WARN, "source-value", "register", reg, "field", name, "code", code, NULL);
        return;
    }
    th_pen_key_str(pen, f->name);
    if (f->integer)
        th_pen_raw(pen, taken);
    else
        th_pen_str(pen, taken);
}

/* A text that reads as one, or a whole number. */
static th_str text_of(th_arena *arena, th_value value)
{
    if (value.type == TH_VALUE_INT)
        return th_strf(arena, "%lld", (long long)value.i);
    return value.type == TH_VALUE_TEXT ? value.s : (th_str){NULL, 0};
}

/* The register's database; one that was away when the node started is tried again once in a while. */
static th_status database_of(th_records *records, th_register *reg, th_store **ret_store)
{
    int64_t now = th_now_us(records->options.env);
    pthread_mutex_lock(&records->lock);
    bool again = !reg->database && reg->database_url && now - reg->database_tried_us >= AGAIN_US;
    if (again)
        reg->database_tried_us = now;
    *ret_store = reg->database;
    const char *url = reg->database_url;
    pthread_mutex_unlock(&records->lock);
    th_store *opened = NULL;
    if (again && th_store_open(url, NULL, &opened, NULL) == TH_OK) {
        pthread_mutex_lock(&records->lock);
        if (!reg->database && reg->database_url == url) {
            reg->database = opened;
            opened = NULL;
        }
        *ret_store = reg->database;
        pthread_mutex_unlock(&records->lock);
        th_store_close(opened);
    }
    return *ret_store ? TH_OK : TH_UNAVAILABLE;
}

/* Columns arrive in the order of the query; "columns" of the configuration names the register's field of each. */
static void sql_read(th_records *records, th_lookup *l, th_arena *arena)
{
    th_store *store;
    th_db *db;
    th_rows rows;
    th_value values[TH_REGISTER_KEYS_MAX];
    th_buf buf;
    for (size_t i = 0; i < l->reg->key_count; i++)
        values[i] = th_v_text(l->keys[i]);
    l->status = database_of(records, l->reg, &store);
    if (!l->status)
        l->status = th_store_acquire(store, &db, NULL);
    if (l->status)
        return;
    l->status = th_db_select(db, l->reg->sql, values, l->reg->key_count, arena, &rows, NULL);
    th_store_release(store, db);
    if (l->status || !rows.n) {
        l->status = l->status ? TH_UNAVAILABLE : TH_OK;
        return;
    }
    if ((size_t)rows.columns != l->reg->columns->count) {
        th_log(TH_LOG_WARN, "source-columns", "why", "the query does not give as many columns as its configuration names", NULL);
        l->status = TH_UNAVAILABLE;
        return;
    }
    th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    size_t i = 0;
    for (const th_json *c = th_json_first(l->reg->columns); c; c = th_json_next(l->reg->columns, c), i++)
        value_write(l, &pen, th_field_find(l->reg, c->text), text_of(arena, th_row(&rows, 0)[i]), arena);
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

/* Members have the names of the register's fields, or those that "columns" of the configuration gives them. */
static th_status answer_take(th_lookup *l, const th_json *said, th_arena *arena)
{
    th_buf buf;
    if (said->type != TH_JSON_OBJECT)
        return TH_UNAVAILABLE;
    th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (size_t i = 0; i < l->reg->field_count; i++) {
        const th_field *f = &l->reg->fields[i];
        const th_json *column = l->reg->columns ? th_json_get_str(l->reg->columns, f->name) : NULL;
        const th_json *value = th_json_get_str(said, column ? column->text : f->name);
        if (value && (value->type == TH_JSON_STRING || value->type == TH_JSON_NUMBER))
            value_write(l, &pen, f, value->text, arena);
    }
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_json_parse(th_buf_view(&buf), arena, &l->entry, NULL) : TH_TOO_LARGE;
}

static void http_read(th_records *records, th_lookup *l, th_arena *arena)
{
    th_buf buf;
    th_str body;
    th_error error = {0};
    const th_json *said;
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
    if (l->status == TH_NOT_FOUND) {
        l->status = TH_OK;
        return;
    }
    if (!l->status)
        l->status = th_json_parse(body, arena, &said, &error);
    if (!l->status)
        l->status = answer_take(l, said, arena);
    if (l->status) {
        l->entry = NULL;
        l->status = TH_UNAVAILABLE;
    }
}

void th_source_read(th_records *records, th_lookup *l, th_arena *arena)
{
    if (th_register_live(records, l->reg).source == TH_SOURCE_SQL)
        sql_read(records, l, arena);
    else
        http_read(records, l, arena);
}

/* ---- configuration ---- */

/* What is replaced stays until the end: a read that is under way goes on with it. */
static void old_keep(th_records *records, th_register *reg)
{
    if (!reg->database)
        return;
    th_old_store *old = th_alloc(&records->arena, sizeof *old);
    if (!old)
        return; /* the process ends with it */
    *old = (th_old_store){reg->database, records->old_stores};
    records->old_stores = old;
    reg->database = NULL;
}

static th_status sql_open(th_records *records, th_register *reg, const th_json *root, th_error *error)
{
    th_str database, query;
    const th_json *columns;
    if (!th_json_want_str(root, "", "database", 400, &database, error) || !th_json_want_str(root, "", "verify_query", 2000, &query, error) ||
        !th_json_want_array(root, "", "columns", TH_REGISTER_FIELDS_MAX, &columns, error))
        return TH_INVALID;
    for (const th_json *c = th_json_first(columns); c; c = th_json_next(columns, c))
        if (c->type != TH_JSON_STRING || !th_field_find(reg, c->text))
            return th_fail_field(error, "/columns", "field", "其中有登记簿没有的字段", "Names a field that the register does not have");
    th_str url = th_str_keep(&records->arena, database), sql = th_str_keep(&records->arena, query);
    th_store *store = NULL;
    th_status status = url.p && sql.p ? th_store_open(url.p, NULL, &store, error) : TH_NO_MEMORY;
    pthread_mutex_lock(&records->lock);
    if (status == TH_OK || !reg->sql) { /* when the node starts, a database that is away is configured all the same */
        old_keep(records, reg);
        reg->sql = sql.p;
        reg->database = store;
        reg->database_url = url.p;
        reg->database_tried_us = th_now_us(records->options.env);
        reg->columns = columns;
    }
    if (status == TH_OK)
        reg->source = TH_SOURCE_SQL;
    pthread_mutex_unlock(&records->lock);
    return status;
}

static bool url_allowed(th_str url)
{
    static const char local[] = "http://127.0.0.1";
    if (th_str_starts(url, "https://"))
        return true;
    return th_str_starts(url, local) && url.n > sizeof local && (url.p[sizeof local - 1] == ':' || url.p[sizeof local - 1] == '/');
}

static th_status http_open(th_records *records, th_register *reg, const th_json *root, th_error *error)
{
    th_str url;
    const th_json *columns = th_json_get(root, "columns");
    if (!th_json_want_str(root, "", "url", 600, &url, error))
        return TH_INVALID;
    if (!url_allowed(url))
        return th_fail_field(error, "/url", "url", "须为 https:// 地址", "Must be an https:// address");
    for (const th_json *c = th_json_first(columns); c; c = th_json_next(columns, c))
        if (columns->type != TH_JSON_OBJECT || c->type != TH_JSON_STRING || !th_field_find(reg, c->key))
            return th_fail_field(error, "/columns", "field", "其中有登记簿没有的字段", "Names a field that the register does not have");
    th_str kept = th_str_keep(&records->arena, url), authorization = th_json_str(root, "authorization");
    if (authorization.p)
        authorization = th_str_keep(&records->arena, authorization);
    if (!kept.p)
        return TH_NO_MEMORY;
    pthread_mutex_lock(&records->lock);
    reg->url = kept.p;
    reg->authorization = authorization.p;
    reg->columns = columns;
    reg->source = TH_SOURCE_HTTP;
    pthread_mutex_unlock(&records->lock);
    return TH_OK;
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
        return sql_open(records, reg, root, error);
    if (th_str_is(source, "http"))
        return http_open(records, reg, root, error);
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
            if (reg && reg->sql)
                reg->source = TH_SOURCE_SQL;
        }
    }
    return status;
}
