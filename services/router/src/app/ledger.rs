//! Closes attempts: exactly one usage event each, what is charged, and what it said about the key.

use keyward_money::{BasisPoints, Charge, Nanos};
use keyward_proto::metering::v1::AttemptStatus;
use keyward_proto::vault::v1::{KeyOutcome, ReportKeyOutcomeRequest};
use keyward_runtime::ids;

use super::answer::Summary;
use super::attempt::{Attempt, Ending};
use super::cache::Landing;
use super::dispatch::Dispatch;
use super::health::Place;
use super::metering::Hold;
use super::metering::Settled;
use super::metering::leases::{LeasedHold, Ticket};
use super::spans;
use crate::domain::failure::{Failure, Fault};
use crate::domain::parcel::{Kind, Parcel};
use crate::domain::plan::KeyState;
use crate::domain::providers::SANDBOX;

impl Dispatch {
    /// Closes an attempt's books. The charge is `None` where metering could not tell it in time.
    pub(super) async fn close(&self, attempt: &Attempt, ending: &Ending) -> Closed {
        spans::over(attempt, ending);
        let closed = self.close_books(attempt, ending).await;
        if ending.delivered {
            self.leave(ending.usage()).await;
            spans::served(&self.span, attempt, closed.charge);
        }
        if ending.status == AttemptStatus::Ok {
            self.caching.land(Landing::Served);
        }
        closed
    }

    async fn close_books(&self, attempt: &Attempt, ending: &Ending) -> Closed {
        let event = attempt.event(self.facts(), ending);
        let took = attempt.started.elapsed();
        let meters = &self.core.meters;
        meters.attempt(&attempt.candidate, ending.status, took);
        let list_cost = self.list_cost(attempt, ending);
        let held = attempt.hold.as_ref().map(Hold::held).unwrap_or_default();
        let parcel = Parcel::closing(held, event, ending.is_settled());
        let is_charged = parcel.kind() == Kind::Settle;
        attempt.closed();
        let metering = &self.core.metering;
        let settled = match &attempt.hold {
            Some(Hold::Leased(hold)) => {
                let (settled, ticket) = end_leased(hold, ending);
                metering.close_leased(&attempt.entry, parcel, ticket).await;
                settled
            }
            _ => metering.close_books(&attempt.entry, parcel).await,
        };
        if !is_charged {
            return Closed::new(Some(Nanos::ZERO), list_cost, ending);
        }
        Closed::new(
            settled.map(|settled| settled.charge),
            settled.and_then(|settled| settled.list_cost).or(list_cost),
            ending,
        )
    }

    fn list_cost(&self, attempt: &Attempt, ending: &Ending) -> Option<Nanos> {
        let candidate = &attempt.candidate;
        let catalog = self.core.catalog.current();
        let prices = catalog.prices(&candidate.provider, &candidate.model)?;
        let (usage, tier) = (ending.usage(), ending.service_tier.as_str());
        let charge = Charge::in_service_tier(&usage, prices, tier, BasisPoints::ZERO);
        charge.ok().map(|charge| charge.list_cost)
    }

    /// An attempt went well: the key works.
    pub(super) async fn note_success(&self, attempt: &Attempt) {
        let took = attempt.started.elapsed();
        self.core.health.succeeded(&attempt.place(), took);
        let Some((key_id, version)) = attempt.stored_key() else {
            return;
        };
        let stored = attempt.candidate.stored();
        if stored.is_some_and(|key| key.state != KeyState::Connected) {
            self.report(key_id, version, KeyOutcome::Accepted, "").await;
        }
    }

    /// An attempt failed: what that says about the key and the provider.
    pub(super) async fn note_failure(&self, attempt: &Attempt, failure: Failure, reason: &str) {
        let candidate = &attempt.candidate;
        let (provider, fault) = (&candidate.provider, failure.fault());
        let is_about_key = matches!(fault, Fault::Key | Fault::Quota);
        // Anybody may ask the sandbox to fail; nobody shall take its key from the others by it.
        let is_sandbox = *candidate.provider == *SANDBOX;
        if is_sandbox && !attempt.is_own() && is_about_key {
            return;
        }
        let place = Place {
            is_providers: candidate.base_url().is_none() && !is_sandbox,
            ..attempt.place()
        };
        let health = &self.core.health;
        health.failed(&place, failure, &self.account());
        if fault == Fault::Provider && place.is_providers {
            health.stumbled(provider, &candidate.model);
        }
        let outcome = match fault {
            Fault::Key => KeyOutcome::Rejected,
            Fault::Quota => KeyOutcome::QuotaExhausted,
            _ => return,
        };
        let Some((key_id, version)) = attempt.stored_key() else {
            return;
        };
        self.core.meters.key_failure(provider, outcome);
        self.report(key_id, version, outcome, reason).await;
    }

    async fn report(&self, key_id: &str, version: u64, outcome: KeyOutcome, reason: &str) {
        let report = ReportKeyOutcomeRequest {
            request_id: ids::new_text(),
            provider_key_id: key_id.to_owned(),
            version,
            outcome: outcome as i32,
            reason: reason.chars().take(500).collect(),
            inference_id: self.inference_id.clone(),
            tested: false,
        };
        self.core.vault.report(report).await;
    }
}

/// Ends a hold that was taken from a lease, and says what it came to.
fn end_leased(hold: &LeasedHold, ending: &Ending) -> (Option<Settled>, Ticket) {
    match ending.is_settled() {
        true => hold.settle(&ending.usage(), &ending.service_tier, ending.status),
        false => (None, hold.give_back()),
    }
}

/// An attempt whose books are closed.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) charge: Option<Nanos>,
    pub(super) summary: Summary,
}

impl Closed {
    fn new(charge: Option<Nanos>, list_cost: Option<Nanos>, ending: &Ending) -> Self {
        let summary = Summary {
            charge: charge.unwrap_or(Nanos::ZERO),
            list_cost,
            usage: ending.usage(),
            usage_source: ending.source,
            service_tier: ending.service_tier.clone(),
        };
        Self { charge, summary }
    }
}
