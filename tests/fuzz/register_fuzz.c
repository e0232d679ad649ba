/* Register definitions: a file of the region is taken or refused with its name, and a register that is taken answers for every field. */
#include "fuzz.h"
#include "records-private.h"

#include <sys/stat.h>

static th_store *store;
static th_writer *writer;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const modules[] = {"records"};
    const char *schemas[] = {th_records_schema()};
    char path[200];
    th_records *records;
    th_error error = {0};
    th_env env = fuzz_env();
    if (!store) {
        MUST(th_crypto_start() == TH_OK);
        store = fuzz_store(modules, schemas, 1);
        MUST(th_writer_open(store, NULL, false, 0, &writer, NULL) == TH_OK);
        snprintf(path, sizeof path, "%s/registers", fuzz_dir());
        MUST(mkdir(path, 0700) == 0);
    }
    snprintf(path, sizeof path, "%s/registers/one.json", fuzz_dir());
    FILE *file = fopen(path, "we");
    MUST(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    th_records_options options = {.code = "110000", .region_dir = fuzz_dir(), .store = store, .writer = writer, .env = &env};
    th_status status = th_records_open(&options, &records, &error);
    if (status) {
        MUST(error.en[0] && strstr(error.en, "one.json"));
        return 0;
    }
    th_arena arena;
    th_arena_open(&arena, 16u << 20);
    for (size_t i = 0; i < records->register_count; i++) {
        const th_register *reg = &records->registers[i];
        MUST(reg->name.n && reg->key_count >= 1 && reg->key_count <= TH_REGISTER_KEYS_MAX);
        for (size_t f = 0; f < reg->field_count; f++) {
            static const char *const tries[] = {"", "x", "1", "110101199003070011", "2026-11-24", "中文"};
            MUST(th_field_find(reg, reg->fields[f].name) == &reg->fields[f]);
            for (size_t t = 0; t < TH_COUNT(tries); t++) {
                th_str text;
                unsigned changes = 0;
                const char *code, *zh, *en;
                if (!th_field_take(&reg->fields[f], th_str_of(tries[t]), th_now_us(&env), &arena, &text, &changes, &code, &zh, &en))
                    MUST(code[0] && zh[0] && en[0]);
            }
        }
    }
    th_arena_close(&arena);
    th_records_close(records);
    return 0;
}
