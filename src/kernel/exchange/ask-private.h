/* ask-private.h — one batch on its way out, and what the provider's answer proved. */
#ifndef TH_EXCHANGE_ASK_PRIVATE_H
#define TH_EXCHANGE_ASK_PRIVATE_H
#include "exchange-private.h"

typedef struct th_batch_out {
    th_exchange *ex;
    th_outgoing outgoing;
    th_arena arena;
    th_arena outbox_arena;
    th_change change;
    th_envelope envelope;
    char batch_id[TH_ID_TEXT];
    int64_t sent_us;
    th_item **items; /* one a line */
    th_hash *leaves;
    size_t n, lines_sent;
    bool has_outbox, only_gossip, has_gossip, has_news;
    th_item *orphans;
    bool settling;               /* answered: the writer has it, its asks hear soon */
    int64_t first_deadline_us;   /* of its asks */
    struct th_batch_out *next_flying;
    th_trust *trust;
    /* from the answer */
    th_str *answer_lines;
    th_str answer_body, proof;
    th_hash *answers;
    th_receipt *receipts;
    th_head head;
    th_error **errors; /* one a line; NULL = answered */
    th_str *bodies;
} th_batch_out;

/* The last line of an answer: where the batch stands in the provider's journal, and the proof. */
typedef struct th_trailer {
    int64_t first, at_us;
    th_hash *private_hashes, *left, *right;
    size_t private_n, left_n, right_n;
    th_head head;
} th_trailer;
TH_MUST_USE th_status th_trailer_read(th_str line, size_t n, th_arena *arena, th_trailer *ret_trailer, th_error *error);
TH_MUST_USE th_status th_trailer_prove(const th_trailer *trailer, th_entry *entries, size_t n, th_arena *arena,
                                       th_receipt **ret_receipts, th_error *error);

/* answered.c: check everything that the answer claims; fills the "from the answer" part. */
TH_MUST_USE th_status th_answer_check(th_batch_out *b, const th_wire *answer, th_error *error);
/* ask.c */
enum { TH_ASK_DEADLINE_S = 10 };
void th_item_close(th_item *item);
void th_item_done(th_item *item, th_status status, const th_error *error);
/* send.c */
/* Put `n` items, linked, at the end of the peer's queue; what finds no place stays in *items: TH_BUSY, TH_FORBIDDEN (no such peer),
 * TH_UNAVAILABLE (stopping). Wakes the link when that is worth it. */
TH_MUST_USE th_status th_peer_queue(th_exchange *ex, const char *peer, th_item **items, size_t n);
/* The answer is there: another batch may go while the writer has this one. Only the link's thread. */
void th_peer_answered(th_batch_out *b);
void th_items_requeue(th_exchange *ex, const char *peer, th_batch_out *b);
void th_asks_end(th_batch_out *b, th_status status, const th_error *error); /* what is left of the batch are its outbox rows */
void th_batch_out_close(th_batch_out *b);
/* The batch is over. Failed: true when the peer has not been there for so long that asks need not wait any more. */
bool th_peer_settle(th_batch_out *b, bool ok, const th_error *error);
#endif
