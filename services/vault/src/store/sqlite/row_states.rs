//! States of rows in a store from before there were any.

use async_trait::async_trait;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::generations::floor_first;
use super::provider_keys::read_sealed;
use super::row::{get, owner, signed};
use super::{SqliteStore, execute_one, query_all, query_one};
use crate::domain::row_state::{Floor, StateMac};
use crate::store::{Effects, RowStateStore, RowStates, SealedKey, StoreError, Stored};

const EXIST: &str = "
    SELECT 1 WHERE EXISTS (SELECT 1 FROM data_key_floors)
        OR EXISTS (SELECT 1 FROM provider_keys WHERE state_mac IS NOT NULL)";

const ALL: &str = "
    SELECT *, '' AS owner_id FROM provider_keys WHERE uid > :after ORDER BY uid LIMIT :limit";

const FLOORS: &str = "
    SELECT owner_kind, owner_uid, max(generation) AS newest, min(generation) AS minimum
    FROM data_keys WHERE destroy_time IS NULL GROUP BY owner_kind, owner_uid";

const SECRET_INSERT: &str = "
    INSERT INTO system_secrets (name, uid, version, record) VALUES (:name, :uid, :version, :record)
    ON CONFLICT (name) DO NOTHING";

const STATE_SET: &str = "
    UPDATE provider_keys SET state_mac = :mac WHERE uid = :uid AND state_mac IS NULL";

fn read_floor(row: &Row<'_>) -> Stored<Floor> {
    Ok(Floor {
        owner: owner(row, "owner_kind", "owner_uid")?,
        newest: get(row, "newest")?,
        minimum: get(row, "minimum")?,
    })
}

fn set(connection: &Connection, (uid, mac): &(Uuid, StateMac)) -> Stored<()> {
    let params = named_params! { ":uid": uid, ":mac": mac };
    execute_one(connection, STATE_SET, params)
}

fn begin(connection: &Connection, states: &RowStates) -> Stored<()> {
    let secret = &states.secret;
    let params = named_params! {
        ":name": secret.name,
        ":uid": secret.uid,
        ":version": signed(secret.version),
        ":record": secret.record,
    };
    execute_one(connection, SECRET_INSERT, params).map_err(|error| match error {
        StoreError::Changed => StoreError::Exists,
        error => error,
    })?;
    for floor in &states.floors {
        floor_first(connection, floor)?;
    }
    states.keys.iter().try_for_each(|key| set(connection, key))
}

#[async_trait]
impl RowStateStore for SqliteStore {
    async fn row_states_exist(&self) -> Stored<bool> {
        self.read(|connection| {
            query_one(connection, EXIST, [], |_| Ok(())).map(|found| found.is_some())
        })
        .await
    }

    async fn row_states_missing(&self, after: Option<Uuid>, limit: u32) -> Stored<Vec<SealedKey>> {
        self.read(move |connection| {
            let params = named_params! { ":after": after.unwrap_or_default(), ":limit": limit };
            query_all(connection, ALL, params, read_sealed)
        })
        .await
    }

    async fn row_floors_missing(&self) -> Stored<Vec<Floor>> {
        self.read(|connection| query_all(connection, FLOORS, [], read_floor))
            .await
    }

    async fn row_states_begin(&self, states: RowStates, effects: Effects) -> Stored<()> {
        self.mutate(effects, move |connection| begin(connection, &states))
            .await
            .map(drop)
    }
}
