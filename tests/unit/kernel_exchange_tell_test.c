/* exchange.h's promises between whole exchanges: telling, trust and consent in force, heads that must not fork. */
#include "pair.h"

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

/* The same line has another hash then: neither an answer given before nor a receipt may depend on the key of today. */
static void a_key_of_another_suite_changes_no_answer_and_no_receipt(bool pg)
{
    question q;
    int http;
    const th_value *row;
    th_receipt receipt;
    th_entry entry;
    th_db *db;
    open_pair(pg);
    ask(&q, &a, "name");
    carry(&a, &b, NULL, NULL);
    assert_int_equal(q.ask.status, TH_OK);
    const char *id = fresh_id(), *line = line_of("{\"id\":\"%s\"," GOOD "}", id), *other = line_of("{\"id\":\"%s\", " GOOD "}", id);
    th_str before = post(&a, &b, &line, 1, &http)[0];
    answer_is(before, 200, NULL);
    th_key *old = r.members[0].message;
    r.members[0].suite = TH_SUITE_SM2;
    MUST(th_key_make(TH_SUITE_SM2, &r.members[0].message), NULL);
    apply_both(&(terms){.version = 2}, 7);
    node_reopen(&a);
    types_add(&a);
    th_key_close(old);
    TEXT(post(&a, &b, &line, 1, &http)[0], th_str_keep(&r.arena, before).p);
    answer_is(post(&a, &b, &other, 1, &http)[0], 409, "replayed");
    MUST(th_store_acquire(a.b.store, &db, &error), &error);
    MUST(th_db_one(db, "SELECT request, answer, proof, id FROM exchange_batch WHERE direction = 'out' ORDER BY at LIMIT 1", NULL, 0, &a.b.arena, &row,
                   &error), &error);
    th_str request, answered;
    assert_true(row[0].s.p[0] != '{' && row[1].s.p[0] != '{'); /* sealed, each to its place */
    MUST(th_body_open(a.ex, "request", row[3].s, row[0].s, &a.b.arena, &request, &error), &error);
    MUST(th_body_open(a.ex, "answer", row[3].s, row[1].s, &a.b.arena, &answered, &error), &error);
    REFUSED(th_body_open(a.ex, "answer", row[3].s, row[0].s, &a.b.arena, &answered, &error), &error, TH_UNPROCESSABLE, "body-not-opened");
    MUST(th_body_open(a.ex, "answer", row[3].s, row[1].s, &a.b.arena, &answered, &error), &error);
    MUST(th_receipt_cut(a.ex, request, answered, row[2].s, 0, &a.b.arena, &receipt), NULL);
    th_store_release(a.b.store, db);
    th_trust *trust = th_exchange_trust(a.ex);
    MUST(th_receipt_check(&receipt, trust, &error), &error);
    th_trust_release(trust);
    MUST(th_entry_read(receipt.entry, &a.b.arena, &entry, &error), &error);
    TEXT(entry.id, q.ask.id);
    close_pair();
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
    th_db *db; /* that the list was read is to be seen as well, once a page */
    th_look *read;
    size_t reads = 0;
    char person[TH_SUBJECT_TEXT];
    th_access_from newest = {.before_us = INT64_MAX};
    th_people_subject(b.secret, TH_STR("110101199003070011"), person);
    MUST(th_store_acquire(b.b.store, &db, &error), &error);
    MUST(th_access_of(b.ex, db, person, &newest, 3, &b.b.arena, &read, &reads, &error), &error);
    th_store_release(b.b.store, db);
    assert_int_equal(reads, 3);
    for (size_t i = 0; i < reads; i++) {
        TEXT(read[i].reg, "access-log");
        TEXT(read[i].operation, "looks");
        TEXT(read[i].consumer, "110000");
        TEXT(read[i].basis, "consent");
    }
    /* A token of a quarter of an hour ago is none, however long it says it lives. */
    for (int late = 0; late < 2; late++) {
        question_make(&look, &a, "name");
        look.ask.type = TH_STR("looks");
        look.ask.item = TH_STR("citizen-view");
        look.ask.case_id = (th_str){NULL, 0};
        look.ask.consent = consent_for(&a, "120000", "access-log", looks_field, "citizen-view", "110101199003070011");
        look.ask.body = TH_STR("{\"id_number\":\"110101199003070011\"}");
        pass(15 * TH_MINUTE_US + late);
        MUST(th_exchange_ask(a.ex, &look.ask, 1, &error), &error);
        carry(&a, &b, NULL, NULL);
        assert_int_equal(look.ask.status, late ? TH_FORBIDDEN : TH_OK);
    }
    assert_string_equal(look.ask.error.type, "consent-expired");
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
    assert_int_equal(looks_of(&b, "110101199003070011"), 1); /* who looked stays to be seen */
    th_trust_release(trust);
    close_pair();
}

ON_BOTH(an_effect_arrives_once_and_in_order_whatever_is_lost)
ON_SQLITE(a_restarted_sender_goes_on_with_what_it_had_not_delivered)
ON_BOTH(a_refusal_for_good_holds_back_its_subject_and_is_shown)
ON_BOTH(a_refusal_for_now_is_tried_again_until_it_holds)
ON_SQLITE(clocks_that_differ_too_much_refuse_and_mend)
ON_SQLITE(effects_go_to_members_only)
ON_SQLITE(a_key_of_another_suite_changes_no_answer_and_no_receipt)
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
        BOTH(an_effect_arrives_once_and_in_order_whatever_is_lost),
        ONE(a_restarted_sender_goes_on_with_what_it_had_not_delivered),
        BOTH(a_refusal_for_good_holds_back_its_subject_and_is_shown),
        BOTH(a_refusal_for_now_is_tried_again_until_it_holds),
        ONE(clocks_that_differ_too_much_refuse_and_mend),
        ONE(effects_go_to_members_only),
        ONE(a_key_of_another_suite_changes_no_answer_and_no_receipt),
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
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
