//! A hold that was taken from a lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use keyward_catalog::Catalog;
use keyward_money::{Charge, Nanos, Usage};
use keyward_proto::metering::v1::AttemptStatus;
use keyward_runtime::ids;

use super::super::delivery::Settled;
use super::slot::{Slot, Ticket};
use super::{Wanted, amount};
use crate::domain::lease::Lease;
use crate::domain::parcel::Held;

/// A hold from a lease, which ends once: settled, or given back.
#[derive(Debug)]
pub(crate) struct LeasedHold {
    pub(crate) id: String,
    pub(super) slot: Arc<Slot>,
    pub(super) lease: Arc<Lease>,
    amount: AtomicI64,
    is_over: AtomicBool,
    provider: String,
    model: String,
    /// Whose prices it has pinned: those of its lease.
    catalog: Arc<Catalog>,
}

impl LeasedHold {
    pub(super) fn new(
        slot: Arc<Slot>,
        lease: Arc<Lease>,
        amount: Nanos,
        (wanted, catalog): (Wanted<'_>, Arc<Catalog>),
    ) -> Self {
        Self {
            id: ids::new_text(),
            slot,
            lease,
            amount: AtomicI64::new(amount.get()),
            is_over: AtomicBool::new(false),
            provider: wanted.provider.to_owned(),
            model: wanted.model.to_owned(),
            catalog,
        }
    }

    /// As metering will be told of it.
    pub(crate) fn held(&self) -> Held {
        Held {
            hold_id: self.id.clone(),
            lease_id: self.lease.id.clone(),
            amount: self.amount(),
        }
    }

    pub(super) fn amount(&self) -> Nanos {
        Nanos::new(self.amount.load(Ordering::Acquire))
    }

    /// What a usage would be charged beyond what is held.
    pub(super) fn lacks(&self, usage: &Usage, service_tier: &str) -> Option<Nanos> {
        let prices = self.catalog.prices(&self.provider, &self.model)?;
        let wanted = Wanted {
            account: &self.slot.account,
            tier: &self.lease.tier,
            provider: &self.provider,
            model: &self.model,
            service_tier,
            usage,
        };
        let needed = amount(&wanted, prices, self.lease.markup)?;
        Some(needed.saturating_sub(self.amount()).max(Nanos::ZERO))
    }

    /// Takes more from the lease, if it has that.
    pub(super) fn raise(&self, more: Nanos) -> bool {
        let is_raised = self.lease.raise(more);
        if is_raised {
            self.amount.fetch_add(more.get(), Ordering::AcqRel);
        }
        is_raised
    }

    /// Charges what was used by the terms of the lease, as metering will. What metering has to be
    /// told of it is on its way from now on.
    pub(in crate::app) fn settle(
        &self,
        usage: &Usage,
        service_tier: &str,
        status: AttemptStatus,
    ) -> (Option<Settled>, Ticket) {
        let ticket = Ticket::new(&self.slot, &self.lease);
        let prices = self.catalog.prices(&self.provider, &self.model);
        let charge = prices.and_then(|prices| {
            Charge::in_service_tier(usage, prices, service_tier, self.lease.markup).ok()
        });
        let settled = charge.map(|charge| Settled {
            charge: match status {
                AttemptStatus::Failed | AttemptStatus::Hedged => Nanos::ZERO,
                _ => charge.charge,
            },
            list_cost: Some(charge.list_cost),
        });
        self.end(settled.map_or(Nanos::ZERO, |settled| settled.charge));
        (settled, ticket)
    }

    /// Nothing was delivered. What metering has to be told of it is on its way from now on.
    pub(in crate::app) fn give_back(&self) -> Ticket {
        let ticket = Ticket::new(&self.slot, &self.lease);
        self.end(Nanos::ZERO);
        ticket
    }

    fn end(&self, charge: Nanos) {
        if !self.is_over.swap(true, Ordering::AcqRel) {
            self.lease.settle(self.amount(), charge);
        }
    }
}

impl Drop for LeasedHold {
    /// What was never dispatched.
    fn drop(&mut self) {
        self.end(Nanos::ZERO);
    }
}
