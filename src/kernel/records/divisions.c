/* divisions.c — which codes of administrative divisions exist today, from the region's own dataset. */
#include "records-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIVISIONS_MAX = 100000, LINE_MAX = 1024 };

static int code_order(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void code_add(th_divisions *d, th_str text)
{
    int64_t code;
    if (d->n < DIVISIONS_MAX && text.n == 6 && th_parse_i64(text, 110000, 999999, &code))
        d->codes[d->n++] = (int32_t)code;
}

/* code,name,level,parent,member: the codes of six digits, and those by which members are known. */
th_status th_divisions_load(th_records *records, th_error *error)
{
    char path[1200], line[LINE_MAX];
    th_divisions *d = &records->divisions;
    snprintf(path, sizeof path, "%s/datasets/divisions.csv", records->options.region_dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return TH_OK; /* a region without them: shapes are all that is checked */
    d->codes = th_alloc_array(&records->arena, DIVISIONS_MAX, sizeof *d->codes);
    while (d->codes && fgets(line, sizeof line, file)) {
        th_str rest = th_str_trim(th_str_of(line)), part, last = {NULL, 0};
        if (th_str_cut(&rest, ',', &part))
            code_add(d, part);
        while (th_str_cut(&rest, ',', &part))
            last = part;
        code_add(d, last);
    }
    fclose(file);
    if (!d->codes)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    qsort(d->codes, d->n, sizeof *d->codes, code_order);
    return TH_OK;
}

static bool holds(const th_divisions *d, int32_t code)
{
    return d->n && bsearch(&code, d->codes, d->n, sizeof *d->codes, code_order) != NULL;
}

bool th_division_exists(const th_divisions *d, th_str text)
{
    int64_t code;
    if (text.n != 6 || !th_parse_i64(text, 110000, 829999, &code))
        return false;
    /* Provinces outside the region are not in its dataset. */
    return !holds(d, (int32_t)(code / 10000 * 10000)) || holds(d, (int32_t)code);
}
