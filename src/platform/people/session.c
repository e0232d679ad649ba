/* session.c — signing in and out, and who a request is from. */
#include "people-private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void hash_hex(th_str text, char ret[TH_HEX_HASH])
{
    th_hash hash = th_hash_str(TH_SUITE_ED25519, text);
    th_hex(hash.b, TH_HASH_SIZE, ret);
}

void th_session_csrf(const th_people *people, th_str session_hash, char ret_token[33])
{
    th_str pieces[] = {TH_STR("tonghui/v1/csrf\n"), session_hash};
    th_hash hash = th_hmac(people->options.secret, pieces, 2);
    th_hex(hash.b, 16, ret_token);
}

/* ---- who asks ---- */

static th_str cookie_find(const th_request *rq, const char *name)
{
    th_str rest = th_request_header(rq, "Cookie"), one;
    size_t n = strlen(name);
    while (rest.n && th_str_cut(&rest, ';', &one)) {
        one = th_str_trim(one);
        if (one.n > n && memcmp(one.p, name, n) == 0 && one.p[n] == '=')
            return (th_str){one.p + n + 1, one.n - n - 1};
    }
    return (th_str){NULL, 0};
}

static th_status by_cookie(th_people *people, th_request *rq, th_db *db, th_str token)
{
    char hash[TH_HEX_HASH], csrf[33];
    const th_value *row;
    hash_hex(token, hash);
    th_value value = th_v_text(th_str_of(hash));
    th_status status = th_db_one(db,
                                 "SELECT a.id, a.name, a.roles, a.office, a.subject, a.disabled, s.expires_at FROM people_session s "
                                 "JOIN people_account a ON a.id = s.account WHERE s.hash = ?1",
                                 &value, 1, &rq->arena, &row, &rq->error);
    if (status == TH_NOT_FOUND || (!status && (row[5].i || row[6].i < th_now_us(people->options.env))))
        return TH_OK; /* nobody: open addresses still answer */
    if (status)
        return status;
    th_session_csrf(people, th_str_of(hash), csrf);
    rq->who = (th_who){.account = row[0].s,
                       .name = row[1].s,
                       .roles = (unsigned)row[2].i,
                       .office = row[3].s,
                       .subject = row[4].s,
                       .session = th_str_keep(&rq->arena, th_str_of(hash)),
                       .by_cookie = true,
                       .csrf = th_str_keep(&rq->arena, th_str_of(csrf))};
    return TH_OK;
}

static th_status key_wrong(th_request *rq)
{
    return th_fail(&rq->error, TH_UNAUTHENTICATED, "key", "接口密钥无效", "This API key is not valid");
}

static th_status key_read(th_people *people, th_request *rq, th_str id, const char hash[TH_HEX_HASH], uint64_t generation)
{
    th_db *db;
    const th_value *row;
    th_value value = th_v_text(id);
    th_status status = th_store_acquire(people->options.store, &db, &rq->error);
    if (status)
        return status;
    status = th_db_one(db, "SELECT hash, name, office, disabled FROM people_key WHERE id = ?1", &value, 1, &rq->arena, &row, &rq->error);
    th_store_release(people->options.store, db);
    if (status && status != TH_NOT_FOUND)
        return status;
    if (status || row[3].i || row[0].s.n != TH_HEX_HASH - 1 || !th_equal_secret(row[0].s.p, hash, TH_HEX_HASH - 1))
        return key_wrong(rq);
    rq->who = (th_who){.account = th_str_keep(&rq->arena, id), .name = row[1].s, .roles = TH_ROLE_SYSTEM, .office = row[2].s};
    th_key_cache_put(people->keys, generation, hash, &rq->who, th_now_us(people->options.env));
    return TH_OK;
}

static th_status by_key(th_people *people, th_request *rq, th_str key)
{
    th_str rest = key, prefix, id;
    char hash[TH_HEX_HASH];
    uint64_t generation;
    if (!th_str_cut(&rest, '_', &prefix) || !th_str_is(prefix, "thk") || !th_str_cut(&rest, '_', &id) || !rest.n)
        return key_wrong(rq);
    hash_hex(rest, hash);
    if (th_key_cache_find(people->keys, id, hash, th_now_us(people->options.env), &rq->arena, &rq->who, &generation))
        return TH_OK;
    return key_read(people, rq, id, hash, generation);
}

th_status th_people_authenticate(void *ctx, th_request *rq)
{
    th_people *people = ctx;
    th_db *db;
    th_str authorization = th_request_header(rq, "Authorization"), token = cookie_find(rq, people->cookie);
    bool bearer = authorization.n > 7 && strncasecmp(authorization.p, "Bearer ", 7) == 0;
    if (bearer)
        return by_key(people, rq, th_str_trim((th_str){authorization.p + 7, authorization.n - 7}));
    if (!token.n)
        return TH_OK;
    th_status status = th_store_acquire(people->options.store, &db, &rq->error);
    if (status)
        return status;
    status = by_cookie(people, rq, db, token);
    th_store_release(people->options.store, db);
    return status;
}

/* ---- signing in: password hashing on the worker pool, the outcome through the writer ---- */

typedef struct sign_in {
    th_request *rq;
    th_people *people;
    th_change change;
    th_str login, password, code;
    th_account_row account;
    bool known, right;
    int64_t totp_step;
    char token[65], hash[TH_HEX_HASH];
    int64_t expires_us;
    th_status status; /* what the citizen is told */
} sign_in;

void th_people_finish(th_change *change, th_status status, const th_error *error)
{
    th_request *rq = change->ctx;
    if (status)
        (void)th_reply_problem(rq, status, error);
    th_request_finish(rq);
}

/* Counted in the row, not from what was read before the password was hashed: guesses at the same moment are as many guesses. */
th_status th_account_failed(th_people *people, th_db *db, th_str account, th_arena *arena, th_error *error)
{
    const th_value *row;
    th_value id = th_v_text(account);
    th_status status = th_db_exec(db, "UPDATE people_account SET failed = failed + 1 WHERE id = ?1", &id, 1, NULL, error);
    if (!status)
        status = th_db_one(db, "SELECT failed FROM people_account WHERE id = ?1", &id, 1, arena, &row, error);
    if (status)
        return status;
    int64_t over = row[0].i - TH_LOCK_AFTER, now = th_now_us(people->options.env);
    if (over >= 0) {
        th_value values[] = {id, th_v_int(now + th_lock_us(over))};
        status = th_db_exec(db, "UPDATE people_account SET locked_until = ?2 WHERE id = ?1", values, 2, NULL, error);
    }
    return status ? status : th_people_event_add(people, db, account, over >= 0 ? "locked" : "wrong-password", error);
}

bool th_account_locked(const th_people *people, const th_account_row *account, th_error *error)
{
    int64_t left_us = account->locked_until - th_now_us(people->options.env);
    if (left_us <= 0)
        return false;
    error->retry_after_s = (int)(left_us / TH_SECOND_US) + 1;
    th_fail(error, TH_BUSY, "locked", "错误次数过多，账号暂时锁定，请稍后再试", "Too many wrong tries; the account is locked for a while");
    return true;
}

static th_status success_apply(sign_in *s, th_db *db, th_error *error)
{
    int64_t now = th_now_us(s->people->options.env), changed = 0;
    th_value account[] = {th_v_text(s->account.id), th_v_int(s->totp_step), th_v_int(now)};
    /* The step moves forward only: a code that was seen once opens nothing a second time, not even in a race. Nor does the right one of many
     * passwords that were tried at the same moment, when the others have locked the account. */
    th_status status = th_db_exec(db,
                                  s->totp_step ? "UPDATE people_account SET failed = 0, locked_until = 0, totp_step = ?2 WHERE id = ?1 "
                                                 "AND totp_step < ?2 AND locked_until <= ?3"
                                               : "UPDATE people_account SET failed = 0, locked_until = 0 WHERE id = ?1 AND ?2 = 0 "
                                                 "AND locked_until <= ?3",
                                  account, 3, &changed, error);
    if (!status && !changed)
        return th_fail(error, TH_UNAUTHENTICATED, "sign-in-failed", "登录未成功，请稍后再试", "Not signed in; try again in a while");
    th_value old[] = {th_v_int(now)};
    if (!status)
        status = th_db_exec(db, "DELETE FROM people_session WHERE expires_at < ?1", old, 1, NULL, error);
    th_value session[] = {th_v_text(th_str_of(s->hash)), th_v_text(s->account.id), th_v_int(now), th_v_int(s->expires_us)};
    if (!status)
        status = th_db_exec(db, "INSERT INTO people_session (hash, account, made_at, expires_at) VALUES (?1, ?2, ?3, ?4)", session, 4,
                            NULL, error);
    return status ? status : th_people_event_add(s->people, db, s->account.id, "signed-in", error);
}

static th_status sign_in_apply(th_change *change, th_db *db, th_error *error)
{
    sign_in *s = change->ctx;
    return s->right ? success_apply(s, db, error) : th_account_failed(s->people, db, s->account.id, &s->rq->arena, error);
}

static void session_answer(th_request *rq, th_people *people, th_db *db, const th_account_row *account, th_str hash, int64_t expires_us)
{
    char csrf[33];
    th_session_csrf(people, hash, csrf);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "account");
    th_account_write(&pen, db, account, &rq->arena);
    th_pen_ktext(&pen, "csrf", csrf);
    th_pen_ktime(&pen, "expires", expires_us);
    th_pen_end(&pen, '}');
    (void)th_reply_json(rq, 200);
}

static th_handled sign_in_then(th_request *rq)
{
    sign_in *s = rq->ctx;
    th_db *db;
    char cookie[200];
    th_status status = th_store_acquire(s->people->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    session_answer(rq, s->people, db, &s->account, th_str_of(s->hash), s->expires_us);
    th_store_release(s->people->options.store, db);
    snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%d%s", s->people->cookie, s->token,
             TH_SESSION_HOURS * 3600, s->people->options.secure_cookies ? "; Secure" : "");
    th_reply_header(rq, "Set-Cookie", th_str_of(cookie));
    return TH_DONE;
}

static void sign_in_reply(th_change *change, th_status status, const th_error *error)
{
    sign_in *s = change->ctx;
    if (status)
        (void)th_reply_problem(s->rq, status, error);
    else if (!s->right)
        (void)th_reply_problem(s->rq, TH_UNAUTHENTICATED, NULL);
    else
        s->rq->then = sign_in_then;
    th_request_finish(s->rq);
}

static th_status refused(sign_in *s, const char *type, const char *zh, const char *en)
{
    return th_fail(&s->rq->error, TH_UNAUTHENTICATED, type, zh, en);
}

/* Password and one-time code. Fills s->right; the words are the same for a wrong login and a wrong password. */
static void credentials_check(sign_in *s)
{
    th_arena *arena = &s->rq->arena;
    th_str secret;
    bool password = th_password_check(s->password, s->known ? s->account.password.p : s->people->nobody) == TH_OK;
    if (!s->known || !password) {
        (void)refused(s, "sign-in-failed", "登录名或密码不正确", "The login or the password is not right");
        return;
    }
    if (s->account.totp.n) {
        if (!s->code.n) {
            (void)refused(s, "totp-required", "请输入动态码", "Please enter the one-time code");
            return;
        }
        if (th_unseal(s->people->options.secret, s->account.totp, s->account.id, arena, &secret) ||
            th_totp_check(secret, s->code, th_now_us(s->people->options.env), 1, &s->totp_step) || s->totp_step <= s->account.totp_step) {
            (void)refused(s, "totp-wrong", "动态码不正确或已使用", "The one-time code is wrong or was used");
            return;
        }
    }
    s->right = true;
}

static void sign_in_end(sign_in *s, th_status status)
{
    (void)th_reply_problem(s->rq, status, NULL);
    th_request_finish(s->rq);
}

static void sign_in_job(void *arg)
{
    sign_in *s = arg;
    th_request *rq = s->rq;
    th_people *people = s->people;
    th_db *db;
    uint8_t random[32];
    int64_t now = th_now_us(people->options.env);
    th_status status = th_store_acquire(people->options.store, &db, &rq->error);
    if (!status) {
        status = th_account_by_login(db, s->login, &rq->arena, &s->account, &rq->error);
        th_store_release(people->options.store, db);
    }
    s->known = status == TH_OK && !s->account.disabled;
    if (status && status != TH_NOT_FOUND) {
        sign_in_end(s, status);
        return;
    }
    if (!s->known) /* nobody's login locks like somebody's */
        s->account = (th_account_row){.locked_until = th_guesses_locked_until(people, s->login)};
    if (th_account_locked(people, &s->account, &rq->error)) {
        sign_in_end(s, TH_BUSY);
        return;
    }
    credentials_check(s);
    bool said_nothing_wrong = strcmp(rq->error.type, "totp-required") == 0; /* the password was right, the code not yet asked */
    if (!s->known)
        th_guesses_count(people, s->login);
    if (!s->known || said_nothing_wrong) {
        sign_in_end(s, TH_UNAUTHENTICATED);
        return;
    }
    people->options.env->random(people->options.env->ctx, random, sizeof random);
    th_hex(random, sizeof random, s->token);
    hash_hex(th_str_of(s->token), s->hash);
    s->expires_us = now + TH_SESSION_HOURS * TH_HOUR_US;
    s->change = (th_change){.apply = sign_in_apply, .reply = sign_in_reply, .ctx = s};
    if (th_writer_submit(people->options.writer, &s->change))
        sign_in_end(s, th_fail(&rq->error, TH_BUSY, "busy", "系统繁忙，请稍后再试", "Busy; try again shortly"));
}

th_handled th_session_post(th_request *rq)
{
    static const char *const allowed[] = {"login", "password", "totp", NULL};
    th_people *people = rq->module;
    sign_in *s = th_alloc(&rq->arena, sizeof *s);
    if (!s)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    s->rq = rq;
    s->people = people;
    rq->ctx = s;
    if (!th_json_only(rq->json, "", allowed, &rq->error) ||
        !th_json_want_str(rq->json, "", "login", TH_LOGIN_MAX, &s->login, &rq->error) ||
        !th_json_want_str(rq->json, "", "password", TH_PASSWORD_MAX, &s->password, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    s->code = th_json_str(rq->json, "totp");
    if (th_pool_submit(people->options.pool, sign_in_job, s)) {
        rq->error.retry_after_s = 2;
        return th_reply_problem(rq, th_fail(&rq->error, TH_BUSY, "busy", "登录人数较多，请稍后再试", "Many people are signing in; try again"),
                                NULL);
    }
    return TH_LATER;
}

/* ---- who am I, and signing out ---- */

th_handled th_session_get(th_request *rq)
{
    th_people *people = rq->module;
    th_db *db;
    th_account_row account;
    const th_value *row;
    if (!rq->who.by_cookie) /* a page may ask without being told off */
        return th_reply_bytes(rq, 200, "application/json", TH_STR("{\"account\":null}"));
    th_status status = th_store_acquire(people->options.store, &db, &rq->error);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_value value = th_v_text(rq->who.session);
    status = th_account_by_id(db, rq->who.account, &rq->arena, &account, &rq->error);
    if (!status)
        status = th_db_one(db, "SELECT expires_at FROM people_session WHERE hash = ?1", &value, 1, &rq->arena, &row, &rq->error);
    if (!status)
        session_answer(rq, people, db, &account, rq->who.session, row[0].i);
    th_store_release(people->options.store, db);
    return status ? th_reply_problem(rq, status == TH_NOT_FOUND ? TH_UNAUTHENTICATED : status, NULL) : TH_DONE;
}

static th_status sign_out_apply(th_change *change, th_db *db, th_error *error)
{
    th_request *rq = change->ctx;
    th_value value = th_v_text(rq->who.session);
    th_status status = th_db_exec(db, "DELETE FROM people_session WHERE hash = ?1", &value, 1, NULL, error);
    return status ? status : th_people_event_add(rq->module, db, rq->who.account, "signed-out", error);
}

th_handled th_session_delete(th_request *rq)
{
    th_people *people = rq->module;
    char cookie[120];
    th_change *change = th_alloc(&rq->arena, sizeof *change);
    if (!rq->who.by_cookie || !change)
        return th_reply_problem(rq, th_fail(&rq->error, TH_UNAUTHENTICATED, "sign-in", "请先登录", "Please sign in first"), NULL);
    *change = (th_change){.apply = sign_out_apply, .reply = th_people_finish, .ctx = rq};
    snprintf(cookie, sizeof cookie, "%s=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0", people->cookie);
    th_reply_header(rq, "Set-Cookie", th_str_of(cookie));
    th_buf_text(&rq->out, "{}");
    (void)th_reply_json(rq, 200);
    if (th_writer_submit(people->options.writer, change))
        return th_reply_problem(rq, TH_BUSY, NULL);
    return TH_LATER;
}
