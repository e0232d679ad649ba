/* cmd_doctor.c — the likeliest misconfigurations at home, found and told with their remedy. */
#include "doctor-private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPACE_LEAST (UINT64_C(1) << 30)

void th_exam_say(th_exam *x, const char *check, bool ok, th_str zh, th_str en)
{
    x->checks++;
    x->faults += !ok;
    if (!x->args->json) {
        if (ok)
            printf("✓ %s\n", check);
        else
            printf("✗ %-20s %.*s\n", check, TH_FMT(x->args->english ? en : zh));
        fflush(stdout);
        return;
    }
    th_pen_object(&x->pen);
    th_pen_ktext(&x->pen, "check", check);
    th_pen_kbool(&x->pen, "ok", ok);
    if (!ok) {
        th_pen_key(&x->pen, "remedy");
        th_pen_object(&x->pen);
        th_pen_kstr(&x->pen, "zh", zh);
        th_pen_kstr(&x->pen, "en", en);
        th_pen_end(&x->pen, '}');
    }
    th_pen_end(&x->pen, '}');
}

static void say(th_exam *x, const char *check, bool ok, const char *zh, const char *en)
{
    th_exam_say(x, check, ok, th_str_of(zh), th_str_of(en));
}

static bool config_check(th_exam *x)
{
    th_error e = {0};
    bool ok = th_config_read(x->dir, &x->config, &e) == TH_OK;
    const char *where = e.field_count ? e.fields[0].pointer : "";
    th_exam_say(x, "configuration", ok, th_strf(&x->arena, "node.json 有误：%s %s；参照 docs/operate.zh.md 的配置说明改正", where, e.zh),
                th_strf(&x->arena, "node.json is wrong: %s %s; correct it by the reference in docs/operate.md", where, e.en));
    return ok;
}

static void directory_check(th_exam *x)
{
    say(x, "directory", access(x->dir, R_OK | W_OK | X_OK) == 0, "当前用户不能写节点目录：chown -R 节点用户 目录，并以该用户运行",
        "This user may not write the node's directory: chown -R it to the node's user and run as that user");
}

static void keys_check(th_exam *x)
{
    static const char *const names[] = {"keys/message.json", "keys/journal.json", "keys/certificate.json", "keys/governor.json", "keys/secret", "keys/tls.key.pem"};
    char path[TH_PATH_TEXT], open_one[64] = "";
    th_keys keys;
    bool readable = th_keys_read(x->dir, &keys, NULL) == TH_OK;
    if (readable)
        th_keys_close(&keys);
    say(x, "keys", readable, "密钥缺失或损坏：从离线副本恢复 keys/，不要重新生成（旧日志将无法延续，已封存的数据将无法解开）",
        "Keys are missing or broken: restore keys/ from its offline copy; do not make new ones (the old log could not go on, nor sealed data be opened)");
    for (size_t i = 0; i < TH_COUNT(names); i++) {
        struct stat st;
        if (th_path_join(path, x->dir, names[i]) && stat(path, &st) == 0 && (st.st_mode & 077))
            snprintf(open_one, sizeof open_one, "%s", names[i]);
    }
    th_exam_say(x, "key-permissions", !open_one[0], th_strf(&x->arena, "%s 可被其他用户读取：chmod 600 %s", open_one, open_one),
                th_strf(&x->arena, "Others can read %s: chmod 600 %s", open_one, open_one));
}

static void folders_check(th_exam *x)
{
    char path[TH_PATH_TEXT];
    bool ok = th_path_join(path, x->config.region_dir, "registers") && th_file_exists(path);
    th_exam_say(x, "region-folder", ok, th_strf(&x->arena, "区域数据目录 %s 不存在或没有 registers/：检查 node.json 的 region", x->config.region_dir),
                th_strf(&x->arena, "The region's folder %s is not there or lacks registers/: see `region` in node.json", x->config.region_dir));
    bool console = !x->config.console[0] || (th_path_join(path, x->config.console, "index.html") && th_file_exists(path));
    say(x, "console", console, "控制台未构建：运行 tools/build-console，或清空 node.json 的 console",
        "The console is not built: run tools/build-console, or empty `console` in node.json");
}

static void disk_check(th_exam *x)
{
    struct statvfs st;
    bool ok = statvfs(x->dir, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize > SPACE_LEAST;
    say(x, "disk", ok, "可用空间不足 1 GiB：扩容或清理；写满后节点拒绝写入，但继续提供读取",
        "Less than 1 GiB is free: add space; when it is full the node refuses writes and goes on reading");
}

static void store_check(th_exam *x)
{
    th_error e = {0};
    bool sqlite = strncmp(x->config.store, "sqlite:", 7) == 0;
    bool ok = !sqlite || th_file_exists(x->config.store + 7); /* opening would make an empty one */
    if (!ok)
        TH_IGNORE(th_fail(&e, TH_NOT_FOUND, "store", "库文件不存在（首次 serve 时建立）", "its file is not there (the first `serve` makes it)"));
    else
        ok = th_store_open(x->config.store, NULL, &x->store, &e) == TH_OK;
    th_exam_say(x, "store", ok, th_strf(&x->arena, "库无法打开：%s；检查 node.json 的 store、文件属主，或 PostgreSQL 是否运行并允许连接", e.zh),
                th_strf(&x->arena, "The store cannot be opened: %s; see `store` in node.json, the file's owner, or whether PostgreSQL runs and lets you in", e.en));
}

/* ---- listeners ---- */

static bool is_running(const th_exam *x)
{
    char path[TH_PATH_TEXT];
    int fd = th_path_join(path, x->dir, "lock") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool running = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
    if (fd >= 0)
        close(fd);
    return running;
}

static bool can_listen(const char *address, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = inet_pton(AF_INET, address, &at.sin_addr) == 1 ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool ok = bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0;
    close(fd);
    return ok;
}

static void listeners_check(th_exam *x)
{
    const th_config *c = &x->config;
    bool running = is_running(x), portal = running || can_listen(c->portal_address, c->portal_port), peers = running || can_listen(c->peer_address, c->peer_port);
    unsigned port = portal ? c->peer_port : c->portal_port;
    const char *address = portal ? c->peer_address : c->portal_address;
    th_exam_say(x, "ports", portal && peers, th_strf(&x->arena, "无法监听 %s:%u：被其他程序占用（ss -ltnp 'sport = :%u'）、地址不属于本机，或端口小于 1024 而无权限", address, port, port),
                th_strf(&x->arena, "Cannot listen on %s:%u: another program has it (ss -ltnp 'sport = :%u'), the address is not this machine's, or a port below 1024 needs rights",
                        address, port, port));
    bool outside = strncmp(c->portal_address, "127.", 4) != 0;
    say(x, "portal-tls", !outside || c->portal_cert[0], "门户在非本机地址上明文提供，密码会被窃听：在 portal 中配置 cert 与 key，或只监听 127.0.0.1 并置于反向代理之后",
        "The portal is served in the clear on an outside address, passwords with it: set `cert` and `key` of the portal, or listen on 127.0.0.1 behind a proxy");
    say(x, "demonstration", !outside || !c->demonstration, "演示模式（公开的演示密码、模拟业务）却对外提供：把 node.json 的 demonstration 设为 false，并停用演示账户",
        "A demonstration (known passwords, simulated life) is open to the outside: set `demonstration` to false and disable its accounts");
}

int th_cmd_doctor(const th_args *args)
{
    th_exam x = {.args = args, .dir = args->node};
    th_arena_open(&x.arena, 256u << 20);
    th_buf_open(&x.buf, &x.arena, 1 << 20);
    x.pen = th_pen_on(&x.buf);
    th_pen_object(&x.pen);
    th_pen_key(&x.pen, "checks");
    th_pen_array(&x.pen);
    if (config_check(&x)) {
        directory_check(&x);
        keys_check(&x);
        folders_check(&x);
        disk_check(&x);
        listeners_check(&x);
        store_check(&x);
        th_exam_region(&x);
    }
    th_pen_end(&x.pen, ']');
    th_pen_kint(&x.pen, "faults", x.faults);
    th_pen_end(&x.pen, '}');
    if (args->json)
        th_print(th_buf_view(&x.buf));
    else
        th_say(args, "检查 %d 项，问题 %d 项", "%d checks, %d faults", x.checks, x.faults);
    th_trust_release(x.trust);
    if (x.store)
        th_store_close(x.store);
    th_arena_close(&x.arena);
    return x.faults ? 1 : 0;
}
