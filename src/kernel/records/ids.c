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
    [TH_ID_INNER] = {"inner-code", "其中的组织机构代码校验码不正确", "The check character of the inner organisation code is wrong"},
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

char th_citizen_id_digit(const char *first17)
{
    static const int weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0;
    for (int i = 0; i < 17; i++)
        sum += (first17[i] - '0') * weights[i];
    return "10X98765432"[sum % 11];
}

static int number_of(const char *digits, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++)
        value = value * 10 + digits[i] - '0';
    return value;
}

/* Provinces of GB/T 2260, with those of other times and places that stand inside numbers: 81–83 and 91. */
static bool province_exists(int province)
{
    static const char *const seconds[10] = {"", "12345", "123", "1234567", "123456", "0123456", "12345", "1", "1234", "1"};
    int tens = province / 10, ones = province % 10;
    if (tens == 5)
        return ones <= 4;
    return strchr(seconds[tens], '0' + ones) != NULL && ones != 0;
}

th_id_fault th_citizen_id_check(th_str number, int64_t today_us)
{
    if (number.n != 18)
        return TH_ID_LENGTH;
    for (int i = 0; i < 17; i++)
        if (number.p[i] < '0' || number.p[i] > '9')
            return TH_ID_CHARACTER;
    if ((number.p[17] < '0' || number.p[17] > '9') && number.p[17] != 'X')
        return TH_ID_CHARACTER;
    if (!province_exists(number_of(number.p, 2)))
        return TH_ID_REGION;
    int year = number_of(number.p + 6, 4), month = number_of(number.p + 10, 2), day = number_of(number.p + 12, 2);
    if (year < 1850 || !th_date_valid(year, month, day) || th_date_us(year, month, day) > today_us + TH_SHANGHAI_US)
        return TH_ID_BIRTH;
    if (memcmp(number.p + 14, "000", 3) == 0)
        return TH_ID_SEQUENCE;
    return th_citizen_id_digit(number.p) == number.p[17] ? TH_ID_OK : TH_ID_CHECK;
}

bool th_citizen_id_ok(th_str number)
{
    return th_citizen_id_check(number, th_date_us(9998, 12, 31)) == TH_ID_OK;
}

/* ---- GB 11714 and GB 32100 ---- */

static int org_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : -1;
}

char th_org_code_digit(const char *first8)
{
    static const int weights[8] = {3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0;
    for (int i = 0; i < 8; i++)
        sum += org_value(first8[i]) * weights[i];
    int check = 11 - sum % 11;
    return check == 10 ? 'X' : check == 11 ? '0' : (char)('0' + check);
}

th_id_fault th_org_code_check(th_str code)
{
    if (code.n != 9)
        return TH_ID_LENGTH;
    for (int i = 0; i < 8; i++)
        if (org_value(code.p[i]) < 0)
            return TH_ID_CHARACTER;
    return th_org_code_digit(code.p) == code.p[8] ? TH_ID_OK : TH_ID_CHECK;
}

static const char uscc_alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";

char th_uscc_digit(const char *first17)
{
    int sum = 0, weight = 1;
    for (int i = 0; i < 17; i++) {
        const char *at = strchr(uscc_alphabet, first17[i]);
        sum += (int)(at - uscc_alphabet) * weight;
        weight = weight * 3 % 31;
    }
    return uscc_alphabet[(31 - sum % 31) % 31];
}

th_id_fault th_uscc_check(th_str code)
{
    if (code.n != 18)
        return TH_ID_LENGTH;
    for (int i = 0; i < 18; i++)
        if (!code.p[i] || !strchr(uscc_alphabet, code.p[i]))
            return TH_ID_CHARACTER;
    for (int i = 2; i < 8; i++)
        if (code.p[i] < '0' || code.p[i] > '9')
            return TH_ID_REGION;
    if (th_uscc_digit(code.p) != code.p[17])
        return TH_ID_CHECK;
    return th_org_code_check((th_str){code.p + 8, 9}) == TH_ID_OK ? TH_ID_OK : TH_ID_INNER;
}
