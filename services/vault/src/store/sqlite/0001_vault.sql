-- The vault's schema. Times are milliseconds since 1970; uids are UUIDv7 in 16 bytes, never reused,
-- and sort by time. Owner kinds: 1 user, 2 organisation, 3 project, 4 the platform (uid all zero).

CREATE TABLE accounts (
    uid BLOB NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL CONSTRAINT accounts_kind CHECK (kind IN (1, 2)),
    id TEXT NOT NULL,
    tier TEXT NOT NULL,
    display_name TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CONSTRAINT accounts_id_unique UNIQUE (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    uid BLOB NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    holder_uid BLOB NOT NULL CONSTRAINT projects_holder REFERENCES accounts (uid),
    display_name TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CONSTRAINT projects_id_unique UNIQUE (holder_uid, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    uid BLOB NOT NULL PRIMARY KEY,
    organization_uid BLOB NOT NULL CONSTRAINT members_organization REFERENCES accounts (uid),
    user_uid BLOB NOT NULL CONSTRAINT members_user REFERENCES accounts (uid),
    role INTEGER NOT NULL CONSTRAINT members_role CHECK (role BETWEEN 1 AND 4),
    create_time INTEGER NOT NULL,
    CONSTRAINT members_unique UNIQUE (organization_uid, user_uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_user ON members (user_uid);

-- Only the SHA-256 of an access key is here; it is how one is found.
CREATE TABLE access_keys (
    uid BLOB NOT NULL PRIMARY KEY,
    id TEXT NOT NULL CONSTRAINT access_keys_id_unique UNIQUE,
    hash BLOB NOT NULL CONSTRAINT access_keys_hash_unique UNIQUE,
    user_uid BLOB CONSTRAINT access_keys_user REFERENCES accounts (uid),
    organization_uid BLOB CONSTRAINT access_keys_organization REFERENCES accounts (uid),
    project_uid BLOB CONSTRAINT access_keys_project REFERENCES projects (uid),
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    allowed_models TEXT NOT NULL,
    requests_per_minute INTEGER NOT NULL,
    tokens_per_minute INTEGER NOT NULL,
    concurrency INTEGER NOT NULL,
    masked TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    expire_time INTEGER,
    revoke_time INTEGER,
    CONSTRAINT access_keys_owned CHECK (user_uid IS NOT NULL OR organization_uid IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX access_keys_by_user ON access_keys (user_uid, uid);
CREATE INDEX access_keys_by_organization ON access_keys (organization_uid, uid);

-- One data key per owner and generation, wrapped by a master key. A destroyed one stays, empty.
CREATE TABLE data_keys (
    owner_kind INTEGER NOT NULL CONSTRAINT data_keys_owner_kind CHECK (owner_kind BETWEEN 1 AND 4),
    owner_uid BLOB NOT NULL,
    generation INTEGER NOT NULL CONSTRAINT data_keys_generation CHECK (generation > 0),
    master_key_id TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    create_time INTEGER NOT NULL,
    destroy_time INTEGER,
    CONSTRAINT data_keys_pk PRIMARY KEY (owner_kind, owner_uid, generation)
) STRICT, WITHOUT ROWID;

CREATE INDEX data_keys_by_master_key ON data_keys (master_key_id);

CREATE TABLE provider_keys (
    uid BLOB NOT NULL PRIMARY KEY,
    owner_kind INTEGER NOT NULL CONSTRAINT provider_keys_owner_kind CHECK (owner_kind BETWEEN 1 AND 4),
    owner_uid BLOB NOT NULL,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    masked TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    enabled INTEGER NOT NULL CONSTRAINT provider_keys_enabled CHECK (enabled IN (0, 1)),
    health INTEGER NOT NULL CONSTRAINT provider_keys_health CHECK (health BETWEEN 0 AND 3),
    health_reason TEXT NOT NULL,
    version INTEGER NOT NULL CONSTRAINT provider_keys_version CHECK (version > 0),
    base_url TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    api_version TEXT NOT NULL,
    deployments TEXT NOT NULL,
    skip_format_check INTEGER NOT NULL,
    weight INTEGER NOT NULL CONSTRAINT provider_keys_weight CHECK (weight > 0),
    origin INTEGER NOT NULL,
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL,
    expire_time INTEGER,
    last_used_time INTEGER,
    last_tested_time INTEGER,
    revision INTEGER NOT NULL,
    record BLOB NOT NULL,
    CONSTRAINT provider_keys_fingerprint_unique UNIQUE (owner_kind, owner_uid, provider, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE INDEX provider_keys_by_owner ON provider_keys (owner_kind, owner_uid, uid);

-- The vault's own secrets, sealed like any other under the platform's data key.
CREATE TABLE system_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    uid BLOB NOT NULL,
    version INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What watchers must learn of. AUTOINCREMENT: a number is never used twice, and none is left out.
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    resource_id TEXT NOT NULL,
    owner_kind INTEGER,
    owner_uid BLOB
) STRICT;

CREATE TABLE audit_events (
    uid BLOB NOT NULL PRIMARY KEY,
    time INTEGER NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    peer TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    user TEXT NOT NULL,
    user_uid BLOB,
    organization TEXT NOT NULL,
    organization_uid BLOB,
    resource_id TEXT NOT NULL,
    resource_version INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    inference_id TEXT NOT NULL,
    lease_id TEXT NOT NULL,
    trace_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_events_by_resource ON audit_events (resource_id, uid);
CREATE INDEX audit_events_by_user ON audit_events (user_uid, uid);
CREATE INDEX audit_events_by_organization ON audit_events (organization_uid, uid);
