/* tool.c — the pure parts of certificates on a pipe, so that other people's implementations can be their judges: one JSON object a line in, one out.
 *
 * {"do":"issue","suite","secret","claims","frame"} → {"token"}            {"do":"verify","token","jwk","audience","nonce","plain","now"} → {"claims","bound"}
 * {"do":"select","token","paths"} → {"token"}                            {"do":"bind","token","suite","secret","audience","nonce","now"} → {"token"}
 * {"do":"pack","bits","values"} → {"lst"}                                {"do":"unpack","bits","lst"} → {"values"}
 * {"do":"list","sub","suite","secret","bits","values","now"} → {"token"} {"do":"list-read","token","jwk","uri","now"} → {"bits","values"}
 * {"do":"sign","suite","secret","message"} → {"signature","public"}      {"do":"check","suite","public","message","signature"} → {"holds"}
 * {"do":"hash","suite","message"} → {"hash"}                             {"do":"dcql","query","claims"} → {"fits":[…]}
 * A refusal is {"error":type}. Texts of bytes are hex. */
#include "kernel/certificates/dcql.h"
#include "kernel/certificates/sdjwt.h"
#include "kernel/certificates/statuslist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct call {
    const th_json *in;
    th_arena *arena;
    th_pen *pen;
    th_error *error;
} call;

static th_str unhexed(call *c, const char *name)
{
    th_str text = th_json_str(c->in, name);
    char *bytes = th_alloc(c->arena, text.n / 2 + 1);
    return bytes && th_unhex(text, bytes, text.n / 2) ? (th_str){bytes, text.n / 2} : (th_str){NULL, 0};
}

static void hexed(call *c, const char *name, th_str bytes)
{
    char *text = th_alloc(c->arena, 2 * bytes.n + 1);
    if (text)
        th_hex(bytes.p, bytes.n, text);
    th_pen_ktext(c->pen, name, text);
}

static th_status secret_key(call *c, th_key **ret)
{
    th_suite suite;
    if (!th_suite_parse(th_json_str(c->in, "suite"), &suite))
        return th_fail(c->error, TH_INVALID, "suite", "", "");
    return th_key_from_secret(suite, unhexed(c, "secret"), ret);
}

static int64_t now_us(call *c)
{
    return th_json_int(c->in, "now", 0) * TH_SECOND_US;
}

static th_status key_give(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret, th_error *error)
{
    (void)jws, (void)payload, (void)error;
    *ret = ctx;
    return TH_OK;
}

static th_status issue(call *c)
{
    th_key *key;
    th_str token;
    th_env env = th_env_real();
    th_status status = secret_key(c, &key);
    if (status)
        return status;
    th_sdjwt_order order = {.key = key, .env = &env, .claims = th_json_get(c->in, "claims"), .frame = th_json_get(c->in, "frame")};
    status = th_sdjwt_issue(&order, c->arena, &token, c->error);
    th_key_close(key);
    if (!status)
        th_pen_kstr(c->pen, "token", token);
    return status;
}

static th_status verify(call *c)
{
    th_key *key;
    th_sdjwt token;
    th_str audience = th_json_str(c->in, "audience");
    th_status status = th_jwk_read(th_json_get(c->in, "jwk"), c->arena, &key, c->error);
    if (status)
        return status;
    th_sdjwt_policy policy = {.key = key_give, .ctx = key, .now_us = now_us(c), .plain = th_json_bool(c->in, "plain", false), .holder = audience.n > 0, .audience = audience,
                              .nonce = th_json_str(c->in, "nonce")};
    status = th_sdjwt_verify(th_json_str(c->in, "token"), &policy, c->arena, &token, c->error);
    th_key_close(key);
    if (!status) {
        th_pen_kraw(c->pen, "claims", token.claims_json);
        th_pen_kbool(c->pen, "bound", token.bound);
    }
    return status;
}

static th_status select_(call *c)
{
    const th_json *list = th_json_get(c->in, "paths"), *paths[64];
    size_t n = 0;
    th_str token;
    for (const th_json *p = th_json_first(list); p && n < 64; p = th_json_next(list, p))
        paths[n++] = p;
    th_status status = th_sdjwt_select(th_json_str(c->in, "token"), paths, n, c->arena, &token, c->error);
    if (!status)
        th_pen_kstr(c->pen, "token", token);
    return status;
}

static th_status bind_(call *c)
{
    th_key *key;
    th_str token;
    th_status status = secret_key(c, &key);
    if (status)
        return status;
    status = th_sdjwt_bind(th_json_str(c->in, "token"), key, th_json_str(c->in, "audience"), th_json_str(c->in, "nonce"), now_us(c), c->arena, &token, c->error);
    th_key_close(key);
    if (!status)
        th_pen_kstr(c->pen, "token", token);
    return status;
}

static th_str packed_values(call *c, int bits)
{
    const th_json *values = th_json_get(c->in, "values");
    size_t n = th_status_bytes(bits, values ? values->count : 0), i = 0;
    uint8_t *bytes = th_alloc(c->arena, n + 1);
    for (const th_json *v = th_json_first(values); bytes && v; v = th_json_next(values, v)) {
        int64_t value;
        th_status_put(bytes, bits, i++, th_json_is_int(v, &value) ? (unsigned)value : 0);
    }
    return (th_str){(char *)bytes, n};
}

static void values_write(call *c, const th_status_list *list)
{
    th_pen_key(c->pen, "values");
    th_pen_array(c->pen);
    for (uint64_t i = 0; i < list->bytes.n * 8 / (uint64_t)list->bits; i++)
        th_pen_int(c->pen, th_status_at((const uint8_t *)list->bytes.p, list->bits, i));
    th_pen_end(c->pen, ']');
}

static th_status pack(call *c)
{
    th_str zlib;
    th_status status = th_status_pack(packed_values(c, (int)th_json_int(c->in, "bits", 1)), 9, c->arena, &zlib);
    if (!status)
        th_pen_kstr(c->pen, "lst", th_base64url(c->arena, zlib.p, zlib.n));
    return status;
}

static th_status unpack(call *c)
{
    th_str zlib;
    th_status_list list = {.bits = (int)th_json_int(c->in, "bits", 1)};
    th_status status = th_unbase64url(c->arena, th_json_str(c->in, "lst"), &zlib);
    if (!status)
        status = th_status_unpack(zlib, TH_STATUS_BYTES_MAX, c->arena, &list.bytes, c->error);
    if (!status)
        values_write(c, &list);
    return status;
}

static th_status list(call *c)
{
    th_key *key;
    th_str token, none = {NULL, 0};
    int bits = (int)th_json_int(c->in, "bits", 2);
    th_status status = secret_key(c, &key);
    if (status)
        return status;
    th_status_list made = {.bits = bits, .bytes = packed_values(c, bits), .sub = th_json_str(c->in, "sub"), .issued_us = now_us(c), .expires_us = now_us(c) + TH_HOUR_US,
                           .ttl_us = 300 * TH_SECOND_US, .version = -1};
    status = th_status_token(&made, key, none, none, c->arena, &token, c->error);
    th_key_close(key);
    if (!status)
        th_pen_kstr(c->pen, "token", token);
    return status;
}

static th_status list_read(call *c)
{
    th_key *key;
    th_status_list read;
    th_status status = th_jwk_read(th_json_get(c->in, "jwk"), c->arena, &key, c->error);
    if (status)
        return status;
    th_status_policy policy = {.key = key_give, .ctx = key, .uri = th_json_str(c->in, "uri"), .now_us = now_us(c)};
    status = th_status_token_read(th_json_str(c->in, "token"), &policy, c->arena, &read, c->error);
    th_key_close(key);
    if (!status) {
        th_pen_kint(c->pen, "bits", read.bits);
        values_write(c, &read);
    }
    return status;
}

static th_status sign(call *c)
{
    th_key *key;
    uint8_t signature[TH_SIGNATURE_SIZE];
    th_status status = secret_key(c, &key);
    if (status)
        return status;
    status = th_sign(key, unhexed(c, "message"), signature);
    if (!status) {
        hexed(c, "signature", (th_str){(char *)signature, sizeof signature});
        hexed(c, "public", th_key_public(key));
    }
    th_key_close(key);
    return status;
}

static th_status check(call *c)
{
    th_key *key;
    th_suite suite;
    if (!th_suite_parse(th_json_str(c->in, "suite"), &suite))
        return TH_INVALID;
    th_status status = th_key_from_public(suite, unhexed(c, "public"), &key);
    if (status)
        return status;
    th_pen_kbool(c->pen, "holds", th_verify(key, unhexed(c, "message"), unhexed(c, "signature")) == TH_OK);
    th_key_close(key);
    return TH_OK;
}

static th_status hash(call *c)
{
    th_suite suite;
    if (!th_suite_parse(th_json_str(c->in, "suite"), &suite))
        return TH_INVALID;
    th_hash h = th_hash_str(suite, unhexed(c, "message"));
    hexed(c, "hash", (th_str){(char *)h.b, sizeof h.b});
    return TH_OK;
}

static th_status dcql(call *c)
{
    th_dcql query;
    th_status status = th_dcql_read(th_json_get(c->in, "query"), c->arena, &query, c->error);
    if (status)
        return status;
    th_pen_key(c->pen, "fits");
    th_pen_array(c->pen);
    for (size_t i = 0; i < query.credential_count; i++) {
        const th_json **paths;
        size_t n;
        th_pen_bool(c->pen, th_dcql_fits(&query.credentials[i], TH_STR("dc+sd-jwt"), th_json_get(c->in, "claims"), c->arena, &paths, &n));
    }
    th_pen_end(c->pen, ']');
    return TH_OK;
}

static const struct { const char *name; th_status (*run)(call *); } calls[] = {
    {"issue", issue}, {"verify", verify}, {"select", select_}, {"bind", bind_}, {"pack", pack}, {"unpack", unpack}, {"list", list}, {"list-read", list_read},
    {"sign", sign}, {"check", check}, {"hash", hash}, {"dcql", dcql},
};

static void answer(th_str line)
{
    th_arena arena;
    th_buf buf;
    th_error error = {0};
    th_status status = TH_NOT_FOUND;
    th_arena_open(&arena, 512u << 20);
    th_buf_open(&buf, &arena, 256u << 20);
    th_pen pen = th_pen_on(&buf);
    call c = {.arena = &arena, .pen = &pen, .error = &error};
    th_pen_object(&pen);
    if (th_json_parse(line, &arena, &c.in, &error) == TH_OK)
        for (size_t i = 0; i < TH_COUNT(calls); i++)
            if (th_str_is(th_json_str(c.in, "do"), calls[i].name))
                status = calls[i].run(&c);
    if (status)
        th_pen_ktext(&pen, "error", error.type[0] ? error.type : th_status_name(status));
    th_pen_end(&pen, '}');
    fwrite(buf.p, 1, buf.n, stdout);
    fputc('\n', stdout);
    fflush(stdout);
    th_arena_close(&arena);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    if (th_crypto_start())
        return 1;
    while ((n = getline(&line, &room, stdin)) > 0)
        answer(th_str_trim((th_str){line, (size_t)n}));
    free(line);
    return 0;
}
