/* time.c — instants as UTC microseconds, texts at the edges. Days by Howard Hinnant's civil-from-days arithmetic (public domain). */
#include "platform/base/base.h"

#include <string.h>

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int *year, int *month, int *day)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool th_date_valid(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap);
}

int64_t th_date_us(int year, int month, int day)
{
    return days_from_civil(year, month, day) * TH_DAY_US;
}

void th_date_of(int64_t at_us, int *ret_year, int *ret_month, int *ret_day)
{
    civil_from_days(floor_div(at_us, TH_DAY_US), ret_year, ret_month, ret_day);
}

static char *digits(char *p, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return p + width;
}

static char *date_time(char *p, int64_t at_us)
{
    int year, month, day;
    th_date_of(at_us, &year, &month, &day);
    int64_t rest = at_us - floor_div(at_us, TH_DAY_US) * TH_DAY_US;
    p = digits(p, year < 0 ? 0 : year > 9999 ? 9999 : year, 4);
    *p++ = '-';
    p = digits(p, month, 2);
    *p++ = '-';
    p = digits(p, day, 2);
    *p++ = 'T';
    p = digits(p, rest / TH_HOUR_US, 2);
    *p++ = ':';
    p = digits(p, rest / TH_MINUTE_US % 60, 2);
    *p++ = ':';
    return digits(p, rest / TH_SECOND_US % 60, 2);
}

void th_time_utc(int64_t at_us, char ret_text[TH_TIME_TEXT])
{
    char *p = date_time(ret_text, at_us);
    *p++ = '.';
    p = digits(p, at_us - floor_div(at_us, TH_SECOND_US) * TH_SECOND_US, 6);
    *p++ = 'Z';
    *p = 0;
}

void th_time_shanghai(int64_t at_us, char ret_text[TH_TIME_TEXT])
{
    char *p = date_time(ret_text, at_us + TH_SHANGHAI_US);
    memcpy(p, "+08:00", 7);
}

static bool number(const char *p, size_t n, int *ret)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        value = value * 10 + p[i] - '0';
    }
    *ret = value;
    return true;
}

static bool offset_parse(const char *p, size_t n, int64_t *ret_us)
{
    int hours, minutes;
    if (n == 1 && (p[0] == 'Z' || p[0] == 'z')) {
        *ret_us = 0;
        return true;
    }
    if (n != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':' || !number(p + 1, 2, &hours) || !number(p + 4, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret_us = (hours * 60 + minutes) * TH_MINUTE_US * (p[0] == '-' ? -1 : 1);
    return true;
}

bool th_time_parse(th_str text, int64_t *ret_at_us)
{
    const char *p = text.p;
    int year, month, day, hour, minute, second, fraction = 0;
    int64_t offset;
    if (text.n < 20 || text.n > 32 || !number(p, 4, &year) || p[4] != '-' || !number(p + 5, 2, &month) || p[7] != '-' ||
        !number(p + 8, 2, &day) || (p[10] != 'T' && p[10] != 't') || !number(p + 11, 2, &hour) || p[13] != ':' ||
        !number(p + 14, 2, &minute) || p[16] != ':' || !number(p + 17, 2, &second))
        return false;
    size_t at = 19;
    if (p[at] == '.') {
        size_t n = 0;
        while (at + 1 + n < text.n && p[at + 1 + n] >= '0' && p[at + 1 + n] <= '9')
            n++;
        if (n < 1 || n > 6 || !number(p + at + 1, n, &fraction))
            return false;
        for (size_t i = n; i < 6; i++)
            fraction *= 10;
        at += 1 + n;
    }
    if (year < 1900 || !th_date_valid(year, month, day) || hour > 23 || minute > 59 || second > 60 ||
        !offset_parse(p + at, text.n - at, &offset))
        return false;
    *ret_at_us = th_date_us(year, month, day) + hour * TH_HOUR_US + minute * TH_MINUTE_US + second * TH_SECOND_US + fraction - offset;
    return true;
}
