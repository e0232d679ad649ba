/* names.c — one form of a name; see names.h for what becomes what. */
#include "names-private.h"

#include <string.h>

static const struct { const char *code, *zh, *en; } faults[] = {
    [TH_NAME_OK] = {"ok", "正确", "Correct"},
    [TH_NAME_ENCODING] = {"name-encoding", "不是合法的 UTF-8 文字", "Not valid UTF-8"},
    [TH_NAME_EMPTY] = {"name-empty", "姓名为空", "The name is empty"},
    [TH_NAME_LENGTH] = {"name-length", "姓名过长", "The name is too long"},
    [TH_NAME_CONTROL] = {"name-control", "含有控制字符或不可见字符", "Holds control characters or characters that cannot be seen"},
    [TH_NAME_PRIVATE] = {"name-private", "含有自造字（私用区），请用 GB 18030-2022 的正式编码", "Holds private use characters; use those of GB 18030-2022"},
    [TH_NAME_COMBINING] = {"name-combining", "含有组合符号或异体选择符，请用合成后的字", "Holds combining marks or variation selectors; use the composed character"},
    [TH_NAME_CHARACTER] = {"name-character", "含有姓名中不会出现的符号", "Holds signs that stand in no name"},
};

const char *th_name_fault_code(th_name_fault fault)
{
    return faults[fault].code;
}

void th_name_fault_words(th_name_fault fault, const char **ret_zh, const char **ret_en)
{
    *ret_zh = faults[fault].zh;
    *ret_en = faults[fault].en;
}

/* ---- characters ---- */

/* Valid UTF-8 only. */
static uint32_t next_character(th_str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[*at];
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    uint32_t code = n == 1 ? c : c & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)s.p[*at + i] & 0x3F);
    *at += n;
    return code;
}

static void character_put(th_buf *buf, uint32_t c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3F));
    bytes[0] = (char)(n == 1 ? c : (0xF00u >> n & 0xFF) | c);
    th_buf_put(buf, bytes, n);
}

static bool in(uint32_t c, uint32_t from, uint32_t to)
{
    return c >= from && c <= to;
}

static bool han(uint32_t c)
{
    return in(c, 0x3400, 0x9FFF) || in(c, 0xF900, 0xFAFF) || in(c, 0x20000, 0x3FFFF) || c == 0x3007;
}

static uint32_t twin(uint32_t c)
{
    size_t low = 0, high = th_name_twin_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (th_name_twins[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < th_name_twin_count && th_name_twins[low].from == c ? th_name_twins[low].to : c;
}

static uint32_t one_form(uint32_t c)
{
    static const uint32_t dots[] = {0x2022, 0x2027, 0x30FB, 0xFF65, 0x22C5, 0x2219, 0x0387, 0x16EB};
    if (c < 0xB7)
        return c == 0xA0 ? ' ' : c;
    for (size_t i = 0; i < TH_COUNT(dots); i++)
        if (c == dots[i])
            return 0xB7;
    if (in(c, 0xFF01, 0xFF5E))
        return c - 0xFF01 + '!';
    if (c == 0x3000 || in(c, 0x2002, 0x200A) || c == 0x202F || c == 0x205F)
        return ' ';
    return twin(c);
}

static th_name_fault fault_of(uint32_t c)
{
    if (c < 0x20 || in(c, 0x7F, 0x9F) || c == 0xAD || c == 0x61C || in(c, 0x200B, 0x200F) || in(c, 0x2028, 0x202E) || in(c, 0x2060, 0x206F) ||
        c == 0xFEFF || in(c, 0xFFF0, 0xFFFF) || c == 0x115F || c == 0x1160 || c == 0x3164 || c == 0xFFA0 || in(c, 0xE0000, 0xE00FF))
        return TH_NAME_CONTROL;
    if (in(c, 0xE000, 0xF8FF) || c >= 0xF0000)
        return TH_NAME_PRIVATE;
    if (in(c, 0x300, 0x36F) || in(c, 0x1AB0, 0x1AFF) || in(c, 0x1DC0, 0x1DFF) || in(c, 0x20D0, 0x20FF) || in(c, 0xFE00, 0xFE0F) ||
        in(c, 0xFE20, 0xFE2F) || in(c, 0xE0100, 0xE01EF) || in(c, 0x302A, 0x302F) || c == 0x3099 || c == 0x309A)
        return TH_NAME_COMBINING;
    if (c < 0x80)
        return strchr("!\"#$%&*+/:;<=>?@[\\]^_`{|}~", (int)c) ? TH_NAME_CHARACTER : TH_NAME_OK;
    return in(c, 0x2190, 0x2BFF) || in(c, 0x1F000, 0x1FAFF) ? TH_NAME_CHARACTER : TH_NAME_OK;
}

/* ---- names ---- */

/* Characters in one form, and whether any is Han. */
static th_name_fault characters_read(th_str written, uint32_t *all, size_t *ret_n, bool *ret_han)
{
    size_t n = 0;
    *ret_han = false;
    for (size_t at = 0; at < written.n;) {
        uint32_t c = one_form(next_character(written, &at));
        th_name_fault fault = fault_of(c);
        if (fault)
            return fault;
        if (n == TH_NAME_CHARACTERS_MAX)
            return TH_NAME_LENGTH;
        *ret_han = *ret_han || han(c);
        all[n++] = c;
    }
    *ret_n = n;
    return TH_NAME_OK;
}

/* A space stays between two that are not Han, and one is enough. */
static bool space_goes(const uint32_t *all, size_t n, size_t i)
{
    return i + 1 == n || all[i + 1] == ' ' || i == 0 || han(all[i - 1]) || han(all[i + 1]) || all[i - 1] == 0xB7 || all[i + 1] == 0xB7;
}

th_name_fault th_name_normalise(th_str written, th_arena *arena, th_str *ret_name)
{
    uint32_t all[TH_NAME_CHARACTERS_MAX];
    size_t n, first = 0;
    bool has_han;
    th_buf buf;
    if (!th_utf8_valid(written))
        return TH_NAME_ENCODING;
    if (written.n > 8 * TH_NAME_CHARACTERS_MAX)
        return TH_NAME_LENGTH;
    th_name_fault fault = characters_read(written, all, &n, &has_han);
    if (fault)
        return fault;
    while (first < n && all[first] == ' ')
        first++;
    th_buf_open(&buf, arena, 4 * TH_NAME_CHARACTERS_MAX + 1);
    for (size_t i = first; i < n; i++) {
        if (all[i] == ' ' && space_goes(all + first, n - first, i - first))
            continue;
        character_put(&buf, all[i] == '.' && has_han ? 0xB7 : all[i]);
    }
    if (!buf.n)
        return TH_NAME_EMPTY;
    *ret_name = th_str_eq(th_buf_view(&buf), written) ? written : th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_NAME_OK : TH_NAME_LENGTH;
}
