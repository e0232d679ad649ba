/* ticker.c — something long is going on: say so, and for how long. */
#include "node/cmd.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_EVERY_S = 10 };

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool running, end, english, terminal;
    char words[256];
    int64_t started_us;
} ticker = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static int seconds(void)
{
    th_env env = th_env_real();
    return (int)((th_now_us(&env) - ticker.started_us) / TH_SECOND_US);
}

static void *tick(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&ticker.lock);
    while (!ticker.end) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        (void)pthread_cond_timedwait(&ticker.ended, &ticker.lock, &until);
        int s = seconds();
        if (ticker.end || !s)
            continue;
        if (ticker.terminal)
            fprintf(stderr, "\r%s %d s", ticker.words, s);
        else if (s % LINE_EVERY_S == 0)
            fprintf(stderr, "%s %d s\n", ticker.words, s);
        fflush(stderr);
    }
    pthread_mutex_unlock(&ticker.lock);
    return NULL;
}

void th_ticker_start(const th_args *args, const char *zh, const char *en, ...)
{
    sigset_t all, before;
    va_list list;
    if (args->json || ticker.running)
        return;
    va_start(list, en);
    vsnprintf(ticker.words, sizeof ticker.words, args->english ? en : zh, list);
    va_end(list);
    th_env env = th_env_real();
    ticker.started_us = th_now_us(&env);
    ticker.terminal = isatty(2);
    ticker.end = false;
    fprintf(stderr, "%s%s", ticker.words, ticker.terminal ? "" : "\n");
    fflush(stderr);
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    ticker.running = pthread_create(&ticker.thread, NULL, tick, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void th_ticker_stop(void)
{
    if (!ticker.running)
        return;
    pthread_mutex_lock(&ticker.lock);
    ticker.end = true;
    pthread_cond_signal(&ticker.ended);
    pthread_mutex_unlock(&ticker.lock);
    pthread_join(ticker.thread, NULL);
    ticker.running = false;
    if (ticker.terminal)
        fprintf(stderr, "\r%s %d s\n", ticker.words, seconds());
}
