//! What is counted of what is sent.

use jiff::Timestamp;
use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::store::notices::{OutboxDepth, Tried};

/// The metrics of the outbox. Clones count into the same.
#[derive(Debug, Clone)]
pub(crate) struct OutboxMeters {
    tries: Family<OutcomeLabel, Counter>,
    waiting: Gauge,
    oldest: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl OutboxMeters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            tries: metrics.register(
                "metering_notice_tries",
                "Tries to deliver a notice, by what became of them",
                Family::default(),
            ),
            waiting: metrics.register(
                "metering_notices_waiting",
                "Notices that are still to be delivered, as of the last minute",
                Gauge::default(),
            ),
            oldest: metrics.register(
                "metering_notices_oldest_seconds",
                "For how long the oldest of them waits",
                Gauge::default(),
            ),
        }
    }

    pub(super) fn tried(&self, tried: &Tried) {
        let outcome = match tried {
            Tried::Delivered => "delivered",
            Tried::Failed { .. } => "failed",
            Tried::GivenUp { .. } => "given_up",
        };
        self.tries.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(super) fn depth(&self, depth: OutboxDepth, now: Timestamp) {
        self.waiting.set(depth.waiting.into());
        let waits = |since| now.duration_since(since).as_secs();
        self.oldest.set(depth.oldest.map_or(0, waits));
    }
}
