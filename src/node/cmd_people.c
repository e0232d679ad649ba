/* cmd_people.c — accounts, offices and API keys; and grants. */
#include "node/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { FILE_MAX = 8 << 20 };

/* From --password, else TONGHUI_PASSWORD, else the terminal without echo: the command line is seen by others. */
static const char *password_of(const th_args *args, char text[256])
{
    const char *given = th_option(args, "password") ? th_option(args, "password") : getenv("TONGHUI_PASSWORD");
    struct termios shown, hidden;
    if (given)
        return given;
    bool terminal = tcgetattr(0, &shown) == 0;
    if (terminal) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSAFLUSH, &hidden);
        fputs(args->english ? "Password: " : "密码：", stderr);
    }
    char *line = fgets(text, 256, stdin);
    if (terminal) {
        tcsetattr(0, TCSAFLUSH, &shown);
        fputc('\n', stderr);
    }
    if (line)
        line[strcspn(line, "\r\n")] = 0;
    return line;
}

static int user_add(const th_args *args, th_node *node, th_error *error)
{
    char id[TH_ID_TEXT], text[256];
    const char *login = th_word(args, 1), *role = th_option(args, "role"), *name = th_option(args, "name");
    const char *password = login && role ? password_of(args, text) : NULL;
    if (!login || !role || !password)
        return th_cmd_usage(args, "user add LOGIN --role ROLE[,ROLE] [--name NAME] [--office CODE] [--id-number N] [--password P] --node DIR");
    th_account_new account = {.login = th_str_of(login),
                              .password = th_str_of(password),
                              .name = th_str_of(name ? name : login),
                              .office = th_str_of(th_option(args, "office")),
                              .id_number = th_str_of(th_option(args, "id-number"))};
    th_str rest = th_str_of(role), one;
    while (rest.n && th_str_cut(&rest, ',', &one)) {
        unsigned known = th_role_of(one);
        if (!known)
            return th_cmd_failed(args,
                                 th_failf(error, TH_INVALID, "role", "没有角色 %.*s", "There is no role %.*s", TH_FMT(one)), error);
        account.roles |= known;
    }
    th_status status = th_people_add_account(node->people, &account, id, error);
    if (status)
        return th_cmd_failed(args, status, error);
    printf("%s\n", id);
    return 0;
}

static int user_list(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_str json;
    const th_json *root;
    th_arena_open(&arena, 64u << 20);
    th_status status = th_people_list(node->people, &arena, &json, error);
    if (!status && args->json) {
        th_print(json);
    } else if (!status && th_json_parse(json, &arena, &root, error) == TH_OK) {
        const th_json *items = th_json_get(root, "items");
        for (const th_json *a = th_json_first(items); a; a = th_json_next(items, a))
            printf("%-20.*s %-24.*s %.*s%s\n", TH_FMT(th_json_str(a, "login")), TH_FMT(th_json_str(a, "name")),
                   TH_FMT(th_json_get(a, "roles")->raw), th_json_bool(a, "disabled", false) ? "  disabled" : "");
    }
    th_arena_close(&arena);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int user_password(const th_args *args, th_node *node, th_error *error)
{
    char text[256];
    const char *login = th_word(args, 1), *password = login ? password_of(args, text) : NULL;
    if (!password)
        return th_cmd_usage(args, "user password LOGIN [--password P] --node DIR");
    th_status status = th_people_set_password(node->people, th_str_of(login), th_str_of(password), error);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int user_disable(const th_args *args, th_node *node, th_error *error)
{
    const char *login = th_word(args, 1);
    if (!login)
        return th_cmd_usage(args, "user disable LOGIN --node DIR");
    th_status status = th_people_disable(node->people, th_str_of(login), error);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int user_office(const th_args *args, th_node *node, th_error *error)
{
    const char *code = th_word(args, 1), *zh = th_option(args, "zh"), *en = th_option(args, "en");
    if (!code || !zh || !en)
        return th_cmd_usage(args, "user office CODE --zh NAME --en NAME [--uscc CODE] --node DIR");
    const char *uscc = th_option(args, "uscc");
    th_status status = th_people_add_office(node->people, th_str_of(code), th_str_of(zh), th_str_of(en), th_str_of(uscc), error);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int user_key(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_str key;
    const char *name = th_word(args, 1), *office = th_option(args, "office");
    if (!name || !office)
        return th_cmd_usage(args, "user key NAME --office CODE --node DIR");
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_people_add_key(node->people, th_str_of(name), th_str_of(office), &arena, &key, error);
    if (!status)
        th_print(key);
    th_arena_close(&arena);
    if (status)
        return th_cmd_failed(args, status, error);
    th_say(args, "密钥只显示这一次，请交给对方系统妥善保管", "The key is shown this once; hand it to the other system safely");
    return 0;
}

static int grant_add(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_str text;
    th_status status = TH_OK;
    const char *file;
    if (!th_word(args, 1))
        return th_cmd_usage(args, "grant add FILE… --node DIR");
    th_arena_open(&arena, 64u << 20);
    for (int i = 1; !status && (file = th_word(args, i)); i++) {
        status = th_file_read(file, FILE_MAX, &arena, &text, error);
        if (!status)
            status = th_exchange_grant_add(node->exchange, text, error);
    }
    th_arena_close(&arena);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int grant_list(const th_args *args, th_node *node, th_error *error)
{
    (void)error;
    (void)args;
    th_grants *grants = th_exchange_grants(node->exchange, th_str_of(node->config.code));
    for (size_t i = 0; grants && i < th_grants_count(grants); i++)
        th_print(th_grants_at(grants, i)->json);
    th_grants_release(grants);
    return 0;
}

static int grant_remove(const th_args *args, th_node *node, th_error *error)
{
    const char *id = th_word(args, 1);
    if (!id)
        return th_cmd_usage(args, "grant remove ID --node DIR");
    th_status status = th_exchange_grant_remove(node->exchange, th_str_of(id), error);
    return status ? th_cmd_failed(args, status, error) : 0;
}

typedef struct sub {
    const char *name;
    int (*run)(const th_args *args, th_node *node, th_error *error);
} sub;

static int sub_run(const th_args *args, const sub *subs, size_t n, const char *usage)
{
    const char *what = th_word(args, 0), *dir;
    th_error error = {0};
    th_node *node;
    for (size_t i = 0; what && i < n; i++) {
        if (strcmp(what, subs[i].name) != 0)
            continue;
        if (!(dir = th_cmd_node(args)))
            return 2;
        th_status status = th_node_open_beside(dir, &node, &error);
        if (status)
            return th_cmd_failed(args, status, &error);
        int code = subs[i].run(args, node, &error);
        th_node_close(node);
        if (!code)
            th_node_nudge(dir);
        return code;
    }
    return th_cmd_usage(args, usage);
}

int th_cmd_user(const th_args *args)
{
    static const sub subs[] = {{"add", user_add},       {"list", user_list},     {"password", user_password},
                               {"disable", user_disable}, {"office", user_office}, {"key", user_key}};
    return sub_run(args, subs, TH_COUNT(subs), "user add|list|password|disable|office|key … --node DIR");
}

int th_cmd_grant(const th_args *args)
{
    static const sub subs[] = {{"add", grant_add}, {"list", grant_list}, {"remove", grant_remove}};
    return sub_run(args, subs, TH_COUNT(subs), "grant add FILE…|list|remove ID --node DIR");
}
