/* credit.h — social credit as the law has it: lists with a legal basis, incentives first, repair that reaches every copy. No scores.
 *
 * A record says that one list's recogniser put one organisation (by its unified social credit code; never a person) on it by one document. Its
 * member owns it: whoever recognised repairs. Every change is a new version, told to all members by outbox and acknowledged by each, so
 * that "copies still un-updated" can be counted to nothing.
 * Promises  A list without a law, or a record without a document, does not exist. While an objection is looked into, negative effects rest. What was
 *           repaired or withdrawn does not come back by the same document, whoever sends it again. Publication ends by itself.
 * Effects   Read by cases at acceptance and decision and noted in the case with their law: papers may follow later, fast lane, review by hand, a
 *           licence withheld.
 * Tables    credit_*. First key column: the organisation, or the record.
 * Source    国发〔2016〕33号; 国办发〔2020〕49号; 《信用修复管理办法》 (in force 2026-04-01); region/<region>/credit.json.
 */
#ifndef TH_SERVICES_CREDIT_H
#define TH_SERVICES_CREDIT_H
#include "kernel/cases/cases.h"

typedef struct th_credit th_credit;
typedef struct th_credit_options {
    const char *code;
    th_str lists; /* region/<region>/credit.json; read when opening */
    th_store *store;
    th_writer *writer;
    const th_env *env;
    th_exchange *exchange;
    th_cases *cases;
} th_credit_options;
TH_MUST_USE th_status th_credit_open(const th_credit_options *options, th_credit **ret_credit, th_error *error);
void th_credit_close(th_credit *credit);
const char *th_credit_schema(void);
const th_route *th_credit_routes(size_t *ret_n);
const char *th_credit_schemas(void);
#endif
