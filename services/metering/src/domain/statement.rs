//! Statements: what moved an account's balance in a calendar month, in UTC.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use keyward_money::Nanos;

use super::ledger::TransferKind;

/// A calendar month in UTC, by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month(Date);

/// A text that names no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written like `2026-11`, from 1970 on")]
pub(crate) struct NoMonth;

impl Month {
    /// From `2026-11`.
    pub(crate) fn parse(text: &str) -> Result<Self, NoMonth> {
        let (year, month) = text.split_once('-').ok_or(NoMonth)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(NoMonth);
        }
        let year = year.parse().ok().filter(|year| (1970..9999).contains(year));
        let month = month.parse().map_err(|_| NoMonth)?;
        let first = Date::new(year.ok_or(NoMonth)?, month, 1);
        first.map(Self).map_err(|_| NoMonth)
    }

    /// The month that a time is in.
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(time.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    /// When it begins.
    pub(crate) fn start(self) -> Timestamp {
        midnight(self.0)
    }

    /// When the next one begins.
    pub(crate) fn end(self) -> Timestamp {
        self.0
            .checked_add(1.month())
            .map_or(Timestamp::MAX, midnight)
    }
}

/// Only the first days that there are begin before the first time that there is.
fn midnight(date: Date) -> Timestamp {
    let midnight = date.to_datetime(jiff::civil::Time::midnight());
    TimeZone::UTC
        .to_timestamp(midnight)
        .unwrap_or(Timestamp::MIN)
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

/// What moved a balance, by why; none is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Movements {
    pub(crate) grants: Nanos,
    pub(crate) refunds: Nanos,
    pub(crate) charges: Nanos,
    pub(crate) expiries: Nanos,
}

impl Movements {
    /// Counts transfers of a kind. What the platform absorbed moves no account's balance.
    pub(crate) fn add(&mut self, kind: TransferKind, amount: Nanos) {
        let sum = match kind {
            TransferKind::Grant => &mut self.grants,
            TransferKind::Refund => &mut self.refunds,
            TransferKind::Charge => &mut self.charges,
            TransferKind::Expiry => &mut self.expiries,
            TransferKind::Absorbed => return,
        };
        *sum = sum.saturating_add(amount);
    }

    /// What they add to the balance.
    fn gain(&self) -> Nanos {
        let credits = self.grants.saturating_add(self.refunds);
        credits
            .saturating_sub(self.charges)
            .saturating_sub(self.expiries)
    }
}

/// What the ledger says of a period, all from one state of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LedgerSums {
    /// What the account has now.
    pub(crate) balance: Nanos,
    /// What moved it in the period.
    pub(crate) during: Movements,
    /// What has moved it since.
    pub(crate) after: Movements,
    /// What moved it before is not kept in full; `None` where everything is.
    pub(crate) kept_from: Option<Timestamp>,
}

impl LedgerSums {
    /// What the account had when the period ended: what it has now, without what came after.
    pub(crate) fn closing(&self) -> Nanos {
        self.balance.saturating_sub(self.after.gain())
    }

    /// What it had when the period began.
    pub(crate) fn opening(&self) -> Nanos {
        self.closing().saturating_sub(self.during.gain())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_month_is_from_midnight_to_midnight_in_utc() {
        for (text, start, end) in [
            ("2026-11", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ] {
            let month = Month::parse(text).expect("a month");
            assert_eq!(month.to_string(), text);
            let (start, end): (Timestamp, Timestamp) =
                (start.parse().expect("a time"), end.parse().expect("a time"));
            assert_eq!((month.start(), month.end()), (start, end));
            assert_eq!(Month::of(start), month);
            assert_eq!(Month::of(end - 1.nanosecond()), month);
        }
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "+026-11",
            "2026-11-01",
            "1969-12",
        ] {
            assert_eq!(Month::parse(text), Err(NoMonth), "{text}");
        }
    }

    const KINDS: [TransferKind; 4] = [
        TransferKind::Grant,
        TransferKind::Refund,
        TransferKind::Charge,
        TransferKind::Expiry,
    ];

    proptest! {
        /// Whatever moved a balance, and wherever the periods are cut.
        #[test]
        fn periods_follow_each_other_without_a_gap(
            moves in prop::collection::vec((0..30_u8, 0..4_usize, 0..1_000_000_i64), 0..60),
            (first, second) in (0..30_u8, 0..30_u8),
        ) {
            let (start, end) = (first.min(second), first.max(second));
            let sums = |from: u8, to: u8| {
                let mut sums = Movements::default();
                for (day, kind, amount) in &moves {
                    if (from..to).contains(day) {
                        sums.add(KINDS[*kind], Nanos::new(*amount));
                    }
                }
                sums
            };
            let of = |from, to| LedgerSums {
                balance: sums(0, 30).gain(),
                during: sums(from, to),
                after: sums(to, 30),
                kept_from: None,
            };
            prop_assert_eq!(of(0, start).opening(), Nanos::ZERO);
            prop_assert_eq!(of(0, start).closing(), of(start, end).opening());
            prop_assert_eq!(of(start, end).closing(), of(end, 30).opening());
            prop_assert_eq!(of(end, 30).closing(), sums(0, 30).gain());
        }
    }
}
