//! Access keys: hashes only.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_auth::AccessKeyLimits;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, json, millis, millis_opt, signed, time, time_opt, to_json, unsigned};
use super::{SqliteStore, execute, execute_one, query_all, query_one};
use crate::domain::identity::{AccessKey, Named};
use crate::domain::owner::{Owner, OwnerKind};
use crate::store::columns::{scopes, scopes_text};
use crate::store::{AccessKeyStore, Effects, Page, Stored};

const INSERT: &str = "
    INSERT INTO access_keys (uid, id, hash, user_uid, organization_uid, project_uid, label, scopes,
        allowed_models, requests_per_minute, tokens_per_minute, concurrency, masked, create_time,
        expire_time, cache)
    VALUES (:uid, :id, :hash, :user_uid, :organization_uid, :project_uid, :label, :scopes,
        :allowed_models, :requests_per_minute, :tokens_per_minute, :concurrency, :masked,
        :create_time, :expire_time, :cache)";

const BY_HASH: &str = "
    SELECT access_keys.*, u.id AS user, o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE hash = :hash";

const GET: &str = "
    SELECT access_keys.*, u.id AS user, o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE access_keys.id = :id";

const LIST_OF_USER: &str = "
    SELECT access_keys.*, u.id AS user, o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE user_uid = :uid AND access_keys.uid < :below
    ORDER BY access_keys.uid DESC LIMIT :limit";

const LIST_OF_ORGANIZATION: &str = "
    SELECT access_keys.*, u.id AS user, o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE organization_uid = :uid AND access_keys.uid < :below
    ORDER BY access_keys.uid DESC LIMIT :limit";

const ADMINISTRATORS: &str = "
    SELECT DISTINCT user_uid FROM access_keys
    WHERE user_uid IS NOT NULL AND revoke_time IS NULL
        AND (expire_time IS NULL OR expire_time > :now)
        AND instr(' ' || scopes || ' ', ' admin ') > 0
    ORDER BY user_uid LIMIT :limit";

const REVOKE: &str = "
    UPDATE access_keys SET revoke_time = :now WHERE id = :id AND revoke_time IS NULL";

const DELETE_ALL: &str = "
    DELETE FROM access_keys
    WHERE user_uid = :uid OR organization_uid = :uid OR project_uid = :uid";

fn read(row: &Row<'_>) -> Stored<AccessKey> {
    Ok(AccessKey {
        uid: get(row, "uid")?,
        id: get(row, "id")?,
        user: named(row, "user_uid", "user")?,
        organization: named(row, "organization_uid", "organization")?,
        project: named(row, "project_uid", "project")?,
        label: get(row, "label")?,
        scopes: scopes(&get::<String>(row, "scopes")?)?,
        expire_time: time_opt(row, "expire_time")?,
        allowed_models: json(row, "allowed_models")?,
        limits: AccessKeyLimits {
            requests_per_minute: unsigned(row, "requests_per_minute")?,
            tokens_per_minute: unsigned(row, "tokens_per_minute")?,
            concurrency: unsigned(row, "concurrency")?,
        },
        cache: get(row, "cache")?,
        masked: get(row, "masked")?,
        create_time: time(row, "create_time")?,
        revoke_time: time_opt(row, "revoke_time")?,
    })
}

fn named(row: &Row<'_>, uid: &str, id: &str) -> Stored<Option<Named>> {
    let uid: Option<Uuid> = get(row, uid)?;
    let id: Option<String> = get(row, id)?;
    Ok(uid.zip(id).map(|(uid, id)| Named { uid, id }))
}

fn insert(connection: &Connection, key: &AccessKey, hash: [u8; 32]) -> Stored<()> {
    let uid = |named: &Option<Named>| named.as_ref().map(|named| named.uid);
    execute_one(
        connection,
        INSERT,
        named_params! {
            ":uid": key.uid,
            ":id": key.id,
            ":hash": hash,
            ":user_uid": uid(&key.user),
            ":organization_uid": uid(&key.organization),
            ":project_uid": uid(&key.project),
            ":label": key.label,
            ":scopes": scopes_text(key.scopes),
            ":allowed_models": to_json(&key.allowed_models)?,
            ":requests_per_minute": signed(key.limits.requests_per_minute),
            ":tokens_per_minute": signed(key.limits.tokens_per_minute),
            ":concurrency": signed(key.limits.concurrency),
            ":masked": key.masked,
            ":create_time": millis(key.create_time),
            ":expire_time": millis_opt(key.expire_time),
            ":cache": key.cache,
        },
    )
}

/// Deletes every access key that acts as, in or within this owner.
pub(super) fn delete_all(connection: &Connection, owner: Owner) -> Stored<()> {
    execute(connection, DELETE_ALL, named_params! { ":uid": owner.uid }).map(drop)
}

#[async_trait]
impl AccessKeyStore for SqliteStore {
    async fn access_key_insert(
        &self,
        key: AccessKey,
        hash: [u8; 32],
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |connection| insert(connection, &key, hash))
            .await
    }

    async fn access_key_by_hash(&self, hash: [u8; 32]) -> Stored<Option<AccessKey>> {
        self.read(move |connection| {
            query_one(connection, BY_HASH, named_params! { ":hash": hash }, read)
        })
        .await
    }

    async fn access_key_get(&self, id: &str) -> Stored<Option<AccessKey>> {
        let id = id.to_owned();
        self.read(move |connection| query_one(connection, GET, named_params! { ":id": id }, read))
            .await
    }

    async fn access_key_list(&self, owner: Owner, page: Page) -> Stored<Vec<AccessKey>> {
        let sql = match owner.kind {
            OwnerKind::Organization => LIST_OF_ORGANIZATION,
            _ => LIST_OF_USER,
        };
        self.read(move |connection| {
            let params = named_params! {
                ":uid": owner.uid, ":below": page.below(), ":limit": page.limit(),
            };
            query_all(connection, sql, params, read)
        })
        .await
    }

    async fn administrators(&self, now: Timestamp, limit: u32) -> Stored<Vec<Uuid>> {
        self.read(move |connection| {
            let params = named_params! { ":now": millis(now), ":limit": limit };
            query_all(connection, ADMINISTRATORS, params, |row| {
                get(row, "user_uid")
            })
        })
        .await
    }

    async fn access_key_revoke(&self, id: &str, now: Timestamp, effects: Effects) -> Stored<u64> {
        let id = id.to_owned();
        let revoke = move |connection: &Connection| {
            execute_one(
                connection,
                REVOKE,
                named_params! { ":id": id, ":now": millis(now) },
            )
        };
        self.mutate(effects, revoke).await
    }
}
