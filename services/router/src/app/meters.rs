//! What the router counts of its own work. Labels come from enumerations and from the providers that
//! can be called.

use std::time::Duration;

use keyward_limits::Turned;
use keyward_proto::metering::v1::{AttemptStatus, KeySource};
use keyward_proto::vault::v1::KeyOutcome;
use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::dispatch::hedging::Hedged;
use crate::domain::plan::Candidate;
use crate::spool::SpoolGauges;

/// Upper bounds of attempts, in seconds: from the sandbox to a long stream. As the edge's, so that one
/// can be read beside the other.
const DURATION_BUCKETS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0,
];

/// The metrics of the router. Clones count into the same.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    attempts: Family<AttemptLabels, Counter>,
    durations: Family<ProviderLabel, Histogram>,
    key_failures: Family<KeyFailureLabels, Counter>,
    spool: SpoolGauges,
    fallbacks: Counter,
    hedges: Family<HedgeLabel, Counter>,
    streams_open: Gauge,
    limits_local: Gauge,
    limit_refusals: Family<LimitLabels, Counter>,
    leases: LeaseMeters,
}

/// What is counted of leases.
#[derive(Debug, Clone)]
pub(crate) struct LeaseMeters {
    holds: Family<HoldLabel, Counter>,
    open: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HoldLabel {
    from: &'static str,
}

impl LeaseMeters {
    /// A hold was taken from a lease, or metering is asked for it.
    pub(super) fn hold(&self, is_leased: bool) {
        let from = if is_leased { "lease" } else { "metering" };
        self.holds.get_or_create(&HoldLabel { from }).inc();
    }

    /// So many accounts have one.
    pub(super) fn open(&self, leases: usize) {
        self.open.set(i64::try_from(leases).unwrap_or(i64::MAX));
    }

    fn new(metrics: &Metrics) -> Self {
        Self {
            holds: metrics.register(
                "router_holds",
                "Holds for the platform's keys, by where they were taken from",
                Family::default(),
            ),
            open: metrics.register(
                "router_leases_open",
                "Accounts of which this router has a credit lease, as of the last second",
                Gauge::default(),
            ),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    provider: String,
    key_source: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    scope: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabel {
    provider: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HedgeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyFailureLabels {
    provider: String,
    outcome: &'static str,
}

/// One more in a gauge, for as long as this lives: a stream that is being passed on.
#[derive(Debug)]
pub(super) struct Counted(Gauge);

impl Counted {
    fn one_of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let durations = Family::new_with_constructor(
            (|| Histogram::new(DURATION_BUCKETS)) as fn() -> Histogram,
        );
        Self {
            attempts: metrics.register(
                "router_attempts",
                "Attempts at providers that are over, by how they ended",
                Family::default(),
            ),
            durations: metrics.register(
                "router_attempt_duration_seconds",
                "From asking a provider to the end of its answer",
                durations,
            ),
            key_failures: metrics.register(
                "router_key_failures",
                "Stored keys that a provider refused, or that have no quota left",
                Family::default(),
            ),
            spool: spool_gauges(metrics),
            fallbacks: metrics.register(
                "router_fallbacks_to_credits",
                "Attempts with the platform's key in the stead of an own one",
                Counter::default(),
            ),
            hedges: metrics.register(
                "router_hedges",
                "Second attempts beside slow ones, by who answered first",
                Family::default(),
            ),
            streams_open: metrics.register(
                "router_streams_open",
                "Streams of providers that are being read",
                Gauge::default(),
            ),
            limits_local: metrics.register(
                "router_limits_local",
                "1 while limits are counted by this process alone because Redis is away",
                Gauge::default(),
            ),
            limit_refusals: metrics.register(
                "router_limit_refusals",
                "Requests that a limit refused, by whose limit and what it counts",
                Family::default(),
            ),
            leases: LeaseMeters::new(metrics),
        }
    }

    /// What is counted of leases.
    pub(crate) fn leases(&self) -> LeaseMeters {
        self.leases.clone()
    }

    /// An attempt is over.
    pub(super) fn attempt(&self, candidate: &Candidate, status: AttemptStatus, took: Duration) {
        let provider = candidate.provider.to_string();
        let labels = AttemptLabels {
            provider: provider.clone(),
            key_source: key_source(candidate.source),
            outcome: outcome(status),
        };
        self.attempts.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&ProviderLabel { provider })
            .observe(took.as_secs_f64());
    }

    /// A provider said that a stored key is no good.
    pub(super) fn key_failure(&self, provider: &str, outcome: KeyOutcome) {
        let outcome = match outcome {
            KeyOutcome::Rejected => "rejected",
            KeyOutcome::QuotaExhausted => "quota_exhausted",
            KeyOutcome::Accepted | KeyOutcome::Unspecified => return,
        };
        let provider = provider.to_owned();
        self.key_failures
            .get_or_create(&KeyFailureLabels { provider, outcome })
            .inc();
    }

    /// The gauges of the spool.
    pub(crate) fn spool(&self) -> SpoolGauges {
        self.spool.clone()
    }

    /// The gauge that tells whether limits are counted by this process alone.
    pub(crate) fn limits_local(&self) -> Gauge {
        self.limits_local.clone()
    }

    /// A request was not let in.
    pub(super) fn turned(&self, turned: &Turned) {
        let (scope, kind) = match turned {
            Turned::Refused(refused) => (refused.scope, refused.kind),
            Turned::TooLarge(large) => (large.scope, large.kind),
        };
        let (scope, kind) = (scope.as_str(), kind.as_str());
        self.limit_refusals
            .get_or_create(&LimitLabels { scope, kind })
            .inc();
    }

    pub(super) fn fallback(&self) {
        self.fallbacks.inc();
    }

    /// A second attempt beside a slow one is over.
    pub(super) fn hedge(&self, hedged: Hedged) {
        let outcome = match hedged {
            Hedged::Won => "won",
            Hedged::Lost => "lost",
            Hedged::Neither => "neither",
            Hedged::Withheld => "withheld",
        };
        self.hedges.get_or_create(&HedgeLabel { outcome }).inc();
    }

    pub(super) fn stream(&self) -> Counted {
        Counted::one_of(&self.streams_open)
    }
}

fn spool_gauges(metrics: &Metrics) -> SpoolGauges {
    let gauge = |name, help| metrics.register(name, help, Gauge::default());
    SpoolGauges {
        depth: gauge(
            "router_spool_depth",
            "Settles, voids and usage records that metering has not acknowledged",
        ),
        oldest_seconds: gauge(
            "router_spool_oldest_seconds",
            "The age of the oldest of them",
        ),
        quarantined: gauge(
            "router_spool_quarantined",
            "Those that metering refused for good, kept for somebody to look at",
        ),
    }
}

pub(super) const fn outcome(status: AttemptStatus) -> &'static str {
    match status {
        AttemptStatus::Ok => "ok",
        AttemptStatus::Failed => "failed",
        AttemptStatus::Abandoned => "abandoned",
        AttemptStatus::Cut => "cut",
        AttemptStatus::Hedged => "hedged",
        AttemptStatus::Unspecified => "other",
    }
}

const fn key_source(source: KeySource) -> &'static str {
    match source {
        KeySource::Inline => "inline",
        KeySource::User => "user",
        KeySource::Project => "project",
        KeySource::Organization => "organization",
        KeySource::System => "system",
        KeySource::Unspecified => "other",
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
