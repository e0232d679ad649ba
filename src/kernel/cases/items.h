/* items.h — items of service (事项): what an office offers, as data, checked as a whole.
 *
 * An item is one JSON object, in a file of its own or as a row of a member's list (实施清单) over the basic catalogue (基本目录) that all
 * members share: a row says what is local, the catalogue what is the same everywhere, a profile the papers, form and steps of such items.
 * Members  code, title, kind, owner, office, basis, form, evidence are needed; version, valid_from, valid_to, state, target, handle,
 *          statutory_days, promised_days, extend_days, day_unit, special, joint, materials, conditions, process, fees, result, modes,
 *          visits and visit_reason, depth, window, contact, mail, pay, appeal, quota, intermediary, basic_code, impl_code, level,
 *          power_source, illustrative (names of members that were written for a demonstration). Words are {"zh", "en"} everywhere.
 * Materials {"id", "title", "obtain": upload|register|ecert|promise|defer, "required", "register"+"provider" or "ecert" or "promise",
 *          "defer_days", "when": {"field","equals"} or {"material"}, "copies", "form", "basis"}.
 * Source   GB/T 39554.1-2020, GB/T 39554.2-2020; 国办发〔2020〕35号 (modes: online 全程网办, collect 代收代办, joint 多地联办).
 */
#ifndef TH_CASES_ITEMS_H
#define TH_CASES_ITEMS_H
#include "kernel/cases/clock.h"

/* Is this item whole and without contradiction? Faults with pointers below `path`: required, type, enum, range, kind, law (no legal basis),
 * promised-over-statutory, suspension-reason, visit-reason, duplicate-id, cycle (materials that need each other), language. */
TH_MUST_USE th_status th_item_check(const th_clock_rules *rules, const th_json *item, const char *path, th_error *error);
#endif
