/* journal.h — the node's append-only log of every message sent and answered, and proof of what is in it.
 *
 * Caveats   Entries are public to peers: never put a person's identifier in one; what only this node may know goes into
 *           `private` as a salted hash.
 * Promises  After the writer's commit the batch survives; before, none of it does. Heads never fork: a log continues only from
 *           its own last signed head, and one process at a time appends (the writer).
 * Limits    TH_ENTRY_MAX bytes an entry. Proofs read at most 256 × 8 hashes: ≤ 1 ms for 10^8 entries.
 * Tables    journal_log, journal_segment (one row per commit: the entries' bytes and leaf hashes), journal_node (complete subtrees of
 *           levels 8, 16, 24 …), journal_head (every signed head). First key column is the log.
 * Threads   stage/begin/seal/settled: the writer's thread only. read, prove: any reader with its own th_db. th_journal_head_now: any.
 * Source    RFC 9162 §2.1; docs/protocol.md §4. A head is signed over "tonghui/v1/tree-head\n" ‖ canonical JSON {at,log,root,size,suite}.
 */
#ifndef TH_EXCHANGE_JOURNAL_H
#define TH_EXCHANGE_JOURNAL_H
#include "kernel/exchange/trust.h"
#include "platform/crypto/merkle.h"
#include "platform/store/store.h"

enum { TH_ENTRY_MAX = 2048, TH_LOG_TEXT = 24 };
#define TH_GENERATION_MAX INT64_C(9999999999)

/* A signed tree head. Log ids are "<member code>.<generation>": "110000.1". */
typedef struct th_head {
    char log[TH_LOG_TEXT];
    uint64_t size;
    th_hash root;
    int64_t at_us;
    th_suite suite;
    char kid[TH_KID_TEXT];
    uint8_t signature[TH_SIGNATURE_SIZE];
} th_head;

void th_head_write(th_pen *pen, const th_head *head); /* {"log","size","root","at","suite","kid","sig"}, base64url */
TH_MUST_USE th_status th_head_read(const th_json *json, th_head *ret_head, th_error *error);
TH_MUST_USE th_status th_head_sign(th_head *head, const th_key *key); /* fills suite, kid and signature */
/* The log's member had this journal key at the head's time, and the signature holds. Suspension does not undo old heads. */
TH_MUST_USE th_status th_head_check(const th_head *head, const th_trust *trust, th_error *error);
bool th_log_member(th_str log, char ret_code[TH_CODE_TEXT]);
int64_t th_log_generation(th_str log); /* 0 when it is no log id; compare these, not the texts: "110000.10" comes after "110000.9" */

typedef struct th_journal th_journal;

/* Open the node's current log (making "<code>.1" when there is none), checking its last head against its segments.
 * TH_CORRUPT when they disagree. Uses `writer_db`-free reads through `store`. */
TH_MUST_USE th_status th_journal_open(th_store *store, const char *code, const th_key *key, const th_env *env,
                                      th_journal **ret_journal, th_error *error);
void th_journal_close(th_journal *journal);
const char *th_journal_schema(void);

/* The writer's hooks call these. */
void th_journal_begin(th_journal *journal);                 /* forget what was staged and not committed */
void th_journal_log(const th_journal *journal, char ret_log[TH_LOG_TEXT]); /* the log that is being appended to */
/* The index that the next staged entry will have (entries carry their own index). */
uint64_t th_journal_next(const th_journal *journal);
int64_t th_journal_batch_time(th_journal *journal);         /* one time for all entries of this commit; ascending between commits */
/* Add an entry's bytes (copied). ret_frontier, when not NULL, gets the frontier before it: the left side of a range proof. */
TH_MUST_USE th_status th_journal_stage(th_journal *journal, th_str entry, th_frontier *ret_frontier, th_error *error);
/* Take back what was staged from this index on: for a change that fails after staging. */
void th_journal_unstage(th_journal *journal, uint64_t from);
TH_MUST_USE th_status th_journal_seal(th_journal *journal, th_db *db, th_error *error); /* nothing staged: nothing done */
void th_journal_settled(th_journal *journal, th_status status);
/* After a successful settled and until the next begin: the right side of the range proof of [first, end) under the new head. */
TH_MUST_USE th_status th_journal_right(th_journal *journal, uint64_t first, uint64_t end,
                                       th_hash ret_right[TH_MERKLE_DEPTH], size_t *ret_n);

bool th_journal_head_now(th_journal *journal, th_head *ret_head); /* newest committed head; false when the log is empty */
/* Nothing is appended to the current log any more; the next entry is the first of a new one, numbered beyond it and beyond `seen`. The old log
 * ends as it stands: an entry added to it after a restore would be a fork of what was lost. TH_BUSY when this batch appended already. */
TH_MUST_USE th_status th_journal_renew(th_journal *journal, th_db *db, int64_t seen, th_error *error);

/* Readers. */
TH_MUST_USE th_status th_journal_entry(th_db *db, th_str log, uint64_t index, th_arena *arena, th_str *ret_entry,
                                       th_error *error);
/* Up to `max` entries from `first`, oldest first. */
TH_MUST_USE th_status th_journal_entries(th_db *db, th_str log, uint64_t first, size_t max, th_arena *arena,
                                         th_str **ret_entries, size_t *ret_n, th_error *error);
TH_MUST_USE th_status th_journal_inclusion(th_db *db, const th_head *head, uint64_t index, th_hash ret_path[TH_MERKLE_DEPTH],
                                           size_t *ret_n, th_error *error);
TH_MUST_USE th_status th_journal_consistency(th_db *db, th_str log, uint64_t old_size, uint64_t size,
                                             th_hash ret_path[2 * TH_MERKLE_DEPTH], size_t *ret_n, th_error *error);
TH_MUST_USE th_status th_journal_head_last(th_db *db, th_str log, th_head *ret_head, th_error *error); /* TH_NOT_FOUND */
/* Every segment against every head, from the first entry to the last. TH_CORRUPT with the first bad index in *error. */
TH_MUST_USE th_status th_journal_check(th_db *db, th_str log, const th_trust *trust, uint64_t *ret_entries, th_error *error);
#endif
