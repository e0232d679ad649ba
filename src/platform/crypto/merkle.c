/* merkle.c — RFC 9162 §2.1: hashes, frontier, inclusion and consistency. */
#include "platform/crypto/merkle.h"

#include <string.h>

th_hash th_merkle_leaf_of(th_suite suite, const th_str *pieces, size_t n)
{
    th_str all[17] = {{"\0", 1}};
    TH_ASSERT(n < TH_COUNT(all));
    memcpy(all + 1, pieces, n * sizeof *pieces);
    return th_hash_of(suite, all, n + 1);
}

th_hash th_merkle_leaf(th_suite suite, th_str bytes)
{
    return th_merkle_leaf_of(suite, &bytes, 1);
}

th_hash th_merkle_node(th_suite suite, const th_hash *left, const th_hash *right)
{
    char joined[1 + 2 * TH_HASH_SIZE];
    joined[0] = 1;
    memcpy(joined + 1, left->b, TH_HASH_SIZE);
    memcpy(joined + 1 + TH_HASH_SIZE, right->b, TH_HASH_SIZE);
    return th_hash_str(suite, (th_str){joined, sizeof joined});
}

/* The largest power of two smaller than n (n > 1). */
static uint64_t split_of(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

th_hash th_merkle_root(th_suite suite, const th_hash *leaves, size_t n)
{
    if (n == 0)
        return th_hash_str(suite, (th_str){"", 0});
    th_frontier f;
    th_frontier_open(&f, suite);
    for (size_t i = 0; i < n; i++)
        th_frontier_add(&f, &leaves[i], NULL, NULL);
    return th_frontier_root(&f);
}

/* ---- frontier ---- */

void th_frontier_open(th_frontier *frontier, th_suite suite)
{
    *frontier = (th_frontier){.suite = suite};
}

int th_frontier_count(const th_frontier *frontier)
{
    return __builtin_popcountll(frontier->size);
}

void th_frontier_add(th_frontier *f, const th_hash *leaf,
                     void (*completed)(void *ctx, int level, uint64_t index, const th_hash *hash), void *ctx)
{
    int n = th_frontier_count(f);
    th_hash hash = *leaf;
    int level = 0;
    /* Each one bit at the low end of the size is a peak that the new leaf merges with. */
    for (uint64_t size = f->size; size & 1; size >>= 1) {
        hash = th_merkle_node(f->suite, &f->peaks[--n], &hash);
        level++;
        if (completed)
            completed(ctx, level, f->size >> level, &hash);
    }
    f->peaks[n] = hash;
    f->size++;
}

th_hash th_frontier_root(const th_frontier *f)
{
    int n = th_frontier_count(f);
    if (n == 0)
        return th_hash_str(f->suite, (th_str){"", 0});
    th_hash hash = f->peaks[n - 1];
    for (int i = n - 2; i >= 0; i--)
        hash = th_merkle_node(f->suite, &f->peaks[i], &hash);
    return hash;
}

/* ---- proofs from a stored tree ---- */

typedef struct tree {
    th_suite suite;
    th_merkle_read read;
    void *ctx;
} tree;

/* The hash of leaves [low, high) as a subtree of the RFC's shape. `low` is aligned for every subtree that occurs. */
static th_status subtree(const tree *t, uint64_t low, uint64_t high, th_hash *ret)
{
    uint64_t n = high - low;
    if ((n & (n - 1)) == 0) {
        int level = __builtin_ctzll(n);
        return t->read(t->ctx, level, low >> level, ret);
    }
    th_hash left, right;
    uint64_t k = split_of(n);
    th_status status = subtree(t, low, low + k, &left);
    if (!status)
        status = subtree(t, low + k, high, &right);
    if (!status)
        *ret = th_merkle_node(t->suite, &left, &right);
    return status;
}

static th_status path_from(const tree *t, uint64_t index, uint64_t low, uint64_t high, th_hash *path, size_t *n)
{
    if (high - low == 1)
        return TH_OK;
    uint64_t k = split_of(high - low);
    bool in_left = index < low + k;
    th_status status = in_left ? path_from(t, index, low, low + k, path, n) : path_from(t, index, low + k, high, path, n);
    if (!status)
        status = in_left ? subtree(t, low + k, high, &path[*n]) : subtree(t, low, low + k, &path[*n]);
    if (!status)
        (*n)++;
    return status;
}

th_status th_merkle_inclusion(th_suite suite, uint64_t index, uint64_t size, th_merkle_read read, void *ctx,
                              th_hash ret_path[TH_MERKLE_DEPTH], size_t *ret_n)
{
    tree t = {suite, read, ctx};
    *ret_n = 0;
    if (index >= size)
        return TH_INVALID;
    return path_from(&t, index, 0, size, ret_path, ret_n);
}

/* SUBPROOF of RFC 9162 §2.1.4.1: m leaves of [low, high); `whole` while the old tree is still the whole subtree. */
static th_status subproof(const tree *t, uint64_t m, uint64_t low, uint64_t high, bool whole, th_hash *path, size_t *n)
{
    if (m == high - low) {
        if (whole)
            return TH_OK;
        th_status status = subtree(t, low, high, &path[*n]);
        *n += status == TH_OK;
        return status;
    }
    uint64_t k = split_of(high - low);
    bool in_left = m <= k;
    th_status status = in_left ? subproof(t, m, low, low + k, whole, path, n) : subproof(t, m - k, low + k, high, false, path, n);
    if (!status)
        status = in_left ? subtree(t, low + k, high, &path[*n]) : subtree(t, low, low + k, &path[*n]);
    *n += status == TH_OK;
    return status;
}

th_status th_merkle_consistency(th_suite suite, uint64_t old_size, uint64_t size, th_merkle_read read, void *ctx,
                                th_hash ret_path[2 * TH_MERKLE_DEPTH], size_t *ret_n)
{
    tree t = {suite, read, ctx};
    *ret_n = 0;
    if (old_size == 0 || old_size > size)
        return TH_INVALID;
    return old_size == size ? TH_OK : subproof(&t, old_size, 0, size, true, ret_path, ret_n);
}

th_status th_merkle_root_at(th_suite suite, uint64_t size, th_merkle_read read, void *ctx, th_hash *ret_root)
{
    tree t = {suite, read, ctx};
    if (size == 0) {
        *ret_root = th_hash_str(suite, (th_str){"", 0});
        return TH_OK;
    }
    return subtree(&t, 0, size, ret_root);
}

/* ---- checks: the loops of RFC 9162 §2.1.3.2 and §2.1.4.2 ---- */

th_status th_merkle_check_inclusion(th_suite suite, const th_hash *leaf, uint64_t index, uint64_t size, const th_hash *path,
                                    size_t n, const th_hash *root)
{
    if (index >= size || n > TH_MERKLE_DEPTH)
        return TH_INVALID;
    uint64_t fn = index, sn = size - 1;
    th_hash r = *leaf;
    for (size_t i = 0; i < n; i++) {
        if (sn == 0)
            return TH_INVALID;
        if ((fn & 1) || fn == sn) {
            r = th_merkle_node(suite, &path[i], &r);
            while (fn && !(fn & 1)) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = th_merkle_node(suite, &r, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return TH_INVALID;
    return th_hash_eq(&r, root) ? TH_OK : TH_FORBIDDEN;
}

th_status th_merkle_check_consistency(th_suite suite, uint64_t old_size, const th_hash *old_root, uint64_t size,
                                      const th_hash *root, const th_hash *path, size_t n)
{
    if (old_size == 0 || old_size > size || n > 2 * TH_MERKLE_DEPTH)
        return TH_INVALID;
    if (old_size == size)
        return n ? TH_INVALID : th_hash_eq(old_root, root) ? TH_OK : TH_FORBIDDEN;
    bool power = (old_size & (old_size - 1)) == 0;
    size_t i = 0;
    if (!power && n == 0)
        return TH_INVALID;
    th_hash fr = power ? *old_root : path[i++], sr = fr;
    uint64_t fn = old_size - 1, sn = size - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    for (; i < n; i++) {
        if (sn == 0)
            return TH_INVALID;
        if ((fn & 1) || fn == sn) {
            fr = th_merkle_node(suite, &path[i], &fr);
            sr = th_merkle_node(suite, &path[i], &sr);
            while (fn && !(fn & 1)) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = th_merkle_node(suite, &sr, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return TH_INVALID;
    return th_hash_eq(&fr, old_root) && th_hash_eq(&sr, root) ? TH_OK : TH_FORBIDDEN;
}
