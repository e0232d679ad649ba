/* pg.c — PostgreSQL 15 by libpq: prepared statements, pipelines for many parameter sets, numbers as text, blobs as binary. */
#include "store-private.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { INT8_OID = 20, TEXT_OID = 25, BYTEA_OID = 17, PARAMS_MAX = 32, COLUMNS_MAX = 64, PIPELINE_MAX = 256 };
/* One daemon a database: the writer's connection holds this lock for its life. */
static const char writer_lock_sql[] = "SELECT pg_try_advisory_lock(hashtext(current_schema()), 1953853288)";

typedef struct pg_db {
    th_db base;
    PGconn *conn;
    struct { const char *sql; uint64_t types; unsigned number; } cache[TH_STATEMENTS_MAX];
    size_t cached;
    unsigned next_number;
} pg_db;

static th_status failure(const pg_db *d, const PGresult *result, const char *code, th_error *error)
{
    if (code && strcmp(code, "53100") == 0)
        return th_fail(error, TH_NO_SPACE, "out-of-space", "磁盘已满，暂时只能读取", "The disk is full: reads go on, writes wait");
    if (code && strcmp(code, "23505") == 0)
        return th_fail(error, TH_CONFLICT, "exists", "已存在相同的记录", "Such a row exists already");
    /* The row is at fault, not the store: a value, a constraint, a key longer than an index takes. */
    if (code && (strncmp(code, "22", 2) == 0 || strncmp(code, "23", 2) == 0 || strncmp(code, "54", 2) == 0))
        return th_fail(error, TH_UNPROCESSABLE, "store-refused", "记录不完整，无法保存", "The row is incomplete and cannot be kept");
    if (code && (strcmp(code, "XX001") == 0 || strcmp(code, "XX002") == 0))
        return th_fail(error, TH_CORRUPT, "store-corrupt", "数据库文件损坏", "The database is damaged");
    const char *words = result ? PQresultErrorMessage(result) : PQerrorMessage(d->conn);
    return th_failf(error, TH_IO, "store", "数据库出错：%s", "The database failed: %s", words ? words : "");
}

static th_status failed(pg_db *d, const PGresult *result, th_error *error)
{
    const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (PQstatus(d->conn) != CONNECTION_OK)
        d->base.broken = true;
    th_status status = failure(d, result, code, error);
    /* 25P02: only that an earlier statement was refused and its change went on all the same; going back to its savepoint mends it. */
    if (th_store_status_fatal(status) && !(code && strcmp(code, "25P02") == 0))
        d->base.failed = true;
    return status;
}

static th_status script(th_db *db, const char *sql, th_error *error)
{
    pg_db *d = (pg_db *)db;
    PGresult *result = PQexec(d->conn, sql);
    ExecStatusType kind = PQresultStatus(result);
    th_status status = kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK ? TH_OK : failed(d, result, error);
    PQclear(result);
    return status;
}

static void disconnect(th_db *db)
{
    pg_db *d = (pg_db *)db;
    PQfinish(d->conn);
    th_free(d);
}

static bool usable(th_db *db)
{
    pg_db *d = (pg_db *)db;
    return PQstatus(d->conn) == CONNECTION_OK && PQtransactionStatus(d->conn) == PQTRANS_IDLE;
}

static void notice_ignore(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

static th_status connect(th_store *store, bool writer, th_db **ret_db, th_error *error)
{
    pg_db *d = th_new(sizeof *d);
    if (!d)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    d->base.store = store;
    d->base.writer = writer;
    /* The URL's own words go last and count; without them a server that does not answer is given up after a while. */
    const char *keywords[] = {"connect_timeout", "dbname", NULL}, *values[] = {"5", store->url, NULL};
    d->conn = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(d->conn) != CONNECTION_OK) {
        th_failf(error, TH_UNAVAILABLE, "store-open", "无法连接数据库：%s", "Cannot connect to the database: %s",
                 PQerrorMessage(d->conn));
        disconnect(&d->base);
        return TH_UNAVAILABLE;
    }
    PQsetNoticeProcessor(d->conn, notice_ignore, NULL);
    th_status status = script(&d->base, writer ? "SET synchronous_commit = on" : "SET default_transaction_read_only = on", error);
    if (status)
        disconnect(&d->base);
    else
        *ret_db = &d->base;
    return status;
}

/* ---- statements ---- */

/* ?1 becomes $1; question marks in quotes stay. */
static char *spelled(const char *sql)
{
    char *text = th_new_copy(th_str_of(sql));
    bool quoted = false;
    for (char *p = text; p && *p; p++) {
        if (*p == '\'')
            quoted = !quoted;
        else if (*p == '?' && !quoted)
            *p = '$';
    }
    return text;
}

static Oid oid_of(th_value_type type)
{
    return type == TH_VALUE_INT ? INT8_OID : type == TH_VALUE_BLOB ? BYTEA_OID : type == TH_VALUE_TEXT ? TEXT_OID : 0;
}

/* NULLs have no type of their own: their parameter keeps the type that the statement infers. Two bits a parameter. */
static uint64_t types_of(const th_value *params, size_t n)
{
    uint64_t types = 0;
    for (size_t i = 0; i < n; i++)
        types |= (uint64_t)params[i].type << (2 * i);
    return types;
}

static size_t params_named(const char *sql)
{
    size_t most = 0;
    for (const char *p = sql; *p; p++)
        if (*p == '?') {
            size_t number = 0;
            while (p[1] >= '0' && p[1] <= '9')
                number = number * 10 + (size_t)(*++p - '0');
            most = number > most ? number : most;
        }
    return most;
}

static th_status prepare(pg_db *d, const char *sql, const th_value *params, size_t n, char ret_name[16], th_error *error)
{
    uint64_t types = types_of(params, n);
    Oid oids[PARAMS_MAX];
    size_t slot = (((uintptr_t)sql >> 3) ^ types) * UINT64_C(0x9E3779B97F4A7C15) >> 55 & (TH_STATEMENTS_MAX - 1);
    while (d->cache[slot].sql && (d->cache[slot].sql != sql || d->cache[slot].types != types))
        slot = (slot + 1) & (TH_STATEMENTS_MAX - 1);
    if (d->cache[slot].sql) {
        snprintf(ret_name, 16, "s%u", d->cache[slot].number);
        return TH_OK;
    }
    for (size_t i = 0; i < n; i++)
        oids[i] = oid_of(params[i].type);
    char *text = spelled(sql);
    bool keep = d->cached < TH_STATEMENTS_MAX * 3 / 4;
    unsigned number = keep ? ++d->next_number : 0;
    if (keep)
        snprintf(ret_name, 16, "s%u", number);
    else
        ret_name[0] = 0;
    PGresult *result = text ? PQprepare(d->conn, ret_name, text, (int)n, oids) : NULL;
    th_status status = PQresultStatus(result) == PGRES_COMMAND_OK ? TH_OK : failed(d, result, error);
    PQclear(result);
    th_free(text);
    if (!status && keep) {
        d->cache[slot].sql = sql;
        d->cache[slot].types = types;
        d->cache[slot].number = number;
        d->cached++;
    }
    return status;
}

typedef struct bound {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    uint64_t numbers[PARAMS_MAX];
} bound;

static uint64_t big_endian(int64_t value)
{
    return __builtin_bswap64((uint64_t)value);
}

/* Everything travels in binary: text is its bytes, a bigint is eight of them. */
static void bind(bound *b, const th_value *params, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const th_value *v = &params[i];
        b->formats[i] = 1;
        b->lengths[i] = (int)v->s.n;
        b->values[i] = v->s.p ? v->s.p : "";
        if (v->type == TH_VALUE_NULL) {
            b->values[i] = NULL;
        } else if (v->type == TH_VALUE_INT) {
            b->numbers[i] = big_endian(v->i);
            b->values[i] = (const char *)&b->numbers[i];
            b->lengths[i] = 8;
        }
    }
}

/* ---- rows ---- */

static th_value cell_read(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return th_v_null();
    const unsigned char *p = (const unsigned char *)PQgetvalue(result, row, column);
    size_t n = (size_t)PQgetlength(result, row, column);
    int64_t value = 0;
    switch (PQftype(result, column)) {
    case 20: /* int8 */
    case 21: /* int2 */
    case 23: /* int4 */
        value = p[0] & 0x80 ? -1 : 0;
        for (size_t i = 0; i < n; i++)
            value = (int64_t)((uint64_t)value << 8 | p[i]);
        return th_v_int(value);
    case 16: /* bool */
        return th_v_int(p[0]);
    case BYTEA_OID:
        return th_v_blob(p, n);
    default:
        return th_v_text((th_str){(const char *)p, n});
    }
}

static void rows_give(const PGresult *result, th_db_row each, void *ctx)
{
    th_value row[COLUMNS_MAX];
    int columns = PQnfields(result), rows = PQntuples(result);
    TH_ASSERT(columns <= COLUMNS_MAX);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++)
            row[c] = cell_read(result, r, c);
        if (!each(ctx, row, columns))
            return;
    }
}

static int64_t changed_of(PGresult *result)
{
    int64_t changed = 0;
    return th_parse_i64(th_str_of(PQcmdTuples(result)), 0, INT64_MAX, &changed) ? changed : 0;
}

static th_status run(pg_db *d, const char *sql, const th_value *params, size_t n, th_db_row row, void *ctx, int64_t *ret_changed,
                     th_error *error)
{
    bound b;
    char name[16];
    size_t named = params_named(sql);
    n = n < named ? n : named;
    TH_ASSERT(n <= PARAMS_MAX);
    th_status status = prepare(d, sql, params, n, name, error);
    if (status)
        return status;
    bind(&b, params, n);
    PGresult *result = PQexecPrepared(d->conn, name, (int)n, b.values, b.lengths, b.formats, 1);
    ExecStatusType kind = PQresultStatus(result);
    if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK)
        status = failed(d, result, error);
    else if (row)
        rows_give(result, row, ctx);
    if (!status && ret_changed)
        *ret_changed = changed_of(result);
    PQclear(result);
    return status;
}

static th_status each(th_db *db, const char *sql, const th_value *params, size_t n, th_db_row row, void *ctx, th_error *error)
{
    return run((pg_db *)db, sql, params, n, row, ctx, NULL, error);
}

static th_status exec(th_db *db, const char *sql, const th_value *params, size_t n, int64_t *ret_changed, th_error *error)
{
    return run((pg_db *)db, sql, params, n, NULL, NULL, ret_changed, error);
}

/* ---- pipelines ---- */

typedef struct sets_run {
    const char *sql;
    const th_value *params;
    size_t n, sets;
    th_arena *arena; /* NULL = rows are not wanted */
    th_rows *rows;
} sets_run;

static th_status result_take(pg_db *d, const sets_run *s, size_t i, th_error *error)
{
    th_status status = TH_OK;
    PGresult *result = PQgetResult(d->conn);
    ExecStatusType kind = PQresultStatus(result);
    if (kind == PGRES_PIPELINE_ABORTED)
        status = TH_IO; /* the first failure has said why */
    else if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK)
        status = failed(d, result, error);
    if (!status && s->arena) {
        th_gather gather = {.arena = s->arena};
        rows_give(result, th_gather_row, &gather);
        status = th_gather_done(&gather, &s->rows[i], error);
    }
    PQclear(result);
    while ((result = PQgetResult(d->conn)))
        PQclear(result);
    return status;
}

static th_status pipeline_part(pg_db *d, const sets_run *s, size_t from, size_t to, char (*names)[16], th_error *error)
{
    bound b;
    th_status status = TH_OK;
    if (PQenterPipelineMode(d->conn) != 1)
        return failed(d, NULL, error);
    size_t sent = from;
    for (; sent < to; sent++) {
        bind(&b, s->params + sent * s->n, s->n);
        if (PQsendQueryPrepared(d->conn, names[sent - from], (int)s->n, b.values, b.lengths, b.formats, 1) != 1)
            break;
    }
    if (sent < to || PQpipelineSync(d->conn) != 1)
        status = failed(d, NULL, error);
    for (size_t i = from; i < sent && !d->base.broken; i++) {
        th_status one = result_take(d, s, i, status ? NULL : error);
        status = status ? status : one;
    }
    PGresult *result;
    while ((result = PQgetResult(d->conn))) {
        bool sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        if (sync)
            break;
    }
    if (PQexitPipelineMode(d->conn) != 1)
        d->base.broken = true;
    return status;
}

static th_status sets_go(pg_db *d, const sets_run *s, th_error *error)
{
    static __thread char names[PIPELINE_MAX][16];
    th_status status = TH_OK;
    for (size_t from = 0; !status && from < s->sets; from += PIPELINE_MAX) {
        size_t to = from + PIPELINE_MAX < s->sets ? from + PIPELINE_MAX : s->sets;
        for (size_t i = from; !status && i < to; i++) /* a name each: NULLs may change the types */
            status = prepare(d, s->sql, s->params + i * s->n, s->n, names[i - from], error);
        if (!status)
            status = pipeline_part(d, s, from, to, names, error);
    }
    return status;
}

static th_status select_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_arena *arena,
                             th_rows *ret_rows, th_error *error)
{
    sets_run s = {sql, params, n, sets, arena, ret_rows};
    return sets_go((pg_db *)db, &s, error);
}

static th_status exec_many(th_db *db, const char *sql, const th_value *params, size_t n, size_t sets, th_error *error)
{
    sets_run s = {sql, params, n, sets, NULL, NULL};
    return sets_go((pg_db *)db, &s, error);
}

static bool lock_row(void *ctx, const th_value *row, int columns)
{
    (void)columns;
    *(int64_t *)ctx = row[0].i;
    return false;
}

/* The server lets go of a lock a moment after its connection has ended: a node that is started again at once waits for that. */
th_status th_pg_writer_lock(th_db *db, int wait_ms, th_error *error)
{
    enum { PAUSE_MS = 20 };
    int64_t got = 0;
    th_status status = each(db, writer_lock_sql, NULL, 0, lock_row, &got, error);
    for (; !status && !got && wait_ms > 0; wait_ms -= PAUSE_MS) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        status = each(db, writer_lock_sql, NULL, 0, lock_row, &got, error);
    }
    if (!status && !got)
        status = th_fail(error, TH_CONFLICT, "store-taken", "这个数据库正由另一个节点进程写入",
                         "Another node's process is writing to this database");
    return status;
}

const th_backend th_backend_pg = {
    .connect = connect,
    .disconnect = disconnect,
    .usable = usable,
    .script = script,
    .each = each,
    .exec = exec,
    .select_many = select_many,
    .exec_many = exec_many,
    .backup = th_pg_backup,
    .begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    .end_read = "COMMIT",
    .begin_write = "BEGIN",
};

void *th_pg_connection(th_db *db)
{
    return ((pg_db *)db)->conn;
}
