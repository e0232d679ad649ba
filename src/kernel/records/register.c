/* register.c — the region's register files: fields, keys, what may be verified or queried, and checking one value. */
#include "records-private.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 8 << 20, FILES_MAX = 512 };

/* ---- files of a folder, in order of their names ---- */

static th_status file_read(const char *path, th_arena *arena, th_str *ret_text)
{
    FILE *file = fopen(path, "re");
    struct stat st;
    if (!file)
        return TH_IO;
    th_status status = fstat(fileno(file), &st) || st.st_size > FILE_MAX ? TH_TOO_LARGE : TH_OK;
    char *text = status ? NULL : th_alloc(arena, (size_t)st.st_size + 1);
    if (text && fread(text, 1, (size_t)st.st_size, file) == (size_t)st.st_size)
        *ret_text = (th_str){text, (size_t)st.st_size};
    else if (!status)
        status = TH_IO;
    fclose(file);
    return status;
}

static int wanted_name(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

th_status th_directory_read(const char *dir, const char *sub, th_arena *arena, th_str **ret_texts, th_str **ret_names, size_t *ret_n,
                            th_error *error)
{
    char path[1200];
    struct dirent **entries;
    th_status status = TH_OK;
    snprintf(path, sizeof path, "%s/%s", dir, sub);
    *ret_n = 0;
    int n = scandir(path, &entries, wanted_name, alphasort);
    if (n < 0)
        return TH_OK; /* a region without this folder has nothing of the kind */
    *ret_texts = th_alloc_array(arena, (size_t)n + 1, sizeof(th_str));
    *ret_names = th_alloc_array(arena, (size_t)n + 1, sizeof(th_str));
    if (!*ret_texts || !*ret_names || n > FILES_MAX)
        status = TH_TOO_LARGE;
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", dir, sub, entries[i]->d_name);
        if (!status) {
            (*ret_names)[*ret_n] = th_str_keep(arena, th_str_of(entries[i]->d_name));
            status = file_read(path, arena, &(*ret_texts)[*ret_n]);
            if (status)
                th_failf(error, status, "region-file", "无法读取 %s", "Cannot read %s", path);
            *ret_n += 1;
        }
        free(entries[i]); /* scandir's own allocation */
    }
    free(entries); /* scandir's own allocation */
    return status;
}

/* ---- definitions ---- */

static bool listed(const th_json *list, th_str name)
{
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v))
        if (th_str_eq(v->text, name))
            return true;
    return false;
}

static th_format format_of(th_str format)
{
    static const struct { const char *name; th_format format; } formats[] = {
        {"citizen-id", TH_FORMAT_CITIZEN}, {"uscc", TH_FORMAT_USCC}, {"date", TH_FORMAT_DATE},
        {"region", TH_FORMAT_REGION},      {"name", TH_FORMAT_NAME}, {"ecert", TH_FORMAT_ECERT}};
    for (size_t i = 0; i < TH_COUNT(formats); i++)
        if (th_str_is(format, formats[i].name))
            return formats[i].format;
    return TH_FORMAT_NONE;
}

static bool field_read(th_register *reg, const th_json *json, const th_json *schema, th_error *error)
{
    static const char *const allowed[] = {"type",      "format",    "title",   "x-en",    "description", "x-en-description", "enum", "minLength",
                                          "maxLength", "minimum",   "maximum", "pattern", "x-choices",   NULL};
    th_field *f = &reg->fields[reg->field_count];
    th_str type = th_json_str(json, "type"), pattern = th_json_str(json, "pattern");
    char path[96];
    th_str format = th_json_str(json, "format");
    th_field_pointer(path, "/schema/properties", json->key);
    if (!th_json_only(json, path, allowed, error))
        return false;
    if (format.n && format_of(format) == TH_FORMAT_NONE) {
        th_fail_field(error, path, "format", "没有这种格式", "There is no such format");
        return false;
    }
    *f = (th_field){.name = json->key,
                    .zh = th_json_str(json, "title"),
                    .en = th_json_str(json, "x-en"),
                    .integer = th_str_is(type, "integer"),
                    .required = listed(th_json_get(schema, "required"), json->key),
                    .verify = listed(th_json_get(reg->json, "verifiable"), json->key),
                    .query = listed(th_json_get(reg->json, "queryable"), json->key),
                    .query_masked = listed(th_json_get(reg->json, "masked"), json->key),
                    .sensitive = listed(th_json_get(reg->json, "sensitive"), json->key),
                    .format = format_of(format),
                    .min_length = th_json_int(json, "minLength", 0),
                    .max_length = th_json_int(json, "maxLength", 200),
                    .minimum = th_json_int(json, "minimum", INT64_MIN),
                    .maximum = th_json_int(json, "maximum", INT64_MAX),
                    .choices = th_json_get(json, "enum"),
                    .divisions = reg->divisions};
    if ((!f->integer && !th_str_is(type, "string")) || !f->zh.n || !f->en.n) {
        th_fail_field(error, path, "type", "字段须为 string 或 integer，并有 title 与 x-en", "A field is a string or an integer with title and x-en");
        return false;
    }
    if (pattern.n) {
        char text[200];
        snprintf(text, sizeof text, "%.*s", TH_FMT(pattern));
        if (regcomp(&f->pattern, text, REG_EXTENDED | REG_NOSUB)) {
            th_fail_field(error, path, "pattern", "正则表达式不合法", "Not a valid pattern");
            return false;
        }
        f->has_pattern = true;
    }
    reg->field_count++;
    return true;
}

static bool keys_read(th_register *reg, th_error *error)
{
    const th_json *keys = th_json_get(reg->json, "key");
    for (const th_json *k = th_json_first(keys); k && reg->key_count < TH_REGISTER_KEYS_MAX; k = th_json_next(keys, k)) {
        const th_field *f = th_field_find(reg, k->text);
        if (!f || f->integer || !f->required) {
            th_fail_field(error, "/key", "key", "键须为必填的文字字段", "A key must be a required text field");
            return false;
        }
        reg->keys[reg->key_count++] = f;
        if (f->format == TH_FORMAT_CITIZEN)
            reg->person = f;
    }
    if (!reg->key_count)
        th_fail_field(error, "/key", "required", "缺少键", "The key is missing");
    return reg->key_count > 0;
}

/* A name that nothing has would be a promise that nobody keeps. */
static bool lists_check(const th_register *reg, th_error *error)
{
    static const char *const lists[] = {"verifiable", "queryable", "masked", "sensitive"};
    for (size_t i = 0; i < TH_COUNT(lists); i++) {
        const th_json *list = th_json_get(reg->json, lists[i]);
        for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v)) {
            char pointer[96];
            if (th_field_find(reg, v->text) || (i == 0 && th_predicate_find(reg, v->text)))
                continue;
            snprintf(pointer, sizeof pointer, "/%s", lists[i]);
            th_fail_field(error, pointer, "field", "其中有登记簿没有的字段", "Names a field that the register does not have");
            return false;
        }
    }
    return true;
}

static th_status register_read(th_register *reg, const th_json *root, th_error *error)
{
    const th_json *schema, *properties, *budget = th_json_get(root, "budget");
    reg->json = root;
    if (!th_json_want_str(root, "", "name", 64, &reg->name, error) || !th_json_want_object(root, "", "schema", &schema, error) ||
        !th_json_want_object(schema, "/schema", "properties", &properties, error))
        return TH_INVALID;
    for (const th_json *p = th_json_first(properties); p; p = th_json_next(properties, p))
        if (reg->field_count == TH_REGISTER_FIELDS_MAX || !field_read(reg, p, schema, error))
            return TH_INVALID;
    reg->tells_absence = th_json_bool(root, "tells_absence", false);
    reg->one_owner = th_json_bool(root, "one_owner", false);
    reg->duplicates_conflict = th_json_bool(root, "duplicates_conflict", false);
    reg->subject_mismatches = th_json_int(budget, "subject_mismatches", 5);
    reg->subject_window_us = th_json_int(budget, "subject_window_s", 600) * TH_SECOND_US;
    reg->subject_lock_us = th_json_int(budget, "subject_lock_s", 3600) * TH_SECOND_US;
    reg->caller_mismatches = th_json_int(budget, "caller_mismatches_per_minute", 600);
    if (!keys_read(reg, error) || th_predicates_read(reg, error))
        return TH_INVALID;
    return lists_check(reg, error) ? TH_OK : TH_INVALID;
}

th_status th_registers_load(th_records *records, th_error *error)
{
    th_str *texts, *names;
    size_t n;
    th_status status = th_divisions_load(records, error);
    if (!status)
        status = th_directory_read(records->options.region_dir, "registers", &records->arena, &texts, &names, &n, error);
    if (status)
        return status;
    if (n > TH_REGISTERS_MAX)
        return th_fail(error, TH_TOO_LARGE, "too-many-registers", "登记簿过多", "There are too many registers");
    records->registers = th_alloc_array(&records->arena, n + 1, sizeof *records->registers);
    if (!records->registers)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (size_t i = 0; i < n; i++) {
        th_error why = {0};
        const th_json *root;
        status = th_json_parse(texts[i], &records->arena, &root, &why);
        records->registers[records->register_count].divisions = &records->divisions;
        if (!status)
            status = register_read(&records->registers[records->register_count], root, &why);
        records->register_count++;
        if (status)
            return th_failf(error, status, "register-file", "登记簿文件 %.*s 不合规定：%s %s", "The register file %.*s is not acceptable: %s %s",
                            TH_FMT(names[i]), why.field_count ? why.fields[0].pointer : "", why.field_count ? why.fields[0].en : why.en);
    }
    return TH_OK;
}

th_register *th_register_find(th_records *records, th_str name)
{
    for (size_t i = 0; i < records->register_count; i++)
        if (th_str_eq(records->registers[i].name, name))
            return &records->registers[i];
    return NULL;
}

const th_field *th_field_find(const th_register *reg, th_str name)
{
    for (size_t i = 0; i < reg->field_count; i++)
        if (th_str_eq(reg->fields[i].name, name))
            return &reg->fields[i];
    return NULL;
}
