/* disk_vfs.c — the VFS "sim": what SQLite needs of an operating system, over disk.c. One thread; shared memory is memory. */
#include "disk-private.h"

#include <stdio.h>
#include <string.h>

struct sim_handle {
    sqlite3_file base;
    disk_file *file;
    bool temporary;
    int lock;
    bool shm_open;
    unsigned shm_shared, shm_exclusive; /* bits */
};

static int64_t (*clock_now)(void *ctx);
static void *clock_ctx;
static chance vfs_chance;

static sim_handle *handle_of(sqlite3_file *file)
{
    return (sim_handle *)file;
}

/* ---- main-file locks, after SQLite's unix VFS ---- */

static int v_lock(sqlite3_file *file, int level)
{
    sim_handle *h = handle_of(file);
    disk_file *f = h->file;
    if (h->lock >= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        if (f->pending || f->exclusive)
            return SQLITE_BUSY;
        f->shared++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (f->reserved)
            return SQLITE_BUSY;
        f->reserved = h;
    } else {
        if ((f->pending && f->pending != h) || (f->reserved && f->reserved != h))
            return SQLITE_BUSY;
        f->pending = h;
        if (f->shared > 1) {
            h->lock = SQLITE_LOCK_PENDING;
            return SQLITE_BUSY;
        }
        f->exclusive = h;
    }
    h->lock = level;
    return SQLITE_OK;
}

static int v_unlock(sqlite3_file *file, int level)
{
    sim_handle *h = handle_of(file);
    disk_file *f = h->file;
    if (h->lock <= level)
        return SQLITE_OK;
    if (f->reserved == h)
        f->reserved = NULL;
    if (f->pending == h)
        f->pending = NULL;
    if (f->exclusive == h)
        f->exclusive = NULL;
    if (level == SQLITE_LOCK_NONE)
        f->shared--;
    h->lock = level;
    return SQLITE_OK;
}

static int v_check_reserved(sqlite3_file *file, int *ret)
{
    *ret = handle_of(file)->file->reserved != NULL;
    return SQLITE_OK;
}

/* ---- the write-ahead log's shared memory ---- */

static int v_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
    sim_handle *h = handle_of(file);
    disk_file *f = h->file;
    *ret = NULL;
    if (f->disk->frozen)
        return SQLITE_IOERR_SHMMAP;
    if (!h->shm_open) {
        h->shm_open = true;
        f->shm_users++;
    }
    TH_ASSERT(region < SHM_REGIONS);
    if (!f->shm[region] && extend)
        f->shm[region] = th_new((size_t)size);
    *ret = f->shm[region];
    return SQLITE_OK;
}

static int v_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    sim_handle *h = handle_of(file);
    disk_file *f = h->file;
    unsigned mask = ((1u << n) - 1) << offset;
    for (int i = offset; i < offset + n; i++) {
        unsigned bit = 1u << i;
        if (flags & SQLITE_SHM_UNLOCK)
            continue;
        if (f->shm_exclusive[i] && f->shm_exclusive[i] != h)
            return SQLITE_BUSY;
        if ((flags & SQLITE_SHM_EXCLUSIVE) && f->shm_shared[i] > ((h->shm_shared & bit) ? 1 : 0))
            return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + n; i++) {
        unsigned bit = 1u << i;
        if (flags & SQLITE_SHM_UNLOCK) {
            if (h->shm_shared & bit)
                f->shm_shared[i]--;
            if (h->shm_exclusive & bit)
                f->shm_exclusive[i] = NULL;
        } else if (flags & SQLITE_SHM_SHARED) {
            f->shm_shared[i] += !(h->shm_shared & bit);
        } else {
            f->shm_exclusive[i] = h;
        }
    }
    if (flags & SQLITE_SHM_UNLOCK) {
        h->shm_shared &= ~mask;
        h->shm_exclusive &= ~mask;
    } else if (flags & SQLITE_SHM_SHARED) {
        h->shm_shared |= mask;
    } else {
        h->shm_exclusive |= mask;
    }
    return SQLITE_OK;
}

static void v_shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int v_shm_unmap(sqlite3_file *file, int delete_it)
{
    sim_handle *h = handle_of(file);
    disk_file *f = h->file;
    (void)delete_it;
    if (!h->shm_open)
        return SQLITE_OK;
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
        f->shm_shared[i] -= (h->shm_shared >> i & 1) != 0;
        if (h->shm_exclusive >> i & 1)
            f->shm_exclusive[i] = NULL;
    }
    h->shm_open = false;
    h->shm_shared = h->shm_exclusive = 0;
    if (--f->shm_users == 0)
        for (size_t i = 0; i < SHM_REGIONS; i++) {
            th_free(f->shm[i]);
            f->shm[i] = NULL;
        }
    return SQLITE_OK;
}

/* ---- bytes ---- */

static int v_close(sqlite3_file *file)
{
    sim_handle *h = handle_of(file);
    if (!h->file)
        return SQLITE_OK;
    TH_IGNORE(v_unlock(file, SQLITE_LOCK_NONE));
    TH_IGNORE(v_shm_unmap(file, 0));
    h->file->handles--;
    if (h->temporary)
        disk_file_forget(h->file);
    h->file = NULL;
    return SQLITE_OK;
}

static int v_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    const disk_file *f = handle_of(file)->file;
    if (f->disk->frozen)
        return SQLITE_IOERR_READ;
    size_t from = (size_t)at, has = from < f->now.n ? f->now.n - from : 0, wanted = (size_t)n;
    size_t some = has < wanted ? has : wanted;
    if (some)
        memcpy(to, f->now.p + from, some);
    if (some == wanted)
        return SQLITE_OK;
    memset((char *)to + some, 0, wanted - some);
    return SQLITE_IOERR_SHORT_READ;
}

static int v_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    return disk_file_write(handle_of(file)->file, from, (size_t)n, (size_t)at);
}

static int v_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return disk_file_truncate(handle_of(file)->file, (size_t)size);
}

static int v_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    return disk_file_sync(handle_of(file)->file);
}

static int v_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    const disk_file *f = handle_of(file)->file;
    if (f->disk->frozen)
        return SQLITE_IOERR_FSTAT;
    *ret = (sqlite3_int64)f->now.n;
    return SQLITE_OK;
}

static int v_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int v_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096; /* what the unix VFS says */
}

static int v_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* likewise, and disk_crash keeps to it */
}

/* Version 2: shared memory, no memory-mapped reading (the pragma of the store asks in vain). */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = v_close,
    .xRead = v_read,
    .xWrite = v_write,
    .xTruncate = v_truncate,
    .xSync = v_sync,
    .xFileSize = v_file_size,
    .xLock = v_lock,
    .xUnlock = v_unlock,
    .xCheckReservedLock = v_check_reserved,
    .xFileControl = v_control,
    .xSectorSize = v_sector_size,
    .xDeviceCharacteristics = v_characteristics,
    .xShmMap = v_shm_map,
    .xShmLock = v_shm_lock,
    .xShmBarrier = v_shm_barrier,
    .xShmUnmap = v_shm_unmap,
};

/* ---- names ---- */

/* "/<slot>/<name>" */
static disk *path_split(const char *path, const char **ret_name)
{
    const char *slash = path && path[0] == '/' ? strchr(path + 1, '/') : NULL;
    int64_t slot;
    if (!slash || !th_parse_i64((th_str){path + 1, (size_t)(slash - path - 1)}, 0, DISKS_MAX - 1, &slot))
        return NULL;
    *ret_name = slash + 1;
    return disk_of_slot((unsigned)slot);
}

static int v_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
    static unsigned temporaries;
    sim_handle *h = handle_of(file);
    char name[DISK_NAME];
    const char *in_disk = name;
    (void)vfs;
    *h = (sim_handle){0};
    disk *d = path ? path_split(path, &in_disk) : disk_of_slot(0);
    if (!path)
        snprintf(name, sizeof name, "temporary-%u", temporaries++);
    if (!d || d->frozen)
        return SQLITE_CANTOPEN;
    disk_file *f = disk_file_find(d, in_disk);
    if ((!f || f->gone) && !(flags & SQLITE_OPEN_CREATE))
        return SQLITE_CANTOPEN;
    if (!f || f->gone)
        f = disk_file_make(d, in_disk);
    h->file = f;
    h->temporary = !path || (flags & SQLITE_OPEN_DELETEONCLOSE);
    h->base.pMethods = &methods;
    f->handles++;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    const char *name;
    (void)vfs;
    disk *d = path_split(path, &name);
    disk_file *f = d ? disk_file_find(d, name) : NULL;
    if (!f || f->gone)
        return SQLITE_IOERR_DELETE_NOENT;
    return disk_file_delete(f, sync_folder != 0);
}

static int v_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    const char *name;
    (void)vfs;
    disk *d = path_split(path, &name);
    if (!d || d->frozen)
        return SQLITE_IOERR_ACCESS;
    const disk_file *f = disk_file_find(d, name);
    *ret = f && !f->gone && (flags != SQLITE_ACCESS_EXISTS || f->now.n > 0); /* unix: an empty file counts as none */
    return SQLITE_OK;
}

static int v_full_path(sqlite3_vfs *vfs, const char *path, int n, char *ret)
{
    (void)vfs;
    int written = snprintf(ret, (size_t)n, "%s", path);
    return written > 0 && written < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* ---- time and chance ---- */

static int v_random(sqlite3_vfs *vfs, int n, char *to)
{
    (void)vfs;
    chance_bytes(&vfs_chance, to, (size_t)n);
    return n;
}

static int v_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us; /* virtual time does not pass inside a call */
}

static int v_time(sqlite3_vfs *vfs, sqlite3_int64 *ret)
{
    (void)vfs;
    *ret = INT64_C(210866760000000) + clock_now(clock_ctx) / 1000; /* milliseconds since noon of the Julian epoch */
    return SQLITE_OK;
}

static int v_last_error(sqlite3_vfs *vfs, int n, char *text)
{
    (void)vfs;
    (void)n;
    (void)text;
    return 0;
}

void disk_vfs_register(int64_t (*now_us)(void *ctx), void *ctx)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(sim_handle),
        .mxPathname = 128,
        .zName = "sim",
        .xOpen = v_open,
        .xDelete = v_delete,
        .xAccess = v_access,
        .xFullPathname = v_full_path,
        .xRandomness = v_random,
        .xSleep = v_sleep,
        .xGetLastError = v_last_error,
        .xCurrentTimeInt64 = v_time,
    };
    clock_now = now_us;
    clock_ctx = ctx;
    TH_ASSERT(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK); /* so there are no locks to take */
    TH_ASSERT(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    TH_ASSERT(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

void disk_vfs_seed(uint64_t seed)
{
    chance_open(&vfs_chance, seed, 0x5eed);
    sqlite3_randomness(0, NULL); /* forgets; the next use asks v_random */
}
