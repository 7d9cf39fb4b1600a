//! The health of keys, shared by all requests: in shards, so that no lock is everybody's.

use std::hash::{BuildHasher as _, RandomState};

use parking_lot::Mutex;

use crate::domain::failure::Failure;
use crate::domain::health::{Health, HealthView, Standing};

/// Enough that two requests seldom want the same one.
const SHARDS: usize = 16;

/// Health in shards by key.
#[derive(Debug)]
pub(crate) struct HealthBook {
    shards: [Mutex<Health>; SHARDS],
    hasher: RandomState,
}

impl HealthBook {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }

    fn shard(&self, key_id: &str) -> &Mutex<Health> {
        let hash = usize::try_from(self.hasher.hash_one(key_id) % SHARDS as u64).unwrap_or(0);
        &self.shards[hash]
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
}
