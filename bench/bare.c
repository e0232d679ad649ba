/* bare.c — the limit to compare with: the same HTTP library, opened as the nodes open it, with a handler that reads the request's
 * body, looks at nothing, and answers the bytes of a file.
 *
 * bare FILE [THREADS]: prints the port it listens on; ends when its standard input does. */
#include "platform/base/base.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 1 << 20 };

static char body[ANSWER_MAX];
static size_t body_n;

static enum MHD_Result access_handler(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                      const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
    static int seen;
    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (!*con_cls) {
        *con_cls = &seen;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(body_n, body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

int main(int argc, char **argv)
{
    int64_t threads = 2;
    FILE *file = argc > 1 ? fopen(argv[1], "re") : NULL;
    if (!file || (argc > 2 && !th_parse_i64(th_str_of(argv[2]), 1, 64, &threads))) {
        fprintf(stderr, "bare FILE [THREADS]\n");
        return 2;
    }
    body_n = fread(body, 1, sizeof body, file);
    fclose(file);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TCP_FASTOPEN, 0, NULL, NULL, access_handler,
                         NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)16 * 1024, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)threads, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info) {
        fprintf(stderr, "bare: cannot listen\n");
        return 1;
    }
    printf("%u\n", info->port);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    MHD_stop_daemon(daemon);
    return 0;
}
