-- What makes rows tamper-evident, and what data keys by generation need. Rows from before get their
-- state at the next start, once.
ALTER TABLE provider_keys ADD COLUMN state_mac BLOB;

ALTER TABLE data_keys ADD COLUMN seals INTEGER NOT NULL DEFAULT 0;

-- Which generations of an owner's data key there are: the newest seals, those below the minimum are
-- destroyed.
CREATE TABLE data_key_floors (
    owner_kind INTEGER NOT NULL CONSTRAINT data_key_floors_owner_kind CHECK (owner_kind BETWEEN 1 AND 4),
    owner_uid BLOB NOT NULL,
    newest INTEGER NOT NULL,
    minimum INTEGER NOT NULL CONSTRAINT data_key_floors_minimum CHECK (minimum BETWEEN 1 AND newest),
    mac BLOB NOT NULL,
    CONSTRAINT data_key_floors_pk PRIMARY KEY (owner_kind, owner_uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX data_key_floors_open ON data_key_floors (owner_kind, owner_uid) WHERE newest > minimum;
CREATE INDEX data_keys_by_age ON data_keys (create_time) WHERE destroy_time IS NULL;
