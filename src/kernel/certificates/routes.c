/* routes.c — certificates over HTTP: one table. */
#include "certificates-private.h"

/* ---- what several handlers need ---- */

th_handled th_on_pool(th_request *rq, th_request_job job)
{
    th_certificates *certs = rq->module;
    return th_request_on_pool(rq, certs->options.pool, job);
}

void th_words_write(th_pen *pen, const char *key, th_str zh, th_str en)
{
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", zh);
    th_pen_kstr(pen, "en", en);
    th_pen_end(pen, '}');
}

/* ---- the table ---- */

#define BASE "/certificates/v1"
#define OBJECT "{\"type\":\"object\"}"
#define LIST "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"next\":{\"type\":[\"string\",\"null\"]}}}"
#define CHANGE                                                                                                                     \
    "{\"type\":\"object\",\"required\":[\"reason\"],\"properties\":{\"reason\":{\"type\":\"string\"},\"law\":{\"type\":\"string\"}}}"
#define CERTIFICATE_REF "{\"$ref\":\"#/components/schemas/Certificate\"}"
enum { DESK = TH_ROLE_CLERK | TH_ROLE_AUDITOR };

static const th_route routes[] = {
    {"GET", BASE "/types", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_certificate_types_get, "certificateTypes", "Types of certificate of the region", NULL, LIST, NULL, false},
    {"GET", BASE "/types/{code}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_certificate_type_get, "certificateType", "One type, as SD-JWT VC type metadata", NULL, OBJECT, NULL,
     false},
    {"POST", BASE "/certificates", TH_ROLE_CLERK, TH_BODY_JSON, 64 * 1024, th_certificates_issue_post, "issueCertificate",
     "Issue a certificate into the holder's wallet, or to a key of the holder's own", "{\"$ref\":\"#/components/schemas/CertificateOrder\"}", OBJECT, NULL,
     false},
    {"GET", BASE "/certificates", DESK, TH_BODY_NONE, 0, th_certificates_list, "listCertificates", "Certificates that this node issued", NULL, LIST,
     "number:string:the identifier of GB/T 36904;cursor:string:From the answer before;limit:integer:1 to 200", false},
    {"POST", BASE "/certificates:check", TH_ROLE_ANYONE, TH_BODY_JSON, 512 * 1024, th_check_post, "checkCertificate",
     "Is it genuine and in force? Answers for a token or the text of a square; whatever cannot be learnt is a no with its reason",
     "{\"type\":\"object\",\"required\":[\"presented\"],\"properties\":{\"presented\":{\"type\":\"string\"},\"audience\":{\"type\":\"string\"},"
     "\"nonce\":{\"type\":\"string\"}}}",
     "{\"$ref\":\"#/components/schemas/CertificateCheck\"}", NULL, false},
    {"POST", BASE "/certificates:check-page", TH_ROLE_ANYONE, TH_BODY_BYTES, 8 << 20, th_check_page_post, "checkPage",
     "The same for a page: the bytes of the PDF, whose seal must cover all of it", NULL, "{\"$ref\":\"#/components/schemas/CertificateCheck\"}", NULL, false},
    {"GET", BASE "/certificates/{id}.pdf", TH_ROLE_CLERK, TH_BODY_NONE, 0, th_certificates_page, "certificatePage", "The sealed page, for the counter", NULL, NULL,
     NULL, false},
    {"POST", BASE "/pages/{id}", TH_ROLE_ANYONE, TH_BODY_JSON, 0, th_pages_post, "walletPages", "The sealed page, for the wallet that was given its key",
     "{\"type\":\"object\",\"required\":[\"key\"],\"properties\":{\"key\":{\"type\":\"string\"}}}", NULL, NULL, false},
    {"GET", BASE "/certificates/{id}", DESK, TH_BODY_NONE, 0, th_certificates_get, "getCertificate", "One certificate and its changes", NULL, CERTIFICATE_REF,
     NULL, false},
    {"POST", BASE "/certificates/{id}:suspend", TH_ROLE_CLERK, TH_BODY_JSON, 0, th_certificates_suspend, "suspendCertificate", "Suspend, with reason and law",
     CHANGE, CERTIFICATE_REF, NULL, false},
    {"POST", BASE "/certificates/{id}:restore", TH_ROLE_CLERK, TH_BODY_JSON, 0, th_certificates_restore, "restoreCertificate", "End a suspension", CHANGE,
     CERTIFICATE_REF, NULL, false},
    {"POST", BASE "/certificates/{id}:revoke", TH_ROLE_CLERK, TH_BODY_JSON, 0, th_certificates_revoke, "revokeCertificate", "Revoke for good, with reason and law",
     CHANGE, CERTIFICATE_REF, NULL, false},
    {"GET", BASE "/statuslists", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_lists_get, "statusLists", "Every status list of this node (aggregation)", NULL, OBJECT, NULL,
     false},
    {"GET", BASE "/statuslists/{list}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_list_get, "statusList",
     "A status list as application/statuslist+jwt, or +cwt when only that is accepted", NULL, NULL, "time:integer:as it stood at this second", false},
    {"GET", "/.well-known/jwt-vc-issuer", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_issuer_get, "jwtVcIssuer", "Keys that sign this node's certificates", NULL, OBJECT,
     NULL, false},
    {"GET", BASE "/wallet", TH_ROLE_CITIZEN, TH_BODY_NONE, 0, th_wallet_get, "wallet", "My certificates", NULL, LIST, NULL, false},
    {"GET", BASE "/wallet/shown", TH_ROLE_CITIZEN, TH_BODY_NONE, 0, th_wallet_shown, "walletShown", "What I showed to whom", NULL, LIST, NULL, false},
    {"GET", BASE "/wallet/{id}.sdjwt", TH_ROLE_CITIZEN, TH_BODY_NONE, 0, th_wallet_token, "walletToken", "The token, with every disclosure", NULL, NULL, NULL,
     false},
    {"GET", BASE "/wallet/{id}.pdf", TH_ROLE_CITIZEN, TH_BODY_NONE, 0, th_wallet_page, "walletPage", "The sealed page, from its issuer", NULL, NULL, NULL, false},
    {"GET", BASE "/wallet/{id}.svg", TH_ROLE_CITIZEN, TH_BODY_NONE, 0, th_wallet_square, "walletSquare", "The square for checking without a network", NULL, NULL,
     NULL, false},
    {"GET", BASE "/wallet/{id}", TH_ROLE_CITIZEN, TH_BODY_NONE, 0, th_wallet_one, "walletCertificate", "One of my certificates", NULL, OBJECT, NULL, false},
    {"POST", BASE "/wallet/{id}:present", TH_ROLE_CITIZEN, TH_BODY_JSON, 0, th_wallet_present, "presentCertificate",
     "Show chosen fields; with an audience and nonce also signed by the holder's key",
     "{\"type\":\"object\",\"required\":[\"claims\"],\"properties\":{\"claims\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
     "\"audience\":{\"type\":\"string\"},\"nonce\":{\"type\":\"string\"},\"purpose\":{\"type\":\"string\"}}}",
     OBJECT, NULL, false},
    {"POST", BASE "/wallet:resolve", TH_ROLE_CITIZEN, TH_BODY_JSON, 0, th_wallet_resolve, "resolveRequest", "What does this verifier ask of me, and what have I?",
     "{\"type\":\"object\",\"required\":[\"request\"],\"properties\":{\"request\":{\"type\":\"string\"}}}", OBJECT, NULL, false},
    {"POST", BASE "/wallet:answer", TH_ROLE_CITIZEN, TH_BODY_JSON, 128 * 1024, th_wallet_answer, "answerRequest", "Show it, or decline",
     "{\"type\":\"object\",\"required\":[\"request\"],\"properties\":{\"request\":{\"type\":\"string\"},\"choices\":{\"type\":\"object\"},"
     "\"decline\":{\"type\":\"boolean\"}}}",
     OBJECT, NULL, false},
    {"POST", BASE "/oid4vp/request", TH_ROLE_STAFF | TH_ROLE_SYSTEM, TH_BODY_JSON, 32 * 1024, th_asked_post, "askCertificate",
     "Ask for a certificate (OpenID4VP): a type and its claims, or a DCQL query",
     "{\"type\":\"object\",\"required\":[\"purpose\"],\"properties\":{\"purpose\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"},"
     "\"claims\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"dcql_query\":{\"type\":\"object\"}}}",
     OBJECT, NULL, false},
    {"GET", BASE "/oid4vp/request/{id}.svg", TH_ROLE_STAFF, TH_BODY_NONE, 0, th_asked_square, "askedSquare", "The request's link as a square", NULL, NULL, NULL,
     false},
    {"GET", BASE "/oid4vp/request/{id}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_asked_object_get, "requestObject", "The signed request object, for a wallet", NULL,
     NULL, NULL, false},
    {"POST", BASE "/oid4vp/response/{id}", TH_ROLE_ANYONE, TH_BODY_BYTES, 512 * 1024, th_asked_answer_post, "presentToVerifier",
     "A wallet's answer: vp_token and state as a form", NULL, OBJECT, NULL, false},
    {"GET", BASE "/oid4vp/response/{id}", TH_ROLE_STAFF | TH_ROLE_SYSTEM, TH_BODY_NONE, 0, th_asked_result_get, "askedResult", "What came of a question", NULL,
     OBJECT, NULL, false},
};

const th_route *th_certificates_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_certificates_schemas(void)
{
    return "{\"CertificateOrder\":{\"type\":\"object\",\"required\":[\"type\",\"holder\",\"fields\"],\"properties\":{\"type\":{\"type\":\"string\"},"
           "\"holder\":{\"type\":\"object\",\"required\":[\"id\",\"name\"],\"properties\":{\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"
           "\"key\":{\"type\":\"object\",\"description\":\"Public JWK of a wallet of the holder's own\"}}},\"fields\":{\"type\":\"object\"},"
           "\"item\":{\"type\":\"string\"},\"case\":{\"type\":\"string\"},\"previous\":{\"type\":\"string\"}}},"
           "\"Certificate\":{\"type\":\"object\",\"required\":[\"id\",\"number\",\"status\"],\"properties\":{\"id\":{\"type\":\"string\"},"
           "\"number\":{\"type\":\"string\"},\"type\":{\"type\":\"object\"},\"status\":{\"enum\":[\"valid\",\"suspended\",\"revoked\",\"other\"]},"
           "\"changes\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}},"
           "\"CertificateCheck\":{\"type\":\"object\",\"required\":[\"valid\",\"carrier\",\"status\"],\"properties\":{\"valid\":{\"type\":\"boolean\"},"
           "\"carrier\":{\"enum\":[\"token\",\"square\",\"page\"]},\"reason\":{\"type\":[\"object\",\"null\"]},\"type\":{\"type\":[\"object\",\"null\"]},"
           "\"issuer\":{\"type\":[\"object\",\"null\"]},\"number\":{\"type\":[\"string\",\"null\"]},\"accepted\":{\"type\":\"boolean\"},"
           "\"holder_signed\":{\"type\":\"boolean\"},\"status\":{\"type\":\"object\"},\"fields\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}}";
}
