/* minutes.c — the day in minutes outlives a restart: a minute that is over is one row, read again when the node opens. */
#include "operations-private.h"

#include <string.h>

enum { KEPT_MINUTES = 2 * TH_MINUTES };

extern const char th_operations_schema_sql[];

const char *th_operations_schema(void)
{
    return th_operations_schema_sql;
}

th_status th_minutes_load(th_operations *o, th_error *error)
{
    th_db *db;
    th_arena arena;
    th_rows rows;
    int64_t last = th_now_us(o->options.env) / TH_MINUTE_US;
    th_value from[] = {th_v_int(last - TH_MINUTES + 1), th_v_int(last)};
    th_status status = th_store_acquire(o->options.store, &db, error);
    if (status)
        return status;
    th_arena_open(&arena, 4u << 20);
    status = th_db_select(db, "SELECT minute, messages, verifies, faults FROM operations_minute WHERE minute BETWEEN ?1 AND ?2", from, 2,
                          &arena, &rows, error);
    th_store_release(o->options.store, db);
    for (size_t i = 0; !status && i < rows.n; i++) {
        const th_value *row = th_row(&rows, i);
        o->minutes[row[0].i % TH_MINUTES] = (th_minute){row[0].i, row[1].i, row[2].i, row[3].i};
    }
    th_arena_close(&arena);
    o->minute_saved = last - 1;
    return status;
}

typedef struct saving {
    th_change change;
    th_minute minute;
} saving;

static th_status save_apply(th_change *change, th_db *db, th_error *error)
{
    const th_minute *m = &((saving *)change->ctx)->minute;
    th_value values[] = {th_v_int(m->minute), th_v_int(m->messages), th_v_int(m->verifies), th_v_int(m->faults)};
    th_value old = th_v_int(m->minute - KEPT_MINUTES);
    /* Restarted within the minute: both halves count. */
    th_status status = th_db_exec(db,
                                  "INSERT INTO operations_minute (minute, messages, verifies, faults) VALUES (?1, ?2, ?3, ?4) "
                                  "ON CONFLICT (minute) DO UPDATE SET messages = operations_minute.messages + excluded.messages, "
                                  "verifies = operations_minute.verifies + excluded.verifies, faults = operations_minute.faults + excluded.faults",
                                  values, 4, NULL, error);
    return status ? status : th_db_exec(db, "DELETE FROM operations_minute WHERE minute < ?1", &old, 1, NULL, error);
}

static void save_reply(th_change *change, th_status status, const th_error *error)
{
    (void)error;
    if (status)
        th_log(TH_LOG_INFO, "minute-not-kept", "status", th_status_name(status), NULL);
    th_free(change->ctx);
}

/* On the beating thread. */
void th_minutes_turn(th_operations *o, int64_t now)
{
    int64_t over = now / TH_MINUTE_US - 1;
    if (over <= o->minute_saved)
        return;
    o->minute_saved = over;
    pthread_mutex_lock(&o->lock);
    th_minute m = o->minutes[over % TH_MINUTES];
    pthread_mutex_unlock(&o->lock);
    saving *s = m.minute == over ? th_new(sizeof *s) : NULL;
    if (!s)
        return; /* nothing was heard in that minute */
    s->minute = m;
    s->change = (th_change){.apply = save_apply, .reply = save_reply, .ctx = s};
    if (th_writer_submit(o->options.writer, &s->change))
        th_free(s);
}
