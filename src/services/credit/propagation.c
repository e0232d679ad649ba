/* propagation.c — has every copy heard? Own records whose newest version a member has not acknowledged, and one digest over all records, so that two
 * members can see at a glance that they hold the same. */
#include "credit-private.h"

#include <stdio.h>
#include <string.h>

static th_status waiting_write(th_credit *c, th_db *db, th_arena *arena, th_pen *pen, int64_t *ret_n, th_error *error)
{
    th_trust *trust = th_exchange_trust(c->exchange);
    th_status status = TH_OK;
    th_pen_key(pen, "waiting");
    th_pen_array(pen);
    for (size_t i = 0; trust && !status && i < trust->member_count; i++) {
        th_rows rows;
        if (strcmp(trust->members[i].code, c->code) == 0)
            continue;
        th_value values[] = {th_v_text(th_str_of(c->code)), th_v_text(th_str_of(trust->members[i].code))};
        status = th_db_select(db,
                              "SELECT r.id, r.doc_no, r.state, r.version, r.updated_at FROM credit_record r WHERE r.owner = ?1 AND NOT EXISTS "
                              "(SELECT 1 FROM credit_ack a WHERE a.id = r.id AND a.member = ?2 AND a.version >= r.version) ORDER BY r.id LIMIT 500",
                              values, 2, arena, &rows, error);
        for (size_t k = 0; !status && k < rows.n; k++) {
            const th_value *row = th_row(&rows, k);
            th_pen_object(pen);
            th_pen_ktext(pen, "member", trust->members[i].code);
            th_pen_kstr(pen, "id", row[0].s);
            th_pen_kstr(pen, "doc_no", row[1].s);
            th_pen_kstr(pen, "state", row[2].s);
            th_pen_kint(pen, "version", row[3].i);
            th_pen_ktime(pen, "since", row[4].i);
            th_pen_end(pen, '}');
            ++*ret_n;
        }
    }
    th_trust_release(trust);
    th_pen_end(pen, ']');
    return status;
}

typedef struct digesting {
    th_hash hash;
    int64_t n;
} digesting;

static bool digest_row(void *ctx, const th_value *row, int columns)
{
    digesting *d = ctx;
    char version[24];
    (void)columns;
    int length = snprintf(version, sizeof version, "/%lld/", (long long)row[1].i);
    th_str parts[] = {{(const char *)d->hash.b, TH_HASH_SIZE}, row[0].s, {version, (size_t)length}, row[2].s};
    d->hash = th_hash_of(TH_SUITE_ED25519, parts, TH_COUNT(parts));
    d->n++;
    return true;
}

th_handled th_credit_propagation(th_request *rq)
{
    th_credit *c = rq->module;
    th_db *db;
    digesting d = {0};
    int64_t waiting = 0;
    char hex[TH_HEX_HASH];
    th_status status = th_store_acquire(c->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    status = waiting_write(c, db, &rq->arena, &pen, &waiting, &rq->error);
    if (!status)
        status = th_db_each(db, "SELECT id, version, state FROM credit_record ORDER BY id", NULL, 0, digest_row, &d, &rq->error);
    th_store_release(c->store, db);
    if (status) {
        th_buf_open(&rq->out, &rq->arena, 64 * 1024);
        return th_reply_problem(rq, status, NULL);
    }
    th_hex(d.hash.b, TH_HASH_SIZE, hex);
    th_pen_kint(&pen, "copies_not_updated", waiting);
    th_pen_kint(&pen, "records", d.n);
    th_pen_ktext(&pen, "digest", hex);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}
