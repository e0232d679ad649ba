/* search.h — finding an item by what people type: its name, everyday words, pinyin, initials, English; while they type.
 *
 * Promises  Pure over the texts given; opening builds everything, finding allocates only in the scratch arena. A hundred thousand items are
 *           searched within milliseconds: grams of two characters and of three letters lead to the few items that can match.
 * Ownership Entries' texts must outlive the index. Threads: an index never changes; find from any thread, each with its own arena.
 * Data      region/<region>/words/pinyin.txt (a line a syllable: its characters), everyday.json (rules, places, stop words, readings).
 */
#ifndef TH_GOVERNMENT_SEARCH_H
#define TH_GOVERNMENT_SEARCH_H
#include "platform/base/json.h"

typedef struct th_search_entry {
    th_str code, zh, en, owner;
} th_search_entry;
typedef struct th_search_hit {
    uint32_t index; /* of the entries */
    float score;
} th_search_hit;

typedef struct th_search th_search;
TH_MUST_USE th_status th_search_open(const th_search_entry *entries, size_t n, th_str pinyin, th_str everyday, th_search **ret_search,
                                     th_error *error);
void th_search_close(th_search *search);
size_t th_search_size(const th_search *search); /* entries */
/* The best first, at most `max`. `here`: the member whose items come first among equals. */
size_t th_search_find(const th_search *search, th_str query, th_str here, th_arena *scratch, th_search_hit *ret_hits, size_t max);
#endif
