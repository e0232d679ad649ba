/* cmd_region.c — the trust document's verbs: told by members, drafted, read, signed, put in force. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 4 << 20, DAYS_DEFAULT = 365 };

/* Into the file of --out, else to stdout. */
static int put_out(const th_args *args, th_str text, const char *zh, const char *en)
{
    th_error error = {0};
    const char *out = th_option(args, "out");
    if (!out) {
        th_print(text);
        return 0;
    }
    th_status status = th_file_write(out, text, 0644, &error);
    return status ? th_cmd_failed(args, status, &error) : th_cmd_done(args, (th_str){NULL, 0}, "%s：%s", "%s: %s", args->english ? en : zh, out);
}

int th_cmd_region_member(const th_args *args)
{
    th_arena arena;
    th_str json;
    th_error error = {0};
    th_arena_open(&arena, 1 << 20);
    th_status status = th_member_tell(args->node, th_option(args, "zh"), th_option(args, "en"), &arena, &json, &error);
    int code = status ? th_cmd_failed(args, status, &error) : put_out(args, json, "成员条目已写入", "The member's entry is written");
    th_arena_close(&arena);
    return code;
}

static th_status files_put(th_draft *draft, const th_args *args, const char *(*nth)(const th_args *, const char *, int), th_error *error)
{
    th_status status = TH_OK;
    const char *file;
    for (int i = 0; !status && (file = nth(args, "put", i)); i++) {
        th_str told;
        status = th_file_read(file, 64 * 1024, draft->arena, &told, error);
        if (!status)
            status = th_draft_put(draft, told, error);
    }
    return status;
}

static const char *word_nth(const th_args *args, const char *name, int i)
{
    (void)name;
    return th_word(args, i);
}

static int draft_end(const th_args *args, th_draft *draft, th_status status, th_error *error)
{
    th_str document = {NULL, 0};
    if (!status)
        status = th_draft_document(draft, &document, error);
    return status ? th_cmd_failed(args, status, error)
                  : put_out(args, document, "草稿已写入，请各治理方核对并签署", "The draft is written; let the governors read and sign it");
}

int th_cmd_region_init(const th_args *args)
{
    th_arena arena;
    th_error error = {0};
    th_env env = th_env_real();
    int64_t threshold = 0, days = DAYS_DEFAULT;
    if (!th_option_int(args, "threshold", 1, TH_MEMBERS_MAX, &threshold) || !th_option_int(args, "days", 1, 3650, &days))
        return 2;
    th_arena_open(&arena, 64u << 20);
    th_draft draft = {.id = th_str_of(th_option(args, "id")),
                      .zh = th_str_of(th_option(args, "zh")),
                      .en = th_str_of(th_option(args, "en")),
                      .version = 1,
                      .issued_us = th_now_us(&env) - TH_MINUTE_US,
                      .arena = &arena};
    draft.expires_us = draft.issued_us + days * TH_DAY_US;
    th_status status = files_put(&draft, args, word_nth, &error);
    draft.threshold = threshold ? threshold : (int64_t)draft.governor_count;
    int code = draft_end(args, &draft, status, &error);
    th_arena_close(&arena);
    return code;
}

static th_status changes_make(const th_args *args, th_draft *draft, th_error *error)
{
    const char *code;
    th_status status = files_put(draft, args, th_option_at, error);
    for (int i = 0; !status && (code = th_option_at(args, "drop", i)); i++)
        status = th_draft_drop(draft, th_str_of(code), error);
    for (int i = 0; !status && (code = th_option_at(args, "suspend", i)); i++)
        status = th_draft_suspend(draft, th_str_of(code), true, error);
    for (int i = 0; !status && (code = th_option_at(args, "resume", i)); i++)
        status = th_draft_suspend(draft, th_str_of(code), false, error);
    return status;
}

int th_cmd_region_propose(const th_args *args)
{
    th_arena arena;
    th_str before;
    th_draft draft;
    th_error error = {0};
    th_env env = th_env_real();
    int64_t threshold = 0, days = DAYS_DEFAULT;
    if (!th_option_int(args, "threshold", 1, TH_MEMBERS_MAX, &threshold) || !th_option_int(args, "days", 1, 3650, &days))
        return 2;
    th_arena_open(&arena, 64u << 20);
    th_status status = th_file_read(th_word(args, 0), DOCUMENT_MAX, &arena, &before, &error);
    if (!status)
        status = th_draft_read(before, &arena, &draft, &error);
    if (!status) {
        draft.version++;
        draft.issued_us = th_now_us(&env) - TH_MINUTE_US;
        draft.expires_us = draft.issued_us + days * TH_DAY_US;
        draft.threshold = threshold ? threshold : draft.threshold;
        status = changes_make(args, &draft, &error);
    }
    int code = status ? th_cmd_failed(args, status, &error) : draft_end(args, &draft, TH_OK, &error);
    th_arena_close(&arena);
    return code;
}

/* With the governor's key, and with the next one where one is made: a version that names the new key needs it to count for its own
 * threshold, and the old one for the threshold of the version before. */
static th_status governor_sign(const char *dir, th_arena *arena, th_str *document, char ret_kid[TH_KID_TEXT], th_error *error)
{
    th_keys keys;
    th_key *next = NULL;
    th_status status = th_keys_read(dir, &keys, error);
    if (status)
        return status;
    if (!keys.governor) {
        th_keys_close(&keys);
        return th_fail(error, TH_NOT_FOUND, "no-governor-key", "本节点没有治理密钥", "This node holds no governor's key");
    }
    th_kid_of(keys.governor, ret_kid);
    status = th_trust_sign(*document, keys.governor, arena, document, error);
    if (!status)
        status = th_key_next(dir, "governor", &next, error);
    if (!status && next)
        status = th_trust_sign(*document, next, arena, document, error);
    th_key_close(next);
    th_keys_close(&keys);
    return status;
}

int th_cmd_region_sign(const th_args *args)
{
    th_arena arena;
    th_str document;
    char kid[TH_KID_TEXT] = "";
    th_error error = {0};
    const char *file = th_word(args, 0);
    th_arena_open(&arena, 64u << 20);
    th_status status = th_file_read(file, DOCUMENT_MAX, &arena, &document, &error);
    if (!status)
        status = governor_sign(args->node, &arena, &document, kid, &error);
    if (!status)
        status = th_file_write(file, document, 0644, &error);
    int code = status ? th_cmd_failed(args, status, &error)
                      : th_cmd_done(args, th_strf(&arena, "{\"signed\":true,\"kid\":\"%s\"}", kid), "已用治理密钥 %s 签署 %s", "Signed by governor's key %s: %s", kid, file);
    th_arena_close(&arena);
    return code;
}

int th_cmd_region_apply(const th_args *args)
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
        status = th_exchange_trust_apply(node->exchange, document, &error);
        th_trust *trust = th_exchange_trust(node->exchange);
        if (!status && trust)
            document = th_strf(&arena, "{\"applied\":true,\"version\":%lld}", (long long)trust->version);
        th_trust_release(trust);
        th_node_close(node);
    }
    if (!status)
        th_node_nudge(args->node);
    int code = status ? th_cmd_failed(args, status, &error) : th_cmd_done(args, document, "信任文件已启用", "The trust document is in force");
    th_arena_close(&arena);
    return code;
}

static th_status in_force(const char *dir, th_trust **ret_trust, th_error *error)
{
    th_node *node;
    th_status status = th_node_open_beside(dir, &node, error);
    if (status)
        return status;
    *ret_trust = th_exchange_trust(node->exchange);
    th_node_close(node);
    return *ret_trust ? TH_OK : th_fail(error, TH_NOT_FOUND, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
}

static void trust_print(const th_args *args, const th_trust *trust)
{
    char expires[TH_TIME_TEXT];
    th_time_shanghai(trust->expires_us, expires);
    printf(args->english ? "%.*s version %lld, until %s; %lld of %zu governors must sign\n" : "%.*s 第 %lld 版，有效至 %s；须 %lld 个治理方签署，共 %zu 个\n", TH_FMT(trust->region),
           (long long)trust->version, expires, (long long)trust->threshold, trust->governor_count);
    for (size_t i = 0; i < trust->member_count; i++) {
        const th_member *m = &trust->members[i];
        printf("  %s %.*s %.*s  %.*s%s\n", m->code, TH_FMT(m->name_zh), TH_FMT(m->name_en), TH_FMT(m->peer),
               m->suspended ? args->english ? "  SUSPENDED" : "  已暂停" : "");
    }
}

int th_cmd_region_show(const th_args *args)
{
    th_arena arena;
    th_str document;
    th_trust *trust = NULL;
    th_error error = {0};
    const char *file = th_word(args, 0);
    if (!file && !args->node)
        return th_cmd_usage(args, "请给出信任文件或 --node 目录", "Give a trust document or --node DIR");
    th_arena_open(&arena, 64u << 20);
    th_status status = file ? th_file_read(file, DOCUMENT_MAX, &arena, &document, &error) : in_force(args->node, &trust, &error);
    if (!status && file)
        status = th_trust_read(document, &trust, &error);
    if (!status && args->json)
        th_print(th_str_trim(trust->document));
    else if (!status)
        trust_print(args, trust);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_trust_release(trust);
    th_arena_close(&arena);
    return code;
}

static void changes_print(const th_args *args, th_str json, th_arena *arena)
{
    const th_json *root;
    if (th_json_parse(json, arena, &root, NULL))
        return;
    for (const th_json *c = th_json_first(root); c; c = th_json_next(root, c))
        printf("%-40.*s %.*s\n    - %.*s\n    + %.*s\n", TH_FMT(th_json_str(c, "path")), TH_FMT(th_json_str(c, args->english ? "en" : "zh")),
               TH_FMT(th_json_get(c, "before")->raw), TH_FMT(th_json_get(c, "after")->raw));
}

/* What is to be signed is not signed yet: a document that lacks nothing but signatures is compared by its text. */
static th_status compared_read(const char *file, th_arena *arena, th_trust **ret_trust, th_trust *draft, th_error *error)
{
    th_str document;
    th_status status = th_file_read(file, DOCUMENT_MAX, arena, &document, error);
    if (status)
        return status;
    status = th_trust_read(document, ret_trust, error);
    if (!status || strcmp(error->type, "trust-threshold") != 0)
        return status;
    *error = (th_error){0};
    return th_json_parse(document, arena, &draft->root, error);
}

int th_cmd_region_diff(const th_args *args)
{
    th_arena arena;
    th_str json;
    th_trust *trusts[2] = {NULL, NULL}, drafts[2];
    th_error error = {0};
    th_status status = TH_OK;
    memset(drafts, 0, sizeof drafts);
    th_arena_open(&arena, 64u << 20);
    for (int i = 0; !status && i < 2; i++)
        status = compared_read(th_word(args, i), &arena, &trusts[i], &drafts[i], &error);
    if (!status)
        status = th_trust_diff(trusts[0] ? trusts[0] : &drafts[0], trusts[1] ? trusts[1] : &drafts[1], &arena, &json);
    if (!status && args->json)
        th_print(json);
    else if (!status)
        changes_print(args, json, &arena);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_trust_release(trusts[0]);
    th_trust_release(trusts[1]);
    th_arena_close(&arena);
    return code;
}
