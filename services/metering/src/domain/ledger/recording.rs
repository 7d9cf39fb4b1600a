//! Usage: each attempt is recorded once, whatever comes again; what contradicts itself is put aside.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos};
use uuid::Uuid;

use super::{Books, Command, Needs, StoredEvent, UsageRow};
use crate::domain::account::AccountKey;
use crate::domain::charging::Priced;
use crate::domain::event::Event;

/// Why an event was put aside instead of counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QuarantineReason {
    /// The same id has come with other figures.
    OtherFigures,
    /// The hold was charged for another event already.
    HoldSettled,
    /// There is no such hold.
    UnknownHold,
    /// There is no such lease of the account's.
    UnknownLease,
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
            Self::UnknownLease => "unknown_lease",
            Self::Overflow => "overflow",
            Self::Malformed => "malformed",
        }
    }
}

/// Something that came as an event and cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reject {
    pub(crate) event_id: String,
    pub(crate) hold_id: Option<Uuid>,
    pub(crate) reason: QuarantineReason,
    pub(crate) body: Vec<u8>,
    pub(crate) time: Timestamp,
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
    /// Its hold is another account's: nothing was done, it belongs in those books.
    Elsewhere(AccountKey),
    /// The account's books are closed until somebody has looked at them: nothing was done, and it
    /// is to be told again.
    Frozen,
}

/// An attempt without a hold, priced.
#[derive(Debug, Clone)]
pub(crate) struct NewRecord {
    pub(crate) event: Event,
    pub(crate) priced: Priced,
    pub(crate) price_version: u64,
    pub(crate) time: Timestamp,
}

impl Command for NewRecord {
    type Answer = Posted;

    fn account(&self) -> AccountKey {
        self.event.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.event.account);
        needs.events.insert(self.event.id);
    }

    fn apply(&self, books: &mut Books) -> Posted {
        books.record_or_put_aside(UsageRow {
            event: self.event.clone(),
            hold_id: None,
            priced: self.priced,
            price_version: self.price_version,
            markup: BasisPoints::ZERO,
            time: self.time,
        })
    }
}

impl Books {
    /// What became of an event before; `None` where it is new.
    pub(super) fn known(
        &mut self,
        event: &Event,
        hold_id: Option<Uuid>,
        now: Timestamp,
    ) -> Option<Posted> {
        let stored = self.events.get(&event.id)?;
        if stored.event == *event {
            return Some(Posted::Recorded {
                priced: stored.priced,
                duplicate: true,
            });
        }
        Some(self.put_aside(event, hold_id, QuarantineReason::OtherFigures, now))
    }

    /// Stores a record, unless its id is stored already: with the same content that is the same
    /// record, with another it is put aside.
    pub(super) fn record_or_put_aside(&mut self, row: UsageRow) -> Posted {
        if self.is_frozen(row.event.account) {
            return Posted::Frozen;
        }
        if let Some(known) = self.known(&row.event, row.hold_id, row.time) {
            return known;
        }
        let priced = row.priced;
        self.record(row);
        Posted::Recorded {
            priced,
            duplicate: false,
        }
    }

    /// Stores a record that is not stored yet, and counts it in the sums: the one place that does.
    pub(super) fn record(&mut self, row: UsageRow) {
        self.changes.count(&row.event, &row.priced, row.time);
        let stored = StoredEvent {
            event: row.event.clone(),
            priced: row.priced,
            refunded: Nanos::ZERO,
        };
        self.events.insert(row.event.id, stored);
        self.changes.records.push(row);
    }

    /// Keeps an event aside, outside of all sums.
    pub(super) fn put_aside(
        &mut self,
        event: &Event,
        hold_id: Option<Uuid>,
        reason: QuarantineReason,
        time: Timestamp,
    ) -> Posted {
        self.changes.rejects.push(Reject {
            event_id: event.id.to_string(),
            hold_id,
            reason,
            body: event.to_bytes(),
            time,
        });
        Posted::Quarantined(reason)
    }
}
