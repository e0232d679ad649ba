/* The client of net.h against others that lie, stop, or say too much; and against its own files. */
#include "bench.h"
#include "platform/crypto/crypto.h"
#include "platform/net/net.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static bench b;

/* ---- somebody who says what it is told to say, whatever is asked ---- */

static struct {
    int fd;
    uint16_t port;
    pthread_t thread;
    th_str text;      /* said to whoever comes */
    bool silent;      /* and then nothing, with the connection open */
    atomic_int heard; /* connections */
} liar;

static void *lie(void *arg)
{
    (void)arg;
    for (;;) {
        char asked[4096];
        int fd = accept(liar.fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        atomic_fetch_add(&liar.heard, 1);
        (void)!read(fd, asked, sizeof asked);
        for (size_t at = 0; at < liar.text.n;) {
            ssize_t n = send(fd, liar.text.p + at, liar.text.n - at, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            at += (size_t)n;
        }
        if (liar.silent) /* until the other side has had enough */
            while (read(fd, asked, sizeof asked) > 0) {
            }
        close(fd);
    }
}

static int set_up(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    (void)state;
    bench_open(&b, false);
    liar.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(liar.fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(liar.fd, 16), 0);
    assert_int_equal(getsockname(liar.fd, (struct sockaddr *)&at, &n), 0);
    liar.port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&liar.thread, NULL, lie, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shutdown(liar.fd, SHUT_RDWR);
    pthread_join(liar.thread, NULL);
    close(liar.fd);
    bench_close(&b);
    return 0;
}

static th_call called(th_str text, size_t response_max, int timeout_ms)
{
    static char url[80];
    th_client_options options = {.response_max = response_max};
    liar.text = text;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", liar.port);
    th_call call = {.method = "POST", .url = url, .body = TH_STR("{}"), .timeout_ms = timeout_ms};
    th_status status = th_client_once(&options, &call, &b.arena);
    assert_int_equal(status, call.status);
    return call;
}

static void what_is_no_answer_is_nobody_there(void **state)
{
    static const char *const said[] = {"", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabcde"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(said); i++) {
        th_call call = called(th_str_of(said[i]), 0, 5000);
        if (call.status != TH_UNAVAILABLE || strcmp(call.error.type, "peer-unavailable") != 0)
            fail_msg("%s: %s %s", said[i], th_status_name(call.status), call.error.type);
        assert_true(call.error.zh[0] && call.error.en[0]);
    }
}

static void an_answer_has_a_bound_whether_or_not_it_says_its_length(void **state)
{
    char *big = th_alloc(&b.arena, 6001);
    (void)state;
    memset(big, 'x', 6000);
    th_str with = th_strf(&b.arena, "HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n%s", big), without = th_strf(&b.arena, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", big);
    th_str lying = th_strf(&b.arena, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000\r\n\r\n%s", big);
    th_str all[] = {with, without, lying};
    for (size_t i = 0; i < TH_COUNT(all); i++) {
        th_call call = called(all[i], 5000, 5000);
        assert_int_equal(call.status, TH_TOO_LARGE);
        assert_string_equal(call.error.type, "answer-too-large");
        assert_int_equal(call.error.http, 502);
    }
    for (size_t i = 0; i < 2; i++) {
        th_call call = called(all[i], 6000, 5000); /* just so much */
        MUST(call.status, &call.error);
        assert_int_equal(call.response.n, 6000);
        assert_memory_equal(call.response.p, big, 6000);
    }
}

static void whoever_says_nothing_more_has_a_deadline(void **state)
{
    static const char *const said[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"};
    (void)state;
    liar.silent = true;
    for (size_t i = 0; i < TH_COUNT(said); i++) {
        th_call call = called(th_str_of(said[i]), 0, 200);
        assert_int_equal(call.status, TH_TIMEOUT);
        assert_string_equal(call.error.type, "peer-timeout");
    }
    liar.silent = false;
}

static void a_redirection_is_an_answer_and_is_not_followed(void **state)
{
    (void)state;
    int before = atomic_load(&liar.heard);
    th_call call = called(TH_STR("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Type: text/x\r\nContent-Length: 0\r\n\r\n"), 0, 5000);
    MUST(call.status, &call.error);
    assert_int_equal(call.http_status, 302);
    TEXT(call.content_type, "text/x");
    assert_int_equal(atomic_load(&liar.heard), before + 1);
    th_client_options options = {0};
    th_call file = {.method = "GET", .url = "file:///etc/passwd"};
    assert_int_not_equal(th_client_once(&options, &file, &b.arena), TH_OK);
    assert_int_equal(file.response.n, 0);
}

/* ---- its own files ---- */

static void pair_make(const char *name, char cert[200], char key[200])
{
    snprintf(cert, 200, "%s/%s.crt", b.dir, name);
    snprintf(key, 200, "%s/%s.key", b.dir, name);
    bench_shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=%s -keyout %s -out %s >/dev/null 2>&1", name, key, cert);
}

static void a_certificate_without_its_key_is_refused_and_the_old_one_kept(void **state)
{
    char cert[200], key[200], other_cert[200], other_key[200], path[200], empty[200];
    th_client *client;
    (void)state;
    pair_make("one", cert, key);
    pair_make("two", other_cert, other_key);
    bench_file(&b, "none.key", "", empty, sizeof empty);
    const struct { const char *cert, *key; } wrong[] = {{"/nowhere.crt", key}, {cert, "/nowhere.key"}, {cert, empty}, {cert, other_key}, {cert, cert}, {key, key}};
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        th_client_options options = {.cert_file = wrong[i].cert, .key_file = wrong[i].key};
        REFUSED(th_client_open(&options, &client, &b.error), &b.error, TH_INVALID, "tls-files");
    }
    th_client_options options = {.cert_file = cert, .key_file = key};
    MUST(th_client_open(&options, &client, &b.error), &b.error);
    MUST(th_client_reload(client, &b.error), &b.error);
    snprintf(path, sizeof path, "%s/kept.key", b.dir);
    bench_shell("mv %s %s && cp %s %s", key, path, other_key, key);
    REFUSED(th_client_reload(client, &b.error), &b.error, TH_INVALID, "tls-files");
    bench_shell("cp %s %s", path, key);
    MUST(th_client_reload(client, &b.error), &b.error);
    th_client_close(client);
    th_client_close(NULL);
}

/* ---- the node's client ---- */

typedef struct told { th_call call; atomic_bool done; th_status status; char header[40]; } told;

static void tell(th_call *call)
{
    told *t = call->ctx;
    th_str header = th_call_header(call, "X-Said");
    t->status = call->status;
    snprintf(t->header, sizeof t->header, "%.*s", TH_FMT(header));
    if (th_call_header(call, "X-Not-Said").p)
        t->status = TH_CORRUPT;
    atomic_store(&t->done, true);
}

static int rounds(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
    return 5;
}

static void headers_are_there_while_it_is_told_and_the_idle_call_comes_round(void **state)
{
    char url[80], dead[80];
    th_client *client;
    th_client_options options = {0};
    atomic_int idled = 0;
    told *t = th_new(2 * sizeof *t);
    (void)state;
    liar.text = TH_STR("HTTP/1.1 204 No Content\r\nX-Said: this\r\nConnection: close\r\n\r\n");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", liar.port);
    snprintf(dead, sizeof dead, "http://127.0.0.1:1/");
    MUST(th_client_open(&options, &client, &b.error), &b.error);
    th_client_idle_set(client, rounds, &idled);
    for (int i = 0; i < 2; i++) {
        t[i].call = (th_call){.method = "GET", .url = i ? dead : url, .done = tell, .ctx = &t[i]};
        MUST(th_client_start(client, &t[i].call), &b.error);
    }
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 500 && !atomic_load(&t[i].done); k++)
            usleep(10000);
    assert_int_equal(t[0].status, TH_OK);
    assert_string_equal(t[0].header, "this");
    assert_int_equal(t[1].status, TH_UNAVAILABLE);
    assert_string_equal(t[1].header, "");
    int seen = atomic_load(&idled);
    for (int k = 0; k < 500 && atomic_load(&idled) < seen + 3; k++)
        usleep(10000);
    assert_true(atomic_load(&idled) >= seen + 3);
    th_client_wake(client);
    th_client_close(client);
    th_free(t);
}

int main(void)
{
#define T(test) cmocka_unit_test(test)
    const struct CMUnitTest tests[] = {
        T(what_is_no_answer_is_nobody_there),
        T(an_answer_has_a_bound_whether_or_not_it_says_its_length),
        T(whoever_says_nothing_more_has_a_deadline),
        T(a_redirection_is_an_answer_and_is_not_followed),
        T(a_certificate_without_its_key_is_refused_and_the_old_one_kept),
        T(headers_are_there_while_it_is_told_and_the_idle_call_comes_round),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
