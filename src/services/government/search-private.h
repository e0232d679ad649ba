/* search-private.h — what the parts of the index share: words.c reads the region's words, index.c builds, search.c finds. */
#ifndef TH_GOVERNMENT_SEARCH_PRIVATE_H
#define TH_GOVERNMENT_SEARCH_PRIVATE_H
#include "services/government/search.h"

enum {
    TH_HAN_FIRST = 0x4E00, TH_HAN_LAST = 0x9FFF, /* where GB/T 2312 lies in Unicode */
    TH_LETTERS = 37,                             /* a–z, 0–9, anything else */
    TH_TRIGRAMS = TH_LETTERS * TH_LETTERS * TH_LETTERS,
    TH_TITLE_MAX = 120,                          /* characters of a title that are looked at */
};

/* Groups of words: one of each must stand in what is asked. */
typedef struct th_say {
    const th_json *groups;
} th_say;
typedef struct th_rule {
    th_str means;
    const th_json *says; /* list of lists of lists of words */
    uint32_t *docs;      /* items whose name holds `means` */
    size_t doc_count;
} th_rule;
typedef struct th_place { th_str word, member; } th_place;
typedef struct th_reading { th_str word; const th_json *syllables; } th_reading;

typedef struct th_words {
    th_str syllables[512];
    size_t syllable_count;
    uint16_t of_han[TH_HAN_LAST - TH_HAN_FIRST + 1]; /* 1 + index of its syllable; 0 = none */
    th_rule *rules;
    size_t rule_count;
    th_place *places;
    size_t place_count;
    th_reading *readings;
    size_t reading_count;
    const th_json *stops;
} th_words;

/* Rows of documents by key, each row ascending: counted first, filled second. */
typedef struct th_postings {
    uint32_t *starts; /* keys + 1 */
    uint32_t *docs;
    uint32_t *last;   /* while building: 1 + the document that a key had last */
    size_t keys;
} th_postings;

/* One of the three letter forms of all titles, one behind the other. */
typedef struct th_letters {
    char *text;
    uint32_t *at;        /* documents + 1 */
    unsigned char *head; /* pinyin: this letter begins a syllable; English: a word. NULL = each does */
    th_postings grams;
} th_letters;

struct th_search {
    th_arena arena;
    const th_search_entry *entries;
    size_t n;
    th_words words;
    th_letters pinyin, initials, english;
    th_postings heads;       /* documents by their first two initials */
    uint64_t *gram_keys;     /* open addressing over characters: one or two of them */
    uint32_t *gram_rows;     /* row of postings */
    size_t gram_mask;
    th_postings grams;
};

TH_MUST_USE th_status th_words_read(th_search *s, th_str pinyin, th_str everyday, th_error *error);
TH_MUST_USE th_status th_index_build(th_search *s);

uint32_t th_character_next(th_str s, size_t *at); /* valid UTF-8 assumed; ASCII in lower case */
int th_letter_value(char c);
static inline size_t th_trigram(const char *p)
{
    return ((size_t)th_letter_value(p[0]) * TH_LETTERS + (size_t)th_letter_value(p[1])) * TH_LETTERS + (size_t)th_letter_value(p[2]);
}
/* Letters and digits of ASCII, and characters that are written words: not punctuation, spaces, brackets. */
bool th_character_counts(uint32_t c);
/* The row of a gram (b = 0: of one character), −1 when no title has it. */
int64_t th_gram_row(const th_search *s, uint32_t a, uint32_t b);
bool th_text_holds(th_str text, th_str part);
#endif
