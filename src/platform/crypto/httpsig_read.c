/* httpsig_read.c — Signature-Input of one label: an inner list of names and the parameters (RFC 8941 grammar, the part used here). */
#include "platform/crypto/httpsig.h"

#include <string.h>

typedef struct cursor {
    const char *at, *end;
    th_arena *arena;
} cursor;

static bool take(cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool string_take(cursor *c, th_str *ret)
{
    if (!take(c, '"'))
        return false;
    char *text = th_alloc(c->arena, (size_t)(c->end - c->at) + 1);
    size_t n = 0;
    while (text && c->at < c->end) {
        char letter = *c->at++;
        if (letter == '"') {
            *ret = (th_str){text, n};
            return true;
        }
        if (letter == '\\') {
            if (c->at == c->end || (*c->at != '"' && *c->at != '\\'))
                return false;
            letter = *c->at++;
        }
        if (letter < 0x20 || letter > 0x7E)
            return false;
        text[n++] = letter;
    }
    return false;
}

static bool name_take(cursor *c, th_str *ret)
{
    const char *from = c->at;
    while (c->at < c->end && ((*c->at >= 'a' && *c->at <= 'z') || *c->at == '-' || *c->at == '_' || *c->at == '*'))
        c->at++;
    *ret = (th_str){from, (size_t)(c->at - from)};
    return ret->n > 0;
}

static bool integer_take(cursor *c, int64_t *ret)
{
    const char *from = c->at;
    while (c->at < c->end && c->at - from < 15 && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return th_parse_i64((th_str){from, (size_t)(c->at - from)}, 1, INT64_C(999999999999999), ret);
}

static bool components_take(cursor *c, th_sig_input *input)
{
    if (!take(c, '('))
        return false;
    while (!take(c, ')')) {
        th_component component = {{NULL, 0}, {NULL, 0}, false};
        th_str flag;
        if (input->n == TH_COMPONENTS_MAX || (input->n && !take(c, ' ')) || !string_take(c, &component.name))
            return false;
        while (c->at < c->end && *c->at == ';') {
            c->at++;
            if (!name_take(c, &flag) || !th_str_is(flag, "req") || component.of_request)
                return false;
            component.of_request = true;
        }
        for (size_t i = 0; i < input->n; i++) /* a component named twice signs nothing more and may hide something */
            if (th_str_eq(input->components[i].name, component.name) && input->components[i].of_request == component.of_request)
                return false;
        input->components[input->n++] = component;
    }
    return input->n > 0;
}

static bool param_take(cursor *c, th_sig_params *p)
{
    th_str name;
    if (!name_take(c, &name) || !take(c, '='))
        return false;
    if (th_str_is(name, "created"))
        return !p->created_s && integer_take(c, &p->created_s);
    if (th_str_is(name, "expires"))
        return !p->expires_s && integer_take(c, &p->expires_s);
    if (th_str_is(name, "nonce"))
        return !p->nonce.p && string_take(c, &p->nonce);
    if (th_str_is(name, "keyid"))
        return !p->keyid.p && string_take(c, &p->keyid);
    if (th_str_is(name, "tag"))
        return !p->tag.p && string_take(c, &p->tag);
    return false; /* "alg" among them: the algorithm follows from the key, never from the message */
}

th_status th_httpsig_read(th_str header, const char *label, th_arena *arena, th_sig_input *ret_input, th_error *error)
{
    th_sig_input input = {0};
    th_str text = th_str_trim(header);
    size_t k = strlen(label);
    bool ok = text.n > k + 1 && text.n < 4096 && th_str_starts(text, label) && text.p[k] == '=';
    if (ok) {
        cursor c = {text.p + k + 1, text.p + text.n, arena};
        input.params_text = (th_str){c.at, (size_t)(c.end - c.at)};
        ok = components_take(&c, &input);
        while (ok && c.at < c.end)
            ok = take(&c, ';') && param_take(&c, &input.params);
    }
    if (!ok)
        return th_fail(error, TH_INVALID, "signature-malformed", "标头 Signature-Input 缺失或不合规定",
                       "The Signature-Input header is missing or malformed");
    *ret_input = input;
    return TH_OK;
}
