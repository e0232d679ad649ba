/* certificates.c — opening and closing, keys of members, sealing, and the messages between nodes. */
#include "certificates-private.h"

#include <stdio.h>
#include <string.h>

extern const char th_certificates_schema_sql[];

const char *th_certificates_schema(void)
{
    return th_certificates_schema_sql;
}

static th_status message_types_add(th_certificates *certs, th_error *error)
{
    const th_message_type types[] = {
        {.type = "certificate.issued", .apply = th_issued_apply, .ctx = certs},
        {.type = "certificate.status", .apply = th_status_told_apply, .ctx = certs},
    };
    for (size_t i = 0; i < TH_COUNT(types); i++)
        if (th_exchange_type_add(certs->options.exchange, &types[i]))
            return th_fail(error, TH_CONFLICT, "message-type", "报文类型已登记", "The message type is registered already");
    return TH_OK;
}

th_status th_certificates_open(const th_certificates_options *o, th_certificates **ret_certificates, th_error *error)
{
    th_certificates *certs = th_new(sizeof *certs);
    if (!certs)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    certs->options = *o;
    memcpy(certs->code, o->code, TH_CODE_TEXT);
    snprintf(certs->portal, sizeof certs->portal, "%s", o->portal);
    certs->options.code = certs->code;
    certs->options.portal = certs->portal;
    th_str label = TH_STR("tonghui/v1/certificates");
    th_hash seal = th_hmac(o->secret, &label, 1);
    memcpy(certs->seal_key, seal.b, sizeof certs->seal_key);
    th_arena_open(&certs->arena, 64u << 20);
    pthread_mutex_init(&certs->lock, NULL);
    certs->options.x509 = th_str_keep(&certs->arena, o->x509);
    th_kid_of(o->key, certs->kid);
    if (o->key_p256)
        th_kid_of(o->key_p256, certs->kid_p256);
    th_status status = th_certificate_types_load(certs, o->types, o->type_count, error);
    if (!status)
        status = message_types_add(certs, error);
    if (status)
        th_certificates_close(certs);
    else
        *ret_certificates = certs;
    return status;
}

void th_certificates_close(th_certificates *certs)
{
    if (!certs)
        return;
    th_lists_close(certs);
    th_arena_close(&certs->arena);
    pthread_mutex_destroy(&certs->lock);
    th_free(certs);
}

const th_key *th_signing_key(const th_certificates *certs, th_str *ret_kid)
{
    *ret_kid = th_str_of(certs->options.key_p256 ? certs->kid_p256 : certs->kid);
    return certs->options.key_p256 ? certs->options.key_p256 : certs->options.key;
}

/* ---- sealing ---- */

th_status th_certificate_seal(th_certificates *certs, th_str id, th_str plain, th_arena *arena, th_str *ret_sealed)
{
    return th_seal(certs->options.env, certs->seal_key, plain, id, arena, ret_sealed);
}

th_status th_certificate_unseal(th_certificates *certs, th_str id, th_str sealed, th_arena *arena, th_str *ret_plain, th_error *error)
{
    th_status status = th_unseal(certs->seal_key, sealed, id, arena, ret_plain);
    return status ? th_fail(error, TH_CORRUPT, "certificate-sealed", "证照内容无法解密", "The certificate's content cannot be unsealed") : TH_OK;
}

/* ---- writing ---- */

typedef struct plain_write {
    th_change change;
    th_certificate_write write;
    void *ctx;
} plain_write;

static th_status plain_apply(th_change *change, th_db *db, th_error *error)
{
    plain_write *w = change->ctx;
    return w->write(w->ctx, db, error);
}

th_status th_certificates_write(th_certificates *certs, th_certificate_write write, void *ctx, th_error *error)
{
    plain_write w = {.write = write, .ctx = ctx};
    w.change = (th_change){.apply = plain_apply, .ctx = &w};
    return th_writer_run(certs->options.writer, &w.change, error);
}

/* ---- members ---- */

const th_member *th_member_by_url(const th_trust *trust, th_str url)
{
    for (size_t i = 0; trust && i < trust->member_count; i++) {
        th_str portal = trust->members[i].portal;
        if (url.n > portal.n && memcmp(url.p, portal.p, portal.n) == 0 && url.p[portal.n] == '/')
            return &trust->members[i];
    }
    return NULL;
}

th_status th_certificate_key(const th_trust *trust, th_str kid, int64_t at_us, const th_member **ret_member, const th_key **ret_key, th_error *error)
{
    const th_member_key *key;
    if (!trust)
        return th_fail(error, TH_UNAVAILABLE, "no-trust", "尚未启用信任文件", "No trust document is in force yet");
    for (size_t i = 0; i < trust->member_count; i++)
        for (size_t k = 0; k < trust->members[i].key_count; k++) {
            if (!th_str_eq(trust->members[i].keys[k].kid, kid))
                continue;
            th_status status = th_trust_key(trust, th_str_of(trust->members[i].code), kid, TH_USE_CERTIFICATE, at_us, &key, error);
            if (status)
                return status;
            *ret_member = &trust->members[i];
            *ret_key = key->key;
            return TH_OK;
        }
    return th_fail(error, TH_FORBIDDEN, "unknown-key", "信任文件中没有签发该证照的密钥", "The trust document has no such certificate key");
}
