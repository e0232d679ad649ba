/* entry.c — one line of the journal. Both sides write it from what they know and must get the same bytes. */
#include "exchange-private.h"
#include "kernel/exchange/receipt.h"

#include <string.h>

static inline void hash_member(th_pen *pen, const char *key, const th_hash *hash)
{
    static const th_hash none;
    th_pen_key(pen, key);
    if (th_hash_eq(hash, &none))
        th_pen_null(pen);
    else
        th_pen_base64url(pen, hash->b, TH_HASH_SIZE);
}

/* An empty text says no more than an absent one; one spelling for both. */
static inline void text_member(th_pen *pen, const char *key, th_str text)
{
    th_pen_kstr(pen, key, text.n ? text : (th_str){NULL, 0});
}

void th_entry_write(th_buf *buf, const th_entry *entry)
{
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_kint(&pen, "index", (int64_t)entry->index);
    th_pen_ktime(&pen, "at", entry->at_us);
    text_member(&pen, "direction", entry->direction);
    text_member(&pen, "peer", entry->peer);
    text_member(&pen, "id", entry->id);
    hash_member(&pen, "leaf", &entry->leaf);
    hash_member(&pen, "answer", &entry->answer);
    text_member(&pen, "item", entry->item);
    text_member(&pen, "case", entry->case_id);
    text_member(&pen, "grant", entry->grant);
    hash_member(&pen, "private", &entry->private_hash);
    th_pen_end(&pen, '}');
}

static bool hash_of(const th_json *root, const char *key, th_arena *arena, th_hash *ret)
{
    th_str bytes, text = th_json_str(root, key);
    memset(ret, 0, sizeof *ret);
    if (!text.p)
        return true;
    if (th_unbase64url(arena, text, &bytes) || bytes.n != TH_HASH_SIZE)
        return false;
    memcpy(ret->b, bytes.p, TH_HASH_SIZE);
    return true;
}

th_status th_entry_read(th_str line, th_arena *arena, th_entry *ret_entry, th_error *error)
{
    const th_json *root;
    th_entry e = {0};
    th_status status = th_json_parse(line, arena, &root, error);
    if (status)
        return status;
    int64_t index = th_json_int(root, "index", -1);
    e.index = (uint64_t)index;
    e.direction = th_json_str(root, "direction");
    e.peer = th_json_str(root, "peer");
    e.id = th_json_str(root, "id");
    e.item = th_json_str(root, "item");
    e.case_id = th_json_str(root, "case");
    e.grant = th_json_str(root, "grant");
    if (index < 0 || !th_time_parse(th_json_str(root, "at"), &e.at_us) || !hash_of(root, "leaf", arena, &e.leaf) ||
        !hash_of(root, "answer", arena, &e.answer) || !hash_of(root, "private", arena, &e.private_hash))
        return th_fail(error, TH_INVALID, "entry-malformed", "不是合法的日志条目", "Not a journal entry");
    *ret_entry = e;
    return TH_OK;
}

bool th_leaf_is_of(const th_hash *leaf, th_str line)
{
    static const th_suite suites[] = {TH_SUITE_ED25519, TH_SUITE_SM2};
    for (size_t i = 0; i < TH_COUNT(suites); i++) {
        th_hash own = th_merkle_leaf(suites[i], line);
        if (th_hash_eq(leaf, &own))
            return true;
    }
    return false;
}
