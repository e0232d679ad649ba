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
    int64_t first;
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

#define PROOF_COLUMNS "b.request, b.answer, b.log, b.first, b.proof, s.line"

/* The batch in which `id` was asked here or, failing that, answered here: ids are each member's own, so every member is tried. */
static th_status batch_of(th_exchange *ex, th_db *db, th_str id, th_arena *arena, const th_value **ret_row, bool *ret_asked, th_error *error)
{
    uint8_t bytes[TH_ID_BYTES];
    if (!th_uuid_bytes(id, bytes))
        return TH_NOT_FOUND;
    th_value key[] = {th_v_blob(bytes, TH_ID_BYTES), th_v_null()};
    th_status status = th_db_one(db, "SELECT " PROOF_COLUMNS " FROM exchange_sent s JOIN exchange_batch b ON b.id = s.batch WHERE s.id = ?1",
                                 key, 1, arena, ret_row, error);
    *ret_asked = status == TH_OK;
    th_trust *trust = status == TH_NOT_FOUND ? th_exchange_trust(ex) : NULL;
    for (size_t i = 0; status == TH_NOT_FOUND && trust && i < trust->member_count; i++) {
        key[1] = th_v_text(th_str_of(trust->members[i].code));
        status = th_db_one(db,
                           "SELECT " PROOF_COLUMNS " FROM exchange_seen s JOIN exchange_batch b ON b.id = s.batch "
                           "WHERE s.id = ?1 AND s.origin = ?2",
                           key, 2, arena, ret_row, error);
    }
    th_trust_release(trust);
    return status;
}

th_status th_exchange_lines(th_exchange *ex, th_db *db, th_str id, th_arena *arena, th_str *ret_message, th_str *ret_answer,
                            th_error *error)
{
    const th_value *row;
    bool asked;
    th_status status = batch_of(ex, db, id, arena, &row, &asked, error);
    if (status)
        return status;
    *ret_message = line_of(row[0].s, row[5].i);
    *ret_answer = line_of(row[1].s, row[5].i);
    return TH_OK;
}

th_handled th_exchange_receipt_get(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_db *db = NULL;
    const th_value *row;
    bool asked;
    th_arena *arena = &rq->arena;
    th_status status = th_store_acquire(ex->store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    status = batch_of(ex, db, rq->params[0], arena, &row, &asked, &rq->error);
    if (status) {
        th_store_release(ex->store, db);
        if (status == TH_NOT_FOUND)
            th_fail(&rq->error, status, "no-message", "本节点没有这条报文", "This node has no such message");
        return th_reply_problem(rq, status, NULL);
    }
    proof p = {.request = row[0].s, .answer = row[1].s, .log = row[2].s, .first = row[3].i, .trailer = row[4].s};
    int64_t line = row[5].i;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "direction", asked ? "asked" : "answered");
    if (rq->who.roles & TH_ROLE_AUDITOR) { /* bodies hold what was asked about a person: the auditor's duty, nobody else's */
        th_pen_kstr(&pen, "message", line_of(p.request, line));
        th_pen_kstr(&pen, "answer", line_of(p.answer, line));
    }
    th_pen_key(&pen, "receipts");
    th_pen_array(&pen);
    own_receipt(db, &pen, p.log, p.first + line, arena);
    if (asked && p.trailer.n && p.request.n && p.answer.n)
        TH_IGNORE(provider_receipt(ex, &p, line, arena, &pen));
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_store_release(ex->store, db);
    return th_reply_json(rq, 200);
}
