/* JSON bodies: what is accepted has one canonical form, which is accepted again and stays as it is. */
#include "fuzz.h"

static th_arena arena;

static size_t walk(const th_json *v, const th_json *root)
{
    size_t n = 1;
    MUST(v->raw.n > 0 && v->raw.p >= root->raw.p && v->raw.p + v->raw.n <= root->raw.p + root->raw.n);
    uint32_t children = 0;
    for (const th_json *c = th_json_first(v); c; c = th_json_next(v, c), children++) {
        MUST((v->type == TH_JSON_OBJECT) == (c->key.p != NULL || c->key.n > 0 || v->type == TH_JSON_OBJECT));
        n += walk(c, root);
    }
    MUST(children == v->count);
    if (v->type == TH_JSON_STRING)
        MUST(th_utf8_valid(v->text));
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const th_json *root, *again;
    th_error error = {0};
    th_buf canonical, second;
    th_arena_open(&arena, 64u << 20);
    th_status status = th_json_parse(fuzz_input(data, size), &arena, &root, &error);
    MUST(status == TH_OK || status == TH_INVALID || status == TH_TOO_LARGE);
    MUST((status == TH_OK) == (error.status == TH_OK));
    if (!status) {
        walk(root, root);
        th_buf_open(&canonical, &arena, 32u << 20);
        status = th_json_canonical(root, &canonical);
        if (!status) {
            MUST(th_json_parse(th_buf_view(&canonical), &arena, &again, NULL) == TH_OK);
            th_buf_open(&second, &arena, 32u << 20);
            MUST(th_json_canonical(again, &second) == TH_OK);
            MUST(th_str_eq(th_buf_view(&canonical), th_buf_view(&second)));
        }
        for (const th_json *m = th_json_first(root); m; m = th_json_next(root, m))
            if (root->type == TH_JSON_OBJECT)
                MUST(th_json_get_str(root, m->key) == m); /* no key twice */
    }
    th_arena_close(&arena);
    return 0;
}
