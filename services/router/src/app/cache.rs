//! Stored answers: where they lie, and how many same requests at once become one.

mod flights;
mod meters;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use keyward_limits::RedisError;
use parking_lot::Mutex;

use super::answer::CacheOutcome;
use super::now_ms;
use crate::config::CacheConfig;
use crate::domain::cache::{Key, Placed, Shelf, StoredAnswer};
use flights::Flights;
pub(super) use flights::{Boarding, Flight, Landing};
pub(crate) use meters::CacheMeters;
pub(crate) use redis::RedisShelf;

/// Where answers lie.
#[derive(Debug)]
enum Place {
    /// In this process.
    Local(Mutex<Shelf>),
    /// In a Redis that several routers share.
    Shared(RedisShelf),
}

/// The stored answers.
#[derive(Debug)]
pub(crate) struct ResponseCache {
    place: Place,
    flights: Flights,
    config: CacheConfig,
    meters: CacheMeters,
}

impl ResponseCache {
    /// In Redis, where there is one.
    pub(crate) fn new(config: CacheConfig, redis: Option<RedisShelf>, meters: CacheMeters) -> Self {
        Self {
            place: match redis {
                Some(redis) => Place::Shared(redis),
                None => Place::Local(Mutex::new(Shelf::new(config.max_bytes))),
            },
            flights: Flights::default(),
            config,
            meters,
        }
    }

    /// Whether a request's answer may be stored and come from there, as it says itself or, where it
    /// says nothing, as the settings do.
    pub(super) fn is_wanted(&self, said: Option<bool>) -> bool {
        self.config.max_bytes > 0 && said.unwrap_or(self.config.enabled)
    }

    /// How a request stands with the store.
    pub(super) fn asked(&self, outcome: CacheOutcome) {
        self.meters.asked(outcome);
    }

    /// Does something with the shelf, and says how much lies there then.
    fn on<T>(&self, shelf: &Mutex<Shelf>, act: impl FnOnce(&mut Shelf) -> T) -> T {
        let mut shelf = shelf.lock();
        let done = act(&mut shelf);
        self.meters.lying(&shelf);
        done
    }

    /// A stored answer. A store that is away has none.
    pub(super) async fn get(&self, key: &Key) -> Option<Arc<StoredAnswer>> {
        match &self.place {
            Place::Local(shelf) => self.on(shelf, |shelf| shelf.get(&key.name, now_ms())),
            Place::Shared(redis) => self.reached(redis.get(key).await)?.map(Arc::new),
        }
    }

    /// Takes a request's turn to ask a provider, or that of one who waits for who does.
    pub(super) fn board(&self, key: &Key) -> Boarding {
        self.flights.board(key.name)
    }

    /// Stores an answer, with the tags of its request.
    pub(super) async fn put(
        &self,
        key: &Key,
        answer: StoredAnswer,
        tags: Vec<String>,
        lifetime: Option<Duration>,
    ) {
        let lifetime = lifetime.unwrap_or(self.config.lifetime);
        match &self.place {
            Place::Local(shelf) => {
                let placed = Placed {
                    answer: Arc::new(answer),
                    tenant: key.tenant.clone(),
                    tags,
                    expires_ms: now_ms().saturating_add(millis(lifetime)),
                };
                let evicted = self.on(shelf, |shelf| shelf.put(key.name, placed));
                self.meters.evicted(evicted);
            }
            Place::Shared(redis) => {
                let _ = self.reached(redis.put(key, &answer, &tags, lifetime).await);
            }
        }
    }

    /// What Redis did. Where it did nothing, requests go on without it.
    fn reached<T>(&self, done: Result<T, RedisError>) -> Option<T> {
        let failed = |error: &RedisError| {
            self.meters.store_failed();
            tracing::debug!(error = %keyward_runtime::error::chain(error), "stored answers cannot be reached");
        };
        done.inspect_err(failed).ok()
    }

    /// Takes a tenant's answers away, those with a tag where one is given; says how many.
    pub(super) async fn purge(&self, tenant: &str, tag: Option<&str>) -> Result<u64, RedisError> {
        match &self.place {
            Place::Local(shelf) => Ok(self.on(shelf, |shelf| shelf.purge(tenant, tag))),
            Place::Shared(redis) => redis.purge(tenant, tag).await,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
