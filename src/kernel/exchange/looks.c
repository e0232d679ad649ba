/* looks.c — the citizen's view: who looked at which fields, when, for which item, under which grant, with the receipt.
 *
 * A provider answers the message "looks" from its access log, found by its own keyed pseudonym of the person. What permits it is the
 * person's own consent token for the register "access-log", made when the person asks. */
#include "exchange-private.h"
#include "platform/people/people.h"

#include <string.h>

enum { LOOKS_PAGE = 24, TOKEN_LIFE_MAX_S = 900 };

th_status th_looks_wanted(void *ctx, const th_message *message, th_arena *arena, th_wanted *ret_wanted, th_str *ret_id_number,
                          th_error *error)
{
    static const th_str fields[] = {{"looks", 5}};
    th_str number;
    (void)ctx;
    (void)arena;
    if (!th_json_want_str(message->body, "/body", "id_number", 32, &number, error))
        return TH_INVALID;
    *ret_wanted = (th_wanted){.reg = TH_STR("access-log"), .operation = TH_QUERY, .fields = fields, .field_count = 1};
    *ret_id_number = number;
    return TH_OK;
}

static void receipt_member(th_exchange *ex, th_db *db, th_pen *pen, th_str log, int64_t index, th_arena *arena)
{
    th_receipt receipt = {0};
    th_hash *path = th_alloc_array(arena, TH_MERKLE_DEPTH, sizeof *path);
    (void)ex;
    if (!path || th_journal_head_last(db, log, &receipt.head, NULL) ||
        th_journal_entry(db, log, (uint64_t)index, arena, &receipt.entry, NULL) ||
        th_journal_inclusion(db, &receipt.head, (uint64_t)index, path, &receipt.path_n, NULL)) {
        th_pen_null(pen);
        return;
    }
    receipt.path = path;
    receipt.index = (uint64_t)index;
    th_receipt_write(pen, &receipt);
}

static void look_write(th_exchange *ex, th_db *db, th_pen *pen, const th_value *row, th_arena *arena)
{
    static const char *const names[] = {"message", NULL, "consumer", "office", "register", "fields", "operation",
                                        "item", "case", "grant"};
    th_pen_object(pen);
    for (size_t i = 0; i < TH_COUNT(names); i++)
        if (names[i])
            th_pen_kstr(pen, names[i], row[i].s);
    th_pen_ktime(pen, "at", row[1].i);
    th_pen_key(pen, "receipt");
    receipt_member(ex, db, pen, row[10].s, row[11].i, arena);
    th_pen_end(pen, '}');
}

static th_status looks_answer(th_exchange *ex, th_db *db, const th_message *m, th_arena *arena, th_answer *answer)
{
    th_rows rows;
    th_buf buf;
    char subject[TH_SUBJECT_TEXT];
    int64_t before = INT64_MAX;
    th_str before_text = th_json_str(m->body, "before");
    if (before_text.n && !th_time_parse(before_text, &before))
        return TH_INVALID;
    th_people_subject(ex->secret, th_json_str(m->body, "id_number"), subject);
    th_value values[] = {th_v_text(th_str_of(subject)), th_v_int(before), th_v_int(LOOKS_PAGE)};
    th_status status = th_db_select(db,
                                    "SELECT message, at, consumer, office, register, fields, operation, item, case_id, grant_id, "
                                    "log, entry FROM exchange_access WHERE subject = ?1 AND at < ?2 ORDER BY at DESC LIMIT ?3",
                                    values, 3, arena, &rows, NULL);
    if (status)
        return status;
    th_buf_open(&buf, arena, TH_ANSWER_MAX - 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < rows.n; i++)
        look_write(ex, db, &pen, th_row(&rows, i), arena);
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "next");
    if (rows.n == LOOKS_PAGE) {
        char at[TH_TIME_TEXT];
        th_time_utc(th_row(&rows, rows.n - 1)[1].i, at);
        th_pen_text(&pen, at);
    } else {
        th_pen_null(&pen);
    }
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    answer->body = th_buf_view(&buf);
    return TH_OK;
}

void th_looks_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    for (size_t i = 0; i < n; i++)
        answers[i]->status = looks_answer(ctx, db, messages[i], arena, answers[i]);
}
