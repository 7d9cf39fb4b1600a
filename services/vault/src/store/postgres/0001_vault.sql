-- The vault's schema; the same tables and columns as in SQLite. Times are milliseconds since 1970;
-- uids are UUIDv7, never reused, and sort by time. Owner kinds: 1 user, 2 organisation, 3 project,
-- 4 the platform (uid all zero).

CREATE TABLE accounts (
    uid UUID NOT NULL PRIMARY KEY,
    kind BIGINT NOT NULL CONSTRAINT accounts_kind CHECK (kind IN (1, 2)),
    id TEXT NOT NULL,
    tier TEXT NOT NULL,
    display_name TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT accounts_id_unique UNIQUE (kind, id)
);

CREATE INDEX accounts_by_kind ON accounts (kind, uid);

CREATE TABLE projects (
    uid UUID NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    holder_uid UUID NOT NULL CONSTRAINT projects_holder REFERENCES accounts (uid),
    display_name TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT projects_id_unique UNIQUE (holder_uid, id)
);

CREATE TABLE members (
    uid UUID NOT NULL PRIMARY KEY,
    organization_uid UUID NOT NULL CONSTRAINT members_organization REFERENCES accounts (uid),
    user_uid UUID NOT NULL CONSTRAINT members_user REFERENCES accounts (uid),
    role BIGINT NOT NULL CONSTRAINT members_role CHECK (role BETWEEN 1 AND 4),
    create_time BIGINT NOT NULL,
    CONSTRAINT members_unique UNIQUE (organization_uid, user_uid)
);

CREATE INDEX members_by_user ON members (user_uid);

-- Only the SHA-256 of an access key is here; it is how one is found.
CREATE TABLE access_keys (
    uid UUID NOT NULL PRIMARY KEY,
    id TEXT NOT NULL CONSTRAINT access_keys_id_unique UNIQUE,
    hash BYTEA NOT NULL CONSTRAINT access_keys_hash_unique UNIQUE,
    user_uid UUID CONSTRAINT access_keys_user REFERENCES accounts (uid),
    organization_uid UUID CONSTRAINT access_keys_organization REFERENCES accounts (uid),
    project_uid UUID CONSTRAINT access_keys_project REFERENCES projects (uid),
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    allowed_models TEXT NOT NULL,
    requests_per_minute BIGINT NOT NULL,
    tokens_per_minute BIGINT NOT NULL,
    concurrency BIGINT NOT NULL,
    masked TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    revoke_time BIGINT,
    CONSTRAINT access_keys_owned CHECK (user_uid IS NOT NULL OR organization_uid IS NOT NULL)
);

CREATE INDEX access_keys_by_user ON access_keys (user_uid, uid);
CREATE INDEX access_keys_by_organization ON access_keys (organization_uid, uid);
CREATE INDEX access_keys_by_project ON access_keys (project_uid);

-- One data key per owner and generation, wrapped by a master key. A destroyed one stays, empty.
CREATE TABLE data_keys (
    owner_kind BIGINT NOT NULL CONSTRAINT data_keys_owner_kind CHECK (owner_kind BETWEEN 1 AND 4),
    owner_uid UUID NOT NULL,
    generation BIGINT NOT NULL CONSTRAINT data_keys_generation CHECK (generation > 0),
    master_key_id TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    destroy_time BIGINT,
    CONSTRAINT data_keys_pk PRIMARY KEY (owner_kind, owner_uid, generation)
);

CREATE INDEX data_keys_by_master_key ON data_keys (master_key_id);

CREATE TABLE provider_keys (
    uid UUID NOT NULL PRIMARY KEY,
    owner_kind BIGINT NOT NULL CONSTRAINT provider_keys_owner_kind CHECK (owner_kind BETWEEN 1 AND 4),
    owner_uid UUID NOT NULL,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    masked TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    enabled BOOLEAN NOT NULL,
    health BIGINT NOT NULL CONSTRAINT provider_keys_health CHECK (health BETWEEN 0 AND 3),
    health_reason TEXT NOT NULL,
    version BIGINT NOT NULL CONSTRAINT provider_keys_version CHECK (version > 0),
    base_url TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    api_version TEXT NOT NULL,
    deployments TEXT NOT NULL,
    skip_format_check BOOLEAN NOT NULL,
    weight BIGINT NOT NULL CONSTRAINT provider_keys_weight CHECK (weight > 0),
    origin BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    expire_time BIGINT,
    last_used_time BIGINT,
    last_tested_time BIGINT,
    revision BIGINT NOT NULL,
    record BYTEA NOT NULL,
    CONSTRAINT provider_keys_fingerprint_unique UNIQUE (owner_kind, owner_uid, provider, fingerprint)
);

CREATE INDEX provider_keys_by_owner ON provider_keys (owner_kind, owner_uid, uid);

-- The vault's own secrets, sealed like any other under the platform's data key.
CREATE TABLE system_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    uid UUID NOT NULL,
    version BIGINT NOT NULL,
    record BYTEA NOT NULL
);

-- The number of the last change. Whoever makes one holds this row until its transaction ends: numbers
-- are given in the order of commits, and one that is rolled back leaves no gap.
CREATE TABLE change_head (
    sequence BIGINT NOT NULL,
    only_one BOOLEAN NOT NULL DEFAULT true CONSTRAINT change_head_pk PRIMARY KEY
        CONSTRAINT change_head_only_one CHECK (only_one)
);

INSERT INTO change_head (sequence) VALUES (0);

-- What watchers must learn of.
CREATE TABLE changes (
    sequence BIGINT NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    resource_id TEXT NOT NULL,
    owner_kind BIGINT,
    owner_uid UUID
);

CREATE TABLE audit_events (
    uid UUID NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    peer TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    user_uid UUID,
    organization TEXT NOT NULL,
    organization_uid UUID,
    resource_id TEXT NOT NULL,
    resource_version BIGINT NOT NULL,
    purpose TEXT NOT NULL,
    inference_id TEXT NOT NULL,
    lease_id TEXT NOT NULL,
    trace_id TEXT NOT NULL
);

CREATE INDEX audit_events_by_resource ON audit_events (resource_id, uid);
CREATE INDEX audit_events_by_user ON audit_events (user_uid, uid);
CREATE INDEX audit_events_by_organization ON audit_events (organization_uid, uid);
