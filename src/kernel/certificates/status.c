/* status.c — the status of one place, wherever its list is kept. Told first, then the issuer's list; without either the answer is no. */
#include "certificates-private.h"

#include <string.h>

enum { FETCH_MS = 4000, LIST_DAY_S = 86400 };

/* ---- our own ---- */

static th_status own_find(th_certificates *certs, int64_t list, int64_t place, th_arena *arena, th_status_found *found, th_error *error)
{
    th_db *db;
    const th_value *row;
    th_value values[] = {th_v_int(list), th_v_int(place)};
    th_status status = th_store_acquire(certs->options.store, &db, error);
    if (status)
        return status;
    status = th_db_one(db, "SELECT status FROM certificates_place WHERE list = ?1 AND place = ?2", values, 2, arena, &row, error);
    th_store_release(certs->options.store, db);
    if (status == TH_NOT_FOUND)
        return th_fail(error, TH_FORBIDDEN, "status-index", "状态列表中没有这个位置", "The status list has no such place");
    if (!status)
        *found = (th_status_found){.value = (unsigned)row[0].i, .from = "issuer", .at_us = th_now_us(certs->options.env)};
    return status;
}

/* ---- told by the issuer ---- */

typedef struct told {
    bool there;
    int64_t version, at_us;
    unsigned value;
} told;

static th_status told_find(th_certificates *certs, th_str uri, int64_t place, th_arena *arena, told *ret, th_error *error)
{
    th_db *db;
    const th_value *row;
    th_value values[] = {th_v_text(uri), th_v_int(place)};
    *ret = (told){0};
    th_status status = th_store_acquire(certs->options.store, &db, error);
    if (status)
        return status;
    status = th_db_one(db, "SELECT status, version, at FROM certificates_told WHERE uri = ?1 AND place = ?2", values, 2, arena, &row, error);
    th_store_release(certs->options.store, db);
    if (!status)
        *ret = (told){true, row[1].i, row[2].i, (unsigned)row[0].i};
    return status == TH_NOT_FOUND ? TH_OK : status;
}

/* ---- the list, fetched and kept until its ttl is over ---- */

typedef struct list_key {
    const th_trust *trust;
    const th_member *issuer;
} list_key;

static th_status key_find(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret_key, th_error *error)
{
    list_key *k = ctx;
    const th_member *member;
    int64_t issued = th_json_int(payload, "iat", 0), at;
    if (!th_mul_i64(issued, TH_SECOND_US, &at))
        at = 0;
    th_status status = th_certificate_key(k->trust, jws->kid, at, &member, ret_key, error);
    if (!status && member != k->issuer)
        status = th_fail(error, TH_FORBIDDEN, "status-issuer", "状态列表不是由证照的签发方签名", "The status list is not signed by the certificate's issuer");
    return status;
}

static bool fresh(const th_list_kept *kept, int64_t now_us)
{
    int64_t ttl = kept->list.ttl_us ? kept->list.ttl_us : TH_LIST_TTL_S * TH_SECOND_US;
    if (ttl > LIST_DAY_S * TH_SECOND_US)
        ttl = LIST_DAY_S * TH_SECOND_US;
    return now_us >= kept->fetched_us && now_us < kept->fetched_us + ttl && (!kept->list.expires_us || now_us < kept->list.expires_us);
}

/* False when nothing fresh is kept. */
static bool kept_find(th_certificates *certs, th_str uri, int64_t place, int64_t now_us, th_status *ret_status, unsigned *ret_value, int64_t *ret_version,
                      int64_t *ret_at_us, th_error *error)
{
    bool found = false;
    pthread_mutex_lock(&certs->lock);
    for (size_t i = 0; !found && i < TH_LIST_CACHE; i++) {
        th_list_kept *kept = &certs->kept[i];
        if (!th_str_is(uri, kept->uri) || !fresh(kept, now_us))
            continue;
        kept->used_us = now_us;
        *ret_status = th_status_get(&kept->list, place, ret_value, error);
        *ret_version = kept->list.version;
        *ret_at_us = kept->list.issued_us;
        found = true;
    }
    pthread_mutex_unlock(&certs->lock);
    return found;
}

/* The one of this address, else the one that was not used for longest. */
static th_list_kept *slot_for(th_certificates *certs, th_str uri)
{
    th_list_kept *oldest = &certs->kept[0];
    for (size_t i = 0; i < TH_LIST_CACHE; i++) {
        th_list_kept *kept = &certs->kept[i];
        if (th_str_is(uri, kept->uri))
            return kept;
        if (kept->used_us < oldest->used_us)
            oldest = kept;
    }
    return oldest;
}

static th_status unreachable(th_error *error)
{
    return th_fail(error, TH_UNAVAILABLE, "status-unreachable", "无法取得证照状态", "The certificate's status cannot be had");
}

static th_status answer_fetch(th_certificates *certs, th_str uri, th_arena *arena, th_str *ret_token, th_error *error)
{
    th_error why = {0};
    th_str url = th_str_keep(arena, uri);
    th_certificate_call call = {.method = "GET", .url = url.p, .accept = "application/statuslist+jwt", .answer_max = TH_JWS_MAX, .timeout_ms = FETCH_MS};
    if (!certs->options.call || !url.p)
        return unreachable(error);
    th_status status = certs->options.call(certs->options.call_ctx, &call, arena, &why);
    if (status)
        return th_failf(error, TH_UNAVAILABLE, "status-unreachable", "无法取得证照状态（%.100s）", "The certificate's status cannot be had (%.100s)",
                        why.type[0] ? why.type : "network");
    if (call.http_status != 200) /* a redirect is not followed: it is no list */
        return th_failf(error, TH_UNAVAILABLE, "status-unreachable", "状态列表地址答复 %d", "The status list's address answered %d", call.http_status);
    if (!th_str_starts(call.answer_type, "application/statuslist+jwt"))
        return th_fail(error, TH_INVALID, "status-type", "该地址给出的不是状态列表", "What the address gives is no status list");
    *ret_token = call.answer;
    return TH_OK;
}

static th_status list_fetch(th_certificates *certs, const th_trust *trust, const th_member *issuer, th_str uri, th_arena *arena, th_error *error)
{
    th_arena own;
    th_status_list list;
    th_str token;
    list_key key = {trust, issuer};
    int64_t now = th_now_us(certs->options.env);
    th_status_policy policy = {.key = key_find, .ctx = &key, .uri = uri, .now_us = now};
    th_status status = answer_fetch(certs, uri, arena, &token, error);
    if (status)
        return status;
    th_arena_open(&own, 4u * TH_STATUS_BYTES_MAX);
    token = th_str_keep(&own, token);
    status = token.p ? th_status_token_read(token, &policy, &own, &list, error) : TH_NO_MEMORY;
    if (status) {
        th_arena_close(&own);
        return status;
    }
    pthread_mutex_lock(&certs->lock);
    th_list_kept *kept = slot_for(certs, uri);
    if (kept->uri[0])
        th_arena_close(&kept->arena);
    *kept = (th_list_kept){.arena = own, .list = list, .fetched_us = now, .used_us = now};
    memcpy(kept->uri, uri.p, uri.n);
    pthread_mutex_unlock(&certs->lock);
    return TH_OK;
}

/* ---- any ---- */

th_status th_status_find(th_certificates *certs, const th_trust *trust, const th_member *issuer, th_str uri, int64_t place, th_arena *arena,
                         th_status_found *ret_found, th_error *error)
{
    int64_t list, version = -1, at = 0;
    unsigned value = 0;
    told t;
    if (uri.n > TH_STATUS_URI_MAX || th_member_by_url(trust, uri) != issuer)
        return th_fail(error, TH_FORBIDDEN, "status-address", "状态列表的地址不属于签发方", "The status list's address is not the issuer's");
    if (strcmp(issuer->code, certs->code) == 0 && th_list_of_uri(certs, uri, &list))
        return own_find(certs, list, place, arena, ret_found, error);
    th_status status = told_find(certs, uri, place, arena, &t, error);
    if (status)
        return status;
    if (t.there && t.value == TH_STATUS_INVALID) { /* for good: no list can say otherwise */
        *ret_found = (th_status_found){t.value, "told", t.at_us};
        return TH_OK;
    }
    if (!kept_find(certs, uri, place, th_now_us(certs->options.env), &status, &value, &version, &at, error)) {
        status = list_fetch(certs, trust, issuer, uri, arena, error);
        if (!status && !kept_find(certs, uri, place, th_now_us(certs->options.env), &status, &value, &version, &at, error))
            status = unreachable(error);
    }
    if (t.there && (status ? t.value != TH_STATUS_VALID : t.version > version)) { /* the list is not there, or older than what was told */
        *ret_found = (th_status_found){t.value, "told", t.at_us};
        return TH_OK;
    }
    if (!status)
        *ret_found = (th_status_found){value, "list", at};
    return status;
}
