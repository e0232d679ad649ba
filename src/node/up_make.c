/* up_make.c — the first use of a demonstration region: directories, keys, the signed trust document, and what each node holds. */
#include "node/lists.h"
#include "up-private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DOCUMENT_MAX = 4 << 20, TRUST_DAYS = 365 };

static th_str member_name(const th_json *words, const char *lang)
{
    return th_json_str(words, lang);
}

/* ---- directories and keys ---- */

static th_status store_url(const th_up *up, const char *code, char ret[TH_PATH_TEXT])
{
    if (!up->store) {
        snprintf(ret, TH_PATH_TEXT, "sqlite:store.sqlite");
        return TH_OK;
    }
    /* {code} in the URL becomes the node's code: one database each. */
    const char *at = strstr(up->store, "{code}");
    int n = at ? snprintf(ret, TH_PATH_TEXT, "%.*s%s%s", (int)(at - up->store), up->store, code, at + 6) : -1;
    return n > 0 && n < TH_PATH_TEXT ? TH_OK : TH_INVALID;
}

static th_status node_dir_make(th_up *up, th_up_node *node, th_error *error)
{
    th_config c = {.suite = node->suite,
                   .portal_port = node->portal_port,
                   .peer_port = node->peer_port,
                   .demonstration = true,
                   .life_per_minute = (int)up->life,
                   .seed = (uint64_t)up->seed};
    snprintf(c.dir, sizeof c.dir, "%s", node->dir);
    memcpy(c.code, node->code, sizeof c.code);
    snprintf(c.region_dir, sizeof c.region_dir, "%s", up->region);
    snprintf(c.console, sizeof c.console, "%s", up->console);
    snprintf(c.portal_address, sizeof c.portal_address, "127.0.0.1");
    snprintf(c.peer_address, sizeof c.peer_address, "127.0.0.1");
    snprintf(c.portal_url, sizeof c.portal_url, "http://127.0.0.1:%u", node->portal_port);
    snprintf(c.peer_url, sizeof c.peer_url, "https://127.0.0.1:%u", node->peer_port);
    th_status status = store_url(up, node->code, c.store);
    if (status)
        return th_fail(error, status, "store", "--store 须含 {code}", "--store must hold {code}");
    status = th_dir_make(node->dir, error);
    if (!status)
        status = th_keys_make(node->dir, c.suite, error);
    return status ? status : th_config_write(&c, error);
}

/* ---- the trust document: proposed once, signed by every governor ---- */

static th_status trust_make(th_up *up, char ret_path[TH_PATH_TEXT], th_error *error)
{
    th_env env = th_env_real();
    const th_json *name = th_json_get(up->root, "name");
    th_draft draft = {.id = th_json_str(up->root, "id"),
                      .zh = th_json_str(name, "zh"),
                      .en = th_json_str(name, "en"),
                      .version = 1,
                      .threshold = th_json_int(up->root, "threshold", (int64_t)up->n),
                      .issued_us = th_now_us(&env) - TH_MINUTE_US,
                      .arena = &up->arena};
    th_str told, document;
    th_status status = TH_OK;
    draft.expires_us = draft.issued_us + TRUST_DAYS * TH_DAY_US;
    for (size_t i = 0; !status && i < up->n; i++) {
        status = th_member_tell(up->nodes[i].dir, up->nodes[i].zh, up->nodes[i].en, &up->arena, &told, error);
        if (!status)
            status = th_draft_put(&draft, told, error);
    }
    if (!status)
        status = th_draft_document(&draft, &document, error);
    for (size_t i = 0; !status && i < up->n; i++) {
        th_keys keys;
        status = th_keys_read(up->nodes[i].dir, &keys, error);
        if (!status) {
            status = th_trust_sign(document, keys.governor, &up->arena, &document, error);
            th_keys_close(&keys);
        }
    }
    if (!status && !th_path_join(ret_path, up->dir, "region.json"))
        status = TH_TOO_LARGE;
    return status ? status : th_file_write(ret_path, document, 0644, error);
}

/* ---- people ---- */

static bool is_of(const th_json *row, const th_up_node *node)
{
    th_str member = th_json_str(row, "member");
    return th_str_is(member, "*") || th_str_is(member, node->code);
}

static th_status offices_add(th_up *up, const th_up_node *node, th_node *opened, th_error *error)
{
    const th_json *offices = th_json_get(up->root, "offices");
    th_status status = TH_OK;
    for (const th_json *o = th_json_first(offices); o && !status; o = th_json_next(offices, o))
        if (is_of(o, node))
            status = th_people_add_office(opened->people, th_json_str(o, "code"), th_json_str(o, "zh"), th_json_str(o, "en"), th_json_str(o, "uscc"), error);
    return status;
}

/* The node's office whose code ends in what the account says; else its first. */
static th_str office_of(th_up *up, const th_up_node *node, th_str tail)
{
    const th_json *offices = th_json_get(up->root, "offices");
    th_str first = {NULL, 0};
    for (const th_json *o = th_json_first(offices); o; o = th_json_next(offices, o)) {
        th_str code = th_json_str(o, "code");
        if (!is_of(o, node))
            continue;
        if (!first.p)
            first = code;
        if (tail.n && code.n >= tail.n && memcmp(code.p + code.n - tail.n, tail.p, tail.n) == 0)
            return code;
        first = tail.n == 4 && memcmp(tail.p, "HALL", 4) == 0 ? code : first; /* the counter is the last one listed */
    }
    return first;
}

static th_status account_add(th_up *up, const th_up_node *node, th_node *opened, const th_json *a, th_error *error)
{
    char id[TH_ID_TEXT], household[8] = "", degree[8] = "";
    const th_json *person = th_json_get(a, "person"), *name = th_json_get(a, "name");
    th_account_new account = {.login = th_json_str(a, "login"),
                              .password = th_json_str(up->root, "demo_password"),
                              .name = member_name(name, "zh"),
                              .roles = th_role_of(th_json_str(a, "role"))};
    if (person) {
        th_person p;
        snprintf(household, sizeof household, "%.*s", TH_FMT(th_json_str(person, "household")));
        snprintf(degree, sizeof degree, "%.*s", TH_FMT(th_json_str(person, "degree")));
        th_status status = th_records_person(up->region, household, degree[0] ? degree : NULL, (uint64_t)up->seed, th_json_int(person, "nth", 0), &up->arena,
                                             &p, error);
        if (status)
            return status;
        account.name = p.name;
        account.id_number = p.id_number;
    } else {
        account.office = office_of(up, node, th_json_str(a, "office"));
    }
    return th_people_add_account(opened->people, &account, id, error);
}

static th_status accounts_add(th_up *up, const th_up_node *node, th_node *opened, th_error *error)
{
    const th_json *accounts = th_json_get(up->root, "accounts");
    th_status status = TH_OK;
    for (const th_json *a = th_json_first(accounts); a && !status; a = th_json_next(accounts, a))
        if (is_of(a, node))
            status = account_add(up, node, opened, a, error);
    return status;
}

/* ---- grants: every row of grants.json unfolds to this provider and each consumer ---- */

static bool names(const th_json *list, const char *code)
{
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v))
        if (th_str_is(v->text, code))
            return true;
    return false;
}

static void grant_write(th_buf *buf, const th_json *row, const char *provider, th_str consumer, th_arena *arena)
{
    static const char *const copied[] = {"register", "operation", "fields", "purposes", "basis", "consent", "rate", "not_before", "not_after"};
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id", th_strf(arena, "%.*s-%s-%.*s", TH_FMT(th_json_str(row, "id")), provider, TH_FMT(consumer)));
    th_pen_ktext(&pen, "provider", provider);
    th_pen_key(&pen, "consumer");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "member", consumer);
    th_pen_end(&pen, '}');
    for (size_t i = 0; i < TH_COUNT(copied); i++) {
        const th_json *value = th_json_get(row, copied[i]);
        if (value)
            th_pen_kraw(&pen, copied[i], value->raw);
    }
    th_pen_end(&pen, '}');
}

static th_status grants_add(th_up *up, const th_up_node *node, th_node *opened, th_error *error)
{
    char path[TH_PATH_TEXT];
    th_str text;
    const th_json *root;
    th_status status = th_path_join(path, up->region, "grants.json") ? th_file_read(path, 4u << 20, &up->arena, &text, error) : TH_TOO_LARGE;
    if (!status)
        status = th_json_parse(text, &up->arena, &root, error);
    const th_json *rows = status ? NULL : th_json_get(root, "grants");
    for (const th_json *row = th_json_first(rows); row && !status; row = th_json_next(rows, row)) {
        const th_json *consumers = th_json_get(row, "consumers");
        if (!names(th_json_get(row, "providers"), node->code))
            continue;
        for (const th_json *c = th_json_first(consumers); c && !status; c = th_json_next(consumers, c)) {
            th_buf buf;
            th_buf_open(&buf, &up->arena, 64 * 1024);
            grant_write(&buf, row, node->code, c->text, &up->arena);
            status = th_buf_ok(&buf) ? th_exchange_grant_add(opened->exchange, th_buf_view(&buf), error) : TH_TOO_LARGE;
        }
    }
    return status;
}

/* ---- registers ---- */

/* A register of the region for which simulated entries were made; others wait for their owners. */
static th_status register_fill(th_node *opened, const char *dir, const char *file, th_error *error)
{
    char path[TH_PATH_TEXT + 80], name[64];
    size_t n = strlen(file) - strlen(".json");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), file);
    snprintf(path, sizeof path, "%.*s/%s.jsonl", TH_PATH_TEXT - 1, dir, name);
    if (!th_file_exists(path))
        return TH_OK;
    th_status status = th_records_import(opened->records, th_str_of(name), path, "jsonl", NULL, NULL, error);
    unlink(path);
    return status;
}

static th_status registers_fill(th_up *up, const th_up_node *node, th_node *opened, th_error *error)
{
    char dir[TH_PATH_TEXT], registers[TH_PATH_TEXT], **names;
    size_t n = 0;
    th_status status = th_path_join(dir, node->dir, "generated") && th_path_join(registers, up->region, "registers") ? th_dir_make(dir, error) : TH_TOO_LARGE;
    if (!status)
        status = th_records_generate(up->region, node->code, (uint64_t)up->seed, up->people, dir, error);
    if (!status)
        status = th_dir_list(registers, ".json", &up->arena, &names, &n, error);
    for (size_t i = 0; !status && i < n; i++)
        status = register_fill(opened, dir, names[i], error);
    return status ? status : th_dir_remove(dir, error); /* with what no register of this region wanted */
}

/* An existing database in front of the register: a real PostgreSQL with a plain table of its own, as a city already has. */
static const char front_schema[] =
    "-- migration 1: a population table of the city's own\n"
    "CREATE TABLE resident (id_number TEXT PRIMARY KEY, name TEXT NOT NULL, sex TEXT, birth_date TEXT, household_region TEXT, "
    "household_county TEXT, status TEXT);\n";

static th_status front_apply(th_change *change, th_db *db, th_error *error)
{
    static const char *const columns[] = {"id_number", "name", "sex", "birth_date", "household_region", "household_county", "status"};
    th_str rest = *(th_str *)change->ctx, line;
    th_status status = TH_OK;
    while (!status && rest.n && th_str_cut(&rest, '\n', &line)) {
        th_arena arena;
        const th_json *row;
        th_value values[TH_COUNT(columns)];
        th_arena_open(&arena, 256 * 1024);
        status = th_json_parse(line, &arena, &row, error);
        for (size_t i = 0; !status && i < TH_COUNT(columns); i++)
            values[i] = th_v_text(th_json_str(row, columns[i]));
        if (!status)
            status = th_db_exec(db,
                                "INSERT INTO resident (id_number, name, sex, birth_date, household_region, household_county, status) VALUES "
                                "(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id_number) DO NOTHING",
                                values, TH_COUNT(values), NULL, error);
        th_arena_close(&arena);
    }
    return status;
}

static th_status front_fill(th_up *up, const th_up_node *node, th_writer *writer, th_error *error)
{
    char dir[TH_PATH_TEXT], path[TH_PATH_TEXT + 32];
    th_str text;
    th_status status = th_path_join(dir, node->dir, "generated") ? th_dir_make(dir, error) : TH_TOO_LARGE;
    if (!status)
        status = th_records_generate(up->region, node->code, (uint64_t)up->seed, up->people, dir, error);
    snprintf(path, sizeof path, "%.1000s/population.jsonl", dir);
    th_arena arena;
    th_arena_open(&arena, 1024u << 20);
    if (!status)
        status = th_file_read(path, 1000u << 20, &arena, &text, error);
    th_change change = {.apply = front_apply, .ctx = &text};
    if (!status)
        status = th_writer_run(writer, &change, error);
    th_arena_close(&arena);
    if (!status)
        status = th_dir_remove(dir, error);
    return status;
}

static th_status front_make(th_up *up, const th_up_node *node, th_node *opened, th_error *error)
{
    th_store *store;
    th_writer *writer;
    th_buf json;
    th_status status = th_store_open(up->front, NULL, &store, error);
    if (status)
        return status;
    status = th_store_migrate(store, "city", front_schema, error);
    if (!status && (status = th_writer_open(store, NULL, true, 0, &writer, error)) == TH_OK) {
        status = front_fill(up, node, writer, error);
        th_writer_close(writer);
    }
    th_store_close(store);
    if (status)
        return status;
    th_buf_open(&json, &up->arena, 8192);
    th_pen pen = th_pen_on(&json);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "register", "population");
    th_pen_ktext(&pen, "source", "sql");
    th_pen_ktext(&pen, "database", up->front);
    th_pen_ktext(&pen, "verify_query", "SELECT name, sex, birth_date, household_region, household_county, status FROM resident WHERE id_number = ?1");
    th_pen_kraw(&pen, "columns", TH_STR("[\"name\",\"sex\",\"birth_date\",\"household_region\",\"household_county\",\"status\"]"));
    th_pen_kbool(&pen, "simulated", true);
    th_pen_end(&pen, '}');
    return th_records_source_set(opened->records, th_buf_view(&json), error);
}

/* ---- all of it ---- */

/* Drafted by the first node, signed with every member's key: in a real region each member signs at home. */
static th_status lists_make(th_up *up, th_node *opened, th_error *error)
{
    static const char *const names[] = {"items", "ecerts"};
    th_status status = TH_OK;
    for (size_t k = 0; !status && k < TH_COUNT(names); k++) {
        th_str *document = &up->lists[k];
        status = th_list_compose(opened, names[k], 1, &up->arena, document, error);
        for (size_t i = 0; !status && i < up->n; i++) {
            th_keys keys;
            status = th_keys_read(up->nodes[i].dir, &keys, error);
            if (!status) {
                status = th_agreement_sign(*document, keys.governor, &up->arena, document, error);
                th_keys_close(&keys);
            }
        }
    }
    return status;
}

static th_status lists_apply(th_up *up, th_node *opened, th_error *error)
{
    th_status status = up->lists[0].n ? TH_OK : lists_make(up, opened, error);
    for (size_t k = 0; !status && k < TH_COUNT(up->lists); k++)
        status = th_exchange_agreement_apply(opened->exchange, up->lists[k], error);
    return status;
}

static th_status node_fill(th_up *up, th_up_node *node, size_t index, th_str document, th_error *error)
{
    th_node *opened;
    th_status status = th_node_open(node->dir, &opened, error);
    if (status)
        return status;
    status = th_exchange_trust_apply(opened->exchange, document, error);
    if (!status)
        status = lists_apply(up, opened, error);
    if (!status)
        status = offices_add(up, node, opened, error);
    if (!status)
        status = accounts_add(up, node, opened, error);
    if (!status)
        status = grants_add(up, node, opened, error);
    if (!status)
        status = registers_fill(up, node, opened, error);
    if (!status && up->front && index + 1 == up->n) /* the last member's population stays in a database of its own */
        status = front_make(up, node, opened, error);
    th_node_close(opened);
    return status;
}

bool th_up_is_made(const th_up *up)
{
    char path[TH_PATH_TEXT];
    return th_path_join(path, up->dir, "made") && th_file_exists(path);
}

/* What the region was made with: an option that asks for something else later is refused, not ignored. */
static th_status made_write(const th_up *up, th_error *error)
{
    char path[TH_PATH_TEXT];
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 64 * 1024);
    th_buf_open(&buf, &arena, 16 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kint(&pen, "people", up->people);
    th_pen_kint(&pen, "seed", up->seed);
    th_pen_kint(&pen, "port-base", up->port_base);
    th_pen_kint(&pen, "life", up->life);
    th_pen_kstr(&pen, "store", th_str_of(up->store));
    th_pen_kstr(&pen, "front", th_str_of(up->front));
    th_pen_end(&pen, '}');
    th_buf_char(&buf, '\n');
    th_status status = th_path_join(path, up->dir, "made") ? th_file_write(path, th_buf_view(&buf), 0644, error) : TH_TOO_LARGE;
    th_arena_close(&arena);
    return status;
}

th_status th_up_same(const th_up *up, th_error *error)
{
    static const char *const options[] = {"people", "seed", "port-base", "life", "store", "front"};
    char path[TH_PATH_TEXT];
    th_arena arena;
    th_str text;
    const th_json *root = NULL;
    th_arena_open(&arena, 256 * 1024);
    th_status status = th_path_join(path, up->dir, "made") ? th_file_read(path, 16 * 1024, &arena, &text, error) : TH_TOO_LARGE;
    if (!status)
        status = th_json_parse(text, &arena, &root, error);
    for (size_t i = 0; !status && i < TH_COUNT(options); i++) {
        const char *asked = th_option(up->args, options[i]);
        const th_json *made = th_json_get(root, options[i]);
        if (!asked || !made || th_str_is(made->text, asked))
            continue;
        th_str had = made->type == TH_JSON_NULL ? TH_STR("—") : made->text;
        status = th_failf(error, TH_CONFLICT, "made-otherwise", "%s 中的区域建立时 --%s 为 %.*s；用 --fresh 重新建立", "The region in %s was made with --%s %.*s; make it anew with --fresh",
                          up->dir, options[i], TH_FMT(had));
    }
    th_arena_close(&arena);
    return status;
}

th_status th_up_make(th_up *up, th_error *error)
{
    char trust[TH_PATH_TEXT];
    th_str document;
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < up->n; i++) {
        if (th_file_exists(up->nodes[i].dir)) /* left by a first use that did not end */
            status = th_dir_remove(up->nodes[i].dir, error);
        if (!status)
            status = node_dir_make(up, &up->nodes[i], error);
    }
    th_say(up->args, TH_BOTH("信任文件：%zu 个治理方签名 · Trust document: %zu governors sign"), up->n, up->n);
    if (!status)
        status = trust_make(up, trust, error);
    if (!status)
        status = th_file_read(trust, DOCUMENT_MAX, &up->arena, &document, error);
    for (size_t i = 0; !status && i < up->n; i++) {
        th_ticker_start(up->args, TH_BOTH("  %s %s %s：载入模拟数据 loading simulated data…"), up->nodes[i].code, up->nodes[i].zh, up->nodes[i].en);
        status = node_fill(up, &up->nodes[i], i, document, error);
        th_ticker_stop();
    }
    return status ? status : made_write(up, error);
}
