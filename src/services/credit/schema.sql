-- migration 1: credit records and who has acknowledged them

-- One row a record, at its owner and as a copy at every member. state: published, objection, repair (applied for), repaired, withdrawn.
-- version ascends with every change; an older one never replaces a newer. Days are days of Shanghai since 1970.
-- distribute: subject
CREATE TABLE credit_record (
    subject TEXT NOT NULL,
    id TEXT NOT NULL,
    list TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    fact TEXT NOT NULL,
    doc_no TEXT NOT NULL,
    doc_day BIGINT NOT NULL,
    min_until BIGINT NOT NULL,
    max_until BIGINT NOT NULL,
    state TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (subject, id)
);
CREATE UNIQUE INDEX credit_record_document ON credit_record (subject, list, owner, doc_no);

-- What happened to the records that this member owns.
-- distribute: id
CREATE TABLE credit_event (
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT,
    json TEXT NOT NULL,
    PRIMARY KEY (id, version)
);

-- The newest version that each member has said it holds.
-- distribute: id
CREATE TABLE credit_ack (
    id TEXT NOT NULL,
    member TEXT NOT NULL,
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (id, member)
);
