/* records.h's promises about questions: what verify and query tell and what they never do, budgets against guessing, registers that stay in a
 * database or behind HTTP. Asked from another node, as everybody asks. */
#include "records-private.h"
#include "pair.h"


static void grants_add(const char *id, const char *reg, const char *operation, const char *fields)
{
    MUST(th_exchange_grant_add(b.ex, region_grant(&r, id, 1, 0, reg, operation, fields, "[\"A\"]", "none"), &error), &error);
}

static void import(const char *reg, const char *text)
{
    char path[200];
    bench_file(&b.b, "import.csv", text, path, sizeof path);
    MUST(th_records_import(b.records, th_str_of(reg), path, "csv", NULL, NULL, &error), &error);
}

static void set_up_pair(bool pg)
{
    memset(&error, 0, sizeof error);
    th_log_level_set(TH_LOG_ERROR);
    region_open(&r, 3);
    node_open_whole(&a, &r, 0, pg, fixture_dir, false);
    node_open_whole(&b, &r, 1, pg, fixture_dir, false);
    grants_add("persons-v", "persons", "verify", "[\"name\",\"level\",\"score\",\"card\",\"born\",\"age>=\",\"level>=\",\"valid_on\",\"within\"]");
    grants_add("persons-q", "persons", "query", "[\"name\",\"level\",\"score\",\"id_number*\",\"card*\"]");
    grants_add("companies-v", "companies", "verify", "[\"name\",\"capital\"]");
    grants_add("companies-q", "companies", "query", "[\"name\",\"capital\"]");
    grants_add("parcels-v", "parcels", "verify", "[\"area\"]");
    grants_share(&b, &a);
}

static void people_import(void)
{
    import("persons", "id_number,name,born,level,score,region,begun,ended,state,since,card\n"
                      "110101199003070011,张三,1990-03-07,2,60,130102,2020-01-01,2029-12-31,valid,,AB-1\n"
                      "440524188001010014,李四,1880-02-29,3a,,110101,2020-01-01,,revoked,2024-05-01,\n"
                      "133131199506150018,欧阳娜娜,2008-11-24,,,,,,,,\n");
}

typedef struct heard { th_status status; th_str text; const th_json *json; th_error error; } heard;

static const char *asking = "BJ-HR"; /* the office, as the asker writes it */

static heard ask_type(const char *type, const char *body)
{
    question q;
    question_make(&q, &a, "");
    q.ask.type = th_str_of(type);
    q.ask.office = th_str_of(asking);
    q.ask.body = th_str_of(body);
    heard h = {0};
    h.status = th_exchange_ask(a.ex, &q.ask, 1, &h.error);
    if (h.status)
        return h;
    assert_true(carry(&a, &b, NULL, NULL));
    assert_int_equal(q.done, 1);
    h.status = q.ask.status;
    h.error = q.ask.error;
    h.text = th_str_keep(&a.b.arena, q.ask.answer);
    h.json = h.status ? NULL : bench_json(&a.b.arena, h.text);
    return h;
}

static heard verify(const char *reg, const char *key, const char *claims)
{
    return ask_type("verify", th_strf(&a.b.arena, "{\"register\":\"%s\",\"key\":%s,\"claims\":%s}", reg, key, claims).p);
}

#define ZHANG "{\"id_number\":\"110101199003070011\"}"
#define LI "{\"id_number\":\"440524188001010014\"}"
#define OUYANG "{\"id_number\":\"133131199506150018\"}"
#define NOBODY "{\"id_number\":\"11010119900307002X\"}"

/* Every claim's result, joined: "match mismatch". */
static void results_are(heard h, const char *want, const char *file, int line)
{
    char got[400] = "";
    if (h.status) {
        print_message("%s:%d: wanted %s, was refused: %s %s\n", file, line, want, h.error.type, h.error.en);
        fail();
    }
    const th_json *results = th_json_get(h.json, "results");
    for (const th_json *one = th_json_first(results); one; one = th_json_next(results, one))
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", got[0] ? " " : "", TH_FMT(one->text));
    if (strcmp(got, want) != 0) {
        print_message("%s:%d: wanted %s, got %s\n", file, line, want, got);
        fail();
    }
}
#define RESULTS(heard, want) results_are((heard), (want), __FILE__, __LINE__)

static void refused_at(heard h, th_status status, const char *type, const char *pointer, const char *file, int line)
{
    if (h.status != status || (type && strcmp(h.error.type, type) != 0) || (pointer && (!h.error.field_count || strcmp(h.error.fields[0].pointer, pointer) != 0))) {
        print_message("%s:%d: wanted %d %s %s, got %d %s %s %.*s\n", file, line, (int)status, type ? type : "", pointer ? pointer : "", (int)h.status, h.error.type,
                      h.error.field_count ? h.error.fields[0].pointer : "", TH_FMT(h.text));
        fail();
    }
}
#define REFUSED_AT(heard, status, type, pointer) refused_at((heard), (status), (type), (pointer), __FILE__, __LINE__)

/* ---- verify ---- */

static void verify_tells_one_word_a_claim_and_nothing_else(bool pg)
{
    set_up_pair(pg);
    people_import();
    heard h = verify("persons", ZHANG, "{\"name\":\"张三\",\"level\":\"1\",\"score\":60}");
    RESULTS(h, "match mismatch match");
    assert_false(bench_holds(h.text, "张三")); /* not even what was asked comes back */
    assert_false(bench_holds(h.text, "\"2\""));
    assert_true(th_json_str(h.json, "as_of").n > 0);
    assert_int_equal(th_json_get(h.json, "results")->count, 3);
    assert_int_equal(h.json->count, 2);
    RESULTS(verify("persons", ZHANG, "{\"name\":\" 张　三 \"}"), "match"); /* as people write it */
    RESULTS(verify("persons", "{\"id_number\":\" 110101199003070011\"}", "{\"name\":\"张三\"}"), "match");
    RESULTS(verify("persons", OUYANG, "{\"level\":\"1\",\"score\":0}"), "mismatch mismatch"); /* the register does not say, nor that there is an entry */
    RESULTS(verify("parcels", "{\"district\":\"东\",\"number\":\"7\"}", "{\"area\":1}"), "mismatch"); /* nothing was ever imported */
    import("parcels", "district,number,area\n东,7,100\n东7,,1\n");
    RESULTS(verify("parcels", "{\"district\":\"东\",\"number\":\"7\"}", "{\"area\":100}"), "match");
    close_pair();
}
ON_BOTH(verify_tells_one_word_a_claim_and_nothing_else)

static void absence_looks_like_a_mismatch_to_who_may_not_tell_them_apart(bool pg)
{
    set_up_pair(pg);
    people_import();
    import("companies", "uscc,name,capital\n91110108551385082Q,甲,100\n");
    heard there = verify("persons", ZHANG, "{\"name\":\"王五\",\"age>=\":100}"), absent = verify("persons", NOBODY, "{\"name\":\"王五\",\"age>=\":100}");
    RESULTS(there, "mismatch mismatch");
    assert_true(th_str_eq(there.text, absent.text)); /* the same bytes */
    RESULTS(verify("companies", "{\"uscc\":\"91440300708461136T\"}", "{\"name\":\"甲\"}"), "no_record"); /* this register tells */
    RESULTS(verify("companies", "{\"uscc\":\"91110108551385082Q\"}", "{\"name\":\"乙\",\"capital\":100}"), "mismatch match");
    close_pair();
}
ON_SQLITE(absence_looks_like_a_mismatch_to_who_may_not_tell_them_apart)

static void predicates_answer_without_the_value(bool pg)
{
    static const struct { const char *key, *claims, *want; } cases[] = {
        /* Today is 2026-11-24 in Shanghai. */
        {OUYANG, "{\"age>=\":18}", "match"}, /* this very day */
        {OUYANG, "{\"age>=\":19}", "mismatch"},
        {ZHANG, "{\"age>=\":36,\"level>=\":\"2\"}", "match match"},
        {ZHANG, "{\"level>=\":\"3\"}", "mismatch"},
        {LI, "{\"level>=\":\"3\",\"age>=\":146}", "match match"}, /* born on 29 February: of age on 1 March of a common year */
        {OUYANG, "{\"level>=\":\"1\"}", "mismatch"},
        {ZHANG, "{\"valid_on\":\"2026-11-24\"}", "match"},
        {ZHANG, "{\"valid_on\":\"2019-12-31\"}", "mismatch"},
        {ZHANG, "{\"valid_on\":\"2029-12-31\"}", "match"},
        {ZHANG, "{\"valid_on\":\"2030-01-01\"}", "mismatch"},
        {LI, "{\"valid_on\":\"2024-04-30\"}", "match"}, /* revoked only since May */
        {LI, "{\"valid_on\":\"2024-05-01\"}", "mismatch"},
        {OUYANG, "{\"valid_on\":\"2024-05-01\"}", "mismatch"},
        {ZHANG, "{\"within\":\"130000\"}", "match"},
        {ZHANG, "{\"within\":\"130100\"}", "match"},
        {ZHANG, "{\"within\":\"130102\"}", "match"},
        {LI, "{\"within\":\"130000\"}", "mismatch"},
        {OUYANG, "{\"within\":\"130000\"}", "mismatch"}};
    static const struct { const char *claims, *pointer; } wrong[] = {
        {"{\"age>=\":-1}", "/claims/age>="}, {"{\"age>=\":151}", "/claims/age>="}, {"{\"age>=\":\"18\"}", "/claims/age>="}, {"{\"age>=\":18.5}", "/claims/age>="},
        {"{\"level>=\":\"4\"}", "/claims/level>="}, {"{\"level>=\":1}", "/claims/level>="}, {"{\"valid_on\":\"2026-02-29\"}", "/claims/valid_on"}, {"{\"valid_on\":\"today\"}", "/claims/valid_on"},
        {"{\"within\":\"130103\"}", "/claims/within"}, {"{\"within\":\"13\"}", "/claims/within"}};
    set_up_pair(pg);
    people_import();
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        pass(3 * TH_MINUTE_US); /* no guesses */
        RESULTS(verify("persons", cases[i].key, cases[i].claims), cases[i].want);
    }
    for (size_t i = 0; i < TH_COUNT(wrong); i++)
        REFUSED_AT(verify("persons", ZHANG, wrong[i].claims), TH_INVALID, NULL, wrong[i].pointer);
    close_pair();
}
ON_SQLITE(predicates_answer_without_the_value)

static void what_cannot_be_asked_is_refused_with_its_pointer(bool pg)
{
    set_up_pair(pg);
    people_import();
    REFUSED_AT(verify("nobody", ZHANG, "{\"name\":\"张三\"}"), TH_INVALID, NULL, "/register");
    REFUSED_AT(verify("persons", "{}", "{\"name\":\"张三\"}"), TH_INVALID, NULL, "/key/id_number");
    REFUSED_AT(verify("persons", "{\"id_number\":\"110101199003070012\"}", "{\"name\":\"张三\"}"), TH_INVALID, NULL, "/key/id_number");
    REFUSED_AT(verify("persons", "{\"id_number\":110101199003070011}", "{\"name\":\"张三\"}"), TH_INVALID, NULL, "/key/id_number");
    REFUSED_AT(verify("persons", "{\"id_number\":\"110101199003070011\",\"more\":\"1\"}", "{\"name\":\"张三\"}"), TH_INVALID, NULL, "/key/more");
    REFUSED_AT(verify("persons", ZHANG, "{}"), TH_INVALID, NULL, "/claims");
    REFUSED_AT(verify("persons", ZHANG, "{\"region\":\"130102\"}"), TH_INVALID, NULL, "/claims/region"); /* not verifiable */
    REFUSED_AT(verify("persons", ZHANG, "{\"nick\":\"x\"}"), TH_INVALID, NULL, "/claims/nick");
    REFUSED_AT(verify("persons", ZHANG, "{\"name\":\"\"}"), TH_INVALID, NULL, "/claims/name");
    REFUSED_AT(verify("persons", ZHANG, "{\"score\":\"60\"}"), TH_INVALID, NULL, "/claims/score");
    REFUSED_AT(verify("persons", ZHANG, "{\"born\":\"1990-02-30\"}"), TH_INVALID, NULL, "/claims/born");
    REFUSED_AT(ask_type("verify", "{\"register\":\"persons\",\"key\":" ZHANG "}"), TH_INVALID, NULL, "/claims");
    REFUSED_AT(ask_type("query", "{\"register\":\"persons\",\"key\":" ZHANG ",\"fields\":[\"born\"]}"), TH_INVALID, NULL, "/fields/0");
    REFUSED_AT(ask_type("query", "{\"register\":\"persons\",\"key\":" ZHANG ",\"fields\":[\"born*\"]}"), TH_INVALID, NULL, "/fields/0"); /* has no mask */
    REFUSED_AT(ask_type("query", "{\"register\":\"persons\",\"key\":" ZHANG ",\"fields\":[]}"), TH_INVALID, NULL, "/fields");
    REFUSED_AT(ask_type("query", "{\"register\":\"persons\",\"key\":" ZHANG ",\"fields\":[\"name\",7]}"), TH_INVALID, NULL, "/fields/1");
    REFUSED_AT(ask_type("query", "{\"register\":\"persons\",\"key\":" ZHANG ",\"fields\":[\"name\",\"score\",\"name\"]}"), TH_INVALID, NULL, "/fields/2");
    REFUSED_AT(verify("persons", ZHANG, "{\"name\":\"张\u202e三\"}"), TH_INVALID, NULL, "/claims/name");
    REFUSED_AT(verify("persons", ZHANG, "{\"level\":\"a\\u0007\"}"), TH_INVALID, NULL, "/claims/level");
    /* None of it was a guess. */
    RESULTS(verify("persons", ZHANG, "{\"name\":\"张三\"}"), "match");
    close_pair();
}
ON_SQLITE(what_cannot_be_asked_is_refused_with_its_pointer)

static void query_tells_what_is_granted_and_masks_what_is_masked(bool pg)
{
    set_up_pair(pg);
    people_import();
    heard h = ask_type("query", "{\"register\":\"persons\",\"key\":" ZHANG ",\"fields\":[\"name\",\"score\",\"id_number*\",\"card*\"]}");
    assert_int_equal(h.status, TH_OK);
    const th_json *record = th_json_get(h.json, "record");
    TEXT(th_json_str(record, "name"), "张三");
    assert_int_equal(th_json_int(record, "score", 0), 60);
    TEXT(th_json_str(record, "id_number*"), "1101**********0011");
    TEXT(th_json_str(record, "card*"), "A***");
    assert_int_equal(record->count, 4);
    h = ask_type("query", "{\"register\":\"persons\",\"key\":" LI ",\"fields\":[\"score\",\"card*\"]}");
    record = th_json_get(h.json, "record");
    assert_true(th_json_get(record, "score")->type == TH_JSON_NULL && th_json_get(record, "card*")->type == TH_JSON_NULL);
    REFUSED_AT(ask_type("query", "{\"register\":\"persons\",\"key\":" NOBODY ",\"fields\":[\"name\"]}"), TH_NOT_FOUND, "no-record", NULL);
    close_pair();
}
ON_SQLITE(query_tells_what_is_granted_and_masks_what_is_masked)

static void rows_that_contradict_each_other_are_not_told(bool pg)
{
    set_up_pair(pg);
    import("companies", "uscc,name,capital\n91110108551385082Q,甲,100\n91110108551385082Q,乙,100\n91440300708461136T,丙,1\n");
    RESULTS(verify("companies", "{\"uscc\":\"91110108551385082Q\"}", "{\"name\":\"甲\",\"capital\":7}"), "indeterminate indeterminate");
    REFUSED_AT(ask_type("query", "{\"register\":\"companies\",\"key\":{\"uscc\":\"91110108551385082Q\"},\"fields\":[\"name\"]}"), TH_CONFLICT, "record-conflict", NULL);
    RESULTS(verify("companies", "{\"uscc\":\"91440300708461136T\"}", "{\"name\":\"丙\"}"), "match");
    import("companies", "uscc,name,capital\n91110108551385082Q,甲,100\n"); /* the file is mended: the ticket is superseded */
    RESULTS(verify("companies", "{\"uscc\":\"91110108551385082Q\"}", "{\"name\":\"甲\"}"), "match");
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM records_conflict WHERE state = 'superseded'"), 1);
    close_pair();
}
ON_BOTH(rows_that_contradict_each_other_are_not_told)

/* ---- budgets ---- */

static void guesses_about_one_person_are_stopped_for_a_while(bool pg)
{
    set_up_pair(pg);
    people_import();
    for (int i = 0; i < 3; i++)
        RESULTS(verify("persons", ZHANG, "{\"name\":\"王五\"}"), "mismatch");
    heard h = verify("persons", ZHANG, "{\"name\":\"张三\"}");
    REFUSED_AT(h, TH_BUSY, "verify-budget", NULL); /* also with the right answer */
    assert_in_range(h.error.retry_after_s, 119, 120);
    RESULTS(verify("persons", LI, "{\"name\":\"李四\"}"), "match"); /* others are not concerned */
    assert_int_equal(ask_type("query", "{\"register\":\"persons\",\"key\":" ZHANG ",\"fields\":[\"name\"]}").status, TH_OK);
    pass(121 * TH_SECOND_US);
    RESULTS(verify("persons", ZHANG, "{\"name\":\"张三\"}"), "match");
    /* Slowly, they are not guesses. */
    for (int i = 0; i < 6; i++) {
        RESULTS(verify("persons", ZHANG, "{\"name\":\"王五\"}"), "mismatch");
        pass(31 * TH_SECOND_US);
    }
    /* Guesses about who is not there count alike: the lock must not tell. */
    for (int i = 0; i < 3; i++)
        RESULTS(verify("persons", NOBODY, "{\"name\":\"王五\"}"), "mismatch");
    REFUSED_AT(verify("persons", NOBODY, "{\"name\":\"王五\"}"), TH_BUSY, "verify-budget", NULL);
    close_pair();
}
ON_SQLITE(guesses_about_one_person_are_stopped_for_a_while)

static void another_office_of_the_member_has_no_tries_of_its_own(bool pg)
{
    static const char *const offices[] = {"BJ-HR", "BJ-HALL", "BJ-DATA", "BJ-1", "BJ-2", "BJ-3", "BJ-4", "BJ-5", "BJ-6"};
    set_up_pair(pg);
    people_import();
    for (int i = 0; i < 3; i++) {
        asking = offices[i];
        RESULTS(verify("persons", ZHANG, "{\"name\":\"王五\"}"), "mismatch");
    }
    asking = offices[3];
    REFUSED_AT(verify("persons", ZHANG, "{\"name\":\"张三\"}"), TH_BUSY, "verify-budget", NULL);
    pass(121 * TH_SECOND_US);
    for (int i = 0; i < 8; i++) { /* nor of its own minute */
        char key[60];
        char id[19] = "110101199003070000";
        snprintf(id + 14, 4, "%03d", 100 + i);
        id[17] = th_citizen_id_digit(id);
        snprintf(key, sizeof key, "{\"id_number\":\"%.18s\"}", id);
        asking = offices[i];
        RESULTS(verify("persons", key, "{\"name\":\"王五\"}"), "mismatch");
    }
    asking = offices[8];
    REFUSED_AT(verify("persons", LI, "{\"name\":\"李四\"}"), TH_BUSY, "verify-budget", NULL);
    asking = offices[0];
    close_pair();
}
ON_SQLITE(another_office_of_the_member_has_no_tries_of_its_own)

/* "indeterminate" would tell that there is a record, and for nothing. */
static void an_empty_field_answers_as_no_record_does_and_costs_as_much(bool pg)
{
    set_up_pair(pg);
    people_import();
    static const char claims[] = "{\"level\":\"1\",\"level>=\":\"1\",\"valid_on\":\"2024-05-01\",\"within\":\"130000\"}";
    heard empty = verify("persons", OUYANG, claims), absent = verify("persons", NOBODY, claims);
    RESULTS(empty, "mismatch mismatch mismatch mismatch");
    assert_true(th_str_eq(empty.text, absent.text));
    for (int i = 0; i < 2; i++)
        RESULTS(verify("persons", OUYANG, "{\"level\":\"1\"}"), "mismatch");
    REFUSED_AT(verify("persons", OUYANG, "{\"level\":\"1\"}"), TH_BUSY, "verify-budget", NULL);
    /* Who may tell hears it, and pays all the same. */
    import("companies", "uscc,name,capital\n91110108551385082Q,甲,\n");
    int tries = 0;
    for (; tries < 20; tries++) {
        heard h = verify("companies", "{\"uscc\":\"91110108551385082Q\"}", "{\"capital\":1}");
        if (h.status)
            break;
        RESULTS(h, "indeterminate");
    }
    assert_in_range(tries, 1, 10);
    close_pair();
}
ON_SQLITE(an_empty_field_answers_as_no_record_does_and_costs_as_much)

static void guesses_about_many_are_stopped_within_the_minute(bool pg)
{
    set_up_pair(pg);
    people_import();
    for (int i = 0; i < 8; i++) {
        char id[19] = "110101199003070000", key[60];
        snprintf(id + 14, 4, "%03d", 100 + i);
        id[17] = th_citizen_id_digit(id);
        snprintf(key, sizeof key, "{\"id_number\":\"%.18s\"}", id);
        RESULTS(verify("persons", key, "{\"name\":\"王五\"}"), "mismatch");
    }
    heard h = verify("persons", ZHANG, "{\"name\":\"张三\"}");
    REFUSED_AT(h, TH_BUSY, "verify-budget", NULL);
    assert_in_range(h.error.retry_after_s, 1, 60);
    pass(61 * TH_SECOND_US);
    RESULTS(verify("persons", ZHANG, "{\"name\":\"张三\"}"), "match");
    close_pair();
}
ON_SQLITE(guesses_about_many_are_stopped_within_the_minute)

/* ---- registers that stay where they are ---- */

static th_status made(const char *url)
{
    th_store *store;
    th_status status = th_store_open(url, NULL, &store, &error);
    if (status)
        return status;
    status = th_store_migrate(store, "old",
                              "-- migration 1: an old database\n-- reference\nCREATE TABLE zgk (sfzh TEXT, xm TEXT, fs TEXT, dj BIGINT, rq TEXT);\n"
                              "INSERT INTO zgk VALUES ('110101199003070011', '张 三', '060', 2, '1990/03/07'), ('11010119900307002X', '王五', NULL, 1, '1990-03-07');\n", &error);
    th_store_close(store);
    return status;
}

static th_status source_set(const char *format, const char *value)
{
    th_str json = th_strf(&b.b.arena, format, value);
    memset(&error, 0, sizeof error);
    return th_records_source_set(b.records, json, &error);
}

static void a_register_may_stay_in_a_database(bool pg)
{
    static const char good[] = "{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"%s\",\"verify_query\":\"SELECT xm, fs, dj, rq FROM zgk WHERE sfzh = ?1\","
                               "\"columns\":[\"name\",\"score\",\"level\",\"born\"],\"simulated\":true}";
    char url[400];
    set_up_pair(pg);
    bench_url(&b.b, "old", url, sizeof url);
    MUST(made(url), &error);
    MUST(source_set(good, url), &error);
    heard h = verify("persons", ZHANG, "{\"name\":\"张三\",\"level\":\"2\"}"); /* spaces in a name, a number where a text should be: brought to one form */
    RESULTS(h, "match match");
    assert_true(th_json_bool(h.json, "simulated", false));
    RESULTS(verify("persons", ZHANG, "{\"score\":60,\"born\":\"1990-03-07\"}"), "mismatch mismatch"); /* what does not fit the rules is not told */
    RESULTS(verify("persons", "{\"id_number\":\"11010119900307002x\"}", "{\"name\":\"王五\",\"score\":1,\"level\":\"1\"}"), "match mismatch match"); /* NULL says nothing */
    RESULTS(verify("persons", LI, "{\"name\":\"李四\"}"), "mismatch"); /* nobody, and not told so */
    REFUSED_AT(ask_type("query", "{\"register\":\"persons\",\"key\":" LI ",\"fields\":[\"name\"]}"), TH_NOT_FOUND, "no-record", NULL);
    /* A query that does not give what its configuration names is an outage, not a mismatch. */
    MUST(source_set("{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"%s\",\"verify_query\":\"SELECT xm FROM zgk WHERE sfzh = ?1\",\"columns\":[\"name\",\"score\"]}", url), &error);
    REFUSED_AT(verify("persons", ZHANG, "{\"name\":\"王五\"}"), TH_UNAVAILABLE, "register-unavailable", NULL);
    MUST(source_set("{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"%s\",\"verify_query\":\"SELECT xm FROM gone WHERE sfzh = ?1\",\"columns\":[\"name\"]}", url), &error);
    REFUSED_AT(verify("persons", ZHANG, "{\"name\":\"张三\"}"), TH_UNAVAILABLE, "register-unavailable", NULL);
    /* Home again. */
    MUST(source_set("{\"register\":\"persons\",\"source\":\"local\"}%s", ""), &error);
    people_import();
    RESULTS(verify("persons", LI, "{\"name\":\"李四\"}"), "match");
    close_pair();
}
ON_BOTH(a_register_may_stay_in_a_database)

static void a_database_that_was_away_is_found_again(bool pg)
{
    static const char good[] = "{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"sqlite:%s\",\"verify_query\":\"SELECT xm FROM zgk WHERE sfzh = ?1\",\"columns\":[\"name\"]}";
    char path[200], url[300];
    set_up_pair(pg);
    snprintf(path, sizeof path, "%s/mount/old.sqlite", b.b.dir);
    snprintf(url, sizeof url, "sqlite:%s", path);
    bench_shell("mkdir %s/mount", b.b.dir);
    MUST(made(url), &error);
    MUST(source_set(good, path), &error);
    /* The node starts while the disk that holds it is not there. */
    bench_shell("mv %s/mount %s/elsewhere", b.b.dir, b.b.dir);
    th_records_options options = {.code = "120000", .region_dir = fixture_dir, .store = b.b.store, .writer = b.writer, .pool = b.pool, .env = &b.b.env};
    memcpy(options.secret, b.secret, sizeof options.secret);
    th_records *records;
    MUST(th_records_open(&options, &records, &error), &error);
    th_register *reg = th_register_find(records, TH_STR("persons"));
    th_lookup lookup = {.reg = reg, .keys = {TH_STR("110101199003070011")}};
    assert_int_equal(th_register_live(records, reg).source, TH_SOURCE_SQL);
    th_source_read(records, &lookup, &b.b.arena);
    assert_int_equal(lookup.status, TH_UNAVAILABLE);
    bench_shell("mv %s/elsewhere %s/mount", b.b.dir, b.b.dir);
    pass(11 * TH_SECOND_US);
    th_source_read(records, &lookup, &b.b.arena);
    assert_int_equal(lookup.status, TH_OK);
    TEXT(th_json_str(lookup.entry, "name"), "张三");
    th_records_close(records);
    close_pair();
}
ON_SQLITE(a_database_that_was_away_is_found_again)

static struct { th_status status; const char *body; char url[300], authorization[80]; int64_t takes_us; int asked, timeout_ms; } upstream;

static th_status upstream_get(void *ctx, const char *url, const char *authorization, int timeout_ms, th_arena *arena, th_str *ret_body, th_error *why)
{
    (void)ctx;
    (void)arena;
    (void)why;
    assert_true(timeout_ms > 0 && timeout_ms <= 3000);
    upstream.timeout_ms = timeout_ms;
    upstream.asked++;
    pass(upstream.takes_us < timeout_ms * INT64_C(1000) ? upstream.takes_us : timeout_ms * INT64_C(1000));
    snprintf(upstream.url, sizeof upstream.url, "%s", url);
    snprintf(upstream.authorization, sizeof upstream.authorization, "%s", authorization ? authorization : "");
    *ret_body = th_str_of(upstream.body);
    return upstream.status;
}

static void a_register_may_stay_behind_http(bool pg)
{
    region_http_get = upstream_get;
    set_up_pair(pg);
    region_http_get = NULL;
    MUST(source_set("{\"register\":\"parcels\",\"source\":\"http\",\"url\":\"https://old.test/p/{district}/{number}.json\",\"authorization\":\"Bearer %s\"}", "x"), &error);
    upstream.body = "{\"area\":100,\"more\":[1]}";
    upstream.status = TH_OK;
    RESULTS(verify("parcels", "{\"district\":\"东 /?\",\"number\":\"7\"}", "{\"area\":100}"), "match");
    assert_string_equal(upstream.url, "https://old.test/p/%E4%B8%9C%20%2F%3F/7.json"); /* a key cannot leave its place in the address */
    assert_string_equal(upstream.authorization, "Bearer x");
    upstream.body = "{}";
    RESULTS(verify("parcels", "{\"district\":\"东\",\"number\":\"8\"}", "{\"area\":100}"), "mismatch");
    upstream.status = TH_NOT_FOUND;
    RESULTS(verify("parcels", "{\"district\":\"东\",\"number\":\"8\"}", "{\"area\":100}"), "mismatch");
    static const struct { th_status status; const char *body; } away[] = {{TH_UNAVAILABLE, ""}, {TH_TIMEOUT, ""}, {TH_OK, "<html>"}, {TH_OK, "[1]"}, {TH_OK, "7"}, {TH_OK, ""}};
    for (size_t i = 0; i < TH_COUNT(away); i++) {
        upstream.status = away[i].status;
        upstream.body = away[i].body;
        REFUSED_AT(verify("parcels", "{\"district\":\"东\",\"number\":\"8\"}", "{\"area\":100}"), TH_UNAVAILABLE, "register-unavailable", NULL);
    }
    /* Members may have other names there. */
    MUST(source_set("{\"register\":\"parcels\",\"source\":\"http\",\"url\":\"http://127.0.0.1:9/{number}\",\"columns\":{\"area\":\"mj\"}%s}", ""), &error);
    upstream.status = TH_OK;
    upstream.body = "{\"mj\":\"12\",\"area\":1}";
    RESULTS(verify("parcels", "{\"district\":\"东\",\"number\":\"8\"}", "{\"area\":12}"), "match");
    close_pair();
}
ON_SQLITE(a_register_may_stay_behind_http)

/* Twelve questions in one batch: how many were answered; the rest heard that the register is away. */
static int twelve_answered(void)
{
    question q[12];
    int answered = 0;
    upstream.asked = 0;
    for (int i = 0; i < 12; i++) {
        question_make(&q[i], &a, "");
        q[i].ask.type = TH_STR("verify");
        q[i].ask.body = th_strf(&a.b.arena, "{\"register\":\"parcels\",\"key\":{\"district\":\"东\",\"number\":\"%d\"},\"claims\":{\"area\":100}}", i);
        MUST(th_exchange_ask(a.ex, &q[i].ask, 1, &error), &error);
    }
    assert_true(carry(&a, &b, NULL, NULL));
    for (int i = 0; i < 12; i++) {
        assert_int_equal(q[i].done, 1);
        if (q[i].ask.status)
            assert_string_equal(q[i].ask.error.type, "register-unavailable");
        answered += !q[i].ask.status;
    }
    return answered;
}

static void a_slow_upstream_holds_a_batch_for_three_seconds_and_no_more(bool pg)
{
    region_http_get = upstream_get;
    set_up_pair(pg);
    region_http_get = NULL;
    MUST(source_set("{\"register\":\"parcels\",\"source\":\"http\",\"url\":\"https://old.test/{number}\"%s}", ""), &error);
    upstream.body = "{\"area\":100}";
    upstream.status = TH_OK;
    assert_int_equal(twelve_answered(), 12);
    /* It answers, slowly: what is left of the time is all that the last one gets. */
    upstream.takes_us = 700000;
    int64_t begun = th_now_us(&b.b.env);
    assert_int_equal(twelve_answered(), 5);
    assert_int_equal(upstream.asked, 5);
    assert_int_equal(upstream.timeout_ms, 200);
    assert_true(th_now_us(&b.b.env) - begun <= 3 * TH_SECOND_US);
    /* It hangs: one question finds out, and it is left alone a second, two, four, … */
    upstream.status = TH_TIMEOUT;
    upstream.takes_us = 60 * TH_SECOND_US;
    for (int64_t rest = 1; rest < 100; rest *= 2) {
        assert_int_equal(twelve_answered(), 0);
        assert_int_equal(upstream.asked, 1);
        pass((rest < 30 ? rest : 30) * TH_SECOND_US - 1000);
        assert_int_equal(twelve_answered(), 0);
        assert_int_equal(upstream.asked, 0);
        pass(2000);
    }
    upstream.status = TH_OK;
    upstream.takes_us = 0;
    assert_int_equal(twelve_answered(), 12);
    upstream.status = TH_TIMEOUT;
    upstream.takes_us = 60 * TH_SECOND_US;
    assert_int_equal(twelve_answered(), 0);
    pass(1001000);
    assert_int_equal(twelve_answered(), 0);
    assert_int_equal(upstream.asked, 1); /* it had answered: a second again */
    upstream.takes_us = 0;
    close_pair();
}
ON_SQLITE(a_slow_upstream_holds_a_batch_for_three_seconds_and_no_more)

static void a_source_that_cannot_work_is_refused_when_it_is_said(bool pg)
{
    static const struct { const char *json, *pointer; } wrong[] = {
        {"{\"register\":\"nobody\",\"source\":\"local\"}", "/register"},
        {"{\"register\":\"persons\",\"source\":\"file\"}", "/source"},
        {"{\"register\":\"persons\",\"source\":\"local\",\"more\":1}", "/more"},
        {"{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"sqlite::memory:\",\"columns\":[\"name\"]}", "/verify_query"},
        {"{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"sqlite::memory:\",\"verify_query\":\"SELECT 1\",\"columns\":[\"nick\"]}", "/columns"},
        {"{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"sqlite::memory:\",\"verify_query\":\"SELECT 1\",\"columns\":[1]}", "/columns"},
        {"{\"register\":\"persons\",\"source\":\"http\"}", "/url"},
        {"{\"register\":\"persons\",\"source\":\"http\",\"url\":\"http://old.test/{id_number}\"}", "/url"},
        {"{\"register\":\"persons\",\"source\":\"http\",\"url\":\"http://127.0.0.1.evil.test/{id_number}\"}", "/url"},
        {"{\"register\":\"persons\",\"source\":\"http\",\"url\":\"https://old.test/\",\"columns\":{\"nick\":\"x\"}}", "/columns"}};
    set_up_pair(pg);
    people_import();
    for (size_t i = 0; i < TH_COUNT(wrong); i++) {
        assert_int_equal(source_set("%s", wrong[i].json), TH_INVALID);
        TEXT(th_str_of(error.fields[0].pointer), wrong[i].pointer);
    }
    assert_int_not_equal(source_set("%s", "{\"register\":\"persons\",\"source\":\"sql\",\"database\":\"sqlite:/nonexistent/x\",\"verify_query\":\"SELECT 1\",\"columns\":[\"name\"]}"), TH_OK);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM records_source"), 0);
    RESULTS(verify("persons", ZHANG, "{\"name\":\"张三\"}"), "match"); /* nothing has changed */
    close_pair();
}
ON_SQLITE(a_source_that_cannot_work_is_refused_when_it_is_said)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(verify_tells_one_word_a_claim_and_nothing_else),
        ONE(absence_looks_like_a_mismatch_to_who_may_not_tell_them_apart),
        ONE(predicates_answer_without_the_value),
        ONE(what_cannot_be_asked_is_refused_with_its_pointer),
        ONE(query_tells_what_is_granted_and_masks_what_is_masked),
        BOTH(rows_that_contradict_each_other_are_not_told),
        ONE(guesses_about_one_person_are_stopped_for_a_while),
        ONE(another_office_of_the_member_has_no_tries_of_its_own),
        ONE(an_empty_field_answers_as_no_record_does_and_costs_as_much),
        ONE(guesses_about_many_are_stopped_within_the_minute),
        BOTH(a_register_may_stay_in_a_database),
        ONE(a_database_that_was_away_is_found_again),
        ONE(a_register_may_stay_behind_http),
        ONE(a_slow_upstream_holds_a_batch_for_three_seconds_and_no_more),
        ONE(a_source_that_cannot_work_is_refused_when_it_is_said),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
