/* page.h — printed pages: words in Chinese and English set on A4, a square code, a signature that readers of PDF can check.
 *
 * Promises  Text is text: nothing in it is read as markup, script or formula. A page that was signed and then touched, by one byte or by an
 *           appended revision, is no longer signed. Whoever reads a page back gets its attachments only from under the signature.
 * Limits    TH_PAGE_PARTS_MAX parts, TH_PAGE_BYTES_MAX bytes; long texts flow onto further pages.
 * Ownership Everything returned lives in the arena. Threads: any (fonts are looked up once a thread: the first page of a thread takes
 *           some 100 ms, the next ones 15 to 25).
 * Needs     pango, cairo, libqrencode; a Chinese font (fonts-wqy-microhei, or a better one that is installed).
 * Source    ISO 32000-1 §12.8 (signatures: adbe.pkcs7.detached), §7.5.6 (incremental updates), §7.11.4 (embedded files); ISO/IEC 18004.
 */
#ifndef TH_PLATFORM_PAGE_H
#define TH_PLATFORM_PAGE_H
#include "platform/crypto/crypto.h"

enum { TH_PAGE_PARTS_MAX = 400, TH_PAGE_BYTES_MAX = 8 << 20, TH_PAGE_ATTACHMENTS_MAX = 4, TH_SQUARE_VERSION_MAX = 25 };

typedef enum th_page_kind {
    TH_PAGE_BANNER,    /* across the top of the first page, small, in amber: 「模拟数据 simulated」 */
    TH_PAGE_HEADING,   /* large, centred; `other` smaller below it */
    TH_PAGE_PARAGRAPH, /* body text */
    TH_PAGE_NOTE,      /* small, grey */
    TH_PAGE_ROW,       /* `text` the label, `other` the value, a hair line below */
    TH_PAGE_RULE,
    TH_PAGE_SPACE,
    TH_PAGE_SEAL,      /* right-aligned, in cinnabar: who signs; `other` smaller below it */
    TH_PAGE_SQUARE,    /* `text` as a square, `other` as words beside it */
} th_page_kind;

typedef struct th_page_part {
    th_page_kind kind;
    th_str text, other;
} th_page_part;

typedef struct th_page {
    th_str title;  /* of the document */
    bool frame;    /* a double line around the first page, for certificates */
    const th_page_part *parts;
    size_t count;
} th_page;

/* TH_INVALID "page-text" (not UTF-8, or control characters), TH_TOO_LARGE. */
TH_MUST_USE th_status th_page_pdf(const th_page *page, th_arena *arena, th_str *ret_pdf, th_error *error);

typedef struct th_page_file { /* travels inside the page */
    const char *name, *type;  /* "certificate.sdjwt", "application/dc+sd-jwt" */
    th_str bytes;
} th_page_file;

typedef struct th_page_signer {
    const th_key *key; /* P-256 */
    th_str x509;       /* its certificate, DER */
    th_str name, reason;
    int64_t at_us;
} th_page_signer;

/* Sign a page that th_page_pdf made, with `files` attached under the signature. */
TH_MUST_USE th_status th_page_sign(th_str pdf, const th_page_signer *signer, const th_page_file *files, size_t n, th_arena *arena, th_str *ret_pdf,
                                   th_error *error);
typedef struct th_page_seen {
    th_str x509; /* of who signed: whether to believe it is the caller's to find out */
    th_page_file files[TH_PAGE_ATTACHMENTS_MAX];
    size_t file_count;
} th_page_seen;
/* TH_INVALID "page-unsigned" (no PDF, no signature), TH_FORBIDDEN "page-signature" (it does not hold, or does not cover the whole file). */
TH_MUST_USE th_status th_page_read(th_str pdf, th_arena *arena, th_page_seen *ret_seen, th_error *error);

/* A square (QR code, level M, at most version TH_SQUARE_VERSION_MAX): `side` × `side` bytes, 1 = dark. TH_TOO_LARGE. */
TH_MUST_USE th_status th_square(th_str text, th_arena *arena, const uint8_t **ret_modules, int *ret_side, int *ret_version);
TH_MUST_USE th_status th_square_svg(th_str text, th_arena *arena, th_str *ret_svg);
#endif
