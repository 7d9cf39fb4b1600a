//! The ledger: a batch is one transaction in two steps, each sent at once. The first locks the
//! shard and loads what the batch names; the second writes what it changed, set by set, and commits.

mod holds;
mod leases;
mod lines;
mod load;
mod save;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::super::{Balance, Batch, BatchStore, LedgerStore, OverdueHold, StoreError, Transaction};
use super::row::{self, get, small};
use super::{PostgresStore, Values};
use crate::domain::account::AccountKey;
use crate::domain::charging::Hold;
use crate::domain::day::Day;
use crate::domain::ledger::{Changes, Period, PeriodKey};

pub(super) use save::transfer_days;

const OPEN: &str = "SELECT count(*) AS open FROM hold WHERE state = 'open'";

const HOLDS_OVERDUE: &str = "
    SELECT hold_id, account FROM hold WHERE state = 'open' AND expire_ms <= $1
    ORDER BY expire_ms LIMIT $2";

const LOTS_OVERDUE: &str = "
    SELECT DISTINCT lot.account FROM lot JOIN account ON account.name = lot.account
    WHERE lot.expire_ms <= $1 AND account.balance > account.held + account.leased
        AND NOT account.frozen
    LIMIT $2";

const BALANCE: &str = "SELECT balance, held, leased FROM account WHERE name = $1";

/// What budgets have seen in these periods, in the same order; `None` for nothing yet.
pub(super) async fn periods(
    session: &Session,
    keys: &[PeriodKey],
) -> Result<Vec<Option<Period>>, StoreError> {
    load::periods_of(session, keys).await
}

/// The partitions that a batch writes to.
fn days(changes: &Changes) -> BTreeSet<Day> {
    let transfers = changes.transfers.iter().map(|transfer| transfer.id);
    let records = changes.records.iter().map(|record| record.event.id);
    transfers.chain(records).map(Day::of_id).collect()
}

fn overdue(row: &Row) -> Result<OverdueHold, StoreError> {
    Ok(OverdueHold {
        id: get(row, "hold_id")?,
        account: row::account(&get::<String>(row, "account")?)?,
    })
}

fn balance(row: &Row) -> Result<Balance, StoreError> {
    Ok(Balance {
        balance: Nanos::new(get(row, "balance")?),
        held: Nanos::new(get(row, "held")?),
        leased: Nanos::new(get(row, "leased")?),
    })
}

impl PostgresStore {
    /// Runs a batch; the days that there was no room for, if it could not be written for that.
    async fn try_transact(&self, shard: u16, batch: &Batch) -> Result<BTreeSet<Day>, StoreError> {
        let mut session = self.postgres.session().await?;
        let mut books = load::books(&mut session, shard, &batch.needs()).await?;
        books.retention = Some(self.partitions.retention);
        batch.run(&mut books);
        let missing = self.missing(&days(&books.changes));
        if missing.is_empty() {
            let mut saved = save::Saved::of(shard, &books, &self.partitions)?;
            let copied = saved.copied();
            session.commit_with(saved.asked(), copied).await?;
            self.partitions.note(&books.changes);
        }
        Ok(missing)
    }
}

#[async_trait]
impl BatchStore for PostgresStore {
    async fn transact(&self, shard: u16, batch: Arc<Batch>) -> Result<(), StoreError> {
        let own = self.shards.get(usize::from(shard));
        let _turn = own.ok_or(row::corrupt("shard"))?.lock().await;
        loop {
            let missing = self.try_transact(shard, &batch).await?;
            if missing.is_empty() {
                return Ok(());
            }
            self.make_room(&missing).await?;
        }
    }
}

#[async_trait]
impl LedgerStore for PostgresStore {
    async fn hold_get(&self, id: Uuid) -> Result<Option<Hold>, StoreError> {
        let found = self
            .session()
            .await?
            .query_first(holds::READ, &[&vec![id]])
            .await?;
        let read = |row| holds::read(row, &mut holds::LastPrices::default());
        found.as_ref().map(read).transpose()
    }

    async fn holds_open(&self) -> Result<u32, StoreError> {
        let counted = self.session().await?.query_first(OPEN, &[]).await?;
        counted.map_or(Ok(0), |row| small(&row, "open"))
    }

    async fn holds_overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OverdueHold>, StoreError> {
        let values: Values<'_> = &[&now.as_millisecond(), &i64::from(limit)];
        let rows = self.session().await?.query(HOLDS_OVERDUE, values).await?;
        rows.iter().map(overdue).collect()
    }

    async fn lots_overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AccountKey>, StoreError> {
        let values: Values<'_> = &[&now.as_millisecond(), &i64::from(limit)];
        let rows = self.session().await?.query(LOTS_OVERDUE, values).await?;
        let account = |row: &Row| row::account(&get::<String>(row, "account")?);
        rows.iter().map(account).collect()
    }

    async fn balance(&self, account: AccountKey) -> Result<Balance, StoreError> {
        let name = account.to_string();
        let found = self.session().await?.query_first(BALANCE, &[&name]).await?;
        found.as_ref().map_or(Ok(Balance::default()), balance)
    }

    async fn transactions(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Transaction>, StoreError> {
        let (session, account) = (self.session().await?, account.to_string());
        lines::before(&session, &account, before.unwrap_or(i64::MAX), limit).await
    }

    #[cfg(test)]
    async fn totals(&self) -> Result<super::super::Totals, StoreError> {
        super::tests::totals(&self.session().await?).await
    }
}
