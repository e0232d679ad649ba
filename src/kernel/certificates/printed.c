/* printed.c — the page of a certificate: what the type's template says, the printed fields, the square, the issuer's seal.
 *
 * The seal is the signature: by the P-256 key over the whole file, which any reader of PDF can check against the certificate in it; and, under
 * it, the certificate itself as a token, once by the same key and, where the node's own suite is another, once more by the key of that suite. */
#include "certificates-private.h"
#include "platform/page/page.h"

#include <string.h>

enum { PARTS_MAX = TH_CERTIFICATE_FIELDS_MAX + 16 };

typedef struct printing {
    th_certificates *certs;
    const th_issued *issued;
    const th_certificate_type *type;
    const th_certificate_issuer *issuer;
    const th_json *fields, *template;
    th_arena *arena;
    th_error *error;
    th_page_part parts[PARTS_MAX];
    size_t n;
} printing;

static void part(printing *p, th_page_kind kind, th_str text, th_str other)
{
    if (p->n < PARTS_MAX)
        p->parts[p->n++] = (th_page_part){kind, text, other};
}

static th_str value_text(const th_json *value)
{
    return !value ? (th_str){NULL, 0} : value->type == TH_JSON_STRING ? value->text : value->raw;
}

/* {name} becomes the field's value; an unknown one stays as it is. */
static th_str filled(printing *p, th_str text)
{
    th_buf buf;
    th_buf_open(&buf, p->arena, 32 * 1024);
    for (size_t i = 0; i < text.n; i++) {
        const char *end = text.p[i] == '{' ? memchr(text.p + i, '}', text.n - i) : NULL;
        th_str name = end ? (th_str){text.p + i + 1, (size_t)(end - text.p) - i - 1} : (th_str){NULL, 0};
        const th_json *value = name.n ? th_json_get_str(p->fields, name) : NULL;
        if (value) {
            th_buf_str(&buf, value_text(value));
            i += name.n + 1;
        } else {
            th_buf_char(&buf, text.p[i]);
        }
    }
    return th_buf_ok(&buf) ? th_buf_view(&buf) : text;
}

static void parts_make(printing *p)
{
    const th_json *heading = th_json_get(p->template, "heading"), *body = th_json_get(p->template, "body"), *seal = th_json_get(p->template, "seal");
    char at[TH_TIME_TEXT];
    th_str square = th_json_str(p->issued->content, "square");
    if (th_json_bool(p->type->json, "simulated", false))
        part(p, TH_PAGE_BANNER, TH_STR("模拟数据 simulated：演示用，不具法律效力 for demonstration only, without legal effect"), (th_str){NULL, 0});
    part(p, TH_PAGE_HEADING, th_json_str(heading, "zh"), th_json_str(heading, "en"));
    part(p, TH_PAGE_PARAGRAPH, filled(p, th_json_str(body, "zh")), (th_str){NULL, 0});
    part(p, TH_PAGE_NOTE, filled(p, th_json_str(body, "en")), (th_str){NULL, 0});
    part(p, TH_PAGE_SPACE, (th_str){NULL, 0}, (th_str){NULL, 0});
    part(p, TH_PAGE_RULE, (th_str){NULL, 0}, (th_str){NULL, 0});
    for (size_t i = 0; i < p->type->field_count; i++) {
        const th_certificate_field *f = &p->type->fields[i];
        const th_json *value = th_json_get_str(p->fields, f->name);
        if (f->page && value)
            part(p, TH_PAGE_ROW, th_strf(p->arena, "%.*s %.*s", TH_FMT(f->title_zh), TH_FMT(f->title_en)), value_text(value));
    }
    part(p, TH_PAGE_ROW, TH_STR("电子证照标识 Identifier"), p->issued->number);
    part(p, TH_PAGE_SPACE, (th_str){NULL, 0}, (th_str){NULL, 0});
    part(p, TH_PAGE_SEAL, th_strf(p->arena, "（电子签章）%.*s", TH_FMT(th_json_str(seal, "zh"))), th_strf(p->arena, "Sealed electronically: %.*s", TH_FMT(th_json_str(seal, "en"))));
    th_time_shanghai(th_now_us(p->certs->options.env), at);
    if (square.n)
        part(p, TH_PAGE_SQUARE, square,
             th_strf(p->arena, "扫码可离线核验签名，联网可核验状态。\nScan to check the signature without a network, and the status with one.\n\n"
                               "核验 Check: %s/check\n打印 Printed: %s\n本页的电子签章可用 PDF 阅读器核验，附件为证照令牌。\n"
                               "A reader of PDF checks this page's seal; the certificate's token is attached.",
                     p->certs->portal, at));
}

/* Only what is printed is attached. */
static th_status paths_make(printing *p, const th_json ***ret_paths, size_t *ret_n)
{
    const th_json **paths = th_alloc_array(p->arena, p->type->field_count + 1, sizeof *paths);
    size_t n = 0;
    for (size_t i = 0; paths && i < p->type->field_count; i++) {
        if (!p->type->fields[i].page)
            continue;
        th_str text = th_strf(p->arena, "[\"%.*s\"]", TH_FMT(p->type->fields[i].name));
        if (!text.p || th_json_parse(text, p->arena, &paths[n], NULL))
            return TH_NO_MEMORY;
        n++;
    }
    *ret_paths = paths;
    *ret_n = n;
    return paths ? TH_OK : TH_NO_MEMORY;
}

/* The same claims under the key of the node's own suite. */
static th_status own_suite_token(printing *p, th_str token, th_str *ret_text)
{
    th_sdjwt read;
    th_buf frame;
    th_status status = th_sdjwt_read(token, false, p->arena, &read, p->error);
    if (status)
        return status;
    th_buf_open(&frame, p->arena, 8192);
    th_pen pen = th_pen_on(&frame);
    th_pen_object(&pen);
    th_pen_key(&pen, "_sd");
    th_pen_array(&pen);
    for (size_t i = 0; i < p->type->field_count; i++)
        if (p->type->fields[i].disclosure == TH_DISCLOSE_SELECTIVE && p->type->fields[i].page)
            th_pen_str(&pen, p->type->fields[i].name);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_sdjwt_order order = {.key = p->certs->options.key, .kid = th_str_of(p->certs->kid), .env = p->certs->options.env, .claims = read.claims};
    status = th_buf_ok(&frame) ? th_json_parse(th_buf_view(&frame), p->arena, &order.frame, p->error) : TH_TOO_LARGE;
    return status ? status : th_sdjwt_issue(&order, p->arena, ret_text, p->error);
}

static th_status files_make(printing *p, th_page_file files[2], size_t *ret_n)
{
    const th_json **paths;
    size_t n;
    th_str shown, own;
    th_status status = paths_make(p, &paths, &n);
    if (!status)
        status = th_sdjwt_select(th_json_str(p->issued->content, "token"), paths, n, p->arena, &shown, p->error);
    if (status)
        return status;
    files[0] = (th_page_file){"certificate.sdjwt", "application/dc+sd-jwt", shown};
    *ret_n = 1;
    if (th_key_suite(p->certs->options.key) != TH_SUITE_SM2)
        return TH_OK;
    status = own_suite_token(p, shown, &own);
    if (!status)
        files[(*ret_n)++] = (th_page_file){"certificate-sm2.sdjwt", "application/dc+sd-jwt", own};
    return status;
}

static th_status sealed(th_certificates *certs, th_str pdf, th_str name, th_str reason, const th_page_file *files, size_t n, th_arena *arena, th_str *ret_pdf,
                        th_error *error)
{
    const th_page_signer signer = {.key = certs->options.key_p256, .x509 = certs->options.x509, .name = name, .reason = reason,
                                   .at_us = th_now_us(certs->options.env)};
    if (!certs->options.key_p256 || !certs->options.x509.n)
        return th_fail(error, TH_UNAVAILABLE, "no-page-key", "本节点没有可为页面签章的密钥", "This node has no key that can sign pages");
    return th_page_sign(pdf, &signer, files, n, arena, ret_pdf, error);
}

th_status th_certificates_page_seal(th_certificates *certs, th_str pdf, th_str name, th_str reason, th_arena *arena, th_str *ret_pdf, th_error *error)
{
    return sealed(certs, pdf, name, reason, NULL, 0, arena, ret_pdf, error);
}

th_status th_certificate_page(th_certificates *certs, const th_issued *issued, th_arena *arena, th_str *ret_pdf, th_error *error)
{
    printing p = {.certs = certs, .issued = issued, .type = th_certificate_type_find(certs, issued->type), .arena = arena, .error = error};
    th_page_file files[2];
    size_t n = 0;
    th_str pdf;
    p.issuer = p.type ? th_certificate_type_issuer(p.type, th_str_of(certs->code)) : NULL;
    if (!p.issuer)
        return th_fail(error, TH_UNPROCESSABLE, "certificate-type", "本节点不再签发这种证照", "This node issues no such certificate any more");
    if (issued->status != TH_STATUS_VALID)
        return th_fail(error, TH_CONFLICT, "certificate-state", "证照已被暂扣或撤销，不能打印", "The certificate is suspended or revoked and is not printed");
    p.fields = th_json_get(issued->content, "fields");
    p.template = th_json_get(p.type->json, "template");
    parts_make(&p);
    const th_page page = {.title = p.type->title_zh, .frame = true, .parts = p.parts, .count = p.n};
    th_status status = th_page_pdf(&page, arena, &pdf, error);
    if (!status)
        status = files_make(&p, files, &n);
    return status ? status : sealed(certs, pdf, p.issuer->zh, TH_STR("电子证照签章 seal of an e-certificate"), files, n, arena, ret_pdf, error);
}
