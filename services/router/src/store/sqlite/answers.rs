//! Answers to repeatable requests.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use crate::domain::repeatable::Place;
use crate::store::StoreError;
use crate::store::answers::{AnswerStore, Claim, FORGET_STEP, Finish, Found, found};

const CLAIM: &str = "
    INSERT INTO repeatable_answer (place, matches, holder, expire_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (place) DO UPDATE SET
        matches = excluded.matches, holder = excluded.holder, answer = NULL,
        expire_ms = excluded.expire_ms
    WHERE repeatable_answer.expire_ms <= ?5";

const GET: &str = "SELECT matches, answer FROM repeatable_answer WHERE place = ?1";

const RENEW: &str = "
    UPDATE repeatable_answer SET expire_ms = ?3
    WHERE place = ?1 AND holder = ?2 AND answer IS NULL";

const FINISH: &str = "
    UPDATE repeatable_answer SET answer = ?3, expire_ms = ?4
    WHERE place = ?1 AND holder = ?2 AND answer IS NULL";

const RELEASE: &str =
    "DELETE FROM repeatable_answer WHERE place = ?1 AND holder = ?2 AND answer IS NULL";

const FORGET: &str = "
    DELETE FROM repeatable_answer WHERE place IN (
        SELECT place FROM repeatable_answer WHERE expire_ms <= ?1 ORDER BY expire_ms LIMIT ?2)";

#[async_trait]
impl AnswerStore for SqliteStore {
    async fn claim(&self, claim: Claim) -> Result<Found, StoreError> {
        let take = move |connection: &Connection| take(connection, &claim);
        self.database.write(take).await
    }

    async fn renew(&self, place: Place, holder: String, expire_ms: i64) -> Result<(), StoreError> {
        let hold = move |connection: &Connection| {
            let values = params![place, holder, expire_ms];
            connection.prepare_cached(RENEW)?.execute(values)?;
            Ok(())
        };
        self.database.write(hold).await
    }

    async fn finish(&self, finish: Finish) -> Result<(), StoreError> {
        let put = move |connection: &Connection| {
            let values = params![finish.place, finish.holder, finish.answer, finish.expire_ms];
            connection.prepare_cached(FINISH)?.execute(values)?;
            Ok(())
        };
        self.database.write(put).await
    }

    async fn release(&self, place: Place, holder: String) -> Result<(), StoreError> {
        let free = move |connection: &Connection| {
            let values = params![place, holder];
            connection.prepare_cached(RELEASE)?.execute(values)?;
            Ok(())
        };
        self.database.write(free).await
    }

    async fn forget(&self, now_ms: i64) -> Result<u32, StoreError> {
        let forget = move |connection: &Connection| {
            let values = params![now_ms, FORGET_STEP];
            let forgotten = connection.prepare_cached(FORGET)?.execute(values)?;
            Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
        };
        self.database.write(forget).await
    }
}

fn take(connection: &Connection, claim: &Claim) -> Result<Found, StoreError> {
    let values = params![
        claim.place,
        claim.matches,
        claim.holder,
        claim.expire_ms,
        claim.now_ms,
    ];
    if connection.prepare_cached(CLAIM)?.execute(values)? > 0 {
        return Ok(Found::Free);
    }
    let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let held: Option<(Vec<u8>, Option<Vec<u8>>)> = connection
        .prepare_cached(GET)?
        .query_row([claim.place], columns)
        .optional()?;
    let (matches, answer) = held.ok_or(StoreError::Corrupt("answer"))?;
    Ok(found(claim, &matches, answer))
}
