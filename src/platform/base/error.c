/* error.c — filling a th_error: fixed room, both languages, cut at a character border. */
#include "platform/base/base.h"

#include <stdio.h>
#include <string.h>

/* Drop the bytes of a character that was cut at the end. */
static void tail_mend(char *text)
{
    size_t n = strlen(text), start = n;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (n - (start - 1) < want)
        text[start - 1] = 0;
}

static void copy(char *to, size_t room, const char *text)
{
    size_t n = text ? strnlen(text, room - 1) : 0;
    if (n)
        memmove(to, text, n);
    to[n] = 0;
    tail_mend(to);
}

static void begin(th_error *error, th_status status, const char *type)
{
    error->status = status;
    copy(error->type, sizeof error->type, type);
}

th_status th_fail(th_error *error, th_status status, const char *type, const char *zh, const char *en)
{
    if (error) {
        begin(error, status, type);
        copy(error->zh, sizeof error->zh, zh);
        copy(error->en, sizeof error->en, en);
    }
    return status;
}

th_status th_failf(th_error *error, th_status status, const char *type, const char *zh, const char *en, ...)
{
    if (error) {
        va_list list, again;
        char zh_text[sizeof error->zh], en_text[sizeof error->en];
        va_start(list, en);
        va_copy(again, list);
        vsnprintf(zh_text, sizeof zh_text, zh, list);
        vsnprintf(en_text, sizeof en_text, en, again);
        va_end(again);
        va_end(list);
        begin(error, status, type);
        copy(error->zh, sizeof error->zh, zh_text);
        copy(error->en, sizeof error->en, en_text);
    }
    return status;
}

th_status th_fail_field(th_error *error, const char *pointer, const char *code, const char *zh, const char *en)
{
    if (!error)
        return TH_INVALID;
    if (!error->type[0])
        th_fail(error, TH_INVALID, "invalid-request", "请求有误，请按所列各项修改", "The request has faults; see the fields named");
    error->status = TH_INVALID;
    if (error->field_count < TH_ERROR_FIELDS_MAX) {
        th_field_error *f = &error->fields[error->field_count++];
        copy(f->pointer, sizeof f->pointer, pointer);
        copy(f->code, sizeof f->code, code);
        copy(f->zh, sizeof f->zh, zh);
        copy(f->en, sizeof f->en, en);
    }
    return TH_INVALID;
}
