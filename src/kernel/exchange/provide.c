/* provide.c — a batch comes in: who sent it, is it whole, may each line be asked, and what the registers say.
 *
 * Everything here only reads. What it finds goes to the writer as one change (provide_commit.c); the answer is built afterwards on
 * whichever thread sends it. */
#include "provide-private.h"

#include <stdlib.h>
#include <string.h>

enum { HEARD_PAUSE_US = 500000 };

/* ---- the envelope ---- */

static th_status sender_check(th_batch_in *b, th_error *error)
{
    th_exchange *ex = b->ex;
    const th_wire *w = &b->incoming->request;
    const th_member *member = th_trust_member_by_pin(b->trust, th_str_of(w->pin));
    if (!member)
        return th_fail(error, TH_FORBIDDEN, "unknown-member", "这把 TLS 密钥不属于任何成员",
                       "This TLS key belongs to no member of the region");
    b->member_known = true;
    th_status status = th_envelope_read(w->batch, &b->envelope, error);
    if (status)
        return status;
    if (strcmp(b->envelope.from, member->code) != 0)
        return th_fail(error, TH_FORBIDDEN, "member-mismatch", "TLS 密钥与批次声明的发送方不是同一成员",
                       "The TLS key and the batch name different members");
    if (member->suspended)
        return th_fail(error, TH_FORBIDDEN, "suspended-member", "该成员已被区域暂停", "This member is suspended by the region");
    if (strcmp(b->envelope.to, ex->code) != 0)
        return th_fail(error, TH_FORBIDDEN, "wrong-receiver", "批次不是发给本节点的", "The batch is not addressed to this node");
    return TH_OK;
}

static th_status root_check(th_batch_in *b, th_suite suite, th_error *error)
{
    th_arena *arena = &b->incoming->arena;
    th_str body = b->incoming->request.body;
    if (body.n > TH_BATCH_BYTES_MAX)
        return th_fail(error, TH_TOO_LARGE, "batch-bytes", "批次超过 4 MiB", "The batch is larger than 4 MiB");
    th_status status = th_lines_split(body, TH_BATCH_LINES_MAX, arena, &b->lines, &b->n, error);
    if (status)
        return status;
    if ((int64_t)b->n != b->envelope.n)
        return th_fail(error, TH_INVALID, "batch-truncated", "行数与标头不符", "The number of lines differs from the header");
    if (b->envelope.suite != suite)
        return th_fail(error, TH_FORBIDDEN, "suite-mismatch", "标头的算法套件与签名密钥不符",
                       "The header's suite is not the suite of the signing key");
    th_hash *leaves = th_alloc_array(arena, b->n, sizeof *leaves);
    b->served = th_alloc_array(arena, b->n, sizeof *b->served);
    if (!leaves || !b->served)
        return th_fail(error, TH_TOO_LARGE, "batch-bytes", "批次过大", "The batch is too large");
    for (size_t i = 0; i < b->n; i++)
        leaves[i] = b->served[i].message.leaf = th_merkle_leaf(suite, b->lines[i]);
    th_hash root = th_merkle_root(suite, leaves, b->n);
    if (!th_hash_eq(&root, &b->envelope.root))
        return th_fail(error, TH_FORBIDDEN, "wrong-root", "批次根哈希与正文不符", "The batch's root does not fit its lines");
    return TH_OK;
}

/* `created` is in whole seconds: less than two of them say nothing about clocks. Who sends can be reached again, most likely: a link
 * that pauses after failures tries soon. */
static void peer_heard(th_batch_in *b, int64_t now, int64_t age)
{
    bool paused = false;
    pthread_mutex_lock(&b->ex->lock);
    th_peer *peer = th_peer_find(b->ex, th_str_of(b->envelope.from));
    if (peer) {
        int64_t soon = peer->state.last_error_us + HEARD_PAUSE_US;
        peer->state.skew_us = llabs(age) >= 2 * TH_SECOND_US ? age : 0;
        paused = peer->failures > 0 && peer->not_before_us > soon && now >= soon;
        if (paused)
            peer->not_before_us = peer->ask_after_us = now;
    }
    pthread_mutex_unlock(&b->ex->lock);
    if (paused)
        th_peer_wake(b->ex, b->envelope.from);
}

static th_status envelope_check(th_batch_in *b, th_error *error)
{
    th_suite suite;
    int64_t now = th_now_us(&b->ex->env), expires;
    th_status status = th_trust_live(b->trust, now, error);
    if (!status)
        status = sender_check(b, error);
    if (!status)
        status = th_wire_check_request(&b->incoming->request, b->trust, b->envelope.from, now, &b->incoming->arena,
                                       &b->created_us, &expires, &suite, error);
    if (!status)
        status = root_check(b, suite, error);
    if (status)
        return status;
    const th_member *self = th_trust_member(b->trust, th_str_of(b->ex->code));
    th_str target = self ? th_strf(&b->incoming->arena, "%.*s/exchange/v1/batch", TH_FMT(self->peer)) : (th_str){NULL, 0};
    if (!th_str_eq(target, b->incoming->request.target_uri))
        return th_fail(error, TH_FORBIDDEN, "wrong-target", "签名的目标地址不是本节点", "The signed target URI is not this node's");
    int64_t age = now - b->created_us;
    b->expires_us = expires;
    b->stale = age > TH_SKEW_PAST_S * TH_SECOND_US || age < -TH_SKEW_FUTURE_S * TH_SECOND_US || now > expires;
    peer_heard(b, now, age);
    return TH_OK;
}

/* A second's worth of messages gathers in the budget; a batch may overdraw it once. */
static th_status member_budget(th_batch_in *b, th_error *error)
{
    th_exchange *ex = b->ex;
    bool allowed = true;
    int64_t now = th_now_us(&ex->env);
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(b->envelope.from));
    if (peer) {
        int64_t past = now - peer->budget_at_us;
        if (past > TH_SECOND_US || past < 0)
            past = TH_SECOND_US;
        peer->budget += past * TH_MEMBER_BUDGET_PER_S / TH_SECOND_US;
        if (peer->budget > TH_MEMBER_BUDGET_PER_S)
            peer->budget = TH_MEMBER_BUDGET_PER_S;
        peer->budget_at_us = now;
        allowed = peer->budget > 0;
        if (allowed)
            peer->budget -= (int64_t)b->n;
    }
    pthread_mutex_unlock(&ex->lock);
    if (allowed)
        return TH_OK;
    if (error)
        error->retry_after_s = 1;
    return th_fail(error, TH_BUSY, "member-budget", "该成员每秒报文数超过限额", "This member sends more messages a second than allowed");
}

/* ---- one line ---- */

static void refuse(th_served *s, th_arena *arena, const th_error *error, th_status status)
{
    s->answer.status = status;
    s->answer.error = th_arena_room(arena, sizeof *s->answer.error);
    if (s->answer.error)
        *s->answer.error = *error;
}

static th_status consent_check(th_batch_in *b, th_served *s, const th_wanted *wanted, th_str id_number, th_error *error)
{
    th_consent consent;
    th_arena *arena = &b->incoming->arena;
    th_status status = th_consent_read(s->message.consent, b->trust, arena, &consent, error);
    if (status)
        return status;
    memcpy(s->consent_id, consent.id, sizeof s->consent_id);
    int64_t now = th_now_us(&b->ex->env);
    if (wanted->consent_age_us && now - consent.issued_us > wanted->consent_age_us)
        return th_fail(error, TH_FORBIDDEN, "consent-expired", "同意凭证已过期", "The consent has expired");
    return th_consent_check(&consent, th_str_of(b->envelope.from), th_str_of(b->ex->code), wanted->reg, wanted->fields,
                            wanted->field_count, s->message.item, s->message.case_id, id_number, now, error);
}

/* A minute's worth at most, refilled all the time. Slots are shared by hash: a collision only makes two grants share one budget. */
static th_status grant_budget(th_exchange *ex, const th_grant *grant, th_error *error)
{
    uint32_t h = 2166136261u;
    if (!grant->rate_per_minute)
        return TH_OK;
    for (size_t i = 0; i < grant->id.n; i++)
        h = (h ^ (unsigned char)grant->id.p[i]) * 16777619u;
    int64_t now = th_now_us(&ex->env);
    pthread_mutex_lock(&ex->lock);
    th_grant_budget *g = &ex->grant_budgets[h % TH_GRANT_BUDGETS];
    int64_t past = now - g->at_us;
    past = past < 0 || past > TH_MINUTE_US ? TH_MINUTE_US : past;
    g->credit += past * grant->rate_per_minute; /* in messages × microseconds of a minute */
    if (g->credit > grant->rate_per_minute * TH_MINUTE_US)
        g->credit = grant->rate_per_minute * TH_MINUTE_US;
    g->at_us = now;
    bool allowed = g->credit >= TH_MINUTE_US;
    if (allowed)
        g->credit -= TH_MINUTE_US;
    pthread_mutex_unlock(&ex->lock);
    if (allowed)
        return TH_OK;
    if (error)
        error->retry_after_s = 1;
    return th_failf(error, TH_BUSY, "grant-rate", "该授权每分钟限 %lld 次", "This grant allows %lld a minute", (long long)grant->rate_per_minute);
}

static th_status permission_check(th_batch_in *b, th_served *s, const th_grants *grants, th_error *error)
{
    th_wanted wanted = {0};
    th_str id_number = {NULL, 0};
    const th_message *m = &s->message;
    th_status status = s->type->wanted(s->type->ctx, m, &b->incoming->arena, &wanted, &id_number, error);
    if (status)
        return status;
    wanted.consumer_member = th_str_of(b->envelope.from);
    wanted.consumer_office = m->office;
    wanted.item = m->item;
    wanted.has_consent = m->consent.n > 0;
    if (th_str_is(m->type, "looks")) /* the person's own right: consent alone decides */
        return consent_check(b, s, &wanted, id_number, error);
    const th_grant *grant = th_grants_find(grants, m->grant);
    if (!grant)
        return th_fail(error, TH_FORBIDDEN, "no-grant", "没有这项授权", "There is no such grant");
    status = th_grant_check(grant, &wanted, th_now_us(&b->ex->env), error);
    if (!status)
        status = grant_budget(b->ex, grant, error);
    if (!status && m->consent.n)
        status = consent_check(b, s, &wanted, id_number, error);
    return status;
}

static bool seen_before_in_batch(th_batch_in *b, size_t i)
{
    /* Ids ascend in honest batches, so that one comparison with the greatest so far decides nearly always. */
    if (!b->greatest || strcmp(b->served[i].message.id, b->greatest) > 0) {
        b->greatest = b->served[i].message.id;
        return false;
    }
    for (size_t k = 0; k < i; k++)
        if (strcmp(b->served[k].message.id, b->served[i].message.id) == 0)
            return true;
    return false;
}

static void line_check(th_batch_in *b, size_t i, const th_grants *grants)
{
    th_served *s = &b->served[i];
    th_arena *arena = &b->incoming->arena;
    th_error error;
    th_hash leaf = s->message.leaf;
    th_error_clear(&error);
    th_status status = th_message_read(b->lines[i], arena, &s->message, &error);
    s->message.leaf = leaf;
    if (!status && !th_uuid_bytes(th_str_of(s->message.id), s->id_bytes))
        status = TH_INVALID; /* cannot be: message_read looked at it */
    s->message.line = b->lines[i];
    memcpy(s->message.from, b->envelope.from, sizeof s->message.from);
    if (!status && strcmp(s->message.to, b->ex->code) != 0)
        status = th_fail(&error, TH_FORBIDDEN, "wrong-receiver", "报文不是发给本节点的", "The message is not addressed to this node");
    if (!status && seen_before_in_batch(b, i))
        status = th_fail(&error, TH_CONFLICT, "duplicate-id", "同一批次中编号重复", "The id stands twice in one batch");
    if (!status && b->stale) {
        char theirs[TH_TIME_TEXT], ours[TH_TIME_TEXT];
        th_time_utc(b->created_us, theirs);
        th_time_utc(th_now_us(&b->ex->env), ours);
        status = th_failf(&error, TH_FORBIDDEN, "clock-skew", "时钟相差过大：签名于 %s，本节点时间 %s",
                          "The clocks differ too much: signed at %s, this node's time is %s", theirs, ours);
    }
    s->message.until_us = b->until_us;
    if (!status && !(s->type = th_type_find(b->ex, s->message.type)))
        status = th_fail(&error, TH_UNPROCESSABLE, "unknown-type", "本节点不处理这类报文", "This node does not answer this type of message");
    if (!status && s->type->granted)
        status = permission_check(b, s, grants, &error);
    if (!status && s->type->apply && s->type->read == NULL && !th_str_is(s->message.type, "heads") && s->message.sequence == 0)
        status = th_fail_field(&error, "/seq", "required", "事务报文须带序号", "An effect must carry its sequence number");
    if (status)
        refuse(s, arena, &error, status);
}

/* Reads of one type go together, so that a store behind a wire is asked once. */
static void reads_answer(th_batch_in *b, th_db *db)
{
    th_arena *arena = &b->incoming->arena;
    const th_message **messages = th_alloc_array(arena, b->n, sizeof *messages);
    th_answer **answers = th_alloc_array(arena, b->n, sizeof *answers);
    if (!messages || !answers)
        return;
    for (size_t t = 0; t < b->ex->type_count; t++) {
        const th_message_type *type = &b->ex->types[t];
        size_t n = 0;
        if (!type->read)
            continue;
        for (size_t i = 0; i < b->n; i++) {
            th_served *s = &b->served[i];
            if (s->type == type && s->answer.status == TH_OK) {
                messages[n] = &s->message;
                answers[n++] = &s->answer;
            }
        }
        if (n)
            type->read(type->ctx, db, messages, n, arena, answers);
    }
}

/* Which of the lines wait for a system outside the node: whether any, or with `error` they are refused. */
static bool lines_wait(th_batch_in *b, const th_error *error)
{
    bool any = false;
    for (size_t i = 0; i < b->n; i++) {
        th_served *s = &b->served[i];
        if (s->answer.status || !s->type || !s->type->waits || !s->type->waits(s->type->ctx, &s->message))
            continue;
        any = true;
        if (!error)
            break;
        refuse(s, &b->incoming->arena, error, TH_UNAVAILABLE);
    }
    return any;
}

static void lines_check(th_batch_in *b)
{
    th_grants *grants = th_exchange_grants(b->ex, th_str_of(b->ex->code));
    for (size_t i = 0; i < b->n; i++)
        line_check(b, i, grants);
    th_grants_release(grants);
}

static th_status lines_answer(th_batch_in *b, th_error *error)
{
    th_db *db;
    th_status status = th_store_acquire(b->ex->store, &db, error);
    if (status)
        return status;
    status = th_db_snapshot_begin(db);
    if (!status) {
        reads_answer(b, db);
        th_db_snapshot_end(db);
    }
    th_store_release(b->ex->store, db);
    for (size_t i = 0; i < b->n; i++)
        if (!b->served[i].answer.status)
            memcpy(b->served[i].subject, b->served[i].answer.subject, sizeof b->served[i].subject);
    return status;
}

/* ---- the way to the writer and back ---- */

static void batch_reply(th_change *change, th_status status, const th_error *error)
{
    th_batch_in *b = change->ctx;
    if (status == TH_OK && b->status == TH_OK) {
        th_head head;
        TH_ASSERT(th_journal_head_now(b->ex->journal, &head));
        b->head = head;
        status = th_journal_right(b->ex->journal, b->first, b->first + b->n, b->right, &b->right_n);
    }
    if (status && b->status == TH_OK) {
        b->status = status;
        if (error)
            b->error = *error;
    }
    bool news = false;
    for (size_t i = 0; b->status == TH_OK && i < b->n; i++) {
        const th_served *s = &b->served[i];
        news = news || th_gossip_is_news(s->message.type);
        if (s->acted && s->type->applied)
            s->type->applied(s->type->ctx, &s->message);
    }
    if (news)
        th_gossip_news(b->ex, b->envelope.from);
    b->incoming->done(b->incoming);
}

static void submit(th_batch_in *b)
{
    b->change = (th_change){.apply = th_batch_in_apply, .reply = batch_reply, .ctx = b};
    th_status status = th_writer_submit(b->ex->writer, &b->change);
    if (status) {
        b->status = status;
        th_fail(&b->error, status, "writer-busy", "本节点繁忙，请稍后再试", "This node is busy; try again shortly");
        b->error.retry_after_s = 1;
        b->incoming->done(b->incoming);
    }
}

static void read_and_submit(void *arg)
{
    th_batch_in *b = arg;
    b->status = lines_answer(b, &b->error);
    submit(b);
}

/* An I/O thread serves every peer: it never waits for a register that is somewhere else. Where too many wait already, those lines are
 * refused for now and the others answered. */
static void lines_read(th_batch_in *b)
{
    if (b->ex->pool && lines_wait(b, NULL)) {
        if (!th_pool_submit(b->ex->pool, read_and_submit, b))
            return;
        th_error error = {0};
        TH_IGNORE(th_fail(&error, TH_UNAVAILABLE, "register-unavailable", "登记簿暂时无法读取，请稍后再试",
                          "The register cannot be read now; try again shortly"));
        lines_wait(b, &error);
    }
    read_and_submit(b);
}

void th_exchange_receive(th_exchange *ex, th_incoming *incoming)
{
    th_batch_in *b = th_alloc(&incoming->arena, sizeof *b);
    if (!b) {
        incoming->priv = NULL;
        incoming->done(incoming);
        return;
    }
    incoming->priv = b;
    *b = (th_batch_in){.ex = ex, .incoming = incoming};
    th_uuid7(&ex->env, b->batch_id);
    TH_ASSERT(th_uuid_bytes(th_str_of(b->batch_id), b->batch_bytes));
    b->trust = th_exchange_trust(ex);
    if (!b->trust)
        b->status = th_fail(&b->error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    if (!b->status)
        b->status = envelope_check(b, &b->error);
    if (!b->status)
        b->status = member_budget(b, &b->error);
    if (!b->status) {
        b->until_us = th_now_us(&ex->env) + TH_OUTSIDE_S * TH_SECOND_US;
        b->until_us = b->expires_us < b->until_us ? b->expires_us : b->until_us;
        lines_check(b);
        lines_read(b);
        return;
    }
    if (!b->member_known) {
        th_log(TH_LOG_WARN, "batch-refused", "type", b->error.type, NULL);
        incoming->done(incoming); /* strangers cannot fill the journal */
        return;
    }
    submit(b);
}
