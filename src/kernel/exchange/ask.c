/* ask.c — an ask is looked at, becomes a line, and waits in its peer's queue.
 *
 * A call may bring a thousand asks, nearly always for one provider and by one operator: what they share is looked up once. */
#include "ask-private.h"

#include <string.h>

enum { ITEM_ARENA_MAX = 1 << 20, SCRATCH_MAX = 256 * 1024, BODY_DEPTH_MAX = TH_JSON_DEPTH_MAX / 2 };

typedef struct admission { /* of one call */
    th_exchange *ex;
    th_trust *trust;
    int64_t now_us;
    th_arena scratch; /* forgotten after every ask */
    const th_member *member; /* of the last ask, with its grants */
    th_grants *grants;
    th_str account; /* of the last ask, with its pseudonym */
    char operator_text[33];
    th_item *first, **last; /* admitted, all for `member` */
    size_t n;
} admission;

/* ---- what may be sent ---- */

static bool text_check(const char *pointer, th_str text, size_t max, th_error *error)
{
    if (text.n > max)
        th_fail_field(error, pointer, "too-long", "过长", "Too long");
    else if (text.n && (th_str_has_controls(text) || !th_utf8_valid(text)))
        th_fail_field(error, pointer, "controls", "含有控制字符或方向控制符", "Has control or direction characters");
    else
        return true;
    return false;
}

static unsigned depth_of(const th_json *json)
{
    unsigned deepest = 0;
    if (json->type != TH_JSON_OBJECT && json->type != TH_JSON_ARRAY)
        return 0;
    for (const th_json *m = th_json_first(json); m; m = th_json_next(json, m)) {
        unsigned depth = depth_of(m);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* The peer reads a line by its own rules (th_message_read). One that it cannot read it journals without item and case, which we would not
 * expect in its proof: then the whole batch, other people's asks with it, could not be believed. So nothing of that kind is sent. */
static th_status sendable_check(const th_ask *ask, const th_json *body, th_error *error)
{
    bool ok = text_check("/purpose/item", ask->item, TH_MESSAGE_TEXT_MAX, error);
    ok = text_check("/purpose/case", ask->case_id, TH_MESSAGE_TEXT_MAX, error) && ok;
    ok = text_check("/grant", ask->grant, TH_MESSAGE_TEXT_MAX, error) && ok;
    ok = text_check("/consent", ask->consent, TH_LINE_MAX, error) && ok;
    ok = text_check("/office", ask->office, TH_MESSAGE_TEXT_MAX, error) && ok;
    if (ok && body && depth_of(body) > BODY_DEPTH_MAX) {
        th_fail_field(error, "", "depth", "嵌套过深", "Nested too deeply");
        ok = false;
    }
    return ok ? TH_OK : TH_INVALID;
}

static th_status grant_choose(admission *a, const th_ask *ask, const th_message_type *type, th_str *ret_grant, th_error *error)
{
    th_wanted wanted = {0};
    th_str id_number;
    const th_grant *grant;
    th_status status = TH_OK;
    th_message message = {.type = ask->type, .item = ask->item, .case_id = ask->case_id, .office = ask->office,
                          .consent = ask->consent, .body = ask->parsed};
    if (!a->grants)
        return th_fail(error, TH_UNAVAILABLE, "grants-unknown", "尚未取得提供方的授权清单",
                       "The provider's grants have not been fetched yet");
    if (!message.body)
        status = th_json_parse(ask->body, &a->scratch, &message.body, error);
    if (!status)
        status = sendable_check(ask, message.body, error);
    if (!status)
        status = type->wanted(type->ctx, &message, &a->scratch, &wanted, &id_number, error);
    if (status)
        return status;
    wanted.consumer_member = th_str_of(a->ex->code);
    wanted.consumer_office = ask->office;
    wanted.item = ask->item;
    wanted.has_consent = ask->consent.n > 0;
    if (ask->grant.n) {
        grant = th_grants_find(a->grants, ask->grant);
        if (!grant)
            return th_fail(error, TH_FORBIDDEN, "no-grant", "没有这项授权", "There is no such grant");
        status = th_grant_check(grant, &wanted, a->now_us, error);
    } else {
        status = th_grants_choose(a->grants, &wanted, a->now_us, &grant, error);
    }
    if (!status)
        *ret_grant = grant->id;
    return status;
}

static const char *operator_of(admission *a, th_str account)
{
    if (!a->account.p || !th_str_eq(a->account, account)) {
        th_operator_pseudonym(a->ex, account, a->operator_text);
        a->account = account;
    }
    return a->operator_text;
}

static void line_write(admission *a, const th_ask *ask, const char *id, th_str grant, th_buf *buf)
{
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", id);
    th_pen_kstr(&pen, "type", ask->type);
    th_pen_kstr(&pen, "to", ask->provider);
    th_pen_ktime(&pen, "at", a->now_us);
    if (grant.n)
        th_pen_kstr(&pen, "grant", grant);
    th_pen_key(&pen, "purpose");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "item", ask->item);
    if (ask->case_id.n)
        th_pen_kstr(&pen, "case", ask->case_id);
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "actor");
    th_pen_object(&pen);
    if (ask->office.n)
        th_pen_kstr(&pen, "office", ask->office);
    if (ask->operator_account.n)
        th_pen_ktext(&pen, "operator", operator_of(a, ask->operator_account));
    th_pen_end(&pen, '}');
    if (ask->consent.n)
        th_pen_kstr(&pen, "consent", ask->consent);
    th_pen_kraw(&pen, "body", ask->body);
    th_pen_end(&pen, '}');
}

static th_str text_keep(char **at, th_str text)
{
    th_str kept = {*at, text.n};
    memcpy(*at, text.p, text.n);
    *at += text.n;
    return kept;
}

/* The texts of the line are the item's own: earlier asks of the same call may be answered, and gone, while later ones are looked at. */
static th_status item_add(admission *a, th_ask *ask, th_str grant, th_error *error)
{
    th_buf line;
    char id[TH_ID_TEXT];
    th_uuid7(&a->ex->env, id);
    th_buf_open(&line, &a->scratch, TH_LINE_MAX);
    line_write(a, ask, id, grant, &line);
    if (!th_buf_ok(&line))
        return th_fail(error, TH_TOO_LARGE, "line-too-long", "报文超过 64 KiB", "The message is longer than 64 KiB");
    th_item *item = th_new(sizeof *item + line.n + grant.n);
    if (!item)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    char *at = item->text;
    th_arena_open(&item->own, ITEM_ARENA_MAX);
    item->ask = ask;
    item->arena = ask->arena ? ask->arena : &item->own;
    item->office = ask->office;
    item->operator_account = ask->operator_account;
    item->item = ask->item.n ? ask->item : (th_str){NULL, 0};
    item->case_id = ask->case_id.n ? ask->case_id : (th_str){NULL, 0};
    item->line = text_keep(&at, th_buf_view(&line));
    item->grant = grant.p ? text_keep(&at, grant) : grant;
    memcpy(item->subject, ask->subject, sizeof item->subject);
    memcpy(item->id, id, sizeof item->id);
    memcpy(ask->id, id, sizeof ask->id);
    item->deadline_us = ask->deadline_us ? ask->deadline_us : a->now_us + TH_ASK_DEADLINE_S * TH_SECOND_US;
    *a->last = item;
    a->last = &item->next;
    a->n++;
    return TH_OK;
}

void th_item_close(th_item *item)
{
    th_arena_close(&item->own);
    th_free(item);
}

static th_status refusal_of(th_status status, th_error *error)
{
    if (status == TH_UNAVAILABLE)
        return th_fail(error, status, "closing", "本节点正在停止", "This node is stopping");
    return status == TH_BUSY
               ? th_fail(error, TH_BUSY, "queue-full", "等待发送的请求过多", "Too many asks wait for this peer")
               : th_fail(error, TH_FORBIDDEN, "unknown-member", "对方不是区域成员", "The provider is not a member of the region");
}

/* What was admitted goes to the queue, under one lock and with one wake. From then on it may be answered at any moment. An ask that was
 * alone in its call and found no room is not told by its `done`. */
static th_status admitted_queue(admission *a, bool alone, th_error *error)
{
    th_item *rest = a->first, *next;
    th_status status = rest ? th_peer_queue(a->ex, a->member->code, &rest, a->n) : TH_OK;
    a->first = NULL;
    a->last = &a->first;
    a->n = 0;
    if (status && alone) {
        th_item_close(rest);
        return refusal_of(status, error);
    }
    for (; rest; rest = next) {
        th_error refusal;
        next = rest->next;
        th_error_clear(&refusal);
        th_item_done(rest, refusal_of(status, &refusal), &refusal);
    }
    return TH_OK;
}

static th_status member_turn(admission *a, const th_ask *ask, th_error *error)
{
    if (a->member && th_str_is(ask->provider, a->member->code))
        return TH_OK;
    const th_member *member = th_trust_member(a->trust, ask->provider);
    if (!member)
        return th_fail(error, TH_FORBIDDEN, "unknown-member", "对方不是区域成员", "The provider is not a member of the region");
    if (member->suspended)
        return th_fail(error, TH_FORBIDDEN, "suspended-member", "该成员已被区域暂停", "This member is suspended by the region");
    TH_IGNORE(admitted_queue(a, false, NULL));
    th_grants_release(a->grants);
    a->member = member;
    a->grants = th_exchange_grants(a->ex, ask->provider);
    return TH_OK;
}

static th_status ask_admit(admission *a, th_ask *ask, th_error *error)
{
    th_str grant = {NULL, 0};
    th_status status = member_turn(a, ask, error);
    if (status)
        return status;
    const th_message_type *type = th_type_find(a->ex, ask->type);
    if (!type)
        status = th_fail(error, TH_UNPROCESSABLE, "unknown-type", "没有这类报文", "There is no such type of message");
    else if (type->granted && !th_str_is(ask->type, "looks"))
        status = grant_choose(a, ask, type, &grant, error);
    else
        status = sendable_check(ask, NULL, error); /* bodies of our own making */
    if (!status)
        status = item_add(a, ask, grant, error);
    th_arena_reset(&a->scratch);
    return status;
}

th_status th_exchange_ask(th_exchange *ex, th_ask *asks, size_t n, th_error *error)
{
    bool alone = n == 1;
    admission a = {.ex = ex, .trust = th_exchange_trust(ex), .now_us = th_now_us(&ex->env)};
    a.last = &a.first;
    if (!a.trust)
        return th_fail(error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    th_arena_open(&a.scratch, SCRATCH_MAX);
    th_status status = th_trust_live(a.trust, a.now_us, error);
    th_ask *next;
    for (th_ask *ask = asks; !status && ask && n; ask = next, n--) {
        th_error refusal;
        next = ask->next;
        th_error_clear(&refusal);
        th_status outcome = ask_admit(&a, ask, &refusal);
        if (outcome && alone) {
            status = outcome;
            if (error)
                *error = refusal;
        } else if (outcome) { /* among others it is answered like them */
            ask->status = outcome;
            ask->error = refusal;
            ask->done(ask);
        }
    }
    if (!status)
        status = admitted_queue(&a, alone, error);
    th_arena_close(&a.scratch);
    th_grants_release(a.grants);
    th_trust_release(a.trust);
    return status;
}

void th_item_done(th_item *item, th_status status, const th_error *error)
{
    th_ask *ask = item->ask;
    if (ask) {
        ask->status = status;
        if (error)
            ask->error = *error;
        ask->done(ask);
        th_item_close(item);
    }
}
