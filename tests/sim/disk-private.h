/* disk-private.h — a disk's files, as disk.c keeps them and disk_vfs.c shows them to SQLite. */
#ifndef SIM_DISK_PRIVATE_H
#define SIM_DISK_PRIVATE_H
#include "disk.h"

#include <sqlite3.h>

enum { SHM_REGIONS = 16, SECTOR = 512 };

typedef struct file_op { /* not synced yet: what it took away, so that it can be undone */
    bool is_truncation;
    size_t at, n;     /* bytes written; of a truncation: the new length is `at` */
    size_t length;    /* of the file before */
    size_t old_n;     /* bytes there were at `at` */
    uint8_t *bytes;   /* those; while a crash is reckoned: what was written */
    struct file_op *older;
} file_op;

typedef struct file_bytes {
    uint8_t *p;
    size_t n, room;
    th_arena arena; /* where it stands, and where it stood before it grew */
} file_bytes;

typedef struct sim_handle sim_handle;

typedef struct disk_file {
    disk *disk;
    char name[DISK_NAME];
    file_bytes now; /* what readers see; undoing the operations below gives what is safe */
    bool named; /* the folder's entry is on the disk too */
    bool gone;  /* deleted, but the folder was not synced since */
    file_op *newest;
    size_t op_count;
    th_arena ops; /* emptied by a sync */
    int handles;
    /* locks of the connections of this process, as SQLite's unix VFS keeps them */
    int shared;
    const sim_handle *reserved, *pending, *exclusive;
    void *shm[SHM_REGIONS];
    int shm_users, shm_shared[SQLITE_SHM_NLOCK];
    const sim_handle *shm_exclusive[SQLITE_SHM_NLOCK];
    struct disk_file *next;
} disk_file;

struct disk {
    unsigned slot;
    disk_file *files;
    bool frozen;
    uint64_t operations, die_in;
    bool die_after;
    void (*die)(void *ctx);
    void *die_ctx;
    int64_t quota;
    size_t used;
    unsigned sync_fails;
    chance *sync_chance;
};

disk *disk_of_slot(unsigned slot); /* NULL when there is none */
disk_file *disk_file_find(disk *d, const char *name); /* deleted ones too; NULL when there is none */
disk_file *disk_file_make(disk *d, const char *name); /* new, or a deleted one begun again */
int disk_file_write(disk_file *f, const void *bytes, size_t n, size_t at); /* SQLite result codes */
int disk_file_truncate(disk_file *f, size_t n);
int disk_file_sync(disk_file *f);
int disk_file_delete(disk_file *f, bool sync_folder);
void disk_file_forget(disk_file *f); /* a temporary file, closed */
#endif
