/* node.h — the roof: one administration's installation assembled from its parts.
 *
 * A node lives in a directory: node.json (what it is and where it listens), keys/ (its secrets, mode 0600), its store. Opening makes
 * every module in the order of the table in modules.c; closing undoes it backwards. Adding a module is one line there.
 */
#ifndef TH_NODE_NODE_H
#define TH_NODE_NODE_H
#include "kernel/cases/cases.h"
#include "kernel/certificates/certificates.h"
#include "kernel/exchange/exchange.h"
#include "kernel/records/records.h"
#include "platform/people/people.h"

enum { TH_PATH_TEXT = 1024 };

typedef struct th_config {
    char dir[TH_PATH_TEXT];
    char code[TH_CODE_TEXT];
    char store[TH_PATH_TEXT];      /* URL */
    char region_dir[TH_PATH_TEXT]; /* region/jingjinji */
    char console[TH_PATH_TEXT];    /* web/dist; "" = none */
    char portal_address[64], portal_url[256];
    uint16_t portal_port;
    char portal_cert[TH_PATH_TEXT], portal_key[TH_PATH_TEXT]; /* "" = plain HTTP on loopback or behind a proxy */
    char peer_address[64], peer_url[256];
    uint16_t peer_port;
    th_suite suite;
    bool demonstration;
    int life_per_minute; /* simulated questions a minute; demonstrations only */
    uint64_t seed;       /* of the simulated data */
    size_t batch_lines; /* 0 = the protocol's limit */
    int64_t gossip_s;   /* how often heads are told at most; 0 = the exchange's own */
    int64_t body_days;  /* how long bodies of messages are kept; 0 = the exchange's own */
    int threads;        /* I/O threads of the portal; 0 = 2 */
    int head_timeout_s, body_timeout_s, idle_timeout_s; /* of both listeners; 0 = the server's own */
} th_config;

TH_MUST_USE th_status th_config_read(const char *dir, th_config *ret_config, th_error *error);
TH_MUST_USE th_status th_config_write(const th_config *config, th_error *error);

typedef struct th_keys {
    th_key *message, *journal, *certificate, *governor;
    th_key *certificate_p256; /* NULL: made before there was one */
    char x509[TH_X509_MAX];   /* of the same, DER */
    size_t x509_n;            /* 0 = none */
    uint8_t secret[32];
} th_keys;
TH_MUST_USE th_status th_keys_make(const char *dir, th_suite suite, th_error *error); /* refuses to overwrite */
TH_MUST_USE th_status th_keys_read(const char *dir, th_keys *ret_keys, th_error *error);
void th_keys_close(th_keys *keys);
/* Rotation. The next key of a use ("message" "journal" "certificate" "governor", also "tls" for make and take) lies beside the one
 * in use until the region's document knows it: NULL when there is none. */
TH_MUST_USE th_status th_key_next(const char *dir, const char *use, th_key **ret_key, th_error *error);
TH_MUST_USE th_status th_key_next_make(const char *dir, const char *use, th_suite suite, th_error *error); /* TH_CONFLICT */
TH_MUST_USE th_status th_key_next_take(const char *dir, const char *use, const char *aside, th_error *error);

typedef struct th_link th_link;
typedef struct th_node th_node;

typedef struct th_module {
    const char *name;
    const char *(*schema)(void);                       /* NULL = no tables */
    th_status (*open)(th_node *node, void **ret_module, th_error *error);
    const th_route *(*routes)(size_t *ret_n);          /* NULL = none */
    const char *(*schemas)(void);                      /* NULL = none */
    void (*close)(void *module);
} th_module;
const th_module *th_modules(size_t *ret_n);

enum { TH_MODULES_MAX = 16 };

struct th_node {
    th_config config;
    th_keys keys;
    th_env env;
    th_store *store;
    th_writer *writer;
    th_pool *pool;
    th_pool *passwords; /* nothing else keeps whoever signs in waiting, and they keep nobody else */
    th_pool *outside; /* for batches of peers that wait for registers in other systems */
    th_exchange *exchange;
    th_people *people;
    th_records *records;
    th_certificates *certificates;
    th_cases *cases;
    void *credit, *government, *operations;
    void *modules[TH_MODULES_MAX];
    size_t module_count;
    th_server *portal, *peers;
    th_client *client;
    th_link *link;
    int lock_fd;
};

/* Everything but sockets: for the command line, set-up and tests. Takes the node's lock: TH_CONFLICT when it runs elsewhere. */
TH_MUST_USE th_status th_node_open(const char *dir, th_node **ret_node, th_error *error);
/* The same beside a running node, for changes that append nothing to the journal; th_node_nudge then tells it to look again. */
TH_MUST_USE th_status th_node_open_beside(const char *dir, th_node **ret_node, th_error *error);
void th_node_nudge(const char *dir); /* SIGHUP to the process that holds the lock, if any */
/* Listeners and links. */
TH_MUST_USE th_status th_node_start(th_node *node, th_error *error);
void th_node_reload(th_node *node); /* SIGHUP */
void th_node_stop(th_node *node);   /* drain listeners, end links */
void th_node_close(th_node *node);

/* link.c: carries batches by th_client, fetches peers' grants, ticks. */
TH_MUST_USE th_status th_link_open(th_exchange *exchange, th_client *client, th_link **ret_link);
void th_link_wake(void *link_slot, const char *peer); /* th_exchange_options.wake; ctx = th_link ** */
void th_link_stop(th_link *link); /* before the client closes: wakes it no more */
void th_link_close(th_link *link);

/* upstream.c: th_records_options.http_get. */
th_status th_upstream_get(void *ctx, const char *url, const char *authorization, int timeout_ms, th_arena *arena, th_str *ret_body,
                          th_error *error);

/* th_certificates_options.call. */
th_status th_portal_call(void *ctx, th_certificate_call *call, th_arena *arena, th_error *error);

/* Files. */
TH_MUST_USE th_status th_file_read(const char *path, size_t max, th_arena *arena, th_str *ret_bytes, th_error *error);
TH_MUST_USE th_status th_file_write(const char *path, th_str bytes, int mode, th_error *error); /* whole or not at all */
bool th_file_exists(const char *path);
bool th_path_whole(char path[TH_PATH_TEXT]); /* in place: absolute, without links; false when there is no such thing */
bool th_path_join(char ret_path[TH_PATH_TEXT], const char *dir, const char *name);
/* Names in `dir` that end in `tail`, ascending; none when there is no such folder. */
TH_MUST_USE th_status th_dir_list(const char *dir, const char *tail, th_arena *arena, char ***ret_names, size_t *ret_n, th_error *error);
TH_MUST_USE th_status th_dir_make(const char *path, th_error *error);
TH_MUST_USE th_status th_dir_remove(const char *path, th_error *error); /* with all that is in it */

#endif
