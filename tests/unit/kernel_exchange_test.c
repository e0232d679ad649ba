/* exchange.h's promises between whole exchanges, the wire carried by hand: asking, answering, telling, refusing and proving. */
#include "platform/crypto/httpsig.h"
#include "region.h"

static region r;
static node a, b; /* 110000 (Ed25519) and 120000 (SM2) */
static th_error error;

/* ---- a register and an effect of our own, as another part of the kernel would add them ---- */

static int facts_read, effects_done;
static th_status effect_outcome;
static char effect_order[4096];

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

static void types_add(node *n)
{
    const th_message_type types[] = {{.type = "fact", .granted = true, .wanted = fact_wanted, .read = fact_read, .ctx = n},
                                     {.type = "effect", .apply = effect_apply, .ctx = n}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(th_exchange_type_add(n->ex, &types[i]), TH_OK);
    assert_int_equal(th_exchange_type_add(n->ex, &types[0]), TH_CONFLICT);
}

static void grants_share(node *provider, node *consumer)
{
    th_str document;
    th_grants *own = th_exchange_grants(provider->ex, th_str_of(provider->me->code));
    MUST(th_grants_publish(own, th_str_of(provider->me->code), provider->me->message, provider->b.clock.now_us, &r.arena, &document), &error);
    MUST(th_exchange_grants_learn(consumer->ex, th_str_of(provider->me->code), document, &error), &error);
    th_grants_release(own);
}

static void open_pair(bool pg)
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

static void close_pair(void)
{
    node_close(&a);
    node_close(&b);
    region_close(&r);
}

static void pass(int64_t us)
{
    a.b.clock.now_us += us;
    b.b.clock.now_us += us;
}

/* ---- asking ---- */

typedef struct question { th_ask ask; int done; } question;

static void answered(th_ask *ask)
{
    ((question *)ask->ctx)->done++;
}

static void question_make(question *q, node *from, const char *field)
{
    *q = (question){.ask = {.provider = th_str_of(b.me->code), .type = TH_STR("fact"), .item = TH_STR("A"), .case_id = TH_STR("case-1"), .office = TH_STR("BJ-HR"),
                            .operator_account = TH_STR("clerk-7"), .arena = &from->b.arena, .done = answered}};
    q->ask.ctx = q;
    q->ask.body = th_strf(&from->b.arena, "{\"field\":\"%s\",\"person\":\"110101199003070011\"}", field);
}

static void ask(question *q, node *from, const char *field)
{
    question_make(q, from, field);
    MUST(th_exchange_ask(from->ex, &q->ask, 1, &error), &error);
}

static void entries_of(node *n, th_str **ret, size_t *ret_n)
{
    th_db *db;
    char log[TH_LOG_TEXT];
    th_journal_log(th_exchange_journal(n->ex), log);
    MUST(th_store_acquire(n->b.store, &db, &error), &error);
    MUST(th_journal_entries(db, th_str_of(log), 0, 2000, &n->b.arena, ret, ret_n, &error), &error);
    th_store_release(n->b.store, db);
}

static int entries_count(node *n, const char *direction)
{
    th_str *entries;
    size_t count;
    int found = 0;
    entries_of(n, &entries, &count);
    for (size_t i = 0; i < count; i++)
        found += th_str_is(th_json_str(bench_json(&n->b.arena, entries[i]), "direction"), direction);
    return found;
}

static void an_answered_ask_is_journaled_on_both_sides_and_its_receipt_holds(bool pg)
{
    question q;
    th_receipt receipt;
    th_entry entry;
    open_pair(pg);
    ask(&q, &a, "name");
    assert_int_equal(q.done, 0);
    assert_true(a.wakes > 0);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(q.done, 1);
    assert_int_equal(q.ask.status, TH_OK);
    TEXT(q.ask.answer, "{\"results\":{\"name\":\"match\"}}");
    th_trust *trust = th_exchange_trust(a.ex);
    MUST(th_receipt_read(q.ask.receipt, &a.b.arena, &receipt, &error), &error);
    MUST(th_receipt_check(&receipt, trust, &error), &error);
    MUST(th_entry_read(receipt.entry, &a.b.arena, &entry, &error), &error);
    TEXT(entry.direction, "answered");
    TEXT(entry.peer, "110000");
    TEXT(entry.item, "A");
    TEXT(entry.case_id, "case-1");
    TEXT(entry.grant, "facts-to-beijing");
    assert_true(th_str_is(entry.id, q.ask.id));
    assert_int_equal(entries_count(&a, "asked"), 1);
    assert_int_equal(entries_count(&b, "answered"), 2); /* the ask, and this node's first heads */
    /* The exact lines are kept, and hash to what stands in both journals. */
    th_db *db;
    th_str message, answer;
    for (int side = 0; side < 2; side++) {
        node *n = side ? &b : &a;
        MUST(th_store_acquire(n->b.store, &db, &error), &error);
        MUST(th_exchange_lines(n->ex, db, th_str_of(q.ask.id), &n->b.arena, &message, &answer, &error), &error);
        th_store_release(n->b.store, db);
        th_hash leaf = th_merkle_leaf(a.me->suite, message), answer_leaf = th_merkle_leaf(a.me->suite, answer);
        assert_memory_equal(leaf.b, entry.leaf.b, 32);
        assert_memory_equal(answer_leaf.b, entry.answer.b, 32);
        assert_false(bench_holds(message, "clerk-7")); /* operators travel as pseudonyms */
    }
    /* What the entry tells peers holds no person. */
    assert_false(bench_holds(receipt.entry, "110101199003070011"));
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_access WHERE register = 'facts' AND fields = 'name' AND consumer = '110000'"), 1);
    uint64_t checked;
    MUST(th_store_acquire(b.b.store, &db, &error), &error);
    MUST(th_journal_check(db, TH_STR("120000.1"), trust, &checked, &error), &error);
    th_store_release(b.b.store, db);
    th_trust_release(trust);
    close_pair();
}

static void asks_gather_into_batches_of_one_signature(bool pg)
{
    enum { N = 300 };
    question *q = th_new(N * sizeof *q);
    open_pair(pg);
    for (int i = 0; i < N; i++)
        question_make(&q[i], &a, "name");
    for (int i = 0; i + 1 < N; i++)
        q[i].ask.next = &q[i + 1].ask;
    MUST(th_exchange_ask(a.ex, &q[0].ask, N, &error), &error);
    int batches = 0;
    while (carry(&a, &b, NULL, NULL))
        batches++;
    assert_int_equal(batches, 1);
    for (int i = 0; i < N; i++)
        assert_true(q[i].done == 1 && q[i].ask.status == TH_OK && q[i].ask.receipt.n);
    th_link_state links[4];
    assert_int_equal(th_exchange_links(a.ex, links, 4), 2);
    assert_true(links[0].up && links[0].messages >= N && links[0].waiting == 0);
    th_free(q);
    close_pair();
}

static void a_refused_ask_hears_it_at_once_or_among_others_by_done(bool pg)
{
    question q[3];
    open_pair(pg);
    question_make(&q[0], &a, "school");
    REFUSED(th_exchange_ask(a.ex, &q[0].ask, 1, &error), &error, TH_FORBIDDEN, "grant-field");
    question_make(&q[0], &a, "name");
    q[0].ask.provider = TH_STR("310000");
    REFUSED(th_exchange_ask(a.ex, &q[0].ask, 1, &error), &error, TH_FORBIDDEN, "unknown-member");
    question_make(&q[0], &a, "name");
    q[0].ask.item = TH_STR("B");
    REFUSED(th_exchange_ask(a.ex, &q[0].ask, 1, &error), &error, TH_FORBIDDEN, "grant-purpose");
    question_make(&q[0], &a, "name");
    q[0].ask.grant = TH_STR("nothing");
    REFUSED(th_exchange_ask(a.ex, &q[0].ask, 1, &error), &error, TH_FORBIDDEN, "no-grant");
    question_make(&q[0], &a, "name");
    q[0].ask.provider = TH_STR("130000");
    REFUSED(th_exchange_ask(a.ex, &q[0].ask, 1, &error), &error, TH_UNAVAILABLE, "grants-unknown");
    assert_int_equal(q[0].done, 0);
    /* All of several refused: each hears it, the call itself is fine. */
    for (int i = 0; i < 3; i++)
        question_make(&q[i], &a, "school");
    q[0].ask.next = &q[1].ask;
    q[1].ask.next = &q[2].ask;
    MUST(th_exchange_ask(a.ex, &q[0].ask, 3, &error), &error);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(q[i].done, 1);
        assert_int_equal(q[i].ask.status, TH_FORBIDDEN);
        assert_string_equal(q[i].ask.error.type, "grant-field");
    }
    /* A body over the limit of a line. */
    char *huge = th_new(70000);
    memset(huge, 'x', 69000);
    question_make(&q[0], &a, "name");
    q[0].ask.body = th_strf(&a.b.arena, "{\"field\":\"name\",\"person\":\"%s\"}", huge);
    REFUSED(th_exchange_ask(a.ex, &q[0].ask, 1, &error), &error, TH_TOO_LARGE, "line-too-long");
    th_free(huge);
    close_pair();
}

static bool drop_answer(void *ctx, th_wire *request, th_wire *answer)
{
    (void)request;
    return !answer || !(*(int *)ctx)--;
}

static void an_id_answered_once_is_answered_the_same_again(bool pg)
{
    question q;
    int drops = 1;
    open_pair(pg);
    ask(&q, &a, "name");
    assert_true(carry(&a, &b, drop_answer, &drops)); /* committed at the provider, lost on the way back */
    assert_int_equal(q.done, 0);
    assert_int_equal(entries_count(&b, "answered"), 2);
    pass(TH_SECOND_US);
    th_exchange_tick(a.ex);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(q.done, 1);
    assert_int_equal(q.ask.status, TH_OK);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_access"), 1); /* one look, not two */
    close_pair();
}

static void an_ask_ends_at_its_deadline(bool pg)
{
    question q;
    open_pair(pg);
    question_make(&q, &a, "name");
    q.ask.deadline_us = BENCH_NOW_US + 2 * TH_SECOND_US;
    MUST(th_exchange_ask(a.ex, &q.ask, 1, &error), &error);
    pass(3 * TH_SECOND_US);
    th_exchange_tick(a.ex);
    node_settle(&a);
    assert_int_equal(q.done, 1);
    assert_int_equal(q.ask.status, TH_UNAVAILABLE);
    assert_string_equal(q.ask.error.type, "peer-unavailable");
    assert_true(q.ask.error.retry_after_s > 0);
    /* And one whose batch is under way when it ends: heard once, even when the answer comes after all. */
    question_make(&q, &a, "name");
    q.ask.deadline_us = a.b.clock.now_us + TH_SECOND_US;
    MUST(th_exchange_ask(a.ex, &q.ask, 1, &error), &error);
    th_outgoing *out = th_exchange_next(a.ex, "120000");
    assert_non_null(out);
    pass(2 * TH_SECOND_US);
    th_exchange_tick(a.ex);
    assert_int_equal(q.done, 1);
    th_exchange_failed(a.ex, out, TH_TIMEOUT, NULL);
    node_settle(&a);
    assert_int_equal(q.done, 1);
    close_pair();
}

static void an_answer_over_the_limit_is_a_problem_of_its_line(bool pg)
{
    question q, other;
    open_pair(pg);
    ask(&q, &a, "huge");
    ask(&other, &a, "name");
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(q.ask.status, TH_TOO_LARGE);
    assert_string_equal(q.ask.error.type, "answer-too-long");
    assert_int_equal(other.ask.status, TH_OK);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_access"), 1); /* nothing was told about that one */
    close_pair();
}

/* ---- attacks on the request ---- */

typedef struct attack { const char *name; void (*change)(th_wire *w); int http; const char *type; bool journaled; } attack;

static th_str with(th_str text, const char *what, const char *put)
{
    const char *at = memmem(text.p, text.n, what, strlen(what));
    if (!at)
        fail_msg("%s is not in %.*s", what, TH_FMT(text));
    return th_strf(&r.arena, "%.*s%s%.*s", (int)(at - text.p), text.p, put, (int)(text.n - strlen(what) - (size_t)(at - text.p)), at + strlen(what));
}

static void body_altered(th_wire *w) { w->body = with(w->body, "name", "nome"); }
static void body_cut(th_wire *w) { w->body.n -= 1; }
static void line_moved(th_wire *w)
{
    w->body = th_strf(&r.arena, "%.*s%.*s", TH_FMT(w->body), TH_FMT(w->body));
    w->content_digest = th_digest_header(&r.arena, w->body);
}
static void digest_missing(th_wire *w) { w->content_digest = (th_str){NULL, 0}; }
static void root_changed(th_wire *w)
{
    char *text = (char *)(uintptr_t)th_str_keep(&r.arena, w->batch).p, *at = strstr(text, "root=:") + 6;
    *at = *at == 'A' ? 'B' : 'A';
    w->batch = th_str_of(text);
}
static void from_changed(th_wire *w) { w->batch = with(w->batch, "from=\"110000\"", "from=\"130000\""); }
static void to_changed(th_wire *w) { w->batch = with(w->batch, "to=\"120000\"", "to=\"130000\""); }
static void batch_missing(th_wire *w) { w->batch = (th_str){NULL, 0}; }
static void n_changed(th_wire *w) { w->batch = with(w->batch, ", n=", ", n=9"); }
static void other_target(th_wire *w) { w->target_uri = TH_STR("https://peer.130000.test/exchange/v1/batch"); }
static void signature_missing(th_wire *w) { w->signature = (th_str){NULL, 0}; }
static void input_missing(th_wire *w) { w->signature_input = (th_str){NULL, 0}; }
static void tag_changed(th_wire *w) { w->signature_input = with(w->signature_input, "tag=\"tonghui-batch\"", "tag=\"tonghui-answer\""); }
static void tag_gone(th_wire *w) { w->signature_input = with(w->signature_input, ";tag=\"tonghui-batch\"", ""); }
static void alg_added(th_wire *w) { w->signature_input = with(w->signature_input, ";tag=", ";alg=\"hmac-sha256\";tag="); }
static void cover_less(th_wire *w) { w->signature_input = with(w->signature_input, " \"tonghui-batch\")", ")"); }
static void expiry_gone(th_wire *w)
{
    const char *at = memmem(w->signature_input.p, w->signature_input.n, ";expires=", 9);
    size_t n = 9 + strspn(at + 9, "0123456789");
    char part[40];
    snprintf(part, sizeof part, "%.*s", (int)n, at);
    w->signature_input = with(w->signature_input, part, "");
}
static void foreign_key(th_wire *w)
{
    char kid[TH_KID_TEXT], other[TH_KID_TEXT], what[40], put[40];
    th_kid_of(r.members[0].message, kid);
    th_kid_of(r.members[2].message, other);
    snprintf(what, sizeof what, "keyid=\"%s\"", kid);
    snprintf(put, sizeof put, "keyid=\"%s\"", other);
    w->signature_input = with(w->signature_input, what, put);
}
static void journal_key(th_wire *w)
{
    char kid[TH_KID_TEXT], other[TH_KID_TEXT];
    th_kid_of(r.members[0].message, kid);
    th_kid_of(r.members[0].journal, other);
    w->signature_input = with(w->signature_input, kid, other);
}
static void stranger(th_wire *w) { memcpy(w->pin, "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 52); }
static void other_member(th_wire *w) { memcpy(w->pin, r.members[2].pin, 52); }
static void no_tls(th_wire *w) { w->pin[0] = 0; }

static const attack attacks[] = {
    {"an altered body", body_altered, 403, "content-digest", true},
    {"a body cut short", body_cut, 403, "content-digest", true},
    {"a line repeated", line_moved, 403, "signature", true},
    {"no digest", digest_missing, 400, "signature-malformed", true},
    {"another root", root_changed, 403, "signature", true},
    {"a forged sender", from_changed, 403, "member-mismatch", true},
    {"a forged receiver", to_changed, 403, "wrong-receiver", true},
    {"no Tonghui-Batch", batch_missing, 400, "batch-header", true},
    {"another count", n_changed, 403, "signature", true},
    {"another target", other_target, 403, "signature", true},
    {"no Signature", signature_missing, 400, "signature-malformed", true},
    {"no Signature-Input", input_missing, 400, "signature-malformed", true},
    {"the tag of answers", tag_changed, 403, "signature-tag", true},
    {"no tag", tag_gone, 403, "signature-tag", true},
    {"an algorithm in the message", alg_added, 400, "signature-malformed", true},
    {"a part not covered", cover_less, 403, "signature-covers", true},
    {"no expiry", expiry_gone, 400, "signature-times", true},
    {"the key of another member", foreign_key, 403, "unknown-key", true},
    {"a journal key", journal_key, 403, "key-use", true},
    {"a TLS key of nobody", stranger, 403, "unknown-member", false},
    {"the TLS key of another member", other_member, 403, "member-mismatch", true},
    {"no TLS key", no_tls, 403, "unknown-member", false},
};

static bool attack_hook(void *ctx, th_wire *request, th_wire *answer)
{
    const attack *t = ctx;
    if (!answer) {
        t->change(request);
        return true;
    }
    const th_json *j = bench_json(&r.arena, answer->body);
    char want[80];
    snprintf(want, sizeof want, "urn:tonghui:problem:%s", t->type);
    if (answer->status != t->http || !th_str_is(th_json_str(j, "type"), want))
        fail_msg("%s: %d %.*s", t->name, answer->status, TH_FMT(th_json_str(j, "type")));
    return true;
}

static void a_batch_that_is_not_whole_and_its_senders_acts_on_nothing(bool pg)
{
    open_pair(pg);
    for (size_t i = 0; i < TH_COUNT(attacks); i++) {
        question q;
        int refused = entries_count(&b, "refused");
        int64_t kept = bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_batch");
        ask(&q, &a, "name");
        assert_true(carry(&a, &b, attack_hook, (void *)(uintptr_t)&attacks[i]));
        assert_int_equal(facts_read, 0);
        assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_batch"), kept);
        assert_int_equal(entries_count(&b, "refused"), refused + attacks[i].journaled); /* strangers cannot fill the journal */
        assert_int_equal(q.done, 1); /* nothing another try would mend: who asked hears it */
        assert_int_not_equal(q.ask.status, TH_OK);
        pass(10 * TH_SECOND_US);
    }
    question q; /* and the link works as before */
    ask(&q, &a, "name");
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(q.ask.status, TH_OK);
    close_pair();
}

/* ---- lines that an honest node would not send ---- */

static void post_done(th_incoming *in)
{
    *(bool *)in->ctx = true;
}

/* A batch of these lines, rightly signed by `from`. Returns the answer's lines (without the trailer). */
static th_str *post(node *from, node *to, const char *const *lines, size_t n, int *ret_http)
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

static const char *fresh_id(void)
{
    th_uuid7(&a.b.env, id_text);
    return id_text;
}

static const char *line_of(const char *format, ...)
{
    static char text[70000];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return th_str_keep(&r.arena, th_str_of(text)).p;
}

static void answer_is(th_str line, int status, const char *type)
{
    const th_json *j = bench_json(&r.arena, line);
    char want[80];
    snprintf(want, sizeof want, "urn:tonghui:problem:%s", type);
    if (th_json_int(j, "status", 0) != status || (status != 200 && !th_str_is(th_json_str(th_json_get(j, "problem"), "type"), want)))
        fail_msg("wanted %d %s, got %.*s", status, type, TH_FMT(line));
}

#define GOOD "\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"grant\":\"facts-to-beijing\",\"purpose\":{\"item\":\"A\"},\"body\":{\"field\":\"name\"}"

static void one_bad_line_alone_gets_its_problem(bool pg)
{
    static const struct { const char *rest; int status; const char *type; } bad[] = {
        {"\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{}", 400, "invalid-request"},
        {"\"type\":\"nothing\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{}", 422, "unknown-type"},
        {"\"type\":\"fact\",\"to\":\"130000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"}", 403, "wrong-receiver"},
        {"\"type\":\"fact\",\"to\":\"12000x\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"}", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"yesterday\",\"body\":{\"field\":\"name\"}", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":[]", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"extra\":1", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"grant\":7", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"purpose\":\"A\"", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"purpose\":{\"item\":\"\\u0000\"}", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"purpose\":{\"item\":\"A\",\"x\":1}", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"actor\":{\"office\":[]}", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"seq\":\"1\"", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"},\"seq\":-1", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"field\":\"name\"}", 403, "no-grant"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"grant\":\"facts-to-beijing\",\"purpose\":{\"item\":\"B\"},\"body\":{\"field\":\"name\"}", 403, "grant-purpose"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"grant\":\"facts-to-beijing\",\"purpose\":{\"item\":\"A\"},\"body\":{\"field\":\"school\"}", 403, "grant-field"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"grant\":\"facts-to-beijing\",\"purpose\":{\"item\":\"A\"},\"body\":{\"field\":5}", 400, "invalid-request"},
        {"\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"grant\":\"facts-to-beijing\",\"purpose\":{\"item\":\"A\"},\"consent\":\"stolen\",\"body\":{\"field\":\"name\"}", 400, "consent-malformed"},
        {"\"type\":\"effect\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{}", 400, "invalid-request"}, /* an effect without its number */
        {"\"type\":\"heads\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"heads\":5}", 400, "invalid-request"},
        {"\"type\":\"consistency\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"log\":\"120000.1\",\"first\":9,\"second\":3}", 400, "invalid-request"},
        {"\"type\":\"consistency\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"log\":\"120000.1\",\"first\":1,\"second\":99999}", 404, "beyond-log"},
        {"\"type\":\"looks\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"id_number\":\"110101199003070011\"}", 400, "consent-malformed"},
    };
    const char *lines[TH_COUNT(bad) + 2];
    int http;
    open_pair(pg);
    question q; /* so that there is a log to ask about */
    ask(&q, &a, "name");
    carry(&a, &b, NULL, NULL);
    facts_read = 0;
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        lines[i] = line_of("{\"id\":\"%s\",%s}", fresh_id(), bad[i].rest);
    lines[TH_COUNT(bad)] = line_of("{\"id\":\"%s\"," GOOD "}", fresh_id());
    lines[TH_COUNT(bad) + 1] = "not JSON at all";
    th_str *answers = post(&a, &b, lines, TH_COUNT(lines), &http);
    assert_int_equal(http, 200);
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        answer_is(answers[i], bad[i].status, bad[i].type);
    answer_is(answers[TH_COUNT(bad)], 200, "");
    answer_is(answers[TH_COUNT(bad) + 1], 400, "json");
    assert_int_equal(facts_read, 1);
    assert_int_equal(effects_done, 0);
    close_pair();
}

static void one_id_is_one_message(bool pg)
{
    int http;
    open_pair(pg);
    const char *id = line_of("%s", fresh_id()), *other = line_of("%s", fresh_id());
    const char *first = line_of("{\"id\":\"%s\"," GOOD "}", id), *changed = line_of("{\"id\":\"%s\",  " GOOD "}", id), *second = line_of("{\"id\":\"%s\"," GOOD "}", other);
    const char *const batch[] = {first, second, changed, first};
    th_str *answers = post(&a, &b, batch, 4, &http);
    answer_is(answers[0], 200, "");
    answer_is(answers[1], 200, "");
    answer_is(answers[2], 409, "duplicate-id");
    answer_is(answers[3], 409, "duplicate-id");
    th_str before = answers[0];
    answers = post(&a, &b, batch, 1, &http); /* again: the stored answer, byte by byte */
    assert_true(th_str_eq(answers[0], before));
    answers = post(&a, &b, &changed, 1, &http);
    answer_is(answers[0], 409, "replayed");
    assert_int_equal(facts_read, 4); /* reads are harmless; nothing was told twice: */
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_access"), 2);
    close_pair();
}

static void limits_of_a_batch_are_exact(bool pg)
{
    int http;
    enum { N = TH_BATCH_LINES_MAX };
    const char **lines = th_new((N + 1) * sizeof *lines);
    open_pair(pg);
    for (int i = 0; i < N; i++)
        lines[i] = line_of("{\"id\":\"%s\"," GOOD "}", fresh_id());
    th_str *answers = post(&a, &b, lines, N, &http);
    assert_int_equal(http, 200);
    answer_is(answers[N - 1], 200, "");
    lines[N] = lines[0];
    post(&a, &b, lines, N + 1, &http);
    assert_int_equal(http, 400); /* the header already says more than there may be */
    th_free(lines);
    char *padding = th_new(TH_LINE_MAX + 2);
    const char *head = line_of("{\"id\":\"%s\"," GOOD, fresh_id());
    size_t n = (size_t)snprintf(padding, TH_LINE_MAX, "%s", head);
    memset(padding + n, ' ', TH_LINE_MAX - n - 1);
    padding[TH_LINE_MAX - 1] = '}';
    const char *whole = padding;
    answers = post(&a, &b, &whole, 1, &http);
    answer_is(answers[0], 200, "");
    padding[TH_LINE_MAX - 1] = ' ';
    padding[TH_LINE_MAX] = '}';
    answers = post(&a, &b, &whole, 1, &http);
    answer_is(answers[0], 413, "line-too-long");
    th_free(padding);
    close_pair();
}

/* ---- attacks on the answer ---- */

typedef struct answer_attack { const char *name; int kind; th_wire earlier; } answer_attack;

static bool answer_hook(void *ctx, th_wire *request, th_wire *answer)
{
    answer_attack *t = ctx;
    (void)request;
    if (!answer)
        return true;
    switch (t->kind) {
    case 0: /* kept, to be replayed */
        t->earlier = *answer;
        t->earlier.body = th_str_keep(&r.arena, answer->body);
        t->earlier.content_digest = th_str_keep(&r.arena, answer->content_digest);
        t->earlier.signature_input = th_str_keep(&r.arena, answer->signature_input);
        t->earlier.signature = th_str_keep(&r.arena, answer->signature);
        break;
    case 1:
        *answer = t->earlier;
        break;
    case 2:
        answer->body = with(answer->body, "match", "march");
        break;
    case 3:
        answer->body = with(answer->body, "match", "march");
        answer->content_digest = th_digest_header(&r.arena, answer->body);
        break;
    case 4:
        answer->signature = (th_str){NULL, 0};
        break;
    case 5:
        answer->body = (th_str){NULL, 0};
        break;
    case 6:
        answer->body = TH_STR("{}\n");
        break;
    case 7:
        answer->status = 204;
        break;
    case 8:
        answer->signature_input = with(answer->signature_input, "tonghui-answer", "tonghui-batch");
        break;
    }
    return true;
}

static void an_answer_is_believed_only_as_far_as_it_is_proved(bool pg)
{
    static const char *const names[] = {"", "another request's answer", "an altered body", "an altered body with its digest", "no signature", "nothing", "half", "another status", "the tag of requests"};
    answer_attack t = {.kind = 0};
    question q;
    open_pair(pg);
    ask(&q, &a, "name");
    assert_true(carry(&a, &b, answer_hook, &t));
    assert_int_equal(q.ask.status, TH_OK);
    for (t.kind = 1; t.kind < (int)TH_COUNT(names); t.kind++) {
        int asked = entries_count(&a, "asked");
        ask(&q, &a, "name");
        assert_true(carry(&a, &b, answer_hook, &t));
        if (q.done && q.ask.status == TH_OK)
            fail_msg("%s was believed", names[t.kind]);
        assert_int_equal(entries_count(&a, "asked"), asked);
        pass(30 * TH_SECOND_US);
        th_exchange_tick(a.ex);
        node_settle(&a);
        assert_int_equal(q.done, 1);
        while (carry(&a, &b, NULL, NULL)) { /* what waited for a better moment */
        }
    }
    close_pair();
}

/* A provider that signs well and lies in its trailer: entries of other messages, a foreign head, a proof of something else. */
static bool trailer_hook(void *ctx, th_wire *request, th_wire *answer)
{
    static const char *const what[] = {"\"first\":", "\"private\":[\"", "\"size\":", "\"log\":\"120000.1\"", "\"left\":[", "\"at\":\"2026"};
    static const char *const put[] = {"\"first\":1", "\"private\":[\"A", "\"size\":1", "\"log\":\"120000.2\"", "\"left\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",", "\"at\":\"2025"};
    int kind = *(int *)ctx;
    if (!answer)
        return true;
    answer->body = with(answer->body, what[kind], put[kind]);
    MUST(th_wire_sign_answer(answer, request, b.me->message, &b.b.env, &r.arena), NULL);
    return true;
}

static void a_trailer_that_proves_something_else_proves_nothing(bool pg)
{
    open_pair(pg);
    for (int kind = 0; kind < 6; kind++) {
        question q;
        ask(&q, &a, "name");
        assert_true(carry(&a, &b, trailer_hook, &kind));
        assert_int_equal(q.done, 1);
        assert_int_equal(q.ask.status, TH_UNAVAILABLE);
        assert_int_equal(entries_count(&a, "asked"), 0);
        pass(60 * TH_SECOND_US);
        th_exchange_tick(a.ex);
    }
    close_pair();
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

static th_status tell_to(const char *to, const char *key, int n)
{
    telling t = {.to = to, .key = key, .n = n};
    t.change = (th_change){.apply = tell_apply, .ctx = &t};
    memset(&error, 0, sizeof error);
    return th_writer_run(a.writer, &t.change, &error);
}

static void tell(const char *key, int n)
{
    MUST(tell_to("120000", key, n), &error);
}

static th_backlog backlog_of(node *n)
{
    th_db *db;
    th_backlog *all;
    size_t count;
    MUST(th_store_acquire(n->b.store, &db, &error), &error);
    MUST(th_outbox_backlog(db, &n->b.arena, &all, &count), &error);
    th_store_release(n->b.store, db);
    return count ? all[0] : (th_backlog){0};
}

static void an_effect_arrives_once_and_in_order_whatever_is_lost(bool pg)
{
    int drops = 1;
    open_pair(pg);
    tell("case-1", 1);
    tell("case-2", 2);
    tell("case-1", 3);
    assert_int_equal(backlog_of(&a).waiting, 3);
    assert_true(carry(&a, &b, drop_answer, &drops)); /* applied, but the sender does not know */
    assert_string_equal(effect_order, "1 2 3 ");
    assert_int_equal(backlog_of(&a).waiting, 3);
    node_reopen(&b); /* the receiver dies and comes back */
    types_add(&b);
    pass(5 * TH_SECOND_US);
    th_exchange_tick(a.ex);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_string_equal(effect_order, "1 2 3 ");
    assert_int_equal(effects_done, 3);
    assert_int_equal(backlog_of(&a).waiting, 0);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_inbox"), 3);
    node_reopen(&a); /* the sender too: nothing is told again */
    types_add(&a);
    th_exchange_tick(a.ex);
    while (carry(&a, &b, NULL, NULL)) {
    }
    assert_int_equal(effects_done, 3);
    close_pair();
}

static void a_restarted_sender_goes_on_with_what_it_had_not_delivered(bool pg)
{
    open_pair(pg);
    tell("case-1", 1);
    node_reopen(&a);
    types_add(&a);
    th_exchange_tick(a.ex);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_string_equal(effect_order, "1 ");
    close_pair();
}

static void a_refusal_for_good_holds_back_its_subject_and_is_shown(bool pg)
{
    open_pair(pg);
    effect_outcome = TH_CONFLICT;
    tell("case-1", 1);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(backlog_of(&a).dead, 1);
    effect_outcome = TH_OK;
    tell("case-1", 2); /* would overtake what was refused */
    tell("case-2", 3);
    while (carry(&a, &b, NULL, NULL)) {
    }
    assert_string_equal(effect_order, "3 ");
    assert_int_equal(backlog_of(&a).dead, 1);
    assert_int_equal(backlog_of(&a).waiting, 1);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM people_office"), 1); /* the refused effect left nothing behind */
    close_pair();
}

static void a_refusal_for_now_is_tried_again_until_it_holds(bool pg)
{
    open_pair(pg);
    effect_outcome = TH_BUSY;
    tell("case-1", 1);
    tell("case-1", 2);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(backlog_of(&a).dead, 0);
    assert_int_equal(backlog_of(&a).waiting, 2);
    effect_outcome = TH_OK;
    for (int i = 0; i < 8; i++) {
        pass(20 * TH_SECOND_US);
        th_exchange_tick(a.ex);
        while (carry(&a, &b, NULL, NULL)) {
        }
    }
    assert_string_equal(effect_order, "1 2 ");
    assert_int_equal(backlog_of(&a).waiting, 0);
    close_pair();
}

static void clocks_that_differ_too_much_refuse_and_mend(bool pg)
{
    question q;
    open_pair(pg);
    static const struct { int64_t skew_s; bool good; } skews[] = {{-299, true}, {-301, false}, {29, true}, {31, false}};
    for (size_t i = 0; i < TH_COUNT(skews); i++) {
        a.b.clock.now_us = b.b.clock.now_us + skews[i].skew_s * TH_SECOND_US;
        ask(&q, &a, "name");
        assert_true(carry(&a, &b, NULL, NULL));
        assert_int_equal(q.done, 1);
        if (skews[i].good) {
            assert_int_equal(q.ask.status, TH_OK);
        } else {
            assert_string_equal(q.ask.error.type, "clock-skew");
            assert_true(bench_holds(th_str_of(q.ask.error.en), "2026-11-24T")); /* both clocks are in the words */
        }
        pass(20 * TH_SECOND_US);
    }
    th_link_state links[4];
    assert_int_equal(th_exchange_links(b.ex, links, 4), 2);
    assert_true(links[0].skew_us < -30 * TH_SECOND_US); /* a metric */
    th_exchange_tick(b.ex);
    node_settle(&b);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_alarm WHERE kind = 'clock-skew'"), 1);
    /* An effect refused for the clock's sake arrives when the clock is right: the refusal is not remembered under its id. */
    a.b.clock.now_us = b.b.clock.now_us - 400 * TH_SECOND_US;
    tell("case-1", 1);
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(effects_done, 0);
    a.b.clock.now_us = b.b.clock.now_us;
    for (int i = 0; i < 5; i++) {
        pass(20 * TH_SECOND_US);
        th_exchange_tick(a.ex);
        while (carry(&a, &b, NULL, NULL)) {
        }
    }
    assert_string_equal(effect_order, "1 ");
    close_pair();
}

static void effects_go_to_members_only(bool pg)
{
    open_pair(pg);
    assert_int_equal(tell_to("1200", "case-1", 1), TH_INVALID);
    assert_int_equal(tell_to("310000", "case-1", 1), TH_INVALID); /* would wait for ever for nobody */
    assert_string_equal(error.type, "unknown-member");
    assert_int_equal(backlog_of(&a).waiting, 0);
    close_pair();
}

/* ---- trust in force ---- */

static void apply_both(const terms *t, unsigned signers)
{
    MUST(th_exchange_trust_apply(a.ex, region_document(&r, t, signers), &error), &error);
    MUST(th_exchange_trust_apply(b.ex, region_document(&r, t, signers), &error), &error);
}

static void suspension_and_expiry_stop_exchange_and_say_so(bool pg)
{
    question q;
    th_str old_receipt;
    open_pair(pg);
    ask(&q, &a, "name");
    carry(&a, &b, NULL, NULL);
    old_receipt = q.ask.receipt;
    apply_both(&(terms){.version = 2, .suspended = "[\"110000\"]"}, 7);
    ask(&q, &a, "name"); /* the suspended member may not know it yet */
    carry(&a, &b, NULL, NULL);
    assert_int_equal(q.done, 1);
    assert_string_equal(q.ask.error.type, "suspended-member");
    apply_both(&(terms){.version = 3, .suspended = "[\"120000\"]"}, 7);
    question_make(&q, &a, "name");
    REFUSED(th_exchange_ask(a.ex, &q.ask, 1, &error), &error, TH_FORBIDDEN, "suspended-member");
    th_trust *trust = th_exchange_trust(a.ex);
    th_receipt receipt;
    MUST(th_receipt_read(old_receipt, &a.b.arena, &receipt, &error), &error);
    MUST(th_receipt_check(&receipt, trust, &error), &error); /* suspension does not undo what was proved */
    th_trust_release(trust);
    apply_both(&(terms){.version = 4, .expires_us = BENCH_NOW_US + TH_DAY_US}, 7);
    pass(TH_DAY_US);
    question_make(&q, &a, "name");
    REFUSED(th_exchange_ask(a.ex, &q.ask, 1, &error), &error, TH_UNAVAILABLE, "trust-expired");
    const char *line = line_of("{\"id\":\"%s\"," GOOD "}", fresh_id());
    int http;
    post(&a, &b, &line, 1, &http);
    assert_int_equal(http, 503);
    th_exchange_tick(a.ex);
    node_settle(&a);
    assert_int_equal(bench_count(a.b.store, "SELECT COUNT(*) FROM exchange_alarm WHERE kind = 'trust-expired'"), 1);
    REFUSED(th_exchange_trust_apply(a.ex, region_document(&r, &(terms){.version = 2}, 7), &error), &error, TH_CONFLICT, "trust-rollback");
    close_pair();
}

static void trust_and_grants_survive_a_restart_and_reload(bool pg)
{
    open_pair(pg);
    MUST(th_exchange_trust_apply(a.ex, region_document(&r, &(terms){.version = 2}, 7), &error), &error);
    MUST(th_exchange_grant_add(a.ex, region_grant(&r, "g1", 0, 1, "degrees", "verify", "[\"name\"]", "[\"*\"]", "none"), &error), &error);
    REFUSED(th_exchange_grant_add(a.ex, region_grant(&r, "g2", 1, 0, "degrees", "verify", "[\"name\"]", "[\"*\"]", "none"), &error), &error, TH_INVALID, "invalid-request");
    node_reopen(&a);
    types_add(&a);
    th_trust *trust = th_exchange_trust(a.ex);
    assert_int_equal(trust->version, 2);
    th_trust_release(trust);
    th_grants *own = th_exchange_grants(a.ex, TH_STR("110000")), *learnt = th_exchange_grants(a.ex, TH_STR("120000"));
    assert_int_equal(th_grants_count(own), 1);
    assert_int_equal(th_grants_count(learnt), 1);
    th_grants_release(own);
    th_grants_release(learnt);
    assert_null(th_exchange_grants(a.ex, TH_STR("130000")));
    MUST(th_exchange_reload(a.ex, &error), &error);
    MUST(th_exchange_grant_remove(a.ex, TH_STR("g1"), &error), &error);
    REFUSED(th_exchange_grant_remove(a.ex, TH_STR("g1"), &error), &error, TH_NOT_FOUND, "no-grant");
    own = th_exchange_grants(a.ex, TH_STR("110000"));
    assert_int_equal(th_grants_count(own), 0);
    th_grants_release(own);
    REFUSED(th_exchange_grants_learn(a.ex, TH_STR("120000"), TH_STR("{}"), &error), &error, TH_INVALID, "grants-malformed");
    close_pair();
}

/* ---- budgets ---- */

static void a_grants_rate_bounds_the_work_and_refills(bool pg)
{
    question q;
    int good = 0;
    open_pair(pg);
    th_str json = region_grant(&r, "facts-to-beijing", 1, 0, "facts", "verify", "[\"name\"]", "[\"A\"]", "none");
    json = th_strf(&r.arena, "%.*s,\"rate\":5}", (int)json.n - 1, json.p);
    MUST(th_exchange_grant_add(b.ex, json, &error), &error);
    for (int i = 0; i < 8; i++) {
        ask(&q, &a, "name");
        carry(&a, &b, NULL, NULL);
        good += q.ask.status == TH_OK;
        if (q.ask.status)
            assert_string_equal(q.ask.error.type, "grant-rate");
    }
    assert_int_equal(good, 5);
    pass(TH_MINUTE_US);
    ask(&q, &a, "name");
    carry(&a, &b, NULL, NULL);
    assert_int_equal(q.ask.status, TH_OK);
    close_pair();
}

/* ---- consent and looks ---- */

static const th_str consent_fields[] = {{"name", 4}};

static th_str consent_for(node *home, const char *provider, const char *reg, const th_str *fields, const char *item, const char *person)
{
    th_str token;
    th_consent consent = {.home = th_str_of(home->me->code), .provider = th_str_of(provider), .reg = th_str_of(reg), .fields = fields, .field_count = 1, .item = th_str_of(item),
                          .lang = TH_STR("zh"), .issued_us = home->b.clock.now_us, .expires_us = home->b.clock.now_us + TH_DAY_US};
    MUST(th_consent_make(&consent, th_str_of(person), home->me->message, &home->b.env, &home->b.arena, &token, &error), &error);
    return token;
}

typedef struct revoking { th_change change; th_str token; node *home; } revoking;

static th_status revoke_apply(th_change *change, th_db *db, th_error *why)
{
    revoking *v = change->ctx;
    return th_consent_revoke(v->home->ex, db, v->token, why);
}

static void a_consent_taken_back_ends_what_it_allowed(bool pg)
{
    question q;
    open_pair(pg);
    MUST(th_exchange_grant_add(b.ex, region_grant(&r, "facts-to-beijing", 1, 0, "facts", "verify", "[\"name\"]", "[\"A\"]", "citizen"), &error), &error);
    grants_share(&b, &a);
    question_make(&q, &a, "name");
    REFUSED(th_exchange_ask(a.ex, &q.ask, 1, &error), &error, TH_FORBIDDEN, "consent-required");
    th_str token = consent_for(&a, "120000", "facts", consent_fields, "A", "110101199003070011");
    q.ask.consent = token;
    MUST(th_exchange_ask(a.ex, &q.ask, 1, &error), &error);
    carry(&a, &b, NULL, NULL);
    assert_int_equal(q.ask.status, TH_OK);
    question_make(&q, &a, "name"); /* of another person */
    q.ask.consent = consent_for(&a, "120000", "facts", consent_fields, "A", "11010519491231002X");
    MUST(th_exchange_ask(a.ex, &q.ask, 1, &error), &error);
    carry(&a, &b, NULL, NULL);
    assert_string_equal(q.ask.error.type, "consent-person");
    revoking v = {.token = token, .home = &a};
    v.change = (th_change){.apply = revoke_apply, .ctx = &v};
    MUST(th_writer_run(a.writer, &v.change, &error), &error);
    question_make(&q, &a, "name"); /* asked in the same breath: the revocation may come first or second, but not be lost */
    q.ask.consent = token;
    while (carry(&a, &b, NULL, NULL)) {
    }
    MUST(th_exchange_ask(a.ex, &q.ask, 1, &error), &error);
    carry(&a, &b, NULL, NULL);
    assert_int_equal(q.done, 1);
    assert_string_equal(q.ask.error.type, "consent-revoked");
    v.home = &b; /* only the home may take it back */
    assert_int_equal(th_writer_run(b.writer, &v.change, &error), TH_FORBIDDEN);
    close_pair();
}

static void the_citizen_sees_each_look_with_a_receipt_that_holds(bool pg)
{
    enum { N = 60 };
    static const th_str looks_field[] = {{"looks", 5}};
    question *q = th_new(N * sizeof *q), look;
    open_pair(pg);
    for (int i = 0; i < N; i++) /* all in one batch: one instant for all of them */
        ask(&q[i], &a, "name");
    carry(&a, &b, NULL, NULL);
    th_trust *trust = th_exchange_trust(a.ex);
    th_str before = {NULL, 0};
    int seen = 0;
    for (int page = 0; page < 10; page++) {
        question_make(&look, &a, "name");
        look.ask.type = TH_STR("looks");
        look.ask.item = TH_STR("citizen-view");
        look.ask.consent = consent_for(&a, "120000", "access-log", looks_field, "citizen-view", "110101199003070011");
        look.ask.case_id = (th_str){NULL, 0};
        look.ask.body = before.n ? th_strf(&a.b.arena, "{\"id_number\":\"110101199003070011\",\"before\":\"%.*s\"}", TH_FMT(before)) : TH_STR("{\"id_number\":\"110101199003070011\"}");
        MUST(th_exchange_ask(a.ex, &look.ask, 1, &error), &error);
        carry(&a, &b, NULL, NULL);
        MUST(look.ask.status, &look.ask.error);
        const th_json *answer = bench_json(&a.b.arena, look.ask.answer), *items = th_json_get(answer, "items");
        for (const th_json *i = th_json_first(items); i; i = th_json_next(items, i)) {
            th_receipt receipt;
            TEXT(th_json_str(i, "register"), "facts");
            TEXT(th_json_str(i, "consumer"), "110000");
            TEXT(th_json_str(i, "office"), "BJ-HR");
            MUST(th_receipt_read(th_json_get(i, "receipt")->raw, &a.b.arena, &receipt, &error), &error);
            MUST(th_receipt_check(&receipt, trust, &error), &error);
            seen++;
        }
        before = th_json_str(answer, "next");
        if (!before.n)
            break;
    }
    assert_int_equal(seen, N); /* none is left out where pages meet */
    /* Without the person's own token nobody sees anything. */
    question_make(&look, &a, "name");
    look.ask.type = TH_STR("looks");
    look.ask.item = TH_STR("citizen-view");
    look.ask.consent = consent_for(&a, "120000", "access-log", looks_field, "citizen-view", "11010519491231002X");
    look.ask.body = TH_STR("{\"id_number\":\"110101199003070011\"}");
    MUST(th_exchange_ask(a.ex, &look.ask, 1, &error), &error);
    carry(&a, &b, NULL, NULL);
    assert_string_equal(look.ask.error.type, "consent-person");
    /* The pseudonyms of two nodes for one person have nothing in common. */
    char one[TH_SUBJECT_TEXT], two[TH_SUBJECT_TEXT];
    th_people_subject(a.secret, TH_STR("110101199003070011"), one);
    th_people_subject(b.secret, TH_STR("110101199003070011"), two);
    assert_string_not_equal(one, two);
    th_trust_release(trust);
    th_free(q);
    close_pair();
}

/* ---- heads and forks ---- */

static th_head forged(const member *m, const char *log, uint64_t size, uint8_t root, int64_t at)
{
    th_head head = {.size = size, .at_us = at};
    snprintf(head.log, sizeof head.log, "%s", log);
    memset(head.root.b, root, sizeof head.root.b);
    assert_int_equal(th_head_sign(&head, m->journal), TH_OK);
    return head;
}

/* `heads` told by 110000 to 120000 as gossip. */
static void gossip(const th_head *heads, size_t n)
{
    th_buf buf;
    int http;
    th_buf_open(&buf, &r.arena, 60000);
    th_buff(&buf, "{\"id\":\"%s\",\"type\":\"heads\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"body\":{\"heads\":[", fresh_id());
    for (size_t i = 0; i < n; i++) {
        if (i)
            th_buf_char(&buf, ',');
        th_pen pen = th_pen_on(&buf);
        th_head_write(&pen, &heads[i]);
    }
    th_buf_text(&buf, "]}}");
    th_buf_char(&buf, 0);
    const char *line = buf.p;
    th_str *answers = post(&a, &b, &line, 1, &http);
    assert_int_equal(http, 200);
    answer_is(answers[0], 200, "");
    node_settle(&b);
}

#define alarms(kind) bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_alarm WHERE kind = '" kind "'")

static void two_histories_of_one_log_are_an_alarm(bool pg)
{
    const member *liar = &r.members[2];
    open_pair(pg);
    th_head one = forged(liar, "130000.1", 10, 1, BENCH_NOW_US), two = forged(liar, "130000.1", 10, 2, BENCH_NOW_US);
    gossip(&one, 1);
    assert_int_equal(alarms("equivocation"), 0);
    gossip(&two, 1);
    assert_int_equal(alarms("equivocation"), 1);
    gossip(&two, 1); /* the same again is not another alarm */
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_head WHERE log = '130000.1' AND size = 10"), 2); /* both are kept as evidence */
    th_head unsigned_head = one; /* what nobody signed is no evidence of anything */
    unsigned_head.size = 11;
    gossip(&unsigned_head, 1);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_head WHERE size = 11"), 0);
    close_pair();
}

static void a_log_that_shrinks_is_an_alarm_and_an_old_head_is_only_late(bool pg)
{
    open_pair(pg);
    th_head big = forged(&r.members[0], "110000.1", 50, 1, BENCH_NOW_US), old = forged(&r.members[0], "110000.1", 20, 2, BENCH_NOW_US - TH_DAY_US / 2),
            small = forged(&r.members[0], "110000.1", 20, 3, BENCH_NOW_US + TH_SECOND_US);
    gossip(&big, 1);
    gossip(&old, 1);
    assert_int_equal(alarms("head-shrunk"), 0);
    gossip(&small, 1); /* its owner signed a smaller tree later */
    assert_int_equal(alarms("head-shrunk"), 1);
    close_pair();
}

static void a_newer_generation_is_known_by_its_number(bool pg)
{
    th_link_state links[4];
    open_pair(pg);
    th_head nine = forged(&r.members[2], "130000.9", 50, 1, BENCH_NOW_US), ten = forged(&r.members[2], "130000.10", 3, 2, BENCH_NOW_US + TH_SECOND_US);
    gossip(&nine, 1);
    gossip(&ten, 1);
    gossip(&nine, 1); /* told again by somebody who has not heard */
    size_t n = th_exchange_links(b.ex, links, 4);
    for (size_t i = 0; i < n; i++)
        if (strcmp(links[i].peer, "130000") == 0)
            assert_string_equal(links[i].head.log, "130000.10");
    node_reopen(&b);
    types_add(&b);
    n = th_exchange_links(b.ex, links, 4);
    for (size_t i = 0; i < n; i++)
        if (strcmp(links[i].peer, "130000") == 0)
            assert_string_equal(links[i].head.log, "130000.10");
    close_pair();
}

static void a_node_that_others_have_outrun_seals_its_log_and_opens_another(bool pg)
{
    question q;
    char log[TH_LOG_TEXT];
    open_pair(pg);
    ask(&q, &a, "name");
    carry(&a, &b, NULL, NULL);
    th_head ahead = forged(&r.members[1], "120000.1", 500, 1, BENCH_NOW_US); /* b's own log, longer than b has it */
    gossip(&ahead, 1);
    th_journal_log(th_exchange_journal(b.ex), log);
    assert_string_equal(log, "120000.2");
    assert_int_equal(alarms("own-log-behind"), 1);
    gossip(&ahead, 1); /* an older generation now */
    th_journal_log(th_exchange_journal(b.ex), log);
    assert_string_equal(log, "120000.2");
    /* Restored to before a generation that peers have seen: the next one is beyond it. */
    th_head later = forged(&r.members[1], "120000.7", 3, 1, BENCH_NOW_US);
    gossip(&later, 1);
    th_journal_log(th_exchange_journal(b.ex), log);
    assert_string_equal(log, "120000.8");
    ask(&q, &a, "name");
    carry(&a, &b, NULL, NULL);
    assert_int_equal(q.ask.status, TH_OK);
    close_pair();
}

static void gossip_reaches_third_members_and_consistency_is_asked(bool pg)
{
    question q;
    th_head head;
    open_pair(pg);
    for (int i = 0; i < 6; i++) {
        ask(&q, &a, "name");
        carry(&a, &b, NULL, NULL);
        pass(11 * TH_SECOND_US);
        th_exchange_tick(a.ex);
        th_exchange_tick(b.ex);
        while (carry(&a, &b, NULL, NULL) || carry(&b, &a, NULL, NULL)) {
        }
    }
    /* a holds b's newest head, and b's proofs that it continues the older ones were asked for and held. */
    th_link_state links[4];
    size_t n = th_exchange_links(a.ex, links, 4);
    assert_true(th_journal_head_now(th_exchange_journal(b.ex), &head));
    for (size_t i = 0; i < n; i++)
        if (strcmp(links[i].peer, "120000") == 0)
            assert_true(links[i].head.size > 1 && links[i].head.size <= head.size);
    assert_int_equal(bench_count(a.b.store, "SELECT COUNT(*) FROM exchange_alarm"), 0);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_alarm"), 0);
    th_str *entries;
    size_t count, asked = 0;
    entries_of(&a, &entries, &count);
    for (size_t i = 0; i < count; i++)
        asked += th_str_is(th_json_str(bench_json(&a.b.arena, entries[i]), "direction"), "asked");
    assert_true(asked > 6); /* the consistency questions are journaled like any other */
    close_pair();
}

/* ---- retention ---- */

static void bodies_go_when_their_time_is_over_and_proofs_stay(bool pg)
{
    question q;
    th_db *db;
    open_pair(pg);
    ask(&q, &a, "name");
    carry(&a, &b, NULL, NULL);
    pass((TH_BODY_DAYS + 1) * TH_DAY_US);
    for (int i = 0; i < 3; i++) {
        pass(61 * TH_SECOND_US);
        th_exchange_tick(b.ex);
        node_settle(&b);
    }
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_batch WHERE request IS NOT NULL"), 0);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_seen"), 0);
    uint64_t entries;
    th_trust *trust = th_exchange_trust(b.ex);
    MUST(th_store_acquire(b.b.store, &db, &error), &error);
    MUST(th_journal_check(db, TH_STR("120000.1"), trust, &entries, &error), &error);
    th_store_release(b.b.store, db);
    assert_true(entries >= 2);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_access"), 1); /* who looked stays to be seen */
    th_trust_release(trust);
    close_pair();
}

/* ---- the pieces of the wire ---- */

static void the_batch_header_has_one_spelling(void **state)
{
    th_arena arena;
    th_str header;
    th_envelope read, e = {.from = "110000", .to = "120000", .n = 7, .sequence = 42, .suite = TH_SUITE_SM2};
    (void)state;
    th_arena_open(&arena, 1 << 20);
    memset(e.root.b, 9, 32);
    MUST(th_envelope_write(&e, &arena, &header), NULL);
    MUST(th_envelope_read(header, &read, &error), &error);
    assert_memory_equal(&read, &e, sizeof e);
    for (size_t i = 0; i < header.n; i++) { /* any letter left out or doubled makes it no header */
        th_str shorter = th_strf(&arena, "%.*s%.*s", (int)i, header.p, (int)(header.n - i - 1), header.p + i + 1);
        th_envelope other;
        if (th_envelope_read(shorter, &other, NULL) == TH_OK && memcmp(&other, &e, sizeof e) == 0)
            fail_msg("%.*s reads the same", TH_FMT(shorter));
    }
    static const char *const bad[] = {"", "v=1", "v=2, from=\"110000\", to=\"120000\", n=7, root=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, seq=42, suite=\"sm2-sm3\"",
                                      "v=1, from=\"110000\", to=\"120000\", n=0, root=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, seq=42, suite=\"sm2-sm3\"",
                                      "v=1, from=\"110000\", to=\"120000\", n=1001, root=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, seq=42, suite=\"sm2-sm3\"",
                                      "v=1, from=\"110000\", to=\"120000\", n=7, root=:AAAA:, seq=42, suite=\"sm2-sm3\"",
                                      "v=1, from=\"110000\", to=\"120000\", n=7, root=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, seq=-1, suite=\"sm2-sm3\"",
                                      "v=1, from=\"110000\", to=\"120000\", n=7, root=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, seq=42, suite=\"rsa\"",
                                      "v=1, from=\"110000\", to=\"120000\", n=7, root=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, seq=42, suite=\"sm2-sm3\", x=1"};
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        REFUSED(th_envelope_read(th_str_of(bad[i]), &read, &error), &error, TH_INVALID, "batch-header");
    assert_int_equal(th_envelope_read((th_str){NULL, 0}, &read, NULL), TH_INVALID);
    th_arena_close(&arena);
}

static void lines_end_with_their_line_end(void **state)
{
    static const struct { const char *body; th_status status; size_t n; } cases[] = {
        {"", TH_OK, 0}, {"a\n", TH_OK, 1}, {"a\nb\n", TH_OK, 2}, {"\n\n", TH_OK, 2}, {"a", TH_INVALID, 0}, {"a\nb", TH_INVALID, 0}, {"1\n2\n3\n4\n", TH_TOO_LARGE, 0}};
    th_arena arena;
    th_str *lines;
    size_t n;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        n = 99;
        assert_int_equal(th_lines_split(th_str_of(cases[i].body), 3, &arena, &lines, &n, NULL), cases[i].status);
        if (!cases[i].status)
            assert_int_equal(n, cases[i].n);
    }
    th_arena_close(&arena);
}

static void a_peers_problem_is_read_back(void **state)
{
    th_arena arena;
    th_buf buf;
    th_error sent = {.retry_after_s = 7}, read;
    (void)state;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 10000);
    th_fail_field(&sent, "/a", "type", "须为文字", "Must be text");
    th_problem_write(&buf, &sent, "en", (th_str){NULL, 0});
    assert_int_equal(th_problem_read(th_buf_view(&buf), 400, &arena, &read), TH_INVALID);
    assert_string_equal(read.type, "invalid-request");
    assert_string_equal(read.zh, sent.zh);
    assert_string_equal(read.fields[0].pointer, "/a");
    assert_string_equal(read.fields[0].zh, "须为文字");
    assert_int_equal(read.retry_after_s, 7);
    assert_int_equal(th_problem_read(TH_STR("<html>"), 502, &arena, &read), TH_UNAVAILABLE);
    assert_string_equal(read.type, "peer-problem");
    assert_int_equal(th_problem_read((th_str){NULL, 0}, 200, &arena, &read), TH_INVALID);
    assert_int_equal(th_status_of_http(200), TH_OK);
    assert_int_equal(th_status_of_http(409), TH_CONFLICT);
    assert_int_equal(th_status_of_http(418), TH_INVALID);
    assert_int_equal(th_status_of_http(599), TH_UNAVAILABLE);
    assert_int_equal(th_status_of_http(301), TH_UNAVAILABLE);
    th_arena_close(&arena);
}

ON_BOTH(an_answered_ask_is_journaled_on_both_sides_and_its_receipt_holds)
ON_SQLITE(asks_gather_into_batches_of_one_signature)
ON_SQLITE(a_refused_ask_hears_it_at_once_or_among_others_by_done)
ON_BOTH(an_id_answered_once_is_answered_the_same_again)
ON_SQLITE(an_ask_ends_at_its_deadline)
ON_SQLITE(an_answer_over_the_limit_is_a_problem_of_its_line)
ON_SQLITE(a_batch_that_is_not_whole_and_its_senders_acts_on_nothing)
ON_BOTH(one_bad_line_alone_gets_its_problem)
ON_BOTH(one_id_is_one_message)
ON_SQLITE(limits_of_a_batch_are_exact)
ON_SQLITE(an_answer_is_believed_only_as_far_as_it_is_proved)
ON_SQLITE(a_trailer_that_proves_something_else_proves_nothing)
ON_BOTH(an_effect_arrives_once_and_in_order_whatever_is_lost)
ON_SQLITE(a_restarted_sender_goes_on_with_what_it_had_not_delivered)
ON_BOTH(a_refusal_for_good_holds_back_its_subject_and_is_shown)
ON_BOTH(a_refusal_for_now_is_tried_again_until_it_holds)
ON_SQLITE(clocks_that_differ_too_much_refuse_and_mend)
ON_SQLITE(effects_go_to_members_only)
ON_SQLITE(suspension_and_expiry_stop_exchange_and_say_so)
ON_BOTH(trust_and_grants_survive_a_restart_and_reload)
ON_SQLITE(a_grants_rate_bounds_the_work_and_refills)
ON_BOTH(a_consent_taken_back_ends_what_it_allowed)
ON_BOTH(the_citizen_sees_each_look_with_a_receipt_that_holds)
ON_BOTH(two_histories_of_one_log_are_an_alarm)
ON_SQLITE(a_log_that_shrinks_is_an_alarm_and_an_old_head_is_only_late)
ON_SQLITE(a_newer_generation_is_known_by_its_number)
ON_SQLITE(a_node_that_others_have_outrun_seals_its_log_and_opens_another)
ON_SQLITE(gossip_reaches_third_members_and_consistency_is_asked)
ON_BOTH(bodies_go_when_their_time_is_over_and_proofs_stay)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_answered_ask_is_journaled_on_both_sides_and_its_receipt_holds),
        ONE(asks_gather_into_batches_of_one_signature),
        ONE(a_refused_ask_hears_it_at_once_or_among_others_by_done),
        BOTH(an_id_answered_once_is_answered_the_same_again),
        ONE(an_ask_ends_at_its_deadline),
        ONE(an_answer_over_the_limit_is_a_problem_of_its_line),
        ONE(a_batch_that_is_not_whole_and_its_senders_acts_on_nothing),
        BOTH(one_bad_line_alone_gets_its_problem),
        BOTH(one_id_is_one_message),
        ONE(limits_of_a_batch_are_exact),
        ONE(an_answer_is_believed_only_as_far_as_it_is_proved),
        ONE(a_trailer_that_proves_something_else_proves_nothing),
        BOTH(an_effect_arrives_once_and_in_order_whatever_is_lost),
        ONE(a_restarted_sender_goes_on_with_what_it_had_not_delivered),
        BOTH(a_refusal_for_good_holds_back_its_subject_and_is_shown),
        BOTH(a_refusal_for_now_is_tried_again_until_it_holds),
        ONE(clocks_that_differ_too_much_refuse_and_mend),
        ONE(effects_go_to_members_only),
        ONE(suspension_and_expiry_stop_exchange_and_say_so),
        BOTH(trust_and_grants_survive_a_restart_and_reload),
        ONE(a_grants_rate_bounds_the_work_and_refills),
        BOTH(a_consent_taken_back_ends_what_it_allowed),
        BOTH(the_citizen_sees_each_look_with_a_receipt_that_holds),
        BOTH(two_histories_of_one_log_are_an_alarm),
        ONE(a_log_that_shrinks_is_an_alarm_and_an_old_head_is_only_late),
        ONE(a_newer_generation_is_known_by_its_number),
        ONE(a_node_that_others_have_outrun_seals_its_log_and_opens_another),
        ONE(gossip_reaches_third_members_and_consistency_is_asked),
        BOTH(bodies_go_when_their_time_is_over_and_proofs_stay),
        cmocka_unit_test(the_batch_header_has_one_spelling),
        cmocka_unit_test(lines_end_with_their_line_end),
        cmocka_unit_test(a_peers_problem_is_read_back),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
