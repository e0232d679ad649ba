/* platform.c — the parts one by one, each beside a peer or a limit in the same run: JSON beside jansson, the writer beside SQLite
 * itself, hashing beside the tree, the cost of one receipt. Medians of five. */
#include "kernel/exchange/receipt.h"
#include "platform/crypto/merkle.h"
#include "platform/store/store.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5, ROUND_MS = 120 };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void must(th_status status, const char *what)
{
    if (!status)
        return;
    fprintf(stderr, "platform: %s: %s\n", what, th_status_name(status));
    exit(1);
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds of one call. */
static double timed(void (*run)(void *ctx), void *ctx)
{
    double rounds[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        int64_t from = now_ns(), n = 0;
        while (now_ns() - from < ROUND_MS * INT64_C(1000000)) {
            for (int k = 0; k < 16; k++)
                run(ctx);
            n += 16;
        }
        rounds[i] = (double)(now_ns() - from) / (double)n;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, order);
    return rounds[ROUNDS / 2];
}

static void row(const char *name, double ns, const char *beside, double peer_ns)
{
    printf("%-44s %10.0f ns", name, ns);
    if (beside)
        printf("   %-28s %10.0f ns   %.1f×", beside, peer_ns, peer_ns / ns);
    printf("\n");
}

/* ---- JSON ---- */

static char document[2048];
static size_t document_n;

static void document_make(void)
{
    static const char head[] = "{\"id\":\"01990000-0000-7000-8000-000000000000\",\"type\":\"verify\",\"to\":\"130000\",\"at\":"
                               "\"2026-11-24T08:00:00.123456Z\",\"purpose\":{\"item\":\"HE-TALENT-CARD\",\"case\":"
                               "\"01990000-0000-7000-8000-000000000001\"},\"actor\":{\"office\":\"HE-HRSS\",\"operator\":"
                               "\"0123456789abcdef0123456789abcdef\"},\"body\":{\"register\":\"population\",\"notes\":[";
    memcpy(document, head, sizeof head - 1);
    document_n = sizeof head - 1;
    for (int i = 0; document_n < 960; i++)
        document_n += (size_t)snprintf(document + document_n, sizeof document - document_n,
                                       "%s{\"县\":\"石家庄市长安区学府路%d号\",\"n\":%d,\"ok\":true}", i ? "," : "", i, i * 7919);
    document_n += (size_t)snprintf(document + document_n, sizeof document - document_n, "]}}");
}

static th_arena scratch;

static void ours_read(void *ctx)
{
    const th_json *root;
    (void)ctx;
    must(th_json_parse((th_str){document, document_n}, &scratch, &root, NULL), "parse");
    th_arena_reset(&scratch);
}

static void theirs_read(void *ctx)
{
    (void)ctx;
    json_t *root = json_loadb(document, document_n, JSON_REJECT_DUPLICATES, NULL);
    json_decref(root);
}

static th_entry entry = {.index = 123456,
                         .at_us = 1795507200123456,
                         .direction = {"answered", 8},
                         .peer = {"130000", 6},
                         .id = {"01990000-0000-7000-8000-000000000000", 36},
                         .leaf = {{1}},
                         .answer = {{2}},
                         .item = {"identity-check", 14},
                         .grant = {"population-check-110000-130000", 30},
                         .private_hash = {{3}}};

static void ours_write(void *ctx)
{
    th_buf buf;
    (void)ctx;
    th_buf_open(&buf, &scratch, TH_ENTRY_MAX);
    th_entry_write(&buf, &entry);
    th_arena_reset(&scratch);
}

static void theirs_write(void *ctx)
{
    (void)ctx;
    static const char hash[] = "aG2Inwfak6BFC0O9nt3rLZQExiV5kcBu-p4jKH_G-z0";
    json_t *root = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:n,s:s,s:s}", "index", (json_int_t)123456, "at", "2026-11-24T08:00:00.123456Z",
                             "direction", "answered", "peer", "130000", "id", "01990000-0000-7000-8000-000000000000", "leaf", hash, "answer",
                             hash, "item", "identity-check", "case", "grant", "population-check-110000-130000", "private", hash);
    free(json_dumps(root, JSON_COMPACT)); /* jansson's own allocation */
    json_decref(root);
}

static void json_bench(void)
{
    document_make();
    row("JSON: read a message of 1,000 bytes", timed(ours_read, NULL), "jansson", timed(theirs_read, NULL));
    row("JSON: write a journal entry", timed(ours_write, NULL), "jansson", timed(theirs_write, NULL));
}

/* ---- hashes, signatures, sealing ---- */

typedef struct crypto {
    th_suite suite;
    th_key *key;
    th_frontier frontier;
    th_hash leaf;
    uint8_t secret[32], signature[TH_SIGNATURE_SIZE];
    th_str sealed;
    th_arena arena;
} crypto;

static void leaf_run(void *ctx)
{
    crypto *c = ctx;
    c->leaf = th_merkle_leaf(c->suite, (th_str){document, 330});
}

static void append_run(void *ctx)
{
    crypto *c = ctx;
    th_frontier_add(&c->frontier, &c->leaf, NULL, NULL);
}

static void hmac_run(void *ctx)
{
    crypto *c = ctx;
    th_str piece = {document, 60};
    c->leaf = th_hmac(c->secret, &piece, 1);
}

static void unseal_run(void *ctx)
{
    crypto *c = ctx;
    th_str plain;
    must(th_unseal(c->secret, c->sealed, TH_STR("bound"), &scratch, &plain), "unseal");
    th_arena_reset(&scratch);
}

static void sign_run(void *ctx)
{
    crypto *c = ctx;
    must(th_sign(c->key, (th_str){document, 400}, c->signature), "sign");
}

static void verify_run(void *ctx)
{
    crypto *c = ctx;
    must(th_verify(c->key, (th_str){document, 400}, (th_str){(const char *)c->signature, TH_SIGNATURE_SIZE}), "verify");
}

static void crypto_bench(void)
{
    static const struct { th_suite suite; const char *leaf, *append, *sign, *verify; } suites[] = {
        {TH_SUITE_ED25519, "SHA-256: a leaf of 330 bytes", "SHA-256: append a leaf to the tree", "Ed25519: sign", "Ed25519: verify"},
        {TH_SUITE_SM2, "SM3: a leaf of 330 bytes", "SM3: append a leaf to the tree", "SM2: sign", "SM2: verify"},
    };
    th_env env = th_env_real();
    for (size_t i = 0; i < TH_COUNT(suites); i++) {
        crypto c = {.suite = suites[i].suite};
        must(th_key_make(c.suite, &c.key), "key");
        th_frontier_open(&c.frontier, c.suite);
        th_arena_open(&c.arena, 1 << 20);
        row(suites[i].leaf, timed(leaf_run, &c), NULL, 0);
        row(suites[i].append, timed(append_run, &c), NULL, 0);
        row(suites[i].sign, timed(sign_run, &c), NULL, 0);
        row(suites[i].verify, timed(verify_run, &c), NULL, 0);
        if (i == 0) {
            must(th_seal(&env, c.secret, (th_str){document, 330}, TH_STR("bound"), &c.arena, &c.sealed), "seal");
            row("HMAC-SHA-256 of 60 bytes", timed(hmac_run, &c), NULL, 0);
            row("AES-256-GCM: open a sealed entry", timed(unseal_run, &c), NULL, 0);
        }
        th_arena_close(&c.arena);
        th_key_close(c.key);
    }
}

/* ---- the writer beside SQLite itself: a thousand rows a commit, the rows of a journal ---- */

enum { ROWS = 1000 };
static const char thing_schema[] = "-- migration 1: rows\nCREATE TABLE thing (\n    log TEXT NOT NULL,\n    idx BIGINT NOT NULL,\n"
                                   "    bytes BLOB NOT NULL,\n    PRIMARY KEY (log, idx)\n);\n";
static const char insert[] = "INSERT INTO thing (log, idx, bytes) VALUES (?1, ?2, ?3)";

typedef struct rows {
    th_writer *writer;
    sqlite3 *raw;
    sqlite3_stmt *statement;
    int64_t next;
    th_value values[3 * ROWS];
} rows;

static th_status rows_apply(th_change *change, th_db *db, th_error *error)
{
    rows *r = change->ctx;
    for (size_t i = 0; i < ROWS; i++) {
        r->values[3 * i] = th_v_text(TH_STR("110000.1"));
        r->values[3 * i + 1] = th_v_int(r->next++);
        r->values[3 * i + 2] = th_v_blob(document, 140);
    }
    return th_db_exec_many(db, insert, r->values, 3, ROWS, error);
}

static double writer_rows(rows *r)
{
    double rounds[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        int64_t from = now_ns();
        for (int k = 0; k < 40; k++) {
            th_change change = {.apply = rows_apply, .ctx = r};
            must(th_writer_run(r->writer, &change, NULL), "write");
        }
        rounds[i] = (double)(now_ns() - from) / (40 * ROWS);
    }
    qsort(rounds, ROUNDS, sizeof *rounds, order);
    return rounds[ROUNDS / 2];
}

static double raw_rows(rows *r)
{
    double rounds[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        int64_t from = now_ns();
        for (int k = 0; k < 40; k++) {
            sqlite3_exec(r->raw, "BEGIN IMMEDIATE", NULL, NULL, NULL);
            for (size_t j = 0; j < ROWS; j++) {
                sqlite3_bind_text(r->statement, 1, "110000.1", 8, SQLITE_STATIC);
                sqlite3_bind_int64(r->statement, 2, r->next++);
                sqlite3_bind_blob(r->statement, 3, document, 140, SQLITE_STATIC);
                sqlite3_step(r->statement);
                sqlite3_reset(r->statement);
            }
            must(sqlite3_exec(r->raw, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? TH_OK : TH_IO, "commit");
        }
        rounds[i] = (double)(now_ns() - from) / (40 * ROWS);
    }
    qsort(rounds, ROUNDS, sizeof *rounds, order);
    return rounds[ROUNDS / 2];
}

static void store_bench(const char *dir)
{
    static rows r;
    char url[600];
    th_store *store;
    th_error error = {0};
    snprintf(url, sizeof url, "sqlite:%s/ours.sqlite", dir);
    must(th_store_open(url, NULL, &store, &error), error.en);
    must(th_store_migrate(store, "thing", thing_schema, &error), error.en);
    must(th_writer_open(store, NULL, true, 0, &r.writer, &error), error.en);
    double ours = writer_rows(&r);
    th_writer_close(r.writer);
    th_store_close(store);
    snprintf(url, sizeof url, "%s/raw.sqlite", dir);
    must(sqlite3_open(url, &r.raw) == SQLITE_OK ? TH_OK : TH_IO, "open");
    sqlite3_exec(r.raw, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000;"
                        "CREATE TABLE thing (log TEXT NOT NULL, idx BIGINT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (log, idx)) WITHOUT ROWID",
                 NULL, NULL, NULL);
    must(sqlite3_prepare_v2(r.raw, insert, -1, &r.statement, NULL) == SQLITE_OK ? TH_OK : TH_IO, "prepare");
    row("store: a row, a thousand a commit", ours, "SQLite's own interface", raw_rows(&r));
    sqlite3_finalize(r.statement);
    sqlite3_close(r.raw);
}

int main(void)
{
    char dir[] = "platform-bench.XXXXXX";
    th_arena_open(&scratch, 16 << 20);
    must(th_crypto_start(), "crypto");
    json_bench();
    crypto_bench();
    if (!mkdtemp(dir))
        return 1;
    store_bench(dir);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
