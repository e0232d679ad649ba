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
        free(entries[i]);
    }
    free(entries);
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
        {"citizen-id", TH_FORMAT_CITIZEN}, {"uscc", TH_FORMAT_USCC}, {"date", TH_FORMAT_DATE}, {"region", TH_FORMAT_REGION}};
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
    char path[140];
    snprintf(path, sizeof path, "/schema/properties/%.60s", json->key.p);
    if (!th_json_only(json, path, allowed, error))
        return false;
    *f = (th_field){.name = json->key,
                    .zh = th_json_str(json, "title"),
                    .en = th_json_str(json, "x-en"),
                    .integer = th_str_is(type, "integer"),
                    .required = listed(th_json_get(schema, "required"), json->key),
                    .verify = listed(th_json_get(reg->json, "verifiable"), json->key),
                    .query = listed(th_json_get(reg->json, "queryable"), json->key),
                    .sensitive = listed(th_json_get(reg->json, "sensitive"), json->key),
                    .format = format_of(th_json_str(json, "format")),
                    .min_length = th_json_int(json, "minLength", 0),
                    .max_length = th_json_int(json, "maxLength", 200),
                    .minimum = th_json_int(json, "minimum", INT64_MIN),
                    .maximum = th_json_int(json, "maximum", INT64_MAX),
                    .choices = th_json_get(json, "enum")};
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
    reg->subject_mismatches = th_json_int(budget, "subject_mismatches_per_hour", 5);
    reg->caller_mismatches = th_json_int(budget, "caller_mismatches_per_minute", 600);
    return keys_read(reg, error) ? TH_OK : TH_INVALID;
}

th_status th_registers_load(th_records *records, th_error *error)
{
    th_str *texts, *names;
    size_t n;
    th_status status = th_directory_read(records->options.region_dir, "registers", &records->arena, &texts, &names, &n, error);
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

/* ---- values ---- */

static int64_t characters(th_str text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

static bool date_ok(th_str text)
{
    int64_t year, month, day;
    return text.n == 10 && text.p[4] == '-' && text.p[7] == '-' && th_parse_i64((th_str){text.p, 4}, 1000, 9999, &year) &&
           text.p[5] <= '1' && text.p[8] <= '3' && text.p[6] >= '0' && text.p[6] <= '9' && text.p[9] >= '0' && text.p[9] <= '9' &&
           (month = (text.p[5] - '0') * 10 + text.p[6] - '0', day = (text.p[8] - '0') * 10 + text.p[9] - '0', true) &&
           th_date_valid((int)year, (int)month, (int)day);
}

static bool id_fits(th_id_fault fault, const char **code, const char **zh, const char **en)
{
    if (fault == TH_ID_OK)
        return true;
    *code = th_id_fault_code(fault);
    th_id_fault_words(fault, zh, en);
    return false;
}

static bool says(const char **code, const char **zh, const char **en, const char *c, const char *z, const char *e)
{
    *code = c;
    *zh = z;
    *en = e;
    return false;
}

static bool choice_listed(const th_json *choices, th_str text)
{
    for (const th_json *c = th_json_first(choices); c; c = th_json_next(choices, c))
        if (th_str_eq(c->text, text))
            return true;
    return false;
}

bool th_text_fits(const th_field *f, th_str text, int64_t today_us, const char **code, const char **zh, const char **en)
{
    int64_t number, n;
    char zero_terminated[512];
    if (f->integer)
        return th_parse_i64(text, f->minimum, f->maximum, &number) ||
               says(code, zh, en, "range", "须为范围内的整数", "Must be a whole number within the range");
    if (!th_utf8_valid(text) || th_str_has_controls(text))
        return says(code, zh, en, "characters", "含有控制字符或编码错误", "Holds control characters or broken UTF-8");
    n = characters(text);
    if (n < f->min_length || n > f->max_length || text.n >= sizeof zero_terminated)
        return says(code, zh, en, "length", "长度不符", "Too long or too short");
    if (f->choices && !choice_listed(f->choices, text))
        return says(code, zh, en, "enum", "不在代码表内", "Not in the list of codes");
    if (f->has_pattern) {
        memcpy(zero_terminated, text.p, text.n);
        zero_terminated[text.n] = 0;
        if (regexec(&f->pattern, zero_terminated, 0, NULL, 0))
            return says(code, zh, en, "pattern", "格式不符", "Does not have the right form");
    }
    switch (f->format) {
    case TH_FORMAT_CITIZEN:
        return id_fits(th_citizen_id_check(text, today_us), code, zh, en);
    case TH_FORMAT_USCC:
        return id_fits(th_uscc_check(text), code, zh, en);
    case TH_FORMAT_DATE:
        return date_ok(text) || says(code, zh, en, "date", "须为 YYYY-MM-DD 的真实日期", "Must be a real date YYYY-MM-DD");
    case TH_FORMAT_REGION:
        return (text.n == 6 && th_parse_i64(text, 110000, 829999, &number)) ||
               says(code, zh, en, "region", "须为六位行政区划代码", "Must be a six-digit division code");
    case TH_FORMAT_NONE:
        break;
    }
    return true;
}

/* A small x at the end of a citizen number is how many write it. */
static th_str normalised(const th_field *f, th_str text, th_arena *arena)
{
    th_str trimmed = th_str_trim(text);
    if (f->format != TH_FORMAT_CITIZEN || trimmed.n != 18 || trimmed.p[17] != 'x')
        return trimmed;
    char upper[18];
    memcpy(upper, trimmed.p, 17);
    upper[17] = 'X';
    return th_str_keep(arena, (th_str){upper, 18});
}

bool th_field_check(const th_field *f, const th_json *value, const char *path, int64_t today_us, th_arena *arena, th_str *ret_text,
                    th_error *error)
{
    char pointer[96];
    const char *code, *zh, *en;
    snprintf(pointer, sizeof pointer, "%s/%.60s", path, f->name.p ? f->name.p : "");
    size_t end = strlen(path) + 1 + f->name.n;
    if (end < sizeof pointer)
        pointer[end] = 0;
    if (!value || value->type != (f->integer ? TH_JSON_NUMBER : TH_JSON_STRING)) {
        th_fail_field(error, pointer, value ? "type" : "required", value ? "类型不符" : "缺少此项", value ? "Wrong type" : "This is missing");
        return false;
    }
    *ret_text = normalised(f, value->text, arena);
    if (th_text_fits(f, *ret_text, today_us, &code, &zh, &en))
        return true;
    th_fail_field(error, pointer, code, zh, en);
    return false;
}
