/* draft.c — a trust document before it is signed, put together from what members tell of themselves.
 *
 * Members stay in the order in which they came, so that two drafts of the same content are the same bytes after RFC 8785. */
#include "node/cmd.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 4 << 20, MEMBER_MAX = 64 * 1024, KEY_YEARS = 3 };

static th_status too_large(th_error *error)
{
    return th_fail(error, TH_TOO_LARGE, "member-too-large", "成员条目过大", "The member's entry is too large");
}

/* ---- a member of itself ---- */

static void key_write(th_pen *pen, const th_key *key, th_arena *arena)
{
    char kid[TH_KID_TEXT];
    th_str open = th_key_public(key);
    th_kid_of(key, kid);
    th_pen_object(pen);
    th_pen_ktext(pen, "kid", kid);
    th_pen_ktext(pen, "suite", th_suite_name(th_key_suite(key)));
    th_pen_kstr(pen, "public", th_base64url(arena, open.p, open.n));
}

static void member_key_write(th_pen *pen, const th_key *key, const char *use, int64_t now_us, th_arena *arena)
{
    char from[TH_TIME_TEXT], until[TH_TIME_TEXT];
    th_time_utc(now_us - TH_DAY_US, from);
    th_time_utc(now_us + KEY_YEARS * 365 * TH_DAY_US, until);
    key_write(pen, key, arena);
    th_pen_ktext(pen, "use", use);
    th_pen_ktext(pen, "not_before", from);
    th_pen_ktext(pen, "not_after", until);
    th_pen_end(pen, '}');
}

static th_status keys_write(th_pen *pen, const char *dir, const th_keys *keys, int64_t now_us, th_arena *arena, th_error *error)
{
    const struct { const th_key *key; const char *name, *use; } all[] = {{keys->message, "message", "message"},
                                                                          {keys->journal, "journal", "journal"},
                                                                          {keys->certificate, "certificate", "certificate"},
                                                                          {keys->certificate_p256, "certificate-p256", "certificate"}};
    th_status status = TH_OK;
    th_pen_key(pen, "keys");
    th_pen_array(pen);
    for (size_t i = 0; !status && i < TH_COUNT(all); i++) {
        th_key *next = NULL;
        if (all[i].key)
            member_key_write(pen, all[i].key, all[i].use, now_us, arena);
        status = th_key_next(dir, all[i].name, &next, error);
        if (next)
            member_key_write(pen, next, all[i].use, now_us, arena);
        th_key_close(next);
    }
    th_pen_end(pen, ']');
    return status;
}

static th_status pins_write(th_pen *pen, const char *dir, th_arena *arena, th_error *error)
{
    static const char *const files[] = {"keys/tls.cert.pem", "keys/tls.next.cert.pem"};
    th_status status = TH_OK;
    th_pen_key(pen, "tls");
    th_pen_array(pen);
    for (size_t i = 0; !status && i < TH_COUNT(files); i++) {
        char path[TH_PATH_TEXT], pin[TH_PIN_TEXT];
        th_str pem;
        if (!th_path_join(path, dir, files[i]))
            return th_fail(error, TH_TOO_LARGE, "file", "路径过长", "The path is too long");
        if (i && !th_file_exists(path))
            continue;
        status = th_file_read(path, 64 * 1024, arena, &pem, error);
        if (!status && (status = th_tls_pin_of_pem(pem, pin)) != TH_OK)
            th_failf(error, status, "certificate-file", "证书文件 %s 无法读取", "The certificate file %s cannot be read", path);
        if (!status)
            th_pen_text(pen, pin);
    }
    th_pen_end(pen, ']');
    return status;
}

th_status th_member_tell(const char *dir, const char *zh, const char *en, th_arena *arena, th_str *ret_json, th_error *error)
{
    th_env env = th_env_real();
    int64_t now = th_now_us(&env);
    th_config c;
    th_keys keys;
    th_key *next = NULL;
    th_buf buf;
    th_status status = th_config_read(dir, &c, error);
    if (!status)
        status = th_keys_read(dir, &keys, error);
    if (status)
        return status;
    th_buf_open(&buf, arena, MEMBER_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_key(&pen, "member");
    th_pen_object(&pen);
    th_pen_ktext(&pen, "code", c.code);
    th_pen_kwords(&pen, "name", zh, en);
    th_pen_ktext(&pen, "peer", c.peer_url);
    th_pen_ktext(&pen, "portal", c.portal_url);
    status = keys_write(&pen, dir, &keys, now, arena, error);
    if (!status)
        status = pins_write(&pen, dir, arena, error);
    th_pen_end(&pen, '}');
    if (!status)
        status = th_key_next(dir, "governor", &next, error);
    const th_key *governor = next ? next : keys.governor;
    if (governor) {
        th_pen_key(&pen, "governor");
        key_write(&pen, governor, arena);
        th_pen_ktext(&pen, "holder", c.code);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, '}');
    th_key_close(next);
    th_keys_close(&keys);
    *ret_json = th_buf_view(&buf);
    return status ? status : th_buf_ok(&buf) ? TH_OK : too_large(error);
}

/* ---- the draft ---- */

typedef struct th_draft_row row;

static row *row_find(row *rows, size_t n, th_str key)
{
    for (size_t i = 0; i < n; i++)
        if (th_str_eq(rows[i].key, key))
            return &rows[i];
    return NULL;
}

static th_status row_put(row *rows, size_t *n, th_str key, th_str json, th_error *error)
{
    row *found = row_find(rows, *n, key);
    if (!found && *n == TH_MEMBERS_MAX)
        return th_fail(error, TH_TOO_LARGE, "too-many-members", "成员过多", "There are too many members");
    if (!found)
        found = &rows[(*n)++];
    *found = (row){key, json};
    return TH_OK;
}

static bool row_drop(row *rows, size_t *n, th_str key)
{
    row *found = row_find(rows, *n, key);
    if (!found)
        return false;
    memmove(found, found + 1, (size_t)(rows + *n - (found + 1)) * sizeof *found);
    (*n)--;
    return true;
}

static th_status rows_read(const th_json *list, const char *key, row *rows, size_t *n, th_error *error)
{
    th_status status = TH_OK;
    for (const th_json *v = th_json_first(list); v && !status; v = th_json_next(list, v))
        status = row_put(rows, n, key ? th_json_str(v, key) : v->text, v->raw, error);
    return status;
}

th_status th_draft_read(th_str document, th_arena *arena, th_draft *ret_draft, th_error *error)
{
    const th_json *root;
    th_draft d = {.arena = arena};
    th_str kept = th_str_keep(arena, document);
    th_status status = kept.p ? th_json_parse(kept, arena, &root, error) : TH_NO_MEMORY;
    if (status)
        return status;
    const th_json *part = th_json_get(root, "signed"), *governors = th_json_get(part, "governors");
    if (!part)
        return th_fail_field(error, "/signed", "required", "缺少签名内容", "The signed part is missing");
    d.id = th_json_str(part, "region");
    d.zh = th_json_str(th_json_get(part, "name"), "zh");
    d.en = th_json_str(th_json_get(part, "name"), "en");
    d.version = th_json_int(part, "version", 0);
    d.threshold = th_json_int(governors, "threshold", 0);
    TH_IGNORE(!th_time_parse(th_json_str(part, "issued"), &d.issued_us));
    TH_IGNORE(!th_time_parse(th_json_str(part, "expires"), &d.expires_us));
    status = rows_read(th_json_get(governors, "keys"), "holder", d.governors, &d.governor_count, error);
    if (!status)
        status = rows_read(th_json_get(part, "members"), "code", d.members, &d.member_count, error);
    if (!status)
        status = rows_read(th_json_get(part, "suspended"), NULL, d.suspended, &d.suspended_count, error);
    if (!status)
        *ret_draft = d;
    return status;
}

/* ---- one member's entry over an earlier one ---- */

static const th_json *key_in(const th_json *keys, th_str kid)
{
    for (const th_json *k = th_json_first(keys); k; k = th_json_next(keys, k))
        if (th_str_eq(th_json_str(k, "kid"), kid))
            return k;
    return NULL;
}

/* A key that the member no longer tells of ends with the new version, or earlier if it was to. What it signed before stays good. */
static void retired_write(th_pen *pen, const th_json *key, int64_t end_us)
{
    int64_t until;
    th_pen_object(pen);
    for (const th_json *m = th_json_first(key); m; m = th_json_next(key, m))
        if (th_str_is(m->key, "not_after") && th_time_parse(m->text, &until) && until > end_us)
            th_pen_ktime(pen, "not_after", end_us);
        else {
            th_pen_key_str(pen, m->key);
            th_pen_raw(pen, m->raw);
        }
    th_pen_end(pen, '}');
}

/* Keys of the earlier entry keep their dates: receipts from before are checked against them. */
static void keys_merge(th_pen *pen, const th_json *before, const th_json *told, int64_t end_us)
{
    int64_t from;
    th_pen_array(pen);
    for (const th_json *k = th_json_first(told); k; k = th_json_next(told, k)) {
        const th_json *had = key_in(before, th_json_str(k, "kid"));
        th_pen_raw(pen, had ? had->raw : k->raw);
    }
    for (const th_json *k = th_json_first(before); k; k = th_json_next(before, k))
        if (!key_in(told, th_json_str(k, "kid")) && th_time_parse(th_json_str(k, "not_before"), &from) && from < end_us)
            retired_write(pen, k, end_us);
    th_pen_end(pen, ']');
}

static th_status member_merge(th_draft *draft, th_str before, const th_json *told, th_str *ret_json, th_error *error)
{
    th_buf buf;
    const th_json *had;
    th_status status = th_json_parse(before, draft->arena, &had, error);
    if (status)
        return status;
    th_buf_open(&buf, draft->arena, MEMBER_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    for (const th_json *m = th_json_first(told); m; m = th_json_next(told, m)) {
        th_pen_key_str(&pen, m->key);
        if (th_str_is(m->key, "keys"))
            keys_merge(&pen, th_json_get(had, "keys"), m, draft->issued_us + TH_MINUTE_US); /* issued a minute back, for slow clocks */
        else
            th_pen_raw(&pen, m->raw);
    }
    th_pen_end(&pen, '}');
    *ret_json = th_buf_view(&buf);
    return th_buf_ok(&buf) ? TH_OK : too_large(error);
}

th_status th_draft_put(th_draft *draft, th_str told, th_error *error)
{
    const th_json *root;
    th_str kept = th_str_keep(draft->arena, told);
    th_status status = kept.p ? th_json_parse(kept, draft->arena, &root, error) : TH_NO_MEMORY;
    if (status)
        return status;
    const th_json *member = th_json_get(root, "member"), *governor = th_json_get(root, "governor");
    th_str code = th_json_str(member, "code");
    if (!code.n)
        return th_fail(error, TH_INVALID, "member-file", "不是成员条目（请用 tonghui region member 生成）", "Not a member's entry (make one with tonghui region member)");
    const row *had = row_find(draft->members, draft->member_count, code);
    th_str json = member->raw;
    if (had)
        status = member_merge(draft, had->json, member, &json, error);
    if (!status)
        status = row_put(draft->members, &draft->member_count, code, json, error);
    if (!status && governor)
        status = row_put(draft->governors, &draft->governor_count, th_json_str(governor, "holder"), governor->raw, error);
    return status;
}

th_status th_draft_drop(th_draft *draft, th_str code, th_error *error)
{
    if (!row_drop(draft->members, &draft->member_count, code))
        return th_failf(error, TH_NOT_FOUND, "unknown-member", "没有成员 %.*s", "There is no member %.*s", TH_FMT(code));
    row_drop(draft->governors, &draft->governor_count, code);
    row_drop(draft->suspended, &draft->suspended_count, code);
    return TH_OK;
}

th_status th_draft_suspend(th_draft *draft, th_str code, bool suspended, th_error *error)
{
    if (!row_find(draft->members, draft->member_count, code))
        return th_failf(error, TH_NOT_FOUND, "unknown-member", "没有成员 %.*s", "There is no member %.*s", TH_FMT(code));
    if (suspended)
        return row_put(draft->suspended, &draft->suspended_count, code, th_strf(draft->arena, "\"%.*s\"", TH_FMT(code)), error);
    if (!row_drop(draft->suspended, &draft->suspended_count, code))
        return th_failf(error, TH_CONFLICT, "not-suspended", "成员 %.*s 并未被暂停", "The member %.*s is not suspended", TH_FMT(code));
    return TH_OK;
}

static void rows_write(th_pen *pen, const char *key, const row *rows, size_t n)
{
    th_pen_key(pen, key);
    th_pen_array(pen);
    for (size_t i = 0; i < n; i++)
        th_pen_raw(pen, rows[i].json);
    th_pen_end(pen, ']');
}

th_status th_draft_document(const th_draft *draft, th_str *ret_document, th_error *error)
{
    th_buf buf;
    if (draft->threshold < 1 || draft->threshold > (int64_t)draft->governor_count)
        return th_failf(error, TH_UNPROCESSABLE, "threshold", "门限须在 1 与治理方数 %zu 之间", "The threshold must be between 1 and the %zu governors", draft->governor_count);
    th_buf_open(&buf, draft->arena, DOCUMENT_MAX);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "region", draft->id);
    th_pen_key(&pen, "name");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "zh", draft->zh);
    th_pen_kstr(&pen, "en", draft->en);
    th_pen_end(&pen, '}');
    th_pen_kint(&pen, "version", draft->version);
    th_pen_ktime(&pen, "issued", draft->issued_us);
    th_pen_ktime(&pen, "expires", draft->expires_us);
    th_pen_key(&pen, "governors");
    th_pen_object(&pen);
    th_pen_kint(&pen, "threshold", draft->threshold);
    rows_write(&pen, "keys", draft->governors, draft->governor_count);
    th_pen_end(&pen, '}');
    rows_write(&pen, "members", draft->members, draft->member_count);
    rows_write(&pen, "suspended", draft->suspended, draft->suspended_count);
    th_pen_end(&pen, '}');
    if (!th_buf_ok(&buf))
        return th_fail(error, TH_TOO_LARGE, "trust-too-large", "信任文件过大", "The trust document is too large");
    return th_trust_propose(th_buf_view(&buf), draft->arena, ret_document, error);
}
