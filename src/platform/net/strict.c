/* strict.c — framing that two programs could read differently is refused before anything else looks at the request. */
#include "net-private.h"

#include <string.h>
#include <strings.h>

typedef struct seen {
    int hosts, lengths, encodings, count;
    const char *fault;
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
        s->fault = "too many header fields";
    if (!token(key, key_n))
        s->fault = "a header field's name is malformed";
    for (size_t i = 0; i < value_n; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7F)
            s->fault = "a header field holds control characters";
    if (is(key, key_n, "Host"))
        s->hosts++;
    if (is(key, key_n, "Content-Length")) {
        s->lengths++;
        int64_t length;
        if (!th_parse_i64((th_str){value, value_n}, 0, INT64_MAX, &length))
            s->fault = "Content-Length is not a number";
    }
    if (is(key, key_n, "Transfer-Encoding")) {
        s->encodings++;
        s->encoding = (th_str){value, value_n};
    }
    return MHD_YES;
}

const char *th_strict_fault(struct MHD_Connection *connection)
{
    seen s = {0};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look, &s);
    if (s.fault)
        return s.fault;
    if (s.hosts != 1)
        return "exactly one Host is needed";
    if (s.lengths > 1)
        return "more than one Content-Length";
    if (s.encodings > 1 || (s.encodings && s.lengths))
        return "Content-Length together with Transfer-Encoding, or two of them";
    if (s.encodings && !(s.encoding.n == 7 && strncasecmp(s.encoding.p, "chunked", 7) == 0))
        return "this Transfer-Encoding is not supported";
    return NULL;
}
