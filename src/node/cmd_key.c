/* cmd_key.c — rotation of keys in three steps: make the next one, let the governors enter it, switch to it. Nothing in between is an
 * outage: the document names both keys for as long as both are needed. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

static const char *const uses[] = {"message", "journal", "certificate", "certificate-p256", "governor", "tls"};
static const unsigned document_uses[] = {TH_USE_MESSAGE, TH_USE_JOURNAL, TH_USE_CERTIFICATE, TH_USE_CERTIFICATE, 0, 0};
enum { USE_P256 = 3, USE_GOVERNOR = 4, USE_TLS = 5 };

static int use_of(const char *word)
{
    for (size_t i = 0; i < TH_COUNT(uses); i++)
        if (strcmp(uses[i], word) == 0)
            return (int)i;
    return -1;
}

static const th_key *key_of(const th_keys *keys, int use)
{
    const th_key *const all[] = {keys->message, keys->journal, keys->certificate, keys->certificate_p256, keys->governor};
    return use < USE_TLS ? all[use] : NULL;
}

/* Does the document in force name this key (or pin) for this use? */
static bool known(const th_trust *trust, const char *code, int use, th_str id)
{
    const th_member *m = trust ? th_trust_member(trust, th_str_of(code)) : NULL;
    bool found = false;
    for (size_t i = 0; trust && use == USE_GOVERNOR && i < trust->governor_count; i++)
        found = found || th_str_eq(trust->governors[i].kid, id);
    for (size_t i = 0; m && use == USE_TLS && i < m->pin_count; i++)
        found = found || th_str_eq(m->pins[i], id);
    for (size_t i = 0; m && use < USE_GOVERNOR && i < m->key_count; i++)
        found = found || (th_str_eq(m->keys[i].kid, id) && (m->keys[i].use & document_uses[use]));
    return found;
}

static th_status pin_of(const char *dir, const char *file, char ret_pin[TH_PIN_TEXT], th_error *error)
{
    th_arena arena;
    th_str pem;
    char path[TH_PATH_TEXT];
    th_arena_open(&arena, 1 << 20);
    th_status status = th_path_join(path, dir, file) ? th_file_read(path, 64 * 1024, &arena, &pem, error) : TH_TOO_LARGE;
    if (!status && (status = th_tls_pin_of_pem(pem, ret_pin)) != TH_OK)
        th_fail(error, status, "certificate-file", "证书文件无法读取", "The certificate file cannot be read");
    th_arena_close(&arena);
    return status;
}

/* The id by which the document knows a key: kid, or pin for TLS. "" when there is no such key. */
static th_status id_of(const char *dir, const th_keys *keys, int use, bool next, char ret_id[TH_PIN_TEXT], th_error *error)
{
    char path[TH_PATH_TEXT];
    const char *pem = next ? "keys/tls.next.cert.pem" : "keys/tls.cert.pem";
    th_key *made = NULL;
    ret_id[0] = 0;
    if (use == USE_TLS)
        return th_path_join(path, dir, pem) && th_file_exists(path) ? pin_of(dir, pem, ret_id, error) : TH_OK;
    th_status status = next ? th_key_next(dir, uses[use], &made, error) : TH_OK;
    const th_key *key = next ? made : key_of(keys, use);
    if (!status && key)
        th_kid_of(key, ret_id);
    th_key_close(made);
    return status;
}

static void row_tell(const th_args *args, th_pen *pen, const char *use, bool next, const char *id, bool in_document)
{
    if (!args->json) {
        printf("%-17s %-6s %-52s %s\n", use, next ? "next" : "", id, in_document ? (args->english ? "in the trust document" : "在信任文件中") : (args->english ? "NOT in the trust document" : "不在信任文件中"));
        return;
    }
    th_pen_object(pen);
    th_pen_ktext(pen, "use", use);
    th_pen_kbool(pen, "next", next);
    th_pen_ktext(pen, "id", id);
    th_pen_kbool(pen, "known", in_document);
    th_pen_end(pen, '}');
}

int th_cmd_key_list(const th_args *args)
{
    th_arena arena;
    th_buf buf;
    th_node *node;
    th_error error = {0};
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_trust *trust = th_exchange_trust(node->exchange);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (int use = 0; !status && use <= USE_TLS; use++)
        for (int next = 0; !status && next < 2; next++) {
            char id[TH_PIN_TEXT];
            status = id_of(args->node, &node->keys, use, next, id, &error);
            if (!status && id[0])
                row_tell(args, &pen, uses[use], next, id, known(trust, node->config.code, use, th_str_of(id)));
        }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (!status && args->json)
        th_print(th_buf_view(&buf));
    th_trust_release(trust);
    th_node_close(node);
    th_arena_close(&arena);
    return status ? th_cmd_failed(args, status, &error) : 0;
}

int th_cmd_key_new(const th_args *args)
{
    th_config config;
    th_keys none = {0};
    th_error error = {0};
    char id[TH_PIN_TEXT], json[160];
    int use = use_of(th_word(args, 0));
    const char *suite = th_option(args, "suite");
    if (use < 0)
        return th_cmd_usage(args, "没有这种密钥：%s", "There is no such use of a key: %s", th_word(args, 0));
    th_status status = th_config_read(args->node, &config, &error);
    if (!status && suite && (!th_suite_parse(th_str_of(suite), &config.suite) || config.suite == TH_SUITE_P256))
        return th_cmd_usage(args, "没有套件 %s", "There is no suite %s", suite);
    if (use == USE_P256) /* that one is P-256 or it is nothing */
        config.suite = TH_SUITE_P256;
    if (!status)
        status = th_key_next_make(args->node, uses[use], config.suite, &error);
    if (!status)
        status = id_of(args->node, &none, use, true, id, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    snprintf(json, sizeof json, "{\"use\":\"%s\",\"id\":\"%s\"}", uses[use], id);
    return th_cmd_done(args, th_str_of(json), "下一把 %s 密钥 %s 已生成；请以 region member 输出条目，由治理方签署新版本后再 key switch",
                       "Next %s key %s made; tell the governors by `region member`, and `key switch` when the new version is in force", uses[use], id);
}

static th_status switch_check(const th_args *args, int use, char ret_old[TH_PIN_TEXT], char ret_new[TH_PIN_TEXT], th_error *error)
{
    th_node *node;
    th_status status = th_node_open_beside(args->node, &node, error);
    if (status)
        return status;
    th_trust *trust = th_exchange_trust(node->exchange);
    status = id_of(args->node, &node->keys, use, false, ret_old, error);
    if (!status)
        status = id_of(args->node, &node->keys, use, true, ret_new, error);
    if (!status && !ret_new[0])
        status = th_fail(error, TH_NOT_FOUND, "no-next-key", "没有下一把密钥；先用 key new 生成", "There is no next key; make it with `key new`");
    if (!status && !known(trust, node->config.code, use, th_str_of(ret_new)))
        status = th_fail(error, TH_CONFLICT, "key-not-in-trust", "现行信任文件中没有这把密钥；请治理方先签署含它的版本",
                         "The trust document in force does not name this key; let the governors sign a version that does");
    th_trust_release(trust);
    th_node_close(node);
    return status;
}

int th_cmd_key_switch(const th_args *args)
{
    th_error error = {0};
    char old[TH_PIN_TEXT], fresh[TH_PIN_TEXT], aside[TH_PIN_TEXT], json[200];
    int use = use_of(th_word(args, 0));
    if (use < 0)
        return th_cmd_usage(args, "没有这种密钥：%s", "There is no such use of a key: %s", th_word(args, 0));
    th_status status = switch_check(args, use, old, fresh, &error);
    snprintf(aside, sizeof aside, "%.8s", use == USE_TLS ? old + 7 : old[0] ? old : "none");
    for (char *p = aside; *p; p++)
        *p = *p == '/' || *p == '+' ? '_' : *p;
    if (!status)
        status = th_key_next_take(args->node, uses[use], aside, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    if (use == USE_TLS)
        th_node_nudge(args->node);
    snprintf(json, sizeof json, "{\"use\":\"%s\",\"id\":\"%s\",\"restart\":%s}", uses[use], fresh, use < USE_GOVERNOR ? "true" : "false");
    return th_cmd_done(args, th_str_of(json), use < USE_GOVERNOR ? "已启用 %s 密钥 %s；请重启节点" : "已启用 %s 密钥 %s",
                       use < USE_GOVERNOR ? "The %s key %s is in use; restart the node" : "The %s key %s is in use", uses[use], fresh);
}
