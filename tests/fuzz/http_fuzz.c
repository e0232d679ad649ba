/* Bytes on a socket of the real server: whatever comes, it answers with whole HTTP or closes, runs no handler for what is not well framed,
 * and goes on. The handler uses every way of reading a request. */
#include "fuzz.h"
#include "platform/crypto/crypto.h"
#include "platform/net/net.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static th_server *server;
static atomic_int handled;

static th_handled look(th_request *rq)
{
    static const char *const headers[] = {"Cookie", "Accept-Language", "Content-Type", "Tonghui-Batch", "Signature-Input", "Host"}, *const queries[] = {"lang", "q", "limit", "a"};
    int64_t limit;
    atomic_fetch_add(&handled, 1);
    for (size_t i = 0; i < TH_COUNT(headers); i++) {
        th_str value = th_request_header(rq, headers[i]);
        for (size_t k = 0; k < value.n; k++)
            MUST((unsigned char)value.p[k] >= 0x20 || value.p[k] == '\t');
    }
    for (size_t i = 0; i < TH_COUNT(queries); i++)
        (void)th_request_query(rq, queries[i]);
    MUST(strcmp(rq->lang, "zh") == 0 || strcmp(rq->lang, "en") == 0);
    MUST(th_uuid_valid(th_str_of(rq->id)) && rq->path.n > 0 && rq->path.p[0] == '/');
    if (rq->route->body == TH_BODY_JSON)
        MUST(rq->json != NULL);
    if (th_request_query_int(rq, "limit", 1, 200, 50, &limit))
        return th_reply_problem(rq, TH_INVALID, NULL);
    MUST(limit >= 1 && limit <= 200);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "param", rq->params[0]);
    th_pen_kint(&pen, "body", (int64_t)rq->body.n);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

static const th_route routes[] = {
    {"GET", "/a/v1/things", TH_ROLE_ANYONE, TH_BODY_NONE, 0, look, "things", "Things", NULL, "{}", "q:string:words;limit:integer:how many", false},
    {"GET", "/a/v1/things/{id}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, look, "thing", "One thing", NULL, "{}", NULL, false},
    {"POST", "/a/v1/things/{id}:do", TH_ROLE_ANYONE, TH_BODY_JSON, 4096, look, "doThing", "Do it", "{}", "{}", NULL, false},
    {"POST", "/a/v1/bytes", TH_ROLE_ANYONE, TH_BODY_BYTES, 4096, look, "bytes", "Bytes", NULL, NULL, NULL, false},
    {"GET", "/a/v1/closed", TH_ROLE_OPERATOR, TH_BODY_NONE, 0, look, "closed", "Closed", NULL, "{}", NULL, false},
};

static void start(void)
{
    static th_env env;
    env = fuzz_env();
    th_server_options options = {.address = "127.0.0.1", .env = &env, .threads = 1, .head_timeout_s = 1, .body_timeout_s = 1, .idle_timeout_s = 1};
    MUST(th_crypto_start() == TH_OK && th_server_open(&options, &server, NULL) == TH_OK);
    MUST(th_server_mount(server, "a", routes, TH_COUNT(routes), NULL, NULL, NULL) == TH_OK && th_server_start(server, NULL) == TH_OK);
}

static void answer_check(const char *answer, size_t n)
{
    int code = 0;
    if (!n)
        return; /* closed without a word */
    MUST(n > 12 && memcmp(answer, "HTTP/1.", 7) == 0 && sscanf(answer + 9, "%3d", &code) == 1 && code >= 100 && code < 600);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[65536];
    size_t n = 0;
    if (!server)
        start();
    if (size > 60000)
        return 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(th_server_port(server)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct linger reset = {1, 0};
    struct timeval patience = {0, 15000}; /* an answer comes at once, or the server waits for more */
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (size_t sent = 0; sent < size;) {
        ssize_t got = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (got <= 0)
            break;
        sent += (size_t)got;
    }
    /* One answer is enough: what is left is cut off. */
    for (ssize_t got; n < 12 && (got = recv(fd, answer + n, sizeof answer - n, 0)) > 0;)
        n += (size_t)got;
    close(fd);
    answer_check(answer, n);
    return 0;
}
