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
    uint64_t line;
    int64_t version, now_us;
    th_arena piece_arena, row_arena;
    row rows[PIECE];
    size_t row_count;
    int64_t kept, refused, reported;
    bool simulated;
    uint8_t (*seen)[TH_RECORD_KEY]; /* open addressing: keys of this file */
    size_t seen_mask, seen_n;
    th_status status;
    th_error error;
};

/* ---- reporting ---- */

static void refuse(th_import *im, uint64_t line, const th_error *why)
{
    th_arena arena;
    th_buf buf;
    im->refused++;
    if (!im->report || im->reported++ >= REPORT_MAX)
        return;
    th_arena_open(&arena, 64 * 1024);
    th_buf_open(&buf, &arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    const th_field_error *f = why->field_count ? &why->fields[0] : NULL;
    th_pen_object(&pen);
    th_pen_kint(&pen, "line", (int64_t)line);
    th_pen_ktext(&pen, "field", f ? (f->pointer[0] == '/' ? f->pointer + 1 : f->pointer) : "");
    th_pen_ktext(&pen, "code", f ? f->code : why->type);
    th_pen_ktext(&pen, "zh", f ? f->zh : why->zh);
    th_pen_ktext(&pen, "en", f ? f->en : why->en);
    th_pen_end(&pen, '}');
    im->report(im->report_ctx, th_buf_view(&buf));
    th_arena_close(&arena);
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
    static const uint8_t none[TH_RECORD_KEY];
    if (!grown)
        return false;
    for (size_t i = 0; im->seen && i <= im->seen_mask; i++) {
        if (memcmp(im->seen[i], none, TH_RECORD_KEY) == 0)
            continue;
        size_t at;
        memcpy(&at, im->seen[i], sizeof at);
        for (at &= slots - 1; memcmp(grown[at], none, TH_RECORD_KEY) != 0; at = (at + 1) & (slots - 1)) {
        }
        memcpy(grown[at], im->seen[i], TH_RECORD_KEY);
    }
    th_free(im->seen);
    im->seen = grown;
    im->seen_mask = slots - 1;
    return true;
}

/* True when the key is new in this file. */
static bool seen_add(th_import *im, const uint8_t key[TH_RECORD_KEY])
{
    static const uint8_t none[TH_RECORD_KEY];
    size_t at;
    if ((!im->seen || 2 * im->seen_n > im->seen_mask) && !seen_grow(im)) {
        im->status = TH_NO_MEMORY;
        return false;
    }
    memcpy(&at, key, sizeof at);
    for (at &= im->seen_mask; memcmp(im->seen[at], none, TH_RECORD_KEY) != 0; at = (at + 1) & im->seen_mask)
        if (memcmp(im->seen[at], key, TH_RECORD_KEY) == 0)
            return false;
    memcpy(im->seen[at], key, TH_RECORD_KEY);
    im->seen_n++;
    return true;
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
        char pointer[80];
        snprintf(pointer, sizeof pointer, "/%.*s", TH_FMT(f->name));
        if (!texts[i].n) {
            if (f->required)
                th_fail_field(&why, pointer, "required", "缺少此项", "This is missing");
            continue;
        }
        if (!th_text_fits(f, texts[i], im->now_us, &code, &zh, &en)) {
            th_fail_field(&why, pointer, code, zh, en);
            continue;
        }
        th_pen_key_str(&pen, f->name);
        if (f->integer)
            th_pen_raw(&pen, texts[i]);
        else
            th_pen_str(&pen, texts[i]);
        for (size_t k = 0; k < im->reg->key_count; k++)
            if (im->reg->keys[k] == f)
                keys[k] = texts[i];
    }
    th_pen_end(&pen, '}');
    if (!why.status && !th_buf_ok(&buf))
        th_fail(&why, TH_TOO_LARGE, "too-long", "记录过长", "The record is too long");
    if (!why.status) {
        th_record_key(im->records, im->reg, keys, r->key);
        if (!seen_add(im, r->key) && !im->status)
            th_fail(&why, TH_CONFLICT, "duplicate-key", "同一文件中键重复", "This key stood in the file before");
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

static th_status jsonl_feed(th_import *im, th_str bytes)
{
    while (bytes.n && !im->status) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        size_t n = end ? (size_t)(end - bytes.p) : bytes.n;
        if (im->partial_n + n > LINE_MAX_BYTES) {
            im->status = th_failf(&im->error, TH_TOO_LARGE, "line-too-long", "第 %llu 行过长", "Line %llu is too long", (unsigned long long)im->line + 1);
            break;
        }
        if (end && !im->partial_n) {
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

static th_status live_apply(void *ctx, th_db *db, th_error *error)
{
    th_import *im = ctx;
    th_value values[] = {th_v_text(im->reg->name), th_v_int(im->version), th_v_int(im->kept), th_v_int(im->simulated)};
    th_status status = th_db_exec(db, "UPDATE records_version SET live = 0 WHERE register = ?1", values, 1, NULL, error);
    return status ? status
                  : th_db_exec(db, "UPDATE records_version SET live = 1, entries = ?3, simulated = ?4 WHERE register = ?1 AND version = ?2", values,
                               4, NULL, error);
}

typedef struct sweeping {
    th_import *im;
    int64_t changed;
} sweeping;

/* Rows of versions before the last one, some at a time so that nobody waits long behind them. The last one stays: a read that began
 * before the change of version, here or in a node beside this process, still finds it. */
static th_status sweep_apply(void *ctx, th_db *db, th_error *error)
{
    sweeping *s = ctx;
    th_value values[] = {th_v_text(s->im->reg->name), th_v_int(s->im->version - 1), th_v_int(SWEEP)};
    th_status status = th_db_exec(db,
                                  "DELETE FROM records_entry WHERE register = ?1 AND version < ?2 AND key IN (SELECT key FROM records_entry "
                                  "WHERE register = ?1 AND version < ?2 LIMIT ?3)",
                                  values, 3, &s->changed, error);
    if (!status && !s->changed)
        status = th_db_exec(db, "DELETE FROM records_version WHERE register = ?1 AND version < ?2", values, 2, NULL, error);
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
        status = th_records_write(im->records, live_apply, im, &im->error);
    if (!status) {
        pthread_mutex_lock(&im->records->lock);
        im->reg->version = im->version;
        im->reg->entries = im->kept;
        im->reg->made_us = im->now_us;
        im->reg->simulated = im->simulated;
        pthread_mutex_unlock(&im->records->lock);
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
