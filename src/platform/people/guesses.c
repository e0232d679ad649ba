/* guesses.c — wrong tries at logins that nobody has, or that are disabled: counted and locked as those at an account are, so that a lock
 * does not tell which logins there are, and so that a loop over one login costs five hashes a while and not one a request.
 *
 * A fixed table in memory: a login takes the place that its keyed hash names, and may push out another. */
#include "people-private.h"

#include <string.h>

enum { SLOTS = 4096, TAG = 16 };

struct th_guesses {
    pthread_mutex_t lock;
    struct { uint8_t tag[TAG]; int64_t failed, locked_until; } slots[SLOTS];
};

th_guesses *th_guesses_open(void)
{
    th_guesses *g = th_new(sizeof *g);
    if (g)
        pthread_mutex_init(&g->lock, NULL);
    return g;
}

void th_guesses_close(th_guesses *g)
{
    if (g)
        pthread_mutex_destroy(&g->lock);
    th_free(g);
}

static th_hash login_hash(const th_people *people, th_str login)
{
    th_str pieces[] = {TH_STR("tonghui/v1/guesses\n"), login};
    return th_hmac(people->options.secret, pieces, 2);
}

static size_t slot_of(const th_hash *hash)
{
    return (hash->b[TAG] | (size_t)hash->b[TAG + 1] << 8) % SLOTS;
}

int64_t th_guesses_locked_until(th_people *people, th_str login)
{
    th_hash hash = login_hash(people, login);
    th_guesses *g = people->guesses;
    size_t i = slot_of(&hash);
    pthread_mutex_lock(&g->lock);
    int64_t until = memcmp(g->slots[i].tag, hash.b, TAG) ? 0 : g->slots[i].locked_until;
    pthread_mutex_unlock(&g->lock);
    return until;
}

void th_guesses_count(th_people *people, th_str login)
{
    th_hash hash = login_hash(people, login);
    th_guesses *g = people->guesses;
    size_t i = slot_of(&hash);
    pthread_mutex_lock(&g->lock);
    if (memcmp(g->slots[i].tag, hash.b, TAG)) {
        memcpy(g->slots[i].tag, hash.b, TAG);
        g->slots[i].failed = g->slots[i].locked_until = 0;
    }
    int64_t over = ++g->slots[i].failed - TH_LOCK_AFTER;
    if (over >= 0)
        g->slots[i].locked_until = th_now_us(people->options.env) + th_lock_us(over);
    pthread_mutex_unlock(&g->lock);
}
