//! What is counted of stored answers.

use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::app::answer::CacheOutcome;
use crate::domain::cache::Shelf;

/// Requests by how they stood with the store, and what lies in this process.
#[derive(Debug, Clone)]
pub(crate) struct CacheMeters {
    requests: Family<OutcomeLabel, Counter>,
    bytes: Gauge,
    evictions: Counter,
    store_errors: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl CacheMeters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            requests: metrics.register(
                "router_cache_requests",
                "Requests by how they stood with stored answers",
                Family::default(),
            ),
            bytes: metrics.register(
                "router_cache_bytes",
                "What stored answers take in this process; 0 where they lie in Redis",
                Gauge::default(),
            ),
            evictions: metrics.register(
                "router_cache_evictions",
                "Stored answers that made room for others in this process before their time was over",
                Counter::default(),
            ),
            store_errors: metrics.register(
                "router_cache_store_errors",
                "Times that Redis did not give or take a stored answer",
                Counter::default(),
            ),
        }
    }

    pub(super) fn asked(&self, outcome: CacheOutcome) {
        let outcome = outcome.as_str();
        self.requests.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(super) fn evicted(&self, answers: u64) {
        self.evictions.inc_by(answers);
    }

    pub(super) fn store_failed(&self) {
        self.store_errors.inc();
    }

    pub(super) fn lying(&self, shelf: &Shelf) {
        self.bytes
            .set(i64::try_from(shelf.bytes()).unwrap_or(i64::MAX));
    }
}
