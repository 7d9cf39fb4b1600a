-- The router's own store. Times are milliseconds since 1970.

-- Policies by the internal ids of their owners, which are never given again. `sequence` is the place
-- of the last change among those of all policies.
CREATE TABLE routing_policy (
    owner_kind TEXT NOT NULL,
    owner_uid TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    document BLOB NOT NULL,
    update_ms INTEGER NOT NULL,
    CONSTRAINT routing_policy_pk PRIMARY KEY (owner_kind, owner_uid),
    CONSTRAINT routing_policy_sequence_unique UNIQUE (sequence)
) STRICT;

-- What changes came to, for those who ask again under the same id.
CREATE TABLE policy_answer (
    caller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request BLOB NOT NULL,
    revision INTEGER NOT NULL,
    answer_ms INTEGER NOT NULL,
    CONSTRAINT policy_answer_pk PRIMARY KEY (caller, request_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX policy_answer_by_time ON policy_answer (answer_ms);
