//! Answers that are remembered for those who ask again.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::row::{get, millis, owner, time};
use super::{SqliteStore, execute, query_one};
use crate::domain::access::Thing;
use crate::domain::owner::Owner;
use crate::domain::replay::{
    Authority, KeptAnswer, Replay, ReplayId, RequestDigest, forgotten_before,
};
use crate::store::{Effects, ReplayStore, StoreError, Stored};

/// One that is no longer remembered makes room; any other stays, and nothing is changed.
const PUT: &str = "
    INSERT INTO replays (id, request, owner_kind, owner_uid, thing, sealed, answer, time)
    VALUES (:id, :request, :owner_kind, :owner_uid, :thing, :sealed, :answer, :time)
    ON CONFLICT (id) DO UPDATE SET
        request = excluded.request,
        owner_kind = excluded.owner_kind,
        owner_uid = excluded.owner_uid,
        thing = excluded.thing,
        sealed = excluded.sealed,
        answer = excluded.answer,
        time = excluded.time
    WHERE replays.time < :forgotten_before";

const GET: &str = "SELECT * FROM replays WHERE id = :id AND time >= :since";

const PRUNE: &str = "DELETE FROM replays WHERE time < :before";

const DELETE_ALL: &str = "
    DELETE FROM replays WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid";

/// Writes one, unless that call has been answered already: then what it belongs to must not happen
/// again.
pub(super) fn put(connection: &Connection, replay: &Replay) -> Stored<()> {
    let (is_sealed, answer) = match &replay.answer {
        KeptAnswer::Plain(answer) => (false, answer),
        KeptAnswer::Sealed(record) => (true, record),
    };
    let written = execute(
        connection,
        PUT,
        named_params! {
            ":id": replay.id.0,
            ":request": replay.request.0,
            ":owner_kind": replay.authority.owner.kind.number(),
            ":owner_uid": replay.authority.owner.uid,
            ":thing": replay.authority.thing.map(Thing::number),
            ":sealed": is_sealed,
            ":answer": answer,
            ":time": millis(replay.time),
            ":forgotten_before": millis(forgotten_before(replay.time)),
        },
    )?;
    match written {
        0 => Err(StoreError::Answered),
        _ => Ok(()),
    }
}

/// Forgets what was answered about an owner's things.
pub(super) fn delete_all(connection: &Connection, owner: Owner) -> Stored<()> {
    let params = named_params! { ":owner_kind": owner.kind.number(), ":owner_uid": owner.uid };
    execute(connection, DELETE_ALL, params).map(drop)
}

fn read(row: &Row<'_>) -> Stored<Replay> {
    let thing: Option<u8> = get(row, "thing")?;
    let known = |number| Thing::from_number(number).ok_or(StoreError::Malformed("a thing"));
    let answer: Vec<u8> = get(row, "answer")?;
    let answer = if get(row, "sealed")? {
        KeptAnswer::Sealed(answer)
    } else {
        KeptAnswer::Plain(answer)
    };
    Ok(Replay {
        id: ReplayId(get(row, "id")?),
        request: RequestDigest(get(row, "request")?),
        authority: Authority {
            owner: owner(row, "owner_kind", "owner_uid")?,
            thing: thing.map(known).transpose()?,
        },
        answer,
        time: time(row, "time")?,
    })
}

#[async_trait]
impl ReplayStore for SqliteStore {
    async fn replay_get(&self, id: ReplayId, since: Timestamp) -> Stored<Option<Replay>> {
        self.read(move |connection| {
            let params = named_params! { ":id": id.0, ":since": millis(since) };
            query_one(connection, GET, params, read)
        })
        .await
    }

    async fn replay_put(&self, replay: Replay) -> Stored<()> {
        let put = move |connection: &Connection| put(connection, &replay);
        self.mutate(Effects::default(), put).await.map(drop)
    }

    async fn replays_prune(&self, before: Timestamp) -> Stored<()> {
        let prune = move |connection: &Connection| {
            let params = named_params! { ":before": millis(before) };
            execute(connection, PRUNE, params).map(drop)
        };
        self.mutate(Effects::default(), prune).await.map(drop)
    }
}
