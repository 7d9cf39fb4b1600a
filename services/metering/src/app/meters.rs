//! What metering counts of its own work. Labels come from enumerations only.

use keyward_money::Nanos;
use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::outbox::OutboxMeters;
use crate::MeteringError;
use crate::domain::charging::{Hold, Priced};
use crate::domain::ledger::{Lent, Posted, QuarantineReason};

/// The metrics of metering. Clones count into the same.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    pub(super) outbox: OutboxMeters,
    holds: Family<OutcomeLabel, Counter>,
    extensions: Family<OutcomeLabel, Counter>,
    holds_open: Gauge,
    holds_expired: Counter,
    settles: Family<OutcomeLabel, Counter>,
    charged_nanos: Counter,
    quarantined: Family<ReasonLabel, Counter>,
    discrepancies: Gauge,
    leases: Family<OutcomeLabel, Counter>,
    lease_recalls: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            outbox: OutboxMeters::new(metrics),
            holds: metrics.register(
                "metering_holds",
                "Holds asked for, by what became of them",
                Family::default(),
            ),
            extensions: metrics.register(
                "metering_hold_extensions",
                "Holds asked to be raised, by what became of it",
                Family::default(),
            ),
            holds_open: metrics.register(
                "metering_holds_open",
                "Holds that are neither settled nor given back, as of the last second",
                Gauge::default(),
            ),
            holds_expired: metrics.register(
                "metering_holds_expired",
                "Holds that nobody settled in time",
                Counter::default(),
            ),
            settles: metrics.register(
                "metering_settles",
                "Settles, by what became of them",
                Family::default(),
            ),
            charged_nanos: metrics.register(
                "metering_charged_nanos",
                "What was charged, in nano-credits",
                Counter::default(),
            ),
            quarantined: metrics.register(
                "metering_events_quarantined",
                "Usage events put aside instead of counted, by why",
                Family::default(),
            ),
            discrepancies: metrics.register(
                "metering_discrepancies",
                "Where the books did not add up when they were proven last: nothing is well but 0",
                Gauge::default(),
            ),
            leases: metrics.register(
                "metering_leases",
                "Credit leases that routers asked for or had renewed, by what became of it",
                Family::default(),
            ),
            lease_recalls: metrics.register(
                "metering_lease_recalls",
                "How often credit leases were called back from routers",
                Counter::default(),
            ),
        }
    }

    pub(super) fn hold(&self, placed: &Result<Hold, MeteringError>) {
        let outcome = outcome("placed", placed);
        self.holds.get_or_create(&outcome).inc();
    }

    pub(super) fn extension(&self, extended: &Result<Nanos, MeteringError>) {
        let outcome = outcome("extended", extended);
        self.extensions.get_or_create(&outcome).inc();
    }

    pub(super) fn settle(&self, posted: Posted) {
        let outcome = match posted {
            Posted::Recorded {
                priced,
                duplicate: false,
            } => {
                self.charge(priced);
                "recorded"
            }
            Posted::Recorded {
                duplicate: true, ..
            } => "duplicate",
            Posted::Quarantined(_) => "quarantined",
            Posted::Elsewhere(_) | Posted::Frozen => "refused",
        };
        self.settles.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    fn charge(&self, priced: Priced) {
        let Priced { charge, .. } = priced;
        self.charged_nanos
            .inc_by(u64::try_from(charge.max(Nanos::ZERO).get()).unwrap_or(0));
    }

    pub(super) fn lent(&self, lent: &Lent) {
        let outcome = match lent {
            Lent::Granted(_) => "granted",
            Lent::Short { .. } => "insufficient_credits",
            Lent::Ended | Lent::Frozen => "refused",
        };
        self.leases.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(super) fn recalled(&self) {
        self.lease_recalls.inc();
    }

    pub(super) fn quarantined(&self, reason: QuarantineReason) {
        let reason = reason.name();
        self.quarantined
            .get_or_create(&ReasonLabel { reason })
            .inc();
    }

    pub(super) fn expired(&self, holds: usize) {
        self.holds_expired.inc_by(holds as u64);
    }

    pub(super) fn discrepancies(&self, found: usize) {
        self.discrepancies
            .set(i64::try_from(found).unwrap_or(i64::MAX));
    }

    pub(super) fn open(&self, holds: u32) {
        self.holds_open.set(i64::from(holds));
    }
}

fn outcome<T>(done: &'static str, result: &Result<T, MeteringError>) -> OutcomeLabel {
    let outcome = match result {
        Ok(_) => done,
        Err(MeteringError::InsufficientCredits { .. }) => "insufficient_credits",
        Err(MeteringError::CapExceeded(_)) => "cap_exceeded",
        Err(MeteringError::BudgetExceeded(_)) => "budget_exceeded",
        Err(_) => "failed",
    };
    OutcomeLabel { outcome }
}
