/* pdf.c — parts set one below the other with pango, drawn by cairo into a PDF. Points throughout: 72 an inch, A4 is 595 × 842. */
#include "platform/page/page.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>
#include <string.h>

#define A4_WIDTH 595.28
#define A4_HEIGHT 841.89
#define MARGIN 64.0
#define LABEL_WIDTH 150.0
#define SQUARE_SIDE 132.0

/* The small font that is declared comes first, so that a page is the same wherever it is made: 2 ms and 4 MB; with a font of 20 MB it would be
 * 30 ms and 45 MB. What it lacks (rare characters) is taken from others where they are installed. */
static const char family[] = "WenQuanYi Micro Hei, Noto Sans CJK SC, Source Han Sans SC";

typedef struct rgb {
    double r, g, b;
} rgb;
static const rgb ink = {0.086, 0.125, 0.169}, grey = {0.36, 0.40, 0.45}, line = {0.867, 0.89, 0.918}, cinnabar = {0.753, 0.196, 0.173}, amber = {0.698, 0.416, 0};

typedef struct sheet {
    cairo_t *cr;
    double y;
    bool frame, first;
} sheet;

static cairo_status_t bytes_take(void *ctx, const unsigned char *bytes, unsigned int n)
{
    th_buf *buf = ctx;
    th_buf_put(buf, bytes, n);
    return th_buf_ok(buf) ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static void colour(sheet *s, rgb c)
{
    cairo_set_source_rgb(s->cr, c.r, c.g, c.b);
}

static void frame_draw(sheet *s)
{
    if (!s->frame)
        return;
    colour(s, grey);
    cairo_set_line_width(s->cr, 1.6);
    cairo_rectangle(s->cr, 28, 28, A4_WIDTH - 56, A4_HEIGHT - 56);
    cairo_stroke(s->cr);
    cairo_set_line_width(s->cr, 0.5);
    cairo_rectangle(s->cr, 33, 33, A4_WIDTH - 66, A4_HEIGHT - 66);
    cairo_stroke(s->cr);
}

static void page_next(sheet *s)
{
    cairo_show_page(s->cr);
    s->first = false;
    s->y = MARGIN;
}

static void room_for(sheet *s, double height)
{
    if (s->y + height > A4_HEIGHT - MARGIN && s->y > MARGIN)
        page_next(s);
}

static PangoLayout *laid_out(sheet *s, th_str text, double size, bool bold, double width, PangoAlignment align)
{
    PangoLayout *layout = pango_cairo_create_layout(s->cr);
    PangoFontDescription *font = pango_font_description_new();
    pango_font_description_set_family_static(font, family);
    pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
    pango_font_description_set_weight(font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    pango_layout_set_width(layout, (int)(width * PANGO_SCALE));
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_alignment(layout, align);
    pango_layout_set_line_spacing(layout, 1.2f);
    pango_layout_set_text(layout, text.p ? text.p : "", (int)text.n);
    return layout;
}

static double height_of(PangoLayout *layout)
{
    int width, height;
    pango_layout_get_size(layout, &width, &height);
    return (double)height / PANGO_SCALE;
}

/* Line by line, so that a long text goes on overleaf. Lines of several words' length need air between them; Chinese more than Latin. */
#define LEADING 1.3

static void flow(sheet *s, th_str text, double size, bool bold, PangoAlignment align, rgb c)
{
    PangoLayout *layout = laid_out(s, text, size, bold, A4_WIDTH - 2 * MARGIN, align);
    PangoLayoutIter *at = pango_layout_get_iter(layout);
    do {
        PangoRectangle box;
        int baseline = pango_layout_iter_get_baseline(at);
        pango_layout_iter_get_line_extents(at, NULL, &box);
        double height = (double)box.height / PANGO_SCALE * (size < 20 ? LEADING : 1);
        room_for(s, height);
        colour(s, c);
        cairo_move_to(s->cr, MARGIN + (double)box.x / PANGO_SCALE, s->y + (double)(baseline - box.y) / PANGO_SCALE);
        pango_cairo_show_layout_line(s->cr, pango_layout_iter_get_line_readonly(at));
        s->y += height;
    } while (pango_layout_iter_next_line(at));
    pango_layout_iter_free(at);
    g_object_unref(layout);
}

static void block(sheet *s, PangoLayout *layout, double x, double y, rgb c)
{
    colour(s, c);
    cairo_move_to(s->cr, x, y);
    pango_cairo_show_layout(s->cr, layout);
}

static void rule(sheet *s)
{
    colour(s, line);
    cairo_set_line_width(s->cr, 0.7);
    cairo_move_to(s->cr, MARGIN, s->y);
    cairo_line_to(s->cr, A4_WIDTH - MARGIN, s->y);
    cairo_stroke(s->cr);
}

static void row(sheet *s, const th_page_part *p)
{
    double width = A4_WIDTH - 2 * MARGIN;
    PangoLayout *label = laid_out(s, p->text, 9.5, false, LABEL_WIDTH - 12, PANGO_ALIGN_LEFT);
    PangoLayout *value = laid_out(s, p->other, 11.5, false, width - LABEL_WIDTH, PANGO_ALIGN_LEFT);
    double height = height_of(value) > height_of(label) ? height_of(value) : height_of(label);
    room_for(s, height + 12);
    block(s, label, MARGIN, s->y + 5, grey);
    block(s, value, MARGIN + LABEL_WIDTH, s->y + 4, ink);
    s->y += height + 10;
    rule(s);
    g_object_unref(label);
    g_object_unref(value);
}

static th_status square(sheet *s, const th_page_part *p, th_arena *arena)
{
    const uint8_t *modules;
    int side;
    th_status status = th_square(p->text, arena, &modules, &side, NULL);
    if (status)
        return status;
    room_for(s, SQUARE_SIDE + 8);
    double each = SQUARE_SIDE / (side + 2);
    colour(s, (rgb){0, 0, 0});
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            if (modules[y * side + x]) /* a hair wider than its place: no white lines between neighbours when scaled */
                cairo_rectangle(s->cr, MARGIN + (x + 1) * each, s->y + (y + 1) * each, each * 1.02, each * 1.02);
    cairo_fill(s->cr);
    PangoLayout *words = laid_out(s, p->other, 8.5, false, A4_WIDTH - 2 * MARGIN - SQUARE_SIDE - 16, PANGO_ALIGN_LEFT);
    block(s, words, MARGIN + SQUARE_SIDE + 16, s->y + SQUARE_SIDE - height_of(words) - 2, grey);
    g_object_unref(words);
    s->y += SQUARE_SIDE + 8;
    return TH_OK;
}

static th_status part_draw(sheet *s, const th_page_part *p, th_arena *arena)
{
    switch (p->kind) {
    case TH_PAGE_BANNER:
        flow(s, p->text, 9, false, PANGO_ALIGN_CENTER, amber);
        break;
    case TH_PAGE_HEADING:
        s->y += 10;
        flow(s, p->text, 27, true, PANGO_ALIGN_CENTER, ink);
        flow(s, p->other, 13, false, PANGO_ALIGN_CENTER, grey);
        s->y += 14;
        break;
    case TH_PAGE_PARAGRAPH:
        flow(s, p->text, 12.5, false, PANGO_ALIGN_LEFT, ink);
        s->y += 8;
        break;
    case TH_PAGE_NOTE:
        flow(s, p->text, 8.5, false, PANGO_ALIGN_LEFT, grey);
        s->y += 3;
        break;
    case TH_PAGE_ROW:
        row(s, p);
        break;
    case TH_PAGE_RULE:
        rule(s);
        s->y += 8;
        break;
    case TH_PAGE_SPACE:
        s->y += 14;
        break;
    case TH_PAGE_SEAL:
        s->y += 6;
        flow(s, p->text, 13, true, PANGO_ALIGN_RIGHT, cinnabar);
        flow(s, p->other, 9.5, false, PANGO_ALIGN_RIGHT, cinnabar);
        s->y += 6;
        break;
    case TH_PAGE_SQUARE:
        return square(s, p, arena);
    }
    return TH_OK;
}

static bool text_ok(th_str text)
{
    th_str rest = text, one;
    if (text.n > INT32_MAX / 2 || !th_utf8_valid(text))
        return false;
    while (th_str_cut(&rest, '\n', &one)) /* line ends are the only controls a page has a use for */
        if (th_str_has_controls(one))
            return false;
    return true;
}

th_status th_page_pdf(const th_page *page, th_arena *arena, th_str *ret_pdf, th_error *error)
{
    th_buf buf;
    th_status status = page->count > TH_PAGE_PARTS_MAX ? TH_TOO_LARGE : TH_OK;
    for (size_t i = 0; !status && i < page->count; i++)
        if (!text_ok(page->parts[i].text) || !text_ok(page->parts[i].other))
            return th_fail(error, TH_INVALID, "page-text", "文字中含有控制字符", "The text holds control characters");
    th_buf_open(&buf, arena, TH_PAGE_BYTES_MAX);
    th_str title = th_str_keep(arena, page->title);
    cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(bytes_take, &buf, A4_WIDTH, A4_HEIGHT);
    cairo_pdf_surface_restrict_to_version(surface, CAIRO_PDF_VERSION_1_5);
    if (title.n)
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, title.p);
    sheet s = {.cr = cairo_create(surface), .y = MARGIN, .frame = page->frame, .first = true};
    frame_draw(&s);
    for (size_t i = 0; !status && i < page->count; i++)
        status = part_draw(&s, &page->parts[i], arena);
    cairo_show_page(s.cr);
    bool drawn = cairo_status(s.cr) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(s.cr);
    cairo_surface_finish(surface);
    drawn = drawn && cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS;
    cairo_surface_destroy(surface);
    if (status || !drawn || !th_buf_ok(&buf))
        return th_fail(error, status ? status : th_buf_ok(&buf) ? TH_IO : TH_TOO_LARGE, "page", "无法生成页面", "The page cannot be made");
    *ret_pdf = th_buf_view(&buf);
    return TH_OK;
}
