/* disk.c — files with a safe and a present content, and what a stop leaves of them. */
#include "disk-private.h"

#include <string.h>

enum { FILE_MAX = 1 << 30 };

static disk *disks[DISKS_MAX];

disk *disk_of_slot(unsigned slot)
{
    return slot < DISKS_MAX ? disks[slot] : NULL;
}

/* ---- bytes ---- */

static void bytes_room(file_bytes *b, size_t n)
{
    if (n > b->room) {
        size_t room = b->room ? b->room : 32768;
        while (room < n)
            room *= 2;
        if (!b->arena.max)
            th_arena_open(&b->arena, FILE_MAX);
        uint8_t *p = th_arena_room(&b->arena, room);
        TH_ASSERT(p != NULL);
        if (b->n)
            memcpy(p, b->p, b->n);
        b->p = p;
        b->room = room;
    }
}

static void bytes_size(file_bytes *b, size_t n)
{
    bytes_room(b, n);
    if (n > b->n)
        memset(b->p + b->n, 0, n - b->n);
    b->n = n;
}

static void bytes_put(file_bytes *b, const void *from, size_t n, size_t at)
{
    if (at > b->n)
        bytes_size(b, at);
    bytes_room(b, at + n);
    if (at + n > b->n)
        b->n = at + n;
    if (n)
        memcpy(b->p + at, from, n);
}

static void bytes_copy(file_bytes *to, const file_bytes *from)
{
    bytes_size(to, 0);
    bytes_put(to, from->p, from->n, 0);
}

static void bytes_free(file_bytes *b)
{
    th_arena_close(&b->arena);
    *b = (file_bytes){0};
}

/* ---- operations that wait for a sync ---- */

static void ops_free(disk_file *f)
{
    f->newest = NULL;
    f->op_count = 0;
    th_arena_reset(&f->ops);
}

static file_op *op_new(disk_file *f, size_t n)
{
    if (!f->ops.max)
        th_arena_open(&f->ops, FILE_MAX);
    file_op *op = th_arena_room(&f->ops, sizeof *op + n);
    TH_ASSERT(op != NULL);
    return op;
}

static void op_add(disk_file *f, bool is_truncation, size_t at, const void *bytes, size_t n)
{
    size_t length = f->now.n, reach = is_truncation ? length : at + n < length ? at + n : length;
    size_t old_n = at < reach ? reach - at : 0;
    file_op *op = op_new(f, old_n);
    *op = (file_op){.is_truncation = is_truncation, .at = at, .n = n, .length = length, .old_n = old_n, .bytes = (uint8_t *)(op + 1),
                    .older = f->newest};
    if (old_n)
        memcpy(op->bytes, f->now.p + at, old_n);
    f->newest = op;
    f->op_count++;
    if (is_truncation)
        bytes_size(&f->now, at);
    else
        bytes_put(&f->now, bytes, n, at);
}

static void op_undo(file_bytes *now, const file_op *op)
{
    bytes_size(now, op->length);
    if (op->old_n)
        memcpy(now->p + op->at, op->bytes, op->old_n);
}

/* ---- files ---- */

disk_file *disk_file_find(disk *d, const char *name)
{
    for (disk_file *f = d->files; f; f = f->next)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

disk_file *disk_file_make(disk *d, const char *name)
{
    disk_file *f = disk_file_find(d, name);
    if (f) { /* begun again before its deletion was on the disk: until a sync either content may be found */
        f->gone = false;
        op_add(f, true, 0, NULL, 0);
        return f;
    }
    f = th_new(sizeof *f);
    TH_ASSERT(f != NULL && strlen(name) < DISK_NAME);
    f->disk = d;
    memcpy(f->name, name, strlen(name));
    f->next = d->files;
    d->files = f;
    return f;
}

static void shm_free(disk_file *f)
{
    for (size_t i = 0; i < SHM_REGIONS; i++) {
        th_free(f->shm[i]);
        f->shm[i] = NULL;
    }
}

void disk_file_forget(disk_file *f)
{
    disk_file **at = &f->disk->files;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    f->disk->used -= f->now.n;
    th_arena_close(&f->ops);
    shm_free(f);
    bytes_free(&f->now);
    th_free(f);
}

/* Every change passes here. False: it does not happen. *ret_last: it happens and is the last one. */
static bool change_begins(disk *d, bool *ret_last)
{
    *ret_last = false;
    if (d->frozen)
        return false;
    d->operations++;
    if (!d->die_in || --d->die_in)
        return true;
    *ret_last = d->die_after;
    d->frozen = true;
    d->die(d->die_ctx);
    return d->die_after;
}

int disk_file_write(disk_file *f, const void *bytes, size_t n, size_t at)
{
    disk *d = f->disk;
    bool last;
    size_t grows = at + n > f->now.n ? at + n - f->now.n : 0;
    if (d->quota && grows && (int64_t)(d->used + grows) > d->quota)
        return SQLITE_FULL;
    if (!change_begins(d, &last))
        return SQLITE_IOERR_WRITE;
    op_add(f, false, at, bytes, n);
    d->used += grows;
    return last ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

int disk_file_truncate(disk_file *f, size_t n)
{
    disk *d = f->disk;
    bool last;
    if (!change_begins(d, &last))
        return SQLITE_IOERR_TRUNCATE;
    d->used -= f->now.n;
    op_add(f, true, n, NULL, 0);
    d->used += f->now.n;
    return last ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

int disk_file_sync(disk_file *f)
{
    disk *d = f->disk;
    bool last;
    if (d->sync_fails && !d->frozen && chance_of(d->sync_chance, d->sync_fails))
        return SQLITE_IOERR_FSYNC;
    if (!change_begins(d, &last))
        return SQLITE_IOERR_FSYNC;
    ops_free(f);
    f->named = true;
    return last ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

int disk_file_delete(disk_file *f, bool sync_folder)
{
    disk *d = f->disk;
    bool last;
    if (!change_begins(d, &last))
        return SQLITE_IOERR_DELETE;
    if (sync_folder || !f->named) {
        disk_file_forget(f);
    } else {
        d->used -= f->now.n;
        op_add(f, true, 0, NULL, 0);
        shm_free(f);
        f->gone = true;
    }
    return last ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

/* ---- disks ---- */

disk *disk_open(unsigned slot)
{
    disk *d = th_new(sizeof *d);
    TH_ASSERT(d != NULL && slot < DISKS_MAX && !disks[slot]);
    d->slot = slot;
    disks[slot] = d;
    return d;
}

static void files_forget(disk *d)
{
    while (d->files)
        disk_file_forget(d->files);
}

void disk_close(disk *d)
{
    if (!d)
        return;
    files_forget(d);
    disks[d->slot] = NULL;
    th_free(d);
}

static void used_count(disk *d)
{
    d->used = 0;
    for (const disk_file *f = d->files; f; f = f->next)
        d->used += f->now.n;
}

static void files_take(disk *to, const disk *from, bool clean)
{
    files_forget(to);
    for (const disk_file *f = from->files; f; f = f->next) {
        TH_ASSERT(!clean || (!f->handles && (f->gone || !f->op_count)));
        if (f->gone)
            continue;
        disk_file *copy = disk_file_make(to, f->name);
        bytes_copy(&copy->now, &f->now);
        copy->named = true;
    }
    used_count(to);
}

void disk_copy(disk *to, const disk *from)
{
    files_take(to, from, true);
}

void disk_snapshot(disk *to, const disk *from)
{
    files_take(to, from, false);
}

void disk_die_at(disk *d, uint64_t n, bool after, void (*die)(void *ctx), void *ctx)
{
    d->die_in = n;
    d->die_after = after;
    d->die = die;
    d->die_ctx = ctx;
}

void disk_freeze(disk *d)
{
    d->frozen = true;
}

void disk_quota(disk *d, int64_t bytes)
{
    d->quota = bytes;
}

void disk_syncs_fail(disk *d, unsigned in_thousand, chance *c)
{
    d->sync_fails = in_thousand;
    d->sync_chance = c;
}

size_t disk_used(const disk *d)
{
    return d->used;
}

uint64_t disk_operations(const disk *d)
{
    return d->operations;
}

size_t disk_unsynced(const disk *d)
{
    size_t n = 0;
    for (const disk_file *f = d->files; f; f = f->next)
        n += f->op_count;
    return n;
}

/* ---- stopping ---- */

typedef enum keeping { KEEP_NONE, KEEP_FIRST, KEEP_SOME, KEEP_ALL } keeping;

/* Of a write that was under way, whole sectors only: the first ones, or any. */
static void op_tear(file_bytes *to, const file_op *op, chance *c)
{
    bool any = chance_of(c, 300);
    size_t stop = op->at + (size_t)chance_below(c, op->n);
    for (size_t at = op->at; at < op->at + op->n;) {
        size_t end = (at / SECTOR + 1) * SECTOR;
        if (end > op->at + op->n)
            end = op->at + op->n;
        if (any ? chance_of(c, 500) : at < stop)
            bytes_put(to, op->bytes + (at - op->at), end - at, at);
        at = end;
    }
}

/* Back to what is safe, keeping what each operation wrote instead of what it took away; the oldest comes out first. */
static file_op *ops_turn(disk_file *f)
{
    file_op *turned = NULL;
    while (f->newest) {
        file_op *op = f->newest, *again = op_new(f, op->n);
        *again = *op;
        again->bytes = (uint8_t *)(again + 1);
        if (op->n)
            memcpy(again->bytes, f->now.p + op->at, op->n);
        op_undo(&f->now, op);
        f->newest = op->older;
        again->older = turned;
        turned = again;
    }
    f->op_count = 0;
    return turned;
}

static void file_crash(disk_file *f, keeping mode, chance *c)
{
    size_t i = 0, first = mode == KEEP_FIRST && f->op_count ? (size_t)chance_below(c, f->op_count + 1) : 0;
    if (mode == KEEP_ALL) {
        ops_free(f);
        return;
    }
    for (file_op *op = ops_turn(f), *next; op; op = next, i++) {
        next = op->older;
        bool keep = (mode == KEEP_FIRST && i < first) || (mode == KEEP_SOME && chance_of(c, 500));
        bool torn = !op->is_truncation && op->n &&
                    ((mode == KEEP_FIRST && i == first) || (mode == KEEP_SOME && chance_of(c, 100)));
        if (torn)
            op_tear(&f->now, op, c);
        else if (keep && op->is_truncation)
            bytes_size(&f->now, op->at);
        else if (keep)
            bytes_put(&f->now, op->bytes, op->n, op->at);
    }
    ops_free(f);
}

void disk_crash(disk *d, bool power, chance *c)
{
    keeping mode = power ? (keeping)chance_below(c, 4) : KEEP_ALL;
    for (disk_file *f = d->files, *next; f; f = next) {
        next = f->next;
        TH_ASSERT(!f->handles);
        shm_free(f);
        bool lost = !f->named && power && chance_of(c, 500), back = f->gone && power && chance_of(c, 500);
        if (lost || (f->gone && !back)) {
            disk_file_forget(f);
            continue;
        }
        file_crash(f, f->gone ? KEEP_NONE : mode, c);
        f->gone = false;
        f->named = true;
    }
    d->frozen = false;
    d->die_in = 0;
    used_count(d);
}
