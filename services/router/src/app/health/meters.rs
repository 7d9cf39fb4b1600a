//! What is counted of health: breakers that opened, probes, hints of other routers.

use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Whose breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A key's, with a model.
    Key,
    /// A provider's model's, for all keys.
    Provider,
}

/// The metrics of health. Clones count into the same.
#[derive(Debug, Clone)]
pub(crate) struct HealthMeters {
    opened: Family<OpenedLabels, Counter>,
    probes: Family<ProbeLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpenedLabels {
    provider: String,
    scope: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProbeLabels {
    provider: String,
    outcome: &'static str,
}

impl HealthMeters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            opened: metrics.register(
                "router_breakers_opened",
                "Breakers that opened: of a key with a model, or of a provider's model for all keys",
                Family::default(),
            ),
            probes: metrics.register(
                "router_probes",
                "Free calls that asked whether a provider answers again, by what came of them",
                Family::default(),
            ),
        }
    }

    /// A breaker opened.
    pub(super) fn opened(&self, provider: &str, scope: Scope) {
        let labels = OpenedLabels {
            provider: provider.to_owned(),
            scope: match scope {
                Scope::Key => "key",
                Scope::Provider => "provider",
            },
        };
        self.opened.get_or_create(&labels).inc();
    }

    /// A free call is over.
    pub(super) fn probe(&self, provider: &str, answered: bool) {
        let labels = ProbeLabels {
            provider: provider.to_owned(),
            outcome: match answered {
                true => "answered",
                false => "failed",
            },
        };
        self.probes.get_or_create(&labels).inc();
    }
}
