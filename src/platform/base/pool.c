/* pool.c — a few threads and a bounded ring of jobs. */
#include "platform/base/pool.h"

#include <pthread.h>

enum { THREADS_MAX = 64 };

struct th_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t threads[THREADS_MAX];
    int thread_count;
    struct { th_job job; void *arg; } *ring;
    size_t first, waiting, max;
    bool closing;
};

static void *worker(void *arg)
{
    th_pool *pool = arg;
    pthread_setname_np(pthread_self(), "worker");
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->waiting && !pool->closing)
            pthread_cond_wait(&pool->work, &pool->lock);
        if (!pool->waiting)
            break;
        th_job job = pool->ring[pool->first].job;
        void *job_arg = pool->ring[pool->first].arg;
        pool->first = (pool->first + 1) % pool->max;
        pool->waiting--;
        pthread_mutex_unlock(&pool->lock);
        job(job_arg);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

th_status th_pool_open(int threads, size_t queue_max, th_pool **ret_pool)
{
    if (threads < 1 || threads > THREADS_MAX || queue_max < 1)
        return TH_INVALID;
    th_pool *pool = th_new(sizeof *pool);
    if (!pool)
        return TH_NO_MEMORY;
    pool->ring = th_new(queue_max * sizeof *pool->ring);
    pool->max = queue_max;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    for (int i = 0; pool->ring && i < threads; i++)
        if (pthread_create(&pool->threads[pool->thread_count], NULL, worker, pool) == 0)
            pool->thread_count++;
    if (pool->thread_count < threads) {
        th_pool_close(pool);
        return TH_NO_MEMORY;
    }
    *ret_pool = pool;
    return TH_OK;
}

th_status th_pool_submit(th_pool *pool, th_job job, void *arg)
{
    th_status status = TH_BUSY;
    pthread_mutex_lock(&pool->lock);
    if (pool->waiting < pool->max && !pool->closing) {
        size_t slot = (pool->first + pool->waiting++) % pool->max;
        pool->ring[slot].job = job;
        pool->ring[slot].arg = arg;
        status = TH_OK;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return status;
}

size_t th_pool_waiting(th_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t waiting = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}

void th_pool_close(th_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    th_free(pool->ring);
    th_free(pool);
}
