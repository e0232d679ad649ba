/* json.h — strict, bounded JSON: one pass, no tree, no allocation but one flat array of nodes.
 *
 * Promises  Accepts exactly RFC 8259 over valid UTF-8 with: no duplicate keys, no lone surrogates, depth ≤ TH_JSON_DEPTH_MAX,
 *           nodes ≤ TH_JSON_NODES_MAX. Numbers keep their text; integers that fit int64 read as such.
 * Ownership Nodes live in the arena and point into `text`, which must outlive them. Strings without escapes are views into
 *           `text`; strings with escapes are decoded once at parse into the arena.
 * Source    RFC 8259; RFC 6901 (pointers); RFC 8785 (canonical form).
 */
#ifndef TH_PLATFORM_JSON_H
#define TH_PLATFORM_JSON_H
#include "platform/base/base.h"

enum { TH_JSON_DEPTH_MAX = 64, TH_JSON_NODES_MAX = 2000000 };

typedef enum th_json_type {
    TH_JSON_NULL, TH_JSON_FALSE, TH_JSON_TRUE, TH_JSON_NUMBER, TH_JSON_STRING, TH_JSON_ARRAY, TH_JSON_OBJECT,
} th_json_type;

typedef struct th_json {
    th_json_type type;
    uint32_t next;  /* distance in nodes to the next sibling: this + next */
    uint32_t count; /* members of an object, elements of an array */
    th_str raw;     /* the exact source bytes of this value */
    th_str text;    /* a string decoded; a number's text */
    th_str key;     /* decoded member name when inside an object, else {NULL,0} */
} th_json;

/* Parse the whole of `text` (white space around is allowed). TH_INVALID with the byte offset in *error; TH_TOO_LARGE. Then
 * *ret_root is NULL, of which all walking and reading below finds nothing. */
TH_MUST_USE th_status th_json_parse(th_str text, th_arena *arena, const th_json **ret_root, th_error *error);

/* Walking. All accept NULL and a wrong type and then return NULL / absent. */
const th_json *th_json_get_str(const th_json *object, th_str key);
static inline const th_json *th_json_get(const th_json *object, const char *key) { return th_json_get_str(object, th_str_of(key)); }
const th_json *th_json_first(const th_json *container); /* first child or NULL */
const th_json *th_json_next(const th_json *container, const th_json *child); /* next child or NULL */
const th_json *th_json_at(const th_json *array, size_t index);
/* "/path/a~1b": where a member stands, escaped as RFC 6901 says; a name too long to show is "…". */
void th_json_pointer_to(char ret_pointer[TH_POINTER_TEXT], const char *path, th_str key);
const th_json *th_json_pointer(const th_json *root, const char *pointer); /* RFC 6901 */

/* Reading. The plain forms return a fallback for absence or another type. */
static inline th_str th_json_str(const th_json *object, const char *key)     /* {NULL,0} when not a string */
{
    const th_json *m = th_json_get(object, key);
    return m && m->type == TH_JSON_STRING ? m->text : (th_str){NULL, 0};
}
int64_t th_json_int(const th_json *object, const char *key, int64_t fallback);
bool th_json_bool(const th_json *object, const char *key, bool fallback);
bool th_json_is_int(const th_json *value, int64_t *ret);

/* Bodies of requests: say what is wanted, collect every fault with its pointer (required, type, too-long, controls).
 * `path` is the pointer of `object` ("" for the root). Each returns false after adding a field error. */
bool th_json_want_str(const th_json *object, const char *path, const char *key, size_t max, th_str *ret, th_error *error);
bool th_json_want_int(const th_json *object, const char *path, const char *key, int64_t min, int64_t max, int64_t *ret,
                      th_error *error);
bool th_json_want_object(const th_json *object, const char *path, const char *key, const th_json **ret, th_error *error);
bool th_json_want_array(const th_json *object, const char *path, const char *key, size_t max, const th_json **ret,
                        th_error *error);
/* Refuse members that are not in the NULL-terminated list ("unknown-field"). */
bool th_json_only(const th_json *object, const char *path, const char *const *allowed, th_error *error);

/* Writing: a thin pen over th_buf that places commas. */
typedef struct th_pen {
    th_buf *buf;
    uint64_t has_member; /* bit per depth */
    int depth;
} th_pen;

th_pen th_pen_on(th_buf *buf);
void th_pen_object(th_pen *pen);             /* { */
void th_pen_array(th_pen *pen);              /* [ */
void th_pen_end(th_pen *pen, char bracket);  /* '}' or ']' */
void th_pen_key_plain(th_pen *pen, const char *key, size_t n); /* a key of ours, which needs no escapes */
void th_pen_key_str(th_pen *pen, th_str key);
void th_pen_str(th_pen *pen, th_str value);  /* absent → null */
void th_pen_base64url(th_pen *pen, const void *bytes, size_t n);
void th_pen_time(th_pen *pen, int64_t at_us); /* RFC 3339 UTC; 0 → null */
void th_pen_int(th_pen *pen, int64_t value);
void th_pen_bool(th_pen *pen, bool value);
void th_pen_null(th_pen *pen);
void th_pen_raw(th_pen *pen, th_str json);   /* trusted JSON, as it is */
void th_pen_members(th_pen *pen, th_str object); /* the members of a trusted JSON object, as they are */
static inline void th_pen_key(th_pen *pen, const char *key) { th_pen_key_plain(pen, key, strlen(key)); }
static inline void th_pen_text(th_pen *pen, const char *value) { th_pen_str(pen, th_str_of(value)); }
/* One member in one call. */
#define TH_PEN_MEMBER(name, type, value)                                                                                          \
    static inline void th_pen_k##name(th_pen *pen, const char *key, type member)                                                  \
    {                                                                                                                             \
        th_pen_key(pen, key);                                                                                                     \
        value(pen, member);                                                                                                       \
    }
TH_PEN_MEMBER(str, th_str, th_pen_str)
TH_PEN_MEMBER(text, const char *, th_pen_text)
TH_PEN_MEMBER(int, int64_t, th_pen_int)
TH_PEN_MEMBER(bool, bool, th_pen_bool)
TH_PEN_MEMBER(raw, th_str, th_pen_raw)
TH_PEN_MEMBER(time, int64_t, th_pen_time)
#undef TH_PEN_MEMBER
/* {"zh":…,"en":…} */
void th_pen_kwords(th_pen *pen, const char *key, const char *zh, const char *en);

/* Append `s` as a JSON string with quotes; control characters as \u00XX, everything else as it is. */
void th_json_quote(th_buf *buf, th_str s);

/* RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript prints them. TH_TOO_LARGE, TH_INVALID (NaN). */
TH_MUST_USE th_status th_json_canonical(const th_json *value, th_buf *buf);

/* The problem document of RFC 9457 in `lang` ("zh" or "en"): both languages in title_zh/title_en, errors with pointers. */
void th_problem_write(th_buf *buf, const th_error *error, const char *lang, th_str request_id);

#endif
