/* lists.c — this node's status lists: read from the table, as they stand or as they stood, and signed. */
#include "certificates-private.h"

#include <string.h>

static const char path[] = "/certificates/v1/statuslists/";

th_str th_list_uri(const th_certificates *certs, int64_t list, th_arena *arena)
{
    return th_strf(arena, "%s%s%lld", certs->portal, path, (long long)list);
}

bool th_list_of_uri(const th_certificates *certs, th_str uri, int64_t *ret_list)
{
    size_t portal = strlen(certs->portal), whole = portal + sizeof path - 1;
    return uri.n > whole && memcmp(uri.p, certs->portal, portal) == 0 && memcmp(uri.p + portal, path, sizeof path - 1) == 0 &&
           th_parse_i64((th_str){uri.p + whole, uri.n - whole}, 1, INT64_MAX, ret_list);
}

typedef struct filling {
    uint8_t *bytes;
    int64_t places, version;
} filling;

static bool place_put(void *ctx, const th_value *row, int columns)
{
    filling *f = ctx;
    if (row[0].i >= 0 && row[0].i < f->places)
        th_status_put(f->bytes, TH_LIST_BITS, (uint64_t)row[0].i, (unsigned)row[1].i);
    if (columns == 3)
        f->version = row[2].i;
    return true;
}

th_status th_list_read(th_certificates *certs, th_db *db, int64_t list, int64_t at_us, th_arena *arena, th_status_list *ret_list, th_error *error)
{
    const th_value *row;
    th_value values[] = {th_v_int(list), th_v_int(at_us)};
    int64_t now = th_now_us(certs->options.env);
    th_status status = th_db_one(db, "SELECT places, version, made_at FROM certificates_list WHERE list = ?1", values, 1, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-list", "没有这个状态列表", "There is no such status list");
    if (status)
        return status;
    if (at_us && at_us < row[2].i)
        return th_fail(error, TH_NOT_FOUND, "no-list", "当时还没有这个状态列表", "There was no such list then");
    size_t n = th_status_bytes(TH_LIST_BITS, (uint64_t)row[0].i);
    filling f = {.bytes = th_alloc(arena, n), .places = row[0].i, .version = at_us ? 0 : row[1].i};
    if (!f.bytes)
        return TH_NO_MEMORY;
    if (at_us)
        status = th_db_each(db, "SELECT place, status, version FROM certificates_change WHERE list = ?1 AND at <= ?2 ORDER BY version", values, 2, place_put, &f,
                            error);
    else
        status = th_db_each(db, "SELECT place, status FROM certificates_place WHERE list = ?1 AND status > 0", values, 1, place_put, &f, error);
    int64_t issued = at_us ? at_us : now;
    *ret_list = (th_status_list){.bits = TH_LIST_BITS,
                                 .bytes = {(const char *)f.bytes, n},
                                 .sub = th_list_uri(certs, list, arena),
                                 .issued_us = issued,
                                 .expires_us = issued + TH_LIST_DAYS * TH_DAY_US,
                                 .ttl_us = TH_LIST_TTL_S * TH_SECOND_US,
                                 .version = f.version};
    return status ? status : ret_list->sub.p ? TH_OK : TH_NO_MEMORY;
}

static th_status token_make(th_certificates *certs, th_db *db, int64_t list, int64_t at_us, th_arena *arena, th_str *ret_token, int64_t *ret_version,
                            th_error *error)
{
    th_status_list read;
    th_str kid;
    const th_key *key = th_signing_key(certs, &kid);
    th_status status = th_list_read(certs, db, list, at_us, arena, &read, error);
    if (status)
        return status;
    *ret_version = read.version;
    th_str all = th_strf(arena, "%s/certificates/v1/statuslists", certs->portal);
    return th_status_token(&read, key, kid, all, arena, ret_token, error);
}

/* A copy of the token that is still right, or nothing. */
static bool own_find(th_certificates *certs, int64_t list, int64_t version, int64_t now_us, th_arena *arena, th_str *ret_token)
{
    bool found = false;
    pthread_mutex_lock(&certs->lock);
    th_list_signed *s = &certs->own[list % TH_LIST_CACHE];
    if (s->token.p && s->list == list && s->version == version && now_us - s->signed_us < TH_LIST_TTL_S * TH_SECOND_US / 4 && now_us >= s->signed_us) {
        *ret_token = th_str_keep(arena, s->token);
        found = ret_token->p != NULL;
    }
    pthread_mutex_unlock(&certs->lock);
    return found;
}

static void own_keep(th_certificates *certs, int64_t list, int64_t version, int64_t now_us, th_str token)
{
    pthread_mutex_lock(&certs->lock);
    th_list_signed *s = &certs->own[list % TH_LIST_CACHE];
    if (s->token.p)
        th_arena_close(&s->arena);
    th_arena_open(&s->arena, token.n + 8192);
    *s = (th_list_signed){.list = list, .version = version, .signed_us = now_us, .arena = s->arena};
    s->token = th_str_keep(&s->arena, token);
    pthread_mutex_unlock(&certs->lock);
}

th_status th_list_token(th_certificates *certs, th_db *db, int64_t list, int64_t at_us, th_arena *arena, th_str *ret_token, th_error *error)
{
    const th_value *row;
    th_value value = th_v_int(list);
    int64_t now = th_now_us(certs->options.env), version;
    if (at_us)
        return token_make(certs, db, list, at_us, arena, ret_token, &version, error);
    th_status status = th_db_one(db, "SELECT version FROM certificates_list WHERE list = ?1", &value, 1, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-list", "没有这个状态列表", "There is no such status list");
    if (status || own_find(certs, list, row[0].i, now, arena, ret_token))
        return status;
    status = token_make(certs, db, list, 0, arena, ret_token, &version, error);
    if (!status)
        own_keep(certs, list, version, now, *ret_token);
    return status;
}

void th_lists_close(th_certificates *certs)
{
    for (size_t i = 0; i < TH_LIST_CACHE; i++) {
        if (certs->own[i].token.p)
            th_arena_close(&certs->own[i].arena);
        if (certs->kept[i].uri[0])
            th_arena_close(&certs->kept[i].arena);
    }
}
