/* cmd_records.c — registers, the catalogue and simulated data. */
#include "node/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *format_of(const th_args *args, const char *file)
{
    const char *given = th_option(args, "format"), *dot = strrchr(file, '.');
    return given ? given : dot && strcmp(dot, ".csv") == 0 ? "csv" : "jsonl";
}

static bool format_known(const th_args *args, const char *format)
{
    if (strcmp(format, "csv") == 0 || strcmp(format, "jsonl") == 0)
        return true;
    (void)th_cmd_usage(args, "格式须为 csv 或 jsonl", "The format must be csv or jsonl");
    return false;
}

typedef struct reporting {
    const th_args *args;
    th_buf buf; /* with --json: bad rows, comma between */
    th_str last;
    th_arena arena;
    size_t bad;
} reporting;

static void bad_row_print(const th_args *args, th_str json)
{
    th_arena arena;
    const th_json *root;
    th_arena_open(&arena, 256 * 1024);
    if (th_json_parse(json, &arena, &root, NULL) == TH_OK)
        th_say(args, "第 %lld 行 %.*s：%.*s", "line %lld %.*s: %.*s", (long long)th_json_int(root, "line", 0), TH_FMT(th_json_str(root, "field")),
               TH_FMT(th_json_str(root, args->english ? "en" : "zh")));
    th_arena_close(&arena);
}

/* Each line but the last is a bad row; the last is the summary. Which is which is known one line later. */
static void report_line(void *ctx, th_str json)
{
    reporting *r = ctx;
    if (r->last.p) {
        if (r->bad++ && r->args->json)
            th_buf_char(&r->buf, ',');
        if (r->args->json)
            th_buf_str(&r->buf, r->last);
        else
            bad_row_print(r->args, r->last);
    }
    r->last = th_str_keep(&r->arena, json);
}

static int report_end(const th_args *args, reporting *r)
{
    const th_json *root;
    if (args->json) {
        th_str report = th_buf_view(&r->buf);
        th_print(th_strf(&r->arena, "%.*s,\"report\":[%.*s]}", (int)(r->last.n - 1), r->last.p, TH_FMT(report)));
        return 0;
    }
    if (th_json_parse(r->last, &r->arena, &root, NULL))
        return 0;
    return th_cmd_done(args, (th_str){NULL, 0}, "第 %lld 版：收 %lld 行，拒 %lld 行", "Version %lld: %lld rows kept, %lld refused",
                       (long long)th_json_int(root, "version", 0), (long long)th_json_int(root, "kept", 0), (long long)th_json_int(root, "refused", 0));
}

int th_cmd_register_import(const th_args *args)
{
    th_node *node;
    th_error error = {0};
    const char *name = th_word(args, 0), *file = th_word(args, 1), *format = format_of(args, file);
    reporting r = {.args = args};
    if (!format_known(args, format))
        return 2;
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&r.arena, 256u << 20);
    th_buf_open(&r.buf, &r.arena, 64u << 20);
    th_ticker_start(args, "导入 %s…", "Importing %s…", name);
    status = th_records_import(node->records, th_str_of(name), file, format, report_line, &r, &error);
    th_ticker_stop();
    th_node_close(node);
    if (!status)
        th_node_nudge(args->node);
    int code = status ? th_cmd_failed(args, status, &error) : report_end(args, &r);
    th_arena_close(&r.arena);
    return code;
}

int th_cmd_register_export(const th_args *args)
{
    th_node *node;
    th_error error = {0};
    const char *name = th_word(args, 0), *file = th_word(args, 1), *format = format_of(args, file);
    if (!format_known(args, format))
        return 2;
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_ticker_start(args, "导出 %s…", "Exporting %s…", name);
    status = th_records_export(node->records, th_str_of(name), file, format, &error);
    th_ticker_stop();
    th_node_close(node);
    return status ? th_cmd_failed(args, status, &error) : th_cmd_done(args, (th_str){NULL, 0}, "已导出到 %s", "Exported to %s", file);
}

static void register_print(const th_args *args, const th_json *r)
{
    printf("%-16.*s %-6.*s v%-4lld %10lld  %.*s\n", TH_FMT(th_json_str(r, "name")), TH_FMT(th_json_str(r, "source")), (long long)th_json_int(r, "version", 0),
           (long long)th_json_int(r, "entries", 0), TH_FMT(th_json_str(th_json_get(r, "title"), args->english ? "en" : "zh")));
}

/* A JSON list {"items":[…]}: as it is, or one line an item. */
static th_status list_print(const th_args *args, th_str json, th_arena *arena, void (*print)(const th_args *, const th_json *), th_error *error)
{
    const th_json *root;
    if (args->json) {
        th_print(json);
        return TH_OK;
    }
    th_status status = th_json_parse(json, arena, &root, error);
    const th_json *items = status ? NULL : th_json_get(root, "items");
    for (const th_json *i = th_json_first(items); i; i = th_json_next(items, i))
        print(args, i);
    return status;
}

int th_cmd_register_list(const th_args *args)
{
    th_arena arena;
    th_str json;
    th_node *node;
    th_error error = {0};
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&arena, 16u << 20);
    status = th_records_list(node->records, NULL, &arena, &json, &error);
    if (!status)
        status = list_print(args, json, &arena, register_print, &error);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_arena_close(&arena);
    th_node_close(node);
    return code;
}

int th_cmd_register_source(const th_args *args)
{
    th_arena arena;
    th_str json;
    th_node *node;
    th_error error = {0};
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&arena, 1 << 20);
    status = th_file_read(th_word(args, 0), 256 * 1024, &arena, &json, &error);
    if (!status)
        status = th_records_source_set(node->records, json, &error);
    th_arena_close(&arena);
    th_node_close(node);
    if (!status)
        th_node_nudge(args->node);
    return status ? th_cmd_failed(args, status, &error) : th_cmd_done(args, (th_str){NULL, 0}, "来源已设定", "The source is set");
}

/* ---- asking a running node over HTTP ---- */

static th_status status_of(const th_call *call)
{
    switch (call->http_status) {
    case 401:
    case 403:
        return TH_FORBIDDEN;
    case 404:
        return TH_NOT_FOUND;
    case 409:
        return TH_CONFLICT;
    case 429:
        return TH_BUSY;
    default:
        return call->http_status >= 500 ? TH_UNAVAILABLE : call->http_status >= 400 ? TH_UNPROCESSABLE : TH_OK;
    }
}

/* The node's own words of what went wrong. */
static void problem_take(th_str body, th_arena *arena, th_error *error)
{
    static const char prefix[] = "urn:tonghui:problem:";
    const th_json *root;
    if (th_json_parse(body, arena, &root, NULL))
        return;
    th_str type = th_json_str(root, "type");
    if (th_str_starts(type, prefix))
        type = (th_str){type.p + sizeof prefix - 1, type.n - (sizeof prefix - 1)};
    th_str kept = th_str_keep(arena, type), zh = th_str_keep(arena, th_json_str(root, "title_zh")), en = th_str_keep(arena, th_json_str(root, "title_en"));
    TH_IGNORE(th_fail(error, TH_UNPROCESSABLE, kept.p ? kept.p : "answer", zh.p ? zh.p : "", en.p ? en.p : ""));
    const th_json *errors = th_json_get(root, "errors");
    for (const th_json *f = th_json_first(errors); f; f = th_json_next(errors, f)) {
        th_str p = th_str_keep(arena, th_json_str(f, "pointer")), c = th_str_keep(arena, th_json_str(f, "code"));
        th_str z = th_str_keep(arena, th_json_str(f, "message_zh")), e = th_str_keep(arena, th_json_str(f, "message_en"));
        TH_IGNORE(th_fail_field(error, p.p ? p.p : "", c.p ? c.p : "", z.p ? z.p : "", e.p ? e.p : ""));
    }
}

static th_status portal_call(const char *dir, const char *method, const char *path, const char *key, th_str body, th_arena *arena, th_str *ret_body,
                             th_error *error)
{
    th_config config;
    th_status status = th_config_read(dir, &config, error);
    if (status)
        return status;
    th_str url = th_strf(arena, "%s%s", config.portal_url, path), auth = th_strf(arena, "Authorization: Bearer %s", key ? key : "");
    const char *headers[] = {"Content-Type: application/json", key ? auth.p : NULL, NULL};
    th_client_options options = {.response_max = 64u << 20};
    th_call call = {.method = method, .url = url.p, .headers = headers, .body = body, .timeout_ms = 30000};
    status = th_client_once(&options, &call, arena);
    if (status) {
        *error = call.error;
        return status;
    }
    *ret_body = call.response;
    status = status_of(&call);
    if (status)
        problem_take(call.response, arena, error);
    return status;
}

static th_status input_read(const char *file, th_arena *arena, th_str *ret, th_error *error)
{
    th_buf buf;
    char bytes[16384];
    if (strcmp(file, "-") != 0)
        return th_file_read(file, 4u << 20, arena, ret, error);
    th_buf_open(&buf, arena, 4u << 20);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, stdin)) > 0;)
        th_buf_put(&buf, bytes, n);
    *ret = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : th_fail(error, TH_TOO_LARGE, "too-large", "输入过大", "The input is too large");
}

int th_cmd_ask(const th_args *args)
{
    th_arena arena;
    th_str body, answer = {NULL, 0};
    th_error error = {0};
    const char *key = th_option(args, "key") ? th_option(args, "key") : getenv("TONGHUI_KEY");
    if (!key)
        return th_cmd_usage(args, "缺少接口密钥：--key 或 TONGHUI_KEY", "The API key is missing: --key or TONGHUI_KEY");
    th_arena_open(&arena, 160u << 20);
    th_status status = input_read(th_word(args, 0), &arena, &body, &error);
    if (!status)
        status = portal_call(args->node, "POST", "/exchange/v1/ask", key, body, &arena, &answer, &error);
    if (!status)
        th_print(answer);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_arena_close(&arena);
    return code;
}

/* ---- the catalogue ---- */

static void query_put(th_buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    th_buff(path, "&%s=", name);
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '-' || *p == '_' || *p == '.';
        if (plain)
            th_buf_char(path, (char)*p);
        else
            th_buff(path, "%%%02X", *p);
    }
}

static void dataset_print(const th_args *args, const th_json *d)
{
    printf("%-26.*s %-16.*s %-12.*s %.*s\n", TH_FMT(th_json_str(d, "id")), TH_FMT(th_json_str(d, "sector")), TH_FMT(th_json_str(d, "access")),
           TH_FMT(th_json_str(th_json_get(d, "title"), args->english ? "en" : "zh")));
}

int th_cmd_catalogue_list(const th_args *args)
{
    th_arena arena;
    th_str answer = {NULL, 0};
    th_buf path;
    th_error error = {0};
    th_arena_open(&arena, 160u << 20);
    th_buf_open(&path, &arena, 4096);
    th_buf_text(&path, "/records/v1/catalogue?limit=100");
    query_put(&path, "q", th_word(args, 0));
    query_put(&path, "sector", th_option(args, "sector"));
    th_buf_char(&path, 0);
    th_status status = th_buf_ok(&path) ? portal_call(args->node, "GET", path.p, NULL, (th_str){NULL, 0}, &arena, &answer, &error) : TH_TOO_LARGE;
    if (!status)
        status = list_print(args, answer, &arena, dataset_print, &error);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_arena_close(&arena);
    return code;
}

static bool id_ok(const char *id)
{
    return id[0] && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(id);
}

/* What is shown to people is the JSON too: a dataset's description is read, not parsed. */
int th_cmd_catalogue_show(const th_args *args)
{
    th_arena arena;
    th_str answer = {NULL, 0};
    th_error error = {0};
    const char *id = th_word(args, 0);
    if (!id_ok(id))
        return th_cmd_usage(args, "不是数据资源的编号：%s", "Not a dataset's id: %s", id);
    th_arena_open(&arena, 160u << 20);
    th_status status = portal_call(args->node, "GET", th_strf(&arena, "/records/v1/catalogue/%s", id).p, NULL, (th_str){NULL, 0}, &arena, &answer, &error);
    if (!status)
        th_print(answer);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_arena_close(&arena);
    return code;
}

int th_cmd_catalogue_get(const th_args *args)
{
    th_arena arena;
    th_str answer = {NULL, 0};
    th_error error = {0};
    const char *id = th_word(args, 0), *format = th_option(args, "format"), *out = th_option(args, "out");
    if (!id_ok(id))
        return th_cmd_usage(args, "不是数据资源的编号：%s", "Not a dataset's id: %s", id);
    format = format ? format : "json";
    if (strcmp(format, "json") != 0 && strcmp(format, "csv") != 0 && strcmp(format, "geojson") != 0)
        return th_cmd_usage(args, "格式须为 json、csv 或 geojson", "The format must be json, csv or geojson");
    if (args->json && !out)
        return th_cmd_usage(args, "与 --json 同用时须有 --out", "With --json say --out FILE");
    th_arena_open(&arena, 160u << 20);
    th_status status = portal_call(args->node, "GET", th_strf(&arena, "/records/v1/datasets/%s.%s", id, format).p, NULL, (th_str){NULL, 0}, &arena, &answer, &error);
    if (!status && out)
        status = th_file_write(out, answer, 0644, &error);
    else if (!status)
        fwrite(answer.p, 1, answer.n, stdout);
    int code = status ? th_cmd_failed(args, status, &error)
               : out  ? th_cmd_done(args, th_strf(&arena, "{\"bytes\":%zu}", answer.n), "已写入 %s（%zu 字节）", "Written to %s (%zu bytes)", out, answer.n)
                      : 0;
    th_arena_close(&arena);
    return code;
}

int th_cmd_generate(const th_args *args)
{
    th_error error = {0};
    int64_t people = 4000, seed = 1;
    const char *dir = th_word(args, 0);
    if (!th_option_int(args, "people", 1, 400000000, &people) || !th_option_int(args, "seed", 0, INT64_MAX, &seed))
        return 2;
    th_status status = th_dir_make(dir, &error);
    th_ticker_start(args, "生成模拟数据…", "Generating simulated data…");
    if (!status)
        status = th_records_generate(th_option(args, "region"), th_option(args, "code"), (uint64_t)seed, people, dir, &error);
    th_ticker_stop();
    return status ? th_cmd_failed(args, status, &error)
                  : th_cmd_done(args, (th_str){NULL, 0}, "模拟数据已写入 %s（人物、单位与学校均为虚构）", "Simulated data written to %s (people, companies and schools are invented)", dir);
}
