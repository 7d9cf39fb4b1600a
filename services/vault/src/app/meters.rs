//! What the vault counts of its own work. Labels come from enumerations only.

use keyward_runtime::metrics::Metrics;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// The metrics of the vault. Clones count into the same.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    integrity_failures: Counter,
    secret_ceiling_trips: Counter,
    laggards: Counter,
    watchers: Gauge,
}

/// One more watcher, for as long as this lives.
#[derive(Debug)]
pub(super) struct Watching(Gauge);

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            integrity_failures: metrics.register(
                "vault_integrity_failures",
                "Keys that were not opened because what is stored of them was changed",
                Counter::default(),
            ),
            secret_ceiling_trips: metrics.register(
                "vault_secret_ceiling_trips",
                "Keys that were not opened because a router had too many distinct ones within a minute",
                Counter::default(),
            ),
            laggards: metrics.register(
                "vault_laggards",
                "Routers that had not confirmed a change when the call that made it was answered",
                Counter::default(),
            ),
            watchers: metrics.register(
                "vault_watchers",
                "Routers that watch for changes here",
                Gauge::default(),
            ),
        }
    }

    /// A key was not opened because what is stored of it is not what the vault wrote.
    pub(super) fn integrity_failure(&self) {
        self.integrity_failures.inc();
    }

    /// A router asked for more distinct secrets than it may have.
    pub(super) fn secret_ceiling(&self) {
        self.secret_ceiling_trips.inc();
    }

    /// So many routers had not confirmed a change in time.
    pub(super) fn laggards(&self, count: u32) {
        self.laggards.inc_by(u64::from(count));
    }

    /// A router watches.
    pub(super) fn watching(&self) -> Watching {
        self.watchers.inc();
        Watching(self.watchers.clone())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.dec();
    }
}
