/* client-private.h — how one call becomes a libcurl transfer; shared by the node's client and the blocking call. */
#ifndef TH_NET_CLIENT_PRIVATE_H
#define TH_NET_CLIENT_PRIVATE_H
#include "platform/net/net.h"

#include <curl/curl.h>

typedef struct th_transfer {
    CURL *easy;
    th_call *call;
    struct curl_slist *headers;
    char *body;       /* the response, grown as it comes */
    size_t n, room, max;
    bool overflowed;
    char message[CURL_ERROR_SIZE];
    struct th_transfer *next;
} th_transfer;

void th_curl_start(void); /* once per process; safe to repeat */
/* A certificate and its key as their files were when they were read: both of one moment, whatever is written to them meanwhile.
 * libcurl uses no connection again whose certificate was another. */
typedef struct th_client_identity {
    char *cert, *key;
    size_t cert_n, key_n;
} th_client_identity;
TH_MUST_USE th_status th_client_identity_read(const th_client_options *options, th_client_identity *ret_identity, th_error *error);
/* tls.c: a certificate chain and a key in PEM, do they belong together? */
bool th_identity_fits(const char *cert, size_t cert_n, const char *key, size_t key_n);
void th_client_identity_free(th_client_identity *identity);

TH_MUST_USE th_status th_transfer_prepare(th_transfer *t, const th_client_options *options, const th_client_identity *identity,
                                          th_call *call);
void th_transfer_outcome(th_transfer *t, CURLcode code); /* fills the call's outcome */
void th_transfer_clear(th_transfer *t);                  /* keeps the easy handle for the next call */
#endif
