//! Answers that are remembered for those who ask again.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};

use super::row::{bytes, get, millis, owner, time};
use super::{PostgresStore, Values, execute, query_one};
use crate::domain::access::Thing;
use crate::domain::owner::Owner;
use crate::domain::replay::{
    Authority, KeptAnswer, Replay, ReplayId, RequestDigest, forgotten_before,
};
use crate::store::{ReplayStore, StoreError, Stored};

/// One that is no longer remembered makes room; any other stays, and nothing is changed.
const PUT: &str = "
    INSERT INTO replays (id, request, owner_kind, owner_uid, thing, sealed, answer, time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (id) DO UPDATE SET
        request = excluded.request,
        owner_kind = excluded.owner_kind,
        owner_uid = excluded.owner_uid,
        thing = excluded.thing,
        sealed = excluded.sealed,
        answer = excluded.answer,
        time = excluded.time
    WHERE replays.time < $9";

const GET: &str = "SELECT * FROM replays WHERE id = $1 AND time >= $2";

const PRUNE: &str = "DELETE FROM replays WHERE time < $1";

const DELETE_ALL: &str = "DELETE FROM replays WHERE owner_kind = $1 AND owner_uid = $2";

/// Writes one, unless that call has been answered already: then what it belongs to must not happen
/// again. Of two at once the second waits here for the first.
pub(super) async fn put(session: &Session, replay: &Replay) -> Stored<()> {
    let (is_sealed, answer) = match &replay.answer {
        KeptAnswer::Plain(answer) => (false, answer),
        KeptAnswer::Sealed(record) => (true, record),
    };
    let owner = replay.authority.owner;
    let values: Values<'_> = &[
        &replay.id.0.as_slice(),
        &replay.request.0.as_slice(),
        &i64::from(owner.kind.number()),
        &owner.uid,
        &replay
            .authority
            .thing
            .map(|thing| i64::from(thing.number())),
        &is_sealed,
        answer,
        &millis(replay.time),
        &millis(forgotten_before(replay.time)),
    ];
    match execute(session, PUT, values).await? {
        0 => Err(StoreError::Answered),
        _ => Ok(()),
    }
}

/// Forgets what was answered about an owner's things.
pub(super) async fn delete_all(session: &Session, owner: Owner) -> Stored<()> {
    let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid];
    execute(session, DELETE_ALL, values).await.map(drop)
}

fn thing(number: i64) -> Stored<Thing> {
    let known = u8::try_from(number).ok().and_then(Thing::from_number);
    known.ok_or(StoreError::Malformed("a thing"))
}

fn read(row: &Row) -> Stored<Replay> {
    let answer: Vec<u8> = get(row, "answer")?;
    let answer = match get(row, "sealed")? {
        true => KeptAnswer::Sealed(answer),
        false => KeptAnswer::Plain(answer),
    };
    Ok(Replay {
        id: ReplayId(bytes(row, "id")?),
        request: RequestDigest(bytes(row, "request")?),
        authority: Authority {
            owner: owner(row, "owner_kind", "owner_uid")?,
            thing: get::<Option<i64>>(row, "thing")?.map(thing).transpose()?,
        },
        answer,
        time: time(row, "time")?,
    })
}

#[async_trait]
impl ReplayStore for PostgresStore {
    async fn replay_get(&self, id: ReplayId, since: Timestamp) -> Stored<Option<Replay>> {
        let session = self.session().await?;
        query_one(&session, GET, &[&id.0.as_slice(), &millis(since)], read).await
    }

    async fn replay_put(&self, replay: Replay) -> Stored<()> {
        put(&self.session().await?, &replay).await
    }

    async fn replays_prune(&self, before: Timestamp) -> Stored<()> {
        let session = self.session().await?;
        execute(&session, PRUNE, &[&millis(before)]).await.map(drop)
    }
}
