/* ids.c — check characters, computed and never guessed. */
#include "kernel/records/ids.h"

#include <string.h>

static const struct { const char *code, *zh, *en; } faults[] = {
    [TH_ID_OK] = {"ok", "正确", "Correct"},
    [TH_ID_LENGTH] = {"length", "位数不对", "Wrong number of characters"},
    [TH_ID_CHARACTER] = {"character", "含有不允许的字符", "Holds a character that is not allowed"},
    [TH_ID_REGION] = {"region", "地区代码不存在", "No such region code"},
    [TH_ID_BIRTH] = {"birth", "出生日期不合法", "Not a possible date of birth"},
    [TH_ID_SEQUENCE] = {"sequence", "顺序码不合法", "Not a possible sequence number"},
    [TH_ID_CHECK] = {"check-digit", "校验码不正确", "The check character is wrong"},
    [TH_ID_INNER] = {"inner-code", "其中的机构代码校验码不正确", "The check character of the inner organisation code is wrong"},
    [TH_ID_REGISTRATION] = {"registration-number", "这是 15 位工商注册号，请填营业执照上的 18 位统一社会信用代码",
                            "This is a 15-digit registration number; give the 18-character credit code on the business licence"},
    [TH_ID_PREFIX] = {"prefix", "不是电子证照标识（应以 1.2.156.3005.2. 开头）", "Not a certificate identifier (begins with 1.2.156.3005.2.)"},
    [TH_ID_PARTS] = {"parts", "组成部分不对", "Not made of the right parts"},
    [TH_ID_KIND] = {"kind", "没有这种事项类型", "There is no such kind of item"},
    [TH_ID_LEVEL] = {"level", "没有这一行使层级", "There is no such level of administration"},
    [TH_ID_OWNER] = {"owner-code", "实施主体代码不是统一社会信用代码", "The office's code is not a credit code"},
    [TH_ID_OWNER_REGION] = {"owner-region", "实施主体处写的是行政区划代码", "A region code stands where the office's credit code belongs"},
    [TH_ID_OWNER_TE] = {"owner-temporary", "实施主体处写的是 TE 开头的临时代码", "A temporary TE code stands where the office's credit code belongs"},
    [TH_ID_OWNER_SHORT] = {"owner-short", "实施主体代码只有 17 位", "The office's credit code has only 17 characters"},
    [TH_ID_OWNER_ORG] = {"owner-organisation", "实施主体处写的是 9 位组织机构代码", "An old 9-character organisation code stands where the credit code belongs"},
};

const char *th_id_fault_code(th_id_fault fault)
{
    return faults[fault].code;
}

void th_id_fault_words(th_id_fault fault, const char **ret_zh, const char **ret_en)
{
    *ret_zh = faults[fault].zh;
    *ret_en = faults[fault].en;
}

/* ---- GB 11643 ---- */

static const unsigned char citizen_weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};

char th_citizen_id_digit(const char *first17)
{
    unsigned sum = 0;
    for (int i = 0; i < 17; i++)
        sum += (unsigned)(first17[i] - '0') * citizen_weights[i];
    return "10X98765432"[sum % 11];
}

static int number_of(const char *digits, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++)
        value = value * 10 + digits[i] - '0';
    return value;
}

/* Provinces of GB/T 2260, with those of other times and places that stand inside numbers: 81–83 and 91. A bit a second digit. */
static bool province_exists(int province)
{
    static const unsigned short seconds[10] = {0, 0x3e, 0x0e, 0xfe, 0x7e, 0x1f, 0x3e, 0x02, 0x0e, 0x02};
    return (seconds[province / 10] >> (province % 10) & 1) != 0;
}

static bool digits_only(const char *p, int n)
{
    unsigned bad = 0;
    for (int i = 0; i < n; i++)
        bad |= (unsigned)(p[i] - '0') > 9;
    return !bad;
}

th_id_fault th_citizen_id_check(th_str number, int64_t today_us)
{
    if (number.n != 18)
        return TH_ID_LENGTH;
    char last = number.p[17];
    if (!digits_only(number.p, 17) || (last != 'X' && (last < '0' || last > '9')))
        return TH_ID_CHARACTER;
    if (!province_exists(number_of(number.p, 2)))
        return TH_ID_REGION;
    int year = number_of(number.p + 6, 4), month = number_of(number.p + 10, 2), day = number_of(number.p + 12, 2);
    if (year < 1850 || !th_date_valid(year, month, day) || th_date_us(year, month, day) > today_us + TH_SHANGHAI_US)
        return TH_ID_BIRTH;
    if (memcmp(number.p + 14, "000", 3) == 0)
        return TH_ID_SEQUENCE;
    return th_citizen_id_digit(number.p) == last ? TH_ID_OK : TH_ID_CHECK;
}

bool th_citizen_id_ok(th_str number)
{
    return th_citizen_id_check(number, th_date_us(9998, 12, 31)) == TH_ID_OK;
}

/* ---- GB 11714 and GB 32100: values of characters, −1 for those that a code cannot hold ---- */

#define NO -1
#define NO16 NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO
static const signed char org_values[256] = {
    NO16, NO16, NO16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NO, NO, NO, NO, NO, NO,
    NO, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, NO, NO, NO, NO, NO,
    NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16};
/* Without I, O, S, V, Z. */
static const signed char uscc_values[256] = {
    NO16, NO16, NO16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NO, NO, NO, NO, NO, NO,
    NO, 10, 11, 12, 13, 14, 15, 16, 17, NO, 18, 19, 20, 21, 22, NO, 23, 24, 25, NO, 26, 27, NO, 28, 29, 30, NO, NO, NO, NO, NO, NO,
    NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16};

static int org_value(char c)
{
    return org_values[(unsigned char)c];
}

char th_org_code_digit(const char *first8)
{
    static const int weights[8] = {3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0;
    for (int i = 0; i < 8; i++)
        sum += org_value(first8[i]) * weights[i];
    return "0X987654321"[sum % 11]; /* 11 − sum mod 11, ten written X and eleven 0 */
}

th_id_fault th_org_code_check(th_str code)
{
    int bad = 0;
    if (code.n != 9)
        return TH_ID_LENGTH;
    for (int i = 0; i < 8; i++)
        bad |= org_value(code.p[i]);
    if (bad < 0)
        return TH_ID_CHARACTER;
    return th_org_code_digit(code.p) == code.p[8] ? TH_ID_OK : TH_ID_CHECK;
}

/* 31 − Σ values × 3^i mod 31, zero for 31; −1 when a character is none of the alphabet's. */
static int uscc_rest(const char *first17)
{
    static const int weights[17] = {1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28};
    int sum = 0, bad = 0;
    for (int i = 0; i < 17; i++) {
        int value = uscc_values[(unsigned char)first17[i]];
        bad |= value;
        sum += value * weights[i];
    }
    return bad < 0 ? -1 : (31 - sum % 31) % 31;
}

char th_uscc_digit(const char *first17)
{
    int rest = uscc_rest(first17);
    return rest < 0 ? '0' : "0123456789ABCDEFGHJKLMNPQRTUWXY"[rest];
}

/* Everything but the inner code. */
static th_id_fault uscc_outer(th_str code)
{
    if (code.n != 18)
        return code.n == 15 && digits_only(code.p, 15) ? TH_ID_REGISTRATION : TH_ID_LENGTH;
    int rest = uscc_rest(code.p), last = uscc_values[(unsigned char)code.p[17]];
    if (rest < 0 || last < 0)
        return TH_ID_CHARACTER;
    if (!digits_only(code.p + 2, 6))
        return TH_ID_REGION;
    return rest == last ? TH_ID_OK : TH_ID_CHECK;
}

static bool inner_wrong(th_str code)
{
    return th_org_code_check((th_str){code.p + 8, 9}) != TH_ID_OK;
}

th_id_fault th_uscc_check(th_str code)
{
    th_id_fault fault = uscc_outer(code);
    return fault || code.p[8] == 'M' || !inner_wrong(code) ? fault : TH_ID_INNER;
}

bool th_uscc_doubtful(th_str code)
{
    return uscc_outer(code) == TH_ID_OK && code.p[8] == 'M' && inner_wrong(code);
}

/* ---- GB/T 36904: ISO 7064 MOD 37,36 ---- */

/* One step of the hybrid system from p + value (1 … 71): reduced by 36, zero written 36, doubled modulo 37. */
static const unsigned char step_37_36[72] = {
    35, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33,
    35, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33};

char th_ecert_id_digit(th_str parts)
{
    unsigned p = 36;
    for (size_t i = 0; i < parts.n; i++) {
        if (parts.p[i] == '.')
            continue;
        int value = org_value(parts.p[i]);
        if (value < 0)
            return 0;
        p = step_37_36[p + (unsigned)value];
    }
    return "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(37 - p) % 36];
}

/* A definer's or issuer's credit code, when it has the length of one. */
static bool code_inside_wrong(th_str code)
{
    return code.n == 18 && uscc_outer(code) != TH_ID_OK;
}

/* The same step backwards, from 36 + p − value (1 … 72): what p was doubled from, reduced. 19 is the inverse of 2 modulo 37. */
static const unsigned char back_37_36[73] = {
    0, 19, 1, 20, 2, 21, 3, 22, 4, 23, 5, 24, 6, 25, 7, 26, 8, 27, 9, 28, 10, 29, 11, 30, 12, 31, 13, 32, 14, 33, 15, 34, 16, 35, 17, 36, 18,
    19, 1, 20, 2, 21, 3, 22, 4, 23, 5, 24, 6, 25, 7, 26, 8, 27, 9, 28, 10, 29, 11, 30, 12, 31, 13, 32, 14, 33, 15, 34, 16, 35, 17, 36, 18};

/* Each step waits for the one before it; so the values are walked from both ends at once, and must meet. */
static bool check_meets(const signed char *values, size_t n, int check)
{
    size_t front = 0, back = n;
    unsigned p = 36, q = back_37_36[(36 - check) % 36 + 1];
    while (front + 1 < back) {
        p = step_37_36[p + (unsigned)values[front++]];
        q = back_37_36[36 + q - (unsigned)values[--back]];
    }
    if (front < back)
        p = step_37_36[p + (unsigned)values[front]];
    return back_37_36[p] == q;
}

th_id_fault th_ecert_id_check(th_str id, th_ecert_id *ret_parts)
{
    enum { FOOT = 15, PARTS = 5 };
    th_str part[PARTS];
    signed char values[TH_ECERT_ID_MAX];
    if (id.n > TH_ECERT_ID_MAX)
        return TH_ID_LENGTH;
    if (id.n < FOOT || memcmp(id.p, "1.2.156.3005.2.", FOOT) != 0)
        return TH_ID_PREFIX;
    th_str rest = {id.p + FOOT, id.n - FOOT};
    size_t n = 0, from = 0, value_n = 0;
    int bad = 0;
    for (size_t i = 0; i <= rest.n; i++) {
        if (i < rest.n && rest.p[i] != '.') {
            bad |= values[value_n++] = org_values[(unsigned char)rest.p[i]];
            continue;
        }
        if (n == PARTS || i == from)
            return TH_ID_PARTS;
        part[n++] = (th_str){rest.p + from, i - from};
        from = i + 1;
    }
    if (n != PARTS || part[3].n != 3 || part[4].n != 1)
        return TH_ID_PARTS;
    if (bad < 0)
        return TH_ID_CHARACTER;
    if (!check_meets(values, value_n - 1, values[value_n - 1]))
        return TH_ID_CHECK;
    if ((part[0].n == 21 && code_inside_wrong((th_str){part[0].p, 18})) || code_inside_wrong(part[1]))
        return TH_ID_INNER;
    if (ret_parts)
        *ret_parts = (th_ecert_id){part[0], part[1], part[2], part[3], part[4].p[0]};
    return TH_ID_OK;
}

/* ---- GB/T 39554.1: item codes ---- */

static th_id_fault basic_check(th_str code, th_item_code *ret)
{
    if (!digits_only(code.p, 12))
        return TH_ID_CHARACTER;
    int place = number_of(code.p, 2);
    if (place != 0 && !province_exists(place))
        return TH_ID_REGION;
    ret->basic = code;
    ret->kind = number_of(code.p + 2, 2);
    return (ret->kind >= 1 && ret->kind <= 10) || ret->kind == 20 ? TH_ID_OK : TH_ID_KIND;
}

/* What stands where the office's credit code belongs, when `behind` characters follow it. */
static th_id_fault owner_fault(th_str code, size_t behind)
{
    size_t n = code.n - behind;
    if (n >= 2 && code.p[0] == 'T' && code.p[1] == 'E')
        return TH_ID_OWNER_TE;
    if (n == 6 && digits_only(code.p, 6) && province_exists(number_of(code.p, 2)))
        return TH_ID_OWNER_REGION;
    if (n == 9 && th_org_code_check((th_str){code.p, 9}) == TH_ID_OK)
        return TH_ID_OWNER_ORG;
    return n == 17 ? TH_ID_OWNER_SHORT : TH_ID_OWNER;
}

th_id_fault th_item_code_check(th_str code, th_item_code *ret_code)
{
    enum { BASIC = 12, IMPLEMENTED = 31, HANDLED = 33, BEHIND = 1 + BASIC };
    th_item_code found = {.level = 0};
    th_id_fault fault;
    if (code.n == BASIC) {
        fault = basic_check(code, &found);
    } else if (code.n == IMPLEMENTED || code.n == HANDLED) {
        found.uscc = (th_str){code.p, 18};
        found.level = code.p[18] - '0';
        fault = uscc_outer(found.uscc);
        if (fault)
            fault = owner_fault((th_str){code.p, IMPLEMENTED}, BEHIND) == TH_ID_OWNER_TE ? TH_ID_OWNER_TE : TH_ID_INNER;
        if (!fault && (found.level < 1 || found.level > 5))
            fault = TH_ID_LEVEL;
        if (!fault)
            fault = basic_check((th_str){code.p + 19, BASIC}, &found);
        if (!fault && code.n == HANDLED) {
            found.handling = (th_str){code.p + IMPLEMENTED, 2};
            fault = digits_only(found.handling.p, 2) ? TH_ID_OK : TH_ID_CHARACTER;
        }
    } else if (code.n > BEHIND && code.n < HANDLED) {
        /* Shorter codes are known by what is left in front: with two digits of handling behind, or without. */
        fault = owner_fault(code, BEHIND);
        if (fault == TH_ID_OWNER && code.n > BEHIND + 2)
            fault = owner_fault(code, BEHIND + 2);
    } else {
        fault = TH_ID_LENGTH;
    }
    if (!fault && ret_code)
        *ret_code = found;
    return fault;
}
