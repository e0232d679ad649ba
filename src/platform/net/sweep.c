/* sweep.c — deadlines that a trickle of bytes cannot stretch: one thread looks at all connections a few times a second and shuts
 * those that have taken too long over a head, a body, or nothing at all. */
#include "net-private.h"

#include <sys/socket.h>
#include <unistd.h>

enum { SWEEP_EVERY_MS = 250, BEAT_S = 15 };

void th_conn_notify(void *cls, struct MHD_Connection *connection, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    th_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        th_conn *conn = th_new(sizeof *conn);
        *socket_context = conn;
        if (!conn || !info)
            return;
        conn->server = server;
        conn->fd = info->connect_fd;
        conn->phase = TH_CONN_HEAD;
        conn->since_us = th_now_us(&server->env);
        pthread_mutex_lock(&server->lock);
        conn->next = server->conns;
        if (conn->next)
            conn->next->previous = conn;
        server->conns = conn;
        pthread_mutex_unlock(&server->lock);
        return;
    }
    th_conn *conn = *socket_context;
    if (!conn)
        return;
    pthread_mutex_lock(&server->lock);
    if (conn->previous)
        conn->previous->next = conn->next;
    else if (server->conns == conn)
        server->conns = conn->next;
    if (conn->next)
        conn->next->previous = conn->previous;
    pthread_mutex_unlock(&server->lock);
    th_free(conn);
    *socket_context = NULL;
}

void th_conn_phase(th_rq *r, th_conn_phase_of phase)
{
    if (!r->conn)
        return;
    pthread_mutex_lock(&r->server->lock);
    r->conn->phase = phase;
    r->conn->since_us = th_now_us(&r->server->env);
    pthread_mutex_unlock(&r->server->lock);
}

static bool overdue(const th_server *server, const th_conn *conn, int64_t now)
{
    const th_server_options *o = &server->options;
    int64_t age = now - conn->since_us;
    switch (conn->phase) {
    case TH_CONN_HEAD:
        return age > o->head_timeout_s * TH_SECOND_US;
    case TH_CONN_BODY:
        return age > o->body_timeout_s * TH_SECOND_US;
    case TH_CONN_IDLE:
        return atomic_load(&server->draining) || age > o->idle_timeout_s * TH_SECOND_US;
    default:
        return false;
    }
}

static void *sweep(void *arg)
{
    th_server *server = arg;
    int64_t beat_us = th_now_us(&server->env);
    pthread_setname_np(pthread_self(), "sweeper");
    while (!atomic_load(&server->closing)) {
        int64_t now = th_now_us(&server->env);
        pthread_mutex_lock(&server->lock);
        for (th_conn *conn = server->conns; conn; conn = conn->next)
            if (overdue(server, conn, now))
                shutdown(conn->fd, SHUT_RDWR);
        int64_t beat_every_us = (server->options.idle_timeout_s < BEAT_S ? server->options.idle_timeout_s : BEAT_S) * TH_SECOND_US;
        pthread_mutex_unlock(&server->lock);
        if (now - beat_us >= beat_every_us) { /* streams stand still for hours: else nobody would hear that a reader has gone */
            th_streams_beat(server);
            beat_us = now;
        }
        usleep(SWEEP_EVERY_MS * 1000);
    }
    return NULL;
}

th_status th_sweeper_start(th_server *server)
{
    server->sweeping = pthread_create(&server->sweeper, NULL, sweep, server) == 0;
    return server->sweeping ? TH_OK : TH_NO_MEMORY;
}

void th_sweeper_stop(th_server *server)
{
    if (server->sweeping)
        pthread_join(server->sweeper, NULL);
    server->sweeping = false;
}
