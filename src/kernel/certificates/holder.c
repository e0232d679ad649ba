/* holder.c — the wallet's keys: one a citizen and suite, made by chance, kept sealed, so that it can be thrown away for good. */
#include "certificates-private.h"

static th_str context_of(th_str subject, th_suite suite, th_arena *arena)
{
    return th_strf(arena, "holder/%.*s/%s", TH_FMT(subject), th_suite_name(suite));
}

static th_status key_make(th_certificates *certs, th_db *db, th_str subject, th_suite suite, th_arena *arena, th_key **ret_key, th_error *error)
{
    uint8_t secret[32];
    char kid[TH_KID_TEXT];
    th_key *key;
    th_str sealed;
    th_status status = TH_INVALID;
    for (int tries = 0; status == TH_INVALID && tries < 8; tries++) { /* the environment's chance, so that a simulation repeats */
        certs->options.env->random(certs->options.env->ctx, secret, sizeof secret);
        status = th_key_from_secret(suite, (th_str){(const char *)secret, sizeof secret}, &key);
    }
    if (status)
        return th_fail(error, status, "key-make", "无法生成密钥", "Making a key failed");
    th_kid_of(key, kid);
    status = th_certificate_seal(certs, context_of(subject, suite, arena), th_key_secret(key), arena, &sealed);
    th_value values[] = {th_v_text(subject), th_v_text(th_str_of(th_suite_name(suite))), th_v_text(th_str_of(kid)), th_v_null(),
                         th_v_int(th_now_us(certs->options.env))};
    if (!status) {
        values[3] = th_v_blob(sealed.p, sealed.n);
        status = th_db_exec(db, "INSERT INTO certificates_holder (subject, suite, kid, secret, made_at) VALUES (?1, ?2, ?3, ?4, ?5)", values, TH_COUNT(values),
                            NULL, error);
    }
    if (status)
        th_key_close(key);
    else
        *ret_key = key;
    return status;
}

th_status th_holder_key(th_certificates *certs, th_db *db, th_str subject, th_suite suite, bool make, th_key **ret_key, th_error *error)
{
    th_arena arena;
    const th_value *row;
    th_str secret;
    th_arena_open(&arena, 64 * 1024);
    th_value values[] = {th_v_text(subject), th_v_text(th_str_of(th_suite_name(suite)))};
    th_status status = th_db_one(db, "SELECT secret FROM certificates_holder WHERE subject = ?1 AND suite = ?2", values, 2, &arena, &row, error);
    if (!status)
        status = th_certificate_unseal(certs, context_of(subject, suite, &arena), row[0].s, &arena, &secret, error);
    if (!status)
        status = th_key_from_secret(suite, secret, ret_key);
    else if (status == TH_NOT_FOUND && make)
        status = key_make(certs, db, subject, suite, &arena, ret_key, error);
    th_arena_close(&arena);
    return status;
}

th_status th_certificates_holder(th_certificates *certs, th_db *db, th_str subject, th_arena *arena, th_str *ret_jwk, th_error *error)
{
    th_str kid;
    th_key *key;
    th_buf buf;
    th_status status = th_holder_key(certs, db, subject, th_key_suite(th_signing_key(certs, &kid)), true, &key, error);
    if (status)
        return status;
    th_buf_open(&buf, arena, 1024);
    th_pen pen = th_pen_on(&buf);
    th_jwk_write(&pen, key, (th_str){NULL, 0});
    th_key_close(key);
    *ret_jwk = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_NO_MEMORY;
}
