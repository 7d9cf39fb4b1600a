//! What a batch changed, for an engine to save.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos};
use uuid::Uuid;

use super::{PeriodKey, Reject};
use crate::domain::account::AccountKey;
use crate::domain::charging::Priced;
use crate::domain::event::Event;
use crate::domain::filter::Hour;
use crate::domain::notice::NewNotice;
use crate::domain::sums::Sum;

/// The platform's own accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Platform {
    /// Where grants come from: what it owes is what was ever granted.
    Grants,
    /// What customers paid.
    Revenue,
    /// What the platform pays for its customers beyond a cap.
    Absorbed,
    /// Credits that expired.
    Breakage,
}

impl Platform {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Grants, Self::Revenue, Self::Absorbed, Self::Breakage];

    /// Its name in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grants => "platform/grants",
            Self::Revenue => "platform/revenue",
            Self::Absorbed => "platform/absorbed",
            Self::Breakage => "platform/breakage",
        }
    }
}

/// Why money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TransferKind {
    /// Credits given: grants → account.
    Grant,
    /// A request paid for: account → revenue.
    Charge,
    /// What a request cost beyond its cap, or an attempt that another one made needless: absorbed →
    /// revenue.
    Absorbed,
    /// A charge given back: revenue → account.
    Refund,
    /// Credits that expired: account → breakage.
    Expiry,
}

impl TransferKind {
    /// Its name in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Charge => "charge",
            Self::Absorbed => "absorbed",
            Self::Refund => "refund",
            Self::Expiry => "expiry",
        }
    }

    /// By its name in the store.
    pub(crate) fn named(name: &str) -> Option<Self> {
        const ALL: [TransferKind; 5] = [
            TransferKind::Grant,
            TransferKind::Charge,
            TransferKind::Absorbed,
            TransferKind::Refund,
            TransferKind::Expiry,
        ];
        ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Which platform account is on the other side.
    pub(crate) const fn platform(self) -> Platform {
        match self {
            Self::Grant => Platform::Grants,
            Self::Charge | Self::Refund => Platform::Revenue,
            Self::Absorbed => Platform::Absorbed,
            Self::Expiry => Platform::Breakage,
        }
    }

    /// Whether the account gains by it.
    pub(crate) const fn is_credit(self) -> bool {
        matches!(self, Self::Grant | Self::Refund)
    }
}

/// An immutable move of money between an account and the platform. What was absorbed moves between
/// two accounts of the platform, for that account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// For what follows from an event, a function of the event's id: the same event never moves
    /// money twice, whatever else failed.
    pub(crate) id: Uuid,
    pub(crate) kind: TransferKind,
    pub(crate) account: AccountKey,
    /// More than zero.
    pub(crate) amount: Nanos,
    /// Of a charge, how much of it is beyond what was held.
    pub(crate) overrun: Nanos,
    /// Of a charge, whether its hold stood no more.
    pub(crate) late: bool,
    /// The event that it pays for or gives back.
    pub(crate) event_id: Option<Uuid>,
    pub(crate) inference_id: String,
    /// The idempotency key of whoever asked for it.
    pub(crate) request_id: Option<String>,
    pub(crate) note: String,
    pub(crate) time: Timestamp,
}

impl Transfer {
    /// What it adds to the account's balance.
    pub(crate) fn gain(&self) -> Nanos {
        if self.kind.is_credit() {
            self.amount
        } else {
            Nanos::ZERO.saturating_sub(self.amount)
        }
    }
}

/// A usage record to be stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UsageRow {
    pub(crate) event: Event,
    pub(crate) hold_id: Option<Uuid>,
    pub(crate) priced: Priced,
    pub(crate) price_version: u64,
    pub(crate) markup: BasisPoints,
    pub(crate) time: Timestamp,
}

/// What usage records that are summed together have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SumKey {
    pub(crate) account: AccountKey,
    pub(crate) hour: Hour,
    pub(crate) user_uid: String,
    pub(crate) user_id: String,
    pub(crate) project_id: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) key_source: i32,
    pub(crate) provider_key_id: String,
}

impl SumKey {
    /// What a record that is stored at `recorded` is summed with.
    pub(crate) fn of(event: &Event, recorded: Timestamp) -> Self {
        let message = &event.message;
        let owner = message.owner.clone().unwrap_or_default();
        Self {
            account: event.account,
            hour: Hour::of(event.dispatched(recorded)),
            user_uid: owner.user_uid,
            user_id: owner.user,
            project_id: owner.project,
            provider: message.provider.clone(),
            model: message.model.clone(),
            key_source: message.key_source,
            provider_key_id: message.provider_key_id.clone(),
        }
    }
}

/// What a batch changed: new rows, and which of those that the books hold have another content now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) accounts: BTreeSet<AccountKey>,
    /// Lots that are new or have less in them.
    pub(crate) lots: BTreeSet<(AccountKey, Uuid)>,
    pub(crate) periods: BTreeSet<PeriodKey>,
    /// Holds that are new.
    pub(crate) new_holds: BTreeSet<Uuid>,
    /// Holds that were there before.
    pub(crate) holds: BTreeSet<Uuid>,
    /// Leases, new or with another content.
    pub(crate) leases: BTreeSet<Uuid>,
    pub(crate) transfers: Vec<Transfer>,
    /// What they add to the platform's accounts.
    pub(crate) platform: BTreeMap<Platform, Nanos>,
    pub(crate) records: Vec<UsageRow>,
    /// Sums by what records have in common.
    pub(crate) sums: HashMap<SumKey, Sum>,
    /// The same by name and value of a tag, empty for records without tags.
    pub(crate) tag_sums: HashMap<(SumKey, String, String), Sum>,
    pub(crate) rejects: Vec<Reject>,
    /// What accounts should know of. An occasion that was told of before is left out by the store.
    pub(crate) notices: Vec<NewNotice>,
}

impl Changes {
    /// Counts a record in the sums.
    pub(crate) fn count(&mut self, event: &Event, priced: &Priced, recorded: Timestamp) {
        let key = SumKey::of(event, recorded);
        let sum = Sum::of(event, priced);
        for (name, value) in event.tags_to_sum() {
            let key = (key.clone(), name.to_owned(), value.to_owned());
            self.tag_sums.entry(key).or_default().add(&sum);
        }
        self.sums.entry(key).or_default().add(&sum);
    }
}
