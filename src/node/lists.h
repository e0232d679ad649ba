/* lists.h — drafting the lists that all members sign (kernel/exchange/agreement.h). */
#ifndef TH_NODE_LISTS_H
#define TH_NODE_LISTS_H
#include "node/node.h"

/* "items": every listed item in force that may be begun elsewhere, with its version and hash. "ecerts": every type of certificate with its
 * issuers, those who accept it, and the items that ask for it. The document has no signatures yet. */
TH_MUST_USE th_status th_list_compose(th_node *node, const char *name, int64_t version, th_arena *arena, th_str *ret_document, th_error *error);
#endif
