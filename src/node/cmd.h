/* cmd.h — the command line: one function a verb, the same words and exit codes everywhere.
 *
 * Exit codes: 0 done; 1 failed; 2 wrong usage; 3 refused (forbidden, conflict, not found); 4 unavailable (busy, peer down, timeout).
 * Words for people go to stderr in the language of --lang, TONGHUI_LANG or LANG (zh unless it starts with en); results go to stdout,
 * as exactly one JSON document with --json. The table in verbs.c is the only place that knows verbs and options: the reader of words,
 * the help, and the checks of man page and completion all come from it.
 */
#ifndef TH_NODE_CMD_H
#define TH_NODE_CMD_H
#include "node/node.h"

enum { TH_OPTIONS_MAX = 14, TH_WORDS_MAX = 256 };

typedef struct th_opt {
    const char *name, *value; /* value NULL = a flag */
    const char *zh, *en;      /* zh NULL = not told to people (`up` tells `serve` something) */
    bool must;
} th_opt;

typedef struct th_args th_args;
typedef struct th_verb {
    const char *name;  /* "region sign" */
    const char *words; /* operands as usage shows them; "" = none */
    int least, most;   /* how many operands */
    bool node;         /* works on --node DIR */
    int (*run)(const th_args *args);
    const char *zh, *en;
    th_opt options[TH_OPTIONS_MAX];
} th_verb;

struct th_args {
    const th_verb *verb;
    const char *words[TH_WORDS_MAX];
    int word_count;
    struct th_given { const char *name, *value; } given[TH_WORDS_MAX];
    int given_count;
    const char *node; /* --node DIR or TONGHUI_NODE */
    bool json, english, help;
};

extern const th_verb th_verbs[];
extern const size_t th_verb_count;
extern const th_opt th_global_options[];
extern const size_t th_global_option_count;

/* args.c: fills `ret` from the words behind the program's name. 0, or the exit code after it has complained. */
int th_args_read(int argc, char **argv, th_args *ret);
const char *th_option(const th_args *args, const char *name); /* NULL when absent */
const char *th_option_at(const th_args *args, const char *name, int i); /* the i-th of an option that may come often */
bool th_flag(const th_args *args, const char *name);
const char *th_word(const th_args *args, int i); /* the i-th operand; NULL when there are fewer */
/* A whole number; false after complaining when it is none or out of range. `*ret` keeps its value when the option is absent. */
TH_MUST_USE bool th_option_int(const th_args *args, const char *name, int64_t least, int64_t most, int64_t *ret);

/* help.c */
int th_help(const th_args *args, const char *group); /* NULL = everything */
void th_usage_write(const th_verb *verb, char *text, size_t room);

/* Ends of verbs: each prints and gives the exit code. */
int th_cmd_failed(const th_args *args, th_status status, const th_error *error);
int th_cmd_usage(const th_args *args, const char *zh, const char *en, ...) TH_PRINTF(2, 4);
/* Done: `json` (or {"done":true} when absent) with --json, else the words on stderr. */
int th_cmd_done(const th_args *args, th_str json, const char *zh, const char *en, ...) TH_PRINTF(3, 5);

void th_say(const th_args *args, const char *zh, const char *en, ...) TH_PRINTF(2, 4); /* progress, stderr; silent with --json */
void th_print(th_str text); /* stdout with a line end */
/* Columns of a terminal that `text` takes: two for each wide character. */
int th_columns(const char *text);
void th_print_padded(const char *text, int columns);

/* ticker.c: a line on stderr that counts the seconds of something long; on a terminal in place, else a line every ten seconds. */
void th_ticker_start(const th_args *args, const char *zh, const char *en, ...) TH_PRINTF(2, 4);
void th_ticker_stop(void);

int th_cmd_init(const th_args *args);
int th_cmd_serve(const th_args *args);
int th_cmd_up(const th_args *args);
int th_cmd_region_member(const th_args *args);
int th_cmd_region_init(const th_args *args);
int th_cmd_region_propose(const th_args *args);
int th_cmd_region_sign(const th_args *args);
int th_cmd_region_apply(const th_args *args);
int th_cmd_region_show(const th_args *args);
int th_cmd_region_diff(const th_args *args);
int th_cmd_items_import(const th_args *args);
int th_cmd_list_draft(const th_args *args);
int th_cmd_list_sign(const th_args *args);
int th_cmd_list_apply(const th_args *args);
int th_cmd_list_show(const th_args *args);
int th_cmd_key_list(const th_args *args);
int th_cmd_key_new(const th_args *args);
int th_cmd_key_switch(const th_args *args);
int th_cmd_user_add(const th_args *args);
int th_cmd_user_list(const th_args *args);
int th_cmd_user_password(const th_args *args);
int th_cmd_user_disable(const th_args *args);
int th_cmd_user_totp(const th_args *args);
int th_cmd_user_office(const th_args *args);
int th_cmd_user_key(const th_args *args);
int th_cmd_register_import(const th_args *args);
int th_cmd_register_export(const th_args *args);
int th_cmd_register_list(const th_args *args);
int th_cmd_register_source(const th_args *args);
int th_cmd_grant_add(const th_args *args);
int th_cmd_grant_list(const th_args *args);
int th_cmd_grant_remove(const th_args *args);
int th_cmd_ask(const th_args *args);
int th_cmd_receipt_verify(const th_args *args);
int th_cmd_journal_tail(const th_args *args);
int th_cmd_journal_check(const th_args *args);
int th_cmd_cases_check(const th_args *args);
int th_cmd_catalogue_list(const th_args *args);
int th_cmd_catalogue_show(const th_args *args);
int th_cmd_catalogue_get(const th_args *args);
int th_cmd_generate(const th_args *args);
int th_cmd_backup(const th_args *args);
int th_cmd_restore(const th_args *args);
int th_cmd_simulate(const th_args *args);
int th_cmd_doctor(const th_args *args);
int th_cmd_help(const th_args *args);
int th_cmd_version(const th_args *args);

/* draft.c: a trust document before it is signed, made of what members say of themselves. */
typedef struct th_draft {
    th_str id, zh, en;
    int64_t version, threshold, issued_us, expires_us;
    struct th_draft_row { th_str key, json; } governors[TH_MEMBERS_MAX], members[TH_MEMBERS_MAX], suspended[TH_MEMBERS_MAX];
    size_t governor_count, member_count, suspended_count;
    th_arena *arena; /* where its texts live */
} th_draft;

/* {"member":{code,name,peer,portal,keys,tls},"governor":{kid,suite,public,holder}}: what the node in `dir` tells the governors of
 * itself, public halves only; next keys (see `key new`) stand beside those in use. */
TH_MUST_USE th_status th_member_tell(const char *dir, const char *zh, const char *en, th_arena *arena, th_str *ret_json, th_error *error);
TH_MUST_USE th_status th_draft_read(th_str document, th_arena *arena, th_draft *ret_draft, th_error *error);
/* Put a member (and its governor, if it tells of one) in, in place of an earlier entry of the same code. Keys that were in the earlier
 * entry keep their dates; those that are no longer told end now: old receipts stay good. */
TH_MUST_USE th_status th_draft_put(th_draft *draft, th_str told, th_error *error);
TH_MUST_USE th_status th_draft_drop(th_draft *draft, th_str code, th_error *error);
TH_MUST_USE th_status th_draft_suspend(th_draft *draft, th_str code, bool suspended, th_error *error);
/* The document without signatures. */
TH_MUST_USE th_status th_draft_document(const th_draft *draft, th_str *ret_document, th_error *error);
#endif
