/* backup_pg.c — PostgreSQL: every table by COPY inside one repeatable-read snapshot; the schema comes back from the migrations that
 * the table store_migration keeps. */
#include "store-private.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

static const char tables_sql[] =
    "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1";

static th_status pg_failed(PGconn *conn, th_error *error)
{
    return th_failf(error, TH_IO, "backup", "数据库备份出错：%s", "The database copy failed: %s", PQerrorMessage(conn));
}

/* Table names come from our own migrations; they are checked all the same before they stand in SQL. */
static bool plain_name(th_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '_'))
            return false;
    return name.n > 0 && name.n < 64;
}

static th_status table_out(PGconn *conn, const char *dir, th_str name, th_error *error)
{
    char path[4096], sql[256], *bytes;
    snprintf(path, sizeof path, "%s/%.*s.copy", dir, TH_FMT(name));
    snprintf(sql, sizeof sql, "COPY %.*s TO STDOUT (FORMAT binary)", TH_FMT(name));
    FILE *file = fopen(path, "wbe");
    PGresult *result = PQexec(conn, sql);
    bool ok = file && PQresultStatus(result) == PGRES_COPY_OUT;
    PQclear(result);
    int n;
    while (ok && (n = PQgetCopyData(conn, &bytes, 0)) > 0) {
        ok = fwrite(bytes, 1, (size_t)n, file) == (size_t)n;
        PQfreemem(bytes);
    }
    while ((result = PQgetResult(conn))) {
        ok = ok && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (file && fclose(file) != 0)
        ok = false;
    return ok ? TH_OK : pg_failed(conn, error);
}

static th_status tables_out(th_db *db, const char *to, th_arena *arena, th_error *error)
{
    th_rows rows;
    th_status status = th_db_select(db, tables_sql, NULL, 0, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        th_str name = th_row(&rows, i)[0].s;
        status = plain_name(name) ? table_out(th_pg_connection(db), to, name, error) : TH_CORRUPT;
    }
    return status;
}

th_status th_pg_backup(th_store *store, const char *to, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_status status = th_store_acquire(store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 4u << 20);
    status = th_db_snapshot_begin(db);
    if (!status) {
        status = tables_out(db, to, &arena, error);
        th_db_snapshot_end(db);
    }
    th_arena_close(&arena);
    th_store_release(store, db);
    return status;
}

/* ---- back ---- */

th_status th_pg_is_empty(th_store *store, bool *ret_empty, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_rows rows;
    th_status status = th_store_acquire(store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 1 << 20);
    status = th_db_select(db, tables_sql, NULL, 0, &arena, &rows, error);
    if (!status)
        *ret_empty = rows.n == 0;
    th_arena_close(&arena);
    th_store_release(store, db);
    return status;
}

static th_status table_in(PGconn *conn, const char *dir, const char *name, th_error *error)
{
    char path[4096], sql[256], piece[65536];
    size_t n;
    snprintf(path, sizeof path, "%s/%s.copy", dir, name);
    snprintf(sql, sizeof sql, "COPY %s FROM STDIN (FORMAT binary)", name);
    FILE *file = fopen(path, "rbe");
    PGresult *result = PQexec(conn, sql);
    bool ok = file && PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    while (ok && (n = fread(piece, 1, sizeof piece, file)) > 0)
        ok = PQputCopyData(conn, piece, (int)n) == 1;
    if (ok)
        ok = PQputCopyEnd(conn, NULL) == 1;
    while ((result = PQgetResult(conn))) {
        ok = ok && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (file)
        fclose(file);
    return ok ? TH_OK : pg_failed(conn, error);
}

static th_status schema_in(th_db *db, th_arena *arena, th_error *error)
{
    th_rows rows;
    th_status status = th_db_select(db, "SELECT text FROM store_migration ORDER BY module, number", NULL, 0, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        th_str text = th_migration_spell(db, th_row(&rows, i)[0].s, arena);
        status = text.p ? th_db_script(db, text.p, error) : TH_NO_MEMORY;
    }
    return status;
}

static th_status files_in(th_db *db, const char *from, const th_json *manifest, th_arena *arena, th_error *error)
{
    const th_json *files = th_json_get(manifest, "files");
    th_status status = TH_OK;
    for (const th_json *f = th_json_first(files); !status && f; f = th_json_next(files, f)) {
        th_str name = th_json_str(f, "name");
        th_str table = {name.p, name.n > 5 ? name.n - 5 : 0};
        if (th_str_is(table, "store_migration"))
            continue;
        th_str kept = plain_name(table) ? th_str_keep(arena, table) : (th_str){NULL, 0};
        status = kept.p ? table_in(th_pg_connection(db), from, kept.p, error) : TH_CORRUPT;
    }
    return status;
}

th_status th_pg_restore(th_store *store, const char *from, const th_json *manifest, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_status status = th_store_writer_db(store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 16u << 20);
    status = th_db_script(db, "BEGIN", error);
    if (!status)
        status = th_db_script(db, th_migration_table_sql, error);
    if (!status)
        status = table_in(th_pg_connection(db), from, "store_migration", error);
    if (!status)
        status = schema_in(db, &arena, error);
    if (!status)
        status = files_in(db, from, manifest, &arena, error);
    if (!status)
        status = th_db_script(db, "COMMIT", error);
    else
        TH_IGNORE(th_db_script(db, "ROLLBACK", NULL));
    th_arena_close(&arena);
    th_store_writer_db_close(store, db);
    return status;
}
