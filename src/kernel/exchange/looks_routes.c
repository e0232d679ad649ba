/* looks_routes.c — one list over all nodes of who looked at the signed-in citizen's data. The home node asks every member with a
 * token signed for this one question; a member that does not answer in time is named, never left out silently. */
#include "routes-private.h"
#include "platform/people/people.h"

#include <string.h>

enum { TOKEN_LIFE_S = 600, LOOKS_DEADLINE_S = 5 };

typedef struct looking {
    th_request *rq;
    th_trust *trust;
    th_ask asks[TH_MEMBERS_MAX];
    th_str cursors[TH_MEMBERS_MAX];
    size_t n;
    atomic_size_t open;
} looking;

static void name_write(th_pen *pen, const char *key, const th_trust *trust, th_str code)
{
    const th_member *m = th_trust_member(trust, code);
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_kstr(pen, "code", code);
    th_pen_kstr(pen, "zh", m ? m->name_zh : code);
    th_pen_kstr(pen, "en", m ? m->name_en : code);
    th_pen_end(pen, '}');
}

static void look_write(th_pen *pen, const th_trust *trust, th_str provider, const th_json *look)
{
    static const char *const texts[] = {"at", "office", "operation", "case", "grant", "message"};
    th_pen_object(pen);
    name_write(pen, "provider", trust, provider);
    name_write(pen, "consumer", trust, th_json_str(look, "consumer"));
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        th_pen_kstr(pen, texts[i], th_json_str(look, texts[i]));
    th_pen_kstr(pen, "register", th_json_str(look, "register"));
    th_pen_kstr(pen, "item", th_json_str(look, "item"));
    const th_json *basis = th_json_get(look, "basis");
    if (basis)
        th_pen_kraw(pen, "basis", basis->raw);
    th_pen_key(pen, "fields");
    th_pen_array(pen);
    th_str rest = th_json_str(look, "fields"), field;
    while (rest.n && th_str_cut(&rest, ',', &field))
        th_pen_str(pen, field);
    th_pen_end(pen, ']');
    const th_json *receipt = th_json_get(look, "receipt");
    if (receipt)
        th_pen_kraw(pen, "receipt", receipt->raw);
    th_pen_end(pen, '}');
}

static th_str next_of(const looking *l, size_t i, th_arena *arena)
{
    const th_json *root;
    if (l->asks[i].status || th_json_parse(l->asks[i].answer, arena, &root, NULL))
        return (th_str){NULL, 0};
    return th_json_str(root, "next");
}

/* Where each member's list goes on: "code~cursor;code~cursor". A member that is not named there has told all; one that was not heard is
 * asked again where it was, as long as another has more. */
static void next_write(th_pen *pen, const looking *l, th_arena *arena)
{
    th_buf buf;
    bool more = false;
    th_buf_open(&buf, arena, 4096);
    for (size_t i = 0; i < l->n; i++) {
        th_str next = next_of(l, i, arena);
        more = more || next.n;
        if (next.n || l->asks[i].status)
            th_buff(&buf, "%s%.*s~%.*s", buf.n ? ";" : "", TH_FMT(l->asks[i].provider), TH_FMT(next.n ? next : l->cursors[i]));
    }
    th_pen_kstr(pen, "next", more && th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0});
}

/* The part of `before` for this member; false when it has told all. Without a '~' it is one instant for all of them. */
static bool cursor_of(th_str before, const char *code, th_str *ret_cursor)
{
    th_str rest = before, part, name;
    *ret_cursor = before;
    if (!before.n || !memchr(before.p, '~', before.n))
        return true;
    while (th_str_cut(&rest, ';', &part))
        if (th_str_cut(&part, '~', &name) && th_str_is(name, code)) {
            *ret_cursor = part;
            return true;
        }
    return false;
}

static th_handled looks_reply(th_request *rq)
{
    looking *l = rq->ctx;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < l->n; i++) {
        const th_json *root;
        if (l->asks[i].status || th_json_parse(l->asks[i].answer, &rq->arena, &root, NULL))
            continue;
        const th_json *items = th_json_get(root, "items");
        for (const th_json *look = th_json_first(items); look; look = th_json_next(items, look))
            look_write(&pen, l->trust, l->asks[i].provider, look);
    }
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "unreachable");
    th_pen_array(&pen);
    for (size_t i = 0; i < l->n; i++)
        if (l->asks[i].status) {
            th_pen_object(&pen);
            const th_member *m = th_trust_member(l->trust, l->asks[i].provider);
            th_pen_kstr(&pen, "code", l->asks[i].provider);
            th_pen_kstr(&pen, "zh", m ? m->name_zh : l->asks[i].provider);
            th_pen_kstr(&pen, "en", m ? m->name_en : l->asks[i].provider);
            th_pen_ktext(&pen, "problem", l->asks[i].error.type);
            th_pen_end(&pen, '}');
        }
    th_pen_end(&pen, ']');
    next_write(&pen, l, &rq->arena);
    th_pen_end(&pen, '}');
    th_trust_release(l->trust);
    return th_reply_json(rq, 200);
}

static void look_done(th_ask *ask)
{
    looking *l = ask->ctx;
    if (atomic_fetch_sub(&l->open, 1) == 1) {
        l->rq->then = looks_reply;
        th_request_finish(l->rq);
    }
}

static th_status look_ask(th_exchange *ex, const th_member *member, th_str id_number, const char *lang, th_str cursor, th_arena *arena,
                          th_ask *ask, th_error *error)
{
    static const th_str fields[] = {{"looks", 5}};
    int64_t now = th_now_us(&ex->env);
    th_consent consent = {.home = th_str_of(ex->code),
                          .provider = th_str_of(member->code),
                          .reg = TH_STR("access-log"),
                          .fields = fields,
                          .field_count = 1,
                          .item = TH_STR("citizen-view"),
                          .lang = th_str_of(lang),
                          .issued_us = now,
                          .expires_us = now + TOKEN_LIFE_S * TH_SECOND_US};
    th_str token;
    th_status status = th_consent_make(&consent, id_number, ex->message_key, &ex->env, arena, &token, error);
    if (status)
        return status;
    th_buf body;
    th_buf_open(&body, arena, 512);
    th_pen pen = th_pen_on(&body);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id_number", id_number);
    if (cursor.n)
        th_pen_kstr(&pen, "before", cursor);
    th_pen_end(&pen, '}');
    *ask = (th_ask){.provider = th_str_keep(arena, th_str_of(member->code)),
                    .type = TH_STR("looks"),
                    .item = TH_STR("citizen-view"),
                    .consent = token,
                    .body = th_buf_view(&body),
                    .deadline_us = now + LOOKS_DEADLINE_S * TH_SECOND_US,
                    .arena = arena};
    return th_buf_ok(&body) ? TH_OK : TH_TOO_LARGE;
}

th_status th_exchange_looks_asks(th_exchange *ex, th_str id_number, th_str account, const char *lang, th_str before, th_arena *arena,
                                 th_ask *asks, th_str *cursors, size_t *ret_n, th_error *error)
{
    th_trust *trust = th_exchange_trust(ex);
    th_status status = trust ? TH_OK : th_fail(error, TH_UNAVAILABLE, "no-trust", "本节点尚无信任文件", "This node has no trust document yet");
    size_t n = 0;
    for (size_t i = 0; !status && i < trust->member_count; i++) {
        if (!cursor_of(before, trust->members[i].code, &cursors[n]))
            continue;
        status = look_ask(ex, &trust->members[i], id_number, lang, cursors[n], arena, &asks[n], error);
        asks[n].operator_account = account;
        if (!status && n++)
            asks[n - 2].next = &asks[n - 1];
    }
    th_trust_release(trust);
    *ret_n = n;
    return status;
}

/* What the caller brings is looked at here: no member needs to be asked to say no to it. */
static th_status before_check(th_str before, th_error *error)
{
    th_str rest = before, part, name;
    th_access_from from;
    bool ok = true;
    if (before.n && memchr(before.p, '~', before.n))
        while (ok && th_str_cut(&rest, ';', &part))
            ok = part.n && memchr(part.p, '~', part.n) && th_str_cut(&part, '~', &name) && name.n == TH_CODE_TEXT - 1 && th_looks_cursor(part, &from);
    else
        ok = !before.p || (before.n && th_looks_cursor(before, &from));
    return ok ? TH_OK : th_fail_field(error, "?before", "format", "须为上一页的 next，或 RFC 3339 时间", "Must be the next of a page before, or an RFC 3339 instant");
}

th_handled th_exchange_looks_get(th_request *rq)
{
    th_exchange *ex = rq->module;
    th_str given = th_request_query(rq, "before");
    if (th_request_query(rq, "limit").p)
        return th_reply_problem(rq, th_fail_field(&rq->error, "?limit", "unknown-field", "这份清单的页长固定，没有此参数",
                                                  "The pages of this list have a fixed size; there is no such parameter"), NULL);
    if (before_check(given, &rq->error))
        return th_reply_problem(rq, TH_INVALID, NULL);
    th_db *db = NULL;
    th_str id_number;
    looking *l = th_alloc(&rq->arena, sizeof *l);
    if (!l)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    l->rq = rq;
    rq->ctx = l;
    th_status status = th_store_acquire(ex->store, &db, &rq->error);
    if (!status) {
        status = th_people_id_number_read(ex->secret, db, rq->who.account, &rq->arena, &id_number, &rq->error);
        th_store_release(ex->store, db);
    }
    l->trust = th_exchange_trust(ex);
    if (!status)
        status = th_exchange_looks_asks(ex, id_number, rq->who.account, rq->lang, given, &rq->arena, l->asks,
                                        l->cursors, &l->n, &rq->error);
    if (status) {
        th_trust_release(l->trust);
        return th_reply_problem(rq, status, NULL);
    }
    if (!l->n)
        return looks_reply(rq);
    for (size_t i = 0; i < l->n; i++) {
        l->asks[i].done = look_done;
        l->asks[i].ctx = l;
    }
    atomic_store(&l->open, l->n);
    status = th_exchange_ask(ex, l->asks, l->n, &rq->error);
    if (status) {
        th_trust_release(l->trust);
        return th_reply_problem(rq, status, NULL);
    }
    return TH_LATER;
}
