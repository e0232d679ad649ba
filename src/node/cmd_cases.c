/* cmd_cases.c — cases from the command line: are they what their events say? */
#include "node/cmd.h"

int th_cmd_cases_check(const th_args *args)
{
    th_arena arena;
    th_node *node;
    int64_t cases = 0, events = 0, copies = 0;
    th_error error = {0};
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_ticker_start(args, "逐件重放事件…", "Folding every case again…");
    status = th_cases_check(node->cases, &cases, &events, &error);
    th_ticker_stop();
    if (!status)
        status = th_cases_copies(node->cases, &copies, &error);
    th_node_close(node);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&arena, 4096);
    th_str json = th_strf(&arena, "{\"ok\":true,\"cases\":%lld,\"events\":%lld,\"copies\":%lld}", (long long)cases, (long long)events,
                          (long long)copies);
    int code = th_cmd_done(args, json, "本节点办理 %lld 个办件、%lld 个事件，状态与事件一致；另有别处办理的 %lld 个副本，在各自的办理地核对",
                           "%lld cases decided here, %lld events; every state is what its events say. %lld copies of cases decided elsewhere are checked at their owners",
                           (long long)cases, (long long)events, (long long)copies);
    th_arena_close(&arena);
    return code;
}
