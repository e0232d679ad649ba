/* rows.c — the tables of cases: reading a case, appending its events, keeping its state. */
#include "cases-private.h"

#include <string.h>

#define CASE_COLUMNS                                                                                                               \
    "id, number, item, origin, owner, state, outcome, subject, account, office, applicant_name, id_masked, secret, due_at, "     \
    "created_at, updated_at"

th_status th_case_get(th_db *db, th_str id, th_arena *arena, th_case *ret_case, th_error *error)
{
    const th_value *row;
    th_case c = {0};
    th_value key = th_v_text(id);
    th_status status = th_db_one(db, "SELECT " CASE_COLUMNS " FROM cases_case WHERE id = ?1", &key, 1, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-case", "没有这个办件", "There is no such case");
    if (status)
        return status;
    if (row[0].s.n >= TH_ID_TEXT || !th_case_state_parse(row[5].s, &c.state))
        return th_fail(error, TH_CORRUPT, "case-row", "办件记录损坏", "The case's row is damaged");
    memcpy(c.id, row[0].s.p, row[0].s.n);
    c.number = row[1].s;
    c.item = row[2].s;
    c.origin = row[3].s;
    c.owner = row[4].s;
    c.outcome = row[6].s;
    c.subject = row[7].s;
    c.account = row[8].s;
    c.office = row[9].s;
    c.applicant_name = row[10].s;
    c.id_masked = row[11].s;
    c.secret = row[12].s;
    c.due_us = row[13].i;
    c.created_us = row[14].i;
    c.updated_us = row[15].i;
    *ret_case = c;
    return TH_OK;
}

th_status th_case_insert(th_db *db, const th_case *c, th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(c->id)), th_v_text(c->number), th_v_text(c->item), th_v_text(c->origin),
                         th_v_text(c->owner), th_v_text(th_str_of(th_case_state_name(c->state))), th_v_text(c->outcome),
                         th_v_text(c->subject), th_v_text(c->account), th_v_text(c->office), th_v_text(c->applicant_name),
                         th_v_text(c->id_masked), th_v_blob(c->secret.p, c->secret.n), th_v_int(c->due_us),
                         th_v_int(c->created_us), th_v_int(c->updated_us)};
    return th_db_exec(db,
                      "INSERT INTO cases_case (" CASE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
                      "?14, ?15, ?16)",
                      values, TH_COUNT(values), NULL, error);
}

th_status th_case_state_set(th_db *db, const char *id, th_case_state state, th_str outcome, int64_t due_us, int64_t now_us,
                            th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(id)), th_v_text(th_str_of(th_case_state_name(state))), th_v_text(outcome),
                         th_v_int(due_us), th_v_int(now_us)};
    return th_db_exec(db,
                      "UPDATE cases_case SET state = ?2, outcome = COALESCE(?3, outcome), due_at = ?4, updated_at = ?5 WHERE id = ?1",
                      values, TH_COUNT(values), NULL, error);
}

th_status th_case_event_put(th_cases *cases, th_db *db, const char *id, th_case_event *event, bool *ret_new, th_error *error)
{
    th_arena arena;
    const th_value *row;
    int64_t changed = 0;
    th_arena_open(&arena, 64 * 1024);
    if (!event->node.n)
        event->node = th_str_of(cases->code);
    th_value keys[] = {th_v_text(th_str_of(id)), th_v_text(event->node)};
    th_status status = th_db_one(db,
                                 "SELECT COALESCE(MAX(seq), 0), COALESCE(MAX(CASE WHEN node = ?2 THEN origin_seq ELSE 0 END), 0) "
                                 "FROM cases_event WHERE case_id = ?1",
                                 keys, 2, &arena, &row, error);
    if (!status) {
        int64_t seq = row[0].i + 1;
        if (!event->origin_seq)
            event->origin_seq = row[1].i + 1;
        th_value values[] = {th_v_text(th_str_of(id)), th_v_int(seq), th_v_text(event->node), th_v_int(event->origin_seq),
                             th_v_int(event->at_us), th_v_text(event->kind), th_v_text(event->actor), th_v_text(event->json),
                             th_v_text(event->message)};
        status = th_db_exec(db,
                            "INSERT INTO cases_event (case_id, seq, node, origin_seq, at, kind, actor, json, message) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (case_id, node, origin_seq) DO NOTHING",
                            values, TH_COUNT(values), &changed, error);
    }
    th_arena_close(&arena);
    if (!status && ret_new)
        *ret_new = changed == 1;
    return status;
}

th_status th_case_secret_seal(th_cases *cases, const char *id, th_str json, th_arena *arena, th_str *ret_sealed)
{
    return th_seal(&cases->env, cases->seal_key, json, th_str_of(id), arena, ret_sealed);
}

th_status th_case_secret_open(th_cases *cases, const char *id, th_str sealed, th_arena *arena, const th_json **ret_json,
                              th_error *error)
{
    th_str plain;
    th_status status = th_unseal(cases->seal_key, sealed, th_str_of(id), arena, &plain);
    if (status)
        return th_fail(error, TH_CORRUPT, "case-sealed", "办件内容无法解密", "The case's content cannot be opened");
    return th_json_parse(plain, arena, ret_json, error);
}

/* 1101**********0012: the region's first four digits and the last four. */
void th_id_mask(th_str id_number, char ret_masked[24])
{
    size_t n = id_number.n < 20 ? id_number.n : 20;
    for (size_t i = 0; i < n; i++)
        ret_masked[i] = i < 4 || i + 4 >= n ? id_number.p[i] : '*';
    ret_masked[n] = 0;
}

/* ---- writes ---- */

typedef struct plain_write {
    th_change change;
    th_case_write write;
    void *ctx;
} plain_write;

static th_status plain_apply(th_change *change, th_db *db, th_error *error)
{
    plain_write *w = change->ctx;
    return w->write(w->ctx, db, error);
}

th_status th_cases_write(th_cases *cases, th_case_write write, void *ctx, th_error *error)
{
    plain_write w = {.write = write, .ctx = ctx};
    w.change = (th_change){.apply = plain_apply, .ctx = &w};
    return th_writer_run(cases->writer, &w.change, error);
}
