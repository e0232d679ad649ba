/* ids_written.c — identifiers as people write them, brought to the one form that is stored. */
#include "kernel/records/ids.h"

#include <string.h>

/* The next character of `*at`: full-width forms (U+FF01 … FF5E) as ASCII, the wide space (U+3000) as a space; −1 for any other
 * character beyond ASCII. Moves *at behind it. */
static int next_narrow(th_str s, size_t *at, unsigned *changes)
{
    unsigned char c = (unsigned char)s.p[(*at)++];
    if (c < 0x80)
        return c;
    if (c == 0xEF && *at + 1 < s.n) {
        unsigned code = ((unsigned)(unsigned char)s.p[*at] & 0x3F) << 6 | ((unsigned)(unsigned char)s.p[*at + 1] & 0x3F) | 0xF000;
        if (code >= 0xFF01 && code <= 0xFF5E) {
            *at += 2;
            *changes |= TH_ID_WAS_FULL_WIDTH;
            return (int)(code - 0xFF01 + '!');
        }
    }
    if (c == 0xE3 && *at + 1 < s.n && (unsigned char)s.p[*at] == 0x80 && (unsigned char)s.p[*at + 1] == 0x80) {
        *at += 2;
        return ' ';
    }
    return -1;
}

bool th_code_normalise(th_str written, char *ret, size_t room, unsigned *ret_changes)
{
    size_t n = 0;
    unsigned changes = 0;
    ret[0] = 0;
    *ret_changes = 0;
    if (written.n > TH_ID_WRITTEN_MAX)
        return false;
    for (size_t at = 0; at < written.n;) {
        size_t from = at;
        int c = next_narrow(written, &at, &changes);
        if (c == ' ' || c == '\t' || c == '-') {
            changes |= TH_ID_WAS_SPACED;
            continue;
        }
        if (c >= 'a' && c <= 'z') {
            changes |= TH_ID_WAS_LOWER;
            c += 'A' - 'a';
        }
        /* What is no such character stays as it is, for the check to refuse. */
        size_t bytes = c < 0 ? at - from : 1;
        if (n + bytes >= room)
            return false;
        if (c < 0)
            memcpy(ret + n, written.p + from, bytes);
        else
            ret[n] = (char)c;
        n += bytes;
    }
    ret[n] = 0;
    *ret_changes = changes;
    return true;
}

bool th_citizen_id_normalise(th_str written, char ret[19], unsigned *ret_changes)
{
    char narrow[TH_ID_WRITTEN_MAX + 1];
    ret[0] = 0;
    if (!th_code_normalise(written, narrow, sizeof narrow, ret_changes))
        return false;
    size_t n = strlen(narrow);
    if (n > 18)
        return false;
    memcpy(ret, narrow, n + 1);
    if (n != 15)
        return true;
    for (size_t i = 0; i < n; i++)
        if (narrow[i] < '0' || narrow[i] > '9')
            return true;
    memcpy(ret, narrow, 6);
    memcpy(ret + 6, "19", 2);
    memcpy(ret + 8, narrow + 6, 9);
    ret[17] = th_citizen_id_digit(ret);
    ret[18] = 0;
    *ret_changes |= TH_ID_WAS_OLD;
    return true;
}
