/* merkle_range.c — a run of neighbouring leaves proved at once: what stands left and right of it, and each leaf's own path. */
#include "platform/crypto/merkle.h"

#include <string.h>

typedef struct range {
    th_suite suite;
    uint64_t first, end;
    const th_hash *leaves;
    const th_hash *left, *right;
    size_t left_n, right_n;
    th_hash *paths; /* NULL when only the root is wanted */
    size_t levels;  /* room of one path */
    uint8_t *lengths;
    bool bad;
} range;

static uint64_t split_of(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

int th_merkle_levels(uint64_t size)
{
    return size > 1 ? 64 - __builtin_clzll(size - 1) : 0;
}

static void path_push(range *r, uint64_t low, uint64_t high, const th_hash *hash)
{
    if (low < r->first)
        low = r->first;
    if (high > r->end)
        high = r->end;
    for (uint64_t i = low; i < high; i++) {
        uint64_t k = i - r->first;
        r->paths[k * r->levels + r->lengths[k]++] = *hash;
    }
}

static th_hash walk(range *r, uint64_t low, uint64_t high)
{
    if (r->bad)
        return (th_hash){{0}};
    if (low >= r->end) { /* wholly right of the run: given as one hash */
        if (r->right_n) {
            r->right_n--;
            return *r->right++;
        }
        r->bad = true;
        return (th_hash){{0}};
    }
    if (high <= r->first) {
        if (r->left_n) {
            r->left_n--;
            return *r->left++;
        }
        r->bad = true;
        return (th_hash){{0}};
    }
    if (high - low == 1)
        return r->leaves[low - r->first];
    uint64_t middle = low + split_of(high - low);
    th_hash left = walk(r, low, middle), right = walk(r, middle, high);
    if (r->paths && !r->bad) {
        path_push(r, low, middle, &right);
        path_push(r, middle, high, &left);
    }
    return th_merkle_node(r->suite, &left, &right);
}

th_status th_merkle_range(th_suite suite, uint64_t first, const th_hash *leaves, size_t n, uint64_t size, const th_hash *left,
                          size_t left_n, const th_hash *right, size_t right_n, th_arena *arena, th_hash *ret_root,
                          th_hash **ret_paths, uint8_t **ret_path_lengths)
{
    if (n == 0 || n > size || first > size - n)
        return TH_INVALID;
    range r = {.suite = suite, .first = first, .end = first + n, .leaves = leaves, .left = left, .right = right, .left_n = left_n,
               .right_n = right_n};
    if (ret_paths) {
        r.levels = (size_t)th_merkle_levels(size);
        r.paths = th_alloc_array(arena, n, (r.levels + 1) * sizeof(th_hash));
        r.lengths = th_alloc(arena, n);
        if (!r.paths || !r.lengths)
            return TH_TOO_LARGE;
    }
    th_hash root = walk(&r, 0, size);
    if (r.bad || r.left_n || r.right_n)
        return TH_INVALID;
    *ret_root = root;
    if (ret_paths) {
        *ret_paths = r.paths;
        *ret_path_lengths = r.lengths;
    }
    return TH_OK;
}

/* ---- the right side, by whoever has just appended ---- */

typedef struct tail {
    th_suite suite;
    uint64_t first, end, base;
    const th_hash *leaves;
    th_hash *out;
    size_t n;
    bool bad;
} tail;

static th_hash tail_hash(tail *t, uint64_t low, uint64_t high)
{
    if (low < t->base) {
        t->bad = true;
        return (th_hash){{0}};
    }
    return th_merkle_root(t->suite, t->leaves + (low - t->base), (size_t)(high - low));
}

static void tail_walk(tail *t, uint64_t low, uint64_t high)
{
    if (low >= t->end) {
        if (t->n == TH_MERKLE_DEPTH)
            t->bad = true;
        else
            t->out[t->n++] = tail_hash(t, low, high);
        return;
    }
    if (high <= t->end || high - low == 1)
        return; /* nothing of it lies right of the run */
    uint64_t middle = low + split_of(high - low);
    tail_walk(t, low, middle);
    tail_walk(t, middle, high);
}

th_status th_merkle_right(th_suite suite, uint64_t first, uint64_t end, uint64_t size, uint64_t base, const th_hash *leaves,
                          th_hash *ret_right, size_t *ret_n)
{
    if (first >= end || end > size || base > end)
        return TH_INVALID;
    tail t = {.suite = suite, .first = first, .end = end, .base = base, .leaves = leaves, .out = ret_right};
    tail_walk(&t, 0, size);
    if (t.bad)
        return TH_INVALID;
    *ret_n = t.n;
    return TH_OK;
}
