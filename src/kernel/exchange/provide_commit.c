/* provide_commit.c — the writer's half of a provider: stored answers, effects, journal, access log; then the signed answer. */
#include "provide-private.h"

#include <stdlib.h>
#include <string.h>

/* ---- answer lines ---- */

static th_status answer_line(const char *id, const th_answer *answer, th_arena *arena, th_str *ret_line)
{
    th_buf buf;
    th_buf_open(&buf, arena, TH_ANSWER_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", id);
    th_pen_kint(&pen, "status", th_status_http(answer->status));
    if (answer->status == TH_OK) {
        th_pen_kraw(&pen, "body", answer->body.n ? answer->body : TH_STR("{}"));
    } else {
        static const th_error unsaid = {.type = "failed", .zh = "处理失败", .en = "Processing failed"};
        th_error error = answer->error ? *answer->error : unsaid;
        error.status = answer->status;
        th_pen_key(&pen, "problem");
        th_problem_write(&buf, &error, "zh", (th_str){NULL, 0});
    }
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    *ret_line = th_buf_view(&buf);
    return TH_OK;
}

static th_status problem_line(const char *id, th_status status, const char *type, const char *zh, const char *en, th_arena *arena,
                              th_str *ret_line)
{
    th_error error = {0};
    th_answer answer = {.status = th_fail(&error, status, type, zh, en), .error = &error};
    return answer_line(id, &answer, arena, ret_line);
}

/* ---- stored answers ---- */

static th_status stored_answer(th_batch_in *b, th_db *db, th_served *s, th_error *error)
{
    const th_value *row;
    th_arena *arena = &b->incoming->arena;
    /* The same bytes under the suite of today, nearly always; a sender may have changed from one to the other since. */
    if (!th_hash_eq(&s->seen->known_leaf, &s->message.leaf) && !th_leaf_is_of(&s->seen->known_leaf, s->message.line))
        return problem_line(s->message.id, TH_CONFLICT, "replayed", "同一编号曾用于不同内容的报文",
                            "This id was used before with other bytes", arena, &s->final_line);
    th_value key = th_v_blob(s->seen->batch, TH_ID_BYTES);
    th_status status = th_db_one(db, "SELECT answer FROM exchange_batch WHERE id = ?1", &key, 1, arena, &row, error);
    if (status == TH_NOT_FOUND || (!status && !row[0].s.n))
        return problem_line(s->message.id, TH_CONFLICT, "answer-erased", "该报文已答复，答复已按期删除",
                            "This message was answered; the answer has been erased since", arena, &s->final_line);
    th_str rest = {NULL, 0}, line = {NULL, 0};
    if (!status)
        status = th_body_open(b->ex, "answer", (th_str){(const char *)s->seen->batch, TH_ID_BYTES}, row[0].s, arena, &rest, error);
    if (status)
        return status;
    for (unsigned k = 0; k <= s->seen->line; k++)
        if (!th_str_cut(&rest, '\n', &line))
            return th_fail(error, TH_CORRUPT, "stored-answer", "存储的答复不完整", "The stored answer is incomplete");
    s->final_line = line;
    return TH_OK;
}

/* Which ids were answered before? */
static th_status seen_look_up(th_batch_in *b, th_db *db, th_error *error)
{
    th_id *ids = th_alloc_array(&b->incoming->arena, b->n, sizeof *ids);
    size_t n = 0;
    if (!ids)
        return TH_NO_MEMORY;
    for (size_t i = 0; i < b->n; i++) {
        th_served *s = &b->served[i];
        s->seen = NULL;
        if (!s->message.id[0])
            continue;
        memcpy(ids[n].bytes, s->id_bytes, TH_ID_BYTES);
        ids[n++].ctx = s;
    }
    th_status status = n ? th_ids_look(db, TH_IDS_SEEN, th_str_of(b->envelope.from), ids, n, error) : TH_OK;
    for (size_t i = 0; !status && i < n; i++)
        if (ids[i].known)
            ((th_served *)ids[i].ctx)->seen = &ids[i];
    return status;
}

/* ---- effects ---- */

/* An effect that cannot be taken now must not be overtaken by a later one: whatever follows in the batch waits with it. */
static th_status effect_wait(th_batch_in *b, th_served *s, th_error *error)
{
    (void)error;
    s->passes = true;
    return problem_line(s->message.id, TH_UNAVAILABLE, "waits-for-earlier", "同批中较早的事务暂时未能处理，请依次重发",
                        "An earlier effect of this batch could not be taken now; send them again in order", &b->incoming->arena, &s->final_line);
}

static th_status effect_run(th_batch_in *b, th_db *db, th_served *s, th_error *error)
{
    th_arena *arena = &b->incoming->arena;
    th_answer answer = {.body = TH_STR("{}")};
    th_error refusal = {0};
    bool is_new = true;
    th_status outcome = s->message.sequence > 0 ? th_inbox_admit(db, &s->message, b->at_us, &is_new, error) : TH_OK;
    if (outcome)
        return outcome;
    if (is_new)
        outcome = s->type->apply(s->type->ctx, db, &s->message, arena, &answer, &refusal);
    if (outcome && th_db_failed(db)) {
        if (error)
            *error = refusal;
        return outcome;
    }
    if (outcome && !refusal.status)
        th_fail(&refusal, outcome, "failed", "处理失败", "Processing failed");
    s->acted = outcome == TH_OK && is_new && !answer.quiet;
    if (s->acted) { /* what came here about a person stands in her list like what was looked at */
        memcpy(s->subject, answer.subject, sizeof s->subject);
        s->answer.reg = answer.reg;
        s->answer.fields = answer.fields;
    }
    s->passes = outcome && th_refusal_passes(&refusal);
    answer.status = outcome;
    answer.error = &refusal;
    b->effects_wait = b->effects_wait || s->passes;
    th_status status = answer_line(s->message.id, &answer, arena, &s->final_line);
    if (!status && outcome)
        status = th_db_exec(db, "ROLLBACK TO SAVEPOINT effect", NULL, 0, NULL, error);
    /* Refused for good: it stands in the inbox like one that was taken, and never comes again. */
    if (!status && outcome && !s->passes && s->message.sequence > 0)
        status = th_inbox_admit(db, &s->message, b->at_us, &is_new, error);
    return status;
}

static th_status effect_apply(th_batch_in *b, th_db *db, th_served *s, th_error *error)
{
    if (b->effects_wait && s->message.sequence > 0)
        return effect_wait(b, s, error);
    th_status status = th_db_exec(db, "SAVEPOINT effect", NULL, 0, NULL, error);
    if (!status)
        status = effect_run(b, db, s, error);
    if (!status)
        status = th_db_exec(db, "RELEASE SAVEPOINT effect", NULL, 0, NULL, error);
    return status;
}

static th_status consent_still_given(th_batch_in *b, th_db *db, th_served *s, bool *ret_given, th_error *error)
{
    const th_value *row;
    *ret_given = true;
    if (!s->consent_id[0])
        return TH_OK;
    th_value key = th_v_text(th_str_of(s->consent_id));
    th_status status = th_db_one(db, "SELECT at FROM exchange_revoked WHERE id = ?1", &key, 1, &b->incoming->arena, &row, error);
    if (status == TH_NOT_FOUND)
        return TH_OK;
    *ret_given = false;
    return status;
}

static th_status line_finish(th_batch_in *b, th_db *db, th_served *s, th_error *error)
{
    bool given;
    s->acted = false;
    s->passes = s->answer.status && s->answer.error && th_refusal_passes(s->answer.error);
    s->stored = s->seen != NULL;
    memcpy(s->subject, s->answer.subject, sizeof s->subject);
    if (s->stored) {
        s->passes = false;
        s->subject[0] = 0;
        return stored_answer(b, db, s, error);
    }
    th_status status = consent_still_given(b, db, s, &given, error);
    if (status)
        return status;
    if (!given) {
        s->subject[0] = 0;
        return problem_line(s->message.id, TH_FORBIDDEN, "consent-revoked", "本人已撤回同意", "The person has withdrawn consent",
                            &b->incoming->arena, &s->final_line);
    }
    if (s->answer.status == TH_OK && s->type->apply && !s->type->read)
        return effect_apply(b, db, s, error);
    status = answer_line(s->message.id, &s->answer, &b->incoming->arena, &s->final_line);
    if (status == TH_TOO_LARGE) {
        s->subject[0] = 0;
        status = problem_line(s->message.id, TH_TOO_LARGE, "answer-too-long", "答复超过 64 KiB，请缩小查询范围",
                              "The answer is longer than 64 KiB; ask for less", &b->incoming->arena, &s->final_line);
    }
    return status;
}

/* ---- journal and tables ---- */

static th_status entry_stage(th_batch_in *b, th_served *s, th_frontier *ret_frontier, th_error *error)
{
    th_buf buf;
    th_entry entry = {
        .index = th_journal_next(b->ex->journal),
        .at_us = b->at_us,
        .direction = TH_STR("answered"),
        .peer = th_str_of(b->envelope.from),
        .id = th_str_of(s->message.id),
        .leaf = s->message.leaf,
        .answer = th_merkle_leaf(b->envelope.suite, s->final_line),
        .item = s->message.item,
        .case_id = s->message.case_id,
        .grant = s->message.grant,
    };
    th_private_hash(b->ex, "answered", s->message.id, th_str_of(s->subject), (th_str){NULL, 0}, &s->private_hash);
    entry.private_hash = s->private_hash;
    th_buf_open(&buf, &b->incoming->arena, TH_ENTRY_MAX);
    th_entry_write(&buf, &entry);
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "entry-too-long", "日志条目过长", "The journal entry is too long");
    return th_journal_stage(b->ex->journal, th_buf_view(&buf), ret_frontier, error);
}

static th_status seen_rows(th_batch_in *b, th_db *db, th_error *error)
{
    size_t n = 0;
    th_id *ids = th_alloc_array(&b->incoming->arena, b->n, sizeof *ids);
    if (!ids)
        return TH_NO_MEMORY;
    for (size_t i = 0; i < b->n; i++) {
        const th_served *s = &b->served[i];
        bool twice = s->answer.error && strcmp(s->answer.error->type, "duplicate-id") == 0;
        if (s->stored || s->passes || !s->message.id[0] || twice)
            continue;
        memcpy(ids[n].bytes, s->id_bytes, TH_ID_BYTES);
        ids[n].leaf = &s->message.leaf;
        ids[n++].line = (uint16_t)i;
    }
    return th_ids_put(db, TH_IDS_SEEN, th_str_of(b->envelope.from), b->batch_bytes, ids, n, &b->incoming->arena, error);
}

static th_status batch_rows(th_batch_in *b, th_db *db, th_error *error)
{
    th_buf buf;
    char log[TH_LOG_TEXT];
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += b->served[i].final_line.n + 1;
    th_buf_open(&buf, &b->incoming->arena, n + 1);
    for (size_t i = 0; i < b->n; i++) {
        th_buf_str(&buf, b->served[i].final_line);
        th_buf_char(&buf, '\n');
    }
    if (!th_buf_ok(&buf))
        return TH_NO_MEMORY;
    th_journal_log(b->ex->journal, log);
    th_str request = b->incoming->request.body;
    th_value row[] = {th_v_blob(b->batch_bytes, TH_ID_BYTES), th_v_text(th_str_of(b->envelope.from)), th_v_text(TH_STR("in")),
                      th_v_int(b->at_us), th_v_text(th_str_of(log)), th_v_int((int64_t)b->first), th_v_null(), th_v_null()};
    th_str batch = {(const char *)b->batch_bytes, TH_ID_BYTES};
    th_status status = th_body_seal(b->ex, "request", batch, request, &b->incoming->arena, &row[6], error);
    if (!status)
        status = th_body_seal(b->ex, "answer", batch, th_buf_view(&buf), &b->incoming->arena, &row[7], error);
    if (!status)
        status = th_db_exec(db,
                            "INSERT INTO exchange_batch (id, peer, direction, at, log, first, request, answer) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                            row, TH_COUNT(row), NULL, error);
    return status ? status : seen_rows(b, db, error);
}

/* A batch that acted on nothing still leaves its trace: the digest of what came, and why it was refused. */
static th_status refusal_stage(th_batch_in *b, th_error *error)
{
    th_buf buf;
    th_entry entry = {
        .index = th_journal_next(b->ex->journal),
        .at_us = b->at_us,
        .direction = TH_STR("refused"),
        .peer = th_str_of(b->envelope.from),
        .id = th_str_of(b->batch_id),
        .leaf = th_merkle_leaf(th_key_suite(b->ex->journal_key), b->incoming->request.body),
        .answer = th_merkle_leaf(th_key_suite(b->ex->journal_key), th_str_of(b->error.type)),
    };
    th_buf_open(&buf, &b->incoming->arena, TH_ENTRY_MAX);
    th_entry_write(&buf, &entry);
    return th_buf_ok(&buf) ? th_journal_stage(b->ex->journal, th_buf_view(&buf), NULL, error) : TH_TOO_LARGE;
}

th_status th_batch_in_apply(th_change *change, th_db *db, th_error *error)
{
    th_batch_in *b = change->ctx;
    b->at_us = th_journal_batch_time(b->ex->journal);
    if (b->status)
        return refusal_stage(b, error);
    b->first = th_journal_next(b->ex->journal);
    b->effects_wait = false;
    th_status status = seen_look_up(b, db, error);
    for (size_t i = 0; !status && i < b->n; i++)
        status = line_finish(b, db, &b->served[i], error);
    for (size_t i = 0; !status && i < b->n; i++)
        status = entry_stage(b, &b->served[i], i == 0 ? &b->left : NULL, error);
    if (!status)
        status = th_access_put(b, db, error);
    if (!status)
        status = batch_rows(b, db, error);
    if (status)
        th_journal_unstage(b->ex->journal, b->first);
    return status;
}

/* ---- the answer ---- */

static void hash_list(th_pen *pen, const char *key, const th_hash *hashes, size_t n)
{
    th_pen_key(pen, key);
    th_pen_array(pen);
    for (size_t i = 0; i < n; i++)
        th_pen_base64url(pen, hashes[i].b, TH_HASH_SIZE);
    th_pen_end(pen, ']');
}

static void trailer_write(const th_batch_in *b, th_buf *buf)
{
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "journal");
    th_pen_object(&pen);
    th_pen_ktext(&pen, "log", b->head.log);
    th_pen_kint(&pen, "first", (int64_t)b->first);
    th_pen_ktime(&pen, "at", b->at_us);
    th_pen_key(&pen, "private");
    th_pen_array(&pen);
    for (size_t i = 0; i < b->n; i++)
        th_pen_base64url(&pen, b->served[i].private_hash.b, TH_HASH_SIZE);
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "range");
    th_pen_object(&pen);
    hash_list(&pen, "left", b->left.peaks, (size_t)th_frontier_count(&b->left));
    hash_list(&pen, "right", b->right, b->right_n);
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "head");
    th_head_write(&pen, &b->head);
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    th_buf_char(buf, '\n');
}

static void answer_problem(th_incoming *incoming, const th_error *error, th_status status)
{
    th_buf buf;
    th_error e = *error;
    e.status = status;
    th_buf_open(&buf, &incoming->arena, 16384);
    th_problem_write(&buf, &e, "zh", (th_str){NULL, 0});
    incoming->answer = (th_wire){.status = th_status_http(status),
                                 .content_type = TH_STR("application/problem+json"),
                                 .body = th_buf_view(&buf)};
}

void th_incoming_finish(th_exchange *ex, th_incoming *incoming)
{
    th_batch_in *b = incoming->priv;
    th_error no_memory = {.type = "no-memory", .zh = "内存不足", .en = "Out of memory"};
    if (!b) {
        answer_problem(incoming, &no_memory, TH_BUSY);
        return;
    }
    th_trust_release(b->trust);
    b->trust = NULL;
    if (b->status) {
        answer_problem(incoming, &b->error, b->status);
        return;
    }
    th_buf buf;
    size_t bytes = 64 * 1024;
    for (size_t i = 0; i < b->n; i++)
        bytes += b->served[i].final_line.n + 64;
    th_buf_open(&buf, &incoming->arena, bytes);
    for (size_t i = 0; i < b->n; i++) {
        th_buf_str(&buf, b->served[i].final_line);
        th_buf_char(&buf, '\n');
    }
    trailer_write(b, &buf);
    incoming->answer = (th_wire){.status = 200, .body = th_buf_view(&buf)};
    th_status status = th_buf_ok(&buf) ? th_wire_sign_answer(&incoming->answer, &incoming->request, ex->message_key, &ex->env,
                                                             &incoming->arena)
                                       : TH_TOO_LARGE;
    if (status)
        answer_problem(incoming, &no_memory, TH_IO);
}
