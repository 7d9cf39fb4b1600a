//! What is counted of the audit log.

use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// A place that events are written to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SinkLabels {
    sink: &'static str,
}

/// The audit log's metrics.
#[derive(Debug, Clone)]
pub(super) struct AuditMeters {
    up: Family<SinkLabels, Gauge>,
    failures: Family<SinkLabels, Counter>,
    /// Events that were given a place.
    pub(super) linked: Counter,
    /// What was not given out because no event could be written.
    pub(super) refused: Counter,
    /// Events that have had no place for too long.
    pub(super) unlinked: Gauge,
    /// The size of the newest checkpoint.
    pub(super) checkpoint: Gauge,
}

impl AuditMeters {
    /// The one table of their names.
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            up: metrics.register(
                "vault_audit_sink_up",
                "Whether a sink of the audit log takes events (1) or is being done without (0)",
                Family::default(),
            ),
            failures: metrics.register(
                "vault_audit_sink_failures",
                "Writes that a sink of the audit log failed or did not answer in time",
                Family::default(),
            ),
            linked: metrics.register(
                "vault_audit_events_linked",
                "Audit events that were given a place in the chain",
                Counter::default(),
            ),
            refused: metrics.register(
                "vault_audit_refusals",
                "Provider keys that were not given out because no audit event could be written",
                Counter::default(),
            ),
            unlinked: metrics.register(
                "vault_audit_unlinked_events",
                "Audit events that have had no place in a chain for more than 10 seconds: a fault",
                Gauge::default(),
            ),
            checkpoint: metrics.register(
                "vault_audit_checkpoint_sequence",
                "The last event that a signed checkpoint covers",
                Gauge::default(),
            ),
        }
    }

    pub(super) fn up(&self, sink: &'static str, is_up: bool) {
        self.up
            .get_or_create(&SinkLabels { sink })
            .set(i64::from(is_up));
    }

    pub(super) fn failed(&self, sink: &'static str) {
        self.failures.get_or_create(&SinkLabels { sink }).inc();
        self.up(sink, false);
    }
}
