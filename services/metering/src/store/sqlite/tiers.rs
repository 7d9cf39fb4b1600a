//! Tiers, and answers to changes of them.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{SqliteStore, row};
use crate::domain::tier::{Terms, Tier, TierLimits};
use crate::store::{Answer, Call, NewAnswer, StoreError, TierStore};

pub(super) fn all(connection: &Connection) -> Result<Vec<Tier>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, markup_basis_points, organization_keys, requests_per_minute,
             tokens_per_minute, concurrency, revision, create_ms, update_ms
         FROM tier ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut tiers = Vec::new();
    while let Some(row) = rows.next()? {
        tiers.push(tier(row)?);
    }
    Ok(tiers)
}

fn tier(row: &Row<'_>) -> Result<Tier, StoreError> {
    let tokens: Option<i64> = row.get(4)?;
    Ok(Tier {
        name: row.get(0)?,
        terms: Terms {
            markup: row::markup(row.get(1)?)?,
            organization_keys: row.get(2)?,
            limits: TierLimits {
                requests_per_minute: row.get(3)?,
                tokens_per_minute: tokens.map(row::unsigned).transpose()?,
                concurrency: row.get(5)?,
            },
        },
        revision: row::unsigned(row.get(6)?)?,
        create_time: time::from_millis(row.get(7)?),
        update_time: time::from_millis(row.get(8)?),
    })
}

pub(super) fn put(
    connection: &Connection,
    tier: &Tier,
    answer: Option<&NewAnswer>,
) -> Result<(), StoreError> {
    let (terms, limits) = (&tier.terms, &tier.terms.limits);
    let tokens = limits.tokens_per_minute.map(row::signed).transpose()?;
    connection
        .prepare_cached(
            "INSERT INTO tier (name, markup_basis_points, organization_keys, requests_per_minute,
                 tokens_per_minute, concurrency, revision, create_ms, update_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (name) DO UPDATE SET
                 markup_basis_points = excluded.markup_basis_points,
                 organization_keys = excluded.organization_keys,
                 requests_per_minute = excluded.requests_per_minute,
                 tokens_per_minute = excluded.tokens_per_minute,
                 concurrency = excluded.concurrency,
                 revision = excluded.revision,
                 update_ms = excluded.update_ms",
        )?
        .execute(params![
            tier.name,
            terms.markup.get(),
            terms.organization_keys,
            limits.requests_per_minute,
            tokens,
            limits.concurrency,
            row::signed(tier.revision)?,
            tier.create_time.as_millisecond(),
            tier.update_time.as_millisecond(),
        ])?;
    answer.map_or(Ok(()), |answer| remember(connection, answer))
}

/// Keeps an answer, and lets go of those that nobody can ask for any more.
pub(super) fn remember(connection: &Connection, new: &NewAnswer) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM answer WHERE answer_ms < ?1")?
        .execute([new.forget_before.as_millisecond()])?;
    connection
        .prepare_cached(
            "INSERT INTO answer (caller, method, request_id, request, answer, answer_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            new.call.caller,
            new.call.method,
            new.call.request_id,
            new.answer.request,
            new.answer.answer,
            new.time.as_millisecond(),
        ])?;
    Ok(())
}

pub(super) fn answer(
    connection: &Connection,
    call: &Call,
    since: Timestamp,
) -> Result<Option<Answer>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT request, answer FROM answer
             WHERE caller = ?1 AND method = ?2 AND request_id = ?3 AND answer_ms >= ?4",
        )?
        .query_row(
            params![
                call.caller,
                call.method,
                call.request_id,
                since.as_millisecond()
            ],
            |row| {
                Ok(Answer {
                    request: row.get(0)?,
                    answer: row.get(1)?,
                })
            },
        )
        .optional()?;
    Ok(found)
}

#[async_trait]
impl TierStore for SqliteStore {
    async fn tiers(&self) -> Result<Vec<Tier>, StoreError> {
        self.read(all).await
    }

    async fn tier_put(&self, tier: Tier, answer: Option<NewAnswer>) -> Result<(), StoreError> {
        self.write(move |connection| put(connection, &tier, answer.as_ref()))
            .await
    }

    async fn answer(&self, call: Call, since: Timestamp) -> Result<Option<Answer>, StoreError> {
        self.read(move |connection| answer(connection, &call, since))
            .await
    }
}
