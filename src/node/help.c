/* help.c — what `--help` and `help --json` tell, from the table of verbs. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

void th_usage_write(const th_verb *verb, char *text, size_t room)
{
    int n = snprintf(text, room, "tonghui %s", verb->name);
    if (verb->words[0])
        n += snprintf(text + n, room - (size_t)n, " %s", verb->words);
    for (size_t i = 0; i < TH_OPTIONS_MAX && verb->options[i].name; i++) {
        const th_opt *o = &verb->options[i];
        if (o->zh && (size_t)n < room)
            n += snprintf(text + n, room - (size_t)n, o->must ? " --%s%s%s" : " [--%s%s%s]", o->name, o->value ? " " : "", o->value ? o->value : "");
    }
    if (verb->node && (size_t)n < room)
        snprintf(text + n, room - (size_t)n, " --node DIR");
}

static void option_print(const th_opt *o, bool english)
{
    char left[128];
    snprintf(left, sizeof left, "  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    th_print_padded(left, 34);
    printf(" %s\n", english ? o->en : o->zh);
}

static void verb_print(const th_verb *v, bool english)
{
    char usage[1024];
    th_usage_write(v, usage, sizeof usage);
    printf("%s\n\n  %s\n", usage, english ? v->en : v->zh);
    if (v->options[0].name && v->options[0].zh)
        printf("\n%s\n", english ? "Options" : "选项");
    for (size_t i = 0; i < TH_OPTIONS_MAX && v->options[i].name; i++)
        if (v->options[i].zh)
            option_print(&v->options[i], english);
}

static void tail_print(bool english)
{
    printf("\n%s\n", english ? "Everywhere" : "各命令通用");
    for (size_t i = 0; i < th_global_option_count; i++)
        option_print(&th_global_options[i], english);
    printf("\n%s\n  %s\n", english ? "Exit codes" : "退出码",
           english ? "0 done   1 failed   2 wrong usage   3 refused   4 unavailable" : "0 完成   1 失败   2 用法错误   3 被拒绝   4 暂不可用");
}

static void all_print(const char *group, bool english)
{
    size_t n = group ? strlen(group) : 0;
    if (!group)
        printf("%s\n\n", english ? "tonghui — one small daemon per administration; together, a region" : "通惠 tonghui——每个行政区一个小程序，合起来是一个区域");
    for (size_t i = 0; i < th_verb_count; i++) {
        const th_verb *v = &th_verbs[i];
        if (group && (strncmp(v->name, group, n) != 0 || (v->name[n] != ' ' && v->name[n] != 0)))
            continue;
        char left[96];
        snprintf(left, sizeof left, "  tonghui %s %s", v->name, strlen(v->words) < 26 ? v->words : "…");
        th_print_padded(left, 46);
        printf(" %s\n", english ? v->en : v->zh);
    }
    if (!group)
        printf("\n  %s\n", english ? "tonghui VERB --help tells the options of a verb." : "tonghui 命令 --help 说明该命令的选项。");
}

int th_help(const th_args *args, const char *group)
{
    if (args->verb && !group)
        verb_print(args->verb, args->english);
    else
        all_print(group, args->english);
    tail_print(args->english);
    return 0;
}

/* ---- for programs ---- */

static void option_write(th_pen *pen, const th_opt *o)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "name", o->name);
    th_pen_kstr(pen, "value", th_str_of(o->value));
    th_pen_kbool(pen, "must", o->must);
    th_pen_ktext(pen, "zh", o->zh);
    th_pen_ktext(pen, "en", o->en);
    th_pen_end(pen, '}');
}

static void table_write(th_pen *pen)
{
    th_pen_object(pen);
    th_pen_key(pen, "verbs");
    th_pen_array(pen);
    for (size_t i = 0; i < th_verb_count; i++) {
        const th_verb *v = &th_verbs[i];
        th_pen_object(pen);
        th_pen_ktext(pen, "name", v->name);
        th_pen_ktext(pen, "words", v->words);
        th_pen_kbool(pen, "node", v->node);
        th_pen_ktext(pen, "zh", v->zh);
        th_pen_ktext(pen, "en", v->en);
        th_pen_key(pen, "options");
        th_pen_array(pen);
        for (size_t k = 0; k < TH_OPTIONS_MAX && v->options[k].name; k++)
            if (v->options[k].zh)
                option_write(pen, &v->options[k]);
        th_pen_end(pen, ']');
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_key(pen, "everywhere");
    th_pen_array(pen);
    for (size_t i = 0; i < th_global_option_count; i++)
        option_write(pen, &th_global_options[i]);
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

int th_cmd_help(const th_args *args)
{
    const char *one = th_word(args, 0), *two = th_word(args, 1);
    th_args asked = *args;
    bool group = false;
    asked.verb = NULL;
    for (size_t i = 0; one && i < th_verb_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", one, two ? " " : "", two ? two : "");
        if (strcmp(th_verbs[i].name, name) == 0)
            asked.verb = &th_verbs[i];
        group = group || (!two && strncmp(th_verbs[i].name, one, strlen(one)) == 0 && th_verbs[i].name[strlen(one)] == ' ');
    }
    if (one && !asked.verb && !group)
        return th_cmd_usage(args, "没有命令 %s；见 tonghui --help", "Unknown verb: %s; see tonghui --help", one);
    if (!args->json)
        return th_help(&asked, asked.verb ? NULL : one);
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 256 * 1024);
    th_pen pen = th_pen_on(&buf);
    table_write(&pen);
    th_print(th_buf_view(&buf));
    th_arena_close(&arena);
    return 0;
}

int th_cmd_version(const th_args *args)
{
    if (args->json)
        th_print(TH_STR("{\"version\":\"" TONGHUI_VERSION "\"}"));
    else
        printf("tonghui %s\n", TONGHUI_VERSION);
    return 0;
}
