/* net.h's promises, over sockets of this machine: framing, routes, bodies, roles, languages, files, events, metrics, the client. */
#include "bench.h"
#include "platform/crypto/crypto.h"
#include "platform/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static bench b;
static th_server *server;
static th_topic *topic;
static atomic_int handled;

/* ---- a small module ---- */

static th_handled echo(th_request *rq)
{
    int64_t limit;
    atomic_fetch_add(&handled, 1);
    if (th_request_query_int(rq, "limit", 1, 200, 50, &limit))
        return th_reply_problem(rq, TH_INVALID, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "method", rq->method);
    th_pen_kstr(&pen, "path", rq->path);
    th_pen_kstr(&pen, "one", rq->params[0]);
    th_pen_kstr(&pen, "two", rq->params[1]);
    th_pen_kstr(&pen, "q", th_request_query(rq, "q"));
    th_pen_ktext(&pen, "lang", rq->lang);
    th_pen_kint(&pen, "limit", limit);
    th_pen_kint(&pen, "body", (int64_t)rq->body.n);
    th_pen_kint(&pen, "roles", rq->who.roles);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

static th_handled problem(th_request *rq)
{
    rq->error.retry_after_s = 7;
    return th_reply_problem(rq, th_fail(&rq->error, TH_BUSY, "too-much", "请稍后", "Later please"), NULL);
}

static void *finish_later(void *arg)
{
    th_request *rq = arg;
    usleep(20000);
    (void)th_reply_bytes(rq, 202, "text/plain", TH_STR("later"));
    th_request_finish(rq);
    return NULL;
}

static th_handled later(th_request *rq)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, finish_later, rq), 0);
    pthread_detach(thread);
    return TH_LATER;
}

static th_handled events(th_request *rq)
{
    th_str key = th_request_query(rq, "key");
    return key.n ? th_reply_events_for(rq, topic, key, TH_STR("{\"hello\":1}")) : th_reply_events(rq, topic, TH_STR("{\"hello\":1}"));
}

static th_handled overflow(th_request *rq)
{
    th_buf_open(&rq->out, &rq->arena, 100);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    for (int i = 0; i < 100; i++)
        th_pen_kint(&pen, "n", i);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

static const th_route routes[] = {
    {"GET", "/t/v1/things", TH_ROLE_ANYONE, TH_BODY_NONE, 0, echo, "listThings", "All things", NULL, "{\"type\":\"object\"}", "q:string:words;limit:integer:how many", false},
    {"GET", "/t/v1/things/{id}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, echo, "getThing", "One thing", NULL, "{\"$ref\":\"#/components/schemas/Thing\"}", NULL, false},
    {"POST", "/t/v1/things/{id}:turn", TH_ROLE_ANYONE, TH_BODY_JSON, 2000, echo, "turnThing", "Turn it", "{\"type\":\"object\"}", "{\"type\":\"object\"}", NULL, false},
    {"GET", "/t/v1/things/{id}/parts/{part}.csv", TH_ROLE_ANYONE, TH_BODY_NONE, 0, echo, "getPart", "A part", NULL, "text/csv", NULL, false},
    {"PUT", "/t/v1/bytes", TH_ROLE_ANYONE, TH_BODY_BYTES, 5000, echo, "putBytes", "Bytes", NULL, NULL, NULL, false},
    {"GET", "/t/v1/desk", TH_ROLE_CLERK | TH_ROLE_OPERATOR, TH_BODY_NONE, 0, echo, "desk", "The desk", NULL, "{}", NULL, false},
    {"POST", "/t/v1/desk", TH_ROLE_CLERK, TH_BODY_JSON, 0, echo, "deskWrite", "Write at the desk", "{}", "{}", NULL, false},
    {"PUT", "/t/v1/desk/load", TH_ROLE_CLERK, TH_BODY_BYTES, 1 << 20, echo, "deskLoad", "Load much", NULL, NULL, NULL, false},
    {"GET", "/t/v1/problem", TH_ROLE_ANYONE, TH_BODY_NONE, 0, problem, "problem", "A problem", NULL, "{}", NULL, false},
    {"GET", "/t/v1/later", TH_ROLE_ANYONE, TH_BODY_NONE, 0, later, "later", "Later", NULL, NULL, NULL, false},
    {"GET", "/t/v1/events", TH_ROLE_ANYONE, TH_BODY_NONE, 0, events, "events", "Events", NULL, "text/event-stream", NULL, false},
    {"GET", "/t/v1/overflow", TH_ROLE_ANYONE, TH_BODY_NONE, 0, overflow, "overflow", "Too much", NULL, "{}", NULL, false},
    {"POST", "/t/v1/peers-only", TH_ROLE_ANYONE, TH_BODY_BYTES, 0, echo, "peersOnly", "Peers", NULL, NULL, NULL, true},
};

static th_status authenticate(void *ctx, th_request *rq)
{
    th_str who = th_request_header(rq, "X-Test-Who");
    (void)ctx;
    if (th_str_is(who, "clerk"))
        rq->who = (th_who){.roles = TH_ROLE_CLERK, .account = TH_STR("c1")};
    if (th_str_is(who, "browser"))
        rq->who = (th_who){.roles = TH_ROLE_CLERK, .account = TH_STR("c1"), .by_cookie = true, .csrf = TH_STR("secret-token")};
    if (th_str_is(who, "citizen"))
        rq->who = (th_who){.roles = TH_ROLE_CITIZEN};
    return th_str_is(who, "liar") ? th_fail(&rq->error, TH_UNAUTHENTICATED, "bad-key", "密钥无效", "The key is no good") : TH_OK;
}

static bool is_ready = true;

static bool ready(void *ctx, th_buf *why)
{
    (void)ctx;
    if (!is_ready)
        th_buf_text(why, "store");
    return is_ready;
}

static int set_up(void **state)
{
    char path[200];
    (void)state;
    bench_open(&b, false);
    snprintf(path, sizeof path, "%s/www", b.dir);
    mkdir(path, 0700);
    bench_shell("mkdir %s/www/assets && printf '<html>page</html>' >%s/www/index.html && printf 'let x' >%s/www/assets/a.js && printf 'BR' >%s/www/assets/a.js.br && printf 'GZ' "
                ">%s/www/assets/a.js.gz && printf '{}' >%s/www/.hidden && ln -s /etc/passwd %s/www/link.txt && printf '{}' >%s/www/m.geojson",
                b.dir, b.dir, b.dir, b.dir, b.dir, b.dir, b.dir, b.dir);
    assert_int_equal(th_topic_open(4096, &topic), TH_OK);
    th_env env = th_env_real();
    b.env = env;
    th_server_options options = {.address = "127.0.0.1", .env = &b.env, .threads = 2, .static_root = th_str_keep(&b.arena, th_str_of(path)).p, .authenticate = authenticate,
                                 .bodies_max = 500000, .head_timeout_s = 1, .body_timeout_s = 2, .idle_timeout_s = 2};
    MUST(th_server_open(&options, &server, &b.error), &b.error);
    th_server_ready_set(server, ready, NULL);
    MUST(th_server_mount(server, "things", routes, TH_COUNT(routes), NULL, "{\"Thing\":{\"type\":\"object\"}}", &b.error), &b.error);
    MUST(th_server_start(server, &b.error), &b.error);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    th_server_drain(server, 1);
    th_server_close(server);
    th_topic_close(topic);
    bench_close(&b);
    return 0;
}

/* ---- raw sockets ---- */

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(th_server_port(server)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {5, 0};
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void say(int fd, th_str text)
{
    for (size_t sent = 0; sent < text.n;) {
        ssize_t n = send(fd, text.p + sent, text.n - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        sent += (size_t)n;
    }
}

/* What comes until `enough` is in it, or the end. */
static th_str hear(int fd, const char *enough)
{
    th_buf buf;
    char piece[8192];
    th_buf_open(&buf, &b.arena, 4 << 20);
    for (ssize_t n; (!enough || !bench_holds(th_buf_view(&buf), enough)) && (n = recv(fd, piece, sizeof piece, 0)) > 0;)
        th_buf_put(&buf, piece, (size_t)n);
    return th_buf_view(&buf);
}

static th_str send_raw(th_str text)
{
    int fd = dial();
    say(fd, text);
    th_str answer = hear(fd, NULL);
    close(fd);
    return answer;
}

static th_str get(const char *path, const char *headers)
{
    return send_raw(th_strf(&b.arena, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", path, headers));
}

static th_str post(const char *path, const char *headers, const char *body)
{
    return send_raw(th_strf(&b.arena, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s", path, strlen(body), headers, body));
}

static int code_of(th_str answer)
{
    return answer.n > 12 ? (answer.p[9] - '0') * 100 + (answer.p[10] - '0') * 10 + answer.p[11] - '0' : 0;
}

static const th_json *body_of(th_str answer)
{
    const char *at = memmem(answer.p, answer.n, "\r\n\r\n", 4);
    assert_non_null(at);
    return bench_json(&b.arena, (th_str){at + 4, answer.n - (size_t)(at + 4 - answer.p)});
}

static th_str header_of(th_str answer, const char *name)
{
    char line[80];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = memmem(answer.p, answer.n, line, strlen(line));
    if (!at)
        return (th_str){NULL, 0};
    at += strlen(line);
    const char *end = memmem(at, answer.n - (size_t)(at - answer.p), "\r\n", 2);
    return (th_str){at, (size_t)(end - at)};
}

static void refused_with(th_str answer, int code, const char *type)
{
    char want[80];
    snprintf(want, sizeof want, "urn:tonghui:problem:%s", type);
    const th_json *j = code_of(answer) == code ? body_of(answer) : NULL;
    if (!j || !th_str_is(th_json_str(j, "type"), want))
        fail_msg("wanted %d %s, got %.*s", code, type, (int)(answer.n < 600 ? answer.n : 600), answer.p);
}

/* ---- framing ---- */

static void hostile_framing_never_reaches_a_handler(void **state)
{
    static const char *const texts[] = {
        "GET /t/v1/things HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /t/v1/things HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET /t/v1/things HTTP/1.1\r\nHost: a\r\nHost: a\r\nConnection: close\r\n\r\n",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\nConnection: close\r\n\r\nabc",
        "PUT /t/v1/bytes HTTP/1.1\r\nHost: a\r\nContent-Length: 3x\r\nConnection: close\r\n\r\nabc",
        "GET /t/v1/things HTTP/1.1\r\nHost : a\r\nConnection: close\r\n\r\n",
        "GET /t/v1/things HTTP/1.1\r\nHost: a\r\nX Y: 1\r\nConnection: close\r\n\r\n",
        "GET /t/v1/things HTTP/1.1\r\nHost: a\r\nX: a\x01" "b\r\nConnection: close\r\n\r\n",
        "GET /t/v1/things HTTP/1.1\r\nHost: a\r\n folded: x\r\nConnection: close\r\n\r\n",
        "GET /t/v1/things\r\n\r\n",
        "nonsense\r\n\r\n",
    };
    (void)state;
    int before = atomic_load(&handled);
    for (size_t i = 0; i < TH_COUNT(texts); i++) {
        th_str answer = send_raw(th_str_of(texts[i]));
        if (answer.n && (code_of(answer) < 400 || code_of(answer) >= 500))
            fail_msg("%s\nwas answered %.*s", texts[i], TH_FMT(answer));
    }
    th_str nul = send_raw((th_str){"GET /t/v1/things HTTP/1.1\r\nHost: a\r\nX: a\0b\r\nConnection: close\r\n\r\n", 65});
    if (nul.n && code_of(nul) < 400)
        fail_msg("a NUL in a header field was answered %.*s", TH_FMT(nul));
    assert_int_equal(atomic_load(&handled), before);
    assert_int_equal(code_of(get("/t/v1/things", "")), 200); /* and the next one is served */
}

static void heads_are_bounded_in_bytes_and_fields(void **state)
{
    th_buf buf;
    (void)state;
    th_buf_open(&buf, &b.arena, 1 << 20);
    for (int i = 0; i < 70; i++)
        th_buff(&buf, "X-%d: 1\r\n", i);
    th_buf_char(&buf, 0);
    refused_with(get("/t/v1/things", buf.p), 400, "framing");
    th_buf_open(&buf, &b.arena, 1 << 20);
    th_buf_text(&buf, "X: ");
    for (int i = 0; i < 40000; i++)
        th_buf_char(&buf, 'y');
    th_buf_text(&buf, "\r\n");
    th_buf_char(&buf, 0);
    th_str answer = get("/t/v1/things", buf.p);
    if (answer.n && (code_of(answer) < 400 || code_of(answer) >= 500))
        fail_msg("%.*s", (int)(answer.n < 200 ? answer.n : 200), answer.p);
}

static void slow_clients_are_cut_off(void **state)
{
    struct timeval from, to;
    (void)state;
    gettimeofday(&from, NULL);
    int fd = dial();
    say(fd, TH_STR("GET /t/v1/things HTTP/1.1\r\nHost: x\r\n"));
    th_str answer = hear(fd, NULL); /* the head is due within a second */
    gettimeofday(&to, NULL);
    close(fd);
    assert_true(!answer.n || code_of(answer) >= 400);
    assert_true(to.tv_sec - from.tv_sec <= 4);
    fd = dial();
    say(fd, TH_STR("PUT /t/v1/bytes HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab"));
    answer = hear(fd, NULL);
    close(fd);
    assert_true(!answer.n || code_of(answer) >= 400);
}

static void keep_alive_and_pipelining_answer_in_order(void **state)
{
    int fd = dial();
    (void)state;
    say(fd, TH_STR("GET /t/v1/things?q=first HTTP/1.1\r\nHost: x\r\n\r\nGET /t/v1/things?q=second HTTP/1.1\r\nHost: x\r\n\r\nGET /t/v1/things?q=third HTTP/1.1\r\nHost: x\r\nConnection: "
                   "close\r\n\r\n"));
    th_str answer = hear(fd, NULL);
    close(fd);
    const char *one = memmem(answer.p, answer.n, "first", 5), *two = memmem(answer.p, answer.n, "second", 6), *three = memmem(answer.p, answer.n, "third", 5);
    assert_true(one && two && three && one < two && two < three);
}

/* ---- routes and bodies ---- */

static void patterns_take_one_segment_and_literal_tails(void **state)
{
    static const struct { const char *path; int code; const char *one, *two; } cases[] = {
        {"/t/v1/things", 200, NULL, NULL}, {"/t/v1/things/7", 200, "7", NULL}, {"/t/v1/things/%E4%B8%AD", 200, "中", NULL}, {"/t/v1/things/a:b", 200, "a:b", NULL},
        {"/t/v1/things/7/parts/x.csv", 200, "7", "x"}, {"/t/v1/things/7/parts/x.y.csv", 200, "7", "x.y"}, {"/t/v1/things/7/parts/.csv", 404, NULL, NULL},
        {"/t/v1/things/7/parts/x.json", 404, NULL, NULL}, {"/t/v1/things/", 404, NULL, NULL}, {"/t/v1/things/7/8", 404, NULL, NULL}, {"/t/v1/thing", 404, NULL, NULL},
        {"/t/v1/peers-only", 404, NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_str answer = get(cases[i].path, "");
        if (code_of(answer) != cases[i].code)
            fail_msg("%s: %d", cases[i].path, code_of(answer));
        if (cases[i].code != 200)
            continue;
        const th_json *j = body_of(answer);
        if (cases[i].one)
            TEXT(th_json_str(j, "one"), cases[i].one);
        if (cases[i].two)
            TEXT(th_json_str(j, "two"), cases[i].two);
    }
    th_str answer = post("/t/v1/things/7:turn", "Content-Type: application/json\r\n", "{}");
    TEXT(th_json_str(body_of(answer), "one"), "7");
    refused_with(get("/t/v1/nothing", ""), 404, "no-such-address");
    refused_with(post("/t/v1/things", "", ""), 405, "method");
    refused_with(get("/t/v1/bytes", ""), 405, "method");
    th_str nul = get("/t/v1/things/a%00b", ""); /* a NUL does not cut the path short */
    assert_true(code_of(nul) == 400 || code_of(nul) == 404 || bench_holds(nul, "a%00b"));
    answer = send_raw(TH_STR("HEAD /t/v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_int_equal(code_of(answer), 200);
    assert_true(th_str_is((th_str){answer.p + answer.n - 4, 4}, "\r\n\r\n")); /* no body */
}

static void bodies_are_bounded_and_of_the_right_kind(void **state)
{
    char big[6000];
    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    refused_with(post("/t/v1/things/7:turn", "", "{}"), 415, "media-type");
    refused_with(post("/t/v1/things/7:turn", "Content-Type: text/plain\r\n", "{}"), 415, "media-type");
    refused_with(post("/t/v1/things/7:turn", "Content-Type: application/jsonx\r\n", "{}"), 415, "media-type");
    assert_int_equal(code_of(post("/t/v1/things/7:turn", "Content-Type: Application/JSON; charset=utf-8\r\n", "{}")), 200);
    refused_with(post("/t/v1/things/7:turn", "Content-Type: application/json\r\n", "{"), 400, "json");
    refused_with(post("/t/v1/things/7:turn", "Content-Type: application/json\r\n", ""), 400, "json");
    refused_with(post("/t/v1/things/7:turn", "Content-Type: application/json\r\n", "[]"), 400, "invalid-request");
    refused_with(post("/t/v1/things/7:turn", "Content-Type: application/json\r\n", "{\"a\":1,\"a\":2}"), 400, "json");
    th_str answer = post("/t/v1/things/7:turn", "Content-Type: application/json\r\n", big);
    if (code_of(answer) != 413)
        fail_msg("said length: %.*s", TH_FMT(answer));
    /* Without a length said before: counted as it comes. */
    answer = send_raw(th_strf(&b.arena, "PUT /t/v1/bytes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n", strlen(big), big));
    if (answer.n && code_of(answer) != 413) /* libmicrohttpd 0.9.75 can only hang up here */
        fail_msg("chunked: %.*s", TH_FMT(answer));
    answer = send_raw(TH_STR("PUT /t/v1/bytes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    assert_int_equal(th_json_int(body_of(answer), "body", 0), 5);
    refused_with(get("/t/v1/overflow", ""), 413, "answer-too-large");
}

static th_str load_head(const char *headers)
{
    return th_strf(&b.arena, "PUT /t/v1/desk/load HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
}

/* Not one byte of the body is sent: an answer that waits for it does not come within the time for bodies. */
static void large_bodies_are_read_only_of_who_may_send_them(void **state)
{
    (void)state;
    static const struct { const char *who; int code; const char *type; } cases[] = {
        {"", 401, "sign-in"}, {"X-Test-Who: citizen\r\n", 403, "role"}, {"X-Test-Who: browser\r\n", 403, "csrf"}, {"X-Test-Who: liar\r\n", 401, "bad-key"}};
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        refused_with(send_raw(load_head(th_strf(&b.arena, "%sContent-Length: 400000\r\n", cases[i].who).p)), cases[i].code, cases[i].type);
        refused_with(send_raw(load_head(th_strf(&b.arena, "%sTransfer-Encoding: chunked\r\n", cases[i].who).p)), cases[i].code, cases[i].type);
    }
}

static void bodies_in_flight_are_bounded_together(void **state)
{
    (void)state;
    static char body[300000];
    memset(body, 'x', sizeof body);
    int first = dial(), second = dial();
    say(first, load_head("X-Test-Who: clerk\r\nContent-Length: 300000\r\n"));
    say(first, (th_str){body, 1000});
    usleep(200000);
    say(second, load_head("X-Test-Who: clerk\r\nContent-Length: 300000\r\n"));
    th_str answer = hear(second, NULL);
    refused_with(answer, 429, "bodies-in-flight");
    TEXT(header_of(answer, "Retry-After"), "2");
    close(second);
    /* Of a length not said: dropped when there is no room, and told so at its end. */
    second = dial();
    say(second, load_head("X-Test-Who: clerk\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"));
    say(second, TH_STR("493e0\r\n"));
    say(second, (th_str){body, sizeof body});
    say(second, TH_STR("\r\n0\r\n\r\n"));
    refused_with(hear(second, NULL), 429, "bodies-in-flight");
    close(second);
    assert_int_equal(code_of(post("/t/v1/desk", "X-Test-Who: clerk\r\nContent-Type: application/json\r\n", "{}")), 200); /* small ones go on */
    say(first, (th_str){body, sizeof body - 1000});
    assert_int_equal(th_json_int(body_of(hear(first, "}")), "body", 0), sizeof body);
    close(first);
    usleep(200000); /* and its room is free again */
    first = dial();
    say(first, load_head("X-Test-Who: clerk\r\nConnection: close\r\nContent-Length: 300000\r\n"));
    say(first, (th_str){body, sizeof body});
    assert_int_equal(code_of(hear(first, NULL)), 200);
    close(first);
}

static void queries_are_decoded_and_checked(void **state)
{
    (void)state;
    TEXT(th_json_str(body_of(get("/t/v1/things?q=%E5%8C%97%E4%BA%AC+x", "")), "q"), "北京 x");
    TEXT(th_json_str(body_of(get("/t/v1/things?q=%FF", "")), "q"), "");
    TEXT(th_json_str(body_of(get("/t/v1/things?q=a%0Ab", "")), "q"), "");
    assert_int_equal(th_json_int(body_of(get("/t/v1/things?limit=200", "")), "limit", 0), 200);
    static const char *const bad[] = {"limit=0", "limit=201", "limit=x", "limit=", "limit=1.5", "limit=99999999999999999999", "limit=01"};
    for (size_t i = 0; i < TH_COUNT(bad); i++) {
        th_str answer = get(th_strf(&b.arena, "/t/v1/things?%s", bad[i]).p, "");
        refused_with(answer, 400, "invalid-request");
        TEXT(th_json_str(th_json_pointer(body_of(answer), "/errors/0"), "pointer"), "?limit");
    }
}

static void the_language_is_the_askers(void **state)
{
    static const struct { const char *path, *headers, *lang; } cases[] = {
        {"/t/v1/things", "", "zh"}, {"/t/v1/things", "Accept-Language: en\r\n", "en"}, {"/t/v1/things", "Accept-Language: en-GB,en;q=0.9\r\n", "en"},
        {"/t/v1/things", "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\n", "zh"}, {"/t/v1/things", "Accept-Language: fr, en;q=0.5\r\n", "en"},
        {"/t/v1/things", "Accept-Language: en;q=0.2, zh;q=0.7\r\n", "zh"}, {"/t/v1/things", "Accept-Language: zh;q=0, en\r\n", "en"}, {"/t/v1/things", "Accept-Language: fr\r\n", "zh"},
        {"/t/v1/things", "Accept-Language: ;;;,,q=\r\n", "zh"}, {"/t/v1/things?lang=en", "Accept-Language: zh\r\n", "en"},
        {"/t/v1/things", "Cookie: tonghui-lang=en\r\nAccept-Language: zh\r\n", "en"}, {"/t/v1/things?lang=zh", "Cookie: tonghui-lang=en\r\n", "zh"}};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        th_str lang = th_json_str(body_of(get(cases[i].path, cases[i].headers)), "lang");
        if (!th_str_is(lang, cases[i].lang))
            fail_msg("%s %s: %.*s", cases[i].path, cases[i].headers, TH_FMT(lang));
    }
}

static void roles_and_tokens_are_checked_before_the_handler(void **state)
{
    (void)state;
    int before = atomic_load(&handled);
    refused_with(get("/t/v1/desk", ""), 401, "sign-in");
    refused_with(get("/t/v1/desk", "X-Test-Who: citizen\r\n"), 403, "role");
    refused_with(get("/t/v1/things", "X-Test-Who: liar\r\n"), 401, "bad-key");
    refused_with(post("/t/v1/desk", "X-Test-Who: browser\r\nContent-Type: application/json\r\n", "{}"), 403, "csrf");
    refused_with(post("/t/v1/desk", "X-Test-Who: browser\r\nX-CSRF-Token: secret-tokem\r\nContent-Type: application/json\r\n", "{}"), 403, "csrf");
    assert_int_equal(atomic_load(&handled), before);
    assert_int_equal(code_of(get("/t/v1/desk", "X-Test-Who: browser\r\n")), 200); /* reading needs no token */
    assert_int_equal(code_of(post("/t/v1/desk", "X-Test-Who: browser\r\nX-CSRF-Token: secret-token\r\nContent-Type: application/json\r\n", "{}")), 200);
    assert_int_equal(code_of(post("/t/v1/desk", "X-Test-Who: clerk\r\nContent-Type: application/json\r\n", "{}")), 200); /* no cookie, no forgery */
}

static void answers_carry_ids_tags_and_no_guessing(void **state)
{
    (void)state;
    th_str answer = get("/t/v1/things", ""), tag = header_of(answer, "ETag");
    assert_true(th_uuid_valid(header_of(answer, "X-Request-Id")));
    assert_true(tag.n > 2);
    TEXT(header_of(answer, "X-Content-Type-Options"), "nosniff");
    th_str again = get("/t/v1/things", th_strf(&b.arena, "If-None-Match: %.*s\r\n", TH_FMT(tag)).p);
    assert_int_equal(code_of(again), 304);
    assert_int_equal(code_of(get("/t/v1/things?q=other", th_strf(&b.arena, "If-None-Match: %.*s\r\n", TH_FMT(tag)).p)), 200);
    answer = get("/t/v1/problem", "Accept-Language: en\r\n");
    refused_with(answer, 429, "too-much");
    TEXT(header_of(answer, "Retry-After"), "7");
    assert_true(bench_holds(header_of(answer, "Content-Type"), "application/problem+json"));
    TEXT(th_json_str(body_of(answer), "title"), "Later please");
    assert_true(bench_holds(th_json_str(body_of(answer), "instance"), "urn:uuid:"));
    answer = get("/t/v1/later", "");
    assert_int_equal(code_of(answer), 202);
    assert_true(bench_holds(answer, "later"));
}

/* ---- built in ---- */

static void health_readiness_and_metrics_are_there(void **state)
{
    (void)state;
    assert_int_equal(code_of(get("/healthz", "")), 200);
    assert_int_equal(code_of(get("/readyz", "")), 200);
    is_ready = false;
    th_str answer = get("/readyz", "");
    assert_int_equal(code_of(answer), 503);
    TEXT(th_json_str(body_of(answer), "why"), "store");
    is_ready = true;
    answer = get("/metrics", "");
    if (!bench_holds(answer, "http_request_seconds"))
        fail_msg("%.*s", (int)(answer.n < 1500 ? answer.n : 1500), answer.p);
    assert_true(bench_holds(answer, "# TYPE tonghui_http_request_seconds histogram"));
    assert_true(bench_holds(answer, "tonghui_http_requests_total{operation=\"listThings\",outcome=\"ok\"}"));
}

static void metrics_count_and_estimate(void **state)
{
    th_metric *counter = th_counter("unit_things_total", "Things", "kind=\"a\""), *gauge = th_gauge("unit_level", "Level", NULL), *h = th_histogram("unit_seconds", "Time", NULL);
    th_buf buf;
    (void)state;
    assert_ptr_equal(th_counter("unit_things_total", "Things", "kind=\"a\""), counter);
    assert_ptr_not_equal(th_counter("unit_things_total", "Things", "kind=\"b\""), counter);
    th_metric_add(counter, 3);
    th_metric_add(counter, 4);
    assert_int_equal(th_metric_value(counter), 7);
    th_metric_set(gauge, -5);
    assert_int_equal(th_metric_value(gauge), -5);
    for (int i = 0; i < 99; i++)
        th_metric_observe_us(h, 1000);
    th_metric_observe_us(h, 5000000);
    assert_true(th_metric_quantile_us(h, 0.5) >= 1000 && th_metric_quantile_us(h, 0.5) <= 2000);
    assert_true(th_metric_quantile_us(h, 1.0) >= 5000000 && th_metric_quantile_us(h, 1.0) <= 10000000);
    th_buf_open(&buf, &b.arena, 4 << 20);
    th_metrics_write(&buf);
    th_str text = th_buf_view(&buf);
    assert_true(bench_holds(text, "unit_things_total{kind=\"a\"} 7\n"));
    assert_true(bench_holds(text, "unit_level -5\n"));
    assert_true(bench_holds(text, "unit_seconds_count 100\n"));
    assert_true(bench_holds(text, "unit_seconds_bucket{le=\"+Inf\"} 100\n"));
}

static void one_table_yields_the_openapi_document(void **state)
{
    (void)state;
    const th_json *j = body_of(get("/openapi.json", ""));
    assert_true(th_str_starts(th_json_str(j, "openapi"), "3.1"));
    const th_json *list = th_json_pointer(j, "/paths/~1t~1v1~1things/get");
    TEXT(th_json_str(list, "operationId"), "listThings");
    const th_json *parameters = th_json_get(list, "parameters");
    bool q = false, limit = false;
    for (const th_json *p = th_json_first(parameters); p; p = th_json_next(parameters, p)) {
        q = q || (th_str_is(th_json_str(p, "name"), "q") && th_str_is(th_json_str(p, "in"), "query"));
        limit = limit || (th_str_is(th_json_str(p, "name"), "limit") && th_str_is(th_json_str(th_json_get(p, "schema"), "type"), "integer"));
    }
    assert_true(q && limit);
    const th_json *turn = th_json_pointer(j, "/paths/~1t~1v1~1things~1{id}:turn/post");
    assert_non_null(th_json_pointer(turn, "/requestBody/content/application~1json"));
    TEXT(th_json_str(th_json_at(th_json_get(turn, "parameters"), 0), "in"), "path");
    assert_non_null(th_json_pointer(j, "/components/schemas/Thing"));
    assert_null(th_json_pointer(j, "/paths/~1t~1v1~1peers-only")); /* not of this listener */
    assert_non_null(th_json_pointer(j, "/paths/~1t~1v1~1desk/get/security"));
    assert_non_null(th_json_pointer(j, "/paths/~1t~1v1~1things~1{id}~1parts~1{part}.csv/get/responses/200/content/text~1csv"));
}

/* ---- files ---- */

static void files_come_with_validators_and_precompressed(void **state)
{
    (void)state;
    th_str answer = get("/assets/a.js", ""), tag = header_of(answer, "ETag");
    assert_int_equal(code_of(answer), 200);
    assert_true(bench_holds(answer, "let x") && bench_holds(header_of(answer, "Cache-Control"), "immutable"));
    assert_true(bench_holds(header_of(answer, "Content-Security-Policy"), "default-src 'self'"));
    assert_int_equal(code_of(get("/assets/a.js", th_strf(&b.arena, "If-None-Match: %.*s\r\n", TH_FMT(tag)).p)), 304);
    answer = get("/assets/a.js", "Accept-Encoding: gzip, br\r\n");
    TEXT(header_of(answer, "Content-Encoding"), "br");
    assert_false(th_str_eq(header_of(answer, "ETag"), tag)); /* another representation */
    TEXT(header_of(answer, "Vary"), "Accept-Encoding");
    TEXT(header_of(get("/assets/a.js", "Accept-Encoding: br;q=0, gzip;q=0.5\r\n"), "Content-Encoding"), "gzip");
    assert_null(header_of(get("/assets/a.js", "Accept-Encoding: gzip;q=0\r\n"), "Content-Encoding").p);
    TEXT(header_of(get("/m.geojson", ""), "Content-Type"), "application/geo+json");
    answer = get("/any/page/of/the/console", "Accept: text/html\r\n"); /* one page answers for all its routes */
    assert_true(code_of(answer) == 200 && bench_holds(answer, "page"));
    assert_true(bench_holds(header_of(answer, "Cache-Control"), "no-cache"));
    assert_int_equal(code_of(get("/any/page", "Accept: application/json\r\n")), 404);
}

static void files_outside_the_root_are_nobodys(void **state)
{
    static const char *const paths[] = {"/../etc/passwd", "/assets/../../store.sqlite", "/.hidden", "/assets/%2e%2e/%2e%2e/store.sqlite", "/link.txt", "//etc/passwd", "/assets\\a.js", "/assets/a.js%00.txt",
                                        "/assets", "/assets/"};
    (void)state;
    for (size_t i = 0; i < TH_COUNT(paths); i++) {
        th_str answer = get(paths[i], "");
        if (code_of(answer) == 200 || bench_holds(answer, "root:"))
            fail_msg("%s: %.*s", paths[i], TH_FMT(answer));
    }
}

/* ---- events ---- */

static void events_reach_all_who_follow_and_only_theirs(void **state)
{
    int all = dial(), one = dial();
    (void)state;
    say(all, TH_STR("GET /t/v1/events HTTP/1.1\r\nHost: x\r\n\r\n"));
    say(one, TH_STR("GET /t/v1/events?key=case-1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(bench_holds(hear(all, "hello"), "text/event-stream"));
    assert_true(bench_holds(hear(one, "hello"), "{\"hello\":1}"));
    for (int i = 0; i < 100 && th_topic_subscribers(topic) < 2; i++)
        usleep(10000);
    assert_int_equal(th_topic_subscribers(topic), 2);
    th_topic_publish_for(topic, TH_STR("case-2"), "case", TH_STR("{\"n\":2}"));
    th_topic_publish_for(topic, TH_STR("case-1"), "case", TH_STR("{\"n\":1}"));
    th_topic_publish(topic, "wall", TH_STR("{\"n\":3}"));
    assert_true(bench_holds(hear(all, "{\"n\":3}"), "event: case\ndata: {\"n\":2}\n\n"));
    th_str mine = hear(one, "{\"n\":1}");
    assert_false(bench_holds(mine, "{\"n\":2}"));
    th_server_timeouts_set(server, 1, 2, 1);
    close(all);
    close(one);
    for (int i = 0; i < 800 && th_topic_subscribers(topic); i++)
        usleep(10000);
    th_server_timeouts_set(server, 1, 2, 2);
    assert_int_equal(th_topic_subscribers(topic), 0); /* who has gone is noticed, also when nothing happens */
}

static void a_follower_that_does_not_read_is_cut_off(void **state)
{
    int fd = dial(), small = 4096;
    char big[2000];
    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    memset(big, 'x', sizeof big);
    say(fd, TH_STR("GET /t/v1/events HTTP/1.1\r\nHost: x\r\n\r\n"));
    hear(fd, "hello");
    for (int i = 0; i < 5000 && (i < 10 || th_topic_subscribers(topic)); i++) {
        th_topic_publish(topic, "flood", (th_str){big, sizeof big});
        if (i % 50 == 0)
            usleep(1000);
    }
    for (int i = 0; i < 300 && th_topic_subscribers(topic); i++)
        usleep(10000);
    close(fd);
    for (int i = 0; i < 300 && th_topic_subscribers(topic); i++)
        usleep(10000);
    assert_int_equal(th_topic_subscribers(topic), 0);
}

/* ---- the client ---- */

static th_status call_once(const char *method, const char *path, th_str body, int timeout_ms, th_call *ret)
{
    static const char *const headers[] = {"Content-Type: application/json", "X-Test-Who: clerk", NULL};
    char url[200];
    th_client_options options = {.response_max = 100000};
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", th_server_port(server), path);
    *ret = (th_call){.method = method, .url = url, .headers = headers, .body = body, .timeout_ms = timeout_ms};
    return th_client_once(&options, ret, &b.arena);
}

static void the_client_tells_answers_from_failures(void **state)
{
    th_call c;
    (void)state;
    MUST(call_once("GET", "/t/v1/things?q=x", (th_str){NULL, 0}, 0, &c), &c.error);
    assert_int_equal(c.http_status, 200);
    TEXT(th_json_str(bench_json(&b.arena, c.response), "q"), "x");
    MUST(call_once("POST", "/t/v1/desk", TH_STR("{}"), 0, &c), &c.error);
    assert_int_equal(c.http_status, 200);
    MUST(call_once("GET", "/t/v1/problem", (th_str){NULL, 0}, 0, &c), &c.error); /* an answer is an answer */
    assert_int_equal(c.http_status, 429);
    assert_int_equal(call_once("GET", "/t/v1/events", (th_str){NULL, 0}, 300, &c), TH_TIMEOUT);
    th_client_options options = {0};
    th_call dead = {.method = "GET", .url = "http://127.0.0.1:1/"};
    assert_int_equal(th_client_once(&options, &dead, &b.arena), TH_UNAVAILABLE);
    assert_true(dead.error.zh[0] && dead.error.en[0]);
    th_call wrong = {.method = "GET", .url = "ftp://127.0.0.1/"};
    assert_int_not_equal(th_client_once(&options, &wrong, &b.arena), TH_OK);
}

typedef struct waiting { th_call call; atomic_bool done; int http; th_status status; } waiting;

static void call_done(th_call *call)
{
    waiting *w = call->ctx;
    w->http = call->http_status;
    w->status = call->status;
    atomic_store(&w->done, true);
}

static void the_nodes_client_carries_many_at_once_and_ends_them_all(void **state)
{
    enum { N = 40 };
    th_client *client;
    th_client_options options = {0};
    char url[100], slow[100];
    waiting *w = th_new(N * sizeof *w);
    (void)state;
    MUST(th_client_open(&options, &client, &b.error), &b.error);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/t/v1/things", th_server_port(server));
    snprintf(slow, sizeof slow, "http://127.0.0.1:%u/t/v1/events", th_server_port(server));
    for (int i = 0; i < N; i++) {
        w[i].call = (th_call){.method = "GET", .url = i == 7 ? slow : url, .done = call_done, .ctx = &w[i]};
        assert_int_equal(th_client_start(client, &w[i].call), TH_OK);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; i != 7 && k < 500 && !atomic_load(&w[i].done); k++)
            usleep(10000);
    for (int i = 0; i < N; i++)
        assert_true(i == 7 ? !atomic_load(&w[i].done) : w[i].http == 200 && w[i].status == TH_OK);
    th_client_close(client); /* what is unfinished ends */
    assert_true(atomic_load(&w[7].done));
    assert_int_equal(w[7].status, TH_UNAVAILABLE);
    th_free(w);
}

static void draining_ends_cleanly(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, TH_STR("GET /t/v1/later HTTP/1.1\r\nHost: x\r\n\r\n"));
    usleep(5000);
    th_server_drain(server, 3); /* what was begun is answered */
    assert_true(bench_holds(hear(fd, NULL), "later"));
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(th_server_port(server)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) { /* and nothing new is taken */
        struct timeval patience = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        say(fd, TH_STR("GET /t/v1/things HTTP/1.1\r\nHost: x\r\n\r\n"));
        th_str answer = hear(fd, NULL);
        assert_true(!answer.n || code_of(answer) >= 500);
    }
    close(fd);
}

int main(void)
{
#define T(test) cmocka_unit_test(test)
    const struct CMUnitTest tests[] = {
        T(hostile_framing_never_reaches_a_handler),
        T(heads_are_bounded_in_bytes_and_fields),
        T(slow_clients_are_cut_off),
        T(keep_alive_and_pipelining_answer_in_order),
        T(patterns_take_one_segment_and_literal_tails),
        T(bodies_are_bounded_and_of_the_right_kind), T(large_bodies_are_read_only_of_who_may_send_them), T(bodies_in_flight_are_bounded_together),
        T(queries_are_decoded_and_checked),
        T(the_language_is_the_askers),
        T(roles_and_tokens_are_checked_before_the_handler),
        T(answers_carry_ids_tags_and_no_guessing),
        T(health_readiness_and_metrics_are_there),
        T(metrics_count_and_estimate),
        T(one_table_yields_the_openapi_document),
        T(files_come_with_validators_and_precompressed),
        T(files_outside_the_root_are_nobodys),
        T(events_reach_all_who_follow_and_only_theirs),
        T(a_follower_that_does_not_read_is_cut_off),
        T(the_client_tells_answers_from_failures),
        T(the_nodes_client_carries_many_at_once_and_ends_them_all),
        T(draining_ends_cleanly),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
