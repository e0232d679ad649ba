/* sim.h — a region in one process: its clock, its nodes and what a run of one seed is.
 *
 * Nothing here waits, and no thread runs: every step is an event of the queue in clock.c, and virtual time passes only between events.
 * All chance comes from the seed. A node is the kernel's real code (exchange, records, cases) over a disk of disk.h, with a clock of its
 * own that may be wrong. When a node dies its code still unwinds, but nothing of it reaches the disk, the net or whoever asked.
 */
#ifndef SIM_H
#define SIM_H
#include "chance.h"
#include "disk.h"
#include "kernel/cases/cases.h"

#define SIM_EPOCH_US (INT64_C(1795478400) * TH_SECOND_US) /* 2026-11-24T00:00:00Z: the region is founded */
#define SIM_START_US (SIM_EPOCH_US + TH_HOUR_US)

enum { MEMBERS = 4, NODES = 5 /* one more for a member that leads two lives */, PERSONS = 12, COMPANIES = 2, GENERATIONS = 8 };

typedef struct sim sim;
typedef struct sim_node sim_node;
typedef struct sim_call sim_call;
typedef struct sim_letter sim_letter;
typedef struct sim_fact sim_fact;
typedef struct sim_case sim_case;
typedef struct sim_answer sim_answer;

/* ---- clock.c: events in order of time, then of their making ---- */

typedef void (*sim_step)(sim *s, void *ctx, uint64_t tag);
typedef struct sim_event {
    int64_t at_us;
    uint64_t order;
    sim_step step;
    void *ctx;
    uint64_t tag;
} sim_event;
typedef struct sim_queue {
    sim_event *heap;
    size_t n, room;
    uint64_t order;
} sim_queue;
void sim_after(sim *s, int64_t delay_us, sim_step step, void *ctx, uint64_t tag);
bool sim_queue_next(sim_queue *q, sim_event *ret_event); /* taken out; false when empty */
void sim_queue_close(sim_queue *q);

/* ---- region.c: keys, trust documents, and the four disks that every run begins with ---- */

typedef enum sim_use { USE_MESSAGE, USE_JOURNAL, USE_GOVERNOR } sim_use;
typedef enum sim_suites { SUITES_ED25519, SUITES_MIXED, SUITES_SM2, SUITES_KINDS } sim_suites;

typedef struct sim_member_state { /* what the next trust document says of a member */
    bool suspended;
    int message_generations, journal_generations; /* keys 0 … n-1 are listed */
    bool message_sm2[GENERATIONS];                /* suite of each message key */
    int64_t message_ends_us[GENERATIONS], journal_ends_us[GENERATIONS], begins_us[2][GENERATIONS];
} sim_member_state;

typedef struct sim_person {
    th_str id_number, name, certificate, level;
} sim_person;
typedef struct sim_company {
    th_str uscc, name;
} sim_company;

extern const char *const sim_codes[MEMBERS];
const th_key *sim_key(unsigned member, sim_use use, int generation, bool sm2);
void sim_pin(unsigned member, char ret_pin[TH_PIN_TEXT]);
void sim_region_found(void);                 /* of every choice of suites, so that forked processes share it */
void sim_region_open(sim *s);                /* the first document, founded when this is the first run of its suites */
void sim_region_disk(const sim *s, unsigned member, disk *to); /* as founded */
th_str sim_region_issue(sim *s);             /* version + 1 of what s->members says, signed by three governors of four */
const sim_person *sim_person_at(size_t i);   /* household 130000, degree at 110000 */
const sim_company *sim_company_at(unsigned member, size_t i);
const th_case_file *sim_items(size_t *ret_n);
th_str sim_file(const char *name);           /* of region/, read once */
void sim_region_close(void);                 /* at the end of the process */

/* ---- node.c ---- */

struct sim_node {
    sim *sim;
    unsigned slot, member;
    char code[TH_CODE_TEXT];
    disk *disk;
    bool exists, up, dying, power; /* power: unsynced writes may be lost when it is buried */
    uint64_t life;                 /* one more with every start */
    int64_t clock_us;              /* how far its clock is off */
    uint32_t clock_sets;           /* how often it was set */
    chance chance;
    th_env env;
    int message_generation, journal_generation;
    bool message_sm2;
    bool lapsed;            /* somebody put its first message key back, which has ended */
    int64_t lapsed_version; /* by this document */
    th_store *store;
    th_writer *writer;
    th_exchange *exchange;
    th_records *records;
    th_cases *cases;
    bool woken[MEMBERS], drain_due, step_due;
    int64_t grants_at_us[MEMBERS];
    int64_t busy_until_us, cases_at_us;
    uint32_t ticks; /* chains of ticks begun: only the newest goes on */
    sim_call *calls;
    sim_letter *letters; /* given to its exchange and not answered yet */
    bool restored;       /* its disk is a backup's, and it was not opened since */
    int64_t epoch;       /* restores so far */
    int64_t restored_us; /* what it acknowledged after its backup and before this is excused; 0 = never restored */
    int64_t facts_seen_us;
    th_head head;        /* newest that it committed */
};
void sim_node_make(sim *s, unsigned slot, unsigned member); /* with an empty disk */
void sim_node_start(sim *s, sim_node *n);
/* Its process dies: now, or in the midst of what runs. `power`: with the machine. It is buried after the event. */
void sim_node_kill(sim_node *n, bool power);
void sim_node_stop(sim *s, sim_node *n);                    /* cleanly, as on SIGTERM */
void sim_node_free(sim_node *n);
void sim_node_start_later(sim_node *n, int64_t delay_us);
void sim_node_busy(sim_node *n);                            /* ticks come quickly for a while */
void sim_nodes_settle(sim *s);                              /* after every event: bury, and let writers begin */
int64_t sim_node_now(const sim_node *n);
void sim_node_secret(const sim_node *n, uint8_t ret_secret[32]);
static inline bool sim_node_runs(const sim_node *n) { return n->up && !n->dying; }
const th_key *sim_node_key(const sim_node *n);              /* the message key it signs with */

/* ---- net.c ---- */

typedef struct sim_net {
    chance chance;
    unsigned loss, duplicates, slow;    /* in a thousand */
    int64_t delay_us, slow_us;
    bool cut[NODES][NODES], clogged[NODES][NODES];
    uint64_t next_call, next_letter;
    sim_letter *letters;
    bool heads_two; /* a member leads two lives; who meets the second one: */
    bool meets_second[NODES];
    bool deaf; /* that member's lives answer no gossip */
} sim_net;
void sim_net_send(sim_node *from, th_outgoing *outgoing);
void sim_net_ask_grants(sim_node *from, unsigned member);
void sim_net_wake(void *node, const char *peer); /* th_exchange_options.wake */
void sim_net_calls_end(sim_node *n);   /* a node closes: its calls fail */
void sim_net_letters_end(sim_node *n); /* … and, after its writer, those who called it are reset */
void sim_net_close(sim *s);

/* ---- facts.c: what was acknowledged must be found again ---- */

typedef enum sim_fact_kind { FACT_CASE, FACT_EVENT, FACT_TOLD, FACT_ASKED, FACT_ANSWERED, FACT_PUT, FACT_TRUST, FACT_HEAD } sim_fact_kind;
struct sim_fact {
    sim_fact_kind kind;
    unsigned slot;
    int64_t at_us, n;
    char id[TH_ID_TEXT], text[48];
    th_hash hash;
    bool excused;
    sim_fact *next;
};
void sim_fact_add(sim_node *n, sim_fact_kind kind, const char *id, const char *text, int64_t number, const th_hash *hash);
void sim_facts_check(sim_node *n, bool all); /* those since the last look, or all */
void sim_facts_excuse(sim_node *n, int64_t since_us);
void sim_facts_close(sim *s);

/* ---- work.c, cases.c, asks.c, effects.c, operator.c ---- */

struct sim_case {
    char id[TH_ID_TEXT];
    unsigned origin, owner, person;
    int64_t started_us;
    bool excused;
    sim_case *next;
};
void sim_work_open(sim *s);
int64_t sim_pause(sim *s, int64_t busy_us, int64_t quiet_us); /* until the next thing happens */
void sim_case_start(sim *s, sim_node *n);
void sim_case_clerk(sim *s, sim_node *n);
void sim_case_citizen(sim *s, sim_node *n);
void sim_case_consulted(sim *s, sim_node *n);
void sim_case_told(void *node, th_str case_id, th_str event_json);
void sim_cases_close(sim *s);
void sim_ask(sim *s, sim_node *n);
void sim_effect_put(sim *s, sim_node *n);
void sim_effects_check(sim_node *n, th_db *db); /* what failed left nothing */
th_status sim_effect_types(sim_node *n);
const char *sim_effect_schema(void);
void sim_operator_open(sim *s);
void sim_operator_heal(sim *s); /* everybody is a member again and gets every document */
bool sim_key_ended(sim_node *n, sim_node *provider); /* `provider` knows that the key with which `n` signs has ended */

/* ---- nemesis.c ---- */

void sim_nemesis_open(sim *s);
void sim_nemesis_heal(sim *s);

/* ---- checks.c ---- */

bool sim_settled(sim *s);        /* nothing is under way any more */
bool sim_fork_seen(sim *s);      /* an honest node has raised the alarm */
void sim_not_settled(sim *s);    /* … and never will be: says what */
void sim_answers_close(sim *s);
void sim_check_commit(sim_node *n); /* after each commit: its log only grows */
void sim_check_answers(sim_node *provider, th_str request, th_str answer); /* an id is answered in the same bytes for ever */
void sim_check_receipt(sim_node *n, th_str receipt, const char *id, unsigned provider);
void sim_checks_end(sim *s);
void sim_journals_hash(sim *s, char ret_hex[TH_HEX_HASH]);

/* ---- a run ---- */

typedef struct sim_features { /* what this seed does to its region; drawn from it */
    bool kills, power, restarts, die_inside, cuts, loss, duplicates, slow, clogs, full, bad_syncs, clocks, suspends, rotates, restores,
        equivocates, refusals, checkpoints, withdraws;
} sim_features;

typedef struct sim_counts {
    uint64_t events, batches, quiet, messages, cases, delivered, asks, asks_ok, effects, kills, buried_inside, restores, documents, rotations, lapses, refused;
} sim_counts;

struct sim {
    uint64_t seed;
    int64_t hours_us;
    bool verbose;
    int64_t now_us;
    sim_queue queue;
    chance chance;
    sim_features features;
    sim_suites suites;
    size_t batch_lines; /* 0 = the protocol's limit; small ones fill the window of batches in flight */
    sim_node nodes[NODES];
    sim_net net;
    sim_member_state members[MEMBERS];
    int64_t version;
    th_arena arena; /* documents and the like, for the whole run */
    th_str documents[64]; /* by version */
    int64_t document_at_us[64];
    sim_fact *facts, **facts_last;
    sim_case *cases;
    sim_answer *answers[1024];
    bool working, healing;
    int equivocator; /* member, -1 = none */
    int64_t forked_us, fork_seen_us; /* when the second life began; when an honest node raised the alarm */
    disk *backup;
    unsigned backup_of;
    int64_t backup_us;
    sim_counts counts;
    bool failed;
    char failure[1200];
};

typedef struct sim_outcome {
    bool failed;
    char failure[1200];
    char hash[TH_HEX_HASH];
    sim_counts counts;
    int64_t simulated_us;
    int64_t fork_us; /* from fork to alarm; 0 = no fork */
} sim_outcome;
void sim_memo_begin(bool use); /* memo.c: before a run */
int64_t sim_time_zero(void *ctx);
void sim_process_reset(uint64_t seed);
void sim_run(uint64_t seed, int64_t hours_us, bool verbose, sim_outcome *ret_outcome);

/* The run has failed: the first words stay; the loop ends after this event. */
void sim_fail(sim *s, const char *format, ...) TH_PRINTF(2, 3);
/* A line of the story, when somebody listens. */
void sim_say(sim *s, const char *format, ...) TH_PRINTF(2, 3);
/* A set-up step that cannot fail did: the program ends. */
void sim_must(th_status status, const th_error *error, const char *what);
#endif
