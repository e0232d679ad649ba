/* Certificates: tokens, status lists, squares, queries, pages. First byte: which reader, and whether the bytes come as they are (nobody forges a
 * signature by chance) or as what an issuer signed, so that what lies behind the signature is reached. */
#include "fuzz.h"
#include "kernel/certificates/dcql.h"
#include "kernel/certificates/offline.h"
#include "kernel/certificates/sdjwt.h"
#include "kernel/certificates/statuslist.h"
#include "platform/page/page.h"

static th_key *key;

static th_status key_give(void *ctx, const th_jws *jws, const th_json *payload, const th_key **ret, th_error *error)
{
    (void)ctx, (void)jws, (void)payload, (void)error;
    *ret = key;
    return TH_OK;
}

static const int64_t now_us = INT64_C(1795507200000000);

/* No claim of a verified token has a name that only digests have. */
static void names_hold(const th_json *value)
{
    for (const th_json *m = th_json_first(value); m; m = th_json_next(value, m)) {
        MUST(!th_str_is(m->key, "_sd") && !th_str_is(m->key, "..."));
        names_hold(m);
    }
}

static void token_holds(th_str text, const th_sdjwt_policy *policy, th_arena *arena)
{
    th_sdjwt token, less;
    th_str chosen;
    th_error error = {0};
    if (th_sdjwt_verify(text, policy, arena, &token, &error)) {
        MUST(error.type[0] && error.zh[0] && error.en[0]);
        return;
    }
    names_hold(token.claims);
    for (size_t i = 0; i < token.disclosure_count; i++)
        MUST(token.disclosures[i].used);
    if (token.bound)
        return;
    MUST(th_sdjwt_select(text, NULL, 0, arena, &chosen, NULL) == TH_OK);
    MUST(th_sdjwt_verify(chosen, policy, arena, &less, NULL) == TH_OK && less.disclosure_count == 0);
    MUST(less.claims_json.n <= token.claims_json.n);
}

/* The first line is the payload, each further one a disclosure in the clear. */
static void token_signed(th_str text, th_arena *arena)
{
    th_buf buf;
    th_str rest = text, line, digests[8];
    size_t n = 0;
    if (!th_str_cut(&rest, '\n', &line))
        return;
    th_buf_open(&buf, arena, 1 << 20);
    th_str payload = line;
    th_buf more;
    th_buf_open(&more, arena, 1 << 20);
    while (n < TH_COUNT(digests) && th_str_cut(&rest, '\n', &line)) {
        th_str d = th_base64url(arena, line.p, line.n);
        th_hash hash = th_hash_str(TH_SUITE_P256, d);
        digests[n++] = th_base64url(arena, hash.b, 32);
        th_buf_str(&more, d);
        th_buf_char(&more, '~');
    }
    /* "#0" in the payload is the digest of the first disclosure, and so on. */
    th_buf filled;
    th_buf_open(&filled, arena, 1 << 20);
    for (size_t i = 0; i < payload.n; i++) {
        size_t k = i + 1 < payload.n && payload.p[i] == '#' ? (size_t)(unsigned char)payload.p[i + 1] - '0' : n;
        if (k < n) {
            th_buf_str(&filled, digests[k]);
            i++;
        } else {
            th_buf_char(&filled, payload.p[i]);
        }
    }
    if (th_jws_make(key, TH_STR("{\"alg\":\"EdDSA\",\"typ\":\"dc+sd-jwt\"}"), th_buf_view(&filled), &buf))
        return;
    th_buf_char(&buf, '~');
    th_buf_str(&buf, th_buf_view(&more));
    const th_sdjwt_policy policy = {.key = key_give, .now_us = now_us};
    token_holds(th_buf_view(&buf), &policy, arena);
}

static void list(th_str text, bool sign, th_arena *arena)
{
    th_status_list read;
    th_buf buf;
    unsigned value;
    const th_status_policy policy = {.key = key_give, .uri = TH_STR("https://a/1"), .now_us = now_us};
    th_buf_open(&buf, arena, 1 << 20);
    if (sign && th_jws_make(key, TH_STR("{\"alg\":\"EdDSA\",\"typ\":\"statuslist+jwt\"}"), text, &buf))
        return;
    th_status status = th_status_token_read(sign ? th_buf_view(&buf) : text, &policy, arena, &read, NULL);
    MUST(sign || status);
    if (status)
        return;
    int64_t places = (int64_t)(read.bytes.n * 8 / (size_t)read.bits);
    MUST(read.bits == 1 || read.bits == 2 || read.bits == 4 || read.bits == 8);
    MUST(th_status_get(&read, places, &value, NULL) == TH_FORBIDDEN && th_status_get(&read, -1, &value, NULL) == TH_FORBIDDEN);
    if (places)
        MUST(th_status_get(&read, places - 1, &value, NULL) == TH_OK && value < 1u << read.bits);
}

static void square(th_str text, th_arena *arena)
{
    th_offline o;
    th_str bytes, json;
    const th_json *root;
    if (th_unbase45(arena, text, &bytes) == TH_OK)
        MUST(th_str_eq(th_base45(arena, bytes), text));
    MUST(th_unbase45(arena, th_base45(arena, text), &bytes) == TH_OK && th_str_eq(bytes, text));
    if (th_cbor_to_json(text, arena, &json, NULL) == TH_OK)
        MUST(th_json_parse(json, arena, &root, NULL) != TH_INVALID);
    if (th_offline_read(text, arena, &o, NULL) == TH_OK)
        MUST(o.fields && o.issuer.n && th_cose_check(&o.cose, key, NULL) != TH_OK);
    /* the same, packed as a square would be */
    th_str packed;
    MUST(th_status_pack(text, 1, arena, &packed) == TH_OK);
    th_str whole = th_strf(arena, TH_OFFLINE_PREFIX "%.*s", TH_FMT(th_base45(arena, packed)));
    if (th_offline_read(whole, arena, &o, NULL) == TH_OK)
        MUST(o.fields && o.list >= 0 && o.index >= 0);
}

static void query(th_str text, th_arena *arena)
{
    const th_json *root;
    th_dcql q;
    bool there[TH_DCQL_CREDENTIALS_MAX], none[TH_DCQL_CREDENTIALS_MAX] = {false};
    if (th_json_parse(text, arena, &root, NULL) || th_dcql_read(root, arena, &q, &(th_error){0}))
        return;
    memset(there, 1, sizeof there);
    MUST(q.credential_count > 0 && th_dcql_answered(&q, there));
    MUST(q.sets || !th_dcql_answered(&q, none));
    for (size_t i = 0; i < q.credential_count; i++) {
        const th_json **paths;
        size_t n;
        if (th_dcql_fits(&q.credentials[i], TH_STR("dc+sd-jwt"), root, arena, &paths, &n))
            MUST(n <= q.credentials[i].claim_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    th_arena arena;
    th_page_seen seen;
    if (!key) {
        MUST(th_crypto_start() == TH_OK);
        MUST(th_key_from_secret(TH_SUITE_ED25519, TH_STR("0123456789abcdef0123456789abcdef"), &key) == TH_OK);
    }
    if (!size)
        return 0;
    th_arena_open(&arena, 256u << 20);
    th_str text = fuzz_input(data + 1, size - 1);
    const th_sdjwt_policy policy = {.key = key_give, .now_us = now_us, .plain = data[0] & 8};
    switch (data[0] % 7) {
    case 0:
        token_holds(text, &policy, &arena);
        break;
    case 1:
        token_signed(text, &arena);
        break;
    case 2:
        list(text, false, &arena);
        break;
    case 3:
        list(text, true, &arena);
        break;
    case 4:
        square(text, &arena);
        break;
    case 5:
        query(text, &arena);
        break;
    default:
        MUST(th_page_read(text, &arena, &seen, NULL) != TH_OK);
    }
    th_arena_close(&arena);
    return 0;
}
