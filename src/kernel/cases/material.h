/* material.h — papers of a case: their rows and pieces, and what may be one. */
#ifndef TH_CASES_MATERIAL_H
#define TH_CASES_MATERIAL_H
#include "cases-private.h"

enum { TH_PIECE = 32 * 1024, TH_MATERIAL_MAX = 50 * 1024 * 1024, TH_PIECES_A_PUT = 128, TH_MATERIAL_CODE_MAX = 64 };

typedef struct th_material {
    th_str code, name, mime, sha256, state, source;
    int64_t size, at_us;
} th_material;

/* ---- material_type.c: pure ---- */

/* What the bytes are, by their own signs: application/pdf, image/jpeg, image/png, application/ofd; NULL = none of these. */
const char *th_material_sniff(th_str bytes);
/* Does it look as it says, and hold nothing that acts? TH_UNPROCESSABLE material-empty, material-type, material-active, material-virus. A
 * script that hides inside a compressed stream of a PDF is not seen; whoever opens papers does so in a sandbox. */
TH_MUST_USE th_status th_material_check(th_str bytes, th_str mime, th_error *error);

/* ---- material.c: rows ---- */

TH_MUST_USE th_status th_material_get(th_db *db, th_str case_id, th_str code, th_arena *arena, th_material *ret_material, th_error *error);
TH_MUST_USE th_status th_material_put(th_db *db, th_str case_id, const th_material *material, th_error *error);
TH_MUST_USE th_status th_material_state_set(th_db *db, th_str case_id, th_str code, const char *state, int64_t next_at_us, th_error *error);
/* Pieces `first` … of `bytes`; those that stand already stay. */
TH_MUST_USE th_status th_pieces_put(th_cases *cases, th_db *db, th_str case_id, th_str code, int64_t first, th_str bytes, th_arena *arena,
                                    th_error *error);
TH_MUST_USE th_status th_pieces_count(th_db *db, th_str case_id, th_str code, th_arena *arena, int64_t *ret_n, th_error *error);
TH_MUST_USE th_status th_piece_get(th_cases *cases, th_db *db, th_str case_id, th_str code, int64_t n, th_arena *arena, th_str *ret_bytes,
                                   th_error *error);
TH_MUST_USE th_status th_material_bytes(th_cases *cases, th_db *db, th_str case_id, const th_material *m, th_arena *arena, th_str *ret_bytes,
                                        th_error *error);
static inline int64_t th_pieces_of(int64_t size) { return (size + TH_PIECE - 1) / TH_PIECE; }
#endif
