/* verify.c — verify compares and never tells; query tells what the grant names. Both gather a batch's look-ups into one read. */
#include "records-private.h"

#include <stdio.h>
#include <string.h>

enum { CLAIM_MAX = 1000 };

typedef struct asked {
    const th_message *message;
    th_answer *answer;
    th_lookup lookup;
    const th_json *claims; /* verify: object; query: array */
    th_error error;
} asked;

/* ---- what a message asks ---- */

static th_status register_of(th_records *records, const th_message *m, th_register **ret_reg, th_error *error)
{
    th_str name;
    if (!th_json_want_str(m->body, "/body", "register", 64, &name, error))
        return TH_INVALID;
    *ret_reg = th_register_find(records, name);
    return *ret_reg ? TH_OK : th_fail_field(error, "/body/register", "no-register", "没有这个登记簿", "There is no such register");
}

static th_status keys_read(th_records *records, const th_message *m, th_register *reg, th_str *keys, th_arena *arena, th_error *error)
{
    const th_json *key;
    if (!th_json_want_object(m->body, "/body", "key", &key, error))
        return TH_INVALID;
    int64_t now = th_now_us(records->options.env);
    for (size_t i = 0; i < reg->key_count; i++)
        if (!th_field_check(reg->keys[i], th_json_get_str(key, reg->keys[i]->name), "/body/key", now, arena, &keys[i], error))
            return TH_INVALID;
    if (key->count != reg->key_count)
        return th_fail_field(error, "/body/key", "unknown-field", "键中有多余的字段", "The key has fields that do not belong to it");
    return TH_OK;
}

static bool is_verify(const th_message *m)
{
    return th_str_is(m->type, "verify");
}

/* What no entry can hold is a mistake of the asker, not a mismatch: it must not use up the budget of guesses. */
static th_status claim_wrong(const th_field *f, th_error *error)
{
    char pointer[120];
    snprintf(pointer, sizeof pointer, "/body/claims/%.*s", TH_FMT(f->name));
    return th_fail_field(error, pointer, "type", "值的类型不符或过长", "The value is of the wrong type, or too long");
}

th_status th_records_wanted(void *ctx, const th_message *m, th_arena *arena, th_wanted *ret_wanted, th_str *ret_id_number, th_error *error)
{
    th_records *records = ctx;
    th_register *reg;
    th_str keys[TH_REGISTER_KEYS_MAX];
    const th_json *list;
    bool verify = is_verify(m);
    th_status status = register_of(records, m, &reg, error);
    if (!status)
        status = keys_read(records, m, reg, keys, arena, error);
    if (status)
        return status;
    if (verify ? !th_json_want_object(m->body, "/body", "claims", &list, error)
               : !th_json_want_array(m->body, "/body", "fields", TH_CLAIMS_MAX, &list, error))
        return TH_INVALID;
    if (!list->count || list->count > TH_CLAIMS_MAX)
        return th_fail_field(error, verify ? "/body/claims" : "/body/fields", "length", "须有 1–32 项", "Must have 1 to 32 members");
    th_str *fields = th_alloc_array(arena, list->count, sizeof *fields);
    size_t n = 0;
    if (!fields)
        return TH_NO_MEMORY;
    for (const th_json *c = th_json_first(list); c; c = th_json_next(list, c)) {
        th_str name = verify ? c->key : c->text;
        const th_field *f = th_field_find(reg, name);
        if (!f || !(verify ? f->verify : f->query))
            return th_fail_field(error, verify ? "/body/claims" : "/body/fields", "field", "其中有不可核验或查询的字段",
                                 "Names a field that cannot be verified or queried");
        if (verify && (c->type != (f->integer ? TH_JSON_NUMBER : TH_JSON_STRING) || c->text.n > CLAIM_MAX))
            return claim_wrong(f, error);
        fields[n++] = f->name;
    }
    *ret_wanted = (th_wanted){.reg = reg->name, .operation = verify ? TH_VERIFY : TH_QUERY, .fields = fields, .field_count = n};
    for (size_t i = 0; i < reg->key_count; i++)
        if (reg->keys[i] == reg->person)
            *ret_id_number = keys[i];
    return TH_OK;
}

/* ---- reading ---- */

static void refuse(asked *a, th_arena *arena, th_status status)
{
    a->answer->status = status;
    a->answer->error = th_alloc(arena, sizeof *a->answer->error);
    if (a->answer->error)
        *a->answer->error = a->error;
}

static bool prepare(th_records *records, asked *a, th_arena *arena)
{
    const th_message *m = a->message;
    th_lookup *l = &a->lookup;
    th_status status = register_of(records, m, &l->reg, &a->error);
    if (!status)
        status = keys_read(records, m, l->reg, l->keys, arena, &a->error);
    if (status) {
        refuse(a, arena, status);
        return false;
    }
    a->claims = th_json_get(m->body, is_verify(m) ? "claims" : "fields");
    th_record_key(records, l->reg, l->keys, l->key);
    for (size_t i = 0; i < l->reg->key_count; i++)
        if (l->reg->keys[i] == l->reg->person)
            th_people_subject(records->options.secret, l->keys[i], a->answer->subject);
    if (is_verify(m) && !th_budget_allows(records, l->reg, m, l->key)) {
        a->error.retry_after_s = 3600;
        refuse(a, arena,
               th_fail(&a->error, TH_BUSY, "verify-budget", "不一致次数过多，暂停核验", "Too many mismatches; verifying is suspended for a while"));
        return false;
    }
    return true;
}

static th_str names_joined(const th_json *list, bool keys, th_arena *arena)
{
    th_buf buf;
    th_buf_open(&buf, arena, 4096);
    for (const th_json *c = th_json_first(list); c; c = th_json_next(list, c)) {
        if (buf.n)
            th_buf_char(&buf, ',');
        th_buf_str(&buf, keys ? c->key : c->text);
    }
    return th_buf_view(&buf);
}

static bool same_value(const th_field *f, const th_json *entry, const th_json *claim)
{
    if (claim->type != entry->type)
        return false;
    th_str said = f->integer ? claim->text : th_str_trim(claim->text);
    return th_str_eq(said, entry->text);
}

static const char *claim_result(const th_register *reg, const th_json *entry, const th_json *claim)
{
    const th_field *f = th_field_find(reg, claim->key);
    if (!entry)
        return reg->tells_absence ? "no_record" : "mismatch";
    const th_json *value = f ? th_json_get_str(entry, f->name) : NULL;
    if (!value || value->type == TH_JSON_NULL)
        return "indeterminate";
    return same_value(f, value, claim) ? "match" : "mismatch";
}

static void footer(th_records *records, th_register *reg, th_pen *pen)
{
    th_live live = th_register_live(records, reg);
    if (live.made_us)
        th_pen_ktime(pen, "as_of", live.made_us);
    if (live.simulated)
        th_pen_kbool(pen, "simulated", true);
}

static void verify_answer(th_records *records, asked *a, th_arena *arena)
{
    th_buf buf;
    bool mismatch = false;
    th_register *reg = a->lookup.reg;
    th_buf_open(&buf, arena, 8192);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "results");
    th_pen_object(&pen);
    for (const th_json *c = th_json_first(a->claims); c; c = th_json_next(a->claims, c)) {
        const char *result = claim_result(reg, a->lookup.entry, c);
        mismatch = mismatch || (result[0] == 'm' && result[1] == 'i') || result[0] == 'n';
        th_pen_key_str(&pen, c->key);
        th_pen_text(&pen, result);
    }
    th_pen_end(&pen, '}');
    footer(records, reg, &pen);
    th_pen_end(&pen, '}');
    if (mismatch)
        th_budget_mismatch(records, reg, a->message, a->lookup.key);
    a->answer->body = th_buf_view(&buf);
    a->answer->reg = reg->name;
    a->answer->fields = names_joined(a->claims, true, arena);
    if (!th_buf_ok(&buf))
        a->answer->status = TH_TOO_LARGE;
}

static void query_answer(th_records *records, asked *a, th_arena *arena)
{
    th_buf buf;
    th_register *reg = a->lookup.reg;
    if (!a->lookup.entry) {
        refuse(a, arena, th_fail(&a->error, TH_NOT_FOUND, "no-record", "没有这条记录", "There is no such record"));
        return;
    }
    th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "record");
    th_pen_object(&pen);
    for (const th_json *c = th_json_first(a->claims); c; c = th_json_next(a->claims, c)) {
        const th_json *value = th_json_get_str(a->lookup.entry, c->text);
        th_pen_key_str(&pen, c->text);
        th_pen_raw(&pen, value ? value->raw : TH_STR("null"));
    }
    th_pen_end(&pen, '}');
    footer(records, reg, &pen);
    th_pen_end(&pen, '}');
    a->answer->body = th_buf_view(&buf);
    a->answer->reg = reg->name;
    a->answer->fields = names_joined(a->claims, false, arena);
    if (!th_buf_ok(&buf))
        a->answer->status = TH_TOO_LARGE;
}

/* A register that cannot be reached is never a mismatch. */
static void answer(th_records *records, asked *a, th_arena *arena)
{
    if (a->lookup.status) {
        refuse(a, arena,
               th_fail(&a->error, TH_UNAVAILABLE, "register-unavailable", "登记簿暂时无法读取，请稍后再试",
                       "The register cannot be read now; try again shortly"));
        return;
    }
    if (is_verify(a->message))
        verify_answer(records, a, arena);
    else
        query_answer(records, a, arena);
}

static void batch_read(th_records *records, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    asked *all = th_alloc_array(arena, n, sizeof *all);
    th_lookup **lookups = th_alloc_array(arena, n, sizeof *lookups);
    size_t good = 0;
    if (!all || !lookups) {
        for (size_t i = 0; i < n; i++)
            answers[i]->status = TH_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        all[i].message = messages[i];
        all[i].answer = answers[i];
        if (prepare(records, &all[i], arena))
            lookups[good++] = &all[i].lookup;
    }
    th_lookups_read(records, db, lookups, good, arena);
    for (size_t i = 0; i < n; i++)
        if (!answers[i]->status)
            answer(records, &all[i], arena);
}

void th_verify_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    batch_read(ctx, db, messages, n, arena, answers);
}

void th_query_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    batch_read(ctx, db, messages, n, arena, answers);
}
