/* access.c — the access log: who looked at whose data. Written with every batch, read when a person asks.
 *
 * A person's rows lie scattered over time, and a tree ordered by person would change a page for every message. So a batch adds one row
 * with its looks in order, and when thousands of looks are fresh the writer merges them into one run, in rows of a page each. A
 * question looks into the fresh rows and once into every run: 10^8 looks are 6,000 runs, some 20 ms. */
#include "provide-private.h"

#include <stdlib.h>
#include <string.h>

enum {
    SUBJECT_BYTES = 16,
    LOOK_BYTES = SUBJECT_BYTES + 8,
    RUN_LOOKS = 16384,   /* fresh looks that make a run */
    CHUNK_LOOKS = 160,   /* looks in one row of a run: just under a page */
    FOUND_MAX = 100000,
};

static void number_put(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t number_of(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | from[i];
    return value;
}

static int look_order(const void *a, const void *b)
{
    return memcmp(a, b, LOOK_BYTES);
}

/* ---- writing ---- */

static bool same_access(const th_served *a, const th_served *b)
{
    return a && th_str_eq(a->message.office, b->message.office) && th_str_eq(a->answer.reg, b->answer.reg) &&
           th_str_eq(a->answer.fields, b->answer.fields) && th_str_eq(a->message.type, b->message.type) &&
           !a->consent_id[0] == !b->consent_id[0];
}

static void line_put(th_buf *buf, const th_served *s)
{
    th_pen pen = th_pen_on(buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "office", s->message.office);
    th_pen_kstr(&pen, "register", s->answer.reg);
    th_pen_kstr(&pen, "fields", s->answer.fields);
    th_pen_kstr(&pen, "operation", s->message.type);
    th_pen_ktext(&pen, "basis", s->consent_id[0] ? "consent" : s->type->granted ? "duty" : "application");
    th_pen_end(&pen, '}');
}

/* The looks of the batch, in order, and its lines. */
static th_status gathered(const th_batch_in *b, th_buf *lines, uint8_t *looks, size_t *ret_n)
{
    const th_served *last = NULL;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        const th_served *s = &b->served[i];
        if (s->subject[0] && s->answer.reg.n && !s->stored) { /* a certificate for her own wallet is no look */
            bool hex = th_unhex((th_str){s->subject, 2 * SUBJECT_BYTES}, looks + n * LOOK_BYTES, SUBJECT_BYTES);
            TH_ASSERT(hex);
            number_put(looks + n * LOOK_BYTES + SUBJECT_BYTES, b->first + i);
            n++;
            if (!same_access(last, s))
                line_put(lines, s);
            last = s;
        }
        th_buf_char(lines, '\n');
    }
    qsort(looks, n, LOOK_BYTES, look_order);
    *ret_n = n;
    return th_buf_ok(lines) ? TH_OK : TH_TOO_LARGE;
}

typedef struct merging {
    th_arena *arena;
    uint8_t *looks;
    size_t n, room;
    int64_t first;
    th_status status;
} merging;

static bool fresh_row(void *ctx, const th_value *row, int columns)
{
    merging *m = ctx;
    (void)columns;
    size_t n = row[1].s.n / LOOK_BYTES;
    if (m->n == 0)
        m->first = row[0].i;
    if (m->n + n > m->room) {
        size_t room = 2 * (m->n + n) + RUN_LOOKS;
        uint8_t *grown = th_alloc_array(m->arena, room, LOOK_BYTES);
        if (!grown) {
            m->status = TH_NO_MEMORY;
            return false;
        }
        if (m->n)
            memcpy(grown, m->looks, m->n * LOOK_BYTES);
        m->looks = grown;
        m->room = room;
    }
    memcpy(m->looks + m->n * LOOK_BYTES, row[1].s.p, n * LOOK_BYTES);
    m->n += n;
    return true;
}

static th_status run_write(const merging *m, th_str log, th_db *db, th_error *error)
{
    size_t chunks = (m->n + CHUNK_LOOKS - 1) / CHUNK_LOOKS;
    th_value *values = th_alloc_array(m->arena, chunks * 4, sizeof *values);
    if (!values)
        return TH_NO_MEMORY;
    for (size_t i = 0; i < chunks; i++) {
        const uint8_t *at = m->looks + i * CHUNK_LOOKS * LOOK_BYTES;
        size_t n = i + 1 < chunks ? CHUNK_LOOKS : m->n - i * CHUNK_LOOKS;
        values[4 * i] = th_v_text(log);
        values[4 * i + 1] = th_v_int(m->first);
        values[4 * i + 2] = th_v_blob(at, LOOK_BYTES);
        values[4 * i + 3] = th_v_blob(at, n * LOOK_BYTES);
    }
    return th_db_exec_many(db, "INSERT INTO exchange_access_run (log, run, first_look, looks) VALUES (?1, ?2, ?3, ?4)", values, 4, chunks,
                           error);
}

static th_status fresh_merge(th_batch_in *b, th_str log, th_db *db, th_error *error)
{
    merging m = {.arena = &b->incoming->arena};
    th_value key = th_v_text(log);
    th_status status = th_db_each(db, "SELECT first, looks FROM exchange_access_fresh WHERE log = ?1 ORDER BY first", &key, 1, fresh_row, &m,
                                  error);
    if (!status)
        status = m.status;
    if (status || !m.n)
        return status;
    qsort(m.looks, m.n, LOOK_BYTES, look_order);
    status = run_write(&m, log, db, error);
    if (!status)
        status = th_db_exec(db, "DELETE FROM exchange_access_fresh WHERE log = ?1", &key, 1, NULL, error);
    return status;
}

th_status th_access_put(th_batch_in *b, th_db *db, th_error *error)
{
    th_arena *arena = &b->incoming->arena;
    th_buf lines;
    char log[TH_LOG_TEXT];
    size_t n;
    uint8_t *looks = th_alloc_array(arena, b->n, LOOK_BYTES);
    th_buf_open(&lines, arena, 4u << 20);
    th_status status = looks ? gathered(b, &lines, looks, &n) : TH_NO_MEMORY;
    if (status || !n)
        return status;
    th_journal_log(b->ex->journal, log);
    th_str name = th_str_of(log);
    th_value row[] = {th_v_text(name), th_v_int((int64_t)b->first), th_v_int(b->at_us), th_v_text(th_str_of(b->envelope.from)),
                      th_v_text(th_buf_view(&lines))};
    status = th_db_exec(db, "INSERT INTO exchange_access (log, first, at, consumer, lines) VALUES (?1, ?2, ?3, ?4, ?5)", row, TH_COUNT(row),
                        NULL, error);
    th_value fresh[] = {th_v_text(name), th_v_int((int64_t)b->first), th_v_blob(looks, n * LOOK_BYTES)};
    if (!status)
        status = th_db_exec(db, "INSERT INTO exchange_access_fresh (log, first, looks) VALUES (?1, ?2, ?3)", fresh, TH_COUNT(fresh), NULL,
                            error);
    /* Counted beside the transaction: one that fails makes a run come early, nothing more. */
    b->ex->fresh_looks += n;
    if (!status && b->ex->fresh_looks >= RUN_LOOKS) {
        status = fresh_merge(b, name, db, error);
        b->ex->fresh_looks = 0;
    }
    return status;
}

th_status th_access_open(th_exchange *ex, th_error *error)
{
    th_db *db;
    th_arena arena;
    const th_value *row;
    th_status status = th_store_acquire(ex->store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 64 * 1024);
    status = th_db_one(db, "SELECT COALESCE(SUM(LENGTH(looks)), 0) FROM exchange_access_fresh", NULL, 0, &arena, &row, error);
    if (!status)
        ex->fresh_looks = (size_t)row[0].i / LOOK_BYTES;
    th_arena_close(&arena);
    th_store_release(ex->store, db);
    return status;
}

/* ---- reading ---- */

typedef struct search {
    uint8_t from[LOOK_BYTES], to[LOOK_BYTES]; /* the looks of one person lie between */
    th_arena *arena;
    uint64_t *found;
    size_t n, room;
    th_status status;
} search;

static bool found_add(search *s, uint64_t entry)
{
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        uint64_t *grown = s->n < FOUND_MAX ? th_alloc_array(s->arena, room, sizeof *grown) : NULL;
        if (!grown) {
            s->status = TH_TOO_LARGE;
            return false;
        }
        if (s->n)
            memcpy(grown, s->found, s->n * sizeof *grown);
        s->found = grown;
        s->room = room;
    }
    s->found[s->n++] = entry;
    return true;
}

/* `looks` is in order: the first of the person by halving, then all of hers. */
static bool looks_search(search *s, th_str looks)
{
    const uint8_t *all = (const uint8_t *)looks.p;
    size_t low = 0, high = looks.n / LOOK_BYTES, end = high;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(all + middle * LOOK_BYTES, s->from, LOOK_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < end && memcmp(all + low * LOOK_BYTES, s->to, LOOK_BYTES) <= 0; low++)
        if (!found_add(s, number_of(all + low * LOOK_BYTES + SUBJECT_BYTES)))
            return false;
    return true;
}

static bool fresh_search(void *ctx, const th_value *row, int columns)
{
    (void)columns;
    return looks_search(ctx, row[0].s);
}

/* From the last row that may hold the person back to the one that begins before her. */
static th_status run_search(search *s, th_db *db, th_str log, int64_t run, th_error *error)
{
    uint8_t to[LOOK_BYTES];
    memcpy(to, s->to, sizeof to);
    for (;;) {
        const th_value *row;
        th_value values[] = {th_v_text(log), th_v_int(run), th_v_blob(to, LOOK_BYTES)};
        th_status status = th_db_one(db,
                                     "SELECT first_look, looks FROM exchange_access_run WHERE log = ?1 AND run = ?2 AND first_look <= ?3 "
                                     "ORDER BY first_look DESC LIMIT 1",
                                     values, 3, s->arena, &row, error);
        if (status)
            return status == TH_NOT_FOUND ? TH_OK : status;
        if (row[0].s.n != LOOK_BYTES || !looks_search(s, row[1].s))
            return s->status ? s->status : TH_CORRUPT;
        if (memcmp(row[0].s.p, s->from, LOOK_BYTES) < 0)
            return TH_OK;
        memcpy(to, row[0].s.p, LOOK_BYTES); /* the row before begins below this one's first look */
        for (int i = LOOK_BYTES - 1; i >= 0 && to[i]-- == 0; i--) {
        }
    }
}

static th_status log_search(search *s, th_db *db, th_str log, th_error *error)
{
    const th_value *row;
    int64_t below = INT64_MAX;
    th_value key = th_v_text(log);
    th_status status = th_db_each(db, "SELECT looks FROM exchange_access_fresh WHERE log = ?1", &key, 1, fresh_search, s, error);
    while (!status && !s->status) {
        th_value values[] = {th_v_text(log), th_v_int(below)};
        status = th_db_one(db, "SELECT MAX(run) FROM exchange_access_run WHERE log = ?1 AND run < ?2", values, 2, s->arena, &row, error);
        if (status || row[0].type == TH_VALUE_NULL)
            break;
        below = row[0].i;
        status = run_search(s, db, log, below, error);
    }
    return status ? status : s->status;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

/* TH_NOT_FOUND: not before that instant. */
static th_status look_read(th_db *db, th_str log, uint64_t entry, int64_t before_us, th_arena *arena, th_look *ret_look, th_error *error)
{
    const th_value *row;
    const th_json *root;
    th_str rest, line, last = {NULL, 0};
    th_value values[] = {th_v_text(log), th_v_int((int64_t)entry), th_v_int(before_us)};
    th_status status = th_db_one(db,
                                 "SELECT first, at, consumer, CASE WHEN at < ?3 THEN lines ELSE '' END FROM exchange_access "
                                 "WHERE log = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
                                 values, 3, arena, &row, error);
    if (status)
        return status == TH_NOT_FOUND ? TH_CORRUPT : status;
    if (row[1].i >= before_us)
        return TH_NOT_FOUND;
    rest = row[3].s;
    for (uint64_t i = (uint64_t)row[0].i; i <= entry; i++) {
        if (!th_str_cut(&rest, '\n', &line))
            return TH_CORRUPT;
        last = line.n ? line : last;
    }
    if (th_json_parse(last, arena, &root, NULL))
        return TH_CORRUPT;
    *ret_look = (th_look){.entry = entry,
                          .at_us = row[1].i,
                          .consumer = row[2].s,
                          .office = th_json_str(root, "office"),
                          .reg = th_json_str(root, "register"),
                          .fields = th_json_str(root, "fields"),
                          .operation = th_json_str(root, "operation"),
                          .basis = th_json_str(root, "basis")};
    memcpy(ret_look->log, log.p, log.n);
    return TH_OK;
}

/* Logs are read from the newest generation on; those newer than the one that the page before ended in are behind us. */
th_status th_access_of(th_exchange *ex, th_db *db, const char subject[33], const th_access_from *from, size_t max, th_arena *arena,
                       th_look **ret_looks, size_t *ret_n, th_error *error)
{
    th_rows logs;
    search s = {.arena = arena};
    size_t n = 0;
    th_value code = th_v_text(th_str_of(ex->code));
    th_look *looks = th_alloc_array(arena, max, sizeof *looks);
    if (!looks || !th_unhex((th_str){subject, 2 * SUBJECT_BYTES}, s.from, SUBJECT_BYTES))
        return looks ? TH_INVALID : TH_NO_MEMORY;
    memcpy(s.to, s.from, SUBJECT_BYTES);
    memset(s.to + SUBJECT_BYTES, 0xFF, LOOK_BYTES - SUBJECT_BYTES);
    th_status status = th_db_select(db, "SELECT log FROM journal_log WHERE code = ?1 ORDER BY generation DESC", &code, 1, arena, &logs, error);
    for (size_t i = 0; !status && i < logs.n && n < max; i++) {
        th_str log = th_row(&logs, i)[0].s;
        bool ended_here = th_str_is(log, from->log);
        if (from->log[0] && th_log_generation(log) > th_log_generation(th_str_of(from->log)))
            continue;
        s.n = 0;
        status = log.n < TH_LOG_TEXT ? log_search(&s, db, log, error) : TH_CORRUPT;
        if (s.n)
            qsort(s.found, s.n, sizeof *s.found, newest_first);
        for (size_t k = 0; !status && k < s.n && n < max; k++) {
            if (ended_here && s.found[k] >= from->entry)
                continue;
            status = look_read(db, log, s.found[k], from->before_us, arena, &looks[n], error);
            n += status == TH_OK;
            status = status == TH_NOT_FOUND ? TH_OK : status;
        }
    }
    *ret_looks = looks;
    *ret_n = n;
    return status;
}
