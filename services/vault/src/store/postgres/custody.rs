//! Master keys by their ids, rewrapping, the seal, and replicas.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, json, millis, millis_opt, time, time_opt, to_json, unsigned};
use super::{PostgresStore, Values, execute, execute_one, query_all, query_one, seals};
use crate::domain::master_key::{KnownMasterKey, MasterKeyState};
use crate::store::{
    Custody, CustodyStore, DataKeyName, Effects, Replica, Rewrapping, StoreError, Stored,
    StoredDataKey,
};

const CUSTODY: &str = "
    SELECT sealed, change_time, (SELECT id FROM master_keys WHERE state = 2) AS active
    FROM vault_state";

const SEAL: &str = "UPDATE vault_state SET sealed = $1, change_time = $2 WHERE sealed <> $1";

const LIST: &str = "
    SELECT *, (
        SELECT count(*) FROM data_keys
        WHERE master_key_id = master_keys.id AND data_keys.destroy_time IS NULL
    ) AS data_keys
    FROM master_keys ORDER BY create_time DESC, id";

const INSERT: &str = "
    INSERT INTO master_keys (id, state, create_time, activate_time, retire_time, destroy_time)
    VALUES ($1, $2, $3, $4, $5, $6)";

const STEP_DOWN: &str = "UPDATE master_keys SET state = 1 WHERE state = 2 AND id <> $1";

/// So that the statement after it sees every data key that was put under it.
const HOLD: &str = "SELECT 1 FROM master_keys WHERE id = $1 FOR UPDATE";

/// One that wraps data keys is not retired.
const UPDATE: &str = "
    UPDATE master_keys SET state = $2::bigint, activate_time = $4, retire_time = $5, destroy_time = $6
    WHERE id = $1 AND state = $3 AND ($2::bigint < 3 OR NOT EXISTS (
        SELECT 1 FROM data_keys WHERE master_key_id = $1 AND data_keys.destroy_time IS NULL))";

const NOT_UNDER: &str = "
    SELECT * FROM data_keys
    WHERE destroy_time IS NULL AND master_key_id <> $1
        AND (owner_kind, owner_uid, generation) > ($2, $3, $4)
    ORDER BY owner_kind, owner_uid, generation LIMIT $5";

/// One statement for a whole batch: a round trip for each would take most of the time.
const REWRAP: &str = "
    UPDATE data_keys AS stored SET wrapped = new.wrapped, master_key_id = new.master_key_id
    FROM unnest(
        $1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::bytea[], $6::text[], $7::bytea[]
    ) AS new (owner_kind, owner_uid, generation, before_id, before, master_key_id, wrapped)
    WHERE stored.owner_kind = new.owner_kind AND stored.owner_uid = new.owner_uid
        AND stored.generation = new.generation AND stored.master_key_id = new.before_id
        AND stored.wrapped = new.before AND stored.destroy_time IS NULL";

const SEEN: &str = "
    INSERT INTO vault_replicas (name, master_keys, seen_time) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET master_keys = excluded.master_keys,
        seen_time = excluded.seen_time";

const FORGET: &str = "DELETE FROM vault_replicas WHERE seen_time < $1";

const FORGET_ONE: &str = "DELETE FROM vault_replicas WHERE name = $1";

const REPLICAS: &str = "SELECT * FROM vault_replicas ORDER BY name";

fn read_custody(row: &Row) -> Stored<Custody> {
    Ok(Custody {
        sealed: get(row, "sealed")?,
        sealed_changed: time_opt(row, "change_time")?,
        active: get(row, "active")?,
    })
}

fn read_key(row: &Row) -> Stored<(KnownMasterKey, u64)> {
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

async fn insert(session: &Session, key: &KnownMasterKey) -> Stored<()> {
    step_down(session, key).await?;
    let values: Values<'_> = &[
        &key.id,
        &i64::from(key.state.number()),
        &millis(key.create_time),
        &millis_opt(key.activate_time),
        &millis_opt(key.retire_time),
        &millis_opt(key.destroy_time),
    ];
    execute(session, INSERT, values).await.map(drop)
}

async fn step_down(session: &Session, key: &KnownMasterKey) -> Stored<()> {
    match key.state {
        MasterKeyState::Active => execute(session, STEP_DOWN, &[&key.id]).await.map(drop),
        _ => Ok(()),
    }
}

async fn update(session: &Session, key: &KnownMasterKey, before: MasterKeyState) -> Stored<()> {
    step_down(session, key).await?;
    query_one(session, HOLD, &[&key.id], |_| Ok(())).await?;
    let values: Values<'_> = &[
        &key.id,
        &i64::from(key.state.number()),
        &i64::from(before.number()),
        &millis_opt(key.activate_time),
        &millis_opt(key.retire_time),
        &millis_opt(key.destroy_time),
    ];
    execute_one(session, UPDATE, values).await
}

async fn rewrap(session: &Session, rewrappings: &[Rewrapping]) -> Stored<u64> {
    fn each<T>(all: &[Rewrapping], of: impl Fn(&Rewrapping) -> T) -> Vec<T> {
        all.iter().map(of).collect()
    }
    let names = rewrappings.iter().map(|one| one.master_key_id.as_str());
    for name in names.collect::<BTreeSet<_>>() {
        seals::refuse_retired(session, name).await?;
    }
    let kinds = each(rewrappings, |one| i64::from(one.before.owner.kind.number()));
    let uids: Vec<Uuid> = each(rewrappings, |one| one.before.owner.uid);
    let generations = each(rewrappings, |one| i64::from(one.before.generation));
    let before_ids = each(rewrappings, |one| one.before.master_key_id.clone());
    let before = each(rewrappings, |one| one.before.wrapped.clone());
    let ids = each(rewrappings, |one| one.master_key_id.clone());
    let wrapped = each(rewrappings, |one| one.wrapped.clone());
    let values: Values<'_> = &[
        &kinds,
        &uids,
        &generations,
        &before_ids,
        &before,
        &ids,
        &wrapped,
    ];
    execute(session, REWRAP, values).await
}

fn read_replica(row: &Row) -> Stored<Replica> {
    Ok(Replica {
        name: get(row, "name")?,
        master_keys: json(row, "master_keys")?,
        seen: time(row, "seen_time")?,
    })
}

#[async_trait]
impl CustodyStore for PostgresStore {
    async fn custody(&self) -> Stored<Custody> {
        let session = self.session().await?;
        let custody = query_one(&session, CUSTODY, &[], read_custody).await?;
        custody.ok_or(StoreError::Malformed("the vault's state"))
    }

    async fn custody_seal(&self, sealed: bool, now: Timestamp, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { execute_one(session, SEAL, &[&sealed, &millis(now)]).await })
        })
        .await
    }

    async fn master_keys_list(&self) -> Stored<Vec<(KnownMasterKey, u64)>> {
        let session = self.session().await?;
        query_all(&session, LIST, &[], read_key).await
    }

    async fn master_key_insert(&self, key: KnownMasterKey, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { insert(session, &key).await })
        })
        .await
    }

    async fn master_key_update(
        &self,
        key: KnownMasterKey,
        before: MasterKeyState,
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { update(session, &key, before).await })
        })
        .await
    }

    async fn data_keys_not_under(
        &self,
        master_key_id: &str,
        after: Option<DataKeyName>,
        limit: u32,
    ) -> Stored<Vec<StoredDataKey>> {
        let session = self.session().await?;
        let (kind, uid, generation) = match after {
            Some((owner, generation)) => (i64::from(owner.kind.number()), owner.uid, generation),
            None => (0, Uuid::nil(), 0),
        };
        let values: Values<'_> = &[
            &master_key_id,
            &kind,
            &uid,
            &i64::from(generation),
            &i64::from(limit),
        ];
        query_all(&session, NOT_UNDER, values, seals::read).await
    }

    async fn data_keys_rewrap(
        &self,
        rewrappings: Vec<Rewrapping>,
        effects: Effects,
    ) -> Stored<u64> {
        let session = self.postgres.begin().await?;
        let worked = async {
            let count = rewrap(&session, &rewrappings).await?;
            super::write(&session, &effects).await?;
            Ok(count)
        };
        let worked = worked.await;
        session.end(worked).await
    }

    async fn replica_seen(&self, replica: Replica, forget_before: Timestamp) -> Stored<()> {
        let session = self.session().await?;
        execute(&session, FORGET, &[&millis(forget_before)]).await?;
        let held = to_json(&replica.master_keys)?;
        let values: Values<'_> = &[&replica.name, &held, &millis(replica.seen)];
        execute(&session, SEEN, values).await.map(drop)
    }

    async fn replica_forget(&self, name: &str) -> Stored<()> {
        let session = self.session().await?;
        execute(&session, FORGET_ONE, &[&name]).await.map(drop)
    }

    async fn replicas(&self) -> Stored<Vec<Replica>> {
        let session = self.session().await?;
        query_all(&session, REPLICAS, &[], read_replica).await
    }
}
