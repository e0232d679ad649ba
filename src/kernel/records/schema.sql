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
-- distribute: register, key
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
