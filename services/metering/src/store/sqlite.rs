//! The embedded store: SQLite, every change through its one writer thread.

mod budgets;
mod forgetting;
pub(crate) mod inspect;
mod leases;
mod ledger;
mod migrations;
mod notices;
mod outbox;
#[cfg(test)]
mod power_cut;
mod prices;
mod proof;
mod row;
mod statements;
mod sums;
mod tiers;
mod usage;
mod webhooks;

use std::path::Path;

use async_trait::async_trait;
use keyward_storage::Database;
use rusqlite::Connection;

use super::{CloseStore, StoreError};
use crate::domain::day::Retention;
pub(super) use migrations::MIGRATIONS;

/// Metering's tables in a SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    database: Database,
    /// From when on events are too old to be recorded; what is recorded stays.
    retention: Option<Retention>,
}

impl SqliteStore {
    /// Opens or creates the file and brings its schema up to date. Blocks.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS)?,
            retention: None,
        })
    }

    /// The same, which refuses events that are older.
    pub(crate) fn keeping(self, retention: Retention) -> Self {
        Self {
            retention: Some(retention),
            ..self
        }
    }

    /// Opens the file for reading only, also beside a process that writes to it. Blocks.
    pub(crate) fn look(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::look(path, MIGRATIONS)?,
            retention: None,
        })
    }

    /// Has the store refuse every record from now on.
    #[cfg(test)]
    pub(crate) async fn refuse_records(&self) {
        self.tamper(
            "CREATE TRIGGER refused BEFORE INSERT ON usage_record
             BEGIN SELECT raise(ABORT, 'refused'); END",
        )
        .await;
    }

    /// Changes something behind the program's back; says how many rows.
    #[cfg(test)]
    pub(crate) async fn tamper(&self, sql: &'static str) -> usize {
        let changed = self.write(move |connection| Ok(connection.execute(sql, [])?));
        changed.await.expect("the store works")
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.write(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.read(work).await
    }
}

#[async_trait]
impl CloseStore for SqliteStore {
    async fn close(&self) {
        self.database.close().await;
    }
}

#[cfg(test)]
mod tests;
