//! Usage: each attempt is recorded once, whatever comes again; what contradicts itself is put aside.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos};
use uuid::Uuid;

use super::{Books, Command, Needs, StoredEvent, UsageRow};
use crate::domain::account::AccountKey;
use crate::domain::charging::{Hold, Priced};
use crate::domain::day::Day;
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
    /// It is older than records are kept: whether it was counted before is not known any more.
    TooOld,
    /// The store cannot hold it.
    Unstorable,
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
            Self::TooOld => "too_old",
            Self::Unstorable => "unstorable",
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

impl Reject {
    /// A whole event.
    pub(crate) fn of(
        event: &Event,
        hold_id: Option<Uuid>,
        reason: QuarantineReason,
        time: Timestamp,
    ) -> Self {
        Self {
            event_id: event.id.to_string(),
            hold_id,
            reason,
            body: event.to_bytes(),
            time,
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
    /// An event in the name of whoever placed its hold, whatever it says itself. Where the hold is
    /// gone, one that was stored before still is whose it was.
    pub(super) fn named(&self, event: &Event, hold: Option<&Hold>) -> Event {
        let stored = self.events.get(&event.id).map(|stored| &stored.event);
        let stored = stored.filter(|stored| stored.account == event.account);
        match (hold.map(|hold| &hold.request), stored) {
            (Some(request), _) => event.of(request.account, Some(&request.owner)),
            (None, Some(stored)) => event.of(stored.account, stored.message.owner.as_ref()),
            (None, None) => event.clone(),
        }
    }

    /// What became of an event before, or of one that comes too late to know; `None` where it is new.
    /// One that was measured stays where a guess of the same id comes after it.
    pub(super) fn known(
        &mut self,
        event: &Event,
        hold_id: Option<Uuid>,
        now: Timestamp,
    ) -> Option<Posted> {
        match self.events.get(&event.id) {
            Some(stored) if stored.event == *event || event.gives_way_to(&stored.event) => {
                Some(Posted::Recorded {
                    priced: stored.priced,
                    duplicate: true,
                })
            }
            Some(_) => Some(self.put_aside(event, hold_id, QuarantineReason::OtherFigures, now)),
            None if self.is_too_old(event, now) => {
                Some(self.put_aside(event, hold_id, QuarantineReason::TooOld, now))
            }
            None => None,
        }
    }

    fn is_too_old(&self, event: &Event, now: Timestamp) -> bool {
        let today = Day::of_millis(now.as_millisecond());
        let retention = self.retention;
        retention.is_some_and(|kept| !kept.keeps(Day::of_id(event.id), today))
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
        let reject = Reject::of(event, hold_id, reason, time);
        self.changes.rejects.push(reject);
        Posted::Quarantined(reason)
    }
}
