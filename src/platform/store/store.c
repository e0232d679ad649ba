/* store.c — opening by URL, pooled readers, and the calls that go to whichever backend it is. */
#include "store-private.h"

#include <string.h>

th_status th_store_open(const char *url, const char *vfs, th_store **ret_store, th_error *error)
{
    static const char sqlite[] = "sqlite:", pg[] = "postgresql://", pg_short[] = "postgres://";
    bool is_sqlite = strncmp(url, sqlite, sizeof sqlite - 1) == 0;
    if (!is_sqlite && strncmp(url, pg, sizeof pg - 1) != 0 && strncmp(url, pg_short, sizeof pg_short - 1) != 0)
        return th_fail(error, TH_INVALID, "store-url", "存储地址须以 sqlite: 或 postgresql:// 开头",
                       "The store's URL must begin with sqlite: or postgresql://");
    th_store *store = th_new(sizeof *store);
    if (!store)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    pthread_mutex_init(&store->lock, NULL);
    store->backend = is_sqlite ? &th_backend_sqlite : &th_backend_pg;
    store->url = th_new_copy(th_str_of(is_sqlite ? url + sizeof sqlite - 1 : url));
    store->vfs = vfs ? th_new_copy(th_str_of(vfs)) : NULL;
    store->memory = is_sqlite && strcmp(url, "sqlite::memory:") == 0;
    th_db *db;
    th_status status = store->backend->connect(store, true, &db, error); /* the file or schema exists after this */
    if (!status && store->memory)
        store->shared = db;
    else if (!status)
        th_store_writer_db_close(store, db);
    if (status)
        th_store_close(store);
    else
        *ret_store = store;
    return status;
}

void th_store_close(th_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->idle_count; i++)
        store->backend->disconnect(store->idle[i]);
    if (store->shared)
        store->backend->disconnect(store->shared);
    if (store->spare)
        store->backend->disconnect(store->spare);
    pthread_mutex_destroy(&store->lock);
    th_free(store->url);
    th_free(store->vfs);
    th_free(store);
}

bool th_store_is_postgresql(const th_store *store)
{
    return store->backend == &th_backend_pg;
}

bool th_db_is_postgresql(const th_db *db)
{
    return th_store_is_postgresql(db->store);
}

bool th_db_failed(const th_db *db)
{
    return db->failed;
}

th_status th_store_acquire(th_store *store, th_db **ret_db, th_error *error)
{
    th_db *db = NULL;
    if (store->shared) {
        *ret_db = store->shared;
        return TH_OK;
    }
    pthread_mutex_lock(&store->lock);
    if (store->idle_count)
        db = store->idle[--store->idle_count];
    bool more = !db && store->open_count < TH_POOL_MAX;
    if (more)
        store->open_count++;
    pthread_mutex_unlock(&store->lock);
    if (db) {
        *ret_db = db;
        return TH_OK;
    }
    if (!more)
        return th_fail(error, TH_BUSY, "store-busy", "存储连接已用尽，请稍后再试", "All connections to the store are in use");
    th_status status = store->backend->connect(store, false, ret_db, error);
    if (status) {
        pthread_mutex_lock(&store->lock);
        store->open_count--;
        pthread_mutex_unlock(&store->lock);
    }
    return status;
}

void th_store_release(th_store *store, th_db *db)
{
    if (db == store->shared)
        return;
    bool keep = !db->broken && store->backend->usable(db);
    pthread_mutex_lock(&store->lock);
    if (keep)
        store->idle[store->idle_count++] = db;
    else
        store->open_count--;
    pthread_mutex_unlock(&store->lock);
    if (!keep)
        store->backend->disconnect(db);
}

th_status th_store_writer_db(th_store *store, th_db **ret_db, th_error *error)
{
    if (store->shared) {
        *ret_db = store->shared;
        return TH_OK;
    }
    pthread_mutex_lock(&store->lock);
    th_db *spare = store->spare;
    store->spare = NULL;
    pthread_mutex_unlock(&store->lock);
    *ret_db = spare;
    return spare ? TH_OK : store->backend->connect(store, true, ret_db, error);
}

void th_store_writer_db_close(th_store *store, th_db *db)
{
    if (!db || db == store->shared)
        return;
    /* PostgreSQL's may hold the writer's lock, which goes with the connection. */
    bool keep = !th_store_is_postgresql(store) && !db->broken && store->backend->usable(db);
    pthread_mutex_lock(&store->lock);
    keep = keep && !store->spare;
    if (keep)
        store->spare = db;
    pthread_mutex_unlock(&store->lock);
    if (!keep)
        store->backend->disconnect(db);
}

/* ---- reading ---- */

th_status th_db_snapshot_begin(th_db *db)
{
    if (db == db->store->shared)
        return TH_OK; /* one thread, one connection: nothing can change in between */
    return th_db_script(db, db->store->backend->begin_read, NULL);
}

void th_db_snapshot_end(th_db *db)
{
    if (db != db->store->shared && th_db_script(db, db->store->backend->end_read, NULL))
        db->broken = true;
}

th_status th_db_script(th_db *db, const char *sql, th_error *error)
{
    return db->store->backend->script(db, sql, error);
}

bool th_gather_row(void *gather, const th_value *row, int columns)
{
    th_gather *g = gather;
    g->columns = columns;
    if (g->n == TH_ROWS_MAX) {
        g->status = TH_TOO_LARGE;
        return false;
    }
    if (g->n == g->room) {
        size_t room = g->room ? g->room * 2 : 16;
        th_value *cells = th_alloc_array(g->arena, room * (size_t)columns, sizeof *cells);
        if (!cells) {
            g->status = TH_TOO_LARGE;
            return false;
        }
        if (g->n)
            memcpy(cells, g->cells, g->n * (size_t)columns * sizeof *cells);
        g->cells = cells;
        g->room = room;
    }
    th_value *to = g->cells + g->n++ * (size_t)columns;
    for (int i = 0; i < columns; i++) {
        to[i] = row[i];
        if (row[i].type != TH_VALUE_TEXT && row[i].type != TH_VALUE_BLOB)
            continue;
        to[i].s = th_str_keep(g->arena, row[i].s.p ? row[i].s : (th_str){"", 0});
        if (!to[i].s.p) {
            g->status = TH_TOO_LARGE;
            return false;
        }
    }
    return true;
}

th_status th_gather_done(th_gather *gather, th_rows *ret_rows, th_error *error)
{
    if (gather->status)
        return th_fail(error, gather->status, "too-many-rows", "结果过多，请缩小范围", "There are too many rows; ask for less");
    *ret_rows = (th_rows){gather->n, gather->columns, gather->cells};
    return TH_OK;
}

/* A text is UTF-8 without NUL on both stores: PostgreSQL takes no other, and what one store keeps the other must be able to keep.
 * The row at fault is refused; the batch it came in goes on. */
static th_status texts_check(const th_value *params, size_t n, th_error *error)
{
    for (size_t i = 0; i < n; i++)
        if (params[i].type == TH_VALUE_TEXT && (memchr(params[i].s.p, 0, params[i].s.n) || !th_utf8_valid(params[i].s)))
            return th_fail(error, TH_UNPROCESSABLE, "store-text", "文字含有空字符或编码错误，无法保存",
                           "A text with a NUL or broken UTF-8 cannot be kept");
    return TH_OK;
}

th_status th_db_select(th_db *db, const char *sql, const th_value *params, size_t n, th_arena *arena, th_rows *ret_rows,
                       th_error *error)
{
    th_gather gather = {.arena = arena};
    th_status status = texts_check(params, n, error);
    if (!status)
        status = db->store->backend->each(db, sql, params, n, th_gather_row, &gather, error);
    return status ? status : th_gather_done(&gather, ret_rows, error);
}

th_status th_db_one(th_db *db, const char *sql, const th_value *params, size_t n, th_arena *arena, const th_value **ret_row,
                    th_error *error)
{
    th_rows rows;
    th_status status = th_db_select(db, sql, params, n, arena, &rows, error);
    if (status)
        return status;
    if (!rows.n)
        return TH_NOT_FOUND;
    *ret_row = rows.cells;
    return TH_OK;
}

th_status th_db_select_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_arena *arena,
                            th_rows *ret_rows, th_error *error)
{
    th_status status = texts_check(params, n * sets, error);
    return status ? status : db->store->backend->select_many(db, sql, params, n, sets, arena, ret_rows, error);
}

th_status th_db_each(th_db *db, const char *sql, const th_value *params, size_t n, th_db_row each, void *ctx, th_error *error)
{
    th_status status = texts_check(params, n, error);
    return status ? status : db->store->backend->each(db, sql, params, n, each, ctx, error);
}

th_status th_db_exec(th_db *db, const char *sql, const th_value *params, size_t n, int64_t *ret_changed, th_error *error)
{
    th_status status = texts_check(params, n, error);
    return status ? status : db->store->backend->exec(db, sql, params, n, ret_changed, error);
}

th_status th_db_exec_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_error *error)
{
    th_status status = texts_check(params, n * sets, error);
    return status || !sets ? status : db->store->backend->exec_many(db, sql, params, n, sets, error);
}
