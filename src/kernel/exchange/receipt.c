/* receipt.c — writing, reading and checking receipts offline. */
#include "kernel/exchange/receipt.h"

#include <string.h>

enum { RECEIPT_MAX = 64 * 1024 };

void th_receipt_write(th_pen *pen, const th_receipt *receipt)
{
    th_pen_object(pen);
    th_pen_kstr(pen, "entry", receipt->entry);
    th_pen_key(pen, "path");
    th_pen_array(pen);
    for (size_t i = 0; i < receipt->path_n; i++)
        th_pen_base64url(pen, receipt->path[i].b, TH_HASH_SIZE);
    th_pen_end(pen, ']');
    th_pen_key(pen, "head");
    th_head_write(pen, &receipt->head);
    th_pen_end(pen, '}');
}

th_status th_receipt_read(th_str json, th_arena *arena, th_receipt *ret_receipt, th_error *error)
{
    static const char *const allowed[] = {"entry", "path", "head", NULL};
    const th_json *root, *path, *head, *entry;
    th_receipt r = {0};
    th_error own = {0};
    if (!error)
        error = &own;
    if (json.n > RECEIPT_MAX)
        return th_fail(error, TH_TOO_LARGE, "receipt-too-large", "回执过大", "The receipt is too large");
    th_status status = th_json_parse(json, arena, &root, error);
    if (status)
        return status;
    if (!th_json_only(root, "", allowed, error) || !th_json_want_str(root, "", "entry", TH_ENTRY_MAX, &r.entry, error) ||
        !th_json_want_array(root, "", "path", TH_MERKLE_DEPTH, &path, error) ||
        !th_json_want_object(root, "", "head", &head, error))
        return TH_INVALID;
    status = th_head_read(head, &r.head, error);
    if (!status)
        status = th_json_parse(r.entry, arena, &entry, error);
    if (status)
        return status;
    int64_t index = th_json_int(entry, "index", -1);
    if (index < 0)
        return th_fail_field(error, "/entry", "index", "条目缺少序号", "The entry has no index");
    r.index = (uint64_t)index;
    th_hash *hashes = th_alloc_array(arena, path->count + 1, sizeof *hashes);
    if (!hashes)
        return TH_NO_MEMORY;
    for (const th_json *p = th_json_first(path); p; p = th_json_next(path, p)) {
        th_str bytes;
        if (p->type != TH_JSON_STRING || th_unbase64url(arena, p->text, &bytes) || bytes.n != TH_HASH_SIZE)
            return th_fail_field(error, "/path", "hash", "路径中有不合法的哈希", "The path holds something that is no hash");
        memcpy(hashes[r.path_n++].b, bytes.p, TH_HASH_SIZE);
    }
    r.path = hashes;
    *ret_receipt = r;
    return TH_OK;
}

th_status th_receipt_check(const th_receipt *receipt, const th_trust *trust, th_error *error)
{
    th_hash leaf = th_merkle_leaf(receipt->head.suite, receipt->entry);
    if (th_merkle_check_inclusion(receipt->head.suite, &leaf, receipt->index, receipt->head.size, receipt->path, receipt->path_n,
                                  &receipt->head.root))
        return th_fail(error, TH_FORBIDDEN, "receipt-path", "回执的路径不通向树头", "The receipt's path does not lead to its tree head");
    return th_head_check(&receipt->head, trust, error);
}
