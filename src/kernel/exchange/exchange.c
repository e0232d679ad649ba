/* exchange.c — opening, the trust document and grants in force, message types, and the writer's hooks. */
#include "exchange-private.h"

#include <string.h>

extern const char th_exchange_schema_sql[];

const char *th_exchange_schema(void)
{
    return th_exchange_schema_sql;
}

const char *th_exchange_code(const th_exchange *ex)
{
    return ex->code;
}

th_journal *th_exchange_journal(th_exchange *ex)
{
    return ex->journal;
}

th_store *th_exchange_store(th_exchange *ex)
{
    return ex->store;
}

void th_exchange_watch(th_exchange *ex, th_exchange_watcher watcher, void *ctx)
{
    ex->watcher_ctx = ctx;
    ex->watcher = watcher;
}

void th_exchange_notify(th_exchange *ex, const char *event, th_str json)
{
    if (ex->watcher)
        ex->watcher(ex->watcher_ctx, event, json);
}

th_status th_exchange_type_add(th_exchange *ex, const th_message_type *type)
{
    if (ex->type_count == TH_TYPES_MAX || th_type_find(ex, th_str_of(type->type)))
        return TH_CONFLICT;
    ex->types[ex->type_count++] = *type;
    return TH_OK;
}

const th_message_type *th_type_find(const th_exchange *ex, th_str type)
{
    for (size_t i = 0; i < ex->type_count; i++)
        if (th_str_is(type, ex->types[i].type))
            return &ex->types[i];
    return NULL;
}

/* Keyed by the node's secret, so that neither a peer nor a thief of the journal can try persons or operators against it. */
void th_private_hash(const th_exchange *ex, const char *direction, const char *id, th_str subject, th_str operator_account,
                     th_hash *ret_hash)
{
    th_str pieces[] = {TH_STR("tonghui/v1/private\n"), th_str_of(direction), TH_STR("\n"), th_str_of(id), TH_STR("\n"),
                       subject, TH_STR("\n"), operator_account};
    *ret_hash = th_hmac(ex->secret, pieces, TH_COUNT(pieces));
}

void th_operator_pseudonym(const th_exchange *ex, th_str account, char ret_text[33])
{
    th_str pieces[] = {TH_STR("tonghui/v1/operator\n"), account};
    th_hash hash = th_hmac(ex->secret, pieces, TH_COUNT(pieces));
    th_hex(hash.b, 16, ret_text);
}

th_peer *th_peer_find(th_exchange *ex, th_str code)
{
    for (size_t i = 0; i < ex->peer_count; i++)
        if (th_str_is(code, ex->peers[i].code))
            return &ex->peers[i];
    if (!ex->trust || !th_trust_member(ex->trust, code) || ex->peer_count == TH_MEMBERS_MAX || code.n >= TH_CODE_TEXT)
        return NULL;
    th_peer *peer = &ex->peers[ex->peer_count++];
    *peer = (th_peer){.outbox_waits = true, .last = NULL};
    peer->last = &peer->first;
    memcpy(peer->code, code.p, code.n);
    memcpy(peer->state.peer, code.p, code.n);
    return peer;
}

/* One wake until `next` has found nothing: a busy link is not woken again and again. */
void th_peer_wake(th_exchange *ex, const char *code)
{
    pthread_mutex_lock(&ex->lock);
    th_peer *peer = th_peer_find(ex, th_str_of(code));
    bool wake = peer && !peer->woken;
    if (wake)
        peer->woken = true;
    pthread_mutex_unlock(&ex->lock);
    if (wake && ex->wake)
        ex->wake(ex->wake_ctx, code);
}

/* ---- simple blocking writes ---- */

typedef struct simple_write {
    th_change change;
    th_simple_apply apply;
    void *ctx;
} simple_write;

static th_status simple_apply(th_change *change, th_db *db, th_error *error)
{
    simple_write *w = change->ctx;
    return w->apply(w->ctx, db, error);
}

th_status th_exchange_write(th_exchange *ex, th_simple_apply apply, void *ctx, th_error *error)
{
    simple_write w = {.apply = apply, .ctx = ctx};
    w.change = (th_change){.apply = simple_apply, .ctx = &w};
    return th_writer_run(ex->writer, &w.change, error);
}

/* ---- trust ---- */

th_trust *th_exchange_trust(th_exchange *ex)
{
    pthread_mutex_lock(&ex->lock);
    th_trust *trust = ex->trust ? th_trust_retain(ex->trust) : NULL;
    pthread_mutex_unlock(&ex->lock);
    return trust;
}

static void trust_install(th_exchange *ex, th_trust *trust)
{
    pthread_mutex_lock(&ex->lock);
    th_trust *old = ex->trust;
    ex->trust = trust;
    for (size_t i = 0; i < trust->member_count; i++)
        (void)(th_peer_find(ex, th_str_of(trust->members[i].code)));
    pthread_mutex_unlock(&ex->lock);
    th_trust_release(old);
}

typedef struct trust_write {
    th_trust *trust;
    int64_t now_us;
} trust_write;

static th_status trust_write_apply(void *ctx, th_db *db, th_error *error)
{
    trust_write *w = ctx;
    th_value values[] = {th_v_int(w->trust->version), th_v_text(w->trust->document), th_v_int(w->now_us)};
    return th_db_exec(db, "INSERT INTO exchange_trust (version, document, applied_at) VALUES (?1, ?2, ?3)", values, 3, NULL,
                      error);
}

th_status th_exchange_trust_apply(th_exchange *ex, th_str document, th_error *error)
{
    th_trust *next = NULL, *current = th_exchange_trust(ex);
    th_status status = th_trust_read(document, &next, error);
    if (status)
        goto out;
    if (current)
        status = th_trust_succeeds(current, next, th_now_us(&ex->env), error);
    else
        status = th_trust_live(next, th_now_us(&ex->env), error);
    if (status)
        goto out;
    trust_write write = {next, th_now_us(&ex->env)};
    status = th_exchange_write(ex, trust_write_apply, &write, error);
    if (status)
        goto out;
    trust_install(ex, next);
    next = NULL;
out:
    th_trust_release(next);
    th_trust_release(current);
    return status;
}

static th_status trust_load(th_exchange *ex, th_db *db, th_arena *arena, th_error *error)
{
    const th_value *row;
    th_status status = th_db_one(db, "SELECT document FROM exchange_trust ORDER BY version DESC LIMIT 1", NULL, 0, arena, &row,
                                 error);
    if (status == TH_NOT_FOUND)
        return TH_OK;
    th_trust *trust;
    if (!status)
        status = th_trust_read(row[0].s, &trust, error);
    if (!status)
        trust_install(ex, trust);
    return status;
}

/* ---- grants ---- */

static void grants_install(th_exchange *ex, th_str provider, th_grants *grants)
{
    pthread_mutex_lock(&ex->lock);
    size_t i = 0;
    while (i < ex->grants_count && !th_str_is(provider, ex->grants[i].provider))
        i++;
    if (i == ex->grants_count && i < TH_MEMBERS_MAX && provider.n < TH_CODE_TEXT) {
        memcpy(ex->grants[i].provider, provider.p, provider.n);
        ex->grants_count++;
    }
    th_grants *old = NULL;
    if (i < ex->grants_count) {
        old = ex->grants[i].grants;
        ex->grants[i].grants = grants;
        grants = NULL;
    }
    pthread_mutex_unlock(&ex->lock);
    th_grants_release(old);
    th_grants_release(grants);
}

th_grants *th_exchange_grants(th_exchange *ex, th_str provider)
{
    th_grants *grants = NULL;
    pthread_mutex_lock(&ex->lock);
    for (size_t i = 0; i < ex->grants_count; i++)
        if (th_str_is(provider, ex->grants[i].provider) && ex->grants[i].grants)
            grants = th_grants_retain(ex->grants[i].grants);
    pthread_mutex_unlock(&ex->lock);
    return grants;
}

static th_status own_grants_load(th_exchange *ex, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_rows rows;
    th_grants *grants;
    th_arena_open(&arena, 64u << 20);
    th_status status = th_store_acquire(ex->store, &db, error);
    if (status)
        return status;
    th_value code = th_v_text(th_str_of(ex->code));
    status = th_db_select(db, "SELECT json FROM exchange_grant WHERE provider = ?1 ORDER BY id", &code, 1, &arena, &rows, error);
    th_store_release(ex->store, db);
    if (!status) {
        th_str *jsons = th_alloc_array(&arena, rows.n ? rows.n : 1, sizeof *jsons);
        for (size_t i = 0; jsons && i < rows.n; i++)
            jsons[i] = th_row(&rows, i)[0].s;
        status = jsons ? th_grants_make(jsons, rows.n, &grants, error) : TH_NO_MEMORY;
    }
    if (!status)
        grants_install(ex, th_str_of(ex->code), grants);
    th_arena_close(&arena);
    return status;
}

typedef struct grant_write {
    const char *code;
    th_str id, json;
    int64_t now_us;
} grant_write;

static th_status grant_check(th_exchange *ex, const th_json *json, const th_grant *grant, th_error *error)
{
    const th_message_type *type = th_type_find(ex, grant->operation == TH_VERIFY ? TH_STR("verify") : TH_STR("query"));
    if (!th_str_is(grant->provider, ex->code))
        return th_fail_field(error, "/provider", "provider", "只能登记本节点作为提供方的授权",
                             "Only grants of this node as provider can be kept here");
    th_trust *trust = th_exchange_trust(ex);
    th_status status = th_grant_check_new(json, grant, trust, th_now_us(&ex->env), error);
    th_trust_release(trust);
    return status ? status : type && type->grant_fits ? type->grant_fits(type->ctx, grant, error) : TH_OK;
}

th_status th_exchange_grant_put(th_exchange *ex, th_db *db, th_str json, th_error *error)
{
    th_arena arena;
    const th_json *root;
    th_grant grant;
    th_arena_open(&arena, 1 << 20);
    th_status status = th_json_parse(json, &arena, &root, error);
    if (!status)
        status = th_grant_read(root, &arena, &grant, error);
    if (!status)
        status = grant_check(ex, root, &grant, error);
    if (!status) {
        th_value values[] = {th_v_text(th_str_of(ex->code)), th_v_text(grant.id), th_v_text(grant.json), th_v_int(th_now_us(&ex->env))};
        status = th_db_exec(db,
                            "INSERT INTO exchange_grant (provider, id, json, added_at) VALUES (?1, ?2, ?3, ?4) "
                            "ON CONFLICT (provider, id) DO UPDATE SET json = excluded.json, added_at = excluded.added_at",
                            values, 4, NULL, error);
    }
    th_arena_close(&arena);
    return status;
}

th_status th_exchange_grants_renew(th_exchange *ex, th_error *error)
{
    return own_grants_load(ex, error);
}

typedef struct grant_add {
    th_exchange *ex;
    th_str json;
} grant_add;

static th_status grant_add_apply(void *ctx, th_db *db, th_error *error)
{
    grant_add *add = ctx;
    return th_exchange_grant_put(add->ex, db, add->json, error);
}

th_status th_exchange_grant_add(th_exchange *ex, th_str json, th_error *error)
{
    grant_add add = {ex, json};
    th_status status = th_exchange_write(ex, grant_add_apply, &add, error);
    return status ? status : own_grants_load(ex, error);
}

static th_status grant_remove_apply(void *ctx, th_db *db, th_error *error)
{
    grant_write *w = ctx;
    int64_t changed;
    th_value values[] = {th_v_text(th_str_of(w->code)), th_v_text(w->id)};
    th_status status = th_db_exec(db, "DELETE FROM exchange_grant WHERE provider = ?1 AND id = ?2", values, 2, &changed, error);
    if (!status && !changed)
        status = th_fail(error, TH_NOT_FOUND, "no-grant", "没有这项授权", "There is no such grant");
    return status;
}

th_status th_exchange_grant_remove(th_exchange *ex, th_str id, th_error *error)
{
    grant_write write = {.code = ex->code, .id = id};
    th_status status = th_exchange_write(ex, grant_remove_apply, &write, error);
    return status ? status : own_grants_load(ex, error);
}

static th_status grants_learn_apply(void *ctx, th_db *db, th_error *error)
{
    grant_write *w = ctx;
    th_value values[] = {th_v_text(w->id), th_v_text(w->json), th_v_int(w->now_us)};
    return th_db_exec(db,
                      "INSERT INTO exchange_grants_learnt (provider, document, learnt_at) VALUES (?1, ?2, ?3) "
                      "ON CONFLICT (provider) DO UPDATE SET document = excluded.document, learnt_at = excluded.learnt_at",
                      values, 3, NULL, error);
}

th_status th_exchange_grants_learn(th_exchange *ex, th_str provider, th_str document, th_error *error)
{
    th_grants *grants = NULL;
    th_trust *trust = th_exchange_trust(ex);
    if (!trust)
        return th_fail(error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    th_status status = th_grants_read(document, trust, provider, th_now_us(&ex->env), &grants, error);
    th_trust_release(trust);
    if (status)
        return status;
    grant_write write = {NULL, provider, document, th_now_us(&ex->env)};
    status = th_exchange_write(ex, grants_learn_apply, &write, error);
    if (status)
        th_grants_release(grants);
    else
        grants_install(ex, provider, grants);
    return status;
}

static th_status learnt_load(th_exchange *ex, th_db *db, th_arena *arena, th_error *error)
{
    th_rows rows;
    th_status status = th_db_select(db, "SELECT provider, document FROM exchange_grants_learnt ORDER BY provider", NULL, 0, arena,
                                    &rows, error);
    for (size_t i = 0; !status && i < rows.n && ex->trust; i++) {
        th_grants *grants;
        /* A document whose key has gone meanwhile is simply not known any more; it will be fetched again. */
        if (!th_grants_read(th_row(&rows, i)[1].s, ex->trust, th_row(&rows, i)[0].s, th_now_us(&ex->env), &grants, NULL))
            grants_install(ex, th_row(&rows, i)[0].s, grants);
    }
    return status;
}

/* ---- the writer's hooks ---- */

static void hook_begin(void *ctx, th_db *db)
{
    th_exchange *ex = ctx;
    (void)db;
    ex->outbox_staged_count = 0;
    th_journal_begin(ex->journal);
}

static th_status hook_seal(void *ctx, th_db *db, th_error *error)
{
    th_exchange *ex = ctx;
    return th_journal_seal(ex->journal, db, error);
}

static void hook_settled(void *ctx, th_status status)
{
    th_exchange *ex = ctx;
    th_journal_settled(ex->journal, status);
    if (status == TH_OK) {
        for (size_t i = 0; i < ex->outbox_staged_count; i++) {
            pthread_mutex_lock(&ex->lock);
            th_peer *peer = th_peer_find(ex, th_str_of(ex->outbox_staged[i]));
            if (peer)
                peer->outbox_waits = true;
            pthread_mutex_unlock(&ex->lock);
            th_peer_wake(ex, ex->outbox_staged[i]);
        }
    }
    ex->outbox_staged_count = 0;
}

th_writer_hooks th_exchange_hooks(th_exchange *ex)
{
    return (th_writer_hooks){hook_begin, hook_seal, hook_settled, ex};
}

void th_exchange_writer_set(th_exchange *ex, th_writer *writer)
{
    ex->writer = writer;
}

/* ---- opening ---- */

static const th_message_type own_types[] = {
    {.type = "looks", .granted = true, .wanted = th_looks_wanted, .read = th_looks_read},
    {.type = "consistency", .granted = false, .read = th_consistency_read},
    {.type = "consent.revoked", .granted = false, .apply = th_consent_revoked_apply},
    {.type = "heads", .granted = false, .apply = th_gossip_apply},
};

static th_status state_load(th_exchange *ex, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_status status = th_store_acquire(ex->store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 256u << 20);
    status = trust_load(ex, db, &arena, error);
    if (!status)
        status = th_agreements_load(ex, db, &arena, error);
    if (!status)
        status = learnt_load(ex, db, &arena, error);
    th_arena_close(&arena);
    th_store_release(ex->store, db);
    if (!status)
        status = own_grants_load(ex, error);
    if (!status)
        status = th_gossip_open(ex, error);
    if (!status)
        status = th_access_open(ex, error);
    return status;
}

th_status th_exchange_reload(th_exchange *ex, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_status status = th_store_acquire(ex->store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 256u << 20);
    status = trust_load(ex, db, &arena, error);
    if (!status)
        status = th_agreements_load(ex, db, &arena, error);
    th_arena_close(&arena);
    th_store_release(ex->store, db);
    return status ? status : own_grants_load(ex, error);
}

th_status th_exchange_open(const th_exchange_options *o, th_exchange **ret_exchange, th_error *error)
{
    th_exchange *ex = th_new(sizeof *ex);
    if (!ex)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    size_t n = strlen(o->code);
    TH_ASSERT(n == TH_CODE_TEXT - 1);
    memcpy(ex->code, o->code, n);
    ex->store = o->store;
    ex->env = *o->env;
    ex->message_key = o->message_key;
    ex->journal_key = o->journal_key;
    memcpy(ex->secret, o->secret, sizeof ex->secret);
    th_str purpose = TH_STR("bodies at rest");
    th_hash seal = th_hmac(ex->secret, &purpose, 1);
    memcpy(ex->seal_key, seal.b, sizeof ex->seal_key);
    ex->pool = o->pool;
    ex->batch_lines = o->batch_lines ? o->batch_lines : TH_BATCH_LINES_MAX;
    ex->gossip_us = (o->gossip_s ? o->gossip_s : TH_GOSSIP_EVERY_S) * TH_SECOND_US;
    ex->body_days = !o->body_days ? TH_BODY_DAYS : o->body_days < TH_ANSWER_DAYS ? TH_ANSWER_DAYS : o->body_days;
    ex->wake = o->wake;
    ex->wake_ctx = o->wake_ctx;
    pthread_mutex_init(&ex->lock, NULL);
    th_kid_of(ex->message_key, ex->message_kid);
    for (size_t i = 0; i < TH_COUNT(own_types); i++) {
        th_message_type type = own_types[i];
        type.ctx = ex;
        TH_ASSERT(th_exchange_type_add(ex, &type) == TH_OK);
    }
    th_status status = th_journal_open(o->store, ex->code, o->journal_key, &ex->env, &ex->journal, error);
    if (!status)
        status = state_load(ex, error);
    if (status) {
        th_exchange_close(ex);
        return status;
    }
    *ret_exchange = ex;
    return TH_OK;
}

void th_exchange_close(th_exchange *ex)
{
    if (!ex)
        return;
    for (size_t i = 0; i < ex->grants_count; i++)
        th_grants_release(ex->grants[i].grants);
    th_grants_release(ex->published.of);
    th_free(ex->published.text);
    th_trust_release(ex->trust);
    for (size_t i = 0; i < ex->agreement_count; i++)
        th_agreement_release(ex->agreements[i]);
    th_journal_close(ex->journal);
    pthread_mutex_destroy(&ex->lock);
    th_free(ex);
}

size_t th_exchange_links(th_exchange *ex, th_link_state *ret_states, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&ex->lock);
    for (size_t i = 0; i < ex->peer_count && n < max; i++) {
        th_peer *peer = &ex->peers[i];
        if (strcmp(peer->code, ex->code) == 0)
            continue;
        peer->state.waiting = peer->waiting;
        peer->state.in_flight = peer->in_flight;
        ret_states[n++] = peer->state;
    }
    pthread_mutex_unlock(&ex->lock);
    return n;
}
