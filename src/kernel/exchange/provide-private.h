/* provide-private.h — one batch on its way through a provider. */
#ifndef TH_EXCHANGE_PROVIDE_PRIVATE_H
#define TH_EXCHANGE_PROVIDE_PRIVATE_H
#include "exchange-private.h"

/* One line: what it said, what the reads answered, and what is finally sent (which a stored answer may replace). */
typedef struct th_served {
    th_message message;
    th_answer answer;      /* from the checks and reads; never changed by the writer, whose apply may run twice */
    const th_message_type *type;
    bool acted;            /* its effect is part of this commit */
    bool passes;           /* refused for the moment only: not remembered, so that another try is answered afresh */
    char consent_id[TH_ID_TEXT];
    th_str final_line;     /* the answer line as sent */
    bool stored;           /* an earlier answer is given again */
    uint8_t id_bytes[TH_ID_BYTES]; /* of message.id */
    const th_id *seen;     /* where it was answered before, NULL = new; set in the writer's transaction */
    char subject[33];
    th_hash private_hash;
} th_served;

typedef struct th_batch_in {
    th_exchange *ex;
    th_incoming *incoming;
    th_change change;
    th_trust *trust;
    th_envelope envelope;
    char batch_id[TH_ID_TEXT];
    uint8_t batch_bytes[TH_ID_BYTES];
    int64_t created_us, expires_us; /* of the signature */
    int64_t until_us;      /* systems outside the node are asked no more from then on */
    bool stale;            /* signed too long ago or in the future: only stored answers are given */
    th_str *lines;
    th_served *served;
    size_t n;
    const char *greatest;  /* id of a line, while they are read */
    th_status status;      /* of the whole batch */
    th_error error;
    bool member_known;     /* then even a refusal is journaled */
    /* set in the writer's transaction */
    uint64_t first;
    bool effects_wait;     /* an effect of this batch was refused for the moment */
    th_frontier left;
    int64_t at_us;
    th_hash right[TH_MERKLE_DEPTH];
    size_t right_n;
    th_head head;
} th_batch_in;

/* provide_commit.c */
th_status th_batch_in_apply(th_change *change, th_db *db, th_error *error);
/* access.c: in the writer's transaction, once the batch's place in the journal is known. */
TH_MUST_USE th_status th_access_put(th_batch_in *b, th_db *db, th_error *error);
#endif
