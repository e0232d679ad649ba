/* buf.c — append-only bytes in an arena, born with a maximum. */
#include "platform/base/base.h"

#include <stdio.h>
#include <string.h>

bool th_arena_grow(th_arena *arena, void *last, size_t old, size_t n);

void th_buf_open(th_buf *buf, th_arena *arena, size_t max)
{
    *buf = (th_buf){.arena = arena, .max = max};
}

static bool failed(th_buf *buf)
{
    buf->failed = true;
    buf->room = buf->n;
    return false;
}

bool th_buf_grow(th_buf *buf, size_t n)
{
    if (buf->failed || n > buf->max - buf->n)
        return failed(buf);
    size_t want = buf->room ? buf->room * 2 : 256;
    if (want < buf->n + n)
        want = buf->n + n;
    if (want > buf->max)
        want = buf->max;
    if (th_arena_grow(buf->arena, buf->p, buf->room, want)) {
        buf->room = want;
        return true;
    }
    char *p = th_arena_room(buf->arena, want);
    if (!p)
        return failed(buf);
    if (buf->n)
        memcpy(p, buf->p, buf->n);
    buf->p = p;
    buf->room = want;
    return true;
}

void th_buf_int(th_buf *buf, int64_t value)
{
    char text[24], *p = text + sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--p = '-';
    th_buf_put(buf, p, (size_t)(text + sizeof text - p));
}

void th_buff(th_buf *buf, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int n = vsnprintf(NULL, 0, format, list);
    /* vsnprintf ends with a NUL, which needs room but does not count. */
    if (n >= 0 && th_buf_reserve(buf, (size_t)n)) {
        char small[512];
        if ((size_t)n < sizeof small) {
            vsnprintf(small, sizeof small, format, again);
            memcpy(buf->p + buf->n, small, (size_t)n);
            buf->n += (size_t)n;
        } else {
            char *text = th_alloc(buf->arena, (size_t)n + 1);
            if (text)
                vsnprintf(text, (size_t)n + 1, format, again);
            if (text)
                th_buf_put(buf, text, (size_t)n);
            else
                failed(buf);
        }
    } else {
        failed(buf);
    }
    va_end(again);
    va_end(list);
}

bool th_buf_ok(const th_buf *buf)
{
    return !buf->failed;
}

th_str th_buf_view(const th_buf *buf)
{
    return (th_str){buf->p ? buf->p : "", buf->n};
}
