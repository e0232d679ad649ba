-- migration 1: what the region did, minute by minute, as this node heard it

-- minute: since 1970. Two days are kept.
-- distribute: minute
CREATE TABLE operations_minute (
    minute BIGINT PRIMARY KEY,
    messages BIGINT NOT NULL,
    verifies BIGINT NOT NULL,
    faults BIGINT NOT NULL
);
