//! Credit leases: what metering lent to this router, so that holds need no call. A lease alone never
//! refuses: whatever it does not cover is asked of metering.

mod calls;
mod hold;
mod renewing;
mod slot;
mod watching;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyward_catalog::Catalog;
use keyward_money::{BasisPoints, Charge, Nanos, Prices, Usage};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Client;
use crate::app::meters::LeaseMeters;
use crate::spool::Spool;
pub(crate) use hold::LeasedHold;
use slot::Slot;
pub(crate) use slot::Ticket;

/// How often leases are looked after.
const TICK: Duration = Duration::from_millis(500);

/// How long a closing router waits for metering to hear of its leases.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A request that the platform's key is to serve.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Who pays, by its key.
    pub(crate) account: &'a str,
    pub(crate) tier: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) service_tier: &'a str,
    pub(crate) usage: &'a Usage,
}

/// The leases of this router. Clones are the same ones.
#[derive(Debug, Clone)]
pub(crate) struct LeaseBook {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    spool: Spool,
    /// Whoever pays for what is asked for here, by its key.
    slots: RwLock<HashMap<String, Arc<Slot>>>,
    /// Whether metering can call leases back: none is asked for else.
    is_watched: AtomicBool,
    /// What the clock of leases counts from.
    began: Instant,
    meters: LeaseMeters,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl LeaseBook {
    /// None yet; from now on metering can call.
    pub(super) fn open(client: Client, spool: Spool, meters: LeaseMeters) -> Self {
        let shared = Shared {
            client,
            spool,
            slots: RwLock::default(),
            is_watched: AtomicBool::new(false),
            began: Instant::now(),
            meters,
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let book = Self {
            shared: Arc::new(shared),
        };
        book.spawn(book.clone().watch());
        book.spawn(book.clone().look_after());
        book
    }

    /// Gives everything back. To be called once metering was told what could be told.
    pub(super) async fn close(&self) {
        let slots = self.slots();
        let returning = slots.iter().map(|slot| self.give_up(slot));
        let returning = futures::future::join_all(returning);
        // What metering does not hear of is free again once this router's spool is opened anew.
        let _ = tokio::time::timeout(LAST_WAIT, returning).await;
        self.shared.closing.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Takes a hold from a lease, where there is one that covers it by the prices that hold here.
    pub(crate) fn hold(&self, wanted: Wanted<'_>, catalog: &Arc<Catalog>) -> Option<LeasedHold> {
        let prices = catalog.prices(wanted.provider, wanted.model)?;
        let slot = self.slot(wanted.account);
        let now_ms = self.now_ms();
        let lease = slot.lease_for(wanted.tier, catalog);
        let markup = lease
            .as_ref()
            .map_or(BasisPoints::ZERO, |lease| lease.markup);
        let amount = amount(&wanted, prices, markup)?;
        slot.note(amount, now_ms);
        let held = lease.filter(|lease| lease.hold(amount, now_ms));
        self.shared.meters.hold(held.is_some());
        if held.as_ref().is_none_or(|lease| slot.is_low(lease)) {
            self.renew_if_due(&slot, wanted.tier, catalog);
        }
        let lease = held?;
        Some(LeasedHold::new(
            slot,
            lease,
            amount,
            (wanted, Arc::clone(catalog)),
        ))
    }

    fn slot(&self, account: &str) -> Arc<Slot> {
        if let Some(slot) = self.shared.slots.read().get(account) {
            return Arc::clone(slot);
        }
        let mut slots = self.shared.slots.write();
        let slot = slots
            .entry(account.to_owned())
            .or_insert_with(|| Arc::new(Slot::new(account)));
        Arc::clone(slot)
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.shared.slots.read().values().map(Arc::clone).collect()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.shared.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_watched(&self) -> bool {
        self.shared.is_watched.load(Ordering::Acquire)
    }

    /// What runs beside requests ends when this is closed.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.shared.closing.clone();
        self.shared.tasks.spawn(async move {
            closing.run_until_cancelled(work).await;
        });
    }
}

/// What is held for a usage.
fn amount(wanted: &Wanted<'_>, prices: &Prices, markup: BasisPoints) -> Option<Nanos> {
    let charge = Charge::in_service_tier(wanted.usage, prices, wanted.service_tier, markup);
    charge.ok().map(|charge| charge.charge)
}
