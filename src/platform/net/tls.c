/* tls.c — the server's certificate, read again on demand, and the pin of the client's key. TLS by GnuTLS inside libmicrohttpd. */
#include "client-private.h"
#include "net-private.h"

#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <unistd.h>

enum { PEM_MAX = 64 * 1024, CHAIN_MAX = 8 };

typedef struct identity {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_n;
    gnutls_privkey_t key;
    unsigned char digest[32]; /* of both files */
    int64_t over_us;          /* since then a newer one is given */
} identity;

static th_server *serving[64]; /* GnuTLS's callback gets only the session: it finds its server by the daemon's address */
static pthread_mutex_t serving_lock = PTHREAD_MUTEX_INITIALIZER;

static bool pem_read(const char *path, char *bytes, size_t *ret_n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, bytes, PEM_MAX - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    bytes[n] = 0;
    *ret_n = (size_t)n;
    return true;
}

static bool identity_read(identity *id, const char *cert, size_t cert_n, const char *key, size_t key_n)
{
    gnutls_x509_crt_t certs[CHAIN_MAX];
    unsigned n = CHAIN_MAX;
    gnutls_x509_privkey_t raw;
    const gnutls_datum_t cert_datum = {(unsigned char *)(uintptr_t)cert, (unsigned)cert_n};
    const gnutls_datum_t key_datum = {(unsigned char *)(uintptr_t)key, (unsigned)key_n};
    if (gnutls_x509_crt_list_import(certs, &n, &cert_datum, GNUTLS_X509_FMT_PEM, 0) < 0)
        return false;
    unsigned char of_cert[32], of_key[32];
    size_t of_cert_n = sizeof of_cert, of_key_n = sizeof of_key;
    bool ok = gnutls_x509_crt_get_key_id(certs[0], GNUTLS_KEYID_USE_SHA256, of_cert, &of_cert_n) == 0;
    for (unsigned i = 0; i < n; i++) {
        ok = ok && gnutls_pcert_import_x509(&id->chain[i], certs[i], 0) == 0;
        gnutls_x509_crt_deinit(certs[i]);
    }
    id->chain_n = n;
    if (gnutls_x509_privkey_init(&raw) < 0)
        return false;
    /* Read between the writing of the two files they do not belong together: the old pair stays until the next reload. */
    ok = ok && gnutls_x509_privkey_import(raw, &key_datum, GNUTLS_X509_FMT_PEM) == 0 &&
         gnutls_x509_privkey_get_key_id(raw, GNUTLS_KEYID_USE_SHA256, of_key, &of_key_n) == 0 && of_cert_n == of_key_n &&
         memcmp(of_cert, of_key, of_key_n) == 0 && gnutls_privkey_init(&id->key) == 0 &&
         gnutls_privkey_import_x509(id->key, raw, GNUTLS_PRIVKEY_IMPORT_COPY) == 0;
    gnutls_x509_privkey_deinit(raw);
    return ok;
}

static void identity_free(identity *id)
{
    for (unsigned k = 0; k < id->chain_n; k++)
        gnutls_pcert_deinit(&id->chain[k]);
    gnutls_privkey_deinit(id->key);
    th_free(id);
}

bool th_identity_fits(const char *cert, size_t cert_n, const char *key, size_t key_n)
{
    identity *id = th_new(sizeof *id);
    bool fits = id && identity_read(id, cert, cert_n, key, key_n);
    if (id)
        identity_free(id);
    return fits;
}

/* Under lock. A handshake holds the identity that it was given, and no handshake lasts longer than a head may take. */
static void identities_forget(th_server *server, int64_t now)
{
    while (server->identity_count > 1) {
        identity *oldest = server->identities[0];
        if (now - oldest->over_us < (server->options.head_timeout_s + 5) * TH_SECOND_US)
            return;
        server->identity_count--;
        memmove(server->identities, server->identities + 1, server->identity_count * sizeof server->identities[0]);
        identity_free(oldest);
    }
}

/* Reloads are cheap signals, sent for other reasons too: files that did not change are not taken again. */
static bool identity_known(th_server *server, const char *cert, size_t cert_n, const char *key, size_t key_n, unsigned char digest[32])
{
    gnutls_hash_hd_t hash;
    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
        return false;
    bool ok = gnutls_hash(hash, cert, cert_n) == 0 && gnutls_hash(hash, key, key_n) == 0;
    gnutls_hash_deinit(hash, digest);
    pthread_mutex_lock(&serving_lock);
    const identity *newest = server->identity_count ? server->identities[server->identity_count - 1] : NULL;
    bool known = ok && newest && memcmp(newest->digest, digest, 32) == 0;
    pthread_mutex_unlock(&serving_lock);
    return known;
}

th_status th_identity_load(th_server *server, th_error *error)
{
    th_arena arena;
    size_t cert_n, key_n;
    unsigned char digest[32];
    int64_t now = th_now_us(&server->env);
    th_arena_open(&arena, 4 * PEM_MAX);
    char *cert = th_alloc(&arena, PEM_MAX), *key = th_alloc(&arena, PEM_MAX);
    bool ok = cert && key && pem_read(server->options.cert_file, cert, &cert_n) && pem_read(server->options.key_file, key, &key_n);
    if (ok && identity_known(server, cert, cert_n, key, key_n, digest)) {
        th_arena_close(&arena);
        return TH_OK;
    }
    identity *id = ok ? th_new(sizeof *id) : NULL;
    ok = id && identity_read(id, cert, cert_n, key, key_n);
    if (ok) {
        memcpy(id->digest, digest, sizeof digest);
        pthread_mutex_lock(&serving_lock);
        if (server->identity_count)
            ((identity *)server->identities[server->identity_count - 1])->over_us = now;
        identities_forget(server, now);
        if (server->identity_count == TH_IDENTITIES_MAX) { /* thirty certificates within a moment: nobody means that */
            pthread_mutex_unlock(&serving_lock);
            identity_free(id);
            th_arena_close(&arena);
            return th_fail(error, TH_BUSY, "tls-reloads", "证书更换过于频繁，请稍后再试", "Certificates change too often; try again shortly");
        }
        server->identities[server->identity_count++] = id;
        bool listed = false;
        for (size_t i = 0; i < TH_COUNT(serving); i++)
            listed = listed || serving[i] == server;
        for (size_t i = 0; !listed && i < TH_COUNT(serving); i++)
            if (!serving[i]) {
                serving[i] = server;
                listed = true;
            }
        pthread_mutex_unlock(&serving_lock);
        if (!server->trust_pem)
            server->trust_pem = th_new_copy((th_str){cert, cert_n});
    } else if (id) {
        identity_free(id);
    }
    th_arena_close(&arena);
    return ok ? TH_OK
              : th_failf(error, TH_INVALID, "tls-files", "证书 %s 或其私钥无法读取", "The certificate %s or its key cannot be read",
                         server->options.cert_file);
}

void th_identities_free(th_server *server)
{
    pthread_mutex_lock(&serving_lock);
    for (size_t i = 0; i < TH_COUNT(serving); i++)
        if (serving[i] == server)
            serving[i] = NULL;
    pthread_mutex_unlock(&serving_lock);
    for (size_t i = 0; i < server->identity_count; i++)
        identity_free(server->identities[i]);
    server->identity_count = 0;
    th_free(server->trust_pem);
    server->trust_pem = NULL;
}

void th_identities_serve(th_server *server, struct MHD_Daemon *(*start)(th_server *server))
{
    pthread_mutex_lock(&serving_lock);
    server->daemon = start(server);
    const union MHD_DaemonInfo *info = server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    server->port = info ? info->port : 0;
    pthread_mutex_unlock(&serving_lock);
}

/* The port that the client reached tells the server: several may live in one process (tests, the simulation's neighbours). */
static th_server *server_of(gnutls_session_t session)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof address;
    uint16_t port = 0;
    int fd = gnutls_transport_get_int(session);
    if (getsockname(fd, (struct sockaddr *)&address, &n) == 0)
        port = address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                             : ntohs(((struct sockaddr_in *)&address)->sin_port);
    th_server *found = NULL;
    pthread_mutex_lock(&serving_lock);
    for (size_t i = 0; i < TH_COUNT(serving) && !found; i++)
        if (serving[i] && serving[i]->port && serving[i]->port == port)
            found = serving[i];
    pthread_mutex_unlock(&serving_lock);
    return found;
}

int th_identity_give(gnutls_session_t session, const gnutls_datum_t *ca, int n_ca, const gnutls_pk_algorithm_t *algos, int n_algos,
                     gnutls_pcert_st **pcert, unsigned *pcert_n, gnutls_privkey_t *pkey)
{
    (void)ca;
    (void)n_ca;
    (void)algos;
    (void)n_algos;
    th_server *server = server_of(session);
    if (!server)
        return -1;
    pthread_mutex_lock(&serving_lock);
    identity *id = server->identities[server->identity_count - 1];
    pthread_mutex_unlock(&serving_lock);
    *pcert = id->chain;
    *pcert_n = id->chain_n;
    *pkey = id->key;
    return 0;
}

/* ---- the client's key ---- */

static bool spki_pin(const gnutls_datum_t *der, char ret_pin[52])
{
    gnutls_x509_crt_t cert;
    gnutls_pubkey_t open;
    gnutls_datum_t spki = {NULL, 0};
    unsigned char hash[32];
    bool ok = false;
    if (gnutls_x509_crt_init(&cert) < 0)
        return false;
    if (gnutls_pubkey_init(&open) == 0) {
        ok = gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) == 0 && gnutls_pubkey_import_x509(open, cert, 0) == 0 &&
             gnutls_pubkey_export2(open, GNUTLS_X509_FMT_DER, &spki) == 0 &&
             gnutls_hash_fast(GNUTLS_DIG_SHA256, spki.data, spki.size, hash) == 0;
        gnutls_free(spki.data);
        gnutls_pubkey_deinit(open);
    }
    gnutls_x509_crt_deinit(cert);
    if (!ok)
        return false;
    th_arena arena;
    th_arena_open(&arena, 8192);
    th_str text = th_base64(&arena, hash, sizeof hash);
    memcpy(ret_pin, "sha256/", 7);
    memcpy(ret_pin + 7, text.p, 44);
    ret_pin[51] = 0;
    th_arena_close(&arena);
    return true;
}

void th_peer_pin_read(th_rq *r)
{
    if (!r->server->options.peers || !r->server->options.cert_file || !r->conn)
        return;
    if (!r->conn->pin_known) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        unsigned n = 0;
        const gnutls_datum_t *certs = info ? gnutls_certificate_get_peers(info->tls_session, &n) : NULL;
        if (!certs || !n || !spki_pin(&certs[0], r->conn->pin))
            r->conn->pin[0] = 0;
        r->conn->pin_known = true; /* the key of a connection does not change: read once */
    }
    memcpy(r->rq.peer_pin, r->conn->pin, sizeof r->rq.peer_pin);
}
