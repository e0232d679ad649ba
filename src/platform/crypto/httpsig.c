/* httpsig.c — RFC 9421: the signature base, signing it, checking it. */
#include "platform/crypto/httpsig.h"

#include <string.h>

enum { BASE_MAX = 16 * 1024 };

static bool value_fit(th_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F)
            return false;
    return s.p != NULL;
}

/* A structured-field string (RFC 8941 §3.3.3): printable ASCII, quote and backslash escaped. */
static bool sf_string(th_buf *buf, th_str s)
{
    th_buf_char(buf, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] > 0x7E)
            return false;
        if (s.p[i] == '"' || s.p[i] == '\\')
            th_buf_char(buf, '\\');
        th_buf_char(buf, s.p[i]);
    }
    th_buf_char(buf, '"');
    return true;
}

static bool params_write(th_buf *buf, const th_component *components, size_t n, const th_sig_params *params)
{
    bool ok = true;
    th_buf_char(buf, '(');
    for (size_t i = 0; i < n; i++) {
        if (i)
            th_buf_char(buf, ' ');
        ok = sf_string(buf, components[i].name) && ok;
        if (components[i].of_request)
            th_buf_text(buf, ";req");
    }
    th_buf_char(buf, ')');
    if (params->created_s) {
        th_buf_text(buf, ";created=");
        th_buf_int(buf, params->created_s);
    }
    if (params->expires_s) {
        th_buf_text(buf, ";expires=");
        th_buf_int(buf, params->expires_s);
    }
    const struct { const char *name; th_str value; } texts[] = {
        {";nonce=", params->nonce}, {";keyid=", params->keyid}, {";tag=", params->tag}};
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        if (texts[i].value.p) {
            th_buf_text(buf, texts[i].name);
            ok = sf_string(buf, texts[i].value) && ok;
        }
    return ok;
}

/* RFC 9421 §2.5: one line a component, then "@signature-params" with the inner list exactly as it travels. */
static bool base_write(th_buf *buf, const th_component *components, size_t n, th_str params_text)
{
    for (size_t i = 0; i < n; i++) {
        if (!value_fit(components[i].value) || !sf_string(buf, components[i].name))
            return false;
        if (components[i].of_request)
            th_buf_text(buf, ";req");
        th_buf_text(buf, ": ");
        th_buf_str(buf, components[i].value);
        th_buf_char(buf, '\n');
    }
    th_buf_text(buf, "\"@signature-params\": ");
    th_buf_str(buf, params_text);
    return th_buf_ok(buf);
}

th_status th_httpsig_sign(const th_key *key, const char *label, const th_component *components, size_t n,
                          const th_sig_params *params, th_arena *arena, th_str *ret_input, th_str *ret_signature)
{
    uint8_t signature[TH_SIGNATURE_SIZE];
    th_buf text, base;
    th_buf_open(&text, arena, BASE_MAX);
    th_buf_open(&base, arena, BASE_MAX);
    if (n > TH_COMPONENTS_MAX || !params_write(&text, components, n, params) || !th_buf_ok(&text) ||
        !base_write(&base, components, n, th_buf_view(&text)))
        return TH_INVALID;
    th_status status = th_sign(key, th_buf_view(&base), signature);
    if (status)
        return status;
    th_str coded = th_base64(arena, signature, sizeof signature);
    *ret_input = th_strf(arena, "%s=%.*s", label, TH_FMT(th_buf_view(&text)));
    *ret_signature = th_strf(arena, "%s=:%.*s:", label, TH_FMT(coded));
    return ret_input->p && ret_signature->p ? TH_OK : TH_TOO_LARGE;
}

static th_status bad(th_error *error, const char *zh, const char *en)
{
    return th_fail(error, TH_INVALID, "signature-malformed", zh, en);
}

/* label=:base64: and nothing else. */
static th_status signature_read(th_str header, const char *label, th_arena *arena, th_str *ret, th_error *error)
{
    size_t k = strlen(label);
    th_str rest = th_str_trim(header);
    if (!th_str_starts(rest, label) || rest.n < k + 4 || memcmp(rest.p + k, "=:", 2) != 0 || rest.p[rest.n - 1] != ':' ||
        th_unbase64(arena, (th_str){rest.p + k + 2, rest.n - k - 3}, ret))
        return bad(error, "签名标头不合规定", "The Signature header is malformed");
    return TH_OK;
}

static bool named(const th_sig_input *input, const char *wanted)
{
    size_t n = strlen(wanted);
    bool req = n > 4 && strcmp(wanted + n - 4, ";req") == 0;
    th_str name = {wanted, req ? n - 4 : n};
    for (size_t i = 0; i < input->n; i++)
        if (th_str_eq(input->components[i].name, name) && input->components[i].of_request == req)
            return true;
    return false;
}

th_status th_httpsig_check(const th_key *key, const th_sig_input *input, th_str signature_header, const char *label,
                           const th_component *components, size_t n, const char *const *required, th_arena *arena,
                           th_error *error)
{
    th_component filled[TH_COMPONENTS_MAX];
    th_str signature;
    for (const char *const *r = required; *r; r++)
        if (!named(input, *r))
            return th_failf(error, TH_FORBIDDEN, "signature-covers", "签名没有覆盖 %s", "The signature does not cover %s", *r);
    for (size_t i = 0; i < input->n; i++) {
        size_t k = 0;
        while (k < n && !(th_str_eq(components[k].name, input->components[i].name) &&
                          components[k].of_request == input->components[i].of_request))
            k++;
        if (k == n || !components[k].value.p)
            return bad(error, "签名覆盖了报文中没有的部分", "The signature covers a component that the message does not have");
        filled[i] = components[k];
    }
    th_buf base;
    th_buf_open(&base, arena, BASE_MAX);
    if (!base_write(&base, filled, input->n, input->params_text))
        return bad(error, "签名基文无法构造", "The signature base cannot be built");
    th_status status = signature_read(signature_header, label, arena, &signature, error);
    if (!status && th_verify(key, th_buf_view(&base), signature))
        status = th_fail(error, TH_FORBIDDEN, "signature", "签名不成立", "The signature does not hold");
    return status;
}
