-- migration 1: offices' own lists of items, as they were imported

-- One row a version of an imported item. key: its implementation code when that holds, else the hash of the row; never a code of ours.
-- state: 'draft' (nothing against it), 'pending' (待核: something has to be looked into), 'settled' (a person has). doubts: what, as JSON.
-- row: the values as they stood in the list.
-- distribute: key
CREATE TABLE government_item (
    key TEXT NOT NULL,
    version BIGINT NOT NULL,
    import TEXT NOT NULL,
    line BIGINT NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    doubts TEXT NOT NULL,
    row TEXT NOT NULL,
    at BIGINT NOT NULL,
    by_account TEXT,
    note TEXT,
    PRIMARY KEY (key, version)
);
CREATE INDEX government_item_state ON government_item (state, key);
