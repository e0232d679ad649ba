/* cmd_list.c — the region's lists: drafted at one node, signed by every member, in force where they are applied. */
#include "node/cmd.h"
#include "node/lists.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 4 << 20 };

static bool name_known(const char *name)
{
    return strcmp(name, "items") == 0 || strcmp(name, "ecerts") == 0;
}

/* One higher than what is in force at the node. */
static int64_t next_version(th_node *node, const char *name)
{
    th_agreement *now = th_exchange_agreement(node->exchange, name);
    int64_t version = now ? now->version + 1 : 1;
    th_agreement_release(now);
    return version;
}

int th_cmd_list_draft(const th_args *args)
{
    th_arena arena;
    th_str document;
    th_node *node;
    th_error error = {0};
    const char *name = th_word(args, 0), *out = th_option(args, "out");
    if (!name_known(name))
        return th_cmd_usage(args, "清单为 items 或 ecerts", "The lists are items and ecerts");
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&arena, 64u << 20);
    status = th_list_compose(node, name, next_version(node, name), &arena, &document, &error);
    th_node_close(node);
    if (!status)
        status = th_file_write(out, document, 0644, &error);
    int code = status ? th_cmd_failed(args, status, &error)
                      : th_cmd_done(args, (th_str){NULL, 0}, "草稿已写入 %s，请各成员核对并签署", "The draft is in %s; let every member read and sign it", out);
    th_arena_close(&arena);
    return code;
}

int th_cmd_list_sign(const th_args *args)
{
    th_arena arena;
    th_str document;
    th_keys keys;
    th_error error = {0};
    const char *file = th_word(args, 0);
    th_arena_open(&arena, 64u << 20);
    th_status status = th_file_read(file, DOCUMENT_MAX, &arena, &document, &error);
    if (!status)
        status = th_keys_read(args->node, &keys, &error);
    if (!status) {
        status = keys.governor ? th_agreement_sign(document, keys.governor, &arena, &document, &error)
                               : th_fail(&error, TH_NOT_FOUND, "no-governor-key", "本节点没有治理密钥", "This node holds no governor's key");
        th_keys_close(&keys);
    }
    if (!status)
        status = th_file_write(file, document, 0644, &error);
    int code = status ? th_cmd_failed(args, status, &error) : th_cmd_done(args, (th_str){NULL, 0}, "已签署 %s", "Signed: %s", file);
    th_arena_close(&arena);
    return code;
}

int th_cmd_list_apply(const th_args *args)
{
    th_arena arena;
    th_str document;
    th_node *node;
    th_error error = {0};
    th_arena_open(&arena, 64u << 20);
    th_status status = th_file_read(th_word(args, 0), DOCUMENT_MAX, &arena, &document, &error);
    if (!status)
        status = th_node_open_beside(args->node, &node, &error);
    if (!status) {
        status = th_exchange_agreement_apply(node->exchange, document, &error);
        th_node_close(node);
    }
    if (!status)
        th_node_nudge(args->node);
    int code = status ? th_cmd_failed(args, status, &error) : th_cmd_done(args, (th_str){NULL, 0}, "清单已启用", "The list is in force");
    th_arena_close(&arena);
    return code;
}

static void list_print(const th_args *args, const th_agreement *list)
{
    char issued[TH_TIME_TEXT];
    th_time_shanghai(list->issued_us, issued);
    printf(args->english ? "%.*s version %lld of %s, %u rows\n" : "%.*s 第 %lld 版（%s），%u 行\n", TH_FMT(list->name), (long long)list->version, issued,
           (unsigned)list->rows->count);
    for (const th_json *row = th_json_first(list->rows); row; row = th_json_next(list->rows, row)) {
        th_str code = th_json_str(row, "item").n ? th_json_str(row, "item") : th_json_str(row, "code");
        printf("  %-26.*s %.*s\n", TH_FMT(code), TH_FMT(th_json_str(th_json_get(row, "title"), args->english ? "en" : "zh")));
    }
}

int th_cmd_list_show(const th_args *args)
{
    th_node *node;
    th_error error = {0};
    const char *name = th_word(args, 0);
    if (!name_known(name))
        return th_cmd_usage(args, "清单为 items 或 ecerts", "The lists are items and ecerts");
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_agreement *list = th_exchange_agreement(node->exchange, name);
    if (list && args->json)
        th_print(list->document);
    else if (list)
        list_print(args, list);
    else
        status = th_fail(&error, TH_NOT_FOUND, "no-list", "本节点尚无这份清单", "This node has no such list yet");
    th_agreement_release(list);
    th_node_close(node);
    return status ? th_cmd_failed(args, status, &error) : 0;
}
