/* csv.h — RFC 4180 records from a byte stream, bounded, without copying more than one record.
 *
 * Promises  Feed any pieces; get whole records. Quoted fields may hold commas, quotes and line ends. A byte order mark is
 *           skipped. Bad UTF-8, a stray quote or an over-long record make that record an error; the next one is good again.
 */
#ifndef TH_PLATFORM_CSV_H
#define TH_PLATFORM_CSV_H
#include "platform/base/base.h"

enum { TH_CSV_FIELDS_MAX = 256, TH_CSV_RECORD_MAX = 256 * 1024 };

typedef struct th_csv th_csv;
/* `fields` are valid during the call only. `status` TH_OK or TH_INVALID with `problem` (stable code). line counts from 1. */
typedef void (*th_csv_record)(void *ctx, uint64_t line, const th_str *fields, size_t n, th_status status, const char *problem);

TH_MUST_USE th_status th_csv_open(th_csv_record record, void *ctx, th_csv **ret_csv);
TH_MUST_USE th_status th_csv_feed(th_csv *csv, th_str bytes);
TH_MUST_USE th_status th_csv_end(th_csv *csv); /* the last record may lack its line end */
void th_csv_close(th_csv *csv);

void th_csv_quote(th_buf *buf, th_str field); /* quotes only when needed */
#endif
