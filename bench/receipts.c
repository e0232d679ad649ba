/* receipts.c — how many receipts one core checks a second, with nothing but the region's trust document: read, path, head, keys.
 *
 * receipts REGION.json ANSWER.json: the answer is one of ask:batch, whose receipts share the provider's newest heads as receipts of one
 * batch do. Prints the receipts a second; ends with 1 when one of them does not hold. */
#include "kernel/exchange/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FILE_MAX = 16 << 20, SECONDS = 2 };

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static th_str file_read(const char *path, th_arena *arena)
{
    FILE *file = fopen(path, "re");
    char *text = th_alloc(arena, FILE_MAX);
    size_t n = file && text ? fread(text, 1, FILE_MAX, file) : 0;
    if (file)
        fclose(file);
    if (!n) {
        fprintf(stderr, "receipts: %s cannot be read\n", path);
        exit(1);
    }
    return (th_str){text, n};
}

static th_status receipt_check(th_str json, const th_trust *trust, th_arena *scratch)
{
    th_receipt receipt;
    th_error error = {0};
    th_status status = th_receipt_read(json, scratch, &receipt, &error);
    if (!status)
        status = th_receipt_check(&receipt, trust, &error);
    if (status)
        fprintf(stderr, "receipts: %s %s\n", error.type, error.en);
    th_arena_reset(scratch);
    return status;
}

int main(int argc, char **argv)
{
    th_arena arena, scratch;
    th_trust *trust;
    const th_json *root;
    th_error error = {0};
    if (argc != 3 || th_crypto_start()) {
        fprintf(stderr, "receipts REGION.json ANSWER.json\n");
        return 2;
    }
    th_arena_open(&arena, 4u * FILE_MAX);
    th_arena_open(&scratch, 1 << 20);
    if (th_trust_read(file_read(argv[1], &arena), &trust, &error) || th_json_parse(file_read(argv[2], &arena), &arena, &root, &error)) {
        fprintf(stderr, "receipts: %s\n", error.en);
        return 1;
    }
    const th_json *items = th_json_get(root, "items");
    int64_t checked = 0, from = now_us(), until = from + SECONDS * TH_SECOND_US;
    while (items && items->count && now_us() < until)
        for (const th_json *item = th_json_first(items); item; item = th_json_next(items, item), checked++) {
            const th_json *receipt = th_json_get(item, "receipt");
            if (!receipt || receipt_check(receipt->raw, trust, &scratch))
                return 1;
        }
    printf("%.0f\n", (double)checked * 1e6 / (double)(now_us() - from));
    th_trust_release(trust);
    return checked ? 0 : 1;
}
