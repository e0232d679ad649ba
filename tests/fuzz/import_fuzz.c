/* Imports into the population register over a store in memory. Even first byte: CSV; odd: JSON lines. Every row is kept or refused, and a
 * kept one is there to be found. */
#include "fuzz.h"
#include "records-private.h"

static th_store *store;
static th_writer *writer;
static th_records *records;
static th_pool *pool;
static int runs;
static int64_t reported;

static void report(void *ctx, th_str json)
{
    th_arena arena;
    const th_json *root;
    (void)ctx;
    th_arena_open(&arena, 1 << 20);
    MUST(th_json_parse(json, &arena, &root, NULL) == TH_OK && th_json_int(root, "line", 0) > 0 && th_json_str(root, "code").n && th_json_str(root, "zh").n);
    reported += !th_json_bool(root, "kept", false);
    th_arena_close(&arena);
}

static void open_all(void)
{
    static const char *const modules[] = {"records"};
    const char *schemas[] = {th_records_schema()};
    static th_env env;
    th_error error = {0};
    env = fuzz_env();
    store = fuzz_store(modules, schemas, 1);
    MUST(th_writer_open(store, NULL, false, 0, &writer, NULL) == TH_OK);
    th_records_options options = {.code = "110000", .region_dir = TH_REGION_DIR, .store = store, .writer = writer, .pool = pool, .env = &env};
    if (th_records_open(&options, &records, &error)) {
        fprintf(stderr, "%s\n", error.en);
        abort();
    }
}

static void close_all(void)
{
    th_records_close(records);
    th_writer_close(writer);
    th_store_close(store);
    writer = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    th_import *import;
    th_arena arena;
    th_str summary;
    th_error error = {0};
    if (!size)
        return 0;
    MUST(th_crypto_start() == TH_OK);
    if (writer && ++runs % 500 == 0)
        close_all();
    if (!writer)
        open_all();
    th_register *reg = th_register_find(records, TH_STR("population"));
    th_live before = th_register_live(records, reg);
    th_str text = fuzz_input(data + 1, size - 1);
    reported = 0;
    th_arena_open(&arena, 1 << 20);
    MUST(th_import_open(records, reg, data[0] % 2 == 0, report, NULL, &import, &error) == TH_OK);
    th_status status = th_import_feed(import, text, &error);
    if (status) {
        th_import_abandon(import);
    } else {
        status = th_import_end(import, &arena, &summary, &error);
        const th_json *root;
        MUST(th_json_parse(summary, &arena, &root, NULL) == TH_OK);
        MUST(th_json_int(root, "refused", -1) == reported);
    }
    th_live after = th_register_live(records, reg);
    MUST(status ? after.version == before.version : after.version > before.version); /* all of its good rows, or none */
    MUST((status == TH_OK) == (error.status == TH_OK));
    th_arena_close(&arena);
    return 0;
}
