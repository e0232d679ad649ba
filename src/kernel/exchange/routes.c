/* routes.c — what the portal shows of trust, grants, links, journal and alarms. Reads only; asking is in ask_routes.c. */
#include "routes-private.h"

#include <stdlib.h>
#include <string.h>

static void member_write(th_pen *pen, const th_member *m)
{
    static const struct { unsigned use; const char *name; } uses[] = {
        {TH_USE_MESSAGE, "message"}, {TH_USE_JOURNAL, "journal"}, {TH_USE_CERTIFICATE, "certificate"}};
    th_pen_object(pen);
    th_pen_ktext(pen, "code", m->code);
    th_pen_key(pen, "name");
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", m->name_zh);
    th_pen_kstr(pen, "en", m->name_en);
    th_pen_end(pen, '}');
    th_pen_kstr(pen, "peer", m->peer);
    th_pen_kstr(pen, "portal", m->portal);
    th_pen_kbool(pen, "suspended", m->suspended);
    th_pen_key(pen, "keys");
    th_pen_array(pen);
    for (size_t i = 0; i < m->key_count; i++) {
        th_pen_object(pen);
        th_pen_kstr(pen, "kid", m->keys[i].kid);
        th_pen_ktext(pen, "suite", th_suite_name(th_key_suite(m->keys[i].key)));
        th_pen_key(pen, "use");
        th_pen_array(pen);
        for (size_t u = 0; u < TH_COUNT(uses); u++)
            if (m->keys[i].use & uses[u].use)
                th_pen_text(pen, uses[u].name);
        th_pen_end(pen, ']');
        th_pen_ktime(pen, "not_before", m->keys[i].not_before_us);
        th_pen_ktime(pen, "not_after", m->keys[i].not_after_us);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

static bool has_signed(const th_trust *trust, th_str kid)
{
    const th_json *all = th_json_get(trust->root, "signatures");
    for (const th_json *s = th_json_first(all); s; s = th_json_next(all, s))
        if (th_str_eq(th_json_str(s, "kid"), kid))
            return true;
    return false;
}

static void warnings_write(th_pen *pen, const th_trust *trust, int64_t now)
{
    static const int days[] = {1, 7, 30};
    th_pen_key(pen, "warnings");
    th_pen_array(pen);
    int64_t left = trust->expires_us - now;
    for (size_t i = 0; i < TH_COUNT(days); i++) {
        if (left > days[i] * TH_DAY_US)
            continue;
        th_arena arena;
        th_arena_open(&arena, 4096);
        th_pen_object(pen);
        th_pen_ktext(pen, "type", left <= 0 ? "trust-expired" : "trust-expires");
        th_str zh_text = left <= 0 ? TH_STR("信任文件已过期，节点之间停止交换")
                                   : th_strf(&arena, "信任文件将在 %d 天内过期，请尽快签发新版本", days[i]);
        th_str en_text = left <= 0 ? TH_STR("The trust document has expired; exchange has stopped")
                                   : th_strf(&arena, "The trust document expires within %d days; sign a new version", days[i]);
        th_pen_kstr(pen, "zh", zh_text);
        th_pen_kstr(pen, "en", en_text);
        th_pen_end(pen, '}');
        th_arena_close(&arena);
        break;
    }
    th_pen_end(pen, ']');
}

th_handled th_exchange_region_get(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_trust *trust = th_exchange_trust(ex);
    int64_t now = th_now_us(&ex->env);
    if (!trust)
        return th_reply_problem(rq, th_fail(&rq->error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件",
                                            "This node has no trust document yet"), NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kraw(&pen, "document", trust->document);
    th_pen_kint(&pen, "version", trust->version);
    th_pen_ktime(&pen, "issued", trust->issued_us);
    th_pen_ktime(&pen, "expires", trust->expires_us);
    th_pen_kbool(&pen, "live", th_trust_live(trust, now, NULL) == TH_OK);
    th_pen_key(&pen, "members");
    th_pen_array(&pen);
    for (size_t i = 0; i < trust->member_count; i++)
        member_write(&pen, &trust->members[i]);
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "governors");
    th_pen_object(&pen);
    th_pen_kint(&pen, "threshold", trust->threshold);
    th_pen_key(&pen, "keys");
    th_pen_array(&pen);
    for (size_t i = 0; i < trust->governor_count; i++) {
        th_pen_object(&pen);
        th_pen_kstr(&pen, "kid", trust->governors[i].kid);
        th_pen_kstr(&pen, "holder", trust->governors[i].holder);
        th_pen_ktext(&pen, "suite", th_suite_name(th_key_suite(trust->governors[i].key)));
        th_pen_kbool(&pen, "signed", has_signed(trust, trust->governors[i].kid));
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    warnings_write(&pen, trust, now);
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}

th_handled th_exchange_grants_get(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_str provider = th_request_query(rq, "provider");
    th_grants *grants = th_exchange_grants(ex, provider.n ? provider : th_str_of(ex->code));
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; grants && i < th_grants_count(grants); i++)
        th_pen_raw(&pen, th_grants_at(grants, i)->json);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_grants_release(grants);
    return th_reply_json(rq, 200);
}

/* Signed once and given again as long as it is of the grants in force and less than a minute old. */
static th_status published_read(th_exchange *ex, const th_grants *grants, th_arena *arena, th_str *ret_document)
{
    int64_t now = th_now_us(&ex->env);
    *ret_document = (th_str){NULL, 0};
    pthread_mutex_lock(&ex->lock);
    int64_t age = now - ex->published.at_us;
    bool good = ex->published.text && ex->published.of == grants && age >= 0 && age < TH_MINUTE_US;
    if (good)
        *ret_document = th_str_keep(arena, th_str_of(ex->published.text));
    pthread_mutex_unlock(&ex->lock);
    if (good)
        return ret_document->p ? TH_OK : TH_NO_MEMORY;
    th_status status = th_grants_publish(grants, th_str_of(ex->code), ex->message_key, now, arena, ret_document);
    char *text = status ? NULL : th_new_copy(*ret_document);
    if (!text)
        return status;
    pthread_mutex_lock(&ex->lock);
    th_grants *old = ex->published.of;
    char *old_text = ex->published.text;
    ex->published.of = th_grants_retain(grants);
    ex->published.text = text;
    ex->published.at_us = now;
    pthread_mutex_unlock(&ex->lock);
    th_grants_release(old);
    th_free(old_text);
    return TH_OK;
}

/* The signed publication, for peers: a stranger is told nothing, and makes nobody sign. */
th_handled th_exchange_grants_published(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_trust *trust = th_exchange_trust(ex);
    bool member = trust && th_trust_member_by_pin(trust, th_str_of(rq->peer_pin));
    th_trust_release(trust);
    if (!member)
        return th_reply_problem(rq, th_fail(&rq->error, TH_FORBIDDEN, "unknown-member", "这把 TLS 密钥不属于任何成员",
                                            "This TLS key belongs to no member of the region"), NULL);
    th_grants *grants = th_exchange_grants(ex, th_str_of(ex->code));
    th_str document;
    if (!grants)
        return th_reply_problem(rq, TH_NOT_FOUND, NULL);
    th_status status = published_read(ex, grants, &rq->arena, &document);
    th_grants_release(grants);
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_bytes(rq, 200, "application/json", document);
}

th_handled th_exchange_grant_post(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_status status = th_exchange_grant_add(ex, rq->body, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_bytes(rq, 201, "application/json", rq->body);
}

th_handled th_exchange_grant_delete(th_request *rq)
{
    th_status status = th_exchange_grant_remove(rq->module, rq->params[0], &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_bytes(rq, 200, "application/json", TH_STR("{}"));
}

static void link_write(th_pen *pen, const th_link_state *s, const th_trust *trust, const th_backlog *backlogs, size_t n)
{
    const th_member *member = trust ? th_trust_member(trust, th_str_of(s->peer)) : NULL;
    th_pen_object(pen);
    th_pen_ktext(pen, "peer", s->peer);
    th_pen_key(pen, "name");
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", member ? member->name_zh : th_str_of(s->peer));
    th_pen_kstr(pen, "en", member ? member->name_en : th_str_of(s->peer));
    th_pen_end(pen, '}');
    th_pen_kbool(pen, "up", s->up);
    th_pen_ktime(pen, "last_ok", s->last_ok_us);
    th_pen_kint(pen, "round_trip_us", s->round_trip_us);
    th_pen_kint(pen, "skew_us", s->skew_us);
    th_pen_kint(pen, "waiting", (int64_t)s->waiting);
    th_pen_kint(pen, "in_flight", (int64_t)s->in_flight);
    th_pen_kint(pen, "batches", (int64_t)s->batches);
    th_pen_kint(pen, "messages", (int64_t)s->messages);
    th_pen_kint(pen, "failures", (int64_t)s->failures);
    th_pen_key(pen, "outbox");
    th_pen_object(pen);
    const th_backlog *mine = NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(backlogs[i].peer, s->peer) == 0)
            mine = &backlogs[i];
    th_pen_kint(pen, "waiting", mine ? mine->waiting : 0);
    th_pen_kint(pen, "dead", mine ? mine->dead : 0);
    th_pen_ktime(pen, "oldest", mine ? mine->oldest_us : 0);
    th_pen_end(pen, '}');
    th_pen_key(pen, "head");
    if (s->head.size)
        th_head_write(pen, &s->head);
    else
        th_pen_null(pen);
    th_pen_kstr(pen, "error", s->error_type[0] ? th_str_of(s->error_type) : (th_str){NULL, 0});
    th_pen_end(pen, '}');
}

th_handled th_exchange_links_get(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_db *db;
    th_backlog *backlogs = NULL;
    size_t n = 0;
    th_link_state *states = th_alloc_array(&rq->arena, TH_MEMBERS_MAX, sizeof *states);
    th_status status = th_store_acquire(ex->store, &db, &rq->error);
    if (!states || status)
        return th_reply_problem(rq, status ? status : TH_NO_MEMORY, NULL);
    status = th_outbox_backlog(db, &rq->arena, &backlogs, &n);
    th_store_release(ex->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    size_t count = th_exchange_links(ex, states, TH_MEMBERS_MAX);
    th_trust *trust = th_exchange_trust(ex);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < count; i++)
        link_write(&pen, &states[i], trust, backlogs, n);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}

th_handled th_exchange_journal_get(th_request *rq)
{
    th_exchange *ex = rq->module;
    int64_t before, limit;
    th_db *db = NULL;
    th_head head;
    char log[TH_LOG_TEXT];
    th_str *entries = NULL;
    size_t n = 0;
    th_status status = th_request_query_int(rq, "before", 0, INT64_MAX, INT64_MAX, &before);
    if (!status)
        status = th_request_query_int(rq, "limit", 1, 200, 50, &limit);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_journal_log(ex->journal, log);
    bool any = th_journal_head_now(ex->journal, &head);
    int64_t end = any && (int64_t)head.size < before ? (int64_t)head.size : before;
    if (!any)
        end = 0;
    int64_t first = end > limit ? end - limit : 0;
    status = th_store_acquire(ex->store, &db, &rq->error);
    if (!status && end > first)
        status = th_journal_entries(db, th_str_of(log), (uint64_t)first, (size_t)(end - first), &rq->arena, &entries, &n,
                                    &rq->error);
    if (db)
        th_store_release(ex->store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "log", log);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = n; i-- > 0;)
        th_pen_raw(&pen, entries[i]);
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "head");
    if (any)
        th_head_write(&pen, &head);
    else
        th_pen_null(&pen);
    th_pen_key(&pen, "next");
    if (first > 0)
        th_pen_int(&pen, first);
    else
        th_pen_null(&pen);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}
