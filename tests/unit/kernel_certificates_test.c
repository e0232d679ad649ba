/* The promises of the certificates' pure parts: jose.h, sdjwt.h, statuslist.h, offline.h. */
#include "kernel/certificates/offline.h"
#include "kernel/certificates/sdjwt.h"
#include "kernel/certificates/statuslist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static th_arena arena;
static th_key *issuer, *holder, *stranger, *ed, *sm2;
static th_env env;
static const int64_t now_us = INT64_C(1795000000) * 1000000;

static int set_up(void **state)
{
    (void)state;
    th_arena_open(&arena, 1024u << 20);
    env = th_env_real();
    if (th_crypto_start())
        return -1;
    return th_key_make(TH_SUITE_P256, &issuer) || th_key_make(TH_SUITE_P256, &holder) || th_key_make(TH_SUITE_P256, &stranger) ||
           th_key_make(TH_SUITE_ED25519, &ed) || th_key_make(TH_SUITE_SM2, &sm2);
}

static int tear_down(void **state)
{
    (void)state;
    th_key_close(issuer);
    th_key_close(holder);
    th_key_close(stranger);
    th_key_close(ed);
    th_key_close(sm2);
    th_arena_close(&arena);
    return 0;
}

static const th_json *json(const char *text)
{
    const th_json *root;
    th_str kept = th_str_keep(&arena, th_str_of(text));
    assert_int_equal(th_json_parse(kept, &arena, &root, NULL), TH_OK);
    return root;
}

static th_str b64(const char *text)
{
    return th_base64url(&arena, text, strlen(text));
}

static th_status key_give(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret_key, th_error *error)
{
    (void)jws, (void)payload, (void)error;
    *ret_key = ctx;
    return TH_OK;
}

static th_sdjwt_policy policy(th_key *key)
{
    return (th_sdjwt_policy){.key = key_give, .ctx = key, .now_us = now_us};
}

/* A token made by hand: any header, any payload, any disclosures (already base64url, each with its tilde). */
static th_str forged(const char *header, const char *payload, const char *disclosures, const th_key *key)
{
    th_buf buf;
    th_buf_open(&buf, &arena, TH_SDJWT_MAX * 4);
    assert_int_equal(th_jws_make(key, th_str_of(header), th_str_of(payload), &buf), TH_OK);
    th_buf_char(&buf, '~');
    th_buf_text(&buf, disclosures);
    return th_buf_view(&buf);
}

static const char *digest_of(const char *disclosure)
{
    th_str text = b64(disclosure);
    th_hash hash = th_hash_str(TH_SUITE_P256, text);
    return th_strf(&arena, "%.*s", TH_FMT(th_base64url(&arena, hash.b, 32))).p;
}

static const char es256[] = "{\"alg\":\"ES256\",\"typ\":\"dc+sd-jwt\"}";

static void assert_refused(th_str text, const th_sdjwt_policy *p, const char *type)
{
    th_sdjwt token;
    th_error error = {0};
    assert_int_not_equal(th_sdjwt_verify(text, p, &arena, &token, &error), TH_OK);
    assert_string_equal(error.type, type);
    assert_true(error.zh[0] && error.en[0]);
}

/* ---- sd-jwt ---- */

static const char person[] = "{\"iss\":\"https://issuer.example\",\"vct\":\"urn:test:card\",\"iat\":1794990000,\"exp\":1895000000,\"name\":\"张\\u4f1f\","
                             "\"address\":{\"street\":\"长安街 1\",\"city\":\"北京\"},\"nationalities\":[\"CN\",\"DE\"],\"adult\":true}";

static th_str issued(const th_key *key)
{
    th_str text;
    th_sdjwt_order order = {.key = key, .kid = TH_STR("k1"), .env = &env, .claims = json(person),
                            .frame = json("{\"_sd\":[\"name\",\"address\",\"adult\"],\"address\":{\"_sd\":[\"street\"]},\"nationalities\":{\"_sd\":[1]}}")};
    assert_int_equal(th_sdjwt_issue(&order, &arena, &text, NULL), TH_OK);
    return text;
}

static void disclosures_digest_as_rfc9901(void **state)
{
    (void)state;
    /* RFC 9901 §4.2.1: the example's disclosure and digest. */
    th_str d = TH_STR("WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0");
    th_hash hash = th_hash_str(TH_SUITE_P256, d);
    th_str text = th_base64url(&arena, hash.b, 32);
    assert_true(th_str_is(text, "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"));
}

static void what_is_issued_verifies_and_tells_only_what_is_disclosed(void **state)
{
    (void)state;
    th_sdjwt token;
    th_key *const keys[] = {issuer, ed, sm2};
    for (size_t i = 0; i < TH_COUNT(keys); i++) {
        th_str text = issued(keys[i]), shown;
        th_sdjwt_policy p = policy(keys[i]);
        assert_int_equal(th_sdjwt_verify(text, &p, &arena, &token, NULL), TH_OK);
        assert_int_equal(token.disclosure_count, 5);
        assert_true(th_str_is(th_json_str(token.claims, "name"), "张伟"));
        assert_true(th_str_is(th_json_str(th_json_get(token.claims, "address"), "street"), "长安街 1"));
        assert_int_equal(th_json_get(token.claims, "nationalities")->count, 2);
        assert_null(th_json_get(token.claims, "_sd"));
        assert_null(th_json_get(token.claims, "_sd_alg"));
        assert_false(token.bound);
        assert_null(memmem(token.jws.payload.p, token.jws.payload.n, "长安街", strlen("长安街")));
        /* one inner claim: its outer disclosure comes along, nothing else does */
        const th_json *path = json("[\"address\",\"street\"]");
        assert_int_equal(th_sdjwt_select(text, &path, 1, &arena, &shown, NULL), TH_OK);
        assert_int_equal(th_sdjwt_verify(shown, &p, &arena, &token, NULL), TH_OK);
        assert_int_equal(token.disclosure_count, 2);
        assert_null(th_json_get(token.claims, "name"));
        assert_true(th_json_get(th_json_get(token.claims, "address"), "street") != NULL);
        assert_int_equal(th_json_get(token.claims, "nationalities")->count, 1);
        /* nothing */
        assert_int_equal(th_sdjwt_select(shown, NULL, 0, &arena, &shown, NULL), TH_OK);
        assert_int_equal(th_sdjwt_verify(shown, &p, &arena, &token, NULL), TH_OK);
        assert_int_equal(token.disclosure_count, 0);
        assert_null(th_json_get(token.claims, "address"));
        /* every element of a list */
        path = json("[\"nationalities\",null]");
        assert_int_equal(th_sdjwt_select(text, &path, 1, &arena, &shown, NULL), TH_OK);
        assert_int_equal(th_sdjwt_verify(shown, &p, &arena, &token, NULL), TH_OK);
        assert_int_equal(th_json_get(token.claims, "nationalities")->count, 2);
    }
    th_str again = issued(issuer), first = issued(issuer);
    assert_false(th_str_eq(again, first)); /* salts */
}

static void the_order_of_disclosures_does_not_matter(void **state)
{
    (void)state;
    const char *a = "[\"s1\",\"a\",1]", *b = "[\"s2\",\"b\",2]";
    const char *payload = th_strf(&arena, "{\"vct\":\"t\",\"_sd\":[\"%s\",\"%s\"]}", digest_of(a), digest_of(b)).p;
    th_sdjwt_policy p = policy(issuer);
    th_sdjwt token;
    for (int swap = 0; swap < 2; swap++) {
        th_str ds = th_strf(&arena, "%.*s~%.*s~", TH_FMT(b64(swap ? b : a)), TH_FMT(b64(swap ? a : b)));
        assert_int_equal(th_sdjwt_verify(forged(es256, payload, ds.p, issuer), &p, &arena, &token, NULL), TH_OK);
        assert_int_equal(th_json_int(token.claims, "a", 0), 1);
        assert_int_equal(th_json_int(token.claims, "b", 0), 2);
    }
}

static void reserved_names_are_not_issued(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"_sd\":[]}", "{\"a\":{\"...\":1}}", "{\"_sd_alg\":\"sha-256\"}", "{\"a\":[{\"_sd\":1}]}"};
    for (size_t i = 0; i < TH_COUNT(bad); i++) {
        th_str text;
        th_error error = {0};
        th_sdjwt_order order = {.key = issuer, .env = &env, .claims = json(bad[i])};
        assert_int_equal(th_sdjwt_issue(&order, &arena, &text, &error), TH_INVALID);
        assert_string_equal(error.type, "sdjwt-name");
    }
}

/* RFC 9901 §7.1 and §7.3, one after the other. `%1$s` … are digests of the disclosures. */
static const struct {
    const char *what, *payload; /* %s: the first disclosure's digest, then the second's */
    const char *one, *two;      /* disclosures, NULL = none */
    const char *type;
} rejections[] = {
    {"digest twice in one _sd", "{\"vct\":\"t\",\"_sd\":[\"%1$s\",\"%1$s\"]}", "[\"s\",\"a\",1]", NULL, "sdjwt-digest-twice"},
    {"digest twice in two places", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"],\"o\":{\"_sd\":[\"%1$s\"]}}", "[\"s\",\"a\",1]", NULL, "sdjwt-digest-twice"},
    {"digest twice, never opened", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"],\"l\":[{\"...\":\"%1$s\"}]}", NULL, NULL, "sdjwt-digest-twice"},
    {"disclosure that nothing refers to", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"a\",1]", "[\"s\",\"b\",1]", "sdjwt-unreferenced"},
    {"disclosure sent twice", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"a\",1]", "[\"s\",\"a\",1]", "sdjwt-disclosure-twice"},
    {"_sd as a name", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"_sd\",[]]", NULL, "sdjwt-name"},
    {"... as a name", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"...\",1]", NULL, "sdjwt-name"},
    {"... as a plain name", "{\"vct\":\"t\",\"...\":\"x\"}", NULL, NULL, "sdjwt-name"},
    {"... beside another key", "{\"vct\":\"t\",\"l\":[{\"...\":\"%1$s\",\"a\":1}]}", NULL, NULL, "sdjwt-name"},
    {"escaped ... as a plain name", "{\"vct\":\"t\",\"o\":{\"\\u002e..\":\"x\"}}", NULL, NULL, "sdjwt-name"},
    {"_sd_alg below the top", "{\"vct\":\"t\",\"o\":{\"_sd_alg\":\"sha-256\"}}", NULL, NULL, "sdjwt-name"},
    {"same name as a plain claim", "{\"vct\":\"t\",\"a\":0,\"_sd\":[\"%1$s\"]}", "[\"s\",\"a\",1]", NULL, "sdjwt-conflict"},
    {"same name as another disclosure", "{\"vct\":\"t\",\"_sd\":[\"%1$s\",\"%2$s\"]}", "[\"s\",\"a\",1]", "[\"z\",\"a\",2]", "sdjwt-conflict"},
    {"named disclosure in a list", "{\"vct\":\"t\",\"l\":[{\"...\":\"%1$s\"}]}", "[\"s\",\"a\",1]", NULL, "sdjwt-kind"},
    {"nameless disclosure in an object", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",1]", NULL, "sdjwt-kind"},
    {"_sd that is no list", "{\"vct\":\"t\",\"_sd\":\"%1$s\"}", NULL, NULL, "sdjwt-digest"},
    {"_sd with a number", "{\"vct\":\"t\",\"_sd\":[1]}", NULL, NULL, "sdjwt-digest"},
    {"... with a number", "{\"vct\":\"t\",\"l\":[{\"...\":1}]}", NULL, NULL, "sdjwt-digest"},
    {"four elements", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"a\",1,2]", NULL, "sdjwt-malformed"},
    {"one element", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\"]", NULL, "sdjwt-malformed"},
    {"an object", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "{\"a\":1}", NULL, "sdjwt-malformed"},
    {"a name that is no text", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",1,2]", NULL, "sdjwt-malformed"},
    {"a salt that is no text", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[1,\"a\",2]", NULL, "sdjwt-malformed"},
    {"digest of another algorithm", "{\"vct\":\"t\",\"_sd_alg\":\"md5\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"a\",1]", NULL, "sdjwt-hash"},
    {"issuer disclosed", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"iss\",\"x\"]", NULL, "sdjwt-not-selective"},
    {"holder's key disclosed", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"cnf\",{}]", NULL, "sdjwt-not-selective"},
    {"status disclosed", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"status\",{}]", NULL, "sdjwt-not-selective"},
    {"expiry disclosed", "{\"vct\":\"t\",\"_sd\":[\"%1$s\"]}", "[\"s\",\"exp\",1]", NULL, "sdjwt-not-selective"},
    {"no type", "{\"a\":1}", NULL, NULL, "sdjwt-type"},
    {"expired", "{\"vct\":\"t\",\"exp\":1794999999}", NULL, NULL, "sdjwt-expired"},
    {"not yet", "{\"vct\":\"t\",\"nbf\":1795000100}", NULL, NULL, "sdjwt-early"},
    {"from the future", "{\"vct\":\"t\",\"iat\":1795000100}", NULL, NULL, "sdjwt-early"},
    {"a time that is text", "{\"vct\":\"t\",\"exp\":\"1895000000\"}", NULL, NULL, "sdjwt-time"},
    {"content that is a list", "[1]", NULL, NULL, "sdjwt-malformed"},
    {"a name twice", "{\"vct\":\"t\",\"vct\":\"u\"}", NULL, NULL, "sdjwt-malformed"},
};

static void everything_that_rfc9901_rejects_is_rejected(void **state)
{
    (void)state;
    th_sdjwt_policy p = policy(issuer);
    for (size_t i = 0; i < TH_COUNT(rejections); i++) {
        const char *one = rejections[i].one ? digest_of(rejections[i].one) : digest_of("[\"s\",\"a\",1]");
        const char *two = rejections[i].two ? digest_of(rejections[i].two) : one;
        char payload[1024];
        size_t used = 0;
        for (const char *at = rejections[i].payload; *at && used + 64 < sizeof payload;) {
            if (strncmp(at, "%1$s", 4) == 0 || strncmp(at, "%2$s", 4) == 0) {
                used += (size_t)snprintf(payload + used, sizeof payload - used, "%s", at[1] == '1' ? one : two);
                at += 4;
            } else {
                payload[used++] = *at++;
            }
        }
        payload[used] = 0;
        th_str ds = th_strf(&arena, "%s%s%s%s", rejections[i].one ? b64(rejections[i].one).p : "", rejections[i].one ? "~" : "",
                            rejections[i].two ? b64(rejections[i].two).p : "", rejections[i].two ? "~" : "");
        th_sdjwt token;
        th_error error = {0};
        th_status status = th_sdjwt_verify(forged(es256, payload, ds.p, issuer), &p, &arena, &token, &error);
        if (!status || strcmp(error.type, rejections[i].type) != 0)
            fail_msg("%s: status %d, \"%s\"", rejections[i].what, (int)status, error.type);
    }
}

static void headers_and_signatures_are_believed_only_of_the_key(void **state)
{
    (void)state;
    th_sdjwt_policy p = policy(issuer);
    const char *body = "{\"vct\":\"t\"}";
    th_str good = forged(es256, body, "", issuer);
    th_sdjwt token;
    assert_int_equal(th_sdjwt_verify(good, &p, &arena, &token, NULL), TH_OK);
    assert_refused(forged("{\"alg\":\"none\",\"typ\":\"dc+sd-jwt\"}", body, "", issuer), &p, "jws-alg");
    assert_refused(forged("{\"alg\":\"HS256\",\"typ\":\"dc+sd-jwt\"}", body, "", issuer), &p, "jws-alg");
    assert_refused(forged("{\"alg\":\"EdDSA\",\"typ\":\"dc+sd-jwt\"}", body, "", issuer), &p, "jws-alg");
    assert_refused(forged("{\"alg\":[\"ES256\"],\"typ\":\"dc+sd-jwt\"}", body, "", issuer), &p, "jws-alg");
    assert_refused(forged("{\"typ\":\"dc+sd-jwt\"}", body, "", issuer), &p, "jws-alg");
    assert_refused(forged("{\"alg\":\"ES256\",\"typ\":\"JWT\"}", body, "", issuer), &p, "sdjwt-type");
    assert_refused(forged("{\"alg\":\"ES256\",\"typ\":\"dc+sd-jwt\",\"crit\":[\"x\"]}", body, "", issuer), &p, "jws-critical");
    assert_refused(forged("{\"alg\":\"ES256\",\"typ\":\"dc+sd-jwt\",\"b64\":false}", body, "", issuer), &p, "jws-critical");
    assert_refused(forged(es256, body, "", stranger), &p, "jws-signature");
    assert_refused(forged(es256, body, "", ed), &p, "jws-signature");
    /* every letter of the signed part counts */
    for (size_t i = 0; i < good.n; i += 7) {
        char *copy = th_alloc(&arena, good.n);
        memcpy(copy, good.p, good.n);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(th_sdjwt_verify((th_str){copy, good.n}, &p, &arena, &token, NULL), TH_OK);
    }
    /* cut anywhere */
    for (size_t n = 0; n < good.n; n++)
        assert_int_not_equal(th_sdjwt_verify((th_str){good.p, n}, &p, &arena, &token, NULL), TH_OK);
}

static void broken_texts_are_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "~", "a", "a~", "a.b~", "a.b.c~", "..~", "~~", "a.b.c.d~", "a.b.c.~", "{}~"};
    th_sdjwt_policy p = policy(issuer);
    th_sdjwt token;
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        assert_int_not_equal(th_sdjwt_verify(th_str_of(texts[i]), &p, &arena, &token, NULL), TH_OK);
    /* nesting of 10,000; a chain of disclosures one inside the other */
    char deep[20016];
    strcpy(deep, "{\"vct\":");
    size_t n = strlen(deep);
    memset(deep + n, '[', 10000);
    deep[n + 10000] = 0;
    assert_refused(forged(es256, deep, "", issuer), &p, "sdjwt-malformed");
    th_buf ds;
    th_buf_open(&ds, &arena, TH_SDJWT_MAX);
    const char *inner = "[\"s\",\"a\",1]";
    for (int i = 0; i < 200; i++) {
        th_buf_str(&ds, b64(inner));
        th_buf_char(&ds, '~');
        inner = th_strf(&arena, "[\"s\",\"a\",{\"_sd\":[\"%s\"]}]", digest_of(inner)).p;
    }
    th_buf_str(&ds, b64(inner));
    th_buf_text(&ds, "~");
    th_buf_char(&ds, 0);
    assert_refused(forged(es256, th_strf(&arena, "{\"vct\":\"t\",\"_sd\":[\"%s\"]}", digest_of(inner)).p, ds.p, issuer), &p, "sdjwt-depth");
    /* an empty part between tildes; too many */
    th_str good = forged(es256, "{\"vct\":\"t\"}", "", issuer);
    assert_refused(th_strf(&arena, "%.*s~", TH_FMT(good)), &p, "sdjwt-malformed");
    th_buf many;
    th_buf_open(&many, &arena, TH_SDJWT_MAX);
    for (int i = 0; i <= TH_SDJWT_DISCLOSURES_MAX; i++)
        th_buf_text(&many, "WzFd~");
    th_buf_char(&many, 0);
    assert_refused(forged(es256, "{\"vct\":\"t\"}", many.p, issuer), &p, "sdjwt-malformed");
}

static th_str bound_to(const th_key *key)
{
    th_buf buf;
    th_str text;
    th_buf_open(&buf, &arena, 8192);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "vct", "t");
    th_pen_ktext(&pen, "name", "x");
    th_pen_ktext(&pen, "age", "y");
    th_pen_key(&pen, "cnf");
    th_pen_object(&pen);
    th_pen_key(&pen, "jwk");
    th_jwk_write(&pen, key, (th_str){NULL, 0});
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    th_buf_char(&buf, 0);
    th_sdjwt_order order = {.key = issuer, .env = &env, .claims = json(buf.p), .frame = json("{\"_sd\":[\"name\",\"age\"]}")};
    assert_int_equal(th_sdjwt_issue(&order, &arena, &text, NULL), TH_OK);
    return text;
}

static th_str kb_forged(th_str presentation, const char *header, const char *payload, const th_key *key)
{
    th_buf buf;
    th_buf_open(&buf, &arena, TH_SDJWT_MAX);
    th_buf_str(&buf, presentation);
    assert_int_equal(th_jws_make(key, th_str_of(header), th_str_of(payload), &buf), TH_OK);
    return th_buf_view(&buf);
}

static void the_holder_signs_for_one_verifier_and_one_question(void **state)
{
    (void)state;
    th_key *const holders[] = {holder, ed, sm2};
    for (size_t i = 0; i < TH_COUNT(holders); i++) {
        th_str text = bound_to(holders[i]), shown, all;
        const th_json *path = json("[\"name\"]");
        th_sdjwt token;
        th_sdjwt_policy p = policy(issuer);
        p.holder = true;
        p.audience = TH_STR("verifier");
        p.nonce = TH_STR("n-1");
        assert_int_equal(th_sdjwt_select(text, &path, 1, &arena, &shown, NULL), TH_OK);
        assert_int_equal(th_sdjwt_bind(shown, holders[i], p.audience, p.nonce, now_us, &arena, &all, NULL), TH_OK);
        assert_int_equal(th_sdjwt_verify(all, &p, &arena, &token, NULL), TH_OK);
        assert_true(token.bound);
        assert_int_equal(token.bound_at_us, now_us);
        assert_refused(shown, &p, "holder-missing");
        p.nonce = TH_STR("n-2");
        assert_refused(all, &p, "holder-nonce");
        p.nonce = TH_STR("n-1");
        p.audience = TH_STR("other");
        assert_refused(all, &p, "holder-audience");
        p.audience = TH_STR("verifier");
        p.now_us = now_us + 6 * TH_MINUTE_US;
        assert_refused(all, &p, "holder-time");
        p.now_us = now_us - 5 * TH_MINUTE_US;
        assert_refused(all, &p, "holder-time");
        p.now_us = now_us;
        /* signed by somebody else; over another choice of claims */
        assert_int_equal(th_sdjwt_bind(shown, stranger, p.audience, p.nonce, now_us, &arena, &all, NULL), TH_OK);
        assert_refused(all, &p, "holder-signature");
        assert_int_equal(th_sdjwt_bind(text, holders[i], p.audience, p.nonce, now_us, &arena, &all, NULL), TH_OK);
        const char *kb = strrchr(th_strf(&arena, "%.*s", TH_FMT(all)).p, '~') + 1;
        assert_refused(th_strf(&arena, "%.*s%s", TH_FMT(shown), kb), &p, "holder-hash");
    }
    th_str text = bound_to(holder);
    th_sdjwt_policy p = policy(issuer);
    p.holder = true;
    p.audience = TH_STR("v");
    p.nonce = TH_STR("n");
    char digest[44] = "";
    th_hash hash = th_hash_str(TH_SUITE_P256, text);
    th_base64url_to(hash.b, 32, digest);
    const char *good = th_strf(&arena, "{\"iat\":1795000000,\"aud\":\"v\",\"nonce\":\"n\",\"sd_hash\":\"%s\"}", digest).p;
    th_sdjwt token;
    assert_int_equal(th_sdjwt_verify(kb_forged(text, "{\"alg\":\"ES256\",\"typ\":\"kb+jwt\"}", good, holder), &p, &arena, &token, NULL), TH_OK);
    assert_refused(kb_forged(text, "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", good, holder), &p, "holder-type");
    assert_refused(kb_forged(text, "{\"alg\":\"none\",\"typ\":\"kb+jwt\"}", good, holder), &p, "jws-alg");
    assert_refused(kb_forged(text, "{\"alg\":\"ES256\",\"typ\":\"kb+jwt\"}", "{\"aud\":\"v\",\"nonce\":\"n\"}", holder), &p, "holder-hash");
    const char *timeless = th_strf(&arena, "{\"aud\":\"v\",\"nonce\":\"n\",\"sd_hash\":\"%s\"}", digest).p;
    assert_refused(kb_forged(text, "{\"alg\":\"ES256\",\"typ\":\"kb+jwt\"}", timeless, holder), &p, "holder-time");
    const char *listed = th_strf(&arena, "{\"iat\":1795000000,\"aud\":[\"v\"],\"nonce\":\"n\",\"sd_hash\":\"%s\"}", digest).p;
    assert_refused(kb_forged(text, "{\"alg\":\"ES256\",\"typ\":\"kb+jwt\"}", listed, holder), &p, "holder-audience");
    /* a token bound to nobody cannot be shown by anybody */
    th_str unbound = forged(es256, "{\"vct\":\"t\"}", "", issuer);
    assert_refused(kb_forged(unbound, "{\"alg\":\"ES256\",\"typ\":\"kb+jwt\"}", good, holder), &p, "holder-key");
    th_str private_key = forged(es256, "{\"vct\":\"t\",\"cnf\":{\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}}}", "", issuer);
    assert_refused(kb_forged(private_key, "{\"alg\":\"ES256\",\"typ\":\"kb+jwt\"}", good, holder), &p, "holder-key");
    /* without a demand a forged holder is refused all the same */
    p.holder = false;
    assert_refused(kb_forged(text, "{\"alg\":\"ES256\",\"typ\":\"kb+jwt\"}", good, stranger), &p, "holder-signature");
}

static void keys_go_through_jwk_and_back(void **state)
{
    (void)state;
    th_key *const keys[] = {issuer, ed, sm2};
    for (size_t i = 0; i < TH_COUNT(keys); i++) {
        th_buf buf;
        th_key *back;
        th_buf_open(&buf, &arena, 1024);
        th_pen pen = th_pen_on(&buf);
        th_jwk_write(&pen, keys[i], TH_STR("k"));
        th_buf_char(&buf, 0);
        assert_int_equal(th_jwk_read(json(buf.p), &arena, &back, NULL), TH_OK);
        assert_true(th_str_eq(th_key_public(back), th_key_public(keys[i])));
        assert_int_equal(th_key_suite(back), th_key_suite(keys[i]));
        th_key_close(back);
    }
    static const char *const bad[] = {
        "{}", "{\"kty\":\"RSA\"}", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"\",\"y\":\"\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
    };
    th_key *key;
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        assert_int_equal(th_jwk_read(json(bad[i]), &arena, &key, NULL), TH_INVALID);
}

/* ---- status lists ---- */

static void status_lists_encode_as_the_draft(void **state)
{
    (void)state;
    /* draft-ietf-oauth-status-list §4: one bit, sixteen entries; two bits, twelve. */
    static const uint8_t one[] = {1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1}, two[] = {1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3};
    uint8_t bytes[3] = {0};
    th_str packed, text;
    for (size_t i = 0; i < sizeof one; i++)
        th_status_put(bytes, 1, i, one[i]);
    assert_int_equal(bytes[0], 0xB9);
    assert_int_equal(bytes[1], 0xA3);
    assert_int_equal(th_status_pack((th_str){(char *)bytes, 2}, 9, &arena, &packed), TH_OK);
    text = th_base64url(&arena, packed.p, packed.n);
    assert_true(th_str_is(text, "eNrbuRgAAhcBXQ"));
    memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < sizeof two; i++)
        th_status_put(bytes, 2, i, two[i]);
    assert_memory_equal(bytes, "\xc9\x44\xf9", 3);
    for (size_t i = 0; i < sizeof two; i++)
        assert_int_equal(th_status_at(bytes, 2, i), two[i]);
    th_status_put(bytes, 2, 3, 1); /* overwrites, and leaves its neighbours alone */
    assert_memory_equal(bytes, "\x49\x44\xf9", 3);
    static const int widths[] = {1, 2, 4, 8};
    for (size_t w = 0; w < TH_COUNT(widths); w++) {
        uint8_t wide[64] = {0};
        for (uint64_t i = 0; i < 64u * 8 / (unsigned)widths[w]; i++)
            th_status_put(wide, widths[w], i, (unsigned)(i * 7 + 3));
        for (uint64_t i = 0; i < 64u * 8 / (unsigned)widths[w]; i++)
            assert_int_equal(th_status_at(wide, widths[w], i), (i * 7 + 3) & ((1u << widths[w]) - 1));
    }
}

static th_status_policy status_policy(th_key *key)
{
    return (th_status_policy){.key = key_give, .ctx = key, .uri = TH_STR("https://a.example/1"), .now_us = now_us};
}

static void assert_list_refused(th_str token, const char *type)
{
    th_status_list list;
    th_error error = {0};
    th_status_policy p = status_policy(issuer);
    assert_int_not_equal(th_status_token_read(token, &p, &arena, &list, &error), TH_OK);
    assert_string_equal(error.type, type);
}

static th_str list_forged(const char *header, const char *payload, const th_key *key)
{
    th_buf buf;
    th_buf_open(&buf, &arena, 4u << 20);
    assert_int_equal(th_jws_make(key, th_str_of(header), th_str_of(payload), &buf), TH_OK);
    return th_buf_view(&buf);
}

static const char list_header[] = "{\"alg\":\"ES256\",\"typ\":\"statuslist+jwt\"}";

static void status_tokens_fail_closed(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    th_str token;
    th_status_list list = {.bits = 2, .bytes = {(char *)bytes, 32}, .sub = TH_STR("https://a.example/1"), .issued_us = now_us, .expires_us = now_us + TH_HOUR_US,
                           .ttl_us = 300 * TH_SECOND_US, .version = 7}, back;
    th_status_policy p = status_policy(issuer);
    unsigned value;
    th_error error = {0};
    th_status_put(bytes, 2, 5, TH_STATUS_SUSPENDED);
    assert_int_equal(th_status_token(&list, issuer, TH_STR("k"), TH_STR("https://a.example/all"), &arena, &token, NULL), TH_OK);
    assert_int_equal(th_status_token_read(token, &p, &arena, &back, NULL), TH_OK);
    assert_int_equal(back.version, 7);
    assert_int_equal(back.ttl_us, 300 * TH_SECOND_US);
    assert_int_equal(th_status_get(&back, 5, &value, NULL), TH_OK);
    assert_int_equal(value, TH_STATUS_SUSPENDED);
    assert_int_equal(th_status_get(&back, 127, &value, NULL), TH_OK);
    assert_int_equal(th_status_get(&back, 128, &value, &error), TH_FORBIDDEN);
    assert_string_equal(error.type, "status-index");
    assert_int_equal(th_status_get(&back, -1, &value, NULL), TH_FORBIDDEN);
    assert_int_equal(th_status_get(&back, INT64_MAX, &value, NULL), TH_FORBIDDEN);

#define LIST "\"status_list\":{\"bits\":1,\"lst\":\"eNrbuRgAAhcBXQ\"}"
    assert_list_refused(list_forged(list_header, "{\"sub\":\"https://a.example/1\",\"iat\":1794990000," LIST "}", stranger), "jws-signature");
    assert_list_refused(list_forged("{\"alg\":\"none\",\"typ\":\"statuslist+jwt\"}", "{\"sub\":\"https://a.example/1\",\"iat\":1794990000," LIST "}", issuer), "jws-alg");
    assert_list_refused(TH_STR("eyJhbGciOiJub25lIiwidHlwIjoic3RhdHVzbGlzdCtqd3QifQ.e30."), "jws-malformed");
    assert_list_refused(list_forged("{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "{\"sub\":\"https://a.example/1\",\"iat\":1794990000," LIST "}", issuer), "status-type");
    assert_list_refused(list_forged(list_header, "{\"sub\":\"https://a.example/2\",\"iat\":1794990000," LIST "}", issuer), "status-address");
    assert_list_refused(list_forged(list_header, "{\"iat\":1794990000," LIST "}", issuer), "status-address");
    assert_list_refused(list_forged(list_header, "{\"sub\":\"https://a.example/1\"," LIST "}", issuer), "status-malformed");
    assert_list_refused(list_forged(list_header, "{\"sub\":\"https://a.example/1\",\"iat\":1794990000,\"exp\":1794999999," LIST "}", issuer), "status-expired");
    assert_list_refused(list_forged(list_header, "{\"sub\":\"https://a.example/1\",\"iat\":1795000900," LIST "}", issuer), "status-early");
    assert_list_refused(list_forged(list_header, "{\"sub\":\"https://a.example/1\",\"iat\":1794990000,\"ttl\":\"300\"," LIST "}", issuer), "status-malformed");
    assert_list_refused(list_forged(list_header, "{\"sub\":\"https://a.example/1\",\"iat\":1794990000}", issuer), "status-malformed");
    static const char *const widths[] = {"0", "3", "16", "-1", "1.5", "\"1\"", "null"};
    for (size_t i = 0; i < TH_COUNT(widths); i++)
        assert_list_refused(list_forged(list_header, th_strf(&arena, "{\"sub\":\"https://a.example/1\",\"iat\":1794990000,\"status_list\":{\"bits\":%s,\"lst\":\"eNrbuRgAAhcBXQ\"}}", widths[i]).p, issuer), "status-bits");
    static const char *const lists[] = {"", "AAAA", "eNrbuRgAAhcBX", "eNrbuRgAAhcBXQAA", "eNrbuRgA", "***"};
    for (size_t i = 0; i < TH_COUNT(lists); i++)
        assert_list_refused(list_forged(list_header, th_strf(&arena, "{\"sub\":\"https://a.example/1\",\"iat\":1794990000,\"status_list\":{\"bits\":1,\"lst\":\"%s\"}}", lists[i]).p, issuer), "status-encoding");
}

static void a_bomb_is_met_at_the_limit(void **state)
{
    (void)state;
    th_arena small;
    th_str packed, out;
    th_error error = {0};
    size_t n = 128u << 20;
    char *zeros = th_alloc(&arena, n); /* 128 MiB of nothing in some 128 KiB */
    assert_int_equal(th_status_pack((th_str){zeros, n}, 9, &arena, &packed), TH_OK);
    assert_true(packed.n < 200000);
    th_arena_open(&small, 64u << 20);
    assert_int_equal(th_status_unpack(packed, TH_STATUS_BYTES_MAX, &small, &out, &error), TH_TOO_LARGE);
    assert_string_equal(error.type, "status-too-large");
    assert_true(small.used < 64u << 20);
    th_arena_close(&small);
    /* exactly the limit is allowed */
    assert_int_equal(th_status_pack((th_str){zeros, 4096}, 9, &arena, &packed), TH_OK);
    assert_int_equal(th_status_unpack(packed, 4096, &arena, &out, NULL), TH_OK);
    assert_int_equal(out.n, 4096);
    assert_int_equal(th_status_unpack(packed, 4095, &arena, &out, NULL), TH_TOO_LARGE);
}

static void large_lists_are_packed_by_their_runs(void **state)
{
    (void)state;
    size_t n = 250000;
    uint8_t *bytes = th_alloc(&arena, n);
    th_str token;
    th_status_list list = {.bits = 2, .bytes = {(char *)bytes, n}, .sub = TH_STR("https://a.example/1"), .issued_us = now_us, .version = -1}, back;
    th_status_policy p = status_policy(issuer);
    for (uint64_t i = 0; i < 1000000; i += 97)
        th_status_put(bytes, 2, i, 1);
    assert_int_equal(th_status_token(&list, issuer, TH_STR("k"), (th_str){NULL, 0}, &arena, &token, NULL), TH_OK);
    assert_true(token.n < 60000);
    assert_int_equal(th_status_token_read(token, &p, &arena, &back, NULL), TH_OK);
    assert_int_equal(back.bytes.n, n);
    assert_memory_equal(back.bytes.p, bytes, n);
}

static void references_are_whole_numbers_and_addresses(void **state)
{
    (void)state;
    th_str uri;
    int64_t index;
    assert_int_equal(th_status_reference(json("{\"status_list\":{\"idx\":0,\"uri\":\"https://a/1\"}}"), &uri, &index, NULL), TH_OK);
    assert_int_equal(index, 0);
    static const char *const bad[] = {
        "{}", "{\"status_list\":{}}", "{\"status_list\":{\"idx\":-1,\"uri\":\"https://a/1\"}}", "{\"status_list\":{\"idx\":1.5,\"uri\":\"https://a/1\"}}",
        "{\"status_list\":{\"idx\":\"1\",\"uri\":\"https://a/1\"}}", "{\"status_list\":{\"idx\":1e3,\"uri\":\"https://a/1\"}}", "{\"status_list\":{\"idx\":1}}",
        "{\"status_list\":{\"idx\":1,\"uri\":\"file:///etc/passwd\"}}", "{\"status_list\":{\"idx\":1,\"uri\":7}}", "{\"status_list\":{\"idx\":99999999999999999999,\"uri\":\"https://a/1\"}}",
        "{\"status_list\":[1]}", "[]",
    };
    for (size_t i = 0; i < TH_COUNT(bad); i++) {
        th_error error = {0};
        assert_int_equal(th_status_reference(json(bad[i]), &uri, &index, &error), TH_INVALID);
        assert_string_equal(error.type, "status-reference");
    }
    assert_int_equal(th_status_reference(NULL, &uri, &index, NULL), TH_INVALID);
}

static void a_status_cwt_says_what_the_jwt_says(void **state)
{
    (void)state;
    uint8_t bytes[3] = {0xc9, 0x44, 0xf9};
    th_str cwt, text;
    th_cose cose;
    th_status_list list = {.bits = 2, .bytes = {(char *)bytes, 3}, .sub = TH_STR("https://a.example/1"), .issued_us = now_us, .expires_us = now_us + TH_HOUR_US, .ttl_us = TH_HOUR_US, .version = -1};
    assert_int_equal(th_status_cwt(&list, issuer, TH_STR("00ff"), (th_str){NULL, 0}, &arena, &cwt, NULL), TH_OK);
    assert_int_equal(th_cose_read(cwt, &arena, &cose, NULL), TH_OK);
    assert_int_equal(th_cose_check(&cose, issuer, NULL), TH_OK);
    assert_int_equal(th_cose_check(&cose, stranger, NULL), TH_FORBIDDEN);
    assert_int_equal(th_cose_check(&cose, ed, NULL), TH_FORBIDDEN);
    assert_true(th_str_is(cose.typ, "application/statuslist+cwt"));
    assert_true(th_str_is(cose.kid, "00ff"));
    assert_int_equal(th_cbor_to_json(cose.payload, &arena, &text, NULL), TH_OK);
    const th_json *claims = json(th_strf(&arena, "%.*s", TH_FMT(text)).p), *inner = th_json_get(claims, "65533");
    assert_true(th_str_is(th_json_str(claims, "2"), "https://a.example/1"));
    assert_int_equal(th_json_int(claims, "65534", 0), 3600);
    assert_true(th_str_is(th_json_str(inner, "lst"), "eNo76fITAAPfAgc")); /* the draft's bytes 78da3be9f2130003df0207 */
    /* the list itself encodes as in the draft's example */
    static const uint8_t wanted[] = {0xa2, 0x64, 'b', 'i', 't', 's', 0x02, 0x63, 'l', 's', 't', 0x4b, 0x78, 0xda, 0x3b, 0xe9, 0xf2, 0x13, 0x00, 0x03, 0xdf, 0x02, 0x07};
    assert_non_null(memmem(cose.payload.p, cose.payload.n, wanted, sizeof wanted));
}

/* ---- squares ---- */

static void base45_is_rfc9285(void **state)
{
    (void)state;
    static const struct { const char *plain, *text; } good[] = {{"AB", "BB8"}, {"Hello!!", "%69 VD92EX0"}, {"base-45", "UJCLQE7W581"}, {"ietf!", "QED8WEX0"}, {"", ""}};
    static const char *const bad[] = {"A", "GGW", "ABCD", "ab", ":::", "::", "BB8~~"};
    th_str bytes;
    for (size_t i = 0; i < TH_COUNT(good); i++) {
        assert_true(th_str_is(th_base45(&arena, th_str_of(good[i].plain)), good[i].text));
        assert_int_equal(th_unbase45(&arena, th_str_of(good[i].text), &bytes), TH_OK);
        assert_true(th_str_is(bytes, good[i].plain));
    }
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        assert_int_equal(th_unbase45(&arena, th_str_of(bad[i]), &bytes), TH_INVALID);
}

static void cbor_is_rfc8949_within_its_bounds(void **state)
{
    (void)state;
    /* RFC 8949 appendix A */
    static const struct { const char *text; size_t n; const char *bytes; } both[] = {
        {"0", 1, "\x00"}, {"23", 1, "\x17"}, {"24", 2, "\x18\x18"}, {"100", 2, "\x18\x64"}, {"1000", 3, "\x19\x03\xe8"}, {"1000000", 5, "\x1a\x00\x0f\x42\x40"},
        {"1000000000000", 9, "\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00"}, {"-1", 1, "\x20"}, {"-100", 2, "\x38\x63"}, {"-1000", 3, "\x39\x03\xe7"}, {"false", 1, "\xf4"},
        {"true", 1, "\xf5"}, {"null", 1, "\xf6"}, {"\"\"", 1, "\x60"}, {"\"IETF\"", 5, "\x64IETF"}, {"\"水\"", 4, "\x63\xe6\xb0\xb4"}, {"[]", 1, "\x80"},
        {"[1,[2,3],[4,5]]", 8, "\x83\x01\x82\x02\x03\x82\x04\x05"}, {"{}", 1, "\xa0"}, {"{\"a\":1,\"b\":[2,3]}", 9, "\xa2\x61\x61\x01\x61\x62\x82\x02\x03"},
    };
    for (size_t i = 0; i < TH_COUNT(both); i++) {
        th_buf buf;
        th_str text;
        th_buf_open(&buf, &arena, 1024);
        assert_int_equal(th_cbor_of_json(json(both[i].text), &buf), TH_OK);
        assert_int_equal(buf.n, both[i].n);
        assert_memory_equal(buf.p, both[i].bytes, both[i].n);
        assert_int_equal(th_cbor_to_json((th_str){both[i].bytes, both[i].n}, &arena, &text, NULL), TH_OK);
        assert_true(th_str_is(text, both[i].text));
    }
    static const struct { size_t n; const char *bytes; } bad[] = {
        {0, ""}, {1, "\x18"}, {2, "\x9f\xff"}, {1, "\xf7"}, {3, "\xf9\x3c\x00"}, {2, "\x61\xff"}, {2, "\x62\x61"}, {9, "\x1b\xff\xff\xff\xff\xff\xff\xff\xff"}, {2, "\x00\x00"},
        {5, "\xa2\x01\x01\x01\x02"}, {1, "\x1c"}, {3, "\xa1\x80\x01"}, {5, "\x9a\xff\xff\xff\xff"}, {5, "\xba\xff\xff\xff\xff"}, {9, "\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"},
        {20, "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01"},
    };
    th_str text;
    for (size_t i = 0; i < TH_COUNT(bad); i++)
        assert_int_equal(th_cbor_to_json((th_str){bad[i].bytes, bad[i].n}, &arena, &text, NULL), TH_INVALID);
    th_buf buf;
    th_buf_open(&buf, &arena, 1024);
    assert_int_equal(th_cbor_of_json(json("1.5"), &buf), TH_INVALID);
}

static th_offline square(void)
{
    return (th_offline){.issuer = TH_STR("130000"), .type = TH_STR("HE-TALENT-CARD"), .number = TH_STR("1.2.156.3005.2.X"), .issued_us = now_us, .expires_us = now_us + 365 * TH_DAY_US,
                        .list = 3, .index = 70000, .fields = json("{\"name\":\"张伟\",\"level\":\"硕士研究生\",\"n\":3,\"ok\":true}")};
}

static void squares_carry_a_certificate_without_a_network(void **state)
{
    (void)state;
    th_key *const keys[] = {issuer, ed, sm2};
    for (size_t i = 0; i < TH_COUNT(keys); i++) {
        th_offline o = square(), back;
        th_str text;
        assert_int_equal(th_offline_make(&o, keys[i], TH_STR("0011223344556677"), &arena, &text, NULL), TH_OK);
        assert_true(th_str_starts(text, "TH1:") && text.n < 600);
        assert_int_equal(th_offline_read(text, &arena, &back, NULL), TH_OK);
        assert_int_equal(th_cose_check(&back.cose, keys[i], NULL), TH_OK);
        assert_int_equal(th_cose_check(&back.cose, stranger, NULL), TH_FORBIDDEN);
        assert_true(th_str_is(back.issuer, "130000") && th_str_is(back.number, "1.2.156.3005.2.X") && th_str_is(back.cose.kid, "0011223344556677"));
        assert_int_equal(back.index, 70000);
        assert_int_equal(back.expires_us, o.expires_us);
        assert_true(th_str_is(th_json_str(back.fields, "name"), "张伟"));
        /* one letter changed, anywhere: never a valid certificate */
        for (size_t k = 4; k < text.n; k += 5) {
            char *copy = th_alloc(&arena, text.n);
            memcpy(copy, text.p, text.n);
            copy[k] = copy[k] == '0' ? '1' : '0';
            assert_false(th_offline_read((th_str){copy, text.n}, &arena, &back, NULL) == TH_OK && th_cose_check(&back.cose, keys[i], NULL) == TH_OK);
        }
        for (size_t n = 0; n < text.n; n += 3)
            assert_int_not_equal(th_offline_read((th_str){text.p, n}, &arena, &back, NULL), TH_OK);
    }
    th_offline large = square(), back;
    th_str text;
    th_error error = {0};
    char *noise = th_alloc(&arena, 1500);
    for (size_t i = 0; i < 1400; i++) {
        uint8_t b;
        env.random(env.ctx, &b, 1);
        noise[i] = (char)('0' + b % 64);
        noise[i] = noise[i] == '\\' ? 'x' : noise[i];
    }
    large.fields = json(th_strf(&arena, "{\"a\":\"%s\"}", noise).p);
    assert_int_equal(th_offline_make(&large, issuer, TH_STR("00"), &arena, &text, &error), TH_TOO_LARGE);
    assert_string_equal(error.type, "offline-too-large");
    assert_int_equal(th_offline_read(TH_STR("HC1:ABC"), &arena, &back, &error), TH_INVALID);
    assert_string_equal(error.type, "offline-prefix");
    assert_int_equal(th_offline_read(TH_STR("TH1:abc"), &arena, &back, &error), TH_INVALID);
    assert_string_equal(error.type, "offline-base45");
    assert_int_equal(th_offline_read(TH_STR("TH1:BB8"), &arena, &back, &error), TH_INVALID);
    assert_string_equal(error.type, "status-encoding");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disclosures_digest_as_rfc9901),
        cmocka_unit_test(what_is_issued_verifies_and_tells_only_what_is_disclosed),
        cmocka_unit_test(the_order_of_disclosures_does_not_matter),
        cmocka_unit_test(reserved_names_are_not_issued),
        cmocka_unit_test(everything_that_rfc9901_rejects_is_rejected),
        cmocka_unit_test(headers_and_signatures_are_believed_only_of_the_key),
        cmocka_unit_test(broken_texts_are_malformed),
        cmocka_unit_test(the_holder_signs_for_one_verifier_and_one_question),
        cmocka_unit_test(keys_go_through_jwk_and_back),
        cmocka_unit_test(status_lists_encode_as_the_draft),
        cmocka_unit_test(status_tokens_fail_closed),
        cmocka_unit_test(a_bomb_is_met_at_the_limit),
        cmocka_unit_test(large_lists_are_packed_by_their_runs),
        cmocka_unit_test(references_are_whole_numbers_and_addresses),
        cmocka_unit_test(a_status_cwt_says_what_the_jwt_says),
        cmocka_unit_test(base45_is_rfc9285),
        cmocka_unit_test(cbor_is_rfc8949_within_its_bounds),
        cmocka_unit_test(squares_carry_a_certificate_without_a_network),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
