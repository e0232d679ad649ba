/* people.h's promises: accounts, sessions, lock-out, one-time codes, API keys, tokens against forgery, and writes that happen once. */
#include "region.h"

#include <pthread.h>
#include <unistd.h>

static region r;
static node n;
static th_error error;

static const char *const staff[][2] = {{"window", "clerk"}, {"ops", "operator"}, {"audit", "auditor"}};

static void account_add(const char *login, unsigned roles, const char *id_number, char *ret_id)
{
    char id[TH_ID_TEXT];
    th_account_new account = {.login = th_str_of(login), .password = TH_STR("correct horse"), .name = TH_STR("李雷"), .roles = roles,
                              .office = roles == TH_ROLE_CITIZEN ? (th_str){NULL, 0} : TH_STR("110000-gov"), .id_number = th_str_of(id_number)};
    MUST(th_people_add_account(n.people, &account, ret_id ? ret_id : id, &error), &error);
}

/* `who`: "w", "o", "a" for the window, the operator and the auditor: every account costs an argon2id. */
static void set_up_node(bool pg, const char *who)
{
    memset(&error, 0, sizeof error);
    region_open(&r, 2);
    node_open_whole(&n, &r, 0, pg, NULL, true);
    MUST(th_people_add_office(n.people, TH_STR("110000-gov"), TH_STR("政务服务局"), TH_STR("Government services"), (th_str){NULL, 0}, &error), &error);
    for (size_t i = 0; i < TH_COUNT(staff); i++)
        if (strchr(who, staff[i][0][0]))
            account_add(staff[i][0], th_role_of(th_str_of(staff[i][1])), "", NULL);
}

static void tear_down_node(void)
{
    node_close(&n);
    region_close(&r);
}

static reply try_sign_in(browser *w, const char *login, const char *password, const char *code)
{
    th_str body = code ? th_strf(&n.b.arena, "{\"login\":\"%s\",\"password\":\"%s\",\"totp\":\"%s\"}", login, password, code)
                       : th_strf(&n.b.arena, "{\"login\":\"%s\",\"password\":\"%s\"}", login, password);
    *w = (browser){.n = &n};
    return call(w, "POST", "/people/v1/session", body.p);
}

static bool signed_in(browser *w)
{
    reply got = HTTP(call(w, "GET", "/people/v1/session", NULL), 200, NULL);
    return th_json_str(th_json_get(got.json, "account"), "login").n > 0;
}

static int64_t events(const char *kind)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM people_event WHERE kind = '%s'", kind);
    return bench_count(n.b.store, sql);
}

static th_str code_at(th_str secret_base32, int64_t us)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t secret[64];
    char code[7];
    size_t bits = 0, have = 0;
    uint32_t value = 0;
    for (size_t i = 0; i < secret_base32.n; i++) {
        value = value << 5 | (uint32_t)(strchr(alphabet, secret_base32.p[i]) - alphabet);
        if ((bits += 5) >= 8)
            secret[have++] = (uint8_t)(value >> (bits -= 8));
    }
    th_totp_code((th_str){(const char *)secret, have}, us / TH_SECOND_US / 30, code);
    return th_str_keep(&n.b.arena, th_str_of(code));
}

/* ---- accounts ---- */

static bool even(th_str id_number)
{
    return id_number.n == 18 && (id_number.p[17] - '0') % 2 == 0;
}

static void accounts_are_whole_or_not_made(bool pg)
{
    char id[TH_ID_TEXT];
    set_up_node(pg, "");
    const th_account_new good = {.login = TH_STR("citizen"), .password = TH_STR("12345678"), .name = TH_STR("张三"), .roles = TH_ROLE_CITIZEN, .id_number = TH_STR("110101199003070012")};
    struct { th_account_new account; const char *pointer; } bad[8];
    size_t count = 0;
#define BAD(member, value, where) (bad[count].account = good, bad[count].account.member = (value), bad[count++].pointer = (where))
    BAD(login, TH_STR(""), "/login");
    BAD(login, TH_STR("with\nline"), "/login");
    BAD(password, TH_STR("1234567"), "/password");
    BAD(name, TH_STR(""), "/name");
    BAD(name, TH_STR("\x01"), "/name");
    BAD(roles, 0, "/roles");
    BAD(id_number, TH_STR("110101199003070011"), "/id_number");
    th_people_options options = {.store = n.b.store, .writer = n.writer, .pool = n.pool, .env = &n.b.env, .cookie_suffix = "x", .id_number_ok = even};
    th_people *people;
    MUST(th_people_open(&options, &people, &error), &error);
    for (size_t i = 0; i < count; i++) {
        memset(&error, 0, sizeof error);
        assert_int_equal(th_people_add_account(people, &bad[i].account, id, &error), TH_INVALID);
        TEXT(th_str_of(error.fields[0].pointer), bad[i].pointer);
    }
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_account"), 0);
    memset(&error, 0, sizeof error);
    MUST(th_people_add_account(people, &good, id, &error), &error);
    assert_true(th_uuid_valid(th_str_of(id)));
    REFUSED(th_people_add_account(people, &good, id, &error), &error, TH_CONFLICT, "login-taken");
    th_people_close(people);
    th_str list;
    MUST(th_people_list(n.people, &n.b.arena, &list, &error), &error);
    assert_int_equal(th_json_get(bench_json(&n.b.arena, list), "items")->count, 1);
    assert_true(bench_holds(list, "张三") && !bench_holds(list, "110101") && !bench_holds(list, "argon2"));
    tear_down_node();
}
ON_BOTH(accounts_are_whole_or_not_made)

static th_status swap_apply(th_change *change, th_db *db, th_error *ret)
{
    return th_db_exec(db, "UPDATE people_account SET sealed = (SELECT sealed FROM people_account WHERE id = ?1) WHERE id = ?2", change->ctx, 2, NULL, ret);
}

static void identity_numbers_are_sealed_and_opened_for_their_account_only(bool pg)
{
    char one[TH_ID_TEXT], two[TH_ID_TEXT], window[TH_ID_TEXT], here[TH_SUBJECT_TEXT], there[TH_SUBJECT_TEXT];
    static const char number[] = "110101199003070011";
    uint8_t other[32] = {9};
    th_db *db;
    th_str opened;
    set_up_node(pg, "");
    account_add("one", TH_ROLE_CITIZEN, number, one);
    account_add("two", TH_ROLE_CITIZEN, "11010119900307002X", two);
    account_add("window-2", TH_ROLE_CLERK, "", window);
    MUST(th_store_acquire(n.b.store, &db, &error), &error);
    MUST(th_people_id_number(n.people, db, th_str_of(one), &n.b.arena, &opened, &error), &error);
    TEXT(opened, number);
    REFUSED(th_people_id_number(n.people, db, th_str_of(window), &n.b.arena, &opened, &error), &error, TH_FORBIDDEN, "not-verified");
    REFUSED(th_people_id_number(n.people, db, TH_STR("nobody"), &n.b.arena, &opened, &error), &error, TH_FORBIDDEN, "not-verified");
    assert_int_not_equal(th_people_id_number_read(other, db, th_str_of(one), &n.b.arena, &opened, NULL), TH_OK);
    /* One sealed text put into another's row opens nothing. */
    th_value values[] = {th_v_text(th_str_of(one)), th_v_text(th_str_of(two))};
    th_change swap = {.apply = swap_apply, .ctx = values};
    MUST(th_writer_run(n.writer, &swap, &error), &error);
    assert_int_not_equal(th_people_id_number(n.people, db, th_str_of(two), &n.b.arena, &opened, NULL), TH_OK);
    th_store_release(n.b.store, db);
    th_people_subject(n.secret, th_str_of(number), here);
    th_people_subject(other, th_str_of(number), there);
    assert_int_equal(strlen(here), 32);
    assert_string_not_equal(here, there); /* no two nodes can join their people by it */
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM people_account WHERE subject = '%s'", here);
    assert_int_equal(bench_count(n.b.store, sql), 1);
    tear_down_node();
}
ON_SQLITE(identity_numbers_are_sealed_and_opened_for_their_account_only)

static void roles_have_names(void **state)
{
    static const char *const names[] = {"citizen", "clerk", "duty", "accountant", "operator", "auditor", "head"};
    unsigned all = 0;
    (void)state;
    for (size_t i = 0; i < TH_COUNT(names); i++) {
        unsigned role = th_role_of(th_str_of(names[i]));
        assert_true(role && !(role & (role - 1)) && !(all & role));
        all |= role;
    }
    assert_int_equal(th_role_of(TH_STR("root")), 0);
    assert_int_equal(th_role_of(TH_STR("")), 0);
    assert_int_equal(th_role_of(TH_STR("clerks")), 0);
    assert_int_equal(th_role_of(TH_STR("system")), 0); /* keys only */
}

/* ---- sessions ---- */

static void a_session_is_a_cookie_that_scripts_cannot_read_kept_hashed(bool pg)
{
    browser w;
    set_up_node(pg, "w");
    reply got = HTTP(try_sign_in(&w, "window", "correct horse", NULL), 200, NULL);
    th_str cookie = th_str_of(got.cookie);
    assert_true(th_str_starts(cookie, "tonghui-110000="));
    assert_true(bench_holds(cookie, "; HttpOnly") && bench_holds(cookie, "; SameSite=Lax") && bench_holds(cookie, "; Path=/") && !bench_holds(cookie, "Secure"));
    th_str rest = th_str_of(w.cookie), name;
    assert_true(th_str_cut(&rest, '=', &name) && rest.n == 64); /* 256 bits */
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM people_session WHERE hash = '%.*s'", TH_FMT(rest));
    assert_int_equal(bench_count(n.b.store, sql), 0);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_session"), 1);
    TEXT(th_json_str(th_json_get(got.json, "account"), "login"), "window");
    TEXT(th_json_at(th_json_get(th_json_get(got.json, "account"), "roles"), 0)->text, "clerk");
    TEXT(th_json_str(th_json_get(th_json_get(got.json, "account"), "office"), "en"), "Government services");
    assert_true(signed_in(&w));
    browser guess = {.n = &n};
    snprintf(guess.cookie, sizeof guess.cookie, "tonghui-110000=%064d", 0);
    assert_false(signed_in(&guess));
    snprintf(guess.cookie, sizeof guess.cookie, "tonghui-120000=%.*s", TH_FMT(rest)); /* another node's cookie on the same host */
    assert_false(signed_in(&guess));
    snprintf(guess.cookie, sizeof guess.cookie, "a=b; tonghui-110000=%.*s; c=d", TH_FMT(rest));
    assert_true(signed_in(&guess));
    /* Over TLS the cookie says so. */
    th_people_options options = {.store = n.b.store, .writer = n.writer, .pool = n.pool, .env = &n.b.env, .cookie_suffix = "110000", .secure_cookies = true};
    th_people *people = n.people;
    MUST(th_people_open(&options, &n.people, &error), &error);
    th_server_options listening = {.address = "127.0.0.1", .env = &n.b.env, .threads = 1, .authenticate = th_people_authenticate, .authenticate_ctx = n.people};
    th_server *server;
    size_t count;
    const th_route *routes = th_people_routes(&count);
    MUST(th_server_open(&listening, &server, &error), &error);
    MUST(th_server_mount(server, "people", routes, count, n.people, th_people_schemas(), &error), &error);
    MUST(th_server_start(server, &error), &error);
    char origin[64];
    memcpy(origin, n.origin, sizeof origin);
    snprintf(n.origin, sizeof n.origin, "http://127.0.0.1:%u", th_server_port(server));
    got = HTTP(try_sign_in(&guess, "window", "correct horse", NULL), 200, NULL);
    assert_true(bench_holds(th_str_of(got.cookie), "; Secure"));
    th_server_drain(server, 1);
    th_server_close(server);
    th_people_close(n.people);
    n.people = people;
    memcpy(n.origin, origin, sizeof origin);
    tear_down_node();
}
ON_SQLITE(a_session_is_a_cookie_that_scripts_cannot_read_kept_hashed)

static void a_session_ends_when_it_should(bool pg)
{
    browser one, two;
    set_up_node(pg, "w");
    sign_in(&one, &n, "window", "correct horse");
    sign_in(&two, &n, "window", "correct horse");
    HTTP(call(&one, "DELETE", "/people/v1/session", NULL), 200, NULL); /* signing out: this one only */
    assert_false(signed_in(&one));
    assert_true(signed_in(&two));
    HTTP(call(&one, "DELETE", "/people/v1/session", NULL), 401, "sign-in");
    n.b.clock.now_us += 12 * TH_HOUR_US + TH_SECOND_US; /* its time is over */
    assert_false(signed_in(&two));
    sign_in(&one, &n, "window", "correct horse");
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_session"), 1); /* the dead are cleared away */
    MUST(th_people_set_password(n.people, TH_STR("window"), TH_STR("another horse"), &error), &error);
    assert_false(signed_in(&one)); /* a new password: all who were in are out */
    HTTP(try_sign_in(&two, "window", "correct horse", NULL), 401, "sign-in-failed");
    sign_in(&one, &n, "window", "another horse");
    MUST(th_people_disable(n.people, TH_STR("window"), &error), &error);
    assert_false(signed_in(&one));
    HTTP(try_sign_in(&two, "window", "another horse", NULL), 401, "sign-in-failed");
    REFUSED(th_people_disable(n.people, TH_STR("nobody"), &error), &error, TH_NOT_FOUND, "no-account");
    REFUSED(th_people_set_password(n.people, TH_STR("nobody"), TH_STR("12345678"), &error), &error, TH_NOT_FOUND, "no-account");
    assert_int_equal(th_people_set_password(n.people, TH_STR("window"), TH_STR("1234567"), &error), TH_INVALID);
    tear_down_node();
}
ON_BOTH(a_session_ends_when_it_should)

/* ---- lock-out ---- */

static void five_wrong_passwords_lock_for_a_growing_while(bool pg)
{
    browser w;
    set_up_node(pg, "w");
    for (int i = 0; i < 4; i++)
        HTTP(try_sign_in(&w, "window", "wrong horse", NULL), 401, "sign-in-failed");
    sign_in(&w, &n, "window", "correct horse"); /* four are forgiven */
    for (int i = 0; i < 5; i++)
        HTTP(try_sign_in(&w, "window", "wrong horse", NULL), 401, "sign-in-failed");
    for (int64_t minutes = 1, i = 0; i < 9; i++) {
        reply got = HTTP(try_sign_in(&w, "window", "correct horse", NULL), 429, "locked"); /* also with the right one */
        int64_t said = atoi(got.retry);
        if (said < minutes * 60 || said > minutes * 60 + 1)
            fail_msg("after %d more: %lld s", (int)i, (long long)said);
        n.b.clock.now_us += minutes * TH_MINUTE_US + TH_SECOND_US;
        if (i < 8)
            HTTP(try_sign_in(&w, "window", "wrong horse", NULL), 401, "sign-in-failed");
        minutes = minutes < 64 ? minutes * 2 : 64;
    }
    sign_in(&w, &n, "window", "correct horse");
    HTTP(try_sign_in(&w, "window", "wrong horse", NULL), 401, "sign-in-failed");
    sign_in(&w, &n, "window", "correct horse"); /* counted from the start again */
    assert_int_equal(events("locked"), 9);
    tear_down_node();
}
ON_SQLITE(five_wrong_passwords_lock_for_a_growing_while)

static void nobodys_login_locks_like_somebodys(bool pg)
{
    browser w;
    set_up_node(pg, "wa");
    MUST(th_people_disable(n.people, TH_STR("audit"), &error), &error);
    static const char *const logins[] = {"window", "nobody", "audit"};
    for (int64_t minutes = 1; minutes <= 4; minutes *= 2) {
        reply got[TH_COUNT(logins)];
        for (size_t i = 0; i < TH_COUNT(logins); i++) {
            for (int tries = minutes == 1 ? 5 : 1; tries > 0; tries--)
                HTTP(try_sign_in(&w, logins[i], "wrong horse", NULL), 401, "sign-in-failed");
            got[i] = HTTP(try_sign_in(&w, logins[i], "wrong horse", NULL), 429, "locked");
            assert_int_equal(got[i].body.n, got[0].body.n);
            assert_string_equal(got[i].retry, got[0].retry);
        }
        n.b.clock.now_us += minutes * TH_MINUTE_US + TH_SECOND_US;
    }
    HTTP(try_sign_in(&w, "another", "wrong horse", NULL), 401, "sign-in-failed"); /* each for itself */
    sign_in(&w, &n, "window", "correct horse");
    tear_down_node();
}
ON_SQLITE(nobodys_login_locks_like_somebodys)

static void *guess(void *arg)
{
    browser w = {.n = arg};
    return (void *)(intptr_t)call(&w, "POST", "/people/v1/session", "{\"login\":\"window\",\"password\":\"wrong horse\"}").http;
}

static void guesses_at_the_same_moment_all_count(bool pg)
{
    enum { AT_ONCE = 8 };
    pthread_t threads[AT_ONCE];
    node nodes[AT_ONCE];
    set_up_node(pg, "w");
    for (int i = 0; i < AT_ONCE; i++) {
        nodes[i] = n; /* its own arena for the answers */
        th_arena_open(&nodes[i].b.arena, 1 << 20);
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &nodes[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(threads[i], NULL);
        th_arena_close(&nodes[i].b.arena);
    }
    browser w;
    HTTP(try_sign_in(&w, "window", "correct horse", NULL), 429, "locked");
    tear_down_node();
}
ON_BOTH(guesses_at_the_same_moment_all_count)

static void the_words_for_nobody_and_for_a_wrong_password_are_the_same(bool pg)
{
    browser w;
    set_up_node(pg, "wa");
    MUST(th_people_disable(n.people, TH_STR("audit"), &error), &error);
    reply nobody = HTTP(try_sign_in(&w, "nobody", "wrong horse", NULL), 401, "sign-in-failed");
    reply wrong = HTTP(try_sign_in(&w, "window", "wrong horse", NULL), 401, "sign-in-failed");
    reply disabled = HTTP(try_sign_in(&w, "audit", "correct horse", NULL), 401, "sign-in-failed");
    const reply *all[] = {&nobody, &wrong, &disabled};
    for (size_t i = 1; i < TH_COUNT(all); i++) {
        assert_true(th_str_eq(th_json_str(all[i]->json, "title"), th_json_str(nobody.json, "title")));
        assert_int_equal(all[i]->body.n, nobody.body.n);
        assert_int_equal(all[i]->cookie[0], 0);
    }
    HTTP(call(&w, "POST", "/people/v1/session", "{\"login\":\"window\"}"), 400, NULL);
    HTTP(call(&w, "POST", "/people/v1/session", "{\"login\":\"window\",\"password\":\"x\",\"more\":1}"), 400, NULL);
    tear_down_node();
}
ON_SQLITE(the_words_for_nobody_and_for_a_wrong_password_are_the_same)

/* ---- one-time codes ---- */

static reply totp_remove(browser *w, const char *code, const char *password)
{
    return call(w, "POST", "/people/v1/totp:remove", th_strf(&n.b.arena, "{\"code\":\"%s\",\"password\":\"%s\"}", code, password).p);
}

static void one_time_codes_are_enrolled_asked_for_and_used_once(bool pg)
{
    browser w, other;
    set_up_node(pg, "o");
    sign_in(&w, &n, "ops", "correct horse");
    reply got = HTTP(call(&w, "POST", "/people/v1/totp", NULL), 200, NULL);
    th_str secret = th_json_str(got.json, "secret");
    assert_int_equal(secret.n, 32);
    assert_true(bench_holds(th_json_str(got.json, "uri"), "otpauth://totp/Tonghui:ops?secret="));
    sign_in(&other, &n, "ops", "correct horse"); /* begun is not yet in force */
    HTTP(call(&w, "POST", "/people/v1/totp:confirm", "{\"code\":\"000000\"}"), 400, NULL);
    HTTP(call(&w, "POST", "/people/v1/totp:confirm", "{}"), 400, NULL);
    th_str code = code_at(secret, n.b.clock.now_us);
    HTTP(call(&w, "POST", "/people/v1/totp:confirm", th_strf(&n.b.arena, "{\"code\":\"%.*s\"}", TH_FMT(code)).p), 200, NULL);
    HTTP(call(&w, "POST", "/people/v1/totp", NULL), 409, "totp-enrolled");
    HTTP(try_sign_in(&other, "ops", "correct horse", NULL), 401, "totp-required");
    HTTP(try_sign_in(&other, "ops", "wrong horse", NULL), 401, "sign-in-failed"); /* a code is asked for only when the password is right */
    HTTP(try_sign_in(&other, "ops", "correct horse", code.p), 401, "totp-wrong"); /* it was used to confirm */
    n.b.clock.now_us += 30 * TH_SECOND_US;
    code = code_at(secret, n.b.clock.now_us);
    HTTP(try_sign_in(&other, "ops", "correct horse", code.p), 200, NULL);
    HTTP(try_sign_in(&other, "ops", "correct horse", code.p), 401, "totp-wrong"); /* once */
    HTTP(try_sign_in(&other, "ops", "correct horse", code_at(secret, n.b.clock.now_us - 30 * TH_SECOND_US).p), 401, "totp-wrong"); /* not an older one */
    n.b.clock.now_us += 60 * TH_SECOND_US;
    HTTP(try_sign_in(&other, "ops", "correct horse", code_at(secret, n.b.clock.now_us - 30 * TH_SECOND_US).p), 200, NULL); /* a step late is in time */
    HTTP(try_sign_in(&other, "ops", "correct horse", code_at(secret, n.b.clock.now_us + 60 * TH_SECOND_US).p), 401, "totp-wrong");
    assert_true(bench_count(n.b.store, "SELECT failed FROM people_account WHERE login = 'ops'") > 0); /* wrong codes count as wrong tries */
    n.b.clock.now_us += 300 * TH_SECOND_US;
    HTTP(call(&w, "POST", "/people/v1/totp:remove", "{\"code\":\"000000\"}"), 400, NULL); /* the password too */
    code = code_at(secret, n.b.clock.now_us);
    HTTP(totp_remove(&w, code.p, "wrong horse"), 400, NULL);
    HTTP(try_sign_in(&other, "ops", "correct horse", code.p), 200, NULL);
    HTTP(totp_remove(&w, code.p, "correct horse"), 400, NULL); /* it signed somebody in */
    n.b.clock.now_us += 60 * TH_SECOND_US;
    code = code_at(secret, n.b.clock.now_us);
    HTTP(totp_remove(&w, code.p, "correct horse"), 200, NULL);
    sign_in(&other, &n, "ops", "correct horse");
    assert_true(events("totp-begun") == 1 && events("totp-enrolled") == 1 && events("totp-removed") == 1);
    tear_down_node();
}
ON_BOTH(one_time_codes_are_enrolled_asked_for_and_used_once)

/* Who has a session has not the codes: guesses at what the session may do are counted and locked like guesses at the door. */
static void guesses_at_codes_lock_the_account(bool pg)
{
    browser w;
    set_up_node(pg, "o");
    sign_in(&w, &n, "ops", "correct horse");
    th_str secret = th_json_str(HTTP(call(&w, "POST", "/people/v1/totp", NULL), 200, NULL).json, "secret");
    for (int i = 0; i < 5; i++)
        HTTP(call(&w, "POST", "/people/v1/totp:confirm", "{\"code\":\"00000x\"}"), 400, NULL);
    th_str right = th_strf(&n.b.arena, "{\"code\":\"%.*s\"}", TH_FMT(code_at(secret, n.b.clock.now_us)));
    HTTP(call(&w, "POST", "/people/v1/totp:confirm", right.p), 429, "locked");
    n.b.clock.now_us += 2 * TH_MINUTE_US;
    right = th_strf(&n.b.arena, "{\"code\":\"%.*s\"}", TH_FMT(code_at(secret, n.b.clock.now_us)));
    HTTP(call(&w, "POST", "/people/v1/totp:confirm", right.p), 200, NULL);
    HTTP(totp_remove(&w, "00000x", "correct horse"), 400, NULL);
    HTTP(totp_remove(&w, code_at(secret, n.b.clock.now_us + 30 * TH_SECOND_US).p, "correct horse"), 429, "locked");
    n.b.clock.now_us += 65 * TH_MINUTE_US;
    MUST(th_people_reset_totp(n.people, TH_STR("ops"), &error), &error); /* the authenticator was lost */
    assert_false(signed_in(&w));
    sign_in(&w, &n, "ops", "correct horse");
    assert_int_equal(events("totp-reset"), 1);
    REFUSED(th_people_reset_totp(n.people, TH_STR("nobody"), &error), &error, TH_NOT_FOUND, "no-account");
    tear_down_node();
}
ON_SQLITE(guesses_at_codes_lock_the_account)

/* ---- keys and forgery ---- */

static void api_keys_are_told_once_and_open_until_revoked(bool pg)
{
    browser ops, clerk, key = {.n = &n};
    set_up_node(pg, "wo");
    sign_in(&ops, &n, "ops", "correct horse");
    sign_in(&clerk, &n, "window", "correct horse");
    HTTP(call(&clerk, "POST", "/people/v1/keys", "{\"name\":\"x\",\"office\":\"110000-gov\"}"), 403, "role");
    reply got = HTTP(call(&ops, "POST", "/people/v1/keys", "{\"name\":\"x\",\"office\":\"none\"}"), 400, NULL);
    TEXT(th_json_str(th_json_at(th_json_get(got.json, "errors"), 0), "pointer"), "/office");
    HTTP(call(&ops, "POST", "/people/v1/keys", "{\"name\":\"a\\u0001\",\"office\":\"110000-gov\"}"), 400, NULL);
    got = HTTP(call(&ops, "POST", "/people/v1/keys", "{\"name\":\"税务系统\",\"office\":\"110000-gov\"}"), 201, NULL);
    th_str text = th_json_str(got.json, "key"), id = th_json_str(got.json, "id");
    assert_true(th_str_starts(text, "thk_") && text.n == 4 + 16 + 1 + 64);
    snprintf(key.key, sizeof key.key, "%.*s", TH_FMT(text));
    got = HTTP(call(&ops, "GET", "/people/v1/keys", NULL), 200, NULL);
    assert_true(bench_holds(got.body, "税务系统") && !bench_holds(got.body, "thk_"));
    HTTP(call(&key, "GET", "/people/v1/accounts", NULL), 403, "role"); /* a system, not an operator */
    HTTP(call(&key, "GET", "/people/v1/session", NULL), 200, NULL);
    static const char *const wrong[] = {"thk_", "thk_x_y", "nothing", "thk__", "thk_0000000000000000_1"};
    browser w = {.n = &n};
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        snprintf(w.key, sizeof w.key, "%s", wrong[i]);
        HTTP(call(&w, "GET", "/people/v1/session", NULL), 401, "key");
    }
    snprintf(w.key, sizeof w.key, "%s", key.key);
    w.key[strlen(w.key) - 1] ^= 1;
    HTTP(call(&w, "GET", "/people/v1/session", NULL), 401, "key");
    th_str path = th_strf(&n.b.arena, "/people/v1/keys/%.*s:revoke", TH_FMT(id));
    HTTP(call(&ops, "POST", path.p, "{}"), 200, NULL);
    HTTP(call(&ops, "POST", path.p, "{}"), 404, "no-key");
    HTTP(call(&key, "GET", "/people/v1/session", NULL), 401, "key");
    assert_true(events("key-made") == 1 && events("key-revoked") == 1);
    tear_down_node();
}
ON_BOTH(api_keys_are_told_once_and_open_until_revoked)

static void a_page_of_another_site_can_write_nothing(bool pg)
{
    browser ops, again, bare;
    static const char body[] = "{\"name\":\"x\",\"office\":\"110000-gov\"}";
    set_up_node(pg, "o");
    sign_in(&ops, &n, "ops", "correct horse");
    sign_in(&again, &n, "ops", "correct horse");
    bare = ops;
    bare.csrf[0] = 0;
    HTTP(call(&bare, "POST", "/people/v1/keys", body), 403, "csrf");
    HTTP(call(&bare, "DELETE", "/people/v1/session", NULL), 403, "csrf");
    memcpy(bare.csrf, again.csrf, sizeof bare.csrf); /* the token is of one session */
    HTTP(call(&bare, "POST", "/people/v1/keys", body), 403, "csrf");
    HTTP(call(&bare, "GET", "/people/v1/keys", NULL), 200, NULL);
    HTTP(call(&ops, "POST", "/people/v1/keys", body), 201, NULL);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_key"), 1);
    tear_down_node();
}
ON_SQLITE(a_page_of_another_site_can_write_nothing)

static void who_may_see_accounts(bool pg)
{
    static const int codes[] = {403, 200, 200};
    browser w = {.n = &n};
    set_up_node(pg, "woa");
    HTTP(call(&w, "GET", "/people/v1/accounts", NULL), 401, "sign-in");
    for (size_t i = 0; i < TH_COUNT(staff); i++) {
        sign_in(&w, &n, staff[i][0], "correct horse");
        HTTP(call(&w, "GET", "/people/v1/accounts", NULL), codes[i], NULL);
    }
    tear_down_node();
}
ON_SQLITE(who_may_see_accounts)

static void every_sign_in_and_change_is_a_row_without_personal_data(bool pg)
{
    browser w;
    char id[TH_ID_TEXT], sql[200];
    set_up_node(pg, "");
    account_add("13800000000", TH_ROLE_CITIZEN, "110101199003070011", id);
    sign_in(&w, &n, "13800000000", "correct horse");
    HTTP(call(&w, "DELETE", "/people/v1/session", NULL), 200, NULL);
    HTTP(try_sign_in(&w, "13800000000", "wrong horse", NULL), 401, NULL);
    MUST(th_people_set_password(n.people, TH_STR("13800000000"), TH_STR("12345678"), &error), &error);
    MUST(th_people_disable(n.people, TH_STR("13800000000"), &error), &error);
    static const char *const kinds[] = {"account-made", "signed-in", "signed-out", "wrong-password", "password-set", "disabled"};
    for (size_t i = 0; i < TH_COUNT(kinds); i++) {
        snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM people_event WHERE kind = '%s' AND account = '%s'", kinds[i], id);
        if (bench_count(n.b.store, sql) != 1)
            fail_msg("%s: %d", kinds[i], (int)bench_count(n.b.store, sql));
    }
    tear_down_node();
}
ON_SQLITE(every_sign_in_and_change_is_a_row_without_personal_data)

/* ---- once ---- */

static void a_write_that_was_sent_twice_happens_once(bool pg)
{
    browser ops, audit;
    static const char body[] = "{\"name\":\"x\",\"office\":\"110000-gov\"}";
    set_up_node(pg, "o");
    sign_in(&ops, &n, "ops", "correct horse");
    snprintf(ops.once, sizeof ops.once, "key-1");
    reply first = HTTP(call(&ops, "POST", "/people/v1/keys", body), 201, NULL);
    assert_true(!first.replayed[0]);
    HTTP(call(&ops, "POST", "/people/v1/keys", body), 409, "told-once"); /* the text of a key is told once and kept nowhere */
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_once WHERE answer IS NULL AND status = 201"), 1);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_key"), 1);
    HTTP(call(&ops, "POST", "/people/v1/keys", "{\"name\":\"y\",\"office\":\"110000-gov\"}"), 422, "idempotency-mismatch");
    /* An answer that refuses is an answer, and is kept too. */
    snprintf(ops.once, sizeof ops.once, "key-2");
    HTTP(call(&ops, "POST", "/people/v1/keys", "{\"name\":\"x\",\"office\":\"none\"}"), 400, NULL);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_once WHERE answer IS NOT NULL"), 1);
    if (!pg) /* and lies sealed */
        assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_once WHERE instr(answer, CAST('no-office' AS BLOB)) > 0"), 0);
    MUST(th_people_add_office(n.people, TH_STR("none"), TH_STR("无"), TH_STR("None"), (th_str){NULL, 0}, &error), &error);
    reply again = HTTP(call(&ops, "POST", "/people/v1/keys", "{\"name\":\"x\",\"office\":\"none\"}"), 400, NULL);
    assert_true(again.replayed[0] && bench_holds(again.body, "no-office"));
    /* Another person's key of the same text is another key. */
    account_add("ops-2", TH_ROLE_OPERATOR, "", NULL);
    sign_in(&audit, &n, "ops-2", "correct horse");
    snprintf(audit.once, sizeof audit.once, "key-1");
    HTTP(call(&audit, "POST", "/people/v1/keys", "{\"name\":\"y\",\"office\":\"110000-gov\"}"), 201, NULL);
    static const char *const wrong[] = {"has space", "\xE4\xB8\xAD"};
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        snprintf(ops.once, sizeof ops.once, "%s", wrong[i]);
        HTTP(call(&ops, "POST", "/people/v1/keys", body), 400, "idempotency-key");
    }
    snprintf(ops.once, sizeof ops.once, "key-1"); /* kept for a day */
    n.b.clock.now_us += 25 * TH_HOUR_US;
    sign_in(&ops, &n, "ops", "correct horse");
    snprintf(ops.once, sizeof ops.once, "key-1");
    HTTP(call(&ops, "POST", "/people/v1/keys", "{\"name\":\"z\",\"office\":\"110000-gov\"}"), 201, NULL);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_once"), 1); /* everybody's old ones are gone */
    n.b.clock.now_us += 25 * TH_HOUR_US;
    th_people_tick(n.people);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM people_once"), 0); /* also when nobody comes again */
    tear_down_node();
}
ON_BOTH(a_write_that_was_sent_twice_happens_once)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(accounts_are_whole_or_not_made),
        ONE(identity_numbers_are_sealed_and_opened_for_their_account_only),
        cmocka_unit_test(roles_have_names),
        ONE(a_session_is_a_cookie_that_scripts_cannot_read_kept_hashed),
        BOTH(a_session_ends_when_it_should),
        ONE(five_wrong_passwords_lock_for_a_growing_while),
        ONE(nobodys_login_locks_like_somebodys),
        BOTH(guesses_at_the_same_moment_all_count),
        ONE(the_words_for_nobody_and_for_a_wrong_password_are_the_same),
        BOTH(one_time_codes_are_enrolled_asked_for_and_used_once),
        ONE(guesses_at_codes_lock_the_account),
        BOTH(api_keys_are_told_once_and_open_until_revoked),
        ONE(a_page_of_another_site_can_write_nothing),
        ONE(who_may_see_accounts),
        ONE(every_sign_in_and_change_is_a_row_without_personal_data),
        BOTH(a_write_that_was_sent_twice_happens_once),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
