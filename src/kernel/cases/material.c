/* material.c — rows and sealed pieces of papers. */
#include "material.h"

#include <stdio.h>
#include <string.h>

#define MATERIAL_COLUMNS "code, name, mime, size, sha256, state, source, at"

th_status th_material_get(th_db *db, th_str case_id, th_str code, th_arena *arena, th_material *ret, th_error *error)
{
    const th_value *row;
    th_value keys[] = {th_v_text(case_id), th_v_text(code)};
    th_status status = th_db_one(db, "SELECT " MATERIAL_COLUMNS " FROM cases_material WHERE case_id = ?1 AND code = ?2", keys, 2, arena, &row,
                                 error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-material", "没有这份材料", "There is no such paper");
    if (!status)
        *ret = (th_material){.code = row[0].s, .name = row[1].s, .mime = row[2].s, .size = row[3].i, .sha256 = row[4].s, .state = row[5].s,
                             .source = row[6].s, .at_us = row[7].i};
    return status;
}

th_status th_material_put(th_db *db, th_str case_id, const th_material *m, th_error *error)
{
    th_value values[] = {th_v_text(case_id),  th_v_text(m->code),  th_v_text(m->name),   th_v_text(m->mime),  th_v_int(m->size),
                         th_v_text(m->sha256), th_v_text(m->state), th_v_text(m->source), th_v_int(m->at_us)};
    th_status status = th_db_exec(db, "DELETE FROM cases_piece WHERE case_id = ?1 AND code = ?2", values, 2, NULL, error);
    if (status)
        return status;
    return th_db_exec(db,
                      "INSERT INTO cases_material (case_id, code, name, mime, size, sha256, state, source, next_at, at) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9) ON CONFLICT (case_id, code) DO UPDATE SET name = excluded.name, "
                      "mime = excluded.mime, size = excluded.size, sha256 = excluded.sha256, state = excluded.state, "
                      "source = excluded.source, next_at = 0, at = excluded.at",
                      values, TH_COUNT(values), NULL, error);
}

th_status th_material_state_set(th_db *db, th_str case_id, th_str code, const char *state, int64_t next_at_us, th_error *error)
{
    th_value values[] = {th_v_text(case_id), th_v_text(code), th_v_text(th_str_of(state)), th_v_int(next_at_us)};
    return th_db_exec(db, "UPDATE cases_material SET state = ?3, next_at = ?4 WHERE case_id = ?1 AND code = ?2", values, 4, NULL, error);
}

/* ---- pieces ---- */

static th_str piece_context(char text[160], th_str case_id, th_str code, int64_t n)
{
    int length = snprintf(text, 160, "%.*s/%.*s/%lld", (int)(case_id.n < 40 ? case_id.n : 40), case_id.p, (int)(code.n < 64 ? code.n : 64), code.p,
                          (long long)n);
    return (th_str){text, (size_t)length};
}

th_status th_pieces_put(th_cases *cases, th_db *db, th_str case_id, th_str code, int64_t first, th_str bytes, th_arena *arena, th_error *error)
{
    size_t n = (size_t)th_pieces_of((int64_t)bytes.n), at = 0;
    th_value *values = th_alloc_array(arena, 4 * (n ? n : 1), sizeof *values);
    if (!values)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (size_t i = 0; i < n; i++, at += TH_PIECE) {
        char context[160];
        th_str sealed, plain = {bytes.p + at, bytes.n - at < TH_PIECE ? bytes.n - at : TH_PIECE};
        th_status status = th_seal(&cases->env, cases->seal_key, plain, piece_context(context, case_id, code, first + (int64_t)i), arena, &sealed);
        if (status)
            return status;
        values[4 * i] = th_v_text(case_id);
        values[4 * i + 1] = th_v_text(code);
        values[4 * i + 2] = th_v_int(first + (int64_t)i);
        values[4 * i + 3] = th_v_blob(sealed.p, sealed.n);
    }
    return th_db_exec_many(db, "INSERT INTO cases_piece (case_id, code, n, bytes) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (case_id, code, n) DO NOTHING",
                           values, 4, n, error);
}

th_status th_pieces_count(th_db *db, th_str case_id, th_str code, th_arena *arena, int64_t *ret_n, th_error *error)
{
    const th_value *row;
    th_value keys[] = {th_v_text(case_id), th_v_text(code)};
    th_status status = th_db_one(db, "SELECT COUNT(*) FROM cases_piece WHERE case_id = ?1 AND code = ?2", keys, 2, arena, &row, error);
    *ret_n = status ? 0 : row[0].i;
    return status;
}

th_status th_piece_get(th_cases *cases, th_db *db, th_str case_id, th_str code, int64_t n, th_arena *arena, th_str *ret, th_error *error)
{
    const th_value *row;
    char context[160];
    th_value keys[] = {th_v_text(case_id), th_v_text(code), th_v_int(n)};
    th_status status = th_db_one(db, "SELECT bytes FROM cases_piece WHERE case_id = ?1 AND code = ?2 AND n = ?3", keys, 3, arena, &row, error);
    if (status)
        return status;
    return th_unseal(cases->seal_key, row[0].s, piece_context(context, case_id, code, n), arena, ret);
}

th_status th_material_bytes(th_cases *cases, th_db *db, th_str case_id, const th_material *m, th_arena *arena, th_str *ret, th_error *error)
{
    th_buf buf;
    th_status status = TH_OK;
    th_buf_open(&buf, arena, (size_t)m->size + 1);
    for (int64_t n = 0; !status && n < th_pieces_of(m->size); n++) {
        th_str piece;
        status = th_piece_get(cases, db, case_id, m->code, n, arena, &piece, error);
        if (!status)
            th_buf_str(&buf, piece);
    }
    if (!status && (!th_buf_ok(&buf) || (int64_t)buf.n != m->size))
        status = th_fail(error, TH_CORRUPT, "material-pieces", "材料不完整", "The paper is not whole");
    *ret = th_buf_view(&buf);
    return status;
}
