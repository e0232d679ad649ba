/* calendar.h — which days are worked, and counting them.
 *
 * Promises  Days are days of Shanghai's calendar, as numbers since 1970-01-01. Counting is one table look-up, whatever the distance.
 *           A result that reaches into a year whose arrangement is not published is `provisional`: Monday to Friday is assumed there,
 *           and it has to be counted again when the calendar is.
 * Limits    From the first year of the file to TH_CALENDAR_YEARS_AFTER years after its last.
 * Ownership A calendar lives in the arena it was read into; nothing changes it. Threads: any.
 * Source    行政许可法 §82; 民法典 §201 (the day of the beginning is not counted), §203 (a last day off moves on). The file: tools/make-calendar.mjs.
 */
#ifndef TH_CASES_CALENDAR_H
#define TH_CASES_CALENDAR_H
#include "platform/base/base.h"

enum { TH_CALENDAR_YEARS_AFTER = 20, TH_DAY_TEXT = 11 };

typedef struct th_calendar th_calendar;
/* A text {"years": {"2026": {"rest": ["01-01", …], "work": ["01-04", …]}, …}} of years without a gap. */
TH_MUST_USE th_status th_calendar_read(th_str json, th_arena *arena, const th_calendar **ret_calendar, th_error *error);
void th_calendar_years(const th_calendar *calendar, int *ret_first, int *ret_last); /* published */

int32_t th_day_of(int64_t at_us);        /* the day in Shanghai at that moment */
int64_t th_day_start_us(int32_t day);    /* 00:00 in Shanghai */
int64_t th_day_end_us(int32_t day);      /* 24:00: what is due on that day is due before this moment */
void th_day_text(int32_t day, char ret_text[TH_DAY_TEXT]); /* 2026-11-24 */
TH_MUST_USE bool th_day_parse(th_str text, int32_t *ret_day);

bool th_calendar_works(const th_calendar *calendar, int32_t day);
/* The n-th working day after `start` (n ≥ 0; n = 0 is the start itself, worked or not). Beyond the limits the last or first known day is
 * given, provisional. */
int32_t th_calendar_add(const th_calendar *calendar, int32_t start, int n, bool *ret_provisional);
/* n calendar days after `start`; when that day is off, the next working day. */
int32_t th_calendar_add_natural(const th_calendar *calendar, int32_t start, int n, bool *ret_provisional);
/* n calendar months after `start` (the 31st becomes the month's last day); when that day is off, the next working day. */
int32_t th_calendar_add_months(const th_calendar *calendar, int32_t start, int n, bool *ret_provisional);
/* Working days among (from, to]; negative when `to` is before `from`. */
int32_t th_calendar_between(const th_calendar *calendar, int32_t from, int32_t to);
#endif
