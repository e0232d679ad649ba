/* key_routes.c — API keys of outside systems, as an operator makes and revokes them. The text of a key is told once and kept nowhere. */
#include "people-private.h"

#include <string.h>

enum { KEY_NAME_MAX = 80, OFFICE_MAX = 32 };

static void key_write(th_pen *pen, const th_value *row)
{
    th_pen_object(pen);
    th_pen_kstr(pen, "id", row[0].s);
    th_pen_kstr(pen, "name", row[1].s);
    th_pen_key(pen, "office");
    th_pen_object(pen);
    th_pen_kstr(pen, "code", row[2].s);
    th_pen_kstr(pen, "zh", row[5].s.n ? row[5].s : row[2].s);
    th_pen_kstr(pen, "en", row[6].s.n ? row[6].s : row[2].s);
    th_pen_end(pen, '}');
    th_pen_ktime(pen, "made", row[3].i);
    th_pen_kbool(pen, "revoked", row[4].i != 0);
    th_pen_end(pen, '}');
}

th_handled th_keys_get(th_request *rq)
{
    th_people *people = rq->module;
    th_db *db;
    th_rows keys, offices = {0};
    th_status status = th_store_acquire(people->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_select(db,
                          "SELECT k.id, k.name, k.office, k.made_at, k.disabled, o.name_zh, o.name_en FROM people_key k "
                          "LEFT JOIN people_office o ON o.code = k.office ORDER BY k.disabled, k.made_at DESC LIMIT 500",
                          NULL, 0, &rq->arena, &keys, &rq->error);
    if (!status)
        status = th_db_select(db, "SELECT code, name_zh, name_en FROM people_office ORDER BY code", NULL, 0, &rq->arena, &offices,
                              &rq->error);
    th_store_release(people->options.store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < keys.n; i++)
        key_write(&pen, th_row(&keys, i));
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "offices");
    th_pen_array(&pen);
    for (size_t i = 0; i < offices.n; i++) {
        th_pen_object(&pen);
        th_pen_kstr(&pen, "code", th_row(&offices, i)[0].s);
        th_pen_kstr(&pen, "zh", th_row(&offices, i)[1].s);
        th_pen_kstr(&pen, "en", th_row(&offices, i)[2].s);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

/* Is there such an office at this node? A key speaks for one, and what it asks is shown to people under that office's name. */
static th_status office_check(th_request *rq, th_str office)
{
    th_people *people = rq->module;
    th_db *db;
    const th_value *row;
    th_value value = th_v_text(office);
    th_status status = th_store_acquire(people->options.store, &db, &rq->error);
    if (status)
        return status;
    status = th_db_one(db, "SELECT code FROM people_office WHERE code = ?1", &value, 1, &rq->arena, &row, &rq->error);
    th_store_release(people->options.store, db);
    if (status == TH_NOT_FOUND)
        return th_fail_field(&rq->error, "/office", "no-office", "本节点没有这个部门", "This node has no such office");
    return status;
}

th_handled th_keys_post(th_request *rq)
{
    static const char *const allowed[] = {"name", "office", NULL};
    th_str name, office, key;
    bool ok = th_json_only(rq->json, "", allowed, &rq->error);
    ok = th_json_want_str(rq->json, "", "name", KEY_NAME_MAX, &name, &rq->error) && ok;
    ok = th_json_want_str(rq->json, "", "office", OFFICE_MAX, &office, &rq->error) && ok;
    if (ok && th_str_has_controls(name))
        ok = !th_fail_field(&rq->error, "/name", "text", "名称不能含有控制字符", "The name must not hold control characters");
    th_status status = ok ? office_check(rq, office) : TH_INVALID;
    if (!status)
        status = th_people_add_key(rq->module, name, office, &rq->arena, &key, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_str rest = key, id;
    TH_ASSERT(th_str_cut(&rest, '_', &id) && th_str_cut(&rest, '_', &id));
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id", id);
    th_pen_kstr(&pen, "key", key);
    th_pen_end(&pen, '}');
    rq->told_once = true;
    th_reply_header(rq, "Cache-Control", TH_STR("no-store"));
    return th_reply_json(rq, 201);
}

typedef struct revoking {
    th_people *people;
    th_str id;
} revoking;

static th_status revoke_apply(void *ctx, th_db *db, th_error *error)
{
    revoking *r = ctx;
    int64_t changed;
    th_value value = th_v_text(r->id);
    th_status status = th_db_exec(db, "UPDATE people_key SET disabled = 1 WHERE id = ?1 AND disabled = 0", &value, 1, &changed, error);
    if (!status && !changed)
        return th_fail(error, TH_NOT_FOUND, "no-key", "没有这个有效的接口密钥", "There is no such key in force");
    return status ? status : th_people_event_add(r->people, db, r->id, "key-revoked", error);
}

th_status th_people_revoke_key(th_people *people, th_str id, th_error *error)
{
    revoking r = {people, id};
    th_status status = th_people_write(people, revoke_apply, &r, error);
    th_key_cache_forget(people->keys);
    return status;
}

th_handled th_keys_revoke(th_request *rq)
{
    th_status status = th_people_revoke_key(rq->module, rq->params[0], &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    return th_reply_bytes(rq, 200, "application/json", TH_STR("{}"));
}
