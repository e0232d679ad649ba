/* states.c — the table of what may happen when. Rows, not branches: the service's fuller machine is more rows. */
#include "cases-private.h"

#include <string.h>

static const char *const names[] = {"draft", "evidence", "handed_over", "received", "accepted", "decided", "delivered", "withdrawn"};

const char *th_case_state_name(th_case_state state)
{
    return names[state];
}

bool th_case_state_parse(th_str name, th_case_state *ret_state)
{
    for (size_t i = 0; i < TH_COUNT(names); i++)
        if (th_str_is(name, names[i])) {
            *ret_state = (th_case_state)i;
            return true;
        }
    return false;
}

static const struct row { th_case_state from; const char *action; th_case_state to; } table[] = {
    {TH_CASE_DRAFT, "submit", TH_CASE_EVIDENCE},
    {TH_CASE_EVIDENCE, "evidence", TH_CASE_EVIDENCE},
    {TH_CASE_EVIDENCE, "hand-over", TH_CASE_HANDED_OVER},
    {TH_CASE_HANDED_OVER, "receive", TH_CASE_RECEIVED},
    {TH_CASE_RECEIVED, "accept", TH_CASE_ACCEPTED},
    {TH_CASE_ACCEPTED, "decide", TH_CASE_DECIDED},
    {TH_CASE_DECIDED, "deliver", TH_CASE_DELIVERED},
    {TH_CASE_EVIDENCE, "withdraw", TH_CASE_WITHDRAWN},
    {TH_CASE_HANDED_OVER, "withdraw", TH_CASE_WITHDRAWN},
    {TH_CASE_RECEIVED, "withdraw", TH_CASE_WITHDRAWN},
    {TH_CASE_ACCEPTED, "withdraw", TH_CASE_WITHDRAWN},
};

th_status th_case_transition(th_case_state state, const char *action, th_case_state *ret_next, th_error *error)
{
    for (size_t i = 0; i < TH_COUNT(table); i++)
        if (table[i].from == state && strcmp(table[i].action, action) == 0) {
            *ret_next = table[i].to;
            return TH_OK;
        }
    return th_failf(error, TH_CONFLICT, "case-state", "办件目前的状态（%s）不允许这一步（%s）",
                    "The case's state (%s) does not allow this step (%s)", names[state], action);
}
