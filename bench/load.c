/* load.c — a light closed loop of outside callers: one thread, one epoll, keep-alive, no parsing beyond what proves the answer.
 *
 * Every connection sends one ask, waits for its whole answer, looks whether everything in it matched, and sends the next. The
 * callers share two cores with what they measure, so their own processor time is reported too. After the warm-up the clock, the
 * processor time and the memory of the watched processes are read at both ends of the window. One JSON line goes to stdout.
 *
 * load --port P --key KEY --people FILE.jsonl --provider CODE [--batch K] [--connections N] [--warmup S] [--seconds S]
 *      [--every S: a line for each such stretch too] [--watch PID[,PID…]] [--save FILE: the body of the window's first answer] */
#include "platform/base/base.h"
#include "platform/base/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PEOPLE_MAX = 1000000,
    CONNECTIONS_MAX = 4096,
    WATCH_MAX = 8,
    ASK_MAX = 512,      /* bytes of one ask */
    ANSWER_MAX = 4 << 20,
    SUB_BUCKETS = 64,   /* an octave: latencies are known to 1.6 % */
    BUCKETS = 30 * SUB_BUCKETS,
};

typedef struct person { /* one register entry of whom is asked */
    char id[19], name[28];
} person;

typedef struct caller {
    int fd;
    char *out, *in;
    size_t out_n, out_at, in_n, in_room;
    size_t want; /* bytes of the whole answer once its head was read; 0 = not yet known */
    bool waits_to_write;
    int64_t sent_us;
} caller;

typedef struct process {
    int pid;
    int64_t cpu_us, rss_kb, anon_kb;
} process;

typedef struct tally { /* of the window, or of one stretch of it */
    int64_t from_us, answers, bytes_out, bytes_in, max_us, longest_gap_us;
    int64_t buckets[BUCKETS];
    int64_t own_cpu_us;
    process before[WATCH_MAX];
} tally;

typedef struct load {
    const char *key, *provider, *save;
    int64_t port, batch, connections, warmup_s, seconds, every_s;
    person *people;
    size_t people_n;
    caller *callers;
    int epoll;
    uint64_t random;
    bool measuring;
    tally whole, stretch;
    int64_t failures, last_answer_us;
    int watched[WATCH_MAX];
    size_t watched_n;
    char first_failure[200];
} load;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    return 1;
}

/* ---- people ---- */

static bool text_of(const char *line, const char *key, char *to, size_t room)
{
    const char *at = strstr(line, key);
    const char *end = at ? strchr(at + strlen(key), '"') : NULL;
    if (!end || (size_t)(end - at) - strlen(key) >= room)
        return false;
    size_t n = (size_t)(end - at) - strlen(key);
    memcpy(to, at + strlen(key), n);
    to[n] = 0;
    return true;
}

/* Evenly over the whole file, so that asks fall over the whole store. */
static int people_read(load *l, const char *path)
{
    char line[4096];
    int64_t lines = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(path);
    while (fgets(line, sizeof line, file))
        lines++;
    rewind(file);
    int64_t step = lines / PEOPLE_MAX + 1;
    l->people = th_new((size_t)(lines / step + 1) * sizeof *l->people);
    for (int64_t i = 0; l->people && fgets(line, sizeof line, file); i++) {
        person *p = &l->people[l->people_n];
        if (i % step == 0 && text_of(line, "\"id_number\":\"", p->id, sizeof p->id) && text_of(line, "\"name\":\"", p->name, sizeof p->name))
            l->people_n++;
    }
    fclose(file);
    errno = 0;
    return l->people_n ? 0 : fail("no people in the file");
}

static const person *somebody(load *l)
{
    l->random ^= l->random << 13; /* xorshift64: Marsaglia 2003 */
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return &l->people[l->random % l->people_n];
}

/* ---- asking ---- */

static char *text_put(char *to, const char *text)
{
    size_t n = strlen(text);
    memcpy(to, text, n);
    return to + n;
}

static char *ask_put(load *l, char *to)
{
    const person *p = somebody(l);
    to = text_put(to, "{\"provider\":\"");
    to = text_put(to, l->provider);
    to = text_put(to, "\",\"register\":\"population\",\"operation\":\"verify\",\"key\":{\"id_number\":\"");
    to = text_put(to, p->id);
    to = text_put(to, "\"},\"claims\":{\"name\":\"");
    to = text_put(to, p->name);
    return text_put(to, "\",\"status\":\"normal\"},\"purpose\":{\"item\":\"identity-check\"}}");
}

/* The head has a fixed width, so that the body can be written behind it before its length is known. */
static void request_make(load *l, caller *c)
{
    char head[320];
    int n = snprintf(head, sizeof head,
                     "POST /exchange/v1/ask%s HTTP/1.1\r\nHost: 127.0.0.1:%lld\r\nAuthorization: Bearer %s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %8d\r\n\r\n",
                     l->batch ? ":batch" : "", (long long)l->port, l->key, 0);
    char *body = c->out + n, *at = body;
    if (l->batch) {
        at = text_put(at, "{\"asks\":[");
        for (int64_t i = 0; i < l->batch; i++) {
            if (i)
                *at++ = ',';
            at = ask_put(l, at);
        }
        at = text_put(at, "]}");
    } else {
        at = ask_put(l, at);
    }
    memcpy(c->out, head, (size_t)n);
    char length[12];
    int digits = snprintf(length, sizeof length, "%d", (int)(at - body));
    memcpy(body - 4 - digits, length, (size_t)digits); /* white space may stand before a field's value */
    c->out_n = (size_t)(at - c->out);
    c->out_at = 0;
}

static void failed(load *l, const char *what, th_str answer)
{
    if (!l->failures++)
        snprintf(l->first_failure, sizeof l->first_failure, "%s: %.*s", what, (int)(answer.n < 150 ? answer.n : 150), answer.p ? answer.p : "");
}

static int watch_writing(load *l, caller *c, bool on)
{
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0u), .data.ptr = c};
    c->waits_to_write = on;
    return epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static int request_send(load *l, caller *c)
{
    while (c->out_at < c->out_n) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return c->waits_to_write ? 0 : watch_writing(l, c, true);
        if (n < 0)
            return fail("send");
        c->out_at += (size_t)n;
    }
    return c->waits_to_write ? watch_writing(l, c, false) : 0;
}

static int next_ask(load *l, caller *c)
{
    request_make(l, c);
    c->in_n = c->want = 0;
    c->sent_us = now_us();
    return request_send(l, c);
}

/* ---- answers ---- */

static size_t matches_in(th_str body)
{
    static const char match[] = "\"results\":{\"name\":\"match\",\"status\":\"match\"}";
    size_t found = 0;
    for (const char *at = body.p, *end = body.p + body.n; (at = memmem(at, (size_t)(end - at), match, sizeof match - 1)); found++)
        at += sizeof match - 1;
    return found;
}

static size_t bucket_of(int64_t us)
{
    int octave = 0;
    while (us >> octave >= 2 * SUB_BUCKETS)
        octave++;
    size_t bucket = (size_t)octave * SUB_BUCKETS + (size_t)(us >> octave);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static int64_t bucket_us(size_t bucket)
{
    if (bucket < 2 * SUB_BUCKETS)
        return (int64_t)bucket;
    size_t octave = bucket / SUB_BUCKETS - 1;
    return (int64_t)(bucket - octave * SUB_BUCKETS) << octave;
}

static void count(tally *t, const caller *c, int64_t took_us, int64_t gap_us)
{
    t->answers++;
    t->bytes_out += (int64_t)c->out_n;
    t->bytes_in += (int64_t)c->want;
    t->buckets[bucket_of(took_us)]++;
    t->max_us = took_us > t->max_us ? took_us : t->max_us;
    t->longest_gap_us = gap_us > t->longest_gap_us ? gap_us : t->longest_gap_us;
}

static void answer_save(load *l, th_str body)
{
    FILE *file = fopen(l->save, "we");
    if (file) {
        fwrite(body.p, 1, body.n, file);
        fclose(file);
    }
    l->save = NULL;
}

static void answered(load *l, const caller *c, size_t head_n)
{
    int64_t now = now_us();
    th_str body = {c->in + head_n, c->want - head_n};
    size_t wanted = l->batch ? (size_t)l->batch : 1;
    if (memcmp(c->in, "HTTP/1.1 200", 12) != 0 || matches_in(body) != wanted)
        failed(l, "answer", body);
    if (!l->measuring)
        return;
    if (l->save)
        answer_save(l, body);
    count(&l->whole, c, now - c->sent_us, now - l->last_answer_us);
    if (l->every_s)
        count(&l->stretch, c, now - c->sent_us, now - l->last_answer_us);
    l->last_answer_us = now;
}

static bool head_read(caller *c, size_t *ret_head_n)
{
    char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    if (!end)
        return false;
    *ret_head_n = (size_t)(end - c->in) + 4;
    *end = 0;
    const char *length = strcasestr(c->in, "\r\nContent-Length:");
    *end = '\r';
    int64_t n;
    const char *stop = length ? memchr(length + 2, '\r', (size_t)(end + 1 - length - 2)) : NULL;
    if (stop && th_parse_i64(th_str_trim((th_str){length + 17, (size_t)(stop - length - 17)}), 0, ANSWER_MAX, &n))
        c->want = *ret_head_n + (size_t)n;
    return c->want != 0;
}

static int answer_take(load *l, caller *c)
{
    size_t head_n = 0;
    ssize_t n = recv(c->fd, c->in + c->in_n, c->in_room - c->in_n, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return fail("the server closed a connection");
    c->in_n += (size_t)n;
    if (c->want && c->in_n < c->want)
        return 0;
    if (!head_read(c, &head_n) || c->in_n < c->want)
        return 0;
    answered(l, c, head_n);
    return next_ask(l, c);
}

/* ---- the window ---- */

/* Processor time in ticks of 10 ms: fine over seconds. */
static void process_read(int pid, process *p)
{
    char path[64], text[1024], line[200];
    long long user = 0, system = 0;
    *p = (process){.pid = pid};
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(text, sizeof text, file)) {
        const char *at = strrchr(text, ')');
        if (at && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &user, &system) == 2)
            p->cpu_us = (user + system) * 1000000 / sysconf(_SC_CLK_TCK);
    }
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        long long kb;
        if (sscanf(line, "VmRSS: %lld", &kb) == 1)
            p->rss_kb = kb;
        if (sscanf(line, "RssAnon: %lld", &kb) == 1)
            p->anon_kb = kb;
    }
    if (file)
        fclose(file);
}

static int64_t own_cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static int64_t quantile_us(const tally *t, double q)
{
    int64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += t->buckets[i];
        if (seen && (double)seen >= q * (double)t->answers)
            return bucket_us(i);
    }
    return t->max_us;
}

static void tally_begin(const load *l, tally *t)
{
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < l->watched_n; i++)
        process_read(l->watched[i], &t->before[i]);
    t->own_cpu_us = own_cpu_us();
    t->from_us = now_us();
}

static void tally_report(const load *l, const tally *t, const char *kind)
{
    th_arena arena;
    th_buf buf;
    int64_t per = l->batch ? l->batch : 1, took = now_us() - t->from_us, own = own_cpu_us() - t->own_cpu_us;
    int64_t silence = now_us() - l->last_answer_us; /* that has not ended yet counts too */
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "of", kind);
    th_pen_kint(&pen, "answers", t->answers);
    th_pen_kint(&pen, "verifies", t->answers * per);
    th_pen_kint(&pen, "failures", l->failures);
    th_pen_ktext(&pen, "first_failure", l->first_failure);
    th_pen_kint(&pen, "took_us", took);
    th_pen_kint(&pen, "p50_us", quantile_us(t, 0.5));
    th_pen_kint(&pen, "p99_us", quantile_us(t, 0.99));
    th_pen_kint(&pen, "p999_us", quantile_us(t, 0.999));
    th_pen_kint(&pen, "max_us", t->max_us);
    th_pen_kint(&pen, "longest_gap_us", silence > t->longest_gap_us ? silence : t->longest_gap_us);
    th_pen_kint(&pen, "bytes_out", t->bytes_out);
    th_pen_kint(&pen, "bytes_in", t->bytes_in);
    th_pen_kint(&pen, "own_cpu_us", own);
    th_pen_key(&pen, "processes");
    th_pen_array(&pen);
    for (size_t i = 0; i < l->watched_n; i++) {
        process now;
        process_read(l->watched[i], &now);
        th_pen_object(&pen);
        th_pen_kint(&pen, "pid", now.pid);
        th_pen_kint(&pen, "cpu_us", now.cpu_us - t->before[i].cpu_us);
        th_pen_kint(&pen, "rss_before_kb", t->before[i].rss_kb);
        th_pen_kint(&pen, "rss_after_kb", now.rss_kb);
        th_pen_kint(&pen, "anon_before_kb", t->before[i].anon_kb);
        th_pen_kint(&pen, "anon_after_kb", now.anon_kb);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    printf("%.*s\n", (int)buf.n, buf.p);
    fflush(stdout);
    th_arena_close(&arena);
}

static int callers_open(load *l)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t asks = l->batch ? (size_t)l->batch : 1;
    l->callers = th_new((size_t)l->connections * sizeof *l->callers);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int64_t i = 0; i < l->connections; i++) {
        caller *c = &l->callers[i];
        int on = 1;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        c->out = th_new(512 + asks * ASK_MAX);
        c->in_room = asks * 4096 + 4096;
        c->in = th_new(c->in_room);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        if (c->fd < 0 || !c->out || !c->in || connect(c->fd, (struct sockaddr *)&to, sizeof to) ||
            setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e))
            return fail("connect");
    }
    return 0;
}

static int run_until(load *l, int64_t end_us)
{
    struct epoll_event events[256];
    for (int64_t now = now_us(); now < end_us; now = now_us()) {
        int n = epoll_wait(l->epoll, events, 256, (int)((end_us - now) / 1000 + 1));
        for (int i = 0; i < n; i++) {
            caller *c = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) && request_send(l, c))
                return 1;
            if ((events[i].events & ~(uint32_t)EPOLLOUT) && answer_take(l, c))
                return 1;
        }
    }
    return 0;
}

static int run(load *l)
{
    if (callers_open(l))
        return 1;
    for (int64_t i = 0; i < l->connections; i++)
        if (next_ask(l, &l->callers[i]))
            return 1;
    if (run_until(l, now_us() + l->warmup_s * 1000000))
        return 1;
    tally_begin(l, &l->whole);
    l->last_answer_us = l->whole.from_us;
    l->measuring = true;
    int64_t end = l->whole.from_us + l->seconds * 1000000;
    for (int64_t at = l->whole.from_us; l->every_s && at < end;) {
        tally_begin(l, &l->stretch);
        at += l->every_s * 1000000;
        if (run_until(l, at < end ? at : end))
            return 1;
        tally_report(l, &l->stretch, "stretch");
    }
    if (run_until(l, end))
        return 1;
    tally_report(l, &l->whole, "window");
    return 0;
}

static void watch_read(load *l, const char *text)
{
    th_str rest = th_str_of(text), one;
    int64_t pid;
    while (th_str_cut(&rest, ',', &one) && l->watched_n < WATCH_MAX)
        if (th_parse_i64(one, 1, INT32_MAX, &pid))
            l->watched[l->watched_n++] = (int)pid;
}

int main(int argc, char **argv)
{
    static load l = {.connections = 64, .warmup_s = 1, .seconds = 5, .random = UINT64_C(88172645463325252)};
    const char *people = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        const struct { const char *name; int64_t *to; int64_t max; } numbers[] = {
            {"--port", &l.port, 65535},          {"--batch", &l.batch, 1000},      {"--connections", &l.connections, CONNECTIONS_MAX},
            {"--warmup", &l.warmup_s, 3600},     {"--seconds", &l.seconds, 86400},
            {"--every", &l.every_s, 86400},
        };
        bool known = false;
        for (size_t k = 0; k < TH_COUNT(numbers); k++)
            if (strcmp(name, numbers[k].name) == 0)
                known = th_parse_i64(th_str_of(value), 0, numbers[k].max, numbers[k].to);
        const struct { const char *name; const char **to; } texts[] = {
            {"--key", &l.key}, {"--provider", &l.provider}, {"--people", &people}, {"--save", &l.save}};
        for (size_t k = 0; k < TH_COUNT(texts); k++)
            if (strcmp(name, texts[k].name) == 0) {
                *texts[k].to = value;
                known = true;
            }
        if (strcmp(name, "--watch") == 0) {
            watch_read(&l, value);
            known = true;
        }
        if (!known) {
            fprintf(stderr, "load: %s %s is not understood\n", name, value);
            return 2;
        }
    }
    if (!l.port || !l.key || !l.provider || strlen(l.provider) != 6 || strlen(l.key) > 100 || !people || !l.connections) {
        fprintf(stderr, "load --port P --key KEY --people FILE --provider CODE [--batch K] [--connections N] [--warmup S] [--seconds S] "
                        "[--every S] [--watch PID,…] [--save FILE]\n");
        return 2;
    }
    return people_read(&l, people) ? 1 : run(&l);
}
