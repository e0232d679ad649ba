/* journal-private.h — reading the stored tree, shared by the files of the journal. */
#ifndef TH_EXCHANGE_JOURNAL_PRIVATE_H
#define TH_EXCHANGE_JOURNAL_PRIVATE_H
#include "kernel/exchange/journal.h"

enum { TH_TREE_STEP = 8, TH_TREE_BLOCK = 256 };

/* Reads subtree hashes by way of blocks of 256 neighbours; keeps one block a group of levels, as paths stay within them. */
typedef struct th_tree_reader {
    th_db *db;
    th_str log;
    th_suite suite;
    th_arena *arena;
    th_error *error;
    struct { bool loaded; uint64_t block; size_t n; th_hash *hashes; } groups[TH_MERKLE_DEPTH / TH_TREE_STEP];
} th_tree_reader;

th_status th_tree_read(void *reader, int level, uint64_t index, th_hash *ret_hash); /* a th_merkle_read */
th_status th_head_of_row(const th_value *row, th_str log, th_head *ret_head); /* size, root, at, suite, kid, sig */
#endif
