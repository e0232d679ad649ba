/* sdjwt-private.h — what issuing, presenting and verifying share. */
#ifndef TH_SDJWT_PRIVATE_H
#define TH_SDJWT_PRIVATE_H
#include "kernel/certificates/sdjwt.h"

enum { TH_DIGEST_TEXT = 43 };

void th_sdjwt_digest(th_suite hash, th_str text, char ret_digest[TH_DIGEST_TEXT]);
/* `_sd`, `...` and `_sd_alg` are never names of claims. */
bool th_sdjwt_reserved(th_str name);
/* The parts between the tildes. `ret_holder` is absent when the text ends in a tilde; `ret_presented` runs up to the last tilde. */
typedef struct th_sdjwt_parts {
    th_str jwt, holder, presented;
    th_sdjwt_disclosure *disclosures; /* text only, as sent */
    size_t n;
} th_sdjwt_parts;
TH_MUST_USE th_status th_sdjwt_split(th_str text, th_arena *arena, th_sdjwt_parts *ret_parts, th_error *error);
/* Decode, digest and sort by digest. */
TH_MUST_USE th_status th_sdjwt_open(th_sdjwt_parts *parts, th_suite hash, th_arena *arena, th_error *error);
th_sdjwt_disclosure *th_sdjwt_find(const th_sdjwt_disclosure *disclosures, size_t n, th_str digest);
TH_MUST_USE th_status th_sdjwt_hash_of(const th_json *payload, th_suite *ret_hash, th_error *error);
/* sdjwt_claims.c: put what was disclosed into its place; checks everything that RFC 9901 §7.1 says of digests. */
TH_MUST_USE th_status th_sdjwt_claims(const th_json *payload, th_sdjwt_disclosure *disclosures, size_t n, bool plain, th_arena *arena,
                                      th_str *ret_json, th_error *error);
#endif
