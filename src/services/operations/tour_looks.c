/* tour_looks.c — the last step of a tour: every node is asked, with the person's own token, who looked at her data. */
#include "tour-private.h"

typedef struct asking {
    pthread_mutex_t lock;
    pthread_cond_t bell;
    size_t open;
} asking;

static void asked(th_ask *ask)
{
    asking *a = ask->ctx;
    pthread_mutex_lock(&a->lock);
    if (--a->open == 0)
        pthread_cond_signal(&a->bell);
    pthread_mutex_unlock(&a->lock);
}

/* Blocks until all have answered or run out of their time. */
static bool ask_all(playing *p, th_ask *asks, size_t *ret_n)
{
    th_error error = {0};
    asking a = {.open = 0};
    th_str cursors[TH_MEMBERS_MAX];
    th_status status = th_exchange_looks_asks(p->o->options.exchange, p->id_number, TH_STR("tour"), "zh", (th_str){NULL, 0}, &p->arena, asks,
                                              cursors, ret_n, &error);
    if (status || !*ret_n)
        return false;
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.bell, NULL);
    a.open = *ret_n;
    for (size_t i = 0; i < *ret_n; i++) {
        asks[i].done = asked;
        asks[i].ctx = &a;
    }
    status = th_exchange_ask(p->o->options.exchange, asks, *ret_n, &error);
    pthread_mutex_lock(&a.lock);
    while (!status && a.open)
        pthread_cond_wait(&a.bell, &a.lock);
    pthread_mutex_unlock(&a.lock);
    pthread_cond_destroy(&a.bell);
    pthread_mutex_destroy(&a.lock);
    return status == TH_OK;
}

static void look_write(th_pen *pen, th_str provider, const th_json *look)
{
    static const char *const texts[] = {"at", "consumer", "office", "register", "fields", "operation", "item", "message"};
    th_pen_object(pen);
    th_pen_kstr(pen, "provider", provider);
    for (size_t i = 0; i < TH_COUNT(texts); i++)
        th_pen_kstr(pen, texts[i], th_json_str(look, texts[i]));
    th_pen_end(pen, '}');
}

/* Looks of this case alone: the same invented person has walked other tours. */
static th_str looks_write(playing *p, const th_ask *asks, size_t n, size_t *ret_first, th_str *ret_proof)
{
    th_buf buf;
    bool any = false;
    th_buf_open(&buf, &p->arena, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_array(&pen);
    for (size_t i = 0; i < n; i++) {
        const th_json *root;
        if (asks[i].status || th_json_parse(asks[i].answer, &p->arena, &root, NULL))
            continue;
        const th_json *items = th_json_get(root, "items");
        for (const th_json *look = th_json_first(items); look; look = th_json_next(items, look)) {
            if (!th_str_is(th_json_str(look, "case"), p->case_id))
                continue;
            look_write(&pen, asks[i].provider, look);
            const th_json *receipt = th_json_get(look, "receipt");
            if (!any && receipt && receipt->type == TH_JSON_OBJECT) {
                *ret_proof = receipt->raw;
                *ret_first = i;
                any = true;
            }
        }
    }
    th_pen_end(&pen, ']');
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}

void th_tour_looks(playing *p)
{
    static const words kept[] = {{"各地日志不能互相拼接：每个节点用自己的密钥为同一个人取不同的假名", "Logs cannot be joined: every node has its own keyed pseudonym for the person"},
                                 {"别人的查看记录", "Looks at anybody else"}};
    th_ask asks[TH_MEMBERS_MAX];
    size_t n = 0, first = 0;
    th_str proof = {NULL, 0}, looks = {NULL, 0}, crossed = {NULL, 0};
    if (ask_all(p, asks, &n)) {
        looks = looks_write(p, asks, n, &first, &proof);
        crossed = th_tour_lines(p, th_str_of(asks[first].id), th_str_of(p->o->code), asks[first].provider);
    }
    th_tour_step(p, looks.n ? "done" : "failed", (words){"本人看得到每一次查看", "The person sees every look"},
                 (words){"凭本人的同意，四个节点同时被问到“谁看过我的信息”，答复合成一张表：哪个机构、为哪件事、看了哪些内容。每条都有回执，任何人都能离线检验；有疑问可以当场提出异议。",
                         "With the person's own token all four nodes are asked “who looked at my data”, and their answers become one list: which office, for which item, what. Each has a receipt that anybody can check offline, and the person may object on the spot."},
                 crossed, kept, TH_COUNT(kept), proof, looks);
}
