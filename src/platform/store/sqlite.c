/* sqlite.c — the embedded backend: WAL, synchronous=FULL, prepared statements kept by the address of their text.
 *
 * Two files. SQLite lets a reader keep what it knows of a file only until somebody writes to that file: beside a journal that grows with
 * every batch, look-ups in large registers would begin cold each time. So tables that are large, read all the time and seldom written
 * are `-- apart`, in a second file attached to every connection, where the cache and the mapping of each reader last. */
#include "store-private.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 5000, CHECKPOINT_PAGES = 4000 };

static const char settings[] =
    "PRAGMA main.journal_mode=WAL; PRAGMA main.synchronous=FULL; PRAGMA main.mmap_size=0; PRAGMA main.cache_size=-16384; "
    "PRAGMA " TH_STORE_APART ".journal_mode=WAL; PRAGMA " TH_STORE_APART ".synchronous=FULL; "
    "PRAGMA " TH_STORE_APART ".mmap_size=2147418112; PRAGMA " TH_STORE_APART ".cache_size=-8192; "
    "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;";

typedef struct sqlite_db {
    th_db base;
    sqlite3 *handle;
    struct { const char *sql; sqlite3_stmt *statement; } cache[TH_STATEMENTS_MAX];
    size_t cached;
} sqlite_db;

static th_status failed(sqlite3 *handle, int code, th_error *error)
{
    switch (code & 0xFF) {
    case SQLITE_FULL:
        return th_fail(error, TH_NO_SPACE, "out-of-space", "磁盘已满，暂时只能读取", "The disk is full: reads go on, writes wait");
    case SQLITE_CONSTRAINT:
        if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID)
            return th_fail(error, TH_CONFLICT, "exists", "已存在相同的记录", "Such a row exists already");
        return th_fail(error, TH_UNPROCESSABLE, "store-refused", "记录不完整，无法保存", "The row is incomplete and cannot be kept");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return th_fail(error, TH_CORRUPT, "store-corrupt", "数据库文件损坏", "The database file is damaged");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return th_fail(error, TH_BUSY, "store-busy", "数据库正被占用，请稍后再试", "The database is in use; try again shortly");
    case SQLITE_NOMEM:
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    default: {
        const char *words = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
        return th_failf(error, TH_IO, "store", "数据库出错：%s", "The database failed: %s", words);
    }
    }
}

static th_status failed_in(sqlite_db *d, int code, th_error *error)
{
    th_status status = failed(d->handle, code, error);
    d->base.failed = d->base.failed || th_store_status_fatal(status);
    return status;
}

static th_status script(th_db *db, const char *sql, th_error *error)
{
    sqlite_db *d = (sqlite_db *)db;
    int code = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? TH_OK : failed_in(d, code, error);
}

static void disconnect(th_db *db)
{
    sqlite_db *d = (sqlite_db *)db;
    for (size_t i = 0; i < TH_STATEMENTS_MAX; i++)
        sqlite3_finalize(d->cache[i].statement);
    sqlite3_close(d->handle);
    th_free(d);
}

static bool usable(th_db *db)
{
    return sqlite3_get_autocommit(((sqlite_db *)db)->handle) != 0; /* a transaction left open would pin a snapshot for ever */
}

static int apart_attach(sqlite_db *d)
{
    char path[4096];
    sqlite3_stmt *statement;
    const char *url = d->base.store->url;
    int n = snprintf(path, sizeof path, d->base.store->memory ? "%s" : "%s-" TH_STORE_APART, url);
    if (n < 0 || (size_t)n >= sizeof path)
        return SQLITE_TOOBIG;
    int code = sqlite3_prepare_v2(d->handle, "ATTACH ?1 AS " TH_STORE_APART, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return code;
    sqlite3_bind_text(statement, 1, path, n, SQLITE_STATIC);
    sqlite3_step(statement);
    return sqlite3_finalize(statement);
}

static th_status connect(th_store *store, bool writer, th_db **ret_db, th_error *error)
{
    sqlite_db *d = th_new(sizeof *d);
    if (!d)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    d->base.store = store;
    d->base.writer = writer;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(store->url, &d->handle, flags, store->vfs);
    if (code == SQLITE_OK)
        code = apart_attach(d);
    if (code != SQLITE_OK) {
        bool damaged = (code & 0xFF) == SQLITE_NOTADB || (code & 0xFF) == SQLITE_CORRUPT;
        th_status status = damaged ? failed(NULL, code, error)
                                   : th_failf(error, TH_IO, "store-open", "无法打开数据库 %s：%s", "Cannot open the database %s: %s", store->url,
                                              sqlite3_errstr(code));
        disconnect(&d->base);
        return status;
    }
    sqlite3_busy_timeout(d->handle, BUSY_MS);
    sqlite3_extended_result_codes(d->handle, 1);
    th_status status = script(&d->base, settings, error);
    if (!status && writer)
        sqlite3_wal_autocheckpoint(d->handle, CHECKPOINT_PAGES);
    else if (!status && !store->memory)
        status = script(&d->base, "PRAGMA query_only=ON;", error);
    if (status)
        disconnect(&d->base);
    else
        *ret_db = &d->base;
    return status;
}

static size_t slot_of(const char *sql)
{
    return ((uintptr_t)sql >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 55 & (TH_STATEMENTS_MAX - 1);
}

static th_status statement_get(sqlite_db *d, const char *sql, sqlite3_stmt **ret, bool *ret_cached, th_error *error)
{
    size_t slot = slot_of(sql);
    while (d->cache[slot].sql && d->cache[slot].sql != sql)
        slot = (slot + 1) & (TH_STATEMENTS_MAX - 1);
    *ret_cached = true;
    if (d->cache[slot].sql) {
        *ret = d->cache[slot].statement;
        return TH_OK;
    }
    bool keep = d->cached < TH_STATEMENTS_MAX * 3 / 4;
    int code = sqlite3_prepare_v3(d->handle, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, ret, NULL);
    if (code != SQLITE_OK)
        return failed_in(d, code, error);
    if (keep) {
        d->cache[slot].sql = sql;
        d->cache[slot].statement = *ret;
        d->cached++;
    }
    *ret_cached = keep;
    return TH_OK;
}

static void statement_put(sqlite3_stmt *statement, bool cached)
{
    if (cached) {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    } else {
        sqlite3_finalize(statement);
    }
}

static int bind(sqlite3_stmt *statement, const th_value *params, size_t n)
{
    int code = SQLITE_OK;
    /* A statement may name fewer parameters than are given. */
    int wanted = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= (int)n && i <= wanted && code == SQLITE_OK; i++) {
        const th_value *v = &params[i - 1];
        switch (v->type) {
        case TH_VALUE_NULL:
            code = sqlite3_bind_null(statement, i);
            break;
        case TH_VALUE_INT:
            code = sqlite3_bind_int64(statement, i, v->i);
            break;
        case TH_VALUE_TEXT:
            code = sqlite3_bind_text64(statement, i, v->s.p ? v->s.p : "", v->s.n, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case TH_VALUE_BLOB:
            code = sqlite3_bind_blob64(statement, i, v->s.n ? v->s.p : "", v->s.n, SQLITE_STATIC);
            break;
        }
    }
    return code;
}

static void row_read(sqlite3_stmt *statement, int columns, th_value *row)
{
    for (int i = 0; i < columns; i++) {
        switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER:
            row[i] = th_v_int(sqlite3_column_int64(statement, i));
            break;
        case SQLITE_FLOAT: /* none is ever stored; an aggregate may make one */
            row[i] = th_v_int((int64_t)sqlite3_column_double(statement, i));
            break;
        case SQLITE_TEXT: {
            const char *text = (const char *)sqlite3_column_text(statement, i);
            row[i] = th_v_text((th_str){text ? text : "", (size_t)sqlite3_column_bytes(statement, i)});
            break;
        }
        case SQLITE_BLOB: {
            const void *blob = sqlite3_column_blob(statement, i);
            row[i] = th_v_blob(blob ? blob : "", (size_t)sqlite3_column_bytes(statement, i));
            break;
        }
        default:
            row[i] = th_v_null();
        }
    }
}

enum { COLUMNS_MAX = 64 };

static th_status run(sqlite_db *d, sqlite3_stmt *statement, const th_value *params, size_t n, th_db_row each, void *ctx,
                     th_error *error)
{
    th_value row[COLUMNS_MAX];
    int code = bind(statement, params, n), columns = sqlite3_column_count(statement);
    TH_ASSERT(columns <= COLUMNS_MAX);
    if (code != SQLITE_OK)
        return failed_in(d, code, error);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        row_read(statement, columns, row);
        if (each && !each(ctx, row, columns))
            return TH_OK;
    }
    return code == SQLITE_DONE ? TH_OK : failed_in(d, code, error);
}

static th_status each(th_db *db, const char *sql, const th_value *params, size_t n, th_db_row row, void *ctx, th_error *error)
{
    sqlite_db *d = (sqlite_db *)db;
    sqlite3_stmt *statement;
    bool cached;
    th_status status = statement_get(d, sql, &statement, &cached, error);
    if (status)
        return status;
    status = run(d, statement, params, n, row, ctx, error);
    statement_put(statement, cached);
    return status;
}

static th_status exec(th_db *db, const char *sql, const th_value *params, size_t n, int64_t *ret_changed, th_error *error)
{
    sqlite_db *d = (sqlite_db *)db;
    th_status status = each(db, sql, params, n, NULL, NULL, error);
    if (!status && ret_changed)
        *ret_changed = sqlite3_changes64(d->handle);
    return status;
}

static th_status select_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_arena *arena,
                             th_rows *ret_rows, th_error *error)
{
    sqlite_db *d = (sqlite_db *)db;
    sqlite3_stmt *statement;
    bool cached;
    th_status status = statement_get(d, sql, &statement, &cached, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < sets; i++) {
        th_gather gather = {.arena = arena};
        status = run(d, statement, params + i * n, n, th_gather_row, &gather, error);
        if (!status)
            status = th_gather_done(&gather, &ret_rows[i], error);
        sqlite3_reset(statement);
    }
    statement_put(statement, cached);
    return status;
}

static th_status exec_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_error *error)
{
    sqlite_db *d = (sqlite_db *)db;
    sqlite3_stmt *statement;
    bool cached;
    th_status status = statement_get(d, sql, &statement, &cached, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < sets; i++) {
        status = run(d, statement, params + i * n, n, NULL, NULL, error);
        sqlite3_reset(statement);
    }
    statement_put(statement, cached);
    return status;
}

static th_status file_backup(th_db *db, const char *name, const char *path, th_error *error)
{
    sqlite3 *copy = NULL;
    th_status status = TH_OK;
    int code = sqlite3_open(path, &copy);
    sqlite3_backup *work = code == SQLITE_OK ? sqlite3_backup_init(copy, "main", ((sqlite_db *)db)->handle, name) : NULL;
    if (!work)
        status = failed(copy, code == SQLITE_OK ? sqlite3_errcode(copy) : code, error);
    while (work && (code = sqlite3_backup_step(work, 1024)) == SQLITE_OK) {
    }
    if (work && sqlite3_backup_finish(work) != SQLITE_OK)
        status = failed(copy, sqlite3_errcode(copy), error);
    else if (work && code != SQLITE_DONE)
        status = failed(copy, code, error);
    sqlite3_close(copy);
    return status;
}

/* Both files as they were at one moment: the writer is kept out while a reader takes hold of the two. */
static th_status both_hold(th_store *store, th_db *reader, th_error *error)
{
    th_db *gate;
    th_status status = connect(store, true, &gate, error);
    if (status)
        return status;
    status = script(gate, "BEGIN IMMEDIATE", error);
    if (!status)
        status = script(reader, "BEGIN; SELECT 1 FROM main.sqlite_master LIMIT 1; SELECT 1 FROM " TH_STORE_APART ".sqlite_master LIMIT 1;",
                        error);
    disconnect(gate);
    return status;
}

static th_status backup(th_store *store, const char *to, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_arena_open(&arena, 16 * 1024);
    th_str path = th_strf(&arena, "%s/store.sqlite", to), apart = th_strf(&arena, "%s/" TH_STORE_APART ".sqlite", to);
    th_status status = path.p && apart.p ? th_store_acquire(store, &db, error) : TH_NO_MEMORY;
    if (status)
        goto out;
    if (!store->memory)
        status = both_hold(store, db, error);
    if (!status)
        status = file_backup(db, "main", path.p, error);
    if (!status)
        status = file_backup(db, TH_STORE_APART, apart.p, error);
    if (!store->memory)
        TH_IGNORE(script(db, "ROLLBACK", NULL));
    th_store_release(store, db);
out:
    th_arena_close(&arena);
    return status;
}

const th_backend th_backend_sqlite = {
    .connect = connect,
    .disconnect = disconnect,
    .usable = usable,
    .script = script,
    .each = each,
    .exec = exec,
    .select_many = select_many,
    .exec_many = exec_many,
    .backup = backup,
    .begin_read = "BEGIN",
    .end_read = "COMMIT",
    .begin_write = "BEGIN IMMEDIATE",
};
