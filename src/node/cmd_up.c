/* cmd_up.c — a whole region on one machine: made at the first use, one process a node, watched until Ctrl-C. */
#include "up-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
enum { READY_WAIT_S = 30, PAUSE_MAX_S = 30, STEADY_S = 60, STOP_WAIT_S = 30, GRANTS_WAIT_S = 3 };

static int64_t now_us(void)
{
    th_env env = th_env_real();
    return th_now_us(&env);
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
        const th_json *name = th_json_get(m, "name");
        th_str code = th_json_str(m, "code");
        th_up_node *node = &up->nodes[up->n];
        if (up->n == TH_UP_MAX || code.n != TH_CODE_TEXT - 1 || !th_suite_parse(th_json_str(m, "suite"), &node->suite))
            return th_failf(error, TH_INVALID, "region-file", "region.json 的成员 %.*s 不合规定", "The member %.*s in region.json is not acceptable", TH_FMT(code));
        memcpy(node->code, code.p, code.n);
        snprintf(node->zh, sizeof node->zh, "%.*s", TH_FMT(th_json_str(name, "zh")));
        snprintf(node->en, sizeof node->en, "%.*s", TH_FMT(th_json_str(name, "en")));
        node->portal_port = (uint16_t)(up->port_base + 10 * (int64_t)(up->n + 1));
        node->peer_port = (uint16_t)(node->portal_port + 1);
        if (!th_path_join(node->dir, up->dir, node->code))
            status = th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
        up->n++;
    }
    if (!status && !up->n)
        status = th_fail(error, TH_INVALID, "region-file", "region.json 没有成员", "region.json has no members");
    return status;
}

/* A region that was made keeps the ports that its signed trust document names. */
static void configured_ports(th_up *up)
{
    for (size_t i = 0; i < up->n; i++) {
        th_config c;
        if (th_up_is_made(up) && th_config_read(up->nodes[i].dir, &c, NULL) == TH_OK) {
            up->nodes[i].portal_port = c.portal_port;
            up->nodes[i].peer_port = c.peer_port;
        }
        snprintf(up->nodes[i].portal, sizeof up->nodes[i].portal, "http://127.0.0.1:%u", up->nodes[i].portal_port);
    }
}

/* ---- processes ---- */

static char *word(const char *text)
{
    return (char *)(uintptr_t)text;
}

static th_status node_spawn(th_up_node *node, th_error *error)
{
    char log[TH_PATH_TEXT], parent[16];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    char *argv[] = {word("tonghui"), word("serve"), word("--node"), node->dir, word("--with-parent"), parent, NULL};
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    if (!th_path_join(log, node->dir, "log.jsonl"))
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0); /* Ctrl-C at the terminal is this process's to hand on */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid;
    int failed = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed)
        return th_failf(error, TH_IO, "spawn", "无法启动节点 %s：%s", "The node %s cannot be started: %s", node->code, strerrordesc_np(failed));
    node->pid = pid;
    node->started_us = now_us();
    return TH_OK;
}

/* Does `path` of the node's portal answer 200, with `text` in it? */
static bool node_says(const th_up_node *node, const char *path, const char *text)
{
    th_arena arena;
    th_client_options options = {0};
    th_arena_open(&arena, 4 << 20);
    th_str url = th_strf(&arena, "%s%s", node->portal, path);
    th_call call = {.method = "GET", .url = url.p, .connect_timeout_ms = 500, .timeout_ms = 1000};
    bool says = th_client_once(&options, &call, &arena) == TH_OK && call.http_status == 200 &&
                (!text[0] || memmem(call.response.p, call.response.n, text, strlen(text)));
    th_arena_close(&arena);
    return says;
}

/* Until its grants are known nobody can be asked: a moment more, so that the region's first visitor is not refused. */
static void grants_wait(const th_up *up)
{
    int64_t end = now_us() + GRANTS_WAIT_S * TH_SECOND_US;
    char path[128];
    for (size_t owner = 0; owner < up->n; owner++) {
        snprintf(path, sizeof path, "/exchange/v1/grants?provider=%s", up->nodes[owner].code);
        bool any = node_says(&up->nodes[owner], path, "\"items\":[{");
        for (size_t i = 0; any && i < up->n; i++)
            while (now_us() < end && !node_says(&up->nodes[i], path, "\"items\":[{"))
                usleep(20 * 1000);
    }
}

static bool stop_wanted(void)
{
    sigset_t wanted;
    struct timespec none = {0, 0};
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    return sigtimedwait(&wanted, NULL, &none) > 0;
}

/* `*ret_stopped`: someone wanted the region to stop before it was up. */
static th_status ready_wait(th_up *up, bool *ret_stopped, th_error *error)
{
    int64_t end = now_us() + READY_WAIT_S * TH_SECOND_US;
    for (size_t i = 0; i < up->n; i++)
        while (!node_says(&up->nodes[i], "/readyz", "")) {
            int how;
            bool dead = waitpid(up->nodes[i].pid, &how, WNOHANG) > 0;
            if (dead)
                up->nodes[i].pid = 0;
            if (dead)
                return th_failf(error, TH_UNAVAILABLE, "node-ended", "节点 %s 启动后即退出，原因见 %.160s/log.jsonl 的最后几行",
                                "Node %s ended at once; see the last lines of %.160s/log.jsonl", up->nodes[i].code, up->nodes[i].dir);
            if (now_us() > end)
                return th_failf(error, TH_TIMEOUT, "node-not-ready", "节点 %s 在 %d 秒内未能就绪，见 %.160s/log.jsonl",
                                "Node %s was not ready within %d s; see %.160s/log.jsonl", up->nodes[i].code, READY_WAIT_S, up->nodes[i].dir);
            if ((*ret_stopped = stop_wanted()))
                return TH_OK;
            usleep(10 * 1000);
        }
    return TH_OK;
}

/* SIGTERM to all; a second Ctrl-C, or half a minute, ends those that still drain. */
static void all_stop(th_up *up)
{
    int64_t end = now_us() + STOP_WAIT_S * TH_SECOND_US;
    bool hard = false;
    for (size_t i = 0; i < up->n; i++)
        if (up->nodes[i].pid > 0)
            kill(up->nodes[i].pid, SIGTERM);
    for (size_t i = 0; i < up->n; i++) {
        int how;
        while (up->nodes[i].pid > 0 && waitpid(up->nodes[i].pid, &how, WNOHANG) == 0) {
            if (!hard && (stop_wanted() || now_us() > end)) {
                hard = true;
                for (size_t k = i; k < up->n; k++)
                    if (up->nodes[k].pid > 0)
                        kill(up->nodes[k].pid, SIGKILL);
            }
            usleep(10 * 1000);
        }
        up->nodes[i].pid = 0;
    }
}

static void children_reap(th_up *up)
{
    int how;
    pid_t pid;
    int64_t now = now_us();
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
        for (size_t i = 0; i < up->n; i++) {
            th_up_node *node = &up->nodes[i];
            if (node->pid != pid)
                continue;
            node->pid = 0;
            node->pause_s = now - node->started_us > STEADY_S * TH_SECOND_US || !node->pause_s ? 1 : node->pause_s * 2 < PAUSE_MAX_S ? node->pause_s * 2 : PAUSE_MAX_S;
            node->restart_at_us = now + node->pause_s * TH_SECOND_US;
            th_say(up->args, TH_BOTH("节点 %s 意外停止，%d 秒后重启 · Node %s stopped unexpectedly; it starts again in %d s (%s/log.jsonl)"), node->code, node->pause_s,
                   node->code, node->pause_s, node->dir);
        }
}

static void missing_restart(th_up *up)
{
    int64_t now = now_us();
    for (size_t i = 0; i < up->n; i++)
        if (!up->nodes[i].pid && now >= up->nodes[i].restart_at_us && node_spawn(&up->nodes[i], NULL)) {
            up->nodes[i].restart_at_us = now + PAUSE_MAX_S * TH_SECOND_US;
            th_say(up->args, TH_BOTH("节点 %s 无法重启 · Node %s cannot be started again"), up->nodes[i].code, up->nodes[i].code);
        }
}

static void watch(th_up *up)
{
    struct timespec second = {1, 0};
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGCHLD);
    for (;;) {
        int signal_number = sigtimedwait(&wanted, NULL, &second);
        if (signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP)
            return;
        children_reap(up); /* one SIGCHLD may stand for several */
        missing_restart(up);
    }
}

/* ---- the verb ---- */

static int options_read(th_up *up, const th_args *args)
{
    const char *dir = th_option(args, "dir"), *region = th_option(args, "region"), *console = th_option(args, "console");
    up->args = args;
    up->lock_fd = -1;
    up->store = th_option(args, "store");
    up->front = th_option(args, "front");
    up->people = 4000;
    up->seed = 20260101;
    up->port_base = 8100;
    up->life = 30;
    if (!th_option_int(args, "people", 40, 400000000, &up->people) || !th_option_int(args, "seed", 0, INT64_MAX, &up->seed) ||
        !th_option_int(args, "port-base", 1024, 65000, &up->port_base) || !th_option_int(args, "life", 0, 60000, &up->life))
        return 2;
    if (up->store && !strstr(up->store, "{code}"))
        return th_cmd_usage(args, "--store 须含 {code}：每个节点一个库", "--store must hold {code}: one store a node");
    snprintf(up->dir, sizeof up->dir, "%s", dir ? dir : "var");
    snprintf(up->region, sizeof up->region, "%s", region);
    snprintf(up->console, sizeof up->console, "%s", console ? console : "");
    if (!th_path_whole(up->region))
        return th_cmd_usage(args, "目录不存在：%s", "There is no such directory: %s", region);
    if (console && !th_path_whole(up->console))
        return th_cmd_usage(args, "目录不存在：%s", "There is no such directory: %s", console);
    return 0;
}

static th_status place_ready(th_up *up, th_error *error)
{
    th_status status = th_dir_make(up->dir, error);
    if (!status && !th_path_whole(up->dir))
        status = th_failf(error, TH_IO, "file", "目录 %s 无法使用", "The directory %s cannot be used", up->dir);
    if (!status)
        status = th_up_lock(up, error);
    if (status || !th_flag(up->args, "fresh"))
        return status;
    status = th_dir_remove(up->dir, error);
    if (!status)
        status = th_dir_make(up->dir, error);
    close(up->lock_fd);
    return status ? status : th_up_lock(up, error);
}

static th_status region_run(th_up *up, int64_t began_us, th_error *error)
{
    bool stopped = false;
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < up->n; i++)
        status = node_spawn(&up->nodes[i], error);
    if (!status)
        status = ready_wait(up, &stopped, error);
    if (!status && !stopped) {
        grants_wait(up);
        th_up_greet(up, now_us() - began_us);
        watch(up);
    }
    if (!status)
        th_say(up->args, TH_BOTH("\n正在停止 · Stopping…"));
    all_stop(up);
    return status;
}

int th_cmd_up(const th_args *args)
{
    static th_up up;
    th_error error = {0};
    sigset_t wanted;
    int64_t began = now_us();
    int bad = options_read(&up, args);
    if (bad)
        return bad;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    th_arena_open(&up.arena, 1024u << 20);
    th_status status = place_ready(&up, &error);
    if (!status)
        status = region_read(&up, &error);
    if (!status && th_up_is_made(&up))
        status = th_up_same(&up, &error);
    configured_ports(&up);
    if (!status && !th_flag(args, "make-only"))
        status = th_up_ports(&up, &error);
    if (!status && !th_up_is_made(&up)) /* Ctrl-C ends this at once: what is half made is made anew the next time */
        status = th_up_make(&up, &error);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    if (!status && !th_flag(args, "make-only"))
        status = region_run(&up, began, &error);
    th_arena_close(&up.arena);
    if (up.lock_fd >= 0)
        close(up.lock_fd);
    return status                        ? th_cmd_failed(args, status, &error)
           : th_flag(args, "make-only") ? th_cmd_done(args, (th_str){NULL, 0}, "区域已建立：%s", "The region is made: %s", up.dir)
                                         : 0;
}
