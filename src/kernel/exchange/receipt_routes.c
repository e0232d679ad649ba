/* receipt_routes.c — the receipts of one message: ours from our journal, the provider's from what its trailer proved. */
#include "routes-private.h"

#include <string.h>

static void own_receipt(th_db *db, th_pen *pen, th_str log, int64_t index, th_arena *arena)
{
    th_receipt receipt = {.index = (uint64_t)index};
    th_hash *path = th_alloc_array(arena, TH_MERKLE_DEPTH, sizeof *path);
    if (!path || th_journal_head_last(db, log, &receipt.head, NULL) ||
        th_journal_entry(db, log, receipt.index, arena, &receipt.entry, NULL) ||
        th_journal_inclusion(db, &receipt.head, receipt.index, path, &receipt.path_n, NULL))
        return;
    receipt.path = path;
    th_receipt_write(pen, &receipt);
}

static th_str line_of(th_str body, int64_t index)
{
    th_str rest = body, line = {NULL, 0};
    for (int64_t i = 0; i <= index; i++)
        if (!th_str_cut(&rest, '\n', &line))
            return (th_str){NULL, 0};
    return line;
}

typedef struct proof { /* what is stored of one answered batch */
    th_str request, answer, trailer;
    int64_t first, line;
    th_str log;
} proof;

/* The provider's receipt, cut from the stored batch: the same rebuilding that checked it when it came. */
static th_status provider_receipt(th_exchange *ex, const proof *p, int64_t line, th_arena *arena, th_pen *pen)
{
    th_receipt receipt;
    th_status status = th_receipt_cut(ex, p->request, p->answer, p->trailer, (size_t)line, arena, &receipt);
    if (!status)
        th_receipt_write(pen, &receipt);
    return status;
}

/* The batch in which `id` was asked here or, failing that, answered here: ids are each member's own, so every member is tried. */
static th_status batch_of(th_exchange *ex, th_db *db, th_str id, th_arena *arena, proof *ret, bool *ret_asked, th_error *error)
{
    const th_value *row;
    th_id one = {0};
    if (!th_uuid_bytes(id, one.bytes))
        return TH_NOT_FOUND;
    th_status status = th_ids_look(db, TH_IDS_SENT, TH_STR(""), &one, 1, error);
    *ret_asked = one.known;
    th_trust *trust = one.known ? NULL : th_exchange_trust(ex);
    for (size_t i = 0; !status && !one.known && trust && i < trust->member_count; i++)
        status = th_ids_look(db, TH_IDS_SEEN, th_str_of(trust->members[i].code), &one, 1, error);
    th_trust_release(trust);
    if (status || !one.known)
        return status ? status : TH_NOT_FOUND;
    th_value key = th_v_blob(one.batch, TH_ID_BYTES);
    status = th_db_one(db, "SELECT request, answer, log, first, proof FROM exchange_batch WHERE id = ?1", &key, 1, arena, &row, error);
    th_str batch = {(const char *)one.batch, TH_ID_BYTES}, request = {NULL, 0}, answer = {NULL, 0};
    if (!status)
        status = th_body_open(ex, "request", batch, row[0].s, arena, &request, error);
    if (!status)
        status = th_body_open(ex, "answer", batch, row[1].s, arena, &answer, error);
    if (!status)
        *ret = (proof){.request = request, .answer = answer, .log = row[2].s, .first = row[3].i, .trailer = row[4].s, .line = one.line};
    return status;
}

th_status th_exchange_lines(th_exchange *ex, th_db *db, th_str id, th_arena *arena, th_str *ret_message, th_str *ret_answer,
                            th_error *error)
{
    proof p;
    bool asked;
    th_status status = batch_of(ex, db, id, arena, &p, &asked, error);
    if (status)
        return status;
    *ret_message = line_of(p.request, p.line);
    *ret_answer = line_of(p.answer, p.line);
    return TH_OK;
}

static void receipts_write(th_exchange *ex, th_db *db, const proof *p, bool asked, th_arena *arena, th_pen *pen)
{
    th_pen_array(pen);
    own_receipt(db, pen, p->log, p->first + p->line, arena);
    if (asked && p->trailer.n && p->request.n && p->answer.n)
        TH_IGNORE(provider_receipt(ex, p, p->line, arena, pen));
    th_pen_end(pen, ']');
}

th_status th_exchange_receipts(th_exchange *ex, th_db *db, th_str id, th_arena *arena, th_str *ret_json, th_error *error)
{
    proof p;
    bool asked;
    th_buf buf;
    th_status status = batch_of(ex, db, id, arena, &p, &asked, error);
    if (status)
        return status;
    th_buf_open(&buf, arena, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    receipts_write(ex, db, &p, asked, arena, &pen);
    *ret_json = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

th_handled th_exchange_receipt_get(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_db *db = NULL;
    proof p;
    bool asked;
    th_arena *arena = &rq->arena;
    th_status status = th_store_acquire(ex->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = batch_of(ex, db, rq->params[0], arena, &p, &asked, &rq->error);
    if (status) {
        th_store_release(ex->store, db);
        if (status == TH_NOT_FOUND)
            th_fail(&rq->error, status, "no-message", "本节点没有这条报文", "This node has no such message");
        return th_reply_problem(rq, status, NULL);
    }
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "direction", asked ? "asked" : "answered");
    if (rq->who.roles & TH_ROLE_AUDITOR) { /* bodies hold what was asked about a person: the auditor's duty, nobody else's */
        th_pen_kstr(&pen, "message", line_of(p.request, p.line));
        th_pen_kstr(&pen, "answer", line_of(p.answer, p.line));
    }
    th_pen_key(&pen, "receipts");
    receipts_write(ex, db, &p, asked, arena, &pen);
    th_pen_end(&pen, '}');
    th_store_release(ex->store, db);
    return th_reply_json(rq, 200);
}
