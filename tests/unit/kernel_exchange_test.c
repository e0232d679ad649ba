/* exchange.h's promises between whole exchanges, the wire carried by hand: asking, answering, and refusing what is not whole. */
#include "pair.h"

#include "platform/crypto/httpsig.h"

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
    assert_int_equal(looks_of(&b, "110101199003070011"), 1);
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
    assert_int_equal(looks_of(&b, "110101199003070011"), 1); /* one look, not two */
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
    assert_int_equal(looks_of(&b, "110101199003070011"), 1); /* nothing was told about that one */
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
    assert_int_equal(looks_of(&b, "110101199003070011"), 2);
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
        cmocka_unit_test(the_batch_header_has_one_spelling),
        cmocka_unit_test(lines_end_with_their_line_end),
        cmocka_unit_test(a_peers_problem_is_read_back),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
