/* migrate.c — numbered sections of a module's schema.sql, each applied once in a transaction, remembered with its text. */
#include "store-private.h"

#include "platform/crypto/crypto.h"

#include <string.h>

typedef struct section {
    int64_t number;
    th_str title, text;
} section;

const char th_migration_table_sql[] = "CREATE TABLE IF NOT EXISTS store_migration (module TEXT NOT NULL, number BIGINT NOT NULL, "
                                "title TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (module, number))";

/* `-- migration N: title` starts a section; what stands before the first is for readers. */
static bool header_read(th_str line, section *ret)
{
    static const char prefix[] = "-- migration ";
    th_str number;
    if (!th_str_starts(line, prefix))
        return false;
    th_str rest = {line.p + sizeof prefix - 1, line.n - (sizeof prefix - 1)};
    if (!th_str_cut(&rest, ':', &number) || !rest.p || !th_parse_i64(number, 1, 1000000, &ret->number))
        return false;
    ret->title = th_str_trim(rest);
    return true;
}

static bool section_next(th_str *rest, section *ret)
{
    th_str line, look = *rest;
    bool found = false;
    const char *from = NULL;
    while (look.p && look.n) {
        th_str before = look;
        if (!th_str_cut(&look, '\n', &line))
            break;
        section s;
        if (header_read(line, &s)) {
            if (found) {
                ret->text = (th_str){from, (size_t)(before.p - from)};
                *rest = before;
                return true;
            }
            *ret = s;
            found = true;
            from = look.p ? look.p : line.p + line.n;
        }
    }
    if (found) {
        ret->text = (th_str){from, (size_t)(rest->p + rest->n - from)};
        *rest = (th_str){NULL, 0};
    }
    return found;
}

static void postgresql_spell(th_str text, th_buf *buf)
{
    for (size_t i = 0; i < text.n; i++) {
        bool word = i + 4 <= text.n && memcmp(text.p + i, "BLOB", 4) == 0 && (i == 0 || text.p[i - 1] == ' ') &&
                    (i + 4 == text.n || strchr(" ,)\n", text.p[i + 4]));
        if (word) {
            th_buf_text(buf, "BYTEA");
            i += 3;
        } else {
            th_buf_char(buf, text.p[i]);
        }
    }
}

/* A table is its key's tree, without a hidden number and a second tree beside it. Two notes before a table change that: `-- heap` (keys
 * of chance: rows stay in the order they came in, only the key is put in order) and `-- apart` (in the second file, see sqlite.c). */
static void sqlite_spell(th_str text, th_buf *buf)
{
    static const char create[] = "CREATE TABLE ";
    th_str line;
    bool heap = false, apart = false, table = false;
    while (text.n && th_str_cut(&text, '\n', &line)) {
        if (th_str_is(line, "-- heap"))
            heap = true;
        else if (th_str_is(line, "-- apart"))
            apart = true;
        if (th_str_starts(line, create)) {
            table = true;
            th_buf_text(buf, create);
            th_buf_text(buf, apart ? TH_STORE_APART "." : "");
            th_buf_put(buf, line.p + sizeof create - 1, line.n - (sizeof create - 1));
        } else if (table && !heap && th_str_is(line, ");")) {
            th_buf_text(buf, ") WITHOUT ROWID;");
        } else {
            th_buf_str(buf, line);
        }
        th_buf_char(buf, '\n');
        if (table && line.n && line.p[line.n - 1] == ';')
            heap = apart = table = false;
    }
}

/* The portable SQL as this store spells it. */
th_str th_migration_spell(th_db *db, th_str text, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, text.n * 2 + 4096);
    if (th_db_is_postgresql(db))
        postgresql_spell(text, &buf);
    else
        sqlite_spell(text, &buf);
    th_buf_char(&buf, 0);
    return th_buf_ok(&buf) ? (th_str){buf.p, buf.n - 1} : (th_str){NULL, 0};
}

static th_status apply(th_db *db, const char *module, const section *s, const char *hash, th_arena *arena, th_error *error)
{
    th_str text = th_migration_spell(db, s->text, arena);
    if (!text.p)
        return TH_NO_MEMORY;
    th_status status = th_db_script(db, db->store->backend->begin_write, error);
    if (status)
        return status;
    status = th_db_script(db, text.p, error);
    th_value values[] = {th_v_text(th_str_of(module)), th_v_int(s->number), th_v_text(s->title), th_v_text(th_str_of(hash)),
                         th_v_text(s->text)};
    if (!status)
        status = th_db_exec(db, "INSERT INTO store_migration (module, number, title, hash, text) VALUES (?1, ?2, ?3, ?4, ?5)", values,
                            5, NULL, error);
    if (status)
        TH_IGNORE(th_db_script(db, "ROLLBACK", NULL));
    else
        status = th_db_script(db, "COMMIT", error);
    return status;
}

static th_status section_apply(th_db *db, const char *module, const section *s, th_arena *arena, th_error *error)
{
    const th_value *row;
    char hex[TH_HEX_HASH];
    th_hash hash = th_hash_str(TH_SUITE_ED25519, s->text);
    th_hex(hash.b, sizeof hash.b, hex);
    th_value key[] = {th_v_text(th_str_of(module)), th_v_int(s->number)};
    th_status status = th_db_one(db, "SELECT text FROM store_migration WHERE module = ?1 AND number = ?2", key, 2, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return apply(db, module, s, hex, arena, error);
    /* The empty line that parts it from the section after it was not there while it was the last. */
    if (!status && !th_str_eq(th_str_trim(row[0].s), th_str_trim(s->text)))
        status = th_failf(error, TH_CORRUPT, "migration-changed", "迁移 %s %lld 在应用之后被修改",
                          "Migration %s %lld was changed after it had been applied", module, (long long)s->number);
    return status;
}

th_status th_store_migrate(th_store *store, const char *module, const char *schema_sql, th_error *error)
{
    th_db *db;
    th_arena arena;
    section s = {0};
    th_str rest = th_str_of(schema_sql);
    int64_t expected = 1;
    th_status status = th_store_writer_db(store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 16u << 20);
    status = th_db_script(db, th_migration_table_sql, error);
    while (!status && section_next(&rest, &s)) {
        if (s.number != expected++)
            status = th_failf(error, TH_CORRUPT, "migration-gap", "迁移 %s 的编号不连续：%lld",
                              "The migrations of %s have a gap before %lld", module, (long long)s.number);
        else
            status = section_apply(db, module, &s, &arena, error);
    }
    th_arena_close(&arena);
    th_store_writer_db_close(store, db);
    return status;
}
