/* pool.h — worker threads for what is too slow for an I/O thread: password hashing, imports, reports.
 *
 * Promises  The queue is bounded: a full queue answers TH_BUSY at once. Closing runs what was accepted, then joins.
 */
#ifndef TH_PLATFORM_POOL_H
#define TH_PLATFORM_POOL_H
#include "platform/base/base.h"

typedef struct th_pool th_pool;
typedef void (*th_job)(void *arg);

TH_MUST_USE th_status th_pool_open(int threads, size_t queue_max, th_pool **ret_pool);
TH_MUST_USE th_status th_pool_submit(th_pool *pool, th_job job, void *arg);
size_t th_pool_waiting(th_pool *pool);
void th_pool_close(th_pool *pool);
#endif
