/* backup.c — a copy is its files and, written last, a manifest with their hashes: without a whole manifest it is no copy. */
#include "store-private.h"

#include "platform/crypto/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static th_status file_error(th_error *error, const char *path)
{
    return th_failf(error, errno == ENOSPC ? TH_NO_SPACE : TH_IO, "backup-file", "文件 %s：%s", "File %s: %s", path,
                    strerrordesc_np(errno));
}

th_status th_backup_hash(const char *dir, const char *name, char ret_hex[65], int64_t *ret_bytes, th_error *error)
{
    char path[4096];
    uint8_t piece[65536], digest[32];
    int64_t total = 0;
    ssize_t got;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_error(error, path);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    while (ok && (got = read(fd, piece, sizeof piece)) != 0) {
        ok = got > 0 && EVP_DigestUpdate(md, piece, (size_t)got) == 1;
        total += got;
    }
    ok = ok && EVP_DigestFinal_ex(md, digest, NULL) == 1 && fsync(fd) == 0;
    EVP_MD_CTX_free(md);
    close(fd);
    if (!ok)
        return file_error(error, path);
    th_hex(digest, sizeof digest, ret_hex);
    *ret_bytes = total;
    return TH_OK;
}

static th_status manifest_put(const char *dir, th_str text, th_error *error)
{
    char path[4096], temporary[4200];
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (!ok || rename(temporary, path) < 0)
        return file_error(error, path);
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        (void)fsync(folder);
        close(folder);
    }
    return TH_OK;
}

static bool is_copy_file(const char *name)
{
    size_t n = strlen(name);
    return strcmp(name, "store.sqlite") == 0 || strcmp(name, TH_STORE_APART ".sqlite") == 0 || (n > 5 && strcmp(name + n - 5, ".copy") == 0);
}

static th_status files_list(const char *dir, th_pen *pen, th_error *error)
{
    DIR *folder = opendir(dir);
    th_status status = folder ? TH_OK : file_error(error, dir);
    struct dirent *entry;
    while (!status && (entry = readdir(folder))) {
        char hex[65];
        int64_t bytes;
        if (!is_copy_file(entry->d_name))
            continue;
        status = th_backup_hash(dir, entry->d_name, hex, &bytes, error);
        th_pen_object(pen);
        th_pen_ktext(pen, "name", entry->d_name);
        th_pen_kint(pen, "bytes", bytes);
        th_pen_ktext(pen, "sha256", hex);
        th_pen_end(pen, '}');
    }
    if (folder)
        closedir(folder);
    return status;
}

th_status th_store_backup(th_store *store, const char *to, th_error *error)
{
    char path[4096];
    th_arena arena;
    th_buf buf;
    snprintf(path, sizeof path, "%s/manifest.json", to);
    if (mkdir(to, 0700) < 0 && errno != EEXIST)
        return file_error(error, to);
    if (access(path, F_OK) == 0)
        return th_fail(error, TH_CONFLICT, "backup-exists", "目录中已有备份", "The folder holds a backup already");
    th_status status = store->backend->backup(store, to, error);
    if (status)
        return status;
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 512 * 1024);
    th_env env = th_env_real();
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "format", "tonghui-backup-1");
    th_pen_ktext(&pen, "kind", th_store_is_postgresql(store) ? "postgresql" : "sqlite");
    th_pen_ktime(&pen, "at", th_now_us(&env));
    th_pen_key(&pen, "files");
    th_pen_array(&pen);
    status = files_list(to, &pen, error);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    if (!status)
        status = th_buf_ok(&buf) ? manifest_put(to, th_buf_view(&buf), error) : TH_TOO_LARGE;
    th_arena_close(&arena);
    return status;
}

/* ---- restore ---- */

static th_status manifest_check(const char *from, th_arena *arena, const th_json **ret_manifest, th_error *error)
{
    char path[4096];
    char *text = th_alloc(arena, 512 * 1024);
    snprintf(path, sizeof path, "%s/manifest.json", from);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 && text ? read(fd, text, 512 * 1024) : -1;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return th_failf(error, TH_NOT_FOUND, "no-backup", "%s 中没有完整的备份", "There is no whole backup in %s", from);
    th_status status = th_json_parse((th_str){text, (size_t)n}, arena, ret_manifest, error);
    const th_json *files = status ? NULL : th_json_get(*ret_manifest, "files");
    for (const th_json *f = th_json_first(files); !status && f; f = th_json_next(files, f)) {
        char hex[65];
        int64_t bytes;
        th_str name = th_str_keep(arena, th_json_str(f, "name"));
        if (!name.p || !is_copy_file(name.p) || memchr(name.p, '/', name.n))
            return th_fail(error, TH_CORRUPT, "backup-altered", "备份清单有误", "The backup's manifest is wrong");
        status = th_backup_hash(from, name.p, hex, &bytes, error);
        if (!status && !th_str_is(th_json_str(f, "sha256"), hex))
            status = th_failf(error, TH_CORRUPT, "backup-altered", "备份文件 %s 与清单不符", "The backup's file %s differs from its manifest",
                              name.p);
    }
    return status;
}

static th_status file_copy(const char *from, const char *to, th_error *error)
{
    char piece[65536];
    ssize_t got = 0;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = in >= 0 && out >= 0;
    while (ok && (got = read(in, piece, sizeof piece)) > 0)
        ok = write(out, piece, (size_t)got) == got;
    ok = ok && got == 0 && fsync(out) == 0;
    th_status status = ok ? TH_OK : file_error(error, to);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return status;
}

/* The second file first: where PATH stands, both do. */
static th_status sqlite_restore(const char *from, const char *to, th_error *error)
{
    static const struct { const char *name, *tail; } files[] = {{TH_STORE_APART ".sqlite", "-" TH_STORE_APART}, {"store.sqlite", ""}};
    char source[4096], target[4096], temporary[4200];
    th_status status = TH_OK;
    for (size_t i = 0; i < TH_COUNT(files); i++) {
        snprintf(target, sizeof target, "%s%s", to, files[i].tail);
        if (access(target, F_OK) == 0)
            return th_failf(error, TH_CONFLICT, "store-exists", "数据库 %s 已存在，不会覆盖", "The database %s exists and is not overwritten",
                            target);
    }
    for (size_t i = 0; i < TH_COUNT(files) && !status; i++) {
        snprintf(source, sizeof source, "%s/%s", from, files[i].name);
        snprintf(target, sizeof target, "%s%s", to, files[i].tail);
        snprintf(temporary, sizeof temporary, "%s.restoring", target);
        (void)unlink(temporary);
        status = file_copy(source, temporary, error);
        if (!status && rename(temporary, target) < 0)
            status = file_error(error, target);
    }
    return status;
}

th_status th_store_restore(const char *from, const char *url, th_error *error)
{
    static const char prefix[] = "sqlite:";
    th_arena arena;
    const th_json *manifest;
    bool sqlite = strncmp(url, prefix, sizeof prefix - 1) == 0, empty = false;
    th_arena_open(&arena, 4u << 20);
    th_status status = manifest_check(from, &arena, &manifest, error);
    if (!status && !th_str_is(th_json_str(manifest, "kind"), sqlite ? "sqlite" : "postgresql"))
        status = th_fail(error, TH_INVALID, "backup-kind", "备份来自另一种存储", "The backup is of another kind of store");
    if (!status && sqlite)
        status = sqlite_restore(from, url + sizeof prefix - 1, error);
    if (!status && !sqlite) {
        th_store *store;
        status = th_store_open(url, NULL, &store, error);
        if (!status) {
            status = th_pg_is_empty(store, &empty, error);
            if (!status)
                status = empty ? th_pg_restore(store, from, manifest, error)
                               : th_fail(error, TH_CONFLICT, "store-exists", "目标数据库不是空的", "The target database is not empty");
            th_store_close(store);
        }
    }
    th_arena_close(&arena);
    return status;
}
