/* consent_revoke.c — an agreement taken back: the home node tells the provider, which from then on refuses the token. What was
 * answered before stays answered and journaled (个人信息保护法 article 15). */
#include "exchange-private.h"

#include <string.h>

static th_status revoked_keep(th_db *db, const char *id, int64_t now, th_error *error)
{
    th_value values[] = {th_v_text(th_str_of(id)), th_v_int(now)};
    return th_db_exec(db, "INSERT INTO exchange_revoked (id, at) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING", values, 2, NULL, error);
}

th_status th_consent_revoke(th_exchange *ex, th_db *db, th_str token, th_error *error)
{
    th_arena arena;
    th_consent consent;
    th_buf buf;
    th_arena_open(&arena, 256 * 1024);
    /* The token is this node's own: it is ended whatever the region thinks of the node, or of the key that signed it, by now. */
    th_status status = th_consent_look(token, &arena, &consent, error);
    if (!status && !th_str_is(consent.home, ex->code))
        status = th_fail(error, TH_FORBIDDEN, "consent-home", "只能撤回由本节点签发的同意", "Only agreements signed at this node can be taken back here");
    if (!status && th_str_is(consent.provider, ex->code))
        status = revoked_keep(db, consent.id, th_now_us(&ex->env), error);
    else if (!status) {
        th_buf_open(&buf, &arena, 32 * 1024);
        th_pen pen = th_pen_on(&buf);
        th_pen_object(&pen);
        th_pen_kstr(&pen, "consent", token);
        th_pen_end(&pen, '}');
        status = th_buf_ok(&buf) ? th_outbox_put(ex, db, consent.provider, "consent.revoked", th_str_of(consent.id), consent.item,
                                                 consent.case_id, (th_str){NULL, 0}, th_buf_view(&buf), error)
                                 : TH_TOO_LARGE;
    }
    th_arena_close(&arena);
    return status;
}

/* Only who signed the token may end it. */
th_status th_consent_revoked_apply(void *ctx, th_db *db, const th_message *message, th_arena *arena, th_answer *answer, th_error *error)
{
    th_exchange *ex = ctx;
    th_consent consent;
    th_str token;
    if (!th_json_want_str(message->body, "/body", "consent", 16 * 1024, &token, error))
        return TH_INVALID;
    th_trust *trust = th_exchange_trust(ex);
    if (!trust)
        return TH_UNAVAILABLE;
    th_status status = th_consent_read(token, trust, arena, &consent, error);
    th_trust_release(trust);
    if (!status && (!th_str_is(consent.home, message->from) || !th_str_is(consent.provider, ex->code)))
        status = th_fail(error, TH_FORBIDDEN, "consent-home", "同意凭证不是由发送方签发给本节点的", "The sender did not sign this agreement for this node");
    answer->body = TH_STR("{}");
    return status ? status : revoked_keep(db, consent.id, th_now_us(&ex->env), error);
}
