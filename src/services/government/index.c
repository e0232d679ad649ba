/* index.c — building: the letter forms of every name, and which names hold which grams. */
#include "search-private.h"

#include <string.h>

enum { SYLLABLE_MAX = 6, SHORT_MAX = 4096 };

/* ---- postings: count, then fill ---- */

static bool postings_open(th_postings *p, size_t keys, th_arena *arena)
{
    p->keys = keys;
    p->starts = th_alloc_array(arena, keys + 2, sizeof *p->starts);
    p->last = th_alloc_array(arena, keys + 1, sizeof *p->last);
    return p->starts != NULL && p->last != NULL;
}

/* The same gram twice in one title is one entry. */
static bool again(th_postings *p, size_t key, uint32_t doc)
{
    if (p->last[key] == doc + 1)
        return true;
    p->last[key] = doc + 1;
    return false;
}

/* starts[k + 2] counts; afterwards starts[k + 1] is where row k is filled, and in the end where it ends. */
static void postings_count(th_postings *p, size_t key, uint32_t doc)
{
    p->starts[key + 2] += !again(p, key, doc);
}

static bool postings_begin(th_postings *p, th_arena *arena)
{
    for (size_t k = 2; k < p->keys + 2; k++)
        p->starts[k] += p->starts[k - 1];
    memset(p->last, 0, p->keys * sizeof *p->last);
    p->docs = th_alloc_array(arena, (size_t)p->starts[p->keys + 1] + 1, sizeof *p->docs);
    return p->docs != NULL;
}

static void postings_put(th_postings *p, size_t key, uint32_t doc)
{
    if (!again(p, key, doc))
        p->docs[p->starts[key + 1]++] = doc;
}

/* ---- letters ---- */

typedef struct writing {
    char *text, *initials;
    unsigned char *head;
    size_t n, initial_n;
} writing;

static void letter_put(writing *w, char c, bool head)
{
    w->text[w->n] = c;
    w->head[w->n++] = head;
    if (head)
        w->initials[w->initial_n++] = c;
}

static void syllable_put(writing *w, th_str syllable)
{
    for (size_t i = 0; i < syllable.n && i < SYLLABLE_MAX; i++)
        letter_put(w, syllable.p[i], i == 0);
}

/* A word of the region's that is read in its own way: the longest that begins here. */
static const th_reading *reading_at(const th_words *w, th_str rest)
{
    const th_reading *best = NULL;
    for (size_t i = 0; i < w->reading_count; i++) {
        th_str word = w->readings[i].word;
        if (word.n <= rest.n && memcmp(word.p, rest.p, word.n) == 0 && (!best || word.n > best->word.n))
            best = &w->readings[i];
    }
    return best;
}

static void reading_put(writing *w, const th_reading *r)
{
    th_str rest = r->syllables->text, syllable;
    while (rest.n && th_str_cut(&rest, ' ', &syllable))
        syllable_put(w, syllable);
}

static void title_write(const th_words *words, th_str title, writing *w)
{
    size_t characters = 0;
    for (size_t at = 0; at < title.n && characters < TH_TITLE_MAX; characters++) {
        const th_reading *r = reading_at(words, (th_str){title.p + at, title.n - at});
        if (r) {
            reading_put(w, r);
            at += r->word.n;
            continue;
        }
        uint32_t c = th_character_next(title, &at);
        if (c >= TH_HAN_FIRST && c <= TH_HAN_LAST && words->of_han[c - TH_HAN_FIRST])
            syllable_put(w, words->syllables[words->of_han[c - TH_HAN_FIRST] - 1]);
        else if (c < 0x80 && th_character_counts(c))
            letter_put(w, (char)c, true);
    }
}

static bool letters_open(th_letters *l, size_t n, size_t bytes, bool heads, th_arena *arena)
{
    l->text = th_alloc(arena, bytes + 1);
    l->at = th_alloc_array(arena, n + 1, sizeof *l->at);
    l->head = heads ? th_alloc(arena, bytes + 1) : NULL;
    return l->text && l->at && (!heads || l->head) && postings_open(&l->grams, TH_TRIGRAMS, arena);
}

static bool letters_index(th_letters *l, size_t n, th_arena *arena)
{
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t d = 0; d < n; d++)
            for (uint32_t i = l->at[d]; i + 3 <= l->at[d + 1]; i++) {
                if (pass == 0)
                    postings_count(&l->grams, th_trigram(l->text + i), d);
                else
                    postings_put(&l->grams, th_trigram(l->text + i), d);
            }
        if (pass == 0 && !postings_begin(&l->grams, arena))
            return false;
    }
    return true;
}

static bool chinese_write(th_search *s)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->n; i++) {
        size_t characters = s->entries[i].zh.n < 3 * TH_TITLE_MAX ? s->entries[i].zh.n : 3 * TH_TITLE_MAX;
        bytes += characters * 2 + SYLLABLE_MAX; /* three bytes of a character become at most six letters */
    }
    if (!letters_open(&s->pinyin, s->n, bytes, true, &s->arena) || !letters_open(&s->initials, s->n, bytes, false, &s->arena))
        return false;
    writing w = {.text = s->pinyin.text, .initials = s->initials.text, .head = s->pinyin.head};
    for (size_t i = 0; i < s->n; i++) {
        s->pinyin.at[i] = (uint32_t)w.n;
        s->initials.at[i] = (uint32_t)w.initial_n;
        title_write(&s->words, s->entries[i].zh, &w);
    }
    s->pinyin.at[s->n] = (uint32_t)w.n;
    s->initials.at[s->n] = (uint32_t)w.initial_n;
    return letters_index(&s->pinyin, s->n, &s->arena) && letters_index(&s->initials, s->n, &s->arena);
}

static bool english_write(th_search *s)
{
    size_t bytes = 0, n = 0;
    for (size_t i = 0; i < s->n; i++)
        bytes += s->entries[i].en.n;
    if (!letters_open(&s->english, s->n, bytes, true, &s->arena))
        return false;
    for (size_t i = 0; i < s->n; i++) {
        bool head = true;
        s->english.at[i] = (uint32_t)n;
        for (size_t at = 0; at < s->entries[i].en.n;) {
            uint32_t c = th_character_next(s->entries[i].en, &at);
            bool counts = c < 0x80 && th_character_counts(c);
            if (counts) {
                s->english.text[n] = (char)c;
                s->english.head[n++] = head;
            }
            head = !counts;
        }
    }
    s->english.at[s->n] = (uint32_t)n;
    return letters_index(&s->english, s->n, &s->arena);
}

static bool heads_index(th_search *s)
{
    if (!postings_open(&s->heads, TH_LETTERS * TH_LETTERS, &s->arena))
        return false;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t d = 0; d < s->n; d++) {
            uint32_t from = s->initials.at[d], until = s->initials.at[d + 1];
            if (from == until)
                continue;
            size_t key = (size_t)th_letter_value(s->initials.text[from]) * TH_LETTERS +
                         (size_t)(from + 1 < until ? th_letter_value(s->initials.text[from + 1]) : TH_LETTERS - 1);
            if (pass == 0)
                postings_count(&s->heads, key, d);
            else
                postings_put(&s->heads, key, d);
        }
        if (pass == 0 && !postings_begin(&s->heads, &s->arena))
            return false;
    }
    return true;
}

/* ---- characters ---- */

static uint64_t gram_key(uint32_t a, uint32_t b)
{
    return ((uint64_t)a << 32 | b) + 1;
}

static size_t gram_slot(const th_search *s, uint64_t key)
{
    size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & s->gram_mask;
    while (s->gram_keys[at] && s->gram_keys[at] != key)
        at = (at + 1) & s->gram_mask;
    return at;
}

int64_t th_gram_row(const th_search *s, uint32_t a, uint32_t b)
{
    size_t at = gram_slot(s, gram_key(a, b));
    return s->gram_keys[at] ? (int64_t)s->gram_rows[at] : -1;
}

/* Calls for every character and every two neighbours of a title. */
typedef void (*gram_call)(th_search *s, uint32_t doc, uint64_t key, void *ctx);

static void grams_each(th_search *s, uint32_t doc, gram_call call, void *ctx)
{
    th_str title = s->entries[doc].zh;
    uint32_t before = 0;
    size_t characters = 0;
    for (size_t at = 0; at < title.n && characters < TH_TITLE_MAX; characters++) {
        uint32_t c = th_character_next(title, &at);
        if (!th_character_counts(c)) {
            before = 0;
            continue;
        }
        call(s, doc, gram_key(c, 0), ctx);
        if (before)
            call(s, doc, gram_key(before, c), ctx);
        before = c;
    }
}

static void gram_learn(th_search *s, uint32_t doc, uint64_t key, void *ctx)
{
    uint32_t *rows = ctx;
    size_t at = gram_slot(s, key);
    (void)doc;
    if (!s->gram_keys[at]) {
        s->gram_keys[at] = key;
        s->gram_rows[at] = (*rows)++;
    }
}

static void gram_count(th_search *s, uint32_t doc, uint64_t key, void *ctx)
{
    (void)ctx;
    postings_count(&s->grams, s->gram_rows[gram_slot(s, key)], doc);
}

static void gram_put(th_search *s, uint32_t doc, uint64_t key, void *ctx)
{
    (void)ctx;
    postings_put(&s->grams, s->gram_rows[gram_slot(s, key)], doc);
}

static void gram_tally(th_search *s, uint32_t doc, uint64_t key, void *ctx)
{
    (void)s;
    (void)doc;
    (void)key;
    ++*(size_t *)ctx;
}

static void all_each(th_search *s, gram_call call, void *ctx)
{
    for (uint32_t d = 0; d < s->n; d++)
        grams_each(s, d, call, ctx);
}

static bool grams_index(th_search *s)
{
    size_t most = 0, slots = SHORT_MAX;
    uint32_t rows = 0;
    all_each(s, gram_tally, &most);
    /* Of many titles most grams come again: the table need not be as large as all of them together. */
    while (slots < 2 * most && slots < (size_t)1 << 22)
        slots *= 2;
    s->gram_mask = slots - 1;
    s->gram_keys = th_alloc_array(&s->arena, slots, sizeof *s->gram_keys);
    s->gram_rows = th_alloc_array(&s->arena, slots, sizeof *s->gram_rows);
    if (!s->gram_keys || !s->gram_rows)
        return false;
    all_each(s, gram_learn, &rows);
    if (!postings_open(&s->grams, rows, &s->arena))
        return false;
    all_each(s, gram_count, NULL);
    if (!postings_begin(&s->grams, &s->arena))
        return false;
    all_each(s, gram_put, NULL);
    return true;
}

/* ---- rules: which names hold what they mean ---- */

/* The rarest pair of the meaning's characters leads to the few names that can hold it. */
static int64_t rarest_row(const th_search *s, th_str means)
{
    int64_t best = -1;
    uint32_t before = 0;
    for (size_t at = 0; at < means.n;) {
        uint32_t c = th_character_next(means, &at);
        bool counts = th_character_counts(c);
        int64_t row = counts && before ? th_gram_row(s, before, c) : -1;
        if (counts && before && row < 0)
            return -1; /* a pair that no name has */
        if (row >= 0 && (best < 0 || s->grams.starts[row + 1] - s->grams.starts[row] < s->grams.starts[best + 1] - s->grams.starts[best]))
            best = row;
        before = counts ? c : 0;
    }
    return best;
}

static bool rule_docs(th_search *s, th_rule *rule)
{
    int64_t row = rarest_row(s, rule->means);
    if (row < 0)
        return true;
    uint32_t from = s->grams.starts[row], until = s->grams.starts[row + 1];
    rule->docs = th_alloc_array(&s->arena, until - from + 1, sizeof *rule->docs);
    for (uint32_t i = from; rule->docs && i < until; i++)
        if (th_text_holds(s->entries[s->grams.docs[i]].zh, rule->means))
            rule->docs[rule->doc_count++] = s->grams.docs[i];
    return rule->docs != NULL;
}

th_status th_index_build(th_search *s)
{
    bool ok = chinese_write(s) && english_write(s) && heads_index(s) && grams_index(s);
    for (size_t i = 0; ok && i < s->words.rule_count; i++)
        ok = rule_docs(s, &s->words.rules[i]);
    return ok ? TH_OK : TH_NO_MEMORY;
}
