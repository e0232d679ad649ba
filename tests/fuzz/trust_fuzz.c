/* Trust documents, grants and consents. Even first byte: the bytes as they are; odd: they are the signed part of a document that the
 * governor signs, so that what lies behind the signature is reached. */
#include "region.h"

static void trust_holds(const th_trust *t)
{
    MUST(t->threshold >= 1 && t->threshold <= (int64_t)t->governor_count && t->version >= 1);
    for (size_t i = 0; i < t->member_count; i++) {
        const th_member *m = &t->members[i];
        MUST(th_trust_member(t, th_str_of(m->code)) == m && strlen(m->code) == 6);
        for (size_t k = 0; k < m->key_count; k++) {
            char kid[TH_KID_TEXT];
            th_kid_of(m->keys[k].key, kid);
            MUST(th_str_is(m->keys[k].kid, kid) && m->keys[k].use);
        }
    }
}

static void document(th_str text, th_arena *arena)
{
    th_trust *t, *again;
    th_error error = {0};
    th_str diff;
    if (th_trust_read(text, &t, &error)) {
        MUST(error.status != TH_OK && error.en[0] && error.zh[0]);
        return;
    }
    trust_holds(t);
    MUST(th_trust_read(t->document, &again, NULL) == TH_OK && th_hash_eq(&t->digest, &again->digest));
    MUST(th_trust_succeeds(t, again, 0, NULL) == TH_CONFLICT); /* never itself */
    MUST(th_trust_diff(t, again, arena, &diff) == TH_OK && th_str_is(diff, "[]"));
    th_trust_release(again);
    th_trust_release(t);
}

static void grant(th_str text, th_arena *arena)
{
    const th_json *root;
    th_grant g;
    th_grants *all;
    if (th_json_parse(text, arena, &root, NULL) || th_grant_read(root, arena, &g, NULL))
        return;
    MUST(g.id.n && g.not_after_us > g.not_before_us && (g.operation == TH_VERIFY || g.operation == TH_QUERY));
    MUST(th_grants_make(&g.json, 1, &all, NULL) == TH_OK && th_grants_find(all, g.id) != NULL);
    th_wanted w = {.consumer_member = g.consumer_member, .consumer_office = g.consumer_office, .reg = g.reg, .operation = g.operation, .fields = g.fields,
                   .field_count = g.field_count, .item = g.purpose_count ? g.purposes[0] : TH_STR(""), .has_consent = true};
    if (g.purpose_count)
        MUST(th_grant_check(&g, &w, g.not_before_us, NULL) == TH_OK); /* a grant allows just what it says */
    w.consumer_member = TH_STR("999999");
    MUST(th_str_is(g.consumer_member, "999999") || th_grant_check(&g, &w, g.not_before_us, NULL) == TH_FORBIDDEN);
    th_grants_release(all);
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
    switch (data[0] % 4) {
    case 0:
        document(text, &arena);
        break;
    case 1: {
        th_str whole = fuzz_region_sign(r, text, &arena);
        if (whole.p)
            document(whole, &arena);
        break;
    }
    case 2:
        grant(text, &arena);
        break;
    default: {
        th_consent c;
        th_grants *grants;
        MUST(th_consent_read(text, trust, &arena, &c, NULL) != TH_OK); /* nobody forges a signature by chance */
        MUST(th_grants_read(text, trust, TH_STR("110000"), INT64_C(1795507200000000), &grants, NULL) != TH_OK);
    }
    }
    th_arena_close(&arena);
    return 0;
}
