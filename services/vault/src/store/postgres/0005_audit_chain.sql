-- The chain of audit events, one for each instance of the vault. An event is inserted with its
-- mutation and unlinked; an instance's one writer gives it a place. `arrival` orders those that wait.
ALTER TABLE audit_events
    ADD COLUMN record_sha256 TEXT NOT NULL DEFAULT '',
    ADD COLUMN arrival BIGINT GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN instance TEXT,
    ADD COLUMN sequence BIGINT,
    ADD COLUMN hash BYTEA;

CREATE UNIQUE INDEX audit_events_chain_unique ON audit_events (instance, sequence)
    WHERE sequence IS NOT NULL;
CREATE INDEX audit_events_unlinked ON audit_events (arrival) WHERE sequence IS NULL;
CREATE INDEX audit_events_by_inference ON audit_events (inference_id) WHERE inference_id <> '';
CREATE INDEX audit_events_by_trace ON audit_events (trace_id) WHERE trace_id <> '';

-- How long each chain is, by its own account, and the key by which its checkpoints are signed.
CREATE TABLE audit_chains (
    instance TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL CONSTRAINT audit_chains_sequence CHECK (sequence >= 0),
    hash BYTEA NOT NULL,
    public_key BYTEA NOT NULL
);
