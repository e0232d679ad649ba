/* table.c — the routes of the exchange and the shapes of their bodies for /openapi.json. */
#include "routes-private.h"

#define STAFF (TH_ROLE_OPERATOR | TH_ROLE_AUDITOR)

static const th_route routes[] = {
    {"GET", "/exchange/v1/region", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_exchange_region_get, "getRegion",
     "The trust document in force, its members, governors and warnings", NULL, "{\"$ref\":\"#/components/schemas/Region\"}", NULL,
     false},
    {"GET", "/exchange/v1/grants", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_exchange_grants_get, "listGrants",
     "Grants of a provider as this node knows them", NULL, "{\"$ref\":\"#/components/schemas/GrantList\"}",
     "provider:string:Six-digit code of the provider; this node when absent", false},
    {"POST", "/exchange/v1/grants", TH_ROLE_OPERATOR, TH_BODY_JSON, 0, th_exchange_grant_post, "addGrant",
     "Give a grant, or replace the one with the same id", "{\"$ref\":\"#/components/schemas/Grant\"}",
     "{\"$ref\":\"#/components/schemas/Grant\"}", NULL, false},
    {"DELETE", "/exchange/v1/grants/{id}", TH_ROLE_OPERATOR, TH_BODY_NONE, 0, th_exchange_grant_delete, "removeGrant",
     "Take a grant back", NULL, "{\"type\":\"object\"}", NULL, false},
    {"GET", "/exchange/v1/links", STAFF | TH_ROLE_DUTY, TH_BODY_NONE, 0, th_exchange_links_get, "listLinks",
     "Links to the other members and their health", NULL, "{\"type\":\"object\"}", NULL, false},
    {"GET", "/exchange/v1/journal", STAFF, TH_BODY_NONE, 0, th_exchange_journal_get, "listJournal",
     "Entries of this node's journal, newest first", NULL, "{\"type\":\"object\"}",
     "before:integer:Entries with a smaller index;limit:integer:At most this many, 1 to 200", false},
    {"GET", "/exchange/v1/receipts/{id}", TH_ROLE_STAFF, TH_BODY_NONE, 0, th_exchange_receipt_get, "getReceipts",
     "The receipts of one message", NULL, "{\"type\":\"object\"}", NULL, false},
    {"GET", "/exchange/v1/alarms", STAFF | TH_ROLE_DUTY, TH_BODY_NONE, 0, th_exchange_alarms_get, "listAlarms",
     "What governors and operators must look at, open ones first", NULL, "{\"type\":\"object\"}", NULL, false},
    {"POST", "/exchange/v1/alarms/{id}:handle", TH_ROLE_OPERATOR | TH_ROLE_DUTY, TH_BODY_JSON, 4096, th_exchange_alarm_handle,
     "handleAlarm", "Say what was done about an alarm; it leaves the wall",
     "{\"type\":\"object\",\"required\":[\"note\"],\"properties\":{\"note\":{\"type\":\"string\",\"maxLength\":500}}}",
     "{\"type\":\"object\"}", NULL, false},
    {"POST", "/exchange/v1/ask", TH_ROLE_CLERK | TH_ROLE_SYSTEM, TH_BODY_JSON, 64 * 1024, th_exchange_ask_post, "ask",
     "Verify claims about, or query fields of, one entry of a register of any member",
     "{\"$ref\":\"#/components/schemas/Ask\"}", "{\"$ref\":\"#/components/schemas/Answer\"}", NULL, false},
    {"POST", "/exchange/v1/ask:batch", TH_ROLE_CLERK | TH_ROLE_SYSTEM, TH_BODY_JSON, 4 * 1024 * 1024,
     th_exchange_ask_batch_post, "askBatch", "Up to 1,000 asks in one call",
     "{\"type\":\"object\",\"required\":[\"asks\"],\"properties\":{\"asks\":{\"type\":\"array\",\"maxItems\":1000,\"items\":{"
     "\"$ref\":\"#/components/schemas/Ask\"}}}}",
     "{\"type\":\"object\"}", NULL, false},
    {"GET", "/exchange/v1/looks", TH_ROLE_CITIZEN, TH_BODY_NONE, 0, th_exchange_looks_get, "listLooks",
     "Who looked at my data, over all nodes", NULL, "{\"type\":\"object\"}", "before:string:Go on behind a page: its next; or an instant, for what was before it", false},
    {"POST", "/exchange/v1/batch", TH_ROLE_ANYONE, TH_BODY_BYTES, TH_BATCH_BYTES_MAX, th_exchange_batch_post, "postBatch",
     "A signed batch of messages from another member", NULL, NULL, NULL, true},
    {"GET", "/exchange/v1/grants:published", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_exchange_grants_published,
     "getPublishedGrants", "This node's grants, signed", NULL, "{\"type\":\"object\"}", NULL, true},
};

const th_route *th_exchange_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_exchange_schemas(void)
{
    return "{"
           "\"Words\":{\"type\":\"object\",\"properties\":{\"zh\":{\"type\":\"string\"},\"en\":{\"type\":\"string\"}}},"
           "\"Region\":{\"type\":\"object\",\"required\":[\"document\",\"version\",\"live\",\"members\"],\"properties\":{"
           "\"document\":{\"type\":\"object\",\"description\":\"The trust document itself, as signed\"},"
           "\"version\":{\"type\":\"integer\"},\"issued\":{\"type\":\"string\",\"format\":\"date-time\"},"
           "\"expires\":{\"type\":\"string\",\"format\":\"date-time\"},\"live\":{\"type\":\"boolean\"},"
           "\"members\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"governors\":{\"type\":\"object\"},"
           "\"warnings\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}},"
           "\"Grant\":{\"type\":\"object\",\"required\":[\"id\",\"provider\",\"register\",\"operation\",\"fields\",\"consumer\","
           "\"purposes\",\"basis\",\"consent\",\"not_before\",\"not_after\"],\"properties\":{\"id\":{\"type\":\"string\"},"
           "\"provider\":{\"type\":\"string\"},\"register\":{\"type\":\"string\"},"
           "\"operation\":{\"enum\":[\"verify\",\"query\"]},\"fields\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
           "\"consumer\":{\"type\":\"object\"},\"purposes\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
           "\"basis\":{\"$ref\":\"#/components/schemas/Words\"},\"consent\":{\"enum\":[\"none\",\"citizen\"]},"
           "\"rate\":{\"type\":\"integer\",\"description\":\"messages a minute\"},"
           "\"not_before\":{\"type\":\"string\",\"format\":\"date-time\"},"
           "\"not_after\":{\"type\":\"string\",\"format\":\"date-time\"}}},"
           "\"GrantList\":{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{"
           "\"$ref\":\"#/components/schemas/Grant\"}}}},"
           "\"Ask\":{\"type\":\"object\",\"required\":[\"provider\",\"register\",\"operation\",\"key\",\"purpose\"],"
           "\"properties\":{\"provider\":{\"type\":\"string\",\"description\":\"Six-digit code of the member that owns the register\"},"
           "\"register\":{\"type\":\"string\"},\"operation\":{\"enum\":[\"verify\",\"query\"]},"
           "\"key\":{\"type\":\"object\",\"description\":\"The register's key fields\"},"
           "\"claims\":{\"type\":\"object\",\"description\":\"verify: the values to compare\"},"
           "\"fields\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"query: the fields wanted\"},"
           "\"grant\":{\"type\":\"string\",\"description\":\"Chosen by the node when absent\"},"
           "\"purpose\":{\"type\":\"object\",\"required\":[\"item\"],\"properties\":{\"item\":{\"type\":\"string\"},"
           "\"case\":{\"type\":\"string\"}}},\"consent\":{\"type\":\"string\"}}},"
           "\"Answer\":{\"type\":\"object\",\"required\":[\"id\",\"receipt\"],\"properties\":{\"id\":{\"type\":\"string\"},"
           "\"results\":{\"type\":\"object\",\"additionalProperties\":{\"enum\":[\"match\",\"mismatch\",\"no_record\","
           "\"indeterminate\"]}},\"record\":{\"type\":\"object\"},\"receipt\":{\"$ref\":\"#/components/schemas/Receipt\"}}},"
           "\"Receipt\":{\"type\":\"object\",\"required\":[\"entry\",\"path\",\"head\"],\"properties\":{"
           "\"entry\":{\"type\":\"string\",\"description\":\"The journal entry's exact bytes\"},"
           "\"path\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"head\":{\"type\":\"object\"}}}"
           "}";
}
