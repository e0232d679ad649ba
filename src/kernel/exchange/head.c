/* head.c — signed tree heads. */
#include "kernel/exchange/journal.h"

#include <string.h>

enum { HEAD_TEXT_MAX = 512 };

static th_str root_text(const th_head *head, char text[44])
{
    return (th_str){text, th_base64url_to(head->root.b, TH_HASH_SIZE, text)};
}

void th_head_write(th_pen *pen, const th_head *head)
{
    char root[44], sig[88];
    th_pen_object(pen);
    th_pen_ktext(pen, "log", head->log);
    th_pen_kint(pen, "size", (int64_t)head->size);
    th_pen_kstr(pen, "root", root_text(head, root));
    th_pen_ktime(pen, "at", head->at_us);
    th_pen_ktext(pen, "suite", th_suite_name(head->suite));
    th_pen_ktext(pen, "kid", head->kid);
    th_pen_kstr(pen, "sig", (th_str){sig, th_base64url_to(head->signature, TH_SIGNATURE_SIZE, sig)});
    th_pen_end(pen, '}');
}

static bool text_copy(th_str text, char *to, size_t room)
{
    if (!text.n || text.n >= room)
        return false;
    memcpy(to, text.p, text.n);
    to[text.n] = 0;
    return true;
}

static bool bytes_copy(th_arena *arena, th_str text, void *to, size_t n)
{
    th_str bytes;
    if (th_unbase64url(arena, text, &bytes) || bytes.n != n)
        return false;
    memcpy(to, bytes.p, n);
    return true;
}

th_status th_head_read(const th_json *json, th_head *ret_head, th_error *error)
{
    th_head head = {0};
    th_arena arena;
    char member[TH_CODE_TEXT];
    th_arena_open(&arena, 8192);
    int64_t size = th_json_int(json, "size", -1);
    bool ok = text_copy(th_json_str(json, "log"), head.log, sizeof head.log) && th_log_member(th_str_of(head.log), member) &&
              text_copy(th_json_str(json, "kid"), head.kid, sizeof head.kid) && size >= 0 &&
              th_time_parse(th_json_str(json, "at"), &head.at_us) && th_suite_parse(th_json_str(json, "suite"), &head.suite) &&
              bytes_copy(&arena, th_json_str(json, "root"), head.root.b, TH_HASH_SIZE) &&
              bytes_copy(&arena, th_json_str(json, "sig"), head.signature, TH_SIGNATURE_SIZE);
    th_arena_close(&arena);
    if (!ok)
        return th_fail(error, TH_INVALID, "head-malformed", "不是合法的日志树头", "Not a tree head");
    head.size = (uint64_t)size;
    *ret_head = head;
    return TH_OK;
}

/* Canonical by construction: the members in order, none of them with anything to escape. */
static th_str head_message(const th_head *head, th_buf *buf)
{
    char at[TH_TIME_TEXT], root[44];
    th_time_utc(head->at_us, at);
    th_str r = root_text(head, root);
    th_buff(buf, "tonghui/v1/tree-head\n{\"at\":\"%s\",\"log\":\"%s\",\"root\":\"%.*s\",\"size\":%llu,\"suite\":\"%s\"}", at, head->log,
            TH_FMT(r), (unsigned long long)head->size, th_suite_name(head->suite));
    return th_buf_view(buf);
}

th_status th_head_sign(th_head *head, const th_key *key)
{
    th_arena arena;
    th_buf buf;
    head->suite = th_key_suite(key);
    th_kid_of(key, head->kid);
    th_arena_open(&arena, 8192);
    th_buf_open(&buf, &arena, HEAD_TEXT_MAX);
    th_str message = head_message(head, &buf);
    th_status status = th_buf_ok(&buf) ? th_sign(key, message, head->signature) : TH_NO_MEMORY;
    th_arena_close(&arena);
    return status;
}

int64_t th_log_generation(th_str log)
{
    int64_t generation;
    if (log.n < TH_CODE_TEXT + 1 || log.p[TH_CODE_TEXT - 1] != '.' ||
        !th_parse_i64((th_str){log.p + TH_CODE_TEXT, log.n - TH_CODE_TEXT}, 1, TH_GENERATION_MAX, &generation))
        return 0;
    for (size_t i = 0; i < TH_CODE_TEXT - 1; i++)
        if (log.p[i] < '0' || log.p[i] > '9')
            return 0;
    return generation;
}

bool th_log_member(th_str log, char ret_code[TH_CODE_TEXT])
{
    if (!th_log_generation(log))
        return false;
    memcpy(ret_code, log.p, TH_CODE_TEXT - 1);
    ret_code[TH_CODE_TEXT - 1] = 0;
    return true;
}

/* The receipts of a batch, and of many a day's batches, share their heads. That a signature holds is a matter of key, message and signature
 * alone: a thread that found it so remembers the hash of the three. What a key may sign and when is asked every time. */
static th_status signature_holds(const th_key *key, th_str message, th_str signature)
{
    enum { PLACES = 64 };
    static __thread th_hash held[PLACES];
    th_str pieces[] = {th_key_public(key), message, signature};
    th_hash hash = th_hash_of(TH_SUITE_ED25519, pieces, TH_COUNT(pieces));
    th_hash *place = &held[hash.b[0] % PLACES];
    if (th_hash_eq(place, &hash))
        return TH_OK;
    th_status status = th_verify(key, message, signature);
    if (!status)
        *place = hash;
    return status;
}

th_status th_head_check(const th_head *head, const th_trust *trust, th_error *error)
{
    char member[TH_CODE_TEXT];
    const th_member_key *key;
    th_arena arena;
    th_buf buf;
    if (!th_log_member(th_str_of(head->log), member))
        return th_fail(error, TH_INVALID, "head-malformed", "日志编号不合法", "Not a log id");
    th_status status = th_trust_key(trust, th_str_of(member), th_str_of(head->kid), TH_USE_JOURNAL, head->at_us, &key, error);
    if (status)
        return status;
    if (th_key_suite(key->key) != head->suite)
        return th_fail(error, TH_FORBIDDEN, "head-signature", "树头的算法套件与密钥不符", "The head's suite is not its key's");
    th_arena_open(&arena, 8192);
    th_buf_open(&buf, &arena, HEAD_TEXT_MAX);
    th_str message = head_message(head, &buf);
    status = signature_holds(key->key, message, (th_str){(const char *)head->signature, TH_SIGNATURE_SIZE});
    th_arena_close(&arena);
    return status ? th_fail(error, TH_FORBIDDEN, "head-signature", "树头签名不成立", "The tree head's signature does not hold") : TH_OK;
}
