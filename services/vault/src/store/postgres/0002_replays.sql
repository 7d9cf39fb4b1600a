-- Answers to changes, kept for those who ask again. Id and request are digests under a key of the
-- vault's own; an answer that holds a secret is sealed under its owner's data key.
CREATE TABLE replays (
    id BYTEA NOT NULL PRIMARY KEY,
    request BYTEA NOT NULL,
    owner_kind BIGINT NOT NULL CONSTRAINT replays_owner_kind CHECK (owner_kind BETWEEN 1 AND 4),
    owner_uid UUID NOT NULL,
    thing BIGINT,
    sealed BOOLEAN NOT NULL,
    answer BYTEA NOT NULL,
    time BIGINT NOT NULL
);

CREATE INDEX replays_by_time ON replays (time);
CREATE INDEX replays_by_owner ON replays (owner_kind, owner_uid);
