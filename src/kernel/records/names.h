/* names.h — people's names as they are written, brought to one form before they are stored or compared.
 *
 * Promises  What people cannot see does not make two names different: the dot of minority and foreign names (· • ‧ ・ ･ ⋅ ∙, and a full
 *           stop beside Han characters) is U+00B7; full-width letters are narrow; compatibility ideographs and radicals are the characters
 *           that they stand for, and what GB 18030 once kept in the private use area stands where GB 18030-2022 has it; spaces between Han characters
 *           go, others are one. Rare characters of any plane stay. What cannot be told apart or seen at all is refused, never dropped.
 *           Nothing is cut inside a character.
 * Source    GB 18030-2022; GA/T 2000 (names and their separator); Unicode Standard Annex #15.
 */
#ifndef TH_RECORDS_NAMES_H
#define TH_RECORDS_NAMES_H
#include "platform/base/base.h"

enum { TH_NAME_CHARACTERS_MAX = 100 };
typedef enum th_name_fault {
    TH_NAME_OK = 0, TH_NAME_ENCODING, TH_NAME_EMPTY, TH_NAME_LENGTH,
    TH_NAME_CONTROL,   /* controls, bidirectional overrides, characters of no width */
    TH_NAME_PRIVATE,   /* private use: only one computer knows what it shows */
    TH_NAME_COMBINING, /* marks and variation selectors: write the composed character */
    TH_NAME_CHARACTER, /* signs that stand in no name */
} th_name_fault;
const char *th_name_fault_code(th_name_fault fault); /* "name-encoding" … */
void th_name_fault_words(th_name_fault fault, const char **ret_zh, const char **ret_en);

/* The name's one form in the arena; `written` itself when nothing changes. */
th_name_fault th_name_normalise(th_str written, th_arena *arena, th_str *ret_name);
#endif
