-- migration 1: trust, grants, messages, access log, outbox, heads, alarms

-- Every trust document that was in force. One row a version.
-- reference
CREATE TABLE exchange_trust (
    version BIGINT PRIMARY KEY,
    document TEXT NOT NULL,
    applied_at BIGINT NOT NULL
);

-- This node's own grants.
-- distribute: provider
CREATE TABLE exchange_grant (
    provider TEXT NOT NULL,
    id TEXT NOT NULL,
    json TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (provider, id)
);

-- The signed publication of another provider's grants, as last fetched.
-- distribute: provider
CREATE TABLE exchange_grants_learnt (
    provider TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    learnt_at BIGINT NOT NULL
);

-- Bodies of batches, apart from the journal's tree: they may be erased by law, the hashes stay.
-- id: the 16 bytes of a UUIDv7, as in the next two tables. direction: 'out' (we asked) or 'in' (we answered). log, first: where the
-- batch's entries stand in our journal. proof: what the provider's trailer proved ('out').
-- distribute: id
CREATE TABLE exchange_batch (
    id BLOB PRIMARY KEY,
    peer TEXT NOT NULL,
    direction TEXT NOT NULL,
    at BIGINT NOT NULL,
    log TEXT,
    first BIGINT,
    proof TEXT,
    request BLOB,
    answer BLOB
);

-- Which messages of which member were answered where: the idempotency of providers. Ids are each member's own: one member can neither
-- take up another's ids nor fetch another's stored answers. A row holds the ids of a batch that were made within a second, see ids.c.
-- distribute: origin
CREATE TABLE exchange_seen (
    origin TEXT NOT NULL,
    last BLOB NOT NULL,
    batch BLOB NOT NULL,
    first BLOB NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY (origin, last, batch)
);

-- Which messages this node asked, and where they lie: the way to their receipts. origin is empty.
-- distribute: origin
CREATE TABLE exchange_sent (
    origin TEXT NOT NULL,
    last BLOB NOT NULL,
    batch BLOB NOT NULL,
    first BLOB NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY (origin, last, batch)
);

-- Who looked at people's data here; one row a batch, see access.c. first: index of the batch's first journal entry. lines: one a journal
-- entry, {office, register, fields, operation}; an empty one says the same as the one before.
-- distribute: log
CREATE TABLE exchange_access (
    log TEXT NOT NULL,
    first BIGINT NOT NULL,
    at BIGINT NOT NULL,
    consumer TEXT NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (log, first)
);

-- The way from a person to the entries about her: 24 bytes a look, her pseudonym here (16) and the entry's index (8), in order.
-- fresh: one row a batch. run: thousands of looks merged, in rows of a page each.
-- distribute: log
CREATE TABLE exchange_access_fresh (
    log TEXT NOT NULL,
    first BIGINT NOT NULL,
    looks BLOB NOT NULL,
    PRIMARY KEY (log, first)
);

-- distribute: log
CREATE TABLE exchange_access_run (
    log TEXT NOT NULL,
    run BIGINT NOT NULL,
    first_look BLOB NOT NULL,
    looks BLOB NOT NULL,
    PRIMARY KEY (log, run, first_look)
);

-- How far the bodies of batches were erased: the last id.
-- reference
CREATE TABLE exchange_erased (
    what TEXT PRIMARY KEY,
    id BLOB NOT NULL
);

-- Effects that must reach another node, in the transaction that caused them. state: 0 waiting, 1 in flight, 2 dead.
-- distribute: peer
CREATE TABLE exchange_outbox (
    peer TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    subject_key TEXT NOT NULL,
    line BLOB NOT NULL,
    state BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    put_at BIGINT NOT NULL,
    error TEXT,
    PRIMARY KEY (peer, seq)
);
CREATE INDEX exchange_outbox_order ON exchange_outbox (peer, subject_key, seq);

-- distribute: peer
CREATE TABLE exchange_outbox_sequence (
    peer TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

-- Effects that arrived: (origin, sequence, id) makes them exactly once. The id, because an origin restored from a backup counts again what
-- it had counted before, for other messages.
-- distribute: origin
CREATE TABLE exchange_inbox (
    origin TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (origin, seq, id)
);

-- Consents that their givers took back.
-- distribute: id
CREATE TABLE exchange_revoked (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);

-- Tree heads that contradict each other, as shown: the evidence.
-- distribute: log
CREATE TABLE exchange_head (
    log TEXT NOT NULL,
    size BIGINT NOT NULL,
    root BLOB NOT NULL,
    told_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    head TEXT NOT NULL,
    PRIMARY KEY (log, size, root)
);

-- What governors and operators must look at.
-- distribute: id
CREATE TABLE exchange_alarm (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    peer TEXT NOT NULL,
    zh TEXT NOT NULL,
    en TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- migration 2: alarms that a person has dealt with

ALTER TABLE exchange_alarm ADD COLUMN handled_at BIGINT;
ALTER TABLE exchange_alarm ADD COLUMN handled_by TEXT;
ALTER TABLE exchange_alarm ADD COLUMN note TEXT;

-- migration 3: what is known of the logs of others: their newest head, and the one up to which their history was proved to be one

-- distribute: log
CREATE TABLE exchange_log (
    log TEXT PRIMARY KEY,
    member TEXT NOT NULL,
    newest TEXT NOT NULL,
    verified TEXT
);

-- migration 4: the lists that all members signed

-- Every version that was in force.
-- reference
CREATE TABLE exchange_agreement (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);
