/* ask.c — an ask is looked at, becomes a line, and waits in its peer's queue. */
#include "ask-private.h"

#include <string.h>

enum { ITEM_ARENA_MAX = 1 << 20 };

/* ---- asking ---- */

static th_status grant_choose(th_exchange *ex, th_ask *ask, const th_grants *grants, th_arena *arena, th_str *ret_grant,
                              th_error *error)
{
    const th_message_type *type = th_type_find(ex, ask->type);
    th_wanted wanted = {0};
    th_str id_number;
    const th_grant *grant;
    th_message message = {.type = ask->type, .item = ask->item, .case_id = ask->case_id, .office = ask->office,
                          .consent = ask->consent};
    if (!type)
        return th_fail(error, TH_UNPROCESSABLE, "unknown-type", "没有这类报文", "There is no such type of message");
    th_status status = th_json_parse(ask->body, arena, &message.body, error);
    if (!status)
        status = type->wanted(type->ctx, &message, arena, &wanted, &id_number, error);
    if (status)
        return status;
    wanted.consumer_member = th_str_of(ex->code);
    wanted.consumer_office = ask->office;
    wanted.item = ask->item;
    wanted.has_consent = ask->consent.n > 0;
    if (ask->grant.n) {
        grant = th_grants_find(grants, ask->grant);
        if (!grant)
            return th_fail(error, TH_FORBIDDEN, "no-grant", "没有这项授权", "There is no such grant");
        status = th_grant_check(grant, &wanted, th_now_us(&ex->env), error);
    } else {
        status = th_grants_choose(grants, &wanted, th_now_us(&ex->env), &grant, error);
    }
    if (!status)
        *ret_grant = grant->id;
    return status;
}

static th_item *item_make(th_exchange *ex, th_ask *ask, th_str grant)
{
    th_item *item = th_new(sizeof *item);
    if (!item)
        return NULL;
    th_arena_open(&item->own, ITEM_ARENA_MAX);
    item->ask = ask;
    item->arena = ask->arena ? ask->arena : &item->own;
    item->office = ask->office;
    item->operator_account = ask->operator_account;
    item->item = ask->item.n ? ask->item : (th_str){NULL, 0};
    item->case_id = ask->case_id.n ? ask->case_id : (th_str){NULL, 0};
    item->grant = grant.p ? th_str_keep(&item->own, grant) : grant;
    memcpy(item->subject, ask->subject, sizeof item->subject);
    item->deadline_us = ask->deadline_us ? ask->deadline_us : th_now_us(&ex->env) + TH_ASK_DEADLINE_S * TH_SECOND_US;
    th_uuid7(&ex->env, item->id);
    memcpy(ask->id, item->id, sizeof ask->id);
    ask->priv = item;
    return item;
}

void th_item_close(th_item *item)
{
    th_arena_close(&item->own);
    th_free(item);
}

static th_status line_build(th_exchange *ex, th_item *item)
{
    th_buf buf;
    char operator_text[33];
    th_ask *ask = item->ask;
    /* Not the caller's arena: earlier asks of the same call may be answered into that one while this line is built. */
    th_buf_open(&buf, &item->own, TH_LINE_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", item->id);
    th_pen_kstr(&pen, "type", ask->type);
    th_pen_kstr(&pen, "to", ask->provider);
    th_pen_ktime(&pen, "at", th_now_us(&ex->env));
    if (item->grant.n)
        th_pen_kstr(&pen, "grant", item->grant);
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
    if (ask->operator_account.n) {
        th_operator_pseudonym(ex, ask->operator_account, operator_text);
        th_pen_ktext(&pen, "operator", operator_text);
    }
    th_pen_end(&pen, '}');
    if (ask->consent.n)
        th_pen_kstr(&pen, "consent", ask->consent);
    th_pen_kraw(&pen, "body", ask->body);
    th_pen_end(&pen, '}');
    item->line = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

static void queue_put(th_peer *peer, th_item *item)
{
    item->next = NULL;
    *peer->last = item;
    peer->last = &item->next;
    peer->waiting++;
}

static th_status enqueue(th_exchange *ex, th_ask *ask, th_str grant, th_error *error)
{
    th_item *item = item_make(ex, ask, grant);
    if (!item)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_status status = line_build(ex, item);
    if (status) {
        th_item_close(item);
        return th_fail(error, status, "line-too-long", "报文超过 64 KiB", "The message is longer than 64 KiB");
    }
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, ask->provider);
    if (ex->stopped)
        status = TH_UNAVAILABLE;
    else if (!peer)
        status = TH_FORBIDDEN;
    else if (peer->waiting >= TH_PEER_QUEUE_MAX)
        status = TH_BUSY;
    else
        queue_put(peer, item);
    pthread_mutex_unlock(&ex->lock);
    if (!status)
        return TH_OK;
    th_item_close(item);
    if (status == TH_UNAVAILABLE)
        return th_fail(error, status, "closing", "本节点正在停止", "This node is stopping");
    return status == TH_BUSY
               ? th_fail(error, TH_BUSY, "queue-full", "等待发送的请求过多", "Too many asks wait for this peer")
               : th_fail(error, TH_FORBIDDEN, "unknown-member", "对方不是区域成员", "The provider is not a member of the region");
}

static th_status ask_admit(th_exchange *ex, th_ask *ask, const th_trust *trust, th_error *error)
{
    th_arena scratch;
    th_str grant = {NULL, 0};
    th_status status = TH_OK;
    const th_member *member = th_trust_member(trust, ask->provider);
    if (!member)
        return th_fail(error, TH_FORBIDDEN, "unknown-member", "对方不是区域成员", "The provider is not a member of the region");
    if (member->suspended)
        return th_fail(error, TH_FORBIDDEN, "suspended-member", "该成员已被区域暂停", "This member is suspended by the region");
    const th_message_type *type = th_type_find(ex, ask->type);
    if (type && type->granted && !th_str_is(ask->type, "looks")) {
        th_grants *grants = th_exchange_grants(ex, ask->provider);
        if (!grants)
            return th_fail(error, TH_UNAVAILABLE, "grants-unknown", "尚未取得提供方的授权清单",
                           "The provider's grants have not been fetched yet");
        th_arena_open(&scratch, 256 * 1024);
        status = grant_choose(ex, ask, grants, &scratch, &grant, error);
        if (!status)
            status = enqueue(ex, ask, grant, error);
        th_arena_close(&scratch);
        th_grants_release(grants);
        return status;
    }
    return enqueue(ex, ask, grant, error);
}

th_status th_exchange_ask(th_exchange *ex, th_ask *asks, size_t n, th_error *error)
{
    bool alone = n == 1;
    th_trust *trust = th_exchange_trust(ex);
    if (!trust)
        return th_fail(error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    th_status status = th_trust_live(trust, th_now_us(&ex->env), error);
    th_ask *next;
    for (th_ask *ask = asks; !status && ask && n; ask = next, n--) {
        char peer[TH_CODE_TEXT] = "";
        th_error refusal = {0};
        next = ask->next;
        memcpy(peer, ask->provider.p, ask->provider.n < TH_CODE_TEXT ? ask->provider.n : 0);
        th_status outcome = ask_admit(ex, ask, trust, &refusal);
        if (outcome == TH_OK) { /* from here on it may be answered, and gone, at any moment */
            th_peer_wake(ex, peer);
        } else if (alone) {
            status = outcome;
            if (error)
                *error = refusal;
        } else { /* among others it is answered like them */
            ask->status = outcome;
            ask->error = refusal;
            ask->done(ask);
        }
    }
    th_trust_release(trust);
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
