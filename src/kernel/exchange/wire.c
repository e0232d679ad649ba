/* wire.c — the signed envelope of a batch: header, digest, signature, lines. Pure functions over bytes. */
#include "exchange-private.h"
#include "platform/crypto/httpsig.h"

#include <string.h>

#define LABEL "tonghui"
static const char request_tag[] = "tonghui-batch";
static const char answer_tag[] = "tonghui-answer";
enum { SIGNATURE_LIFE_S = 300 };

th_status th_envelope_write(const th_envelope *e, th_arena *arena, th_str *ret_header)
{
    th_str root = th_base64(arena, e->root.b, sizeof e->root.b);
    th_str header = th_strf(arena, "v=1, from=\"%s\", to=\"%s\", n=%lld, root=:%.*s:, seq=%lld, suite=\"%s\"", e->from, e->to,
                            (long long)e->n, TH_FMT(root), (long long)e->sequence, th_suite_name(e->suite));
    if (!root.p || !header.p)
        return TH_TOO_LARGE;
    *ret_header = header;
    return TH_OK;
}

static bool take(th_str *rest, const char *literal)
{
    if (!th_str_starts(*rest, literal))
        return false;
    size_t n = strlen(literal);
    rest->p += n;
    rest->n -= n;
    return true;
}

/* The bytes up to `end`, which is consumed with them. */
static bool take_until(th_str *rest, char end, th_str *ret)
{
    const char *at = memchr(rest->p, end, rest->n);
    if (!at)
        return false;
    *ret = (th_str){rest->p, (size_t)(at - rest->p)};
    rest->n -= ret->n + 1;
    rest->p = at + 1;
    return true;
}

static bool code_copy(th_str text, char ret_code[TH_CODE_TEXT])
{
    if (text.n != TH_CODE_TEXT - 1)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    memcpy(ret_code, text.p, text.n);
    ret_code[text.n] = 0;
    return true;
}

/* The header has one spelling only, the one that th_envelope_write gives: a second spelling would be a second thing to sign. */
th_status th_envelope_read(th_str header, th_envelope *ret_envelope, th_error *error)
{
    th_envelope e = {0};
    th_str rest = header, from, to, n, root, seq, suite;
    char root_bytes[64];
    bool ok = header.n < 512 && take(&rest, "v=1, from=\"") && take_until(&rest, '"', &from) && take(&rest, ", to=\"") &&
              take_until(&rest, '"', &to) && take(&rest, ", n=") && take_until(&rest, ',', &n) && take(&rest, " root=:") &&
              take_until(&rest, ':', &root) && take(&rest, ", seq=") && take_until(&rest, ',', &seq) &&
              take(&rest, " suite=\"") && take_until(&rest, '"', &suite) && rest.n == 0;
    ok = ok && code_copy(from, e.from) && code_copy(to, e.to) && th_parse_i64(n, 1, TH_BATCH_LINES_MAX, &e.n) &&
         th_parse_i64(seq, 0, INT64_MAX, &e.sequence) && th_suite_parse(suite, &e.suite) && root.n == 44;
    if (ok) {
        th_arena small;
        th_str bytes;
        th_arena_open(&small, 4096);
        ok = th_unbase64(&small, root, &bytes) == TH_OK && bytes.n == sizeof e.root.b;
        if (ok)
            memcpy(root_bytes, bytes.p, bytes.n);
        th_arena_close(&small);
    }
    if (!ok)
        return th_fail(error, TH_INVALID, "batch-header", "批次标头 Tonghui-Batch 不合规定",
                       "The Tonghui-Batch header is missing or malformed");
    memcpy(e.root.b, root_bytes, sizeof e.root.b);
    *ret_envelope = e;
    return TH_OK;
}

static th_status params_make(const th_key *key, const th_env *env, const char *tag, th_arena *arena, th_sig_params *ret)
{
    uint8_t nonce[12];
    char kid[TH_KID_TEXT];
    env->random(env->ctx, nonce, sizeof nonce);
    th_kid_of(key, kid);
    int64_t created = th_now_us(env) / TH_SECOND_US;
    *ret = (th_sig_params){.created_s = created,
                           .expires_s = created + SIGNATURE_LIFE_S,
                           .nonce = th_base64url(arena, nonce, sizeof nonce),
                           .keyid = th_str_keep(arena, th_str_of(kid)),
                           .tag = th_str_of(tag)};
    return ret->nonce.p && ret->keyid.p ? TH_OK : TH_TOO_LARGE;
}

th_status th_wire_sign_request(th_wire *w, const th_key *key, const th_env *env, th_arena *arena)
{
    th_sig_params params;
    w->content_digest = th_digest_header(arena, w->body);
    w->content_type = TH_STR("application/x-ndjson");
    th_status status = params_make(key, env, request_tag, arena, &params);
    if (status || !w->content_digest.p)
        return status ? status : TH_TOO_LARGE;
    th_component parts[] = {{TH_STR("@method"), TH_STR("POST"), false},
                            {TH_STR("@target-uri"), w->target_uri, false},
                            {TH_STR("content-digest"), w->content_digest, false},
                            {TH_STR("tonghui-batch"), w->batch, false}};
    return th_httpsig_sign(key, LABEL, parts, TH_COUNT(parts), &params, arena, &w->signature_input, &w->signature);
}

th_status th_wire_sign_answer(th_wire *a, const th_wire *request, const th_key *key, const th_env *env, th_arena *arena)
{
    th_sig_params params;
    a->content_digest = th_digest_header(arena, a->body);
    a->content_type = TH_STR("application/x-ndjson");
    th_status status = params_make(key, env, answer_tag, arena, &params);
    if (status || !a->content_digest.p)
        return status ? status : TH_TOO_LARGE;
    th_component parts[] = {{TH_STR("@status"), th_strf(arena, "%d", a->status), false},
                            {TH_STR("content-digest"), a->content_digest, false},
                            {TH_STR("tonghui-batch"), request->batch, true}};
    return th_httpsig_sign(key, LABEL, parts, TH_COUNT(parts), &params, arena, &a->signature_input, &a->signature);
}

/* Which key signed, is it the member's, does the signature hold, is the tag ours. */
static th_status signature_check(const th_wire *w, const char *tag, const th_component *parts, size_t n,
                                 const char *const *required, const th_trust *trust, const char *member, int64_t now_us,
                                 th_arena *arena, th_sig_input *ret_input, th_suite *ret_suite, th_error *error)
{
    th_status status = th_httpsig_read(w->signature_input, LABEL, arena, ret_input, error);
    if (status)
        return status;
    if (!th_str_is(ret_input->params.tag, tag))
        return th_fail(error, TH_FORBIDDEN, "signature-tag", "签名用途标记不符", "The signature was made for another use (tag)");
    if (!ret_input->params.created_s || !ret_input->params.expires_s)
        return th_fail(error, TH_INVALID, "signature-times", "签名缺少 created 或 expires", "The signature lacks created or expires");
    const th_member_key *key;
    status = th_trust_key(trust, th_str_of(member), ret_input->params.keyid, TH_USE_MESSAGE, now_us, &key, error);
    if (status)
        return status;
    status = th_httpsig_check(key->key, ret_input, w->signature, LABEL, parts, n, required, arena, error);
    if (status)
        return status;
    *ret_suite = th_key_suite(key->key);
    status = th_digest_check(w->content_digest, w->body);
    if (status)
        return th_fail(error, status, "content-digest", "内容摘要与正文不符", "Content-Digest does not fit the body");
    return TH_OK;
}

th_status th_wire_check_request(const th_wire *w, const th_trust *trust, const char *member, int64_t now_us, th_arena *arena,
                                int64_t *ret_created_us, int64_t *ret_expires_us, th_suite *ret_suite, th_error *error)
{
    static const char *const required[] = {"@method", "@target-uri", "content-digest", "tonghui-batch", NULL};
    th_component parts[] = {{TH_STR("@method"), TH_STR("POST"), false},
                            {TH_STR("@target-uri"), w->target_uri, false},
                            {TH_STR("content-digest"), w->content_digest, false},
                            {TH_STR("tonghui-batch"), w->batch, false}};
    th_sig_input input;
    th_status status = signature_check(w, request_tag, parts, TH_COUNT(parts), required, trust, member, now_us, arena, &input,
                                       ret_suite, error);
    if (status)
        return status;
    if (input.params.created_s > INT64_MAX / TH_SECOND_US || input.params.created_s < 0 || input.params.expires_s < 0 ||
        input.params.expires_s > INT64_MAX / TH_SECOND_US)
        return th_fail(error, TH_INVALID, "signature-times", "签名时间超出范围", "The signature's time is out of range");
    *ret_created_us = input.params.created_s * TH_SECOND_US;
    *ret_expires_us = input.params.expires_s ? input.params.expires_s * TH_SECOND_US : INT64_MAX;
    return TH_OK;
}

th_status th_wire_check_answer(const th_wire *a, const th_wire *request, const th_trust *trust, const char *member,
                               int64_t now_us, th_arena *arena, th_suite *ret_suite, th_error *error)
{
    static const char *const required[] = {"@status", "content-digest", "tonghui-batch;req", NULL};
    th_component parts[] = {{TH_STR("@status"), th_strf(arena, "%d", a->status), false},
                            {TH_STR("content-digest"), a->content_digest, false},
                            {TH_STR("tonghui-batch"), request->batch, true}};
    th_sig_input input;
    return signature_check(a, answer_tag, parts, TH_COUNT(parts), required, trust, member, now_us, arena, &input, ret_suite,
                           error);
}

th_status th_lines_split(th_str body, size_t max, th_arena *arena, th_str **ret_lines, size_t *ret_n, th_error *error)
{
    size_t n = 0;
    for (const char *p = body.p, *end = body.p + body.n; p < end; n++) {
        const char *at = memchr(p, '\n', (size_t)(end - p));
        if (!at)
            return th_fail(error, TH_INVALID, "batch-truncated", "批次正文不完整：最后一行没有换行",
                           "The batch is cut short: its last line has no line end");
        p = at + 1;
    }
    if (n > max)
        return th_fail(error, TH_TOO_LARGE, "batch-lines", "批次行数超过上限", "The batch has too many lines");
    th_str *lines = th_alloc_array(arena, n ? n : 1, sizeof *lines);
    if (!lines)
        return th_fail(error, TH_TOO_LARGE, "batch-bytes", "批次过大", "The batch is too large");
    const char *p = body.p;
    for (size_t i = 0; i < n; i++) {
        const char *at = memchr(p, '\n', (size_t)(body.p + body.n - p));
        lines[i] = (th_str){p, (size_t)(at - p)};
        p = at + 1;
    }
    *ret_lines = lines;
    *ret_n = n;
    return TH_OK;
}

/* A text that may be missing: null and the empty text are the same as its absence, since both sides write the journal's entry from it
 * and must write the same. */
static bool text_read(const th_json *object, const char *path, const char *key, size_t max, th_str *ret, th_error *error)
{
    const th_json *m = th_json_get(object, key);
    *ret = (th_str){NULL, 0};
    if (!m || m->type == TH_JSON_NULL || (m->type == TH_JSON_STRING && !m->text.n))
        return true;
    return th_json_want_str(object, path, key, max, ret, error);
}

static bool object_read(const th_json *root, const char *path, const char *key, const char *const *members, const th_json **ret,
                        th_error *error)
{
    const th_json *m = th_json_get(root, key);
    *ret = m && m->type != TH_JSON_NULL ? m : NULL;
    return !*ret || th_json_only(*ret, path, members, error);
}

/* What is asked for, by whom, under which grant: the part that is checked, journaled and shown to the citizen. */
static bool purpose_read(const th_json *root, th_message *m, th_error *error)
{
    static const char *const purposes[] = {"item", "case", NULL}, *const actors[] = {"office", "operator", NULL};
    const th_json *purpose, *actor;
    bool ok = object_read(root, "/purpose", "purpose", purposes, &purpose, error);
    ok = object_read(root, "/actor", "actor", actors, &actor, error) && ok;
    ok = text_read(root, "", "grant", TH_MESSAGE_TEXT_MAX, &m->grant, error) && ok;
    ok = text_read(root, "", "consent", TH_LINE_MAX, &m->consent, error) && ok;
    ok = text_read(purpose, "/purpose", "item", TH_MESSAGE_TEXT_MAX, &m->item, error) && ok;
    ok = text_read(purpose, "/purpose", "case", TH_MESSAGE_TEXT_MAX, &m->case_id, error) && ok;
    ok = text_read(actor, "/actor", "office", TH_MESSAGE_TEXT_MAX, &m->office, error) && ok;
    ok = text_read(actor, "/actor", "operator", TH_MESSAGE_TEXT_MAX, &m->operator_pseudonym, error) && ok;
    if (th_json_get(root, "seq"))
        ok = th_json_want_int(root, "", "seq", 0, INT64_MAX, &m->sequence, error) && ok;
    return ok;
}

th_status th_message_read(th_str line, th_arena *arena, th_message *ret_message, th_error *error)
{
    static const char *const members[] = {"id", "type", "to", "at", "grant", "purpose", "actor", "consent", "seq", "body", NULL};
    const th_json *root;
    th_message m = {.line = line};
    if (line.n > TH_LINE_MAX)
        return th_fail(error, TH_TOO_LARGE, "line-too-long", "报文超过 64 KiB", "The message is longer than 64 KiB");
    th_status status = th_json_parse(line, arena, &root, error);
    if (status)
        return status;
    th_str id, to, at;
    bool ok = th_json_only(root, "", members, error);
    ok = th_json_want_str(root, "", "id", TH_ID_TEXT - 1, &id, error) && ok;
    ok = th_json_want_str(root, "", "type", 64, &m.type, error) && ok;
    ok = th_json_want_str(root, "", "to", TH_CODE_TEXT - 1, &to, error) && ok;
    ok = th_json_want_str(root, "", "at", TH_TIME_TEXT, &at, error) && ok;
    ok = th_json_want_object(root, "", "body", &m.body, error) && ok;
    if (!ok)
        return TH_INVALID;
    if (!th_uuid_valid(id))
        return th_fail_field(error, "/id", "format", "编号须为 UUIDv7", "The id must be a UUIDv7");
    if (!th_time_parse(at, &m.at_us))
        return th_fail_field(error, "/at", "format", "时间须为 RFC 3339 格式", "The time must be in RFC 3339 form");
    memcpy(m.id, id.p, id.n);
    if (!code_copy(to, m.to))
        return th_fail_field(error, "/to", "format", "接收方须为六位区划代码", "The receiver must be a six-digit code");
    if (!purpose_read(root, &m, error))
        return TH_INVALID;
    *ret_message = m;
    return TH_OK;
}

th_status th_status_of_http(int http)
{
    static const th_status all[] = {TH_INVALID, TH_UNAUTHENTICATED, TH_FORBIDDEN, TH_NOT_FOUND, TH_CONFLICT, TH_TOO_LARGE,
                                    TH_UNPROCESSABLE, TH_BUSY, TH_UNAVAILABLE, TH_TIMEOUT, TH_NO_SPACE};
    if (http >= 200 && http < 300)
        return TH_OK;
    for (size_t i = 0; i < TH_COUNT(all); i++)
        if (th_status_http(all[i]) == http)
            return all[i];
    return http >= 500 || http < 400 ? TH_UNAVAILABLE : TH_INVALID;
}

static void words_copy(char *to, size_t room, th_str text)
{
    size_t n = text.n < room - 1 ? text.n : room - 1;
    while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    if (n)
        memcpy(to, text.p, n);
    to[n] = 0;
}

th_status th_problem_read(th_str body, int http_status, th_arena *arena, th_error *ret_error)
{
    static const char prefix[] = "urn:tonghui:problem:";
    const th_json *root = NULL;
    th_status status = th_status_of_http(http_status);
    if (status == TH_OK)
        status = TH_INVALID;
    if (!body.n || th_json_parse(body, arena, &root, NULL))
        return th_failf(ret_error, status, "peer-problem", "对方节点回应 %d", "The peer answered %d", http_status);
    th_str type = th_json_str(root, "type");
    if (th_str_starts(type, prefix))
        type = (th_str){type.p + sizeof prefix - 1, type.n - (sizeof prefix - 1)};
    *ret_error = (th_error){.status = status};
    words_copy(ret_error->type, sizeof ret_error->type, type);
    words_copy(ret_error->zh, sizeof ret_error->zh, th_json_str(root, "title_zh"));
    words_copy(ret_error->en, sizeof ret_error->en, th_json_str(root, "title_en"));
    ret_error->retry_after_s = (int)th_json_int(root, "retry_after", 0);
    const th_json *errors = th_json_get(root, "errors");
    for (const th_json *f = th_json_first(errors); f && ret_error->field_count < TH_ERROR_FIELDS_MAX; f = th_json_next(errors, f)) {
        th_field_error *to = &ret_error->fields[ret_error->field_count++];
        words_copy(to->pointer, sizeof to->pointer, th_json_str(f, "pointer"));
        words_copy(to->code, sizeof to->code, th_json_str(f, "code"));
        words_copy(to->zh, sizeof to->zh, th_json_str(f, "message_zh"));
        words_copy(to->en, sizeof to->en, th_json_str(f, "message_en"));
    }
    return status;
}
