/* source.c — registers that stay where they are: an existing SQL database behind a configured query, or an HTTP upstream.
 *
 * An upstream is immutable but for its connections; a register points at the one in force, and readers hold on to the one they began with
 * when the configuration is read again. */
#include "records-private.h"

#include <stdio.h>
#include <string.h>

enum {
    UPSTREAM_TIMEOUT_MS = 3000,
    CONNECT_TIMEOUT_S = 2, /* as short as the database's library allows */
    AWAY_PAUSE_US = 1000000,
    AWAY_PAUSE_TIMES = 10,
    HUNG_US = 1000000,     /* a question that failed after so long hung */
    HUNG_PAUSE_MAX_US = 30000000,
    LEFT_MIN_US = 20000,   /* with less time left no question is begun */
    UPSTREAM_ARENA = 256 * 1024,
};

typedef struct th_upstream {
    atomic_int references;
    th_arena arena;
    th_str json; /* as configured */
    th_source kind;
    bool simulated, says_simulated;
    const char *database, *sql, *url, *authorization;
    const th_json *columns; /* SQL: the field of each column of the query; HTTP: register field → member, NULL = same names */
    pthread_mutex_t lock;
    th_store *store;     /* under lock; NULL = not connected yet, or away */
    int64_t tried_us, pause_us; /* when connecting failed last, and how long it is then left alone */
    int64_t hung_us, rest_us;   /* when a question hung last, and how long it is then not asked; rest_us 0 = it answers */
} th_upstream;

th_source th_upstream_kind(const th_upstream *u)
{
    return u ? u->kind : TH_SOURCE_LOCAL;
}

bool th_upstream_simulated(const th_upstream *u, bool otherwise)
{
    return u && u->says_simulated ? u->simulated : otherwise;
}

void th_upstream_release(th_upstream *u)
{
    if (!u || atomic_fetch_sub(&u->references, 1) != 1)
        return;
    th_store_close(u->store); /* before the texts of its statements go */
    pthread_mutex_destroy(&u->lock);
    th_arena_close(&u->arena);
    th_free(u);
}

static th_upstream *upstream_hold(th_records *records, th_register *reg)
{
    pthread_mutex_lock(&records->lock);
    th_upstream *u = reg->upstream;
    if (u)
        atomic_fetch_add(&u->references, 1);
    pthread_mutex_unlock(&records->lock);
    return u;
}

static void upstream_install(th_records *records, th_register *reg, th_upstream *u)
{
    pthread_mutex_lock(&records->lock);
    th_upstream *old = reg->upstream;
    reg->upstream = u;
    pthread_mutex_unlock(&records->lock);
    th_upstream_release(old);
}

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

/* ---- reading ---- */

/* One that hangs would hold every batch for all of its time: after a question that hung it is asked nothing for a second, and twice as long
 * after each more, to half a minute. */
static bool upstream_rests(th_upstream *u, int64_t now)
{
    pthread_mutex_lock(&u->lock);
    int64_t since = now - u->hung_us;
    bool rests = u->rest_us && since >= 0 && since < u->rest_us;
    pthread_mutex_unlock(&u->lock);
    return rests;
}

static void upstream_asked(th_upstream *u, th_status status, int64_t begun, int64_t now)
{
    bool hung = status && now - begun >= HUNG_US;
    pthread_mutex_lock(&u->lock);
    if (!status) {
        u->rest_us = 0;
    } else if (hung && (!u->rest_us || begun >= u->hung_us)) { /* those who hung beside one another count once */
        u->rest_us = !u->rest_us ? AWAY_PAUSE_US : 2 * u->rest_us > HUNG_PAUSE_MAX_US ? HUNG_PAUSE_MAX_US : 2 * u->rest_us;
        u->hung_us = now;
    }
    pthread_mutex_unlock(&u->lock);
}

/* A database that is away is tried again with the questions that come, after a second, or ten times as long as it took to learn that it is away:
 * those who ask meanwhile wait for the one who tries. */
static th_status upstream_connect(th_records *records, th_upstream *u, th_store **ret_store, th_error *error)
{
    th_status status = TH_OK;
    pthread_mutex_lock(&u->lock);
    int64_t now = th_now_us(records->options.env), since = now - u->tried_us;
    if (!u->store && since >= 0 && since < u->pause_us) {
        status = th_fail(error, TH_UNAVAILABLE, "source-away", "登记库所在的数据库暂时无法连接", "The register's database is away");
    } else if (!u->store && th_store_open(u->database, NULL, &u->store, error)) {
        int64_t took = th_now_us(records->options.env) - now;
        u->pause_us = took > AWAY_PAUSE_US / AWAY_PAUSE_TIMES ? took * AWAY_PAUSE_TIMES : AWAY_PAUSE_US;
        u->tried_us = now + took;
        status = TH_UNAVAILABLE;
    }
    *ret_store = u->store;
    pthread_mutex_unlock(&u->lock);
    return status;
}

/* Columns arrive in the order of the query. */
static th_status columns_take(const th_upstream *u, const th_rows *rows, th_lookup *l, th_arena *arena)
{
    th_buf buf;
    const th_value *row = th_row(rows, 0);
    th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    size_t i = 0;
    for (const th_json *c = th_json_first(u->columns); c; c = th_json_next(u->columns, c), i++)
        value_write(l, &pen, th_field_find(l->reg, c->text), text_of(arena, row[i]), arena);
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_json_parse(th_buf_view(&buf), arena, &l->entry, NULL) : TH_TOO_LARGE;
}

static th_status sql_ask(th_records *records, th_upstream *u, th_lookup *l, th_arena *arena, th_error *error)
{
    th_store *store;
    th_db *db;
    th_rows rows;
    th_value values[TH_REGISTER_KEYS_MAX];
    for (size_t i = 0; i < l->reg->key_count; i++)
        values[i] = th_v_text(l->keys[i]);
    th_status status = upstream_connect(records, u, &store, error);
    if (!status)
        status = th_store_acquire(store, &db, error);
    if (status)
        return status;
    status = th_db_select(db, u->sql, values, l->reg->key_count, arena, &rows, error);
    th_store_release(store, db);
    if (status || !rows.n)
        return status;
    if ((size_t)rows.columns != u->columns->count)
        return th_failf(error, TH_UNAVAILABLE, "source-columns", "查询给出 %d 列，配置写明 %u 列", "The query gives %d columns, the configuration names %u",
                        rows.columns, (unsigned)u->columns->count);
    return columns_take(u, &rows, l, arena);
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

static void url_make(const th_upstream *u, const th_lookup *l, th_buf *buf)
{
    for (const char *p = u->url; *p;) {
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
static th_status answer_take(const th_upstream *u, const th_json *said, th_lookup *l, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (size_t i = 0; i < l->reg->field_count; i++) {
        const th_field *f = &l->reg->fields[i];
        const th_json *column = u->columns ? th_json_get_str(u->columns, f->name) : NULL;
        const th_json *value = th_json_get_str(said, column ? column->text : f->name);
        if (value && (value->type == TH_JSON_STRING || value->type == TH_JSON_NUMBER))
            value_write(l, &pen, f, value->text, arena);
    }
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_json_parse(th_buf_view(&buf), arena, &l->entry, NULL) : TH_TOO_LARGE;
}

static th_status http_ask(th_records *records, th_upstream *u, th_lookup *l, int timeout_ms, th_arena *arena, th_error *error)
{
    th_buf buf;
    th_str body;
    const th_json *said;
    if (!records->options.http_get)
        return TH_UNAVAILABLE;
    th_buf_open(&buf, arena, 2048);
    url_make(u, l, &buf);
    th_buf_char(&buf, 0);
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    th_status status = records->options.http_get(records->options.http_ctx, buf.p, u->authorization, timeout_ms, arena, &body, error);
    if (status == TH_NOT_FOUND)
        return TH_OK;
    if (!status)
        status = th_json_parse(body, arena, &said, error);
    if (!status && said->type != TH_JSON_OBJECT)
        status = th_fail(error, TH_UNAVAILABLE, "source-answer", "上游的答复不是对象", "The upstream's answer is no object");
    return status ? status : answer_take(u, said, l, arena);
}

bool th_source_read(th_records *records, th_lookup *l, th_arena *arena)
{
    th_error error = {0};
    th_upstream *u = upstream_hold(records, l->reg);
    if (!u)
        return false;
    int64_t now = th_now_us(records->options.env), left = l->until_us ? l->until_us - now : UPSTREAM_TIMEOUT_MS * INT64_C(1000);
    if (left < LEFT_MIN_US || upstream_rests(u, now)) {
        l->status = TH_UNAVAILABLE;
        th_upstream_release(u);
        return true;
    }
    int timeout_ms = left < UPSTREAM_TIMEOUT_MS * INT64_C(1000) ? (int)(left / 1000) : UPSTREAM_TIMEOUT_MS;
    l->status = u->kind == TH_SOURCE_SQL ? sql_ask(records, u, l, arena, &error) : http_ask(records, u, l, timeout_ms, arena, &error);
    upstream_asked(u, l->status, now, th_now_us(records->options.env));
    if (l->status) {
        th_log(TH_LOG_WARN, "source-unavailable", "type", error.type, "en", error.en, NULL);
        l->status = TH_UNAVAILABLE;
    }
    th_upstream_release(u);
    return true;
}

/* ---- configuration ---- */

static const char *text_kept(th_upstream *u, th_str text)
{
    return th_strf(&u->arena, "%.*s", TH_FMT(text)).p;
}

static th_status sql_read(th_upstream *u, const th_register *reg, const th_json *root, th_error *error)
{
    th_str database, query;
    if (!th_json_want_str(root, "", "database", 400, &database, error) || !th_json_want_str(root, "", "verify_query", 2000, &query, error) ||
        !th_json_want_array(root, "", "columns", TH_REGISTER_FIELDS_MAX, &u->columns, error))
        return TH_INVALID;
    for (const th_json *c = th_json_first(u->columns); c; c = th_json_next(u->columns, c))
        if (c->type != TH_JSON_STRING || !th_field_find(reg, c->text))
            return th_fail_field(error, "/columns", "field", "其中有登记簿没有的字段", "Names a field that the register does not have");
    /* Somebody waits for the answer: a query that hangs must not hold the node's threads. */
    bool bare = th_str_starts(database, "sqlite:") || memmem(database.p, database.n, "options=", 8), asks = memchr(database.p, '?', database.n) != NULL;
    u->database = bare ? text_kept(u, database)
                       : th_strf(&u->arena, "%.*s%soptions=-c%%20statement_timeout%%3D%d&connect_timeout=%d", TH_FMT(database), asks ? "&" : "?",
                                 UPSTREAM_TIMEOUT_MS, CONNECT_TIMEOUT_S).p;
    u->sql = text_kept(u, query);
    u->kind = TH_SOURCE_SQL;
    return u->database && u->sql ? TH_OK : TH_NO_MEMORY;
}

/* Plain HTTP to this machine only: an upstream beside the node, or its TLS proxy. */
static bool url_ok(th_str url)
{
    static const char here[] = "http://127.0.0.1";
    size_t n = sizeof here - 1;
    return th_str_starts(url, "https://") || (th_str_starts(url, here) && url.n > n && (url.p[n] == ':' || url.p[n] == '/'));
}

static th_status http_read(th_upstream *u, const th_register *reg, const th_json *root, th_error *error)
{
    th_str url, authorization = th_json_str(root, "authorization");
    if (!th_json_want_str(root, "", "url", 600, &url, error))
        return TH_INVALID;
    if (!url_ok(url))
        return th_fail_field(error, "/url", "url", "须为 https:// 地址", "Must be an https:// address");
    u->columns = th_json_get(root, "columns");
    for (const th_json *c = th_json_first(u->columns); c; c = th_json_next(u->columns, c))
        if (u->columns->type != TH_JSON_OBJECT || c->type != TH_JSON_STRING || !th_field_find(reg, c->key))
            return th_fail_field(error, "/columns", "field", "其中有登记簿没有的字段", "Names a field that the register does not have");
    u->url = text_kept(u, url);
    u->authorization = authorization.p ? text_kept(u, authorization) : NULL;
    u->kind = TH_SOURCE_HTTP;
    return u->url ? TH_OK : TH_NO_MEMORY;
}

static th_status source_read(th_upstream *u, th_records *records, th_register **ret_reg, th_error *error)
{
    static const char *const allowed[] = {"register", "source", "database", "verify_query", "columns", "url", "authorization", "simulated", NULL};
    const th_json *root;
    th_str name, source;
    th_status status = th_json_parse(u->json, &u->arena, &root, error);
    if (status)
        return status;
    if (!th_json_only(root, "", allowed, error) || !th_json_want_str(root, "", "register", 64, &name, error) ||
        !th_json_want_str(root, "", "source", 10, &source, error))
        return TH_INVALID;
    *ret_reg = th_register_find(records, name);
    if (!*ret_reg)
        return th_fail_field(error, "/register", "no-register", "没有这个登记簿", "There is no such register");
    u->says_simulated = th_json_get(root, "simulated") != NULL;
    u->simulated = th_json_bool(root, "simulated", false);
    if (th_str_is(source, "local"))
        return TH_OK;
    if (th_str_is(source, "sql"))
        return sql_read(u, *ret_reg, root, error);
    if (th_str_is(source, "http"))
        return http_read(u, *ret_reg, root, error);
    return th_fail_field(error, "/source", "enum", "须为 local、sql 或 http", "Must be local, sql or http");
}

/* *ret_upstream stays NULL for "local". */
static th_status source_make(th_records *records, th_str json, th_register **ret_reg, th_upstream **ret_upstream, th_error *error)
{
    th_upstream *u = th_new(sizeof *u);
    if (!u)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    atomic_init(&u->references, 1);
    pthread_mutex_init(&u->lock, NULL);
    th_arena_open(&u->arena, UPSTREAM_ARENA);
    u->json = th_str_keep(&u->arena, json);
    th_status status = u->json.p ? source_read(u, records, ret_reg, error) : TH_TOO_LARGE;
    *ret_upstream = status || u->kind == TH_SOURCE_LOCAL ? NULL : u;
    if (!*ret_upstream)
        th_upstream_release(u);
    return status;
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

/* Whoever sets a source is there to hear that its database does not answer. */
th_status th_records_source_set(th_records *records, th_str json, th_error *error)
{
    th_register *reg = NULL;
    th_upstream *u = NULL;
    th_store *store;
    th_error own = {0};
    error = error ? error : &own;
    th_status status = source_make(records, json, &reg, &u, error);
    if (!status && u && u->kind == TH_SOURCE_SQL)
        status = upstream_connect(records, u, &store, error);
    source_write write = {.json = json};
    if (!status) {
        write.name = reg->name;
        status = th_records_write(records, source_apply, &write, error);
    }
    if (status)
        th_upstream_release(u);
    else
        upstream_install(records, reg, u);
    return status;
}

static void source_take(th_records *records, th_str json)
{
    th_register *reg = NULL;
    th_upstream *u = NULL, *known;
    th_error why = {0};
    if (source_make(records, json, &reg, &u, &why)) {
        th_log(TH_LOG_WARN, "source-refused", "type", why.type, "en", why.field_count ? why.fields[0].en : why.en, NULL);
        return;
    }
    known = upstream_hold(records, reg);
    bool same = known && u && th_str_eq(known->json, u->json); /* its connections are kept */
    th_upstream_release(known);
    if (same)
        th_upstream_release(u);
    else
        upstream_install(records, reg, u);
}

th_status th_sources_load(th_records *records, th_error *error)
{
    th_db *db;
    th_rows rows;
    th_arena arena;
    th_status status = th_store_acquire(records->options.store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 4u << 20);
    status = th_db_select(db, "SELECT register, json FROM records_source ORDER BY register", NULL, 0, &arena, &rows, error);
    th_store_release(records->options.store, db);
    for (size_t i = 0; !status && i < rows.n; i++)
        source_take(records, th_row(&rows, i)[1].s);
    th_arena_close(&arena);
    return status;
}
