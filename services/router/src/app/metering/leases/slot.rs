//! The leases of one account: the one that is held from, and those that only wait for their last
//! settles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use keyward_catalog::Catalog;
use keyward_money::Nanos;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::lease::{Demand, Lease, Tickets};

/// An account that pays for requests of this router.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) account: String,
    current: ArcSwapOption<Lease>,
    /// Nothing more is held from these.
    retired: Mutex<Vec<Arc<Lease>>>,
    demand: Mutex<Demand>,
    tickets: Mutex<Tickets>,
    /// Somebody waits for tickets.
    ended: Notify,
    /// Metering is being asked.
    pub(super) is_asking: AtomicBool,
    /// Metering is not asked before.
    pub(super) asks_at_ms: AtomicU64,
    /// When the current lease was asked for last.
    pub(super) renewed_ms: AtomicU64,
}

/// Something under a lease that metering does not know of yet.
#[derive(Debug)]
pub(crate) struct Ticket {
    slot: Arc<Slot>,
    lease: Arc<Lease>,
    number: u64,
}

impl Ticket {
    pub(super) fn new(slot: &Arc<Slot>, lease: &Arc<Lease>) -> Self {
        lease.telling();
        Self {
            slot: Arc::clone(slot),
            lease: Arc::clone(lease),
            number: slot.tickets.lock().begin(),
        }
    }

    /// Metering has it, or will never have it.
    pub(in crate::app::metering) fn told(self) {
        self.slot.tickets.lock().end(self.number);
        self.lease.told();
        self.slot.ended.notify_waiters();
    }
}

impl Slot {
    pub(super) fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            current: ArcSwapOption::empty(),
            retired: Mutex::default(),
            demand: Mutex::default(),
            tickets: Mutex::default(),
            ended: Notify::new(),
            is_asking: AtomicBool::new(false),
            asks_at_ms: AtomicU64::new(0),
            renewed_ms: AtomicU64::new(0),
        }
    }

    /// The lease that is held from, if its terms are those of now.
    pub(super) fn lease_for(&self, tier: &str, catalog: &Catalog) -> Option<Arc<Lease>> {
        let lease = self.current.load_full()?;
        let is_of_now = lease.tier == tier && lease.prices_digest == catalog.prices_digest();
        is_of_now.then_some(lease)
    }

    pub(super) fn current(&self) -> Option<Arc<Lease>> {
        self.current.load_full()
    }

    /// From now on this one is held from.
    pub(super) fn begin(&self, lease: Arc<Lease>) {
        if let Some(before) = self.current.swap(Some(lease)) {
            self.retire(before);
        }
    }

    /// Nothing more is held from the current lease.
    pub(super) fn end_current(&self) {
        if let Some(before) = self.current.swap(None) {
            self.retire(before);
        }
    }

    /// Nothing is held from this one.
    pub(super) fn retire(&self, lease: Arc<Lease>) {
        lease.recall();
        self.retired.lock().push(lease);
    }

    /// Those that only wait for their last settles.
    pub(super) fn retired(&self) -> Vec<Arc<Lease>> {
        self.retired.lock().clone()
    }

    /// One of them is over, and metering knows.
    pub(super) fn forget(&self, id: &str) {
        self.retired.lock().retain(|lease| lease.id != id);
    }

    pub(super) fn note(&self, amount: Nanos, now_ms: u64) {
        self.demand.lock().note(amount, now_ms);
    }

    pub(super) fn demand(&self) -> Demand {
        *self.demand.lock()
    }

    /// Whether a lease has so little left that it should be raised before it is empty.
    pub(super) fn is_low(&self, lease: &Lease) -> bool {
        lease.free().get() < self.demand().wanted().get() / 4
    }

    /// What requests in flight hold.
    pub(super) fn in_flight(&self) -> Nanos {
        let mut leases = self.retired();
        leases.extend(self.current());
        let held = leases.iter().map(|lease| lease.in_flight());
        held.fold(Nanos::ZERO, Nanos::saturating_add)
    }

    /// Returns once metering knows all that was on its way to it.
    pub(super) async fn told(&self) {
        let until = self.tickets.lock().last();
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.tickets.lock().are_over(until) {
                return;
            }
            ended.await;
        }
    }

    /// Whether nothing is lent, held or on its way, and nothing was asked for of late.
    pub(super) fn is_unused(&self, now_ms: u64) -> bool {
        self.current.load().is_none()
            && self.retired.lock().is_empty()
            && self.tickets.lock().is_empty()
            && self.demand().is_idle(now_ms)
            && !self.is_asking.load(Ordering::Acquire)
    }
}
