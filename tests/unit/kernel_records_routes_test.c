/* records.h's promises over HTTP: the catalogue searched, shown, harvested and downloaded; imports; requests that become grants; conflicts. */
#include "records-private.h"
#include "pair.h"

#include <unistd.h>

static browser ops, clerk, there; /* the first two at a, the last an operator at b */

static void account_add(node *at, const char *login, unsigned roles)
{
    char id[TH_ID_TEXT];
    th_account_new account = {.login = th_str_of(login), .password = TH_STR("correct horse"), .name = TH_STR("李雷"), .roles = roles, .office = TH_STR("gov")};
    MUST(th_people_add_account(at->people, &account, id, &error), &error);
}

static void set_up_pair(bool pg, bool both)
{
    memset(&error, 0, sizeof error);
    th_log_level_set(TH_LOG_ERROR);
    region_open(&r, 3);
    node_open_whole(&a, &r, 0, pg, fixture_dir, true);
    account_add(&a, "ops", TH_ROLE_OPERATOR);
    account_add(&a, "clerk", TH_ROLE_CLERK);
    sign_in(&ops, &a, "ops", "correct horse");
    sign_in(&clerk, &a, "clerk", "correct horse");
    if (!both)
        return;
    node *nodes[] = {&a, &b};
    node_open_whole(&b, &r, 1, pg, fixture_dir, true);
    account_add(&b, "ops", TH_ROLE_OPERATOR);
    sign_in(&there, &b, "ops", "correct horse");
    pump_start(nodes, 2);
}

static void tear_down_pair(bool both)
{
    if (both) {
        pump_end();
        node_close(&b);
    }
    node_close(&a);
    region_close(&r);
}

static th_str ids_of(reply got)
{
    th_buf buf;
    th_buf_open(&buf, &a.b.arena, 4096);
    const th_json *items = th_json_get(got.json, "items");
    for (const th_json *i = th_json_first(items); i; i = th_json_next(items, i)) {
        th_buf_str(&buf, th_json_str(i, "id"));
        th_buf_char(&buf, ' ');
    }
    return th_buf_view(&buf);
}

/* ---- the catalogue ---- */

static void the_catalogue_is_searched_by_its_words(bool pg)
{
    static const struct { const char *query, *ids; } cases[] = {
        {"", "air-stations schools closed register-companies register-parcels register-persons "},
        {"?q=%E7%A9%BA%E6%B0%94", "air-stations "}, /* 空气 */
        {"?q=pm2.5", "air-stations "},
        {"?q=AIR", "air-stations "},
        {"?q=%E2%80%9C%E7%9B%91%E6%B5%8B%E2%80%9D", "air-stations "}, /* “监测”, escaped in the file */
        {"?q=zh", ""}, /* a member's name is no word */
        {"?q=%22", ""},
        {"?q=u201c", ""},
        {"?q=Standard", "register-persons "},
        {"?sector=education", "schools closed "},
        {"?sector=education&q=closed", "closed "},
        {"?sector=none", ""},
        {"?limit=2", "air-stations schools "},
        {"?limit=2&cursor=2", "closed register-companies "},
        {"?limit=2&cursor=6", ""}};
    browser w = {0};
    set_up_pair(pg, false);
    w.n = &a; /* nobody signed in */
    for (size_t i = 0; i < TH_COUNT(cases); i++) {
        reply got = HTTP(call(&w, "GET", th_strf(&a.b.arena, "/records/v1/catalogue%s", cases[i].query).p, NULL), 200, NULL);
        if (!th_str_is(ids_of(got), cases[i].ids))
            fail_msg("%s: %.*s", cases[i].query, TH_FMT(ids_of(got)));
    }
    /* Page by page until there is no more, nothing twice and nothing left out. */
    char path[80] = "/records/v1/catalogue?limit=4";
    reply got = HTTP(call(&w, "GET", path, NULL), 200, NULL);
    TEXT(th_json_str(got.json, "next"), "4");
    got = HTTP(call(&w, "GET", "/records/v1/catalogue?limit=4&cursor=4", NULL), 200, NULL);
    assert_int_equal(th_json_get(got.json, "items")->count, 2);
    assert_int_equal(th_json_get(got.json, "next")->type, TH_JSON_NULL);
    HTTP(call(&w, "GET", "/records/v1/catalogue?limit=0", NULL), 400, NULL);
    HTTP(call(&w, "GET", "/records/v1/catalogue?limit=101", NULL), 400, NULL);
    HTTP(call(&w, "GET", "/records/v1/catalogue?cursor=x", NULL), 400, NULL);
    tear_down_pair(false);
}
ON_SQLITE(the_catalogue_is_searched_by_its_words)

static void a_dataset_is_shown_and_downloaded(bool pg)
{
    browser w = {0};
    set_up_pair(pg, false);
    w.n = &a;
    reply got = HTTP(call(&w, "GET", "/records/v1/catalogue/air-stations", NULL), 200, NULL);
    TEXT(th_json_str(th_json_get(got.json, "title"), "en"), "Air quality stations");
    TEXT(th_json_str(got.json, "conformsTo"), "HJ 633");
    const th_json *csv = th_json_at(th_json_get(got.json, "distributions"), 0);
    TEXT(th_json_str(csv, "url"), "/records/v1/datasets/air-stations.csv");
    assert_int_equal(th_json_int(csv, "bytes", 0), 14);
    got = HTTP(call(&w, "GET", "/records/v1/datasets/air-stations.csv", NULL), 200, NULL);
    TEXT(got.body, "id,name\n1,\"a\"\n");
    TEXT(th_str_of(got.type), "text/csv; charset=utf-8");
    got = HTTP(call(&w, "GET", "/records/v1/datasets/air-stations.geojson", NULL), 200, NULL);
    TEXT(th_str_of(got.type), "application/geo+json");
    TEXT(HTTP(call(&w, "GET", "/records/v1/datasets/schools.json", NULL), 200, NULL).body, "[]");
    HTTP(call(&w, "GET", "/records/v1/datasets/air-stations.json", NULL), 404, "no-dataset");
    HTTP(call(&w, "GET", "/records/v1/datasets/closed.csv", NULL), 404, "no-dataset"); /* not open */
    HTTP(call(&w, "GET", "/records/v1/datasets/none.csv", NULL), 404, "no-dataset");
    HTTP(call(&w, "GET", "/records/v1/datasets/..%2Fair.csv", NULL), 404, NULL);
    HTTP(call(&w, "GET", "/records/v1/catalogue/none", NULL), 404, "no-dataset");
    got = HTTP(call(&w, "GET", "/records/v1/catalogue/register-persons", NULL), 200, NULL);
    TEXT(th_json_str(got.json, "access"), "conditional");
    assert_int_equal(th_json_get(got.json, "fields")->count, 11);
    TEXT(th_json_str(th_json_get(got.json, "publisher"), "code"), "110000");
    assert_int_equal(th_json_get(got.json, "conditions")->count, 4);
    tear_down_pair(false);
}
ON_SQLITE(a_dataset_is_shown_and_downloaded)

static const th_json *dcat(browser *w, const char *query)
{
    reply got = HTTP(call(w, "GET", th_strf(&a.b.arena, "/records/v1/catalogue.jsonld%s", query).p, NULL), 200, NULL);
    TEXT(th_str_of(got.type), "application/ld+json");
    return got.json;
}

static void harvesters_get_dcat(bool pg)
{
    browser w = {0};
    set_up_pair(pg, false);
    w.n = &a;
    const th_json *j = dcat(&w, ""), *datasets = th_json_get(j, "dcat:dataset");
    TEXT(th_json_str(j, "@type"), "dcat:Catalog");
    TEXT(th_json_str(th_json_get(j, "@context"), "dcat"), "http://www.w3.org/ns/dcat#");
    assert_int_equal(datasets->count, 6);
    for (const th_json *d = th_json_first(datasets); d; d = th_json_next(datasets, d)) { /* what DCAT-AP asks of every dataset */
        assert_true(th_str_starts(th_json_str(d, "@id"), "urn:tonghui:110000:dataset:"));
        TEXT(th_json_str(d, "@type"), "dcat:Dataset");
        const th_json *titles = th_json_get(d, "dct:title");
        assert_int_equal(titles->count, 2);
        TEXT(th_json_str(th_json_at(titles, 0), "@language"), "zh");
        assert_true(th_json_str(th_json_at(titles, 1), "@value").n > 0);
        assert_non_null(th_json_get(d, "dct:publisher"));
        assert_true(th_json_get(d, "dcat:distribution")->count > 0);
    }
    const th_json *air = th_json_at(datasets, 0);
    TEXT(th_json_str(th_json_get(air, "dct:accessRights"), "@id"), "http://publications.europa.eu/resource/authority/access-right/PUBLIC");
    TEXT(th_json_str(th_json_get(air, "dct:accrualPeriodicity"), "@id"), "http://publications.europa.eu/resource/authority/frequency/DAILY");
    TEXT(th_json_str(th_json_get(air, "dct:modified"), "@value"), "2026-10-01");
    TEXT(th_json_str(th_json_get(air, "dct:modified"), "@type"), "xsd:date");
    TEXT(th_json_str(th_json_get(th_json_get(air, "dct:temporal"), "dcat:endDate"), "@value"), "2026-09-30");
    TEXT(th_json_str(th_json_get(th_json_at(th_json_get(air, "dcat:distribution"), 0), "dcat:mediaType"), "@id"), "https://www.iana.org/assignments/media-types/text/csv");
    TEXT(th_json_str(th_json_get(th_json_at(datasets, 2), "dct:accessRights"), "@id"), "http://publications.europa.eu/resource/authority/access-right/RESTRICTED");
    /* Pages, and only what has changed. */
    j = dcat(&w, "?limit=4");
    assert_int_equal(th_json_get(j, "dcat:dataset")->count, 4);
    th_str next = th_json_str(th_json_get(th_json_get(j, "hydra:view"), "hydra:next"), "@id");
    TEXT(next, "/records/v1/catalogue.jsonld?cursor=4&limit=4");
    j = dcat(&w, "?cursor=4&limit=4");
    assert_int_equal(th_json_get(j, "dcat:dataset")->count, 2);
    assert_null(th_json_get(j, "hydra:view"));
    static const struct { const char *query; size_t n; } since[] = {
        {"?modified_since=2026-11-01", 5}, {"?modified_since=2026-11-02", 4}, {"?modified_since=2026-11-02T00:00:00Z", 3}, {"?modified_since=2020-01-01", 6}};
    for (size_t i = 0; i < TH_COUNT(since); i++)
        if (th_json_get(dcat(&w, since[i].query), "dcat:dataset")->count != since[i].n) /* registers that were never imported have no date: always told */
            fail_msg("%s: %zu", since[i].query, th_json_get(dcat(&w, since[i].query), "dcat:dataset")->count);
    HTTP(call(&w, "GET", "/records/v1/catalogue.jsonld?modified_since=yesterday", NULL), 400, NULL);
    tear_down_pair(false);
}
ON_SQLITE(harvesters_get_dcat)

/* ---- imports ---- */

static void an_operator_imports_and_hears_of_every_bad_row(bool pg)
{
    static const char csv[] = "id_number,name\n110101199003070011,张三\nx,李四\n";
    set_up_pair(pg, false);
    HTTP(call_as(&clerk, "POST", "/records/v1/registers/persons:import", csv, "text/csv"), 403, "role");
    reply got = HTTP(call_as(&ops, "POST", "/records/v1/registers/persons:import?format=csv", csv, "text/csv"), 200, NULL);
    assert_true(th_json_int(got.json, "kept", 0) == 1 && th_json_int(got.json, "refused", 0) == 1 && th_json_int(got.json, "version", 0) == 1);
    assert_int_equal(th_json_int(th_json_at(th_json_get(got.json, "report"), 0), "line", 0), 3);
    got = HTTP(call_as(&ops, "POST", "/records/v1/registers/persons:import?format=jsonl", "{\"id_number\":\"110101199003070011\",\"name\":\"张三\"}", "application/x-ndjson"), 200, NULL);
    assert_int_equal(th_json_int(got.json, "version", 0), 2);
    HTTP(call_as(&ops, "POST", "/records/v1/registers/nobody:import", csv, "text/csv"), 404, "no-register");
    HTTP(call_as(&ops, "POST", "/records/v1/registers/persons:import?format=xml", csv, "text/csv"), 400, NULL);
    HTTP(call_as(&ops, "POST", "/records/v1/registers/persons:import", "nick\n1\n", "text/csv"), 422, "csv-head");
    MUST(th_records_source_set(a.records, TH_STR("{\"register\":\"parcels\",\"source\":\"http\",\"url\":\"https://old.test/{number}\"}"), &error), &error);
    HTTP(call_as(&ops, "POST", "/records/v1/registers/parcels:import", "district,number\n1,2\n", "text/csv"), 409, "not-local");
    got = HTTP(call(&clerk, "GET", "/records/v1/registers", NULL), 200, NULL);
    assert_int_equal(th_json_int(th_json_at(th_json_get(got.json, "items"), 2), "entries", 0), 1);
    TEXT(th_json_str(th_json_at(th_json_get(got.json, "items"), 1), "source"), "http");
    tear_down_pair(false);
}
ON_BOTH(an_operator_imports_and_hears_of_every_bad_row)

/* ---- requests ---- */

static const th_json *request_of(browser *w, th_str id)
{
    for (int i = 0; i < 400; i++) {
        const th_json *items = th_json_get(HTTP(call(w, "GET", "/records/v1/requests", NULL), 200, NULL).json, "items");
        for (const th_json *q = th_json_first(items); q; q = th_json_next(items, q))
            if (th_str_eq(th_json_str(q, "id"), id))
                return q;
        usleep(10000);
    }
    fail_msg("the request %.*s did not arrive", TH_FMT(id));
    return NULL;
}

static void state_becomes(browser *w, th_str id, const char *state)
{
    for (int i = 0; i < 400 && !th_str_is(th_json_str(request_of(w, id), "state"), state); i++)
        usleep(10000);
    TEXT(th_json_str(request_of(w, id), "state"), state);
}

static th_str request_make(const char *dataset, const char *item)
{
    th_str body = th_strf(&a.b.arena, "{\"reason\":\"办理业务\",\"fields\":[\"name\",\"capital\"],\"item\":\"%s\",\"provider\":\"120000\"}", item);
    reply got = HTTP(call(&clerk, "POST", th_strf(&a.b.arena, "/records/v1/catalogue/%s:request", dataset).p, body.p), 200, NULL);
    TEXT(th_json_str(got.json, "state"), "waiting");
    return th_json_str(got.json, "request");
}

static void a_request_reaches_its_owner_and_becomes_the_narrowest_grant(bool pg)
{
    set_up_pair(pg, true);
    th_str one = request_make("register-companies", "A"), two = request_make("register-companies", "B");
    const th_json *q = request_of(&there, one);
    TEXT(th_json_str(q, "consumer"), "110000");
    TEXT(th_json_str(q, "reason"), "办理业务");
    TEXT(th_json_str(q, "by"), "李雷");
    TEXT(th_json_str(request_of(&there, two), "item"), "B"); /* both are there before either is settled */
    HTTP(call(&ops, "POST", th_strf(&a.b.arena, "/records/v1/requests/%.*s:grant", TH_FMT(one)).p, "{\"reason\":\"x\"}"), 404, "no-request"); /* not one's own to grant */
    HTTP(call(&there, "POST", th_strf(&a.b.arena, "/records/v1/requests/%.*s:grant", TH_FMT(one)).p, "{}"), 400, NULL);
    HTTP(call(&there, "POST", th_strf(&a.b.arena, "/records/v1/requests/%.*s:grant", TH_FMT(one)).p, "{\"reason\":\"依据协议第三条\"}"), 200, NULL);
    HTTP(call(&there, "POST", th_strf(&a.b.arena, "/records/v1/requests/%.*s:grant", TH_FMT(one)).p, "{\"reason\":\"依据协议第三条\"}"), 409, "request-settled");
    HTTP(call(&there, "POST", th_strf(&a.b.arena, "/records/v1/requests/%.*s:refuse", TH_FMT(one)).p, "{\"reason\":\"x\"}"), 409, "request-settled");
    HTTP(call(&there, "POST", th_strf(&a.b.arena, "/records/v1/requests/%.*s:refuse", TH_FMT(two)).p, "{\"reason\":\"不必要\"}"), 200, NULL);
    state_becomes(&clerk, one, "granted"); /* who asked hears of it */
    state_becomes(&clerk, two, "refused");
    TEXT(th_json_str(request_of(&clerk, two), "outcome"), "不必要");
    th_grants *grants = th_exchange_grants(b.ex, TH_STR("120000"));
    assert_int_equal(th_grants_count(grants), 1);
    const th_grant *g = th_grants_at(grants, 0);
    TEXT(g->reg, "companies");
    assert_int_equal(g->operation, TH_VERIFY);
    assert_true(g->field_count == 2 && g->purpose_count == 1 && th_str_is(g->purposes[0], "A"));
    th_grants_release(grants);
    tear_down_pair(true);
}
ON_BOTH(a_request_reaches_its_owner_and_becomes_the_narrowest_grant)

static th_status statement(void *ctx, th_db *db, th_error *why)
{
    return th_db_exec(db, ctx, NULL, 0, NULL, why);
}

/* Settling fails after the grant was written: here because who asked cannot be told. */
static void a_request_that_is_not_settled_leaves_no_grant(bool pg)
{
    set_up_pair(pg, true);
    th_str one = request_make("register-companies", "A");
    request_of(&there, one);
    static char gone[] = "ALTER TABLE exchange_outbox_sequence RENAME TO gone", back[] = "ALTER TABLE gone RENAME TO exchange_outbox_sequence";
    MUST(th_records_write(b.records, statement, gone, &error), &error);
    HTTP(call(&there, "POST", th_strf(&a.b.arena, "/records/v1/requests/%.*s:grant", TH_FMT(one)).p, "{\"reason\":\"依据协议第三条\"}"), 500, NULL);
    MUST(th_records_write(b.records, statement, back, &error), &error);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM exchange_grant"), 0);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM records_request WHERE state = 'waiting'"), 1);
    MUST(th_exchange_reload(b.ex, &error), &error);
    th_grants *grants = th_exchange_grants(b.ex, TH_STR("120000"));
    assert_int_equal(grants ? th_grants_count(grants) : 0, 0);
    th_grants_release(grants);
    tear_down_pair(true);
}
ON_SQLITE(a_request_that_is_not_settled_leaves_no_grant)

static void a_request_for_what_cannot_be_had_is_refused_at_once(bool pg)
{
    static const struct { const char *dataset, *body; int code; const char *what; } wrong[] = {
        {"air-stations", "{\"reason\":\"x\",\"fields\":[\"name\"],\"item\":\"A\"}", 422, "not-a-register"},
        {"none", "{\"reason\":\"x\",\"fields\":[\"name\"],\"item\":\"A\"}", 404, "no-dataset"},
        {"register-companies", "{\"reason\":\"x\",\"fields\":[],\"item\":\"A\"}", 400, NULL},
        {"register-companies", "{\"reason\":\"x\",\"fields\":[\"nick\"],\"item\":\"A\"}", 400, NULL},
        {"register-companies", "{\"reason\":\"x\",\"fields\":[7],\"item\":\"A\"}", 400, NULL},
        {"register-companies", "{\"reason\":\"x\",\"fields\":[\"uscc\"],\"item\":\"A\"}", 400, NULL}, /* the key is no claim */
        {"register-companies", "{\"reason\":\"x\",\"fields\":[\"name\"]}", 400, NULL},
        {"register-companies", "{\"reason\":\"x\",\"fields\":[\"name\"],\"item\":\"A\",\"provider\":\"990000\"}", 400, NULL},
        {"register-companies", "{\"fields\":[\"name\"],\"item\":\"A\"}", 400, NULL},
        {"register-companies", "{\"reason\":\"x\",\"fields\":[\"name\"],\"item\":\"A\",\"more\":1}", 400, NULL}};
    browser nobody = {0};
    set_up_pair(pg, false);
    nobody.n = &a;
    for (size_t i = 0; i < TH_COUNT(wrong); i++)
        HTTP(call(&clerk, "POST", th_strf(&a.b.arena, "/records/v1/catalogue/%s:request", wrong[i].dataset).p, wrong[i].body), wrong[i].code, wrong[i].what);
    HTTP(call(&nobody, "POST", "/records/v1/catalogue/register-companies:request", wrong[0].body), 401, "sign-in");
    assert_int_equal(bench_count(a.b.store, "SELECT COUNT(*) FROM records_request"), 0);
    HTTP(call(&clerk, "POST", "/records/v1/catalogue/register-persons:request", "{\"reason\":\"x\",\"fields\":[\"age>=\"],\"item\":\"A\"}"), 200, NULL); /* a condition may be asked for */
    tear_down_pair(false);
}
ON_SQLITE(a_request_for_what_cannot_be_had_is_refused_at_once)

/* ---- identifiers, conflicts ---- */

static void a_number_is_checked_without_saying_whose_it_is(bool pg)
{
    browser w = {0};
    set_up_pair(pg, false);
    w.n = &a;
    reply got = HTTP(call(&w, "POST", "/records/v1/identifiers:check", "{\"kind\":\"citizen\",\"value\":\" 11010519491231002x\"}"), 200, NULL);
    TEXT(th_json_str(got.json, "value"), "11010519491231002X");
    TEXT(th_json_get(got.json, "changes")->raw, "[\"lower-case\",\"spaces\"]");
    got = HTTP(call(&w, "POST", "/records/v1/identifiers:check", "{\"kind\":\"citizen\",\"value\":\"110105194912310021\"}"), 422, NULL);
    TEXT(th_json_str(th_json_at(th_json_get(got.json, "errors"), 0), "pointer"), "/value");
    TEXT(th_json_str(th_json_at(th_json_get(got.json, "errors"), 0), "code"), "check-digit");
    static const char *const good[] = {"{\"kind\":\"uscc\",\"value\":\"91110108551385082Q\"}", "{\"kind\":\"organisation\",\"value\":\"55138508-2\"}", "{\"kind\":\"item\",\"value\":\"11370800MB285591843370117002011\"}"};
    for (size_t i = 0; i < TH_COUNT(good); i++)
        HTTP(call(&w, "POST", "/records/v1/identifiers:check", good[i]), 200, NULL);
    HTTP(call(&w, "POST", "/records/v1/identifiers:check", "{\"kind\":\"none\",\"value\":\"1\"}"), 400, NULL);
    HTTP(call(&w, "POST", "/records/v1/identifiers:check", "{\"kind\":\"uscc\"}"), 400, NULL);
    tear_down_pair(false);
}
ON_SQLITE(a_number_is_checked_without_saying_whose_it_is)

static void contradictions_are_tickets_for_people(bool pg)
{
    set_up_pair(pg, false);
    HTTP(call_as(&ops, "POST", "/records/v1/registers/companies:import", "uscc,name\n91110108551385082Q,甲\n91110108551385082Q,乙\n", "text/csv"), 200, NULL);
    HTTP(call(&clerk, "GET", "/records/v1/conflicts", NULL), 403, "role");
    reply got = HTTP(call(&ops, "GET", "/records/v1/conflicts", NULL), 200, NULL);
    const th_json *ticket = th_json_at(th_json_get(got.json, "items"), 0);
    TEXT(th_json_str(ticket, "kind"), "duplicate");
    TEXT(th_json_str(th_json_get(ticket, "key"), "uscc"), "91110108551385082Q");
    assert_false(bench_holds(got.body, "甲")); /* what the rows say is not told */
    th_str path = th_strf(&a.b.arena, "/records/v1/conflicts/%.*s:close", TH_FMT(th_json_str(ticket, "id")));
    HTTP(call(&ops, "POST", path.p, "{\"note\":\"\"}"), 400, NULL);
    HTTP(call(&ops, "POST", path.p, "{\"note\":\"以甲为准\"}"), 200, NULL);
    HTTP(call(&ops, "POST", path.p, "{\"note\":\"again\"}"), 404, "no-conflict");
    assert_int_equal(th_json_get(HTTP(call(&ops, "GET", "/records/v1/conflicts", NULL), 200, NULL).json, "items")->count, 0);
    got = HTTP(call(&ops, "GET", "/records/v1/conflicts?state=closed", NULL), 200, NULL);
    TEXT(th_json_str(th_json_at(th_json_get(got.json, "items"), 0), "note"), "以甲为准");
    tear_down_pair(false);
}
ON_SQLITE(contradictions_are_tickets_for_people)

static void everywhere_merges_what_the_holders_say_and_opens_a_ticket(bool pg)
{
    static const char q[] = "{\"register\":\"companies\",\"key\":{\"uscc\":\"91110108551385082Q\"},\"claims\":{\"name\":\"甲\",\"capital\":100},\"purpose\":{\"item\":\"A\"},\"providers\":[\"120000\",\"110000\"]}";
    set_up_pair(pg, true);
    for (size_t i = 0; i < 2; i++) {
        node *n = i ? &b : &a;
        for (size_t k = 0; k < 2; k++) {
            th_str id = th_strf(&r.arena, "g-%zu-%zu", i, k);
            if (k != i || i == 0)
                MUST(th_exchange_grant_add(n->ex, region_grant(&r, id.p, i, k, "companies", "verify", "[\"name\",\"capital\"]", "[\"A\"]", "none"), &error), &error);
        }
    }
    pump_end();
    grants_share(&b, &a);
    node *nodes[] = {&a, &b};
    pump_start(nodes, 2);
    HTTP(call_as(&ops, "POST", "/records/v1/registers/companies:import", "uscc,name,capital\n91440300708461136T,丙,1\n", "text/csv"), 200, NULL);
    HTTP(call_as(&there, "POST", "/records/v1/registers/companies:import", "uscc,name,capital\n91110108551385082Q,甲,100\n", "text/csv"), 200, NULL);
    reply got = HTTP(call(&clerk, "POST", "/records/v1/verify:everywhere", q), 200, NULL);
    TEXT(th_json_get(got.json, "results")->raw, "{\"name\":\"match\",\"capital\":\"match\"}"); /* one holder: its answer is the answer */
    assert_true(!th_json_bool(got.json, "conflict", true) && th_json_bool(got.json, "complete", false));
    HTTP(call_as(&ops, "POST", "/records/v1/registers/companies:import", "uscc,name,capital\n91110108551385082Q,乙,100\n", "text/csv"), 200, NULL);
    got = HTTP(call(&clerk, "POST", "/records/v1/verify:everywhere", q), 200, NULL);
    TEXT(th_json_get(got.json, "results")->raw, "{\"name\":\"indeterminate\",\"capital\":\"match\"}"); /* two holders that differ: never the newer one */
    assert_true(th_json_bool(got.json, "conflict", false));
    for (int i = 0; i < 400 && !bench_count(b.b.store, "SELECT COUNT(*) FROM records_conflict"); i++)
        usleep(10000);
    assert_int_equal(bench_count(a.b.store, "SELECT COUNT(*) FROM records_conflict WHERE kind = 'nodes'"), 1);
    assert_int_equal(bench_count(b.b.store, "SELECT COUNT(*) FROM records_conflict WHERE kind = 'nodes'"), 1); /* the other holder is told */
    static const char *const wrong[] = {
        "{\"register\":\"none\",\"key\":{\"uscc\":\"91110108551385082Q\"},\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"A\"}}",
        "{\"register\":\"companies\",\"key\":{\"uscc\":\"91110108551385082Q\"},\"claims\":{},\"purpose\":{\"item\":\"A\"}}",
        "{\"register\":\"companies\",\"key\":{\"uscc\":\"9\"},\"claims\":{\"name\":\"甲\"},\"purpose\":{\"item\":\"A\"}}",
        "{\"register\":\"companies\",\"key\":{\"uscc\":\"91110108551385082Q\"},\"claims\":{\"name\":\"甲\"}}"};
    for (size_t i = 0; i < TH_COUNT(wrong); i++)
        HTTP(call(&clerk, "POST", "/records/v1/verify:everywhere", wrong[i]), 400, NULL);
    tear_down_pair(true);
}
ON_BOTH(everywhere_merges_what_the_holders_say_and_opens_a_ticket)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(the_catalogue_is_searched_by_its_words),
        ONE(a_dataset_is_shown_and_downloaded),
        ONE(harvesters_get_dcat),
        BOTH(an_operator_imports_and_hears_of_every_bad_row),
        BOTH(a_request_reaches_its_owner_and_becomes_the_narrowest_grant),
        ONE(a_request_that_is_not_settled_leaves_no_grant),
        ONE(a_request_for_what_cannot_be_had_is_refused_at_once),
        ONE(a_number_is_checked_without_saying_whose_it_is),
        ONE(contradictions_are_tickets_for_people),
        BOTH(everywhere_merges_what_the_holders_say_and_opens_a_ticket),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
