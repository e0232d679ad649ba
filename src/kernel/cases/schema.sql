-- migration 1: cases, their events, their evidence

-- The state that the events of a case give, for lists; rebuilt from them at will.
-- writer: 1 when this node is the case's writing owner. secret: the applicant's number and form, sealed with the node's key.
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
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX cases_case_subject ON cases_case (subject, id);
CREATE INDEX cases_case_state ON cases_case (state, due_at);

-- node: where the event happened; its own sequence there is origin_seq: (node, origin_seq) is the same on every copy.
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
    PRIMARY KEY (case_id, evidence)
);
CREATE INDEX cases_evidence_waiting ON cases_evidence (state, next_at);

-- migration 2: agreements that were taken back

ALTER TABLE cases_evidence ADD COLUMN revoked_at BIGINT;
