-- The router's own store; the same tables and columns as in SQLite. Times are milliseconds since 1970.

-- Policies by the internal ids of their owners, which are never given again. `sequence` is the place
-- of the last change among those of all policies: writers take turns, so that it grows in the order of
-- commits and a router that looks for changes misses none.
CREATE TABLE routing_policy (
    owner_kind TEXT NOT NULL,
    owner_uid TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    document BYTEA NOT NULL,
    update_ms BIGINT NOT NULL,
    CONSTRAINT routing_policy_pk PRIMARY KEY (owner_kind, owner_uid),
    CONSTRAINT routing_policy_sequence_unique UNIQUE (sequence)
);

-- What changes came to, for those who ask again under the same id.
CREATE TABLE policy_answer (
    caller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    answer_ms BIGINT NOT NULL,
    CONSTRAINT policy_answer_pk PRIMARY KEY (caller, request_id)
);

CREATE INDEX policy_answer_by_time ON policy_answer (answer_ms);
