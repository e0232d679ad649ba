/* entry.c — entries at rest: found by a keyed pseudonym of their key, sealed; and look-ups gathered into one read. */
#include "records-private.h"

#include <string.h>

void th_record_key(const th_records *records, const th_register *reg, const th_str *keys, uint8_t ret_key[TH_RECORD_KEY])
{
    th_str pieces[2 + 2 * TH_REGISTER_KEYS_MAX];
    size_t n = 0;
    pieces[n++] = TH_STR("tonghui/v1/record\n");
    pieces[n++] = reg->name;
    for (size_t i = 0; i < reg->key_count; i++) {
        pieces[n++] = TH_STR("\n");
        pieces[n++] = keys[i];
    }
    th_hash hash = th_hmac(records->options.secret, pieces, n);
    memcpy(ret_key, hash.b, TH_RECORD_KEY);
}

/* The context binds a sealed entry to its place: nobody can swap two people's rows. */
static th_str context_of(const th_register *reg, const uint8_t key[TH_RECORD_KEY], char text[128])
{
    size_t n = reg->name.n < 64 ? reg->name.n : 64;
    memcpy(text, reg->name.p, n);
    memcpy(text + n, key, TH_RECORD_KEY);
    return (th_str){text, n + TH_RECORD_KEY};
}

th_status th_entry_seal(const th_records *records, const th_register *reg, const uint8_t key[TH_RECORD_KEY], th_str json, th_arena *arena,
                        th_str *ret_sealed)
{
    char text[128];
    return th_seal(records->options.env, records->options.secret, json, context_of(reg, key, text), arena, ret_sealed);
}

th_status th_entry_open(const th_records *records, const th_register *reg, const uint8_t key[TH_RECORD_KEY], th_str sealed, th_arena *arena,
                        const th_json **ret_entry)
{
    char text[128];
    th_str plain;
    th_status status = th_unseal(records->options.secret, sealed, context_of(reg, key, text), arena, &plain);
    return status ? status : th_json_parse(plain, arena, ret_entry, NULL);
}

/* ---- look-ups ---- */

const uint8_t th_record_key_last[TH_RECORD_KEY] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* The first entry at or behind the key: the record itself, or where there is none its neighbour, which is read, opened and later compared
 * all the same. So the two take one path, and as long. Behind all stands an entry of nobody's. */
static void local_take(th_records *records, th_lookup *l, const th_rows *rows, th_arena *arena)
{
    const th_value *row = rows->n ? th_row(rows, 0) : NULL;
    const uint8_t *key = row && row[0].s.n == TH_RECORD_KEY ? (const uint8_t *)row[0].s.p : th_record_key_last;
    l->present = th_equal_secret(key, l->key, TH_RECORD_KEY);
    l->status = th_entry_open(records, l->reg, key, row ? row[1].s : l->reg->last, arena, &l->entry);
}

static void local_read(th_records *records, th_db *db, th_lookup **lookups, size_t n, th_arena *arena)
{
    th_value *values = th_alloc_array(arena, n * 3, sizeof *values);
    th_rows *rows = th_alloc_array(arena, n, sizeof *rows);
    th_status status = values && rows ? TH_OK : TH_NO_MEMORY;
    for (size_t i = 0; !status && i < n; i++) {
        values[3 * i] = th_v_text(lookups[i]->reg->name);
        values[3 * i + 1] = th_v_int(th_register_live(records, lookups[i]->reg).version);
        values[3 * i + 2] = th_v_blob(lookups[i]->key, TH_RECORD_KEY);
    }
    if (!status)
        status = th_db_select_many(db,
                                   "SELECT key, sealed FROM records_entry WHERE register = ?1 AND version = ?2 AND key >= ?3 "
                                   "ORDER BY key LIMIT 1",
                                   values, 3, n, arena, rows, NULL);
    for (size_t i = 0; i < n; i++) {
        lookups[i]->status = status;
        if (!status)
            local_take(records, lookups[i], &rows[i], arena);
    }
}

static bool outside_read(th_records *records, th_lookup *l, th_arena *arena)
{
    if (!th_source_read(records, l, arena))
        return false;
    l->present = l->entry != NULL;
    if (!l->present)
        l->entry = l->reg->stand_in;
    return true;
}

void th_lookups_read(th_records *records, th_db *db, th_lookup **lookups, size_t n, th_arena *arena)
{
    th_lookup **local = th_alloc_array(arena, n, sizeof *local);
    size_t local_n = 0;
    for (size_t i = 0; local && i < n; i++) {
        if (!lookups[i]->status && !outside_read(records, lookups[i], arena))
            local[local_n++] = lookups[i];
    }
    if (local_n)
        local_read(records, db, local, local_n, arena);
}
