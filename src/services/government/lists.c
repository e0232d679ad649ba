/* lists.c — the two lists that all members signed, as they were signed. */
#include "government-private.h"

#include <string.h>

th_handled th_signed_list_get(th_request *rq)
{
    th_government *g = rq->module;
    bool items = th_str_is(rq->params[0], "items");
    if (!items && !th_str_is(rq->params[0], "ecerts"))
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-list", "没有这份清单", "There is no such list"), NULL);
    th_agreement *list = th_exchange_agreement(g->exchange, items ? "items" : "ecerts");
    if (!list)
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-list", "本节点尚无各方签署的这份清单", "This node has no such list that all members signed"), NULL);
    th_handled handled = th_reply_bytes(rq, 200, "application/json", list->document);
    th_agreement_release(list);
    return handled;
}
