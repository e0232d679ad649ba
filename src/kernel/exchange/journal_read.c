/* journal_read.c — entries and proofs from the stored segments and subtree roots. */
#include "journal-private.h"

#include <string.h>

static th_status corrupt(th_error *error)
{
    return th_fail(error, TH_CORRUPT, "journal-corrupt", "日志存储不完整", "The stored journal is incomplete");
}

/* ---- blocks ---- */

static th_status leaves_load(th_tree_reader *r, uint64_t first, th_hash *hashes, size_t *ret_n)
{
    th_rows rows;
    size_t n = 0;
    th_value values[] = {th_v_text(r->log), th_v_int((int64_t)first), th_v_int((int64_t)(first + TH_TREE_BLOCK))};
    th_status status = th_db_select(r->db,
                                    "SELECT first, n, leaves FROM journal_segment WHERE log = ?1 AND first < ?3 AND first >= "
                                    "COALESCE((SELECT MAX(first) FROM journal_segment WHERE log = ?1 AND first <= ?2), 0) "
                                    "ORDER BY first",
                                    values, 3, r->arena, &rows, r->error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        uint64_t at = (uint64_t)row[0].i, count = (uint64_t)row[1].i;
        if (row[2].s.n != count * TH_HASH_SIZE)
            return corrupt(r->error);
        for (uint64_t k = 0; k < count; k++)
            if (at + k >= first && at + k < first + TH_TREE_BLOCK) {
                if (at + k != first + n) /* a gap */
                    return corrupt(r->error);
                memcpy(hashes[n++].b, row[2].s.p + k * TH_HASH_SIZE, TH_HASH_SIZE);
            }
    }
    *ret_n = n;
    return status;
}

static th_status nodes_load(th_tree_reader *r, int level, uint64_t first, th_hash *hashes, size_t *ret_n)
{
    th_rows rows;
    th_value values[] = {th_v_text(r->log), th_v_int(level), th_v_int((int64_t)first), th_v_int((int64_t)(first + TH_TREE_BLOCK))};
    th_status status = th_db_select(r->db,
                                    "SELECT idx, hash FROM journal_node WHERE log = ?1 AND level = ?2 AND idx >= ?3 AND idx < ?4 "
                                    "ORDER BY idx",
                                    values, 4, r->arena, &rows, r->error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        if ((uint64_t)row[0].i != first + i || row[1].s.n != TH_HASH_SIZE)
            return corrupt(r->error);
        memcpy(hashes[i].b, row[1].s.p, TH_HASH_SIZE);
    }
    *ret_n = status ? 0 : rows.n;
    return status;
}

th_status th_tree_read(void *reader, int level, uint64_t index, th_hash *ret_hash)
{
    th_tree_reader *r = reader;
    int group = level / TH_TREE_STEP;
    size_t span = (size_t)1 << (level % TH_TREE_STEP);
    uint64_t child = index * span, block = child / TH_TREE_BLOCK;
    if (!r->groups[group].loaded || r->groups[group].block != block) {
        if (!r->groups[group].hashes)
            r->groups[group].hashes = th_alloc_array(r->arena, TH_TREE_BLOCK, sizeof(th_hash));
        if (!r->groups[group].hashes)
            return th_fail(r->error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
        uint64_t first = block * TH_TREE_BLOCK;
        th_status status = group ? nodes_load(r, group * TH_TREE_STEP, first, r->groups[group].hashes, &r->groups[group].n)
                                 : leaves_load(r, first, r->groups[group].hashes, &r->groups[group].n);
        if (status)
            return status;
        r->groups[group].loaded = true;
        r->groups[group].block = block;
    }
    size_t at = (size_t)(child % TH_TREE_BLOCK);
    if (at + span > r->groups[group].n)
        return corrupt(r->error);
    /* The subtree is complete, so its root over its children is the RFC's root over leaves, but for the leaf hashing. */
    th_hash row[TH_TREE_BLOCK];
    memcpy(row, r->groups[group].hashes + at, span * sizeof *row);
    for (size_t n = span; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            row[i] = th_merkle_node(r->suite, &row[2 * i], &row[2 * i + 1]);
    *ret_hash = row[0];
    return TH_OK;
}

/* ---- entries ---- */

th_status th_journal_entries(th_db *db, th_str log, uint64_t first, size_t max, th_arena *arena, th_str **ret_entries, size_t *ret_n,
                             th_error *error)
{
    th_rows rows;
    size_t n = 0;
    th_value values[] = {th_v_text(log), th_v_int((int64_t)first), th_v_int((int64_t)(first + max))};
    th_str *entries = th_alloc_array(arena, max + 1, sizeof *entries);
    if (!entries)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_status status = th_db_select(db,
                                    "SELECT first, bytes FROM journal_segment WHERE log = ?1 AND first < ?3 AND first >= "
                                    "COALESCE((SELECT MAX(first) FROM journal_segment WHERE log = ?1 AND first <= ?2), 0) "
                                    "ORDER BY first",
                                    values, 3, arena, &rows, error);
    for (size_t i = 0; !status && i < rows.n; i++) {
        uint64_t at = (uint64_t)th_row(&rows, i)[0].i;
        th_str rest = th_row(&rows, i)[1].s, line;
        for (; n < max && rest.n && th_str_cut(&rest, '\n', &line); at++)
            if (at >= first)
                entries[n++] = line;
    }
    *ret_entries = entries;
    *ret_n = n;
    return status;
}

th_status th_journal_entry(th_db *db, th_str log, uint64_t index, th_arena *arena, th_str *ret_entry, th_error *error)
{
    th_str *entries;
    size_t n;
    th_status status = th_journal_entries(db, log, index, 1, arena, &entries, &n, error);
    if (status)
        return status;
    if (!n)
        return th_fail(error, TH_NOT_FOUND, "no-entry", "日志中没有这个序号", "The journal has no such index");
    *ret_entry = entries[0];
    return TH_OK;
}

/* ---- heads and proofs ---- */

th_status th_head_of_row(const th_value *row, th_str log, th_head *ret_head)
{
    th_head head = {.size = (uint64_t)row[0].i, .at_us = row[2].i, .suite = (th_suite)row[3].i};
    if (row[1].s.n != TH_HASH_SIZE || row[5].s.n != TH_SIGNATURE_SIZE || row[4].s.n >= TH_KID_TEXT || log.n >= TH_LOG_TEXT)
        return TH_CORRUPT;
    memcpy(head.log, log.p, log.n);
    memcpy(head.root.b, row[1].s.p, TH_HASH_SIZE);
    memcpy(head.kid, row[4].s.p, row[4].s.n);
    memcpy(head.signature, row[5].s.p, TH_SIGNATURE_SIZE);
    *ret_head = head;
    return TH_OK;
}

th_status th_journal_head_last(th_db *db, th_str log, th_head *ret_head, th_error *error)
{
    const th_value *row;
    th_arena arena;
    th_value value = th_v_text(log);
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_db_one(db, "SELECT size, root, at, suite, kid, sig FROM journal_head WHERE log = ?1 ORDER BY size DESC LIMIT 1",
                                 &value, 1, &arena, &row, error);
    if (!status && th_head_of_row(row, log, ret_head))
        status = corrupt(error);
    th_arena_close(&arena);
    return status;
}

th_status th_journal_inclusion(th_db *db, const th_head *head, uint64_t index, th_hash ret_path[TH_MERKLE_DEPTH], size_t *ret_n,
                               th_error *error)
{
    th_arena arena;
    th_arena_open(&arena, 64u << 20);
    th_tree_reader reader = {.db = db, .log = th_str_of(head->log), .suite = head->suite, .arena = &arena, .error = error};
    th_status status = th_merkle_inclusion(head->suite, index, head->size, th_tree_read, &reader, ret_path, ret_n);
    th_arena_close(&arena);
    return status;
}

th_status th_journal_consistency(th_db *db, th_str log, uint64_t old_size, uint64_t size, th_hash ret_path[2 * TH_MERKLE_DEPTH],
                                 size_t *ret_n, th_error *error)
{
    th_arena arena;
    th_head head;
    th_status status = th_journal_head_last(db, log, &head, error);
    if (status)
        return status;
    th_arena_open(&arena, 64u << 20);
    th_tree_reader reader = {.db = db, .log = log, .suite = head.suite, .arena = &arena, .error = error};
    status = th_merkle_consistency(head.suite, old_size, size, th_tree_read, &reader, ret_path, ret_n);
    th_arena_close(&arena);
    return status;
}
