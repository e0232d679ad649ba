/* body.c — what messages said, at rest. Bodies hold what was asked about people and what registers answered; the journal keeps their hashes over
 * the clear bytes, the tables keep them sealed under a key derived from the node's secret. The first byte tells: a line begins with '{', so what
 * was stored in the clear by an earlier release is still read. */
#include "exchange-private.h"

#include <string.h>

enum { SEALED = 1, CONTEXT_MAX = 64 };

/* Bound to its place: one row's body does not open as another's. */
static th_str context_of(char to[CONTEXT_MAX], const char *where, th_str key)
{
    size_t n = strlen(where);
    TH_ASSERT(n + key.n <= CONTEXT_MAX);
    memcpy(to, where, n);
    memcpy(to + n, key.p, key.n);
    return (th_str){to, n + key.n};
}

th_status th_body_seal(const th_exchange *ex, const char *where, th_str key, th_str clear, th_arena *arena, th_value *ret, th_error *error)
{
    char context[CONTEXT_MAX];
    th_str sealed = {NULL, 0};
    char *marked = NULL;
    th_status status = th_seal(&ex->env, ex->seal_key, clear, context_of(context, where, key), arena, &sealed);
    if (!status)
        marked = th_alloc(arena, sealed.n + 1);
    if (!marked)
        return th_fail(error, status ? status : TH_NO_MEMORY, "body-not-sealed", "报文无法加密保存", "The body cannot be sealed");
    marked[0] = SEALED;
    memcpy(marked + 1, sealed.p, sealed.n);
    *ret = th_v_blob(marked, sealed.n + 1);
    return TH_OK;
}

th_status th_body_open(const th_exchange *ex, const char *where, th_str key, th_str stored, th_arena *arena, th_str *ret_clear, th_error *error)
{
    char context[CONTEXT_MAX];
    *ret_clear = stored;
    if (!stored.n || stored.p[0] != SEALED)
        return TH_OK;
    if (th_unseal(ex->seal_key, (th_str){stored.p + 1, stored.n - 1}, context_of(context, where, key), arena, ret_clear))
        return th_fail(error, TH_UNPROCESSABLE, "body-not-opened", "保存的报文无法解密（密钥已更换或数据损坏）",
                       "The stored body cannot be opened (another key, or damage)");
    return TH_OK;
}
