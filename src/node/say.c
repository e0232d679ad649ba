/* say.c — how every verb ends, and what it says on the way. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

static int exit_code(th_status status)
{
    switch (status) {
    case TH_OK:
        return 0;
    case TH_FORBIDDEN:
    case TH_CONFLICT:
    case TH_NOT_FOUND:
    case TH_UNAUTHENTICATED:
        return 3;
    case TH_BUSY:
    case TH_UNAVAILABLE:
    case TH_TIMEOUT:
        return 4;
    default:
        return 1;
    }
}

static void problem_print(const th_args *args, const th_error *error)
{
    th_arena arena;
    th_buf buf;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 64 * 1024);
    th_problem_write(&buf, error, args->english ? "en" : "zh", (th_str){NULL, 0});
    th_print(th_buf_view(&buf));
    th_arena_close(&arena);
}

int th_cmd_failed(const th_args *args, th_status status, const th_error *error)
{
    if (args->json) {
        th_error e = error ? *error : (th_error){0};
        e.status = status;
        problem_print(args, &e);
        return exit_code(status);
    }
    const char *words = error ? (args->english ? error->en : error->zh) : "";
    fprintf(stderr, "%s%s [%s]\n", args->english ? "Failed: " : "失败：", words[0] ? words : th_status_name(status),
            error && error->type[0] ? error->type : th_status_name(status));
    for (size_t i = 0; error && i < error->field_count; i++)
        fprintf(stderr, "  %s %s\n", error->fields[i].pointer, args->english ? error->fields[i].en : error->fields[i].zh);
    return exit_code(status);
}

int th_cmd_usage(const th_args *args, const char *zh, const char *en, ...)
{
    char words[2][256], usage[1024];
    va_list list, again;
    va_start(list, en);
    va_copy(again, list);
    vsnprintf(words[0], sizeof words[0], zh, list);
    vsnprintf(words[1], sizeof words[1], en, again);
    va_end(again);
    va_end(list);
    if (args->json) {
        th_error error = {0};
        TH_IGNORE(th_fail(&error, TH_INVALID, "usage", words[0], words[1]));
        problem_print(args, &error);
        return 2;
    }
    fprintf(stderr, "%s\n", words[args->english]);
    if (args->verb) {
        th_usage_write(args->verb, usage, sizeof usage);
        fprintf(stderr, "%s%s\n", args->english ? "Usage: " : "用法：", usage);
    }
    return 2;
}

int th_cmd_done(const th_args *args, th_str json, const char *zh, const char *en, ...)
{
    if (args->json) {
        th_print(json.p ? json : TH_STR("{\"done\":true}"));
        return 0;
    }
    va_list list;
    va_start(list, en);
    vfprintf(stderr, args->english ? en : zh, list);
    va_end(list);
    fputc('\n', stderr);
    return 0;
}

void th_say(const th_args *args, const char *zh, const char *en, ...)
{
    if (args->json)
        return;
    va_list list;
    va_start(list, en);
    vfprintf(stderr, args->english ? en : zh, list);
    va_end(list);
    fputc('\n', stderr);
}

void th_print(th_str text)
{
    fwrite(text.p, 1, text.n, stdout);
    fputc('\n', stdout);
    fflush(stdout);
}

/* Every character from U+1100 on that people here meet in names is wide; combining marks do not stand in them. */
int th_columns(const char *text)
{
    int columns = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if ((*p & 0xC0) != 0x80)
            columns += *p >= 0xE2 && !(*p == 0xE2 && p[1] < 0xBA) ? 2 : 1; /* U+2E80… ; – ’ … and the like are narrow */
    return columns;
}

void th_print_padded(const char *text, int columns)
{
    fputs(text, stdout);
    for (int n = th_columns(text); n < columns; n++)
        fputc(' ', stdout);
}
