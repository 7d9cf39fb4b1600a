//! Generations of data keys. A record's generation is in its third to sixth byte, in both suites.
//! Whoever stores a record holds its owner's floor to the end, so that a data key is not destroyed
//! while something that it sealed is on its way.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};

use super::provider_keys::read_sealed;
use super::row::{bytes, get, millis, owner, signed, small, time, unsigned};
use super::{PostgresStore, Values, execute, execute_one, query_all, query_one, seals};
use crate::domain::envelope;
use crate::domain::generation::Generation;
use crate::domain::owner::Owner;
use crate::domain::row_state::Floor;
use crate::store::{
    Effects, GenerationStore, SealedKey, SignedFloor, StoreError, Stored, StoredDataKey,
    StoredSecret,
};

const NEWEST: &str = "
    SELECT generation, create_time, seals FROM data_keys
    WHERE owner_kind = $1 AND owner_uid = $2 AND destroy_time IS NULL
    ORDER BY generation DESC LIMIT 1";

const FLOOR: &str = "SELECT * FROM data_key_floors WHERE owner_kind = $1 AND owner_uid = $2";

const FLOOR_HELD: &str = "
    SELECT * FROM data_key_floors WHERE owner_kind = $1 AND owner_uid = $2 FOR SHARE";

const KEY_INSERT: &str = "
    INSERT INTO data_keys (owner_kind, owner_uid, generation, master_key_id, wrapped, create_time)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (owner_kind, owner_uid, generation) DO NOTHING";

const FLOOR_FIRST: &str = "
    INSERT INTO data_key_floors (owner_kind, owner_uid, newest, minimum, mac)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (owner_kind, owner_uid) DO NOTHING";

const FLOOR_NEXT: &str = "
    UPDATE data_key_floors SET newest = $3, mac = $5
    WHERE owner_kind = $1 AND owner_uid = $2 AND newest = $3::bigint - 1 AND minimum = $4";

const FLOOR_RAISE: &str = "
    UPDATE data_key_floors SET minimum = $4, mac = $5
    WHERE owner_kind = $1 AND owner_uid = $2 AND newest = $3 AND minimum < $4";

const COUNT_SEAL: &str = "
    UPDATE data_keys SET seals = seals + 1
    WHERE owner_kind = $1 AND owner_uid = $2 AND generation = $3 AND destroy_time IS NULL
        AND seals < $4";

const AGED: &str = "
    SELECT owner_kind, owner_uid FROM data_keys JOIN data_key_floors USING (owner_kind, owner_uid)
    WHERE create_time <= $1 AND destroy_time IS NULL AND generation = newest
    ORDER BY create_time LIMIT $2";

const OPEN: &str = "
    SELECT * FROM data_key_floors
    WHERE newest > minimum AND (owner_kind, owner_uid) > ($1, $2)
    ORDER BY owner_kind, owner_uid LIMIT $3";

const SEALED_BELOW: &str = "
    SELECT *, '' AS owner_id FROM provider_keys
    WHERE owner_kind = $1 AND owner_uid = $2 AND substring(record FROM 3 FOR 4) < $3
    LIMIT $4";

const SECRETS: &str = "SELECT * FROM system_secrets ORDER BY name";

const SECRETS_BELOW: &str =
    "SELECT 1 FROM system_secrets WHERE substring(record FROM 3 FOR 4) < $1";

/// They are forgotten within a day.
const ANSWERS_BELOW: &str = "
    SELECT 1 FROM replays
    WHERE owner_kind = $1 AND owner_uid = $2 AND sealed AND substring(answer FROM 3 FOR 4) < $3
    LIMIT 1";

const SECRET_RESEAL: &str = "UPDATE system_secrets SET record = $3 WHERE name = $1 AND record = $2";

const DESTROY_BELOW: &str = "
    UPDATE data_keys SET wrapped = '', destroy_time = $4
    WHERE owner_kind = $1 AND owner_uid = $2 AND generation < $3 AND destroy_time IS NULL";

/// Refuses a record whose data key is destroyed: it was sealed just before.
pub(super) async fn refuse_below_floor(
    session: &Session,
    owner: Owner,
    record: &[u8],
) -> Stored<()> {
    let floor = floor(session, FLOOR_HELD, owner).await?;
    let generation = envelope::record_generation(record);
    match (floor, generation) {
        (Some(stored), Ok(generation)) if generation < stored.floor.minimum => {
            Err(StoreError::Changed)
        }
        _ => Ok(()),
    }
}

async fn floor(session: &Session, sql: &'static str, owner: Owner) -> Stored<Option<SignedFloor>> {
    let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid];
    query_one(session, sql, values, read_floor).await
}

fn read_floor(row: &Row) -> Stored<SignedFloor> {
    Ok(SignedFloor {
        floor: Floor {
            owner: owner(row, "owner_kind", "owner_uid")?,
            newest: small(row, "newest")?,
            minimum: small(row, "minimum")?,
        },
        mac: bytes(row, "mac")?,
    })
}

fn read_secret(row: &Row) -> Stored<StoredSecret> {
    Ok(StoredSecret {
        name: get(row, "name")?,
        uid: get(row, "uid")?,
        version: unsigned(row, "version")?,
        record: get(row, "record")?,
    })
}

async fn key_insert(session: &Session, key: &StoredDataKey, now: Timestamp) -> Stored<()> {
    seals::refuse_retired(session, &key.master_key_id).await?;
    let values: Values<'_> = &[
        &i64::from(key.owner.kind.number()),
        &key.owner.uid,
        &i64::from(key.generation),
        &key.master_key_id,
        &key.wrapped,
        &millis(now),
    ];
    execute_one(session, KEY_INSERT, values).await
}

async fn floor_write(session: &Session, sql: &'static str, signed: &SignedFloor) -> Stored<()> {
    let floor = signed.floor;
    let values: Values<'_> = &[
        &i64::from(floor.owner.kind.number()),
        &floor.owner.uid,
        &i64::from(floor.newest),
        &i64::from(floor.minimum),
        &signed.mac.as_slice(),
    ];
    execute_one(session, sql, values).await
}

pub(super) async fn floor_first(session: &Session, floor: &SignedFloor) -> Stored<()> {
    floor_write(session, FLOOR_FIRST, floor).await
}

async fn sealed_below(
    session: &Session,
    owner: Owner,
    below: u32,
    limit: u32,
) -> Stored<Vec<SealedKey>> {
    let below = below.to_be_bytes();
    let values: Values<'_> = &[
        &i64::from(owner.kind.number()),
        &owner.uid,
        &below.as_slice(),
        &i64::from(limit),
    ];
    query_all(session, SEALED_BELOW, values, read_sealed).await
}

/// Whether anything that is stored still needs a data key below `below`.
async fn is_needed(session: &Session, owner: Owner, below: u32) -> Stored<bool> {
    if !sealed_below(session, owner, below, 1).await?.is_empty() {
        return Ok(true);
    }
    let below = below.to_be_bytes();
    let below = below.as_slice();
    let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid, &below];
    let answers = query_one(session, ANSWERS_BELOW, values, |_| Ok(())).await?;
    if answers.is_some() {
        return Ok(true);
    }
    let secrets = query_one(session, SECRETS_BELOW, &[&below], |_| Ok(())).await?;
    Ok(owner == Owner::SYSTEM && secrets.is_some())
}

/// The floor first: it is held by whoever is storing a record, which is seen once it is let go.
async fn raise(session: &Session, signed: &SignedFloor, now: Timestamp) -> Stored<()> {
    let (owner, minimum) = (signed.floor.owner, signed.floor.minimum);
    floor_write(session, FLOOR_RAISE, signed).await?;
    if is_needed(session, owner, minimum).await? {
        return Err(StoreError::Changed);
    }
    let values: Values<'_> = &[
        &i64::from(owner.kind.number()),
        &owner.uid,
        &i64::from(minimum),
        &millis(now),
    ];
    execute(session, DESTROY_BELOW, values).await.map(drop)
}

#[async_trait]
impl GenerationStore for PostgresStore {
    async fn generation_newest(&self, owner: Owner) -> Stored<Option<Generation>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid];
        query_one(&session, NEWEST, values, |row| {
            Ok(Generation {
                number: small(row, "generation")?,
                create_time: time(row, "create_time")?,
                seals: unsigned(row, "seals")?,
            })
        })
        .await
    }

    async fn generation_floor(&self, owner: Owner) -> Stored<Option<SignedFloor>> {
        floor(&self.session().await?, FLOOR, owner).await
    }

    async fn generation_begin(
        &self,
        key: StoredDataKey,
        floor: SignedFloor,
        now: Timestamp,
    ) -> Stored<()> {
        let sql = match floor.floor.newest {
            1 => FLOOR_FIRST,
            _ => FLOOR_NEXT,
        };
        let begun = self.mutate(Effects::default(), move |session| {
            Box::pin(async move {
                floor_write(session, sql, &floor).await?;
                key_insert(session, &key, now).await
            })
        });
        begun.await.map(drop)
    }

    async fn generation_count_seal(&self, owner: Owner, number: u32, limit: u64) -> Stored<bool> {
        let session = self.session().await?;
        let values: Values<'_> = &[
            &i64::from(owner.kind.number()),
            &owner.uid,
            &i64::from(number),
            &signed(limit),
        ];
        let counted = execute(&session, COUNT_SEAL, values).await?;
        Ok(counted == 1)
    }

    async fn generations_aged(&self, time: Timestamp, limit: u32) -> Stored<Vec<Owner>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&millis(time), &i64::from(limit)];
        let read = |row: &Row| owner(row, "owner_kind", "owner_uid");
        query_all(&session, AGED, values, read).await
    }

    async fn generations_open(&self, after: Option<Owner>, limit: u32) -> Stored<Vec<SignedFloor>> {
        let session = self.session().await?;
        let kind = after.map_or(0, |owner| i64::from(owner.kind.number()));
        let uid = after.map_or(uuid::Uuid::nil(), |owner| owner.uid);
        query_all(
            &session,
            OPEN,
            &[&kind, &uid, &i64::from(limit)],
            read_floor,
        )
        .await
    }

    async fn provider_keys_sealed_below(
        &self,
        owner: Owner,
        below: u32,
        limit: u32,
    ) -> Stored<Vec<SealedKey>> {
        sealed_below(&self.session().await?, owner, below, limit).await
    }

    async fn system_secrets(&self) -> Stored<Vec<StoredSecret>> {
        let session = self.session().await?;
        query_all(&session, SECRETS, &[], read_secret).await
    }

    async fn system_secret_reseal(
        &self,
        name: &str,
        before: Vec<u8>,
        record: Vec<u8>,
    ) -> Stored<()> {
        let name = name.to_owned();
        let resealed = self.mutate(Effects::default(), move |session| {
            Box::pin(async move {
                execute_one(session, SECRET_RESEAL, &[&name, &before, &record]).await?;
                refuse_below_floor(session, Owner::SYSTEM, &record).await
            })
        });
        resealed.await.map(drop)
    }

    async fn generation_raise(
        &self,
        floor: SignedFloor,
        now: Timestamp,
        effects: Effects,
    ) -> Stored<()> {
        let raised = self.mutate(effects, move |session| {
            Box::pin(async move { raise(session, &floor, now).await })
        });
        raised.await.map(drop)
    }

    /// What was overwritten lies in its row's place until Postgres cleans up there, and in its log as
    /// long as that is kept: there is nothing that could be asked of it.
    async fn traces_erase(&self) -> Stored<bool> {
        Ok(true)
    }
}
