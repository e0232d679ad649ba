/* cmd_cases.c — cases from the command line: are they what their events say? */
#include "node/cmd.h"

int th_cmd_cases_check(const th_args *args)
{
    th_arena arena;
    th_node *node;
    int64_t cases = 0, events = 0;
    th_error error = {0};
    th_status status = th_node_open_beside(args->node, &node, &error);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_ticker_start(args, "逐件重放事件…", "Folding every case again…");
    status = th_cases_check(node->cases, &cases, &events, &error);
    th_ticker_stop();
    th_node_close(node);
    if (status)
        return th_cmd_failed(args, status, &error);
    th_arena_open(&arena, 4096);
    th_str json = th_strf(&arena, "{\"ok\":true,\"cases\":%lld,\"events\":%lld}", (long long)cases, (long long)events);
    int code = th_cmd_done(args, json, "%lld 个办件、%lld 个事件，状态与事件一致", "%lld cases, %lld events; every state is what its events say", (long long)cases,
                           (long long)events);
    th_arena_close(&arena);
    return code;
}
