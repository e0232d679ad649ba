/* fuzz.h — what the fuzz targets share. A target takes bytes from outside, gives them to one reader of ours, and checks what that reader
 * promises: no target only waits for a crash. */
#ifndef TH_TESTS_FUZZ_H
#define TH_TESTS_FUZZ_H
#include "platform/base/json.h"
#include "platform/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An invariant of ours that the input has broken. */
#define MUST(condition)                                                                                                           \
    do {                                                                                                                          \
        if (!(condition)) {                                                                                                       \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                                               \
            abort();                                                                                                              \
        }                                                                                                                         \
    } while (0)

/* The clock stands at 2026-11-24T08:00:00Z; chance is seeded anew for every input, so that an input always does the same. */
th_env fuzz_env(void);
void fuzz_env_reset(void);
/* The input in memory of its own length, so that the sanitizer sees a read behind it. Freed by the next call. */
th_str fuzz_input(const uint8_t *data, size_t size);
/* A store in memory with the tables of these schemas; a new one each time. */
th_store *fuzz_store(const char *const *modules, const char *const *schemas, size_t n);
const char *fuzz_dir(void); /* an empty folder of this process, made once and removed at the end */
#endif
