//! A lease of credits, as a router holds from it: numbers that requests change at the same time,
//! without a lock. Times are milliseconds of the router's own monotonic clock.

mod demand;
mod tickets;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use keyward_money::{BasisPoints, Nanos};

pub use demand::Demand;
pub use tickets::Tickets;

/// What metering lent of one account, for one tier.
///
/// What is neither free to be held, nor held, nor charged, was given back: so of what metering has
/// still lent, all that is not free here is held, or is charged and not told yet.
#[derive(Debug)]
pub struct Lease {
    /// By what metering knows it.
    pub id: String,
    /// The tier that it was lent for.
    pub tier: String,
    /// What is charged under it goes by these.
    pub markup: BasisPoints,
    /// The SHA-256 of the prices that hold for it.
    pub prices_digest: Vec<u8>,
    /// What can be held; below zero where more was charged than held.
    free: AtomicI64,
    in_flight: AtomicI64,
    /// Settles that metering has not acknowledged.
    untold: AtomicI64,
    /// Altogether since it began.
    granted: AtomicI64,
    returned: AtomicI64,
    /// What of it metering has heard.
    returned_told: AtomicI64,
    /// Until when holds are taken.
    until_ms: AtomicU64,
    is_recalled: AtomicBool,
}

impl Lease {
    /// One of which nothing was lent yet.
    pub fn new(id: String, tier: String, markup: BasisPoints, digest: Vec<u8>) -> Self {
        Self {
            id,
            tier,
            markup,
            prices_digest: digest,
            free: AtomicI64::new(0),
            in_flight: AtomicI64::new(0),
            untold: AtomicI64::new(0),
            granted: AtomicI64::new(0),
            returned: AtomicI64::new(0),
            returned_told: AtomicI64::new(0),
            until_ms: AtomicU64::new(0),
            is_recalled: AtomicBool::new(false),
        }
    }

    /// So much was lent altogether, and for so long.
    pub fn granted(&self, total: Nanos, until_ms: u64) {
        let before = self.granted.fetch_max(total.get(), Ordering::AcqRel);
        let more = total.get().saturating_sub(before).max(0);
        self.free.fetch_add(more, Ordering::AcqRel);
        self.until_ms.fetch_max(until_ms, Ordering::AcqRel);
    }

    /// Whether new holds may be taken.
    pub fn is_usable(&self, now_ms: u64) -> bool {
        !self.is_recalled.load(Ordering::Acquire) && now_ms < self.until_ms.load(Ordering::Acquire)
    }

    /// Takes a hold, if there is enough.
    pub fn hold(&self, amount: Nanos, now_ms: u64) -> bool {
        self.is_usable(now_ms) && self.raise(amount)
    }

    /// Takes more for a hold that stands, recalled or not.
    pub fn raise(&self, amount: Nanos) -> bool {
        let amount = amount.get().max(0);
        // Before it is taken: what is in neither place would be given back by whoever looks then.
        self.in_flight.fetch_add(amount, Ordering::AcqRel);
        let take = |free: i64| (free >= amount).then(|| free - amount);
        let taken = self
            .free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        if taken.is_err() {
            self.in_flight.fetch_sub(amount, Ordering::AcqRel);
        }
        taken.is_ok()
    }

    /// A hold is over: what of it was not charged is free again, and what was charged beyond it is
    /// gone.
    pub fn settle(&self, held: Nanos, charge: Nanos) {
        let rest = held.get().saturating_sub(charge.get());
        self.free.fetch_add(rest, Ordering::AcqRel);
        self.in_flight.fetch_sub(held.get(), Ordering::AcqRel);
    }

    /// Metering has to be told of something under it.
    pub fn telling(&self) {
        self.untold.fetch_add(1, Ordering::AcqRel);
    }

    /// Metering has it.
    pub fn told(&self) {
        self.untold.fetch_sub(1, Ordering::AcqRel);
    }

    /// No more holds are taken.
    pub fn recall(&self) {
        self.is_recalled.store(true, Ordering::Release);
    }

    /// Takes out what is free, to be given back. Says how much that is altogether, and whether the
    /// lease is over: nothing is held from it then, nor can be, and metering knows all.
    pub fn take_back(&self) -> (Nanos, bool) {
        let take = |free: i64| (free > 0).then_some(0);
        let taken = self
            .free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        let taken = taken.unwrap_or(0);
        let before = self.returned.fetch_add(taken, Ordering::AcqRel);
        // Only now: a hold that was faster is in flight, and one that was not finds nothing.
        (Nanos::new(before.saturating_add(taken)), self.is_over())
    }

    /// Metering has heard that so much came back.
    pub fn returned(&self, total: Nanos) {
        self.returned_told.fetch_max(total.get(), Ordering::AcqRel);
    }

    /// Whether metering has heard that so much came back.
    pub fn has_returned(&self, total: Nanos) -> bool {
        self.returned_told.load(Ordering::Acquire) >= total.get()
    }

    /// Whether nothing is held from it, and metering knows all.
    fn is_over(&self) -> bool {
        self.in_flight().is_zero() && self.untold.load(Ordering::Acquire) == 0
    }

    /// What can be held, in nano-credits; below zero where more was charged than held.
    pub fn free(&self) -> Nanos {
        Nanos::new(self.free.load(Ordering::Acquire))
    }

    /// What requests in flight hold, in nano-credits.
    pub fn in_flight(&self) -> Nanos {
        Nanos::new(self.in_flight.load(Ordering::Acquire))
    }

    /// What was lent altogether.
    pub fn total(&self) -> Nanos {
        Nanos::new(self.granted.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests;
