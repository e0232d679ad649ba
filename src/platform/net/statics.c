/* statics.c — the console's files: precompressed variants, strong validators, and the one page that answers for all its routes. */
#include "net-private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT = 1024 };

static const char csp[] = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src 'self' blob:; "
                          "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static const char *type_of(const char *path)
{
    static const struct { const char *tail, *type; } types[] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
        {".json", "application/json"}, {".geojson", "application/geo+json"}, {".svg", "image/svg+xml"}, {".png", "image/png"},
        {".ico", "image/x-icon"}, {".woff2", "font/woff2"}, {".txt", "text/plain; charset=utf-8"}, {".webp", "image/webp"},
        {".webmanifest", "application/manifest+json"}, {".pdf", "application/pdf"},
    };
    size_t n = strlen(path);
    for (size_t i = 0; i < TH_COUNT(types); i++) {
        size_t tail = strlen(types[i].tail);
        if (n >= tail && strcmp(path + n - tail, types[i].tail) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* Only plain names below the root: no dot segments or hidden files, no empty segments, nothing odd. */
static bool path_safe(th_str path)
{
    th_str rest = path, segment;
    if (path.n < 1 || path.n > 500 || path.p[0] != '/' || memchr(path.p, '\\', path.n) || memchr(path.p, 0, path.n))
        return false;
    rest.p++;
    rest.n--;
    while (rest.n && th_str_cut(&rest, '/', &segment))
        if (!segment.n || segment.p[0] == '.')
            return false;
    return true;
}

static int file_open(const char *path, struct stat *ret_stat)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && (fstat(fd, ret_stat) || !S_ISREG(ret_stat->st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool accepts(th_rq *r, const char *coding)
{
    th_str header = th_request_header(&r->rq, "Accept-Encoding"), rest = header, one;
    while (rest.n && th_str_cut(&rest, ',', &one)) {
        one = th_str_trim(one);
        size_t n = strlen(coding);
        if (one.n >= n && memcmp(one.p, coding, n) == 0 && (one.n == n || one.p[n] == ';'))
            return !memmem(one.p, one.n, "q=0", 3) || memmem(one.p, one.n, "q=0.", 4);
    }
    return false;
}

static bool serve_file(th_rq *r, const char *path, bool immutable)
{
    static const struct { const char *coding, *tail; } codings[] = {{"br", ".br"}, {"gzip", ".gz"}, {NULL, ""}};
    struct stat st;
    int fd = -1;
    char full[PATH_TEXT + 8], tag[64];
    const char *coding = NULL;
    for (size_t i = 0; i < TH_COUNT(codings) && fd < 0; i++) {
        if (codings[i].coding && !accepts(r, codings[i].coding))
            continue;
        snprintf(full, sizeof full, "%s%s", path, codings[i].tail);
        fd = file_open(full, &st);
        coding = codings[i].coding;
    }
    if (fd < 0)
        return false;
    snprintf(tag, sizeof tag, "\"%llx-%llx-%llx%s\"", (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
             (unsigned long long)st.st_mtim.tv_sec * 1000000000u + (unsigned long long)st.st_mtim.tv_nsec, coding ? coding : "");
    if (th_str_is(th_request_header(&r->rq, "If-None-Match"), tag)) {
        close(fd);
        r->response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        r->rq.status = 304;
    } else {
        r->response = MHD_create_response_from_fd((size_t)st.st_size, fd);
        r->rq.status = 200;
        if (!r->response)
            close(fd);
    }
    if (!r->response)
        return false;
    r->rq.content_type = type_of(path);
    MHD_add_response_header(r->response, "ETag", tag);
    MHD_add_response_header(r->response, "Vary", "Accept-Encoding");
    MHD_add_response_header(r->response, "Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
    MHD_add_response_header(r->response, "Content-Security-Policy", csp);
    MHD_add_response_header(r->response, "Referrer-Policy", "no-referrer");
    if (coding)
        MHD_add_response_header(r->response, "Content-Encoding", coding);
    return true;
}

bool th_static_serve(th_rq *r)
{
    const char *root = r->server->options.static_root;
    th_request *rq = &r->rq;
    char path[PATH_TEXT];
    if (!root || (!th_str_is(rq->method, "GET") && !th_str_is(rq->method, "HEAD")) || !path_safe(rq->path))
        return false;
    if (rq->path.n > 1) {
        int n = snprintf(path, sizeof path, "%s%.*s", root, TH_FMT(rq->path));
        if (n > 0 && (size_t)n < sizeof path && serve_file(r, path, th_str_starts(rq->path, "/assets/")))
            return true;
    }
    th_str accept = th_request_header(rq, "Accept");
    if (!accept.n || !memmem(accept.p, accept.n, "text/html", 9))
        return false;
    int n = snprintf(path, sizeof path, "%s/index.html", root);
    return n > 0 && (size_t)n < sizeof path && serve_file(r, path, false);
}
