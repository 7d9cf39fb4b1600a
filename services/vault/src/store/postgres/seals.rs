//! Data keys, and the vault's own secrets.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, millis, owner, small, unsigned};
use super::{PostgresStore, Values, execute, query_one};
use crate::domain::owner::Owner;
use crate::store::{Effects, SealStore, StoreError, Stored, StoredDataKey};

const PUT: &str = "
    INSERT INTO data_keys (owner_kind, owner_uid, generation, master_key_id, wrapped, create_time)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (owner_kind, owner_uid, generation) DO NOTHING";

/// Whoever retires it waits for this transaction to be committed.
const HOLD: &str = "SELECT state > 2 AS retired FROM master_keys WHERE id = $1 FOR SHARE";

const GET: &str = "
    SELECT * FROM data_keys
    WHERE owner_kind = $1 AND owner_uid = $2 AND destroy_time IS NULL
        AND ($3::bigint IS NULL OR generation = $3)
    ORDER BY generation DESC LIMIT 1";

/// The row stays as a witness. What it held lies in the old row's place until Postgres cleans up
/// there, and in its log as long as that is kept.
const DESTROY: &str = "
    UPDATE data_keys SET wrapped = '', destroy_time = $3
    WHERE owner_kind = $1 AND owner_uid = $2 AND destroy_time IS NULL";

const SECRET_GET: &str = "SELECT uid, version, record FROM system_secrets WHERE name = $1";

const SECRET_PUT: &str = "
    INSERT INTO system_secrets (name, uid, version, record) VALUES ($1, $2, 1, $3)
    ON CONFLICT (name) DO NOTHING";

const FLOOR_DELETE: &str = "DELETE FROM data_key_floors WHERE owner_kind = $1 AND owner_uid = $2";

/// Destroys all data keys of an owner: nothing sealed for it opens any more.
pub(super) async fn destroy(session: &Session, owner: Owner, now: Timestamp) -> Stored<()> {
    let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid, &millis(now)];
    execute(session, DESTROY, values).await?;
    execute(session, FLOOR_DELETE, &values[..2]).await.map(drop)
}

pub(super) fn read(row: &Row) -> Stored<StoredDataKey> {
    Ok(StoredDataKey {
        owner: owner(row, "owner_kind", "owner_uid")?,
        generation: small(row, "generation")?,
        master_key_id: get(row, "master_key_id")?,
        wrapped: get(row, "wrapped")?,
    })
}

/// Refuses to put anything under a master key that was retired meanwhile: it might be destroyed next.
pub(super) async fn refuse_retired(session: &Session, master_key_id: &str) -> Stored<()> {
    match query_one(session, HOLD, &[&master_key_id], |row| get(row, "retired")).await? {
        Some(true) => Err(StoreError::MasterKeyRetired),
        _ => Ok(()),
    }
}

async fn put(session: &Session, key: &StoredDataKey, now: Timestamp) -> Stored<()> {
    refuse_retired(session, &key.master_key_id).await?;
    let values: Values<'_> = &[
        &i64::from(key.owner.kind.number()),
        &key.owner.uid,
        &i64::from(key.generation),
        &key.master_key_id,
        &key.wrapped,
        &millis(now),
    ];
    execute(session, PUT, values).await.map(drop)
}

#[async_trait]
impl SealStore for PostgresStore {
    async fn data_key_put(&self, key: StoredDataKey, now: Timestamp) -> Stored<StoredDataKey> {
        let (owner, generation) = (key.owner, key.generation);
        self.mutate(Effects::default(), move |session| {
            Box::pin(async move { put(session, &key, now).await })
        })
        .await?;
        let stored = self.data_key_get(owner, Some(generation)).await?;
        stored.ok_or(StoreError::OwnerGone)
    }

    async fn data_key_get(
        &self,
        owner: Owner,
        generation: Option<u32>,
    ) -> Stored<Option<StoredDataKey>> {
        let session = self.session().await?;
        let generation = generation.map(i64::from);
        let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid, &generation];
        query_one(&session, GET, values, read).await
    }

    async fn system_secret_get(&self, name: &str) -> Stored<Option<(Uuid, u64, Vec<u8>)>> {
        let session = self.session().await?;
        query_one(&session, SECRET_GET, &[&name], |row| {
            Ok((
                get(row, "uid")?,
                unsigned(row, "version")?,
                get(row, "record")?,
            ))
        })
        .await
    }

    async fn system_secret_put(&self, name: &str, uid: Uuid, record: Vec<u8>) -> Stored<()> {
        let session = self.session().await?;
        let put = execute(&session, SECRET_PUT, &[&name, &uid, &record]).await;
        put.map(drop)
    }
}
