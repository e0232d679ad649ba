/* wall.c — the region on one screen: nodes, flows, a day in minutes, and what needs a person. */
#include "operations-private.h"

#include <stdio.h>
#include <string.h>

static const th_json *member_file(const th_operations *o, const char *code)
{
    const th_json *members = th_json_get(o->region, "members");
    for (const th_json *m = th_json_first(members); m; m = th_json_next(members, m))
        if (th_str_is(th_json_str(m, "code"), code))
            return m;
    return NULL;
}

static const th_beat *beat_of(const th_operations *o, const char *code)
{
    for (size_t i = 0; i < o->beat_count; i++)
        if (strcmp(o->beats[i].code, code) == 0)
            return &o->beats[i];
    return NULL;
}

static void node_write(th_operations *o, const th_member *m, int64_t now, th_pen *pen)
{
    static const th_beat none;
    const th_json *file = member_file(o, m->code), *lon = th_json_get(file, "lon"), *lat = th_json_get(file, "lat");
    const th_beat *found = beat_of(o, m->code);
    bool up = found && now - found->at_us < TH_BEAT_FRESH_US;
    const th_beat *b = up ? found : &none;
    th_pen_object(pen);
    th_pen_ktext(pen, "code", m->code);
    th_pen_key(pen, "name");
    th_pen_object(pen);
    th_pen_kstr(pen, "zh", m->name_zh);
    th_pen_kstr(pen, "en", m->name_en);
    th_pen_end(pen, '}');
    th_pen_kraw(pen, "lon", lon ? lon->raw : TH_STR("0"));
    th_pen_kraw(pen, "lat", lat ? lat->raw : TH_STR("0"));
    th_pen_kbool(pen, "up", up);
    th_pen_kbool(pen, "suspended", m->suspended);
    th_pen_kint(pen, "verifies_per_s", b->verifies);
    th_pen_kint(pen, "messages_per_s", b->messages);
    th_pen_kint(pen, "latency_p50_us", b->p50_us);
    th_pen_kint(pen, "latency_p99_us", b->p99_us);
    th_pen_kint(pen, "faults", b->faults);
    th_pen_kint(pen, "outbox", b->outbox);
    th_pen_kint(pen, "head_size", found ? found->head_size : 0);
    th_pen_end(pen, '}');
}

static void nodes_and_flows(th_operations *o, const th_trust *trust, int64_t now, th_pen *pen)
{
    th_pen_key(pen, "nodes");
    th_pen_array(pen);
    for (size_t i = 0; trust && i < trust->member_count; i++)
        node_write(o, &trust->members[i], now, pen);
    th_pen_end(pen, ']');
    th_pen_key(pen, "flows");
    th_pen_array(pen);
    for (size_t i = 0; i < o->beat_count; i++)
        for (size_t k = 0; now - o->beats[i].at_us < TH_BEAT_FRESH_US && k < o->beats[i].flow_count; k++) {
            th_pen_object(pen);
            th_pen_ktext(pen, "from", o->beats[i].code);
            th_pen_ktext(pen, "to", o->beats[i].flows[k].to);
            th_pen_kint(pen, "per_s", o->beats[i].flows[k].count);
            th_pen_end(pen, '}');
        }
    th_pen_end(pen, ']');
}

static void attention_row(th_pen *pen, const char *level, int64_t at_us, th_str zh, th_str en, th_str peer, const char *href)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "level", level);
    th_pen_ktime(pen, "at", at_us);
    th_pen_kstr(pen, "zh", zh);
    th_pen_kstr(pen, "en", en);
    th_pen_kstr(pen, "peer", peer);
    th_pen_ktext(pen, "href", href);
    th_pen_end(pen, '}');
}

/* Nodes that are silent, effects that cannot be delivered, and alarms that nobody has dealt with. Not under the lock: it reads the store. */
static void attention_write(th_operations *o, const th_trust *trust, int64_t now, th_db *db, th_arena *arena, th_pen *pen)
{
    th_alarm *alarms = NULL;
    th_backlog *backlogs = NULL;
    size_t n = 0, queues = 0;
    th_pen_key(pen, "attention");
    th_pen_array(pen);
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; trust && i < trust->member_count; i++) {
        const th_member *m = &trust->members[i];
        const th_beat *b = beat_of(o, m->code);
        if (m->suspended || (b && now - b->at_us < TH_BEAT_FRESH_US) || now - o->opened_us < 2 * TH_BEAT_FRESH_US)
            continue;
        attention_row(pen, "amber", b ? b->at_us : o->opened_us, th_strf(arena, "%.*s节点没有回应", TH_FMT(m->name_zh)),
                      th_strf(arena, "The node of %.*s does not answer", TH_FMT(m->name_en)), th_str_of(m->code), "/operator/links");
    }
    pthread_mutex_unlock(&o->lock);
    if (db && th_outbox_backlog(db, arena, &backlogs, &queues) == TH_OK)
        for (size_t i = 0; i < queues; i++)
            if (backlogs[i].dead)
                attention_row(pen, "amber", now, th_strf(arena, "%lld 条报文无法送达", (long long)backlogs[i].dead),
                              th_strf(arena, "%lld messages cannot be delivered", (long long)backlogs[i].dead), th_str_of(backlogs[i].peer),
                              "/operator/links");
    if (db && th_exchange_alarms(db, arena, &alarms, &n, NULL) == TH_OK)
        for (size_t i = 0; i < n; i++) {
            bool mild = th_str_is(alarms[i].kind, "trust-expires") || th_str_is(alarms[i].kind, "clock-skew");
            attention_row(pen, mild ? "amber" : "red", alarms[i].at_us, alarms[i].zh, alarms[i].en, alarms[i].peer,
                          th_str_starts(alarms[i].kind, "trust-") ? "/operator/trust" : "/operator/links");
        }
    th_pen_end(pen, ']');
}

static void minutes_write(th_operations *o, int64_t now, th_pen *pen)
{
    int64_t last = now / TH_MINUTE_US;
    th_pen_key(pen, "minutes");
    th_pen_array(pen);
    for (int64_t minute = last - TH_MINUTES + 1; minute <= last; minute++) {
        const th_minute *m = &o->minutes[minute % TH_MINUTES];
        if (m->minute != minute)
            continue; /* nothing was heard in that minute */
        th_pen_object(pen);
        th_pen_ktime(pen, "at", minute * TH_MINUTE_US);
        th_pen_kint(pen, "messages", m->messages);
        th_pen_kint(pen, "verifies", m->verifies);
        th_pen_kint(pen, "faults", m->faults);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
}

static void region_write(const th_operations *o, th_pen *pen)
{
    const th_json *name = th_json_get(o->region, "name");
    th_pen_key(pen, "region");
    th_pen_object(pen);
    th_pen_kstr(pen, "id", th_json_str(o->region, "id"));
    th_pen_kstr(pen, "zh", th_json_str(name, "zh"));
    th_pen_kstr(pen, "en", th_json_str(name, "en"));
    th_pen_end(pen, '}');
}

th_handled th_wall_get(th_request *rq)
{
    th_operations *o = rq->module;
    int64_t now = th_now_us(o->options.env);
    th_db *db = NULL;
    th_trust *trust = th_exchange_trust(o->options.exchange);
    th_pen pen = th_pen_on(&rq->out);
    TH_IGNORE(th_store_acquire(o->options.store, &db, NULL));
    th_pen_object(&pen);
    region_write(o, &pen);
    pthread_mutex_lock(&o->lock);
    nodes_and_flows(o, trust, now, &pen);
    minutes_write(o, now, &pen);
    pthread_mutex_unlock(&o->lock);
    attention_write(o, trust, now, db, &rq->arena, &pen);
    if (db)
        th_store_release(o->options.store, db);
    th_pen_ktime(&pen, "now", now);
    th_pen_kbool(&pen, "simulated", o->options.demonstration);
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}

th_handled th_wall_stream(th_request *rq)
{
    th_operations *o = rq->module;
    return th_reply_events(rq, o->topic, (th_str){NULL, 0});
}

/* A beat for everybody who watches; and, for the lights on the map, what other nodes did. */
void th_wall_publish(th_operations *o, int64_t now)
{
    th_arena arena;
    th_db *db = NULL;
    th_buf buf;
    if (!th_topic_subscribers(o->topic))
        return;
    th_trust *trust = th_exchange_trust(o->options.exchange);
    th_arena_open(&arena, 1 << 20);
    th_buf_open(&buf, &arena, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    TH_IGNORE(th_store_acquire(o->options.store, &db, NULL));
    th_pen_object(&pen);
    pthread_mutex_lock(&o->lock);
    nodes_and_flows(o, trust, now, &pen);
    th_beat others[TH_MEMBERS_MAX];
    size_t n = o->beat_count;
    memcpy(others, o->beats, n * sizeof *others);
    pthread_mutex_unlock(&o->lock);
    attention_write(o, trust, now, db, &arena, &pen);
    if (db)
        th_store_release(o->options.store, db);
    th_pen_ktime(&pen, "at", now);
    th_pen_end(&pen, '}');
    if (th_buf_ok(&buf))
        th_topic_publish(o->topic, "beat", th_buf_view(&buf));
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; now - others[i].at_us < 2 * TH_SECOND_US && k < others[i].flow_count; k++)
            th_topic_publish(o->topic, "message",
                             th_strf(&arena, "{\"from\":\"%s\",\"to\":\"%s\",\"type\":\"ask\",\"count\":%lld,\"us\":%lld,\"ok\":true}", others[i].code,
                                     others[i].flows[k].to, (long long)others[i].flows[k].count, (long long)others[i].p50_us));
    th_arena_close(&arena);
    th_trust_release(trust);
}

/* ---- this node ---- */

/* What the demonstration's citizen would read off her certificate: her own, invented, so that a visitor can apply as her. */
static void sample_write(const th_operations *o, const th_json *person, th_pen *pen)
{
    char household[8] = "", degree[8] = "";
    th_arena arena;
    th_person found;
    th_arena_open(&arena, 8u << 20);
    snprintf(household, sizeof household, "%.*s", TH_FMT(th_json_str(person, "household")));
    snprintf(degree, sizeof degree, "%.*s", TH_FMT(th_json_str(person, "degree")));
    if (th_records_person(o->region_dir, household, degree[0] ? degree : NULL, o->options.seed, th_json_int(person, "nth", 0), &arena, &found, NULL) == TH_OK) {
        th_pen_key(pen, "sample");
        th_pen_object(pen);
        th_pen_kstr(pen, "certificate_number", found.certificate);
        th_pen_kstr(pen, "level", found.level);
        th_pen_ktext(pen, "household_region", household);
        th_pen_ktext(pen, "phone", "13800000000");
        th_pen_end(pen, '}');
    }
    th_arena_close(&arena);
}

static void login_write(const th_operations *o, const th_json *a, th_arena *arena, th_pen *pen)
{
    th_str member = th_json_str(a, "member");
    const th_json *name = th_json_get(a, "name");
    if (!th_str_is(member, "*") && !th_str_is(member, o->code))
        return;
    th_pen_object(pen);
    th_pen_kstr(pen, "role", th_json_str(a, "role"));
    th_pen_kstr(pen, "login", th_json_str(a, "login"));
    th_pen_kstr(pen, "password", th_json_str(o->region, "demo_password"));
    th_pen_kwords(pen, "name", name ? th_strf(arena, "%.*s", TH_FMT(th_json_str(name, "zh"))).p : "演示市民",
                  name ? th_strf(arena, "%.*s", TH_FMT(th_json_str(name, "en"))).p : "Demo citizen");
    if (th_json_get(a, "person"))
        sample_write(o, th_json_get(a, "person"), pen);
    th_pen_end(pen, '}');
}

/* Names of offices and of purposes that are not items, so that no page shows a code without its name. */
static void list_write(const th_operations *o, const char *key, th_pen *pen)
{
    const th_json *list = th_json_get(o->region, key);
    th_pen_key(pen, key);
    th_pen_array(pen);
    for (const th_json *each = th_json_first(list); each; each = th_json_next(list, each)) {
        th_pen_object(pen);
        th_pen_kstr(pen, "code", th_json_str(each, "code"));
        th_pen_kstr(pen, "zh", th_json_str(each, "zh"));
        th_pen_kstr(pen, "en", th_json_str(each, "en"));
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
}

th_handled th_node_get(th_request *rq)
{
    th_operations *o = rq->module;
    const th_json *accounts = th_json_get(o->region, "accounts");
    th_trust *trust = th_exchange_trust(o->options.exchange);
    const th_member *self = trust ? th_trust_member(trust, th_str_of(o->code)) : NULL;
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "code", o->code);
    th_pen_key(&pen, "name");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "zh", self ? self->name_zh : th_str_of(o->code));
    th_pen_kstr(&pen, "en", self ? self->name_en : th_str_of(o->code));
    th_pen_end(&pen, '}');
    region_write(o, &pen);
    th_pen_ktext(&pen, "version", "0.1.0");
    th_pen_kbool(&pen, "demonstration", o->options.demonstration);
    th_pen_kbool(&pen, "tour", th_tour_there(o));
    if (o->options.demonstration) {
        th_pen_key(&pen, "logins");
        th_pen_array(&pen);
        for (const th_json *a = th_json_first(accounts); a; a = th_json_next(accounts, a))
            login_write(o, a, &rq->arena, &pen);
        th_pen_end(&pen, ']');
    }
    list_write(o, "offices", &pen);
    list_write(o, "purposes", &pen);
    th_pen_key(&pen, "portals");
    th_pen_array(&pen);
    for (size_t i = 0; trust && i < trust->member_count; i++) {
        const th_member *m = &trust->members[i];
        th_pen_object(&pen);
        th_pen_ktext(&pen, "code", m->code);
        th_pen_key(&pen, "name");
        th_pen_object(&pen);
        th_pen_kstr(&pen, "zh", m->name_zh);
        th_pen_kstr(&pen, "en", m->name_en);
        th_pen_end(&pen, '}');
        th_pen_kstr(&pen, "url", m->portal);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_trust_release(trust);
    return th_reply_json(rq, 200);
}
