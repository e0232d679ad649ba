/* cmd_records.c — registers, the catalogue and simulated data. */
#include "node/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void report_print(void *ctx, th_str json)
{
    (void)ctx;
    th_print(json);
}

static const char *format_of(const th_args *args, const char *file)
{
    const char *given = th_option(args, "format"), *dot = strrchr(file, '.');
    return given ? given : dot && strcmp(dot, ".csv") == 0 ? "csv" : "jsonl";
}

static th_status register_import(const th_args *args, th_node *node, th_error *error)
{
    const char *name = th_word(args, 1), *file = th_word(args, 2);
    return th_records_import(node->records, th_str_of(name), file, format_of(args, file), report_print, NULL, error);
}

static th_status register_export(const th_args *args, th_node *node, th_error *error)
{
    const char *name = th_word(args, 1), *file = th_word(args, 2);
    return th_records_export(node->records, th_str_of(name), file, format_of(args, file), error);
}

static th_status register_list(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_str json;
    const th_json *root;
    th_arena_open(&arena, 16u << 20);
    th_status status = th_records_list(node->records, NULL, &arena, &json, error);
    if (!status && args->json) {
        th_print(json);
    } else if (!status && (status = th_json_parse(json, &arena, &root, error)) == TH_OK) {
        const th_json *items = th_json_get(root, "items");
        for (const th_json *r = th_json_first(items); r; r = th_json_next(items, r))
            printf("%-16.*s %-6.*s v%-4lld %10lld  %.*s\n", TH_FMT(th_json_str(r, "name")), TH_FMT(th_json_str(r, "source")),
                   (long long)th_json_int(r, "version", 0), (long long)th_json_int(r, "entries", 0),
                   TH_FMT(th_json_str(th_json_get(r, "title"), args->english ? "en" : "zh")));
    }
    th_arena_close(&arena);
    return status;
}

static th_status register_source(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_str json;
    th_arena_open(&arena, 1 << 20);
    th_status status = th_file_read(th_word(args, 1), 256 * 1024, &arena, &json, error);
    if (!status)
        status = th_records_source_set(node->records, json, error);
    th_arena_close(&arena);
    return status;
}

int th_cmd_register(const th_args *args)
{
    static const struct {
        const char *name;
        int words;
        th_status (*run)(const th_args *args, th_node *node, th_error *error);
    } subs[] = {{"import", 3, register_import}, {"export", 3, register_export}, {"list", 1, register_list}, {"source", 2, register_source}};
    const char *what = th_word(args, 0), *dir;
    th_error error = {0};
    th_node *node;
    for (size_t i = 0; what && i < TH_COUNT(subs); i++) {
        if (strcmp(what, subs[i].name) != 0)
            continue;
        if (!th_word(args, subs[i].words - 1))
            break;
        if (!(dir = th_cmd_node(args)))
            return 2;
        th_status status = th_node_open_beside(dir, &node, &error);
        if (status)
            return th_cmd_failed(args, status, &error);
        status = subs[i].run(args, node, &error);
        th_node_close(node);
        if (!status)
            th_node_nudge(dir);
        return status ? th_cmd_failed(args, status, &error) : 0;
    }
    return th_cmd_usage(args, "register import NAME FILE [--format csv|jsonl] | export NAME FILE | list | source FILE  --node DIR");
}

/* ---- asking a running node over HTTP ---- */

static th_status portal_call(const char *dir, const char *method, const char *path, const char *key, th_str body, th_arena *arena,
                             th_str *ret_body, th_error *error)
{
    th_config config;
    th_status status = th_config_read(dir, &config, error);
    if (status)
        return status;
    th_str url = th_strf(arena, "%s%s", config.portal_url, path), auth = th_strf(arena, "Authorization: Bearer %s", key ? key : "");
    const char *headers[] = {"Content-Type: application/json", key ? auth.p : NULL, NULL};
    th_client_options options = {0};
    th_call call = {.method = method, .url = url.p, .headers = headers, .body = body, .timeout_ms = 30000};
    status = th_client_once(&options, &call, arena);
    if (status) {
        *error = call.error;
        return status;
    }
    *ret_body = call.response;
    if (call.http_status >= 400) {
        const th_json *root;
        if (th_json_parse(call.response, arena, &root, NULL) == TH_OK)
            th_failf(error, TH_UNPROCESSABLE, "answer", "%.*s", "%.*s", TH_FMT(th_json_str(root, "title")));
        return call.http_status == 403 || call.http_status == 401 || call.http_status == 404 ? TH_FORBIDDEN
               : call.http_status >= 500                                                       ? TH_UNAVAILABLE
                                                                                               : TH_UNPROCESSABLE;
    }
    return TH_OK;
}

int th_cmd_ask(const th_args *args)
{
    th_arena arena;
    th_str body, answer = {NULL, 0};
    th_error error = {0};
    const char *file = th_word(args, 0), *key = th_option(args, "key") ? th_option(args, "key") : getenv("TONGHUI_KEY"), *dir = args->node;
    if (!file || !key || !dir)
        return th_cmd_usage(args, "ask FILE.json --key KEY --node DIR   ({provider, register, operation, key, claims|fields, purpose})");
    th_arena_open(&arena, 64u << 20);
    th_status status = th_file_read(file, 4u << 20, &arena, &body, &error);
    if (!status)
        status = portal_call(dir, "POST", "/exchange/v1/ask", key, body, &arena, &answer, &error);
    if (answer.n)
        th_print(answer);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_arena_close(&arena);
    return code;
}

int th_cmd_catalogue(const th_args *args)
{
    th_arena arena;
    th_str answer = {NULL, 0};
    th_error error = {0};
    const th_json *root;
    const char *what = th_word(args, 0), *dir = th_cmd_node(args);
    if (!what || strcmp(what, "list") != 0 || !dir)
        return th_cmd_usage(args, "catalogue list --node DIR   (of a running node)");
    th_arena_open(&arena, 64u << 20);
    th_status status = portal_call(dir, "GET", "/records/v1/catalogue?limit=100", NULL, (th_str){NULL, 0}, &arena, &answer, &error);
    if (!status && args->json)
        th_print(answer);
    else if (!status && (status = th_json_parse(answer, &arena, &root, &error)) == TH_OK) {
        const th_json *items = th_json_get(root, "items");
        for (const th_json *d = th_json_first(items); d; d = th_json_next(items, d))
            printf("%-26.*s %-16.*s %-12.*s %.*s\n", TH_FMT(th_json_str(d, "id")), TH_FMT(th_json_str(d, "sector")),
                   TH_FMT(th_json_str(d, "access")), TH_FMT(th_json_str(th_json_get(d, "title"), args->english ? "en" : "zh")));
    }
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_arena_close(&arena);
    return code;
}

int th_cmd_generate(const th_args *args)
{
    th_error error = {0};
    int64_t people = 4000, seed = 1;
    const char *dir = th_word(args, 0), *code = th_option(args, "code"), *region = th_option(args, "region");
    const char *n = th_option(args, "people"), *s = th_option(args, "seed");
    if (!dir || !code || !region || (n && !th_parse_i64(th_str_of(n), 1, 400000000, &people)) ||
        (s && !th_parse_i64(th_str_of(s), 0, INT64_MAX, &seed)))
        return th_cmd_usage(args, "generate DIR --code CODE --region DIR [--people N] [--seed S]");
    th_status status = th_dir_make(dir, &error);
    if (!status)
        status = th_records_generate(region, code, (uint64_t)seed, people, dir, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_say(args, "模拟数据已写入 %s（人物、单位与学校均为虚构）", "Simulated data written to %s (people, companies and schools are invented)", dir);
    return 0;
}
