/* checks.c — what must hold after every step, and what must have come about when everything has healed. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

/* ---- each commit: the log only grows ---- */

static int generation_of(const char *log)
{
    int64_t g = 0;
    return th_parse_i64(th_str_of(log + TH_CODE_TEXT), 1, 999999, &g) ? (int)g : 0;
}

void sim_check_commit(sim_node *n)
{
    sim *s = n->sim;
    th_head head;
    if (!th_journal_head_now(th_exchange_journal(n->exchange), &head))
        return;
    const th_head *last = &n->head;
    bool same = strcmp(head.log, last->log) == 0;
    if (same && head.size == last->size && th_hash_eq(&head.root, &last->root))
        return;
    if (last->size && (same ? head.size <= last->size : generation_of(head.log) <= generation_of(last->log)))
        sim_fail(s, "%s: its log went back from %s %llu to %s %llu", n->code, last->log, (unsigned long long)last->size, head.log,
                 (unsigned long long)head.size);
    n->head = head;
    sim_fact_add(n, FACT_HEAD, NULL, head.log, (int64_t)head.size, &head.root);
}

/* ---- answers: an id that was answered for good is answered in the same bytes for ever ---- */

struct sim_answer {
    char id[TH_ID_TEXT];
    unsigned slot;
    int64_t epoch;
    th_hash hash;
    sim_answer *next;
};

static sim_answer **answer_place(sim *s, th_str id, const sim_node *n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * 16777619u;
    sim_answer **at = &s->answers[h % TH_COUNT(s->answers)];
    while (*at && (!th_str_is(id, (*at)->id) || (*at)->slot != n->slot || (*at)->epoch != n->epoch))
        at = &(*at)->next;
    return at;
}

static bool is_for_the_moment(const th_json *answer)
{
    int64_t status = th_json_int(answer, "status", 0);
    th_str type = th_json_str(th_json_get(answer, "problem"), "type");
    return status == 429 || status == 500 || status == 503 || status == 504 || status == 507 || th_str_is(type, "urn:tonghui:problem:clock-skew");
}

void sim_check_answers(sim_node *n, th_str request, th_str body)
{
    sim *s = n->sim;
    th_arena arena;
    th_str line;
    (void)request;
    th_arena_open(&arena, 1 << 20);
    while (body.n && th_str_cut(&body, '\n', &line)) {
        const th_json *answer;
        th_arena_reset(&arena);
        if (th_json_parse(line, &arena, &answer, NULL)) {
            sim_fail(s, "%s answered what is no JSON: %.*s", n->code, TH_FMT(line));
            break;
        }
        th_str id = th_json_str(answer, "id");
        if (!id.n || is_for_the_moment(answer))
            continue;
        th_hash hash = th_hash_str(TH_SUITE_ED25519, line);
        sim_answer **place = answer_place(s, id, n);
        if (*place && !th_hash_eq(&(*place)->hash, &hash))
            sim_fail(s, "%s answered %.*s a second time with other bytes: %.*s", n->code, TH_FMT(id), TH_FMT(line));
        if (*place)
            continue;
        *place = th_new(sizeof **place);
        TH_ASSERT(*place != NULL);
        **place = (sim_answer){.slot = n->slot, .epoch = n->epoch, .hash = hash};
        memcpy((*place)->id, id.p, id.n < TH_ID_TEXT ? id.n : TH_ID_TEXT - 1);
    }
    th_arena_close(&arena);
}

void sim_answers_close(sim *s)
{
    for (size_t i = 0; i < TH_COUNT(s->answers); i++)
        while (s->answers[i]) {
            sim_answer *a = s->answers[i];
            s->answers[i] = a->next;
            th_free(a);
        }
}

/* ---- receipts ---- */

static bool receipt_holds(sim_node *n, th_str text, const char *id, unsigned provider, th_arena *arena, th_error *error)
{
    th_receipt receipt;
    th_entry entry;
    char member[TH_CODE_TEXT];
    th_trust *trust = th_exchange_trust(n->exchange);
    bool holds = trust && th_receipt_read(text, arena, &receipt, error) == TH_OK && th_receipt_check(&receipt, trust, error) == TH_OK &&
                 th_entry_read(receipt.entry, arena, &entry, error) == TH_OK && th_str_is(entry.id, id) &&
                 th_str_is(entry.direction, "answered") && th_str_is(entry.peer, n->code) &&
                 th_log_member(th_str_of(receipt.head.log), member) && strcmp(member, sim_codes[provider]) == 0;
    th_trust_release(trust);
    return holds;
}

void sim_check_receipt(sim_node *n, th_str receipt, const char *id, unsigned provider)
{
    th_arena arena;
    th_error error = {0};
    th_arena_open(&arena, 1 << 20);
    if (!receipt_holds(n, receipt, id, provider, &arena, &error))
        sim_fail(n->sim, "%s: the receipt of %s from %s does not hold: %s", n->code, id, sim_codes[provider], error.type);
    th_arena_close(&arena);
}

/* ---- rest ---- */

static int64_t number(th_db *db, const char *sql, const th_value *values, size_t n)
{
    th_arena arena;
    const th_value *row;
    th_arena_open(&arena, 1 << 20);
    int64_t result = th_db_one(db, sql, values, n, &arena, &row, NULL) == TH_OK ? row[0].i : -1;
    th_arena_close(&arena);
    return result;
}

/* What is behind a message that was refused for good waits for people; outbox_check judges whether that may be. */
static const char waiting_sql[] = "SELECT COUNT(*) FROM exchange_outbox o WHERE o.state < 2 AND o.peer <> ?1 AND NOT EXISTS (SELECT 1 FROM exchange_outbox d "
                                  "WHERE d.peer = o.peer AND d.subject_key = o.subject_key AND d.state = 2 AND d.seq < o.seq)";

static bool node_rests(sim *s, sim_node *n)
{
    th_db *db;
    if (!sim_node_runs(n) || n->calls || n->letters || th_writer_read_stats(n->writer).waiting || th_store_acquire(n->store, &db, NULL))
        return false;
    th_trust *trust = th_exchange_trust(n->exchange);
    th_value evil = th_v_text(th_str_of(s->equivocator >= 0 ? sim_codes[s->equivocator] : "-"));
    bool rests = trust->version == s->version && number(db, waiting_sql, &evil, 1) == 0 &&
                 number(db, "SELECT COUNT(*) FROM cases_evidence WHERE state = 'waiting' AND provider <> ?1", &evil, 1) == 0;
    th_trust_release(trust);
    th_store_release(n->store, db);
    return rests;
}

bool sim_settled(sim *s)
{
    for (unsigned i = 0; i < NODES; i++)
        if (s->nodes[i].exists && (s->equivocator < 0 || s->nodes[i].member != (unsigned)s->equivocator) && !node_rests(s, &s->nodes[i]))
            return false;
    return true;
}

static void node_unrest(sim *s, sim_node *n, th_buf *buf)
{
    th_db *db;
    if (!sim_node_runs(n)) {
        th_buff(buf, " %s is down;", n->code);
        return;
    }
    th_trust *trust = th_exchange_trust(n->exchange);
    if (th_store_acquire(n->store, &db, NULL) == TH_OK) {
        th_buff(buf, " %s: version %lld of %lld, calls %s, letters %s, outbox %lld, evidence %lld;", n->code, (long long)trust->version,
                (long long)s->version, n->calls ? "yes" : "no", n->letters ? "yes" : "no",
                (long long)number(db, "SELECT COUNT(*) FROM exchange_outbox WHERE state < 2", NULL, 0),
                (long long)number(db, "SELECT COUNT(*) FROM cases_evidence WHERE state = 'waiting'", NULL, 0));
        th_arena arena;
        th_rows rows;
        th_arena_open(&arena, 1 << 20);
        if (th_db_select(db, "SELECT peer, seq, attempts, next_at, COALESCE(error, '-'), line FROM exchange_outbox ORDER BY peer, seq LIMIT 4", NULL, 0,
                         &arena, &rows, NULL) == TH_OK)
            for (size_t i = 0; i < rows.n; i++) {
                const th_value *row = th_row(&rows, i);
                th_buff(buf, " to %.*s %lld, %lld attempts, due in %lld s, %.*s: %.900s;", TH_FMT(row[0].s), (long long)row[1].i, (long long)row[2].i,
                        (long long)((row[3].i - s->now_us) / TH_SECOND_US), TH_FMT(row[4].s), row[5].s.p);
            }
        th_arena_close(&arena);
        th_store_release(n->store, db);
    }
    th_trust_release(trust);
}

void sim_not_settled(sim *s)
{
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 4096);
    for (unsigned i = 0; i < NODES; i++)
        if (s->nodes[i].exists && !node_rests(s, &s->nodes[i]))
            node_unrest(s, &s->nodes[i], &buf);
    sim_fail(s, "everything is healed and the region does not come to rest:%.*s", TH_FMT(th_buf_view(&buf)));
    th_arena_close(&arena);
}

/* ---- the end: journals ---- */

static void logs_each(sim_node *n, void (*each)(sim_node *n, th_db *db, th_str log, void *ctx), void *ctx)
{
    th_db *db;
    th_arena arena;
    th_rows rows = {0};
    if (!n->store || th_store_acquire(n->store, &db, NULL))
        return;
    th_arena_open(&arena, 4u << 20);
    if (th_db_select(db, "SELECT log FROM journal_log ORDER BY generation", NULL, 0, &arena, &rows, NULL) == TH_OK)
        for (size_t i = 0; i < rows.n; i++)
            each(n, db, th_row(&rows, i)[0].s, ctx);
    th_arena_close(&arena);
    th_store_release(n->store, db);
}

static void log_check(sim_node *n, th_db *db, th_str log, void *with_signatures)
{
    th_error error = {0};
    uint64_t entries = 0;
    th_trust *trust = *(bool *)with_signatures ? th_exchange_trust(n->exchange) : NULL;
    th_status status = th_journal_check(db, log, trust, &entries, &error);
    th_trust_release(trust);
    if (status && status != TH_NOT_FOUND) /* not found: opened and nothing in it yet */
        sim_fail(n->sim, "%s: journal %.*s is not whole at %llu: %s %s", n->code, TH_FMT(log), (unsigned long long)entries, error.type, error.en);
}

static void log_hash(sim_node *n, th_db *db, th_str log, void *ctx)
{
    th_hash *sum = ctx;
    th_arena arena;
    th_rows rows;
    (void)n;
    th_arena_open(&arena, 512u << 20);
    th_value value = th_v_text(log);
    if (th_db_select(db, "SELECT bytes FROM journal_segment WHERE log = ?1 ORDER BY first", &value, 1, &arena, &rows, NULL) == TH_OK)
        for (size_t i = 0; i < rows.n; i++) {
            th_str pieces[] = {{(const char *)sum->b, sizeof sum->b}, log, th_row(&rows, i)[0].s};
            *sum = th_hash_of(TH_SUITE_ED25519, pieces, TH_COUNT(pieces));
        }
    th_arena_close(&arena);
}

void sim_journals_hash(sim *s, char ret_hex[TH_HEX_HASH])
{
    th_hash sum = {0};
    for (unsigned i = 0; i < NODES; i++)
        if (s->nodes[i].exists)
            logs_each(&s->nodes[i], log_hash, &sum);
    th_hex(sum.b, TH_HASH_SIZE, ret_hex);
}

/* ---- the end: cases ---- */

static sim_case *case_known(sim *s, th_str id)
{
    for (sim_case *c = s->cases; c; c = c->next)
        if (th_str_is(id, c->id))
            return c;
    return NULL;
}

static bool involved(const sim *s, unsigned member)
{
    return s->equivocator == (int)member;
}

/* Of a copy: its state, and every event of the deciding node in its own order. */
static th_str copy_write(th_db *db, const sim_case *c, th_arena *arena)
{
    th_rows rows;
    th_buf buf;
    th_value values[] = {th_v_text(th_str_of(c->id)), th_v_text(th_str_of(sim_codes[c->owner]))};
    th_buf_open(&buf, arena, 1 << 16);
    if (th_db_select(db, "SELECT state, COALESCE(outcome, '-') FROM cases_case WHERE id = ?1", values, 1, arena, &rows, NULL) || rows.n != 1)
        return TH_STR("none");
    th_buff(&buf, "%.*s %.*s:", TH_FMT(th_row(&rows, 0)[0].s), TH_FMT(th_row(&rows, 0)[1].s));
    if (th_db_select(db, "SELECT origin_seq, kind FROM cases_event WHERE case_id = ?1 AND node = ?2 ORDER BY origin_seq", values, 2, arena, &rows, NULL))
        return TH_STR("unreadable");
    for (size_t i = 0; i < rows.n; i++)
        th_buff(&buf, " %lld.%.*s", (long long)th_row(&rows, i)[0].i, TH_FMT(th_row(&rows, i)[1].s));
    return th_buf_view(&buf);
}

static void evidence_check(sim_node *n, th_db *db, const sim_case *c, th_arena *arena)
{
    th_rows rows;
    th_value id = th_v_text(th_str_of(c->id));
    if (th_db_select(db, "SELECT evidence, state, results, receipt, message, provider, problem FROM cases_evidence WHERE case_id = ?1", &id, 1, arena,
                     &rows, NULL))
        return;
    for (size_t i = 0; i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        th_error error = {0};
        char message[TH_ID_TEXT];
        unsigned provider = 0;
        bool match = row[2].s.n && !memmem(row[2].s.p, row[2].s.n, "mis", 3) && memmem(row[2].s.p, row[2].s.n, "match", 5);
        if (!th_str_is(row[1].s, "answered") || !match) {
            sim_fail(n->sim, "case %s: its evidence %.*s is %.*s %.*s %.*s", c->id, TH_FMT(row[0].s), TH_FMT(row[1].s), TH_FMT(row[2].s), TH_FMT(row[6].s));
            return;
        }
        th_value event[] = {id, th_v_text(th_strf(arena, "%%\"evidence\":\"%.*s\"%%", TH_FMT(row[0].s)))};
        int64_t told = number(db, "SELECT COUNT(*) FROM cases_event WHERE case_id = ?1 AND kind = 'evidence' AND json LIKE ?2", event, 2);
        if (told != 1)
            sim_fail(n->sim, "case %s: its evidence %.*s was answered %lld times", c->id, TH_FMT(row[0].s), (long long)told);
        snprintf(message, sizeof message, "%.*s", TH_FMT(row[4].s));
        for (unsigned m = 0; m < MEMBERS; m++)
            if (th_str_is(row[5].s, sim_codes[m]))
                provider = m;
        if (!receipt_holds(n, row[3].s, message, provider, arena, &error))
            sim_fail(n->sim, "case %s: the receipt of its evidence %.*s does not hold: %s", c->id, TH_FMT(row[0].s), error.type);
    }
}

/* What was asked of the owner was done or refused, and the origin knows which. */
static void requests_check(sim *s, sim_node *n, th_db *db, const sim_case *c, th_arena *arena)
{
    th_rows rows;
    th_value id = th_v_text(th_str_of(c->id));
    if (th_db_select(db, "SELECT json FROM cases_event WHERE case_id = ?1 AND kind = 'requested'", &id, 1, arena, &rows, NULL))
        return;
    for (size_t i = 0; i < rows.n; i++) {
        const th_json *event;
        if (th_json_parse(th_row(&rows, i)[0].s, arena, &event, NULL))
            continue;
        th_str request = th_json_str(event, "request");
        th_value values[] = {id, th_v_text(th_strf(arena, "%%\"request\":\"%.*s\"%%", TH_FMT(request)))};
        if (number(db, "SELECT COUNT(*) FROM cases_event WHERE case_id = ?1 AND kind <> 'requested' AND json LIKE ?2", values, 2) != 1)
            sim_fail(s, "case %s: %s asked %s (%.*s) and has not heard of it exactly once", c->id, n->code, sim_codes[c->owner],
                     TH_FMT(th_json_str(event, "action")));
    }
}

static void case_check(sim *s, const sim_case *c)
{
    th_db *here, *there;
    th_arena arena;
    sim_node *origin = &s->nodes[c->origin], *owner = &s->nodes[c->owner];
    th_value values[] = {th_v_text(th_str_of(c->id)), th_v_text(th_str_of(owner->code))};
    if (th_store_acquire(origin->store, &here, NULL) || th_store_acquire(owner->store, &there, NULL))
        return;
    th_arena_open(&arena, 4u << 20);
    /* Withdrawn before it was handed over: nobody else ever heard of it. */
    if (number(here, "SELECT COUNT(*) FROM cases_case WHERE id = ?1 AND state = 'withdrawn'", values, 1) == 1 &&
        number(here, "SELECT COUNT(*) FROM cases_event WHERE case_id = ?1 AND kind = 'handed_over'", values, 1) == 0) {
        if (c->origin != c->owner && number(there, "SELECT COUNT(*) FROM cases_case WHERE id = ?1", values, 1) != 0)
            sim_fail(s, "case %s was withdrawn before it left %s, and is at %s", c->id, origin->code, owner->code);
        goto out;
    }
    int64_t received = number(there, "SELECT COUNT(*) FROM cases_event WHERE case_id = ?1 AND kind = 'received' AND node = ?2", values, 2);
    if (received != 1)
        sim_fail(s, "case %s from %s arrived at %s %lld times", c->id, origin->code, owner->code, (long long)received);
    if (number(here, "SELECT COUNT(*) FROM cases_event WHERE case_id = ?1 AND kind = 'handed_over'", values, 1) != 1)
        sim_fail(s, "case %s was not handed over exactly once by %s", c->id, origin->code);
    th_str a = th_str_keep(&arena, copy_write(here, c, &arena)), b = th_str_keep(&arena, copy_write(there, c, &arena));
    if (!th_str_eq(a, b))
        sim_fail(s, "case %s: the copies differ: %s has %.*s; %s has %.*s", c->id, origin->code, TH_FMT(a), owner->code, TH_FMT(b));
    evidence_check(origin, here, c, &arena);
    requests_check(s, origin, here, c, &arena);
out:
    th_arena_close(&arena);
    th_store_release(origin->store, here);
    th_store_release(owner->store, there);
}

static void cases_fold_check(sim *s, sim_node *n)
{
    th_error error = {0};
    int64_t cases, events;
    th_status status = th_cases_check(n->cases, &cases, &events, &error);
    if (status)
        sim_fail(s, "%s: its cases do not follow from their events: %s %s", n->code, error.type, error.en);
}

/* ---- the end: effects, outboxes, alarms ---- */

static void effects_check(sim *s, sim_node *from, sim_node *to)
{
    th_db *here, *there;
    th_arena arena;
    th_rows rows;
    if (to->epoch || th_store_acquire(from->store, &here, NULL)) /* a restored receiver lost what came before */
        return;
    if (th_store_acquire(to->store, &there, NULL) == TH_OK) {
        th_arena_open(&arena, 1 << 20);
        th_value peer[] = {th_v_text(th_str_of(to->code)), th_v_int(from->epoch)};
        if (th_db_select(here, "SELECT subject, COUNT(*) FROM sim_put WHERE peer = ?1 AND epoch = ?2 GROUP BY subject", peer, 2, &arena, &rows, NULL) == TH_OK)
            for (size_t i = 0; i < rows.n; i++) {
                th_value values[] = {th_v_text(th_str_of(from->code)), th_row(&rows, i)[0], peer[1]};
                int64_t got = number(there, "SELECT COUNT(*) FROM sim_got WHERE origin = ?1 AND subject = ?2 AND epoch = ?3", values, 3);
                if (got != th_row(&rows, i)[1].i)
                    sim_fail(s, "%s put %lld numbers of %.*s for %s since its last start from a backup; it has %lld", from->code,
                             (long long)th_row(&rows, i)[1].i, TH_FMT(th_row(&rows, i)[0].s), to->code, (long long)got);
            }
        th_arena_close(&arena);
        th_store_release(to->store, there);
    }
    th_store_release(from->store, here);
}

static void outbox_check(sim *s, sim_node *n)
{
    th_db *db;
    th_arena arena;
    th_rows rows = {0};
    if (th_store_acquire(n->store, &db, NULL))
        return;
    th_arena_open(&arena, 16u << 20);
    if (th_db_select(db, "SELECT peer, seq, state, attempts, COALESCE(error, '-'), subject_key FROM exchange_outbox", NULL, 0, &arena, &rows, NULL) == TH_OK)
        for (size_t i = 0; i < rows.n; i++) {
            const th_value *row = th_row(&rows, i);
            const sim_case *c = case_known(s, row[5].s);
            bool to_evil = s->equivocator >= 0 && th_str_is(row[0].s, sim_codes[s->equivocator]);
            bool forgotten = c ? c->excused : s->counts.restores > 0;
            if (!to_evil && !forgotten)
                sim_fail(s, "%s: message %lld for %.*s was not delivered: state %lld, %lld attempts, %.*s, about %.*s", n->code,
                         (long long)row[1].i, TH_FMT(row[0].s), (long long)row[2].i, (long long)row[3].i, TH_FMT(row[4].s), TH_FMT(row[5].s));
        }
    th_arena_close(&arena);
    th_store_release(n->store, db);
}

/* Alarms of split histories: never about the honest; about the one who leads two lives always. */
static void alarms_check(sim *s, sim_node *n, bool *ret_seen)
{
    th_db *db;
    th_arena arena;
    th_rows rows = {0};
    *ret_seen = false;
    if (th_store_acquire(n->store, &db, NULL))
        return;
    th_arena_open(&arena, 16u << 20);
    if (th_db_select(db, "SELECT kind, peer, at FROM exchange_alarm ORDER BY at", NULL, 0, &arena, &rows, NULL) == TH_OK)
        for (size_t i = 0; i < rows.n; i++) {
            const th_value *row = th_row(&rows, i);
            bool split = th_str_is(row[0].s, "equivocation") || th_str_is(row[0].s, "inconsistent-heads") || th_str_is(row[0].s, "head-shrunk");
            bool guilty = s->equivocator >= 0 && th_str_is(row[1].s, sim_codes[s->equivocator]);
            if (split && !guilty)
                sim_fail(s, "%s raised a false alarm about %.*s: %.*s", n->code, TH_FMT(row[1].s), TH_FMT(row[0].s));
            if (th_str_is(row[0].s, "own-log-behind") && !n->epoch && !involved(s, n->member))
                sim_fail(s, "%s believes itself restored, and was not", n->code);
            if (split && guilty) {
                *ret_seen = true;
                if (!s->fork_seen_us || row[2].i < s->fork_seen_us)
                    s->fork_seen_us = row[2].i;
            }
        }
    th_arena_close(&arena);
    th_store_release(n->store, db);
}

bool sim_fork_seen(sim *s)
{
    bool seen = false;
    for (unsigned i = 0; i < MEMBERS && !seen; i++)
        if (sim_node_runs(&s->nodes[i]) && !involved(s, i))
            alarms_check(s, &s->nodes[i], &seen);
    return seen;
}

void sim_checks_end(sim *s)
{
    bool with_signatures = s->seed % 8 == 0 || s->features.rotates;
    bool fork_seen = false;
    for (unsigned i = 0; i < MEMBERS && !s->failed; i++) {
        sim_node *n = &s->nodes[i];
        bool seen;
        if (involved(s, n->member))
            continue;
        sim_facts_check(n, true);
        cases_fold_check(s, n);
        logs_each(n, log_check, &with_signatures);
        outbox_check(s, n);
        alarms_check(s, n, &seen);
        fork_seen = fork_seen || seen;
        for (unsigned k = 0; k < MEMBERS; k++)
            if (k != i && !involved(s, k))
                effects_check(s, n, &s->nodes[k]);
    }
    for (const sim_case *c = s->cases; c && !s->failed; c = c->next)
        if (!c->excused)
            case_check(s, c);
    if (!s->failed && s->forked_us && !fork_seen)
        sim_fail(s, "%s led two lives for %lld s and nobody raised the alarm", sim_codes[s->equivocator],
                 (long long)((s->now_us - s->forked_us) / TH_SECOND_US));
}
