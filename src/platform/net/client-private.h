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
TH_MUST_USE th_status th_transfer_prepare(th_transfer *t, const th_client_options *options, th_call *call);
void th_transfer_outcome(th_transfer *t, CURLcode code); /* fills the call's outcome */
void th_transfer_clear(th_transfer *t);                  /* keeps the easy handle for the next call */
#endif
