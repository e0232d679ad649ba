/* everywhere.c — one question to the same register of several nodes, and what their answers say together.
 *
 * For facts whose owner is not known beforehand (where somebody's household is), or that may stand at two owners against the rules. A node
 * holds the record when any claim matches or is indeterminate there. One holder: its answer is the answer. Several: what they agree on stands,
 * what they do not is indeterminate, never the newer one; a ticket is written here and the holders are told. A node that does not answer
 * turns "mismatch" into "indeterminate": it might have been the one that knows. */
#include "records-private.h"

#include <string.h>

enum { DEADLINE_MIN_MS = 100, DEADLINE_MAX_MS = 30000, DETAIL_MAX = 4096, ANSWER_MAX = 1 << 20 };

typedef struct one_node {
    th_ask ask;
    th_arena arena; /* its own: nodes answer on several threads */
    bool asked;
    const th_json *results; /* NULL = no answer */
    bool holds, absent;     /* absent: it was allowed to say no_record, and did */
} one_node;

typedef struct question {
    th_request *rq;
    th_records *records;
    th_register *reg;
    th_str key_json, item;
    uint8_t key[TH_RECORD_KEY];
    const th_json *claims;
    one_node *nodes;
    size_t n;
    atomic_size_t open;
    /* what came of it */
    size_t holders, silent, absents;
    bool conflict;
    const char **merged; /* one a claim */
} question;

/* ---- putting answers together ---- */

static void answers_read(question *q)
{
    for (size_t i = 0; i < q->n; i++) {
        one_node *node = &q->nodes[i];
        const th_json *root;
        if (node->asked && !node->ask.status && th_json_parse(node->ask.answer, &q->rq->arena, &root, NULL) == TH_OK)
            node->results = th_json_get(root, "results");
        q->silent += node->results == NULL;
        for (const th_json *r = th_json_first(node->results); r; r = th_json_next(node->results, r)) {
            node->holds = node->holds || th_str_is(r->text, "match") || th_str_is(r->text, "indeterminate");
            node->absent = node->absent || th_str_is(r->text, "no_record");
        }
        q->holders += node->holds;
        q->absents += node->absent;
    }
}

static const char *word_of(th_str text)
{
    static const char *const words[] = {"match", "mismatch", "no_record", "indeterminate"};
    for (size_t i = 0; i < TH_COUNT(words); i++)
        if (th_str_is(text, words[i]))
            return words[i];
    return "indeterminate";
}

/* What the holders say of one claim; *ret_differ when they do not agree. */
static const char *holders_say(const question *q, th_str claim, bool *ret_differ)
{
    const char *said = NULL;
    *ret_differ = false;
    for (size_t i = 0; i < q->n; i++) {
        const th_json *r = q->nodes[i].holds ? th_json_get_str(q->nodes[i].results, claim) : NULL;
        if (!q->nodes[i].holds)
            continue;
        const char *word = r ? word_of(r->text) : "indeterminate";
        *ret_differ = *ret_differ || (said && strcmp(said, word) != 0);
        said = word;
    }
    return *ret_differ ? "indeterminate" : said;
}

static void merge(question *q)
{
    size_t k = 0;
    answers_read(q);
    q->conflict = q->holders > 1 && q->reg->one_owner;
    for (const th_json *c = th_json_first(q->claims); c; c = th_json_next(q->claims, c), k++) {
        bool differ = false;
        if (q->holders)
            q->merged[k] = holders_say(q, c->key, &differ);
        else
            q->merged[k] = q->silent ? "indeterminate" : q->absents == q->n ? "no_record" : "mismatch";
        q->conflict = q->conflict || differ;
    }
}

/* ---- the ticket, here and at the holders ---- */

static void members_write(const question *q, th_pen *pen)
{
    size_t k = 0;
    th_pen_key(pen, "claims");
    th_pen_array(pen);
    for (const th_json *c = th_json_first(q->claims); c; c = th_json_next(q->claims, c), k++)
        if (strcmp(q->merged[k], "indeterminate") == 0)
            th_pen_str(pen, c->key);
    th_pen_end(pen, ']');
    th_pen_key(pen, "nodes");
    th_pen_array(pen);
    for (size_t i = 0; i < q->n; i++)
        if (q->nodes[i].holds)
            th_pen_str(pen, q->nodes[i].ask.provider);
    th_pen_end(pen, ']');
}

static th_status tell(question *q, th_db *db, th_str to, th_error *error)
{
    th_buf buf;
    th_buf_open(&buf, &q->rq->arena, TH_LINE_MAX - 2048);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "register", q->reg->name);
    th_pen_kraw(&pen, "key", q->key_json);
    members_write(q, &pen);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    return th_outbox_put(q->records->exchange, db, to, "records.conflict", q->reg->name, q->item, (th_str){NULL, 0}, q->rq->who.office,
                         th_buf_view(&buf), error);
}

static th_status ticket_apply(void *ctx, th_db *db, th_error *error)
{
    question *q = ctx;
    th_buf detail;
    th_buf_open(&detail, &q->rq->arena, DETAIL_MAX);
    th_pen pen = th_pen_on(&detail);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "found_by", "asking");
    members_write(q, &pen);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&detail))
        return TH_TOO_LARGE;
    th_ticket ticket = {.reg = q->reg->name, .kind = "nodes", .detail = th_buf_view(&detail), .keys_json = q->key_json};
    memcpy(ticket.key, q->key, TH_RECORD_KEY);
    th_status status = th_conflict_put(q->records, db, &ticket, error);
    for (size_t i = 0; !status && i < q->n; i++)
        if (q->nodes[i].holds && !th_str_is(q->nodes[i].ask.provider, q->records->code))
            status = tell(q, db, q->nodes[i].ask.provider, error);
    return status;
}

/* ---- the answer ---- */

/* It was heard, or would say the same: no for a reason that lies with the caller. */
static bool refused(const one_node *node)
{
    th_status status = node->ask.status ? node->ask.status : node->ask.error.status;
    return !node->results && (status == TH_FORBIDDEN || status == TH_INVALID || status == TH_UNPROCESSABLE);
}

/* Every node says no for the same reason: then that is the answer. */
static const one_node *all_refused(const question *q)
{
    for (size_t i = 0; i < q->n; i++)
        if (!refused(&q->nodes[i]) || strcmp(q->nodes[i].ask.error.type, q->nodes[0].ask.error.type) != 0)
            return NULL;
    return &q->nodes[0];
}

static void node_write(const one_node *node, th_pen *pen)
{
    th_pen_object(pen);
    th_pen_kstr(pen, "code", node->ask.provider);
    th_pen_ktext(pen, "state", node->results ? "answered" : refused(node) ? "refused" : "silent");
    if (node->results) {
        th_pen_kraw(pen, "results", node->results->raw);
        th_pen_kraw(pen, "receipt", node->ask.receipt);
    } else {
        th_pen_ktext(pen, "problem", node->ask.error.type);
    }
    th_pen_end(pen, '}');
}

static void nodes_close(question *q)
{
    for (size_t i = 0; i < q->n; i++)
        th_arena_close(&q->nodes[i].arena);
}

static th_handled answer_write(question *q)
{
    th_request *rq = q->rq;
    size_t k = 0;
    merge(q);
    const one_node *no = all_refused(q);
    if (no)
        return th_reply_problem(rq, no->ask.status ? no->ask.status : no->ask.error.status, &no->ask.error);
    th_status status = q->conflict ? th_records_write(q->records, ticket_apply, q, &rq->error) : TH_OK;
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "results");
    th_pen_object(&pen);
    for (const th_json *c = th_json_first(q->claims); c; c = th_json_next(q->claims, c), k++) {
        th_pen_key_str(&pen, c->key);
        th_pen_text(&pen, q->merged[k]);
    }
    th_pen_end(&pen, '}');
    th_pen_kbool(&pen, "conflict", q->conflict);
    th_pen_kbool(&pen, "complete", q->silent == 0);
    th_pen_key(&pen, "nodes");
    th_pen_array(&pen);
    for (size_t i = 0; i < q->n; i++)
        node_write(&q->nodes[i], &pen);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

static th_handled answer_now(th_request *rq)
{
    question *q = rq->ctx;
    th_handled handled = answer_write(q);
    nodes_close(q);
    return handled;
}

static void node_done(th_ask *ask)
{
    question *q = ask->ctx;
    if (atomic_fetch_sub(&q->open, 1) == 1) {
        q->rq->then = answer_now;
        th_request_finish(q->rq);
    }
}

/* ---- the question ---- */

static bool nodes_choose(question *q, const th_json *wanted)
{
    th_trust *trust = th_exchange_trust(q->records->exchange);
    size_t room = wanted ? wanted->count : trust ? trust->member_count : 0;
    q->nodes = th_alloc_array(&q->rq->arena, room + 1, sizeof *q->nodes);
    if (wanted)
        for (const th_json *c = th_json_first(wanted); q->nodes && c; c = th_json_next(wanted, c))
            q->nodes[q->n++].ask.provider = c->text;
    else
        for (size_t i = 0; q->nodes && i < room; i++)
            if (!trust->members[i].suspended)
                q->nodes[q->n++].ask.provider = th_str_keep(&q->rq->arena, th_str_of(trust->members[i].code));
    th_trust_release(trust);
    return q->n > 0;
}

static bool question_read(question *q)
{
    static const char *const members[] = {"register", "key", "claims", "purpose", "providers", "consents", "deadline_ms", NULL};
    th_request *rq = q->rq;
    const th_json *key, *purpose, *providers = th_json_get(rq->json, "providers");
    th_str name, keys[TH_REGISTER_KEYS_MAX];
    th_error *e = &rq->error;
    bool ok = th_json_only(rq->json, "", members, e);
    ok = th_json_want_str(rq->json, "", "register", 64, &name, e) && ok;
    ok = th_json_want_object(rq->json, "", "key", &key, e) && ok;
    ok = th_json_want_object(rq->json, "", "claims", &q->claims, e) && ok;
    ok = th_json_want_object(rq->json, "", "purpose", &purpose, e) && ok;
    if (providers)
        ok = th_json_want_array(rq->json, "", "providers", TH_MEMBERS_MAX, &providers, e) && ok;
    ok = ok && th_json_want_str(purpose, "/purpose", "item", 64, &q->item, e);
    q->reg = ok ? th_register_find(q->records, name) : NULL;
    if (ok && !q->reg)
        th_fail_field(e, "/register", "no-register", "没有这个登记簿", "There is no such register");
    if (ok && (!q->claims->count || q->claims->count > TH_CLAIMS_MAX))
        ok = th_fail_field(e, "/claims", "length", "须有 1–32 项", "Must have 1 to 32 members") == TH_OK;
    for (size_t i = 0; ok && q->reg && i < q->reg->key_count; i++)
        ok = th_field_check(q->reg->keys[i], th_json_get_str(key, q->reg->keys[i]->name), "/key", th_now_us(q->records->options.env), &rq->arena,
                            &keys[i], e);
    if (!ok || !q->reg || !nodes_choose(q, providers))
        return false;
    th_record_key(q->records, q->reg, keys, q->key);
    q->key_json = key->raw;
    q->merged = th_alloc_array(&rq->arena, q->claims->count, sizeof *q->merged);
    return q->merged != NULL;
}

static bool asks_build(question *q)
{
    th_buf buf;
    const th_json *consents = th_json_get(q->rq->json, "consents");
    int64_t ms = th_json_int(q->rq->json, "deadline_ms", 0);
    th_buf_open(&buf, &q->rq->arena, TH_LINE_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "register", q->reg->name);
    th_pen_kraw(&pen, "key", q->key_json);
    th_pen_kraw(&pen, "claims", q->claims->raw);
    th_pen_end(&pen, '}');
    for (size_t i = 0; i < q->n; i++) {
        th_ask *ask = &q->nodes[i].ask;
        const th_json *consent = th_json_get_str(consents, ask->provider);
        ask->type = TH_STR("verify");
        ask->item = q->item;
        ask->case_id = th_json_str(th_json_get(q->rq->json, "purpose"), "case");
        ask->office = q->rq->who.office;
        ask->operator_account = q->rq->who.account;
        ask->consent = consent ? consent->text : (th_str){NULL, 0};
        ask->body = th_buf_view(&buf);
        th_arena_open(&q->nodes[i].arena, ANSWER_MAX);
        ask->arena = &q->nodes[i].arena;
        ask->done = node_done;
        ask->ctx = q;
        if (ms >= DEADLINE_MIN_MS && ms <= DEADLINE_MAX_MS)
            ask->deadline_us = th_now_us(q->records->options.env) + ms * 1000;
    }
    return th_buf_ok(&buf);
}

th_handled th_verify_everywhere(th_request *rq)
{
    question *q = th_alloc(&rq->arena, sizeof *q);
    if (!q)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    q->rq = rq;
    q->records = rq->module;
    if (!question_read(q) || !asks_build(q))
        return th_reply_problem(rq, rq->error.status ? rq->error.status : TH_INVALID, NULL);
    rq->ctx = q;
    atomic_store(&q->open, q->n + 1);
    /* Each by itself: a node that may not be asked must not keep the others from being asked. */
    for (size_t i = 0; i < q->n; i++) {
        q->nodes[i].asked = true;
        if (th_exchange_ask(q->records->exchange, &q->nodes[i].ask, 1, &q->nodes[i].ask.error)) {
            q->nodes[i].asked = false;
            atomic_fetch_sub(&q->open, 1);
        }
    }
    if (atomic_fetch_sub(&q->open, 1) == 1)
        return answer_now(rq);
    return TH_LATER;
}
