//! The ledger in SQLite: what a batch names is read, what it changed is written, row by row, in the
//! one transaction.

mod load;
mod save;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use uuid::Uuid;

use super::{SqliteStore, row};
use crate::domain::account::AccountKey;
use crate::domain::charging::Hold;
use crate::domain::day::Retention;
use crate::domain::ledger::{Period, PeriodKey};
use crate::store::{Balance, Batch, BatchStore, LedgerStore, OverdueHold, StoreError, Transaction};

/// Runs a batch.
pub(super) fn transact(
    connection: &Connection,
    batch: &Batch,
    retention: Option<Retention>,
) -> Result<(), StoreError> {
    let mut books = load::books(connection, &batch.needs())?;
    books.retention = retention;
    batch.run(&mut books);
    save::changes(connection, &books)
}

pub(super) fn hold(connection: &Connection, id: Uuid) -> Result<Option<Hold>, StoreError> {
    load::hold(connection, id)
}

pub(super) fn period(
    connection: &Connection,
    key: PeriodKey,
) -> Result<Option<Period>, StoreError> {
    load::period(connection, key)
}

pub(super) fn balance(connection: &Connection, account: AccountKey) -> Result<Balance, StoreError> {
    let found = connection
        .prepare_cached("SELECT balance, held, leased FROM account WHERE name = ?1")?
        .query_row([account.to_string()], |row| {
            Ok(Balance {
                balance: Nanos::new(row.get(0)?),
                held: Nanos::new(row.get(1)?),
                leased: Nanos::new(row.get(2)?),
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub(super) fn count_open(connection: &Connection) -> Result<u32, StoreError> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM hold WHERE state = 'open'")?
        .query_row([], |row| row.get(0))?;
    Ok(count)
}

pub(super) fn holds_overdue(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<OverdueHold>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT hold_id, account FROM hold WHERE state = 'open' AND expire_ms <= ?1
         ORDER BY expire_ms LIMIT ?2",
    )?;
    let mut rows = statement.query(params![now.as_millisecond(), limit])?;
    let mut overdue = Vec::new();
    while let Some(row) = rows.next()? {
        overdue.push(OverdueHold {
            id: row::uuid(&row.get::<_, String>(0)?)?,
            account: row::account(&row.get::<_, String>(1)?)?,
        });
    }
    Ok(overdue)
}

pub(super) fn lots_overdue(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<AccountKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT lot.account FROM lot JOIN account ON account.name = lot.account
         WHERE lot.expire_ms <= ?1 AND account.balance > account.held + account.leased
             AND NOT account.frozen
         LIMIT ?2",
    )?;
    let mut rows = statement.query(params![now.as_millisecond(), limit])?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        accounts.push(row::account(&row.get::<_, String>(0)?)?);
    }
    Ok(accounts)
}

/// Along the index of the account.
pub(super) const TRANSACTIONS: &str = "
    SELECT sequence, transfer_id, post_ms, kind, amount, inference_id, note, request_id
    FROM transfer WHERE account = :account AND sequence < :before AND kind <> 'absorbed'
    ORDER BY sequence DESC LIMIT :limit";

pub(super) fn transactions(
    connection: &Connection,
    account: AccountKey,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Transaction>, StoreError> {
    let mut statement = connection.prepare_cached(TRANSACTIONS)?;
    let values = named_params! {
        ":account": account.to_string(),
        ":before": before.unwrap_or(i64::MAX),
        ":limit": limit,
    };
    let mut rows = statement.query(values)?;
    let mut transactions = Vec::new();
    while let Some(row) = rows.next()? {
        transactions.push(transaction(row)?);
    }
    Ok(transactions)
}

fn transaction(row: &Row<'_>) -> Result<Transaction, StoreError> {
    let kind = row::transfer_kind(&row.get::<_, String>(3)?)?;
    let amount = Nanos::new(row.get(4)?);
    Ok(Transaction {
        sequence: row.get(0)?,
        id: row.get::<_, Uuid>(1)?.to_string(),
        post_time: time::from_millis(row.get(2)?),
        kind,
        amount: if kind.is_credit() {
            amount
        } else {
            Nanos::ZERO.saturating_sub(amount)
        },
        inference_id: row.get(5)?,
        note: row.get(6)?,
        request_id: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
    })
}

#[cfg(test)]
pub(super) fn totals(connection: &Connection) -> Result<super::super::Totals, StoreError> {
    let sum = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(super::super::Totals {
        balances: Nanos::new(sum("SELECT sum(balance) FROM account")?),
        balances_off: sum("SELECT count(*) FROM account WHERE balance <>
                 (SELECT coalesce(sum(amount), 0) FROM entry WHERE entry.account = name)
                 + coalesce((SELECT amount FROM transfer_carried WHERE account = name), 0)")?,
        lots_off: sum("SELECT count(*) FROM account
             WHERE name NOT LIKE 'platform/%' AND max(balance, 0) <>
                 (SELECT coalesce(sum(remaining), 0) FROM lot WHERE lot.account = name)")?,
        held: Nanos::new(sum("SELECT sum(held) FROM account")?),
        open_holds: Nanos::new(sum(
            "SELECT coalesce(sum(amount), 0) FROM hold WHERE state = 'open'",
        )?),
        leased: Nanos::new(sum("SELECT sum(leased) FROM account")?),
        open_leases: Nanos::new(sum("SELECT coalesce(sum(remaining), 0) FROM lease")?),
        record_charges: Nanos::new(sum("SELECT coalesce(sum(charge), 0) FROM usage_record")?),
        transfer_charges: Nanos::new(sum(
            "SELECT coalesce(sum(amount), 0) FROM transfer WHERE kind = 'charge'",
        )?),
    })
}

#[async_trait]
impl BatchStore for SqliteStore {
    /// The one writer thread takes batches of all shards into one commit.
    async fn transact(&self, _shard: u16, batch: Arc<Batch>) -> Result<(), StoreError> {
        let retention = self.retention;
        self.write(move |connection| transact(connection, &batch, retention))
            .await
    }
}

#[async_trait]
impl LedgerStore for SqliteStore {
    async fn hold_get(&self, id: Uuid) -> Result<Option<Hold>, StoreError> {
        self.read(move |connection| hold(connection, id)).await
    }

    async fn holds_open(&self) -> Result<u32, StoreError> {
        self.read(count_open).await
    }

    async fn holds_overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OverdueHold>, StoreError> {
        self.read(move |connection| holds_overdue(connection, now, limit))
            .await
    }

    async fn lots_overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AccountKey>, StoreError> {
        self.read(move |connection| lots_overdue(connection, now, limit))
            .await
    }

    async fn balance(&self, account: AccountKey) -> Result<Balance, StoreError> {
        self.read(move |connection| balance(connection, account))
            .await
    }

    async fn transactions(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Transaction>, StoreError> {
        self.read(move |connection| transactions(connection, account, before, limit))
            .await
    }

    #[cfg(test)]
    async fn totals(&self) -> Result<super::super::Totals, StoreError> {
        self.read(totals).await
    }
}
