/* pair.c — two exchanges with a register and an effect of our own, and what is done with them. */
#include "pair.h"

region r;
node a, b; /* 110000 (Ed25519) and 120000 (SM2) */
th_error error;

/* ---- a register and an effect of our own, as another part of the kernel would add them ---- */

int facts_read, effects_done;
th_status effect_outcome;
char effect_order[4096];

static th_status fact_wanted(void *ctx, const th_message *m, th_arena *arena, th_wanted *wanted, th_str *id_number, th_error *why)
{
    th_str *field = th_alloc(arena, sizeof *field);
    (void)ctx;
    if (!th_json_want_str(m->body, "/body", "field", 40, field, why))
        return TH_INVALID;
    *wanted = (th_wanted){.reg = TH_STR("facts"), .operation = TH_VERIFY, .fields = field, .field_count = 1};
    *id_number = th_json_str(m->body, "person");
    return TH_OK;
}

static void fact_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    node *at = ctx;
    (void)db;
    for (size_t i = 0; i < n; i++) {
        facts_read++;
        answers[i]->reg = TH_STR("facts");
        answers[i]->fields = th_json_str(messages[i]->body, "field");
        th_people_subject(at->secret, th_json_str(messages[i]->body, "person"), answers[i]->subject);
        if (th_str_is(answers[i]->fields, "huge")) {
            char *text = th_alloc(arena, 70000);
            memset(text, 'x', 70000);
            answers[i]->body = th_strf(arena, "{\"results\":\"%.69000s\"}", text);
        } else {
            answers[i]->body = TH_STR("{\"results\":{\"name\":\"match\"}}");
        }
    }
}

static th_status effect_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *why)
{
    (void)ctx;
    (void)arena;
    th_value values[] = {th_v_text(th_str_of(m->id))};
    th_status status = th_db_exec(db, "INSERT INTO people_office (code, name_zh, name_en) VALUES (?1, 'x', 'x')", values, 1, NULL, why);
    if (status)
        return status;
    effects_done++;
    if (effect_outcome)
        return th_fail(why, effect_outcome, "wanted", "要失败", "Wanted to fail");
    size_t n = strlen(effect_order);
    snprintf(effect_order + n, sizeof effect_order - n, "%.*s ", TH_FMT(th_json_str(m->body, "n")));
    answer->body = TH_STR("{\"done\":true}");
    return TH_OK;
}

void types_add(node *n)
{
    const th_message_type types[] = {{.type = "fact", .granted = true, .wanted = fact_wanted, .read = fact_read, .ctx = n},
                                     {.type = "effect", .apply = effect_apply, .ctx = n}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(th_exchange_type_add(n->ex, &types[i]), TH_OK);
    assert_int_equal(th_exchange_type_add(n->ex, &types[0]), TH_CONFLICT);
}

void grants_share(node *provider, node *consumer)
{
    th_str document;
    th_grants *own = th_exchange_grants(provider->ex, th_str_of(provider->me->code));
    MUST(th_grants_publish(own, th_str_of(provider->me->code), provider->me->message, provider->b.clock.now_us, &r.arena, &document), &error);
    MUST(th_exchange_grants_learn(consumer->ex, th_str_of(provider->me->code), document, &error), &error);
    th_grants_release(own);
}

void open_pair(bool pg)
{
    facts_read = effects_done = 0;
    effect_outcome = TH_OK;
    effect_order[0] = 0;
    th_log_level_set(TH_LOG_ERROR);
    region_open(&r, 3);
    node_open(&a, &r, 0, pg, true);
    node_open(&b, &r, 1, pg, true);
    types_add(&a);
    types_add(&b);
    MUST(th_exchange_grant_add(b.ex, region_grant(&r, "facts-to-beijing", 1, 0, "facts", "verify", "[\"name\",\"huge\"]", "[\"A\"]", "none"), &error), &error);
    grants_share(&b, &a);
}

void close_pair(void)
{
    node_close(&a);
    node_close(&b);
    region_close(&r);
}

void pass(int64_t us)
{
    a.b.clock.now_us += us;
    b.b.clock.now_us += us;
}

/* ---- asking ---- */


static void answered(th_ask *ask)
{
    ((question *)ask->ctx)->done++;
}

void question_make(question *q, node *from, const char *field)
{
    *q = (question){.ask = {.provider = th_str_of(b.me->code), .type = TH_STR("fact"), .item = TH_STR("A"), .case_id = TH_STR("case-1"), .office = TH_STR("BJ-HR"),
                            .operator_account = TH_STR("clerk-7"), .arena = &from->b.arena, .done = answered}};
    q->ask.ctx = q;
    q->ask.body = th_strf(&from->b.arena, "{\"field\":\"%s\",\"person\":\"110101199003070011\"}", field);
}

void ask(question *q, node *from, const char *field)
{
    question_make(q, from, field);
    MUST(th_exchange_ask(from->ex, &q->ask, 1, &error), &error);
}

void entries_of(node *n, th_str **ret, size_t *ret_n)
{
    th_db *db;
    char log[TH_LOG_TEXT];
    th_journal_log(th_exchange_journal(n->ex), log);
    MUST(th_store_acquire(n->b.store, &db, &error), &error);
    MUST(th_journal_entries(db, th_str_of(log), 0, 2000, &n->b.arena, ret, ret_n, &error), &error);
    th_store_release(n->b.store, db);
}

int entries_count(node *n, const char *direction)
{
    th_str *entries;
    size_t count;
    int found = 0;
    entries_of(n, &entries, &count);
    for (size_t i = 0; i < count; i++)
        found += th_str_is(th_json_str(bench_json(&n->b.arena, entries[i]), "direction"), direction);
    return found;
}


bool drop_answer(void *ctx, th_wire *request, th_wire *answer)
{
    (void)request;
    return !answer || !(*(int *)ctx)--;
}

/* ---- lines of our own making ---- */

static void post_done(th_incoming *in)
{
    *(bool *)in->ctx = true;
}

/* A batch of these lines, rightly signed by `from`. Returns the answer's lines (without the trailer). */
th_str *post(node *from, node *to, const char *const *lines, size_t n, int *ret_http)
{
    th_hash *leaves = th_alloc_array(&r.arena, n, sizeof *leaves);
    th_buf body;
    th_incoming in = {0};
    static int64_t sequence = 1000;
    th_buf_open(&body, &r.arena, 8 << 20);
    for (size_t i = 0; i < n; i++) {
        leaves[i] = th_merkle_leaf(from->me->suite, th_str_of(lines[i]));
        th_buf_text(&body, lines[i]);
        th_buf_char(&body, '\n');
    }
    th_envelope envelope = {.n = (int64_t)n, .sequence = sequence++, .suite = from->me->suite, .root = th_merkle_root(from->me->suite, leaves, n)};
    memcpy(envelope.from, from->me->code, TH_CODE_TEXT);
    memcpy(envelope.to, to->me->code, TH_CODE_TEXT);
    in.request.body = th_buf_view(&body);
    in.request.target_uri = th_strf(&r.arena, "https://peer.%s.test/exchange/v1/batch", to->me->code);
    memcpy(in.request.pin, from->me->pin, sizeof in.request.pin);
    MUST(th_envelope_write(&envelope, &r.arena, &in.request.batch), NULL);
    MUST(th_wire_sign_request(&in.request, from->me->message, &from->b.env, &r.arena), NULL);
    th_arena_open(&in.arena, 96u << 20);
    bool done = false;
    in.ctx = &done;
    in.done = post_done;
    th_exchange_receive(to->ex, &in);
    while (!done)
        th_writer_step(to->writer);
    th_incoming_finish(to->ex, &in);
    *ret_http = in.answer.status;
    th_str *answers = th_alloc_array(&r.arena, n + 2, sizeof *answers), rest = th_str_keep(&r.arena, in.answer.body);
    for (size_t i = 0; i < n + 1 && th_str_cut(&rest, '\n', &answers[i]); i++) {
    }
    th_arena_close(&in.arena);
    node_settle(to);
    return answers;
}

static char id_text[TH_ID_TEXT];

const char *fresh_id(void)
{
    th_uuid7(&a.b.env, id_text);
    return id_text;
}

const char *line_of(const char *format, ...)
{
    static char text[70000];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return th_str_keep(&r.arena, th_str_of(text)).p;
}

void answer_is(th_str line, int status, const char *type)
{
    const th_json *j = bench_json(&r.arena, line);
    char want[80];
    snprintf(want, sizeof want, "urn:tonghui:problem:%s", type);
    if (th_json_int(j, "status", 0) != status || (status != 200 && !th_str_is(th_json_str(th_json_get(j, "problem"), "type"), want)))
        fail_msg("wanted %d %s, got %.*s", status, type, TH_FMT(line));
}

/* ---- telling ---- */

typedef struct telling { th_change change; const char *to, *key; int n; } telling;

static th_status tell_apply(th_change *change, th_db *db, th_error *why)
{
    telling *t = change->ctx;
    th_arena arena;
    th_arena_open(&arena, 8192);
    th_str body = th_strf(&arena, "{\"n\":\"%d\"}", t->n);
    th_status status = th_outbox_put(a.ex, db, th_str_of(t->to), "effect", th_str_of(t->key), TH_STR("A"), TH_STR("case-1"), TH_STR("BJ-HR"), body, why);
    th_arena_close(&arena);
    return status;
}

th_status tell_to(const char *to, const char *key, int n)
{
    telling t = {.to = to, .key = key, .n = n};
    t.change = (th_change){.apply = tell_apply, .ctx = &t};
    memset(&error, 0, sizeof error);
    return th_writer_run(a.writer, &t.change, &error);
}

void tell(const char *key, int n)
{
    MUST(tell_to("120000", key, n), &error);
}

th_backlog backlog_of(node *n)
{
    th_db *db;
    th_backlog *all;
    size_t count;
    MUST(th_store_acquire(n->b.store, &db, &error), &error);
    MUST(th_outbox_backlog(db, &n->b.arena, &all, &count), &error);
    th_store_release(n->b.store, db);
    return count ? all[0] : (th_backlog){0};
}

size_t looks_of(node *n, const char *person)
{
    th_db *db;
    th_look *looks;
    size_t count;
    char subject[TH_SUBJECT_TEXT];
    th_access_from newest = {.before_us = INT64_MAX};
    th_people_subject(n->secret, th_str_of(person), subject);
    MUST(th_store_acquire(n->b.store, &db, &error), &error);
    MUST(th_access_of(n->ex, db, subject, &newest, 1000, &n->b.arena, &looks, &count, &error), &error);
    th_store_release(n->b.store, db);
    for (size_t i = 0; i < count; i++)
        assert_true(th_str_is(looks[i].reg, "facts") && th_str_is(looks[i].consumer, "110000"));
    return count;
}
