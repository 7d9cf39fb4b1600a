//! What is remembered of keys that failed: cool-downs, breakers, absent models. A state machine with
//! the time as an argument. It orders candidates and never excludes one.

use std::collections::HashMap;

use super::failure::Failure;

/// A key without credit is left alone this long, then tried again: credit can be bought.
const QUOTA_REST_MS: u64 = 60_000;
/// How long a model counts as absent for a key.
const ABSENT_MS: u64 = 600_000;
/// A key that was limited longer ago is as good as any other.
const LIMITED_LATELY_MS: u64 = 60_000;
/// So many failures in a row open the breaker.
const BREAKER_FAILURES: u32 = 3;
/// How long it stays open first; doubled with each failure after.
const BREAKER_OPEN_MS: u64 = 5_000;
/// The longest it stays open, so that a provider which heals is found out soon.
const BREAKER_OPEN_MS_MAX: u64 = 60_000;
/// How many keys are remembered; beyond it, those that rest no more are forgotten, else all.
const KEYS_MAX: usize = 10_000;

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

/// How a model has answered at a provider lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Until its first byte, in milliseconds.
    pub first_byte_ms: u64,
    /// Tokens of an answer in a second; absent where none was streamed to its end.
    pub tokens_per_second: Option<u64>,
}

/// Tells how keys stand, and how models answer.
pub trait HealthView {
    /// How a version of a key stands with a model.
    fn standing(&self, key_id: &str, version: u64, upstream_model: &str, now_ms: u64) -> Standing;

    /// When a version of a key was limited last with a model, in milliseconds since 1970; 0 where that
    /// was not lately.
    fn limited_ms(&self, key_id: &str, version: u64, upstream_model: &str, now_ms: u64) -> u64;

    /// How a model, by its id, has answered at a provider lately.
    fn seen(&self, provider: &str, model: &str, now_ms: u64) -> Option<Seen>;
}

/// How many models of a key are remembered: callers may name any number that there are not.
const MODELS_MAX: usize = 256;

#[derive(Debug, Default)]
struct ModelHealth {
    limited_until_ms: u64,
    absent_until_ms: u64,
    open_until_ms: u64,
    failures: u32,
    /// When the first of the failures in a row came.
    since_ms: u64,
    /// When it was limited last.
    limited_ms: u64,
}

#[derive(Debug, Default)]
struct KeyHealth {
    version: u64,
    no_credit_until_ms: u64,
    no_credit_since_ms: u64,
    models: HashMap<String, ModelHealth>,
}

impl ModelHealth {
    fn rests_until_ms(&self) -> u64 {
        self.limited_until_ms
            .max(self.absent_until_ms)
            .max(self.open_until_ms)
    }
}

impl KeyHealth {
    fn rests_until_ms(&self) -> u64 {
        let models = self.models.values().map(ModelHealth::rests_until_ms);
        models.max().unwrap_or(0).max(self.no_credit_until_ms)
    }

    /// Forgets models that rest no more; all of them, where that is not enough.
    fn make_room(&mut self, model: &str, now_ms: u64) {
        if self.models.len() < MODELS_MAX || self.models.contains_key(model) {
            return;
        }
        self.models
            .retain(|_, known| known.rests_until_ms() > now_ms);
        if self.models.len() >= MODELS_MAX {
            self.models.clear();
        }
    }
}

/// What is remembered of keys, by id; it belongs to a key's version.
#[derive(Debug, Default)]
pub(crate) struct Health {
    keys: HashMap<String, KeyHealth>,
}

impl Health {
    /// An attempt went well: breakers close.
    pub(crate) fn succeeded(&mut self, key_id: &str, version: u64, model: &str) {
        let Some(key) = self
            .keys
            .get_mut(key_id)
            .filter(|key| key.version == version)
        else {
            return;
        };
        key.no_credit_until_ms = 0;
        key.models.remove(model);
        if key.models.is_empty() {
            self.keys.remove(key_id);
        }
    }

    /// An attempt failed. The caller's own errors never count against a key.
    pub(crate) fn failed(
        &mut self,
        key_id: &str,
        version: u64,
        model: &str,
        failure: Failure,
        now_ms: u64,
    ) {
        if matches!(failure, Failure::Caller | Failure::KeyRejected) {
            return;
        }
        self.make_room(now_ms);
        let key = self.keys.entry(key_id.to_owned()).or_default();
        if key.version != version {
            *key = KeyHealth {
                version,
                ..KeyHealth::default()
            };
        }
        if failure == Failure::QuotaExhausted {
            if key.no_credit_until_ms <= now_ms {
                key.no_credit_since_ms = now_ms;
            }
            key.no_credit_until_ms = now_ms + QUOTA_REST_MS;
            return;
        }
        key.make_room(model, now_ms);
        let model = key.models.entry(model.to_owned()).or_default();
        if model.failures == 0 && model.rests_until_ms() <= now_ms {
            model.since_ms = now_ms;
        }
        match failure {
            Failure::RateLimited { retry_after_ms } => {
                model.limited_until_ms = now_ms.saturating_add(retry_after_ms);
                model.limited_ms = now_ms;
            }
            Failure::ModelAbsent => model.absent_until_ms = now_ms + ABSENT_MS,
            _ => {
                model.failures += 1;
                model.open_until_ms = now_ms + breaker_open_ms(model.failures);
            }
        }
    }

    /// Since when a version of a key rests, or the first of its models does, in milliseconds since
    /// 1970; none where nothing of it rests now.
    pub(crate) fn resting_since(&self, key_id: &str, version: u64, now_ms: u64) -> Option<u64> {
        let key = self.keys.get(key_id).filter(|key| key.version == version)?;
        let rests = |model: &&ModelHealth| model.limited_until_ms.max(model.open_until_ms) > now_ms;
        let models = key.models.values().filter(rests);
        let without_credit = key.no_credit_until_ms > now_ms;
        models
            .map(|model| model.since_ms)
            .chain(without_credit.then_some(key.no_credit_since_ms))
            .min()
    }

    /// Forgets a key: it was changed, or tested with success.
    pub(crate) fn forget(&mut self, key_id: &str) {
        self.keys.remove(key_id);
    }

    fn make_room(&mut self, now_ms: u64) {
        if self.keys.len() >= KEYS_MAX {
            self.keys.retain(|_, key| key.rests_until_ms() > now_ms);
            if self.keys.len() >= KEYS_MAX {
                self.keys.clear();
            }
        }
    }
}

impl HealthView for Health {
    fn standing(&self, key_id: &str, version: u64, model: &str, now_ms: u64) -> Standing {
        let Some(key) = self.keys.get(key_id).filter(|key| key.version == version) else {
            return Standing::Good;
        };
        let known = key.models.get(model);
        let rest = known.map_or(0, |known| known.limited_until_ms.max(known.open_until_ms));
        let until_ms = rest.max(key.no_credit_until_ms);
        if until_ms > now_ms {
            Standing::Resting { until_ms }
        } else if known.is_some_and(|known| known.absent_until_ms > now_ms) {
            Standing::Absent
        } else {
            Standing::Good
        }
    }

    fn limited_ms(&self, key_id: &str, version: u64, model: &str, now_ms: u64) -> u64 {
        let key = self.keys.get(key_id).filter(|key| key.version == version);
        let limited = key
            .and_then(|key| key.models.get(model))
            .map_or(0, |known| known.limited_ms);
        if now_ms.saturating_sub(limited) < LIMITED_LATELY_MS {
            limited
        } else {
            0
        }
    }

    fn seen(&self, _: &str, _: &str, _: u64) -> Option<Seen> {
        None
    }
}

fn breaker_open_ms(failures: u32) -> u64 {
    match failures.checked_sub(BREAKER_FAILURES) {
        None => 0,
        Some(more) => (BREAKER_OPEN_MS << more.min(10)).min(BREAKER_OPEN_MS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_key_rests_for_that_model_as_long_as_told() {
        let mut health = Health::default();
        health.failed(
            "k",
            1,
            "m",
            Failure::RateLimited {
                retry_after_ms: 500,
            },
            1000,
        );
        assert_eq!(
            health.standing("k", 1, "m", 1499),
            Standing::Resting { until_ms: 1500 }
        );
        assert_eq!(health.standing("k", 1, "m", 1500), Standing::Good);
        assert_eq!(health.standing("k", 1, "other", 1200), Standing::Good);
        assert_eq!(health.standing("k", 2, "m", 1200), Standing::Good);
    }

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_and_closes_with_a_success() {
        let mut health = Health::default();
        for _ in 0..2 {
            health.failed("k", 1, "m", Failure::Broken, 0);
        }
        assert_eq!(health.standing("k", 1, "m", 0), Standing::Good);
        health.failed("k", 1, "m", Failure::TimedOut, 0);
        assert_eq!(
            health.standing("k", 1, "m", 0),
            Standing::Resting { until_ms: 5000 }
        );
        health.failed("k", 1, "m", Failure::Unreachable, 0);
        assert_eq!(
            health.standing("k", 1, "m", 0),
            Standing::Resting { until_ms: 10_000 }
        );
        health.succeeded("k", 1, "m");
        assert_eq!(health.standing("k", 1, "m", 0), Standing::Good);
    }

    #[test]
    fn quota_rests_the_whole_key_and_absence_one_model() {
        let mut health = Health::default();
        health.failed("k", 1, "m", Failure::QuotaExhausted, 0);
        assert_eq!(
            health.standing("k", 1, "x", 0),
            Standing::Resting { until_ms: 60_000 }
        );
        health.failed("l", 1, "m", Failure::ModelAbsent, 0);
        assert_eq!(health.standing("l", 1, "m", 1), Standing::Absent);
        assert_eq!(health.standing("l", 1, "m", 600_000), Standing::Good);
        health.forget("k");
        assert_eq!(health.standing("k", 1, "x", 0), Standing::Good);
    }

    #[test]
    fn a_key_rests_since_the_first_failure_of_what_rests_now() {
        let mut health = Health::default();
        let limited = Failure::RateLimited {
            retry_after_ms: 10_000,
        };
        health.failed("k", 1, "m", limited, 1000);
        health.failed("k", 1, "m", limited, 2000);
        health.failed("k", 1, "absent", Failure::ModelAbsent, 500);
        assert_eq!(health.resting_since("k", 1, 3000), Some(1000));
        assert_eq!(health.resting_since("k", 2, 3000), None);
        assert_eq!(health.resting_since("k", 1, 12_000), None);
        health.failed("k", 1, "m", limited, 20_000);
        assert_eq!(health.resting_since("k", 1, 21_000), Some(20_000));
        health.failed("k", 1, "m", Failure::QuotaExhausted, 15_000);
        assert_eq!(health.resting_since("k", 1, 21_000), Some(15_000));
        health.succeeded("k", 1, "m");
        assert_eq!(health.resting_since("k", 1, 21_000), None);
    }

    #[test]
    fn made_up_models_are_forgotten_in_the_end() {
        let mut health = Health::default();
        for model in 0..10 * MODELS_MAX {
            health.failed("k", 1, &model.to_string(), Failure::ModelAbsent, 0);
        }
        assert!(health.keys["k"].models.len() <= MODELS_MAX);
        let last = (10 * MODELS_MAX - 1).to_string();
        assert_eq!(health.standing("k", 1, &last, 1), Standing::Absent);
    }

    #[test]
    fn the_callers_own_errors_never_count() {
        let mut health = Health::default();
        for _ in 0..9 {
            health.failed("k", 1, "m", Failure::Caller, 0);
        }
        assert_eq!(health.standing("k", 1, "m", 0), Standing::Good);
    }
}
