/* totp_routes.c — enrolling a second factor, the accounts as an operator sees them, and the route table. */
#include "people-private.h"

#include <stdio.h>
#include <string.h>

typedef enum totp_step { PENDING, CONFIRMED, REMOVED } totp_step;
typedef struct totp_change {
    th_change change;
    th_request *rq;
    th_value given; /* PENDING: the sealed secret; the others: the step whose code was used, which opens nothing any more */
    totp_step what;
    bool wrong; /* a guess: only counted */
    th_account_row account;
    th_str code, password;
} totp_change;

static th_status code_wrong(th_error *error)
{
    return th_fail_field(error, "/code", "totp-wrong", "动态码不正确或已使用", "The one-time code is wrong or was used");
}

/* A code is good once, whatever it is for: the step that the account has seen moves forward only. */
static th_status totp_apply(th_change *change, th_db *db, th_error *error)
{
    totp_change *t = change->ctx;
    static const char *const kinds[] = {"totp-begun", "totp-enrolled", "totp-removed"};
    th_people *people = t->rq->module;
    int64_t changed = 0;
    th_value values[] = {th_v_text(t->rq->who.account), t->given, th_v_int(th_now_us(people->options.env))};
    static const char pending[] = "UPDATE people_account SET totp_pending = ?2 WHERE id = ?1";
    static const char confirmed[] = "UPDATE people_account SET totp = totp_pending, totp_pending = NULL, totp_step = ?2 WHERE id = ?1 "
                                    "AND totp_step < ?2 AND locked_until <= ?3 AND totp_pending IS NOT NULL";
    static const char removed[] = "UPDATE people_account SET totp = NULL, totp_pending = NULL, totp_step = ?2, failed = 0 WHERE id = ?1 "
                                  "AND totp_step < ?2 AND locked_until <= ?3 AND totp IS NOT NULL";
    if (t->wrong)
        return th_account_failed(people, db, t->rq->who.account, &t->rq->arena, error);
    const char *sql = t->what == PENDING ? pending : t->what == CONFIRMED ? confirmed : removed;
    th_status status = th_db_exec(db, sql, values, t->what == PENDING ? 2 : 3, &changed, error);
    if (!status && !changed)
        status = code_wrong(error);
    return status ? status : th_people_event_add(people, db, t->rq->who.account, kinds[t->what], error);
}

static void totp_reply(th_change *change, th_status status, const th_error *error)
{
    totp_change *t = change->ctx;
    if (status)
        (void)th_reply_problem(t->rq, status, error);
    else if (t->wrong)
        (void)th_reply_problem(t->rq, TH_INVALID, NULL);
    th_request_finish(t->rq);
}

static totp_change *totp_change_of(th_request *rq, totp_step what)
{
    totp_change *t = th_alloc(&rq->arena, sizeof *t);
    if (t) {
        *t = (totp_change){.rq = rq, .what = what};
        t->change = (th_change){.apply = totp_apply, .reply = totp_reply, .ctx = t};
    }
    return t;
}

static th_handled totp_submit(totp_change *t)
{
    th_request *rq = t->rq;
    th_people *people = rq->module;
    if (!t->wrong)
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
    totp_change *t = totp_change_of(rq, PENDING);
    if (!t)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    t->given = th_v_blob(sealed.p, sealed.n);
    rq->told_once = true;
    return totp_submit(t);
}

/* Fills in t->given, or t->wrong and what is wrong. */
static void code_check(totp_change *t, th_str sealed)
{
    th_people *people = t->rq->module;
    th_str secret;
    int64_t step = 0;
    t->wrong = !sealed.n || th_unseal(people->options.secret, sealed, t->account.id, &t->rq->arena, &secret) ||
               th_totp_check(secret, t->code, th_now_us(people->options.env), 1, &step) || step <= t->account.totp_step;
    t->given = th_v_int(step);
    if (t->wrong)
        TH_IGNORE(code_wrong(&t->rq->error));
    else
        th_buf_text(&t->rq->out, "{}");
}

static th_status change_begin(th_request *rq, totp_step what, totp_change **ret)
{
    totp_change *t = *ret = totp_change_of(rq, what);
    if (!t)
        return TH_NO_MEMORY;
    if (!th_json_want_str(rq->json, "", "code", 6, &t->code, &rq->error) ||
        (what == REMOVED && !th_json_want_str(rq->json, "", "password", TH_PASSWORD_MAX, &t->password, &rq->error)))
        return TH_INVALID;
    th_status status = me(rq, &t->account);
    return !status && th_account_locked(rq->module, &t->account, &rq->error) ? TH_BUSY : status;
}

th_handled th_totp_confirm(th_request *rq)
{
    totp_change *t;
    th_status status = change_begin(rq, CONFIRMED, &t);
    if (status)
        return th_reply_problem(rq, status, NULL);
    code_check(t, t->account.totp_pending);
    return totp_submit(t);
}

static void remove_job(void *arg)
{
    totp_change *t = arg;
    t->wrong = th_password_check(t->password, t->account.password.p) != TH_OK;
    if (t->wrong)
        th_fail_field(&t->rq->error, "/password", "password-wrong", "密码不正确", "The password is wrong");
    else
        code_check(t, t->account.totp);
    if (totp_submit(t) == TH_DONE)
        th_request_finish(t->rq);
}

/* Whoever finds a session open does not take the second factor off the account with it: the password is asked for too. */
th_handled th_totp_delete(th_request *rq)
{
    th_people *people = rq->module;
    totp_change *t;
    th_status status = change_begin(rq, REMOVED, &t);
    if (!status && th_pool_submit(people->options.pool, remove_job, t)) {
        rq->error.retry_after_s = 2;
        status = th_fail(&rq->error, TH_BUSY, "busy", "系统繁忙，请稍后再试", "Busy; try again shortly");
    }
    return status ? th_reply_problem(rq, status, NULL) : TH_LATER;
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
static const char remove_schema[] =
    "{\"type\":\"object\",\"required\":[\"code\",\"password\"],\"properties\":{\"code\":{\"type\":\"string\",\"maxLength\":6},"
    "\"password\":{\"type\":\"string\",\"maxLength\":200}}}";
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
     remove_schema, empty_schema, NULL, false},
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
