/* cmd_init.c — a new node's directory. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

static bool text_option(const th_args *args, const char *name, const char *fallback, char *to, size_t room)
{
    const char *text = th_option(args, name);
    int n = snprintf(to, room, "%s", text ? text : fallback);
    if (n >= 0 && (size_t)n < room)
        return true;
    (void)th_cmd_usage(args, "--%s 过长", "--%s is too long", name);
    return false;
}

static bool code_ok(const char *code)
{
    return strlen(code) == TH_CODE_TEXT - 1 && strspn(code, "0123456789") == TH_CODE_TEXT - 1;
}

int th_cmd_init(const th_args *args)
{
    th_config c = {.suite = TH_SUITE_SM2};
    th_error error = {0};
    char portal_url[64], peer_url[64];
    int64_t portal = 8080, peer = 8443;
    const char *dir = th_word(args, 0), *suite = th_option(args, "suite");
    if (!code_ok(th_option(args, "code")))
        return th_cmd_usage(args, "--code 须为六位数字", "--code must be six digits");
    if (suite && (!th_suite_parse(th_str_of(suite), &c.suite) || c.suite == TH_SUITE_P256))
        return th_cmd_usage(args, "没有套件 %s", "There is no suite %s", suite);
    if (!th_option_int(args, "portal-port", 1, 65535, &portal) || !th_option_int(args, "peer-port", 1, 65535, &peer))
        return 2;
    c.portal_port = (uint16_t)portal;
    c.peer_port = (uint16_t)peer;
    snprintf(portal_url, sizeof portal_url, "http://127.0.0.1:%u", c.portal_port);
    snprintf(peer_url, sizeof peer_url, "https://127.0.0.1:%u", c.peer_port);
    if (!text_option(args, "code", "", c.code, sizeof c.code) || !text_option(args, "store", "sqlite:store.sqlite", c.store, sizeof c.store) ||
        !text_option(args, "region", "", c.region_dir, sizeof c.region_dir) || !text_option(args, "console", "", c.console, sizeof c.console) ||
        !text_option(args, "address", "127.0.0.1", c.portal_address, sizeof c.portal_address) ||
        !text_option(args, "address", "127.0.0.1", c.peer_address, sizeof c.peer_address) ||
        !text_option(args, "portal-url", portal_url, c.portal_url, sizeof c.portal_url) ||
        !text_option(args, "peer-url", peer_url, c.peer_url, sizeof c.peer_url) || snprintf(c.dir, sizeof c.dir, "%s", dir) >= TH_PATH_TEXT)
        return 2;
    if (!th_path_whole(c.region_dir) || (c.console[0] && !th_path_whole(c.console)))
        return th_cmd_usage(args, "目录不存在：%s", "There is no such directory: %s", c.console[0] && th_path_whole(c.region_dir) ? c.console : c.region_dir);
    th_status status = th_dir_make(dir, &error);
    if (!status)
        status = th_keys_make(dir, c.suite, &error);
    if (!status)
        status = th_config_write(&c, &error);
    return status ? th_cmd_failed(args, status, &error)
                  : th_cmd_done(args, (th_str){NULL, 0}, "节点目录已建立：%s（密钥在 keys/，请妥善保管并备份）", "Node made: %s (keys in keys/: guard and back them up)", dir);
}
