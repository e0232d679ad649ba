/* doctor_region.c — what the trust document, the peers and the sources of registers say of this node. */
#include "doctor-private.h"

#include <string.h>

enum { EXPIRY_DAYS = 30, SKEW_S = 30 };

static void say(th_exam *x, const char *check, bool ok, const char *zh, const char *en)
{
    th_exam_say(x, check, ok, th_str_of(zh), th_str_of(en));
}

static int64_t now_us(void)
{
    th_env env = th_env_real();
    return th_now_us(&env);
}

static void trust_load(th_exam *x)
{
    th_db *db;
    const th_value *row;
    if (!x->store || th_store_acquire(x->store, &db, NULL))
        return;
    if (th_db_one(db, "SELECT document FROM exchange_trust ORDER BY version DESC LIMIT 1", NULL, 0, &x->arena, &row, NULL) == TH_OK)
        TH_IGNORE(th_trust_read(row[0].s, &x->trust, NULL));
    th_store_release(x->store, db);
}

static bool key_is_known(const th_exam *x, const th_member *self, const th_key *key, unsigned use)
{
    char kid[TH_KID_TEXT];
    bool found = false;
    th_kid_of(key, kid);
    for (size_t i = 0; i < self->key_count; i++)
        found = found || (th_str_is(self->keys[i].kid, kid) && (self->keys[i].use & use) && self->keys[i].not_after_us > now_us());
    (void)x;
    return found;
}

static bool keys_are_known(th_exam *x, const th_member *self)
{
    th_keys keys;
    if (th_keys_read(x->dir, &keys, NULL))
        return true; /* told by the check of the keys themselves */
    bool ok = key_is_known(x, self, keys.message, TH_USE_MESSAGE) && key_is_known(x, self, keys.journal, TH_USE_JOURNAL);
    th_keys_close(&keys);
    return ok;
}

static bool pin_is_ours(th_exam *x, const th_member *self)
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

static void self_check(th_exam *x, const th_member *self)
{
    say(x, "own-keys", keys_are_known(x, self), "keys/ 中的密钥不在信任文件中或已过期：是否用错目录，或换钥后尚未签署新版本？见 tonghui key list",
        "The keys in keys/ are not in the trust document, or expired there: another directory, or a rotation not signed yet? See tonghui key list");
    say(x, "tls-pin", pin_is_ours(x, self), "TLS 证书与信任文件中的指纹不符：请治理方签署含新指纹的版本（region member、region propose --put）",
        "The TLS certificate does not fit its pin: let the governors sign a version with the new one (region member, region propose --put)");
    th_exam_say(x, "peer-address", th_str_is(self->peer, x->config.peer_url),
                th_strf(&x->arena, "信任文件中本节点地址是 %.*s，node.json 写的是 %s：其他节点按前者连接，且签名按它检验；二者须一致", TH_FMT(self->peer), x->config.peer_url),
                th_strf(&x->arena, "The trust document says %.*s, node.json says %s: peers use the former and signatures are checked by it; make them the same",
                        TH_FMT(self->peer), x->config.peer_url));
}

static void trust_check(th_exam *x)
{
    trust_load(x);
    say(x, "trust-document", x->trust != NULL, "没有信任文件：tonghui region apply region.json --node 目录", "There is no trust document: tonghui region apply region.json --node DIR");
    if (!x->trust)
        return;
    int64_t days = (x->trust->expires_us - now_us()) / TH_DAY_US;
    th_exam_say(x, "trust-expiry", days > EXPIRY_DAYS,
                th_strf(&x->arena, "信任文件%s：请治理方用 region propose 起草并签署新版本", days < 0 ? "已过期，节点间交换已停止" : "30 天内到期"),
                th_strf(&x->arena, "The trust document %s: draft a new version with region propose and let the governors sign it",
                        days < 0 ? "has expired and exchange has stopped" : "expires within 30 days"));
    const th_member *self = th_trust_member(x->trust, th_str_of(x->config.code));
    say(x, "membership", self && !self->suspended, "本节点不在信任文件中，或已被暂停：其他节点会拒绝它；请与治理方联系",
        "This node is not in the trust document, or suspended: others refuse it; speak with the governors");
    if (self)
        self_check(x, self);
}

/* ---- peers ---- */

/* Their last second: proves the network, their key, that they know ours, and what time it is there. */
static th_status beat_ask(th_exam *x, const th_member *m, int64_t *ret_at_us, th_error *error)
{
    char cert[TH_PATH_TEXT], key[TH_PATH_TEXT];
    const th_json *root;
    if (!th_path_join(cert, x->dir, "keys/tls.cert.pem") || !th_path_join(key, x->dir, "keys/tls.key.pem") || !m->pin_count)
        return th_fail(error, TH_INVALID, "no-pin", "信任文件中没有它的指纹", "the trust document has no pin of it");
    th_client_options options = {.cert_file = cert, .key_file = key};
    th_str url = th_strf(&x->arena, "%.*s/operations/v1/beat", TH_FMT(m->peer)), pins = TH_STR("");
    for (size_t i = 0; i < m->pin_count; i++)
        pins = th_strf(&x->arena, "%s%ssha256//%.*s", pins.p, i ? ";" : "", (int)m->pins[i].n - 7, m->pins[i].p + 7);
    th_call call = {.method = "GET", .url = url.p, .pins = pins.p, .connect_timeout_ms = 1500, .timeout_ms = 3000};
    th_status status = th_client_once(&options, &call, &x->arena);
    if (status) {
        *error = call.error;
        return status;
    }
    if (call.http_status == 403)
        return th_fail(error, TH_FORBIDDEN, "unknown-member", "对方不认识本节点的 TLS 密钥：它的信任文件较旧，请在那里 region apply",
                       "it does not know this node's TLS key: its trust document is older; run region apply there");
    if (call.http_status != 200 || th_json_parse(call.response, &x->arena, &root, NULL))
        return th_failf(error, TH_UNAVAILABLE, "peer-problem", "对方回应 %d", "it answered %d", call.http_status);
    if (!th_time_parse(th_json_str(root, "at"), ret_at_us))
        *ret_at_us = 0;
    return TH_OK;
}

static void peer_check(th_exam *x, const th_member *m)
{
    th_error e = {0};
    int64_t at = 0;
    th_status status = beat_ask(x, m, &at, &e);
    th_str name = th_strf(&x->arena, "peer-%s", m->code), clock = th_strf(&x->arena, "clock-%s", m->code);
    th_exam_say(x, name.p, status == TH_OK, th_strf(&x->arena, "%s；检查网络、对方是否运行、防火墙是否放行 %.*s", e.zh, TH_FMT(m->peer)),
                th_strf(&x->arena, "%s; see the network, whether it runs, whether the firewall lets %.*s through", e.en, TH_FMT(m->peer)));
    int64_t skew = at ? (now_us() - at) / TH_SECOND_US - 1 : 0; /* a beat is the second that has just ended */
    bool ok = skew <= SKEW_S && skew >= -SKEW_S;
    if (!status)
        th_exam_say(x, clock.p, ok, th_strf(&x->arena, "与对方时钟相差 %lld 秒，超过 30 秒的报文会被拒绝：启用 NTP（timedatectl set-ntp true）", (long long)skew),
                    th_strf(&x->arena, "The clocks differ by %lld s and messages beyond 30 s are refused: run NTP (timedatectl set-ntp true)", (long long)skew));
}

/* ---- sources ---- */

static void source_check(th_exam *x, th_str reg, th_str json)
{
    const th_json *root;
    th_store *database = NULL;
    th_error e = {0};
    if (th_json_parse(json, &x->arena, &root, NULL) || !th_str_is(th_json_str(root, "source"), "sql"))
        return;
    th_str url = th_str_keep(&x->arena, th_json_str(root, "database")), name = th_strf(&x->arena, "source-%.*s", TH_FMT(reg));
    th_db *db;
    bool ok = url.p && th_store_open(url.p, NULL, &database, &e) == TH_OK && th_store_acquire(database, &db, &e) == TH_OK;
    if (ok)
        th_store_release(database, db);
    if (database)
        th_store_close(database);
    th_exam_say(x, name.p, ok, th_strf(&x->arena, "登记库 %.*s 的外部数据库无法连接：%s；对它的询问会答“暂不可用”", TH_FMT(reg), e.zh),
                th_strf(&x->arena, "The database behind register %.*s cannot be reached: %s; asks for it answer \"unavailable\"", TH_FMT(reg), e.en));
}

static void sources_check(th_exam *x)
{
    th_db *db;
    th_rows rows = {0};
    if (!x->store || th_store_acquire(x->store, &db, NULL))
        return;
    th_status status = th_db_select(db, "SELECT register, json FROM records_source ORDER BY register", NULL, 0, &x->arena, &rows, NULL);
    th_store_release(x->store, db);
    for (size_t i = 0; !status && i < rows.n; i++)
        source_check(x, th_row(&rows, i)[0].s, th_row(&rows, i)[1].s);
}

void th_exam_region(th_exam *x)
{
    trust_check(x);
    for (size_t i = 0; x->trust && i < x->trust->member_count; i++)
        if (strcmp(x->trust->members[i].code, x->config.code) != 0 && !x->trust->members[i].suspended)
            peer_check(x, &x->trust->members[i]);
    sources_check(x);
}
