/* suite.c — the suites by name, and what they need before the first call. */
#include "crypto-private.h"

#include <sodium.h>

const EVP_MD *th_md_sm3;

const char *th_suite_name(th_suite suite)
{
    switch (suite) {
    case TH_SUITE_SM2:
        return "sm2-sm3";
    case TH_SUITE_P256:
        return "p256-sha256";
    case TH_SUITE_ED25519:
        break;
    }
    return "ed25519-sha256";
}

bool th_suite_parse(th_str name, th_suite *ret_suite)
{
    if (th_str_is(name, "sm2-sm3"))
        *ret_suite = TH_SUITE_SM2;
    else if (th_str_is(name, "ed25519-sha256"))
        *ret_suite = TH_SUITE_ED25519;
    else if (th_str_is(name, "p256-sha256"))
        *ret_suite = TH_SUITE_P256;
    else
        return false;
    return true;
}

th_status th_crypto_start(void)
{
    if (th_md_sm3)
        return TH_OK;
    if (sodium_init() < 0)
        return TH_IO;
    th_md_sm3 = EVP_MD_fetch(NULL, "SM3", NULL);
    return th_md_sm3 ? TH_OK : TH_IO;
}
