/* records.h's promises about what registers are: definitions that are refused when they promise what cannot be kept, and imports that
 * become one version, whose bad rows are said with line, field and reason. */
#include "records-private.h"
#include "region.h"

#include <unistd.h>

static region r;
static node n;
static th_error error;

static void set_up_node(bool pg)
{
    memset(&error, 0, sizeof error);
    region_open(&r, 2);
    node_open_whole(&n, &r, 0, pg, fixture_dir, false);
}

static void tear_down_node(void)
{
    node_close(&n);
    region_close(&r);
}

/* ---- definitions ---- */

typedef struct definition { const char *what, *find, *put, *pointer; } definition;

/* The fixture's register of persons with one thing changed must be refused, with the pointer in the words. */
static void definition_refused(const definition *d, const char *good)
{
    char path[200];
    th_records *records = NULL;
    const char *at = strstr(good, d->find);
    th_records_options options = {.code = "110000", .region_dir = path, .store = n.b.store, .writer = n.writer, .pool = n.pool, .env = &n.b.env};
    assert_non_null(at);
    th_str text = th_strf(&n.b.arena, "%.*s%s%s", (int)(at - good), good, d->put, at + strlen(d->find));
    bench_shell("rm -rf %s/one && mkdir -p %s/one/registers", n.b.dir, n.b.dir);
    bench_file(&n.b, "one/registers/x.json", text.p, path, sizeof path);
    snprintf(path, sizeof path, "%s/one", n.b.dir);
    memset(&error, 0, sizeof error);
    th_status status = th_records_open(&options, &records, &error);
    if (!status || strcmp(error.type, "register-file") != 0 || !strstr(error.en, d->pointer) || !strstr(error.zh, "x.json"))
        fail_msg("%s: %d %s", d->what, (int)status, error.en);
}

static void a_register_that_promises_what_it_cannot_keep_is_refused_whole(bool pg)
{
    static const definition wrong[] = {
        {"not JSON", "{\"name\"", "{name", ""},
        {"no name", "\"name\":\"persons\",", "", "/name"},
        {"no schema", "\"schema\":{", "\"schemas\":{", "/schema"},
        {"a type that is none", "\"born\":{\"type\":\"string\"", "\"born\":{\"type\":\"date\"", "/schema/properties/born"},
        {"no words", "\"title\":\"出生\",", "", "/schema/properties/born"},
        {"a format that is none", "\"format\":\"date\"", "\"format\":\"data\"", "/schema/properties/born"},
        {"a member of a field that is none", "\"maxLength\":40", "\"maxLenght\":40", "/schema/properties/name"},
        {"a pattern that is none", "^[A-Z]{2}-", "^[A-Z{2}-", "/schema/properties/card"},
        {"a key that is no field", "\"key\":[\"id_number\"]", "\"key\":[\"number\"]", "/key"},
        {"a key that may be absent", "\"required\":[\"id_number\",\"name\"]", "\"required\":[\"name\"]", "/key"},
        {"a number for a key", "\"key\":[\"id_number\"]", "\"key\":[\"score\"]", "/key"},
        {"no key", "\"key\":[\"id_number\"]", "\"key\":[]", "/key"},
        {"a promise about no field", "\"verifiable\":[\"name\"", "\"verifiable\":[\"nick\"", "/verifiable"},
        {"a query of no field", "\"queryable\":[\"name\"", "\"queryable\":[\"nick\"", "/queryable"},
        {"a query of a predicate", "\"queryable\":[\"name\"", "\"queryable\":[\"within\"", "/queryable"},
        {"a mask of no field", "\"masked\":[\"id_number\"", "\"masked\":[\"nick\"", "/masked"},
        {"an age of no date", "\"kind\":\"age\",\"field\":\"born\"", "\"kind\":\"age\",\"field\":\"name\"", "/predicates"},
        {"a kind that is none", "\"kind\":\"age\"", "\"kind\":\"aged\"", "/predicates"},
        {"an order without ranks", "\"order\":[\"1\",\"2\",[\"3\",\"3a\"]]", "\"order\":[]", "/predicates"},
        {"a state without states", "\"in\":[\"valid\"],", "", "/predicates"},
        {"no words for a predicate", "\"title\":\"年满\",", "", "/predicates"},
        {"within of no region", "\"kind\":\"within\",\"field\":\"region\"", "\"kind\":\"within\",\"field\":\"name\"", "/predicates"}};
    char path[200];
    set_up_node(pg);
    snprintf(path, sizeof path, "%s/registers/persons.json", fixture_dir);
    th_str good = bench_read(&n.b, path);
    for (size_t i = 0; i < TH_COUNT(wrong); i++)
        definition_refused(&wrong[i], th_str_keep(&n.b.arena, good).p);
    tear_down_node();
}
ON_SQLITE(a_register_that_promises_what_it_cannot_keep_is_refused_whole)

static void what_is_held_is_listed_without_its_content(bool pg)
{
    th_str json;
    set_up_node(pg);
    MUST(th_records_list(n.records, NULL, &n.b.arena, &json, &error), &error);
    const th_json *items = th_json_get(bench_json(&n.b.arena, json), "items");
    assert_int_equal(items->count, 3);
    const th_json *persons = th_json_at(items, 2), *fields = th_json_get(persons, "fields");
    TEXT(th_json_str(persons, "name"), "persons");
    TEXT(th_json_str(persons, "source"), "local");
    assert_int_equal(th_json_int(persons, "version", -1), 0);
    assert_int_equal(fields->count, 11);
    assert_true(th_json_bool(th_json_at(fields, 0), "key", false) && th_json_bool(th_json_at(fields, 0), "sensitive", false) && !th_json_bool(th_json_at(fields, 0), "verify", true));
    assert_true(th_json_bool(th_json_at(fields, 1), "verify", false) && th_json_bool(th_json_at(fields, 1), "query", false));
    tear_down_node();
}
ON_SQLITE(what_is_held_is_listed_without_its_content)

/* ---- imports ---- */

typedef struct report { th_str lines[200]; size_t count; } report;
static report said;

static void report_line(void *ctx, th_str json)
{
    (void)ctx;
    if (said.count < TH_COUNT(said.lines))
        said.lines[said.count++] = th_str_keep(&n.b.arena, json);
}

static th_status import(const char *reg, const char *format, const char *text)
{
    char path[200];
    bench_file(&n.b, "import.txt", text, path, sizeof path);
    said.count = 0;
    memset(&error, 0, sizeof error);
    return th_records_import(n.records, th_str_of(reg), path, format, report_line, NULL, &error);
}

static const th_json *last(void)
{
    assert_true(said.count > 0);
    return bench_json(&n.b.arena, said.lines[said.count - 1]);
}

static void summary_is(int kept, int refused, int noted, int conflicts)
{
    const th_json *j = last();
    const struct { const char *name; int want; } wanted[] = {{"kept", kept}, {"refused", refused}, {"noted", noted}, {"conflicts", conflicts}};
    for (size_t i = 0; i < TH_COUNT(wanted); i++)
        if (th_json_int(j, wanted[i].name, -1) != wanted[i].want)
            fail_msg("%s should be %d: %.*s", wanted[i].name, wanted[i].want, TH_FMT(said.lines[said.count - 1]));
}

static void said_of(size_t i, int line, const char *field, const char *code)
{
    assert_true(i < said.count);
    const th_json *j = bench_json(&n.b.arena, said.lines[i]);
    if (th_json_int(j, "line", 0) != line || !th_str_is(th_json_str(j, "field"), field) || !th_str_is(th_json_str(j, "code"), code) || !th_json_str(j, "zh").n || !th_json_str(j, "en").n)
        fail_msg("wanted %d %s %s: %.*s", line, field, code, TH_FMT(said.lines[i]));
}

static int64_t entries(void)
{
    return bench_count(n.b.store, "SELECT COUNT(*) FROM records_entry e JOIN records_version v ON v.register = e.register AND v.version = e.version WHERE v.live = 1") - 1; /* one is nobody's */
}

static void bad_rows_are_said_with_line_field_and_reason(bool pg)
{
    set_up_node(pg);
    MUST(import("persons", "csv",
                "id_number,name,born,level,score,card\n"
                "110101199003070011,张三,1990-03-07,1,60,AB-1\n"
                "110101199003070012,李四,1990-03-07,1,60,AB-1\n" /* 3: check digit */
                "11010119900307002x,王五,1990-13-07,1,60,AB-1\n" /* 4: no such month */
                "440524188001010014,,1990-03-07,1,60,AB-1\n"     /* 5: no name */
                "133131199506150018,赵六,1995-06-15,4,60,AB-1\n" /* 6: not in the list */
                "133131199506150018,赵六,1995-06-15,1,101,AB-1\n" /* 7: range */
                "133131199506150018,赵六,1995-06-15,1,6.5,AB-1\n" /* 8: not whole */
                "133131199506150018,赵六,1995-06-15,1,,ab-1\n" /* 9: pattern */
                "133131199506150018,赵六,1995-06-15,1,,AB-1234567\n" /* 10: length */
                "133131199506150018,赵六,1995-06-15\n" /* 11: columns */
                "133131199506150018,\"赵\"六,1995-06-15,1,,\n" /* 12: not CSV */
                "\n"
                "110101199003070011,张三,1990-03-07,1,60,AB-1\n" /* 14: once more */
                " 133131199506150018 ,赵六,1995-06-15,1,,\n"),
         &error);
    summary_is(2, 11, 0, 0);
    static const struct { int line; const char *field, *code; } wanted[] = {
        {3, "id_number", "check-digit"}, {4, "born", "date"}, {5, "name", "required"}, {6, "level", "enum"}, {7, "score", "range"}, {8, "score", "range"}, {9, "card", "pattern"},
        {10, "card", "length"}, {11, "", "columns"}, {12, "", "stray-quote"}, {14, "", "duplicate-key"}};
    assert_int_equal(said.count, TH_COUNT(wanted) + 1);
    for (size_t i = 0; i < TH_COUNT(wanted); i++)
        said_of(i, wanted[i].line, wanted[i].field, wanted[i].code);
    assert_int_equal(entries(), 2);
    tear_down_node();
}
ON_BOTH(bad_rows_are_said_with_line_field_and_reason)

static void lines_of_json_are_read_like_rows(bool pg)
{
    char *text = th_new(200000), *p = text;
    set_up_node(pg);
    p += sprintf(p, "{\"id_number\":\"110101199003070011\",\"name\":\"张三\",\"score\":60,\"simulated\":true}\n\n");
    p += sprintf(p, "{\"id_number\":\"110101199003070011\"\n");                                              /* 3: not JSON */
    p += sprintf(p, "[1]\n");                                                                               /* 4: no object */
    p += sprintf(p, "{\"id_number\":\"440524188001010014\",\"name\":\"李四\",\"nick\":\"x\"}\n");             /* 5: no such field */
    p += sprintf(p, "{\"id_number\":\"440524188001010014\",\"name\":7}\n");                                  /* 6: wrong type */
    p += sprintf(p, "{\"id_number\":\"440524188001010014\",\"name\":\"李四\",\"score\":\"60\"}\n");           /* 7: wrong type */
    p += sprintf(p, "{\"id_number\":\"440524188001010014\",\"name\":\"");
    memset(p, 'x', 100000); /* 8: longer than 64 KiB; the others are kept */
    p += 100000;
    p += sprintf(p, "\"}\n{\"id_number\":\"440524188001010014\",\"name\":\"李四\",\"score\":null}\r\n");
    p += sprintf(p, "{\"id_number\":\"133131199506150018\",\"name\":\"赵六\"}"); /* the last without an end */
    MUST(import("persons", "jsonl", text), &error);
    summary_is(3, 6, 0, 0);
    assert_true(th_json_bool(last(), "simulated", false));
    static const struct { int line; const char *code; } wanted[] = {{3, "json"}, {4, "type"}, {5, "unknown-field"}, {6, "type"}, {7, "type"}, {8, "line-too-long"}};
    for (size_t i = 0; i < TH_COUNT(wanted); i++)
        said_of(i, wanted[i].line, "", wanted[i].code);
    th_free(text);
    tear_down_node();
}
ON_SQLITE(lines_of_json_are_read_like_rows)

static void a_file_in_pieces_of_any_size_is_the_same_file(bool pg)
{
    static const char csv[] = "id_number,name\r\n110101199003070011,\"张\"\"三\"\r\n440524188001010014,李四\r\nx,y\r\n";
    th_str summaries[3];
    set_up_node(pg);
    th_register *reg = th_register_find(n.records, TH_STR("persons"));
    const size_t sizes[] = {1, 3, sizeof csv - 1};
    for (size_t k = 0; k < 3; k++) {
        th_import *im;
        MUST(th_import_open(n.records, reg, true, NULL, NULL, &im, &error), &error);
        for (size_t at = 0; at < sizeof csv - 1; at += sizes[k])
            MUST(th_import_feed(im, (th_str){csv + at, at + sizes[k] < sizeof csv - 1 ? sizes[k] : sizeof csv - 1 - at}, &error), &error);
        MUST(th_import_end(im, &n.b.arena, &summaries[k], &error), &error);
        const th_json *j = bench_json(&n.b.arena, summaries[k]);
        assert_true(th_json_int(j, "kept", 0) == 1 && th_json_int(j, "refused", 0) == 2 && th_json_int(j, "version", 0) == (int64_t)k + 1); /* a quote is no name's */
    }
    tear_down_node();
}
ON_SQLITE(a_file_in_pieces_of_any_size_is_the_same_file)

static void numbers_as_people_write_them_are_kept_in_one_form(bool pg)
{
    set_up_node(pg);
    MUST(import("persons", "csv", "id_number,name\n 11010119900307002x,张三\n１３３１３１１９９５０６１５００１８,赵六\n130503670401001,钱七\n"), &error);
    summary_is(3, 0, 1, 0);
    said_of(0, 4, "id_number", "id-converted"); /* fifteen digits: kept, and said */
    MUST(th_records_export(n.records, TH_STR("persons"), th_str_keep(&n.b.arena, th_strf(&n.b.arena, "%s/out.csv", n.b.dir)).p, "csv", &error), &error);
    th_str out = bench_read(&n.b, th_strf(&n.b.arena, "%s/out.csv", n.b.dir).p);
    assert_true(bench_holds(out, "11010119900307002X,张三") && bench_holds(out, "133131199506150018,赵六") && bench_holds(out, "130503196704010016,钱七"));
    MUST(import("companies", "csv", "uscc,name,capital\n91110108551385082q,甲,-5\n"), &error);
    summary_is(1, 0, 0, 0);
    tear_down_node();
}
ON_SQLITE(numbers_as_people_write_them_are_kept_in_one_form)

static void heads_must_be_the_registers(bool pg)
{
    set_up_node(pg);
    REFUSED(import("persons", "csv", "id_number,nick\n1,2\n"), &error, TH_UNPROCESSABLE, "csv-head");
    assert_true(strstr(error.en, "nick") && strstr(error.zh, "nick"));
    REFUSED(import("persons", "csv", "id_number,name,id_number\n110101199003070011,张三,440524188001010014\n"), &error, TH_UNPROCESSABLE, "csv-head");
    REFUSED(import("persons", "csv", "name\n张三\n"), &error, TH_UNPROCESSABLE, "nothing-kept");
    REFUSED(import("persons", "csv", ""), &error, TH_UNPROCESSABLE, "nothing-kept");
    REFUSED(import("nobody", "csv", "a\n"), &error, TH_NOT_FOUND, "no-register");
    assert_int_equal(th_records_import(n.records, TH_STR("persons"), "/nonexistent", "csv", NULL, NULL, &error), TH_IO);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM records_version WHERE live = 1"), 0);
    MUST(import("persons", "csv", "name,id_number\n张三,110101199003070011\n"), &error); /* in any order */
    tear_down_node();
}
ON_SQLITE(heads_must_be_the_registers)

/* ---- versions ---- */

static int64_t version_rows(int64_t version)
{
    char sql[120];
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM records_entry WHERE register = 'persons' AND version = %lld", (long long)version);
    return bench_count(n.b.store, sql);
}

static void an_import_is_one_version_and_one_that_dies_changes_nothing(bool pg)
{
    static const char rows[] = "id_number,name\n110101199003070011,张三\n440524188001010014,李四\n";
    th_import *im, *second;
    set_up_node(pg);
    th_register *reg = th_register_find(n.records, TH_STR("persons"));
    MUST(import("persons", "csv", rows), &error);
    assert_int_equal(version_rows(1), 3); /* two, and one that is nobody's */
    /* One that dies after its first rows: */
    char *many = th_new(400000), *p = many + sprintf(many, "{\"id_number\":\"110101199003070011\",\"name\":\"张三\"}\n");
    for (int i = 0; i < 4500; i++) {
        char id[19];
        snprintf(id, sizeof id, "11010119900307%03d", i % 1000);
        snprintf(id + 6, 12, "%04d%02d%02d%03d", 1950 + i / 1000 * 10, 3, 7, i % 1000);
        id[17] = th_citizen_id_digit(id);
        id[18] = 0;
        p += sprintf(p, "{\"id_number\":\"%s\",\"name\":\"张三\"}\n", id);
    }
    said.count = 0;
    MUST(th_import_open(n.records, reg, false, report_line, NULL, &im, &error), &error);
    REFUSED(th_import_open(n.records, reg, false, NULL, NULL, &second, &error), &error, TH_BUSY, "importing");
    MUST(th_import_feed(im, th_str_of(many), &error), &error);
    th_import_abandon(im);
    th_free(many);
    if (said.count > 10 || version_rows(2) < 4000)
        fail_msg("%zu %lld", said.count, (long long)version_rows(2));
    assert_int_equal(th_register_live(n.records, reg).version, 1);
    MUST(th_records_reload(n.records, &error), &error);
    assert_int_equal(th_register_live(n.records, reg).version, 1);
    /* The next one: the dead one's rows are swept, the version before stays for who is still reading it. */
    MUST(import("persons", "csv", rows), &error);
    assert_int_equal(th_register_live(n.records, reg).version, 3);
    assert_int_equal(version_rows(2), 0);
    assert_int_equal(version_rows(1), 3);
    MUST(import("persons", "csv", rows), &error);
    assert_int_equal(version_rows(1), 0);
    assert_int_equal(version_rows(3), 3);
    assert_int_equal(version_rows(4), 3);
    assert_int_equal(bench_count(n.b.store, "SELECT COUNT(*) FROM records_version WHERE register = 'persons' AND live = 1"), 1);
    tear_down_node();
}
ON_BOTH(an_import_is_one_version_and_one_that_dies_changes_nothing)

static void what_was_exported_imports_to_the_same(bool pg)
{
    th_str one, two;
    set_up_node(pg);
    MUST(import("companies", "csv", "uscc,name,capital\n91110108551385082Q,\"甲, \"\"乙\"\"\",100\n91440300708461136T,丙,\n"), &error);
    for (int i = 0; i < 2; i++) {
        const char *format = i ? "csv" : "jsonl", *path = th_strf(&n.b.arena, "%s/out.%s", n.b.dir, format).p, *again = th_strf(&n.b.arena, "%s/again.%s", n.b.dir, format).p;
        MUST(th_records_export(n.records, TH_STR("companies"), path, format, &error), &error);
        one = bench_read(&n.b, path);
        assert_true(bench_holds(one, "91110108551385082Q") && bench_holds(one, "丙"));
        MUST(th_records_import(n.records, TH_STR("companies"), path, format, NULL, NULL, &error), &error);
        MUST(th_records_export(n.records, TH_STR("companies"), again, format, &error), &error);
        two = bench_read(&n.b, again);
        assert_true(th_str_eq(one, two));
    }
    REFUSED(th_records_export(n.records, TH_STR("nobody"), "/dev/null", "csv", &error), &error, TH_NOT_FOUND, "no-register");
    assert_int_equal(th_records_export(n.records, TH_STR("companies"), "/nonexistent/x", "csv", &error), TH_IO);
    tear_down_node();
}
ON_SQLITE(what_was_exported_imports_to_the_same)

static void nothing_about_a_person_stands_in_the_store_in_clear(bool pg)
{
    set_up_node(pg);
    MUST(import("persons", "csv", "id_number,name\n110101199003070011,ZHANGSAN\n"), &error);
    node_settle(&n);
    bench_shell("! grep -rlE 'ZHANGSAN|110101199003070011' %s --include='*sqlite*'", n.b.dir);
    tear_down_node();
}
ON_SQLITE(nothing_about_a_person_stands_in_the_store_in_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_register_that_promises_what_it_cannot_keep_is_refused_whole),
        ONE(what_is_held_is_listed_without_its_content),
        BOTH(bad_rows_are_said_with_line_field_and_reason),
        ONE(lines_of_json_are_read_like_rows),
        ONE(a_file_in_pieces_of_any_size_is_the_same_file),
        ONE(numbers_as_people_write_them_are_kept_in_one_form),
        ONE(heads_must_be_the_registers),
        BOTH(an_import_is_one_version_and_one_that_dies_changes_nothing),
        ONE(what_was_exported_imports_to_the_same),
        ONE(nothing_about_a_person_stands_in_the_store_in_clear),
    };
    if (th_crypto_start())
        return 1;
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
