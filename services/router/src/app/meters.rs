//! What the router counts of its own work. Labels come from enumerations and from the providers that
//! can be called.

use keyward_proto::metering::v1::AttemptStatus;
use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// The metrics of the router. Clones count into the same.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    attempts: Family<AttemptLabels, Counter>,
    fallbacks: Counter,
    streams_open: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    provider: String,
    outcome: &'static str,
}

/// A stream that is being passed on.
#[derive(Debug)]
pub(super) struct OpenStream(Gauge);

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            attempts: metrics.register(
                "router_attempts",
                "Attempts at providers that are over, by how they ended",
                Family::default(),
            ),
            fallbacks: metrics.register(
                "router_fallbacks_to_credits",
                "Attempts with the platform's key in the stead of an own one",
                Counter::default(),
            ),
            streams_open: metrics.register(
                "router_streams_open",
                "Streams of providers that are being read",
                Gauge::default(),
            ),
        }
    }

    pub(super) fn attempt(&self, provider: &str, status: AttemptStatus) {
        let outcome = match status {
            AttemptStatus::Ok => "ok",
            AttemptStatus::Failed => "failed",
            AttemptStatus::Abandoned => "abandoned",
            AttemptStatus::Cut => "cut",
            AttemptStatus::Unspecified => "other",
        };
        let labels = AttemptLabels {
            provider: provider.to_owned(),
            outcome,
        };
        self.attempts.get_or_create(&labels).inc();
    }

    pub(super) fn fallback(&self) {
        self.fallbacks.inc();
    }

    pub(super) fn stream(&self) -> OpenStream {
        self.streams_open.inc();
        OpenStream(self.streams_open.clone())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
