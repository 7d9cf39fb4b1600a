//! Leases asked for, renewed before they end, raised before they are empty, and given back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward_catalog::Catalog;
use keyward_money::{BasisPoints, Nanos, Usage};
use keyward_proto::metering::v1::{
    LeaseHolder, RenewLeaseRequest, RenewLeaseResponse, ReturnLeaseRequest,
};
use keyward_runtime::error::Reason;
use keyward_runtime::ids;

use super::super::CALL_TIMEOUT;
use super::slot::Slot;
use super::{LeaseBook, LeasedHold, TICK};
use crate::app::RouteError;
use crate::domain::lease::Lease;

/// A lease is renewed when half of its ten seconds are over.
const RENEWED_AFTER_MS: u64 = 5_000;

/// Metering is not asked for the same account again before.
const ASKED_AGAIN_MS: u64 = 250;

impl LeaseBook {
    /// Looks after all leases, for ever.
    pub(super) async fn look_after(self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let now_ms = self.now_ms();
            for slot in self.slots() {
                self.look_at(&slot, now_ms);
            }
            let mut slots = self.shared.slots.write();
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || !slot.is_unused(now_ms));
            let leases = slots.values().filter(|slot| slot.current().is_some());
            self.shared.meters.open(leases.count());
        }
    }

    fn look_at(&self, slot: &Arc<Slot>, now_ms: u64) {
        if let Some(lease) = slot.current() {
            let is_idle = slot.demand().is_idle(now_ms) && lease.in_flight().is_zero();
            let renewed_ms = slot.renewed_ms.load(Ordering::Acquire);
            if is_idle || !lease.is_usable(now_ms) {
                slot.end_current();
            } else if now_ms >= renewed_ms.saturating_add(RENEWED_AFTER_MS) {
                self.ask(slot, Arc::clone(&lease));
            }
        }
        if !slot.retired().is_empty() {
            let (book, slot) = (self.clone(), Arc::clone(slot));
            self.spawn(async move { book.give_back(&slot).await });
        }
    }

    /// Asks for a lease, or for more, unless that was done just now.
    pub(super) fn renew_if_due(&self, slot: &Arc<Slot>, tier: &str, catalog: &Catalog) {
        let now_ms = self.now_ms();
        let asks_at_ms = slot.asks_at_ms.load(Ordering::Acquire);
        if now_ms < asks_at_ms || !slot.demand().is_brisk() || !self.is_watched() {
            return;
        }
        let lease = slot.lease_for(tier, catalog);
        let usable = lease.filter(|lease| lease.is_usable(now_ms));
        let lease = usable.unwrap_or_else(|| {
            let (id, digest) = (ids::new_text(), catalog.prices_digest().to_vec());
            // What it is charged with is metering's to say.
            Arc::new(Lease::new(id, tier.to_owned(), BasisPoints::ZERO, digest))
        });
        self.ask(slot, lease);
    }

    fn ask(&self, slot: &Arc<Slot>, lease: Arc<Lease>) {
        if slot.is_asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (book, slot) = (self.clone(), Arc::clone(slot));
        self.spawn(async move {
            book.renew(&slot, lease).await;
            slot.is_asking.store(false, Ordering::Release);
        });
    }

    async fn renew(&self, slot: &Slot, lease: Arc<Lease>) {
        let asked_ms = self.now_ms();
        let again_ms = asked_ms.saturating_add(ASKED_AGAIN_MS);
        slot.asks_at_ms.store(again_ms, Ordering::Release);
        let (demand, total) = (slot.demand(), lease.total());
        let lacking = demand.wanted().saturating_sub(lease.free());
        let request = RenewLeaseRequest {
            wanted_nanos: total.saturating_add(lacking.max(Nanos::ZERO)).get(),
            least_nanos: match total.is_zero() {
                true => demand.least().get(),
                false => total.get(),
            },
            ..self.renewal(slot, &lease)
        };
        let Ok(renewed) = self.call(request).await else {
            // What was lent comes with the next answer; of one that did not begin it goes back.
            if total.is_zero() {
                slot.retire(lease);
            }
            return;
        };
        if renewed.granted_nanos == 0 {
            let pause = renewed
                .retry_after
                .and_then(|pause| Duration::try_from(pause).ok());
            let pause_ms = pause.map_or(0, |pause| u64::try_from(pause.as_millis()).unwrap_or(0));
            slot.asks_at_ms
                .store(asked_ms.saturating_add(pause_ms), Ordering::Release);
            lease.recall();
            return;
        }
        let lease = match total.is_zero() {
            true => Arc::new(begun(&lease, &renewed)),
            false => lease,
        };
        take_in(slot, lease, &renewed, asked_ms);
    }

    fn renewal(&self, slot: &Slot, lease: &Lease) -> RenewLeaseRequest {
        RenewLeaseRequest {
            request_id: ids::new_text(),
            lease_id: lease.id.clone(),
            holder: Some(self.holder()),
            account: slot.account.clone(),
            tier: lease.tier.clone(),
            prices_digest: lease.prices_digest.clone(),
            ..RenewLeaseRequest::default()
        }
    }

    pub(super) fn holder(&self) -> LeaseHolder {
        let (router, start) = self.shared.spool.identity();
        LeaseHolder {
            router_id: router.to_string(),
            start,
        }
    }

    async fn call(&self, request: RenewLeaseRequest) -> Result<RenewLeaseResponse, RouteError> {
        let mut client = self.shared.client.clone();
        match tokio::time::timeout(CALL_TIMEOUT, client.renew_lease(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(RouteError::from_status(&status, "metering")),
            Err(_) => Err(RouteError::away("metering")),
        }
    }

    /// Raises a hold to what its request is expected to use. What the lease does not have is asked
    /// of metering.
    pub(in crate::app) async fn extend(
        &self,
        hold: &LeasedHold,
        usage: &Usage,
        service_tier: &str,
    ) -> Result<(), RouteError> {
        let refused = || RouteError::new(Reason::InsufficientCredits, "the credits do not reach");
        let more = hold.lacks(usage, service_tier).ok_or_else(refused)?;
        if hold.raise(more) {
            return Ok(());
        }
        let (slot, lease, asked_ms) = (&hold.slot, &hold.lease, self.now_ms());
        let lacking = more.saturating_sub(lease.free());
        let total = lease.total().saturating_add(lacking).get();
        let request = RenewLeaseRequest {
            wanted_nanos: total,
            least_nanos: total,
            in_need: true,
            ..self.renewal(slot, lease)
        };
        let renewed = self.call(request).await?;
        lease.granted(Nanos::new(renewed.granted_nanos), asked_ms);
        match hold.raise(more) {
            true => Ok(()),
            false => Err(refused()),
        }
    }

    /// Gives back what is free of leases that nothing more is held from, and ends those that are
    /// over.
    pub(super) async fn give_back(&self, slot: &Slot) {
        for lease in slot.retired() {
            let (returned, is_over) = lease.take_back();
            if !is_over && lease.has_returned(returned) {
                continue;
            }
            let mut client = self.shared.client.clone();
            let call = client.return_lease(ReturnLeaseRequest {
                request_id: ids::new_text(),
                lease_id: lease.id.clone(),
                returned_nanos: returned.get(),
                closed: is_over,
            });
            let heard = tokio::time::timeout(CALL_TIMEOUT, call).await;
            if !matches!(heard, Ok(Ok(_))) {
                continue;
            }
            lease.returned(returned);
            if is_over {
                slot.forget(&lease.id);
            }
        }
    }

    /// Gives back all there is of an account.
    pub(super) async fn give_up(&self, slot: &Slot) {
        slot.end_current();
        slot.told().await;
        self.give_back(slot).await;
    }
}

/// A lease by the terms that metering has pinned.
fn begun(asked: &Lease, renewed: &RenewLeaseResponse) -> Lease {
    let markup = BasisPoints::new(renewed.markup_basis_points);
    let (id, tier) = (asked.id.clone(), asked.tier.clone());
    Lease::new(id, tier, markup, asked.prices_digest.clone())
}

/// What was lent counts from when it was asked for, so that metering never takes it for ended
/// later than this router does.
fn take_in(slot: &Slot, lease: Arc<Lease>, renewed: &RenewLeaseResponse, asked_ms: u64) {
    let lifetime = renewed
        .lifetime
        .and_then(|time| Duration::try_from(time).ok());
    let lifetime_ms = lifetime.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0));
    let is_new = lease.total().is_zero();
    let granted = Nanos::new(renewed.granted_nanos);
    lease.granted(granted, asked_ms.saturating_add(lifetime_ms));
    slot.renewed_ms.store(asked_ms, Ordering::Release);
    if is_new {
        slot.begin(lease);
    }
}
