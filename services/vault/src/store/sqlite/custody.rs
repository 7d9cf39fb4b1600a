//! Master keys by their ids, rewrapping, the seal, and replicas.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::row::{get, json, millis, millis_opt, time, time_opt, to_json, unsigned};
use super::{SqliteStore, execute, execute_one, query_all, query_one, seals};
use crate::domain::master_key::{KnownMasterKey, MasterKeyState};
use crate::store::{
    Custody, CustodyStore, DataKeyName, Effects, Replica, Rewrapping, StoreError, Stored,
    StoredDataKey,
};

const CUSTODY: &str = "
    SELECT sealed, change_time, (SELECT id FROM master_keys WHERE state = 2) AS active
    FROM vault_state";

const SEAL: &str = "
    UPDATE vault_state SET sealed = :sealed, change_time = :now WHERE sealed <> :sealed";

const LIST: &str = "
    SELECT *, (
        SELECT count(*) FROM data_keys WHERE master_key_id = id AND data_keys.destroy_time IS NULL
    ) AS data_keys
    FROM master_keys ORDER BY create_time DESC, id";

const INSERT: &str = "
    INSERT INTO master_keys (id, state, create_time, activate_time, retire_time, destroy_time)
    VALUES (:id, :state, :create_time, :activate_time, :retire_time, :destroy_time)";

const STEP_DOWN: &str = "UPDATE master_keys SET state = 1 WHERE state = 2 AND id <> :id";

/// One that wraps data keys is not retired.
const UPDATE: &str = "
    UPDATE master_keys SET state = :state, activate_time = :activate_time,
        retire_time = :retire_time, destroy_time = :destroy_time
    WHERE id = :id AND state = :before AND (:state < 3 OR NOT EXISTS (
        SELECT 1 FROM data_keys WHERE master_key_id = :id AND data_keys.destroy_time IS NULL))";

const NOT_UNDER: &str = "
    SELECT * FROM data_keys
    WHERE destroy_time IS NULL AND master_key_id <> :master_key_id
        AND (owner_kind, owner_uid, generation) > (:kind, :uid, :generation)
    ORDER BY owner_kind, owner_uid, generation LIMIT :limit";

const REWRAP: &str = "
    UPDATE data_keys SET wrapped = :wrapped, master_key_id = :master_key_id
    WHERE owner_kind = :kind AND owner_uid = :uid AND generation = :generation
        AND master_key_id = :before_id AND wrapped = :before AND destroy_time IS NULL";

const SEEN: &str = "
    INSERT INTO vault_replicas (name, master_keys, seen_time) VALUES (:name, :master_keys, :seen)
    ON CONFLICT (name) DO UPDATE SET master_keys = excluded.master_keys,
        seen_time = excluded.seen_time";

const FORGET: &str = "DELETE FROM vault_replicas WHERE seen_time < :before";

const FORGET_ONE: &str = "DELETE FROM vault_replicas WHERE name = :name";

const REPLICAS: &str = "SELECT * FROM vault_replicas ORDER BY name";

fn read_custody(row: &Row<'_>) -> Stored<Custody> {
    Ok(Custody {
        sealed: get(row, "sealed")?,
        sealed_changed: time_opt(row, "change_time")?,
        active: get(row, "active")?,
    })
}

fn read_key(row: &Row<'_>) -> Stored<(KnownMasterKey, u64)> {
    let state = MasterKeyState::from_number(get(row, "state")?);
    let key = KnownMasterKey {
        id: get(row, "id")?,
        state: state.ok_or(StoreError::Malformed("a master key's state"))?,
        create_time: time(row, "create_time")?,
        activate_time: time_opt(row, "activate_time")?,
        retire_time: time_opt(row, "retire_time")?,
        destroy_time: time_opt(row, "destroy_time")?,
    };
    Ok((key, unsigned(row, "data_keys")?))
}

fn insert(connection: &Connection, key: &KnownMasterKey) -> Stored<()> {
    let params = named_params! {
        ":id": key.id,
        ":state": key.state.number(),
        ":create_time": millis(key.create_time),
        ":activate_time": millis_opt(key.activate_time),
        ":retire_time": millis_opt(key.retire_time),
        ":destroy_time": millis_opt(key.destroy_time),
    };
    execute(connection, INSERT, params).map(drop)
}

fn step_down(connection: &Connection, key: &KnownMasterKey) -> Stored<()> {
    match key.state {
        MasterKeyState::Active => {
            execute(connection, STEP_DOWN, named_params! { ":id": key.id }).map(drop)
        }
        _ => Ok(()),
    }
}

fn update(connection: &Connection, key: &KnownMasterKey, before: MasterKeyState) -> Stored<()> {
    step_down(connection, key)?;
    let params = named_params! {
        ":id": key.id,
        ":state": key.state.number(),
        ":before": before.number(),
        ":activate_time": millis_opt(key.activate_time),
        ":retire_time": millis_opt(key.retire_time),
        ":destroy_time": millis_opt(key.destroy_time),
    };
    execute_one(connection, UPDATE, params)
}

fn rewrap(connection: &Connection, rewrapping: &Rewrapping) -> Stored<usize> {
    seals::refuse_retired(connection, &rewrapping.master_key_id)?;
    let before = &rewrapping.before;
    let params = named_params! {
        ":kind": before.owner.kind.number(),
        ":uid": before.owner.uid,
        ":generation": before.generation,
        ":before_id": before.master_key_id,
        ":before": before.wrapped,
        ":master_key_id": rewrapping.master_key_id,
        ":wrapped": rewrapping.wrapped,
    };
    execute(connection, REWRAP, params)
}

fn read_replica(row: &Row<'_>) -> Stored<Replica> {
    Ok(Replica {
        name: get(row, "name")?,
        master_keys: json(row, "master_keys")?,
        seen: time(row, "seen_time")?,
    })
}

#[async_trait]
impl CustodyStore for SqliteStore {
    async fn custody(&self) -> Stored<Custody> {
        let read = |connection: &Connection| query_one(connection, CUSTODY, [], read_custody);
        let custody = self.read(read).await?;
        custody.ok_or(StoreError::Malformed("the vault's state"))
    }

    async fn custody_seal(&self, sealed: bool, now: Timestamp, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |connection| {
            let params = named_params! { ":sealed": sealed, ":now": millis(now) };
            execute_one(connection, SEAL, params)
        })
        .await
    }

    async fn master_keys_list(&self) -> Stored<Vec<(KnownMasterKey, u64)>> {
        self.read(|connection| query_all(connection, LIST, [], read_key))
            .await
    }

    async fn master_key_insert(&self, key: KnownMasterKey, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |connection| {
            step_down(connection, &key)?;
            insert(connection, &key)
        })
        .await
    }

    async fn master_key_update(
        &self,
        key: KnownMasterKey,
        before: MasterKeyState,
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |connection| update(connection, &key, before))
            .await
    }

    async fn data_keys_not_under(
        &self,
        master_key_id: &str,
        after: Option<DataKeyName>,
        limit: u32,
    ) -> Stored<Vec<StoredDataKey>> {
        let id = master_key_id.to_owned();
        self.read(move |connection| {
            let (kind, uid, generation) = match after {
                Some((owner, generation)) => (owner.kind.number(), owner.uid, generation),
                None => (0, uuid::Uuid::nil(), 0),
            };
            let params = named_params! {
                ":master_key_id": id,
                ":kind": kind,
                ":uid": uid,
                ":generation": generation,
                ":limit": limit,
            };
            query_all(connection, NOT_UNDER, params, seals::read)
        })
        .await
    }

    async fn data_keys_rewrap(
        &self,
        rewrappings: Vec<Rewrapping>,
        effects: Effects,
    ) -> Stored<u64> {
        let write = move |connection: &Connection| {
            let mut count = 0;
            for rewrapping in &rewrappings {
                count += rewrap(connection, rewrapping)?;
            }
            super::write_effects(connection, &effects)?;
            Ok(u64::try_from(count).unwrap_or(u64::MAX))
        };
        self.database.write(write).await
    }

    async fn replica_seen(&self, replica: Replica, forget_before: Timestamp) -> Stored<()> {
        self.mutate(Effects::default(), move |connection| {
            let before = named_params! { ":before": millis(forget_before) };
            execute(connection, FORGET, before)?;
            let params = named_params! {
                ":name": replica.name,
                ":master_keys": to_json(&replica.master_keys)?,
                ":seen": millis(replica.seen),
            };
            execute(connection, SEEN, params).map(drop)
        })
        .await
        .map(drop)
    }

    async fn replica_forget(&self, name: &str) -> Stored<()> {
        let name = name.to_owned();
        let forget = move |connection: &Connection| {
            execute(connection, FORGET_ONE, named_params! { ":name": name }).map(drop)
        };
        self.mutate(Effects::default(), forget).await.map(drop)
    }

    async fn replicas(&self) -> Stored<Vec<Replica>> {
        self.read(|connection| query_all(connection, REPLICAS, [], read_replica))
            .await
    }
}
