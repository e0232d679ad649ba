-- migration 1: certificates issued and held, status lists, presentations

-- What this node issued. number: GB/T 36904. content: fields, holder and token, sealed with the node's key. wallet: the member where the holder
-- keeps it. operation: 01 new, 02 renewed, 03 suspended, 05 revoked, 06 restored. list and place: where its status stands.
-- distribute: id
CREATE TABLE certificates_issued (
    id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    holder_masked TEXT NOT NULL,
    item TEXT,
    case_id TEXT,
    office TEXT,
    actor TEXT,
    wallet TEXT NOT NULL,
    status BIGINT NOT NULL,
    operation TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    valid_from BIGINT NOT NULL,
    expires_at BIGINT,
    list BIGINT NOT NULL,
    place BIGINT NOT NULL,
    previous TEXT,
    digest TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE UNIQUE INDEX certificates_issued_number ON certificates_issued (number);
CREATE INDEX certificates_issued_case ON certificates_issued (case_id);

-- The running number of each type.
-- distribute: type
CREATE TABLE certificates_serial (
    type TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

-- A status list: how many places it has and has given away; version counts its changes.
-- distribute: list
CREATE TABLE certificates_list (
    list BIGINT PRIMARY KEY,
    places BIGINT NOT NULL,
    used BIGINT NOT NULL,
    version BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);

-- A place that is taken, and by whom.
-- distribute: list
CREATE TABLE certificates_place (
    list BIGINT NOT NULL,
    place BIGINT NOT NULL,
    certificate TEXT NOT NULL,
    status BIGINT NOT NULL,
    PRIMARY KEY (list, place)
);
CREATE INDEX certificates_place_status ON certificates_place (list, status);

-- Every change of a status, for the lists of earlier days.
-- distribute: list
CREATE TABLE certificates_change (
    list BIGINT NOT NULL,
    version BIGINT NOT NULL,
    place BIGINT NOT NULL,
    status BIGINT NOT NULL,
    at BIGINT NOT NULL,
    operation TEXT NOT NULL,
    reason TEXT NOT NULL,
    law TEXT,
    actor TEXT,
    PRIMARY KEY (list, version)
);

-- What other members told of a status; newer than the list that was fetched when its version is higher.
-- distribute: uri
CREATE TABLE certificates_told (
    uri TEXT NOT NULL,
    place BIGINT NOT NULL,
    status BIGINT NOT NULL,
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (uri, place)
);

-- The keys with which this node's wallet signs for its citizens, sealed.
-- distribute: subject
CREATE TABLE certificates_holder (
    subject TEXT NOT NULL,
    suite TEXT NOT NULL,
    kid TEXT NOT NULL,
    secret BLOB NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (subject, suite)
);
CREATE INDEX certificates_holder_kid ON certificates_holder (kid);

-- The wallets of this node's citizens. content: the token, sealed. uri and place: its status elsewhere.
-- distribute: subject
CREATE TABLE certificates_held (
    subject TEXT NOT NULL,
    id TEXT NOT NULL,
    issuer TEXT NOT NULL,
    type TEXT NOT NULL,
    number TEXT NOT NULL,
    uri TEXT NOT NULL,
    place BIGINT NOT NULL,
    status BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT,
    received_at BIGINT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (subject, id)
);
CREATE INDEX certificates_held_place ON certificates_held (uri, place);

-- What a citizen showed to whom. claims: their names, comma-separated.
-- distribute: subject
CREATE TABLE certificates_shown (
    subject TEXT NOT NULL,
    id TEXT NOT NULL,
    certificate TEXT NOT NULL,
    verifier TEXT NOT NULL,
    purpose TEXT,
    claims TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (subject, id)
);

-- A verifier's question (OpenID4VP) and, sealed, what came of it. state: asked, answered, refused.
-- distribute: id
CREATE TABLE certificates_asked (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    office TEXT,
    purpose TEXT NOT NULL,
    nonce TEXT NOT NULL,
    query TEXT NOT NULL,
    state TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    answered_at BIGINT,
    result BLOB
);
