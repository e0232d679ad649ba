/* answered.c — a provider's answer: believed only as far as it is proved; then journaled here and handed to those who asked. */
#include "ask-private.h"

#include <string.h>

static th_status broken(th_error *error, const char *zh, const char *en)
{
    th_fail(error, TH_UNAVAILABLE, "answer-invalid", zh, en);
    if (error)
        error->http = 502;
    return TH_UNAVAILABLE;
}

static bool hash_read(const th_json *value, th_hash *ret)
{
    return value && value->type == TH_JSON_STRING && th_unbase64url_to(value->text, ret->b, TH_HASH_SIZE);
}

static bool hashes_read(const th_json *array, size_t max, th_arena *arena, th_hash **ret, size_t *ret_n)
{
    if (!array || array->type != TH_JSON_ARRAY || array->count > max)
        return false;
    th_hash *all = th_alloc_array(arena, array->count + 1, sizeof *all);
    size_t n = 0;
    for (const th_json *v = th_json_first(array); all && v; v = th_json_next(array, v))
        if (!hash_read(v, &all[n++]))
            return false;
    *ret = all;
    *ret_n = n;
    return all != NULL;
}

/* ---- the trailer: entries rebuilt, root recomputed, head checked ---- */

th_status th_trailer_read(th_str line, size_t n, th_arena *arena, th_trailer *ret_trailer, th_error *error)
{
    const th_json *root;
    th_trailer t = {0};
    if (th_json_parse(line, arena, &root, NULL))
        return broken(error, "答复尾行不是合法的 JSON", "The trailer is not valid JSON");
    const th_json *j = th_json_get(root, "journal"), *range = th_json_get(j, "range");
    th_str log = th_json_str(j, "log");
    t.first = th_json_int(j, "first", -1);
    bool ok = t.first >= 0 && th_time_parse(th_json_str(j, "at"), &t.at_us) &&
              hashes_read(th_json_get(j, "private"), n, arena, &t.private_hashes, &t.private_n) && t.private_n == n &&
              hashes_read(th_json_get(range, "left"), TH_MERKLE_DEPTH, arena, &t.left, &t.left_n) &&
              hashes_read(th_json_get(range, "right"), TH_MERKLE_DEPTH, arena, &t.right, &t.right_n);
    if (!ok || th_head_read(th_json_get(j, "head"), &t.head, NULL) || !th_str_is(log, t.head.log))
        return broken(error, "答复尾行缺少日志证明", "The trailer lacks the journal's proof");
    *ret_trailer = t;
    return TH_OK;
}

/* Entries as the provider must have written them, in `entries` but for what the trailer tells; then up to the signed root. */
th_status th_trailer_prove(const th_trailer *t, th_entry *entries, size_t n, th_arena *arena, th_receipt **ret_receipts,
                           th_error *error)
{
    th_hash *leaves = th_alloc_array(arena, n, sizeof *leaves), root, *paths;
    th_receipt *receipts = th_alloc_array(arena, n, sizeof *receipts);
    uint8_t *lengths;
    th_buf buf;
    if (!leaves || !receipts)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (size_t i = 0; i < n; i++) {
        entries[i].index = (uint64_t)t->first + i;
        entries[i].at_us = t->at_us;
        entries[i].direction = TH_STR("answered");
        entries[i].private_hash = t->private_hashes[i];
        th_buf_open(&buf, arena, TH_ENTRY_MAX);
        th_entry_write(&buf, &entries[i]);
        receipts[i] = (th_receipt){.entry = th_buf_view(&buf), .index = entries[i].index, .head = t->head};
        leaves[i] = th_merkle_leaf(t->head.suite, receipts[i].entry);
    }
    th_status status = th_merkle_range(t->head.suite, (uint64_t)t->first, leaves, n, t->head.size, t->left, t->left_n, t->right,
                                       t->right_n, arena, &root, &paths, &lengths);
    if (status || !th_hash_eq(&root, &t->head.root))
        return broken(error, "答复的日志证明不成立", "The answer's proof of its journal does not hold");
    for (size_t i = 0; i < n; i++) {
        receipts[i].path = paths + i * (size_t)th_merkle_levels(t->head.size);
        receipts[i].path_n = lengths[i];
    }
    *ret_receipts = receipts;
    return TH_OK;
}

static th_status proof_check(th_batch_out *b, th_str line, th_error *error)
{
    th_trailer t;
    char member[TH_CODE_TEXT];
    th_status status = th_trailer_read(line, b->n, &b->arena, &t, error);
    if (!status)
        status = th_head_check(&t.head, b->trust, error);
    if (status)
        return status;
    if (!th_log_member(th_str_of(t.head.log), member) || strcmp(member, b->outgoing.peer) != 0)
        return broken(error, "日志头不属于该节点", "The tree head is of another node's log");
    th_entry *entries = th_alloc_array(&b->arena, b->n, sizeof *entries);
    if (!entries)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    for (size_t i = 0; i < b->n; i++) {
        const th_item *item = b->items[i];
        entries[i] = (th_entry){.peer = th_str_of(b->ex->code),
                                .id = th_str_of(item->id),
                                .leaf = b->leaves[i],
                                .answer = b->answers[i],
                                .item = item->item,
                                .case_id = item->case_id,
                                .grant = item->grant};
    }
    b->head = t.head;
    return th_trailer_prove(&t, entries, b->n, &b->arena, &b->receipts, error);
}

/* Entries of lines that were sent under `suite`. */
static th_status entries_read(const th_exchange *ex, th_suite suite, const th_str *lines, const th_str *answers, size_t n, th_arena *arena,
                              th_entry *entries)
{
    for (size_t i = 0; i < n; i++) {
        th_message m;
        th_status status = th_message_read(lines[i], arena, &m, NULL);
        if (status)
            return status;
        entries[i] = (th_entry){.peer = th_str_of(ex->code),
                                .id = th_str_keep(arena, th_str_of(m.id)),
                                .leaf = th_merkle_leaf(suite, lines[i]),
                                .answer = th_merkle_leaf(suite, answers[i]),
                                .item = m.item,
                                .case_id = m.case_id,
                                .grant = m.grant};
    }
    return TH_OK;
}

/* Later, from what is stored of the batch: the receipt of one of its lines. The batch may have been sent with a key of another suite than
 * today's; which one it was is the one whose hashes the provider's head proves. */
th_status th_receipt_cut(th_exchange *ex, th_str request, th_str answer, th_str trailer, size_t line, th_arena *arena,
                         th_receipt *ret_receipt)
{
    static const th_suite suites[] = {TH_SUITE_ED25519, TH_SUITE_SM2};
    th_str *lines, *answers;
    size_t n, answer_n;
    th_trailer t;
    th_receipt *receipts;
    th_status status = th_lines_split(request, TH_BATCH_LINES_MAX, arena, &lines, &n, NULL);
    if (!status)
        status = th_lines_split(answer, TH_BATCH_LINES_MAX, arena, &answers, &answer_n, NULL);
    if (!status && (n != answer_n || line >= n))
        status = TH_CORRUPT;
    if (!status)
        status = th_trailer_read(trailer, n, arena, &t, NULL);
    th_entry *entries = status ? NULL : th_alloc_array(arena, n, sizeof *entries);
    if (!entries)
        return status ? status : TH_NO_MEMORY;
    for (size_t i = 0; i < TH_COUNT(suites); i++) {
        status = entries_read(ex, suites[i], lines, answers, n, arena, entries);
        if (!status)
            status = th_trailer_prove(&t, entries, n, arena, &receipts, NULL);
        if (!status) {
            *ret_receipt = receipts[line];
            return TH_OK;
        }
    }
    return status;
}

/* ---- lines ---- */

static th_status line_read(th_batch_out *b, size_t i)
{
    const th_json *root = NULL;
    bool json = th_json_parse(b->answer_lines[i], &b->arena, &root, NULL) == TH_OK;
    int http = (int)th_json_int(root, "status", 0);
    const th_json *body = th_json_get(root, "body"), *problem = th_json_get(root, "problem");
    bool ours = json && th_str_is(th_json_str(root, "id"), b->items[i]->id);
    if (ours && http == 200 && body && body->type == TH_JSON_OBJECT) {
        b->bodies[i] = body->raw;
        return TH_OK;
    }
    th_error *e = b->errors[i] = th_alloc(&b->arena, sizeof *e);
    if (!e)
        return TH_NO_MEMORY;
    if (!json)
        broken(e, "对方的答复不是合法的 JSON", "The peer's answer is not valid JSON");
    else if (!ours)
        broken(e, "答复的编号与请求不符", "The answer's id is not the request's");
    else
        TH_IGNORE(th_problem_read(problem ? problem->raw : (th_str){NULL, 0}, http, &b->arena, e));
    return TH_OK;
}

/* Not an answer: a node of the region says why in its own form; what else may speak in its place (a proxy whose node restarts) asks for
 * another try with a 5xx; the rest is not of the protocol. */
static th_status refusal_read(th_batch_out *b, const th_wire *answer, th_error *error)
{
    static const char type[] = "application/problem+json";
    if (th_str_starts(answer->content_type, type)) {
        th_status status = th_problem_read(answer->body, answer->status, &b->arena, error);
        if (strcmp(error->type, "peer-problem") != 0)
            return status;
    }
    if (answer->status >= 502 && answer->status <= 504)
        return th_failf(error, TH_UNAVAILABLE, "peer-unavailable", "对方节点暂不可用（%d）", "The peer is not available (%d)", answer->status);
    return broken(error, "对方的答复不是本协议的有效答复", "The peer's answer is no valid answer of the protocol");
}

th_status th_answer_check(th_batch_out *b, const th_wire *answer, th_error *error)
{
    th_suite suite;
    size_t n;
    if (answer->status != 200)
        return refusal_read(b, answer, error);
    th_status status = th_wire_check_answer(answer, &b->outgoing.wire, b->trust, b->outgoing.peer, th_now_us(&b->ex->env),
                                            &b->arena, &suite, error);
    if (!status)
        status = th_lines_split(answer->body, TH_BATCH_LINES_MAX + 1, &b->arena, &b->answer_lines, &n, error);
    if (status) /* whatever it is that does not hold: the peer's answer is no answer */
        return status == TH_NO_MEMORY ? status : broken(error, "对方的答复不是本协议的有效答复", "The peer's answer is no valid answer of the protocol");
    if (n != b->n + 1)
        return broken(error, "答复行数与请求不符", "The number of answers differs from the number of messages");
    b->answers = th_alloc_array(&b->arena, b->n, sizeof *b->answers);
    b->errors = th_alloc_array(&b->arena, b->n, sizeof *b->errors);
    b->bodies = th_alloc_array(&b->arena, b->n, sizeof *b->bodies);
    if (!b->answers || !b->errors || !b->bodies)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    /* The answer leaf is hashed with the batch's suite, as the provider does. */
    for (size_t i = 0; i < b->n; i++)
        b->answers[i] = th_merkle_leaf(b->envelope.suite, b->answer_lines[i]);
    status = proof_check(b, b->answer_lines[b->n], error);
    if (status)
        return status == TH_NO_MEMORY ? status : broken(error, "对方答复的日志证明不成立", "The proof in the peer's answer does not hold");
    b->proof = b->answer_lines[b->n];
    b->answer_body = (th_str){answer->body.p, answer->body.n - b->proof.n - 1};
    for (size_t i = 0; !status && i < b->n; i++)
        status = line_read(b, i);
    return status;
}

/* ---- our own journal ---- */

static th_status entry_stage(th_batch_out *b, size_t i, int64_t at_us, th_error *error)
{
    th_item *item = b->items[i];
    const char *direction = item->ask || item->orphan ? "asked" : "sent";
    th_buf buf;
    th_entry entry = {
        .index = th_journal_next(b->ex->journal),
        .at_us = at_us,
        .direction = th_str_of(direction),
        .peer = th_str_of(b->outgoing.peer),
        .id = th_str_of(item->id),
        .leaf = b->leaves[i],
        .answer = b->answers[i],
        .item = item->item,
        .case_id = item->case_id,
        .grant = item->grant,
    };
    th_private_hash(b->ex, direction, item->id, th_str_of(item->subject), item->operator_account, &entry.private_hash);
    th_buf_open(&buf, &b->arena, TH_ENTRY_MAX);
    th_entry_write(&buf, &entry);
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "entry-too-long", "日志条目过长", "The journal entry is too long");
    return th_journal_stage(b->ex->journal, th_buf_view(&buf), NULL, error);
}

static th_status outbox_rows(th_batch_out *b, th_db *db, int64_t now, th_error *error)
{
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < b->n; i++) {
        int64_t seq = b->items[i]->outbox_seq;
        const th_error *e = b->errors[i];
        if (!seq)
            continue;
        if (!e || !th_refusal_passes(e))
            status = th_outbox_settle(db, b->outgoing.peer, seq, e, now, error);
        else
            status = th_outbox_retry(b->ex, db, b->outgoing.peer, b->items[i], now, error);
    }
    return status;
}

static th_status answered_apply(th_change *change, th_db *db, th_error *error)
{
    th_batch_out *b = change->ctx;
    int64_t at = th_journal_batch_time(b->ex->journal);
    uint64_t first = th_journal_next(b->ex->journal);
    char log[TH_LOG_TEXT];
    uint8_t id[TH_ID_BYTES];
    th_status status = TH_OK;
    th_id *ids = th_alloc_array(&b->arena, b->n, sizeof *ids);
    if (!ids)
        return TH_NO_MEMORY;
    TH_ASSERT(th_uuid_bytes(th_str_of(b->batch_id), id));
    for (size_t i = 0; !status && i < b->n; i++) {
        status = entry_stage(b, i, at, error);
        TH_ASSERT(th_uuid_bytes(th_str_of(b->items[i]->id), ids[i].bytes));
        ids[i].line = (uint16_t)i;
    }
    th_journal_log(b->ex->journal, log);
    th_str request = b->outgoing.wire.body;
    th_value row[] = {th_v_blob(id, TH_ID_BYTES), th_v_text(th_str_of(b->outgoing.peer)), th_v_text(TH_STR("out")),
                      th_v_int(at), th_v_text(th_str_of(log)), th_v_int((int64_t)first), th_v_text(b->proof),
                      th_v_null(), th_v_null()};
    th_str batch = {(const char *)id, TH_ID_BYTES};
    if (!status)
        status = th_body_seal(b->ex, "request", batch, request, &b->arena, &row[7], error);
    if (!status)
        status = th_body_seal(b->ex, "answer", batch, b->answer_body, &b->arena, &row[8], error);
    if (!status)
        status = th_db_exec(db,
                            "INSERT INTO exchange_batch (id, peer, direction, at, log, first, proof, request, answer) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                            row, TH_COUNT(row), NULL, error);
    if (!status)
        status = th_ids_put(db, TH_IDS_SENT, TH_STR(""), id, ids, b->n, &b->arena, error);
    if (!status && b->has_outbox)
        status = outbox_rows(b, db, at, error);
    if (status)
        th_journal_unstage(b->ex->journal, first);
    return status;
}

static void item_hand_over(th_batch_out *b, size_t i)
{
    th_item *item = b->items[i];
    th_ask *ask = item->ask;
    th_buf buf;
    if (!ask)
        return;
    th_buf_open(&buf, item->arena, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_receipt_write(&pen, &b->receipts[i]);
    ask->receipt = th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
    if (!b->errors[i]) {
        ask->answer = th_str_keep(item->arena, b->bodies[i]);
        th_item_done(item, ask->answer.p && ask->receipt.p ? TH_OK : TH_NO_MEMORY, NULL);
    } else {
        th_item_done(item, b->errors[i]->status, b->errors[i]);
    }
}

static void notify_batch(th_batch_out *b)
{
    th_arena arena;
    size_t failed = 0;
    if (!b->ex->watcher)
        return;
    for (size_t i = 0; i < b->n; i++)
        failed += b->errors[i] != NULL;
    th_arena_open(&arena, 4096);
    th_str json = th_strf(&arena, "{\"from\":\"%s\",\"to\":\"%s\",\"type\":\"%s\",\"count\":%zu,\"failed\":%zu,\"us\":%lld}",
                          b->ex->code, b->outgoing.peer, b->only_gossip ? "heads" : b->has_outbox ? "effect" : "ask", b->n, failed,
                          (long long)(th_now_us(&b->ex->env) - b->sent_us));
    th_exchange_notify(b->ex, "message", json);
    th_arena_close(&arena);
}

/* Asks are gone once they were told: nothing of `items` is looked at after that. */
static void answered_reply(th_change *change, th_status status, const th_error *error)
{
    th_batch_out *b = change->ctx;
    th_exchange *ex = b->ex;
    char peer[TH_CODE_TEXT];
    memcpy(peer, b->outgoing.peer, sizeof peer);
    th_error e = {0};
    if (status) {
        if (error)
            e = *error;
        if (!e.status)
            th_fail(&e, status, "store-failed", "本节点无法记录答复", "This node could not record the answer");
    }
    th_peer_settle(b, true, NULL);
    for (size_t i = 0; i < b->n; i++) {
        if (status && b->items[i]->ask)
            th_item_done(b->items[i], status, &e);
        else if (!status)
            item_hand_over(b, i);
    }
    if (!status && b->has_news)
        th_gossip_news(ex, peer);
    if (!status)
        notify_batch(b);
    bool again = b->has_outbox;
    if (again) {
        pthread_mutex_lock(&ex->lock);
        th_peer *p = th_peer_find(ex, th_str_of(peer));
        if (p)
            p->outbox_waits = true;
        pthread_mutex_unlock(&ex->lock);
    }
    th_batch_out_close(b);
    th_peer_wake(ex, peer);
}

void th_exchange_answered(th_exchange *ex, th_outgoing *outgoing, const th_wire *answer)
{
    th_batch_out *b = outgoing->priv;
    th_error error = {0};
    th_status status = th_answer_check(b, answer, &error);
    if (status) {
        /* A refused batch: asks that another try cannot help hear it now; the rest waits for a better moment. */
        th_log(TH_LOG_WARN, "batch-failed", "peer", b->outgoing.peer, "type", error.type, NULL);
        if (strcmp(error.type, "answer-invalid") == 0)
            th_asks_end(b, status, &error);
        th_exchange_failed(ex, outgoing, status, &error);
        return;
    }
    th_gossip_saw(ex, &b->head, b->outgoing.peer, true);
    th_peer_answered(b);
    b->change = (th_change){.apply = answered_apply, .reply = answered_reply, .ctx = b};
    /* The answer's bytes belong to the carrier and go when this returns. */
    th_str kept = th_str_keep(&b->arena, b->answer_body), proof = th_str_keep(&b->arena, b->proof);
    for (size_t i = 0; i < b->n; i++)
        if (b->bodies[i].p)
            b->bodies[i].p = kept.p + (b->bodies[i].p - b->answer_body.p);
    b->answer_body = kept;
    b->proof = proof;
    if (!kept.p || !proof.p || th_writer_submit(ex->writer, &b->change)) {
        th_fail(&error, TH_BUSY, "writer-busy", "本节点繁忙，请稍后再试", "This node is busy; try again shortly");
        th_exchange_failed(ex, outgoing, TH_BUSY, &error);
    }
}
