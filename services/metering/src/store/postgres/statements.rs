//! What statements and reports over many accounts read.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_runtime::time;
use keyward_storage::postgres::{Row, Session};

use super::super::{StatementStore, StoreError};
use super::row::{self, get};
use super::{PostgresStore, Values};
use crate::domain::account::AccountKey;
use crate::domain::day::Day;
use crate::domain::filter::Hour;
use crate::domain::statement::LedgerSums;

/// The partitions of what was posted since.
const DAYS: &str = "SELECT DISTINCT day FROM transfer_day WHERE account = $1 AND post_day >= $2";

/// Along the index of the account, in each of them.
const MOVED: &str = "
    SELECT kind, post_ms < $4 AS during, sum(amount)::bigint AS amount FROM transfer
    WHERE day = ANY ($1) AND account = $2 AND post_ms >= $3 AND kind <> 'absorbed'
    GROUP BY 1, 2";

const BALANCE: &str = "SELECT balance FROM account WHERE name = $1";

/// What came after the last partition that was dropped.
const KEPT_FROM: &str = "SELECT max(day) + 1 AS day FROM partition_dropped";

const ACCOUNTS: &str = "
    SELECT DISTINCT account FROM usage_sum_day WHERE hour >= $1 AND hour < $2 ORDER BY account";

async fn ledger(
    session: &Session,
    account: AccountKey,
    (start, end): (i64, i64),
) -> Result<LedgerSums, StoreError> {
    let account = account.to_string();
    let balance = session.query_first(BALANCE, &[&account]).await?;
    let balance = balance.map_or(Ok(0), |row| get(&row, "balance"))?;
    let kept = session.query_first(KEPT_FROM, &[]).await?;
    let kept: Option<i32> = kept.map_or(Ok(None), |row| get(&row, "day"))?;
    let mut sums = LedgerSums {
        balance: Nanos::new(balance),
        kept_from: kept.map(|day| time::from_millis(Day::new(day).start_ms())),
        ..LedgerSums::default()
    };
    let from = Day::of_millis(start).get();
    let days = session.query(DAYS, &[&account, &from]).await?;
    let day = |row: &Row| get::<i32>(row, "day");
    let days = days.iter().map(day).collect::<Result<Vec<_>, _>>()?;
    let values: Values<'_> = &[&days, &account, &start, &end];
    for row in &session.query(MOVED, values).await? {
        let kind = row::transfer_kind(&get::<String>(row, "kind")?)?;
        let moved = match get(row, "during")? {
            true => &mut sums.during,
            false => &mut sums.after,
        };
        moved.add(kind, Nanos::new(get(row, "amount")?));
    }
    Ok(sums)
}

#[async_trait]
impl StatementStore for PostgresStore {
    async fn ledger_sums(
        &self,
        account: AccountKey,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<LedgerSums, StoreError> {
        // All must see the same.
        let snapshot = self.postgres.snapshot().await?;
        let period = (start.as_millisecond(), end.as_millisecond());
        let sums = ledger(&snapshot, account, period).await;
        snapshot.end(sums).await
    }

    async fn accounts_used(&self, start: Hour, end: Hour) -> Result<Vec<AccountKey>, StoreError> {
        let values: Values<'_> = &[&start.day().get(), &end.get()];
        let rows = self.session().await?.query(ACCOUNTS, values).await?;
        let account = |row: &Row| row::account(&get::<String>(row, "account")?);
        rows.iter().map(account).collect()
    }
}
