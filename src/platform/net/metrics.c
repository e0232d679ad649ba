/* metrics.c — counters, gauges and histograms, written in Prometheus' text format 0.0.4. */
#include "platform/net/net.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two buckets an octave from 50 µs: the last edge is 50 µs × 2^20.5, just over a minute. */
enum { BUCKETS = 42, FIRST_US = 50 };

typedef enum kind { COUNTER, GAUGE, HISTOGRAM } kind;

struct th_metric {
    kind kind;
    char *name, *help, *labels;
    atomic_int_fast64_t value; /* histograms: the sum in microseconds */
    atomic_int_fast64_t buckets[BUCKETS + 1];
    struct th_metric *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static th_metric *first, **last = &first;

static int64_t edges[BUCKETS]; /* written with the first metric, under lock; whoever observes was given one */

static int64_t edge_us(int bucket)
{
    return (int64_t)(FIRST_US * pow(2.0, bucket / 2.0));
}

static void edges_write(void)
{
    if (!edges[0])
        for (int i = 0; i < BUCKETS; i++)
            edges[i] = edge_us(i);
}

static th_metric *metric_make(kind k, const char *name, const char *help, const char *labels)
{
    labels = labels ? labels : "";
    pthread_mutex_lock(&lock);
    edges_write();
    th_metric *m = first;
    while (m && (strcmp(m->name, name) != 0 || strcmp(m->labels, labels) != 0))
        m = m->next;
    if (!m && (m = th_new(sizeof *m))) {
        m->kind = k;
        m->name = th_new_copy(th_str_of(name));
        m->help = th_new_copy(th_str_of(help));
        m->labels = th_new_copy(th_str_of(labels));
        TH_ASSERT(m->name && m->help && m->labels);
        *last = m;
        last = &m->next;
    }
    pthread_mutex_unlock(&lock);
    TH_ASSERT(m);
    return m;
}

th_metric *th_counter(const char *name, const char *help, const char *labels)
{
    return metric_make(COUNTER, name, help, labels);
}

th_metric *th_gauge(const char *name, const char *help, const char *labels)
{
    return metric_make(GAUGE, name, help, labels);
}

th_metric *th_histogram(const char *name, const char *help, const char *labels)
{
    return metric_make(HISTOGRAM, name, help, labels);
}

void th_metric_add(th_metric *m, int64_t value)
{
    atomic_fetch_add_explicit(&m->value, value, memory_order_relaxed);
}

void th_metric_set(th_metric *m, int64_t value)
{
    atomic_store_explicit(&m->value, value, memory_order_relaxed);
}

int64_t th_metric_value(const th_metric *m)
{
    return atomic_load_explicit(&m->value, memory_order_relaxed);
}

void th_metric_observe_us(th_metric *m, int64_t us)
{
    us = us < 0 ? 0 : us;
    int low = 0, high = BUCKETS; /* the first bucket whose edge is not below */
    while (low < high) {
        int middle = (low + high) / 2;
        if (edges[middle] < us)
            low = middle + 1;
        else
            high = middle;
    }
    atomic_fetch_add_explicit(&m->buckets[low], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->value, us, memory_order_relaxed);
}

int64_t th_metric_quantile_us(const th_metric *m, double q)
{
    int64_t total = 0, seen = 0;
    for (int i = 0; i <= BUCKETS; i++)
        total += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
    for (int i = 0; i < BUCKETS && total; i++) {
        seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        if ((double)seen >= q * (double)total)
            return edge_us(i);
    }
    return total ? edge_us(BUCKETS - 1) : 0;
}

static void series(th_buf *buf, const th_metric *m, const char *suffix, const char *le)
{
    th_buff(buf, "tonghui_%s%s", m->name, suffix);
    if (m->labels[0] || le)
        th_buff(buf, "{%s%s", m->labels, le && m->labels[0] ? "," : "");
    if (le)
        th_buff(buf, "le=\"%s\"", le);
    th_buf_text(buf, m->labels[0] || le ? "} " : " ");
}

static void histogram_write(th_buf *buf, const th_metric *m)
{
    int64_t seen = 0;
    char le[32];
    for (int i = 0; i <= BUCKETS; i++) {
        seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        if (i < BUCKETS)
            snprintf(le, sizeof le, "%.6g", (double)edge_us(i) / 1e6);
        else
            memcpy(le, "+Inf", 5);
        if (i % 2 == 0 || i == BUCKETS) { /* every octave: what people can read; quantiles use all */
            series(buf, m, "_bucket", le);
            th_buff(buf, "%lld\n", (long long)seen);
        }
    }
    series(buf, m, "_sum", NULL);
    th_buff(buf, "%.6f\n", (double)th_metric_value(m) / 1e6);
    series(buf, m, "_count", NULL);
    th_buff(buf, "%lld\n", (long long)seen);
}

static void process_write(th_buf *buf)
{
    long long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lld %lld", &size, &resident) == 2)
        th_buff(buf, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lld\n",
                resident * (long long)sysconf(_SC_PAGESIZE));
    if (file)
        fclose(file);
}

void th_metrics_write(th_buf *buf)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    pthread_mutex_lock(&lock);
    for (th_metric *m = first; m; m = m->next) {
        th_metric *earlier = first;
        while (earlier != m && strcmp(earlier->name, m->name) != 0)
            earlier = earlier->next;
        if (earlier != m)
            continue; /* written with its family */
        th_buff(buf, "# HELP tonghui_%s %s\n# TYPE tonghui_%s %s\n", m->name, m->help, m->name, types[m->kind]);
        for (th_metric *k = m; k; k = k->next) {
            if (strcmp(k->name, m->name) != 0)
                continue;
            if (k->kind == HISTOGRAM) {
                histogram_write(buf, k);
            } else {
                series(buf, k, "", NULL);
                th_buff(buf, "%lld\n", (long long)th_metric_value(k));
            }
        }
    }
    pthread_mutex_unlock(&lock);
    process_write(buf);
}
