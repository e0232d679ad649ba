/* proved.c — what another member says that a third one answered: believed as far as the third one's receipt goes, and no further. */
#include "exchange-private.h"
#include "kernel/exchange/receipt.h"

#include <string.h>

static th_status unproved(th_error *error)
{
    return th_fail(error, TH_UNPROCESSABLE, "unproved", "存证与所称的问答不符", "The receipt does not prove the question and answer that are told");
}

static bool log_is_of(const char *log, th_str member)
{
    return strlen(log) > member.n && memcmp(log, member.p, member.n) == 0 && log[member.n] == '.';
}

static bool entry_fits(const th_entry *e, const th_told *told)
{
    return th_str_is(e->direction, "answered") && th_str_eq(e->peer, told->consumer) && th_str_eq(e->id, told->id) && th_str_eq(e->item, told->item) &&
           th_str_eq(e->case_id, told->case_id) && th_leaf_is_of(&e->leaf, told->question) && th_leaf_is_of(&e->answer, told->answer);
}

th_status th_exchange_proved(th_exchange *ex, const th_told *told, th_arena *arena, th_message *ret_question, const th_json **ret_answer, th_error *error)
{
    th_receipt receipt;
    th_entry entry;
    const th_json *root;
    th_trust *trust = th_exchange_trust(ex);
    bool ok = trust && told->question.n && told->answer.n && told->receipt.n && th_receipt_read(told->receipt, arena, &receipt, NULL) == TH_OK &&
              log_is_of(receipt.head.log, told->provider) && th_receipt_check(&receipt, trust, NULL) == TH_OK &&
              th_entry_read(receipt.entry, arena, &entry, NULL) == TH_OK && entry_fits(&entry, told) &&
              th_message_read(told->question, arena, ret_question, NULL) == TH_OK && th_str_is(told->provider, ret_question->to) &&
              th_json_parse(told->answer, arena, &root, NULL) == TH_OK && th_json_int(root, "status", 0) == 200;
    th_trust_release(trust);
    *ret_answer = ok ? th_json_get(root, "body") : NULL;
    return *ret_answer ? TH_OK : unproved(error);
}
