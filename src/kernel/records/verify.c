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
    bool tells_absence, conflicted;
    th_error *error; /* the batch's, for one message at a time: 4 KiB each would be too much */
} asked;

/* ---- what a message asks ----
 *
 * Pointers are into the body of the message. The members of an ask over HTTP have the same names, so that they hold there too. */

static th_status register_of(th_records *records, const th_message *m, th_register **ret_reg, th_error *error)
{
    th_str name;
    if (!th_json_want_str(m->body, "", "register", 64, &name, error))
        return TH_INVALID;
    *ret_reg = th_register_find(records, name);
    return *ret_reg ? TH_OK : th_fail_field(error, "/register", "no-register", "没有这个登记簿", "There is no such register");
}

static th_status keys_read(th_records *records, const th_message *m, th_register *reg, th_str *keys, th_arena *arena, th_error *error)
{
    const th_json *key;
    char pointer[TH_POINTER_TEXT];
    if (!th_json_want_object(m->body, "", "key", &key, error))
        return TH_INVALID;
    int64_t now = th_now_us(records->options.env);
    for (size_t i = 0; i < reg->key_count; i++)
        if (!th_field_check(reg->keys[i], th_json_get_str(key, reg->keys[i]->name), "/key", now, arena, &keys[i], error))
            return TH_INVALID;
    if (key->count == reg->key_count)
        return TH_OK;
    for (const th_json *k = th_json_first(key); k; k = th_json_next(key, k)) {
        bool known = false;
        for (size_t i = 0; i < reg->key_count; i++)
            known = known || th_str_eq(reg->keys[i]->name, k->key);
        th_json_pointer_to(pointer, "/key", k->key);
        if (!known)
            th_fail_field(error, pointer, "unknown-field", "不是键的字段", "This field does not belong to the key");
    }
    return TH_INVALID;
}

static bool is_verify(const th_message *m)
{
    return th_str_is(m->type, "verify");
}

/* What no entry can hold is a mistake of the asker, not a mismatch: it must not use up the budget of guesses. */
static bool claim_check(th_records *records, const th_register *reg, const th_json *claim, th_arena *arena, th_error *error)
{
    const th_predicate *p = th_predicate_find(reg, claim->key);
    const th_field *f = p ? NULL : th_field_find(reg, claim->key);
    th_str text;
    char pointer[TH_POINTER_TEXT];
    th_field_pointer(pointer, "/claims", claim->key);
    if (p)
        return th_predicate_check(p, claim, "/claims", error);
    bool strict = f->format == TH_FORMAT_NAME || f->format == TH_FORMAT_CITIZEN || f->format == TH_FORMAT_USCC || f->format == TH_FORMAT_DATE;
    if (strict)
        return th_field_check(f, claim, "/claims", th_now_us(records->options.env), arena, &text, error);
    if (claim->type == TH_JSON_STRING && th_str_has_controls(claim->text)) {
        th_fail_field(error, pointer, "controls", "含有控制字符或方向控制符", "Has control or direction characters");
        return false;
    }
    if (claim->type == (f->integer ? TH_JSON_NUMBER : TH_JSON_STRING) && claim->text.n <= CLAIM_MAX)
        return true;
    th_fail_field(error, pointer, "type", "值的类型不符或过长", "The value is of the wrong type, or too long");
    return false;
}

/* "name*" asks for the name masked. */
static const th_field *queried(const th_register *reg, th_str name, bool *ret_masked)
{
    *ret_masked = name.n > 1 && name.p[name.n - 1] == '*';
    const th_field *f = th_field_find(reg, (th_str){name.p, name.n - *ret_masked});
    return f && (f->query || (*ret_masked && f->query_masked)) ? f : NULL;
}

static bool verified(const th_register *reg, th_str name)
{
    const th_predicate *p = th_predicate_find(reg, name);
    const th_field *f = th_field_find(reg, name);
    return p ? p->verify : f && f->verify;
}

static th_status claim_named(th_records *records, const th_register *reg, const th_json *claim, th_arena *arena, th_error *error)
{
    char pointer[TH_POINTER_TEXT];
    if (verified(reg, claim->key))
        return claim_check(records, reg, claim, arena, error) ? TH_OK : TH_INVALID;
    th_json_pointer_to(pointer, "/claims", claim->key);
    return th_fail_field(error, pointer, "field", "该登记簿没有可核验的这一项", "The register has no such field that can be verified");
}

/* The answer is an object with the fields as its members, so that none can stand twice. `before`: those that were named already. */
static th_status field_named(const th_register *reg, const th_json *name, const th_str *before, size_t n, th_error *error)
{
    char pointer[TH_POINTER_TEXT];
    bool masked;
    snprintf(pointer, sizeof pointer, "/fields/%zu", n);
    if (name->type != TH_JSON_STRING)
        return th_fail_field(error, pointer, "type", "须为文字", "Must be text");
    if (!queried(reg, name->text, &masked))
        return th_fail_field(error, pointer, "field", "该登记簿没有可查询的这一项", "The register has no such field that can be queried");
    for (size_t i = 0; i < n; i++)
        if (th_str_eq(before[i], name->text))
            return th_fail_field(error, pointer, "repeated", "字段重复", "The field is named twice");
    return TH_OK;
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
    if (verify ? !th_json_want_object(m->body, "", "claims", &list, error)
               : !th_json_want_array(m->body, "", "fields", TH_CLAIMS_MAX, &list, error))
        return TH_INVALID;
    if (!list->count || list->count > TH_CLAIMS_MAX)
        return th_fail_field(error, verify ? "/claims" : "/fields", "length", "须有 1–32 项", "Must have 1 to 32 members");
    th_str *fields = th_alloc_array(arena, list->count, sizeof *fields);
    size_t n = 0;
    if (!fields)
        return TH_NO_MEMORY;
    for (const th_json *c = th_json_first(list); c; c = th_json_next(list, c)) {
        th_str name = verify ? c->key : c->text;
        status = verify ? claim_named(records, reg, c, arena, error) : field_named(reg, c, fields, n, error);
        if (status)
            return status;
        fields[n++] = name;
    }
    *ret_wanted = (th_wanted){.reg = reg->name, .operation = verify ? TH_VERIFY : TH_QUERY, .fields = fields, .field_count = n};
    for (size_t i = 0; i < reg->key_count; i++)
        if (reg->keys[i] == reg->person)
            *ret_id_number = keys[i];
    return TH_OK;
}

bool th_records_waits(void *ctx, const th_message *m)
{
    th_register *reg = th_register_find(ctx, th_json_str(m->body, "register"));
    return reg && th_register_live(ctx, reg).source != TH_SOURCE_LOCAL;
}

th_status th_records_grant_fits(void *ctx, const th_grant *grant, th_error *error)
{
    char pointer[TH_POINTER_TEXT];
    bool ok = true, masked;
    const th_register *reg = th_register_find(ctx, grant->reg);
    if (!reg)
        return th_fail_field(error, "/register", "no-register", "没有这个登记簿", "There is no such register");
    for (size_t i = 0; i < grant->field_count; i++) {
        if (grant->operation == TH_VERIFY ? verified(reg, grant->fields[i]) : queried(reg, grant->fields[i], &masked) != NULL)
            continue;
        snprintf(pointer, sizeof pointer, "/fields/%zu", i);
        th_fail_field(error, pointer, "field", "该登记簿没有这一项，或不能这样读取", "The register has no such field, or it cannot be read in that way");
        ok = false;
    }
    return ok ? TH_OK : TH_INVALID;
}

/* ---- reading ---- */

static void refuse(asked *a, th_arena *arena, th_status status)
{
    a->answer->status = status;
    a->answer->error = th_arena_room(arena, sizeof *a->answer->error);
    if (a->answer->error)
        *a->answer->error = *a->error;
}

static bool prepare(th_records *records, asked *a, th_arena *arena)
{
    const th_message *m = a->message;
    th_lookup *l = &a->lookup;
    th_error_clear(a->error);
    th_status status = register_of(records, m, &l->reg, a->error);
    if (!status)
        status = keys_read(records, m, l->reg, l->keys, arena, a->error);
    if (status) {
        refuse(a, arena, status);
        return false;
    }
    a->claims = th_json_get(m->body, is_verify(m) ? "claims" : "fields");
    l->until_us = m->until_us;
    th_record_key(records, l->reg, l->keys, l->key);
    for (size_t i = 0; i < l->reg->key_count; i++)
        if (l->reg->keys[i] == l->reg->person)
            th_people_subject(records->options.secret, l->keys[i], a->answer->subject);
    a->conflicted = th_conflict_open(records, l->key);
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

static bool same_value(const th_field *f, const th_json *entry, const th_json *claim, th_arena *arena)
{
    th_str said = claim->text;
    unsigned changes;
    const char *code, *zh, *en;
    if (claim->type != entry->type)
        return false;
    if (!f->integer)
        (void)th_field_take(f, claim->text, INT64_MAX / 2, arena, &said, &changes, &code, &zh, &en);
    return th_str_eq(said, entry->text);
}

/* Everything is compared, whether the record is there or its neighbour was read in its place: only the last line knows. That a field is empty
 * tells that there is a record: to who may not know that, it is one more answer that is not a match. A contradiction is said to all, for the
 * wrong "mismatch" about a person would be worse. */
static th_result claim_result(const asked *a, const th_json *claim, th_str today, th_arena *arena)
{
    const th_register *reg = a->lookup.reg;
    const th_predicate *p = th_predicate_find(reg, claim->key);
    const th_field *f = p ? NULL : th_field_find(reg, claim->key);
    const th_json *value = f ? th_json_get_str(a->lookup.entry, f->name) : NULL;
    th_result result = TH_RESULT_INDETERMINATE;
    if (p)
        result = th_predicate_holds(p, a->lookup.entry, claim, today);
    else if (value && value->type != TH_JSON_NULL)
        result = same_value(f, value, claim, arena) ? TH_RESULT_MATCH : TH_RESULT_MISMATCH;
    if (result == TH_RESULT_INDETERMINATE && !a->tells_absence)
        result = TH_RESULT_MISMATCH;
    if (a->conflicted)
        result = TH_RESULT_INDETERMINATE;
    return a->lookup.present ? result : a->tells_absence ? TH_RESULT_NO_RECORD : TH_RESULT_MISMATCH;
}

static void footer(th_records *records, th_register *reg, th_pen *pen)
{
    th_live live = th_register_live(records, reg);
    if (live.made_us)
        th_pen_ktime(pen, "as_of", live.made_us);
    if (live.simulated)
        th_pen_kbool(pen, "simulated", true);
}

static void verify_answer(th_records *records, asked *a, th_str today, th_arena *arena)
{
    static const char *const words[] = {"match", "mismatch", "no_record", "indeterminate"};
    th_buf buf;
    bool missed = false; /* whatever is no match may have been a guess */
    th_register *reg = a->lookup.reg;
    th_buf_open(&buf, arena, 8192);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "results");
    th_pen_object(&pen);
    for (const th_json *c = th_json_first(a->claims); c; c = th_json_next(a->claims, c)) {
        th_result result = claim_result(a, c, today, arena);
        missed = missed || result != TH_RESULT_MATCH;
        th_pen_key_str(&pen, c->key);
        th_pen_text(&pen, words[result]);
    }
    th_pen_end(&pen, '}');
    footer(records, reg, &pen);
    th_pen_end(&pen, '}');
    if (missed)
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
    if (!a->lookup.present) {
        refuse(a, arena, th_fail(a->error, TH_NOT_FOUND, "no-record", "没有这条记录", "There is no such record"));
        return;
    }
    if (a->conflicted) {
        refuse(a, arena,
               th_fail(a->error, TH_CONFLICT, "record-conflict", "登记信息有冲突，正在核对，暂不能提供",
                       "What the register holds contradicts itself and is being looked into; it is not told for now"));
        return;
    }
    th_buf_open(&buf, arena, TH_ENTRY_JSON_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "record");
    th_pen_object(&pen);
    for (const th_json *c = th_json_first(a->claims); c; c = th_json_next(a->claims, c)) {
        bool masked;
        const th_field *f = queried(reg, c->text, &masked);
        const th_json *value = f ? th_json_get_str(a->lookup.entry, f->name) : NULL;
        th_pen_key_str(&pen, c->text);
        if (value && masked && value->type == TH_JSON_STRING)
            th_pen_str(&pen, th_field_masked(f, value->text, arena));
        else
            th_pen_raw(&pen, value && !masked ? value->raw : TH_STR("null"));
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
static void answer(th_records *records, asked *a, th_str today, th_arena *arena)
{
    th_error_clear(a->error);
    if (a->lookup.status) {
        refuse(a, arena,
               th_fail(a->error, TH_UNAVAILABLE, "register-unavailable", "登记簿暂时无法读取，请稍后再试",
                       "The register cannot be read now; try again shortly"));
        return;
    }
    /* One after another, so that a batch of guesses about one person is stopped within the batch. */
    int retry_s = 0;
    if (is_verify(a->message) && !th_budget_allows(records, a->lookup.reg, a->message, a->lookup.key, &retry_s)) {
        TH_IGNORE(th_fail(a->error, TH_BUSY, "verify-budget", "不一致次数过多，暂停核验", "Too many mismatches; verifying is suspended for a while"));
        a->error->retry_after_s = retry_s;
        refuse(a, arena, TH_BUSY);
        return;
    }
    if (is_verify(a->message))
        verify_answer(records, a, today, arena);
    else
        query_answer(records, a, arena);
}

/* What a message's own grant adds to the register's rule. */
static bool grant_tells(const th_grants *grants, const th_message *m)
{
    const th_grant *grant = grants ? th_grants_find(grants, m->grant) : NULL;
    return grant && grant->tells_absence;
}

static void batch_read(th_records *records, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    asked *all = th_alloc_array(arena, n, sizeof *all);
    th_lookup **lookups = th_alloc_array(arena, n, sizeof *lookups);
    size_t good = 0;
    char today[TH_TIME_TEXT];
    th_error error;
    if (!all || !lookups) {
        for (size_t i = 0; i < n; i++)
            answers[i]->status = TH_NO_MEMORY;
        return;
    }
    th_grants *grants = records->exchange ? th_exchange_grants(records->exchange, th_str_of(records->code)) : NULL;
    for (size_t i = 0; i < n; i++) {
        all[i].message = messages[i];
        all[i].answer = answers[i];
        all[i].error = &error;
        if (prepare(records, &all[i], arena)) {
            all[i].tells_absence = all[i].lookup.reg->tells_absence || grant_tells(grants, messages[i]);
            lookups[good++] = &all[i].lookup;
        }
    }
    th_grants_release(grants);
    th_lookups_read(records, db, lookups, good, arena);
    th_time_shanghai(th_now_us(records->options.env), today);
    for (size_t i = 0; i < n; i++)
        if (!answers[i]->status)
            answer(records, &all[i], (th_str){today, 10}, arena);
}

void th_verify_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    batch_read(ctx, db, messages, n, arena, answers);
}

void th_query_read(void *ctx, th_db *db, const th_message *const *messages, size_t n, th_arena *arena, th_answer **answers)
{
    batch_read(ctx, db, messages, n, arena, answers);
}
