/* server.c — the daemon's life: open, start, reload, drain, close. */
#include "net-private.h"

#include <sys/resource.h>
#include <string.h>
#include <unistd.h>

/* The library clears a connection's memory before every request: little for callers, enough between nodes for batches. */
enum { CALLER_MEMORY = 16 * 1024, PEER_MEMORY = 48 * 1024, CLOSE_WAIT_MS = 20000 };

static void panic(void *cls, const char *file, unsigned line, const char *reason)
{
    (void)cls;
    (void)file;
    (void)line;
    th_log(TH_LOG_ERROR, "http-library-panic", "reason", reason ? reason : "", NULL);
    th_assert_failed("libmicrohttpd", "server.c", 0);
}

void th_server_timeouts_set(th_server *server, int head_s, int body_s, int idle_s)
{
    pthread_mutex_lock(&server->lock);
    server->options.head_timeout_s = head_s ? head_s : 10;
    server->options.body_timeout_s = body_s ? body_s : 30;
    server->options.idle_timeout_s = idle_s ? idle_s : 60;
    pthread_mutex_unlock(&server->lock);
}

/* A listener that has no descriptor left to accept with is ready for ever, and a thread of libmicrohttpd without a connection of its own then waits
 * busily. So no listener takes more connections than there are descriptors for, beside what stores, links and files need. */
static unsigned connections_fit(unsigned wanted)
{
    enum { OTHERS = 64, LEAST = 16, LISTENERS = 2 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return wanted;
    rlim_t fit = limit.rlim_cur > OTHERS + LISTENERS * LEAST ? (limit.rlim_cur - OTHERS) / LISTENERS : LEAST;
    return fit < wanted ? (unsigned)fit : wanted;
}

th_status th_server_open(const th_server_options *options, th_server **ret_server, th_error *error)
{
    th_server *server = th_new(sizeof *server);
    if (!server)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    server->options = *options;
    th_server_options *o = &server->options;
    o->threads = o->threads > 0 ? o->threads : 2;
    o->connections_max = connections_fit(o->connections_max ? o->connections_max : 4096);
    server->env = options->env ? *options->env : th_env_real();
    pthread_mutex_init(&server->lock, NULL);
    th_server_timeouts_set(server, o->head_timeout_s, o->body_timeout_s, o->idle_timeout_s);
    if (o->cert_file) {
        o->cert_file = server->cert_file = th_new_copy(th_str_of(o->cert_file));
        o->key_file = server->key_file = th_new_copy(th_str_of(o->key_file));
        th_status status = server->cert_file && server->key_file ? th_identity_load(server, error) : TH_NO_MEMORY;
        if (status) {
            th_server_close(server);
            return status;
        }
    }
    *ret_server = server;
    return TH_OK;
}

static struct MHD_Daemon *daemon_start(th_server *server)
{
    const th_server_options *o = &server->options;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(o->port)};
    struct MHD_OptionItem options[16];
    size_t n = 0;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TCP_FASTOPEN;
    if (inet_pton(AF_INET, o->address ? o->address : "127.0.0.1", &address.sin_addr) != 1)
        return NULL;
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_SOCK_ADDR, 0, &address};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, (intptr_t)o->connections_max, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->peers ? PEER_MEMORY : CALLER_MEMORY, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTENING_ADDRESS_REUSE, 1, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)th_unescape, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)th_completed, server};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)th_conn_notify, server};
    if (o->threads > 1)
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, o->threads, NULL};
    if (o->cert_file) {
        flags |= MHD_USE_TLS;
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)th_identity_give};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                               (void *)(uintptr_t)"NORMAL:-VERS-ALL:+VERS-TLS1.3"};
        if (o->peers) /* any trust list makes the handshake ask for a certificate; who it is, the pin decides */
            options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, server->trust_pem};
    }
    options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return MHD_start_daemon(flags, 0, NULL, NULL, th_access, server, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

th_status th_server_start(th_server *server, th_error *error)
{
    MHD_set_panic_func(panic, NULL);
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 16u << 20);
    th_buf_open(&buf, &arena, 8u << 20);
    th_status status = th_openapi_write(server, &buf);
    if (!status) {
        server->openapi = th_new_copy(th_buf_view(&buf));
        server->openapi_n = buf.n;
    }
    th_arena_close(&arena);
    if (!status)
        th_identities_serve(server, daemon_start);
    if (status || !server->daemon)
        return th_failf(error, TH_IO, "listen", "无法在 %s:%u 上监听（端口是否被占用？）",
                        "Cannot listen on %s:%u (is the port taken?)", server->options.address ? server->options.address : "127.0.0.1",
                        server->options.port);
    return th_sweeper_start(server);
}

uint16_t th_server_port(const th_server *server)
{
    return server->port;
}

th_status th_server_reload(th_server *server, th_error *error)
{
    return server->options.cert_file ? th_identity_load(server, error) : TH_OK;
}

void th_server_ready_set(th_server *server, bool (*ready)(void *ctx, th_buf *why), void *ctx)
{
    server->ready_ctx = ctx;
    server->ready = ready;
}

void th_server_drain(th_server *server, int grace_s)
{
    if (!server->daemon || atomic_exchange(&server->draining, true))
        return;
    MHD_socket listening = MHD_quiesce_daemon(server->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    for (int waited = 0; waited < grace_s * 1000 && atomic_load(&server->open); waited += 10)
        usleep(10000);
}

/* Late answers hold their connections suspended; libmicrohttpd must not be stopped before they are given. Whoever owes one owes it
 * within a deadline. */
void th_server_close(th_server *server)
{
    if (!server)
        return;
    th_server_drain(server, 0);
    for (int waited = 0; waited < CLOSE_WAIT_MS && atomic_load(&server->open); waited += 10)
        usleep(10000);
    atomic_store(&server->closing, true);
    th_streams_end(server);
    th_sweeper_stop(server);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    th_identities_free(server);
    while (server->free) {
        th_rq *r = server->free;
        server->free = r->next_free;
        th_arena_close(&r->rq.arena);
        th_free(r);
    }
    th_free(server->openapi);
    th_free(server->cert_file);
    th_free(server->key_file);
    pthread_mutex_destroy(&server->lock);
    th_free(server);
}
