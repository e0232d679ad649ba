/* problem.c — RFC 9457 problem documents in both languages. */
#include "platform/base/json.h"

#include <string.h>

void th_problem_write(th_buf *buf, const th_error *error, const char *lang, th_str request_id)
{
    bool english = lang && strcmp(lang, "en") == 0;
    const char *name = error->type[0] ? error->type : th_status_name(error->status);
    char type[96] = "urn:tonghui:problem:";
    size_t n = strlen(type);
    memcpy(type + n, name, strnlen(name, sizeof type - n - 1));
    const char *zh = error->zh[0] ? error->zh : "请求未能完成", *en = error->en[0] ? error->en : "The request could not be completed";
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "type", type);
    th_pen_ktext(&pen, "title", english ? en : zh);
    th_pen_kint(&pen, "status", error->http ? error->http : th_status_http(error->status));
    th_pen_ktext(&pen, "detail", english ? en : zh);
    th_pen_ktext(&pen, "title_zh", zh);
    th_pen_ktext(&pen, "title_en", en);
    if (request_id.n) {
        th_pen_key(&pen, "instance");
        char urn[64] = "urn:uuid:";
        size_t used = strlen(urn), room = sizeof urn - used - 1;
        memcpy(urn + used, request_id.p, request_id.n < room ? request_id.n : room);
        th_pen_text(&pen, urn);
    }
    if (error->retry_after_s > 0)
        th_pen_kint(&pen, "retry_after", error->retry_after_s);
    if (error->field_count) {
        th_pen_key(&pen, "errors");
        th_pen_array(&pen);
        for (size_t i = 0; i < error->field_count; i++) {
            const th_field_error *f = &error->fields[i];
            th_pen_object(&pen);
            th_pen_ktext(&pen, "pointer", f->pointer);
            th_pen_ktext(&pen, "code", f->code);
            th_pen_ktext(&pen, "message", english ? f->en : f->zh);
            th_pen_ktext(&pen, "message_zh", f->zh);
            th_pen_ktext(&pen, "message_en", f->en);
            th_pen_end(&pen, '}');
        }
        th_pen_end(&pen, ']');
    }
    th_pen_end(&pen, '}');
}
