/* totp_routes.c — enrolling a second factor, the accounts as an operator sees them, and the route table. */
#include "people-private.h"

#include <stdio.h>
#include <string.h>

typedef enum totp_step { PENDING, CONFIRMED, REMOVED } totp_step;
typedef struct totp_change {
    th_change change;
    th_request *rq;
    th_value given; /* PENDING: the sealed secret; CONFIRMED: the step whose code was used, which opens nothing any more */
    totp_step what;
} totp_change;

static th_status totp_apply(th_change *change, th_db *db, th_error *error)
{
    totp_change *t = change->ctx;
    static const char *const kinds[] = {"totp-begun", "totp-enrolled", "totp-removed"};
    th_value values[] = {th_v_text(t->rq->who.account), t->given};
    static const char pending[] = "UPDATE people_account SET totp_pending = ?2 WHERE id = ?1";
    static const char confirmed[] = "UPDATE people_account SET totp = totp_pending, totp_pending = NULL, totp_step = ?2 WHERE id = ?1";
    static const char removed[] = "UPDATE people_account SET totp = NULL, totp_pending = NULL, totp_step = 0 WHERE id = ?1";
    const char *sql = t->what == PENDING ? pending : t->what == CONFIRMED ? confirmed : removed;
    th_status status = th_db_exec(db, sql, values, t->what == REMOVED ? 1 : 2, NULL, error);
    return status ? status : th_people_event_add(t->rq->module, db, t->rq->who.account, kinds[t->what], error);
}

static void totp_reply(th_change *change, th_status status, const th_error *error)
{
    totp_change *t = change->ctx;
    if (status)
        (void)th_reply_problem(t->rq, status, error);
    th_request_finish(t->rq);
}

static th_handled totp_submit(th_request *rq, totp_step what, th_value given)
{
    th_people *people = rq->module;
    totp_change *t = th_alloc(&rq->arena, sizeof *t);
    if (!t)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    t->rq = rq;
    t->what = what;
    t->given = given;
    t->change = (th_change){.apply = totp_apply, .reply = totp_reply, .ctx = t};
    (void)th_reply_json(rq, 200);
    return th_writer_submit(people->options.writer, &t->change) ? th_reply_problem(rq, TH_BUSY, NULL) : TH_LATER;
}

static th_status me(th_request *rq, th_account_row *ret)
{
    th_people *people = rq->module;
    th_db *db;
    th_status status = th_store_acquire(people->options.store, &db, &rq->error);
    if (status)
        return status;
    status = th_account_by_id(db, rq->who.account, &rq->arena, ret, &rq->error);
    th_store_release(people->options.store, db);
    return status;
}

th_handled th_totp_post(th_request *rq)
{
    th_people *people = rq->module;
    uint8_t secret[20];
    th_str sealed;
    th_account_row account;
    th_status status = me(rq, &account);
    if (!status && account.totp.n)
        status = th_fail(&rq->error, TH_CONFLICT, "totp-enrolled", "已启用动态码", "One-time codes are in use already");
    people->options.env->random(people->options.env->ctx, secret, sizeof secret);
    if (!status)
        status = th_seal(people->options.env, people->options.secret, (th_str){(const char *)secret, sizeof secret}, rq->who.account,
                         &rq->arena, &sealed);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_str text = th_base32(&rq->arena, secret, sizeof secret);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "secret", text);
    th_pen_kstr(&pen, "uri",
                th_strf(&rq->arena, "otpauth://totp/Tonghui:%.*s?secret=%.*s&issuer=Tonghui", TH_FMT(account.login), TH_FMT(text)));
    th_pen_end(&pen, '}');
    return totp_submit(rq, PENDING, th_v_blob(sealed.p, sealed.n));
}

static th_status code_check(th_request *rq, const th_account_row *account, th_str sealed, int64_t *ret_step)
{
    th_people *people = rq->module;
    th_str secret, code;
    if (!th_json_want_str(rq->json, "", "code", 6, &code, &rq->error))
        return TH_INVALID;
    if (!sealed.n || th_unseal(people->options.secret, sealed, account->id, &rq->arena, &secret) ||
        th_totp_check(secret, code, th_now_us(people->options.env), 1, ret_step))
        return th_fail_field(&rq->error, "/code", "totp-wrong", "动态码不正确", "The one-time code is wrong");
    return TH_OK;
}

th_handled th_totp_confirm(th_request *rq)
{
    th_account_row account;
    int64_t step = 0;
    th_status status = me(rq, &account);
    if (!status)
        status = code_check(rq, &account, account.totp_pending, &step);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_buf_text(&rq->out, "{}");
    return totp_submit(rq, CONFIRMED, th_v_int(step));
}

th_handled th_totp_delete(th_request *rq)
{
    th_account_row account;
    int64_t step;
    th_status status = me(rq, &account);
    if (!status)
        status = code_check(rq, &account, account.totp, &step);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_buf_text(&rq->out, "{}");
    return totp_submit(rq, REMOVED, th_v_null());
}

th_handled th_accounts_get(th_request *rq)
{
    th_str json;
    th_status status = th_people_list(rq->module, &rq->arena, &json, &rq->error);
    return status ? th_reply_problem(rq, status, NULL) : th_reply_bytes(rq, 200, "application/json", json);
}

static const char session_schema[] =
    "{\"type\":\"object\",\"properties\":{\"account\":{\"$ref\":\"#/components/schemas/Account\"},\"csrf\":{\"type\":\"string\"},"
    "\"expires\":{\"type\":\"string\",\"format\":\"date-time\"}}}";
static const char sign_in_schema[] =
    "{\"type\":\"object\",\"required\":[\"login\",\"password\"],\"additionalProperties\":false,\"properties\":{\"login\":{\"type\":"
    "\"string\",\"maxLength\":64},\"password\":{\"type\":\"string\",\"maxLength\":200},\"totp\":{\"type\":\"string\"}}}";
static const char code_schema[] =
    "{\"type\":\"object\",\"required\":[\"code\"],\"properties\":{\"code\":{\"type\":\"string\",\"maxLength\":6}}}";
static const char empty_schema[] = "{\"type\":\"object\"}";
static const char key_schema[] =
    "{\"type\":\"object\",\"required\":[\"name\",\"office\"],\"additionalProperties\":false,\"properties\":{\"name\":{\"type\":"
    "\"string\",\"maxLength\":80},\"office\":{\"type\":\"string\",\"maxLength\":32}}}";
static const char key_made_schema[] =
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"key\":{\"type\":\"string\",\"description\":\"Told once\"}}}";
enum { SIGNED_IN = TH_ROLE_CITIZEN | TH_ROLE_STAFF };

static const th_route routes[] = {
    {"POST", "/people/v1/session", TH_ROLE_ANYONE, TH_BODY_JSON, 4096, th_session_post, "signIn", "Sign in", sign_in_schema,
     session_schema, NULL, false},
    {"GET", "/people/v1/session", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_session_get, "session", "Who is signed in", NULL, session_schema,
     NULL, false},
    {"DELETE", "/people/v1/session", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_session_delete, "signOut", "Sign out", NULL, empty_schema,
     NULL, false},
    {"POST", "/people/v1/totp", SIGNED_IN, TH_BODY_NONE, 0, th_totp_post, "beginTotp", "Begin enrolling one-time codes", NULL,
     empty_schema, NULL, false},
    {"POST", "/people/v1/totp:confirm", SIGNED_IN, TH_BODY_JSON, 1024, th_totp_confirm, "confirmTotp", "Confirm one-time codes",
     code_schema, empty_schema, NULL, false},
    {"POST", "/people/v1/totp:remove", SIGNED_IN, TH_BODY_JSON, 1024, th_totp_delete, "removeTotp", "Stop using one-time codes",
     code_schema, empty_schema, NULL, false},
    {"GET", "/people/v1/accounts", TH_ROLE_OPERATOR | TH_ROLE_AUDITOR, TH_BODY_NONE, 0, th_accounts_get, "accounts",
     "Accounts of this node", NULL, empty_schema, NULL, false},
    {"GET", "/people/v1/keys", TH_ROLE_OPERATOR | TH_ROLE_AUDITOR, TH_BODY_NONE, 0, th_keys_get, "keys", "API keys of outside systems",
     NULL, empty_schema, NULL, false},
    {"POST", "/people/v1/keys", TH_ROLE_OPERATOR, TH_BODY_JSON, 1024, th_keys_post, "makeKey",
     "Make an API key for an outside system of an office; its text is told once", key_schema, key_made_schema, NULL, false},
    {"POST", "/people/v1/keys/{id}:revoke", TH_ROLE_OPERATOR, TH_BODY_JSON, 64, th_keys_revoke, "revokeKey", "Revoke an API key", NULL,
     empty_schema, NULL, false},
};

const th_route *th_people_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_people_schemas(void)
{
    return "{\"Account\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"login\":{\"type\":\"string\"},\"name\":"
           "{\"type\":\"string\"},\"roles\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"office\":{\"type\":[\"object\","
           "\"null\"]},\"totp\":{\"type\":\"boolean\"},\"disabled\":{\"type\":\"boolean\"}}}}";
}
