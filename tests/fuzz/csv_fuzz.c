/* CSV: whatever pieces it comes in, the same records; and what we quote comes back as it was. The first byte is the size of a piece. */
#include "fuzz.h"
#include "platform/base/csv.h"

typedef struct tally { uint64_t hash, records, fields; uint64_t line; th_arena *arena; bool check; } tally;

static void record(void *ctx, uint64_t line, const th_str *fields, size_t n, th_status status, const char *problem)
{
    tally *t = ctx;
    MUST(line >= t->line && n <= TH_CSV_FIELDS_MAX && (status == TH_OK) == (problem == NULL));
    t->line = line;
    t->records++;
    t->hash = (t->hash ^ line ^ (uint64_t)status) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < n; i++, t->fields++) {
        MUST(fields[i].n <= TH_CSV_RECORD_MAX);
        for (size_t k = 0; k < fields[i].n; k++)
            t->hash = (t->hash ^ (unsigned char)fields[i].p[k]) * UINT64_C(0x100000001b3);
        t->hash = (t->hash ^ 0xFF) * UINT64_C(0x100000001b3);
        if (!status)
            MUST(th_utf8_valid(fields[i]));
    }
}

static tally read_all(th_str text, size_t piece)
{
    tally t = {0};
    th_csv *csv;
    MUST(th_csv_open(record, &t, &csv) == TH_OK);
    for (size_t i = 0; i < text.n; i += piece)
        MUST(th_csv_feed(csv, (th_str){text.p + i, text.n - i < piece ? text.n - i : piece}) == TH_OK);
    MUST(th_csv_end(csv) == TH_OK);
    th_csv_close(csv);
    return t;
}

typedef struct wanted { th_str field; int seen; } wanted;

static void one_field(void *ctx, uint64_t line, const th_str *fields, size_t n, th_status status, const char *problem)
{
    wanted *w = ctx;
    (void)line;
    (void)problem;
    MUST(status == TH_OK && n == 2 && th_str_eq(fields[0], w->field) && th_str_is(fields[1], "x"));
    w->seen++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    th_str text = fuzz_input(data + 1, size - 1);
    tally whole = read_all(text, text.n ? text.n : 1), pieces = read_all(text, 1u + data[0] % 7);
    MUST(whole.hash == pieces.hash && whole.records == pieces.records && whole.fields == pieces.fields);
    if (th_utf8_valid(text) && text.n < TH_CSV_RECORD_MAX) {
        th_arena arena;
        th_buf buf;
        th_csv *csv;
        wanted w = {text, 0};
        th_arena_open(&arena, 16u << 20);
        th_buf_open(&buf, &arena, 4u << 20);
        th_csv_quote(&buf, text);
        th_buf_text(&buf, ",x\r\n");
        if (!th_str_starts(text, "\xEF\xBB\xBF")) { /* a byte order mark at the beginning of a file is not data */
            MUST(th_csv_open(one_field, &w, &csv) == TH_OK && th_csv_feed(csv, th_buf_view(&buf)) == TH_OK && th_csv_end(csv) == TH_OK);
            th_csv_close(csv);
            MUST(w.seen == 1);
        }
        th_arena_close(&arena);
    }
    return 0;
}
