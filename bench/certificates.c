/* certificates.c — how fast certificates are issued, verified, listed: one thing a call, for a number of seconds, on one thread.
 *
 *   certificates sign|check SECONDS              raw ES256 over 400 bytes: the limit
 *   certificates issue SECONDS CLAIMS FRAME      an SD-JWT VC, as often as it goes (files of JSON)
 *   certificates verify SECONDS TOKEN JWK [LIST] verify it; with LIST (a status list token, unpacked once as a node keeps it) and its status
 *   certificates list ENTRIES                    build, pack and sign a list of two bits an entry, one in a hundred not valid; flip one and again
 *   certificates square SECONDS | page SECONDS   the printed forms
 * Prints one JSON line. */
#include "kernel/certificates/offline.h"
#include "kernel/certificates/sdjwt.h"
#include "kernel/certificates/statuslist.h"
#include "platform/page/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static th_arena files;
static th_env env;
static th_key *key;

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "certificates: %s\n", what);
    exit(1);
}

static th_str file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *bytes = th_alloc(&files, 4u << 20);
    if (!f || !bytes)
        die(path);
    size_t n = fread(bytes, 1, 4u << 20, f);
    fclose(f);
    return th_str_trim((th_str){bytes, n});
}

static const th_json *json(const char *path)
{
    const th_json *root;
    if (th_json_parse(file(path), &files, &root, NULL))
        die(path);
    return root;
}

typedef struct job {
    th_arena arena; /* reset after each */
    const th_json *claims, *frame;
    th_str token;
    th_key *open;
    th_status_list list;
    bool with_status;
    uint8_t signature[64];
} job;

static th_status key_give(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret, th_error *error)
{
    (void)jws, (void)payload, (void)error;
    *ret = ctx;
    return TH_OK;
}

static char message[400];

static void one_sign(job *j)
{
    if (th_sign(key, (th_str){message, sizeof message}, j->signature))
        die("sign");
}

static void one_check(job *j)
{
    if (th_verify(key, (th_str){message, sizeof message}, (th_str){(char *)j->signature, 64}))
        die("check");
}

static void one_issue(job *j)
{
    th_str text;
    const th_sdjwt_order order = {.key = key, .kid = TH_STR("0123456789abcdef"), .env = &env, .claims = j->claims, .frame = j->frame};
    if (th_sdjwt_issue(&order, &j->arena, &text, NULL))
        die("issue");
}

static void one_verify(job *j)
{
    th_sdjwt token;
    th_error error = {0};
    th_str uri;
    int64_t index;
    unsigned value;
    const th_sdjwt_policy policy = {.key = key_give, .ctx = j->open, .now_us = th_now_us(&env)};
    if (th_sdjwt_verify(j->token, &policy, &j->arena, &token, &error))
        die(error.type);
    if (j->with_status && (th_status_reference(th_json_get(token.payload, "status"), &uri, &index, &error) || th_status_get(&j->list, index, &value, &error) || value))
        die("status");
}

static void one_square(job *j)
{
    th_str text;
    const th_offline o = {.issuer = TH_STR("130000"), .type = TH_STR("HE-TALENT-CARD"), .number = TH_STR("1.2.156.3005.2.11130000000140011L001.11130000000140011L.20260000000001.001.Q"),
                          .issued_us = th_now_us(&env), .list = 1, .index = 70000, .fields = j->claims};
    if (th_offline_make(&o, key, TH_STR("0123456789abcdef"), &j->arena, &text, NULL))
        die("square");
}

static void one_page(job *j)
{
    th_str pdf;
    const th_page_part parts[] = {{TH_PAGE_HEADING, TH_STR("引进人才服务卡"), TH_STR("Talent service card")},
                                  {TH_PAGE_PARAGRAPH, TH_STR("兹证明张伟符合河北省引进人才条件，核发服务卡。持卡人凭本卡办理落户、子女入学、医疗、居住等事项。"), {NULL, 0}},
                                  {TH_PAGE_ROW, TH_STR("学历 Education"), TH_STR("硕士研究生")},
                                  {TH_PAGE_SQUARE, TH_STR("TH1:ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), TH_STR("扫码核验 Scan to check")}};
    const th_page page = {.title = TH_STR("服务卡"), .frame = true, .parts = parts, .count = TH_COUNT(parts)};
    if (th_page_pdf(&page, &j->arena, &pdf, NULL))
        die("page");
}

static void rate(void (*one)(job *), job *j, double seconds)
{
    uint64_t n = 0;
    for (int i = 0; i < 200; i++) { /* warm */
        one(j);
        th_arena_reset(&j->arena);
    }
    double start = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID), end;
    do {
        for (int i = 0; i < 20; i++) {
            one(j);
            th_arena_reset(&j->arena);
        }
        n += 20;
        end = clock_s(CLOCK_MONOTONIC);
    } while (end - start < seconds);
    cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"per_second\":%.0f,\"cpu_us\":%.2f}\n", (double)n / (end - start), cpu * 1e6 / (double)n);
}

static void list_make(uint64_t entries)
{
    th_arena arena;
    th_str token, again, none = {NULL, 0};
    uint32_t chance = 1;
    th_arena_open(&arena, 512u << 20);
    size_t n = th_status_bytes(2, entries);
    double start = clock_s(CLOCK_MONOTONIC);
    uint8_t *bytes = th_alloc(&arena, n);
    if (!bytes)
        die("memory");
    for (uint64_t i = 0; i < entries / 100; i++) {
        chance = chance * 1664525u + 1013904223u;
        th_status_put(bytes, 2, (uint64_t)chance * entries >> 32, 1);
    }
    th_status_list list = {.bits = 2, .bytes = {(char *)bytes, n}, .sub = TH_STR("https://a.example/certificates/v1/statuslists/1"), .issued_us = th_now_us(&env),
                           .expires_us = th_now_us(&env) + TH_DAY_US, .ttl_us = 300 * TH_SECOND_US, .version = 1};
    if (th_status_token(&list, key, TH_STR("k"), none, &arena, &token, NULL))
        die("list");
    double built = clock_s(CLOCK_MONOTONIC) - start;
    start = clock_s(CLOCK_MONOTONIC);
    th_status_put(bytes, 2, entries / 2, 2);
    if (th_status_token(&list, key, TH_STR("k"), none, &arena, &again, NULL))
        die("list");
    double flipped = clock_s(CLOCK_MONOTONIC) - start;
    start = clock_s(CLOCK_MONOTONIC);
    unsigned sum = 0, value;
    const uint64_t looks = 50000000;
    for (uint64_t i = 0; i < looks; i++) {
        chance = chance * 1664525u + 1013904223u;
        if (th_status_get(&list, (int64_t)((uint64_t)chance * entries >> 32), &value, NULL) == TH_OK)
            sum += value;
    }
    double looked = clock_s(CLOCK_MONOTONIC) - start;
    printf("{\"entries\":%llu,\"build_ms\":%.1f,\"token_bytes\":%zu,\"flip_ms\":%.1f,\"looks_per_second\":%.0f,\"sum\":%u}\n", (unsigned long long)entries, built * 1e3, token.n,
           flipped * 1e3, (double)looks / looked, sum);
    th_arena_close(&arena);
}

int main(int argc, char **argv)
{
    job j = {0};
    const char *mode = argc > 1 ? argv[1] : "";
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0;
    env = th_env_real();
    th_arena_open(&files, 64u << 20);
    th_arena_open(&j.arena, 16u << 20);
    if (th_crypto_start() || th_key_make(TH_SUITE_P256, &key))
        die("keys");
    one_sign(&j);
    if (strcmp(mode, "sign") == 0 && argc == 3) {
        rate(one_sign, &j, seconds);
    } else if (strcmp(mode, "check") == 0 && argc == 3) {
        rate(one_check, &j, seconds);
    } else if (strcmp(mode, "issue") == 0 && argc == 5) {
        j.claims = json(argv[3]);
        j.frame = json(argv[4]);
        rate(one_issue, &j, seconds);
    } else if (strcmp(mode, "verify") == 0 && argc >= 5) {
        j.token = file(argv[3]);
        if (th_jwk_read(json(argv[4]), &files, &j.open, NULL))
            die(argv[4]);
        if (argc == 6) {
            th_str token = file(argv[5]);
            const char *uri = getenv("CERTIFICATES_URI");
            const th_status_policy policy = {.key = key_give, .ctx = j.open, .uri = th_str_of(uri), .now_us = th_now_us(&env)};
            th_error error = {0};
            if (th_status_token_read(token, &policy, &files, &j.list, &error))
                die(error.type);
            j.with_status = true;
        }
        rate(one_verify, &j, seconds);
    } else if (strcmp(mode, "square") == 0 && argc == 4) {
        j.claims = json(argv[3]);
        rate(one_square, &j, seconds);
    } else if (strcmp(mode, "page") == 0 && argc == 3) {
        rate(one_page, &j, seconds);
    } else if (strcmp(mode, "list") == 0 && argc == 3) {
        list_make(strtoull(argv[2], NULL, 10));
    } else {
        die("sign|check|issue|verify|square|page|list; see the head of the source");
    }
    return 0;
}
