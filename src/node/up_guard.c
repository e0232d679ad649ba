/* up_guard.c — taken ports and a region that runs already, told with what to do about them. */
#include "up-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

th_status th_up_lock(th_up *up, th_error *error)
{
    char path[TH_PATH_TEXT], pid[16] = "";
    if (!th_path_join(path, up->dir, "lock"))
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    up->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (up->lock_fd < 0)
        return th_failf(error, TH_IO, "file", "无法写入 %s：%s", "Cannot write %s: %s", path, strerrordesc_np(errno));
    if (flock(up->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread(up->lock_fd, pid, sizeof pid - 1, 0);
        /* ./run has no option for it and says so itself. */
        const char *another = getenv("TONGHUI_RUN") ? "TONGHUI_VAR=$PWD/var2 ./run --port-base 8300" : "tonghui up --dir var2 --port-base 8300";
        pid[n > 0 && pid[n - 1] == '\n' ? n - 1 : n > 0 ? n : 0] = 0;
        return th_failf(error, TH_CONFLICT, "region-running", "目录 %s 中的区域已在运行（进程 %s）；先停止它，或另建一个：%s",
                        "The region in %s runs already (process %s); stop it first, or make another: %s", up->dir, pid, another);
    }
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    TH_IGNORE(ftruncate(up->lock_fd, 0) || pwrite(up->lock_fd, pid, (size_t)n, 0) != n);
    return TH_OK;
}

static bool port_is_free(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* the node itself will say what is wrong */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool ok = bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0;
    close(fd);
    return ok;
}

th_status th_up_ports(const th_up *up, th_error *error)
{
    const char *remedy_zh = th_up_is_made(up) ? "（端口已写入本区域的信任文件）用 --fresh --port-base P 重新建立" : "用 --port-base P 换一组端口";
    const char *remedy_en = th_up_is_made(up) ? "make the region anew with --fresh --port-base P (its trust document names the ports)" : "choose others with --port-base P";
    for (size_t i = 0; i < up->n; i++) {
        const th_up_node *node = &up->nodes[i];
        for (int k = 0; k < 2; k++) {
            uint16_t port = k ? node->peer_port : node->portal_port;
            if (port_is_free(port))
                continue;
            th_arena small;
            th_arena_open(&small, 4096);
            th_str zh = th_strf(&small, "%s %s端口 %u 已被其他程序占用。看是谁：ss -ltnp 'sport = :%u'；停止它，或%s", node->zh, k ? "节点间" : "门户", port, port, remedy_zh);
            th_str en = th_strf(&small, "Port %u (%s, %s) is in use by another program. See by which: ss -ltnp 'sport = :%u'; stop it, or %s", port, node->en,
                                k ? "for peers" : "portal", port, remedy_en);
            th_status status = th_fail(error, TH_CONFLICT, "port-in-use", zh.p, en.p);
            th_arena_close(&small);
            return status;
        }
    }
    return TH_OK;
}
