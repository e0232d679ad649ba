/* store.h — one portable SQL over SQLite and PostgreSQL 15: connections, migrations, reading, and the single writer.
 *
 * Caveats   Texts of SQL must be static: prepared statements are cached by the address of the text. Parameters are ?1, ?2 …
 *           (turned into $1 … for PostgreSQL). Types: BIGINT, TEXT, BLOB only (BLOB becomes BYTEA); no AUTOINCREMENT, no
 *           RETURNING-less upserts are assumed; ON CONFLICT … DO NOTHING / DO UPDATE and RETURNING work on both.
 * Promises  After a change's reply ran with TH_OK its rows survive kill -9 and power loss (SQLite WAL synchronous=FULL;
 *           PostgreSQL synchronous_commit=on). A change that fails leaves nothing behind and harms no other change.
 * Limits    TH_ROWS_MAX rows a select (more is TH_TOO_LARGE: page instead, or th_db_each).
 * Ownership Rows live in the arena given. A th_db belongs to one thread from acquire to release.
 * Errors    TH_IO, TH_NO_SPACE (disk full: writes refused, reads go on), TH_CONFLICT (a unique key exists), TH_CORRUPT;
 *           (of a change of the writer's, these three fail its whole batch when the store itself gave them, th_db_failed; a change that
 *           returns one on its own account fails alone);
 *           TH_UNPROCESSABLE for a row that cannot be kept (a text that is not UTF-8 or holds a NUL, a column missing): that change
 *           alone fails, never its batch.
 */
#ifndef TH_PLATFORM_STORE_H
#define TH_PLATFORM_STORE_H
#include "platform/base/base.h"

enum { TH_ROWS_MAX = 100000 };

typedef struct th_store th_store;
typedef struct th_db th_db;

/* ---- values ----------------------------------------------------------------------------------------------------------- */

typedef enum th_value_type { TH_VALUE_NULL, TH_VALUE_INT, TH_VALUE_TEXT, TH_VALUE_BLOB } th_value_type;
typedef struct th_value {
    th_value_type type;
    int64_t i;
    th_str s;
} th_value;

static inline th_value th_v_null(void) { return (th_value){TH_VALUE_NULL, 0, {NULL, 0}}; }
static inline th_value th_v_int(int64_t i) { return (th_value){TH_VALUE_INT, i, {NULL, 0}}; }
static inline th_value th_v_text(th_str s) { return (th_value){s.p ? TH_VALUE_TEXT : TH_VALUE_NULL, 0, s}; }
static inline th_value th_v_blob(const void *p, size_t n) { return (th_value){TH_VALUE_BLOB, 0, {(const char *)p, n}}; }

typedef struct th_rows {
    size_t n;       /* rows */
    int columns;
    const th_value *cells; /* n × columns */
} th_rows;
static inline const th_value *th_row(const th_rows *rows, size_t row) { return rows->cells + row * (size_t)rows->columns; }

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

/* `url`: "sqlite:PATH" (also "sqlite::memory:" for one connection in simulation) or "postgresql://…" (libpq URI; schema by
 * ?options=-csearch_path…). `vfs` NULL or the name of an SQLite VFS (simulation). */
TH_MUST_USE th_status th_store_open(const char *url, const char *vfs, th_store **ret_store, th_error *error);
void th_store_close(th_store *store);
bool th_store_is_postgresql(const th_store *store);

/* A module's numbered migrations: the text of its schema.sql, whose sections start with lines `-- migration N: title`, N = 1, 2 …
 * Notes before a table that concern SQLite: `-- heap`, keys of chance; `-- apart`, large and seldom written (migrate.c, sqlite.c).
 * Applies what is missing, each in a transaction; records (module, number, hash, text); an applied text that changed is TH_CORRUPT (empty
 * lines around it may come and go). */
TH_MUST_USE th_status th_store_migrate(th_store *store, const char *module, const char *schema_sql, th_error *error);

/* Online copy of the whole store into the directory `to` (SQLite: backup API; PostgreSQL: COPY of every table in one snapshot),
 * and back into an empty store. Resumable is not promised; a half copy is never accepted by restore. */
TH_MUST_USE th_status th_store_backup(th_store *store, const char *to, th_error *error);
TH_MUST_USE th_status th_store_restore(const char *from, const char *url, th_error *error);

/* ---- reading (any thread) ---------------------------------------------------------------------------------------------- */

/* A pooled connection for this thread; never blocks long: the pool grows to a limit, then TH_BUSY. */
TH_MUST_USE th_status th_store_acquire(th_store *store, th_db **ret_db, th_error *error);
void th_store_release(th_store *store, th_db *db);
/* One snapshot around several reads: they see one state. Nest not. */
TH_MUST_USE th_status th_db_snapshot_begin(th_db *db);
void th_db_snapshot_end(th_db *db);

TH_MUST_USE th_status th_db_select(th_db *db, const char *sql, const th_value *params, size_t n, th_arena *arena,
                                   th_rows *ret_rows, th_error *error);
/* First row only; TH_NOT_FOUND when there is none (no words in *error then). */
TH_MUST_USE th_status th_db_one(th_db *db, const char *sql, const th_value *params, size_t n, th_arena *arena,
                                const th_value **ret_row, th_error *error);
/* The same statement for many parameter sets in one go (PostgreSQL: one pipelined round trip). `params` holds sets × n values;
 * ret_rows has one th_rows a set. */
TH_MUST_USE th_status th_db_select_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets,
                                        th_arena *arena, th_rows *ret_rows, th_error *error);
/* Row by row without keeping them; stop by returning false. */
typedef bool (*th_db_row)(void *ctx, const th_value *row, int columns);
TH_MUST_USE th_status th_db_each(th_db *db, const char *sql, const th_value *params, size_t n, th_db_row each, void *ctx,
                                 th_error *error);

/* ---- writing (the writer's connection only) ---------------------------------------------------------------------------- */

TH_MUST_USE th_status th_db_exec(th_db *db, const char *sql, const th_value *params, size_t n, int64_t *ret_changed,
                                 th_error *error);
/* The same statement for many parameter sets (PostgreSQL: pipelined). */
TH_MUST_USE th_status th_db_exec_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets,
                                      th_error *error);
bool th_db_is_postgresql(const th_db *db);
/* Did the store itself fail (disk, connection, damage) since the writer began the present change? Then nothing more can be done in this
 * batch, and whoever undoes a part of his change must give the failure back instead. Data that cannot be right is no such failure. */
bool th_db_failed(const th_db *db);

/* ---- the writer ------------------------------------------------------------------------------------------------------- */

/* One change. The writer runs check and apply of all gathered changes inside one transaction, commits once, then calls every
 * reply. check only reads; apply only writes (it may run twice when another change of the batch failed, so it must not touch
 * memory that it would not set again); reply only answers, on the writer's thread: it must be short. */
typedef struct th_change th_change;
struct th_change {
    th_status (*check)(th_change *change, th_db *db, th_error *error);  /* NULL allowed */
    th_status (*apply)(th_change *change, th_db *db, th_error *error);
    void (*reply)(th_change *change, th_status status, const th_error *error);
    void *ctx;
    th_change *next; /* the writer's */
    th_status status;
    th_error *error; /* the writer's, in its batch arena; valid during reply */
};

/* Called once per batch, inside the transaction: begin before the first change (forget what an aborted batch left in memory),
 * seal after the last one, before COMMIT (journal: append, sign one head); settled after COMMIT or rollback with its outcome,
 * before the replies. Any may be NULL. A failing seal fails the batch. */
typedef struct th_writer_hooks {
    void (*begin)(void *ctx, th_db *db);
    th_status (*seal)(void *ctx, th_db *db, th_error *error);
    void (*settled)(void *ctx, th_status status);
    void *ctx;
} th_writer_hooks;

typedef struct th_writer th_writer;
typedef struct th_writer_stats {
    uint64_t batches, changes, failed, largest_batch, waiting;
    int64_t last_commit_us;
} th_writer_stats;

enum { TH_WRITER_BATCH_MAX = 1000, TH_WRITER_QUEUE_MAX = 20000 };

/* `threaded` false: nothing runs until th_writer_step (simulation). `batch_max` 0 = TH_WRITER_BATCH_MAX. */
TH_MUST_USE th_status th_writer_open(th_store *store, const th_writer_hooks *hooks, bool threaded, size_t batch_max,
                                     th_writer **ret_writer, th_error *error);
/* Beside the node's own writer, from another process (the command line): no hooks, and no claim to be the only one. */
TH_MUST_USE th_status th_writer_open_beside(th_store *store, th_writer **ret_writer, th_error *error);
/* Hand over a change (any thread; `change` stays the caller's until reply). TH_BUSY: the queue is full, reply is not called. */
TH_MUST_USE th_status th_writer_submit(th_writer *writer, th_change *change);
/* Several at once, one wake: `changes` is a list through next. All or none are taken. */
TH_MUST_USE th_status th_writer_submit_list(th_writer *writer, th_change *changes, size_t n);
/* Submit and wait for the outcome: CLI, tests, opening of modules. Not from the writer's own thread. */
TH_MUST_USE th_status th_writer_run(th_writer *writer, th_change *change, th_error *error);
size_t th_writer_step(th_writer *writer); /* unthreaded: run one batch on this thread; returns the number of changes */
th_writer_stats th_writer_read_stats(th_writer *writer);
void th_writer_close(th_writer *writer); /* finishes what was accepted */

#endif
