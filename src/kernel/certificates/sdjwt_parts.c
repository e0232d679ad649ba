/* sdjwt_parts.c — a token taken apart at its tildes, its disclosures decoded, digested and sorted. */
#include "sdjwt-private.h"

#include <stdlib.h>
#include <string.h>

void th_sdjwt_digest(th_suite hash, th_str text, char ret_digest[TH_DIGEST_TEXT])
{
    th_hash h = th_hash_str(hash, text);
    th_base64url_to(h.b, sizeof h.b, ret_digest);
}

bool th_sdjwt_reserved(th_str name)
{
    return th_str_is(name, "_sd") || th_str_is(name, "...") || th_str_is(name, "_sd_alg");
}

static th_status malformed(th_error *error)
{
    return th_fail(error, TH_INVALID, "sdjwt-malformed", "证照令牌格式有误", "The certificate token is malformed");
}

th_status th_sdjwt_split(th_str text, th_arena *arena, th_sdjwt_parts *ret_parts, th_error *error)
{
    th_sdjwt_parts parts = {0};
    size_t tildes = 0;
    if (text.n > TH_SDJWT_MAX)
        return th_fail(error, TH_TOO_LARGE, "sdjwt-malformed", "证照令牌过长", "The certificate token is too long");
    for (size_t i = 0; i < text.n; i++)
        tildes += text.p[i] == '~';
    if (!tildes || tildes - 1 > TH_SDJWT_DISCLOSURES_MAX)
        return malformed(error);
    parts.disclosures = th_alloc_array(arena, tildes, sizeof *parts.disclosures);
    if (!parts.disclosures)
        return TH_NO_MEMORY;
    th_str rest = text, part;
    if (!th_str_cut(&rest, '~', &parts.jwt))
        return malformed(error);
    for (size_t i = 1; i < tildes; i++) {
        if (!th_str_cut(&rest, '~', &part) || !part.n)
            return malformed(error);
        parts.disclosures[parts.n++].text = part;
    }
    parts.presented = (th_str){text.p, (size_t)(rest.p - text.p)};
    if (rest.n)
        parts.holder = rest;
    *ret_parts = parts;
    return TH_OK;
}

static th_status disclosure_open(th_sdjwt_disclosure *d, th_suite hash, th_arena *arena, th_error *error)
{
    th_str bytes;
    const th_json *array;
    char *digest = th_alloc(arena, TH_DIGEST_TEXT);
    if (!digest)
        return TH_NO_MEMORY;
    th_sdjwt_digest(hash, d->text, digest);
    d->digest = (th_str){digest, TH_DIGEST_TEXT};
    if (th_unbase64url(arena, d->text, &bytes) || th_json_parse(bytes, arena, &array, NULL))
        return malformed(error);
    const th_json *salt = th_json_at(array, 0), *name = th_json_at(array, 1);
    if (array->type != TH_JSON_ARRAY || array->count < 2 || array->count > 3 || salt->type != TH_JSON_STRING)
        return malformed(error);
    if (array->count == 2) {
        d->value = name;
        return TH_OK;
    }
    if (name->type != TH_JSON_STRING)
        return malformed(error);
    if (th_sdjwt_reserved(name->text))
        return th_fail(error, TH_INVALID, "sdjwt-name", "披露项使用了保留名称", "A disclosure uses a reserved name");
    d->name = name->text.p ? name->text : TH_STR("");
    d->value = th_json_at(array, 2);
    return TH_OK;
}

static int by_digest(const void *a, const void *b)
{
    const th_sdjwt_disclosure *x = a, *y = b;
    return memcmp(x->digest.p, y->digest.p, TH_DIGEST_TEXT);
}

th_status th_sdjwt_open(th_sdjwt_parts *parts, th_suite hash, th_arena *arena, th_error *error)
{
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < parts->n; i++)
        status = disclosure_open(&parts->disclosures[i], hash, arena, error);
    if (status)
        return status;
    if (parts->n > 1)
        qsort(parts->disclosures, parts->n, sizeof *parts->disclosures, by_digest);
    for (size_t i = 1; i < parts->n; i++)
        if (by_digest(&parts->disclosures[i - 1], &parts->disclosures[i]) == 0)
            return th_fail(error, TH_INVALID, "sdjwt-disclosure-twice", "同一披露项出现两次", "A disclosure stands twice");
    return TH_OK;
}

th_sdjwt_disclosure *th_sdjwt_find(const th_sdjwt_disclosure *disclosures, size_t n, th_str digest)
{
    size_t low = 0, high = n;
    if (digest.n != TH_DIGEST_TEXT)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(digest.p, disclosures[middle].digest.p, TH_DIGEST_TEXT);
        if (order == 0)
            return (th_sdjwt_disclosure *)(uintptr_t)&disclosures[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

th_status th_sdjwt_hash_of(const th_json *payload, th_suite *ret_hash, th_error *error)
{
    const th_json *name = th_json_get(payload, "_sd_alg");
    if (!name || (name->type == TH_JSON_STRING && th_str_is(name->text, "sha-256")))
        *ret_hash = TH_SUITE_P256;
    else if (name->type == TH_JSON_STRING && th_str_is(name->text, "sm3"))
        *ret_hash = TH_SUITE_SM2;
    else
        return th_fail(error, TH_INVALID, "sdjwt-hash", "不接受该摘要算法", "This digest algorithm is not accepted");
    return TH_OK;
}
