/* cmd_proof.c — receipts, the journal, backups. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

/* A receipt, or an answer that has one: what `ask` printed is a file that can be checked. */
static th_status receipt_find(th_str text, th_arena *arena, th_receipt *ret_receipt, th_error *error)
{
    const th_json *root;
    th_status status = th_json_parse(text, arena, &root, error);
    const th_json *inner = status ? NULL : th_json_get(root, "receipt");
    return status ? status : th_receipt_read(inner ? inner->raw : text, arena, ret_receipt, error);
}

int th_cmd_receipt_verify(const th_args *args)
{
    th_arena arena;
    th_str text, document;
    th_receipt receipt = {0};
    th_trust *trust = NULL;
    th_error error = {0};
    th_arena_open(&arena, 16u << 20);
    th_status status = th_file_read(th_word(args, 0), 1 << 20, &arena, &text, &error);
    if (!status)
        status = th_file_read(th_option(args, "trust"), 4u << 20, &arena, &document, &error);
    if (!status)
        status = th_trust_read(document, &trust, &error);
    if (!status)
        status = receipt_find(text, &arena, &receipt, &error);
    if (!status)
        status = th_receipt_check(&receipt, trust, &error);
    int code = status ? th_cmd_failed(args, status, &error)
                      : th_cmd_done(args,
                                    th_strf(&arena, "{\"valid\":true,\"log\":\"%s\",\"index\":%llu,\"size\":%llu,\"kid\":\"%s\"}", receipt.head.log,
                                            (unsigned long long)receipt.index, (unsigned long long)receipt.head.size, receipt.head.kid),
                                    "回执成立：日志 %s 第 %llu 条，树大小 %llu，签名密钥 %s", "The receipt holds: log %s, entry %llu, tree of %llu, signed by key %s",
                                    receipt.head.log, (unsigned long long)receipt.index, (unsigned long long)receipt.head.size, receipt.head.kid);
    th_trust_release(trust);
    th_arena_close(&arena);
    return code;
}

static void entries_print(const th_args *args, th_str log, const th_str *entries, size_t n, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 128u << 20);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "log", log);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < n; i++)
        if (args->json)
            th_pen_raw(&pen, entries[i]);
        else
            th_print(entries[i]);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (args->json)
        th_print(th_buf_view(&buf));
}

static int journal_tail(const th_args *args, th_node *node, th_db *db, th_str log, int64_t wanted)
{
    th_head head;
    th_arena arena;
    th_str *entries = NULL;
    size_t n = 0;
    th_error error = {0};
    (void)node;
    th_arena_open(&arena, 256u << 20);
    th_status status = th_journal_head_last(db, log, &head, &error);
    if (!status) {
        uint64_t first = head.size > (uint64_t)wanted ? head.size - (uint64_t)wanted : 0;
        status = th_journal_entries(db, log, first, (size_t)wanted, &arena, &entries, &n, &error);
    } else if (status == TH_NOT_FOUND) {
        status = TH_OK; /* nothing was journaled yet */
    }
    if (!status)
        entries_print(args, log, entries, n, &arena);
    th_arena_close(&arena);
    return status ? th_cmd_failed(args, status, &error) : 0;
}

static int journal_check(const th_args *args, th_node *node, th_db *db, th_str log, int64_t unused)
{
    uint64_t entries = 0;
    th_arena arena;
    th_error error = {0};
    th_trust *trust = th_exchange_trust(node->exchange);
    (void)unused;
    th_ticker_start(args, "校验日志 %.*s…", "Checking log %.*s…", TH_FMT(log));
    th_status status = th_journal_check(db, log, trust, &entries, &error);
    th_ticker_stop();
    th_trust_release(trust);
    if (status && status != TH_NOT_FOUND)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&arena, 4096);
    th_str json = th_strf(&arena, "{\"log\":\"%.*s\",\"entries\":%llu,\"ok\":true}", TH_FMT(log), (unsigned long long)entries);
    int code = th_cmd_done(args, json, "日志 %.*s 完整：%llu 条，全部签名树头相符", "Log %.*s is whole: %llu entries, every signed head fits", TH_FMT(log), (unsigned long long)entries);
    th_arena_close(&arena);
    return code;
}

static int at_journal(const th_args *args, int (*run)(const th_args *, th_node *, th_db *, th_str, int64_t), int64_t count)
{
    th_error error = {0};
    th_node *node;
    th_db *db;
    char log[TH_LOG_TEXT];
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_journal_log(th_exchange_journal(node->exchange), log);
    int code = 0;
    status = th_store_acquire(node->store, &db, &error);
    if (!status) {
        code = run(args, node, db, th_str_of(log), count);
        th_store_release(node->store, db);
    }
    th_node_close(node);
    return status ? th_cmd_failed(args, status, &error) : code;
}

int th_cmd_journal_tail(const th_args *args)
{
    int64_t wanted = 20;
    if (th_word(args, 0) && !th_parse_i64(th_str_of(th_word(args, 0)), 1, 10000, &wanted))
        return th_cmd_usage(args, "条数须为 1–10000", "The count must be 1 to 10000");
    return at_journal(args, journal_tail, wanted);
}

int th_cmd_journal_check(const th_args *args)
{
    return at_journal(args, journal_check, 0);
}

int th_cmd_backup(const th_args *args)
{
    const char *to = th_word(args, 0);
    th_config config;
    th_store *store;
    th_error error = {0};
    th_status status = th_config_read(args->node, &config, &error);
    if (!status)
        status = th_store_open(config.store, NULL, &store, &error);
    if (!status) {
        th_ticker_start(args, "备份到 %s…", "Backing up to %s…", to);
        status = th_store_backup(store, to, &error);
        th_ticker_stop();
        th_store_close(store);
    }
    return status ? th_cmd_failed(args, status, &error)
                  : th_cmd_done(args, (th_str){NULL, 0}, "已备份到 %s（不含 keys/：密钥须另行保管）", "Backed up to %s (without keys/: keep the keys elsewhere)", to);
}

int th_cmd_restore(const th_args *args)
{
    th_config config;
    th_node *node;
    th_error error = {0};
    th_status status = th_config_read(args->node, &config, &error);
    th_ticker_start(args, "恢复…", "Restoring…");
    if (!status)
        status = th_store_restore(th_word(args, 0), config.store, &error);
    if (!status)
        status = th_node_open(args->node, &node, &error);
    if (!status) {
        status = th_exchange_restored(node->exchange, &error); /* a restored log never goes on */
        th_node_close(node);
    }
    th_ticker_stop();
    return status ? th_cmd_failed(args, status, &error)
                  : th_cmd_done(args, (th_str){NULL, 0}, "已恢复；旧日志已封存，新日志已启用", "Restored; the old log is sealed and a new one is open");
}

int th_cmd_simulate(const th_args *args)
{
    th_config config;
    th_error error = {0};
    int64_t rate = 60;
    const char *what = th_word(args, 0);
    bool off = strcmp(what, "off") == 0;
    if (!off && strcmp(what, "on") != 0 && !th_parse_i64(th_str_of(what), 1, 60000, &rate))
        return th_cmd_usage(args, "须为 on、off 或每分钟条数 1–60000", "Must be on, off, or 1 to 60000 messages a minute");
    th_status status = th_config_read(args->node, &config, &error);
    if (!status && !config.demonstration)
        status = th_fail(&error, TH_FORBIDDEN, "not-a-demonstration", "该节点不是演示环境，不能模拟", "This node is no demonstration; nothing is simulated in it");
    config.life_per_minute = off ? 0 : (int)rate;
    if (!status)
        status = th_config_write(&config, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_node_nudge(args->node);
    return off ? th_cmd_done(args, (th_str){NULL, 0}, "模拟已关闭", "Simulation off")
               : th_cmd_done(args, (th_str){NULL, 0}, "模拟已设为每分钟 %lld 条", "Simulation set to %lld messages a minute", (long long)rate);
}
