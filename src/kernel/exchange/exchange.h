/* exchange.h — asking, answering, telling and proving between nodes, without a socket of its own.
 *
 * A message is one line; a batch of lines is signed once each way; every message gets an entry in both nodes' journals. This
 * part turns asks into batches (`next`), batches into answers (`receive`), answers into receipts (`answered`); whoever owns the
 * network (src/node/link.c, or the simulation) carries the bytes.
 * Promises  An ask that was answered TH_OK is journaled on both sides and its receipt was checked. An effect put into the outbox in
 *           a committed change reaches its node exactly once, in order per subject. An id answered once is answered the same for
 *           seven days, but for refusals of the moment (th_refusal_passes), which are not remembered. A refused batch acts on nothing.
 * Limits    TH_BATCH_LINES_MAX lines, TH_BATCH_BYTES_MAX bytes, TH_LINE_MAX a line, TH_WINDOW batches in flight a peer.
 * Threads   ask: any. receive: any I/O thread; a batch that must wait for a system outside the node goes on on the pool. next, answered, failed: the link's thread.
 * Source    docs/protocol.md §3–§6; RFC 9421, 9530, 9162, 9457, 9562.
 */
#ifndef TH_KERNEL_EXCHANGE_H
#define TH_KERNEL_EXCHANGE_H
#include "kernel/exchange/agreement.h"
#include "kernel/exchange/consent.h"
#include "kernel/exchange/grant.h"
#include "kernel/exchange/journal.h"
#include "kernel/exchange/receipt.h"
#include "kernel/exchange/trust.h"
#include "platform/base/pool.h"
#include "platform/net/net.h"
#include "platform/store/store.h"

enum {
    TH_BATCH_LINES_MAX = 1000,
    TH_BATCH_BYTES_MAX = 4 * 1024 * 1024,
    TH_LINE_MAX = 64 * 1024,
    TH_MESSAGE_TEXT_MAX = 64, /* bytes of item, case, grant, office in a message */
    TH_WINDOW = 4,
    TH_ANSWER_DAYS = 7, /* an id answered once is answered the same that long */
    TH_BODY_DAYS = 30,
    TH_SKEW_PAST_S = 300,
    TH_SKEW_FUTURE_S = 30,
    TH_OUTSIDE_S = 3, /* what the lines of one batch may wait in all for systems outside the node */
};

typedef struct th_exchange th_exchange;

/* ---- messages and those who answer them --------------------------------------------------------------------------------- */

typedef struct th_message {
    th_str line; /* exact bytes */
    char id[TH_ID_TEXT];
    char from[TH_CODE_TEXT], to[TH_CODE_TEXT];
    th_str type, grant, item, case_id, office, operator_pseudonym, consent;
    int64_t at_us;
    int64_t until_us; /* whatever answering asks of other systems ends by then: TH_OUTSIDE_S after the batch came, all of its lines together */
    int64_t sequence; /* outbox messages: position in the sender's outbox for this receiver, from 1; else 0 */
    const th_json *body;
    th_hash leaf;
} th_message;

typedef struct th_answer {
    th_status status;     /* TH_OK: `body` is the answer; else `error` says why */
    th_str body;          /* JSON, in the arena */
    th_error *error;      /* in the arena; NULL = by status alone */
    char subject[33];     /* the provider's own pseudonym of the person concerned, "" = nobody */
    bool quiet;           /* an effect that changed nothing: `applied` is not called */
    th_str reg, fields;   /* what was looked at, for the access log: register, comma-separated fields */
} th_answer;

/* A message type. Reads answer from a snapshot on an I/O thread, gathered per batch; effects run in the writer's transaction. */
typedef struct th_message_type {
    const char *type; /* "verify", "query", "case.submitted" … */
    bool granted;     /* a grant must cover it: `wanted` says what for */
    /* What a grant must cover, from the body: register, operation, fields (arena); and the person's number when consent binds. */
    th_status (*wanted)(void *ctx, const th_message *message, th_arena *arena, th_wanted *ret_wanted, th_str *ret_id_number,
                        th_error *error);
    /* Answering this one may wait for a system outside the node: the batch is then read on the pool. NULL = never. Any thread; short. */
    bool (*waits)(void *ctx, const th_message *message);
    /* Whether a grant that is to be entered names a register and fields that there are; NULL = anything does. TH_INVALID with pointers. */
    th_status (*grant_fits)(void *ctx, const th_grant *grant, th_error *error);
    void (*read)(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers);
    th_status (*apply)(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer, th_error *error);
    /* After the commit of an effect that `apply` took: tell who watches. The writer's thread; short. NULL = nobody. */
    void (*applied)(void *ctx, const th_message *message);
    void *ctx;
} th_message_type;

/* ---- opening ------------------------------------------------------------------------------------------------------------- */

typedef struct th_exchange_options {
    const char *code; /* this node */
    th_store *store;
    const th_env *env;
    th_key *message_key, *journal_key; /* kept by the caller */
    uint8_t secret[32];
    /* Where batches are read that wait for systems outside the node; the caller closes it before the writer. NULL = where they arrive. */
    th_pool *pool;
    size_t batch_lines; /* 0 = TH_BATCH_LINES_MAX; 1 = batching off (benchmarks) */
    int64_t gossip_s;   /* how often at most heads are told and proofs asked; 0 = every ten seconds */
    int64_t body_days;  /* how long bodies of batches are kept, ≥ TH_ANSWER_DAYS; 0 = TH_BODY_DAYS */
    /* Something waits for `peer`: called from any thread, at most once until the next th_exchange_next found nothing. */
    void (*wake)(void *ctx, const char *peer);
    void *wake_ctx;
} th_exchange_options;

TH_MUST_USE th_status th_exchange_open(const th_exchange_options *options, th_exchange **ret_exchange, th_error *error);
/* No more batches; every ask that still waits ends with TH_UNAVAILABLE "closing", and so does every later one. After the carrier has
 * given back what was in flight, before the writer closes. */
void th_exchange_stop(th_exchange *exchange);
void th_exchange_close(th_exchange *exchange);
const char *th_exchange_schema(void);
/* Another process changed trust or grants in the store: read them again. */
TH_MUST_USE th_status th_exchange_reload(th_exchange *exchange, th_error *error);
const th_route *th_exchange_routes(size_t *ret_n); /* portal side; mount with the th_exchange as module */
const char *th_exchange_schemas(void);
/* Before the first message. */
TH_MUST_USE th_status th_exchange_type_add(th_exchange *exchange, const th_message_type *type);
th_writer_hooks th_exchange_hooks(th_exchange *exchange); /* give these to th_writer_open, then: */
void th_exchange_writer_set(th_exchange *exchange, th_writer *writer);
const char *th_exchange_code(const th_exchange *exchange);
th_journal *th_exchange_journal(th_exchange *exchange);
th_store *th_exchange_store(th_exchange *exchange);

/* The trust document in force; release it. NULL when none was applied yet. */
th_trust *th_exchange_trust(th_exchange *exchange);
/* Check that `document` may follow and put it into the store; in force at once when it returns TH_OK. Blocks (writer). */
TH_MUST_USE th_status th_exchange_trust_apply(th_exchange *exchange, th_str document, th_error *error);
/* The list of that name ("items", "ecerts") in force; release it. NULL when none is. */
th_agreement *th_exchange_agreement(th_exchange *exchange, const char *name);
/* Checked against the trust document in force, kept, in force at once. TH_CONFLICT "agreement-rollback". Blocks (writer). */
TH_MUST_USE th_status th_exchange_agreement_apply(th_exchange *exchange, th_str document, th_error *error);
/* Own grants: add (JSON of one grant), remove; and those of another provider as fetched from it. Block (writer). */
TH_MUST_USE th_status th_exchange_grant_add(th_exchange *exchange, th_str json, th_error *error);
/* The same in a writer's transaction, beside what else must hold with it; in force when th_exchange_grants_renew is called after the commit. */
TH_MUST_USE th_status th_exchange_grant_put(th_exchange *exchange, th_db *db, th_str json, th_error *error);
TH_MUST_USE th_status th_exchange_grants_renew(th_exchange *exchange, th_error *error);
TH_MUST_USE th_status th_exchange_grant_remove(th_exchange *exchange, th_str id, th_error *error);
TH_MUST_USE th_status th_exchange_grants_learn(th_exchange *exchange, th_str provider, th_str document, th_error *error);
th_grants *th_exchange_grants(th_exchange *exchange, th_str provider); /* own or learnt; release; NULL when none */

/* ---- asking --------------------------------------------------------------------------------------------------------------- */

typedef struct th_ask th_ask;
struct th_ask {
    /* given; texts live until done */
    th_str provider, type, grant, item, case_id, office, operator_account, consent;
    th_str body;                  /* JSON object */
    const th_json *parsed;        /* an object with the same members, parsed; NULL = `body` is parsed once more */
    char subject[33];             /* this node's pseudonym of the person concerned, "" = nobody: goes into the private hash */
    int64_t deadline_us;          /* 0 = 10 s from now; then TH_UNAVAILABLE "peer-unavailable" or TH_TIMEOUT */
    void (*done)(th_ask *ask);    /* exactly once; short; on the writer's or the link's thread */
    void *ctx;
    /* the outcome, valid during done and as long as `arena` was given and lives */
    th_arena *arena;              /* where answer, error and receipt go; NULL = own one, gone after done */
    th_status status;
    char id[TH_ID_TEXT];
    th_str answer;                /* the answer's body, JSON */
    th_str receipt;               /* the provider's receipt, JSON, already checked; absent when no answer came */
    th_ask *next;                 /* the exchange's */
    th_error error;               /* large, therefore last: see th_ask_clear */
};
/* As good as `= {0}`, for an array of many. */
static inline void th_ask_clear(th_ask *ask)
{
    memset(ask, 0, offsetof(th_ask, error));
    th_error_clear(&ask->error);
}
/* Queue `n` asks (linked by next). One alone that is refused at once (no such member, no grant, TH_BUSY) returns why and done is not
 * called; among several each hears it by its done. Without a live trust document all are refused and no done is called. */
TH_MUST_USE th_status th_exchange_ask(th_exchange *exchange, th_ask *asks, size_t n, th_error *error);

/* A refusal of the moment, the link or the trust between nodes (a clock that is off, a key that one side does not know yet, a suspended
 * member, a full disk), not of what was asked: the same question may be answered another time. */
bool th_refusal_passes(const th_error *error);

/* ---- telling: effects that must arrive ------------------------------------------------------------------------------------- */

/* In the writer's transaction: put one message for `to` into the outbox. `subject_key` orders: messages of one key arrive in the order
 * put. Wakes the link after the commit by itself. */
TH_MUST_USE th_status th_outbox_put(th_exchange *exchange, th_db *db, th_str to, const char *type, th_str subject_key,
                                    th_str item, th_str case_id, th_str office, th_str body, th_error *error);
/* In the writer's transaction: the person takes back the agreement `token` that this node signed. It ends here at once when this node
 * is the provider, else when the message has reached it. */
TH_MUST_USE th_status th_consent_revoke(th_exchange *exchange, th_db *db, th_str token, th_error *error);
/* How many wait for each peer, and how old the oldest is. */
typedef struct th_backlog { char peer[TH_CODE_TEXT]; int64_t waiting, dead, oldest_us; } th_backlog;
TH_MUST_USE th_status th_outbox_backlog(th_db *db, th_arena *arena, th_backlog **ret_backlogs, size_t *ret_n);

/* ---- the wire: what the owner of the network calls -------------------------------------------------------------------------- */

typedef struct th_wire { /* one HTTP message of the protocol, either way */
    th_str target_uri;                       /* https://…/exchange/v1/batch */
    int status;                              /* of an answer */
    th_str content_type, content_digest, batch, signature_input, signature; /* header values */
    th_str body;
    char pin[52];                            /* receive: the caller's TLS key; answered: unused (the client pins) */
} th_wire;

typedef struct th_outgoing th_outgoing;
struct th_outgoing {
    char peer[TH_CODE_TEXT];
    th_wire wire;       /* what to send; lives until answered or failed */
    th_str pins;        /* as libcurl wants them */
    int64_t deadline_us;
    size_t lines;
    th_outgoing *next;  /* free for the carrier */
    void *priv;
};
/* The next batch for `peer`, or NULL when nothing waits or the window is full. One signature. */
th_outgoing *th_exchange_next(th_exchange *exchange, const char *peer);
/* Exactly one of these per outgoing, which is gone afterwards. */
void th_exchange_answered(th_exchange *exchange, th_outgoing *outgoing, const th_wire *answer);
void th_exchange_failed(th_exchange *exchange, th_outgoing *outgoing, th_status status, const th_error *error);
/* On the link's thread, every half second, and ten times as often while somebody waits: deadlines of asks, retries, gossip. Calls wake. */
void th_exchange_tick(th_exchange *exchange);
bool th_exchange_waits(th_exchange *exchange); /* asks wait or batches are under way */

/* A batch came in. Checks and reads now, commits by the writer, then calls `done` once (writer's thread, or this one when refused)
 * with the answer to send; the answer lives until th_incoming_close. */
typedef struct th_incoming th_incoming;
struct th_incoming {
    th_wire request;                        /* given; lives until closed */
    void (*done)(th_incoming *incoming);
    void *ctx;
    th_arena arena;                         /* open it before; close it with th_incoming_close */
    th_wire answer;                         /* filled by th_incoming_finish */
    void *priv;
    th_incoming *next;
};
void th_exchange_receive(th_exchange *exchange, th_incoming *incoming);
/* After done: build and sign the answer, on whichever thread sends it. */
void th_incoming_finish(th_exchange *exchange, th_incoming *incoming);

/* ---- knowing ---------------------------------------------------------------------------------------------------------------- */

typedef struct th_link_state {
    char peer[TH_CODE_TEXT];
    bool up;
    int64_t last_ok_us, last_error_us, round_trip_us, skew_us;
    uint64_t batches, messages, failures;
    size_t waiting, in_flight;
    th_head head; /* newest head of that member seen; size 0 = none */
    char error_type[48];
} th_link_state;
size_t th_exchange_links(th_exchange *exchange, th_link_state *ret_states, size_t max);

/* Alarms that nobody has dealt with yet, newest first, at most 50. */
typedef struct th_alarm { th_str id, kind, peer, zh, en; int64_t at_us; } th_alarm;
TH_MUST_USE th_status th_exchange_alarms(th_db *db, th_arena *arena, th_alarm **ret_alarms, size_t *ret_n, th_error *error);

/* What a member (`consumer`) tells that another (`provider`) answered it: the two lines as they were sent and the provider's receipt. */
typedef struct th_told {
    th_str provider, consumer, id, item, case_id;
    th_str question, answer, receipt;
} th_told;
/* TH_OK only when the receipt holds by the trust document, stands in the provider's log and names just these lines, ids, item and case; then
 * the question and the body of the answer are read. TH_UNPROCESSABLE "unproved" otherwise. */
TH_MUST_USE th_status th_exchange_proved(th_exchange *exchange, const th_told *told, th_arena *arena, th_message *ret_question,
                                         const th_json **ret_answer, th_error *error);

/* The exact lines of a message that this node asked or answered and of its answer, as long as the bodies are kept. */
TH_MUST_USE th_status th_exchange_lines(th_exchange *exchange, th_db *db, th_str id, th_arena *arena, th_str *ret_message,
                                        th_str *ret_answer, th_error *error);

/* Where a message's entry stands in this node's journal: of one that it asked (`origin` NULL), or that member `origin` asked it.
 * TH_NOT_FOUND. */
TH_MUST_USE th_status th_exchange_place(th_db *db, const char *origin, th_str id, th_arena *arena, th_str *ret_log,
                                        uint64_t *ret_index, th_error *error);
/* The receipts of such a message as a JSON array: this node's own, then the provider's when this node asked. */
TH_MUST_USE th_status th_exchange_receipts(th_exchange *exchange, th_db *db, th_str id, th_arena *arena, th_str *ret_json, th_error *error);
/* The questions "who looked at this person's data", one a member that has not told all, each with a token that is made now for this
 * alone. `asks` and `cursors` have room for TH_MEMBERS_MAX; asks are linked by next, done and ctx are left to the caller. `before` is
 * where an earlier list ended, or absent. */
TH_MUST_USE th_status th_exchange_looks_asks(th_exchange *exchange, th_str id_number, th_str account, const char *lang, th_str before,
                                             th_arena *arena, th_ask *asks, th_str *cursors, size_t *ret_n, th_error *error);

/* The store is a backup's: once, before anything is appended. The old log ends and a new one begins, with a statement of loss as its first
 * entry; its number is the clock's, so that restoring one backup twice opens two logs and what peers saw beyond it is no fork. Blocks. */
TH_MUST_USE th_status th_exchange_restored(th_exchange *exchange, th_error *error);
/* A head of this node's own that others have seen: beyond its log, the node was restored unknowingly, and does the same. */
TH_MUST_USE th_status th_exchange_own_head_seen(th_exchange *exchange, const th_head *head, th_error *error);

/* What happens, for the wall and the tour: one JSON line each, no personal data. Called on the writer's or link's thread. */
typedef void (*th_exchange_watcher)(void *ctx, const char *event, th_str json);
void th_exchange_watch(th_exchange *exchange, th_exchange_watcher watcher, void *ctx);

#endif
