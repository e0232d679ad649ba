/* arena.c — memory by lifetime: blocks that double up to a hard maximum. The only file that calls the allocator. */
#include "platform/base/base.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer what nobody was given is out of bounds, and a gap follows each piece: overruns inside a block are found too. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WATCHED)
#include <sanitizer/asan_interface.h>
#define GIVEN(p, n) __asan_unpoison_memory_region(p, n)
#define NOT_GIVEN(p, n) __asan_poison_memory_region(p, n)
enum { GAP = 16 };
#else
#define GIVEN(p, n) ((void)0)
#define NOT_GIVEN(p, n) ((void)0)
enum { GAP = 0 };
#endif

enum { FIRST_BLOCK = 8 * 1024, ALIGNMENT = 16, BLOCK_MAX = 8 * 1024 * 1024 };

struct th_arena_block {
    th_arena_block *older;
    size_t size;
    char bytes[] __attribute__((aligned(ALIGNMENT)));
};

void th_arena_open(th_arena *arena, size_t max)
{
    *arena = (th_arena){.max = max};
}

static bool block_add(th_arena *arena, size_t n)
{
    size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < n)
        size = n;
    if (n > arena->max - arena->used)
        return false;
    if (size > arena->max - arena->used)
        size = arena->max - arena->used;
    th_arena_block *block = malloc(sizeof *block + size);
    if (!block)
        return false;
    block->older = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->used += size;
    arena->at = block->bytes;
    arena->end = block->bytes + size;
    NOT_GIVEN(block->bytes, size);
    return true;
}

/* What a piece of `n` bytes takes; less than `n` when that is more than there can be. */
static size_t taken_by(size_t n)
{
    return ((n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1)) + GAP;
}

/* Nothing takes the least room there is, so that NULL always and only means that there is no more. */
void *th_alloc(th_arena *arena, size_t n)
{
    void *p = th_arena_room(arena, n ? n : 1);
    return p ? memset(p, 0, n) : NULL;
}

void *th_alloc_array(th_arena *arena, size_t count, size_t size)
{
    size_t n;
    return th_mul_size(count, size, &n) ? th_alloc(arena, n) : NULL;
}

/* Not for others: the last allocation grown in place (buf.c). */
bool th_arena_grow(th_arena *arena, void *last, size_t old, size_t n);

void *th_arena_room(th_arena *arena, size_t n)
{
    size_t taken = taken_by(n);
    if (taken < n || (taken > (size_t)(arena->end - arena->at) && !block_add(arena, taken)))
        return NULL;
    void *p = arena->at;
    arena->at += taken;
    GIVEN(p, n);
    return p;
}

bool th_arena_grow(th_arena *arena, void *last, size_t old, size_t n)
{
    size_t before = taken_by(old), after = taken_by(n);
    if (!last || (char *)last + before != arena->at || after < n || after - before > (size_t)(arena->end - arena->at))
        return false;
    arena->at += after - before;
    GIVEN(last, n);
    return true;
}

static void older_free(th_arena_block *block)
{
    while (block) {
        th_arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void th_arena_reset(th_arena *arena)
{
    if (!arena->blocks)
        return;
    older_free(arena->blocks->older);
    arena->blocks->older = NULL;
    arena->at = arena->blocks->bytes;
    arena->end = arena->at + arena->blocks->size;
    arena->used = arena->blocks->size;
    NOT_GIVEN(arena->at, arena->blocks->size);
}

void th_arena_close(th_arena *arena)
{
    older_free(arena->blocks);
    th_arena_open(arena, arena->max);
}

void th_memory_keep(void)
{
    mallopt(M_MMAP_THRESHOLD, 2 * BLOCK_MAX);
    mallopt(M_TRIM_THRESHOLD, 8 * BLOCK_MAX);
}

void *th_new(size_t size)
{
    return calloc(1, size ? size : 1);
}

void th_free(void *object)
{
    free(object);
}

char *th_new_copy(th_str s)
{
    char *copy = malloc(s.n + 1);
    if (!copy)
        return NULL;
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = 0;
    return copy;
}
