/* rows.c — the tables of cases: reading a case, folding and appending its events, keeping its row. */
#include "cases-private.h"

#include <string.h>

#define CASE_COLUMNS                                                                                                               \
    "id, number, item, origin, owner, state, outcome, subject, account, office, applicant_name, id_masked, secret, due_at, "     \
    "created_at, updated_at, clock, channel, item_version"

th_status th_case_get(th_cases *cases, th_db *db, th_str id, th_arena *arena, th_case *ret_case, th_error *error)
{
    const th_value *row;
    th_case c = {0};
    th_value key = th_v_text(id);
    th_status status = th_db_one(db, "SELECT " CASE_COLUMNS " FROM cases_case WHERE id = ?1", &key, 1, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-case", "没有这个办件", "There is no such case");
    if (status)
        return status;
    c.state = th_machine_state(cases->machine, row[5].s);
    if (row[0].s.n >= TH_ID_TEXT || !c.state)
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
    c.clock = row[16].s;
    c.channel = row[17].s;
    c.item_version = row[18].type == TH_VALUE_NULL ? 0 : row[18].i;
    *ret_case = c;
    return TH_OK;
}

th_status th_case_insert(th_db *db, const th_case *c, th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(c->id)), th_v_text(c->number), th_v_text(c->item), th_v_text(c->origin),
                         th_v_text(c->owner), th_v_text(c->state->id), th_v_text(c->outcome),
                         th_v_text(c->subject), th_v_text(c->account), th_v_text(c->office), th_v_text(c->applicant_name),
                         th_v_text(c->id_masked), th_v_blob(c->secret.p, c->secret.n), th_v_int(c->due_us),
                         th_v_int(c->created_us), th_v_int(c->updated_us), th_v_text(c->clock), th_v_text(c->channel),
                         th_v_int(c->item_version)};
    return th_db_exec(db,
                      "INSERT INTO cases_case (" CASE_COLUMNS ", open) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
                      "?14, ?15, ?16, ?17, ?18, ?19, 0)",
                      values, TH_COUNT(values), NULL, error);
}

/* ---- folding ---- */

const th_case_item *th_case_item_of(const th_cases *cases, const th_case *c)
{
    const th_case_item *then = c->item_version ? th_cases_item_version(cases, c->item, c->item_version) : NULL;
    return then ? then : th_cases_item(cases, c->item);
}

th_fold_in th_case_fold_in(const th_cases *cases, const th_case *c)
{
    const th_case_item *known = th_case_item_of(cases, c);
    return (th_fold_in){.machine = cases->machine,
                        .clock = {.calendar = cases->calendar, .rules = cases->rules, .terms = known ? &known->terms : &cases->law_terms},
                        .rate = th_limit_find(cases->rules, "rate"),
                        .reconsideration = th_limit_find(cases->rules, "reconsideration")};
}

th_status th_case_fold(th_cases *cases, th_db *db, const th_case *c, th_arena *arena, th_fold *ret_fold, th_error *error)
{
    th_rows rows;
    th_fold_in in = th_case_fold_in(cases, c);
    in.clock.recorded = true;
    th_value key = th_v_text(th_str_of(c->id));
    *ret_fold = (th_fold){0};
    th_status status = th_db_select(db, "SELECT kind, at, json, chain FROM cases_event WHERE case_id = ?1 ORDER BY seq", &key, 1, arena, &rows,
                                    error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_fold_event event = {.kind = row[0].s, .at_us = row[1].i, .json = row[2].s};
        status = th_json_parse(row[2].s, arena, &event.body, error);
        if (!status)
            status = th_fold_step(&in, ret_fold, &event, error);
        if (!status && (row[3].s.n != TH_HASH_SIZE || memcmp(row[3].s.p, ret_fold->chain.b, TH_HASH_SIZE) != 0))
            status = th_failf(error, TH_CORRUPT, "case-chain", "办件 %s 的事件链不完整", "The chain of events of case %s is broken", c->id);
    }
    return status;
}

/* ---- appending ---- */

static th_status event_insert(th_cases *cases, th_db *db, const char *id, th_case_event *event, const th_hash *chain, bool *ret_new,
                              th_error *error)
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
        if (!event->origin_seq)
            event->origin_seq = row[1].i + 1;
        th_value values[] = {th_v_text(th_str_of(id)), th_v_int(row[0].i + 1), th_v_text(event->node), th_v_int(event->origin_seq),
                             th_v_int(event->at_us), th_v_text(event->kind), th_v_text(event->actor), th_v_text(event->json),
                             th_v_text(event->message), th_v_blob(chain->b, TH_HASH_SIZE)};
        status = th_db_exec(db,
                            "INSERT INTO cases_event (case_id, seq, node, origin_seq, at, kind, actor, json, message, chain) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (case_id, node, origin_seq) DO NOTHING",
                            values, TH_COUNT(values), &changed, error);
    }
    th_arena_close(&arena);
    *ret_new = changed == 1;
    return status;
}

/* The owner's clock in words, for its copies and for those who ask later. */
static th_str clock_text(const th_fold_in *in, const th_fold *fold, int64_t now_us, th_arena *arena)
{
    th_buf buf;
    th_clock clock = fold->clock;
    if (clock.state == TH_CLOCK_NOTHING)
        return (th_str){NULL, 0};
    th_clock_look(&in->clock, &clock, now_us);
    th_buf_open(&buf, arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_clock_write(&in->clock, &clock, &pen);
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}

th_str th_case_clock_text(const th_cases *cases, const th_case *c, const th_fold *fold, int64_t now_us, th_arena *arena)
{
    th_fold_in in = th_case_fold_in(cases, c);
    return clock_text(&in, fold, now_us, arena);
}

/* What the evaluation counts: how long it took of what was promised, and what people said. */
static th_status figures_update(th_db *db, const th_case *c, const th_fold_in *in, const th_fold *fold, th_error *error)
{
    th_clock clock = fold->clock;
    bool decided = clock.state == TH_CLOCK_STOPPED || clock.state == TH_CLOCK_DONE;
    if (!decided && !fold->rating && !fold->appealed) /* set aside: not decided any more */
        return TH_OK;
    th_clock_look(&in->clock, &clock, c->updated_us);
    th_value values[] = {th_v_text(th_str_of(c->id)), decided ? th_v_int(in->clock.terms->promised_days) : th_v_null(),
                         decided ? th_v_int(clock.spent_days) : th_v_null(), fold->rating ? th_v_int(fold->rating) : th_v_null()};
    return th_db_exec(db, "UPDATE cases_case SET promised_days = ?2, taken_days = ?3, rating = ?4 WHERE id = ?1", values, 4, NULL, error);
}

static th_status row_update(th_cases *cases, th_db *db, const th_case *c, int64_t timer_us, bool open, th_error *error)
{
    (void)cases;
    th_value values[] = {th_v_text(th_str_of(c->id)), th_v_text(c->state->id), th_v_text(c->outcome.n ? c->outcome : (th_str){NULL, 0}),
                         c->due_us ? th_v_int(c->due_us) : th_v_null(), th_v_int(c->updated_us), timer_us ? th_v_int(timer_us) : th_v_null(),
                         th_v_int(open), th_v_text(c->clock)};
    return th_db_exec(db,
                      "UPDATE cases_case SET state = ?2, outcome = ?3, due_at = ?4, updated_at = ?5, timer_at = ?6, open = ?7, clock = ?8 "
                      "WHERE id = ?1",
                      values, TH_COUNT(values), NULL, error);
}

th_status th_case_append(th_cases *cases, th_db *db, th_case *c, th_fold *fold, th_case_event *event, th_error *error)
{
    th_arena arena;
    bool fresh;
    const char *timer;
    th_fold_in in = th_case_fold_in(cases, c);
    th_fold_event step = {.kind = event->kind, .by = event->by, .at_us = event->at_us, .json = event->json};
    th_arena_open(&arena, 1u << 20);
    th_status status = th_json_parse(event->json, &arena, &step.body, error);
    if (!status)
        status = th_fold_step(&in, fold, &step, error);
    if (!status)
        status = event_insert(cases, db, c->id, event, &fold->chain, &fresh, error);
    if (!status && !fresh)
        status = th_fail(error, TH_CONFLICT, "case-event", "该事件已登记", "This event is noted already");
    if (!status && fold->state) {
        th_str clock = clock_text(&in, fold, event->at_us, &arena);
        c->state = fold->state;
        c->outcome = th_str_of(fold->outcome);
        c->due_us = fold->clock.state == TH_CLOCK_NOTHING ? c->due_us : th_fold_due_us(&in, fold, event->at_us);
        c->updated_us = event->at_us;
        c->clock = clock;
        bool mine = th_str_is(c->owner, cases->code) && fold->clock.state != TH_CLOCK_NOTHING;
        status = row_update(cases, db, c, mine ? th_fold_timer(&in, fold, &timer) : 0, mine && c->state->phase == TH_PHASE_OPEN, error);
        if (!status && mine)
            status = figures_update(db, c, &in, fold, error);
        c->clock = (th_str){NULL, 0}; /* lived in the arena */
    }
    th_arena_close(&arena);
    return status;
}

bool th_case_written_here(const th_cases *cases, const th_case *c)
{
    return th_str_is(c->owner, cases->code) || c->state->phase == TH_PHASE_COLLECTING;
}

th_status th_case_note(th_cases *cases, th_db *db, th_case *c, th_case_event *event, th_arena *arena, th_error *error)
{
    bool fresh;
    if (!th_case_written_here(cases, c))
        return th_case_copy(cases, db, c, event, &fresh, error);
    th_fold *fold = th_alloc(arena, sizeof *fold);
    if (!fold)
        return TH_NO_MEMORY;
    th_status status = th_case_fold(cases, db, c, arena, fold, error);
    return status ? status : th_case_append(cases, db, c, fold, event, error);
}

th_status th_case_copy(th_cases *cases, th_db *db, th_case *c, th_case_event *event, bool *ret_new, th_error *error)
{
    th_arena arena;
    th_rows rows;
    th_fold chain = {0};
    th_value key = th_v_text(th_str_of(c->id));
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_db_select(db, "SELECT chain FROM cases_event WHERE case_id = ?1 ORDER BY seq DESC LIMIT 1", &key, 1, &arena, &rows,
                                    error);
    if (!status && rows.n && th_row(&rows, 0)[0].s.n == TH_HASH_SIZE)
        memcpy(chain.chain.b, th_row(&rows, 0)[0].s.p, TH_HASH_SIZE);
    if (!status) {
        th_fold_event step = {.kind = event->kind, .at_us = event->at_us, .json = event->json};
        th_fold_chain(&chain, &step);
        status = event_insert(cases, db, c->id, event, &chain.chain, ret_new, error);
    }
    if (!status && *ret_new)
        status = row_update(cases, db, c, 0, false, error);
    th_arena_close(&arena);
    return status;
}

bool th_case_event_same(th_db *db, const char *id, const th_case_event *event)
{
    th_arena arena;
    const th_value *row;
    th_value values[] = {th_v_text(th_str_of(id)), th_v_text(event->node), th_v_int(event->origin_seq)};
    th_arena_open(&arena, 64 * 1024);
    bool same = th_db_one(db, "SELECT kind, at FROM cases_event WHERE case_id = ?1 AND node = ?2 AND origin_seq = ?3", values, 3, &arena, &row, NULL) == TH_OK &&
                th_str_eq(row[0].s, event->kind) && row[1].i == event->at_us;
    th_arena_close(&arena);
    return same;
}

/* ---- secrets ---- */

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

/* ---- checking ---- */

typedef struct checking {
    th_cases *cases;
    th_arena arena;
    int64_t events;
} checking;

static th_status case_check(checking *k, th_db *db, th_str id, th_error *error)
{
    th_case c;
    th_fold fold;
    th_status status = th_case_get(k->cases, db, id, &k->arena, &c, error);
    if (!status)
        status = th_case_fold(k->cases, db, &c, &k->arena, &fold, error);
    if (status)
        return status;
    k->events += fold.count;
    if (fold.state == c.state && th_str_is(c.outcome, fold.outcome))
        return TH_OK;
    return th_failf(error, TH_CORRUPT, "case-fold", "办件 %s 的状态与事件不符", "The state of case %s is not what its events say", c.id);
}

th_status th_cases_check(th_cases *cases, int64_t *ret_cases, int64_t *ret_events, th_error *error)
{
    enum { PAGE = 200 };
    checking k = {.cases = cases};
    th_db *db;
    char last[TH_ID_TEXT] = "";
    *ret_cases = 0;
    th_status status = th_store_acquire(cases->store, &db, error);
    if (status)
        return status;
    th_arena_open(&k.arena, 256u << 20);
    for (bool more = true; more && !status;) {
        th_rows rows;
        th_value values[] = {th_v_text(th_str_of(last)), th_v_text(th_str_of(cases->code)), th_v_int(PAGE)};
        th_arena_reset(&k.arena);
        status = th_db_select(db, "SELECT id FROM cases_case WHERE id > ?1 AND owner = ?2 ORDER BY id LIMIT ?3", values, 3, &k.arena, &rows,
                              error);
        for (size_t i = 0; !status && i < rows.n; i++) {
            th_str id = th_row(&rows, i)[0].s;
            memcpy(last, id.p, id.n < TH_ID_TEXT ? id.n : TH_ID_TEXT - 1);
            status = case_check(&k, db, id, error);
            *ret_cases += !status;
        }
        more = !status && rows.n == PAGE;
    }
    *ret_events = k.events;
    th_arena_close(&k.arena);
    th_store_release(cases->store, db);
    return status;
}
