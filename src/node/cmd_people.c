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

/* Opens the node beside a running one, changes what `run` changes, and tells a running node to look again. */
typedef int (*verb_run)(const th_args *args, th_node *node, th_error *error);

static int at_node(const th_args *args, verb_run run)
{
    th_error error = {0};
    th_node *node;
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    int code = run(args, node, &error);
    th_node_close(node);
    if (!code)
        th_node_nudge(args->node);
    return code;
}

static th_str one_member(th_arena *arena, const char *name, th_str text)
{
    th_buf buf;
    th_buf_open(&buf, arena, 4096);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, name, text);
    th_pen_end(&pen, '}');
    return th_buf_view(&buf);
}

/* A result that people want to copy: alone on stdout, or as a member of a JSON document. */
static int tell(const th_args *args, const char *name, th_str text)
{
    th_arena arena;
    th_arena_open(&arena, 64 * 1024);
    th_print(args->json ? one_member(&arena, name, text) : text);
    th_arena_close(&arena);
    return 0;
}

static int user_add(const th_args *args, th_node *node, th_error *error)
{
    char id[TH_ID_TEXT], text[256];
    const char *login = th_word(args, 0), *role = th_option(args, "role"), *name = th_option(args, "name");
    th_account_new account = {.login = th_str_of(login),
                              .name = th_str_of(name ? name : login),
                              .office = th_str_of(th_option(args, "office")),
                              .id_number = th_str_of(th_option(args, "id-number"))};
    th_str rest = th_str_of(role), one;
    while (rest.n && th_str_cut(&rest, ',', &one)) {
        unsigned known = th_role_of(one);
        if (!known)
            return th_cmd_usage(args, "没有角色 %.*s", "There is no role %.*s", TH_FMT(one));
        account.roles |= known;
    }
    const char *password = password_of(args, text);
    if (!password)
        return th_cmd_usage(args, "缺少密码", "The password is missing");
    account.password = th_str_of(password);
    th_status status = th_people_add_account(node->people, &account, id, error);
    return status ? th_cmd_failed(args, status, error) : tell(args, "account", th_str_of(id));
}

static void account_print(const th_args *args, const th_json *a)
{
    char left[128];
    snprintf(left, sizeof left, "%.*s", TH_FMT(th_json_str(a, "login")));
    th_print_padded(left, 20);
    snprintf(left, sizeof left, " %.*s", TH_FMT(th_json_str(a, "name")));
    th_print_padded(left, 24);
    printf(" %.*s%s\n", TH_FMT(th_json_get(a, "roles")->raw), !th_json_bool(a, "disabled", false) ? "" : args->english ? "  disabled" : "  已停用");
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
            account_print(args, a);
    }
    th_arena_close(&arena);
    return status ? th_cmd_failed(args, status, error) : 0;
}

static int user_password(const th_args *args, th_node *node, th_error *error)
{
    char text[256];
    const char *login = th_word(args, 0), *password = password_of(args, text);
    if (!password)
        return th_cmd_usage(args, "缺少密码", "The password is missing");
    th_status status = th_people_set_password(node->people, th_str_of(login), th_str_of(password), error);
    return status ? th_cmd_failed(args, status, error) : th_cmd_done(args, (th_str){NULL, 0}, "密码已重设", "The password is set");
}

static int user_disable(const th_args *args, th_node *node, th_error *error)
{
    th_status status = th_people_disable(node->people, th_str_of(th_word(args, 0)), error);
    return status ? th_cmd_failed(args, status, error) : th_cmd_done(args, (th_str){NULL, 0}, "账户已停用", "The account is disabled");
}

static int user_office(const th_args *args, th_node *node, th_error *error)
{
    th_status status = th_people_add_office(node->people, th_str_of(th_word(args, 0)), th_str_of(th_option(args, "zh")), th_str_of(th_option(args, "en")),
                                            th_str_of(th_option(args, "uscc")), error);
    return status ? th_cmd_failed(args, status, error) : th_cmd_done(args, (th_str){NULL, 0}, "部门已登记", "The office is entered");
}

static int user_key(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_str key;
    th_arena_open(&arena, 64 * 1024);
    th_status status = th_people_add_key(node->people, th_str_of(th_word(args, 0)), th_str_of(th_option(args, "office")), &arena, &key, error);
    int code = status ? th_cmd_failed(args, status, error) : tell(args, "key", key);
    th_arena_close(&arena);
    if (!code)
        th_say(args, "密钥只显示这一次，请交给对方系统妥善保管", "The key is shown this once; hand it to the other system safely");
    return code;
}

static int grant_add(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_str text;
    th_status status = TH_OK;
    const char *file = NULL;
    th_arena_open(&arena, 64u << 20);
    for (int i = 0; !status && (file = th_word(args, i)); i++) {
        status = th_file_read(file, FILE_MAX, &arena, &text, error);
        if (!status)
            status = th_exchange_grant_add(node->exchange, text, error);
    }
    th_arena_close(&arena);
    return status ? th_cmd_failed(args, status, error) : th_cmd_done(args, (th_str){NULL, 0}, "授权已登记", "The grants are entered");
}

static void grant_print(const th_grant *g, th_arena *arena)
{
    const th_json *root, *consumer;
    if (th_json_parse(g->json, arena, &root, NULL))
        return;
    consumer = th_json_get(root, "consumer");
    printf("%-36.*s %-8.*s %-16.*s %-7.*s %.*s\n", TH_FMT(th_json_str(root, "id")), TH_FMT(th_json_str(consumer, "member")), TH_FMT(th_json_str(root, "register")),
           TH_FMT(th_json_str(root, "operation")), TH_FMT(th_json_str(root, "not_after")));
}

static int grant_list(const th_args *args, th_node *node, th_error *error)
{
    th_arena arena;
    th_buf buf;
    (void)error;
    th_grants *grants = th_exchange_grants(node->exchange, th_str_of(node->config.code));
    th_arena_open(&arena, 64u << 20);
    th_buf_open(&buf, &arena, 32u << 20);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; grants && i < th_grants_count(grants); i++)
        if (args->json)
            th_pen_raw(&pen, th_grants_at(grants, i)->json);
        else
            grant_print(th_grants_at(grants, i), &arena);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (args->json)
        th_print(th_buf_view(&buf));
    th_grants_release(grants);
    th_arena_close(&arena);
    return 0;
}

static int grant_remove(const th_args *args, th_node *node, th_error *error)
{
    th_status status = th_exchange_grant_remove(node->exchange, th_str_of(th_word(args, 0)), error);
    return status ? th_cmd_failed(args, status, error) : th_cmd_done(args, (th_str){NULL, 0}, "授权已撤销", "The grant is removed");
}

int th_cmd_user_add(const th_args *args)
{
    return at_node(args, user_add);
}

int th_cmd_user_list(const th_args *args)
{
    return at_node(args, user_list);
}

int th_cmd_user_password(const th_args *args)
{
    return at_node(args, user_password);
}

static int user_totp(const th_args *args, th_node *node, th_error *error)
{
    th_status status = th_people_reset_totp(node->people, th_str_of(th_word(args, 0)), error);
    return status ? th_cmd_failed(args, status, error) : th_cmd_done(args, (th_str){NULL, 0}, "动态码已取消", "The one-time codes are taken off");
}

int th_cmd_user_totp(const th_args *args)
{
    return at_node(args, user_totp);
}

int th_cmd_user_disable(const th_args *args)
{
    return at_node(args, user_disable);
}

int th_cmd_user_office(const th_args *args)
{
    return at_node(args, user_office);
}

int th_cmd_user_key(const th_args *args)
{
    return at_node(args, user_key);
}

int th_cmd_grant_add(const th_args *args)
{
    return at_node(args, grant_add);
}

int th_cmd_grant_list(const th_args *args)
{
    return at_node(args, grant_list);
}

int th_cmd_grant_remove(const th_args *args)
{
    return at_node(args, grant_remove);
}
