/* material.c — rows and sealed pieces of papers. */
#include "material.h"

#include <stdio.h>
#include <string.h>

#define MATERIAL_COLUMNS "code, name, mime, size, sha256, state, source, at, next_at, tries"

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
                             .source = row[6].s, .at_us = row[7].i, .next_us = row[8].i, .tries = row[9].i};
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
                      "source = excluded.source, next_at = 0, tries = 0, at = excluded.at",
                      values, TH_COUNT(values), NULL, error);
}

th_status th_material_state_set(th_db *db, th_str case_id, th_str code, const char *state, int64_t next_at_us, th_error *error)
{
    th_value values[] = {th_v_text(case_id), th_v_text(code), th_v_text(th_str_of(state)), th_v_int(next_at_us)};
    return th_db_exec(db, "UPDATE cases_material SET state = ?3, next_at = ?4 WHERE case_id = ?1 AND code = ?2", values, 4, NULL, error);
}

th_status th_material_arrive(th_db *db, th_str case_id, const th_material *m, bool *ret_arrived, th_error *error)
{
    int64_t changed = 0;
    th_value values[] = {th_v_text(case_id), th_v_text(m->code), th_v_text(m->sha256), th_v_int(m->size), th_v_int(m->at_us)};
    th_status status = th_db_exec(db,
                                  "UPDATE cases_material SET state = 'here', next_at = 0, tries = 0 WHERE case_id = ?1 AND code = ?2 AND sha256 = ?3 "
                                  "AND size = ?4 AND at = ?5 AND state IN ('uploading', 'wanted')",
                                  values, TH_COUNT(values), &changed, error);
    *ret_arrived = changed == 1;
    return status;
}

th_status th_material_again(th_db *db, th_str case_id, const th_material *m, int64_t now_us, th_error *error)
{
    enum { FIRST_PAUSE_S = 60, DOUBLINGS = 9 }; /* a minute … eight and a half hours */
    int64_t pause = (int64_t)FIRST_PAUSE_S << (m->tries < DOUBLINGS ? m->tries : DOUBLINGS);
    th_value values[] = {th_v_text(case_id), th_v_text(m->code), th_v_int(now_us + pause * TH_SECOND_US)};
    th_status status = th_db_exec(db, "DELETE FROM cases_piece WHERE case_id = ?1 AND code = ?2", values, 2, NULL, error);
    return status ? status
                  : th_db_exec(db, "UPDATE cases_material SET state = 'wanted', tries = tries + 1, next_at = ?3 WHERE case_id = ?1 AND code = ?2", values,
                               3, NULL, error);
}

bool th_material_code_ok(th_str code)
{
    bool ok = code.n > 0 && code.n <= TH_MATERIAL_CODE_MAX;
    for (size_t i = 0; ok && i < code.n; i++)
        ok = (code.p[i] >= 'a' && code.p[i] <= 'z') || (code.p[i] >= 'A' && code.p[i] <= 'Z') || (code.p[i] >= '0' && code.p[i] <= '9') ||
             code.p[i] == '-' || code.p[i] == '_';
    return ok;
}

th_status th_material_replace_check(const th_case *c, const th_material *known, th_error *error)
{
    if (c->state->phase == TH_PHASE_FINAL)
        return th_fail(error, TH_CONFLICT, "case-state", "办件已结束，不再接收材料", "The case is over; no more papers are taken");
    bool before = c->state->phase != TH_PHASE_OPEN || th_str_is(c->state->id, "received") || th_str_is(c->state->id, "correction");
    if (known && th_str_is(known->state, "here") && !before)
        return th_fail(error, TH_CONFLICT, "material-settled", "办件受理后，已收齐的材料不能更换", "Once the case is accepted, a paper that is here cannot be replaced");
    return TH_OK;
}

th_str th_material_event_json(const char *kind, const th_material *m, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "kind", kind);
    th_pen_kstr(&pen, "code", m->code);
    if (m->sha256.n) {
        th_pen_kstr(&pen, "name", m->name);
        th_pen_kstr(&pen, "mime", m->mime);
        th_pen_kint(&pen, "size", m->size);
        th_pen_kstr(&pen, "sha256", m->sha256);
    }
    th_pen_end(&pen, '}');
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}

th_status th_material_replaced_note(th_cases *cases, th_db *db, th_case *c, const th_material *known, th_str actor, th_str message, th_arena *arena,
                                    th_error *error)
{
    th_case_event event = {.kind = TH_STR("material_replaced"), .actor = actor, .json = th_material_event_json("material_replaced", known, arena),
                           .message = message, .at_us = th_now_us(&cases->env)};
    return event.json.p ? th_case_note(cases, db, c, &event, arena, error) : TH_NO_MEMORY;
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

/* One piece after the other, each as long as it must be. */
typedef void (*piece_taker)(void *ctx, th_str piece);

static th_status pieces_go(th_cases *cases, th_db *db, th_str case_id, const th_material *m, piece_taker take, void *ctx, th_error *error)
{
    th_arena arena;
    th_status status = TH_OK;
    th_arena_open(&arena, 16 * TH_PIECE);
    for (int64_t n = 0; !status && n < th_pieces_of(m->size); n++) {
        th_str piece;
        th_arena_reset(&arena);
        status = th_piece_get(cases, db, case_id, m->code, n, &arena, &piece, error);
        if (status == TH_NOT_FOUND || (!status && (int64_t)piece.n != th_piece_size(m->size, n)))
            status = th_fail(error, TH_CONFLICT, "material-pieces", "材料不完整", "The paper is not whole");
        if (!status)
            take(ctx, piece);
    }
    th_arena_close(&arena);
    return status;
}

static void look_take(void *ctx, th_str piece)
{
    th_material_look_at(ctx, piece);
}

th_status th_material_verify(th_cases *cases, th_db *db, th_str case_id, const th_material *m, th_material_look *ret_look, th_error *error)
{
    th_material_look own, *look = ret_look ? ret_look : &own;
    uint8_t wanted[TH_HASH_SIZE];
    th_material_look_open(look);
    th_status status = pieces_go(cases, db, case_id, m, look_take, look, error);
    if (status)
        return status;
    th_hash hash = th_hasher_done(&look->hasher);
    if (!th_unhex(m->sha256, wanted, sizeof wanted) || memcmp(hash.b, wanted, sizeof wanted) != 0)
        return th_fail(error, TH_UNPROCESSABLE, "material-hash", "文件与所报哈希不符，请重新上传", "The file does not have the hash that was said; send it again");
    return TH_OK;
}

static void bytes_take(void *ctx, th_str piece)
{
    th_str *to = ctx;
    memcpy((char *)to->p + to->n, piece.p, piece.n);
    to->n += piece.n;
}

th_status th_material_bytes(th_cases *cases, th_db *db, th_str case_id, const th_material *m, th_arena *arena, th_str *ret, th_error *error)
{
    *ret = (th_str){th_arena_room(arena, (size_t)m->size + 1), 0};
    if (!ret->p)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    return pieces_go(cases, db, case_id, m, bytes_take, ret, error);
}
