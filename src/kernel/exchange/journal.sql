-- migration 1: the append-only log

-- One row a generation of this node's log.
-- distribute: log
CREATE TABLE journal_log (
    log TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    generation BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    sealed_at BIGINT
);

-- One row a commit: its entries, each with a line end, and their leaf hashes.
-- distribute: log
CREATE TABLE journal_segment (
    log TEXT NOT NULL,
    first BIGINT NOT NULL,
    n BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    leaves BLOB NOT NULL,
    PRIMARY KEY (log, first)
);

-- Roots of complete subtrees, of every eighth level only: the levels between are rebuilt from at most 256 hashes.
-- distribute: log
CREATE TABLE journal_node (
    log TEXT NOT NULL,
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (log, level, idx)
);

-- Every head that was signed.
-- distribute: log
CREATE TABLE journal_head (
    log TEXT NOT NULL,
    size BIGINT NOT NULL,
    root BLOB NOT NULL,
    at BIGINT NOT NULL,
    suite BIGINT NOT NULL,
    kid TEXT NOT NULL,
    sig BLOB NOT NULL,
    PRIMARY KEY (log, size)
);
