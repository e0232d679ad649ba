/* request.c — a request's way: framing, route, body within its limit, who, role, handler, and the hand-over of late answers.
 *
 * A late answer (TH_LATER) may be finished before its handler has even returned. `state` decides who goes on:
 *   RUNNING --handler returned LATER--> SUSPENDED --finish--> FINISHED (finish resumes the connection)
 *   RUNNING --finish--> FINISHED (the I/O thread sees it when the handler returns, and answers at once) */
#include "net-private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RUNNING, SUSPENDED, FINISHED };
/* Bodies up to BODY_SMALL come with their head, cost what a connection costs anyway, and are answered in peace, also when refused. */
enum { ARENA_MAX = 192 << 20, BODY_DEFAULT = 64 * 1024, BODY_SMALL = 16 * 1024, BODIES_MAX = 256 << 20 };

/* ---- the structure's life: taken from a list, its arena kept warm ---- */

static th_rq *rq_take(th_server *server)
{
    pthread_mutex_lock(&server->lock);
    th_rq *r = server->free;
    if (r)
        server->free = r->next_free;
    pthread_mutex_unlock(&server->lock);
    if (!r && (r = th_new(sizeof *r)))
        th_arena_open(&r->rq.arena, ARENA_MAX);
    return r;
}

static void rq_give(th_server *server, th_rq *r)
{
    th_arena arena = r->rq.arena;
    th_arena_reset(&arena);
    if (arena.used > 256 * 1024) /* one large request must not stay in memory for ever */
        th_arena_close(&arena);
    memset(r, 0, sizeof *r);
    r->rq.arena = arena;
    pthread_mutex_lock(&server->lock);
    r->next_free = server->free;
    server->free = r;
    pthread_mutex_unlock(&server->lock);
}

static void rq_settle(th_rq *r)
{
    if (!r->open)
        return;
    r->open = false;
    atomic_fetch_sub(&r->server->open, 1);
}

/* What has to happen when the work is done, whether or not anybody is still there to hear of it. */
static void conclude(th_rq *r)
{
    if (r->rq.then) {
        th_handler then = r->rq.then;
        r->rq.then = NULL;
        (void)then(&r->rq);
    }
    if (r->once) {
        r->once = false;
        r->server->options.once_end(r->server->options.once_ctx, &r->rq, th_request_header(&r->rq, "Idempotency-Key"));
    }
}

static void body_release(th_rq *r)
{
    atomic_fetch_sub(&r->server->bodies, r->body_held);
    r->body_held = 0;
}

/* Of what all bodies together may take. */
static bool body_hold(th_rq *r, size_t n)
{
    size_t max = r->server->options.bodies_max ? r->server->options.bodies_max : BODIES_MAX;
    if (atomic_fetch_add(&r->server->bodies, n) + n > max) {
        atomic_fetch_sub(&r->server->bodies, n);
        return false;
    }
    r->body_held += n;
    return true;
}

void th_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode code)
{
    th_rq *r = *con_cls;
    (void)cls;
    (void)connection;
    (void)code;
    if (!r)
        return;
    th_conn_phase(r, TH_CONN_IDLE);
    if (r->open && atomic_load(&r->state) == FINISHED)
        conclude(r); /* the caller went away meanwhile */
    rq_settle(r);
    body_release(r);
    *con_cls = NULL;
    rq_give(r->server, r);
}

/* ---- reading ---- */

th_str th_request_header(const th_request *rq, const char *name)
{
    const th_rq *r = (const th_rq *)rq;
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(r->connection, MHD_HEADER_KIND, name, strlen(name), &value, &n) != MHD_YES)
        return (th_str){NULL, 0};
    return (th_str){value, n};
}

th_str th_request_query(const th_request *rq, const char *name)
{
    const th_rq *r = (const th_rq *)rq;
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &n) != MHD_YES)
        return (th_str){NULL, 0};
    th_str text = {value ? value : "", n};
    return th_utf8_valid(text) && !th_str_has_controls(text) ? text : (th_str){"", 0};
}

th_status th_request_query_int(th_request *rq, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *ret)
{
    th_str text = th_request_query(rq, name);
    if (!text.p) {
        *ret = fallback;
        return TH_OK;
    }
    if (th_parse_i64(text, min, max, ret))
        return TH_OK;
    th_str pointer = th_strf(&rq->arena, "?%s", name);
    return th_fail_field(&rq->error, pointer.p ? pointer.p : "?", "range", "须为范围内的整数", "Must be a whole number within the range");
}

/* Thousandths: "q=0.8" is 800, no q is 1000, what is none of both is 0. */
static int quality_of(th_str parameters)
{
    th_str rest = parameters, one;
    while (rest.n && th_str_cut(&rest, ';', &one)) {
        one = th_str_trim(one);
        if (!th_str_starts(one, "q="))
            continue;
        int thousandths = one.n > 2 && one.p[2] == '1' ? 1000 : 0;
        for (size_t i = 4, place = 100; thousandths < 1000 && i < one.n && place; i++, place /= 10)
            thousandths += one.p[i] >= '0' && one.p[i] <= '9' ? (one.p[i] - '0') * (int)place : 0;
        return thousandths;
    }
    return 1000;
}

/* Of the two that we have, the one that the browser would rather read (RFC 9110 §12.5.4); absent when it wants neither. */
static th_str accept_language(th_str header)
{
    static const char *const ours[] = {"zh", "en"};
    th_str rest = header, range, name;
    int best = 0;
    th_str chosen = {NULL, 0};
    while (rest.n && th_str_cut(&rest, ',', &range)) {
        th_str parameters = range;
        if (!th_str_cut(&parameters, ';', &name))
            continue;
        name = th_str_trim(name);
        int quality = quality_of(parameters);
        for (size_t i = 0; i < TH_COUNT(ours) && quality > best; i++)
            if (name.n >= 2 && strncasecmp(name.p, ours[i], 2) == 0 && (name.n == 2 || name.p[2] == '-')) {
                best = quality;
                chosen = th_str_of(ours[i]);
            }
    }
    return chosen;
}

static void language_choose(th_rq *r)
{
    th_request *rq = &r->rq;
    th_str asked = th_request_query(rq, "lang");
    if (!asked.n) {
        const char *cookie = MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, "tonghui-lang");
        asked = th_str_of(cookie);
    }
    if (!asked.n)
        asked = accept_language(th_request_header(rq, "Accept-Language"));
    memcpy(rq->lang, asked.n >= 2 && strncasecmp(asked.p, "en", 2) == 0 ? "en" : "zh", 3);
}

/* ---- before the body ---- */

static bool refuse(th_rq *r, th_status status, const char *type, const char *zh, const char *en)
{
    th_fail(&r->rq.error, status, type, zh, en);
    (void)th_reply_problem(&r->rq, status, NULL);
    r->refused = true;
    return false;
}

static bool refuse_method(th_rq *r, th_str methods)
{
    r->rq.error.http = 405;
    th_reply_header(&r->rq, "Allow", methods);
    return refuse(r, TH_INVALID, "method", "这个地址不支持该方法", "This address does not take that method");
}

static bool csrf_check(th_rq *r)
{
    th_request *rq = &r->rq;
    if (!rq->who.by_cookie || th_str_is(rq->method, "GET") || th_str_is(rq->method, "HEAD"))
        return true;
    th_str token = th_request_header(rq, "X-CSRF-Token");
    if (token.n && token.n == rq->who.csrf.n && th_equal_secret(token.p, rq->who.csrf.p, token.n))
        return true;
    return refuse(r, TH_FORBIDDEN, "csrf", "缺少防伪令牌，请刷新页面后再试", "The anti-forgery token is missing; reload the page");
}

static bool role_check(th_rq *r)
{
    const th_route *route = r->rq.route;
    if (r->identified)
        return true;
    th_peer_pin_read(r);
    if (r->server->options.authenticate) {
        th_status status = r->server->options.authenticate(r->server->options.authenticate_ctx, &r->rq);
        if (status) {
            (void)th_reply_problem(&r->rq, status, NULL);
            return false;
        }
    }
    if (route->roles != TH_ROLE_ANYONE && !(r->rq.who.roles & route->roles)) {
        if (!r->rq.who.roles)
            return refuse(r, TH_UNAUTHENTICATED, "sign-in", "请先登录", "Please sign in first");
        return refuse(r, TH_FORBIDDEN, "role", "您的角色无权进行此操作", "Your role does not allow this");
    }
    r->identified = csrf_check(r);
    return r->identified;
}

static bool refuse_crowd(th_rq *r)
{
    r->rq.error.retry_after_s = 2;
    return refuse(r, TH_BUSY, "bodies-in-flight", "同时上传的内容过多，请稍后再试", "Too much is being uploaded at this moment; try again shortly");
}

/* A large body, or one of a length that was not said, is read only of somebody who may send it, and while there is room for it. */
static bool body_admit(th_rq *r, th_str length, int64_t said)
{
    bool chunked = !length.p && th_request_header(&r->rq, "Transfer-Encoding").p;
    if (!chunked && said <= BODY_SMALL)
        return true;
    if (!role_check(r))
        return false;
    return chunked || body_hold(r, (size_t)said) || refuse_crowd(r);
}

static bool head_check(th_rq *r, const char *version)
{
    th_request *rq = &r->rq;
    th_buf methods;
    /* Load balancers look at these two as HTTP/1.0 did: without a Host. */
    bool looked_at = strcmp(version, "HTTP/1.0") == 0 && (th_str_is(rq->path, "/healthz") || th_str_is(rq->path, "/readyz"));
    const th_words *fault = th_strict_fault(r->connection, !looked_at);
    th_buf_open(&methods, &rq->arena, 256);
    if (fault) {
        th_fail(&rq->error, TH_INVALID, "framing", th_strf(&rq->arena, "请求报文格式有歧义，已拒绝（%s）", fault->zh).p,
                th_strf(&rq->arena, "The request's framing is refused: %s", fault->en).p);
        (void)th_reply_problem(rq, TH_INVALID, NULL);
        r->refused = true;
        return false;
    }
    const th_mounted *m = th_route_find(r->server, rq->method, rq->path, rq->params, &methods);
    if (!m) {
        if (th_built_in(r) || th_static_serve(r))
            return false;
        if (methods.n)
            return refuse_method(r, th_buf_view(&methods));
        return refuse(r, TH_NOT_FOUND, "no-such-address", "没有这个地址", "There is nothing at this address");
    }
    rq->route = m->route;
    rq->module = m->module;
    r->body_max = m->route->body == TH_BODY_NONE ? 4096 : m->route->body_max ? m->route->body_max : BODY_DEFAULT;
    th_str length = th_request_header(rq, "Content-Length");
    int64_t n = 0;
    if (length.p && th_parse_i64(length, 0, INT64_MAX, &n) && (uint64_t)n > r->body_max)
        return refuse(r, TH_TOO_LARGE, "body-too-large", "请求正文超过上限", "The body is larger than this address takes");
    th_buf_open(&r->body, &rq->arena, r->body_max);
    return body_admit(r, length, n);
}

/* ---- the handler ---- */

/* text/csv; charset="utf-8": nothing else is read, and what nobody decodes must not be taken for what it says. */
static bool charset_fits(th_str type)
{
    th_str rest = type, one, name;
    while (rest.n && th_str_cut(&rest, ';', &one)) {
        if (!memchr(one.p, '=', one.n) || !th_str_cut(&one, '=', &name))
            continue;
        name = th_str_trim(name);
        one = th_str_trim(one);
        if (one.n >= 2 && one.p[0] == '"' && one.p[one.n - 1] == '"')
            one = (th_str){one.p + 1, one.n - 2};
        if (name.n == 7 && strncasecmp(name.p, "charset", 7) == 0 && !(one.n == 5 && strncasecmp(one.p, "utf-8", 5) == 0))
            return false;
    }
    return true;
}

static bool coding_check(th_rq *r)
{
    th_str coding = th_request_header(&r->rq, "Content-Encoding");
    if (coding.p && !(coding.n == 8 && strncasecmp(coding.p, "identity", 8) == 0)) {
        r->rq.error.http = 415;
        th_reply_header(&r->rq, "Accept-Encoding", TH_STR("identity"));
        return refuse(r, TH_INVALID, "content-encoding", "正文不得压缩或另行编码", "The body must not be compressed or encoded otherwise");
    }
    if (!charset_fits(th_request_header(&r->rq, "Content-Type"))) {
        r->rq.error.http = 415;
        return refuse(r, TH_INVALID, "charset", "正文须为 UTF-8", "The body must be UTF-8");
    }
    return true;
}

/* Where nothing is asked for, nothing or {} may come: what is passed over would be taken for heard. */
static bool nothing_brought(th_rq *r)
{
    th_str body = th_str_trim(r->rq.body);
    if (r->rq.route->body != TH_BODY_NONE || !body.n || th_str_is(r->rq.method, "GET") || th_str_is(r->rq.method, "HEAD") || th_str_is(body, "{}"))
        return true;
    return refuse(r, th_fail_field(&r->rq.error, "", "unknown-field", "此处不带正文", "No body is taken here"), "invalid-request",
                  "请求有误，请按所列各项修改", "The request has faults; see the fields named");
}

static bool json_read(th_rq *r)
{
    th_request *rq = &r->rq;
    if (rq->route->body != TH_BODY_JSON)
        return true;
    th_str type = th_request_header(rq, "Content-Type");
    bool json = type.n >= 16 && strncasecmp(type.p, "application/json", 16) == 0 && (type.n == 16 || type.p[16] == ';');
    if (!json) {
        rq->error.http = 415;
        return refuse(r, TH_INVALID, "media-type", "正文须为 application/json", "The body must be application/json");
    }
    th_status status = th_json_parse(rq->body, &rq->arena, &rq->json, &rq->error);
    if (!status && rq->json->type != TH_JSON_OBJECT)
        status = th_fail_field(&rq->error, "", "type", "正文须为 JSON 对象", "The body must be a JSON object");
    if (status)
        (void)th_reply_problem(rq, status, NULL);
    return status == TH_OK;
}

/* A write that was sent before is answered as before. */
static bool once_check(th_rq *r)
{
    th_request *rq = &r->rq;
    th_str key = th_request_header(rq, "Idempotency-Key");
    if (!key.p || !r->server->options.once_begin || !rq->who.account.n || th_str_is(rq->method, "GET") || th_str_is(rq->method, "HEAD"))
        return true;
    r->once = r->server->options.once_begin(r->server->options.once_ctx, rq, key);
    return r->once;
}

static th_handled dispatch(th_rq *r)
{
    th_request *rq = &r->rq;
    if (r->overflowed) {
        refuse(r, TH_TOO_LARGE, "body-too-large", "请求正文超过上限", "The body is larger than this address takes");
        return TH_DONE;
    }
    if (r->crowded) {
        refuse_crowd(r);
        return TH_DONE;
    }
    rq->body = th_buf_view(&r->body);
    if (!role_check(r) || !coding_check(r) || !nothing_brought(r) || !json_read(r) || !once_check(r))
        return TH_DONE;
    return rq->route->handler(rq);
}

static void measure(th_rq *r)
{
    const th_route *route = r->rq.route;
    for (size_t i = 0; route && i < r->server->route_count; i++)
        if (r->server->routes[i].route == route) {
            th_metric_observe_us(r->server->routes[i].seconds, th_now_us(&r->server->env) - r->rq.started_us);
            th_metric_add(r->rq.status < 400 ? r->server->routes[i].ok : r->server->routes[i].failed, 1);
            return;
        }
}

static enum MHD_Result answer(th_rq *r)
{
    conclude(r);
    measure(r);
    rq_settle(r);
    return th_send(r);
}

/* After the whole request: the handler, and either its answer or the wait for it. */
static enum MHD_Result whole(th_rq *r)
{
    int running = RUNNING;
    th_conn_phase(r, TH_CONN_ANSWER);
    r->stage = TH_HANDLED;
    r->rq.started_us = th_now_us(&r->server->env);
    atomic_store(&r->state, RUNNING);
    atomic_fetch_add(&r->server->open, 1);
    r->open = true;
    if (dispatch(r) == TH_DONE || atomic_load(&r->state) == FINISHED)
        return answer(r);
    MHD_suspend_connection(r->connection);
    if (!atomic_compare_exchange_strong(&r->state, &running, SUSPENDED))
        MHD_resume_connection(r->connection); /* finished meanwhile: MHD calls again at once */
    return MHD_YES;
}

void th_request_finish(th_request *rq)
{
    th_rq *r = (th_rq *)rq;
    struct MHD_Connection *connection = r->connection;
    if (atomic_exchange(&r->state, FINISHED) == SUSPENDED)
        MHD_resume_connection(connection);
}

void th_request_finish_all(th_request **rqs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        th_request_finish(rqs[i]);
}

/* ---- what libmicrohttpd calls: at the head, for each piece of body, at the end, and again after a resume ---- */

static th_rq *begin(th_server *server, struct MHD_Connection *connection, const char *url, const char *method)
{
    th_rq *r = rq_take(server);
    if (!r)
        return NULL;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->server = server;
    r->connection = connection;
    r->conn = info ? info->socket_context : NULL;
    r->rq.method = th_str_of(method);
    r->rq.path = th_str_of(url);
    r->rq.status = 200;
    th_uuid7(&server->env, r->rq.id);
    th_buf_open(&r->rq.out, &r->rq.arena, 64u << 20);
    language_choose(r);
    th_conn_phase(r, TH_CONN_BODY);
    return r;
}

enum MHD_Result th_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                          const char *upload, size_t *upload_size, void **con_cls)
{
    th_server *server = cls;
    th_rq *r = *con_cls;
    if (!r) {
        r = begin(server, connection, url, method);
        if (!r)
            return MHD_NO;
        *con_cls = r;
        if (head_check(r, version))
            return MHD_YES;
        /* An answer before the request's end closes the connection. That is meant when a body is still to come, and not otherwise. */
        r->early = !th_request_header(&r->rq, "Content-Length").p && !th_request_header(&r->rq, "Transfer-Encoding").p;
        return r->early ? MHD_YES : th_send(r);
    }
    if (r->early)
        return th_send(r);
    if (r->stage == TH_HANDLED)
        return atomic_load(&r->state) == FINISHED ? answer(r) : MHD_YES;
    if (*upload_size) {
        if (*upload_size > r->body_max - r->body.n) {
            r->overflowed = true;
            return MHD_NO; /* a chunked body beyond its limit: nothing more is read from this connection */
        }
        bool said = th_request_header(&r->rq, "Content-Length").p;
        r->crowded = r->crowded || (!said && !body_hold(r, *upload_size)); /* what comes then is dropped, and its end answered */
        if (!r->crowded)
            th_buf_put(&r->body, upload, *upload_size);
        if (!th_buf_ok(&r->body))
            return MHD_NO;
        *upload_size = 0;
        return MHD_YES;
    }
    return whole(r);
}

/* ---- on a pool ---- */

static void pool_job(void *arg)
{
    th_request *rq = arg;
    th_request_job job = *(th_request_job *)rq->ctx;
    th_status status = job(rq);
    if (status)
        (void)th_reply_problem(rq, status, NULL);
    th_request_finish(rq);
}

th_handled th_request_on_pool(th_request *rq, th_pool *pool, th_request_job job)
{
    th_request_job *kept = pool ? th_alloc(&rq->arena, sizeof *kept) : NULL;
    if (!pool) {
        th_status status = job(rq);
        return status ? th_reply_problem(rq, status, NULL) : TH_DONE;
    }
    if (!kept)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    *kept = job;
    rq->ctx = kept;
    if (th_pool_submit(pool, pool_job, rq))
        return th_reply_problem(rq, th_fail(&rq->error, TH_BUSY, "busy", "本节点繁忙，请稍后再试", "This node is busy; try again shortly"), NULL);
    return TH_LATER;
}
