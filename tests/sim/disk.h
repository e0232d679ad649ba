/* disk.h — a node's disk in memory: what was synced is kept apart from what was only written.
 *
 * A write or a truncation changes at once what readers see and is remembered until the file is synced. A power failure keeps all
 * synced bytes and, of the rest, whatever chance says: nothing, the first few writes, any of them, the last one torn. A killed
 * process loses nothing that it wrote (the kernel's cache outlives it). A file that was never synced may be gone altogether, and
 * a deleted one may be back. SQLite sees it all as the VFS "sim"; paths are "/<disk>/<name>".
 * Faults: a quota (SQLITE_FULL), failing syncs (SQLITE_IOERR_FSYNC), and death at the n-th write, sync, truncation or deletion, before
 * or after it took effect; from then on nothing reaches the disk and every call fails until disk_crash and a new start.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H
#include "chance.h"

enum { DISK_NAME = 64, DISKS_MAX = 24 };

typedef struct disk disk;

/* Disk number `slot` of the process; there may be only one of a number at a time. */
disk *disk_open(unsigned slot);
void disk_close(disk *d);
/* Make `to` what `from` would be after a clean stop: its synced bytes. Both must have no open files. */
void disk_copy(disk *to, const disk *from);
/* The same of what readers of `from` see at this moment, open files or not: a backup. */
void disk_snapshot(disk *to, const disk *from);

/* At the `n`-th next operation that changes the disk: `die` is called once, in the midst of it. 0 takes the order back. */
void disk_die_at(disk *d, uint64_t n, bool after, void (*die)(void *ctx), void *ctx);
void disk_freeze(disk *d); /* nothing reaches it any more, every call fails */
/* The machine stopped: of unsynced writes keep what chance says (power) or all of them. Files must be closed. Thaws. */
void disk_crash(disk *d, bool power, chance *c);
void disk_quota(disk *d, int64_t bytes); /* 0 = none */
void disk_syncs_fail(disk *d, unsigned in_thousand, chance *c);
size_t disk_used(const disk *d);
uint64_t disk_operations(const disk *d);
/* Unsynced operations waiting in all files: how much a power failure could take. */
size_t disk_unsynced(const disk *d);

/* Registers the VFS "sim" as SQLite's default. `now_us` gives it the time. */
void disk_vfs_register(int64_t (*now_us)(void *ctx), void *ctx);
/* SQLite's own random source starts over from this seed. */
void disk_vfs_seed(uint64_t seed);
#endif
