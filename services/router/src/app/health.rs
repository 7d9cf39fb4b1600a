//! The health of keys and providers, shared by all requests: in shards, so that no lock is
//! everybody's. What is learnt here is told to other routers where there is a way.

mod meters;
mod paces;
mod sharing;

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::now_ms;
use crate::domain::failure::{Failure, Fault};
use crate::domain::health::{
    About, Entry, Health, HealthView, Hint, Learnt, Outages, Pace, Run, Seen, Standing, State,
    Voice,
};
use crate::domain::provider_health::{Fared, ProviderRecords, Wellness};
pub(crate) use meters::HealthMeters;
use meters::Scope;
use paces::Paces;
pub(crate) use sharing::{HINTS_MAX, share};

/// Enough that two requests seldom want the same one.
const SHARDS: usize = 16;

/// A stored key with a model at a provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    /// The stored key and its version; none for an inline one.
    pub(crate) key: Option<(&'a str, u64)>,
    /// Whether it is at the provider's own address, so that it says something of the provider.
    pub(crate) is_providers: bool,
}

/// Whether an attempt may be made, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    /// As any other.
    Free,
    /// As the probe of these.
    Probe(Taken),
    /// Another one probes; better not.
    Busy,
}

/// The breakers whose one probe it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    at_provider: bool,
    with_key: bool,
}

/// Health in shards by key, and by provider.
#[derive(Debug)]
pub(crate) struct HealthBook {
    keys: [Mutex<Health>; SHARDS],
    providers: [Mutex<ProviderRecords>; SHARDS],
    outages: [Mutex<Outages>; SHARDS],
    paces: Paces,
    hasher: RandomState,
    meters: HealthMeters,
    hints: Option<mpsc::Sender<Hint>>,
}

impl HealthBook {
    /// `hints` takes what other routers should know; where it is full, they go by what they see.
    pub(crate) fn new(
        probe_interval: Duration,
        meters: HealthMeters,
        hints: Option<mpsc::Sender<Hint>>,
    ) -> Self {
        let rest_ms = u64::try_from(probe_interval.as_millis()).unwrap_or(u64::MAX);
        Self {
            keys: std::array::from_fn(|_| Mutex::new(Health::new(rest_ms))),
            providers: std::array::from_fn(|_| Mutex::default()),
            outages: std::array::from_fn(|_| Mutex::new(Outages::new(rest_ms))),
            paces: Paces::new(),
            hasher: RandomState::new(),
            meters,
            hints,
        }
    }

    fn shard(&self, key_id: &str) -> &Mutex<Health> {
        &self.keys[self.place(key_id)]
    }

    fn outages(&self, provider: &str) -> &Mutex<Outages> {
        &self.outages[self.place(provider)]
    }

    fn place(&self, name: &str) -> usize {
        usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).unwrap_or(0)
    }

    /// How a provider stands; see [`ProviderRecords::wellness`].
    pub(crate) fn wellness(
        &self,
        provider: &str,
        resting_since_ms: Option<u64>,
        now_ms: u64,
    ) -> Wellness {
        let records = self.providers[self.place(provider)].lock();
        records.wellness(provider, resting_since_ms, now_ms)
    }

    /// Since when a key rests, if it does; see [`Health::resting_since`].
    pub(crate) fn resting_since(&self, key_id: &str, version: u64, now_ms: u64) -> Option<u64> {
        let health = self.shard(key_id).lock();
        health.resting_since(key_id, version, now_ms)
    }

    /// How the breaker of a key stands at its worst.
    pub(crate) fn key_state(&self, key_id: &str, version: u64, now_ms: u64) -> State {
        self.shard(key_id).lock().worst(key_id, version, now_ms)
    }

    /// How the breaker of a provider stands at its worst.
    pub(crate) fn provider_state(&self, provider: &str, now_ms: u64) -> State {
        self.outages(provider).lock().worst(provider, now_ms)
    }

    /// An attempt went well that was begun so long ago.
    pub(crate) fn succeeded(&self, place: &Place<'_>, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let began_ms = now_ms().saturating_sub(took_ms);
        self.fared(place, Fared::Answered, began_ms);
        if let Some((key_id, version)) = place.key {
            let mut health = self.shard(key_id).lock();
            health.succeeded(key_id, version, place.model, began_ms, now_ms());
        }
    }

    /// An attempt failed, which an account had asked for.
    pub(crate) fn failed(&self, place: &Place<'_>, failure: Failure, account: &str) {
        let now_ms = now_ms();
        if let Some(fared) = failure.fared() {
            self.fared(place, fared, 0);
        }
        if failure.fault() == Fault::Provider && place.is_providers {
            let voice = Voice {
                key: self.hasher.hash_one(place.key),
                account: self.hasher.hash_one(account),
            };
            let mut outages = self.outages(place.provider).lock();
            let hint = outages.failed(place.provider, place.model, voice, now_ms);
            drop(outages);
            self.tell(hint, place.provider);
        }
        if let Some((key_id, version)) = place.key {
            let mut health = self.shard(key_id).lock();
            let hint = health.failed(key_id, version, place.model, failure, now_ms);
            drop(health);
            self.tell(hint, place.provider);
        }
    }

    /// An attempt's answer has begun: where it is a probe, what was failing is there again.
    pub(crate) fn answered(&self, place: &Place<'_>) {
        self.fared(place, Fared::Answered, 0);
        if let Some((key_id, version)) = place.key {
            let mut health = self.shard(key_id).lock();
            health.answered(key_id, version, place.model, now_ms());
        }
    }

    /// What an attempt says of its provider.
    fn fared(&self, place: &Place<'_>, fared: Fared, began_ms: u64) {
        if !place.is_providers {
            return;
        }
        let now_ms = now_ms();
        let mut records = self.providers[self.place(place.provider)].lock();
        records.note(place.provider, fared, now_ms);
        drop(records);
        if fared == Fared::Answered {
            let mut outages = self.outages(place.provider).lock();
            outages.answered(place.provider, place.model, began_ms, now_ms);
        }
    }

    /// Asks to make an attempt: as the probe where one is due, and not while another is at it.
    pub(crate) fn enter(&self, place: &Place<'_>) -> Entered {
        let now_ms = now_ms();
        let at_provider = match place.is_providers {
            true => {
                let mut outages = self.outages(place.provider).lock();
                outages.enter(place.provider, place.model, now_ms)
            }
            false => Entry::Free,
        };
        let with_key = place.key.map_or(Entry::Free, |(key_id, version)| {
            let mut health = self.shard(key_id).lock();
            health.enter(key_id, version, place.model, now_ms)
        });
        let taken = Taken {
            at_provider: at_provider == Entry::Probe,
            with_key: with_key == Entry::Probe,
        };
        if [at_provider, with_key].contains(&Entry::Busy) {
            self.release(place, taken);
            return Entered::Busy;
        }
        match taken.at_provider || taken.with_key {
            true => Entered::Probe(taken),
            false => Entered::Free,
        }
    }

    /// A probe is over, and if nothing else was said of it, it said nothing. What another request
    /// probes meanwhile stays that one's.
    pub(crate) fn release(&self, place: &Place<'_>, taken: Taken) {
        if taken.at_provider {
            let mut outages = self.outages(place.provider).lock();
            outages.release(place.provider, place.model);
        }
        if let Some((key_id, version)) = place.key.filter(|_| taken.with_key) {
            let mut health = self.shard(key_id).lock();
            health.release(key_id, version, place.model);
        }
    }

    /// A probe by a free call is over.
    pub(crate) fn probed(&self, provider: &str, answered: bool) {
        self.meters.probe(provider, answered);
    }

    /// Forgets a key: it was changed.
    pub(crate) fn forget(&self, key_id: &str) {
        self.shard(key_id).lock().forget(key_id);
    }

    /// A test found a version of a key well: what was held against it is over, everywhere.
    pub(crate) fn found_well(&self, key_id: &str, version: u64, provider: &str) {
        let hints = self.shard(key_id).lock().found_well(key_id, version);
        for hint in hints {
            self.tell(Some(hint), provider);
        }
    }

    /// A whole answer of a model, by its id in the catalogue, came at this pace.
    pub(crate) fn ran(&self, provider: &str, model: &str, run: &Run) {
        let now_ms = now_ms();
        self.paces
            .note(provider, model, |pace| pace.served(run, now_ms));
    }

    /// An answer of a model was waited for so long, and not to its beginning.
    pub(crate) fn waited(&self, provider: &str, model: &str, streamed: bool, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let now_ms = now_ms();
        self.paces.note(provider, model, |pace| {
            pace.waited(streamed, took_ms, now_ms);
        });
    }

    /// How long 95 of 100 answers of a model took to begin; none where too few were seen.
    pub(crate) fn late_ms(
        &self,
        provider: &str,
        model: &str,
        streamed: bool,
        now_ms: u64,
    ) -> Option<u64> {
        self.paces.get(provider, model)?.late_ms(streamed, now_ms)
    }

    /// An attempt at a model failed by the provider's fault.
    pub(crate) fn stumbled(&self, provider: &str, model: &str) {
        let now_ms = now_ms();
        self.paces.note(provider, model, |pace| pace.failed(now_ms));
    }

    /// How a provider's models have answered lately, all together.
    pub(crate) fn pace(&self, provider: &str, now_ms: u64) -> Pace {
        self.paces.of_provider(provider).at(now_ms)
    }

    /// Takes in what another router has learnt.
    pub(crate) fn heard(&self, hint: &Hint) {
        let (learnt, now_ms) = ((hint.learnt, hint.for_ms), now_ms());
        match &hint.about {
            About::Key { id, version, model } => {
                let mut health = self.shard(id).lock();
                health.heard(id, *version, model, learnt, now_ms);
            }
            About::Provider { provider, model } => {
                let mut outages = self.outages(provider).lock();
                outages.heard(provider, model, hint.for_ms, now_ms);
            }
        }
    }

    fn tell(&self, hint: Option<Hint>, provider: &str) {
        let Some(hint) = hint else { return };
        if hint.learnt == Learnt::Failing {
            let scope = match hint.about {
                About::Key { .. } => Scope::Key,
                About::Provider { .. } => Scope::Provider,
            };
            self.meters.opened(provider, scope);
        }
        if let Some(hints) = &self.hints {
            // A full queue means that Redis is slow: nobody waits for it.
            let _ = hints.try_send(hint);
        }
    }
}

impl HealthView for HealthBook {
    fn standing(&self, key_id: &str, version: u64, model: &str, now_ms: u64) -> Standing {
        let health = self.shard(key_id).lock();
        health.standing(key_id, version, model, now_ms)
    }

    fn standing_at(&self, provider: &str, model: &str, now_ms: u64) -> Standing {
        let outages = self.outages(provider).lock();
        outages.standing(provider, model, now_ms)
    }

    fn limited_ms(&self, key_id: &str, version: u64, model: &str, now_ms: u64) -> u64 {
        let health = self.shard(key_id).lock();
        health.limited_ms(key_id, version, model, now_ms)
    }

    fn seen(&self, provider: &str, model: &str, now_ms: u64) -> Option<Seen> {
        self.paces.get(provider, model)?.seen(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use keyward_runtime::metrics::Metrics;

    use super::*;

    fn at(key_id: &str) -> Place<'_> {
        Place {
            provider: "p",
            model: "m",
            key: Some((key_id, 1)),
            is_providers: true,
        }
    }

    #[test]
    fn who_finds_a_probe_under_way_leaves_it_to_the_one_who_has_it() {
        let meters = HealthMeters::new(&Metrics::new());
        let book = HealthBook::new(Duration::ZERO, meters, None);
        // Of three accounts, so that the provider's breaker opens too; one key's is open besides.
        for (key_id, account) in [("a", "1"), ("b", "2"), ("b", "2"), ("b", "2"), ("c", "3")] {
            book.failed(&at(key_id), Failure::Unreachable, account);
        }
        let Entered::Probe(taken) = book.enter(&at("a")) else {
            panic!("nobody probes yet");
        };
        assert_eq!(book.enter(&at("b")), Entered::Busy);
        assert_eq!(
            book.enter(&at("c")),
            Entered::Busy,
            "the first still probes"
        );
        book.release(&at("a"), taken);
        assert!(matches!(book.enter(&at("b")), Entered::Probe(_)));
    }
}
