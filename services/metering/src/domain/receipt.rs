//! Receipts: one request's attempts, added up.

use keyward_money::{BasisPoints, Nanos, Prices};

use super::charging::{Priced, charge as charge_of};
use super::event::{Event, Outcome};

/// Where a record stands in lists: by time, then in the order in which they were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordPlace {
    /// When it was dispatched, in milliseconds since 1970.
    pub(crate) start_ms: i64,
    pub(crate) sequence: i64,
}

/// An attempt as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) place: RecordPlace,
    pub(crate) event: Event,
    /// When it was stored.
    pub(crate) time: jiff::Timestamp,
    pub(crate) priced: Priced,
    /// The version it was priced by; 0 where unpriced.
    pub(crate) price_version: u64,
    /// The markup it was charged with; nothing with an own key.
    pub(crate) markup: BasisPoints,
}

/// One request, added up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    /// Which of the attempts served, or was the last to try.
    pub(crate) served: usize,
    pub(crate) charge: Nanos,
    /// What of the charge is markup.
    pub(crate) markup: Nanos,
    /// What the same would have cost in credits less the charge; `None` where unpriced.
    pub(crate) saved: Option<Nanos>,
}

/// The attempt that served: the last that delivered something, else the last of all.
pub(crate) fn served(attempts: &[Record]) -> Option<usize> {
    let delivered = attempts
        .iter()
        .rposition(|record| record.event.outcome == Outcome::Delivered);
    delivered.or(attempts.len().checked_sub(1))
}

/// Adds a request up. `prices` are those that the serving attempt was priced by, `markup` that of
/// the reader's tier: records of own keys and of stored answers have none, since nobody knows the tier
/// while they are made, and what was saved is a statement about what the reader would pay.
pub(crate) fn summarize(
    attempts: &[Record],
    prices: Option<&Prices>,
    markup: BasisPoints,
) -> Option<Summary> {
    let served = served(attempts)?;
    let record = attempts.get(served)?;
    let charge = attempts.iter().try_fold(Nanos::ZERO, |sum, attempt| {
        sum.checked_add(attempt.priced.charge)
    })?;
    let pinned = record.event.is_paid_in_credits();
    let markup = if pinned { record.markup } else { markup };
    let in_credits = match (record.event.outcome, prices) {
        (_, None) => None,
        (Outcome::Failed | Outcome::Hedged, Some(_)) => Some(Nanos::ZERO),
        (Outcome::Delivered, Some(prices)) => charge_of(&record.event, prices, markup)
            .ok()
            .map(|cost| cost.charge),
    };
    let list_cost = record.priced.list_cost.unwrap_or(Nanos::ZERO);
    let markup = if charge.is_zero() {
        Nanos::ZERO
    } else {
        charge.saturating_sub(list_cost)
    };
    let saved = in_credits.and_then(|cost| cost.checked_sub(charge));
    Some(Summary {
        served,
        charge,
        markup,
        saved,
    })
}
