/* pair.h — two whole exchanges, 110000 and 120000, with a register "facts" and an effect of our own, for the tests of the exchange. */
#ifndef TH_TESTS_PAIR_H
#define TH_TESTS_PAIR_H
#include "region.h"

extern region r;
extern node a, b; /* 110000 (Ed25519) and 120000 (SM2) */
extern th_error error;
extern int facts_read, effects_done; /* how often the register was read and the effect applied */
extern th_status effect_outcome;     /* what the effect says */
extern char effect_order[4096];      /* "1 2 3 ": the effects in the order they were applied */

typedef struct question { th_ask ask; int done; } question;

void types_add(node *n);
void grants_share(node *provider, node *consumer);
void open_pair(bool pg);
void close_pair(void);
void pass(int64_t us);
void question_make(question *q, node *from, const char *field);
void ask(question *q, node *from, const char *field);
void entries_of(node *n, th_str **ret, size_t *ret_n);
int entries_count(node *n, const char *direction);
bool drop_answer(void *ctx, th_wire *request, th_wire *answer);
th_str *post(node *from, node *to, const char *const *lines, size_t n, int *ret_http);
const char *fresh_id(void);
const char *line_of(const char *format, ...);
void answer_is(th_str line, int status, const char *type);
th_status tell_to(const char *to, const char *key, int n);
void tell(const char *key, int n);
th_backlog backlog_of(node *n);
size_t looks_of(node *n, const char *person); /* how many looks at the register are shown to the person */

/* The rest of a good line after its id. */
#define GOOD "\"type\":\"fact\",\"to\":\"120000\",\"at\":\"2026-11-24T08:00:00Z\",\"grant\":\"facts-to-beijing\",\"purpose\":{\"item\":\"A\"},\"body\":{\"field\":\"name\",\"person\":\"110101199003070011\"}"
#endif
