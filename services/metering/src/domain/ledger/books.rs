//! What a batch is applied to: everything it names, as it stands, and what it changes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use keyward_money::Nanos;
use uuid::Uuid;

use super::{
    Account, BudgetShare, Changes, HeldBudget, Lease, Lot, Period, PeriodKey, Platform, Posting,
    PostingKey, Transfer, TransferKind,
};
use crate::domain::account::AccountKey;
use crate::domain::charging::{Hold, HoldState, Priced};
use crate::domain::day::Retention;
use crate::domain::event::Event;
use crate::domain::notice::{BalanceMove, BudgetUse, LowBalance};

/// An event that is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredEvent {
    pub(crate) event: Event,
    pub(crate) priced: Priced,
    /// What of its charge was given back.
    pub(crate) refunded: Nanos,
}

/// The books of a shard, as far as a batch needs them. What is absent does not exist.
#[derive(Debug, Clone, Default)]
pub(crate) struct Books {
    pub(crate) accounts: HashMap<AccountKey, Account>,
    pub(crate) platform: BTreeMap<Platform, Nanos>,
    pub(crate) holds: HashMap<Uuid, Hold>,
    pub(crate) leases: HashMap<Uuid, Lease>,
    pub(crate) events: HashMap<Uuid, StoredEvent>,
    pub(crate) postings: HashMap<PostingKey, Posting>,
    pub(crate) periods: HashMap<PeriodKey, Period>,
    /// How long records are kept; `None` for ever.
    pub(crate) retention: Option<Retention>,
    /// From what on a balance is told of as low.
    pub(crate) low_balance: LowBalance,
    pub(crate) changes: Changes,
}

impl Books {
    pub(super) fn is_frozen(&self, account: AccountKey) -> bool {
        self.accounts
            .get(&account)
            .is_some_and(|account| account.frozen)
    }

    pub(super) fn available(&self, account: AccountKey, now: Timestamp) -> Nanos {
        self.accounts
            .get(&account)
            .map_or(Nanos::ZERO, |account| account.available(now))
    }

    /// An account to be changed; empty where it was never used.
    pub(super) fn account(&mut self, key: AccountKey) -> &mut Account {
        self.changes.accounts.insert(key);
        self.accounts.entry(key).or_default()
    }

    /// Whether so much can move that way: a balance that no longer fits its column would make each
    /// try fail, for ever.
    pub(super) fn fits(&self, kind: TransferKind, account: AccountKey, amount: Nanos) -> bool {
        let balance = |platform| self.platform.get(&platform).copied().unwrap_or_default();
        let counter = balance(kind.platform());
        let own = match kind {
            TransferKind::Absorbed => balance(Platform::Revenue),
            _ => self
                .accounts
                .get(&account)
                .map_or(Nanos::ZERO, |account| account.balance),
        };
        let gains = kind.is_credit() || kind == TransferKind::Absorbed;
        let (after, counter_after) = if gains {
            (own.checked_add(amount), counter.checked_sub(amount))
        } else {
            (own.checked_sub(amount), counter.checked_add(amount))
        };
        after.is_some() && counter_after.is_some()
    }

    /// Moves money, unless it is nothing: the one place that does. `lot` is what a credit becomes.
    pub(super) fn post(&mut self, transfer: Transfer, lot: Option<Lot>) {
        if transfer.amount.is_zero() {
            return;
        }
        let (account, amount, time) = (transfer.account, transfer.amount, transfer.time);
        match (transfer.kind, lot) {
            (TransferKind::Absorbed, _) => self.move_platform(Platform::Revenue, amount),
            (TransferKind::Charge, _) => {
                let before = self.account(account).balance;
                let burnt = self.account(account).burn(amount, time);
                let moved = BalanceMove {
                    account,
                    before,
                    after: self.account(account).balance,
                };
                self.touch_lots(account, burnt);
                self.changes
                    .notices
                    .extend(moved.notice(self.low_balance, time));
            }
            (_, Some(lot)) => {
                self.touch_lots(account, [lot.id]);
                self.account(account).add(lot);
            }
            // Expiry has emptied its lots itself.
            (_, None) => {}
        }
        let gained = if transfer.kind.is_credit() || transfer.kind == TransferKind::Absorbed {
            Nanos::ZERO.saturating_sub(amount)
        } else {
            amount
        };
        self.move_platform(transfer.kind.platform(), gained);
        self.changes.transfers.push(transfer);
    }

    pub(super) fn touch_lots(&mut self, account: AccountKey, lots: impl IntoIterator<Item = Uuid>) {
        let touched = lots.into_iter().map(|lot| (account, lot));
        self.changes.lots.extend(touched);
    }

    fn move_platform(&mut self, platform: Platform, amount: Nanos) {
        for balances in [&mut self.platform, &mut self.changes.platform] {
            let balance = balances.entry(platform).or_default();
            *balance = balance.saturating_add(amount);
        }
    }

    /// A budget's period as it stands with what the budget is now.
    pub(super) fn period_with(&self, share: &BudgetShare) -> Period {
        let known = self.periods.get(&share.period).copied();
        Period {
            limit: share.limit,
            ..known.unwrap_or_default()
        }
    }

    /// A budget's period to be changed; begun where it is the first to count for it.
    pub(super) fn period(&mut self, key: PeriodKey, limit: Nanos) -> &mut Period {
        self.changes.periods.insert(key);
        let new = Period {
            limit,
            ..Period::default()
        };
        self.periods.entry(key).or_insert(new)
    }

    /// Writes a new hold down. What it holds is held of the account and of budgets, if it is open.
    pub(super) fn place(&mut self, hold: Hold, shares: &[BudgetShare]) {
        let held = match hold.state {
            HoldState::Open => hold.amount,
            _ => Nanos::ZERO,
        };
        let account = self.account(hold.request.account);
        account.held = account.held.saturating_add(held);
        for share in shares {
            let mut period = self.period_with(share);
            period.held = period.held.saturating_add(held);
            *self.period(share.period, share.limit) = period;
        }
        self.changes.new_holds.insert(hold.request.id);
        self.holds.insert(hold.request.id, hold);
    }

    /// Frees what an open hold holds, of the account and of budgets, and puts it into another state.
    /// One that is not open stays what it is.
    pub(super) fn close(&mut self, hold: &Hold, state: HoldState) {
        if hold.state == HoldState::Open {
            let account = self.account(hold.request.account);
            account.held = account.held.saturating_sub(hold.amount);
            for budget in &hold.budgets {
                let period = self.period(budget.period, Nanos::ZERO);
                period.held = period.held.saturating_sub(hold.amount);
            }
        }
        if let Some(hold) = self.holds.get_mut(&hold.request.id)
            && hold.state == HoldState::Open
        {
            hold.state = state;
        }
        self.touch_hold(hold.request.id);
    }

    pub(super) fn touch_hold(&mut self, id: Uuid) {
        if !self.changes.new_holds.contains(&id) {
            self.changes.holds.insert(id);
        }
    }

    /// Counts a charge in the budgets that its hold counted for, and tells of the shares that were
    /// reached by it.
    pub(super) fn spend(&mut self, hold: &Hold, charge: Nanos, time: Timestamp) {
        for HeldBudget { period: key, .. } in hold.budgets.iter().copied() {
            let period = self.period(key, Nanos::ZERO);
            let before = period.spent;
            period.spent = period.spent.saturating_add(charge);
            let used = BudgetUse {
                account: hold.request.account,
                budget_id: key.budget_id,
                period_start: key.start,
                amount: period.limit,
                before,
                after: period.spent,
            };
            self.changes.notices.extend(used.notices(time));
        }
    }
}
