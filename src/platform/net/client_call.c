/* client_call.c — one call as a libcurl transfer: pins instead of authorities for peers, bounded answers, plain words for failures. */
#include "client-private.h"

#include <curl/header.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 3000, TOTAL_MS = 10000, RESPONSE_MAX = 8 << 20, PEM_MAX = 64 * 1024 };

static void curl_start_once(void)
{
    TH_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void th_curl_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_start_once);
}

/* Room for what is said to come, or twice as much as before: libcurl's callback has no arena. Freed in th_transfer_clear. */
static bool body_grow(th_transfer *t, size_t least)
{
    curl_off_t said = 0;
    size_t room = t->room ? 2 * t->room : 4096;
    if (!t->room && curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &said) == CURLE_OK && said > 0 && (size_t)said <= t->max)
        room = (size_t)said;
    while (room < least)
        room *= 2;
    char *grown = th_new(room);
    if (!grown)
        return false;
    if (t->n)
        memcpy(grown, t->body, t->n);
    th_free(t->body);
    t->body = grown;
    t->room = room;
    return true;
}

static size_t body_take(char *bytes, size_t size, size_t n, void *ctx)
{
    th_transfer *t = ctx;
    (void)size; /* always 1 */
    if (n > t->max - t->n) {
        t->overflowed = true;
        return 0;
    }
    if (n > t->room - t->n && !body_grow(t, t->n + n))
        return 0;
    memcpy(t->body + t->n, bytes, n);
    t->n += n;
    return n;
}

static bool headers_make(th_transfer *t)
{
    t->headers = curl_slist_append(NULL, "Expect:"); /* no waiting for 100-continue */
    for (const char *const *h = t->call->headers; h && *h && t->headers; h++) {
        struct curl_slist *more = curl_slist_append(t->headers, *h);
        if (!more)
            return false;
        t->headers = more;
    }
    return t->headers != NULL;
}

static bool pem_take(const char *path, char **ret, size_t *ret_n)
{
    char bytes[PEM_MAX];
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    if (!n || n == sizeof bytes)
        return false;
    *ret = th_new_copy((th_str){bytes, n});
    *ret_n = n;
    return *ret != NULL;
}

th_status th_client_identity_read(const th_client_options *o, th_client_identity *ret_identity, th_error *error)
{
    th_client_identity identity = {0};
    bool ok = !o->cert_file || (pem_take(o->cert_file, &identity.cert, &identity.cert_n) && pem_take(o->key_file, &identity.key, &identity.key_n));
    if (ok && o->cert_file && !th_identity_fits(identity.cert, identity.cert_n, identity.key, identity.key_n))
        ok = false;
    if (!ok) {
        th_client_identity_free(&identity);
        return th_failf(error, TH_INVALID, "tls-files", "证书 %s 或其私钥无法读取", "The certificate %s or its key cannot be read", o->cert_file);
    }
    *ret_identity = identity;
    return TH_OK;
}

void th_client_identity_free(th_client_identity *identity)
{
    th_free(identity->cert);
    th_free(identity->key);
    *identity = (th_client_identity){0};
}

static bool blob_set(CURL *easy, CURLoption option, char *bytes, size_t n)
{
    struct curl_blob blob = {bytes, n, CURL_BLOB_COPY};
    return curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

static bool pins_set(CURL *easy, const th_client_identity *identity, const th_call *call)
{
    if (call->pins) { /* the trust document names the keys: no authority and no name is asked */
        curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, call->pins);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* a resumed session would show the keys of its first handshake */
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
        return !identity->cert || (blob_set(easy, CURLOPT_SSLCERT_BLOB, identity->cert, identity->cert_n) &&
                                   blob_set(easy, CURLOPT_SSLKEY_BLOB, identity->key, identity->key_n));
    }
    return curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
}

th_status th_transfer_prepare(th_transfer *t, const th_client_options *o, const th_client_identity *identity, th_call *call)
{
    t->call = call;
    t->max = o->response_max ? o->response_max : RESPONSE_MAX;
    if (!t->easy)
        t->easy = curl_easy_init();
    if (!t->easy || !headers_make(t))
        return TH_NO_MEMORY;
    CURL *easy = t->easy;
    bool has_body = call->body.p != NULL;
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    if (has_body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.p);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->message);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(call->connect_timeout_ms ? call->connect_timeout_ms : CONNECT_MS));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(call->timeout_ms ? call->timeout_ms : TOTAL_MS));
    return pins_set(easy, identity, call) ? TH_OK : TH_NO_MEMORY;
}

void th_transfer_outcome(th_transfer *t, CURLcode code)
{
    th_call *call = t->call;
    long http = 0;
    call->response = (th_str){t->body ? t->body : "", t->n};
    call->response_headers = t->easy;
    if (code == CURLE_OK) {
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http);
        call->http_status = (int)http;
        call->status = TH_OK;
    } else if (t->overflowed) {
        call->status = th_fail(&call->error, TH_TOO_LARGE, "answer-too-large", "对方答复过大", "The answer is too large");
        call->error.http = 502;
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        call->status = th_fail(&call->error, TH_TIMEOUT, "peer-timeout", "对方未在期限内答复", "No answer came within the deadline");
    } else if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH) {
        call->status = th_fail(&call->error, TH_FORBIDDEN, "wrong-pin", "对方的 TLS 密钥与信任文件不符",
                               "The other side's TLS key is not the one in the trust document");
        call->error.http = 502;
    } else {
        const char *said = t->message[0] ? t->message : curl_easy_strerror(code);
        call->status = th_failf(&call->error, TH_UNAVAILABLE, "peer-unavailable", "无法连接对方（%.120s）",
                                "The other side cannot be reached (%.120s)", said);
    }
}

void th_transfer_clear(th_transfer *t)
{
    curl_slist_free_all(t->headers);
    th_free(t->body);
    if (t->easy)
        curl_easy_reset(t->easy);
    CURL *easy = t->easy;
    memset(t, 0, sizeof *t);
    t->easy = easy;
}

th_str th_call_header(const th_call *call, const char *name)
{
    struct curl_header *header;
    CURL *easy = (CURL *)(uintptr_t)call->response_headers;
    if (!easy || curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return (th_str){NULL, 0};
    return th_str_of(header->value);
}

th_status th_client_once(const th_client_options *options, th_call *call, th_arena *arena)
{
    th_transfer t = {0};
    th_curl_start();
    th_client_identity identity;
    th_status status = th_client_identity_read(options, &identity, &call->error);
    if (status)
        return call->status = status;
    status = th_transfer_prepare(&t, options, &identity, call);
    if (!status) {
        th_transfer_outcome(&t, curl_easy_perform(t.easy));
        call->response = th_str_keep(arena, call->response);
        call->content_type = th_str_keep(arena, th_call_header(call, "Content-Type"));
        call->response_headers = NULL;
        status = call->status;
        if (!status && !call->response.p)
            status = call->status = TH_NO_MEMORY;
    }
    th_transfer_clear(&t);
    curl_easy_cleanup(t.easy);
    th_client_identity_free(&identity);
    return status;
}
