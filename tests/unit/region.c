/* region.c — keys, trust documents, nodes and the hand that carries between them. */
#include "region.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static const char *const codes[REGION_MAX] = {"110000", "120000", "130000", "133100"};
static const char *const names[REGION_MAX][2] = {{"北京市", "Beijing"}, {"天津市", "Tianjin"}, {"河北省", "Hebei"}, {"雄安新区", "Xiong'an"}};

th_status (*region_http_get)(void *ctx, const char *url, const char *authorization, int timeout_ms, th_arena *arena, th_str *ret_body, th_error *error);

const char *region_dir(void)
{
    return TH_REGION_DIR;
}

void region_open(region *r, size_t n)
{
    *r = (region){.n = n};
    th_arena_open(&r->arena, 64u << 20);
    for (size_t i = 0; i < n; i++) {
        member *m = &r->members[i];
        memcpy(m->code, codes[i], sizeof m->code);
        m->suite = i % 2 ? TH_SUITE_SM2 : TH_SUITE_ED25519;
        assert_int_equal(th_key_make(m->suite, &m->message), TH_OK);
        assert_int_equal(th_key_make(m->suite, &m->journal), TH_OK);
        assert_int_equal(th_key_make(i % 2 ? TH_SUITE_ED25519 : TH_SUITE_SM2, &m->governor), TH_OK);
        th_str pin = th_base64(&r->arena, th_key_public(m->message).p, 32);
        snprintf(m->pin, sizeof m->pin, "sha256/%.*s", TH_FMT(pin));
    }
}

void region_close(region *r)
{
    for (size_t i = 0; i < r->n; i++) {
        th_key_close(r->members[i].message);
        th_key_close(r->members[i].journal);
        th_key_close(r->members[i].governor);
    }
    th_arena_close(&r->arena);
}

/* ---- documents ---- */

static void key_write(region *r, th_pen *pen, const th_key *key)
{
    char kid[TH_KID_TEXT];
    th_kid_of(key, kid);
    th_pen_ktext(pen, "kid", kid);
    th_pen_ktext(pen, "suite", th_suite_name(th_key_suite(key)));
    th_pen_kstr(pen, "public", th_base64url(&r->arena, th_key_public(key).p, th_key_public(key).n));
}

static void member_key_write(region *r, th_pen *pen, const th_key *key, const char *use, const terms *t)
{
    th_pen_object(pen);
    key_write(r, pen, key);
    th_pen_ktext(pen, "use", use);
    th_pen_ktime(pen, "not_before", t->key_from_us);
    th_pen_ktime(pen, "not_after", t->key_until_us);
    th_pen_end(pen, '}');
}

static void member_write(region *r, th_pen *pen, size_t i, const terms *t)
{
    const member *m = &r->members[i];
    th_pen_object(pen);
    th_pen_ktext(pen, "code", m->code);
    th_pen_kwords(pen, "name", names[i][0], names[i][1]);
    th_pen_kstr(pen, "peer", th_strf(&r->arena, "https://peer.%s.test", m->code));
    th_pen_kstr(pen, "portal", th_strf(&r->arena, "https://portal.%s.test", m->code));
    th_pen_key(pen, "keys");
    th_pen_array(pen);
    member_key_write(r, pen, m->message, "message", t);
    member_key_write(r, pen, m->journal, "journal", t);
    th_pen_end(pen, ']');
    th_pen_key(pen, "tls");
    th_pen_array(pen);
    th_pen_text(pen, m->pin);
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

static terms filled(const region *r, const terms *given)
{
    terms t = given ? *given : (terms){0};
    t.region = t.region ? t.region : "jingjinji";
    t.version = t.version ? t.version : 1;
    t.members = t.members ? t.members : r->n;
    t.governors = t.governors ? t.governors : r->n - t.first_governor;
    t.threshold = t.threshold ? t.threshold : t.governors > 1 ? 2 : 1;
    t.issued_us = t.issued_us ? t.issued_us : BENCH_NOW_US - TH_DAY_US;
    t.expires_us = t.expires_us ? t.expires_us : BENCH_NOW_US + 365 * TH_DAY_US;
    t.key_from_us = t.key_from_us ? t.key_from_us : t.issued_us;
    t.key_until_us = t.key_until_us ? t.key_until_us : t.expires_us;
    t.suspended = t.suspended ? t.suspended : "[]";
    return t;
}

th_str region_signed(region *r, const terms *given)
{
    terms t = filled(r, given);
    th_buf buf;
    th_buf_open(&buf, &r->arena, 1 << 20);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "region", t.region);
    th_pen_kwords(&pen, "name", "京津冀", "Beijing-Tianjin-Hebei");
    th_pen_kint(&pen, "version", t.version);
    th_pen_ktime(&pen, "issued", t.issued_us);
    th_pen_ktime(&pen, "expires", t.expires_us);
    th_pen_key(&pen, "governors");
    th_pen_object(&pen);
    th_pen_kint(&pen, "threshold", t.threshold);
    th_pen_key(&pen, "keys");
    th_pen_array(&pen);
    for (size_t i = t.first_governor; i < t.first_governor + t.governors; i++) {
        th_pen_object(&pen);
        key_write(r, &pen, r->members[i].governor);
        th_pen_ktext(&pen, "holder", r->members[i].code);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "members");
    th_pen_array(&pen);
    for (size_t i = 0; i < t.members; i++)
        member_write(r, &pen, i, &t);
    th_pen_end(&pen, ']');
    th_pen_kraw(&pen, "suspended", th_str_of(t.suspended));
    th_pen_end(&pen, '}');
    assert_true(th_buf_ok(&buf));
    return th_buf_view(&buf);
}

th_str region_document(region *r, const terms *t, unsigned signers)
{
    th_str document;
    th_error error = {0};
    MUST(th_trust_propose(region_signed(r, t), &r->arena, &document, &error), &error);
    for (size_t i = 0; i < r->n; i++)
        if (signers >> i & 1)
            MUST(th_trust_sign(document, r->members[i].governor, &r->arena, &document, &error), &error);
    return document;
}

th_trust *region_trust(region *r)
{
    th_trust *trust;
    th_error error = {0};
    MUST(th_trust_read(region_document(r, NULL, ~0u), &trust, &error), &error);
    return trust;
}

th_str region_grant(region *r, const char *id, size_t provider, size_t consumer, const char *reg, const char *operation, const char *fields,
                    const char *purposes, const char *consent)
{
    return th_strf(&r->arena,
                   "{\"id\":\"%s\",\"provider\":\"%s\",\"register\":\"%s\",\"operation\":\"%s\",\"fields\":%s,\"consumer\":{\"member\":\"%s\"},"
                   "\"purposes\":%s,\"basis\":{\"zh\":\"协议第三条\",\"en\":\"agreement\"},\"consent\":\"%s\",\"not_before\":\"2026-01-01T00:00:00Z\","
                   "\"not_after\":\"2027-01-01T00:00:00Z\"}",
                   id, r->members[provider].code, reg, operation, fields, r->members[consumer].code, purposes, consent);
}

/* ---- nodes ---- */

static void woken(void *ctx, const char *peer)
{
    (void)peer;
    ((node *)ctx)->wakes++;
}

static void exchange_open(node *n)
{
    th_exchange_options options = {.code = n->me->code, .store = n->b.store, .env = &n->b.env, .message_key = n->me->message,
                                   .journal_key = n->me->journal, .wake = woken, .wake_ctx = n};
    memcpy(options.secret, n->secret, sizeof options.secret);
    MUST(th_exchange_open(&options, &n->ex, &n->b.error), &n->b.error);
    th_writer_hooks hooks = th_exchange_hooks(n->ex);
    MUST(th_writer_open(n->b.store, &hooks, n->threaded, 0, &n->writer, &n->b.error), &n->b.error);
    th_exchange_writer_set(n->ex, n->writer);
}

static void store_make(node *n)
{
    MUST(th_store_migrate(n->b.store, "journal", th_journal_schema(), &n->b.error), &n->b.error);
    MUST(th_store_migrate(n->b.store, "exchange", th_exchange_schema(), &n->b.error), &n->b.error);
    MUST(th_store_migrate(n->b.store, "people", th_people_schema(), &n->b.error), &n->b.error);
    MUST(th_store_migrate(n->b.store, "records", th_records_schema(), &n->b.error), &n->b.error);
    MUST(th_store_migrate(n->b.store, "cases", th_cases_schema(), &n->b.error), &n->b.error);
}

static void begin(node *n, region *r, size_t i, bool pg)
{
    *n = (node){.r = r, .me = &r->members[i]};
    bench_open(&n->b, pg);
    n->b.clock.seed += i;
    memset(n->secret, (int)(i + 1), sizeof n->secret);
    store_make(n);
}

void node_open(node *n, region *r, size_t i, bool pg, bool trusted)
{
    begin(n, r, i, pg);
    exchange_open(n);
    if (trusted)
        MUST(th_exchange_trust_apply(n->ex, region_document(r, NULL, ~0u), &n->b.error), &n->b.error);
}

/* A region of the tests' own says only what it changes. */
static th_str file_or_regions(node *n, const char *dir, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (access(path, R_OK) != 0)
        snprintf(path, sizeof path, "%s/%s", region_dir(), name);
    return bench_read(&n->b, path);
}

static void cases_open(node *n, const char *dir)
{
    th_case_file files[16];
    size_t count = 0;
    char command[2400], list[1200], line[900];
    snprintf(list, sizeof list, "%s/items.list", n->b.dir);
    snprintf(command, sizeof command, "ls %s/items/*.json >%s 2>/dev/null; true", dir, list);
    bench_shell("%s", command);
    FILE *names_file = fopen(list, "re");
    assert_non_null(names_file);
    while (fgets(line, sizeof line, names_file) && count < 16) {
        line[strcspn(line, "\n")] = 0;
        files[count].name = th_str_keep(&n->b.arena, th_str_of(line));
        files[count++].text = bench_read(&n->b, line);
    }
    fclose(names_file);
    th_cases_options options = {.code = n->me->code, .items = files, .item_count = count, .any_item = true, .calendar = file_or_regions(n, dir, "calendar/working-days.json"),
                                .clocks = file_or_regions(n, dir, "clocks.json"), .machine = file_or_regions(n, dir, "cases.json"), .store = n->b.store, .writer = n->writer,
                                .env = &n->b.env, .message_key = n->me->message, .exchange = n->ex};
    memcpy(options.secret, n->secret, sizeof options.secret);
    MUST(th_cases_open(&options, &n->cases, &n->b.error), &n->b.error);
}

static th_status authenticate(void *ctx, th_request *rq)
{
    return th_people_authenticate(ctx, rq);
}

static void listen_now(node *n)
{
    th_server_options options = {.address = "127.0.0.1", .env = &n->b.env, .threads = 2, .authenticate = authenticate, .authenticate_ctx = n->people,
                                 .once_begin = th_people_once_begin, .once_end = th_people_once_end, .once_ctx = n->people};
    const struct { const char *tag; const th_route *(*routes)(size_t *); void *module; const char *(*schemas)(void); } parts[] = {
        {"people", th_people_routes, n->people, th_people_schemas}, {"exchange", th_exchange_routes, n->ex, th_exchange_schemas},
        {"records", th_records_routes, n->records, th_records_schemas}, {"cases", th_cases_routes, n->cases, th_cases_schemas}};
    MUST(th_server_open(&options, &n->server, &n->b.error), &n->b.error);
    for (size_t i = 0; i < TH_COUNT(parts); i++) {
        size_t count;
        const th_route *routes = parts[i].routes(&count);
        MUST(th_server_mount(n->server, parts[i].tag, routes, count, parts[i].module, parts[i].schemas(), &n->b.error), &n->b.error);
    }
    MUST(th_server_start(n->server, &n->b.error), &n->b.error);
    snprintf(n->origin, sizeof n->origin, "http://127.0.0.1:%u", th_server_port(n->server));
}

void node_open_whole(node *n, region *r, size_t i, bool pg, const char *dir, bool listening)
{
    begin(n, r, i, pg);
    n->threaded = listening;
    exchange_open(n);
    assert_int_equal(th_pool_open(2, 100, &n->pool), TH_OK);
    th_people_options people = {.store = n->b.store, .writer = n->writer, .pool = n->pool, .env = &n->b.env, .cookie_suffix = n->me->code};
    memcpy(people.secret, n->secret, sizeof people.secret);
    MUST(th_people_open(&people, &n->people, &n->b.error), &n->b.error);
    dir = dir ? dir : region_dir();
    th_records_options records = {.code = n->me->code, .region_dir = dir, .store = n->b.store, .writer = n->writer, .pool = n->pool, .env = &n->b.env, .http_get = region_http_get};
    memcpy(records.secret, n->secret, sizeof records.secret);
    MUST(th_records_open(&records, &n->records, &n->b.error), &n->b.error);
    MUST(th_records_attach(n->records, n->ex, &n->b.error), &n->b.error);
    cases_open(n, dir);
    MUST(th_exchange_trust_apply(n->ex, region_document(r, NULL, ~0u), &n->b.error), &n->b.error);
    if (listening)
        listen_now(n);
}

static void parts_close(node *n)
{
    if (n->server) {
        th_server_drain(n->server, 1);
        th_server_close(n->server);
    }
    th_pool_close(n->pool);
    th_writer_close(n->writer);
    th_cases_close(n->cases);
    th_records_close(n->records);
    th_people_close(n->people);
    th_exchange_close(n->ex);
}

void node_reopen(node *n)
{
    parts_close(n);
    n->pool = NULL;
    n->records = NULL;
    n->people = NULL;
    n->cases = NULL;
    n->server = NULL;
    exchange_open(n);
}

void node_reopen_cases(node *n, const char *dir)
{
    node_reopen(n);
    cases_open(n, dir);
}

void node_close(node *n)
{
    parts_close(n);
    bench_close(&n->b);
}

void node_settle(node *n)
{
    while (!n->threaded && th_writer_step(n->writer)) {
    }
}

/* ---- carrying ---- */

static void arrived(th_incoming *in)
{
    atomic_store((atomic_bool *)in->ctx, true);
}

bool carry(node *from, node *to, carry_hook hook, void *ctx)
{
    atomic_bool done = false;
    th_outgoing *out = th_exchange_next(from->ex, to->me->code);
    node_settle(from);
    if (!out)
        return false;
    th_incoming in = {.request = out->wire, .done = arrived, .ctx = &done};
    memcpy(in.request.pin, from->me->pin, sizeof in.request.pin);
    th_arena_open(&in.arena, 96u << 20);
    if (hook && !hook(ctx, &in.request, NULL)) {
        th_exchange_failed(from->ex, out, TH_UNAVAILABLE, NULL);
    } else {
        th_exchange_receive(to->ex, &in);
        while (!atomic_load(&done)) {
            if (to->threaded)
                usleep(20);
            else
                th_writer_step(to->writer);
        }
        th_incoming_finish(to->ex, &in);
        if (hook && !hook(ctx, &in.request, &in.answer))
            th_exchange_failed(from->ex, out, TH_TIMEOUT, NULL);
        else
            th_exchange_answered(from->ex, out, &in.answer);
    }
    th_arena_close(&in.arena);
    node_settle(to);
    node_settle(from);
    return true;
}

void settle(node **nodes, size_t n)
{
    for (int idle = 0, rounds = 0; idle < 2 && rounds < 1000; rounds++) {
        bool moved = false;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                while (carry(nodes[i], nodes[k], NULL, NULL))
                    moved = true;
        idle = moved ? 0 : idle + 1;
    }
}

static struct { pthread_t thread; node *nodes[REGION_MAX]; size_t n; atomic_bool ending; } pump;

static void *pump_run(void *arg)
{
    (void)arg;
    while (!atomic_load(&pump.ending)) {
        bool moved = false;
        for (size_t i = 0; i < pump.n; i++)
            for (size_t k = 0; k < pump.n; k++)
                moved = carry(pump.nodes[i], pump.nodes[k], NULL, NULL) || moved;
        if (!moved)
            usleep(300);
    }
    return NULL;
}

void pump_start(node **nodes, size_t n)
{
    memcpy(pump.nodes, nodes, n * sizeof *nodes);
    pump.n = n;
    atomic_store(&pump.ending, false);
    assert_int_equal(pthread_create(&pump.thread, NULL, pump_run, NULL), 0);
}

void pump_end(void)
{
    atomic_store(&pump.ending, true);
    pthread_join(pump.thread, NULL);
}

/* ---- HTTP ---- */

typedef struct receiving { reply *to; th_buf body; browser *w; } receiving;

static size_t body_take(char *bytes, size_t size, size_t n, void *ctx)
{
    th_buf_put(&((receiving *)ctx)->body, bytes, size * n);
    return size * n;
}

static void value_copy(char *to, size_t room, const char *line, size_t n)
{
    th_str value = th_str_trim((th_str){line, n});
    snprintf(to, room, "%.*s", TH_FMT(value));
}

static size_t head_take(char *line, size_t size, size_t n, void *ctx)
{
    receiving *r = ctx;
    const char *colon = memchr(line, ':', size * n);
    if (!colon)
        return size * n;
    size_t name = (size_t)(colon - line), rest = size * n - name - 1;
    const struct { const char *name; char *to; size_t room; } wanted[] = {
        {"content-type", r->to->type, sizeof r->to->type}, {"etag", r->to->etag, sizeof r->to->etag}, {"retry-after", r->to->retry, sizeof r->to->retry},
        {"content-disposition", r->to->disposition, sizeof r->to->disposition}, {"set-cookie", r->to->cookie, sizeof r->to->cookie},
        {"idempotency-replayed", r->to->replayed, sizeof r->to->replayed}};
    for (size_t i = 0; i < TH_COUNT(wanted); i++)
        if (name == strlen(wanted[i].name) && strncasecmp(line, wanted[i].name, name) == 0)
            value_copy(wanted[i].to, wanted[i].room, colon + 1, rest);
    if (name == 10 && strncasecmp(line, "set-cookie", 10) == 0 && strncmp(colon + 2, "tonghui-1", 9) == 0) {
        const char *end = memchr(colon, ';', rest);
        value_copy(r->w->cookie, sizeof r->w->cookie, colon + 1, end ? (size_t)(end - colon - 1) : rest);
    }
    return size * n;
}

reply call_as(browser *w, const char *method, const char *path, const char *body, const char *content_type)
{
    reply got = {0};
    receiving r = {.to = &got, .w = w};
    struct curl_slist *headers = NULL;
    char url[1200], text[300];
    long code = 0;
    CURL *curl = curl_easy_init();
    th_buf_open(&r.body, &w->n->b.arena, 64u << 20);
    snprintf(url, sizeof url, "%s%s", w->n->origin, path);
    snprintf(text, sizeof text, "Content-Type: %s", content_type);
    headers = curl_slist_append(headers, body ? text : "Accept: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (w->csrf[0]) {
        snprintf(text, sizeof text, "X-CSRF-Token: %s", w->csrf);
        headers = curl_slist_append(headers, text);
    }
    if (w->key[0]) {
        snprintf(text, sizeof text, "Authorization: Bearer %s", w->key);
        headers = curl_slist_append(headers, text);
    }
    if (w->once[0]) {
        snprintf(text, sizeof text, "Idempotency-Key: %s", w->once);
        headers = curl_slist_append(headers, text);
    }
    if (w->lang[0]) {
        snprintf(text, sizeof text, "Accept-Language: %s", w->lang);
        headers = curl_slist_append(headers, text);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, head_take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &r);
    if (w->cookie[0])
        curl_easy_setopt(curl, CURLOPT_COOKIE, w->cookie);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    }
    CURLcode outcome = curl_easy_perform(curl);
    if (outcome != CURLE_OK)
        fail_msg("%s %s: %s", method, path, curl_easy_strerror(outcome));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    got.http = (int)code;
    got.body = th_buf_view(&r.body);
    if (th_json_parse(got.body, &w->n->b.arena, &got.json, NULL))
        got.json = NULL;
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return got;
}

reply call(browser *w, const char *method, const char *path, const char *body)
{
    return call_as(w, method, path, body, "application/json");
}

reply http_is(reply got, int code, const char *problem, const char *file, int line)
{
    th_str type = th_json_str(got.json, "type");
    static const char prefix[] = "urn:tonghui:problem:";
    bool fits = got.http == code && (!problem || (th_str_starts(type, prefix) && th_str_is((th_str){type.p + sizeof prefix - 1, type.n - sizeof prefix + 1}, problem)));
    if (fits)
        return got;
    print_message("%s:%d: wanted %d %s, got %d %.*s\n", file, line, code, problem ? problem : "", got.http, TH_FMT(got.body));
    fail();
    return got;
}

void sign_in(browser *w, node *n, const char *login, const char *password)
{
    char body[300];
    *w = (browser){.n = n};
    snprintf(body, sizeof body, "{\"login\":\"%s\",\"password\":\"%s\"}", login, password);
    reply got = HTTP(call(w, "POST", "/people/v1/session", body), 200, NULL);
    th_str csrf = th_json_str(got.json, "csrf");
    assert_true(csrf.n > 0 && w->cookie[0]);
    snprintf(w->csrf, sizeof w->csrf, "%.*s", TH_FMT(csrf));
}
