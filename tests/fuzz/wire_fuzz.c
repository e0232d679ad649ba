/* The headers and lines of a batch before anything is trusted: Tonghui-Batch, Signature-Input, Content-Digest, message lines. The first
 * byte says which. */
#include "exchange-private.h"
#include "fuzz.h"
#include "platform/crypto/httpsig.h"

static void envelope(th_str text, th_arena *arena)
{
    th_envelope e;
    th_str written;
    if (th_envelope_read(text, &e, NULL))
        return;
    MUST(th_envelope_write(&e, arena, &written) == TH_OK);
    MUST(th_str_eq(written, text)); /* one spelling only */
}

static void signature(th_str text, th_arena *arena)
{
    th_sig_input input;
    th_error error = {0};
    if (th_httpsig_read(text, "tonghui", arena, &input, &error)) {
        MUST(error.status == TH_INVALID);
        return;
    }
    MUST(input.n > 0 && input.n <= TH_COMPONENTS_MAX);
    for (size_t i = 0; i < input.n; i++)
        for (size_t k = 0; k < i; k++)
            MUST(!th_str_eq(input.components[i].name, input.components[k].name) || input.components[i].of_request != input.components[k].of_request);
    MUST(input.params.created_s >= 0 && input.params.expires_s >= 0);
}

static void message(th_str text, th_arena *arena)
{
    th_message m;
    th_error error = {0};
    if (th_message_read(text, arena, &m, &error)) {
        MUST(error.status != TH_OK);
        return;
    }
    MUST(th_uuid_valid(th_str_of(m.id)) && strlen(m.to) == 6 && m.body && m.body->type == TH_JSON_OBJECT && m.sequence >= 0);
    const th_str texts[] = {m.type, m.grant, m.item, m.case_id, m.office, m.operator_pseudonym, m.consent};
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        MUST((texts[i].p == NULL) == (texts[i].n == 0) && !th_str_has_controls(texts[i]));
    /* What both sides write of it into their journals fits an entry and reads back. */
    th_entry entry = {.index = 1, .at_us = m.at_us, .direction = TH_STR("answered"), .peer = TH_STR("110000"), .id = th_str_of(m.id), .item = m.item, .case_id = m.case_id, .grant = m.grant}, read;
    th_buf buf;
    th_buf_open(&buf, arena, TH_ENTRY_MAX);
    th_entry_write(&buf, &entry);
    MUST(th_buf_ok(&buf) && th_entry_read(th_buf_view(&buf), arena, &read, NULL) == TH_OK && th_str_eq(read.item, m.item));
}

static void lines(th_str text, th_arena *arena)
{
    th_str *all;
    size_t n, bytes = 0;
    if (th_lines_split(text, TH_BATCH_LINES_MAX, arena, &all, &n, NULL))
        return;
    for (size_t i = 0; i < n; i++)
        bytes += all[i].n + 1;
    MUST(bytes == text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(th_str, th_arena *) = {envelope, signature, message, lines};
    th_arena arena;
    if (!size)
        return 0;
    MUST(th_crypto_start() == TH_OK);
    th_arena_open(&arena, 16u << 20);
    th_str text = fuzz_input(data + 1, size - 1);
    if (data[0] % 5 == 4)
        MUST(th_digest_check(text, TH_STR("body")) != TH_OK || text.n == 54);
    else
        parts[data[0] % 5](text, &arena);
    th_arena_close(&arena);
    return 0;
}
