/* cmd_up.c — a whole region on one machine: made at the first use, one process a node, watched until Ctrl-C. */
#include "up-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
enum { READY_WAIT_MS = 20000, RESTART_PAUSE_S = 1, STOP_WAIT_MS = 30000 };

static int64_t int_option(const th_args *args, const char *name, int64_t least, int64_t most, int64_t fallback)
{
    int64_t value;
    const char *text = th_option(args, name);
    return text && th_parse_i64(th_str_of(text), least, most, &value) ? value : fallback;
}

static th_status region_read(th_up *up, th_error *error)
{
    char path[TH_PATH_TEXT];
    th_str text;
    th_status status = th_path_join(path, up->region, "region.json") ? th_file_read(path, 4u << 20, &up->arena, &text, error) : TH_TOO_LARGE;
    if (!status)
        status = th_json_parse(text, &up->arena, &up->root, error);
    const th_json *members = status ? NULL : th_json_get(up->root, "members");
    for (const th_json *m = th_json_first(members); m && !status; m = th_json_next(members, m)) {
        th_up_node *node = &up->nodes[up->n];
        const th_json *name = th_json_get(m, "name");
        th_str code = th_json_str(m, "code");
        if (up->n == TH_UP_MAX || code.n != TH_CODE_TEXT - 1 || !th_suite_parse(th_json_str(m, "suite"), &node->suite))
            return th_fail(error, TH_INVALID, "region-file", "region.json 的成员不合规定", "A member in region.json is not acceptable");
        memcpy(node->code, code.p, code.n);
        snprintf(node->zh, sizeof node->zh, "%.*s", TH_FMT(th_json_str(name, "zh")));
        snprintf(node->en, sizeof node->en, "%.*s", TH_FMT(th_json_str(name, "en")));
        node->portal_port = (uint16_t)(up->port_base + 10 * (int64_t)(up->n + 1));
        node->peer_port = (uint16_t)(node->portal_port + 1);
        if (!th_path_join(node->dir, up->dir, node->code))
            status = TH_TOO_LARGE;
        up->n++;
    }
    return status;
}

/* A region that was made keeps the ports that its signed trust document names. */
static void configured_ports(th_up *up)
{
    for (size_t i = 0; i < up->n; i++) {
        th_config c;
        if (th_config_read(up->nodes[i].dir, &c, NULL) == TH_OK) {
            up->nodes[i].portal_port = c.portal_port;
            up->nodes[i].peer_port = c.peer_port;
        }
        snprintf(up->nodes[i].portal, sizeof up->nodes[i].portal, "http://127.0.0.1:%u", up->nodes[i].portal_port);
    }
}

/* ---- processes ---- */

static th_status node_spawn(th_up_node *node, th_error *error)
{
    char log[TH_PATH_TEXT];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    char *argv[] = {(char *)(uintptr_t) "tonghui", (char *)(uintptr_t) "serve", (char *)(uintptr_t) "--node", node->dir, (char *)(uintptr_t) "--with-parent", NULL};
    if (!th_path_join(log, node->dir, "log.jsonl"))
        return TH_TOO_LARGE;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C at the terminal is this process's to hand on */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid;
    int failed = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed)
        return th_failf(error, TH_IO, "spawn", "无法启动节点 %s", "The node %s cannot be started", node->code);
    node->pid = pid;
    return TH_OK;
}

static bool node_is_ready(const th_up_node *node)
{
    th_arena arena;
    th_client_options options = {0};
    th_arena_open(&arena, 1 << 20);
    th_str url = th_strf(&arena, "%s/readyz", node->portal);
    th_call call = {.method = "GET", .url = url.p, .connect_timeout_ms = 500, .timeout_ms = 1000};
    bool ready = th_client_once(&options, &call, &arena) == TH_OK && call.http_status == 200;
    th_arena_close(&arena);
    return ready;
}

static th_status ready_wait(th_up *up, th_error *error)
{
    for (size_t i = 0; i < up->n; i++) {
        int waited = 0;
        while (!node_is_ready(&up->nodes[i])) {
            int how;
            if (waited > READY_WAIT_MS || waitpid(up->nodes[i].pid, &how, WNOHANG) > 0)
                return th_failf(error, TH_UNAVAILABLE, "node-not-ready", "节点 %s 未能就绪，原因见 %.200s/log.jsonl", "Node %s did not become ready; see %.200s/log.jsonl",
                                up->nodes[i].code, up->nodes[i].dir);
            usleep(20 * 1000);
            waited += 20;
        }
    }
    return TH_OK;
}

static void all_stop(th_up *up)
{
    for (size_t i = 0; i < up->n; i++)
        if (up->nodes[i].pid > 0)
            kill(up->nodes[i].pid, SIGTERM);
    for (size_t i = 0; i < up->n; i++) {
        int how;
        for (int waited = 0; up->nodes[i].pid > 0 && waitpid(up->nodes[i].pid, &how, WNOHANG) == 0; waited += 20) {
            if (waited == STOP_WAIT_MS)
                kill(up->nodes[i].pid, SIGKILL);
            usleep(20 * 1000);
        }
        up->nodes[i].pid = 0;
    }
}

static void children_reap(th_up *up)
{
    int how;
    pid_t pid;
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
        for (size_t i = 0; i < up->n; i++)
            if (up->nodes[i].pid == pid) {
                up->nodes[i].pid = 0;
                up->nodes[i].restarts++;
                th_say(up->args, "节点 %s 意外停止，%d 秒后重启（日志：%s/log.jsonl）", "Node %s stopped unexpectedly; it starts again in %d s (log: %s/log.jsonl)",
                       up->nodes[i].code, RESTART_PAUSE_S, up->nodes[i].dir);
            }
}

static void missing_restart(th_up *up)
{
    for (size_t i = 0; i < up->n; i++)
        if (!up->nodes[i].pid && node_spawn(&up->nodes[i], NULL))
            th_say(up->args, "节点 %s 无法重启", "Node %s cannot be started again", up->nodes[i].code);
}

/* ---- words ---- */

static void greet(th_up *up)
{
    const th_json *accounts = th_json_get(up->root, "accounts");
    th_str password = th_json_str(up->root, "demo_password");
    printf("\n%s\n\n", up->args->english ? "The region is up. Everything in it is simulated data." : "区域已启动。其中全部为模拟数据 simulated。");
    for (size_t i = 0; i < up->n; i++) {
        char padded[160];
        snprintf(padded, sizeof padded, "%s %s", up->nodes[i].zh, up->nodes[i].en);
        printf("  %s  %-28s %s\n", up->nodes[i].code, padded, up->nodes[i].portal);
    }
    printf("\n  %s  %s/wall\n  %s  %s/tour\n\n", up->args->english ? "The wall:" : "运行大屏：", up->nodes[0].portal, up->args->english ? "The tour:" : "五分钟导览：",
           up->nodes[up->n > 1 ? 1 : 0].portal);
    printf("%s", up->args->english ? "  Sign in at any portal as:" : "  各门户登录名：");
    for (const th_json *a = th_json_first(accounts); a; a = th_json_next(accounts, a))
        if (th_str_is(th_json_str(a, "member"), "*"))
            printf("  %.*s", TH_FMT(th_json_str(a, "login")));
    printf("  citizen   %s %.*s\n\n", up->args->english ? "password:" : "密码：", TH_FMT(password));
    printf("%s\n", up->args->english ? "Ctrl-C stops all nodes." : "按 Ctrl-C 停止全部节点。");
    fflush(stdout);
}

static int watch(th_up *up, const sigset_t *wanted)
{
    struct timespec second = {RESTART_PAUSE_S, 0};
    for (;;) {
        int signal_number = sigtimedwait(wanted, NULL, &second);
        if (signal_number == SIGINT || signal_number == SIGTERM)
            return 0;
        if (signal_number == SIGCHLD)
            children_reap(up);
        else if (signal_number < 0 && errno == EAGAIN)
            missing_restart(up);
    }
}

static bool whole_path(const char *path, char ret[TH_PATH_TEXT])
{
    char *found = realpath(path, NULL);
    bool ok = found && strlen(found) < TH_PATH_TEXT;
    if (ok)
        snprintf(ret, TH_PATH_TEXT, "%s", found);
    free(found); /* realpath's own allocation */
    return ok;
}

int th_cmd_up(const th_args *args)
{
    th_error error = {0};
    sigset_t wanted;
    char dir[TH_PATH_TEXT], region[TH_PATH_TEXT], console[TH_PATH_TEXT] = "";
    th_up up = {.args = args, .store = th_option(args, "store"), .front = th_option(args, "front")};
    const char *d = th_option(args, "dir"), *r = th_option(args, "region"), *c = th_option(args, "console");
    up.people = int_option(args, "people", 40, 400000000, 4000);
    up.seed = int_option(args, "seed", 0, INT64_MAX, 20260101);
    up.port_base = int_option(args, "port-base", 1024, 65000, 8100);
    up.life = int_option(args, "life", 0, 60000, 30);
    th_status status = th_dir_make(d ? d : "var", &error);
    if (!r || (!status && (!whole_path(d ? d : "var", dir) || !whole_path(r, region) || (c && !whole_path(c, console)))))
        return th_cmd_usage(args, "up --region DIR [--dir DIR] [--console DIR] [--people N] [--seed S] [--port-base P] [--life N] [--store URL] [--front URL] [--fresh] [--make-only]");
    up.dir = dir;
    up.region = region;
    up.console = console[0] ? console : NULL;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    th_arena_open(&up.arena, 1024u << 20);
    if (!status && th_flag(args, "fresh") && th_up_is_made(&up))
        status = th_dir_remove(dir, &error);
    if (!status)
        status = region_read(&up, &error);
    if (!status && !th_up_is_made(&up))
        status = th_up_make(&up, &error);
    configured_ports(&up);
    if (!status && th_flag(args, "make-only")) {
        th_arena_close(&up.arena);
        return 0;
    }
    for (size_t i = 0; !status && i < up.n; i++)
        status = node_spawn(&up.nodes[i], &error);
    if (!status)
        status = ready_wait(&up, &error);
    if (!status) {
        greet(&up);
        watch(&up, &wanted);
        th_say(args, "正在停止…", "Stopping…");
    }
    all_stop(&up);
    th_arena_close(&up.arena);
    return status ? th_cmd_failed(args, status, &error) : 0;
}
