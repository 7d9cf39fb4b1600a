//! Data keys, and the vault's own secrets.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, millis, owner, unsigned};
use super::{SqliteStore, execute, query_one};
use crate::domain::owner::Owner;
use crate::store::{Effects, SealStore, StoreError, Stored, StoredDataKey};

const PUT: &str = "
    INSERT INTO data_keys (owner_kind, owner_uid, generation, master_key_id, wrapped, create_time)
    VALUES (:owner_kind, :owner_uid, :generation, :master_key_id, :wrapped, :create_time)
    ON CONFLICT (owner_kind, owner_uid, generation) DO NOTHING";

const RETIRED: &str = "SELECT 1 FROM master_keys WHERE id = :id AND state > 2";

const GET: &str = "
    SELECT * FROM data_keys
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND destroy_time IS NULL
        AND (:generation IS NULL OR generation = :generation)
    ORDER BY generation DESC LIMIT 1";

/// The row stays as a witness; what it held is overwritten.
const DESTROY: &str = "
    UPDATE data_keys SET wrapped = zeroblob(0), destroy_time = :now
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND destroy_time IS NULL";

const SECRET_GET: &str = "SELECT uid, version, record FROM system_secrets WHERE name = :name";

const SECRET_PUT: &str = "
    INSERT INTO system_secrets (name, uid, version, record) VALUES (:name, :uid, 1, :record)
    ON CONFLICT (name) DO NOTHING";

const FLOOR_DELETE: &str = "
    DELETE FROM data_key_floors WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid";

/// Destroys all data keys of an owner: nothing sealed for it opens any more.
pub(super) fn destroy(connection: &Connection, owner: Owner, now: Timestamp) -> Stored<()> {
    let params = named_params! {
        ":owner_kind": owner.kind.number(),
        ":owner_uid": owner.uid,
        ":now": millis(now),
    };
    execute(connection, DESTROY, params)?;
    let params = named_params! {
        ":owner_kind": owner.kind.number(), ":owner_uid": owner.uid,
    };
    execute(connection, FLOOR_DELETE, params).map(drop)
}

/// Refuses to put anything under a master key that was retired meanwhile: it might be destroyed next.
pub(super) fn refuse_retired(connection: &Connection, master_key_id: &str) -> Stored<()> {
    let params = named_params! { ":id": master_key_id };
    match query_one(connection, RETIRED, params, |_| Ok(()))? {
        Some(()) => Err(StoreError::MasterKeyRetired),
        None => Ok(()),
    }
}

fn find(
    connection: &Connection,
    owner: Owner,
    generation: Option<u32>,
) -> Stored<Option<StoredDataKey>> {
    let params = named_params! {
        ":owner_kind": owner.kind.number(),
        ":owner_uid": owner.uid,
        ":generation": generation,
    };
    query_one(connection, GET, params, read)
}

pub(super) fn read(row: &Row<'_>) -> Stored<StoredDataKey> {
    Ok(StoredDataKey {
        owner: owner(row, "owner_kind", "owner_uid")?,
        generation: get(row, "generation")?,
        master_key_id: get(row, "master_key_id")?,
        wrapped: get(row, "wrapped")?,
    })
}

#[async_trait]
impl SealStore for SqliteStore {
    async fn data_key_put(&self, key: StoredDataKey, now: Timestamp) -> Stored<StoredDataKey> {
        let (owner, generation) = (key.owner, key.generation);
        let put = move |connection: &Connection| {
            refuse_retired(connection, &key.master_key_id)?;
            let params = named_params! {
                ":owner_kind": key.owner.kind.number(),
                ":owner_uid": key.owner.uid,
                ":generation": key.generation,
                ":master_key_id": key.master_key_id,
                ":wrapped": key.wrapped,
                ":create_time": millis(now),
            };
            execute(connection, PUT, params).map(drop)
        };
        self.mutate(Effects::default(), put).await?;
        let stored = self.data_key_get(owner, Some(generation)).await?;
        stored.ok_or(StoreError::OwnerGone)
    }

    async fn data_key_get(
        &self,
        owner: Owner,
        generation: Option<u32>,
    ) -> Stored<Option<StoredDataKey>> {
        self.read(move |connection| find(connection, owner, generation))
            .await
    }

    async fn system_secret_get(&self, name: &str) -> Stored<Option<(Uuid, u64, Vec<u8>)>> {
        let name = name.to_owned();
        self.read(move |connection| {
            query_one(
                connection,
                SECRET_GET,
                named_params! { ":name": name },
                |row| {
                    Ok((
                        get(row, "uid")?,
                        unsigned(row, "version")?,
                        get(row, "record")?,
                    ))
                },
            )
        })
        .await
    }

    async fn system_secret_put(&self, name: &str, uid: Uuid, record: Vec<u8>) -> Stored<()> {
        let name = name.to_owned();
        let put = move |connection: &Connection| {
            let params = named_params! { ":name": name, ":uid": uid, ":record": record };
            execute(connection, SECRET_PUT, params).map(drop)
        };
        self.mutate(Effects::default(), put).await.map(drop)
    }
}
