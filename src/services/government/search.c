/* search.c — finding: what kind of thing was typed, which items it may mean, and which of them most likely. */
#include "search-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY_MAX = 200, CHARACTERS_MAX = 64, INDEX_MAX = 1024 << 20, WORDS_MAX = 8, NAMED_MAX = 8, CLOSELY = 256, LETTERS_MOST = 30000 };

th_status th_search_open(const th_search_entry *entries, size_t n, th_str pinyin, th_str everyday, th_search **ret_search, th_error *error)
{
    th_search *s = th_new(sizeof *s);
    if (!s)
        return th_fail(error, TH_NO_MEMORY, "no-memory", "内存不足", "Out of memory");
    th_arena_open(&s->arena, INDEX_MAX);
    s->entries = entries;
    s->n = n;
    th_status status = th_words_read(s, pinyin, everyday, error);
    if (!status)
        status = th_index_build(s);
    if (status)
        th_search_close(s);
    else
        *ret_search = s;
    return status;
}

void th_search_close(th_search *s)
{
    if (!s)
        return;
    th_arena_close(&s->arena);
    th_free(s);
}

size_t th_search_size(const th_search *s)
{
    return s->n;
}

/* ---- scores ---- */

typedef struct scoring {
    const th_search *s;
    float *scores;     /* one an item */
    uint32_t *touched; /* items with a score */
    size_t touched_n;
} scoring;

static void add(scoring *k, uint32_t doc, float score)
{
    if (k->scores[doc] == 0)
        k->touched[k->touched_n++] = doc;
    k->scores[doc] += score;
}

static void row_add(scoring *k, const th_postings *p, int64_t row, float score)
{
    if (row < 0)
        return;
    for (uint32_t i = p->starts[row]; i < p->starts[row + 1]; i++)
        add(k, p->docs[i], score);
}

/* ---- Chinese: everyday rules, then the name's own characters ---- */

static size_t characters_of(th_str s)
{
    size_t n = 0;
    for (size_t at = 0; at < s.n; n++)
        (void)th_character_next(s, &at);
    return n;
}

/* How many characters of the groups' words stand in the question; 0 = a group has none there. */
static size_t say_holds(const th_json *groups, th_str query)
{
    size_t sum = 0;
    for (const th_json *g = th_json_first(groups); g; g = th_json_next(groups, g)) {
        size_t best = 0;
        for (const th_json *w = th_json_first(g); w; w = th_json_next(g, w)) {
            size_t n = th_text_holds(query, w->text) ? characters_of(w->text) : 0;
            best = n > best ? n : best;
        }
        if (!best)
            return 0;
        sum += best;
    }
    return sum;
}

/* The more of the question a rule explains, the more it counts; two groups say more than one. */
static void rules_score(scoring *k, th_str query)
{
    const th_words *w = &k->s->words;
    for (size_t i = 0; i < w->rule_count; i++) {
        float best = 0;
        for (const th_json *say = th_json_first(w->rules[i].says); say; say = th_json_next(w->rules[i].says, say)) {
            size_t held = say_holds(say, query);
            float score = held ? 20.0f + 3.0f * (float)held + 4.0f * (float)(say->count - 1) : 0;
            best = score > best ? score : best;
        }
        for (size_t d = 0; best > 0 && d < w->rules[i].doc_count; d++)
            add(k, w->rules[i].docs[d], best);
    }
}

/* Without words of asking and names of places: what is left should be in a name. */
static th_str asked_for(const th_search *s, th_str query, th_arena *arena)
{
    th_buf buf;
    const th_json *stops = s->words.stops;
    th_buf_open(&buf, arena, query.n + 1);
    for (size_t at = 0; at < query.n;) {
        size_t skip = 0, from = at;
        th_str rest = {query.p + at, query.n - at};
        for (const th_json *v = th_json_first(stops); v; v = th_json_next(stops, v))
            if (v->text.n > 3 && v->text.n > skip && v->text.n <= rest.n && memcmp(v->text.p, rest.p, v->text.n) == 0)
                skip = v->text.n;
        for (size_t i = 0; i < s->words.place_count; i++) {
            th_str place = s->words.places[i].word;
            if (place.n > 3 && place.n > skip && place.n <= rest.n && memcmp(place.p, rest.p, place.n) == 0)
                skip = place.n;
        }
        if (skip) {
            at += skip;
            th_buf_char(&buf, ' ');
            continue;
        }
        (void)th_character_next(query, &at);
        th_buf_put(&buf, query.p + from, at - from);
    }
    return th_str_trim(th_buf_view(&buf));
}

static float rarity(const th_search *s, int64_t row)
{
    if (row < 0)
        return 0;
    float held = (float)(s->grams.starts[row + 1] - s->grams.starts[row]);
    return logf(1.0f + (float)s->n / (held + 1.0f));
}

static void grams_score(scoring *k, th_str wanted)
{
    uint32_t all[CHARACTERS_MAX];
    size_t n = 0, pairs = 0;
    for (size_t at = 0; at < wanted.n && n < CHARACTERS_MAX;) {
        uint32_t c = th_character_next(wanted, &at);
        all[n++] = th_character_counts(c) ? c : 0;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        int64_t row = all[i] && all[i + 1] ? th_gram_row(k->s, all[i], all[i + 1]) : -1;
        pairs += row >= 0;
        row_add(k, &k->s->grams, row, 2.0f * rarity(k->s, row));
    }
    /* One character, or none of the pairs: single ones are better than nothing. */
    for (size_t i = 0; pairs == 0 && i < n; i++) {
        int64_t row = all[i] ? th_gram_row(k->s, all[i], 0) : -1;
        row_add(k, &k->s->grams, row, rarity(k->s, row));
    }
}

/* ---- letters: pinyin, initials, English ---- */

typedef struct form { /* how a match in one of the letter forms counts */
    const th_letters *letters;
    float at_start, inside, cover;
} form;

static void doc_match(scoring *k, const form *f, th_str needle, uint32_t doc)
{
    uint32_t from = f->letters->at[doc], until = f->letters->at[doc + 1];
    float best = 0;
    for (uint32_t at = from; at + needle.n <= until;) {
        const char *found = memmem(f->letters->text + at, until - at, needle.p, needle.n);
        if (!found)
            break;
        at = (uint32_t)(found - f->letters->text);
        if (!f->letters->head || f->letters->head[at]) {
            float score = (at == from ? f->at_start : f->inside) + f->cover * (float)needle.n / (float)(until - from);
            best = score > best ? score : best;
        }
        at++;
    }
    if (best > 0)
        add(k, doc, best);
}

/* The rarest of the needle's trigrams leads to the few that can hold it. */
static void form_score(scoring *k, const form *f, th_str needle)
{
    const th_postings *p = &f->letters->grams;
    size_t rarest = 0;
    uint32_t fewest = UINT32_MAX;
    if (needle.n < 3)
        return;
    for (size_t i = 0; i + 3 <= needle.n; i++) {
        size_t gram = th_trigram(needle.p + i);
        uint32_t n = p->starts[gram + 1] - p->starts[gram];
        if (n < fewest) {
            fewest = n;
            rarest = gram;
        }
    }
    /* Letters that very many names have tell them apart badly anyway: so many are looked at, and more typing will say more. */
    for (uint32_t i = p->starts[rarest], n = 0; i < p->starts[rarest + 1] && n < LETTERS_MOST; i++, n++)
        doc_match(k, f, needle, p->docs[i]);
}

/* One or two letters: names whose initials begin so. */
static void short_score(scoring *k, th_str needle)
{
    size_t first = (size_t)th_letter_value(needle.p[0]) * TH_LETTERS;
    if (needle.n == 2) {
        row_add(k, &k->s->heads, (int64_t)(first + (size_t)th_letter_value(needle.p[1])), 50);
        return;
    }
    for (size_t i = 0; i < TH_LETTERS; i++)
        row_add(k, &k->s->heads, (int64_t)(first + i), 50);
}

static void english_score(scoring *k, th_str query)
{
    th_str rest = query, word;
    const form f = {&k->s->english, 18, 12, 8};
    for (int i = 0; i < WORDS_MAX && rest.n && th_str_cut(&rest, ' ', &word); i++)
        form_score(k, &f, word);
}

static bool is_letters(th_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == ' ' || s.p[i] == '\''))
            return false;
    return s.n > 0;
}

static void letters_score(scoring *k, th_str query, th_arena *scratch)
{
    th_buf buf;
    th_buf_open(&buf, scratch, query.n + 1);
    for (size_t i = 0; i < query.n; i++)
        if (query.p[i] != ' ' && query.p[i] != '\'')
            th_buf_char(&buf, query.p[i]);
    th_str needle = th_buf_view(&buf);
    const form pinyin = {&k->s->pinyin, 60, 40, 20}, initials = {&k->s->initials, 50, 30, 20};
    if (needle.n && needle.n < 3)
        short_score(k, needle);
    form_score(k, &pinyin, needle);
    form_score(k, &initials, needle);
    english_score(k, query);
}

/* ---- the best of them ---- */

static bool better(const th_search_hit *a, const th_search_hit *b)
{
    return a->score > b->score || (a->score == b->score && a->index < b->index);
}

/* A heap whose root is the worst that is kept. */
static void heap_sink(th_search_hit *heap, size_t n, size_t at)
{
    for (;;) {
        size_t worst = at, left = 2 * at + 1;
        if (left < n && better(&heap[worst], &heap[left]))
            worst = left;
        if (left + 1 < n && better(&heap[worst], &heap[left + 1]))
            worst = left + 1;
        if (worst == at)
            return;
        th_search_hit kept = heap[at];
        heap[at] = heap[worst];
        heap[worst] = kept;
        at = worst;
    }
}

static size_t heap_put(th_search_hit *heap, size_t n, size_t max, th_search_hit hit)
{
    if (n < max) {
        heap[n++] = hit;
        for (size_t i = n == max ? n / 2 : 0; i-- > 0;)
            heap_sink(heap, n, i);
        return n;
    }
    if (better(&hit, &heap[0])) {
        heap[0] = hit;
        heap_sink(heap, n, 0);
    }
    return n;
}

/* Members whose places are named in the question. */
typedef struct naming {
    th_str members[NAMED_MAX];
    size_t n;
    th_str here;
} naming;

static void places_find(naming *named, const th_search *s, th_str query)
{
    for (size_t i = 0; i < s->words.place_count && named->n < NAMED_MAX; i++)
        if (th_text_holds(query, s->words.places[i].word))
            named->members[named->n++] = s->words.places[i].member;
}

static float owner_score(const naming *named, th_str owner)
{
    float score = th_str_eq(owner, named->here) ? 3.0f : 0;
    for (size_t i = 0; i < named->n; i++)
        if (th_str_eq(named->members[i], owner))
            return score + 6.0f;
    return score;
}

static int by_score(const void *a, const void *b)
{
    const th_search_hit *x = a, *y = b;
    return better(x, y) ? -1 : better(y, x) ? 1 : 0;
}

/* What is cheap to say decides who is looked at closely; what the whole wanted text says of a name, who comes first. */
static size_t best_take(const scoring *k, th_str query, th_str wanted, th_str here, th_arena *scratch, th_search_hit *hits, size_t max)
{
    naming named = {.here = here};
    size_t n = 0, room = max > CLOSELY ? max : CLOSELY;
    th_search_hit *heap = th_alloc_array(scratch, room, sizeof *heap);
    if (!heap)
        return 0;
    places_find(&named, k->s, query);
    for (size_t i = 0; i < k->touched_n; i++) {
        uint32_t doc = k->touched[i];
        const th_search_entry *e = &k->s->entries[doc];
        th_search_hit hit = {doc, k->scores[doc] + owner_score(&named, e->owner) - 0.02f * (float)e->zh.n};
        n = heap_put(heap, n, room, hit);
    }
    for (size_t i = 0; wanted.n > 3 && i < n; i++) {
        const th_search_entry *e = &k->s->entries[heap[i].index];
        if (th_text_holds(e->zh, wanted))
            heap[i].score += 15.0f + (memcmp(e->zh.p, wanted.p, wanted.n) == 0 ? 10.0f : 0) + (e->zh.n == wanted.n ? 10.0f : 0);
    }
    qsort(heap, n, sizeof *heap, by_score);
    n = n < max ? n : max;
    memcpy(hits, heap, n * sizeof *hits);
    return n;
}

/* In lower case, narrow, and no longer than anybody types. */
static th_str as_typed(th_str query, th_arena *arena)
{
    th_buf buf;
    query = th_str_trim(query);
    if (query.n > QUERY_MAX) { /* cut between characters */
        query.n = QUERY_MAX;
        while (query.n && ((unsigned char)query.p[query.n] & 0xC0) == 0x80)
            query.n--;
    }
    th_buf_open(&buf, arena, 4 * QUERY_MAX + 4);
    for (size_t at = 0; at < query.n;) {
        size_t from = at;
        uint32_t c = th_character_next(query, &at);
        if (c >= 0xFF01 && c <= 0xFF5E)
            c = c - 0xFF01 + '!';
        if (c >= 'A' && c <= 'Z')
            c += 32;
        if (c < 0x80)
            th_buf_char(&buf, (char)c);
        else
            th_buf_put(&buf, query.p + from, at - from);
    }
    return th_buf_view(&buf);
}

size_t th_search_find(const th_search *s, th_str query, th_str here, th_arena *scratch, th_search_hit *hits, size_t max)
{
    scoring k = {.s = s, .scores = th_alloc_array(scratch, s->n + 1, sizeof *k.scores), .touched = th_alloc_array(scratch, s->n + 1, sizeof *k.touched)};
    th_str typed = as_typed(query, scratch), wanted = {NULL, 0};
    if (!k.scores || !k.touched || !typed.n || !max)
        return 0;
    if (is_letters(typed)) {
        letters_score(&k, typed, scratch);
    } else {
        wanted = asked_for(s, typed, scratch);
        rules_score(&k, typed);
        grams_score(&k, wanted);
    }
    return best_take(&k, typed, wanted, here, scratch, hits, max);
}
