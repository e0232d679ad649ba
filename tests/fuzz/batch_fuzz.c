/* A whole batch into a whole exchange over a store in memory. Even first byte: the bytes are the lines of a batch that 110000 signs rightly;
 * odd: they are its headers, one a line, with a body behind them, as a stranger might send them. */
#include "region.h"

static th_store *store;
static th_writer *writer;
static th_exchange *ex;
static fuzz_region *r;
static int runs;
static int64_t effects;

static void wake(void *ctx, const char *peer)
{
    (void)ctx;
    (void)peer;
}

static th_status fact_wanted(void *ctx, const th_message *m, th_arena *arena, th_wanted *wanted, th_str *id_number, th_error *error)
{
    static const th_str fields[] = {{"name", 4}};
    (void)ctx;
    (void)arena;
    (void)error;
    *wanted = (th_wanted){.reg = TH_STR("facts"), .operation = TH_VERIFY, .fields = fields, .field_count = 1};
    *id_number = th_json_str(m->body, "person");
    return TH_OK;
}

static void fact_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    (void)ctx;
    (void)db;
    (void)messages;
    (void)arena;
    for (size_t i = 0; i < n; i++)
        answers[i]->body = TH_STR("{\"results\":{}}");
}

static th_status effect_apply(void *ctx, th_db *db, const th_message *m, th_arena *arena, th_answer *answer, th_error *error)
{
    (void)ctx;
    (void)arena;
    MUST(m->sequence > 0);
    effects++;
    answer->body = TH_STR("{}");
    th_value values[] = {th_v_text(th_str_of(m->id))};
    return th_db_exec(db, "INSERT INTO exchange_revoked (id, at) VALUES (?1, 1) ON CONFLICT (id) DO NOTHING", values, 1, NULL, error);
}

static void open_all(void)
{
    static const char *const modules[] = {"journal", "exchange"};
    const char *schemas[] = {th_journal_schema(), th_exchange_schema()};
    static th_env env;
    const th_message_type types[] = {{.type = "fact", .granted = true, .wanted = fact_wanted, .read = fact_read}, {.type = "effect", .apply = effect_apply}};
    env = fuzz_env();
    store = fuzz_store(modules, schemas, 2);
    th_exchange_options options = {.code = "120000", .store = store, .env = &env, .message_key = r->message[1], .journal_key = r->journal[1], .wake = wake};
    MUST(th_exchange_open(&options, &ex, NULL) == TH_OK);
    th_writer_hooks hooks = th_exchange_hooks(ex);
    MUST(th_writer_open(store, &hooks, false, 0, &writer, NULL) == TH_OK);
    th_exchange_writer_set(ex, writer);
    for (size_t i = 0; i < 2; i++)
        MUST(th_exchange_type_add(ex, &types[i]) == TH_OK);
    MUST(th_exchange_trust_apply(ex, r->document, NULL) == TH_OK);
    th_error error = {0};
    th_status status = th_exchange_grant_add(ex,
                               TH_STR("{\"id\":\"g\",\"provider\":\"120000\",\"register\":\"facts\",\"operation\":\"verify\",\"fields\":[\"name\"],\"consumer\":{\"member\":\"110000\"},"
                                      "\"purposes\":[\"*\"],\"basis\":{\"zh\":\"试验协议第一条\",\"en\":\"trial agreement\"},\"consent\":\"none\",\"not_before\":\"2026-01-01T00:00:00Z\",\"not_after\":\"2027-01-01T00:00:00Z\"}"),
                               &error);
    if (status) {
        fprintf(stderr, "%s %s %s\n", error.type, error.en, error.field_count ? error.fields[0].pointer : "");
        abort();
    }
}

static void close_all(void)
{
    th_writer_close(writer);
    th_exchange_close(ex);
    th_store_close(store);
    writer = NULL;
}

static void done(th_incoming *in)
{
    *(bool *)in->ctx = true;
}

static bool envelope_make(th_incoming *in, th_str body)
{
    th_str *lines;
    size_t n;
    th_env env = fuzz_env();
    if (th_lines_split(body, TH_BATCH_LINES_MAX, &in->arena, &lines, &n, NULL) || !n)
        return false;
    th_hash *leaves = th_alloc_array(&in->arena, n, sizeof *leaves);
    for (size_t i = 0; i < n; i++)
        leaves[i] = th_merkle_leaf(TH_SUITE_ED25519, lines[i]);
    th_envelope e = {.from = "110000", .to = "120000", .n = (int64_t)n, .sequence = runs, .suite = TH_SUITE_ED25519, .root = th_merkle_root(TH_SUITE_ED25519, leaves, n)};
    in->request.body = body;
    in->request.target_uri = TH_STR("https://peer.120000.test/exchange/v1/batch");
    MUST(th_envelope_write(&e, &in->arena, &in->request.batch) == TH_OK);
    MUST(th_wire_sign_request(&in->request, r->message[0], &env, &in->arena) == TH_OK);
    return true;
}

static void headers_take(th_incoming *in, th_str text)
{
    th_str *const headers[] = {&in->request.batch, &in->request.signature_input, &in->request.signature, &in->request.content_digest};
    for (size_t i = 0; i < TH_COUNT(headers); i++)
        if (!th_str_cut(&text, '\n', headers[i]))
            *headers[i] = (th_str){NULL, 0};
    in->request.body = text.p ? text : TH_STR("");
    in->request.target_uri = TH_STR("https://peer.120000.test/exchange/v1/batch");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool ended = false;
    th_incoming in = {.done = done, .ctx = &ended};
    r = fuzz_region_open();
    th_log_level_set(TH_LOG_ERROR);
    if (!size || size > 200000)
        return 0;
    if (writer && ++runs % 500 == 0) /* a store in memory grows */
        close_all();
    if (!writer)
        open_all();
    th_str text = fuzz_input(data + 1, size - 1);
    th_arena_open(&in.arena, 96u << 20);
    memcpy(in.request.pin, "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 52);
    bool signed_rightly = data[0] % 2 == 0;
    if (signed_rightly ? envelope_make(&in, text) : (headers_take(&in, text), true)) {
        th_head before = {0}, after = {0};
        int64_t effects_before = effects;
        th_journal_head_now(th_exchange_journal(ex), &before);
        th_exchange_receive(ex, &in);
        while (th_writer_step(writer)) {
        }
        MUST(ended);
        th_incoming_finish(ex, &in);
        th_journal_head_now(th_exchange_journal(ex), &after);
        MUST(in.answer.status >= 200 && in.answer.status < 600 && in.answer.body.n > 0);
        MUST(after.size >= before.size);
        if (in.answer.status == 200) {
            th_str *lines;
            size_t n, asked;
            MUST(th_lines_split(in.answer.body, TH_BATCH_LINES_MAX + 1, &in.arena, &lines, &n, NULL) == TH_OK);
            MUST(th_lines_split(in.request.body, TH_BATCH_LINES_MAX, &in.arena, &lines, &asked, NULL) == TH_OK && n == asked + 1);
            MUST(after.size >= before.size + asked); /* every line has its entry, refused ones too */
        } else {
            MUST(effects == effects_before); /* a refused batch acts on nothing */
        }
    }
    th_arena_close(&in.arena);
    return 0;
}
