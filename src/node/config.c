/* config.c — node.json and the keys beside it. */
#include "node/node.h"

#include <stdio.h>
#include <string.h>

enum { CONFIG_MAX = 64 * 1024 };

static bool text_to(char *to, size_t room, th_str text)
{
    if (text.n >= room || (text.n && memchr(text.p, 0, text.n)))
        return false;
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = 0;
    return true;
}

/* A path of the configuration is relative to the node's directory. */
static bool path_to(char to[TH_PATH_TEXT], const char *dir, th_str text)
{
    char name[TH_PATH_TEXT];
    if (!text.n) {
        to[0] = 0;
        return true;
    }
    return text_to(name, sizeof name, text) && th_path_join(to, dir, name);
}

static bool store_to(char to[TH_PATH_TEXT], const char *dir, th_str url)
{
    static const char prefix[] = "sqlite:";
    if (!th_str_starts(url, prefix))
        return url.n && text_to(to, TH_PATH_TEXT, url);
    char path[TH_PATH_TEXT];
    th_str file = {url.p + sizeof prefix - 1, url.n - (sizeof prefix - 1)};
    if (!file.n || !path_to(path, dir, file))
        return false;
    int n = snprintf(to, TH_PATH_TEXT, "sqlite:%s", path);
    return n > 0 && n < TH_PATH_TEXT;
}

static bool listener_read(const th_json *json, const char *dir, char address[64], uint16_t *port, char url[256], char *cert,
                          char *key)
{
    int64_t number = th_json_int(json, "port", -1);
    th_str where = th_json_str(json, "address");
    if (number < 0 || number > 65535 || !text_to(address, 64, where.n ? where : TH_STR("127.0.0.1")) ||
        !text_to(url, 256, th_json_str(json, "url")))
        return false;
    *port = (uint16_t)number;
    return (!cert || path_to(cert, dir, th_json_str(json, "cert"))) && (!key || path_to(key, dir, th_json_str(json, "key")));
}

static void timeouts_read(const th_json *root, th_config *c, th_error *error)
{
    const th_json *timeouts = th_json_get(root, "timeouts");
    struct { const char *name, *pointer; int *to; } all[] = {{"head_s", "/timeouts/head_s", &c->head_timeout_s},
                                                             {"body_s", "/timeouts/body_s", &c->body_timeout_s},
                                                             {"idle_s", "/timeouts/idle_s", &c->idle_timeout_s}};
    for (size_t i = 0; i < TH_COUNT(all); i++) {
        int64_t seconds = th_json_int(timeouts, all[i].name, 0);
        if (seconds < 0 || seconds > 3600)
            th_fail_field(error, all[i].pointer, "range", "须为 0 至 3600 秒", "Must be 0 to 3600 seconds");
        else
            *all[i].to = (int)seconds;
    }
}

/* A misspelt member would be a setting that silently does not hold. */
static void members_check(const th_json *root, th_error *error)
{
    static const char *const all[] = {"code",  "store",           "region", "console",     "portal",    "peers",   "suite",
                                      "demonstration", "life_per_minute", "seed",   "batch_lines", "gossip_s", "body_days", "threads", "timeouts", NULL};
    static const char *const listener[] = {"address", "port", "url", "cert", "key", NULL}, *const timeouts[] = {"head_s", "body_s", "idle_s", NULL};
    TH_IGNORE(!th_json_only(root, "", all, error) || !th_json_only(th_json_get(root, "portal"), "/portal", listener, error) ||
              !th_json_only(th_json_get(root, "peers"), "/peers", listener, error));
    if (th_json_get(root, "timeouts"))
        TH_IGNORE(!th_json_only(th_json_get(root, "timeouts"), "/timeouts", timeouts, error));
}

static th_status fill(const th_json *root, th_config *c, th_error *error)
{
    members_check(root, error);
    const struct { bool ok; const char *pointer; } checks[] = {
        {text_to(c->code, sizeof c->code, th_json_str(root, "code")) && strlen(c->code) == TH_CODE_TEXT - 1, "/code"},
        {store_to(c->store, c->dir, th_json_str(root, "store")), "/store"},
        {path_to(c->region_dir, c->dir, th_json_str(root, "region")) && c->region_dir[0], "/region"},
        {path_to(c->console, c->dir, th_json_str(root, "console")), "/console"},
        {listener_read(th_json_get(root, "portal"), c->dir, c->portal_address, &c->portal_port, c->portal_url, c->portal_cert,
                       c->portal_key), "/portal"},
        {listener_read(th_json_get(root, "peers"), c->dir, c->peer_address, &c->peer_port, c->peer_url, NULL, NULL), "/peers"},
        {th_suite_parse(th_json_str(root, "suite"), &c->suite) && c->suite != TH_SUITE_P256, "/suite"},
    };
    for (size_t i = 0; i < TH_COUNT(checks); i++)
        if (!checks[i].ok)
            th_fail_field(error, checks[i].pointer, "config", "node.json 中此项缺失或不合规定",
                          "This member of node.json is missing or not acceptable");
    int64_t lines = th_json_int(root, "batch_lines", 0), threads = th_json_int(root, "threads", 0);
    if (lines < 0 || lines > TH_BATCH_LINES_MAX || threads < 0 || threads > 64)
        th_fail_field(error, "/batch_lines", "range", "超出范围", "Out of range");
    c->batch_lines = (size_t)lines;
    timeouts_read(root, c, error);
    c->threads = (int)threads;
    c->gossip_s = th_json_int(root, "gossip_s", 0);
    if (c->gossip_s < 0 || c->gossip_s > 3600)
        th_fail_field(error, "/gossip_s", "range", "须为 0 至 3600 秒", "Must be 0 to 3600 seconds");
    c->body_days = th_json_int(root, "body_days", 0);
    if (c->body_days && (c->body_days < TH_ANSWER_DAYS || c->body_days > 36500))
        th_fail_field(error, "/body_days", "range", "须为 7 至 36500 天", "Must be 7 to 36500 days");
    c->demonstration = th_json_bool(root, "demonstration", false);
    c->life_per_minute = (int)th_json_int(root, "life_per_minute", 0);
    c->seed = (uint64_t)th_json_int(root, "seed", 1);
    if (c->life_per_minute < 0 || c->life_per_minute > 60000)
        th_fail_field(error, "/life_per_minute", "range", "超出范围", "Out of range");
    return error->field_count ? TH_INVALID : TH_OK;
}

th_status th_config_read(const char *dir, th_config *ret_config, th_error *error)
{
    th_arena arena;
    th_str bytes;
    const th_json *root;
    char path[TH_PATH_TEXT];
    th_error local = {0};
    th_config c = {0};
    if (!error)
        error = &local;
    if (!text_to(c.dir, sizeof c.dir, th_str_of(dir)) || !th_path_join(path, dir, "node.json"))
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    th_arena_open(&arena, 4 * CONFIG_MAX);
    th_status status = th_file_read(path, CONFIG_MAX, &arena, &bytes, error);
    if (!status)
        status = th_json_parse(bytes, &arena, &root, error);
    if (!status)
        status = fill(root, &c, error);
    th_arena_close(&arena);
    if (!status)
        *ret_config = c;
    return status;
}

static void listener_write(th_pen *pen, const char *key, const char *address, uint16_t port, const char *url, const char *cert,
                           const char *key_file)
{
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_ktext(pen, "address", address);
    th_pen_kint(pen, "port", port);
    th_pen_ktext(pen, "url", url);
    if (cert && cert[0])
        th_pen_ktext(pen, "cert", cert);
    if (key_file && key_file[0])
        th_pen_ktext(pen, "key", key_file);
    th_pen_end(pen, '}');
}

th_status th_config_write(const th_config *c, th_error *error)
{
    th_arena arena;
    th_buf buf;
    char path[TH_PATH_TEXT];
    th_arena_open(&arena, CONFIG_MAX);
    th_buf_open(&buf, &arena, CONFIG_MAX / 2);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "code", c->code);
    th_pen_ktext(&pen, "store", c->store);
    th_pen_ktext(&pen, "region", c->region_dir);
    th_pen_ktext(&pen, "console", c->console);
    listener_write(&pen, "portal", c->portal_address, c->portal_port, c->portal_url, c->portal_cert, c->portal_key);
    listener_write(&pen, "peers", c->peer_address, c->peer_port, c->peer_url, NULL, NULL);
    th_pen_ktext(&pen, "suite", th_suite_name(c->suite));
    th_pen_kbool(&pen, "demonstration", c->demonstration);
    th_pen_kint(&pen, "life_per_minute", c->life_per_minute);
    th_pen_kint(&pen, "seed", (int64_t)c->seed);
    th_pen_kint(&pen, "batch_lines", (int64_t)c->batch_lines);
    th_pen_kint(&pen, "gossip_s", c->gossip_s);
    th_pen_kint(&pen, "body_days", c->body_days);
    th_pen_kint(&pen, "threads", c->threads);
    th_pen_key(&pen, "timeouts");
    th_pen_object(&pen);
    th_pen_kint(&pen, "head_s", c->head_timeout_s);
    th_pen_kint(&pen, "body_s", c->body_timeout_s);
    th_pen_kint(&pen, "idle_s", c->idle_timeout_s);
    th_pen_end(&pen, '}');
    th_pen_end(&pen, '}');
    th_buf_char(&buf, '\n');
    th_status status = th_buf_ok(&buf) && th_path_join(path, c->dir, "node.json")
                           ? th_file_write(path, th_buf_view(&buf), 0644, error)
                           : TH_TOO_LARGE;
    th_arena_close(&arena);
    return status;
}

/* ---- keys ---- */

/* A certificate is signed by a key of the node's own suite, and by one of P-256 where it is to be read outside the region. */
static const char *const key_files[] = {"keys/message.json", "keys/journal.json", "keys/certificate.json", "keys/governor.json",
                                        "keys/certificate-p256.json"};
static const char x509_file[] = "keys/certificate-p256.der";
enum { KEYS_NEEDED = 3, KEY_P256 = 4, X509_DAYS = 3650 };

static th_status key_write(const char *path, const th_key *key, th_error *error)
{
    th_arena arena;
    th_buf buf;
    char kid[TH_KID_TEXT];
    th_arena_open(&arena, 16 * 1024);
    th_buf_open(&buf, &arena, 4096);
    th_kid_of(key, kid);
    th_str secret = th_key_secret(key), open = th_key_public(key);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "kid", kid);
    th_pen_ktext(&pen, "suite", th_suite_name(th_key_suite(key)));
    th_pen_kstr(&pen, "public", th_base64url(&arena, open.p, open.n));
    th_pen_kstr(&pen, "secret", th_base64url(&arena, secret.p, secret.n));
    th_pen_end(&pen, '}');
    th_buf_char(&buf, '\n');
    th_status status = th_buf_ok(&buf) ? th_file_write(path, th_buf_view(&buf), 0600, error) : TH_TOO_LARGE;
    th_arena_close(&arena);
    return status;
}

static th_status key_read(const char *path, th_key **ret_key, th_error *error)
{
    th_arena arena;
    th_str bytes, secret;
    const th_json *root;
    th_suite suite;
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_file_read(path, 8192, &arena, &bytes, error);
    if (!status)
        status = th_json_parse(bytes, &arena, &root, error);
    if (!status && !th_suite_parse(th_json_str(root, "suite"), &suite))
        status = TH_INVALID;
    if (!status)
        status = th_unbase64url(&arena, th_json_str(root, "secret"), &secret);
    if (!status)
        status = th_key_from_secret(suite, secret, ret_key);
    if (status)
        th_failf(error, status, "key-file", "密钥文件 %s 无法读取", "The key file %s cannot be read", path);
    th_arena_close(&arena);
    return status;
}

static th_status tls_make(const char *dir, const char *cert_file, const char *key_file, th_error *error)
{
    th_arena arena;
    th_str cert, key;
    char path[TH_PATH_TEXT];
    th_arena_open(&arena, 256 * 1024);
    th_status status = th_tls_make("tonghui", 3650, &arena, &cert, &key);
    if (!status && th_path_join(path, dir, cert_file))
        status = th_file_write(path, cert, 0644, error);
    if (!status && th_path_join(path, dir, key_file))
        status = th_file_write(path, key, 0600, error);
    th_arena_close(&arena);
    return status;
}

/* Wallets and readers of signed pages outside the region name a key by a certificate. */
static th_status x509_make(const char *dir, th_error *error)
{
    th_arena arena;
    th_key *key;
    th_str der;
    char path[TH_PATH_TEXT];
    th_arena_open(&arena, 256 * 1024);
    th_status status = th_path_join(path, dir, key_files[KEY_P256]) ? key_read(path, &key, error) : TH_TOO_LARGE;
    if (!status) {
        status = th_x509_make(key, "Tonghui", X509_DAYS, &arena, &der);
        th_key_close(key);
    }
    if (!status)
        status = th_path_join(path, dir, x509_file) ? th_file_write(path, der, 0644, error) : TH_TOO_LARGE;
    th_arena_close(&arena);
    return status;
}

static th_status x509_read(const char *dir, th_keys *keys, th_error *error)
{
    th_arena arena;
    th_str der;
    char path[TH_PATH_TEXT];
    if (!th_path_join(path, dir, x509_file) || !th_file_exists(path))
        return TH_OK;
    th_arena_open(&arena, 64 * 1024);
    th_key *named = NULL;
    th_status status = th_file_read(path, sizeof keys->x509, &arena, &der, error);
    /* Of another key (a switch that did not end): as if there were none. */
    if (!status && keys->certificate_p256 && th_x509_key(der, &named) == TH_OK && th_str_eq(th_key_public(named), th_key_public(keys->certificate_p256))) {
        memcpy(keys->x509, der.p, der.n);
        keys->x509_n = der.n;
    }
    th_key_close(named);
    th_arena_close(&arena);
    return status;
}

th_status th_keys_make(const char *dir, th_suite suite, th_error *error)
{
    char path[TH_PATH_TEXT], hex[65];
    uint8_t secret[32];
    th_env env = th_env_real();
    if (!th_path_join(path, dir, "keys/secret"))
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    if (th_file_exists(path))
        return th_fail(error, TH_CONFLICT, "keys-exist", "密钥已存在，不会覆盖", "Keys exist already and are not overwritten");
    char keys_dir[TH_PATH_TEXT];
    th_status status = th_path_join(keys_dir, dir, "keys") ? th_dir_make(keys_dir, error) : TH_TOO_LARGE;
    for (size_t i = 0; !status && i < TH_COUNT(key_files); i++) {
        th_key *key;
        char file[TH_PATH_TEXT];
        status = th_key_make(i == KEY_P256 ? TH_SUITE_P256 : suite, &key);
        if (status)
            return th_fail(error, status, "key-make", "无法生成密钥", "Making a key failed");
        status = th_path_join(file, dir, key_files[i]) ? key_write(file, key, error) : TH_TOO_LARGE;
        th_key_close(key);
    }
    if (!status)
        status = tls_make(dir, "keys/tls.cert.pem", "keys/tls.key.pem", error);
    if (!status)
        status = x509_make(dir, error);
    env.random(env.ctx, secret, sizeof secret);
    th_hex(secret, sizeof secret, hex);
    if (!status)
        status = th_file_write(path, th_str_of(hex), 0600, error);
    return status;
}

th_status th_keys_read(const char *dir, th_keys *ret_keys, th_error *error)
{
    th_keys keys = {0};
    th_key **slots[] = {&keys.message, &keys.journal, &keys.certificate, &keys.governor, &keys.certificate_p256};
    char path[TH_PATH_TEXT];
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < TH_COUNT(key_files); i++) {
        if (!th_path_join(path, dir, key_files[i]))
            status = TH_TOO_LARGE;
        else if (i < KEYS_NEEDED || th_file_exists(path)) /* a governor's key may be kept elsewhere */
            status = key_read(path, slots[i], error);
    }
    if (!status)
        status = x509_read(dir, &keys, error);
    th_arena arena;
    th_str hex;
    th_arena_open(&arena, 16 * 1024);
    if (!status)
        status = th_path_join(path, dir, "keys/secret") ? th_file_read(path, 1024, &arena, &hex, error) : TH_TOO_LARGE;
    if (!status && !th_unhex(th_str_trim(hex), keys.secret, sizeof keys.secret))
        status = th_fail(error, TH_CORRUPT, "key-file", "keys/secret 不是 64 位十六进制", "keys/secret is not 64 hex digits");
    th_arena_close(&arena);
    if (status)
        th_keys_close(&keys);
    else
        *ret_keys = keys;
    return status;
}

void th_keys_close(th_keys *keys)
{
    th_key_close(keys->message);
    th_key_close(keys->journal);
    th_key_close(keys->certificate);
    th_key_close(keys->governor);
    th_key_close(keys->certificate_p256);
    *keys = (th_keys){0};
}

/* ---- the next key of a use: made first, switched to when the trust document knows it ---- */

static bool next_path(const char *dir, const char *use, char ret_path[TH_PATH_TEXT])
{
    char name[64];
    int n = snprintf(name, sizeof name, "keys/%s.next.json", use);
    return n > 0 && (size_t)n < sizeof name && th_path_join(ret_path, dir, name);
}

th_status th_key_next(const char *dir, const char *use, th_key **ret_key, th_error *error)
{
    char path[TH_PATH_TEXT];
    *ret_key = NULL;
    if (!next_path(dir, use, path))
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    return th_file_exists(path) ? key_read(path, ret_key, error) : TH_OK;
}

th_status th_key_next_make(const char *dir, const char *use, th_suite suite, th_error *error)
{
    char path[TH_PATH_TEXT];
    th_key *key;
    bool tls = strcmp(use, "tls") == 0;
    if (!(tls ? th_path_join(path, dir, "keys/tls.next.key.pem") : next_path(dir, use, path)))
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    if (th_file_exists(path))
        return th_fail(error, TH_CONFLICT, "next-key-exists", "下一把密钥已存在；请先启用或删除它", "There is a next key already; switch to it or delete it first");
    if (tls)
        return tls_make(dir, "keys/tls.next.cert.pem", "keys/tls.next.key.pem", error);
    th_status status = th_key_make(suite, &key);
    if (status)
        return th_fail(error, status, "key-make", "无法生成密钥", "Making a key failed");
    status = key_write(path, key, error);
    th_key_close(key);
    return status;
}

static th_status moved(const char *dir, const char *from, const char *to, th_error *error)
{
    char a[TH_PATH_TEXT], b[TH_PATH_TEXT];
    if (!th_path_join(a, dir, from) || !th_path_join(b, dir, to))
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    return rename(a, b) ? th_failf(error, TH_IO, "file", "无法改名 %s", "Cannot rename %s", a) : TH_OK;
}

/* The old key is kept under `aside`: what it signed is checked by the trust document, but a lost switch can be undone by hand. */
th_status th_key_next_take(const char *dir, const char *use, const char *aside, th_error *error)
{
    static const char *const tls[] = {"cert.pem", "key.pem"};
    char now[64], next[64], old[96];
    th_status status = TH_OK;
    for (size_t i = 0; !status && i < (strcmp(use, "tls") ? 1 : TH_COUNT(tls)); i++) {
        const char *tail = strcmp(use, "tls") ? "json" : tls[i];
        snprintf(now, sizeof now, "keys/%s.%s", use, tail);
        snprintf(next, sizeof next, "keys/%s.next.%s", use, tail);
        snprintf(old, sizeof old, "keys/%s.%s.old.%s", use, aside, tail);
        status = moved(dir, now, old, error);
        if (!status)
            status = moved(dir, next, now, error);
    }
    if (!status && strcmp(use, "certificate-p256") == 0) /* the name that pages and requests give it is of this key */
        status = x509_make(dir, error);
    return status;
}
