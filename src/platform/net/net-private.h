/* net-private.h — what the files of the server share. */
#ifndef TH_NET_PRIVATE_H
#define TH_NET_PRIVATE_H
#include "platform/net/net.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum { TH_ROUTES_MAX = 512, TH_MOUNTS_MAX = 32, TH_REPLY_HEADERS_MAX = 12, TH_HEADERS_MAX = 64, TH_IDENTITIES_MAX = 32 };

typedef enum th_conn_phase_of { TH_CONN_IDLE, TH_CONN_HEAD, TH_CONN_BODY, TH_CONN_ANSWER } th_conn_phase_of;
typedef struct th_conn th_conn;
/* One TCP connection, kept for its deadlines and its TLS key. */
struct th_conn {
    th_server *server;
    int fd;
    th_conn_phase_of phase;
    int64_t since_us;
    char pin[52];
    bool pin_known;
    th_conn *previous, *next;
};

/* The request as the server holds it; handlers see only the first member. */
typedef struct th_rq th_rq;
struct th_rq {
    th_request rq;
    th_server *server;
    struct MHD_Connection *connection;
    th_conn *conn;
    th_buf body;
    size_t body_max, body_held; /* held: counted in server->bodies */
    bool overflowed, crowded, refused, early, once, identified;
    enum { TH_BEFORE, TH_HANDLED } stage;
    _Atomic int state; /* see request.c */
    bool open;         /* counted in server->open */
    struct { const char *name; th_str value; } headers[TH_REPLY_HEADERS_MAX];
    size_t header_count;
    struct MHD_Response *response; /* streams and static files bring their own */
    th_rq *next_free;
};

typedef struct th_mounted {
    const th_route *route;
    void *module;
    const char *tag;
    th_metric *seconds, *ok, *failed;
} th_mounted;

struct th_server {
    th_server_options options;
    char *cert_file, *key_file; /* own copies: read again at every reload */
    struct MHD_Daemon *daemon;
    uint16_t port; /* that it is bound to; 0 = not started */
    th_mounted routes[TH_ROUTES_MAX];
    size_t route_count;
    const char *schemas[TH_MOUNTS_MAX];
    size_t schema_count;
    th_env env;
    bool (*ready)(void *ctx, th_buf *why);
    void *ready_ctx;
    pthread_mutex_t lock;
    th_rq *free;
    th_conn *conns;
    atomic_size_t open; /* requests between their handler's start and their answer's hand-over */
    atomic_size_t bodies; /* bytes of the bodies being read and worked on, small ones apart */
    atomic_bool draining, closing;
    pthread_t sweeper;
    bool sweeping;
    void *identities[TH_IDENTITIES_MAX]; /* tls.c; the newest is used, older ones live as long as their connections may */
    size_t identity_count;
    char *trust_pem;
    char *openapi;
    size_t openapi_n;
};

/* route.c */
const th_mounted *th_route_find(th_server *server, th_str method, th_str path, th_str params[4], th_buf *ret_methods /* that the address takes, when not this one: "GET, HEAD" */);
/* request.c */
enum MHD_Result th_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                          const char *upload, size_t *upload_size, void **con_cls);
void th_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode code);
/* strict.c */
typedef struct th_words {
    const char *zh, *en;
} th_words;
const th_words *th_strict_fault(struct MHD_Connection *connection, bool host_needed); /* NULL = well framed */
size_t th_unescape(void *cls, struct MHD_Connection *connection, char *text); /* in place; the new length */
/* reply.c */
enum MHD_Result th_send(th_rq *r);
/* built_in.c */
bool th_built_in(th_rq *r);
/* openapi.c */
th_status th_openapi_write(th_server *server, th_buf *buf);
/* statics.c */
bool th_static_serve(th_rq *r);
/* sweep.c */
void th_conn_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                    enum MHD_ConnectionNotificationCode code);
void th_conn_phase(th_rq *r, th_conn_phase_of phase);
TH_MUST_USE th_status th_sweeper_start(th_server *server);
void th_sweeper_stop(th_server *server);
/* sse.c */
void th_streams_end(th_server *server);
void th_streams_beat(th_server *server); /* a sign of life to each: one whose client has gone is noticed */
/* tls.c */
TH_MUST_USE th_status th_identity_load(th_server *server, th_error *error);
void th_identities_free(th_server *server);
/* Daemon and port at once for handshakes: the first may come before `start` returns. */
void th_identities_serve(th_server *server, struct MHD_Daemon *(*start)(th_server *server));
int th_identity_give(gnutls_session_t session, const gnutls_datum_t *ca, int n_ca, const gnutls_pk_algorithm_t *algos, int n_algos,
                     gnutls_pcert_st **pcert, unsigned *pcert_n, gnutls_privkey_t *pkey);
void th_peer_pin_read(th_rq *r);
#endif
