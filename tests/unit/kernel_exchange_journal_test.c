/* journal.h's and receipt.h's promises, on both stores. */
#include "region.h"

#include "journal-private.h"

static region r;
static th_error error;

typedef struct log_bench { bench b; th_journal *journal; th_writer *writer; const member *me; } log_bench;

static void hook_begin(void *ctx, th_db *db)
{
    (void)db;
    th_journal_begin(((log_bench *)ctx)->journal);
}

static th_status hook_seal(void *ctx, th_db *db, th_error *why)
{
    return th_journal_seal(((log_bench *)ctx)->journal, db, why);
}

static void hook_settled(void *ctx, th_status status)
{
    th_journal_settled(((log_bench *)ctx)->journal, status);
}

static void log_reopen(log_bench *l)
{
    MUST(th_journal_open(l->b.store, l->me->code, l->me->journal, &l->b.env, &l->journal, &error), &error);
    th_writer_hooks hooks = {hook_begin, hook_seal, hook_settled, l};
    MUST(th_writer_open(l->b.store, &hooks, false, 0, &l->writer, &error), &error);
}

static void log_open(log_bench *l, bool pg, size_t i)
{
    region_open(&r, 2);
    *l = (log_bench){.me = &r.members[i]};
    bench_open(&l->b, pg);
    MUST(th_store_migrate(l->b.store, "journal", th_journal_schema(), &error), &error);
    log_reopen(l);
}

static void log_shut(log_bench *l)
{
    th_writer_close(l->writer);
    th_journal_close(l->journal);
}

static void log_close(log_bench *l)
{
    log_shut(l);
    bench_close(&l->b);
    region_close(&r);
}

/* One change that stages `n` entries; `fail_at` ≥ 0 makes it fail after so many and take them back. */
typedef struct adding { th_change change; log_bench *l; int n, fail_at; uint64_t first; th_frontier left; th_status outcome; bool renews; int64_t seen; } adding;

static th_status adding_apply(th_change *change, th_db *db, th_error *why)
{
    adding *a = change->ctx;
    th_journal *j = a->l->journal;
    a->first = th_journal_next(j);
    if (a->renews)
        return th_journal_renew(j, db, a->seen, why);
    int64_t at = th_journal_batch_time(j);
    th_status status = TH_OK;
    for (int i = 0; !status && i < a->n; i++) {
        th_buf buf;
        th_arena arena;
        th_arena_open(&arena, 8192);
        th_buf_open(&buf, &arena, TH_ENTRY_MAX);
        th_entry entry = {.index = th_journal_next(j), .at_us = at, .direction = TH_STR("note"), .peer = TH_STR("110000")};
        th_entry_write(&buf, &entry);
        status = th_journal_stage(j, th_buf_view(&buf), i == 0 ? &a->left : NULL, why);
        th_arena_close(&arena);
        if (!status && i + 1 == a->fail_at)
            status = th_fail(why, TH_UNPROCESSABLE, "wanted", "要失败", "Wanted to fail");
    }
    if (status)
        th_journal_unstage(j, a->first);
    return status;
}

static void adding_reply(th_change *change, th_status status, const th_error *why)
{
    (void)why;
    ((adding *)change->ctx)->outcome = status;
}

static void add_submit(log_bench *l, adding *a, int n, int fail_at)
{
    *a = (adding){.l = l, .n = n, .fail_at = fail_at};
    a->change = (th_change){.apply = adding_apply, .reply = adding_reply, .ctx = a};
    MUST(th_writer_submit(l->writer, &a->change), NULL);
}

static void add(log_bench *l, int n)
{
    adding a;
    l->b.clock.now_us += TH_SECOND_US;
    add_submit(l, &a, n, 0);
    th_writer_step(l->writer);
    assert_int_equal(a.outcome, TH_OK);
}

static th_head head_of(log_bench *l)
{
    th_head head;
    assert_true(th_journal_head_now(l->journal, &head));
    return head;
}

static th_db *reader(log_bench *l)
{
    th_db *db;
    MUST(th_store_acquire(l->b.store, &db, &error), &error);
    return db;
}

/* ---- appending and proving ---- */

static void every_entry_is_proved_under_every_later_head(bool pg)
{
    static const int pieces[] = {1, 1, 3, 7, 250, 1, 260, 5};
    log_bench l;
    th_head heads[TH_COUNT(pieces)];
    th_hash path[2 * TH_MERKLE_DEPTH];
    size_t n;
    log_open(&l, pg, 1);
    th_head none;
    assert_false(th_journal_head_now(l.journal, &none));
    for (size_t i = 0; i < TH_COUNT(pieces); i++) {
        add(&l, pieces[i]);
        heads[i] = head_of(&l);
        if (i == 3) { /* and a restart between changes nothing */
            log_shut(&l);
            log_reopen(&l);
        }
    }
    assert_int_equal(heads[TH_COUNT(pieces) - 1].size, 528);
    th_trust *trust = region_trust(&r);
    th_db *db = reader(&l);
    for (size_t k = 0; k < TH_COUNT(pieces); k++) {
        MUST(th_head_check(&heads[k], trust, &error), &error);
        for (uint64_t i = 0; i < heads[k].size; i += 1 + i / 8) {
            th_str entry;
            MUST(th_journal_entry(db, th_str_of(heads[k].log), i, &l.b.arena, &entry, &error), &error);
            MUST(th_journal_inclusion(db, &heads[k], i, path, &n, &error), &error);
            th_receipt receipt = {.entry = entry, .index = i, .path = path, .path_n = n, .head = heads[k]};
            MUST(th_receipt_check(&receipt, trust, &error), &error);
            receipt.index ^= 1;
            assert_int_not_equal(th_receipt_check(&receipt, trust, NULL), TH_OK);
        }
        for (size_t m = 0; m <= k; m++) {
            MUST(th_journal_consistency(db, th_str_of(heads[k].log), heads[m].size, heads[k].size, path, &n, &error), &error);
            assert_int_equal(th_merkle_check_consistency(heads[k].suite, heads[m].size, &heads[m].root, heads[k].size, &heads[k].root, path, n), TH_OK);
        }
    }
    uint64_t entries;
    MUST(th_journal_check(db, TH_STR("120000.1"), trust, &entries, &error), &error);
    assert_int_equal(entries, 528);
    th_str *lines;
    MUST(th_journal_entries(db, TH_STR("120000.1"), 260, 10, &l.b.arena, &lines, &n, &error), &error); /* over a segment's border */
    assert_int_equal(n, 10);
    for (size_t i = 0; i < n; i++) {
        th_entry entry;
        MUST(th_entry_read(lines[i], &l.b.arena, &entry, &error), &error);
        assert_int_equal(entry.index, 260 + i);
    }
    MUST(th_journal_entries(db, TH_STR("120000.1"), 520, 100, &l.b.arena, &lines, &n, &error), &error);
    assert_int_equal(n, 8);
    th_str entry;
    REFUSED(th_journal_entry(db, TH_STR("120000.1"), 528, &l.b.arena, &entry, &error), &error, TH_NOT_FOUND, "no-entry");
    assert_int_equal(th_journal_inclusion(db, &heads[0], 1, path, &n, NULL), TH_INVALID);
    assert_int_not_equal(th_journal_consistency(db, TH_STR("120000.1"), 5, 1000, path, &n, NULL), TH_OK);
    assert_int_equal(th_journal_head_last(db, TH_STR("999999.1"), &none, NULL), TH_NOT_FOUND);
    th_store_release(l.b.store, db);
    th_trust_release(trust);
    log_close(&l);
}

static void a_failing_change_takes_its_entries_back_alone(bool pg)
{
    log_bench l;
    adding good, bad, more, staged_out;
    log_open(&l, pg, 0);
    add_submit(&l, &good, 300, 0);
    add_submit(&l, &bad, 40, 20);
    add_submit(&l, &more, 2, 0);
    add_submit(&l, &staged_out, 3, 1);
    th_writer_step(l.writer);
    assert_int_equal(good.outcome, TH_OK);
    assert_int_equal(bad.outcome, TH_UNPROCESSABLE);
    assert_int_equal(more.outcome, TH_OK);
    assert_int_equal(staged_out.outcome, TH_UNPROCESSABLE);
    assert_int_equal(more.first, 300);
    assert_int_equal(head_of(&l).size, 302);
    /* The range proof of a change in the middle of the batch, from its left side and the right that settled keeps. */
    th_hash right[TH_MERKLE_DEPTH], root, leaves[2];
    size_t right_n;
    th_str entry;
    th_db *db = reader(&l);
    MUST(th_journal_right(l.journal, 300, 302, right, &right_n), NULL);
    for (uint64_t i = 0; i < 2; i++) {
        MUST(th_journal_entry(db, TH_STR("110000.1"), 300 + i, &l.b.arena, &entry, &error), &error);
        leaves[i] = th_merkle_leaf(TH_SUITE_ED25519, entry);
    }
    assert_int_equal(th_merkle_range(TH_SUITE_ED25519, 300, leaves, 2, 302, more.left.peaks, (size_t)th_frontier_count(&more.left), right, right_n, &l.b.arena, &root, NULL, NULL), TH_OK);
    th_head head = head_of(&l);
    assert_true(th_hash_eq(&root, &head.root));
    uint64_t entries;
    MUST(th_journal_check(db, TH_STR("110000.1"), NULL, &entries, &error), &error);
    assert_int_equal(entries, 302);
    th_store_release(l.b.store, db);
    log_close(&l);
}

static void what_was_not_committed_is_forgotten(bool pg)
{
    log_bench l;
    log_open(&l, pg, 0);
    add(&l, 5);
    th_head before = head_of(&l);
    th_journal_begin(l.journal);
    MUST(th_journal_stage(l.journal, TH_STR("{\"index\":5}"), NULL, &error), &error);
    th_journal_settled(l.journal, TH_IO); /* the commit failed */
    th_head after = head_of(&l);
    assert_memory_equal(&before, &after, sizeof before);
    add(&l, 1);
    assert_int_equal(head_of(&l).size, 6);
    log_close(&l);
}

static void entries_are_bounded_single_lines(bool pg)
{
    log_bench l;
    char big[TH_ENTRY_MAX + 2];
    log_open(&l, pg, 0);
    memset(big, 'x', sizeof big);
    th_journal_begin(l.journal);
    REFUSED(th_journal_stage(l.journal, (th_str){big, TH_ENTRY_MAX + 1}, NULL, &error), &error, TH_INVALID, "entry-malformed");
    REFUSED(th_journal_stage(l.journal, TH_STR("a\nb"), NULL, &error), &error, TH_INVALID, "entry-malformed");
    MUST(th_journal_stage(l.journal, (th_str){big, TH_ENTRY_MAX}, NULL, &error), &error);
    assert_int_equal(th_journal_next(l.journal), 1);
    log_close(&l);
}

static void batch_times_ascend_even_when_the_clock_steps_back(bool pg)
{
    log_bench l;
    int64_t last = 0;
    log_open(&l, pg, 0);
    for (int i = 0; i < 5; i++) {
        l.b.clock.now_us -= 60 * TH_SECOND_US;
        add(&l, 1);
        assert_true(head_of(&l).at_us > last);
        last = head_of(&l).at_us;
    }
    log_shut(&l);
    log_reopen(&l);
    add(&l, 1);
    assert_true(head_of(&l).at_us > last);
    log_close(&l);
}

/* ---- damage ---- */

/* One statement behind the journal's back. */
static th_status damage_apply(th_change *change, th_db *db, th_error *why)
{
    return th_db_exec(db, change->ctx, NULL, 0, NULL, why);
}

static void damage(log_bench *l, const char *sql)
{
    th_writer *w;
    th_change change = {.apply = damage_apply, .ctx = (void *)(uintptr_t)sql};
    th_writer_close(l->writer);
    MUST(th_writer_open(l->b.store, NULL, false, 0, &w, &error), &error);
    MUST(th_writer_run(w, &change, &error), &error);
    th_writer_close(w);
}

static void every_kind_of_damage_is_found(bool pg)
{
    static const struct { const char *sql; const char *what; } damages[] = {
        {"UPDATE journal_segment SET n = n - 1 WHERE first = 0", "an entry left out of the count"},
        {"DELETE FROM journal_segment WHERE first = 3", "a missing segment"},
        {"UPDATE journal_head SET size = size + 1 WHERE size = 6", "a head of another size"},
        {"DELETE FROM journal_head WHERE size = 6", "the last head gone"},
        {"UPDATE journal_segment SET leaves = (SELECT leaves FROM journal_segment WHERE first = 0) WHERE first = 3", "foreign hashes"},
        {"UPDATE journal_segment SET bytes = (SELECT bytes FROM journal_segment WHERE first = 0) WHERE first = 3", "foreign entries"},
        {"UPDATE journal_head SET root = (SELECT root FROM journal_head WHERE size = 3) WHERE size = 6", "a root that is not the tree's"},
    };
    for (size_t i = 0; i < TH_COUNT(damages); i++) {
        log_bench l;
        uint64_t entries;
        log_open(&l, pg, 0);
        add(&l, 3);
        add(&l, 3);
        damage(&l, damages[i].sql);
        th_db *db = reader(&l);
        memset(&error, 0, sizeof error);
        th_status status = th_journal_check(db, TH_STR("110000.1"), NULL, &entries, &error);
        if (status != TH_CORRUPT || !bench_holds(th_str_of(error.en), "Entry "))
            fail_msg("%s: %s %s", damages[i].what, th_status_name(status), error.en);
        th_store_release(l.b.store, db);
        th_journal_close(l.journal);
        bench_close(&l.b);
        region_close(&r);
    }
}

static void a_log_that_contradicts_its_head_is_not_continued(bool pg)
{
    log_bench l;
    th_journal *again;
    log_open(&l, pg, 0);
    add(&l, 3);
    add(&l, 2);
    damage(&l, "UPDATE journal_head SET root = (SELECT root FROM journal_head WHERE size = 3) WHERE size = 5");
    REFUSED(th_journal_open(l.b.store, "110000", r.members[0].journal, &l.b.env, &again, &error), &error, TH_CORRUPT, "journal-corrupt");
    REFUSED(th_journal_open(l.b.store, "110000", r.members[1].journal, &l.b.env, &again, &error), &error, TH_CONFLICT, "journal-suite");
    th_journal_close(l.journal);
    bench_close(&l.b);
    region_close(&r);
}

/* ---- a new generation ---- */

static void renew(log_bench *l, int64_t seen, th_status want)
{
    adding a = {.l = l, .renews = true, .seen = seen};
    a.change = (th_change){.apply = adding_apply, .reply = adding_reply, .ctx = &a};
    MUST(th_writer_submit(l->writer, &a.change), NULL);
    th_writer_step(l->writer);
    assert_int_equal(a.outcome, want);
}

static void a_renewed_log_starts_empty_beyond_every_generation_seen(bool pg)
{
    log_bench l;
    char log[TH_LOG_TEXT];
    log_open(&l, pg, 0);
    add(&l, 4);
    renew(&l, 0, TH_OK);
    th_journal_log(l.journal, log);
    assert_string_equal(log, "110000.2");
    th_head head;
    assert_false(th_journal_head_now(l.journal, &head));
    assert_int_equal(th_journal_next(l.journal), 0);
    add(&l, 2);
    assert_string_equal(head_of(&l).log, "110000.2");
    renew(&l, 1795507200, TH_OK);
    add(&l, 1);
    assert_string_equal(head_of(&l).log, "110000.1795507201");
    log_shut(&l);
    log_reopen(&l); /* the newest generation is the one that goes on */
    add(&l, 1);
    assert_string_equal(head_of(&l).log, "110000.1795507201");
    assert_int_equal(head_of(&l).size, 2);
    th_db *db = reader(&l);
    uint64_t entries;
    MUST(th_journal_check(db, TH_STR("110000.1"), NULL, &entries, &error), &error);
    assert_int_equal(entries, 4); /* the old log ends as it stood */
    assert_int_equal(bench_count(l.b.store, "SELECT COUNT(*) FROM journal_log WHERE sealed_at IS NOT NULL"), 2);
    th_store_release(l.b.store, db);
    /* In one batch with other entries it has to come again: those belong under a head of the old log. */
    adding first, second = {.l = &l, .renews = true};
    add_submit(&l, &first, 1, 0);
    second.change = (th_change){.apply = adding_apply, .reply = adding_reply, .ctx = &second};
    MUST(th_writer_submit(l.writer, &second.change), NULL);
    th_writer_step(l.writer);
    assert_int_equal(first.outcome, TH_OK);
    assert_int_equal(second.outcome, TH_BUSY);
    log_close(&l);
}

/* ---- heads, entries and receipts as texts ---- */

static void log_ids_name_their_member_and_generation(void **state)
{
    static const char *const bad[] = {"", "110000", "110000.", "110000.0", "110000.01", "11000.1", "1100000.1", "11000x.1", "110000.-1", "110000.1x", "110000.99999999999"};
    char code[TH_CODE_TEXT];
    (void)state;
    assert_true(th_log_member(TH_STR("110000.7"), code));
    assert_string_equal(code, "110000");
    assert_int_equal(th_log_generation(TH_STR("110000.10")), 10);
    for (size_t i = 0; i < TH_COUNT(bad); i++) {
        assert_false(th_log_member(th_str_of(bad[i]), code));
        assert_int_equal(th_log_generation(th_str_of(bad[i])), 0);
    }
}

static th_head head_signed(size_t member_of, size_t signer, int64_t at, const char *log)
{
    th_head head = {.size = 7, .at_us = at};
    snprintf(head.log, sizeof head.log, "%s", log);
    memset(head.root.b, 7, sizeof head.root.b);
    (void)member_of;
    assert_int_equal(th_head_sign(&head, r.members[signer].journal), TH_OK);
    return head;
}

static void a_head_is_its_members_signature_at_its_time_or_nothing(void **state)
{
    th_arena arena;
    (void)state;
    region_open(&r, 2);
    th_arena_open(&arena, 1 << 20);
    th_trust *trust = region_trust(&r);
    th_head head = head_signed(0, 0, BENCH_NOW_US, "110000.1"), read;
    th_buf buf;
    th_buf_open(&buf, &arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_head_write(&pen, &head);
    MUST(th_head_read(bench_json(&arena, th_buf_view(&buf)), &read, &error), &error);
    assert_memory_equal(&read, &head, sizeof head);
    MUST(th_head_check(&read, trust, &error), &error);
#define CHANGED(change, type)                                                                                                              \
    read = head;                                                                                                                           \
    change;                                                                                                                                \
    REFUSED(th_head_check(&read, trust, &error), &error, TH_FORBIDDEN, type)
    CHANGED(read.size++, "head-signature");
    CHANGED(read.root.b[0] ^= 1, "head-signature");
    CHANGED(read.at_us++, "head-signature");
    CHANGED(read.signature[3] ^= 1, "head-signature");
    CHANGED(memcpy(read.log, "110000.2", 9), "head-signature");
    CHANGED(memcpy(read.log, "120000.1", 9), "unknown-key");
    CHANGED(memcpy(read.log, "310000.1", 9), "unknown-member");
    CHANGED(read.suite = TH_SUITE_SM2, "head-signature");
    CHANGED(read.at_us = BENCH_NOW_US - 300 * TH_DAY_US, "early-key");
    CHANGED(read.at_us = BENCH_NOW_US + 900 * TH_DAY_US, "expired-key");
#undef CHANGED
    read = head_signed(0, 1, BENCH_NOW_US, "110000.1");
    REFUSED(th_head_check(&read, trust, &error), &error, TH_FORBIDDEN, "unknown-key");
    memcpy(read.log, "nonsense", 9);
    REFUSED(th_head_check(&read, trust, &error), &error, TH_INVALID, "head-malformed");
    static const char *const bad[] = {"{}", "[]", "null", "{\"log\":\"110000.1\",\"size\":-1}", "{\"log\":\"110000.1\",\"size\":1,\"root\":\"AAAA\"}", "{\"log\":7}"};
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        REFUSED(th_head_read(bench_json(&arena, th_str_of(bad[i])), &read, &error), &error, TH_INVALID, "head-malformed");
    assert_int_equal(th_head_read(NULL, &read, NULL), TH_INVALID);
    th_trust_release(trust);
    th_arena_close(&arena);
    region_close(&r);
}

static void entries_read_back_and_empty_is_absent(void **state)
{
    th_arena arena;
    th_buf buf;
    th_entry read, entry = {.index = 9, .at_us = BENCH_NOW_US, .direction = TH_STR("answered"), .peer = TH_STR("130000"), .id = TH_STR("id"), .item = TH_STR(""), .grant = TH_STR("g\"1")};
    (void)state;
    memset(entry.leaf.b, 5, 32);
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, TH_ENTRY_MAX);
    th_entry_write(&buf, &entry);
    MUST(th_entry_read(th_buf_view(&buf), &arena, &read, &error), &error);
    assert_int_equal(read.index, 9);
    assert_true(read.at_us == BENCH_NOW_US);
    assert_memory_equal(read.leaf.b, entry.leaf.b, 32);
    assert_null(read.item.p); /* what both sides must write alike has one spelling */
    assert_null(read.case_id.p);
    TEXT(read.grant, "g\"1");
    static const char *const bad[] = {"", "{}", "{\"index\":1}", "{\"index\":-1,\"at\":\"2026-11-24T08:00:00Z\"}", "{\"index\":1,\"at\":\"x\"}", "{\"index\":1,\"at\":\"2026-11-24T08:00:00Z\",\"leaf\":\"AAAA\"}"};
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        assert_int_equal(th_entry_read(th_str_of(bad[i]), &arena, &read, NULL), TH_INVALID);
    th_arena_close(&arena);
}

static void a_receipt_survives_its_text_and_no_change_of_it(bool pg)
{
    log_bench l;
    th_buf buf;
    th_receipt receipt, read;
    th_hash path[TH_MERKLE_DEPTH];
    log_open(&l, pg, 0);
    add(&l, 13);
    th_head head = head_of(&l);
    th_db *db = reader(&l);
    receipt = (th_receipt){.index = 6, .path = path, .head = head};
    MUST(th_journal_entry(db, th_str_of(head.log), 6, &l.b.arena, &receipt.entry, &error), &error);
    MUST(th_journal_inclusion(db, &head, 6, path, &receipt.path_n, &error), &error);
    th_store_release(l.b.store, db);
    th_trust *trust = region_trust(&r);
    th_buf_open(&buf, &l.b.arena, 65536);
    th_pen pen = th_pen_on(&buf);
    th_receipt_write(&pen, &receipt);
    th_str text = th_buf_view(&buf);
    MUST(th_receipt_read(text, &l.b.arena, &read, &error), &error);
    MUST(th_receipt_check(&read, trust, &error), &error);
    int survived = 0;
    for (size_t i = 0; i < text.n; i++) { /* every byte of it matters, or the text is no receipt any more */
        char *changed = th_new_copy(text);
        changed[i] = changed[i] == '1' ? '2' : changed[i] == 'A' ? 'B' : changed[i] ^ 1;
        if (th_receipt_read((th_str){changed, text.n}, &l.b.arena, &read, NULL) == TH_OK && th_receipt_check(&read, trust, NULL) == TH_OK)
            survived++;
        th_free(changed);
    }
    assert_int_equal(survived, 0);
    static const struct { const char *text; th_status status; } bad[] = {
        {"{}", TH_INVALID}, {"[]", TH_INVALID}, {"{\"entry\":\"{}\",\"path\":[],\"head\":{}}", TH_INVALID}, {"{\"entry\":5,\"path\":[],\"head\":{}}", TH_INVALID},
        {"{\"entry\":\"x\",\"path\":{},\"head\":{}}", TH_INVALID}, {"x", TH_INVALID}};
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        assert_int_equal(th_receipt_read(th_str_of(bad[i].text), &l.b.arena, &read, NULL), bad[i].status);
    char *huge = th_new(70000);
    memset(huge, ' ', 70000);
    REFUSED(th_receipt_read((th_str){huge, 70000}, &l.b.arena, &read, &error), &error, TH_TOO_LARGE, "receipt-too-large");
    th_free(huge);
    th_trust_release(trust);
    log_close(&l);
}

ON_BOTH(every_entry_is_proved_under_every_later_head)
ON_BOTH(a_failing_change_takes_its_entries_back_alone)
ON_BOTH(what_was_not_committed_is_forgotten)
ON_BOTH(entries_are_bounded_single_lines)
ON_BOTH(batch_times_ascend_even_when_the_clock_steps_back)
ON_BOTH(every_kind_of_damage_is_found)
ON_BOTH(a_log_that_contradicts_its_head_is_not_continued)
ON_BOTH(a_renewed_log_starts_empty_beyond_every_generation_seen)
ON_BOTH(a_receipt_survives_its_text_and_no_change_of_it)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(every_entry_is_proved_under_every_later_head),
        BOTH(a_failing_change_takes_its_entries_back_alone),
        BOTH(what_was_not_committed_is_forgotten),
        BOTH(entries_are_bounded_single_lines),
        BOTH(batch_times_ascend_even_when_the_clock_steps_back),
        BOTH(every_kind_of_damage_is_found),
        BOTH(a_log_that_contradicts_its_head_is_not_continued),
        BOTH(a_renewed_log_starts_empty_beyond_every_generation_seen),
        cmocka_unit_test(log_ids_name_their_member_and_generation),
        cmocka_unit_test(a_head_is_its_members_signature_at_its_time_or_nothing),
        cmocka_unit_test(entries_read_back_and_empty_is_absent),
        BOTH(a_receipt_survives_its_text_and_no_change_of_it),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
