/* looks.c — the citizen's view: who looked at which fields, when, for which item, under which grant, with the receipt.
 *
 * A provider answers the message "looks" from its access log, found by its own keyed pseudonym of the person. What permits it is the
 * person's own consent token for the register "access-log", made when the person asks, and not older than a quarter of an hour. That the
 * list was read is a look like any other and stands in the next one: whoever got hold of such a token does not read unseen. */
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
    *ret_wanted = (th_wanted){.reg = TH_STR("access-log"), .operation = TH_QUERY, .fields = fields, .field_count = 1,
                              .consent_age_us = TOKEN_LIFE_MAX_S * TH_SECOND_US};
    *ret_id_number = number;
    return TH_OK;
}

/* What permitted the look: her consent or an office's duty, and the law that the grant cites for either. */
static void basis_write(th_pen *pen, const th_look *look, const th_grant *grant)
{
    th_pen_key(pen, "basis");
    th_pen_object(pen);
    th_pen_kstr(pen, "kind", look->basis);
    th_pen_key(pen, "law");
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", grant ? grant->basis_zh : (th_str){NULL, 0});
    th_pen_kstr(pen, "en", grant ? grant->basis_en : (th_str){NULL, 0});
    th_pen_end(pen, '}');
    th_pen_end(pen, '}');
}

/* What the public entry says of the message, beside what only this node knows; null when the entry cannot be read. */
static void look_write(th_db *db, th_pen *pen, const th_look *look, const th_grants *grants, th_arena *arena)
{
    th_receipt receipt = {.index = look->entry};
    th_entry entry = {0};
    th_str log = th_str_of(look->log);
    th_hash *path = th_alloc_array(arena, TH_MERKLE_DEPTH, sizeof *path);
    bool proved = path && !th_journal_head_last(db, log, &receipt.head, NULL) &&
                  !th_journal_entry(db, log, look->entry, arena, &receipt.entry, NULL) && !th_entry_read(receipt.entry, arena, &entry, NULL) &&
                  !th_journal_inclusion(db, &receipt.head, look->entry, path, &receipt.path_n, NULL);
    receipt.path = path;
    th_pen_object(pen);
    th_pen_kstr(pen, "message", entry.id);
    th_pen_kstr(pen, "consumer", look->consumer);
    th_pen_kstr(pen, "office", look->office);
    th_pen_kstr(pen, "register", look->reg);
    th_pen_kstr(pen, "fields", look->fields);
    th_pen_kstr(pen, "operation", look->operation);
    th_pen_kstr(pen, "item", entry.item);
    th_pen_kstr(pen, "case", entry.case_id);
    th_pen_kstr(pen, "grant", entry.grant);
    basis_write(pen, look, grants ? th_grants_find(grants, entry.grant) : NULL);
    th_pen_ktime(pen, "at", look->at_us);
    th_pen_key(pen, "receipt");
    if (proved)
        th_receipt_write(pen, &receipt);
    else
        th_pen_null(pen);
    th_pen_end(pen, '}');
}

/* A page goes on behind one look: "log/entry", for many looks share the instant of their batch. An instant is taken too, and means what
 * was before it. */
bool th_looks_cursor(th_str before, th_access_from *ret_from)
{
    th_str rest = before, log;
    int64_t entry;
    *ret_from = (th_access_from){.before_us = INT64_MAX};
    if (!rest.n || th_time_parse(rest, &ret_from->before_us))
        return true;
    if (!th_str_cut(&rest, '/', &log) || log.n >= TH_LOG_TEXT || !th_log_generation(log) || !th_parse_i64(rest, 0, INT64_MAX, &entry))
        return false;
    memcpy(ret_from->log, log.p, log.n);
    ret_from->entry = (uint64_t)entry;
    return true;
}

static th_status looks_answer(th_exchange *ex, th_db *db, const th_message *m, th_arena *arena, th_answer *answer)
{
    th_look *looks;
    size_t n;
    th_buf buf;
    th_access_from from;
    char subject[TH_SUBJECT_TEXT];
    if (!th_looks_cursor(th_json_str(m->body, "before"), &from))
        return TH_INVALID;
    th_people_subject(ex->secret, th_json_str(m->body, "id_number"), subject);
    th_status status = th_access_of(ex, db, subject, &from, LOOKS_PAGE + 1, arena, &looks, &n, NULL);
    if (status)
        return status;
    bool more = n > LOOKS_PAGE;
    n = more ? LOOKS_PAGE : n;
    th_buf_open(&buf, arena, TH_ANSWER_MAX - 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    th_grants *grants = th_exchange_grants(ex, th_str_of(ex->code));
    for (size_t i = 0; i < n; i++)
        look_write(db, &pen, &looks[i], grants, arena);
    th_grants_release(grants);
    th_pen_end(&pen, ']');
    th_pen_kstr(&pen, "next",
                more ? th_strf(arena, "%s/%llu", looks[n - 1].log, (unsigned long long)looks[n - 1].entry) : (th_str){NULL, 0});
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return TH_TOO_LARGE;
    answer->body = th_buf_view(&buf);
    answer->reg = TH_STR("access-log");
    answer->fields = TH_STR("looks");
    memcpy(answer->subject, subject, sizeof answer->subject);
    return TH_OK;
}

void th_looks_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    for (size_t i = 0; i < n; i++)
        answers[i]->status = looks_answer(ctx, db, messages[i], arena, answers[i]);
}
