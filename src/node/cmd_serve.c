/* cmd_serve.c — a node until it is told to stop. */
#include "node/cmd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Started by `up`: ends with it, however it ends. The parent may be gone before the kernel was told. */
static bool parent_watch(const th_args *args)
{
    int64_t parent = 0;
    const char *text = th_option(args, "with-parent");
    if (!text)
        return true;
    return th_parse_i64(th_str_of(text), 1, INT32_MAX, &parent) && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == (pid_t)parent;
}

/* As many descriptors as the system lets us have: connections are limited by them. */
static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        TH_IGNORE(setrlimit(RLIMIT_NOFILE, &limit));
    }
}

int th_cmd_serve(const th_args *args)
{
    th_node *node;
    th_error error = {0};
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL); /* before any thread: all of them leave these to sigwait */
    signal(SIGPIPE, SIG_IGN);
    th_memory_keep();
    if (!parent_watch(args))
        return 1;
    descriptors_raise();
    th_status status = th_node_open(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    status = th_node_start(node, &error);
    if (status) {
        th_node_stop(node);
        th_node_close(node);
        return th_cmd_failed(args, status, &error);
    }
    char portal[16];
    snprintf(portal, sizeof portal, "%u", th_server_port(node->portal));
    th_log(TH_LOG_INFO, "serving", "node", node->config.code, "portal_port", portal, NULL);
    for (int signal_number = 0; signal_number != SIGINT && signal_number != SIGTERM;) {
        if (sigwait(&wanted, &signal_number))
            break;
        if (signal_number == SIGHUP)
            th_node_reload(node);
    }
    th_log(TH_LOG_INFO, "stopping", "node", node->config.code, NULL);
    th_node_stop(node);
    th_node_close(node);
    return 0;
}
