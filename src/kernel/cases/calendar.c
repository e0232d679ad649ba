/* calendar.c — working days counted once when the file is read: how many up to each day, and which day is the n-th. */
#include "kernel/cases/calendar.h"

#include "platform/base/json.h"

#include <string.h>

enum { YEARS_MAX = 100, YEAR_FIRST = 1990, YEAR_LAST = 2200 };

struct th_calendar {
    int first_year, last_year; /* published */
    int32_t first, last;       /* days of the table; `published` = the last day of last_year */
    int32_t published;
    int32_t *until;            /* working days among [first, first + i] */
    int32_t *nth;              /* the day of the n-th working day, n from 1; nth[0] = first − 1 */
    int32_t total;
};

/* ---- days ---- */

static int32_t day_number(int year, int month, int day)
{
    return (int32_t)(th_date_us(year, month, day) / TH_DAY_US);
}

int32_t th_day_of(int64_t at_us)
{
    int64_t shifted = at_us + TH_SHANGHAI_US, day = shifted / TH_DAY_US;
    return (int32_t)(shifted % TH_DAY_US < 0 ? day - 1 : day);
}

int64_t th_day_start_us(int32_t day)
{
    return (int64_t)day * TH_DAY_US - TH_SHANGHAI_US;
}

int64_t th_day_end_us(int32_t day)
{
    return th_day_start_us(day) + TH_DAY_US;
}

static void digits_put(char *at, int value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
}

void th_day_text(int32_t day, char ret_text[TH_DAY_TEXT])
{
    int year, month, date;
    th_date_of((int64_t)day * TH_DAY_US, &year, &month, &date);
    memcpy(ret_text, "0000-00-00", TH_DAY_TEXT);
    digits_put(ret_text, year, 4);
    digits_put(ret_text + 5, month, 2);
    digits_put(ret_text + 8, date, 2);
}

static bool two_digits(const char *p, int *ret)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *ret = (p[0] - '0') * 10 + p[1] - '0';
    return true;
}

bool th_day_parse(th_str text, int32_t *ret_day)
{
    int century, year, month, day;
    if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' || !two_digits(text.p, &century) || !two_digits(text.p + 2, &year) ||
        !two_digits(text.p + 5, &month) || !two_digits(text.p + 8, &day) || !th_date_valid(century * 100 + year, month, day))
        return false;
    *ret_day = day_number(century * 100 + year, month, day);
    return true;
}

/* ---- reading ---- */

static bool weekday(int32_t day)
{
    int32_t from_monday = (day + 3) % 7; /* 1970-01-01 was a Thursday */
    return (from_monday < 0 ? from_monday + 7 : from_monday) < 5;
}

/* `works` has a byte a day of the table. */
static th_status days_set(const th_json *list, int year, int32_t first, bool works, unsigned char *table, th_error *error)
{
    for (const th_json *d = th_json_first(list); d; d = th_json_next(list, d)) {
        int month, day;
        if (d->type != TH_JSON_STRING || d->text.n != 5 || d->text.p[2] != '-' || !two_digits(d->text.p, &month) || !two_digits(d->text.p + 3, &day) ||
            !th_date_valid(year, month, day))
            return th_failf(error, TH_INVALID, "calendar", "%d 年的日期 %.*s 不合法", "%d: %.*s is no date", year, TH_FMT(d->text));
        int32_t number = day_number(year, month, day);
        if (weekday(number) == works)
            return th_failf(error, TH_INVALID, "calendar", "%d 年 %.*s 本就如此，不应列出", "%d: %.*s is so anyway and must not be listed", year,
                            TH_FMT(d->text));
        table[number - first] = works;
    }
    return TH_OK;
}

static th_status years_range(const th_json *years, int *ret_first, int *ret_last, th_error *error)
{
    int64_t year;
    int count = 0;
    *ret_first = YEAR_LAST;
    *ret_last = YEAR_FIRST;
    for (const th_json *y = th_json_first(years); y; y = th_json_next(years, y), count++) {
        if (!th_parse_i64(y->key, YEAR_FIRST, YEAR_LAST, &year) || y->type != TH_JSON_OBJECT)
            return th_fail_field(error, "/years", "year", "年份不合法", "Not a year");
        *ret_first = year < *ret_first ? (int)year : *ret_first;
        *ret_last = year > *ret_last ? (int)year : *ret_last;
    }
    if (!count || count > YEARS_MAX || count != *ret_last - *ret_first + 1)
        return th_fail_field(error, "/years", "gap", "年份须连续", "The years must be there without a gap");
    return TH_OK;
}

static th_status table_fill(th_calendar *c, const th_json *years, unsigned char *works, th_arena *arena, th_error *error)
{
    for (int32_t d = c->first; d <= c->last; d++)
        works[d - c->first] = weekday(d);
    for (const th_json *y = th_json_first(years); y; y = th_json_next(years, y)) {
        int64_t year = 0;
        TH_ASSERT(th_parse_i64(y->key, YEAR_FIRST, YEAR_LAST, &year));
        th_status status = days_set(th_json_get(y, "rest"), (int)year, c->first, false, works, error);
        if (!status)
            status = days_set(th_json_get(y, "work"), (int)year, c->first, true, works, error);
        if (status)
            return status;
    }
    size_t n = (size_t)(c->last - c->first) + 1;
    c->until = th_alloc_array(arena, n, sizeof *c->until);
    c->nth = th_alloc_array(arena, n + 1, sizeof *c->nth);
    if (!c->until || !c->nth)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    c->nth[0] = c->first - 1;
    for (size_t i = 0; i < n; i++) {
        if (works[i])
            c->nth[++c->total] = c->first + (int32_t)i;
        c->until[i] = c->total;
    }
    return TH_OK;
}

th_status th_calendar_read(th_str json, th_arena *arena, const th_calendar **ret_calendar, th_error *error)
{
    const th_json *root, *years;
    th_calendar *c = th_alloc(arena, sizeof *c);
    if (!c)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_status status = th_json_parse(json, arena, &root, error);
    if (!status && !th_json_want_object(root, "", "years", &years, error))
        status = TH_INVALID;
    if (!status)
        status = years_range(years, &c->first_year, &c->last_year, error);
    if (status)
        return status;
    c->first = day_number(c->first_year, 1, 1);
    c->published = day_number(c->last_year, 12, 31);
    c->last = day_number(c->last_year + TH_CALENDAR_YEARS_AFTER, 12, 31);
    unsigned char *works = th_alloc(arena, (size_t)(c->last - c->first) + 1);
    status = works ? table_fill(c, years, works, arena, error) : TH_NO_MEMORY;
    if (!status)
        *ret_calendar = c;
    return status;
}

void th_calendar_years(const th_calendar *c, int *ret_first, int *ret_last)
{
    *ret_first = c->first_year;
    *ret_last = c->last_year;
}

/* ---- counting ---- */

static int32_t within(const th_calendar *c, int32_t day)
{
    return day < c->first ? c->first : day > c->last ? c->last : day;
}

static int32_t until(const th_calendar *c, int32_t day)
{
    return day < c->first ? 0 : c->until[within(c, day) - c->first];
}

bool th_calendar_works(const th_calendar *c, int32_t day)
{
    if (day < c->first || day > c->last)
        return weekday(day);
    return until(c, day) != until(c, day - 1);
}

static bool unknown(const th_calendar *c, int32_t start, int32_t end)
{
    return start < c->first || end > c->published;
}

int32_t th_calendar_add(const th_calendar *c, int32_t start, int n, bool *ret_provisional)
{
    int32_t end = start;
    if (n > 0) {
        int64_t wanted = (int64_t)until(c, start) + n;
        end = wanted > c->total ? c->last : c->nth[wanted];
    }
    *ret_provisional = unknown(c, start, end);
    return end;
}

/* A day off moves on to the next that is worked. */
static int32_t moved_on(const th_calendar *c, int32_t start, int32_t end, bool *ret_provisional)
{
    end = within(c, end);
    if (!th_calendar_works(c, end) && until(c, end) < c->total)
        end = c->nth[until(c, end) + 1];
    *ret_provisional = unknown(c, start, end);
    return end;
}

int32_t th_calendar_add_natural(const th_calendar *c, int32_t start, int n, bool *ret_provisional)
{
    int64_t end = (int64_t)start + n;
    return moved_on(c, start, end > c->last ? c->last : (int32_t)end, ret_provisional);
}

int32_t th_calendar_add_months(const th_calendar *c, int32_t start, int n, bool *ret_provisional)
{
    int year, month, day;
    th_date_of((int64_t)start * TH_DAY_US, &year, &month, &day);
    int at = (month - 1 + n) % 12;
    year += (month - 1 + n) / 12;
    while (!th_date_valid(year, at + 1, day) && day > 28)
        day--;
    return moved_on(c, start, th_date_valid(year, at + 1, day) ? day_number(year, at + 1, day) : c->last, ret_provisional);
}

int32_t th_calendar_between(const th_calendar *c, int32_t from, int32_t to)
{
    return until(c, to) - until(c, from);
}
