//! What is remembered of keys, models and providers that failed, and how fast they answer. State
//! machines with the time as an argument. They order candidates and never exclude one.

mod breaker;
mod hint;
mod keys;
mod outages;
mod pace;
#[cfg(test)]
mod simulation;

pub(crate) use breaker::{Entry, State};
pub(crate) use hint::{About, Hint, Learnt};
pub(crate) use keys::Health;
pub(crate) use outages::{Outages, Voice};
pub(crate) use pace::{Pace, Run};

/// How long what fails is left alone before it is probed, where the settings say nothing.
pub(crate) const PROBE_INTERVAL_MS: u64 = 5_000;

/// How a key stands with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nothing is known against it.
    #[default]
    Good,
    /// The provider lacks the model for this key, as far as is known.
    Absent,
    /// It is cooling down, or its breaker is open.
    Resting {
        /// Until when, in milliseconds since 1970.
        until_ms: u64,
    },
}

impl Standing {
    /// The worse of the two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Resting { until_ms }, Self::Resting { until_ms: other_ms }) => Self::Resting {
                until_ms: until_ms.max(other_ms),
            },
            (resting @ Self::Resting { .. }, _) | (_, resting @ Self::Resting { .. }) => resting,
            (Self::Absent, _) | (_, Self::Absent) => Self::Absent,
            (Self::Good, Self::Good) => Self::Good,
        }
    }
}

/// How a model has answered at a provider lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Until its first byte, in milliseconds.
    pub first_byte_ms: u64,
    /// Tokens of an answer in a second; absent where none was streamed to its end.
    pub tokens_per_second: Option<u64>,
    /// Of 10,000 attempts, how many failed by the provider's fault.
    pub failed_of_10_000: u64,
}

/// Tells how keys stand, and how models answer.
pub trait HealthView {
    /// How a version of a key stands with a model.
    fn standing(&self, key_id: &str, version: u64, upstream_model: &str, now_ms: u64) -> Standing;

    /// How a model stands at a provider's own address, whosever key is used.
    fn standing_at(&self, _provider: &str, _upstream_model: &str, _now_ms: u64) -> Standing {
        Standing::Good
    }

    /// When a version of a key was limited last with a model, in milliseconds since 1970; 0 where that
    /// was not lately.
    fn limited_ms(&self, key_id: &str, version: u64, upstream_model: &str, now_ms: u64) -> u64;

    /// How a model, by its id, has answered at a provider lately.
    fn seen(&self, provider: &str, model: &str, now_ms: u64) -> Option<Seen>;
}

/// How a breaker stands, as candidates are ordered: what is due is as good as any, for the one who
/// probes.
fn standing(state: State, now_ms: u64) -> Standing {
    match state {
        State::Closed | State::Due => Standing::Good,
        State::Open { until_ms } => Standing::Resting { until_ms },
        State::Probing => Standing::Resting { until_ms: now_ms },
    }
}
