/* url.c — the little of addresses and forms that requests for certificates need: percent coding, one parameter of a query. */
#include "certificates-private.h"

void th_url_encode(th_buf *buf, th_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            th_buf_char(buf, (char)c);
        } else {
            th_buf_char(buf, '%');
            th_buf_char(buf, digits[c >> 4]);
            th_buf_char(buf, digits[c & 15]);
        }
    }
}

static th_str decoded(th_str text, th_arena *arena)
{
    char *out = th_alloc(arena, text.n + 1);
    size_t n = 0;
    if (!out)
        return (th_str){NULL, 0};
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            if (i + 2 >= text.n || !th_unhex((th_str){text.p + i + 1, 2}, out + n, 1))
                return (th_str){NULL, 0};
            n++;
            i += 2;
        } else {
            out[n++] = c == '+' ? ' ' : c;
        }
    }
    return (th_str){out, n};
}

th_str th_form_value(th_str form, const char *name, th_arena *arena)
{
    th_str pair, key;
    while (th_str_cut(&form, '&', &pair)) {
        th_str value = pair;
        if (th_str_cut(&value, '=', &key) && th_str_is(key, name) && value.p)
            return decoded(value, arena);
    }
    return (th_str){NULL, 0};
}
