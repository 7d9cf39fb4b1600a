//! Credit leases: parts of balances, lent to routers so that they hold them without a call. Which
//! there are is in the store; here is who can be reached, and when nothing is lent.

mod calls;
mod crossing;
mod holders;
mod settling;
mod strict;

use std::time::Duration;

use keyward_money::Nanos;
use keyward_runtime::time;
use uuid::Uuid;

use super::App;
use crate::MeteringError;
use crate::domain::account::AccountKey;
use crate::domain::budget::BudgetAction;
use crate::domain::ledger::{GiveBack, Holder, Lease, Lend, Lent};
pub(crate) use calls::Recalls;
pub(crate) use crossing::Crossing;
pub(crate) use holders::{Call, Connected, Holders};
pub(crate) use settling::SettleLeased;
pub(crate) use strict::Strict;

/// How long a router holds from a lease without having it renewed.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10);

/// How long a lease that was not renewed stands: its router may have been lost, with settles in its
/// spool that nobody knows of. Those that come later post all the same.
const RECLAIMED_AFTER: Duration = Duration::from_mins(15);

/// How many leases are reclaimed at a time.
const RECLAIMED_MAX: u32 = 500;

/// When nothing was lent, it is not asked for again before.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The most that one router has of one account, 100 credits: what cannot be used while the router is
/// lost.
const LENT_MAX: Nanos = Nanos::new(100 * Nanos::CREDIT.get());

/// A lease that is asked for, anew or for longer.
#[derive(Debug, Clone)]
pub(crate) struct RenewLease {
    pub(crate) id: Uuid,
    pub(crate) holder: Holder,
    pub(crate) account: AccountKey,
    pub(crate) tier: String,
    /// Altogether.
    pub(crate) wanted: Nanos,
    /// Altogether; with less it is of no use.
    pub(crate) least: Nanos,
    /// A request that is being served needs it.
    pub(crate) in_need: bool,
    /// Of the prices that the router has.
    pub(crate) prices_digest: Vec<u8>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// It stands so, for [`LIFETIME`].
    Granted(Box<Lease>),
    /// Nothing more is held from it.
    Nothing { retry_after: Duration },
}

const NOTHING: Renewed = Renewed::Nothing {
    retry_after: RETRY_AFTER,
};

impl App {
    /// Lends a router a part of what an account has, or more of it, or for longer.
    pub(crate) async fn renew_lease(&self, asked: RenewLease) -> Result<Renewed, MeteringError> {
        let known = self.store.lease_get(asked.id).await?;
        if !asked.in_need && !self.lends(&asked, known.as_ref()).await? {
            return Ok(NOTHING);
        }
        let lend = self.lend(&asked, known.as_ref(), self.parts(&asked).await?);
        let lent = match self.ledger.run(lend.clone()).await? {
            Lent::Short { .. } if asked.in_need && self.recall_short(asked.account).await? => {
                self.ledger.run(lend).await?
            }
            lent => lent,
        };
        self.meters.lent(&lent);
        Ok(match lent {
            Lent::Granted(lease) => Renewed::Granted(lease),
            Lent::Short { .. } | Lent::Ended | Lent::Frozen => NOTHING,
        })
    }

    /// Whether anything is lent: not of accounts with a budget that refuses, which each hold has to
    /// pass; and by the terms of now only.
    async fn lends(
        &self,
        asked: &RenewLease,
        known: Option<&Lease>,
    ) -> Result<bool, MeteringError> {
        let (book, markup) = (self.book(), self.current_tiers().markup(&asked.tier));
        let same_prices = book.is_of_catalog && book.catalog.prices_digest() == asked.prices_digest;
        let of_now =
            |lease: &Lease| lease.price_version == book.prices.version && lease.markup == markup;
        if !self.strict.lends(asked.account) || !same_prices || !known.is_none_or(of_now) {
            return Ok(false);
        }
        let budgets = self.budgets_of(asked.account).await?;
        let mut actions = budgets.iter().map(|budget| budget.terms.action);
        Ok(actions.all(|action| action == BudgetAction::Notify))
    }

    fn lend(&self, asked: &RenewLease, known: Option<&Lease>, parts: i64) -> Lend {
        let now = time::now();
        let least = match known {
            // One that begins with nothing would only be asked for again.
            None => asked.least.max(Nanos::new(1)),
            Some(_) => asked.least,
        };
        Lend {
            id: asked.id,
            account: asked.account,
            holder: asked.holder,
            price_version: self.book().prices.version,
            markup: self.current_tiers().markup(&asked.tier),
            wanted: asked.wanted.max(asked.least),
            least,
            most: if asked.in_need {
                Nanos::new(i64::MAX)
            } else {
                LENT_MAX
            },
            parts,
            time: now,
            expire_time: now.checked_add(LIFETIME).unwrap_or(now),
        }
    }

    /// Into how many parts what is there is divided, of which one may be lent: half of it is shared by
    /// all routers, except where a request needs it.
    async fn parts(&self, asked: &RenewLease) -> Result<i64, MeteringError> {
        if asked.in_need {
            return Ok(1);
        }
        let routers = i64::try_from(self.everybody().await?.len()).unwrap_or(i64::MAX);
        Ok(routers.max(1).saturating_mul(2))
    }

    /// Takes back what a router does not need, or all that is left.
    pub(crate) async fn return_lease(
        &self,
        id: Uuid,
        returned: Nanos,
        ends: bool,
    ) -> Result<(), MeteringError> {
        if let Some(lease) = self.store.lease_get(id).await? {
            let (id, account) = (lease.id, lease.account);
            let back = GiveBack {
                id,
                account,
                returned,
                ends,
            };
            self.ledger.run(back).await?;
        }
        Ok(())
    }

    /// A router says that all which its earlier starts had to tell was heard: what is left of their
    /// leases is free.
    pub(crate) async fn earlier_told(&self, holder: Holder) -> Result<usize, MeteringError> {
        let earlier = |lease: &Lease| {
            lease.holder.router == holder.router && lease.holder.start < holder.start
        };
        let far = jiff::Timestamp::MAX;
        let open = self.store.leases_open(far, u32::MAX).await?;
        self.end(open.into_iter().filter(earlier)).await
    }

    /// Ends leases whose routers have been silent for so long that they are given up; says how many.
    pub(crate) async fn reclaim_leases(&self) -> Result<usize, MeteringError> {
        let now = time::now();
        let long_ago = now.checked_sub(RECLAIMED_AFTER).unwrap_or(now);
        let overdue = self.store.leases_open(long_ago, RECLAIMED_MAX).await?;
        let ended = self.end(overdue.into_iter()).await?;
        if ended > 0 {
            tracing::warn!(
                leases.ended = ended,
                "leases of lost routers were taken back"
            );
        }
        Ok(ended)
    }

    async fn end(&self, leases: impl Iterator<Item = Lease>) -> Result<usize, MeteringError> {
        let mut ended = 0;
        for lease in leases {
            let back = GiveBack {
                id: lease.id,
                account: lease.account,
                returned: Nanos::ZERO,
                ends: true,
            };
            ended += usize::from(self.ledger.run(back).await?);
        }
        Ok(ended)
    }
}
