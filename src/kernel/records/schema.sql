-- migration 1: entries, versions, sources, requests

-- Imports of one register. live: 1 for the version that answers.
-- distribute: register
CREATE TABLE records_version (
    register TEXT NOT NULL,
    version BIGINT NOT NULL,
    live BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    simulated BIGINT NOT NULL,
    PRIMARY KEY (register, version)
);

-- key: keyed pseudonym of the register's key fields. sealed: the entry's JSON, AES-256-GCM.
-- An entry that is not there is looked for by its neighbour, so a register lies whole on one shard.
-- distribute: register
-- heap
-- apart
CREATE TABLE records_entry (
    register TEXT NOT NULL,
    version BIGINT NOT NULL,
    key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (register, version, key)
);

-- Where a register's entries are, when not here.
-- reference
CREATE TABLE records_source (
    register TEXT PRIMARY KEY,
    json TEXT NOT NULL
);

-- Requests for access to a dataset.
-- distribute: id
CREATE TABLE records_request (
    id TEXT PRIMARY KEY,
    dataset TEXT NOT NULL,
    consumer TEXT NOT NULL,
    office TEXT,
    by_name TEXT NOT NULL,
    item TEXT,
    fields TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT
);

-- migration 2: whose register a request is for; absent: this node's

ALTER TABLE records_request ADD COLUMN provider TEXT;

-- migration 3: records in dispute

-- Records that contradict each other. kind: 'duplicate' (two rows of one key in one import), 'nodes' (answers of several nodes do not fit).
-- state: 'open', 'closed' (an operator looked), 'superseded' (a later import has it no more). sealed: the key's values.
-- distribute: id
CREATE TABLE records_conflict (
    id TEXT PRIMARY KEY,
    register TEXT NOT NULL,
    version BIGINT NOT NULL,
    key BLOB NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    sealed BLOB NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL,
    closed_at BIGINT,
    closed_by TEXT,
    note TEXT
);
CREATE INDEX records_conflict_state ON records_conflict (state, id);
CREATE INDEX records_conflict_key ON records_conflict (register, key);
