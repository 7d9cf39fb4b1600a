//! Opened keys, each for as long as its lease; overwritten when dropped. One that may have been
//! revoked unheard stays here unverified, to be asked for, and is not used.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward_proto::vault::v1::{HeldLease, UnsealProviderKeyResponse};
use keyward_secret::Secret;
use moka::sync::Cache;
use parking_lot::Mutex;

/// The longest that any lease is kept, whatever the vault says.
const LEASE_MAX: Duration = Duration::from_secs(30);
/// How many keys are kept open.
const KEYS_MAX: u64 = 10_000;

/// What was never verified: epochs begin after it.
const UNVERIFIED: u64 = 0;

/// An opened key.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) secret: Secret,
    pub(crate) version: u64,
    pub(crate) id: String,
    /// When the vault was asked.
    pub(super) asked: Instant,
    until: Instant,
    /// The epoch in which it was last known to hold.
    verified: AtomicU64,
}

impl Lease {
    /// Takes an opened key over that was asked for at `asked`, in `epoch` if changes were heard of
    /// then; `None` if it is not text.
    pub(super) fn read(
        mut response: UnsealProviderKeyResponse,
        asked: Instant,
        epoch: Option<u64>,
    ) -> Option<Self> {
        let given = response
            .lease_duration
            .and_then(|duration| Duration::try_from(duration).ok())
            .unwrap_or_default();
        Some(Self {
            secret: Secret::from_bytes(mem::take(&mut response.secret)).ok()?,
            version: response.version,
            id: mem::take(&mut response.lease_id),
            asked,
            until: asked + given.min(LEASE_MAX),
            verified: AtomicU64::new(epoch.unwrap_or(UNVERIFIED)),
        })
    }

    fn has_ended(&self) -> bool {
        self.until <= Instant::now()
    }

    fn is_verified(&self, epoch: u64) -> bool {
        self.verified.load(Ordering::SeqCst) == epoch
    }
}

/// The place of one key's lease.
#[derive(Debug, Default)]
pub(super) struct Slot {
    lease: Mutex<Option<Arc<Lease>>>,
    refreshing: tokio::sync::Mutex<()>,
}

impl Slot {
    /// The lease, verified or not, if it has not ended and is of this version or a later one.
    pub(super) fn held(&self, version: u64) -> Option<Arc<Lease>> {
        self.unended().filter(|lease| lease.version >= version)
    }

    /// The same, if it was verified in this epoch.
    pub(super) fn verified(&self, version: u64, epoch: u64) -> Option<Arc<Lease>> {
        self.held(version).filter(|lease| lease.is_verified(epoch))
    }

    /// The lease, which is overwritten if it has ended.
    fn unended(&self) -> Option<Arc<Lease>> {
        let mut lease = self.lease.lock();
        if lease.as_ref().is_some_and(|lease| lease.has_ended()) {
            *lease = None;
        }
        lease.clone()
    }

    fn drop_lease(&self, id: &str) {
        let mut lease = self.lease.lock();
        if lease.as_ref().is_some_and(|lease| lease.id == id) {
            *lease = None;
        }
    }

    pub(super) async fn refreshing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.refreshing.lock().await
    }

    pub(super) fn keep(&self, lease: Arc<Lease>) {
        *self.lease.lock() = Some(lease);
    }
}

/// How many leases are held.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) verified: u64,
    pub(super) unverified: u64,
}

/// All leases, by key. A key that is forgotten while it is being opened gets a new place, so that
/// what comes back late is never found.
pub(super) struct Leases {
    slots: Cache<String, Arc<Slot>>,
}

impl Leases {
    pub(super) fn new() -> Self {
        let slots = Cache::builder()
            .max_capacity(KEYS_MAX)
            .time_to_idle(LEASE_MAX * 2)
            .build();
        Self { slots }
    }

    pub(super) fn slot(&self, key_id: &str) -> Arc<Slot> {
        match self.slots.get(key_id) {
            Some(slot) => slot,
            None => self.slots.get_with(key_id.to_owned(), Arc::default),
        }
    }

    pub(super) fn forget(&self, key_id: &str) {
        // The cache drops what it forgot in its own time; the key is to be gone now.
        if let Some(slot) = self.slots.get(key_id) {
            *slot.lease.lock() = None;
        }
        self.slots.invalidate(key_id);
    }

    pub(super) fn forget_all(&self) {
        for (_, slot) in &self.slots {
            *slot.lease.lock() = None;
        }
        self.slots.invalidate_all();
    }

    /// What is to be asked for, so that it can be used in `epoch`.
    pub(super) fn unverified(&self, epoch: u64) -> Vec<HeldLease> {
        let unverified = |(key_id, slot): (Arc<String>, Arc<Slot>)| {
            let lease = slot.unended().filter(|lease| !lease.is_verified(epoch))?;
            Some(HeldLease {
                provider_key_id: key_id.as_ref().clone(),
                version: lease.version,
                lease_id: lease.id.clone(),
            })
        };
        self.slots.iter().filter_map(unverified).collect()
    }

    /// Takes the vault's word: of those it was asked for, the ones in `holding` are verified for
    /// `epoch`, the others overwritten. Returns how many hold.
    pub(super) fn settle(&self, asked: &[HeldLease], holding: &HashSet<String>, epoch: u64) -> u64 {
        let mut held = 0;
        for lease in asked {
            let Some(slot) = self.slots.get(&lease.provider_key_id) else {
                continue;
            };
            if !holding.contains(&lease.lease_id) {
                slot.drop_lease(&lease.lease_id);
            } else if let Some(kept) = slot.unended().filter(|kept| kept.id == lease.lease_id) {
                kept.verified.store(epoch, Ordering::SeqCst);
                held += 1;
            }
        }
        held
    }

    /// Overwrites what has ended, though nobody asks for it, and counts the rest.
    pub(super) fn sweep(&self, epoch: Option<u64>) -> Held {
        let mut held = Held::default();
        for (_, slot) in &self.slots {
            match slot.unended() {
                Some(lease) if epoch.is_some_and(|epoch| lease.is_verified(epoch)) => {
                    held.verified += 1;
                }
                Some(_) => held.unverified += 1,
                None => {}
            }
        }
        // Those that the cache has evicted go with their places.
        self.slots.run_pending_tasks();
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(id: &str, millis: i32, epoch: Option<u64>) -> Arc<Lease> {
        let response = UnsealProviderKeyResponse {
            secret: b"sk-secret".to_vec(),
            version: 1,
            lease_id: id.to_owned(),
            lease_duration: Some(prost_types::Duration {
                seconds: 0,
                nanos: millis * 1_000_000,
            }),
            provider_key: None,
        };
        Arc::new(Lease::read(response, Instant::now(), epoch).unwrap())
    }

    fn leases(kept: &[(&str, &Arc<Lease>)]) -> Leases {
        let leases = Leases::new();
        for (key, lease) in kept {
            leases.slot(key).keep(Arc::clone(lease));
        }
        leases
    }

    #[test]
    fn what_an_earlier_epoch_verified_is_not_used_in_the_next() {
        let leases = leases(&[("k", &lease("l", 900, Some(3)))]);
        let slot = leases.slot("k");
        assert!(slot.verified(1, 3).is_some() && slot.verified(2, 3).is_none());
        assert!(slot.verified(1, 4).is_none() && slot.held(1).is_some());
    }

    #[test]
    fn those_that_hold_are_verified_again_and_the_rest_is_gone() {
        let (holds, does_not) = (lease("holds", 900, Some(3)), lease("does not", 900, None));
        let leases = leases(&[("a", &holds), ("b", &does_not)]);
        let asked = leases.unverified(4);
        assert_eq!(asked.len(), 2);
        assert_eq!(leases.settle(&asked, &["holds".to_owned()].into(), 4), 1);
        assert!(leases.slot("a").verified(1, 4).is_some());
        assert!(leases.slot("b").held(1).is_none());
        assert!(leases.unverified(4).is_empty());
    }

    #[test]
    fn the_vaults_word_is_about_the_lease_it_was_asked_for_alone() {
        let leases = leases(&[("k", &lease("old", 900, None))]);
        let asked = leases.unverified(4);
        leases.slot("k").keep(lease("new", 900, None));
        assert_eq!(leases.settle(&asked, &["old".to_owned()].into(), 4), 0);
        assert!(leases.slot("k").verified(1, 4).is_none());
        leases.settle(&asked, &HashSet::new(), 4);
        assert_eq!(leases.slot("k").held(1).unwrap().id, "new");
    }

    #[test]
    fn what_has_ended_is_overwritten_though_nobody_asks_for_it() {
        let (ends, stays) = (lease("ends", 1, Some(3)), lease("stays", 900, Some(3)));
        let gone = Arc::downgrade(&ends);
        let leases = leases(&[("a", &ends), ("b", &stays)]);
        drop(ends);
        std::thread::sleep(Duration::from_millis(5));
        let held = Held {
            verified: 1,
            unverified: 0,
        };
        assert_eq!(leases.sweep(Some(3)), held);
        assert!(gone.upgrade().is_none());
        assert_eq!(leases.sweep(None).unverified, 1);
    }
}
