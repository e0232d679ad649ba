/* cmd.h — the command line: one function a verb, the same words and exit codes everywhere.
 *
 * Exit codes: 0 done; 1 failed; 2 wrong usage; 3 refused (forbidden, conflict, not found); 4 unavailable (busy, peer down, running node).
 * Words for people go to stderr in the language of TONGHUI_LANG or LANG (zh unless it starts with en); results go to stdout, as one JSON
 * document with --json.
 */
#ifndef TH_NODE_CMD_H
#define TH_NODE_CMD_H
#include "node/node.h"

typedef struct th_args {
    const char *program;
    int argc; /* what follows the verb, without global options */
    char **argv;
    bool json;
    const char *node; /* --node DIR or TONGHUI_NODE */
    bool english;
} th_args;

typedef struct th_verb {
    const char *name; /* "region sign" */
    int (*run)(const th_args *args);
    const char *usage;
    const char *zh, *en;
} th_verb;

const th_verb *th_verbs(size_t *ret_n);

int th_cmd_failed(const th_args *args, th_status status, const th_error *error); /* prints, gives the exit code */
int th_cmd_usage(const th_args *args, const char *usage);
void th_say(const th_args *args, const char *zh, const char *en, ...) TH_PRINTF(2, 4); /* progress, stderr */
/* The value of `--name VALUE` or `--name=VALUE`; NULL when absent. */
const char *th_option(const th_args *args, const char *name);
bool th_flag(const th_args *args, const char *name);
/* The i-th word that is not an option or an option's value; NULL when there are fewer. Options with values are listed by each verb
 * in its usage as "--name VALUE". */
const char *th_word(const th_args *args, int i);
/* Node directory or a printed complaint. */
const char *th_cmd_node(const th_args *args);
void th_print(th_str text); /* stdout with a line end */

int th_cmd_init(const th_args *args);
int th_cmd_serve(const th_args *args);
int th_cmd_region(const th_args *args);
int th_cmd_user(const th_args *args);
int th_cmd_register(const th_args *args);
int th_cmd_grant(const th_args *args);
int th_cmd_ask(const th_args *args);
int th_cmd_receipt(const th_args *args);
int th_cmd_journal(const th_args *args);
int th_cmd_catalogue(const th_args *args);
int th_cmd_generate(const th_args *args);
int th_cmd_backup(const th_args *args);
int th_cmd_restore(const th_args *args);
int th_cmd_doctor(const th_args *args);
int th_cmd_simulate(const th_args *args);
int th_cmd_up(const th_args *args);

/* Set-up shared by `region` and `up`. */
/* The signed part of version `version` for the given nodes, governed by their governor keys. */
TH_MUST_USE th_status th_region_compose(const char *const *dirs, const char *const *names_zh, const char *const *names_en, size_t n,
                                        int64_t version, int64_t threshold, th_arena *arena, th_str *ret_signed, th_error *error);
#endif
