/* catalogue_dcat.c — the catalogue as DCAT-AP 3 in JSON-LD, for harvesters: paged, and only what changed since an instant when asked so.
 *
 * Vocabularies are those of the EU Publications Office where DCAT-AP asks for them (access right, frequency, file type); the nine sectors are
 * our own. What DCAT has no word for (GB/T 21063: resource code, kind of sharing and its law) stands in the JSON of one dataset. */
#include "records-private.h"

#include <string.h>

#define AUTHORITY "http://publications.europa.eu/resource/authority/"
enum { PAGE_MAX = 100 };

typedef struct pair {
    const char *ours, *theirs;
} pair;

static const pair frequencies[] = {{"continuous", "CONT"}, {"hourly", "HOURLY"},   {"daily", "DAILY"},  {"weekly", "WEEKLY"},
                                   {"monthly", "MONTHLY"}, {"quarterly", "QUARTERLY"}, {"yearly", "ANNUAL"}};
static const pair rights[] = {{"open", "PUBLIC"}, {"conditional", "RESTRICTED"}, {"none", "NON_PUBLIC"}};
static const pair types[] = {{"json", "JSON"}, {"csv", "CSV"}, {"geojson", "GEOJSON"}};
static const pair media[] = {{"json", "application/json"}, {"csv", "text/csv"}, {"geojson", "application/geo+json"}};

static const char *theirs(const pair *pairs, size_t n, th_str ours)
{
    for (size_t i = 0; i < n; i++)
        if (th_str_is(ours, pairs[i].ours))
            return pairs[i].theirs;
    return NULL;
}

static void reference(th_pen *pen, const char *key, th_str iri)
{
    if (!iri.p)
        return;
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_kstr(pen, "@id", iri);
    th_pen_end(pen, '}');
}

static void authority(th_pen *pen, const char *key, const char *list, const char *code, th_arena *arena)
{
    if (code)
        reference(pen, key, th_strf(arena, AUTHORITY "%s/%s", list, code));
}

static void language_pair(th_pen *pen, const char *key, const th_json *words)
{
    static const char *const langs[] = {"zh", "en"};
    if (!words || words->type != TH_JSON_OBJECT)
        return;
    th_pen_key(pen, key);
    th_pen_array(pen);
    for (size_t i = 0; i < TH_COUNT(langs); i++) {
        th_pen_object(pen);
        th_pen_ktext(pen, "@language", langs[i]);
        th_pen_kstr(pen, "@value", th_json_str(words, langs[i]));
        th_pen_end(pen, '}');
    }
    th_pen_end(pen, ']');
}

static void text_member(th_pen *pen, const char *key, th_str text)
{
    if (text.n)
        th_pen_kstr(pen, key, text);
}

static void dated(th_pen *pen, const char *key, th_str text)
{
    if (!text.n)
        return;
    th_pen_key(pen, key);
    th_pen_object(pen);
    th_pen_ktext(pen, "@type", memchr(text.p, 'T', text.n) ? "xsd:dateTime" : "xsd:date");
    th_pen_kstr(pen, "@value", text);
    th_pen_end(pen, '}');
}

static void publisher_write(th_records *records, th_dataset d, th_pen *pen, th_arena *arena)
{
    const th_json *j = th_dataset_json(d), *publisher = th_json_get(j, "publisher"), *owner = th_json_get(j, "owner");
    const th_json *names = publisher ? publisher : owner;
    th_str code = th_json_str(publisher, "code");
    th_pen_key(pen, "dct:publisher");
    th_pen_object(pen);
    th_pen_kstr(pen, "@id", code.n ? th_strf(arena, "urn:tonghui:publisher:%.*s", TH_FMT(code)) : th_strf(arena, "urn:tonghui:member:%s", records->code));
    th_pen_ktext(pen, "@type", "foaf:Agent");
    language_pair(pen, "foaf:name", names);
    text_member(pen, "dct:identifier", th_json_str(names, "uscc")); /* GB 32100 */
    th_pen_end(pen, '}');
}

static void keywords_write(th_pen *pen, const th_json *keywords)
{
    if (!keywords || keywords->type != TH_JSON_ARRAY)
        return;
    th_pen_key(pen, "dcat:keyword");
    th_pen_array(pen);
    for (const th_json *k = th_json_first(keywords); k; k = th_json_next(keywords, k))
        th_pen_str(pen, k->text);
    th_pen_end(pen, ']');
}

static void file_write(th_pen *pen, const th_json *j, const th_json *f, th_arena *arena)
{
    th_str format = th_json_str(f, "format");
    const char *type = theirs(media, TH_COUNT(media), format);
    th_str url = th_strf(arena, "/records/v1/datasets/%.*s.%.*s", TH_FMT(th_json_str(j, "id")), TH_FMT(format));
    th_pen_object(pen);
    th_pen_ktext(pen, "@type", "dcat:Distribution");
    authority(pen, "dct:format", "file-type", theirs(types, TH_COUNT(types), format), arena);
    if (type)
        reference(pen, "dcat:mediaType", th_strf(arena, "https://www.iana.org/assignments/media-types/%s", type));
    reference(pen, "dcat:accessURL", url);
    reference(pen, "dcat:downloadURL", url);
    text_member(pen, "dct:license", th_json_str(j, "licence"));
    th_pen_end(pen, '}');
}

/* A register is asked, not fetched. */
static void service_write(th_pen *pen)
{
    th_pen_object(pen);
    th_pen_ktext(pen, "@type", "dcat:Distribution");
    reference(pen, "dcat:accessURL", TH_STR("/exchange/v1/ask"));
    th_pen_key(pen, "dcat:accessService");
    th_pen_object(pen);
    th_pen_ktext(pen, "@type", "dcat:DataService");
    reference(pen, "dcat:endpointURL", TH_STR("/exchange/v1/ask"));
    reference(pen, "dcat:endpointDescription", TH_STR("/openapi.json"));
    th_pen_end(pen, '}');
    th_pen_end(pen, '}');
}

static void distributions_write(th_dataset d, th_pen *pen, th_arena *arena)
{
    const th_json *j = th_dataset_json(d), *list = d.file ? th_json_get(j, "distributions") : NULL;
    th_pen_key(pen, "dcat:distribution");
    th_pen_array(pen);
    if (d.reg)
        service_write(pen);
    for (const th_json *f = th_json_first(list); f; f = th_json_next(list, f))
        file_write(pen, j, f, arena);
    th_pen_end(pen, ']');
}

static void temporal_write(th_pen *pen, const th_json *temporal)
{
    if (!temporal || temporal->type != TH_JSON_OBJECT)
        return;
    th_pen_key(pen, "dct:temporal");
    th_pen_object(pen);
    th_pen_ktext(pen, "@type", "dct:PeriodOfTime");
    dated(pen, "dcat:startDate", th_json_str(temporal, "from"));
    dated(pen, "dcat:endDate", th_json_str(temporal, "to"));
    th_pen_end(pen, '}');
}

static void spatial_write(th_records *records, th_dataset d, th_pen *pen, th_arena *arena)
{
    const th_json *spatial = th_json_get(th_dataset_json(d), "spatial");
    th_pen_key(pen, "dct:spatial");
    th_pen_object(pen);
    th_pen_ktext(pen, "@type", "dct:Location");
    th_pen_kstr(pen, "dct:identifier", th_strf(arena, "GB/T 2260:%s", records->code));
    language_pair(pen, "skos:prefLabel", spatial);
    th_pen_end(pen, '}');
}

/* When the content changed last, as text: a date of the file, or the instant of the register's live version. */
static th_str modified_of(th_records *records, th_dataset d, th_arena *arena)
{
    char text[TH_TIME_TEXT];
    if (d.file)
        return th_json_str(d.file, "updated");
    th_live live = th_register_live(records, d.reg);
    if (!live.made_us)
        return (th_str){NULL, 0};
    th_time_utc(live.made_us, text);
    return th_str_keep(arena, th_str_of(text));
}

static bool instant_of(th_str text, int64_t *ret)
{
    char whole[TH_TIME_TEXT + 16];
    if (text.n != 10)
        return th_time_parse(text, ret);
    memcpy(whole, text.p, 10);
    memcpy(whole + 10, "T00:00:00+08:00", 16);
    return th_time_parse(th_str_of(whole), ret);
}

static void dataset_write(th_records *records, th_dataset d, th_pen *pen, th_arena *arena)
{
    const th_json *j = th_dataset_json(d);
    th_str standard = th_json_str(j, "conformsTo"), sector = th_json_str(j, "sector");
    th_pen_object(pen);
    th_pen_kstr(pen, "@id", th_strf(arena, "urn:tonghui:%s:dataset:%.*s", records->code, TH_FMT(th_dataset_id(d, arena))));
    th_pen_ktext(pen, "@type", "dcat:Dataset");
    language_pair(pen, "dct:title", th_json_get(j, "title"));
    language_pair(pen, "dct:description", th_json_get(j, "description"));
    text_member(pen, "dct:identifier", th_json_str(j, "resource_code"));
    reference(pen, "dcat:theme", th_strf(arena, "urn:tonghui:sector:%.*s", TH_FMT(sector)));
    keywords_write(pen, th_json_get(j, "keywords"));
    publisher_write(records, d, pen, arena);
    authority(pen, "dct:accessRights", "access-right", theirs(rights, TH_COUNT(rights), d.reg ? TH_STR("conditional") : th_json_str(j, "access")), arena);
    authority(pen, "dct:accrualPeriodicity", "frequency", theirs(frequencies, TH_COUNT(frequencies), th_json_str(th_json_get(j, "refresh"), "en")), arena);
    dated(pen, "dct:issued", th_json_str(j, "published"));
    dated(pen, "dct:modified", modified_of(records, d, arena));
    spatial_write(records, d, pen, arena);
    temporal_write(pen, th_json_get(j, "temporal"));
    if (standard.n)
        text_member(pen, "dct:conformsTo", standard);
    else
        language_pair(pen, "dct:conformsTo", th_json_get(j, "standard"));
    distributions_write(d, pen, arena);
    th_pen_end(pen, '}');
}

static void context_write(th_pen *pen)
{
    th_pen_kraw(pen, "@context",
                TH_STR("{\"dcat\":\"http://www.w3.org/ns/dcat#\",\"dct\":\"http://purl.org/dc/terms/\",\"foaf\":\"http://xmlns.com/foaf/0.1/\","
                       "\"skos\":\"http://www.w3.org/2004/02/skos/core#\",\"xsd\":\"http://www.w3.org/2001/XMLSchema#\","
                       "\"hydra\":\"http://www.w3.org/ns/hydra/core#\"}"));
}

/* Datasets from `from` on that changed at `since` or later, at most `limit`; where to go on, or 0. */
static size_t datasets_write(th_records *records, th_pen *pen, size_t from, int64_t limit, int64_t since_us, th_arena *arena)
{
    int64_t written = 0, changed;
    for (size_t i = from; i < th_dataset_count(records); i++) {
        th_dataset d = th_dataset_at(records, i);
        if (since_us && instant_of(modified_of(records, d, arena), &changed) && changed < since_us)
            continue;
        if (written++ == limit)
            return i;
        dataset_write(records, d, pen, arena);
    }
    return 0;
}

th_handled th_catalogue_jsonld(th_request *rq)
{
    th_records *records = rq->module;
    int64_t from, limit, since_us = 0;
    th_str since = th_request_query(rq, "modified_since");
    th_status status = th_request_query_int(rq, "cursor", 0, 100000, 0, &from);
    if (!status)
        status = th_request_query_int(rq, "limit", 1, PAGE_MAX, PAGE_MAX, &limit);
    if (!status && since.n && !instant_of(since, &since_us))
        status = th_fail_field(&rq->error, "?modified_since", "time", "须为日期或 RFC 3339 时间", "Must be a date or an RFC 3339 instant");
    if (status)
        return th_reply_problem(rq, status, NULL);
    th_pen pen = th_pen_on(&rq->out);
    th_pen_object(&pen);
    context_write(&pen);
    th_pen_kstr(&pen, "@id", th_strf(&rq->arena, "urn:tonghui:%s:catalogue", records->code));
    th_pen_ktext(&pen, "@type", "dcat:Catalog");
    th_pen_kraw(&pen, "dct:title", TH_STR("[{\"@language\":\"zh\",\"@value\":\"数据资源目录\"},{\"@language\":\"en\",\"@value\":\"Data catalogue\"}]"));
    reference(&pen, "dct:publisher", th_strf(&rq->arena, "urn:tonghui:member:%s", records->code));
    th_pen_key(&pen, "dcat:dataset");
    th_pen_array(&pen);
    size_t next = datasets_write(records, &pen, (size_t)from, limit, since_us, &rq->arena);
    th_pen_end(&pen, ']');
    if (next) {
        th_pen_key(&pen, "hydra:view");
        th_pen_object(&pen);
        th_pen_ktext(&pen, "@type", "hydra:PartialCollectionView");
        th_str more = since.n ? th_strf(&rq->arena, "&modified_since=%.*s", TH_FMT(since)) : TH_STR("");
        reference(&pen, "hydra:next", th_strf(&rq->arena, "/records/v1/catalogue.jsonld?cursor=%zu&limit=%lld%.*s", next, (long long)limit, TH_FMT(more)));
        th_pen_end(&pen, '}');
    }
    th_pen_end(&pen, '}');
    th_handled handled = th_reply_json(rq, 200);
    if (rq->status == 200)
        rq->content_type = "application/ld+json";
    return handled;
}
