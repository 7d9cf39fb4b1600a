-- What an attempt holds from a lease, of which metering learns only by its event.
ALTER TABLE intent ADD COLUMN lease_id TEXT NOT NULL DEFAULT '';
ALTER TABLE intent ADD COLUMN held_nanos INTEGER NOT NULL DEFAULT 0;

-- One row: by what metering knows this spool, and how often it was opened.
CREATE TABLE identity (
    id INTEGER NOT NULL PRIMARY KEY,
    spool_id BLOB NOT NULL,
    starts INTEGER NOT NULL,
    CONSTRAINT identity_single CHECK (id = 1)
) STRICT;
