//! What is to be sent. One process writes a file, so a claim here is for its own other tasks, and for
//! the one that comes after it should it be killed.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time;
use rusqlite::{Connection, Row, params};

use super::{SqliteStore, notices, webhooks};
use crate::store::StoreError;
use crate::store::notices::{OutboxDepth, OutboxStore, Outgoing, Tried, TryEnd};

/// What can be sent: of each webhook what came first.
const DUE: &str = "SELECT outbox.outbox_id, outbox.tries, outbox.create_ms,
         webhook.webhook_id, webhook.account, account_name, url, kinds, label, enabled, revision,
         webhook.create_ms, update_ms, success_ms, failure_ms, failure, secret,
         notice.notice_id, notice.kind, subject, message, data, notice.create_ms
     FROM outbox JOIN webhook USING (webhook_id) JOIN notice USING (notice_id)
     WHERE outbox.state = 'waiting' AND outbox.due_ms <= ?1
         AND webhook.enabled = 1 AND webhook.rest_until_ms <= ?1
         AND NOT EXISTS (
             SELECT 1 FROM outbox AS earlier
             WHERE earlier.webhook_id = outbox.webhook_id AND earlier.state = 'waiting'
                 AND earlier.due_ms <= ?1 AND earlier.outbox_id < outbox.outbox_id)
     ORDER BY outbox.due_ms, outbox.outbox_id LIMIT ?2";

/// Where the webhook and the notice begin among those columns.
const WEBHOOK: usize = 3;
const NOTICE: usize = WEBHOOK + webhooks::COLUMNS + 1;

pub(super) const IS_DUE: &str = "SELECT EXISTS (
     SELECT 1 FROM outbox JOIN webhook USING (webhook_id)
     WHERE state = 'waiting' AND due_ms <= ?1 AND enabled = 1 AND rest_until_ms <= ?1)";

pub(super) fn is_due(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    let due = connection
        .prepare_cached(IS_DUE)?
        .query_row([now.as_millisecond()], |row| row.get(0))?;
    Ok(due)
}

pub(super) fn take(
    connection: &Connection,
    now: Timestamp,
    claimed_until: Timestamp,
    limit: u32,
) -> Result<Vec<Outgoing>, StoreError> {
    let mut statement = connection.prepare_cached(DUE)?;
    let mut rows = statement.query(params![now.as_millisecond(), limit])?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next()? {
        taken.push(outgoing(row)?);
    }
    for outgoing in &taken {
        claim(connection, outgoing, claimed_until)?;
    }
    Ok(taken)
}

/// As it is once it is taken.
fn outgoing(row: &Row<'_>) -> Result<Outgoing, StoreError> {
    Ok(Outgoing {
        id: row.get(0)?,
        tries: row.get::<_, u32>(1)?.saturating_add(1),
        since: time::from_millis(row.get(2)?),
        endpoint: webhooks::endpoint(row, WEBHOOK)?,
        notice: notices::notice(row, NOTICE)?,
    })
}

fn claim(
    connection: &Connection,
    taken: &Outgoing,
    claimed_until: Timestamp,
) -> Result<(), StoreError> {
    let until = claimed_until.as_millisecond();
    connection
        .prepare_cached("UPDATE outbox SET tries = ?1, due_ms = ?2 WHERE outbox_id = ?3")?
        .execute(params![taken.tries, until, taken.id])?;
    connection
        .prepare_cached("UPDATE webhook SET rest_until_ms = ?1 WHERE webhook_id = ?2")?
        .execute(params![until, taken.endpoint.webhook.id.to_string()])?;
    Ok(())
}

pub(super) fn end(connection: &Connection, end: &TryEnd) -> Result<bool, StoreError> {
    let now = end.time.as_millisecond();
    let (state, due, ended) = match &end.tried {
        Tried::Delivered => ("delivered", now, Some(now)),
        Tried::Failed { due, .. } => ("waiting", due.as_millisecond(), None),
        Tried::GivenUp { .. } => ("failed", now, Some(now)),
    };
    let ended = connection
        .prepare_cached(
            "UPDATE outbox SET state = ?1, due_ms = ?2, end_ms = ?3
             WHERE outbox_id = ?4 AND tries = ?5 AND state = 'waiting'",
        )?
        .execute(params![state, due, ended, end.id, end.tries])?;
    if ended == 0 {
        return Ok(false);
    }
    let webhook = end.webhook.to_string();
    match &end.tried {
        Tried::Delivered => connection
            .prepare_cached(
                "UPDATE webhook SET rest_until_ms = 0, success_ms = ?1 WHERE webhook_id = ?2",
            )?
            .execute(params![now, webhook])?,
        Tried::Failed {
            rests_until,
            failure,
            ..
        }
        | Tried::GivenUp {
            rests_until,
            failure,
        } => connection
            .prepare_cached(
                "UPDATE webhook SET rest_until_ms = ?1, failure_ms = ?2, failure = ?3
                 WHERE webhook_id = ?4",
            )?
            .execute(params![rests_until.as_millisecond(), now, failure, webhook])?,
    };
    Ok(true)
}

pub(super) fn give_up(
    connection: &Connection,
    before: Timestamp,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let given_up = connection
        .prepare_cached(
            "UPDATE outbox SET state = 'failed', end_ms = ?2
             WHERE state = 'waiting' AND due_ms <= ?2 AND create_ms < ?1",
        )?
        .execute(params![before.as_millisecond(), now.as_millisecond()])?;
    Ok(given_up)
}

pub(super) fn depth(connection: &Connection) -> Result<OutboxDepth, StoreError> {
    let depth = connection
        .prepare_cached("SELECT count(*), min(create_ms) FROM outbox WHERE state = 'waiting'")?
        .query_row([], |row| {
            let oldest: Option<i64> = row.get(1)?;
            Ok(OutboxDepth {
                waiting: row.get(0)?,
                oldest: oldest.map(time::from_millis),
            })
        })?;
    Ok(depth)
}

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn outbox_is_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.read(move |connection| is_due(connection, now)).await
    }

    async fn outbox_take(
        &self,
        now: Timestamp,
        claimed_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Outgoing>, StoreError> {
        self.write(move |connection| take(connection, now, claimed_until, limit))
            .await
    }

    async fn outbox_end(&self, ended: TryEnd) -> Result<bool, StoreError> {
        self.write(move |connection| end(connection, &ended)).await
    }

    async fn outbox_give_up(&self, before: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        self.write(move |connection| give_up(connection, before, now))
            .await
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth, StoreError> {
        self.read(depth).await
    }
}
