/* import-private.h — an office's own list on its way in: rows read from CSV or JSON, looked at, kept. */
#ifndef TH_GOVERNMENT_IMPORT_PRIVATE_H
#define TH_GOVERNMENT_IMPORT_PRIVATE_H
#include "government-private.h"

typedef enum th_column {
    TH_COLUMN_IMPL, TH_COLUMN_BASIC, TH_COLUMN_NAME, TH_COLUMN_SUB_NAME, TH_COLUMN_KIND, TH_COLUMN_BASIS, TH_COLUMN_OFFICE_CODE, TH_COLUMN_OFFICE,
    TH_COLUMN_LEVEL, TH_COLUMN_TARGET, TH_COLUMN_HANDLE, TH_COLUMN_STATUTORY, TH_COLUMN_PROMISED, TH_COLUMN_CONDITIONS, TH_COLUMN_MATERIALS,
    TH_COLUMN_FEE, TH_COLUMN_VISITS, TH_COLUMN_PHONE, TH_COLUMNS,
} th_column;

enum { TH_DOUBTS_MAX = 12, TH_LIST_ROWS_MAX = 50000 };

typedef struct th_doubt { th_column column; const char *code, *zh, *en; } th_doubt;

typedef struct th_office_row {
    int64_t line;
    th_str values[TH_COLUMNS]; /* absent: not in the list */
    char key[72], hash[2 * TH_HASH_SIZE + 1];
    th_doubt doubts[TH_DOUBTS_MAX];
    size_t doubt_count;
} th_office_row;

typedef struct th_office_list {
    th_arena *arena;
    th_office_row *rows;
    size_t n, room;
} th_office_list;

const char *th_column_name(th_column column); /* "impl_code" … */
/* import_read.c: rows out of the bytes; heads in English or as the standards name them in Chinese. TH_INVALID for what is neither. */
TH_MUST_USE th_status th_office_list_read(th_office_list *in, th_str bytes, bool csv, th_error *error);
/* import_look.c: doubts of each row; contradictions refuse the list as a whole, with a field error a row (at most as many as fit). */
TH_MUST_USE th_status th_office_list_look(th_office_list *in, th_error *error);
th_str th_office_row_json(const th_office_row *row, th_arena *arena); /* the values as they stood */
#endif
