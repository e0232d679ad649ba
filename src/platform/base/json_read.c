/* json_read.c — one pass over the text into a flat array of nodes; containers know how many nodes they span.
 *
 * The array grows by doubling in the arena; while parsing, open containers are indexes, never pointers. Duplicate keys: small
 * objects compare members pairwise, larger ones through a hash set made when the object ends. */
#include "platform/base/json.h"

#include <stdio.h>
#include <string.h>

enum { PAIRWISE_MAX = 12, NODES_FIRST = 64 };
_Static_assert(TH_JSON_NODES_MAX < SIZE_MAX / 4 / sizeof(th_json), "room cannot overflow");

typedef struct reader {
    const char *start, *at, *end;
    th_arena *arena;
    th_json *nodes;
    size_t count, room;
    th_status status;
    const char *problem; /* English word for the fault */
} reader;

static bool fault(reader *r, const char *problem)
{
    if (r->status == TH_OK) {
        r->status = TH_INVALID;
        r->problem = problem;
    }
    return false;
}

static void space_skip(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

static bool node_add(reader *r, size_t *ret_index)
{
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : NODES_FIRST;
        if (r->count >= TH_JSON_NODES_MAX) {
            r->status = TH_TOO_LARGE;
            r->problem = "too many values";
            return false;
        }
        th_json *nodes = th_arena_room(r->arena, room * sizeof *nodes); /* each is written before it is read */
        if (!nodes) {
            r->status = TH_TOO_LARGE;
            r->problem = "document too large";
            return false;
        }
        if (r->count)
            memcpy(nodes, r->nodes, r->count * sizeof *nodes);
        r->nodes = nodes;
        r->room = room;
    }
    *ret_index = r->count++;
    r->nodes[*ret_index] = (th_json){.next = 1};
    return true;
}

/* ---- strings ---- */

static bool hex4(reader *r, uint32_t *ret)
{
    uint32_t value = 0;
    if (r->end - r->at < 4)
        return fault(r, "short escape");
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        value <<= 4;
        if (c >= '0' && c <= '9')
            value |= (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value |= (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value |= (uint32_t)(c - 'A' + 10);
        else
            return fault(r, "bad escape");
    }
    *ret = value;
    return true;
}

static char *utf8_put(char *p, uint32_t code)
{
    if (code < 0x80) {
        *p++ = (char)code;
    } else if (code < 0x800) {
        *p++ = (char)(0xC0 | code >> 6);
        *p++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *p++ = (char)(0xE0 | code >> 12);
        *p++ = (char)(0x80 | (code >> 6 & 63));
        *p++ = (char)(0x80 | (code & 63));
    } else {
        *p++ = (char)(0xF0 | code >> 18);
        *p++ = (char)(0x80 | (code >> 12 & 63));
        *p++ = (char)(0x80 | (code >> 6 & 63));
        *p++ = (char)(0x80 | (code & 63));
    }
    return p;
}

static bool escape_decode(reader *r, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return fault(r, "short escape");
    char c = *r->at++;
    if (c != 'u') {
        const char *found = c ? strchr(from, c) : NULL;
        if (!found)
            return fault(r, "bad escape");
        *(*out)++ = to[found - from];
        return true;
    }
    uint32_t code, low;
    if (!hex4(r, &code))
        return false;
    if (code >= 0xDC00 && code <= 0xDFFF)
        return fault(r, "lone surrogate");
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return fault(r, "lone surrogate");
        r->at += 2;
        if (!hex4(r, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return fault(r, "lone surrogate");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *out = utf8_put(*out, code);
    return true;
}

static bool string_escaped(reader *r, const char *from, th_str *ret)
{
    /* Decoding never lengthens: find the end first for the room needed. */
    const char *end = r->at;
    while (end < r->end && *end != '"')
        end += *end == '\\' && end + 1 < r->end ? 2 : 1;
    char *text = th_alloc(r->arena, (size_t)(end - from) + 4), *out = text;
    if (!text) {
        r->status = TH_TOO_LARGE;
        return false;
    }
    memcpy(out, from, (size_t)(r->at - from));
    out += r->at - from;
    while (r->at < r->end && *r->at != '"') {
        if ((unsigned char)*r->at < 0x20)
            return fault(r, "control character");
        if (*r->at != '\\') {
            *out++ = *r->at++;
            continue;
        }
        r->at++;
        if (!escape_decode(r, &out))
            return false;
    }
    if (r->at == r->end)
        return fault(r, "unfinished string");
    r->at++;
    *ret = (th_str){text, (size_t)(out - text)};
    return true;
}

/* Eight bytes at a time while none is a quote, a backslash or a control character. */
static const char *plain_run(const char *p, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    while (end - p >= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
        uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((v - ones * 0x20) & ~v);
        if (hit & highs)
            break;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

static bool string_read(reader *r, th_str *ret)
{
    const char *from = ++r->at; /* behind the quote */
    r->at = plain_run(r->at, r->end);
    if (r->at == r->end)
        return fault(r, "unfinished string");
    if (*r->at == '\\')
        return string_escaped(r, from, ret);
    if (*r->at != '"')
        return fault(r, "control character");
    *ret = (th_str){from, (size_t)(r->at - from)};
    r->at++;
    return true;
}

/* ---- numbers and words ---- */

static bool digits_read(reader *r)
{
    const char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > from ? true : fault(r, "bad number");
}

static bool number_read(reader *r, th_str *ret)
{
    const char *from = r->at;
    if (*r->at == '-')
        r->at++;
    if (r->at < r->end && *r->at == '0')
        r->at++;
    else if (!digits_read(r))
        return false;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!digits_read(r))
            return false;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
            r->at++;
        if (!digits_read(r))
            return false;
    }
    *ret = (th_str){from, (size_t)(r->at - from)};
    return true;
}

static bool word_read(reader *r, const char *word, size_t n)
{
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return fault(r, "unexpected character");
    r->at += n;
    return true;
}

/* ---- objects ---- */

static bool pairwise_unique(reader *r, size_t object)
{
    size_t i = object + 1;
    for (uint32_t a = 0; a < r->nodes[object].count; a++) {
        size_t k = object + 1;
        for (uint32_t b = 0; b < a; b++) {
            if (th_str_eq(r->nodes[k].key, r->nodes[i].key))
                return fault(r, "duplicate key");
            k += r->nodes[k].next;
        }
        i += r->nodes[i].next;
    }
    return true;
}

static uint64_t key_hash(th_str key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static bool hashed_unique(reader *r, size_t object)
{
    size_t slots = 32;
    while (slots < 2 * (size_t)r->nodes[object].count)
        slots *= 2;
    uint32_t *table = th_alloc_array(r->arena, slots, sizeof *table);
    size_t i = object + 1;
    if (!table) {
        r->status = TH_TOO_LARGE;
        return false;
    }
    for (uint32_t a = 0; a < r->nodes[object].count; a++, i += r->nodes[i].next) {
        size_t slot = key_hash(r->nodes[i].key) & (slots - 1);
        for (size_t probes = 0; table[slot]; slot = (slot + 1) & (slots - 1)) {
            if (th_str_eq(r->nodes[table[slot]].key, r->nodes[i].key))
                return fault(r, "duplicate key");
            /* Keys chosen to collide must not buy a quadratic walk. */
            if (++probes > 4096)
                return fault(r, "too many colliding keys");
        }
        table[slot] = (uint32_t)i;
    }
    return true;
}

static bool value_read(reader *r, int depth, size_t *ret_index);

static bool member_read(reader *r, int depth)
{
    th_str key;
    size_t child;
    space_skip(r);
    if (r->at == r->end || *r->at != '"')
        return fault(r, "expected a member name");
    if (!string_read(r, &key))
        return false;
    space_skip(r);
    if (r->at == r->end || *r->at != ':')
        return fault(r, "expected a colon");
    r->at++;
    if (!value_read(r, depth, &child))
        return false;
    r->nodes[child].key = key;
    return true;
}

static bool container_read(reader *r, size_t index, int depth)
{
    bool object = *r->at == '{';
    char close = object ? '}' : ']';
    size_t child;
    r->nodes[index].type = object ? TH_JSON_OBJECT : TH_JSON_ARRAY;
    r->at++;
    if (depth >= TH_JSON_DEPTH_MAX)
        return fault(r, "nested too deeply");
    space_skip(r);
    if (r->at < r->end && *r->at == close) {
        r->at++;
        return true;
    }
    for (;;) {
        if (object ? !member_read(r, depth + 1) : !value_read(r, depth + 1, &child))
            return false;
        r->nodes[index].count++;
        space_skip(r);
        if (r->at == r->end)
            return fault(r, "unfinished value");
        char c = *r->at++;
        if (c == close)
            break;
        if (c != ',') {
            r->at--;
            return fault(r, "expected a comma");
        }
    }
    r->nodes[index].next = (uint32_t)(r->count - index);
    if (!object)
        return true;
    return r->nodes[index].count <= PAIRWISE_MAX ? pairwise_unique(r, index) : hashed_unique(r, index);
}

static bool scalar_read(reader *r, size_t index)
{
    th_str text = {NULL, 0};
    th_json_type type;
    bool ok;
    switch (*r->at) {
    case '"':
        type = TH_JSON_STRING;
        ok = string_read(r, &text);
        break;
    case 't':
        type = TH_JSON_TRUE;
        ok = word_read(r, "true", 4);
        break;
    case 'f':
        type = TH_JSON_FALSE;
        ok = word_read(r, "false", 5);
        break;
    case 'n':
        type = TH_JSON_NULL;
        ok = word_read(r, "null", 4);
        break;
    default:
        type = TH_JSON_NUMBER;
        ok = *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? number_read(r, &text) : fault(r, "unexpected character");
    }
    r->nodes[index].type = type;
    r->nodes[index].text = text;
    return ok;
}

static bool value_read(reader *r, int depth, size_t *ret_index)
{
    size_t index;
    space_skip(r);
    if (r->at == r->end)
        return fault(r, "unfinished value");
    const char *from = r->at;
    if (!node_add(r, &index))
        return false;
    bool ok = *r->at == '{' || *r->at == '[' ? container_read(r, index, depth) : scalar_read(r, index);
    r->nodes[index].raw = (th_str){from, (size_t)(r->at - from)};
    *ret_index = index;
    return ok;
}

/* What a fault is called in Chinese. */
static const char *fault_zh(const char *problem)
{
    static const struct { const char *en, *zh; } words[] = {
        {"short escape", "转义不完整"},
        {"bad escape", "转义有误"},
        {"lone surrogate", "代理项不成对"},
        {"control character", "含有控制字符"},
        {"unfinished string", "文字没有结束"},
        {"bad number", "数字有误"},
        {"unexpected character", "出现意外的字符"},
        {"duplicate key", "成员名重复"},
        {"too many colliding keys", "成员名过多且相近"},
        {"expected a member name", "此处须为成员名"},
        {"expected a colon", "此处须为冒号"},
        {"nested too deeply", "嵌套过深"},
        {"unfinished value", "值没有结束"},
        {"expected a comma", "此处须为逗号"},
        {"empty", "内容为空"},
        {"not UTF-8", "不是 UTF-8"},
        {"more than one value", "不止一个值"},
    };
    for (size_t i = 0; i < TH_COUNT(words); i++)
        if (strcmp(words[i].en, problem) == 0)
            return words[i].zh;
    return "格式有误";
}

/* Where the first byte stands that is no UTF-8. */
static const char *utf8_fault(th_str text)
{
    size_t at = 0;
    while (at < text.n) {
        unsigned char lead = (unsigned char)text.p[at];
        size_t n = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
        if (n > text.n - at || !th_utf8_valid((th_str){text.p + at, n}))
            break;
        at += n;
    }
    return text.p + at;
}

th_status th_json_parse(th_str text, th_arena *arena, const th_json **ret_root, th_error *error)
{
    reader r = {.start = text.p, .at = text.p, .end = text.p + text.n, .arena = arena};
    size_t root = 0;
    if (!text.p || text.n == 0) {
        fault(&r, "empty");
    } else if (!th_utf8_valid(text)) {
        r.at = utf8_fault(text);
        fault(&r, "not UTF-8");
    } else if (value_read(&r, 0, &root)) {
        space_skip(&r);
        if (r.at != r.end)
            fault(&r, "more than one value");
    }
    if (r.status == TH_OK) {
        *ret_root = r.nodes;
        return TH_OK;
    }
    *ret_root = NULL;
    size_t offset = r.at ? (size_t)(r.at - r.start) : 0;
    if (r.status == TH_INVALID) {
        char said_zh[160], said_en[160];
        snprintf(said_zh, sizeof said_zh, "第 %zu 字节处不是合法的 JSON（%s）", offset, fault_zh(r.problem));
        snprintf(said_en, sizeof said_en, "Not valid JSON at byte %zu (%s)", offset, r.problem);
        return th_fail(error, TH_INVALID, "json", said_zh, said_en);
    }
    return th_fail(error, r.status, "json-too-large", "JSON 文档过大", "The JSON document is too large");
}

/* ---- walking ---- */

const th_json *th_json_first(const th_json *container)
{
    return container && container->count && (container->type == TH_JSON_ARRAY || container->type == TH_JSON_OBJECT) ? container + 1
                                                                                                                     : NULL;
}

const th_json *th_json_next(const th_json *container, const th_json *child)
{
    const th_json *next = child + child->next;
    return next < container + container->next ? next : NULL;
}

const th_json *th_json_get_str(const th_json *object, th_str key)
{
    if (!object || object->type != TH_JSON_OBJECT)
        return NULL;
    for (const th_json *m = th_json_first(object); m; m = th_json_next(object, m))
        if (th_str_eq(m->key, key))
            return m;
    return NULL;
}

const th_json *th_json_at(const th_json *array, size_t index)
{
    if (!array || array->type != TH_JSON_ARRAY)
        return NULL;
    const th_json *e = th_json_first(array);
    while (e && index--)
        e = th_json_next(array, e);
    return e;
}

/* One reference token, ~1 and ~0 undone (RFC 6901 §4). */
static bool token_is(th_str token, th_str key)
{
    size_t k = 0;
    for (size_t i = 0; i < token.n; i++, k++) {
        char c = token.p[i];
        if (c == '~' && i + 1 < token.n && (token.p[i + 1] == '0' || token.p[i + 1] == '1'))
            c = token.p[++i] == '0' ? '~' : '/';
        if (k >= key.n || key.p[k] != c)
            return false;
    }
    return k == key.n;
}

const th_json *th_json_pointer(const th_json *root, const char *pointer)
{
    th_str rest = th_str_of(pointer), token;
    if (rest.n == 0)
        return root;
    if (rest.p[0] != '/')
        return NULL;
    rest = (th_str){rest.p + 1, rest.n - 1};
    while (root && th_str_cut(&rest, '/', &token)) {
        int64_t index;
        const th_json *found = NULL;
        if (root->type == TH_JSON_ARRAY && th_parse_i64(token, 0, UINT32_MAX, &index))
            found = th_json_at(root, (size_t)index);
        for (const th_json *m = root->type == TH_JSON_OBJECT ? th_json_first(root) : NULL; m && !found; m = th_json_next(root, m))
            found = token_is(token, m->key) ? m : NULL;
        root = found;
    }
    return root;
}
