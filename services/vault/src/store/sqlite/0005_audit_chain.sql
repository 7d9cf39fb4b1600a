-- The chain of audit events, one for each instance of the vault. An event is inserted with its
-- mutation and unlinked; its instance's one writer gives it a place. `arrival` orders those that wait.
ALTER TABLE audit_events ADD COLUMN record_sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN arrival INTEGER;
ALTER TABLE audit_events ADD COLUMN instance TEXT;
ALTER TABLE audit_events ADD COLUMN sequence INTEGER;
ALTER TABLE audit_events ADD COLUMN hash BLOB;

CREATE UNIQUE INDEX audit_events_chain_unique ON audit_events (instance, sequence)
    WHERE sequence IS NOT NULL;
CREATE INDEX audit_events_unlinked ON audit_events (arrival, uid) WHERE sequence IS NULL;
CREATE INDEX audit_events_by_inference ON audit_events (inference_id) WHERE inference_id <> '';
CREATE INDEX audit_events_by_trace ON audit_events (trace_id) WHERE trace_id <> '';

-- How long each chain is, by its own account, and the key by which its checkpoints are signed.
CREATE TABLE audit_chains (
    instance TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL CONSTRAINT audit_chains_sequence CHECK (sequence >= 0),
    hash BLOB NOT NULL,
    public_key BLOB NOT NULL
) STRICT, WITHOUT ROWID;
