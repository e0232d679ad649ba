/* read.c — a signed page read back: the signature over all but itself, and what is attached under it. */
#include "platform/page/page.h"

#include <string.h>

static th_status unsigned_page(th_error *error)
{
    return th_fail(error, TH_INVALID, "page-unsigned", "这个文件没有可核验的签章", "This file carries no signature that can be checked");
}

static th_status broken(th_error *error)
{
    return th_fail(error, TH_FORBIDDEN, "page-signature", "签章不成立，或签章之后文件被改动", "The signature does not hold, or the file was changed after it");
}

static bool digits(const char **at, const char *end, size_t *ret)
{
    size_t value = 0, n = 0;
    while (*at < end && **at == ' ')
        (*at)++;
    while (*at < end && **at >= '0' && **at <= '9' && n++ < 12)
        value = value * 10 + (size_t)(*(*at)++ - '0');
    *ret = value;
    return n > 0;
}

/* [0 a b c]: b is where the second range begins, and it must end where the file ends. */
static bool ranges_read(th_str pdf, size_t *ret_before, size_t *ret_after)
{
    static const char mark[] = "/ByteRange [";
    const char *at = memmem(pdf.p, pdf.n, mark, sizeof mark - 1), *end = pdf.p + pdf.n;
    size_t start, before, after, rest;
    if (!at)
        return false;
    at += sizeof mark - 1;
    if (!digits(&at, end, &start) || !digits(&at, end, &before) || !digits(&at, end, &after) || !digits(&at, end, &rest))
        return false;
    *ret_before = before;
    *ret_after = after;
    return start == 0 && before < after && after <= pdf.n && rest == pdf.n - after;
}

static bool one_mark(th_str pdf)
{
    static const char mark[] = "/ByteRange [";
    const char *first = memmem(pdf.p, pdf.n, mark, sizeof mark - 1);
    return first && !memmem(first + 1, pdf.n - (size_t)(first + 1 - pdf.p), mark, sizeof mark - 1);
}

/* <hex…000>: trailing zeros are padding; the DER says its own length. */
static bool contents_read(th_str gap, th_arena *arena, th_str *ret_der)
{
    if (gap.n < 10 || gap.p[0] != '<' || gap.p[gap.n - 1] != '>' || gap.n % 2)
        return false;
    size_t n = (gap.n - 2) / 2;
    uint8_t *der = n <= 4 * TH_CMS_MAX ? th_alloc(arena, n) : NULL;
    if (!der || !th_unhex((th_str){gap.p + 1, gap.n - 2}, der, n) || der[0] != 0x30)
        return false;
    size_t length = der[1] < 0x80 ? 2u + der[1] : der[1] == 0x81 ? 3u + der[2] : der[1] == 0x82 ? 4u + ((size_t)der[2] << 8 | der[3]) : 0;
    if (!length || length > n)
        return false;
    *ret_der = (th_str){(const char *)der, length};
    return true;
}

static void type_read(th_str name, th_arena *arena, const char **ret_type)
{
    char *text = th_alloc(arena, name.n + 1);
    size_t n = 0;
    for (size_t i = 0; text && i < name.n; i++) {
        if (name.p[i] == '#' && i + 2 < name.n && th_unhex((th_str){name.p + i + 1, 2}, text + n, 1)) {
            n++;
            i += 2;
        } else {
            text[n++] = name.p[i];
        }
    }
    *ret_type = text ? text : "";
}

/* Attachments as sign.c writes them. Everything here lies under the signature. */
static void files_read(th_str signed_bytes, th_arena *arena, th_page_seen *seen)
{
    static const char mark[] = "<< /Type /EmbeddedFile /Subtype /", length_mark[] = " /Length ", stream_mark[] = " >>\nstream\n";
    const char *at = signed_bytes.p, *end = signed_bytes.p + signed_bytes.n;
    while (seen->file_count < TH_PAGE_ATTACHMENTS_MAX && (at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL) {
        th_page_file *file = &seen->files[seen->file_count];
        size_t n;
        at += sizeof mark - 1;
        const char *length = memmem(at, (size_t)(end - at) < 200 ? (size_t)(end - at) : 200, length_mark, sizeof length_mark - 1);
        if (!length)
            continue;
        type_read((th_str){at, (size_t)(length - at)}, arena, &file->type);
        at = length + sizeof length_mark - 1;
        if (!digits(&at, end, &n) || (size_t)(end - at) < sizeof stream_mark - 1 || memcmp(at, stream_mark, sizeof stream_mark - 1) != 0)
            continue;
        at += sizeof stream_mark - 1;
        if (n > (size_t)(end - at))
            continue;
        file->name = "";
        file->bytes = (th_str){at, n};
        seen->file_count++;
        at += n;
    }
}

th_status th_page_read(th_str pdf, th_arena *arena, th_page_seen *ret_seen, th_error *error)
{
    th_page_seen seen = {0};
    size_t before, after;
    th_buf content;
    th_str der;
    if (!th_str_starts(pdf, "%PDF-") || pdf.n > TH_PAGE_BYTES_MAX || !memmem(pdf.p, pdf.n, "/ByteRange [", 12))
        return unsigned_page(error);
    if (!one_mark(pdf) || !ranges_read(pdf, &before, &after) || !contents_read((th_str){pdf.p + before, after - before}, arena, &der))
        return broken(error);
    th_buf_open(&content, arena, TH_PAGE_BYTES_MAX);
    th_buf_put(&content, pdf.p, before);
    th_buf_put(&content, pdf.p + after, pdf.n - after);
    if (!th_buf_ok(&content))
        return TH_NO_MEMORY;
    if (th_cms_check(der, th_buf_view(&content), arena, &seen.x509))
        return broken(error);
    files_read(th_buf_view(&content), arena, &seen);
    *ret_seen = seen;
    return TH_OK;
}
