/* strict.c — framing that two programs could read differently is refused before anything else looks at the request. */
#include "net-private.h"

#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 16 * 1024 };

#define FAULT(in_chinese, in_english) __extension__({ static const th_words words = {in_chinese, in_english}; &words; })

typedef struct seen {
    int hosts, lengths, encodings, count;
    size_t bytes;
    const th_words *fault;
    th_str encoding;
} seen;

static bool token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') ||
              (p[i] && strchr("!#$%&'*+-.^_`|~", p[i]))))
            return false;
    return n > 0;
}

static bool is(const char *key, size_t n, const char *name)
{
    return n == strlen(name) && strncasecmp(key, name, n) == 0;
}

static enum MHD_Result look(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n, const char *value, size_t value_n)
{
    seen *s = cls;
    (void)kind;
    if (++s->count > TH_HEADERS_MAX)
        s->fault = FAULT("标头过多", "too many header fields");
    if (!token(key, key_n))
        s->fault = FAULT("标头名称有误", "a header field's name is malformed");
    s->bytes += key_n + value_n + 4;
    if (s->bytes > HEAD_MAX)
        s->fault = FAULT("标头过大", "the head is too large");
    /* libmicrohttpd 0.9.75 ends the value with zeros in the place of CR and LF: what else stands behind it was hidden by a NUL, or the line
     * had no CR. Both read differently to other programs. */
    if (MHD_VERSION < 0x00097600 && value && value[value_n + 1] != 0)
        s->fault = FAULT("标头含有 NUL，或不以 CR LF 结尾", "a header field holds NUL or does not end with CR LF");
    for (size_t i = 0; i < value_n; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7F)
            s->fault = FAULT("标头含有控制字符", "a header field holds control characters");
    if (is(key, key_n, "Host"))
        s->hosts++;
    if (is(key, key_n, "Content-Length")) {
        s->lengths++;
        int64_t length;
        if (!th_parse_i64((th_str){value, value_n}, 0, INT64_MAX, &length))
            s->fault = FAULT("Content-Length 不是数字", "Content-Length is not a number");
    }
    if (is(key, key_n, "Transfer-Encoding")) {
        s->encodings++;
        s->encoding = (th_str){value, value_n};
    }
    return MHD_YES;
}

const th_words *th_strict_fault(struct MHD_Connection *connection, bool host_needed)
{
    seen s = {0};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look, &s);
    if (s.fault)
        return s.fault;
    if (s.hosts > 1 || (host_needed && !s.hosts))
        return FAULT("须有且只有一个 Host", "exactly one Host is needed");
    if (s.lengths > 1)
        return FAULT("Content-Length 不止一个", "more than one Content-Length");
    if (s.encodings > 1 || (s.encodings && s.lengths))
        return FAULT("Content-Length 与 Transfer-Encoding 并存或重复", "Content-Length together with Transfer-Encoding, or two of them");
    if (s.encodings && !(s.encoding.n == 7 && strncasecmp(s.encoding.p, "chunked", 7) == 0))
        return FAULT("不支持这种 Transfer-Encoding", "this Transfer-Encoding is not supported");
    return NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %00 stays as it is written: a NUL would cut the path short for everybody who looks at it. */
size_t th_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    char *to = text;
    (void)cls;
    (void)connection;
    for (const char *from = text; *from; from++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1, low = high < 0 ? -1 : hex_digit(from[2]);
        if (low >= 0 && (high || low)) {
            *to++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = 0;
    return (size_t)(to - text);
}
