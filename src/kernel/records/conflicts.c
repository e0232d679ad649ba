/* conflicts.c — records that contradict each other: tickets for people to look into, and until they have, no answer but "indeterminate".
 *
 * Two kinds. "duplicate": one import had two different rows of one key (a person married twice); this node found it, and answers about that
 * key are indeterminate while the ticket is open. "nodes": answers of several nodes about one person do not fit together; whoever asked them
 * writes the ticket at home and tells the nodes concerned, whose own answers stay as they are until they have looked (a peer's word
 * alone must not silence a register). */
#include "records-private.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 100, DETAIL_MAX = 4096 };

/* ---- which keys are in dispute here ---- */

static int key_order(const void *a, const void *b)
{
    return memcmp(a, b, TH_RECORD_KEY);
}

bool th_conflict_open(th_records *records, const uint8_t key[TH_RECORD_KEY])
{
    if (!atomic_load(&records->conflict_count))
        return false;
    pthread_mutex_lock(&records->lock);
    bool found = bsearch(key, records->conflicts, atomic_load(&records->conflict_count), TH_RECORD_KEY, key_order) != NULL;
    pthread_mutex_unlock(&records->lock);
    return found;
}

typedef struct loading {
    uint8_t (*keys)[TH_RECORD_KEY];
    size_t n, room;
} loading;

static bool key_load(void *ctx, const th_value *row, int columns)
{
    loading *l = ctx;
    (void)columns;
    if (row[0].s.n == TH_RECORD_KEY && l->n < l->room)
        memcpy(l->keys[l->n++], row[0].s.p, TH_RECORD_KEY);
    return true;
}

/* However many there are: an import of a neglected register opens one for each of its doubles. */
static th_status keys_load(th_db *db, loading *l, th_error *error)
{
    th_arena arena;
    const th_value *row;
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_db_snapshot_begin(db);
    if (!status) {
        status = th_db_one(db, "SELECT COUNT(*) FROM records_conflict WHERE state = 'open' AND kind = 'duplicate'", NULL, 0, &arena, &row, error);
        l->room = status ? 0 : (size_t)row[0].i;
        l->keys = status ? NULL : th_new((l->room + 1) * TH_RECORD_KEY);
        if (!status && !l->keys)
            status = TH_NO_MEMORY;
        if (!status)
            status = th_db_each(db, "SELECT key FROM records_conflict WHERE state = 'open' AND kind = 'duplicate'", NULL, 0, key_load, l, error);
        th_db_snapshot_end(db);
    }
    th_arena_close(&arena);
    return status;
}

th_status th_conflicts_load(th_records *records, th_error *error)
{
    th_db *db;
    loading l = {0};
    th_status status = th_store_acquire(records->options.store, &db, error);
    if (status)
        return status;
    status = keys_load(db, &l, error);
    th_store_release(records->options.store, db);
    uint8_t(*keys)[TH_RECORD_KEY] = l.keys;
    size_t n = l.n;
    if (status) {
        th_free(keys);
        return status;
    }
    qsort(keys, n, TH_RECORD_KEY, key_order);
    pthread_mutex_lock(&records->lock);
    uint8_t(*old)[TH_RECORD_KEY] = records->conflicts;
    records->conflicts = keys;
    atomic_store(&records->conflict_count, n);
    pthread_mutex_unlock(&records->lock);
    th_free(old);
    return TH_OK;
}

/* ---- tickets ---- */

th_status th_conflict_put(th_records *records, th_db *db, const th_ticket *t, th_error *error)
{
    char id[TH_ID_TEXT];
    th_arena arena;
    th_str sealed;
    th_arena_open(&arena, 256 * 1024);
    th_uuid7(records->options.env, id);
    /* Who it is about, for the operator who has to find the papers; sealed like everything else about people. */
    th_status status = th_seal(records->options.env, records->options.secret, t->keys_json, TH_STR("tonghui/v1/conflict"), &arena, &sealed);
    th_value values[] = {th_v_text(th_str_of(id)),
                         th_v_text(t->reg),
                         th_v_int(t->version),
                         th_v_blob(t->key, TH_RECORD_KEY),
                         th_v_text(th_str_of(t->kind)),
                         th_v_text(t->detail),
                         th_v_blob(sealed.p, sealed.n),
                         th_v_int(th_now_us(records->options.env))};
    if (!status) /* one open ticket of a kind and key is enough */
        status = th_db_exec(db,
                            "INSERT INTO records_conflict (id, register, version, key, kind, detail, sealed, at, state) "
                            "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open' WHERE NOT EXISTS (SELECT 1 FROM records_conflict "
                            "WHERE register = ?2 AND key = ?4 AND kind = ?5 AND state = 'open')",
                            values, TH_COUNT(values), NULL, error);
    th_arena_close(&arena);
    return status;
}

/* A new version of a register is live: what its forerunner had in dispute is over, unless it was found again. */
th_status th_conflicts_supersede(th_records *records, th_db *db, th_str reg, int64_t version, th_error *error)
{
    th_value values[] = {th_v_text(reg), th_v_int(version), th_v_int(th_now_us(records->options.env))};
    return th_db_exec(db,
                      "UPDATE records_conflict SET state = 'superseded', closed_at = ?3 "
                      "WHERE register = ?1 AND version < ?2 AND kind = 'duplicate' AND state = 'open'",
                      values, 3, NULL, error);
}

/* ---- another node says that answers did not fit together ---- */

th_status th_conflict_arrived(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_records *records = ctx;
    th_str name, keys[TH_REGISTER_KEYS_MAX];
    const th_json *key, *claims, *nodes;
    th_buf detail;
    bool ok = th_json_want_str(m->body, "/body", "register", 64, &name, error);
    ok = th_json_want_object(m->body, "/body", "key", &key, error) && ok;
    ok = th_json_want_array(m->body, "/body", "claims", TH_CLAIMS_MAX, &claims, error) && ok;
    ok = th_json_want_array(m->body, "/body", "nodes", TH_MEMBERS_MAX, &nodes, error) && ok;
    th_register *reg = ok ? th_register_find(records, name) : NULL;
    if (ok && !reg)
        return th_fail_field(error, "/body/register", "no-register", "没有这个登记簿", "There is no such register");
    for (size_t i = 0; ok && i < reg->key_count; i++)
        ok = th_field_check(reg->keys[i], th_json_get_str(key, reg->keys[i]->name), "/body/key", th_now_us(records->options.env), arena, &keys[i],
                            error);
    if (!ok)
        return TH_INVALID;
    th_ticket ticket = {.reg = reg->name, .kind = "nodes", .keys_json = key->raw};
    th_record_key(records, reg, keys, ticket.key);
    th_buf_open(&detail, arena, DETAIL_MAX);
    th_pen pen = th_pen_on(&detail);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "told_by", m->from);
    th_pen_kraw(&pen, "claims", claims->raw);
    th_pen_kraw(&pen, "nodes", nodes->raw);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&detail))
        return TH_TOO_LARGE;
    ticket.detail = th_buf_view(&detail);
    answer->body = TH_STR("{}");
    answer->reg = reg->name;
    answer->fields = TH_STR("conflict");
    return th_conflict_put(records, db, &ticket, error);
}

/* ---- the operator's pages ---- */

static void ticket_write(th_records *records, th_pen *pen, const th_value *row, th_arena *arena)
{
    th_str keys;
    const th_json *json;
    th_pen_object(pen);
    th_pen_kstr(pen, "id", row[0].s);
    th_pen_kstr(pen, "register", row[1].s);
    th_pen_kstr(pen, "kind", row[2].s);
    th_pen_kraw(pen, "detail", row[3].s);
    th_pen_ktime(pen, "at", row[5].i);
    th_pen_kstr(pen, "state", row[6].s);
    th_pen_ktime(pen, "closed", row[7].i);
    th_pen_kstr(pen, "note", row[8].s);
    /* The person's number only masked: the register itself is where it is looked up. */
    th_register *reg = th_register_find(records, row[1].s);
    th_pen_key(pen, "key");
    th_pen_object(pen);
    if (reg && th_unseal(records->options.secret, row[4].s, TH_STR("tonghui/v1/conflict"), arena, &keys) == TH_OK &&
        th_json_parse(keys, arena, &json, NULL) == TH_OK)
        for (size_t i = 0; i < reg->key_count; i++) {
            th_str value = th_json_str(json, reg->keys[i]->name.p ? th_str_keep(arena, reg->keys[i]->name).p : "");
            th_pen_key_str(pen, reg->keys[i]->name);
            th_pen_str(pen, reg->keys[i]->format == TH_FORMAT_CITIZEN ? th_field_masked(reg->keys[i], value, arena) : value);
        }
    th_pen_end(pen, '}');
    th_pen_end(pen, '}');
}

th_handled th_conflicts_get(th_request *rq)
{
    th_records *records = rq->module;
    th_db *db;
    th_rows rows;
    th_str state = th_request_query(rq, "state"), cursor = th_request_query(rq, "cursor");
    th_value values[] = {th_v_text(state.n ? state : TH_STR("open")), th_v_text(cursor.n ? cursor : TH_STR("~")), th_v_int(PAGE)};
    th_status status = th_store_acquire(records->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = th_db_select(db,
                          "SELECT id, register, kind, detail, sealed, at, state, closed_at, note FROM records_conflict "
                          "WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                          values, TH_COUNT(values), &rq->arena, &rows, &rq->error);
    th_store_release(records->options.store, db);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++)
        ticket_write(records, &pen, th_row(&rows, i), &rq->arena);
    th_pen_end(&pen, ']');
    th_pen_kstr(&pen, "next", rows.n == PAGE ? th_row(&rows, rows.n - 1)[0].s : (th_str){NULL, 0});
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

typedef struct closing {
    th_request *rq;
    th_str note;
} closing;

static th_status close_apply(void *ctx, th_db *db, th_error *error)
{
    closing *c = ctx;
    th_records *records = c->rq->module;
    int64_t changed;
    th_value values[] = {th_v_text(c->rq->params[0]), th_v_int(th_now_us(records->options.env)), th_v_text(c->rq->who.account), th_v_text(c->note)};
    th_status status = th_db_exec(db,
                                  "UPDATE records_conflict SET state = 'closed', closed_at = ?2, closed_by = ?3, note = ?4 "
                                  "WHERE id = ?1 AND state = 'open'",
                                  values, TH_COUNT(values), &changed, error);
    if (!status && !changed)
        status = th_fail(error, TH_NOT_FOUND, "no-conflict", "没有这张未结的冲突单", "There is no such open ticket");
    return status;
}

th_handled th_conflict_close(th_request *rq)
{
    static const char *const members[] = {"note", NULL};
    closing c = {.rq = rq};
    if (!th_json_only(rq->json, "", members, &rq->error) || !th_json_want_str(rq->json, "", "note", 400, &c.note, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    if (!c.note.n)
        return th_reply_problem(rq, th_fail_field(&rq->error, "/note", "required", "请写明核对的结论", "Say what was found"), NULL);
    th_status status = th_records_write(rq->module, close_apply, &c, &rq->error);
    if (!status)
        status = th_conflicts_load(rq->module, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "state", "closed");
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}
