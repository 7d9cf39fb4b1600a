//! Credit leases: a part of a balance is lent to a router, which takes holds from it by itself. What it
//! settles under a lease comes off the lease as it comes off the balance, so what is left for others
//! does not change by it.

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos};
use uuid::Uuid;

use super::settling::priced;
use super::{Books, BudgetShare, Command, Needs, Posted, QuarantineReason, Settlement};
use crate::domain::account::AccountKey;
use crate::domain::charging::{Hold, HoldRequest, HoldState, Terms};
use crate::domain::event::Event;

/// A router, by its spool and by how often it was started over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Holder {
    pub(crate) router: Uuid,
    pub(crate) start: u64,
}

/// What is lent to one router of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) holder: Holder,
    /// What its settles are priced by, whenever they come.
    pub(crate) price_version: u64,
    pub(crate) markup: BasisPoints,
    /// What was lent altogether.
    pub(crate) granted: Nanos,
    /// What the router gave back altogether.
    pub(crate) returned: Nanos,
    /// What is neither charged nor given back; nothing once it has ended.
    pub(crate) remaining: Nanos,
    pub(crate) is_open: bool,
    pub(crate) create_time: Timestamp,
    /// From when on the router takes no holds from it.
    pub(crate) expire_time: Timestamp,
}

impl Lease {
    /// The name of its state in the store.
    pub(crate) const fn state(&self) -> &'static str {
        match self.is_open {
            true => "open",
            false => "ended",
        }
    }
}

/// A lease to begin, or to be raised and kept for longer. Amounts are of the whole lease since it
/// began, so that the same one again has no second effect.
#[derive(Debug, Clone)]
pub(crate) struct Lend {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) holder: Holder,
    /// For one that begins.
    pub(crate) price_version: u64,
    pub(crate) markup: BasisPoints,
    /// What shall be lent altogether.
    pub(crate) wanted: Nanos,
    /// Less than that altogether is of no use.
    pub(crate) least: Nanos,
    /// The most that may be out at a time.
    pub(crate) most: Nanos,
    /// Into how many parts what is there is divided, of which one may be lent; 1 for all of it.
    pub(crate) parts: i64,
    pub(crate) time: Timestamp,
    pub(crate) expire_time: Timestamp,
}

/// What became of a lease that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lent {
    /// It stands so.
    Granted(Box<Lease>),
    /// There is not enough; what was lent before stands as it did.
    Short {
        /// What there is.
        available: Nanos,
    },
    /// It has ended, or is another's.
    Ended,
    /// The account's books are closed until somebody has looked at them.
    Frozen,
}

impl Lend {
    fn begun(&self) -> Lease {
        Lease {
            id: self.id,
            account: self.account,
            holder: self.holder,
            price_version: self.price_version,
            markup: self.markup,
            granted: Nanos::ZERO,
            returned: Nanos::ZERO,
            remaining: Nanos::ZERO,
            is_open: true,
            create_time: self.time,
            expire_time: self.expire_time,
        }
    }

    /// How much more is lent; `None` where that is too little.
    fn offer(&self, lease: &Lease, available: Nanos) -> Option<Nanos> {
        let share = Nanos::new(available.get().max(0) / self.parts.max(1));
        let more = |total: Nanos| total.saturating_sub(lease.granted).max(Nanos::ZERO);
        let room = self.most.saturating_sub(lease.remaining).max(Nanos::ZERO);
        let offer = more(self.wanted).min(share).min(room);
        (offer >= more(self.least)).then_some(offer)
    }
}

impl Command for Lend {
    type Answer = Lent;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
        needs.leases.insert(self.id);
    }

    fn apply(&self, books: &mut Books) -> Lent {
        if books.is_frozen(self.account) {
            return Lent::Frozen;
        }
        let known = books.leases.get(&self.id).cloned();
        let mut lease = known.unwrap_or_else(|| self.begun());
        if !lease.is_open || lease.account != self.account || lease.holder != self.holder {
            return Lent::Ended;
        }
        let available = books.available(self.account, self.time);
        let Some(offer) = self.offer(&lease, available) else {
            return Lent::Short { available };
        };
        let account = books.account(self.account);
        account.leased = account.leased.saturating_add(offer);
        lease.granted = lease.granted.saturating_add(offer);
        lease.remaining = lease.remaining.saturating_add(offer);
        lease.expire_time = lease.expire_time.max(self.expire_time);
        books.put_lease(lease.clone());
        Lent::Granted(Box::new(lease))
    }
}

/// What a router gives back of a lease; or the end of one, with all that is left of it.
#[derive(Debug, Clone)]
pub(crate) struct GiveBack {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    /// Altogether since it began.
    pub(crate) returned: Nanos,
    pub(crate) ends: bool,
}

impl Command for GiveBack {
    /// Whether it was an open lease.
    type Answer = bool;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
        needs.leases.insert(self.id);
    }

    fn apply(&self, books: &mut Books) -> bool {
        let open = |lease: &&Lease| lease.is_open && lease.account == self.account;
        let Some(lease) = books.leases.get(&self.id).filter(open).cloned() else {
            return false;
        };
        let more = self.returned.saturating_sub(lease.returned);
        let freed = match self.ends {
            true => lease.remaining,
            false => more.max(Nanos::ZERO).min(lease.remaining),
        };
        books.free(&lease, freed);
        books.put_lease(Lease {
            returned: lease.returned.max(self.returned),
            remaining: lease.remaining.saturating_sub(freed),
            is_open: !self.ends,
            ..lease
        });
        true
    }
}

/// A settle of a hold that the router itself took from a lease: the hold is written only now. Usage
/// is a fact: neither an empty lease nor one that has ended stops it.
#[derive(Debug, Clone)]
pub(crate) struct LeaseSettlement {
    pub(crate) event: Event,
    pub(crate) lease_id: Uuid,
    pub(crate) hold_id: Uuid,
    /// What the router held.
    pub(crate) held: Nanos,
    /// The lease's version of prices, for what was used, and its markup.
    pub(crate) terms: Terms,
    /// The budgets that it counts for.
    pub(crate) budgets: Vec<BudgetShare>,
    pub(crate) time: Timestamp,
}

impl LeaseSettlement {
    fn hold(&self, lease: &Lease) -> Hold {
        let message = &self.event.message;
        let state = match lease.is_open {
            true => HoldState::Open,
            false => HoldState::Expired,
        };
        Hold {
            request: HoldRequest {
                id: self.hold_id,
                account: lease.account,
                owner: message.owner.clone().unwrap_or_default(),
                inference_id: message.inference_id.clone(),
                provider: message.provider.clone(),
                model: message.model.clone(),
            },
            terms: self.terms.clone(),
            amount: self.held.max(Nanos::ZERO),
            budgets: self.budgets.iter().map(BudgetShare::held).collect(),
            state,
            event_id: None,
            create_time: self.event.dispatched(self.time),
            expire_time: lease.expire_time,
        }
    }

    fn settlement(&self) -> Settlement {
        Settlement {
            event: self.event.clone(),
            hold_id: self.hold_id,
            time: self.time,
        }
    }
}

impl Command for LeaseSettlement {
    type Answer = Posted;

    fn account(&self) -> AccountKey {
        self.event.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.event.account);
        needs.leases.insert(self.lease_id);
        needs.holds.insert(self.hold_id);
        needs.events.insert(self.event.id);
        needs
            .periods
            .extend(self.budgets.iter().map(|share| share.period));
    }

    fn apply(&self, books: &mut Books) -> Posted {
        let (event, hold_id) = (&self.event, Some(self.hold_id));
        if books.is_frozen(event.account) {
            return Posted::Frozen;
        }
        if let Some(known) = books.known(event, hold_id, self.time) {
            return known;
        }
        let lease = books.leases.get(&self.lease_id);
        let Some(lease) = lease
            .filter(|lease| lease.account == event.account)
            .cloned()
        else {
            return books.put_aside(event, hold_id, QuarantineReason::UnknownLease, self.time);
        };
        let placed = books.holds.get(&self.hold_id).cloned();
        let is_placed = placed.is_some();
        let hold = placed.unwrap_or_else(|| self.hold(&lease));
        let priced = match priced(books, Some(&hold), event) {
            Ok((_, priced)) => priced,
            Err(reason) => return books.put_aside(event, hold_id, reason, self.time),
        };
        if !is_placed {
            books.place(hold.clone(), &self.budgets);
        }
        self.settlement().post(books, &hold, event.clone(), priced);
        books.draw(&lease, priced.charge);
        Posted::Recorded {
            priced,
            duplicate: false,
        }
    }
}

impl Books {
    fn put_lease(&mut self, lease: Lease) {
        self.changes.leases.insert(lease.id);
        self.leases.insert(lease.id, lease);
    }

    /// Makes a part of what was lent available again.
    fn free(&mut self, lease: &Lease, amount: Nanos) {
        let account = self.account(lease.account);
        account.leased = account.leased.saturating_sub(amount);
    }

    /// Takes a charge off a lease. What is more than that has comes off the balance alone.
    fn draw(&mut self, lease: &Lease, charge: Nanos) {
        let drawn = charge.min(lease.remaining);
        self.free(lease, drawn);
        self.put_lease(Lease {
            remaining: lease.remaining.saturating_sub(drawn),
            ..lease.clone()
        });
    }
}
