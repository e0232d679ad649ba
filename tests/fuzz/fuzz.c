/* fuzz.c — clock, chance, input and stores of the fuzz targets. */
#include "fuzz.h"

#include <dirent.h>
#include <unistd.h>

static uint64_t seed;

static int64_t now(void *ctx)
{
    (void)ctx;
    return INT64_C(1795507200000000);
}

static void chance(void *ctx, void *bytes, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        ((uint8_t *)bytes)[i] = (uint8_t)(seed >> 24);
    }
}

void fuzz_env_reset(void)
{
    seed = 88172645463325252u;
}

th_env fuzz_env(void)
{
    fuzz_env_reset();
    return (th_env){now, chance, NULL};
}

th_str fuzz_input(const uint8_t *data, size_t size)
{
    static char *copy;
    free(copy);
    copy = malloc(size ? size : 1);
    MUST(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    return (th_str){copy, size};
}

th_store *fuzz_store(const char *const *modules, const char *const *schemas, size_t n)
{
    th_store *store;
    th_error error = {0};
    MUST(th_store_open("sqlite::memory:", NULL, &store, &error) == TH_OK);
    for (size_t i = 0; i < n; i++)
        if (th_store_migrate(store, modules[i], schemas[i], &error)) {
            fprintf(stderr, "%s: %s\n", modules[i], error.en);
            abort();
        }
    return store;
}

static char dir[64];

static void dir_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", dir);
}

const char *fuzz_dir(void)
{
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "%s/tonghui-fuzz.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        MUST(mkdtemp(dir) != NULL);
        atexit(dir_remove);
    }
    return dir;
}
