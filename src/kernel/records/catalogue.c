/* catalogue.c — what the region holds: dataset files of the region and this node's registers, searched, shown, downloaded, harvested. */
#include "records-private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DATASET_BYTES_MAX = 48 << 20, PAGE_DEFAULT = 20, PAGE_MAX = 100 };

static const char *const sectors[] = {"human-resources", "transport", "environment", "housing",   "geo-information",
                                      "tourism",         "health",    "education",   "innovation"};

th_status th_catalogue_load(th_records *records, th_error *error)
{
    th_str *texts, *names;
    size_t n;
    th_status status = th_directory_read(records->options.region_dir, "catalogue", &records->arena, &texts, &names, &n, error);
    if (status)
        return status;
    records->datasets = th_alloc_array(&records->arena, n + 1, sizeof *records->datasets);
    for (size_t i = 0; !status && records->datasets && i < n; i++) {
        th_error why = {0};
        th_str id, sector;
        const th_json *root, *title, *list;
        status = th_json_parse(texts[i], &records->arena, &root, &why);
        if (!status && (!th_json_want_str(root, "", "id", 64, &id, &why) || !th_json_want_object(root, "", "title", &title, &why) ||
                        !th_json_want_str(root, "", "sector", 40, &sector, &why) ||
                        !th_json_want_array(root, "", "distributions", 8, &list, &why)))
            status = TH_INVALID;
        bool known = false;
        for (size_t k = 0; !status && k < TH_COUNT(sectors); k++)
            known = known || th_str_is(sector, sectors[k]);
        if (!status && !known)
            status = th_fail_field(&why, "/sector", "enum", "不在九个领域之内", "Not one of the nine sectors");
        if (status)
            return th_failf(error, status, "catalogue-file", "目录文件 %.*s 不合规定：%s %s", "The catalogue file %.*s is not acceptable: %s %s",
                            TH_FMT(names[i]), why.field_count ? why.fields[0].pointer : "", why.field_count ? why.fields[0].en : why.en);
        records->datasets[records->dataset_count++] = root;
    }
    return records->datasets ? status : TH_NO_MEMORY;
}

const th_json *th_dataset_find(const th_records *records, th_str id)
{
    for (size_t i = 0; i < records->dataset_count; i++)
        if (th_str_eq(th_json_str(records->datasets[i], "id"), id))
            return records->datasets[i];
    return NULL;
}

/* ---- one dataset, from a file or from a register ---- */

typedef th_dataset dataset;

size_t th_dataset_count(const th_records *records)
{
    return records->dataset_count + records->register_count;
}

th_dataset th_dataset_at(const th_records *records, size_t i)
{
    return i < records->dataset_count ? (dataset){records->datasets[i], NULL}
                                      : (dataset){NULL, &records->registers[i - records->dataset_count]};
}

const th_json *th_dataset_json(dataset d)
{
    return d.file ? d.file : d.reg->json;
}

th_str th_dataset_id(dataset d, th_arena *arena)
{
    return d.file ? th_json_str(d.file, "id") : th_strf(arena, "register-%.*s", TH_FMT(d.reg->name));
}

static void member_or_null(th_pen *pen, const char *key, const th_json *value)
{
    th_pen_kraw(pen, key, value ? value->raw : TH_STR("null"));
}

static void publisher_write(th_records *records, dataset d, th_pen *pen)
{
    const th_json *publisher = th_json_get(th_dataset_json(d), "publisher");
    th_trust *trust = th_exchange_trust(records->exchange);
    const th_member *self = trust ? th_trust_member(trust, th_str_of(records->code)) : NULL;
    if (publisher || !self) {
        member_or_null(pen, "publisher", publisher);
    } else {
        th_pen_key(pen, "publisher");
        th_pen_object(pen);
        th_pen_ktext(pen, "code", self->code);
        th_pen_kstr(pen, "zh", self->name_zh);
        th_pen_kstr(pen, "en", self->name_en);
        th_pen_end(pen, '}');
    }
    th_trust_release(trust);
}

static void brief_write(th_records *records, dataset d, th_pen *pen, th_arena *arena)
{
    const th_json *j = th_dataset_json(d), *formats = th_json_get(j, "distributions");
    th_pen_kstr(pen, "id", th_dataset_id(d, arena));
    member_or_null(pen, "title", th_json_get(j, "title"));
    member_or_null(pen, "description", th_json_get(j, "description"));
    publisher_write(records, d, pen);
    th_pen_kstr(pen, "sector", th_json_str(j, "sector"));
    th_pen_kstr(pen, "access", d.reg ? TH_STR("conditional") : th_json_str(j, "access"));
    member_or_null(pen, "licence", th_json_get(j, "licence"));
    member_or_null(pen, "refresh", th_json_get(j, "refresh"));
    if (d.reg) {
        th_live live = th_register_live(records, d.reg);
        th_pen_ktime(pen, "updated", live.made_us);
        th_pen_kint(pen, "rows", d.reg->entries);
        th_pen_kbool(pen, "simulated", live.simulated);
    } else {
        member_or_null(pen, "updated", th_json_get(j, "updated"));
        member_or_null(pen, "rows", th_json_get(j, "rows"));
        th_pen_kbool(pen, "simulated", th_json_bool(j, "simulated", false));
    }
    th_pen_key(pen, "formats");
    th_pen_array(pen);
    if (d.reg)
        th_pen_text(pen, "api");
    for (const th_json *f = th_json_first(formats); f && d.file; f = th_json_next(formats, f))
        th_pen_str(pen, th_json_str(f, "format"));
    th_pen_end(pen, ']');
}

/* ---- search ---- */

static bool holds(th_str text, th_str wanted)
{
    for (size_t i = 0; i + wanted.n <= text.n; i++) {
        size_t k = 0;
        while (k < wanted.n && tolower((unsigned char)text.p[i + k]) == tolower((unsigned char)wanted.p[k]))
            k++;
        if (k == wanted.n)
            return true;
    }
    return false;
}

/* In the words themselves, at any depth; not in the names of members, nor in how the words are written in JSON. */
static bool words_hold(const th_json *v, th_str wanted)
{
    if (!v || v->type == TH_JSON_STRING)
        return v && holds(v->text, wanted);
    for (const th_json *one = v->type == TH_JSON_OBJECT || v->type == TH_JSON_ARRAY ? th_json_first(v) : NULL; one; one = th_json_next(v, one))
        if (words_hold(one, wanted))
            return true;
    return false;
}

static bool fits(dataset d, th_str q, th_str sector)
{
    const th_json *j = th_dataset_json(d);
    if (sector.n && !th_str_eq(th_json_str(j, "sector"), sector))
        return false;
    if (!q.n)
        return true;
    static const char *const searched[] = {"title", "description", "keywords", "standard"};
    for (size_t i = 0; i < TH_COUNT(searched); i++) {
        if (words_hold(th_json_get(j, searched[i]), q))
            return true;
    }
    return false;
}

th_handled th_catalogue_get(th_request *rq)
{
    th_records *records = rq->module;
    int64_t from, limit, seen = 0, written = 0;
    bool more = false;
    th_str q = th_request_query(rq, "q"), sector = th_request_query(rq, "sector");
    th_status status = th_request_query_int(rq, "cursor", 0, 100000, 0, &from);
    if (!status)
        status = th_request_query_int(rq, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit);
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    th_pen_key(&pen, "items");
    th_pen_array(&pen);
    for (size_t i = 0; i < th_dataset_count(records) && !more; i++) {
        dataset d = th_dataset_at(records, i);
        if (!fits(d, q, sector) || seen++ < from)
            continue;
        more = written == limit;
        if (more)
            break;
        th_pen_object(&pen);
        brief_write(records, d, &pen, &rq->arena);
        th_pen_end(&pen, '}');
        written++;
    }
    th_pen_end(&pen, ']');
    th_pen_key(&pen, "next");
    if (more)
        th_pen_str(&pen, th_strf(&rq->arena, "%lld", (long long)(from + written)));
    else
        th_pen_null(&pen);
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

/* ---- one ---- */

static bool dataset_by_id(th_records *records, th_str id, dataset *ret, th_arena *arena)
{
    for (size_t i = 0; i < th_dataset_count(records); i++) {
        dataset d = th_dataset_at(records, i);
        if (th_str_eq(th_dataset_id(d, arena), id)) {
            *ret = d;
            return true;
        }
    }
    return false;
}

static void register_fields(const th_register *reg, th_pen *pen)
{
    for (size_t i = 0; i < reg->field_count; i++) {
        const th_field *f = &reg->fields[i];
        th_pen_object(pen);
        th_pen_kstr(pen, "name", f->name);
        th_pen_key(pen, "title");
        th_pen_object(pen);
        th_pen_kstr(pen, "zh", f->zh);
        th_pen_kstr(pen, "en", f->en);
        th_pen_end(pen, '}');
        th_pen_ktext(pen, "type", f->integer ? "integer" : "string");
        if (f->max_length > 0 && f->max_length < TH_ENTRY_JSON_MAX)
            th_pen_kint(pen, "length", f->max_length);
        th_pen_kbool(pen, "verify", f->verify);
        th_pen_kbool(pen, "sensitive", f->sensitive);
        th_pen_end(pen, '}');
    }
}

/* What may be asked beside the fields: yes-or-no questions such as "level at least". */
static void register_conditions(const th_register *reg, th_pen *pen)
{
    for (size_t i = 0; i < reg->predicate_count; i++) {
        const th_predicate *p = &reg->predicates[i];
        if (!p->verify)
            continue;
        th_pen_object(pen);
        th_pen_kstr(pen, "name", p->name);
        th_pen_key(pen, "title");
        th_pen_object(pen);
        th_pen_kstr(pen, "zh", p->zh);
        th_pen_kstr(pen, "en", p->en);
        th_pen_end(pen, '}');
        th_pen_end(pen, '}');
    }
}

static int64_t file_bytes(const th_records *records, th_str file)
{
    char path[1200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%.*s", records->options.region_dir, TH_FMT(file));
    return stat(path, &st) ? 0 : (int64_t)st.st_size;
}

static bool seen_before(th_str *seen, size_t n, th_str text)
{
    for (size_t i = 0; i < n; i++)
        if (th_str_eq(seen[i], text))
            return true;
    return false;
}

/* For which items the data is asked: what the file says, or what this node's grants for the register allow. */
static void items_write(th_records *records, dataset d, th_pen *pen)
{
    enum { ITEMS_MAX = 64 };
    th_str seen[ITEMS_MAX];
    size_t n = 0;
    const th_json *listed = th_json_get(th_dataset_json(d), "items");
    th_grants *grants = d.reg ? th_exchange_grants(records->exchange, th_str_of(records->code)) : NULL;
    th_pen_key(pen, "items");
    th_pen_array(pen);
    for (const th_json *i = th_json_first(listed); i; i = th_json_next(listed, i))
        th_pen_str(pen, i->text);
    for (size_t i = 0; grants && i < th_grants_count(grants); i++) {
        const th_grant *g = th_grants_at(grants, i);
        for (size_t k = 0; th_str_eq(g->reg, d.reg->name) && k < g->purpose_count && n < ITEMS_MAX; k++)
            if (!seen_before(seen, n, g->purposes[k])) {
                seen[n++] = g->purposes[k];
                th_pen_str(pen, g->purposes[k]);
            }
    }
    th_pen_end(pen, ']');
    th_grants_release(grants);
}

/* The members of GB/T 21063 that DCAT does not have, or has less exactly. */
static void shared_write(th_records *records, dataset d, th_pen *pen, th_arena *arena)
{
    const th_json *j = th_dataset_json(d), *sharing = th_json_get(j, "sharing");
    bool open = th_str_is(th_json_str(j, "access"), "open");
    (void)arena;
    th_pen_kstr(pen, "resource_code", th_json_str(j, "resource_code"));
    th_pen_ktext(pen, "kind", d.reg ? "database" : "file");
    th_pen_kbool(pen, "open", open);
    if (sharing)
        th_pen_kraw(pen, "sharing", sharing->raw);
    else
        th_pen_kraw(pen, "sharing", open ? TH_STR("{\"kind\":\"unconditional\"}") : TH_STR("{\"kind\":\"conditional\"}"));
    member_or_null(pen, "published", th_json_get(j, "published"));
    items_write(records, d, pen);
}

th_handled th_catalogue_one(th_request *rq)
{
    th_records *records = rq->module;
    dataset d;
    if (!dataset_by_id(records, rq->params[0], &d, &rq->arena))
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-dataset", "目录中没有这个数据集", "The catalogue has no such dataset"), NULL);
    const th_json *j = th_dataset_json(d), *fields = th_json_get(j, "fields"), *list = th_json_get(j, "distributions");
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    brief_write(records, d, &pen, &rq->arena);
    th_pen_key(&pen, "fields");
    th_pen_array(&pen);
    if (d.reg)
        register_fields(d.reg, &pen);
    for (const th_json *f = d.file ? th_json_first(fields) : NULL; f; f = th_json_next(fields, f))
        th_pen_raw(&pen, f->raw);
    th_pen_end(&pen, ']');
    shared_write(records, d, &pen, &rq->arena);
    th_pen_key(&pen, "conditions");
    th_pen_array(&pen);
    if (d.reg)
        register_conditions(d.reg, &pen);
    th_pen_end(&pen, ']');
    member_or_null(&pen, "spatial", th_json_get(j, "spatial"));
    member_or_null(&pen, "temporal", th_json_get(j, "temporal"));
    member_or_null(&pen, "conformsTo", th_json_get(j, d.reg ? "standard" : "conformsTo"));
    member_or_null(&pen, "source", th_json_get(j, "source"));
    th_pen_key(&pen, "distributions");
    th_pen_array(&pen);
    for (const th_json *f = d.file ? th_json_first(list) : NULL; f; f = th_json_next(list, f)) {
        th_str format = th_json_str(f, "format");
        th_pen_object(&pen);
        th_pen_kstr(&pen, "format", format);
        th_pen_kstr(&pen, "url", th_strf(&rq->arena, "/records/v1/datasets/%.*s.%.*s", TH_FMT(th_json_str(j, "id")), TH_FMT(format)));
        th_pen_kint(&pen, "bytes", file_bytes(records, th_json_str(f, "file")));
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, ']');
    th_pen_end(&pen, '}');
    return th_reply_json(rq, 200);
}

/* ---- downloads ---- */

static const char *type_of(const char *format)
{
    if (strcmp(format, "csv") == 0)
        return "text/csv; charset=utf-8";
    return strcmp(format, "geojson") == 0 ? "application/geo+json" : "application/json";
}

th_handled th_dataset_get(th_request *rq)
{
    th_records *records = rq->module;
    char path[1200];
    const char *format = strrchr(rq->route->pattern, '.') + 1;
    const th_json *d = th_dataset_find(records, rq->params[0]), *list = th_json_get(d, "distributions");
    th_str file = {NULL, 0};
    for (const th_json *f = th_json_first(list); f; f = th_json_next(list, f))
        if (th_str_is(th_json_str(f, "format"), format))
            file = th_json_str(f, "file");
    if (!file.n || !th_str_is(th_json_str(d, "access"), "open"))
        return th_reply_problem(rq, th_fail(&rq->error, TH_NOT_FOUND, "no-dataset", "没有这个可下载的数据集", "There is no such dataset to download"),
                                NULL);
    snprintf(path, sizeof path, "%s/%.*s", records->options.region_dir, TH_FMT(file));
    FILE *in = fopen(path, "re");
    if (!in)
        return th_reply_problem(rq, th_fail(&rq->error, TH_UNAVAILABLE, "dataset-file", "数据文件暂时无法读取", "The data file cannot be read now"), NULL);
    char *bytes = th_alloc(&rq->arena, 64 * 1024);
    th_buf_open(&rq->out, &rq->arena, DATASET_BYTES_MAX);
    for (size_t n; bytes && (n = fread(bytes, 1, 64 * 1024, in)) > 0;)
        th_buf_put(&rq->out, bytes, n);
    fclose(in);
    th_handled handled = th_reply_json(rq, 200);
    if (rq->status == 200)
        rq->content_type = type_of(format);
    return handled;
}
