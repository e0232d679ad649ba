/* exchange-private.h — what the files of this part share. Locks: `lock` guards trust, grants, peers and their queues; it is held for
 * moments only, never while calling out. */
#ifndef TH_EXCHANGE_PRIVATE_H
#define TH_EXCHANGE_PRIVATE_H
#include "kernel/exchange/exchange.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    TH_AGREEMENTS_MAX = 4,
    TH_TYPES_MAX = 32,
    TH_PEER_QUEUE_MAX = 20000,
    TH_GOSSIP_EVERY_S = 10,   /* at most this often, when there is news, unless th_exchange_options says */
    TH_GOSSIP_IDLE_S = 3600,  /* and at least this often */
    TH_ANSWER_MAX = 64 * 1024,
    TH_MEMBER_BUDGET_PER_S = 50000, /* messages a second that one member may cause here */
};

/* One thing that waits to be a line of a batch: an ask, an outbox row or this node's own heads. */
typedef struct th_item {
    th_ask *ask;          /* NULL for outbox rows and gossip */
    int64_t outbox_seq;   /* > 0: outbox row */
    th_arena *arena;      /* where results go */
    th_arena own;         /* used when the ask brought none */
    th_str line;          /* built at the first send, then the same bytes at every retry */
    char id[TH_ID_TEXT];
    char subject[33];
    th_str office, operator_account, item, case_id, grant;
    int64_t deadline_us;
    int64_t attempts; /* outbox rows: how often it was tried before */
    bool orphan;      /* who asked heard "too late" while the batch was under way; its line is journaled all the same */
    struct th_batch_out *batch; /* of an orphan */
    struct th_item *next;
    char text[];      /* of an ask: its line and its grant's id */
} th_item;

typedef struct th_peer {
    char code[TH_CODE_TEXT];
    th_item *first, **last;
    size_t waiting;
    size_t in_flight, lines_in_flight; /* batches under way, and their lines */
    size_t settling;                   /* answered batches that the writer has */
    bool outbox_waits;     /* there may be rows for this peer */
    int64_t outbox_due_us; /* and there are, held back until then */
    bool outbox_in_flight; /* one batch with outbox rows at a time keeps their order */
    bool woken;        /* wake was called and next has not yet found nothing */
    int64_t not_before_us; /* after a failure: nothing is sent before */
    int64_t ask_after_us;  /* the same for asks, whose callers wait: never long */
    int64_t down_since_us; /* first of the failures in a row that say the peer is not there; 0 = it is */
    int failures;      /* in a row */
    struct th_batch_out *flying; /* what is under way */
    uint64_t sequence;
    int64_t gossip_at_us;
    uint64_t news_told;    /* th_exchange.news when it was last told */
    th_link_state state;
    int64_t budget_at_us;
    int64_t budget;
    th_head verified;        /* the newest head that was proved to continue all earlier ones */
    th_head unproved;        /* another of the same log, told by somebody or overtaken before it was proved; size 0 = none waits */
    bool asking_unproved, unproved_told; /* told: by another member, where a second history would show */
    th_head former;          /* the last known of the log before the newest: told on, so that a new log leaves no two histories behind */
    bool asking_consistency, wants_consistency; /* wants: its log has grown by more than gossip and proofs, or others say so */
    bool skew_alarmed;
    int64_t consistency_at_us;
} th_peer;

enum { TH_GRANT_BUDGETS = 1024 };
typedef struct th_grant_budget {
    int64_t at_us, credit;
} th_grant_budget;

struct th_exchange {
    char code[TH_CODE_TEXT];
    th_store *store;
    th_env env;
    th_key *message_key, *journal_key;
    char message_kid[TH_KID_TEXT];
    uint8_t secret[32], seal_key[32];
    th_pool *pool; /* NULL = none */
    size_t batch_lines;
    int64_t gossip_us; /* heads are told and proofs asked at most this often */
    int64_t body_days;
    bool sweeping;
    int64_t sweep_at_us;
    void (*wake)(void *ctx, const char *peer);
    void *wake_ctx;
    th_writer *writer;
    th_journal *journal;
    th_message_type types[TH_TYPES_MAX];
    size_t type_count;
    th_exchange_watcher watcher;
    void *watcher_ctx;

    pthread_mutex_t lock;
    bool stopped;
    uint64_t news; /* counts batches, either way, that held more than gossip and proofs */
    th_agreement *agreements[TH_AGREEMENTS_MAX]; /* under lock */
    size_t agreement_count;
    th_trust *trust;
    struct { char provider[TH_CODE_TEXT]; th_grants *grants; } grants[TH_MEMBERS_MAX];
    size_t grants_count;
    struct { th_grants *of; char *text; int64_t at_us; } published; /* what was signed last, and the grants that it tells; text NULL = nothing yet */
    th_grant_budget grant_budgets[TH_GRANT_BUDGETS];
    th_peer peers[TH_MEMBERS_MAX];
    size_t peer_count;
    int64_t expiry_alarmed; /* version × 100 + days of the last alarm; the link's thread */
    size_t fresh_looks; /* of the access log, not merged yet; the writer's thread only */
    /* committed outbox rows wait for these peers: collected in the transaction, woken after it */
    char outbox_staged[TH_MEMBERS_MAX][TH_CODE_TEXT];
    size_t outbox_staged_count;
};

/* exchange.c */
th_peer *th_peer_find(th_exchange *ex, th_str code); /* under lock; made when a member; NULL otherwise */
const th_message_type *th_type_find(const th_exchange *ex, th_str type);
void th_private_hash(const th_exchange *ex, const char *direction, const char *id, th_str subject, th_str operator_account,
                     th_hash *ret_hash);
void th_operator_pseudonym(const th_exchange *ex, th_str account, char ret_text[33]);
void th_exchange_notify(th_exchange *ex, const char *event, th_str json);
void th_peer_wake(th_exchange *ex, const char *peer); /* not under lock */
/* Blocking write of one simple change from a function (set-up paths). */
typedef th_status (*th_simple_apply)(void *ctx, th_db *db, th_error *error);
TH_MUST_USE th_status th_exchange_write(th_exchange *ex, th_simple_apply apply, void *ctx, th_error *error);

/* wire.c: the signed envelope */
typedef struct th_envelope { /* the Tonghui-Batch header */
    char from[TH_CODE_TEXT], to[TH_CODE_TEXT];
    int64_t n, sequence;
    th_hash root;
    th_suite suite;
} th_envelope;
TH_MUST_USE th_status th_envelope_write(const th_envelope *envelope, th_arena *arena, th_str *ret_header);
TH_MUST_USE th_status th_envelope_read(th_str header, th_envelope *ret_envelope, th_error *error);
TH_MUST_USE th_status th_wire_sign_request(th_wire *wire, const th_key *key, const th_env *env, th_arena *arena);
TH_MUST_USE th_status th_wire_sign_answer(th_wire *answer, const th_wire *request, const th_key *key, const th_env *env,
                                          th_arena *arena);
/* Signature, digest and key of `member`; ret_created is when it was signed. */
TH_MUST_USE th_status th_wire_check_request(const th_wire *wire, const th_trust *trust, const char *member, int64_t now_us,
                                            th_arena *arena, int64_t *ret_created_us, int64_t *ret_expires_us,
                                            th_suite *ret_suite, th_error *error);
TH_MUST_USE th_status th_wire_check_answer(const th_wire *answer, const th_wire *request, const th_trust *trust,
                                           const char *member, int64_t now_us, th_arena *arena, th_suite *ret_suite,
                                           th_error *error);
/* Split at line ends; every line ends with one. TH_INVALID / TH_TOO_LARGE. */
TH_MUST_USE th_status th_lines_split(th_str body, size_t max, th_arena *arena, th_str **ret_lines, size_t *ret_n,
                                     th_error *error);
TH_MUST_USE th_status th_message_read(th_str line, th_arena *arena, th_message *ret_message, th_error *error);
th_status th_status_of_http(int http);
TH_MUST_USE th_status th_problem_read(th_str body, int http_status, th_arena *arena, th_error *ret_error);

/* answered.c */
TH_MUST_USE th_status th_receipt_cut(th_exchange *ex, th_str request, th_str answer, th_str trailer, size_t line,
                                     th_arena *arena, th_receipt *ret_receipt);

/* gossip.c */
/* In a transaction: what is known of a member's log, so that a restart forgets neither its newest head nor what was proved. `verified` NULL = as
 * it was. */
TH_MUST_USE th_status th_log_keep(th_db *db, const th_head *newest, const th_head *verified, th_error *error);
void th_gossip_saw(th_exchange *ex, const th_head *head, const char *told_by, bool by_its_owner);
void th_gossip_line(th_exchange *ex, th_peer *peer, th_arena *arena, th_str *ret_body); /* absent when nothing is new */
bool th_gossip_due(const th_exchange *ex, const th_peer *peer, int64_t now_us); /* under lock */
bool th_gossip_is_news(th_str type); /* not gossip itself, nor the proofs it asks for: they would never end */
void th_gossip_lost(th_exchange *ex, const char *peer); /* what it was told did not reach it */
void th_gossip_news(th_exchange *ex, const char *peer); /* a batch with news to or from `peer` was committed */
th_str th_heads_text(const th_head *a, const th_head *b, th_arena *arena); /* two that contradict each other, as evidence */
TH_MUST_USE th_status th_gossip_open(th_exchange *ex, th_error *error);
/* alarms.c: nothing happens when the same alarm is open, or the same detail was dealt with */
void th_alarms_tick(th_exchange *ex);
void th_alarm_raise(th_exchange *ex, const char *kind, const char *peer, const char *zh, const char *en, th_str detail);
TH_MUST_USE th_status th_gossip_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                      th_error *error);

/* outbox.c */
/* *ret_due_us: when the earliest row that is held back comes due; INT64_MAX = none is. */
TH_MUST_USE th_status th_outbox_take(th_exchange *ex, th_peer *peer, size_t max, th_arena *arena, th_item **ret_items,
                                     size_t *ret_n, int64_t *ret_due_us);
TH_MUST_USE th_status th_outbox_settle(th_db *db, const char *peer, int64_t seq, const th_error *refusal, int64_t now_us,
                                       th_error *error);
TH_MUST_USE th_status th_outbox_retry(th_exchange *ex, th_db *db, const char *peer, const th_item *item, int64_t now_us,
                                      th_error *error);
/* True when the effect is new; false when (origin, sequence, id) was applied before. */
TH_MUST_USE th_status th_inbox_admit(th_db *db, const th_message *message, int64_t now_us, bool *ret_new, th_error *error);

/* entry.c: is it the line's hash, under the one suite or the other? Which one a line was sent under, its entry does not say. */
bool th_leaf_is_of(const th_hash *leaf, th_str line);

/* body.c: `where` "request", "answer" (key: the batch's id, 16 bytes) or "line" (key: the message's id) */
TH_MUST_USE th_status th_body_seal(const th_exchange *ex, const char *where, th_str key, th_str clear, th_arena *arena, th_value *ret, th_error *error);
TH_MUST_USE th_status th_body_open(const th_exchange *ex, const char *where, th_str key, th_str stored, th_arena *arena, th_str *ret_clear, th_error *error);

/* retention.c */
void th_retention_tick(th_exchange *ex);

/* consistency.c */
void th_consistency_tick(th_exchange *ex);
void th_consistency_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena,
                         th_answer **answers);

/* consent_revoke.c */
TH_MUST_USE th_status th_consent_revoked_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer,
                                               th_error *error);

/* ids.c: which message lies in which batch. `ids` is put in order. */
typedef enum th_ids_kind { TH_IDS_SENT, TH_IDS_SEEN } th_ids_kind;
typedef struct th_id {
    uint8_t bytes[TH_ID_BYTES];
    const th_hash *leaf; /* put, seen: of the message's line */
    void *ctx;           /* free for the caller */
    uint16_t line;       /* put: its line in the batch; look: the same, when known */
    bool known;          /* look: the rest is set */
    uint8_t batch[TH_ID_BYTES];
    th_hash known_leaf;
} th_id;
TH_MUST_USE th_status th_ids_put(th_db *db, th_ids_kind kind, th_str origin, const uint8_t batch[TH_ID_BYTES], th_id *ids, size_t n,
                                 th_arena *arena, th_error *error);
TH_MUST_USE th_status th_ids_look(th_db *db, th_ids_kind kind, th_str origin, th_id *ids, size_t n, th_error *error);

/* access.c: what this node looked up about a person, newest first; texts live in the arena. */
typedef struct th_look {
    char log[TH_LOG_TEXT];
    uint64_t entry;
    int64_t at_us;
    th_str consumer, office, reg, fields, operation;
    th_str basis; /* "consent" or "duty"; absent for looks kept before this was told */
} th_look;
typedef struct th_access_from { /* what was before an instant, or stands before an entry of a log */
    int64_t before_us;
    char log[TH_LOG_TEXT]; /* "" = from the newest */
    uint64_t entry;
} th_access_from;
TH_MUST_USE th_status th_access_of(th_exchange *ex, th_db *db, const char subject[33], const th_access_from *from, size_t max,
                                   th_arena *arena, th_look **ret_looks, size_t *ret_n, th_error *error);
TH_MUST_USE th_status th_access_open(th_exchange *ex, th_error *error);

/* looks.c */
TH_MUST_USE th_status th_looks_wanted(void *ctx, const th_message *message, th_arena *arena, th_wanted *ret_wanted,
                                      th_str *ret_id_number, th_error *error);
bool th_looks_cursor(th_str before, th_access_from *ret_from); /* where a page goes on; absent: from the newest */
void th_looks_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers);

/* agreement.c */
TH_MUST_USE th_status th_agreements_load(th_exchange *ex, th_db *db, th_arena *arena, th_error *error);
#endif
