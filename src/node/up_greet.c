/* up_greet.c — where the region is and who can sign in, in both languages: the first thing that a visitor reads. */
#include "up-private.h"

#include <stdio.h>
#include <string.h>

typedef struct role_words {
    const char *role, *title, *page, *what;
    int at; /* which member's portal to show it at: 0 the first, 1 the citizen's, 2 where the tour's item is decided */
} role_words;

static const role_words roles[] = {
    {"citizen", "群众 citizen", "/", "办事、我的办件、谁查过我的信息 apply, my cases, who looked", 1},
    {"clerk", "窗口 clerk", "/desk", "受理、审核、送达 work-list and decisions", 2},
    {"head", "负责人 head of office", "/desk", "延期、撤销、复议 extend, annul, reconsider", 2},
    {"duty", "值班 duty officer", "/wall", "区域运行 the region's state", 0},
    {"accountant", "会计 accountant", "/operator", "往来账目（后续版本）accounts (to come)", 0},
    {"operator", "运维 operator", "/operator", "成员、信任、授权、链路、日志 members, trust, grants, links, journal", 0},
    {"auditor", "审计 auditor", "/operator/journal", "只读查看与回执检验 read only, receipts checked", 0},
};

static size_t node_of(const th_up *up, th_str code, size_t fallback)
{
    for (size_t i = 0; i < up->n; i++)
        if (th_str_is(code, up->nodes[i].code))
            return i;
    return fallback < up->n ? fallback : 0;
}

/* The first account of a role; `*ret_at` is the member that has it when it is one member's own. */
static const th_json *account_of(const th_up *up, const char *role, size_t *ret_at)
{
    const th_json *accounts = th_json_get(up->root, "accounts");
    for (const th_json *a = th_json_first(accounts); a; a = th_json_next(accounts, a)) {
        if (!th_str_is(th_json_str(a, "role"), role))
            continue;
        if (!th_str_is(th_json_str(a, "member"), "*"))
            *ret_at = node_of(up, th_json_str(a, "member"), *ret_at);
        return a;
    }
    return NULL;
}

static void portals_print(const th_up *up)
{
    printf("  ");
    th_print_padded("成员 member", 30);
    printf("门户 portal\n");
    for (size_t i = 0; i < up->n; i++) {
        char text[320];
        snprintf(text, sizeof text, "%s %s %s", up->nodes[i].code, up->nodes[i].zh, up->nodes[i].en);
        printf("  ");
        th_print_padded(text, 30);
        printf("%s\n", up->nodes[i].portal);
    }
}

static void roles_print(const th_up *up)
{
    size_t decided = node_of(up, th_json_str(th_json_get(up->root, "tour"), "household"), up->n > 2 ? 2 : 0);
    printf("\n  ");
    th_print_padded("角色 role", 24);
    th_print_padded("登录名 login", 14);
    th_print_padded("在此登录 sign in at", 40);
    printf("做什么 what for\n");
    for (size_t i = 0; i < TH_COUNT(roles); i++) {
        size_t at = roles[i].at == 2 ? decided : 0;
        const th_json *account = account_of(up, roles[i].role, &at);
        char text[320];
        if (!account)
            continue;
        printf("  ");
        th_print_padded(roles[i].title, 24);
        snprintf(text, sizeof text, "%.*s", TH_FMT(th_json_str(account, "login")));
        th_print_padded(text, 14);
        snprintf(text, sizeof text, "%s%s", up->nodes[at].portal, roles[i].page);
        th_print_padded(text, 40);
        printf("%s\n", roles[i].what);
    }
}

static void json_print(const th_up *up)
{
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 64 * 1024);
    th_buf_open(&buf, &arena, 32 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "nodes");
    th_pen_array(&pen);
    for (size_t i = 0; i < up->n; i++) {
        th_pen_object(&pen);
        th_pen_ktext(&pen, "code", up->nodes[i].code);
        th_pen_ktext(&pen, "portal", up->nodes[i].portal);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_print(th_buf_view(&buf));
    th_arena_close(&arena);
}

void th_up_greet(const th_up *up, int64_t took_us)
{
    size_t at = 0;
    if (up->args->json) {
        json_print(up);
        return;
    }
    (void)account_of(up, "citizen", &at);
    printf("\n区域已启动（%.1f 秒），其中全部为模拟数据 · The region is up (%.1f s); all data in it is simulated\n\n", (double)took_us / 1e6, (double)took_us / 1e6);
    portals_print(up);
    roles_print(up);
    printf("\n  密码 password（所有账户 all accounts）：%.*s\n", TH_FMT(th_json_str(up->root, "demo_password")));
    if (th_json_get(up->root, "tour"))
        printf("  导览 tour：%s/tour\n", up->nodes[at].portal);
    printf("  大屏 wall：%s/wall\n  日志 logs：%s/*/log.jsonl\n", up->nodes[0].portal, up->dir);
    printf("\n按 Ctrl-C 停止全部节点 · Ctrl-C stops every node\n");
    fflush(stdout);
}
