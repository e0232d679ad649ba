/* wallet.c — what a citizen holds at this node, and what she showed. */
#include "certificates-private.h"

#include <string.h>

static th_str context_of(th_str id, th_arena *arena)
{
    return th_strf(arena, "held/%.*s", TH_FMT(id));
}

th_status th_held_put(th_certificates *certs, th_db *db, th_str subject, const th_held *held, th_error *error)
{
    th_arena arena;
    th_str sealed;
    th_buf plain;
    th_arena_open(&arena, 2u << 20);
    th_buf_open(&plain, &arena, 2 * TH_LINE_MAX);
    th_pen pen = th_pen_on(&plain);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "token", held->token);
    th_pen_kstr(&pen, "square", held->square);
    th_pen_kstr(&pen, "page_key", held->page_key);
    th_pen_end(&pen, '}');
    th_status status = th_buf_ok(&plain) ? th_certificate_seal(certs, context_of(held->id, &arena), th_buf_view(&plain), &arena, &sealed) : TH_TOO_LARGE;
    if (!status) {
        th_value values[] = {th_v_text(subject), th_v_text(held->id), th_v_text(held->issuer), th_v_text(held->type), th_v_text(held->number),
                             th_v_text(held->uri), th_v_int(held->place), th_v_int(held->status), th_v_int(held->issued_us),
                             held->expires_us ? th_v_int(held->expires_us) : th_v_null(), th_v_int(th_now_us(certs->options.env)),
                             th_v_blob(sealed.p, sealed.n)};
        status = th_db_exec(db,
                            "INSERT INTO certificates_held (subject, id, issuer, type, number, uri, place, status, issued_at, expires_at, received_at, content) "
                            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (subject, id) DO NOTHING",
                            values, TH_COUNT(values), NULL, error);
    }
    th_arena_close(&arena);
    return status;
}

#define COLUMNS "SELECT id, issuer, type, number, uri, place, status, issued_at, expires_at, received_at, content FROM certificates_held "

static th_status row_read(th_certificates *certs, const th_value *row, th_arena *arena, th_held *held, th_error *error)
{
    *held = (th_held){.id = row[0].s, .issuer = row[1].s, .type = row[2].s, .number = row[3].s, .uri = row[4].s, .place = row[5].i, .status = row[6].i,
                      .issued_us = row[7].i, .expires_us = row[8].type == TH_VALUE_INT ? row[8].i : 0, .received_us = row[9].i};
    th_str plain;
    const th_json *content;
    th_status status = th_certificate_unseal(certs, context_of(held->id, arena), row[10].s, arena, &plain, error);
    if (!status)
        status = th_json_parse(plain, arena, &content, error);
    if (status)
        return status;
    held->token = th_json_str(content, "token");
    held->square = th_json_str(content, "square");
    held->page_key = th_json_str(content, "page_key");
    return TH_OK;
}

th_status th_held_list(th_certificates *certs, th_db *db, th_str subject, th_arena *arena, th_held **ret_held, size_t *ret_n, th_error *error)
{
    th_rows rows;
    th_value value = th_v_text(subject);
    th_status status = th_db_select(db, COLUMNS "WHERE subject = ?1 ORDER BY id DESC LIMIT 256", &value, 1, arena, &rows, error);
    if (status)
        return status;
    th_held *all = th_alloc_array(arena, rows.n + 1, sizeof *all);
    for (size_t i = 0; all && !status && i < rows.n; i++)
        status = row_read(certs, th_row(&rows, i), arena, &all[i], error);
    *ret_held = all;
    *ret_n = rows.n;
    return all ? status : TH_NO_MEMORY;
}

th_status th_held_get(th_certificates *certs, th_db *db, th_str subject, th_str id, th_arena *arena, th_held *ret_held, th_error *error)
{
    const th_value *row;
    th_value values[] = {th_v_text(subject), th_v_text(id)};
    th_status status = th_db_one(db, COLUMNS "WHERE subject = ?1 AND id = ?2", values, 2, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, status, "no-certificate", "卡包中没有这份证照", "The wallet has no such certificate");
    return status ? status : row_read(certs, row, arena, ret_held, error);
}

th_status th_shown_put(th_certificates *certs, th_db *db, th_str subject, const th_shown *shown, th_error *error)
{
    char id[TH_ID_TEXT];
    th_uuid7(certs->options.env, id);
    th_value values[] = {th_v_text(subject), th_v_text(th_str_of(id)), th_v_text(shown->certificate), th_v_text(shown->verifier), th_v_text(shown->purpose),
                         th_v_text(shown->claims.p ? shown->claims : TH_STR("")), th_v_int(th_now_us(certs->options.env))};
    return th_db_exec(db, "INSERT INTO certificates_shown (subject, id, certificate, verifier, purpose, claims, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                      values, TH_COUNT(values), NULL, error);
}

/* ---- showing ---- */

static th_status bound_suite(const th_held *held, th_arena *arena, th_suite *ret_suite, th_error *error)
{
    th_sdjwt token;
    th_key *bound;
    th_status status = th_sdjwt_read(held->token, false, arena, &token, error);
    if (!status)
        status = th_jwk_read(th_json_get(th_json_get(token.payload, "cnf"), "jwk"), arena, &bound, error);
    if (status)
        return status;
    *ret_suite = th_key_suite(bound);
    th_key_close(bound);
    return TH_OK;
}

th_status th_held_show(th_certificates *certs, th_str subject, const th_held *held, const th_json *const *paths, size_t n, th_str audience, th_str nonce,
                       th_arena *arena, th_str *ret_text, th_error *error)
{
    th_db *db;
    th_key *key;
    th_suite suite;
    th_str chosen;
    th_status status = th_sdjwt_select(held->token, paths, n, arena, &chosen, error);
    if (!status && !audience.n)
        *ret_text = chosen;
    if (status || !audience.n)
        return status;
    status = bound_suite(held, arena, &suite, error);
    if (!status)
        status = th_store_acquire(certs->options.store, &db, error);
    if (status)
        return status;
    status = th_holder_key(certs, db, subject, suite, false, &key, error);
    th_store_release(certs->options.store, db);
    if (status == TH_NOT_FOUND)
        return th_fail(error, TH_CORRUPT, "no-holder", "卡包没有持有人密钥", "The wallet has no holder's key");
    if (status)
        return status;
    status = th_sdjwt_bind(chosen, key, audience, nonce, th_now_us(certs->options.env), arena, ret_text, error);
    th_key_close(key);
    return status;
}

/* ---- arriving from the node that issued it ---- */

typedef struct arrival {
    const th_trust *trust;
    const char *from;
} arrival;

static th_status key_find(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret_key, th_error *error)
{
    arrival *a = ctx;
    const th_member *member;
    int64_t issued = th_json_int(payload, "iat", 0), at;
    if (!th_mul_i64(issued, TH_SECOND_US, &at))
        at = 0;
    th_status status = th_certificate_key(a->trust, jws->kid, at, &member, ret_key, error);
    if (!status && strcmp(member->code, a->from) != 0)
        status = th_fail(error, TH_FORBIDDEN, "not-the-issuer", "证照不是由送达的节点签发", "The certificate was not issued by the node that sent it");
    return status;
}

/* Whose key is the certificate bound to? Nobody's here: TH_NOT_FOUND. */
static th_status subject_find(th_db *db, const th_json *payload, th_arena *arena, th_str *ret_subject, th_error *error)
{
    th_key *key;
    char kid[TH_KID_TEXT];
    const th_value *row;
    th_status status = th_jwk_read(th_json_get(th_json_get(payload, "cnf"), "jwk"), arena, &key, error);
    if (status)
        return status;
    th_kid_of(key, kid);
    th_key_close(key);
    th_value value = th_v_text(th_str_of(kid));
    status = th_db_one(db, "SELECT subject FROM certificates_holder WHERE kid = ?1", &value, 1, arena, &row, error);
    if (status == TH_NOT_FOUND)
        return th_fail(error, TH_UNPROCESSABLE, "no-holder", "证照绑定的密钥不属于本节点的任何卡包", "The certificate is bound to no key of a wallet here");
    if (!status)
        *ret_subject = row[0].s;
    return status;
}

static th_status token_check(th_certificates *certs, const th_message *m, th_str text, th_arena *arena, th_sdjwt *token, th_error *error)
{
    th_trust *trust = th_exchange_trust(certs->options.exchange);
    arrival a = {trust, m->from};
    th_sdjwt_policy policy = {.key = key_find, .ctx = &a, .now_us = th_now_us(certs->options.env)};
    th_status status = th_sdjwt_verify(text, &policy, arena, token, error);
    th_trust_release(trust);
    return status;
}

th_status th_issued_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    th_certificates *certs = ctx;
    th_sdjwt token;
    th_held held = {0};
    th_str subject;
    bool ok = th_json_want_str(m->body, "/body", "id", TH_ID_TEXT - 1, &held.id, error);
    ok = th_json_want_str(m->body, "/body", "token", TH_LINE_MAX, &held.token, error) && ok;
    held.square = th_json_str(m->body, "square");
    held.page_key = th_json_str(m->body, "page_key");
    if (!ok)
        return TH_INVALID;
    if (!th_uuid_valid(held.id))
        return th_fail_field(error, "/body/id", "format", "编号须为 UUIDv7", "The id must be a UUIDv7");
    th_status status = token_check(certs, m, held.token, arena, &token, error);
    if (!status)
        status = subject_find(db, token.payload, arena, &subject, error);
    if (!status)
        status = th_status_reference(th_json_get(token.payload, "status"), &held.uri, &held.place, error);
    if (status)
        return status;
    const th_certificate_type *type = th_certificate_type_by_vct(certs, th_json_str(token.payload, "vct"));
    if (!type)
        return th_fail(error, TH_UNPROCESSABLE, "certificate-type", "本区域没有这种证照", "The region has no such type of certificate");
    held.issuer = th_str_keep(arena, th_str_of(m->from));
    held.type = th_str_of(type->code);
    held.number = th_json_str(token.payload, "number");
    held.issued_us = th_json_int(token.payload, "iat", 0) * TH_SECOND_US;
    held.expires_us = th_json_int(token.payload, "exp", 0) * TH_SECOND_US;
    status = th_held_put(certs, db, subject, &held, error);
    answer->body = TH_STR("{\"received\":true}");
    if (subject.n == 32) {
        memcpy(answer->subject, subject.p, 32);
        answer->subject[32] = 0;
    }
    return status;
}
