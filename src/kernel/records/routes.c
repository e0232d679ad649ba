/* routes.c — the route table of registers and catalogue, and imports over HTTP. */
#include "records-private.h"

#include <string.h>

enum { IMPORT_MAX = 64 << 20, REPORT_MAX = 1000 };

static th_handled registers_get(th_request *rq)
{
    th_str json;
    th_status status = th_records_list(rq->module, NULL, &rq->arena, &json, &rq->error);
    return status ? th_reply_problem(rq, status, NULL) : th_reply_bytes(rq, 200, "application/json", json);
}

typedef struct importing {
    th_request *rq;
    th_register *reg;
    bool csv;
    th_buf report;
    size_t lines;
} importing;

static void report_line(void *ctx, th_str json)
{
    importing *im = ctx;
    if (im->lines >= REPORT_MAX)
        return;
    if (im->lines++)
        th_buf_char(&im->report, ',');
    th_buf_str(&im->report, json);
}

static th_status import_run(importing *im, th_str *ret_summary)
{
    th_request *rq = im->rq;
    th_import *import;
    th_status status = th_import_open(rq->module, im->reg, im->csv, report_line, im, &import, &rq->error);
    if (status)
        return status;
    status = th_import_feed(import, rq->body, &rq->error);
    if (status) {
        th_import_abandon(import);
        return status;
    }
    return th_import_end(import, &rq->arena, ret_summary, &rq->error);
}

static void import_job(void *arg)
{
    importing *im = arg;
    th_request *rq = im->rq;
    th_str summary;
    th_status status = import_run(im, &summary);
    if (status) {
        (void)th_reply_problem(rq, status, NULL);
    } else {
        th_buf_put(&rq->out, summary.p, summary.n - 1); /* its closing brace comes after the report */
        th_buf_text(&rq->out, ",\"report\":[");
        th_buf_str(&rq->out, th_buf_view(&im->report));
        th_buf_text(&rq->out, "]}");
        (void)th_reply_json(rq, 200);
    }
    th_request_finish(rq);
}

static th_handled import_post(th_request *rq)
{
    th_records *records = rq->module;
    th_str format = th_request_query(rq, "format");
    importing *im = th_alloc(&rq->arena, sizeof *im);
    if (!im)
        return th_reply_problem(rq, TH_NO_MEMORY, NULL);
    im->rq = rq;
    im->csv = !th_str_is(format, "jsonl");
    im->reg = th_register_find(records, rq->params[0]);
    th_buf_open(&im->report, &rq->arena, 1 << 20);
    if (!im->reg)
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-register", "没有这个登记簿", "There is no such register"), NULL);
    if (format.n && !th_str_is(format, "csv") && !th_str_is(format, "jsonl"))
        return th_reply_problem(rq, th_fail_field(&rq->error, "?format", "enum", "须为 csv 或 jsonl", "Must be csv or jsonl"), NULL);
    if (th_register_live(records, im->reg).source != TH_SOURCE_LOCAL)
        return th_reply_problem(
            rq, th_fail(&rq->error, TH_CONFLICT, "not-local", "该登记簿由外部数据库提供，不能导入", "This register is answered by an outside source"), NULL);
    if (th_pool_submit(records->options.pool, import_job, im))
        return th_reply_problem(rq, TH_BUSY, NULL);
    return TH_LATER;
}

#define OBJECT "{\"type\":\"object\"}"
#define LIST "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"next\":{\"type\":[\"string\",\"null\"]}}}"
#define REASON "{\"type\":\"object\",\"required\":[\"reason\"],\"properties\":{\"reason\":{\"type\":\"string\"}}}"
#define WANTED                                                                                                                            \
    "{\"type\":\"object\",\"required\":[\"reason\",\"fields\",\"item\"],\"additionalProperties\":false,\"properties\":{\"reason\":{\"type\":\"string\"}," \
    "\"fields\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"item\":{\"type\":\"string\"},\"provider\":{\"type\":\"string\"}}}"
static const th_route routes[] = {
    {"GET", "/records/v1/registers", TH_ROLE_STAFF, TH_BODY_NONE, 0, registers_get, "registers", "Registers of this node", NULL, LIST, NULL,
     false},
    {"POST", "/records/v1/registers/{name}:import", TH_ROLE_OPERATOR, TH_BODY_BYTES, IMPORT_MAX, import_post, "importRegister",
     "Import a register as one version", NULL, OBJECT, "format:string:csv or jsonl", false},
    {"GET", "/records/v1/catalogue.jsonld", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_catalogue_jsonld, "catalogueDcat", "The catalogue as DCAT",
     NULL, "application/ld+json", "cursor:integer:where to go on;limit:integer:at most 100;modified_since:string:date or instant; only what changed since", false},
    {"GET", "/records/v1/catalogue", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_catalogue_get, "catalogue", "Search the catalogue", NULL, LIST,
     "q:string:words;sector:string:one of the nine sectors;cursor:integer:where to go on;limit:integer:at most 100", false},
    {"GET", "/records/v1/catalogue/{id}", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_catalogue_one, "dataset", "One dataset", NULL, OBJECT, NULL, false},
    {"POST", "/records/v1/catalogue/{id}:request", TH_ROLE_STAFF, TH_BODY_JSON, 0, th_request_post, "requestDataset", "Ask for access", WANTED,
     OBJECT, NULL, false},
    {"GET", "/records/v1/datasets/{id}.json", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_dataset_get, "datasetJson", "Download as JSON", NULL, OBJECT,
     NULL, false},
    {"GET", "/records/v1/datasets/{id}.csv", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_dataset_get, "datasetCsv", "Download as CSV", NULL, "text/csv", NULL,
     false},
    {"GET", "/records/v1/datasets/{id}.geojson", TH_ROLE_ANYONE, TH_BODY_NONE, 0, th_dataset_get, "datasetGeojson", "Download as GeoJSON", NULL,
     "application/geo+json", NULL, false},
    {"POST", "/records/v1/identifiers:check", TH_ROLE_ANYONE, TH_BODY_JSON, 4096, th_identifier_check, "checkIdentifier",
     "Could this number have been issued? Its stored form, or what is wrong with it",
     "{\"type\":\"object\",\"required\":[\"kind\",\"value\"],\"properties\":{\"kind\":{\"enum\":[\"citizen\",\"uscc\",\"organisation\",\"item\","
     "\"ecert\"]},\"value\":{\"type\":\"string\"}}}",
     OBJECT, NULL, false},
    {"POST", "/records/v1/verify:everywhere", TH_ROLE_CLERK | TH_ROLE_SYSTEM, TH_BODY_JSON, 64 * 1024, th_verify_everywhere, "verifyEverywhere",
     "Verify at several nodes at once; contradictions are indeterminate and open a ticket",
     "{\"type\":\"object\",\"required\":[\"register\",\"key\",\"claims\",\"purpose\"],\"properties\":{\"register\":{\"type\":\"string\"},"
     "\"key\":{\"type\":\"object\"},\"claims\":{\"type\":\"object\"},\"purpose\":{\"type\":\"object\"},\"providers\":{\"type\":\"array\","
     "\"items\":{\"type\":\"string\"}},\"consents\":{\"type\":\"object\"},\"deadline_ms\":{\"type\":\"integer\"}}}",
     OBJECT, NULL, false},
    {"GET", "/records/v1/conflicts", TH_ROLE_OPERATOR | TH_ROLE_AUDITOR, TH_BODY_NONE, 0, th_conflicts_get, "conflicts", "Records that contradict each other", NULL, LIST,
     "state:string:open, closed or superseded;cursor:string:from the answer before", false},
    {"POST", "/records/v1/conflicts/{id}:close", TH_ROLE_OPERATOR, TH_BODY_JSON, 0, th_conflict_close, "closeConflict",
     "Say what was found about a conflict", "{\"type\":\"object\",\"required\":[\"note\"],\"properties\":{\"note\":{\"type\":\"string\"}}}",
     OBJECT, NULL, false},
    {"GET", "/records/v1/requests", TH_ROLE_STAFF, TH_BODY_NONE, 0, th_requests_get, "dataRequests",
     "Requests for access: those to this node, and those that it sent", NULL, LIST, NULL, false},
    {"POST", "/records/v1/requests/{id}:grant", TH_ROLE_OPERATOR, TH_BODY_JSON, 0, th_request_grant, "grantRequest", "Grant a request", REASON,
     OBJECT, NULL, false},
    {"POST", "/records/v1/requests/{id}:refuse", TH_ROLE_OPERATOR, TH_BODY_JSON, 0, th_request_refuse, "refuseRequest", "Refuse a request",
     REASON, OBJECT, NULL, false},
};

const th_route *th_records_routes(size_t *ret_n)
{
    *ret_n = TH_COUNT(routes);
    return routes;
}

const char *th_records_schemas(void)
{
    return NULL;
}
