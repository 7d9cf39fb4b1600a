//! Figures of how provider keys are kept, for the operator: counted now and then, for all owners at
//! once, so that no request pays for them.

use std::sync::Arc;
use std::time::Duration;

use keyward_runtime::error;
use keyward_runtime::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Core;
use crate::domain::hygiene::{Bounds, Census};

/// How often keys are counted: one pass over their table, which at 200,000 keys takes a fraction of
/// a second, for figures that change by the day.
const COUNT_EVERY: Duration = Duration::from_mins(5);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// How many keys there are of each kind.
#[derive(Debug, Clone)]
pub(crate) struct KeyGauges {
    keys: Family<StateLabel, Gauge>,
}

impl KeyGauges {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let help = "Provider keys by how they are kept, as of the last five minutes; one key can be \
                    in several states";
        Self {
            keys: metrics.register("vault_provider_keys", help, Family::default()),
        }
    }

    fn show(&self, census: &Census) {
        for (state, count) in [
            ("stored", census.stored),
            ("rotation_due", census.rotation_due),
            ("expiring", census.expiring),
            ("unused", census.unused),
            ("failing", census.failing),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.keys.get_or_create(&StateLabel { state }).set(count);
        }
    }
}

/// Counts at once, and then every few minutes until the vault stops.
pub(crate) async fn count_keys(core: Arc<Core>, gauges: KeyGauges) {
    let mut ticks = tokio::time::interval(COUNT_EVERY);
    loop {
        tokio::select! {
            () = core.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let bounds = Bounds::at(core.clock.now());
        match core.store.provider_key_census(bounds).await {
            Ok(census) => gauges.show(&census),
            Err(fault) => {
                tracing::warn!(error.chain = %error::chain(&fault), "cannot count provider keys");
            }
        }
    }
}
