/* cmd_proof.c — receipts, the journal, backups. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

int th_cmd_receipt(const th_args *args)
{
    th_arena arena;
    th_str text, document;
    th_receipt receipt;
    th_trust *trust = NULL;
    th_error error = {0};
    const char *what = th_word(args, 0), *file = th_word(args, 1), *region = th_option(args, "trust");
    if (!what || strcmp(what, "verify") != 0 || !file || !region)
        return th_cmd_usage(args, "receipt verify FILE --trust region.json");
    th_arena_open(&arena, 16u << 20);
    th_status status = th_file_read(file, 64 * 1024, &arena, &text, &error);
    if (!status)
        status = th_file_read(region, 4u << 20, &arena, &document, &error);
    if (!status)
        status = th_trust_read(document, &trust, &error);
    if (!status)
        status = th_receipt_read(text, &arena, &receipt, &error);
    if (!status)
        status = th_receipt_check(&receipt, trust, &error);
    if (!status && args->json)
        printf("{\"valid\":true,\"log\":\"%s\",\"index\":%llu,\"size\":%llu}\n", receipt.head.log, (unsigned long long)receipt.index,
               (unsigned long long)receipt.head.size);
    else if (!status)
        th_say(args, "回执成立：日志 %s 第 %llu 条，树大小 %llu，签名密钥 %s", "The receipt holds: log %s, entry %llu of %llu, signed by key %s", receipt.head.log,
               (unsigned long long)receipt.index, (unsigned long long)receipt.head.size, receipt.head.kid);
    int code = status ? th_cmd_failed(args, status, &error) : 0;
    th_trust_release(trust);
    th_arena_close(&arena);
    return code;
}

static th_status journal_tail(const th_args *args, th_node *node, th_db *db, th_str log, th_error *error)
{
    th_head head;
    th_arena arena;
    th_str *entries;
    size_t n;
    int64_t wanted = 20;
    const char *count = th_word(args, 1);
    (void)node;
    if (count && !th_parse_i64(th_str_of(count), 1, 10000, &wanted))
        return th_fail(error, TH_INVALID, "count", "条数须为 1–10000", "The count must be 1 to 10000");
    th_status status = th_journal_head_last(db, log, &head, error);
    if (status)
        return status == TH_NOT_FOUND ? TH_OK : status;
    th_arena_open(&arena, 256u << 20);
    uint64_t first = head.size > (uint64_t)wanted ? head.size - (uint64_t)wanted : 0;
    status = th_journal_entries(db, log, first, (size_t)wanted, &arena, &entries, &n, error);
    for (size_t i = 0; !status && i < n; i++)
        th_print(entries[i]);
    th_arena_close(&arena);
    return status;
}

static th_status journal_check(const th_args *args, th_node *node, th_db *db, th_str log, th_error *error)
{
    uint64_t entries = 0;
    th_trust *trust = th_exchange_trust(node->exchange);
    th_status status = th_journal_check(db, log, trust, &entries, error);
    th_trust_release(trust);
    if (status == TH_NOT_FOUND)
        status = TH_OK;
    if (!status && args->json)
        printf("{\"log\":\"%.*s\",\"entries\":%llu,\"ok\":true}\n", TH_FMT(log), (unsigned long long)entries);
    else if (!status)
        th_say(args, "日志 %.*s 完整：%llu 条，全部签名树头相符", "Log %.*s is whole: %llu entries, every signed head fits", TH_FMT(log), (unsigned long long)entries);
    return status;
}

int th_cmd_journal(const th_args *args)
{
    const char *what = th_word(args, 0), *dir = th_cmd_node(args);
    th_error error = {0};
    th_node *node;
    th_db *db;
    char log[TH_LOG_TEXT];
    bool tail = what && strcmp(what, "tail") == 0;
    if (!what || (!tail && strcmp(what, "check") != 0) || !dir)
        return th_cmd_usage(args, "journal tail [N] | check  --node DIR");
    th_status status = th_node_open_beside(dir, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_journal_log(th_exchange_journal(node->exchange), log);
    status = th_store_acquire(node->store, &db, &error);
    if (!status) {
        status = (tail ? journal_tail : journal_check)(args, node, db, th_str_of(log), &error);
        th_store_release(node->store, db);
    }
    th_node_close(node);
    return status ? th_cmd_failed(args, status, &error) : 0;
}

int th_cmd_backup(const th_args *args)
{
    const char *to = th_word(args, 0), *dir = th_cmd_node(args);
    th_config config;
    th_store *store;
    th_error error = {0};
    if (!to || !dir)
        return th_cmd_usage(args, "backup TO --node DIR");
    th_status status = th_config_read(dir, &config, &error);
    if (!status)
        status = th_store_open(config.store, NULL, &store, &error);
    if (!status) {
        status = th_store_backup(store, to, &error);
        th_store_close(store);
    }
    if (status)
        return th_cmd_failed(args, status, &error);
    th_say(args, "已备份到 %s（不含 keys/：密钥须另行保管）", "Backed up to %s (without keys/: keep the keys elsewhere)", to);
    return 0;
}

/* A restored log never goes on: it is sealed with a statement, so that what peers saw beyond it can never look like a fork. The new
 * generation is numbered by the clock: the same backup may be restored twice, and each time must open a log that nobody has seen. */
typedef struct sealing {
    th_journal *journal;
    int64_t now_us;
} sealing;

static th_status seal_apply(th_change *change, th_db *db, th_error *error)
{
    sealing *s = change->ctx;
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 64 * 1024);
    th_buf_open(&buf, &arena, 2000);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kint(&pen, "index", (int64_t)th_journal_next(s->journal));
    th_pen_ktime(&pen, "at", th_journal_batch_time(s->journal));
    th_pen_ktext(&pen, "direction", "note");
    th_pen_kwords(&pen, "loss", "本节点自备份恢复；此后的条目可能已丢失，由新日志接续", "This node was restored from a backup; later entries may be lost; a new log continues");
    th_pen_end(&pen, '}');
    th_status status = th_buf_ok(&buf) ? th_journal_renew(s->journal, db, s->now_us / TH_SECOND_US, th_buf_view(&buf), error) : TH_TOO_LARGE;
    th_arena_close(&arena);
    return status;
}

int th_cmd_restore(const th_args *args)
{
    const char *from = th_word(args, 0), *dir = th_cmd_node(args);
    th_config config;
    th_node *node;
    th_error error = {0};
    if (!from || !dir)
        return th_cmd_usage(args, "restore FROM --node DIR");
    th_status status = th_config_read(dir, &config, &error);
    if (!status)
        status = th_store_restore(from, config.store, &error);
    if (!status)
        status = th_node_open(dir, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    sealing s = {th_exchange_journal(node->exchange), th_now_us(&node->env)};
    th_change change = {.apply = seal_apply, .ctx = &s};
    status = th_writer_run(node->writer, &change, &error);
    th_node_close(node);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_say(args, "已恢复；旧日志已封存，新日志已启用", "Restored; the old log is sealed and a new one is open");
    return 0;
}

int th_cmd_simulate(const th_args *args)
{
    th_config config;
    th_error error = {0};
    int64_t rate = 60;
    const char *what = th_word(args, 0), *dir = th_cmd_node(args);
    bool off = what && strcmp(what, "off") == 0;
    if (!what || !dir || (!off && strcmp(what, "on") != 0 && !th_parse_i64(th_str_of(what), 1, 60000, &rate)))
        return th_cmd_usage(args, "simulate on|off|MESSAGES-PER-MINUTE --node DIR");
    th_status status = th_config_read(dir, &config, &error);
    if (!status && !config.demonstration)
        status = th_fail(&error, TH_FORBIDDEN, "not-a-demonstration", "该节点不是演示环境，不能模拟", "This node is no demonstration; nothing is simulated in it");
    config.life_per_minute = off ? 0 : (int)rate;
    if (!status)
        status = th_config_write(&config, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_node_nudge(dir);
    th_say(args, off ? "模拟已关闭" : "模拟已设为每分钟 %lld 条，重启后生效", off ? "Simulation off" : "Simulation set to %lld messages a minute from the next start",
           (long long)rate);
    return 0;
}
