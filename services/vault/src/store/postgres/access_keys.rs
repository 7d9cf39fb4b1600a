//! Access keys: hashes only.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_auth::AccessKeyLimits;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, json, millis, millis_opt, signed, time, time_opt, to_json, unsigned};
use super::{PostgresStore, Values, execute, execute_one, query_all, query_one};
use crate::domain::identity::{AccessKey, Named};
use crate::domain::owner::{Owner, OwnerKind};
use crate::store::columns::{scopes, scopes_text};
use crate::store::{AccessKeyStore, Effects, Page, Stored};

const INSERT: &str = "
    INSERT INTO access_keys (uid, id, hash, user_uid, organization_uid, project_uid, label, scopes,
        allowed_models, requests_per_minute, tokens_per_minute, concurrency, masked, create_time,
        expire_time, cache)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

const BY_HASH: &str = r#"
    SELECT access_keys.*, u.id AS "user", o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE hash = $1"#;

const GET: &str = r#"
    SELECT access_keys.*, u.id AS "user", o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE access_keys.id = $1"#;

const LIST_OF_USER: &str = r#"
    SELECT access_keys.*, u.id AS "user", o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE user_uid = $1 AND access_keys.uid < $2
    ORDER BY access_keys.uid DESC LIMIT $3"#;

const LIST_OF_ORGANIZATION: &str = r#"
    SELECT access_keys.*, u.id AS "user", o.id AS organization, p.id AS project
    FROM access_keys LEFT JOIN accounts u ON u.uid = user_uid
        LEFT JOIN accounts o ON o.uid = organization_uid
        LEFT JOIN projects p ON p.uid = project_uid
    WHERE organization_uid = $1 AND access_keys.uid < $2
    ORDER BY access_keys.uid DESC LIMIT $3"#;

const ADMINISTRATORS: &str = "
    SELECT DISTINCT user_uid FROM access_keys
    WHERE user_uid IS NOT NULL AND revoke_time IS NULL
        AND (expire_time IS NULL OR expire_time > $1)
        AND strpos(' ' || scopes || ' ', ' admin ') > 0
    ORDER BY user_uid LIMIT $2";

const REVOKE: &str = "
    UPDATE access_keys SET revoke_time = $2 WHERE id = $1 AND revoke_time IS NULL";

const DELETE_ALL: &str = "
    DELETE FROM access_keys
    WHERE user_uid = $1 OR organization_uid = $1 OR project_uid = $1";

fn read(row: &Row) -> Stored<AccessKey> {
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

fn named(row: &Row, uid: &str, id: &str) -> Stored<Option<Named>> {
    let uid: Option<Uuid> = get(row, uid)?;
    let id: Option<String> = get(row, id)?;
    Ok(uid.zip(id).map(|(uid, id)| Named { uid, id }))
}

async fn insert(session: &Session, key: &AccessKey, hash: [u8; 32]) -> Stored<()> {
    let uid = |named: &Option<Named>| named.as_ref().map(|named| named.uid);
    let values: Values<'_> = &[
        &key.uid,
        &key.id,
        &hash.as_slice(),
        &uid(&key.user),
        &uid(&key.organization),
        &uid(&key.project),
        &key.label,
        &scopes_text(key.scopes),
        &to_json(&key.allowed_models)?,
        &signed(key.limits.requests_per_minute),
        &signed(key.limits.tokens_per_minute),
        &signed(key.limits.concurrency),
        &key.masked,
        &millis(key.create_time),
        &millis_opt(key.expire_time),
        &key.cache,
    ];
    execute_one(session, INSERT, values).await
}

/// Deletes every access key that acts as, in or within this owner.
pub(super) async fn delete_all(session: &Session, owner: Owner) -> Stored<()> {
    execute(session, DELETE_ALL, &[&owner.uid]).await.map(drop)
}

#[async_trait]
impl AccessKeyStore for PostgresStore {
    async fn access_key_insert(
        &self,
        key: AccessKey,
        hash: [u8; 32],
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { insert(session, &key, hash).await })
        })
        .await
    }

    async fn access_key_by_hash(&self, hash: [u8; 32]) -> Stored<Option<AccessKey>> {
        let session = self.session().await?;
        query_one(&session, BY_HASH, &[&hash.as_slice()], read).await
    }

    async fn access_key_get(&self, id: &str) -> Stored<Option<AccessKey>> {
        let session = self.session().await?;
        query_one(&session, GET, &[&id], read).await
    }

    async fn access_key_list(&self, owner: Owner, page: Page) -> Stored<Vec<AccessKey>> {
        let sql = match owner.kind {
            OwnerKind::Organization => LIST_OF_ORGANIZATION,
            _ => LIST_OF_USER,
        };
        let session = self.session().await?;
        let values: Values<'_> = &[&owner.uid, &page.below(), &page.limit()];
        query_all(&session, sql, values, read).await
    }

    async fn administrators(&self, now: Timestamp, limit: u32) -> Stored<Vec<Uuid>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&millis(now), &i64::from(limit)];
        query_all(&session, ADMINISTRATORS, values, |row| get(row, "user_uid")).await
    }

    async fn access_key_revoke(&self, id: &str, now: Timestamp, effects: Effects) -> Stored<u64> {
        let id = id.to_owned();
        self.mutate(effects, move |session| {
            Box::pin(async move { execute_one(session, REVOKE, &[&id, &millis(now)]).await })
        })
        .await
    }
}
