/* material.h — papers of a case: their rows and pieces, and what may be one. */
#ifndef TH_CASES_MATERIAL_H
#define TH_CASES_MATERIAL_H
#include "cases-private.h"

enum { TH_PIECE = 32 * 1024, TH_MATERIAL_MAX = 50 * 1024 * 1024, TH_PIECES_A_PUT = 128, TH_MATERIAL_CODE_MAX = 64 };

typedef struct th_material {
    th_str code, name, mime, sha256, state, source;
    int64_t size, at_us, next_us, tries; /* tries: how often in a row the other node gave what is not the paper */
} th_material;

/* ---- material_type.c: pure ---- */

/* A paper looked at piece by piece, the first one of 8 bytes or more: its hash, and what it is by its own signs. `type`: application/pdf,
 * image/jpeg, image/png, application/ofd; NULL = none of these. */
typedef struct th_material_look {
    th_hasher hasher;
    const char *type;
    size_t size, last_n;
    char last[64]; /* longer than anything that is looked for */
    bool zip, acts, virus;
} th_material_look;
void th_material_look_open(th_material_look *look);
void th_material_look_at(th_material_look *look, th_str piece);
/* Does it look as it says, and hold nothing that acts? TH_UNPROCESSABLE material-empty, material-type, material-active, material-virus. A
 * script that hides inside a compressed stream of a PDF is not seen; whoever opens papers does so in a sandbox. */
TH_MUST_USE th_status th_material_look_judge(const th_material_look *look, th_str mime, th_error *error);

/* ---- material.c: rows ---- */

TH_MUST_USE th_status th_material_get(th_db *db, th_str case_id, th_str code, th_arena *arena, th_material *ret_material, th_error *error);
TH_MUST_USE th_status th_material_put(th_db *db, th_str case_id, const th_material *material, th_error *error);
TH_MUST_USE th_status th_material_state_set(th_db *db, th_str case_id, th_str code, const char *state, int64_t next_at_us, th_error *error);
/* From "uploading" or "wanted" to "here", if it is still the very paper that was looked at; else nothing is changed. */
TH_MUST_USE th_status th_material_arrive(th_db *db, th_str case_id, const th_material *m, bool *ret_arrived, th_error *error);
/* What came is not the paper: its pieces go, and it is asked for again after a pause that grows. */
TH_MUST_USE th_status th_material_again(th_db *db, th_str case_id, const th_material *m, int64_t now_us, th_error *error);
/* May another paper take the place of `known` (NULL: there is none) now? TH_CONFLICT case-state, material-settled. One that is here can be
 * replaced until the case is accepted, and while something is being corrected. */
TH_MUST_USE th_status th_material_replace_check(const th_case *c, const th_material *known, th_error *error);
/* {"kind","code","name","mime","size","sha256"} as an event of the case. */
th_str th_material_event_json(const char *kind, const th_material *m, th_arena *arena);
/* The event that a paper which was here gives way to another: what it was stays known. */
TH_MUST_USE th_status th_material_replaced_note(th_cases *cases, th_db *db, th_case *c, const th_material *known, th_str actor, th_str message,
                                                th_arena *arena, th_error *error);
bool th_material_code_ok(th_str code);
/* Pieces `first` … of `bytes`; those that stand already stay. */
TH_MUST_USE th_status th_pieces_put(th_cases *cases, th_db *db, th_str case_id, th_str code, int64_t first, th_str bytes, th_arena *arena,
                                    th_error *error);
TH_MUST_USE th_status th_pieces_count(th_db *db, th_str case_id, th_str code, th_arena *arena, int64_t *ret_n, th_error *error);
TH_MUST_USE th_status th_piece_get(th_cases *cases, th_db *db, th_str case_id, th_str code, int64_t n, th_arena *arena, th_str *ret_bytes,
                                   th_error *error);
/* Every piece there and as long as it must be, the whole with the hash that was said: TH_CONFLICT material-pieces, TH_UNPROCESSABLE
 * material-hash. `ret_look` may be NULL. No two pieces are in memory at once. */
TH_MUST_USE th_status th_material_verify(th_cases *cases, th_db *db, th_str case_id, const th_material *m, th_material_look *ret_look,
                                         th_error *error);
TH_MUST_USE th_status th_material_bytes(th_cases *cases, th_db *db, th_str case_id, const th_material *m, th_arena *arena, th_str *ret_bytes,
                                        th_error *error);
static inline int64_t th_pieces_of(int64_t size) { return (size + TH_PIECE - 1) / TH_PIECE; }
static inline int64_t th_piece_size(int64_t size, int64_t n) { return n + 1 < th_pieces_of(size) ? TH_PIECE : size - n * TH_PIECE; }
#endif
