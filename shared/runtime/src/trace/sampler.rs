//! Which traces are recorded, as OpenTelemetry's specification has it: decided once for a process,
//! where a request enters it.

use opentelemetry::trace::TraceId;

/// Decides for each request that enters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether a caller's decision goes before ours.
    parent_based: bool,
    /// Trace ids whose last 64 bits, halved, are below this are recorded.
    below: u64,
}

/// All trace ids.
const ALL: u64 = 1 << 63;

impl Sampler {
    /// The names of samplers in `OTEL_TRACES_SAMPLER`.
    pub const NAMES: [&str; 6] = [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ];

    /// The sampler of that name; `ratio` is the share that the ratio samplers record, from 0 to 1.
    pub fn named(name: &str, ratio: f64) -> Option<Self> {
        let (parent_based, name) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let below = match name {
            "always_on" => ALL,
            "always_off" => 0,
            "traceidratio" => share(ratio),
            _ => return None,
        };
        Some(Self {
            parent_based,
            below,
        })
    }

    /// Whether a trace is recorded; `parent` is what the caller decided, where there is one.
    pub(super) fn decide(self, trace_id: TraceId, parent: Option<bool>) -> bool {
        match parent {
            Some(sampled) if self.parent_based => sampled,
            _ => self.chooses(trace_id),
        }
    }

    fn chooses(self, trace_id: TraceId) -> bool {
        let id = u128::from_be_bytes(trace_id.to_bytes());
        (id >> 1) & u128::from(ALL - 1) < u128::from(self.below)
    }
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of traces need not be exact, and is between 0 and 1"
)]
fn share(ratio: f64) -> u64 {
    (ratio.clamp(0.0, 1.0) * ALL as f64) as u64
}

impl Default for Sampler {
    /// What callers decided; all where nobody did.
    fn default() -> Self {
        Self {
            parent_based: true,
            below: ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceId;

    use super::Sampler;

    fn check(name: &str, ratio: f64, parent: Option<bool>, expect: bool) {
        let low = TraceId::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 1]);
        let sampler = Sampler::named(name, ratio).unwrap();
        assert_eq!(
            sampler.decide(low, parent),
            expect,
            "{name} {ratio} {parent:?}"
        );
    }

    #[test]
    fn samplers_do_as_their_names_say() {
        for parent in [None, Some(true), Some(false)] {
            check("always_on", 1.0, parent, true);
            check("always_off", 1.0, parent, false);
            check("parentbased_always_on", 1.0, parent, parent.unwrap_or(true));
            check(
                "parentbased_always_off",
                1.0,
                parent,
                parent.unwrap_or(false),
            );
            check("traceidratio", 0.2, parent, true);
            check("traceidratio", 0.1, parent, false);
            check("traceidratio", 0.0, parent, false);
        }
        check("parentbased_traceidratio", 0.1, None, false);
        check("parentbased_traceidratio", 0.1, Some(true), true);
        assert!(Sampler::named("jaeger_remote", 1.0).is_none());
        assert!(
            Sampler::NAMES
                .iter()
                .all(|name| Sampler::named(name, 0.5).is_some())
        );
    }
}
