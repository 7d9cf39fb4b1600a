//! What is counted of leases.

use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::leases::Held;

/// The metrics. Clones count into the same.
#[derive(Debug, Clone)]
pub(crate) struct LeaseMeters {
    held: Family<StateLabel, Gauge>,
    checked: Family<OutcomeLabel, Counter>,
    doubts: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl LeaseMeters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            held: metrics.register(
                "router_leases",
                "Opened provider keys in memory; unverified ones are not used",
                Family::default(),
            ),
            checked: metrics.register(
                "router_leases_checked",
                "Leases that the vault was asked for after a doubt, by whether they held",
                Family::default(),
            ),
            doubts: metrics.register(
                "router_lease_doubts",
                "Times that changes of the vault may have been missed",
                Counter::default(),
            ),
        }
    }

    pub(super) fn held(&self, held: Held) {
        for (state, count) in [("verified", held.verified), ("unverified", held.unverified)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.held.get_or_create(&StateLabel { state }).set(count);
        }
    }

    pub(super) fn checked(&self, asked: usize, held: u64) {
        let dropped = u64::try_from(asked)
            .unwrap_or(u64::MAX)
            .saturating_sub(held);
        for (outcome, count) in [("held", held), ("dropped", dropped)] {
            let label = OutcomeLabel { outcome };
            self.checked.get_or_create(&label).inc_by(count);
        }
    }

    pub(super) fn doubt(&self) {
        self.doubts.inc();
    }
}
