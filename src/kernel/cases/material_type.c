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

const char *th_material_sniff(th_str bytes)
{
    if (starts(bytes, "%PDF-1.", 7) || starts(bytes, "%PDF-2.", 7))
        return "application/pdf";
    if (starts(bytes, "\xff\xd8\xff", 3))
        return "image/jpeg";
    if (starts(bytes, "\x89PNG\r\n\x1a\n", 8))
        return "image/png";
    if (starts(bytes, "PK\x03\x04", 4) && holds(bytes, "OFD.xml"))
        return "application/ofd";
    return NULL;
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

th_status th_material_check(th_str bytes, th_str mime, th_error *error)
{
    if (!bytes.n)
        return th_fail(error, TH_UNPROCESSABLE, "material-empty", "文件是空的", "The file is empty");
    /* The string by which virus checkers are tried; a real checker belongs beside the node. */
    if (holds(bytes, "EICAR-STANDARD-ANTIVIRUS-TEST-FILE"))
        return th_fail(error, TH_UNPROCESSABLE, "material-virus", "文件含有病毒特征", "The file bears the mark of a virus");
    const char *type = th_material_sniff(bytes);
    if (!type || !th_str_is(mime, type))
        return th_fail(error, TH_UNPROCESSABLE, "material-type", "文件内容与所称类型不符；可用 PDF、JPEG、PNG、OFD",
                       "The file is not what it is said to be; PDF, JPEG, PNG and OFD are taken");
    if (strcmp(type, "application/pdf") == 0 && acts(bytes))
        return th_fail(error, TH_UNPROCESSABLE, "material-active", "PDF 中含有脚本、可执行动作或附件", "The PDF holds scripts, actions or attached files");
    return TH_OK;
}
