/* key_cache.c — the API keys that outside systems have just shown, so that one call more does not read the store once more.
 *
 * A key is believed for a second without asking; one that this process revokes is forgotten at once, one that the command line revokes
 * within that second. What was read from the store before a key was revoked does not come in afterwards: generations tell. */
#include "people-private.h"

#include <pthread.h>
#include <string.h>

enum { SLOTS = 64, ID_MAX = 32, NAME_MAX_BYTES = 160, OFFICE_MAX = 64, BELIEVED_US = 1000000 };

typedef struct slot {
    char id[ID_MAX], hash[TH_HEX_HASH], name[NAME_MAX_BYTES], office[OFFICE_MAX];
    int64_t until_us;
} slot;

struct th_key_cache {
    pthread_mutex_t lock;
    uint64_t generation;
    slot slots[SLOTS];
};

th_key_cache *th_key_cache_open(void)
{
    th_key_cache *c = th_new(sizeof *c);
    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

void th_key_cache_close(th_key_cache *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    th_free(c);
}

static slot *slot_of(th_key_cache *c, th_str id)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * 16777619u;
    return &c->slots[h % SLOTS];
}

bool th_key_cache_find(th_key_cache *c, th_str id, const char hash[TH_HEX_HASH], int64_t now_us, th_arena *arena, th_who *ret_who,
                       uint64_t *ret_generation)
{
    bool found = false;
    pthread_mutex_lock(&c->lock);
    *ret_generation = c->generation;
    const slot *s = slot_of(c, id);
    if (now_us < s->until_us && th_str_is(id, s->id) && th_equal_secret(s->hash, hash, TH_HEX_HASH)) {
        *ret_who = (th_who){.account = th_str_keep(arena, id),
                            .name = th_str_keep(arena, th_str_of(s->name)),
                            .roles = TH_ROLE_SYSTEM,
                            .office = th_str_keep(arena, th_str_of(s->office))};
        found = ret_who->account.p && ret_who->name.p && ret_who->office.p;
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static bool text_to(char *to, size_t room, th_str text)
{
    if (text.n >= room)
        return false;
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = 0;
    return true;
}

void th_key_cache_put(th_key_cache *c, uint64_t generation, const char hash[TH_HEX_HASH], const th_who *who, int64_t now_us)
{
    slot fresh = {.until_us = now_us + BELIEVED_US};
    memcpy(fresh.hash, hash, TH_HEX_HASH);
    if (!text_to(fresh.id, sizeof fresh.id, who->account) || !text_to(fresh.name, sizeof fresh.name, who->name) ||
        !text_to(fresh.office, sizeof fresh.office, who->office))
        return;
    pthread_mutex_lock(&c->lock);
    if (generation == c->generation)
        *slot_of(c, who->account) = fresh;
    pthread_mutex_unlock(&c->lock);
}

void th_key_cache_forget(th_key_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->generation++;
    memset(c->slots, 0, sizeof c->slots);
    pthread_mutex_unlock(&c->lock);
}
