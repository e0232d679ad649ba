/* cmd_region.c — init of a node and the verbs of the trust document. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 1 << 20, KEY_YEARS = 3 };

static uint16_t port_option(const th_args *args, const char *name, uint16_t fallback)
{
    int64_t port;
    const char *text = th_option(args, name);
    return text && th_parse_i64(th_str_of(text), 0, 65535, &port) ? (uint16_t)port : fallback;
}

int th_cmd_init(const th_args *args)
{
    th_config c = {.suite = TH_SUITE_SM2};
    th_error error = {0};
    const char *dir = th_word(args, 0), *code = th_option(args, "code"), *region = th_option(args, "region");
    const char *suite = th_option(args, "suite"), *store = th_option(args, "store");
    if (!dir || !code || strlen(code) != TH_CODE_TEXT - 1 || !region ||
        (suite && (!th_suite_parse(th_str_of(suite), &c.suite) || c.suite == TH_SUITE_P256)))
        return th_cmd_usage(args, "init DIR --code CODE --region DIR [--suite sm2-sm3|ed25519-sha256] [--portal-port P] "
                                  "[--peer-port P] [--store URL] [--console DIR]");
    snprintf(c.dir, sizeof c.dir, "%s", dir);
    snprintf(c.code, sizeof c.code, "%s", code);
    snprintf(c.store, sizeof c.store, "%s", store ? store : "sqlite:store.sqlite");
    snprintf(c.region_dir, sizeof c.region_dir, "%s", region);
    snprintf(c.console, sizeof c.console, "%s", th_option(args, "console") ? th_option(args, "console") : "");
    c.portal_port = port_option(args, "portal-port", 8080);
    c.peer_port = port_option(args, "peer-port", 8443);
    snprintf(c.portal_address, sizeof c.portal_address, "127.0.0.1");
    snprintf(c.peer_address, sizeof c.peer_address, "127.0.0.1");
    snprintf(c.portal_url, sizeof c.portal_url, "http://127.0.0.1:%u", c.portal_port);
    snprintf(c.peer_url, sizeof c.peer_url, "https://127.0.0.1:%u", c.peer_port);
    th_status status = th_dir_make(dir, &error);
    if (!status)
        status = th_keys_make(dir, c.suite, &error);
    if (!status)
        status = th_config_write(&c, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_say(args, "节点目录已建立：%s（密钥在 keys/，请妥善保管并备份）", "Node made: %s (keys in keys/: guard and back them up)", dir);
    return 0;
}

/* ---- composing ---- */

static void key_write(th_pen *pen, const th_key *key, const char *use, const char *from, const char *until, th_arena *arena)
{
    char kid[TH_KID_TEXT];
    th_str open = th_key_public(key);
    th_kid_of(key, kid);
    th_pen_object(pen);
    th_pen_ktext(pen, "kid", kid);
    th_pen_ktext(pen, "suite", th_suite_name(th_key_suite(key)));
    th_pen_kstr(pen, "public", th_base64url(arena, open.p, open.n));
    if (use) {
        th_pen_ktext(pen, "use", use);
        th_pen_ktext(pen, "not_before", from);
        th_pen_ktext(pen, "not_after", until);
    }
}

static th_status pin_read(const th_config *c, char ret_pin[TH_PIN_TEXT], th_arena *arena, th_error *error)
{
    char path[TH_PATH_TEXT];
    th_str pem;
    if (!th_path_join(path, c->dir, "keys/tls.cert.pem"))
        return TH_TOO_LARGE;
    th_status status = th_file_read(path, 64 * 1024, arena, &pem, error);
    return status ? status : th_tls_pin_of_pem(pem, ret_pin);
}

static th_status member_write(th_pen *pen, const th_config *c, const th_keys *keys, const char *zh, const char *en, int64_t now_us,
                              th_arena *arena, th_error *error)
{
    char from[TH_TIME_TEXT], until[TH_TIME_TEXT], pin[TH_PIN_TEXT];
    const struct { const th_key *key; const char *use; } all[] = {
        {keys->message, "message"}, {keys->journal, "journal"}, {keys->certificate, "certificate"}, {keys->certificate_p256, "certificate"}};
    th_status status = pin_read(c, pin, arena, error);
    if (status)
        return status;
    th_time_utc(now_us - TH_DAY_US, from);
    th_time_utc(now_us + KEY_YEARS * 365 * TH_DAY_US, until);
    th_pen_object(pen);
    th_pen_ktext(pen, "code", c->code);
    th_pen_kwords(pen, "name", zh, en);
    th_pen_ktext(pen, "peer", c->peer_url);
    th_pen_ktext(pen, "portal", c->portal_url);
    th_pen_key(pen, "keys");
    th_pen_array(pen);
    for (size_t i = 0; i < TH_COUNT(all) && all[i].key; i++) {
        key_write(pen, all[i].key, all[i].use, from, until, arena);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_key(pen, "tls");
    th_pen_array(pen);
    th_pen_text(pen, pin);
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
    return TH_OK;
}

static void governors_write(th_pen *pen, const th_keys *keys, const th_config *configs, size_t n, int64_t threshold,
                            th_arena *arena)
{
    th_pen_key(pen, "governors");
    th_pen_object(pen);
    th_pen_kint(pen, "threshold", threshold);
    th_pen_key(pen, "keys");
    th_pen_array(pen);
    for (size_t i = 0; i < n; i++) {
        key_write(pen, keys[i].governor, NULL, NULL, NULL, arena);
        th_pen_ktext(pen, "holder", configs[i].code);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

th_status th_region_compose(const char *const *dirs, const char *const *names_zh, const char *const *names_en, size_t n,
                            int64_t version, int64_t threshold, th_arena *arena, th_str *ret_signed, th_error *error)
{
    th_env env = th_env_real();
    int64_t now = th_now_us(&env);
    th_config *configs = th_alloc_array(arena, n, sizeof *configs);
    th_keys *keys = th_alloc_array(arena, n, sizeof *keys);
    th_buf buf;
    th_status status = configs && keys ? TH_OK : TH_NO_MEMORY;
    for (size_t i = 0; !status && i < n; i++) {
        status = th_config_read(dirs[i], &configs[i], error);
        if (!status)
            status = th_keys_read(dirs[i], &keys[i], error);
    }
    if (status)
        goto out;
    th_buf_open(&buf, arena, DOCUMENT_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "region", "jingjinji");
    th_pen_kwords(&pen, "name", "京津冀", "Beijing–Tianjin–Hebei");
    th_pen_kint(&pen, "version", version);
    th_pen_ktime(&pen, "issued", now - TH_MINUTE_US);
    th_pen_ktime(&pen, "expires", now + 365 * TH_DAY_US);
    governors_write(&pen, keys, configs, n, threshold, arena);
    th_pen_key(&pen, "members");
    th_pen_array(&pen);
    for (size_t i = 0; !status && i < n; i++)
        status = member_write(&pen, &configs[i], &keys[i], names_zh[i], names_en[i], now, arena, error);
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "suspended");
    th_pen_array(&pen);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (!status && !th_buf_ok(&buf))
        status = TH_TOO_LARGE;
    if (!status)
        *ret_signed = th_buf_view(&buf);
out:
    for (size_t i = 0; keys && i < n; i++)
        th_keys_close(&keys[i]);
    return status;
}

/* ---- verbs ---- */

static int propose(const th_args *args, th_arena *arena, th_error *error)
{
    th_str signed_part, document;
    const char *in = th_word(args, 1), *out = th_option(args, "out");
    th_status status = in && out ? th_file_read(in, DOCUMENT_MAX, arena, &signed_part, error) : TH_INVALID;
    if (!in || !out)
        return th_cmd_usage(args, "region propose SIGNED-PART.json --out region.json");
    if (!status)
        status = th_trust_propose(signed_part, arena, &document, error);
    if (!status)
        status = th_file_write(out, document, 0644, error);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int sign(const th_args *args, th_arena *arena, th_error *error)
{
    th_str document;
    th_keys keys;
    const char *file = th_word(args, 1), *node = th_cmd_node(args);
    if (!file || !node)
        return th_cmd_usage(args, "region sign region.json --node DIR");
    th_status status = th_file_read(file, DOCUMENT_MAX, arena, &document, error);
    if (status)
        return th_cmd_failed(args, status, error);
    status = th_keys_read(node, &keys, error);
    if (status)
        return th_cmd_failed(args, status, error);
    status = keys.governor ? th_trust_sign(document, keys.governor, arena, &document, error)
                           : th_fail(error, TH_NOT_FOUND, "no-governor-key", "本节点没有治理密钥", "This node holds no governor's key");
    if (!status)
        status = th_file_write(file, document, 0644, error);
    th_keys_close(&keys);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int apply(const th_args *args, th_arena *arena, th_error *error)
{
    th_str document;
    th_node *node;
    const char *file = th_word(args, 1), *dir = th_cmd_node(args);
    if (!file || !dir)
        return th_cmd_usage(args, "region apply region.json --node DIR");
    th_status status = th_file_read(file, DOCUMENT_MAX, arena, &document, error);
    if (!status)
        status = th_node_open_beside(dir, &node, error);
    if (status)
        return th_cmd_failed(args, status, error);
    status = th_exchange_trust_apply(node->exchange, document, error);
    th_node_close(node);
    if (status)
        return th_cmd_failed(args, status, error);
    th_node_nudge(dir);
    th_say(args, "信任文件已启用", "The trust document is in force");
    return 0;
}

static int show(const th_args *args, th_arena *arena, th_error *error)
{
    th_str document;
    th_trust *trust;
    const char *file = th_word(args, 1);
    if (!file)
        return th_cmd_usage(args, "region show region.json");
    th_status status = th_file_read(file, DOCUMENT_MAX, arena, &document, error);
    if (!status)
        status = th_trust_read(document, &trust, error);
    if (status)
        return th_cmd_failed(args, status, error);
    if (args->json) {
        th_print(trust->document);
    } else {
        char expires[TH_TIME_TEXT];
        th_time_shanghai(trust->expires_us, expires);
        printf("%.*s v%lld  expires %s  governors %lld of %zu\n", TH_FMT(trust->region), (long long)trust->version, expires,
               (long long)trust->threshold, trust->governor_count);
        for (size_t i = 0; i < trust->member_count; i++) {
            const th_member *m = &trust->members[i];
            printf("  %s %.*s %.*s  %.*s%s\n", m->code, TH_FMT(m->name_zh), TH_FMT(m->name_en), TH_FMT(m->peer),
                   m->suspended ? "  SUSPENDED" : "");
        }
    }
    th_trust_release(trust);
    return 0;
}

static int diff(const th_args *args, th_arena *arena, th_error *error)
{
    th_str documents[2], json;
    th_trust *trusts[2] = {NULL, NULL};
    th_status status = TH_OK;
    for (int i = 0; !status && i < 2; i++) {
        const char *file = th_word(args, i + 1);
        if (!file)
            return th_cmd_usage(args, "region diff BEFORE.json AFTER.json");
        status = th_file_read(file, DOCUMENT_MAX, arena, &documents[i], error);
        if (!status)
            status = th_trust_read(documents[i], &trusts[i], error);
    }
    if (!status)
        status = th_trust_diff(trusts[0], trusts[1], arena, &json);
    if (!status)
        th_print(json);
    th_trust_release(trusts[0]);
    th_trust_release(trusts[1]);
    return status ? th_cmd_failed(args, status, error) : 0;
}

int th_cmd_region(const th_args *args)
{
    static const struct { const char *name; int (*run)(const th_args *, th_arena *, th_error *); } all[] = {
        {"propose", propose}, {"sign", sign}, {"apply", apply}, {"show", show}, {"diff", diff}};
    const char *what = th_word(args, 0);
    th_error error = {0};
    th_arena arena;
    for (size_t i = 0; what && i < TH_COUNT(all); i++) {
        if (strcmp(what, all[i].name) != 0)
            continue;
        th_arena_open(&arena, 16u << 20);
        int code = all[i].run(args, &arena, &error);
        th_arena_close(&arena);
        return code;
    }
    return th_cmd_usage(args, "region propose|sign|apply|show|diff …");
}
