-- What metering is still to be told. Times are milliseconds since 1970. A sequence belongs to one
-- attempt, or to a hold that is given back, in all tables.

-- Attempts that were dispatched and whose event is not written yet.
CREATE TABLE intent (
    sequence INTEGER NOT NULL PRIMARY KEY,
    -- Empty with a key of the caller's own.
    hold_id TEXT NOT NULL,
    create_ms INTEGER NOT NULL,
    -- A `UsageEvent`: what is known of the attempt.
    event BLOB NOT NULL
) STRICT;

-- How far an attempt had come, as it was seen last. There is one once something was delivered.
CREATE TABLE checkpoint (
    sequence INTEGER NOT NULL PRIMARY KEY,
    -- A `Usage`, the prompt's part included.
    usage BLOB NOT NULL
) STRICT;

-- What metering has not acknowledged.
CREATE TABLE event (
    sequence INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    create_ms INTEGER NOT NULL,
    -- A `SettleUsageRequest`, `VoidHoldRequest` or `RecordUsageRequest`.
    body BLOB NOT NULL,
    CONSTRAINT event_kind_known CHECK (kind IN ('settle', 'void', 'record'))
) STRICT;

-- What metering refused for good. Nothing deletes it.
CREATE TABLE quarantine (
    sequence INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    create_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    refuse_ms INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;

-- One row, written over and over where the disk failed, to learn whether it takes something again.
CREATE TABLE probe (
    id INTEGER NOT NULL PRIMARY KEY,
    filler BLOB NOT NULL,
    CONSTRAINT probe_single CHECK (id = 1)
) STRICT;
