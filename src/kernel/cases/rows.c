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

/* One stored event onto the fold, its link of the chain compared with the stored one. */
static th_status stored_step(const th_fold_in *in, th_fold *fold, const char *id, th_fold_event *event, th_str chain, th_arena *arena, th_error *error)
{
    th_status status = th_json_parse(event->json, arena, &event->body, error);
    if (!status)
        status = th_fold_step(in, fold, event, error);
    if (!status && (chain.n != TH_HASH_SIZE || memcmp(chain.p, fold->chain.b, TH_HASH_SIZE) != 0))
        status = th_failf(error, TH_CORRUPT, "case-chain", "办件 %s 的事件链不完整", "The chain of events of case %s is broken", id);
    return status;
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
        status = stored_step(&in, ret_fold, c->id, &event, row[3].s, arena, error);
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

/* ---- checking: a page of cases and all their events from one snapshot, so that it may run beside a node that works ---- */

typedef struct checking {
    th_cases *cases;
    th_arena page, each;
    th_rows rows;   /* id, item, item_version, state, outcome: of the page */
    size_t at;      /* the case whose events come now */
    th_fold_in in;  /* of that case */
    th_fold fold;
    int64_t events;
    th_status status;
    th_error *error;
} checking;

static void case_begin(checking *k)
{
    k->fold = (th_fold){0};
    th_arena_reset(&k->each);
    if (k->at == k->rows.n)
        return;
    const th_value *row = th_row(&k->rows, k->at);
    const th_case c = {.item = row[1].s, .item_version = row[2].type == TH_VALUE_NULL ? 0 : row[2].i};
    k->in = th_case_fold_in(k->cases, &c);
    k->in.clock.recorded = true;
}

static void case_end(checking *k)
{
    const th_value *row = th_row(&k->rows, k->at);
    k->events += k->fold.count;
    if (!k->fold.state || !th_str_eq(k->fold.state->id, row[3].s) || !th_str_is(row[4].s, k->fold.outcome))
        k->status = th_failf(k->error, TH_CORRUPT, "case-fold", "办件 %.*s 的状态与事件不符", "The state of case %.*s is not what its events say",
                             TH_FMT(row[0].s));
    k->at++;
    case_begin(k);
}

static bool event_check(void *ctx, const th_value *row, int columns)
{
    checking *k = ctx;
    char id[TH_ID_TEXT] = "";
    (void)columns;
    while (!k->status && k->at < k->rows.n && !th_str_eq(th_row(&k->rows, k->at)[0].s, row[0].s))
        case_end(k);
    if (k->status || k->at == k->rows.n)
        return false;
    memcpy(id, row[0].s.p, row[0].s.n < TH_ID_TEXT ? row[0].s.n : TH_ID_TEXT - 1);
    th_fold_event event = {.kind = row[1].s, .at_us = row[2].i, .json = row[3].s};
    k->status = stored_step(&k->in, &k->fold, id, &event, row[4].s, &k->each, k->error);
    return !k->status;
}

static th_status page_check(checking *k, th_db *db, const char *after, size_t most, th_error *error)
{
    th_value code = th_v_text(th_str_of(k->cases->code)), values[] = {th_v_text(th_str_of(after)), code, th_v_int((int64_t)most)};
    th_arena_reset(&k->page);
    k->rows.n = k->at = 0;
    th_status status = th_db_select(db, "SELECT id, item, item_version, state, outcome FROM cases_case WHERE id > ?1 AND owner = ?2 ORDER BY id LIMIT ?3",
                                    values, 3, &k->page, &k->rows, error);
    if (status || !k->rows.n)
        return status;
    values[2] = th_row(&k->rows, k->rows.n - 1)[0];
    case_begin(k);
    status = th_db_each(db,
                        "SELECT e.case_id, e.kind, e.at, e.json, e.chain FROM cases_case c JOIN cases_event e ON e.case_id = c.id "
                        "WHERE c.id > ?1 AND c.id <= ?3 AND c.owner = ?2 ORDER BY c.id, e.seq",
                        values, 3, event_check, k, error);
    while (!status && !k->status && k->at < k->rows.n)
        case_end(k);
    return status ? status : k->status;
}

th_status th_cases_check(th_cases *cases, int64_t *ret_cases, int64_t *ret_events, th_error *error)
{
    enum { PAGE = 200 };
    checking k = {.cases = cases, .error = error};
    th_db *db;
    char last[TH_ID_TEXT] = "";
    *ret_cases = 0;
    th_status status = th_store_acquire(cases->store, &db, error);
    if (status)
        return status;
    th_arena_open(&k.page, 16u << 20);
    th_arena_open(&k.each, 64u << 20);
    for (bool more = true; more && !status;) {
        status = th_db_snapshot_begin(db);
        if (status)
            break;
        status = page_check(&k, db, last, PAGE, error);
        th_db_snapshot_end(db);
        *ret_cases += (int64_t)k.at;
        if (k.rows.n) {
            th_str id = th_row(&k.rows, k.rows.n - 1)[0].s;
            memcpy(last, id.p, id.n < TH_ID_TEXT ? id.n : TH_ID_TEXT - 1);
        }
        more = k.rows.n == PAGE;
    }
    *ret_events = k.events;
    th_arena_close(&k.each);
    th_arena_close(&k.page);
    th_store_release(cases->store, db);
    return status;
}

th_status th_cases_copies(th_cases *cases, int64_t *ret_copies, th_error *error)
{
    th_value code = th_v_text(th_str_of(cases->code));
    th_arena arena;
    th_rows rows = {0};
    th_db *db;
    *ret_copies = 0;
    th_status status = th_store_acquire(cases->store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 64 * 1024);
    status = th_db_select(db, "SELECT count(*) FROM cases_case WHERE owner <> ?1", &code, 1, &arena, &rows, error);
    if (!status && rows.n)
        *ret_copies = th_row(&rows, 0)[0].i;
    th_arena_close(&arena);
    th_store_release(cases->store, db);
    return status;
}
