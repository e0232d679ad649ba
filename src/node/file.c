/* file.c — whole files, read bounded and written whole or not at all. */
#include "node/node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static th_status os_error(th_error *error, const char *path)
{
    th_status status = errno == ENOENT ? TH_NOT_FOUND : errno == ENOSPC ? TH_NO_SPACE : TH_IO;
    const char *words = strerrordesc_np(errno);
    return th_failf(error, status, "file", "文件 %s：%s", "File %s: %s", path, words ? words : "?");
}

bool th_path_join(char ret_path[TH_PATH_TEXT], const char *dir, const char *name)
{
    int n = name[0] == '/' || !dir[0] ? snprintf(ret_path, TH_PATH_TEXT, "%s", name)
                                      : snprintf(ret_path, TH_PATH_TEXT, "%s/%s", dir, name);
    return n > 0 && n < TH_PATH_TEXT;
}

bool th_path_whole(char path[TH_PATH_TEXT])
{
    char *found = realpath(path, NULL);
    bool ok = found && strlen(found) < TH_PATH_TEXT;
    if (ok)
        snprintf(path, TH_PATH_TEXT, "%s", found);
    free(found); /* realpath's own allocation */
    return ok;
}

bool th_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

th_status th_file_read(const char *path, size_t max, th_arena *arena, th_str *ret_bytes, th_error *error)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return os_error(error, path);
    th_status status = TH_OK;
    char *bytes = NULL;
    size_t n = 0;
    if (fstat(fd, &info) < 0)
        status = os_error(error, path);
    else if (info.st_size < 0 || (size_t)info.st_size > max)
        status = th_failf(error, TH_TOO_LARGE, "file", "文件 %s 过大", "File %s is too large", path);
    else if (!(bytes = th_alloc(arena, (size_t)info.st_size + 1)))
        status = TH_NO_MEMORY;
    while (!status && n < (size_t)info.st_size) {
        ssize_t got = read(fd, bytes + n, (size_t)info.st_size - n);
        if (got < 0 && errno != EINTR)
            status = os_error(error, path);
        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
    }
    close(fd);
    if (!status)
        *ret_bytes = (th_str){bytes, n};
    return status;
}

static th_status bytes_put(int fd, th_str bytes, const char *path, th_error *error)
{
    while (bytes.n) {
        ssize_t put = write(fd, bytes.p, bytes.n);
        if (put < 0 && errno != EINTR)
            return os_error(error, path);
        if (put > 0) {
            bytes.p += put;
            bytes.n -= (size_t)put;
        }
    }
    return fsync(fd) < 0 ? os_error(error, path) : TH_OK;
}

th_status th_file_write(const char *path, th_str bytes, int mode, th_error *error)
{
    char temporary[TH_PATH_TEXT + 8];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return os_error(error, temporary);
    th_status status = fchmod(fd, (mode_t)mode) < 0 ? os_error(error, temporary) : bytes_put(fd, bytes, temporary, error);
    close(fd);
    if (!status && rename(temporary, path) < 0)
        status = os_error(error, path);
    if (status)
        (void)unlink(temporary);
    return status;
}

th_status th_dir_make(const char *path, th_error *error)
{
    char partial[TH_PATH_TEXT];
    size_t n = strlen(path);
    if (n >= sizeof partial)
        return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(partial, path, i);
        partial[i] = 0;
        if (mkdir(partial, 0755) < 0 && errno != EEXIST)
            return os_error(error, partial);
    }
    return TH_OK;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

th_status th_dir_remove(const char *path, th_error *error)
{
    if (th_file_exists(path) && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
        return os_error(error, path);
    return TH_OK;
}

/* ---- names in a folder ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

th_status th_dir_list(const char *dir, const char *tail, th_arena *arena, char ***ret_names, size_t *ret_n, th_error *error)
{
    enum { NAMES_MAX = 4096 };
    DIR *folder = opendir(dir);
    struct dirent *entry;
    size_t tail_n = strlen(tail);
    *ret_n = 0;
    *ret_names = th_alloc_array(arena, NAMES_MAX, sizeof **ret_names);
    if (!*ret_names) {
        if (folder)
            closedir(folder);
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    }
    while (folder && *ret_n < NAMES_MAX && (entry = readdir(folder))) {
        size_t n = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || n < tail_n || strcmp(entry->d_name + n - tail_n, tail) != 0)
            continue;
        th_str kept = th_str_keep(arena, (th_str){entry->d_name, n});
        if (kept.p)
            (*ret_names)[(*ret_n)++] = (char *)(uintptr_t)kept.p;
    }
    if (folder)
        closedir(folder);
    qsort(*ret_names, *ret_n, sizeof **ret_names, by_name);
    return TH_OK;
}
