//! What is to be sent, for several senders: they take from it one after the other.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time::from_millis;
use keyward_storage::postgres::{Row, Session};

use super::super::StoreError;
use super::super::notices::{OutboxDepth, OutboxStore, Outgoing, Tried, TryEnd};
use super::row::{get, small, time};
use super::{PostgresStore, Values, lock_whole, notices, webhooks};

/// What can be sent: of each webhook what came first.
const DUE: &str = "
    SELECT outbox.outbox_id, outbox.tries, outbox.create_ms AS since_ms, webhook.*,
        notice.notice_id, notice.kind, subject, message, data, notice.create_ms AS notice_ms
    FROM outbox JOIN webhook USING (webhook_id) JOIN notice USING (notice_id)
    WHERE outbox.state = 'waiting' AND outbox.due_ms <= $1
        AND webhook.enabled AND webhook.rest_until_ms <= $1
        AND NOT EXISTS (
            SELECT 1 FROM outbox AS earlier
            WHERE earlier.webhook_id = outbox.webhook_id AND earlier.state = 'waiting'
                AND earlier.due_ms <= $1 AND earlier.outbox_id < outbox.outbox_id)
    ORDER BY outbox.due_ms, outbox.outbox_id LIMIT $2";

const IS_DUE: &str = "
    SELECT EXISTS (
        SELECT 1 FROM outbox JOIN webhook USING (webhook_id)
        WHERE state = 'waiting' AND due_ms <= $1 AND enabled AND rest_until_ms <= $1) AS is_due";

const CLAIM: &str = "UPDATE outbox SET tries = $1, due_ms = $2 WHERE outbox_id = $3";

const REST: &str = "UPDATE webhook SET rest_until_ms = $1 WHERE webhook_id = $2";

const END: &str = "
    UPDATE outbox SET state = $1, due_ms = $2, end_ms = $3
    WHERE outbox_id = $4 AND tries = $5 AND state = 'waiting'";

const DELIVERED: &str = "
    UPDATE webhook SET rest_until_ms = 0, success_ms = $1 WHERE webhook_id = $2";

const FAILED: &str = "
    UPDATE webhook SET rest_until_ms = $1, failure_ms = $2, failure = $3 WHERE webhook_id = $4";

const GIVE_UP: &str = "
    UPDATE outbox SET state = 'failed', end_ms = $2
    WHERE state = 'waiting' AND due_ms <= $2 AND create_ms < $1";

const DEPTH: &str = "
    SELECT count(*) AS waiting, min(create_ms) AS oldest FROM outbox WHERE state = 'waiting'";

/// As it is once it is taken.
fn outgoing(row: &Row) -> Result<Outgoing, StoreError> {
    Ok(Outgoing {
        id: get(row, "outbox_id")?,
        tries: small::<u32>(row, "tries")?.saturating_add(1),
        since: time(row, "since_ms")?,
        endpoint: webhooks::endpoint(row)?,
        notice: notices::read(row)?,
    })
}

async fn take(
    session: &Session,
    now: Timestamp,
    claimed_until: Timestamp,
    limit: u32,
) -> Result<Vec<Outgoing>, StoreError> {
    lock_whole(session, "outbox").await?;
    let values: Values<'_> = &[&now.as_millisecond(), &i64::from(limit)];
    let rows = session.query(DUE, values).await?;
    let taken = rows.iter().map(outgoing).collect::<Result<Vec<_>, _>>()?;
    let until = claimed_until.as_millisecond();
    for taken in &taken {
        let values: Values<'_> = &[&i64::from(taken.tries), &until, &taken.id];
        session.execute(CLAIM, values).await?;
        let values: Values<'_> = &[&until, &taken.endpoint.webhook.id.to_string()];
        session.execute(REST, values).await?;
    }
    Ok(taken)
}

async fn end(session: &Session, end: &TryEnd) -> Result<bool, StoreError> {
    let now = end.time.as_millisecond();
    let (state, due, ended) = match &end.tried {
        Tried::Delivered => ("delivered", now, Some(now)),
        Tried::Failed { due, .. } => ("waiting", due.as_millisecond(), None),
        Tried::GivenUp { .. } => ("failed", now, Some(now)),
    };
    let values: Values<'_> = &[&state, &due, &ended, &end.id, &i64::from(end.tries)];
    if session.execute(END, values).await? == 0 {
        return Ok(false);
    }
    let webhook = end.webhook.to_string();
    match &end.tried {
        Tried::Delivered => session.execute(DELIVERED, &[&now, &webhook]).await?,
        Tried::Failed {
            rests_until,
            failure,
            ..
        }
        | Tried::GivenUp {
            rests_until,
            failure,
        } => {
            let failure = super::row::text(failure);
            let values: Values<'_> = &[&rests_until.as_millisecond(), &now, &failure, &webhook];
            session.execute(FAILED, values).await?
        }
    };
    Ok(true)
}

#[async_trait]
impl OutboxStore for PostgresStore {
    async fn outbox_is_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let values: Values<'_> = &[&now.as_millisecond()];
        let found = self.session().await?.query_first(IS_DUE, values).await?;
        found.map_or(Ok(false), |row| get(&row, "is_due"))
    }

    async fn outbox_take(
        &self,
        now: Timestamp,
        claimed_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Outgoing>, StoreError> {
        self.write(move |session| {
            Box::pin(async move { take(session, now, claimed_until, limit).await })
        })
        .await
    }

    async fn outbox_end(&self, ended: TryEnd) -> Result<bool, StoreError> {
        self.write(move |session| Box::pin(async move { end(session, &ended).await }))
            .await
    }

    async fn outbox_give_up(&self, before: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        let values: Values<'_> = &[&before.as_millisecond(), &now.as_millisecond()];
        let given_up = self.session().await?.execute(GIVE_UP, values).await?;
        Ok(usize::try_from(given_up).unwrap_or(usize::MAX))
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth, StoreError> {
        let found = self.session().await?.query_first(DEPTH, &[]).await?;
        let read = |row: Row| {
            let oldest: Option<i64> = get(&row, "oldest")?;
            Ok(OutboxDepth {
                waiting: small(&row, "waiting")?,
                oldest: oldest.map(from_millis),
            })
        };
        found.map_or_else(|| Ok(OutboxDepth::default()), read)
    }
}
