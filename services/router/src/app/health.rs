//! The health of keys and providers, shared by all requests: in shards, so that no lock is
//! everybody's.

use std::hash::{BuildHasher as _, RandomState};

use parking_lot::Mutex;

use crate::domain::failure::Failure;
use crate::domain::health::{Health, HealthView, Seen, Standing};
use crate::domain::provider_health::{Fared, ProviderRecords, Wellness};

/// Enough that two requests seldom want the same one.
const SHARDS: usize = 16;

/// Health in shards by key, and by provider.
#[derive(Debug)]
pub(crate) struct HealthBook {
    shards: [Mutex<Health>; SHARDS],
    providers: [Mutex<ProviderRecords>; SHARDS],
    hasher: RandomState,
}

impl HealthBook {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            providers: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }

    fn shard(&self, key_id: &str) -> &Mutex<Health> {
        &self.shards[self.place(key_id)]
    }

    fn place(&self, name: &str) -> usize {
        usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).unwrap_or(0)
    }

    /// An attempt at a provider's own address has ended.
    pub(crate) fn note(&self, provider: &str, fared: Fared) {
        let mut records = self.providers[self.place(provider)].lock();
        records.note(provider, fared, super::now_ms());
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

    pub(crate) fn succeeded(&self, key_id: &str, version: u64, model: &str) {
        self.shard(key_id).lock().succeeded(key_id, version, model);
    }

    pub(crate) fn failed(&self, key_id: &str, version: u64, model: &str, failure: Failure) {
        let now_ms = super::now_ms();
        self.shard(key_id)
            .lock()
            .failed(key_id, version, model, failure, now_ms);
    }

    pub(crate) fn forget(&self, key_id: &str) {
        self.shard(key_id).lock().forget(key_id);
    }
}

impl HealthView for HealthBook {
    fn standing(&self, key_id: &str, version: u64, model: &str, now_ms: u64) -> Standing {
        self.shard(key_id)
            .lock()
            .standing(key_id, version, model, now_ms)
    }
    fn limited_ms(&self, key_id: &str, version: u64, model: &str, now_ms: u64) -> u64 {
        let health = self.shard(key_id).lock();
        health.limited_ms(key_id, version, model, now_ms)
    }

    fn seen(&self, _: &str, _: &str, _: u64) -> Option<Seen> {
        None
    }
}
