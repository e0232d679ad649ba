/* generate-private.h — what the files that invent people and companies share. */
#ifndef TH_RECORDS_GENERATE_PRIVATE_H
#define TH_RECORDS_GENERATE_PRIVATE_H
#include "records-private.h"

#include <stdio.h>

typedef struct th_generator {
    th_arena arena;
    const th_json *root, *homes;
    uint64_t seed;
    size_t home_count;
} th_generator;

typedef struct th_made_person {
    char id[19], birth[11], cert[19];
    const th_json *home, *county;
    th_str surname_zh, surname_en;
    th_str given[2];
    size_t given_n;
    char name[64];
    const th_json *degree_home, *school, *major;
    int level; /* 0 = no degree; else index + 1 into levels */
    int graduated;
} th_made_person;

uint64_t th_generate_mixed(uint64_t x); /* a draw from a number: the same for the same */
const th_json *th_generate_pick(const th_json *list, uint64_t draw);
/* The j-th person of a home; the k-th company's code and county. */
void th_generate_person(const th_generator *g, const th_json *home, int64_t j, th_made_person *person);
void th_generate_company(const th_generator *g, const th_json *home, int64_t k, char ret_uscc[19], const th_json **ret_county, int *ret_year);

/* A file of JSON lines under way. */
typedef struct th_generated {
    FILE *file;
    th_arena arena;
    th_buf buf;
} th_generated;
TH_MUST_USE th_status th_generated_open(th_generated *out, const char *dir, const char *name, th_error *error);
th_buf *th_generated_line(th_generated *out); /* an empty line to write to */
TH_MUST_USE th_status th_generated_put(th_generated *out);
TH_MUST_USE th_status th_generated_close(th_generated *out, th_status status);

/* generate_more.c: archives, qualifications, professions, titles and marriages of one home. */
TH_MUST_USE th_status th_generate_more(const th_generator *g, const th_json *home, int64_t people, int64_t companies, const char *dir,
                                       th_error *error);
#endif
