//! The embedded store: SQLite, every change through its one writer thread.

mod holds;
mod ledger;
mod prices;
mod row;
mod tiers;
mod usage;

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Prices;
use keyward_storage::{Database, Migration};
use rusqlite::Connection;
use uuid::Uuid;

use super::{
    Balance, Granted, HoldStore, LedgerStore, NewGrant, NewHold, NewRecord, Placed, Posted,
    PriceStore, RecordQuery, Reject, Settlement, StoreError, TierStore, Transaction, UsageStore,
    Voided,
};
use crate::domain::account::AccountKey;
use crate::domain::charging::Hold;
use crate::domain::event::Event;
use crate::domain::prices::PriceRow;
use crate::domain::receipt::Record;
use crate::domain::requester::Visibility;
use crate::domain::tier::Tier;

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_metering.sql",
    sql: include_str!("sqlite/0001_metering.sql"),
}];

/// Metering's tables in a SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    database: Database,
}

impl SqliteStore {
    /// Opens or creates the file and brings its schema up to date. Blocks.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS)?,
        })
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
impl HoldStore for SqliteStore {
    async fn hold_place(&self, hold: NewHold) -> Result<Placed, StoreError> {
        self.write(move |connection| holds::place(connection, hold))
            .await
    }

    async fn hold_get(&self, id: Uuid) -> Result<Option<Hold>, StoreError> {
        self.read(move |connection| holds::get(connection, id))
            .await
    }

    async fn hold_settle(&self, settlement: Settlement) -> Result<Posted, StoreError> {
        self.write(move |connection| holds::settle(connection, &settlement))
            .await
    }

    async fn hold_void(
        &self,
        id: Uuid,
        event: Option<Event>,
        time: Timestamp,
    ) -> Result<Voided, StoreError> {
        self.write(move |connection| holds::void(connection, id, event.as_ref(), time))
            .await
    }

    async fn holds_open(&self) -> Result<u32, StoreError> {
        self.read(holds::count_open).await
    }

    async fn holds_expire(&self, time: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| holds::expire(connection, time, limit))
            .await
    }
}

#[async_trait]
impl LedgerStore for SqliteStore {
    async fn grant(&self, grant: NewGrant) -> Result<Granted, StoreError> {
        self.write(move |connection| ledger::grant(connection, &grant))
            .await
    }

    async fn balance(&self, account: AccountKey) -> Result<Balance, StoreError> {
        self.read(move |connection| ledger::balance(connection, &account.to_string()))
            .await
    }

    async fn transactions(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Transaction>, StoreError> {
        self.read(move |connection| ledger::transactions(connection, account, before, limit))
            .await
    }

    #[cfg(test)]
    async fn totals(&self) -> Result<super::Totals, StoreError> {
        self.read(ledger::totals).await
    }
}

#[async_trait]
impl UsageStore for SqliteStore {
    async fn records_insert(&self, records: Vec<NewRecord>) -> Result<Vec<Posted>, StoreError> {
        self.write(move |connection| {
            records
                .iter()
                .map(|record| usage::record(connection, record))
                .collect()
        })
        .await
    }

    async fn quarantine(&self, reject: Reject) -> Result<(), StoreError> {
        self.write(move |connection| usage::quarantine(connection, &reject, None))
            .await
    }

    async fn records(&self, query: RecordQuery) -> Result<Vec<Record>, StoreError> {
        self.read(move |connection| usage::list(connection, &query))
            .await
    }

    async fn attempts(
        &self,
        inference_id: String,
        visibility: Visibility,
    ) -> Result<Vec<Record>, StoreError> {
        self.read(move |connection| usage::attempts(connection, &inference_id, visibility))
            .await
    }
}

#[async_trait]
impl TierStore for SqliteStore {
    async fn tiers(&self) -> Result<Vec<Tier>, StoreError> {
        self.read(tiers::all).await
    }

    async fn tier_put(&self, tier: Tier) -> Result<(), StoreError> {
        self.write(move |connection| tiers::put(connection, &tier))
            .await
    }
}

#[async_trait]
impl PriceStore for SqliteStore {
    async fn price_book_install(
        &self,
        version: u64,
        rows: Vec<PriceRow>,
        time: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(move |connection| prices::install(connection, version, &rows, time))
            .await
    }

    async fn prices(
        &self,
        version: u64,
        provider: String,
        model: String,
    ) -> Result<Option<Prices>, StoreError> {
        self.read(move |connection| prices::get(connection, version, &provider, &model))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::SqliteStore;
    use crate::store::suite::conformance;

    fn open() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("metering.db")).expect("a store");
        (store, folder)
    }

    conformance!(open());

    #[tokio::test]
    async fn transfers_cannot_be_changed_or_deleted() {
        let (store, _folder) = open();
        for sql in ["UPDATE transfer SET amount = 1", "DELETE FROM transfer"] {
            let changed = store
                .write(move |connection| {
                    connection.execute(
                        "INSERT INTO transfer (transfer_id, debit_account, credit_account, amount,
                             kind, inference_id, request_id, note, post_ms)
                         VALUES (?1, 'platform/grants', 'platform/revenue', 5, 'grant', '', ?1, '',
                             0)",
                        [sql],
                    )?;
                    Ok(connection.execute(sql, [])?)
                })
                .await;
            let error = changed.expect_err("transfers are immutable");
            assert!(format!("{error:?}").contains("immutable"), "{error:?}");
        }
    }

    /// Pages and look-ups must cost what they show, however much is stored.
    #[tokio::test]
    async fn lists_walk_an_index() {
        let (store, _folder) = open();
        for (sql, index) in [
            (super::usage::LIST_ALL, "usage_record_by_account"),
            (super::usage::LIST_REQUEST, "usage_record_by_inference"),
            (super::usage::LIST_REQUEST, "usage_record_by_client_request"),
            (super::ledger::TRANSACTIONS, "transfer_by_debit"),
            (super::ledger::TRANSACTIONS, "transfer_by_credit"),
        ] {
            let plan = store
                .read(move |connection| {
                    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let mut rows = statement.raw_query();
                    let mut plan = String::new();
                    while let Some(row) = rows.next()? {
                        plan.push_str(&row.get::<_, String>(3)?);
                        plan.push('\n');
                    }
                    Ok(plan)
                })
                .await
                .expect("a plan");
            assert!(plan.contains(index), "{plan}");
            assert!(
                !plan
                    .lines()
                    .any(|line| line.starts_with("SCAN usage_record")),
                "{plan}"
            );
            assert!(
                !plan.lines().any(|line| line.starts_with("SCAN transfer")),
                "{plan}"
            );
        }
    }
}
