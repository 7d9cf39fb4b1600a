//! Answers to repeatable requests.

use async_trait::async_trait;
use keyward_storage::postgres::Session;

use super::{PostgresStore, Values, column};
use crate::domain::repeatable::Place;
use crate::store::StoreError;
use crate::store::answers::{AnswerStore, Claim, FORGET_STEP, Finish, Found, found};

/// A row that stands in the way is locked, whatever its time, so that it is still there to be read.
const CLAIM: &str = "
    INSERT INTO repeatable_answer (place, matches, holder, expire_ms) VALUES ($1, $2, $3, $4)
    ON CONFLICT (place) DO UPDATE SET
        matches = excluded.matches, holder = excluded.holder, answer = NULL,
        expire_ms = excluded.expire_ms
    WHERE repeatable_answer.expire_ms <= $5";

const GET: &str = "SELECT matches, answer FROM repeatable_answer WHERE place = $1";

const RENEW: &str = "
    UPDATE repeatable_answer SET expire_ms = $3
    WHERE place = $1 AND holder = $2 AND answer IS NULL";

const FINISH: &str = "
    UPDATE repeatable_answer SET answer = $3, expire_ms = $4
    WHERE place = $1 AND holder = $2 AND answer IS NULL";

const RELEASE: &str =
    "DELETE FROM repeatable_answer WHERE place = $1 AND holder = $2 AND answer IS NULL";

/// Routers that forget at the same time do not wait for one another.
const FORGET: &str = "
    DELETE FROM repeatable_answer WHERE place IN (
        SELECT place FROM repeatable_answer WHERE expire_ms <= $1 ORDER BY expire_ms LIMIT $2
        FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl AnswerStore for PostgresStore {
    async fn claim(&self, claim: Claim) -> Result<Found, StoreError> {
        self.postgres
            .write(move |session| Box::pin(take(session, claim)))
            .await
    }

    async fn renew(&self, place: Place, holder: String, expire_ms: i64) -> Result<(), StoreError> {
        let session = self.postgres.session().await?;
        let values: Values<'_> = &[&place.as_slice(), &holder, &expire_ms];
        session.execute(RENEW, values).await?;
        Ok(())
    }

    async fn finish(&self, finish: Finish) -> Result<(), StoreError> {
        let values: Values<'_> = &[
            &finish.place.as_slice(),
            &finish.holder,
            &finish.answer,
            &finish.expire_ms,
        ];
        let session = self.postgres.session().await?;
        session.execute(FINISH, values).await?;
        Ok(())
    }

    async fn release(&self, place: Place, holder: String) -> Result<(), StoreError> {
        let session = self.postgres.session().await?;
        let values: Values<'_> = &[&place.as_slice(), &holder];
        session.execute(RELEASE, values).await?;
        Ok(())
    }

    async fn forget(&self, now_ms: i64) -> Result<u32, StoreError> {
        let session = self.postgres.session().await?;
        let values: Values<'_> = &[&now_ms, &i64::from(FORGET_STEP)];
        let forgotten = session.execute(FORGET, values).await?;
        Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }
}

async fn take(session: &Session, claim: Claim) -> Result<Found, StoreError> {
    let place = claim.place.as_slice();
    let values: Values<'_> = &[
        &place,
        &claim.matches.as_slice(),
        &claim.holder,
        &claim.expire_ms,
        &claim.now_ms,
    ];
    if session.execute(CLAIM, values).await? > 0 {
        return Ok(Found::Free);
    }
    let row = session.query_first(GET, &[&place]).await?;
    let row = row.ok_or(StoreError::Corrupt("answer"))?;
    let matches: Vec<u8> = column(&row, "matches")?;
    Ok(found(&claim, &matches, column(&row, "answer")?))
}
