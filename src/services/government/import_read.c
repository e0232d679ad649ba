/* import_read.c — an office's list, CSV or JSON, into rows; nothing is judged here, and nothing left out. */
#include "import-private.h"

#include "platform/base/csv.h"

#include <string.h>

static const struct { const char *name, *zh; } columns[TH_COLUMNS] = {
    [TH_COLUMN_IMPL] = {"impl_code", "实施编码"},        [TH_COLUMN_BASIC] = {"basic_code", "基本编码"},
    [TH_COLUMN_NAME] = {"name", "事项名称"},             [TH_COLUMN_SUB_NAME] = {"sub_name", "业务办理项名称"},
    [TH_COLUMN_KIND] = {"kind", "事项类型"},             [TH_COLUMN_BASIS] = {"basis", "设定依据"},
    [TH_COLUMN_OFFICE_CODE] = {"office_code", "实施主体编码"}, [TH_COLUMN_OFFICE] = {"office", "实施主体"},
    [TH_COLUMN_LEVEL] = {"level", "行使层级"},           [TH_COLUMN_TARGET] = {"target", "服务对象"},
    [TH_COLUMN_HANDLE] = {"handle", "办件类型"},         [TH_COLUMN_STATUTORY] = {"statutory_days", "法定办结时限"},
    [TH_COLUMN_PROMISED] = {"promised_days", "承诺办结时限"}, [TH_COLUMN_CONDITIONS] = {"conditions", "受理条件"},
    [TH_COLUMN_MATERIALS] = {"materials", "申请材料"},   [TH_COLUMN_FEE] = {"fee", "收费标准"},
    [TH_COLUMN_VISITS] = {"visits", "到现场次数"},       [TH_COLUMN_PHONE] = {"phone", "咨询电话"},
};

const char *th_column_name(th_column column)
{
    return columns[column].name;
}

static int column_of(th_str head)
{
    for (int i = 0; i < TH_COLUMNS; i++)
        if (th_str_is(head, columns[i].name) || th_str_is(head, columns[i].zh))
            return i;
    return -1;
}

static th_office_row *row_new(th_office_list *in, int64_t line)
{
    if (in->n == in->room) {
        size_t room = in->room ? 2 * in->room : 256;
        th_office_row *grown = room <= TH_LIST_ROWS_MAX * 2 ? th_alloc_array(in->arena, room, sizeof *grown) : NULL;
        if (!grown)
            return NULL;
        if (in->n)
            memcpy(grown, in->rows, in->n * sizeof *grown);
        in->rows = grown;
        in->room = room;
    }
    if (in->n >= TH_LIST_ROWS_MAX)
        return NULL;
    in->rows[in->n].line = line;
    return &in->rows[in->n++];
}

/* ---- CSV ---- */

typedef struct csv_reading {
    th_office_list *in;
    int columns[TH_CSV_FIELDS_MAX];
    size_t column_count;
    bool head_read;
    th_status status;
    th_error error;
} csv_reading;

static void head_take(csv_reading *r, const th_str *fields, size_t n)
{
    bool named = false;
    for (size_t i = 0; i < n; i++) {
        r->columns[i] = column_of(th_str_trim(fields[i]));
        named = named || r->columns[i] == TH_COLUMN_NAME;
    }
    r->column_count = n;
    r->head_read = true;
    if (!named)
        r->status = th_fail(&r->error, TH_UNPROCESSABLE, "list-head", "表头须有“事项名称”（name）一列", "The head needs a column of the items' names (name)");
}

static void csv_row(void *ctx, uint64_t line, const th_str *fields, size_t n, th_status status, const char *problem)
{
    csv_reading *r = ctx;
    (void)problem;
    if (r->status)
        return;
    if (status) {
        r->status = th_failf(&r->error, TH_UNPROCESSABLE, "list-csv", "第 %llu 行不是合法的 CSV", "Line %llu is not valid CSV", (unsigned long long)line);
        return;
    }
    if (!r->head_read) {
        head_take(r, fields, n);
        return;
    }
    if (n == 1 && !fields[0].n)
        return;
    th_office_row *row = row_new(r->in, (int64_t)line);
    for (size_t i = 0; row && i < n && i < r->column_count; i++)
        if (r->columns[i] >= 0)
            row->values[r->columns[i]] = th_str_keep(r->in->arena, th_str_trim(fields[i]));
    if (!row)
        r->status = th_fail(&r->error, TH_TOO_LARGE, "list-size", "清单行数过多", "The list has too many rows");
}

static th_status csv_read(th_office_list *in, th_str bytes, th_error *error)
{
    th_csv *csv;
    csv_reading *r = th_alloc(in->arena, sizeof *r);
    if (!r)
        return TH_NO_MEMORY;
    r->in = in;
    th_status status = th_csv_open(csv_row, r, &csv);
    if (!status) {
        status = th_csv_feed(csv, bytes);
        if (!status)
            status = th_csv_end(csv);
        th_csv_close(csv);
    }
    if (r->status && error)
        *error = r->error;
    return r->status ? r->status : status;
}

/* ---- JSON: a list of objects, or an object with "items" ---- */

static th_status json_read(th_office_list *in, th_str bytes, th_error *error)
{
    const th_json *root;
    int64_t line = 0;
    th_status status = th_json_parse(bytes, in->arena, &root, error);
    if (status)
        return status;
    const th_json *list = root->type == TH_JSON_ARRAY ? root : th_json_get(root, "items");
    if (!list || list->type != TH_JSON_ARRAY)
        return th_fail_field(error, "/items", "type", "须为事项的列表", "Must be a list of items");
    for (const th_json *j = th_json_first(list); j; j = th_json_next(list, j)) {
        th_office_row *row = row_new(in, ++line);
        if (!row)
            return th_fail(error, TH_TOO_LARGE, "list-size", "清单行数过多", "The list has too many rows");
        if (j->type != TH_JSON_OBJECT)
            return th_failf(error, TH_INVALID, "list-json", "第 %lld 项不是对象", "Element %lld is no object", (long long)line);
        for (const th_json *m = th_json_first(j); m; m = th_json_next(j, m)) {
            int column = column_of(m->key);
            if (column >= 0)
                row->values[column] = m->type == TH_JSON_STRING ? th_str_trim(m->text) : m->type == TH_JSON_NULL ? (th_str){NULL, 0} : m->raw;
        }
    }
    return TH_OK;
}

th_status th_office_list_read(th_office_list *in, th_str bytes, bool csv, th_error *error)
{
    th_status status = csv ? csv_read(in, bytes, error) : json_read(in, bytes, error);
    if (!status && !in->n)
        status = th_fail(error, TH_UNPROCESSABLE, "list-empty", "清单中没有事项", "The list has no items");
    return status;
}

th_str th_office_row_json(const th_office_row *row, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 256 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (int i = 0; i < TH_COLUMNS; i++)
        if (row->values[i].n)
            th_pen_kstr(&pen, columns[i].name, row->values[i]);
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}
