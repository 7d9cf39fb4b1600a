//! Holding credits: placed, extended, expired.

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

use super::{Books, BudgetShare, Command, Needs};
use crate::domain::account::AccountKey;
use crate::domain::charging::{Hold, HoldRequest, HoldState, Terms};

/// A hold to be placed.
#[derive(Debug, Clone)]
pub(crate) struct NewHold {
    pub(crate) request: HoldRequest,
    pub(crate) terms: Terms,
    pub(crate) amount: Nanos,
    /// The budgets that it counts for.
    pub(crate) budgets: Vec<BudgetShare>,
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
    /// A budget does not cover it.
    OverBudget {
        /// Which one.
        budget_id: Uuid,
        /// What it has left.
        available: Nanos,
    },
    /// There is a hold of that id for something else.
    Conflict,
    /// The account's books are closed until somebody has looked at them.
    Frozen,
}

impl NewHold {
    fn refusal(&self, books: &Books) -> Option<Placed> {
        let account = self.request.account;
        if books.is_frozen(account) {
            return Some(Placed::Frozen);
        }
        if self.amount.is_zero() {
            return None;
        }
        let available = books.available(account, self.create_time);
        if available < self.amount {
            return Some(Placed::Short { available });
        }
        let blocking = self.budgets.iter().filter(|share| share.blocks);
        let rooms = blocking.map(|share| (books.period_with(share).available(), share));
        let (available, tightest) = rooms.min_by_key(|(available, _)| *available)?;
        (available < self.amount).then_some(Placed::OverBudget {
            budget_id: tightest.period.budget_id,
            available,
        })
    }

    fn hold(&self) -> Hold {
        Hold {
            request: self.request.clone(),
            terms: self.terms.clone(),
            amount: self.amount,
            budgets: self.budgets.iter().map(BudgetShare::held).collect(),
            state: HoldState::Open,
            event_id: None,
            create_time: self.create_time,
            expire_time: self.expire_time,
        }
    }
}

impl Command for NewHold {
    type Answer = Placed;

    fn account(&self) -> AccountKey {
        self.request.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.request.account);
        needs.holds.insert(self.request.id);
        let periods = self.budgets.iter().map(|share| share.period);
        needs.periods.extend(periods);
    }

    fn apply(&self, books: &mut Books) -> Placed {
        if let Some(hold) = books.holds.get(&self.request.id) {
            return if hold.request == self.request {
                Placed::Held(Box::new(hold.clone()))
            } else {
                Placed::Conflict
            };
        }
        if let Some(refusal) = self.refusal(books) {
            return refusal;
        }
        let hold = self.hold();
        books.place(hold.clone(), &self.budgets);
        Placed::Held(Box::new(hold))
    }
}

/// An answer gets longer than was held for: the hold shall be of so much.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    /// What shall be held altogether; less than what is held changes nothing.
    pub(crate) amount: Nanos,
    pub(crate) time: Timestamp,
}

/// What became of an extension.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Extended {
    /// So much is held now.
    Held(Nanos),
    /// The balance or a budget does not cover it; the hold is what it was.
    Short {
        /// What could be held beyond what is.
        available: Nanos,
    },
    /// There is no such hold, or it is open no more.
    NotOpen,
}

impl Command for Extension {
    type Answer = Extended;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
        needs.holds.insert(self.id);
    }

    fn apply(&self, books: &mut Books) -> Extended {
        let open =
            |hold: &&Hold| hold.state == HoldState::Open && hold.request.account == self.account;
        let Some(hold) = books.holds.get(&self.id).filter(open).cloned() else {
            return Extended::NotOpen;
        };
        let more = self.amount.saturating_sub(hold.amount);
        if more <= Nanos::ZERO {
            return Extended::Held(hold.amount);
        }
        let blocking = hold.budgets.iter().filter(|budget| budget.blocks);
        let available = blocking
            .filter_map(|budget| books.periods.get(&budget.period))
            .map(super::Period::available)
            .fold(books.available(self.account, self.time), Nanos::min);
        if available < more || books.is_frozen(self.account) {
            return Extended::Short { available };
        }
        let account = books.account(self.account);
        account.held = account.held.saturating_add(more);
        for budget in &hold.budgets {
            let period = books.period(budget.period, Nanos::ZERO);
            period.held = period.held.saturating_add(more);
        }
        if let Some(hold) = books.holds.get_mut(&self.id) {
            hold.amount = self.amount;
        }
        books.touch_hold(self.id);
        Extended::Held(self.amount)
    }
}

/// Frees a hold that nobody settled in time. Says whether it was one.
#[derive(Debug, Clone)]
pub(crate) struct ExpireHold {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) time: Timestamp,
}

impl Command for ExpireHold {
    type Answer = bool;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
        needs.holds.insert(self.id);
    }

    fn apply(&self, books: &mut Books) -> bool {
        let over = |hold: &&Hold| {
            hold.state == HoldState::Open
                && hold.expire_time <= self.time
                && hold.request.account == self.account
        };
        let Some(hold) = books.holds.get(&self.id).filter(over).cloned() else {
            return false;
        };
        books.close(&hold, HoldState::Expired);
        true
    }
}
