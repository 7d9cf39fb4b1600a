//! Generations of data keys. A record's generation is in its third to sixth byte, in both suites.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::provider_keys::read_sealed;
use super::row::{get, millis, owner, signed, time, unsigned};
use super::{SqliteStore, execute, execute_one, query_all, query_one, seals};
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
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND destroy_time IS NULL
    ORDER BY generation DESC LIMIT 1";

const FLOOR: &str = "
    SELECT * FROM data_key_floors WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid";

const KEY_INSERT: &str = "
    INSERT INTO data_keys (owner_kind, owner_uid, generation, master_key_id, wrapped, create_time)
    VALUES (:owner_kind, :owner_uid, :generation, :master_key_id, :wrapped, :create_time)
    ON CONFLICT (owner_kind, owner_uid, generation) DO NOTHING";

const FLOOR_FIRST: &str = "
    INSERT INTO data_key_floors (owner_kind, owner_uid, newest, minimum, mac)
    VALUES (:owner_kind, :owner_uid, :newest, :minimum, :mac)
    ON CONFLICT (owner_kind, owner_uid) DO NOTHING";

const FLOOR_NEXT: &str = "
    UPDATE data_key_floors SET newest = :newest, mac = :mac
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND newest = :newest - 1
        AND minimum = :minimum";

const FLOOR_RAISE: &str = "
    UPDATE data_key_floors SET minimum = :minimum, mac = :mac
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND newest = :newest
        AND minimum < :minimum";

const COUNT_SEAL: &str = "
    UPDATE data_keys SET seals = seals + 1
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND generation = :generation
        AND destroy_time IS NULL AND seals < :limit";

const AGED: &str = "
    SELECT data_keys.owner_kind, data_keys.owner_uid FROM data_keys
        JOIN data_key_floors USING (owner_kind, owner_uid)
    WHERE create_time <= :time AND destroy_time IS NULL AND generation = newest
    ORDER BY create_time LIMIT :limit";

const OPEN: &str = "
    SELECT * FROM data_key_floors
    WHERE newest > minimum AND (owner_kind, owner_uid) > (:after_kind, :after_uid)
    ORDER BY owner_kind, owner_uid LIMIT :limit";

const SEALED_BELOW: &str = "
    SELECT *, '' AS owner_id FROM provider_keys
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND substr(record, 3, 4) < :below
    LIMIT :limit";

const SECRETS: &str = "SELECT * FROM system_secrets ORDER BY name";

const SECRETS_BELOW: &str = "SELECT 1 FROM system_secrets WHERE substr(record, 3, 4) < :below";

/// They are forgotten within a day.
const ANSWERS_BELOW: &str = "
    SELECT 1 FROM replays
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND sealed = 1
        AND substr(answer, 3, 4) < :below
    LIMIT 1";

const SECRET_RESEAL: &str = "
    UPDATE system_secrets SET record = :record WHERE name = :name AND record = :before";

const DESTROY_BELOW: &str = "
    UPDATE data_keys SET wrapped = zeroblob(0), destroy_time = :now
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND generation < :minimum
        AND destroy_time IS NULL";

/// Refuses a record whose data key is destroyed: it was sealed just before.
pub(super) fn refuse_below_floor(
    connection: &Connection,
    owner: Owner,
    record: &[u8],
) -> Stored<()> {
    let floor = floor(connection, owner)?;
    let generation = envelope::record_generation(record);
    match (floor, generation) {
        (Some(stored), Ok(generation)) if generation < stored.floor.minimum => {
            Err(StoreError::Changed)
        }
        _ => Ok(()),
    }
}

fn floor(connection: &Connection, owner: Owner) -> Stored<Option<SignedFloor>> {
    let params = named_params! {
        ":owner_kind": owner.kind.number(), ":owner_uid": owner.uid,
    };
    query_one(connection, FLOOR, params, read_floor)
}

fn read_floor(row: &Row<'_>) -> Stored<SignedFloor> {
    Ok(SignedFloor {
        floor: Floor {
            owner: owner(row, "owner_kind", "owner_uid")?,
            newest: get(row, "newest")?,
            minimum: get(row, "minimum")?,
        },
        mac: get(row, "mac")?,
    })
}

fn read_secret(row: &Row<'_>) -> Stored<StoredSecret> {
    Ok(StoredSecret {
        name: get(row, "name")?,
        uid: get(row, "uid")?,
        version: unsigned(row, "version")?,
        record: get(row, "record")?,
    })
}

fn key_insert(connection: &Connection, key: &StoredDataKey, now: Timestamp) -> Stored<()> {
    seals::refuse_retired(connection, &key.master_key_id)?;
    execute_one(
        connection,
        KEY_INSERT,
        named_params! {
            ":owner_kind": key.owner.kind.number(),
            ":owner_uid": key.owner.uid,
            ":generation": key.generation,
            ":master_key_id": key.master_key_id,
            ":wrapped": key.wrapped,
            ":create_time": millis(now),
        },
    )
}

/// Writes a floor with one of the three statements above.
pub(super) fn floor_write(connection: &Connection, sql: &str, signed: &SignedFloor) -> Stored<()> {
    let floor = signed.floor;
    execute_one(
        connection,
        sql,
        named_params! {
            ":owner_kind": floor.owner.kind.number(),
            ":owner_uid": floor.owner.uid,
            ":newest": floor.newest,
            ":minimum": floor.minimum,
            ":mac": signed.mac,
        },
    )
}

pub(super) fn floor_first(connection: &Connection, floor: &SignedFloor) -> Stored<()> {
    floor_write(connection, FLOOR_FIRST, floor)
}

fn sealed_below(
    connection: &Connection,
    owner: Owner,
    below: u32,
    limit: u32,
) -> Stored<Vec<SealedKey>> {
    let params = named_params! {
        ":owner_kind": owner.kind.number(),
        ":owner_uid": owner.uid,
        ":below": below.to_be_bytes(),
        ":limit": limit,
    };
    query_all(connection, SEALED_BELOW, params, read_sealed)
}

/// Whether anything that is stored still needs a data key below `below`.
fn is_needed(connection: &Connection, owner: Owner, below: u32) -> Stored<bool> {
    if !sealed_below(connection, owner, below, 1)?.is_empty() {
        return Ok(true);
    }
    let below = below.to_be_bytes();
    let answers = named_params! {
        ":owner_kind": owner.kind.number(), ":owner_uid": owner.uid, ":below": below,
    };
    if query_one(connection, ANSWERS_BELOW, answers, |_| Ok(()))?.is_some() {
        return Ok(true);
    }
    let secrets = named_params! { ":below": below };
    Ok(owner == Owner::SYSTEM
        && query_one(connection, SECRETS_BELOW, secrets, |_| Ok(()))?.is_some())
}

fn raise(connection: &Connection, signed: &SignedFloor, now: Timestamp) -> Stored<()> {
    let (owner, minimum) = (signed.floor.owner, signed.floor.minimum);
    if is_needed(connection, owner, minimum)? {
        return Err(StoreError::Changed);
    }
    floor_write(connection, FLOOR_RAISE, signed)?;
    let params = named_params! {
        ":owner_kind": owner.kind.number(),
        ":owner_uid": owner.uid,
        ":minimum": minimum,
        ":now": millis(now),
    };
    execute(connection, DESTROY_BELOW, params).map(drop)
}

#[async_trait]
impl GenerationStore for SqliteStore {
    async fn generation_newest(&self, owner: Owner) -> Stored<Option<Generation>> {
        self.read(move |connection| {
            let params = named_params! {
                ":owner_kind": owner.kind.number(), ":owner_uid": owner.uid,
            };
            query_one(connection, NEWEST, params, |row| {
                Ok(Generation {
                    number: get(row, "generation")?,
                    create_time: time(row, "create_time")?,
                    seals: unsigned(row, "seals")?,
                })
            })
        })
        .await
    }

    async fn generation_floor(&self, owner: Owner) -> Stored<Option<SignedFloor>> {
        self.read(move |connection| floor(connection, owner)).await
    }

    async fn generation_begin(
        &self,
        key: StoredDataKey,
        floor: SignedFloor,
        now: Timestamp,
    ) -> Stored<()> {
        let begin = move |connection: &Connection| {
            let sql = match floor.floor.newest {
                1 => FLOOR_FIRST,
                _ => FLOOR_NEXT,
            };
            floor_write(connection, sql, &floor)?;
            key_insert(connection, &key, now)
        };
        self.mutate(Effects::default(), begin).await.map(drop)
    }

    async fn generation_count_seal(&self, owner: Owner, number: u32, limit: u64) -> Stored<bool> {
        let count = move |connection: &Connection| {
            let params = named_params! {
                ":owner_kind": owner.kind.number(),
                ":owner_uid": owner.uid,
                ":generation": number,
                ":limit": signed(limit),
            };
            execute(connection, COUNT_SEAL, params).map(|counted| counted == 1)
        };
        self.database.write(count).await
    }

    async fn generations_aged(&self, time: Timestamp, limit: u32) -> Stored<Vec<Owner>> {
        self.read(move |connection| {
            let params = named_params! { ":time": millis(time), ":limit": limit };
            query_all(connection, AGED, params, |row| {
                owner(row, "owner_kind", "owner_uid")
            })
        })
        .await
    }

    async fn generations_open(&self, after: Option<Owner>, limit: u32) -> Stored<Vec<SignedFloor>> {
        let kind = after.map_or(0, |owner| owner.kind.number());
        let uid = after.map_or(uuid::Uuid::nil(), |owner| owner.uid);
        self.read(move |connection| {
            let params = named_params! {
                ":after_kind": kind, ":after_uid": uid, ":limit": limit,
            };
            query_all(connection, OPEN, params, read_floor)
        })
        .await
    }

    async fn provider_keys_sealed_below(
        &self,
        owner: Owner,
        below: u32,
        limit: u32,
    ) -> Stored<Vec<SealedKey>> {
        self.read(move |connection| sealed_below(connection, owner, below, limit))
            .await
    }

    async fn system_secrets(&self) -> Stored<Vec<StoredSecret>> {
        self.read(|connection| query_all(connection, SECRETS, [], read_secret))
            .await
    }

    async fn system_secret_reseal(
        &self,
        name: &str,
        before: Vec<u8>,
        record: Vec<u8>,
    ) -> Stored<()> {
        let name = name.to_owned();
        let reseal = move |connection: &Connection| {
            let params = named_params! {
                ":name": name, ":before": before, ":record": record,
            };
            execute_one(connection, SECRET_RESEAL, params)?;
            refuse_below_floor(connection, Owner::SYSTEM, &record)
        };
        let resealed = self.mutate(Effects::default(), reseal).await.map(drop);
        self.traces.left();
        resealed
    }

    async fn generation_raise(
        &self,
        floor: SignedFloor,
        now: Timestamp,
        effects: Effects,
    ) -> Stored<()> {
        let raise = move |connection: &Connection| raise(connection, &floor, now);
        let raised = self.mutate(effects, raise).await.map(drop);
        self.traces.left();
        raised
    }

    async fn traces_erase(&self) -> Stored<bool> {
        if !self.traces.take() {
            return Ok(true);
        }
        let erased = self.database.truncate_log().await;
        if !matches!(erased, Ok(true)) {
            self.traces.left();
        }
        Ok(erased?)
    }
}
