/* Receipts, tree heads, journal entries and the trailers of answers: what others hand us as proof. */
#include "ask-private.h"
#include "region.h"

static void receipt(th_str text, th_arena *arena, const th_trust *trust)
{
    th_receipt r, again;
    th_buf buf;
    if (th_receipt_read(text, arena, &r, NULL))
        return;
    MUST(r.path_n <= TH_MERKLE_DEPTH && r.entry.n <= TH_ENTRY_MAX);
    th_buf_open(&buf, arena, 1 << 20);
    th_pen pen = th_pen_on(&buf);
    th_receipt_write(&pen, &r);
    MUST(th_buf_ok(&buf) && th_receipt_read(th_buf_view(&buf), arena, &again, NULL) == TH_OK);
    MUST(again.index == r.index && again.path_n == r.path_n && th_str_eq(again.entry, r.entry) && memcmp(&again.head, &r.head, sizeof r.head) == 0);
    MUST(th_receipt_check(&r, trust, NULL) == th_receipt_check(&again, trust, NULL));
}

static void entry(th_str text, th_arena *arena)
{
    th_entry e, again;
    th_buf one, two;
    if (th_entry_read(text, arena, &e, NULL))
        return;
    th_buf_open(&one, arena, 1 << 20);
    th_entry_write(&one, &e);
    MUST(th_buf_ok(&one) && th_entry_read(th_buf_view(&one), arena, &again, NULL) == TH_OK);
    th_buf_open(&two, arena, 1 << 20);
    th_entry_write(&two, &again);
    MUST(th_str_eq(th_buf_view(&one), th_buf_view(&two)) && !memchr(one.p, '\n', one.n)); /* one line, one spelling */
}

static void trailer(th_str text, th_arena *arena)
{
    th_trailer t;
    th_entry entries[4] = {{0}};
    th_receipt *receipts;
    for (size_t n = 1; n <= 4; n++) {
        if (th_trailer_read(text, n, arena, &t, NULL))
            continue;
        MUST(t.private_n == n && t.left_n <= TH_MERKLE_DEPTH && t.right_n <= TH_MERKLE_DEPTH && t.first >= 0);
        if (th_trailer_prove(&t, entries, n, arena, &receipts, NULL) == TH_OK)
            for (size_t i = 0; i < n; i++) { /* what it proves of all it proves of each */
                th_hash leaf = th_merkle_leaf(t.head.suite, receipts[i].entry);
                MUST(th_merkle_check_inclusion(t.head.suite, &leaf, receipts[i].index, t.head.size, receipts[i].path, receipts[i].path_n, &t.head.root) == TH_OK);
            }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    th_arena arena;
    static th_trust *trust;
    fuzz_region *r = fuzz_region_open();
    if (!trust)
        MUST(th_trust_read(r->document, &trust, NULL) == TH_OK);
    if (!size)
        return 0;
    th_arena_open(&arena, 32u << 20);
    th_str text = fuzz_input(data + 1, size - 1);
    if (data[0] % 3 == 0)
        receipt(text, &arena, trust);
    else if (data[0] % 3 == 1)
        entry(text, &arena);
    else
        trailer(text, &arena);
    th_arena_close(&arena);
    return 0;
}
