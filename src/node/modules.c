/* modules.c — the table of the house: what a node is made of, in the order of opening. Adding a module is one line. */
#include "kernel/records/ids.h"
#include "node/node.h"
#include "services/government/government.h"
#include "services/operations/operations.h"

#include <string.h>

static th_status people_open(th_node *node, void **ret_module, th_error *error)
{
    th_people_options options = {.store = node->store,
                                 .writer = node->writer,
                                 .pool = node->pool,
                                 .env = &node->env,
                                 .secure_cookies = node->config.portal_cert[0] != 0,
                                 .cookie_suffix = node->config.code,
                                 .id_number_ok = th_citizen_id_ok};
    memcpy(options.secret, node->keys.secret, sizeof options.secret);
    th_status status = th_people_open(&options, &node->people, error);
    *ret_module = node->people;
    return status;
}

/* The exchange is opened by the node itself, before the writer whose hooks it gives; here it only takes its place in the table. */
static th_status exchange_place(th_node *node, void **ret_module, th_error *error)
{
    (void)error;
    *ret_module = node->exchange;
    return TH_OK;
}

static th_status records_open(th_node *node, void **ret_module, th_error *error)
{
    th_records_options options = {.code = node->config.code,
                                  .region_dir = node->config.region_dir,
                                  .store = node->store,
                                  .writer = node->writer,
                                  .pool = node->pool,
                                  .env = &node->env,
                                  .http_get = th_upstream_get,
                                  .http_ctx = NULL};
    memcpy(options.secret, node->keys.secret, sizeof options.secret);
    th_status status = th_records_open(&options, &node->records, error);
    if (!status)
        status = th_records_attach(node->records, node->exchange, error);
    *ret_module = node->records;
    return status;
}

static th_status items_read(th_node *node, th_arena *arena, th_case_file **ret_files, size_t *ret_n, th_error *error)
{
    char dir[TH_PATH_TEXT];
    char **names;
    *ret_n = 0;
    th_status status = th_path_join(dir, node->config.region_dir, "items") ? th_dir_list(dir, ".json", arena, &names, ret_n, error)
                                                                           : TH_TOO_LARGE;
    *ret_files = status ? NULL : th_alloc_array(arena, *ret_n + 1, sizeof **ret_files);
    for (size_t i = 0; *ret_files && !status && i < *ret_n; i++) {
        char path[TH_PATH_TEXT];
        (*ret_files)[i].name = th_str_of(names[i]);
        status = th_path_join(path, dir, names[i]) ? th_file_read(path, 4u << 20, arena, &(*ret_files)[i].text, error) : TH_TOO_LARGE;
    }
    return status;
}

static th_status region_file(th_node *node, const char *name, th_arena *arena, th_str *ret_text, th_error *error)
{
    char path[TH_PATH_TEXT];
    return th_path_join(path, node->config.region_dir, name) ? th_file_read(path, 4u << 20, arena, ret_text, error) : TH_TOO_LARGE;
}

static th_status cases_open(th_node *node, void **ret_module, th_error *error)
{
    th_arena arena;
    th_case_file *files;
    size_t n = 0;
    th_str calendar = {NULL, 0}, clocks = {NULL, 0}, machine = {NULL, 0};
    th_arena_open(&arena, 64u << 20);
    th_status status = items_read(node, &arena, &files, &n, error);
    if (!status)
        status = region_file(node, "calendar/working-days.json", &arena, &calendar, error);
    if (!status)
        status = region_file(node, "clocks.json", &arena, &clocks, error);
    if (!status)
        status = region_file(node, "cases.json", &arena, &machine, error);
    th_cases_options options = {.code = node->config.code,
                                .items = files,
                                .item_count = n,
                                .calendar = calendar,
                                .clocks = clocks,
                                .machine = machine,
                                .store = node->store,
                                .writer = node->writer,
                                .env = &node->env,
                                .message_key = node->keys.message,
                                .exchange = node->exchange};
    memcpy(options.secret, node->keys.secret, sizeof options.secret);
    if (!status)
        status = th_cases_open(&options, &node->cases, error);
    th_arena_close(&arena);
    *ret_module = node->cases;
    return status;
}

static th_status government_open(th_node *node, void **ret_module, th_error *error)
{
    th_status status = th_government_open(node->cases, node->exchange, (th_government **)&node->government, error);
    *ret_module = node->government;
    return status;
}

static th_status operations_open(th_node *node, void **ret_module, th_error *error)
{
    th_operations_options options = {.code = node->config.code,
                                     .region_dir = node->config.region_dir,
                                     .env = &node->env,
                                     .store = node->store,
                                     .writer = node->writer,
                                     .exchange = node->exchange,
                                     .cases = node->cases,
                                     .demonstration = node->config.demonstration,
                                     .life_per_minute = node->config.demonstration ? node->config.life_per_minute : 0,
                                     .seed = node->config.seed};
    th_status status = th_operations_open(&options, (th_operations **)&node->operations, error);
    *ret_module = node->operations;
    return status;
}

static void people_close(void *module)
{
    th_people_close(module);
}

static void records_close(void *module)
{
    th_records_close(module);
}

static void cases_close(void *module)
{
    th_cases_close(module);
}

static void government_close(void *module)
{
    th_government_close(module);
}

static void operations_close(void *module)
{
    th_operations_close(module);
}

static const th_module modules[] = {
    {"people", th_people_schema, people_open, th_people_routes, th_people_schemas, people_close},
    {"exchange", th_exchange_schema, exchange_place, th_exchange_routes, th_exchange_schemas, NULL},
    {"records", th_records_schema, records_open, th_records_routes, th_records_schemas, records_close},
    {"cases", th_cases_schema, cases_open, th_cases_routes, th_cases_schemas, cases_close},
    {"government", NULL, government_open, th_government_routes, th_government_schemas, government_close},
    {"operations", th_operations_schema, operations_open, th_operations_routes, th_operations_schemas, operations_close},
};

const th_module *th_modules(size_t *ret_n)
{
    *ret_n = TH_COUNT(modules);
    return modules;
}
