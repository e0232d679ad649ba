/* base.h — the ground floor's vocabulary: status, errors, strings, arenas, buffers, checked integers.
 *
 * Promises  Nothing here does I/O but the allocator. Over a limit a function says TH_TOO_LARGE or returns NULL; it never
 *           aborts. Assertions (TH_ASSERT) are for invariants of ours only, never for outside input, and stay in releases.
 * Ownership Whatever takes an arena returns memory of that arena, valid until its reset or close.
 * Threads   Plain data; one arena or buffer belongs to one thread at a time.
 * Errors    th_status everywhere; the words for people travel beside it in th_error, in Chinese and English.
 */
#ifndef TH_PLATFORM_BASE_H
#define TH_PLATFORM_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TH_MUST_USE __attribute__((warn_unused_result))
/* For the rare call whose failure changes nothing that could still be done. */
#define TH_IGNORE(call)                                                                                                           \
    do {                                                                                                                          \
        if (call) {                                                                                                               \
        }                                                                                                                         \
    } while (0)
#define TH_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define TH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- status ---------------------------------------------------------------------------------------------------------- */

typedef enum th_status {
    TH_OK = 0,
    TH_INVALID,         /* 400  malformed or out of range */
    TH_UNAUTHENTICATED, /* 401  nobody we know */
    TH_FORBIDDEN,       /* 403  known, but may not */
    TH_NOT_FOUND,       /* 404 */
    TH_CONFLICT,        /* 409  the state does not allow it, or the id was used for something else */
    TH_TOO_LARGE,       /* 413 */
    TH_UNPROCESSABLE,   /* 422  well formed, but its content breaks a rule */
    TH_BUSY,            /* 429  a budget or a queue is used up; try later */
    TH_UNAVAILABLE,     /* 503  a peer or a part cannot answer now */
    TH_TIMEOUT,         /* 504  the caller's deadline passed */
    TH_NO_SPACE,        /* 507  the disk is full */
    TH_IO,              /* 500  the store or the system failed */
    TH_CORRUPT,         /* 500  what was read contradicts itself */
    TH_NO_MEMORY,       /* 500  an allocation failed */
} th_status;

int th_status_http(th_status status);          /* 200, 400, 401 … as beside each member */
const char *th_status_name(th_status status);  /* "ok", "invalid" … for logs and --json */

/* ---- strings ---------------------------------------------------------------------------------------------------------- */

typedef struct th_str {
    const char *p; /* not NUL-terminated unless the function that made it says so; NULL means absent */
    size_t n;
} th_str;

#define TH_STR(literal) ((th_str){("" literal), sizeof(literal) - 1})
#define TH_FMT(s) (int)(s).n, ((s).p ? (s).p : "") /* for "%.*s" */

/* These few, and the appending of buffers below, are asked hundreds of times a message: inline, so that lengths of literals are known. */
static inline th_str th_str_of(const char *zero_terminated) /* NULL gives {NULL, 0} */
{
    return (th_str){zero_terminated, zero_terminated ? strlen(zero_terminated) : 0};
}
static inline bool th_str_eq(th_str a, th_str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool th_str_is(th_str a, const char *zero_terminated) { return th_str_eq(a, th_str_of(zero_terminated)); }
int th_str_cmp(th_str a, th_str b); /* bytes, then length */
bool th_str_starts(th_str s, const char *prefix);
th_str th_str_trim(th_str s); /* ASCII white space off both ends */
/* Cut `*rest` at the first `separator`: returns the part before it, moves *rest behind it. False when *rest is used up. */
bool th_str_cut(th_str *rest, char separator, th_str *ret_part);
bool th_utf8_valid(th_str s);
/* True when `s` holds C0/C1 controls, NUL, or bidirectional overrides (U+202A–E, U+2066–9): refused in every name and note. */
bool th_str_has_controls(th_str s);

/* ---- errors ----------------------------------------------------------------------------------------------------------- */

enum { TH_ERROR_FIELDS_MAX = 8, TH_POINTER_TEXT = 96 };

typedef struct th_field_error {
    char pointer[TH_POINTER_TEXT]; /* JSON Pointer into the body, "" for the whole */
    char code[40];    /* stable, kebab-case: "required", "type", "check-digit" */
    char zh[144];
    char en[144];
} th_field_error;

/* What went wrong, for a person and for a program. `type` becomes the problem's URI: urn:tonghui:problem:<type>. */
typedef struct th_error {
    th_status status;
    int retry_after_s; /* 0 = say nothing */
    int http;          /* 0 = by status; else a finer HTTP status of the same kind (405, 415) */
    char type[48];     /* stable, kebab-case: "grant-expired" */
    char zh[288];
    char en[288];
    size_t field_count;
    th_field_error fields[TH_ERROR_FIELDS_MAX];
} th_error;

/* As good as `= {0}` without writing 4 KiB, for a th_error on the way of every message. */
static inline void th_error_clear(th_error *error)
{
    error->status = TH_OK;
    error->retry_after_s = error->http = 0;
    error->type[0] = error->zh[0] = error->en[0] = 0;
    error->field_count = 0;
}

/* Fill *error (which may be NULL) and return `status`, so that a function can end in `return th_fail(…)`. The words are
 * printf formats taking the same arguments. Truncates at a character border. */
th_status th_fail(th_error *error, th_status status, const char *type, const char *zh, const char *en);
th_status th_failf(th_error *error, th_status status, const char *type, const char *zh, const char *en, ...)
    TH_PRINTF(4, 6);
/* Add one field to *error and make it TH_INVALID/"invalid-request" if it said nothing yet. Returns TH_INVALID. */
th_status th_fail_field(th_error *error, const char *pointer, const char *code, const char *zh, const char *en);

/* ---- assertions ------------------------------------------------------------------------------------------------------- */

#define TH_ASSERT(condition) ((condition) ? (void)0 : th_assert_failed(#condition, __FILE__, __LINE__))
__attribute__((noreturn)) void th_assert_failed(const char *condition, const char *file, int line);

/* ---- arenas ----------------------------------------------------------------------------------------------------------- */

typedef struct th_arena_block th_arena_block;
typedef struct th_arena {
    th_arena_block *blocks; /* newest first */
    char *at, *end;
    size_t used, max;
} th_arena;

/* An empty arena that will never hold more than `max` bytes. Allocates nothing yet. */
void th_arena_open(th_arena *arena, size_t max);
/* `n` zeroed bytes aligned for any type; NULL when the arena's maximum or the machine's memory is reached. */
TH_MUST_USE void *th_alloc(th_arena *arena, size_t n);
TH_MUST_USE void *th_alloc_array(th_arena *arena, size_t count, size_t size); /* overflow-checked */
TH_MUST_USE void *th_arena_room(th_arena *arena, size_t n); /* as th_alloc, but with whatever stood there */
void th_arena_reset(th_arena *arena); /* forget everything, keep the newest block for the next use */
void th_arena_close(th_arena *arena); /* forget and free everything */

/* Long-lived objects (those with _open/_close) are allocated here and nowhere else. Zeroed. */
TH_MUST_USE void *th_new(size_t size);
void th_free(void *object); /* NULL is allowed */
TH_MUST_USE char *th_new_copy(th_str s); /* zero-terminated, to be given to th_free */

/* Once at the start of a daemon: memory of up to a batch's size is kept by the process for the next batch, not given back to the
 * kernel and asked for again a page at a time. */
void th_memory_keep(void);

/* Copies in an arena; {NULL,0} when it is full. th_str_keep also zero-terminates (the NUL is not counted in n). */
th_str th_str_keep(th_arena *arena, th_str s);
th_str th_strf(th_arena *arena, const char *format, ...) TH_PRINTF(2, 3); /* zero-terminated */

/* ---- buffers: append-only text and bytes, born with a maximum ---------------------------------------------------------- */

typedef struct th_buf {
    th_arena *arena;
    char *p;
    size_t n, room, max;
    bool failed; /* sticky: once something did not fit nothing more is appended (room is n then); test with th_buf_ok */
} th_buf;

void th_buf_open(th_buf *buf, th_arena *arena, size_t max);
/* Room for `n` more bytes at p + n, to be written there and counted in n by the caller; false: it has failed. */
bool th_buf_grow(th_buf *buf, size_t n);
static inline bool th_buf_reserve(th_buf *buf, size_t n) { return n <= buf->room - buf->n || th_buf_grow(buf, n); }
static inline void th_buf_put(th_buf *buf, const void *bytes, size_t n)
{
    if (n && th_buf_reserve(buf, n)) {
        memcpy(buf->p + buf->n, bytes, n);
        buf->n += n;
    }
}
static inline void th_buf_str(th_buf *buf, th_str s) { th_buf_put(buf, s.p, s.n); }
static inline void th_buf_text(th_buf *buf, const char *zero_terminated) { th_buf_str(buf, th_str_of(zero_terminated)); }
static inline void th_buf_char(th_buf *buf, char c)
{
    if (th_buf_reserve(buf, 1))
        buf->p[buf->n++] = c;
}
void th_buf_int(th_buf *buf, int64_t value);
void th_buff(th_buf *buf, const char *format, ...) TH_PRINTF(2, 3);
bool th_buf_ok(const th_buf *buf);
th_str th_buf_view(const th_buf *buf); /* valid until the next append */

/* ---- bytes as text ---------------------------------------------------------------------------------------------------- */

void th_hex(const void *bytes, size_t n, char *ret_text /* 2n + 1 */);
bool th_unhex(th_str text, void *ret_bytes, size_t n); /* exactly 2n hex digits */
th_str th_base64(th_arena *arena, const void *bytes, size_t n);    /* RFC 4648 §4, padded */
th_str th_base64url(th_arena *arena, const void *bytes, size_t n); /* RFC 4648 §5, no padding */
size_t th_base64url_to(const void *bytes, size_t n, char *ret_text); /* into (n*4+2)/3 bytes, no NUL; returns the length */
TH_MUST_USE th_status th_unbase64(th_arena *arena, th_str text, th_str *ret_bytes);    /* strict: padding, no white space */
TH_MUST_USE th_status th_unbase64url(th_arena *arena, th_str text, th_str *ret_bytes); /* strict: no padding, canonical */
bool th_unbase64url_to(th_str text, void *ret_bytes, size_t n); /* the same, exactly n bytes */
bool th_equal_secret(const void *a, const void *b, size_t n); /* in constant time */

/* ---- checked integers ------------------------------------------------------------------------------------------------- */

TH_MUST_USE bool th_add_i64(int64_t a, int64_t b, int64_t *ret); /* false on overflow, *ret untouched */
TH_MUST_USE bool th_mul_i64(int64_t a, int64_t b, int64_t *ret);
TH_MUST_USE bool th_add_size(size_t a, size_t b, size_t *ret);
TH_MUST_USE bool th_mul_size(size_t a, size_t b, size_t *ret);
/* A whole decimal number within [min, max]: digits with an optional '-', no spaces, no '+', no leading zeros. */
TH_MUST_USE bool th_parse_i64(th_str text, int64_t min, int64_t max, int64_t *ret);

/* ---- environment: the only way kernel parts learn time and chance ------------------------------------------------------ */

typedef struct th_env {
    int64_t (*now_us)(void *ctx);                      /* UTC microseconds since 1970 */
    void (*random)(void *ctx, void *bytes, size_t n);  /* cryptographic outside simulation */
    void *ctx;
} th_env;

th_env th_env_real(void); /* the system's clock and random source */
static inline int64_t th_now_us(const th_env *env) { return env->now_us(env->ctx); }

/* ---- time ------------------------------------------------------------------------------------------------------------- */

#define TH_SECOND_US INT64_C(1000000)
#define TH_MINUTE_US (60 * TH_SECOND_US)
#define TH_HOUR_US (60 * TH_MINUTE_US)
#define TH_DAY_US (24 * TH_HOUR_US)
#define TH_SHANGHAI_US (8 * TH_HOUR_US) /* UTC+8, no daylight saving since 1991 */

enum { TH_TIME_TEXT = 32 };
void th_time_utc(int64_t at_us, char ret_text[TH_TIME_TEXT]);      /* 2026-11-23T15:04:05.123456Z */
void th_time_shanghai(int64_t at_us, char ret_text[TH_TIME_TEXT]); /* 2026-11-23T23:04:05+08:00 */
TH_MUST_USE bool th_time_parse(th_str text, int64_t *ret_at_us);   /* RFC 3339, any offset, ≤ 6 decimals, years 1900–9999 */
bool th_date_valid(int year, int month, int day);
int64_t th_date_us(int year, int month, int day); /* midnight UTC */
void th_date_of(int64_t at_us, int *ret_year, int *ret_month, int *ret_day); /* UTC */

/* ---- ids -------------------------------------------------------------------------------------------------------------- */

enum { TH_ID_TEXT = 37 };
void th_uuid7(const th_env *env, char ret_text[TH_ID_TEXT]); /* RFC 9562 §5.7; ascending within a process and millisecond */
bool th_uuid_valid(th_str text); /* lower-case hyphenated, version 7 */
/* The 16 bytes that such a text spells: they order as the texts do and are what tables keep. False: no such text. */
enum { TH_ID_BYTES = 16 };
TH_MUST_USE bool th_uuid_bytes(th_str text, uint8_t ret_bytes[TH_ID_BYTES]);

/* ---- logs: one JSON line on stderr; never a person's data -------------------------------------------------------------- */

typedef enum th_log_level { TH_LOG_ERROR, TH_LOG_WARN, TH_LOG_INFO, TH_LOG_DEBUG } th_log_level;
void th_log_level_set(th_log_level level);
/* th_log(TH_LOG_INFO, "link-up", "peer", "130000", "rtt_us", "812", NULL): an event name and pairs of texts, NULL last. */
void th_log(th_log_level level, const char *event, ...) __attribute__((sentinel));
/* Lines go to stderr unless a sink is set (tests, simulation). */
void th_log_sink_set(void (*sink)(void *ctx, th_str line), void *ctx);

#endif
