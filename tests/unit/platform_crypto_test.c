/* crypto.h's, merkle.h's and httpsig.h's promises, against the standards' own vectors. */
#include "platform/crypto/httpsig.h"
#include "platform/crypto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static th_arena arena;

static int set_up(void **state)
{
    (void)state;
    th_arena_open(&arena, 256u << 20);
    return th_crypto_start() == TH_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    th_arena_close(&arena);
    return 0;
}

static th_str unhex(const char *text)
{
    size_t n = strlen(text) / 2;
    char *bytes = th_alloc(&arena, n + 1);
    assert_true(th_unhex(th_str_of(text), bytes, n));
    return (th_str){bytes, n};
}

static void assert_hash(const th_hash *hash, const char *hex)
{
    char text[65];
    th_hex(hash->b, 32, text);
    assert_string_equal(text, hex);
}

static void hashes_give_the_standards_values(void **state)
{
    (void)state;
    th_hash h = th_hash_str(TH_SUITE_ED25519, TH_STR("abc"));
    assert_hash(&h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    h = th_hash_str(TH_SUITE_SM2, TH_STR("abc")); /* GB/T 32905-2016 annex A.1 */
    assert_hash(&h, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    h = th_hash_str(TH_SUITE_SM2, TH_STR("abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd")); /* A.2 */
    assert_hash(&h, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732");
    uint8_t key[32] = {0}; /* RFC 4231 test 1: twenty bytes 0x0b, zero-padded to 32 is the same key */
    memset(key, 0x0b, 20);
    th_str hi = TH_STR("Hi There");
    h = th_hmac(key, &hi, 1);
    assert_hash(&h, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

static void ed25519_signs_as_rfc8032(void **state)
{
    (void)state;
    th_key *key;
    uint8_t signature[64];
    assert_int_equal(th_key_from_secret(TH_SUITE_ED25519, unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), &key), TH_OK);
    assert_true(th_str_eq(th_key_public(key), unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")));
    assert_int_equal(th_sign(key, TH_STR("\x72"), signature), TH_OK);
    th_str want = unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    assert_memory_equal(signature, want.p, 64);
    assert_int_equal(th_verify(key, TH_STR("\x72"), want), TH_OK);
    assert_int_equal(th_verify(key, TH_STR("\x73"), want), TH_FORBIDDEN);
    th_key_close(key);
}

static th_str unbase64url(const char *text)
{
    th_str bytes;
    assert_int_equal(th_unbase64url(&arena, th_str_of(text), &bytes), TH_OK);
    return bytes;
}

static void p256_verifies_the_example_of_rfc7515(void **state)
{
    (void)state;
    th_key *key, *open;
    uint8_t signature[64];
    /* RFC 7515 appendix A.3. */
    th_str message = TH_STR("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ");
    th_str theirs = unbase64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    th_str x = unbase64url("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), y = unbase64url("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    assert_int_equal(th_key_from_secret(TH_SUITE_P256, unbase64url("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), &key), TH_OK);
    th_str both = th_key_public(key);
    assert_int_equal(both.n, 65);
    assert_int_equal(both.p[0], 4);
    assert_memory_equal(both.p + 1, x.p, 32);
    assert_memory_equal(both.p + 33, y.p, 32);
    assert_int_equal(th_key_from_public(TH_SUITE_P256, both, &open), TH_OK);
    assert_int_equal(th_verify(open, message, theirs), TH_OK);
    assert_int_equal(th_sign(open, message, signature), TH_INVALID); /* no secret */
    assert_int_equal(th_sign(key, message, signature), TH_OK);
    assert_int_equal(th_verify(open, message, (th_str){(char *)signature, 64}), TH_OK);
    signature[40] ^= 1;
    assert_int_equal(th_verify(open, message, (th_str){(char *)signature, 64}), TH_FORBIDDEN);
    memset(signature, 0, sizeof signature); /* r = s = 0, and values beyond the order, are no signatures */
    assert_int_equal(th_verify(open, message, (th_str){(char *)signature, 64}), TH_FORBIDDEN);
    memset(signature, 0xff, sizeof signature);
    assert_int_equal(th_verify(open, message, (th_str){(char *)signature, 64}), TH_FORBIDDEN);
    assert_int_equal(th_verify(open, message, (th_str){(char *)signature, 63}), TH_INVALID);
    th_key_close(open);
    /* A point of the other curve, or of none, is no key. */
    char off[65];
    memcpy(off, both.p, 65);
    off[64] = (char)(off[64] ^ 1);
    assert_int_equal(th_key_from_public(TH_SUITE_P256, (th_str){off, 65}, &open), TH_INVALID);
    assert_int_equal(th_key_from_public(TH_SUITE_SM2, both, &open), TH_INVALID);
    th_key_close(key);
}

static void sm2_verifies_the_example_of_gbt_32918_5(void **state)
{
    (void)state;
    th_key *key;
    /* GB/T 32918.5-2017 annex A.2: "message digest", default identity. */
    assert_int_equal(th_key_from_secret(TH_SUITE_SM2, unhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"), &key), TH_OK);
    assert_true(th_str_eq(th_key_public(key), unhex("0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
                                                    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13")));
    th_str signature = unhex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
                             "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA");
    assert_int_equal(th_verify(key, TH_STR("message digest"), signature), TH_OK);
    assert_int_equal(th_verify(key, TH_STR("message Digest"), signature), TH_FORBIDDEN);
    th_key_close(key);
}

static void every_suite_signs_and_refuses_what_was_changed(void **state)
{
    static const th_suite suites[] = {TH_SUITE_ED25519, TH_SUITE_SM2};
    (void)state;
    for (size_t s = 0; s < 2; s++) {
        th_key *key, *open;
        uint8_t signature[64];
        assert_int_equal(th_key_make(suites[s], &key), TH_OK);
        assert_int_equal(th_key_from_public(suites[s], th_key_public(key), &open), TH_OK);
        assert_int_equal(th_sign(key, TH_STR("hello"), signature), TH_OK);
        assert_int_equal(th_verify(open, TH_STR("hello"), (th_str){(char *)signature, 64}), TH_OK);
        assert_int_equal(th_sign(open, TH_STR("hello"), signature), TH_INVALID);
        for (size_t i = 0; i < 64; i++) {
            signature[i] ^= 0x10;
            assert_int_equal(th_verify(open, TH_STR("hello"), (th_str){(char *)signature, 64}), TH_FORBIDDEN);
            signature[i] ^= 0x10;
        }
        assert_int_equal(th_verify(open, TH_STR("hello"), (th_str){(char *)signature, 63}), TH_INVALID);
        th_key_close(open);
        th_key_close(key);
    }
    th_key *key;
    char off_curve[65] = {4, 1};
    assert_int_equal(th_key_from_public(TH_SUITE_SM2, (th_str){off_curve, 65}, &key), TH_INVALID);
}

static void sealing_binds_every_byte_and_the_context(void **state)
{
    (void)state;
    th_env env = th_env_real();
    uint8_t key[32] = {7};
    th_str sealed, plain;
    assert_int_equal(th_seal(&env, key, TH_STR("张三"), TH_STR("population"), &arena, &sealed), TH_OK);
    assert_int_equal(sealed.n, 6 + TH_SEAL_EXTRA);
    assert_int_equal(th_unseal(key, sealed, TH_STR("population"), &arena, &plain), TH_OK);
    assert_true(th_str_is(plain, "张三"));
    assert_int_equal(th_unseal(key, sealed, TH_STR("degree"), &arena, &plain), TH_FORBIDDEN);
    for (size_t i = 0; i < sealed.n; i++) {
        ((char *)sealed.p)[i] ^= 1;
        assert_int_equal(th_unseal(key, sealed, TH_STR("population"), &arena, &plain), TH_FORBIDDEN);
        ((char *)sealed.p)[i] ^= 1;
    }
    assert_int_equal(th_unseal(key, (th_str){sealed.p, 27}, TH_STR("population"), &arena, &plain), TH_INVALID);
}

static void passwords_and_one_time_codes(void **state)
{
    (void)state;
    char hash[TH_PASSWORD_HASH], code[7];
    assert_int_equal(th_password_hash(TH_STR("correct horse"), hash), TH_OK);
    assert_memory_equal(hash, "$argon2id$", 10);
    assert_int_equal(th_password_check(TH_STR("correct horse"), hash), TH_OK);
    assert_int_equal(th_password_check(TH_STR("correct horsf"), hash), TH_FORBIDDEN);
    /* RFC 6238 appendix B, SHA-1; the last six of its eight digits. */
    static const struct { int64_t at; const char *code; } vectors[] = {{59, "287082"}, {1111111109, "081804"}, {1234567890, "005924"}, {20000000000, "353130"}};
    th_str secret = TH_STR("12345678901234567890");
    for (size_t i = 0; i < TH_COUNT(vectors); i++) {
        int64_t step;
        th_totp_code(secret, vectors[i].at / 30, code);
        assert_string_equal(code, vectors[i].code);
        assert_int_equal(th_totp_check(secret, th_str_of(vectors[i].code), vectors[i].at * TH_SECOND_US, 1, &step), TH_OK);
        assert_int_equal(step, vectors[i].at / 30);
    }
    int64_t step;
    assert_int_equal(th_totp_check(secret, TH_STR("287082"), 59 * TH_SECOND_US + 91 * TH_SECOND_US, 1, &step), TH_FORBIDDEN);
    assert_true(th_str_is(th_base32(&arena, "foobar", 6), "MZXW6YTBOI"));
}

/* ---- Merkle ---- */

static th_hash naive(th_suite suite, const th_hash *leaves, size_t n)
{
    if (n == 1)
        return leaves[0];
    size_t k = 1;
    while (k * 2 < n)
        k *= 2;
    th_hash l = naive(suite, leaves, k), r = naive(suite, leaves + k, n - k);
    return th_merkle_node(suite, &l, &r);
}

typedef struct stored { th_suite suite; const th_hash *leaves; } stored;

static th_status stored_read(void *ctx, int level, uint64_t index, th_hash *ret)
{
    stored *s = ctx;
    *ret = naive(s->suite, s->leaves + (index << level), (size_t)1 << level);
    return TH_OK;
}

static void roots_of_the_certificate_transparency_tree(void **state)
{
    static const char *const leaves_hex[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    th_hash leaves[8];
    (void)state;
    th_hash empty = th_merkle_root(TH_SUITE_ED25519, NULL, 0);
    assert_hash(&empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < 8; i++) {
        leaves[i] = th_merkle_leaf(TH_SUITE_ED25519, unhex(leaves_hex[i]));
        th_hash root = th_merkle_root(TH_SUITE_ED25519, leaves, i + 1);
        assert_hash(&root, roots[i]);
    }
}

static void inclusion_and_consistency_hold_for_every_pair_and_nothing_else(void **state)
{
    enum { N = 40 };
    th_hash leaves[N], path[2 * TH_MERKLE_DEPTH], roots[N + 1];
    size_t n;
    (void)state;
    for (uint64_t i = 0; i < N; i++)
        leaves[i] = th_merkle_leaf(TH_SUITE_ED25519, (th_str){(const char *)&i, sizeof i});
    for (size_t size = 1; size <= N; size++)
        roots[size] = naive(TH_SUITE_ED25519, leaves, size);
    stored s = {TH_SUITE_ED25519, leaves};
    for (size_t size = 1; size <= N; size++) {
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(th_merkle_inclusion(s.suite, i, size, stored_read, &s, path, &n), TH_OK);
            assert_int_equal(th_merkle_check_inclusion(s.suite, &leaves[i], i, size, path, n, &roots[size]), TH_OK);
            if (size > 1)
                assert_int_not_equal(th_merkle_check_inclusion(s.suite, &leaves[i], (i + 1) % size, size, path, n, &roots[size]), TH_OK);
            assert_int_not_equal(th_merkle_check_inclusion(s.suite, &leaves[i], i, size, path, n + 1, &roots[size]), TH_OK);
            for (size_t k = 0; k < n; k++) {
                path[k].b[5] ^= 1;
                assert_int_equal(th_merkle_check_inclusion(s.suite, &leaves[i], i, size, path, n, &roots[size]), TH_FORBIDDEN);
                path[k].b[5] ^= 1;
            }
        }
        for (size_t old = 1; old <= size; old++) {
            assert_int_equal(th_merkle_consistency(s.suite, old, size, stored_read, &s, path, &n), TH_OK);
            assert_int_equal(th_merkle_check_consistency(s.suite, old, &roots[old], size, &roots[size], path, n), TH_OK);
            th_hash forged = roots[old];
            forged.b[0] ^= 1;
            assert_int_not_equal(th_merkle_check_consistency(s.suite, old, &forged, size, &roots[size], path, n), TH_OK);
            for (size_t k = 0; k < n; k++) {
                path[k].b[9] ^= 1;
                assert_int_not_equal(th_merkle_check_consistency(s.suite, old, &roots[old], size, &roots[size], path, n), TH_OK);
                path[k].b[9] ^= 1;
            }
        }
    }
}

static void runs_of_leaves_are_proved_and_give_each_leaf_its_path(void **state)
{
    enum { N = 33 };
    th_hash leaves[N], right[TH_MERKLE_DEPTH], root;
    (void)state;
    for (uint64_t i = 0; i < N; i++)
        leaves[i] = th_merkle_leaf(TH_SUITE_SM2, (th_str){(const char *)&i, sizeof i});
    for (size_t size = 1; size <= N; size++) {
        th_hash want = naive(TH_SUITE_SM2, leaves, size);
        th_frontier left;
        th_frontier_open(&left, TH_SUITE_SM2);
        for (size_t first = 0; first < size; first++) {
            for (size_t end = first + 1; end <= size; end++) {
                size_t right_n;
                th_hash *paths;
                uint8_t *lengths;
                assert_int_equal(th_merkle_right(TH_SUITE_SM2, first, end, size, first, leaves + first, right, &right_n), TH_OK);
                assert_int_equal(th_merkle_range(TH_SUITE_SM2, first, leaves + first, end - first, size, left.peaks,
                                                 (size_t)th_frontier_count(&left), right, right_n, &arena, &root, &paths, &lengths), TH_OK);
                assert_true(th_hash_eq(&root, &want));
                for (size_t i = first; i < end; i++)
                    assert_int_equal(th_merkle_check_inclusion(TH_SUITE_SM2, &leaves[i], i, size, paths + (i - first) * (size_t)th_merkle_levels(size),
                                                               lengths[i - first], &want), TH_OK);
                if (right_n)
                    assert_int_equal(th_merkle_range(TH_SUITE_SM2, first, leaves + first, end - first, size, left.peaks,
                                                     (size_t)th_frontier_count(&left), right, right_n - 1, &arena, &root, NULL, NULL), TH_INVALID);
            }
            th_frontier_add(&left, &leaves[first], NULL, NULL);
            th_arena_reset(&arena);
        }
        th_hash root_now = th_frontier_root(&left);
        assert_true(th_hash_eq(&root_now, &want));
    }
}

/* ---- HTTP signatures ---- */

static void the_ed25519_example_of_rfc9421_holds(void **state)
{
    (void)state;
    /* RFC 9421 B.1.4's key, B.2.6's message: its signature over its base. */
    th_key *key;
    th_str open = unhex("26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb");
    assert_int_equal(th_key_from_public(TH_SUITE_ED25519, open, &key), TH_OK);
    th_component parts[] = {{TH_STR("date"), TH_STR("Tue, 20 Apr 2021 02:07:55 GMT"), false},
                            {TH_STR("@method"), TH_STR("POST"), false},
                            {TH_STR("@path"), TH_STR("/foo"), false},
                            {TH_STR("@authority"), TH_STR("example.com"), false},
                            {TH_STR("content-type"), TH_STR("application/json"), false},
                            {TH_STR("content-length"), TH_STR("18"), false}};
    th_sig_input input;
    th_error error = {0};
    static const char *const required[] = {"@method", NULL}, *const more[] = {"@status", NULL};
    th_str header = TH_STR("sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"
                           ";created=1618884473;keyid=\"test-key-ed25519\"");
    th_str signature = TH_STR("sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:");
    assert_int_equal(th_httpsig_read(header, "sig-b26", &arena, &input, &error), TH_OK);
    assert_int_equal(input.params.created_s, 1618884473);
    assert_int_equal(th_httpsig_check(key, &input, signature, "sig-b26", parts, 6, required, &arena, &error), TH_OK);
    assert_int_equal(th_httpsig_check(key, &input, signature, "sig-b26", parts, 6, more, &arena, &error), TH_FORBIDDEN);
    parts[2].value = TH_STR("/bar");
    assert_int_equal(th_httpsig_check(key, &input, signature, "sig-b26", parts, 6, required, &arena, &error), TH_FORBIDDEN);
    th_key_close(key);
}

static void signatures_round_trip_and_cover_what_they_say(void **state)
{
    (void)state;
    th_key *key;
    th_str header, signature;
    th_sig_input input;
    th_error error = {0};
    static const char *const required[] = {"@status", "tonghui-batch;req", NULL};
    assert_int_equal(th_key_make(TH_SUITE_SM2, &key), TH_OK);
    th_component parts[] = {{TH_STR("@status"), TH_STR("200"), false}, {TH_STR("tonghui-batch"), TH_STR("v=1"), true}};
    th_sig_params params = {.created_s = 5, .expires_s = 9, .nonce = TH_STR("n\"\\x"), .keyid = TH_STR("k"), .tag = TH_STR("t")};
    assert_int_equal(th_httpsig_sign(key, "tonghui", parts, 2, &params, &arena, &header, &signature), TH_OK);
    assert_int_equal(th_httpsig_read(header, "tonghui", &arena, &input, &error), TH_OK);
    assert_true(th_str_is(input.params.nonce, "n\"\\x"));
    assert_true(th_str_is(input.params.tag, "t"));
    assert_int_equal(th_httpsig_check(key, &input, signature, "tonghui", parts, 2, required, &arena, &error), TH_OK);
    parts[1].of_request = false; /* the same name, but of this message */
    assert_int_not_equal(th_httpsig_check(key, &input, signature, "tonghui", parts, 2, required, &arena, &error), TH_OK);
    th_key_close(key);
    static const char *const wrong[] = {
        "tonghui=()", "tonghui=(\"a\" \"a\")", "tonghui=(\"a\");alg=\"ed25519\"", "tonghui=(\"a\");created=1;created=2",
        "tonghui=(\"a\"", "tonghui=(\"a\");created=x", "other=(\"a\")", "tonghui=(\"a\";sf)", "tonghui=(\"a\" )", "",
        "tonghui=(\"a\");created=99999999999999999999", "tonghui=(\"a\");nonce=\"\\q\"", "tonghui=(\"a\"), x=(\"b\")"};
    for (size_t i = 0; i < TH_COUNT(wrong); i++)
        if (th_httpsig_read(th_str_of(wrong[i]), "tonghui", &arena, &input, &error) == TH_OK)
            fail_msg("accepted %s", wrong[i]);
}

static void digests_are_checked_strictly(void **state)
{
    (void)state;
    th_str body = TH_STR("{\"hello\": \"world\"}");
    th_str header = th_digest_header(&arena, body); /* RFC 9530 appendix D */
    assert_true(th_str_is(header, "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"));
    assert_int_equal(th_digest_check(header, body), TH_OK);
    assert_int_equal(th_digest_check(header, TH_STR("{\"hello\": \"World\"}")), TH_FORBIDDEN);
    assert_int_equal(th_digest_check(TH_STR("sha-512=:AAAA:"), body), TH_INVALID);
    assert_int_equal(th_digest_check((th_str){NULL, 0}, body), TH_INVALID);
}

static void tls_identities_are_pinned_by_public_key(void **state)
{
    (void)state;
    th_str cert, key;
    char pin[TH_PIN_TEXT];
    assert_int_equal(th_tls_make("120000", 30, &arena, &cert, &key), TH_OK);
    assert_int_equal(th_tls_pin_of_pem(cert, pin), TH_OK);
    assert_int_equal(strlen(pin), 51);
    assert_int_equal(th_tls_pin_of_pem(TH_STR("nonsense"), pin), TH_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_give_the_standards_values),
        cmocka_unit_test(ed25519_signs_as_rfc8032),
        cmocka_unit_test(p256_verifies_the_example_of_rfc7515),
        cmocka_unit_test(sm2_verifies_the_example_of_gbt_32918_5),
        cmocka_unit_test(every_suite_signs_and_refuses_what_was_changed),
        cmocka_unit_test(sealing_binds_every_byte_and_the_context),
        cmocka_unit_test(passwords_and_one_time_codes),
        cmocka_unit_test(roots_of_the_certificate_transparency_tree),
        cmocka_unit_test(inclusion_and_consistency_hold_for_every_pair_and_nothing_else),
        cmocka_unit_test(runs_of_leaves_are_proved_and_give_each_leaf_its_path),
        cmocka_unit_test(the_ed25519_example_of_rfc9421_holds),
        cmocka_unit_test(signatures_round_trip_and_cover_what_they_say),
        cmocka_unit_test(digests_are_checked_strictly),
        cmocka_unit_test(tls_identities_are_pinned_by_public_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
