//! Metering's store in Postgres, for several meterings at once.

mod budgets;
mod columns;
mod crossing;
mod forgetting;
pub(crate) mod inspect;
mod ledger;
mod lists;
mod noted;
mod notices;
mod outbox;
mod partitions;
mod prices;
mod proof;
mod row;
mod statements;
mod sums;
mod tiers;
mod usage;
mod webhooks;
mod windows;

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use keyward_storage::postgres::{Schema, Session, ToSql};
use keyward_storage::{Migration, Postgres, PostgresUrl, StorageError};
use tokio::sync::Mutex;

use super::{CloseStore, RecordQuery, SHARDS, StoreError, SumQuery, Sums, UsageStore};
use crate::domain::day::Retention;
use crate::domain::ledger::Reject;
use crate::domain::receipt::Record;
use crate::domain::requester::Visibility;
use crate::domain::sums::TooManyGroups;
use partitions::Partitions;

/// The schema's steps, in order; a released one never changes.
const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_metering",
    sql: include_str!("postgres/0001_metering.sql"),
}];

/// Metering's part of a database. Whoever makes it owns it, and nobody else may look into it.
pub(super) const SCHEMA: Schema = Schema {
    name: "keyward_metering",
    create: "CREATE SCHEMA keyward_metering; REVOKE ALL ON SCHEMA keyward_metering FROM PUBLIC",
    migrations: MIGRATIONS,
};

/// Held until the transaction ends by whoever changes a table as a whole.
const LOCK_WHOLE: &str = "
    SELECT pg_advisory_xact_lock(hashtextextended('keyward_metering.' || $1::text, 0))";

/// The store.
#[derive(Debug, Clone)]
pub(crate) struct PostgresStore {
    postgres: Postgres,
    partitions: Arc<Partitions>,
    /// Held by whoever writes for a shard: who waits for another of the same process does so without
    /// a connection.
    shards: Arc<[Mutex<()>; SHARDS as usize]>,
}

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl PostgresStore {
    /// Connects. The schema must have been brought up to date, see [`PostgresStore::migrate`].
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, or has another schema.
    pub(crate) async fn open(
        url: &PostgresUrl,
        retention: Retention,
    ) -> Result<Self, StorageError> {
        let postgres = Postgres::open(url, &SCHEMA).await?;
        Ok(Self::over(postgres, retention))
    }

    fn over(postgres: Postgres, retention: Retention) -> Self {
        Self {
            postgres,
            partitions: Arc::new(Partitions::new(retention)),
            shards: Arc::default(),
        }
    }

    /// The same for reading only.
    ///
    /// # Errors
    /// As of [`PostgresStore::open`].
    pub(crate) async fn look(
        url: &PostgresUrl,
        retention: Retention,
    ) -> Result<Self, StorageError> {
        let postgres = Postgres::look(url, &SCHEMA).await?;
        Ok(Self::over(postgres, retention))
    }

    /// Makes the schema or brings it up to date; says from which version, and to which.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, refuses, or is of a later version.
    pub(crate) async fn migrate(url: &PostgresUrl) -> Result<(u32, u32), StorageError> {
        Postgres::migrate(url, &SCHEMA).await
    }

    async fn session(&self) -> Result<Session, StoreError> {
        Ok(self.postgres.session().await?)
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send,
        F: for<'s> FnOnce(&'s Session) -> BoxFuture<'s, Result<T, StoreError>> + Send,
    {
        self.postgres.write(work).await
    }
}

/// Waits for whoever else changes that table as a whole.
async fn lock_whole(session: &Session, table: &'static str) -> Result<(), StoreError> {
    session.query(LOCK_WHOLE, &[&table]).await?;
    Ok(())
}

#[async_trait]
impl UsageStore for PostgresStore {
    async fn quarantine(&self, reject: Reject) -> Result<(), StoreError> {
        let (session, rejects) = (self.session().await?, [reject]);
        let aside = usage::aside(&rejects);
        session.execute(usage::PUT_ASIDE, &aside.arrays()).await?;
        Ok(())
    }

    async fn records(&self, query: RecordQuery) -> Result<Vec<Record>, StoreError> {
        lists::records(&self.session().await?, &query).await
    }

    async fn usage_sums(&self, query: SumQuery) -> Result<Result<Sums, TooManyGroups>, StoreError> {
        sums::query(self, &query).await
    }

    /// There are none without sums here.
    async fn usage_sums_complete(&self, _: u32) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn attempts(
        &self,
        inference_id: String,
        visibility: Visibility,
    ) -> Result<Vec<Record>, StoreError> {
        lists::attempts(&self.session().await?, &inference_id, visibility).await
    }
}

#[async_trait]
impl CloseStore for PostgresStore {
    async fn close(&self) {
        self.postgres.close();
    }
}

#[cfg(test)]
mod tests;
