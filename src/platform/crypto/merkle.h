/* merkle.h — RFC 9162 §2.1 trees: leaves 0x00, nodes 0x01; frontier, inclusion, consistency and range proofs.
 *
 * Promises  Pure functions over hashes; the caller supplies stored nodes through th_merkle_read. Sizes and indexes are
 *           64-bit. Verifiers accept exactly the RFC's proofs and nothing else (wrong lengths are TH_INVALID).
 * Source    RFC 9162 §2.1.1 (tree), §2.1.3 (inclusion), §2.1.4 (consistency). Range proofs are ours: the roots of the maximal
 *           complete subtrees left of a run of leaves, and of the maximal subtrees right of it, both in tree order.
 */
#ifndef TH_PLATFORM_MERKLE_H
#define TH_PLATFORM_MERKLE_H
#include "platform/crypto/crypto.h"

enum { TH_MERKLE_DEPTH = 64 };

th_hash th_merkle_leaf(th_suite suite, th_str bytes);
th_hash th_merkle_leaf_of(th_suite suite, const th_str *pieces, size_t n); /* of the pieces' concatenation */
th_hash th_merkle_node(th_suite suite, const th_hash *left, const th_hash *right);
th_hash th_merkle_root(th_suite suite, const th_hash *leaves, size_t n); /* n = 0: hash of the empty string */

/* The frontier: roots of the complete subtrees of a tree of `size`, largest first. Its count is popcount(size). */
typedef struct th_frontier {
    th_suite suite;
    uint64_t size;
    th_hash peaks[TH_MERKLE_DEPTH];
} th_frontier;

void th_frontier_open(th_frontier *frontier, th_suite suite);
int th_frontier_count(const th_frontier *frontier);
/* Add one leaf. `completed` (may be NULL) is told every complete subtree that this leaf finishes, level 1 upwards: the node at
 * (level, index) covers leaves [index << level, (index + 1) << level). */
void th_frontier_add(th_frontier *frontier, const th_hash *leaf,
                     void (*completed)(void *ctx, int level, uint64_t index, const th_hash *hash), void *ctx);
th_hash th_frontier_root(const th_frontier *frontier);

/* The hash of the complete subtree (level, index); level 0 is a leaf. Provided by whoever stores the tree. */
typedef th_status (*th_merkle_read)(void *ctx, int level, uint64_t index, th_hash *ret_hash);

TH_MUST_USE th_status th_merkle_inclusion(th_suite suite, uint64_t index, uint64_t size, th_merkle_read read, void *ctx,
                                          th_hash ret_path[TH_MERKLE_DEPTH], size_t *ret_n);
TH_MUST_USE th_status th_merkle_consistency(th_suite suite, uint64_t old_size, uint64_t size, th_merkle_read read, void *ctx,
                                            th_hash ret_path[2 * TH_MERKLE_DEPTH], size_t *ret_n);
TH_MUST_USE th_status th_merkle_root_at(th_suite suite, uint64_t size, th_merkle_read read, void *ctx, th_hash *ret_root);

/* TH_OK, TH_INVALID (malformed), TH_FORBIDDEN (well formed but does not lead to the root). */
TH_MUST_USE th_status th_merkle_check_inclusion(th_suite suite, const th_hash *leaf, uint64_t index, uint64_t size,
                                                const th_hash *path, size_t n, const th_hash *root);
TH_MUST_USE th_status th_merkle_check_consistency(th_suite suite, uint64_t old_size, const th_hash *old_root, uint64_t size,
                                                  const th_hash *root, const th_hash *path, size_t n);

/* A run of leaves [first, first + n) in a tree of `size`: from left and right proof hashes to the root and, for every leaf of
 * the run, its inclusion path. `paths` may be NULL; otherwise n arrays of th_merkle_levels(size), lengths into path_lengths. */
int th_merkle_levels(uint64_t size); /* the longest path in a tree of that size */
TH_MUST_USE th_status th_merkle_range(th_suite suite, uint64_t first, const th_hash *leaves, size_t n, uint64_t size,
                                      const th_hash *left, size_t left_n, const th_hash *right, size_t right_n,
                                      th_arena *arena, th_hash *ret_root, th_hash **ret_paths, uint8_t **ret_path_lengths);
/* The right side of a range proof for the run that ends before `end`, in a tree of `size`, when all leaves of
 * [base, size) are at hand (base ≤ end). ret_right holds TH_MERKLE_DEPTH hashes. */
TH_MUST_USE th_status th_merkle_right(th_suite suite, uint64_t first, uint64_t end, uint64_t size, uint64_t base,
                                      const th_hash *leaves, th_hash *ret_right, size_t *ret_n);

#endif
