/* list.c — may this item be begun at one member and decided by another? Only what all members signed for, in the way and the version that they
 * signed. Asked where a case begins, for a clear answer, and by the owner when it arrives, for truth. */
#include "cases-private.h"

#include <string.h>

static bool holds(const th_json *list, th_str text)
{
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v))
        if (th_str_eq(v->text, text))
            return true;
    return false;
}

static const th_json *row_of(const th_agreement *list, const th_case_item *item)
{
    for (const th_json *row = th_json_first(list->rows); row; row = th_json_next(list->rows, row))
        if (th_str_eq(th_json_str(row, "item"), item->code) && th_str_eq(th_json_str(row, "owner"), item->owner))
            return row;
    return NULL;
}

static th_status row_allows(const th_json *row, const th_case_item *item, th_str origin, th_str mode, th_error *error)
{
    const th_json *members = th_json_get(row, "members");
    if (!row || (members && !holds(members, origin)))
        return th_failf(error, TH_FORBIDDEN, "item-not-on-list", "区域通办清单中没有事项 %.*s，只能在决定机关所在地办理",
                        "The region's list does not have the item %.*s; it can only be begun where it is decided", TH_FMT(item->code));
    if (!holds(th_json_get(row, "modes"), mode))
        return th_failf(error, TH_FORBIDDEN, "item-not-on-list", "区域通办清单中事项 %.*s 不含这种办理方式（%.*s）",
                        "The region's list does not allow the item %.*s in this way (%.*s)", TH_FMT(item->code), TH_FMT(mode));
    if (th_json_int(row, "version", 0) != item->version || !th_str_is(th_json_str(row, "hash"), item->hash))
        return th_failf(error, TH_CONFLICT, "item-changed", "事项 %.*s 与各方签署的清单所列版本不同，须重新签署清单",
                        "The item %.*s is not the version that the members signed; the list has to be signed again", TH_FMT(item->code));
    return TH_OK;
}

th_status th_list_allows(th_cases *cases, const th_case_item *item, const char *origin, th_str channel, th_error *error)
{
    /* A person's objection goes to whoever holds her data: that is her right, and nobody's to agree on. */
    if (item->owner_from.n || th_str_is(item->owner, origin) || cases->any_item)
        return TH_OK;
    th_agreement *list = th_exchange_agreement(cases->exchange, "items");
    if (!list)
        return th_fail(error, TH_FORBIDDEN, "item-not-on-list", "本节点尚无各方签署的通办事项清单，不能跨行政区办理",
                       "This node has no list that all members signed; nothing can be begun for another administration");
    th_str mode = th_str_is(channel, "counter") ? TH_STR("collect") : TH_STR("online");
    th_status status = row_allows(row_of(list, item), item, th_str_of(origin), mode, error);
    th_agreement_release(list);
    return status;
}
