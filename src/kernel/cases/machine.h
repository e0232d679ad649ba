/* machine.h — which action may happen in which state, by whom, what has to be said, and what it does to the clock: rows of data.
 *
 * Promises  A region's machine is refused as a whole, with the row's pointer, when a row names an unknown state, actor, guard or clock event,
 *           or lacks its words in both languages. A body is checked against its action's fields: required, type, length, options; nothing
 *           that is not a field passes.
 * Ownership A machine lives in the arena it was read into; nothing changes it. Threads: any.
 * Source    region/<region>/cases.json; 行政许可法 §32–50, 69, 70; 国办发〔2019〕51号; 行政复议法 §20, 62.
 */
#ifndef TH_CASES_MACHINE_H
#define TH_CASES_MACHINE_H
#include "kernel/cases/clock.h"

enum { TH_STATES_MAX = 32, TH_ROWS_OF_MACHINE_MAX = 64, TH_FIELDS_MAX = 8, TH_ACTION_TEXT = 24 };

typedef enum th_phase { TH_PHASE_COLLECTING, TH_PHASE_WAITING, TH_PHASE_OPEN, TH_PHASE_FINAL } th_phase;
typedef struct th_case_state {
    th_str id, zh, en;
    th_phase phase;
    int index;
} th_case_state;

enum { /* who does it: bits */
    TH_BY_APPLICANT = 1, TH_BY_COLLECTOR = 2 /* a clerk where it was handed in */, TH_BY_CLERK = 4 /* of the deciding office */, TH_BY_HEAD = 8,
    TH_BY_ASSIST = 16 /* an office that was asked */, TH_BY_TIMER = 32, TH_BY_NODE = 64 /* the mechanism itself */,
};
th_str th_by_name(unsigned by);  /* of the lowest bit */
unsigned th_by_parse(th_str name); /* 0 = unknown */

enum { /* what else must hold: bits */
    TH_GUARD_LAST_CONSULT = 1, /* moves on only when every office that was asked has answered */
    TH_GUARD_APPEAL_ROUTE = 2, /* a refusal names where to appeal */
    TH_GUARD_RATING = 4,       /* within the time for rating, once, amended once */
    TH_GUARD_BAD_RATING = 8, TH_GUARD_CHECKED_RATING = 16,
    TH_GUARD_APPEAL_WINDOW = 32, /* late only with a reason */
    TH_GUARD_APPEAL_RESULT = 64, /* where to go on depends on the result */
    TH_GUARD_APPROVED = 128,
};

typedef enum th_field_kind { TH_FIELD_WORDS, TH_FIELD_CHOICE, TH_FIELD_NUMBER, TH_FIELD_MEMBER, TH_FIELD_SUSPENSION } th_field_kind;
typedef struct th_action_field {
    th_str name;
    th_field_kind kind;
    int64_t min, max;
    bool required;
    th_str when_name, when_value; /* required when that field has that value */
    const th_json *json;
} th_action_field;

typedef struct th_action {
    th_str name, kind; /* "accept", "accepted" */
    uint32_t from;     /* bit per state; 0 = begins a case */
    const th_case_state *to; /* NULL = stays */
    unsigned by, guards;
    int clock; /* th_clock_event or −1 */
    th_action_field fields[TH_FIELDS_MAX];
    size_t field_count;
    const th_json *json; /* title, done, law */
} th_action;

typedef struct th_machine {
    th_case_state states[TH_STATES_MAX];
    size_t state_count;
    th_action actions[TH_ROWS_OF_MACHINE_MAX];
    size_t action_count;
    const th_json *appeal; /* the route where an item does not say its own */
} th_machine;

TH_MUST_USE th_status th_machine_read(th_str json, th_arena *arena, const th_machine **ret_machine, th_error *error);
const th_case_state *th_machine_state(const th_machine *machine, th_str id); /* NULL when unknown */
const th_action *th_machine_action(const th_machine *machine, th_str name);
const th_action *th_machine_kind(const th_machine *machine, th_str kind); /* by the event it makes */
/* May it happen there? TH_CONFLICT "case-state". `state` NULL = the case does not exist yet. */
TH_MUST_USE th_status th_machine_allows(const th_machine *machine, const th_case_state *state, const th_action *action, th_error *error);
/* The words of an action as people gave them. TH_INVALID with pointers. */
TH_MUST_USE th_status th_action_body_check(const th_action *action, const th_clock_rules *rules, const th_json *body, th_error *error);
#endif
