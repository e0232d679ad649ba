/* ids.c — which message lies in which batch: one row for all ids of a batch, or of as many of them as were made within a second.
 *
 * A row a message cost more than anything else that the writer did for it. Ids are UUIDv7: those of a batch were made close together, so
 * they stand in one row under the last of them, and a look for an id need only go through rows that end within a second behind it.
 * Whoever sends ids from all over time pays with a row for each. */
#include "exchange-private.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_MS = 1000, LINE_BYTES = 2 };

/* Kept of one id: itself, the leaf hash of what was answered (seen only), and its line in the batch; ascending. */
static size_t width_of(th_ids_kind kind)
{
    return TH_ID_BYTES + (kind == TH_IDS_SEEN ? TH_HASH_SIZE : 0) + LINE_BYTES;
}

static uint64_t ms_of(const uint8_t id[TH_ID_BYTES])
{
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id[i];
    return ms;
}

static void ms_set(uint8_t id[TH_ID_BYTES], uint64_t ms)
{
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
}

static int id_order(const void *a, const void *b)
{
    return memcmp(((const th_id *)a)->bytes, ((const th_id *)b)->bytes, TH_ID_BYTES);
}

static void ids_sort(th_id *ids, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (id_order(&ids[i - 1], &ids[i]) > 0) {
            qsort(ids, n, sizeof *ids, id_order);
            return;
        }
}

/* How many of `ids`, which ascend, go into one row. */
static size_t row_span(const th_id *ids, size_t n)
{
    size_t k = 1;
    while (k < n && ms_of(ids[k].bytes) - ms_of(ids[0].bytes) <= ROW_MS)
        k++;
    return k;
}

/* ---- writing ---- */

static th_str row_pack(th_ids_kind kind, const th_id *ids, size_t n, th_arena *arena)
{
    size_t width = width_of(kind);
    char *all = th_arena_room(arena, n * width), *at = all;
    for (size_t i = 0; all && i < n; i++) {
        memcpy(at, ids[i].bytes, TH_ID_BYTES);
        at += TH_ID_BYTES;
        if (kind == TH_IDS_SEEN) {
            memcpy(at, ids[i].leaf->b, TH_HASH_SIZE);
            at += TH_HASH_SIZE;
        }
        *at++ = (char)(ids[i].line >> 8);
        *at++ = (char)ids[i].line;
    }
    return (th_str){all, n * width};
}

th_status th_ids_put(th_db *db, th_ids_kind kind, th_str origin, const uint8_t batch[TH_ID_BYTES], th_id *ids, size_t n, th_arena *arena,
                     th_error *error)
{
    static const char *const inserts[] = {
        [TH_IDS_SENT] = "INSERT INTO exchange_sent (origin, last, batch, first, ids) VALUES (?1, ?2, ?3, ?4, ?5)",
        [TH_IDS_SEEN] = "INSERT INTO exchange_seen (origin, last, batch, first, ids) VALUES (?1, ?2, ?3, ?4, ?5)"};
    th_status status = TH_OK;
    ids_sort(ids, n);
    for (size_t at = 0, k; !status && at < n; at += k) {
        k = row_span(ids + at, n - at);
        th_str packed = row_pack(kind, ids + at, k, arena);
        if (!packed.p)
            return TH_NO_MEMORY;
        th_value row[] = {th_v_text(origin), th_v_blob(ids[at + k - 1].bytes, TH_ID_BYTES), th_v_blob(batch, TH_ID_BYTES),
                          th_v_blob(ids[at].bytes, TH_ID_BYTES), th_v_blob(packed.p, packed.n)};
        status = th_db_exec(db, inserts[kind], row, TH_COUNT(row), NULL, error);
    }
    return status;
}

/* ---- looking ---- */

typedef struct looking {
    th_ids_kind kind;
    th_id *ids;
    size_t n;
    th_status status;
} looking;

static bool packed_find(th_ids_kind kind, th_str packed, th_id *id)
{
    size_t width = width_of(kind), low = 0, high = packed.n / width;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *at = packed.p + middle * width;
        int order = memcmp(at, id->bytes, TH_ID_BYTES);
        if (order == 0) {
            const uint8_t *line = (const uint8_t *)at + width - LINE_BYTES;
            id->line = (uint16_t)(line[0] << 8 | line[1]);
            if (kind == TH_IDS_SEEN)
                memcpy(id->known_leaf.b, at + TH_ID_BYTES, TH_HASH_SIZE);
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool row_look(void *ctx, const th_value *row, int columns)
{
    looking *l = ctx;
    (void)columns;
    if (row[0].s.n != TH_ID_BYTES) {
        l->status = TH_CORRUPT;
        return false;
    }
    for (size_t i = 0; i < l->n; i++) {
        th_id found = l->ids[i];
        bool newer = !found.known || memcmp(row[0].s.p, found.batch, TH_ID_BYTES) > 0; /* what was sent again lies in two */
        if (!newer || !packed_find(l->kind, row[1].s, &found))
            continue;
        found.known = true;
        memcpy(found.batch, row[0].s.p, TH_ID_BYTES);
        l->ids[i] = found;
    }
    return true;
}

th_status th_ids_look(th_db *db, th_ids_kind kind, th_str origin, th_id *ids, size_t n, th_error *error)
{
    static const char *const selects[] = {
        [TH_IDS_SENT] = "SELECT batch, ids FROM exchange_sent WHERE origin = ?1 AND last >= ?2 AND last < ?3 AND first <= ?4",
        [TH_IDS_SEEN] = "SELECT batch, ids FROM exchange_seen WHERE origin = ?1 AND last >= ?2 AND last < ?3 AND first <= ?4"};
    th_status status = TH_OK;
    ids_sort(ids, n);
    for (size_t at = 0, k; !status && at < n; at += k) {
        k = row_span(ids + at, n - at);
        const th_id *high = &ids[at + k - 1];
        uint8_t beyond[TH_ID_BYTES] = {0};
        ms_set(beyond, ms_of(high->bytes) + ROW_MS + 1);
        looking l = {.kind = kind, .ids = ids + at, .n = k};
        th_value range[] = {th_v_text(origin), th_v_blob(ids[at].bytes, TH_ID_BYTES), th_v_blob(beyond, TH_ID_BYTES),
                            th_v_blob(high->bytes, TH_ID_BYTES)};
        status = th_db_each(db, selects[kind], range, TH_COUNT(range), row_look, &l, error);
        status = status ? status : l.status;
    }
    return status;
}

th_status th_exchange_place(th_db *db, const char *origin, th_str id, th_arena *arena, th_str *ret_log, uint64_t *ret_index,
                            th_error *error)
{
    const th_value *row;
    th_id one = {0};
    if (!th_uuid_bytes(id, one.bytes))
        return TH_NOT_FOUND;
    th_status status = th_ids_look(db, origin ? TH_IDS_SEEN : TH_IDS_SENT, th_str_of(origin ? origin : ""), &one, 1, error);
    if (status || !one.known)
        return status ? status : TH_NOT_FOUND;
    th_value key = th_v_blob(one.batch, TH_ID_BYTES);
    status = th_db_one(db, "SELECT log, first FROM exchange_batch WHERE id = ?1", &key, 1, arena, &row, error);
    if (status)
        return status;
    *ret_log = row[0].s;
    *ret_index = (uint64_t)row[1].i + one.line;
    return TH_OK;
}
