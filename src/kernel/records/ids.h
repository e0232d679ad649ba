/* ids.h — identifiers whose check characters can be computed: pure functions over bytes, no look-up of who exists.
 *
 * Promises  Nothing here allocates, reads a clock or fails on any bytes. A check says the first fault it meets; OK means that the text
 *           could have been issued, never that it was. Every single wrong character and every two neighbours swapped are caught in
 *           citizen numbers and credit codes; in organisation codes among digits (MOD 11 takes 0 for B, eleven apart); in
 *           certificate identifiers every wrong character, and of swapped neighbours all but 2 to 4 in 1,000 (ISO 7064's hybrid
 *           systems cannot do more).
 * Source    GB 11643-1999 (ISO 7064 MOD 11-2), GB 32100-2015 (MOD 31) with the inner GB 11714-1997, GB/T 36904-2018 (ISO 7064
 *           MOD 37,36), GB/T 39554.1-2020 (item codes).
 *           A region code inside an identity number may be an abolished one: only its shape and province prefix are checked.
 */
#ifndef TH_RECORDS_IDS_H
#define TH_RECORDS_IDS_H
#include "platform/base/base.h"

typedef enum th_id_fault {
    TH_ID_OK = 0, TH_ID_LENGTH, TH_ID_CHARACTER, TH_ID_REGION, TH_ID_BIRTH, TH_ID_SEQUENCE, TH_ID_CHECK, TH_ID_INNER,
    TH_ID_REGISTRATION, /* fifteen digits: a registration number of before 2015, not a credit code */
    TH_ID_PREFIX,       /* not an identifier of electronic certificates */
    TH_ID_PARTS,        /* not the five parts that follow the prefix */
    TH_ID_KIND,         /* item codes: a kind of item that does not exist */
    TH_ID_LEVEL,        /* item codes: a level of administration that does not exist */
    TH_ID_OWNER,        /* item codes: what stands for the office is no credit code, and nothing known either */
    TH_ID_OWNER_REGION, TH_ID_OWNER_TE, TH_ID_OWNER_SHORT, TH_ID_OWNER_ORG, /* … a region code, TE…, 17 characters, 9 characters */
} th_id_fault;
const char *th_id_fault_code(th_id_fault fault); /* "length", "check-digit" … */
void th_id_fault_words(th_id_fault fault, const char **ret_zh, const char **ret_en);

/* ---- people: 公民身份号码 ---- */

th_id_fault th_citizen_id_check(th_str number, int64_t today_us); /* 18 characters, X upper-case; born on or before today, after 1850 */
bool th_citizen_id_ok(th_str number); /* shape, birth and check digit, whatever the day: for sign-up and counters */
char th_citizen_id_digit(const char *first17);

/* How people write it: what was changed to get the form that is stored. */
enum { TH_ID_WAS_FULL_WIDTH = 1, TH_ID_WAS_LOWER = 2, TH_ID_WAS_SPACED = 4, TH_ID_WAS_OLD = 8 /* 15 digits of before 1999 */ };
enum { TH_ID_WRITTEN_MAX = 96 };
/* Full-width characters, a lower-case x, white space around or between groups; fifteen digits get their century (19: the fifteen-digit form
 * ended with 1999) and check digit. False: too long to be meant as one, `ret` then holds nothing. The result still has to be checked. */
bool th_citizen_id_normalise(th_str written, char ret[19], unsigned *ret_changes);

/* ---- organisations: 统一社会信用代码, 组织机构代码 ---- */

th_id_fault th_uscc_check(th_str code);      /* 18. A wrong inner code is TH_ID_INNER, but for the M series: see th_uscc_doubtful */
char th_uscc_digit(const char *first17);
/* Right outside, wrong inside, and the inner code begins with M: codes given since 2015 whose inner digit some registries did not
 * compute. Not refused; to be said. */
bool th_uscc_doubtful(th_str code);
th_id_fault th_org_code_check(th_str code);  /* 9 without hyphen */
char th_org_code_digit(const char *first8);
bool th_code_normalise(th_str written, char *ret, size_t room, unsigned *ret_changes); /* credit and item codes: width, case, spaces, hyphens; zero-terminated */

/* ---- electronic certificates: 电子证照标识 1.2.156.3005.2.<type>.<issuer>.<serial>.<version>.<check> ---- */

enum { TH_ECERT_ID_MAX = 160 };
typedef struct th_ecert_id {
    th_str type, issuer, serial, version; /* in the text given */
    char check;
} th_ecert_id;
/* Parts of digits and capitals; version 3 characters. Where type begins with 18 characters of a definer's credit code and three digits,
 * and where the issuer has 18, these are checked too (TH_ID_INNER). `ret_parts` may be NULL; filled when the result is TH_ID_OK. */
th_id_fault th_ecert_id_check(th_str id, th_ecert_id *ret_parts);
/* The check character over type, issuer, serial and version in this order; dots between them are skipped. 0 = another character in it. */
char th_ecert_id_digit(th_str parts);

/* ---- items: 基本编码 12, 实施编码 31, 业务办理项编码 33 ---- */

typedef struct th_item_code {
    th_str uscc, basic, handling; /* in the text given; absent where the code has no such part */
    int level;                    /* 1 state, 2 province, 3 city, 4 county, 5 town; 0 = a basic code has none */
    int kind;                     /* 1 许可 … 10 其他, 20 公共服务 */
} th_item_code;
th_id_fault th_item_code_check(th_str code, th_item_code *ret_code); /* ret_code may be NULL */
#endif
