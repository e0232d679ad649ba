/* sign.c — a signature and attachments, as one incremental update behind a page that cairo wrote.
 *
 * What cairo writes is known: a plain cross-reference table and one dictionary a page. The update rewrites the catalogue (form, attachments)
 * and the first page (the signature's invisible field), appends the new objects, and signs all bytes but those of the signature itself. */
#include "platform/page/page.h"

#include <stdio.h>
#include <string.h>

enum { CONTENTS_BYTES = TH_CMS_MAX, OBJECTS_MAX = 8 + 2 * TH_PAGE_ATTACHMENTS_MAX };

typedef struct update {
    th_buf out;
    th_arena *arena;
    long size, root, info, startxref; /* of the file before */
    long page;
    th_str page_dict; /* between << and the last >>, exclusive */
    struct { long number; size_t offset; } objects[OBJECTS_MAX];
    size_t object_count;
    th_error *error;
} update;

static const char *last_of(th_str text, const char *needle)
{
    size_t n = strlen(needle);
    for (size_t i = text.n >= n ? text.n - n + 1 : 0; i-- > 0;)
        if (memcmp(text.p + i, needle, n) == 0)
            return text.p + i;
    return NULL;
}

/* The whole number behind `needle` (from its last occurrence). */
static bool number_after(th_str text, const char *needle, long *ret)
{
    const char *at = last_of(text, needle);
    if (!at)
        return false;
    at += strlen(needle);
    long value = 0;
    size_t digits = 0;
    while (at < text.p + text.n && (*at == ' ' || *at == '\n'))
        at++;
    while (at < text.p + text.n && *at >= '0' && *at <= '9' && digits++ < 12)
        value = value * 10 + (*at++ - '0');
    *ret = value;
    return digits > 0;
}

/* "\n7 0 obj\n<< /Type /Page % 1 … >>\nendobj": the first page's number and dictionary. */
static bool page_find(update *u, th_str pdf)
{
    const char *type = memmem(pdf.p, pdf.n, "<< /Type /Page %", 16), *end;
    const char *obj = type ? last_of((th_str){pdf.p, (size_t)(type - pdf.p)}, " 0 obj") : NULL;
    if (!obj)
        return false;
    const char *number = obj;
    while (number > pdf.p && number[-1] >= '0' && number[-1] <= '9')
        number--;
    u->page = 0;
    for (const char *p = number; p < obj; p++)
        u->page = u->page * 10 + (*p - '0');
    end = memmem(type, (size_t)(pdf.p + pdf.n - type), ">>\nendobj", 9);
    u->page_dict = end ? (th_str){type + 2, (size_t)(end - type - 2)} : (th_str){NULL, 0};
    return end && u->page > 0;
}

static bool file_read(update *u, th_str pdf)
{
    return th_str_starts(pdf, "%PDF-1.") && number_after(pdf, "startxref", &u->startxref) && number_after(pdf, "/Size", &u->size) &&
           number_after(pdf, "/Root", &u->root) && number_after(pdf, "/Info", &u->info) && page_find(u, pdf);
}

static void object_begin(update *u, long number)
{
    TH_ASSERT(u->object_count < OBJECTS_MAX);
    u->objects[u->object_count].number = number;
    u->objects[u->object_count++].offset = u->out.n;
    th_buff(&u->out, "%ld 0 obj\n", number);
}

static void object_end(update *u)
{
    th_buf_text(&u->out, "\nendobj\n");
}

/* A text string: UTF-16 with its mark, in hex, so that no bracket or backslash has to be escaped. */
static void text_put(th_buf *out, th_str text)
{
    th_buf_text(out, "<FEFF");
    for (size_t i = 0; i < text.n;) {
        unsigned char c = (unsigned char)text.p[i];
        size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        uint32_t code = n == 1 ? c : c & (0xFFu >> (n + 1));
        for (size_t k = 1; k < n && i + k < text.n; k++)
            code = code << 6 | ((unsigned char)text.p[i + k] & 0x3F);
        i += n;
        if (code >= 0x10000)
            th_buff(out, "%04X%04X", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
        else
            th_buff(out, "%04X", code);
    }
    th_buf_char(out, '>');
}

/* "application/x" as a name: the slash is written as its code. */
static void name_put(th_buf *out, const char *name)
{
    th_buf_char(out, '/');
    for (const char *p = name; *p; p++)
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '.')
            th_buf_char(out, *p);
        else
            th_buff(out, "#%02X", (unsigned)(unsigned char)*p);
}

static void files_put(update *u, const th_page_file *files, size_t n, long first)
{
    for (size_t i = 0; i < n; i++) {
        long stream = first + 2 * (long)i;
        object_begin(u, stream);
        th_buf_text(&u->out, "<< /Type /EmbeddedFile /Subtype ");
        name_put(&u->out, files[i].type);
        th_buff(&u->out, " /Length %zu >>\nstream\n", files[i].bytes.n);
        th_buf_str(&u->out, files[i].bytes);
        th_buf_text(&u->out, "\nendstream");
        object_end(u);
        object_begin(u, stream + 1);
        th_buff(&u->out, "<< /Type /Filespec /F (%s) /UF (%s) /AFRelationship /Data /EF << /F %ld 0 R >> >>", files[i].name, files[i].name, stream);
        object_end(u);
    }
}

static void catalogue_put(update *u, const th_page_file *files, size_t n, long field, long first)
{
    object_begin(u, u->root);
    th_buff(&u->out, "<< /Type /Catalog /Pages 1 0 R /AcroForm << /Fields [ %ld 0 R ] /SigFlags 3 >>", field);
    if (n) {
        th_buf_text(&u->out, " /Names << /EmbeddedFiles << /Names [");
        for (size_t i = 0; i < n; i++)
            th_buff(&u->out, " (%s) %ld 0 R", files[i].name, first + 2 * (long)i + 1);
        th_buf_text(&u->out, " ] >> >> /AF [");
        for (size_t i = 0; i < n; i++)
            th_buff(&u->out, " %ld 0 R", first + 2 * (long)i + 1);
        th_buf_text(&u->out, " ]");
    }
    th_buf_text(&u->out, " >>");
    object_end(u);
}

/* Leaves room for the ranges and the signature; says where. */
static void signature_put(update *u, const th_page_signer *signer, long number, size_t *ret_ranges_at, size_t *ret_contents_at)
{
    int year, month, day;
    int64_t local = signer->at_us + TH_SHANGHAI_US, second = local / TH_SECOND_US % 86400;
    th_date_of(local, &year, &month, &day);
    object_begin(u, number);
    th_buf_text(&u->out, "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached\n/ByteRange [0 ");
    *ret_ranges_at = u->out.n;
    th_buff(&u->out, "%010d %010d %010d]\n/Contents <", 0, 0, 0);
    *ret_contents_at = u->out.n;
    for (int i = 0; i < 2 * CONTENTS_BYTES; i++)
        th_buf_char(&u->out, '0');
    th_buff(&u->out, ">\n/M (D:%04d%02d%02d%02d%02d%02d+08'00')\n/Name ", year, month, day, (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
    text_put(&u->out, signer->name);
    th_buf_text(&u->out, "\n/Reason ");
    text_put(&u->out, signer->reason);
    th_buf_text(&u->out, " >>");
    object_end(u);
}

static void xref_put(update *u, long size)
{
    size_t at = u->out.n;
    th_buf_text(&u->out, "xref\n0 0\n");
    for (size_t i = 0; i < u->object_count; i++)
        th_buff(&u->out, "%ld 1\n%010zu 00000 n \n", u->objects[i].number, u->objects[i].offset);
    th_buff(&u->out, "trailer\n<< /Size %ld /Root %ld 0 R /Info %ld 0 R /Prev %ld >>\nstartxref\n%zu\n%%%%EOF\n", size, u->root, u->info, u->startxref, at);
}

static th_status sign_into(update *u, const th_page_signer *signer, size_t ranges_at, size_t contents_at)
{
    char ranges[40];
    th_buf content;
    th_str cms;
    size_t before = contents_at - 1, after = contents_at + 2 * CONTENTS_BYTES + 1; /* the brackets belong to the gap */
    snprintf(ranges, sizeof ranges, "%010zu %010zu %010zu", before, after, u->out.n - after);
    memcpy(u->out.p + ranges_at, ranges, 32);
    th_buf_open(&content, u->arena, TH_PAGE_BYTES_MAX);
    th_buf_put(&content, u->out.p, before);
    th_buf_put(&content, u->out.p + after, u->out.n - after);
    if (!th_buf_ok(&content))
        return TH_TOO_LARGE;
    th_status status = th_cms_sign(signer->key, signer->x509, th_buf_view(&content), u->arena, &cms);
    if (!status && cms.n > CONTENTS_BYTES)
        status = TH_TOO_LARGE;
    for (size_t i = 0; !status && i < cms.n; i++) {
        char hex[3];
        th_hex(cms.p + i, 1, hex);
        memcpy(u->out.p + contents_at + 2 * i, hex, 2);
    }
    return status;
}

th_status th_page_sign(th_str pdf, const th_page_signer *signer, const th_page_file *files, size_t n, th_arena *arena, th_str *ret_pdf, th_error *error)
{
    update u = {.arena = arena, .error = error};
    size_t ranges_at, contents_at;
    if (n > TH_PAGE_ATTACHMENTS_MAX || !file_read(&u, pdf))
        return th_fail(error, TH_INVALID, "page", "不是可签名的页面", "This page cannot be signed");
    th_buf_open(&u.out, arena, TH_PAGE_BYTES_MAX);
    th_buf_str(&u.out, pdf);
    long field = u.size, signature = u.size + 1, first = u.size + 2;
    object_begin(&u, u.page);
    th_buf_text(&u.out, "<<");
    th_buf_str(&u.out, u.page_dict);
    th_buff(&u.out, "   /Annots [ %ld 0 R ]\n>>", field);
    object_end(&u);
    catalogue_put(&u, files, n, field, first);
    object_begin(&u, field);
    th_buff(&u.out, "<< /Type /Annot /Subtype /Widget /FT /Sig /T (Seal) /F 132 /Rect [ 0 0 0 0 ] /P %ld 0 R /V %ld 0 R >>", u.page, signature);
    object_end(&u);
    files_put(&u, files, n, first);
    signature_put(&u, signer, signature, &ranges_at, &contents_at);
    xref_put(&u, first + 2 * (long)n);
    th_status status = th_buf_ok(&u.out) ? sign_into(&u, signer, ranges_at, contents_at) : TH_TOO_LARGE;
    if (status)
        return th_fail(error, status, "page", "无法为页面签名", "The page cannot be signed");
    *ret_pdf = th_buf_view(&u.out);
    return TH_OK;
}
