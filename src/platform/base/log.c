/* log.c — one JSON line an event, on stderr or into a sink. */
#include "platform/base/base.h"
#include "platform/base/json.h"

#include <unistd.h>

static th_log_level most = TH_LOG_INFO;
static void (*sink)(void *ctx, th_str line);
static void *sink_ctx;

void th_log_level_set(th_log_level level)
{
    most = level;
}

void th_log_sink_set(void (*new_sink)(void *ctx, th_str line), void *ctx)
{
    sink_ctx = ctx;
    sink = new_sink;
}

void th_log(th_log_level level, const char *event, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char at[TH_TIME_TEXT];
    th_arena arena;
    th_buf buf;
    va_list list;
    if (level > most)
        return;
    th_arena_open(&arena, 64 * 1024);
    th_buf_open(&buf, &arena, 8192);
    th_env env = th_env_real();
    th_time_utc(th_now_us(&env), at);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "at", at);
    th_pen_ktext(&pen, "level", names[level]);
    th_pen_ktext(&pen, "event", event);
    va_start(list, event);
    for (const char *key; (key = va_arg(list, const char *));)
        th_pen_ktext(&pen, key, va_arg(list, const char *));
    va_end(list);
    th_pen_end(&pen, '}');
    th_buf_char(&buf, '\n');
    /* A line that did not fit is left out whole: half a line is not JSON. A stderr that fails leaves nowhere to say so. */
    if (th_buf_ok(&buf) && sink)
        sink(sink_ctx, (th_str){buf.p, buf.n - 1});
    else if (th_buf_ok(&buf))
        TH_IGNORE(write(STDERR_FILENO, buf.p, buf.n) < 0);
    th_arena_close(&arena);
}
