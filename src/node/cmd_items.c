/* cmd_items.c — an office's own list of items into the node. */
#include "node/cmd.h"
#include "services/government/government.h"

#include <stdio.h>
#include <string.h>

enum { LIST_MAX = 32 << 20 };

static void line_print(void *ctx, th_str json)
{
    const th_args *args = ctx;
    th_arena arena;
    const th_json *row;
    if (args->json)
        return;
    th_arena_open(&arena, 1 << 20);
    if (th_json_parse(json, &arena, &row, NULL) == TH_OK) {
        const th_json *doubts = th_json_get(row, "doubts");
        for (const th_json *d = th_json_first(doubts); d; d = th_json_next(doubts, d))
            fprintf(stderr, args->english ? "  line %lld  %.*s  %.*s: %.*s\n" : "  第 %lld 行  %.*s  %.*s：%.*s\n", (long long)th_json_int(row, "line", 0),
                    TH_FMT(th_json_str(row, "name")), TH_FMT(th_json_str(d, "field")), TH_FMT(th_json_str(d, args->english ? "en" : "zh")));
    }
    th_arena_close(&arena);
}

typedef struct gathering {
    const th_args *args;
    th_buf lines;
    size_t n;
} gathering;

static void line_take(void *ctx, th_str json)
{
    gathering *g = ctx;
    line_print((void *)(uintptr_t)g->args, json);
    if (g->n++)
        th_buf_char(&g->lines, ',');
    th_buf_str(&g->lines, json);
}

static bool is_json(const th_args *args, const char *file)
{
    const char *format = th_option(args, "format");
    size_t n = strlen(file);
    return format ? strcmp(format, "json") == 0 : n > 5 && strcmp(file + n - 5, ".json") == 0;
}

int th_cmd_items_import(const th_args *args)
{
    th_arena arena;
    th_str bytes;
    th_node *node;
    th_government_list told;
    th_error error = {0};
    const char *file = th_word(args, 0);
    th_arena_open(&arena, 256u << 20);
    gathering g = {.args = args};
    th_buf_open(&g.lines, &arena, 64u << 20);
    th_status status = th_file_read(file, LIST_MAX, &arena, &bytes, &error);
    if (!status)
        status = th_node_open_beside(args->node, &node, &error);
    if (!status) {
        status = th_government_list_import(node->government, bytes, !is_json(args, file), (th_str){NULL, 0}, line_take, &g, &told, &error);
        th_node_close(node);
    }
    int code;
    if (status) {
        code = th_cmd_failed(args, status, &error);
    } else {
        th_str json = th_strf(&arena, "{\"import\":\"%s\",\"rows\":%lld,\"kept\":%lld,\"pending\":%lld,\"report\":[%.*s]}", told.import, (long long)told.rows,
                              (long long)told.rows, (long long)told.pending, TH_FMT(th_buf_view(&g.lines)));
        code = th_cmd_done(args, json, "收 %lld 行，其中待核 %lld 行", "%lld rows kept, %lld of them to be looked into", (long long)told.rows, (long long)told.pending);
    }
    th_arena_close(&arena);
    return code;
}
