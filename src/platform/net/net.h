/* net.h — HTTP/1.1 with and without TLS, for a house whose modules only fill in route tables.
 *
 * Promises  A handler runs once per request, on an I/O thread, with the whole body read and bounded. It either answers before it
 *           returns (TH_DONE) or says TH_LATER and some thread answers with th_request_finish exactly once. Hostile framing (no
 *           or two Hosts, two lengths, length with chunking, space before a colon, NUL) is refused before any handler. Writes
 *           from a browser session carry the CSRF token. Roles are checked before the handler, and before a large body is read.
 * Limits    See th_server_options; every one has a default. Head ≤ 16 KiB, header field count ≤ 64.
 * Ownership A th_request, its arena and all it points to die when its answer is sent or its client has gone.
 * Source    RFC 9112, RFC 9110, RFC 9457, WHATWG server-sent events; OpenAPI 3.1.
 */
#ifndef TH_PLATFORM_NET_H
#define TH_PLATFORM_NET_H
#include "platform/base/pool.h"
#include "platform/base/base.h"
#include "platform/base/json.h"

/* ---- who is asking ----------------------------------------------------------------------------------------------------- */

typedef enum th_role {
    TH_ROLE_CITIZEN = 1 << 0,
    TH_ROLE_CLERK = 1 << 1,
    TH_ROLE_DUTY = 1 << 2,
    TH_ROLE_ACCOUNTANT = 1 << 3,
    TH_ROLE_OPERATOR = 1 << 4,
    TH_ROLE_AUDITOR = 1 << 5,
    TH_ROLE_SYSTEM = 1 << 6, /* an outside system with an API key */
    TH_ROLE_PEER = 1 << 7,   /* another node, by its TLS key */
    TH_ROLE_HEAD = 1 << 8,   /* head of an office: extends, overrules; does a clerk's work too */
} th_role;
enum {
    TH_ROLE_ANYONE = 0, /* no sign-in needed */
    TH_ROLE_STAFF = TH_ROLE_CLERK | TH_ROLE_DUTY | TH_ROLE_ACCOUNTANT | TH_ROLE_OPERATOR | TH_ROLE_AUDITOR |
                    TH_ROLE_HEAD,
};

typedef struct th_who {
    unsigned roles;   /* 0 = nobody */
    th_str account;   /* account id (UUIDv7) or API key id */
    th_str name;      /* shown name */
    th_str office;    /* office code, absent for citizens */
    th_str subject;   /* citizens: this node's keyed pseudonym of the person, hex; else absent */
    th_str session;   /* session id hash, absent for API keys and peers */
    bool by_cookie;   /* then writes need the CSRF token */
    th_str csrf;      /* the session's token, when by_cookie */
} th_who;

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

typedef struct th_server th_server;
typedef struct th_route th_route;
typedef struct th_request th_request;

typedef enum th_handled { TH_DONE, TH_LATER } th_handled;
typedef th_handled (*th_handler)(th_request *rq);

struct th_request {
    /* given */
    const th_route *route;
    void *module;          /* what the route table was mounted with */
    th_str method, path;   /* path decoded, without query */
    th_str params[4];      /* the {…} parts of the pattern, decoded, in order */
    th_str body;
    const th_json *json;   /* parsed body when the route says TH_BODY_JSON */
    th_who who;
    char lang[3];          /* "zh" or "en": ?lang=, cookie tonghui-lang, Accept-Language, else zh */
    char id[TH_ID_TEXT];   /* request id, also sent as X-Request-Id and logged */
    char peer_pin[52];     /* "sha256/…" of the client's TLS key, "" without */
    int64_t started_us;
    th_arena arena;
    /* to be filled in by the handler */
    int status;            /* 200 unless set */
    const char *content_type; /* "application/json" unless set; static text */
    th_buf out;            /* the body */
    th_error error;
    bool told_once;        /* the answer holds a secret: it is not kept for a repeat under the same Idempotency-Key */
    void *ctx;             /* free for the handler */
    /* Set before th_request_finish: then runs on an I/O thread, after the hand-over, to fill in the answer (building texts
     * does not belong on the writer's thread). NULL = the answer is there already. Its return value is ignored. */
    th_handler then;
};

th_str th_request_header(const th_request *rq, const char *name); /* {NULL,0} when absent */
th_str th_request_query(const th_request *rq, const char *name);  /* decoded; {NULL,0} when absent */
/* A whole number from the query, or `fallback` when absent; TH_INVALID with pointer "?name" otherwise. */
TH_MUST_USE th_status th_request_query_int(th_request *rq, const char *name, int64_t min, int64_t max, int64_t fallback,
                                           int64_t *ret);
void th_reply_header(th_request *rq, const char *name, th_str value);
/* Answer with a problem from `status` and rq->error (or *error). Returns TH_DONE so that handlers can `return` it. */
th_handled th_reply_problem(th_request *rq, th_status status, const th_error *error);
/* Answer JSON that a pen has written to rq->out: sets ETag on GETs, turns an overflow into a problem. */
th_handled th_reply_json(th_request *rq, int http_status);
th_handled th_reply_bytes(th_request *rq, int http_status, const char *content_type, th_str bytes);
/* After TH_LATER: the reply_* functions fill in, this sends. From any thread; `rq` is gone afterwards. Many at once: one wake. */
void th_request_finish(th_request *rq);
/* What is too slow for an I/O thread: `job` fills in the answer on the pool, and a failure of it becomes a problem. When the pool is full the
 * caller is told so at once. Without a pool it runs where it is. */
typedef th_status (*th_request_job)(th_request *rq);
th_handled th_request_on_pool(th_request *rq, th_pool *pool, th_request_job job);
void th_request_finish_all(th_request **rqs, size_t n);

/* ---- routes ------------------------------------------------------------------------------------------------------------- */

typedef enum th_body { TH_BODY_NONE, TH_BODY_JSON, TH_BODY_BYTES } th_body;

/* One row yields dispatch, the role check and a path of /openapi.json. `request` and `response` are JSON Schema texts (static JSON;
 * "$ref":"#/components/schemas/X" may name entries of a module's `schemas`). */
struct th_route {
    const char *method;
    const char *pattern;   /* "/cases/v1/cases/{id}:accept"; {name} matches one segment, or up to ':' when one follows */
    unsigned roles;        /* any of these; TH_ROLE_ANYONE = open */
    th_body body;
    size_t body_max;       /* 0 = 64 KiB */
    th_handler handler;
    const char *operation; /* operationId, camelCase, unique */
    const char *summary;   /* one English line */
    const char *request;   /* schema of the JSON body, NULL = none */
    const char *response;  /* schema of the 2xx JSON body; or "text/csv": the media type of another; NULL = none to speak of */
    const char *query;     /* "name:string:description;name:integer:description", NULL = none */
    bool peer_listener;    /* served on the peers' listener, and only there */
};

typedef struct th_server_options {
    const char *address;         /* "127.0.0.1" */
    uint16_t port;               /* 0 = any; see th_server_port */
    bool peers;                  /* the peers' listener: serves only peer routes, asks for client certificates */
    const char *cert_file, *key_file; /* NULL = plain HTTP (loopback or behind a proxy) */
    int threads;                 /* 0 = 2 */
    unsigned connections_max;    /* 0 = 4096 */
    size_t bodies_max;           /* bytes of all bodies in flight that are over 16 KiB or chunked; more is answered 429. 0 = 256 MiB */
    int head_timeout_s;          /* 0 = 10: whole head must be there */
    int body_timeout_s;          /* 0 = 30: whole request must be there */
    int idle_timeout_s;          /* 0 = 60 */
    const char *static_root;     /* NULL = none; index.html answers unknown GETs that accept text/html */
    const th_env *env;
    /* Fill rq->who from cookie, API key or rq->peer_pin. May be NULL (nobody). A failure is answered as a problem. Asked once a request:
     * before a body over 16 KiB or of a length not said is read, after a smaller one was. */
    th_status (*authenticate)(void *ctx, th_request *rq);
    void *authenticate_ctx;
    /* Writes of somebody known that carry Idempotency-Key: `begin` claims the key (true: go on; false: it has filled in the first answer, or a
     * problem), `end` keeps the answer that is about to be sent. On an I/O thread; may block. NULL = the header says nothing. */
    bool (*once_begin)(void *ctx, th_request *rq, th_str key);
    void (*once_end)(void *ctx, th_request *rq, th_str key);
    void *once_ctx;
} th_server_options;

TH_MUST_USE th_status th_server_open(const th_server_options *options, th_server **ret_server, th_error *error);
/* Before th_server_start. `module` becomes rq->module. `schemas` is a JSON object text of component schemas or NULL. */
TH_MUST_USE th_status th_server_mount(th_server *server, const char *tag, const th_route *routes, size_t n, void *module,
                                      const char *schemas, th_error *error);
TH_MUST_USE th_status th_server_start(th_server *server, th_error *error);
uint16_t th_server_port(const th_server *server);
TH_MUST_USE th_status th_server_reload(th_server *server, th_error *error); /* SIGHUP: certificate files are read again */
void th_server_timeouts_set(th_server *server, int head_s, int body_s, int idle_s); /* 0 = the default; for connections that are open too */
void th_server_drain(th_server *server, int grace_s); /* SIGTERM: stop accepting, let requests finish, then close idle ones */
void th_server_close(th_server *server);
/* Built in on every listener: GET /healthz, /readyz (asks `ready`), /metrics, /openapi.json. */
void th_server_ready_set(th_server *server, bool (*ready)(void *ctx, th_buf *why), void *ctx);

/* ---- server-sent events -------------------------------------------------------------------------------------------------- */

/* A topic fans out to its subscribers; each keeps at most `queue_max` bytes, a slow one is cut off (it reconnects). */
typedef struct th_topic th_topic;
TH_MUST_USE th_status th_topic_open(size_t queue_max, th_topic **ret_topic);
void th_topic_publish(th_topic *topic, const char *event, th_str json); /* any thread */
/* Only to those who asked for `key` (≤ 63 bytes) and to those who asked for everything. */
void th_topic_publish_for(th_topic *topic, th_str key, const char *event, th_str json);
size_t th_topic_subscribers(th_topic *topic);
void th_topic_close(th_topic *topic);
/* Turn the request into an event stream of `topic`, first sending `hello` (may be absent). Returns what the handler returns. */
th_handled th_reply_events(th_request *rq, th_topic *topic, th_str hello);
th_handled th_reply_events_for(th_request *rq, th_topic *topic, th_str key, th_str hello);

/* ---- metrics (Prometheus text) -------------------------------------------------------------------------------------------- */

typedef struct th_metric th_metric; /* lives for ever once made; making the same again gives the same */
th_metric *th_counter(const char *name, const char *help, const char *labels /* "peer=\"130000\"" or NULL */);
th_metric *th_gauge(const char *name, const char *help, const char *labels);
/* Log-spaced buckets from 50 µs to 60 s. */
th_metric *th_histogram(const char *name, const char *help, const char *labels);
void th_metric_add(th_metric *metric, int64_t value);
void th_metric_set(th_metric *metric, int64_t value);
void th_metric_observe_us(th_metric *metric, int64_t us);
int64_t th_metric_value(const th_metric *metric);
int64_t th_metric_quantile_us(const th_metric *metric, double q); /* upper edge of the bucket */
void th_metrics_write(th_buf *buf);

/* ---- client -------------------------------------------------------------------------------------------------------------- */

/* One client per node: a thread with libcurl's multi interface, keep-alive, TLS 1.3 with the node's own certificate. */
typedef struct th_client th_client;
typedef struct th_client_options {
    const char *cert_file, *key_file; /* the node's TLS identity; NULL = none */
    size_t response_max;              /* 0 = 8 MiB */
} th_client_options;

typedef struct th_call th_call;
struct th_call {
    const char *method;
    const char *url;
    const char *pins;           /* "sha256//…;sha256//…" as curl writes them; NULL = ordinary CA trust (HTTP upstreams) */
    const char *const *headers; /* NULL-terminated "Name: value" */
    th_str body;
    int connect_timeout_ms, timeout_ms; /* 0 = 3,000 and 10,000 */
    void (*done)(th_call *call);        /* on the client's thread, exactly once */
    void *ctx;
    /* the outcome, valid during done */
    th_status status;           /* TH_OK = an HTTP answer came; TH_UNAVAILABLE no connection, TH_TIMEOUT, TH_TOO_LARGE,
                                   TH_FORBIDDEN wrong pin */
    int http_status;
    th_str response, content_type; /* content_type of th_client_once only */
    const void *response_headers;
    th_error error;
    th_call *next;              /* the client's */
};
th_str th_call_header(const th_call *call, const char *name);

TH_MUST_USE th_status th_client_open(const th_client_options *options, th_client **ret_client, th_error *error);
TH_MUST_USE th_status th_client_start(th_client *client, th_call *call); /* any thread, also from done; TH_BUSY */
/* Run `fn` on the client's thread soon (timers and hand-over for links); wakes it when it sleeps. */
void th_client_wake(th_client *client);
/* Called on the client's thread after each round of work, and again at latest after as many milliseconds as it says. */
void th_client_idle_set(th_client *client, int (*idle)(void *ctx), void *ctx);
TH_MUST_USE th_status th_client_reload(th_client *client, th_error *error); /* new certificate for new connections */
void th_client_close(th_client *client); /* unfinished calls end with TH_UNAVAILABLE */
/* For the command line and tests: one blocking call; the response lives in the arena. */
TH_MUST_USE th_status th_client_once(const th_client_options *options, th_call *call, th_arena *arena);

#endif
