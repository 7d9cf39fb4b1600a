//! What is let go of, piece by piece.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::SqliteStore;
use crate::domain::day::first_id;
use crate::store::{StoreError, UpkeepStore};

/// Along the ids, which begin with the time at which they were made.
const HOLDS: &str = "
    DELETE FROM hold WHERE hold_id IN (
        SELECT hold_id FROM hold WHERE hold_id < ?1 AND state <> 'open' AND expire_ms < ?2
        ORDER BY hold_id LIMIT ?3)";

const FORGOTTEN: &str = "INSERT INTO hold_forgotten (until_ms) VALUES (?1) ON CONFLICT DO NOTHING";

const FORGOTTEN_BEFORE: &str = "DELETE FROM hold_forgotten WHERE until_ms < ?1";

const PERIODS: &str = "
    DELETE FROM budget_period WHERE (budget_id, start_ms) IN (
        SELECT budget_id, start_ms FROM budget_period WHERE start_ms < ?1 AND held = 0
        ORDER BY start_ms LIMIT ?2)";

pub(super) fn holds(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let (first, before) = (first_id(before).to_string(), before.as_millisecond());
    let removed = connection
        .prepare_cached(HOLDS)?
        .execute(params![first, before, limit])?;
    if removed > 0 {
        for noting in [FORGOTTEN, FORGOTTEN_BEFORE] {
            connection.prepare_cached(noting)?.execute([before])?;
        }
    }
    Ok(removed)
}

pub(super) fn periods(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let removed = connection
        .prepare_cached(PERIODS)?
        .execute(params![before.as_millisecond(), limit])?;
    Ok(removed)
}

#[async_trait]
impl UpkeepStore for SqliteStore {
    /// A file grows by itself, and keeps everything.
    async fn keep_up(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn holds_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| holds(connection, before, limit))
            .await
    }

    async fn periods_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| periods(connection, before, limit))
            .await
    }
}
