-- migration 1: offices, accounts, sessions, keys and what was done with them

-- reference
CREATE TABLE people_office (
    code TEXT PRIMARY KEY,
    name_zh TEXT NOT NULL,
    name_en TEXT NOT NULL,
    uscc TEXT
);

-- sealed: the identity number of a citizen, under the node's secret. totp: the shared secret, sealed.
-- distribute: id
CREATE TABLE people_account (
    id TEXT PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    roles BIGINT NOT NULL,
    office TEXT,
    subject TEXT,
    sealed BLOB,
    password TEXT NOT NULL,
    totp BLOB,
    totp_pending BLOB,
    totp_step BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    disabled BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);

-- hash: SHA-256 of the token that the browser holds.
-- distribute: hash
CREATE TABLE people_session (
    hash TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX people_session_account ON people_session (account);

-- distribute: id
CREATE TABLE people_key (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    office TEXT NOT NULL,
    hash TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    disabled BIGINT NOT NULL
);

-- Sign-ins and changes; no personal data.
-- distribute: id
CREATE TABLE people_event (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL
);

-- Writes that carry an Idempotency-Key: which request it was, and its answer once there is one. boot: the daemon that claimed it.
-- distribute: account
CREATE TABLE people_once (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    hash BLOB NOT NULL,
    boot TEXT NOT NULL,
    status BIGINT,
    content_type TEXT,
    answer BLOB,
    at BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);

-- migration 2: answers are sealed from here on (those that lay open are forgotten), and swept by their time
UPDATE people_once SET answer = NULL;
CREATE INDEX people_once_at ON people_once (at);
