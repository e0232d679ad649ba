/* tour.c — the story of one case, played for real and told step by step: what crossed the border, what did not, and the proof. */
#include "tour-private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TOPIC_QUEUE = 512 * 1024, WAIT_STEP_MS = 150, WAIT_MAX_MS = 30000, PERSONS = 20, FIRST_PERSON = 10, JOURNAL_LOOK_BACK = 400 };

static const th_who onlooker = {.roles = TH_ROLE_CLERK | TH_ROLE_AUDITOR};

/* ---- telling ---- */

static void label(th_pen *pen, const char *zh, const char *en)
{
    th_pen_key(pen, "label");
    th_pen_object(pen);
    th_pen_ktext(pen, "zh", zh);
    th_pen_ktext(pen, "en", en);
    th_pen_end(pen, '}');
}

void th_tour_step(playing *p, const char *state, words title, words text, th_str crossed, const words *kept, size_t kept_n, th_str proof, th_str looks)
{
    th_buf buf;
    th_buf_open(&buf, &p->arena, 256 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kint(&pen, "step", ++p->step);
    th_pen_kwords(&pen, "title", title.zh, title.en);
    th_pen_kwords(&pen, "text", text.zh, text.en);
    th_pen_kraw(&pen, "crossed", crossed.n ? crossed : TH_STR("[]"));
    th_pen_key(&pen, "kept");
    th_pen_array(&pen);
    for (size_t i = 0; i < kept_n; i++) {
        th_pen_object(&pen);
        th_pen_ktext(&pen, "zh", kept[i].zh);
        th_pen_ktext(&pen, "en", kept[i].en);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    if (proof.n)
        th_pen_kraw(&pen, "proof", proof);
    if (looks.n)
        th_pen_kraw(&pen, "looks", looks);
    th_pen_ktime(&pen, "at", th_now_us(p->o->options.env));
    th_pen_ktext(&pen, "state", state);
    th_pen_end(&pen, '}');
    if (th_buf_ok(&buf))
        th_topic_publish(p->tour->topic, "step", th_buf_view(&buf));
}

static void step_tell(playing *p, const char *state, words title, words text, th_str crossed, const words *kept, size_t kept_n, th_str proof)
{
    th_tour_step(p, state, title, text, crossed, kept, kept_n, proof, (th_str){NULL, 0});
}

static void failed_tell(playing *p, const char *zh, const char *en)
{
    step_tell(p, "failed", (words){"未能继续", "This could not go on"}, (words){zh, en}, (th_str){NULL, 0}, NULL, 0, (th_str){NULL, 0});
}

/* The question and the answer of one message, exactly as they crossed. */
th_str th_tour_lines(playing *p, th_str message_id, th_str from, th_str to)
{
    th_db *db;
    th_str message, answer;
    th_buf buf;
    if (!message_id.n || th_store_acquire(p->o->options.store, &db, NULL))
        return (th_str){NULL, 0};
    th_status status = th_exchange_lines(p->o->options.exchange, db, message_id, &p->arena, &message, &answer, NULL);
    th_store_release(p->o->options.store, db);
    if (status || !message.n || !answer.n)
        return (th_str){NULL, 0};
    th_buf_open(&buf, &p->arena, 192 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_array(&pen);
    th_pen_object(&pen);
    label(&pen, "发出的报文", "The message sent");
    th_pen_kstr(&pen, "from", from);
    th_pen_kstr(&pen, "to", to);
    th_pen_kraw(&pen, "json", message);
    th_pen_end(&pen, '}');
    th_pen_object(&pen);
    label(&pen, "收到的答复", "The answer received");
    th_pen_kstr(&pen, "from", to);
    th_pen_kstr(&pen, "to", from);
    th_pen_kraw(&pen, "json", answer);
    th_pen_end(&pen, '}');
    th_pen_end(&pen, ']');
    return th_buf_ok(&buf) ? th_buf_view(&buf) : (th_str){NULL, 0};
}

/* The last of its receipts: the other node's where this one asked, else its own. */
static th_str receipt_of(playing *p, th_str message_id)
{
    th_db *db;
    th_str json;
    const th_json *root;
    if (!message_id.n || th_store_acquire(p->o->options.store, &db, NULL))
        return (th_str){NULL, 0};
    th_status status = th_exchange_receipts(p->o->options.exchange, db, message_id, &p->arena, &json, NULL);
    th_store_release(p->o->options.store, db);
    if (status || th_json_parse(json, &p->arena, &root, NULL) || !root->count)
        return (th_str){NULL, 0};
    return th_json_at(root, root->count - 1)->raw;
}

/* ---- watching the case ---- */

static bool case_look(playing *p)
{
    th_db *db;
    th_str json;
    if (th_store_acquire(p->o->options.store, &db, NULL))
        return false;
    th_status status = th_cases_show(p->o->options.cases, db, th_str_of(p->case_id), &onlooker, &p->arena, &json, NULL);
    th_store_release(p->o->options.store, db);
    return status == TH_OK && th_json_parse(json, &p->arena, &p->shown, NULL) == TH_OK;
}

static bool evidence_there(playing *p, size_t index)
{
    const th_json *e = th_json_at(th_json_get(p->shown, "evidence"), index);
    return e && (th_str_is(th_json_str(e, "state"), "answered") || th_str_is(th_json_str(e, "state"), "refused"));
}

static bool state_reached(playing *p, const char *kind)
{
    const th_json *events = th_json_get(p->shown, "events");
    for (const th_json *e = th_json_first(events); e; e = th_json_next(events, e))
        if (th_str_is(th_json_str(e, "kind"), kind))
            return true;
    return false;
}

static bool wait_evidence(playing *p, size_t index)
{
    for (int waited = 0; waited < WAIT_MAX_MS && !atomic_load(&p->o->stopping); waited += WAIT_STEP_MS) {
        if (case_look(p) && evidence_there(p, index))
            return true;
        usleep(WAIT_STEP_MS * 1000);
    }
    return false;
}

static bool wait_kind(playing *p, const char *kind)
{
    for (int waited = 0; waited < WAIT_MAX_MS && !atomic_load(&p->o->stopping); waited += WAIT_STEP_MS) {
        if (case_look(p) && state_reached(p, kind))
            return true;
        usleep(WAIT_STEP_MS * 1000);
    }
    return false;
}

/* ---- the steps ---- */

typedef struct starting {
    th_case_start start;
    pthread_mutex_t lock;
    pthread_cond_t bell;
    bool done;
} starting;

static void started(th_case_start *start)
{
    starting *s = start->ctx;
    pthread_mutex_lock(&s->lock);
    s->done = true;
    pthread_cond_signal(&s->bell);
    pthread_mutex_unlock(&s->lock);
}

/* The service of the region's tour. NULL: the region plans none, does not offer it, or its form has no `note`, by which the simulated
 * clerk knows the cases that it may decide. */
static const th_case_item *tour_item(const th_operations *o)
{
    const th_json *plan = th_json_get(o->region, "tour");
    const th_case_item *item = plan ? th_cases_item(o->options.cases, th_json_str(plan, "item")) : NULL;
    return item && th_json_get(th_json_get(th_json_get(item->json, "form"), "properties"), "note") ? item : NULL;
}

bool th_tour_there(const th_operations *o)
{
    return o->options.demonstration && tour_item(o);
}

/* A form takes only the fields that it knows. */
static void field_fill(th_pen *pen, const th_json *fields, const char *name, th_str value)
{
    if (th_json_get(fields, name))
        th_pen_kstr(pen, name, value);
}

static th_str body_make(playing *p, const th_json *plan, const th_person *person)
{
    th_buf buf;
    const th_case_item *item = tour_item(p->o);
    const th_json *fields = item ? th_json_get(th_json_get(item->json, "form"), "properties") : NULL;
    th_buf_open(&buf, &p->arena, 8192);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "item", th_json_str(plan, "item"));
    th_pen_key(&pen, "form");
    th_pen_object(&pen);
    field_fill(&pen, fields, "certificate_number", person->certificate);
    field_fill(&pen, fields, "level", person->level);
    field_fill(&pen, fields, "household_region", th_json_str(plan, "household"));
    field_fill(&pen, fields, "phone", TH_STR("13800000000"));
    field_fill(&pen, fields, "note", TH_STR(TH_ROBOT_NOTE "：通惠之旅 tour"));
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "consents");
    th_pen_array(&pen);
    for (size_t i = 0; item && i < item->evidence_count; i++)
        th_pen_str(&pen, item->evidence[i].id);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return item ? th_buf_view(&buf) : (th_str){NULL, 0};
}

static bool case_start(playing *p)
{
    const th_json *plan = th_json_get(p->o->region, "tour");
    char household[8] = "", degree[8] = "";
    th_person person;
    th_error error = {0};
    th_str h = th_json_str(plan, "household"), d = th_json_str(plan, "degree");
    snprintf(household, sizeof household, "%.*s", TH_FMT(h));
    snprintf(degree, sizeof degree, "%.*s", TH_FMT(d));
    pthread_mutex_lock(&p->o->lock);
    int64_t nth = FIRST_PERSON + p->o->tours_begun++ % PERSONS;
    pthread_mutex_unlock(&p->o->lock);
    if (th_records_person(p->o->options.region_dir, household, degree, p->o->options.seed, nth, &p->arena, &person, &error))
        return false;
    starting s = {.start = {.json = body_make(p, plan, &person), .applicant_id_number = person.id_number, .applicant_name = person.name, .done = started}};
    s.start.ctx = &s;
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.bell, NULL);
    p->id_number = person.id_number;
    th_status status = s.start.json.n ? th_cases_start(p->o->options.cases, &s.start, &error) : TH_NOT_FOUND;
    pthread_mutex_lock(&s.lock);
    while (!status && !s.done)
        pthread_cond_wait(&s.bell, &s.lock);
    pthread_mutex_unlock(&s.lock);
    pthread_cond_destroy(&s.bell);
    pthread_mutex_destroy(&s.lock);
    if (!status)
        status = s.start.status;
    if (status)
        th_log(TH_LOG_WARN, "tour-not-begun", "type", error.type[0] ? error.type : s.start.error.type, "field",
               error.field_count ? error.fields[0].pointer : "", NULL);
    memcpy(p->case_id, s.start.case_id, TH_ID_TEXT);
    return status == TH_OK;
}

static void tell_application(playing *p)
{
    static const words kept[] = {{"申请表", "The form"}, {"姓名与公民身份号码", "Name and citizen number"}, {"毕业证书与户口簿——无须上传", "Certificate and household register: nothing is uploaded"}};
    th_str zh = th_strf(&p->arena, "在%.*s提出申请", TH_FMT(p->own_zh)), en = th_strf(&p->arena, "An application in %.*s", TH_FMT(p->own_en));
    step_tell(p, "done", (words){zh.p, en.p},
              (words){"申请人在手机上填写申请，选择由登记机关核验，并逐项同意核验。内容只到本节点。",
                      "The applicant fills in the form on a phone, chooses to have facts verified, and agrees to each verification. All of it stays at this node."},
              (th_str){NULL, 0}, kept, TH_COUNT(kept), (th_str){NULL, 0});
}

static void tell_evidence(playing *p, const th_json *e)
{
    static const words kept[] = {{"登记簿里的任何内容——只回答一致或不一致", "Anything that the register holds: the answer is match or mismatch"},
                                 {"经办人是谁（只有假名）", "Who the operator is (a pseudonym only)"}};
    const th_json *provider = th_json_get(e, "provider"), *title = th_json_get(e, "title"), *receipt = th_json_get(e, "receipt");
    th_str zh = th_strf(&p->arena, "%.*s：%.*s", TH_FMT(th_json_str(provider, "zh")), TH_FMT(th_json_str(title, "zh")));
    th_str en = th_strf(&p->arena, "%.*s: %.*s", TH_FMT(th_json_str(provider, "en")), TH_FMT(th_json_str(title, "en")));
    th_str text_zh = th_strf(&p->arena, "把申请人填写的内容交给%.*s核对。报文带着授权、事项、办件编号和本人同意；对方逐项回答，写入双方日志，并附回执。",
                             TH_FMT(th_json_str(provider, "zh")));
    th_str text_en = th_strf(&p->arena, "What the applicant stated goes to %.*s to be compared. The message carries grant, item, case and the person's consent; the answer is given item by item, journaled on both sides, with a receipt.",
                             TH_FMT(th_json_str(provider, "en")));
    th_str proof = receipt ? receipt->raw : (th_str){NULL, 0};
    step_tell(p, "done", (words){zh.p, en.p}, (words){text_zh.p, text_en.p}, th_tour_lines(p, th_json_str(e, "message"), th_str_of(p->o->code), th_json_str(provider, "code")), kept, TH_COUNT(kept), proof);
}

/* The message that carried the case, found in this node's own journal. */
static th_str handover_message(playing *p)
{
    th_db *db;
    th_head head;
    th_str *entries, found = {NULL, 0};
    size_t n;
    th_entry entry;
    if (!th_journal_head_now(th_exchange_journal(p->o->options.exchange), &head) || th_store_acquire(p->o->options.store, &db, NULL))
        return found;
    uint64_t first = head.size > JOURNAL_LOOK_BACK ? head.size - JOURNAL_LOOK_BACK : 0;
    if (th_journal_entries(db, th_str_of(head.log), first, JOURNAL_LOOK_BACK, &p->arena, &entries, &n, NULL) == TH_OK)
        for (size_t i = 0; i < n; i++)
            if (th_entry_read(entries[i], &p->arena, &entry, NULL) == TH_OK && th_str_is(entry.direction, "sent") &&
                th_str_is(entry.case_id, p->case_id))
                found = entry.id;
    th_store_release(p->o->options.store, db);
    return found;
}

static void tell_handover(playing *p)
{
    static const words kept[] = {{"未涉及的登记内容", "Whatever the registers hold besides"}, {"其他人的办件", "Other people's cases"}};
    const th_json *owner = th_json_get(p->shown, "owner");
    th_str message = {NULL, 0};
    for (int waited = 0; waited < WAIT_MAX_MS && !message.n && !atomic_load(&p->o->stopping); waited += WAIT_STEP_MS) {
        message = handover_message(p);
        if (!message.n)
            usleep(WAIT_STEP_MS * 1000);
    }
    th_str zh = th_strf(&p->arena, "移交%.*s", TH_FMT(th_json_str(owner, "zh"))), en = th_strf(&p->arena, "Handed to %.*s", TH_FMT(th_json_str(owner, "en")));
    step_tell(p, "done", (words){zh.p, en.p},
              (words){"办件连同核验结果经发件箱移交。任何一方随时断电，办件都只到达一次。",
                      "The case goes with its results through the outbox. Whichever side loses power at any moment, it arrives exactly once."},
              th_tour_lines(p, message, th_str_of(p->o->code), th_json_str(owner, "code")), kept, TH_COUNT(kept), receipt_of(p, message));
}

/* The message in which the owner told of its decision. */
static th_str decision_message(playing *p)
{
    const th_json *events = th_json_get(p->shown, "events");
    for (const th_json *e = th_json_first(events); e; e = th_json_next(events, e))
        if (th_str_is(th_json_str(e, "kind"), "decided"))
            return th_json_str(e, "message");
    return (th_str){NULL, 0};
}

static void tell_decision(playing *p)
{
    static const words kept[] = {{"决定机关内部的讨论", "What the deciding office discussed"}};
    const th_json *owner = th_json_get(p->shown, "owner");
    th_str zh = th_strf(&p->arena, "%.*s受理、决定、送达", TH_FMT(th_json_str(owner, "zh")));
    th_str en = th_strf(&p->arena, "%.*s accepts, decides, delivers", TH_FMT(th_json_str(owner, "en")));
    step_tell(p, "done", (words){zh.p, en.p},
              (words){"经办人看到申请与核验结果并排，作出决定（此处由模拟窗口办理）。每一步都回到申请地，两地时间线相同。",
                      "The officer sees claims beside results and decides (here a simulated clerk does). Every step returns to where the case began; both timelines are the same."},
              th_tour_lines(p, decision_message(p), th_json_str(owner, "code"), th_str_of(p->o->code)), kept, TH_COUNT(kept),
              receipt_of(p, decision_message(p)));
}

static void play(playing *p)
{
    if (!case_start(p)) {
        failed_tell(p, "办件未能开始；请确认演示数据已载入", "The case could not begin; is the demonstration's data loaded?");
        return;
    }
    tell_application(p);
    for (size_t i = 0;; i++) {
        if (!case_look(p))
            break;
        const th_json *evidence = th_json_get(p->shown, "evidence");
        if (!evidence || i >= evidence->count)
            break;
        if (!wait_evidence(p, i)) {
            failed_tell(p, "登记机关没有在时限内回应；办件仍在，恢复后会继续", "A register did not answer in time; the case stays and goes on when it does");
            return;
        }
        tell_evidence(p, th_json_at(th_json_get(p->shown, "evidence"), i));
    }
    if (!th_str_is(th_json_str(th_json_get(p->shown, "owner"), "code"), p->o->code)) {
        if (!wait_kind(p, "handed_over")) {
            failed_tell(p, "办件还没有移交出去；它不会丢失", "The case was not handed over in time; it is not lost");
            return;
        }
        tell_handover(p);
    }
    if (!wait_kind(p, "delivered")) {
        failed_tell(p, "决定机关的节点暂时没有回应；办件不会丢失", "The deciding node does not answer now; the case is not lost");
        return;
    }
    tell_decision(p);
    th_tour_looks(p);
}

static void *tour_run(void *arg)
{
    th_tour *tour = arg;
    playing p = {.tour = tour, .o = tour->operations};
    th_arena_open(&p.arena, 128u << 20);
    /* The visitor's stream opens a moment after the tour was begun. */
    for (int waited = 0; waited < 5000 && !th_topic_subscribers(tour->topic) && !atomic_load(&p.o->stopping); waited += 50)
        usleep(50 * 1000);
    th_trust *trust = th_exchange_trust(p.o->options.exchange);
    const th_member *self = trust ? th_trust_member(trust, th_str_of(p.o->code)) : NULL;
    p.own_zh = self ? th_str_keep(&p.arena, self->name_zh) : TH_STR("本节点");
    p.own_en = self ? th_str_keep(&p.arena, self->name_en) : TH_STR("this node");
    th_trust_release(trust);
    play(&p);
    th_topic_publish(tour->topic, "end", TH_STR("{}"));
    th_arena_close(&p.arena);
    atomic_store(&tour->running, false);
    return NULL;
}

/* ---- routes ---- */

static void tour_clear(th_tour *t)
{
    if (t->joinable)
        pthread_join(t->thread, NULL);
    if (t->topic)
        th_topic_close(t->topic);
    *t = (th_tour){.running = false};
}

static th_tour *place_take(th_operations *o)
{
    th_tour *oldest = NULL;
    for (size_t i = 0; i < TH_TOURS_MAX; i++) {
        th_tour *t = &o->tours[i];
        if (!t->topic)
            return t;
        if (!atomic_load(&t->running) && (!oldest || t->begun_us < oldest->begun_us))
            oldest = t;
    }
    if (oldest)
        tour_clear(oldest);
    return oldest;
}

static th_status tour_begin(th_operations *o, th_tour *t)
{
    th_status status = th_topic_open(TOPIC_QUEUE, &t->topic);
    if (status)
        return status;
    th_uuid7(o->options.env, t->id);
    t->operations = o;
    t->begun_us = th_now_us(o->options.env);
    atomic_store(&t->running, true);
    t->joinable = pthread_create(&t->thread, NULL, tour_run, t) == 0;
    if (!t->joinable) {
        th_topic_close(t->topic);
        *t = (th_tour){.running = false};
        return TH_NO_MEMORY;
    }
    return TH_OK;
}

th_handled th_tour_post(th_request *rq)
{
    th_operations *o = rq->module;
    char id[TH_ID_TEXT] = "";
    if (!o->options.demonstration)
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-tour", "仅演示环境提供导览", "Only a demonstration has a tour"), NULL);
    pthread_mutex_lock(&o->lock);
    if (!tour_item(o))
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-tour", "本区域没有导览", "This region has no tour"), NULL);
    th_tour *t = place_take(o);
    th_status status = t ? tour_begin(o, t) : TH_BUSY;
    if (!status)
        memcpy(id, t->id, sizeof id);
    pthread_mutex_unlock(&o->lock);
    if (status) {
        rq->error.retry_after_s = 20;
        return th_reply_problem(rq, th_fail(&rq->error, TH_BUSY, "tours-busy", "正在进行的导览较多，请稍后再试", "Several tours are under way; try again shortly"),
                                NULL);
    }
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "id", id);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

th_handled th_tour_get(th_request *rq)
{
    th_operations *o = rq->module;
    th_topic *topic = NULL;
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < TH_TOURS_MAX; i++)
        if (o->tours[i].topic && th_str_is(rq->params[0], o->tours[i].id))
            topic = o->tours[i].topic;
    th_handled handled = topic ? th_reply_events(rq, topic, (th_str){NULL, 0}) : TH_DONE;
    pthread_mutex_unlock(&o->lock);
    if (!topic)
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-tour", "没有这次导览", "There is no such tour"), NULL);
    return handled;
}

void th_tours_stop(th_operations *o)
{
    for (size_t i = 0; i < TH_TOURS_MAX; i++)
        tour_clear(&o->tours[i]);
}
