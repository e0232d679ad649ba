/* region.c — who is in the region: keys, trust documents, and the disks that every run begins with.
 *
 * Keys come from names, so that all runs share them. The four stores are founded once per process and choice of suites (trust document,
 * grants of region/, a few simulated people and companies, everybody's grants learnt); each run starts on copies of their disks. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PEOPLE = 280, FILE_MAX = 4 << 20, THRESHOLD = 3, FIRST_TEMPLATE = 8 };

const char *const sim_codes[MEMBERS] = {"110000", "120000", "130000", "133100"};
static const char *const names_zh[MEMBERS] = {"北京", "天津", "河北", "雄安"}, *const names_en[MEMBERS] = {"Beijing", "Tianjin", "Hebei", "Xiong'an"};

static th_key *keys[MEMBERS][3][GENERATIONS][2];
static disk *templates[SUITES_KINDS][MEMBERS];
static th_str template_documents[SUITES_KINDS];
static th_arena arena; /* of the process */
static sim_person persons[PERSONS];
static sim_company companies[MEMBERS][COMPANIES];
static th_case_file *items;
static size_t item_count;

/* ---- keys ---- */

const th_key *sim_key(unsigned member, sim_use use, int generation, bool sm2)
{
    th_key **slot = &keys[member][use][generation][sm2];
    if (!*slot) {
        char name[64];
        snprintf(name, sizeof name, "simulated key %u %d %d %d", member, (int)use, generation, sm2);
        th_hash secret = th_hash_str(TH_SUITE_ED25519, th_str_of(name));
        chance before = chance_of_openssl(); /* the next run finds the key made */
        secret.b[0] &= 0x7F; /* below the order of SM2's group */
        sim_must(th_key_from_secret(sm2 ? TH_SUITE_SM2 : TH_SUITE_ED25519, (th_str){(const char *)secret.b, 32}, slot), NULL, "key");
        chance_set_openssl(before);
    }
    return *slot;
}

void sim_pin(unsigned member, char ret_pin[TH_PIN_TEXT])
{
    th_arena small;
    th_hash hash = th_hash_str(TH_SUITE_ED25519, th_str_of(sim_codes[member]));
    th_arena_open(&small, 8192);
    snprintf(ret_pin, TH_PIN_TEXT, "sha256/%.*s", TH_FMT(th_base64(&small, hash.b, sizeof hash.b)));
    th_arena_close(&small);
}

/* ---- trust documents ---- */

static void key_write(th_pen *pen, const th_key *key, const char *use, int64_t from_us, int64_t until_us)
{
    char kid[TH_KID_TEXT];
    th_arena small;
    th_arena_open(&small, 8192);
    th_kid_of(key, kid);
    th_str open = th_key_public(key);
    th_pen_object(pen);
    th_pen_ktext(pen, "kid", kid);
    th_pen_ktext(pen, "suite", th_suite_name(th_key_suite(key)));
    th_pen_kstr(pen, "public", th_base64url(&small, open.p, open.n));
    if (use) {
        th_pen_ktext(pen, "use", use);
        th_pen_ktime(pen, "not_before", from_us);
        th_pen_ktime(pen, "not_after", until_us);
    }
    th_arena_close(&small);
}

static void member_write(const sim *s, unsigned m, th_pen *pen)
{
    const sim_member_state *state = &s->members[m];
    char pin[TH_PIN_TEXT], url[64];
    bool sm2 = s->suites == SUITES_SM2 || (s->suites == SUITES_MIXED && m == 2);
    snprintf(url, sizeof url, "https://%s.simulated", sim_codes[m]);
    sim_pin(m, pin);
    th_pen_object(pen);
    th_pen_ktext(pen, "code", sim_codes[m]);
    th_pen_kwords(pen, "name", names_zh[m], names_en[m]);
    th_pen_ktext(pen, "peer", url);
    th_pen_ktext(pen, "portal", url);
    th_pen_key(pen, "keys");
    th_pen_array(pen);
    for (int g = 0; g < state->message_generations; g++) {
        key_write(pen, sim_key(m, USE_MESSAGE, g, state->message_sm2[g]), "message", state->begins_us[USE_MESSAGE][g], state->message_ends_us[g]);
        th_pen_end(pen, '}');
    }
    for (int g = 0; g < state->journal_generations; g++) {
        key_write(pen, sim_key(m, USE_JOURNAL, g, sm2), "journal", state->begins_us[USE_JOURNAL][g], state->journal_ends_us[g]);
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
    th_pen_key(pen, "tls");
    th_pen_array(pen);
    th_pen_text(pen, pin);
    th_pen_end(pen, ']');
    th_pen_end(pen, '}');
}

th_str sim_region_issue(sim *s)
{
    th_buf buf;
    th_str document;
    th_error error = {0};
    s->version++;
    TH_ASSERT((size_t)s->version < TH_COUNT(s->documents));
    th_buf_open(&buf, &s->arena, 1 << 20);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_ktext(&pen, "region", "simulated");
    th_pen_kwords(&pen, "name", "模拟区域", "Simulated region");
    th_pen_kint(&pen, "version", s->version);
    th_pen_ktime(&pen, "issued", s->now_us);
    th_pen_ktime(&pen, "expires", s->now_us + 365 * TH_DAY_US);
    th_pen_key(&pen, "governors");
    th_pen_object(&pen);
    th_pen_kint(&pen, "threshold", THRESHOLD);
    th_pen_key(&pen, "keys");
    th_pen_array(&pen);
    for (unsigned m = 0; m < MEMBERS; m++) {
        key_write(&pen, sim_key(m, USE_GOVERNOR, 0, false), NULL, 0, 0);
        th_pen_ktext(&pen, "holder", sim_codes[m]);
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    th_pen_key(&pen, "members");
    th_pen_array(&pen);
    for (unsigned m = 0; m < MEMBERS; m++)
        member_write(s, m, &pen);
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "suspended");
    th_pen_array(&pen);
    for (unsigned m = 0; m < MEMBERS; m++)
        if (s->members[m].suspended)
            th_pen_text(&pen, sim_codes[m]);
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    sim_must(th_trust_propose(th_buf_view(&buf), &s->arena, &document, &error), &error, "propose");
    for (unsigned m = 0; m < THRESHOLD; m++)
        sim_must(th_trust_sign(document, sim_key((m + (unsigned)s->version) % MEMBERS, USE_GOVERNOR, 0, false), &s->arena, &document, &error),
                 &error, "sign");
    s->documents[s->version] = document;
    s->document_at_us[s->version] = s->now_us;
    s->counts.documents++;
    return document;
}

static void members_begin(sim *s)
{
    s->version = 0;
    for (unsigned m = 0; m < MEMBERS; m++) {
        sim_member_state *state = &s->members[m];
        *state = (sim_member_state){.message_generations = 1, .journal_generations = 1};
        state->message_sm2[0] = s->suites == SUITES_SM2 || (s->suites == SUITES_MIXED && m == 2);
        state->begins_us[USE_MESSAGE][0] = state->begins_us[USE_JOURNAL][0] = SIM_EPOCH_US - TH_DAY_US;
        state->message_ends_us[0] = state->journal_ends_us[0] = SIM_EPOCH_US + 1000 * TH_DAY_US;
    }
}

/* ---- files of the region ---- */

th_str sim_file(const char *name)
{
    static struct { const char *name; th_str text; } known[16];
    static size_t count;
    char path[1200];
    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].text;
    snprintf(path, sizeof path, "%s/%s", SIM_REGION, name);
    FILE *file = fopen(path, "re");
    sim_must(file ? TH_OK : TH_IO, NULL, path);
    char *text = th_alloc(&arena, FILE_MAX);
    size_t n = text ? fread(text, 1, FILE_MAX, file) : 0;
    fclose(file);
    TH_ASSERT(count < TH_COUNT(known));
    known[count].name = th_str_keep(&arena, th_str_of(name)).p;
    known[count].text = (th_str){text, n};
    return known[count++].text;
}

const th_case_file *sim_items(size_t *ret_n)
{
    static const char *const names[] = {"BJ-RESIDENCE-POINTS", "HE-TALENT-CARD", "LOOK-OBJECTION", "TJ-SKILL-SUBSIDY", "XA-HOUSING-RESERVE"};
    if (!items) {
        items = th_alloc_array(&arena, TH_COUNT(names), sizeof *items);
        for (size_t i = 0; i < TH_COUNT(names); i++) {
            char path[64];
            snprintf(path, sizeof path, "items/%s.json", names[i]);
            items[item_count++] = (th_case_file){th_str_of(names[i]), sim_file(path)};
        }
    }
    *ret_n = item_count;
    return items;
}

static void people_load(void)
{
    th_error error = {0};
    for (size_t i = 0; i < PERSONS; i++) {
        th_person p;
        sim_must(th_records_person(SIM_REGION, "130000", "110000", 1, (int64_t)i, &arena, &p, &error), &error, "person");
        persons[i] = (sim_person){p.id_number, p.name, p.certificate, p.level};
    }
    for (unsigned m = 0; m < MEMBERS; m++)
        for (size_t i = 0; i < COMPANIES; i++) {
            th_str text;
            const th_json *root;
            sim_must(th_records_company(SIM_REGION, sim_codes[m], 1, (int64_t)i, &arena, &text, &error), &error, "company");
            sim_must(th_json_parse(text, &arena, &root, &error), &error, "company");
            companies[m][i] = (sim_company){th_json_str(root, "uscc"), th_json_str(root, "name")};
        }
}

const sim_person *sim_person_at(size_t i)
{
    return &persons[i];
}

const sim_company *sim_company_at(unsigned member, size_t i)
{
    return &companies[member][i];
}

/* ---- founding ---- */

static bool is_named(const th_json *list, const char *code)
{
    for (const th_json *v = th_json_first(list); v; v = th_json_next(list, v))
        if (th_str_is(v->text, code))
            return true;
    return false;
}

static void grant_add(sim_node *n, const th_json *row, th_str consumer)
{
    static const char *const copied[] = {"register", "operation", "fields", "purposes", "basis", "consent", "rate", "not_before", "not_after"};
    th_arena small;
    th_buf buf;
    th_error error = {0};
    th_arena_open(&small, 1 << 20);
    th_buf_open(&buf, &small, 64 * 1024);
    th_pen pen = th_pen_on(&buf);
    th_pen_object(&pen);
    th_pen_kstr(&pen, "id", th_strf(&small, "%.*s-%s-%.*s", TH_FMT(th_json_str(row, "id")), n->code, TH_FMT(consumer)));
    th_pen_ktext(&pen, "provider", n->code);
    th_pen_key(&pen, "consumer");
    th_pen_object(&pen);
    th_pen_kstr(&pen, "member", consumer);
    th_pen_end(&pen, '}');
    for (size_t i = 0; i < TH_COUNT(copied); i++)
        th_pen_kraw(&pen, copied[i], th_json_get(row, copied[i])->raw);
    th_pen_end(&pen, '}');
    sim_must(th_exchange_grant_add(n->exchange, th_buf_view(&buf), &error), &error, "grant");
    th_arena_close(&small);
}

static void grants_add(sim_node *n)
{
    const th_json *root;
    th_error error = {0};
    sim_must(th_json_parse(sim_file("grants.json"), &arena, &root, &error), &error, "grants.json");
    const th_json *rows = th_json_get(root, "grants");
    for (const th_json *row = th_json_first(rows); row; row = th_json_next(rows, row)) {
        static const char *const used[] = {"degrees-verify", "population-verify", "population-check", "legal-persons-verify",
                                           "legal-persons-query", NULL}; /* what cases.c and asks.c ask */
        const char *const *name = used;
        while (*name && !th_str_is(th_json_str(row, "id"), *name))
            name++;
        if (!*name)
            continue;
        const th_json *consumers = th_json_get(row, "consumers");
        if (!is_named(th_json_get(row, "providers"), n->code))
            continue;
        for (const th_json *c = th_json_first(consumers); c; c = th_json_next(consumers, c))
            grant_add(n, row, c->text);
    }
}

static void registers_fill(sim_node *n)
{
    static const char *const registers[] = {"population", "legal-persons", "degrees"};
    char dir[] = "/tmp/tonghui-sim.XXXXXX", path[200];
    th_error error = {0};
    sim_must(mkdtemp(dir) ? TH_OK : TH_IO, NULL, "a temporary folder");
    sim_must(th_records_generate(SIM_REGION, n->code, 1, PEOPLE, dir, &error), &error, "generate");
    for (size_t i = 0; i < TH_COUNT(registers); i++) {
        snprintf(path, sizeof path, "%s/%s.jsonl", dir, registers[i]);
        sim_must(th_records_import(n->records, th_str_of(registers[i]), path, "jsonl", NULL, NULL, &error), &error, "import");
        unlink(path);
    }
    rmdir(dir);
}

static void grants_learn(sim *s)
{
    th_error error = {0};
    for (unsigned from = 0; from < MEMBERS; from++) {
        sim_node *n = &s->nodes[from];
        th_str document;
        th_grants *grants = th_exchange_grants(n->exchange, th_str_of(n->code));
        sim_must(th_grants_publish(grants, th_str_of(n->code), sim_node_key(n), s->now_us, &s->arena, &document), NULL, "publish");
        th_grants_release(grants);
        for (unsigned to = 0; to < MEMBERS; to++)
            sim_must(th_exchange_grants_learn(s->nodes[to].exchange, th_str_of(n->code), document, &error), &error, "learn");
    }
}

static void found(sim_suites suites)
{
    static sim t; /* only for this: no run begins while it is in use */
    th_error error = {0};
    memset(&t, 0, sizeof t);
    sim_process_reset(1);
    sim_memo_begin(false);
    t.seed = 1;
    t.suites = suites;
    t.now_us = SIM_EPOCH_US;
    t.equivocator = -1;
    t.facts_last = &t.facts;
    th_arena_open(&t.arena, 256u << 20);
    members_begin(&t);
    th_str document = sim_region_issue(&t);
    for (unsigned m = 0; m < MEMBERS; m++) {
        sim_node *n = &t.nodes[m];
        sim_node_make(&t, m, m);
        n->message_sm2 = t.members[m].message_sm2[0];
        sim_node_start(&t, n);
        sim_must(t.failed ? TH_CORRUPT : TH_OK, NULL, t.failure);
        sim_must(th_exchange_trust_apply(n->exchange, document, &error), &error, "trust document");
        grants_add(n);
        registers_fill(n);
    }
    grants_learn(&t);
    for (unsigned m = 0; m < MEMBERS; m++) {
        sim_node_stop(&t, &t.nodes[m]);
        templates[suites][m] = disk_open(FIRST_TEMPLATE + (unsigned)suites * MEMBERS + m);
        disk_copy(templates[suites][m], t.nodes[m].disk);
        sim_node_free(&t.nodes[m]);
    }
    sim_queue_close(&t.queue);
    template_documents[suites] = th_str_keep(&arena, document);
    th_arena_close(&t.arena);
}

static void founded(sim_suites suites)
{
    if (!arena.max) {
        th_arena_open(&arena, 1024u << 20);
        people_load();
    }
    if (!templates[suites][0])
        found(suites);
}

void sim_region_found(void)
{
    for (unsigned k = 0; k < SUITES_KINDS; k++)
        founded((sim_suites)k);
}

void sim_region_open(sim *s)
{
    founded(s->suites);
    members_begin(s);
    s->version = 1;
    s->documents[1] = template_documents[s->suites];
    s->document_at_us[1] = SIM_EPOCH_US;
}

void sim_region_disk(const sim *s, unsigned member, disk *to)
{
    disk_copy(to, templates[s->suites][member]);
}

void sim_region_close(void)
{
    for (unsigned k = 0; k < SUITES_KINDS; k++)
        for (unsigned m = 0; m < MEMBERS; m++)
            disk_close(templates[k][m]);
    for (unsigned m = 0; m < MEMBERS; m++)
        for (int u = 0; u < 3; u++)
            for (int g = 0; g < GENERATIONS; g++)
                for (int k = 0; k < 2; k++)
                    th_key_close(keys[m][u][g][k]);
    th_arena_close(&arena);
}
