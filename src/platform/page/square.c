/* square.c — QR codes by libqrencode, as modules and as SVG. */
#include "platform/page/page.h"

#include <qrencode.h>
#include <string.h>

enum { QUIET = 4 };

th_status th_square(th_str text, th_arena *arena, const uint8_t **ret_modules, int *ret_side, int *ret_version)
{
    th_str kept = th_str_keep(arena, text);
    if (!kept.p || !text.n || memchr(text.p, 0, text.n))
        return TH_INVALID;
    QRcode *code = QRcode_encodeString(kept.p, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (!code)
        return TH_TOO_LARGE;
    size_t n = (size_t)code->width * (size_t)code->width;
    uint8_t *modules = code->version <= TH_SQUARE_VERSION_MAX ? th_alloc(arena, n) : NULL;
    for (size_t i = 0; modules && i < n; i++)
        modules[i] = code->data[i] & 1;
    *ret_modules = modules;
    *ret_side = code->width;
    if (ret_version)
        *ret_version = code->version;
    QRcode_free(code);
    return modules ? TH_OK : TH_TOO_LARGE;
}

th_status th_square_svg(th_str text, th_arena *arena, th_str *ret_svg)
{
    const uint8_t *modules;
    int side;
    th_buf buf;
    th_status status = th_square(text, arena, &modules, &side, NULL);
    if (status)
        return status;
    th_buf_open(&buf, arena, 1 << 20);
    int whole = side + 2 * QUIET;
    th_buff(&buf, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"", whole, whole,
            whole, whole);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            int run = 0;
            while (x + run < side && modules[y * side + x + run])
                run++;
            if (!run)
                continue;
            th_buff(&buf, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, run, run);
            x += run;
        }
    th_buf_text(&buf, "\"/></svg>");
    *ret_svg = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : TH_TOO_LARGE;
}
