/* words.c — the region's words: how characters are read, what people say and which items they mean. */
#include "search-private.h"

#include <string.h>

uint32_t th_character_next(th_str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[*at];
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (*at + n > s.n) { /* not UTF-8: a byte is a character, and nothing is read beyond the end */
        *at += 1;
        return 0xFFFD;
    }
    uint32_t code = n == 1 ? c : c & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)s.p[*at + i] & 0x3F);
    *at += n;
    return code >= 'A' && code <= 'Z' ? code + 32 : code;
}

bool th_character_counts(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    return (c >= 0x3400 && c <= 0x9FFF) || (c >= 0x20000 && c <= 0x3FFFF) || (c >= 0xC0 && c <= 0x24F);
}

int th_letter_value(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= '0' && c <= '9' ? 26 + c - '0' : 36;
}

bool th_text_holds(th_str text, th_str part)
{
    return part.n && part.n <= text.n && memmem(text.p, text.n, part.p, part.n) != NULL;
}

/* ---- how characters are read ---- */

static th_status pinyin_read(th_words *w, th_str text, th_error *error)
{
    th_str line;
    while (text.n && th_str_cut(&text, '\n', &line)) {
        th_str syllable;
        if (!line.n || line.p[0] == '#')
            continue;
        if (!th_str_cut(&line, ' ', &syllable) || w->syllable_count == TH_COUNT(w->syllables))
            return th_fail(error, TH_INVALID, "pinyin-file", "拼音表不合规定", "The table of pinyin is not as it should be");
        w->syllables[w->syllable_count++] = syllable;
        for (size_t at = 0; at < line.n;) {
            uint32_t c = th_character_next(line, &at);
            if (c >= TH_HAN_FIRST && c <= TH_HAN_LAST)
                w->of_han[c - TH_HAN_FIRST] = (uint16_t)w->syllable_count;
        }
    }
    return TH_OK;
}

/* ---- what people say ---- */

static th_status rules_read(th_search *s, const th_json *root, th_error *error)
{
    th_words *w = &s->words;
    const th_json *rules = th_json_get(root, "rules");
    w->rules = th_alloc_array(&s->arena, rules ? rules->count + 1 : 1, sizeof *w->rules);
    for (const th_json *r = th_json_first(rules); w->rules && r; r = th_json_next(rules, r)) {
        th_rule *rule = &w->rules[w->rule_count++];
        *rule = (th_rule){.means = th_json_str(r, "means"), .says = th_json_get(r, "say")};
        if (!rule->means.n || !rule->says || rule->says->type != TH_JSON_ARRAY)
            return th_fail_field(error, "/rules", "rule", "每条规则须有 means 与 say", "Each rule has means and say");
    }
    return w->rules ? TH_OK : TH_NO_MEMORY;
}

static th_status places_read(th_search *s, const th_json *root)
{
    th_words *w = &s->words;
    const th_json *places = th_json_get(root, "places"), *readings = th_json_get(root, "readings");
    size_t n = 0;
    for (const th_json *m = th_json_first(places); m; m = th_json_next(places, m))
        n += m->count;
    w->places = th_alloc_array(&s->arena, n + 1, sizeof *w->places);
    w->readings = th_alloc_array(&s->arena, readings ? readings->count + 1 : 1, sizeof *w->readings);
    if (!w->places || !w->readings)
        return TH_NO_MEMORY;
    for (const th_json *m = th_json_first(places); m; m = th_json_next(places, m))
        for (const th_json *p = th_json_first(m); p; p = th_json_next(m, p))
            w->places[w->place_count++] = (th_place){p->text, m->key};
    for (const th_json *r = th_json_first(readings); r; r = th_json_next(readings, r))
        w->readings[w->reading_count++] = (th_reading){r->key, r};
    w->stops = th_json_get(root, "stop");
    return TH_OK;
}

th_status th_words_read(th_search *s, th_str pinyin, th_str everyday, th_error *error)
{
    const th_json *root;
    th_status status = pinyin_read(&s->words, th_str_keep(&s->arena, pinyin), error);
    if (!status && everyday.n)
        status = th_json_parse(th_str_keep(&s->arena, everyday), &s->arena, &root, error);
    if (!status && everyday.n)
        status = rules_read(s, root, error);
    if (!status && everyday.n)
        status = places_read(s, root);
    return status;
}
