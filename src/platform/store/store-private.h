/* store-private.h — one table of functions a backend, and what the dispatching files share. */
#ifndef TH_STORE_PRIVATE_H
#define TH_STORE_PRIVATE_H
#include "platform/base/json.h"
#include "platform/store/store.h"

#include <pthread.h>

/* SQLite's second file, where tables noted `-- apart` lie: PATH-registers beside PATH. */
#define TH_STORE_APART "registers"

enum { TH_POOL_MAX = 64, TH_STATEMENTS_MAX = 512 };

typedef struct th_backend th_backend;
struct th_backend {
    th_status (*connect)(th_store *store, bool writer, th_db **ret_db, th_error *error);
    void (*disconnect)(th_db *db);
    bool (*usable)(th_db *db);
    th_status (*script)(th_db *db, const char *sql, th_error *error); /* several statements, no parameters */
    th_status (*each)(th_db *db, const char *sql, const th_value *params, size_t n, th_db_row row, void *ctx, th_error *error);
    th_status (*exec)(th_db *db, const char *sql, const th_value *params, size_t n, int64_t *ret_changed, th_error *error);
    th_status (*select_many)(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_arena *arena,
                             th_rows *ret_rows, th_error *error);
    th_status (*exec_many)(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_error *error);
    th_status (*backup)(th_store *store, const char *to, th_error *error);
    const char *begin_read, *end_read, *begin_write;
};
extern const th_backend th_backend_sqlite, th_backend_pg;

struct th_store {
    const th_backend *backend;
    char *url; /* without the prefix for SQLite */
    char *vfs;
    bool memory; /* one shared connection */
    pthread_mutex_t lock;
    th_db *idle[TH_POOL_MAX];
    size_t idle_count, open_count;
    th_db *shared;
    th_db *spare; /* SQLite: a connection that writes and is not in use: reading the schema once serves all migrations and the writer */
};

/* What every backend's connection begins with. */
struct th_db {
    th_store *store;
    bool writer, broken;
    bool failed; /* the store itself failed, since the writer began its present change */
};

/* Of the statuses that a backend gives: not this row is at fault, the store is. */
static inline bool th_store_status_fatal(th_status status) { return status == TH_IO || status == TH_NO_SPACE || status == TH_CORRUPT; }

/* Rows gathered in an arena by the backends. */
typedef struct th_gather {
    th_arena *arena;
    th_value *cells;
    size_t n, room;
    int columns;
    th_status status;
} th_gather;
bool th_gather_row(void *gather, const th_value *row, int columns);
th_status th_gather_done(th_gather *gather, th_rows *ret_rows, th_error *error);

TH_MUST_USE th_status th_store_writer_db(th_store *store, th_db **ret_db, th_error *error);
void th_store_writer_db_close(th_store *store, th_db *db);
TH_MUST_USE th_status th_db_script(th_db *db, const char *sql, th_error *error);

/* pg.c, backup_pg.c */
TH_MUST_USE th_status th_pg_writer_lock(th_db *db, int wait_ms, th_error *error);
void *th_pg_connection(th_db *db); /* PGconn */
TH_MUST_USE th_status th_pg_backup(th_store *store, const char *to, th_error *error);
TH_MUST_USE th_status th_pg_restore(th_store *store, const char *from, const th_json *manifest, th_error *error);
TH_MUST_USE th_status th_pg_is_empty(th_store *store, bool *ret_empty, th_error *error);

/* migrate.c */
extern const char th_migration_table_sql[];
th_str th_migration_spell(th_db *db, th_str text, th_arena *arena); /* zero-terminated */

/* backup.c: files of a copy, hashed as they are listed; written to the disk before the manifest names them. */
TH_MUST_USE th_status th_backup_hash(const char *dir, const char *name, char ret_hex[65], int64_t *ret_bytes, th_error *error);
#endif
