/* receipt.h — proof that one message stands in a node's journal.
 *
 * A receipt is an entry, its inclusion path (RFC 9162 §2.1.3) and a signed tree head. It can be checked offline with nothing but
 * the region's trust document. Making one reads hashes; checking one reads nothing.
 * Shape     {"entry":"the entry's exact bytes as a JSON string","path":["base64url"…],"head":{…}}; the entry is itself JSON with
 *           "index", which must be the proved position.
 * Ownership Everything returned lives in the caller's arena. Threads: any.
 */
#ifndef TH_EXCHANGE_RECEIPT_H
#define TH_EXCHANGE_RECEIPT_H
#include "kernel/exchange/journal.h"

typedef struct th_receipt {
    th_str entry;
    uint64_t index; /* read from the entry */
    const th_hash *path;
    size_t path_n;
    th_head head;
} th_receipt;

void th_receipt_write(th_pen *pen, const th_receipt *receipt);
TH_MUST_USE th_status th_receipt_read(th_str json, th_arena *arena, th_receipt *ret_receipt, th_error *error);
/* TH_OK only when path, head, key validity at the head's time and membership all hold; otherwise the first that fails. */
TH_MUST_USE th_status th_receipt_check(const th_receipt *receipt, const th_trust *trust, th_error *error);

/* One journal entry. Absent texts are written as null. */
typedef struct th_entry {
    uint64_t index;
    int64_t at_us;
    th_str direction; /* "asked", "answered", "sent", "received", "refused", "note" */
    th_str peer, id;
    th_hash leaf;     /* of the message line as sent */
    th_hash answer;   /* of the answer line as sent; all zero = none came */
    th_str item, case_id, grant;
    th_hash private_hash;
} th_entry;
void th_entry_write(th_buf *buf, const th_entry *entry); /* {"index","at","direction",…} in this order, one line, no spaces */
TH_MUST_USE th_status th_entry_read(th_str line, th_arena *arena, th_entry *ret_entry, th_error *error);
#endif
