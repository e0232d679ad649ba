/* material_fetch.c — the owner fetches papers from the node where they were handed in, piece by piece, as often as it takes; the hash that came
 * with the case says when it is the right one. */
#include "material.h"

#include <string.h>

enum { PIECES_AT_ONCE = 16, AGAIN_S = 2, FETCH_DEADLINE_S = 20, MATERIALS_AT_ONCE = 4 };

/* ---- the giving side ---- */

static th_status piece_wanted(const th_message *m, th_str *ret_case, th_str *ret_code, int64_t *ret_n, th_error *error)
{
    bool ok = th_json_want_str(m->body, "/body", "case", TH_ID_TEXT - 1, ret_case, error);
    ok = th_json_want_str(m->body, "/body", "code", TH_MATERIAL_CODE_MAX, ret_code, error) && ok;
    ok = th_json_want_int(m->body, "/body", "n", 0, th_pieces_of(TH_MATERIAL_MAX), ret_n, error) && ok;
    return ok ? TH_OK : TH_INVALID;
}

static th_status piece_answer(th_cases *cases, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_str case_id, code, piece;
    th_case c;
    th_material paper;
    int64_t n;
    th_buf buf;
    th_status status = piece_wanted(m, &case_id, &code, &n, error);
    if (!status)
        status = th_case_get(cases, db, case_id, arena, &c, error);
    if (!status && !th_str_is(c.owner, m->from)) /* papers go to the node that decides, and to no other */
        status = th_fail(error, TH_FORBIDDEN, "not-the-owner", "只有决定该办件的节点可以取材料", "Only the node that decides may fetch papers");
    if (!status)
        status = th_material_get(db, case_id, code, arena, &paper, error);
    if (!status && !th_str_is(paper.state, "here"))
        status = TH_NOT_FOUND;
    if (!status)
        status = th_piece_get(cases, db, case_id, code, n, arena, &piece, error);
    if (status)
        return status == TH_NOT_FOUND ? th_fail(error, status, "no-material", "没有这份材料", "There is no such paper") : status;
    th_buf_open(&buf, arena, 60 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "bytes", th_base64(arena, piece.p, piece.n));
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    answer->body = th_buf_view(&buf);
    memcpy(answer->subject, c.subject.p, c.subject.n < 32 ? c.subject.n : 32);
    answer->reg = TH_STR("case");
    answer->fields = TH_STR("material");
    return TH_OK;
}

void th_case_piece_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    for (size_t i = 0; i < n; i++) {
        th_error *error = th_alloc(arena, sizeof *error);
        answers[i]->status = error ? piece_answer(ctx, db, messages[i], arena, answers[i], error) : TH_NO_MEMORY;
        answers[i]->error = answers[i]->status ? error : NULL;
    }
}

/* ---- the wanting side ---- */

static th_status material_read(th_cases *cases, th_str from, const th_json *said, th_material *ret, th_error *error)
{
    uint8_t hash[TH_HASH_SIZE];
    th_material m = {.code = th_json_str(said, "code"), .name = th_json_str(said, "name"), .mime = th_json_str(said, "mime"),
                     .size = th_json_int(said, "size", 0), .sha256 = th_json_str(said, "sha256"), .source = from,
                     .at_us = th_now_us(&cases->env)};
    if (!th_material_code_ok(m.code) || m.name.n > 800 || m.mime.n > 60 || m.size < 0 || m.size > TH_MATERIAL_MAX ||
        (m.size && !th_unhex(m.sha256, hash, sizeof hash)))
        return th_fail_field(error, "/body/material", "format", "材料说明不合规定", "The paper is not described as it must be");
    m.state = m.size ? TH_STR("wanted") : TH_STR("deferred");
    m.name = m.name.p ? m.name : TH_STR("");
    m.mime = m.mime.p ? m.mime : TH_STR("");
    m.sha256 = m.size ? m.sha256 : TH_STR("");
    *ret = m;
    return TH_OK;
}

th_status th_material_wanted(th_cases *cases, th_db *db, th_str case_id, th_str from, const th_json *said, th_error *error)
{
    th_material m;
    th_status status = material_read(cases, from, said, &m, error);
    return status ? status : th_material_put(db, case_id, &m, error);
}

/* One that was here before gives way only while it may. */
static th_status follows(th_cases *cases, th_db *db, th_case *c, const th_message *m, const th_material *next, th_arena *arena, th_error *error)
{
    th_material known;
    th_error none = {0};
    th_status status = th_material_get(db, th_str_of(c->id), next->code, arena, &known, &none);
    if (status && status != TH_NOT_FOUND) {
        *error = none;
        return status;
    }
    const th_material *stands = status ? NULL : &known;
    status = th_material_replace_check(c, stands, error);
    if (!status && stands && th_str_is(stands->state, "here"))
        status = th_material_replaced_note(cases, db, c, stands, (th_str){NULL, 0}, th_str_of(m->id), arena, error);
    if (!status)
        status = th_material_put(db, th_str_of(c->id), next, error);
    const char *kind = next->size ? "material" : "material_deferred";
    th_case_event event = {.kind = th_str_of(kind), .json = th_material_event_json(kind, next, arena), .message = th_str_of(m->id),
                           .at_us = th_now_us(&cases->env)};
    if (!status)
        status = event.json.p ? th_case_note(cases, db, c, &event, arena, error) : TH_NO_MEMORY;
    return status;
}

/* A paper handed in at the other node after the case had left it. */
th_status th_case_material_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_cases *cases = ctx;
    th_case c;
    th_str id;
    th_material next;
    const th_json *said;
    answer->body = TH_STR("{}");
    if (!th_json_want_str(m->body, "/body", "case", TH_ID_TEXT - 1, &id, error) ||
        !th_json_want_object(m->body, "/body", "material", &said, error))
        return TH_INVALID;
    th_status status = th_case_get(cases, db, id, arena, &c, error);
    if (!status && (!th_str_is(c.owner, cases->code) || !th_str_is(c.origin, m->from)))
        status = th_fail(error, TH_FORBIDDEN, "not-the-origin", "材料须由收件的节点转来", "Papers come from the node that collected the case");
    if (!status)
        status = material_read(cases, th_str_of(m->from), said, &next, error);
    return status ? status : follows(cases, db, &c, m, &next, arena, error);
}

typedef struct fetching {
    th_ask ask;
    th_change change;
    th_arena arena;
    th_cases *cases;
    th_str case_id, code, bytes;
    int64_t n, at_us; /* at_us: of the announcement that the piece was asked for */
    bool whole;
} fetching;

static void fetching_end(fetching *f)
{
    th_arena_close(&f->arena);
    th_free(f);
}

static th_status whole_or_again(fetching *f, th_db *db, const th_material *m, th_error *error)
{
    bool arrived = false;
    th_status status = th_material_verify(f->cases, db, f->case_id, m, NULL, error);
    if (status == TH_UNPROCESSABLE || status == TH_CONFLICT) /* not what was said */
        return th_material_again(db, f->case_id, m, th_now_us(&f->cases->env), error);
    if (!status)
        status = th_material_arrive(db, f->case_id, m, &arrived, error);
    f->whole = arrived;
    return status;
}

static th_status piece_apply(th_change *change, th_db *db, th_error *error)
{
    fetching *f = change->ctx;
    th_material m;
    int64_t n, now = th_now_us(&f->cases->env);
    th_status status = th_material_get(db, f->case_id, f->code, &f->arena, &m, error);
    if (status)
        return status == TH_NOT_FOUND ? TH_OK : status;
    /* Said anew meanwhile, or a piece beside this one was wrong and the paper is paused: this one counts no more. */
    if (!th_str_is(m.state, "wanted") || m.at_us != f->at_us || m.next_us > now + AGAIN_S * TH_SECOND_US)
        return TH_OK;
    if ((int64_t)f->bytes.n != th_piece_size(m.size, f->n))
        return th_material_again(db, f->case_id, &m, now, error);
    status = th_pieces_put(f->cases, db, f->case_id, f->code, f->n, f->bytes, &f->arena, error);
    if (!status)
        status = th_pieces_count(db, f->case_id, f->code, &f->arena, &n, error);
    if (!status && n >= th_pieces_of(m.size))
        status = whole_or_again(f, db, &m, error);
    return status;
}

static void piece_kept(th_change *change, th_status status, const th_error *error)
{
    fetching *f = change->ctx;
    (void)error;
    if (status)
        th_log(TH_LOG_WARN, "material-piece", "status", th_status_name(status), NULL);
    else if (f->whole)
        th_case_told(f->cases, f->case_id, TH_STR("{\"kind\":\"material_here\"}"));
    fetching_end(f);
}

/* A refusal of what was asked, not of the moment. */
static bool says_no(const th_ask *ask)
{
    bool no = ask->status == TH_NOT_FOUND || ask->status == TH_FORBIDDEN || ask->status == TH_INVALID || ask->status == TH_UNPROCESSABLE;
    return no && !th_refusal_passes(&ask->error);
}

static void piece_came(th_ask *ask)
{
    fetching *f = ask->ctx;
    const th_json *root;
    if (ask->status && !says_no(ask)) {
        fetching_end(f); /* the tick asks again */
        return;
    }
    if (ask->status || th_json_parse(ask->answer, &f->arena, &root, NULL) || th_unbase64(&f->arena, th_json_str(root, "bytes"), &f->bytes))
        f->bytes = (th_str){NULL, 0}; /* no piece is empty */
    f->change = (th_change){.apply = piece_apply, .reply = piece_kept, .ctx = f};
    if (th_writer_submit(f->cases->writer, &f->change))
        fetching_end(f);
}

static void piece_ask(th_cases *cases, const th_value *row, int64_t n)
{
    fetching *f = th_new(sizeof *f);
    if (!f)
        return;
    th_arena_open(&f->arena, 4u << 20);
    f->cases = cases;
    f->case_id = th_str_keep(&f->arena, row[0].s);
    f->code = th_str_keep(&f->arena, row[1].s);
    f->n = n;
    f->at_us = row[5].i;
    f->ask = (th_ask){.provider = th_str_keep(&f->arena, row[2].s),
                      .type = TH_STR("case.piece"),
                      .item = th_str_keep(&f->arena, row[4].s),
                      .case_id = f->case_id,
                      .body = th_strf(&f->arena, "{\"case\":\"%.*s\",\"code\":\"%.*s\",\"n\":%lld}", TH_FMT(f->case_id), TH_FMT(f->code), (long long)n),
                      .deadline_us = th_now_us(&cases->env) + FETCH_DEADLINE_S * TH_SECOND_US,
                      .done = piece_came,
                      .arena = &f->arena,
                      .ctx = f};
    if (!f->ask.body.p || th_exchange_ask(cases->exchange, &f->ask, 1, NULL))
        fetching_end(f);
}

/* The first pieces that are not here yet. */
static void pieces_ask(th_cases *cases, th_db *db, const th_value *row, th_arena *arena)
{
    th_rows have;
    int64_t total = th_pieces_of(row[3].i), at = 0;
    int asked = 0;
    th_value keys[] = {row[0], row[1]};
    if (th_db_select(db, "SELECT n FROM cases_piece WHERE case_id = ?1 AND code = ?2 ORDER BY n", keys, 2, arena, &have, NULL))
        return;
    for (int64_t n = 0; n < total && asked < PIECES_AT_ONCE; n++) {
        if (at < (int64_t)have.n && th_row(&have, (size_t)at)[0].i == n) {
            at++;
            continue;
        }
        piece_ask(cases, row, n);
        asked++;
    }
}

typedef struct claiming {
    th_rows rows;
    th_cases *cases;
} claiming;

static th_status claim_write(void *ctx, th_db *db, th_error *error)
{
    claiming *k = ctx;
    th_status status = TH_OK;
    int64_t next = th_now_us(&k->cases->env) + AGAIN_S * TH_SECOND_US;
    for (size_t i = 0; !status && i < k->rows.n; i++)
        status = th_material_state_set(db, th_row(&k->rows, i)[0].s, th_row(&k->rows, i)[1].s, "wanted", next, error);
    return status;
}

void th_material_tick(th_cases *cases)
{
    th_db *db;
    th_arena arena;
    claiming k = {.cases = cases};
    if (th_store_acquire(cases->store, &db, NULL))
        return;
    th_arena_open(&arena, 4u << 20);
    th_value values[] = {th_v_int(th_now_us(&cases->env)), th_v_int(MATERIALS_AT_ONCE)};
    th_status status = th_db_select(db,
                                    "SELECT m.case_id, m.code, m.source, m.size, c.item, m.at FROM cases_material m JOIN cases_case c ON c.id = m.case_id "
                                    "WHERE m.state = 'wanted' AND m.next_at <= ?1 ORDER BY m.next_at LIMIT ?2",
                                    values, 2, &arena, &k.rows, NULL);
    if (!status && k.rows.n && th_cases_write(cases, claim_write, &k, NULL) == TH_OK)
        for (size_t i = 0; i < k.rows.n; i++)
            pieces_ask(cases, db, th_row(&k.rows, i), &arena);
    th_store_release(cases->store, db);
    th_arena_close(&arena);
}
