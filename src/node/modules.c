/* modules.c — the table of the house: what a node is made of, in the order of opening. Adding a module is one line. */
#include "kernel/records/ids.h"
#include "node/node.h"
#include "services/credit/credit.h"
#include "services/government/government.h"
#include "services/operations/operations.h"

#include <string.h>
#include <unistd.h>

static th_status people_open(th_node *node, void **ret_module, th_error *error)
{
    th_people_options options = {.store = node->store,
                                 .writer = node->writer,
                                 .pool = node->passwords,
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

/* Every file of one folder of the region, as a list of names and texts. */
typedef struct region_files {
    char **names;
    th_str *texts;
    size_t n;
} region_files;

static th_status folder_read(th_node *node, const char *folder, th_arena *arena, region_files *ret, th_error *error)
{
    char dir[TH_PATH_TEXT];
    *ret = (region_files){0};
    th_status status = th_path_join(dir, node->config.region_dir, folder) ? th_dir_list(dir, ".json", arena, &ret->names, &ret->n, error) : TH_TOO_LARGE;
    ret->texts = status ? NULL : th_alloc_array(arena, ret->n + 1, sizeof *ret->texts);
    for (size_t i = 0; ret->texts && !status && i < ret->n; i++) {
        char path[TH_PATH_TEXT];
        status = th_path_join(path, dir, ret->names[i]) ? th_file_read(path, 4u << 20, arena, &ret->texts[i], error) : TH_TOO_LARGE;
    }
    return status;
}

static th_status items_read(th_node *node, th_arena *arena, th_case_file **ret_files, size_t *ret_n, th_error *error)
{
    region_files files;
    th_status status = folder_read(node, "items", arena, &files, error);
    *ret_n = 0;
    *ret_files = status ? NULL : th_alloc_array(arena, files.n + 1, sizeof **ret_files);
    for (size_t i = 0; *ret_files && i < files.n; i++)
        (*ret_files)[(*ret_n)++] = (th_case_file){th_str_of(files.names[i]), files.texts[i]};
    return status;
}

static th_status certificates_open(th_node *node, void **ret_module, th_error *error)
{
    th_arena arena;
    region_files files;
    th_arena_open(&arena, 64u << 20);
    th_status status = folder_read(node, "certificates", &arena, &files, error);
    th_certificate_file *types = status ? NULL : th_alloc_array(&arena, files.n + 1, sizeof *types);
    for (size_t i = 0; types && i < files.n; i++)
        types[i] = (th_certificate_file){th_str_of(files.names[i]), files.texts[i]};
    th_certificates_options options = {.code = node->config.code,
                                       .portal = node->config.portal_url,
                                       .types = types,
                                       .type_count = types ? files.n : 0,
                                       .store = node->store,
                                       .writer = node->writer,
                                       .pool = node->pool,
                                       .env = &node->env,
                                       .exchange = node->exchange,
                                       .key = node->keys.certificate,
                                       .key_p256 = node->keys.certificate_p256,
                                       .x509 = {node->keys.x509, node->keys.x509_n},
                                       .call = th_portal_call};
    memcpy(options.secret, node->keys.secret, sizeof options.secret);
    if (!status)
        status = th_certificates_open(&options, &node->certificates, error);
    th_arena_close(&arena);
    *ret_module = node->certificates;
    return status;
}

static th_status region_file(th_node *node, const char *name, th_arena *arena, th_str *ret_text, th_error *error)
{
    char path[TH_PATH_TEXT];
    return th_path_join(path, node->config.region_dir, name) ? th_file_read(path, 4u << 20, arena, ret_text, error) : TH_TOO_LARGE;
}

/* A file that a region may do without: `fallback` (static) stands for it. */
static th_status region_file_or(th_node *node, const char *name, const char *fallback, th_arena *arena, th_str *ret_text, th_error *error)
{
    char path[TH_PATH_TEXT];
    if (!th_path_join(path, node->config.region_dir, name))
        return TH_TOO_LARGE;
    if (access(path, F_OK) == 0)
        return region_file(node, name, arena, ret_text, error);
    *ret_text = th_str_of(fallback);
    return TH_OK;
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
                                .exchange = node->exchange,
                                .certificates = node->certificates,
                                .pool = node->pool};
    memcpy(options.secret, node->keys.secret, sizeof options.secret);
    if (!status)
        status = th_cases_open(&options, &node->cases, error);
    th_arena_close(&arena);
    *ret_module = node->cases;
    return status;
}

static th_status credit_open(th_node *node, void **ret_module, th_error *error)
{
    th_arena arena;
    th_str lists = {NULL, 0};
    th_arena_open(&arena, 8u << 20);
    th_status status = region_file(node, "credit.json", &arena, &lists, error);
    th_credit_options options = {.code = node->config.code,
                                 .lists = lists,
                                 .store = node->store,
                                 .writer = node->writer,
                                 .env = &node->env,
                                 .exchange = node->exchange,
                                 .cases = node->cases};
    if (!status)
        status = th_credit_open(&options, (th_credit **)&node->credit, error);
    th_arena_close(&arena);
    *ret_module = node->credit;
    return status;
}

static void credit_close(void *module)
{
    th_credit_close(module);
}

static th_status government_open(th_node *node, void **ret_module, th_error *error)
{
    th_arena arena;
    th_str pinyin = {NULL, 0}, everyday = {NULL, 0};
    th_arena_open(&arena, 16u << 20);
    th_status status = region_file_or(node, "words/pinyin.txt", "", &arena, &pinyin, error);
    if (!status)
        status = region_file_or(node, "words/everyday.json", "{}", &arena, &everyday, error);
    th_government_options options = {.code = node->config.code,
                                     .pinyin = pinyin,
                                     .everyday = everyday,
                                     .cases = node->cases,
                                     .exchange = node->exchange,
                                     .certificates = node->certificates,
                                     .store = node->store,
                                     .writer = node->writer,
                                     .env = &node->env};
    if (!status)
        status = th_government_open(&options, (th_government **)&node->government, error);
    th_arena_close(&arena);
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
                                     .people = node->people,
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

static void certificates_close(void *module)
{
    th_certificates_close(module);
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
    {"certificates", th_certificates_schema, certificates_open, th_certificates_routes, th_certificates_schemas, certificates_close},
    {"cases", th_cases_schema, cases_open, th_cases_routes, th_cases_schemas, cases_close},
    {"credit", th_credit_schema, credit_open, th_credit_routes, th_credit_schemas, credit_close},
    {"government", th_government_schema, government_open, th_government_routes, th_government_schemas, government_close},
    {"operations", th_operations_schema, operations_open, th_operations_routes, th_operations_schemas, operations_close},
};

const th_module *th_modules(size_t *ret_n)
{
    *ret_n = TH_COUNT(modules);
    return modules;
}
