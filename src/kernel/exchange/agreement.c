/* agreement.c — reading, signing and keeping the lists that all members signed. */
#include "exchange-private.h"

#include <stdatomic.h>
#include <string.h>

enum { DOCUMENT_MAX = 4 << 20, ARENA_MAX = 64 << 20 };
static const char tag[] = "tonghui/v1/agreement\n";

typedef struct holding { /* what a reference points into */
    th_agreement agreement;
    th_arena arena;
    atomic_int references;
} holding;

/* ---- reading ---- */

static th_status part_read(th_agreement *a, th_error *error)
{
    const th_json *part;
    th_str issued;
    if (!th_json_want_object(a->root, "", "signed", &part, error) || !th_json_want_str(part, "/signed", "agreement", 20, &a->name, error) ||
        !th_json_want_int(part, "/signed", "version", 1, INT32_MAX, &a->version, error) ||
        !th_json_want_str(part, "/signed", "issued", 40, &issued, error) ||
        !th_json_want_array(part, "/signed", "rows", 100000, &a->rows, error))
        return TH_INVALID;
    if (!th_time_parse(issued, &a->issued_us))
        return th_fail_field(error, "/signed/issued", "time", "须为 RFC 3339 时间", "Must be an RFC 3339 instant");
    return TH_OK;
}

static bool signed_by(const th_json *signatures, const th_governor *g, th_str message, th_arena *arena)
{
    for (const th_json *s = th_json_first(signatures); s; s = th_json_next(signatures, s)) {
        th_str bytes;
        if (th_str_eq(th_json_str(s, "kid"), g->kid) && th_unbase64url(arena, th_json_str(s, "sig"), &bytes) == TH_OK &&
            th_verify(g->key, message, bytes) == TH_OK)
            return true;
    }
    return false;
}

static th_status signatures_check(const th_agreement *a, const th_trust *trust, th_str message, th_arena *arena, th_error *error)
{
    const th_json *signatures = th_json_get(a->root, "signatures");
    if (!th_str_eq(th_json_str(th_json_get(a->root, "signed"), "region"), trust->region))
        return th_fail_field(error, "/signed/region", "region", "不是本区域的清单", "Not a list of this region");
    for (size_t i = 0; i < trust->member_count; i++) {
        const th_member *m = &trust->members[i];
        bool found = m->suspended;
        for (size_t k = 0; !found && k < trust->governor_count; k++)
            found = th_str_is(trust->governors[k].holder, m->code) && signed_by(signatures, &trust->governors[k], message, arena);
        if (!found)
            return th_failf(error, TH_FORBIDDEN, "agreement-unsigned", "成员 %s 尚未签署这份清单", "The member %s has not signed this list", m->code);
    }
    return TH_OK;
}

/* The bytes that are signed: the tag, then the canonical part. */
static th_status message_make(const th_json *root, th_arena *arena, th_str *ret_message)
{
    th_buf buf;
    th_buf_open(&buf, arena, DOCUMENT_MAX);
    th_buf_text(&buf, tag);
    th_status status = th_json_canonical(th_json_get(root, "signed"), &buf);
    *ret_message = th_buf_view(&buf);
    return status ? status : th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

/* `trust` NULL: the signatures were checked before. */
static th_status agreement_make(th_str document, const th_trust *trust, th_agreement **ret_agreement, th_error *error)
{
    th_str message;
    holding *h = document.n <= DOCUMENT_MAX ? th_new(sizeof *h) : NULL;
    if (!h)
        return th_fail(error, document.n <= DOCUMENT_MAX ? TH_NO_MEMORY : TH_TOO_LARGE, "agreement-size", "清单过大", "The list is too large");
    th_agreement *a = &h->agreement;
    th_arena_open(&h->arena, ARENA_MAX);
    atomic_store(&h->references, 1);
    a->document = th_str_keep(&h->arena, document);
    th_status status = a->document.p ? th_json_parse(a->document, &h->arena, &a->root, error) : TH_NO_MEMORY;
    if (!status)
        status = part_read(a, error);
    if (!status)
        status = message_make(a->root, &h->arena, &message);
    if (!status && trust)
        status = signatures_check(a, trust, message, &h->arena, error);
    if (status) {
        th_agreement_release(a);
        return status;
    }
    th_hash hash = th_hash_str(TH_SUITE_ED25519, (th_str){message.p + sizeof tag - 1, message.n - (sizeof tag - 1)});
    th_hex(hash.b, sizeof hash.b, a->hash);
    *ret_agreement = a;
    return TH_OK;
}

th_status th_agreement_read(th_str document, const th_trust *trust, th_agreement **ret_agreement, th_error *error)
{
    return agreement_make(document, trust, ret_agreement, error);
}

th_agreement *th_agreement_retain(const th_agreement *agreement)
{
    holding *h = (holding *)(uintptr_t)agreement; /* its first member */
    atomic_fetch_add(&h->references, 1);
    return &h->agreement;
}

void th_agreement_release(th_agreement *agreement)
{
    holding *h = (holding *)agreement;
    if (!h || atomic_fetch_sub(&h->references, 1) != 1)
        return;
    th_arena_close(&h->arena);
    th_free(h);
}

/* ---- making ---- */

th_status th_agreement_propose(th_str signed_part, th_arena *arena, th_str *ret_document, th_error *error)
{
    return th_trust_propose(signed_part, arena, ret_document, error); /* the same frame */
}

th_status th_agreement_sign(th_str document, const th_key *key, th_arena *arena, th_str *ret_document, th_error *error)
{
    return th_document_sign(document, tag, key, arena, ret_document, error);
}

/* ---- in force at this node ---- */

static size_t place_of(const th_exchange *ex, th_str name)
{
    size_t i = 0;
    while (i < ex->agreement_count && !th_str_eq(ex->agreements[i]->name, name))
        i++;
    return i;
}

static bool install(th_exchange *ex, th_agreement *a)
{
    th_agreement *old = NULL;
    pthread_mutex_lock(&ex->lock);
    size_t at = place_of(ex, a->name);
    bool room = at < TH_AGREEMENTS_MAX;
    if (room && at < ex->agreement_count)
        old = ex->agreements[at];
    if (room)
        ex->agreements[at] = a;
    if (room && at == ex->agreement_count)
        ex->agreement_count++;
    pthread_mutex_unlock(&ex->lock);
    th_agreement_release(old);
    return room;
}

th_agreement *th_exchange_agreement(th_exchange *ex, const char *name)
{
    pthread_mutex_lock(&ex->lock);
    size_t at = place_of(ex, th_str_of(name));
    th_agreement *a = at < ex->agreement_count ? th_agreement_retain(ex->agreements[at]) : NULL;
    pthread_mutex_unlock(&ex->lock);
    return a;
}

typedef struct keeping {
    const th_agreement *agreement;
    int64_t now_us;
} keeping;

static th_status keep_apply(void *ctx, th_db *db, th_error *error)
{
    keeping *k = ctx;
    th_value values[] = {th_v_text(k->agreement->name), th_v_int(k->agreement->version), th_v_text(k->agreement->document), th_v_int(k->now_us)};
    return th_db_exec(db, "INSERT INTO exchange_agreement (name, version, document, applied_at) VALUES (?1, ?2, ?3, ?4)", values, 4, NULL, error);
}

th_status th_exchange_agreement_apply(th_exchange *ex, th_str document, th_error *error)
{
    th_agreement *next = NULL;
    th_trust *trust = th_exchange_trust(ex);
    th_status status = trust ? th_agreement_read(document, trust, &next, error)
                             : th_fail(error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    th_trust_release(trust);
    if (status)
        return status;
    char name[24] = "";
    memcpy(name, next->name.p, next->name.n);
    th_agreement *current = th_exchange_agreement(ex, name);
    bool same = current && strcmp(current->hash, next->hash) == 0;
    if (current && !same && next->version <= current->version)
        status = th_fail(error, TH_CONFLICT, "agreement-rollback", "清单的版本不高于现行版本", "The list's version is not higher than the one in force");
    th_agreement_release(current);
    keeping k = {next, th_now_us(&ex->env)};
    if (!status && !same)
        status = th_exchange_write(ex, keep_apply, &k, error);
    if (!status && !same && install(ex, next))
        return TH_OK;
    th_agreement_release(next);
    return status ? status : same ? TH_OK : th_fail(error, TH_TOO_LARGE, "agreements", "清单过多", "There are too many lists");
}

/* What stands here was checked when it was applied; a governor's new key since then does not undo what all had signed. */
th_status th_agreements_load(th_exchange *ex, th_db *db, th_arena *arena, th_error *error)
{
    th_rows rows;
    th_status status = th_db_select(db, "SELECT document FROM exchange_agreement ORDER BY name, version", NULL, 0, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        th_agreement *a;
        status = agreement_make(th_row(&rows, i)[0].s, NULL, &a, error);
        if (!status && !install(ex, a))
            th_agreement_release(a);
    }
    return status;
}
