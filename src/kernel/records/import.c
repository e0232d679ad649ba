/* import.c — one import is one version: rows are written in pieces under a number that nobody reads, and made live by the last change.
 *
 * A bad row is reported with its line, field and reason, and left out. A death half-way leaves the old version live; what it left
 * behind is swept by the next import of the register. */
#include "records-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4000, REPORT_MAX = 10000, LINE_MAX_BYTES = 64 * 1024, SWEEP = 20000 };

typedef struct row {
    uint8_t key[TH_RECORD_KEY];
    th_str sealed;
} row;

struct th_import {
    th_records *records;
    th_register *reg;
    th_report_line report;
    void *report_ctx;
    th_csv *csv;
    const th_field *columns[TH_CSV_FIELDS_MAX]; /* of a CSV file */
    size_t column_count;
    bool head_read, head_bad;
    char *partial; /* JSONL: a line that has not ended */
    size_t partial_n;
    bool passing; /* over the rest of a line that is too long */
    uint64_t line;
    int64_t version, before, now_us; /* before: the version that was live until this one was */
    th_arena piece_arena, row_arena;
    row rows[PIECE];
    size_t row_count;
    int64_t kept, refused, noted, reported;
    bool simulated;
    uint8_t (*seen)[TH_RECORD_KEY]; /* open addressing: keys of this file */
    uint64_t *seen_hash;            /* of the row's content, where rows of one key may be in conflict */
    size_t seen_mask, seen_n;
    struct dispute { uint8_t key[TH_RECORD_KEY]; char *keys_json; } *disputes;
    size_t dispute_n, dispute_room;
    th_status status;
    th_error error;
};

/* ---- reporting ---- */

/* A line of the report: `note` = the row was kept. */
static void line_say(th_import *im, uint64_t line, const char *field, const char *code, const char *zh, const char *en, bool note)
{
    th_arena arena;
    th_buf buf;
    if (!im->report || im->reported++ >= REPORT_MAX)
        return;
    th_arena_open(&arena, 64 * 1024);
    th_buf_open(&buf, &arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kint(&pen, "line", (int64_t)line);
    th_pen_ktext(&pen, "field", field[0] == '/' ? field + 1 : field);
    th_pen_ktext(&pen, "code", code);
    th_pen_ktext(&pen, "zh", zh);
    th_pen_ktext(&pen, "en", en);
    if (note)
        th_pen_kbool(&pen, "kept", true);
    th_pen_end(&pen, '}');
    im->report(im->report_ctx, th_buf_view(&buf));
    th_arena_close(&arena);
}

static void refuse(th_import *im, uint64_t line, const th_error *why)
{
    const th_field_error *f = why->field_count ? &why->fields[0] : NULL;
    im->refused++;
    line_say(im, line, f ? f->pointer : "", f ? f->code : why->type, f ? f->zh : why->zh, f ? f->en : why->en, false);
}

static void note(th_import *im, uint64_t line, th_str field, const char *code, const char *zh, const char *en)
{
    char name[96];
    th_field_pointer(name, "", field);
    im->noted++;
    line_say(im, line, name, code, zh, en, true);
}

/* ---- writing pieces ---- */

static th_status piece_apply(void *ctx, th_db *db, th_error *error)
{
    th_import *im = ctx;
    th_arena arena;
    th_arena_open(&arena, 16u << 20);
    th_value *values = th_alloc_array(&arena, im->row_count * 4, sizeof *values);
    th_status status = values ? TH_OK : TH_NO_MEMORY;
    for (size_t i = 0; !status && i < im->row_count; i++) {
        values[4 * i] = th_v_text(im->reg->name);
        values[4 * i + 1] = th_v_int(im->version);
        values[4 * i + 2] = th_v_blob(im->rows[i].key, TH_RECORD_KEY);
        values[4 * i + 3] = th_v_blob(im->rows[i].sealed.p, im->rows[i].sealed.n);
    }
    if (!status)
        status = th_db_exec_many(db, "INSERT INTO records_entry (register, version, key, sealed) VALUES (?1, ?2, ?3, ?4)", values, 4,
                                 im->row_count, error);
    th_arena_close(&arena);
    return status;
}

/* In the order of their keys: neighbours in the index, fewer pages touched. */
static int row_order(const void *a, const void *b)
{
    return memcmp(((const row *)a)->key, ((const row *)b)->key, TH_RECORD_KEY);
}

static void piece_write(th_import *im)
{
    if (!im->status && im->row_count) {
        qsort(im->rows, im->row_count, sizeof *im->rows, row_order);
        im->status = th_records_write(im->records, piece_apply, im, &im->error);
    }
    im->row_count = 0;
    th_arena_reset(&im->piece_arena);
}

/* ---- one row ---- */

static bool seen_grow(th_import *im)
{
    size_t slots = im->seen ? 2 * (im->seen_mask + 1) : 4096;
    uint8_t(*grown)[TH_RECORD_KEY] = th_new(slots * TH_RECORD_KEY);
    uint64_t *hashes = im->reg->duplicates_conflict ? th_new(slots * sizeof *hashes) : NULL;
    static const uint8_t none[TH_RECORD_KEY];
    if (!grown || (im->reg->duplicates_conflict && !hashes)) {
        th_free(grown);
        th_free(hashes);
        return false;
    }
    for (size_t i = 0; im->seen && i <= im->seen_mask; i++) {
        if (memcmp(im->seen[i], none, TH_RECORD_KEY) == 0)
            continue;
        size_t at;
        memcpy(&at, im->seen[i], sizeof at);
        for (at &= slots - 1; memcmp(grown[at], none, TH_RECORD_KEY) != 0; at = (at + 1) & (slots - 1)) {
        }
        memcpy(grown[at], im->seen[i], TH_RECORD_KEY);
        if (hashes)
            hashes[at] = im->seen_hash[i];
    }
    th_free(im->seen);
    th_free(im->seen_hash);
    im->seen = grown;
    im->seen_hash = hashes;
    im->seen_mask = slots - 1;
    return true;
}

typedef enum seen { SEEN_NEW, SEEN_SAME, SEEN_OTHER, SEEN_NO_MEMORY } seen;

/* Whether the key stood in this file before, and where it matters, with the same content. */
static seen seen_add(th_import *im, const uint8_t key[TH_RECORD_KEY], th_str json)
{
    static const uint8_t none[TH_RECORD_KEY];
    size_t at;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    if ((!im->seen || 2 * im->seen_n > im->seen_mask) && !seen_grow(im))
        return SEEN_NO_MEMORY;
    for (size_t i = 0; im->seen_hash && i < json.n; i++)
        hash = (hash ^ (unsigned char)json.p[i]) * UINT64_C(0x100000001b3);
    memcpy(&at, key, sizeof at);
    for (at &= im->seen_mask; memcmp(im->seen[at], none, TH_RECORD_KEY) != 0; at = (at + 1) & im->seen_mask)
        if (memcmp(im->seen[at], key, TH_RECORD_KEY) == 0)
            return im->seen_hash && im->seen_hash[at] != hash ? SEEN_OTHER : SEEN_SAME;
    memcpy(im->seen[at], key, TH_RECORD_KEY);
    if (im->seen_hash)
        im->seen_hash[at] = hash;
    im->seen_n++;
    return SEEN_NEW;
}

/* Two different rows of one key: the first stays, and nobody is told what it says until a person has looked. */
static th_status dispute_add(th_import *im, const uint8_t key[TH_RECORD_KEY], const th_str *keys)
{
    th_arena arena;
    th_buf buf;
    if (im->dispute_n == im->dispute_room) {
        size_t room = im->dispute_room ? 2 * im->dispute_room : 64;
        struct dispute *grown = th_new(room * sizeof *grown);
        if (!grown)
            return TH_NO_MEMORY;
        if (im->dispute_n)
            memcpy(grown, im->disputes, im->dispute_n * sizeof *grown);
        th_free(im->disputes);
        im->disputes = grown;
        im->dispute_room = room;
    }
    th_arena_open(&arena, 64 * 1024);
    th_buf_open(&buf, &arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (size_t i = 0; i < im->reg->key_count; i++) {
        th_pen_key_str(&pen, im->reg->keys[i]->name);
        th_pen_str(&pen, keys[i]);
    }
    th_pen_end(&pen, '}');
    struct dispute *d = &im->disputes[im->dispute_n];
    memcpy(d->key, key, TH_RECORD_KEY);
    d->keys_json = th_new_copy(th_buf_view(&buf));
    th_arena_close(&arena);
    im->dispute_n += d->keys_json != NULL;
    return d->keys_json ? TH_OK : TH_NO_MEMORY;
}

static void duplicate_take(th_import *im, seen found, const uint8_t key[TH_RECORD_KEY], const th_str *keys, th_error *why)
{
    if (found == SEEN_NO_MEMORY) {
        im->status = TH_NO_MEMORY;
    } else if (found == SEEN_OTHER) {
        im->status = dispute_add(im, key, keys);
        th_fail(why, TH_CONFLICT, "conflicting-rows", "同一键有两条内容不同的记录，已生成冲突单", "Two rows of one key differ; a ticket was opened");
    } else if (found == SEEN_SAME) {
        th_fail(why, TH_CONFLICT, "duplicate-key", "同一文件中键重复", "This key stood in the file before");
    }
}

/* `texts` has one value a field of the register; absent ones are NULL. */
static void row_take(th_import *im, uint64_t line, const th_str *texts)
{
    th_error why = {0};
    th_buf buf;
    th_str keys[TH_REGISTER_KEYS_MAX];
    row *r = &im->rows[im->row_count];
    th_buf_open(&buf, &im->row_arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (size_t i = 0; i < im->reg->field_count; i++) {
        const th_field *f = &im->reg->fields[i];
        const char *code, *zh, *en;
        char pointer[96];
        th_str text;
        unsigned changes;
        th_field_pointer(pointer, "", f->name);
        if (!texts[i].n) {
            if (f->required)
                th_fail_field(&why, pointer, "required", "缺少此项", "This is missing");
            continue;
        }
        if (!th_field_take(f, texts[i], im->now_us, &im->row_arena, &text, &changes, &code, &zh, &en)) {
            th_fail_field(&why, pointer, code, zh, en);
            continue;
        }
        th_pen_key_str(&pen, f->name);
        if (f->integer)
            th_pen_raw(&pen, text);
        else
            th_pen_str(&pen, text);
        for (size_t k = 0; k < im->reg->key_count; k++)
            if (im->reg->keys[k] == f)
                keys[k] = text;
        if (changes & TH_ID_WAS_OLD)
            note(im, line, f->name, "id-converted", "15 位旧号码已换算为 18 位，请核对", "A fifteen-digit number was converted to eighteen; please check");
        else if (f->format == TH_FORMAT_USCC && th_uscc_doubtful(text))
            note(im, line, f->name, "inner-code", "代码中的组织机构代码校验码不符（M 系列，仅提示）",
                 "The inner organisation code does not check (M series: only said)");
    }
    th_pen_end(&pen, '}');
    if (!why.status && !th_buf_ok(&buf))
        th_fail(&why, TH_TOO_LARGE, "too-long", "记录过长", "The record is too long");
    if (!why.status) {
        th_record_key(im->records, im->reg, keys, r->key);
        duplicate_take(im, seen_add(im, r->key, th_buf_view(&buf)), r->key, keys, &why);
    }
    if (!why.status && !im->status)
        im->status = th_entry_seal(im->records, im->reg, r->key, th_buf_view(&buf), &im->piece_arena, &r->sealed);
    if (why.status) {
        refuse(im, line, &why);
    } else if (!im->status) {
        im->kept++;
        if (++im->row_count == PIECE)
            piece_write(im);
    }
    th_arena_reset(&im->row_arena);
}

/* ---- CSV ---- */

static void csv_head(th_import *im, const th_str *fields, size_t n)
{
    im->head_read = true;
    for (size_t i = 0; i < n; i++) {
        im->columns[i] = th_field_find(im->reg, th_str_trim(fields[i]));
        if (!im->columns[i]) {
            im->head_bad = true;
            im->status = th_failf(&im->error, TH_UNPROCESSABLE, "csv-head", "表头中有登记簿没有的列 %.*s", "The head names %.*s, which the register does not have",
                                  TH_FMT(fields[i]));
        }
        for (size_t k = 0; k < i && im->columns[i]; k++)
            if (im->columns[k] == im->columns[i])
                im->status = th_failf(&im->error, TH_UNPROCESSABLE, "csv-head", "表头中列 %.*s 重复", "The head names %.*s twice", TH_FMT(fields[i]));
    }
    im->column_count = n;
}

static void csv_record(void *ctx, uint64_t line, const th_str *fields, size_t n, th_status status, const char *problem)
{
    th_import *im = ctx;
    th_error why = {0};
    th_str texts[TH_REGISTER_FIELDS_MAX] = {{NULL, 0}};
    im->line = line;
    if (im->status)
        return;
    if (!im->head_read && !status) {
        csv_head(im, fields, n);
        return;
    }
    if (status) {
        th_fail(&why, status, problem, "该行不是合法的 CSV", "This line is not valid CSV");
        refuse(im, line, &why);
        return;
    }
    if (n == 1 && !fields[0].n)
        return; /* an empty line */
    if (n != im->column_count) {
        th_failf(&why, TH_INVALID, "columns", "应有 %zu 列", "Should have %zu columns", im->column_count);
        refuse(im, line, &why);
        return;
    }
    for (size_t i = 0; i < n; i++)
        texts[im->columns[i] - im->reg->fields] = th_str_trim(fields[i]);
    row_take(im, line, texts);
}

/* ---- JSON lines ---- */

static void jsonl_line(th_import *im, th_str line)
{
    const th_json *root;
    th_error why = {0};
    th_str texts[TH_REGISTER_FIELDS_MAX] = {{NULL, 0}};
    im->line++;
    line = th_str_trim(line);
    if (!line.n || im->status)
        return;
    th_status status = th_json_parse(line, &im->row_arena, &root, &why);
    if (!status && root->type != TH_JSON_OBJECT)
        status = th_fail(&why, TH_INVALID, "type", "每行须为 JSON 对象", "Every line must be a JSON object");
    for (const th_json *m = status ? NULL : th_json_first(root); m && !why.status; m = th_json_next(root, m)) {
        const th_field *f = th_field_find(im->reg, m->key);
        if (th_str_is(m->key, "simulated"))
            im->simulated = im->simulated || m->type == TH_JSON_TRUE;
        else if (!f)
            th_failf(&why, TH_INVALID, "unknown-field", "没有字段 %.*s", "There is no field %.*s", TH_FMT(m->key));
        else if (m->type != TH_JSON_NULL && m->type != (f->integer ? TH_JSON_NUMBER : TH_JSON_STRING))
            th_failf(&why, TH_INVALID, "type", "字段 %.*s 类型不符", "The field %.*s has the wrong type", TH_FMT(m->key));
        else
            texts[f - im->reg->fields] = m->type == TH_JSON_NULL ? (th_str){NULL, 0} : m->text;
    }
    if (why.status) {
        refuse(im, im->line, &why);
        th_arena_reset(&im->row_arena);
        return;
    }
    row_take(im, im->line, texts);
}

/* A line that is too long is refused like any other bad row: the rest of it is passed over. */
static void too_long(th_import *im)
{
    th_error why = {0};
    TH_IGNORE(th_fail(&why, TH_TOO_LARGE, "line-too-long", "该行超过 64 KiB", "The line is longer than 64 KiB"));
    refuse(im, ++im->line, &why);
    im->partial_n = 0;
}

static th_status jsonl_feed(th_import *im, th_str bytes)
{
    while (bytes.n && !im->status) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        size_t n = end ? (size_t)(end - bytes.p) : bytes.n;
        if (!im->passing && im->partial_n + n > LINE_MAX_BYTES) {
            too_long(im);
            im->passing = true;
        }
        if (im->passing) {
            im->passing = !end;
        } else if (end && !im->partial_n) {
            jsonl_line(im, (th_str){bytes.p, n});
        } else {
            memcpy(im->partial + im->partial_n, bytes.p, n);
            im->partial_n += n;
            if (end) {
                jsonl_line(im, (th_str){im->partial, im->partial_n});
                im->partial_n = 0;
            }
        }
        bytes.p += n + (end != NULL);
        bytes.n -= n + (end != NULL);
    }
    return im->status;
}

/* ---- versions ---- */

static th_status begin_apply(void *ctx, th_db *db, th_error *error)
{
    th_import *im = ctx;
    th_arena arena;
    const th_value *found;
    th_value name = th_v_text(im->reg->name);
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_db_one(db, "SELECT COALESCE(MAX(version), 0) FROM records_version WHERE register = ?1", &name, 1, &arena, &found, error);
    if (!status) {
        im->version = found[0].i + 1;
        th_value values[] = {name, th_v_int(im->version), th_v_int(im->now_us)};
        status = th_db_exec(db, "INSERT INTO records_version (register, version, live, entries, made_at, simulated) VALUES (?1, ?2, 0, 0, ?3, 0)",
                            values, 3, NULL, error);
    }
    th_arena_close(&arena);
    return status;
}

/* Behind all: see entry.c. Before the version is live, like every row of it. */
static th_status last_apply(void *ctx, th_db *db, th_error *error)
{
    th_import *im = ctx;
    th_value values[] = {th_v_text(im->reg->name), th_v_int(im->version), th_v_blob(th_record_key_last, TH_RECORD_KEY),
                         th_v_blob(im->reg->last.p, im->reg->last.n)};
    return th_db_exec(db, "INSERT INTO records_entry (register, version, key, sealed) VALUES (?1, ?2, ?3, ?4)", values, 4, NULL, error);
}

static th_status disputes_put(th_import *im, th_db *db, th_error *error)
{
    th_status status = th_conflicts_supersede(im->records, db, im->reg->name, im->version, error);
    for (size_t i = 0; !status && i < im->dispute_n; i++) {
        th_ticket ticket = {.reg = im->reg->name,
                            .version = im->version,
                            .kind = "duplicate",
                            .detail = TH_STR("{\"found_by\":\"import\"}"),
                            .keys_json = th_str_of(im->disputes[i].keys_json)};
        memcpy(ticket.key, im->disputes[i].key, TH_RECORD_KEY);
        status = th_conflict_put(im->records, db, &ticket, error);
    }
    return status;
}

static th_status live_apply(void *ctx, th_db *db, th_error *error)
{
    th_import *im = ctx;
    th_status first = disputes_put(im, db, error);
    if (first)
        return first;
    th_arena arena;
    const th_value *found;
    th_value values[] = {th_v_text(im->reg->name), th_v_int(im->version), th_v_int(im->kept), th_v_int(im->simulated)};
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_db_one(db, "SELECT COALESCE(MAX(version), 0) FROM records_version WHERE register = ?1 AND live = 1", values, 1, &arena,
                                 &found, error);
    if (!status)
        im->before = found[0].i;
    th_arena_close(&arena);
    if (!status)
        status = th_db_exec(db, "UPDATE records_version SET live = 0 WHERE register = ?1", values, 1, NULL, error);
    return status ? status
                  : th_db_exec(db, "UPDATE records_version SET live = 1, entries = ?3, simulated = ?4 WHERE register = ?1 AND version = ?2", values,
                               4, NULL, error);
}

typedef struct sweeping {
    th_import *im;
    int64_t changed;
} sweeping;

/* Rows of older versions, also of imports that died, some at a time so that nobody waits long behind them. What was live until now stays: a
 * read that began before the change of version, here or in a node beside this process, still finds it. */
static th_status sweep_apply(void *ctx, th_db *db, th_error *error)
{
    sweeping *s = ctx;
    th_value values[] = {th_v_text(s->im->reg->name), th_v_int(s->im->version), th_v_int(s->im->before), th_v_int(SWEEP)};
    th_status status = th_db_exec(db,
                                  "DELETE FROM records_entry WHERE register = ?1 AND version < ?2 AND version <> ?3 AND key IN (SELECT key FROM "
                                  "records_entry WHERE register = ?1 AND version < ?2 AND version <> ?3 LIMIT ?4)",
                                  values, 4, &s->changed, error);
    if (!status && !s->changed)
        status = th_db_exec(db, "DELETE FROM records_version WHERE register = ?1 AND version < ?2 AND version <> ?3", values, 3, NULL, error);
    return status;
}

static void old_sweep(th_import *im)
{
    sweeping s = {im, 1};
    while (s.changed && th_records_write(im->records, sweep_apply, &s, NULL) == TH_OK) {
    }
}

/* ---- the import's life ---- */

th_status th_import_open(th_records *records, th_register *reg, bool csv, th_report_line report, void *ctx, th_import **ret_import,
                         th_error *error)
{
    bool idle = false;
    if (!atomic_compare_exchange_strong(&records->importing, &idle, true))
        return th_fail(error, TH_BUSY, "importing", "另一导入正在进行", "Another import is under way");
    th_import *im = th_new(sizeof *im);
    if (!im) {
        atomic_store(&records->importing, false);
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    }
    im->records = records;
    im->reg = reg;
    im->report = report;
    im->report_ctx = ctx;
    im->now_us = th_now_us(records->options.env);
    th_arena_open(&im->piece_arena, 256u << 20);
    th_arena_open(&im->row_arena, 4u << 20);
    th_status status = csv ? th_csv_open(csv_record, im, &im->csv) : TH_OK;
    if (!status && !csv && !(im->partial = th_new(LINE_MAX_BYTES)))
        status = TH_NO_MEMORY;
    if (!status)
        status = th_records_write(records, begin_apply, im, error);
    if (status)
        th_import_abandon(im);
    else
        *ret_import = im;
    return status;
}

void th_import_abandon(th_import *im)
{
    if (!im)
        return;
    atomic_store(&im->records->importing, false);
    th_csv_close(im->csv);
    th_free(im->partial);
    th_free(im->seen);
    th_free(im->seen_hash);
    for (size_t i = 0; i < im->dispute_n; i++)
        th_free(im->disputes[i].keys_json);
    th_free(im->disputes);
    th_arena_close(&im->piece_arena);
    th_arena_close(&im->row_arena);
    th_free(im);
}

th_status th_import_feed(th_import *im, th_str bytes, th_error *error)
{
    th_status status = im->csv ? th_csv_feed(im->csv, bytes) : jsonl_feed(im, bytes);
    if (!status)
        status = im->status;
    if (status && error)
        *error = im->error;
    return status;
}

static void summary_write(const th_import *im, th_buf *buf)
{
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "register", im->reg->name);
    th_pen_kint(&pen, "version", im->version);
    th_pen_kint(&pen, "kept", im->kept);
    th_pen_kint(&pen, "refused", im->refused);
    th_pen_kint(&pen, "noted", im->noted);
    th_pen_kint(&pen, "conflicts", (int64_t)im->dispute_n);
    th_pen_kbool(&pen, "simulated", im->simulated);
    th_pen_end(&pen, '}');
}

th_status th_import_end(th_import *im, th_arena *arena, th_str *ret_summary, th_error *error)
{
    th_buf buf;
    th_status status = im->csv ? th_csv_end(im->csv) : TH_OK;
    if (!im->csv && im->partial_n)
        jsonl_line(im, (th_str){im->partial, im->partial_n});
    piece_write(im);
    if (!status)
        status = im->status;
    if (!status && !im->kept)
        status = th_fail(&im->error, TH_UNPROCESSABLE, "nothing-kept", "没有一行合格，登记簿保持不变", "No row was good; the register is unchanged");
    if (!status)
        status = th_records_write(im->records, last_apply, im, &im->error);
    if (!status)
        status = th_records_write(im->records, live_apply, im, &im->error);
    if (!status) {
        pthread_mutex_lock(&im->records->lock);
        im->reg->version = im->version;
        im->reg->entries = im->kept;
        im->reg->made_us = im->now_us;
        im->reg->simulated = im->simulated;
        pthread_mutex_unlock(&im->records->lock);
        status = th_conflicts_load(im->records, &im->error);
        old_sweep(im);
    }
    if (status && error)
        *error = im->error;
    th_buf_open(&buf, arena, 4096);
    summary_write(im, &buf);
    *ret_summary = th_buf_view(&buf);
    th_import_abandon(im);
    return status;
}

th_status th_records_import(th_records *records, th_str name, const char *path, const char *format, th_report_line report, void *ctx,
                            th_error *error)
{
    static const size_t chunk = 256 * 1024;
    th_import *im;
    th_arena arena;
    th_str summary;
    th_register *reg = th_register_find(records, name);
    if (!reg)
        return th_fail(error, TH_NOT_FOUND, "no-register", "没有这个登记簿", "There is no such register");
    FILE *file = fopen(path, "re");
    if (!file)
        return th_failf(error, TH_IO, "file", "无法读取 %s", "Cannot read %s", path);
    char *bytes = th_new(chunk);
    th_status status = bytes ? th_import_open(records, reg, strcmp(format, "csv") == 0, report, ctx, &im, error) : TH_NO_MEMORY;
    for (size_t n = 1; !status && n;) {
        n = fread(bytes, 1, chunk, file);
        status = th_import_feed(im, (th_str){bytes, n}, error);
        if (status)
            th_import_abandon(im);
    }
    fclose(file);
    th_free(bytes);
    if (status)
        return status;
    th_arena_open(&arena, 64 * 1024);
    status = th_import_end(im, &arena, &summary, error);
    if (report && !status)
        report(ctx, summary);
    th_arena_close(&arena);
    return status;
}
