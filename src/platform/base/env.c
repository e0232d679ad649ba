/* env.c — the system's clock and random source. */
#include "platform/base/base.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t real_now(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * TH_SECOND_US + now.tv_nsec / 1000;
}

static void kernel_random(void *bytes, size_t n)
{
    char *p = bytes;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        TH_ASSERT(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

/* Small wishes come from a pool of this thread: a system call for every id would be dear. */
static void real_random(void *ctx, void *bytes, size_t n)
{
    static __thread unsigned char pool[4096];
    static __thread size_t left;
    (void)ctx;
    if (n > 256) {
        kernel_random(bytes, n);
        return;
    }
    if (left < n) {
        kernel_random(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= n;
    memcpy(bytes, pool + left, n);
    memset(pool + left, 0, n);
}

th_env th_env_real(void)
{
    return (th_env){real_now, real_random, NULL};
}
