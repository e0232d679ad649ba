/* import_look.c — what has to be looked into, row by row; and what makes a list contradict itself, which refuses it whole. */
#include "import-private.h"

#include "kernel/records/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void doubt(th_office_row *row, th_column column, const char *code, const char *zh, const char *en)
{
    if (row->doubt_count < TH_DOUBTS_MAX)
        row->doubts[row->doubt_count++] = (th_doubt){column, code, zh, en};
}

static void id_doubt(th_office_row *row, th_column column, th_id_fault fault)
{
    const char *zh, *en;
    th_id_fault_words(fault, &zh, &en);
    doubt(row, column, th_id_fault_code(fault), zh, en);
}

/* ---- codes: kept as they stand, never mended ---- */

static void codes_look(th_office_row *row)
{
    th_item_code code;
    th_str impl = row->values[TH_COLUMN_IMPL], basic = row->values[TH_COLUMN_BASIC], office = row->values[TH_COLUMN_OFFICE_CODE];
    th_id_fault fault = impl.n ? th_item_code_check(impl, &code) : TH_ID_OK;
    if (!impl.n)
        doubt(row, TH_COLUMN_IMPL, "required", "没有实施编码", "There is no implementation code");
    else if (fault)
        id_doubt(row, TH_COLUMN_IMPL, fault);
    if (basic.n && th_item_code_check(basic, NULL))
        id_doubt(row, TH_COLUMN_BASIC, th_item_code_check(basic, NULL));
    else if (basic.n && impl.n && !fault && code.basic.n && !th_str_eq(code.basic, basic))
        doubt(row, TH_COLUMN_BASIC, "differs", "与实施编码中的基本编码不同", "Differs from the basic code within the implementation code");
    if (office.n && th_uscc_check(office))
        id_doubt(row, TH_COLUMN_OFFICE_CODE, th_uscc_check(office));
    else if (office.n && impl.n && !fault && code.uscc.n && !th_str_eq(code.uscc, office))
        doubt(row, TH_COLUMN_OFFICE_CODE, "differs", "与实施编码中的实施主体不同", "Differs from the office within the implementation code");
}

static bool whole_number(th_str text, int64_t most, int64_t *ret)
{
    return th_parse_i64(text, 0, most, ret);
}

static void rest_look(th_office_row *row)
{
    int64_t number;
    th_str level = row->values[TH_COLUMN_LEVEL], visits = row->values[TH_COLUMN_VISITS];
    if (!row->values[TH_COLUMN_OFFICE].n)
        doubt(row, TH_COLUMN_OFFICE, "required", "没有实施主体名称", "The office has no name");
    if (!row->values[TH_COLUMN_MATERIALS].n)
        doubt(row, TH_COLUMN_MATERIALS, "required", "没有写明申请材料", "No papers are named");
    if (level.n && (level.n != 1 || level.p[0] < '1' || level.p[0] > '5'))
        doubt(row, TH_COLUMN_LEVEL, "level", "没有这一行使层级（1 国 2 省 3 市 4 县 5 乡）", "There is no such level (1 state … 5 town)");
    if (visits.n && !whole_number(visits, 9, &number))
        doubt(row, TH_COLUMN_VISITS, "range", "到现场次数不是 0–9 的整数", "Not a number of visits");
    for (int i = 0; i < TH_COLUMNS; i++)
        if (row->values[i].n && (!th_utf8_valid(row->values[i]) || th_str_has_controls(row->values[i])))
            doubt(row, (th_column)i, "characters", "含有控制字符", "Holds control characters");
}

/* ---- contradictions ---- */

static void refuse(th_error *error, const th_office_row *row, th_column column, const char *code, const char *zh, const char *en)
{
    char pointer[96];
    snprintf(pointer, sizeof pointer, "/%lld/%s", (long long)row->line, th_column_name(column));
    th_fail_field(error, pointer, code, zh, en);
}

static bool kind_known(th_str kind)
{
    int64_t n;
    if (kind.n > 1 && kind.p[0] == '0') /* 01 as well as 1 */
        kind = (th_str){kind.p + 1, kind.n - 1};
    return th_parse_i64(kind, 1, 20, &n) && (n <= 10 || n == 20);
}

static bool row_contradicts(th_office_row *row, th_error *error)
{
    int64_t statutory = -1, promised = -1;
    th_str s = row->values[TH_COLUMN_STATUTORY], p = row->values[TH_COLUMN_PROMISED];
    bool wrong = false;
    if (!row->values[TH_COLUMN_NAME].n) {
        refuse(error, row, TH_COLUMN_NAME, "required", "缺少事项名称", "The item has no name");
        wrong = true;
    }
    if (!row->values[TH_COLUMN_BASIS].n) {
        refuse(error, row, TH_COLUMN_BASIS, "law", "事项须有设定依据", "An item needs a legal basis");
        wrong = true;
    }
    if (row->values[TH_COLUMN_KIND].n && !kind_known(row->values[TH_COLUMN_KIND])) {
        refuse(error, row, TH_COLUMN_KIND, "kind", "没有这种事项类型", "There is no such kind of item");
        wrong = true;
    }
    if ((s.n && !whole_number(s, 3650, &statutory)) || (p.n && !whole_number(p, 3650, &promised))) {
        refuse(error, row, s.n && statutory < 0 ? TH_COLUMN_STATUTORY : TH_COLUMN_PROMISED, "range", "须为 0–3650 的整数", "A whole number up to 3650");
        wrong = true;
    } else if (statutory >= 0 && promised > statutory) {
        refuse(error, row, TH_COLUMN_PROMISED, "promised-over-statutory", "承诺办结时限不得长于法定办结时限", "What is promised must not be longer than the statutory limit");
        wrong = true;
    }
    return wrong;
}

/* ---- keys ---- */

static th_status key_make(th_office_row *row, th_arena *arena)
{
    th_str json = th_office_row_json(row, arena), impl = row->values[TH_COLUMN_IMPL];
    if (!json.p)
        return TH_TOO_LARGE;
    th_hash hash = th_hash_str(TH_SUITE_ED25519, json);
    th_hex(hash.b, sizeof hash.b, row->hash);
    if (impl.n && impl.n < sizeof row->key && th_item_code_check(impl, NULL) == TH_ID_OK)
        snprintf(row->key, sizeof row->key, "%.*s", TH_FMT(impl));
    else
        snprintf(row->key, sizeof row->key, "row-%.32s", row->hash);
    return TH_OK;
}

static int by_key(const void *a, const void *b)
{
    const th_office_row *x = *(const th_office_row *const *)a, *y = *(const th_office_row *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* One code, two different rows: two versions in force at once. The same row again is only said. */
static bool twice(th_office_list *in, th_error *error, th_status *ret_status)
{
    bool wrong = false;
    th_office_row **sorted = th_alloc_array(in->arena, in->n, sizeof *sorted);
    *ret_status = sorted ? TH_OK : TH_NO_MEMORY;
    if (!sorted)
        return false;
    for (size_t i = 0; i < in->n; i++)
        sorted[i] = &in->rows[i];
    qsort(sorted, in->n, sizeof *sorted, by_key);
    for (size_t i = 1; i < in->n; i++) {
        if (strcmp(sorted[i]->key, sorted[i - 1]->key) != 0)
            continue;
        if (strcmp(sorted[i]->hash, sorted[i - 1]->hash) == 0) {
            doubt(sorted[i], TH_COLUMN_IMPL, "duplicate", "与前面一行完全相同", "The same as a row before");
            continue;
        }
        refuse(error, sorted[i], TH_COLUMN_IMPL, "two-versions", "同一实施编码有两条内容不同的事项", "Two different items have this code");
        wrong = true;
    }
    return wrong;
}

th_status th_office_list_look(th_office_list *in, th_error *error)
{
    bool wrong = false;
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < in->n; i++) {
        wrong = row_contradicts(&in->rows[i], error) || wrong;
        codes_look(&in->rows[i]);
        rest_look(&in->rows[i]);
        status = key_make(&in->rows[i], in->arena);
    }
    if (!status)
        wrong = twice(in, error, &status) || wrong;
    if (status || !wrong)
        return status;
    error->status = TH_UNPROCESSABLE;
    snprintf(error->type, sizeof error->type, "item-list");
    snprintf(error->zh, sizeof error->zh, "清单自相矛盾，整份未收；请改正所列各行");
    snprintf(error->en, sizeof error->en, "The list contradicts itself and is refused as a whole; mend the rows named");
    return TH_UNPROCESSABLE;
}
