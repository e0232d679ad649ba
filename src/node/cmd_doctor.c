/* cmd_doctor.c — the likeliest misconfigurations, found and told with their remedy. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

typedef struct examined {
    const th_args *args;
    const char *dir;
    th_config config;
    bool config_ok;
    th_store *store;
    th_trust *trust;
    th_arena arena;
    int faults;
    bool first;
} examined;

static void say(examined *x, const char *check, bool ok, const char *zh, const char *en)
{
    x->faults += !ok;
    if (x->args->json) {
        th_arena arena;
        th_buf buf;
        th_arena_open(&arena, 64 * 1024);
        th_buf_open(&buf, &arena, 16 * 1024);
        th_pen pen = th_pen_on(&buf);
        th_pen_object(&pen);
        th_pen_ktext(&pen, "check", check);
        th_pen_kbool(&pen, "ok", ok);
        if (!ok)
            th_pen_kwords(&pen, "remedy", zh, en);
        th_pen_end(&pen, '}');
        th_print(th_buf_view(&buf));
        th_arena_close(&arena);
    } else {
        printf("%s %-18s %s\n", ok ? "✓" : "✗", check, ok ? "" : x->args->english ? en : zh);
    }
}

static void config_check(examined *x)
{
    th_error error = {0};
    x->config_ok = th_config_read(x->dir, &x->config, &error) == TH_OK;
    th_str zh = th_strf(&x->arena, "node.json 有误：%s %s；请按 docs/configuration.md 改正", error.field_count ? error.fields[0].pointer : "", error.zh);
    th_str en = th_strf(&x->arena, "node.json is wrong: %s %s; correct it by docs/configuration.md", error.field_count ? error.fields[0].pointer : "", error.en);
    say(x, "configuration", x->config_ok, zh.p, en.p);
}

static void keys_check(examined *x)
{
    static const char *const names[] = {"keys/message.json", "keys/journal.json", "keys/certificate.json", "keys/secret", "keys/tls.key.pem"};
    char path[TH_PATH_TEXT];
    bool open = false;
    th_keys keys;
    bool readable = th_keys_read(x->dir, &keys, NULL) == TH_OK;
    if (readable)
        th_keys_close(&keys);
    say(x, "keys", readable, "密钥缺失或损坏：从离线副本恢复 keys/，不要重新生成（旧日志将无法延续）",
        "Keys are missing or broken: restore keys/ from its offline copy; do not make new ones (the old log could not go on)");
    for (size_t i = 0; i < TH_COUNT(names); i++) {
        struct stat st;
        open = open || (th_path_join(path, x->dir, names[i]) && stat(path, &st) == 0 && (st.st_mode & 077));
    }
    say(x, "key-permissions", !open, "密钥可被其他用户读取：chmod 600 keys/*", "Others can read the keys: chmod 600 keys/*");
}

static void region_check(examined *x)
{
    char path[TH_PATH_TEXT];
    bool ok = th_path_join(path, x->config.region_dir, "registers") && th_file_exists(path);
    say(x, "region-folder", ok, "区域数据目录不存在：检查 node.json 的 region", "The region's folder is not there: see `region` in node.json");
    bool console = !x->config.console[0] || (th_path_join(path, x->config.console, "index.html") && th_file_exists(path));
    say(x, "console", console, "控制台未构建：cd web && npm ci && npm run build，或清空 node.json 的 console",
        "The console is not built: cd web && npm ci && npm run build, or empty `console` in node.json");
}

static void disk_check(examined *x)
{
    struct statvfs st;
    bool ok = statvfs(x->dir, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize > (UINT64_C(1) << 30);
    say(x, "disk", ok, "可用空间不足 1 GiB：扩容或清理；写满后节点拒绝写入但继续提供读取", "Less than 1 GiB is free: add space; when full the node refuses writes and goes on reading");
}

static void store_check(examined *x)
{
    th_error error = {0};
    bool ok = th_store_open(x->config.store, NULL, &x->store, &error) == TH_OK;
    th_str zh = th_strf(&x->arena, "存储无法打开：%s", error.zh), en = th_strf(&x->arena, "The store cannot be opened: %s", error.en);
    say(x, "store", ok, zh.p, en.p);
}

static void trust_load(examined *x)
{
    th_db *db;
    const th_value *row;
    if (!x->store || th_store_acquire(x->store, &db, NULL))
        return;
    if (th_db_one(db, "SELECT document FROM exchange_trust ORDER BY version DESC LIMIT 1", NULL, 0, &x->arena, &row, NULL) == TH_OK)
        TH_IGNORE(th_trust_read(row[0].s, &x->trust, NULL));
    th_store_release(x->store, db);
}

static bool key_is_ours(examined *x, const th_member *self)
{
    th_keys keys;
    char kid[TH_KID_TEXT];
    bool found = false;
    if (th_keys_read(x->dir, &keys, NULL))
        return false;
    th_kid_of(keys.message, kid);
    for (size_t i = 0; i < self->key_count; i++)
        found = found || th_str_is(self->keys[i].kid, kid);
    th_keys_close(&keys);
    return found;
}

static bool pin_is_ours(examined *x, const th_member *self)
{
    char path[TH_PATH_TEXT], pin[TH_PIN_TEXT];
    th_str pem;
    bool found = false;
    if (!th_path_join(path, x->dir, "keys/tls.cert.pem") || th_file_read(path, 65536, &x->arena, &pem, NULL) || th_tls_pin_of_pem(pem, pin))
        return false;
    for (size_t i = 0; i < self->pin_count; i++)
        found = found || th_str_is(self->pins[i], pin);
    return found;
}

static void trust_check(examined *x)
{
    th_env env = th_env_real();
    int64_t now = th_now_us(&env);
    trust_load(x);
    say(x, "trust-document", x->trust != NULL, "没有信任文件：tonghui region apply region.json --node …", "There is no trust document: tonghui region apply region.json --node …");
    if (!x->trust)
        return;
    int64_t days = (x->trust->expires_us - now) / TH_DAY_US;
    say(x, "trust-expiry", days > 30, "信任文件 30 天内到期或已过期：请治理方签署新版本", "The trust document expires within 30 days or has: let the governors sign a new version");
    const th_member *self = th_trust_member(x->trust, th_str_of(x->config.code));
    say(x, "membership", self && !self->suspended, "本节点不在信任文件中或已被暂停", "This node is not in the trust document, or suspended");
    if (!self)
        return;
    say(x, "own-keys", key_is_ours(x, self), "keys/ 中的密钥与信任文件不符：是否用错目录，或换钥后尚未签署新版本？",
        "The keys in keys/ are not those of the trust document: another directory, or a rotation that is not signed yet?");
    say(x, "tls-pin", pin_is_ours(x, self), "TLS 证书与信任文件的指纹不符：请治理方签署含新指纹的版本", "The TLS certificate does not fit the pin: let the governors sign a version with the new pin");
}

static void peer_check(examined *x, const th_member *m)
{
    char cert[TH_PATH_TEXT], key[TH_PATH_TEXT];
    if (!th_path_join(cert, x->dir, "keys/tls.cert.pem") || !th_path_join(key, x->dir, "keys/tls.key.pem") || !m->pin_count)
        return;
    th_client_options options = {.cert_file = cert, .key_file = key};
    th_str url = th_strf(&x->arena, "%.*s/healthz", TH_FMT(m->peer)), pin = th_strf(&x->arena, "sha256//%.*s", (int)m->pins[0].n - 7, m->pins[0].p + 7);
    th_call call = {.method = "GET", .url = url.p, .pins = pin.p, .connect_timeout_ms = 1500, .timeout_ms = 3000};
    th_status status = th_client_once(&options, &call, &x->arena);
    th_str name = th_strf(&x->arena, "peer-%s", m->code);
    th_str zh = th_strf(&x->arena, "%s：检查网络、对方是否运行，以及防火墙是否放行该端口", call.error.zh);
    th_str en = th_strf(&x->arena, "%s: see the network, whether it runs, and whether the firewall lets this port through", call.error.en);
    say(x, name.p, status == TH_OK && call.http_status == 200, zh.p, en.p);
}

int th_cmd_doctor(const th_args *args)
{
    examined x = {.args = args, .dir = th_cmd_node(args)};
    if (!x.dir)
        return 2;
    th_arena_open(&x.arena, 256u << 20);
    config_check(&x);
    if (x.config_ok) {
        keys_check(&x);
        region_check(&x);
        disk_check(&x);
        store_check(&x);
        trust_check(&x);
        for (size_t i = 0; x.trust && i < x.trust->member_count; i++)
            if (strcmp(x.trust->members[i].code, x.config.code) != 0 && !x.trust->members[i].suspended)
                peer_check(&x, &x.trust->members[i]);
    }
    th_trust_release(x.trust);
    if (x.store)
        th_store_close(x.store);
    th_arena_close(&x.arena);
    return x.faults ? 1 : 0;
}
