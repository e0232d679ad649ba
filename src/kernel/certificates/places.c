/* places.c — where a new certificate's status will stand: drawn by chance, so that neighbours in a list tell nothing of each other. */
#include "certificates-private.h"

enum { TRIES = 200 };

static th_status list_begin(th_db *db, int64_t list, int64_t now_us, th_error *error)
{
    th_value values[] = {th_v_int(list), th_v_int(TH_LIST_PLACES), th_v_int(now_us)};
    return th_db_exec(db, "INSERT INTO certificates_list (list, places, used, version, made_at) VALUES (?1, ?2, 0, 0, ?3)", values, 3, NULL, error);
}

/* The newest list, or a new one when half of it is given away: then a draw rarely meets a taken place. */
static th_status list_choose(th_certificates *certs, th_db *db, th_arena *arena, int64_t *ret_list, th_error *error)
{
    const th_value *row;
    th_status status = th_db_one(db, "SELECT list, used, places FROM certificates_list ORDER BY list DESC LIMIT 1", NULL, 0, arena, &row, error);
    if (status && status != TH_NOT_FOUND)
        return status;
    if (!status && row[1].i < row[2].i / 2) {
        *ret_list = row[0].i;
        return TH_OK;
    }
    *ret_list = status ? 1 : row[0].i + 1;
    return list_begin(db, *ret_list, th_now_us(certs->options.env), error);
}

static th_status place_try(th_certificates *certs, th_db *db, const char *certificate, int64_t list, int64_t *ret_place, th_error *error)
{
    uint32_t chance;
    int64_t changed = 0;
    certs->options.env->random(certs->options.env->ctx, &chance, sizeof chance);
    *ret_place = chance % TH_LIST_PLACES; /* a power of two: no place is likelier */
    th_value values[] = {th_v_int(list), th_v_int(*ret_place), th_v_text(th_str_of(certificate))};
    th_status status = th_db_exec(db,
                                  "INSERT INTO certificates_place (list, place, certificate, status) VALUES (?1, ?2, ?3, 0) "
                                  "ON CONFLICT (list, place) DO NOTHING",
                                  values, 3, &changed, error);
    return status ? status : changed == 1 ? TH_OK : TH_CONFLICT;
}

th_status th_place_take(th_certificates *certs, th_db *db, const char *certificate, int64_t *ret_list, int64_t *ret_place, th_error *error)
{
    th_arena arena;
    th_arena_open(&arena, 64 * 1024);
    th_status status = list_choose(certs, db, &arena, ret_list, error);
    th_arena_close(&arena);
    if (status)
        return status;
    status = TH_CONFLICT;
    for (int tries = 0; status == TH_CONFLICT && tries < TRIES; tries++)
        status = place_try(certs, db, certificate, *ret_list, ret_place, error);
    if (status)
        return th_fail(error, status, "status-places", "状态列表没有空位", "The status list has no free place");
    th_value value = th_v_int(*ret_list);
    return th_db_exec(db, "UPDATE certificates_list SET used = used + 1 WHERE list = ?1", &value, 1, NULL, error);
}
