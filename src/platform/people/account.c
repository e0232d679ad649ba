/* account.c — accounts, offices and keys: the blocking forms that the command line and set-up use, and reading them. */
#include "people-private.h"

#include <stdio.h>
#include <string.h>

extern const char th_people_schema_sql[];

static const struct { unsigned role; const char *name; } role_names[] = {
    {TH_ROLE_CITIZEN, "citizen"},       {TH_ROLE_CLERK, "clerk"},       {TH_ROLE_DUTY, "duty"},
    {TH_ROLE_ACCOUNTANT, "accountant"}, {TH_ROLE_OPERATOR, "operator"}, {TH_ROLE_AUDITOR, "auditor"},
    {TH_ROLE_HEAD, "head"},
};

const char *th_people_schema(void)
{
    return th_people_schema_sql;
}

void th_roles_write(th_pen *pen, unsigned roles)
{
    th_pen_array(pen);
    for (size_t i = 0; i < TH_COUNT(role_names); i++)
        if (roles & role_names[i].role)
            th_pen_text(pen, role_names[i].name);
    th_pen_end(pen, ']');
}

unsigned th_role_of(th_str name)
{
    for (size_t i = 0; i < TH_COUNT(role_names); i++)
        if (th_str_is(name, role_names[i].name))
            return role_names[i].role;
    return 0;
}

/* ---- opening ---- */

th_status th_people_open(const th_people_options *options, th_people **ret_people, th_error *error)
{
    th_people *people = th_new(sizeof *people);
    if (!people)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    people->options = *options;
    pthread_mutex_init(&people->late_lock, NULL);
    snprintf(people->cookie, sizeof people->cookie, "tonghui-%s", options->cookie_suffix);
    th_uuid7(options->env, people->boot);
    people->keys = th_key_cache_open();
    people->guesses = th_guesses_open();
    th_status status = people->keys && people->guesses ? th_password_hash(TH_STR("no such account"), people->nobody) : TH_NO_MEMORY;
    if (status)
        th_people_close(people);
    else
        *ret_people = people;
    return status;
}

void th_people_close(th_people *people)
{
    if (people) {
        memset(people->options.secret, 0, sizeof people->options.secret);
        th_key_cache_close(people->keys);
        th_guesses_close(people->guesses);
        th_free(people->late);
        pthread_mutex_destroy(&people->late_lock);
    }
    th_free(people);
}

/* ---- writing ---- */

typedef struct simple {
    th_change change;
    th_people_apply apply;
    void *ctx;
} simple;

static th_status simple_apply(th_change *change, th_db *db, th_error *error)
{
    simple *s = change->ctx;
    return s->apply(s->ctx, db, error);
}

th_status th_people_write(th_people *people, th_people_apply apply, void *ctx, th_error *error)
{
    simple s = {.apply = apply, .ctx = ctx};
    s.change = (th_change){.apply = simple_apply, .ctx = &s};
    return th_writer_run(people->options.writer, &s.change, error);
}

th_status th_people_event_add(th_people *people, th_db *db, th_str account, const char *kind, th_error *error)
{
    char id[TH_ID_TEXT];
    th_uuid7(people->options.env, id);
    th_value values[] = {th_v_text(th_str_of(id)), th_v_int(th_now_us(people->options.env)), th_v_text(account),
                         th_v_text(th_str_of(kind))};
    return th_db_exec(db, "INSERT INTO people_event (id, at, account, kind) VALUES (?1, ?2, ?3, ?4)", values, 4, NULL, error);
}

typedef struct office_write {
    th_str code, zh, en, uscc;
} office_write;

static th_status office_apply(void *ctx, th_db *db, th_error *error)
{
    office_write *w = ctx;
    th_value values[] = {th_v_text(w->code), th_v_text(w->zh), th_v_text(w->en), th_v_text(w->uscc)};
    return th_db_exec(db,
                      "INSERT INTO people_office (code, name_zh, name_en, uscc) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (code) DO "
                      "UPDATE SET name_zh = excluded.name_zh, name_en = excluded.name_en, uscc = excluded.uscc",
                      values, 4, NULL, error);
}

th_status th_people_add_office(th_people *people, th_str code, th_str zh, th_str en, th_str uscc, th_error *error)
{
    office_write write = {code, zh, en, uscc};
    return th_people_write(people, office_apply, &write, error);
}

typedef struct account_write {
    th_people *people;
    const th_account_new *account;
    const char *id, *password, *subject;
    th_str sealed;
} account_write;

static th_status account_apply(void *ctx, th_db *db, th_error *error)
{
    account_write *w = ctx;
    const th_account_new *a = w->account;
    th_value values[] = {th_v_text(th_str_of(w->id)),
                         th_v_text(a->login),
                         th_v_text(a->name),
                         th_v_int(a->roles),
                         th_v_text(a->office),
                         th_v_text(w->subject[0] ? th_str_of(w->subject) : (th_str){NULL, 0}),
                         w->sealed.p ? th_v_blob(w->sealed.p, w->sealed.n) : th_v_null(),
                         th_v_text(th_str_of(w->password)),
                         th_v_int(th_now_us(w->people->options.env))};
    th_status status = th_db_exec(db,
                                  "INSERT INTO people_account (id, login, name, roles, office, subject, sealed, password, totp_step, "
                                  "failed, locked_until, disabled, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, 0, ?9)",
                                  values, 9, NULL, error);
    if (status == TH_CONFLICT)
        return th_fail(error, TH_CONFLICT, "login-taken", "该登录名已被使用", "This login is taken");
    return status ? status : th_people_event_add(w->people, db, th_str_of(w->id), "account-made", error);
}

static th_status account_check(const th_people *people, const th_account_new *a, th_error *error)
{
    if (!a->login.n || a->login.n > TH_LOGIN_MAX || th_str_has_controls(a->login))
        th_fail_field(error, "/login", "length", "登录名须为 1–64 个字符", "The login must have 1 to 64 characters");
    if (a->password.n < 8 || a->password.n > TH_PASSWORD_MAX)
        th_fail_field(error, "/password", "length", "密码须为 8–200 个字符", "The password must have 8 to 200 characters");
    if (!a->name.n || a->name.n > 120 || th_str_has_controls(a->name))
        th_fail_field(error, "/name", "length", "缺少姓名", "The name is missing");
    if (!a->roles)
        th_fail_field(error, "/roles", "required", "至少一个角色", "At least one role is needed");
    if (a->id_number.n && people->options.id_number_ok && !people->options.id_number_ok(a->id_number))
        th_fail_field(error, "/id_number", "check-digit", "公民身份号码不正确", "Not a valid citizen number");
    return error->status;
}

th_status th_people_add_account(th_people *people, const th_account_new *account, char ret_id[TH_ID_TEXT], th_error *error)
{
    char password[TH_PASSWORD_HASH], subject[TH_SUBJECT_TEXT] = "";
    th_arena arena;
    th_error own = {0};
    account_write write = {people, account, ret_id, password, subject, {NULL, 0}};
    if (!error)
        error = &own;
    th_status status = account_check(people, account, error);
    if (status)
        return status;
    th_arena_open(&arena, 64 * 1024);
    th_uuid7(people->options.env, ret_id);
    status = th_password_hash(account->password, password);
    if (!status && account->id_number.n) {
        th_people_subject(people->options.secret, account->id_number, subject);
        status = th_seal(people->options.env, people->options.secret, account->id_number, th_str_of(ret_id), &arena, &write.sealed);
    }
    if (!status)
        status = th_people_write(people, account_apply, &write, error);
    th_arena_close(&arena);
    return status;
}

typedef struct login_write {
    th_people *people;
    th_str login;
    const char *password; /* NULL: disable, or: */
    bool totp_reset;
} login_write;

static th_status login_apply(void *ctx, th_db *db, th_error *error)
{
    login_write *w = ctx;
    const th_value *row;
    th_arena arena;
    th_value login = th_v_text(w->login);
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_db_one(db, "SELECT id FROM people_account WHERE login = ?1", &login, 1, &arena, &row, error);
    if (status) {
        th_arena_close(&arena);
        return status == TH_NOT_FOUND ? th_fail(error, TH_NOT_FOUND, "no-account", "没有这个登录名", "There is no such login") : status;
    }
    th_value values[] = {row[0], th_v_text(th_str_of(w->password))};
    status = w->password ? th_db_exec(db, "UPDATE people_account SET password = ?2, failed = 0, locked_until = 0, disabled = 0 WHERE id = ?1",
                                      values, 2, NULL, error)
                         : th_db_exec(db, w->totp_reset ? "UPDATE people_account SET totp = NULL, totp_pending = NULL WHERE id = ?1"
                                                        : "UPDATE people_account SET disabled = 1 WHERE id = ?1", values, 1, NULL, error);
    if (!status) /* whoever is signed in with the old password is not any more */
        status = th_db_exec(db, "DELETE FROM people_session WHERE account = ?1", values, 1, NULL, error);
    if (!status) /* the id: a login may be somebody's telephone number */
        status = th_people_event_add(w->people, db, values[0].s, w->password ? "password-set" : w->totp_reset ? "totp-reset" : "disabled", error);
    th_arena_close(&arena);
    return status;
}

th_status th_people_set_password(th_people *people, th_str login, th_str password, th_error *error)
{
    char hash[TH_PASSWORD_HASH];
    if (password.n < 8 || password.n > TH_PASSWORD_MAX)
        return th_fail_field(error, "/password", "length", "密码须为 8–200 个字符", "The password must have 8 to 200 characters");
    th_status status = th_password_hash(password, hash);
    login_write write = {people, login, hash, false};
    return status ? status : th_people_write(people, login_apply, &write, error);
}

th_status th_people_disable(th_people *people, th_str login, th_error *error)
{
    login_write write = {people, login, NULL, false};
    return th_people_write(people, login_apply, &write, error);
}

th_status th_people_reset_totp(th_people *people, th_str login, th_error *error)
{
    login_write write = {people, login, NULL, true};
    return th_people_write(people, login_apply, &write, error);
}

/* ---- keys ---- */

typedef struct key_write {
    th_people *people;
    th_str name, office;
    const char *id, *hash;
} key_write;

static th_status key_apply(void *ctx, th_db *db, th_error *error)
{
    key_write *w = ctx;
    th_value values[] = {th_v_text(th_str_of(w->id)), th_v_text(w->name), th_v_text(w->office), th_v_text(th_str_of(w->hash)),
                         th_v_int(th_now_us(w->people->options.env))};
    th_status status = th_db_exec(db, "INSERT INTO people_key (id, name, office, hash, made_at, disabled) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
                                  values, 5, NULL, error);
    return status ? status : th_people_event_add(w->people, db, th_str_of(w->id), "key-made", error);
}

th_status th_people_add_key(th_people *people, th_str name, th_str office, th_arena *arena, th_str *ret_key, th_error *error)
{
    uint8_t id_bytes[8], secret[32];
    char id[17], text[65], hash_text[TH_HEX_HASH];
    people->options.env->random(people->options.env->ctx, id_bytes, sizeof id_bytes);
    people->options.env->random(people->options.env->ctx, secret, sizeof secret);
    th_hex(id_bytes, sizeof id_bytes, id);
    th_hex(secret, sizeof secret, text);
    th_hash hash = th_hash_str(TH_SUITE_ED25519, th_str_of(text));
    th_hex(hash.b, TH_HASH_SIZE, hash_text);
    key_write write = {people, name, office, id, hash_text};
    th_status status = th_people_write(people, key_apply, &write, error);
    if (status)
        return status;
    *ret_key = th_strf(arena, "thk_%s_%s", id, text);
    return ret_key->p ? TH_OK : TH_NO_MEMORY;
}

/* ---- reading ---- */

static const char account_columns_login[] =
    "SELECT id, login, name, roles, office, subject, password, totp, totp_step, failed, locked_until, disabled, totp_pending "
    "FROM people_account WHERE login = ?1";
static const char account_columns_id[] =
    "SELECT id, login, name, roles, office, subject, password, totp, totp_step, failed, locked_until, disabled, totp_pending "
    "FROM people_account WHERE id = ?1";

static th_status account_read(th_db *db, const char *sql, th_str key, th_arena *arena, th_account_row *a, th_error *error)
{
    const th_value *row;
    th_value value = th_v_text(key);
    th_status status = th_db_one(db, sql, &value, 1, arena, &row, error);
    if (status)
        return status;
    *a = (th_account_row){.id = row[0].s,
                          .login = row[1].s,
                          .name = row[2].s,
                          .roles = (unsigned)row[3].i,
                          .office = row[4].s,
                          .subject = row[5].s,
                          .password = th_str_keep(arena, row[6].s),
                          .totp = row[7].s,
                          .totp_step = row[8].i,
                          .failed = row[9].i,
                          .locked_until = row[10].i,
                          .disabled = row[11].i != 0,
                          .totp_pending = row[12].s};
    return a->password.p ? TH_OK : TH_NO_MEMORY;
}

th_status th_account_by_login(th_db *db, th_str login, th_arena *arena, th_account_row *ret_row, th_error *error)
{
    return account_read(db, account_columns_login, login, arena, ret_row, error);
}

th_status th_account_by_id(th_db *db, th_str id, th_arena *arena, th_account_row *ret_row, th_error *error)
{
    return account_read(db, account_columns_id, id, arena, ret_row, error);
}

void th_account_write(th_pen *pen, th_db *db, const th_account_row *a, th_arena *arena)
{
    const th_value *office;
    th_value code = th_v_text(a->office);
    th_pen_object(pen);
    th_pen_kstr(pen, "id", a->id);
    th_pen_kstr(pen, "login", a->login);
    th_pen_kstr(pen, "name", a->name);
    th_pen_key(pen, "roles");
    th_roles_write(pen, a->roles);
    th_pen_key(pen, "office");
    if (a->office.n && th_db_one(db, "SELECT name_zh, name_en FROM people_office WHERE code = ?1", &code, 1, arena, &office, NULL) == TH_OK) {
        th_pen_object(pen);
        th_pen_kstr(pen, "code", a->office);
        th_pen_kstr(pen, "zh", office[0].s);
        th_pen_kstr(pen, "en", office[1].s);
        th_pen_end(pen, '}');
    } else {
        th_pen_null(pen);
    }
    th_pen_kbool(pen, "totp", a->totp.n > 0);
    th_pen_kbool(pen, "disabled", a->disabled);
    th_pen_end(pen, '}');
}

th_status th_people_list(th_people *people, th_arena *arena, th_str *ret_json, th_error *error)
{
    th_db *db;
    th_rows rows;
    th_buf buf;
    th_status status = th_store_acquire(people->options.store, &db, error);
    if (status)
        return status;
    th_buf_open(&buf, arena, 16u << 20);
    th_pen pen = th_pen_on(&buf);
    status = th_db_select(db, "SELECT id FROM people_account ORDER BY login LIMIT 5000", NULL, 0, arena, &rows, error);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; !status && i < rows.n; i++) {
        th_account_row a;
        status = th_account_by_id(db, th_row(&rows, i)[0].s, arena, &a, error);
        if (!status)
            th_account_write(&pen, db, &a, arena);
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_store_release(people->options.store, db);
    *ret_json = th_buf_view(&buf);
    return status ? status : th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}

/* ---- persons ---- */

th_status th_people_id_number_read(const uint8_t secret[32], th_db *db, th_str account, th_arena *arena, th_str *ret_id, th_error *error)
{
    const th_value *row;
    th_value value = th_v_text(account);
    th_status status = th_db_one(db, "SELECT sealed FROM people_account WHERE id = ?1", &value, 1, arena, &row, error);
    if (status == TH_NOT_FOUND || (!status && row[0].type == TH_VALUE_NULL))
        return th_fail(error, TH_FORBIDDEN, "not-verified", "该账号没有实名信息", "This account has no verified identity");
    return status ? status : th_unseal(secret, row[0].s, account, arena, ret_id);
}

th_status th_people_id_number(th_people *people, th_db *db, th_str account, th_arena *arena, th_str *ret_id, th_error *error)
{
    return th_people_id_number_read(people->options.secret, db, account, arena, ret_id, error);
}

void th_people_subject(const uint8_t secret[32], th_str id_number, char ret_subject[TH_SUBJECT_TEXT])
{
    th_str pieces[] = {TH_STR("tonghui/v1/subject\n"), id_number};
    th_hash hash = th_hmac(secret, pieces, 2);
    th_hex(hash.b, 16, ret_subject);
}
