/* csv.c — RFC 4180 as a state machine over bytes: one record is gathered at a time, and a bad one is told and skipped. */
#include "platform/base/csv.h"

#include <string.h>

typedef enum state { FIELD_START, PLAIN, QUOTED, QUOTE_IN_QUOTED, SKIP } state;

struct th_csv {
    th_csv_record record;
    void *ctx;
    state state;
    char bytes[TH_CSV_RECORD_MAX];
    size_t n, ends[TH_CSV_FIELDS_MAX], fields;
    uint64_t line, record_line;
    const char *problem;
    bool any, carriage, begun;
    uint8_t mark;
};

th_status th_csv_open(th_csv_record record, void *ctx, th_csv **ret_csv)
{
    th_csv *csv = th_new(sizeof *csv);
    if (!csv)
        return TH_NO_MEMORY;
    csv->record = record;
    csv->ctx = ctx;
    csv->line = csv->record_line = 1;
    *ret_csv = csv;
    return TH_OK;
}

void th_csv_close(th_csv *csv)
{
    th_free(csv);
}

static void field_end(th_csv *csv)
{
    if (csv->fields == TH_CSV_FIELDS_MAX) {
        csv->problem = "too-many-fields";
        return;
    }
    csv->ends[csv->fields++] = csv->n;
    csv->state = FIELD_START;
}

static void record_end(th_csv *csv)
{
    th_str fields[TH_CSV_FIELDS_MAX];
    if (csv->state != SKIP)
        field_end(csv);
    bool blank = csv->fields == 1 && csv->ends[0] == 0 && !csv->any;
    size_t from = 0;
    for (size_t i = 0; i < csv->fields; i++) {
        fields[i] = (th_str){csv->bytes + from, csv->ends[i] - from};
        from = csv->ends[i];
        /* Each by itself: two halves of a character in neighbouring fields would make a whole one together. */
        if (!csv->problem && !th_utf8_valid(fields[i]))
            csv->problem = "not-utf8";
    }
    if (csv->problem)
        csv->record(csv->ctx, csv->record_line, fields, csv->fields, TH_INVALID, csv->problem);
    else if (!blank)
        csv->record(csv->ctx, csv->record_line, fields, csv->fields, TH_OK, NULL);
    csv->n = csv->fields = 0;
    csv->problem = NULL;
    csv->any = false;
    csv->state = FIELD_START;
    csv->record_line = csv->line;
}

static void put(th_csv *csv, char c)
{
    csv->any = true;
    if (csv->n == sizeof csv->bytes) {
        csv->problem = "too-long";
        csv->state = SKIP;
        return;
    }
    csv->bytes[csv->n++] = c;
}

static void plain_step(th_csv *csv, char c)
{
    if (c == ',') {
        field_end(csv);
        csv->any = true;
    } else if (c == '"') {
        csv->problem = "stray-quote";
        csv->state = SKIP;
    } else {
        csv->state = PLAIN;
        put(csv, c);
    }
}

static void step(th_csv *csv, char c)
{
    if (c == '\n')
        csv->line++;
    if (csv->state == QUOTED) {
        if (c == '"')
            csv->state = QUOTE_IN_QUOTED;
        else
            put(csv, c);
        return;
    }
    if (csv->state == QUOTE_IN_QUOTED && c == '"') {
        csv->state = QUOTED;
        put(csv, c);
        return;
    }
    if (c == '\n') {
        record_end(csv);
        return;
    }
    if (csv->state == SKIP)
        return;
    if (csv->state == QUOTE_IN_QUOTED) {
        if (c == ',') {
            field_end(csv);
        } else {
            csv->problem = "stray-quote";
            csv->state = SKIP;
        }
        return;
    }
    if (csv->state == FIELD_START && c == '"') {
        csv->state = QUOTED;
        csv->any = true;
        return;
    }
    plain_step(csv, c);
}

/* The line end of RFC 4180 is CR LF; LF alone is taken too; a CR elsewhere outside quotes belongs to the field. */
static void byte(th_csv *csv, char c)
{
    if (csv->carriage) {
        csv->carriage = false;
        if (c != '\n')
            step(csv, '\r');
    }
    if (c == '\r' && csv->state != QUOTED) {
        csv->carriage = true;
        return;
    }
    step(csv, c);
}

th_status th_csv_feed(th_csv *csv, th_str bytes)
{
    static const char bom[] = "\xEF\xBB\xBF";
    for (size_t i = 0; i < bytes.n; i++) {
        if (!csv->begun) {
            if (bytes.p[i] == bom[csv->mark]) {
                if (++csv->mark == 3)
                    csv->begun = true;
                continue;
            }
            csv->begun = true;
            for (uint8_t k = 0; k < csv->mark; k++)
                byte(csv, bom[k]);
        }
        byte(csv, bytes.p[i]);
    }
    return TH_OK;
}

th_status th_csv_end(th_csv *csv)
{
    if (!csv->begun)
        for (uint8_t k = 0; k < csv->mark; k++)
            byte(csv, "\xEF\xBB\xBF"[k]);
    if (csv->carriage)
        csv->carriage = false;
    if (csv->state == QUOTED) {
        csv->problem = "unfinished-quote";
        csv->state = SKIP;
    }
    if (csv->any || csv->fields || csv->problem)
        record_end(csv);
    return TH_OK;
}

void th_csv_quote(th_buf *buf, th_str field)
{
    bool needed = false;
    for (size_t i = 0; i < field.n && !needed; i++)
        needed = field.p[i] == ',' || field.p[i] == '"' || field.p[i] == '\n' || field.p[i] == '\r';
    if (!needed) {
        th_buf_str(buf, field);
        return;
    }
    th_buf_char(buf, '"');
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] == '"')
            th_buf_char(buf, '"');
        th_buf_char(buf, field.p[i]);
    }
    th_buf_char(buf, '"');
}
