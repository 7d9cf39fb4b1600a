-- Master keys by their ids (never the keys), the seal, and which processes have which.
-- state: 1 opens, 2 active, 3 retired, 4 destroyed.
CREATE TABLE master_keys (
    id TEXT NOT NULL PRIMARY KEY,
    state INTEGER NOT NULL CONSTRAINT master_keys_state CHECK (state BETWEEN 1 AND 4),
    create_time INTEGER NOT NULL,
    activate_time INTEGER,
    retire_time INTEGER,
    destroy_time INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX master_keys_one_active ON master_keys (state) WHERE state = 2;

-- Those of stores that are older than this table; the next start says which is active.
INSERT INTO master_keys (id, state, create_time)
SELECT master_key_id, 1, min(create_time) FROM data_keys GROUP BY master_key_id;

CREATE TABLE vault_state (
    only_row INTEGER NOT NULL PRIMARY KEY CONSTRAINT vault_state_one CHECK (only_row = 1),
    sealed INTEGER NOT NULL CONSTRAINT vault_state_sealed CHECK (sealed IN (0, 1)),
    change_time INTEGER
) STRICT;

INSERT INTO vault_state (only_row, sealed) VALUES (1, 0);

CREATE TABLE vault_replicas (
    name TEXT NOT NULL PRIMARY KEY,
    master_keys TEXT NOT NULL,
    seen_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
