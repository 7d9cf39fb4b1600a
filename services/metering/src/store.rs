//! What is kept, by topic: holds, the ledger, usage records, tiers, the price book. One suite of
//! tests (`suite`) states what every engine must do.

pub(crate) mod sqlite;
#[cfg(test)]
mod suite;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos, Prices};
use keyward_storage::StorageError;
use uuid::Uuid;

use crate::domain::account::AccountKey;
use crate::domain::charging::{Hold, HoldRequest, Priced, Terms};
use crate::domain::event::Event;
use crate::domain::filter::{Filter, Hour};
use crate::domain::prices::PriceRow;
use crate::domain::receipt::{Record, RecordPlace};
use crate::domain::requester::Visibility;
use crate::domain::sums::{Dimensions, GroupSum, Sum, TooManyGroups};
use crate::domain::tier::Tier;

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

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// A hold to be placed.
#[derive(Debug, Clone)]
pub(crate) struct NewHold {
    pub(crate) request: HoldRequest,
    pub(crate) terms: Terms,
    pub(crate) amount: Nanos,
    pub(crate) create_time: Timestamp,
    pub(crate) expire_time: Timestamp,
}

/// What became of a hold to be placed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Placed {
    /// It stands, from now or since before; what it pins is in it.
    Held(Box<Hold>),
    /// The balance does not cover it.
    Short {
        /// What there is.
        available: Nanos,
    },
    /// There is a hold of that id for something else.
    Conflict,
}

/// What became of a hold to be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended {
    /// So much is held.
    Held(Nanos),
    /// The balance does not cover it.
    Short {
        /// What there is beyond what is held already.
        available: Nanos,
    },
    /// Nothing is held by it any more.
    Closed,
    /// There is no such hold.
    Unknown,
}

/// A settle of a hold, with ids for the transfers that it may make.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) event: Event,
    pub(crate) hold_id: Uuid,
    pub(crate) charge_id: Uuid,
    pub(crate) absorbed_id: Uuid,
    pub(crate) time: Timestamp,
}

/// Why an event was put aside instead of counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QuarantineReason {
    /// The same id has come with other figures.
    OtherFigures,
    /// The hold was charged for another event already.
    HoldSettled,
    /// There is no such hold.
    UnknownHold,
    /// Its cost does not fit an amount, or a balance.
    Overflow,
    /// It is incomplete.
    Malformed,
}

impl QuarantineReason {
    /// Its name in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OtherFigures => "other_figures",
            Self::HoldSettled => "hold_settled",
            Self::UnknownHold => "unknown_hold",
            Self::Overflow => "overflow",
            Self::Malformed => "malformed",
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Posted {
    /// It is stored and counted, from now or since before.
    Recorded {
        /// What it cost.
        priced: Priced,
        /// Whether it had been stored before.
        duplicate: bool,
    },
    /// It contradicts what is stored and was put aside.
    Quarantined(QuarantineReason),
}

/// What became of a hold to be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Voided {
    /// Whether it had been closed before, or never placed.
    pub(crate) duplicate: bool,
    /// Why the event that came with it was put aside, if it was.
    pub(crate) quarantined: Option<QuarantineReason>,
}

/// Holds, from placing to settling.
#[async_trait]
pub(crate) trait HoldStore: Send + Sync {
    /// Places a hold if the balance covers it.
    async fn hold_place(&self, hold: NewHold) -> Result<Placed, StoreError>;

    /// The hold of that id.
    async fn hold_get(&self, id: Uuid) -> Result<Option<Hold>, StoreError>;

    /// Raises what an open hold holds to an amount if the balance covers it; never lowers it.
    async fn hold_extend(&self, id: Uuid, amount: Nanos) -> Result<Extended, StoreError>;

    /// Charges an event against its hold, whatever the balance, and whether or not the hold still
    /// stands; frees what was held.
    async fn hold_settle(&self, settlement: Settlement) -> Result<Posted, StoreError>;

    /// Frees a hold; stores the failed attempt that came with it, if any, at no charge.
    async fn hold_void(
        &self,
        id: Uuid,
        event: Option<Event>,
        time: Timestamp,
    ) -> Result<Voided, StoreError>;

    /// How many holds are open.
    async fn holds_open(&self) -> Result<u32, StoreError>;

    /// Frees at most `limit` holds that nobody settled in time; says how many.
    async fn holds_expire(&self, time: Timestamp, limit: u32) -> Result<usize, StoreError>;
}

/// A grant of credits.
#[derive(Debug, Clone)]
pub(crate) struct NewGrant {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) amount: Nanos,
    /// Idempotency key.
    pub(crate) request_id: String,
    pub(crate) note: String,
    pub(crate) time: Timestamp,
}

/// What became of a grant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Granted {
    /// It is in the ledger, from now or since before.
    Posted {
        /// The line of the ledger.
        transaction: Transaction,
        /// Whether it had been there before.
        duplicate: bool,
    },
    /// The same idempotency key came with another amount or note.
    Mismatch,
    /// With it a balance would be more than can be counted.
    Overflow,
}

/// What an account has and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Balance {
    pub(crate) balance: Nanos,
    pub(crate) held: Nanos,
}

/// What a line of the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionKind {
    Grant,
    Charge,
}

/// One line of an account's ledger.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) sequence: i64,
    pub(crate) id: String,
    pub(crate) post_time: Timestamp,
    pub(crate) kind: TransactionKind,
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
    /// What accounts hold.
    pub(crate) held: Nanos,
    /// What open holds hold.
    pub(crate) open_holds: Nanos,
    /// What usage records say was charged.
    pub(crate) record_charges: Nanos,
    /// What the ledger says was charged.
    pub(crate) transfer_charges: Nanos,
}

/// The ledger: immutable transfers, and the balances that they add up to.
#[async_trait]
pub(crate) trait LedgerStore: Send + Sync {
    /// Grants credits, once for each account and idempotency key.
    async fn grant(&self, grant: NewGrant) -> Result<Granted, StoreError>;

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

/// An attempt without a hold, priced.
#[derive(Debug, Clone)]
pub(crate) struct NewRecord {
    pub(crate) event: Event,
    pub(crate) priced: Priced,
    pub(crate) price_version: u64,
    pub(crate) time: Timestamp,
}

/// Something that came as an event and cannot be counted.
#[derive(Debug, Clone)]
pub(crate) struct Reject {
    pub(crate) event_id: String,
    pub(crate) reason: QuarantineReason,
    pub(crate) body: Vec<u8>,
    pub(crate) time: Timestamp,
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
    /// Stores attempts that never had a hold, all or none; says what became of each.
    async fn records_insert(&self, records: Vec<NewRecord>) -> Result<Vec<Posted>, StoreError>;

    /// Puts something aside.
    async fn quarantine(&self, reject: Reject) -> Result<(), StoreError>;

    /// Lists records, newest first.
    async fn records(&self, query: RecordQuery) -> Result<Vec<Record>, StoreError>;

    /// Adds records up, from sums by the hour that are kept with every record: what it costs does
    /// not grow with the number of records.
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
    /// Makes these rows the current version: the latest one's where that has the same rows, else a
    /// new one of at least `version`. Says which it is.
    async fn price_book_install(
        &self,
        version: u64,
        rows: Vec<PriceRow>,
        time: Timestamp,
    ) -> Result<u64, StoreError>;

    /// The prices of a model at a provider in a version.
    async fn prices(
        &self,
        version: u64,
        provider: String,
        model: String,
    ) -> Result<Option<Prices>, StoreError>;
}

/// The end of it.
#[async_trait]
pub(crate) trait CloseStore: Send + Sync {
    /// Ends what was asked for, and takes on nothing more.
    async fn close(&self);
}

/// All that metering keeps.
pub(crate) trait Store:
    HoldStore + LedgerStore + UsageStore + TierStore + PriceStore + CloseStore
{
}

impl<T: HoldStore + LedgerStore + UsageStore + TierStore + PriceStore + CloseStore> Store for T {}

/// The markup of records that were not charged.
pub(crate) const NO_MARKUP: BasisPoints = BasisPoints::ZERO;
