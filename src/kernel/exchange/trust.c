/* trust.c — reading the region's document, its thresholds, and which key speaks for whom when. */
#include "kernel/exchange/trust.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 4 << 20, GOVERNORS_MAX = 64, NAME_MAX_BYTES = 120, URL_MAX = 240 };

static const char signing_tag[] = "tonghui/v1/trust\n";

typedef struct trust_box { /* what a th_trust really is */
    th_trust trust;
    atomic_int references;
    th_arena arena;
} trust_box;

static trust_box *box_of(const th_trust *trust)
{
    return (trust_box *)(uintptr_t)trust;
}

th_trust *th_trust_retain(const th_trust *trust)
{
    atomic_fetch_add(&box_of(trust)->references, 1);
    return &box_of(trust)->trust;
}

void th_trust_release(th_trust *trust)
{
    if (!trust || atomic_fetch_sub(&box_of(trust)->references, 1) != 1)
        return;
    for (size_t i = 0; i < trust->governor_count; i++)
        th_key_close(trust->governors[i].key);
    for (size_t i = 0; i < trust->member_count; i++)
        for (size_t k = 0; k < trust->members[i].key_count; k++)
            th_key_close(trust->members[i].keys[k].key);
    th_arena_close(&box_of(trust)->arena);
    th_free(box_of(trust));
}

void th_kid_of(const th_key *key, char ret_kid[TH_KID_TEXT])
{
    th_hash hash = th_hash_str(TH_SUITE_ED25519, th_key_public(key));
    th_hex(hash.b, (TH_KID_TEXT - 1) / 2, ret_kid);
}

/* ---- reading ---- */

typedef struct reader {
    th_arena *arena;
    th_error *error;
    char path[80];
} reader;

static bool wrong(reader *r, const char *member, const char *code, const char *zh, const char *en)
{
    char pointer[120];
    snprintf(pointer, sizeof pointer, "%s/%s", r->path, member);
    th_fail_field(r->error, pointer, code, zh, en);
    return false;
}

static bool instant_read(reader *r, const th_json *object, const char *member, int64_t *ret)
{
    return th_time_parse(th_json_str(object, member), ret) ||
           wrong(r, member, "time", "须为 RFC 3339 时间", "Must be an RFC 3339 instant");
}

static bool words_read(reader *r, const th_json *object, th_str *ret_zh, th_str *ret_en)
{
    const th_json *name;
    char path[100];
    snprintf(path, sizeof path, "%s/name", r->path);
    return th_json_want_object(object, r->path, "name", &name, r->error) &&
           th_json_want_str(name, path, "zh", NAME_MAX_BYTES, ret_zh, r->error) &&
           th_json_want_str(name, path, "en", NAME_MAX_BYTES, ret_en, r->error);
}

/* The key and its id; the id must be the key's own, so that nobody can pass one key off under another's name. */
static bool key_read(reader *r, const th_json *object, th_str *ret_kid, th_key **ret_key)
{
    th_suite suite;
    th_str bytes;
    char kid[TH_KID_TEXT];
    if (!th_suite_parse(th_json_str(object, "suite"), &suite))
        return wrong(r, "suite", "enum", "未知算法套件", "Unknown suite");
    if (th_unbase64url(r->arena, th_json_str(object, "public"), &bytes) || th_key_from_public(suite, bytes, ret_key))
        return wrong(r, "public", "key", "公钥不合法", "Not a valid public key");
    th_kid_of(*ret_key, kid);
    *ret_kid = th_json_str(object, "kid");
    return th_str_is(*ret_kid, kid) || wrong(r, "kid", "kid", "与公钥不符", "Does not belong to the public key");
}

static bool use_read(reader *r, const th_json *object, unsigned *ret_use)
{
    static const struct { const char *name; unsigned use; } uses[] = {
        {"message", TH_USE_MESSAGE}, {"journal", TH_USE_JOURNAL}, {"certificate", TH_USE_CERTIFICATE}};
    th_str rest = th_json_str(object, "use"), part;
    unsigned use = 0;
    while (th_str_cut(&rest, '|', &part)) {
        unsigned one = 0;
        for (size_t i = 0; i < TH_COUNT(uses); i++)
            if (th_str_is(part, uses[i].name))
                one = uses[i].use;
        if (!one)
            return wrong(r, "use", "enum", "用途须为 message、journal 或 certificate", "Must be message, journal or certificate");
        use |= one;
    }
    *ret_use = use;
    return use || wrong(r, "use", "required", "缺少用途", "The use is missing");
}

static bool member_keys_read(reader *r, const th_json *object, th_member *member)
{
    const th_json *keys;
    char outer[sizeof r->path];
    if (!th_json_want_array(object, r->path, "keys", TH_KEYS_MAX, &keys, r->error))
        return false;
    th_member_key *all = th_alloc_array(r->arena, keys->count + 1, sizeof *all);
    if (!all)
        return false;
    member->keys = all;
    memcpy(outer, r->path, sizeof outer);
    for (const th_json *k = th_json_first(keys); k; k = th_json_next(keys, k)) {
        th_member_key *key = &all[member->key_count];
        snprintf(r->path, sizeof r->path, "%.60s/keys/%zu", outer, member->key_count);
        bool ok = key_read(r, k, &key->kid, &key->key);
        member->key_count += key->key != NULL; /* counted, so that it is closed even when the rest is wrong */
        if (ok && use_read(r, k, &key->use) && th_key_suite(key->key) == TH_SUITE_P256 && key->use != TH_USE_CERTIFICATE)
            return wrong(r, "suite", "use", "P-256 密钥只能用于证照", "A P-256 key is for certificates only");
        if (!ok || !key->use || !instant_read(r, k, "not_before", &key->not_before_us) ||
            !instant_read(r, k, "not_after", &key->not_after_us))
            return false;
    }
    memcpy(r->path, outer, sizeof outer);
    return true;
}

static bool pins_read(reader *r, const th_json *object, th_member *member)
{
    const th_json *tls;
    if (!th_json_want_array(object, r->path, "tls", TH_PINS_MAX, &tls, r->error))
        return false;
    th_str *pins = th_alloc_array(r->arena, TH_PINS_MAX, sizeof *pins);
    if (!pins)
        return false;
    member->pins = pins;
    for (const th_json *p = th_json_first(tls); p; p = th_json_next(tls, p)) {
        if (p->type != TH_JSON_STRING || p->text.n != TH_PIN_TEXT - 1 || !th_str_starts(p->text, "sha256/"))
            return wrong(r, "tls", "pin", "须为 sha256/ 开头的公钥指纹", "Must be sha256/ and the fingerprint of the key");
        pins[member->pin_count++] = p->text;
    }
    return true;
}

static bool url_read(reader *r, const th_json *object, const char *member, th_str *ret)
{
    if (!th_json_want_str(object, r->path, member, URL_MAX, ret, r->error))
        return false;
    bool scheme = th_str_starts(*ret, "https://") || (strcmp(member, "portal") == 0 && th_str_starts(*ret, "http://"));
    if (!scheme || ret->p[ret->n - 1] == '/')
        return wrong(r, member, "url", "须为 https:// 地址且不以 / 结尾", "Must be an https:// address without a slash at the end");
    return true;
}

static bool code_ok(th_str code)
{
    bool ok = code.n == TH_CODE_TEXT - 1;
    for (size_t i = 0; ok && i < code.n; i++)
        ok = code.p[i] >= '0' && code.p[i] <= '9';
    return ok;
}

static bool members_read(reader *r, const th_json *part, th_trust *t)
{
    const th_json *members;
    if (!th_json_want_array(part, "/signed", "members", TH_MEMBERS_MAX, &members, r->error))
        return false;
    th_member *all = th_alloc_array(r->arena, members->count + 1, sizeof *all);
    if (!all)
        return false;
    t->members = all;
    for (const th_json *m = th_json_first(members); m; m = th_json_next(members, m)) {
        th_member *member = &all[t->member_count];
        th_str code = th_json_str(m, "code");
        snprintf(r->path, sizeof r->path, "/signed/members/%zu", t->member_count);
        if (!code_ok(code))
            return wrong(r, "code", "pattern", "须为六位行政区划代码", "Must be a six-digit division code");
        if (th_trust_member(t, code))
            return wrong(r, "code", "duplicate", "成员重复", "This member is listed twice");
        memcpy(member->code, code.p, code.n);
        t->member_count++;
        if (!words_read(r, m, &member->name_zh, &member->name_en) || !url_read(r, m, "peer", &member->peer) ||
            !url_read(r, m, "portal", &member->portal) || !member_keys_read(r, m, member) || !pins_read(r, m, member))
            return false;
    }
    return true;
}

static bool suspended_read(reader *r, const th_json *part, th_trust *t)
{
    const th_json *list;
    if (!th_json_want_array(part, "/signed", "suspended", TH_MEMBERS_MAX, &list, r->error))
        return false;
    for (const th_json *s = th_json_first(list); s; s = th_json_next(list, s)) {
        th_member *member = s->type == TH_JSON_STRING ? (th_member *)(uintptr_t)th_trust_member(t, s->text) : NULL;
        if (!member) {
            th_fail_field(r->error, "/signed/suspended", "unknown", "其中有非成员代码", "Names a code that is no member's");
            return false;
        }
        member->suspended = true;
    }
    return true;
}

static bool governors_read(reader *r, const th_json *part, th_trust *t)
{
    const th_json *governors, *keys;
    if (!th_json_want_object(part, "/signed", "governors", &governors, r->error) ||
        !th_json_want_array(governors, "/signed/governors", "keys", GOVERNORS_MAX, &keys, r->error))
        return false;
    th_governor *all = th_alloc_array(r->arena, keys->count + 1, sizeof *all);
    if (!all)
        return false;
    t->governors = all;
    for (const th_json *k = th_json_first(keys); k; k = th_json_next(keys, k)) {
        th_governor *g = &all[t->governor_count];
        snprintf(r->path, sizeof r->path, "/signed/governors/keys/%zu", t->governor_count);
        bool ok = key_read(r, k, &g->kid, &g->key);
        t->governor_count += g->key != NULL;
        if (ok && th_key_suite(g->key) == TH_SUITE_P256)
            return wrong(r, "suite", "use", "P-256 密钥只能用于证照", "A P-256 key is for certificates only");
        if (!ok || !th_json_want_str(k, r->path, "holder", 40, &g->holder, r->error))
            return false;
        for (size_t i = 0; i + 1 < t->governor_count; i++)
            if (th_str_eq(all[i].kid, g->kid))
                return wrong(r, "kid", "duplicate", "治理密钥重复", "This governor's key is listed twice");
    }
    return th_json_want_int(governors, "/signed/governors", "threshold", 1, (int64_t)t->governor_count, &t->threshold, r->error);
}

static bool signed_read(reader *r, const th_json *part, th_trust *t)
{
    static const char *const allowed[] = {"region", "name", "version", "issued", "expires", "governors", "members", "suspended",
                                          NULL};
    snprintf(r->path, sizeof r->path, "/signed");
    return th_json_only(part, "/signed", allowed, r->error) &&
           th_json_want_str(part, "/signed", "region", 40, &t->region, r->error) && words_read(r, part, &t->name_zh, &t->name_en) &&
           th_json_want_int(part, "/signed", "version", 1, INT32_MAX, &t->version, r->error) &&
           instant_read(r, part, "issued", &t->issued_us) && instant_read(r, part, "expires", &t->expires_us) &&
           governors_read(r, part, t) && members_read(r, part, t) && suspended_read(r, part, t);
}

/* ---- thresholds ---- */

static th_status signed_bytes(const th_json *part, th_arena *arena, th_str *ret_bytes)
{
    th_buf buf;
    th_buf_open(&buf, arena, DOCUMENT_MAX);
    th_buf_text(&buf, signing_tag);
    th_status status = th_json_canonical(part, &buf);
    *ret_bytes = th_buf_view(&buf);
    return status ? status : th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

/* How many of `by`'s governors signed `document`, each counted once. */
static int64_t signatures_count(const th_trust *by, const th_trust *document)
{
    th_arena arena;
    th_str bytes, signature;
    int64_t good = 0;
    const th_json *signatures = th_json_get(document->root, "signatures");
    th_arena_open(&arena, 2u * DOCUMENT_MAX + (1u << 20));
    if (signed_bytes(th_json_get(document->root, "signed"), &arena, &bytes) == TH_OK)
        for (size_t i = 0; i < by->governor_count; i++)
            for (const th_json *s = th_json_first(signatures); s; s = th_json_next(signatures, s))
                if (th_str_eq(th_json_str(s, "kid"), by->governors[i].kid) &&
                    th_unbase64url(&arena, th_json_str(s, "sig"), &signature) == TH_OK &&
                    th_verify(by->governors[i].key, bytes, signature) == TH_OK) {
                    good++;
                    break;
                }
    th_arena_close(&arena);
    return good;
}

static th_status threshold_check(const th_trust *by, const th_trust *document, th_error *error)
{
    int64_t good = signatures_count(by, document);
    if (good >= by->threshold)
        return TH_OK;
    return th_failf(error, TH_FORBIDDEN, "trust-threshold", "第 %lld 版的治理方签名不足：需 %lld 个，有效 %lld 个",
                    "Too few governors of version %lld signed: %lld needed, %lld good", (long long)by->version,
                    (long long)by->threshold, (long long)good);
}

th_status th_trust_read(th_str document, th_trust **ret_trust, th_error *error)
{
    th_status status = TH_OK;
    th_error own = {0};
    if (!error)
        error = &own;
    if (document.n > DOCUMENT_MAX)
        return th_fail(error, TH_TOO_LARGE, "trust-too-large", "信任文件过大", "The trust document is too large");
    trust_box *box = th_new(sizeof *box);
    if (!box)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    atomic_init(&box->references, 1);
    th_arena_open(&box->arena, 64u << 20);
    th_trust *t = &box->trust;
    reader r = {.arena = &box->arena, .error = error};
    th_str bytes;
    t->document = th_str_keep(&box->arena, document);
    status = t->document.p ? th_json_parse(t->document, &box->arena, &t->root, error) : TH_NO_MEMORY;
    const th_json *part = th_json_get(t->root, "signed"), *signatures = th_json_get(t->root, "signatures");
    if (!status && (!part || part->type != TH_JSON_OBJECT))
        status = th_fail_field(error, "/signed", "required", "缺少签名内容", "The signed part is missing");
    if (!status && (!signatures || signatures->type != TH_JSON_ARRAY || signatures->count > 2 * GOVERNORS_MAX))
        status = th_fail_field(error, "/signatures", "required", "缺少签名", "The signatures are missing");
    if (!status && !signed_read(&r, part, t))
        status = error->status ? error->status : TH_INVALID;
    if (!status && (status = signed_bytes(part, &box->arena, &bytes)) == TH_OK) {
        size_t tag = sizeof signing_tag - 1;
        t->digest = th_hash_str(TH_SUITE_ED25519, (th_str){bytes.p + tag, bytes.n - tag});
    }
    if (!status)
        status = threshold_check(t, t, error);
    if (status)
        th_trust_release(t);
    else
        *ret_trust = t;
    return status;
}

/* ---- succession and time ---- */

th_status th_trust_succeeds(const th_trust *current, const th_trust *next, int64_t now_us, th_error *error)
{
    if (!th_str_eq(current->region, next->region))
        return th_fail(error, TH_CONFLICT, "trust-other-region", "这是另一个区域的信任文件", "This document is of another region");
    if (next->version <= current->version)
        return th_failf(error, TH_CONFLICT, "trust-rollback", "第 %lld 版不晚于已启用的第 %lld 版",
                        "Version %lld is not newer than version %lld, which is in force", (long long)next->version,
                        (long long)current->version);
    if (next->version > current->version + 1)
        return th_failf(error, TH_CONFLICT, "trust-gap", "收到第 %lld 版，须先启用第 %lld 版",
                        "This is version %lld; version %lld has to come first", (long long)next->version,
                        (long long)current->version + 1);
    if (next->expires_us <= now_us)
        return th_fail(error, TH_INVALID, "trust-expired", "该信任文件已过期", "This trust document has expired");
    return threshold_check(current, next, error);
}

th_status th_trust_live(const th_trust *trust, int64_t now_us, th_error *error)
{
    char text[TH_TIME_TEXT];
    if (now_us >= trust->expires_us) {
        th_time_shanghai(trust->expires_us, text);
        return th_failf(error, TH_UNAVAILABLE, "trust-expired", "信任文件已于 %s 过期，数据交换暂停",
                        "The trust document expired at %s; exchange has stopped", text);
    }
    if (now_us < trust->issued_us - 5 * TH_MINUTE_US) {
        th_time_shanghai(trust->issued_us, text);
        return th_failf(error, TH_UNAVAILABLE, "trust-not-yet", "信任文件自 %s 起生效", "The trust document is in force from %s",
                        text);
    }
    return TH_OK;
}

/* ---- looking up ---- */

const th_member *th_trust_member(const th_trust *trust, th_str code)
{
    for (size_t i = 0; i < trust->member_count; i++)
        if (th_str_is(code, trust->members[i].code))
            return &trust->members[i];
    return NULL;
}

const th_member *th_trust_member_by_pin(const th_trust *trust, th_str pin)
{
    for (size_t i = 0; pin.n && i < trust->member_count; i++)
        for (size_t k = 0; k < trust->members[i].pin_count; k++)
            if (th_str_eq(pin, trust->members[i].pins[k]))
                return &trust->members[i];
    return NULL;
}

th_status th_trust_key(const th_trust *trust, th_str code, th_str kid, th_key_use use, int64_t at_us, const th_member_key **ret_key,
                       th_error *error)
{
    const th_member *member = th_trust_member(trust, code);
    if (!member)
        return th_failf(error, TH_FORBIDDEN, "unknown-member", "%.*s 不是本区域成员", "%.*s is no member of this region",
                        TH_FMT(code));
    /* A suspension stops what comes now; what a journal signed before stays provable. */
    if (member->suspended && use != TH_USE_JOURNAL)
        return th_failf(error, TH_FORBIDDEN, "suspended-member", "成员 %.*s 已被暂停", "Member %.*s is suspended", TH_FMT(code));
    const th_member_key *key = NULL;
    for (size_t i = 0; i < member->key_count && !key; i++)
        if (th_str_eq(member->keys[i].kid, kid))
            key = &member->keys[i];
    if (!key)
        return th_failf(error, TH_FORBIDDEN, "unknown-key", "信任文件中没有密钥 %.*s", "The trust document has no key %.*s",
                        TH_FMT(kid));
    if (!(key->use & use))
        return th_failf(error, TH_FORBIDDEN, "key-use", "密钥 %.*s 不作此用途", "Key %.*s is not meant for this use", TH_FMT(kid));
    if (at_us > key->not_after_us)
        return th_failf(error, TH_FORBIDDEN, "expired-key", "密钥 %.*s 已过期", "Key %.*s has expired", TH_FMT(kid));
    if (at_us < key->not_before_us)
        return th_failf(error, TH_FORBIDDEN, "early-key", "密钥 %.*s 尚未生效", "Key %.*s is not valid yet", TH_FMT(kid));
    *ret_key = key;
    return TH_OK;
}
