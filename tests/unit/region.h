/* region.h — a signed region in this process: keys, trust documents, and whole nodes without sockets between them.
 *
 * The nodes are real: exchange, people, records and cases over a real store, assembled as src/node does. Only the wire is replaced: carry
 * hands a batch from one node to the other, and a test may look at it, change it or drop it on the way.
 */
#ifndef TH_TESTS_REGION_H
#define TH_TESTS_REGION_H
#include "bench.h"
#include "exchange-private.h"
#include "kernel/cases/cases.h"
#include "kernel/records/records.h"
#include "platform/people/people.h"

enum { REGION_MAX = 4 };

typedef struct member {
    char code[TH_CODE_TEXT];
    th_suite suite;
    th_key *message, *journal, *governor;
    char pin[TH_PIN_TEXT];
} member;

typedef struct region {
    th_arena arena;
    member members[REGION_MAX];
    size_t n;
} region;

/* Members 110000 (Ed25519), 120000 (SM2), 130000 (Ed25519), 133100 (SM2), as many as wanted. */
void region_open(region *r, size_t n);
void region_close(region *r);

typedef struct terms { /* what a trust document of the region says; 0 and NULL mean the usual */
    const char *region;
    int64_t version;   /* 1 */
    int64_t threshold; /* 2, or 1 when there is one governor */
    int64_t issued_us, expires_us; /* a day ago, a year from now */
    int64_t key_from_us, key_until_us; /* of every member key: as the document */
    const char *suspended; /* a JSON array */
    size_t members, governors; /* all */
    size_t first_governor;     /* the governors are members[first_governor …] */
} terms;
th_str region_signed(region *r, const terms *t);
th_str region_document(region *r, const terms *t, unsigned signers /* bit i: the governor key of member i signs */);
th_trust *region_trust(region *r); /* the usual document, read; release it */
/* A grant of members[provider] to members[consumer], ready for th_exchange_grant_add; `more` is appended to the object. */
th_str region_grant(region *r, const char *id, size_t provider, size_t consumer, const char *reg, const char *operation, const char *fields,
                    const char *purposes, const char *consent);

typedef struct node {
    bench b;
    region *r;
    const member *me;
    bool threaded;
    uint8_t secret[32];
    th_writer *writer;
    th_exchange *ex;
    th_pool *pool;
    th_people *people;
    th_records *records;
    th_cases *cases;
    th_server *server;
    int wakes;
    char origin[64]; /* http://127.0.0.1:PORT */
} node;

/* The exchange alone, with the usual trust document in force when `trusted`. */
void node_open(node *n, region *r, size_t i, bool pg, bool trusted);
/* People, records and cases too, over the definitions in `region_dir` (NULL: the region's own); threads and a portal when `listening`. */
void node_open_whole(node *n, region *r, size_t i, bool pg, const char *region_dir, bool listening);
/* How the records of the nodes that are opened from now on ask HTTP upstreams; NULL = they have none. */
extern th_status (*region_http_get)(void *ctx, const char *url, const char *authorization, int timeout_ms, th_arena *arena, th_str *ret_body, th_error *error);
void node_close(node *n);
void node_reopen(node *n); /* closed and opened again over its store, as after a restart; exchange only */
void node_reopen_cases(node *n, const char *region_dir); /* and its cases, over these definitions */
void node_settle(node *n); /* until the writer has nothing left */
const char *region_dir(void);
/* A small region of our own in the bench's folder: three registers and a catalogue; see fixture.c. */
/* As setup and teardown of a group: the small region of the fixtures lies in fixture_dir. */
extern char fixture_dir[128];
int fixture_open(void **state);
int fixture_close(void **state);

/* One batch from `from` to `to` and its answer back; false when nothing waited. `hook` sees the request before it arrives (answer NULL) and
 * the answer before it returns; returning false drops it: a cut wire. */
typedef bool (*carry_hook)(void *ctx, th_wire *request, th_wire *answer);
bool carry(node *from, node *to, carry_hook hook, void *ctx);
void settle(node **nodes, size_t n); /* until no node has anything for another */
/* For asks over HTTP: a thread that carries between the nodes until it is ended. */
void pump_start(node **nodes, size_t n);
void pump_end(void);

/* ---- over HTTP ---- */
typedef struct browser { /* who calls: cookie and CSRF token, or an API key */
    node *n;
    char cookie[200], csrf[80], key[160], lang[4], once[80]; /* once: Idempotency-Key */
} browser;
typedef struct reply {
    int http;
    th_str body;
    const th_json *json; /* NULL when it is none */
    char type[80], etag[100], retry[16], disposition[100], cookie[300], replayed[8];
} reply;
reply call(browser *w, const char *method, const char *path, const char *body); /* body NULL = none */
reply call_as(browser *w, const char *method, const char *path, const char *body, const char *content_type);
void sign_in(browser *w, node *n, const char *login, const char *password); /* must succeed */
/* The call must be answered with this code and, when it is a problem, this type. */
#define HTTP(got, code, problem) http_is((got), (code), (problem), __FILE__, __LINE__)
reply http_is(reply got, int code, const char *problem, const char *file, int line);
#endif
