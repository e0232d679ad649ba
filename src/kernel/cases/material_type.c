/* material_type.c — what a paper may be: a PDF, a picture or an OFD, by its bytes and not by its name; nothing that runs. */
#include "material.h"

#include <string.h>

static bool starts(th_str bytes, const char *sign, size_t n)
{
    return bytes.n >= n && memcmp(bytes.p, sign, n) == 0;
}

static bool holds(th_str bytes, const char *text)
{
    return memmem(bytes.p, bytes.n, text, strlen(text)) != NULL;
}

/* Names may be written with #xx escapes; the plain ones are what readers and writers use. */
static bool acts(th_str bytes)
{
    static const char *const names[] = {"/JavaScript", "/JS ", "/JS(", "/JS<", "/Launch", "/EmbeddedFile", "/RichMedia", "/J#61vaScript", "/OpenAction<</S/J"};
    for (size_t i = 0; i < TH_COUNT(names); i++)
        if (holds(bytes, names[i]))
            return true;
    return false;
}

void th_material_look_open(th_material_look *look)
{
    *look = (th_material_look){0};
    th_hasher_open(&look->hasher);
}

static void begin_look(th_material_look *look, th_str bytes)
{
    if (starts(bytes, "%PDF-1.", 7) || starts(bytes, "%PDF-2.", 7))
        look->type = "application/pdf";
    else if (starts(bytes, "\xff\xd8\xff", 3))
        look->type = "image/jpeg";
    else if (starts(bytes, "\x89PNG\r\n\x1a\n", 8))
        look->type = "image/png";
    look->zip = starts(bytes, "PK\x03\x04", 4);
}

static void search(th_material_look *look, th_str bytes)
{
    /* The string by which virus checkers are tried; a real checker belongs beside the node. */
    look->virus = look->virus || holds(bytes, "EICAR-STANDARD-ANTIVIRUS-TEST-FILE");
    if (look->zip && !look->type && holds(bytes, "OFD.xml"))
        look->type = "application/ofd";
    if (look->type && strcmp(look->type, "application/pdf") == 0)
        look->acts = look->acts || acts(bytes);
}

void th_material_look_at(th_material_look *look, th_str piece)
{
    enum { KEPT = sizeof look->last };
    char border[2 * KEPT];
    size_t from_piece = piece.n < KEPT ? piece.n : KEPT, n = look->last_n + from_piece;
    if (!piece.n)
        return;
    if (!look->size)
        begin_look(look, piece);
    th_hasher_add(&look->hasher, piece);
    look->size += piece.n;
    /* What lies across the border of two pieces. */
    memcpy(border, look->last, look->last_n);
    memcpy(border + look->last_n, piece.p, from_piece);
    search(look, (th_str){border, n});
    search(look, piece);
    if (piece.n >= KEPT) {
        look->last_n = KEPT;
        memcpy(look->last, piece.p + piece.n - KEPT, KEPT);
    } else {
        look->last_n = n < KEPT ? n : KEPT;
        memcpy(look->last, border + n - look->last_n, look->last_n);
    }
}

th_status th_material_look_judge(const th_material_look *look, th_str mime, th_error *error)
{
    if (!look->size)
        return th_fail(error, TH_UNPROCESSABLE, "material-empty", "文件是空的", "The file is empty");
    if (look->virus)
        return th_fail(error, TH_UNPROCESSABLE, "material-virus", "文件含有病毒特征", "The file bears the mark of a virus");
    if (!look->type || !th_str_is(mime, look->type))
        return th_fail(error, TH_UNPROCESSABLE, "material-type", "文件内容与所称类型不符；可用 PDF、JPEG、PNG、OFD",
                       "The file is not what it is said to be; PDF, JPEG, PNG and OFD are taken");
    if (look->acts)
        return th_fail(error, TH_UNPROCESSABLE, "material-active", "PDF 中含有脚本、可执行动作或附件", "The PDF holds scripts, actions or attached files");
    return TH_OK;
}
