-- migration 1: cases, their events, their evidence

-- The state that the events of a case give, for lists; rebuilt from them at will.
-- open: 1 while this node, its writing owner, has something to do. timer_at: when something happens by itself here. clock: as the owner said it
-- last (copies). channel: counter or citizen. promised_days, taken_days: of the item's unit, once decided. secret: the applicant's number and form, sealed with the node's key.
-- distribute: id
CREATE TABLE cases_case (
    id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    item TEXT NOT NULL,
    origin TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    subject TEXT,
    account TEXT,
    office TEXT,
    applicant_name TEXT NOT NULL,
    id_masked TEXT NOT NULL,
    secret BLOB NOT NULL,
    due_at BIGINT,
    timer_at BIGINT,
    open BIGINT NOT NULL,
    clock TEXT,
    channel TEXT NOT NULL,
    promised_days BIGINT,
    taken_days BIGINT,
    rating BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX cases_case_subject ON cases_case (subject, id);
CREATE INDEX cases_case_worklist ON cases_case (open, due_at, id);
CREATE INDEX cases_case_timer ON cases_case (timer_at);

-- chain: hash over all events up to this one, in the order of seq. node: where the event happened; its own sequence there is origin_seq: (node, origin_seq) is the same on every copy.
-- distribute: case_id
CREATE TABLE cases_event (
    case_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    node TEXT NOT NULL,
    origin_seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT,
    json TEXT NOT NULL,
    message TEXT,
    chain BLOB NOT NULL,
    PRIMARY KEY (case_id, seq)
);
CREATE UNIQUE INDEX cases_event_origin ON cases_event (case_id, node, origin_seq);

-- distribute: case_id
CREATE TABLE cases_evidence (
    case_id TEXT NOT NULL,
    evidence TEXT NOT NULL,
    provider TEXT NOT NULL,
    register TEXT NOT NULL,
    state TEXT NOT NULL,
    consent TEXT,
    results TEXT,
    message TEXT,
    receipt TEXT,
    problem TEXT,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    answered_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (case_id, evidence)
);
CREATE INDEX cases_evidence_waiting ON cases_evidence (state, next_at);

-- Asked by another node's case for this office's opinion. state: open, answered, over.
-- distribute: case_id
CREATE TABLE cases_consult (
    case_id TEXT NOT NULL,
    consult TEXT NOT NULL,
    asker TEXT NOT NULL,
    number TEXT NOT NULL,
    item TEXT NOT NULL,
    question TEXT NOT NULL,
    applicant TEXT NOT NULL,
    state TEXT NOT NULL,
    opinion TEXT,
    words TEXT,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (case_id, consult)
);
CREATE INDEX cases_consult_open ON cases_consult (state, due_at);

-- Papers that were handed in. state: uploading, here, deferred (容缺: to follow), wanted (the other node has it, being fetched).
-- distribute: case_id
CREATE TABLE cases_material (
    case_id TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    mime TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (case_id, code)
);
CREATE INDEX cases_material_state ON cases_material (state, next_at);

-- Their bytes in pieces of 32 KiB, each sealed with the node's key.
-- distribute: case_id
CREATE TABLE cases_piece (
    case_id TEXT NOT NULL,
    code TEXT NOT NULL,
    n BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (case_id, code, n)
);

-- migration 2: the version of the item that the case was begun under at this node; absent: whichever is in force
ALTER TABLE cases_case ADD COLUMN item_version BIGINT;

-- migration 3: by which calendar and rules the open cases were counted last
-- distribute: name
CREATE TABLE cases_basis (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL
);

-- migration 4: how often in a row the other node gave what is not the paper, for a pause that grows
ALTER TABLE cases_material ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
