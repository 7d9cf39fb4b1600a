//! What fails at a provider whosever key is used. Nobody alone can bring it about: several keys of
//! several accounts have to fail, none of them at an address of its owner's.

use std::collections::HashMap;

use super::breaker::{Breaker, Entry, State};
use super::hint::{About, Hint, Learnt};
use super::{PROBE_INTERVAL_MS, Standing};

/// So many keys, each of another account, have to fail.
const VOICES: usize = 3;
/// A voice that was heard longer ago says nothing of now.
const LATELY_MS: u64 = 60_000;
/// How many models of providers are remembered; beyond it, those that are well are forgotten, else
/// all.
const MODELS_MAX: usize = 4_000;

/// Who says that something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Voice {
    /// The key, as a hash of its id.
    pub(crate) key: u64,
    /// The account that asked, as a hash of its name.
    pub(crate) account: u64,
}

#[derive(Debug, Default)]
struct Outage {
    breaker: Breaker,
    voices: Vec<(Voice, u64)>,
}

impl Outage {
    /// Hears a voice; says whether there are enough.
    fn hear(&mut self, voice: Voice, now_ms: u64) -> bool {
        let is_late = |at: u64| now_ms.saturating_sub(at) > LATELY_MS;
        let is_new = |known: &Voice| known.key != voice.key && known.account != voice.account;
        self.voices
            .retain(|(known, at)| !is_late(*at) && is_new(known));
        self.voices.push((voice, now_ms));
        // The latest are kept.
        let beyond = self.voices.len().saturating_sub(VOICES);
        self.voices.drain(..beyond);
        self.voices.len() >= VOICES
    }
}

/// What is remembered of providers' models.
#[derive(Debug)]
pub(crate) struct Outages {
    by_provider: HashMap<String, HashMap<String, Outage>>,
    models: usize,
    probe_interval_ms: u64,
}

impl Default for Outages {
    fn default() -> Self {
        Self::new(PROBE_INTERVAL_MS)
    }
}

impl Outages {
    /// What fails is left alone for `probe_interval_ms` before it is probed.
    pub(crate) fn new(probe_interval_ms: u64) -> Self {
        Self {
            by_provider: HashMap::new(),
            models: 0,
            probe_interval_ms,
        }
    }

    /// An attempt at a provider's own address failed by its fault. Gives what others should know.
    pub(crate) fn failed(
        &mut self,
        provider: &str,
        model: &str,
        voice: Voice,
        now_ms: u64,
    ) -> Option<Hint> {
        let rest_ms = self.probe_interval_ms;
        let outage = self.known_or_new(provider, model, now_ms);
        let is_heard = outage.hear(voice, now_ms);
        let is_opened = outage.breaker.failed(now_ms, rest_ms, is_heard);
        let about = About::Provider {
            provider: provider.to_owned(),
            model: model.to_owned(),
        };
        is_opened.then_some(Hint {
            about,
            learnt: Learnt::Failing,
            for_ms: rest_ms,
        })
    }

    /// A provider answered an attempt that was begun at `began_ms`, be it that it refused the key.
    pub(crate) fn answered(&mut self, provider: &str, model: &str, began_ms: u64, now_ms: u64) {
        if let Some(outage) = self.known_mut(provider, model) {
            outage.breaker.succeeded(began_ms, now_ms);
        }
    }

    /// Another router has learnt that a model fails.
    pub(crate) fn heard(&mut self, provider: &str, model: &str, for_ms: u64, now_ms: u64) {
        let outage = self.known_or_new(provider, model, now_ms);
        let until_ms = now_ms.saturating_add(for_ms);
        outage.breaker.open_until(until_ms, now_ms);
    }

    /// Asks to make an attempt; see [`Breaker::enter`].
    pub(crate) fn enter(&mut self, provider: &str, model: &str, now_ms: u64) -> Entry {
        let outage = self.known_mut(provider, model);
        outage.map_or(Entry::Free, |outage| outage.breaker.enter(now_ms))
    }

    /// A probe said nothing.
    pub(crate) fn release(&mut self, provider: &str, model: &str) {
        if let Some(outage) = self.known_mut(provider, model) {
            outage.breaker.release();
        }
    }

    /// How a model stands at a provider.
    pub(crate) fn standing(&self, provider: &str, model: &str, now_ms: u64) -> Standing {
        let models = self.by_provider.get(provider);
        let outage = models.and_then(|models| models.get(model));
        let state = outage.map_or(State::Closed, |outage| outage.breaker.state(now_ms));
        super::standing(state, now_ms)
    }

    /// How a provider stands at its worst, over its models.
    pub(crate) fn worst(&self, provider: &str, now_ms: u64) -> State {
        let models = self.by_provider.get(provider).into_iter().flatten();
        let states = models.map(|(_, outage)| outage.breaker.state(now_ms));
        states.fold(State::Closed, State::or_worse)
    }

    fn known_mut(&mut self, provider: &str, model: &str) -> Option<&mut Outage> {
        self.by_provider.get_mut(provider)?.get_mut(model)
    }

    fn known_or_new(&mut self, provider: &str, model: &str, now_ms: u64) -> &mut Outage {
        if self.models >= MODELS_MAX {
            self.make_room(now_ms);
        }
        let models = self.by_provider.entry(provider.to_owned()).or_default();
        if !models.contains_key(model) {
            self.models += 1;
        }
        models.entry(model.to_owned()).or_default()
    }

    fn make_room(&mut self, now_ms: u64) {
        for models in self.by_provider.values_mut() {
            models.retain(|_, outage| !outage.breaker.is_blank(now_ms));
        }
        self.models = self.by_provider.values().map(HashMap::len).sum();
        if self.models >= MODELS_MAX {
            self.by_provider.clear();
            self.models = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(voices: &[(u64, u64)]) -> State {
        let mut outages = Outages::default();
        for (key, account) in voices {
            let voice = Voice {
                key: *key,
                account: *account,
            };
            outages.failed("p", "m", voice, 1000);
        }
        assert_eq!(outages.standing("p", "other", 1000), Standing::Good);
        assert_eq!(outages.standing("q", "m", 1000), Standing::Good);
        outages.worst("p", 1000)
    }

    #[test]
    fn only_several_keys_of_several_accounts_close_a_provider_to_all() {
        let open = State::Open { until_ms: 6000 };
        for (voices, expect) in [
            (vec![(1, 1); 50], State::Closed),
            // One account with many keys, or one key that many use.
            ((0..50).map(|key| (key, 1)).collect(), State::Closed),
            ((0..50).map(|account| (1, account)).collect(), State::Closed),
            (vec![(1, 1), (2, 2), (1, 1), (2, 2), (1, 2)], State::Closed),
            (vec![(1, 1), (2, 2), (3, 3)], open),
            (vec![(1, 1), (1, 1), (2, 2), (2, 2), (3, 3)], open),
        ] {
            assert_eq!(after(&voices), expect, "{voices:?}");
        }
    }

    #[test]
    fn what_is_answered_in_between_counts_for_it() {
        let mut outages = Outages::default();
        for at in 0..3 {
            let voice = Voice {
                key: at,
                account: at,
            };
            outages.failed("p", "m", voice, 1000);
            outages.answered("p", "m", 1000, 1000);
        }
        assert_eq!(outages.worst("p", 1000), State::Closed);
    }

    #[test]
    fn made_up_models_are_forgotten_in_the_end() {
        let mut outages = Outages::default();
        for model in 0..2 * MODELS_MAX {
            let voice = Voice { key: 1, account: 1 };
            outages.failed("p", &model.to_string(), voice, 1000);
        }
        assert!(outages.models <= MODELS_MAX);
        assert_eq!(outages.models, outages.by_provider["p"].len());
    }
}
