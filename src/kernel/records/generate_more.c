/* generate_more.c — the five registers that stand beside population, companies and degrees, for the same invented people and companies.
 *
 * What a person has follows from the person: age before marriage, a degree before a title. Files of many people stay small: these registers
 * cover the first MORE_MAX people of a home. */
#include "generate-private.h"

#include <string.h>

enum { MORE_MAX = 20000, YEAR_NOW = 2026, HASH_TEXT = 65 };

static int born_in(const th_made_person *p)
{
    return (p->birth[0] - '0') * 1000 + (p->birth[1] - '0') * 100 + (p->birth[2] - '0') * 10 + p->birth[3] - '0';
}

static bool male(const th_made_person *p)
{
    return (p->id[16] - '0') % 2 == 1;
}

static void date_make(char ret[11], int year, uint64_t draw)
{
    snprintf(ret, 11, "%04u-%02u-%02u", (unsigned)year % 10000, 1 + (unsigned)(draw % 12), 1 + (unsigned)((draw >> 8) % 28));
}

static void person_members(th_pen *pen, const th_made_person *p)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "id_number", p->id);
    th_pen_ktext(pen, "name", p->name);
}

static void organ_member(th_pen *pen, const char *key, const th_made_person *p, const char *what)
{
    char text[160];
    th_str county = th_json_at(p->county, 1)->text, home = th_json_str(p->home, "short");
    snprintf(text, sizeof text, "%.*s%.*s%s（模拟）", TH_FMT(home), TH_FMT(county), what);
    th_pen_ktext(pen, key, text);
}

static th_status line_end(th_generated *out, th_pen *pen)
{
    th_pen_kbool(pen, "simulated", true);
    th_pen_end(pen, '}');
    return th_generated_put(out);
}

/* ---- marriage: neighbours in the list who could marry, mostly did ---- */

typedef struct couple {
    th_made_person party[2];
    int year, ended; /* 0 = not */
    uint64_t draw;
} couple;

static bool couple_make(const th_generator *g, const th_json *home, int64_t pair, couple *c)
{
    th_generate_person(g, home, 2 * pair, &c->party[0]);
    th_generate_person(g, home, 2 * pair + 1, &c->party[1]);
    c->draw = th_generate_mixed(g->seed * 131 + (uint64_t)pair);
    int a = born_in(&c->party[0]), b = born_in(&c->party[1]), younger = a > b ? a : b;
    c->year = younger + 23 + (int)(c->draw % 9);
    c->ended = (c->draw >> 16) % 9 == 0 ? c->year + 2 + (int)((c->draw >> 24) % 12) : 0;
    if (c->ended > YEAR_NOW - 1)
        c->ended = 0;
    return male(&c->party[0]) != male(&c->party[1]) && (a > b ? a - b : b - a) <= 15 && c->year < YEAR_NOW && (c->draw >> 40) % 10 < 8;
}

static th_status marriage_line(const couple *c, size_t i, bool married, th_generated *out)
{
    const th_made_person *p = &c->party[i], *other = &c->party[1 - i];
    char number[32], date[11];
    th_pen pen = th_pen_on(th_generated_line(out));
    person_members(&pen, p);
    if (!married) {
        th_pen_ktext(&pen, "marital_status", "unmarried");
        return line_end(out, &pen);
    }
    th_pen_ktext(&pen, "marital_status", c->ended ? "divorced" : "married");
    snprintf(number, sizeof number, "%s%.6s-%04u-%06u", c->ended ? "L" : "J", c->party[0].id, (unsigned)(c->ended ? c->ended : c->year) % 10000,
             (unsigned)(c->draw >> 20) % 1000000);
    th_pen_ktext(&pen, "certificate_number", number);
    th_pen_ktext(&pen, "kind", c->ended ? "离婚" : "结婚");
    th_pen_ktext(&pen, "spouse_id_number", other->id);
    th_pen_ktext(&pen, "spouse_name", other->name);
    th_pen_ktext(&pen, "spouse_nationality", "中国");
    date_make(date, c->year, c->draw >> 4);
    th_pen_ktext(&pen, "registered", date);
    if (c->ended) {
        date_make(date, c->ended, c->draw >> 12);
        th_pen_ktext(&pen, "ended", date);
    }
    organ_member(&pen, "organ", &c->party[0], "民政局婚姻登记处");
    th_pen_kstr(&pen, "region", th_json_at(c->party[0].county, 0)->text);
    return line_end(out, &pen);
}

static th_status marriages_write(const th_generator *g, const th_json *home, int64_t people, const char *dir, th_error *error)
{
    th_generated out;
    th_status status = th_generated_open(&out, dir, "marriage", error);
    if (status)
        return status;
    for (int64_t pair = 0; !status && 2 * pair + 1 < people; pair++) {
        couple c;
        bool married = couple_make(g, home, pair, &c);
        for (size_t i = 0; !status && i < 2; i++)
            status = marriage_line(&c, i, married, &out);
    }
    return th_generated_close(&out, status);
}

/* ---- professions and titles ---- */

static th_status profession_line(const th_generator *g, const th_made_person *p, uint64_t draw, th_generated *out)
{
    static const char *const grades[] = {"五级", "四级", "三级", "二级", "一级"};
    const th_json *occupation = th_generate_pick(th_json_get(g->root, "occupations"), draw);
    bool graded = th_json_at(occupation, 3)->type == TH_JSON_TRUE;
    int year = born_in(p) + 20 + (int)((draw >> 8) % 15);
    char number[32], date[11];
    th_pen pen = th_pen_on(th_generated_line(out));
    if (year >= YEAR_NOW)
        year = YEAR_NOW - 1;
    person_members(&pen, p);
    th_pen_kstr(&pen, "occupation", th_json_at(occupation, 0)->text);
    th_pen_kstr(&pen, "occupation_code", th_json_at(occupation, 1)->text);
    snprintf(number, sizeof number, "S%.6s%04u%08u", p->id, (unsigned)year % 10000, (unsigned)(draw >> 16) % 100000000);
    th_pen_ktext(&pen, "certificate_number", number);
    th_pen_kstr(&pen, "kind", th_json_at(occupation, 2)->text);
    th_pen_ktext(&pen, "grade", graded ? grades[(draw >> 24) % TH_COUNT(grades)] : "不分等级");
    date_make(date, year, draw >> 5);
    th_pen_ktext(&pen, "issued", date);
    /* Qualifications to practise run out, levels of skill do not; some have run out or were taken away. */
    if (!graded || (draw >> 30) % 3 == 0) {
        date_make(date, YEAR_NOW - 1 + (int)((draw >> 33) % 4), draw >> 5);
        th_pen_ktext(&pen, "expires", date);
    }
    organ_member(&pen, "authority", p, "人力资源和社会保障局");
    bool revoked = (draw >> 36) % 40 == 0;
    th_pen_ktext(&pen, "status", revoked ? "revoked" : "valid");
    if (revoked)
        th_pen_ktext(&pen, "status_since", "2026-03-01");
    return line_end(out, &pen);
}

static th_status professions_write(const th_generator *g, const th_json *home, int64_t people, const char *dir, th_error *error)
{
    th_generated out;
    th_status status = th_generated_open(&out, dir, "professional-qualifications", error);
    for (int64_t j = 0; !status && j < people; j++) {
        th_made_person p;
        uint64_t draw = th_generate_mixed(g->seed * 137 + (uint64_t)j);
        if ((draw >> 50) % 8 != 0 && j != 0) /* the first person has one in every home, so that no file is empty */
            continue;
        th_generate_person(g, home, j, &p);
        status = profession_line(g, &p, draw, &out);
    }
    return th_generated_close(&out, status);
}

static th_status title_line(const th_generator *g, const th_made_person *p, uint64_t draw, th_generated *out)
{
    const th_json *series = th_generate_pick(th_json_get(g->root, "series"), draw), *titles = th_json_at(series, 1);
    int since = p->level ? YEAR_NOW - p->graduated : 5;
    size_t rank = since > 20 ? 4 : since > 10 ? 3 : since > 5 ? 2 : 1;
    char date[11], number[48];
    rank = rank > (draw >> 8) % 2 ? rank - (draw >> 8) % 2 : rank;
    int year = YEAR_NOW - 1 - (int)((draw >> 12) % 6);
    th_pen pen = th_pen_on(th_generated_line(out));
    person_members(&pen, p);
    th_pen_kstr(&pen, "series", th_json_at(series, 0)->text);
    th_pen_kstr(&pen, "title", th_json_at(titles, rank)->text);
    th_pen_kstr(&pen, "rank", th_json_at(th_json_get(g->root, "ranks"), rank)->text);
    th_pen_kstr(&pen, "specialty", th_generate_pick(th_json_at(series, 2), draw >> 20)->text);
    date_make(date, year, draw >> 24);
    th_pen_ktext(&pen, "assessed", date);
    organ_member(&pen, "organ", p, "职称评审委员会");
    snprintf(number, sizeof number, "职评〔%04u〕%u号（模拟）", (unsigned)year % 10000, 1 + (unsigned)(draw >> 40) % 300);
    th_pen_ktext(&pen, "doc_number", number);
    th_pen_ktext(&pen, "mutual_recognition", (draw >> 48) % 12 ? "yes" : "no");
    return line_end(out, &pen);
}

static th_status titles_write(const th_generator *g, const th_json *home, int64_t people, const char *dir, th_error *error)
{
    th_generated out;
    th_status status = th_generated_open(&out, dir, "titles", error);
    for (int64_t j = 0; !status && j < people; j++) {
        th_made_person p;
        uint64_t draw = th_generate_mixed(g->seed * 139 + (uint64_t)j);
        th_generate_person(g, home, j, &p);
        if (j != 0 && (p.level < 2 || (draw >> 50) % 3 != 0))
            continue;
        status = title_line(g, &p, draw, &out);
    }
    return th_generated_close(&out, status);
}

/* ---- companies ---- */

static th_status qualification_line(const th_generator *g, const th_json *home, int64_t k, th_generated *out)
{
    char uscc[19], number[32], date[11], organ[96];
    const th_json *county;
    int year;
    uint64_t draw = th_generate_mixed(g->seed * 149 + (uint64_t)k);
    th_generate_company(g, home, k, uscc, &county, &year);
    const th_json *q = th_generate_pick(th_json_get(g->root, "qualifications"), draw);
    int issued = year + 1 + (int)((draw >> 8) % 3), term = issued;
    th_pen pen = th_pen_on(th_generated_line(out));
    while (term < YEAR_NOW - 1) /* renewed every five years */
        term += 5;
    th_pen_object(&pen);
    th_pen_ktext(&pen, "uscc", uscc);
    th_pen_kstr(&pen, "kind", th_json_at(q, 0)->text);
    th_pen_kstr(&pen, "category", th_json_at(q, 1)->text);
    th_pen_kstr(&pen, "grade", th_generate_pick(th_json_at(q, 2), draw >> 16)->text);
    snprintf(number, sizeof number, "D%.2s%09u", uscc + 2, (unsigned)(draw >> 20) % 1000000000);
    th_pen_ktext(&pen, "certificate_number", number);
    th_pen_ktext(&pen, "scope", "按资质标准承担相应工程（模拟）");
    date_make(date, issued > YEAR_NOW - 1 ? YEAR_NOW - 1 : issued, draw >> 28);
    th_pen_ktext(&pen, "issued", date);
    date_make(date, term + 1, draw >> 28);
    th_pen_ktext(&pen, "expires", date);
    snprintf(organ, sizeof organ, "%.*s住房和城乡建设部门（模拟）", TH_FMT(th_json_str(home, "short")));
    th_pen_ktext(&pen, "authority", organ);
    bool suspended = (draw >> 36) % 25 == 0;
    th_pen_ktext(&pen, "status", suspended ? "suspended" : "valid");
    if (suspended)
        th_pen_ktext(&pen, "status_since", "2026-06-01");
    return line_end(out, &pen);
}

static void hash_make(uint64_t draw, char ret[HASH_TEXT])
{
    for (int i = 0; i < 4; i++) {
        draw = th_generate_mixed(draw);
        snprintf(ret + 16 * i, 17, "%016llx", (unsigned long long)draw);
    }
}

static th_status archive_line(const char *uscc, int year, const char *kind, int document, const char *title, uint64_t draw, th_generated *out)
{
    char number[40], text[8], date[11], hash[HASH_TEXT];
    bool changed = strcmp(kind, "change") == 0;
    th_pen pen = th_pen_on(th_generated_line(out));
    th_pen_object(&pen);
    th_pen_ktext(&pen, "uscc", uscc);
    snprintf(number, sizeof number, "%.6s-%04u-%s%05u", uscc + 2, (unsigned)year % 10000, changed ? "B" : "S", (unsigned)(draw >> 44) % 100000);
    th_pen_ktext(&pen, "archive_number", number);
    snprintf(text, sizeof text, "%03u", (unsigned)document % 1000);
    th_pen_ktext(&pen, "document_number", text);
    th_pen_ktext(&pen, "kind", kind);
    th_pen_ktext(&pen, "title", title);
    date_make(date, year, draw);
    th_pen_ktext(&pen, "date", date);
    th_pen_kint(&pen, "pages", 1 + (int64_t)(draw >> 12) % 30);
    hash_make(draw + (uint64_t)document, hash);
    th_pen_ktext(&pen, "sha256", hash);
    if (changed) {
        th_pen_ktext(&pen, "change_item", "住所变更");
        th_pen_ktext(&pen, "change_before", "原住所（模拟）");
        th_pen_ktext(&pen, "change_after", "新住所（模拟）");
        th_pen_ktext(&pen, "change_date", date);
    }
    th_pen_ktext(&pen, "retention", "永久");
    th_pen_ktext(&pen, "open_level", document == 1 ? "open" : "party");
    return line_end(out, &pen);
}

static th_status archives_line(const th_generator *g, const th_json *home, int64_t k, th_generated *out)
{
    static const char *const setup[] = {"市场主体设立登记申请书", "公司章程", "住所使用证明"};
    static const char *const change[] = {"变更登记申请书", "股东会决议"};
    char uscc[19];
    const th_json *county;
    int year;
    th_generate_company(g, home, k, uscc, &county, &year);
    uint64_t draw = th_generate_mixed(g->seed * 151 + (uint64_t)k);
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < TH_COUNT(setup); i++)
        status = archive_line(uscc, year, "setup", (int)i + 1, setup[i], draw, out);
    for (size_t i = 0; !status && i < TH_COUNT(change) && draw % 3 == 0; i++)
        status = archive_line(uscc, year + 1, "change", (int)i + 1, change[i], draw, out);
    return status;
}

static th_status companies_more(const th_generator *g, const th_json *home, int64_t companies, const char *dir, const char *name,
                                th_status (*line)(const th_generator *, const th_json *, int64_t, th_generated *), int64_t step, th_error *error)
{
    th_generated out;
    th_status status = th_generated_open(&out, dir, name, error);
    if (status)
        return status;
    for (int64_t k = 0; !status && k < companies; k += step)
        status = line(g, home, k, &out);
    return th_generated_close(&out, status);
}

th_status th_generate_more(const th_generator *g, const th_json *home, int64_t people, int64_t companies, const char *dir, th_error *error)
{
    if (people > MORE_MAX)
        people = MORE_MAX;
    if (companies > MORE_MAX / 10)
        companies = MORE_MAX / 10;
    th_status status = marriages_write(g, home, people, dir, error);
    if (!status)
        status = professions_write(g, home, people, dir, error);
    if (!status)
        status = titles_write(g, home, people, dir, error);
    if (!status)
        status = companies_more(g, home, companies, dir, "enterprise-qualifications", qualification_line, 2, error);
    if (!status)
        status = companies_more(g, home, companies, dir, "enterprise-archives", archives_line, 1, error);
    return status;
}
