//! What is kept, by topic: the ledger with its holds and usage records, tiers, the price book,
//! budgets. One suite of tests (`suite`) states what every engine must do.

mod batch;
mod budgets;
mod columns;
mod crossing;
mod leases;
pub(crate) mod notices;
pub(crate) mod postgres;
mod proof;
pub(crate) mod sqlite;
#[cfg(test)]
pub(crate) mod suite;
pub(crate) mod tables;
mod text;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::{Nanos, Prices};
use keyward_storage::StorageError;
use uuid::Uuid;

pub(crate) use batch::{Batch, NotWritten, Work, transact};
pub(crate) use budgets::BudgetStore;
pub(crate) use crossing::{CrossingStore, Mark};
pub(crate) use leases::LeaseStore;
pub(crate) use proof::{ProofStore, prove};

use crate::domain::account::AccountKey;
use crate::domain::charging::Hold;
use crate::domain::filter::{Filter, Hour};
use crate::domain::ledger::{Reject, TransferKind};
use crate::domain::prices::{Activation, PriceRow, PriceVersion};
use crate::domain::receipt::{Record, RecordPlace};
use crate::domain::requester::Visibility;
use crate::domain::span::Span;
use crate::domain::statement::LedgerSums;
use crate::domain::sums::{Dimension, Dimensions, GroupSum, Sum, TooManyGroups};
use crate::domain::tier::Tier;
use notices::{NoticeStore, OutboxStore, WebhookStore};

/// What goes wrong with the store itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The engine refused.
    #[error("the store failed")]
    Storage(#[from] StorageError),
    /// A row holds what this program never writes.
    #[error("the store holds an unreadable {what}")]
    Corrupt {
        /// Which thing.
        what: &'static str,
    },
}

impl StoreError {
    /// Whether it is about what was to be stored or what is, and not about the store: the rest of a
    /// batch can be stored without it.
    pub(crate) fn is_of_what_is_stored(&self) -> bool {
        match self {
            Self::Storage(fault) => fault.is_of_values(),
            Self::Corrupt { .. } => true,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// What an account has and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_field_names, reason = "the contract calls it so")]
pub(crate) struct Balance {
    pub(crate) balance: Nanos,
    pub(crate) held: Nanos,
    /// What is lent to routers.
    pub(crate) leased: Nanos,
}

/// One line of an account's ledger.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) sequence: i64,
    pub(crate) id: String,
    pub(crate) post_time: Timestamp,
    pub(crate) kind: TransferKind,
    /// What it adds to the balance; negative for a charge.
    pub(crate) amount: Nanos,
    pub(crate) inference_id: String,
    pub(crate) note: String,
    pub(crate) request_id: String,
}

/// Sums over the whole store, which must agree.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// All balances: always nothing.
    pub(crate) balances: Nanos,
    /// All balances as the transfers say: always nothing, and the same account by account.
    pub(crate) balances_off: i64,
    /// Accounts whose lots are not what they have: always none.
    pub(crate) lots_off: i64,
    /// What accounts hold.
    pub(crate) held: Nanos,
    /// What open holds hold.
    pub(crate) open_holds: Nanos,
    /// What accounts have lent.
    pub(crate) leased: Nanos,
    /// What is left of open leases.
    pub(crate) open_leases: Nanos,
    /// What usage records say was charged.
    pub(crate) record_charges: Nanos,
    /// What the ledger says was charged.
    pub(crate) transfer_charges: Nanos,
}

/// A hold that nobody settled in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverdueHold {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
}

/// How all of the ledger is written: transfers, the balances that they add up to, holds, and usage
/// records.
#[async_trait]
pub(crate) trait BatchStore: Send + Sync {
    /// Applies a batch of one shard in one transaction: loads what it names, runs it, saves what it
    /// changed. Durable once it returns; after an error nobody knows, and the batch may be asked for
    /// again.
    async fn transact(&self, shard: u16, batch: Arc<Batch>) -> Result<(), StoreError>;
}

/// What is read of the ledger.
#[async_trait]
pub(crate) trait LedgerStore: Send + Sync {
    /// The hold of that id.
    async fn hold_get(&self, id: Uuid) -> Result<Option<Hold>, StoreError>;

    /// How many holds are open.
    async fn holds_open(&self) -> Result<u32, StoreError>;

    /// At most `limit` open holds that are to be freed by now, the oldest first.
    async fn holds_overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OverdueHold>, StoreError>;

    /// At most `limit` accounts with credits that have expired and are not needed by holds.
    async fn lots_overdue(&self, now: Timestamp, limit: u32)
    -> Result<Vec<AccountKey>, StoreError>;

    /// What an account has; nothing where it was never used.
    async fn balance(&self, account: AccountKey) -> Result<Balance, StoreError>;

    /// An account's ledger, newest first, from before the line with that sequence.
    async fn transactions(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Transaction>, StoreError>;

    /// Sums that prove the store consistent.
    #[cfg(test)]
    async fn totals(&self) -> Result<Totals, StoreError>;
}

/// Which usage records to list.
#[derive(Debug, Clone)]
pub(crate) struct RecordQuery {
    pub(crate) account: AccountKey,
    /// Only those of this user; `None` for all.
    pub(crate) user_uid: Option<Uuid>,
    /// Only those of this request, by our id or the caller's own.
    pub(crate) inference_id: Option<String>,
    pub(crate) filter: Filter,
    /// Only those before this one.
    pub(crate) before: Option<RecordPlace>,
    pub(crate) limit: u32,
}

/// Which sums to make.
#[derive(Debug, Clone)]
pub(crate) struct SumQuery {
    pub(crate) account: AccountKey,
    /// Only of this user; `None` for all.
    pub(crate) user_uid: Option<Uuid>,
    /// The first hour.
    pub(crate) start: Hour,
    /// The hour after the last.
    pub(crate) end: Hour,
    /// Its times do not count here.
    pub(crate) filter: Filter,
    pub(crate) by: Dimensions,
    /// The most sums that there may be.
    pub(crate) groups_max: usize,
}

impl SumQuery {
    /// Its period, by whole days as far as hours are not asked for.
    pub(crate) fn span(&self) -> Span {
        if self.by.contains(&Dimension::Hour) {
            Span::of_hours(self.start, self.end)
        } else {
            Span::of_days(self.start, self.end)
        }
    }
}

/// What was used in a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    /// In order.
    pub(crate) groups: Vec<GroupSum>,
    /// All that fits, each record once.
    pub(crate) total: Sum,
}

/// Usage records: one for each attempt.
#[async_trait]
pub(crate) trait UsageStore: Send + Sync {
    /// Puts something aside.
    async fn quarantine(&self, reject: Reject) -> Result<(), StoreError>;

    /// Lists records, newest first.
    async fn records(&self, query: RecordQuery) -> Result<Vec<Record>, StoreError>;

    /// Adds records up, from sums by the hour and by the day that are kept with every record: what
    /// it costs does not grow with the number of records.
    async fn usage_sums(&self, query: SumQuery) -> Result<Result<Sums, TooManyGroups>, StoreError>;

    /// Adds at most `limit` records to the sums that were stored before there were any; says how
    /// many it added.
    async fn usage_sums_complete(&self, limit: u32) -> Result<usize, StoreError>;

    /// All attempts of a request that may be seen, in order.
    async fn attempts(
        &self,
        inference_id: String,
        visibility: Visibility,
    ) -> Result<Vec<Record>, StoreError>;
}

/// A call that may come again under the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) caller: String,
    pub(crate) method: &'static str,
    pub(crate) request_id: String,
}

/// What was answered to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What was asked for, encoded.
    pub(crate) request: Vec<u8>,
    /// The answer, encoded.
    pub(crate) answer: Vec<u8>,
}

/// An answer to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewAnswer {
    pub(crate) call: Call,
    pub(crate) answer: Answer,
    pub(crate) time: Timestamp,
    /// Older answers can go.
    pub(crate) forget_before: Timestamp,
}

/// Tiers.
#[async_trait]
pub(crate) trait TierStore: Send + Sync {
    /// All tiers.
    async fn tiers(&self) -> Result<Vec<Tier>, StoreError>;

    /// Makes or changes a tier, and keeps the answer to who asked for it.
    async fn tier_put(&self, tier: Tier, answer: Option<NewAnswer>) -> Result<(), StoreError>;

    /// The answer to a call, if it is not older than `since`.
    async fn answer(&self, call: Call, since: Timestamp) -> Result<Option<Answer>, StoreError>;
}

/// Price books, one for each version; old ones stay, since holds and records cite them.
#[async_trait]
pub(crate) trait PriceStore: Send + Sync {
    /// Takes the rows of a catalogue, sorted: as the version of the last catalogue or the latest one
    /// where that has the same, else as a new one of at least `version`, which is in force then. Says
    /// which one is.
    async fn price_book_install(
        &self,
        version: u64,
        rows: Vec<PriceRow>,
        time: Timestamp,
    ) -> Result<Activation, StoreError>;

    /// Which version is in force; `None` before the first.
    async fn price_activation(&self) -> Result<Option<Activation>, StoreError>;

    /// Puts a version in force and keeps the answer to who asked for it; says whether there is one.
    async fn price_activate(
        &self,
        version: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError>;

    /// At most `limit` versions before that one, latest first.
    async fn price_versions(
        &self,
        before: u64,
        limit: u32,
    ) -> Result<Vec<PriceVersion>, StoreError>;

    /// All prices of a version, by provider and model; none where there is no such version.
    async fn price_rows(&self, version: u64) -> Result<Vec<PriceRow>, StoreError>;

    /// The prices of a model at a provider in a version.
    async fn prices(
        &self,
        version: u64,
        provider: String,
        model: String,
    ) -> Result<Option<Prices>, StoreError>;
}

/// What statements, and reports over many accounts, read.
#[async_trait]
pub(crate) trait StatementStore: Send + Sync {
    /// What an account has, and what moved it in a period and since.
    async fn ledger_sums(
        &self,
        account: AccountKey,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<LedgerSums, StoreError>;

    /// The accounts that have records of the days of a period.
    async fn accounts_used(&self, start: Hour, end: Hour) -> Result<Vec<AccountKey>, StoreError>;
}

/// What a store needs now and then.
#[async_trait]
pub(crate) trait UpkeepStore: Send + Sync {
    /// Makes room for what comes, and lets go of what is older than is kept.
    async fn keep_up(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Removes at most `limit` closed holds that expired before; says how many. A settle of one that
    /// comes later finds none.
    async fn holds_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError>;

    /// Removes at most `limit` periods of budgets that began before and in which nothing is held;
    /// says how many.
    async fn periods_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError>;
}

/// The end of it.
#[async_trait]
pub(crate) trait CloseStore: Send + Sync {
    /// Ends what was asked for, and takes on nothing more.
    async fn close(&self);
}

/// All that metering keeps.
pub(crate) trait Store:
    BatchStore
    + LedgerStore
    + LeaseStore
    + ProofStore
    + UsageStore
    + TierStore
    + PriceStore
    + StatementStore
    + BudgetStore
    + NoticeStore
    + WebhookStore
    + OutboxStore
    + UpkeepStore
    + CloseStore
{
}

impl<T> Store for T where
    T: BatchStore
        + LedgerStore
        + LeaseStore
        + ProofStore
        + UsageStore
        + TierStore
        + PriceStore
        + StatementStore
        + BudgetStore
        + NoticeStore
        + WebhookStore
        + OutboxStore
        + UpkeepStore
        + CloseStore
{
}

/// Over how many writers accounts are spread. Part of the schema: platform accounts have a row for
/// each.
pub(crate) const SHARDS: u16 = 8;

/// The shard of an account. The last bits of an owner's id are random.
pub(crate) fn shard_of(account: AccountKey) -> u16 {
    let spread = account.uid.as_u128() % u128::from(SHARDS);
    u16::try_from(spread).unwrap_or(0)
}
