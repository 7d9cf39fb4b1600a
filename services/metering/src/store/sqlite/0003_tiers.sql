-- Limits of accounts that have none of their own; NULL does not limit.
ALTER TABLE tier ADD COLUMN requests_per_minute INTEGER
    CONSTRAINT tier_requests_positive CHECK (requests_per_minute > 0);
ALTER TABLE tier ADD COLUMN tokens_per_minute INTEGER
    CONSTRAINT tier_tokens_positive CHECK (tokens_per_minute > 0);
ALTER TABLE tier ADD COLUMN concurrency INTEGER
    CONSTRAINT tier_concurrency_positive CHECK (concurrency > 0);
-- Counts up with every change.
ALTER TABLE tier ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tier ADD COLUMN create_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tier ADD COLUMN update_ms INTEGER NOT NULL DEFAULT 0;
UPDATE tier SET create_ms = unixepoch() * 1000, update_ms = unixepoch() * 1000;

-- Answers to changes, for those who ask again under the same id.
CREATE TABLE answer (
    caller TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request BLOB NOT NULL,
    answer BLOB NOT NULL,
    answer_ms INTEGER NOT NULL,
    CONSTRAINT answer_unique PRIMARY KEY (caller, method, request_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX answer_by_time ON answer (answer_ms);
