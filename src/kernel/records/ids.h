/* ids.h — identifiers whose check characters can be computed: pure functions over bytes, no look-up of who exists.
 *
 * Source    GB 11643-1999 (ISO 7064 MOD 11-2), GB 32100-2015 (MOD 31, with the inner GB 11714-1997 MOD 11-2 weights 3 7 9 10 5 8 4 2).
 *           A region code inside an identity number may be an abolished one: only its shape and province prefix are checked.
 */
#ifndef TH_RECORDS_IDS_H
#define TH_RECORDS_IDS_H
#include "platform/base/base.h"

typedef enum th_id_fault {
    TH_ID_OK = 0, TH_ID_LENGTH, TH_ID_CHARACTER, TH_ID_REGION, TH_ID_BIRTH, TH_ID_SEQUENCE, TH_ID_CHECK, TH_ID_INNER,
} th_id_fault;
const char *th_id_fault_code(th_id_fault fault); /* "length", "check-digit" … */
void th_id_fault_words(th_id_fault fault, const char **ret_zh, const char **ret_en);

th_id_fault th_citizen_id_check(th_str number, int64_t today_us); /* 18 characters, X upper-case; born on or before today, after 1850 */
bool th_citizen_id_ok(th_str number); /* shape, birth and check digit, whatever the day: for sign-up and counters */
char th_citizen_id_digit(const char *first17);
th_id_fault th_uscc_check(th_str code);      /* 统一社会信用代码, 18 */
char th_uscc_digit(const char *first17);
th_id_fault th_org_code_check(th_str code);  /* 组织机构代码, 9 without hyphen */
char th_org_code_digit(const char *first8);
#endif
