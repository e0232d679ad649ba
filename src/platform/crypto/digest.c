/* digest.c — RFC 9530's Content-Digest with SHA-256. */
#include "platform/crypto/httpsig.h"

th_str th_digest_header(th_arena *arena, th_str body)
{
    th_hash hash = th_hash_str(TH_SUITE_ED25519, body);
    th_str text = th_base64(arena, hash.b, sizeof hash.b);
    return text.p ? th_strf(arena, "sha-256=:%.*s:", TH_FMT(text)) : text;
}

/* One member, one algorithm: a list would let a sender choose which of its digests is looked at. */
th_status th_digest_check(th_str header, th_str body)
{
    th_arena arena;
    th_str bytes;
    th_hash hash;
    static const char prefix[] = "sha-256=:";
    size_t k = sizeof prefix - 1;
    if (header.n != k + 44 + 1 || !th_str_starts(header, prefix) || header.p[header.n - 1] != ':')
        return TH_INVALID;
    th_arena_open(&arena, 4096);
    th_status status = th_unbase64(&arena, (th_str){header.p + k, 44}, &bytes);
    if (!status) {
        hash = th_hash_str(TH_SUITE_ED25519, body);
        status = bytes.n == TH_HASH_SIZE && th_equal_secret(bytes.p, hash.b, TH_HASH_SIZE) ? TH_OK : TH_FORBIDDEN;
    }
    th_arena_close(&arena);
    return status;
}
