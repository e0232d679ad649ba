/* node.c — opening, starting, stopping and closing one node. */
#include "node/node.h"
#include "services/operations/operations.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { POOL_THREADS = 2, POOL_QUEUE = 64, PASSWORD_THREADS = 2, PASSWORD_QUEUE = 256, OUTSIDE_THREADS = 4, OUTSIDE_QUEUE = 64 };

static th_status lock_take(th_node *node, th_error *error)
{
    char path[TH_PATH_TEXT];
    if (!th_path_join(path, node->config.dir, "lock"))
        return TH_TOO_LARGE;
    node->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (node->lock_fd < 0 || flock(node->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return th_failf(error, errno == EWOULDBLOCK ? TH_CONFLICT : TH_IO, "node-running",
                        "节点 %s 正在运行（目录已被锁定）；请先停止它，或使用它的接口",
                        "Node %s is running (its directory is locked); stop it first, or use its API", node->config.code);
    char pid[16];
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(node->lock_fd, 0) || pwrite(node->lock_fd, pid, (size_t)n, 0) != n)
        return th_fail(error, TH_IO, "lock", "无法写入锁文件", "The lock file cannot be written");
    return TH_OK;
}

void th_node_nudge(const char *dir)
{
    char path[TH_PATH_TEXT], text[16] = "";
    int64_t pid;
    if (!th_path_join(path, dir, "lock"))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0; /* otherwise the number in it is a dead process's */
    ssize_t n = read(fd, text, sizeof text - 1);
    if (held && n > 0 && th_parse_i64(th_str_trim((th_str){text, (size_t)n}), 2, INT32_MAX, &pid))
        kill((pid_t)pid, SIGHUP);
    close(fd);
}

static th_status schemas_migrate(th_node *node, th_error *error)
{
    size_t n;
    const th_module *modules = th_modules(&n);
    th_status status = th_store_migrate(node->store, "journal", th_journal_schema(), error);
    for (size_t i = 0; !status && i < n; i++)
        if (modules[i].schema)
            status = th_store_migrate(node->store, modules[i].name, modules[i].schema(), error);
    return status;
}

static th_status exchange_open(th_node *node, bool alone, th_error *error)
{
    th_exchange_options options = {.code = node->config.code,
                                   .store = node->store,
                                   .env = &node->env,
                                   .message_key = node->keys.message,
                                   .journal_key = node->keys.journal,
                                   .pool = node->outside,
                                   .batch_lines = node->config.batch_lines,
                                   .gossip_s = node->config.gossip_s,
                                   .body_days = node->config.body_days,
                                   .wake = th_link_wake,
                                   .wake_ctx = &node->link};
    memcpy(options.secret, node->keys.secret, sizeof options.secret);
    th_status status = th_exchange_open(&options, &node->exchange, error);
    if (status)
        return status;
    th_writer_hooks hooks = th_exchange_hooks(node->exchange);
    status = alone ? th_writer_open(node->store, &hooks, true, node->config.batch_lines == 1 ? 1 : 0, &node->writer, error)
                   : th_writer_open_beside(node->store, &node->writer, error);
    if (!status)
        th_exchange_writer_set(node->exchange, node->writer);
    return status;
}

static th_status modules_open(th_node *node, th_error *error)
{
    size_t n;
    th_status status = TH_OK;
    const th_module *modules = th_modules(&n);
    TH_ASSERT(n <= TH_MODULES_MAX);
    for (size_t i = 0; !status && i < n; i++) {
        status = modules[i].open(node, &node->modules[i], error);
        node->module_count = i + 1;
    }
    return status;
}

static th_status node_open(const char *dir, bool alone, th_node **ret_node, th_error *error)
{
    th_status status = th_crypto_start();
    if (status)
        return th_fail(error, status, "crypto", "密码库无法启动", "The crypto libraries cannot be started");
    th_node *node = th_new(sizeof *node);
    if (!node)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    node->lock_fd = -1;
    node->env = th_env_real();
    status = th_config_read(dir, &node->config, error);
    if (!status && alone)
        status = lock_take(node, error);
    if (!status)
        status = th_keys_read(dir, &node->keys, error);
    if (!status)
        status = th_store_open(node->config.store, NULL, &node->store, error);
    if (!status)
        status = schemas_migrate(node, error);
    if (!status)
        status = th_pool_open(POOL_THREADS, POOL_QUEUE, &node->pool);
    if (!status)
        status = th_pool_open(PASSWORD_THREADS, PASSWORD_QUEUE, &node->passwords);
    if (!status)
        status = th_pool_open(OUTSIDE_THREADS, OUTSIDE_QUEUE, &node->outside);
    if (!status)
        status = exchange_open(node, alone, error);
    if (!status)
        status = modules_open(node, error);
    if (status)
        th_node_close(node);
    else
        *ret_node = node;
    return status;
}

th_status th_node_open(const char *dir, th_node **ret_node, th_error *error)
{
    return node_open(dir, true, ret_node, error);
}

th_status th_node_open_beside(const char *dir, th_node **ret_node, th_error *error)
{
    return node_open(dir, false, ret_node, error);
}

/* ---- listeners ---- */

static bool node_ready(void *ctx, th_buf *why)
{
    th_node *node = ctx;
    th_db *db;
    th_error error = {0};
    if (th_store_acquire(node->store, &db, &error)) {
        th_buf_text(why, error.en);
        return false;
    }
    th_store_release(node->store, db);
    th_trust *trust = th_exchange_trust(node->exchange);
    if (!trust)
        th_buf_text(why, "no trust document");
    th_trust_release(trust);
    return trust != NULL;
}

static th_status routes_mount(th_node *node, th_server *server, th_error *error)
{
    size_t n;
    th_status status = TH_OK;
    const th_module *modules = th_modules(&n);
    for (size_t i = 0; !status && i < n; i++) {
        size_t count;
        if (!modules[i].routes)
            continue;
        const th_route *routes = modules[i].routes(&count);
        const char *schemas = modules[i].schemas ? modules[i].schemas() : NULL;
        status = th_server_mount(server, modules[i].name, routes, count, node->modules[i], schemas, error);
    }
    if (!status)
        th_server_ready_set(server, node_ready, node);
    return status;
}

static th_status portal_start(th_node *node, th_error *error)
{
    const th_config *c = &node->config;
    th_server_options options = {.address = c->portal_address,
                                 .port = c->portal_port,
                                 .cert_file = c->portal_cert[0] ? c->portal_cert : NULL,
                                 .key_file = c->portal_key[0] ? c->portal_key : NULL,
                                 .threads = c->threads,
                                 .head_timeout_s = c->head_timeout_s,
                                 .body_timeout_s = c->body_timeout_s,
                                 .idle_timeout_s = c->idle_timeout_s,
                                 .static_root = c->console[0] ? c->console : NULL,
                                 .env = &node->env,
                                 .authenticate = th_people_authenticate,
                                 .authenticate_ctx = node->people,
                                 .once_begin = th_people_once_begin,
                                 .once_end = th_people_once_end,
                                 .once_ctx = node->people};
    th_status status = th_server_open(&options, &node->portal, error);
    if (!status)
        status = routes_mount(node, node->portal, error);
    if (!status)
        status = th_server_start(node->portal, error);
    return status;
}

/* What is sent here is read of members only; who may see what is open to others is each route's own matter. */
static th_status peer_admit(void *ctx, th_request *rq)
{
    th_node *node = ctx;
    if (rq->route->body == TH_BODY_NONE)
        return TH_OK;
    th_trust *trust = th_exchange_trust(node->exchange);
    bool member = trust && th_trust_member_by_pin(trust, th_str_of(rq->peer_pin));
    th_trust_release(trust);
    return member ? TH_OK : th_fail(&rq->error, TH_FORBIDDEN, "unknown-member", "这把 TLS 密钥不属于任何成员", "This TLS key belongs to no member");
}

static th_status peers_start(th_node *node, const char *cert, const char *key, th_error *error)
{
    const th_config *c = &node->config;
    th_server_options options = {.address = c->peer_address,
                                 .port = c->peer_port,
                                 .peers = true,
                                 .cert_file = cert,
                                 .key_file = key,
                                 .threads = c->threads,
                                 .head_timeout_s = c->head_timeout_s,
                                 .body_timeout_s = c->body_timeout_s,
                                 .idle_timeout_s = c->idle_timeout_s,
                                 .env = &node->env,
                                 .authenticate = peer_admit,
                                 .authenticate_ctx = node};
    th_status status = th_server_open(&options, &node->peers, error);
    if (!status)
        status = routes_mount(node, node->peers, error);
    if (!status)
        status = th_server_start(node->peers, error);
    return status;
}

th_status th_node_start(th_node *node, th_error *error)
{
    char cert[TH_PATH_TEXT], key[TH_PATH_TEXT];
    if (!th_path_join(cert, node->config.dir, "keys/tls.cert.pem") || !th_path_join(key, node->config.dir, "keys/tls.key.pem"))
        return TH_TOO_LARGE;
    th_client_options client = {.cert_file = cert, .key_file = key};
    th_status status = th_client_open(&client, &node->client, error);
    if (!status)
        status = th_link_open(node->exchange, node->client, &node->link);
    if (!status)
        status = peers_start(node, cert, key, error);
    if (!status)
        status = portal_start(node, error);
    if (!status)
        status = th_operations_start(node->operations, node->client, error);
    return status;
}

void th_node_reload(th_node *node)
{
    th_error error = {0};
    th_config config;
    if (th_config_read(node->config.dir, &config, &error) == TH_OK) { /* the rest of it holds from the next start on */
        th_operations_life_set(node->operations, config.life_per_minute);
        th_server_timeouts_set(node->portal, config.head_timeout_s, config.body_timeout_s, config.idle_timeout_s);
        th_server_timeouts_set(node->peers, config.head_timeout_s, config.body_timeout_s, config.idle_timeout_s);
    }
    const th_status all[] = {th_exchange_reload(node->exchange, &error), th_records_reload(node->records, &error), th_server_reload(node->peers, &error),
                             th_client_reload(node->client, &error), node->config.portal_cert[0] ? th_server_reload(node->portal, &error) : TH_OK};
    bool failed = false; /* one that fails does not keep the others from reading anew */
    for (size_t i = 0; i < TH_COUNT(all); i++)
        failed = failed || all[i];
    th_log(failed ? TH_LOG_ERROR : TH_LOG_INFO, failed ? "reload-failed" : "reloaded", "type", error.type, NULL);
}

void th_node_stop(th_node *node)
{
    if (node->operations)
        th_operations_stop(node->operations);
    if (node->portal)
        th_server_drain(node->portal, 5);
    if (node->peers)
        th_server_drain(node->peers, 5);
    th_link_stop(node->link);
    th_client *client = node->client;
    node->client = NULL;
    if (client)
        th_client_close(client);
    th_exchange_stop(node->exchange); /* whoever still waits hears it while there is somebody to hear */
    if (node->portal)
        th_server_close(node->portal);
    if (node->peers)
        th_server_close(node->peers);
    node->portal = node->peers = NULL;
}

void th_node_close(th_node *node)
{
    size_t n;
    const th_module *modules = th_modules(&n);
    if (!node)
        return;
    if (node->outside)
        th_pool_close(node->outside); /* its batches still go to the writer */
    if (node->writer)
        th_writer_close(node->writer); /* what was accepted is committed before its owners go */
    for (size_t i = node->module_count; i-- > 0;)
        if (modules[i].close && node->modules[i])
            modules[i].close(node->modules[i]);
    if (node->pool)
        th_pool_close(node->pool);
    if (node->passwords)
        th_pool_close(node->passwords);
    th_exchange_close(node->exchange);
    th_link_close(node->link);
    if (node->store)
        th_store_close(node->store);
    th_keys_close(&node->keys);
    if (node->lock_fd >= 0)
        close(node->lock_fd);
    th_free(node);
}
