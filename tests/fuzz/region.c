/* region.c — members 110000 and 120000 and one governor, of fixed keys. */
#include "region.h"

static th_key *key_of(uint8_t secret)
{
    char bytes[32];
    th_key *key;
    memset(bytes, secret, sizeof bytes);
    MUST(th_key_from_secret(TH_SUITE_ED25519, (th_str){bytes, sizeof bytes}, &key) == TH_OK);
    return key;
}

static void key_write(th_pen *pen, const th_key *key, th_arena *arena)
{
    char kid[TH_KID_TEXT];
    th_kid_of(key, kid);
    th_pen_ktext(pen, "kid", kid);
    th_pen_ktext(pen, "suite", th_suite_name(th_key_suite(key)));
    th_pen_kstr(pen, "public", th_base64url(arena, th_key_public(key).p, th_key_public(key).n));
}

static void member_write(fuzz_region *r, th_pen *pen, int i)
{
    static const char *const codes[] = {"110000", "120000"}, *const uses[] = {"message", "journal"};
    const th_key *keys[] = {r->message[i], r->journal[i]};
    th_pen_object(pen);
    th_pen_ktext(pen, "code", codes[i]);
    th_pen_kwords(pen, "name", "甲", "One");
    th_pen_kstr(pen, "peer", th_strf(&r->arena, "https://peer.%s.test", codes[i]));
    th_pen_kstr(pen, "portal", th_strf(&r->arena, "https://portal.%s.test", codes[i]));
    th_pen_key(pen, "keys");
    th_pen_array(pen);
    for (int k = 0; k < 2; k++) {
        th_pen_object(pen);
        key_write(pen, keys[k], &r->arena);
        th_pen_ktext(pen, "use", uses[k]);
        th_pen_ktext(pen, "not_before", "2026-01-01T00:00:00Z");
        th_pen_ktext(pen, "not_after", "2027-01-01T00:00:00Z");
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_key(pen, "tls");
    th_pen_array(pen);
    th_pen_str(pen, th_strf(&r->arena, "sha256/%.*s=", 43, i ? "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB" : "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

th_str fuzz_region_sign(fuzz_region *r, th_str signed_part, th_arena *arena)
{
    th_str document;
    if (th_trust_propose(signed_part, arena, &document, NULL) || th_trust_sign(document, r->governor, arena, &document, NULL))
        return (th_str){NULL, 0};
    return document;
}

fuzz_region *fuzz_region_open(void)
{
    static fuzz_region region;
    fuzz_region *r = &region;
    th_buf buf;
    if (r->governor)
        return r;
    MUST(th_crypto_start() == TH_OK);
    th_arena_open(&r->arena, 4u << 20);
    for (uint8_t i = 0; i < 2; i++) {
        r->message[i] = key_of((uint8_t)(10 + i));
        r->journal[i] = key_of((uint8_t)(20 + i));
    }
    r->governor = key_of(30);
    th_buf_open(&buf, &r->arena, 1 << 20);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "region", "fuzz");
    th_pen_kwords(&pen, "name", "试", "Test");
    th_pen_kint(&pen, "version", 1);
    th_pen_ktext(&pen, "issued", "2026-01-01T00:00:00Z");
    th_pen_ktext(&pen, "expires", "2027-01-01T00:00:00Z");
    th_pen_key(&pen, "governors");
    th_pen_object(&pen);
    th_pen_kint(&pen, "threshold", 1);
    th_pen_key(&pen, "keys");
    th_pen_array(&pen);
    th_pen_object(&pen);
    key_write(&pen, r->governor, &r->arena);
    th_pen_ktext(&pen, "holder", "110000");
    th_pen_end(&pen, '}');
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "members");
    th_pen_array(&pen);
    for (int i = 0; i < 2; i++)
        member_write(r, &pen, i);
    th_pen_end(&pen, ']');
    th_pen_kraw(&pen, "suspended", TH_STR("[]"));
    th_pen_end(&pen, '}');
    r->document = fuzz_region_sign(r, th_buf_view(&buf), &r->arena);
    MUST(r->document.p != NULL);
    return r;
}
