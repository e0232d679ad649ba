/* generate.c — demonstration people, companies and degrees. All of it is invented and says so; the numbers are valid.
 *
 * The j-th person of a home is found by arithmetic, not by drawing: a bijection of j gives county, day of birth and sequence number, so
 * that no two people share a number, and any node can name any person without a table. */
#include "generate-private.h"

#include <string.h>

enum { DAYS = 20454 /* 1950-01-01 … 2005-12-31 */, SEQUENCES = 899, FILE_TEXT_MAX = 4 << 20 };

/* splitmix64: Steele, Lea, Flood, “Fast splittable pseudorandom number generators”, OOPSLA 2014. */
uint64_t th_generate_mixed(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

const th_json *th_generate_pick(const th_json *list, uint64_t draw)
{
    return list && list->count ? th_json_at(list, (size_t)(draw % list->count)) : NULL;
}

static th_status generator_open(th_generator *g, const char *region_dir, uint64_t seed, th_error *error)
{
    char path[1200];
    th_buf buf;
    char bytes[8192];
    *g = (th_generator){.seed = seed};
    th_arena_open(&g->arena, 32u << 20);
    snprintf(path, sizeof path, "%s/generator.json", region_dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return th_failf(error, TH_IO, "region-file", "无法读取 %s", "Cannot read %s", path);
    th_buf_open(&buf, &g->arena, FILE_TEXT_MAX);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;)
        th_buf_put(&buf, bytes, n);
    fclose(file);
    th_status status = th_buf_ok(&buf) ? th_json_parse(th_buf_view(&buf), &g->arena, &g->root, error) : TH_TOO_LARGE;
    g->homes = th_json_get(g->root, "homes");
    g->home_count = g->homes ? g->homes->count : 0;
    static const char *const lists[] = {"homes",  "surnames", "given",       "levels", "majors", "trades",
                                        "words",  "ranks",    "occupations", "series", "qualifications"};
    for (size_t i = 0; !status && i < TH_COUNT(lists); i++) {
        const th_json *list = th_json_get(g->root, lists[i]);
        if (!list || list->type != TH_JSON_ARRAY || !list->count)
            status = th_failf(error, TH_INVALID, "generator-file", "generator.json 缺少 %s", "generator.json lacks %s", lists[i]);
    }
    return status;
}

static const th_json *home_of(const th_generator *g, const char *code)
{
    for (const th_json *h = th_json_first(g->homes); h; h = th_json_next(g->homes, h))
        if (th_str_is(th_json_str(h, "code"), code))
            return h;
    return NULL;
}

static void id_make(const th_generator *g, th_made_person *p, int64_t j)
{
    const th_json *counties = th_json_get(p->home, "counties");
    uint64_t n = counties->count, space = n * DAYS * SEQUENCES;
    /* A large odd prime that divides no factor of the space walks through all of it before it repeats. */
    uint64_t at = ((uint64_t)j % space * UINT64_C(2654435761) + th_generate_mixed(g->seed) % space) % space;
    p->county = th_json_at(counties, (size_t)(at % n));
    int64_t day = (int64_t)(at / n % DAYS);
    int sequence = (int)(at / n / DAYS) + 1, year, month, date;
    th_date_of(th_date_us(1950, 1, 1) + day * TH_DAY_US, &year, &month, &date);
    snprintf(p->birth, sizeof p->birth, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100, (unsigned)date % 100);
    th_str county = th_json_at(p->county, 0)->text;
    snprintf(p->id, sizeof p->id, "%.6s%04u%02u%02u%03u", county.p, (unsigned)year % 10000, (unsigned)month % 100, (unsigned)date % 100,
             (unsigned)sequence % 1000);
    p->id[17] = th_citizen_id_digit(p->id);
    p->id[18] = 0;
}

static void degree_make(const th_generator *g, th_made_person *p, int64_t j, uint64_t draw)
{
    int year = (p->birth[0] - '0') * 1000 + (p->birth[1] - '0') * 100 + (p->birth[2] - '0') * 10 + p->birth[3] - '0';
    if (draw % 100 >= 45)
        return;
    uint64_t where = th_generate_mixed(draw), what = th_generate_mixed(where);
    /* Half of all study where the schools are many: the first home. */
    p->degree_home = where % 2 ? th_json_at(g->homes, 0) : th_generate_pick(g->homes, where / 2);
    p->school = th_generate_pick(th_json_get(p->degree_home, "schools"), where >> 20);
    p->major = th_generate_pick(th_json_get(g->root, "majors"), what);
    p->level = (int)((what >> 16) % th_json_get(g->root, "levels")->count) + 1;
    p->graduated = year + 21 + p->level;
    if (p->graduated > 2025 || !p->school || !p->major) {
        p->level = 0;
        return;
    }
    th_str school = th_json_at(p->school, 0)->text;
    /* 18 characters: school, kind of study, year, level, sequence. */
    snprintf(p->cert, sizeof p->cert, "%.5s1%04u%02u%06u", school.p, (unsigned)p->graduated % 10000, (unsigned)p->level % 100,
             (unsigned)((uint64_t)j % 1000000));
}

void th_generate_person(const th_generator *g, const th_json *home, int64_t j, th_made_person *p)
{
    memset(p, 0, sizeof *p);
    p->home = home;
    th_str code = th_json_str(home, "code");
    uint64_t base = th_generate_mixed(g->seed ^ (uint64_t)j * UINT64_C(0x2545f4914f6cdd1d));
    for (size_t i = 0; i < code.n; i++)
        base = th_generate_mixed(base ^ (unsigned char)code.p[i]);
    id_make(g, p, j);
    const th_json *surname = th_generate_pick(th_json_get(g->root, "surnames"), base), *given = th_json_get(g->root, "given");
    p->surname_zh = surname->text;
    p->given_n = (base >> 24) % 5 ? 2 : 1;
    for (size_t i = 0; i < p->given_n; i++)
        p->given[i] = th_generate_pick(given, th_generate_mixed(base + i + 1))->text;
    snprintf(p->name, sizeof p->name, "%.*s%.*s%.*s", TH_FMT(p->surname_zh), TH_FMT(p->given[0]), TH_FMT(p->given[1]));
    degree_make(g, p, j, th_generate_mixed(base + 7));
}

/* ---- files ---- */

static void population_line(const th_generator *g, const th_made_person *p, th_buf *buf)
{
    th_pen pen = th_pen_on(buf);
    th_str zh = th_json_at(p->county, 1)->text;
    const th_json *streets = th_json_get(g->root, "streets");
    uint64_t draw = th_generate_mixed((uint64_t)(p->id[14] * 7 + p->id[12]));
    bool male = (p->id[16] - '0') % 2;
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id_number", p->id);
    th_pen_ktext(&pen, "name", p->name);
    th_pen_ktext(&pen, "sex", male ? "1" : "2");
    th_pen_ktext(&pen, "ethnicity", draw % 20 ? "01" : "03");
    th_pen_ktext(&pen, "birth_date", p->birth);
    th_pen_kstr(&pen, "household_region", th_json_str(p->home, "code"));
    th_pen_kstr(&pen, "household_county", th_json_at(p->county, 0)->text);
    th_pen_key(&pen, "household_address");
    char address[160];
    const th_json *found = th_generate_pick(streets, draw);
    th_str street = found ? found->text : TH_STR("");
    snprintf(address, sizeof address, "%.*s%.*s%u号（模拟）", TH_FMT(zh), TH_FMT(street), (unsigned)(draw % 198) + 1);
    th_pen_text(&pen, address);
    th_pen_ktext(&pen, "status", "normal");
    th_pen_kbool(&pen, "simulated", true);
    th_pen_end(&pen, '}');
}

static void degree_line(const th_generator *g, const th_made_person *p, th_buf *buf)
{
    th_pen pen = th_pen_on(buf);
    static const char *const degrees[] = {"无", "学士", "硕士", "博士"};
    char date[11];
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id_number", p->id);
    th_pen_ktext(&pen, "certificate_number", p->cert);
    th_pen_ktext(&pen, "name", p->name);
    th_pen_kstr(&pen, "school", th_json_at(p->school, 1)->text);
    th_pen_kstr(&pen, "major", p->major->text);
    th_pen_kstr(&pen, "level", th_json_at(th_json_get(g->root, "levels"), (size_t)p->level - 1)->text);
    th_pen_ktext(&pen, "degree", degrees[(p->level - 1) % (int)TH_COUNT(degrees)]);
    th_pen_ktext(&pen, "form", "全日制");
    snprintf(date, sizeof date, "%04u-09-01", (unsigned)(p->graduated - (p->level == 2 ? 4 : 3)) % 10000);
    th_pen_ktext(&pen, "enrolled", date);
    snprintf(date, sizeof date, "%04u-07-01", (unsigned)p->graduated % 10000);
    th_pen_ktext(&pen, "graduated", date);
    th_pen_ktext(&pen, "result", "毕业");
    th_pen_kbool(&pen, "simulated", true);
    th_pen_end(&pen, '}');
}

static void uscc_make(const th_json *county, uint64_t k, char ret[19])
{
    th_str code = th_json_at(county, 0)->text;
    snprintf(ret, 19, "91%.6s", code.p);
    /* Eight characters from k by a walk through all of them; MA begins those of companies registered since 2015. */
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    uint64_t space = UINT64_C(887503681) /* 31^6 */, at = k % space * UINT64_C(2654435761) % space;
    ret[8] = 'M';
    ret[9] = 'A';
    for (int i = 15; i >= 10; i--, at /= 31)
        ret[i] = alphabet[at % 31];
    ret[16] = th_org_code_digit(ret + 8);
    ret[17] = th_uscc_digit(ret);
    ret[18] = 0;
}

void th_generate_company(const th_generator *g, const th_json *home, int64_t k, char ret_uscc[19], const th_json **ret_county, int *ret_year)
{
    uint64_t draw = th_generate_mixed(g->seed + (uint64_t)k * 31);
    *ret_county = th_generate_pick(th_json_get(home, "counties"), draw);
    *ret_year = 2015 + (int)(draw >> 16) % 10;
    uscc_make(*ret_county, (uint64_t)k, ret_uscc);
}

static void company_line(const th_generator *g, const th_json *home, int64_t k, th_buf *buf)
{
    th_made_person owner;
    char uscc[19], established[11], name[160];
    th_pen pen = th_pen_on(buf);
    const th_json *counties = th_json_get(home, "counties"), *words = th_json_get(g->root, "words"), *trades = th_json_get(g->root, "trades");
    uint64_t draw = th_generate_mixed(g->seed + (uint64_t)k * 31);
    const th_json *county = th_generate_pick(counties, draw), *trade = th_generate_pick(trades, draw >> 8);
    th_generate_person(g, home, k * 7 + 3, &owner);
    uscc_make(county, (uint64_t)k, uscc);
    snprintf(established, sizeof established, "%04u-%02u-%02u", 2015 + (unsigned)(draw >> 16) % 10, 1 + (unsigned)(draw >> 24) % 12,
             1 + (unsigned)(draw >> 32) % 28);
    snprintf(name, sizeof name, "%.*s%.*s%.*s%.*s有限公司", TH_FMT(th_json_str(home, "short")), TH_FMT(th_generate_pick(words, draw >> 12)->text),
             TH_FMT(th_generate_pick(words, draw >> 40)->text), TH_FMT(th_json_at(trade, 1)->text));
    th_pen_object(&pen);
    th_pen_ktext(&pen, "uscc", uscc);
    th_pen_ktext(&pen, "name", name);
    th_pen_ktext(&pen, "kind", "有限责任公司");
    th_pen_ktext(&pen, "legal_representative", owner.name);
    th_pen_ktext(&pen, "legal_representative_id", owner.id);
    th_pen_kstr(&pen, "region", th_json_at(county, 0)->text);
    th_pen_ktext(&pen, "established", established);
    th_pen_kint(&pen, "capital_fen", (int64_t)(1 + draw % 500) * 10000 * 100 * 10);
    th_pen_kstr(&pen, "industry", th_json_at(trade, 0)->text);
    th_pen_ktext(&pen, "status", "existing");
    th_pen_kbool(&pen, "simulated", true);
    th_pen_end(&pen, '}');
}

th_status th_records_company(const char *region_dir, const char *code, uint64_t seed, int64_t nth, th_arena *arena, th_str *ret_json,
                             th_error *error)
{
    th_generator g;
    th_buf buf;
    th_status status = generator_open(&g, region_dir, seed, error);
    const th_json *home = status ? NULL : home_of(&g, code);
    if (!status && !home)
        status = th_failf(error, TH_NOT_FOUND, "no-home", "generator.json 中没有 %s", "generator.json does not know %s", code);
    if (!status) {
        th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
        company_line(&g, home, nth, &buf);
        *ret_json = th_buf_view(&buf);
        status = th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
    }
    th_arena_close(&g.arena);
    return status;
}

th_status th_generated_open(th_generated *out, const char *dir, const char *name, th_error *error)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/%s.jsonl", dir, name);
    out->file = fopen(path, "we");
    if (!out->file)
        return th_failf(error, TH_IO, "file", "无法写入 %s", "Cannot write %s", path);
    th_arena_open(&out->arena, 1 << 20);
    return TH_OK;
}

th_buf *th_generated_line(th_generated *out)
{
    th_arena_reset(&out->arena);
    th_buf_open(&out->buf, &out->arena, TH_ENTRY_JSON_MAX);
    return &out->buf;
}

th_status th_generated_put(th_generated *out)
{
    th_buf_char(&out->buf, '\n');
    return th_buf_ok(&out->buf) && fwrite(out->buf.p, 1, out->buf.n, out->file) == out->buf.n ? TH_OK : TH_IO;
}

th_status th_generated_close(th_generated *out, th_status status)
{
    th_arena_close(&out->arena);
    return fclose(out->file) && !status ? TH_IO : status;
}

static th_status population_write(const th_generator *g, const th_json *home, int64_t each, const char *dir, th_error *error)
{
    th_generated out;
    th_status status = th_generated_open(&out, dir, "population", error);
    if (status)
        return status;
    for (int64_t j = 0; !status && j < each; j++) {
        th_made_person p;
        th_generate_person(g, home, j, &p);
        population_line(g, &p, th_generated_line(&out));
        status = th_generated_put(&out);
    }
    return th_generated_close(&out, status);
}

/* Degrees stand where the school is, whoever's household the person belongs to. */
static th_status degrees_write(const th_generator *g, const th_json *home, int64_t each, const char *dir, th_error *error)
{
    th_generated out;
    th_status status = th_generated_open(&out, dir, "degrees", error);
    if (status)
        return status;
    for (const th_json *h = th_json_first(g->homes); h; h = th_json_next(g->homes, h))
        for (int64_t j = 0; !status && j < each; j++) {
            th_made_person p;
            th_generate_person(g, h, j, &p);
            if (!p.level || p.degree_home != home)
                continue;
            degree_line(g, &p, th_generated_line(&out));
            status = th_generated_put(&out);
        }
    return th_generated_close(&out, status);
}

static th_status companies_write(const th_generator *g, const th_json *home, int64_t n, const char *dir, th_error *error)
{
    th_generated out;
    th_status status = th_generated_open(&out, dir, "legal-persons", error);
    if (status)
        return status;
    for (int64_t k = 0; !status && k < n; k++) {
        company_line(g, home, k, th_generated_line(&out));
        status = th_generated_put(&out);
    }
    return th_generated_close(&out, status);
}

th_status th_records_generate(const char *region_dir, const char *code, uint64_t seed, int64_t people, const char *dir, th_error *error)
{
    th_generator g;
    th_status status = generator_open(&g, region_dir, seed, error);
    const th_json *home = status ? NULL : home_of(&g, code);
    if (!status && !home)
        status = th_failf(error, TH_NOT_FOUND, "no-home", "generator.json 中没有 %s", "generator.json does not know %s", code);
    int64_t each = status ? 0 : people / (int64_t)g.home_count;
    if (!status)
        status = population_write(&g, home, each, dir, error);
    if (!status)
        status = degrees_write(&g, home, each, dir, error);
    if (!status)
        status = companies_write(&g, home, each / 20 + 1, dir, error);
    if (!status)
        status = th_generate_more(&g, home, each, each / 20 + 1, dir, error);
    th_arena_close(&g.arena);
    return status;
}

th_status th_records_person(const char *region_dir, const char *household, const char *degree, uint64_t seed, int64_t nth, th_arena *arena,
                            th_person *ret_person, th_error *error)
{
    th_generator g;
    th_status status = generator_open(&g, region_dir, seed, error);
    const th_json *home = status ? NULL : home_of(&g, household), *school_home = status || !degree ? NULL : home_of(&g, degree);
    if (!status && (!home || (degree && !school_home)))
        status = th_fail(error, TH_NOT_FOUND, "no-home", "generator.json 中没有这个节点", "generator.json does not know this node");
    for (int64_t j = 0; !status; j++) {
        th_made_person p;
        th_generate_person(&g, home, j, &p);
        if (degree && (!p.level || p.degree_home != school_home))
            continue;
        if (nth-- > 0)
            continue;
        *ret_person = (th_person){.id_number = th_str_keep(arena, th_str_of(p.id)),
                                  .name = th_str_keep(arena, th_str_of(p.name)),
                                  .certificate = th_str_keep(arena, th_str_of(p.cert)),
                                  .level = p.level ? th_str_keep(arena, th_json_at(th_json_get(g.root, "levels"), (size_t)p.level - 1)->text)
                                                   : (th_str){NULL, 0}};
        status = ret_person->id_number.p && ret_person->name.p ? TH_OK : TH_NO_MEMORY;
        break;
    }
    th_arena_close(&g.arena);
    return status;
}
