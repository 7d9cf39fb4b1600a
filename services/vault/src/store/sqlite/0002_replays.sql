-- Answers to changes, kept for those who ask again. Id and request are digests under a key of the
-- vault's own; an answer that holds a secret is sealed under its owner's data key.
CREATE TABLE replays (
    id BLOB NOT NULL PRIMARY KEY,
    request BLOB NOT NULL,
    owner_kind INTEGER NOT NULL CONSTRAINT replays_owner_kind CHECK (owner_kind BETWEEN 1 AND 4),
    owner_uid BLOB NOT NULL,
    thing INTEGER,
    sealed INTEGER NOT NULL CONSTRAINT replays_sealed CHECK (sealed IN (0, 1)),
    answer BLOB NOT NULL,
    time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX replays_by_time ON replays (time);
CREATE INDEX replays_by_owner ON replays (owner_kind, owner_uid);
