/* records.c — opening, the live version of each register, listing and exporting. */
#include "records-private.h"

#include <stdio.h>
#include <string.h>

enum { REGION_FILES_MAX = 256 << 20 };

extern const char th_records_schema_sql[];

const char *th_records_schema(void)
{
    return th_records_schema_sql;
}

th_live th_register_live(th_records *records, th_register *reg)
{
    pthread_mutex_lock(&records->lock);
    th_live live = {reg->version, reg->made_us, th_upstream_simulated(reg->upstream, reg->simulated), th_upstream_kind(reg->upstream)};
    pthread_mutex_unlock(&records->lock);
    return live;
}

typedef struct simple {
    th_change change;
    th_records_apply apply;
    void *ctx;
} simple;

static th_status simple_apply(th_change *change, th_db *db, th_error *error)
{
    simple *s = change->ctx;
    return s->apply(s->ctx, db, error);
}

th_status th_records_write(th_records *records, th_records_apply apply, void *ctx, th_error *error)
{
    simple s = {.apply = apply, .ctx = ctx};
    s.change = (th_change){.apply = simple_apply, .ctx = &s};
    return th_writer_run(records->options.writer, &s.change, error);
}

static th_status versions_load(th_records *records, th_error *error)
{
    th_db *db;
    th_rows rows;
    th_arena arena;
    th_status status = th_store_acquire(records->options.store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 4u << 20);
    status = th_db_select(db, "SELECT register, version, entries, made_at, simulated FROM records_version WHERE live = 1", NULL, 0, &arena,
                          &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_register *reg = th_register_find(records, row[0].s);
        if (!reg)
            continue;
        pthread_mutex_lock(&records->lock);
        reg->version = row[1].i;
        reg->entries = row[2].i;
        reg->made_us = row[3].i;
        reg->simulated = row[4].i != 0;
        pthread_mutex_unlock(&records->lock);
    }
    th_arena_close(&arena);
    th_store_release(records->options.store, db);
    return status;
}

th_status th_records_reload(th_records *records, th_error *error)
{
    th_status status = versions_load(records, error);
    if (!status)
        status = th_sources_load(records, error);
    return status ? status : th_conflicts_load(records, error);
}

/* As long and as many members as a usual entry, and nobody's. */
static th_status last_make(th_records *records, th_register *reg)
{
    th_buf buf;
    th_buf_open(&buf, &records->arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (size_t k = 0; k < reg->field_count; k++) {
        th_pen_key_str(&pen, reg->fields[k].name);
        th_pen_text(&pen, "xxxxxxxxxx");
    }
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    th_status status = th_json_parse(th_buf_view(&buf), &records->arena, &reg->stand_in, NULL);
    return status ? status : th_entry_seal(records, reg, th_record_key_last, th_buf_view(&buf), &records->arena, &reg->last);
}

static th_status lasts_make(th_records *records)
{
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < records->register_count; i++)
        status = last_make(records, &records->registers[i]);
    return status;
}

th_status th_records_open(const th_records_options *options, th_records **ret_records, th_error *error)
{
    th_records *records = th_new(sizeof *records);
    if (!records)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    records->options = *options;
    snprintf(records->code, sizeof records->code, "%s", options->code);
    records->options.code = records->code;
    th_arena_open(&records->arena, REGION_FILES_MAX);
    pthread_mutex_init(&records->lock, NULL);
    records->budget = th_new(TH_BUDGET_SLOTS * sizeof *records->budget);
    th_status status = records->budget ? th_registers_load(records, error) : TH_NO_MEMORY;
    if (!status)
        status = lasts_make(records);
    if (!status)
        status = th_catalogue_load(records, error);
    if (!status)
        status = versions_load(records, error);
    if (!status)
        status = th_conflicts_load(records, error);
    if (!status)
        status = th_sources_load(records, error);
    if (status)
        th_records_close(records);
    else
        *ret_records = records;
    return status;
}

void th_records_close(th_records *records)
{
    if (!records)
        return;
    for (size_t i = 0; i < records->register_count; i++) {
        th_register *reg = &records->registers[i];
        for (size_t k = 0; k < reg->field_count; k++)
            if (reg->fields[k].has_pattern)
                regfree(&reg->fields[k].pattern);
        th_upstream_release(reg->upstream);
    }
    pthread_mutex_destroy(&records->lock);
    th_free(records->budget);
    th_free(records->conflicts);
    th_arena_close(&records->arena);
    th_free(records);
}

th_status th_records_attach(th_records *records, th_exchange *exchange, th_error *error)
{
    const th_message_type types[] = {
        {.type = "verify", .granted = true, .wanted = th_records_wanted, .waits = th_records_waits, .grant_fits = th_records_grant_fits, .read = th_verify_read, .ctx = records},
        {.type = "query", .granted = true, .wanted = th_records_wanted, .waits = th_records_waits, .grant_fits = th_records_grant_fits, .read = th_query_read, .ctx = records},
        {.type = "records.request", .apply = th_request_arrived, .ctx = records},
        {.type = "records.answer", .apply = th_request_answered, .ctx = records},
        {.type = "records.conflict", .apply = th_conflict_arrived, .ctx = records},
    };
    records->exchange = exchange;
    for (size_t i = 0; i < TH_COUNT(types); i++)
        if (th_exchange_type_add(exchange, &types[i]))
            return th_fail(error, TH_CONFLICT, "message-type", "报文类型重复", "A message type is registered twice");
    return TH_OK;
}

/* ---- listing ---- */

static void field_write(th_pen *pen, const th_field *f, const th_register *reg)
{
    bool key = false;
    for (size_t i = 0; i < reg->key_count; i++)
        key = key || reg->keys[i] == f;
    th_pen_object(pen);
    th_pen_kstr(pen, "name", f->name);
    th_pen_key(pen, "title");
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", f->zh);
    th_pen_kstr(pen, "en", f->en);
    th_pen_end(pen, '}');
    th_pen_ktext(pen, "type", f->integer ? "integer" : "string");
    th_pen_kbool(pen, "key", key);
    th_pen_kbool(pen, "verify", f->verify);
    th_pen_kbool(pen, "query", f->query);
    th_pen_kbool(pen, "sensitive", f->sensitive);
    th_pen_end(pen, '}');
}

static void member_raw(th_pen *pen, const char *key, const th_json *value)
{
    th_pen_kraw(pen, key, value ? value->raw : TH_STR("null"));
}

static void register_write(th_records *records, th_register *reg, th_pen *pen)
{
    static const char *const sources[] = {"local", "sql", "http"};
    th_live live = th_register_live(records, reg);
    th_pen_object(pen);
    th_pen_kstr(pen, "name", reg->name);
    member_raw(pen, "title", th_json_get(reg->json, "title"));
    member_raw(pen, "owner", th_json_get(reg->json, "owner"));
    member_raw(pen, "standard", th_json_get(reg->json, "standard"));
    th_pen_kstr(pen, "sector", th_json_str(reg->json, "sector"));
    th_pen_ktext(pen, "source", sources[live.source]);
    th_pen_kint(pen, "entries", reg->entries);
    th_pen_kint(pen, "version", live.version);
    th_pen_ktime(pen, "updated", live.made_us);
    th_pen_kbool(pen, "simulated", live.simulated);
    th_pen_key(pen, "fields");
    th_pen_array(pen);
    for (size_t i = 0; i < reg->field_count; i++)
        field_write(pen, &reg->fields[i], reg);
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

th_status th_records_list(th_records *records, th_db *db, th_arena *arena, th_str *ret_json, th_error *error)
{
    th_buf buf;
    (void)db;
    (void)error;
    th_buf_open(&buf, arena, 4u << 20);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < records->register_count; i++)
        register_write(records, &records->registers[i], &pen);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    *ret_json = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

/* ---- exporting: for moving house and for people's right to their data; the file holds plain entries ---- */

typedef struct exporting {
    th_records *records;
    th_register *reg;
    FILE *file;
    bool csv;
    th_status status;
} exporting;

static bool export_row(void *ctx, const th_value *row, int columns)
{
    exporting *e = ctx;
    th_arena arena;
    const th_json *entry;
    th_buf buf;
    (void)columns;
    if (row[0].s.n == TH_RECORD_KEY && memcmp(row[0].s.p, th_record_key_last, TH_RECORD_KEY) == 0)
        return true;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 64 * 1024);
    e->status = row[0].s.n == TH_RECORD_KEY
                    ? th_entry_open(e->records, e->reg, (const uint8_t *)row[0].s.p, row[1].s, &arena, &entry)
                    : TH_CORRUPT;
    for (size_t i = 0; !e->status && e->csv && i < e->reg->field_count; i++) {
        const th_json *value = th_json_get_str(entry, e->reg->fields[i].name);
        if (i)
            th_buf_char(&buf, ',');
        if (value)
            th_csv_quote(&buf, value->text);
    }
    if (!e->status && !e->csv)
        th_buf_str(&buf, entry->raw);
    th_buf_char(&buf, '\n');
    if (!e->status && (!th_buf_ok(&buf) || fwrite(buf.p, 1, buf.n, e->file) != buf.n))
        e->status = TH_IO;
    th_arena_close(&arena);
    return e->status == TH_OK;
}

static void csv_head(const th_register *reg, FILE *file)
{
    for (size_t i = 0; i < reg->field_count; i++)
        fprintf(file, "%s%.*s", i ? "," : "", TH_FMT(reg->fields[i].name));
    fputc('\n', file);
}

th_status th_records_export(th_records *records, th_str name, const char *path, const char *format, th_error *error)
{
    th_db *db;
    th_register *reg = th_register_find(records, name);
    if (!reg)
        return th_fail(error, TH_NOT_FOUND, "no-register", "没有这个登记簿", "There is no such register");
    exporting e = {.records = records, .reg = reg, .csv = strcmp(format, "csv") == 0, .file = fopen(path, "we")};
    if (!e.file)
        return th_failf(error, TH_IO, "file", "无法写入 %s", "Cannot write %s", path);
    if (e.csv)
        csv_head(reg, e.file);
    th_value values[] = {th_v_text(reg->name), th_v_int(th_register_live(records, reg).version)};
    th_status status = th_store_acquire(records->options.store, &db, error);
    if (!status) {
        status = th_db_each(db, "SELECT key, sealed FROM records_entry WHERE register = ?1 AND version = ?2", values, 2, export_row, &e, error);
        th_store_release(records->options.store, db);
    }
    if (!status)
        status = e.status;
    if (fclose(e.file) && !status)
        status = TH_IO;
    return status;
}
