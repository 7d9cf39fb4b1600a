//! What statements and reports over many accounts read.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{SqliteStore, row};
use crate::domain::account::AccountKey;
use crate::domain::filter::Hour;
use crate::domain::statement::LedgerSums;
use crate::store::{StatementStore, StoreError};

/// Along the index of the account.
const MOVED: &str = "
    SELECT kind, post_ms < ?3, sum(amount) FROM transfer
    WHERE account = ?1 AND post_ms >= ?2 AND kind <> 'absorbed' GROUP BY 1, 2";

const BALANCE: &str = "SELECT balance FROM account WHERE name = ?1";

/// A copy of a store that has dropped some knows no more than the first that is left.
const KEPT_FROM: &str = "
    SELECT coalesce(min(post_ms), 9223372036854775807) FROM transfer
    WHERE account = ?1 AND EXISTS (SELECT 1 FROM transfer_carried WHERE account = ?1)
    HAVING EXISTS (SELECT 1 FROM transfer_carried WHERE account = ?1)";

pub(super) fn ledger(
    connection: &Connection,
    account: AccountKey,
    start: Timestamp,
    end: Timestamp,
) -> Result<LedgerSums, StoreError> {
    // All must see the same.
    let transaction = connection.unchecked_transaction()?;
    let account = account.to_string();
    let first = |sql: &str| -> Result<Option<i64>, StoreError> {
        let mut statement = transaction.prepare_cached(sql)?;
        Ok(statement
            .query_row([&account], |row| row.get(0))
            .optional()?)
    };
    let mut sums = LedgerSums {
        balance: first(BALANCE)?.map_or(Nanos::ZERO, Nanos::new),
        kept_from: first(KEPT_FROM)?.map(time::from_millis),
        ..LedgerSums::default()
    };
    let mut statement = transaction.prepare_cached(MOVED)?;
    let period = params![account, start.as_millisecond(), end.as_millisecond()];
    let mut rows = statement.query(period)?;
    while let Some(row) = rows.next()? {
        let kind = row::transfer_kind(&row.get::<_, String>(0)?)?;
        let moved = match row.get(1)? {
            true => &mut sums.during,
            false => &mut sums.after,
        };
        moved.add(kind, Nanos::new(row.get(2)?));
    }
    Ok(sums)
}

/// Days count as a whole.
pub(super) fn accounts(
    connection: &Connection,
    start: Hour,
    end: Hour,
) -> Result<Vec<AccountKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT account FROM usage_sum_day WHERE hour >= ?1 AND hour < ?2
         ORDER BY account",
    )?;
    let names = statement.query_map([start.day().get(), end.get()], |row| {
        row.get::<_, String>(0)
    })?;
    names.map(|name| row::account(&name?)).collect()
}

#[async_trait]
impl StatementStore for SqliteStore {
    async fn ledger_sums(
        &self,
        account: AccountKey,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<LedgerSums, StoreError> {
        self.read(move |connection| ledger(connection, account, start, end))
            .await
    }

    async fn accounts_used(&self, start: Hour, end: Hour) -> Result<Vec<AccountKey>, StoreError> {
        self.read(move |connection| accounts(connection, start, end))
            .await
    }
}
