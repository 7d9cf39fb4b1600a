//! What is remembered of keys that failed: cool-downs, breakers, absent models, by the key's version.

use std::collections::HashMap;

use super::breaker::{Breaker, Entry, State};
use super::hint::{About, Hint, Learnt};
use super::{PROBE_INTERVAL_MS, Standing};
use crate::domain::failure::{Failure, Fault};
use crate::domain::provider_health::Fared;

/// A key without credit, or that was refused, is left alone this long, then tried again where nothing
/// else serves: credit can be bought, and what is stored of a key is the vault's to say.
const KEY_REST_MS: u64 = 60_000;
/// How long others may still read that a key was found well: it is told once, and only has to take
/// the place of what was told before.
const WELL_TOLD_MS: u64 = 1_000;
/// How long a model counts as absent for a key.
const ABSENT_MS: u64 = 600_000;
/// A key that was limited longer ago is as good as any other.
const LIMITED_LATELY_MS: u64 = 60_000;
/// How many keys are remembered; beyond it, those that rest no more are forgotten, else all.
const KEYS_MAX: usize = 10_000;
/// How many models of a key are remembered: callers may name any number that there are not.
const MODELS_MAX: usize = 256;

#[derive(Debug, Default)]
struct ModelHealth {
    limited_until_ms: u64,
    absent_until_ms: u64,
    breaker: Breaker,
    /// When the first of the failures since it was well came.
    since_ms: u64,
    /// When it was limited last.
    limited_ms: u64,
}

#[derive(Debug, Default)]
struct KeyHealth {
    version: u64,
    rests_until_ms: u64,
    rests_since_ms: u64,
    models: HashMap<String, ModelHealth>,
}

impl ModelHealth {
    /// Whether it is limited or fails; what is due for a probe rests as well.
    fn rests(&self, now_ms: u64) -> bool {
        self.limited_until_ms > now_ms || self.breaker.state(now_ms) != State::Closed
    }

    fn is_blank(&self, now_ms: u64) -> bool {
        self.limited_until_ms <= now_ms
            && self.absent_until_ms <= now_ms
            && self.breaker.is_blank(now_ms)
            && (self.limited_ms == 0 || now_ms.saturating_sub(self.limited_ms) >= LIMITED_LATELY_MS)
    }
}

impl KeyHealth {
    fn is_blank(&self, now_ms: u64) -> bool {
        self.rests_until_ms <= now_ms && self.models.values().all(|model| model.is_blank(now_ms))
    }

    fn rest(&mut self, until_ms: u64, now_ms: u64) {
        if self.rests_until_ms <= now_ms {
            self.rests_since_ms = now_ms;
        }
        self.rests_until_ms = self.rests_until_ms.max(until_ms);
    }

    fn model(&mut self, model: &str, now_ms: u64) -> &mut ModelHealth {
        self.make_room(model, now_ms);
        let model = self.models.entry(model.to_owned()).or_default();
        if model.is_blank(now_ms) {
            model.since_ms = now_ms;
        }
        model
    }

    /// Forgets models of which there is nothing to remember; all of them, where that is not enough.
    fn make_room(&mut self, model: &str, now_ms: u64) {
        if self.models.len() < MODELS_MAX || self.models.contains_key(model) {
            return;
        }
        self.models.retain(|_, known| !known.is_blank(now_ms));
        if self.models.len() >= MODELS_MAX {
            self.models.clear();
        }
    }
}

/// What is remembered of keys, by id; it belongs to a key's version.
#[derive(Debug)]
pub(crate) struct Health {
    keys: HashMap<String, KeyHealth>,
    probe_interval_ms: u64,
}

impl Default for Health {
    fn default() -> Self {
        Self::new(PROBE_INTERVAL_MS)
    }
}

impl Health {
    /// What fails is left alone for `probe_interval_ms` before it is probed.
    pub(crate) fn new(probe_interval_ms: u64) -> Self {
        Self {
            keys: HashMap::new(),
            probe_interval_ms,
        }
    }

    /// An attempt went well that was begun at `began_ms`: what was learnt since stands.
    pub(crate) fn succeeded(
        &mut self,
        key_id: &str,
        version: u64,
        model: &str,
        began_ms: u64,
        now_ms: u64,
    ) {
        let Some(key) = self.known_mut(key_id, version) else {
            return;
        };
        key.rests_until_ms = 0;
        if let Some(known) = key.models.get_mut(model) {
            known.absent_until_ms = 0;
            if began_ms >= known.limited_ms {
                known.limited_until_ms = 0;
            }
            known.breaker.succeeded(began_ms, now_ms);
            if known.is_blank(now_ms) {
                key.models.remove(model);
            }
        }
        if key.models.is_empty() {
            self.keys.remove(key_id);
        }
    }

    /// An attempt failed. The caller's own errors never count against a key. Gives what others should
    /// know.
    pub(crate) fn failed(
        &mut self,
        key_id: &str,
        version: u64,
        model: &str,
        failure: Failure,
        now_ms: u64,
    ) -> Option<Hint> {
        if failure.fared() == Some(Fared::Answered) {
            // The provider is there: that is what a probe was to find out.
            self.answered(key_id, version, model, now_ms);
        }
        let (learnt, for_ms) = match (failure.fault(), failure) {
            (Fault::Request | Fault::Ours, _) => return None,
            (Fault::Key, _) => (Learnt::Refused, KEY_REST_MS),
            (Fault::Quota, _) => (Learnt::NoCredit, KEY_REST_MS),
            (Fault::Model, _) => (Learnt::Absent, ABSENT_MS),
            (_, Failure::RateLimited { retry_after_ms }) => (Learnt::Limited, retry_after_ms),
            (Fault::Rate | Fault::Provider, _) => (Learnt::Failing, self.probe_interval_ms),
        };
        if learnt == Learnt::Failing {
            let key = self.known_or_new(key_id, version, now_ms);
            let breaker = &mut key.model(model, now_ms).breaker;
            if !breaker.failed(now_ms, for_ms, true) {
                return None;
            }
        } else {
            self.heard(key_id, version, model, (learnt, for_ms), now_ms);
        }
        let about = About::Key {
            id: key_id.to_owned(),
            version,
            model: model.to_owned(),
        };
        Some(Hint {
            about,
            learnt,
            for_ms,
        })
    }

    /// Something was learnt of a key, here or by another router.
    pub(crate) fn heard(
        &mut self,
        key_id: &str,
        version: u64,
        model: &str,
        (learnt, for_ms): (Learnt, u64),
        now_ms: u64,
    ) {
        let until_ms = now_ms.saturating_add(for_ms);
        if self
            .keys
            .get(key_id)
            .is_some_and(|key| key.version > version)
        {
            return;
        }
        let key = self.known_or_new(key_id, version, now_ms);
        match learnt {
            Learnt::NoCredit | Learnt::Refused => key.rest(until_ms, now_ms),
            Learnt::Limited => {
                let known = key.model(model, now_ms);
                known.limited_until_ms = known.limited_until_ms.max(until_ms);
                known.limited_ms = now_ms;
            }
            Learnt::Absent => {
                let known = key.model(model, now_ms);
                known.absent_until_ms = known.absent_until_ms.max(until_ms);
            }
            Learnt::Failing => key
                .model(model, now_ms)
                .breaker
                .open_until(until_ms, now_ms),
            Learnt::Well => {
                self.keys.remove(key_id);
            }
        }
    }

    /// Asks to make an attempt; see [`Breaker::enter`].
    pub(crate) fn enter(&mut self, key_id: &str, version: u64, model: &str, now_ms: u64) -> Entry {
        let breaker = self.breaker(key_id, version, model);
        breaker.map_or(Entry::Free, |breaker| breaker.enter(now_ms))
    }

    /// A probe said nothing.
    pub(crate) fn release(&mut self, key_id: &str, version: u64, model: &str) {
        if let Some(breaker) = self.breaker(key_id, version, model) {
            breaker.release();
        }
    }

    /// How the breaker of a key stands at its worst, over its models.
    pub(crate) fn worst(&self, key_id: &str, version: u64, now_ms: u64) -> State {
        let key = self.known(key_id, version);
        let models = key.into_iter().flat_map(|key| key.models.values());
        let states = models.map(|model| model.breaker.state(now_ms));
        states.fold(State::Closed, State::or_worse)
    }

    /// Since when a version of a key rests, or the first of its models does, in milliseconds since
    /// 1970; none where nothing of it rests now.
    pub(crate) fn resting_since(&self, key_id: &str, version: u64, now_ms: u64) -> Option<u64> {
        let key = self.known(key_id, version)?;
        let models = key.models.values().filter(|model| model.rests(now_ms));
        let rests = key.rests_until_ms > now_ms;
        models
            .map(|model| model.since_ms)
            .chain(rests.then_some(key.rests_since_ms))
            .min()
    }

    /// Forgets a key: it was changed.
    pub(crate) fn forget(&mut self, key_id: &str) {
        self.keys.remove(key_id);
    }

    /// A version of a key was found well by a test. What others are told takes the place of all that
    /// they were told of it before.
    pub(crate) fn found_well(&mut self, key_id: &str, version: u64) -> Vec<Hint> {
        let known = self.keys.remove(key_id);
        let models = known.into_iter().flat_map(|key| key.models.into_keys());
        let well = |model: String| Hint {
            about: About::Key {
                id: key_id.to_owned(),
                version,
                model,
            },
            learnt: Learnt::Well,
            for_ms: WELL_TOLD_MS,
        };
        models.chain([String::new()]).map(well).collect()
    }

    /// How a version of a key stands with a model.
    pub(crate) fn standing(
        &self,
        key_id: &str,
        version: u64,
        model: &str,
        now_ms: u64,
    ) -> Standing {
        let Some(key) = self.known(key_id, version) else {
            return Standing::Good;
        };
        let known = key.models.get(model);
        let limited_ms = known.map_or(0, |known| known.limited_until_ms);
        let until_ms = limited_ms.max(key.rests_until_ms);
        let limited = match until_ms > now_ms {
            true => Standing::Resting { until_ms },
            false => Standing::Good,
        };
        let absent = match known.is_some_and(|known| known.absent_until_ms > now_ms) {
            true => Standing::Absent,
            false => Standing::Good,
        };
        let breaker = known.map_or(State::Closed, |known| known.breaker.state(now_ms));
        limited.and(absent).and(super::standing(breaker, now_ms))
    }

    /// When a version of a key was limited last with a model; 0 where that was not lately.
    pub(crate) fn limited_ms(&self, key_id: &str, version: u64, model: &str, now_ms: u64) -> u64 {
        let known = self.known(key_id, version);
        let limited = known
            .and_then(|key| key.models.get(model))
            .map_or(0, |known| known.limited_ms);
        if now_ms.saturating_sub(limited) < LIMITED_LATELY_MS {
            limited
        } else {
            0
        }
    }

    /// The provider answered, if not as was hoped: a probe has found it there.
    pub(crate) fn answered(&mut self, key_id: &str, version: u64, model: &str, now_ms: u64) {
        let breaker = self.breaker(key_id, version, model);
        if let Some(breaker) = breaker.filter(|breaker| breaker.state(now_ms) == State::Probing) {
            breaker.succeeded(now_ms, now_ms);
        }
    }

    fn known(&self, key_id: &str, version: u64) -> Option<&KeyHealth> {
        self.keys.get(key_id).filter(|key| key.version == version)
    }

    fn known_mut(&mut self, key_id: &str, version: u64) -> Option<&mut KeyHealth> {
        let key = self.keys.get_mut(key_id);
        key.filter(|key| key.version == version)
    }

    fn known_or_new(&mut self, key_id: &str, version: u64, now_ms: u64) -> &mut KeyHealth {
        if self.keys.len() >= KEYS_MAX {
            self.make_room(now_ms);
        }
        let key = self.keys.entry(key_id.to_owned()).or_default();
        if key.version != version {
            *key = KeyHealth {
                version,
                ..KeyHealth::default()
            };
        }
        key
    }

    fn breaker(&mut self, key_id: &str, version: u64, model: &str) -> Option<&mut Breaker> {
        let key = self.known_mut(key_id, version)?;
        key.models.get_mut(model).map(|known| &mut known.breaker)
    }

    fn make_room(&mut self, now_ms: u64) {
        self.keys.retain(|_, key| !key.is_blank(now_ms));
        if self.keys.len() >= KEYS_MAX {
            self.keys.clear();
        }
    }
}

#[cfg(test)]
mod tests;
