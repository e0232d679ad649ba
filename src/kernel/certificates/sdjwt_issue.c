/* sdjwt_issue.c — a payload in which chosen claims stand as digests, and the disclosures that open them. */
#include "sdjwt-private.h"

#include <stdlib.h>
#include <string.h>

enum { SALTS_AT_ONCE = 16, PAYLOAD_MAX = 128 * 1024 };

typedef struct issuer {
    const th_sdjwt_order *order;
    th_arena *arena;
    th_suite hash;
    th_buf disclosures; /* disclosure~disclosure~ */
    uint8_t salts[SALTS_AT_ONCE * TH_SDJWT_SALT];
    size_t salts_left;
    size_t count;
    th_error *error;
    th_status status;
} issuer;

static bool refuse(issuer *s, const char *type, const char *zh, const char *en)
{
    if (!s->status)
        s->status = th_fail(s->error, TH_INVALID, type, zh, en);
    return false;
}

/* Chance is asked for in bulk: a system call a salt would cost more than the digest. */
static const uint8_t *salt_next(issuer *s)
{
    if (!s->salts_left) {
        s->order->env->random(s->order->env->ctx, s->salts, sizeof s->salts);
        s->salts_left = SALTS_AT_ONCE;
    }
    return s->salts + --s->salts_left * TH_SDJWT_SALT;
}

/* Is `key` (a name, or a place in a list) among what the frame hides? */
static bool hidden(const th_json *frame, th_str name, int64_t index)
{
    const th_json *list = th_json_get(frame, "_sd");
    for (const th_json *h = th_json_first(list); h; h = th_json_next(list, h)) {
        int64_t number;
        if (name.p ? h->type == TH_JSON_STRING && th_str_eq(h->text, name) : th_json_is_int(h, &number) && number == index)
            return true;
    }
    return false;
}

static bool value_put(issuer *s, const th_json *value, const th_json *frame, th_buf *out, int depth);

/* ["salt","name",value] or ["salt",value], as base64url behind the others; its digest comes back. */
static bool disclose(issuer *s, th_str name, const th_json *value, const th_json *frame, int depth, char ret_digest[TH_DIGEST_TEXT])
{
    char salt[24];
    th_buf plain;
    if (++s->count > TH_SDJWT_DISCLOSURES_MAX)
        return refuse(s, "sdjwt-too-many", "披露项过多", "There are too many disclosures");
    th_buf_open(&plain, s->arena, PAYLOAD_MAX);
    size_t salt_n = th_base64url_to(salt_next(s), TH_SDJWT_SALT, salt);
    th_buf_text(&plain, "[\"");
    th_buf_put(&plain, salt, salt_n);
    th_buf_text(&plain, "\",");
    if (name.p) {
        th_json_quote(&plain, name);
        th_buf_char(&plain, ',');
    }
    if (!value_put(s, value, frame, &plain, depth + 1)) /* inner disclosures are written before their outer one */
        return false;
    th_buf_char(&plain, ']');
    th_str text = th_buf_ok(&plain) ? th_base64url(s->arena, plain.p, plain.n) : (th_str){NULL, 0};
    if (!text.p)
        return refuse(s, "sdjwt-too-large", "内容过大", "The content is too large");
    th_sdjwt_digest(s->hash, text, ret_digest);
    th_buf_str(&s->disclosures, text);
    th_buf_char(&s->disclosures, '~');
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, TH_DIGEST_TEXT);
}

static void digests_put(th_buf *out, char *digests, size_t n)
{
    qsort(digests, n, TH_DIGEST_TEXT, by_bytes); /* their order tells nothing of the claims' */
    th_buf_text(out, "\"_sd\":[");
    for (size_t i = 0; i < n; i++) {
        th_buf_text(out, i ? ",\"" : "\"");
        th_buf_put(out, digests + i * TH_DIGEST_TEXT, TH_DIGEST_TEXT);
        th_buf_char(out, '"');
    }
    th_buf_char(out, ']');
}

static bool object_put(issuer *s, const th_json *object, const th_json *frame, th_buf *out, int depth)
{
    const th_json *list = th_json_get(frame, "_sd");
    char *digests = list ? th_alloc_array(s->arena, object->count + 1, TH_DIGEST_TEXT) : NULL;
    size_t n = 0;
    bool first = true;
    if (list && !digests)
        return refuse(s, "sdjwt-too-large", "内容过大", "The content is too large");
    th_buf_char(out, '{');
    for (const th_json *m = th_json_first(object); m; m = th_json_next(object, m)) {
        const th_json *inner = th_json_get_str(frame, m->key);
        if (th_sdjwt_reserved(m->key))
            return refuse(s, "sdjwt-name", "声明使用了保留名称", "A claim uses a reserved name");
        if (list && hidden(frame, m->key, 0)) {
            if (!disclose(s, m->key.p ? m->key : TH_STR(""), m, inner, depth, digests + n++ * TH_DIGEST_TEXT))
                return false;
            continue;
        }
        if (!first)
            th_buf_char(out, ',');
        first = false;
        th_json_quote(out, m->key);
        th_buf_char(out, ':');
        if (!value_put(s, m, inner, out, depth + 1))
            return false;
    }
    if (n) {
        if (!first)
            th_buf_char(out, ',');
        digests_put(out, digests, n);
        if (depth == 0)
            th_buf_text(out, s->hash == TH_SUITE_SM2 ? ",\"_sd_alg\":\"sm3\"" : ",\"_sd_alg\":\"sha-256\"");
    } else if (depth == 0 && s->hash == TH_SUITE_SM2) {
        th_buf_text(out, first ? "\"_sd_alg\":\"sm3\"" : ",\"_sd_alg\":\"sm3\""); /* the hash of the holder's signature too */
    }
    th_buf_char(out, '}');
    return true;
}

static bool array_put(issuer *s, const th_json *array, const th_json *frame, th_buf *out, int depth)
{
    int64_t index = 0;
    th_buf_char(out, '[');
    for (const th_json *e = th_json_first(array); e; e = th_json_next(array, e), index++) {
        char key[24], digest[TH_DIGEST_TEXT];
        size_t key_n = 0;
        for (int64_t rest = index, k = 0; k == 0 || rest; rest /= 10, k++)
            key[sizeof key - 1 - key_n++] = (char)('0' + rest % 10);
        const th_json *inner = th_json_get_str(frame, (th_str){key + sizeof key - key_n, key_n});
        if (index)
            th_buf_char(out, ',');
        if (!hidden(frame, (th_str){NULL, 0}, index)) {
            if (!value_put(s, e, inner, out, depth + 1))
                return false;
            continue;
        }
        if (!disclose(s, (th_str){NULL, 0}, e, inner, depth, digest))
            return false;
        th_buf_text(out, "{\"...\":\"");
        th_buf_put(out, digest, sizeof digest);
        th_buf_text(out, "\"}");
    }
    th_buf_char(out, ']');
    return true;
}

static bool value_put(issuer *s, const th_json *value, const th_json *frame, th_buf *out, int depth)
{
    if (depth > TH_SDJWT_DEPTH_MAX)
        return refuse(s, "sdjwt-depth", "嵌套过深", "Nested too deeply");
    if (value->type == TH_JSON_OBJECT)
        return object_put(s, value, frame, out, depth);
    if (value->type == TH_JSON_ARRAY)
        return array_put(s, value, frame, out, depth);
    th_buf_str(out, value->raw);
    return true;
}

th_status th_sdjwt_issue(const th_sdjwt_order *order, th_arena *arena, th_str *ret_text, th_error *error)
{
    issuer s = {.order = order, .arena = arena, .error = error, .hash = th_key_suite(order->key) == TH_SUITE_SM2 ? TH_SUITE_SM2 : TH_SUITE_P256};
    th_buf payload, text;
    if (order->claims->type != TH_JSON_OBJECT)
        return th_fail(error, TH_INVALID, "sdjwt-malformed", "证照内容须为 JSON 对象", "The claims must be a JSON object");
    th_buf_open(&payload, arena, PAYLOAD_MAX);
    th_buf_open(&s.disclosures, arena, TH_SDJWT_MAX);
    th_buf_open(&text, arena, TH_SDJWT_MAX);
    if (!value_put(&s, order->claims, order->frame, &payload, 0))
        return s.status;
    th_str header = th_jws_header(order->key, order->typ ? order->typ : "dc+sd-jwt", order->kid, arena);
    if (!th_buf_ok(&payload) || !th_buf_ok(&s.disclosures) || !header.p)
        return th_fail(error, TH_TOO_LARGE, "sdjwt-too-large", "内容过大", "The content is too large");
    th_status status = th_jws_make(order->key, header, th_buf_view(&payload), &text);
    if (status)
        return th_fail(error, status, "sdjwt-signing", "无法签发", "Signing failed");
    th_buf_char(&text, '~');
    th_buf_str(&text, th_buf_view(&s.disclosures));
    if (!th_buf_ok(&text))
        return th_fail(error, TH_TOO_LARGE, "sdjwt-too-large", "内容过大", "The content is too large");
    *ret_text = th_buf_view(&text);
    return TH_OK;
}
