//! What an account has: lots of credits that burn in order, what it owes, what is held.

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

/// Credits of one grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lot {
    /// The transfer that brought them.
    pub(crate) id: Uuid,
    /// What is left of them; never negative.
    pub(crate) remaining: Nanos,
    /// Lower ones burn first.
    pub(crate) priority: i32,
    /// From when they count no more; `None` for never.
    pub(crate) expire_time: Option<Timestamp>,
}

impl Lot {
    /// The order in which lots burn: by priority, then those that expire first, then the oldest.
    fn order(&self) -> (i32, Timestamp, Uuid) {
        let expires = self.expire_time.unwrap_or(Timestamp::MAX);
        (self.priority, expires, self.id)
    }

    fn is_good(&self, now: Timestamp) -> bool {
        self.expire_time.is_none_or(|expires| now < expires)
    }
}

/// An account of the ledger, as its transfers and open holds add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Account {
    /// What came less what went; negative where more was used than was there.
    pub(crate) balance: Nanos,
    /// What open holds hold.
    pub(crate) held: Nanos,
    /// What is lent to routers and neither charged nor given back.
    pub(crate) leased: Nanos,
    /// What its credits consist of. While something is owed all of them are empty.
    pub(crate) lots: Vec<Lot>,
    /// Its books did not add up: nothing is written to it until somebody has looked.
    pub(crate) frozen: bool,
}

impl Account {
    /// What can be held or spent now: without what has expired but is not yet booked as such.
    pub(crate) fn available(&self, now: Timestamp) -> Nanos {
        let expired = self.lots.iter().filter(|lot| !lot.is_good(now));
        let expired = total(expired.map(|lot| lot.remaining));
        self.balance
            .saturating_sub(self.held)
            .saturating_sub(self.leased)
            .saturating_sub(expired)
    }

    /// Takes an amount, from good lots in their order, then from whatever is left, then as a debt.
    /// Gives the ids of the lots that changed.
    pub(super) fn burn(&mut self, amount: Nanos, now: Timestamp) -> Vec<Uuid> {
        self.balance = self.balance.saturating_sub(amount);
        self.lots
            .sort_by_key(|lot| (!lot.is_good(now), lot.order()));
        let (mut left, mut touched) = (amount, Vec::new());
        for lot in &mut self.lots {
            let taken = left.min(lot.remaining);
            if taken > Nanos::ZERO {
                lot.remaining = lot.remaining.saturating_sub(taken);
                left = left.saturating_sub(taken);
                touched.push(lot.id);
            }
        }
        touched
    }

    /// Adds a lot. What is owed is paid from it first.
    pub(super) fn add(&mut self, mut lot: Lot) {
        let owed = Nanos::ZERO.saturating_sub(self.balance).max(Nanos::ZERO);
        self.balance = self.balance.saturating_add(lot.remaining);
        lot.remaining = lot.remaining.saturating_sub(owed).max(Nanos::ZERO);
        self.lots.push(lot);
    }

    /// Empties what has expired, but leaves what open holds and leases may need: they were placed while it
    /// was good. Gives how much that is, and the ids of the lots that changed.
    pub(super) fn expire(&mut self, now: Timestamp) -> (Nanos, Vec<Uuid>) {
        let needed = self.held.saturating_add(self.leased);
        let mut free = self.balance.saturating_sub(needed).max(Nanos::ZERO);
        let (mut expired, mut touched) = (Nanos::ZERO, Vec::new());
        for lot in self.lots.iter_mut().filter(|lot| !lot.is_good(now)) {
            let taken = free.min(lot.remaining);
            if taken > Nanos::ZERO {
                lot.remaining = lot.remaining.saturating_sub(taken);
                free = free.saturating_sub(taken);
                expired = expired.saturating_add(taken);
                touched.push(lot.id);
            }
        }
        self.balance = self.balance.saturating_sub(expired);
        (expired, touched)
    }

    /// Whether its lots are what its balance says: nobody has credits and owes some.
    #[cfg(test)]
    pub(crate) fn adds_up(&self) -> bool {
        let lots = total(self.lots.iter().map(|lot| lot.remaining));
        let is_owed = self.balance < Nanos::ZERO;
        if is_owed {
            lots.is_zero()
        } else {
            lots == self.balance
        }
    }
}

fn total(amounts: impl Iterator<Item = Nanos>) -> Nanos {
    amounts.fold(Nanos::ZERO, Nanos::saturating_add)
}
