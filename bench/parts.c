/* parts.c — how fast the pure parts of the government service are: identifiers checked, clocks folded, items found; one thread, in its own time. */
#include "kernel/cases/clock.h"
#include "kernel/records/ids.h"
#include "services/government/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NUMBERS = 4096, ITEMS = 100000, CASES = 1000000, FINDS = 4000 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* this thread's own time: neighbours on the machine do not count */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t drawn = 20261124;
static unsigned draw(unsigned below)
{
    drawn = drawn * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((drawn >> 33) % below);
}

static th_str file_read(const char *name, th_arena *arena)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", TH_REGION_DIR, name);
    FILE *file = fopen(path, "re");
    char *text = file ? th_alloc(arena, 1 << 20) : NULL;
    size_t n = text ? fread(text, 1, 1 << 20, file) : 0;
    if (!n) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return (th_str){text, n};
}

/* ---- identifiers ---- */

static const char uscc_alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY", alnum[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static char citizens[NUMBERS][19], codes[NUMBERS][19], orgs[NUMBERS][10], ecerts[NUMBERS][96];
static size_t ecert_n[NUMBERS];

static void uscc_make(char code[19])
{
    for (int i = 0; i < 8; i++)
        code[i] = (char)('1' + draw(9));
    for (int i = 8; i < 16; i++)
        code[i] = uscc_alphabet[draw(21)];
    code[16] = th_org_code_digit(code + 8);
    code[17] = th_uscc_digit(code);
    code[18] = 0;
}

static void numbers_make(void)
{
    for (int i = 0; i < NUMBERS; i++) {
        char definer[19], issuer[19];
        snprintf(citizens[i], 19, "110105%04u%02u%02u%03u", 1940 + draw(70), 1 + draw(12), 1 + draw(28), 1 + draw(999));
        citizens[i][17] = th_citizen_id_digit(citizens[i]);
        uscc_make(codes[i]);
        memcpy(orgs[i], codes[i] + 8, 9);
        uscc_make(definer);
        uscc_make(issuer);
        int n = snprintf(ecerts[i], 94, "1.2.156.3005.2.%s%03u.%s.%08u%c.%03u.", definer, draw(1000), issuer, draw(100000000), alnum[draw(36)], draw(1000));
        ecerts[i][n] = th_ecert_id_digit((th_str){ecerts[i] + 15, (size_t)n - 16});
        ecert_n[i] = (size_t)n + 1;
    }
}

#define RATE(call)                                                                                                                 \
    ({                                                                                                                             \
        double best = 0;                                                                                                           \
        for (int round = 0; round < 3; round++) {                                                                                  \
            long good = 0, n = 0;                                                                                                  \
            double from = now_s(), took;                                                                                           \
            do {                                                                                                                   \
                for (int i = 0; i < NUMBERS; i++)                                                                                  \
                    good += (call) == TH_ID_OK;                                                                                    \
                n += NUMBERS;                                                                                                      \
                took = now_s() - from;                                                                                             \
            } while (took < 0.5);                                                                                                  \
            if (good != n) {                                                                                                       \
                fprintf(stderr, "%ld of %ld checks failed\n", n - good, n);                                                        \
                exit(1);                                                                                                           \
            }                                                                                                                      \
            best = (double)n / took > best ? (double)n / took : best;                                                              \
        }                                                                                                                          \
        best / 1e6;                                                                                                                \
    })

typedef struct id_rates { double citizen, uscc, org, ecert; } id_rates;

static id_rates ids_measure(void)
{
    int64_t today = th_date_us(2026, 11, 24);
    numbers_make();
    id_rates r = {.citizen = RATE(th_citizen_id_check((th_str){citizens[i], 18}, today)),
                  .uscc = RATE(th_uscc_check((th_str){codes[i], 18})),
                  .org = RATE(th_org_code_check((th_str){orgs[i], 9})),
                  .ecert = RATE(th_ecert_id_check((th_str){ecerts[i], ecert_n[i]}, NULL))};
    printf("identifiers, million checks a second on one core: citizen %.0f, credit code with its inner code %.0f, organisation %.0f, certificate of %zu characters %.0f\n",
           r.citizen, r.uscc, r.org, ecert_n[0], r.ecert);
    return r;
}

/* ---- clocks: a million cases, each folded again from its events ---- */

static double clocks_measure(th_arena *arena)
{
    static const th_clock_event story[] = {TH_CLOCK_RECEIVED, TH_CLOCK_CORRECT, TH_CLOCK_SUPPLIED, TH_CLOCK_ACCEPTED, TH_CLOCK_SUSPENDED, TH_CLOCK_RESUMED};
    static const int days[] = {0, 1, 6, 7, 10, 15};
    const th_calendar *calendar;
    const th_clock_rules *rules;
    const th_json *item;
    th_clock_terms terms;
    th_error error = {0};
    if (th_calendar_read(file_read("calendar/working-days.json", arena), arena, &calendar, &error) || th_clock_rules_read(file_read("clocks.json", arena), arena, &rules, &error) ||
        th_json_parse(TH_STR("{}"), arena, &item, &error) || th_clock_terms_read(rules, item, &terms, &error)) {
        fprintf(stderr, "%s\n", error.en);
        exit(1);
    }
    th_clock_in in = {.calendar = calendar, .rules = rules, .terms = &terms};
    int64_t first = th_date_us(2026, 1, 5), sum = 0;
    double from = now_s();
    for (int i = 0; i < CASES; i++) {
        th_clock clock;
        memset(&clock, 0, sizeof clock);
        int64_t start = first + (i % 250) * TH_DAY_US;
        for (size_t k = 0; k < TH_COUNT(story); k++)
            if (th_clock_step(&in, &clock, story[k], start + days[k] * TH_DAY_US, TH_STR("review"), 5, NULL))
                exit(1);
        th_clock_look(&in, &clock, start + 20 * TH_DAY_US);
        sum += clock.statutory_due;
    }
    double took = now_s() - from;
    printf("clocks: %d cases of %zu events folded again in %.2f s, %.1f million events a second (check %lld)\n", CASES, TH_COUNT(story), took,
           (double)CASES * (double)TH_COUNT(story) / took / 1e6, (long long)(sum % 1000));
    return took;
}

/* ---- finding among a hundred thousand names ---- */

static const char *const deeds[] = {"设立", "变更", "注销", "延续", "补领", "换发", "备案", "认定", "登记", "年审", "申领", "核准", "审批", "查询", "转移", "撤销"};
static const char *const things[] = {"食品经营", "出生", "婚姻", "企业", "道路运输", "住房公积金", "医疗机构", "教师资格", "燃气经营", "排污", "取水", "建筑施工", "旅行社", "出版物", "农药", "种子",
                                     "特种设备", "危险化学品", "不动产", "养老机构", "残疾人", "退役军人", "职业资格", "劳务派遣"};
static const char *const places[] = {"海淀区", "朝阳区", "滨海新区", "武清区", "容城县", "安新县", "长安区", "路北区", "广阳区", "三河市", "香河县", "固安县", "竞秀区", "莲池区"};
static const char *const kinds[] = {"许可证", "资质", "证书", "信息", "备案凭证", "登记证", "从业资格", "档案"};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double search_measure(th_arena *arena)
{
    static const char *const asked[] = {"食品", "食品经营许可证延续", "shipin", "spjy", "zhuxiao", "孩子上户口", "我想在天津开个饭店要什么证", "出生登记", "d", "de", "deng", "建筑资质到期了怎么办", "licence",
                                        "海淀区道路运输从业资格换发", "户", "公积金", "gongjijin", "sanheshi", "特种设备登记证", "怎么给公司注销"};
    th_search_entry *entries = th_alloc_array(arena, ITEMS, sizeof *entries);
    double *times = th_alloc_array(arena, FINDS, sizeof *times);
    th_arena scratch;
    th_search *search;
    th_error error = {0};
    for (int i = 0; i < ITEMS; i++) {
        const char *thing = things[draw(TH_COUNT(things))], *deed = deeds[draw(TH_COUNT(deeds))];
        entries[i] = (th_search_entry){.code = th_strf(arena, "X-%d", i),
                                       .zh = th_strf(arena, "%s%s%s%s（第%d类）", places[draw(TH_COUNT(places))], thing, kinds[draw(TH_COUNT(kinds))], deed, draw(9999)),
                                       .en = th_strf(arena, "licence number %d of kind %d", i, draw(40)),
                                       .owner = TH_STR("120000")};
    }
    double from = now_s();
    if (th_search_open(entries, ITEMS, file_read("words/pinyin.txt", arena), file_read("words/everyday.json", arena), &search, &error)) {
        fprintf(stderr, "%s\n", error.en);
        exit(1);
    }
    double built = now_s() - from;
    th_arena_open(&scratch, 64u << 20);
    for (int i = 0; i < FINDS; i++) {
        /* As typed: every beginning of what is asked, at whole characters. */
        th_str q = th_str_of(asked[i % (int)TH_COUNT(asked)]);
        size_t cut = 1 + draw((unsigned)q.n);
        while (cut < q.n && ((unsigned char)q.p[cut] & 0xC0) == 0x80)
            cut++;
        th_search_hit hits[20];
        double at = now_s();
        th_arena_reset(&scratch);
        (void)th_search_find(search, (th_str){q.p, cut}, TH_STR("120000"), &scratch, hits, TH_COUNT(hits));
        times[i] = (now_s() - at) * 1e3;
    }
    qsort(times, FINDS, sizeof *times, by_value);
    printf("search among %d items, while typing: median %.2f ms, p99 %.2f ms, worst %.2f ms; the index was built in %.2f s\n", ITEMS, times[FINDS / 2], times[FINDS * 99 / 100],
           times[FINDS - 1], built);
    th_search_close(search);
    th_arena_close(&scratch);
    return times[FINDS * 99 / 100];
}

int main(int argc, char **argv)
{
    th_arena arena;
    th_arena_open(&arena, 256u << 20);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "clocks") == 0) { /* of the three, this one alone */
        clocks_measure(&arena);
        th_arena_close(&arena);
        return 0;
    }
    id_rates ids = ids_measure();
    double clocks = clocks_measure(&arena), search = search_measure(&arena);
    printf("parts: citizen_million_per_s=%.0f uscc=%.0f org=%.0f ecert=%.0f clocks_million_s=%.2f search_p99_ms=%.2f\n", ids.citizen, ids.uscc, ids.org, ids.ecert, clocks,
           search);
    th_arena_close(&arena);
    return 0;
}
