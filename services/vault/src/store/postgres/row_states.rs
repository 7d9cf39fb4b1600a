//! States of rows in a store from before there were any.

use async_trait::async_trait;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::generations::floor_first;
use super::provider_keys::read_sealed;
use super::row::{owner, signed, small};
use super::{PostgresStore, Values, execute, query_all, query_one};
use crate::domain::row_state::Floor;
use crate::store::{Effects, RowStateStore, RowStates, SealedKey, StoreError, Stored};

const EXIST: &str = "
    SELECT 1 WHERE EXISTS (SELECT 1 FROM data_key_floors)
        OR EXISTS (SELECT 1 FROM provider_keys WHERE state_mac IS NOT NULL)";

const ALL: &str = "
    SELECT *, '' AS owner_id FROM provider_keys WHERE uid > $1 ORDER BY uid LIMIT $2";

const FLOORS: &str = "
    SELECT owner_kind, owner_uid, max(generation) AS newest, min(generation) AS minimum
    FROM data_keys WHERE destroy_time IS NULL GROUP BY owner_kind, owner_uid";

const SECRET_INSERT: &str = "
    INSERT INTO system_secrets (name, uid, version, record) VALUES ($1, $2, $3, $4)
    ON CONFLICT (name) DO NOTHING";

/// All at once: there may be hundreds of thousands.
const STATES_SET: &str = "
    UPDATE provider_keys SET state_mac = given.mac
    FROM unnest($1::uuid[], $2::bytea[]) AS given (uid, mac)
    WHERE provider_keys.uid = given.uid AND state_mac IS NULL";

fn read_floor(row: &Row) -> Stored<Floor> {
    Ok(Floor {
        owner: owner(row, "owner_kind", "owner_uid")?,
        newest: small(row, "newest")?,
        minimum: small(row, "minimum")?,
    })
}

async fn begin(session: &Session, states: &RowStates) -> Stored<()> {
    let secret = &states.secret;
    let version = signed(secret.version);
    let values: Values<'_> = &[&secret.name, &secret.uid, &version, &secret.record];
    if execute(session, SECRET_INSERT, values).await? != 1 {
        return Err(StoreError::Exists);
    }
    for floor in &states.floors {
        floor_first(session, floor).await?;
    }
    let uids: Vec<Uuid> = states.keys.iter().map(|(uid, _)| *uid).collect();
    let macs: Vec<&[u8]> = states.keys.iter().map(|(_, mac)| mac.as_slice()).collect();
    let set = execute(session, STATES_SET, &[&uids, &macs]).await?;
    match usize::try_from(set) {
        Ok(set) if set == uids.len() => Ok(()),
        _ => Err(StoreError::Changed),
    }
}

#[async_trait]
impl RowStateStore for PostgresStore {
    async fn row_states_exist(&self) -> Stored<bool> {
        let session = self.session().await?;
        let found = query_one(&session, EXIST, &[], |_| Ok(())).await?;
        Ok(found.is_some())
    }

    async fn row_states_missing(&self, after: Option<Uuid>, limit: u32) -> Stored<Vec<SealedKey>> {
        let session = self.session().await?;
        let after = after.unwrap_or_default();
        query_all(&session, ALL, &[&after, &i64::from(limit)], read_sealed).await
    }

    async fn row_floors_missing(&self) -> Stored<Vec<Floor>> {
        let session = self.session().await?;
        query_all(&session, FLOORS, &[], read_floor).await
    }

    async fn row_states_begin(&self, states: RowStates, effects: Effects) -> Stored<()> {
        let begun = self.mutate(effects, move |session| {
            Box::pin(async move { begin(session, &states).await })
        });
        begun.await.map(drop)
    }
}
