/* cmd_serve.c — a node until it is told to stop. */
#include "node/cmd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int th_cmd_serve(const th_args *args)
{
    th_node *node;
    th_error error = {0};
    sigset_t wanted;
    const char *dir = th_cmd_node(args);
    if (!dir)
        return 2;
    if (th_flag(args, "with-parent")) /* started by `up`: ends with it, however it ends */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL); /* before any thread: all of them leave these to sigwait */
    signal(SIGPIPE, SIG_IGN);
    th_status status = th_node_open(dir, &node, &error);
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
