/* main.c — finds the verb and runs it. */
#include "node/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const th_verb verbs[] = {
    {"init", th_cmd_init, "init DIR --code CODE --region DIR [--suite SUITE] [--portal-port P] [--peer-port P] [--store URL]",
     "建立一个节点目录（配置与密钥）", "make a node's directory: configuration and keys"},
    {"serve", th_cmd_serve, "serve --node DIR", "运行一个节点", "run a node"},
    {"up", th_cmd_up, "up [--dir DIR] [--region DIR] [--console DIR] [--people N] [--seed S] [--port-base P] [--store URL] [--front URL] [--fresh] [--make-only]",
     "在本机建立并运行整个区域（演示）", "make and run a whole region on this machine (demonstration)"},
    {"region", th_cmd_region, "region propose|sign|apply|show|diff …",
     "信任文件：起草、签名、启用、查看、比较", "the trust document: propose, sign, apply, show, diff"},
    {"user", th_cmd_user, "user add|list|password|disable|office|key … --node DIR", "账户、部门与接口密钥",
     "accounts, offices and API keys"},
    {"register", th_cmd_register, "register import|export|list|source … --node DIR", "登记库：导入、导出、列表、来源",
     "registers: import, export, list, source"},
    {"grant", th_cmd_grant, "grant add FILE…|list|remove ID --node DIR", "授权", "grants"},
    {"ask", th_cmd_ask, "ask FILE --node DIR --key KEY", "经运行中的节点核验或查询", "verify or query through a running node"},
    {"receipt", th_cmd_receipt, "receipt verify FILE --trust region.json", "离线检验回执", "check a receipt offline"},
    {"journal", th_cmd_journal, "journal tail [N]|check --node DIR", "存证日志：查看、全量校验", "the journal: tail, check"},
    {"catalogue", th_cmd_catalogue, "catalogue list [QUERY] --node DIR", "数据目录", "the catalogue"},
    {"generate", th_cmd_generate, "generate DIR --code CODE --region DIR [--people N] [--seed S]", "生成模拟数据",
     "generate simulated data"},
    {"backup", th_cmd_backup, "backup TO --node DIR", "在线备份", "online backup"},
    {"restore", th_cmd_restore, "restore FROM --node DIR", "自备份恢复", "restore from a backup"},
    {"simulate", th_cmd_simulate, "simulate on|off|MESSAGES-PER-MINUTE --node DIR", "演示环境的模拟业务", "the demonstration's simulated life"},
    {"doctor", th_cmd_doctor, "doctor --node DIR", "检查常见配置问题并给出办法", "find likely misconfigurations and say the remedy"},
};

const th_verb *th_verbs(size_t *ret_n)
{
    *ret_n = TH_COUNT(verbs);
    return verbs;
}

int th_cmd_usage(const th_args *args, const char *usage)
{
    fprintf(stderr, args->english ? "Usage: tonghui %s\n" : "用法：tonghui %s\n", usage);
    return 2;
}

static int exit_code(th_status status)
{
    switch (status) {
    case TH_OK:
        return 0;
    case TH_FORBIDDEN:
    case TH_CONFLICT:
    case TH_NOT_FOUND:
    case TH_UNAUTHENTICATED:
        return 3;
    case TH_BUSY:
    case TH_UNAVAILABLE:
    case TH_TIMEOUT:
        return 4;
    default:
        return 1;
    }
}

int th_cmd_failed(const th_args *args, th_status status, const th_error *error)
{
    if (args->json) {
        th_arena arena;
        th_buf buf;
        th_error e = error ? *error : (th_error){0};
        e.status = status;
        th_arena_open(&arena, 1 << 20);
        th_buf_open(&buf, &arena, 64 * 1024);
        th_problem_write(&buf, &e, args->english ? "en" : "zh", (th_str){NULL, 0});
        th_print(th_buf_view(&buf));
        th_arena_close(&arena);
        return exit_code(status);
    }
    const char *words = error ? (args->english ? error->en : error->zh) : "";
    fprintf(stderr, "%s%s [%s]\n", args->english ? "Failed: " : "失败：", words[0] ? words : th_status_name(status),
            error && error->type[0] ? error->type : th_status_name(status));
    for (size_t i = 0; error && i < error->field_count; i++)
        fprintf(stderr, "  %s %s\n", error->fields[i].pointer, args->english ? error->fields[i].en : error->fields[i].zh);
    return exit_code(status);
}

void th_say(const th_args *args, const char *zh, const char *en, ...)
{
    va_list list;
    va_start(list, en);
    vfprintf(stderr, args->english ? en : zh, list);
    va_end(list);
    fputc('\n', stderr);
}

void th_print(th_str text)
{
    fwrite(text.p, 1, text.n, stdout);
    fputc('\n', stdout);
    fflush(stdout);
}

const char *th_option(const th_args *args, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < args->argc; i++) {
        const char *word = args->argv[i];
        if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, n) != 0)
            continue;
        if (word[2 + n] == '=')
            return word + 3 + n;
        if (word[2 + n] == 0 && i + 1 < args->argc)
            return args->argv[i + 1];
    }
    return NULL;
}

bool th_flag(const th_args *args, const char *name)
{
    for (int i = 0; i < args->argc; i++)
        if (strncmp(args->argv[i], "--", 2) == 0 && strcmp(args->argv[i] + 2, name) == 0)
            return true;
    return false;
}

const char *th_word(const th_args *args, int index)
{
    static const char *const flags[] = {"--fresh", "--help", "--force", "--with-parent", "--make-only"};
    for (int i = 0; i < args->argc; i++) {
        const char *word = args->argv[i];
        if (strncmp(word, "--", 2) == 0) {
            bool alone = strchr(word, '=') != NULL;
            for (size_t k = 0; k < TH_COUNT(flags); k++)
                alone = alone || strcmp(word, flags[k]) == 0;
            i += alone ? 0 : 1;
            continue;
        }
        if (index-- == 0)
            return word;
    }
    return NULL;
}

const char *th_cmd_node(const th_args *args)
{
    if (!args->node)
        fprintf(stderr, "%s\n", args->english ? "Say which node: --node DIR (or TONGHUI_NODE)"
                                              : "请指明节点：--node 目录（或环境变量 TONGHUI_NODE）");
    return args->node;
}

static int help(const th_args *args)
{
    printf("%s\n\n", args->english ? "tonghui — one small daemon per administration; together, a region"
                                   : "通惠 tonghui——每个行政区一个小程序，合起来是一个区域");
    for (size_t i = 0; i < TH_COUNT(verbs); i++)
        printf("  tonghui %s\n      %s\n", verbs[i].usage, args->english ? verbs[i].en : verbs[i].zh);
    printf("\n%s\n", args->english ? "Everywhere: --json (machine-readable), --help. Exit codes: 0 done, 1 failed, 2 usage, 3 "
                                     "refused, 4 unavailable."
                                   : "各命令均有 --json（机器可读）与 --help。退出码：0 完成，1 失败，2 用法错误，3 被拒绝，4 暂不可用。");
    return 0;
}

/* Global options may stand anywhere; they are taken out so that verbs see only their own. */
static void globals_take(th_args *args)
{
    int kept = 0;
    for (int i = 0; i < args->argc; i++) {
        if (strcmp(args->argv[i], "--json") == 0)
            args->json = true;
        else if (strcmp(args->argv[i], "--node") == 0 && i + 1 < args->argc)
            args->node = args->argv[++i];
        else if (strncmp(args->argv[i], "--node=", 7) == 0)
            args->node = args->argv[i] + 7;
        else
            args->argv[kept++] = args->argv[i];
    }
    args->argc = kept;
}

int main(int argc, char **argv)
{
    const char *language = getenv("TONGHUI_LANG") ? getenv("TONGHUI_LANG") : getenv("LANG");
    th_args args = {.program = argv[0],
                    .argc = argc - 1,
                    .argv = argv + 1,
                    .node = getenv("TONGHUI_NODE"),
                    .english = language && strncmp(language, "en", 2) == 0};
    globals_take(&args);
    if (args.argc == 0 || strcmp(args.argv[0], "--help") == 0 || strcmp(args.argv[0], "help") == 0)
        return help(&args);
    for (size_t i = 0; i < TH_COUNT(verbs); i++) {
        if (strcmp(args.argv[0], verbs[i].name) != 0)
            continue;
        args.argc--;
        args.argv++;
        if (th_flag(&args, "help")) {
            printf("tonghui %s\n%s\n", verbs[i].usage, args.english ? verbs[i].en : verbs[i].zh);
            return 0;
        }
        th_status status = th_crypto_start();
        if (status)
            return th_cmd_failed(&args, status, NULL);
        return verbs[i].run(&args);
    }
    fprintf(stderr, args.english ? "Unknown verb: %s. See tonghui --help.\n" : "没有这个命令：%s。请看 tonghui --help。\n",
            args.argv[0]);
    return 2;
}
